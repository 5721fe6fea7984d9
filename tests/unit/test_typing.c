/* test_typing.c -- which texts are values of which type, and the type of a column of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "modules/lake/typing.h"

#define B (1u << TYPE_BOOLEAN)
#define I (1u << TYPE_BIGINT)
#define D (1u << TYPE_DOUBLE)
#define T (1u << TYPE_TIMESTAMP)

static const struct { const char *text; unsigned types; const char *why; } values[] = {
	{ "true", B, "" }, { "FALSE", B, "any case" }, { "yes", 0, "words are text" }, { "1", I | D, "not a boolean" },
	{ "-7", I | D, "" }, { "+7", I | D, "" }, { " 42 ", I | D, "white space around" }, { "4 2", 0, "but not inside" },
	{ "007", 0, "leading zeros are not lost" }, { "0", I | D, "" }, { "-0", I | D, "" }, { "00.5", 0, "" }, { "0.5", D, "" },
	{ "9223372036854775807", I | D, "the greatest" }, { "9223372036854775808", 0, "beyond 64 bits digits would be lost" },
	{ "1.5e3", D, "" }, { "1e400", 0, "overflow" }, { ".5", D, "spreadsheets" }, { "-.5", D, "" }, { "5.", D, "" }, { ".", 0, "" },
	{ "1,5", 0, "" }, { "0x10", 0, "" }, { "nan", D, "" }, { "-inf", D, "" }, { "--1", 0, "" }, { "+-1", 0, "" }, { "-", 0, "" },
	{ "2019-03-23", T, "" }, { "2019-03-23 20:21", T, "" }, { "2019-03-23T20:21:09Z", T, "" }, { "2019-03-23 20:21:09.123456", T, "" },
	{ "2019-03-23 20:21:09.123456000", T, "" }, { "2019-03-23 20:21:09.1234567", 0, "finer than microseconds" },
	{ "2019-03-23T20:21:09+02:00", T, "" }, { "2019-02-30", 0, "" }, { "2019-3-3", 0, "" }, { "23.03.2019", 0, "" },
	{ "2019-03-23 25:00", 0, "" }, { "2019-03-23 20:21:09.", 0, "" }, { "1.5-02-03", 0, "" }, { "", 0, "" },
};

static void which_texts_are_which(void **state)
{
	struct value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		for (int t = TYPE_BOOLEAN; t < TYPE_VARCHAR; t++) {
			if (value_read((enum value_type)t, str_of(values[i].text), &v) != ((values[i].types >> t & 1) != 0))
				fail_msg("'%s' as %s (%s)", values[i].text, value_type_names[t], values[i].why);
		}
		assert_true(value_read(TYPE_VARCHAR, str_of(values[i].text), &v));
	}
}

static void what_they_are(void **state)
{
	struct value v;

	(void)state;
	assert_true(value_read(TYPE_TIMESTAMP, STR("2019-03-23T20:21:09.25+02:00"), &v));
	assert_int_equal(v.i, INT64_C(1553365269250000));
	assert_true(value_read(TYPE_TIMESTAMP, STR("1969-12-31 23:59:59.999999"), &v));
	assert_int_equal(v.i, -1);
	assert_true(value_read(TYPE_DOUBLE, STR("-.5"), &v));
	assert_true(v.f == -0.5);
	assert_true(value_read(TYPE_DOUBLE, STR("-7"), &v));
	assert_true(v.f == -7);
	assert_true(value_is_null(TYPE_BIGINT, STR("  ")));
	assert_false(value_is_null(TYPE_VARCHAR, STR("  ")));
	assert_true(value_is_null(TYPE_VARCHAR, STR_NONE));
}

static const struct { const char *values; double tolerance; bool text_only; enum value_type type; } columns[] = {
	{ "1|2|3", 0, false, TYPE_BIGINT },          { "1|2.5", 0, false, TYPE_DOUBLE },        { "1|x", 0, false, TYPE_VARCHAR },
	{ "|", 0, false, TYPE_VARCHAR },             { "|7|", 0, false, TYPE_BIGINT },          { "true|false", 0, false, TYPE_BOOLEAN },
	{ "true|1", 0, false, TYPE_VARCHAR },        { "2019-03-01|2019-03-01 10:00", 0, false, TYPE_TIMESTAMP },
	{ "2019-03-01|1", 0, false, TYPE_VARCHAR },  { "nan|inf", 0, false, TYPE_VARCHAR },     { "nan|1", 0, false, TYPE_DOUBLE },
	{ "9007199254740993|1.5", 0, false, TYPE_VARCHAR },     /* as a double the first would be another number */
	{ "9007199254740993|1", 0, false, TYPE_BIGINT },        { "01|1", 0, false, TYPE_VARCHAR },
	{ "1|2|3|x", 0.25, false, TYPE_BIGINT },     { "1|2|3|x", 0.24, false, TYPE_VARCHAR },  { "1|2", 0, true, TYPE_VARCHAR },
	{ "2019-03-01", 0, true, TYPE_TIMESTAMP },
};

static void a_column_has_the_narrowest_type_of_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		struct guess g = { .text_only = columns[i].text_only };
		str rest = str_of(columns[i].values), part;
		while (str_cut(&rest, '|', &part))
			guess_add(&g, part);
		if (guess_type(&g, columns[i].tolerance) != columns[i].type)
			fail_msg("%s: %s", columns[i].values, value_type_names[guess_type(&g, columns[i].tolerance)]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_texts_are_which), cmocka_unit_test(what_they_are), cmocka_unit_test(a_column_has_the_narrowest_type_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
