/* task.h -- work that takes longer than a request: ingest, pipeline runs, materialisation, training.
 *
 * A task definition names its request and result records and a function. Starting one stores a row (so it is
 * visible, and survives as "interrupted" if cairn dies) and runs the function on a task thread, at most
 * `tasks.parallel` at once. Progress is reported by the function and read by GET /tasks/{id}; `?wait_ms=`
 * holds the answer until something changes. Cancelling sets a flag that the function polls.
 */
#ifndef CAIRN_CORE_TASK_H
#define CAIRN_CORE_TASK_H

#include "base/record.h"
#include "core/core.h"
#include "core/principal.h"

enum task_state { TASK_QUEUED, TASK_RUNNING, TASK_SUCCEEDED, TASK_FAILED, TASK_CANCELLED, TASK_INTERRUPTED };
extern const char *const task_state_names[];

/* The stored and answered row. */
struct task_info {
	str id;                 /* "task_01…" */
	str kind;               /* "lake.ingest" */
	str title;              /* "ingest trips" */
	int32_t state;
	str who;
	int64_t created_ms, started_ms, ended_ms;
	double progress;        /* 0 … 1 */
	str message;            /* what it is doing, or how it ended */
	str request, result;    /* JSON */
	str error_code;
};
extern const struct record task_record;

struct task;            /* a running one: its own thread */
struct task_def {
	const char *kind;
	const char *doc;
	const struct record *request, *result;   /* result may be NULL */
	/* A short name for people from the request. May be NULL. */
	str (*title)(const void *request, struct arena *a);
	/* Refuses a bad request before a row is made (400, 404 …). May be NULL. */
	enum rc (*admit)(void *module, const struct principal *who, const void *request, struct err *e);
	/* in: decoded request; out: zeroed result. The arena lives until the result is stored. */
	enum rc (*run)(void *module, struct task *t, const void *in, void *out, struct err *e);
};
struct arena *task_arena(struct task *t);
const struct principal *task_principal(struct task *t);
str task_id(struct task *t);
void task_progress(struct task *t, double fraction, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool task_cancelled(struct task *t);
/* fn(ctx) is called once, from another thread, if the task is cancelled while it is set (query_interrupt). */
void task_on_cancel(struct task *t, void (*fn)(void *ctx), void *ctx);

enum rc task_start(const struct core *c, const struct task_def *d, const struct principal *who, const void *request,
		   struct task_info *out, struct arena *a, struct err *e) MUST_USE;

/* --- timers --------------------------------------------------------------------------------- */
struct timer_def {
	const char *name;
	int64_t every_ms;
	bool leased;            /* only one of all cairn processes over the database runs it at a time */
	enum rc (*run)(void *module, struct err *e);   /* on the timer thread: short work, may block on the db */
};

#endif
