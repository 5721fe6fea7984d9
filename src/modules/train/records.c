/* records.c -- what a search is asked for and what it found. */
#include "modules/train/train_int.h"

static const char *const trainer_names[] = { "xgboost", NULL };
static const char *const scale_names[] = { "linear", "log", NULL };
static const char *const trial_state_names[] = { "finished", "pruned", "failed", NULL };
const char *const objective_names[] = { "squared_error", "absolute_error", "logistic", NULL };

static const struct field dimension_fields[] = {
	FIELD(dimension, param, K_STR, F_REQUIRED, "Parameter of the trainer: max_depth, eta, subsample, …", .max = 64, .format = "name"),
	FIELD(dimension, min, K_F64, 0, "Least value"),
	FIELD(dimension, max, K_F64, 0, "Greatest value"),
	FIELD(dimension, scale, K_ENUM, 0, "How values are spread between them", .names = scale_names, .def = "linear"),
	FIELD(dimension, whole, K_BOOL, 0, "Whole numbers only"),
	FIELD(dimension, choices, K_STRS, 0, "The values to choose from, instead of min and max", .max = 100),
};
static const struct record dimension_record = RECORD(dimension, dimension_fields, "A parameter that the search varies");

static enum rc request_validate(const void *obj, struct err *e)
{
	return train__space_check(obj, e);
}

static const struct field train_request_fields[] = {
	FIELD(train_request, name, K_STR, F_REQUIRED, "Name of the search, and of the model to come", .max = 128, .format = "name"),
	FIELD(train_request, experiment, K_STR, 0, "Experiment that holds the runs; the name when left out", .max = 256),
	FIELD(train_request, training_set, K_STR, F_REQUIRED, "Training set: its name, or the id of one", .max = 128),
	FIELD(train_request, trainer, K_ENUM, 0, "What trains", .names = trainer_names, .def = "xgboost"),
	FIELD(train_request, objective, K_ENUM, 0, "What is made small", .names = objective_names, .def = "squared_error"),
	FIELD(train_request, trials, K_I64, 0, "How many points of the space are tried", .min = 1, .max = 1000, .def = "20"),
	FIELD(train_request, parallel, K_I64, 0, "Trials at once; 0: one per core, at most 8", .min = 0, .max = 64),
	FIELD(train_request, rounds, K_I64, 0, "Trees of a trial at most", .min = 1, .max = TRAIN_ROUNDS_MAX, .def = "300"),
	FIELD(train_request, early_stopping, K_I64, 0, "A trial ends after so many rounds without a better value; 0: never", .min = 0,
	      .max = TRAIN_ROUNDS_MAX, .def = "20"),
	FIELD(train_request, prune, K_BOOL, 0, "Give up trials that stay behind the median of the others", .def = "true"),
	FIELD(train_request, seed, K_I64, 0, "The same seed tries the same points", .min = 0, .max = 9e15, .def = "1"),
	FIELD(train_request, space, K_RECORDS, 0, "What the search varies", .sub = &dimension_record, .max = TRAIN_DIMS_MAX),
	FIELD(train_request, fixed, K_PAIRS, 0, "Parameters that stay as they are", .max = TRAIN_DIMS_MAX),
};
const struct record train_request_record =
	RECORD(train_request, train_request_fields, "A hyperparameter search", .name = "train", .validate = request_validate);

static const struct field trial_outcome_fields[] = {
	FIELD(trial_outcome, number, K_I64, 0, "Number of the trial, from 1"),
	FIELD(trial_outcome, run_id, K_STR, 0, "Its run"),
	FIELD(trial_outcome, state, K_ENUM, 0, "How it ended", .names = trial_state_names),
	FIELD(trial_outcome, value, K_F64, 0, "The metric on the held-out rows"),
	FIELD(trial_outcome, rounds, K_I64, 0, "Trees kept"),
	FIELD(trial_outcome, params, K_PAIRS, 0, "What the search chose"),
};
static const struct record trial_outcome_record = RECORD(trial_outcome, trial_outcome_fields, "One fit of a search", .name = "trial");

static const struct field search_fields[] = {
	FIELD(search, id, K_STR, F_STORED | F_KEY, "Id of the search"),
	FIELD(search, name, K_STR, F_STORED, "Its name"),
	FIELD(search, experiment_id, K_STR, F_STORED | F_HIDE, "Experiment that holds its runs"),
	FIELD(search, parent_run_id, K_STR, F_STORED | F_HIDE, "Run that the trials are children of"),
	FIELD(search, training_set, K_STR, F_STORED | F_HIDE, "Id of the training set"),
	FIELD(search, best_run_id, K_STR, F_STORED, "Run of the best trial"),
	FIELD(search, metric, K_STR, F_STORED, "What was compared"),
	FIELD(search, value, K_F64, F_STORED, "The best trial's on the held-out rows"),
	FIELD(search, baseline, K_F64, F_STORED, "The same for always predicting the training rows' mean"),
	FIELD(search, output, K_STR, F_STORED | F_HIDE, "What is predicted"),
	FIELD(search, n_trials, K_I64, F_STORED, "Trials asked for"),
	FIELD(search, n_finished, K_I64, F_STORED | F_HIDE, "Trials that ran to their end"),
	FIELD(search, n_pruned, K_I64, F_STORED | F_HIDE, "Trials given up early"),
	FIELD(search, n_failed, K_I64, F_STORED | F_HIDE, "Trials that failed"),
	FIELD(search, n_train, K_I64, F_STORED | F_HIDE, "Rows trained on"),
	FIELD(search, n_valid, K_I64, F_STORED | F_HIDE, "Rows held out"),
	FIELD(search, took_ms, K_MS, F_STORED, "How long it took", .name = "took"),
	FIELD(search, created_ms, K_TIME, F_STORED, "When it began", .name = "created_at"),
	FIELD(search, request, K_JSON, F_STORED | F_HIDE, "What was asked for"),
	FIELD(search, trials, K_RECORDS, F_STORED | F_HIDE, "The trials", .sub = &trial_outcome_record),
};
const struct record search_record = RECORD(search, search_fields, "A finished search", .table = "train_searches");
