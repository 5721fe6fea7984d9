/* gateway.c -- the gateway as a module: its tables, and its life. */
#include "modules/gateway/plan.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/module.h"

static const struct metric_def answered_def = { "cairn_predict_requests_total", METRIC_COUNTER, "Requests answered with predictions", { "endpoint" } };
static const struct metric_def failed_def = { "cairn_predict_failures_total", METRIC_COUNTER, "Requests answered with an error", { "endpoint" } };
static const struct metric_def latency_def = { "cairn_predict_seconds", METRIC_HISTOGRAM, "Time from a request's headers to its answer",
					       { "endpoint" } };

static enum rc gateway_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	struct gateway *g = calloc(1, sizeof(*g));

	(void)config;
	(void)e;
	CHECK(g != NULL);
	g->magic = GATEWAY_MAGIC;
	g->core = c;
	g->answered = metric_register(c->metrics, &answered_def);
	g->failed = metric_register(c->metrics, &failed_def);
	g->latency = metric_register(c->metrics, &latency_def);
	pthread_mutex_init(&g->apply_mtx, NULL);
	pthread_mutex_init(&g->mtx, NULL);
	map_init(&g->table, NULL);
	arena_init(&g->arena);
	*self_out = g;
	return RC_OK;
}

/* An endpoint that cannot be served does not keep the others from it. */
static enum rc gateway_start(void *self, struct err *e)
{
	return gateway__follow(self, e);
}

static void gateway_close(void **slot)
{
	struct gateway *g = *slot;

	*slot = NULL;
	OBJ_CHECK(g, GATEWAY_MAGIC);
	for (size_t i = 0; i < g->table.n; i++) {
		struct entry *x = g->table.entry[i].value;
		if (x != NULL)
			gateway__plan_release(&x->plan);
	}
	map_deinit(&g->table);
	arena_deinit(&g->arena);
	pthread_mutex_destroy(&g->apply_mtx);
	pthread_mutex_destroy(&g->mtx);
	g->magic = 0;
	free(g);
}

static const struct timer_def timers[] = {
	{ "gateway.follow", 2000, false, gateway__follow_timer },
};
static const char *const needs[] = { "access", "registry", "features", "serve", "observe", NULL };
static const struct record *const stored[] = { &endpoint_record };
static const struct api apis[] = {
	{ .name = "cairn", .prefix = API_CAIRN, .route = gateway_routes, .n_route = GATEWAY_ROUTES },
	{ .name = "oip", .prefix = "", .route = oip_routes, .n_route = OIP_ROUTES, .write_error = gateway__oip_error },
};

const struct module gateway_module = {
	.name = "gateway",
	.doc = "Endpoints and the Open Inference Protocol",
	.needs = needs,
	.migration = gateway_migrations,
	.n_migration = GATEWAY_MIGRATIONS,
	.stored = stored,
	.n_stored = ARRAY_LEN(stored),
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.timer = timers,
	.n_timer = ARRAY_LEN(timers),
	.check = gateway_checks,
	.n_check = GATEWAY_CHECKS,
	.open = gateway_open,
	.start = gateway_start,
	.close = gateway_close,
};
