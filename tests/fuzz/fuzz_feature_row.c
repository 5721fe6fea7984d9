/* fuzz_feature_row.c -- a row of the online store from any bytes: read within its bounds or refused, and what is read and
 * written again is read the same. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "modules/features/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct row *r, const enum value_kind *kind, const struct row_value *v)
{
	struct buf b = BUF_INIT(1u << 24);
	struct err e = ERR_INIT;
	struct row_value w;
	struct row second;

	row_put(&b, r->event_us, kind, v, r->n);
	if (b.overflowed) {     /* texts may share bytes in a made-up row */
		buf_deinit(&b);
		return;
	}
	CHECK(row_open(buf_str(&b), &second, &e) == RC_OK);
	CHECK(second.n == r->n);
	CHECK(second.event_us == r->event_us);
	for (size_t i = 0; i < r->n; i++) {
		CHECK(row_get(&second, i, kind[i], &w, &e) == RC_OK);
		CHECK(w.null == (v[i].null || (kind[i] == VALUE_FLOAT && isnan(v[i].f))));
		if (w.null)
			continue;
		if (kind[i] == VALUE_STRING)
			CHECK(str_eq(w.s, v[i].s));
		else if (kind[i] == VALUE_FLOAT)
			CHECK(memcmp(&w.f, &v[i].f, sizeof(w.f)) == 0);
		else
			CHECK(w.i == v[i].i);
	}
	buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum value_kind kinds[] = { VALUE_FLOAT, VALUE_INT, VALUE_STRING, VALUE_BOOL, VALUE_TIME };
	struct row_value v[64];
	enum value_kind kind[64];
	struct err e = ERR_INIT;
	struct row r;
	bool whole = true;

	if (row_open(str_n((const char *)data, size), &r, &e) != RC_OK)
		return 0;
	for (size_t i = 0; i < r.n; i++) {
		struct row_value one;
		enum value_kind k = kinds[(i + size) % ARRAY_LEN(kinds)];
		if (row_get(&r, i, k, i < ARRAY_LEN(v) ? &v[i] : &one, &e) != RC_OK)
			whole = false;
		if (i < ARRAY_LEN(kind))
			kind[i] = k;
	}
	if (whole && r.n <= ARRAY_LEN(v))
		again(&r, kind, v);
	return 0;
}
