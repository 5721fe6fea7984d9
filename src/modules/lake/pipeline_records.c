/* pipeline_records.c -- what a pipeline's definition may say, and what is known of its runs. */
#include "modules/lake/pipeline.h"

const char *const gate_kind_names[] = { "row_count", "not_null", "range", "accepted_values", "unique", "freshness", NULL };
const char *const run_state_names[] = { "running", "succeeded", "gate_failed", "failed", "cancelled", "interrupted", NULL };

/* --- definitions -------------------------------------------------------------------------------------------- */

static const struct field gate_fields[] = {
	FIELD(gate, kind, K_ENUM, F_REQUIRED, "What is measured", .names = gate_kind_names),
	FIELD(gate, min, K_F64, F_SKIP_EMPTY | F_NULLABLE, "row_count, range: least value that passes"),
	FIELD(gate, max, K_F64, F_SKIP_EMPTY | F_NULLABLE, "row_count, range: greatest value that passes"),
	FIELD(gate, column, K_STR, F_SKIP_EMPTY, "range, accepted_values, freshness: the column"),
	FIELD(gate, columns, K_STRS, F_SKIP_EMPTY, "not_null: each must have a value; unique: together", .max = 100),
	FIELD(gate, values, K_STRS, F_SKIP_EMPTY, "accepted_values: the values, as text", .max = 10000),
	FIELD(gate, max_age_ms, K_MS, F_SKIP_EMPTY, "freshness: how old the newest value may be", .name = "max_age"),
	FIELD(gate, relative_to, K_STR, F_SKIP_EMPTY, "freshness: old as of when: now, a time, or \"table.column\" for its newest value", .max = 400),
	FIELD(gate, mostly, K_F64, 0, "Share of rows that has to pass; empty values of range and accepted_values do not count", .min = 0, .max = 1,
	      .def = "1"),
};
const struct record gate_record = RECORD(gate, gate_fields, "A condition that data must meet before anything is published",
					  .has_offset = offsetof(struct gate, has), .validate = gate_rules);

static const struct field pipeline_step_fields[] = {
	FIELD(pipeline_step, name, K_STR, F_REQUIRED, "Name of the step: a table for the steps after it", .max = DATASET_NAME_MAX, .format = "name"),
	FIELD(pipeline_step, doc, K_STR, F_SKIP_EMPTY, "What it makes"),
	FIELD(pipeline_step, sql, K_STR, F_REQUIRED, "One SELECT over inputs and other steps"),
	FIELD(pipeline_step, gates, K_RECORDS, F_SKIP_EMPTY, "What must hold before the next step", .sub = &gate_record, .max = 100),
};
static const struct record pipeline_step_record = RECORD(pipeline_step, pipeline_step_fields, "A step of a pipeline");

static const struct field pipeline_output_fields[] = {
	FIELD(pipeline_output, step, K_STR, F_REQUIRED, "The step whose rows are published", .max = DATASET_NAME_MAX),
	FIELD(pipeline_output, dataset, K_STR, 0, "The dataset that gets a new version; named as the step if not given", .max = DATASET_NAME_MAX,
	      .format = "name"),
	FIELD(pipeline_output, doc, K_STR, F_SKIP_EMPTY, "What it is for"),
	FIELD(pipeline_output, gates, K_RECORDS, F_SKIP_EMPTY, "What must hold before anything is published", .sub = &gate_record, .max = 100),
};
static const struct record pipeline_output_record = RECORD(pipeline_output, pipeline_output_fields, "An output of a pipeline");

static const struct pipeline_step *step_named(const struct pipeline *p, str name)
{
	for (size_t i = 0; i < p->steps.n; i++) {
		const struct pipeline_step *s = LIST_AT(p->steps, const struct pipeline_step, i);
		if (str_eq_nocase(s->name, name))
			return s;
	}
	return NULL;
}

static enum rc check_input(const struct pipeline *p, size_t i, struct err *e)
{
	str name = *LIST_AT(p->inputs, const str, i);

	for (size_t k = 0; k < i; k++) {
		if (str_eq_nocase(*LIST_AT(p->inputs, const str, k), name))
			return FAIL(e, RC_INVALID, "inputs[%zu]: '" STR_FMT "' stands there twice", i, STR_ARG(name));
	}
	if (step_named(p, name) != NULL)
		return FAIL(e, RC_INVALID, "'" STR_FMT "' names both an input and a step", STR_ARG(name));
	return RC_OK;
}

static enum rc check_output(const struct pipeline *p, size_t i, struct err *e)
{
	const struct pipeline_output *o = LIST_AT(p->outputs, const struct pipeline_output, i);
	str dataset = o->dataset.len > 0 ? o->dataset : o->step;

	if (step_named(p, o->step) == NULL)
		return FAIL(e, RC_INVALID, "outputs[%zu]: there is no step '" STR_FMT "'", i, STR_ARG(o->step));
	for (size_t k = 0; k < p->inputs.n; k++) {
		if (str_eq_nocase(*LIST_AT(p->inputs, const str, k), dataset))
			return FAIL(e, RC_INVALID, "outputs[%zu]: '" STR_FMT "' is an input too; a pipeline cannot feed itself",
				    i, STR_ARG(dataset));
	}
	for (size_t k = 0; k < i; k++) {
		const struct pipeline_output *other = LIST_AT(p->outputs, const struct pipeline_output, k);
		if (str_eq_nocase(other->dataset.len > 0 ? other->dataset : other->step, dataset))
			return FAIL(e, RC_INVALID, "outputs[%zu]: dataset '" STR_FMT "' is made twice", i, STR_ARG(dataset));
	}
	return RC_OK;
}

static enum rc pipeline_rules(const void *obj, struct err *e)
{
	const struct pipeline *p = obj;

	if (p->steps.n == 0 || p->outputs.n == 0)
		return FAIL(e, RC_INVALID, "a pipeline has at least one step and one output");
	for (size_t i = 0; i < p->steps.n; i++) {
		const struct pipeline_step *s = LIST_AT(p->steps, const struct pipeline_step, i);
		if (step_named(p, s->name) != s)
			return FAIL(e, RC_INVALID, "steps[%zu]: there is another step '" STR_FMT "'", i, STR_ARG(s->name));
	}
	for (size_t i = 0; i < p->inputs.n; i++)
		TRY(check_input(p, i, e));
	for (size_t i = 0; i < p->outputs.n; i++)
		TRY(check_output(p, i, e));
	return RC_OK;
}

static const struct field pipeline_fields[] = {
	FIELD(pipeline, name, K_STR, F_REQUIRED, "Name of the pipeline", .max = DATASET_NAME_MAX, .format = "name"),
	FIELD(pipeline, description, K_STR, 0, "What it is for"),
	FIELD(pipeline, inputs, K_STRS, F_REQUIRED, "Datasets it reads, each in its newest version", .min = 1, .max = 100, .format = "name"),
	FIELD(pipeline, steps, K_RECORDS, F_REQUIRED, "Steps; the order follows from what they read", .sub = &pipeline_step_record, .min = 1,
	      .max = PIPELINE_STEPS_MAX),
	FIELD(pipeline, outputs, K_RECORDS, F_REQUIRED, "What is published", .sub = &pipeline_output_record, .min = 1, .max = PIPELINE_STEPS_MAX),
};
const struct record pipeline_record = RECORD(pipeline, pipeline_fields, "SQL steps from datasets to datasets, with gates",
					      .validate = pipeline_rules);

static const struct field pipeline_row_fields[] = {
	FIELD(pipeline_row, name, K_STR, F_STORED | F_KEY, "Name of the pipeline"),
	FIELD(pipeline_row, description, K_STR, F_STORED, "What it is for"),
	FIELD(pipeline_row, revision, K_I64, F_STORED, "How often its definition was changed"),
	FIELD(pipeline_row, definition, K_JSON, F_STORED | F_HIDE, "The definition"),
	FIELD(pipeline_row, digest, K_STR, F_STORED | F_HIDE, "Digest of the definition"),
	FIELD(pipeline_row, created_ms, K_TIME, F_STORED | F_HIDE, "When it was first applied", .name = "created_at"),
	FIELD(pipeline_row, updated_ms, K_TIME, F_STORED, "When it was last changed", .name = "updated_at"),
};
const struct record pipeline_row_record =
    RECORD(pipeline_row, pipeline_row_fields, "An applied pipeline", .table = "lake_pipelines");

static const struct field apply_result_fields[] = {
	FIELD(apply_result, name, K_STR, 0, "Name of the pipeline"),
	FIELD(apply_result, revision, K_I64, 0, "Its revision now"),
	FIELD(apply_result, changed, K_BOOL, 0, "The definition differs from the one before"),
	FIELD(apply_result, order, K_STRS, 0, "Steps in the order they run"),
	FIELD(apply_result, missing_inputs, K_STRS, 0, "Inputs that do not exist yet: steps that read them were checked for syntax only"),
};
const struct record apply_result_record =
    RECORD(apply_result, apply_result_fields, "What came of applying a pipeline", .name = "pipeline_applied");

/* --- runs ------------------------------------------------------------------------------------------------------ */

static const struct field run_input_fields[] = {
	FIELD(run_input, dataset, K_STR, 0, "Name of the dataset"),
	FIELD(run_input, id, K_STR, 0, "The version that was read"),
	FIELD(run_input, blob, K_STR, F_HIDE, "Its Parquet file"),
};
static const struct record run_input_record = RECORD(run_input, run_input_fields, "What a run read");

static const struct field run_output_fields[] = {
	FIELD(run_output, step, K_STR, 0, "The step whose rows were published"),
	FIELD(run_output, dataset, K_STR, 0, "Name of the dataset"),
	FIELD(run_output, id, K_STR, 0, "The version that was published"),
	FIELD(run_output, blob, K_STR, F_HIDE, "Its Parquet file"),
	FIELD(run_output, n_rows, K_I64, 0, "Rows in it"),
};
const struct record run_output_record = RECORD(run_output, run_output_fields, "What a run published");

static const struct field run_step_fields[] = {
	FIELD(run_step, name, K_STR, 0, "Name of the step"),
	FIELD(run_step, n_rows, K_I64, 0, "Rows it made"),
	FIELD(run_step, took_ms, K_MS, 0, "How long it took", .name = "took"),
};
static const struct record run_step_record = RECORD(run_step, run_step_fields, "A step as it ran");

static const struct field gate_outcome_fields[] = {
	FIELD(gate_outcome, step, K_STR, 0, "The step whose rows were measured"),
	FIELD(gate_outcome, on, K_STR, 0, "step or output: where the gate stands"),
	FIELD(gate_outcome, gate, K_STR, 0, "Kind of the gate"),
	FIELD(gate_outcome, column, K_STR, 0, "Column or columns"),
	FIELD(gate_outcome, passed, K_BOOL, 0, "It holds"),
	FIELD(gate_outcome, value, K_F64, 0, "What was measured: rows, share of rows that pass, or age in seconds"),
	FIELD(gate_outcome, bound, K_STR, 0, "What it has to keep"),
	FIELD(gate_outcome, n_checked, K_I64, F_HIDE, "Rows looked at"),
	FIELD(gate_outcome, n_failing, K_I64, 0, "Rows that do not pass"),
	FIELD(gate_outcome, examples, K_STRS, F_HIDE, "Up to five of them, each as JSON"),
};
const struct record gate_outcome_record = RECORD(gate_outcome, gate_outcome_fields, "A gate as it was measured");

#define RUN_FIELDS                                                                                                   \
	FIELD(pipeline_run, id, K_STR, F_STORED | F_KEY, "Id of the run"),                                            \
	FIELD(pipeline_run, pipeline, K_STR, F_STORED, "Name of the pipeline"),                                       \
	FIELD(pipeline_run, revision, K_I64, F_STORED | F_HIDE, "Its revision"),                                      \
	FIELD(pipeline_run, state, K_ENUM, F_STORED, "Where it stands or how it ended", .names = run_state_names),    \
	FIELD(pipeline_run, started_ms, K_TIME, F_STORED, "When it began", .name = "started_at"),                     \
	FIELD(pipeline_run, ended_ms, K_TIME, F_STORED | F_NULLABLE, "When it ended", .name = "ended_at"),            \
	FIELD(pipeline_run, who, K_STR, F_STORED | F_HIDE, "Who started it"),                                         \
	FIELD(pipeline_run, task, K_STR, F_STORED | F_HIDE, "The task it ran in"),                                    \
	FIELD(pipeline_run, fingerprint, K_STR, F_STORED | F_HIDE, "Digest of definition and inputs"),                \
	FIELD(pipeline_run, message, K_STR, F_STORED, "How it ended")

static const struct field pipeline_run_fields[] = {
	RUN_FIELDS,
	FIELD(pipeline_run, inputs, K_RECORDS, F_STORED | F_HIDE, "What it read", .sub = &run_input_record),
	FIELD(pipeline_run, outputs, K_RECORDS, F_STORED | F_HIDE, "What it published", .sub = &run_output_record),
	FIELD(pipeline_run, steps, K_RECORDS, F_STORED | F_HIDE, "Steps that ran", .sub = &run_step_record),
	FIELD(pipeline_run, gates, K_RECORDS, F_STORED | F_HIDE, "Gates that were measured", .sub = &gate_outcome_record),
};
const struct record pipeline_run_record =
    RECORD(pipeline_run, pipeline_run_fields, "A run of a pipeline", .table = "lake_pipeline_runs");
static const struct field pipeline_run_brief_fields[] = {
	RUN_FIELDS,
	FIELD(pipeline_run, outputs, K_RECORDS, F_STORED | F_HIDE, "What it published", .sub = &run_output_record),
};
const struct record pipeline_run_brief_record = RECORD(pipeline_run, pipeline_run_brief_fields, "A run of a pipeline in short",
							.name = "pipeline_run_brief", .table = "lake_pipeline_runs");

static const struct field pipeline_request_fields[] = {
	FIELD(pipeline_request, name, K_STR, F_REQUIRED, "Name of the pipeline", .max = DATASET_NAME_MAX),
	FIELD(pipeline_request, force, K_BOOL, 0, "Run also if definition and inputs are those of the last run"),
};
const struct record pipeline_request_record = RECORD(pipeline_request, pipeline_request_fields, "Which pipeline to run");

static const struct field pipeline_result_fields[] = {
	FIELD(pipeline_result, run_id, K_STR, 0, "Id of the run; of the earlier one if skipped"),
	FIELD(pipeline_result, pipeline, K_STR, 0, "Name of the pipeline"),
	FIELD(pipeline_result, skipped, K_BOOL, 0, "Nothing was run"),
	FIELD(pipeline_result, reason, K_STR, F_SKIP_EMPTY, "Why it was skipped"),
	FIELD(pipeline_result, n_gates, K_I64, 0, "Gates that passed"),
	FIELD(pipeline_result, outputs, K_RECORDS, 0, "What was published", .sub = &run_output_record),
};
const struct record pipeline_result_record = RECORD(pipeline_result, pipeline_result_fields, "What came of running a pipeline");
