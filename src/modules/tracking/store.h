/* store.h -- tracking's SQL: rows in, rows out. Everything takes a transaction of db_read or db_write. */
#ifndef CAIRN_MODULES_TRACKING_STORE_H
#define CAIRN_MODULES_TRACKING_STORE_H

#include "io/sql.h"
#include "modules/tracking/tracking_int.h"

/* --- store.c: experiments and runs. All of store*.c takes a transaction. ------------------------- */
enum rc store_experiment_get(struct tx *tx, struct arena *a, int64_t id, enum view_type view, struct experiment *out, struct err *e) MUST_USE;
enum rc store_experiment_by_name(struct tx *tx, struct arena *a, str name, struct experiment *out, bool *found, struct err *e) MUST_USE;
enum rc store_experiment_add(struct tx *tx, struct arena *a, struct experiment *x, str artifact_root, struct err *e) MUST_USE;
enum rc store_experiment_stage(struct tx *tx, int64_t id, bool deleted, int64_t now, struct err *e) MUST_USE;
enum rc store_experiment_rename(struct tx *tx, int64_t id, str name, int64_t now, struct err *e) MUST_USE;
enum rc store_experiment_tag_set(struct tx *tx, int64_t id, const struct pair *tag, struct err *e) MUST_USE;
enum rc store_experiment_tag_delete(struct tx *tx, int64_t id, str key, struct err *e) MUST_USE;
enum rc store_run_add(struct tx *tx, const struct run_info *r, struct err *e) MUST_USE;
enum rc store_run_info(struct tx *tx, struct arena *a, str run_id, struct run_info *out, struct err *e) MUST_USE;
/* As store_run_info, but a deleted run is RC_INVALID: for writes. */
enum rc store_run_active(struct tx *tx, struct arena *a, str run_id, struct run_info *out, struct err *e) MUST_USE;
enum rc store_run_update(struct tx *tx, const struct run_info *r, struct err *e) MUST_USE;
enum rc store_run_stage(struct tx *tx, str run_id, bool deleted, struct err *e) MUST_USE;
enum rc store_run_tag_delete(struct tx *tx, str run_id, str key, struct err *e) MUST_USE;
void scan_experiment(struct arena *a, const struct val *row, struct experiment *x);
void scan_run_info(struct arena *a, const struct val *row, struct run_info *r);
#define EXPERIMENT_COLUMNS "x.id, x.name, x.artifact_location, x.deleted, x.created, x.updated"
#define RUN_COLUMNS "r.id, r.name, r.experiment, r.user_id, r.status, r.started, r.ended, r.artifact_uri, r.deleted"

/* --- store_log.c: metrics, params, tags of runs -------------------------------------------------- */
struct log_batch {
	str run_id;
	const struct metric *metric;
	size_t n_metric;
	const struct pair *param;
	size_t n_param;
	const struct pair *tag;
	size_t n_tag;
};
enum rc store_log(struct tracking *t, struct tx *tx, struct arena *a, const struct log_batch *b, struct err *e) MUST_USE;
struct history_read { str run_id, key; int64_t limit, offset; /* limit 0: all */ };
enum rc store_history(struct tx *tx, struct arena *a, const struct history_read *h, struct list *out, struct err *e) MUST_USE;
struct sample_read { str run_id, key; bool bounded; int64_t from_step, to_step, max; };
/* At most `max` points evenly over the rows, the first and the last among them, appended in order of step. */
enum rc store_history_sample(struct tx *tx, struct arena *a, const struct sample_read *s, struct list *out, struct err *e) MUST_USE;
/* Fills tags, params, latest metrics, inputs and outputs of runs whose info is there. */
enum rc store_runs_fill(struct tx *tx, struct arena *a, struct run *const *run, size_t n, bool model_inputs, struct err *e) MUST_USE;

/* --- store_search.c ------------------------------------------------------------------------------- */
struct search {
	const int64_t *experiment;
	size_t n_experiment;
	str filter;
	struct list order_by;           /* of str */
	enum view_type view;
	int64_t limit, offset;          /* one row more than limit is looked for */
};
struct found { struct list rows; bool more; };
enum rc store_runs_search(struct tx *tx, struct arena *a, const struct search *s, struct found *out, struct err *e) MUST_USE;
enum rc store_experiments_search(struct tx *tx, struct arena *a, const struct search *s, struct found *out, struct err *e) MUST_USE;
struct logged_order { str field_name; bool ascending; str dataset_name, dataset_digest; };
struct logged_dataset { str dataset_name, dataset_digest; };
struct logged_search { struct search base; struct list datasets, order; };
enum rc store_logged_search(struct tx *tx, struct arena *a, const struct logged_search *s, struct found *out, struct err *e) MUST_USE;

/* --- store_inputs.c, store_models.c ------------------------------------------------------------------ */
enum rc store_inputs_add(struct tx *tx, struct arena *a, const struct run_info *r, const struct list *datasets, const struct list *models,
			 struct err *e) MUST_USE;
enum rc store_outputs_add(struct tx *tx, str run_id, const struct list *models, struct err *e) MUST_USE;
struct dataset_summary { str experiment_id, name, digest, context; };
enum rc store_datasets_search(struct tx *tx, struct arena *a, const int64_t *experiment, size_t n, struct list *out, struct err *e) MUST_USE;
enum rc store_logged_add(struct tx *tx, const struct logged_model *m, struct err *e) MUST_USE;
enum rc store_logged_get(struct tx *tx, struct arena *a, str id, bool deleted_too, struct logged_model *out, struct err *e) MUST_USE;
enum rc store_logged_fill(struct tx *tx, struct arena *a, struct logged_model *m, struct err *e) MUST_USE;
enum rc store_logged_status(struct tx *tx, str id, int32_t status, bool deleted, int64_t now, struct err *e) MUST_USE;
enum rc store_logged_pairs(struct tx *tx, str id, const struct list *pairs, bool tags, struct err *e) MUST_USE;
enum rc store_logged_tag_delete(struct tx *tx, str id, str key, struct err *e) MUST_USE;
void scan_logged(struct arena *a, const struct val *row, struct logged_model *m);
#define LOGGED_COLUMNS "l.id, l.experiment, l.name, l.created, l.updated, l.artifact_uri, l.status, l.model_type, l.source_run"

/* --- store_artifacts.c --------------------------------------------------------------------- */
struct artifact_entry { str name; bool is_dir; str blob; int64_t size; };
enum rc store_artifact_put(struct tx *tx, str path, str blob, int64_t size, int64_t now, struct err *e) MUST_USE;
enum rc store_artifact_find(struct tx *tx, struct arena *a, str path, struct artifact_entry *out, bool *found, struct err *e) MUST_USE;
enum rc store_artifact_list(struct tx *tx, struct arena *a, str dir, struct list *out, struct err *e) MUST_USE;
enum rc store_artifact_tree(struct tx *tx, struct arena *a, str dir, struct list *out, struct err *e) MUST_USE;
enum rc store_artifact_delete(struct tx *tx, struct arena *a, str path, struct err *e) MUST_USE;

/* --- store_checks.c: what the checks look at ---------------------------------------------------------------- */
enum look {
	LOOK_EXPERIMENT,                /* any one: id */
	LOOK_METRIC_COUNT,
	LOOK_STALE_LATEST,              /* of the 1000 newest series, those whose latest point is not the greatest: run, key */
	LOOK_NEWEST_ARTIFACTS,          /* dir, name, blob, size */
	LOOK_RUNS_ADRIFT,               /* runs without their experiment */
	LOOK_METRICS_ADRIFT,            /* metrics without their run */
	LOOKS,
};
enum rc tracking__look(struct tx *tx, struct arena *a, enum look what, struct rows *out, struct err *e) MUST_USE;

#endif
