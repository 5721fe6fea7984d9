/* package.c -- the files of a trained model: MLflow's MLmodel for its tools, cairn.json for our runtimes, the model, and
 * the profile that monitoring compares with. */
#include "base/clock.h"
#include "io/blob.h"
#include "modules/observe/observe.h"
#include "modules/registry/registry.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train_int.h"

struct xgboost_flavor { str data, model_class, model_format, xgb_version; };
static const struct field xgboost_flavor_fields[] = {
	FIELD(xgboost_flavor, data, K_STR, 0, "Path of the model"),
	FIELD(xgboost_flavor, model_class, K_STR, 0, "Python class"),
	FIELD(xgboost_flavor, model_format, K_STR, 0, "Format of the file"),
	FIELD(xgboost_flavor, xgb_version, K_STR, 0, "XGBoost that made it"),
};
static const struct record xgboost_flavor_record = RECORD(xgboost_flavor, xgboost_flavor_fields, "The xgboost flavor");

struct python_flavor { str loader_module, data; };
static const struct field python_flavor_fields[] = {
	FIELD(python_flavor, loader_module, K_STR, 0, "Python module that loads it"),
	FIELD(python_flavor, data, K_STR, 0, "Path of the model"),
};
static const struct record python_flavor_record = RECORD(python_flavor, python_flavor_fields, "The python_function flavor");

struct flavors { struct xgboost_flavor xgboost; struct python_flavor python; };
static const struct field flavors_fields[] = {
	FIELD(flavors, xgboost, K_RECORD, 0, "XGBoost", .sub = &xgboost_flavor_record),
	FIELD(flavors, python, K_RECORD, 0, "Any Python", .sub = &python_flavor_record, .name = "python_function"),
};
static const struct record flavors_record = RECORD(flavors, flavors_fields, "Flavors");

struct signature { str inputs, outputs; };
static const struct field signature_fields[] = {
	FIELD(signature, inputs, K_STR, 0, "Columns in, as JSON"),
	FIELD(signature, outputs, K_STR, 0, "Columns out, as JSON"),
};
static const struct record signature_record = RECORD(signature, signature_fields, "Signature");

struct mlmodel { str artifact_path, run_id, created; struct flavors flavors; struct signature signature; };
static const struct field mlmodel_fields[] = {
	FIELD(mlmodel, artifact_path, K_STR, 0, "Folder"),
	FIELD(mlmodel, run_id, K_STR, 0, "Run"),
	FIELD(mlmodel, created, K_STR, 0, "When it was made", .name = "utc_time_created"),
	FIELD(mlmodel, flavors, K_RECORD, 0, "Flavors", .sub = &flavors_record),
	FIELD(mlmodel, signature, K_RECORD, 0, "Signature", .sub = &signature_record),
};
static const struct record mlmodel_record = RECORD(mlmodel, mlmodel_fields, "An MLmodel file");

struct signature_column { str type, name; bool required; };
static const struct field signature_column_fields[] = {
	FIELD(signature_column, type, K_STR, 0, "MLflow's type"),
	FIELD(signature_column, name, K_STR, 0, "Name"),
	FIELD(signature_column, required, K_BOOL, 0, "Whether it must be there"),
};
static const struct record signature_column_record = RECORD(signature_column, signature_column_fields, "A column of a signature");

struct file_writer { const struct search_job *job; str run_id; struct arena *a; };

static enum rc add(const struct file_writer *w, const char *name, str data, struct err *e)
{
	const struct core *c = w->job->train->core;
	char id[BLOB_ID_LEN + 1];

	TRY(blob_put(c->blobs, data, id, e));
	return tracking_artifact_add(tracking_of(c), w->run_id, arena_printf(w->a, "model/%s", name), str_of(id), data.len, e);
}

/* MLflow's list of columns, which it keeps as text in its YAML. Missing values are taken, so no input is required. */
static str columns_json(const struct file_writer *w, const str *name, size_t n)
{
	struct buf b = BUF_INIT(1u << 20);
	struct jw j;

	jw_init(&j, &b);
	jw_array(&j);
	for (size_t i = 0; i < n; i++) {
		const struct signature_column c = { STR("float"), name[i], false };
		record_encode(&signature_column_record, &c, 0, &j);
	}
	jw_end_array(&j);
	str out = buf_to_arena(&b, w->a);
	buf_deinit(&b);
	return out;
}

/* MLmodel is YAML, and JSON is YAML. */
static enum rc add_mlmodel(const struct file_writer *w, struct err *e)
{
	const struct training_set *ts = w->job->set;
	char created[CLOCK_TEXT_MAX];
	int major, minor, patch;
	struct buf b = BUF_INIT(1u << 22);
	struct jw j;

	TRY(xgb_version(&major, &minor, &patch, e));
	const struct mlmodel m = {
		.artifact_path = STR("model"), .run_id = w->run_id, .created = str_n(created, clock_put_rfc3339(created, clock_ms())),
		.flavors = { { STR("model.ubj"), STR("xgboost.core.Booster"), STR("ubj"), arena_printf(w->a, "%d.%d.%d", major, minor, patch) },
			     { STR("mlflow.xgboost"), STR("model.ubj") } },
		.signature = { columns_json(w, ts->columns.at, ts->columns.n), columns_json(w, &ts->label, 1) },
	};
	jw_init_pretty(&j, &b);
	record_encode(&mlmodel_record, &m, 0, &j);
	buf_add_char(&b, '\n');
	enum rc rc = add(w, "MLmodel", buf_str(&b), e);
	buf_deinit(&b);
	return rc;
}

static str input_view(const struct training_set *ts, str name)
{
	for (size_t i = 0; i < ts->inputs.n; i++) {
		const struct training_input *in = LIST_AT(ts->inputs, struct training_input, i);
		if (str_eq(in->name, name))
			return in->view;
	}
	return STR("");
}

static enum rc add_spec(const struct file_writer *w, struct err *e)
{
	const struct training_set *ts = w->job->set;
	struct model_input *inputs = ARENA_ARRAY(w->a, struct model_input, ts->columns.n);

	for (size_t i = 0; i < ts->columns.n; i++) {
		str name = *LIST_AT(ts->columns, str, i);
		inputs[i] = (struct model_input){ .name = name, .type = STR("float"), .view = input_view(ts, name) };
	}
	const struct model_spec spec = { .runtime = STR("xgboost"), .file = STR("model.ubj"), .inputs = { inputs, ts->columns.n },
					 .output = ts->label, .training_set = ts->id, .reference = STR("reference.json"), .views = ts->views };
	return add(w, "cairn.json", record_to_json(&model_spec_record, &spec, 0, w->a), e);
}

/* The training rows' inputs, and what the model says of them: live predictions are compared with predictions. */
static enum rc add_reference(const struct file_writer *w, struct booster *b, struct err *e)
{
	const struct training_matrix *m = w->job->m;
	struct profile_column *column = ARENA_ARRAY(w->a, struct profile_column, m->n_col + 1);
	float *p = arena_alloc_n(w->a, m->n_train, sizeof(float));

	TRY(xgb_predict(b, m->x, m->n_train, m->n_col, p, e));
	for (size_t i = 0; i < m->n_col; i++)
		column[i] = (struct profile_column){ m->name[i], m->x + i, m->n_train, m->n_col };
	column[m->n_col] = (struct profile_column){ arena_cstr(w->a, w->job->set->label), p, m->n_train, 1 };
	return add(w, "reference.json", observe_reference_json(column, m->n_col + 1, w->a), e);
}

enum rc train__package(const struct search_job *j, str run_id, struct booster *b, struct arena *a, struct err *e)
{
	const struct file_writer w = { j, run_id, a };
	str model;

	TRY(xgb_save_ubj(b, a, &model, e));
	TRY(add(&w, "model.ubj", model, e));
	TRY(add_reference(&w, b, e));
	TRY(add_spec(&w, e));
	return add_mlmodel(&w, e);
}
