/* rules.c -- what MLflow allows: names, lengths, identifiers. Pure; the words are those that its clients know. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/id.h"
#include "io/http_server.h"
#include "modules/tracking/tracking_int.h"

#define SEE_DOCS " See the API docs for more information about request parameters."
#define DECODE_ROUNDS 10
#define PATH_LEN_MAX 4096
#define PATH_DEPTH_MAX 64

/* --- errors ---------------------------------------------------------------------------------------- */

static const struct { enum rc rc; const char *code; int status; } wire_codes[] = {
	{ RC_INVALID, "INVALID_PARAMETER_VALUE", 400 },  { RC_TOO_LARGE, "INVALID_PARAMETER_VALUE", 400 },
	{ RC_CONFLICT, "RESOURCE_ALREADY_EXISTS", 400 }, { RC_NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", 404 },
	/* MLflow answers 500 here, upon which its client tries again for minutes what cannot succeed. */
	{ RC_GATE_FAILED, "INVALID_STATE", 400 },        { RC_UNAUTHENTICATED, "UNAUTHENTICATED", 401 },
	{ RC_FORBIDDEN, "PERMISSION_DENIED", 403 },      { RC_METHOD, "BAD_REQUEST", 405 },
	{ RC_LIMIT, "REQUEST_LIMIT_EXCEEDED", 429 },     { RC_CANCELLED, "CANCELLED", 499 },
	{ RC_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE", 503 }, { RC_TIMEOUT, "DEADLINE_EXCEEDED", 504 },
	{ RC_NO_SPACE, "INTERNAL_ERROR", 507 },
};

int mlflow_error_status(const struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(wire_codes); i++) {
		if (wire_codes[i].rc == err->rc)
			return wire_codes[i].status;
	}
	return 500;
}

void mlflow_write_error(const struct err *err, struct jw *w)
{
	const char *code = "INTERNAL_ERROR";

	for (size_t i = 0; i < ARRAY_LEN(wire_codes); i++) {
		if (wire_codes[i].rc == err->rc)
			code = wire_codes[i].code;
	}
	jw_object(w);
	jw_str_key(w, "error_code", str_of(code));
	jw_str_key(w, "message", str_of(err->msg));
	jw_end_object(w);
}

enum rc mlflow_missing(const char *name, struct err *e)
{
	(void)FAIL(e, RC_INVALID, "Missing value for required parameter '%s'." SEE_DOCS, name);
	return err_field(e, "%s", name);
}

void mlflow_reword(const struct field *f, const struct token *t, struct err *e)
{
	bool quoted = t != NULL && (t->kind == TOK_STRING || t->kind == TOK_PLAIN);

	if (t == NULL || (quoted && t->text.len == 0)) {
		(void)mlflow_missing(f->name, e);
		return;
	}
	str given = t->kind == TOK_BOOL ? (t->flag ? STR("true") : STR("false")) : str_head(t->text, 100);
	const char *type = t->kind == TOK_BOOL ? "bool" : quoted ? "str" : str_find_char(given, '.') >= 0 ? "float" : "int";
	(void)FAIL(e, RC_INVALID, "Invalid value %s" STR_FMT "%s for parameter '%s' supplied: Hint: Value was of type '%s'." SEE_DOCS,
		   quoted ? "\"" : "", STR_ARG(given), quoted ? "\"" : "", f->name, type);
}

/* --- texts ------------------------------------------------------------------------------------------- */

/* Bytes of the first `max` characters, or SIZE_MAX when there are no more than that. */
static size_t cut_at(str s, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (((unsigned char)s.at[i] & 0xc0) == 0x80)
			continue;
		if (n++ == max)
			return i;
	}
	return SIZE_MAX;
}

enum rc mlflow_check_length(const char *what, str text, size_t max, struct err *e)
{
	if (cut_at(text, max) != SIZE_MAX)
		return FAIL(e, RC_INVALID, "'%s' exceeds the maximum length of %zu characters", what, max);
	return RC_OK;
}

str mlflow_truncate(str text, size_t max)
{
	size_t cut = cut_at(text, max);

	return cut == SIZE_MAX ? text : str_head(text, cut);
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("/_.- :", c) != NULL);
}

/* A name that would be another one as a path: empty parts, ".", "..", a slash at either end. */
static bool own_path(str name)
{
	str rest = name, part;

	if (name.len == 0 || name.at[0] == '/')
		return false;
	while (str_cut(&rest, '/', &part)) {
		if (part.len == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	}
	return !str_starts(name, STR("..")) && !str_ends(name, STR("/"));
}

static enum rc bad_name(const char *path, str name, const char *why, struct err *e)
{
	str shown = mlflow_truncate(name, 100);

	return FAIL(e, RC_INVALID, "Invalid value \"" STR_FMT "\" for parameter '%s' supplied: %s", STR_ARG(shown), path, why);
}

enum rc mlflow_check_relative_name(const char *path, str name, struct err *e)
{
	if (!own_path(name))
		return bad_name(path, name, "Names may be treated as files in certain cases, and must not resolve to other names when "
					    "treated as such.", e);
	return RC_OK;
}

enum rc mlflow_check_name(const char *path, str name, struct err *e)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!name_char(name.at[i]))
			return bad_name(path, name, "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), "
						    "spaces ( ), colon(:) and slashes (/).", e);
	}
	return mlflow_check_relative_name(path, name, e);
}

/* --- identifiers ------------------------------------------------------------------------------------- */

enum rc rule_experiment_id(str id, int64_t *out, struct err *e)
{
	if (id.len == 0)
		id = STR("0");
	if (!str_to_i64(id, out))
		return FAIL(e, RC_INVALID, "Invalid experiment ID '" STR_FMT "'. Experiment ID must be a valid integer.",
			    STR_ARG(mlflow_truncate(id, 100)));
	return RC_OK;
}

enum rc rule_experiment_ids(const struct list *ids, struct arena *a, int64_t **out, struct err *e)
{
	int64_t *v = ARENA_ARRAY(a, int64_t, ids->n + 1);

	for (size_t i = 0; i < ids->n; i++)
		TRY(rule_experiment_id(*LIST_AT(*ids, const str, i), &v[i], e));
	*out = v;
	return RC_OK;
}

enum rc rule_experiment_name(str name, struct err *e)
{
	if (name.len == 0)
		return FAIL(e, RC_INVALID, "Invalid experiment name: ''");
	return mlflow_check_length("name", name, 500, e);
}

enum rc rule_experiment_tag(const struct pair *tag, struct err *e)
{
	TRY(mlflow_check_name("key", tag->key, e));
	TRY(mlflow_check_length("key", tag->key, LIMIT_KEY, e));
	return mlflow_check_length("value", tag->value, 20000, e);
}

enum rc rule_run_id(str id, struct err *e)
{
	bool fits = id.len > 0 && id.len <= 256 && id.at[0] != '_' && id.at[0] != '-';

	for (size_t i = 0; fits && i < id.len; i++)
		fits = name_char(id.at[i]) && strchr("/. :", id.at[i]) == NULL;
	return fits ? RC_OK : bad_name("run_id", id, "A run id is letters, digits, '_' and '-'.", e);
}

enum rc rule_status(str status, struct err *e)
{
	for (size_t i = 0; run_status_names[i] != NULL; i++) {
		if (str_eq(status, str_of(run_status_names[i])))
			return RC_OK;
	}
	return bad_name("status", status, "It is one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED.", e);
}

/* --- what is logged ------------------------------------------------------------------------------------ */

static const char *place(char out[64], const char *list, size_t i, const char *field)
{
	(void)snprintf(out, 64, "%s[%zu].%s", list, i, field);
	return out;
}

enum rc rule_metrics(struct metric *m, size_t n, struct err *e)
{
	static const double largest = 1.7976931348623157e308;
	char at[64];

	for (size_t i = 0; i < n; i++) {
		TRY(mlflow_check_name(place(at, "metrics", i, "name"), m[i].key, e));
		TRY(mlflow_check_length("Metric name", m[i].key, LIMIT_KEY, e));
		if (m[i].time_ms < 0)
			return FAIL(e, RC_INVALID, "Invalid value %lld for parameter 'metrics[%zu].timestamp' supplied: metric '" STR_FMT
				    "'. Timestamp must be a nonnegative long (64-bit integer)", (long long)m[i].time_ms, i,
				    STR_ARG(mlflow_truncate(m[i].key, 100)));
		if (m[i].value > largest)
			m[i].value = largest;
		else if (m[i].value < -largest)
			m[i].value = -largest;
	}
	return RC_OK;
}

enum rc rule_params(struct pair *p, size_t n, struct err *e)
{
	char at[64];

	for (size_t i = 0; i < n; i++) {
		TRY(mlflow_check_name(place(at, "params", i, "key"), p[i].key, e));
		TRY(mlflow_check_length("Param key", p[i].key, LIMIT_KEY, e));
		p[i].value = mlflow_truncate(p[i].value, LIMIT_PARAM_VALUE);
		for (size_t k = 0; k < i; k++) {
			if (str_eq(p[i].key, p[k].key))
				return FAIL(e, RC_INVALID, "Duplicate parameter keys have been submitted: ['" STR_FMT "']. Please ensure the "
					    "request contains only one param value per param key.", STR_ARG(p[i].key));
		}
	}
	return RC_OK;
}

enum rc rule_tags(struct pair *p, size_t n, struct err *e)
{
	char at[64];

	for (size_t i = 0; i < n; i++) {
		TRY(mlflow_check_name(place(at, "tags", i, "key"), p[i].key, e));
		TRY(mlflow_check_length(place(at, "tags", i, "key"), p[i].key, LIMIT_KEY, e));
		p[i].value = mlflow_truncate(p[i].value, LIMIT_RUN_TAG_VALUE);
	}
	return RC_OK;
}

/* --- artifact paths -------------------------------------------------------------------------------------- */

static bool safe_path(str path)
{
	bool drive = path.len > 2 && path.at[1] == ':' && (path.at[2] == '/' || path.at[2] == '\\');
	str rest = path, part;

	if (drive || path.len == 0 || path.len > PATH_LEN_MAX || path.at[0] == '/' || path.at[0] == '\\' || !str_is_utf8(path))
		return false;
	for (size_t i = 0; i < path.len; i++) {
		if ((unsigned char)path.at[i] < 0x20 || path.at[i] == 0x7f || path.at[i] == '#')
			return false;
	}
	while (str_cut(&rest, '/', &part)) {
		if (str_eq(part, STR("..")))
			return false;
	}
	return !str_starts(path, STR("file:"));
}

enum rc mlflow_artifact_path(struct arena *a, str path, str *out, struct err *e)
{
	struct buf b = BUF_INIT(PATH_LEN_MAX + 1);
	str now = path, next, rest, part;
	size_t depth = 0;

	for (int i = 0; i < DECODE_ROUNDS; i++) {
		if (str_find_char(now, '%') < 0 || !http_percent_decode(a, now, false, &next) || str_eq(next, now))
			break;
		now = next;
		if (i + 1 == DECODE_ROUNDS)
			return FAIL(e, RC_INVALID, "Invalid path");
	}
	if (!safe_path(now))
		return FAIL(e, RC_INVALID, "Invalid path");
	for (rest = now; str_cut(&rest, '/', &part);) {
		if (part.len == 0 || str_eq(part, STR(".")))
			continue;
		buf_addf(&b, "%s" STR_FMT, b.len > 0 ? "/" : "", STR_ARG(part));
		depth++;
	}
	bool fits = b.len > 0 && !b.overflowed && depth <= PATH_DEPTH_MAX;
	*out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return fits ? RC_OK : FAIL(e, RC_INVALID, "Invalid path");
}

/* --- names ---------------------------------------------------------------------------------------------------- */

str mlflow_random_name(struct arena *a)
{
	static const char *const kinds[] = { "amber", "bold", "brisk", "calm", "clever", "crisp", "eager", "fair", "gentle", "keen",
					     "lucid", "merry", "nimble", "polite", "quiet", "rare", "sincere", "swift", "vivid", "wise" };
	static const char *const things[] = { "badger", "crane", "dolphin", "elk", "falcon", "finch", "fox", "gull", "hare", "heron",
					      "ibex", "lark", "lynx", "mole", "otter", "owl", "raven", "seal", "stoat", "wren" };
	uint64_t r = rng_u64();

	return arena_printf(a, "%s-%s-%u", kinds[r % ARRAY_LEN(kinds)], things[(r >> 16) % ARRAY_LEN(things)],
			    (unsigned)((r >> 32) % 1000));
}
