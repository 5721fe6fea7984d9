/* test_json.c -- JSON in and out: what is taken, what is refused and where, and that what is written reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"

struct row { const char *text; bool good; const char *why; };

static enum rc read_all(str text, struct arena *a, struct err *e)
{
	struct json_source s;
	struct token t;

	json_source_init(&s, text, a, "test");
	do {
		TRY(token_next(&s.super, &t, e));
	} while (t.kind != TOK_EOF);
	return RC_OK;
}

static void takes_and_refuses(void **state)
{
	static const struct row rows[] = {
		{ "{}", true, "empty object" },
		{ " [1, 2.5e-3, -0, true, null, \"x\"] ", true, "every kind" },
		{ "[NaN, Infinity, -Infinity]", true, "Python's numbers" },
		{ "\"\\ud83d\\ude00\"", true, "a surrogate pair" },
		{ "", false, "nothing" },
		{ "{} {}", false, "two values" },
		{ "[1,]", false, "comma before the end" },
		{ "{\"a\" 1}", false, "colon missing" },
		{ "{a: 1}", false, "bare key" },
		{ "\"\\x\"", false, "unknown escape" },
		{ "\"\\ud83d\"", false, "half a surrogate pair" },
		{ "\"a\nb\"", false, "raw control character" },
		{ "[1", false, "not closed" },
		{ "01", false, "leading zero" },
		{ "+1", false, "plus sign" },
		{ "tru", false, "cut word" },
		{ "\"\xff\"", false, "not UTF-8" },
		{ "[}", false, "wrong bracket" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		enum rc rc = read_all(str_of(rows[i].text), &a, &e);
		if ((rc == RC_OK) != rows[i].good)
			fail_msg("%s: %s", rows[i].why, rc == RC_OK ? "was taken" : e.msg);
		if (!rows[i].good)
			assert_int_equal(rc, RC_INVALID);
	}
	arena_deinit(&a);
}

static void depth_is_bounded(void **state)
{
	struct err e = ERR_INIT;
	struct arena a;
	char deep[2000];

	(void)state;
	arena_init(&a);
	memset(deep, '[', sizeof(deep));
	assert_int_equal(read_all(str_n(deep, sizeof(deep)), &a, &e), RC_INVALID);
	arena_deinit(&a);
}

static void errors_name_line_and_column(void **state)
{
	struct err e = ERR_INIT;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_int_equal(read_all(STR("{\n  \"a\": 1,\n  \"b\": x\n}"), &a, &e), RC_INVALID);
	assert_non_null(strstr(e.msg, "line 3, column 8"));
	arena_deinit(&a);
}

static void strings_are_unescaped_and_escaped(void **state)
{
	struct err e = ERR_INIT;
	struct json_source s;
	struct token t;
	struct arena a;
	struct buf b = BUF_INIT(1000);
	struct jw w;
	const char text[] = "q\"b\\n\nt\tz\x01\xc3\xa9";
	str in = str_n(text, sizeof(text) - 1);

	(void)state;
	arena_init(&a);
	jw_init(&w, &b);
	jw_str(&w, in);
	assert_string_equal(b.at, "\"q\\\"b\\\\n\\nt\\tz\\u0001\xc3\xa9\"");
	json_source_init(&s, buf_str(&b), &a, "test");
	assert_int_equal(token_next(&s.super, &t, &e), RC_OK);
	assert_true(str_eq(t.text, in));
	buf_deinit(&b);
	arena_deinit(&a);
}

static void writer_places_commas(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct jw w;

	(void)state;
	jw_init(&w, &b);
	jw_object(&w);
	jw_array_key(&w, STR("a"));
	jw_i64(&w, -1);
	jw_f64(&w, 0.1);
	jw_f64(&w, NAN);
	jw_f64(&w, -INFINITY);
	jw_null(&w);
	jw_end_array(&w);
	jw_object_key(&w, STR("o"));
	jw_end_object(&w);
	jw_bool_key(&w, "b", false);
	jw_end_object(&w);
	assert_string_equal(b.at, "{\"a\":[-1,0.1,\"NaN\",\"-Infinity\",null],\"o\":{},\"b\":false}");
	buf_deinit(&b);
}

static void numbers_are_shortest_and_exact(void **state)
{
	static const double values[] = { 0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789012345680.0, -0.0, 1e21, 2.5 };
	char text[NUM_TEXT_MAX];
	double back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		size_t n = num_put_f64(text, values[i]);
		assert_true(n > 0 && n <= NUM_TEXT_MAX);
		assert_int_equal(num_get_f64(text, text + n, &back), n);
		assert_memory_equal(&back, &values[i], sizeof(back));
	}
}

static void full_buffers_say_so(void **state)
{
	struct buf b = BUF_INIT(8);
	struct jw w;

	(void)state;
	jw_init(&w, &b);
	jw_str(&w, STR("longer than eight"));
	assert_true(b.overflowed);
	assert_true(b.len <= 8);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_and_refuses),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(errors_name_line_and_column),
		cmocka_unit_test(strings_are_unescaped_and_escaped),
		cmocka_unit_test(writer_places_commas),
		cmocka_unit_test(numbers_are_shortest_and_exact),
		cmocka_unit_test(full_buffers_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
