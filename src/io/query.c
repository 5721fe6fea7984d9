/* query.c -- sessions and statements of DuckDB.
 *
 * Each session is an instance of its own, because what makes a sandbox (enable_external_access, allowed_paths,
 * lock_configuration) are settings of an instance; opening one takes about 9 ms, and closing gives all memory back.
 *
 * A statement is driven by duckdb_pending_execute_task on the caller's thread, which is where interrupts and time
 * limits are seen; duckdb_interrupt alone is forgotten when it comes between two statements. */
#ifdef CAIRN_HAVE_DUCKDB

#include "io/query_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "io/fs.h"

/* --- errors ---------------------------------------------------------------------------------- */

/* DuckDB's messages begin with their kind. */
static const struct { const char *prefix; enum rc rc; } duck_errors[] = {
	{ "Permission Error", RC_FORBIDDEN },
	{ "INTERRUPT Error", RC_CANCELLED },
	{ "IO Error", RC_IO },
	{ "HTTP Error", RC_IO },
	{ "Out of Memory Error", RC_TOO_LARGE },
	{ "INTERNAL Error", RC_INTERNAL },
	{ "FATAL Error", RC_INTERNAL },
	{ "TransactionContext Error", RC_INTERNAL },
};

/* "LINE 3: SELECT …": the number, unless it is the first line, which goes without saying. */
static str excerpt_line(str excerpt)
{
	ptrdiff_t at = str_find(excerpt, STR("LINE "));
	size_t n = 0;

	if (at < 0)
		return STR("");
	str s = str_skip(excerpt, (size_t)at + 5);
	while (n < s.len && n < 6 && s.at[n] >= '0' && s.at[n] <= '9')
		n++;
	str line = str_head(s, n);
	return str_eq(line, STR("1")) ? STR("") : line;
}

enum rc query__fail(struct err *e, const char *message)
{
	str m = str_trim(str_of(message != NULL ? message : "unknown error"));
	enum rc rc = RC_INVALID;
	char flat[400];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(duck_errors); i++) {
		if (str_starts(m, str_of(duck_errors[i].prefix)))
			rc = duck_errors[i].rc;
	}
	if (str_find(m, STR("No space left")) >= 0 || str_find(m, STR("max_temp_directory_size")) >= 0)
		rc = RC_NO_SPACE;
	/* The excerpt with its caret behind a blank line does not survive being put on one line; its line number does. */
	ptrdiff_t excerpt = str_find(m, STR("\n\n"));
	str line = excerpt > 0 ? excerpt_line(str_skip(m, (size_t)excerpt)) : STR("");
	if (excerpt > 0)
		m = str_head(m, (size_t)excerpt);
	for (size_t i = 0; i < m.len && n < sizeof(flat) - 1; i++)
		flat[n++] = m.at[i] == '\n' || m.at[i] == '\t' ? ' ' : m.at[i];
	while (n > 0 && ((unsigned char)flat[n - 1] & 0xc0) == 0x80 && n == sizeof(flat) - 1)
		n--;                    /* do not end inside a character */
	flat[n] = '\0';
	if (line.len > 0)
		return FAIL(e, rc, "%s (line " STR_FMT ")", flat, STR_ARG(line));
	return FAIL(e, rc, "%s", flat);
}

/* --- sessions -------------------------------------------------------------------------------- */

static enum rc open_instance(struct query *q, struct err *e)
{
	const struct duck *d = q->duck;
	char memory[32], threads[32], spill[32];
	const char *set[][2] = {
		{ "threads", threads },
		{ "memory_limit", memory },
		{ "temp_directory", q->scratch },
		{ "max_temp_directory_size", spill },
		{ "autoinstall_known_extensions", "false" },
		{ "autoload_known_extensions", "false" },
		{ "allow_community_extensions", "false" },
	};
	duckdb_config cfg = NULL;
	char *why = NULL;

	(void)snprintf(threads, sizeof(threads), "%u", q->engine->threads);
	(void)snprintf(memory, sizeof(memory), "%uMiB", q->grant_mb);
	(void)snprintf(spill, sizeof(spill), "%uMiB", q->engine->spill_mb);
	if (d->create_config(&cfg) != DuckDBSuccess)
		return FAIL(e, RC_INTERNAL, "DuckDB gave no configuration");
	for (size_t i = 0; i < ARRAY_LEN(set); i++) {
		if (d->set_config(cfg, set[i][0], set[i][1]) != DuckDBSuccess) {
			d->destroy_config(&cfg);
			return FAIL(e, RC_INTERNAL, "DuckDB refused the setting %s=%s", set[i][0], set[i][1]);
		}
	}
	duckdb_state state = d->open_ext(NULL, &q->db, cfg, &why);
	d->destroy_config(&cfg);
	if (state != DuckDBSuccess) {
		(void)query__fail(e, why);
		d->free(why);
		return err_wrap(e, "opening DuckDB");
	}
	if (d->connect(q->db, &q->con) != DuckDBSuccess)
		return FAIL(e, RC_INTERNAL, "DuckDB gave no connection");
	return query_exec(q, STR("SET TimeZone = 'UTC'"), NULL, e);
}

enum rc query_open(struct query_engine *g, struct query **out, struct err *e)
{
	char id[ID_TEXT_MAX];
	uint32_t mb = 0;

	OBJ_CHECK(g, QUERY_ENGINE_MAGIC);
	TRY(query__grant(g, &mb, e));
	struct query *q = calloc(1, sizeof(*q));
	CHECK(q != NULL);
	q->magic = QUERY_MAGIC;
	q->engine = g;
	q->duck = &g->duck;
	q->grant_mb = mb;
	arena_init(&q->arena);
	arena_init(&q->admitted_arena);
	id_put(id, "");
	int n = snprintf(q->scratch, sizeof(q->scratch), "%s/" QUERY_SCRATCH_PREFIX "%s", g->tmp_dir, id);
	enum rc rc = n > 0 && (size_t)n < sizeof(q->scratch) ? fs_mkdirs(q->scratch, 0700, e)
							      : FAIL(e, RC_INVALID, "the data directory's path is too long");
	if (rc == RC_OK)
		rc = open_instance(q, e);
	if (rc != RC_OK) {
		query_close(&q);
		return rc;
	}
	*out = q;
	return RC_OK;
}

void query_close(struct query **slot)
{
	struct query *q = *slot;
	struct err e = ERR_INIT;

	*slot = NULL;
	if (q == NULL)
		return;
	OBJ_CHECK(q, QUERY_MAGIC);
	if (q->con != NULL)
		q->duck->disconnect(&q->con);
	if (q->db != NULL)
		q->duck->close(&q->db);
	if (fs_remove_tree(q->scratch, &e) != RC_OK)    /* swept at the next start */
		LOG(WARN, "query.scratch", KV_ERR(&e));
	struct query_engine *g = q->engine;
	uint32_t mb = q->grant_mb;
	arena_deinit(&q->arena);
	arena_deinit(&q->admitted_arena);
	q->magic = 0;
	free(q);
	query__give_back(g, mb);
}

const char *query_scratch(const struct query *q)
{
	OBJ_CHECK(q, QUERY_MAGIC);
	return q->scratch;
}

void query_time_limit(struct query *q, uint32_t ms)
{
	OBJ_CHECK(q, QUERY_MAGIC);
	q->limit_ms = ms;
}

void query_interrupt(struct query *q)
{
	OBJ_CHECK(q, QUERY_MAGIC);
	atomic_store(&q->interrupted, true);
	q->duck->interrupt(q->con);
}

/* --- running one prepared statement ------------------------------------------------------------- */

static enum rc stopped(const struct query *q, bool late, struct err *e)
{
	if (late)
		return FAIL(e, RC_TIMEOUT, "the statement ran longer than %u ms and was stopped", q->limit_ms);
	return FAIL(e, RC_CANCELLED, "cancelled");
}

/* Drives the statement to its end on this thread; true in *late when the time limit stopped it. */
static duckdb_pending_state drive(struct query *q, duckdb_pending_result p, bool *late)
{
	uint64_t until = q->limit_ms > 0 ? clock_ns() + (uint64_t)q->limit_ms * 1000000 : UINT64_MAX;

	for (;;) {
		duckdb_pending_state s = q->duck->pending_execute_task(p);
		if (s == DUCKDB_PENDING_RESULT_READY || s == DUCKDB_PENDING_ERROR)
			return s;
		*late = *late || clock_ns() > until;
		if (*late || atomic_load(&q->interrupted))
			q->duck->interrupt(q->con);
		if (s == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
			const struct timespec nap = { .tv_nsec = 50000 };
			nanosleep(&nap, NULL);
		}
	}
}

/* On success *r is the caller's to destroy. */
static enum rc run_prepared(struct query *q, duckdb_prepared_statement st, duckdb_result *r, struct err *e)
{
	const struct duck *d = q->duck;
	duckdb_pending_result p = NULL;
	bool late = false;
	enum rc rc = RC_OK;

	if (atomic_load(&q->interrupted))
		return stopped(q, false, e);
	if (d->pending_prepared(st, &p) != DuckDBSuccess) {
		rc = query__fail(e, d->pending_error(p));
	} else if (drive(q, p, &late) == DUCKDB_PENDING_ERROR) {
		rc = query__fail(e, d->pending_error(p));
	} else if (d->execute_pending(p, r) != DuckDBSuccess) {
		rc = query__fail(e, d->result_error(r));
		d->destroy_result(r);
	}
	d->destroy_pending(&p);
	if (rc == RC_CANCELLED)
		return stopped(q, late, e);
	return rc;
}

static enum rc prepare(struct query *q, str sql, duckdb_prepared_statement *out, struct err *e)
{
	struct arena a;

	arena_init(&a);
	duckdb_state state = q->duck->prepare(q->con, arena_cstr(&a, sql), out);
	arena_deinit(&a);
	if (state != DuckDBSuccess) {
		(void)query__fail(e, q->duck->prepare_error(*out));
		q->duck->destroy_prepare(out);
		return e->rc;
	}
	return RC_OK;
}

/* One statement by us, with what is bound to its one parameter if text is given. */
enum rc query__run_own(struct query *q, str sql, const str *param, duckdb_result *r, struct err *e)
{
	duckdb_prepared_statement st = NULL;

	TRY(prepare(q, sql, &st, e));
	enum rc rc = RC_OK;
	if (param != NULL && q->duck->bind_varchar_length(st, 1, param->at, param->len) != DuckDBSuccess)
		rc = FAIL(e, RC_INTERNAL, "binding a parameter failed");
	if (rc == RC_OK)
		rc = run_prepared(q, st, r, e);
	q->duck->destroy_prepare(&st);
	return rc;
}

static enum rc exec_own(struct query *q, str sql, struct err *e)
{
	duckdb_result r;

	TRY(query__run_own(q, sql, NULL, &r, e));
	q->duck->destroy_result(&r);
	return RC_OK;
}

/* --- SQL of users ------------------------------------------------------------------------------- */

/* Judging takes about as long as a small query, so a text that was just admitted is known again. */
static enum rc admit(struct query *q, str sql, struct err *e)
{
	if (!q->sandboxed || (q->admitted.len > 0 && str_eq(q->admitted, sql)))
		return RC_OK;
	TRY(query_check(q, sql, e));
	arena_clear(&q->admitted_arena);
	q->admitted = arena_dup(&q->admitted_arena, sql);
	return RC_OK;
}

/* A SELECT that shall stand in parentheses: without its semicolon, and a line comment at its end cannot swallow what
 * follows because a line end does. */
static str inner(str sql)
{
	str s = str_trim(sql);

	while (s.len > 0 && s.at[s.len - 1] == ';')
		s = str_trim(str_head(s, s.len - 1));
	return s;
}

/* --- statements ---------------------------------------------------------------------------------- */

enum rc query_sandbox(struct query *q, struct err *e)
{
	struct buf b = BUF_INIT(16u << 20);
	struct arena a;

	OBJ_CHECK(q, QUERY_MAGIC);
	CHECK(!q->sandboxed);
	arena_init(&a);
	str dir = query_quote_text(&a, str_of(q->scratch));
	buf_addf(&b, "SET allowed_directories = [" STR_FMT "];\nSET allowed_paths = [", STR_ARG(dir));
	for (size_t i = 0; i < q->bound.n; i++) {
		buf_add(&b, i > 0 ? STR(", ") : STR(""));
		buf_add(&b, query_quote_text(&a, q->bound.at[i]));
	}
	buf_add(&b, STR("];\nSET enable_external_access = false;\nSET lock_configuration = true"));
	enum rc rc = b.overflowed ? FAIL(e, RC_TOO_LARGE, "too many inputs") : query_exec(q, buf_str(&b), NULL, e);
	q->sandboxed = rc == RC_OK;
	buf_deinit(&b);
	arena_deinit(&a);
	return rc;
}

static bool in_scratch(const struct query *q, str path)
{
	str dir = str_of(q->scratch);

	return str_starts(path, dir) && path.len > dir.len && path.at[dir.len] == '/';
}

enum rc query_bind_parquet(struct query *q, str name, str path, struct err *e)
{
	struct arena a;

	OBJ_CHECK(q, QUERY_MAGIC);
	CHECK(!q->sandboxed || in_scratch(q, path));
	*VEC_PUSH(&q->arena, &q->bound) = arena_dup(&q->arena, path);
	arena_init(&a);
	str n = query_quote_name(&a, name), p = query_quote_text(&a, path);
	str sql = arena_printf(&a, "CREATE VIEW " STR_FMT " AS SELECT * FROM read_parquet(" STR_FMT ")", STR_ARG(n), STR_ARG(p));
	enum rc rc = exec_own(q, sql, e);
	arena_deinit(&a);
	return rc;
}

enum rc query_define(struct query *q, str name, str select, bool keep, struct err *e)
{
	struct arena a;

	OBJ_CHECK(q, QUERY_MAGIC);
	TRY(admit(q, select, e));
	arena_init(&a);
	str n = query_quote_name(&a, name), s = inner(select);
	str sql = arena_printf(&a, "CREATE %s " STR_FMT " AS (" STR_FMT "\n)", keep ? "TABLE" : "VIEW", STR_ARG(n), STR_ARG(s));
	enum rc rc = exec_own(q, sql, e);
	arena_deinit(&a);
	return rc;
}

/* The same SELECT with every column cast to a type that is read directly; STR_NONE when all are. */
static str wrap(struct query *q, duckdb_prepared_statement st, str sql, struct arena *a)
{
	struct buf b = BUF_INIT(QUERY_SQL_MAX);
	size_t n = q->duck->prepared_statement_column_count(st);
	bool needed = false;
	str s = inner(sql);

	buf_add(&b, STR("SELECT "));
	for (size_t c = 0; c < n; c++) {
		duckdb_type t = q->duck->prepared_statement_column_type(st, c);
		enum col_type as = query__col(t, STR_NONE).type;
		const char *to = as == COL_F64 ? "DOUBLE" : as == COL_TIME ? "TIMESTAMP" : "VARCHAR";
		if (query__type_direct(t))
			buf_addf(&b, "%s#%zu", c > 0 ? ", " : "", c + 1);
		else
			buf_addf(&b, "%sCAST(#%zu AS %s)", c > 0 ? ", " : "", c + 1, to);
		needed = needed || !query__type_direct(t);
	}
	buf_addf(&b, " FROM (" STR_FMT "\n)", STR_ARG(s));
	str out = needed && !b.overflowed ? buf_to_arena(&b, a) : STR_NONE;
	buf_deinit(&b);
	return out;
}

#define QUERY_COLUMNS_MAX 4096

static void describe_prepared(struct query *q, duckdb_prepared_statement st, struct arena *a, struct result *out)
{
	out->n_col = q->duck->prepared_statement_column_count(st);
	out->col = ARENA_ARRAY(a, struct result_col, out->n_col);
	for (size_t c = 0; c < out->n_col; c++) {
		const char *name = q->duck->prepared_statement_column_name(st, c);
		out->col[c].c = query__col(q->duck->prepared_statement_column_type(st, c), arena_dup(a, str_of(name)));
		q->duck->free((void *)(uintptr_t)name);
	}
}

/* Runs every statement of `sql`, the last one's result into *r. */
static enum rc run_all(struct query *q, str sql, duckdb_result *r, struct err *e)
{
	const struct duck *d = q->duck;
	duckdb_extracted_statements all = NULL;
	enum rc rc = RC_OK;
	struct arena a;

	arena_init(&a);
	idx_t n = d->extract_statements(q->con, arena_cstr(&a, sql), &all);
	if (n == 0) {
		const char *why = d->extract_statements_error(all);
		rc = why != NULL ? query__fail(e, why) : FAIL(e, RC_INVALID, "the SQL is empty");
	}
	for (idx_t i = 0; i < n && rc == RC_OK; i++) {
		duckdb_prepared_statement st = NULL;
		if (d->prepare_extracted_statement(q->con, all, i, &st) != DuckDBSuccess)
			rc = query__fail(e, d->prepare_error(st));
		else
			rc = run_prepared(q, st, r, e);
		if (rc == RC_OK && i + 1 < n)
			d->destroy_result(r);
		d->destroy_prepare(&st);
	}
	d->destroy_extracted(&all);
	arena_deinit(&a);
	return rc;
}

enum rc query_exec(struct query *q, str sql, int64_t *n_changed, struct err *e)
{
	duckdb_result r;

	OBJ_CHECK(q, QUERY_MAGIC);
	TRY(admit(q, sql, e));
	TRY(run_all(q, sql, &r, e));
	if (n_changed != NULL)
		*n_changed = (int64_t)q->duck->rows_changed(&r);
	q->duck->destroy_result(&r);
	return RC_OK;
}

/* One SELECT is prepared alone, so that its columns can be cast; anything else runs as it stands. */
static enum rc run_castable(struct query *q, str sql, struct arena *a, struct result *names, duckdb_result *r, struct err *e)
{
	duckdb_prepared_statement st = NULL;
	struct err alone = ERR_INIT;
	str cast = STR_NONE;

	if (prepare(q, sql, &st, &alone) != RC_OK)
		return run_all(q, sql, r, e);   /* several statements, or an error that is reported then */
	if (q->duck->prepared_statement_type(st) == DUCKDB_STATEMENT_TYPE_SELECT)
		cast = wrap(q, st, sql, a);
	enum rc rc = RC_OK;
	if (cast.len == 0) {
		rc = run_prepared(q, st, r, e);
	} else {
		describe_prepared(q, st, a, names);
		rc = query__run_own(q, cast, NULL, r, e);
	}
	q->duck->destroy_prepare(&st);
	return rc;
}

static enum rc run_rows(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e)
{
	struct result names = { 0 }, rows;
	duckdb_result r;

	TRY(run_castable(q, sql, a, &names, &r, e));
	enum rc rc = query__read(q, &r, max_rows, a, &rows, e);
	q->duck->destroy_result(&r);
	if (rc != RC_OK)
		return rc;
	for (size_t c = 0; c < names.n_col; c++) {
		CHECK(names.n_col == rows.n_col);
		rows.col[c].c = names.col[c].c;
	}
	*out = rows;
	return RC_OK;
}

enum rc query_run(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e)
{
	OBJ_CHECK(q, QUERY_MAGIC);
	TRY(admit(q, sql, e));
	return run_rows(q, sql, max_rows, a, out, e);
}

enum rc query_run_ours(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e)
{
	OBJ_CHECK(q, QUERY_MAGIC);
	return run_rows(q, sql, max_rows, a, out, e);
}

enum rc query_describe(struct query *q, str sql, struct arena *a, struct col **out, size_t *n_out, struct err *e)
{
	duckdb_prepared_statement st = NULL;
	duckdb_result raw;
	struct result r, names = { 0 };

	OBJ_CHECK(q, QUERY_MAGIC);
	TRY(admit(q, sql, e));
	TRY(prepare(q, sql, &st, e));
	describe_prepared(q, st, a, &names);
	q->duck->destroy_prepare(&st);
	str s = inner(sql);
	TRY(query__run_own(q, arena_printf(a, "DESCRIBE (" STR_FMT "\n)", STR_ARG(s)), NULL, &raw, e));
	enum rc rc = query__read(q, &raw, QUERY_COLUMNS_MAX, a, &r, e);
	q->duck->destroy_result(&raw);
	if (rc != RC_OK)
		return rc;
	CHECK(r.n == names.n_col);
	struct col *col = ARENA_ARRAY(a, struct col, r.n);
	for (size_t i = 0; i < r.n; i++)
		col[i] = (struct col){ .name = names.col[i].c.name, .type = names.col[i].c.type, .sql_type = r.col[1].s[i] };
	*out = col;
	*n_out = r.n;
	return RC_OK;
}

/* --- files ----------------------------------------------------------------------------------------- */

static enum rc copy_file(const char *from, const char *to, struct err *e)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	ssize_t n = out >= 0 ? 1 : -1;

	while (n > 0)
		n = sendfile(out, in, NULL, 1u << 30);
	enum rc rc = n == 0 ? RC_OK : fs_error(e, errno, "copying to", to);
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) != 0 && rc == RC_OK)
		rc = fs_error(e, errno, "closing", to);
	return rc;
}

/* The sandbox writes only to its scratch directory; the file is then moved to where it is wanted. */
static enum rc move_file(const char *from, const char *to, struct err *e)
{
	if (rename(from, to) == 0)
		return RC_OK;
	if (errno != EXDEV)
		return fs_error(e, errno, "moving to", to);
	TRY(copy_file(from, to, e));
	return unlink(from) == 0 ? RC_OK : fs_error(e, errno, "removing", from);
}

static enum rc copy_to(struct query *q, str sql, str path, int64_t *n_rows, struct arena *a, struct err *e)
{
	bool away = q->sandboxed && !in_scratch(q, path);
	char id[ID_TEXT_MAX];
	duckdb_result r;

	id_put(id, "out");
	str to = away ? arena_printf(a, "%s/%s.parquet", q->scratch, id) : path;
	str s = inner(sql), quoted = query_quote_text(a, to);
	str copy = arena_printf(a, "COPY (" STR_FMT "\n) TO " STR_FMT " (FORMAT parquet, COMPRESSION zstd)", STR_ARG(s),
				STR_ARG(quoted));
	TRY(query__run_own(q, copy, NULL, &r, e));
	if (n_rows != NULL)
		*n_rows = (int64_t)q->duck->rows_changed(&r);
	q->duck->destroy_result(&r);
	return away ? move_file(arena_cstr(a, to), arena_cstr(a, path), e) : RC_OK;
}

enum rc query_to_parquet(struct query *q, str sql, str path, int64_t *n_rows, struct err *e)
{
	struct arena a;

	OBJ_CHECK(q, QUERY_MAGIC);
	TRY(admit(q, sql, e));
	arena_init(&a);
	enum rc rc = copy_to(q, sql, path, n_rows, &a, e);
	arena_deinit(&a);
	return rc;
}

#endif
