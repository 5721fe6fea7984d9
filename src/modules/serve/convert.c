/* convert.c -- an XGBoost model as an ONNX model, registered only after both were asked the same.
 *
 * The converted model is compared with the original on rows that the model was not trained on, where its training set
 * still has them, and on rows made to lie on its thresholds, just beside them, and without values. Sums are made in the
 * same order in float32, so most models agree to the last bit; the tolerance is for links (exp, softmax). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/event.h"
#include "io/blob.h"
#include "modules/serve/onnx_export.h"
#include "modules/serve/serve_int.h"
#include "modules/tracking/tracking.h"

#define ROWS_GENERATED 4096
#define COLUMNS_MAX 20000       /* of rows that are generated: 330 MB */
#define ROWS_TIMED 201
#define EXPERIMENT "model conversions"

struct conversion {
	struct serve *serve;
	const struct convert_request *request;
	const struct principal *who;
	struct task *task;              /* may be NULL */
	struct arena *arena;
	struct model_version source;
	struct package package;
	struct forest forest;
	str onnx;
	struct loaded *before, *after;
	struct convert_result *result;
};

static void progress(struct conversion *c, double fraction, const char *what)
{
	if (c->task != NULL)
		task_progress(c->task, fraction, "%s", what);
}

/* --- comparing --------------------------------------------------------------------------------- */

static enum rc infer_rows(struct loaded *m, float *x, size_t n_row, size_t n_col, struct arena *a, const float **y, size_t *n, struct err *e)
{
	const struct tensor in = { .name = STR("input"), .type = DT_FP32, .n_dim = 2, .dim = { (int64_t)n_row, (int64_t)n_col }, .data = x,
				   .n = n_row * n_col };
	struct tensor checked, out;

	if (m->n_out != 1 || m->out[0].type != DT_FP32)
		return FAIL(e, RC_INVALID, "the model does not give one FP32 tensor");
	TRY(tensors_match(m->in, m->n_in, &in, 1, &checked, e));
	TRY(m->ops->infer(m, &checked, a, &out, e));
	*y = out.data;
	*n = out.n;
	return RC_OK;
}

static double gap(float a, float b)
{
	if ((isnan(a) && isnan(b)) || (a >= b && a <= b))
		return 0;
	return isfinite(a) && isfinite(b) ? fabs((double)a - (double)b) : INFINITY;
}

enum rc serve__compare(struct loaded *a, struct loaded *b, float *x, size_t n_row, size_t n_col, double *out, struct err *e)
{
	const float *ya, *yb;
	size_t na, nb;
	double worst = 0;
	struct arena arena;

	arena_init(&arena);
	enum rc rc = infer_rows(a, x, n_row, n_col, &arena, &ya, &na, e);
	if (rc == RC_OK)
		rc = infer_rows(b, x, n_row, n_col, &arena, &yb, &nb, e);
	if (rc == RC_OK && na != nb)
		rc = FAIL(e, RC_INVALID, "one model gives %zu values for %zu rows, the other %zu", na, n_row, nb);
	for (size_t i = 0; rc == RC_OK && i < na; i++)
		worst = fmax(worst, gap(ya[i], yb[i]));
	arena_deinit(&arena);
	if (rc == RC_OK)
		*out = worst;
	return rc;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static enum rc time_row(struct loaded *m, float *x, size_t n_col, double *us, struct err *e)
{
	uint64_t took[ROWS_TIMED];
	const float *y;
	size_t n;
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < ROWS_TIMED; i++) {
		uint64_t from = clock_ns();
		enum rc rc = infer_rows(m, x + i * n_col, 1, n_col, &a, &y, &n, e);
		took[i] = clock_ns() - from;
		if (rc != RC_OK) {
			arena_deinit(&a);
			return rc;
		}
	}
	arena_deinit(&a);
	qsort(took, ROWS_TIMED, sizeof(took[0]), by_value);
	*us = (double)took[ROWS_TIMED / 2] / 1e3;
	return RC_OK;
}

static enum rc compare_held_out(struct conversion *c, struct err *e)
{
	struct convert_result *r = c->result;
	double worst;
	float *x;
	size_t n;

	if (!c->package.has_spec)
		return RC_OK;
	TRY(serve__held_out(c->serve, &c->package.spec, c->arena, &x, &n, e));
	if (n == 0)
		return RC_OK;
	TRY(serve__compare(c->before, c->after, x, n, c->forest.n_feature, &worst, e));
	r->rows_held_out = (int64_t)n;
	r->max_abs_error = fmax(r->max_abs_error, worst);
	return RC_OK;
}

static enum rc compare(struct conversion *c, struct err *e)
{
	struct convert_result *r = c->result;
	size_t n_col = c->forest.n_feature;

	_Static_assert(ROWS_TIMED <= ROWS_GENERATED, "rows are timed among those generated");
	if (n_col > COLUMNS_MAX)
		return FAIL(e, RC_TOO_LARGE, "the model has %zu columns; models of up to %d are converted", n_col, COLUMNS_MAX);
	progress(c, 0.5, "comparing the predictions of both");
	float *x = forest_rows(&c->forest, ROWS_GENERATED, 1, c->arena);
	TRY(serve__compare(c->before, c->after, x, ROWS_GENERATED, n_col, &r->max_abs_error, e));
	r->rows_generated = ROWS_GENERATED;
	TRY(compare_held_out(c, e));
	TRY(time_row(c->before, x, n_col, &r->us_before, e));
	TRY(time_row(c->after, x, n_col, &r->us_after, e));
	r->tolerance = c->request->tolerance;
	if (!(r->max_abs_error <= r->tolerance))
		return FAIL(e, RC_GATE_FAILED, "the converted model's predictions differ from the original's by up to %g, which is more than the "
			    "tolerance of %g; nothing was registered", r->max_abs_error, r->tolerance);
	return RC_OK;
}

/* --- converting -------------------------------------------------------------------------------- */

static enum rc convert(struct conversion *c, struct err *e)
{
	const struct model_spec *spec = &c->package.spec;
	str output = c->package.has_spec && spec->output.len > 0 ? spec->output : STR("output");
	str doc = arena_printf(c->arena, STR_FMT " version %lld", STR_ARG(c->source.name), (long long)c->source.version);

	progress(c, 0.1, "reading the trees");
	TRY(forest_read(c->package.source.main.data, c->arena, &c->forest, e));
	progress(c, 0.3, "writing them as ONNX");
	TRY(onnx_of_forest(&c->forest, output, doc, c->arena, &c->onnx, e));
	const struct runtime_source source = { .main = { STR("model.onnx"), c->onnx }, .spec = c->package.source.spec,
					       .threads = c->package.source.threads };
	TRY(xgboost_runtime.load(&c->package.source, &c->before, e));
	TRY(onnx_runtime.load(&source, &c->after, e));
	c->result->bytes_before = (int64_t)c->package.source.main.data.len;
	c->result->bytes_after = (int64_t)c->onnx.len;
	c->result->objective = c->forest.objective;
	return compare(c, e);
}

/* --- registering ------------------------------------------------------------------------------- */

struct onnx_flavor { str data, onnx_version; struct list providers; };
static const struct field onnx_flavor_fields[] = {
	FIELD(onnx_flavor, data, K_STR, 0, "Path of the model"),
	FIELD(onnx_flavor, onnx_version, K_STR, 0, "Version of ONNX"),
	FIELD(onnx_flavor, providers, K_STRS, 0, "What may run it"),
};
static const struct record onnx_flavor_record = RECORD(onnx_flavor, onnx_flavor_fields, "The onnx flavor");
struct python_flavor { str loader_module, data; };
static const struct field python_flavor_fields[] = {
	FIELD(python_flavor, loader_module, K_STR, 0, "Python module that loads it"),
	FIELD(python_flavor, data, K_STR, 0, "Path of the model"),
};
static const struct record python_flavor_record = RECORD(python_flavor, python_flavor_fields, "The python_function flavor");
struct onnx_flavors { struct onnx_flavor onnx; struct python_flavor python; };
static const struct field onnx_flavors_fields[] = {
	FIELD(onnx_flavors, onnx, K_RECORD, 0, "ONNX", .sub = &onnx_flavor_record),
	FIELD(onnx_flavors, python, K_RECORD, 0, "Any Python", .sub = &python_flavor_record, .name = "python_function"),
};
static const struct record onnx_flavors_record = RECORD(onnx_flavors, onnx_flavors_fields, "Flavors");
struct onnx_signature { str inputs; };
static const struct field onnx_signature_fields[] = { FIELD(onnx_signature, inputs, K_STR, F_SKIP_EMPTY, "JSON") };
static const struct record onnx_signature_record = RECORD(onnx_signature, onnx_signature_fields, "Signature");
struct onnx_mlmodel { str artifact_path, run_id; struct onnx_flavors flavors; str created; struct onnx_signature signature; };
static const struct field onnx_mlmodel_fields[] = {
	FIELD(onnx_mlmodel, artifact_path, K_STR, 0, "Folder"),
	FIELD(onnx_mlmodel, run_id, K_STR, 0, "Run"),
	FIELD(onnx_mlmodel, created, K_STR, 0, "When it was made", .name = "utc_time_created"),
	FIELD(onnx_mlmodel, flavors, K_RECORD, 0, "Flavors", .sub = &onnx_flavors_record),
	FIELD(onnx_mlmodel, signature, K_RECORD, F_SKIP_EMPTY, "Signature", .sub = &onnx_signature_record),
};
static const struct record onnx_mlmodel_record = RECORD(onnx_mlmodel, onnx_mlmodel_fields, "An MLmodel file");

/* MLmodel is YAML, and JSON is YAML. */
static str mlmodel_text(struct conversion *c)
{
	str provider[] = { { "CPUExecutionProvider", 20 } };
	char created[CLOCK_TEXT_MAX];
	const struct onnx_mlmodel m = {
		.artifact_path = STR("model"), .run_id = c->result->run_id,
		.created = str_n(created, clock_put_rfc3339(created, clock_ms())),
		.flavors = { { STR("model.onnx"), STR("1.12.0"), { provider, 1 } }, { STR("mlflow.onnx"), STR("model.onnx") } },
		.signature = { c->package.signature },
	};
	struct buf b = BUF_INIT(1u << 20);
	struct jw w;

	jw_init_pretty(&w, &b);
	record_encode(&onnx_mlmodel_record, &m, 0, &w);
	buf_add_char(&b, '\n');
	str text = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return text;
}

static enum rc add_file(struct conversion *c, str path, str data, struct err *e)
{
	char id[BLOB_ID_LEN + 1];

	TRY(blob_put(c->serve->core->blobs, data, id, e));
	return tracking_artifact_add(tracking_of(c->serve->core), c->result->run_id, path, str_of(id), data.len, e);
}

static enum rc add_files(struct conversion *c, struct err *e)
{
	struct model_spec spec = c->package.spec;

	TRY(add_file(c, STR("model/model.onnx"), c->onnx, e));
	TRY(add_file(c, STR("model/MLmodel"), mlmodel_text(c), e));
	if (!c->package.has_spec)
		return RC_OK;
	spec.runtime = STR("onnx");
	spec.file = STR("model.onnx");
	if (c->package.reference_blob.len > 0)
		TRY(tracking_artifact_add(tracking_of(c->serve->core), c->result->run_id,
					  arena_printf(c->arena, "model/" STR_FMT, STR_ARG(spec.reference)), c->package.reference_blob,
					  c->package.reference_size, e));
	else
		spec.reference = STR("");
	return add_file(c, STR("model/cairn.json"), record_to_json(&model_spec_record, &spec, 0, c->arena), e);
}

static enum rc log_measures(struct conversion *c, struct err *e)
{
	const struct convert_result *r = c->result;
	int64_t now = clock_ms();
	const struct metric_point metric[] = {
		{ STR("max_abs_error"), r->max_abs_error, now, 0 }, { STR("rows_compared"), (double)(r->rows_held_out + r->rows_generated), now, 0 },
		{ STR("us_before"), r->us_before, now, 0 },         { STR("us_after"), r->us_after, now, 0 },
		{ STR("bytes_before"), (double)r->bytes_before, now, 0 }, { STR("bytes_after"), (double)r->bytes_after, now, 0 },
	};
	const struct pair param[] = {
		{ STR("model"), r->source }, { STR("to"), str_of(convert_to_names[c->request->to]) }, { STR("objective"), r->objective },
		{ STR("tolerance"), arena_printf(c->arena, "%g", r->tolerance) },
		{ STR("trees"), arena_printf(c->arena, "%zu", c->forest.n_tree) },
	};

	return tracking_run_log(tracking_of(c->serve->core), r->run_id, metric, ARRAY_LEN(metric), param, ARRAY_LEN(param), NULL, 0, e);
}

static enum rc link_run(struct tx *tx, void *ctx, struct err *e)
{
	const struct conversion *c = ctx;
	const struct convert_result *r = c->result;

	TRY(lineage_node_put(tx, LIN_RUN, r->run_id, arena_printf(c->arena, "convert " STR_FMT, STR_ARG(r->source)), STR_NONE, e));
	TRY(lineage_link(tx, LIN_MODEL, r->source, LIN_RUN, r->run_id, "converted", e));
	return event_audit(tx, c->who, "model.convert", arena_printf(c->arena, "run:" STR_FMT, STR_ARG(r->run_id)),
			   record_to_json(&convert_request_record, c->request, 0, c->arena), e);
}

static enum rc create_version(struct conversion *c, struct err *e)
{
	struct convert_result *r = c->result;
	struct registry *registry = registry_of(c->serve->core);
	struct model_version made;
	const struct pair tag[] = {
		{ STR(TAG_CONVERTED_FROM), r->source }, { STR(TAG_TOLERANCE), arena_printf(c->arena, "%.17g", r->tolerance) },
	};
	const struct version_new v = {
		.name = c->request->name, .run_id = r->run_id, .who = c->who, .tag = tag, .n_tag = ARRAY_LEN(tag),
		.source = arena_printf(c->arena, "runs:/" STR_FMT "/model", STR_ARG(r->run_id)),
		.description = arena_printf(c->arena, "ONNX form of " STR_FMT "; predictions differ by at most %g over %lld rows", STR_ARG(r->source),
					    r->max_abs_error, (long long)(r->rows_held_out + r->rows_generated)),
	};

	TRY(registry_version_create(registry, c->arena, &v, &made, e));
	r->name = made.name;
	r->version = made.version;
	if (c->request->alias.len > 0)
		TRY(registry_alias_set(registry, made.name, c->request->alias, made.version, c->who, e));
	return RC_OK;
}

static enum rc register_new(struct conversion *c, struct err *e)
{
	struct tracking *t = tracking_of(c->serve->core);
	str experiment;
	const struct pair tag[] = { { STR(TAG_CONVERTED_FROM), c->result->source } };

	progress(c, 0.8, "registering the new version");
	TRY(tracking_experiment(t, STR(EXPERIMENT), c->arena, &experiment, e));
	const struct run_start start = { .experiment_id = experiment, .who = c->who, .tag = tag, .n_tag = ARRAY_LEN(tag),
					 .name = arena_printf(c->arena, STR_FMT " to %s", STR_ARG(c->result->source), convert_to_names[c->request->to]) };
	TRY(tracking_run_start(t, &start, c->arena, &c->result->run_id, e));
	enum rc rc = add_files(c, e);
	if (rc == RC_OK)
		rc = log_measures(c, e);
	if (rc == RC_OK)
		rc = db_write(c->serve->core->db, link_run, c, e);
	struct err ended = ERR_INIT;
	if (tracking_run_end(t, c->result->run_id, rc == RC_OK ? RUN_FINISHED : RUN_FAILED, &ended) != RC_OK && rc == RC_OK) {
		*e = ended;
		rc = e->rc;
	}
	return rc == RC_OK ? create_version(c, e) : rc;
}

enum rc serve__convert(struct serve *s, const struct convert_request *r, const struct principal *who, struct task *t, struct arena *a,
		       struct convert_result *out, struct err *e)
{
	struct conversion c = { .serve = s, .request = r, .who = who, .task = t, .arena = a, .result = out };

	OBJ_CHECK(s, SERVE_MAGIC);
	TRY(registry_resolve(registry_of(s->core), a, r->model, &c.source, e));
	out->source = arena_printf(a, STR_FMT "@%lld", STR_ARG(c.source.name), (long long)c.source.version);
	TRY(s->package_open(s, &c.source, a, &c.package, e));
	enum rc rc = RC_OK;
	if (c.package.ops != &xgboost_runtime)
		rc = FAIL(e, RC_INVALID, "model " STR_FMT " is run by %s; only XGBoost models can be converted", STR_ARG(out->source), c.package.ops->name);
	if (rc == RC_OK)
		rc = convert(&c, e);
	if (rc == RC_OK && t != NULL && task_cancelled(t))
		rc = FAIL(e, RC_CANCELLED, "cancelled before anything was registered");
	if (rc == RC_OK)
		rc = register_new(&c, e);
	if (c.before != NULL)
		c.before->ops->unload(&c.before);
	if (c.after != NULL)
		c.after->ops->unload(&c.after);
	serve__package_close(&c.package);
	return rc;
}
