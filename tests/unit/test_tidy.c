/* test_tidy.c -- each house rule, broken on purpose in a small tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tools/tidy/tidy.h"
#include "io/fs.h"

#include "../../tools/tidy/layers.c"
#include "../../tools/tidy/shape.c"
#include "../../tools/tidy/source.c"
#include "../../tools/tidy/text.c"
#include "../../tools/tidy/tree.c"

#define LAYERS                                                                                                              \
	"# comment\nlayer base:\nlayer io: base\nlayer core: io base\nlayer modules: core io base\n"                        \
	"edge one:\nedge two: one\nwraps sqlite3.h: src/io/db.c\nwraps onnx.h: src/modules/one/x.c src/modules/one/y.c\n"

struct bed { char dir[64]; struct arena a; struct err e; };

static int set_up(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/cairn-tidy-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	arena_init(&b->a);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *b = *state;

	assert_int_equal(fs_remove_tree(b->dir, &b->e), RC_OK);
	arena_deinit(&b->a);
	free(b);
	return 0;
}

static void put(struct bed *b, const char *path, str text)
{
	const char *at = arena_printf(&b->a, "%s/%s", b->dir, path).at;
	const char *dir = arena_cstr(&b->a, str_n(at, (size_t)(strrchr(at, '/') - at)));

	assert_int_equal(fs_mkdirs(dir, 0700, &b->e), RC_OK);
	assert_int_equal(fs_write_atomic(at, text, 0600, &b->e), RC_OK);
}

/* What tidy says of the tree; *n_out how many rules are broken. */
static str said(struct bed *b, size_t *n_out)
{
	struct tree t;
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_true(tree_read(&t, b->dir));
	tree_check(&t);
	*n_out = tree_report(&t, out, true);
	tree_free(&t);
	assert_int_equal(fclose(out), 0);
	str copy = arena_dup(&b->a, str_n(text, n));
	free(text);
	return copy;
}

static str lines(struct bed *b, const char *begin, const char *line, int n, const char *end)
{
	str all = str_of(begin);

	for (int i = 0; i < n; i++)
		all = arena_printf(&b->a, STR_FMT "%s", STR_ARG(all), line);
	return arena_printf(&b->a, STR_FMT "%s", STR_ARG(all), end);
}

struct example { const char *path, *text, *expected; /* NULL: clean */ };
static const struct example examples[] = {
	/* layers */
	{ "src/base/a.c", "#include \"io/fs.h\"\n", "src/base/a.c:1: include: base may not include io/fs.h" },
	{ "src/io/a.c", "#include \"base/str.h\"\n", NULL },
	{ "src/io/a.c", "#include \"fs.h\"\n", "src/io/a.c:1: include: \"fs.h\": write it from src/" },
	{ "src/core/a.c", "\n#  include \"modules/one/one.h\"\n", "src/core/a.c:2: include: core may not include modules/one/one.h" },
	{ "src/modules/one/a.c", "#include \"modules/two/two.h\"\n", "src/modules/one/a.c:1: include: src/LAYERS has no edge from one to two" },
	{ "src/modules/two/a.c", "#include \"modules/one/one.h\"\n", NULL },
	{ "src/modules/two/a.c", "#include \"modules/one/store.h\"\n", "modules/one/store.h is a private room of one: include its one.h" },
	{ "src/modules.c", "#include \"modules/two/two.h\"\n", NULL },
	{ "src/modules.c", "#include \"modules/two/two_int.h\"\n", "is a private room of two" },
	{ "src/io/db.c", "#include <sqlite3.h>\n#include <stdio.h>\n#include <sys/stat.h>\n", NULL },
	{ "src/io/a.c", "#include <sqlite3.h>\n", "src/io/a.c:1: include: <sqlite3.h> is wrapped by src/io/db.c" },
	{ "src/io/a.c", "#include \"sqlite3.h\"\n", "<sqlite3.h> is wrapped by src/io/db.c" },
	{ "src/modules/one/y.c", "#include <onnx.h>\n", NULL },
	{ "src/io/a.c", "#include <zlib.h>\n", "src/io/a.c:1: include: <zlib.h> has no `wraps` line" },
	{ "src/io/a.c", "/*\n#include <zlib.h>\n*/ // #include <zlib.h>\n", NULL },
	/* calls */
	{ "src/io/a.c", "void f(void)\n{\n\tsprintf(a, b);\n}\n", "src/io/a.c:3: call: sprintf is not used here: use buf_addf" },
	{ "src/io/a.c", "void f(void)\n{\n\tx->system(1); y.system (2); my_system(3);\n}\n", NULL },
	{ "src/io/a.c", "void f(void)\n{\n\tint n = atoi(\"1\");\n}\n", "call: atoi" },
	{ "src/io/a.c", "void f(void)\n{\n\tputs(\"strcpy(a, b)\"); /* strcat(a, b) */\n}\n", NULL },
	{ "src/io/a.c", "void f(void)\n{\n\tx = malloc(3);\n}\n", NULL },
	{ "src/core/a.c", "void f(void)\n{\n\tx = malloc(3);\n}\n", "src/core/a.c:3: memory: malloc" },
	{ "src/core/a.c", "void f(void)\n{\n\tx = calloc(n, 3);\n}\n", "src/core/a.c:3: memory: calloc" },
	{ "src/core/a.c", "void f(void)\n{\n\tx = calloc(1, sizeof(*x));\n}\n", NULL },
	/* names and leftovers */
	{ "src/io/util.c", "", "src/io/util.c:1: name: a file is named after what it holds, not 'util'" },
	{ "src/io/http_helpers.c", "", "name: a file is named after what it holds, not 'helpers'" },
	{ "src/io/utility.c", "", NULL },
	{ "src/io/a.c", "/* TO" "DO: later */\n", "src/io/a.c:1: leftover: TO" "DO" },
	{ "tests/a.c", "int x; // FIX" "ME\n", "tests/a.c:1: leftover" },
	/* variables */
	{ "src/io/a.c", "static int n;\n", "src/io/a.c:1: mutable: n outlives its function" },
	{ "src/io/a.c", "int n = 3;\n", "mutable: n" },
	{ "src/io/a.c", "static const char *name[] = { \"a\" };\n", "mutable: name" },
	{ "src/io/a.c", "static struct { int a; } x[3];\n", "mutable: x" },
	{ "src/io/a.c", "static const char *const name[] = { \"a\" };\nstatic const struct { char *a; } t[] = { { 0 } };\n", NULL },
	{ "src/io/a.c", "struct a;\nstruct b { int n; };\nenum c { A, B };\ntypedef struct d { int n; } d;\nextern int n;\nint f(int n);\n", NULL },
	{ "src/io/a.c", "route_fn get, put;\n", NULL },
	{ "src/io/a.c", "route_fn *hook;\n", "mutable: hook" },
	{ "src/io/a.c", "void f(void)\n{\n\tstatic int calls;\n\tstatic const int k = 1;\n}\n", "src/io/a.c:3: mutable: calls" },
	{ "src/io/a.c", "#define X static int n;\nvoid f(void)\n{\n\tint n = 0;\n}\n", NULL },
	/* texts */
	{ "src/modules/one/a.c", "const char *const q = \"SELECT 1\";\n", "src/modules/one/a.c:1: sql" },
	{ "src/modules/one/a.c", "const char *const q = \"UPDATE x SET y = 1\";\n", "sql" },
	{ "src/modules/one/a.c", "const char *const q = \"UPDATE the model\";\n", NULL },
	{ "src/modules/one/one.c", "const char *const q = \"CREATE TABLE t (n BIGINT)\";\n", NULL },
	{ "src/modules/one/one.c", "const char *const q = \"SELECT 1\";\n", "src/modules/one/one.c:1: sql" },
	{ "src/modules/one/a.c", "const char *const q = \"CREATE TABLE t (n BIGINT)\";\n", "sql" },
	{ "src/modules/one/store.c", "const char *const q = \"SELECT 1\";\n", NULL },
	{ "src/modules/one/run_store.c", "const char *const q = \"SELECT 1\";\n", NULL },
	{ "src/modules/one/a.c", "#include \"io/query.h\"\nconst char *const q = \"SELECT 1\";\n", NULL },
	{ "src/core/a.c", "const char *const q = \"{\\\"a\\\":%d}\";\n", "src/core/a.c:1: json" },
	{ "src/core/a.c", "const char *const q = \"{\\\"a\\\":1}\";\n", NULL },
	/* unused */
	{ "src/io/a.h", "int lonely(int n);\n", "src/io/a.h:1: note: unused: lonely" },
};

static void test_each_rule(void **state)
{
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *x = &examples[i];
		size_t n;
		put(b, "src/LAYERS", STR(LAYERS));
		put(b, x->path, str_of(x->text));
		str text = said(b, &n);
		if (x->expected == NULL && text.len > 0)
			fail_msg("%s: %s\nis clean, but tidy says: " STR_FMT, x->path, x->text, STR_ARG(text));
		if (x->expected != NULL && str_find(text, str_of(x->expected)) < 0)
			fail_msg("%s: %s\nexpected: %s\ntidy says: " STR_FMT, x->path, x->text, x->expected, STR_ARG(text));
		assert_int_equal(fs_remove_tree(arena_printf(&b->a, "%s/src", b->dir).at, &b->e), RC_OK);
		assert_int_equal(fs_remove_tree(arena_printf(&b->a, "%s/tests", b->dir).at, &b->e), RC_OK);
	}
}

static void test_sizes(void **state)
{
	struct bed *b = *state;
	size_t n;

	put(b, "src/LAYERS", STR(LAYERS));
	put(b, "src/io/a.c", lines(b, "int f(void)\n{\n", "\tg();\n", 67, "}\n"));
	said(b, &n);
	assert_int_equal(n, 0);
	put(b, "src/io/a.c", lines(b, "/* above */\nint f(void)\n{\n", "\tg();\n", 68, "}\n"));
	assert_true(str_find(said(b, &n), STR("src/io/a.c:2: function: f has 71 lines, at most 70")) >= 0);
	put(b, "src/io/a.c", lines(b, "", "\n", 801, ""));
	assert_true(str_find(said(b, &n), STR("file: 801 lines, at most 800")) >= 0);
	put(b, "src/io/a.c", STR(""));
	put(b, "src/io/a.h", lines(b, "", "\n", 151, ""));
	assert_true(str_find(said(b, &n), STR("header: 151 lines, at most 150")) >= 0);
	assert_int_equal(n, 1);
}

static void test_ratchet_shrinks_and_does_not_grow(void **state)
{
	struct bed *b = *state;
	size_t n;
	struct tree t;
	str text;

	put(b, "src/LAYERS", STR(LAYERS));
	put(b, "tools/tidy/ratchet.txt", STR("# kept\nfunction src/io/a.c:f 80\nmemory src/core/b.c 2\nmutable src/io/gone.c:n 1\n"));
	put(b, "src/io/a.c", lines(b, "int f(void)\n{\n", "\tg();\n", 77, "}\n"));
	put(b, "src/core/b.c", STR("void f(void)\n{\n\tmalloc(1);\n\tmalloc(2);\n}\n"));
	said(b, &n);
	assert_int_equal(n, 0);
	put(b, "src/io/a.c", lines(b, "int f(void)\n{\n", "\tg();\n", 78, "}\n"));
	put(b, "src/core/b.c", STR("void f(void)\n{\n\tmalloc(1);\n\tmalloc(2);\n\tmalloc(3);\n}\n"));
	text = said(b, &n);
	assert_int_equal(n, 4);
	assert_true(str_find(text, STR("(tools/tidy/ratchet.txt allows 80)")) >= 0);
	put(b, "src/io/a.c", lines(b, "int f(void)\n{\n", "\tg();\n", 70, "}\n"));
	put(b, "src/core/b.c", STR("void f(void)\n{\n\tmalloc(1);\n}\n"));
	text = said(b, &n);
	assert_int_equal(n, 0);
	assert_true(str_find(text, STR("can go from 80 to 73")) >= 0);
	assert_true(tree_read(&t, b->dir));
	tree_check(&t);
	assert_true(tree_tighten(&t));
	tree_free(&t);
	assert_int_equal(fs_read(arena_printf(&b->a, "%s/tools/tidy/ratchet.txt", b->dir).at, 4096, &b->a, &text, &b->e), RC_OK);
	assert_true(str_eq(text, STR("# kept\nfunction src/io/a.c:f 73\nmemory src/core/b.c 1\n")));
}

static void test_cycles_between_modules(void **state)
{
	struct bed *b = *state;
	size_t n;

	put(b, "src/LAYERS", STR("layer base:\nedge one: two\nedge two: three\nedge three: one\nedge four: one\n"));
	put(b, "src/base/a.c", STR(""));
	str text = said(b, &n);
	assert_int_equal(n, 3);
	assert_true(str_find(text, STR("cycle: module one depends on itself")) >= 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_each_rule),
		T(test_sizes),
		T(test_ratchet_shrinks_and_does_not_grow),
		T(test_cycles_between_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
