/* model.c -- training, runs and registered models; the last two through MLflow's own routes. */
#include "cli/answer.h"

#include <stdio.h>

#include "base/limits.h"

#define MLFLOW "/api/2.0/mlflow"

/* --- runs ------------------------------------------------------------------------------------------------------ */

struct runs_arg { str experiment, order; int64_t limit; };
static const struct field runs_fields[] = {
	FIELD(runs_arg, experiment, K_STR, 0, "Only runs of this experiment", .unit = "NAME"),
	FIELD(runs_arg, order, K_STR, 0, "MLflow's order_by, as \"metrics.rmse ASC\"; newest first if not given"),
	FIELD(runs_arg, limit, K_I64, 0, "How many", .min = 1, .max = 50000, .def = "30"),
};
static const struct record runs_record = RECORD(runs_arg, runs_fields, "Which runs");
struct run_arg { str run_id; };
static const struct field run_fields[] = { FIELD(run_arg, run_id, K_STR, F_KEY | F_REQUIRED, "Id of the run") };
static const struct record run_record = RECORD(run_arg, run_fields, "Which run");

static const struct column run_columns[] = {
	{ "run.info.run_id", "run", SHOW_TEXT }, { "run.info.run_name", "name", SHOW_TEXT }, { "run.info.status", "status", SHOW_TEXT },
	{ "run.info.user_id", "by", SHOW_TEXT }, { "run.info.start_time", "started", SHOW_TIME_MS }, { "run.info.end_time", "ended", SHOW_TIME_MS },
	{ "run.info.artifact_uri", "artifacts", SHOW_TEXT }, { .path = NULL },
};

/* Ids of the experiments to look in, as JSON strings. */
static enum rc experiment_ids(struct cli *c, str name, struct jw *w, struct err *e)
{
	struct ask all = { .method = "GET", .path = STR(MLFLOW "/experiments/search?max_results=1000") };
	struct ask one = { .method = "GET" };
	struct http_answer got;
	struct value *v;

	str encoded = http_percent_encode(c->arena, name, false);
	one.path = arena_printf(c->arena, MLFLOW "/experiments/get-by-name?experiment_name=" STR_FMT, STR_ARG(encoded));
	TRY(client_ask(c, name.len > 0 ? &one : &all, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	const struct value *list = value_at(v, "experiments");
	if (name.len > 0)
		jw_str(w, value_text(value_at(v, "experiment.experiment_id"), c->arena));
	for (const struct value *m = list != NULL ? list->first : NULL; m != NULL; m = m->next)
		jw_str(w, value_text(value_at(m, "experiment_id"), c->arena));
	return RC_OK;
}

/* "rmse=2.31 mae=1.4": a run's metrics in one cell. */
static str metrics_cell(struct cli *c, const struct value *run)
{
	const struct value *list = value_at(run, "data.metrics");
	struct buf b = BUF_INIT(4096);

	for (const struct value *m = list != NULL ? list->first : NULL; m != NULL; m = m->next) {
		str key = value_text(value_at(m, "key"), c->arena), value = value_shown(value_at(m, "value"), SHOW_NUMBER, c->arena);
		buf_addf(&b, "%s" STR_FMT "=" STR_FMT, b.len > 0 ? " " : "", STR_ARG(key), STR_ARG(value));
	}
	str out = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return out;
}

static void print_runs(struct cli *c, const struct value *runs)
{
	static const char *const title[] = { "run", "name", "status", "started", "metrics" };
	static const bool right[ARRAY_LEN(title)] = { false };
	struct grid g = { .title = title, .right = right, .n_col = ARRAY_LEN(title) };

	for (const struct value *m = runs != NULL ? runs->first : NULL; m != NULL; m = m->next) {
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "info.run_id"), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "info.run_name"), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "info.status"), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "info.start_time"), SHOW_TIME_MS, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = metrics_cell(c, m);
	}
	if (g.cell.n == 0)
		puts("none");
	else
		grid_print(&g, c->tty_out);
}

static enum rc runs_list_run(struct cli *c, const void *in, struct err *e)
{
	const struct runs_arg *q = in;
	struct buf b = BUF_INIT(LIMIT_TEXT);
	struct http_answer got;
	struct value *v;
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_array_key(&w, STR("experiment_ids"));
	enum rc rc = experiment_ids(c, q->experiment, &w, e);
	jw_end_array(&w);
	jw_i64_key(&w, "max_results", q->limit);
	jw_array_key(&w, STR("order_by"));
	jw_str(&w, q->order.len > 0 ? q->order : STR("attributes.start_time DESC"));
	jw_end_array(&w);
	jw_end_object(&w);
	struct ask search = { .method = "POST", .path = STR(MLFLOW "/runs/search"), .body = buf_to_arena(&b, c->arena) };
	buf_deinit(&b);
	TRY(rc);
	TRY(client_ask(c, &search, &got, e));
	if (c->global.json)
		return answer_show(c, got.body, e);
	TRY(value_parse(got.body, c->arena, &v, e));
	print_runs(c, value_at(v, "runs"));
	return RC_OK;
}

static enum rc run_show_run(struct cli *c, const void *in, struct err *e)
{
	static const struct column metric[] = { { "key", "metric", SHOW_TEXT }, { "value", "value", SHOW_NUMBER }, { "step", "step", SHOW_COUNT }, { .path = NULL } };
	static const struct column param[] = { { "key", "parameter", SHOW_TEXT }, { "value", "value", SHOW_TEXT }, { .path = NULL } };
	static const struct column tag[] = { { "key", "tag", SHOW_TEXT }, { "value", "value", SHOW_TEXT }, { .path = NULL } };
	static const struct { const char *path; const struct column *columns; } parts[] = {
		{ "run.data.metrics", metric }, { "run.data.params", param }, { "run.data.tags", tag },
	};
	struct http_answer got;
	struct value *v;

	TRY(client_run(c, in, &got, e));
	if (c->global.json)
		return answer_show(c, got.body, e);
	TRY(value_parse(got.body, c->arena, &v, e));
	answer_print_object(c, v, run_columns);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const struct value *list = value_at(v, parts[i].path);
		if (list == NULL || list->n == 0)
			continue;
		putchar('\n');
		answer_print_list(c, list, parts[i].columns);
	}
	return RC_OK;
}

/* --- models ------------------------------------------------------------------------------------------------------ */

struct model_arg { str name; };
static const struct field model_fields[] = { FIELD(model_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the model") };
static const struct record model_record = RECORD(model_arg, model_fields, "Which model");

static const struct column model_columns[] = {
	{ "name", "name", SHOW_TEXT }, { "latest_versions.0.version", "version", SHOW_COUNT }, { "aliases.*.alias", "aliases", SHOW_TEXT },
	{ "description", "description", SHOW_TEXT }, { "last_updated_timestamp", "updated", SHOW_TIME_MS }, { .path = NULL },
};
static const struct column version_columns[] = {
	{ "version", "version", SHOW_COUNT }, { "aliases", "aliases", SHOW_TEXT }, { "run_id", "run", SHOW_TEXT },
	{ "source", "source", SHOW_TEXT }, { "status", "status", SHOW_TEXT }, { "creation_timestamp", "created", SHOW_TIME_MS }, { .path = NULL },
};

static enum rc model_show_run(struct cli *c, const void *in, struct err *e)
{
	const struct model_arg *m = in;
	str filter = http_percent_encode(c->arena, arena_printf(c->arena, "name='" STR_FMT "'", STR_ARG(m->name)), false);
	struct ask q = { .method = "GET", .path = arena_printf(c->arena, MLFLOW "/model-versions/search?max_results=1000&filter=" STR_FMT, STR_ARG(filter)) };
	struct http_answer model, got;
	struct value *v;

	TRY(client_run(c, in, &model, e));              /* says so when there is no such model */
	if (c->global.json)
		return answer_show(c, model.body, e);
	TRY(client_ask(c, &q, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	answer_print_list(c, value_at(v, "model_versions"), version_columns);
	return RC_OK;
}

struct register_arg { str name, run, path, alias; };
static const struct field register_fields[] = {
	FIELD(register_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the model; made if it is new"),
	FIELD(register_arg, run, K_STR, F_REQUIRED, "The run whose model it is", .unit = "RUN_ID"),
	FIELD(register_arg, path, K_STR, 0, "Where the model lies among the run's artifacts", .def = "model"),
	FIELD(register_arg, alias, K_STR, 0, "Alias that the new version gets, as champion"),
};
static const struct record register_record = RECORD(register_arg, register_fields, "A new model version");

static enum rc post_fields(struct cli *c, const char *path, const struct pair *field, size_t n, struct http_answer *got, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_TEXT);
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	for (size_t i = 0; i < n; i++) {
		jw_key(&w, field[i].key);
		jw_str(&w, field[i].value);
	}
	jw_end_object(&w);
	struct ask q = { .method = "POST", .path = str_of(path), .body = buf_to_arena(&b, c->arena) };
	buf_deinit(&b);
	return client_ask(c, &q, got, e);
}

/* Says yes when the model is there already; MLflow tells that by a code of its own, so we look. */
static enum rc model_exists(struct cli *c, str name, bool *exists, struct err *e)
{
	str encoded = http_percent_encode(c->arena, name, false);
	struct ask q = { .method = "GET", .path = arena_printf(c->arena, MLFLOW "/registered-models/get?name=" STR_FMT, STR_ARG(encoded)) };
	struct http_answer got;

	*exists = client_ask(c, &q, &got, e) == RC_OK;
	return *exists || e->rc == RC_NOT_FOUND ? RC_OK : e->rc;
}

static enum rc register_run(struct cli *c, const void *in, struct err *e)
{
	const struct register_arg *r = in;
	str encoded = http_percent_encode(c->arena, r->run, false);
	struct ask run = { .method = "GET", .path = arena_printf(c->arena, MLFLOW "/runs/get?run_id=" STR_FMT, STR_ARG(encoded)) };
	struct http_answer got;
	struct value *v;
	bool exists;

	TRY(client_ask(c, &run, &got, e));
	TRY(model_exists(c, r->name, &exists, e));
	const struct pair model[] = { { STR("name"), r->name } };
	if (!exists)
		TRY(post_fields(c, MLFLOW "/registered-models/create", model, ARRAY_LEN(model), &got, e));
	const struct pair version[] = {
		{ STR("name"), r->name }, { STR("run_id"), r->run },
		{ STR("source"), arena_printf(c->arena, "runs:/" STR_FMT "/" STR_FMT, STR_ARG(r->run), STR_ARG(r->path)) },
	};
	TRY(post_fields(c, MLFLOW "/model-versions/create", version, ARRAY_LEN(version), &got, e));
	str answer = got.body;
	TRY(value_parse(answer, c->arena, &v, e));
	const struct pair alias[] = { { STR("name"), r->name }, { STR("alias"), r->alias },
				      { STR("version"), value_text(value_at(v, "model_version.version"), c->arena) } };
	if (r->alias.len > 0)
		TRY(post_fields(c, MLFLOW "/registered-models/alias", alias, ARRAY_LEN(alias), &got, e));
	if (r->alias.len > 0 && !c->global.json)
		printf(STR_FMT "@" STR_FMT " is version " STR_FMT "\n", STR_ARG(r->name), STR_ARG(r->alias), STR_ARG(alias[2].value));
	else
		TRY(answer_show(c, answer, e));
	return RC_OK;
}

struct alias_arg { str name, alias; int64_t version; };
static const struct field alias_fields[] = {
	FIELD(alias_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the model"),
	FIELD(alias_arg, alias, K_STR, F_KEY | F_REQUIRED, "The alias, as champion"),
	FIELD(alias_arg, version, K_I64, F_KEY | F_REQUIRED, "The version it shall stand for"),
};
static const struct record alias_record = RECORD(alias_arg, alias_fields, "An alias");

static enum rc alias_run(struct cli *c, const void *in, struct err *e)
{
	const struct alias_arg *x = in;
	str version = arena_printf(c->arena, "%lld", (long long)x->version);
	const struct pair alias[] = { { STR("name"), x->name }, { STR("alias"), x->alias }, { STR("version"), version } };
	struct http_answer got;

	TRY(post_fields(c, MLFLOW "/registered-models/alias", alias, ARRAY_LEN(alias), &got, e));
	if (c->global.json)
		return answer_show(c, got.body, e);
	printf(STR_FMT "@" STR_FMT " is version " STR_FMT "\n", STR_ARG(x->name), STR_ARG(x->alias), STR_ARG(version));
	return RC_OK;
}

static const char *const format_names[] = { "onnx", NULL };
struct convert_arg { str model, name, alias; int32_t to; double tolerance; };
static const struct field convert_fields[] = {
	FIELD(convert_arg, model, K_STR, F_KEY | F_REQUIRED, "The model version, as taxi-fare@champion or taxi-fare/3"),
	FIELD(convert_arg, to, K_ENUM, F_REQUIRED, "Format to convert to", .names = format_names),
	FIELD(convert_arg, name, K_STR, F_REQUIRED, "Name of the model that gets the converted version"),
	FIELD(convert_arg, alias, K_STR, 0, "Alias to set on the new version"),
	FIELD(convert_arg, tolerance, K_F64, 0, "Largest difference of a prediction that is let through", .max = 1e12),
};
static const struct record convert_record = RECORD(convert_arg, convert_fields, "What to convert");

struct file_arg { str file; };
static const struct field train_fields[] = { FIELD(file_arg, file, K_STR, F_KEY | F_REQUIRED, "YAML file with the training job") };
static const struct record train_record = RECORD(file_arg, train_fields, "A training job");

static const struct column loaded_columns[] = {
	{ "model", "model", SHOW_TEXT }, { "version", "version", SHOW_COUNT }, { "runtime", "runtime", SHOW_TEXT }, { "bytes", "size", SHOW_BYTES },
	{ "load_ms", "load ms", SHOW_NUMBER }, { "inferences", "inferences", SHOW_COUNT }, { "failures", "failures", SHOW_COUNT },
	{ "p50_us", "p50", SHOW_US }, { "p99_us", "p99", SHOW_US }, { "loaded_at", "loaded", SHOW_TIME }, { .path = NULL },
};
static const struct column runtime_columns[] = {
	{ "name", "name", SHOW_TEXT }, { "library", "library", SHOW_TEXT }, { "available", "available", SHOW_TEXT }, { "version", "version", SHOW_TEXT },
	{ "loaded", "models loaded", SHOW_COUNT }, { "reason", "why not", SHOW_TEXT }, { .path = NULL },
};

static const struct command model_commands[] = {
	{ .noun = "train", .doc = "Searches for the best model; every trial is a run", .in = &train_record, .method = "POST",
	  .path = API_CAIRN "/train", .flags = CMD_TASK | CMD_FILE,
	  .done = "{name}: {n_trials} trials ({n_pruned} given up early) in {took:took}; best run {best_run_id}, {metric} {value:number} "
		  "on the held-out rows (predicting the mean: {baseline:number})", .example = "cairn train train.yaml" },
	{ .noun = "runs", .verb = "list", .doc = "Lists tracked runs", .in = &runs_record, .run = runs_list_run,
	  .example = "cairn runs list --experiment taxi-fare --order \"metrics.rmse ASC\"" },
	{ .noun = "runs", .verb = "show", .doc = "Shows a run's parameters, metrics and tags", .in = &run_record, .method = "GET",
	  .path = MLFLOW "/runs/get", .run = run_show_run, .example = "cairn runs show 8f1c…" },
	{ .noun = "models", .verb = "list", .doc = "Lists registered models", .method = "GET", .path = MLFLOW "/registered-models/search?max_results=1000",
	  .list = "registered_models", .columns = model_columns, .example = "cairn models list" },
	{ .noun = "models", .verb = "show", .doc = "Lists a model's versions", .in = &model_record, .method = "GET",
	  .path = MLFLOW "/registered-models/get", .run = model_show_run, .example = "cairn models show taxi-fare" },
	{ .noun = "models", .verb = "register", .doc = "Makes a model version of a run", .in = &register_record, .run = register_run,
	  .done = "{model_version.name} version {model_version.version} is registered",
	  .example = "cairn models register taxi-fare --run RUN_ID --alias champion" },
	{ .noun = "models", .verb = "alias", .doc = "Lets an alias stand for a version", .in = &alias_record, .run = alias_run,
	  .example = "cairn models alias taxi-fare champion 2" },
	{ .noun = "models", .verb = "convert", .doc = "Makes a version in another format and measures how far it differs", .in = &convert_record,
	  .method = "POST", .path = API_CAIRN "/models/convert", .flags = CMD_TASK,
	  .done = "{name} version {version} from {source}: largest difference {max_abs_error:number} over {?rows_held_out}{rows_held_out:count} held-out and {/}"
		  "{rows_generated:count} generated rows; {us_before:number} to {us_after:number} µs a row",
	  .example = "cairn models convert taxi-fare@champion --to onnx --name taxi-fare-onnx" },
	{ .noun = "models", .verb = "loaded", .doc = "Lists the models in memory and how they do", .method = "GET", .path = API_CAIRN "/loaded-models",
	  .list = "loaded_models", .columns = loaded_columns, .example = "cairn models loaded" },
	{ .noun = "runtimes", .doc = "Lists what can run models, and versions", .method = "GET", .path = API_CAIRN "/runtimes", .list = "runtimes",
	  .columns = runtime_columns, .example = "cairn runtimes" },
};
FAMILY(model_commands, "Models:");
