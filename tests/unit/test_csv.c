/* test_csv.c -- records of CSV text, and that every line of the text is in one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "modules/lake/csv.h"

/* Records as "line:value|value" joined by spaces; "-" is no value, "!" a problem with its raw text. */
static void render(str data, size_t n_expected, struct buf *b)
{
	struct source_row r;
	struct csv c;
	int64_t lines = 0;

	csv_init(&c, data, ',');
	c.n_expected = n_expected;
	while (csv_next(&c, &r)) {
		buf_addf(b, "%s%lld:", b->len > 0 ? " " : "", (long long)r.line);
		if (r.problem.len > 0)
			buf_addf(b, "!" STR_FMT, STR_ARG(r.raw));
		for (size_t i = 0; i < r.n; i++) {
			buf_add(b, i > 0 ? STR("|") : STR(""));
			buf_add(b, r.value[i].at == NULL ? STR("-") : r.value[i].len == 0 ? STR("''") : r.value[i]);
		}
		lines += r.n_lines;
	}
	assert_int_equal(lines + c.n_blank, csv_lines(str_starts(data, STR("\xef\xbb\xbf")) ? str_skip(data, 3) : data));
	csv_deinit(&c);
	buf_add(b, STR(""));
}

static const struct { const char *text; size_t n_expected; const char *records, *why; } cases[] = {
	{ "", 0, "", "nothing" },
	{ "a,b\n1,2\n", 0, "1:a|b 2:1|2", "plain" },
	{ "a,b\r\n1,2", 0, "1:a|b 2:1|2", "CRLF, and no end of the last line" },
	{ "a\r1\r", 0, "1:a 2:1", "old CR" },
	{ "\xef\xbb\xbf" "a,b\n", 0, "1:a|b", "a byte order mark is no part of the name" },
	{ "a,,\n", 0, "1:a|-|-", "empty is absent" },
	{ "a,\"\",b\n", 0, "1:a|''|b", "empty in quotes is an empty text" },
	{ "\"x,y\",\"he said \"\"no\"\"\"\n", 0, "1:x,y|he said \"no\"", "quotes" },
	{ "\"two\nlines\",b\nc,d\n", 0, "1:two\nlines|b 3:c|d", "a line end in quotes" },
	{ "a,b\n\n\n1,2\n", 2, "1:a|b 4:1|2", "blank lines are no rows" },
	{ "a\n\n1\n", 1, "1:a 2:- 3:1", "but for one column they are rows without a value" },
	{ "1,2\n1\n1,2,3\n3,4\n", 2, "1:1|2 2:!1 3:!1,2,3 4:3|4", "ragged" },
	{ "1,\"x\n2,y\n", 2, "1:!1,\"x 2:2|y", "an open quote costs its line, not the file" },
	{ "1,\"x\"y\n2,z\n", 2, "1:!1,\"x\"y 2:2|z", "text behind a closing quote" },
	{ "1,a\"b\n", 2, "1:1|a\"b", "a quote inside a plain field is itself" },
	{ "1,\xff\n2,x\n", 2, "1:!1,\xff 2:2|x", "not UTF-8" },
	{ "\"a\nb\",c,d\n1,2\n", 2, "1:!\"a 2:!b\",c,d 3:1|2", "a ragged record over two lines is given up line by line" },
};

static void records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(4096);
		render(str_of(cases[i].text), cases[i].n_expected, &b);
		if (strcmp(b.at, cases[i].records) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].why, b.at, cases[i].records);
		buf_deinit(&b);
	}
}

static void nul_bytes_are_a_problem(void **state)
{
	struct source_row r;
	struct csv c;

	(void)state;
	csv_init(&c, str_n("a,\0\nb,c\n", 8), ',');
	assert_true(csv_next(&c, &r));
	assert_true(str_eq(r.problem, STR("a NUL byte")));
	assert_true(csv_next(&c, &r));
	assert_int_equal(r.problem.len, 0);
	csv_deinit(&c);
}

/* A quote opened just before the limit and doubled quotes on it: what the scan must not step over. */
static void quotes_at_the_limit_of_a_record(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t shift = 0; shift < 4; shift++) {
		size_t n = CSV_RECORD_MAX + 64;
		char *text = arena_alloc_raw(&a, n);
		memset(text, 'x', n);
		text[0] = '"';
		memset(text + CSV_RECORD_MAX - 4 + shift, '"', 8);
		text[n - 1] = '\n';
		struct source_row r;
		struct csv c;
		int64_t lines = 0;
		csv_init(&c, str_n(text, n), ',');
		while (csv_next(&c, &r))
			lines += r.n_lines;
		assert_int_equal(lines, 1);
		csv_deinit(&c);
	}
	arena_deinit(&a);
}

static void delimiters_are_found(void **state)
{
	(void)state;
	assert_int_equal(csv_sniff(STR("a;b;c\n1,5;2;3\n")), ';');
	assert_int_equal(csv_sniff(STR("a\tb\n1\t2\n")), '\t');
	assert_int_equal(csv_sniff(STR("a|b\n1|2\n")), '|');
	assert_int_equal(csv_sniff(STR("a\n1\n")), ',');
	assert_int_equal(csv_sniff(STR("")), ',');
}

static const struct { const char *text, *says; } headers[] = {
	{ "", "the file is empty" },
	{ "\n\n", "the file is empty" },
	{ "a,b,A\n", "two columns are named 'A'" },
	{ "\"a\n", "a quote is never closed" },
	{ ",column_1\n", "two columns are named 'column_1'" },
};

static void headers_that_are_refused(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct err e = ERR_INIT;
		struct csv c;
		size_t n;
		str *name;
		csv_init(&c, str_of(headers[i].text), ',');
		assert_int_equal(csv_header(&c, &a, &name, &n, &e), RC_INVALID);
		assert_non_null(strstr(e.msg, headers[i].says));
		csv_deinit(&c);
	}
	struct err e = ERR_INIT;
	struct csv c;
	size_t n;
	str *name;
	csv_init(&c, STR(" a , \"b\"\n"), ',');
	assert_int_equal(csv_header(&c, &a, &name, &n, &e), RC_OK);
	assert_int_equal(n, 2);
	assert_true(str_eq(name[0], STR("a")));
	csv_deinit(&c);
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records), cmocka_unit_test(nul_bytes_are_a_problem), cmocka_unit_test(quotes_at_the_limit_of_a_record),
		cmocka_unit_test(delimiters_are_found), cmocka_unit_test(headers_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
