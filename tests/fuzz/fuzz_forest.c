/* fuzz_forest.c -- XGBoost's JSON as others wrote it: what is read is sound, and can be walked and written as ONNX. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct err e = ERR_INIT;
	struct forest f;
	str onnx;

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
