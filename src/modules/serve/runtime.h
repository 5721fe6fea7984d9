/* runtime.h -- what a model runtime is: one table for each engine that can run models.
 *
 * A loaded model embeds `struct loaded` first and tells by it what tensors it takes and gives. The caller has checked
 * inputs against it before `infer`, so a runtime need not. A loaded model is used by many threads at once. */
#ifndef CAIRN_SERVE_RUNTIME_H
#define CAIRN_SERVE_RUNTIME_H

#include "modules/serve/serve.h"

struct runtime_ops;
struct loaded {
	const struct runtime_ops *ops;
	struct arena arena;             /* of the specs */
	struct tensor_spec *in, *out;
	size_t n_in, n_out;
};

struct model_file { str name; str data; };      /* name: relative to the model's folder */
struct runtime_source {
	struct model_file main;
	const struct model_file *other; /* weights kept beside an ONNX file; mapped until load returns, as main is */
	size_t n_other;
	const struct model_spec *spec;  /* NULL when it has none */
	uint32_t threads;               /* that one inference may use */
};

struct runtime_ops {
	const char *name;               /* as in cairn.json, and the flavor in MLmodel: "xgboost" */
	const char *platform;           /* what the Open Inference Protocol calls it */
	const char *library;            /* for people: "ONNX Runtime" */
	int least[2];                   /* major and minor version that cairn is built for */
	/* RC_UNAVAILABLE says how to get it. */
	enum rc (*version)(struct arena *a, str *out, struct err *e);
	enum rc (*load)(const struct runtime_source *s, struct loaded **out, struct err *e);
	void (*unload)(struct loaded **slot);
	/* in: as many as n_in, in the order of ->in. out: room for n_out. */
	enum rc (*infer)(struct loaded *m, const struct tensor *in, struct arena *a, struct tensor *out, struct err *e);
};

extern const struct runtime_ops xgboost_runtime, onnx_runtime;

/* --- tensors ----------------------------------------------------------------------------------- */

/* in: in any order; out: n_spec tensors in the order of the specs. RC_INVALID names the tensor, what was given and what is
 * expected. */
enum rc tensors_match(const struct tensor_spec *spec, size_t n_spec, const struct tensor *in, size_t n_in,
		      struct tensor *out, struct err *e) MUST_USE;
/* "FP32[-1,12]" */
str tensor_text(struct arena *a, enum dtype type, const int64_t *dim, size_t n_dim);
/* A tensor of zeros (texts: empty) with 1 where any size goes. */
struct tensor tensor_zero(struct arena *a, const struct tensor_spec *spec);
bool tensor_equal(const struct tensor *a, const struct tensor *b);      /* bit by bit */

#endif
