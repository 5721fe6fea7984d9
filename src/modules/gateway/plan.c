/* plan.c -- an endpoint compiled: what comes from the caller, what from feature views, in which order, into which model. */
#include "modules/gateway/plan.h"

#include <stdlib.h>

#include "io/blob.h"
#include "modules/tracking/tracking.h"

#define REFERENCE_MAX (16u << 20)

struct compiling {
	struct plan *p;
	const struct model_spec *spec;
	VEC(struct plan_input) input;
	VEC(struct plan_view) view;
	VEC(str) key;
};

/* --- the parts ----------------------------------------------------------------------------------------------------- */

static str input_of_key(const struct endpoint *d, str key)
{
	for (size_t i = 0; i < d->keys.n; i++) {
		const struct pair *p = LIST_AT(d->keys, const struct pair, i);
		if (str_eq(p->key, key))
			return p->value;
	}
	return key;
}

static size_t key_index(struct compiling *c, str name)
{
	struct arena *a = &c->p->arena;

	for (size_t i = 0; i < c->key.n; i++) {
		if (str_eq(c->key.at[i], name))
			return i;
	}
	*VEC_PUSH(a, &c->key) = name;
	*VEC_PUSH(a, &c->input) = (struct plan_input){ name, FROM_KEY, c->key.n - 1 };
	return c->key.n - 1;
}

static enum rc add_view(struct compiling *c, str name, struct err *e)
{
	struct arena *a = &c->p->arena;
	struct features *f = features_of(c->p->g->core);
	struct feature_view v;
	VEC(str) feature = { 0 };
	VEC(size_t) column = { 0 };

	TRY(features_view(f, a, name, &v, e));
	if (v.keys.n > VIEW_KEYS_MAX)
		return FAIL(e, RC_INVALID, "feature view '" STR_FMT "' has %zu join keys; an endpoint reads by at most %d", STR_ARG(name), v.keys.n,
			    VIEW_KEYS_MAX);
	for (size_t i = 0; i < c->spec->inputs.n; i++) {
		const struct model_input *in = LIST_AT(c->spec->inputs, const struct model_input, i);
		if (!str_eq(in->view, name))
			continue;
		*VEC_PUSH(a, &feature) = arena_dup(a, in->name);
		*VEC_PUSH(a, &column) = i;
	}
	struct plan_view *pv = VEC_PUSH(a, &c->view);
	*pv = (struct plan_view){ .name = arena_dup(a, name), .n_key = v.keys.n, .n_feature = feature.n, .column = column.at, .revision = v.revision,
				  .as_of_ms = v.materialised_as_of_ms };
	for (size_t i = 0; i < v.keys.n; i++)
		pv->key[i] = key_index(c, arena_dup(a, input_of_key(&c->p->def, *LIST_AT(v.keys, str, i))));
	return features_reader_new(f, pv->name, feature.at, feature.n, &pv->reader, e);
}

static bool view_known(const struct compiling *c, str name)
{
	for (size_t i = 0; i < c->view.n; i++) {
		if (str_eq(c->view.at[i].name, name))
			return true;
	}
	return false;
}

static enum rc add_columns(struct compiling *c, struct err *e)
{
	struct plan *p = c->p;
	enum rc rc = RC_OK;

	p->n_column = c->spec->inputs.n;
	p->column = ARENA_ARRAY(&p->arena, str, p->n_column);
	for (size_t i = 0; i < p->n_column; i++) {
		const struct model_input *in = LIST_AT(c->spec->inputs, const struct model_input, i);
		p->column[i] = arena_dup(&p->arena, in->name);
		if (in->view.len == 0)
			*VEC_PUSH(&p->arena, &c->input) = (struct plan_input){ p->column[i], FROM_COLUMN, i };
	}
	for (size_t i = 0; i < p->n_column && rc == RC_OK; i++) {
		const struct model_input *in = LIST_AT(c->spec->inputs, const struct model_input, i);
		if (in->view.len > 0 && !view_known(c, in->view))
			rc = add_view(c, in->view, e);
	}
	/* Also after an error: the readers that were made are the plan's to free. */
	p->input = c->input.at;
	p->n_input = c->input.n;
	p->view = c->view.at;
	p->n_view = c->view.n;
	p->n_key = c->key.n;
	return rc;
}

/* A model of cairn's own making: one matrix in, the columns named by its spec. */
static bool is_by_column(const struct served_model *m, const struct model_spec *spec, struct tensor_spec *in_out)
{
	const struct tensor_spec *in, *out;
	size_t n_in, n_out;

	served_io(m, &in, &n_in, &out, &n_out);
	if (spec == NULL || spec->inputs.n == 0 || n_in != 1 || n_out < 1)
		return false;
	*in_out = in[0];
	return in[0].type == DT_FP32 && in[0].n_dim == 2 && (in[0].dim[1] < 0 || in[0].dim[1] == (int64_t)spec->inputs.n);
}

/* --- what drift is measured against ---------------------------------------------------------------------------------- */

static enum rc read_reference(struct plan *p, const struct model_version *v, const struct model_spec *spec, struct arena *a, str *out, struct err *e)
{
	const struct core *core = p->g->core;
	const struct artifact *best = NULL;
	struct list files;

	*out = STR_NONE;
	if (spec == NULL || spec->reference.len == 0)
		return RC_OK;
	TRY(registry_files(registry_of(core), a, v, &files, e));
	str tail = arena_printf(a, "/" STR_FMT, STR_ARG(spec->reference));
	for (size_t i = 0; i < files.n; i++) {
		const struct artifact *f = LIST_AT(files, const struct artifact, i);
		bool fits = str_eq(f->path, spec->reference) || str_ends(f->path, tail);
		if (fits && (best == NULL || f->path.len < best->path.len))
			best = f;
	}
	return best != NULL ? blob_get(core->blobs, best->blob, REFERENCE_MAX, a, out, e) : RC_OK;
}

static enum rc start_watch(struct plan *p, const struct model_version *v, const struct model_spec *spec, struct err *e)
{
	struct watch_new n = { .endpoint = p->def.name, .revision = p->def.revision, .model = v->name, .version = v->version, .input = p->column,
			       .n_input = p->n_column, .output = p->output };
	struct arena a;

	arena_init(&a);
	enum rc rc = read_reference(p, v, spec, &a, &n.reference_json, e);
	if (rc == RC_OK)
		rc = observe_watch(observe_of(p->g->core), &n, &p->watch, e);
	arena_deinit(&a);
	return rc;
}

/* --- the plan --------------------------------------------------------------------------------------------------------- */

static enum rc compile(struct plan *p, const struct model_version *v, struct err *e)
{
	const struct tensor_spec *in, *out;
	size_t n_in, n_out;

	TRY(serve_acquire(serve_of(p->g->core), v, &p->model, e));
	const struct model_spec *spec = served_spec(p->model);
	served_io(p->model, &in, &n_in, &out, &n_out);
	p->by_column = is_by_column(p->model, spec, &p->in);
	p->output = arena_dup(&p->arena, p->by_column && spec->output.len > 0 ? spec->output : n_out > 0 ? out[0].name : STR("output"));
	p->version_text = arena_printf(&p->arena, "%lld", (long long)v->version);
	p->def.runtime = served_runtime(p->model);
	if (p->by_column) {
		struct compiling c = { .p = p, .spec = spec };
		TRY(add_columns(&c, e));
	}
	return start_watch(p, v, spec, e);
}

static void copy_definition(struct plan *p, const struct endpoint *d, const struct model_version *v)
{
	struct arena *a = &p->arena;
	struct pair *keys = ARENA_ARRAY(a, struct pair, d->keys.n);

	p->def = *d;
	p->def.name = arena_dup(a, d->name);
	p->def.description = arena_dup(a, d->description);
	p->def.model = arena_dup(a, d->model);
	p->def.model_name = arena_dup(a, v->name);
	p->def.version = v->version;
	for (size_t i = 0; i < d->keys.n; i++) {
		const struct pair *k = LIST_AT(d->keys, const struct pair, i);
		keys[i] = (struct pair){ arena_dup(a, k->key), arena_dup(a, k->value) };
	}
	p->def.keys.at = keys;
	p->def.inputs = (struct list){ NULL, 0 };
}

enum rc gateway__plan_new(struct gateway *g, const struct endpoint *def, const struct model_version *v, struct plan **out, struct err *e)
{
	struct plan *p = calloc(1, sizeof(*p));

	CHECK(p != NULL);
	atomic_store(&p->refs, 1);
	p->g = g;
	arena_init(&p->arena);
	copy_definition(p, def, v);
	if (compile(p, v, e) != RC_OK) {
		gateway__plan_release(&p);
		return err_wrap(e, "endpoint '" STR_FMT "'", STR_ARG(def->name));
	}
	*out = p;
	return RC_OK;
}

void gateway__plan_release(struct plan **slot)
{
	struct plan *p = *slot;

	*slot = NULL;
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (size_t i = 0; i < p->n_view; i++)
		features_reader_free(&p->view[i].reader);
	serve_release(&p->model);
	arena_deinit(&p->arena);
	free(p);
}

bool gateway__plan_is_fresh(const struct plan *p)
{
	struct feature_view v;
	struct arena a;
	bool fresh = true;

	arena_init(&a);
	for (size_t i = 0; i < p->n_view && fresh; i++) {
		struct err e = ERR_INIT;
		if (features_view(features_of(p->g->core), &a, p->view[i].name, &v, &e) != RC_OK)
			break;   /* it goes on with what it has */
		fresh = v.revision == p->view[i].revision && v.materialised_as_of_ms == p->view[i].as_of_ms;
	}
	arena_deinit(&a);
	return fresh;
}

/* --- what a caller must know ---------------------------------------------------------------------------------------------- */

str gateway__input_source(const struct plan *p, const struct plan_input *in, struct arena *a)
{
	str out = STR("");

	if (in->from == FROM_COLUMN)
		return STR("input of the model");
	for (size_t i = 0; i < p->n_view; i++) {
		for (size_t k = 0; k < p->view[i].n_key; k++) {
			if (p->view[i].key[k] == in->index)
				out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(out), out.len > 0 ? ", " : "join key of ", STR_ARG(p->view[i].name));
		}
	}
	return out;
}

struct list gateway__plan_inputs(const struct plan *p, struct arena *a)
{
	VEC(struct endpoint_input) list = { 0 };
	const struct tensor_spec *in, *out;
	size_t n_in, n_out;

	for (size_t i = 0; i < p->n_input; i++) {
		const struct plan_input *x = &p->input[i];
		bool told = false;
		for (size_t k = 0; k < i; k++)
			told = told || str_eq(p->input[k].name, x->name);
		if (!told)
			*VEC_PUSH(a, &list) = (struct endpoint_input){ arena_dup(a, x->name), x->from == FROM_KEY ? STR("BYTES") : STR("FP32"),
								       gateway__input_source(p, x, a) };
	}
	if (!p->by_column) {
		served_io(p->model, &in, &n_in, &out, &n_out);
		for (size_t i = 0; i < n_in; i++)
			*VEC_PUSH(a, &list) = (struct endpoint_input){ arena_dup(a, in[i].name), str_of(dtype_names[in[i].type]), STR("input of the model") };
	}
	return LIST_OF(list);
}
