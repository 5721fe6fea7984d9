/* metric.c -- the metric registry and its Prometheus text form (exposition format 0.0.4).
 *
 * Families and series are only ever added; a series lives as long as the registry, so recorders keep plain
 * pointers. Adding takes the registry's lock; recording takes none. */
#include "core/metric.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/num.h"
#include "base/vec.h"

#define SERIES_MAX 1000

struct series {
	struct metric_family *family;
	struct series *next;
	str label[METRIC_LABELS_MAX];
	_Atomic double value;
	struct hist *hist;              /* METRIC_HISTOGRAM */
};

struct metric_family {
	struct metrics *owner;
	struct metric_def def;
	size_t n_label;
	struct map series;              /* joined label values → struct series */
	struct series *_Atomic first;   /* newest first; readers walk it without the lock */
	struct series *other;
	size_t n;
	double (*callback)(void *ctx);
	void *callback_ctx;
	struct metric_family *_Atomic next;
};

struct metrics {
	pthread_mutex_t mtx;            /* guards adding: arena, maps, n */
	struct arena arena;
	struct map family;
	struct metric_family *_Atomic first;
	struct metric_family *last;
};

struct metrics *metrics_new(void)
{
	struct metrics *m = calloc(1, sizeof(*m));

	CHECK(m != NULL);
	pthread_mutex_init(&m->mtx, NULL);
	arena_init(&m->arena);
	map_init(&m->family, &m->arena);
	return m;
}

void metrics_free(struct metrics **slot)
{
	struct metrics *m = *slot;

	*slot = NULL;
	if (m == NULL)
		return;
	arena_deinit(&m->arena);
	pthread_mutex_destroy(&m->mtx);
	free(m);
}

struct metric_family *metric_register(struct metrics *m, const struct metric_def *d)
{
	pthread_mutex_lock(&m->mtx);
	struct metric_family *f = map_find(&m->family, str_of(d->name));
	if (f == NULL) {
		f = ARENA_NEW(&m->arena, struct metric_family);
		f->owner = m;
		f->def = *d;
		while (f->n_label < METRIC_LABELS_MAX && d->label[f->n_label] != NULL)
			f->n_label++;
		map_init(&f->series, &m->arena);
		map_put(&m->family, str_of(d->name), f);
		if (m->last == NULL)
			atomic_store(&m->first, f);
		else
			m->last->next = f;
		m->last = f;
	}
	CHECK(f->def.type == d->type);
	pthread_mutex_unlock(&m->mtx);
	return f;
}

static struct series *series_new(struct metric_family *f, const str *label)
{
	struct arena *a = &f->owner->arena;
	struct series *s = ARENA_NEW(a, struct series);

	s->family = f;
	for (size_t i = 0; i < f->n_label; i++)
		s->label[i] = arena_dup(a, label[i]);
	if (f->def.type == METRIC_HISTOGRAM)
		s->hist = ARENA_NEW(a, struct hist);
	s->next = atomic_load(&f->first);
	atomic_store(&f->first, s);
	f->n++;
	return s;
}

static struct series *series_other(struct metric_family *f)
{
	str label[METRIC_LABELS_MAX];

	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		label[i] = STR("other");
	if (f->other == NULL)
		f->other = series_new(f, label);
	return f->other;
}

struct series *metric_series(struct metric_family *f, const str *label)
{
	struct buf key = BUF_INIT(4096);

	for (size_t i = 0; i < f->n_label; i++) {
		buf_add(&key, label[i]);
		buf_add_char(&key, '\x1f');
	}
	pthread_mutex_lock(&f->owner->mtx);
	struct series *s = key.overflowed ? series_other(f) : map_find(&f->series, buf_str(&key));
	if (s == NULL && f->n >= SERIES_MAX)
		s = series_other(f);
	if (s == NULL) {
		s = series_new(f, label);
		map_put(&f->series, buf_str(&key), s);
	}
	pthread_mutex_unlock(&f->owner->mtx);
	buf_deinit(&key);
	return s;
}

void series_add(struct series *s, double v)
{
	double old = atomic_load_explicit(&s->value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&s->value, &old, old + v, memory_order_relaxed, memory_order_relaxed))
		continue;
}

void series_set(struct series *s, double v)
{
	atomic_store_explicit(&s->value, v, memory_order_relaxed);
}

void series_observe(struct series *s, uint64_t ns)
{
	CHECK(s->hist != NULL);
	hist_record(s->hist, ns);
}

double series_value(const struct series *s)
{
	return atomic_load_explicit(&s->value, memory_order_relaxed);
}

const struct hist *series_hist(const struct series *s)
{
	return s->hist;
}

void metric_callback(struct metric_family *f, double (*fn)(void *ctx), void *ctx)
{
	CHECK(f->n_label == 0);
	f->callback_ctx = ctx;
	f->callback = fn;
	(void)metric_series(f, NULL);   /* the one series that is shown */
}

/* --- text ------------------------------------------------------------------------------------- */

static void put_number(struct buf *b, double v)
{
	char text[NUM_TEXT_MAX];

	if (isnan(v))
		buf_add(b, STR("NaN"));
	else if (isinf(v))
		buf_add(b, v > 0 ? STR("+Inf") : STR("-Inf"));
	else
		buf_add(b, str_n(text, num_put_f64(text, v)));
}

static void put_escaped(struct buf *b, str s, bool quotes)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		if (c == '\\')
			buf_add(b, STR("\\\\"));
		else if (c == '\n')
			buf_add(b, STR("\\n"));
		else if (c == '"' && quotes)
			buf_add(b, STR("\\\""));
		else
			buf_add_char(b, c);
	}
}

static void put_sample(struct buf *b, const struct series *s, const char *suffix, const char *le, double v)
{
	const struct metric_family *f = s->family;

	buf_add(b, str_of(f->def.name));
	buf_add(b, str_of(suffix));
	if (f->n_label > 0 || le != NULL) {
		buf_add_char(b, '{');
		for (size_t i = 0; i < f->n_label; i++) {
			buf_addf(b, "%s%s=\"", i > 0 ? "," : "", f->def.label[i]);
			put_escaped(b, s->label[i], true);
			buf_add_char(b, '"');
		}
		if (le != NULL)
			buf_addf(b, "%sle=\"%s\"", f->n_label > 0 ? "," : "", le);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ' ');
	put_number(b, v);
	buf_add_char(b, '\n');
}

/* Cumulative bounds in seconds: fine below 10 ms, where predictions live. */
static const struct {
	const char *text;
	uint64_t ns;
} bounds[] = {
	{ "0.0001", 100000 },     { "0.00025", 250000 },   { "0.0005", 500000 },   { "0.001", 1000000 },
	{ "0.002", 2000000 },     { "0.005", 5000000 },    { "0.01", 10000000 },   { "0.025", 25000000 },
	{ "0.05", 50000000 },     { "0.1", 100000000 },    { "0.25", 250000000 },  { "0.5", 500000000 },
	{ "1", 1000000000 },      { "2.5", 2500000000 },   { "5", 5000000000 },    { "10", 10000000000 },
	{ "60", 60000000000 },    { "600", 600000000000 },
};

static void put_histogram(struct buf *b, const struct series *s)
{
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		put_sample(b, s, "_bucket", bounds[i].text, (double)hist_count_le(s->hist, bounds[i].ns));
	double count = (double)atomic_load_explicit(&s->hist->count, memory_order_relaxed);
	put_sample(b, s, "_bucket", "+Inf", count);
	put_sample(b, s, "_sum", NULL, (double)atomic_load_explicit(&s->hist->sum, memory_order_relaxed) / 1e9);
	put_sample(b, s, "_count", NULL, count);
}

static double current(const struct series *s)
{
	const struct metric_family *f = s->family;

	return f->callback != NULL ? f->callback(f->callback_ctx) : series_value(s);
}

void metrics_render(struct metrics *m, struct buf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };

	for (struct metric_family *f = atomic_load(&m->first); f != NULL; f = f->next) {
		struct series *s = atomic_load(&f->first);
		if (s == NULL)
			continue;
		buf_addf(out, "# HELP %s ", f->def.name);
		put_escaped(out, str_of(f->def.help), false);
		buf_addf(out, "\n# TYPE %s %s\n", f->def.name, types[f->def.type]);
		for (; s != NULL; s = s->next) {
			if (f->def.type == METRIC_HISTOGRAM)
				put_histogram(out, s);
			else
				put_sample(out, s, "", NULL, current(s));
		}
	}
}

static void each_histogram(const struct series *s, void (*fn)(void *, const char *, const struct metric_def *, const str *, double),
			   void *ctx)
{
	static const struct {
		const char *suffix;
		double q;
	} quantiles[] = { { "_p50", 0.5 }, { "_p95", 0.95 }, { "_p99", 0.99 } };
	const struct metric_def *d = &s->family->def;
	struct buf name = BUF_INIT(256);

	buf_addf(&name, "%s_count", d->name);
	fn(ctx, name.at, d, s->label, (double)atomic_load_explicit(&s->hist->count, memory_order_relaxed));
	buf_clear(&name);
	buf_addf(&name, "%s_sum", d->name);
	fn(ctx, name.at, d, s->label, (double)atomic_load_explicit(&s->hist->sum, memory_order_relaxed) / 1e9);
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		buf_clear(&name);
		buf_addf(&name, "%s%s", d->name, quantiles[i].suffix);
		fn(ctx, name.at, d, s->label, (double)hist_quantile(s->hist, quantiles[i].q) / 1e9);
	}
	buf_deinit(&name);
}

void metrics_each(struct metrics *m, void (*fn)(void *ctx, const char *name, const struct metric_def *d,
						 const str *label_values, double value), void *ctx)
{
	for (struct metric_family *f = atomic_load(&m->first); f != NULL; f = f->next) {
		for (struct series *s = atomic_load(&f->first); s != NULL; s = s->next) {
			if (f->def.type == METRIC_HISTOGRAM)
				each_histogram(s, fn, ctx);
			else
				fn(ctx, f->def.name, &f->def, s->label, current(s));
		}
	}
}
