/* test_train.c -- searches: their space, their trials as runs, what is left when they end early, and checks that can fail.
 *
 * A whole core without HTTP clients: the modules that train stands on, their tasks, an empty data directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/event.h"
#include "core/module.h"
#include "core/scheduler.h"
#include "core/store.h"
#include "io/blob.h"
#include "io/db.h"
#include "io/fs.h"
#include "io/query.h"
#include "io/yaml.h"
#include "modules/features/features_int.h"
#include "modules/lake/lake_int.h"
#include "modules/observe/observe.h"
#include "modules/registry/registry.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train_int.h"

const struct module *const cairn_modules[] = { &tracking_module, &registry_module, &lake_module, &features_module, &observe_module, &train_module, NULL };
const size_t n_cairn_modules = 6;

struct fixture {
	char dir[64];
	struct core *core;
	struct train *train;
	struct arena a;
	struct err e;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		(f)->e = ERR_INIT;                                                                                          \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static void start(struct fixture *f)
{
	const struct core_options o = { .data_dir = f->dir, .listen = "127.0.0.1:0" };

	OK(f, core_open(&o, &f->core, &f->e));
	OK(f, core_listen(f->core, &f->e));
	f->train = core_module(f->core, "train");
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/cairn-train-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	arena_init(&f->a);
	start(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	core_close(&f->core);
	arena_deinit(&f->a);
	assert_int_equal(fs_remove_tree(f->dir, &f->e), RC_OK);
	free(f);
	return 0;
}

static struct fixture *fixture(void **state)
{
	struct fixture *f = *state;
	str version;

	f->e = ERR_INIT;
	if (query_engine_version(f->core->query, &f->a, &version, &f->e) != RC_OK || xgb_available(&f->e) != RC_OK)
		skip();
	return f;
}

/* y = 3 u - 2 v + small noise, two thirds before the split. */
static void make_set(struct fixture *f)
{
	struct buf b = BUF_INIT(1u << 22);
	char time[CLOCK_TEXT_MAX], id[BLOB_ID_LEN + 1];
	struct ingest_request in = { .name = STR("points") };
	struct ingest_result done = { 0 };
	struct training_request *r = ARENA_NEW(&f->a, struct training_request);
	struct training_set set = { 0 };
	struct rng rng;

	rng_seed(&rng, 1);
	buf_add(&b, STR("at,u,v,flag,word,y\n"));
	for (int i = 0; i < 600; i++) {
		double u = rng_unit(&rng) * 10, v = rng_unit(&rng) * 10;
		buf_addf(&b, "%.*s,%.4f,%.4f,%s,w,%.4f\n", (int)clock_put_rfc3339(time, 1704067200000 + i * MS_HOUR), time, u, v, i % 2 ? "true" : "false",
			 3 * u - 2 * v + rng_unit(&rng) / 10);
	}
	OK(f, blob_put(f->core->blobs, buf_str(&b), id, &f->e));
	buf_deinit(&b);
	in.blob = str_of(id);
	OK(f, lake__ingest(lake_of(f->core), &in, &principal_system, NULL, &f->a, &done, &f->e));
	OK(f, record_from_json(&training_request_record, STR("{\"name\":\"points\",\"dataset\":\"points\",\"label\":\"y\",\"time_column\":\"at\","
			       "\"columns\":[\"u\",\"v\",\"flag\"],\"split\":\"2024-01-17T16:00:00Z\"}"), &f->a, 0, r, &f->e));
	OK(f, features__training_set(features_of(f->core), r, &principal_system, NULL, &f->a, &set, &f->e));
	assert_int_equal(set.n_train, 400);
	assert_int_equal(set.n_valid, 200);
}

static const char search_json[] = "{\"name\":\"line\",\"training_set\":\"points\",\"trials\":8,\"rounds\":40,\"parallel\":2,\"seed\":3,"
				  "\"space\":[{\"param\":\"eta\",\"min\":0.05,\"max\":0.5,\"scale\":\"log\"},{\"param\":\"max_depth\",\"min\":2,\"max\":5,\"whole\":true}]}";

static struct task_info finish(struct fixture *f, struct task_info t)
{
	for (int i = 0; i < 600 && (t.state == TASK_QUEUED || t.state == TASK_RUNNING); i++)
		OK(f, task_wait(f->core->scheduler, &f->a, t.id, 1000, &t, &f->e));
	return t;
}

static struct task_info begin(struct fixture *f, const char *json)
{
	struct train_request *r = ARENA_NEW(&f->a, struct train_request);
	struct task_info t = { 0 };

	OK(f, record_from_json(&train_request_record, str_of(json), &f->a, 0, r, &f->e));
	OK(f, task_start(f->core, &train_task, &principal_system, r, &t, &f->a, &f->e));
	return t;
}

static struct search searched(struct fixture *f, const char *json)
{
	struct task_info t = finish(f, begin(f, json));
	struct search s = { 0 };

	if (t.state != TASK_SUCCEEDED)
		fail_msg("%s: " STR_FMT, task_state_names[t.state], STR_ARG(t.message));
	OK(f, record_from_json(&search_record, t.result, &f->a, DEC_TRUSTED, &s, &f->e));
	return s;
}

static int64_t count_runs(struct fixture *f, const char *status)
{
	struct rows r;

	OK(f, db_query1(f->core->db, &f->a, "SELECT count(*) FROM runs WHERE status = ?", VALS(V_CSTR(status)), &r, &f->e));
	return rows_at(&r, 0, 0)->i;
}

/* --- the space ---------------------------------------------------------------------------------------------------- */

static struct train_request *request(struct fixture *f, const char *json)
{
	struct train_request *r = ARENA_NEW(&f->a, struct train_request);

	OK(f, record_from_json(&train_request_record, str_of(json), &f->a, 0, r, &f->e));
	return r;
}

static void the_space_is_covered(void **state)
{
	struct fixture *f = *state;
	const struct train_request *r = request(f, "{\"name\":\"s\",\"training_set\":\"t\",\"seed\":5,\"space\":["
						   "{\"param\":\"eta\",\"min\":0.001,\"max\":1,\"scale\":\"log\"},{\"param\":\"max_depth\",\"min\":3,\"max\":6,\"whole\":true},"
						   "{\"param\":\"booster\",\"choices\":[\"gbtree\",\"dart\"]}]}");
	int decade[3] = { 0 }, depth[7] = { 0 }, dart = 0;
	struct list p, again;

	for (size_t i = 0; i < 300; i++) {
		double eta = 0;
		int64_t d = 0;
		train__space_point(r, i, &f->a, &p);
		assert_int_equal(p.n, 3);
		assert_true(str_to_f64(LIST_AT(p, struct pair, 0)->value, &eta));
		assert_true(eta >= 0.001);
		assert_true(eta <= 1);
		decade[eta < 0.01 ? 0 : eta < 0.1 ? 1 : 2]++;
		assert_true(str_to_i64(LIST_AT(p, struct pair, 1)->value, &d));
		assert_in_range(d, 3, 6);
		depth[d]++;
		dart += str_eq(LIST_AT(p, struct pair, 2)->value, STR("dart"));
		train__space_point(r, i, &f->a, &again);
		for (size_t k = 0; k < 3; k++)
			assert_true(str_eq(LIST_AT(p, struct pair, k)->value, LIST_AT(again, struct pair, k)->value));
	}
	for (size_t i = 0; i < 3; i++)
		assert_in_range(decade[i], 90, 110);
	for (size_t i = 3; i <= 6; i++)
		assert_in_range(depth[i], 65, 85);
	assert_in_range(dart, 140, 160);
	struct train_request other = *r;
	other.seed = 6;
	train__space_point(r, 0, &f->a, &p);
	train__space_point(&other, 0, &f->a, &again);
	assert_false(str_eq(LIST_AT(p, struct pair, 0)->value, LIST_AT(again, struct pair, 0)->value));
}

static void bad_spaces_are_told(void **state)
{
	static const struct { const char *space, *says; } bad[] = {
		{ "[{\"param\":\"eta\",\"min\":0.5,\"max\":0.1}]", "a min below its max" },
		{ "[{\"param\":\"eta\"}]", "needs choices" },
		{ "[{\"param\":\"eta\",\"min\":0,\"max\":1,\"scale\":\"log\"}]", "above 0" },
		{ "[{\"param\":\"eta\",\"min\":0,\"max\":1,\"choices\":[\"1\"]}]", "choices and also" },
		{ "[{\"param\":\"seed\",\"min\":0,\"max\":1}]", "is set by cairn" },
		{ "[{\"param\":\"eta\",\"min\":0,\"max\":1},{\"param\":\"eta\",\"min\":0,\"max\":1}]", "twice" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct train_request r;
		f->e = ERR_INIT;
		str json = arena_printf(&f->a, "{\"name\":\"s\",\"training_set\":\"t\",\"space\":%s}", bad[i].space);
		if (record_from_json(&train_request_record, json, &f->a, 0, &r, &f->e) == RC_OK)
			fail_msg("was taken: %s", bad[i].space);
		if (strstr(f->e.msg, bad[i].says) == NULL)
			fail_msg("'%s' is not in '%s'", bad[i].says, f->e.msg);
	}
}

/* --- searching ------------------------------------------------------------------------------------------------------ */

static void a_search_finds_a_model(void **state)
{
	static const char *const files[] = { "model/MLmodel", "model/cairn.json", "model/model.ubj", "model/reference.json" };
	struct fixture *f = fixture(state);
	struct list artifacts;

	make_set(f);
	struct search s = searched(f, search_json);
	assert_int_equal(s.trials.n, 8);
	assert_int_equal(s.n_failed, 0);
	assert_int_equal(s.n_train, 400);
	assert_int_equal(s.n_valid, 200);
	assert_true(s.value < s.baseline / 5);
	for (size_t i = 0; i < s.trials.n; i++) {
		const struct trial_outcome *o = LIST_AT(s.trials, struct trial_outcome, i);
		assert_int_equal(o->number, i + 1);
		assert_true(o->value >= s.value);
		assert_int_equal(o->params.n, 2);
	}
	assert_int_equal(count_runs(f, "FINISHED"), 9);
	assert_int_equal(count_runs(f, "RUNNING"), 0);
	OK(f, tracking_artifacts(tracking_of(f->core), &f->a, s.best_run_id, STR(""), &artifacts, &f->e));
	assert_int_equal(artifacts.n, ARRAY_LEN(files));
	for (size_t i = 0; i < artifacts.n; i++)
		assert_true(str_eq(LIST_AT(artifacts, struct artifact, i)->path, str_of(files[i])));
}

static str model_blob(struct fixture *f, str run_id)
{
	struct list files;

	OK(f, tracking_artifacts(tracking_of(f->core), &f->a, run_id, STR("model"), &files, &f->e));
	for (size_t i = 0; i < files.n; i++) {
		if (str_ends(LIST_AT(files, struct artifact, i)->path, STR("model.ubj")))
			return LIST_AT(files, struct artifact, i)->blob;
	}
	fail();
	return STR_NONE;
}

static void the_same_seed_gives_the_same_models(void **state)
{
	struct fixture *f = fixture(state);
	/* Without pruning: which trials are given up depends on which have ended. */
	static const char json[] = "{\"name\":\"line\",\"training_set\":\"points\",\"trials\":3,\"rounds\":20,\"parallel\":2,\"prune\":false,\"seed\":9,"
				   "\"space\":[{\"param\":\"subsample\",\"min\":0.5,\"max\":0.9}]}";

	make_set(f);
	struct search one = searched(f, json), two = searched(f, json);
	assert_memory_equal(&one.value, &two.value, sizeof(one.value));
	for (size_t i = 0; i < 3; i++)
		assert_true(str_eq(model_blob(f, LIST_AT(one.trials, struct trial_outcome, i)->run_id),
				   model_blob(f, LIST_AT(two.trials, struct trial_outcome, i)->run_id)));
}

static void a_bad_parameter_fails_all_trials(void **state)
{
	struct fixture *f = fixture(state);

	make_set(f);
	struct task_info t = finish(f, begin(f, "{\"name\":\"line\",\"training_set\":\"points\",\"trials\":2,\"rounds\":5,\"fixed\":{\"max_dept\":\"3\"}}"));
	assert_int_equal(t.state, TASK_FAILED);
	assert_true(str_find(t.message, STR("max_dept")) >= 0);
	assert_int_equal(count_runs(f, "FAILED"), 3);
	assert_int_equal(count_runs(f, "RUNNING"), 0);
}

static void text_cannot_be_an_input(void **state)
{
	struct fixture *f = fixture(state);
	struct training_request *r = ARENA_NEW(&f->a, struct training_request);
	struct training_set set = { 0 };

	make_set(f);
	OK(f, record_from_json(&training_request_record, STR("{\"name\":\"words\",\"dataset\":\"points\",\"label\":\"y\",\"time_column\":\"at\","
			       "\"columns\":[\"u\",\"word\"]}"), &f->a, 0, r, &f->e));
	OK(f, features__training_set(features_of(f->core), r, &principal_system, NULL, &f->a, &set, &f->e));
	struct task_info t = finish(f, begin(f, "{\"name\":\"w\",\"training_set\":\"words\",\"trials\":2,\"rounds\":5}"));
	assert_int_equal(t.state, TASK_FAILED);
	assert_true(str_find(t.message, STR("input 'word' is of type string")) >= 0);
}

static void a_cancelled_search_leaves_no_run_open(void **state)
{
	struct fixture *f = fixture(state);

	make_set(f);
	struct task_info t = begin(f, "{\"name\":\"long\",\"training_set\":\"points\",\"trials\":1000,\"rounds\":2000,\"early_stopping\":0,\"prune\":false}");
	for (int i = 0; i < 200 && count_runs(f, "RUNNING") < 2; i++)
		usleep(20000);
	OK(f, task_cancel(f->core->scheduler, t.id, &principal_system, &f->e));
	t = finish(f, t);
	assert_int_equal(t.state, TASK_CANCELLED);
	assert_int_equal(count_runs(f, "RUNNING"), 0);
	assert_true(count_runs(f, "KILLED") >= 2);
}

/* What a killed cairn left: noted runs, one of them never made. */
static void open_runs_end_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	struct tracking *t = tracking_of(f->core);
	struct run_start r = { .name = STR("left") };
	struct list open;
	str id;

	OK(f, tracking_experiment(t, STR("e"), &f->a, &r.experiment_id, &f->e));
	r.run_id = id_hex(&f->a, 16);
	OK(f, train__open_run_add(f->train, r.run_id, &f->e));
	OK(f, train__open_run_add(f->train, id_hex(&f->a, 16), &f->e));
	OK(f, tracking_run_start(t, &r, &f->a, &id, &f->e));
	assert_true(str_eq(id, r.run_id));
	assert_int_equal(count_runs(f, "RUNNING"), 1);
	core_close(&f->core);
	start(f);
	assert_int_equal(count_runs(f, "RUNNING"), 0);
	assert_int_equal(count_runs(f, "FAILED"), 1);
	OK(f, train__open_runs(f->train, &f->a, &open, &f->e));
	assert_int_equal(open.n, 0);
}

/* --- checks, each with the failure it is there for ------------------------------------------------------------------ */

static struct check_outcome outcome_of(struct fixture *f, const char *id)
{
	struct check_outcome o = { 0 };

	for (size_t i = 0; i < train_module.n_check; i++) {
		if (strcmp(train_module.check[i].id, id) == 0) {
			check_run(f->core, &train_module.check[i], f->train, &f->a, &o);
			return o;
		}
	}
	fail();
	return o;
}

static void spoil(struct fixture *f, const char *sql, str id)
{
	int64_t n = 0;

	OK(f, db_exec1(f->core->db, sql, VALS(V_STR(id)), &n, &f->e));
	assert_true(n > 0);
}

static void a_wrong_value_is_seen(void **state)
{
	static const char id[] = "train.best_model_reproduces";
	struct fixture *f = fixture(state);

	assert_int_equal(outcome_of(f, id).outcome, CHECK_SKIPPED);
	make_set(f);
	struct search s = searched(f, search_json);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_PASSED);
	spoil(f, "UPDATE train_searches SET value = value * 1.0001 WHERE id = ?", s.id);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_FAILED);
	spoil(f, "UPDATE train_searches SET value = value / 1.0001 WHERE id = ?", s.id);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_PASSED);
	/* Another trial's model under the best one's name. */
	const struct trial_outcome *other = LIST_AT(s.trials, struct trial_outcome, 0);
	if (str_eq(other->run_id, s.best_run_id))
		other = LIST_AT(s.trials, struct trial_outcome, 1);
	spoil(f, arena_printf(&f->a, "UPDATE train_searches SET best_run_id = '" STR_FMT "' WHERE id = ?", STR_ARG(other->run_id)).at, s.id);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_FAILED);
}

static void a_broken_line_is_seen(void **state)
{
	static const char id[] = "train.runs_are_traced";
	struct fixture *f = fixture(state);

	make_set(f);
	struct search s = searched(f, search_json);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_PASSED);
	spoil(f, "DELETE FROM lineage_edge WHERE to_kind = 'run' AND to_id = ?", s.best_run_id);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_FAILED);
}

static void a_useless_model_is_seen(void **state)
{
	static const char id[] = "train.beats_baseline";
	struct fixture *f = fixture(state);

	make_set(f);
	struct search s = searched(f, search_json);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_PASSED);
	spoil(f, "UPDATE train_searches SET value = baseline * 1.01 WHERE id = ?", s.id);
	assert_int_equal(outcome_of(f, id).outcome, CHECK_FAILED);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_space_is_covered), TEST(bad_spaces_are_told), TEST(a_search_finds_a_model), TEST(the_same_seed_gives_the_same_models),
		TEST(a_bad_parameter_fails_all_trials), TEST(text_cannot_be_an_input), TEST(a_cancelled_search_leaves_no_run_open),
		TEST(open_runs_end_at_the_next_start), TEST(a_wrong_value_is_seen), TEST(a_broken_line_is_seen), TEST(a_useless_model_is_seen),
	};

	log_open(STDERR_FILENO, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
