/* db_int.h -- what a database engine provides to db.c. A connection is used by one thread at a time. */
#ifndef CAIRN_IO_DB_INT_H
#define CAIRN_IO_DB_INT_H

#include "io/db.h"

struct conn;            /* the engine's */

/* Where rows go: columns once, before the first row, then each row. */
struct row_sink {
	enum rc (*columns)(void *ctx, const str *name, size_t n, struct err *e);   /* may be NULL */
	row_fn *row;
	void *ctx;
};

struct db_driver {
	enum db_kind kind;
	enum rc (*connect)(const char *target, bool read_only, struct conn **out, struct err *e);
	void (*disconnect)(struct conn *c);
	/* sink may be NULL when rows do not matter. */
	enum rc (*run)(struct conn *c, const char *sql, const struct val *v, size_t n, const struct row_sink *sink,
		       int64_t *n_changed, struct err *e);
	bool (*lost)(const struct conn *c);     /* the connection is gone and must be opened again */
	const char *begin_read, *begin_write;
};
extern const struct db_driver db_sqlite_driver, db_postgres_driver;

struct tx { const struct db_driver *driver; struct conn *conn; };

/* `?` to `$1`, `$2`, … outside quotes, identifiers and comments. False when the buffer overflowed. */
struct buf;
bool db_number_placeholders(const char *sql, struct buf *out);

#endif
