/* serve.h -- model runtimes behind one interface, and the models that are loaded.
 *
 * What a model takes and gives is told by served_io. An XGBoost model, and an ONNX model converted from one, has one input
 * "input" FP32[-1, features] in the order of the spec's inputs, NaN where a value is missing, and one output FP32[-1, 1] (or
 * a column for each class) under the spec's output name. Other ONNX models tell their own.
 * A loaded model is immutable and reference counted: replacing one swaps a pointer, and requests that hold the
 * old one end on it. Inference runs on the caller's (worker) thread.
 */
#ifndef CAIRN_MODULES_SERVE_H
#define CAIRN_MODULES_SERVE_H

#include "base/record.h"
#include "core/core.h"
#include "modules/registry/registry.h"

struct serve;
extern const struct module serve_module;
static inline struct serve *serve_of(const struct core *c) { return core_module(c, "serve"); }

enum dtype { DT_BOOL, DT_UINT8, DT_UINT16, DT_UINT32, DT_UINT64, DT_INT8, DT_INT16, DT_INT32, DT_INT64, DT_FP16, DT_FP32, DT_FP64, DT_BYTES, DT_COUNT };
extern const char *const dtype_names[];        /* OIP's: "FP32", … */
size_t dtype_size(enum dtype t);               /* 0 for BYTES */
#define TENSOR_DIMS_MAX 8
struct tensor {
	str name;
	enum dtype type;
	size_t n_dim;
	int64_t dim[TENSOR_DIMS_MAX];
	void *data;             /* row-major; DT_BYTES: an array of str */
	size_t n;               /* elements */
};
struct tensor_spec { str name; enum dtype type; size_t n_dim; int64_t dim[TENSOR_DIMS_MAX]; /* -1: any */ };

struct served_model;    /* reference counted */
/* Loads (or finds loaded) the version's model: files fetched, digests verified, warmed up. */
enum rc serve_acquire(struct serve *s, const struct model_version *v, struct served_model **out, struct err *e) MUST_USE;
void serve_ref(struct served_model *m);
void serve_release(struct served_model **slot);
const struct model_version *served_version(const struct served_model *m);
const struct model_spec *served_spec(const struct served_model *m);      /* NULL when the model has none */
str served_runtime(const struct served_model *m);        /* "xgboost", "onnx" */
str served_platform(const struct served_model *m);       /* as the Open Inference Protocol calls it */
void served_io(const struct served_model *m, const struct tensor_spec **in, size_t *n_in, const struct tensor_spec **out, size_t *n_out);
#define SERVED_OUTPUTS_MAX 64                            /* a model with more is not loaded; room for these always does */
/* Inputs by name; outputs in the arena. RC_INVALID names the tensor, what was given and what is expected. */
enum rc served_infer(struct served_model *m, const struct tensor *in, size_t n_in, struct arena *a, struct tensor *out,
		     size_t *n_out /* in: room */, struct err *e) MUST_USE;

#endif
