/* watch.c -- what is watched, the one door through which predictions go on record, and the drift that they show. */
#include "modules/observe/observe_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define TEXT_ID 64
#define TEXT_REQUEST_ID 256
#define TEXT_VIEW_IDS 1024

/* --- watching ------------------------------------------------------------------------------------------------ */

static struct drift *find_drift(struct observe *o, const struct watch_new *n)
{
	for (struct drift *d = o->drift; d != NULL; d = d->next) {
		if (str_eq(d->endpoint, n->endpoint) && str_eq(d->model, n->model) && d->version == n->version &&
		    d->n_column == n->n_input + 1)
			return d;
	}
	return NULL;
}

static double input_of(str inputs, str name, struct arena *a)
{
	struct json_source s;
	struct token t;
	struct err e = ERR_INIT;
	double value = NAN;
	bool next = false;

	json_source_init(&s, inputs, a, "stored inputs");
	while (token_next(&s.super, &t, &e) == RC_OK && t.kind != TOK_EOF) {
		if (next)
			return t.kind == TOK_NUMBER && str_to_f64(t.text, &value) ? value : NAN;
		next = t.kind == TOK_KEY && str_eq(t.text, name);
	}
	return NAN;
}

/* The records of the window are the truth; the bins in memory are made from them again. */
enum rc observe__refill(struct observe *o, struct arena *a, struct drift *d, uint64_t last_seq, int64_t n, struct err *e)
{
	struct window_of w = { o->log_id, d->endpoint, d->model, d->version, last_seq, n };
	struct list rows;

	TRY(observe__row_window(o->core->db, a, &w, &rows, e));
	double *input = ARENA_ARRAY(a, double, d->n_column);
	for (size_t i = rows.n; i > 0; i--) {
		const struct prediction_row *p = LIST_AT(rows, const struct prediction_row, i - 1);
		for (size_t k = 0; k + 1 < d->n_column; k++)
			input[k] = input_of(p->inputs, d->column[k].name, a);
		struct drift_sample s = { input, p->output, p->at_ms, (uint64_t)(p->latency_ms * 1e6), (uint64_t)p->seq };
		drift_push(d, &s);
	}
	return RC_OK;
}

static enum rc make_drift(struct observe *o, const struct watch_new *n, struct drift **out, struct err *e)
{
	struct drift_new dn = { n->endpoint, n->model, n->version, n->input, n->n_input, n->output, (size_t)o->config.window_rows,
				o->config.window_ms };
	struct profile profile;
	struct arena a;
	enum rc rc = RC_OK;

	arena_init(&a);
	if (n->reference_json.len > 0)
		rc = profile_parse(n->reference_json, &a, &profile, e);
	if (rc == RC_OK)
		rc = observe__index_now(o, e);
	if (rc == RC_OK) {
		pthread_mutex_lock(&o->mtx);
		struct drift *d = drift_new(&o->arena, &dn, n->reference_json.len > 0 ? &profile : NULL);
		pthread_mutex_unlock(&o->mtx);
		/* Nobody else knows it yet. */
		rc = observe__refill(o, &a, d, INT64_MAX, o->config.window_rows, e);
		*out = d;
	}
	arena_deinit(&a);
	return rc;
}

static void copy_def(struct arena *a, const struct watch_new *n, struct log_watch *out)
{
	str *input = ARENA_ARRAY(a, str, n->n_input);

	for (size_t i = 0; i < n->n_input; i++)
		input[i] = arena_dup(a, n->input[i]);
	*out = (struct log_watch){ n->revision, n->version, arena_dup(a, n->endpoint), arena_dup(a, n->model), arena_dup(a, n->output),
				   input, n->n_input };
}

static enum rc check_new(const struct watch_new *n, struct err *e)
{
	if (n->n_input > PREDLOG_INPUTS_MAX)
		return FAIL(e, RC_INVALID, "the model has %zu inputs; at most %u can be recorded", n->n_input, PREDLOG_INPUTS_MAX);
	size_t bytes = n->endpoint.len + n->model.len + n->output.len;
	for (size_t i = 0; i < n->n_input; i++)
		bytes += n->input[i].len + 2;
	if (bytes > PREDLOG_FRAME_MAX - 256)
		return FAIL(e, RC_INVALID, "the names of the model's inputs take %zu bytes; at most %u can be recorded", bytes, PREDLOG_FRAME_MAX - 256);
	return RC_OK;
}

enum rc observe_watch(struct observe *o, const struct watch_new *n, struct watch **out, struct err *e)
{
	enum rc rc = RC_OK;

	OBJ_CHECK(o, OBSERVE_MAGIC);
	TRY(check_new(n, e));
	pthread_mutex_lock(&o->watch_mtx);
	pthread_mutex_lock(&o->mtx);
	struct drift *d = find_drift(o, n);
	pthread_mutex_unlock(&o->mtx);
	bool fresh = d == NULL;
	if (fresh)
		rc = make_drift(o, n, &d, e);
	if (rc == RC_OK) {
		pthread_mutex_lock(&o->mtx);
		struct watch *w = ARENA_NEW(&o->arena, struct watch);
		copy_def(&o->arena, n, &w->def);
		w->o = o;
		w->drift = d;
		w->logged = metric_series(o->logged, &w->def.endpoint);
		w->next = o->watch;
		o->watch = w;
		if (fresh) {
			d->next = o->drift;
			o->drift = d;
		}
		pthread_mutex_unlock(&o->mtx);
		*out = w;
	}
	pthread_mutex_unlock(&o->watch_mtx);
	return rc;
}

void observe_retire(struct observe *o, str endpoint)
{
	pthread_mutex_lock(&o->mtx);
	for (struct watch *w = o->watch; w != NULL; w = w->next)
		w->retired = w->retired || str_eq(w->def.endpoint, endpoint);
	pthread_mutex_unlock(&o->mtx);
}

static struct watch *current_watch(struct observe *o, str endpoint)
{
	for (struct watch *w = o->watch; w != NULL; w = w->next) {
		if (str_eq(w->def.endpoint, endpoint))
			return w->retired ? NULL : w;
	}
	return NULL;
}

struct watch *observe__watch_find(struct observe *o, str endpoint)
{
	pthread_mutex_lock(&o->mtx);
	struct watch *w = current_watch(o, endpoint);
	pthread_mutex_unlock(&o->mtx);
	return w;
}

/* --- recording ----------------------------------------------------------------------------------------------- */

/* At most max bytes of what a database takes as text: no NUL, and not the first half of a character. */
static str kept_text(str s, size_t max)
{
	const char *nul = s.len > 0 ? memchr(s.at, 0, s.len) : NULL;

	s = str_head(s, nul != NULL && (size_t)(nul - s.at) < max ? (size_t)(nul - s.at) : max);
	for (int i = 0; i < 4 && !str_is_utf8(s); i++)
		s = str_head(s, s.len - 1);
	return str_is_utf8(s) ? s : STR("");
}

/* Under o->mtx. The watch is told to the segment with the first of its predictions there. */
static enum rc append(struct watch *w, const struct prediction *p, size_t n, struct err *e)
{
	struct observe *o = w->o;

	TRY(predlog_begin(o->log, e));
	uint64_t segment = predlog_segment(o->log), seq = predlog_next_seq(o->log);
	if (o->segment != segment) {
		o->segment = segment;
		o->n_watch = 0;
	}
	bool tell = w->segment != segment;
	uint32_t number = tell ? o->n_watch : w->number;
	if (tell)
		predlog_put_watch(predlog_buf(o->log), &w->def);
	for (size_t i = 0; i < n; i++) {
		struct log_prediction l = { number, seq + i, p[i].at_ms, p[i].latency_ns, p[i].output, kept_text(p[i].id, TEXT_ID),
					    kept_text(p[i].request_id, TEXT_REQUEST_ID), kept_text(p[i].view_ids, TEXT_VIEW_IDS),
					    p[i].input, w->def.n_input };
		predlog_put_prediction(predlog_buf(o->log), &l);
	}
	TRY(predlog_commit(o->log, n, e));
	if (tell) {
		w->segment = segment;
		w->number = number;
		o->n_watch++;
	}
	for (size_t i = 0; i < n; i++) {
		struct drift_sample s = { p[i].input, p[i].output, p[i].at_ms, p[i].latency_ns, seq + i };
		drift_push(w->drift, &s);
		drift_expire(w->drift, p[i].at_ms);
	}
	return RC_OK;
}

enum rc observe_predictions(struct watch *w, const struct prediction *p, size_t n, struct err *e)
{
	if (n == 0)
		return RC_OK;
	pthread_mutex_lock(&w->o->mtx);
	enum rc rc = append(w, p, n, e);
	pthread_mutex_unlock(&w->o->mtx);
	if (rc == RC_OK)
		series_add(w->logged, (double)n);
	return rc;
}

/* --- what the windows show -------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t quantile(const uint64_t *sorted, size_t n, double q)
{
	return n > 0 ? sorted[(size_t)((double)(n - 1) * q + 0.5)] : 0;
}

void observe_watch_stats(struct watch *w, struct watch_stats *out)
{
	struct drift *d = w->drift;
	struct arena a;

	arena_init(&a);
	uint64_t *ns = ARENA_ARRAY(&a, uint64_t, d->window);
	pthread_mutex_lock(&w->o->mtx);
	drift_expire(d, clock_ms());
	*out = (struct watch_stats){ .n = d->n, .per_second = drift_rate(d, clock_ms()), .total = d->total };
	for (size_t i = 0; i < d->n; i++)
		ns[i] = d->latency_ns[(d->head + d->window - d->n + i) % d->window];
	pthread_mutex_unlock(&w->o->mtx);
	qsort(ns, out->n, sizeof(*ns), by_size);
	out->p50_ns = quantile(ns, out->n, 0.5);
	out->p95_ns = quantile(ns, out->n, 0.95);
	out->p99_ns = quantile(ns, out->n, 0.99);
	arena_deinit(&a);
}

static int32_t verdict(const struct observe *o, const struct drift_column *c, int64_t n, double psi)
{
	if (!c->tracked)
		return DRIFT_NO_REFERENCE;
	if (n < o->config.min_samples)
		return DRIFT_TOO_FEW;
	return psi >= PSI_DRIFTED ? DRIFT_DRIFTED : psi >= PSI_MODERATE ? DRIFT_MODERATE : DRIFT_STABLE;
}

typedef VEC(struct drift_row) drift_rows;

static void add_rows(const struct watch *w, struct arena *a, drift_rows *out)
{
	const struct drift *d = w->drift;

	for (size_t i = 0; i < d->n_column; i++) {
		const struct drift_column *c = &d->column[i];
		double psi = drift_psi(d, i);
		*VEC_PUSH(a, out) = (struct drift_row){
			.endpoint = d->endpoint, .model = d->model, .version = d->version, .column = c->name,
			.role = i + 1 < d->n_column ? ROLE_INPUT : ROLE_PREDICTION, .psi = psi, .n = (int64_t)d->n,
			.n_missing = c->tracked ? c->count[c->n_edge + 1] : 0, .n_reference = c->n_reference,
			.verdict = verdict(w->o, c, (int64_t)d->n, psi),
		};
	}
}

enum rc observe__drift(struct observe *o, struct arena *a, str endpoint, struct list *out, struct err *e)
{
	drift_rows rows = { 0 };

	(void)e;
	pthread_mutex_lock(&o->mtx);
	for (struct watch *w = o->watch; w != NULL; w = w->next) {
		if (current_watch(o, w->def.endpoint) != w || (endpoint.len > 0 && !str_eq(w->def.endpoint, endpoint)))
			continue;
		drift_expire(w->drift, clock_ms());
		add_rows(w, a, &rows);
	}
	pthread_mutex_unlock(&o->mtx);
	*out = LIST_OF(rows);
	return RC_OK;
}

/* The gauges of /metrics. */
enum rc observe__drift_timer(void *module, struct err *e)
{
	struct observe *o = module;
	struct list rows;
	struct arena a;

	arena_init(&a);
	enum rc rc = observe__drift(o, &a, STR_NONE, &rows, e);
	for (size_t i = 0; rc == RC_OK && i < rows.n; i++) {
		const struct drift_row *r = LIST_AT(rows, const struct drift_row, i);
		if (r->verdict != DRIFT_NO_REFERENCE)
			series_set(metric_series(o->psi, (const str[]){ r->endpoint, r->column }), r->psi);
	}
	arena_deinit(&a);
	return rc;
}
