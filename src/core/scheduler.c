/* scheduler.c -- tasks and timers.
 *
 * A task's row is made before it runs and updated when it starts and ends; what changes in between (progress,
 * message) lives in memory and is merged into what readers see, so a busy task costs the database two commits.
 * A beat on the rows of running tasks tells other processes over the same database that they are alive.
 *
 * One mutex guards the list of live tasks and their progress; nothing blocks under it. */
#include "core/scheduler.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "core/event.h"
#include "core/store.h"

#define TIMERS_MAX 64
#define TASK_KINDS_MAX 64
#define BEAT_MS 5000
#define BEAT_DEAD_MS 30000
#define TICK_MS 100
#define WAITERS_MAX 8           /* each holds a worker of the HTTP server; beyond, one waits but shortly */
#define WAIT_SHORT_MS 250

const char *const task_state_names[] = { "queued", "running", "succeeded", "failed", "cancelled", "interrupted", NULL };

const struct migration task_migrations[] = {
	{ 1,
	  "CREATE TABLE tasks (id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, state BIGINT NOT NULL,"
	  " who TEXT NOT NULL, created_at BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT,"
	  " progress DOUBLE PRECISION NOT NULL, message TEXT NOT NULL, request TEXT NOT NULL, result TEXT NOT NULL,"
	  " error_code TEXT NOT NULL, beat_ms BIGINT NOT NULL DEFAULT 0);\n"
	  "CREATE INDEX tasks_state ON tasks (state)" },
};
const size_t n_task_migrations = ARRAY_LEN(task_migrations);

static const struct field task_info_fields[] = {
	FIELD(task_info, id, K_STR, F_STORED | F_KEY, "Id of the task"),
	FIELD(task_info, kind, K_STR, F_STORED | F_HIDE, "What kind of work it is"),
	FIELD(task_info, title, K_STR, F_STORED, "What it works on"),
	FIELD(task_info, state, K_ENUM, F_STORED, "Where it stands", .names = task_state_names),
	FIELD(task_info, who, K_STR, F_STORED | F_HIDE, "Who started it"),
	FIELD(task_info, created_ms, K_TIME, F_STORED, "When it was asked for", .name = "created_at"),
	FIELD(task_info, started_ms, K_TIME, F_STORED | F_NULLABLE | F_HIDE, "When it began", .name = "started_at"),
	FIELD(task_info, ended_ms, K_TIME, F_STORED | F_NULLABLE, "When it ended", .name = "ended_at"),
	FIELD(task_info, progress, K_F64, F_STORED, "Done so far, 0 to 1"),
	FIELD(task_info, message, K_STR, F_STORED, "What it is doing, or how it ended"),
	FIELD(task_info, request, K_JSON, F_STORED | F_HIDE, "What was asked for"),
	FIELD(task_info, result, K_JSON, F_STORED | F_SKIP_EMPTY | F_HIDE, "What came out"),
	FIELD(task_info, error_code, K_STR, F_STORED | F_SKIP_EMPTY | F_HIDE, "The kind of error it failed with"),
};
const struct record task_record = RECORD(task_info, task_info_fields, "A piece of work that takes longer than a request",
					  .name = "task", .table = "tasks");

struct task {
	struct task *next;
	struct scheduler *owner;
	const struct task_def *def;
	void *module;
	struct arena arena;
	struct task_info info;          /* its strings are in arena */
	struct principal who;
	pthread_t thread;
	/* under the scheduler's mutex */
	double progress;
	char message[256];
	uint64_t version;               /* counts changes */
	bool cancelled, done;
	void (*on_cancel)(void *ctx);
	void *on_cancel_ctx;
};

struct timer {
	const struct timer_def *def;
	void *module;
	uint64_t due_ns;
};

struct scheduler {
	struct core *core;
	int parallel;
	struct timer timer[TIMERS_MAX];
	size_t n_timer;
	struct { const struct task_def *def; void *module; } kind[TASK_KINDS_MAX];
	size_t n_kind;
	pthread_t tick;
	bool ticking;

	pthread_mutex_t mtx;            /* guards what follows and the marked part of each task */
	pthread_cond_t changed;
	struct task *live;              /* queued and running, oldest first */
	struct task *ended;             /* threads to join */
	int n_running, n_waiting;
	bool stopping;
};

struct scheduler *scheduler_new(struct core *c, int parallel)
{
	struct scheduler *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	CHECK(s != NULL);
	s->core = c;
	s->parallel = parallel;
	pthread_mutex_init(&s->mtx, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

void scheduler_add_timer(struct scheduler *s, const struct timer_def *d, void *module)
{
	CHECK(s->n_timer < TIMERS_MAX);
	CHECK(d->every_ms >= TICK_MS);
	s->timer[s->n_timer++] = (struct timer){ .def = d, .module = module };
}

void scheduler_add_task(struct scheduler *s, const struct task_def *d, void *module)
{
	CHECK(s->n_kind < TASK_KINDS_MAX);
	s->kind[s->n_kind].def = d;
	s->kind[s->n_kind++].module = module;
}

static void *module_of_task(const struct scheduler *s, const struct task_def *d)
{
	for (size_t i = 0; i < s->n_kind; i++) {
		if (s->kind[i].def == d)
			return s->kind[i].module;
	}
	UNREACHABLE("a task definition that its module's table does not list");
}

/* --- what a running task may call ------------------------------------------------------------- */

struct arena *task_arena(struct task *t) { return &t->arena; }
const struct principal *task_principal(struct task *t) { return &t->who; }
str task_id(struct task *t) { return t->info.id; }

void task_progress(struct task *t, double fraction, const char *fmt, ...)
{
	char text[sizeof(t->message)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);   /* cut off at the field's size */
	va_end(ap);
	pthread_mutex_lock(&t->owner->mtx);
	t->progress = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
	memcpy(t->message, text, sizeof(text));
	t->version++;
	pthread_cond_broadcast(&t->owner->changed);
	pthread_mutex_unlock(&t->owner->mtx);
}

bool task_cancelled(struct task *t)
{
	pthread_mutex_lock(&t->owner->mtx);
	bool yes = t->cancelled;
	pthread_mutex_unlock(&t->owner->mtx);
	return yes;
}

void task_on_cancel(struct task *t, void (*fn)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&t->owner->mtx);
	t->on_cancel = fn;
	t->on_cancel_ctx = ctx;
	bool late = t->cancelled && fn != NULL;
	pthread_mutex_unlock(&t->owner->mtx);
	if (late)
		fn(ctx);
}

/* --- running ---------------------------------------------------------------------------------- */

static enum rc save(struct task *t, struct err *e)
{
	return store_put1(t->owner->core->db, &task_record, &t->info, e);
}

static enum rc run_decoded(struct task *t, struct err *e)
{
	const struct task_def *d = t->def;
	void *in = arena_alloc(&t->arena, d->request->size);
	void *out = d->result != NULL ? arena_alloc(&t->arena, d->result->size) : NULL;

	TRY(record_from_json(d->request, t->info.request, &t->arena, DEC_TRUSTED, in, e));
	TRY(d->run(t->module, t, in, out, e));
	if (out != NULL)
		t->info.result = record_to_json(d->result, out, ENC_SECRETS, &t->arena);
	return RC_OK;
}

static void settle(struct task *t, enum rc rc, const struct err *e)
{
	t->info.ended_ms = clock_ms();
	pthread_mutex_lock(&t->owner->mtx);
	t->info.message = arena_dup(&t->arena, str_of(t->message));
	t->info.progress = t->progress;
	bool cancelled = t->cancelled;
	pthread_mutex_unlock(&t->owner->mtx);
	if (rc == RC_OK) {
		t->info.state = TASK_SUCCEEDED;
		t->info.progress = 1;
		return;
	}
	t->info.state = cancelled || rc == RC_CANCELLED ? TASK_CANCELLED : TASK_FAILED;
	t->info.error_code = str_of(rc_name(rc));
	t->info.message = arena_dup(&t->arena, str_of(e->msg));
}

/* Starts queued tasks while there is room. Under the mutex. */
static void start_waiting(struct scheduler *s);

static void unlink_task(struct scheduler *s, struct task *t)
{
	for (struct task **p = &s->live; *p != NULL; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	t->next = s->ended;
	s->ended = t;
}

static void *task_main(void *arg)
{
	struct task *t = arg;
	struct scheduler *s = t->owner;
	struct err e = ERR_INIT, save_e = ERR_INIT;

	t->info.started_ms = clock_ms();
	t->info.state = TASK_RUNNING;
	enum rc rc = save(t, &e);
	if (rc == RC_OK)
		rc = task_cancelled(t) ? FAIL(&e, RC_CANCELLED, "cancelled before it began") : run_decoded(t, &e);
	settle(t, rc, &e);
	if (save(t, &save_e) != RC_OK)
		LOG(ERROR, "task.not_saved", KV_STR("task", t->info.id), KV_ERR(&save_e));
	if (rc == RC_OK)
		LOG(INFO, "task.succeeded", KV_STR("task", t->info.id), KV_STR("title", t->info.title),
		    KV_I64("ms", t->info.ended_ms - t->info.started_ms));
	else
		LOG(WARN, "task.failed", KV_STR("task", t->info.id), KV_STR("title", t->info.title), KV_ERR(&e));
	pthread_mutex_lock(&s->mtx);
	t->done = true;
	t->version++;
	s->n_running--;
	unlink_task(s, t);
	start_waiting(s);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->mtx);
	return NULL;
}

static void start_waiting(struct scheduler *s)
{
	for (struct task *t = s->live; t != NULL && s->n_running < s->parallel && !s->stopping; t = t->next) {
		if (t->info.state != TASK_QUEUED)
			continue;
		t->info.state = TASK_RUNNING;
		s->n_running++;
		CHECK(pthread_create(&t->thread, NULL, task_main, t) == 0);
	}
}

static void task_free(struct task *t)
{
	arena_deinit(&t->arena);
	free(t);
}

/* Joins threads whose tasks have ended. Called from the timer thread and at the stop. */
static void join_ended(struct scheduler *s)
{
	pthread_mutex_lock(&s->mtx);
	struct task *t = s->ended;
	s->ended = NULL;
	pthread_mutex_unlock(&s->mtx);
	while (t != NULL) {
		struct task *next = t->next;
		pthread_join(t->thread, NULL);
		task_free(t);
		t = next;
	}
}

static struct task_info info_in(const struct task_info *i, struct arena *a)
{
	struct task_info out = *i;

	out.id = arena_dup(a, i->id);
	out.kind = arena_dup(a, i->kind);
	out.title = arena_dup(a, i->title);
	out.who = arena_dup(a, i->who);
	out.message = arena_dup(a, i->message);
	out.request = arena_dup(a, i->request);
	out.result = arena_dup(a, i->result);
	out.error_code = arena_dup(a, i->error_code);
	return out;
}

static struct task *task_new(struct scheduler *s, const struct task_def *d, const struct principal *who, const void *request)
{
	struct task *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	arena_init(&t->arena);
	struct arena *a = &t->arena;
	t->owner = s;
	t->def = d;
	t->module = module_of_task(s, d);
	t->who = (struct principal){ .id = arena_dup(a, who->id), .name = arena_dup(a, who->name), .role = who->role,
				     .scope = arena_dup(a, who->scope) };
	t->info = (struct task_info){
		.id = id_new(a, "task"),
		.kind = str_of(d->kind),
		.title = d->title != NULL ? d->title(request, a) : str_of(d->doc),
		.who = t->who.id,
		.created_ms = clock_ms(),
		.message = STR("waiting"),
		.request = record_to_json(d->request, request, ENC_SECRETS, a),
	};
	return t;
}

enum rc task_start(const struct core *c, const struct task_def *d, const struct principal *who, const void *request,
		   struct task_info *out, struct arena *a, struct err *e)
{
	struct scheduler *s = c->scheduler;

	if (d->admit != NULL)
		TRY(d->admit(module_of_task(s, d), who, request, e));
	struct task *t = task_new(s, d, who, request);
	if (save(t, e) != RC_OK) {
		task_free(t);
		return e->rc;
	}
	*out = info_in(&t->info, a);
	pthread_mutex_lock(&s->mtx);
	struct task **tail = &s->live;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = t;
	start_waiting(s);
	pthread_mutex_unlock(&s->mtx);
	return RC_OK;
}

/* --- reading ----------------------------------------------------------------------------------- */

static struct task *live_find(struct scheduler *s, str id)
{
	for (struct task *t = s->live; t != NULL; t = t->next) {
		if (str_eq(t->info.id, id))
			return t;
	}
	return NULL;
}

/* What memory knows better than the row. */
static void merge_live(struct scheduler *s, struct arena *a, struct task_info *i)
{
	pthread_mutex_lock(&s->mtx);
	const struct task *t = live_find(s, i->id);
	if (t != NULL && t->message[0] != '\0') {
		i->state = TASK_RUNNING;
		i->progress = t->progress;
		i->message = arena_dup(a, str_of(t->message));
	}
	pthread_mutex_unlock(&s->mtx);
}

enum rc task_find(struct scheduler *s, struct arena *a, str id, struct task_info *out, struct err *e)
{
	str named = arena_printf(a, "task '" STR_FMT "'", STR_ARG(id));

	*out = (struct task_info){ 0 };
	TRY(store_get1(s->core->db, a, &task_record, "WHERE id = ?", VALS(V_STR(id)), named, out, e));
	if (out->state <= TASK_RUNNING)
		merge_live(s, a, out);
	return RC_OK;
}

enum rc task_wait(struct scheduler *s, struct arena *a, str id, int64_t wait_ms, struct task_info *out, struct err *e)
{
	struct timespec until;

	pthread_mutex_lock(&s->mtx);
	if (s->n_waiting >= WAITERS_MAX && wait_ms > WAIT_SHORT_MS)
		wait_ms = WAIT_SHORT_MS;
	s->n_waiting++;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	struct task *t = live_find(s, id);
	uint64_t seen = t != NULL ? t->version : 0;
	/* Looked up anew each time: the task may have ended and been freed while we slept. */
	while (wait_ms > 0 && t != NULL && t->version == seen && !s->stopping) {
		if (pthread_cond_timedwait(&s->changed, &s->mtx, &until) != 0)
			break;
		t = live_find(s, id);
	}
	s->n_waiting--;
	pthread_mutex_unlock(&s->mtx);
	return task_find(s, a, id, out, e);
}

enum rc task_list(struct scheduler *s, struct arena *a, int64_t limit, struct list *out, struct err *e)
{
	TRY(store_list1(s->core->db, a, &task_record, "ORDER BY id DESC LIMIT ?", VALS(V_I64(limit)), out, e));
	for (size_t i = 0; i < out->n; i++) {
		struct task_info *info = LIST_AT(*out, struct task_info, i);
		if (info->state <= TASK_RUNNING)
			merge_live(s, a, info);
	}
	return RC_OK;
}

static void cancel_one(struct task *t)
{
	t->cancelled = true;
	if (t->on_cancel != NULL)
		t->on_cancel(t->on_cancel_ctx);
}

enum rc task_cancel(struct scheduler *s, str id, const struct principal *who, struct err *e)
{
	pthread_mutex_lock(&s->mtx);
	struct task *t = live_find(s, id);
	if (t != NULL)
		cancel_one(t);
	pthread_mutex_unlock(&s->mtx);
	if (t == NULL)
		return FAIL(e, RC_CONFLICT, "task '" STR_FMT "' is not running here", STR_ARG(id));
	LOG(INFO, "task.cancel", KV_STR("task", id), KV_STR("who", who->id));
	return RC_OK;
}

uint32_t scheduler_running(struct scheduler *s)
{
	pthread_mutex_lock(&s->mtx);
	int n = s->n_running;
	pthread_mutex_unlock(&s->mtx);
	return (uint32_t)n;
}

/* --- timers ------------------------------------------------------------------------------------ */

static enum rc interrupt_dead(struct scheduler *s, int64_t beaten_before_ms, struct err *e)
{
	return db_exec1(s->core->db,
			"UPDATE tasks SET state = ?, ended_at = ?, message = ? WHERE state IN (?, ?) AND beat_ms < ? AND created_at < ?",
			VALS(V_I64(TASK_INTERRUPTED), V_I64(clock_ms()),
			     V_CSTR("cairn stopped while this ran; start it again"), V_I64(TASK_QUEUED), V_I64(TASK_RUNNING),
			     V_I64(beaten_before_ms), V_I64(beaten_before_ms)),
			NULL, e);
}

static void beat(struct scheduler *s)
{
	struct err e = ERR_INIT;
	struct arena a;
	VEC(str) ids = { 0 };

	arena_init(&a);
	pthread_mutex_lock(&s->mtx);
	for (struct task *t = s->live; t != NULL; t = t->next)
		*VEC_PUSH(&a, &ids) = arena_dup(&a, t->info.id);
	pthread_mutex_unlock(&s->mtx);
	for (size_t i = 0; i < ids.n; i++) {
		if (db_exec1(s->core->db, "UPDATE tasks SET beat_ms = ? WHERE id = ?",
			     VALS(V_I64(clock_ms()), V_STR(ids.at[i])), NULL, &e) != RC_OK)
			LOG(WARN, "task.beat", KV_ERR(&e));
	}
	arena_deinit(&a);
}

static void run_timer(struct scheduler *s, struct timer *t)
{
	struct err e = ERR_INIT;
	bool mine = true;

	if (t->def->leased) {
		int64_t ttl = t->def->every_ms * 3 > 10000 ? t->def->every_ms * 3 : 10000;
		if (db_lease(s->core->db, str_of(t->def->name), str_of(s->core->instance), ttl, &mine, &e) != RC_OK) {
			LOG(WARN, "timer.lease", KV_STR("timer", str_of(t->def->name)), KV_ERR(&e));
			mine = false;
		}
	}
	if (mine && t->def->run(t->module, &e) != RC_OK)
		LOG(WARN, "timer.failed", KV_STR("timer", str_of(t->def->name)), KV_ERR(&e));
	t->due_ns = clock_ns() + (uint64_t)t->def->every_ms * 1000000;
}

static bool sleep_tick(struct scheduler *s)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->mtx);
	if (!s->stopping)
		(void)pthread_cond_timedwait(&s->changed, &s->mtx, &until);  /* woken early or not: both fine */
	bool go_on = !s->stopping;
	pthread_mutex_unlock(&s->mtx);
	return go_on;
}

static void *tick_main(void *arg)
{
	struct scheduler *s = arg;
	uint64_t next_beat = clock_ns() + BEAT_MS * UINT64_C(1000000);

	while (sleep_tick(s)) {
		for (size_t i = 0; i < s->n_timer; i++) {
			if (clock_ns() >= s->timer[i].due_ns)
				run_timer(s, &s->timer[i]);
		}
		if (clock_ns() >= next_beat) {
			struct err e = ERR_INIT;
			beat(s);
			if (interrupt_dead(s, clock_ms() - BEAT_DEAD_MS, &e) != RC_OK)
				LOG(WARN, "task.reap", KV_ERR(&e));
			next_beat = clock_ns() + BEAT_MS * UINT64_C(1000000);
		}
		join_ended(s);
	}
	return NULL;
}

enum rc scheduler_start(struct scheduler *s, struct err *e)
{
	/* One process over a SQLite file: whatever is marked running is not. */
	int64_t dead = db_kind(s->core->db) == DB_SQLITE ? INT64_MAX : clock_ms() - BEAT_DEAD_MS;

	TRY(interrupt_dead(s, dead, e));
	for (size_t i = 0; i < s->n_timer; i++)
		s->timer[i].due_ns = clock_ns() + (uint64_t)s->timer[i].def->every_ms * 1000000;
	if (pthread_create(&s->tick, NULL, tick_main, s) != 0)
		return FAIL(e, RC_INTERNAL, "cannot start the timer thread");
	s->ticking = true;
	return RC_OK;
}

void scheduler_stop(struct scheduler *s)
{
	pthread_mutex_lock(&s->mtx);
	s->stopping = true;
	for (struct task *t = s->live; t != NULL; t = t->next)
		cancel_one(t);
	pthread_cond_broadcast(&s->changed);
	while (s->n_running > 0)
		pthread_cond_wait(&s->changed, &s->mtx);
	pthread_mutex_unlock(&s->mtx);
	if (s->ticking)
		pthread_join(s->tick, NULL);
	s->ticking = false;
	join_ended(s);
}

void scheduler_free(struct scheduler **slot)
{
	struct scheduler *s = *slot;

	*slot = NULL;
	if (s == NULL)
		return;
	while (s->live != NULL) {       /* queued ones that never ran: their rows say so at the next start */
		struct task *next = s->live->next;
		task_free(s->live);
		s->live = next;
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->mtx);
	free(s);
}
