/* system.c -- core's own routes: what every cairn answers whatever modules it has. The module of these is the core. */
#include "core/event.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/roadmap.h"
#include "core/route.h"
#include "core/scheduler.h"
#include "io/process.h"

#include "base/clock.h"
#include "base/limits.h"

#define WAIT_MAX_MS 30000

/* --- status ----------------------------------------------------------------------------------------- */

struct module_status { str name, doc; int64_t routes, checks; };
static const struct field module_status_fields[] = {
	FIELD(module_status, name, K_STR, 0, "Name of the module"),
	FIELD(module_status, doc, K_STR, 0, "What it owns"),
	FIELD(module_status, routes, K_I64, 0, "Routes it serves"),
	FIELD(module_status, checks, K_I64, 0, "Live checks it has"),
};
static const struct record module_status_record = RECORD(module_status, module_status_fields, "A module of the running cairn");

struct status {
	str version, instance, data_dir, database;
	int64_t started_ms, uptime_ms, pid, rss_bytes, cpu_ms, threads, tasks_running;
	struct list modules;
};
static const char *const database_names[] = { [DB_SQLITE] = "sqlite", [DB_POSTGRES] = "postgresql" };
static const struct field status_fields[] = {
	FIELD(status, version, K_STR, 0, "Version of cairn"),
	FIELD(status, instance, K_STR, 0, "Id of this process"),
	FIELD(status, data_dir, K_STR, 0, "Where its data lies"),
	FIELD(status, database, K_STR, 0, "Kind of the metadata database"),
	FIELD(status, started_ms, K_TIME, 0, "When it started", .name = "started_at"),
	FIELD(status, uptime_ms, K_MS, 0, "How long it has been up", .name = "uptime"),
	FIELD(status, pid, K_I64, 0, "Process id"),
	FIELD(status, rss_bytes, K_I64, 0, "Resident memory", .unit = "bytes"),
	FIELD(status, cpu_ms, K_MS, 0, "Processor time used", .name = "cpu"),
	FIELD(status, threads, K_I64, 0, "Threads"),
	FIELD(status, tasks_running, K_I64, 0, "Tasks that run now"),
	FIELD(status, modules, K_RECORDS, F_HIDE, "Modules, in order of opening", .sub = &module_status_record),
};
static const struct record status_record = RECORD(status, status_fields, "State of the running cairn");

static size_t count_routes(const struct module *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_api; i++)
		n += m->api[i].n_route;
	return n;
}

static enum rc get_status(struct call *c, const void *in, void *out, struct err *e)
{
	const struct core *k = c->core;
	struct status *s = out;
	struct process_usage use;
	VEC(struct module_status) modules = { 0 };

	(void)in;
	TRY(process_usage_self(&use, e));
	for (size_t i = 0; i < k->n_module; i++) {
		const struct module *m = k->module[i];
		*VEC_PUSH(c->arena, &modules) = (struct module_status){ .name = str_of(m->name), .doc = str_of(m->doc),
									.routes = (int64_t)count_routes(m), .checks = (int64_t)m->n_check };
	}
	*s = (struct status){
		.version = STR(CAIRN_VERSION), .instance = str_of(k->instance), .data_dir = str_of(k->data_dir),
		.database = str_of(database_names[db_kind(k->db)]), .started_ms = k->started_ms,
		.uptime_ms = clock_ms() - k->started_ms, .pid = k->pid, .rss_bytes = (int64_t)use.rss_bytes,
		.cpu_ms = (int64_t)(use.cpu_us / 1000), .threads = use.n_threads,
		.tasks_running = scheduler_running(k->scheduler), .modules = LIST_OF(modules),
	};
	return RC_OK;
}

/* --- tasks ------------------------------------------------------------------------------------------ */

struct limit_query { int64_t limit; str object; };
static const struct field limit_query_fields[] = {
	FIELD(limit_query, limit, K_I64, 0, "How many, newest first", .min = 1, .max = 1000, .def = "50"),
};
static const struct record limit_query_record = RECORD(limit_query, limit_query_fields, "How much to list");
static const struct field audit_query_fields[] = {
	FIELD(limit_query, limit, K_I64, 0, "How many, newest first", .min = 1, .max = 10000, .def = "100"),
	FIELD(limit_query, object, K_STR, 0, "Only entries about this object: \"dataset:trips\""),
};
static const struct record audit_query_record = RECORD(limit_query, audit_query_fields, "Which audit entries to list", .name = "audit_query");

/* Every list is answered as an object with one list in it, so that more can be said later. */
struct listing { struct list items; };
#define LISTING(var, key, of, text)                                                                                  \
	static const struct field var##_fields[] = { FIELD(listing, items, K_RECORDS, 0, text, .name = key, .sub = &of) }; \
	static const struct record var##_record = RECORD(listing, var##_fields, text, .name = #var)
LISTING(task_listing, "tasks", task_record, "Tasks, newest first");
LISTING(audit_listing, "entries", audit_entry_record, "Audit entries, newest first");
LISTING(check_listing, "checks", check_outcome_record, "Outcomes of checks");
LISTING(roadmap_listing, "items", roadmap_item_record, "Roadmap items in their order");

struct task_query { str id; int64_t wait_ms; };
static const struct field task_query_fields[] = {
	FIELD(task_query, id, K_STR, F_REQUIRED, "Id of the task"),
	FIELD(task_query, wait_ms, K_I64, 0, "Hold the answer until something changes, at most so long", .max = WAIT_MAX_MS, .unit = "ms"),
};
static const struct record task_query_record = RECORD(task_query, task_query_fields, "Which task, and how long to wait");

static enum rc list_tasks(struct call *c, const void *in, void *out, struct err *e)
{
	const struct limit_query *q = in;
	struct listing *l = out;

	return task_list(c->core->scheduler, c->arena, q->limit, &l->items, e);
}

static enum rc get_task(struct call *c, const void *in, void *out, struct err *e)
{
	const struct task_query *q = in;

	return task_wait(c->core->scheduler, c->arena, q->id, q->wait_ms, out, e);
}

static enum rc cancel_task(struct call *c, const void *in, void *out, struct err *e)
{
	const struct task_query *q = in;

	TRY(task_find(c->core->scheduler, c->arena, q->id, out, e));
	TRY(task_cancel(c->core->scheduler, q->id, c->who, e));
	return task_find(c->core->scheduler, c->arena, q->id, out, e);
}

/* --- audit and lineage ------------------------------------------------------------------------------ */

static enum rc list_audit(struct call *c, const void *in, void *out, struct err *e)
{
	const struct limit_query *q = in;
	struct listing *l = out;

	return audit_list(c->core->db, c->arena, q->object, q->limit, &l->items, e);
}

static const char *const direction_names[] = { "up", "down", NULL };
struct lineage_query { str kind, id; int32_t direction; };
static const struct field lineage_query_fields[] = {
	FIELD(lineage_query, kind, K_STR, F_REQUIRED, "Kind of the thing: dataset_version, run, model_version, …"),
	FIELD(lineage_query, id, K_STR, F_REQUIRED, "Id among its kind: \"trips@3\""),
	FIELD(lineage_query, direction, K_ENUM, 0, "up: what it came from; down: what came of it", .names = direction_names, .def = "up"),
};
static const struct record lineage_query_record = RECORD(lineage_query, lineage_query_fields, "Where to start, and which way");

struct tracing { struct arena *a; const struct lineage_query *q; struct lineage_graph *out; };
static enum rc trace(struct tx *tx, void *ctx, struct err *e)
{
	struct tracing *t = ctx;

	return lineage_trace(tx, t->a, t->q->kind, t->q->id, t->q->direction == 1, t->out, e);
}

static enum rc get_lineage(struct call *c, const void *in, void *out, struct err *e)
{
	struct tracing t = { .a = c->arena, .q = in, .out = out };

	TRY(db_read(c->core->db, trace, &t, e));
	const struct lineage_graph *g = out;
	/* The first node stands for what was asked for; one that nothing is known of has neither edges nor a time. */
	if (g->edges.n == 0 && LIST_AT(g->nodes, struct lineage_node, 0)->at_ms == 0)
		return FAIL(e, RC_NOT_FOUND, "nothing is known of " STR_FMT " '" STR_FMT "'", STR_ARG(t.q->kind), STR_ARG(t.q->id));
	return RC_OK;
}

/* --- proof ------------------------------------------------------------------------------------------ */

static enum rc list_checks(struct call *c, const void *in, void *out, struct err *e)
{
	struct listing *l = out;

	(void)in;
	return check_outcomes(c->core, c->arena, &l->items, e);
}

static enum rc get_roadmap(struct call *c, const void *in, void *out, struct err *e)
{
	struct listing *l = out;

	(void)in;
	return roadmap_list(c->core, c->arena, &l->items, e);
}

/* --- text ------------------------------------------------------------------------------------------- */

static enum rc get_health(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	(void)out;
	(void)e;
	http_reply(c->http, 200, "text/plain; charset=utf-8", STR("OK"));
	return RC_OK;
}

static enum rc get_metrics(struct call *c, const void *in, void *out, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);

	(void)in;
	(void)out;
	metrics_render(c->core->metrics, &b);
	if (b.overflowed) {
		buf_deinit(&b);
		return FAIL(e, RC_TOO_LARGE, "the metrics are longer than one reply may be");
	}
	http_reply_buf(c->http, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
	return RC_OK;
}

static enum rc get_openapi(struct call *c, const void *in, void *out, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);

	(void)in;
	(void)out;
	(void)e;
	openapi_write(c->core->apis, &b);
	CHECK(!b.overflowed);
	http_reply_buf(c->http, 200, "application/json", &b);
	return RC_OK;
}

/* --- the console ------------------------------------------------------------------------------------- */

extern const unsigned char console_index_html[], console_app_js[], console_app_css[];
extern const size_t console_index_html_len, console_app_js_len, console_app_css_len;

static enum rc console_file(struct call *c, const void *in, void *out, struct err *e)
{
	static const struct {
		const char *path, *type;
		const unsigned char *at;
		const size_t *len;
	} files[] = {
		{ "/", "text/html; charset=utf-8", console_index_html, &console_index_html_len },
		{ "/app.js", "text/javascript; charset=utf-8", console_app_js, &console_app_js_len },
		{ "/app.css", "text/css; charset=utf-8", console_app_css, &console_app_css_len },
	};

	(void)in;
	(void)out;
	(void)e;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!str_eq(str_of(c->route->path), str_of(files[i].path)))
			continue;
		http_reply_header(c->http, "Cache-Control", STR("no-cache"));
		http_reply_header(c->http, "X-Content-Type-Options", STR("nosniff"));
		http_reply_header(c->http, "Referrer-Policy", STR("no-referrer"));
		http_reply_header(c->http, "Content-Security-Policy",
				  STR("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
				      "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"));
		http_reply(c->http, 200, files[i].type, str_n((const char *)files[i].at, *files[i].len));
		return RC_OK;
	}
	UNREACHABLE("a console route without its file");
}

/* --- tables ------------------------------------------------------------------------------------------ */

static const struct route system_routes[] = {
	{ .method = HTTP_GET, .path = "/status", .permission = "system.read", .out = &status_record, .handler = get_status,
	  .doc = "State of the running cairn" },
	{ .method = HTTP_GET, .path = "/tasks", .permission = "system.read", .in = &limit_query_record, .out = &task_listing_record,
	  .handler = list_tasks, .doc = "Tasks, newest first" },
	{ .method = HTTP_GET, .path = "/tasks/{id}", .permission = "system.read", .in = &task_query_record, .out = &task_record,
	  .handler = get_task, .doc = "A task with its progress" },
	{ .method = HTTP_POST, .path = "/tasks/{id}/cancel", .permission = "system.write", .in = &task_query_record, .out = &task_record,
	  .handler = cancel_task, .doc = "Asks a running task to end" },
	{ .method = HTTP_GET, .path = "/audit", .permission = "audit.admin", .in = &audit_query_record, .out = &audit_listing_record,
	  .handler = list_audit, .doc = "What was changed and by whom, newest first" },
	{ .method = HTTP_GET, .path = "/lineage", .permission = "system.read", .in = &lineage_query_record, .out = &lineage_graph_record,
	  .handler = get_lineage, .doc = "What a thing came from, or what came of it" },
	{ .method = HTTP_POST, .path = "/verify", .permission = "system.operate", .task = &verify_task,
	  .doc = "Runs the live checks and keeps their outcomes" },
	{ .method = HTTP_GET, .path = "/checks", .permission = "system.read", .out = &check_listing_record, .handler = list_checks,
	  .doc = "The last outcome of each live check" },
	{ .method = HTTP_GET, .path = "/roadmap", .permission = "system.read", .out = &roadmap_listing_record, .handler = get_roadmap,
	  .doc = "All roadmap items and what has been proven of them" },
	{ .method = HTTP_GET, .path = "/openapi.json", .handler = get_openapi, .doc = "This API as an OpenAPI 3.1 document",
	  .flags = ROUTE_PUBLIC | ROUTE_RAW_REPLY },
};
const struct api system_api = { .name = "cairn", .prefix = API_CAIRN, .route = system_routes, .n_route = ARRAY_LEN(system_routes) };

static const struct route root_routes[] = {
	{ .method = HTTP_GET, .path = "/health", .handler = get_health, .doc = "OK while cairn serves",
	  .flags = ROUTE_PUBLIC | ROUTE_LOOP | ROUTE_RAW_REPLY | ROUTE_HIDDEN },
	{ .method = HTTP_GET, .path = "/metrics", .permission = "observe.read", .handler = get_metrics,
	  .doc = "Metrics as Prometheus text", .flags = ROUTE_RAW_REPLY | ROUTE_HIDDEN },
	{ .method = HTTP_GET, .path = "/", .handler = console_file, .doc = "The console",
	  .flags = ROUTE_PUBLIC | ROUTE_LOOP | ROUTE_RAW_REPLY | ROUTE_HIDDEN },
	{ .method = HTTP_GET, .path = "/app.js", .handler = console_file, .doc = "The console's program",
	  .flags = ROUTE_PUBLIC | ROUTE_LOOP | ROUTE_RAW_REPLY | ROUTE_HIDDEN },
	{ .method = HTTP_GET, .path = "/app.css", .handler = console_file, .doc = "The console's style",
	  .flags = ROUTE_PUBLIC | ROUTE_LOOP | ROUTE_RAW_REPLY | ROUTE_HIDDEN },
};
const struct api root_api = { .name = "root", .prefix = "", .route = root_routes, .n_route = ARRAY_LEN(root_routes) };
