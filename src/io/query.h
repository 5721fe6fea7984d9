/* query.h -- analytical SQL over Parquet and CSV (DuckDB), loaded when first used.
 *
 * A session is one DuckDB connection with its own settings; one thread uses it at a time. The engine keeps
 * within memory_mb and spills to tmp_dir. User SQL runs in sessions opened with `sandbox`: after the inputs
 * are bound as views, no file outside `tmp_dir` and the named inputs can be touched and no setting changed.
 * Where the library is missing every call says RC_UNAVAILABLE and how to get it.
 */
#ifndef CAIRN_IO_QUERY_H
#define CAIRN_IO_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct query_engine;
struct query;           /* a session */

struct query_config { const char *library; const char *tmp_dir; uint32_t threads; uint32_t memory_mb; };
enum rc query_engine_open(const struct query_config *c, struct query_engine **out, struct err *e) MUST_USE; /* loads nothing yet */
void query_engine_close(struct query_engine **slot);
enum rc query_engine_version(struct query_engine *g, struct arena *a, str *out, struct err *e) MUST_USE;

enum rc query_open(struct query_engine *g, struct query **out, struct err *e) MUST_USE;
void query_close(struct query **slot);
/* Makes `name` a view over a Parquet file (path by us, never by a user). */
enum rc query_bind_parquet(struct query *q, str name, str path, struct err *e) MUST_USE;
/* From here on: no other files, no extensions, no settings. */
enum rc query_sandbox(struct query *q, struct err *e) MUST_USE;

enum col_type { COL_BOOL, COL_I64, COL_F64, COL_TEXT, COL_TIME /* int64 microseconds UTC */, COL_OTHER /* as text */ };
struct col { str name; enum col_type type; str sql_type; };
struct result_col {
	struct col c;
	uint8_t *null;          /* 1 where the value is NULL */
	union { int64_t *i; double *f; str *s; };   /* bool, i64 and time in i */
};
struct result { size_t n, n_col; struct result_col *col; };

/* Runs one or more statements; the last one's rows, column-wise, copied into the arena (at most max_rows,
 * else RC_TOO_LARGE). Errors of the SQL itself are RC_INVALID with DuckDB's message. */
enum rc query_run(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e) MUST_USE;
enum rc query_exec(struct query *q, str sql, int64_t *n_changed, struct err *e) MUST_USE;
/* Column names and types of a SELECT without running it. */
enum rc query_describe(struct query *q, str sql, struct arena *a, struct col **out, size_t *n_out, struct err *e) MUST_USE;
/* COPY (sql) TO path (Parquet, zstd); path by us. */
enum rc query_to_parquet(struct query *q, str sql, str path, int64_t *n_rows, struct err *e) MUST_USE;
void query_interrupt(struct query *q);        /* from any thread: the running statement ends with RC_CANCELLED */

str query_quote_name(struct arena *a, str name);     /* "x""y" */
str query_quote_text(struct arena *a, str text);     /* 'x''y' */

#endif
