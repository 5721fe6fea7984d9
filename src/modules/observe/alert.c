/* alert.c -- what a rule's metric is now, and what follows for its alert. */
#include "modules/observe/alert.h"

#include <math.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/observe/observe_int.h"

/* --- states ------------------------------------------------------------------------------------------------ */

const bool alert_may[4][4] = {
	[ALERT_OK]       = { [ALERT_PENDING] = true },
	[ALERT_PENDING]  = { [ALERT_OK] = true, [ALERT_FIRING] = true },
	[ALERT_FIRING]   = { [ALERT_RESOLVED] = true },
	[ALERT_RESOLVED] = { [ALERT_PENDING] = true },
};

bool alert_breaches(const struct alert_rule *r, const struct alert_measure *m)
{
	if (!m->known || isnan(m->value))
		return false;
	switch ((enum alert_op)r->op) {
	case ALERT_GT: return m->value > r->bound;
	case ALERT_GE: return m->value >= r->bound;
	case ALERT_LT: return m->value < r->bound;
	case ALERT_LE: return m->value <= r->bound;
	}
	UNREACHABLE("op");
}

enum alert_state alert_next(enum alert_state from, bool breach, int64_t since_ms, int64_t for_ms, int64_t now_ms)
{
	switch (from) {
	case ALERT_OK: case ALERT_RESOLVED:
		return breach ? ALERT_PENDING : from;
	case ALERT_PENDING:
		if (!breach)
			return ALERT_OK;
		return now_ms - since_ms >= for_ms ? ALERT_FIRING : from;
	case ALERT_FIRING:
		return breach ? from : ALERT_RESOLVED;
	}
	UNREACHABLE("state");
}

/* --- measures ------------------------------------------------------------------------------------------------ */

struct measuring { struct observe *o; struct arena *a; const struct alert_rule *r; struct alert_measure *m; };

static enum rc too_few(struct measuring *x, int64_t n, int64_t least)
{
	x->m->n = n;
	x->m->message = arena_printf(x->a, "%lld of at least %lld samples", (long long)n, (long long)least);
	return RC_OK;
}

static enum rc measure_drift(struct measuring *x, struct err *e)
{
	const struct alert_rule *r = x->r;
	int64_t least = r->min_samples > 0 ? r->min_samples : x->o->config.min_samples;
	bool prediction = str_eq(r->metric, STR("prediction_drift"));
	const struct drift_row *worst = NULL;
	struct list rows;

	TRY(observe__drift(x->o, x->a, r->endpoint, &rows, e));
	for (size_t i = 0; i < rows.n; i++) {
		const struct drift_row *d = LIST_AT(rows, const struct drift_row, i);
		if ((d->role == ROLE_PREDICTION) != prediction || d->verdict == DRIFT_NO_REFERENCE)
			continue;
		if (r->column.len > 0 && !str_eq(d->column, r->column))
			continue;
		if (worst == NULL || d->psi > worst->psi)
			worst = d;
	}
	if (worst == NULL) {
		x->m->message = rows.n == 0 ? STR("no such endpoint is watched") : STR("the model has no reference for it");
		return RC_OK;
	}
	if (worst->n < least)
		return too_few(x, worst->n, least);
	*x->m = (struct alert_measure){ worst->psi, worst->n, true,
					arena_printf(x->a, "PSI of " STR_FMT " is %.4f over %lld predictions", STR_ARG(worst->column),
						     worst->psi, (long long)worst->n) };
	return RC_OK;
}

static enum rc measure_error(struct measuring *x, struct err *e)
{
	const struct alert_rule *r = x->r;
	int64_t least = r->min_samples > 0 ? r->min_samples : 1;
	struct quality q;

	TRY(observe__quality(x->o->core->db, x->a, r->endpoint, r->window_ms > 0 ? clock_ms() - r->window_ms : 0, 0, &q, e));
	if (q.n_labels < least)
		return too_few(x, q.n_labels, least);
	*x->m = (struct alert_measure){ q.mae, q.n_labels, true,
					arena_printf(x->a, "mean absolute error %.4f over %lld labelled predictions", q.mae,
						     (long long)q.n_labels) };
	return RC_OK;
}

static enum rc measure_window(struct measuring *x, struct err *e)
{
	const struct alert_rule *r = x->r;
	bool rate = str_eq(r->metric, STR("rate"));
	int64_t least = r->min_samples > 0 ? r->min_samples : 1;
	struct watch_stats s;

	(void)e;
	struct watch *w = observe__watch_find(x->o, r->endpoint);
	if (w == NULL) {
		x->m->message = STR("no such endpoint is watched");
		return RC_OK;
	}
	observe_watch_stats(w, &s);
	if (!rate && (int64_t)s.n < least)
		return too_few(x, (int64_t)s.n, least);
	double value = rate ? s.per_second : (double)s.p99_ns / 1e6;
	*x->m = (struct alert_measure){ value, (int64_t)s.n, true,
					rate ? arena_printf(x->a, "%.2f predictions per second", value)
					     : arena_printf(x->a, "99th percentile %.3f ms over %zu predictions", value, s.n) };
	return RC_OK;
}

/* The greatest of the series that fit. */
static bool label_fits(const struct metric_def *d, const str *values, str name, str value)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX && d->label[i] != NULL; i++) {
		if (str_eq(str_of(d->label[i]), name))
			return str_eq(values[i], value);
	}
	return false;
}

static void visit_series(void *ctx, const char *name, const struct metric_def *d, const str *values, double value)
{
	struct measuring *x = ctx;

	if (!str_eq(str_of(name), x->r->metric))
		return;
	if (x->r->endpoint.len > 0 && !label_fits(d, values, STR("endpoint"), x->r->endpoint))
		return;
	for (size_t i = 0; i < x->r->labels.n; i++) {
		const struct pair *p = LIST_AT(x->r->labels, const struct pair, i);
		if (!label_fits(d, values, p->key, p->value))
			return;
	}
	if (!x->m->known || value > x->m->value)
		x->m->value = value;
	x->m->known = true;
	x->m->n++;
}

static enum rc measure_series(struct measuring *x, struct err *e)
{
	(void)e;
	x->m->message = STR("no such series");
	metrics_each(x->o->core->metrics, visit_series, x);
	if (x->m->known)
		x->m->message = arena_printf(x->a, STR_FMT " is %.6g, the greatest of %lld series", STR_ARG(x->r->metric), x->m->value,
					     (long long)x->m->n);
	return RC_OK;
}

static const struct { str metric; enum rc (*measure)(struct measuring *x, struct err *e); } measures[] = {
	{ { "drift", 5 },             measure_drift  },
	{ { "prediction_drift", 16 }, measure_drift  },
	{ { "error", 5 },             measure_error  },
	{ { "latency_p99", 11 },      measure_window },
	{ { "rate", 4 },              measure_window },
};

static enum rc measure(struct measuring *x, struct err *e)
{
	*x->m = (struct alert_measure){ .message = STR("") };
	for (size_t i = 0; i < ARRAY_LEN(measures); i++) {
		if (str_eq(measures[i].metric, x->r->metric))
			return measures[i].measure(x, e);
	}
	return measure_series(x, e);
}

/* --- evaluation ---------------------------------------------------------------------------------------------- */

static void show_gauges(struct observe *o, const struct list *alerts)
{
	for (size_t i = 0; i < alerts->n; i++) {
		const struct alert_row *r = LIST_AT(*alerts, const struct alert_row, i);
		series_set(metric_series(o->firing, &r->rule), r->state == ALERT_FIRING ? 1 : 0);
	}
}

static enum rc evaluate(struct observe *o, struct arena *a, struct err *e)
{
	struct list rules, alerts;

	TRY(observe__index_now(o, e));
	TRY(observe__rules(o->core->db, a, &rules, e));
	for (size_t i = 0; i < rules.n; i++) {
		const struct alert_rule *r = LIST_AT(rules, const struct alert_rule, i);
		struct alert_measure m;
		struct measuring x = { o, a, r, &m };
		TRY(measure(&x, e));
		TRY(observe__alert_apply(o->core->db, r, &m, clock_ms(), e));
	}
	TRY(observe__alerts(o->core->db, a, &alerts, e));
	show_gauges(o, &alerts);
	return RC_OK;
}

enum rc observe__alerts_evaluate(struct observe *o, struct arena *a, struct err *e)
{
	pthread_mutex_lock(&o->alert_mtx);
	enum rc rc = evaluate(o, a, e);
	pthread_mutex_unlock(&o->alert_mtx);
	return rc;
}

enum rc observe__alert_timer(void *module, struct err *e)
{
	struct arena a;

	arena_init(&a);
	enum rc rc = observe__alerts_evaluate(module, &a, e);
	arena_deinit(&a);
	return rc;
}
