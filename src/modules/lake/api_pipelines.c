/* api_pipelines.c -- pipelines and their runs over HTTP. */
#include "modules/lake/pipeline.h"

struct pipeline_query { str name; int64_t limit; };
static const struct field pipeline_query_fields[] = {
	FIELD(pipeline_query, name, K_STR, F_REQUIRED, "Name of the pipeline"),
};
static const struct record pipeline_query_record = RECORD(pipeline_query, pipeline_query_fields, "Which pipeline");
static const struct field runs_query_fields[] = {
	FIELD(pipeline_query, name, K_STR, F_REQUIRED, "Name of the pipeline"),
	FIELD(pipeline_query, limit, K_I64, 0, "How many, newest first", .min = 1, .max = 1000, .def = "50"),
};
static const struct record runs_query_record =
    RECORD(pipeline_query, runs_query_fields, "Which runs", .name = "pipeline_runs_query");
static const struct field run_query_fields[] = {
	FIELD(pipeline_query, name, K_STR, F_REQUIRED, "Id of the run", .name = "id"),
};
static const struct record run_query_record =
    RECORD(pipeline_query, run_query_fields, "Which run", .name = "pipeline_run_query");

/* A pipeline with how it last ran. */
struct pipeline_state { str name, description; int64_t revision, updated_ms; str run_id; int32_t run_state; int64_t run_ms; };
static const char *const shown_states[] = { "never",  "running",   "succeeded",   "gate_failed",
					    "failed", "cancelled", "interrupted", NULL };
static const struct field pipeline_state_fields[] = {
	FIELD(pipeline_state, name, K_STR, 0, "Name of the pipeline"),
	FIELD(pipeline_state, description, K_STR, F_HIDE, "What it is for"),
	FIELD(pipeline_state, revision, K_I64, 0, "How often its definition was changed"),
	FIELD(pipeline_state, updated_ms, K_TIME, 0, "When it was last changed", .name = "updated_at"),
	FIELD(pipeline_state, run_state, K_ENUM, 0, "How its last run ended", .name = "last_run_state", .names = shown_states),
	FIELD(pipeline_state, run_id, K_STR, 0, "Its last run", .name = "last_run_id"),
	FIELD(pipeline_state, run_ms, K_TIME, 0, "When that began", .name = "last_run_at"),
};
static const struct record pipeline_state_record =
    RECORD(pipeline_state, pipeline_state_fields, "A pipeline and how it last ran");

struct pipeline_listing { struct list items; };
static const struct field pipeline_listing_fields[] = {
	FIELD(pipeline_listing, items, K_RECORDS, 0, "Pipelines by name", .name = "pipelines", .sub = &pipeline_state_record),
};
static const struct record pipeline_listing_record = RECORD(pipeline_listing, pipeline_listing_fields, "Pipelines by name");
static const struct field run_listing_fields[] = {
	FIELD(pipeline_listing, items, K_RECORDS, 0, "Runs, newest first", .name = "runs", .sub = &pipeline_run_brief_record),
};
static const struct record run_listing_record =
    RECORD(pipeline_listing, run_listing_fields, "Runs of a pipeline", .name = "pipeline_run_listing");

struct pipeline_detail { struct pipeline_state state; struct pipeline definition; struct list last_gates; };
static const struct field pipeline_detail_fields[] = {
	FIELD(pipeline_detail, state, K_RECORD, 0, "How it stands", .name = "pipeline", .sub = &pipeline_state_record),
	FIELD(pipeline_detail, definition, K_RECORD, 0, "The definition", .sub = &pipeline_record),
	FIELD(pipeline_detail, last_gates, K_RECORDS, 0, "Gates of the last run", .name = "gates", .sub = &gate_outcome_record),
};
static const struct record pipeline_detail_record =
    RECORD(pipeline_detail, pipeline_detail_fields, "A pipeline, its definition and the gates of its last run");

static enum rc post_pipeline(struct call *c, const void *in, void *out, struct err *e)
{
	str name = http_header(c->http, "Cairn-Source-Name");
	const struct definition_source from = { .name = str_is_utf8(name) ? str_head(name, 200) : STR(""),
						.text = c->http->body };

	return lake__pipeline_apply(c->module, in, &from, c->who, c->arena, out, e);
}

static enum rc state_of(struct call *c, const struct pipeline_row *row, struct pipeline_state *out, struct pipeline_run *last,
			struct err *e)
{
	bool found = false;

	TRY(lake__run_last(c->module, c->arena, row->name, false, last, &found, e));
	*out = (struct pipeline_state){
		.name = row->name, .description = row->description, .revision = row->revision, .updated_ms = row->updated_ms
	};
	if (found) {
		out->run_id = last->id;
		out->run_state = last->state + 1;
		out->run_ms = last->started_ms;
	}
	return RC_OK;
}

static enum rc get_pipelines(struct call *c, const void *in, void *out, struct err *e)
{
	struct pipeline_listing *l = out;
	struct pipeline_run last;
	struct list rows;

	(void)in;
	TRY(lake__pipelines(c->module, c->arena, &rows, e));
	struct pipeline_state *state = ARENA_ARRAY(c->arena, struct pipeline_state, rows.n);
	for (size_t i = 0; i < rows.n; i++)
		TRY(state_of(c, LIST_AT(rows, const struct pipeline_row, i), &state[i], &last, e));
	l->items = (struct list){ state, rows.n };
	return RC_OK;
}

static enum rc get_pipeline(struct call *c, const void *in, void *out, struct err *e)
{
	const struct pipeline_query *q = in;
	struct pipeline_detail *d = out;
	struct pipeline_run last = { 0 };
	struct pipeline_row row;

	TRY(lake__pipeline(c->module, c->arena, q->name, &row, &d->definition, e));
	TRY(state_of(c, &row, &d->state, &last, e));
	d->last_gates = last.gates;
	return RC_OK;
}

static enum rc get_runs(struct call *c, const void *in, void *out, struct err *e)
{
	const struct pipeline_query *q = in;
	struct pipeline_listing *l = out;
	struct pipeline_row row;
	struct pipeline p;

	TRY(lake__pipeline(c->module, c->arena, q->name, &row, &p, e));
	return lake__runs(c->module, c->arena, q->name, q->limit, &l->items, e);
}

static enum rc get_run(struct call *c, const void *in, void *out, struct err *e)
{
	const struct pipeline_query *q = in;

	return lake__run(c->module, c->arena, q->name, out, e);
}

const struct route lake_pipeline_routes[] = {
	{ HTTP_POST, "/pipelines", "lake.write", .in = &pipeline_record, .out = &apply_result_record, .handler = post_pipeline,
	  .doc = "Checks a pipeline's definition and makes it the current one" },
	{ HTTP_GET, "/pipelines", "lake.read", .out = &pipeline_listing_record, .handler = get_pipelines, .doc = "Lists pipelines" },
	{ HTTP_GET, "/pipelines/{name}", "lake.read", .object = "name", .in = &pipeline_query_record, .out = &pipeline_detail_record,
	  .handler = get_pipeline, .doc = "Shows a pipeline's definition and how it last ran" },
	{ HTTP_POST, "/pipelines/{name}/run", "lake.write", .object = "name", .task = &lake_tasks[1],
	  .doc = "Runs a pipeline on the newest versions of its inputs" },
	{ HTTP_GET, "/pipelines/{name}/runs", "lake.read", .object = "name", .in = &runs_query_record, .out = &run_listing_record,
	  .handler = get_runs, .doc = "Lists runs of a pipeline" },
	{ HTTP_GET, "/pipeline-runs/{id}", "lake.read", .in = &run_query_record, .out = &pipeline_run_record, .handler = get_run,
	  .doc = "Shows a run with its steps and gates" },
};
_Static_assert(ARRAY_LEN(lake_pipeline_routes) == LAKE_PIPELINE_ROUTES, "lake_int.h says how many");
