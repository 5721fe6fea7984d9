/* profile.c -- what is in each column of a version: counts, extremes, quantiles, histogram, most frequent values.
 *
 * Exact figures, asked of DuckDB column by column (a scan of one Parquet column is quick); values that are no finite
 * number are counted apart and left out of the figures. Times are profiled as seconds since 1970. */
#include "modules/lake/lake_int.h"

#include <math.h>

#include "base/limits.h"

#define BINS 20
#define TOP 10
#define TEXT_SHOWN 200

struct quantile { double q, value; };
static const struct field quantile_fields[] = {
	FIELD(quantile, q, K_F64, 0, "0 to 1"),
	FIELD(quantile, value, K_F64, 0, "The value that this share of the values does not pass"),
};
static const struct record quantile_record = RECORD(quantile, quantile_fields, "A quantile");

struct bin { double from, to; int64_t n; };
static const struct field bin_fields[] = {
	FIELD(bin, from, K_F64, 0, "Lower edge, inside"),
	FIELD(bin, to, K_F64, 0, "Upper edge, outside but for the last bin"),
	FIELD(bin, n, K_I64, 0, "Values in it"),
};
static const struct record bin_record = RECORD(bin, bin_fields, "A bar of a histogram");

struct frequent { str value; int64_t n; };
static const struct field frequent_fields[] = {
	FIELD(frequent, value, K_STR, 0, "The value as text"),
	FIELD(frequent, n, K_I64, 0, "How often it stands there"),
};
static const struct record frequent_record = RECORD(frequent, frequent_fields, "A frequent value");

struct profile_column {
	str name, type;
	int64_t n, nulls, distinct, non_finite;
	str min, max;
	bool numeric;
	double mean, stddev;
	struct list quantiles, histogram, top;
};
static const struct field profile_column_fields[] = {
	FIELD(profile_column, name, K_STR, 0, "Name of the column"),
	FIELD(profile_column, type, K_STR, 0, "Its SQL type"),
	FIELD(profile_column, n, K_I64, 0, "Rows"),
	FIELD(profile_column, nulls, K_I64, 0, "Rows without a value"),
	FIELD(profile_column, distinct, K_I64, 0, "Different values"),
	FIELD(profile_column, non_finite, K_I64, F_SKIP_EMPTY, "Values that are no finite number"),
	FIELD(profile_column, min, K_STR, F_SKIP_EMPTY, "Least value, as text"),
	FIELD(profile_column, max, K_STR, F_SKIP_EMPTY, "Greatest value, as text"),
	FIELD(profile_column, mean, K_F64, F_SKIP_EMPTY, "Mean of the numbers"),
	FIELD(profile_column, stddev, K_F64, F_SKIP_EMPTY, "Standard deviation of the numbers (sample)"),
	FIELD(profile_column, quantiles, K_RECORDS, F_SKIP_EMPTY, "Quantiles", .sub = &quantile_record),
	FIELD(profile_column, histogram, K_RECORDS, F_SKIP_EMPTY, "Bars of equal width from least to greatest", .sub = &bin_record),
	FIELD(profile_column, top, K_RECORDS, F_SKIP_EMPTY, "Most frequent values", .sub = &frequent_record),
};
const struct record profile_column_record = RECORD(profile_column, profile_column_fields, "What is in a column");

struct profile { struct list columns; };
static const struct field profile_fields[] = {
	FIELD(profile, columns, K_RECORDS, 0, "Per column, in order", .sub = &profile_column_record),
};
static const struct record profile_record = RECORD(profile, profile_fields, "What is in a version of a dataset");

static const double quantiles[] = { 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99 };

struct profiler {
	struct query *q;
	struct arena *a;
	str table;              /* quoted */
	str column;             /* quoted */
	str number;             /* SQL of the column as a finite double, or empty */
};

static enum rc ask(struct profiler *p, str sql, size_t max_rows, struct result *out, struct err *e)
{
	return query_run_ours(p->q, sql, max_rows, p->a, out, e);
}

static double number_at(const struct result *r, size_t col)
{
	return r->col[col].null[0] ? 0 : r->col[col].f[0];
}

static str text_at(const struct result *r, size_t col, size_t row)
{
	return r->col[col].null[row] ? STR("") : r->col[col].s[row];
}

/* Numbers as they are, times as seconds; others have none. */
static str number_of(struct arena *a, const struct col *c, str quoted)
{
	switch (c->type) {
	case COL_I64:
		return arena_printf(a, "CAST(" STR_FMT " AS DOUBLE)", STR_ARG(quoted));
	case COL_F64:
		return arena_printf(a, "CASE WHEN isfinite(CAST(" STR_FMT " AS DOUBLE)) THEN CAST(" STR_FMT " AS DOUBLE) END",
				    STR_ARG(quoted), STR_ARG(quoted));
	case COL_TIME:
		return arena_printf(a, "epoch(CAST(" STR_FMT " AS TIMESTAMP))", STR_ARG(quoted));
	case COL_BOOL: case COL_TEXT: case COL_OTHER:
		return STR_NONE;
	}
	UNREACHABLE("a column type");
}

static enum rc profile_counts(struct profiler *p, struct profile_column *out, struct err *e)
{
	struct result r;
	str c = p->column;
	str numbers = p->number.len > 0 ? p->number : STR("NULL");
	str sql = arena_printf(p->a,
			       "SELECT count(*), count(" STR_FMT "), count(DISTINCT " STR_FMT "), left(CAST(min(" STR_FMT
			       ") AS VARCHAR), %d),"
			       " left(CAST(max(" STR_FMT ") AS VARCHAR), %d), count(x) FROM (SELECT " STR_FMT ", " STR_FMT
			       " AS x FROM " STR_FMT ")",
			       STR_ARG(c), STR_ARG(c), STR_ARG(c), TEXT_SHOWN, STR_ARG(c), TEXT_SHOWN, STR_ARG(c),
			       STR_ARG(numbers), STR_ARG(p->table));

	TRY(ask(p, sql, 1, &r, e));
	out->n = r.col[0].i[0];
	out->nulls = out->n - r.col[1].i[0];
	out->distinct = r.col[2].i[0];
	out->min = text_at(&r, 3, 0);
	out->max = text_at(&r, 4, 0);
	out->non_finite = p->number.len > 0 ? r.col[1].i[0] - r.col[5].i[0] : 0;
	out->numeric = p->number.len > 0 && r.col[5].i[0] > 0;
	return RC_OK;
}

/* Mean, deviation, quantiles; and the histogram between the extremes. */
static enum rc profile_numbers(struct profiler *p, struct profile_column *out, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_TEXT * 4);
	struct result r;
	VEC(struct quantile) qs = { 0 };

	/* One list of quantiles costs one sorting; seven calls cost seven. */
	buf_add(&b, STR("SELECT mean, dev, least, greatest"));
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		buf_addf(&b, ", CAST(qs[%zu] AS DOUBLE)", i + 1);
	buf_add(
	    &b,
	    STR(" FROM (SELECT avg(x) AS mean, CAST(coalesce(stddev_samp(x), 0) AS DOUBLE) AS dev, CAST(min(x) AS DOUBLE) AS least,"
		" CAST(max(x) AS DOUBLE) AS greatest, quantile_cont(x, ["));
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		buf_addf(&b, "%s%g", i > 0 ? ", " : "", quantiles[i]);
	buf_addf(&b, "]) AS qs FROM (SELECT " STR_FMT " AS x FROM " STR_FMT "))", STR_ARG(p->number), STR_ARG(p->table));
	CHECK(!b.overflowed);
	enum rc rc = ask(p, buf_str(&b), 1, &r, e);
	buf_deinit(&b);
	if (rc != RC_OK)
		return rc;
	out->mean = number_at(&r, 0);
	out->stddev = number_at(&r, 1);
	double least = number_at(&r, 2), greatest = number_at(&r, 3), width = (greatest - least) / BINS;
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		*VEC_PUSH(p->a, &qs) = (struct quantile){ quantiles[i], number_at(&r, 4 + i) };
	out->quantiles = (struct list)LIST_OF(qs);
	size_t n = isfinite(width) && width > 0 ? BINS : 1;
	struct bin *bins = ARENA_ARRAY(p->a, struct bin, n);
	for (size_t i = 0; i < n; i++)
		bins[i] = (struct bin){ .from = least + width * (double)i,
					.to = i + 1 == n ? greatest : least + width * (double)(i + 1) };
	str sql = arena_printf(
	    p->a,
	    "SELECT CAST(least(greatest(floor((x - (%.17g)) / %.17g), 0), %zu) AS BIGINT), count(*) FROM (SELECT " STR_FMT
	    " AS x FROM " STR_FMT ") WHERE x IS NOT NULL GROUP BY 1",
	    least, n > 1 ? width : 1.0, n - 1, STR_ARG(p->number), STR_ARG(p->table));
	TRY(ask(p, sql, BINS, &r, e));
	for (size_t i = 0; i < r.n; i++)
		bins[r.col[0].i[i]].n = r.col[1].i[i];
	out->histogram = (struct list){ bins, n };
	return RC_OK;
}

static enum rc profile_top(struct profiler *p, struct profile_column *out, struct err *e)
{
	struct result r;
	str c = p->column;
	str sql = arena_printf(p->a,
			       "SELECT left(CAST(" STR_FMT " AS VARCHAR), %d) AS v, count(*) AS n FROM " STR_FMT
			       " WHERE " STR_FMT " IS NOT NULL GROUP BY " STR_FMT " ORDER BY n DESC, v LIMIT %d",
			       STR_ARG(c), TEXT_SHOWN, STR_ARG(p->table), STR_ARG(c), STR_ARG(c), TOP);

	TRY(ask(p, sql, TOP, &r, e));
	struct frequent *top = ARENA_ARRAY(p->a, struct frequent, r.n);
	for (size_t i = 0; i < r.n; i++)
		top[i] = (struct frequent){ text_at(&r, 0, i), r.col[1].i[i] };
	out->top = (struct list){ top, r.n };
	return RC_OK;
}

static enum rc profile_one(struct profiler *p, const struct col *c, struct profile_column *out, struct err *e)
{
	p->column = query_quote_name(p->a, c->name);
	p->number = number_of(p->a, c, p->column);
	*out = (struct profile_column){ .name = c->name, .type = c->sql_type };
	TRY(profile_counts(p, out, e));
	if (out->numeric)
		TRY(profile_numbers(p, out, e));
	/* Nothing is frequent where every value is another. */
	return out->distinct < out->n - out->nulls || out->distinct <= TOP ? profile_top(p, out, e) : RC_OK;
}

enum rc lake__profile(struct query *q, str table, struct task *t, double from, double to, struct arena *a, str *json_out,
		      struct err *e)
{
	struct profiler p = { .q = q, .a = a, .table = query_quote_name(a, table) };
	struct col *col;
	size_t n;

	TRY(query_describe(q, arena_printf(a, "SELECT * FROM " STR_FMT, STR_ARG(p.table)), a, &col, &n, e));
	struct profile_column *out = ARENA_ARRAY(a, struct profile_column, n);
	for (size_t i = 0; i < n; i++) {
		work_progress(t, from + (to - from) * (double)i / (double)n, "profiling " STR_FMT, STR_ARG(col[i].name));
		if (profile_one(&p, &col[i], &out[i], e) != RC_OK)
			return err_wrap(e, "profiling column '" STR_FMT "'", STR_ARG(col[i].name));
	}
	struct profile all = { .columns = { out, n } };
	*json_out = record_to_json(&profile_record, &all, 0, a);
	return RC_OK;
}
