/* live_check.c -- running checks and keeping what they saw. */
#include "core/live_check.h"

#include <stdio.h>

#include "base/clock.h"
#include "core/module.h"
#include "core/store.h"
#include "core/task.h"

const char *const check_result_names[] = { "passed", "failed", "skipped", NULL };

const struct migration check_migrations[] = {
	{ 1,
	  "CREATE TABLE live_checks (id TEXT PRIMARY KEY, title TEXT NOT NULL, items TEXT NOT NULL, outcome BIGINT NOT NULL,"
	  " evidence TEXT NOT NULL, checked_at BIGINT NOT NULL, took BIGINT NOT NULL)" },
};
const size_t n_check_migrations = ARRAY_LEN(check_migrations);

static const struct field check_outcome_fields[] = {
	FIELD(check_outcome, id, K_STR, F_STORED | F_KEY, "Id of the check"),
	FIELD(check_outcome, title, K_STR, F_STORED, "What holds when it passes"),
	FIELD(check_outcome, items, K_STR, F_STORED | F_HIDE, "Roadmap items that it helps to prove"),
	FIELD(check_outcome, outcome, K_ENUM, F_STORED, "How it ended", .names = check_result_names),
	FIELD(check_outcome, evidence, K_STRS, F_STORED | F_HIDE, "What it saw"),
	FIELD(check_outcome, checked_ms, K_TIME, F_STORED, "When it ran", .name = "checked_at"),
	FIELD(check_outcome, took_ms, K_MS, F_STORED | F_HIDE, "How long it took", .name = "took"),
};
const struct record check_outcome_record = RECORD(check_outcome, check_outcome_fields, "The last outcome of a live check",
						   .table = "live_checks");

struct live_check {
	const struct core *core;
	struct arena *arena;
	VEC(str) evidence;
	size_t n_held, n_broken;
	bool skipped;
};

struct arena *live_check_arena(struct live_check *k) { return k->arena; }
const struct core *live_check_core(struct live_check *k) { return k->core; }

/* --- what a check may say ------------------------------------------------------------------------ */

static void verdict(struct live_check *k, bool holds, str text)
{
	*(holds ? &k->n_held : &k->n_broken) += 1;
	*VEC_PUSH(k->arena, &k->evidence) = arena_printf(k->arena, "%s: " STR_FMT, holds ? "ok" : "NOT OK", STR_ARG(text));
}

void expect_true(struct live_check *k, bool holds, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str text = arena_vprintf(k->arena, fmt, ap);
	va_end(ap);
	verdict(k, holds, text);
}

void expect_at_least(struct live_check *k, const char *what, double measured, double bound)
{
	verdict(k, measured >= bound, arena_printf(k->arena, "%s: %g, at least %g", what, measured, bound));
}

void expect_at_most(struct live_check *k, const char *what, double measured, double bound)
{
	verdict(k, measured <= bound, arena_printf(k->arena, "%s: %g, at most %g", what, measured, bound));
}

void expect_equal(struct live_check *k, const char *what, double measured, double expected)
{
	verdict(k, measured <= expected && measured >= expected, arena_printf(k->arena, "%s: %g, expected %g", what, measured, expected));
}

void live_check_note(struct live_check *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*VEC_PUSH(k->arena, &k->evidence) = arena_vprintf(k->arena, fmt, ap);
	va_end(ap);
}

void live_check_skip(struct live_check *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str text = arena_vprintf(k->arena, fmt, ap);
	va_end(ap);
	k->skipped = true;
	*VEC_PUSH(k->arena, &k->evidence) = arena_printf(k->arena, "skipped: " STR_FMT, STR_ARG(text));
}

/* --- running ---------------------------------------------------------------------------------------- */

void check_run(const struct core *c, const struct check_def *d, void *module, struct arena *a, struct check_outcome *out)
{
	struct live_check k = { .core = c, .arena = a };
	struct err e = ERR_INIT;
	uint64_t began = clock_ns();

	if (d->run(module, &k, &e) != RC_OK)
		expect_true(&k, false, "could not observe: %s", e.msg);
	else if (k.n_held + k.n_broken == 0 && !k.skipped)
		live_check_skip(&k, "it looked and expected nothing");
	/* What failed counts even when the rest was skipped; what was skipped proves nothing. */
	*out = (struct check_outcome){
		.id = str_of(d->id), .title = str_of(d->title), .items = str_of(d->items),
		.outcome = k.n_broken > 0 ? CHECK_FAILED : k.skipped ? CHECK_SKIPPED : CHECK_PASSED,
		.evidence = LIST_OF(k.evidence), .checked_ms = clock_ms(), .took_ms = (int64_t)((clock_ns() - began) / 1000000),
	};
}

enum rc check_outcomes(const struct core *c, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(c->db, a, &check_outcome_record, "ORDER BY id", NO_VALS, out, e);
}

/* --- the task ---------------------------------------------------------------------------------------- */

struct verify_request { struct list only; };
static const struct field verify_request_fields[] = {
	FIELD(verify_request, only, K_STRS, 0, "Ids of the checks to run, or beginnings of ids; all when empty"),
};
static const struct record verify_request_record = RECORD(verify_request, verify_request_fields, "What to verify");

struct verify_result {
	int64_t passed, failed, skipped;
	struct list checks;
};
static const struct field verify_result_fields[] = {
	FIELD(verify_result, passed, K_I64, 0, "Checks that passed"),
	FIELD(verify_result, failed, K_I64, 0, "Checks that failed"),
	FIELD(verify_result, skipped, K_I64, 0, "Checks that found nothing to observe"),
	FIELD(verify_result, checks, K_RECORDS, 0, "Each check's outcome", .sub = &check_outcome_record),
};
static const struct record verify_result_record = RECORD(verify_result, verify_result_fields, "What was verified");

static bool wanted(const struct verify_request *r, const struct check_def *d)
{
	for (size_t i = 0; i < r->only.n; i++) {
		if (str_starts(str_of(d->id), *LIST_AT(r->only, str, i)))
			return true;
	}
	return r->only.n == 0;
}

static size_t count_wanted(const struct core *c, const struct verify_request *r)
{
	size_t n = 0;

	for (size_t m = 0; m < c->n_module; m++) {
		for (size_t i = 0; i < c->module[m]->n_check; i++)
			n += wanted(r, &c->module[m]->check[i]);
	}
	return n;
}

static enum rc run_one(const struct core *c, const struct check_def *d, void *module, struct task *t, struct verify_result *out,
		       struct check_outcome *o, struct err *e)
{
	check_run(c, d, module, task_arena(t), o);
	out->passed += o->outcome == CHECK_PASSED;
	out->failed += o->outcome == CHECK_FAILED;
	out->skipped += o->outcome == CHECK_SKIPPED;
	return store_put1(c->db, &check_outcome_record, o, e);
}

static enum rc verify_run(void *module, struct task *t, const void *in, void *result, struct err *e)
{
	const struct core *c = module;
	struct verify_result *out = result;
	VEC(struct check_outcome) done = { 0 };
	size_t n = count_wanted(c, in);

	if (n == 0)
		return FAIL(e, RC_NOT_FOUND, "there is no check of that name; GET /api/cairn/v1/checks lists those that have run");
	for (size_t m = 0; m < c->n_module; m++) {
		for (size_t i = 0; i < c->module[m]->n_check; i++) {
			const struct check_def *d = &c->module[m]->check[i];
			if (!wanted(in, d))
				continue;
			if (task_cancelled(t))
				return FAIL(e, RC_CANCELLED, "cancelled");
			task_progress(t, (double)done.n / (double)n, "%s", d->title);
			TRY(run_one(c, d, c->module_self[m], t, out, VEC_PUSH(task_arena(t), &done), e));
		}
	}
	out->checks = LIST_OF(done);
	task_progress(t, 1, "%lld passed, %lld failed, %lld skipped", (long long)out->passed, (long long)out->failed,
		      (long long)out->skipped);
	return RC_OK;
}

static str verify_title(const void *request, struct arena *a)
{
	(void)request;
	(void)a;
	return STR("verify the running system");
}

const struct task_def verify_task = {
	.kind = "system.verify", .doc = "Runs the live checks and keeps their outcomes", .request = &verify_request_record,
	.result = &verify_result_record, .title = verify_title, .run = verify_run,
};
