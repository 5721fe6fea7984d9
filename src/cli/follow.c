/* follow.c -- a task from its start to its end, with a line that shows how far it is. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "core/task.h"

#define WAIT_MS 1000
#define PLAIN_LINE_MS 2000      /* without a terminal: at most one line in so long */
#define BAR 24

/* Ctrl-C is blocked while a task is followed; how often it came since the last call. */
static int interrupts(const sigset_t *set)
{
	const struct timespec now = { 0, 0 };
	int n = 0;

	while (sigtimedwait(set, NULL, &now) > 0)
		n++;
	return n;
}

static enum rc read_task(struct cli *c, str json, struct task_info *out, struct err *e)
{
	struct record open = task_record;

	open.open = true;
	return record_from_json(&open, json, c->arena, DEC_TRUSTED, out, e);
}

static void draw(const struct task_info *t, int64_t elapsed_ms)
{
	char bar[BAR + 1];
	int full = (int)(t->progress * BAR);

	for (int i = 0; i < BAR; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR] = '\0';
	(void)fprintf(stderr, "\r\033[K" STR_FMT " [%s] %3.0f %%  %.1f s  " STR_FMT, STR_ARG(str_head(t->title, 40)), bar, t->progress * 100,
		      (double)elapsed_ms / 1000, STR_ARG(str_head(t->message, 60)));
}

/* What was shown last, so that a plain log gets a line only for what is new. */
struct shown { int64_t begin_ms, line_ms; str message; };

static void show(struct cli *c, const struct task_info *t, struct shown *s)
{
	int64_t now = clock_ms();

	if (c->global.json)
		return;
	if (c->tty_err) {
		draw(t, now - s->begin_ms);
		return;
	}
	if (t->state == TASK_QUEUED || t->message.len == 0 || str_eq(t->message, s->message) || now - s->line_ms < PLAIN_LINE_MS)
		return;
	(void)fprintf(stderr, STR_FMT ": %3.0f %%  " STR_FMT "\n", STR_ARG(t->title), t->progress * 100, STR_ARG(t->message));
	s->line_ms = now;
	s->message = t->message;
}

static enum rc ended(struct cli *c, const struct task_info *t, struct err *e)
{
	enum rc rc = t->error_code.len > 0 ? rc_of_name(t->error_code) : RC_INTERNAL;

	if (c->tty_err && !c->global.json)
		(void)fprintf(stderr, "\r\033[K");
	switch ((enum task_state)t->state) {
	case TASK_SUCCEEDED:
		return RC_OK;
	case TASK_CANCELLED:
		return FAIL(e, RC_CANCELLED, STR_FMT " was cancelled", STR_ARG(t->title));
	case TASK_INTERRUPTED:
		return FAIL(e, RC_UNAVAILABLE, STR_FMT " was interrupted: cairn stopped; run it again", STR_ARG(t->title));
	case TASK_FAILED:
		return FAIL(e, rc == RC_OK ? RC_INTERNAL : rc, STR_FMT ": " STR_FMT, STR_ARG(t->title), STR_ARG(t->message));
	case TASK_QUEUED: case TASK_RUNNING:
		break;
	}
	UNREACHABLE("a task that has not ended");
}

static enum rc cancel(struct cli *c, str id, struct err *e)
{
	struct ask q = { .method = "POST", .path = arena_printf(c->arena, API_CAIRN "/tasks/" STR_FMT "/cancel", STR_ARG(id)), .body = STR("{}") };
	struct http_answer got;

	if (client_ask(c, &q, &got, e) == RC_OK || e->rc == RC_CONFLICT)
		return RC_OK;
	return e->rc;
}

static enum rc follow(struct cli *c, struct task_info *t, const sigset_t *set, struct err *e)
{
	struct ask q = { .method = "GET", .path = arena_printf(c->arena, API_CAIRN "/tasks/" STR_FMT "?wait_ms=%d", STR_ARG(t->id), WAIT_MS) };
	struct shown shown = { .begin_ms = clock_ms() };
	struct http_answer got;
	int n = 0;

	while (t->state == TASK_QUEUED || t->state == TASK_RUNNING) {
		show(c, t, &shown);
		int before = n;
		n += interrupts(set);
		if (n > 1)
			return FAIL(e, RC_CANCELLED, "left while the task " STR_FMT " goes on", STR_ARG(t->id));
		if (n > before)
			TRY(cancel(c, t->id, e));
		TRY(client_ask(c, &q, &got, e));
		TRY(read_task(c, got.body, t, e));
	}
	return RC_OK;
}

enum rc task_follow(struct cli *c, str task_json, str *result_json, struct err *e)
{
	struct task_info t;
	sigset_t set, before;

	TRY(read_task(c, task_json, &t, e));
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, &before);
	enum rc rc = follow(c, &t, &set, e);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	TRY(rc);
	TRY(ended(c, &t, e));
	*result_json = t.result;
	return RC_OK;
}
