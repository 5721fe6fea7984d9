/* sql.c -- what is read from a view's dataset. DuckDB's SQL stands here and in training.c; the rules are these:
 *
 * a row counts for key K at time T when its event time is not after T; of those the one with the greatest event time
 * counts, among rows of one event time the one with the greatest created time, and among rows that agree in that too the
 * one whose values are greatest in the order of the features, so that the answer does not depend on the order of a file. */
#include "modules/features/features_int.h"
#include "modules/features/sql.h"

static str add(struct arena *a, str all, str more)
{
	return all.len == 0 ? more : arena_printf(a, STR_FMT ", " STR_FMT, STR_ARG(all), STR_ARG(more));
}

str features__time_sql(str name, str sql_type, struct arena *a)
{
	if (str_eq(sql_type, STR("TIMESTAMP WITH TIME ZONE")))
		return arena_printf(a, "(" STR_FMT " AT TIME ZONE 'UTC')", STR_ARG(name));
	return arena_printf(a, "CAST(" STR_FMT " AS TIMESTAMP)", STR_ARG(name));
}

static str value_sql(const struct feature *f, const struct dataset_column *c, struct arena *a)
{
	str name = query_quote_name(a, f->name);
	enum value_kind kind = VALUE_FLOAT;

	CHECK(features__kind_of_type(f->type, &kind));
	switch (kind) {
	case VALUE_FLOAT:
		return arena_printf(a, "nullif(CAST(" STR_FMT " AS DOUBLE), 'nan'::DOUBLE)", STR_ARG(name));
	case VALUE_INT:
		return arena_printf(a, "CAST(" STR_FMT " AS BIGINT)", STR_ARG(name));
	case VALUE_BOOL:
		return arena_printf(a, "CAST(" STR_FMT " AS BOOLEAN)", STR_ARG(name));
	case VALUE_TIME:
		return features__time_sql(name, c->type, a);
	case VALUE_STRING:
		return arena_printf(a, "CAST(" STR_FMT " AS VARCHAR)", STR_ARG(name));
	}
	UNREACHABLE("a kind of value");
}

str features__source_sql(const struct feature_view *v, const struct dataset_version *d, str table, struct arena *a)
{
	const struct dataset_column *time = features__column(d, v->time_column);
	str picked = STR(""), with_key = STR("");

	CHECK(time != NULL);
	for (size_t i = 0; i < v->keys.n; i++) {
		str key = query_quote_name(a, *LIST_AT(v->keys, const str, i));
		picked = add(a, picked, arena_printf(a, "CAST(" STR_FMT " AS VARCHAR) AS k%zu", STR_ARG(key), i));
		with_key = arena_printf(a, STR_FMT " AND " STR_FMT " IS NOT NULL", STR_ARG(with_key), STR_ARG(key));
	}
	str t = features__time_sql(query_quote_name(a, v->time_column), time->type, a);
	picked = add(a, picked, arena_printf(a, STR_FMT " AS t", STR_ARG(t)));
	if (v->created_column.len > 0) {
		const struct dataset_column *created = features__column(d, v->created_column);
		CHECK(created != NULL);
		str c = features__time_sql(query_quote_name(a, v->created_column), created->type, a);
		picked = add(a, picked, arena_printf(a, STR_FMT " AS c", STR_ARG(c)));
	} else {
		picked = add(a, picked, STR("NULL::TIMESTAMP AS c"));
	}
	for (size_t i = 0; i < v->features.n; i++) {
		const struct feature *f = LIST_AT(v->features, const struct feature, i);
		str value = value_sql(f, features__column(d, f->name), a);
		picked = add(a, picked, arena_printf(a, STR_FMT " AS f%zu", STR_ARG(value), i));
	}
	return arena_printf(a, "SELECT " STR_FMT " FROM " STR_FMT " WHERE isfinite(" STR_FMT ")" STR_FMT, STR_ARG(picked), STR_ARG(table),
			    STR_ARG(t), STR_ARG(with_key));
}

static str keys_sql(const struct feature_view *v, struct arena *a)
{
	str keys = STR("");

	for (size_t i = 0; i < v->keys.n; i++)
		keys = add(a, keys, arena_printf(a, "k%zu", i));
	return keys;
}

static str tie_sql(const struct feature_view *v, struct arena *a)
{
	str order = STR("c DESC NULLS LAST");

	for (size_t i = 0; i < v->features.n; i++)
		order = add(a, order, arena_printf(a, "f%zu DESC NULLS LAST", i));
	return order;
}

str features__latest_sql(const struct feature_view *v, str source, int64_t as_of_ms, struct arena *a)
{
	str keys = keys_sql(v, a), tie = tie_sql(v, a);

	return arena_printf(a, "SELECT * FROM (" STR_FMT ") WHERE epoch_us(t) <= %lld * 1000"
			    " QUALIFY row_number() OVER (PARTITION BY " STR_FMT " ORDER BY t DESC, " STR_FMT ") = 1",
			    STR_ARG(source), (long long)as_of_ms, STR_ARG(keys), STR_ARG(tie));
}

str features__unique_sql(const struct feature_view *v, str source, struct arena *a)
{
	str keys = keys_sql(v, a), tie = tie_sql(v, a);

	return arena_printf(a, "SELECT * FROM (" STR_FMT ") QUALIFY row_number() OVER (PARTITION BY " STR_FMT ", t ORDER BY " STR_FMT ") = 1",
			    STR_ARG(source), STR_ARG(keys), STR_ARG(tie));
}

/* --- work ------------------------------------------------------------------------------------------------------------ */

static void interrupt(void *ctx)
{
	query_interrupt(ctx);
}

void features__watch(struct task *t, struct query *q)
{
	if (t != NULL)
		task_on_cancel(t, q != NULL ? interrupt : NULL, q);
}
