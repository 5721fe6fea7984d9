/* test_serve.c -- tensors and what fits, ONNX Runtime on small models made here, and loading once under many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <onnx/onnx.pb-c.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "modules/serve/serve_int.h"

struct fixture {
	struct arena a;
	struct err e;
	struct serve s;
	struct core core;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	arena_init(&f.a);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_deinit(&f->a);
	return 0;
}

/* --- tensors ------------------------------------------------------------------------------------- */

static void test_dtypes(void **state)
{
	static const struct { enum dtype type; const char *name; size_t size; } row[] = {
		{ DT_BOOL, "BOOL", 1 },     { DT_UINT8, "UINT8", 1 }, { DT_UINT16, "UINT16", 2 }, { DT_UINT32, "UINT32", 4 },
		{ DT_UINT64, "UINT64", 8 }, { DT_INT8, "INT8", 1 },   { DT_INT16, "INT16", 2 },   { DT_INT32, "INT32", 4 },
		{ DT_INT64, "INT64", 8 },   { DT_FP16, "FP16", 2 },   { DT_FP32, "FP32", 4 },     { DT_FP64, "FP64", 8 },
		{ DT_BYTES, "BYTES", 0 },
	};

	(void)state;
	assert_int_equal(ARRAY_LEN(row), DT_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_string_equal(dtype_names[row[i].type], row[i].name);
		assert_int_equal(dtype_size(row[i].type), row[i].size);
	}
	assert_null(dtype_names[DT_COUNT]);
}

static void test_inputs_that_do_not_fit(void **state)
{
	struct fixture *f = *state;
	const struct tensor_spec spec[] = {
		{ .name = STR("x"), .type = DT_FP32, .n_dim = 2, .dim = { -1, 3 } },
		{ .name = STR("flag"), .type = DT_BOOL, .n_dim = 1, .dim = { -1 } },
	};
	static float x[6];
	static bool flag[2];
	const struct tensor good_x = { .name = STR("x"), .type = DT_FP32, .n_dim = 2, .dim = { 2, 3 }, .data = x, .n = 6 };
	const struct tensor good_flag = { .name = STR("flag"), .type = DT_BOOL, .n_dim = 1, .dim = { 2 }, .data = flag, .n = 2 };
	struct tensor in[3], out[2];

	in[0] = good_flag;
	in[1] = good_x;
	OK(f, tensors_match(spec, 2, in, 2, out, &f->e));
	assert_ptr_equal(out[0].data, x);
	assert_ptr_equal(out[1].data, flag);

	in[1].dim[1] = 4;
	assert_int_equal(tensors_match(spec, 2, in, 2, out, &f->e), RC_INVALID);
	assert_string_equal(f->e.msg, "input 'x' is FP32[2,4]; expected is FP32[-1,3] with any size from 1 for -1");
	assert_string_equal(f->e.field, "x");
	in[1] = good_x;
	in[1].type = DT_FP64;
	assert_int_equal(tensors_match(spec, 2, in, 2, out, &f->e), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "FP64[2,3]; expected is FP32[-1,3]"));
	in[1] = good_x;
	in[1].dim[0] = 0;
	assert_int_equal(tensors_match(spec, 2, in, 2, out, &f->e), RC_INVALID);
	in[1] = good_x;
	in[1].n = 5;
	assert_int_equal(tensors_match(spec, 2, in, 2, out, &f->e), RC_INVALID);
	assert_string_equal(f->e.msg, "input 'x' is FP32[2,3] but has 5 elements");
	in[1] = good_x;
	in[1].dim[0] = INT64_MAX;   /* times 3 is no size any more */
	assert_int_equal(tensors_match(spec, 2, in, 2, out, &f->e), RC_INVALID);
	in[1] = good_x;
	in[1].n_dim = 1;
	assert_int_equal(tensors_match(spec, 2, in, 2, out, &f->e), RC_INVALID);
	assert_int_equal(tensors_match(spec, 2, in, 1, out, &f->e), RC_INVALID);
	assert_string_equal(f->e.msg, "there is no input 'x'; the inputs are x, flag");
	in[1] = good_x;
	in[2] = good_x;
	assert_int_equal(tensors_match(spec, 2, in, 3, out, &f->e), RC_INVALID);
	assert_string_equal(f->e.msg, "there is more than one input 'x'; the inputs are x, flag");
	in[2].name = STR("y");
	assert_int_equal(tensors_match(spec, 2, in, 3, out, &f->e), RC_INVALID);
	assert_string_equal(f->e.msg, "the model has no input 'y'; the inputs are x, flag");
}

/* --- small ONNX models --------------------------------------------------------------------------- */

static Onnx__ValueInfoProto *value(struct arena *a, const char *name, int32_t type, int64_t columns)
{
	Onnx__ValueInfoProto *v = ARENA_NEW(a, Onnx__ValueInfoProto);
	Onnx__TypeProto *t = ARENA_NEW(a, Onnx__TypeProto);
	Onnx__TypeProto__Tensor *tensor = ARENA_NEW(a, Onnx__TypeProto__Tensor);
	Onnx__TensorShapeProto *shape = ARENA_NEW(a, Onnx__TensorShapeProto);
	static Onnx__TensorShapeProto__Dimension any = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT;
	Onnx__TensorShapeProto__Dimension *fixed = ARENA_NEW(a, Onnx__TensorShapeProto__Dimension);

	onnx__value_info_proto__init(v);
	onnx__type_proto__init(t);
	onnx__type_proto__tensor__init(tensor);
	onnx__tensor_shape_proto__init(shape);
	onnx__tensor_shape_proto__dimension__init(fixed);
	fixed->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
	fixed->dim_value = columns;
	shape->dim = ARENA_ARRAY(a, Onnx__TensorShapeProto__Dimension *, 2);
	shape->dim[shape->n_dim++] = &any;
	shape->dim[shape->n_dim++] = fixed;
	tensor->has_elem_type = true;
	tensor->elem_type = type;
	tensor->shape = shape;
	t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	t->tensor_type = tensor;
	v->name = arena_cstr(a, str_of(name));
	v->type = t;
	return v;
}

/* One node over inputs "a" (and "b"), giving "y". */
static str model(struct arena *a, const char *op, int32_t type, size_t n_in, Onnx__TensorProto *weights)
{
	Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
	Onnx__GraphProto g = ONNX__GRAPH_PROTO__INIT;
	Onnx__NodeProto n = ONNX__NODE_PROTO__INIT;
	Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = { &opset };
	char in[2][2] = { "a", "b" }, y[] = "y", *names[] = { in[0], in[1] }, *outs[] = { y };
	Onnx__ValueInfoProto *given[] = { value(a, "a", type, 2), value(a, "b", type, 2) }, *result[] = { value(a, "y", type, 2) };
	Onnx__NodeProto *nodes[] = { &n };
	char graph_name[] = "test";

	n.op_type = arena_cstr(a, str_of(op));
	n.input = names;
	n.n_input = weights != NULL ? 2 : n_in;
	n.output = outs;
	n.n_output = 1;
	g.name = graph_name;
	g.node = nodes;
	g.n_node = 1;
	g.input = given;
	g.n_input = n_in;
	g.output = result;
	g.n_output = 1;
	if (weights != NULL) {
		g.initializer = &weights;
		g.n_initializer = 1;
	}
	opset.has_version = true;
	opset.version = 17;
	m.has_ir_version = true;
	m.ir_version = 8;
	m.opset_import = opsets;
	m.n_opset_import = 1;
	m.graph = &g;
	size_t size = onnx__model_proto__get_packed_size(&m);
	char *at = arena_alloc(a, size);
	assert_int_equal(onnx__model_proto__pack(&m, (uint8_t *)at), size);
	return str_n(at, size);
}

static bool have_onnx(struct fixture *f)
{
	str version;

	if (onnx_runtime.version(&f->a, &version, &f->e) == RC_OK)
		return true;
	print_message("%s\n", f->e.msg);
	return false;
}

static struct loaded *load_onnx(struct fixture *f, str bytes, const struct model_file *other, size_t n_other)
{
	const struct runtime_source s = { .main = { STR("model.onnx"), bytes }, .other = other, .n_other = n_other, .threads = 1 };
	struct loaded *m = NULL;

	OK(f, onnx_runtime.load(&s, &m, &f->e));
	return m;
}

static void test_every_dtype_passes_through(void **state)
{
	struct fixture *f = *state;
	static const int32_t onnx_type[DT_COUNT] = {
		[DT_BOOL] = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,     [DT_UINT8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
		[DT_UINT16] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, [DT_UINT32] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT32,
		[DT_UINT64] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, [DT_INT8] = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
		[DT_INT16] = ONNX__TENSOR_PROTO__DATA_TYPE__INT16,   [DT_INT32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
		[DT_INT64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,   [DT_FP16] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
		[DT_FP32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,    [DT_FP64] = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
		[DT_BYTES] = ONNX__TENSOR_PROTO__DATA_TYPE__STRING,
	};
	static const str text[6] = { { "", 0 }, { "a\0b", 3 }, { "Manhattan", 9 }, { "\xff\xfe", 2 }, { "x", 1 }, { "", 0 } };

	if (!have_onnx(f))
		return;
	for (size_t type = 0; type < DT_COUNT; type++) {
		struct loaded *m = load_onnx(f, model(&f->a, "Identity", onnx_type[type], 1, NULL), NULL, 0);
		assert_int_equal(m->in[0].type, type);
		assert_int_equal(m->in[0].n_dim, 2);
		assert_int_equal(m->in[0].dim[0], -1);
		assert_int_equal(m->in[0].dim[1], 2);
		unsigned char *raw = arena_alloc(&f->a, 6 * 8);
		for (size_t i = 0; i < 6 * 8; i++)
			raw[i] = (unsigned char)(type == DT_BOOL ? i % 2 : i * 7);
		struct tensor in = { .name = STR("a"), .type = (enum dtype)type, .n_dim = 2, .dim = { 3, 2 }, .data = raw, .n = 6 }, out;
		str copy[6];
		memcpy(copy, text, sizeof(copy));
		if (type == DT_BYTES)
			in.data = copy;
		OK(f, onnx_runtime.infer(m, &in, &f->a, &out, &f->e));
		assert_true(tensor_equal(&in, &out));
		onnx_runtime.unload(&m);
	}
}

static void test_two_inputs(void **state)
{
	struct fixture *f = *state;
	float a[4] = { 1, 2, 3, 4 }, b[4] = { 10, 20, 30, 40 };

	if (!have_onnx(f))
		return;
	struct loaded *m = load_onnx(f, model(&f->a, "Sub", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, NULL), NULL, 0);
	assert_int_equal(m->n_in, 2);
	const struct tensor in[] = {
		{ .name = STR("b"), .type = DT_FP32, .n_dim = 2, .dim = { 2, 2 }, .data = b, .n = 4 },
		{ .name = STR("a"), .type = DT_FP32, .n_dim = 2, .dim = { 2, 2 }, .data = a, .n = 4 },
	};
	struct tensor ordered[2], out;
	OK(f, tensors_match(m->in, m->n_in, in, 2, ordered, &f->e));
	OK(f, onnx_runtime.infer(m, ordered, &f->a, &out, &f->e));
	assert_true(((const float *)out.data)[3] < -35.9f && ((const float *)out.data)[3] > -36.1f);
	/* Rows that do not match each other are seen by the runtime, and are an error, not the end. */
	float three[6] = { 0 };
	ordered[0] = (struct tensor){ .name = STR("a"), .type = DT_FP32, .n_dim = 2, .dim = { 3, 2 }, .data = three, .n = 6 };
	assert_int_not_equal(onnx_runtime.infer(m, ordered, &f->a, &out, &f->e), RC_OK);
	assert_non_null(strstr(f->e.msg, "ONNX Runtime says"));
	onnx_runtime.unload(&m);
}

static void test_weights_beside_the_model(void **state)
{
	struct fixture *f = *state;
	float weights[8] = { 0, 0, 0, 0, 2, 0, 0, 3 }, x[2] = { 5, 7 };   /* the matrix begins at byte 16 */
	char key[2][16] = { "location", "offset" }, to[2][16] = { "weights.bin", "16" }, name[] = "b";
	Onnx__TensorProto w = ONNX__TENSOR_PROTO__INIT;
	Onnx__StringStringEntryProto place[2] = { ONNX__STRING_STRING_ENTRY_PROTO__INIT, ONNX__STRING_STRING_ENTRY_PROTO__INIT };
	Onnx__StringStringEntryProto *places[] = { &place[0], &place[1] };
	int64_t dims[] = { 2, 2 };
	const struct model_file other = { STR("weights.bin"), { (const char *)weights, sizeof(weights) } };
	struct loaded *none = NULL;
	struct tensor out;

	if (!have_onnx(f))
		return;
	for (size_t i = 0; i < 2; i++) {
		place[i].key = key[i];
		place[i].value = to[i];
	}
	w.name = name;
	w.dims = dims;
	w.n_dims = 2;
	w.has_data_type = true;
	w.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	w.has_data_location = true;
	w.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
	w.external_data = places;
	w.n_external_data = 2;
	str bytes = model(&f->a, "MatMul", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, &w);
	struct loaded *m = load_onnx(f, bytes, &other, 1);
	const struct tensor in = { .name = STR("a"), .type = DT_FP32, .n_dim = 2, .dim = { 1, 2 }, .data = x, .n = 2 };
	OK(f, onnx_runtime.infer(m, &in, &f->a, &out, &f->e));
	const float *y = out.data;
	assert_true(y[0] > 9.9f && y[0] < 10.1f && y[1] > 20.9f && y[1] < 21.1f);
	onnx_runtime.unload(&m);
	/* Weights that are not there, and such as would be read from elsewhere, are refused. */
	const struct runtime_source alone = { .main = { STR("model.onnx"), bytes }, .threads = 1 };
	assert_int_not_equal(onnx_runtime.load(&alone, &none, &f->e), RC_OK);
	strcpy(to[0], "/etc/hostname");
	const struct runtime_source away = { .main = { STR("model.onnx"), model(&f->a, "MatMul", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, &w) } };
	assert_int_not_equal(onnx_runtime.load(&away, &none, &f->e), RC_OK);
	assert_null(none);
}

static void test_files_that_are_no_models(void **state)
{
	struct fixture *f = *state;
	str good = model(&f->a, "Identity", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, NULL);
	const str bad[] = { STR("not a model"), STR("{\"learner\":{}}"), str_head(good, good.len / 2),
			    model(&f->a, "NoSuchOperator", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, NULL) };
	struct loaded *m = NULL;

	if (!have_onnx(f))
		return;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct runtime_source s = { .main = { STR("model.onnx"), bad[i] }, .threads = 1 };
		assert_int_equal(onnx_runtime.load(&s, &m, &f->e), RC_INVALID);
		assert_non_null(strstr(f->e.msg, "ONNX Runtime says"));
		assert_null(m);
	}
}

/* --- loading once -------------------------------------------------------------------------------- */

/* A runtime whose loads are counted and slow, and whose models add one to a row of two. */
static struct {
	atomic_int loads, unloads, fail_loads, refuse, drift;
} fake;

static enum rc fake_version(struct arena *a, str *out, struct err *e)
{
	(void)e;
	*out = arena_dup(a, STR("3.4.5"));
	return RC_OK;
}

extern const struct runtime_ops fake_runtime;
static enum rc fake_load(const struct runtime_source *s, struct loaded **out, struct err *e)
{
	atomic_fetch_add(&fake.loads, 1);
	usleep(30000);
	if (atomic_load(&fake.fail_loads))
		return FAIL(e, RC_INVALID, "the model is broken");
	struct loaded *m = calloc(1, sizeof(*m));
	assert_non_null(m);
	m->ops = &fake_runtime;
	arena_init(&m->arena);
	m->in = ARENA_NEW(&m->arena, struct tensor_spec);
	m->out = ARENA_NEW(&m->arena, struct tensor_spec);
	*m->in = (struct tensor_spec){ .name = STR("x"), .type = DT_FP32, .n_dim = 2, .dim = { -1, s->main.data.len > 0 ? 2 : -1 } };
	*m->out = (struct tensor_spec){ .name = STR("y"), .type = DT_FP32, .n_dim = 2, .dim = { -1, 2 } };
	m->n_in = m->n_out = 1;
	*out = m;
	return RC_OK;
}

static void fake_unload(struct loaded **slot)
{
	atomic_fetch_add(&fake.unloads, 1);
	arena_deinit(&(*slot)->arena);
	free(*slot);
	*slot = NULL;
}

static enum rc fake_infer(struct loaded *m, const struct tensor *in, struct arena *a, struct tensor *out, struct err *e)
{
	float *y = arena_alloc(a, in->n * sizeof(*y));

	(void)m;
	if (atomic_load(&fake.refuse))
		return FAIL(e, RC_INVALID, "not such a row");
	for (size_t i = 0; i < in->n; i++)
		y[i] = ((const float *)in->data)[i] + 1 + (float)atomic_load(&fake.drift);
	*out = *in;
	out->name = STR("y");
	out->data = y;
	return RC_OK;
}

const struct runtime_ops fake_runtime = { .name = "fake", .platform = "fake", .library = "Fake", .least = { 3, 4 },
					  .version = fake_version, .load = fake_load, .unload = fake_unload, .infer = fake_infer };

static enum rc fake_package(struct serve *s, const struct model_version *v, struct arena *a, struct package *out, struct err *e)
{
	(void)s, (void)a;
	if (str_eq(v->name, STR("missing")))
		return FAIL(e, RC_NOT_FOUND, "no files");
	*out = (struct package){ .ops = &fake_runtime, .bytes = 10 };
	out->source.main.data = str_eq(v->name, STR("guessed")) ? STR("") : STR("x");
	return RC_OK;
}

static int set_up_serve(void **state)
{
	static const struct metric_def histogram = { "test_seconds", METRIC_HISTOGRAM, "Test", { "model", "version", "runtime" } };
	static const struct metric_def counter = { "test_total", METRIC_COUNTER, "Test", { "model", "version", "runtime" } };

	(void)set_up(state);
	struct fixture *f = *state;
	memset(&fake, 0, sizeof(fake));
	f->core.metrics = metrics_new();
	f->s = (struct serve){ .magic = SERVE_MAGIC, .core = &f->core, .package_open = fake_package };
	f->s.load_seconds = f->s.infer_seconds = metric_register(f->core.metrics, &histogram);
	f->s.infer_errors = metric_register(f->core.metrics, &counter);
	pthread_mutex_init(&f->s.mtx, NULL);
	pthread_cond_init(&f->s.changed, NULL);
	return 0;
}

static int tear_down_serve(void **state)
{
	struct fixture *f = *state;

	assert_null(f->s.first);
	assert_int_equal(f->s.n_loaded, 0);
	metrics_free(&f->core.metrics);
	return tear_down(state);
}

struct asker { struct fixture *f; const struct model_version *v; struct served_model *m; enum rc rc; struct err e; pthread_t thread; };

static void *ask(void *arg)
{
	struct asker *k = arg;

	k->rc = serve_acquire(&k->f->s, k->v, &k->m, &k->e);
	return NULL;
}

static void ask_all(struct asker *k, size_t n, struct fixture *f, const struct model_version *v)
{
	for (size_t i = 0; i < n; i++) {
		k[i] = (struct asker){ .f = f, .v = v };
		assert_int_equal(pthread_create(&k[i].thread, NULL, ask, &k[i]), 0);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(k[i].thread, NULL);
}

static void test_loaded_once(void **state)
{
	struct fixture *f = *state;
	str tag_key = STR("k");
	struct pair tag = { tag_key, STR("v") };
	const struct model_version v = { .name = STR("m"), .version = 2, .source = STR("runs:/r/model"), .tags = { &tag, 1 } };
	struct model_version other = v;
	struct asker k[8];
	struct served_model *again;

	ask_all(k, 8, f, &v);
	assert_int_equal(atomic_load(&fake.loads), 1);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(k[i].rc, RC_OK);
		assert_ptr_equal(k[i].m, k[0].m);
	}
	assert_true(str_eq(LIST_AT(served_version(k[0].m)->tags, struct pair, 0)->value, STR("v")));
	/* The same name and number made anew is another model. */
	other.created_ms = 5;
	OK(f, serve_acquire(&f->s, &other, &again, &f->e));
	assert_ptr_not_equal(again, k[0].m);
	assert_int_equal(f->s.n_loaded, 2);
	serve_release(&again);
	assert_int_equal(atomic_load(&fake.unloads), 1);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(atomic_load(&fake.unloads), 1);
		serve_release(&k[i].m);
		assert_null(k[i].m);
	}
	assert_int_equal(atomic_load(&fake.unloads), 2);
}

static void test_failed_loads_are_told_and_tried_again(void **state)
{
	struct fixture *f = *state;
	const struct model_version v = { .name = STR("m"), .version = 1 }, missing = { .name = STR("missing"), .version = 1 };
	struct asker k[8];

	atomic_store(&fake.fail_loads, 1);
	ask_all(k, 8, f, &v);
	assert_true(atomic_load(&fake.loads) < 8);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(k[i].rc, RC_INVALID);
		assert_string_equal(k[i].e.msg, "model 'm' version 1: the model is broken");
	}
	atomic_store(&fake.fail_loads, 0);
	OK(f, serve_acquire(&f->s, &v, &k[0].m, &f->e));
	serve_release(&k[0].m);
	assert_int_equal(serve_acquire(&f->s, &missing, &k[0].m, &f->e), RC_NOT_FOUND);
}

static void test_warm_up(void **state)
{
	struct fixture *f = *state;
	const struct model_version told = { .name = STR("m"), .version = 1 }, guessed = { .name = STR("guessed"), .version = 1 };
	struct served_model *m;
	bool same;

	atomic_store(&fake.refuse, 1);
	assert_int_equal(serve_acquire(&f->s, &told, &m, &f->e), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "warming up with zeros"));
	OK(f, serve_acquire(&f->s, &guessed, &m, &f->e));
	assert_false(m->warm);
	serve_release(&m);
	atomic_store(&fake.refuse, 0);
	OK(f, serve_acquire(&f->s, &told, &m, &f->e));
	assert_true(m->warm);
	OK(f, serve__warm_again(m, &f->a, &same, &f->e));
	assert_true(same);
	atomic_store(&fake.drift, 1);   /* the seeded fault: the model does not answer what it did */
	OK(f, serve__warm_again(m, &f->a, &same, &f->e));
	assert_false(same);
	serve_release(&m);
}

/* --- the checks, and what makes them fail ----------------------------------------------------------- */

static const struct check_def *check_named(const char *id)
{
	for (size_t i = 0; i < SERVE_CHECKS; i++)
		if (strcmp(serve_checks[i].id, id) == 0)
			return &serve_checks[i];
	fail_msg("no check %s", id);
	return NULL;
}

static enum check_result run_check(struct fixture *f, const char *id)
{
	struct check_outcome out;

	check_run(&f->core, check_named(id), &f->s, &f->a, &out);
	return (enum check_result)out.outcome;
}

static void test_check_of_warm_outputs(void **state)
{
	struct fixture *f = *state;
	const struct model_version v = { .name = STR("m"), .version = 1 };
	struct served_model *m;

	assert_int_equal(run_check(f, "serve.warm_outputs_repeat"), CHECK_SKIPPED);
	OK(f, serve_acquire(&f->s, &v, &m, &f->e));
	assert_int_equal(run_check(f, "serve.warm_outputs_repeat"), CHECK_PASSED);
	atomic_store(&fake.drift, 1);           /* the model answers something else than it did */
	assert_int_equal(run_check(f, "serve.warm_outputs_repeat"), CHECK_FAILED);
	atomic_store(&fake.drift, 0);
	atomic_store(&fake.refuse, 1);          /* or nothing at all */
	assert_int_equal(run_check(f, "serve.warm_outputs_repeat"), CHECK_FAILED);
	serve_release(&m);
}

static enum rc no_version(struct arena *a, str *out, struct err *e)
{
	(void)a, (void)out;
	return FAIL(e, RC_UNAVAILABLE, "not installed");
}

static void test_check_of_library_versions(void **state)
{
	struct fixture *f = *state;
	struct runtime_ops other = fake_runtime, missing = fake_runtime;   /* the fake library is of version 3.4.5 */
	const struct runtime_ops *runtimes[] = { &other, &missing };

	missing.version = no_version;
	f->s.runtime = runtimes + 1;
	f->s.n_runtime = 1;
	assert_int_equal(run_check(f, "serve.library_versions"), CHECK_SKIPPED);
	f->s.runtime = runtimes;
	f->s.n_runtime = 2;
	static const struct { int least[2]; enum check_result result; } row[] = {
		{ { 3, 4 }, CHECK_PASSED }, { { 2, 9 }, CHECK_PASSED }, { { 3, 5 }, CHECK_FAILED }, { { 4, 0 }, CHECK_FAILED },
	};
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		memcpy(other.least, row[i].least, sizeof(other.least));
		assert_int_equal(run_check(f, "serve.library_versions"), row[i].result);
	}
}

static void test_comparing(void **state)
{
	struct fixture *f = *state;
	const struct model_version v = { .name = STR("m"), .version = 1 }, w = { .name = STR("n"), .version = 1 };
	struct served_model *a, *b;
	float x[] = { 1, 2, 3, 4, NAN, INFINITY };
	double worst = 9;

	OK(f, serve_acquire(&f->s, &v, &a, &f->e));
	OK(f, serve_acquire(&f->s, &w, &b, &f->e));
	OK(f, serve__compare(a->loaded, b->loaded, x, 0, 2, &worst, &f->e) == RC_INVALID ? RC_OK : RC_INTERNAL);   /* no rows */
	a->loaded->in->name = b->loaded->in->name = STR("input");
	OK(f, serve__compare(a->loaded, b->loaded, x, 3, 2, &worst, &f->e));
	assert_true(worst >= 0 && worst <= 0);          /* missing and infinite values are equal to themselves */
	assert_int_equal(serve__compare(a->loaded, b->loaded, x, 2, 3, &worst, &f->e), RC_INVALID);
	serve_release(&a);
	serve_release(&b);
}

static void *use(void *arg)
{
	struct asker *k = arg;
	struct arena a;

	arena_init(&a);
	for (int i = 0; i < 20; i++) {
		float x[2] = { (float)i, 0 };
		const struct tensor in = { .name = STR("x"), .type = DT_FP32, .n_dim = 2, .dim = { 1, 2 }, .data = x, .n = 2 };
		struct tensor out;
		size_t n_out = 1;
		struct served_model *m;
		k->rc = serve_acquire(&k->f->s, k->v, &m, &k->e);
		if (k->rc != RC_OK)
			break;
		serve_ref(m);
		struct served_model *second = m;
		serve_release(&second);
		k->rc = served_infer(m, &in, 1, &a, &out, &n_out, &k->e);
		if (k->rc == RC_OK && ((const float *)out.data)[0] < (float)i + 0.5f)
			k->rc = RC_INTERNAL;
		serve_release(&m);
		arena_clear(&a);
	}
	arena_deinit(&a);
	return NULL;
}

static void test_coming_and_going(void **state)
{
	struct fixture *f = *state;
	const struct model_version v = { .name = STR("m"), .version = 1 };
	struct asker k[6];

	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		k[i] = (struct asker){ .f = f, .v = &v };
		assert_int_equal(pthread_create(&k[i].thread, NULL, use, &k[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		pthread_join(k[i].thread, NULL);
		assert_int_equal(k[i].rc, RC_OK);
	}
	assert_int_equal(atomic_load(&fake.loads), atomic_load(&fake.unloads));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dtypes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inputs_that_do_not_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_dtype_passes_through, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_inputs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_weights_beside_the_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_that_are_no_models, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_loaded_once, set_up_serve, tear_down_serve),
		cmocka_unit_test_setup_teardown(test_failed_loads_are_told_and_tried_again, set_up_serve, tear_down_serve),
		cmocka_unit_test_setup_teardown(test_warm_up, set_up_serve, tear_down_serve),
		cmocka_unit_test_setup_teardown(test_check_of_warm_outputs, set_up_serve, tear_down_serve),
		cmocka_unit_test_setup_teardown(test_check_of_library_versions, set_up_serve, tear_down_serve),
		cmocka_unit_test_setup_teardown(test_comparing, set_up_serve, tear_down_serve),
		cmocka_unit_test_setup_teardown(test_coming_and_going, set_up_serve, tear_down_serve),
	};
	log_open(2, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
