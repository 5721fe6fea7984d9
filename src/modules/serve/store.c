/* store.c -- what serve reads with SQL: the held-out rows of a model's training set. */
#include <math.h>

#include "io/blob.h"
#include "io/query.h"
#include "modules/features/features.h"
#include "modules/serve/serve_int.h"

#define HELD_OUT_SHARE 5        /* the newest fifth, where the training set says no split: as trainers do */

static str select_text(const struct training_set *ts, const struct model_spec *spec, struct arena *a)
{
	struct buf b = BUF_INIT(1u << 20);
	str time = query_quote_name(a, ts->time_column), label = query_quote_name(a, ts->label);

	for (size_t i = 0; i < spec->inputs.n; i++)
		buf_addf(&b, "%sTRY_CAST(" STR_FMT " AS DOUBLE)", i > 0 ? ", " : "SELECT ",
			 STR_ARG(query_quote_name(a, LIST_AT(spec->inputs, struct model_input, i)->name)));
	buf_addf(&b, " FROM training_set WHERE " STR_FMT " IS NOT NULL AND " STR_FMT " IS NOT NULL", STR_ARG(label), STR_ARG(time));
	if (ts->split_ms != 0)
		buf_addf(&b, " AND epoch_ms(CAST(" STR_FMT " AS TIMESTAMP)) >= %lld LIMIT %d", STR_ARG(time), (long long)ts->split_ms, HELD_OUT_MAX);
	else
		buf_addf(&b, " ORDER BY " STR_FMT " DESC LIMIT %lld", STR_ARG(time),
			 (long long)(ts->n_rows / HELD_OUT_SHARE < HELD_OUT_MAX ? ts->n_rows / HELD_OUT_SHARE : HELD_OUT_MAX));
	CHECK(!b.overflowed);
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}

static enum rc select_rows(struct serve *s, const struct training_set *ts, const struct model_spec *spec, struct arena *a, struct result *r,
			   struct err *e)
{
	struct query *q;
	str path;

	TRY(blob_path(s->core->blobs, ts->blob, a, &path, e));
	TRY(query_open(s->core->query, &q, e));
	enum rc rc = query_bind_parquet(q, STR("training_set"), path, e);
	if (rc == RC_OK)
		rc = query_run(q, select_text(ts, spec, a), HELD_OUT_MAX, a, r, e);
	query_close(&q);
	return rc == RC_OK ? rc : err_wrap(e, "training set '" STR_FMT "'", STR_ARG(ts->name));
}

enum rc serve__held_out(struct serve *s, const struct model_spec *spec, struct arena *a, float **x_out, size_t *n_out, struct err *e)
{
	struct features *features = core_module_find(s->core, "features");
	struct training_set ts;
	struct result r = { 0 };

	*n_out = 0;
	if (features == NULL || spec->training_set.len == 0 || spec->inputs.n == 0)
		return RC_OK;
	struct err why = ERR_INIT;
	enum rc rc = features_training_set(features, a, spec->training_set, &ts, &why);
	if (rc == RC_OK)
		rc = select_rows(s, &ts, spec, a, &r, &why);
	if (rc == RC_NOT_FOUND || rc == RC_UNAVAILABLE)
		return RC_OK;   /* it was deleted since, or there is no engine to read it with */
	if (rc != RC_OK) {
		*e = why;
		return rc;
	}
	float *x = arena_alloc_n(a, r.n * r.n_col + 1, sizeof(*x));
	for (size_t c = 0; c < r.n_col; c++)
		for (size_t i = 0; i < r.n; i++)
			x[i * r.n_col + c] = r.col[c].null[i] ? NAN : (float)r.col[c].f[i];
	*x_out = x;
	*n_out = r.n;
	return RC_OK;
}
