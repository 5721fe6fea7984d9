/* infer.c -- from a request's tensors to predictions on record.
 *
 * No SQL, no lock but the short ones of the plan table and the prediction log, no allocation outside the request's arena. */
#include "modules/gateway/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"

struct working {
	struct plan *p;
	const struct ask *ask;
	struct arena *a;
	struct answer *out;
	size_t n;                       /* rows */
	float *x;                       /* n × n_column */
	str *key;                       /* n × n_key */
	bool *has_key;                  /* n_key */
	int64_t now_ms;                 /* for ages of features; 0: as the endpoint says */
	str view_ids;
};

/* --- what is wrong ------------------------------------------------------------------------------------------------------ */

static str input_names(const struct plan *p, struct arena *a)
{
	str out = STR("");

	for (size_t i = 0; i < p->n_input; i++)
		out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(out), i > 0 ? ", " : "", STR_ARG(p->input[i].name));
	return out;
}

static enum rc unknown_tensor(const struct working *w, const struct tensor *t, struct err *e)
{
	const struct plan *p = w->p;
	str name = str_head(t->name, 90);

	for (size_t v = 0; v < p->n_view; v++) {
		for (size_t i = 0; i < p->view[v].n_feature; i++) {
			if (str_eq(p->column[p->view[v].column[i]], t->name)) {
				(void)FAIL(e, RC_INVALID, "tensor '" STR_FMT "' is read from feature view " STR_FMT " by its join keys and cannot be given",
					   STR_ARG(name), STR_ARG(p->view[v].name));
				return err_field(e, STR_FMT, STR_ARG(name));
			}
		}
	}
	str all = input_names(p, w->a);
	(void)FAIL(e, RC_INVALID, "there is no input '" STR_FMT "'; the inputs are " STR_FMT, STR_ARG(name), STR_ARG(str_head(all, 300)));
	return err_field(e, STR_FMT, STR_ARG(name));
}

static enum rc bad_shape(const struct working *w, const struct tensor *t, struct err *e)
{
	str shape = oip_shape_text(t, w->a);

	if (w->n == 0)
		(void)FAIL(e, RC_INVALID, "tensor '" STR_FMT "' has the shape " STR_FMT "; expected is [n] or [n,1] with n from 1",
			   STR_ARG(str_head(t->name, 90)), STR_ARG(shape));
	else
		(void)FAIL(e, RC_INVALID, "tensor '" STR_FMT "' has the shape " STR_FMT " where the first tensor has %zu rows",
			   STR_ARG(str_head(t->name, 90)), STR_ARG(shape), w->n);
	return err_field(e, STR_FMT, STR_ARG(str_head(t->name, 90)));
}

static enum rc bad_type(const struct tensor *t, const char *expected, struct err *e)
{
	(void)FAIL(e, RC_INVALID, "tensor '" STR_FMT "' is %s; expected is %s", STR_ARG(str_head(t->name, 90)), dtype_names[t->type], expected);
	return err_field(e, STR_FMT, STR_ARG(str_head(t->name, 90)));
}

/* --- limits ------------------------------------------------------------------------------------------------------------- */

static enum rc admit(const struct working *w, struct err *e)
{
	const struct endpoint *d = &w->p->def;
	uint64_t wait_ns = 0, waited_ms = (clock_ns() - w->ask->start_ns) / 1000000;
	const struct oip_param *timeout = oip_param_find(w->ask->r, STR("timeout"));   /* microseconds */
	double limit_ms = (double)d->timeout_ms;

	if ((int64_t)w->n > d->max_batch_rows)
		return FAIL(e, RC_TOO_LARGE, "the batch has %zu rows; endpoint '" STR_FMT "' takes at most %lld at once", w->n, STR_ARG(d->name),
			    (long long)d->max_batch_rows);
	if (timeout != NULL && timeout->number > 0 && timeout->number / 1e3 < limit_ms)
		limit_ms = timeout->number / 1e3;
	if (limit_ms > 0 && (double)waited_ms > limit_ms)
		return FAIL(e, RC_TIMEOUT, "the request waited %llu ms, longer than its timeout of %.0f ms", (unsigned long long)waited_ms, limit_ms);
	if (w->ask->record && !limiter_take(&w->p->live->limiter, d->rate.per_second, d->rate.burst, (double)w->n, clock_ns(), &wait_ns))
		return FAIL(e, RC_LIMIT, "endpoint '" STR_FMT "' allows %g predictions a second (%g at once); try again in %.3f s", STR_ARG(d->name),
			    d->rate.per_second, d->rate.burst, (double)wait_ns / 1e9);
	return RC_OK;
}

/* The time that ages of features are counted from, where the caller says it. */
static enum rc read_as_of(struct working *w, struct err *e)
{
	const struct oip_param *p = oip_param_find(w->ask->r, STR("as_of"));

	if (p == NULL)
		return RC_OK;
	if (p->kind == OIP_NUMBER && p->number > 0 && p->number < 1e15)
		w->now_ms = (int64_t)p->number;
	else if (p->kind != OIP_TEXT || !clock_get_rfc3339(p->text, &w->now_ms))
		return FAIL(e, RC_INVALID, "parameter as_of is a time as 2026-01-31T12:00:00Z, or milliseconds since 1970");
	return RC_OK;
}

/* --- the matrix ---------------------------------------------------------------------------------------------------------- */

static void fill_column(struct working *w, const struct tensor *t, size_t column)
{
	size_t k = w->p->n_column;
	float *x = w->x + column;

	if (t->type == DT_FP32) {
		for (size_t i = 0; i < w->n; i++)
			x[i * k] = ((const float *)t->data)[i];
	} else {
		for (size_t i = 0; i < w->n; i++)
			x[i * k] = (float)oip_number(t, i);
	}
}

static void fill_key(struct working *w, const struct tensor *t, size_t key)
{
	size_t k = w->p->n_key;

	w->has_key[key] = true;
	for (size_t i = 0; i < w->n; i++) {
		if (t->type == DT_BYTES) {
			w->key[i * k + key] = ((const str *)t->data)[i];
		} else {
			char *text = arena_alloc_raw(w->a, NUM_TEXT_MAX);
			size_t n = t->type == DT_UINT64 ? num_put_u64(text, ((const uint64_t *)t->data)[i]) : num_put_i64(text, (int64_t)oip_number(t, i));
			w->key[i * k + key] = str_n(text, n);
		}
	}
}

static enum rc take_tensor(struct working *w, const struct tensor *t, struct err *e)
{
	bool known = false;

	for (size_t i = 0; i < w->p->n_input; i++) {
		const struct plan_input *in = &w->p->input[i];
		if (!str_eq(in->name, t->name))
			continue;
		known = true;
		if (in->from == FROM_COLUMN) {
			if (t->type == DT_BYTES)
				return bad_type(t, "a number type, as FP32", e);
			fill_column(w, t, in->index);
		} else {
			if (t->type != DT_BYTES && !oip_is_integer(t->type))
				return bad_type(t, "BYTES, as it is a join key", e);
			fill_key(w, t, in->index);
		}
	}
	return known ? RC_OK : unknown_tensor(w, t, e);
}

static bool fits_rows(const struct working *w, const struct tensor *t)
{
	bool column = t->n_dim == 1 || (t->n_dim == 2 && t->dim[1] == 1);

	return column && t->dim[0] > 0 && (w->n == 0 || (size_t)t->dim[0] == w->n);
}

static void make_matrix(struct working *w)
{
	size_t n = w->n * w->p->n_column;

	w->x = arena_alloc_raw(w->a, (n > 0 ? n : 1) * sizeof(float));
	for (size_t i = 0; i < n; i++)
		w->x[i] = NAN;
	w->key = ARENA_ARRAY(w->a, str, w->n * w->p->n_key);
	w->has_key = ARENA_ARRAY(w->a, bool, w->p->n_key);
}

static enum rc take_tensors(struct working *w, struct err *e)
{
	const struct oip_request *r = w->ask->r;
	size_t n_given = 0;

	for (size_t i = 0; i < r->n_in; i++) {
		if (!fits_rows(w, &r->in[i])) {
			/* An unknown name is the better message where both are wrong. */
			bool known = false;
			for (size_t k = 0; k < w->p->n_input; k++)
				known = known || str_eq(w->p->input[k].name, r->in[i].name);
			return known ? bad_shape(w, &r->in[i], e) : unknown_tensor(w, &r->in[i], e);
		}
		w->n = (size_t)r->in[i].dim[0];
	}
	TRY(admit(w, e));
	make_matrix(w);
	for (size_t i = 0; i < r->n_in; i++)
		TRY(take_tensor(w, &r->in[i], e));
	for (size_t i = 0; i < w->p->n_input; i++) {
		for (size_t k = 0; k < r->n_in; k++)
			n_given += str_eq(w->p->input[i].name, r->in[k].name);
	}
	w->out->n_missing = w->p->n_input - n_given;
	return RC_OK;
}

/* --- features ------------------------------------------------------------------------------------------------------------- */

static int64_t feature_now(const struct working *w, const struct plan_view *v)
{
	if (w->now_ms != 0)
		return w->now_ms;
	return w->p->def.feature_time == FEATURE_TIME_MATERIALISED ? v->as_of_ms : clock_ms();
}

static enum rc read_view(struct working *w, const struct plan_view *v, struct err *e)
{
	size_t k = w->p->n_column;
	str *key = ARENA_ARRAY(w->a, str, w->n * v->n_key);
	struct online_row *row = ARENA_ARRAY(w->a, struct online_row, w->n);

	for (size_t j = 0; j < v->n_key; j++) {
		if (!w->has_key[v->key[j]]) {
			w->out->status[FEATURE_NOT_FOUND] += w->n * v->n_feature;
			return RC_OK;
		}
		for (size_t i = 0; i < w->n; i++)
			key[i * v->n_key + j] = w->key[i * w->p->n_key + v->key[j]];
	}
	TRY(features_read(v->reader, key, w->n, feature_now(w, v), w->a, row, e));
	for (size_t i = 0; i < w->n; i++) {
		for (size_t f = 0; f < v->n_feature; f++) {
			enum feature_status status = row[i].value != NULL ? row[i].value[f].status : FEATURE_NOT_FOUND;
			w->out->status[status]++;
			if (status == FEATURE_PRESENT)
				w->x[i * k + v->column[f]] = (float)row[i].value[f].number;
		}
	}
	str id = features_reader_materialisation(v->reader);
	if (id.len > 0)
		w->view_ids = arena_printf(w->a, STR_FMT "%s" STR_FMT "@" STR_FMT, STR_ARG(w->view_ids), w->view_ids.len > 0 ? "," : "",
					   STR_ARG(v->name), STR_ARG(id));
	return RC_OK;
}

/* --- on record -------------------------------------------------------------------------------------------------------------- */

/* Of several classes the likeliest one's number. */
static double row_output(const struct tensor *t, size_t n, size_t i)
{
	if (t == NULL || t->type == DT_BYTES || n == 0 || t->n < n)
		return (double)NAN;
	size_t width = t->n / n, best = 0;
	if (width == 1)
		return oip_number(t, i);
	for (size_t k = 1; k < width; k++) {
		if (oip_number(t, i * width + k) > oip_number(t, i * width + best))
			best = k;
	}
	return (double)best;
}

static enum rc record(struct working *w, const struct tensor *output, struct err *e)
{
	size_t n = w->n, k = w->x != NULL ? w->p->n_column : 0;
	struct prediction *row = ARENA_ARRAY(w->a, struct prediction, n);
	double *input = ARENA_ARRAY(w->a, double, n * k);
	int64_t now = clock_ms();
	uint64_t latency = clock_ns() - w->ask->start_ns;

	for (size_t i = 0; i < n * k; i++)
		input[i] = (double)w->x[i];
	id_put(w->out->id, "pr");
	for (size_t i = 0; i < n; i++)
		row[i] = (struct prediction){ .id = n == 1 ? str_of(w->out->id) : arena_printf(w->a, "%s.%zu", w->out->id, i),
					      .request_id = w->ask->r->id, .at_ms = now, .input = input + i * k, .output = row_output(output, n, i),
					      .latency_ns = latency, .view_ids = w->view_ids };
	TRY(observe_predictions(w->p->watch, row, n, e));
	atomic_fetch_add(&w->p->g->n_answered, n);
	w->out->recorded = true;
	return RC_OK;
}

/* --- the two kinds of models --------------------------------------------------------------------------------------------------- */

/* All columns at once, features too, as the model itself takes them: for checks, and for callers that bring everything. */
static bool is_whole_matrix(const struct plan *p, const struct oip_request *r)
{
	if (r->n_in != 1 || !str_eq(r->in[0].name, p->in.name))
		return false;
	for (size_t i = 0; i < p->n_input; i++) {
		if (str_eq(p->input[i].name, p->in.name))
			return false;
	}
	return true;
}

static enum rc take_matrix(struct working *w, struct err *e)
{
	const struct tensor *t = &w->ask->r->in[0];

	if (t->type == DT_BYTES)
		return bad_type(t, "a number type, as FP32", e);
	if (t->n_dim != 2 || t->dim[0] < 1 || (size_t)t->dim[1] != w->p->n_column) {
		(void)FAIL(e, RC_INVALID, "tensor '" STR_FMT "' has the shape " STR_FMT "; expected is [n,%zu], or an input for each column",
			   STR_ARG(str_head(t->name, 90)), STR_ARG(oip_shape_text(t, w->a)), w->p->n_column);
		return err_field(e, STR_FMT, STR_ARG(str_head(t->name, 90)));
	}
	w->n = (size_t)t->dim[0];
	TRY(admit(w, e));
	make_matrix(w);
	for (size_t i = 0; i < t->n; i++)
		w->x[i] = (float)oip_number(t, i);
	return RC_OK;
}

static enum rc infer_columns(struct working *w, struct err *e)
{
	struct plan *p = w->p;
	bool whole = is_whole_matrix(p, w->ask->r);

	TRY(whole ? take_matrix(w, e) : take_tensors(w, e));
	for (size_t v = 0; v < p->n_view && !whole; v++)
		TRY(read_view(w, &p->view[v], e));
	struct tensor in = { .name = p->in.name, .type = DT_FP32, .n_dim = 2, .dim = { (int64_t)w->n, (int64_t)p->n_column }, .data = w->x,
			     .n = w->n * p->n_column };
	TRY(served_infer(p->model, &in, 1, w->a, w->out->out, &w->out->n_out, e));
	struct tensor *t = w->out->n_out > 0 ? &w->out->out[0] : NULL;
	if (t != NULL && t->n_dim == 2 && t->dim[1] == 1)
		t->n_dim = 1;   /* a number for each row */
	if (t != NULL)
		t->name = p->output;
	return w->ask->record ? record(w, t, e) : RC_OK;
}

static enum rc infer_tensors(struct working *w, struct err *e)
{
	const struct oip_request *r = w->ask->r;

	w->n = r->in[0].n_dim > 0 && r->in[0].dim[0] > 0 ? (size_t)r->in[0].dim[0] : 1;
	TRY(admit(w, e));
	TRY(served_infer(w->p->model, r->in, r->n_in, w->a, w->out->out, &w->out->n_out, e));
	return w->ask->record ? record(w, w->out->n_out > 0 ? &w->out->out[0] : NULL, e) : RC_OK;
}

enum rc gateway__infer(struct plan *p, const struct ask *ask, struct arena *a, struct answer *out, struct err *e)
{
	struct working w = { .p = p, .ask = ask, .a = a, .out = out, .view_ids = STR("") };

	CHECK(ask->r->n_in > 0);
	*out = (struct answer){ .out = ARENA_ARRAY(a, struct tensor, SERVED_OUTPUTS_MAX), .n_out = SERVED_OUTPUTS_MAX };
	TRY(read_as_of(&w, e));
	TRY(p->by_column ? infer_columns(&w, e) : infer_tensors(&w, e));
	out->n_rows = w.n;
	return RC_OK;
}
