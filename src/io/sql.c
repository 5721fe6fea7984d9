/* sql.c -- see sql.h. */
#include "io/sql.h"

#include <string.h>

#include "base/num.h"

void sql_init(struct sql *s, struct arena *a)
{
	*s = (struct sql){ .a = a };
}

static void add_text(struct sql *s, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(s->a, &s->text) = text[i];
}

void sql_add(struct sql *s, const char *text, const struct val *v, size_t n)
{
	add_text(s, text, strlen(text));
	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(s->a, &s->v) = v[i];
}

void sql_add_list(struct sql *s, const struct val *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sql_add(s, i > 0 ? ", ?" : "?", &v[i], 1);
}

void sql_add_i64s(struct sql *s, const int64_t *v, size_t n)
{
	char text[NUM_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			sql_add(s, ", ", NO_VALS);
		add_text(s, text, num_put_i64(text, v[i]));
	}
}

static void add_number(struct sql *s, const char *column, bool whole, const struct filter_term *t)
{
	int64_t i = 0;
	bool is_whole = whole && str_to_i64(t->text, &i);

	/* A fraction against BIGINT: PostgreSQL would read the value as the column's type. */
	sql_add(s, whole && !is_whole ? "CAST(" : "", NO_VALS);
	sql_add(s, column, NO_VALS);
	sql_add(s, whole && !is_whole ? " AS DOUBLE PRECISION) " : " ", NO_VALS);
	sql_add(s, filter_op_names[t->op], NO_VALS);
	if (is_whole)
		sql_add(s, " ?", VALS(V_I64(i)));
	else
		sql_add(s, whole ? " CAST(? AS DOUBLE PRECISION)" : " ?", VALS(V_F64(t->number)));
}

static void add_list(struct sql *s, const char *column, const struct filter_term *t)
{
	sql_add(s, column, NO_VALS);
	sql_add(s, t->op == FILTER_IN ? " IN (" : " NOT IN (", NO_VALS);
	for (size_t i = 0; i < t->texts.n; i++)
		sql_add(s, i > 0 ? ", ?" : "?", VALS(V_STR(*LIST_AT(t->texts, const str, i))));
	sql_add(s, ")", NO_VALS);
}

void sql_add_term(struct sql *s, const char *column, bool whole, const struct filter_term *t)
{
	CHECK(t->value != FILTER_NOTHING);
	if (t->value == FILTER_NUMBER) {
		add_number(s, column, whole, t);
		return;
	}
	if (t->value == FILTER_LIST) {
		add_list(s, column, t);
		return;
	}
	bool lower = t->op == FILTER_ILIKE, like = lower || t->op == FILTER_LIKE;
	sql_add(s, lower ? "LOWER(" : "", NO_VALS);
	sql_add(s, column, NO_VALS);
	sql_add(s, lower ? ") " : " ", NO_VALS);
	sql_add(s, like ? "LIKE " : filter_op_names[t->op], NO_VALS);
	sql_add(s, lower ? "LOWER(?)" : " ?", VALS(V_STR(like ? filter_like(s->a, t->text) : t->text)));
	sql_add(s, like ? " ESCAPE '\\'" : "", NO_VALS);
}

static enum rc finish(struct sql *s, struct err *e)
{
	if (s->v.n > SQL_VALUES_MAX)
		return FAIL(e, RC_INVALID, "the search has %zu values; at most %d fit", s->v.n, SQL_VALUES_MAX);
	*VEC_PUSH(s->a, &s->text) = '\0';
	s->text.n--;
	return RC_OK;
}

enum rc sql_each(struct tx *tx, struct sql *s, row_fn *fn, void *ctx, struct err *e)
{
	TRY(finish(s, e));
	return db_each(tx, s->text.at, s->v.at, s->v.n, fn, ctx, e);
}

enum rc sql_query(struct tx *tx, struct sql *s, struct rows *out, struct err *e)
{
	TRY(finish(s, e));
	return db_query(tx, s->a, s->text.at, s->v.at, s->v.n, out, e);
}
