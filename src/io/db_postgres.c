/* db_postgres.c -- PostgreSQL as an engine of db.c, through libpq. Statements are prepared once per connection and kept by
 * their text; parameters and results travel as text, floats with 17 digits both ways (extra_float_digits), so they are exact. */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/num.h"
#include "io/db_int.h"

#define COLUMNS_MAX 128
#define STATEMENTS_MAX 256
#define OID_BOOL 16
#define OID_INT8 20
#define OID_INT2 21
#define OID_INT4 23
#define OID_FLOAT4 700
#define OID_FLOAT8 701
#define OID_NUMERIC 1700

struct conn {
	PGconn *pg;
	struct map statements;  /* SQL text → itself, a non-NULL mark; the statement's name is s<index> */
	struct arena arena;
};

static enum rc pg_failed(struct conn *c, const PGresult *r, const char *sql, struct err *e)
{
	str state = str_of(PQresultErrorField(r, PG_DIAG_SQLSTATE));
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (PQstatus(c->pg) != CONNECTION_OK)
		return FAIL(e, RC_UNAVAILABLE, "the connection to PostgreSQL broke");
	if (str_starts(state, STR("23")))
		return FAIL(e, RC_CONFLICT, "%s", text);
	if (str_eq(state, STR("53100")))
		return FAIL(e, RC_NO_SPACE, "the database's disk is full");
	if (str_starts(state, STR("40")))
		return FAIL(e, RC_UNAVAILABLE, "the database asks to try again: %s", text);
	return FAIL(e, RC_INTERNAL, "database: %s (in: %.120s)", text != NULL ? text : "no message", sql);
}

static void pg_disconnect(struct conn *c)
{
	PQfinish(c->pg);
	map_deinit(&c->statements);
	arena_deinit(&c->arena);
	free(c);
}

static void no_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static enum rc pg_connect(const char *target, bool read_only, struct conn **out, struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	arena_init(&c->arena);
	map_init(&c->statements, NULL);
	c->pg = PQconnectdb(target);
	if (PQstatus(c->pg) != CONNECTION_OK) {
		/* libpq's text names host and reason, never the password. */
		enum rc rc = FAIL(e, RC_UNAVAILABLE, "cannot connect to PostgreSQL: %s", PQerrorMessage(c->pg));
		pg_disconnect(c);
		return rc;
	}
	PQsetNoticeProcessor(c->pg, no_notice, NULL);
	PQclear(PQexec(c->pg, read_only ? "SET extra_float_digits = 3; SET default_transaction_read_only = on"
					: "SET extra_float_digits = 3; SET synchronous_commit = on"));
	*out = c;
	return RC_OK;
}

static enum rc prepare(struct conn *c, const char *sql, size_t n, char name[24], struct err *e)
{
	char *known = map_find(&c->statements, str_of(sql));
	struct buf numbered = BUF_INIT(1u << 20);

	if (known != NULL) {
		memcpy(name, known, 24);
		return RC_OK;
	}
	memset(name, 0, 24);
	if (c->statements.n_live < STATEMENTS_MAX) {
		name[0] = 's';
		name[1 + num_put_u64(name + 1, c->statements.n)] = '\0';
	}
	if (!db_number_placeholders(sql, &numbered)) {
		buf_deinit(&numbered);
		return FAIL(e, RC_INTERNAL, "a statement is too long");
	}
	PGresult *r = PQprepare(c->pg, name, numbered.at, (int)n, NULL);
	buf_deinit(&numbered);
	enum rc rc = PQresultStatus(r) == PGRES_COMMAND_OK ? RC_OK : pg_failed(c, r, sql, e);
	PQclear(r);
	if (rc == RC_OK && name[0] != '\0') {
		char *keep = arena_alloc(&c->arena, 24);
		memcpy(keep, name, 24);
		(void)map_put(&c->statements, str_of(sql), keep);
	}
	return rc;
}

static const char *param_text(const struct val *v, struct arena *a)
{
	char *text;

	switch (v->kind) {
	case VAL_NULL:
		return NULL;
	case VAL_I64:
		text = arena_alloc(a, NUM_TEXT_MAX);
		(void)num_put_i64(text, v->i);
		return text;
	case VAL_F64:
		if (v->f != v->f)
			return "NaN";
		if (v->f > 1.7976931348623157e308 || v->f < -1.7976931348623157e308)
			return v->f > 0 ? "Infinity" : "-Infinity";
		text = arena_alloc(a, NUM_TEXT_MAX);
		(void)num_put_f64(text, v->f);
		return text;
	case VAL_TEXT:
		return arena_cstr(a, v->s);
	}
	UNREACHABLE("val kind");
}

static struct val cell(const PGresult *r, int row, int col)
{
	str text = str_n(PQgetvalue(r, row, col), (size_t)PQgetlength(r, row, col));
	struct val v = V_STR(text);
	Oid type = PQftype(r, col);

	if (PQgetisnull(r, row, col))
		return V_NULL;
	if (type == OID_BOOL)
		return V_I64(text.at[0] == 't');
	if (type == OID_INT8 || type == OID_INT4 || type == OID_INT2) {
		v.kind = VAL_I64;
		CHECK(str_to_i64(text, &v.i));
	} else if (type == OID_FLOAT8 || type == OID_FLOAT4 || type == OID_NUMERIC) {
		v.kind = VAL_F64;
		CHECK(str_to_f64(text, &v.f));
		/* SUM over BIGINT is NUMERIC: whole numbers stay whole. */
		if (type == OID_NUMERIC && str_to_i64(text, &v.i))
			v.kind = VAL_I64;
	}
	return v;
}

static enum rc give_rows(const PGresult *r, const struct row_sink *sink, struct err *e)
{
	struct val row[COLUMNS_MAX];
	str name[COLUMNS_MAX];
	int n_col = PQnfields(r);

	CHECK(n_col <= COLUMNS_MAX);
	for (int i = 0; i < n_col; i++)
		name[i] = str_of(PQfname(r, i));
	if (sink->columns != NULL)
		TRY(sink->columns(sink->ctx, name, (size_t)n_col, e));
	for (int k = 0; k < PQntuples(r); k++) {
		for (int i = 0; i < n_col; i++)
			row[i] = cell(r, k, i);
		TRY(sink->row(sink->ctx, row, (size_t)n_col, e));
	}
	return RC_OK;
}

static enum rc pg_run(struct conn *c, const char *sql, const struct val *v, size_t n, const struct row_sink *sink,
		      int64_t *n_changed, struct err *e)
{
	const char *param[COLUMNS_MAX * 4];
	char name[24];
	struct arena a;

	CHECK(n <= ARRAY_LEN(param));
	TRY(prepare(c, sql, n, name, e));
	arena_init(&a);
	for (size_t i = 0; i < n; i++)
		param[i] = param_text(&v[i], &a);
	PGresult *r = PQexecPrepared(c->pg, name, (int)n, param, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(r);
	enum rc rc = RC_OK;
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		rc = pg_failed(c, r, sql, e);
	else if (sink != NULL && status == PGRES_TUPLES_OK)
		rc = give_rows(r, sink, e);
	if (rc == RC_OK && n_changed != NULL) {
		str changed = str_of(PQcmdTuples(r));
		*n_changed = 0;
		if (changed.len > 0)
			CHECK(str_to_i64(changed, n_changed));
	}
	PQclear(r);
	arena_deinit(&a);
	return rc;
}

static bool pg_lost(const struct conn *c)
{
	return PQstatus(c->pg) != CONNECTION_OK;
}

const struct db_driver db_postgres_driver = {
	.kind = DB_POSTGRES,
	.connect = pg_connect,
	.disconnect = pg_disconnect,
	.run = pg_run,
	.lost = pg_lost,
	.begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	.begin_write = "BEGIN",
};
