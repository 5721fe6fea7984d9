/* rules.c -- names, aliases, stages, sources and references of models. Pure. */
#include <string.h>

#include "io/http_server.h"
#include "modules/registry/registry_int.h"

#define SHOWN(s) STR_ARG(mlflow_truncate((s), 100))

enum rc rule_model_name(const char *field, str name, struct err *e)
{
	if (str_trim(name).len == 0)
		return mlflow_missing(field, e);
	if (str_find_char(name, '/') >= 0 || str_find_char(name, ':') >= 0)
		return FAIL(e, RC_INVALID, "Invalid model name '" STR_FMT "'. Names cannot contain '/' or ':'.", SHOWN(name));
	TRY(mlflow_check_relative_name(field, name, e));
	return mlflow_check_length(field, name, 256, e);
}

enum rc rule_version(str text, int64_t *out, struct err *e)
{
	if (!str_to_i64(str_trim(text), out) || *out < 0)
		return FAIL(e, RC_INVALID, "Parameter 'version' must be an integer, got '" STR_FMT "'.", SHOWN(text));
	return RC_OK;
}

enum rc rule_alias(str alias, struct err *e)
{
	if (alias.len == 0)
		return FAIL(e, RC_INVALID, "Registered model alias name cannot be empty.");
	for (size_t i = 0; i < alias.len; i++) {
		char c = alias.at[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		      (unsigned char)c >= 0x80))
			return FAIL(e, RC_INVALID, "Invalid alias name: '" STR_FMT "'. Names may only contain alphanumerics, underscores (_) and "
				    "dashes (-).", SHOWN(alias));
	}
	return mlflow_check_length("Registered model alias name", alias, 255, e);
}

enum rc rule_alias_new(str alias, struct err *e)
{
	int64_t number;

	TRY(rule_alias(alias, e));
	if (str_eq_nocase(alias, STR("latest")))
		return FAIL(e, RC_INVALID, "'latest' alias name (case insensitive) is reserved.");
	if ((alias.at[0] == 'v' || alias.at[0] == 'V') && str_to_i64(str_skip(alias, 1), &number))
		return FAIL(e, RC_INVALID, "Version alias name '" STR_FMT "' is reserved.", SHOWN(alias));
	return RC_OK;
}

enum rc rule_registry_tag(const struct pair *tag, struct err *e)
{
	TRY(mlflow_check_name("key", tag->key, e));
	TRY(mlflow_check_length("key", tag->key, 250, e));
	return mlflow_check_length("value", tag->value, 100000, e);
}

enum rc rule_stage(str given, str *out, struct err *e)
{
	for (size_t i = 0; stage_names[i] != NULL; i++) {
		if (str_eq_nocase(given, str_of(stage_names[i]))) {
			*out = str_of(stage_names[i]);
			return RC_OK;
		}
	}
	return FAIL(e, RC_INVALID, "Invalid Model Version stage: " STR_FMT ". Value must be one of None, Staging, Production, Archived.",
		    SHOWN(given));
}

bool has_prompt_tag(const struct list *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (str_eq(LIST_AT(*tags, const struct pair, i)->key, STR(PROMPT_TAG)))
			return true;
	}
	return false;
}

/* --- sources ----------------------------------------------------------------------------------------------- */

static enum rc bad_source(str source, struct err *e)
{
	return FAIL(e, RC_INVALID, "Invalid model version source: '" STR_FMT "'. If supplying a source as an http, https, local file path, ftp, "
		    "objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. "
		    "Please provide an absolute path.", SHOWN(source));
}

static bool is_local(str source)
{
	ptrdiff_t colon = str_find_char(source, ':');

	return colon <= 0 || str_starts(source, STR("file:"));
}

enum rc rule_source(struct arena *a, str source, bool prompt, struct err *e)
{
	str now = source, next, rest, part;

	if (is_local(source) && !(prompt && source.len > 0 && source.at[0] != '/' && !str_starts(source, STR("file:"))))
		return FAIL(e, RC_INVALID, "Invalid model version source: '" STR_FMT "'. To use a local path as a model version source, the run_id "
			    "request parameter has to be specified and the local path has to be contained within the artifact directory of "
			    "the run specified by the run_id.", SHOWN(source));
	for (int i = 0; i < 20 && str_find_char(now, '%') >= 0; i++) {
		if (!http_percent_decode(a, now, true, &next))
			return bad_source(source, e);
		if (str_eq(next, now))
			break;
		now = next;
	}
	if (!str_is_utf8(now) || str_find_char(now, '\0') >= 0)
		return bad_source(source, e);
	for (rest = now; str_cut(&rest, '/', &part);) {
		if (str_eq(part, STR("..")) || str_eq(part, STR(".")))
			return bad_source(source, e);
	}
	return mlflow_check_length("source", source, 500, e);
}

/* --- references ---------------------------------------------------------------------------------------------- */

/* models:/NAME/3, models:/NAME/latest, models:/NAME/Production, models:/NAME@alias; the same without models:/; NAME. */
enum rc rule_reference(str text, struct reference *out, struct err *e)
{
	str ref = text;
	ptrdiff_t cut;

	*out = (struct reference){ .kind = REF_NEWEST };
	if (str_starts(ref, STR("models:/")))
		ref = str_skip(ref, strlen("models:/"));
	while (ref.len > 0 && ref.at[0] == '/')
		ref = str_skip(ref, 1);
	out->name = ref;
	if ((cut = str_find_char(ref, '/')) >= 0) {
		out->name = str_head(ref, (size_t)cut);
		out->word = str_skip(ref, (size_t)cut + 1);
		out->kind = str_to_i64(out->word, &out->version) ? REF_VERSION : str_eq_nocase(out->word, STR("latest")) ? REF_NEWEST : REF_STAGE;
		if (out->kind == REF_STAGE)
			TRY(rule_stage(out->word, &out->word, e));
	} else if ((cut = str_find_char(ref, '@')) >= 0) {
		out->name = str_head(ref, (size_t)cut);
		out->word = str_skip(ref, (size_t)cut + 1);
		out->kind = REF_ALIAS;
		TRY(rule_alias(out->word, e));
	}
	if (out->name.len == 0)
		return FAIL(e, RC_INVALID, "'" STR_FMT "' does not name a model: expected NAME, NAME/VERSION, NAME@ALIAS, or models:/ before one "
			    "of them", SHOWN(text));
	return rule_model_name("name", out->name, e);
}
