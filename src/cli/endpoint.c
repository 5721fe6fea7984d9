/* endpoint.c -- endpoints, keys and single predictions. */
#include "cli/answer.h"

#include <stdio.h>

#include "base/limits.h"

struct file_arg { str file; };
static const struct field endpoint_file_fields[] = { FIELD(file_arg, file, K_STR, F_KEY | F_REQUIRED, "YAML file with the definition") };
static const struct record endpoint_file_record = RECORD(file_arg, endpoint_file_fields, "A definition");
struct endpoint_arg { str name; };
static const struct field endpoint_fields[] = { FIELD(endpoint_arg, name, K_STR, F_KEY | F_REQUIRED, "Name of the endpoint") };
static const struct record endpoint_name_record = RECORD(endpoint_arg, endpoint_fields, "Which endpoint");

static const char *const role_names_[] = { "viewer", "contributor", "operator", "admin", NULL };
struct key_arg { str name, scope; int64_t expires_in_ms; int32_t role; };
static const struct field key_fields[] = {
	FIELD(key_arg, name, K_STR, F_KEY | F_REQUIRED, "What the key is for"),
	FIELD(key_arg, scope, K_STR, 0, "What it allows, as endpoint.invoke:taxi-fare; several separated by spaces"),
	FIELD(key_arg, role, K_ENUM, 0, "Instead of a scope: all that this role may", .names = role_names_),
	FIELD(key_arg, expires_in_ms, K_MS, 0, "How long it is valid; for ever if not given", .name = "expires_in"),
};
static const struct record key_record = RECORD(key_arg, key_fields, "A key");
struct key_id { str id; };
static const struct field key_id_fields[] = { FIELD(key_id, id, K_STR, F_KEY | F_REQUIRED, "Id of the key") };
static const struct record key_id_record = RECORD(key_id, key_id_fields, "Which key");

/* --- predict ---------------------------------------------------------------------------------------------------- */

struct predict_arg { str endpoint; struct list input; };
static const struct field predict_fields[] = {
	FIELD(predict_arg, endpoint, K_STR, F_KEY | F_REQUIRED, "Name of the endpoint"),
	FIELD(predict_arg, input, K_PAIRS, F_KEY | F_REQUIRED, "The endpoint's inputs, as distance=2.5 zone=Midtown"),
};
static const struct record predict_record = RECORD(predict_arg, predict_fields, "What to predict");

static str input_value(const struct predict_arg *p, str name)
{
	for (size_t i = 0; i < p->input.n; i++) {
		const struct pair *one = LIST_AT(p->input, struct pair, i);
		if (str_eq(one->key, name))
			return one->value;
	}
	return STR_NONE;
}

/* Every word must be an input: one that is not would be left out in silence. */
static enum rc check_inputs(struct cli *c, const struct predict_arg *p, const struct value *inputs, struct err *e)
{
	struct buf names = BUF_INIT(400);

	for (const struct value *m = inputs != NULL ? inputs->first : NULL; m != NULL; m = m->next) {
		str name = value_text(value_at(m, "name"), c->arena);
		buf_addf(&names, "%s" STR_FMT, names.len > 0 ? ", " : "", STR_ARG(name));
	}
	str all = buf_to_arena(&names, c->arena);
	buf_deinit(&names);
	for (size_t i = 0; i < p->input.n; i++) {
		const struct pair *one = LIST_AT(p->input, struct pair, i);
		bool known = false;
		for (const struct value *m = inputs != NULL ? inputs->first : NULL; m != NULL; m = m->next)
			known = known || str_eq(value_text(value_at(m, "name"), c->arena), one->key);
		if (!known)
			return FAIL(e, RC_INVALID, "'" STR_FMT "' is not an input of " STR_FMT "; there are: " STR_FMT, STR_ARG(one->key),
				    STR_ARG(p->endpoint), STR_ARG(all));
	}
	return RC_OK;
}

static enum rc write_input(struct jw *w, str name, str type, str text, struct err *e)
{
	double number;

	jw_object(w);
	jw_str_key(w, "name", name);
	jw_str_key(w, "datatype", type);
	jw_array_key(w, STR("shape"));
	jw_i64(w, 1);
	jw_end_array(w);
	jw_array_key(w, STR("data"));
	if (str_eq(type, STR("BYTES")))
		jw_str(w, text);
	else if (str_eq(type, STR("BOOL")))
		jw_bool(w, str_eq(text, STR("true")) || str_eq(text, STR("1")));
	else if (str_to_f64(text, &number))
		jw_f64(w, number);
	else
		return FAIL(e, RC_INVALID, STR_FMT ": '" STR_FMT "' is not a number (" STR_FMT ")", STR_ARG(name), STR_ARG(text), STR_ARG(type));
	jw_end_array(w);
	jw_end_object(w);
	return RC_OK;
}

static enum rc infer_body(struct cli *c, const struct predict_arg *p, const struct value *inputs, str *out, struct err *e)
{
	struct buf b = BUF_INIT(1u << 20);
	enum rc rc = RC_OK;
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_array_key(&w, STR("inputs"));
	for (const struct value *m = inputs->first; rc == RC_OK && m != NULL; m = m->next) {
		str name = value_text(value_at(m, "name"), c->arena), text = input_value(p, name);
		if (text.at != NULL)
			rc = write_input(&w, name, value_text(value_at(m, "datatype"), c->arena), text, e);
	}
	if (rc == RC_OK) {
		jw_end_array(&w);
		jw_end_object(&w);
		*out = buf_to_arena(&b, c->arena);
	}
	buf_deinit(&b);
	return rc;
}

static enum rc predict_run(struct cli *c, const void *in, struct err *e)
{
	const struct predict_arg *p = in;
	str name = http_percent_encode(c->arena, p->endpoint, false);
	struct ask meta = { .method = "GET", .path = arena_printf(c->arena, "/v2/models/" STR_FMT, STR_ARG(name)) };
	struct ask infer = { .method = "POST", .path = arena_printf(c->arena, "/v2/models/" STR_FMT "/infer", STR_ARG(name)) };
	struct http_answer got;
	struct value *v;

	TRY(client_ask(c, &meta, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	const struct value *inputs = value_at(v, "inputs");
	TRY(check_inputs(c, p, inputs, e));
	if (inputs == NULL)
		return FAIL(e, RC_UPSTREAM, "the endpoint tells no inputs");
	TRY(infer_body(c, p, inputs, &infer.body, e));
	TRY(client_ask(c, &infer, &got, e));
	return answer_show(c, got.body, e);
}

static const struct column endpoint_columns[] = {
	{ "name", "name", SHOW_TEXT }, { "model", "model", SHOW_TEXT }, { "version", "version", SHOW_COUNT },
	{ "runtime", "runtime", SHOW_TEXT }, { "revision", "revision", SHOW_COUNT }, { "state", "state", SHOW_TEXT },
	{ "live.p50_ms", "p50 ms", SHOW_NUMBER }, { "live.p99_ms", "p99 ms", SHOW_NUMBER }, { "live.answered", "answered", SHOW_COUNT },
	{ "live.failed", "failed", SHOW_COUNT }, { "updated_at", "updated", SHOW_TIME }, { .path = NULL },
};
static const struct column key_columns[] = {
	{ "id", "id", SHOW_TEXT }, { "name", "name", SHOW_TEXT }, { "scope", "scope", SHOW_TEXT }, { "created_at", "created", SHOW_TIME },
	{ "created_by", "by", SHOW_TEXT }, { "expires_at", "expires", SHOW_TIME }, { "revoked_at", "revoked", SHOW_TIME }, { .path = NULL },
};
static const struct column key_made_columns[] = {
	{ "id", "id", SHOW_TEXT }, { "name", "name", SHOW_TEXT }, { "scope", "scope", SHOW_TEXT }, { "key", "key", SHOW_TEXT }, { .path = NULL },
};

static const struct command endpoint_commands[] = {
	{ .noun = "endpoint", .verb = "apply", .doc = "Puts an endpoint in place", .in = &endpoint_file_record, .method = "POST",
	  .path = API_CAIRN "/endpoints", .flags = CMD_FILE, .done = "endpoint {name} serves {model} version {version} ({runtime})",
	  .example = "cairn endpoint apply endpoint.yaml" },
	{ .noun = "endpoint", .verb = "list", .doc = "Lists the endpoints", .method = "GET", .path = API_CAIRN "/endpoints", .list = "endpoints",
	  .columns = endpoint_columns, .example = "cairn endpoint list" },
	{ .noun = "endpoint", .verb = "show", .doc = "Shows an endpoint and how it does", .in = &endpoint_name_record, .method = "GET",
	  .path = API_CAIRN "/endpoints/{name}", .example = "cairn endpoint show taxi-fare" },
	{ .noun = "endpoint", .verb = "refresh", .doc = "Serves the version its alias stands for now", .in = &endpoint_name_record,
	  .method = "POST", .path = API_CAIRN "/endpoints/{name}/refresh", .done = "endpoint {name} serves {model} version {version}",
	  .example = "cairn endpoint refresh taxi-fare" },
	{ .noun = "endpoint", .verb = "delete", .doc = "Takes an endpoint away", .in = &endpoint_name_record, .method = "DELETE",
	  .path = API_CAIRN "/endpoints/{name}", .done = "endpoint is gone", .example = "cairn endpoint delete taxi-fare" },
	{ .noun = "predict", .doc = "Asks an endpoint for one prediction", .in = &predict_record, .run = predict_run,
	  .done = "{outputs.0.name} = {outputs.0.data.0:number}  (prediction {parameters.prediction_id}, model version {model_version})",
	  .example = "cairn predict taxi-fare distance=2.5 passengers=1 zone=\"Midtown Center\"" },
	{ .noun = "key", .verb = "create", .doc = "Makes a key for a program; it is shown this once", .in = &key_record, .method = "POST",
	  .path = API_CAIRN "/keys", .columns = key_made_columns, .example = "cairn key create shop --scope endpoint.invoke:taxi-fare" },
	{ .noun = "key", .verb = "list", .doc = "Lists keys, without their secrets", .method = "GET", .path = API_CAIRN "/keys", .list = "keys",
	  .columns = key_columns, .example = "cairn key list" },
	{ .noun = "key", .verb = "revoke", .doc = "Makes a key worthless", .in = &key_id_record, .method = "DELETE", .path = API_CAIRN "/keys/{id}",
	  .done = "the key is revoked", .example = "cairn key revoke ky_01…" },
};
FAMILY(endpoint_commands, "Serving:");
