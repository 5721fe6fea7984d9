#include "modules/serve/ubjson.h"

#include <math.h>
#include <string.h>

static struct ubjson_source *source_of(struct token_source *s)
{
	_Static_assert(offsetof(struct ubjson_source, super) == 0, "the cast relies on it");
	return (struct ubjson_source *)s;
}

static enum rc broken(const struct ubjson_source *s, const char *what, struct err *e)
{
	return FAIL(e, RC_INVALID, "%s: byte %zu: %s", s->super.name, (size_t)(s->at - s->begin), what);
}

static size_t left(const struct ubjson_source *s)
{
	return (size_t)(s->end - s->at);
}

static enum rc take(struct ubjson_source *s, size_t n, const char **out, struct err *e)
{
	if (left(s) < n)
		return broken(s, "the file ends here, within a value", e);
	*out = s->at;
	s->at += n;
	return RC_OK;
}

static size_t payload(char type)
{
	switch (type) {
	case 'i': case 'U': case 'C': return 1;
	case 'I': return 2;
	case 'l': case 'd': return 4;
	case 'L': case 'D': return 8;
	default: return 0;
	}
}

/* Big-endian, as many bytes as the type has. */
static enum rc take_bits(struct ubjson_source *s, char type, uint64_t *out, struct err *e)
{
	const char *at;
	size_t n = payload(type);

	TRY(take(s, n, &at, e));
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out = *out << 8 | (unsigned char)at[i];
	return RC_OK;
}

static int64_t signed_of(char type, uint64_t bits)
{
	switch (type) {
	case 'i': return (int8_t)bits;
	case 'I': return (int16_t)bits;
	case 'l': return (int32_t)bits;
	default: return (int64_t)bits;
	}
}

static bool is_integer(char type)
{
	return type == 'i' || type == 'U' || type == 'I' || type == 'l' || type == 'L';
}

static enum rc take_length(struct ubjson_source *s, uint64_t *out, struct err *e)
{
	const char *type;
	uint64_t bits;

	TRY(take(s, 1, &type, e));
	if (!is_integer(*type))
		return broken(s, "a length was expected", e);
	TRY(take_bits(s, *type, &bits, e));
	int64_t n = *type == 'U' ? (int64_t)bits : signed_of(*type, bits);
	if (n < 0)
		return broken(s, "a length is negative", e);
	*out = (uint64_t)n;
	return RC_OK;
}

static enum rc take_text(struct ubjson_source *s, str *out, struct err *e)
{
	const char *at;
	uint64_t n;

	TRY(take_length(s, &n, e));
	if (n > left(s))
		return broken(s, "a text is longer than the file", e);
	TRY(take(s, (size_t)n, &at, e));
	*out = str_n(at, (size_t)n);
	return str_is_utf8(*out) ? RC_OK : broken(s, "a text is not UTF-8", e);
}

static void put_float(struct ubjson_source *s, double v, bool single, struct token *out)
{
	if (isnan(v) || isinf(v))
		out->text = isnan(v) ? STR("NaN") : v > 0 ? STR("Infinity") : STR("-Infinity");
	else
		out->text = str_n(s->number, single ? num_put_f32(s->number, (float)v) : num_put_f64(s->number, v));
}

static enum rc take_number(struct ubjson_source *s, char type, struct token *out, struct err *e)
{
	uint64_t bits;

	TRY(take_bits(s, type, &bits, e));
	out->kind = TOK_NUMBER;
	if (type == 'd') {
		uint32_t half = (uint32_t)bits;
		float v;
		memcpy(&v, &half, sizeof(v));
		put_float(s, (double)v, true, out);
	} else if (type == 'D') {
		double v;
		memcpy(&v, &bits, sizeof(v));
		put_float(s, v, false, out);
	} else {
		out->text = str_n(s->number, num_put_i64(s->number, type == 'U' ? (int64_t)bits : signed_of(type, bits)));
	}
	return RC_OK;
}

/* Behind '[' or '{': perhaps one type for all values, perhaps their number. */
static enum rc open_container(struct ubjson_source *s, bool is_object, struct token *out, struct err *e)
{
	struct ubjson_level l = { .is_object = is_object };
	const char *type;

	if (s->depth == UBJSON_DEPTH_MAX)
		return broken(s, "nested too deeply", e);
	if (left(s) > 0 && *s->at == '$') {
		s->at++;
		TRY(take(s, 1, &type, e));
		l.type = *type;
		if (payload(l.type) == 0 && strchr("SH[{", l.type) == NULL)
			return broken(s, "values of this type cannot be counted", e);   /* they would take no room, however many */
		if (left(s) == 0 || *s->at != '#')
			return broken(s, "a type for all values needs their number", e);
	}
	if (left(s) > 0 && *s->at == '#') {
		s->at++;
		l.counted = true;
		TRY(take_length(s, &l.left, e));
	}
	s->level[s->depth++] = l;
	out->kind = is_object ? TOK_OBJECT : TOK_ARRAY;
	return RC_OK;
}

static enum rc take_value(struct ubjson_source *s, char type, struct token *out, struct err *e)
{
	const char *at;

	if (type == '\0') {
		TRY(take(s, 1, &at, e));
		type = *at;
	}
	switch (type) {
	case 'Z':
		out->kind = TOK_NULL;
		return RC_OK;
	case 'T': case 'F':
		out->kind = TOK_BOOL;
		out->flag = type == 'T';
		return RC_OK;
	case 'i': case 'U': case 'I': case 'l': case 'L': case 'd': case 'D':
		return take_number(s, type, out, e);
	case 'S': case 'H':
		out->kind = TOK_STRING;
		return take_text(s, &out->text, e);
	case 'C':
		TRY(take(s, 1, &at, e));
		out->kind = TOK_STRING;
		out->text = str_n(at, 1);
		return (unsigned char)*at < 0x80 ? RC_OK : broken(s, "a character is not ASCII", e);
	case '[': case '{':
		return open_container(s, type == '{', out, e);
	default:
		return broken(s, "no value begins like this", e);
	}
}

static enum rc next(struct token_source *super, struct token *out, struct err *e)
{
	struct ubjson_source *s = source_of(super);

	*out = (struct token){ 0 };
	if (s->depth == 0) {
		if (s->started && s->at < s->end)
			return broken(s, "there is more behind the value", e);
		out->kind = TOK_EOF;
		if (s->started)
			return RC_OK;
		s->started = true;
		return take_value(s, '\0', out, e);
	}
	struct ubjson_level *l = &s->level[s->depth - 1];
	if (l->want_value) {
		l->want_value = false;
		return take_value(s, l->type, out, e);
	}
	bool ends = l->counted ? l->left == 0 : left(s) > 0 && *s->at == (l->is_object ? '}' : ']');
	if (ends) {
		s->at += !l->counted;
		s->depth--;
		out->kind = TOK_END;
		return RC_OK;
	}
	if (l->counted)
		l->left--;
	if (!l->is_object)
		return take_value(s, l->type, out, e);
	l->want_value = true;
	out->kind = TOK_KEY;
	return take_text(s, &out->text, e);
}

void ubjson_source_init(struct ubjson_source *s, str data, struct arena *a, const char *name)
{
	*s = (struct ubjson_source){ .super = { .next = next, .arena = a, .name = name } };
	s->begin = s->at = data.at != NULL ? data.at : "";
	s->end = s->at + data.len;
}
