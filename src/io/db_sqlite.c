/* db_sqlite.c -- SQLite as an engine of db.c: WAL, synchronous=FULL, prepared statements kept by their text. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "io/db_int.h"

#define COLUMNS_MAX 128
#define STATEMENTS_MAX 256

struct conn {
	sqlite3 *db;
	struct map statements;  /* SQL text → sqlite3_stmt */
};

static enum rc sqlite_error(sqlite3 *db, const char *sql, struct err *e)
{
	int code = sqlite3_extended_errcode(db);
	const char *text = sqlite3_errmsg(db);

	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return FAIL(e, RC_CONFLICT, "%s", text);
	case SQLITE_FULL:
		return FAIL(e, RC_NO_SPACE, "the database's disk is full");
	case SQLITE_IOERR:
		return FAIL(e, RC_IO, "the database cannot read or write its file: %s", text);
	case SQLITE_BUSY:
		return FAIL(e, RC_UNAVAILABLE, "the database file is locked by another process");
	case SQLITE_TOOBIG:
		return FAIL(e, RC_TOO_LARGE, "a value is too large for the database");
	default:
		return FAIL(e, RC_INTERNAL, "database: %s (in: %.120s)", text, sql);
	}
}

static void sqlite_disconnect(struct conn *c)
{
	for (size_t i = 0; i < c->statements.n; i++)
		sqlite3_finalize(c->statements.entry[i].value);
	map_deinit(&c->statements);
	sqlite3_close_v2(c->db);
	free(c);
}

static enum rc sqlite_connect(const char *target, bool read_only, struct conn **out, struct err *e)
{
	static const char setup[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
				    "PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY; PRAGMA case_sensitive_like=ON; PRAGMA journal_size_limit=67108864;";
	struct conn *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	map_init(&c->statements, NULL);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	if (sqlite3_open_v2(target, &c->db, flags, NULL) != SQLITE_OK) {
		enum rc rc = FAIL(e, RC_IO, "cannot open the database %s: %s", target, sqlite3_errmsg(c->db));
		sqlite_disconnect(c);
		return rc;
	}
	sqlite3_busy_timeout(c->db, 10000);
	if (sqlite3_exec(c->db, setup, NULL, NULL, NULL) != SQLITE_OK ||
	    (read_only && sqlite3_exec(c->db, "PRAGMA query_only=ON", NULL, NULL, NULL) != SQLITE_OK)) {
		enum rc rc = sqlite_error(c->db, setup, e);
		sqlite_disconnect(c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

static enum rc prepare(struct conn *c, const char *sql, sqlite3_stmt **out, bool *kept, struct err *e)
{
	sqlite3_stmt *s = map_find(&c->statements, str_of(sql));

	*kept = true;
	if (s == NULL) {
		if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
			return sqlite_error(c->db, sql, e);
		if (c->statements.n_live < STATEMENTS_MAX)
			(void)map_put(&c->statements, str_of(sql), s);
		else
			*kept = false;
	}
	*out = s;
	return RC_OK;
}

static int bind(sqlite3_stmt *s, const struct val *v, size_t n)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < n && code == SQLITE_OK; i++) {
		int at = (int)i + 1;
		switch (v[i].kind) {
		case VAL_NULL:
			code = sqlite3_bind_null(s, at);
			break;
		case VAL_I64:
			code = sqlite3_bind_int64(s, at, v[i].i);
			break;
		case VAL_F64:
			/* SQLite turns NaN into NULL; callers that keep NaN encode it (see tracking). */
			code = sqlite3_bind_double(s, at, v[i].f);
			break;
		case VAL_TEXT:
			code = sqlite3_bind_text64(s, at, v[i].s.at != NULL ? v[i].s.at : "", v[i].s.len, SQLITE_STATIC, SQLITE_UTF8);
			break;
		}
	}
	return code;
}

static struct val column(sqlite3_stmt *s, int i)
{
	switch (sqlite3_column_type(s, i)) {
	case SQLITE_INTEGER:
		return V_I64(sqlite3_column_int64(s, i));
	case SQLITE_FLOAT:
		return V_F64(sqlite3_column_double(s, i));
	case SQLITE_NULL:
		return V_NULL;
	default: {
		const char *text = (const char *)sqlite3_column_text(s, i);
		return V_STR(str_n(text, (size_t)sqlite3_column_bytes(s, i)));
	}
	}
}

static enum rc sink_columns(sqlite3_stmt *s, const struct row_sink *sink, size_t n, struct err *e)
{
	str name[COLUMNS_MAX];

	for (size_t i = 0; i < n; i++)
		name[i] = str_of(sqlite3_column_name(s, (int)i));
	return sink->columns != NULL ? sink->columns(sink->ctx, name, n, e) : RC_OK;
}

static enum rc step_all(struct conn *c, sqlite3_stmt *s, const char *sql, const struct row_sink *sink, struct err *e)
{
	struct val row[COLUMNS_MAX];
	size_t n = (size_t)sqlite3_column_count(s);

	CHECK(n <= COLUMNS_MAX);
	if (sink != NULL)
		TRY(sink_columns(s, sink, n, e));
	for (;;) {
		int code = sqlite3_step(s);
		if (code == SQLITE_DONE)
			return RC_OK;
		if (code != SQLITE_ROW)
			return sqlite_error(c->db, sql, e);
		if (sink == NULL)
			continue;
		for (size_t i = 0; i < n; i++)
			row[i] = column(s, (int)i);
		TRY(sink->row(sink->ctx, row, n, e));
	}
}

static enum rc sqlite_run(struct conn *c, const char *sql, const struct val *v, size_t n, const struct row_sink *sink,
			  int64_t *n_changed, struct err *e)
{
	sqlite3_stmt *s = NULL;
	bool kept;

	TRY(prepare(c, sql, &s, &kept, e));
	CHECK((size_t)sqlite3_bind_parameter_count(s) == n);
	enum rc rc = bind(s, v, n) == SQLITE_OK ? step_all(c, s, sql, sink, e) : sqlite_error(c->db, sql, e);
	if (rc == RC_OK && n_changed != NULL)
		*n_changed = sqlite3_changes64(c->db);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	if (!kept)
		sqlite3_finalize(s);
	return rc;
}

static bool sqlite_lost(const struct conn *c)
{
	(void)c;
	return false;
}

const struct db_driver db_sqlite_driver = {
	.kind = DB_SQLITE,
	.connect = sqlite_connect,
	.disconnect = sqlite_disconnect,
	.run = sqlite_run,
	.lost = sqlite_lost,
	.begin_read = "BEGIN DEFERRED",
	.begin_write = "BEGIN IMMEDIATE",
};
