/* api_serve.c -- runtimes, loaded models and conversion over HTTP. */
#include "modules/serve/serve_int.h"

static enum rc get_runtimes(struct call *c, const void *in, void *out, struct err *e)
{
	struct serve *s = c->module;
	struct runtime_listing *l = out;
	struct served_list loaded;
	struct runtime_info *info = ARENA_ARRAY(c->arena, struct runtime_info, s->n_runtime);

	(void)in, (void)e;
	serve__list(s, c->arena, &loaded);
	for (size_t i = 0; i < s->n_runtime; i++) {
		const struct runtime_ops *ops = s->runtime[i];
		struct err why = ERR_INIT;
		info[i] = (struct runtime_info){ .name = str_of(ops->name), .platform = str_of(ops->platform), .library = str_of(ops->library) };
		info[i].least = arena_printf(c->arena, "%d.%d", ops->least[0], ops->least[1]);
		info[i].available = ops->version(c->arena, &info[i].version, &why) == RC_OK;
		if (!info[i].available)
			info[i].reason = arena_dup(c->arena, str_of(why.msg));
		for (size_t k = 0; k < loaded.n; k++)
			info[i].n_loaded += loaded.at[k]->loaded->ops == ops;
	}
	serve__list_release(&loaded);
	l->runtimes = (struct list){ info, s->n_runtime };
	return RC_OK;
}

static struct list io_list(struct arena *a, const struct tensor_spec *spec, size_t n)
{
	struct io_info *io = ARENA_ARRAY(a, struct io_info, n);

	for (size_t i = 0; i < n; i++) {
		int64_t *dim = ARENA_ARRAY(a, int64_t, spec[i].n_dim);
		for (size_t k = 0; k < spec[i].n_dim; k++)
			dim[k] = spec[i].dim[k];
		io[i] = (struct io_info){ arena_dup(a, spec[i].name), str_of(dtype_names[spec[i].type]), { dim, spec[i].n_dim } };
	}
	return (struct list){ io, n };
}

static double quantile_us(const struct served_model *m, double q)
{
	return (double)hist_quantile(series_hist(m->latency), q) / 1e3;
}

static void describe(struct served_model *m, struct arena *a, struct loaded_info *out)
{
	const struct loaded *l = m->loaded;

	*out = (struct loaded_info){
		.model = arena_dup(a, m->version.name), .version = m->version.version, .runtime = str_of(l->ops->name),
		.references = (int64_t)m->refs - 1 /* ours */, .loaded_ms = m->loaded_ms, .load_ms = (double)m->load_ns / 1e6,
		.bytes = (int64_t)m->bytes, .inferences = (int64_t)series_hist(m->latency)->count, .failures = (int64_t)series_value(m->errors),
		.p50_us = quantile_us(m, 0.5), .p95_us = quantile_us(m, 0.95), .p99_us = quantile_us(m, 0.99), .warm = m->warm,
		.inputs = io_list(a, l->in, l->n_in), .outputs = io_list(a, l->out, l->n_out),
	};
}

static enum rc get_loaded(struct call *c, const void *in, void *out, struct err *e)
{
	struct loaded_listing *l = out;
	struct served_list loaded;

	(void)in, (void)e;
	serve__list(c->module, c->arena, &loaded);
	struct loaded_info *info = ARENA_ARRAY(c->arena, struct loaded_info, loaded.n);
	for (size_t i = 0; i < loaded.n; i++)
		describe(loaded.at[i], c->arena, &info[i]);
	l->loaded_models = (struct list){ info, loaded.n };
	serve__list_release(&loaded);
	return RC_OK;
}

const struct route serve_routes[] = {
	{ HTTP_GET, "/runtimes", "serve.read", .out = &runtime_listing_record, .handler = get_runtimes, .doc = "Lists the model runtimes" },
	{ HTTP_GET, "/loaded-models", "serve.read", .out = &loaded_listing_record, .handler = get_loaded, .doc = "Lists the models that are loaded" },
	{ HTTP_POST, "/models/convert", "registry.write", .task = &serve_tasks[0],
	  .doc = "Converts a model for another runtime, compares both, and registers the result" },
};
_Static_assert(ARRAY_LEN(serve_routes) == SERVE_ROUTES, "serve_int.h says how many");
