/* test_tracking.c -- MLflow's semantics of runs and their logs, on both engines. */
#include "tracking_fixture.h"

#include "modules/tracking/store.h"

/* --- experiments --------------------------------------------------------------------------------------- */

static void experiments_live_and_die(void **state)
{
	struct fixture *f = fixture(state);
	const struct experiment_create one = { .name = STR("one") };
	struct experiment x;
	struct run run;
	str id, again;

	OK(f, experiment_get(f->t, &f->a, STR(""), &x, &f->e));
	assert_true(str_eq(x.name, STR("Default")) && str_eq(x.experiment_id, STR("0")));
	assert_true(str_eq(x.artifact_location, STR("mlflow-artifacts:/0")));
	OK(f, experiment_create(f->t, &f->a, &one, &principal_system, &id, &f->e));
	assert_true(str_eq(id, STR("1")));
	OK(f, tracking_experiment(f->t, STR("one"), &f->a, &again, &f->e));
	assert_true(str_eq(again, id));
	OK(f, tracking_experiment(f->t, STR("two"), &f->a, &again, &f->e));
	assert_true(str_eq(again, STR("2")));
	REFUSED(f, RC_CONFLICT, "Experiment(name=one) already exists", experiment_create(f->t, &f->a, &one, &principal_system, &id, &f->e));

	const struct run_start s = { .experiment_id = STR("1") };
	str run_id;
	OK(f, tracking_run_start(f->t, &s, &f->a, &run_id, &f->e));
	OK(f, experiment_stage(f->t, &f->a, STR("1"), true, &principal_system, &f->e));
	OK(f, run_get(f->t, &f->a, run_id, &run, &f->e));
	assert_true(str_eq(run.info.lifecycle_stage, STR("deleted")));
	REFUSED(f, RC_NOT_FOUND, "No Experiment with id=1", experiment_stage(f->t, &f->a, STR("1"), true, &principal_system, &f->e));
	REFUSED(f, RC_CONFLICT, "restore it", experiment_create(f->t, &f->a, &one, &principal_system, &id, &f->e));
	REFUSED(f, RC_INVALID, "must be in the 'active' state", tracking_run_start(f->t, &s, &f->a, &run_id, &f->e));
	REFUSED(f, RC_GATE_FAILED, "non-active", experiment_rename(f->t, &f->a, STR("1"), STR("x"), &principal_system, &f->e));
	OK(f, experiment_stage(f->t, &f->a, STR("1"), false, &principal_system, &f->e));
	OK(f, experiment_rename(f->t, &f->a, STR("1"), STR("uno"), &principal_system, &f->e));
	REFUSED(f, RC_CONFLICT, "already exists", experiment_rename(f->t, &f->a, STR("1"), STR("two"), &principal_system, &f->e));
	REFUSED(f, RC_INVALID, "must be a valid integer", experiment_get(f->t, &f->a, STR("x"), &x, &f->e));
	REFUSED(f, RC_NOT_FOUND, "No Experiment with id=99", experiment_get(f->t, &f->a, STR("99"), &x, &f->e));
}

/* --- metrics --------------------------------------------------------------------------------------------- */

static double latest(struct fixture *f, str run_id, const char *key, int64_t *step)
{
	struct run run;

	OK(f, run_get(f->t, &f->a, run_id, &run, &f->e));
	for (size_t i = 0; i < run.data.metrics.n; i++) {
		const struct metric *m = LIST_AT(run.data.metrics, const struct metric, i);
		if (str_eq(m->key, str_of(key))) {
			*step = m->step;
			return m->value;
		}
	}
	fail_msg("no metric %s", key);
	return 0;
}

struct history { struct fixture *f; struct history_read read; struct list out; };
static enum rc history_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct history *h = ctx;

	return store_history(tx, &h->f->a, &h->read, &h->out, e);
}

static struct list history(struct fixture *f, str run_id, const char *key)
{
	struct history h = { .f = f, .read = { .run_id = run_id, .key = str_of(key) } };

	OK(f, db_read(f->core->db, history_tx, &h, &f->e));
	return h.out;
}

/* Step first, then time, then value; what ties stays; NaN counts as 0. */
static void the_latest_is_the_greatest(void **state)
{
	static const struct { double first, second; int64_t step1, at1, step2, at2; bool second_wins; } rows[] = {
		{ 1, 2, 0, 10, 1, 5, true },    /* a later step wins over time */
		{ 1, 2, 1, 5, 0, 10, false },
		{ 1, 2, 0, 10, 0, 11, true },
		{ 2, 1, 0, 11, 0, 10, false },
		{ 1, 2, 0, 10, 0, 10, true },   /* same step and time: the greater value */
		{ 2, 1, 0, 10, 0, 10, false },
		{ 1, 2, -5, 10, -4, 10, true },
		{ NAN, 1, 0, 10, 0, 10, true },
		{ -1, NAN, 0, 10, 0, 10, true },
		{ 1, NAN, 0, 10, 0, 10, false },
	};
	struct fixture *f = fixture(state);
	str run = make_run(f, "latest");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		str key = arena_printf(&f->a, "m%zu", i);
		const struct metric_point a = { key, rows[i].first, rows[i].at1, rows[i].step1 }, b = { key, rows[i].second, rows[i].at2, rows[i].step2 };
		int64_t step;
		OK(f, tracking_run_log(f->t, run, &a, 1, NULL, 0, NULL, 0, &f->e));
		OK(f, tracking_run_log(f->t, run, &b, 1, NULL, 0, NULL, 0, &f->e));
		double got = latest(f, run, key.at, &step), expected = rows[i].second_wins ? rows[i].second : rows[i].first;
		assert_true(isnan(expected) ? isnan(got) : got >= expected && got <= expected);
		assert_int_equal(step, rows[i].second_wins ? rows[i].step2 : rows[i].step1);
		assert_int_equal(history(f, run, key.at).n, 2);
	}
	assert_int_equal(check(f, "tracking.latest_is_greatest").outcome, CHECK_PASSED);
}

static void points_are_kept_once(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "once");
	struct metric_point m[300];

	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		m[i] = (struct metric_point){ i % 2 == 0 ? STR("a") : STR("b"), (double)i, 1000 + (int64_t)i, (int64_t)i };
	for (int again = 0; again < 3; again++)
		OK(f, tracking_run_log(f->t, run, m, ARRAY_LEN(m), NULL, 0, NULL, 0, &f->e));
	assert_int_equal(history(f, run, "a").n, 150);
	/* The same step with another value is another point; NaN twice is one; infinity is the largest number. */
	const struct metric_point more[] = { { STR("a"), 77, 1000, 0 }, { STR("n"), NAN, 1, 0 }, { STR("n"), NAN, 1, 0 },
					     { STR("i"), INFINITY, 1, 0 }, { STR("i"), -INFINITY, 2, 0 } };
	OK(f, tracking_run_log(f->t, run, more, ARRAY_LEN(more), NULL, 0, NULL, 0, &f->e));
	assert_int_equal(history(f, run, "a").n, 151);
	struct list n = history(f, run, "n"), i = history(f, run, "i");
	assert_true(n.n == 1 && isnan(LIST_AT(n, struct metric, 0)->value));
	assert_true(i.n == 2 && LIST_AT(i, struct metric, 0)->value >= 1.7976931348623157e308 && LIST_AT(i, struct metric, 1)->value < -1e308);
	const struct metric_point bad = { STR("a"), 1, -1, 0 }, bad_name = { STR("a/../b"), 1, 1, 0 };
	REFUSED(f, RC_INVALID, "nonnegative", tracking_run_log(f->t, run, &bad, 1, NULL, 0, NULL, 0, &f->e));
	REFUSED(f, RC_INVALID, "must not resolve", tracking_run_log(f->t, run, &bad_name, 1, NULL, 0, NULL, 0, &f->e));
	REFUSED(f, RC_NOT_FOUND, "Run with id=none not found", tracking_run_log(f->t, STR("none"), m, 1, NULL, 0, NULL, 0, &f->e));
}

struct sampling { struct fixture *f; struct sample_read read; struct list out; };
static enum rc sample_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct sampling *s = ctx;

	return store_history_sample(tx, &s->f->a, &s->read, &s->out, e);
}

static void samples_are_even_and_bounded(void **state)
{
	static const struct { int64_t max; bool bounded; int64_t from, to; size_t n; int64_t first, last; } rows[] = {
		{ 2500, false, 0, 0, 1000, 0, 999 },   { 10, false, 0, 0, 10, 0, 999 },  { 1, false, 0, 0, 1, 999, 999 },
		{ 2, false, 0, 0, 2, 0, 999 },         { 999, false, 0, 0, 999, 0, 999 }, { 320, true, 100, 199, 100, 100, 199 },
		{ 50, true, 100, 199, 50, 100, 199 },  { 50, true, 5000, 6000, 0, 0, 0 },
	};
	struct fixture *f = fixture(state);
	str run = make_run(f, "sampled");
	struct metric_point m[1000];

	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		m[i] = (struct metric_point){ STR("loss"), 1.0 / (double)(i + 1), 1000 + (int64_t)i, (int64_t)i };
	OK(f, tracking_run_log(f->t, run, m, ARRAY_LEN(m), NULL, 0, NULL, 0, &f->e));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sampling s = { .f = f, .read = { run, STR("loss"), rows[i].bounded, rows[i].from, rows[i].to, rows[i].max } };
		OK(f, db_read(f->core->db, sample_tx, &s, &f->e));
		assert_int_equal(s.out.n, rows[i].n);
		if (s.out.n == 0)
			continue;
		assert_int_equal(LIST_AT(s.out, struct metric, 0)->step, rows[i].first);
		assert_int_equal(LIST_AT(s.out, struct metric, s.out.n - 1)->step, rows[i].last);
	}
}

/* --- params and tags ------------------------------------------------------------------------------------- */

static void a_batch_is_all_or_nothing(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "batch");
	const struct pair lr = { STR("lr"), STR("0.1") }, other = { STR("lr"), STR("0.2") }, empty = { STR("none"), STR("") };
	const struct pair twice[] = { { STR("x"), STR("1") }, { STR("x"), STR("1") } };
	const struct pair tags[] = { { STR("t"), STR("1") }, { STR("t"), STR("2") }, { STR("mlflow.runName"), STR("renamed") } };
	const struct metric_point m = { STR("m"), 1, 1, 0 };
	struct run got;

	OK(f, tracking_run_log(f->t, run, NULL, 0, &lr, 1, NULL, 0, &f->e));
	OK(f, tracking_run_log(f->t, run, NULL, 0, &lr, 1, NULL, 0, &f->e));
	OK(f, tracking_run_log(f->t, run, NULL, 0, &empty, 1, NULL, 0, &f->e));
	REFUSED(f, RC_INVALID, "Changing param values is not allowed", tracking_run_log(f->t, run, &m, 1, &other, 1, tags, 3, &f->e));
	REFUSED(f, RC_INVALID, "Duplicate parameter keys", tracking_run_log(f->t, run, &m, 1, twice, 2, tags, 3, &f->e));
	OK(f, run_get(f->t, &f->a, run, &got, &f->e));
	assert_int_equal(got.data.metrics.n, 0);
	assert_int_equal(got.data.params.n, 2);
	assert_true(str_eq(got.info.run_name, STR("batch")));
	OK(f, tracking_run_log(f->t, run, &m, 1, NULL, 0, tags, 3, &f->e));
	OK(f, run_get(f->t, &f->a, run, &got, &f->e));
	assert_int_equal(got.data.metrics.n, 1);
	assert_true(str_eq(got.info.run_name, STR("renamed")));
	for (size_t i = 0; i < got.data.tags.n; i++) {
		const struct pair *p = LIST_AT(got.data.tags, const struct pair, i);
		if (str_eq(p->key, STR("t")))
			assert_true(str_eq(p->value, STR("2")));        /* the last one wins */
	}
	OK(f, run_stage(f->t, &f->a, run, true, &principal_system, &f->e));
	OK(f, run_stage(f->t, &f->a, run, true, &principal_system, &f->e));
	REFUSED(f, RC_INVALID, "must be in the 'active' state", tracking_run_log(f->t, run, &m, 1, NULL, 0, NULL, 0, &f->e));
}

static void long_values_are_cut_by_characters(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "long");
	char *text = arena_alloc(&f->a, 14001);
	struct run got;

	for (size_t i = 0; i < 7000; i++)
		memcpy(text + 2 * i, "\xc3\xa4", 2);
	const struct pair p = { STR("p"), str_n(text, 14000) };
	OK(f, tracking_run_log(f->t, run, NULL, 0, &p, 1, NULL, 0, &f->e));
	OK(f, run_get(f->t, &f->a, run, &got, &f->e));
	assert_int_equal(LIST_AT(got.data.params, const struct pair, 0)->value.len, 12000);     /* 6000 characters */
	const struct pair key = { str_n(text, 502), STR("1") };
	REFUSED(f, RC_INVALID, "exceeds the maximum length of 250", tracking_run_log(f->t, run, NULL, 0, &key, 1, NULL, 0, &f->e));
}

/* --- searching --------------------------------------------------------------------------------------------- */

struct finding { struct fixture *f; struct search s; struct found found; };
static enum rc find_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct finding *q = ctx;

	return store_runs_search(tx, &q->f->a, &q->s, &q->found, e);
}

static enum rc find(struct fixture *f, const char *filter, const char *order, int64_t limit, int64_t offset, str *names)
{
	static const int64_t zero;
	str by = str_of(order);
	struct finding q = { .f = f, .s = { .experiment = &zero, .n_experiment = 1, .filter = str_of(filter), .view = VIEW_ACTIVE,
					    .order_by = { &by, order != NULL }, .limit = limit, .offset = offset } };

	f->e = ERR_INIT;
	TRY(db_read(f->core->db, find_tx, &q, &f->e));
	*names = STR("");
	for (size_t i = 0; i < q.found.rows.n; i++)
		*names = arena_printf(&f->a, STR_FMT STR_FMT, STR_ARG(*names), STR_ARG(LIST_AT(q.found.rows, struct run, i)->info.run_name));
	return RC_OK;
}

/* Runs a to e: rmse 1, 2, 3, NaN and none; param kind x or y; tags. Newest first is e d c b a. */
static void make_runs(struct fixture *f)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	const struct pair kinds[] = { { STR("kind"), STR("x") }, { STR("kind"), STR("y") } };

	for (size_t i = 0; i < 5; i++) {
		const struct run_create make = { .experiment_id = STR("0"), .run_name = str_of(names[i]), .start_ms = 1000 + (int64_t)i };
		const struct metric_point m = { STR("rmse"), i == 3 ? (double)NAN : (double)i + 1, 1, 0 };
		const struct pair tag = { STR("Team Name"), i < 2 ? STR("Red\\50%") : STR("blue") };
		struct run run;
		OK(f, run_create(f->t, &f->a, &make, &principal_system, &run, &f->e));
		OK(f, tracking_run_log(f->t, run.info.run_id, &m, i < 4, &kinds[i % 2], 1, &tag, 1, &f->e));
		if (i == 0)
			OK(f, tracking_run_end(f->t, run.info.run_id, RUN_FINISHED, &f->e));
	}
}

static void filters_find_what_they_say(void **state)
{
	static const struct { const char *filter, *order, *names; } rows[] = {
		{ "", NULL, "edcba" },
		{ "metrics.rmse < 3", NULL, "ba" },
		{ "metrics.rmse >= 2", NULL, "cb" },
		{ "metrics.rmse != 2", NULL, "dca" },           /* NaN differs from everything */
		{ "metrics.none = 1", NULL, "" },
		{ "params.kind = 'x'", NULL, "eca" },
		{ "params.kind != 'x'", NULL, "db" },
		{ "params.kind LIKE '%X%'", NULL, "" },
		{ "params.kind ILIKE '%X%'", NULL, "eca" },
		{ "params.other IS NULL AND metrics.rmse < 2", NULL, "a" },
		{ "params.kind IS NOT NULL", NULL, "edcba" },
		{ "tags.`Team Name` = 'blue'", NULL, "edc" },
		{ "tags.\"Team Name\" LIKE 'Red\\50%'", NULL, "ba" },
		{ "status = 'FINISHED'", NULL, "a" },
		{ "attributes.status LIKE 'RUN%'", NULL, "edcb" },
		{ "attr.run_name IN ('a')", NULL, NULL },
		{ "run_id IN ('nope')", NULL, "" },
		{ "run_id NOT IN ('nope')", NULL, "edcba" },
		{ "start_time > 1001 and start_time <= 1003.5", NULL, "dc" },
		{ "end_time > 0", NULL, "a" },
		{ "`Run name` = 'c'", NULL, "c" },
		{ "dataset.name = 'd'", NULL, "" },
		{ "", "metrics.rmse", "abcde" },                /* NaN, then missing, last in both directions */
		{ "", "metrics.rmse DESC", "cbade" },
		{ "", "params.kind", "ecadb" },
		{ "", "attributes.start_time ASC", "abcde" },
		{ "", "end_time DESC", "aedcb" },
		{ "", "run_name", "abcde" },
		{ "metrics.rmse = 'x'", NULL, NULL },
		{ "params.kind > 'x'", NULL, NULL },
		{ "params.kind = 1", NULL, NULL },
		{ "nonsense.kind = 'x'", NULL, NULL },
		{ "colour = 'x'", NULL, NULL },
		{ "metrics.rmse IS NULL", NULL, NULL },
		{ "metrics.rmse > 1 OR metrics.rmse < 1", NULL, NULL },
		{ "", "colour", NULL },
		{ "", "metrics.rmse UP", NULL },
	};
	struct fixture *f = fixture(state);
	str names;

	make_runs(f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum rc rc = find(f, rows[i].filter, rows[i].order, 100, 0, &names);
		if (rows[i].names == NULL) {
			assert_int_equal(rc, RC_INVALID);
			continue;
		}
		if (rc != RC_OK)
			fail_msg("%s: %s", rows[i].filter, f->e.msg);
		if (!str_eq(names, str_of(rows[i].names)))
			fail_msg("%s, %s: found " STR_FMT, rows[i].filter, rows[i].order != NULL ? rows[i].order : "", STR_ARG(names));
	}
	OK(f, find(f, "", "metrics.rmse", 2, 2, &names));
	assert_true(str_eq(names, STR("cd")));
}

static void many_runs_come_with_all_they_logged(void **state)
{
	struct fixture *f = fixture(state);
	static const int64_t zero;
	struct finding q = { .f = f, .s = { .experiment = &zero, .n_experiment = 1, .view = VIEW_ACTIVE, .limit = 200 } };

	for (int i = 0; i < 150; i++) {
		str run = make_run(f, "many");
		const struct metric_point m[] = { { STR("a"), i, 1, 0 }, { STR("b"), -i, 1, 0 } };
		const struct pair p = { STR("i"), arena_printf(&f->a, "%d", i) };
		OK(f, tracking_run_log(f->t, run, m, 2, &p, 1, NULL, 0, &f->e));
	}
	OK(f, db_read(f->core->db, find_tx, &q, &f->e));
	assert_int_equal(q.found.rows.n, 150);
	for (size_t i = 0; i < q.found.rows.n; i++) {
		const struct run *r = LIST_AT(q.found.rows, const struct run, i);
		const struct pair *p = LIST_AT(r->data.params, const struct pair, 0);
		int64_t number;
		assert_true(r->data.metrics.n == 2 && r->data.params.n == 1 && r->data.tags.n == 2);
		assert_true(str_to_i64(p->value, &number));
		assert_true(LIST_AT(r->data.metrics, const struct metric, 0)->value >= (double)number);
		assert_true(LIST_AT(r->data.metrics, const struct metric, 0)->value <= (double)number);
	}
}

/* --- artifacts ------------------------------------------------------------------------------------------------ */

static void artifact_paths_are_safe(void **state)
{
	static const struct { const char *path, *clean; } rows[] = {
		{ "a", "a" },           { "a/b.txt", "a/b.txt" }, { "a//b/./c/", "a/b/c" }, { "a%20b", "a b" },    { "%2561", "a" },
		{ "..a/b", "..a/b" },   { "", NULL },             { "/etc/passwd", NULL },  { "../x", NULL },      { "a/../b", NULL },
		{ "a/..", NULL },       { "%2e%2e/x", NULL },     { "%252e%252e/x", NULL }, { "a#b", NULL },       { "a%23b", NULL },
		{ "C:/x", NULL },       { "C:\\x", NULL },        { "a\nb", NULL },         { "%2fetc", NULL },    { "file:///etc/passwd", NULL },
		{ ".", NULL },          { "a%00b", "a%00b" },
		{ "%25252525252525252525252e", NULL },
	};
	struct fixture *f = fixture(state);
	str out;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		f->e = ERR_INIT;
		enum rc rc = mlflow_artifact_path(&f->a, str_of(rows[i].path), &out, &f->e);
		if ((rc == RC_OK) != (rows[i].clean != NULL) || (rc == RC_OK && !str_eq(out, str_of(rows[i].clean))))
			fail_msg("%s: %s", rows[i].path, rc == RC_OK ? "accepted" : f->e.msg);
	}
}

static void artifacts_are_a_tree(void **state)
{
	struct fixture *f = fixture(state);
	str run = make_run(f, "files");
	char blob[BLOB_ID_LEN + 1];
	struct list all;

	put_file(f, run, "model/MLmodel", "flavors: {}");
	put_file(f, run, "model/data/x.bin", "x");
	put_file(f, run, "notes.txt", "one");
	put_file(f, run, "notes.txt", "two, longer");
	OK(f, tracking_artifacts(f->t, &f->a, run, STR(""), &all, &f->e));
	assert_int_equal(all.n, 3);
	OK(f, tracking_artifacts(f->t, &f->a, run, STR("model"), &all, &f->e));
	assert_int_equal(all.n, 2);
	assert_true(str_eq(LIST_AT(all, struct artifact, 0)->path, STR("model/MLmodel")));
	OK(f, tracking_artifacts_of_uri(f->t, &f->a, arena_printf(&f->a, "runs:/" STR_FMT "/model", STR_ARG(run)), &all, &f->e));
	assert_int_equal(all.n, 2);
	assert_true(str_eq(LIST_AT(all, struct artifact, 1)->path, STR("data/x.bin")));
	OK(f, blob_put(f->core->blobs, STR("y"), blob, &f->e));
	REFUSED(f, RC_INVALID, "is a folder", tracking_artifact_add(f->t, run, STR("model"), str_of(blob), 1, &f->e));
	REFUSED(f, RC_INVALID, "is a file", tracking_artifact_add(f->t, run, STR("notes.txt/x"), str_of(blob), 1, &f->e));
	OK(f, artifact_delete(f->t, &f->a, arena_printf(&f->a, "0/" STR_FMT "/artifacts/model", STR_ARG(run)), &f->e));
	OK(f, tracking_artifacts(f->t, &f->a, run, STR(""), &all, &f->e));
	assert_int_equal(all.n, 1);
	assert_int_equal(LIST_AT(all, struct artifact, 0)->size, 11);
}

/* --- checks see what is broken ---------------------------------------------------------------------------------- */

static void checks_fail_when_they_must(void **state)
{
	struct fixture *f = fixture(state);
	const struct metric_point m[] = { { STR("m"), 1, 1, 0 }, { STR("m"), 2, 2, 1 } };
	struct list all;

	assert_int_equal(check(f, "tracking.latest_is_greatest").outcome, CHECK_SKIPPED);
	assert_int_equal(check(f, "tracking.artifacts_are_whole").outcome, CHECK_SKIPPED);
	str run = make_run(f, "checked");
	OK(f, tracking_run_log(f->t, run, m, 2, NULL, 0, NULL, 0, &f->e));
	put_file(f, run, "a.txt", "whole");
	assert_int_equal(check(f, "tracking.latest_is_greatest").outcome, CHECK_PASSED);
	assert_int_equal(check(f, "tracking.artifacts_are_whole").outcome, CHECK_PASSED);
	assert_int_equal(check(f, "tracking.nothing_is_adrift").outcome, CHECK_PASSED);

	OK(f, db_exec1(f->core->db, "UPDATE run_metrics SET step = 0, at = 1, value = 1", NO_VALS, NULL, &f->e));
	assert_int_equal(check(f, "tracking.latest_is_greatest").outcome, CHECK_FAILED);
	OK(f, tracking_artifacts(f->t, &f->a, run, STR(""), &all, &f->e));
	damage(f, LIST_AT(all, struct artifact, 0)->blob);
	assert_int_equal(check(f, "tracking.artifacts_are_whole").outcome, CHECK_FAILED);
	OK(f, db_exec1(f->core->db, "DELETE FROM experiments", NO_VALS, NULL, &f->e));
	assert_int_equal(check(f, "tracking.nothing_is_adrift").outcome, CHECK_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(experiments_live_and_die),      ON_BOTH(the_latest_is_the_greatest),
		ON_BOTH(points_are_kept_once),          ON_BOTH(samples_are_even_and_bounded),
		ON_BOTH(a_batch_is_all_or_nothing),     ON_BOTH(long_values_are_cut_by_characters),
		ON_BOTH(filters_find_what_they_say),    ON_BOTH(many_runs_come_with_all_they_logged),
		ON_BOTH(artifacts_are_a_tree),          ON_BOTH(checks_fail_when_they_must),
		cmocka_unit_test_setup_teardown(artifact_paths_are_safe, on_sqlite, tear_down),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
