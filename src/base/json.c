/* json.c -- a pull reader that is a state machine over the input, and a writer.
 *
 * The reader keeps a stack of open brackets (bounded) and what may come next; it looks at each byte about once.
 * A string without escapes is a slice of the input. Line and column are counted only when an error is made. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

/* What the grammar allows next. */
enum expect {
	EXPECT_VALUE,           /* a value */
	EXPECT_VALUE_OR_END,    /* just behind '[' */
	EXPECT_KEY_OR_END,      /* just behind '{' */
	EXPECT_KEY,             /* behind ',' in an object */
	EXPECT_COMMA_OR_END,    /* behind a value in a bracket */
	EXPECT_EOF,
};

static void place(const struct json_source *s, const char *at, uint32_t *line, uint32_t *column)
{
	*line = 1;
	*column = 1;
	for (const char *p = s->begin; p < at; p++) {
		(*column)++;
		if (*p == '\n') {
			(*line)++;
			*column = 1;
		}
	}
}

static enum rc bad(const struct json_source *s, const char *at, const char *what, struct err *e)
{
	uint32_t line, column;

	place(s, at, &line, &column);
	if (s->begin == s->end)
		return FAIL(e, RC_INVALID, "%s is empty where JSON is expected", s->super.name);
	return FAIL(e, RC_INVALID, "%s is not valid JSON at line %u, column %u: %s", s->super.name, line, column, what);
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* Bytes up to a quote, a backslash or a control character; eight at a time. */
static const char *plain_run(const char *p, const char *end, bool *high)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;

	while (end - p >= 8) {
		uint64_t v;
		memcpy(&v, p, 8);
		uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
		uint64_t hit = ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
		*high |= (v & tops) != 0;
		if (hit & tops)
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
		*high |= (unsigned char)*p >= 0x80;
		p++;
	}
	return p;
}

static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static char *put_utf8(char *o, unsigned c)
{
	if (c < 0x80) {
		*o++ = (char)c;
	} else if (c < 0x800) {
		*o++ = (char)(0xC0 | c >> 6);
		*o++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*o++ = (char)(0xE0 | c >> 12);
		*o++ = (char)(0x80 | (c >> 6 & 0x3F));
		*o++ = (char)(0x80 | (c & 0x3F));
	} else {
		*o++ = (char)(0xF0 | c >> 18);
		*o++ = (char)(0x80 | (c >> 12 & 0x3F));
		*o++ = (char)(0x80 | (c >> 6 & 0x3F));
		*o++ = (char)(0x80 | (c & 0x3F));
	}
	return o;
}

/* \uXXXX, with its second half for characters beyond the basic plane. Returns the bytes read behind 'u', 0 if bad. */
static size_t unicode_escape(const char *p, const char *end, unsigned *c)
{
	int high = end - p >= 4 ? hex4(p) : -1;

	if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF))
		return 0;
	if (high < 0xD800 || high > 0xDBFF) {
		*c = (unsigned)high;
		return 4;
	}
	if (end - p < 10 || p[4] != '\\' || p[5] != 'u')
		return 0;
	int low = hex4(p + 6);
	if (low < 0xDC00 || low > 0xDFFF)
		return 0;
	*c = 0x10000u + ((unsigned)high - 0xD800u) * 0x400u + ((unsigned)low - 0xDC00u);
	return 10;
}

static const char *unescape_one(const char *p, const char *end, char **o)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	unsigned c;

	if (p == end)
		return NULL;
	if (*p == 'u') {
		size_t n = unicode_escape(p + 1, end, &c);
		if (n == 0)
			return NULL;
		*o = put_utf8(*o, c);
		return p + 1 + n;
	}
	const char *hit = memchr(from, *p, sizeof(from) - 1);
	if (hit == NULL)
		return NULL;
	*(*o)++ = to[hit - from];
	return p + 1;
}

/* s->at stands behind the opening quote. */
static enum rc read_string(struct json_source *s, str *out, struct err *e)
{
	const char *begin = s->at, *p;
	bool high = false;

	p = plain_run(begin, s->end, &high);
	if (p < s->end && *p == '"') {
		*out = str_n(begin, (size_t)(p - begin));
		s->at = p + 1;
		return !high || str_is_utf8(*out) ? RC_OK : bad(s, begin, "the string is not UTF-8", e);
	}
	/* With escapes: the text cannot be longer than what is left up to the closing quote. */
	const char *close = p;
	while (close < s->end && *close != '"')
		close += *close == '\\' && close + 1 < s->end ? 2 : 1;
	if (close >= s->end)
		return bad(s, begin - 1, "the string has no closing quote", e);
	char *text = arena_alloc_raw(s->super.arena, (size_t)(close - begin) + 1), *o = text;
	for (const char *run = begin;; run = p, p = plain_run(p, s->end, &high)) {
		memcpy(o, run, (size_t)(p - run));
		o += p - run;
		if (*p == '"')
			break;
		if (*p != '\\')
			return bad(s, p, "a control character in a string must be escaped", e);
		const char *escape = p;
		p = unescape_one(p + 1, close, &o);
		if (p == NULL)
			return bad(s, escape, "unknown or broken escape", e);
	}
	*out = str_n(text, (size_t)(o - text));
	s->at = p + 1;
	return !high || str_is_utf8(*out) ? RC_OK : bad(s, begin, "the string is not UTF-8", e);
}

static const char *digits_end(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* The grammar of numbers, RFC 8259 section 6. NULL when it is none. */
static const char *number_end(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	const char *q = digits_end(p, end);
	if (q == p || (*p == '0' && q - p > 1))
		return NULL;
	p = q;
	if (p < end && *p == '.') {
		q = digits_end(p + 1, end);
		if (q == p + 1)
			return NULL;
		p = q;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		q = digits_end(p, end);
		if (q == p)
			return NULL;
		p = q;
	}
	return p;
}

static const struct {
	str text;
	enum token_kind kind;
	bool flag;
} words[] = {
	{ { "true", 4 },      TOK_BOOL,   true  },
	{ { "false", 5 },     TOK_BOOL,   false },
	{ { "null", 4 },      TOK_NULL,   false },
	{ { "NaN", 3 },       TOK_NUMBER, false },
	{ { "Infinity", 8 },  TOK_NUMBER, false },
	{ { "-Infinity", 9 }, TOK_NUMBER, false },
};

static enum rc read_word_or_number(struct json_source *s, struct token *out, struct err *e)
{
	str left = str_n(s->at, (size_t)(s->end - s->at));

	/* Most of what comes here are numbers, and no word begins with a digit. */
	for (size_t i = *s->at >= '0' && *s->at <= '9' ? ARRAY_LEN(words) : 0; i < ARRAY_LEN(words); i++) {
		if (str_starts(left, words[i].text)) {
			out->kind = words[i].kind;
			out->flag = words[i].flag;
			out->text = str_head(left, words[i].text.len);
			s->at += words[i].text.len;
			return RC_OK;
		}
	}
	const char *end = number_end(s->at, s->end);
	if (end == NULL)
		return bad(s, s->at, "a value is expected here", e);
	out->kind = TOK_NUMBER;
	out->text = str_n(s->at, (size_t)(end - s->at));
	s->at = end;
	return RC_OK;
}

static void after_value(struct json_source *s)
{
	s->expect = s->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_EOF;
}

static enum rc open_bracket(struct json_source *s, struct token *out, struct err *e)
{
	if (s->depth == JSON_DEPTH_MAX)
		return bad(s, s->at, "nested too deeply (the limit is 64)", e);
	bool object = *s->at == '{';
	s->stack[s->depth++] = (uint8_t)*s->at++;
	out->kind = object ? TOK_OBJECT : TOK_ARRAY;
	s->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	return RC_OK;
}

static enum rc read_value(struct json_source *s, struct token *out, struct err *e)
{
	if (*s->at == '{' || *s->at == '[')
		return open_bracket(s, out, e);
	if (*s->at == '"') {
		s->at++;
		out->kind = TOK_STRING;
		TRY(read_string(s, &out->text, e));
	} else {
		TRY(read_word_or_number(s, out, e));
	}
	after_value(s);
	return RC_OK;
}

static enum rc read_key(struct json_source *s, struct token *out, struct err *e)
{
	if (*s->at != '"')
		return bad(s, s->at, "a key in double quotes is expected here", e);
	s->at++;
	out->kind = TOK_KEY;
	TRY(read_string(s, &out->text, e));
	s->at = skip_space(s->at, s->end);
	if (s->at == s->end || *s->at != ':')
		return bad(s, s->at, "':' is expected behind the key", e);
	s->at++;
	s->expect = EXPECT_VALUE;
	return RC_OK;
}

static enum rc close_bracket(struct json_source *s, struct token *out)
{
	s->at++;
	s->depth--;
	out->kind = TOK_END;
	after_value(s);
	return RC_OK;
}

static enum rc json_next(struct token_source *super, struct token *out, struct err *e)
{
	struct json_source *s = (struct json_source *)super;

	*out = (struct token){ .kind = TOK_EOF };
	for (;;) {
		s->at = skip_space(s->at, s->end);
		if (s->at == s->end) {
			if (s->expect == EXPECT_EOF)
				return RC_OK;
			return bad(s, s->at, "it ends too early", e);
		}
		out->from = s->at;
		bool object = s->depth > 0 && s->stack[s->depth - 1] == '{';
		bool closing = s->depth > 0 && *s->at == (object ? '}' : ']');
		switch ((enum expect)s->expect) {
		case EXPECT_VALUE:
			return read_value(s, out, e);
		case EXPECT_VALUE_OR_END:
			return closing ? close_bracket(s, out) : read_value(s, out, e);
		case EXPECT_KEY_OR_END:
			return closing ? close_bracket(s, out) : read_key(s, out, e);
		case EXPECT_KEY:
			return read_key(s, out, e);
		case EXPECT_COMMA_OR_END:
			if (closing)
				return close_bracket(s, out);
			if (*s->at != ',')
				return bad(s, s->at, object ? "',' or '}' is expected here" : "',' or ']' is expected here", e);
			s->at++;
			s->expect = object ? EXPECT_KEY : EXPECT_VALUE;
			continue;
		case EXPECT_EOF:
			return bad(s, s->at, "there is more behind the end of the value", e);
		}
		UNREACHABLE("expect");
	}
}

static void json_where(struct token_source *super, struct token *t)
{
	const struct json_source *s = (const struct json_source *)super;

	if (t->from != NULL)
		place(s, t->from, &t->line, &t->column);
}

void json_source_init(struct json_source *s, str text, struct arena *a, const char *name)
{
	*s = (struct json_source){
		.super = { .next = json_next, .where = json_where, .arena = a, .name = name },
		.at = text.at != NULL ? text.at : "",
		.expect = EXPECT_VALUE,
	};
	s->begin = s->at;
	s->end = s->at + text.len;
}

enum rc json_slice(struct json_source *s, const struct token *first, str *out, struct err *e)
{
	CHECK(first->from != NULL);
	TRY(token_skip(&s->super, first, e));
	*out = str_n(first->from, (size_t)(s->at - first->from));
	return RC_OK;
}

/* --- writing ----------------------------------------------------------------------------------- */

void jw_init(struct jw *w, struct buf *out)
{
	*w = (struct jw){ .out = out };
}

void jw_init_pretty(struct jw *w, struct buf *out)
{
	*w = (struct jw){ .out = out, .indent = 2 };
}

static void new_line(struct jw *w)
{
	if (w->indent == 0)
		return;
	buf_add_char(w->out, '\n');
	for (int i = 0; i < w->depth * w->indent; i++)
		buf_add_char(w->out, ' ');
}

/* What stands before a value or a key: the comma of the one before, and the line in pretty output. */
static void before(struct jw *w)
{
	if (w->comma)
		buf_add_char(w->out, ',');
	if (w->depth > 0 && !w->after_key)
		new_line(w);
	w->after_key = false;
	w->comma = true;
}

static void put_text(struct buf *b, str v)
{
	static const char hex[] = "0123456789abcdef";

	buf_add_char(b, '"');
	for (size_t i = 0; i < v.len;) {
		bool high = false;
		const char *from = v.at + i, *to = plain_run(from, v.at + v.len, &high);
		buf_add(b, str_n(from, (size_t)(to - from)));
		i += (size_t)(to - from);
		if (i == v.len)
			break;
		unsigned char c = (unsigned char)v.at[i++];
		static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
		const char *hit = c != 0 ? strchr(names, c) : NULL;
		char *p = buf_reserve(b, 6);
		if (p == NULL)
			return;
		p[0] = '\\';
		if (hit != NULL) {
			p[1] = letters[hit - names];
			buf_commit(b, 2);
		} else {
			memcpy(p + 1, "u00", 3);
			p[4] = hex[c >> 4];
			p[5] = hex[c & 15];
			buf_commit(b, 6);
		}
	}
	buf_add_char(b, '"');
}

/* Text that is no UTF-8 (a broken file name, a foreign row) is shown with U+FFFD instead of breaking the document. */
static void put_repaired(struct buf *b, str v)
{
	struct buf clean = BUF_INIT(v.len * 3 + 1);

	for (size_t i = 0; i < v.len;) {
		size_t n = v.len - i < 4 ? v.len - i : 4;
		while (n > 0 && !str_is_utf8(str_n(v.at + i, n)))
			n--;
		buf_add(&clean, n > 0 ? str_n(v.at + i, n) : STR("\xEF\xBF\xBD"));
		i += n > 0 ? n : 1;
	}
	put_text(b, buf_str(&clean));
	buf_deinit(&clean);
}

void jw_str(struct jw *w, str v)
{
	before(w);
	if (v.len > 0 && !str_is_utf8(v))
		put_repaired(w->out, v);
	else
		put_text(w->out, v);
}

void jw_key(struct jw *w, str key)
{
	before(w);
	put_text(w->out, key);
	buf_add(w->out, w->indent > 0 ? STR(": ") : STR(":"));
	w->comma = false;
	w->after_key = true;
}

static void open_with(struct jw *w, char c)
{
	before(w);
	buf_add_char(w->out, c);
	w->comma = false;
	w->depth++;
}

static void close_with(struct jw *w, char c)
{
	CHECK(w->depth > 0);
	w->depth--;
	if (w->comma)       /* something stands inside */
		new_line(w);
	buf_add_char(w->out, c);
	w->comma = true;
}

void jw_object(struct jw *w) { open_with(w, '{'); }
void jw_array(struct jw *w) { open_with(w, '['); }
void jw_end_object(struct jw *w) { close_with(w, '}'); }
void jw_end_array(struct jw *w) { close_with(w, ']'); }

void jw_object_key(struct jw *w, str key)
{
	jw_key(w, key);
	jw_object(w);
}

void jw_array_key(struct jw *w, str key)
{
	jw_key(w, key);
	jw_array(w);
}

static void put_number(struct jw *w, const char *text, size_t n)
{
	before(w);
	buf_add(w->out, str_n(text, n));
}

void jw_i64(struct jw *w, int64_t v)
{
	char text[NUM_TEXT_MAX];

	put_number(w, text, num_put_i64(text, v));
}

void jw_u64(struct jw *w, uint64_t v)
{
	char text[NUM_TEXT_MAX];

	put_number(w, text, num_put_u64(text, v));
}

static void put_special(struct jw *w, double v)
{
	jw_str(w, isnan(v) ? STR("NaN") : v > 0 ? STR("Infinity") : STR("-Infinity"));
}

void jw_f64(struct jw *w, double v)
{
	char text[NUM_TEXT_MAX];

	if (!isfinite(v))
		put_special(w, v);
	else
		put_number(w, text, num_put_f64(text, v));
}

void jw_f32(struct jw *w, float v)
{
	char text[NUM_TEXT_MAX];

	if (!isfinite(v))
		put_special(w, (double)v);
	else
		put_number(w, text, num_put_f32(text, v));
}

void jw_bool(struct jw *w, bool v)
{
	before(w);
	buf_add(w->out, v ? STR("true") : STR("false"));
}

void jw_null(struct jw *w)
{
	before(w);
	buf_add(w->out, STR("null"));
}

void jw_raw(struct jw *w, str json)
{
	CHECK(json.len > 0);
	before(w);
	buf_add(w->out, json);
}

void jw_str_key(struct jw *w, const char *key, str v) { jw_key(w, str_of(key)); jw_str(w, v); }
void jw_i64_key(struct jw *w, const char *key, int64_t v) { jw_key(w, str_of(key)); jw_i64(w, v); }
void jw_f64_key(struct jw *w, const char *key, double v) { jw_key(w, str_of(key)); jw_f64(w, v); }
void jw_bool_key(struct jw *w, const char *key, bool v) { jw_key(w, str_of(key)); jw_bool(w, v); }
