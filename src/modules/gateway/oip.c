/* oip.c -- reading and writing of the Open Inference Protocol's messages. */
#include "modules/gateway/oip.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/vec.h"

struct decoding {
	struct json_source src;
	struct arena *a;
	str body;
	struct oip_request *out;
	VEC(struct tensor) in;
	VEC(int64_t) binary_size;       /* per input; -1: data stood in the JSON */
	VEC(struct oip_output) output;
	VEC(bool) output_says;          /* per output: it said how it wants to come */
	VEC(struct oip_param) param;
};

static enum rc next(struct decoding *d, struct token *t, struct err *e)
{
	return token_next(&d->src.super, t, e);
}

static enum rc expect(struct decoding *d, enum token_kind kind, const char *what, struct token *t, struct err *e)
{
	TRY(next(d, t, e));
	if (t->kind != kind)
		return FAIL(e, RC_INVALID, "%s is expected", what);
	return RC_OK;
}

/* --- elements --------------------------------------------------------------------------------------------------- */

static size_t element_size(enum dtype t)
{
	return t == DT_BYTES ? sizeof(str) : dtype_size(t);
}

bool oip_is_integer(enum dtype t)
{
	return t >= DT_UINT8 && t <= DT_INT64;
}

static float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, fraction = h & 1023u, bits;
	float f;

	if (exponent == 0) {
		f = (float)fraction * 0x1p-24f;
		return sign != 0 ? -f : f;
	}
	bits = sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | fraction << 13;
	memcpy(&f, &bits, sizeof(f));
	return f;
}

double oip_number(const struct tensor *t, size_t i)
{
	CHECK(i < t->n);
	switch (t->type) {
	case DT_BOOL: case DT_UINT8: return ((const uint8_t *)t->data)[i];
	case DT_UINT16: return ((const uint16_t *)t->data)[i];
	case DT_UINT32: return ((const uint32_t *)t->data)[i];
	case DT_UINT64: return (double)((const uint64_t *)t->data)[i];
	case DT_INT8: return ((const int8_t *)t->data)[i];
	case DT_INT16: return ((const int16_t *)t->data)[i];
	case DT_INT32: return ((const int32_t *)t->data)[i];
	case DT_INT64: return (double)((const int64_t *)t->data)[i];
	case DT_FP16: return half_to_float(((const uint16_t *)t->data)[i]);
	case DT_FP32: return ((const float *)t->data)[i];
	case DT_FP64: return ((const double *)t->data)[i];
	case DT_BYTES: case DT_COUNT: break;
	}
	UNREACHABLE("a number is asked of text");
}

/* What an integer type holds. */
static const struct { int64_t min; uint64_t max; } ranges[DT_COUNT] = {
	[DT_UINT8] = { 0, UINT8_MAX }, [DT_UINT16] = { 0, UINT16_MAX }, [DT_UINT32] = { 0, UINT32_MAX }, [DT_UINT64] = { 0, UINT64_MAX },
	[DT_INT8] = { INT8_MIN, INT8_MAX }, [DT_INT16] = { INT16_MIN, INT16_MAX }, [DT_INT32] = { INT32_MIN, INT32_MAX },
	[DT_INT64] = { INT64_MIN, INT64_MAX },
};

static void store_integer(struct tensor *t, size_t i, uint64_t v)
{
	/* Little-endian: the low bytes are the value in every width. */
	memcpy((char *)t->data + i * dtype_size(t->type), &v, dtype_size(t->type));
}

static bool read_integer(enum dtype type, str text, uint64_t *out)
{
	int64_t v;
	double f;

	if (str_to_i64(text, &v)) {
		*out = (uint64_t)v;
		return v < 0 ? v >= ranges[type].min : (uint64_t)v <= ranges[type].max;
	}
	if (str_to_u64(text, out))
		return *out <= ranges[type].max;
	/* "3.0" is what some clients write for whole numbers. */
	if (num_get_f64(text.at, text.at + text.len, &f) != text.len || f != floor(f) || fabs(f) > 0x1p53)
		return false;
	*out = (uint64_t)(int64_t)f;
	return f < 0 ? (int64_t)f >= ranges[type].min : (uint64_t)f <= ranges[type].max;
}

/* NaN and infinities as words come as TOK_NUMBER from Python, as strings from writers of strict JSON; null is missing. */
static bool read_float(const struct token *t, double *out)
{
	if (t->kind == TOK_NUMBER) {
		size_t n = num_get_f64(t->text.at, t->text.at + t->text.len, out);
		return n == t->text.len || str_to_f64(t->text, out);
	}
	if (t->kind == TOK_NULL) {
		*out = (double)NAN;
		return true;
	}
	return t->kind == TOK_STRING && (str_eq(t->text, STR("NaN")) || str_ends(t->text, STR("Infinity"))) && str_to_f64(t->text, out);
}

static bool store_element(struct tensor *t, size_t i, const struct token *v)
{
	uint64_t bits;
	double f;

	switch (t->type) {
	case DT_BYTES:
		((str *)t->data)[i] = v->text;
		return v->kind == TOK_STRING;
	case DT_BOOL:
		if (v->kind == TOK_NUMBER && (str_eq(v->text, STR("0")) || str_eq(v->text, STR("1"))))
			((uint8_t *)t->data)[i] = v->text.at[0] == '1';
		else if (v->kind == TOK_BOOL)
			((uint8_t *)t->data)[i] = v->flag;
		else
			return false;
		return true;
	case DT_FP32:
		if (!read_float(v, &f))
			return false;
		((float *)t->data)[i] = (float)f;
		return true;
	case DT_FP64:
		return read_float(v, &((double *)t->data)[i]);
	case DT_FP16: case DT_COUNT:
		return false;
	default:
		break;
	}
	if (v->kind != TOK_NUMBER || !read_integer(t->type, v->text, &bits))
		return false;
	store_integer(t, i, bits);
	return true;
}

/* --- data in JSON -------------------------------------------------------------------------------------------------- */

static enum rc bad_tensor(const struct tensor *t, struct err *e)
{
	(void)err_wrap(e, "tensor '" STR_FMT "'", STR_ARG(str_head(t->name, 200)));
	return err_field(e, STR_FMT, STR_ARG(str_head(t->name, 90)));
}

static enum rc bad_element(const struct tensor *t, size_t i, const struct token *v, struct err *e)
{
	static const char *const kinds[] = { [TOK_NULL] = "null", [TOK_BOOL] = "a boolean", [TOK_STRING] = "a text" };
	const char *what = v->kind <= TOK_STRING ? kinds[v->kind] : NULL;

	if (what != NULL)
		return FAIL(e, RC_INVALID, "element %zu is %s, which %s does not hold", i, what, dtype_names[t->type]);
	return FAIL(e, RC_INVALID, "element %zu is " STR_FMT ", which %s does not hold", i, STR_ARG(str_head(v->text, 40)), dtype_names[t->type]);
}

/* A run of numbers of a float type, read where it stands: what the pulled tokens would give, at a fraction of the time.
 * Stops before anything else than a plain number followed by a comma; the tokens take over there. */
static size_t float_run(struct json_source *s, struct tensor *t, size_t i)
{
	const char *p = s->at;
	double f;

	for (; i < t->n; i++) {
		/* behind a comma: a digit from 1, or 0 and a dot, maybe behind a minus */
		while (p < s->end && (*p == ' ' || *p == '\n'))
			p++;
		const char *q = p < s->end && *p == '-' ? p + 1 : p;
		if (s->end - q < 2 || !((*q >= '1' && *q <= '9') || (*q == '0' && q[1] == '.')))
			break;
		size_t n = num_get_f64(p, s->end, &f);
		if (n == 0 || p + n >= s->end || p[n] != ',' || p[n - 1] == '.')
			break;
		if (t->type == DT_FP32)
			((float *)t->data)[i] = (float)f;
		else
			((double *)t->data)[i] = f;
		p += n + 1;
		s->at = p;
	}
	return i;
}

struct nest { size_t level, count[TENSOR_DIMS_MAX + 2]; bool flat, known; };

static enum rc end_of_array(const struct tensor *t, const struct nest *n, size_t i, struct err *e)
{
	if (n->flat || !n->known) {
		if (i != t->n)
			return FAIL(e, RC_INVALID, "it has %zu elements where its shape needs %zu", i, t->n);
		return RC_OK;
	}
	int64_t want = t->dim[n->level - 1];
	if ((int64_t)n->count[n->level] != want)
		return FAIL(e, RC_INVALID, "an array at depth %zu has %zu members where the shape says %lld", n->level, n->count[n->level],
			    (long long)want);
	return RC_OK;
}

static enum rc begin_of_array(const struct tensor *t, struct nest *n, struct err *e)
{
	if ((n->known && n->flat) || n->level >= t->n_dim)
		return FAIL(e, RC_INVALID, "its data is nested deeper than its %zu dimensions, or unevenly", t->n_dim);
	n->known = true;
	n->count[++n->level] = 0;
	return RC_OK;
}

static enum rc element(struct tensor *t, struct nest *n, size_t i, const struct token *v, struct err *e)
{
	if (!n->known) {
		n->known = true;
		n->flat = true;
	}
	if (!n->flat && n->level != t->n_dim)
		return FAIL(e, RC_INVALID, "its data is nested unevenly");
	if (i >= t->n)
		return FAIL(e, RC_INVALID, "it has more than the %zu elements of its shape", t->n);
	if (!store_element(t, i, v))
		return bad_element(t, i, v, e);
	n->count[n->level]++;
	return RC_OK;
}

/* Behind the opening bracket. Nested to the shape, or flat. */
static enum rc read_elements(struct json_source *s, struct tensor *t, struct err *e)
{
	struct nest n = { .level = 1 };
	struct token v;
	bool floats = t->type == DT_FP32 || t->type == DT_FP64;

	for (size_t i = 0;;) {
		TRY(token_next(&s->super, &v, e));
		switch (v.kind) {
		case TOK_ARRAY:
			TRY(begin_of_array(t, &n, e));
			continue;
		case TOK_END:
			TRY(end_of_array(t, &n, i, e));
			if (--n.level == 0)
				return RC_OK;
			n.count[n.level]++;
			continue;
		case TOK_OBJECT:
			return FAIL(e, RC_INVALID, "its data holds an object");
		default:
			TRY(element(t, &n, i++, &v, e));
			break;
		}
		/* Just behind an element: when a comma follows, a run may. */
		if (floats && (n.flat || n.level == t->n_dim) && s->at < s->end && *s->at == ',') {
			s->at++;
			size_t from = i;
			i = float_run(s, t, i);
			n.count[n.level] += i - from;
			s->at--;   /* the comma before the next element is the reader's */
		}
	}
}

/* Room for the elements; a shape that the body cannot fill is refused before anything is allocated. */
static enum rc make_room(struct tensor *t, size_t body_len, struct arena *a, struct err *e)
{
	size_t n = 1;

	for (size_t i = 0; i < t->n_dim; i++) {
		if (t->dim[i] < 0)
			return FAIL(e, RC_INVALID, "its shape has the negative size %lld", (long long)t->dim[i]);
		if (__builtin_mul_overflow(n, (size_t)t->dim[i], &n))
			n = SIZE_MAX;
		if (n > body_len && t->dim[i] != 0 && n != 0)
			return FAIL(e, RC_INVALID, "its shape needs more elements than a body of %zu bytes can hold", body_len);
	}
	t->n = n;
	t->data = n > 0 ? arena_alloc_n(a, n, element_size(t->type)) : NULL;
	return RC_OK;
}

/* --- data as bytes -------------------------------------------------------------------------------------------------- */

static enum rc take_texts(struct tensor *t, str bytes, struct err *e)
{
	str *out = t->data;

	for (size_t i = 0; i < t->n; i++) {
		uint32_t len;
		if (bytes.len < 4)
			return FAIL(e, RC_INVALID, "its bytes end before element %zu", i);
		memcpy(&len, bytes.at, 4);
		bytes = str_skip(bytes, 4);
		if (bytes.len < len)
			return FAIL(e, RC_INVALID, "its bytes end within element %zu", i);
		out[i] = str_head(bytes, len);
		bytes = str_skip(bytes, len);
	}
	return bytes.len == 0 ? RC_OK : FAIL(e, RC_INVALID, "%zu bytes are left behind its last element", bytes.len);
}

static enum rc take_bytes(struct tensor *t, str bytes, struct err *e)
{
	if (t->type == DT_BYTES)
		return take_texts(t, bytes, e);
	size_t need = t->n * dtype_size(t->type);
	if (bytes.len != need)
		return FAIL(e, RC_INVALID, "its binary data has %zu bytes where its shape needs %zu", bytes.len, need);
	if (need > 0)
		memcpy(t->data, bytes.at, need);
	for (size_t i = 0; t->type == DT_BOOL && i < t->n; i++) {
		if (((const uint8_t *)t->data)[i] > 1)
			return FAIL(e, RC_INVALID, "element %zu is not a BOOL", i);
	}
	return RC_OK;
}

/* --- one input -------------------------------------------------------------------------------------------------------- */

struct input_parts { struct tensor t; bool has_type, has_shape, has_data; int64_t binary_size; str late; /* data that came before its type or shape */ };

static enum rc read_shape(struct decoding *d, struct tensor *t, struct err *e)
{
	struct token v;

	TRY(expect(d, TOK_ARRAY, "'shape' as an array of numbers", &v, e));
	t->n_dim = 0;
	for (;;) {
		TRY(next(d, &v, e));
		if (v.kind == TOK_END)
			return RC_OK;
		if (t->n_dim == TENSOR_DIMS_MAX)
			return FAIL(e, RC_INVALID, "a shape has at most %d dimensions", TENSOR_DIMS_MAX);
		if (v.kind != TOK_NUMBER || !str_to_i64(v.text, &t->dim[t->n_dim]) || t->dim[t->n_dim] < 0)
			return FAIL(e, RC_INVALID, "a shape holds whole numbers from 0");
		t->n_dim++;
	}
}

static enum rc read_type(struct decoding *d, struct tensor *t, struct err *e)
{
	struct token v;

	TRY(expect(d, TOK_STRING, "'datatype' as text", &v, e));
	for (int i = 0; i < DT_COUNT; i++) {
		if (str_eq(v.text, str_of(dtype_names[i]))) {
			t->type = (enum dtype)i;
			return RC_OK;
		}
	}
	return FAIL(e, RC_INVALID, "the datatype '" STR_FMT "' is not known; there are BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 and BYTES",
		    STR_ARG(str_head(v.text, 40)));
}

/* fn for each key of an object; the value is next in the source. */
typedef enum rc member_fn(struct decoding *d, str key, void *ctx, struct err *e);

static enum rc each_member(struct decoding *d, const char *what, member_fn *fn, void *ctx, struct err *e)
{
	struct token v;

	TRY(expect(d, TOK_OBJECT, what, &v, e));
	for (;;) {
		TRY(next(d, &v, e));
		if (v.kind == TOK_END)
			return RC_OK;
		TRY(fn(d, v.text, ctx, e));
	}
}

static enum rc skip_value(struct decoding *d, struct err *e)
{
	struct token v;

	TRY(next(d, &v, e));
	return token_skip(&d->src.super, &v, e);
}

static enum rc input_parameter(struct decoding *d, str key, void *ctx, struct err *e)
{
	struct input_parts *p = ctx;
	struct token v;

	if (str_eq(key, STR("binary_data_size"))) {
		TRY(next(d, &v, e));
		if (v.kind != TOK_NUMBER || !str_to_i64(v.text, &p->binary_size) || p->binary_size < 0)
			return FAIL(e, RC_INVALID, "binary_data_size is a whole number from 0");
		return RC_OK;
	}
	if (str_starts(key, STR("shared_memory_")))
		return FAIL(e, RC_INVALID, "shared memory is not offered; send the data");
	return skip_value(d, e);
}

static enum rc read_data(struct decoding *d, struct input_parts *p, struct err *e)
{
	struct token v;

	TRY(expect(d, TOK_ARRAY, "'data' as an array", &v, e));
	if (p->has_data || p->late.at != NULL)
		return FAIL(e, RC_INVALID, "'data' is given twice");
	if (!p->has_type || !p->has_shape)
		return json_slice(&d->src, &v, &p->late, e);
	if (p->t.type == DT_FP16)
		return FAIL(e, RC_INVALID, "FP16 has no form in JSON; send it as binary data");
	TRY(make_room(&p->t, d->body.len, d->a, e));
	TRY(read_elements(&d->src, &p->t, e));
	p->has_data = true;
	return RC_OK;
}

static enum rc input_member(struct decoding *d, str key, void *ctx, struct err *e)
{
	struct input_parts *p = ctx;
	struct token v;

	if (str_eq(key, STR("name"))) {
		TRY(expect(d, TOK_STRING, "'name' as text", &v, e));
		p->t.name = v.text;
		return RC_OK;
	}
	/* Data is read by the shape and type that stand before it, so neither may change behind it. */
	if ((str_eq(key, STR("datatype")) && p->has_type) || (str_eq(key, STR("shape")) && p->has_shape))
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is given twice", STR_ARG(key));
	if (str_eq(key, STR("datatype"))) {
		p->has_type = true;
		return read_type(d, &p->t, e);
	}
	if (str_eq(key, STR("shape"))) {
		p->has_shape = true;
		return read_shape(d, &p->t, e);
	}
	if (str_eq(key, STR("data")))
		return read_data(d, p, e);
	if (str_eq(key, STR("parameters")))
		return each_member(d, "'parameters' as an object", input_parameter, p, e);
	return skip_value(d, e);
}

static enum rc read_late(struct decoding *d, struct input_parts *p, struct err *e)
{
	struct json_source s;
	struct token v;

	if (p->t.type == DT_FP16)
		return FAIL(e, RC_INVALID, "FP16 has no form in JSON; send it as binary data");
	TRY(make_room(&p->t, d->body.len, d->a, e));
	json_source_init(&s, p->late, d->a, "data");
	TRY(token_next(&s.super, &v, e));
	TRY(read_elements(&s, &p->t, e));
	p->has_data = true;
	return RC_OK;
}

static enum rc finish_input(struct decoding *d, struct input_parts *p, struct err *e)
{
	if (p->t.name.len == 0)
		return FAIL(e, RC_INVALID, "it has no name");
	if (!p->has_type || !p->has_shape)
		return FAIL(e, RC_INVALID, "it has no %s", !p->has_type ? "datatype" : "shape");
	if (p->late.at != NULL)
		TRY(read_late(d, p, e));
	if (p->has_data && p->binary_size >= 0)
		return FAIL(e, RC_INVALID, "it has both 'data' and binary_data_size");
	if (!p->has_data && p->binary_size < 0)
		return FAIL(e, RC_INVALID, "it has neither 'data' nor the parameter binary_data_size");
	return RC_OK;
}

static enum rc read_input(struct decoding *d, struct err *e)
{
	struct input_parts p = { .binary_size = -1 };

	if (d->in.n == OIP_TENSORS_MAX)
		return FAIL(e, RC_INVALID, "a request has at most %d inputs", OIP_TENSORS_MAX);
	enum rc rc = each_member(d, "an input as an object", input_member, &p, e);
	if (rc == RC_OK)
		rc = finish_input(d, &p, e);
	if (rc != RC_OK)
		return p.t.name.len > 0 ? bad_tensor(&p.t, e) : (void)err_wrap(e, "inputs[%zu]", d->in.n), e->rc;
	for (size_t i = 0; i < d->in.n; i++) {
		if (str_eq(d->in.at[i].name, p.t.name))
			return (void)FAIL(e, RC_INVALID, "it is given twice"), bad_tensor(&p.t, e);
	}
	*VEC_PUSH(d->a, &d->in) = p.t;
	*VEC_PUSH(d->a, &d->binary_size) = p.has_data ? -1 : p.binary_size;
	return RC_OK;
}

/* --- outputs and parameters --------------------------------------------------------------------------------------------- */

struct output_parts { struct oip_output out; bool says; };

static enum rc output_parameter(struct decoding *d, str key, void *ctx, struct err *e)
{
	struct output_parts *p = ctx;
	struct token v;

	if (str_eq(key, STR("binary_data"))) {
		TRY(expect(d, TOK_BOOL, "binary_data as true or false", &v, e));
		p->out.binary = v.flag;
		p->says = true;
		return RC_OK;
	}
	if (str_eq(key, STR("classification")) || str_starts(key, STR("shared_memory_")))
		return FAIL(e, RC_INVALID, "the output parameter '" STR_FMT "' is not offered", STR_ARG(str_head(key, 60)));
	return skip_value(d, e);
}

static enum rc output_member(struct decoding *d, str key, void *ctx, struct err *e)
{
	struct output_parts *p = ctx;
	struct token v;

	if (str_eq(key, STR("name"))) {
		TRY(expect(d, TOK_STRING, "'name' as text", &v, e));
		p->out.name = v.text;
		return RC_OK;
	}
	if (str_eq(key, STR("parameters")))
		return each_member(d, "'parameters' as an object", output_parameter, p, e);
	return skip_value(d, e);
}

static enum rc read_output(struct decoding *d, struct err *e)
{
	struct output_parts p = { 0 };

	if (d->output.n == OIP_TENSORS_MAX)
		return FAIL(e, RC_INVALID, "a request names at most %d outputs", OIP_TENSORS_MAX);
	if (each_member(d, "an output as an object", output_member, &p, e) != RC_OK)
		return err_wrap(e, "outputs[%zu]", d->output.n);
	if (p.out.name.len == 0)
		return FAIL(e, RC_INVALID, "outputs[%zu] has no name", d->output.n);
	*VEC_PUSH(d->a, &d->output) = p.out;
	*VEC_PUSH(d->a, &d->output_says) = p.says;
	return RC_OK;
}

static enum rc parameter(struct decoding *d, str key, void *ctx, struct err *e)
{
	struct oip_param p = { .name = key };
	struct token v;

	(void)ctx;
	TRY(next(d, &v, e));
	switch (v.kind) {
	case TOK_STRING:
		p.kind = OIP_TEXT;
		p.text = v.text;
		break;
	case TOK_NUMBER:
		p.kind = OIP_NUMBER;
		p.text = v.text;
		if (!str_to_f64(v.text, &p.number))
			return FAIL(e, RC_INVALID, "parameter '" STR_FMT "' is out of range", STR_ARG(str_head(key, 60)));
		break;
	case TOK_BOOL:
		p.kind = OIP_FLAG;
		p.flag = v.flag;
		break;
	default:
		return FAIL(e, RC_INVALID, "parameter '" STR_FMT "' is neither text, number nor boolean", STR_ARG(str_head(key, 60)));
	}
	if (str_eq(key, STR("binary_data_output"))) {
		if (p.kind != OIP_FLAG)
			return FAIL(e, RC_INVALID, "binary_data_output is true or false");
		d->out->binary_output = p.flag;
		return RC_OK;
	}
	if (d->param.n == OIP_PARAMS_MAX)
		return FAIL(e, RC_INVALID, "a request has at most %d parameters", OIP_PARAMS_MAX);
	*VEC_PUSH(d->a, &d->param) = p;
	return RC_OK;
}

/* --- the request ------------------------------------------------------------------------------------------------------------ */

static enum rc each_element(struct decoding *d, const char *what, enum rc (*fn)(struct decoding *d, struct err *e), struct err *e)
{
	struct token v;

	TRY(expect(d, TOK_ARRAY, what, &v, e));
	for (;;) {
		/* fn reads the element's first token itself, so look whether there is one. */
		struct json_source before = d->src;
		TRY(next(d, &v, e));
		if (v.kind == TOK_END)
			return RC_OK;
		d->src = before;
		TRY(fn(d, e));
	}
}

static enum rc request_member(struct decoding *d, str key, void *ctx, struct err *e)
{
	struct token v;

	(void)ctx;
	if (str_eq(key, STR("id"))) {
		TRY(expect(d, TOK_STRING, "'id' as text", &v, e));
		d->out->id = v.text;
		return RC_OK;
	}
	if (str_eq(key, STR("inputs")))
		return each_element(d, "'inputs' as an array", read_input, e);
	if (str_eq(key, STR("outputs")))
		return each_element(d, "'outputs' as an array", read_output, e);
	if (str_eq(key, STR("parameters")))
		return each_member(d, "'parameters' as an object", parameter, NULL, e);
	return skip_value(d, e);
}

static enum rc take_binary(struct decoding *d, str rest, struct err *e)
{
	for (size_t i = 0; i < d->in.n; i++) {
		struct tensor *t = &d->in.at[i];
		if (d->binary_size.at[i] < 0)
			continue;
		if ((uint64_t)d->binary_size.at[i] > rest.len)
			return (void)FAIL(e, RC_INVALID, "its binary data of %lld bytes is not all there", (long long)d->binary_size.at[i]),
			       bad_tensor(t, e);
		str bytes = str_head(rest, (size_t)d->binary_size.at[i]);
		rest = str_skip(rest, bytes.len);
		if (make_room(t, bytes.len, d->a, e) != RC_OK || take_bytes(t, bytes, e) != RC_OK)
			return bad_tensor(t, e);
	}
	return rest.len == 0 ? RC_OK : FAIL(e, RC_INVALID, "%zu bytes stand behind the last input's binary data", rest.len);
}

enum rc oip_decode(str body, int64_t json_len, struct arena *a, struct oip_request *out, struct err *e)
{
	struct oip_request r = { 0 };
	struct decoding d = { .a = a, .body = body, .out = &r };
	struct token v;

	if (json_len > (int64_t)body.len)
		return FAIL(e, RC_INVALID, "Inference-Header-Content-Length is %lld but the body has %zu bytes", (long long)json_len, body.len);
	str json = json_len >= 0 ? str_head(body, (size_t)json_len) : body;
	json_source_init(&d.src, json, a, "the request");
	TRY(each_member(&d, "a request as a JSON object", request_member, NULL, e));
	TRY(next(&d, &v, e));
	CHECK(v.kind == TOK_EOF);
	if (d.in.n == 0)
		return FAIL(e, RC_INVALID, "the request has no inputs");
	TRY(take_binary(&d, str_skip(body, json.len), e));
	for (size_t i = 0; i < d.output.n; i++)
		d.output.at[i].binary = d.output_says.at[i] ? d.output.at[i].binary : r.binary_output;
	r.in = d.in.at;
	r.n_in = d.in.n;
	r.out = d.output.at;
	r.n_out = d.output.n;
	r.param = d.param.at;
	r.n_param = d.param.n;
	*out = r;
	return RC_OK;
}

enum rc oip_decode_raw(str body, const struct tensor_spec *spec, struct arena *a, struct oip_request *out, struct err *e)
{
	struct tensor *t = ARENA_NEW(a, struct tensor);
	size_t fixed = 1, size = dtype_size(spec->type);
	int open = -1;

	*t = (struct tensor){ .name = spec->name, .type = spec->type, .n_dim = spec->n_dim };
	for (size_t i = 0; i < spec->n_dim; i++) {
		t->dim[i] = spec->dim[i] < 0 ? 1 : spec->dim[i];
		if (spec->dim[i] < 0 && open >= 0 && i > 1)
			return FAIL(e, RC_INVALID, "a raw binary request goes with one variable dimension only");
		if (spec->dim[i] < 0)
			open = (int)i;
		fixed *= (size_t)t->dim[i];
	}
	if (spec->type != DT_BYTES && open >= 0 && fixed > 0 && size > 0)
		t->dim[open] = (int64_t)(body.len / (fixed * size));
	if (make_room(t, body.len, a, e) != RC_OK || take_bytes(t, body, e) != RC_OK)
		return bad_tensor(t, e);
	*out = (struct oip_request){ .in = t, .n_in = 1, .binary_output = true };
	return RC_OK;
}

const struct oip_param *oip_param_find(const struct oip_request *r, str name)
{
	for (size_t i = 0; i < r->n_param; i++) {
		if (str_eq(r->param[i].name, name))
			return &r->param[i];
	}
	return NULL;
}

str oip_shape_text(const struct tensor *t, struct arena *a)
{
	str out = STR("[");

	for (size_t i = 0; i < t->n_dim; i++)
		out = arena_printf(a, STR_FMT "%s%lld", STR_ARG(out), i > 0 ? "," : "", (long long)t->dim[i]);
	return arena_printf(a, STR_FMT "]", STR_ARG(out));
}
