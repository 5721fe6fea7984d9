/* test_oip.c -- the Open Inference Protocol's messages, every type both ways, and the rate limiter. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "modules/gateway/limiter.h"
#include "modules/gateway/oip.h"

#define REPLY_MAX (256u << 20)

/* --- every type, as JSON and as bytes ------------------------------------------------------------------------- */

static void *sample(struct arena *a, enum dtype type, size_t n)
{
	static const str texts[] = { { "", 0 }, { "Midtown \"Center\"", 16 }, { "\xc3\xa9t\xc3\xa9", 5 }, { "x\\y\n", 4 }, { "5", 1 }, { "null", 4 } };

	if (type == DT_BYTES) {
		str *out = ARENA_ARRAY(a, str, n);
		for (size_t i = 0; i < n; i++)
			out[i] = texts[i % ARRAY_LEN(texts)];
		return out;
	}
	char *out = arena_alloc_n(a, n, dtype_size(type));
	for (size_t i = 0; i < n; i++) {
		double d = (double)i * 1.1 - 3;
		float f = (float)d;
		uint64_t bits = type == DT_BOOL ? i % 2 : i == 0 ? UINT64_MAX : i == 1 ? UINT64_C(1) << (8 * dtype_size(type) - 1) : i;
		if (type == DT_FP64)
			memcpy(out + 8 * i, &d, 8);
		else if (type == DT_FP32)
			memcpy(out + 4 * i, &f, 4);
		else
			memcpy(out + dtype_size(type) * i, &bits, dtype_size(type));
	}
	return out;
}

static bool same(const struct tensor *a, const struct tensor *b)
{
	if (!str_eq(a->name, b->name) || a->type != b->type || a->n != b->n || a->n_dim != b->n_dim ||
	    memcmp(a->dim, b->dim, a->n_dim * sizeof(a->dim[0])) != 0)
		return false;
	for (size_t i = 0; a->type == DT_BYTES && i < a->n; i++) {
		if (!str_eq(((const str *)a->data)[i], ((const str *)b->data)[i]))
			return false;
	}
	return a->type == DT_BYTES || memcmp(a->data, b->data, a->n * dtype_size(a->type)) == 0;
}

static void every_type_goes_both_ways(void **state)
{
	(void)state;
	for (int type = 0; type < DT_COUNT; type++) {
		for (int binary = 0; binary < 2; binary++) {
			struct arena a;
			struct err e = ERR_INIT;
			struct buf b = BUF_INIT(REPLY_MAX);
			struct oip_request r;
			arena_init(&a);
			struct tensor t[2] = { { .name = STR("x"), .type = (enum dtype)type, .n_dim = 2, .dim = { 2, 3 }, .n = 6 },
					       { .name = STR("marker"), .type = DT_INT32, .n_dim = 1, .dim = { 1 }, .n = 1 } };
			t[0].data = sample(&a, t[0].type, 6);
			t[1].data = sample(&a, t[1].type, 1);
			const bool wants[] = { binary != 0, false };
			const struct oip_param p[] = { { .name = STR("as_of"), .kind = OIP_TEXT, .text = STR("2019-03-25T00:00:00Z") },
						       { .name = STR("n"), .kind = OIP_NUMBER, .number = 2.5 },
						       { .name = STR("f"), .kind = OIP_FLAG, .flag = true } };
			struct oip_message m = { .tensors_key = "inputs", .id = STR("q\"1"), .param = p, .n_param = 3, .tensor = t, .binary = wants,
						 .n_tensor = 2 };
			int64_t json_len = oip_encode(&m, &b);
			assert_true((json_len == OIP_NO_HEADER) == !binary);
			enum rc rc = oip_decode(buf_str(&b), json_len, &a, &r, &e);
			if (type == DT_FP16 && !binary) {
				assert_int_equal(rc, RC_INVALID);
				assert_non_null(strstr(e.msg, "FP16"));
			} else {
				assert_int_equal(rc, RC_OK);
				assert_int_equal(r.n_in, 2);
				assert_true(same(&r.in[0], &t[0]));
				assert_true(same(&r.in[1], &t[1]));
				assert_true(str_eq(r.id, STR("q\"1")));
				assert_true(str_eq(oip_param_find(&r, STR("as_of"))->text, STR("2019-03-25T00:00:00Z")));
				assert_true(oip_param_find(&r, STR("n"))->number == 2.5 && oip_param_find(&r, STR("f"))->flag);
			}
			buf_deinit(&b);
			arena_deinit(&a);
		}
	}
}

static void halves_are_read_as_numbers(void **state)
{
	static const struct { uint16_t bits; double value; } rows[] = {
		{ 0x0000, 0 }, { 0x3c00, 1 }, { 0xc000, -2 }, { 0x7bff, 65504 }, { 0x0001, 0x1p-24 }, { 0x3555, 0.333251953125 },
		{ 0x7c00, (double)INFINITY }, { 0x8400, -0x1p-14 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t bits = rows[i].bits;
		struct tensor t = { .type = DT_FP16, .n = 1, .data = &bits };
		assert_true(oip_number(&t, 0) == rows[i].value);
	}
}

/* --- what clients write, and what is refused ------------------------------------------------------------------------ */

struct row { const char *text, *why; };

static enum rc decode(const char *text, struct arena *a, struct oip_request *r, struct err *e)
{
	return oip_decode(str_of(text), OIP_NO_HEADER, a, r, e);
}

static void takes_what_clients_write(void **state)
{
	static const struct row rows[] = {
		{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}]}", "flat" },
		{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[[1,2],[3,4]]}]}", "nested to the shape" },
		{ "{\"inputs\":[{\"data\":[[1,2.0],[3e0,4]],\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,2]}]}", "data first" },
		{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"INT64\",\"data\":[1,2.0,3,4]}]}", "whole numbers with a point" },
		{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[4,1],\"datatype\":\"FP64\",\"data\":[ 1 , 2 ,3, 4 ],\"extra\":{\"a\":[1]}}],\"other\":null}",
		  "unknown members" },
		{ "{\"id\":\"7\",\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}],\"inputs\":[{\"name\":\"x\",\"shape\":[4],"
		  "\"datatype\":\"UINT8\",\"data\":[1,2,3,4]}]}", "outputs" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct err e = ERR_INIT;
		struct oip_request r;
		arena_init(&a);
		if (decode(rows[i].text, &a, &r, &e) != RC_OK)
			fail_msg("%s: %s", rows[i].why, e.msg);
		assert_int_equal(r.in[0].n, 4);
		for (size_t k = 0; k < 4; k++)
			assert_true(oip_number(&r.in[0], k) == (double)k + 1);
		arena_deinit(&a);
	}
}

static void missing_numbers_are_read(void **state)
{
	struct arena a;
	struct err e = ERR_INIT;
	struct oip_request r;

	(void)state;
	arena_init(&a);
	assert_int_equal(decode("{\"inputs\":[{\"name\":\"x\",\"shape\":[6],\"datatype\":\"FP32\",\"data\":[null,NaN,\"NaN\",-Infinity,\"Infinity\",-0.5]}]}",
				&a, &r, &e), RC_OK);
	const float *x = r.in[0].data;
	assert_true(isnan(x[0]) && isnan(x[1]) && isnan(x[2]) && x[3] < 0 && isinf(x[3]) && x[4] > 0 && isinf(x[4]));
	assert_true(x[5] == -0.5f);
	arena_deinit(&a);
}

#define X(shape, type, data) "{\"inputs\":[{\"name\":\"x\",\"shape\":" shape ",\"datatype\":\"" type "\",\"data\":" data "}]}"

static void refuses_and_says_why(void **state)
{
	static const struct row rows[] = {
		{ "", "empty" },
		{ "[]", "JSON object" },
		{ "{}", "no inputs" },
		{ "{\"inputs\":[]}", "no inputs" },
		{ "{\"inputs\":{}}", "array" },
		{ "{\"inputs\":[{}]}", "inputs[0]: it has no name" },
		{ "{\"inputs\":[{\"name\":\"x\"}]}", "tensor 'x': it has no datatype" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"}]}", "no shape" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1]}]}", "neither 'data' nor" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BF16\",\"shape\":[1],\"data\":[1]}]}", "datatype 'BF16' is not known" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"shape\":[1000000]}]}", "'shape' is given twice" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[1,9],\"datatype\":\"BYTES\"}]}",
		  "'datatype' is given twice" },
		{ X("[2]", "FP32", "[1]"), "1 elements where its shape needs 2" },
		{ X("[1]", "FP32", "[1,2]"), "more than the 1 elements" },
		{ X("[2,2]", "FP32", "[[1,2],[3]]"), "1 members where the shape says 2" },
		{ X("[2,2]", "FP32", "[[1,2],3,4]"), "unevenly" },
		{ X("[2,2]", "FP32", "[1,[2],3,4]"), "nested deeper" },
		{ X("[2]", "FP32", "[[1],[2]]"), "nested deeper" },
		{ X("[-1]", "FP32", "[1]"), "whole numbers from 0" },
		{ X("[1.5]", "FP32", "[1]"), "whole numbers from 0" },
		{ X("[1,1,1,1,1,1,1,1,1]", "FP32", "[1]"), "at most 8 dimensions" },
		{ X("[4294967296,4294967296]", "FP32", "[1]"), "more elements than a body of" },
		{ X("[999999999]", "BYTES", "[\"a\"]"), "more elements than a body of" },
		{ X("[1]", "UINT8", "[256]"), "element 0 is 256, which UINT8 does not hold" },
		{ X("[1]", "INT8", "[-129]"), "does not hold" },
		{ X("[1]", "UINT64", "[-1]"), "does not hold" },
		{ X("[1]", "INT32", "[1.5]"), "does not hold" },
		{ X("[1]", "INT32", "[null]"), "null, which INT32 does not hold" },
		{ X("[1]", "FP32", "[\"1\"]"), "a text, which FP32 does not hold" },
		{ X("[1]", "BYTES", "[1]"), "does not hold" },
		{ X("[1]", "BOOL", "[2]"), "does not hold" },
		{ X("[1]", "FP32", "[{}]"), "object" },
		{ X("[1]", "FP32", "[01]"), "not valid JSON" },
		{ X("[2]", "FP32", "[1.,2]"), "not valid JSON" },
		{ X("[2]", "FP32", "[2,1.,2]"), "not valid JSON" },
		{ X("[3]", "FP32", "[2,01,2]"), "not valid JSON" },
		{ X("[1]", "FP16", "[1]"), "FP16 has no form in JSON" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1]},{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],"
		  "\"data\":[1]}]}", "given twice" },
		{ "{\"parameters\":{\"a\":[1]},\"inputs\":[]}", "neither text, number nor boolean" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"shared_memory_region\":\"r\"}}]}", "shared memory" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct err e = ERR_INIT;
		struct oip_request r;
		arena_init(&a);
		assert_int_equal(decode(rows[i].text, &a, &r, &e), RC_INVALID);
		if (strstr(e.msg, rows[i].why) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].text, e.msg, rows[i].why);
		arena_deinit(&a);
	}
}

static void binary_lengths_must_fit(void **state)
{
	static const struct { const char *json; size_t n_bytes; int64_t json_len; const char *why; } rows[] = {
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}}]}", 8, 0, NULL },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}}]}", 7, 0, "not all there" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}}]}", 9, 0, "1 bytes stand behind" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[3],\"parameters\":{\"binary_data_size\":8}}]}", 8, 0, "needs 12" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":-8}}]}", 8, 0, "from 0" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[9999999999],\"parameters\":{\"binary_data_size\":8}}]}", 8, 0, "can hold" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[1],\"parameters\":{\"binary_data_size\":8}}]}", 8, 0, "within element 0" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[3],\"parameters\":{\"binary_data_size\":2}}]}", 2, 0, "can hold" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BOOL\",\"shape\":[8],\"parameters\":{\"binary_data_size\":8}}]}", 8, 0, "is not a BOOL" },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"binary_data_size\":4}}]}", 4, 0, "both" },
		{ "{}", 0, 1000, "but the body has 2 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct err e = ERR_INIT;
		struct oip_request r;
		struct buf b = BUF_INIT(4096);
		arena_init(&a);
		buf_add(&b, str_of(rows[i].json));
		int64_t json_len = rows[i].json_len > 0 ? rows[i].json_len : (int64_t)b.len;
		for (size_t k = 0; k < rows[i].n_bytes; k++)
			buf_add_char(&b, (char)(k + 64));
		enum rc rc = oip_decode(buf_str(&b), json_len, &a, &r, &e);
		assert_int_equal(rc, rows[i].why == NULL ? RC_OK : RC_INVALID);
		if (rows[i].why != NULL && strstr(e.msg, rows[i].why) == NULL)
			fail_msg("row %zu: \"%s\" does not say \"%s\"", i, e.msg, rows[i].why);
		buf_deinit(&b);
		arena_deinit(&a);
	}
}

static void a_raw_body_is_one_tensor(void **state)
{
	const struct tensor_spec spec = { STR("input"), DT_FP32, 2, { -1, 3 } };
	const float x[] = { 1, 2, 3, 4, 5, 6 };
	struct arena a;
	struct err e = ERR_INIT;
	struct oip_request r;

	(void)state;
	arena_init(&a);
	assert_int_equal(oip_decode_raw(str_n((const char *)x, sizeof(x)), &spec, &a, &r, &e), RC_OK);
	assert_int_equal(r.in[0].dim[0], 2);
	assert_true(r.binary_output && oip_number(&r.in[0], 5) == 6);
	assert_int_equal(oip_decode_raw(str_n((const char *)x, 13), &spec, &a, &r, &e), RC_INVALID);
	arena_deinit(&a);
}

/* Numbers of all lengths and signs in one array: the fast run and the tokens must agree. */
static void runs_of_numbers_are_what_tokens_give(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct arena a;
	struct err e = ERR_INIT;
	struct oip_request r;
	const size_t n = 3000;

	(void)state;
	arena_init(&a);
	buf_addf(&b, "{\"inputs\":[{\"name\":\"x\",\"shape\":[%zu],\"datatype\":\"FP64\",\"data\":[", n);
	for (size_t i = 0; i < n; i++) {
		double v = (double)((int64_t)i - 1500) * pow(10, (double)(i % 40) - 20);
		buf_addf(&b, "%s%.17g", i > 0 ? (i % 7 == 0 ? ", " : ",") : "", v);
	}
	buf_add(&b, STR("]}]}"));
	assert_int_equal(oip_decode(buf_str(&b), OIP_NO_HEADER, &a, &r, &e), RC_OK);
	for (size_t i = 0; i < n; i++)
		assert_true(oip_number(&r.in[0], i) == (double)((int64_t)i - 1500) * pow(10, (double)(i % 40) - 20));
	buf_deinit(&b);
	arena_deinit(&a);
}

/* --- the limiter ------------------------------------------------------------------------------------------------------ */

static void the_bucket_gives_its_rate(void **state)
{
	struct limiter l = { 0 };
	uint64_t wait = 0, now = UINT64_C(1000000000000);
	int n = 0;

	(void)state;
	/* full: the burst at once, then nothing */
	for (int i = 0; i < 50; i++)
		n += limiter_take(&l, 100, 20, 1, now, &wait);
	assert_int_equal(n, 20);
	assert_true(wait > 0 && wait <= 10000000);
	/* after what it said, one more */
	assert_false(limiter_take(&l, 100, 20, 1, now + wait - 1000, &wait));
	assert_true(limiter_take(&l, 100, 20, 1, now + 10000000, &wait));
	/* over ten seconds the rate, whatever the demand */
	n = 0;
	for (int i = 0; i < 10000; i++)
		n += limiter_take(&l, 100, 20, 1, now + 20000000 + (uint64_t)i * 1000000, &wait);
	assert_in_range(n, 999, 1002);
	/* a batch larger than the burst needs a full bucket, and leaves it in debt */
	now += UINT64_C(100000000000);
	assert_true(limiter_take(&l, 100, 20, 50, now, &wait));
	assert_false(limiter_take(&l, 100, 20, 1, now + UINT64_C(200000000), &wait));
	assert_true(limiter_take(&l, 100, 20, 1, now + UINT64_C(320000000), &wait));
	assert_true(limiter_take(&l, 0, 0, 1e9, now, &wait));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_goes_both_ways),
		cmocka_unit_test(halves_are_read_as_numbers),
		cmocka_unit_test(takes_what_clients_write),
		cmocka_unit_test(missing_numbers_are_read),
		cmocka_unit_test(refuses_and_says_why),
		cmocka_unit_test(binary_lengths_must_fit),
		cmocka_unit_test(a_raw_body_is_one_tensor),
		cmocka_unit_test(runs_of_numbers_are_what_tokens_give),
		cmocka_unit_test(the_bucket_gives_its_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
