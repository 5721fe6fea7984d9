/* query.h -- analytical SQL over Parquet (DuckDB), loaded when first used.
 *
 * A session is a DuckDB instance of its own (about 10 ms to open), so its settings and what it may touch are its
 * alone and no memory stays behind when it closes; one thread uses it at a time. All sessions together keep within
 * memory_mb and spill to their scratch directories below tmp_dir.
 *
 * User SQL runs in a sandboxed session: after the inputs are bound, no file outside the session's scratch directory
 * and the bound inputs can be touched, no setting changed, no extension loaded, and each text given to query_run,
 * query_describe, query_define and query_to_parquet must be one SELECT that calls no function with effects.
 * Where the library is missing every call says RC_UNAVAILABLE and how to get it.
 */
#ifndef CAIRN_IO_QUERY_H
#define CAIRN_IO_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct query_engine;
struct query;           /* a session */

/* library: path of libduckdb.so; NULL: $CAIRN_ENGINE_DIR, then beside the program. Zeros: one thread per core (at
 * most 8), a quarter of the machine's memory (at most 4 GiB), and 16 GiB of spilled data per session. */
struct query_config { const char *library; const char *tmp_dir; uint32_t threads, memory_mb, spill_mb; };
/* Loads nothing yet; removes what sessions of a killed process left in tmp_dir. */
enum rc query_engine_open(const struct query_config *c, struct query_engine **out, struct err *e) MUST_USE;
void query_engine_close(struct query_engine **slot);   /* all sessions are closed before */
enum rc query_engine_version(struct query_engine *g, struct arena *a, str *out, struct err *e) MUST_USE;
uint32_t query_engine_sessions(struct query_engine *g);

enum rc query_open(struct query_engine *g, struct query **out, struct err *e) MUST_USE;
void query_close(struct query **slot);
/* Files below it may be written and bound by this session, in the sandbox too; gone when it closes. */
const char *query_scratch(const struct query *q);
/* Makes `name` a view over a Parquet file (path by us, never by a user). In the sandbox: of the scratch directory only. */
enum rc query_bind_parquet(struct query *q, str name, str path, struct err *e) MUST_USE;
/* Makes `name` a view of one SELECT, or with `keep` a table of what it gives now. In the sandbox too. */
enum rc query_define(struct query *q, str name, str select, bool keep, struct err *e) MUST_USE;
/* From here on: no other files, no extensions, no settings, nothing but SELECT. */
enum rc query_sandbox(struct query *q, struct err *e) MUST_USE;
/* Statements from here on end with RC_TIMEOUT when they run longer than ms; 0: no limit. */
void query_time_limit(struct query *q, uint32_t ms);
/* One SELECT, syntactically right, that the sandbox would take; else RC_INVALID with line and column, or RC_FORBIDDEN
 * naming the function. Names of tables and columns are not looked at. */
enum rc query_check(struct query *q, str sql, struct err *e) MUST_USE;

enum col_type { COL_BOOL, COL_I64, COL_F64, COL_TEXT, COL_TIME /* int64 microseconds UTC; dates too */, COL_OTHER /* as text */ };
struct col { str name; enum col_type type; str sql_type; };
struct result_col {
	struct col c;
	uint8_t *null;          /* 1 where the value is NULL */
	union { int64_t *i; double *f; str *s; };   /* bool, i64 and time in i */
};
struct result { size_t n, n_col; struct result_col *col; };

/* Runs one or more statements; the last one's rows, column-wise, copied into the arena (at most max_rows,
 * else RC_TOO_LARGE). Decimals and integers beyond 64 bits come as COL_F64. Errors of the SQL itself are RC_INVALID
 * with DuckDB's message. */
enum rc query_run(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e) MUST_USE;
/* As query_run for a text by us, with no more of a user's in it than quoted names and texts: the sandbox does not judge its
 * names again (its other locks stay). */
enum rc query_run_ours(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e) MUST_USE;
/* Statements by us; refused in the sandbox unless SELECT. n_changed may be NULL. */
enum rc query_exec(struct query *q, str sql, int64_t *n_changed, struct err *e) MUST_USE;
/* Column names and types of a SELECT without running it; sql_type is DuckDB's full name ("DECIMAL(9,2)"). */
enum rc query_describe(struct query *q, str sql, struct arena *a, struct col **out, size_t *n_out, struct err *e) MUST_USE;
/* COPY (sql) TO path (Parquet, zstd); path by us. n_rows may be NULL. */
enum rc query_to_parquet(struct query *q, str sql, str path, int64_t *n_rows, struct err *e) MUST_USE;
/* From any thread: the running statement ends with RC_CANCELLED, and so does every later one of this session. */
void query_interrupt(struct query *q);

/* --- rows from C into a table of the session (before the sandbox) ---------------------------------- */

/* Makes the table and fills it. A row is its columns in order, each by the call of its type (COL_TIME: microseconds by
 * query_append_i64), then query_append_row.
 * Freed by query_append_end, which must be called once for each begin, also after an error, before the session closes. */
struct query_append;
enum rc query_append_begin(struct query *q, str table, const struct col *col, size_t n_col, struct query_append **out,
			   struct err *e) MUST_USE;
void query_append_i64(struct query_append *p, int64_t v);
void query_append_f64(struct query_append *p, double v);
void query_append_bool(struct query_append *p, bool v);
void query_append_text(struct query_append *p, str v);      /* valid UTF-8; copied */
void query_append_null(struct query_append *p);
enum rc query_append_row(struct query_append *p, struct err *e) MUST_USE;
enum rc query_append_end(struct query_append **slot, struct err *e) MUST_USE;

str query_quote_name(struct arena *a, str name);     /* "x""y" */
str query_quote_text(struct arena *a, str text);     /* 'x''y' */

#endif
