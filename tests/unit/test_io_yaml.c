/* test_io_yaml.c -- YAML as tokens: kinds, places, and what is refused so that a file means what it shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "io/yaml.h"

struct thing { str name; int64_t n; double share; bool on; struct list words; int64_t ttl_ms; };
static const struct field thing_fields[] = {
	FIELD(thing, name, K_STR, F_REQUIRED, "Name"),
	FIELD(thing, n, K_I64, 0, "Number"),
	FIELD(thing, share, K_F64, 0, "Share"),
	FIELD(thing, on, K_BOOL, 0, "Switch"),
	FIELD(thing, words, K_STRS, 0, "Words"),
	FIELD(thing, ttl_ms, K_MS, 0, "Life", .name = "ttl"),
};
static const struct record thing_record = RECORD(thing, thing_fields, "A thing");

static int set_up(void **state)
{
	static struct arena a;

	arena_init(&a);
	*state = &a;
	return 0;
}

static int tear_down(void **state)
{
	arena_deinit(*state);
	return 0;
}

/* "{k name s text p 3}": kinds as letters, so that a document's tokens are one line. */
static str tokens(struct arena *a, str text, struct err *e)
{
	static const char *const letter[] = { [TOK_NULL] = "z", [TOK_BOOL] = "b", [TOK_NUMBER] = "n", [TOK_STRING] = "s", [TOK_PLAIN] = "p",
					      [TOK_OBJECT] = "{", [TOK_ARRAY] = "[", [TOK_KEY] = "k", [TOK_END] = ".", [TOK_EOF] = "" };
	struct token_source *src;
	struct token t = { .kind = TOK_NULL };
	str out = STR("");

	if (yaml_source_new(text, a, "file.yaml", &src, e) != RC_OK)
		return arena_dup(a, str_of(e->msg));
	while (t.kind != TOK_EOF) {
		if (token_next(src, &t, e) != RC_OK)
			return arena_dup(a, str_of(e->msg));
		bool has_text = t.kind == TOK_STRING || t.kind == TOK_PLAIN || t.kind == TOK_KEY;
		out = arena_printf(a, STR_FMT "%s%s" STR_FMT "%s", STR_ARG(out), letter[t.kind], has_text ? ":" : "", STR_ARG(t.text),
				   t.kind == TOK_EOF ? "" : " ");
	}
	return str_trim(out);
}

static void test_tokens(void **state)
{
	static const struct { const char *yaml, *tokens; } row[] = {
		{ "a: 1\nb: 'x'\n", "{ k:a p:1 k:b s:x ." },
		{ "- one\n- \"two\\n\"\n- [3, {k: v}]\n", "[ p:one s:two\n [ p:3 { k:k p:v . . ." },
		{ "text: |\n  line one\n  line: two\nfolded: >-\n  a\n  b\n", "{ k:text s:line one\nline: two\n k:folded s:a b ." },
		{ "a:\nb: ~\nc: null\n", "{ k:a p: k:b p:~ k:c p:null ." },
		{ "# comment\n---\na: b # more\n...\n", "{ k:a p:b ." },
		{ "just text\n", "p:just text" },
		{ "{\"json\": [1, true, null]}", "{ k:json [ p:1 p:true p:null . ." },
		{ "\xc3\xa9: \xe2\x82\xac\n", "{ k:\xc3\xa9 p:\xe2\x82\xac ." },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct err e = ERR_INIT;
		assert_string_equal(arena_cstr(*state, tokens(*state, str_of(row[i].yaml), &e)), row[i].tokens);
	}
}

static void test_refusals_name_their_place(void **state)
{
	static const struct { const char *yaml, *message; } row[] = {
		{ "a: &x 1\nb: 2\n", "file.yaml:1:4: anchors are not allowed" },
		{ "a: 1\nb: *x\n", "file.yaml:2:4: aliases are not allowed" },
		{ "a: &x {b: 1}\n", "file.yaml:1:4: anchors and tags are not allowed" },
		{ "a: !!python/object 1\n", "file.yaml:1:4: tags are not allowed" },
		{ "a: !t [1]\n", "file.yaml:1:4: anchors and tags are not allowed" },
		{ "<<: {a: 1}\n", "file.yaml:1:1: merge keys are not allowed" },
		{ "? [a, b]\n: 1\n", "file.yaml:1:3: a key must be plain text" },
		{ "a: 1\n---\nb: 2\n", "file.yaml:2:1: only one document is allowed" },
		{ "", "file.yaml:1:1: the file is empty" },
		{ "# only a comment\n", "the file is empty" },
		{ "a: [1, 2\n", "not valid YAML" },
		{ "a: 1\n b: 2\n", "file.yaml:2:" },
		{ "a:\t- 1\n", "not valid YAML" },
		{ "a: \"no end\n", "not valid YAML" },
		{ "a: \xff\n", "file.yaml: not UTF-8" },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct err e = ERR_INIT;
		str said = tokens(*state, str_of(row[i].yaml), &e);
		assert_int_equal(e.rc, RC_INVALID);
		if (str_find(said, str_of(row[i].message)) < 0)
			fail_msg("row %zu: " STR_FMT " is not %s", i, STR_ARG(said), row[i].message);
	}
}

static void test_bombs(void **state)
{
	struct arena *a = *state;
	struct err e = ERR_INIT;
	char *deep = arena_alloc(a, 100001), *long_text = arena_alloc(a, (1u << 20) + 2);

	memset(deep, '[', 100000);
	assert_true(str_find(tokens(a, str_n(deep, 200), &e), STR("nested too deeply")) > 0);
	(void)tokens(a, str_n(deep, 100000), &e);
	assert_int_equal(e.rc, RC_INVALID);
	memset(long_text, 'x', (1u << 20) + 1);
	(void)tokens(a, str_n(long_text, (1u << 20) + 1), &e);
	assert_int_equal(e.rc, RC_TOO_LARGE);
}

static void test_records(void **state)
{
	struct arena *a = *state;
	struct err e = ERR_INIT;
	struct thing t;

	assert_int_equal(record_from_yaml(&thing_record, STR("name: 17\nn: '3'\nshare: 1e-3\non: true\nwords: [a, \"b c\", 3]\nttl: 1h30m\n"),
					  "thing.yaml", a, 0, &t, &e), RC_OK);
	assert_true(str_eq(t.name, STR("17")));         /* a plain scalar is what its field is */
	assert_int_equal(t.n, 3);
	assert_true(t.on && t.share > 0.0009 && t.share < 0.0011);
	assert_int_equal(t.words.n, 3);
	assert_true(str_eq(*LIST_AT(t.words, str, 2), STR("3")));
	assert_int_equal(t.ttl_ms, 5400000);
	static const struct { const char *yaml, *message; } row[] = {
		{ "name: a\nnn: 1\n", "thing.yaml:2:1" },
		{ "name: a\nn: many\n", "thing.yaml:2:4" },
		{ "name: a\nwords: one\n", "thing.yaml:2:8" },
		{ "name: a\nname: b\n", "thing.yaml:2:" },
		{ "n: 1\n", "thing.yaml:1:1" },
		{ "- name: a\n", "thing.yaml:1:1" },
		{ "name: a\nttl: soon\n", "thing.yaml:2:6" },
	};
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(record_from_yaml(&thing_record, str_of(row[i].yaml), "thing.yaml", a, 0, &t, &e), RC_INVALID);
		if (strstr(e.msg, row[i].message) == NULL)
			fail_msg("row %zu: %s is not %s", i, e.msg, row[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_name_their_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bombs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_records, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
