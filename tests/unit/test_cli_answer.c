/* How answers are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../src/cli/answer.c"

static struct value *parse(struct arena *a, const char *json)
{
	struct err e = ERR_INIT;
	struct value *v = NULL;

	if (value_parse(str_of(json), a, &v, &e) != RC_OK)
		fail_msg("%s", e.msg);
	return v;
}

/* Runs the lines that print, with standard output in memory. */
#define PRINTED(text, call)                                                                                         \
	do {                                                                                                         \
		FILE *real = stdout;                                                                                 \
		size_t printed_len = 0;                                                                              \
		stdout = open_memstream(&(text), &printed_len);                                                      \
		call;                                                                                                \
		fclose(stdout);                                                                                      \
		stdout = real;                                                                                       \
	} while (0)

static void paths_reach_into_objects_and_lists(void **state)
{
	struct arena a;
	double n;

	(void)state;
	arena_init(&a);
	struct value *v = parse(&a, "{\"a\":{\"b\":[{\"c\":1.5},{\"c\":\"two\"}]},\"t\":true,\"z\":null}");
	assert_true(value_number(value_at(v, "a.b.0.c"), &n));
	assert_true(n == 1.5);
	assert_true(str_eq(value_text(value_at(v, "a.b.1.c"), &a), STR("two")));
	assert_null(value_at(v, "a.b.2.c"));
	assert_null(value_at(v, "a.x"));
	assert_true(str_eq(value_text(value_at(v, "t"), &a), STR("yes")));
	assert_true(str_eq(value_text(value_at(v, "z"), &a), STR("")));
	assert_true(str_eq(value_text(value_at(v, "a"), &a), STR("{\"b\":[{\"c\":1.5},{\"c\":\"two\"}]}")));
	arena_deinit(&a);
}

static void bad_json_is_an_error(void **state)
{
	struct err e = ERR_INIT;
	struct value *v;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_int_not_equal(value_parse(STR("{\"a\":"), &a, &v, &e), RC_OK);
	assert_int_not_equal(value_parse(STR("{} x"), &a, &v, &e), RC_OK);
	arena_deinit(&a);
}

static void values_are_shown_for_people(void **state)
{
	static const struct { const char *json; enum show show; const char *text; } shown[] = {
		{ "6433", SHOW_COUNT, "6,433" },         { "-1234567", SHOW_COUNT, "-1,234,567" }, { "12", SHOW_COUNT, "12" },
		{ "999", SHOW_BYTES, "999 B" },          { "138240", SHOW_BYTES, "138 kB" },       { "1500000", SHOW_BYTES, "1.5 MB" },
		{ "0.123456", SHOW_NUMBER, "0.12346" },  { "0.5", SHOW_SHARE, "50.0 %" },          { "250", SHOW_US, "250 µs" },
		{ "2500", SHOW_US, "2.50 ms" },          { "null", SHOW_COUNT, "-" },              { "\"\"", SHOW_TEXT, "-" },
		{ "\"2026-01-02T03:04:05.678Z\"", SHOW_TIME, "2026-01-02 03:04:05" },
		{ "1546300800000", SHOW_TIME_MS, "2019-01-01 00:00:00" },
		{ "\"no number\"", SHOW_COUNT, "no number" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		str text = value_shown(parse(&a, shown[i].json), shown[i].show, &a);
		if (!str_eq(text, str_of(shown[i].text)))
			fail_msg("case %zu: " STR_FMT, i, STR_ARG(text));
	}
	arena_deinit(&a);
}

static void lines_have_values_conditions_and_lists(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	struct cli c = { .arena = &a };
	struct value *v = parse(&a, "{\"n\":1234,\"skipped\":false,\"why\":\"x\",\"out\":[{\"id\":\"a@1\"},{\"id\":\"b@2\"}]}");
	str line = answer_line(&c, "{n:count} rows{?skipped}, skipped: {why}{/}{!skipped}, published {out.*.id}{/}.", v);
	assert_true(str_eq(line, STR("1,234 rows, published a@1, b@2.")));
	assert_true(str_eq(answer_line(&c, "plain", v), STR("plain")));
	assert_true(str_eq(answer_line(&c, "{none}", v), STR("-")));
	arena_deinit(&a);
}

static void tables_are_aligned(void **state)
{
	static const struct column columns[] = { { "name", "name", SHOW_TEXT }, { "n", "rows", SHOW_COUNT }, { .path = NULL } };
	struct arena a;
	char *text = NULL;

	(void)state;
	arena_init(&a);
	struct cli c = { .arena = &a };
	struct value *v = parse(&a, "[{\"name\":\"für\",\"n\":5},{\"name\":\"trips\",\"n\":6433}]");
	PRINTED(text, answer_print_list(&c, v, columns));
	assert_string_equal(text, "name    rows\nfür        5\ntrips  6,433\n");
	free(text);
	PRINTED(text, answer_print_list(&c, parse(&a, "[]"), columns));
	assert_string_equal(text, "none\n");
	free(text);
	arena_deinit(&a);
}

static void a_list_without_columns_shows_all_keys(void **state)
{
	struct arena a;
	char *text = NULL;

	(void)state;
	arena_init(&a);
	struct cli c = { .arena = &a };
	PRINTED(text, answer_print_list(&c, parse(&a, "[{\"a\":1},{\"a\":2,\"b\":\"x\"}]"), NULL));
	assert_string_equal(text, "a  b\n1  -\n2  x\n");
	free(text);
	arena_deinit(&a);
}

/* What stands in data must not steer the terminal. */
static void control_characters_do_not_reach_the_terminal(void **state)
{
	static const struct column columns[] = { { "a", "a", SHOW_TEXT }, { .path = NULL } };
	struct arena a;
	char *text = NULL;

	(void)state;
	arena_init(&a);
	struct cli c = { .arena = &a };
	PRINTED(text, answer_print_list(&c, parse(&a, "[{\"a\":\"x\\u001b[31my\\nz\"}]"), columns));
	assert_null(strchr(text, '\033'));
	assert_string_equal(text, "a\nx [31my z\n");
	free(text);
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_reach_into_objects_and_lists), cmocka_unit_test(bad_json_is_an_error),
		cmocka_unit_test(values_are_shown_for_people), cmocka_unit_test(lines_have_values_conditions_and_lists),
		cmocka_unit_test(tables_are_aligned), cmocka_unit_test(a_list_without_columns_shows_all_keys),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
