/* test_feature_row.c -- rows of the online store: what is written is read, what is damaged is refused, keys do not meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/id.h"
#include "io/crypto.h"
#include "modules/features/row.h"

static const enum value_kind kinds[] = { VALUE_FLOAT, VALUE_INT, VALUE_BOOL, VALUE_TIME, VALUE_STRING, VALUE_STRING, VALUE_FLOAT };
#define N ARRAY_LEN(kinds)

static void values_come_back(void **state)
{
	const struct row_value in[N] = {
		{ .f = -0.1 }, { .i = INT64_MIN }, { .i = 1 }, { .i = -1 }, { .s = STR("caf\xc3\xa9") }, { .s = STR("") }, { .null = true },
	};
	struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;
	struct row_value v;
	struct row r;

	(void)state;
	row_put(&b, -1500, kinds, in, N);
	assert_false(b.overflowed);
	assert_int_equal(row_open(buf_str(&b), &r, &e), RC_OK);
	assert_int_equal(r.n, N);
	assert_int_equal(r.event_us, -1500);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(row_get(&r, i, kinds[i], &v, &e), RC_OK);
		assert_int_equal(v.null, in[i].null);
		if (in[i].null)
			continue;
		if (kinds[i] == VALUE_FLOAT)
			assert_memory_equal(&v.f, &in[i].f, sizeof(v.f));
		else if (kinds[i] == VALUE_STRING)
			assert_true(str_eq(v.s, in[i].s));
		else
			assert_int_equal(v.i, in[i].i);
	}
	buf_deinit(&b);
}

static void nan_is_no_value(void **state)
{
	const struct row_value in[] = { { .f = NAN } };
	struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;
	struct row_value v;
	struct row r;

	(void)state;
	row_put(&b, 0, kinds, in, 1);
	assert_int_equal(row_open(buf_str(&b), &r, &e), RC_OK);
	assert_int_equal(row_get(&r, 0, VALUE_FLOAT, &v, &e), RC_OK);
	assert_true(v.null);
	buf_deinit(&b);
}

/* A row too large for its buffer is not half written. */
static void a_full_buffer_is_told(void **state)
{
	const struct row_value in[N] = { [4] = { .s = STR("a text that does not fit into what is left") } };
	struct buf b = BUF_INIT(100);

	(void)state;
	row_put(&b, 0, kinds, in, N);
	assert_true(b.overflowed);
	buf_deinit(&b);
}

/* Cut anywhere, or with any byte changed, a row is read within its bounds or refused. ASan is the judge of the bounds. */
static void damage_is_contained(void **state)
{
	const struct row_value in[N] = { { .f = 1 }, { .i = 2 }, { .i = 1 }, { .i = 4 }, { .s = STR("text one") }, { .s = STR("two") }, { .f = 3 } };
	struct buf b = BUF_INIT(4096);
	size_t refused = 0;

	(void)state;
	row_put(&b, 7, kinds, in, N);
	for (size_t cut = 0; cut <= b.len; cut++) {
		for (size_t flip = 0; flip <= cut; flip++) {
			char *copy = test_malloc(cut > 0 ? cut : 1);
			struct err e = ERR_INIT;
			struct row_value v;
			struct row r;
			if (cut > 0)
				memcpy(copy, b.at, cut);
			if (flip < cut)
				copy[flip] = (char)~copy[flip];
			if (row_open(str_n(copy, cut), &r, &e) != RC_OK) {
				assert_int_equal(e.rc, RC_IO);
				refused++;
			} else {
				for (size_t i = 0; i < r.n && i < N; i++)
					refused += row_get(&r, i, kinds[i], &v, &e) != RC_OK;
			}
			test_free(copy);
		}
	}
	assert_true(refused > 100);
	buf_deinit(&b);
}

static str key_of(char out[ROW_KEY_MAX], const str *key, size_t n)
{
	return str_n(out, row_key(out, STR("feat/v/mt_1/"), key, n));
}

static void keys_differ(void **state)
{
	char x[ROW_KEY_MAX], y[ROW_KEY_MAX];
	char longer[600], other[600];

	(void)state;
	/* ("1", "11") and ("11", "1"): text put together without lengths would be the same. */
	assert_false(str_eq(key_of(x, (const str[]){ STR("1"), STR("11") }, 2), key_of(y, (const str[]){ STR("11"), STR("1") }, 2)));
	assert_false(str_eq(key_of(x, (const str[]){ STR("a"), STR("") }, 2), key_of(y, (const str[]){ STR(""), STR("a") }, 2)));
	assert_false(str_eq(key_of(x, (const str[]){ STR("a") }, 1), key_of(y, (const str[]){ STR("b") }, 1)));
	assert_true(str_eq(key_of(x, (const str[]){ STR("a") }, 1), key_of(y, (const str[]){ STR("a") }, 1)));
	memset(longer, 'x', sizeof(longer));
	memcpy(other, longer, sizeof(other));
	other[599] = 'y';
	const str two[] = { str_n(longer, sizeof(longer)), str_n(other, sizeof(other)) };
	str kx = key_of(x, &two[0], 1), ky = key_of(y, &two[1], 1);
	assert_true(kx.len <= ROW_KEY_MAX);
	assert_false(str_eq(kx, ky));
	/* Where a long text is cut among several keys matters too. */
	const str cut1[] = { str_n(longer, 599), str_n(longer + 599, 1) }, cut2[] = { str_n(longer, 598), str_n(longer + 598, 2) };
	assert_false(str_eq(key_of(x, cut1, 2), key_of(y, cut2, 2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back),
		cmocka_unit_test(nan_is_no_value),
		cmocka_unit_test(a_full_buffer_is_told),
		cmocka_unit_test(damage_is_contained),
		cmocka_unit_test(keys_differ),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
