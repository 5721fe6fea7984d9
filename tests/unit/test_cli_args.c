/* How words become a command and its record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/cli/args.c"
#include "../../src/cli/help.c"

struct sample { str name, sql; int64_t limit; double rate; bool fast; struct list tags, pairs; int32_t kind; };
static const char *const kind_names[] = { "csv", "json", NULL };
static const struct field sample_fields[] = {
	FIELD(sample, name, K_STR, F_KEY | F_REQUIRED, "Name"),
	FIELD(sample, pairs, K_PAIRS, F_KEY, "Pairs"),
	FIELD(sample, limit, K_I64, 0, "How many", .min = 1, .max = 100, .def = "20"),
	FIELD(sample, rate, K_F64, 0, "Rate"),
	FIELD(sample, fast, K_BOOL, 0, "Fast"),
	FIELD(sample, tags, K_STRS, 0, "Tags", .name = "many_tags"),
	FIELD(sample, kind, K_ENUM, 0, "Kind", .names = kind_names),
};
static const struct record sample_record = RECORD(sample, sample_fields, "A sample");
static const struct field must_fields[] = {
	FIELD(sample, name, K_STR, F_KEY | F_REQUIRED, "Name"),
	FIELD(sample, sql, K_STR, F_REQUIRED, "Text"),
};
static const struct record must_record = RECORD(sample, must_fields, "A must");

static const struct command commands[] = {
	{ .noun = "dataset", .verb = "show", .doc = "Shows", .in = &sample_record },
	{ .noun = "dataset", .verb = "list", .doc = "Lists" },
	{ .noun = "verify", .doc = "Verifies", .in = &must_record },
	{ .noun = "status", .doc = "Tells" },
};
FAMILY(commands, "All:");
const struct family *const cli_families[] = { &commands_family };
const size_t n_cli_families = ARRAY_LEN(cli_families);

struct parsed { struct arena arena; struct cli cli; const struct command *command; struct sample *in; str noun; struct err e; enum rc rc; };

static void parse(struct parsed *p, int argc, const char *const *words)
{
	union { const char *const *in; char **out; } argv = { .in = words };
	void *in = NULL;

	memset(p, 0, sizeof(*p));
	arena_init(&p->arena);
	p->cli.arena = &p->arena;
	p->rc = args_parse(&p->cli, argc, argv.out, &p->command, &p->noun, &in, &p->e);
	p->in = in;
}
#define PARSE(p, ...) parse(p, (int)ARRAY_LEN(((const char *[]){ "cairn", __VA_ARGS__ })), (const char *const[]){ "cairn", __VA_ARGS__ })

static void words_and_flags_fill_the_record(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--url", "http://x", "dataset", "show", "--fast", "trips", "--limit=7", "zone=Midtown Center", "--many-tags", "a,b", "rate=-1",
	      "--rate", "-2.5", "--kind", "json", "--json");
	assert_int_equal(p.rc, RC_OK);
	assert_ptr_equal(p.command, &commands[0]);
	assert_true(str_eq(p.in->name, STR("trips")));
	assert_int_equal(p.in->limit, 7);
	assert_true(p.in->fast);
	assert_true(p.in->rate == -2.5);
	assert_int_equal(p.in->kind, 1);
	assert_int_equal(p.in->tags.n, 2);
	assert_int_equal(p.in->pairs.n, 2);
	assert_true(str_eq(LIST_AT(p.in->pairs, struct pair, 0)->value, STR("Midtown Center")));
	assert_true(str_eq(LIST_AT(p.in->pairs, struct pair, 1)->value, STR("-1")));
	assert_true(p.cli.global.json);
	assert_true(str_eq(p.cli.global.url, STR("http://x")));
	arena_deinit(&p.arena);
}

static void defaults_stand_and_are_not_given(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "dataset", "show", "trips");
	assert_int_equal(p.rc, RC_OK);
	assert_int_equal(p.in->limit, 20);
	assert_int_equal(p.cli.given, 1);
	arena_deinit(&p.arena);
}

static void a_word_behind_two_dashes_is_no_flag(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "dataset", "show", "--", "--limit");
	assert_int_equal(p.rc, RC_OK);
	assert_true(str_eq(p.in->name, STR("--limit")));
	arena_deinit(&p.arena);
}

static void help_needs_no_arguments(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "dataset", "show", "--help");
	assert_int_equal(p.rc, RC_OK);
	assert_true(p.cli.global.help);
	assert_ptr_equal(p.command, &commands[0]);
	arena_deinit(&p.arena);
	PARSE(&p, "help", "dataset");
	assert_int_equal(p.rc, RC_OK);
	assert_null(p.command);
	assert_true(str_eq(p.noun, STR("dataset")));
	arena_deinit(&p.arena);
	PARSE(&p, "--help");
	assert_int_equal(p.rc, RC_OK);
	assert_int_equal(p.noun.len, 0);
	arena_deinit(&p.arena);
}

/* Every wrong line is refused with RC_INVALID and words that help. */
static void wrong_lines_are_refused(void **state)
{
	static const struct { const char *words[8]; const char *says; } wrong[] = {
		{ { "datasat", "show" }, "did you mean 'dataset'?" },
		{ { "dataset", "shwo", "x" }, "did you mean 'show'?" },
		{ { "dataset" }, "needs one of: show, list" },
		{ { "dataset", "show" }, "NAME is missing: cairn dataset show NAME" },
		{ { "dataset", "show", "x", "--limti", "3" }, "did you mean '--limit'?" },
		{ { "dataset", "show", "x", "--limit", "0" }, "--limit:" },
		{ { "dataset", "show", "x", "--limit", "many" }, "--limit:" },
		{ { "dataset", "show", "x", "--limit" }, "--limit needs a value: --limit N" },
		{ { "dataset", "show", "x", "--kind", "xml" }, "csv" },
		{ { "dataset", "show", "x", "novalue" }, "'novalue' is not NAME=VALUE" },
		{ { "dataset", "list", "x" }, "one word too many" },
		{ { "status", "x" }, "one word too many" },
		{ { "verify", "x" }, "--sql is missing" },
		{ { "--nope" }, "unknown flag '--nope'" },
		{ { NULL }, "a command is missing" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const char *words[9] = { "cairn" };
		struct parsed p;
		int n = 1;
		for (; wrong[i].words[n - 1] != NULL; n++)
			words[n] = wrong[i].words[n - 1];
		parse(&p, n, words);
		assert_int_equal(p.rc, RC_INVALID);
		if (str_find(str_of(p.e.msg), str_of(wrong[i].says)) < 0)
			fail_msg("case %zu says: %s", i, p.e.msg);
		arena_deinit(&p.arena);
	}
}

static void usage_names_what_is_needed(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_true(str_eq(help_usage(&a, &commands[0]), STR("cairn dataset show NAME [NAME=VALUE…] [flags]")));
	assert_true(str_eq(help_usage(&a, &commands[2]), STR("cairn verify NAME --sql TEXT")));
	assert_true(str_eq(args_placeholder(&a, &sample_fields[6]), STR("csv|json")));
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_flags_fill_the_record), cmocka_unit_test(defaults_stand_and_are_not_given),
		cmocka_unit_test(a_word_behind_two_dashes_is_no_flag), cmocka_unit_test(help_needs_no_arguments),
		cmocka_unit_test(wrong_lines_are_refused), cmocka_unit_test(usage_names_what_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
