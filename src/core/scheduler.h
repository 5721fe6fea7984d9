/* scheduler.h -- the one place where timers tick and tasks run; used by core.c and the task routes.
 *
 * One timer thread runs what is due; a task runs on a thread of its own, at most `parallel` at once, others
 * wait in order. scheduler_stop cancels what runs and waits for it.
 */
#ifndef CAIRN_CORE_SCHEDULER_H
#define CAIRN_CORE_SCHEDULER_H

#include "core/task.h"
#include "io/db.h"

struct scheduler;
struct scheduler *scheduler_new(struct core *c, int parallel);
void scheduler_add_timer(struct scheduler *s, const struct timer_def *d, void *module);
void scheduler_add_task(struct scheduler *s, const struct task_def *d, void *module);
/* Marks the tasks of a cairn that is gone as interrupted, then starts ticking. */
enum rc scheduler_start(struct scheduler *s, struct err *e) MUST_USE;
void scheduler_stop(struct scheduler *s);
void scheduler_free(struct scheduler **slot);

enum rc task_find(struct scheduler *s, struct arena *a, str id, struct task_info *out, struct err *e) MUST_USE;
/* Waits until the task changes from what *seen says, ends, or wait_ms is over; then as task_find. */
enum rc task_wait(struct scheduler *s, struct arena *a, str id, int64_t wait_ms, struct task_info *out, struct err *e) MUST_USE;
enum rc task_list(struct scheduler *s, struct arena *a, int64_t limit, struct list *out, struct err *e) MUST_USE;
/* RC_CONFLICT when it has ended already. */
enum rc task_cancel(struct scheduler *s, str id, const struct principal *who, struct err *e) MUST_USE;
uint32_t scheduler_running(struct scheduler *s);

extern const struct migration task_migrations[];
extern const size_t n_task_migrations;

#endif
