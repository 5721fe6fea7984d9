/* tensor.c -- data types and shapes: what they are called, and whether they fit. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "modules/serve/runtime.h"

const char *const dtype_names[] = {
	[DT_BOOL] = "BOOL", [DT_UINT8] = "UINT8", [DT_UINT16] = "UINT16", [DT_UINT32] = "UINT32", [DT_UINT64] = "UINT64",
	[DT_INT8] = "INT8", [DT_INT16] = "INT16", [DT_INT32] = "INT32", [DT_INT64] = "INT64",
	[DT_FP16] = "FP16", [DT_FP32] = "FP32", [DT_FP64] = "FP64", [DT_BYTES] = "BYTES", [DT_COUNT] = NULL,
};

size_t dtype_size(enum dtype t)
{
	static const uint8_t size[DT_COUNT] = {
		[DT_BOOL] = 1, [DT_UINT8] = 1, [DT_UINT16] = 2, [DT_UINT32] = 4, [DT_UINT64] = 8, [DT_INT8] = 1, [DT_INT16] = 2,
		[DT_INT32] = 4, [DT_INT64] = 8, [DT_FP16] = 2, [DT_FP32] = 4, [DT_FP64] = 8, [DT_BYTES] = 0,
	};

	CHECK(t < DT_COUNT);
	return size[t];
}

str tensor_text(struct arena *a, enum dtype type, const int64_t *dim, size_t n_dim)
{
	str out = arena_printf(a, "%s[", dtype_names[type]);

	for (size_t i = 0; i < n_dim; i++)
		out = arena_printf(a, STR_FMT "%s%lld", STR_ARG(out), i > 0 ? "," : "", (long long)dim[i]);
	return arena_printf(a, STR_FMT "]", STR_ARG(out));
}

struct tensor tensor_zero(struct arena *a, const struct tensor_spec *spec)
{
	struct tensor t = { .name = spec->name, .type = spec->type, .n_dim = spec->n_dim, .n = 1 };

	for (size_t i = 0; i < spec->n_dim; i++) {
		t.dim[i] = spec->dim[i] < 0 ? 1 : spec->dim[i];
		t.n *= (size_t)t.dim[i];
	}
	t.data = arena_alloc_n(a, t.n > 0 ? t.n : 1, spec->type == DT_BYTES ? sizeof(str) : dtype_size(spec->type));
	return t;
}

bool tensor_equal(const struct tensor *a, const struct tensor *b)
{
	if (a->type != b->type || a->n != b->n || a->n_dim != b->n_dim ||
	    memcmp(a->dim, b->dim, a->n_dim * sizeof(a->dim[0])) != 0)
		return false;
	if (a->type != DT_BYTES)
		return memcmp(a->data, b->data, a->n * dtype_size(a->type)) == 0;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(((const str *)a->data)[i], ((const str *)b->data)[i]))
			return false;
	return true;
}

/* --- do the inputs fit? ------------------------------------------------------------------------ */

static bool shape_fits(const struct tensor_spec *spec, const struct tensor *t)
{
	if (t->n_dim != spec->n_dim)
		return false;
	for (size_t i = 0; i < t->n_dim; i++)
		if (t->dim[i] < 1 || (spec->dim[i] >= 0 && t->dim[i] != spec->dim[i]))
			return false;
	return true;
}

/* The elements that the dimensions make; false when they are more than memory can hold. */
static bool count_fits(const struct tensor *t)
{
	size_t n = 1;

	for (size_t i = 0; i < t->n_dim; i++)
		if (__builtin_mul_overflow(n, (size_t)t->dim[i], &n))
			return false;
	return n == t->n;
}

static enum rc match(const struct tensor_spec *spec, const struct tensor *t, struct err *e)
{
	struct arena a;
	enum rc rc = RC_OK;

	if (t->type == spec->type && shape_fits(spec, t) && count_fits(t))
		return RC_OK;
	CHECK(t->type < DT_COUNT);
	CHECK(t->n_dim <= TENSOR_DIMS_MAX);
	arena_init(&a);
	str given = tensor_text(&a, t->type, t->dim, t->n_dim), expected = tensor_text(&a, spec->type, spec->dim, spec->n_dim);
	if (t->type != spec->type || !shape_fits(spec, t))
		rc = FAIL(e, RC_INVALID, "input '" STR_FMT "' is " STR_FMT "; expected is " STR_FMT "%s", STR_ARG(spec->name),
			  STR_ARG(given), STR_ARG(expected),
			  str_find(expected, STR("-1")) >= 0 ? " with any size from 1 for -1" : "");
	else
		rc = FAIL(e, RC_INVALID, "input '" STR_FMT "' is " STR_FMT " but has %zu elements", STR_ARG(spec->name), STR_ARG(given),
			  t->n);
	arena_deinit(&a);
	return err_field(e, STR_FMT, STR_ARG(spec->name)), rc;
}

static enum rc names_text(const struct tensor_spec *spec, size_t n, const char *what, str name, struct err *e)
{
	struct buf b = BUF_INIT(300);

	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(spec[i].name));
	enum rc rc = FAIL(e, RC_INVALID, "%s '" STR_FMT "'; the inputs are " STR_FMT "%s", what, STR_ARG(name), STR_ARG(buf_str(&b)),
			  b.overflowed ? ", …" : "");
	buf_deinit(&b);
	return err_field(e, STR_FMT, STR_ARG(name)), rc;
}

enum rc tensors_match(const struct tensor_spec *spec, size_t n_spec, const struct tensor *in, size_t n_in,
		      struct tensor *out, struct err *e)
{
	for (size_t i = 0; i < n_spec; i++) {
		const struct tensor *found = NULL;
		for (size_t j = 0; j < n_in; j++) {
			if (!str_eq(in[j].name, spec[i].name))
				continue;
			if (found != NULL)
				return names_text(spec, n_spec, "there is more than one input", spec[i].name, e);
			found = &in[j];
		}
		if (found == NULL)
			return names_text(spec, n_spec, "there is no input", spec[i].name, e);
		TRY(match(&spec[i], found, e));
		out[i] = *found;
	}
	if (n_in == n_spec)
		return RC_OK;
	for (size_t j = 0; j < n_in; j++) {
		size_t i = 0;
		while (i < n_spec && !str_eq(in[j].name, spec[i].name))
			i++;
		if (i == n_spec)
			return names_text(spec, n_spec, "the model has no input", in[j].name, e);
	}
	UNREACHABLE("more inputs than specs, all of them found once");
}
