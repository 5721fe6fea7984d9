/* gates.c -- conditions on the rows of a step, measured.
 *
 * A row gate (not_null, range, accepted_values, unique) counts the rows that fail; it passes while they are no more than
 * the share that `mostly` leaves. A missing value fails not_null only. Each outcome says what was measured, what it had to
 * keep, and shows up to five failing rows. */
#include "modules/lake/pipeline.h"

#include <math.h>

#include "base/clock.h"

/* --- what a gate may say --------------------------------------------------------------------------------------- */

enum gate_key { KEY_MIN = 1u << 1, KEY_MAX = 1u << 2, KEY_COLUMN = 1u << 3, KEY_COLUMNS = 1u << 4, KEY_VALUES = 1u << 5,
		KEY_MAX_AGE = 1u << 6, KEY_RELATIVE_TO = 1u << 7, KEY_MOSTLY = 1u << 8 };   /* bits as in gate_record */
static const char *const key_names[] = {
	"kind", "min", "max", "column", "columns", "values", "max_age", "relative_to", "mostly"
};

static const struct { unsigned must, any_of, may; const char *needs; } gate_keys[GATE_KINDS] = {
	[GATE_ROW_COUNT] = { 0, KEY_MIN | KEY_MAX, 0, "min or max" },
	[GATE_NOT_NULL] = { KEY_COLUMNS, 0, KEY_MOSTLY, "columns" },
	[GATE_RANGE] = { KEY_COLUMN, KEY_MIN | KEY_MAX, KEY_MOSTLY, "column, and min or max" },
	[GATE_ACCEPTED_VALUES] = { KEY_COLUMN | KEY_VALUES, 0, KEY_MOSTLY, "column and values" },
	[GATE_UNIQUE] = { KEY_COLUMNS, 0, KEY_MOSTLY, "columns" },
	[GATE_FRESHNESS] = { KEY_COLUMN | KEY_MAX_AGE, 0, KEY_RELATIVE_TO, "column and max_age" },
};

static bool has_key(const struct gate *g, size_t bit)
{
	return (g->has >> bit & 1) != 0;
}

enum rc gate_rules(const void *gate, struct err *e)
{
	const struct gate *g = gate;
	const char *kind = gate_kind_names[g->kind];
	unsigned allowed = gate_keys[g->kind].must | gate_keys[g->kind].any_of | gate_keys[g->kind].may;
	bool some = gate_keys[g->kind].any_of == 0;

	for (size_t i = 1; i < ARRAY_LEN(key_names); i++) {
		bool given = has_key(g, i), mostly_as_default = (1u << i) == KEY_MOSTLY && g->mostly >= 1;
		if (given && !mostly_as_default && !(allowed >> i & 1))
			return FAIL(e, RC_INVALID, "a %s gate does not take '%s'; it takes %s", kind, key_names[i],
				    gate_keys[g->kind].needs);
		if (!given && (gate_keys[g->kind].must >> i & 1))
			return FAIL(e, RC_INVALID, "a %s gate needs %s", kind, gate_keys[g->kind].needs);
		some = some || (given && (gate_keys[g->kind].any_of >> i & 1));
	}
	if (!some)
		return FAIL(e, RC_INVALID, "a %s gate needs %s", kind, gate_keys[g->kind].needs);
	if (has_key(g, 1) && has_key(g, 2) && g->min > g->max)
		return FAIL(e, RC_INVALID, "min %g is above max %g: nothing can pass", g->min, g->max);
	str to = g->relative_to;
	int64_t ms;
	if (to.len > 0 && !str_eq(to, STR("now")) && !clock_get_rfc3339(to, &ms) && str_find_char(to, '.') <= 0)
		return FAIL(e, RC_INVALID, "relative_to: '" STR_FMT "' is none of: now, a time, \"table.column\"", STR_ARG(to));
	return RC_OK;
}

static const struct col *col_named(const struct col *col, size_t n, str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq_nocase(col[i].name, name))
			return &col[i];
	}
	return NULL;
}

static enum rc need_column(const struct col *col, size_t n, str name, struct err *e)
{
	struct buf there = BUF_INIT(300);

	if (col_named(col, n, name) != NULL)
		return RC_OK;
	for (size_t i = 0; i < n; i++) {
		buf_add(&there, i > 0 ? STR(", ") : STR(""));
		buf_add(&there, col[i].name);
	}
	(void)FAIL(e, RC_INVALID, "there is no column '" STR_FMT "'; there are: %s", STR_ARG(name),
		   there.at != NULL ? there.at : "none");
	buf_deinit(&there);
	return RC_INVALID;
}

enum rc lake__gate_fits(const struct gate *g, const struct col *col, size_t n, struct err *e)
{
	for (size_t i = 0; i < g->columns.n; i++)
		TRY(need_column(col, n, *LIST_AT(g->columns, const str, i), e));
	if (g->column.len == 0)
		return RC_OK;
	TRY(need_column(col, n, g->column, e));
	const struct col *c = col_named(col, n, g->column);
	if (g->kind == GATE_RANGE && c->type != COL_I64 && c->type != COL_F64)
		return FAIL(e, RC_INVALID, "a range gate is for numbers; column '" STR_FMT "' is " STR_FMT, STR_ARG(c->name),
			    STR_ARG(c->sql_type));
	if (g->kind == GATE_FRESHNESS && c->type != COL_TIME)
		return FAIL(e, RC_INVALID, "a freshness gate is for times; column '" STR_FMT "' is " STR_FMT, STR_ARG(c->name),
			    STR_ARG(c->sql_type));
	return RC_OK;
}

/* --- measuring ------------------------------------------------------------------------------------------------------ */

struct measuring {
	struct query *q;
	const struct gate *g;
	struct arena *a;
	str table;              /* quoted */
	str column;             /* quoted; of more than one, joined by commas */
	struct gate_outcome *out;
};

static str joined(struct arena *a, const struct list *names, bool quote)
{
	str out = STR("");

	for (size_t i = 0; i < names->n; i++) {
		str name = *LIST_AT(*names, const str, i);
		name = quote ? query_quote_name(a, name) : name;
		out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(out), i > 0 ? ", " : "", STR_ARG(name));
	}
	return out;
}

static enum rc take_examples(struct measuring *m, str rows, struct err *e)
{
	struct result r;

	TRY(query_run_ours(m->q,
		      arena_printf(m->a, "SELECT CAST(to_json(bad) AS VARCHAR) FROM (" STR_FMT " LIMIT %d) AS bad",
				   STR_ARG(rows), GATE_EXAMPLES),
		      GATE_EXAMPLES, m->a, &r, e));
	m->out->examples = (struct list){ r.col[0].s, r.n };
	return RC_OK;
}

static void judge_share(struct measuring *m, int64_t checked, int64_t failing)
{
	double allowed = (1 - m->g->mostly) * (double)checked;

	m->out->n_checked = checked;
	m->out->n_failing = failing;
	m->out->value = checked > 0 ? 1 - (double)failing / (double)checked : 1;
	/* A hair for 1 - 0.99 not being 0.01. */
	m->out->passed = (double)failing <= allowed + 1e-9 * (double)checked;
}

/* Rows for which `applies` holds are looked at; those of them for which `bad` holds fail. */
static enum rc measure_rows(struct measuring *m, str applies, str bad, struct err *e)
{
	struct result r;
	str t = m->table;

	TRY(query_run_ours(m->q,
		      arena_printf(m->a, "SELECT count(*) FILTER (" STR_FMT "), count(*) FILTER (" STR_FMT ") FROM " STR_FMT,
				   STR_ARG(applies), STR_ARG(bad), STR_ARG(t)),
		      1, m->a, &r, e));
	judge_share(m, r.col[0].i[0], r.col[1].i[0]);
	if (m->out->n_failing == 0)
		return RC_OK;
	return take_examples(m, arena_printf(m->a, "SELECT * FROM " STR_FMT " WHERE " STR_FMT, STR_ARG(t), STR_ARG(bad)), e);
}

static str share_bound(struct measuring *m, str what)
{
	return arena_printf(m->a, STR_FMT " in at least %.6g of rows", STR_ARG(what), m->g->mostly);
}

static str limits_text(struct measuring *m)
{
	bool low = has_key(m->g, 1), high = has_key(m->g, 2);

	return low && high ? arena_printf(m->a, "%.15g to %.15g", m->g->min, m->g->max)
	       : low       ? arena_printf(m->a, "at least %.15g", m->g->min)
			   : arena_printf(m->a, "at most %.15g", m->g->max);
}

static enum rc measure_row_count(struct measuring *m, struct err *e)
{
	struct result r;

	TRY(query_run_ours(m->q, arena_printf(m->a, "SELECT count(*) FROM " STR_FMT, STR_ARG(m->table)), 1, m->a, &r, e));
	m->out->value = (double)r.col[0].i[0];
	m->out->n_checked = r.col[0].i[0];
	m->out->bound = arena_printf(m->a, STR_FMT " rows", STR_ARG(limits_text(m)));
	m->out->passed = (!has_key(m->g, 1) || m->out->value >= m->g->min) && (!has_key(m->g, 2) || m->out->value <= m->g->max);
	return RC_OK;
}

static enum rc measure_not_null(struct measuring *m, struct err *e)
{
	str bad = STR("false");

	for (size_t i = 0; i < m->g->columns.n; i++) {
		str name = query_quote_name(m->a, *LIST_AT(m->g->columns, const str, i));
		bad = arena_printf(m->a, STR_FMT " OR " STR_FMT " IS NULL", STR_ARG(bad), STR_ARG(name));
	}
	m->out->bound = share_bound(m, STR("a value"));
	return measure_rows(m, STR("true"), bad, e);
}

static enum rc measure_range(struct measuring *m, struct err *e)
{
	str c = m->column, bad = STR("false");

	if (has_key(m->g, 1))
		bad =
		    arena_printf(m->a, STR_FMT " OR " STR_FMT " < CAST(%.17g AS DOUBLE)", STR_ARG(bad), STR_ARG(c), m->g->min);
	if (has_key(m->g, 2))
		bad =
		    arena_printf(m->a, STR_FMT " OR " STR_FMT " > CAST(%.17g AS DOUBLE)", STR_ARG(bad), STR_ARG(c), m->g->max);
	m->out->bound = share_bound(m, limits_text(m));
	return measure_rows(m, arena_printf(m->a, STR_FMT " IS NOT NULL", STR_ARG(c)),
			    arena_printf(m->a, STR_FMT " IS NOT NULL AND (" STR_FMT ")", STR_ARG(c), STR_ARG(bad)), e);
}

static enum rc measure_accepted(struct measuring *m, struct err *e)
{
	struct buf b = BUF_INIT(4u << 20);
	str c = m->column;

	buf_addf(&b, STR_FMT " IS NOT NULL AND CAST(" STR_FMT " AS VARCHAR) NOT IN (", STR_ARG(c), STR_ARG(c));
	for (size_t i = 0; i < m->g->values.n; i++) {
		buf_add(&b, i > 0 ? STR(", ") : STR(""));
		buf_add(&b, query_quote_text(m->a, *LIST_AT(m->g->values, const str, i)));
	}
	buf_add(&b, m->g->values.n > 0 ? STR(")") : STR("'')"));
	str bad = buf_to_arena(&b, m->a);
	bool whole = !b.overflowed;
	buf_deinit(&b);
	if (!whole)
		return FAIL(e, RC_TOO_LARGE, "too many accepted values");
	m->out->bound = share_bound(m, arena_printf(m->a, "one of %zu values", m->g->values.n));
	return measure_rows(m, arena_printf(m->a, STR_FMT " IS NOT NULL", STR_ARG(c)), bad, e);
}

static enum rc measure_unique(struct measuring *m, struct err *e)
{
	struct result r;
	str t = m->table, c = m->column;

	TRY(query_run_ours(
	    m->q,
	    arena_printf(
		m->a,
		"SELECT CAST(coalesce(sum(n), 0) AS BIGINT), CAST(coalesce(sum(n - 1), 0) AS BIGINT) FROM (SELECT count(*) AS n FROM " STR_FMT
		" GROUP BY " STR_FMT ")",
		STR_ARG(t), STR_ARG(c)),
	    1, m->a, &r, e));
	judge_share(m, r.col[0].i[0], r.col[1].i[0]);
	m->out->bound = share_bound(m, STR("no other row with the same"));
	if (m->out->n_failing == 0)
		return RC_OK;
	return take_examples(m,
			     arena_printf(m->a,
					  "SELECT " STR_FMT ", count(*) AS \"rows\" FROM " STR_FMT " GROUP BY " STR_FMT
					  " HAVING count(*) > 1 ORDER BY count(*) DESC",
					  STR_ARG(c), STR_ARG(t), STR_ARG(c)),
			     e);
}

/* "table.column" as the SQL of its newest value; the column is what stands behind the last dot. */
static str newest_of(struct measuring *m, str relative_to)
{
	size_t dot = 0;

	for (size_t i = 0; i < relative_to.len; i++)
		dot = relative_to.at[i] == '.' ? i : dot;
	CHECK(dot > 0);         /* gate_rules saw to it */
	str table = query_quote_name(m->a, str_head(relative_to, dot)),
	    column = query_quote_name(m->a, str_skip(relative_to, dot + 1));
	return arena_printf(m->a, "(SELECT max(" STR_FMT ") FROM " STR_FMT ")", STR_ARG(column), STR_ARG(table));
}

static void reference_sql(struct measuring *m, str *out)
{
	str to = m->g->relative_to;
	int64_t ms = clock_ms();

	if (to.len == 0 || str_eq(to, STR("now")) || clock_get_rfc3339(to, &ms)) {
		*out = arena_printf(m->a, "make_timestamp(%lld)", (long long)ms * 1000);
		return;
	}
	*out = newest_of(m, to);
}

static enum rc measure_freshness(struct measuring *m, struct err *e)
{
	struct result r;
	str reference, c = m->column, t = m->table;

	reference_sql(m, &reference);
	TRY(query_run_ours(m->q,
		      arena_printf(m->a,
				   "SELECT epoch(CAST(" STR_FMT " AS TIMESTAMP)) - epoch(CAST(max(" STR_FMT
				   ") AS TIMESTAMP)), count(" STR_FMT ") FROM " STR_FMT,
				   STR_ARG(reference), STR_ARG(c), STR_ARG(c), STR_ARG(t)),
		      1, m->a, &r, e));
	str age = clock_duration_text(m->a, m->g->max_age_ms);
	m->out->bound = arena_printf(m->a, "newest at most " STR_FMT " old", STR_ARG(age));
	m->out->n_checked = r.col[1].i[0];
	/* Nothing there is not fresh. */
	bool known = !r.col[0].null[0];
	m->out->value = known ? r.col[0].f[0] : (double)INFINITY;
	m->out->passed = known && m->out->value * 1000 <= (double)m->g->max_age_ms;
	return RC_OK;
}

enum rc lake__gate_measure(struct query *q, const struct gate *g, str table, struct arena *a, struct gate_outcome *out,
			   struct err *e)
{
	static enum rc (*const measure[GATE_KINDS])(struct measuring *m, struct err *e) = {
		[GATE_ROW_COUNT] = measure_row_count, [GATE_NOT_NULL] = measure_not_null, [GATE_RANGE] = measure_range,
		[GATE_ACCEPTED_VALUES] = measure_accepted, [GATE_UNIQUE] = measure_unique, [GATE_FRESHNESS] = measure_freshness,
	};
	struct measuring m = { .q = q, .g = g, .a = a, .table = query_quote_name(a, table), .out = out };

	CHECK(g->kind >= 0 && g->kind < GATE_KINDS);
	m.column = g->columns.n > 0    ? joined(a, &g->columns, true)
		   : g->column.len > 0 ? query_quote_name(a, g->column)
				       : STR("");
	*out = (struct gate_outcome){ .step = table, .gate = str_of(gate_kind_names[g->kind]),
				      .column = g->columns.n > 0 ? joined(a, &g->columns, false) : g->column };
	return measure[g->kind](&m, e);
}
