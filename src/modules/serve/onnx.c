/* onnx.c -- serving ONNX models with ONNX Runtime's C API, loaded when first used.
 *
 * One environment for the process, one session a model, on the CPU. An inference runs on its caller's thread plus
 * `threads` - 1 of the session's own, which sleep in between instead of spinning: a served model shares the machine.
 * What ONNX Runtime logs goes to our log. */
#include "modules/serve/runtime.h"

#ifdef CAIRN_HAVE_ONNXRUNTIME

#include <onnxruntime_c_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/library.h"

struct engine {
	const OrtApiBase *base;
	const OrtApi *api;
	OrtEnv *env;
	OrtMemoryInfo *cpu;
	OrtAllocator *allocator;        /* ONNX Runtime's default; not to be released */
	struct err err;                 /* why it is not usable; RC_OK when it is */
};

struct onnx_model {
	struct loaded super;
	const struct engine *engine;
	OrtSession *session;
	const char **in_name, **out_name;
};
_Static_assert(offsetof(struct onnx_model, super) == 0, "the cast relies on it");

static struct onnx_model *model_of(struct loaded *m)
{
	CHECK(m->ops == &onnx_runtime);
	return (struct onnx_model *)m;
}

static const ONNXTensorElementDataType onnx_of_dtype[DT_COUNT] = {
	[DT_BOOL] = ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,       [DT_UINT8] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
	[DT_UINT16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,   [DT_UINT32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
	[DT_UINT64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,   [DT_INT8] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
	[DT_INT16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,     [DT_INT32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
	[DT_INT64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,     [DT_FP16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
	[DT_FP32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,      [DT_FP64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
	[DT_BYTES] = ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
};

static bool dtype_of_onnx(ONNXTensorElementDataType type, enum dtype *out)
{
	for (size_t i = 0; i < DT_COUNT; i++)
		if (onnx_of_dtype[i] == type) {
			*out = (enum dtype)i;
			return true;
		}
	return false;
}

/* --- the engine -------------------------------------------------------------------------------- */

/* Takes the status over. */
static enum rc ort_fail(const OrtApi *api, OrtStatus *status, enum rc otherwise, const char *doing, struct err *e)
{
	OrtErrorCode code = api->GetErrorCode(status);
	bool invalid = code == ORT_INVALID_ARGUMENT || code == ORT_INVALID_GRAPH || code == ORT_INVALID_PROTOBUF ||
		       code == ORT_NO_MODEL || code == ORT_NOT_IMPLEMENTED;
	enum rc rc = FAIL(e, invalid ? RC_INVALID : otherwise, "%s: ONNX Runtime says: %.380s", doing, api->GetErrorMessage(status));

	api->ReleaseStatus(status);
	return rc;
}

#define ORT(g, rc, doing, call)                                                                                             \
	do {                                                                                                                \
		OrtStatus *status_ = (g)->api->call;                                                                        \
		if (status_ != NULL)                                                                                        \
			return ort_fail((g)->api, status_, (rc), (doing), e);                                               \
	} while (0)

static void log_line(void *param, OrtLoggingLevel severity, const char *category, const char *logid, const char *code_location,
		     const char *message)
{
	(void)param, (void)category, (void)logid, (void)code_location;
	if (severity >= ORT_LOGGING_LEVEL_FATAL)   /* errors are returned to whoever asked */
		LOG(WARN, "onnxruntime.said", KV_STR("message", str_of(message)));
	else
		LOG(DEBUG, "onnxruntime.said", KV_STR("message", str_of(message)));
}

static enum rc engine_start(struct engine *g, struct err *e)
{
	void *handle, *symbol;
	const OrtApiBase *(*get_base)(void);

	if (library_open(NULL, "libonnxruntime.so", &handle, e) != RC_OK && library_open(NULL, "libonnxruntime.so.1", &handle, e) != RC_OK)
		return err_wrap(e, "ONNX Runtime is not there, so ONNX models are not served; `make deps` fetches libonnxruntime.so, or name "
				   "its folder with CAIRN_ENGINE_DIR");
	TRY(library_symbol(handle, "OrtGetApiBase", &symbol, e));
	memcpy(&get_base, &symbol, sizeof(get_base));
	g->base = get_base();
	g->api = g->base->GetApi(ORT_API_VERSION);
	if (g->api == NULL)
		return FAIL(e, RC_UNAVAILABLE, "libonnxruntime.so is of version %s; cairn was built for 1.%d or newer: `make deps` fetches it",
			    g->base->GetVersionString(), ORT_API_VERSION);
	ORT(g, RC_UNAVAILABLE, "starting", CreateEnvWithCustomLogger(log_line, NULL, ORT_LOGGING_LEVEL_WARNING, "cairn", &g->env));
	ORT(g, RC_UNAVAILABLE, "starting", CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &g->cpu));
	ORT(g, RC_UNAVAILABLE, "starting", GetAllocatorWithDefaultOptions(&g->allocator));
	/* Its makers' builds send none from Linux; said all the same. */
	ORT(g, RC_UNAVAILABLE, "starting", DisableTelemetryEvents(g->env));
	return RC_OK;
}

static struct engine *engine(void)
{
	static struct engine g;

	return &g;
}

static void engine_start_once(void)
{
	if (engine_start(engine(), &engine()->err) == RC_OK)
		engine()->err.rc = RC_OK;
}

static enum rc engine_get(const struct engine **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	CHECK(pthread_once(&once, engine_start_once) == 0);
	if (engine()->err.rc != RC_OK) {
		*e = engine()->err;
		return e->rc;
	}
	*out = engine();
	return RC_OK;
}

static enum rc version(struct arena *a, str *out, struct err *e)
{
	const struct engine *g;

	TRY(engine_get(&g, e));
	*out = arena_dup(a, str_of(g->base->GetVersionString()));
	return RC_OK;
}

/* --- loading ----------------------------------------------------------------------------------- */

static enum rc spec_fill(const struct engine *g, const OrtTypeInfo *info, struct tensor_spec *spec, bool *is_tensor, struct err *e)
{
	const OrtTensorTypeAndShapeInfo *tensor;
	enum ONNXType kind;
	ONNXTensorElementDataType type;

	ORT(g, RC_INVALID, "reading types", GetOnnxTypeFromTypeInfo(info, &kind));
	*is_tensor = kind == ONNX_TYPE_TENSOR;
	if (!*is_tensor)
		return RC_OK;
	ORT(g, RC_INVALID, "reading types", CastTypeInfoToTensorInfo(info, &tensor));
	ORT(g, RC_INVALID, "reading types", GetTensorElementType(tensor, &type));
	ORT(g, RC_INVALID, "reading types", GetDimensionsCount(tensor, &spec->n_dim));
	if (!dtype_of_onnx(type, &spec->type))
		return FAIL(e, RC_INVALID, "tensor '" STR_FMT "' has ONNX element type %d, which the Open Inference Protocol has no name for",
			    STR_ARG(spec->name), (int)type);
	if (spec->n_dim > TENSOR_DIMS_MAX)
		return FAIL(e, RC_INVALID, "tensor '" STR_FMT "' has %zu dimensions; at most %d are served", STR_ARG(spec->name), spec->n_dim,
			    TENSOR_DIMS_MAX);
	ORT(g, RC_INVALID, "reading types", GetDimensions(tensor, spec->dim, spec->n_dim));
	for (size_t i = 0; i < spec->n_dim; i++)
		if (spec->dim[i] < 0)
			spec->dim[i] = -1;
	return RC_OK;
}

struct side {   /* inputs or outputs */
	const char *what;
	OrtStatus *(ORT_API_CALL *count)(const OrtSession *, size_t *);
	OrtStatus *(ORT_API_CALL *name)(const OrtSession *, size_t, OrtAllocator *, char **);
	OrtStatus *(ORT_API_CALL *type)(const OrtSession *, size_t, OrtTypeInfo **);
};

static enum rc side_name(struct onnx_model *m, const struct side *s, size_t i, const char **out, struct err *e)
{
	const struct engine *g = m->engine;
	char *name;
	OrtStatus *status = s->name(m->session, i, g->allocator, &name);

	if (status != NULL)
		return ort_fail(g->api, status, RC_INVALID, "reading names", e);
	*out = arena_cstr(&m->super.arena, str_of(name));
	status = g->api->AllocatorFree(g->allocator, name);
	return status != NULL ? ort_fail(g->api, status, RC_INTERNAL, "freeing", e) : RC_OK;
}

/* Outputs that are no tensors (lists of maps, as classifiers of scikit-learn have beside their tensors) are left out. */
static enum rc side_read(struct onnx_model *m, const struct side *s, struct tensor_spec **spec_out, const char ***name_out,
			 size_t *n_out, struct err *e)
{
	const struct engine *g = m->engine;
	struct arena *a = &m->super.arena;
	OrtTypeInfo *info;
	size_t n, kept = 0;
	bool is_tensor = false;

	OrtStatus *status = s->count(m->session, &n);
	if (status != NULL)
		return ort_fail(g->api, status, RC_INVALID, "reading types", e);
	struct tensor_spec *spec = ARENA_ARRAY(a, struct tensor_spec, n);
	const char **name = ARENA_ARRAY(a, const char *, n);
	for (size_t i = 0; i < n; i++) {
		TRY(side_name(m, s, i, &name[kept], e));
		spec[kept].name = str_of(name[kept]);
		status = s->type(m->session, i, &info);
		if (status != NULL)
			return ort_fail(g->api, status, RC_INVALID, "reading types", e);
		enum rc rc = spec_fill(g, info, &spec[kept], &is_tensor, e);
		g->api->ReleaseTypeInfo(info);
		TRY(rc);
		kept += is_tensor;
	}
	if (kept == 0 || (kept < n && s->what[0] == 'i'))
		return FAIL(e, RC_INVALID, "the model has %zu %s, of which %zu are tensors; only tensors can be served", n, s->what, kept);
	*spec_out = spec;
	*name_out = name;
	*n_out = kept;
	return RC_OK;
}

static enum rc options_fill(const struct engine *g, const struct runtime_source *s, struct arena *a, OrtSessionOptions *o, struct err *e)
{
	static const char doing[] = "setting up the session";

	ORT(g, RC_INTERNAL, doing, SetIntraOpNumThreads(o, s->threads > 0 ? (int)s->threads : 1));
	ORT(g, RC_INTERNAL, doing, SetInterOpNumThreads(o, 1));
	ORT(g, RC_INTERNAL, doing, SetSessionGraphOptimizationLevel(o, ORT_ENABLE_ALL));
	ORT(g, RC_INTERNAL, doing, AddSessionConfigEntry(o, "session.intra_op.allow_spinning", "0"));
	if (s->n_other == 0)
		return RC_OK;
	const char **name = ARENA_ARRAY(a, const char *, s->n_other);
	char **data = ARENA_ARRAY(a, char *, s->n_other);
	size_t *size = ARENA_ARRAY(a, size_t, s->n_other);
	for (size_t i = 0; i < s->n_other; i++) {
		name[i] = arena_cstr(a, s->other[i].name);
		memcpy(&data[i], &s->other[i].data.at, sizeof(data[i]));   /* only read: the C API forgot to say so */
		size[i] = s->other[i].data.len;
	}
	ORT(g, RC_INVALID, "reading the weights", AddExternalInitializersFromFilesInMemory(o, name, data, size, s->n_other));
	return RC_OK;
}

static enum rc session_open(struct onnx_model *m, const struct runtime_source *s, struct err *e)
{
	const struct engine *g = m->engine;
	OrtSessionOptions *o;
	struct arena a;

	ORT(g, RC_INTERNAL, "setting up the session", CreateSessionOptions(&o));
	arena_init(&a);
	enum rc rc = options_fill(g, s, &a, o, e);
	if (rc == RC_OK) {
		OrtStatus *status = g->api->CreateSessionFromArray(g->env, s->main.data.at, s->main.data.len, o, &m->session);
		if (status != NULL)
			rc = ort_fail(g->api, status, RC_INVALID, "loading the model", e);
	}
	arena_deinit(&a);
	g->api->ReleaseSessionOptions(o);
	return rc;
}

static void unload(struct loaded **slot)
{
	struct onnx_model *m = model_of(*slot);

	*slot = NULL;
	if (m->session != NULL)
		m->engine->api->ReleaseSession(m->session);
	arena_deinit(&m->super.arena);
	free(m);
}

static enum rc load(const struct runtime_source *s, struct loaded **out, struct err *e)
{
	const struct engine *g;

	TRY(engine_get(&g, e));
	struct onnx_model *m = calloc(1, sizeof(*m));
	CHECK(m != NULL);
	m->super.ops = &onnx_runtime;
	m->engine = g;
	arena_init(&m->super.arena);
	const struct side in = { "inputs", g->api->SessionGetInputCount, g->api->SessionGetInputName, g->api->SessionGetInputTypeInfo };
	const struct side outs = { "outputs", g->api->SessionGetOutputCount, g->api->SessionGetOutputName, g->api->SessionGetOutputTypeInfo };
	enum rc rc = session_open(m, s, e);
	if (rc == RC_OK)
		rc = side_read(m, &in, &m->super.in, &m->in_name, &m->super.n_in, e);
	if (rc == RC_OK)
		rc = side_read(m, &outs, &m->super.out, &m->out_name, &m->super.n_out, e);
	struct loaded *loaded = &m->super;
	if (rc != RC_OK)
		unload(&loaded);
	else
		*out = loaded;
	return rc;
}

/* --- inference --------------------------------------------------------------------------------- */

static enum rc text_fill(const struct engine *g, OrtValue *v, const struct tensor *t, struct err *e)
{
	const str *text = t->data;
	char *room;

	for (size_t i = 0; i < t->n; i++) {
		ORT(g, RC_INTERNAL, "taking texts", GetResizedStringTensorElementBuffer(v, i, text[i].len, &room));
		if (text[i].len > 0)
			memcpy(room, text[i].at, text[i].len);
	}
	return RC_OK;
}

static enum rc value_new(const struct engine *g, const struct tensor *t, OrtValue **out, struct err *e)
{
	if (t->type != DT_BYTES) {
		ORT(g, RC_INTERNAL, "taking the input", CreateTensorWithDataAsOrtValue(g->cpu, t->data, t->n * dtype_size(t->type), t->dim,
			t->n_dim, onnx_of_dtype[t->type], out));
		return RC_OK;
	}
	ORT(g, RC_INTERNAL, "taking the input", CreateTensorAsOrtValue(g->allocator, t->dim, t->n_dim, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, out));
	return text_fill(g, *out, t, e);
}

static enum rc texts_read(const struct engine *g, const OrtValue *v, struct arena *a, struct tensor *t, struct err *e)
{
	size_t len;
	str *text = ARENA_ARRAY(a, str, t->n > 0 ? t->n : 1);

	for (size_t i = 0; i < t->n; i++) {
		ORT(g, RC_INTERNAL, "giving texts", GetStringTensorElementLength(v, i, &len));
		char *at = arena_alloc(a, len + 1);
		ORT(g, RC_INTERNAL, "giving texts", GetStringTensorElement(v, len, i, at));
		text[i] = str_n(at, len);
	}
	t->data = text;
	return RC_OK;
}

static enum rc shape_read(const struct engine *g, const OrtTensorTypeAndShapeInfo *info, struct tensor *t, struct err *e)
{
	ONNXTensorElementDataType type;

	ORT(g, RC_INTERNAL, "giving the output", GetTensorElementType(info, &type));
	ORT(g, RC_INTERNAL, "giving the output", GetDimensionsCount(info, &t->n_dim));
	ORT(g, RC_INTERNAL, "giving the output", GetTensorShapeElementCount(info, &t->n));
	if (t->n_dim > TENSOR_DIMS_MAX || !dtype_of_onnx(type, &t->type))
		return FAIL(e, RC_INTERNAL, "output '" STR_FMT "' turned out to have %zu dimensions and element type %d", STR_ARG(t->name),
			    t->n_dim, (int)type);
	ORT(g, RC_INTERNAL, "giving the output", GetDimensions(info, t->dim, t->n_dim));
	return RC_OK;
}

static enum rc value_read(const struct engine *g, OrtValue *v, struct arena *a, struct tensor *t, struct err *e)
{
	OrtTensorTypeAndShapeInfo *info;
	void *data;

	ORT(g, RC_INTERNAL, "giving the output", GetTensorTypeAndShape(v, &info));
	enum rc rc = shape_read(g, info, t, e);
	g->api->ReleaseTensorTypeAndShapeInfo(info);
	TRY(rc);
	if (t->type == DT_BYTES)
		return texts_read(g, v, a, t, e);
	ORT(g, RC_INTERNAL, "giving the output", GetTensorMutableData(v, &data));
	size_t size = t->n * dtype_size(t->type);
	t->data = arena_alloc_raw(a, size > 0 ? size : 1);
	if (size > 0)
		memcpy(t->data, data, size);
	return RC_OK;
}

static enum rc infer_with(struct onnx_model *m, const struct tensor *in, OrtValue **value, OrtValue **result, struct arena *a,
			  struct tensor *out, struct err *e)
{
	const struct engine *g = m->engine;
	const struct loaded *l = &m->super;

	for (size_t i = 0; i < l->n_in; i++)
		TRY(value_new(g, &in[i], &value[i], e));
	ORT(g, RC_INTERNAL, "inference", Run(m->session, NULL, m->in_name, (const OrtValue *const *)value, l->n_in, m->out_name, l->n_out,
		result));
	for (size_t i = 0; i < l->n_out; i++) {
		out[i] = (struct tensor){ .name = l->out[i].name };
		TRY(value_read(g, result[i], a, &out[i], e));
	}
	return RC_OK;
}

static enum rc infer(struct loaded *loaded, const struct tensor *in, struct arena *a, struct tensor *out, struct err *e)
{
	struct onnx_model *m = model_of(loaded);
	const OrtApi *api = m->engine->api;
	OrtValue **value = ARENA_ARRAY(a, OrtValue *, loaded->n_in + loaded->n_out), **result = value + loaded->n_in;

	enum rc rc = infer_with(m, in, value, result, a, out, e);
	for (size_t i = 0; i < loaded->n_in + loaded->n_out; i++)
		if (value[i] != NULL)
			api->ReleaseValue(value[i]);
	return rc;
}

#define LEAST_MINOR ORT_API_VERSION

#else /* built without ONNX Runtime's header */

static enum rc missing(struct err *e)
{
	return FAIL(e, RC_UNAVAILABLE, "this cairn was built without ONNX Runtime; `make deps` fetches it, then build again");
}
static enum rc version(struct arena *a, str *out, struct err *e) { (void)a, (void)out; return missing(e); }
static enum rc load(const struct runtime_source *s, struct loaded **out, struct err *e) { (void)s, (void)out; return missing(e); }
static void unload(struct loaded **slot) { CHECK(*slot == NULL); }
static enum rc infer(struct loaded *loaded, const struct tensor *in, struct arena *a, struct tensor *out, struct err *e)
{
	(void)loaded, (void)in, (void)a, (void)out;
	return missing(e);
}
#define LEAST_MINOR 0

#endif

const struct runtime_ops onnx_runtime = {
	.name = "onnx", .platform = "onnxruntime_onnx", .library = "ONNX Runtime", .least = { 1, LEAST_MINOR },
	.version = version, .load = load, .unload = unload, .infer = infer,
};
