/* sql.h -- what is read from a view's dataset, as DuckDB's SQL, and the work that runs it.
 *
 * The rules that decide which row counts stand in sql.c. Pure over its arguments; any thread.
 */
#ifndef CAIRN_FEATURES_SQL_H
#define CAIRN_FEATURES_SQL_H

#include "core/task.h"
#include "io/query.h"
#include "modules/features/features.h"
#include "modules/lake/lake.h"

/* Columns k0 … (VARCHAR), t (TIMESTAMP), c, f0 …; rows without a key or a time are left out. `table` is quoted already. */
str features__source_sql(const struct feature_view *v, const struct dataset_version *d, str table, struct arena *a);
/* The row of each key that is newest at as_of. */
str features__latest_sql(const struct feature_view *v, str source_sql, int64_t as_of_ms, struct arena *a);
/* One row for each key and time. */
str features__unique_sql(const struct feature_view *v, str source_sql, struct arena *a);
str features__time_sql(str quoted, str sql_type, struct arena *a);   /* a column of time as TIMESTAMP in UTC */
/* Digest of a table's content, whatever the order of its rows: 64 hex digits. */
enum rc features__digest(struct query *q, str table, struct arena *a, str *out, struct err *e) MUST_USE;

/* Progress goes to the task, if there is one (tests have none). */
#define tell_task(task, ...)                                                                                     \
	do {                                                                                                         \
		if ((task) != NULL)                                                                                  \
			task_progress((task), __VA_ARGS__);                                                          \
	} while (0)
static inline bool was_cancelled(struct task *t) { return t != NULL && task_cancelled(t); }
/* From here on a cancelled task interrupts the session; NULL ends that. */
void features__watch(struct task *t, struct query *q);

#endif
