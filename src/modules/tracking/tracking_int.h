/* tracking_int.h -- what the rooms of tracking share: its structs as they stand on the wire, and verbs below the handlers. */
#ifndef CAIRN_MODULES_TRACKING_INT_H
#define CAIRN_MODULES_TRACKING_INT_H

#include "base/filter.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "io/sql.h"
#include "modules/tracking/tracking.h"

#define TRACKING_MAGIC 0x7ac1e5u
#define RUN_NAME_TAG "mlflow.runName"

struct tracking_config { str artifact_root; };
struct tracking {
	unsigned magic;
	const struct core *core;
	struct db *db;
	struct blobs *blobs;
	str artifact_root;              /* of new experiments: "mlflow-artifacts:/" */
	struct series *points, *artifact_bytes;
	int64_t last_series;            /* the committer thread only */
};

/* --- entities, as on the wire ---------------------------------------------------------------- */

struct experiment {
	str experiment_id, name, artifact_location, lifecycle_stage;
	int64_t updated_ms, created_ms;
	struct list tags;               /* struct pair */
};
struct metric {
	str key;
	double value;
	int64_t time_ms, step;
	str model_id, dataset_name, dataset_digest, run_id;
};
struct run_info {
	str run_id, run_uuid, run_name, experiment_id, user_id, status;
	int64_t start_ms, end_ms;
	str artifact_uri, lifecycle_stage;
};
struct run_data { struct list metrics, params, tags; };
struct dataset_entity { str name, digest, source_type, source, schema, profile; };
struct dataset_input { struct list tags; struct dataset_entity dataset; };
struct model_input_ref { str model_id; };
struct model_output_ref { str model_id; int64_t step; };
struct run_inputs { struct list dataset_inputs, model_inputs; };
struct run_outputs { struct list model_outputs; };
struct run {
	struct run_info info;
	struct run_data data;
	struct run_inputs inputs;
	struct run_outputs outputs;
};
struct logged_info {
	str model_id, experiment_id, name;
	int64_t created_ms, updated_ms;
	str artifact_uri;
	int32_t status;
	str model_type, source_run_id;
	struct list tags;
};
struct logged_data { struct list params, metrics; };
struct logged_model { struct logged_info info; struct logged_data data; };
struct file_info { str path; bool is_dir; int64_t file_size; };

extern const struct record experiment_record, metric_record, run_info_record, run_record, dataset_input_record, model_input_ref_record,
	model_output_ref_record, logged_model_record, file_info_record;
extern const char *const view_type_names[], *const run_status_names[], *const logged_status_names[];
enum view_type { VIEW_UNSET, VIEW_ACTIVE, VIEW_DELETED, VIEW_ALL };
enum logged_status { LOGGED_UNSPECIFIED, LOGGED_PENDING, LOGGED_READY, LOGGED_FAILED };

/* --- rules.c ------------------------------------------------------------------------------------ */
#define LIMIT_KEY 250
#define LIMIT_PARAM_VALUE 6000
#define LIMIT_RUN_TAG_VALUE 8000
enum rc rule_experiment_id(str id, int64_t *out, struct err *e) MUST_USE;
enum rc rule_experiment_ids(const struct list *ids, struct arena *a, int64_t **out, struct err *e) MUST_USE;
enum rc rule_experiment_name(str name, struct err *e) MUST_USE;
enum rc rule_experiment_tag(const struct pair *tag, struct err *e) MUST_USE;
enum rc rule_run_id(str id, struct err *e) MUST_USE;
/* Checks and truncates in place. */
enum rc rule_metrics(struct metric *m, size_t n, struct err *e) MUST_USE;
enum rc rule_params(struct pair *p, size_t n, struct err *e) MUST_USE;
enum rc rule_tags(struct pair *p, size_t n, struct err *e) MUST_USE;
enum rc rule_status(str status, struct err *e) MUST_USE;

/* --- artifacts.c ------------------------------------------------------------------------------------------ */
/* "mlflow-artifacts:/0/x" or "mlflow-artifacts://host/0/x" to "0/x". RC_INVALID: another scheme. */
enum rc artifact_root_path(struct arena *a, str uri, str *out, struct err *e) MUST_USE;
str artifact_join(struct arena *a, str dir, str name);
enum rc artifact_put(struct tracking *t, str path, str blob, uint64_t size, struct err *e) MUST_USE;     /* path: whole and safe */
enum rc artifact_delete(struct tracking *t, struct arena *a, str path, struct err *e) MUST_USE;
enum rc artifact_get(struct tracking *t, struct arena *a, str root_uri, str path, struct artifact *out, struct err *e) MUST_USE;
/* Entries below the URI's folder at path, as file_info with paths relative to the URI. */
enum rc artifact_list(struct tracking *t, struct arena *a, str root_uri, str path, struct list *out, struct err *e) MUST_USE;

/* --- experiments.c ------------------------------------------------------------------------------------------ */
enum rc experiment_ensure_default(struct tracking *t, struct err *e) MUST_USE;
struct experiment_create { str name, artifact_location; struct list tags; };
enum rc experiment_create(struct tracking *t, struct arena *a, const struct experiment_create *x, const struct principal *who,
			  str *id_out, struct err *e) MUST_USE;
enum rc experiment_get(struct tracking *t, struct arena *a, str id, struct experiment *out, struct err *e) MUST_USE;
enum rc experiment_by_name(struct tracking *t, struct arena *a, str name, struct experiment *out, struct err *e) MUST_USE;
enum rc experiment_stage(struct tracking *t, struct arena *a, str id, bool deleted, const struct principal *who, struct err *e) MUST_USE;
enum rc experiment_rename(struct tracking *t, struct arena *a, str id, str name, const struct principal *who, struct err *e) MUST_USE;
/* value.at == NULL: the tag goes. */
enum rc experiment_tag(struct tracking *t, struct arena *a, str id, const struct pair *tag, struct err *e) MUST_USE;

/* --- runs.c --------------------------------------------------------------------------------------------------- */
struct run_create { str experiment_id, user_id, run_name; int64_t start_ms; struct list tags; str run_id /* or empty: a new one */; };
struct log_batch;
enum rc run_create(struct tracking *t, struct arena *a, const struct run_create *r, const struct principal *who, struct run *out,
		   struct err *e) MUST_USE;
enum rc run_get(struct tracking *t, struct arena *a, str run_id, struct run *out, struct err *e) MUST_USE;
/* Empty or zero fields stay as they are. */
struct run_change { str run_id, status, run_name; int64_t end_ms; };
enum rc run_update(struct tracking *t, struct arena *a, const struct run_change *c, struct run_info *out, struct err *e) MUST_USE;
enum rc run_stage(struct tracking *t, struct arena *a, str run_id, bool deleted, const struct principal *who, struct err *e) MUST_USE;
enum rc run_log(struct tracking *t, struct arena *a, const struct log_batch *b, struct err *e) MUST_USE;
enum rc run_tag_delete(struct tracking *t, struct arena *a, str run_id, str key, struct err *e) MUST_USE;
enum rc run_inputs_add(struct tracking *t, struct arena *a, str run_id, const struct list *datasets, const struct list *models,
		       struct err *e) MUST_USE;
enum rc run_outputs_add(struct tracking *t, struct arena *a, str run_id, const struct list *models, struct err *e) MUST_USE;

/* --- tables of routes and checks ----------------------------------------------------------------------------- */
enum { EXPERIMENT_ROUTES = 10, RUN_ROUTES = 18, LOGGED_MODEL_ROUTES = 10, ARTIFACT_ROUTES = 2, PROXY_ROUTES = 5, ROOT_ROUTES = 4,
       TRACKING_CHECKS = 3, TRACKING_MIGRATIONS = 1 };
extern const struct migration tracking_migrations[TRACKING_MIGRATIONS];
extern const struct route experiment_routes[EXPERIMENT_ROUTES], run_routes[RUN_ROUTES], logged_model_routes[LOGGED_MODEL_ROUTES],
	artifact_routes[ARTIFACT_ROUTES], proxy_routes[PROXY_ROUTES], root_routes[ROOT_ROUTES];
extern const struct check_def tracking_checks[TRACKING_CHECKS];

#endif
