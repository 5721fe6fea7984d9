/* tracking.c -- tables and life cycle of the tracking module. */
#include "modules/tracking/tracking.h"

#include <stdlib.h>

#include "core/module.h"
#include "modules/tracking/tracking_int.h"

/* A metric's points name their series by number: a point is five numbers in one tree, which on SQLite is the table itself.
 * Text is UTF-8; times are Unix ms. */
static const struct migration migrations[] = {
	{ 1,
	  "CREATE TABLE experiments (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, artifact_location TEXT NOT NULL,"
	  " deleted BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL);\n"
	  "CREATE TABLE experiment_tags (experiment BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	  " PRIMARY KEY (experiment, key)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE runs (id TEXT PRIMARY KEY, experiment BIGINT NOT NULL, name TEXT NOT NULL, user_id TEXT NOT NULL,"
	  " status TEXT NOT NULL, started BIGINT NOT NULL, ended BIGINT, artifact_uri TEXT NOT NULL, deleted BIGINT NOT NULL);\n"
	  "CREATE INDEX runs_newest ON runs (experiment, started DESC, id);\n"
	  "CREATE TABLE run_params (run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE run_tags (run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE run_metrics (run TEXT NOT NULL, key TEXT NOT NULL, series BIGINT NOT NULL, at BIGINT NOT NULL,"
	  " step BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL, PRIMARY KEY (run, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE UNIQUE INDEX run_metrics_series ON run_metrics (series);\n"
	  "CREATE TABLE metric_points (series BIGINT NOT NULL, at BIGINT NOT NULL, step BIGINT NOT NULL,"
	  " value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL, PRIMARY KEY (series, at, step, value, is_nan))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE input_datasets (id TEXT PRIMARY KEY, experiment BIGINT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,"
	  " source_type TEXT NOT NULL, source TEXT NOT NULL, schema_text TEXT NOT NULL, profile TEXT NOT NULL,"
	  " UNIQUE (experiment, name, digest));\n"
	  "CREATE TABLE run_inputs (run TEXT NOT NULL, dataset TEXT NOT NULL, context TEXT NOT NULL, tags TEXT NOT NULL,"
	  " PRIMARY KEY (run, dataset)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE run_models (run TEXT NOT NULL, made BIGINT NOT NULL, model TEXT NOT NULL, step BIGINT NOT NULL,"
	  " PRIMARY KEY (run, made, model, step)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE logged_models (id TEXT PRIMARY KEY, experiment BIGINT NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL,"
	  " updated BIGINT NOT NULL, artifact_uri TEXT NOT NULL, status BIGINT NOT NULL, model_type TEXT NOT NULL,"
	  " source_run TEXT NOT NULL, deleted BIGINT NOT NULL);\n"
	  "CREATE INDEX logged_models_newest ON logged_models (experiment, created DESC, id);\n"
	  "CREATE TABLE logged_model_params (model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE logged_model_tags (model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE logged_model_metrics (model TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL, step BIGINT NOT NULL,"
	  " run TEXT NOT NULL, value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL, dataset_name TEXT NOT NULL,"
	  " dataset_digest TEXT NOT NULL, PRIMARY KEY (model, key, at, step, run)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE artifacts (dir TEXT NOT NULL, name TEXT NOT NULL, is_dir BIGINT NOT NULL, blob TEXT NOT NULL,"
	  " size BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (dir, name)) /*sqlite: WITHOUT ROWID */" },
};

static const struct field tracking_config_fields[] = {
	FIELD(tracking_config, artifact_root, K_STR, 0, "Where new experiments keep artifacts; mlflow-artifacts:/ is cairn's own store",
	      .def = "mlflow-artifacts:/", .max = 2048),
};
static const struct record tracking_config_record =
	RECORD(tracking_config, tracking_config_fields, "Experiment tracking", .name = "tracking");

static enum rc tracking_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	static const struct metric_def points = { "cairn_tracking_metric_points_total", METRIC_COUNTER, "Metric points logged", { NULL } };
	static const struct metric_def bytes = { "cairn_tracking_artifact_bytes_total", METRIC_COUNTER, "Bytes of artifacts stored",
						 { NULL } };
	const struct tracking_config *cfg = config;
	struct tracking *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	*t = (struct tracking){ .magic = TRACKING_MAGIC, .core = c, .db = c->db, .blobs = c->blobs, .artifact_root = cfg->artifact_root };
	t->points = metric_series(metric_register(c->metrics, &points), NULL);
	t->artifact_bytes = metric_series(metric_register(c->metrics, &bytes), NULL);
	if (experiment_ensure_default(t, e) != RC_OK) {
		free(t);
		return e->rc;
	}
	*self_out = t;
	return RC_OK;
}

static void tracking_close(void **slot)
{
	struct tracking *t = *slot;

	*slot = NULL;
	OBJ_CHECK(t, TRACKING_MAGIC);
	free(t);
}

#define MLFLOW_API(at, table, n) \
	{ .name = "mlflow", .prefix = (at), .route = (table), .n_route = (n), .write_error = mlflow_write_error, \
	  .error_status = mlflow_error_status, .json_only = true }

static const struct api apis[] = {
	MLFLOW_API("/api/2.0/mlflow", experiment_routes, EXPERIMENT_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow", experiment_routes, EXPERIMENT_ROUTES),
	MLFLOW_API("/api/2.0/mlflow", run_routes, RUN_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow", run_routes, RUN_ROUTES),
	MLFLOW_API("/api/2.0/mlflow", logged_model_routes, LOGGED_MODEL_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow", logged_model_routes, LOGGED_MODEL_ROUTES),
	MLFLOW_API("/api/2.0/mlflow", artifact_routes, ARTIFACT_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow", artifact_routes, ARTIFACT_ROUTES),
	MLFLOW_API("/api/2.0/mlflow-artifacts", proxy_routes, PROXY_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow-artifacts", proxy_routes, PROXY_ROUTES),
	MLFLOW_API("", root_routes, ROOT_ROUTES),
};

const struct module tracking_module = {
	.name = "tracking",
	.doc = "Experiments, runs, params, metrics and artifacts, over MLflow's API",
	.config = &tracking_config_record,
	.migration = migrations,
	.n_migration = ARRAY_LEN(migrations),
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.check = tracking_checks,
	.n_check = TRACKING_CHECKS,
	.open = tracking_open,
	.close = tracking_close,
};
