/* db.c -- reader pool, group commit, migrations and leases over either engine.
 *
 * The committer: callers put themselves on a queue and sleep. The one committer thread takes the whole queue, runs each
 * member's function in one transaction, each under a savepoint when there are several, commits, and wakes them all. While
 * it waits for the disk the next group gathers, so the busier the database is, the more share each sync. */
#include "io/db_int.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/vec.h"

#define READERS_MAX 8
#define GROUP_MAX 512

struct write_op {
	db_fn *fn;
	void *ctx;
	struct err *e;
	enum rc rc;
	bool done;
	struct write_op *next;
};

struct db {
	const struct db_driver *driver;
	char *target;

	pthread_mutex_t read_mtx;       /* guards the pool */
	pthread_cond_t read_free;
	struct conn *idle[READERS_MAX];
	size_t n_idle, n_readers;

	pthread_mutex_t write_mtx;      /* guards queue, stats and stop */
	pthread_cond_t write_more, write_done;
	struct write_op *head, **tail;
	struct db_stats stats;
	bool stop;

	/* the committer thread only */
	pthread_t committer;
	struct conn *writer;
};

static void *committer_main(void *arg);

static bool parse_url(str url, const struct db_driver **driver, str *target)
{
	if (str_starts(url, STR("sqlite:"))) {
		*driver = &db_sqlite_driver;
		*target = str_skip(url, strlen("sqlite:"));
		return target->len > 0;
	}
	*driver = &db_postgres_driver;
	*target = url;
	return str_starts(url, STR("postgresql://")) || str_starts(url, STR("postgres://"));
}

enum rc db_open(str url, struct db **out, struct err *e)
{
	const struct db_driver *driver;
	str target;

	if (!parse_url(url, &driver, &target))
		return FAIL(e, RC_INVALID, "database: expected sqlite:PATH or postgresql://…");
	struct db *db = calloc(1, sizeof(*db));
	CHECK(db != NULL);
	db->driver = driver;
	db->target = calloc(1, target.len + 1);
	CHECK(db->target != NULL);
	memcpy(db->target, target.at, target.len);
	if (driver->connect(db->target, false, &db->writer, e) != RC_OK) {
		free(db->target);
		free(db);
		return e->rc;
	}
	db->tail = &db->head;
	pthread_mutex_init(&db->read_mtx, NULL);
	pthread_cond_init(&db->read_free, NULL);
	pthread_mutex_init(&db->write_mtx, NULL);
	pthread_cond_init(&db->write_more, NULL);
	pthread_cond_init(&db->write_done, NULL);
	CHECK(pthread_create(&db->committer, NULL, committer_main, db) == 0);
	*out = db;
	return RC_OK;
}

void db_close(struct db **slot)
{
	struct db *db = *slot;

	*slot = NULL;
	if (db == NULL)
		return;
	pthread_mutex_lock(&db->write_mtx);
	db->stop = true;
	pthread_cond_broadcast(&db->write_more);
	pthread_mutex_unlock(&db->write_mtx);
	pthread_join(db->committer, NULL);
	for (size_t i = 0; i < db->n_idle; i++)
		db->driver->disconnect(db->idle[i]);
	if (db->writer != NULL)
		db->driver->disconnect(db->writer);
	pthread_mutex_destroy(&db->read_mtx);
	pthread_cond_destroy(&db->read_free);
	pthread_mutex_destroy(&db->write_mtx);
	pthread_cond_destroy(&db->write_more);
	pthread_cond_destroy(&db->write_done);
	free(db->target);
	free(db);
}

enum db_kind db_kind(const struct db *db) { return db->driver->kind; }
enum db_kind tx_kind(const struct tx *tx) { return tx->driver->kind; }

/* --- statements ---------------------------------------------------------------------------------- */

static enum rc check_values(const struct val *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind != VAL_TEXT || v[i].s.len == 0)
			continue;
		if (str_find_char(v[i].s, '\0') >= 0)
			return FAIL(e, RC_INVALID, "text for the database must not hold a NUL character");
		if (!str_is_utf8(v[i].s))
			return FAIL(e, RC_INVALID, "text for the database must be UTF-8");
	}
	return RC_OK;
}

enum rc db_exec(struct tx *tx, const char *sql, const struct val *v, size_t n, int64_t *n_changed, struct err *e)
{
	TRY(check_values(v, n, e));
	return tx->driver->run(tx->conn, sql, v, n, NULL, n_changed, e);
}

enum rc db_each(struct tx *tx, const char *sql, const struct val *v, size_t n, row_fn *fn, void *ctx, struct err *e)
{
	const struct row_sink sink = { .row = fn, .ctx = ctx };

	TRY(check_values(v, n, e));
	return tx->driver->run(tx->conn, sql, v, n, &sink, NULL, e);
}

struct gather {
	struct arena *a;
	struct rows out;
	size_t cap;
};

static enum rc gather_columns(void *ctx, const str *name, size_t n, struct err *e)
{
	struct gather *g = ctx;
	str *col = ARENA_ARRAY(g->a, str, n);

	(void)e;
	for (size_t i = 0; i < n; i++)
		col[i] = arena_dup(g->a, name[i]);
	g->out.col = col;
	g->out.n_col = n;
	return RC_OK;
}

static enum rc gather_row(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct gather *g = ctx;

	if (g->out.n == LIMIT_ROWS)
		return FAIL(e, RC_TOO_LARGE, "more than %d rows; ask for fewer", LIMIT_ROWS);
	if (g->out.n == g->cap) {
		size_t cap = g->cap > 0 ? g->cap * 2 : 16;
		struct val *grown = ARENA_ARRAY(g->a, struct val, cap * n_col);
		if (g->out.n > 0)
			memcpy(grown, g->out.cell, g->out.n * n_col * sizeof(*grown));
		g->out.cell = grown;
		g->cap = cap;
	}
	for (size_t i = 0; i < n_col; i++) {
		struct val v = row[i];
		if (v.kind == VAL_TEXT)
			v.s = arena_dup(g->a, v.s);
		g->out.cell[g->out.n * n_col + i] = v;
	}
	g->out.n++;
	return RC_OK;
}

enum rc db_query(struct tx *tx, struct arena *a, const char *sql, const struct val *v, size_t n, struct rows *out, struct err *e)
{
	struct gather g = { .a = a };
	const struct row_sink sink = { .columns = gather_columns, .row = gather_row, .ctx = &g };

	TRY(check_values(v, n, e));
	TRY(tx->driver->run(tx->conn, sql, v, n, &sink, NULL, e));
	*out = g.out;
	return RC_OK;
}

/* --- reading ------------------------------------------------------------------------------------- */

static enum rc reader_take(struct db *db, struct conn **out, struct err *e)
{
	pthread_mutex_lock(&db->read_mtx);
	while (db->n_idle == 0 && db->n_readers == READERS_MAX)
		pthread_cond_wait(&db->read_free, &db->read_mtx);
	struct conn *c = db->n_idle > 0 ? db->idle[--db->n_idle] : NULL;
	db->n_readers += c == NULL;
	pthread_mutex_unlock(&db->read_mtx);
	if (c == NULL && db->driver->connect(db->target, true, &c, e) != RC_OK) {
		pthread_mutex_lock(&db->read_mtx);
		db->n_readers--;
		pthread_cond_signal(&db->read_free);
		pthread_mutex_unlock(&db->read_mtx);
		return e->rc;
	}
	*out = c;
	return RC_OK;
}

static void reader_give(struct db *db, struct conn *c)
{
	bool lost = db->driver->lost(c);

	if (lost)
		db->driver->disconnect(c);
	pthread_mutex_lock(&db->read_mtx);
	if (lost)
		db->n_readers--;
	else
		db->idle[db->n_idle++] = c;
	pthread_cond_signal(&db->read_free);
	pthread_mutex_unlock(&db->read_mtx);
}

enum rc db_read(struct db *db, db_fn *fn, void *ctx, struct err *e)
{
	struct err end_e = ERR_INIT;
	struct conn *c = NULL;

	TRY(reader_take(db, &c, e));
	struct tx tx = { .driver = db->driver, .conn = c };
	enum rc rc = db->driver->run(c, db->driver->begin_read, NO_VALS, NULL, NULL, e);
	if (rc == RC_OK) {
		rc = fn(&tx, ctx, e);
		/* Nothing was written: how the transaction ends does not matter to the caller. */
		(void)(db->driver->run(c, "ROLLBACK", NO_VALS, NULL, NULL, &end_e) == RC_OK);
	}
	reader_give(db, c);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------------- */

enum rc db_write(struct db *db, db_fn *fn, void *ctx, struct err *e)
{
	struct write_op op = { .fn = fn, .ctx = ctx, .e = e };

	pthread_mutex_lock(&db->write_mtx);
	if (db->stop) {
		pthread_mutex_unlock(&db->write_mtx);
		return FAIL(e, RC_UNAVAILABLE, "the database is closing");
	}
	*db->tail = &op;
	db->tail = &op.next;
	db->stats.waiting++;
	pthread_cond_signal(&db->write_more);
	while (!op.done)
		pthread_cond_wait(&db->write_done, &db->write_mtx);
	pthread_mutex_unlock(&db->write_mtx);
	return op.rc;
}

static enum rc plain(struct db *db, const char *sql, struct err *e)
{
	return db->driver->run(db->writer, sql, NO_VALS, NULL, NULL, e);
}

/* One member of a group: what it wrote goes if it fails, the others' stays. */
static void run_member(struct db *db, struct write_op *op)
{
	struct tx tx = { .driver = db->driver, .conn = db->writer };
	struct err undo = ERR_INIT;

	op->rc = plain(db, "SAVEPOINT member", op->e);
	if (op->rc != RC_OK)
		return;
	op->rc = op->fn(&tx, op->ctx, op->e);
	if (op->rc == RC_OK) {
		op->rc = plain(db, "RELEASE SAVEPOINT member", op->e);
		return;
	}
	if (plain(db, "ROLLBACK TO SAVEPOINT member", &undo) != RC_OK || plain(db, "RELEASE SAVEPOINT member", &undo) != RC_OK)
		op->rc = FAIL(op->e, RC_INTERNAL, "%s", undo.msg);
}

static enum rc reconnect(struct db *db, struct err *e)
{
	if (db->writer != NULL && !db->driver->lost(db->writer))
		return RC_OK;
	if (db->writer != NULL)
		db->driver->disconnect(db->writer);
	db->writer = NULL;
	return db->driver->connect(db->target, false, &db->writer, e);
}

static void fail_group(struct write_op *group, const struct err *e)
{
	for (struct write_op *op = group; op != NULL; op = op->next) {
		if (op->rc == RC_OK) {
			*op->e = *e;
			op->rc = e->rc;
		}
	}
}

static void run_group(struct db *db, struct write_op *group)
{
	struct err e = ERR_INIT, ignored = ERR_INIT;
	size_t n_good = 0;

	if (reconnect(db, &e) != RC_OK || plain(db, db->driver->begin_write, &e) != RC_OK) {
		fail_group(group, &e);
		return;
	}
	for (struct write_op *op = group; op != NULL; op = op->next) {
		run_member(db, op);
		n_good += op->rc == RC_OK;
	}
	bool lost = db->driver->lost(db->writer);
	if (!lost && n_good > 0 && plain(db, "COMMIT", &e) == RC_OK)
		return;
	if (n_good > 0) {
		if (db->driver->lost(db->writer))
			(void)FAIL(&e, RC_UNAVAILABLE, "the connection to the database broke while committing: the change may or may not "
						       "be there; look before trying again");
		fail_group(group, &e);
	}
	if (!db->driver->lost(db->writer))
		(void)(plain(db, "ROLLBACK", &ignored) == RC_OK);   /* some engines have rolled back already */
}

static struct write_op *take_group(struct db *db, struct write_op **last)
{
	struct write_op *group = db->head, *op = group;

	for (size_t n = 1; op->next != NULL && n < GROUP_MAX; n++)
		op = op->next;
	db->head = op->next;
	if (db->head == NULL)
		db->tail = &db->head;
	op->next = NULL;
	*last = op;
	return group;
}

static void *committer_main(void *arg)
{
	struct db *db = arg;
	struct write_op *last;

	pthread_mutex_lock(&db->write_mtx);
	for (;;) {
		while (db->head == NULL && !db->stop)
			pthread_cond_wait(&db->write_more, &db->write_mtx);
		if (db->head == NULL)
			break;
		struct write_op *group = take_group(db, &last);
		pthread_mutex_unlock(&db->write_mtx);
		run_group(db, group);
		pthread_mutex_lock(&db->write_mtx);
		db->stats.commits++;
		for (struct write_op *op = group, *next; op != NULL; op = next) {
			next = op->next;        /* op's owner may return, and its stack go, once done is seen */
			db->stats.writes++;
			db->stats.rollbacks += op->rc != RC_OK;
			db->stats.waiting--;
			op->done = true;
		}
		pthread_cond_broadcast(&db->write_done);
	}
	pthread_mutex_unlock(&db->write_mtx);
	return NULL;
}

void db_stats(const struct db *db, struct db_stats *out)
{
	/* The lock is part of the object, which is const to the caller in all else. */
	union { const pthread_mutex_t *in; pthread_mutex_t *out; } mtx = { .in = &db->write_mtx };

	pthread_mutex_lock(mtx.out);
	*out = db->stats;
	pthread_mutex_unlock(mtx.out);
}

/* --- one statement ----------------------------------------------------------------------------- */

struct one {
	struct arena *a;
	const char *sql;
	const struct val *v;
	size_t n;
	struct rows *rows;
	int64_t *n_changed;
};

static enum rc one_query(struct tx *tx, void *ctx, struct err *e)
{
	const struct one *o = ctx;

	return db_query(tx, o->a, o->sql, o->v, o->n, o->rows, e);
}

static enum rc one_exec(struct tx *tx, void *ctx, struct err *e)
{
	const struct one *o = ctx;

	return db_exec(tx, o->sql, o->v, o->n, o->n_changed, e);
}

enum rc db_query1(struct db *db, struct arena *a, const char *sql, const struct val *v, size_t n, struct rows *out, struct err *e)
{
	return db_read(db, one_query, &(struct one){ .a = a, .sql = sql, .v = v, .n = n, .rows = out }, e);
}

enum rc db_exec1(struct db *db, const char *sql, const struct val *v, size_t n, int64_t *n_changed, struct err *e)
{
	return db_write(db, one_exec, &(struct one){ .sql = sql, .v = v, .n = n, .n_changed = n_changed }, e);
}

enum rc db_health(struct db *db, struct err *e)
{
	struct arena a;
	struct rows rows;

	arena_init(&a);
	enum rc rc = db_query1(db, &a, "SELECT 1", NO_VALS, &rows, e);
	arena_deinit(&a);
	return rc;
}

/* --- migrations and leases ---------------------------------------------------------------------- */

struct migrating {
	const char *module;
	const struct migration *m;
	size_t n;
};

/* SQLite sees what stands in a comment that begins with its name; to others it stays a comment. */
static str for_engine(const struct tx *tx, str sql, struct arena *a)
{
	static const char open[] = "/*sqlite:";
	ptrdiff_t from = str_find(sql, str_of(open));

	if (tx->driver->kind != DB_SQLITE || from < 0)
		return sql;
	str inner = str_skip(sql, (size_t)from + strlen(open));
	ptrdiff_t len = str_find(inner, STR("*/"));
	CHECK(len >= 0);
	str rest = for_engine(tx, str_skip(inner, (size_t)len + 2), a);
	return arena_printf(a, STR_FMT STR_FMT STR_FMT, STR_ARG(str_head(sql, (size_t)from)), STR_ARG(str_head(inner, (size_t)len)),
			    STR_ARG(rest));
}

static enum rc run_script(struct tx *tx, const char *script, struct err *e)
{
	struct arena a;
	str rest = str_of(script);
	enum rc rc = RC_OK;

	arena_init(&a);
	while (rc == RC_OK && rest.len > 0) {
		ptrdiff_t at = str_find(rest, STR(";\n"));
		str one = at >= 0 ? str_head(rest, (size_t)at) : rest;
		rest = at >= 0 ? str_skip(rest, (size_t)at + 2) : STR_NONE;
		if (str_trim(one).len > 0)
			rc = db_exec(tx, arena_cstr(&a, for_engine(tx, one, &a)), NO_VALS, NULL, e);
	}
	arena_deinit(&a);
	return rc;
}

static enum rc migrate_tx(struct tx *tx, void *ctx, struct err *e)
{
	const struct migrating *g = ctx;
	struct arena a;
	struct rows rows;

	TRY(db_exec(tx,
		    "CREATE TABLE IF NOT EXISTS cairn_migrations (module TEXT NOT NULL, number BIGINT NOT NULL,"
		    " applied_ms BIGINT NOT NULL, PRIMARY KEY (module, number))",
		    NO_VALS, NULL, e));
	TRY(db_exec(tx,
		    "CREATE TABLE IF NOT EXISTS cairn_leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ms BIGINT NOT NULL)",
		    NO_VALS, NULL, e));
	arena_init(&a);
	enum rc rc = db_query(tx, &a, "SELECT COALESCE(MAX(number), 0) FROM cairn_migrations WHERE module = ?",
			      VALS(V_CSTR(g->module)), &rows, e);
	int64_t have = rc == RC_OK ? rows_at(&rows, 0, 0)->i : 0;
	arena_deinit(&a);
	TRY(rc);
	if (have > (g->n > 0 ? g->m[g->n - 1].number : 0))
		return FAIL(e, RC_CONFLICT, "the database was written by a newer cairn (%s is at migration %lld)", g->module, (long long)have);
	for (size_t i = 0; i < g->n; i++) {
		CHECK(i == 0 || g->m[i].number == g->m[i - 1].number + 1);
		if (g->m[i].number <= have)
			continue;
		if (run_script(tx, g->m[i].sql, e) != RC_OK)
			return err_wrap(e, "migration %d of %s", g->m[i].number, g->module);
		TRY(db_exec(tx, "INSERT INTO cairn_migrations (module, number, applied_ms) VALUES (?, ?, ?)",
			    VALS(V_CSTR(g->module), V_I64(g->m[i].number), V_I64(clock_ms())), NULL, e));
	}
	return RC_OK;
}

enum rc db_migrate(struct db *db, const char *module, const struct migration *m, size_t n, struct err *e)
{
	return db_write(db, migrate_tx, &(struct migrating){ .module = module, .m = m, .n = n }, e);
}

enum rc db_lease(struct db *db, str name, str holder, int64_t ttl_ms, bool *got, struct err *e)
{
	int64_t changed = 0, now = clock_ms();

	TRY(db_exec1(db,
		     "INSERT INTO cairn_leases (name, holder, until_ms) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
		     " SET holder = excluded.holder, until_ms = excluded.until_ms"
		     " WHERE cairn_leases.holder = excluded.holder OR cairn_leases.until_ms < ?",
		     VALS(V_STR(name), V_STR(holder), V_I64(now + ttl_ms), V_I64(now)), &changed, e));
	*got = changed > 0;
	return RC_OK;
}

/* --- placeholders --------------------------------------------------------------------------------- */

/* The end of a quoted run that begins at p; a doubled quote goes on. */
static const char *quoted_end(const char *p)
{
	char q = *p++;

	for (; *p != '\0'; p++) {
		if (*p != q)
			continue;
		if (p[1] != q)
			return p + 1;
		p++;
	}
	return p;
}

static const char *comment_end(const char *p)
{
	const char *end = p[0] == '-' ? strchr(p, '\n') : strstr(p + 2, "*/");

	if (end == NULL)
		return p + strlen(p);
	return p[0] == '-' ? end : end + 2;
}

bool db_number_placeholders(const char *sql, struct buf *out)
{
	int number = 0;

	for (const char *p = sql; *p != '\0';) {
		const char *next = p + 1;
		if (*p == '\'' || *p == '"')
			next = quoted_end(p);
		else if ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*'))
			next = comment_end(p);
		if (*p == '?' && next == p + 1)
			buf_addf(out, "$%d", ++number);
		else
			buf_add(out, str_n(p, (size_t)(next - p)));
		p = next;
	}
	return !out->overflowed;
}
