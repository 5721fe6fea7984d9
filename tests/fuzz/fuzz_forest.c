/* fuzz_forest.c -- XGBoost's JSON and UBJSON as others wrote them: what is read is sound, and can be walked and written as
 * ONNX; and what passes the check can be given to XGBoost itself, which looks at nothing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "io/xgboost.h"
#include "modules/serve/onnx_export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends for every tree that forest_read let through. */
static float walk(const struct tree *t, const float *row)
{
	int32_t at = 0;
	size_t steps = 0;

	while (t->left[at] >= 0) {
		CHECK(steps++ < t->n);
		float v = row[t->feature[at]];
		bool missing = v != v;
		at = (missing ? t->missing_left[at] : v < t->value[at]) ? t->left[at] : t->right[at];
	}
	return t->value[at];
}

static void give_to_xgboost(str model)
{
	struct booster *b = NULL;
	struct err e = ERR_INIT;
	float x[3 * 64], y[3 * 64];
	size_t n;

	if (forest_check(model, &e) != RC_OK || xgb_load(model, &b, &e) != RC_OK)
		return;
	for (size_t i = 0; i < ARRAY_LEN(x); i++)
		x[i] = i % 7 == 0 ? __builtin_nanf("") : (float)(i % 5) - 1;
	if (xgb_n_features(b, &n, &e) == RC_OK && n <= 64 && xgb_n_outputs(b) <= 64)
		CHECK(xgb_predict(b, x, 3, n, y, &e) == RC_OK || e.msg[0] != '\0');
	xgb_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct err e = ERR_INIT;
	struct forest f;
	str onnx;

	give_to_xgboost(str_n((const char *)data, size));
	arena_init(&a);
	if (forest_read(str_n((const char *)data, size), &a, &f, &e) == RC_OK) {
		CHECK(f.n_feature > 0);
		if (f.n_feature <= 1000 && f.n_group <= 1000 && f.n_node <= 100000) {
			float *x = forest_rows(&f, 4, 1, &a), sum = 0;
			for (size_t i = 0; i < f.n_tree; i++) {
				CHECK(f.tree[i].group < f.n_group);
				for (size_t row = 0; row < 4; row++)
					sum += walk(&f.tree[i], x + row * f.n_feature);
			}
			if (onnx_of_forest(&f, STR("y"), STR(""), &a, &onnx, &e) == RC_OK)
				CHECK(onnx.len > 0);
			CHECK(sum == sum || sum != sum);
		}
	} else {
		CHECK(e.msg[0] != '\0');
	}
	arena_deinit(&a);
	return 0;
}
