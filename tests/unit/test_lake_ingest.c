/* test_lake_ingest.c -- files of every kind into versions: types, quarantine, keys, the same again, and what is refused. */
#include "lake_fixture.h"

static struct ingest_result ingest(struct lake_fixture *f, const char *name, const char *file, const char *text)
{
	struct ingest_result out = { 0 };
	const struct ingest_request r = { .name = str_of(name), .source_name = str_of(file) };

	if (lake_ingest_with(f, r, str_of(text), &out) != RC_OK)
		fail_msg("%s", f->e.msg);
	assert_int_equal(out.n_source_rows, out.n_rows + out.n_quarantined);
	return out;
}

static const char *types_of(struct lake_fixture *f, const struct ingest_result *r)
{
	str out = STR("");

	for (size_t i = 0; i < r->columns.n; i++) {
		const struct dataset_column *c = LIST_AT(r->columns, const struct dataset_column, i);
		out = arena_printf(&f->a, STR_FMT "%s" STR_FMT ":" STR_FMT, STR_ARG(out), i > 0 ? " " : "", STR_ARG(c->name), STR_ARG(c->type));
	}
	return arena_cstr(&f->a, out);
}

static void csv_gets_types_of_all_rows(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result r = ingest(f, "t", "t.csv", "\xef\xbb\xbfn,d,b,t,s,zip\r\n1,1.5,true,2019-03-01 10:00:00,x,01234\r\n"
							  "-2,2,FALSE,2019-03-01T12:00:00+02:00,\"a,\r\n\"\"b\"\"\",99999\r\n,,,,,\r\n");

	assert_string_equal(types_of(f, &r), "n:BIGINT d:DOUBLE b:BOOLEAN t:TIMESTAMP s:VARCHAR zip:VARCHAR");
	assert_int_equal(r.n_rows, 3);
	assert_str_is(lake_ask(f, "SELECT * FROM t").rows,
		      "[[1,1.5,true,\"2019-03-01T10:00:00Z\",\"x\",\"01234\"],[-2,2,false,\"2019-03-01T10:00:00Z\",\"a,\\r\\n\\\"b\\\"\",\"99999\"],"
		      "[null,null,null,null,null,null]]");
}

static void rows_that_do_not_fit_are_kept_apart(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_column types[] = { { STR("n"), TYPE_BIGINT } };
	const struct ingest_request req = { .name = STR("q"), .source_name = STR("q.csv"), .columns = { types, 1 } };
	struct ingest_result r = { 0 };
	struct dataset_version v;
	struct query *q;
	struct table t;

	OK(f, lake_ingest_with(f, req, STR("n,s\n1,a\nx,b\n2,c,d\n3,\xff\n4,\"open\n5,e\n"), &r));
	assert_int_equal(r.n_source_rows, 6);
	assert_int_equal(r.n_rows, 2);
	assert_int_equal(r.n_quarantined, 4);
	OK(f, lake_version(f->lake, &f->a, STR("q"), 0, &v, &f->e));
	v.blob = v.quarantine_blob;
	OK(f, query_open(f->core.query, &q, &f->e));
	OK(f, lake_bind(f->lake, q, STR("bad"), &v, &f->e));
	OK(f, lake__table(q, STR("SELECT * FROM bad"), 10, &f->a, &t, &f->e));
	query_close(&q);
	assert_str_is(t.rows, "[[3,\"n\",\"not a BIGINT\",\"x,b\"],[4,\"\",\"3 fields where the header has 2\",\"2,c,d\"],"
			      "[5,\"\",\"not UTF-8\",\"3,\\\\xff\"],[6,\"\",\"a quote is never closed\",\"4,\\\"open\"]]");
	assert_int_equal(r.reasons.n, 4);
}

static void tolerance_narrows_a_type(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_request req = { .name = STR("tol"), .source_name = STR("a.csv"), .tolerance = 0.3 };
	struct ingest_result r = { 0 };

	OK(f, lake_ingest_with(f, req, STR("n\n1\n2\n3\noops\n"), &r));
	assert_string_equal(types_of(f, &r), "n:BIGINT");
	assert_int_equal(r.n_quarantined, 1);
	req.tolerance = 0;
	OK(f, lake_ingest_with(f, req, STR("n\n1\n2\n3\noops\n"), &r));
	assert_string_equal(types_of(f, &r), "n:VARCHAR");
	assert_int_equal(r.n_quarantined, 0);
	assert_int_equal(r.version, 2);
}

static void repeated_and_missing_keys(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	str key[] = { STR("id"), STR("day") };
	const struct ingest_request req = { .name = STR("k"), .source_name = STR("k.csv"), .key = { key, 2 } };
	struct ingest_result r = { 0 };

	OK(f, lake_ingest_with(f, req, STR("id,day,v\n1,1,a\n1,2,b\n1,1,c\n,1,d\n1,1,e\n"), &r));
	assert_int_equal(r.n_rows, 2);
	assert_int_equal(r.n_quarantined, 3);
	assert_str_is(lake_ask(f, "SELECT id, day, v FROM k").rows, "[[1,1,\"a\"],[1,2,\"b\"]]");
}

static void json_lines_and_lists(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result r = ingest(f, "j", "j.ndjson", "{\"a\":1,\"b\":\"7\"}\n\n{\"b\":\"x\",\"c\":{\"d\":[1]}}\nnot json\n[1]\n");

	assert_string_equal(types_of(f, &r), "a:BIGINT b:VARCHAR c:VARCHAR");
	assert_int_equal(r.n_rows, 2);
	assert_int_equal(r.n_quarantined, 2);
	r = ingest(f, "l", "l.json", "[{\"t\":\"2019-03-01T00:00:00Z\",\"n\":1.5,\"s\":\"3\"},\n 7,\n {\"t\":null}]");
	assert_string_equal(types_of(f, &r), "t:TIMESTAMP n:DOUBLE s:VARCHAR");
	assert_int_equal(r.n_rows, 2);
	assert_int_equal(r.n_quarantined, 1);
}

static void json_rows_that_do_not_fit(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_column types[] = { { STR("a"), TYPE_BIGINT }, { STR("t"), TYPE_TIMESTAMP } };
	str key[] = { STR("a") };
	const struct ingest_request req = { .name = STR("jf"), .source_name = STR("j.json"), .columns = { types, 2 }, .key = { key, 1 } };
	struct ingest_result r = { 0 };

	OK(f, lake_ingest_with(f, req, STR("[{\"a\":1},{\"a\":1.5},{\"a\":2,\"t\":\"then\"},\n{\"t\":\"2019-03-01\"},{\"a\":1},{\"a\":3}]"), &r));
	assert_int_equal(r.n_rows, 2);
	assert_int_equal(r.n_quarantined, 4);
	assert_int_equal(r.reasons.n, 4);
	assert_str_is(lake_ask(f, "SELECT a FROM jf").rows, "[[1],[3]]");
}

static void parquet(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_column types[] = { { STR("s"), TYPE_BIGINT } };
	str key[] = { STR("i") };
	struct ingest_request req = { .name = STR("p"), .source_name = STR("p.parquet"), .columns = { types, 1 }, .key = { key, 1 } };
	struct ingest_result r = { 0 };
	struct query *q;
	str data;

	char *path = arena_cstr(&f->a, arena_printf(&f->a, "%s/p.parquet", f->dir));
	OK(f, query_open(f->core.query, &q, &f->e));
	OK(f, query_to_parquet(q, STR("SELECT (CASE range WHEN 7 THEN 6 WHEN 8 THEN NULL ELSE range END)::SMALLINT AS i, DATE '2019-03-01' AS d, 1.5::DECIMAL(9,2) AS m,"
				      " CASE WHEN range = 5 THEN 'five' ELSE range::VARCHAR END AS s FROM range(10)"), str_of(path), NULL, &f->e));
	query_close(&q);
	OK(f, fs_read(path, 1 << 20, &f->a, &data, &f->e));
	OK(f, lake_ingest_with(f, req, data, &r));
	assert_string_equal(types_of(f, &r), "i:BIGINT d:TIMESTAMP m:DOUBLE s:BIGINT");
	assert_int_equal(r.n_source_rows, 10);
	assert_int_equal(r.n_rows, 7);
	assert_str_is(lake_ask(f, "SELECT count(*), sum(i)::BIGINT, max(d) FROM p").rows, "[[7,25,\"2019-03-01T00:00:00Z\"]]");
	assert_int_equal(lake_ingest_with(f, req, str_head(data, data.len - 20), &r), RC_INVALID);
	assert_has(f->e.msg, "not whole Parquet");
}

static void the_same_again_changes_nothing(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result a = ingest(f, "same", "x.csv", "a\n1\n"), b = ingest(f, "same", "x.csv", "a\n1\n");

	assert_false(a.unchanged);
	assert_true(b.unchanged);
	assert_int_equal(b.version, 1);
	assert_int_equal(b.n_rows, 1);
	assert_int_equal(ingest(f, "same", "x.csv", "a\n2\n").version, 2);
	assert_int_equal(ingest(f, "same", "x.csv", "a\n1\n").version, 3);    /* what was newest before is not newest now */
	assert_str_is(lake_ask(f, "SELECT (SELECT a FROM \"same@2\"), (SELECT a FROM same)").rows, "[[2,1]]");
}

static const struct { const char *name, *text; size_t len; const char *says; } refused[] = {
	{ "e.csv", "", 0, "empty" },
	{ "e.csv", " \r\n\n", 4, "empty" },
	{ "e.csv", "\xef\xbb\xbf", 3, "empty" },
	{ "b.csv", "\x00\x01\x02\xff\xfe,\x00", 7, "line 1" },
	{ "u.csv", "\xff\xfe" "a\0,\0", 6, "UTF-16" },
	{ "z.csv", "PK\x03\x04xxxx", 8, "zip" },
	{ "g.csv", "\x1f\x8b\x08xxxx", 7, "gzip" },
	{ "d.csv", "a,b,A\n1,2,3\n", 12, "two columns are named 'A'" },
	{ "l.json", "[{\"a\":1},", 9, "l.json" },
	{ "l.json", "[{\"a\":1}] x", 11, "l.json" },
	{ "l.json", "[1,2]", 5, "JSON object" },
	{ "c.json", "{\"a\":1,\"A\":2}", 13, "case only" },
	{ "n.csv", "a,b\n1\n2\n", 8, "none of the 2 rows fits; line 2: 1 fields where the header has 2" },
	{ "p.parquet", "PAR1xxxxPAR1", 12, "not whole Parquet" },
};

static void files_that_are_refused(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result r = { 0 };
	struct list all;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const struct ingest_request req = { .name = STR("r"), .source_name = str_of(refused[i].name) };
		if (lake_ingest_with(f, req, str_n(refused[i].text, refused[i].len), &r) != RC_INVALID)
			fail_msg("row %zu (%s) was taken: %s", i, refused[i].says, f->e.msg);
		assert_has(f->e.msg, refused[i].says);
	}
	OK(f, lake__datasets(f->lake, &f->a, &all, &f->e));
	assert_int_equal(all.n, 0);
}

static void header_only_is_an_empty_version(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result r = ingest(f, "h", "h.csv", "a,b\n");

	assert_int_equal(r.n_rows, 0);
	assert_int_equal(r.columns.n, 2);
	assert_str_is(lake_ask(f, "SELECT count(*) FROM h").rows, "[[0]]");
}

static void changed_columns_are_told(void **state)
{
	struct lake_fixture *f = lake_fixture(state);

	assert_int_equal(ingest(f, "c", "c.csv", "a,b,c\n1,2,3\n").schema_changes.n, 0);
	struct ingest_result r = ingest(f, "c", "c.csv", "a,c,d\n1,x,3\n");
	assert_int_equal(r.schema_changes.n, 3);
	assert_str_is(*LIST_AT(r.schema_changes, str, 0), "b: gone");
	assert_str_is(*LIST_AT(r.schema_changes, str, 1), "c: BIGINT before, VARCHAR now");
	assert_str_is(*LIST_AT(r.schema_changes, str, 2), "d: new");
}

static void options_must_name_columns(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	str key[] = { STR("nope") };
	struct ingest_request req = { .name = STR("o"), .source_name = STR("o.csv"), .key = { key, 1 } };
	struct ingest_result r = { 0 };

	assert_int_equal(lake_ingest_with(f, req, STR("a\n1\n"), &r), RC_INVALID);
	assert_has(f->e.msg, "key names 'nope'");
	assert_string_equal(f->e.field, "key");
	req = (struct ingest_request){ .name = STR("Case"), .source_name = STR("o.csv") };
	OK(f, lake_ingest_with(f, req, STR("a\n1\n"), &r));
	req.name = STR("case");
	assert_int_equal(lake_ingest_with(f, req, STR("a\n1\n"), &r), RC_CONFLICT);
}

static void nulls_by_name_and_delimiters(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	str nulls[] = { STR("NA"), STR("-") };
	struct ingest_request req = { .name = STR("na"), .source_name = STR("na.tsv"), .nulls = { nulls, 2 } };
	struct ingest_result r = { 0 };

	OK(f, lake_ingest_with(f, req, STR("a;b\n1;NA\n-;2,5\n"), &r));
	assert_string_equal(types_of(f, &r), "a:BIGINT b:VARCHAR");
	assert_str_is(lake_ask(f, "SELECT * FROM na").rows, "[[1,null],[null,\"2,5\"]]");
}

static void profile_of_a_version(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct dataset_version v;

	(void)ingest(f, "prof", "p.csv", "n,s\n1,a\n2,a\n3,b\n4,\nnan,a\n");
	OK(f, lake_version(f->lake, &f->a, STR("prof"), 1, &v, &f->e));
	const char *p = arena_cstr(&f->a, v.profile);
	assert_has(p, "\"n\":5,\"nulls\":1,\"distinct\":2,\"min\":\"a\",\"max\":\"b\",\"top\":[{\"value\":\"a\",\"n\":3},{\"value\":\"b\",\"n\":1}]");
	assert_has(p, "\"non_finite\":1");
	assert_has(p, "\"mean\":2.5");
	assert_has(p, "{\"q\":0.5,\"value\":2.5}");
}

static void lineage_and_audit_come_with_it(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result r = ingest(f, "lin", "lin.csv", "a\n1\n");
	struct rows rows;

	assert_str_is(r.id, "lin@1");
	OK(f, db_query1(f->core.db, &f->a, "SELECT from_kind, from_id, to_id, how FROM lineage_edge", NO_VALS, &rows, &f->e));
	assert_int_equal(rows.n, 1);
	assert_str_is(rows_at(&rows, 0, 0)->s, "source");
	assert_int_equal(rows_at(&rows, 0, 1)->s.len, 64);
	assert_str_is(rows_at(&rows, 0, 2)->s, "lin@1");
	assert_str_is(rows_at(&rows, 0, 3)->s, "ingest lin.csv");
	OK(f, db_query1(f->core.db, &f->a, "SELECT who, object FROM audit WHERE action = 'dataset.publish'", NO_VALS, &rows, &f->e));
	assert_int_equal(rows.n, 1);
	assert_str_is(rows_at(&rows, 0, 1)->s, "dataset:lin");
}

static void queries_are_sandboxed(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct table t;

	(void)ingest(f, "s", "s.csv", "a\n1\n2\n3\n");
	OK(f, lake__ask(f->lake, STR("SELECT a FROM s ORDER BY a DESC; "), 2, &f->a, &t, &f->e));
	assert_str_is(t.rows, "[[3],[2]]");
	assert_true(t.more);
	assert_int_equal(lake__ask(f->lake, STR("SELECT * FROM read_csv('/etc/passwd')"), 1, &f->a, &t, &f->e), RC_FORBIDDEN);
	assert_int_equal(lake__ask(f->lake, STR("SELECT * FROM '/etc/passwd'"), 1, &f->a, &t, &f->e), RC_INVALID);
	assert_int_equal(lake__ask(f->lake, STR("DROP VIEW s"), 1, &f->a, &t, &f->e), RC_INVALID);
	assert_int_equal(lake__ask(f->lake, STR("SELECT * FROM nothing"), 1, &f->a, &t, &f->e), RC_INVALID);
	assert_int_equal(lake__ask(f->lake, STR("SELECT 1) UNION (SELECT 2"), 1, &f->a, &t, &f->e), RC_INVALID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_set_up, lake_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(csv_gets_types_of_all_rows), T(rows_that_do_not_fit_are_kept_apart), T(tolerance_narrows_a_type),
		T(repeated_and_missing_keys), T(json_lines_and_lists), T(json_rows_that_do_not_fit), T(parquet), T(the_same_again_changes_nothing),
		T(files_that_are_refused), T(header_only_is_an_empty_version), T(changed_columns_are_told), T(options_must_name_columns),
		T(nulls_by_name_and_delimiters), T(profile_of_a_version), T(lineage_and_audit_come_with_it), T(queries_are_sandboxed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
