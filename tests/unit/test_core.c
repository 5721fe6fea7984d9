/* test_core.c -- a whole cairn with one small module: routes, errors, permissions, tasks, checks, configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/live_check.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/roadmap.h"
#include "core/route.h"
#include "core/task.h"
#include "io/fs.h"
#include "io/http_client.h"

/* --- the module ---------------------------------------------------------------------------------------- */

struct toy_config { int32_t size; };
static const struct field toy_config_fields[] = { FIELD(toy_config, size, K_I32, 0, "Size", .min = 1, .max = 10, .def = "4") };
static const struct record toy_config_record = RECORD(toy_config, toy_config_fields, "The toy's settings");

struct toy { struct core *core; int32_t size; bool healthy; };
static struct toy toy;

struct thing { str name, note; int64_t n; };
static const struct field thing_fields[] = {
	FIELD(thing, name, K_STR, F_REQUIRED, "Name", .format = "name"),
	FIELD(thing, note, K_STR, 0, "Note", .def = "none"),
	FIELD(thing, n, K_I64, 0, "Number", .min = 0, .max = 100),
};
static const struct record thing_record = RECORD(thing, thing_fields, "A thing");

static enum rc echo(struct call *c, const void *in, void *out, struct err *e)
{
	const struct thing *t = in;

	(void)c;
	if (t->n == 13)
		return FAIL(e, RC_CONFLICT, "13 is taken");
	memcpy(out, in, sizeof(*t));
	return RC_OK;
}

static enum rc nothing(struct call *c, const void *in, void *out, struct err *e)
{
	(void)c;
	(void)e;
	assert_null(in);
	assert_null(out);
	return RC_OK;
}

static enum rc count_run(void *module, struct task *t, const void *in, void *out, struct err *e)
{
	const struct thing *request = in;
	struct thing *result = out;

	(void)module;
	for (int64_t i = 0; request->n == 100 && !task_cancelled(t); i++) {
		task_progress(t, 0.5, "step %lld", (long long)i);
		usleep(5000);
	}
	if (task_cancelled(t))
		return FAIL(e, RC_CANCELLED, "cancelled");
	if (request->n == 13)
		return FAIL(e, RC_GATE_FAILED, "13 brings bad luck");
	*result = (struct thing){ .name = request->name, .n = request->n + 1 };
	return RC_OK;
}
static const struct task_def count_task = { .kind = "toy.count", .doc = "Counts", .request = &thing_record, .result = &thing_record,
					    .run = count_run };

static enum rc show_params(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	(void)out;
	http_reply(c->http, 200, "text/plain", arena_printf(c->arena, STR_FMT "|" STR_FMT, STR_ARG(c->param[0]), STR_ARG(c->param[1])));
	(void)e;
	return RC_OK;
}

static const struct route toy_routes[] = {
	{ .method = HTTP_POST, .path = "/things", .permission = "toy.write", .in = &thing_record, .out = &thing_record, .handler = echo,
	  .doc = "Echoes", .flags = ROUTE_CREATED },
	{ .method = HTTP_GET, .path = "/things/{name}", .permission = "toy.read", .in = &thing_record, .out = &thing_record,
	  .handler = echo, .doc = "Echoes", .flags = ROUTE_LOOP },
	{ .method = HTTP_PUT, .path = "/things/{name}", .permission = "toy.operate", .object = "name", .in = &thing_record,
	  .out = &thing_record, .handler = echo, .doc = "Echoes" },
	{ .method = HTTP_GET, .path = "/things/special", .permission = "toy.read", .handler = nothing, .doc = "Wins over {name}" },
	{ .method = HTTP_GET, .path = "/files/{first}/{rest*}", .permission = "toy.read", .handler = show_params, .doc = "Files",
	  .flags = ROUTE_RAW_REPLY },
	{ .method = HTTP_POST, .path = "/count", .permission = "toy.write", .task = &count_task, .doc = "Counts" },
};
static const struct api toy_api[] = { { .name = "toy", .prefix = API_CAIRN "/toy", .route = toy_routes, .n_route = ARRAY_LEN(toy_routes) } };

static enum rc check_health(void *module, struct live_check *k, struct err *e)
{
	(void)module;
	(void)e;
	expect_at_least(k, "health", toy.healthy ? 1 : 0, 1);
	return RC_OK;
}
static enum rc check_nothing(void *module, struct live_check *k, struct err *e)
{
	(void)module;
	(void)e;
	live_check_skip(k, "nothing here");
	return RC_OK;
}
static enum rc check_blind(void *module, struct live_check *k, struct err *e)
{
	(void)module;
	(void)k;
	return toy.healthy ? RC_OK : FAIL(e, RC_IO, "cannot see");
}
static const struct check_def toy_checks[] = {
	{ .id = "toy.health", .title = "The toy is healthy", .items = "P1.W1.D1.1 P1.W1.D1.2", .run = check_health },
	{ .id = "toy.nothing", .title = "Nothing", .items = "P1.W1.D1.2 P1.W1.D1.3", .run = check_nothing },
	{ .id = "toy.part", .title = "A part of an item that has open ones", .items = "P1.W3.D5.2", .run = check_health },
	{ .id = "toy.blind", .title = "Sees", .items = "", .run = check_blind },
};

/* Tokens are role names: a double of the access module. */
static enum rc authenticate(void *self, struct http_request *q, struct principal *out, struct err *e)
{
	str token = http_header(q, "Authorization");

	(void)self;
	for (int i = 1; role_names[i] != NULL; i++) {
		if (str_eq(str_skip(token, 7), str_of(role_names[i]))) {
			*out = (struct principal){ .id = STR("user:t"), .name = STR("t"), .role = (enum role)i,
						   .scope = STR("toy.operate:mine") };
			return RC_OK;
		}
	}
	return FAIL(e, RC_UNAUTHENTICATED, "a token is needed");
}
static const struct authenticator double_auth = { .authenticate = authenticate };

static enum rc toy_open(struct core *c, const void *config, void **self, struct err *e)
{
	const struct toy_config *k = config;

	(void)e;
	toy = (struct toy){ .core = c, .size = k->size, .healthy = true };
	c->auth = &double_auth;
	*self = &toy;
	return RC_OK;
}

static const struct module toy_module = {
	.name = "toy", .doc = "A toy", .config = &toy_config_record, .api = toy_api, .n_api = 1, .task = &count_task, .n_task = 1,
	.check = toy_checks, .n_check = ARRAY_LEN(toy_checks), .open = toy_open,
};
const struct module *const cairn_modules[] = { &toy_module, NULL };
const size_t n_cairn_modules = 1;

/* --- fixture ------------------------------------------------------------------------------------------- */

struct fixture { char dir[64]; struct core *core; struct arena a; struct err e; };

static void open_core(struct fixture *f)
{
	const struct core_options o = { .data_dir = f->dir, .listen = "127.0.0.1:0" };

	if (core_open(&o, &f->core, &f->e) != RC_OK || core_listen(f->core, &f->e) != RC_OK)
		fail_msg("%s", f->e.msg);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/cairn-core-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	arena_init(&f->a);
	open_core(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->core != NULL)
		core_close(&f->core);
	arena_deinit(&f->a);
	assert_int_equal(fs_remove_tree(f->dir, &f->e), RC_OK);
	free(f);
	return 0;
}

struct ask { const char *method, *path, *role, *type, *body; };

static struct http_answer ask(struct fixture *f, struct ask q)
{
	const struct pair_ headers[] = {
		{ STR("Authorization"), arena_printf(&f->a, "Bearer %s", q.role != NULL ? q.role : "admin") },
		{ STR("Content-Type"), str_of(q.type != NULL ? q.type : "application/json") },
		{ STR("Cairn-Source-Name"), STR("thing.yaml") },
	};
	struct http_call call = { .method = q.method, .url = arena_printf(&f->a, "%s%s", f->core->url, q.path), .header = headers,
				  .n_header = ARRAY_LEN(headers), .body = str_of(q.body) };
	struct http_answer answer;

	if (http_call(f->core->http, &call, &f->a, &answer, &f->e) != RC_OK)
		fail_msg("%s %s: %s", q.method, q.path, f->e.msg);
	return answer;
}

static void assert_answer(const struct http_answer *got, int status, const char *has)
{
	if (got->status != status || str_find(got->body, str_of(has)) < 0)
		fail_msg("%d " STR_FMT ", not %d with %s", got->status, STR_ARG(got->body), status, has);
}

/* --- routes -------------------------------------------------------------------------------------------- */

#define T API_CAIRN "/toy"

static void requests_are_decoded_from_all_parts(void **state)
{
	static const struct { struct ask q; int status; const char *has; } rows[] = {
		{ { "POST", T "/things", .body = "{\"name\":\"a\",\"n\":2}" }, 201, "{\"name\":\"a\",\"note\":\"none\",\"n\":2}" },
		{ { "GET", T "/things/a%20b" }, 400, "name" },
		{ { "GET", T "/things/a?n=7&note=x+y" }, 200, "{\"name\":\"a\",\"note\":\"x y\",\"n\":7}" },
		{ { "GET", T "/things/a?n=101" }, 400, "100" },
		{ { "GET", T "/things/a?m=1" }, 400, "unknown parameter 'm'" },
		{ { "PUT", T "/things/a?n=1", .body = "{\"name\":\"z\",\"note\":\"b\"}" }, 200, "{\"name\":\"a\",\"note\":\"b\",\"n\":1}" },
		{ { "GET", T "/files/x/y/z%2Fw" }, 200, "x|y/z/w" },
		{ { "GET", T "/things/special" }, 200, "{}" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_answer got = ask(f, rows[i].q);
		assert_answer(&got, rows[i].status, rows[i].has);
	}
}

static void errors_have_code_message_and_place(void **state)
{
	static const struct { struct ask q; int status; const char *has; } rows[] = {
		{ { "POST", T "/things", .body = "{\"n\":1}" }, 400, "\"field\":\"name\"" },
		{ { "POST", T "/things", .body = "{\"name\":" }, 400, "not valid JSON" },
		{ { "POST", T "/things", .type = "application/yaml", .body = "name: a\nnn: 2\n" }, 400, "thing.yaml:2:1" },
		{ { "POST", T "/things", .type = "application/yaml", .body = "name: a\nn: 2\n" }, 201, "\"n\":2" },
		{ { "POST", T "/things", .body = "{\"name\":\"a\",\"n\":13}" }, 409, "\"code\":\"conflict\"" },
		{ { "DELETE", T "/things/a" }, 405, "GET, PUT" },
		{ { "GET", T "/nothing" }, 404, "\"code\":\"not_found\"" },
		{ { "GET", "/nothing" }, 404, "Not Found" },
		{ { "GET", "/api/cairn/v1/lineage?kind=run&id=x" }, 404, "nothing is known" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_answer got = ask(f, rows[i].q);
		assert_answer(&got, rows[i].status, rows[i].has);
	}
}

static void permissions_are_asked_before_the_handler(void **state)
{
	static const struct { struct ask q; int status; } rows[] = {
		{ { "GET", T "/things/a", "nobody" }, 401 },          { { "GET", T "/things/a", "viewer" }, 200 },
		{ { "POST", T "/things", "viewer", NULL, "{" }, 403 }, { { "PUT", T "/things/mine", "service", NULL, "{}" }, 200 },
		{ { "PUT", T "/things/other", "service", NULL, "{}" }, 403 }, { { "GET", "/health", "nobody" }, 200 },
		{ { "GET", "/metrics", "nobody" }, 401 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_answer got = ask(f, rows[i].q);
		assert_answer(&got, rows[i].status, "");
	}
}

static void metrics_count_by_route_and_code(void **state)
{
	struct fixture *f = *state;

	(void)ask(f, (struct ask){ "GET", T "/things/a" });
	(void)ask(f, (struct ask){ "GET", T "/things/b" });
	(void)ask(f, (struct ask){ "GET", T "/things/b?n=500" });
	struct http_answer got = ask(f, (struct ask){ "GET", "/metrics" });
	assert_answer(&got, 200, "cairn_http_requests_total{api=\"toy\",method=\"GET\",route=\"/api/cairn/v1/toy/things/{name}\",code=\"200\"} 2\n");
	assert_answer(&got, 200, "route=\"/api/cairn/v1/toy/things/{name}\",code=\"400\"} 1\n");
}

static void openapi_describes_routes_by_their_records(void **state)
{
	struct fixture *f = *state;
	struct http_answer got = ask(f, (struct ask){ "GET", API_CAIRN "/openapi.json", "nobody" });

	assert_answer(&got, 200, "\"/api/cairn/v1/toy/things/{name}\":{\"get\":");
	assert_answer(&got, 200, "\"$ref\":\"#/components/schemas/thing\"");
	assert_true(str_find(got.body, STR("/metrics")) < 0);
}

/* --- tasks --------------------------------------------------------------------------------------------- */

static str start(struct fixture *f, int n)
{
	struct http_answer got = ask(f, (struct ask){ "POST", T "/count", .body = arena_printf(&f->a, "{\"name\":\"a\",\"n\":%d}", n).at });
	struct task_info info;

	assert_int_equal(got.status, 202);
	assert_int_equal(record_from_json(&task_record, got.body, &f->a, DEC_TRUSTED, &info, &f->e), RC_OK);
	return info.id;
}

static struct task_info wait_until_ended(struct fixture *f, str id)
{
	struct task_info info = { 0 };

	for (int i = 0; i < 200 && info.state < TASK_SUCCEEDED; i++) {
		struct http_answer got = ask(f, (struct ask){ "GET", arena_printf(&f->a, API_CAIRN "/tasks/" STR_FMT "?wait_ms=100", STR_ARG(id)).at });
		assert_int_equal(record_from_json(&task_record, got.body, &f->a, DEC_TRUSTED, &info, &f->e), RC_OK);
	}
	return info;
}

static void tasks_run_and_tell(void **state)
{
	struct fixture *f = *state;

	struct task_info done = wait_until_ended(f, start(f, 4));
	assert_int_equal(done.state, TASK_SUCCEEDED);
	assert_true(str_find(done.result, STR("\"n\":5")) >= 0);
	struct task_info failed = wait_until_ended(f, start(f, 13));
	assert_int_equal(failed.state, TASK_FAILED);
	assert_true(str_eq(failed.error_code, STR("gate_failed")));
	assert_true(str_eq(failed.message, STR("13 brings bad luck")));
	str id = start(f, 100);
	struct http_answer got = ask(f, (struct ask){ "POST", arena_printf(&f->a, API_CAIRN "/tasks/" STR_FMT "/cancel", STR_ARG(id)).at, .body = "{}" });
	assert_int_equal(got.status, 200);
	assert_int_equal(wait_until_ended(f, id).state, TASK_CANCELLED);
}

/* --- checks and the roadmap ------------------------------------------------------------------------------ */

static int32_t state_of(struct fixture *f, const char *id)
{
	struct list items;

	assert_int_equal(roadmap_list(f->core, &f->a, &items, &f->e), RC_OK);
	assert_int_equal(items.n, 175);
	for (size_t i = 0; i < items.n; i++) {
		const struct roadmap_item *item = LIST_AT(items, struct roadmap_item, i);
		if (str_eq(item->id, str_of(id)))
			return item->state;
	}
	fail_msg("no item %s", id);
	return -1;
}

static str verify(struct fixture *f)
{
	struct http_answer got = ask(f, (struct ask){ "POST", API_CAIRN "/verify", .body = "{}" });
	struct task_info info;

	assert_int_equal(record_from_json(&task_record, got.body, &f->a, DEC_TRUSTED, &info, &f->e), RC_OK);
	return wait_until_ended(f, info.id).result;
}

static void roadmap_follows_the_checks(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(state_of(f, "P1.W1.D1.1"), ITEM_NOT_BUILT);    /* no check ran yet */
	str result = verify(f);
	assert_true(str_find(result, STR("\"passed\":2,\"failed\":0,\"skipped\":2")) >= 0);     /* blind looked at nothing */
	assert_int_equal(state_of(f, "P1.W1.D1.1"), ITEM_PROVEN);
	assert_int_equal(state_of(f, "P1.W1.D1.2"), ITEM_SKIPPED);      /* one of its two checks saw nothing */
	assert_int_equal(state_of(f, "P1.W1.D1.3"), ITEM_SKIPPED);
	assert_int_equal(state_of(f, "P1.W1.D1.4"), ITEM_NOT_BUILT);
	assert_int_equal(state_of(f, "P1.W3.D5.2"), ITEM_NOT_BUILT);    /* its one check passed, and more is open */
	toy.healthy = false;
	result = verify(f);
	assert_true(str_find(result, STR("\"passed\":0,\"failed\":3")) >= 0);
	assert_true(str_find(result, STR("NOT OK: health: 0, at least 1")) >= 0);
	assert_true(str_find(result, STR("could not observe: cannot see")) >= 0);
	assert_int_equal(state_of(f, "P1.W1.D1.1"), ITEM_FAILING);
	assert_int_equal(state_of(f, "P1.W1.D1.2"), ITEM_FAILING);
	assert_int_equal(state_of(f, "P1.W3.D5.2"), ITEM_FAILING);
}

/* --- opening ------------------------------------------------------------------------------------------- */

static void configuration_is_read_strictly(void **state)
{
	struct fixture *f = *state;
	str path = arena_printf(&f->a, "%s/cairn.yaml", f->dir);
	const struct core_options o = { .data_dir = f->dir, .listen = "127.0.0.1:0" };

	assert_int_equal(toy.size, 4);
	core_close(&f->core);
	assert_int_equal(fs_write_atomic(path.at, STR("toy:\n  size: 9\nworkers: 3\n"), 0600, &f->e), RC_OK);
	open_core(f);
	assert_int_equal(toy.size, 9);
	core_close(&f->core);
	assert_int_equal(fs_write_atomic(path.at, STR("toy:\n  sizes: 9\n"), 0600, &f->e), RC_OK);
	assert_int_equal(core_open(&o, &f->core, &f->e), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "cairn.yaml:2:3"));
	assert_non_null(strstr(f->e.msg, "did you mean 'size'"));
}

static void one_data_directory_one_cairn(void **state)
{
	struct fixture *f = *state;
	const struct core_options o = { .data_dir = f->dir, .listen = "127.0.0.1:0" };
	struct core *second = NULL;

	assert_int_equal(core_open(&o, &second, &f->e), RC_CONFLICT);
	assert_non_null(strstr(f->e.msg, f->dir));
	assert_null(second);
}

static void a_busy_port_is_said(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/cairn-core-XXXXXX";
	assert_non_null(mkdtemp(dir));
	str listen = arena_printf(&f->a, "127.0.0.1:%u", f->core->port);
	const struct core_options o = { .data_dir = dir, .listen = listen.at };
	struct core *second = NULL;

	assert_int_equal(core_open(&o, &second, &f->e), RC_OK);
	struct core *kept = f->core;
	assert_int_equal(core_listen(second, &f->e), RC_CONFLICT);
	assert_non_null(strstr(f->e.msg, "in use"));
	core_close(&second);
	assert_ptr_equal(kept, f->core);
	assert_int_equal(fs_remove_tree(dir, &f->e), RC_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
		TEST(requests_are_decoded_from_all_parts), TEST(errors_have_code_message_and_place),
		TEST(permissions_are_asked_before_the_handler), TEST(metrics_count_by_route_and_code),
		TEST(openapi_describes_routes_by_their_records), TEST(tasks_run_and_tell), TEST(roadmap_follows_the_checks),
		TEST(configuration_is_read_strictly), TEST(one_data_directory_one_cairn), TEST(a_busy_port_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
