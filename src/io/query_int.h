/* query_int.h -- what the files of query.h share: DuckDB's functions as resolved, a session, and running a statement.
 * query_engine.c loads the library and shares its memory out; query.c is sessions and statements; query_rows.c moves
 * rows between DuckDB and C; query_sandbox.c judges SQL of users. */
#ifndef CAIRN_IO_QUERY_INT_H
#define CAIRN_IO_QUERY_INT_H

#include <duckdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "io/query.h"

#define QUERY_PATH_SIZE 4096
#define QUERY_SQL_MAX (16u << 20)       /* of SQL that we put together around a user's (at most LIMIT_TEXT) */
#define QUERY_SCRATCH_PREFIX "query_"

#define DUCK_TABLE(X)                                                                                                       \
	X(library_version) X(create_config) X(set_config) X(destroy_config) X(open_ext) X(connect) X(disconnect) X(close)   \
	X(free) X(interrupt) X(extract_statements) X(extract_statements_error) X(prepare_extracted_statement)               \
	X(destroy_extracted) X(prepare) X(prepare_error) X(destroy_prepare) X(prepared_statement_type)                      \
	X(prepared_statement_column_count) X(prepared_statement_column_name) X(prepared_statement_column_type)              \
	X(bind_varchar_length) X(pending_prepared) X(pending_error) X(pending_execute_task) X(execute_pending)              \
	X(destroy_pending) X(result_error) X(destroy_result) X(column_count) X(column_name) X(column_type) X(fetch_chunk)   \
	X(data_chunk_get_size) X(data_chunk_get_vector) X(destroy_data_chunk) X(vector_get_data) X(vector_get_validity)     \
	X(rows_changed) X(appender_create) X(appender_error) X(append_data_chunk) X(appender_close) X(appender_destroy)     \
	X(create_data_chunk) X(create_logical_type) X(destroy_logical_type) X(data_chunk_reset) X(data_chunk_set_size)      \
	X(vector_ensure_validity_writable) X(validity_set_row_invalid) X(vector_assign_string_element_len) X(vector_size)

struct duck {
#define X(name) __typeof__(&duckdb_##name) name;
	DUCK_TABLE(X)
#undef X
};

struct query_engine {
	unsigned magic;
	char *library;                  /* configured path, or NULL */
	char tmp_dir[QUERY_PATH_SIZE];
	uint32_t threads, memory_mb, spill_mb;
	pthread_mutex_t mtx;            /* guards what follows; duck is constant once loaded */
	void *handle;
	struct duck duck;
	uint32_t granted_mb, n_sessions;
};
#define QUERY_ENGINE_MAGIC 0x71756572u

struct query {
	unsigned magic;
	struct query_engine *engine;
	const struct duck *duck;
	duckdb_database db;
	duckdb_connection con;
	uint32_t grant_mb;
	uint32_t limit_ms;
	bool sandboxed;
	atomic_bool interrupted;        /* set by any thread, never cleared */
	struct arena arena;             /* of the bound paths */
	VEC(str) bound;
	struct arena admitted_arena;
	str admitted;                   /* the text that the sandbox admitted last */
	char scratch[QUERY_PATH_SIZE];
};
#define QUERY_MAGIC 0x73657373u

/* query_engine.c: takes a session's share of memory, loading the library first; and gives it back. */
enum rc query__grant(struct query_engine *g, uint32_t *mb, struct err *e) MUST_USE;
void query__give_back(struct query_engine *g, uint32_t mb);

/* query.c: DuckDB's message as ours. Returns the code. */
enum rc query__fail(struct err *e, const char *message);
/* One statement by us, `param` bound to $1 when given. On success *r is the caller's to destroy. */
enum rc query__run_own(struct query *q, str sql, const str *param, duckdb_result *r, struct err *e) MUST_USE;

/* query_rows.c */
bool query__type_direct(duckdb_type t);                 /* read as it is; others are cast in SQL first */
struct col query__col(duckdb_type t, str name);
enum rc query__read(struct query *q, duckdb_result *r, size_t max_rows, struct arena *a, struct result *out, struct err *e) MUST_USE;

#endif
