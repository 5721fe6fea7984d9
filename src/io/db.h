/* db.h -- metadata in SQLite or PostgreSQL, behind one face and mostly one SQL text.
 *
 * Opened by URL: "sqlite:/path/cairn.db" (WAL, synchronous=FULL) or "postgresql://user@host/db".
 *
 * Reading: db_read runs a function on a connection of the reader pool, in one snapshot.
 * Writing: db_write hands a function to the database's one committer thread, which runs all that wait in
 * one transaction (each under a savepoint, so one that fails takes only itself back), commits once, and
 * then answers all: when db_write returns RC_OK the change is durable. fn runs on the committer thread
 * while the caller waits, so it may use the caller's memory; it must do nothing but SQL and arithmetic.
 * If the group's commit itself fails, every member gets the error. Any thread that may block.
 *
 * SQL: placeholders are `?`, in order (turned to $1 … for PostgreSQL). Portable types: TEXT, BIGINT,
 * DOUBLE PRECISION; booleans are BIGINT 0/1; times are BIGINT ms; structures are JSON in TEXT. No AUTOINCREMENT: ids are
 * made by cairn. LIKE heeds case in both. `INSERT … ON CONFLICT (…) DO UPDATE SET x = excluded.x` and RETURNING work in both.
 */
#ifndef CAIRN_IO_DB_H
#define CAIRN_IO_DB_H

#include "base/arena.h"
#include "base/err.h"

struct db;
struct tx;      /* a connection inside a transaction: one thread, one call */

enum db_kind { DB_SQLITE, DB_POSTGRES };

enum val_kind { VAL_NULL, VAL_I64, VAL_F64, VAL_TEXT };
struct val {
	enum val_kind kind;
	int64_t i;
	double f;
	str s;
};
#define V_NULL ((struct val){ .kind = VAL_NULL })
#define V_I64(x) ((struct val){ .kind = VAL_I64, .i = (x) })
#define V_F64(x) ((struct val){ .kind = VAL_F64, .f = (x) })
#define V_STR(x) ((struct val){ .kind = VAL_TEXT, .s = (x) })
#define V_CSTR(x) V_STR(str_of(x))
/* A literal list of values: db_exec(tx, sql, VALS(V_STR(name), V_I64(n)), NULL, e) */
#define VALS(...) (const struct val[]){ __VA_ARGS__ }, sizeof((const struct val[]){ __VA_ARGS__ }) / sizeof(struct val)
#define NO_VALS NULL, 0

struct rows {
	size_t n, n_col;
	const str *col;         /* names */
	struct val *cell;       /* row-major: cell[row * n_col + col] */
};
static inline const struct val *rows_at(const struct rows *r, size_t row, size_t col)
{
	CHECK(row < r->n && col < r->n_col);
	return &r->cell[row * r->n_col + col];
}

enum rc db_open(str url, struct db **out, struct err *e) MUST_USE;
void db_close(struct db **slot);
enum db_kind db_kind(const struct db *db);

typedef enum rc db_fn(struct tx *tx, void *ctx, struct err *e);
enum rc db_read(struct db *db, db_fn *fn, void *ctx, struct err *e) MUST_USE;
enum rc db_write(struct db *db, db_fn *fn, void *ctx, struct err *e) MUST_USE;

/* n_changed may be NULL. A unique or foreign key violation is RC_CONFLICT; a full disk RC_NO_SPACE. */
enum rc db_exec(struct tx *tx, const char *sql, const struct val *v, size_t n, int64_t *n_changed, struct err *e) MUST_USE;
/* All rows (at most LIMIT_ROWS, else RC_TOO_LARGE) copied into the arena. */
enum rc db_query(struct tx *tx, struct arena *a, const char *sql, const struct val *v, size_t n, struct rows *out,
		 struct err *e) MUST_USE;
/* One row after another without holding them; fn's row is valid during the call only. */
typedef enum rc row_fn(void *ctx, const struct val *row, size_t n_col, struct err *e);
enum rc db_each(struct tx *tx, const char *sql, const struct val *v, size_t n, row_fn *fn, void *ctx, struct err *e) MUST_USE;
enum db_kind tx_kind(const struct tx *tx);

/* One-statement shorthands. */
enum rc db_query1(struct db *db, struct arena *a, const char *sql, const struct val *v, size_t n, struct rows *out,
		  struct err *e) MUST_USE;
enum rc db_exec1(struct db *db, const char *sql, const struct val *v, size_t n, int64_t *n_changed, struct err *e) MUST_USE;

/* Migrations: numbered from 1 per module, each applied once, in one transaction with its record in table
 * cairn_migrations(module, number, applied_ms). SQL may hold several statements split by ";\n"; what stands in a comment
 * that begins with "sqlite:" is run by SQLite only ("WITHOUT ROWID": one tree instead of a table and its index).
 * A database with a higher number than known is refused (it was written by a newer cairn). */
struct migration { int number; const char *sql; };
enum rc db_migrate(struct db *db, const char *module, const struct migration *m, size_t n, struct err *e) MUST_USE;

/* Leases: true when `holder` now has (or renewed) the lease `name` until now + ttl_ms. */
enum rc db_lease(struct db *db, str name, str holder, int64_t ttl_ms, bool *got, struct err *e) MUST_USE;

struct db_stats { uint64_t commits, writes, rollbacks; uint32_t waiting; };
void db_stats(const struct db *db, struct db_stats *out);
enum rc db_health(struct db *db, struct err *e) MUST_USE;

#endif
