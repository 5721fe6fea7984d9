/* train_int.h -- what the rooms of train share.
 *
 * records.c: what is asked and answered; store.c: rows; space.c: where the search
 * looks; trial.c: one fit, logged as a run; package.c: the model's files; search.c: many trials and the best of them.
 */
#ifndef CAIRN_MODULES_TRAIN_INT_H
#define CAIRN_MODULES_TRAIN_INT_H

#include <pthread.h>

#include "base/id.h"
#include "core/live_check.h"
#include "core/route.h"
#include "core/task.h"
#include "io/xgboost.h"
#include "modules/features/features.h"
#include "modules/train/train.h"

#define TRAIN_DIMS_MAX 16
#define TRAIN_PARAMS_MAX 48
#define TRAIN_ROUNDS_MAX 5000

struct train { struct core *core; };

/* --- records --------------------------------------------------------------------------------- */
enum objective { OBJECTIVE_SQUARED, OBJECTIVE_ABSOLUTE, OBJECTIVE_LOGISTIC };
enum scale { SCALE_LINEAR, SCALE_LOG };

struct dimension {
	str param;
	double min, max;
	int32_t scale;
	bool whole;             /* whole numbers only */
	struct list choices;    /* of str: instead of min and max */
};
struct train_request {
	str name, experiment, training_set;
	int32_t trainer, objective;
	int64_t trials, parallel, rounds, early_stopping, seed;
	bool prune;
	struct list space;      /* of struct dimension */
	struct list fixed;      /* of struct pair */
};
enum trial_state { TRIAL_FINISHED, TRIAL_PRUNED, TRIAL_FAILED };
struct trial_outcome {
	int64_t number;
	str run_id;
	int32_t state;
	double value;           /* of the search's metric on the held-out rows; NaN when it failed */
	int64_t rounds;
	struct list params;     /* of struct pair: what the search chose */
};
struct search {
	str id, name, experiment_id, parent_run_id, training_set, best_run_id, metric, output, request;
	double value, baseline; /* baseline: predicting the training rows' mean */
	int64_t n_trials, n_finished, n_pruned, n_failed, n_train, n_valid, took_ms, created_ms;
	struct list trials;     /* of struct trial_outcome */
};
extern const struct record train_request_record, search_record;
extern const char *const objective_names[];

/* --- store ------------------------------------------------------------------------------------- */
extern const struct migration train_migrations[];
extern const size_t n_train_migrations;
enum rc train__search_save(struct train *t, const struct search *s, const struct principal *who, struct err *e) MUST_USE;
enum rc train__search_list(struct train *t, struct arena *a, int64_t limit, struct list *out, struct err *e) MUST_USE;
enum rc train__search_get(struct train *t, struct arena *a, str id, struct search *out, struct err *e) MUST_USE;
/* Runs that are being made, noted before they are: ended as failed by the next start if this cairn does not end them. */
enum rc train__open_run_add(struct train *t, str run_id, struct err *e) MUST_USE;
enum rc train__open_run_end(struct train *t, str run_id, struct err *e) MUST_USE;
enum rc train__open_runs(struct train *t, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc train__link(struct train *t, str training_set, str training_set_name, str run_id, str run_name, struct err *e) MUST_USE;

/* --- the space -------------------------------------------------------------------------------------- */
enum rc train__space_check(const struct train_request *r, struct err *e) MUST_USE;
/* The trial's point as parameter texts. Halton's sequence, shifted by the seed: trial i is the same for the same seed. */
void train__space_point(const struct train_request *r, size_t trial, struct arena *a, struct list *out /* of struct pair */);

/* --- trials ------------------------------------------------------------------------------------------- */
struct pruner {                 /* the median rule; shared by the search's threads */
	pthread_mutex_t mtx;
	size_t n_curves, rounds;
	float *best;            /* n_trials x rounds: the best value so far at each round of the trials that ended */
	double *pace;           /* n_trials: their learning rates */
};
struct search_job {
	struct train *train;
	const struct train_request *request;
	const struct training_set *set;
	const struct training_matrix *m;
	struct task *task;      /* NULL in tests */
	const struct principal *who;
	struct search *search;
	struct pruner pruner;
	_Atomic size_t next, n_done;
	struct trial_outcome *outcome;  /* one per trial; each written by the thread that ran it */
	struct arena *outcome_arena;    /* under pruner.mtx */
};
/* One trial from run start to run end; what fails is the trial, not the search, unless it says otherwise. */
enum rc train__trial(struct search_job *j, size_t number, struct err *e) MUST_USE;
double train__metric(int32_t objective, const float *y, const float *p, size_t n);   /* rmse, mae or log loss */
const char *train__metric_name(int32_t objective);

/* --- the model's files ---------------------------------------------------------------------------------- */
/* MLmodel, cairn.json, model.ubj and reference.json below "model/". */
enum rc train__package(const struct search_job *j, str run_id, struct booster *b, struct arena *a, struct err *e) MUST_USE;

/* --- search ----------------------------------------------------------------------------------------------- */
extern const struct task_def train_task;

/* --- checks ------------------------------------------------------------------------------------------------- */
enum rc train__check_best(void *module, struct live_check *k, struct err *e) MUST_USE;
enum rc train__check_lineage(void *module, struct live_check *k, struct err *e) MUST_USE;
enum rc train__check_baseline(void *module, struct live_check *k, struct err *e) MUST_USE;

#endif
