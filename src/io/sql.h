/* sql.h -- a statement in the making: text and the values of its placeholders, in one order.
 *
 *	struct sql s;
 *	sql_init(&s, a);
 *	sql_add(&s, "SELECT id FROM runs WHERE experiment = ?", VALS(V_I64(id)));
 *	TRY(sql_each(tx, &s, on_row, ctx, e));
 *
 * Everything lives in the arena. What is added is text of ours; what came from outside is only ever bound. One thread.
 */
#ifndef CAIRN_IO_SQL_H
#define CAIRN_IO_SQL_H

#include "base/filter.h"
#include "base/vec.h"
#include "io/db.h"

#define SQL_VALUES_MAX 480      /* under what each engine binds */

struct sql {
	struct arena *a;
	VEC(char) text;
	VEC(struct val) v;
};

void sql_init(struct sql *s, struct arena *a);
void sql_add(struct sql *s, const char *text, const struct val *v, size_t n);
/* "?, ?, …" for n values. */
void sql_add_list(struct sql *s, const struct val *v, size_t n);
/* Numbers as text of the statement: for lists that may be longer than what can be bound. */
void sql_add_i64s(struct sql *s, const int64_t *v, size_t n);
/* "column op value" for a comparison with a value; `whole`: the column is BIGINT. */
void sql_add_term(struct sql *s, const char *column, bool whole, const struct filter_term *t);

/* RC_INVALID when more values are bound than fit. */
enum rc sql_each(struct tx *tx, struct sql *s, row_fn *fn, void *ctx, struct err *e) MUST_USE;
enum rc sql_query(struct tx *tx, struct sql *s, struct rows *out, struct err *e) MUST_USE;

#endif
