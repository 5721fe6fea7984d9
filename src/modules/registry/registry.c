/* registry.c -- tables and life cycle of the registry module. */
#include "modules/registry/registry.h"

#include <stdlib.h>

#include "core/module.h"
#include "modules/registry/registry_int.h"

static enum rc registry_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	struct registry *r = calloc(1, sizeof(*r));

	(void)config;
	(void)e;
	CHECK(r != NULL);
	*r = (struct registry){ .magic = REGISTRY_MAGIC, .core = c, .db = c->db, .blobs = c->blobs, .tracking = tracking_of(c) };
	*self_out = r;
	return RC_OK;
}

static void registry_close(void **slot)
{
	struct registry *r = *slot;

	*slot = NULL;
	OBJ_CHECK(r, REGISTRY_MAGIC);
	free(r);
}

#define MLFLOW_API(at, table, n) \
	{ .name = "mlflow", .prefix = (at), .route = (table), .n_route = (n), .write_error = mlflow_write_error, \
	  .error_status = mlflow_error_status, .json_only = true }

static const struct api apis[] = {
	MLFLOW_API("/api/2.0/mlflow", model_routes, MODEL_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow", model_routes, MODEL_ROUTES),
	MLFLOW_API("/api/2.0/mlflow", version_routes, VERSION_ROUTES),
	MLFLOW_API("/ajax-api/2.0/mlflow", version_routes, VERSION_ROUTES),
	MLFLOW_API("", registry_root_routes, 1),
};

static const char *const needs[] = { "tracking", NULL };

const struct module registry_module = {
	.name = "registry",
	.doc = "Registered models, their versions and aliases, over MLflow's API",
	.needs = needs,
	.migration = registry_migrations,
	.n_migration = REGISTRY_MIGRATIONS,
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.check = registry_checks,
	.n_check = REGISTRY_CHECKS,
	.open = registry_open,
	.close = registry_close,
};
