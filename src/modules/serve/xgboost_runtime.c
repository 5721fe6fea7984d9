/* xgboost_runtime.c -- serving XGBoost models: one matrix in, one column (or one per class) out. */
#include <stdlib.h>
#include <string.h>

#include "io/xgboost.h"
#include "modules/serve/forest.h"
#include "modules/serve/runtime.h"

struct xgboost_model {
	struct loaded super;
	struct booster *booster;
};
_Static_assert(offsetof(struct xgboost_model, super) == 0, "the cast relies on it");

static struct xgboost_model *model_of(struct loaded *m)
{
	CHECK(m->ops == &xgboost_runtime);
	return (struct xgboost_model *)m;
}

static enum rc version(struct arena *a, str *out, struct err *e)
{
	int major, minor, patch;

	TRY(xgb_version(&major, &minor, &patch, e));
	*out = arena_printf(a, "%d.%d.%d", major, minor, patch);
	return RC_OK;
}

static void unload(struct loaded **slot)
{
	struct xgboost_model *m = model_of(*slot);

	*slot = NULL;
	xgb_free(&m->booster);
	arena_deinit(&m->super.arena);
	free(m);
}

static enum rc load(const struct runtime_source *s, struct loaded **out, struct err *e)
{
	struct booster *b;
	size_t n;

	TRY(forest_check(s->main.data, e));
	TRY(xgb_load(s->main.data, &b, e));
	if (xgb_n_features(b, &n, e) != RC_OK) {
		xgb_free(&b);
		return e->rc;
	}
	if (s->spec != NULL && s->spec->inputs.n != n) {
		xgb_free(&b);
		return FAIL(e, RC_INVALID, "the model takes %zu features, but its cairn.json names %zu inputs", n, s->spec->inputs.n);
	}
	struct xgboost_model *m = calloc(1, sizeof(*m));
	CHECK(m != NULL);
	m->booster = b;
	m->super = (struct loaded){ .ops = &xgboost_runtime, .n_in = 1, .n_out = 1 };
	struct arena *a = &m->super.arena;
	arena_init(a);
	m->super.in = ARENA_NEW(a, struct tensor_spec);
	*m->super.in = (struct tensor_spec){ .name = STR("input"), .type = DT_FP32, .n_dim = 2, .dim = { -1, (int64_t)n } };
	m->super.out = ARENA_NEW(a, struct tensor_spec);
	str name = s->spec != NULL && s->spec->output.len > 0 ? arena_dup(a, s->spec->output) : STR("output");
	*m->super.out = (struct tensor_spec){ .name = name, .type = DT_FP32, .n_dim = 2, .dim = { -1, (int64_t)xgb_n_outputs(b) } };
	*out = &m->super;
	return RC_OK;
}

static enum rc infer(struct loaded *loaded, const struct tensor *in, struct arena *a, struct tensor *out, struct err *e)
{
	struct xgboost_model *m = model_of(loaded);
	size_t n_row = (size_t)in->dim[0], n_out = xgb_n_outputs(m->booster);
	float *y = arena_alloc_raw(a, n_row * n_out * sizeof(*y));

	TRY(xgb_predict(m->booster, in->data, n_row, (size_t)in->dim[1], y, e));
	*out = (struct tensor){ .name = loaded->out->name, .type = DT_FP32, .n_dim = 2, .data = y, .n = n_row * n_out,
				.dim = { (int64_t)n_row, (int64_t)n_out } };
	return RC_OK;
}

const struct runtime_ops xgboost_runtime = {
	.name = "xgboost", .platform = "xgboost", .library = "XGBoost", .least = { 1, 6 },
	.version = version, .load = load, .unload = unload, .infer = infer,
};
