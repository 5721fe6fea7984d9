/* test_query.c -- sessions over DuckDB: rows out and in, files, the sandbox, limits, and running together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/fs.h"
#include "io/query.h"

struct fixture {
	char dir[64];
	struct query_engine *g;
	struct query *q;
	struct arena a;
	struct err e;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	str version;

	strcpy(f->dir, "/tmp/cairn-query-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	arena_init(&f->a);
	const struct query_config c = { .tmp_dir = f->dir, .memory_mb = 512, .threads = 2 };
	OK(f, query_engine_open(&c, &f->g, &f->e));
	if (query_engine_version(f->g, &f->a, &version, &f->e) == RC_OK)
		OK(f, query_open(f->g, &f->q, &f->e));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->q != NULL)
		query_close(&f->q);
	query_engine_close(&f->g);
	arena_deinit(&f->a);
	assert_int_equal(fs_remove_tree(f->dir, &f->e), RC_OK);
	free(f);
	return 0;
}

/* The fixture, or skips where the engine is not there. */
static struct fixture *fixture(void **state)
{
	struct fixture *f = *state;

	if (f->q == NULL)
		skip();
	return f;
}

static struct result run(struct fixture *f, const char *sql)
{
	struct result r = { 0 };

	if (query_run(f->q, str_of(sql), 100000, &f->a, &r, &f->e) != RC_OK)
		fail_msg("%s: %s", sql, f->e.msg);
	return r;
}

static enum rc run_rc(struct fixture *f, const char *sql)
{
	struct result r = { 0 };

	f->e = ERR_INIT;
	return query_run(f->q, str_of(sql), 100000, &f->a, &r, &f->e);
}

static str path_in(struct fixture *f, const char *name)
{
	return arena_printf(&f->a, "%s/%s", f->dir, name);
}

static bool str_is(str s, const char *expected)
{
	if (!str_eq(s, str_of(expected)))
		print_message("have '" STR_FMT "', expected '%s'\n", STR_ARG(s), expected);
	return str_eq(s, str_of(expected));
}

/* --- rows out ---------------------------------------------------------------------------------- */

static void types_are_read(void **state)
{
	struct fixture *f = fixture(state);
	struct result r = run(f, "SELECT true AS b, (-7)::TINYINT AS t, 40000::USMALLINT AS u, 9007199254740993 AS i, 1.5::FLOAT AS f,"
				 " 0.1::DOUBLE AS d, 'caf\xc3\xa9 with more than twelve bytes' AS s,"
				 " TIMESTAMP '2019-03-01 00:00:00.000001' AS ts, DATE '1969-12-31' AS day,"
				 " TIMESTAMPTZ '2019-03-01 02:00:00+02' AS tz, NULL::BIGINT AS n");

	assert_int_equal(r.n, 1);
	assert_int_equal(r.n_col, 11);
	const enum col_type type[] = { COL_BOOL, COL_I64, COL_I64, COL_I64, COL_F64, COL_F64, COL_TEXT, COL_TIME, COL_TIME, COL_TIME, COL_I64 };
	for (size_t c = 0; c < r.n_col; c++) {
		assert_int_equal(r.col[c].c.type, type[c]);
		assert_int_equal(r.col[c].null[0], c == 10);
	}
	assert_int_equal(r.col[0].i[0], 1);
	assert_int_equal(r.col[1].i[0], -7);
	assert_int_equal(r.col[2].i[0], 40000);
	assert_int_equal(r.col[3].i[0], INT64_C(9007199254740993));
	assert_true(r.col[4].f[0] == 1.5 && r.col[5].f[0] == 0.1);
	assert_true(str_is(r.col[6].s[0], "caf\xc3\xa9 with more than twelve bytes"));
	assert_int_equal(r.col[7].i[0], INT64_C(1551398400000001));
	assert_int_equal(r.col[8].i[0], INT64_C(-86400000000));
	assert_int_equal(r.col[9].i[0], INT64_C(1551398400000000));
	assert_true(str_is(r.col[0].c.name, "b") && str_is(r.col[7].c.sql_type, "TIMESTAMP"));
}

static void wide_types_are_cast(void **state)
{
	struct fixture *f = fixture(state);
	struct result r = run(f, "SELECT sum(range) AS total, 12.34::DECIMAL(9,2) AS price, 18446744073709551615::UBIGINT AS big,"
				 " [1, 2] AS list, {'a': 1} AS st, INTERVAL 2 DAY AS iv, NULL AS nothing,"
				 " TIMESTAMP_NS '2019-03-01 00:00:00.000000001' AS ns FROM range(4) -- and a comment");

	assert_int_equal(r.n, 1);
	assert_int_equal(r.col[0].c.type, COL_F64);
	assert_true(r.col[0].f[0] == 6.0 && r.col[1].f[0] == 12.34 && r.col[2].f[0] == 18446744073709551615.0);
	assert_int_equal(r.col[3].c.type, COL_OTHER);
	assert_true(str_is(r.col[3].s[0], "[1, 2]") && str_is(r.col[4].s[0], "{'a': 1}") && str_is(r.col[5].s[0], "2 days"));
	assert_int_equal(r.col[6].null[0], 1);
	assert_int_equal(r.col[7].c.type, COL_TIME);
	assert_int_equal(r.col[7].i[0], INT64_C(1551398400000000));
	assert_true(str_is(r.col[0].c.name, "total") && str_is(r.col[3].c.sql_type, "LIST"));
}

static void order_survives_the_cast(void **state)
{
	struct fixture *f = fixture(state);
	struct result r = run(f, "SELECT range::HUGEINT AS h, 'r' || range AS t FROM range(10000) ORDER BY range DESC;");

	assert_int_equal(r.n, 10000);
	for (size_t i = 0; i < r.n; i++)
		assert_true(r.col[0].f[i] == 9999.0 - (double)i);
	assert_true(str_is(r.col[1].s[1234], "r8765"));
}

static void nulls_over_many_chunks(void **state)
{
	struct fixture *f = fixture(state);
	struct result r = run(f, "SELECT CASE WHEN range % 3 = 0 THEN NULL ELSE range END AS v FROM range(5000)");

	assert_int_equal(r.n, 5000);
	for (size_t i = 0; i < r.n; i++) {
		assert_int_equal(r.col[0].null[i], i % 3 == 0);
		assert_int_equal(r.col[0].i[i], i % 3 == 0 ? 0 : (int64_t)i);
	}
}

static void too_many_rows(void **state)
{
	struct fixture *f = fixture(state);
	struct result r;

	assert_int_equal(query_run(f->q, STR("SELECT * FROM range(3)"), 3, &f->a, &r, &f->e), RC_OK);
	assert_int_equal(r.n, 3);
	assert_int_equal(query_run(f->q, STR("SELECT * FROM range(4)"), 3, &f->a, &r, &f->e), RC_TOO_LARGE);
	assert_non_null(strstr(f->e.msg, "more than 3 rows"));
}

static void several_statements(void **state)
{
	struct fixture *f = fixture(state);
	int64_t n = 0;
	struct result r = run(f, "CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1), (2); SELECT count(*) AS n FROM t;");

	assert_int_equal(r.col[0].i[0], 2);
	OK(f, query_exec(f->q, STR("UPDATE t SET a = a + 1 WHERE a > 1"), &n, &f->e));
	assert_int_equal(n, 1);
	assert_int_equal(run_rc(f, ""), RC_INVALID);
	assert_int_equal(run_rc(f, "  ;  "), RC_INVALID);
}

static void errors_say_what(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(run_rc(f, "SELECT nosuch FROM range(3)"), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "nosuch"));
	assert_null(strchr(f->e.msg, '\n'));
	assert_int_equal(run_rc(f, "SELECT 'x'::BIGINT"), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "Conversion Error"));
	assert_int_equal(run_rc(f, "SELEC 1"), RC_INVALID);
	/* A message longer than fits is cut at a whole character. */
	str sql = arena_printf(&f->a, "SELECT \"%0*d\xc3\xa9\"", 500, 0);
	assert_int_equal(run_rc(f, arena_cstr(&f->a, sql)), RC_INVALID);
	assert_true(str_is_utf8(str_of(f->e.msg)));
}

static void describe_names_and_types(void **state)
{
	struct fixture *f = fixture(state);
	struct col *col;
	size_t n;

	OK(f, query_describe(f->q, STR("SELECT 1 AS a, 'x' AS \"b c\", 1.25::DECIMAL(9,2) AS d, [1] AS l;"), &f->a, &col, &n, &f->e));
	assert_int_equal(n, 4);
	assert_true(str_is(col[1].name, "b c") && str_is(col[1].sql_type, "VARCHAR") && col[1].type == COL_TEXT);
	assert_true(str_is(col[2].sql_type, "DECIMAL(9,2)") && col[2].type == COL_F64);
	assert_true(str_is(col[3].sql_type, "INTEGER[]") && col[3].type == COL_OTHER);
	assert_int_equal(query_describe(f->q, STR("SELECT nosuch"), &f->a, &col, &n, &f->e), RC_INVALID);
}

static void quoting(void **state)
{
	struct fixture *f = fixture(state);
	str odd = STR("a\"b'c; DROP TABLE x --");
	str sql = arena_printf(&f->a, "SELECT " STR_FMT " AS " STR_FMT, STR_ARG(query_quote_text(&f->a, odd)),
			       STR_ARG(query_quote_name(&f->a, odd)));
	struct result r = run(f, arena_cstr(&f->a, sql));

	assert_true(str_eq(r.col[0].s[0], odd) && str_eq(r.col[0].c.name, odd));
}

/* --- files and rows in -------------------------------------------------------------------------- */

static void parquet_there_and_back(void **state)
{
	struct fixture *f = fixture(state);
	str path = path_in(f, "it's.parquet");
	int64_t n = 0;

	OK(f, query_to_parquet(f->q, STR("SELECT range AS a, 'x' || range AS b FROM range(3000) -- comment"), path, &n, &f->e));
	assert_int_equal(n, 3000);
	OK(f, query_bind_parquet(f->q, STR("my \"data\""), path, &f->e));
	struct result r = run(f, "SELECT count(*), max(b) FROM \"my \"\"data\"\"\"");
	assert_int_equal(r.col[0].i[0], 3000);
	assert_true(str_is(r.col[1].s[0], "x999"));
	assert_int_equal(query_bind_parquet(f->q, STR("none"), path_in(f, "none.parquet"), &f->e), RC_IO);
}

static void append_rows(void **state)
{
	struct fixture *f = fixture(state);
	const struct col col[] = { { .name = STR("n"), .type = COL_I64 }, { .name = STR("t\"x"), .type = COL_TEXT } };
	struct query_append *p;

	OK(f, query_append_begin(f->q, STR("rows"), col, 2, &p, &f->e));
	for (int i = 0; i < 5001; i++) {
		query_append_i64(p, i);
		if (i % 7 == 0)
			query_append_null(p);
		else
			query_append_text(p, i % 7 == 1 ? STR_NONE : i % 7 == 2 ? STR("a text of more than twelve bytes") : STR("ab"));
		OK(f, query_append_row(p, &f->e));
	}
	OK(f, query_append_end(&p, &f->e));
	assert_null(p);
	struct result r = run(f, "SELECT count(*), sum(n)::BIGINT, count(\"t\"\"x\"), count(*) FILTER (\"t\"\"x\" = ''),"
				 " count(*) FILTER (length(\"t\"\"x\") = 32), max(n) FROM rows");
	assert_int_equal(r.col[0].i[0], 5001);
	assert_int_equal(r.col[1].i[0], 12502500);
	assert_int_equal(r.col[2].i[0], 5001 - 715);
	assert_int_equal(r.col[3].i[0], 715);
	assert_int_equal(r.col[4].i[0], 715);
	assert_int_equal(r.col[5].i[0], 5000);
}

static void append_every_type(void **state)
{
	struct fixture *f = fixture(state);
	const struct col col[] = { { STR("b"), COL_BOOL, STR_NONE }, { STR("f"), COL_F64, STR_NONE }, { STR("t"), COL_TIME, STR_NONE } };
	struct query_append *p;

	OK(f, query_append_begin(f->q, STR("rows"), col, 3, &p, &f->e));
	query_append_bool(p, true);
	query_append_f64(p, 0.1);
	query_append_i64(p, 1553372469000000);
	OK(f, query_append_row(p, &f->e));
	for (int i = 0; i < 3; i++)
		query_append_null(p);
	OK(f, query_append_row(p, &f->e));
	OK(f, query_append_end(&p, &f->e));
	struct result r = run(f, "SELECT b, f, t, t = TIMESTAMP '2019-03-23 20:21:09' FROM rows");
	assert_int_equal(r.n, 2);
	assert_int_equal(r.col[0].c.type, COL_BOOL);
	assert_int_equal(r.col[0].i[0], 1);
	assert_true(r.col[1].f[0] == 0.1);
	assert_int_equal(r.col[2].c.type, COL_TIME);
	assert_int_equal(r.col[3].i[0], 1);
	assert_true(r.col[0].null[1] && r.col[1].null[1] && r.col[2].null[1]);
}

/* What we write ourselves is not judged by name, but the sandbox's locks hold for it too. */
static void our_own_text_in_the_sandbox(void **state)
{
	struct fixture *f = fixture(state);
	struct result r;

	OK(f, query_sandbox(f->q, &f->e));
	OK(f, query_run_ours(f->q, STR("SELECT 1 + 1"), 1, &f->a, &r, &f->e));
	assert_int_equal(r.col[0].i[0], 2);
	assert_int_equal(query_run_ours(f->q, STR("SELECT * FROM read_text('/etc/passwd')"), 1, &f->a, &r, &f->e), RC_FORBIDDEN);
	assert_int_not_equal(query_run_ours(f->q, STR("SET threads = 1"), 1, &f->a, &r, &f->e), RC_OK);
	/* An admitted text is known again, another one is judged. */
	assert_int_equal(run_rc(f, "SELECT 1"), RC_OK);
	assert_int_equal(run_rc(f, "SELECT 1"), RC_OK);
	assert_int_equal(run_rc(f, "SELECT getenv('HOME')"), RC_FORBIDDEN);
	assert_int_equal(run_rc(f, "SELECT getenv('HOME')"), RC_FORBIDDEN);
}

static void errors_tell_the_line(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(run_rc(f, "SELECT 1,\n  nope\nFROM range(1)"), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "(line 2)"));
	assert_int_equal(run_rc(f, "SELECT nope FROM range(1)"), RC_INVALID);
	assert_null(strstr(f->e.msg, "(line"));
}

static void append_nothing(void **state)
{
	struct fixture *f = fixture(state);
	const struct col col[] = { { .name = STR("n"), .type = COL_I64 } };
	struct query_append *p;

	OK(f, query_append_begin(f->q, STR("rows"), col, 1, &p, &f->e));
	OK(f, query_append_end(&p, &f->e));
	assert_int_equal(run(f, "SELECT count(*) FROM rows").col[0].i[0], 0);
	assert_int_equal(query_append_begin(f->q, STR("rows"), col, 1, &p, &f->e), RC_INVALID);   /* exists */
}

static void scratch_is_removed(void **state)
{
	struct fixture *f = fixture(state);
	char scratch[4096];

	assert_true(str_to_c(str_of(query_scratch(f->q)), scratch, sizeof(scratch)));
	assert_true(fs_exists(scratch));
	query_close(&f->q);
	assert_false(fs_exists(scratch));
	/* What a killed process left is swept when the next engine opens. */
	struct query_engine *g = NULL;
	str left = path_in(f, "query_LEFT/deep");
	OK(f, fs_mkdirs(arena_cstr(&f->a, left), 0700, &f->e));
	const struct query_config c = { .tmp_dir = f->dir };
	OK(f, query_engine_open(&c, &g, &f->e));
	assert_false(fs_exists(arena_cstr(&f->a, path_in(f, "query_LEFT"))));
	query_engine_close(&g);
}

/* --- the sandbox --------------------------------------------------------------------------------- */

static void sandbox(struct fixture *f)
{
	str path = path_in(f, "in.parquet");

	OK(f, query_to_parquet(f->q, STR("SELECT range AS a FROM range(10)"), path, NULL, &f->e));
	OK(f, query_bind_parquet(f->q, STR("numbers"), path, &f->e));
	OK(f, query_sandbox(f->q, &f->e));
}

static void sandbox_runs_selects(void **state)
{
	struct fixture *f = fixture(state);
	static const char *const good[] = {
		"SELECT sum(a) FROM numbers",
		"WITH x AS (SELECT a FROM numbers WHERE a > 3) SELECT count(*) FROM x, generate_series(1, 3) AS s(i), unnest([1, 2])",
		"FROM numbers SELECT a ORDER BY a",
		"VALUES (1), (2);",
		"SELECT a, row_number() OVER (PARTITION BY a % 2 ORDER BY a DESC) AS r FROM numbers QUALIFY r = 1",
		"SELECT list_transform([1, 2], lambda x: x + 1), regexp_replace('aa', 'a', 'b')",
		"SUMMARIZE numbers",
		"SELECT * FROM numbers UNION ALL SELECT 1 /* comment */",
		"SELECT n1.a FROM numbers n1 ASOF JOIN numbers n2 ON n1.a >= n2.a",
	};

	sandbox(f);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (run_rc(f, good[i]) != RC_OK)
			fail_msg("%s: %s", good[i], f->e.msg);
	}
}

static void sandbox_refuses(void **state)
{
	struct fixture *f = fixture(state);
	static const struct { const char *sql; enum rc rc; const char *says; } bad[] = {
		{ "SELECT * FROM read_text('/etc/passwd')", RC_FORBIDDEN, "read_text" },
		{ "SELECT * FROM READ_CSV('/etc/passwd')", RC_FORBIDDEN, "read_csv" },
		{ "SELECT * FROM glob('/*')", RC_FORBIDDEN, "glob" },
		{ "SELECT * FROM \"glob\"('/*')", RC_FORBIDDEN, "glob" },
		{ "SELECT * FROM system.main.glob('/*')", RC_FORBIDDEN, "glob" },
		{ "SELECT * FROM enable_logging(storage='file', storage_config={'path':'/tmp/cairn-evil'})", RC_FORBIDDEN, "enable_logging" },
		{ "SELECT (SELECT count(*) FROM Enable_Logging()) FROM numbers", RC_FORBIDDEN, "nable_" },
		{ "SELECT * FROM query('SELECT 1')", RC_FORBIDDEN, "query" },
		{ "SELECT * FROM numbers WHERE a IN (SELECT * FROM query_table('numbers'))", RC_FORBIDDEN, "query_table" },
		{ "WITH x AS (SELECT * FROM json_execute_serialized_sql('{}')) SELECT * FROM x", RC_FORBIDDEN, "json_execute" },
		{ "SELECT * FROM arrow_scan(1, 2, 3)", RC_FORBIDDEN, "arrow_scan" },
		{ "SELECT * FROM checkpoint()", RC_FORBIDDEN, "checkpoint" },
		{ "SELECT write_log('x')", RC_FORBIDDEN, "write_log" },
		{ "SELECT sleep_ms(1)", RC_FORBIDDEN, "sleep_ms" },
		{ "SELECT sql FROM duckdb_views", RC_FORBIDDEN, "duckdb_views" },
		{ "SELECT sql FROM duckdb_views()", RC_FORBIDDEN, "duckdb_views" },
		{ "SELECT * FROM information_schema.tables", RC_FORBIDDEN, "information_schema" },
		{ "SELECT * FROM '/etc/passwd'", RC_INVALID, "" },
		{ "SELECT * FROM 'in.parquet'", RC_FORBIDDEN, "" },
		{ "COPY numbers TO '/tmp/cairn-evil'", RC_INVALID, "only SELECT" },
		{ "SET threads = 1", RC_INVALID, "only SELECT" },
		{ "CREATE TABLE x (a INT)", RC_INVALID, "only SELECT" },
		{ "DROP VIEW numbers", RC_INVALID, "only SELECT" },
		{ "ATTACH '/tmp/cairn-evil'", RC_INVALID, "only SELECT" },
		{ "INSTALL httpfs", RC_INVALID, "only SELECT" },
		{ "PRAGMA database_list", RC_INVALID, "" },
		{ "CALL enable_logging()", RC_INVALID, "only SELECT" },
		{ "SELECT 1; SELECT 2", RC_INVALID, "exactly one" },
		{ "SELECT 1; DROP VIEW numbers", RC_INVALID, "" },
		{ "SELECT 1) TO '/tmp/cairn-evil' (FORMAT csv) --", RC_INVALID, "line 1, column" },
		{ "SELECT 1\nFROM numbers\nWHERE", RC_INVALID, "line 3" },
		{ "", RC_INVALID, "empty" },
		{ "SELECT '\xff'", RC_INVALID, "UTF-8" },
	};

	sandbox(f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (run_rc(f, bad[i].sql) != bad[i].rc || strstr(f->e.msg, bad[i].says) == NULL)
			fail_msg("%s: %s %s", bad[i].sql, rc_name(f->e.rc), f->e.msg);
	}
	assert_int_equal(access("/tmp/cairn-evil", F_OK), -1);
	assert_int_equal(run(f, "SELECT count(*) FROM numbers").col[0].i[0], 10);
}

static void sandbox_guards_every_door(void **state)
{
	struct fixture *f = fixture(state);
	const str evil = STR("SELECT * FROM glob('/*')"), closing = STR("SELECT 1) TO '/tmp/cairn-evil' --");
	struct col *col;
	size_t n;
	int64_t rows = 0;

	sandbox(f);
	assert_int_equal(query_define(f->q, STR("v"), evil, false, &f->e), RC_FORBIDDEN);
	assert_int_equal(query_describe(f->q, evil, &f->a, &col, &n, &f->e), RC_FORBIDDEN);
	assert_int_equal(query_to_parquet(f->q, evil, path_in(f, "o.parquet"), NULL, &f->e), RC_FORBIDDEN);
	assert_int_equal(query_to_parquet(f->q, closing, path_in(f, "o.parquet"), NULL, &f->e), RC_INVALID);
	assert_int_equal(query_exec(f->q, STR("SET lock_configuration = false"), NULL, &f->e), RC_INVALID);
	/* What we do ourselves still works: definitions, files in the scratch directory and outside. */
	OK(f, query_define(f->q, STR("big"), STR("SELECT a FROM numbers WHERE a > 6; "), true, &f->e));
	str inside = arena_printf(&f->a, "%s/step.parquet", query_scratch(f->q));
	OK(f, query_to_parquet(f->q, STR("SELECT a * 2 AS b FROM big -- twice"), inside, &rows, &f->e));
	assert_int_equal(rows, 3);
	OK(f, query_bind_parquet(f->q, STR("step"), inside, &f->e));
	OK(f, query_to_parquet(f->q, STR("SELECT sum(b) AS s FROM step"), path_in(f, "o.parquet"), NULL, &f->e));
	assert_true(fs_exists(arena_cstr(&f->a, path_in(f, "o.parquet"))));
	assert_true(run(f, "SELECT sum(b) FROM step").col[0].f[0] == 48.0);
}

static void sandbox_spills(void **state)
{
	struct fixture *f = fixture(state);
	const struct query_config c = { .tmp_dir = f->dir, .memory_mb = 128, .threads = 2 };

	query_close(&f->q);
	query_engine_close(&f->g);
	OK(f, query_engine_open(&c, &f->g, &f->e));
	OK(f, query_open(f->g, &f->q, &f->e));   /* 64 MB */
	OK(f, query_sandbox(f->q, &f->e));
	struct result r = run(f, "SELECT count(*), max(k) FROM (SELECT DISTINCT hash(range)::VARCHAR AS k FROM range(2000000))");
	assert_int_equal(r.col[0].i[0], 2000000);
}

/* --- limits and threads ---------------------------------------------------------------------------- */

#define LONG_SQL "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range) = hash(b.range + 1)"

static void time_limit(void **state)
{
	struct fixture *f = fixture(state);
	uint64_t from = clock_ns();

	query_time_limit(f->q, 100);
	assert_int_equal(run_rc(f, LONG_SQL), RC_TIMEOUT);
	assert_non_null(strstr(f->e.msg, "100 ms"));
	assert_true(clock_ns() - from < 3 * UINT64_C(1000000000));
	query_time_limit(f->q, 0);
	assert_int_equal(run(f, "SELECT 42").col[0].i[0], 42);
}

static void *interrupt_soon(void *arg)
{
	usleep(100000);
	query_interrupt(arg);
	return NULL;
}

static void interrupt(void **state)
{
	struct fixture *f = fixture(state);
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, interrupt_soon, f->q), 0);
	assert_int_equal(run_rc(f, LONG_SQL), RC_CANCELLED);
	pthread_join(t, NULL);
	assert_int_equal(run_rc(f, "SELECT 1"), RC_CANCELLED);   /* it stays so */
}

static void *own_session(void *arg)
{
	struct fixture *f = arg;
	struct query *q;
	struct result r;
	struct err e = ERR_INIT;
	struct arena a;
	bool good = true;

	arena_init(&a);
	for (int i = 0; i < 5 && good; i++) {
		good = query_open(f->g, &q, &e) == RC_OK;
		good = good && query_exec(q, STR("CREATE TABLE t AS SELECT * FROM range(1000)"), NULL, &e) == RC_OK;
		good = good && query_sandbox(q, &e) == RC_OK;
		good = good && query_run(q, STR("SELECT sum(range)::BIGINT FROM t"), 1, &a, &r, &e) == RC_OK && r.col[0].i[0] == 499500;
		if (good)
			query_close(&q);
	}
	arena_deinit(&a);
	return good ? NULL : arg;
}

static void sessions_side_by_side(void **state)
{
	struct fixture *f = fixture(state);
	pthread_t t[4];
	void *bad;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, own_session, f), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(query_engine_sessions(f->g), 1);
}

static void session_limit(void **state)
{
	struct fixture *f = fixture(state);
	struct query *q[70];
	size_t n = 0;

	while (n < 70 && query_open(f->g, &q[n], &f->e) == RC_OK)
		n++;
	assert_int_equal(n, 63);
	assert_int_equal(f->e.rc, RC_LIMIT);
	while (n > 0)
		query_close(&q[--n]);
	assert_int_equal(query_engine_sessions(f->g), 1);
}

static void missing_library(void **state)
{
	struct fixture *f = fixture(state);
	const struct query_config c = { .tmp_dir = f->dir, .library = "/nonexistent/libduckdb.so" };
	struct query_engine *g;
	struct query *q;

	OK(f, query_engine_open(&c, &g, &f->e));
	assert_int_equal(query_open(g, &q, &f->e), RC_UNAVAILABLE);
	assert_non_null(strstr(f->e.msg, "make deps"));
	query_engine_close(&g);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(types_are_read), T(wide_types_are_cast), T(order_survives_the_cast), T(nulls_over_many_chunks),
		T(too_many_rows), T(several_statements), T(errors_say_what), T(describe_names_and_types), T(quoting),
		T(parquet_there_and_back), T(append_rows), T(append_every_type), T(append_nothing), T(our_own_text_in_the_sandbox), T(errors_tell_the_line), T(scratch_is_removed), T(sandbox_runs_selects),
		T(sandbox_refuses), T(sandbox_guards_every_door), T(sandbox_spills), T(time_limit), T(interrupt),
		T(sessions_side_by_side), T(session_limit), T(missing_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
