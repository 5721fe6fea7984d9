/* server.c -- starting, stopping and looking at the server of a data directory. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/answer.h"
#include "core/core.h"
#include "io/fs.h"
#include "io/process.h"

#define STOP_SECONDS_MAX 25     /* below what `cairn down` waits */
#define START_MS 60000
#define STOP_MS 30000
#define POLL_MS 10
#define LOG_TAIL 65536
#define SERVER_FILE_MAX 65536

str cli_data_dir(const struct cli *c)
{
	str env = str_of(getenv("CAIRN_DATA"));

	if (c->global.data.len > 0)
		return c->global.data;
	return env.len > 0 ? env : STR("cairn-data");
}

static const char *path_in(struct cli *c, str dir, const char *name)
{
	return arena_printf(c->arena, STR_FMT "/%s", STR_ARG(dir), name).at;
}

static const struct field server_told_fields[] = {
	FIELD(server_told, pid, K_I64, F_REQUIRED, "Process id"),
	FIELD(server_told, url, K_STR, F_REQUIRED, "Where clients reach it"),
	FIELD(server_told, version, K_STR, 0, "Version of cairn"),
	FIELD(server_told, started_ms, K_TIME, 0, "When it started", .name = "started_at"),
};
static const struct record server_told_record = RECORD(server_told, server_told_fields, "Who serves a data directory", .open = true);

enum rc server_told(struct cli *c, str dir, struct server_told *out, bool *running, struct err *e)
{
	const char *path = path_in(c, dir, "server.json");
	str text;

	*running = false;
	if (!fs_exists(path))
		return RC_OK;
	TRY(fs_read(path, SERVER_FILE_MAX, c->arena, &text, e));
	TRY(record_from_json(&server_told_record, text, c->arena, 0, out, e));
	*running = process_alive((pid_t)out->pid);
	return RC_OK;
}

static void nap(void)
{
	const struct timespec t = { .tv_nsec = POLL_MS * 1000000L };

	nanosleep(&t, NULL);
}

static bool answers(struct cli *c, str url)
{
	struct http_call call = { .method = "GET", .url = arena_printf(c->arena, STR_FMT "/health", STR_ARG(url)), .total_ms = 2000 };
	struct http_answer got;
	struct err e = ERR_INIT;

	if (c->http == NULL && http_client_open(&c->http, &e) != RC_OK)
		return false;
	return http_call(c->http, &call, c->arena, &got, &e) == RC_OK && got.status == 200;
}

/* --- up -------------------------------------------------------------------------------------------------- */

struct up { str listen, config; bool foreground; };
static const struct field up_fields[] = {
	FIELD(up, listen, K_STR, 0, "Address and port; else `listen` of cairn.yaml, else 127.0.0.1:7070", .unit = "ADDR:PORT"),
	FIELD(up, config, K_STR, 0, "Configuration; else DIR/cairn.yaml if there is one", .unit = "FILE"),
	FIELD(up, foreground, K_BOOL, 0, "Stay in the foreground and log to standard error"),
};
static const struct record up_record = RECORD(up, up_fields, "How to start");

static const char *or_null(struct cli *c, str s)
{
	return s.len > 0 ? arena_cstr(c->arena, s) : NULL;
}

/* Every connection is a descriptor: as many as the machine allows us. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);         /* the lower limit does, too */
	}
}

static enum rc serve(struct cli *c, const struct up *u, struct err *e)
{
	struct core_options o = { .data_dir = arena_cstr(c->arena, cli_data_dir(c)), .config_file = or_null(c, u->config),
				  .listen = or_null(c, u->listen) };
	struct core *core = NULL;
	sigset_t set;
	int sig;

	/* Before any thread starts, so that all of them leave these signals to this one. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	TRY(core_open(&o, &core, e));
	if (core_listen(core, e) != RC_OK) {
		core_close(&core);
		return e->rc;
	}
	(void)sigwait(&set, &sig);
	LOG(INFO, "cairn.stopping", KV_I64("signal", sig));
	/* A second signal ends it at once. */
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	/* And so does the clock, if a query that cannot be interrupted holds a thread: what was acknowledged is on disk. */
	(void)alarm(STOP_SECONDS_MAX);
	core_close(&core);
	(void)alarm(0);
	LOG(INFO, "cairn.stopped", KV_I64("pid", getpid()));
	return RC_OK;
}

/* What a server that ended at once said: its last "error: " line. */
static str last_error(struct cli *c, const char *log, off_t from)
{
	char *text = arena_alloc(c->arena, LOG_TAIL + 1);
	str found = STR_NONE, rest, line;
	int fd = open(log, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return found;
	ssize_t n = pread(fd, text, LOG_TAIL, from);
	close(fd);
	rest = str_n(text, n > 0 ? (size_t)n : 0);
	while (str_cut(&rest, '\n', &line)) {
		if (str_starts(line, STR("error: ")))
			found = str_skip(line, strlen("error: "));
	}
	return found;
}

static enum rc rc_of_exit(int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;

	for (int rc = 1; rc < RC_COUNT_; rc++) {
		if (rc_exit((enum rc)rc) == code)
			return (enum rc)rc;
	}
	return RC_INTERNAL;
}

static enum rc wait_for_start(struct cli *c, str dir, pid_t pid, const char *log, off_t log_from, struct server_told *told, struct err *e)
{
	uint64_t until = clock_ns() + UINT64_C(1000000) * START_MS;
	int status;
	bool running;

	for (;;) {
		struct err ignored = ERR_INIT;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			str why = last_error(c, log, log_from);
			if (why.len == 0)
				return FAIL(e, RC_INTERNAL, "cairn ended while it started; see %s", log);
			return FAIL(e, rc_of_exit(status), STR_FMT, STR_ARG(why));
		}
		/* The file of an earlier server names another process. */
		if (server_told(c, dir, told, &running, &ignored) == RC_OK && running && told->pid == pid && answers(c, told->url))
			return RC_OK;
		if (clock_ns() > until)
			return FAIL(e, RC_TIMEOUT, "cairn (process %d) does not answer after %d s; see %s", (int)pid, START_MS / 1000, log);
		nap();
	}
}

static enum rc spawn(struct cli *c, const struct up *u, str dir, const char *log, pid_t *pid, struct err *e)
{
	const char *argv[12] = { NULL };
	size_t n = 0;
	str self;

	TRY(process_self_path(c->arena, &self, e));
	argv[n++] = arena_cstr(c->arena, self);
	argv[n++] = "up";
	argv[n++] = "--foreground";
	argv[n++] = "--data";
	argv[n++] = arena_cstr(c->arena, dir);
	if (u->listen.len > 0) {
		argv[n++] = "--listen";
		argv[n++] = arena_cstr(c->arena, u->listen);
	}
	if (u->config.len > 0) {
		argv[n++] = "--config";
		argv[n++] = arena_cstr(c->arena, u->config);
	}
	CHECK(n < ARRAY_LEN(argv));
	return process_spawn_detached(argv, log, pid, e);
}

/* --data and --url as far as they differ from what a bare command would use. */
static str hint_flags(struct cli *c)
{
	str dir = cli_data_dir(c);

	if (c->global.data.len == 0 || str_eq(dir, STR("cairn-data")))
		return STR("");
	return arena_printf(c->arena, " --data " STR_FMT, STR_ARG(dir));
}

static void print_up(struct cli *c, const struct server_told *told, str dir, const char *how)
{
	str flags = hint_flags(c);

	if (c->global.json) {
		str text = record_to_json(&server_told_record, told, 0, c->arena);
		printf(STR_FMT "\n", STR_ARG(text));
		return;
	}
	printf("cairn %s at " STR_FMT " (process %lld, data in " STR_FMT ")\n", how, STR_ARG(told->url), (long long)told->pid, STR_ARG(dir));
	printf("  console   %s console" STR_FMT "   prints a link that signs you in\n", c->program, STR_ARG(flags));
	printf("  token     " STR_FMT "/admin.token\n", STR_ARG(dir));
	printf("  stop      %s down" STR_FMT "\n", c->program, STR_ARG(flags));
}

static enum rc up_run(struct cli *c, const void *in, struct err *e)
{
	const struct up *u = in;
	str dir = cli_data_dir(c);
	struct server_told told;
	struct stat st;
	bool running;
	pid_t pid;

	if (u->foreground)
		return serve(c, u, e);
	TRY(fs_mkdirs(arena_cstr(c->arena, dir), 0700, e));
	TRY(server_told(c, dir, &told, &running, e));
	if (running && answers(c, told.url)) {
		bool elsewhere = u->listen.len > 0 && !str_ends(u->listen, STR(":0")) && !str_ends(told.url, u->listen);
		if (elsewhere)
			return FAIL(e, RC_CONFLICT, "a cairn (process %lld) serves " STR_FMT " at " STR_FMT "; stop it first: cairn down",
				    (long long)told.pid, STR_ARG(dir), STR_ARG(told.url));
		print_up(c, &told, dir, "is up already");
		return RC_OK;
	}
	const char *log_dir = path_in(c, dir, "log"), *log = path_in(c, dir, "log/cairn.log");
	TRY(fs_mkdirs(log_dir, 0700, e));
	off_t log_from = stat(log, &st) == 0 ? st.st_size : 0;
	TRY(spawn(c, u, dir, log, &pid, e));
	TRY(wait_for_start(c, dir, pid, log, log_from, &told, e));
	print_up(c, &told, dir, "is up");
	return RC_OK;
}

/* --- down --------------------------------------------------------------------------------------------------- */

static enum rc down_run(struct cli *c, const void *in, struct err *e)
{
	str dir = cli_data_dir(c);
	struct server_told told;
	bool running;
	int lock;

	(void)in;
	if (!fs_exists(arena_cstr(c->arena, dir)))
		return FAIL(e, RC_NOT_FOUND, "there is no data directory " STR_FMT, STR_ARG(dir));
	TRY(server_told(c, dir, &told, &running, e));
	/* The lock tells a server from a stranger that got the process id of one that was killed. */
	if (running && fs_lock(path_in(c, dir, "cairn.lock"), &lock, e) == RC_OK) {
		close(lock);
		running = false;
	}
	if (!running) {
		printf("cairn is not running in " STR_FMT "\n", STR_ARG(dir));
		return RC_OK;
	}
	if (process_stop((pid_t)told.pid, STOP_MS, e) != RC_OK && e->rc != RC_NOT_FOUND)
		return e->rc;
	printf("cairn at " STR_FMT " (process %lld) has stopped\n", STR_ARG(told.url), (long long)told.pid);
	return RC_OK;
}

/* --- others ------------------------------------------------------------------------------------------------- */

static enum rc version_run(struct cli *c, const void *in, struct err *e)
{
	(void)c;
	(void)in;
	(void)e;
	printf("cairn %s\n", CAIRN_VERSION);
	return RC_OK;
}

static enum rc console_run(struct cli *c, const void *in, struct err *e)
{
	struct ask q = { .method = "POST", .path = STR(API_CAIRN "/login-links"), .body = STR("{}") };
	struct http_answer got;
	str url;

	(void)in;
	TRY(client_url(c, &url, e));
	TRY(client_ask(c, &q, &got, e));
	if (c->global.json) {
		printf(STR_FMT "\n", STR_ARG(got.body));
		return RC_OK;
	}
	struct value *v;
	TRY(value_parse(got.body, c->arena, &v, e));
	str path = value_text(value_at(v, "path"), c->arena);
	if (path.len == 0)
		return FAIL(e, RC_UPSTREAM, "the server made no link");
	printf(STR_FMT STR_FMT "\n", STR_ARG(url), STR_ARG(path));
	if (c->tty_out)
		printf("Opens the console once, within 15 minutes.\n");
	return RC_OK;
}

static const struct column status_columns[] = {
	{ "version", "version", SHOW_TEXT }, { "data_dir", "data", SHOW_TEXT }, { "database", "database", SHOW_TEXT },
	{ "pid", "process", SHOW_TEXT }, { "uptime", "up for", SHOW_TOOK }, { "rss_bytes", "memory", SHOW_BYTES },
	{ "cpu", "processor time", SHOW_TOOK }, { "threads", "threads", SHOW_TEXT }, { "tasks_running", "tasks running", SHOW_TEXT },
	{ .path = NULL },
};
static const struct command server_commands[] = {
	{ .noun = "up", .doc = "Starts cairn on a data directory", .in = &up_record, .run = up_run,
	  .example = "cairn up --data ./cairn-data --listen 127.0.0.1:7070" },
	{ .noun = "down", .doc = "Stops the cairn of a data directory in good order", .run = down_run, .example = "cairn down" },
	{ .noun = "status", .doc = "Tells how the running cairn is", .method = "GET", .path = API_CAIRN "/status", .columns = status_columns,
	  .example = "cairn status --json" },
	{ .noun = "console", .doc = "Prints a link that opens the console, once", .run = console_run, .example = "cairn console" },
	{ .noun = "openapi", .doc = "Prints the API's description (OpenAPI 3.1)", .method = "GET", .path = API_CAIRN "/openapi.json",
	  .flags = CMD_RAW, .example = "cairn openapi >cairn.openapi.json" },
	{ .noun = "version", .doc = "Prints the version of this program", .run = version_run, .example = "cairn version" },
};
FAMILY(server_commands, "Server:");
