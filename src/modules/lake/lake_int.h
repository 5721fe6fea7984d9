/* lake_int.h -- what the rooms of the lake share.
 *
 * lake.c is the module's table; records.c its records; store.c its rows in the metadata database; ingest.c turns an
 * uploaded file into a version (source.h, typing.h, profile.c help); pipeline*.c and gates.c hold, check and run
 * pipelines; api_*.c are the routes; checks.c the live checks.
 */
#ifndef CAIRN_LAKE_INT_H
#define CAIRN_LAKE_INT_H

#include "core/core.h"
#include "core/event.h"
#include "core/live_check.h"
#include "core/route.h"
#include "core/task.h"
#include "io/db.h"
#include "modules/lake/lake.h"
#include "modules/lake/source.h"
#include "modules/lake/typing.h"

#define DATASET_NAME_MAX 128
#define ROWS_SHOWN_MAX 10000

struct lake_config { int64_t query_ms, step_ms; };
extern const struct record lake_config_record;

struct lake {
	unsigned magic;
	struct core *core;
	struct lake_config config;
	_Atomic uint32_t n_asking;      /* queries of users that run now */
};
#define LAKE_MAGIC 0x6c616b65u

/* --- progress ------------------------------------------------------------------------------------------ */

/* Progress goes to the task, if there is one (tests have none). */
#define work_progress(task, ...)                                                                                     \
	do {                                                                                                         \
		if ((task) != NULL)                                                                                  \
			task_progress((task), __VA_ARGS__);                                                          \
	} while (0)
static inline bool work_cancelled(struct task *t) { return t != NULL && task_cancelled(t); }
/* From here until work_unwatch, a cancelled task interrupts the session. */
void lake__watch(struct task *t, struct query *q);
void lake__unwatch(struct task *t);

/* --- datasets ------------------------------------------------------------------------------------------- */

struct dataset {
	str name;
	int64_t newest;
	int64_t n_rows, n_quarantined, size, n_columns;
	str origin;
	int64_t created_ms, updated_ms;
};
extern const struct record dataset_record, dataset_column_record, dataset_version_brief_record;

struct lake_source { str blob, name; int64_t size; int64_t created_ms; str who; };
extern const struct record lake_source_record;

/* Makes v the newest version of its dataset: sets number, id and created_ms, writes rows, lineage node and audit entry. The
 * strings of v->id live in the arena. */
enum rc lake__publish(struct tx *tx, struct dataset_version *v, const struct principal *who, struct arena *a,
		      struct err *e) MUST_USE;
enum rc lake__newest(struct tx *tx, struct arena *a, str dataset, struct dataset_version *out, bool *found,
		     struct err *e) MUST_USE;
enum rc lake__datasets(struct lake *l, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc lake__dataset(struct lake *l, struct arena *a, str name, struct dataset *out, struct err *e) MUST_USE;
enum rc lake__versions(struct lake *l, struct arena *a, str name, struct list *out, struct err *e) MUST_USE;
/* The newest versions of all datasets, or every version there is. */
enum rc lake__all_versions(struct lake *l, struct arena *a, bool newest_only, int64_t limit, struct list *out,
			   struct err *e) MUST_USE;
enum rc lake__source_put(struct lake *l, const struct lake_source *s, const struct principal *who, struct err *e) MUST_USE;
enum rc lake__source_find(struct lake *l, struct arena *a, str blob, struct lake_source *out, bool *found,
			  struct err *e) MUST_USE;

/* --- ingest --------------------------------------------------------------------------------------------- */

struct ingest_column { str name; int32_t type; };
struct ingest_request {
	str name, blob, source_name;
	int32_t format;
	str delimiter;
	struct list columns;            /* struct ingest_column */
	struct list time_columns, key, nulls;   /* str */
	double tolerance;
};
struct ingest_reason { str column, reason; int64_t n; };
struct ingest_result {
	str id, dataset;
	int64_t version;
	bool unchanged;
	int64_t n_source_rows, n_rows, n_quarantined;
	struct list reasons;            /* struct ingest_reason */
	struct list columns;            /* struct dataset_column */
	struct list schema_changes;     /* str */
	int64_t took_ms;
	double rows_per_s;
};
extern const struct record ingest_request_record, ingest_result_record;
enum rc lake__ingest(struct lake *l, const struct ingest_request *r, const struct principal *who, struct task *t_or_null,
		     struct arena *a, struct ingest_result *out, struct err *e) MUST_USE;

/* Bytes of any kind as text that can be shown and stored: what is not UTF-8 becomes \xNN; at most max bytes. */
str lake__show_bytes(struct arena *a, str raw, size_t max);

/* --- profile -------------------------------------------------------------------------------------------- */

/* Profiles every column of a table or view of the session; JSON. Only SELECTs, so it runs in the sandbox too. */
enum rc lake__profile(struct query *q, str table, struct task *t_or_null, double from, double to, struct arena *a,
		      str *json_out, struct err *e) MUST_USE;
extern const struct record profile_column_record;

/* --- queries -------------------------------------------------------------------------------------------- */

struct table {
	struct list columns /* struct dataset_column */;
	str rows /* JSON: a list of lists */;
	int64_t n_rows;
	bool more;
};
extern const struct record table_record;
/* At most limit rows of a SELECT. */
enum rc lake__table(struct query *q, str select, int64_t limit, struct arena *a, struct table *out, struct err *e) MUST_USE;
/* The names of tables that a SELECT reads, without repeats; those of its own WITH too. Before the sandbox. */
enum rc lake__tables_of(struct query *q, str sql, struct arena *a, struct list *out, struct err *e) MUST_USE;
/* A SELECT over datasets in a sandbox of its own. */
enum rc lake__ask(struct lake *l, str sql, int64_t limit, struct arena *a, struct table *out, struct err *e) MUST_USE;

/* --- the module's tables, and how long they are ----------------------------------------------------------- */

#define LAKE_TASKS 2
#define LAKE_DATASET_ROUTES 9
#define LAKE_PIPELINE_ROUTES 6
#define LAKE_MIGRATIONS 2
#define LAKE_CHECKS 5
extern const struct task_def lake_tasks[LAKE_TASKS];
extern const struct route lake_dataset_routes[LAKE_DATASET_ROUTES];
extern const struct route lake_pipeline_routes[LAKE_PIPELINE_ROUTES];
extern const struct migration lake_migrations[LAKE_MIGRATIONS];
extern const struct check_def lake_checks[LAKE_CHECKS];

#endif
