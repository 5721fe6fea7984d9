/* test_io_db.c -- both databases behind one face: types, transactions, group commit, migrations, leases.
 *
 * PostgreSQL is the one that CAIRN_TEST_POSTGRES names (a URL; its cairn_ tables are dropped), or a cluster made for this
 * test where its programs are installed. Without either, SQLite alone is tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/db.h"
#include "io/fs.h"

struct fixture {
	char dir[64];
	str url;
	struct db *db;
	struct arena a;
	struct err e;
};

static struct { char dir[64], url[256], bin[256]; bool started; } cluster;

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		(f)->e = ERR_INIT;                                                                                          \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

/* --- a PostgreSQL of our own ----------------------------------------------------------------------- */

static bool shell(const char *fmt, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command) == 0;
}

static void cluster_start(void)
{
	const char *given = getenv("CAIRN_TEST_POSTGRES");
	const char *as = geteuid() == 0 ? "runuser -u postgres --" : "";
	glob_t g = { 0 };

	if (given != NULL && given[0] != '\0') {
		(void)snprintf(cluster.url, sizeof(cluster.url), "%s", given);
		return;
	}
	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) == 0)
		(void)snprintf(cluster.bin, sizeof(cluster.bin), "%s", g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
	if (cluster.bin[0] == '\0')
		return;
	strcpy(cluster.dir, "/tmp/cairn-pg-XXXXXX");
	assert_non_null(mkdtemp(cluster.dir));
	if (geteuid() == 0 && !shell("chown postgres %s", cluster.dir))
		return;
	cluster.started =
		shell("%s %s/initdb -D %s/data -A trust -U cairn --no-sync -E UTF8 >%s.log 2>&1", as, cluster.bin, cluster.dir, cluster.dir) &&
		shell("%s %s/pg_ctl -D %s/data -w -l %s/log -o \"-k %s -c listen_addresses='' -c fsync=off\" start >>%s.log 2>&1", as, cluster.bin,
		      cluster.dir, cluster.dir, cluster.dir, cluster.dir);
	if (cluster.started)
		(void)snprintf(cluster.url, sizeof(cluster.url), "postgresql://cairn@/postgres?host=%s", cluster.dir);
	else
		print_message("PostgreSQL could not be started; see %s.log\n", cluster.dir);
}

static int group_set_up(void **state)
{
	(void)state;
	cluster_start();
	if (cluster.url[0] == '\0')
		print_message("no PostgreSQL: SQLite alone is tested\n");
	return 0;
}

static int group_tear_down(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	if (cluster.started)
		(void)shell("%s %s/pg_ctl -D %s/data -m immediate stop >>%s.log 2>&1", geteuid() == 0 ? "runuser -u postgres --" : "", cluster.bin,
			    cluster.dir, cluster.dir);
	if (cluster.dir[0] != '\0') {
		(void)shell("rm -f %s.log", cluster.dir);
		assert_int_equal(fs_remove_tree(cluster.dir, &e), RC_OK);
	}
	return 0;
}

/* --- the fixture ------------------------------------------------------------------------------------- */

static int set_up(void **state, bool postgres)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	arena_init(&f.a);
	strcpy(f.dir, "/tmp/cairn-db-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	*state = &f;
	if (postgres && cluster.url[0] == '\0')
		return 0;
	f.url = postgres ? str_of(cluster.url) : arena_printf(&f.a, "sqlite:%s/test.db", f.dir);
	OK(&f, db_open(f.url, &f.db, &f.e));
	static const char *const drop[] = { "DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS u", "DROP TABLE IF EXISTS cairn_migrations",
					    "DROP TABLE IF EXISTS cairn_leases" };
	for (size_t i = 0; i < ARRAY_LEN(drop); i++)
		OK(&f, db_exec1(f.db, drop[i], NO_VALS, NULL, &f.e));
	OK(&f, db_exec1(f.db, "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT UNIQUE, amount DOUBLE PRECISION)", NO_VALS, NULL, &f.e));
	return 0;
}

static int set_up_sqlite(void **state) { return set_up(state, false); }
static int set_up_postgres(void **state) { return set_up(state, true); }

static int tear_down(void **state)
{
	struct fixture *f = *state;

	db_close(&f->db);
	OK(f, fs_remove_tree(f->dir, &f->e));
	arena_deinit(&f->a);
	return 0;
}

#define NEED_DB(f)                                                                                                          \
	do {                                                                                                                \
		if ((f)->db == NULL)                                                                                        \
			skip();                                                                                             \
	} while (0)

static int64_t count(struct fixture *f)
{
	struct rows r;

	OK(f, db_query1(f->db, &f->a, "SELECT COUNT(*) FROM t", NO_VALS, &r, &f->e));
	return rows_at(&r, 0, 0)->i;
}

/* --- values -------------------------------------------------------------------------------------------- */

/* All but -0.0, which SQLite stores as 0. */
static void test_values_come_back_exactly(void **state)
{
	struct fixture *f = *state;
	static const double number[] = { 0, 0.1, 1e300, 5e-324, 1.7976931348623157e308, 123456789.123456789, -1.0 / 3 };
	static const int64_t whole[] = { INT64_MIN, -1, 1, INT64_MAX };
	struct rows r;

	NEED_DB(f);
	for (size_t i = 0; i < ARRAY_LEN(number); i++)
		OK(f, db_exec1(f->db, "INSERT INTO t (id, name, amount) VALUES (?, ?, ?)", VALS(V_I64((int64_t)i), V_NULL, V_F64(number[i])), NULL, &f->e));
	OK(f, db_query1(f->db, &f->a, "SELECT id, name, amount FROM t ORDER BY id", NO_VALS, &r, &f->e));
	assert_int_equal(r.n, ARRAY_LEN(number));
	assert_true(str_eq(r.col[2], STR("amount")));
	for (size_t i = 0; i < r.n; i++) {
		assert_int_equal(rows_at(&r, i, 1)->kind, VAL_NULL);
		assert_memory_equal(&rows_at(&r, i, 2)->f, &number[i], sizeof(double));
	}
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		OK(f, db_query1(f->db, &f->a, "SELECT CAST(? AS BIGINT) AS v", VALS(V_I64(whole[i])), &r, &f->e));
		assert_int_equal(rows_at(&r, 0, 0)->kind, VAL_I64);
		assert_true(rows_at(&r, 0, 0)->i == whole[i]);
	}
	static const char tricky[] = "quotes ' \" ; -- ? $1 \\ \xc3\xa9 \xf0\x9f\x9a\x95 \n\t";
	OK(f, db_exec1(f->db, "INSERT INTO t (id, name) VALUES (?, ?)", VALS(V_I64(100), V_CSTR(tricky)), NULL, &f->e));
	OK(f, db_exec1(f->db, "INSERT INTO t (id, name) VALUES (?, ?)", VALS(V_I64(101), V_CSTR("")), NULL, &f->e));
	OK(f, db_query1(f->db, &f->a, "SELECT name FROM t WHERE name = ? AND '?' <> ?", VALS(V_CSTR(tricky), V_CSTR("x")), &r, &f->e));
	assert_int_equal(r.n, 1);
	assert_true(str_eq(rows_at(&r, 0, 0)->s, str_of(tricky)));
	OK(f, db_query1(f->db, &f->a, "SELECT name FROM t WHERE id = 101", NO_VALS, &r, &f->e));
	assert_int_equal(rows_at(&r, 0, 0)->kind, VAL_TEXT);
	assert_int_equal(rows_at(&r, 0, 0)->s.len, 0);
	assert_int_equal(db_exec1(f->db, "INSERT INTO t (id, name) VALUES (102, ?)", VALS(V_STR(STR("a\0b"))), NULL, &f->e), RC_INVALID);
	assert_int_equal(db_exec1(f->db, "INSERT INTO t (id, name) VALUES (102, ?)", VALS(V_CSTR("\xff\xfe")), NULL, &f->e), RC_INVALID);
}

static void test_errors_have_their_codes(void **state)
{
	struct fixture *f = *state;
	int64_t changed = -1;
	struct rows r;

	NEED_DB(f);
	OK(f, db_exec1(f->db, "INSERT INTO t (id, name) VALUES (1, 'a'), (2, 'b')", NO_VALS, &changed, &f->e));
	assert_int_equal(changed, 2);
	assert_int_equal(db_exec1(f->db, "INSERT INTO t (id) VALUES (1)", NO_VALS, NULL, &f->e), RC_CONFLICT);
	assert_int_equal(db_exec1(f->db, "INSERT INTO t (id, name) VALUES (3, 'a')", NO_VALS, NULL, &f->e), RC_CONFLICT);
	assert_int_equal(db_exec1(f->db, "INSERT INTO nowhere (id) VALUES (1)", NO_VALS, NULL, &f->e), RC_INTERNAL);
	assert_int_equal(db_query1(f->db, &f->a, "SELEC 1", NO_VALS, &r, &f->e), RC_INTERNAL);
	/* A reader cannot write. */
	assert_int_not_equal(db_query1(f->db, &f->a, "DELETE FROM t RETURNING id", NO_VALS, &r, &f->e), RC_OK);
	assert_int_equal(count(f), 2);
	OK(f, db_exec1(f->db, "UPDATE t SET amount = 1 WHERE id > 5", NO_VALS, &changed, &f->e));
	assert_int_equal(changed, 0);
	OK(f, db_exec1(f->db, "INSERT INTO t (id, name) VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET name = excluded.name", NO_VALS, &changed, &f->e));
	assert_int_equal(changed, 1);
	OK(f, db_health(f->db, &f->e));
}

static void test_bad_urls(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;
	const str bad[] = { STR(""), STR("sqlite:"), STR("mysql://x"), STR("/tmp/x.db") };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(db_open(bad[i], &db, &f->e), RC_INVALID);
	assert_int_equal(db_open(STR("sqlite:/no/such/dir/x.db"), &db, &f->e), RC_IO);
	assert_int_equal(db_open(STR("postgresql://nobody@127.0.0.1:1/x?connect_timeout=2"), &db, &f->e), RC_UNAVAILABLE);
	assert_null(db);
	/* A file that is no database is not taken for one. */
	str path = arena_printf(&f->a, "%s/not.db", f->dir);
	OK(f, fs_write_atomic(arena_cstr(&f->a, path), STR("this is some text and no database at all, long enough to look at....."
							   "this is some text and no database at all"), 0600, &f->e));
	assert_int_not_equal(db_open(arena_printf(&f->a, "sqlite:" STR_FMT, STR_ARG(path)), &db, &f->e), RC_OK);
	assert_null(db);
}

/* --- transactions ---------------------------------------------------------------------------------------- */

static enum rc insert_then_fail(struct tx *tx, void *ctx, struct err *e)
{
	const int64_t *id = ctx;

	TRY(db_exec(tx, "INSERT INTO t (id) VALUES (?)", VALS(V_I64(*id)), NULL, e));
	return FAIL(e, RC_GATE_FAILED, "changed my mind");
}

static enum rc insert_twice(struct tx *tx, void *ctx, struct err *e)
{
	const int64_t *id = ctx;

	TRY(db_exec(tx, "INSERT INTO t (id) VALUES (?)", VALS(V_I64(*id)), NULL, e));
	return db_exec(tx, "INSERT INTO t (id) VALUES (?)", VALS(V_I64(*id)), NULL, e);
}

static enum rc sees_own_writes(struct tx *tx, void *ctx, struct err *e)
{
	struct fixture *f = ctx;
	struct rows r;

	TRY(db_exec(tx, "INSERT INTO t (id, name) VALUES (7, 'seven')", NO_VALS, NULL, e));
	TRY(db_query(tx, &f->a, "SELECT name FROM t WHERE id = 7", NO_VALS, &r, e));
	return r.n == 1 ? RC_OK : FAIL(e, RC_INTERNAL, "own write not seen");
}

static void test_a_failed_change_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t id = 1;

	NEED_DB(f);
	assert_int_equal(db_write(f->db, insert_then_fail, &id, &f->e), RC_GATE_FAILED);
	assert_string_equal(f->e.msg, "changed my mind");
	assert_int_equal(count(f), 0);
	assert_int_equal(db_write(f->db, insert_twice, &id, &f->e), RC_CONFLICT);
	assert_int_equal(count(f), 0);
	OK(f, db_write(f->db, sees_own_writes, f, &f->e));
	assert_int_equal(count(f), 1);
}

static enum rc read_twice(struct tx *tx, void *ctx, struct err *e)
{
	struct fixture *f = ctx;
	struct rows before, after;

	TRY(db_query(tx, &f->a, "SELECT COUNT(*) FROM t", NO_VALS, &before, e));
	TRY(db_exec1(f->db, "INSERT INTO t (id) VALUES (50)", NO_VALS, NULL, e));
	TRY(db_query(tx, &f->a, "SELECT COUNT(*) FROM t", NO_VALS, &after, e));
	return rows_at(&before, 0, 0)->i == rows_at(&after, 0, 0)->i ? RC_OK : FAIL(e, RC_INTERNAL, "the snapshot moved");
}

static void test_a_read_is_one_snapshot(void **state)
{
	struct fixture *f = *state;

	NEED_DB(f);
	OK(f, db_read(f->db, read_twice, f, &f->e));
	assert_int_equal(count(f), 1);
}

/* Many writers; every third fails on purpose. What was acknowledged is there, what failed is not, and they shared commits. */
#define WRITERS 24
#define EACH 20
struct writer { struct fixture *f; int64_t from; int acknowledged, refused, wrong; pthread_t thread; };

static void *write_many(void *arg)
{
	struct writer *w = arg;
	struct err e = ERR_INIT;

	for (int64_t i = 0; i < EACH; i++) {
		int64_t id = w->from + i;
		bool fails = id % 3 == 0;
		enum rc rc = fails ? db_write(w->f->db, insert_then_fail, &id, &e)
				   : db_exec1(w->f->db, "INSERT INTO t (id) VALUES (?)", VALS(V_I64(id)), NULL, &e);
		w->acknowledged += rc == RC_OK;
		w->refused += rc == RC_GATE_FAILED;
		w->wrong += rc != (fails ? RC_GATE_FAILED : RC_OK);
	}
	return NULL;
}

static void test_group_commit(void **state)
{
	struct fixture *f = *state;
	struct writer w[WRITERS];
	struct db_stats before, after;
	struct rows r;
	int good = 0;

	NEED_DB(f);
	db_stats(f->db, &before);
	for (int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ .f = f, .from = 1 + (int64_t)i * EACH };
		assert_int_equal(pthread_create(&w[i].thread, NULL, write_many, &w[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].wrong, 0);
		good += w[i].acknowledged;
	}
	db_stats(f->db, &after);
	assert_int_equal(good, WRITERS * EACH * 2 / 3);
	assert_int_equal(count(f), good);
	OK(f, db_query1(f->db, &f->a, "SELECT COUNT(*) FROM t WHERE id % 3 = 0", NO_VALS, &r, &f->e));
	assert_int_equal(rows_at(&r, 0, 0)->i, 0);
	assert_int_equal(after.writes - before.writes, WRITERS * EACH);
	assert_int_equal(after.rollbacks - before.rollbacks, WRITERS * EACH / 3);
	assert_int_equal(after.waiting, 0);
	assert_true(after.commits - before.commits < WRITERS * EACH);   /* they shared */
}

struct reader { struct fixture *f; atomic_bool *stop; int wrong; pthread_t thread; };

static enum rc pair_is_whole(struct tx *tx, void *ctx, struct err *e)
{
	struct arena a;
	struct rows r;

	(void)ctx;
	arena_init(&a);
	enum rc rc = db_query(tx, &a, "SELECT COUNT(*) FROM t WHERE id IN (1000, 1001)", NO_VALS, &r, e);
	if (rc == RC_OK && rows_at(&r, 0, 0)->i % 2 != 0)
		rc = FAIL(e, RC_INTERNAL, "half a transaction was seen");
	arena_deinit(&a);
	return rc;
}

static void *read_pairs(void *arg)
{
	struct reader *r = arg;
	struct err e = ERR_INIT;

	while (!atomic_load(r->stop))
		r->wrong += db_read(r->f->db, pair_is_whole, NULL, &e) != RC_OK;
	return NULL;
}

static enum rc flip_pair(struct tx *tx, void *ctx, struct err *e)
{
	int64_t changed;

	(void)ctx;
	TRY(db_exec(tx, "DELETE FROM t WHERE id IN (1000, 1001)", NO_VALS, &changed, e));
	if (changed > 0)
		return RC_OK;
	TRY(db_exec(tx, "INSERT INTO t (id) VALUES (1000)", NO_VALS, NULL, e));
	return db_exec(tx, "INSERT INTO t (id) VALUES (1001)", NO_VALS, NULL, e);
}

static void test_readers_beside_writers(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = false;
	struct reader r[12];    /* more than the pool has connections */

	NEED_DB(f);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		r[i] = (struct reader){ .f = f, .stop = &stop };
		assert_int_equal(pthread_create(&r[i].thread, NULL, read_pairs, &r[i]), 0);
	}
	for (int i = 0; i < 60; i++)
		OK(f, db_write(f->db, flip_pair, NULL, &f->e));
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].wrong, 0);
	}
}

/* --- rows one by one ----------------------------------------------------------------------------------------- */

static enum rc sum_row(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	int64_t *sum = ctx;

	assert_int_equal(n_col, 1);
	if (row[0].i == 4)
		return FAIL(e, RC_CANCELLED, "enough");
	*sum += row[0].i;
	return RC_OK;
}

static enum rc each_in_order(struct tx *tx, void *ctx, struct err *e)
{
	return db_each(tx, "SELECT id FROM t ORDER BY id", NO_VALS, sum_row, ctx, e);
}

static void test_each(void **state)
{
	struct fixture *f = *state;
	int64_t sum = 0;

	NEED_DB(f);
	OK(f, db_exec1(f->db, "INSERT INTO t (id) VALUES (1), (2), (3)", NO_VALS, NULL, &f->e));
	OK(f, db_read(f->db, each_in_order, &sum, &f->e));
	assert_int_equal(sum, 6);
	OK(f, db_exec1(f->db, "INSERT INTO t (id) VALUES (4), (5)", NO_VALS, NULL, &f->e));
	sum = 0;
	assert_int_equal(db_read(f->db, each_in_order, &sum, &f->e), RC_CANCELLED);
	assert_int_equal(sum, 6);
	assert_int_equal(count(f), 5);  /* the connection is as good as before */
}

/* --- migrations and leases ------------------------------------------------------------------------------------ */

static void test_migrations(void **state)
{
	struct fixture *f = *state;
	static const struct migration m[] = {
		{ 1, "CREATE TABLE u (id BIGINT PRIMARY KEY);\nINSERT INTO u (id) VALUES (1)" },
		{ 2, "ALTER TABLE u ADD COLUMN name TEXT;\nINSERT INTO u (id, name) VALUES (2, 'semi; colon')" },
		{ 3, "INSERT INTO u (id) VALUES (3);\nINSERT INTO u (id) VALUES (3)" },
	};
	struct rows r;

	NEED_DB(f);
	OK(f, db_migrate(f->db, "mod", m, 1, &f->e));
	OK(f, db_migrate(f->db, "mod", m, 2, &f->e));
	OK(f, db_migrate(f->db, "mod", m, 2, &f->e));   /* each once */
	OK(f, db_query1(f->db, &f->a, "SELECT id, name FROM u ORDER BY id", NO_VALS, &r, &f->e));
	assert_int_equal(r.n, 2);
	assert_true(str_eq(rows_at(&r, 1, 1)->s, STR("semi; colon")));
	/* One that fails is not half there. */
	assert_int_equal(db_migrate(f->db, "mod", m, 3, &f->e), RC_CONFLICT);
	assert_non_null(strstr(f->e.msg, "migration 3 of mod"));
	OK(f, db_query1(f->db, &f->a, "SELECT COUNT(*) FROM u", NO_VALS, &r, &f->e));
	assert_int_equal(rows_at(&r, 0, 0)->i, 2);
	/* A database of a newer cairn is left alone. */
	assert_int_equal(db_migrate(f->db, "mod", m, 1, &f->e), RC_CONFLICT);
	assert_non_null(strstr(f->e.msg, "newer cairn"));
	OK(f, db_migrate(f->db, "other", NULL, 0, &f->e));
}

static void test_leases(void **state)
{
	struct fixture *f = *state;
	bool got;

	NEED_DB(f);
	OK(f, db_migrate(f->db, "mod", NULL, 0, &f->e));
	clock_set_for_tests(1000000);
	OK(f, db_lease(f->db, STR("timer"), STR("one"), 1000, &got, &f->e));
	assert_true(got);
	OK(f, db_lease(f->db, STR("timer"), STR("two"), 1000, &got, &f->e));
	assert_false(got);
	OK(f, db_lease(f->db, STR("other"), STR("two"), 1000, &got, &f->e));
	assert_true(got);
	clock_set_for_tests(1000900);
	OK(f, db_lease(f->db, STR("timer"), STR("one"), 1000, &got, &f->e));   /* renewed */
	assert_true(got);
	clock_set_for_tests(1001500);
	OK(f, db_lease(f->db, STR("timer"), STR("two"), 1000, &got, &f->e));
	assert_false(got);
	clock_set_for_tests(1002000);
	OK(f, db_lease(f->db, STR("timer"), STR("two"), 1000, &got, &f->e));   /* run out */
	assert_true(got);
	OK(f, db_lease(f->db, STR("timer"), STR("one"), 1000, &got, &f->e));
	assert_false(got);
	clock_set_for_tests(0);
}

static void test_survives_reopening(void **state)
{
	struct fixture *f = *state;

	NEED_DB(f);
	OK(f, db_exec1(f->db, "INSERT INTO t (id) VALUES (1)", NO_VALS, NULL, &f->e));
	db_close(&f->db);
	OK(f, db_open(f->url, &f->db, &f->e));
	assert_int_equal(count(f), 1);
}

/* The server ends our connections: readers and the committer open new ones. */
static void test_lost_connections_are_opened_again(void **state)
{
	struct fixture *f = *state;
	int failed = 0;

	NEED_DB(f);
	OK(f, db_exec1(f->db, "INSERT INTO t (id) VALUES (1)", NO_VALS, NULL, &f->e));
	assert_int_equal(count(f), 1);
	struct db *other;
	struct rows r;
	OK(f, db_open(f->url, &other, &f->e));
	OK(f, db_query1(other, &f->a,
			"SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
			" AND datname = current_database()",
			NO_VALS, &r, &f->e));
	db_close(&other);
	for (int i = 0; i < 3; i++)     /* the first one may be told that the connection broke */
		failed += db_exec1(f->db, "INSERT INTO t (id) VALUES (?)", VALS(V_I64(10 + i)), NULL, &f->e) != RC_OK;
	assert_true(failed <= 1);
	failed = 0;
	for (int i = 0; i < 3; i++)
		failed += db_query1(f->db, &f->a, "SELECT COUNT(*) FROM t", NO_VALS, &r, &f->e) != RC_OK;
	assert_true(failed <= 1);
	assert_true(rows_at(&r, 0, 0)->i >= 3);
}

int main(void)
{
#define BOTH(test)                                                                                                          \
	{ #test " (sqlite)", test, set_up_sqlite, tear_down, NULL }, { #test " (postgresql)", test, set_up_postgres, tear_down, NULL }
	const struct CMUnitTest tests[] = {
		BOTH(test_values_come_back_exactly),
		BOTH(test_errors_have_their_codes),
		cmocka_unit_test_setup_teardown(test_bad_urls, set_up_sqlite, tear_down),
		BOTH(test_a_failed_change_leaves_nothing),
		BOTH(test_a_read_is_one_snapshot),
		BOTH(test_group_commit),
		BOTH(test_readers_beside_writers),
		BOTH(test_each),
		BOTH(test_migrations),
		BOTH(test_leases),
		BOTH(test_survives_reopening),
		cmocka_unit_test_setup_teardown(test_lost_connections_are_opened_again, set_up_postgres, tear_down),
	};
	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
