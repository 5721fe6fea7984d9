/* tracking.c -- tables and life cycle of the tracking module. */
#include "modules/tracking/tracking.h"

#include <stdlib.h>

#include "core/module.h"
#include "modules/tracking/tracking_int.h"

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
	.migration = tracking_migrations,
	.n_migration = TRACKING_MIGRATIONS,
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.check = tracking_checks,
	.n_check = TRACKING_CHECKS,
	.open = tracking_open,
	.close = tracking_close,
};
