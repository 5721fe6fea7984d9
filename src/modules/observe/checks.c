/* checks.c -- what observe proves against the running system. */
#include "modules/observe/observe_int.h"

#include <math.h>

#include "core/live_check.h"
#include "core/store.h"

/* --- every prediction of this process is indexed, and none is missing in between ------------------------------ */

static enum rc check_log(void *module, struct live_check *k, struct err *e)
{
	struct prediction_count n;

	TRY(observe_count(module, &n, e));
	if (n.written == 0) {
		live_check_skip(k, "no prediction since the start");
		return RC_OK;
	}
	expect_at_least(k, "predictions indexed of those written since the start", (double)n.indexed, (double)(n.written - n.pruned));
	expect_equal(k, "gaps in their sequence numbers", (double)n.gaps, 0);
	live_check_note(k, "sequence numbers %llu to %llu", (unsigned long long)n.first_seq, (unsigned long long)n.last_seq);
	return RC_OK;
}

/* --- drift as shown is what the records give -------------------------------------------------------------------- */

struct shown { uint64_t last_seq; size_t n; double *psi; };

static void copy_shown(struct observe *o, const struct drift *d, struct arena *a, struct shown *s)
{
	s->psi = ARENA_ARRAY(a, double, d->n_column);
	pthread_mutex_lock(&o->mtx);
	s->last_seq = d->last_seq;
	s->n = d->n;
	for (size_t i = 0; i < d->n_column; i++)
		s->psi[i] = drift_psi(d, i);
	pthread_mutex_unlock(&o->mtx);
}

/* A drift of the same columns and bins, empty. */
static struct drift *twin(const struct drift *d, struct arena *a)
{
	str *input = ARENA_ARRAY(a, str, d->n_column);

	for (size_t i = 0; i < d->n_column; i++)
		input[i] = d->column[i].name;
	struct drift_new n = { d->endpoint, d->model, d->version, input, d->n_column - 1, input[d->n_column - 1], d->window, 0 };
	struct drift *t = drift_new(a, &n, NULL);
	for (size_t i = 0; i < d->n_column; i++) {
		t->column[i].tracked = d->column[i].tracked;
		t->column[i].edge = d->column[i].edge;
		t->column[i].share = d->column[i].share;
		t->column[i].n_edge = d->column[i].n_edge;
	}
	return t;
}

static enum rc compare_drift(struct observe *o, const struct drift *d, struct live_check *k, size_t *n_compared, struct err *e)
{
	struct arena *a = live_check_arena(k);
	struct shown s;
	double most = 0;

	copy_shown(o, d, a, &s);
	if (s.n == 0)
		return RC_OK;
	(*n_compared)++;
	TRY(observe__index_now(o, e));
	struct drift *t = twin(d, a);
	TRY(observe__refill(o, a, t, s.last_seq, (int64_t)s.n, e));
	expect_equal(k, "predictions on record for the window", (double)t->n, (double)s.n);
	for (size_t i = 0; i < d->n_column; i++)
		most = fmax(most, fabs(drift_psi(t, i) - s.psi[i]));
	live_check_note(k, "endpoint " STR_FMT ", model " STR_FMT " version %lld, %zu columns", STR_ARG(d->endpoint), STR_ARG(d->model),
			(long long)d->version, d->n_column);
	expect_at_most(k, "greatest difference of PSI to that of the records", most, 1e-9);
	return RC_OK;
}

static enum rc check_drift(void *module, struct live_check *k, struct err *e)
{
	struct observe *o = module;
	size_t n = 0;

	pthread_mutex_lock(&o->mtx);
	struct drift *d = o->drift;     /* drifts are only ever added, in front */
	pthread_mutex_unlock(&o->mtx);
	for (; d != NULL; d = d->next)
		TRY(compare_drift(o, d, k, &n, e));
	if (n == 0)
		live_check_skip(k, "no predictions in any window");
	return RC_OK;
}

/* --- alerts stand where their history leads ---------------------------------------------------------------------- */

struct gauge { str rule; double value; bool found; };

static void find_gauge(void *ctx, const char *name, const struct metric_def *d, const str *values, double value)
{
	struct gauge *g = ctx;

	(void)d;
	if (str_eq(str_of(name), STR("cairn_alert_firing")) && str_eq(values[0], g->rule)) {
		g->value = value;
		g->found = true;
	}
}

static enum rc check_alert(struct observe *o, const struct alert_row *r, struct live_check *k, struct err *e)
{
	struct gauge g = { .rule = r->rule };
	struct list history;
	int broken = 0;

	TRY(observe__alert_history(o->core->db, live_check_arena(k), r->rule, 1000, &history, e));
	int32_t last = history.n > 0 ? LIST_AT(history, const struct alert_event, 0)->to : ALERT_OK;
	for (size_t i = 0; i < history.n; i++) {
		const struct alert_event *v = LIST_AT(history, const struct alert_event, i);
		bool joins = i + 1 == history.n || LIST_AT(history, const struct alert_event, i + 1)->to == v->from;
		broken += !joins || !alert_may[v->from][v->to];
	}
	expect_true(k, last == r->state, "alert " STR_FMT " is %s and its history ends in %s", STR_ARG(r->rule), alert_state_names[r->state],
		    alert_state_names[last]);
	expect_true(k, broken == 0, "the %zu changes of alert " STR_FMT " follow from each other", history.n, STR_ARG(r->rule));
	metrics_each(o->core->metrics, find_gauge, &g);
	expect_true(k, !g.found || (g.value > 0) == (r->state == ALERT_FIRING), "the gauge of alert " STR_FMT " says the same (%g)",
		    STR_ARG(r->rule), g.value);
	return RC_OK;
}

static enum rc check_alerts(void *module, struct live_check *k, struct err *e)
{
	struct observe *o = module;
	struct list alerts;
	enum rc rc = RC_OK;

	pthread_mutex_lock(&o->alert_mtx);   /* not between a change and its gauge */
	rc = observe__alerts(o->core->db, live_check_arena(k), &alerts, e);
	if (rc == RC_OK && alerts.n == 0)
		live_check_skip(k, "no alert rules");
	for (size_t i = 0; rc == RC_OK && i < alerts.n; i++)
		rc = check_alert(o, LIST_AT(alerts, const struct alert_row, i), k, e);
	pthread_mutex_unlock(&o->alert_mtx);
	return rc;
}

const struct check_def observe_checks[] = {
	{ "observe.log_complete", "Every prediction written to the log since the start is indexed, without a gap", "P1.W3.D5.5 P2.W9.mon.3",
	  check_log },
	{ "observe.drift_from_records", "Drift as shown equals drift computed again from the records", "P1.W3.D5.5 P2.W9.mon.3", check_drift },
	{ "observe.alerts_consistent", "Every alert stands where its history leads, and its gauge says so", "P1.W2.D5.5", check_alerts },
};
_Static_assert(ARRAY_LEN(observe_checks) == OBSERVE_CHECKS, "observe_int.h says how many");
