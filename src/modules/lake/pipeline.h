/* pipeline.h -- pipelines: SQL steps over datasets, with gates, and the history of their runs.
 *
 * A definition is checked when it is applied: names, gates, each step's SQL, the order that follows from what steps read,
 * and, as far as the inputs exist, every table and column. A run reads the newest versions of its inputs, makes each step
 * in order in one sandboxed session, measures the gates, and publishes all outputs in one transaction or nothing.
 */
#ifndef CAIRN_LAKE_PIPELINE_H
#define CAIRN_LAKE_PIPELINE_H

#include "modules/lake/lake_int.h"

#define PIPELINE_STEPS_MAX 100
#define GATE_EXAMPLES 5

enum gate_kind { GATE_ROW_COUNT, GATE_NOT_NULL, GATE_RANGE, GATE_ACCEPTED_VALUES, GATE_UNIQUE, GATE_FRESHNESS, GATE_KINDS };
extern const char *const gate_kind_names[];
struct gate {
	int32_t kind;
	double min, max;
	str column;
	struct list columns, values;    /* str */
	int64_t max_age_ms;
	str relative_to;                /* "now", a time, or "table.column" */
	double mostly;
	uint64_t has;
};
struct pipeline_step { str name, doc, sql; struct list gates; };
struct pipeline_output { str step, dataset, doc; struct list gates; };
struct pipeline {
	str name, description;
	struct list inputs;             /* str: datasets */
	struct list steps, outputs;
};
extern const struct record pipeline_record, gate_record;

/* A pipeline as stored. */
struct pipeline_row { str name, description; int64_t revision; str definition, digest; int64_t created_ms, updated_ms; };
extern const struct record pipeline_row_record;

enum run_state { PIPE_RUNNING, PIPE_SUCCEEDED, PIPE_GATE_FAILED, PIPE_FAILED, PIPE_CANCELLED, PIPE_INTERRUPTED };
extern const char *const run_state_names[];
struct run_input { str dataset, id, blob; };
struct run_output { str step, dataset, id, blob; int64_t n_rows; };
struct run_step { str name; int64_t n_rows, took_ms; };
struct gate_outcome {
	str step, on, gate, column;
	bool passed;
	double value;                   /* what was measured */
	str bound;                      /* what it has to keep */
	int64_t n_checked, n_failing;
	struct list examples;           /* str: rows as JSON text */
};
struct pipeline_run {
	str id, pipeline;
	int64_t revision;
	int32_t state;
	int64_t started_ms, ended_ms;
	str who, task, fingerprint, message;
	struct list inputs, outputs, steps, gates;
};
extern const struct record pipeline_run_record, pipeline_run_brief_record, run_output_record, gate_outcome_record;

/* --- gates ------------------------------------------------------------------------------------------------ */

/* Rules that need no data: which keys a kind takes. */
enum rc gate_rules(const void *gate, struct err *e) MUST_USE;
/* The columns it needs are there and of a type it can judge. */
enum rc lake__gate_fits(const struct gate *g, const struct col *col, size_t n, struct err *e) MUST_USE;
/* Measures it on a table or view of the session; only SELECTs. */
enum rc lake__gate_measure(struct query *q, const struct gate *g, str table, struct arena *a, struct gate_outcome *out,
			   struct err *e) MUST_USE;

/* --- definitions -------------------------------------------------------------------------------------------- */

/* Where a definition came from, for errors; may be empty. */
struct definition_source { str name, text; };
struct apply_result {
	str name;
	int64_t revision;
	bool changed;
	struct list order;              /* str: steps as they run */
	struct list missing_inputs;     /* str: datasets that are not there yet: what reads them was not checked */
};
extern const struct record apply_result_record;
/* Steps in the order they run: index[i] is the i-th. tables[k]: list of str, what step k reads. RC_INVALID names a cycle. */
enum rc lake__order(const struct pipeline *p, const struct list *tables, size_t *index, struct err *e) MUST_USE;
enum rc lake__pipeline_apply(struct lake *l, const struct pipeline *p, const struct definition_source *from,
			     const struct principal *who, struct arena *a, struct apply_result *out, struct err *e) MUST_USE;
/* As stored, decoded. */
enum rc lake__pipeline(struct lake *l, struct arena *a, str name, struct pipeline_row *row, struct pipeline *out,
		       struct err *e) MUST_USE;
/* What each step reads and the order of steps, in a session before its sandbox. */
enum rc lake__plan(struct query *q, const struct pipeline *p, struct arena *a, struct list **tables_out, size_t **order_out,
		   struct err *e) MUST_USE;

/* --- runs ------------------------------------------------------------------------------------------------------ */

struct pipeline_request { str name; bool force; };
struct pipeline_result { str run_id, pipeline; bool skipped; str reason; int64_t n_gates; struct list outputs; };
extern const struct record pipeline_request_record, pipeline_result_record;
enum rc lake__pipeline_run(struct lake *l, const struct pipeline_request *r, const struct principal *who,
			   struct task *t_or_null, struct arena *a, struct pipeline_result *out, struct err *e) MUST_USE;

/* --- rows (pipeline_store.c) -------------------------------------------------------------------------------------- */

/* revision and times are set; *changed is false when the digest is that of the stored one. RC_CONFLICT when another pipeline
 * makes one of the outputs. */
enum rc lake__pipeline_put(struct lake *l, struct pipeline_row *row, const struct pipeline *p, const struct principal *who,
			   bool *changed, struct err *e) MUST_USE;
enum rc lake__pipelines(struct lake *l, struct arena *a, struct list *out, struct err *e) MUST_USE;
/* RC_CONFLICT while another run of the pipeline is running. */
enum rc lake__run_begin(struct lake *l, struct pipeline_run *r, struct arena *a, struct err *e) MUST_USE;
enum rc lake__run_save(struct lake *l, const struct pipeline_run *r, struct err *e) MUST_USE;
enum rc lake__run(struct lake *l, struct arena *a, str id, struct pipeline_run *out, struct err *e) MUST_USE;
enum rc lake__runs(struct lake *l, struct arena *a, str pipeline, int64_t limit, struct list *out, struct err *e) MUST_USE;
/* The newest run of the pipeline, or the newest that succeeded. */
enum rc lake__run_last(struct lake *l, struct arena *a, str pipeline, bool succeeded, struct pipeline_run *out, bool *found,
		       struct err *e) MUST_USE;
/* Publishes the versions (as many as r->outputs) and ends the run, in one transaction with lineage and audit. */
enum rc lake__run_publish(struct lake *l, struct pipeline_run *r, struct dataset_version *v, const struct principal *who,
			  struct arena *a, struct err *e) MUST_USE;
/* Versions that came from runs that did not succeed, and how many such runs ended: there should be none. */
enum rc lake__versions_of_failed_runs(struct lake *l, struct arena *a, int64_t *n_failed_out, struct list *out, struct err *e) MUST_USE;
/* Marks runs whose task does not run any more. all: every one that says it runs. */
enum rc lake__runs_settle(struct lake *l, bool all, struct err *e) MUST_USE;

#endif
