/* live_check.h -- proof: checks that observe the running system and can fail.
 *
 * A check reads what the system really did (rows, files, answers, metrics), states what it expected with its
 * threshold, and leaves evidence. `cairn verify` runs them and stores outcome and evidence; a roadmap item is
 * proven only when every check that names it passed on its last run. A check that finds nothing to observe
 * (no endpoint yet) is skipped, and proves nothing.
 */
#ifndef CAIRN_CORE_LIVE_CHECK_H
#define CAIRN_CORE_LIVE_CHECK_H

#include "base/record.h"
#include "core/core.h"
#include "io/db.h"

struct live_check;      /* one run of one check */
struct check_def {
	const char *id;                 /* "lake.no_row_lost" */
	const char *title;              /* what holds when it passes, one sentence */
	const char *items;              /* roadmap ids that it helps to prove, space separated; may be "" */
	/* Returns RC_OK whether it passed or not; an error means it could not observe, and counts as failing. */
	enum rc (*run)(void *module, struct live_check *k, struct err *e);
};
struct arena *live_check_arena(struct live_check *k);
const struct core *live_check_core(struct live_check *k);
/* Each expectation becomes a line of evidence; one that does not hold fails the check. */
void expect_true(struct live_check *k, bool holds, const char *fmt, ...) PRINTF_LIKE(3, 4);
void expect_at_least(struct live_check *k, const char *what, double measured, double bound);
void expect_at_most(struct live_check *k, const char *what, double measured, double bound);
void expect_equal(struct live_check *k, const char *what, double measured, double expected);
void live_check_note(struct live_check *k, const char *fmt, ...) PRINTF_LIKE(2, 3);   /* evidence without a verdict */
void live_check_skip(struct live_check *k, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- the engine: stored outcomes, and the task that runs checks ------------------------------ */

enum check_result { CHECK_PASSED, CHECK_FAILED, CHECK_SKIPPED };
extern const char *const check_result_names[];
struct check_outcome {
	str id, title, items;
	int32_t outcome;        /* enum check_result */
	struct list evidence;   /* of str, one line each */
	int64_t checked_ms, took_ms;
};
extern const struct record check_outcome_record;
extern const struct migration check_migrations[];
extern const size_t n_check_migrations;

/* The last outcome of every check that has run. */
enum rc check_outcomes(const struct core *c, struct arena *a, struct list *out, struct err *e) MUST_USE;
/* Runs one check now; also for tests. Strings of *out live in the arena. */
void check_run(const struct core *c, const struct check_def *d, void *module, struct arena *a, struct check_outcome *out);

struct task_def;
extern const struct task_def verify_task;       /* its module is the core */

#endif
