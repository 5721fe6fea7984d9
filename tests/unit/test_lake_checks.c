/* test_lake_checks.c -- each live check passes on what is right, and a seeded failure makes it fail. */
#include "lake_fixture.h"

#include <sys/stat.h>

#include "io/yaml.h"
#include "modules/lake/pipeline.h"

static struct check_outcome run_check(struct lake_fixture *f, const char *id)
{
	struct check_outcome out = { 0 };

	for (size_t i = 0; i < LAKE_CHECKS; i++) {
		if (strcmp(lake_checks[i].id, id) == 0) {
			check_run(&f->core, &lake_checks[i], f->lake, &f->a, &out);
			return out;
		}
	}
	fail_msg("no check %s", id);
	return out;
}

static void expect(struct lake_fixture *f, const char *id, enum check_result result, const char *evidence)
{
	struct check_outcome o = run_check(f, id);
	struct buf all = BUF_INIT(1 << 20);

	for (size_t i = 0; i < o.evidence.n; i++) {
		buf_add(&all, *LIST_AT(o.evidence, str, i));
		buf_add(&all, STR("\n"));
	}
	buf_add(&all, STR(""));
	if (o.outcome != (int32_t)result || (evidence != NULL && str_find(buf_str(&all), str_of(evidence)) < 0))
		fail_msg("%s: outcome %d, expected %d and '%s' in:\n%s", id, o.outcome, (int)result, evidence != NULL ? evidence : "", all.at);
	buf_deinit(&all);
}

static void seed(struct lake_fixture *f, const char *csv)
{
	struct ingest_result out = { 0 };
	struct ingest_column types[] = { { STR("x"), TYPE_BIGINT } };
	const struct ingest_request r = { .name = STR("t"), .source_name = STR("t.csv"), .columns = { types, 1 } };

	OK(f, lake_ingest_with(f, r, str_of(csv), &out));
}

static void run_pipeline(struct lake_fixture *f, enum rc expected)
{
	static const char yaml[] = "name: p\ninputs: [t]\nsteps:\n- {name: a, sql: SELECT * FROM t, gates: [{kind: row_count, min: 2}]}\noutputs: [{step: a}]\n";
	const struct pipeline_request r = { .name = STR("p") };
	struct pipeline_result result = { 0 };
	struct apply_result applied = { 0 };
	struct pipeline p;

	OK(f, record_from_yaml(&pipeline_record, str_of(yaml), "p.yaml", &f->a, 0, &p, &f->e));
	OK(f, lake__pipeline_apply(f->lake, &p, &(struct definition_source){ 0 }, &principal_system, &f->a, &applied, &f->e));
	f->e = ERR_INIT;
	assert_int_equal(lake__pipeline_run(f->lake, &r, &principal_system, NULL, &f->a, &result, &f->e), expected);
}

static void nothing_there_proves_nothing(void **state)
{
	struct lake_fixture *f = lake_fixture(state);

	expect(f, "lake.no_row_lost", CHECK_SKIPPED, NULL);
	expect(f, "lake.blobs_verify", CHECK_SKIPPED, NULL);
	expect(f, "lake.pipelines_gated", CHECK_SKIPPED, NULL);
	expect(f, "lake.failures_publish_nothing", CHECK_SKIPPED, NULL);
	expect(f, "lake.gates_find", CHECK_PASSED, "a repeated key: gate unique finds it and passes the clean table");
}

static void a_lost_row_is_found(void **state)
{
	struct lake_fixture *f = lake_fixture(state);

	seed(f, "x,s\n1,a\nbad,b\n3,c\n");
	expect(f, "lake.no_row_lost", CHECK_PASSED, "t@1: 3 rows in the source = 2 stored + 1 quarantined");
	/* The record is changed to say that a row more was stored than is in the file. */
	OK(f, db_exec1(f->core.db, "UPDATE lake_versions SET n_rows = 3, n_quarantined = 0", NO_VALS, NULL, &f->e));
	expect(f, "lake.no_row_lost", CHECK_FAILED, "on record: 3 + 0");
	/* The quarantined rows are gone. */
	OK(f, db_exec1(f->core.db, "UPDATE lake_versions SET n_rows = 2, n_quarantined = 0, quarantine_blob = ''", NO_VALS, NULL, &f->e));
	expect(f, "lake.no_row_lost", CHECK_FAILED, "3 rows in the source = 2 stored + 0 quarantined");
}

static void a_changed_file_is_found(void **state)
{
	struct lake_fixture *f = lake_fixture(state);
	struct dataset_version v;
	str path;

	seed(f, "x,s\n1,a\n2,b\n");
	expect(f, "lake.blobs_verify", CHECK_PASSED, "2 files of 1 versions");
	OK(f, lake_version(f->lake, &f->a, STR("t"), 0, &v, &f->e));
	OK(f, blob_path(f->core.blobs, v.source_blob, &f->a, &path, &f->e));
	char *file = arena_cstr(&f->a, path);
	assert_int_equal(chmod(file, 0600), 0);
	FILE *out = fopen(file, "r+");
	assert_non_null(out);
	assert_int_equal(fputc('y', out), 'y');
	fclose(out);
	expect(f, "lake.blobs_verify", CHECK_FAILED, "t@1: source file");
	assert_int_equal(unlink(file), 0);
	expect(f, "lake.blobs_verify", CHECK_FAILED, "t@1: source file");
	expect(f, "lake.no_row_lost", CHECK_FAILED, "t@1");
}

static void a_failed_gate_and_broken_lineage_are_found(void **state)
{
	struct lake_fixture *f = lake_fixture(state);

	seed(f, "x,s\n1,a\n2,b\n");
	run_pipeline(f, RC_OK);
	expect(f, "lake.pipelines_gated", CHECK_PASSED, "succeeded, 1 of 1 gates passed");
	OK(f, db_exec1(f->core.db, "DELETE FROM lineage_edge WHERE from_id = 't@1'", NO_VALS, NULL, &f->e));
	expect(f, "lake.pipelines_gated", CHECK_FAILED, "a@1 came from run");
	seed(f, "x,s\n1,a\n");
	run_pipeline(f, RC_GATE_FAILED);
	expect(f, "lake.pipelines_gated", CHECK_FAILED, "gate_failed, 0 of 1 gates passed");
	expect(f, "lake.failures_publish_nothing", CHECK_PASSED, "1 runs ended at a gate or otherwise, 0 versions came from such");
	OK(f, db_exec1(f->core.db, "UPDATE lake_versions SET origin_id = (SELECT max(id) FROM lake_pipeline_runs) WHERE id = 'a@1'", NO_VALS, NULL,
		       &f->e));
	expect(f, "lake.failures_publish_nothing", CHECK_FAILED, "a@1 came from run");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_set_up, lake_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_there_proves_nothing), T(a_lost_row_is_found), T(a_changed_file_is_found),
		T(a_failed_gate_and_broken_lineage_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
