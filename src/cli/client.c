/* client.c -- requests to a running cairn, as the command tables describe them. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "io/fs.h"

#define TOKEN_MAX 512
#define DEFAULT_URL "http://127.0.0.1:7070"
#define ASK_MS 120000

enum rc client_url(struct cli *c, str *out, struct err *e)
{
	str url = c->global.url.len > 0 ? c->global.url : str_of(getenv("CAIRN_URL"));
	struct server_told told;
	bool running;

	if (url.len == 0) {
		TRY(server_told(c, cli_data_dir(c), &told, &running, e));
		url = running ? told.url : STR(DEFAULT_URL);
	}
	while (url.len > 0 && url.at[url.len - 1] == '/')
		url.len--;
	*out = url;
	return RC_OK;
}

str client_token(struct cli *c)
{
	str token = c->global.token.len > 0 ? c->global.token : str_of(getenv("CAIRN_TOKEN"));
	str dir = cli_data_dir(c);
	struct err e = ERR_INIT;

	if (token.len > 0)
		return token;
	str path = arena_printf(c->arena, STR_FMT "/admin.token", STR_ARG(dir));
	return fs_read(path.at, TOKEN_MAX, c->arena, &token, &e) == RC_OK ? str_trim(token) : STR_NONE;
}

/* --- errors ---------------------------------------------------------------------------------------------------- */

/* cairn's, MLflow's and the inference protocol's forms of an error, by one open record each. */
struct wire_error { str code, message, field; };
static const struct field wire_error_fields[] = {
	FIELD(wire_error, code, K_STR, 0, "Stable name of the error"),
	FIELD(wire_error, message, K_STR, 0, "What is wrong"),
	FIELD(wire_error, field, K_STR, 0, "Where"),
};
static const struct record wire_error_record = RECORD(wire_error, wire_error_fields, "An error", .open = true);
struct cairn_error { struct wire_error error; };
static const struct field cairn_error_fields[] = {
	FIELD(cairn_error, error, K_RECORD, F_REQUIRED, "The error", .sub = &wire_error_record),
};
static const struct record cairn_error_record = RECORD(cairn_error, cairn_error_fields, "An answered error", .open = true);
static const struct field mlflow_error_fields[] = {
	FIELD(wire_error, message, K_STR, F_REQUIRED, "What is wrong"),
};
static const struct record mlflow_error_record = RECORD(wire_error, mlflow_error_fields, "MLflow's error", .open = true);
static const struct field oip_error_fields[] = {
	FIELD(wire_error, message, K_STR, F_REQUIRED, "What is wrong", .name = "error"),
};
static const struct record oip_error_record = RECORD(wire_error, oip_error_fields, "The inference protocol's error", .open = true);

static enum rc rc_of_status(int status)
{
	for (int rc = 1; rc < RC_COUNT_; rc++) {
		if (rc_http((enum rc)rc) == status)
			return (enum rc)rc;
	}
	return status < 500 ? RC_INVALID : RC_INTERNAL;
}

enum rc client_error(struct cli *c, int status, str body, struct err *e)
{
	struct cairn_error ours;
	struct wire_error w = { .code = STR_NONE };
	struct err ignored = ERR_INIT;
	enum rc rc = rc_of_status(status);
	char field[sizeof(e->field)];

	if (record_from_json(&cairn_error_record, body, c->arena, 0, &ours, &ignored) == RC_OK)
		w = ours.error;
	else if (record_from_json(&oip_error_record, body, c->arena, 0, &w, &ignored) != RC_OK &&
		 record_from_json(&mlflow_error_record, body, c->arena, 0, &w, &ignored) != RC_OK)
		w.message = arena_printf(c->arena, "the server answered %d: " STR_FMT, status, STR_ARG(str_head(str_trim(body), 200)));
	if (w.code.len > 0 && rc_of_name(w.code) != RC_OK)
		rc = rc_of_name(w.code);
	err_set(e, rc, __FILE__, __LINE__, STR_FMT, STR_ARG(w.message));
	if (w.field.len > 0 && str_to_c(w.field, field, sizeof(field)))
		(void)err_field(e, "%s", field);
	return rc;
}

static enum rc not_reached(struct cli *c, str url, struct err *e)
{
	str dir = cli_data_dir(c);

	if (e->rc != RC_UPSTREAM)
		return e->rc;
	return FAIL(e, RC_UNAVAILABLE, "no cairn answers at " STR_FMT " (data directory " STR_FMT "): start one with cairn up", STR_ARG(url),
		    STR_ARG(dir));
}

/* --- one request --------------------------------------------------------------------------------------------------- */

enum rc client_ask(struct cli *c, const struct ask *q, struct http_answer *out, struct err *e)
{
	str url, token = client_token(c);
	struct pair_ header[3];
	size_t n = 0;

	TRY(client_url(c, &url, e));
	if (c->http == NULL)
		TRY(http_client_open(&c->http, e));
	if (token.len > 0)
		header[n++] = (struct pair_){ STR("Authorization"), arena_printf(c->arena, "Bearer " STR_FMT, STR_ARG(token)) };
	if (q->body.at != NULL || q->body_type.len > 0)
		header[n++] = (struct pair_){ STR("Content-Type"), q->body_type.len > 0 ? q->body_type : STR("application/json") };
	if (q->source_name.len > 0)
		header[n++] = (struct pair_){ STR("Cairn-Source-Name"), q->source_name };
	struct http_call call = {
		.method = q->method, .url = arena_printf(c->arena, STR_FMT STR_FMT, STR_ARG(url), STR_ARG(q->path)), .header = header,
		.n_header = n, .body = q->body, .body_file = q->body_file, .total_ms = q->total_ms > 0 ? q->total_ms : ASK_MS,
	};
	if (http_call(c->http, &call, c->arena, out, e) != RC_OK)
		return not_reached(c, url, e);
	return out->status >= 400 ? client_error(c, out->status, out->body, e) : RC_OK;
}

/* --- requests of the tables ------------------------------------------------------------------------------------------ */

static str field_wire_text(const struct field *f, const void *in, struct arena *a)
{
	char text[CLOCK_TEXT_MAX];

	if (f->kind != K_TIME)
		return field_to_text(f, in, a);
	size_t n = clock_put_rfc3339(text, *(const int64_t *)field_at(f, in));
	return arena_dup(a, str_n(text, n));
}

/* Replaces "{name}" by that field; *used gets the fields' bits. */
static str fill_path(struct cli *c, const void *in, uint64_t *used)
{
	const struct record *r = c->command->in;
	str rest = str_of(c->command->path), part;
	struct buf b = BUF_INIT(LIMIT_QUERY_STRING);

	while (str_cut(&rest, '{', &part)) {
		buf_add(&b, part);
		if (rest.at == NULL || !str_cut(&rest, '}', &part))
			break;
		int i = record_field_index(r, part);
		CHECK(i >= 0);          /* the command's path names a field it does not have */
		buf_add(&b, http_percent_encode(c->arena, field_wire_text(&r->field[i], in, c->arena), false));
		*used |= UINT64_C(1) << i;
	}
	str path = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return path;
}

static str with_query(struct cli *c, str path, const void *in, uint64_t fields)
{
	const struct record *r = c->command->in;
	struct buf b = BUF_INIT(LIMIT_QUERY_STRING);
	char mark = str_find_char(path, '?') >= 0 ? '&' : '?';

	buf_add(&b, path);
	for (size_t i = 0; r != NULL && i < r->n_field; i++) {
		if (!(fields >> i & 1))
			continue;
		str value = http_percent_encode(c->arena, field_wire_text(&r->field[i], in, c->arena), false);
		buf_addf(&b, "%c%s=" STR_FMT, mark, r->field[i].name, STR_ARG(value));
		mark = '&';
	}
	str out = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return out;
}

static str json_body(struct cli *c, const void *in, uint64_t fields)
{
	const struct record *r = c->command->in;
	struct buf b = BUF_INIT(LIMIT_JSON_BODY);
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	for (size_t i = 0; r != NULL && i < r->n_field; i++) {
		if (!(fields >> i & 1))
			continue;
		jw_key(&w, str_of(r->field[i].name));
		field_encode(&r->field[i], in, ENC_SECRETS, &w);
	}
	jw_end_object(&w);
	str out = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return out;
}

static enum rc file_body(struct cli *c, const void *in, struct ask *q, uint64_t *used, struct err *e)
{
	int i = record_field_index(c->command->in, STR("file"));

	CHECK(i >= 0);
	str file = *(const str *)field_at(&c->command->in->field[i], in);
	*used |= UINT64_C(1) << i;
	TRY(fs_read(arena_cstr(c->arena, file), LIMIT_JSON_BODY, c->arena, &q->body, e));
	q->body_type = STR("application/yaml");
	q->source_name = file;
	return RC_OK;
}

enum rc client_run(struct cli *c, const void *in, struct http_answer *out, struct err *e)
{
	const struct command *k = c->command;
	struct ask q = { .method = k->method };
	uint64_t used = 0;

	q.path = fill_path(c, in, &used);
	if (k->flags & CMD_FILE)
		TRY(file_body(c, in, &q, &used, e));
	uint64_t rest = c->given & ~used;
	bool get = strcmp(k->method, "GET") == 0 || strcmp(k->method, "DELETE") == 0;
	if (get || (k->flags & (CMD_QUERY | CMD_FILE)))
		q.path = with_query(c, q.path, in, rest);
	else
		q.body = json_body(c, in, rest);
	return client_ask(c, &q, out, e);
}
