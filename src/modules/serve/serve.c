/* serve.c -- serve as a module: its table and its life. */
#include <stdlib.h>

#include "core/module.h"
#include "modules/serve/serve_int.h"

/* --- tasks --------------------------------------------------------------------------------------- */

static str convert_title(const void *request, struct arena *a)
{
	const struct convert_request *r = request;

	return arena_printf(a, "convert " STR_FMT " to %s", STR_ARG(r->model), convert_to_names[r->to]);
}

static enum rc convert_admit(void *module, const struct principal *who, const void *request, struct err *e)
{
	const struct serve *s = module;
	const struct convert_request *r = request;
	struct model_version v;
	struct arena a;

	(void)who;
	arena_init(&a);
	enum rc rc = registry_resolve(registry_of(s->core), &a, r->model, &v, e);
	arena_deinit(&a);
	return rc == RC_OK ? rc : err_field(e, "model");
}

static enum rc convert_run(void *module, struct task *t, const void *in, void *out, struct err *e)
{
	return serve__convert(module, in, task_principal(t), t, task_arena(t), out, e);
}

const struct task_def serve_tasks[] = {
	{ "serve.convert", "Converts a model for another runtime", &convert_request_record, &convert_result_record, convert_title, convert_admit,
	  convert_run },
};
_Static_assert(ARRAY_LEN(serve_tasks) == SERVE_TASKS, "serve_int.h says how many");

/* --- the module ------------------------------------------------------------------------------------ */

const struct runtime_ops *serve__runtime(const struct serve *s, str name)
{
	for (size_t i = 0; i < s->n_runtime; i++)
		if (str_eq(name, str_of(s->runtime[i]->name)))
			return s->runtime[i];
	return NULL;
}

static double count_loaded(void *ctx)
{
	struct serve *s = ctx;

	pthread_mutex_lock(&s->mtx);
	size_t n = s->n_loaded;
	pthread_mutex_unlock(&s->mtx);
	return (double)n;
}

static void register_metrics(struct serve *s)
{
	static const struct metric_def load = { "cairn_model_load_seconds", METRIC_HISTOGRAM, "Fetching, verifying, loading and warming up a model",
						{ "model", "version", "runtime" } };
	static const struct metric_def infer = { "cairn_inference_seconds", METRIC_HISTOGRAM, "Time in the model's runtime",
						 { "model", "version", "runtime" } };
	static const struct metric_def errors = { "cairn_inference_errors_total", METRIC_COUNTER, "Inferences that failed in the runtime",
						  { "model", "version", "runtime" } };
	static const struct metric_def loaded = { "cairn_models_loaded", METRIC_GAUGE, "Models in memory", { NULL } };

	s->load_seconds = metric_register(s->core->metrics, &load);
	s->infer_seconds = metric_register(s->core->metrics, &infer);
	s->infer_errors = metric_register(s->core->metrics, &errors);
	metric_callback(metric_register(s->core->metrics, &loaded), count_loaded, s);
}

static enum rc serve_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	static const struct runtime_ops *const runtimes[] = { &xgboost_runtime, &onnx_runtime };
	struct serve *s = calloc(1, sizeof(*s));

	(void)e;
	CHECK(s != NULL);
	s->magic = SERVE_MAGIC;
	s->core = c;
	s->config = *(const struct serve_config *)config;
	s->runtime = runtimes;
	s->n_runtime = ARRAY_LEN(runtimes);
	s->package_open = serve__package_open;
	pthread_mutex_init(&s->mtx, NULL);
	pthread_cond_init(&s->changed, NULL);
	register_metrics(s);
	*self_out = s;
	return RC_OK;
}

static void serve_close(void **slot)
{
	struct serve *s = *slot;

	*slot = NULL;
	OBJ_CHECK(s, SERVE_MAGIC);
	CHECK(s->first == NULL);        /* whoever holds a model stands behind serve, so is closed before it */
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->mtx);
	s->magic = 0;
	free(s);
}

static const char *const needs[] = { "tracking", "registry", NULL };
static const struct api apis[] = {
	{ .name = "cairn", .prefix = API_CAIRN, .route = serve_routes, .n_route = SERVE_ROUTES },
};

const struct module serve_module = {
	.name = "serve",
	.doc = "Model runtimes and loaded models",
	.needs = needs,
	.config = &serve_config_record,
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.task = serve_tasks,
	.n_task = SERVE_TASKS,
	.check = serve_checks,
	.n_check = SERVE_CHECKS,
	.open = serve_open,
	.close = serve_close,
};
