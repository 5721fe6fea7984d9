/* core.c -- a running cairn: its services and modules, opened in order and closed in reverse.
 *
 * Everything is opened before the port is: a client that gets an answer gets it from a whole cairn. What the data
 * directory holds is described in docs/operations.md. */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "core/config.h"
#include "core/event.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/route.h"
#include "core/scheduler.h"
#include "core/store.h"
#include "io/blob.h"
#include "io/crypto.h"
#include "io/db.h"
#include "io/fs.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "io/kvstore.h"
#include "io/process.h"
#include "io/query.h"

#define STOP_GRACE_MS 5000
#define PATH_SIZE 4096

/* The core with what only this file touches. */
struct running {
	struct core core;               /* first */
	struct arena arena;             /* configuration and names */
	struct core_config config;
	const void **section;           /* a config struct per module */
	void **self;
	size_t n_open, n_started;
	struct http_server *server;
	int lock_fd;
	bool scheduling;
};
_Static_assert(offsetof(struct running, core) == 0, "core_close casts back");

static struct running *running_of(struct core *c)
{
	return (struct running *)c;
}

void *core_module_find(const struct core *c, const char *name)
{
	for (size_t i = 0; i < c->n_module; i++) {
		if (strcmp(c->module[i]->name, name) == 0)
			return c->module_self[i];
	}
	return NULL;
}

void *core_module(const struct core *c, const char *name)
{
	void *self = core_module_find(c, name);

	CHECK(self != NULL);
	return self;
}

static const char *path_in(struct running *r, const char *name)
{
	return arena_printf(&r->arena, "%s/%s", r->core.data_dir, name).at;
}

/* --- opening ---------------------------------------------------------------------------------------- */

static enum rc open_data_dir(struct running *r, const char *dir, struct err *e)
{
	static const char *const emptied[] = { "tmp", "spool" };   /* what a killed cairn left half done */
	char path[PATH_SIZE];

	TRY(fs_mkdirs(dir, 0700, e));
	if (realpath(dir, path) == NULL)
		return FAIL(e, RC_IO, "cannot find the data directory %s", dir);
	r->core.data_dir = arena_cstr(&r->arena, str_of(path));
	if (fs_lock(path_in(r, "cairn.lock"), &r->lock_fd, e) != RC_OK)
		return e->rc == RC_CONFLICT ? err_wrap(e, "another cairn uses the data directory %s", path) : e->rc;
	for (size_t i = 0; i < ARRAY_LEN(emptied); i++) {
		TRY(fs_remove_tree(path_in(r, emptied[i]), e));
		TRY(fs_mkdirs(path_in(r, emptied[i]), 0700, e));
	}
	return RC_OK;
}

static enum rc read_config(struct running *r, const struct core_options *o, struct err *e)
{
	const char *file = o->config_file != NULL ? o->config_file : path_in(r, "cairn.yaml");

	r->section = ARENA_ARRAY(&r->arena, const void *, n_cairn_modules + 1);
	TRY(config_read(file, o->config_file != NULL, cairn_modules, n_cairn_modules, &r->arena, &r->config, r->section, e));
	if (o->listen != NULL)
		r->config.listen = arena_dup(&r->arena, str_of(o->listen));
	return RC_OK;
}

static enum rc open_db(struct running *r, struct err *e)
{
	str url = r->config.database;
	char text[PATH_SIZE];

	if (url.len == 0)
		url = arena_printf(&r->arena, "sqlite:%s", path_in(r, "cairn.db"));
	if (!str_to_c(url, text, sizeof(text)))
		return FAIL(e, RC_INVALID, "database: the URL is too long");
	TRY(db_open(url, &r->core.db, e));
	TRY(db_migrate(r->core.db, "event", event_migrations, n_event_migrations, e));
	TRY(db_migrate(r->core.db, "task", task_migrations, n_task_migrations, e));
	return db_migrate(r->core.db, "live_check", check_migrations, n_check_migrations, e);
}

static enum rc open_services(struct running *r, struct err *e)
{
	struct query_config query = { .tmp_dir = path_in(r, "tmp"), .memory_mb = (uint32_t)r->config.memory.query_mb };

	crypto_init();
	TRY(open_db(r, e));
	TRY(blobs_open(path_in(r, "blobs"), &r->core.blobs, e));
	TRY(kvstore_open(path_in(r, "kv"), (uint64_t)r->config.memory.online_gb << 30, &r->core.kv, e));
	TRY(query_engine_open(&query, &r->core.query, e));
	TRY(http_client_open(&r->core.http, e));
	r->core.metrics = metrics_new();
	r->core.scheduler = scheduler_new(&r->core, r->config.tasks.parallel);
	r->core.apis = api_table_new(&r->core);
	scheduler_add_task(r->core.scheduler, &verify_task, &r->core);
	TRY(api_table_add(r->core.apis, &root_api, &r->core, e));
	return api_table_add(r->core.apis, &system_api, &r->core, e);
}

static enum rc open_module(struct running *r, size_t i, struct err *e)
{
	const struct module *m = cairn_modules[i];
	struct core *c = &r->core;

	for (size_t k = 0; m->needs != NULL && m->needs[k] != NULL; k++)
		CHECK(core_module_find(c, m->needs[k]) != NULL);        /* src/modules.c lists it too late */
	TRY(db_migrate(c->db, m->name, m->migration, m->n_migration, e));
	for (size_t k = 0; k < m->n_stored; k++)
		TRY(store_verify(c->db, m->stored[k], e));
	TRY(m->open(c, c->module_config[i], &r->self[i], e));
	r->n_open = i + 1;
	c->n_module = i + 1;
	for (size_t k = 0; k < m->n_api; k++)
		TRY(api_table_add(c->apis, &m->api[k], r->self[i], e));
	for (size_t k = 0; k < m->n_task; k++)
		scheduler_add_task(c->scheduler, &m->task[k], r->self[i]);
	for (size_t k = 0; k < m->n_timer; k++)
		scheduler_add_timer(c->scheduler, &m->timer[k], r->self[i]);
	return RC_OK;
}

static enum rc open_all(struct running *r, const struct core_options *o, struct err *e)
{
	TRY(open_data_dir(r, o->data_dir, e));
	TRY(read_config(r, o, e));
	TRY(open_services(r, e));
	r->self = ARENA_ARRAY(&r->arena, void *, n_cairn_modules + 1);
	r->core.module = cairn_modules;
	r->core.module_self = r->self;
	r->core.module_config = r->section;
	for (size_t i = 0; i < n_cairn_modules; i++) {
		if (open_module(r, i, e) != RC_OK)
			return err_wrap(e, "module %s", cairn_modules[i]->name);
	}
	return RC_OK;
}

enum rc core_open(const struct core_options *o, struct core **out, struct err *e)
{
	struct running *r = calloc(1, sizeof(*r));
	char instance[ID_TEXT_MAX];

	CHECK(r != NULL);
	arena_init(&r->arena);
	r->lock_fd = -1;
	r->core.started_ms = clock_ms();
	r->core.pid = getpid();
	id_put(instance, "cairn");
	r->core.instance = arena_cstr(&r->arena, str_of(instance));
	struct core *c = &r->core;
	if (open_all(r, o, e) != RC_OK) {
		core_close(&c);
		return e->rc;
	}
	*out = c;
	return RC_OK;
}

/* --- listening ---------------------------------------------------------------------------------------- */

struct server_file { int64_t pid; str url, version; int64_t started_ms; };
static const struct field server_file_fields[] = {
	FIELD(server_file, pid, K_I64, 0, "Process id"),
	FIELD(server_file, url, K_STR, 0, "Where clients reach it"),
	FIELD(server_file, version, K_STR, 0, "Version of cairn"),
	FIELD(server_file, started_ms, K_TIME, 0, "When it started", .name = "started_at"),
};
static const struct record server_file_record = RECORD(server_file, server_file_fields, "Who serves this data directory");

static enum rc write_server_file(struct running *r, const char *address, struct err *e)
{
	bool any = strcmp(address, "0.0.0.0") == 0, any6 = strcmp(address, "::") == 0, v6 = strchr(address, ':') != NULL;
	const char *host = any ? "127.0.0.1" : any6 ? "::1" : address;
	struct server_file f = {
		.pid = r->core.pid, .version = STR(CAIRN_VERSION), .started_ms = r->core.started_ms,
		.url = arena_printf(&r->arena, "http://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", r->core.port),
	};

	r->core.url = f.url.at;
	str text = record_to_json(&server_file_record, &f, 0, &r->arena);
	return fs_write_atomic(path_in(r, "server.json"), arena_printf(&r->arena, STR_FMT "\n", STR_ARG(text)), 0600, e);
}

static double open_connections(void *ctx)
{
	return http_server_open_connections(ctx);
}

static double resident_bytes(void *ctx)
{
	struct process_usage use = { 0 };
	struct err e = ERR_INIT;

	(void)ctx;
	return process_usage_self(&use, &e) == RC_OK ? (double)use.rss_bytes : 0;
}

static double start_seconds(void *ctx)
{
	const struct core *c = ctx;

	return (double)c->started_ms / 1000;
}

static double cpu_seconds(void *ctx)
{
	struct process_usage use = { 0 };
	struct err e = ERR_INIT;

	(void)ctx;
	return process_usage_self(&use, &e) == RC_OK ? (double)use.cpu_us / 1e6 : 0;
}

/* Names as Prometheus' client libraries use them, so that common dashboards fit. */
static void register_process_metrics(struct running *r)
{
	static const struct metric_def connections = { "cairn_http_connections", METRIC_GAUGE, "Open HTTP connections", { NULL } };
	static const struct metric_def resident = { "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory size in bytes", { NULL } };
	static const struct metric_def start = { "process_start_time_seconds", METRIC_GAUGE, "Start time since the epoch in seconds", { NULL } };
	static const struct metric_def cpu = { "process_cpu_seconds_total", METRIC_COUNTER, "Processor time used in seconds", { NULL } };
	struct metrics *m = r->core.metrics;

	metric_callback(metric_register(m, &connections), open_connections, r->server);
	metric_callback(metric_register(m, &resident), resident_bytes, NULL);
	metric_callback(metric_register(m, &start), start_seconds, &r->core);
	metric_callback(metric_register(m, &cpu), cpu_seconds, NULL);
}

static enum rc start_modules(struct running *r, struct err *e)
{
	for (size_t i = 0; i < r->n_open; i++) {
		const struct module *m = cairn_modules[i];
		if (m->start != NULL && m->start(r->self[i], e) != RC_OK)
			return err_wrap(e, "module %s", m->name);
		r->n_started = i + 1;
	}
	return RC_OK;
}

enum rc core_listen(struct core *c, struct err *e)
{
	struct running *r = running_of(c);
	const char *address;
	uint16_t port;

	TRY(config_listen(r->config.listen, &r->arena, &address, &port, e));
	TRY(start_modules(r, e));
	struct http_server_config server = {
		.address = address, .port = port, .n_loops = (uint32_t)r->config.loops, .n_workers = (uint32_t)r->config.workers,
		.spool_dir = path_in(r, "spool"), .app = c, .plan = api_plan, .handle = api_handle, .done = api_done,
	};
	TRY(http_server_start(&server, &r->server, e));
	c->port = http_server_port(r->server);
	register_process_metrics(r);
	TRY(write_server_file(r, address, e));
	/* Last: tasks and timers may call this very server. */
	TRY(scheduler_start(c->scheduler, e));
	r->scheduling = true;
	LOG(INFO, "cairn.listening", KV_STR("url", str_of(c->url)), KV_STR("data_dir", str_of(c->data_dir)),
	    KV_I64("ms", clock_ms() - c->started_ms));
	return RC_OK;
}

/* --- closing ------------------------------------------------------------------------------------------ */

static void stop(struct running *r)
{
	if (r->server != NULL)
		http_server_stop(&r->server, STOP_GRACE_MS);
	if (r->scheduling)
		scheduler_stop(r->core.scheduler);
	for (size_t i = r->n_started; i > 0; i--) {
		if (cairn_modules[i - 1]->stop != NULL)
			cairn_modules[i - 1]->stop(r->self[i - 1]);
	}
	if (r->core.port != 0)
		(void)unlink(path_in(r, "server.json"));        /* may be gone already */
}

static void close_services(struct core *c)
{
	api_table_free(&c->apis);
	if (c->scheduler != NULL)
		scheduler_free(&c->scheduler);
	if (c->metrics != NULL)
		metrics_free(&c->metrics);
	if (c->http != NULL)
		http_client_close(&c->http);
	if (c->query != NULL)
		query_engine_close(&c->query);
	if (c->kv != NULL)
		kvstore_close(&c->kv);
	if (c->blobs != NULL)
		blobs_close(&c->blobs);
	if (c->db != NULL)
		db_close(&c->db);
}

void core_close(struct core **slot)
{
	struct running *r = running_of(*slot);

	*slot = NULL;
	stop(r);
	for (size_t i = r->n_open; i > 0; i--) {
		if (cairn_modules[i - 1]->close != NULL)
			cairn_modules[i - 1]->close(&r->self[i - 1]);
	}
	close_services(&r->core);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	arena_deinit(&r->arena);
	free(r);
}
