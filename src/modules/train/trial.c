/* trial.c -- one fit: an MLflow run with its parameters, its curve by round, its final measures and its model.
 *
 * The curve is logged while the trial runs, so that charts move; a trial that stays behind is given up by the median rule
 * (Golovin et al., Google Vizier, 2017): its best value so far is worse than the median of the others' when they were as far.
 * How far a trial is, is its rounds times its learning rate: by rounds alone slow learners, which are often the best in the
 * end, would all be given up (on the taxi data every trial with eta below 0.06 was). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train_int.h"

#define FLUSH_POINTS 200        /* metric points held back before they are logged */
#define PRUNE_AFTER_ROUNDS 10
#define PRUNE_AFTER_PACES 2.0   /* rounds times learning rate: what a tree adds has shrunk to 1/e^2 by then */
#define PRUNE_AFTER_TRIALS 4
#define PACE_DEFAULT 0.3        /* XGBoost's eta */

struct trial {
	struct search_job *job;
	struct arena arena;
	size_t number;
	str run_id, run_name;
	struct list params;             /* of struct pair: what the search chose */
	struct metric_point point[FLUSH_POINTS];
	size_t n_point;
	float *curve;                   /* best value so far, by round */
	double pace;                    /* its learning rate */
	size_t rounds, best_round;
	double best;
	bool pruned, cancelled;
	enum rc rc;                     /* of logging */
	struct err *e;
};

/* --- measures ----------------------------------------------------------------------------------- */

const char *train__metric_name(int32_t objective)
{
	static const char *const names[] = { [OBJECTIVE_SQUARED] = "rmse", [OBJECTIVE_ABSOLUTE] = "mae", [OBJECTIVE_LOGISTIC] = "logloss" };

	return names[objective];
}

static double log_loss(double y, double p)
{
	const double least = 1e-7;

	p = fmin(fmax(p, least), 1 - least);
	return -(y * log(p) + (1 - y) * log(1 - p));
}

double train__metric(int32_t objective, const float *y, const float *p, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double d = (double)p[i] - (double)y[i];
		sum += objective == OBJECTIVE_SQUARED ? d * d : objective == OBJECTIVE_ABSOLUTE ? fabs(d) : log_loss((double)y[i], (double)p[i]);
	}
	return objective == OBJECTIVE_SQUARED ? sqrt(sum / (double)n) : sum / (double)n;
}

/* 1 - residual over total variance: 0 for the mean, 1 for perfect. */
static double r_squared(const float *y, const float *p, size_t n)
{
	double mean = 0, residual = 0, total = 0;

	for (size_t i = 0; i < n; i++)
		mean += (double)y[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		residual += ((double)y[i] - (double)p[i]) * ((double)y[i] - (double)p[i]);
		total += ((double)y[i] - mean) * ((double)y[i] - mean);
	}
	return total > 0 ? 1 - residual / total : 0;
}

static double accuracy(const float *y, const float *p, size_t n)
{
	size_t right = 0;

	for (size_t i = 0; i < n; i++)
		right += (p[i] >= 0.5f) == (y[i] >= 0.5f);
	return (double)right / (double)n;
}

/* --- while it trains ------------------------------------------------------------------------------- */

static void flush(struct trial *t)
{
	if (t->rc == RC_OK && t->n_point > 0)
		t->rc = tracking_run_log(tracking_of(t->job->train->core), t->run_id, t->point, t->n_point, NULL, 0, NULL, 0, t->e);
	t->n_point = 0;
}

static void add_point(struct trial *t, const char *key, double value, int64_t step)
{
	if (t->n_point == FLUSH_POINTS)
		flush(t);
	t->point[t->n_point++] = (struct metric_point){ str_of(key), value, clock_ms(), step };
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static bool behind_the_median(struct trial *t, size_t round)
{
	struct pruner *p = &t->job->pruner;
	bool behind = false;

	double far = t->pace * (double)(round + 1);

	if (!t->job->request->prune || round < PRUNE_AFTER_ROUNDS || far < PRUNE_AFTER_PACES)
		return false;
	float *at = ARENA_ARRAY(&t->arena, float, (size_t)t->job->request->trials);
	pthread_mutex_lock(&p->mtx);
	size_t n = p->n_curves;
	for (size_t i = 0; i < n; i++) {
		double other = ceil(far / p->pace[i]) - 1;
		at[i] = p->best[i * p->rounds + (other < (double)p->rounds ? (size_t)other : p->rounds - 1)];
	}
	pthread_mutex_unlock(&p->mtx);
	if (n >= PRUNE_AFTER_TRIALS) {
		qsort(at, n, sizeof(*at), by_value);
		behind = t->best > (double)at[n / 2];
	}
	return behind;
}

/* The trial's curve for others to be compared with; past its end it stays where it was. */
static void publish_curve(struct trial *t)
{
	struct pruner *p = &t->job->pruner;

	if (t->rounds == 0)
		return;
	pthread_mutex_lock(&p->mtx);
	p->pace[p->n_curves] = t->pace;
	float *to = p->best + p->n_curves++ * p->rounds;
	for (size_t i = 0; i < p->rounds; i++)
		to[i] = t->curve[i < t->rounds ? i : t->rounds - 1];
	pthread_mutex_unlock(&p->mtx);
}

static bool on_round(void *ctx, int round, const char *metric, double train, double valid)
{
	struct trial *t = ctx;
	size_t r = (size_t)round, patience = (size_t)t->job->request->early_stopping;

	(void)metric;
	add_point(t, arena_printf(&t->arena, "train_%s", train__metric_name(t->job->request->objective)).at, train, round);
	add_point(t, arena_printf(&t->arena, "valid_%s", train__metric_name(t->job->request->objective)).at, valid, round);
	if (t->rounds == 0 || valid < t->best) {
		t->best = valid;
		t->best_round = r;
	}
	t->curve[r] = (float)t->best;
	t->rounds = r + 1;
	t->cancelled = t->job->task != NULL && task_cancelled(t->job->task);
	t->pruned = behind_the_median(t, r);
	return t->rc == RC_OK && !t->cancelled && !t->pruned && (patience == 0 || r - t->best_round < patience);
}

static double pace_of(const struct trial *t)
{
	const struct list both[] = { t->params, t->job->request->fixed };
	double v = PACE_DEFAULT;

	for (size_t l = 0; l < ARRAY_LEN(both); l++) {
		for (size_t i = 0; i < both[l].n; i++) {
			const struct pair *p = LIST_AT(both[l], struct pair, i);
			bool rate = str_eq(p->key, STR("eta")) || str_eq(p->key, STR("learning_rate"));
			if (rate && str_to_f64(p->value, &v) && v > 0 && v <= 1)
				return v;
		}
	}
	return PACE_DEFAULT;
}

/* --- before and after --------------------------------------------------------------------------------- */

static const char *objective_of(const struct train_request *r)
{
	static const char *const names[] = { [OBJECTIVE_SQUARED] = "reg:squarederror", [OBJECTIVE_ABSOLUTE] = "reg:absoluteerror",
					     [OBJECTIVE_LOGISTIC] = "binary:logistic" };

	return names[r->objective];
}

static enum rc begin_run(struct trial *t, struct err *e)
{
	struct search_job *j = t->job;
	const struct train_request *r = j->request;
	struct tracking *tracking = tracking_of(j->train->core);
	const struct pair tags[] = { { STR("cairn.search"), j->search->id }, { STR("cairn.training_set"), j->set->id } };
	const struct run_start start = { .experiment_id = j->search->experiment_id, .name = t->run_name, .run_id = id_hex(&t->arena, 16),
					 .parent_run_id = j->search->parent_run_id, .tag = tags, .n_tag = ARRAY_LEN(tags), .who = j->who };
	VEC(struct pair) params = { 0 };

	TRY(train__open_run_add(j->train, start.run_id, e));
	TRY(tracking_run_start(tracking, &start, &t->arena, &t->run_id, e));
	for (size_t i = 0; i < t->params.n; i++)
		*VEC_PUSH(&t->arena, &params) = *LIST_AT(t->params, struct pair, i);
	for (size_t i = 0; i < r->fixed.n; i++)
		*VEC_PUSH(&t->arena, &params) = *LIST_AT(r->fixed, struct pair, i);
	*VEC_PUSH(&t->arena, &params) = (struct pair){ STR("objective"), str_of(objective_of(r)) };
	*VEC_PUSH(&t->arena, &params) = (struct pair){ STR("rounds"), arena_printf(&t->arena, "%lld", (long long)r->rounds) };
	return tracking_run_log(tracking, t->run_id, NULL, 0, params.at, params.n, NULL, 0, e);
}

static enum rc fit(struct trial *t, struct booster **out, struct err *e)
{
	struct search_job *j = t->job;
	const struct training_matrix *m = j->m;
	const struct xgb_data train = { m->x, m->y, m->n_train, m->n_col, m->name };
	const struct xgb_data valid = { m->x + m->n_train * m->n_col, m->y + m->n_train, m->n_valid, m->n_col, m->name };
	struct xgb_param param[TRAIN_PARAMS_MAX] = {
		{ "objective", objective_of(j->request) }, { "eval_metric", train__metric_name(j->request->objective) }, { "nthread", "1" },
		{ "seed", arena_printf(&t->arena, "%lld", (long long)(j->request->seed % INT32_MAX)).at },
	};
	size_t n = 4;
	const struct list both[] = { j->request->fixed, t->params };

	for (size_t l = 0; l < ARRAY_LEN(both); l++) {
		for (size_t i = 0; i < both[l].n; i++) {
			const struct pair *p = LIST_AT(both[l], struct pair, i);
			CHECK(n < TRAIN_PARAMS_MAX);
			param[n++] = (struct xgb_param){ arena_cstr(&t->arena, p->key), arena_cstr(&t->arena, p->value) };
		}
	}
	const struct xgb_train fit = { .train = &train, .valid = &valid, .param = param, .n_param = n, .rounds = (int)j->request->rounds,
				       .on_round = on_round, .ctx = t };
	TRY(xgb_fit(&fit, out, e));
	flush(t);
	TRY(t->rc);
	if (t->cancelled)
		return FAIL(e, RC_CANCELLED, "cancelled");
	return t->best_round + 1 < t->rounds ? xgb_keep_rounds(*out, (int)t->best_round + 1, e) : RC_OK;
}

static enum rc measure(struct trial *t, struct booster *b, double *value, struct err *e)
{
	const struct search_job *j = t->job;
	const struct training_matrix *m = j->m;
	const float *y = m->y + m->n_train;
	float *p = arena_alloc_n(&t->arena, m->n_valid, sizeof(float));
	int32_t objective = j->request->objective;
	int64_t step = (int64_t)t->best_round;

	TRY(xgb_predict(b, m->x + m->n_train * m->n_col, m->n_valid, m->n_col, p, e));
	*value = train__metric(objective, y, p, m->n_valid);
	if (objective == OBJECTIVE_LOGISTIC) {
		add_point(t, "logloss", *value, step);
		add_point(t, "accuracy", accuracy(y, p, m->n_valid), step);
	} else {
		add_point(t, "rmse", train__metric(OBJECTIVE_SQUARED, y, p, m->n_valid), step);
		add_point(t, "mae", train__metric(OBJECTIVE_ABSOLUTE, y, p, m->n_valid), step);
		add_point(t, "r2", r_squared(y, p, m->n_valid), step);
	}
	add_point(t, "baseline", j->search->baseline, step);
	add_point(t, "best_round", (double)t->best_round, step);
	flush(t);
	return t->rc;
}

static void note_outcome(struct trial *t, enum rc rc, double value)
{
	struct search_job *j = t->job;
	struct trial_outcome *o = &j->outcome[t->number];
	struct pair *p;

	pthread_mutex_lock(&j->pruner.mtx);
	struct arena *a = j->outcome_arena;
	p = ARENA_ARRAY(a, struct pair, t->params.n);
	for (size_t i = 0; i < t->params.n; i++) {
		const struct pair *from = LIST_AT(t->params, struct pair, i);
		p[i] = (struct pair){ arena_dup(a, from->key), arena_dup(a, from->value) };
	}
	*o = (struct trial_outcome){ .number = (int64_t)t->number + 1, .run_id = arena_dup(a, t->run_id), .value = value,
				     .state = rc != RC_OK ? TRIAL_FAILED : t->pruned ? TRIAL_PRUNED : TRIAL_FINISHED,
				     .rounds = rc == RC_OK ? (int64_t)t->best_round + 1 : 0, .params = { p, t->params.n } };
	pthread_mutex_unlock(&j->pruner.mtx);
}

static enum rc run_trial(struct trial *t, double *value, struct err *e)
{
	struct search_job *j = t->job;
	struct booster *b = NULL;

	TRY(begin_run(t, e));
	enum rc rc = fit(t, &b, e);
	if (rc == RC_OK)
		rc = measure(t, b, value, e);
	if (rc == RC_OK)
		rc = train__package(j, t->run_id, b, &t->arena, e);
	if (rc == RC_OK)
		rc = train__link(j->train, j->set->id, j->set->name, t->run_id, t->run_name, e);
	if (b != NULL)
		xgb_free(&b);
	return rc;
}

enum rc train__trial(struct search_job *j, size_t number, struct err *e)
{
	struct tracking *tracking = tracking_of(j->train->core);
	struct err end_e = ERR_INIT;
	struct trial *t = calloc(1, sizeof(*t));
	double value = NAN;

	CHECK(t != NULL);
	*t = (struct trial){ .job = j, .number = number, .e = e };
	arena_init(&t->arena);
	t->run_name = arena_printf(&t->arena, STR_FMT "-%02zu", STR_ARG(j->request->name), number + 1);
	t->curve = ARENA_ARRAY(&t->arena, float, (size_t)j->request->rounds);
	train__space_point(j->request, number, &t->arena, &t->params);
	t->pace = pace_of(t);
	enum rc rc = run_trial(t, &value, e);
	if (rc == RC_OK)
		publish_curve(t);
	note_outcome(t, rc, rc == RC_OK ? value : (double)NAN);
	if (t->run_id.len > 0) {
		enum run_status end = rc == RC_OK ? RUN_FINISHED : t->cancelled ? RUN_KILLED : RUN_FAILED;
		if (tracking_run_end(tracking, t->run_id, end, &end_e) != RC_OK || train__open_run_end(j->train, t->run_id, &end_e) != RC_OK)
			LOG(WARN, "train.run_not_ended", KV_STR("run", t->run_id), KV_ERR(&end_e));
	}
	arena_deinit(&t->arena);
	free(t);
	return rc;
}
