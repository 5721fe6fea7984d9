/* record_decode.c -- tokens to structs by their tables, and errors that name the place.
 *
 * The path of the field being read is kept as a chain on the C stack (struct where) and turned into text only when
 * something is wrong. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/record.h"

#define NESTING_MAX 16

struct where {
	const struct where *up;
	const char *name;       /* of the field, or NULL for an element */
	size_t index;
	int depth;
};

static void put_path(const struct where *w, struct buf *b)
{
	if (w == NULL)
		return;
	put_path(w->up, b);
	if (w->name != NULL)
		buf_addf(b, "%s%s", b->len > 0 ? "." : "", w->name);
	else
		buf_addf(b, "[%zu]", w->index);
}

/* Puts place and path before the message that e holds already. */
static enum rc at_place(struct token_source *src, struct token *t, const struct where *w, struct err *e)
{
	struct buf path = BUF_INIT(sizeof(e->field) - 1);

	put_path(w, &path);
	if (path.len > 0)
		(void)err_field(e, "%.*s", (int)path.len, path.at);
	if (path.len > 0)
		(void)err_wrap(e, "%.*s", (int)path.len, path.at);
	buf_deinit(&path);
	if (t->line == 0 && src->where != NULL)
		src->where(src, t);
	if (t->line > 0)
		(void)err_wrap(e, "%s:%u:%u", src->name, t->line, t->column);
	return e->rc;
}

static const char *token_noun(const struct token *t)
{
	static const char *const nouns[] = {
		[TOK_NULL] = "null", [TOK_BOOL] = "a boolean", [TOK_NUMBER] = "a number", [TOK_STRING] = "a string",
		[TOK_PLAIN] = "text", [TOK_OBJECT] = "an object", [TOK_ARRAY] = "a list", [TOK_KEY] = "a key",
		[TOK_END] = "an end", [TOK_EOF] = "nothing",
	};

	return nouns[t->kind];
}

static enum rc wrong_kind(const char *expected, const struct token *t, struct err *e)
{
	bool text = t->kind == TOK_NUMBER || t->kind == TOK_STRING || t->kind == TOK_PLAIN;

	if (!text)
		return FAIL(e, RC_INVALID, "expected %s, got %s", expected, token_noun(t));
	str shown = str_head(t->text, 60);
	return FAIL(e, RC_INVALID, "expected %s, got %s '" STR_FMT "'", expected, token_noun(t), STR_ARG(shown));
}

static bool is_scalar_text(const struct token *t)
{
	return t->kind == TOK_NUMBER || t->kind == TOK_STRING || t->kind == TOK_PLAIN;
}

/* --- scalars ----------------------------------------------------------------------------------- */

static bool format_name(str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!word && (i == 0 || (c != '_' && c != '.' && c != '-')))
			return false;
	}
	return s.len > 0;
}

static bool format_url(str s)
{
	return str_starts(s, STR("http://")) || str_starts(s, STR("https://"));
}

static bool format_path(str s)
{
	str rest = s, part;

	if (s.len == 0 || s.at[0] == '/')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f || s.at[i] == '\\')
			return false;
	}
	while (str_cut(&rest, '/', &part)) {
		if (part.len == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	}
	return true;
}

static bool format_sha256(str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.at[i] >= '0' && s.at[i] <= '9') || (s.at[i] >= 'a' && s.at[i] <= 'f')))
			return false;
	}
	return s.len == 64;
}

static const struct {
	const char *name;
	bool (*fits)(str s);
	const char *rule;
} formats[] = {
	{ "name", format_name, "letters, digits, '_', '.' and '-', beginning with a letter or digit" },
	{ "url", format_url, "an http:// or https:// address" },
	{ "uri-path", format_path, "a relative path without '..', empty parts or control characters" },
	{ "sha256", format_sha256, "64 hexadecimal digits" },
};

static enum rc check_format(const struct field *f, str s, struct err *e)
{
	if (f->format == NULL || (s.len == 0 && !(f->flags & F_REQUIRED)))
		return RC_OK;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (strcmp(formats[i].name, f->format) != 0)
			continue;
		if (formats[i].fits(s))
			return RC_OK;
		str shown = str_head(s, 80);
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is not %s", STR_ARG(shown), formats[i].rule);
	}
	UNREACHABLE("a format that record_decode.c does not know");
}

static enum rc set_str(const struct field *f, const struct token *t, str *out, struct err *e)
{
	size_t max = f->max > 0 ? (size_t)f->max : LIMIT_TEXT;

	if (t->kind == TOK_NUMBER)
		return wrong_kind("a string", t, e);
	if (!is_scalar_text(t))
		return wrong_kind("a string", t, e);
	if (t->text.len > max)
		return FAIL(e, RC_INVALID, "%zu bytes are more than the %zu allowed", t->text.len, max);
	if (t->text.len == 0 && (f->flags & F_REQUIRED))
		return FAIL(e, RC_INVALID, "must not be empty");
	if (str_find_char(t->text, '\0') >= 0)
		return FAIL(e, RC_INVALID, "must not hold a NUL character");
	TRY(check_format(f, t->text, e));
	*out = t->text;
	return RC_OK;
}

/* A whole number, also as "3", 3.0 or 3e2. */
static enum rc whole(const struct token *t, int64_t *out, struct err *e)
{
	double v;

	if (!is_scalar_text(t))
		return wrong_kind("a whole number", t, e);
	if (str_to_i64(t->text, out))
		return RC_OK;
	if (!str_to_f64(t->text, &v) || v != floor(v) || fabs(v) >= 0x1p63)
		return wrong_kind("a whole number", t, e);
	*out = (int64_t)v;
	return RC_OK;
}

static enum rc check_range(const struct field *f, double v, struct err *e)
{
	if (f->max > f->min && !(v >= f->min && v <= f->max))
		return FAIL(e, RC_INVALID, "%.15g is outside %.15g to %.15g", v, f->min, f->max);
	return RC_OK;
}

static enum rc set_i64(const struct field *f, const struct token *t, int64_t *out, struct err *e)
{
	int64_t v;

	TRY(whole(t, &v, e));
	TRY(check_range(f, (double)v, e));
	*out = v;
	return RC_OK;
}

static enum rc set_i32(const struct field *f, const struct token *t, int32_t *out, struct err *e)
{
	int64_t v;

	TRY(set_i64(f, t, &v, e));
	if (v < INT32_MIN || v > INT32_MAX)
		return FAIL(e, RC_INVALID, "%lld does not fit 32 bits", (long long)v);
	*out = (int32_t)v;
	return RC_OK;
}

static enum rc set_f64(const struct field *f, const struct token *t, double *out, struct err *e)
{
	double v;

	if (!is_scalar_text(t) || !str_to_f64(t->text, &v))
		return wrong_kind("a number", t, e);
	TRY(check_range(f, v, e));
	*out = v;
	return RC_OK;
}

static enum rc set_bool(const struct token *t, bool *out, struct err *e)
{
	bool plain = t->kind == TOK_PLAIN;

	if (t->kind == TOK_BOOL)
		*out = t->flag;
	else if (plain && str_eq(t->text, STR("true")))
		*out = true;
	else if (plain && str_eq(t->text, STR("false")))
		*out = false;
	else
		return wrong_kind("true or false", t, e);
	return RC_OK;
}

static enum rc set_time(const struct field *f, const struct token *t, int64_t *out, struct err *e)
{
	int64_t ms;

	if (!is_scalar_text(t) || (!clock_get_rfc3339(t->text, &ms) && !str_to_i64(t->text, &ms)))
		return wrong_kind("a time like 2026-01-02T03:04:05Z", t, e);
	if (!(f->flags & F_AS_MS) && (ms < CLOCK_MS_MIN || ms > CLOCK_MS_MAX))
		return wrong_kind("a time between the years 1 and 9999", t, e);
	*out = ms;
	return RC_OK;
}

static enum rc set_duration(const struct token *t, int64_t *out, struct err *e)
{
	if (!is_scalar_text(t) || (!str_to_i64(t->text, out) && !clock_get_duration(t->text, out)) || *out < 0)
		return wrong_kind("a duration like 90s, 15m, 24h or 7d", t, e);
	return RC_OK;
}

static enum rc set_enum(const struct field *f, const struct token *t, int32_t *out, struct err *e)
{
	struct buf allowed = BUF_INIT(400);
	int64_t number = -1;

	if ((f->flags & F_NUMBERED) && (t->kind == TOK_NUMBER || t->kind == TOK_PLAIN) && !str_to_i64(t->text, &number))
		number = -1;
	for (int32_t i = 0; f->names[i] != NULL; i++) {
		if (i == number) {
			buf_deinit(&allowed);
			*out = i;
			return RC_OK;
		}
		if (is_scalar_text(t) && str_eq(t->text, str_of(f->names[i]))) {
			buf_deinit(&allowed);
			*out = i;
			return RC_OK;
		}
		buf_addf(&allowed, "%s%s", i > 0 ? ", " : "", f->names[i]);
	}
	(void)wrong_kind("one of the allowed words", t, e);
	(void)FAIL(e, RC_INVALID, "'" STR_FMT "' is not one of: %s", STR_ARG(str_head(t->text, 60)),
		   allowed.at != NULL ? allowed.at : "");
	buf_deinit(&allowed);
	return RC_INVALID;
}

/* --- structures -------------------------------------------------------------------------------- */

static enum rc decode_object(const struct record *r, struct token_source *src, struct token *open, unsigned flags,
			     const struct where *up, void *obj, struct err *e);
static enum rc decode_field(const struct field *f, struct token_source *src, struct token *t, unsigned flags,
			    const struct where *w, void *slot, struct err *e);

static enum rc list_room(const struct field *f, size_t n, struct err *e)
{
	size_t max = f->max > 0 ? (size_t)f->max : LIMIT_LIST;

	if (n >= max)
		return FAIL(e, RC_INVALID, "more than the %zu elements allowed", max);
	return RC_OK;
}

/* Elements are decoded as if each were a field of its own, without bounds, which are the list's. */
static enum rc decode_list(const struct field *f, struct token_source *src, struct token *t, unsigned flags,
			   const struct where *w, struct list *out, struct err *e)
{
	static const uint8_t element[] = { [K_STRS] = K_STR, [K_F64S] = K_F64, [K_I64S] = K_I64, [K_RECORDS] = K_RECORD };
	const struct field one = { .name = f->name, .kind = element[f->kind], .format = f->format, .sub = f->sub,
				   .flags = f->flags & F_SHORT };
	size_t size = f->kind == K_RECORDS ? f->sub->size : f->kind == K_STRS ? sizeof(str) : 8;
	size_t cap = 0;
	struct list l = { 0 };

	if (t->kind != TOK_ARRAY) {
		(void)wrong_kind("a list", t, e);
		return at_place(src, t, w, e);
	}
	for (;;) {
		struct where here = { .up = w, .index = l.n, .depth = w != NULL ? w->depth + 1 : 1 };
		TRY(token_next(src, t, e));
		if (t->kind == TOK_END)
			break;
		if (list_room(f, l.n, e) != RC_OK)
			return at_place(src, t, w, e);
		l.at = vec_grow_(src->arena, l.at, l.n, &cap, size);
		TRY(decode_field(&one, src, t, flags, &here, (char *)l.at + l.n * size, e));
		l.n++;
	}
	*out = l;
	return RC_OK;
}

static enum rc decode_pairs(const struct field *f, struct token_source *src, struct token *t, const struct where *w,
			    struct list *out, struct err *e)
{
	VEC(struct pair) v = { 0 };

	if (t->kind != TOK_OBJECT) {
		(void)wrong_kind("an object", t, e);
		return at_place(src, t, w, e);
	}
	for (;;) {
		TRY(token_next(src, t, e));
		if (t->kind == TOK_END)
			break;
		CHECK(t->kind == TOK_KEY);
		if (list_room(f, v.n, e) != RC_OK)
			return at_place(src, t, w, e);
		struct pair *p = VEC_PUSH(src->arena, &v);
		p->key = t->text;
		TRY(token_next(src, t, e));
		if (t->kind == TOK_BOOL) {
			p->value = t->flag ? STR("true") : STR("false");
		} else if (is_scalar_text(t)) {
			p->value = t->text;
		} else if (t->kind != TOK_NULL) {
			(void)wrong_kind("a text, number or boolean", t, e);
			return at_place(src, t, w, e);
		}
	}
	*out = LIST_OF(v);
	return RC_OK;
}

static size_t skip_digits(str s, size_t i)
{
	while (i < s.len && s.at[i] >= '0' && s.at[i] <= '9')
		i++;
	return i;
}

/* RFC 8259's number, the whole text. */
static bool is_json_number(str s)
{
	size_t i = s.len > 0 && s.at[0] == '-' ? 1 : 0, from = i;

	i = skip_digits(s, i);
	if (i == from || (s.at[from] == '0' && i > from + 1))
		return false;
	if (i < s.len && s.at[i] == '.') {
		from = i + 1;
		if ((i = skip_digits(s, from)) == from)
			return false;
	}
	if (i < s.len && (s.at[i] == 'e' || s.at[i] == 'E')) {
		from = i + 1 < s.len && (s.at[i + 1] == '+' || s.at[i + 1] == '-') ? i + 2 : i + 1;
		if ((i = skip_digits(s, from)) == from)
			return false;
	}
	return i == s.len;
}

/* YAML's core schema for what a plain scalar means when no field says it. */
static void plain_to_json(str s, struct jw *w)
{
	double v;

	if (s.len == 0 || str_eq(s, STR("null")) || str_eq(s, STR("~")))
		jw_null(w);
	else if (str_eq(s, STR("true")) || str_eq(s, STR("false")))
		jw_bool(w, s.at[0] == 't');
	else if (is_json_number(s) && num_get_f64(s.at, s.at + s.len, &v) == s.len)
		jw_raw(w, s);
	else
		jw_str(w, s);
}

static void token_to_json(const struct token *t, struct jw *w)
{
	switch (t->kind) {
	case TOK_NULL:   jw_null(w);                 return;
	case TOK_BOOL:   jw_bool(w, t->flag);        return;
	case TOK_NUMBER: jw_raw(w, t->text);         return;
	case TOK_STRING: jw_str(w, t->text);         return;
	case TOK_PLAIN:  plain_to_json(t->text, w);  return;
	case TOK_OBJECT: jw_object(w);               return;
	case TOK_ARRAY:  jw_array(w);                return;
	case TOK_KEY:    jw_key(w, t->text);         return;
	case TOK_END: case TOK_EOF:                  return;
	}
	UNREACHABLE("token");
}

static enum rc copy_json(struct token_source *src, struct token *t, str *out, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_JSON_BODY);
	uint8_t stack[NESTING_MAX * 8];
	size_t depth = 0;
	struct jw w;
	enum rc rc = RC_OK;

	jw_init(&w, &b);
	for (;;) {
		if (t->kind == TOK_END) {
			depth--;
			if (stack[depth] == TOK_OBJECT)
				jw_end_object(&w);
			else
				jw_end_array(&w);
		} else {
			token_to_json(t, &w);
			if ((t->kind == TOK_OBJECT || t->kind == TOK_ARRAY) && depth < sizeof(stack))
				stack[depth++] = (uint8_t)t->kind;
		}
		if (depth == 0)
			break;
		rc = token_next(src, t, e);
		if (rc != RC_OK)
			break;
	}
	if (rc == RC_OK)
		*out = buf_to_arena(&b, src->arena);
	buf_deinit(&b);
	return rc;
}

static enum rc set_scalar(const struct field *f, const struct token *t, void *slot, struct err *e)
{
	switch ((enum kind)f->kind) {
	case K_BOOL:
		return set_bool(t, slot, e);
	case K_I32:
		return set_i32(f, t, slot, e);
	case K_I64:
		return set_i64(f, t, slot, e);
	case K_F64:
		return set_f64(f, t, slot, e);
	case K_STR: case K_SECRET:
		return set_str(f, t, slot, e);
	case K_TIME:
		return set_time(f, t, slot, e);
	case K_MS:
		return set_duration(t, slot, e);
	case K_ENUM:
		return set_enum(f, t, slot, e);
	case K_RECORD: case K_RECORDS: case K_STRS: case K_F64S: case K_I64S: case K_PAIRS: case K_JSON:
		break;
	}
	UNREACHABLE("a structure is no scalar");
}

/* F_SHORT: "trips" for {"dataset": "trips"}. */
static enum rc decode_short(const struct record *r, struct token_source *src, struct token *t, unsigned flags,
			    const struct where *w, void *obj, struct err *e)
{
	if (set_scalar(&r->field[0], t, field_slot(&r->field[0], obj), e) != RC_OK ||
	    record_finish(r, 1, src->arena, flags, obj, e) != RC_OK)
		return at_place(src, t, w, e);
	return RC_OK;
}

static enum rc decode_field(const struct field *f, struct token_source *src, struct token *t, unsigned flags,
			    const struct where *w, void *slot, struct err *e)
{
	switch ((enum kind)f->kind) {
	case K_RECORD:
		if ((f->flags & F_SHORT) && is_scalar_text(t))
			return decode_short(f->sub, src, t, flags, w, slot, e);
		return decode_object(f->sub, src, t, flags, w, slot, e);
	case K_RECORDS: case K_STRS: case K_F64S: case K_I64S:
		return decode_list(f, src, t, flags, w, slot, e);
	case K_PAIRS:
		return decode_pairs(f, src, t, w, slot, e);
	case K_JSON:
		return copy_json(src, t, slot, e);
	case K_BOOL: case K_I32: case K_I64: case K_F64: case K_STR: case K_SECRET: case K_TIME: case K_MS: case K_ENUM:
		if (set_scalar(f, t, slot, e) != RC_OK)
			return at_place(src, t, w, e);
		return RC_OK;
	}
	UNREACHABLE("kind");
}

/* --- whole records ------------------------------------------------------------------------------ */

/* Levenshtein distance, bounded by the stack row. */
static size_t distance(str a, str b)
{
	size_t row[64];

	if (a.len >= ARRAY_LEN(row) || b.len >= ARRAY_LEN(row))
		return SIZE_MAX;
	for (size_t k = 0; k <= b.len; k++)
		row[k] = k;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t k = 1; k <= b.len; k++) {
			size_t cost = diagonal + (a.at[i - 1] != b.at[k - 1]);
			diagonal = row[k];
			size_t step = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
			row[k] = cost < step ? cost : step;
		}
	}
	return row[b.len];
}

static enum rc unknown_key(const struct record *r, str key, struct err *e)
{
	struct buf allowed = BUF_INIT(360);
	const char *nearest = NULL;
	size_t best = 3;        /* more than two slips is another word */

	for (size_t i = 0; i < r->n_field; i++) {
		const struct field *f = &r->field[i];
		if (f->flags & F_OUTPUT)
			continue;
		buf_addf(&allowed, "%s%s", allowed.len > 0 ? ", " : "", f->name);
		size_t d = distance(key, str_of(f->name));
		if (d < best) {
			best = d;
			nearest = f->name;
		}
	}
	str shown = str_head(key, 60);
	(void)FAIL(e, RC_INVALID, "unknown key '" STR_FMT "'%s%s%s; allowed: %s", STR_ARG(shown),
		   nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "",
		   allowed.at != NULL ? allowed.at : "none");
	buf_deinit(&allowed);
	return RC_INVALID;
}

static enum rc missing(const struct record *r, const struct field *f, struct err *e)
{
	(void)FAIL(e, RC_INVALID, "'%s' is required in %s (%s)", f->name, r->name, f->doc);
	if (r->reword != NULL)
		r->reword(f, NULL, e);
	(void)err_field(e, "%s", f->name);
	return RC_INVALID;
}

enum rc record_finish(const struct record *r, uint64_t given, struct arena *a, unsigned flags, void *obj, struct err *e)
{
	for (size_t i = 0; i < r->n_field; i++) {
		const struct field *f = &r->field[i];
		if (given >> i & 1 || (flags & DEC_PARTIAL))
			continue;
		if ((f->flags & F_REQUIRED) && !((f->flags & F_OUTPUT) && !(flags & DEC_TRUSTED)))
			return missing(r, f, e);
		if (f->def != NULL)
			TRY(field_from_text(f, str_of(f->def), a, obj, e));
	}
	if (r->has_offset >= 0)
		memcpy((char *)obj + r->has_offset, &given, sizeof(given));
	if (r->validate != NULL)
		TRY(r->validate(obj, e));
	return RC_OK;
}

static bool is_structure(const struct field *f)
{
	return f->kind == K_RECORD || f->kind == K_RECORDS || f->kind == K_STRS || f->kind == K_F64S || f->kind == K_I64S ||
	       f->kind == K_PAIRS || f->kind == K_JSON;
}

static enum rc decode_key(const struct record *r, struct token_source *src, struct token *key, unsigned flags,
			  const struct where *up, uint64_t *given, void *obj, struct err *e)
{
	struct token t;
	int i = record_field_index(r, key->text);

	if (i < 0) {
		if (!r->open) {
			(void)unknown_key(r, key->text, e);
			return at_place(src, key, up, e);
		}
		TRY(token_next(src, &t, e));
		return token_skip(src, &t, e);
	}
	const struct field *f = &r->field[i];
	struct where here = { .up = up, .name = f->name, .depth = up != NULL ? up->depth + 1 : 1 };
	if (*given >> i & 1) {
		(void)FAIL(e, RC_INVALID, "given twice");
		return at_place(src, key, &here, e);
	}
	if ((f->flags & F_OUTPUT) && !(flags & DEC_TRUSTED)) {
		(void)FAIL(e, RC_INVALID, "is set by cairn and cannot be given");
		return at_place(src, key, &here, e);
	}
	TRY(token_next(src, &t, e));
	bool null = t.kind == TOK_NULL || (t.kind == TOK_PLAIN && (t.text.len == 0 || str_eq(t.text, STR("null")) ||
								    str_eq(t.text, STR("~"))));
	if (null && f->kind != K_JSON)
		return RC_OK;   /* absent */
	*given |= UINT64_C(1) << i;
	enum rc rc = decode_field(f, src, &t, flags, &here, field_slot(f, obj), e);
	if (rc != RC_OK && r->reword != NULL && (is_scalar_text(&t) || t.kind == TOK_BOOL) && !is_structure(f))
		r->reword(f, &t, e);
	return rc;
}

/* The keys of an object whose TOK_OBJECT is `open`; no defaults, no rules yet. */
static enum rc decode_keys(const struct record *r, struct token_source *src, struct token *open, unsigned flags,
			   const struct where *up, uint64_t *given, void *obj, struct err *e)
{
	struct token t;

	CHECK(r->n_field <= 64);
	if (open->kind != TOK_OBJECT) {
		(void)wrong_kind("an object", open, e);
		return at_place(src, open, up, e);
	}
	if (up != NULL && up->depth > NESTING_MAX) {
		(void)FAIL(e, RC_INVALID, "nested too deeply");
		return at_place(src, open, up, e);
	}
	for (;;) {
		TRY(token_next(src, &t, e));
		if (t.kind == TOK_END)
			return RC_OK;
		CHECK(t.kind == TOK_KEY);
		TRY(decode_key(r, src, &t, flags, up, given, obj, e));
	}
}

static enum rc decode_object(const struct record *r, struct token_source *src, struct token *open, unsigned flags,
			     const struct where *up, void *obj, struct err *e)
{
	struct token begin = *open;
	uint64_t given = 0;

	TRY(decode_keys(r, src, open, flags, up, &given, obj, e));
	if (record_finish(r, given, src->arena, flags, obj, e) != RC_OK) {
		char field[sizeof(e->field)];
		memcpy(field, e->field, sizeof(field));
		(void)at_place(src, &begin, up, e);
		if (field[0] != '\0' && up == NULL)
			(void)err_field(e, "%s", field);
		return e->rc;
	}
	return RC_OK;
}

enum rc record_decode_keys(const struct record *r, struct token_source *src, unsigned flags, uint64_t *given, void *obj,
			   struct err *e)
{
	struct token t;

	TRY(token_next(src, &t, e));
	return decode_keys(r, src, &t, flags, NULL, given, obj, e);
}

enum rc record_decode(const struct record *r, struct token_source *src, unsigned flags, void *obj, struct err *e)
{
	struct token t;

	if (!(flags & DEC_PARTIAL))
		memset(obj, 0, r->size);
	TRY(token_next(src, &t, e));
	return decode_object(r, src, &t, flags, NULL, obj, e);
}

enum rc record_from_json(const struct record *r, str json, struct arena *a, unsigned flags, void *obj, struct err *e)
{
	struct json_source src;
	struct token t;

	json_source_init(&src, json, a, r->name);
	TRY(record_decode(r, &src.super, flags, obj, e));
	TRY(token_next(&src.super, &t, e));
	CHECK(t.kind == TOK_EOF);
	return RC_OK;
}

/* --- one field from text -------------------------------------------------------------------------- */

static enum rc strs_from_text(const struct field *f, str text, struct arena *a, struct list *out, struct err *e)
{
	const struct field one = { .name = f->name, .kind = K_STR, .format = f->format };
	VEC(str) v = { .at = out->at, .n = out->n, .cap = out->n };   /* given again: appended */
	str rest = text, part;

	while (str_cut(&rest, ',', &part)) {
		struct token t = { .kind = TOK_PLAIN, .text = str_trim(part) };
		if (t.text.len > 0)
			TRY(set_str(&one, &t, VEC_PUSH(a, &v), e));
	}
	*out = LIST_OF(v);
	return RC_OK;
}

enum rc field_from_text(const struct field *f, str text, struct arena *a, void *obj, struct err *e)
{
	struct token t = { .kind = TOK_PLAIN, .text = text };
	struct json_source src;

	switch ((enum kind)f->kind) {
	case K_STRS:
		if (strs_from_text(f, text, a, field_slot(f, obj), e) != RC_OK)
			break;
		return RC_OK;
	case K_RECORD: case K_RECORDS: case K_F64S: case K_I64S: case K_PAIRS: case K_JSON:
		json_source_init(&src, text, a, f->name);
		TRY(token_next(&src.super, &t, e));
		return decode_field(f, &src.super, &t, 0, NULL, field_slot(f, obj), e);
	case K_BOOL: case K_I32: case K_I64: case K_F64: case K_STR: case K_SECRET: case K_TIME: case K_MS: case K_ENUM:
		if (set_scalar(f, &t, field_slot(f, obj), e) != RC_OK)
			break;
		return RC_OK;
	}
	(void)err_wrap(e, "%s", f->name);
	(void)err_field(e, "%s", f->name);
	return e->rc;
}
