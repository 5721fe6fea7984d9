/* search.c -- many trials on a few threads, and the best of them.
 *
 * Each thread takes the next number until none is left. A trial that fails is noted and the others go on; the search
 * fails when all have failed, with the first one's reason. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train_int.h"

#define THREADS_MAX 64

struct worker { struct search_job *job; pthread_t thread; struct err e; };

static void tell(struct search_job *j)
{
	size_t n = atomic_load(&j->n_done), total = (size_t)j->request->trials;
	double best = INFINITY;

	pthread_mutex_lock(&j->pruner.mtx);
	for (size_t i = 0; i < total; i++) {
		if (j->outcome[i].number != 0 && j->outcome[i].value < best)
			best = j->outcome[i].value;
	}
	pthread_mutex_unlock(&j->pruner.mtx);
	if (j->task != NULL && isfinite(best))
		task_progress(j->task, 0.05 + 0.95 * (double)n / (double)total, "trial %zu of %zu, best %s %.4g (baseline %.4g)", n, total,
			      j->search->metric.at, best, j->search->baseline);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct search_job *j = w->job;
	size_t i;

	while ((i = atomic_fetch_add(&j->next, 1)) < (size_t)j->request->trials) {
		struct err e = ERR_INIT;
		if (j->task != NULL && task_cancelled(j->task))
			break;
		if (train__trial(j, i, &e) != RC_OK) {
			LOG(WARN, "train.trial_failed", KV_STR("search", j->search->id), KV_I64("trial", i + 1), KV_ERR(&e));
			if (w->e.rc == RC_OK)
				w->e = e;
		}
		atomic_fetch_add(&j->n_done, 1);
		tell(j);
	}
	return NULL;
}

static size_t thread_count(const struct train_request *r)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = r->parallel > 0 ? (size_t)r->parallel : cores < 1 ? 1 : cores > 8 ? 8 : (size_t)cores;

	n = n > (size_t)r->trials ? (size_t)r->trials : n;
	return n > THREADS_MAX ? THREADS_MAX : n;
}

static enum rc run_trials(struct search_job *j, struct err *e)
{
	struct worker workers[THREADS_MAX] = { 0 };
	size_t n = thread_count(j->request), n_started = 0;

	for (; n_started < n; n_started++) {
		workers[n_started].job = j;
		if (pthread_create(&workers[n_started].thread, NULL, work, &workers[n_started]) != 0)
			break;
	}
	for (size_t i = 0; i < n_started; i++)
		pthread_join(workers[i].thread, NULL);
	if (n_started == 0)
		return FAIL(e, RC_UNAVAILABLE, "no thread could be started");
	if (j->task != NULL && task_cancelled(j->task))
		return FAIL(e, RC_CANCELLED, "cancelled after %zu of %lld trials", atomic_load(&j->n_done), (long long)j->request->trials);
	for (size_t i = 0; i < n_started && j->search->best_run_id.len == 0; i++) {
		if (workers[i].e.rc != RC_OK)
			*e = workers[i].e;
	}
	return RC_OK;
}

static enum rc conclude(struct search_job *j, struct err *e)
{
	struct search *s = j->search;

	s->value = INFINITY;
	for (int64_t i = 0; i < j->request->trials; i++) {
		const struct trial_outcome *o = &j->outcome[i];
		s->n_finished += o->state == TRIAL_FINISHED;
		s->n_pruned += o->state == TRIAL_PRUNED;
		s->n_failed += o->state == TRIAL_FAILED;
		if (o->state != TRIAL_FAILED && o->value < s->value) {
			s->value = o->value;
			s->best_run_id = o->run_id;
		}
	}
	s->trials = (struct list){ j->outcome, (size_t)j->request->trials };
	if (s->best_run_id.len == 0)
		return e->rc != RC_OK ? err_wrap(e, "all %lld trials failed", (long long)s->n_trials)
				      : FAIL(e, RC_INTERNAL, "no trial gave a value");
	return RC_OK;
}

static enum rc begin_parent(struct search_job *j, struct arena *a, struct err *e)
{
	struct tracking *t = tracking_of(j->train->core);
	struct search *s = j->search;
	str experiment = j->request->experiment.len > 0 ? j->request->experiment : j->request->name;
	const struct pair tags[] = { { STR("cairn.search"), s->id }, { STR("cairn.training_set"), s->training_set } };
	const struct pair params[] = {
		{ STR("training_set"), j->set->name }, { STR("trials"), arena_printf(a, "%lld", (long long)j->request->trials) },
		{ STR("objective"), str_of(objective_names[j->request->objective]) },
	};
	struct run_start start = { .name = j->request->name, .tag = tags, .n_tag = ARRAY_LEN(tags), .who = j->who };

	TRY(tracking_experiment(t, experiment, a, &s->experiment_id, e));
	start.experiment_id = s->experiment_id;
	start.run_id = id_hex(a, 16);
	TRY(train__open_run_add(j->train, start.run_id, e));
	TRY(tracking_run_start(t, &start, a, &s->parent_run_id, e));
	return tracking_run_log(t, s->parent_run_id, NULL, 0, params, ARRAY_LEN(params), NULL, 0, e);
}

static enum rc end_parent(struct search_job *j, enum rc rc, struct err *e)
{
	struct tracking *t = tracking_of(j->train->core);
	const struct search *s = j->search;
	const struct metric_point points[] = {
		{ s->metric, s->value, clock_ms(), 0 }, { STR("baseline"), s->baseline, clock_ms(), 0 },
	};
	const struct pair tags[] = { { STR("cairn.best_run"), s->best_run_id } };

	if (rc == RC_OK)
		TRY(tracking_run_log(t, s->parent_run_id, points, ARRAY_LEN(points), NULL, 0, tags, ARRAY_LEN(tags), e));
	TRY(tracking_run_end(t, s->parent_run_id, rc == RC_OK ? RUN_FINISHED : rc == RC_CANCELLED ? RUN_KILLED : RUN_FAILED, e));
	return train__open_run_end(j->train, s->parent_run_id, e);
}

/* What one would do without a model: the mean of the training rows, or its share of ones. */
static double baseline(const struct train_request *r, const struct training_matrix *m, struct arena *a)
{
	float *p = arena_alloc_n(a, m->n_valid, sizeof(float));

	for (size_t i = 0; i < m->n_valid; i++)
		p[i] = (float)m->y_mean;
	return train__metric(r->objective, m->y + m->n_train, p, m->n_valid);
}

static enum rc run_search(struct search_job *j, struct arena *a, struct err *e)
{
	size_t n = (size_t)j->request->trials;

	TRY(begin_parent(j, a, e));
	j->outcome = ARENA_ARRAY(a, struct trial_outcome, n);
	j->outcome_arena = a;
	j->pruner.rounds = (size_t)j->request->rounds;
	j->pruner.best = arena_alloc_n(a, n * j->pruner.rounds, sizeof(float));
	j->pruner.pace = arena_alloc_n(a, n, sizeof(double));
	pthread_mutex_init(&j->pruner.mtx, NULL);
	enum rc rc = run_trials(j, e);
	if (rc == RC_OK)
		rc = conclude(j, e);
	pthread_mutex_destroy(&j->pruner.mtx);
	struct err end_e = ERR_INIT;
	if (end_parent(j, rc, rc == RC_OK ? e : &end_e) != RC_OK && rc == RC_OK)
		rc = e->rc;
	return rc;
}

static enum rc search_run(void *module, struct task *task, const void *in, void *out, struct err *e)
{
	struct train *t = module;
	const struct train_request *r = in;
	struct arena *a = task_arena(task);
	struct training_set set = { 0 };
	struct search *s = out;
	struct training_matrix m;

	task_progress(task, 0, "reading the training set");
	TRY(xgb_available(e));
	TRY(features_training_set(features_of(t->core), a, r->training_set, &set, e));
	TRY(features_matrix(features_of(t->core), &set, a, &m, e));
	*s = (struct search){
		.id = id_new(a, "se"), .name = r->name, .training_set = set.id, .metric = str_of(train__metric_name(r->objective)),
		.output = set.label, .baseline = baseline(r, &m, a), .n_trials = r->trials, .n_train = (int64_t)m.n_train,
		.n_valid = (int64_t)m.n_valid, .created_ms = clock_ms(), .request = record_to_json(&train_request_record, r, 0, a),
	};
	struct search_job j = { .train = t, .request = r, .set = &set, .m = &m, .task = task, .who = task_principal(task), .search = s };
	TRY(run_search(&j, a, e));
	s->took_ms = clock_ms() - s->created_ms;
	TRY(train__search_save(t, s, j.who, e));
	task_progress(task, 1, "best %s %.4g, baseline %.4g", s->metric.at, s->value, s->baseline);
	return RC_OK;
}

static str search_title(const void *request, struct arena *a)
{
	const struct train_request *r = request;

	return arena_printf(a, "train " STR_FMT, STR_ARG(r->name));
}

static enum rc search_admit(void *module, const struct principal *who, const void *request, struct err *e)
{
	const struct train *t = module;
	const struct train_request *r = request;
	struct training_set set = { 0 };
	struct arena a;

	(void)who;
	arena_init(&a);
	enum rc rc = features_training_set(features_of(t->core), &a, r->training_set, &set, e);
	arena_deinit(&a);
	return rc == RC_OK ? rc : err_field(e, "training_set");
}

const struct task_def train_task = {
	.kind = "train.search", .doc = "Tries points of a space and keeps the best model", .request = &train_request_record,
	.result = &search_record, .title = search_title, .admit = search_admit, .run = search_run,
};
