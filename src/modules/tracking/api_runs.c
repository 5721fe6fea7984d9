/* api_runs.c -- MLflow's run routes: life, logging, history, inputs. */
#include <stdlib.h>

#include "modules/tracking/store.h"

#define R "tracking.read"
#define W "tracking.write"
#define HISTORY_MAX 25000
#define SAMPLE_MAX 2500
#define BULK_RUNS_MAX 100

/* Old clients say run_uuid. */
static enum rc pick_run(str run_id, str run_uuid, str *out, struct err *e)
{
	*out = run_id.len > 0 ? run_id : run_uuid;
	return out->len > 0 ? RC_OK : mlflow_missing("run_id", e);
}
#define RUN_ID_FIELDS(type)                                                                                         \
	FIELD(type, run_id, K_STR, 0, "Id of the run"), FIELD(type, run_uuid, K_STR, 0, "Id of the run, from old clients")

/* --- life -------------------------------------------------------------------------------------------------- */

static const struct field run_create_fields[] = {
	FIELD(run_create, experiment_id, K_STR, 0, "Its experiment; 0 when empty"),
	FIELD(run_create, user_id, K_STR, 0, "Who starts it"),
	FIELD(run_create, run_name, K_STR, 0, "Name"),
	FIELD(run_create, start_ms, K_I64, 0, "When it starts", .name = "start_time"),
	FIELD(run_create, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record run_create_record = MLFLOW_RECORD(run_create, run_create_fields, "A new run");

struct run_ref { str run_id, run_uuid; };
static const struct field run_ref_fields[] = { RUN_ID_FIELDS(run_ref) };
static const struct record run_ref_record = MLFLOW_RECORD(run_ref, run_ref_fields, "Which run");

struct run_answer { struct run run; };
static const struct field run_answer_fields[] = {
	FIELD(run_answer, run, K_RECORD, 0, "The run", .sub = &run_record),
};
static const struct record run_answer_record = MLFLOW_RECORD(run_answer, run_answer_fields, "One run");

struct run_info_answer { struct run_info run_info; };
static const struct field run_info_answer_fields[] = {
	FIELD(run_info_answer, run_info, K_RECORD, 0, "The run's own facts", .sub = &run_info_record),
};
static const struct record run_info_answer_record = MLFLOW_RECORD(run_info_answer, run_info_answer_fields, "A run's own facts");

struct run_update_in { str run_id, run_uuid; int32_t status; int64_t end_ms; str run_name; };
static const char *const status_numbers[] = { "UNSET", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", NULL };
static const struct field run_update_fields[] = {
	RUN_ID_FIELDS(run_update_in),
	FIELD(run_update_in, status, K_ENUM, F_NUMBERED, "New status", .names = status_numbers),
	FIELD(run_update_in, end_ms, K_I64, 0, "When it ended", .name = "end_time"),
	FIELD(run_update_in, run_name, K_STR, 0, "New name"),
};
static const struct record run_update_record = MLFLOW_RECORD(run_update_in, run_update_fields, "What changes of a run");

static enum rc create(struct call *c, const void *in, void *out, struct err *e)
{
	return run_create(c->module, c->arena, in, c->who, &((struct run_answer *)out)->run, e);
}

static enum rc get(struct call *c, const void *in, void *out, struct err *e)
{
	const struct run_ref *q = in;
	str id;

	TRY(pick_run(q->run_id, q->run_uuid, &id, e));
	return run_get(c->module, c->arena, id, &((struct run_answer *)out)->run, e);
}

static enum rc update(struct call *c, const void *in, void *out, struct err *e)
{
	const struct run_update_in *q = in;
	struct run_change w = { .run_name = q->run_name, .end_ms = q->end_ms };

	TRY(pick_run(q->run_id, q->run_uuid, &w.run_id, e));
	if (q->status > 0)
		w.status = str_of(status_numbers[q->status]);
	return run_update(c->module, c->arena, &w, &((struct run_info_answer *)out)->run_info, e);
}

static enum rc stage(struct call *c, const void *in, bool deleted, struct err *e)
{
	const struct run_ref *q = in;
	str id;

	TRY(pick_run(q->run_id, q->run_uuid, &id, e));
	return run_stage(c->module, c->arena, id, deleted, c->who, e);
}

static enum rc delete(struct call *c, const void *in, void *out, struct err *e)
{
	(void)out;
	return stage(c, in, true, e);
}

static enum rc restore(struct call *c, const void *in, void *out, struct err *e)
{
	(void)out;
	return stage(c, in, false, e);
}

/* --- searching ----------------------------------------------------------------------------------------------- */

struct runs_query { struct list experiment_ids; str filter; int32_t run_view_type; int64_t max_results; struct list order_by; str page_token; };
static const struct field runs_query_fields[] = {
	FIELD(runs_query, experiment_ids, K_STRS, 0, "Experiments to look in"),
	FIELD(runs_query, filter, K_STR, 0, "Comparisons joined by AND"),
	FIELD(runs_query, run_view_type, K_ENUM, F_NUMBERED, "Active, deleted or all", .names = view_type_names, .def = "ACTIVE_ONLY"),
	FIELD(runs_query, max_results, K_I64, 0, "Most runs in the answer", .def = "1000"),
	FIELD(runs_query, order_by, K_STRS, 0, "Keys, each with ASC or DESC"),
	FIELD(runs_query, page_token, K_STR, 0, "From the page before"),
};
static const struct record runs_query_record = MLFLOW_RECORD(runs_query, runs_query_fields, "Which runs");

struct runs_page { struct list runs; str next_page_token; };
static const struct field runs_page_fields[] = {
	FIELD(runs_page, runs, K_RECORDS, F_SKIP_EMPTY, "Runs", .sub = &run_record),
	FIELD(runs_page, next_page_token, K_STR, F_SKIP_EMPTY, "For the next page"),
};
static const struct record runs_page_record = MLFLOW_RECORD(runs_page, runs_page_fields, "Runs found");

/* A read with what it reads for and into. */
struct reading {
	struct arena *a;
	struct search search;
	struct found found;
	struct history_read history;
	struct sample_read sample;
	const struct list *run_ids;
	const int64_t *experiment;
	size_t n;
	struct list list;
	int64_t most;
};

static enum rc search_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;

	return store_runs_search(tx, r->a, &r->search, &r->found, e);
}

static enum rc search(struct call *c, const void *in, void *out, struct err *e)
{
	const struct runs_query *q = in;
	const struct tracking *t = c->module;
	struct runs_page *page = out;
	struct reading r = { .a = c->arena, .search = { .n_experiment = q->experiment_ids.n, .filter = q->filter, .order_by = q->order_by,
							.limit = q->max_results,
							.view = q->run_view_type == VIEW_UNSET ? VIEW_ACTIVE : (enum view_type)q->run_view_type } };
	int64_t *ids;

	TRY(mlflow_page_size(q->max_results, 50000, e));
	TRY(rule_experiment_ids(&q->experiment_ids, c->arena, &ids, e));
	r.search.experiment = ids;
	TRY(mlflow_page_offset(c->arena, q->page_token, &r.search.offset, e));
	TRY(db_read(t->db, search_tx, &r, e));
	page->runs = r.found.rows;
	if (r.found.more)
		page->next_page_token = mlflow_page_token(c->arena, r.search.offset + r.search.limit);
	return RC_OK;
}

/* --- logging ---------------------------------------------------------------------------------------------------- */

struct log_metric_in { struct metric m; str run_uuid; };
static const struct field log_metric_fields[] = {
	FIELD(log_metric_in, m.run_id, K_STR, 0, "Id of the run", .name = "run_id"),
	FIELD(log_metric_in, run_uuid, K_STR, 0, "Id of the run, from old clients"),
	FIELD(log_metric_in, m.key, K_STR, F_REQUIRED, "Name", .name = "key"),
	FIELD(log_metric_in, m.value, K_F64, F_REQUIRED, "Value", .name = "value"),
	FIELD(log_metric_in, m.time_ms, K_I64, F_REQUIRED, "Unix time in ms", .name = "timestamp"),
	FIELD(log_metric_in, m.step, K_I64, 0, "Step", .name = "step"),
	FIELD(log_metric_in, m.model_id, K_STR, 0, "Logged model that it is of", .name = "model_id"),
	FIELD(log_metric_in, m.dataset_name, K_STR, 0, "Dataset that it was measured on", .name = "dataset_name"),
	FIELD(log_metric_in, m.dataset_digest, K_STR, 0, "Digest of the dataset", .name = "dataset_digest"),
};
static const struct record log_metric_record = MLFLOW_RECORD(log_metric_in, log_metric_fields, "One point");

struct log_pair_in { str run_id, run_uuid; struct pair p; };
static const struct field log_pair_fields[] = {
	RUN_ID_FIELDS(log_pair_in),
	FIELD(log_pair_in, p.key, K_STR, F_REQUIRED, "Name", .name = "key"),
	FIELD(log_pair_in, p.value, K_STR, 0, "Value", .name = "value", .max = 1 << 24),
};
static const struct record log_pair_record = MLFLOW_RECORD(log_pair_in, log_pair_fields, "A param or tag");

struct log_batch_in { str run_id, run_uuid; struct list metrics, params, tags; };
static const struct field log_batch_fields[] = {
	RUN_ID_FIELDS(log_batch_in),
	FIELD(log_batch_in, metrics, K_RECORDS, 0, "Points", .sub = &metric_record),
	FIELD(log_batch_in, params, K_RECORDS, 0, "Params", .sub = &pair_record),
	FIELD(log_batch_in, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record log_batch_record = MLFLOW_RECORD(log_batch_in, log_batch_fields, "What to log");

static enum rc log_metric(struct call *c, const void *in, void *out, struct err *e)
{
	const struct log_metric_in *q = in;
	struct metric m = q->m;
	struct log_batch b = { .metric = &m, .n_metric = 1 };

	(void)out;
	TRY(pick_run(q->m.run_id, q->run_uuid, &b.run_id, e));
	TRY(rule_metrics(&m, 1, e));
	return run_log(c->module, c->arena, &b, e);
}

static enum rc log_param(struct call *c, const void *in, void *out, struct err *e)
{
	const struct log_pair_in *q = in;
	struct pair p = q->p;
	struct log_batch b = { .param = &p, .n_param = 1 };

	(void)out;
	TRY(pick_run(q->run_id, q->run_uuid, &b.run_id, e));
	TRY(rule_params(&p, 1, e));
	return run_log(c->module, c->arena, &b, e);
}

static enum rc set_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct log_pair_in *q = in;
	struct pair p = q->p;
	struct log_batch b = { .tag = &p, .n_tag = 1 };

	(void)out;
	TRY(pick_run(q->run_id, q->run_uuid, &b.run_id, e));
	TRY(rule_tags(&p, 1, e));
	return run_log(c->module, c->arena, &b, e);
}

static enum rc delete_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct log_pair_in *q = in;
	str id;

	(void)out;
	TRY(pick_run(q->run_id, q->run_uuid, &id, e));
	return run_tag_delete(c->module, c->arena, id, q->p.key, e);
}

static enum rc batch_room(const char *what, size_t n, size_t max, struct err *e)
{
	if (n <= max)
		return RC_OK;
	return FAIL(e, RC_INVALID, "A batch logging request can contain at most %zu %s. Got %zu %s. Please split up %s across multiple requests "
		    "and try again.", max, what, n, what, what);
}

static enum rc log_many(struct call *c, const void *in, void *out, struct err *e)
{
	const struct log_batch_in *q = in;
	struct log_batch b = { .metric = q->metrics.at, .n_metric = q->metrics.n, .param = q->params.at, .n_param = q->params.n,
			       .tag = q->tags.at, .n_tag = q->tags.n };

	(void)out;
	TRY(pick_run(q->run_id, q->run_uuid, &b.run_id, e));
	TRY(rule_run_id(b.run_id, e));
	TRY(batch_room("metrics", b.n_metric, 1000, e));
	TRY(batch_room("params", b.n_param, 100, e));
	TRY(batch_room("tags", b.n_tag, 100, e));
	TRY(batch_room("metrics, params, and tags", b.n_metric + b.n_param + b.n_tag, 1000, e));
	TRY(rule_metrics(q->metrics.at, b.n_metric, e));
	TRY(rule_params(q->params.at, b.n_param, e));
	TRY(rule_tags(q->tags.at, b.n_tag, e));
	return run_log(c->module, c->arena, &b, e);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

struct history_query { str run_id, run_uuid, metric_key; int64_t max_results; str page_token; uint64_t has; };
enum { HISTORY_MAX_RESULTS = 1u << 3 };      /* the field's bit */
static const struct field history_query_fields[] = {
	RUN_ID_FIELDS(history_query),
	FIELD(history_query, metric_key, K_STR, F_REQUIRED, "Name of the metric"),
	FIELD(history_query, max_results, K_I64, 0, "Most points in the answer; all when absent"),
	FIELD(history_query, page_token, K_STR, 0, "From the page before"),
};
static const struct record history_query_record =
	MLFLOW_RECORD(history_query, history_query_fields, "Which points", .has_offset = offsetof(struct history_query, has));

struct metrics_page { struct list metrics; str next_page_token; };
static const struct field metrics_page_fields[] = {
	FIELD(metrics_page, metrics, K_RECORDS, F_SKIP_EMPTY, "Points", .sub = &metric_record),
	FIELD(metrics_page, next_page_token, K_STR, F_SKIP_EMPTY, "For the next page"),
};
static const struct record metrics_page_record = MLFLOW_RECORD(metrics_page, metrics_page_fields, "Points found");

static enum rc history_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;

	return store_history(tx, r->a, &r->history, &r->list, e);
}

static enum rc history(struct call *c, const void *in, void *out, struct err *e)
{
	const struct history_query *q = in;
	const struct tracking *t = c->module;
	struct metrics_page *page = out;
	struct reading r = { .a = c->arena, .history = { .key = q->metric_key } };

	TRY(pick_run(q->run_id, q->run_uuid, &r.history.run_id, e));
	if (q->has & HISTORY_MAX_RESULTS)
		TRY(mlflow_page_size(q->max_results, INT64_MAX, e));
	TRY(mlflow_page_offset(c->arena, q->page_token, &r.history.offset, e));
	r.history.limit = q->max_results > 0 && q->max_results < INT32_MAX ? q->max_results + 1 : 0;
	TRY(db_read(t->db, history_tx, &r, e));
	page->metrics = r.list;
	if (r.history.limit > 0 && r.list.n == (size_t)r.history.limit) {
		page->metrics.n--;
		page->next_page_token = mlflow_page_token(c->arena, r.history.offset + q->max_results);
	}
	return RC_OK;
}

struct sample_query { struct list run_ids; str metric_key; int64_t start_step, end_step, max_results; uint64_t has; };
enum { SAMPLE_START = 1u << 2, SAMPLE_END = 1u << 3 };  /* the fields' bits */
static const struct field sample_query_fields[] = {
	FIELD(sample_query, run_ids, K_STRS, F_REQUIRED, "Runs"),
	FIELD(sample_query, metric_key, K_STR, F_REQUIRED, "Name of the metric"),
	FIELD(sample_query, start_step, K_I64, 0, "First step"),
	FIELD(sample_query, end_step, K_I64, 0, "Last step"),
	FIELD(sample_query, max_results, K_I64, 0, "Most points of a run", .def = "2500"),
};
static const struct record sample_query_record =
	MLFLOW_RECORD(sample_query, sample_query_fields, "Which points", .has_offset = offsetof(struct sample_query, has));

static enum rc sample_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;

	for (size_t i = 0; i < r->run_ids->n; i++) {
		struct sample_read s = r->sample;
		s.run_id = *LIST_AT(*r->run_ids, const str, i);
		TRY(store_history_sample(tx, r->a, &s, &r->list, e));
	}
	return RC_OK;
}

static enum rc sample(struct call *c, const void *in, void *out, struct err *e)
{
	const struct sample_query *q = in;
	const struct tracking *t = c->module;
	bool start = (q->has & SAMPLE_START) != 0, end = (q->has & SAMPLE_END) != 0;
	struct reading r = { .a = c->arena, .run_ids = &q->run_ids,
			     .sample = { .key = q->metric_key, .bounded = start, .from_step = q->start_step, .to_step = q->end_step,
					 .max = q->max_results } };

	if (q->run_ids.n > BULK_RUNS_MAX)
		return FAIL(e, RC_INVALID, "GetMetricHistoryBulkInterval request must specify at most %d run_ids. Received %zu run_ids.",
			    BULK_RUNS_MAX, q->run_ids.n);
	if (q->max_results < 1 || q->max_results > SAMPLE_MAX)
		return FAIL(e, RC_INVALID, "max_results must be between 1 and %d.", SAMPLE_MAX);
	if (start != end)
		return FAIL(e, RC_INVALID, "If either start step or end step are specified, both must be specified.");
	if (start && q->start_step > q->end_step)
		return FAIL(e, RC_INVALID, "end_step must be greater than start_step. Found start_step=%lld and end_step=%lld.",
			    (long long)q->start_step, (long long)q->end_step);
	TRY(db_read(t->db, sample_tx, &r, e));
	((struct metrics_page *)out)->metrics = r.list;
	return RC_OK;
}

struct bulk_query { struct list run_id; str metric_key; int64_t max_results; };
static const struct field bulk_query_fields[] = {
	FIELD(bulk_query, run_id, K_STRS, 0, "Runs"),
	FIELD(bulk_query, metric_key, K_STR, 0, "Name of the metric"),
	FIELD(bulk_query, max_results, K_I64, 0, "Most points in the answer", .def = "25000"),
};
static const struct record bulk_query_record = MLFLOW_RECORD(bulk_query, bulk_query_fields, "Which points");

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

static enum rc bulk_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;
	VEC(struct metric) all = { 0 };

	for (size_t i = 0; i < r->run_ids->n && (int64_t)all.n < r->most; i++) {
		struct history_read h = { .run_id = *LIST_AT(*r->run_ids, const str, i), .key = r->history.key, .limit = r->most - (int64_t)all.n };
		struct list points;
		TRY(store_history(tx, r->a, &h, &points, e));
		for (size_t k = 0; k < points.n; k++) {
			struct metric *m = VEC_PUSH(r->a, &all);
			*m = *LIST_AT(points, const struct metric, k);
			m->run_id = h.run_id;
		}
	}
	r->list = LIST_OF(all);
	return RC_OK;
}

static enum rc bulk(struct call *c, const void *in, void *out, struct err *e)
{
	const struct bulk_query *q = in;
	const struct tracking *t = c->module;
	struct reading r = { .a = c->arena, .run_ids = &q->run_id, .history = { .key = q->metric_key } };

	if (q->run_id.n == 0)
		return FAIL(e, RC_INVALID, "GetMetricHistoryBulk request must specify at least one run_id.");
	if (q->run_id.n > BULK_RUNS_MAX)
		return FAIL(e, RC_INVALID, "GetMetricHistoryBulk request cannot specify more than %d run_ids. Received %zu run_ids.",
			    BULK_RUNS_MAX, q->run_id.n);
	if (q->metric_key.len == 0)
		return FAIL(e, RC_INVALID, "GetMetricHistoryBulk request must specify a metric_key.");
	r.most = q->max_results > 0 && q->max_results < HISTORY_MAX ? q->max_results : HISTORY_MAX;
	qsort(q->run_id.at, q->run_id.n, sizeof(str), by_text);
	TRY(db_read(t->db, bulk_tx, &r, e));
	((struct metrics_page *)out)->metrics = r.list;
	return RC_OK;
}

/* --- inputs and outputs ---------------------------------------------------------------------------------------------- */

struct inputs_in { str run_id, run_uuid; struct list datasets, models; };
static const struct field inputs_fields[] = {
	RUN_ID_FIELDS(inputs_in),
	FIELD(inputs_in, datasets, K_RECORDS, 0, "Datasets", .sub = &dataset_input_record),
	FIELD(inputs_in, models, K_RECORDS, 0, "Models", .sub = &model_input_ref_record),
};
static const struct record inputs_record = MLFLOW_RECORD(inputs_in, inputs_fields, "What a run reads");

static const struct field outputs_fields[] = {
	RUN_ID_FIELDS(inputs_in),
	FIELD(inputs_in, models, K_RECORDS, F_REQUIRED, "Models", .sub = &model_output_ref_record),
};
static const struct record outputs_record = MLFLOW_RECORD(inputs_in, outputs_fields, "What a run makes", .name = "outputs_in");

static enum rc log_inputs(struct call *c, const void *in, void *out, struct err *e)
{
	const struct inputs_in *q = in;
	str id;

	(void)out;
	TRY(pick_run(q->run_id, q->run_uuid, &id, e));
	return run_inputs_add(c->module, c->arena, id, &q->datasets, &q->models, e);
}

static enum rc log_outputs(struct call *c, const void *in, void *out, struct err *e)
{
	const struct inputs_in *q = in;
	str id;

	(void)out;
	TRY(pick_run(q->run_id, q->run_uuid, &id, e));
	return run_outputs_add(c->module, c->arena, id, &q->models, e);
}

struct log_model_in { str run_id, model_json; };
static const struct field log_model_fields[] = {
	FIELD(log_model_in, run_id, K_STR, F_REQUIRED, "Id of the run"),
	FIELD(log_model_in, model_json, K_STR, F_REQUIRED, "The MLmodel file as JSON", .max = 1 << 20),
};
static const struct record log_model_record = MLFLOW_RECORD(log_model_in, log_model_fields, "A model logged by a 2.x client");

/* What MLflow keeps of it in a tag. */
struct model_note { str artifact_path, flavors, run_id, utc_time_created; };
static const struct field model_note_fields[] = {
	FIELD(model_note, run_id, K_STR, F_REQUIRED, "Run"),
	FIELD(model_note, artifact_path, K_STR, F_REQUIRED, "Folder of the model"),
	FIELD(model_note, utc_time_created, K_STR, F_REQUIRED, "When it was made"),
	FIELD(model_note, flavors, K_JSON, F_REQUIRED, "Flavours"),
};
static const struct record model_note_record = MLFLOW_RECORD(model_note, model_note_fields, "A logged model");

static enum rc log_model(struct call *c, const void *in, void *out, struct err *e)
{
	static const char tag_name[] = "mlflow.log-model.history";
	const struct log_model_in *q = in;
	struct model_note note;
	struct run run;
	str old = STR("");

	(void)out;
	TRY(record_from_json(&model_note_record, q->model_json, c->arena, 0, &note, e));
	TRY(run_get(c->module, c->arena, q->run_id, &run, e));
	for (size_t i = 0; i < run.data.tags.n; i++) {
		const struct pair *p = LIST_AT(run.data.tags, const struct pair, i);
		if (str_eq(p->key, str_of(tag_name)) && p->value.len > 2 && str_ends(p->value, STR("]")))
			old = str_head(p->value, p->value.len - 1);
	}
	str one = record_to_json(&model_note_record, &note, 0, c->arena);
	const struct pair tag = { str_of(tag_name), arena_printf(c->arena, STR_FMT "%s" STR_FMT "]", STR_ARG(old), old.len > 0 ? ", " : "[",
								 STR_ARG(one)) };
	return run_log(c->module, c->arena, &(struct log_batch){ .run_id = q->run_id, .tag = &tag, .n_tag = 1 }, e);
}

/* --- datasets of experiments ---------------------------------------------------------------------------------------- */

struct datasets_query { struct list experiment_ids; };
static const struct field datasets_query_fields[] = {
	FIELD(datasets_query, experiment_ids, K_STRS, F_REQUIRED, "Experiments"),
};
static const struct record datasets_query_record = MLFLOW_RECORD(datasets_query, datasets_query_fields, "Which datasets");
static const struct field dataset_summary_fields[] = {
	FIELD(dataset_summary, experiment_id, K_STR, 0, "Experiment"),
	FIELD(dataset_summary, name, K_STR, 0, "Name"),
	FIELD(dataset_summary, digest, K_STR, 0, "Digest"),
	FIELD(dataset_summary, context, K_STR, F_SKIP_EMPTY, "What it was used for"),
};
static const struct record dataset_summary_record = MLFLOW_RECORD(dataset_summary, dataset_summary_fields, "A dataset that runs read");
struct datasets_page { struct list dataset_summaries; };
static const struct field datasets_page_fields[] = {
	FIELD(datasets_page, dataset_summaries, K_RECORDS, F_SKIP_EMPTY, "Datasets", .sub = &dataset_summary_record),
};
static const struct record datasets_page_record = MLFLOW_RECORD(datasets_page, datasets_page_fields, "Datasets found");

static enum rc datasets_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;

	return store_datasets_search(tx, r->a, r->experiment, r->n, &r->list, e);
}

static enum rc search_datasets(struct call *c, const void *in, void *out, struct err *e)
{
	const struct datasets_query *q = in;
	const struct tracking *t = c->module;
	struct reading r = { .a = c->arena, .n = q->experiment_ids.n };
	int64_t *ids;

	if (r.n == 0 || r.n > 20)
		return FAIL(e, RC_INVALID, "SearchDatasets request must specify 1 to 20 experiment_ids. Received %zu experiment_ids.", r.n);
	TRY(rule_experiment_ids(&q->experiment_ids, c->arena, &ids, e));
	r.experiment = ids;
	TRY(db_read(t->db, datasets_tx, &r, e));
	((struct datasets_page *)out)->dataset_summaries = r.list;
	return RC_OK;
}

#define ROUTE(m, p, perm, i, o, h, text) { m, p, perm, .in = i, .out = o, .handler = h, .doc = text, .flags = ROUTE_HIDDEN }
const struct route run_routes[RUN_ROUTES] = {
	ROUTE(HTTP_POST, "/runs/create", W, &run_create_record, &run_answer_record, create, "Starts a run"),
	ROUTE(HTTP_GET, "/runs/get", R, &run_ref_record, &run_answer_record, get, "A run with what was logged"),
	ROUTE(HTTP_POST, "/runs/update", W, &run_update_record, &run_info_answer_record, update, "Changes status, end or name"),
	ROUTE(HTTP_POST, "/runs/delete", W, &run_ref_record, NULL, delete, "Deletes a run"),
	ROUTE(HTTP_POST, "/runs/restore", W, &run_ref_record, NULL, restore, "Restores a run"),
	ROUTE(HTTP_POST, "/runs/search", R, &runs_query_record, &runs_page_record, search, "Finds runs"),
	ROUTE(HTTP_POST, "/runs/log-metric", W, &log_metric_record, NULL, log_metric, "Logs a point"),
	ROUTE(HTTP_POST, "/runs/log-parameter", W, &log_pair_record, NULL, log_param, "Logs a param"),
	ROUTE(HTTP_POST, "/runs/set-tag", W, &log_pair_record, NULL, set_tag, "Sets a tag"),
	ROUTE(HTTP_POST, "/runs/delete-tag", W, &log_pair_record, NULL, delete_tag, "Deletes a tag"),
	ROUTE(HTTP_POST, "/runs/log-batch", W, &log_batch_record, NULL, log_many, "Logs points, params and tags, all or none"),
	ROUTE(HTTP_GET, "/metrics/get-history", R, &history_query_record, &metrics_page_record, history, "Every point of a metric"),
	ROUTE(HTTP_GET, "/metrics/get-history-bulk-interval", R, &sample_query_record, &metrics_page_record, sample,
	      "An even sample of a metric's points, for several runs"),
	ROUTE(HTTP_GET, "/metrics/get-history-bulk", R, &bulk_query_record, &metrics_page_record, bulk, "Points of a metric, for several runs"),
	ROUTE(HTTP_POST, "/runs/log-inputs", W, &inputs_record, NULL, log_inputs, "Says what a run reads"),
	ROUTE(HTTP_POST, "/runs/outputs", W, &outputs_record, NULL, log_outputs, "Says which models a run makes"),
	ROUTE(HTTP_POST, "/runs/log-model", W, &log_model_record, NULL, log_model, "Notes a model, for 2.x clients"),
	ROUTE(HTTP_POST, "/experiments/search-datasets", R, &datasets_query_record, &datasets_page_record, search_datasets,
	      "Datasets that runs of experiments read"),
};
