/* yaml.c -- libyaml's events as tokens. */
#include "io/yaml.h"

#include <string.h>
#include <yaml.h>

#define YAML_DEPTH_MAX 64

struct yaml_source {
	struct token_source super;
	yaml_parser_t parser;
	uint8_t stack[YAML_DEPTH_MAX];  /* 'm': mapping, expects a key; 'v': mapping, expects a value; 's': sequence */
	int depth;
	bool done;
};

static enum rc bad(const struct yaml_source *s, const yaml_mark_t *m, const char *what, struct err *e)
{
	return FAIL(e, RC_INVALID, "%s:%zu:%zu: %s", s->super.name, m->line + 1, m->column + 1, what);
}

static enum rc parser_error(const struct yaml_source *s, struct err *e)
{
	const yaml_parser_t *p = &s->parser;

	return FAIL(e, RC_INVALID, "%s:%zu:%zu: not valid YAML: %s%s%s", s->super.name, p->problem_mark.line + 1,
		    p->problem_mark.column + 1, p->problem != NULL ? p->problem : "unreadable", p->context != NULL ? " " : "",
		    p->context != NULL ? p->context : "");
}

/* A mapping alternates between key and value. */
static void value_done(struct yaml_source *s)
{
	if (s->depth > 0 && s->stack[s->depth - 1] == 'v')
		s->stack[s->depth - 1] = 'm';
}

static enum rc push(struct yaml_source *s, const yaml_event_t *ev, uint8_t kind, struct err *e)
{
	if (s->depth > 0 && s->stack[s->depth - 1] == 'm')
		return bad(s, &ev->start_mark, "a key must be plain text", e);
	if (s->depth == YAML_DEPTH_MAX)
		return bad(s, &ev->start_mark, "nested too deeply", e);
	s->stack[s->depth++] = kind;
	return RC_OK;
}

static enum rc scalar(struct yaml_source *s, const yaml_event_t *ev, struct token *out, struct err *e)
{
	str text = arena_dup(s->super.arena, str_n((const char *)ev->data.scalar.value, ev->data.scalar.length));

	if (ev->data.scalar.anchor != NULL)
		return bad(s, &ev->start_mark, "anchors are not allowed: write the value where it is used", e);
	if (ev->data.scalar.tag != NULL)
		return bad(s, &ev->start_mark, "tags are not allowed", e);
	out->text = text;
	if (s->depth > 0 && s->stack[s->depth - 1] == 'm') {
		if (str_eq(text, STR("<<")))
			return bad(s, &ev->start_mark, "merge keys are not allowed: write the values where they are used", e);
		out->kind = TOK_KEY;
		s->stack[s->depth - 1] = 'v';
		return RC_OK;
	}
	out->kind = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? TOK_PLAIN : TOK_STRING;
	value_done(s);
	return RC_OK;
}

static enum rc from_event(struct yaml_source *s, const yaml_event_t *ev, struct token *out, bool *have, struct err *e)
{
	*have = true;
	out->line = (uint32_t)ev->start_mark.line + 1;
	out->column = (uint32_t)ev->start_mark.column + 1;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return scalar(s, ev, out, e);
	case YAML_MAPPING_START_EVENT:
		if (ev->data.mapping_start.anchor != NULL || ev->data.mapping_start.tag != NULL)
			return bad(s, &ev->start_mark, "anchors and tags are not allowed", e);
		out->kind = TOK_OBJECT;
		return push(s, ev, 'm', e);
	case YAML_SEQUENCE_START_EVENT:
		if (ev->data.sequence_start.anchor != NULL || ev->data.sequence_start.tag != NULL)
			return bad(s, &ev->start_mark, "anchors and tags are not allowed", e);
		out->kind = TOK_ARRAY;
		return push(s, ev, 's', e);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		out->kind = TOK_END;
		CHECK(s->depth > 0);
		s->depth--;
		value_done(s);
		return RC_OK;
	case YAML_ALIAS_EVENT:
		return bad(s, &ev->start_mark, "aliases are not allowed: write the value where it is used", e);
	case YAML_DOCUMENT_START_EVENT:
		if (s->done)
			return bad(s, &ev->start_mark, "only one document is allowed in a file", e);
		*have = false;
		return RC_OK;
	case YAML_DOCUMENT_END_EVENT:
		s->done = true;
		*have = false;
		return RC_OK;
	case YAML_STREAM_END_EVENT:
		out->kind = TOK_EOF;
		return s->done ? RC_OK : bad(s, &ev->start_mark, "the file is empty", e);
	case YAML_STREAM_START_EVENT:
	case YAML_NO_EVENT:
		*have = false;
		return RC_OK;
	}
	UNREACHABLE("yaml event");
}

static enum rc yaml_next(struct token_source *super, struct token *out, struct err *e)
{
	struct yaml_source *s = (struct yaml_source *)super;
	bool have = false;
	enum rc rc = RC_OK;

	*out = (struct token){ .kind = TOK_EOF };
	while (rc == RC_OK && !have) {
		yaml_event_t ev;
		if (!yaml_parser_parse(&s->parser, &ev))
			return parser_error(s, e);
		rc = from_event(s, &ev, out, &have, e);
		yaml_event_delete(&ev);
	}
	return rc;
}

static void source_end(void *obj)
{
	struct yaml_source *s = obj;

	yaml_parser_delete(&s->parser);
}

enum rc yaml_source_new(str text, struct arena *a, const char *name, struct token_source **out, struct err *e)
{
	struct yaml_source *s = ARENA_NEW(a, struct yaml_source);

	if (text.len > (1u << 20))
		return FAIL(e, RC_TOO_LARGE, "%s: more than the 1 MiB allowed for a YAML file", name);
	if (text.len > 0 && !str_is_utf8(text))
		return FAIL(e, RC_INVALID, "%s: not UTF-8", name);
	s->super = (struct token_source){ .next = yaml_next, .arena = a, .name = name };
	CHECK(yaml_parser_initialize(&s->parser) == 1);
	arena_defer(a, source_end, s);
	yaml_parser_set_encoding(&s->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&s->parser, (const unsigned char *)(text.at != NULL ? text.at : ""), text.len);
	*out = &s->super;
	return RC_OK;
}

enum rc record_from_yaml(const struct record *r, str text, const char *file_name, struct arena *a, unsigned flags, void *obj,
			 struct err *e)
{
	struct token_source *src;
	struct token t;

	TRY(yaml_source_new(text, a, arena_cstr(a, str_of(file_name)), &src, e));
	TRY(record_decode(r, src, flags, obj, e));
	TRY(token_next(src, &t, e));
	CHECK(t.kind == TOK_EOF);
	return RC_OK;
}
