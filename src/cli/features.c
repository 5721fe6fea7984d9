/* features.c -- feature views, online reads and training sets. */
#include "cli/answer.h"

#include <stdio.h>

struct view_arg { str name; int64_t as_of_ms; };
static const struct field view_name_fields[] = { FIELD(view_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the feature view") };
static const struct record view_name_record = RECORD(view_arg, view_name_fields, "Which feature view");
static const struct field materialise_fields[] = {
	FIELD(view_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the feature view"),
	FIELD(view_arg, as_of_ms, K_TIME, 0, "Values as they were at this time; now if not given", .name = "as_of"),
};
static const struct record materialise_record = RECORD(view_arg, materialise_fields, "What to materialise");

struct file_arg { str file; };
static const struct field view_file_fields[] = { FIELD(file_arg, file, K_STR, F_KEY | F_REQUIRED, "YAML file with the definition") };
static const struct record view_file_record = RECORD(file_arg, view_file_fields, "A definition");

struct online { struct list features; struct list keys; bool any_age; };
static const struct field online_fields[] = {
	FIELD(online, features, K_STRS, F_KEY | F_REQUIRED, "Features as view:feature, joined by commas"),
	FIELD(online, keys, K_PAIRS, F_KEY | F_REQUIRED, "The entity's key, as zone=Midtown"),
	FIELD(online, any_age, K_BOOL, 0, "Values older than their view's lifetime are as good as others"),
};
static const struct record online_record = RECORD(online, online_fields, "What to read");

/* A line per feature: the answer has its values, states and times in the order in which it names them. */
static void print_online(struct cli *c, const struct value *v)
{
	static const char *const title[] = { "feature", "value", "status", "as of" };
	static const bool right[ARRAY_LEN(title)] = { [1] = true };
	struct grid g = { .title = title, .right = right, .n_col = ARRAY_LEN(title) };

	const struct value *names = value_at(v, "features");
	size_t i = 0;
	for (const struct value *m = names != NULL ? names->first : NULL; m != NULL; m = m->next, i++) {
		const char *n = arena_printf(c->arena, "%zu", i).at;
		*VEC_PUSH(c->arena, &g.cell) = value_text(m, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(value_at(v, "rows.0.values"), n), SHOW_NUMBER, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(value_at(v, "rows.0.statuses"), n), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(value_at(v, "rows.0.event_times"), n), SHOW_TIME, c->arena);
	}
	grid_print(&g, c->tty_out);
}

static enum rc online_run(struct cli *c, const void *in, struct err *e)
{
	const struct online *o = in;
	struct buf b = BUF_INIT(1u << 20);
	struct http_answer got;
	struct value *v;
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_array_key(&w, STR("features"));
	for (size_t i = 0; i < o->features.n; i++)
		jw_str(&w, *LIST_AT(o->features, str, i));
	jw_end_array(&w);
	jw_array_key(&w, STR("keys"));
	jw_object(&w);
	for (size_t i = 0; i < o->keys.n; i++) {
		const struct pair *p = LIST_AT(o->keys, struct pair, i);
		jw_key(&w, p->key);
		jw_str(&w, p->value);
	}
	jw_end_object(&w);
	jw_end_array(&w);
	jw_bool_key(&w, "ttl", !o->any_age);
	jw_end_object(&w);
	struct ask q = { .method = "POST", .path = STR(API_CAIRN "/features/online"), .body = buf_to_arena(&b, c->arena) };
	buf_deinit(&b);
	TRY(client_ask(c, &q, &got, e));
	if (c->global.json)
		return answer_show(c, got.body, e);
	TRY(value_parse(got.body, c->arena, &v, e));
	print_online(c, v);
	return RC_OK;
}

static const struct column view_columns[] = {
	{ "name", "name", SHOW_TEXT }, { "entity", "entity", SHOW_TEXT }, { "keys", "keys", SHOW_TEXT }, { "dataset", "dataset", SHOW_TEXT },
	{ "ttl", "lifetime", SHOW_TEXT }, { "materialised_as_of", "as of", SHOW_TIME }, { "n_keys", "online keys", SHOW_COUNT }, { "materialised_at", "materialised", SHOW_TIME },
	{ .path = NULL },
};
static const struct column training_set_columns[] = {
	{ "id", "id", SHOW_TEXT }, { "name", "name", SHOW_TEXT }, { "n_rows", "rows", SHOW_COUNT }, { "label", "label", SHOW_TEXT },
	{ "split", "split", SHOW_TIME }, { "created_at", "created", SHOW_TIME }, { .path = NULL },
};

struct id_arg { str id; };
static const struct field training_set_fields[] = { FIELD(id_arg, id, K_STR, F_KEY | F_REQUIRED, "Id or name of the training set") };
static const struct record training_set_id_record = RECORD(id_arg, training_set_fields, "Which training set");

static const struct command feature_commands[] = {
	{ .noun = "features", .verb = "apply", .doc = "Puts a feature view's definition in place", .in = &view_file_record, .method = "POST",
	  .path = API_CAIRN "/feature-views", .done = "feature view {views.*.name}: {views.*.change}", .flags = CMD_FILE,
	  .example = "cairn features apply features.yaml" },
	{ .noun = "features", .verb = "materialise", .doc = "Brings a view's newest values online", .in = &materialise_record, .method = "POST",
	  .path = API_CAIRN "/feature-views/{name}/materialise", .flags = CMD_TASK,
	  .done = "{view} is online as of {as_of:time}: {n_keys:count} keys of {source}, in {took:took}", .example = "cairn features materialise zone_stats --as-of 2019-03-25T00:00:00Z" },
	{ .noun = "features", .verb = "list", .doc = "Lists the feature views", .method = "GET", .path = API_CAIRN "/feature-views",
	  .list = "feature_views", .columns = view_columns, .example = "cairn features list" },
	{ .noun = "features", .verb = "show", .doc = "Shows a feature view", .in = &view_name_record, .method = "GET",
	  .path = API_CAIRN "/feature-views/{name}", .example = "cairn features show zone_stats" },
	{ .noun = "features", .verb = "get", .doc = "Reads features online", .in = &online_record, .run = online_run,
	  .example = "cairn features get zone_stats:trips_7d pickup_zone=\"Midtown Center\"" },
	{ .noun = "training-set", .verb = "create", .doc = "Joins labels with features as they were at each label's time", .in = &view_file_record,
	  .method = "POST", .path = API_CAIRN "/training-sets", .flags = CMD_TASK | CMD_FILE,
	  .done = "training set {name} ({id}): {n_rows:count} rows, {n_train:count} to train, {n_valid:count} held out, {columns:n} columns",
	  .example = "cairn training-set create training_set.yaml" },
	{ .noun = "training-set", .verb = "list", .doc = "Lists the training sets", .method = "GET", .path = API_CAIRN "/training-sets",
	  .list = "training_sets", .columns = training_set_columns, .example = "cairn training-set list" },
	{ .noun = "training-set", .verb = "show", .doc = "Shows a training set", .in = &training_set_id_record, .method = "GET",
	  .path = API_CAIRN "/training-sets/{id}", .example = "cairn training-set show taxi_fare" },
};
FAMILY(feature_commands, "Features:");
