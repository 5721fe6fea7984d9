/* test_lake_pipeline.c -- definitions that are taken and refused, the order of steps, gates of each kind, runs. */
#include "lake_fixture.h"

#include "base/clock.h"
#include "io/yaml.h"
#include "modules/lake/pipeline.h"

static void seed(struct lake_fixture *f, const char *name, const char *csv)
{
	struct ingest_result out = { 0 };
	const struct ingest_request r = { .name = str_of(name), .source_name = STR("seed.csv") };

	OK(f, lake_ingest_with(f, r, str_of(csv), &out));
}

static enum rc apply(struct lake_fixture *f, const char *yaml, struct apply_result *out)
{
	const struct definition_source from = { .name = STR("p.yaml"), .text = str_of(yaml) };
	struct pipeline p;

	f->e = ERR_INIT;
	*out = (struct apply_result){ 0 };
	TRY(record_from_yaml(&pipeline_record, str_of(yaml), "p.yaml", &f->a, 0, &p, &f->e));
	return lake__pipeline_apply(f->lake, &p, &from, &principal_system, &f->a, out, &f->e);
}

static struct apply_result applied(struct lake_fixture *f, const char *yaml)
{
	struct apply_result out;

	if (apply(f, yaml, &out) != RC_OK)
		fail_msg("%s", f->e.msg);
	return out;
}

static enum rc run_it(struct lake_fixture *f, const char *name, bool force, struct pipeline_result *out)
{
	const struct pipeline_request r = { .name = str_of(name), .force = force };

	f->e = ERR_INIT;
	*out = (struct pipeline_result){ 0 };
	return lake__pipeline_run(f->lake, &r, &principal_system, NULL, &f->a, out, &f->e);
}

static struct pipeline_run last(struct lake_fixture *f, const char *name)
{
	struct pipeline_run r = { 0 };
	bool found = false;

	OK(f, lake__run_last(f->lake, &f->a, str_of(name), false, &r, &found, &f->e));
	assert_true(found);
	return r;
}

#define HEAD "name: p\ninputs: [t]\nsteps:\n"
#define ONE HEAD "- {name: a, sql: SELECT * FROM t}\noutputs: [{step: a}]\n"

static const struct { const char *yaml, *says; } refused[] = {
	{ "name: p\ninputs: [t]\nstepz: []\n", "p.yaml:3:1" },
	{ "name: p\ninputs: [t]\nstepz: []\n", "did you mean 'steps'?; allowed: name, description, inputs, steps, outputs" },
	{ HEAD "- {name: a, sql: SELECT 1 AS x}\noutputs: [{step: b}]\n", "there is no step 'b'" },
	{ HEAD "- {name: a, sql: SELECT 1 AS x}\n- {name: A, sql: SELECT 1 AS x}\noutputs: [{step: a}]\n", "another step 'A'" },
	{ HEAD "- {name: t, sql: SELECT 1 AS x}\noutputs: [{step: t}]\n", "both an input and a step" },
	{ HEAD "- {name: a, sql: SELECT 1 AS x}\noutputs: [{step: a, dataset: t}]\n", "cannot feed itself" },
	{ HEAD "- {name: a, sql: SELECT 1 AS x}\noutputs: [{step: a}, {step: a}]\n", "made twice" },
	{ HEAD "- {name: a, sql: SELECT * FROM b}\n- {name: b, sql: SELECT * FROM a}\noutputs: [{step: a}]\n", "a reads b reads a" },
	{ HEAD "- name: a\n  sql: |\n    SELECT x\n    FROM t\n    WHERE FROM x\noutputs: [{step: a}]\n", "p.yaml:8: step 'a': SQL, line 3" },
	{ HEAD "- name: a\n  sql: |\n    SELECT x,\n      nope\n    FROM t\noutputs: [{step: a}]\n", "p.yaml:7: step 'a': Binder Error" },
	{ HEAD "- {name: a, sql: SELECT * FROM elsewhere}\noutputs: [{step: a}]\n", "step 'a': Catalog Error: Table with name elsewhere" },
	{ HEAD "- {name: a, sql: 'DROP TABLE t'}\noutputs: [{step: a}]\n", "only SELECT" },
	{ HEAD "- {name: a, sql: \"SELECT * FROM read_csv('/etc/passwd')\"}\noutputs: [{step: a}]\n", "'read_csv' is not available" },
	{ HEAD "- {name: a, sql: \"SELECT * FROM '/etc/passwd'\"}\noutputs: [{step: a}]\n", "step 'a'" },
	{ HEAD "- {name: a, sql: 'SELECT 1 AS x, 2 AS X'}\noutputs: [{step: a}]\n", "two columns are named" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: nope}]}\noutputs: [{step: a}]\n", "row_count, not_null, range, accepted_values" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: range, column: x}]}\noutputs: [{step: a}]\n", "needs column, and min or max" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: row_count, min: 1, column: x}]}\noutputs: [{step: a}]\n", "does not take 'column'" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: row_count, min: 3, max: 1}]}\noutputs: [{step: a}]\n", "nothing can pass" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: not_null, columns: [z]}]}\noutputs: [{step: a}]\n", "no column 'z'; there are: x, s" },
	{ HEAD "- {name: a, sql: SELECT * FROM t}\noutputs: [{step: a, gates: [{kind: range, column: s, min: 1}]}]\n", "outputs[0].gates[0] (range)" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: freshness, column: x, max_age: 1d}]}\noutputs: [{step: a}]\n", "is for times" },
	{ HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: freshness, column: x, max_age: 1d, relative_to: later}]}\noutputs: [{step: a}]\n", "none of: now" },
};

static void definitions_that_are_refused(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct apply_result r;
	struct list all;

	seed(f, "t", "x,s\n1,a\n");
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (apply(f, refused[i].yaml, &r) == RC_OK)
			fail_msg("row %zu (%s) was taken", i, refused[i].says);
		assert_has(f->e.msg, refused[i].says);
	}
	OK(f, lake__pipelines(f->lake, &f->a, &all, &f->e));
	assert_int_equal(all.n, 0);
}

static void applying_again_changes_nothing(void **state)
{
	struct lake_fixture *f = lake_fixture(state);

	struct apply_result r = applied(f, ONE);
	assert_true(r.changed);
	assert_int_equal(r.revision, 1);
	assert_int_equal(r.missing_inputs.n, 1);
	r = applied(f, ONE);
	assert_false(r.changed);
	assert_int_equal(r.revision, 1);
	assert_int_equal(applied(f, HEAD "- {name: a, sql: SELECT 1 AS x}\noutputs: [{step: a}]\n").revision, 2);
	assert_int_equal(apply(f, "name: q\ninputs: [t]\nsteps:\n- {name: a, sql: SELECT 1 AS x}\noutputs: [{step: a}]\n", &r), RC_CONFLICT);
	assert_has(f->e.msg, "made by pipeline 'p'");
}

static void steps_run_in_the_order_of_what_they_read(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct pipeline_result r;

	seed(f, "t", "x,s\n1,a\n2,b\n");
	struct apply_result a = applied(f, HEAD "- {name: c, sql: SELECT sum(y)::BIGINT AS z FROM b}\n- {name: b, sql: SELECT y FROM a}\n"
					       "- {name: a, sql: WITH t2 AS (SELECT * FROM t) SELECT x + 1 AS y FROM t2}\noutputs: [{step: c, dataset: total}]\n");
	assert_str_is(*LIST_AT(a.order, str, 0), "a");
	assert_str_is(*LIST_AT(a.order, str, 2), "c");
	OK(f, run_it(f, "p", false, &r));
	assert_str_is(lake_ask(f, "SELECT * FROM total").rows, "[[5]]");
	assert_str_is(LIST_AT(r.outputs, struct run_output, 0)->id, "total@1");
	struct pipeline_run run = last(f, "p");
	assert_int_equal(run.state, PIPE_SUCCEEDED);
	assert_int_equal(run.steps.n, 3);
	assert_int_equal(LIST_AT(run.steps, struct run_step, 1)->n_rows, 2);
	assert_str_is(LIST_AT(run.inputs, struct run_input, 0)->id, "t@1");
}

static void nothing_new_is_skipped(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct pipeline_result first, r;

	seed(f, "t", "x,s\n1,a\n");
	(void)applied(f, ONE);
	OK(f, run_it(f, "p", false, &first));
	OK(f, run_it(f, "p", false, &r));
	assert_true(r.skipped);
	assert_true(str_eq(r.run_id, first.run_id));
	OK(f, run_it(f, "p", true, &r));
	assert_false(r.skipped);
	assert_str_is(LIST_AT(r.outputs, struct run_output, 0)->id, "a@2");
	seed(f, "t", "x,s\n7,a\n");
	OK(f, run_it(f, "p", false, &r));
	assert_str_is(LIST_AT(r.outputs, struct run_output, 0)->id, "a@3");
	seed(f, "a", "y\n1\n");        /* somebody else made the newest version: what the run made is not there any more */
	OK(f, run_it(f, "p", false, &r));
	assert_false(r.skipped);
}

static void a_failed_gate_keeps_the_last_output(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	static const char yaml[] = HEAD "- {name: a, sql: SELECT * FROM t, gates: [{kind: not_null, columns: [x, s]}, {kind: row_count, min: 1}]}\n"
				   "- {name: b, sql: SELECT * FROM a}\noutputs: [{step: a}, {step: b}]\n";
	struct pipeline_result r;

	seed(f, "t", "x,s\n1,a\n");
	(void)applied(f, yaml);
	OK(f, run_it(f, "p", false, &r));
	assert_int_equal(r.n_gates, 2);
	seed(f, "t", "x,s\n1,a\n,b\n3,\n");
	assert_int_equal(run_it(f, "p", false, &r), RC_GATE_FAILED);
	assert_has(f->e.msg, "gate not_null of x, s failed: 2 of 3 rows do not pass");
	assert_str_is(lake_ask(f, "SELECT count(*) FROM a").rows, "[[1]]");
	struct pipeline_run run = last(f, "p");
	assert_int_equal(run.state, PIPE_GATE_FAILED);
	assert_int_equal(run.outputs.n, 0);
	assert_int_equal(run.gates.n, 2);       /* all of the place, so one run tells everything */
	const struct gate_outcome *o = LIST_AT(run.gates, struct gate_outcome, 0);
	assert_false(o->passed);
	assert_int_equal(o->n_failing, 2);
	assert_str_is(*LIST_AT(o->examples, str, 0), "{\"x\":null,\"s\":\"b\"}");
	assert_true(LIST_AT(run.gates, struct gate_outcome, 1)->passed);
	seed(f, "t", "x,s\n4,d\n");
	OK(f, run_it(f, "p", false, &r));
	assert_str_is(LIST_AT(r.outputs, struct run_output, 0)->id, "a@2");
}

static void a_missing_input_and_a_failing_step(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct pipeline_result r;

	(void)applied(f, HEAD "- {name: a, sql: \"SELECT error('boom') AS x FROM t\"}\noutputs: [{step: a}]\n");
	assert_int_equal(run_it(f, "p", false, &r), RC_NOT_FOUND);
	assert_has(f->e.msg, "input of pipeline 'p': dataset 't'");
	seed(f, "t", "x,s\n1,a\n");
	assert_int_equal(run_it(f, "p", false, &r), RC_INVALID);
	assert_has(f->e.msg, "step 'a'");
	assert_int_equal(last(f, "p").state, PIPE_FAILED);
}

static void two_runs_at_once_are_refused_and_dead_ones_settled(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct pipeline_run run = { .id = STR("pl_dead"), .pipeline = STR("p"), .state = PIPE_RUNNING, .started_ms = 1 };
	struct pipeline_result r;

	seed(f, "t", "x,s\n1,a\n");
	(void)applied(f, ONE);
	OK(f, lake__run_begin(f->lake, &run, &f->a, &f->e));
	assert_int_equal(lake__run_begin(f->lake, &run, &f->a, &f->e), RC_CONFLICT);
	OK(f, run_it(f, "p", false, &r));       /* its task is not there, so it is dead */
	OK(f, lake__run(f->lake, &f->a, STR("pl_dead"), &run, &f->e));
	assert_int_equal(run.state, PIPE_INTERRUPTED);
}

static void outputs_have_their_lineage(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct pipeline_result r;
	struct rows rows;

	seed(f, "t", "x,s\n1,a\n");
	(void)applied(f, ONE);
	OK(f, run_it(f, "p", false, &r));
	OK(f, db_query1(f->core.db, &f->a, "SELECT from_kind, from_id, to_id FROM lineage_edge ORDER BY to_kind, to_id", NO_VALS, &rows, &f->e));
	assert_int_equal(rows.n, 3);            /* source → t@1 → run → a@1 */
	assert_str_is(rows_at(&rows, 0, 2)->s, "a@1");
	assert_true(str_eq(rows_at(&rows, 0, 1)->s, r.run_id));
	assert_str_is(rows_at(&rows, 2, 1)->s, "t@1");
	assert_true(str_eq(rows_at(&rows, 2, 2)->s, r.run_id));
}

/* --- gates ----------------------------------------------------------------------------------------------------- */

static const struct { const char *gate; bool passes; double value; int64_t failing; const char *example; } gates[] = {
	{ "{kind: row_count, min: 5, max: 5}", true, 5, 0, NULL },
	{ "{kind: row_count, min: 6}", false, 5, 0, NULL },
	{ "{kind: row_count, max: 4}", false, 5, 0, NULL },
	{ "{kind: not_null, columns: [k]}", true, 1, 0, NULL },
	{ "{kind: not_null, columns: [k, v]}", false, 0.8, 1, "{\"k\":\"b\",\"v\":null,\"t\":\"2019-03-02 00:00:00\"}" },
	{ "{kind: not_null, columns: [v], mostly: 0.8}", true, 0.8, 1, "{\"k\":\"b\",\"v\":null,\"t\":\"2019-03-02 00:00:00\"}" },
	{ "{kind: range, column: v, min: 1, max: 40}", true, 1, 0, NULL },
	{ "{kind: range, column: v, min: 10.5}", false, 0.75, 1, NULL },
	{ "{kind: range, column: v, max: 30, mostly: 0.75}", true, 0.75, 1, NULL },
	{ "{kind: range, column: v, max: 30, mostly: 0.76}", false, 0.75, 1, NULL },
	{ "{kind: accepted_values, column: k, values: [a, b, c, it's]}", true, 1, 0, NULL },
	{ "{kind: accepted_values, column: k, values: [a, b]}", false, 0.6, 2, NULL },
	{ "{kind: accepted_values, column: v, values: [10, 20, 30, 40]}", true, 1, 0, NULL },
	{ "{kind: unique, columns: [k]}", false, 0.8, 1, "{\"k\":\"a\",\"rows\":2}" },
	{ "{kind: unique, columns: [k, t]}", true, 1, 0, NULL },
	{ "{kind: unique, columns: [k], mostly: 0.8}", true, 0.8, 1, NULL },
	{ "{kind: freshness, column: t, max_age: 1d, relative_to: 2019-03-06}", true, 86400, 0, NULL },
	{ "{kind: freshness, column: t, max_age: 23h, relative_to: 2019-03-06T00:00:00Z}", false, 86400, 0, NULL },
	{ "{kind: freshness, column: t, max_age: 1d}", false, -1, 0, NULL },
	{ "{kind: freshness, column: t, max_age: 0s, relative_to: g.t}", true, 0, 0, NULL },
};

static void gates_measure(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct query *q;

	seed(f, "g", "k,v,t\na,10,2019-03-01\nb,,2019-03-02\nc,30,2019-03-03\na,20,2019-03-04\nit's,40,2019-03-05\n");
	struct dataset_version v;
	OK(f, lake_version(f->lake, &f->a, STR("g"), 0, &v, &f->e));
	OK(f, query_open(f->core.query, &q, &f->e));
	OK(f, lake_bind(f->lake, q, STR("g"), &v, &f->e));
	OK(f, query_sandbox(q, &f->e));
	for (size_t i = 0; i < ARRAY_LEN(gates); i++) {
		struct gate_outcome o = { 0 };
		struct gate g;
		OK(f, record_from_yaml(&gate_record, str_of(gates[i].gate), "gate", &f->a, 0, &g, &f->e));
		OK(f, lake__gate_measure(q, &g, STR("g"), &f->a, &o, &f->e));
		if (o.passed != gates[i].passes || (gates[i].value >= 0 && o.value != gates[i].value) || o.n_failing != gates[i].failing)
			fail_msg("%s: passed %d, value %g, failing %lld (" STR_FMT ")", gates[i].gate, o.passed, o.value, (long long)o.n_failing,
				 STR_ARG(o.bound));
		assert_int_equal(o.examples.n > 0, gates[i].failing > 0);
		if (gates[i].example != NULL)
			assert_str_is(*LIST_AT(o.examples, str, 0), gates[i].example);
	}
	query_close(&q);
}

static void an_empty_table_is_neither_fresh_nor_full(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct gate_outcome o = { 0 };
	struct gate g;
	struct query *q;

	OK(f, query_open(f->core.query, &q, &f->e));
	OK(f, query_define(q, STR("e"), STR("SELECT now()::TIMESTAMP AS t, 1 AS k WHERE false"), true, &f->e));
	OK(f, record_from_yaml(&gate_record, STR("{kind: freshness, column: t, max_age: 9d}"), "gate", &f->a, 0, &g, &f->e));
	OK(f, lake__gate_measure(q, &g, STR("e"), &f->a, &o, &f->e));
	assert_false(o.passed);
	OK(f, record_from_yaml(&gate_record, STR("{kind: unique, columns: [k]}"), "gate", &f->a, 0, &g, &f->e));
	OK(f, lake__gate_measure(q, &g, STR("e"), &f->a, &o, &f->e));
	assert_true(o.passed);
	query_close(&q);
}

static void the_example_knows_no_future(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct ingest_result in = { 0 };
	struct pipeline_result r;
	struct apply_result a;
	str csv, yaml;

	OK(f, fs_read("examples/taxi/data/taxis.csv", 16 << 20, &f->a, &csv, &f->e));
	OK(f, fs_read("examples/taxi/pipeline.yaml", 1 << 20, &f->a, &yaml, &f->e));
	OK(f, lake_ingest_with(f, (struct ingest_request){ .name = STR("trips"), .source_name = STR("taxis.csv") }, csv, &in));
	assert_int_equal(in.n_source_rows, 6433);
	a = applied(f, arena_cstr(&f->a, yaml));
	assert_int_equal(a.missing_inputs.n, 0);
	OK(f, run_it(f, "trips_clean", false, &r));
	/* Every row again by brute force from the trips alone, for one zone in three. */
	struct table t = lake_ask(f, "WITH again AS (SELECT s.pickup_zone, s.event_time, count(*) AS n, avg(c.fare) AS fare FROM zone_stats s, trips_clean c"
				     " WHERE c.pickup_zone = s.pickup_zone AND c.dropoff < s.event_time AND c.dropoff >= s.event_time - INTERVAL 7 DAY"
				     " AND hash(s.pickup_zone) % 3 = 0 GROUP BY ALL)"
				     " SELECT count(*) > 10000, bool_and(n = trips_7d AND abs(fare - fare_avg_7d) < 1e-9) FROM again JOIN zone_stats USING (pickup_zone, event_time)");
	assert_str_is(t.rows, "[[true,true]]");
	t = lake_ask(f, "SELECT count(*) FROM zone_stats s WHERE NOT EXISTS (SELECT 1 FROM trips_clean c WHERE c.pickup_zone = s.pickup_zone AND c.dropoff < s.event_time)");
	assert_str_is(t.rows, "[[0]]");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_set_up, lake_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(definitions_that_are_refused), T(applying_again_changes_nothing), T(steps_run_in_the_order_of_what_they_read),
		T(nothing_new_is_skipped), T(a_failed_gate_keeps_the_last_output), T(a_missing_input_and_a_failing_step),
		T(two_runs_at_once_are_refused_and_dead_ones_settled), T(outputs_have_their_lineage), T(gates_measure),
		T(an_empty_table_is_neither_fresh_nor_full), T(the_example_knows_no_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
