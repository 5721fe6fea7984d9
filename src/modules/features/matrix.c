/* matrix.c -- a training set as the matrix that trainers take, and those who check models against what was held out. */
#include <math.h>
#include <string.h>

#include "io/blob.h"
#include "io/query.h"
#include "modules/features/features_int.h"

#define MATRIX_ROWS_MAX 5000000
#define HELD_OUT 0.2    /* the newest part of the rows, when the training set says no split */

static str column_list(const struct training_set *ts, struct arena *a)
{
	struct buf b = BUF_INIT(1u << 20);

	buf_addf(&b, "epoch_ms(CAST(" STR_FMT " AS TIMESTAMP)), CAST(" STR_FMT " AS DOUBLE)",
		 STR_ARG(query_quote_name(a, ts->time_column)), STR_ARG(query_quote_name(a, ts->label)));
	for (size_t i = 0; i < ts->columns.n; i++)
		buf_addf(&b, ", CAST(" STR_FMT " AS DOUBLE)", STR_ARG(query_quote_name(a, *LIST_AT(ts->columns, str, i))));
	CHECK(!b.overflowed);
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}

static enum rc check_inputs(const struct training_set *ts, struct err *e)
{
	if (ts->columns.n == 0)
		return FAIL(e, RC_INVALID, "training set '" STR_FMT "' has no inputs", STR_ARG(ts->name));
	for (size_t i = 0; i < ts->inputs.n; i++) {
		const struct training_input *in = LIST_AT(ts->inputs, struct training_input, i);
		if (str_eq(in->type, STR("string")) || str_eq(in->type, STR("time")))
			return FAIL(e, RC_INVALID, "input '" STR_FMT "' is of type " STR_FMT ", and a matrix takes numbers: leave it out, or compute a "
				    "number from it in the pipeline", STR_ARG(in->name), STR_ARG(in->type));
	}
	return RC_OK;
}

static float as_float(const struct result_col *c, size_t row)
{
	return c->null[row] ? NAN : (float)c->f[row];
}

static enum rc fill(const struct training_set *ts, const struct result *r, struct arena *a, struct training_matrix *m, struct err *e)
{
	size_t n_col = ts->columns.n;

	CHECK(r->n_col == n_col + 2);
	m->n_col = n_col;
	m->x = arena_alloc_n(a, r->n * n_col, sizeof(float));
	m->y = arena_alloc_n(a, r->n, sizeof(float));
	m->name = ARENA_ARRAY(a, const char *, n_col);
	for (size_t c = 0; c < n_col; c++)
		m->name[c] = arena_cstr(a, *LIST_AT(ts->columns, str, c));
	for (size_t i = 0; i < r->n; i++) {
		m->y[i] = as_float(&r->col[1], i);
		m->n_train += ts->split_ms != 0 && r->col[0].i[i] < ts->split_ms;
		for (size_t c = 0; c < n_col; c++)
			m->x[i * n_col + c] = as_float(&r->col[c + 2], i);
	}
	if (ts->split_ms == 0)
		m->n_train = r->n - (size_t)((double)r->n * HELD_OUT);
	m->n_valid = r->n - m->n_train;
	if (m->n_train < 10 || m->n_valid < 10)
		return FAIL(e, RC_INVALID, "training set '" STR_FMT "' has %zu rows before its split and %zu from there on; both need 10",
			    STR_ARG(ts->name), m->n_train, m->n_valid);
	for (size_t i = 0; i < m->n_train; i++)
		m->y_mean += (double)m->y[i] / (double)m->n_train;
	return RC_OK;
}

/* By time, and where times agree by the rest, so that the same set gives the same model. */
static enum rc select_rows(struct query *q, const struct training_set *ts, str path, struct arena *a, struct result *r, struct err *e)
{
	str time = query_quote_name(a, ts->time_column), label = query_quote_name(a, ts->label);

	TRY(query_bind_parquet(q, STR("training_set"), path, e));
	return query_run(q, arena_printf(a, "SELECT " STR_FMT " FROM training_set WHERE " STR_FMT " IS NOT NULL AND " STR_FMT
					 " IS NOT NULL ORDER BY ALL", STR_ARG(column_list(ts, a)), STR_ARG(label), STR_ARG(time)),
			 MATRIX_ROWS_MAX, a, r, e);
}

enum rc features_matrix(struct features *f, const struct training_set *ts, struct arena *a, struct training_matrix *out, struct err *e)
{
	struct training_matrix m = { 0 };
	struct result r;
	struct query *q;
	str path;

	TRY(check_inputs(ts, e));
	TRY(blob_path(f->core->blobs, ts->blob, a, &path, e));
	TRY(query_open(f->core->query, &q, e));
	enum rc rc = select_rows(q, ts, path, a, &r, e);
	query_close(&q);
	if (rc != RC_OK)
		return err_wrap(e, "training set '" STR_FMT "'", STR_ARG(ts->name));
	TRY(fill(ts, &r, a, &m, e));
	*out = m;
	return RC_OK;
}
