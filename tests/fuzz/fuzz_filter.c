/* fuzz_filter.c -- any bytes as a filter and as an order: no crash, and what is accepted is well formed. */
#include <stddef.h>
#include <stdint.h>

#include "base/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_n((const char *)data, size);
	struct filter_order order;
	struct list terms;
	struct arena a;
	struct err e = ERR_INIT;

	arena_init(&a);
	if (filter_parse(text, &a, &terms, &e) == RC_OK) {
		CHECK(terms.n <= FILTER_TERMS_MAX);
		for (size_t i = 0; i < terms.n; i++) {
			const struct filter_term *t = LIST_AT(terms, const struct filter_term, i);
			bool list = t->op == FILTER_IN || t->op == FILTER_NOT_IN;
			CHECK(t->op < FILTER_OPS);
			CHECK(list == (t->value == FILTER_LIST));
			CHECK(t->texts.n <= FILTER_LIST_MAX);
			CHECK(filter_like(&a, t->text).len >= t->text.len);
		}
	} else {
		CHECK(e.rc == RC_INVALID && e.msg[0] != '\0');
	}
	if (filter_order_parse(text, &order, &e) == RC_OK)
		CHECK(str_is_utf8(order.key));
	arena_deinit(&a);
	return 0;
}
