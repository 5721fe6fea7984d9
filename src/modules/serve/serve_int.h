/* serve_int.h -- what the rooms of serve share.
 *
 * serve.c is the module's table; records.c its records; package.c finds a model version's files; loaded.c keeps what is
 * loaded; runtime.h and its two runtimes run it; held_out.c reads held-out rows; forest.c, ubjson.c, onnx_export.c and convert.c turn XGBoost models into ONNX;
 * api_serve.c is the routes; checks.c the live checks.
 */
#ifndef CAIRN_SERVE_INT_H
#define CAIRN_SERVE_INT_H

#include <pthread.h>

#include "core/core.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "core/route.h"
#include "core/task.h"
#include "io/filemap.h"
#include "modules/serve/runtime.h"

struct serve_config { int32_t threads; };
extern const struct record serve_config_record;

struct package;
struct serve {
	unsigned magic;
	struct core *core;
	struct serve_config config;
	const struct runtime_ops *const *runtime;
	size_t n_runtime;
	/* Finds the files of a version; tests put their own here. */
	enum rc (*package_open)(struct serve *s, const struct model_version *v, struct arena *a, struct package *out, struct err *e);
	struct metric_family *load_seconds, *infer_seconds, *infer_errors;

	pthread_mutex_t mtx;            /* guards what follows, and what served_model says */
	pthread_cond_t changed;
	struct served_model *first;     /* those being loaded or ready */
	size_t n_loaded;
};
#define SERVE_MAGIC 0x73657276u

const struct runtime_ops *serve__runtime(const struct serve *s, str name);      /* NULL when there is none */

/* --- the files of a version ---------------------------------------------------------------------- */

struct mapped_file { str name, blob; struct filemap map; };
struct package {
	const struct runtime_ops *ops;
	struct model_spec spec;
	bool has_spec;
	struct runtime_source source;   /* spec and threads filled too */
	struct mapped_file *file;       /* what has to be closed */
	size_t n_file;
	uint64_t bytes;
	str reference_blob;             /* of spec.reference, or empty */
	uint64_t reference_size;
	str signature;                  /* of MLmodel, as JSON, or empty */
};
/* Digests are verified: RC_IO when a file is no longer what was stored. Strings live in a. */
enum rc serve__package_open(struct serve *s, const struct model_version *v, struct arena *a, struct package *out, struct err *e) MUST_USE;
void serve__package_close(struct package *p);

/* --- loaded models --------------------------------------------------------------------------------- */

struct served_model {
	unsigned magic;
	struct serve *serve;
	_Atomic uint32_t refs;
	/* under serve->mtx */
	struct served_model *next;
	enum { SERVED_LOADING, SERVED_READY, SERVED_FAILED } state;
	struct err err;                 /* why, when failed */
	/* constant once ready */
	struct arena arena;
	struct model_version version;
	struct model_spec spec;
	bool has_spec;
	struct loaded *loaded;
	uint64_t bytes, load_ns;
	int64_t loaded_ms;
	struct tensor *warm_in, *warm_out;      /* recorded when it was loaded */
	bool warm;                      /* false: the model takes no input of the sizes that warming up guesses */
	struct series *latency, *errors;
};
#define SERVED_MAGIC 0x73766d64u
/* References to all that are ready, to be released one by one. */
struct served_list { struct served_model **at; size_t n; };
void serve__list(struct serve *s, struct arena *a, struct served_list *out);
void serve__list_release(struct served_list *l);
/* Runs the warm-up input again; *same tells whether the output is what it was. */
enum rc serve__warm_again(struct served_model *m, struct arena *a, bool *same, struct err *e) MUST_USE;

/* --- conversion -------------------------------------------------------------------------------------- */

extern const char *const convert_to_names[];
struct convert_request { str model; int32_t to; str name, alias; double tolerance; };
struct convert_result {
	str name; int64_t version;
	str source, run_id, objective;
	int64_t rows_held_out, rows_generated;
	double max_abs_error, tolerance;
	int64_t bytes_before, bytes_after;
	double us_before, us_after;     /* one row */
};
extern const struct record convert_request_record, convert_result_record;
/* t may be NULL. */
enum rc serve__convert(struct serve *s, const struct convert_request *r, const struct principal *who, struct task *t, struct arena *a,
		       struct convert_result *out, struct err *e) MUST_USE;
#define TAG_CONVERTED_FROM "cairn.converted_from"       /* "taxi-fare@3", on the new version */
#define TAG_TOLERANCE "cairn.conversion_tolerance"
/* One input FP32[-1, n_col], one output of FP32: the largest difference over the rows. NaN and infinities must be the same. */
enum rc serve__compare(struct loaded *a, struct loaded *b, float *x, size_t n_row, size_t n_col, double *out, struct err *e) MUST_USE;

#define HELD_OUT_MAX 20000
/* Rows of the model's training set that it was not trained on, at most HELD_OUT_MAX, in the order of its inputs. None when
 * the training set is gone. */
enum rc serve__held_out(struct serve *s, const struct model_spec *spec, struct arena *a, float **x_out, size_t *n_out, struct err *e) MUST_USE;

/* --- what the routes answer ---------------------------------------------------------------------------- */

struct runtime_info { str name, platform, library, version, least; bool available; str reason; int64_t n_loaded; };
struct io_info { str name, type; struct list shape; };
struct loaded_info {
	str model; int64_t version;
	str runtime;
	int64_t references, loaded_ms;
	double load_ms;
	int64_t bytes, inferences, failures;
	double p50_us, p95_us, p99_us;
	struct list inputs, outputs;
	bool warm;
};
struct runtime_listing { struct list runtimes; };
struct loaded_listing { struct list loaded_models; };
extern const struct record runtime_info_record, loaded_info_record, runtime_listing_record, loaded_listing_record;

#define SERVE_ROUTES 3
#define SERVE_TASKS 1
#define SERVE_CHECKS 3
extern const struct route serve_routes[SERVE_ROUTES];
extern const struct task_def serve_tasks[SERVE_TASKS];
extern const struct check_def serve_checks[SERVE_CHECKS];

#endif
