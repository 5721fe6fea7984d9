/* online.c -- reading features online, without waiting for anything.
 *
 * What a view looks like to readers is a generation: which materialisation, under which prefix its rows lie, what is in a
 * row. A generation is immutable; publishing one stores one pointer. The ones before it are kept until the module closes,
 * so a reader needs neither lock nor reference count, and a reader that is still on the one before finds its rows, because
 * they are deleted only after a grace period (materialise.c). All keys of a read come from one snapshot of the store.
 *
 * The table of views has a mutex, which is held for a look-up and nothing else. */
#include "modules/features/features_int.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "io/kvstore.h"

struct generation {
	struct generation *older;
	struct arena arena;             /* holds what follows */
	str materialisation, prefix, entity;
	struct list keys;               /* of str */
	size_t n_feature;
	const str *feature;
	const enum value_kind *kind;
	int64_t ttl_ms;
	int64_t revision, materialised_at_ms, as_of_ms;
};

struct online_view {
	str name;
	struct series *found, *missing;
	_Atomic(struct series *) age;   /* NULL until there is an age to tell */
	_Atomic(struct generation *) now;
	bool busy;                      /* a materialisation is running; under online.mtx */
};

struct online {
	struct features *f;
	struct kvstore *kv;
	struct metric_family *reads, *age;
	pthread_mutex_t mtx;            /* guards views and busy */
	struct map views;               /* name -> struct online_view, kept until close */
};

struct online *features__online_new(struct features *f)
{
	static const struct metric_def reads = { "cairn_feature_reads_total", METRIC_COUNTER, "Keys read from feature views online",
						 { "view", "outcome" } };
	static const struct metric_def age = { "cairn_feature_age_seconds", METRIC_GAUGE,
					       "How long ago the time is that a feature view's online values are as of", { "view" } };
	struct online *o = calloc(1, sizeof(*o));

	CHECK(o != NULL);
	o->f = f;
	o->kv = f->core->kv;
	o->reads = metric_register(f->core->metrics, &reads);
	o->age = metric_register(f->core->metrics, &age);
	pthread_mutex_init(&o->mtx, NULL);
	map_init(&o->views, NULL);
	return o;
}

static void generation_free(struct generation *g)
{
	struct arena own;

	memcpy(&own, &g->arena, sizeof(own));
	arena_deinit(&own);
	free(g);
}

void features__online_free(struct online **slot)
{
	struct online *o = *slot;

	*slot = NULL;
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->views.n; i++) {
		struct online_view *v = o->views.entry[i].value;
		for (struct generation *g = atomic_load(&v->now), *older; g != NULL; g = older) {
			older = g->older;
			generation_free(g);
		}
		free(v);
	}
	map_deinit(&o->views);
	pthread_mutex_destroy(&o->mtx);
	free(o);
}

static struct online_view *find(struct online *o, str name)
{
	pthread_mutex_lock(&o->mtx);
	struct online_view *v = map_find(&o->views, name);
	pthread_mutex_unlock(&o->mtx);
	return v;
}

static struct online_view *find_or_add(struct online *o, str name)
{
	struct online_view *v = find(o, name), *fresh;

	if (v != NULL)
		return v;
	fresh = calloc(1, sizeof(*fresh));
	CHECK(fresh != NULL);
	fresh->found = metric_series(o->reads, (const str[]){ name, STR("found") });
	fresh->missing = metric_series(o->reads, (const str[]){ name, STR("missing") });
	pthread_mutex_lock(&o->mtx);
	v = map_find(&o->views, name);
	if (v == NULL) {
		map_put(&o->views, name, fresh);
		v = fresh;
		fresh = NULL;
		for (size_t i = 0; i < o->views.n; i++) {
			if (o->views.entry[i].value == v)
				v->name = o->views.entry[i].key;
		}
	}
	pthread_mutex_unlock(&o->mtx);
	free(fresh);
	return v;
}

/* --- publishing ------------------------------------------------------------------------------------------------- */

static struct list dup_strs(struct arena *a, struct list l)
{
	str *copy = ARENA_ARRAY(a, str, l.n);

	for (size_t i = 0; i < l.n; i++)
		copy[i] = arena_dup(a, *LIST_AT(l, str, i));
	return (struct list){ copy, l.n };
}

static enum rc fill_layout(struct generation *g, struct list features, struct err *e)
{
	str *name = ARENA_ARRAY(&g->arena, str, features.n);
	enum value_kind *kind = ARENA_ARRAY(&g->arena, enum value_kind, features.n);

	for (size_t i = 0; i < features.n; i++) {
		const struct feature *f = LIST_AT(features, const struct feature, i);
		name[i] = arena_dup(&g->arena, f->name);
		if (!features__kind_of_type(f->type, &kind[i]))
			return FAIL(e, RC_INTERNAL, "feature '" STR_FMT "' has no known type", STR_ARG(f->name));
	}
	g->n_feature = features.n;
	g->feature = name;
	g->kind = kind;
	return RC_OK;
}

/* What was committed last may be published first: two threads, an apply and a materialisation. */
static bool is_newer(const struct generation *g, const struct generation *than)
{
	if (g == NULL || g->revision != than->revision)
		return g != NULL && g->revision > than->revision;
	return g->materialised_at_ms > than->materialised_at_ms;
}

static void tell_age(struct online *o, struct online_view *v)
{
	const struct generation *g = atomic_load(&v->now);

	if (g == NULL || g->prefix.len == 0)
		return;
	if (atomic_load(&v->age) == NULL)       /* two threads find the same one */
		atomic_store(&v->age, metric_series(o->age, &v->name));
	series_set(atomic_load(&v->age), (double)(clock_ms() - g->as_of_ms) / 1000);
}

/* Without a materialisation a generation has no rows, but readers learn the view's shape from it. */
enum rc features__publish(struct features *f, const struct feature_view *v, const struct materialisation *m, struct err *e)
{
	struct online_view *ov = find_or_add(f->online, v->name);
	struct generation *g = calloc(1, sizeof(*g));

	CHECK(g != NULL);
	arena_init(&g->arena);
	if (fill_layout(g, m != NULL ? m->features : v->features, e) != RC_OK) {
		generation_free(g);
		return e->rc;
	}
	g->keys = dup_strs(&g->arena, v->keys);
	g->entity = arena_dup(&g->arena, v->entity);
	g->ttl_ms = v->ttl_ms;
	g->revision = v->revision;
	if (m != NULL) {
		g->as_of_ms = m->as_of_ms;
		g->materialised_at_ms = m->ended_ms;
		g->materialisation = arena_dup(&g->arena, m->id);
		g->prefix = features__prefix(&g->arena, v->name, m->id);
	}
	pthread_mutex_lock(&f->online->mtx);
	g->older = atomic_load(&ov->now);
	bool newest = !is_newer(g->older, g);
	if (newest)
		atomic_store(&ov->now, g);
	pthread_mutex_unlock(&f->online->mtx);
	if (!newest)
		generation_free(g);
	tell_age(f->online, ov);
	return RC_OK;
}

enum rc features__publish_stored(struct features *f, const struct feature_view *v, struct arena *a, struct err *e)
{
	struct materialisation m;
	bool found = false;

	TRY(features__current(f, a, v->name, &m, &found, e));
	return features__publish(f, v, found ? &m : NULL, e);
}

/* Another process over the same database may have applied what this one does not know. */
enum rc features__refresh(struct features *f, struct err *e)
{
	struct online_shape shape;
	struct list views;
	struct arena a;

	arena_init(&a);
	enum rc rc = features__views(f, &a, &views, e);
	for (size_t i = 0; rc == RC_OK && i < views.n; i++) {
		const struct feature_view *v = LIST_AT(views, const struct feature_view, i);
		if (!features__shape(f, v->name, &shape) || shape.revision < v->revision)
			rc = features__publish_stored(f, v, &a, e);
	}
	arena_deinit(&a);
	return rc;
}

void features__tell_ages(struct features *f)
{
	struct online *o = f->online;

	for (size_t i = 0;; i++) {
		pthread_mutex_lock(&o->mtx);
		struct online_view *v = i < o->views.n ? o->views.entry[i].value : NULL;
		pthread_mutex_unlock(&o->mtx);
		if (v == NULL)
			return;         /* views are never removed */
		tell_age(o, v);
	}
}

bool features__begin(struct features *f, str view)
{
	struct online_view *v = find_or_add(f->online, view);

	pthread_mutex_lock(&f->online->mtx);
	bool mine = !v->busy;
	v->busy = true;
	pthread_mutex_unlock(&f->online->mtx);
	return mine;
}

void features__end(struct features *f, str view)
{
	struct online_view *v = find(f->online, view);

	pthread_mutex_lock(&f->online->mtx);
	CHECK(v != NULL);
	v->busy = false;
	pthread_mutex_unlock(&f->online->mtx);
}

bool features__shape(struct features *f, str view, struct online_shape *out)
{
	struct online_view *v = find(f->online, view);
	const struct generation *g = v != NULL ? atomic_load(&v->now) : NULL;

	if (g == NULL)
		return false;
	*out = (struct online_shape){ .keys = g->keys, .n_feature = g->n_feature, .feature = g->feature, .kind = g->kind, .entity = g->entity,
				      .revision = g->revision };
	return true;
}

/* --- readers ------------------------------------------------------------------------------------------------------- */

#define ABSENT SIZE_MAX

/* Where the features asked for stand in the rows of one generation. Made once for each generation a reader meets. */
struct placement {
	const struct generation *g;
	struct placement *older;
	size_t at[];            /* ABSENT where the generation does not have it */
};

struct online_reader {
	unsigned magic;
	struct online *o;
	struct online_view *view;
	struct arena arena;
	const str *feature;
	size_t n_feature, n_key;
	_Atomic(struct placement *) now;
};
#define READER_MAGIC 0x6f726472u

static size_t place_of(const struct generation *g, str feature)
{
	for (size_t i = 0; i < g->n_feature; i++) {
		if (str_eq(g->feature[i], feature))
			return i;
	}
	return ABSENT;
}

static struct placement *placement(struct online_reader *r, const struct generation *g)
{
	struct placement *p = atomic_load_explicit(&r->now, memory_order_acquire);

	if (p != NULL && p->g == g)
		return p;
	struct placement *fresh = calloc(1, sizeof(*fresh) + r->n_feature * sizeof(fresh->at[0]));
	CHECK(fresh != NULL);
	fresh->g = g;
	for (size_t i = 0; i < r->n_feature; i++)
		fresh->at[i] = place_of(g, r->feature[i]);
	/* Two threads may both make one: each is right, and both are freed with the reader. */
	do {
		fresh->older = p;
	} while (!atomic_compare_exchange_weak(&r->now, &p, fresh));
	return fresh;
}

enum rc features_reader_new(struct features *f, str view, const str *feature, size_t n, struct online_reader **out, struct err *e)
{
	OBJ_CHECK(f, FEATURES_MAGIC);
	struct online_view *ov = find(f->online, view);
	const struct generation *g = ov != NULL ? atomic_load(&ov->now) : NULL;

	if (g == NULL)
		return FAIL(e, RC_NOT_FOUND, "feature view '" STR_FMT "' does not exist", STR_ARG(str_head(view, 100)));
	for (size_t i = 0; i < n; i++) {
		if (place_of(g, feature[i]) == ABSENT)
			return FAIL(e, RC_NOT_FOUND, "feature view '" STR_FMT "' has no feature '" STR_FMT "'", STR_ARG(view),
				    STR_ARG(str_head(feature[i], 100)));
	}
	struct online_reader *r = calloc(1, sizeof(*r));
	CHECK(r != NULL);
	r->magic = READER_MAGIC;
	r->o = f->online;
	r->view = ov;
	r->n_key = g->keys.n;
	r->n_feature = n;
	arena_init(&r->arena);
	str *own = ARENA_ARRAY(&r->arena, str, n);
	for (size_t i = 0; i < n; i++)
		own[i] = arena_dup(&r->arena, feature[i]);
	r->feature = own;
	*out = r;
	return RC_OK;
}

void features_reader_free(struct online_reader **slot)
{
	struct online_reader *r = *slot;

	*slot = NULL;
	if (r == NULL)
		return;
	OBJ_CHECK(r, READER_MAGIC);
	for (struct placement *p = atomic_load(&r->now), *older; p != NULL; p = older) {
		older = p->older;
		free(p);
	}
	arena_deinit(&r->arena);
	r->magic = 0;
	free(r);
}

str features_reader_materialisation(const struct online_reader *r)
{
	OBJ_CHECK(r, READER_MAGIC);
	return atomic_load(&r->view->now)->materialisation;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static enum rc take_value(const struct row *row, size_t at, const struct generation *g, bool old, struct online_value *out, struct err *e)
{
	struct row_value v;

	TRY(row_get(row, at, g->kind[at], &v, e));
	*out = (struct online_value){ .number = v.f, .integer = v.i, .text = v.s,
				      .status = v.null ? FEATURE_NULL : old ? FEATURE_TOO_OLD : FEATURE_PRESENT };
	return RC_OK;
}

static enum rc take_row(const struct online_reader *r, const struct placement *p, str bytes, int64_t now_ms, struct online_row *out,
			struct err *e)
{
	const struct generation *g = p->g;
	struct row row;

	TRY(row_open(bytes, &row, e));
	if (row.n != g->n_feature)
		return FAIL(e, RC_IO, "feature view '" STR_FMT "': an online row has %zu values, not %zu", STR_ARG(r->view->name), row.n, g->n_feature);
	out->event_ms = row.event_us >= 0 ? row.event_us / 1000 : -((-row.event_us + 999) / 1000);
	bool old = g->ttl_ms > 0 && now_ms > 0 && now_ms - out->event_ms > g->ttl_ms;
	for (size_t i = 0; i < r->n_feature; i++) {
		if (p->at[i] != ABSENT)
			TRY(take_value(&row, p->at[i], g, old, &out->value[i], e));
	}
	return RC_OK;
}

static void count_reads(const struct online_view *v, size_t found, size_t n)
{
	if (found > 0)
		series_add(v->found, (double)found);
	if (n > found)
		series_add(v->missing, (double)(n - found));
}

enum rc features_read(struct online_reader *r, const str *key, size_t n_key, int64_t now_ms, struct arena *a, struct online_row *out,
		      struct err *e)
{
	char one[ROW_KEY_MAX];

	OBJ_CHECK(r, READER_MAGIC);
	const struct generation *g = atomic_load_explicit(&r->view->now, memory_order_acquire);
	if (g->keys.n != r->n_key)
		return FAIL(e, RC_CONFLICT, "the keys of feature view '" STR_FMT "' have changed", STR_ARG(r->view->name));
	const struct placement *p = placement(r, g);
	str *where = arena_alloc_raw(a, 2 * n_key * sizeof(str)), *bytes = where + n_key;
	struct online_value *value = arena_alloc_n(a, n_key * r->n_feature, sizeof(*value));
	size_t found = 0;
	for (size_t i = 0; i < n_key * r->n_feature; i++)
		value[i].status = FEATURE_NOT_FOUND;
	for (size_t i = 0; i < n_key; i++) {
		out[i] = (struct online_row){ .value = value + i * r->n_feature };
		where[i] = bytes[i] = STR_NONE;
		if (g->prefix.len > 0)
			where[i] = arena_dup(a, str_n(one, row_key(one, g->prefix, key + i * r->n_key, r->n_key)));
	}
	if (g->prefix.len > 0)
		TRY(kvstore_get_many(r->o->kv, where, n_key, a, bytes, e));
	for (size_t i = 0; i < n_key; i++) {
		if (bytes[i].at == NULL)
			continue;
		TRY(take_row(r, p, bytes[i], now_ms, &out[i], e));
		found++;
	}
	count_reads(r->view, found, n_key);
	return RC_OK;
}
