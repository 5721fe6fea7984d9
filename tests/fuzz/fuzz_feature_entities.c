/* fuzz_feature_entities.c -- entities of an online read from any bytes: taken as rows and as columns, or refused; what is
 * taken has a value for each row of each key. */
#include <stdint.h>

#include "modules/features/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct entities *x)
{
	CHECK(x->n_row <= READ_ROWS_MAX);
	for (size_t i = 0; i < x->column.n; i++) {
		CHECK(x->column.at[i].value.n == x->n_row);
		for (size_t k = 0; k < i; k++)
			CHECK(!str_eq(x->column.at[i].name, x->column.at[k].name));
		for (size_t k = 0; k < x->n_row; k++) {
			double v = 0;
			const struct key_value *key = &x->column.at[i].value.at[k];
			CHECK(!key->number || str_to_f64(key->text, &v));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str json = str_n((const char *)data, size);

	for (int i = 0; i < 2; i++) {
		struct entities x = { 0 };
		struct err e = ERR_INIT;
		struct arena a;
		arena_init(&a);
		if ((i == 0 ? read__columns(json, &a, &x, &e) : read__rows(json, &a, &x, &e)) == RC_OK)
			check(&x);
		else
			CHECK(e.rc == RC_INVALID || e.rc == RC_TOO_LARGE);
		arena_deinit(&a);
	}
	return 0;
}
