/* dataset.c -- datasets, pipelines and queries. */
#include "cli/answer.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>

#define UPLOAD_MS (24u * 3600 * 1000)

/* --- datasets ----------------------------------------------------------------------------------------------- */

struct ingest { str file, name, format, delimiter; struct list time_columns, key, nulls; double tolerance; };
static const struct field ingest_fields[] = {
	FIELD(ingest, file, K_STR, F_KEY | F_REQUIRED, "CSV, JSON (lines or one list) or Parquet file"),
	FIELD(ingest, name, K_STR, F_REQUIRED, "The dataset that gets a new version", .unit = "DATASET"),
	FIELD(ingest, format, K_STR, 0, "Format of the file; found out if not given", .unit = "csv|json|parquet"),
	FIELD(ingest, delimiter, K_STR, 0, "CSV: what separates fields; found out if not given", .unit = "CHAR"),
	FIELD(ingest, time_columns, K_STRS, 0, "Columns that are times; found out if not given"),
	FIELD(ingest, key, K_STRS, 0, "Columns that identify a row: rows without one, or with one seen before, are quarantined"),
	FIELD(ingest, nulls, K_STRS, 0, "Texts that stand for no value, as NA"),
	FIELD(ingest, tolerance, K_F64, 0, "Share of a column's values that may not fit its type and are quarantined", .max = 0.5),
};
static const struct record ingest_record = RECORD(ingest, ingest_fields, "A file to make a dataset version of");

static str ingest_body(struct cli *c, const struct ingest *i, str blob, str source)
{
	struct buf b = BUF_INIT(1u << 20);
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_str_key(&w, "blob", blob);
	jw_str_key(&w, "source_name", source);
	for (size_t k = 0; k < ingest_record.n_field; k++) {
		const struct field *f = &ingest_record.field[k];
		if (!(c->given >> k & 1) || f->flags & (F_KEY | F_REQUIRED))
			continue;
		jw_key(&w, str_of(f->name));
		field_encode(f, i, 0, &w);
	}
	jw_end_object(&w);
	str out = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return out;
}

static enum rc ingest_run(struct cli *c, const void *in, struct err *e)
{
	const struct ingest *i = in;
	const char *file = arena_cstr(c->arena, i->file);
	str source = str_of(basename(arena_cstr(c->arena, i->file))), name = http_percent_encode(c->arena, i->name, false), result;
	str shown = http_percent_encode(c->arena, source, false);
	struct ask up = { .method = "PUT", .path = arena_printf(c->arena, API_CAIRN "/uploads?name=" STR_FMT, STR_ARG(shown)),
			  .body_file = file, .total_ms = UPLOAD_MS, .body_type = STR("application/octet-stream") };
	struct http_answer got;
	struct value *v;

	TRY(client_ask(c, &up, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	struct ask start = {
		.method = "POST", .path = arena_printf(c->arena, API_CAIRN "/datasets/" STR_FMT "/ingest", STR_ARG(name)),
		.body = ingest_body(c, i, value_text(value_at(v, "blob"), c->arena), source),
	};
	TRY(client_ask(c, &start, &got, e));
	TRY(task_follow(c, got.body, &result, e));
	return answer_show(c, result, e);
}

struct named { str name; int64_t limit, version; };
static const struct field dataset_name_fields[] = { FIELD(named, name, K_STR, F_KEY | F_REQUIRED, "Name of the dataset") };
static const struct record dataset_name_record = RECORD(named, dataset_name_fields, "Which dataset");
static const struct field rows_fields[] = {
	FIELD(named, name, K_STR, F_KEY | F_REQUIRED, "Name of the dataset"),
	FIELD(named, version, K_I64, 0, "Number of the version; the newest if not given"),
	FIELD(named, limit, K_I64, 0, "How many rows at most"),
};
static const struct record rows_record = RECORD(named, rows_fields, "Which rows");

static const struct column profile_columns[] = {
	{ "name", "column", SHOW_TEXT }, { "type", "type", SHOW_TEXT }, { "nulls", "nulls", SHOW_COUNT },
	{ "distinct", "distinct", SHOW_COUNT }, { "min", "least", SHOW_TEXT }, { "max", "greatest", SHOW_TEXT },
	{ "mean", "mean", SHOW_NUMBER }, { .path = NULL },
};
static enum rc dataset_show_run(struct cli *c, const void *in, struct err *e)
{
	struct http_answer got;
	struct value *v;

	TRY(client_run(c, in, &got, e));
	if (c->global.json)
		return answer_show(c, got.body, e);
	TRY(value_parse(got.body, c->arena, &v, e));
	str head = answer_line(c, "{version.id}: {version.n_rows:count} rows, {version.n_quarantined:count} quarantined, {version.size:bytes}, "
				  "from {version.origin}, {version.created_at:time}", v);
	printf(STR_FMT "\n\n", STR_ARG(head));
	const struct value *profile = value_at(v, "version.profile"), *columns = value_at(profile, "columns");
	columns = columns != NULL ? columns : profile;
	if (columns == NULL || columns->kind != TOK_ARRAY)
		columns = value_at(v, "version.columns");
	answer_print_list(c, columns, profile_columns);
	return RC_OK;
}

struct sql { str sql; int64_t limit; };
static const struct field sql_fields[] = {
	FIELD(sql, sql, K_STR, F_KEY | F_REQUIRED, "One SELECT; datasets are tables", .max = 1 << 20),
	FIELD(sql, limit, K_I64, 0, "How many rows at most"),
};
static const struct record sql_record = RECORD(sql, sql_fields, "A query");

static const struct column dataset_columns[] = {
	{ "name", "name", SHOW_TEXT }, { "newest", "version", SHOW_COUNT }, { "n_rows", "rows", SHOW_COUNT },
	{ "n_quarantined", "quarantined", SHOW_COUNT }, { "n_columns", "columns", SHOW_COUNT }, { "size", "size", SHOW_BYTES },
	{ "origin", "origin", SHOW_TEXT }, { "updated_at", "updated", SHOW_TIME }, { .path = NULL },
};
static const struct column version_columns[] = {
	{ "id", "version", SHOW_TEXT }, { "n_rows", "rows", SHOW_COUNT }, { "n_quarantined", "quarantined", SHOW_COUNT },
	{ "size", "size", SHOW_BYTES }, { "origin", "origin", SHOW_TEXT }, { "created_at", "created", SHOW_TIME }, { .path = NULL },
};

/* --- pipelines ------------------------------------------------------------------------------------------------ */

struct file_arg { str file; };
static const struct field file_fields[] = { FIELD(file_arg, file, K_STR, F_KEY | F_REQUIRED, "YAML file with the definition") };
static const struct record file_record = RECORD(file_arg, file_fields, "A definition");
struct run_arg { str name; bool force; };
static const struct field pipeline_run_fields[] = {
	FIELD(run_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the pipeline"),
	FIELD(run_arg, force, K_BOOL, 0, "Run also if definition and inputs are those of the last run"),
};
static const struct record pipeline_run_record = RECORD(run_arg, pipeline_run_fields, "What to run");
static const struct field pipeline_name_fields[] = { FIELD(named, name, K_STR, F_KEY | F_REQUIRED, "Name of the pipeline") };
static const struct record pipeline_name_record = RECORD(named, pipeline_name_fields, "Which pipeline");

static const struct column pipeline_columns[] = {
	{ "name", "name", SHOW_TEXT }, { "revision", "revision", SHOW_COUNT }, { "updated_at", "updated", SHOW_TIME },
	{ "last_run_state", "last run", SHOW_TEXT }, { "last_run_at", "when", SHOW_TIME }, { "last_run_id", "run id", SHOW_TEXT }, { .path = NULL },
};
static const struct field pipeline_run_id_fields[] = { FIELD(named, name, K_STR, F_KEY | F_REQUIRED, "Id of the run", .unit = "RUN_ID") };
static const struct record pipeline_run_id_record = RECORD(named, pipeline_run_id_fields, "Which run");

static const struct column pipeline_run_columns[] = {
	{ "id", "run", SHOW_TEXT }, { "state", "state", SHOW_TEXT }, { "started_at", "started", SHOW_TIME },
	{ "ended_at", "ended", SHOW_TIME }, { "message", "message", SHOW_TEXT }, { .path = NULL },
};

static const struct column gate_columns[] = {
	{ "step", "step", SHOW_TEXT }, { "gate", "gate", SHOW_TEXT }, { "column", "column", SHOW_TEXT }, { "passed", "passed", SHOW_TEXT },
	{ "value", "measured", SHOW_NUMBER }, { "bound", "bound", SHOW_TEXT }, { "n_failing", "rows failing", SHOW_COUNT }, { .path = NULL },
};

static const struct command data_commands[] = {
	{ .noun = "dataset", .verb = "ingest", .doc = "Makes a dataset version of a file", .in = &ingest_record, .run = ingest_run,
	  .done = "{id}: {n_rows:count} of {n_source_rows:count} rows, {n_quarantined:count} quarantined, "
		  "{?unchanged}unchanged: the same file was ingested before{/}{!unchanged}in {took:took}{/}",
	  .example = "cairn dataset ingest taxis.csv --name trips --time-columns pickup,dropoff" },
	{ .noun = "dataset", .verb = "list", .doc = "Lists the datasets", .method = "GET", .path = API_CAIRN "/datasets", .list = "datasets",
	  .columns = dataset_columns, .example = "cairn dataset list --json" },
	{ .noun = "dataset", .verb = "show", .doc = "Shows a dataset's columns and what is in them", .in = &dataset_name_record,
	  .method = "GET", .path = API_CAIRN "/datasets/{name}", .run = dataset_show_run, .example = "cairn dataset show trips" },
	{ .noun = "dataset", .verb = "versions", .doc = "Lists a dataset's versions", .in = &dataset_name_record, .method = "GET",
	  .path = API_CAIRN "/datasets/{name}/versions", .list = "versions", .columns = version_columns, .example = "cairn dataset versions trips" },
	{ .noun = "dataset", .verb = "rows", .doc = "Shows rows of a dataset", .in = &rows_record, .method = "GET",
	  .path = API_CAIRN "/datasets/{name}/rows", .flags = CMD_ROWS, .example = "cairn dataset rows trips --limit 5" },
	{ .noun = "dataset", .verb = "quarantine", .doc = "Shows the rows that did not fit, and why", .in = &rows_record, .method = "GET",
	  .path = API_CAIRN "/datasets/{name}/quarantine", .flags = CMD_ROWS, .example = "cairn dataset quarantine trips" },
	{ .noun = "query", .doc = "Asks SQL over the datasets", .in = &sql_record, .method = "POST", .path = API_CAIRN "/query", .flags = CMD_ROWS,
	  .example = "cairn query \"SELECT color, count(*) FROM trips GROUP BY 1\"" },
	{ .noun = "pipeline", .verb = "apply", .doc = "Puts a pipeline's definition in place", .in = &file_record, .method = "POST",
	  .path = API_CAIRN "/pipelines", .flags = CMD_FILE,
	  .done = "pipeline {name} is in place (revision {revision}{!changed}, unchanged{/})",
	  .example = "cairn pipeline apply pipeline.yaml" },
	{ .noun = "pipeline", .verb = "run", .doc = "Runs a pipeline and its quality gates", .in = &pipeline_run_record, .method = "POST",
	  .path = API_CAIRN "/pipelines/{name}/run", .flags = CMD_TASK,
	  .done = "{pipeline} run {run_id}: {?skipped}{reason}{/}{!skipped}{n_gates} gates passed, published {outputs.*.id}{/}", .example = "cairn pipeline run trips_clean" },
	{ .noun = "pipeline", .verb = "list", .doc = "Lists the pipelines", .method = "GET", .path = API_CAIRN "/pipelines", .list = "pipelines",
	  .columns = pipeline_columns, .example = "cairn pipeline list" },
	{ .noun = "pipeline", .verb = "show", .doc = "Shows a pipeline's definition", .in = &pipeline_name_record, .method = "GET",
	  .path = API_CAIRN "/pipelines/{name}", .example = "cairn pipeline show trips_clean" },
	{ .noun = "pipeline", .verb = "history", .doc = "Lists a pipeline's runs", .in = &pipeline_name_record, .method = "GET",
	  .path = API_CAIRN "/pipelines/{name}/runs", .list = "runs", .columns = pipeline_run_columns, .example = "cairn pipeline history trips_clean" },
	{ .noun = "pipeline", .verb = "gates", .doc = "Shows what a run's gates measured, and their bounds", .in = &pipeline_run_id_record,
	  .method = "GET", .path = API_CAIRN "/pipeline-runs/{name}", .list = "gates", .columns = gate_columns, .example = "cairn pipeline gates pl_01…" },
};
FAMILY(data_commands, "Data:");
