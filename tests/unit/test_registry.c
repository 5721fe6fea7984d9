/* test_registry.c -- versions, aliases, references and pinned files, on both engines. */
#include "tracking_fixture.h"

#include "modules/registry/registry_int.h"

static int64_t make_version(struct fixture *f, const char *name, str run)
{
	const struct version_new v = { .name = str_of(name), .run_id = run, .source = arena_printf(&f->a, "runs:/" STR_FMT "/model", STR_ARG(run)) };
	struct model_version made;

	OK(f, registry_version_create(f->r, &f->a, &v, &made, &f->e));
	return made.version;
}

static str file_text(struct fixture *f, const struct model_version *v, const char *path)
{
	struct list files;
	str text = STR("");

	OK(f, registry_files(f->r, &f->a, v, &files, &f->e));
	for (size_t i = 0; i < files.n; i++) {
		const struct artifact *x = LIST_AT(files, const struct artifact, i);
		if (str_eq(x->path, str_of(path)))
			OK(f, blob_get(f->core->blobs, x->blob, 1000, &f->a, &text, &f->e));
	}
	return text;
}

static void references_are_read(void **state)
{
	static const struct { const char *text, *name; enum reference_kind kind; int64_t version; const char *word; } rows[] = {
		{ "fare", "fare", REF_NEWEST, 0, "" },
		{ "fare/3", "fare", REF_VERSION, 3, "3" },
		{ "fare@champion", "fare", REF_ALIAS, 0, "champion" },
		{ "models:/fare", "fare", REF_NEWEST, 0, "" },
		{ "models:/fare/12", "fare", REF_VERSION, 12, "12" },
		{ "models:/fare@champion", "fare", REF_ALIAS, 0, "champion" },
		{ "models:/fare/latest", "fare", REF_NEWEST, 0, "latest" },
		{ "models:/fare/production", "fare", REF_STAGE, 0, "Production" },
		{ "models:///fare/1", "fare", REF_VERSION, 1, "1" },
		{ "", NULL, 0, 0, "" },
		{ "models:/", NULL, 0, 0, "" },
		{ "fare/", NULL, 0, 0, "" },
		{ "fare/nonsense", NULL, 0, 0, "" },
		{ "fare/1/2", NULL, 0, 0, "" },
		{ "fare@", NULL, 0, 0, "" },
		{ "fare@a b", NULL, 0, 0, "" },
		{ "a:b", NULL, 0, 0, "" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reference r;
		struct err e = ERR_INIT;
		enum rc rc = rule_reference(str_of(rows[i].text), &r, &e);
		if ((rc == RC_OK) != (rows[i].name != NULL))
			fail_msg("'%s': %s", rows[i].text, rc == RC_OK ? "accepted" : e.msg);
		if (rc != RC_OK)
			continue;
		assert_true(str_eq(r.name, str_of(rows[i].name)) && str_eq(r.word, str_of(rows[i].word)));
		assert_int_equal(r.kind, rows[i].kind);
		assert_int_equal(r.version, rows[i].version);
	}
}

static void sources_are_safe(void **state)
{
	static const struct { const char *source; bool prompt, fits; } rows[] = {
		{ "mlflow-artifacts:/0/r/artifacts/m", false, true }, { "runs:/r/m", false, true }, { "models:/m-1", false, true },
		{ "s3://bucket/x", false, true },           { "/etc", false, false },           { "file:///etc", false, false },
		{ "relative", false, false },               { "relative", true, true },         { "/etc", true, false },
		{ "s3://b/../x", false, false },            { "s3://b/%2e%2e/x", false, false }, { "s3://b/%252e%252e/x", false, false },
		{ "http://h/a%00b", false, false },         { "s3://b/./x", false, false },
	};
	struct arena a;
	(void)state;

	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		if ((rule_source(&a, str_of(rows[i].source), rows[i].prompt, &e) == RC_OK) != rows[i].fits)
			fail_msg("%s: %s", rows[i].source, e.msg);
	}
	arena_deinit(&a);
}

static void versions_are_numbered_and_found(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "trainer");
	struct model_version v;

	put_file(f, run, "model/MLmodel", "first");
	REFUSED(f, RC_NOT_FOUND, "has no version", registry_resolve(f->r, &f->a, STR("fare"), &v, &f->e));
	assert_int_equal(make_version(f, "fare", run), 1);
	assert_int_equal(make_version(f, "fare", run), 2);
	assert_int_equal(make_version(f, "other", run), 1);
	OK(f, version_delete(f->r, &f->a, STR("fare"), 2, &principal_system, &f->e));
	assert_int_equal(make_version(f, "fare", run), 3);       /* a number is never given twice */
	OK(f, registry_resolve(f->r, &f->a, STR("fare"), &v, &f->e));
	assert_int_equal(v.version, 3);
	assert_true(str_eq(v.run_id, run));
	REFUSED(f, RC_NOT_FOUND, "version=2) not found", registry_resolve(f->r, &f->a, STR("models:/fare/2"), &v, &f->e));
	OK(f, registry_alias_set(f->r, STR("fare"), STR("champion"), 1, NULL, &f->e));
	OK(f, registry_resolve(f->r, &f->a, STR("models:/fare@champion"), &v, &f->e));
	assert_int_equal(v.version, 1);
	assert_true(v.aliases.n == 1 && str_eq(*LIST_AT(v.aliases, str, 0), STR("champion")));
	OK(f, registry_alias_set(f->r, STR("fare"), STR("champion"), 3, NULL, &f->e));
	OK(f, registry_resolve(f->r, &f->a, STR("fare@champion"), &v, &f->e));
	assert_int_equal(v.version, 3);
	REFUSED(f, RC_NOT_FOUND, "version=9) not found", registry_alias_set(f->r, STR("fare"), STR("x"), 9, NULL, &f->e));
	REFUSED(f, RC_INVALID, "reserved", registry_alias_set(f->r, STR("fare"), STR("latest"), 1, NULL, &f->e));
	REFUSED(f, RC_INVALID, "reserved", registry_alias_set(f->r, STR("fare"), STR("v1"), 1, NULL, &f->e));
	REFUSED(f, RC_NOT_FOUND, "no alias 'gone'", registry_resolve(f->r, &f->a, STR("fare@gone"), &v, &f->e));
	OK(f, version_delete(f->r, &f->a, STR("fare"), 3, &principal_system, &f->e));
	REFUSED(f, RC_NOT_FOUND, "no alias 'champion'", registry_resolve(f->r, &f->a, STR("fare@champion"), &v, &f->e));
	assert_int_equal(check(f, "registry.aliases_point").outcome, CHECK_SKIPPED);
}

static void files_are_pinned(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "trainer");
	struct model_version v;

	put_file(f, run, "model/MLmodel", "first");
	make_version(f, "fare", run);
	put_file(f, run, "model/MLmodel", "changed");
	make_version(f, "fare", run);
	OK(f, registry_resolve(f->r, &f->a, STR("fare/1"), &v, &f->e));
	assert_true(str_eq(file_text(f, &v, "MLmodel"), STR("first")));
	OK(f, registry_resolve(f->r, &f->a, STR("fare/2"), &v, &f->e));
	assert_true(str_eq(file_text(f, &v, "MLmodel"), STR("changed")));
	/* Registered first, uploaded afterwards. */
	str late = make_run(f, "late");
	make_version(f, "late", late);
	put_file(f, late, "model/MLmodel", "late");
	OK(f, registry_resolve(f->r, &f->a, STR("late"), &v, &f->e));
	assert_true(str_eq(file_text(f, &v, "MLmodel"), STR("late")));
}

static void the_descriptor_is_read(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "trainer");
	struct model_version v;
	struct model_spec spec;

	put_file(f, run, "model/MLmodel", "x");
	make_version(f, "fare", run);
	OK(f, registry_resolve(f->r, &f->a, STR("fare"), &v, &f->e));
	REFUSED(f, RC_NOT_FOUND, "has no cairn.json", registry_spec(f->r, &f->a, &v, &spec, &f->e));
	put_file(f, run, "model/cairn.json",
		 "{\"runtime\":\"xgboost\",\"file\":\"model.ubj\",\"inputs\":[{\"name\":\"distance\"},{\"name\":\"trips\",\"view\":\"zone\"}],"
		 "\"output\":\"fare\",\"reference\":\"reference.json\",\"views\":[\"zone\"]}");
	make_version(f, "fare", run);
	OK(f, registry_resolve(f->r, &f->a, STR("fare"), &v, &f->e));
	OK(f, registry_spec(f->r, &f->a, &v, &spec, &f->e));
	assert_true(str_eq(spec.runtime, STR("xgboost")) && spec.inputs.n == 2 && spec.views.n == 1);
	assert_true(str_eq(LIST_AT(spec.inputs, struct model_input, 0)->type, STR("float")));
	assert_true(str_eq(LIST_AT(spec.inputs, struct model_input, 1)->view, STR("zone")));
	put_file(f, run, "model/cairn.json", "{\"runtime\":\"xgboost\",\"file\":\"../../etc/passwd\",\"inputs\":[{\"name\":\"a\"}],\"output\":\"y\"}");
	make_version(f, "fare", run);
	OK(f, registry_resolve(f->r, &f->a, STR("fare"), &v, &f->e));
	REFUSED(f, RC_INVALID, "cairn.json of fare version 3", registry_spec(f->r, &f->a, &v, &spec, &f->e));
}

struct tracing { struct fixture *f; str id; struct lineage_graph out; };
static enum rc trace_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct tracing *t = ctx;

	return lineage_trace(tx, &t->f->a, STR(LIN_MODEL), t->id, false, &t->out, e);
}

static void lineage_leads_to_the_run(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "trainer");
	struct registered_model m;

	make_version(f, "fare", run);
	struct tracing t = { .f = f, .id = STR("fare@1") };
	OK(f, db_read(f->core->db, trace_tx, &t, &f->e));
	assert_int_equal(t.out.nodes.n, 2);
	const struct lineage_node *n = LIST_AT(t.out.nodes, const struct lineage_node, 1);
	assert_true(str_eq(n->kind, STR(LIN_RUN)) && str_eq(n->id, run) && str_eq(n->label, STR("trainer")));
	OK(f, model_rename(f->r, &f->a, STR("fare"), STR("taxi"), &principal_system, &m, &f->e));
	t.id = STR("taxi@1");
	OK(f, db_read(f->core->db, trace_tx, &t, &f->e));
	assert_int_equal(t.out.nodes.n, 3);
	assert_int_equal(m.latest_versions.n, 1);
}

static void stages_move(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "trainer");
	struct version_row row;
	struct model_version v;

	make_version(f, "fare", run);
	make_version(f, "fare", run);
	const struct stage_change one = { STR("fare"), 1, STR("production"), true }, two = { STR("fare"), 2, STR("Production"), true };
	const struct stage_change bad = { STR("fare"), 2, STR("Live"), false }, none = { STR("fare"), 2, STR("none"), true };
	OK(f, version_stage(f->r, &f->a, &one, &principal_system, &row, &f->e));
	assert_true(str_eq(row.v.stage, STR("Production")));
	OK(f, version_stage(f->r, &f->a, &two, &principal_system, &row, &f->e));
	OK(f, version_get(f->r, &f->a, STR("fare"), 1, &row, &f->e));
	assert_true(str_eq(row.v.stage, STR("Archived")));
	OK(f, registry_resolve(f->r, &f->a, STR("models:/fare/Production"), &v, &f->e));
	assert_int_equal(v.version, 2);
	REFUSED(f, RC_INVALID, "Invalid Model Version stage", version_stage(f->r, &f->a, &bad, &principal_system, &row, &f->e));
	REFUSED(f, RC_INVALID, "not an Active stage", version_stage(f->r, &f->a, &none, &principal_system, &row, &f->e));
}

static void checks_fail_when_they_must(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "trainer");
	struct model_version v;
	struct list files;

	assert_int_equal(check(f, "registry.versions_are_whole").outcome, CHECK_SKIPPED);
	put_file(f, run, "model/MLmodel", "whole");
	make_version(f, "fare", run);
	OK(f, registry_alias_set(f->r, STR("fare"), STR("champion"), 1, NULL, &f->e));
	assert_int_equal(check(f, "registry.versions_are_whole").outcome, CHECK_PASSED);
	assert_int_equal(check(f, "registry.aliases_point").outcome, CHECK_PASSED);
	OK(f, registry_resolve(f->r, &f->a, STR("fare"), &v, &f->e));
	OK(f, registry_files(f->r, &f->a, &v, &files, &f->e));
	damage(f, LIST_AT(files, struct artifact, 0)->blob);
	assert_int_equal(check(f, "registry.versions_are_whole").outcome, CHECK_FAILED);
	OK(f, db_exec1(f->core->db, "UPDATE model_aliases SET version = 7", NO_VALS, NULL, &f->e));
	assert_int_equal(check(f, "registry.aliases_point").outcome, CHECK_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_read),    cmocka_unit_test(sources_are_safe),
		ON_BOTH(versions_are_numbered_and_found), ON_BOTH(files_are_pinned),
		ON_BOTH(the_descriptor_is_read),          ON_BOTH(lineage_leads_to_the_run),
		ON_BOTH(stages_move),                     ON_BOTH(checks_fail_when_they_must),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
