/* test_json_rows.c -- lines and lists of JSON objects as rows of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "modules/lake/json_rows.h"

static enum rc render(str data, struct buf *b, struct err *e)
{
	struct json_rows j;
	struct source_row r;
	struct arena a;
	bool end = false;
	enum rc rc;

	arena_init(&a);
	rc = json_rows_open(&j, data, &a, e);
	for (size_t pass = 0; rc == RC_OK && pass < 2; pass++) {
		buf_clear(b);
		json_rows_rewind(&j);
		while ((rc = json_rows_next(&j, &r, &end, e)) == RC_OK && !end) {
			buf_addf(b, "%s%lld:", b->len > 0 ? " " : "", (long long)r.line);
			if (r.problem.len > 0)
				buf_addf(b, "!" STR_FMT, STR_ARG(r.raw));
			for (size_t i = 0; i < r.n; i++) {
				buf_add(b, i > 0 ? STR("|") : STR(""));
				buf_add(b, r.value[i].at == NULL ? STR("-") : r.value[i].len == 0 ? STR("''") : r.value[i]);
			}
		}
	}
	if (rc == RC_OK)
		json_rows_close(&j);
	buf_add(b, STR(""));
	arena_deinit(&a);
	return rc;
}

static const struct { const char *text, *rows, *why; } cases[] = {
	{ "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"\",\"c\":true}\n", "1:1|x|- 2:-|''|true", "keys in order of appearance, null and absent alike" },
	{ "{\"a\":null}\r\n\r\n{\"a\":1.50}", "1:- 3:1.50", "CRLF, blank lines, numbers as written" },
	{ "{\"a\":{\"x\":[1, 2]}}\n{\"a\":[]}\n", "1:{\"x\":[1, 2]} 2:[]", "structures as their JSON" },
	{ "{\"a\":\"\\u00e9\\n\"}\n", "1:\xc3\xa9\n", "escapes" },
	{ "{\"a\":1}\nnope\n{\"a\":2\n[3]\n{\"a\":4} x\n", "1:1 2:!nope 3:!{\"a\":2 4:![3] 5:!{\"a\":4} x", "broken lines are given with their text" },
	{ "{\"a\":1}\n{\"b\":2,\n", "1:1 2:!{\"b\":2,", "a broken row adds no column" },
	{ "[{\"a\":1},\n\n{\"a\":2}, 3]", "1:1 3:2 3:!3", "a list" },
	{ " [ ] ", "", "an empty list" },
	{ "\xef\xbb\xbf{\"a\":1}", "1:1", "a byte order mark" },
	{ "\f[{\"a\":1}]", "1:!\f[{\"a\":1}]", "a form feed is no white space of JSON" },
	{ "", "", "nothing" },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(4096);
		struct err e = ERR_INIT;
		if (render(str_of(cases[i].text), &b, &e) != RC_OK)
			fail_msg("%s: %s", cases[i].why, e.msg);
		if (strcmp(b.at, cases[i].rows) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].why, b.at, cases[i].rows);
		buf_deinit(&b);
	}
}

static const char *const broken[] = { "[{\"a\":1}", "[{\"a\":1},]", "[{\"a\":1}]x", "[{\"a\":1} {\"a\":2}]", "{\"\":1}" };

static void files_that_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct buf b = BUF_INIT(4096);
		struct err e = ERR_INIT;
		if (render(str_of(broken[i]), &b, &e) != RC_INVALID)
			fail_msg("'%s' was taken", broken[i]);
		buf_deinit(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(files_that_are_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
