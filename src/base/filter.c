/* filter.c -- a hand-written descent over the text: one cursor, one comparison at a time. */
#include "base/filter.h"

#include <string.h>

const char *const filter_op_names[FILTER_OPS] = {
	[FILTER_EQ] = "=", [FILTER_NE] = "!=", [FILTER_LT] = "<", [FILTER_LE] = "<=", [FILTER_GT] = ">", [FILTER_GE] = ">=",
	[FILTER_LIKE] = "LIKE", [FILTER_ILIKE] = "ILIKE", [FILTER_IN] = "IN", [FILTER_NOT_IN] = "NOT IN",
	[FILTER_IS_NULL] = "IS NULL", [FILTER_IS_NOT_NULL] = "IS NOT NULL",
};

struct cursor {
	const char *begin, *at, *end;
	struct err *e;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '/' ||
	       c == '@' || c == ':' || c == '$' || (unsigned char)c >= 0x80;
}

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && is_space(*c->at))
		c->at++;
}

static str rest(const struct cursor *c)
{
	return str_n(c->at, (size_t)(c->end - c->at));
}

static enum rc expected(const struct cursor *c, const char *what)
{
	str shown = str_head(rest(c), 40);

	while (!str_is_utf8(shown))
		shown.len--;    /* a cut character; callers give valid text */
	if (shown.len == 0)
		return FAIL(c->e, RC_INVALID, "Invalid clause(s) in filter string: expected %s at its end", what);
	return FAIL(c->e, RC_INVALID, "Invalid clause(s) in filter string: expected %s at column %zu, got '" STR_FMT "'", what,
		    (size_t)(c->at - c->begin) + 1, STR_ARG(shown));
}

/* A keyword in any case that ends where a word ends. */
static bool take_keyword(struct cursor *c, const char *word)
{
	size_t n = strlen(word);
	str here = rest(c);

	if (here.len < n || !str_eq_nocase(str_head(here, n), str_of(word)) || (here.len > n && is_word(here.at[n])))
		return false;
	c->at += n;
	skip_space(c);
	return true;
}

/* From an opening quote to its closing one. A doubled quote stays inside, as MLflow's tokenizer has it. */
static enum rc take_quoted(struct cursor *c, str *out)
{
	char quote = *c->at;
	const char *from = c->at + 1, *p = from;

	for (; p < c->end; p++) {
		if (*p != quote)
			continue;
		if (p + 1 < c->end && p[1] == quote && quote != '`')
			p++;
		else
			break;
	}
	if (p >= c->end)
		return expected(c, "a closing quote");
	*out = str_n(from, (size_t)(p - from));
	c->at = p + 1;
	return RC_OK;
}

/* One piece of an identifier: quoted, or bare up to a dot (or with its dots). */
static enum rc take_name(struct cursor *c, bool dots, str *out)
{
	const char *from = c->at;

	if (c->at < c->end && (*c->at == '`' || *c->at == '"'))
		return take_quoted(c, out);
	while (c->at < c->end && (is_word(*c->at) || (dots && *c->at == '.')))
		c->at++;
	*out = str_n(from, (size_t)(c->at - from));
	return out->len > 0 ? RC_OK : expected(c, "an identifier");
}

static enum rc take_identifier(struct cursor *c, str *entity, str *key)
{
	str first;

	TRY(take_name(c, false, &first));
	if (c->at < c->end && *c->at == '.') {
		c->at++;
		*entity = first;
		TRY(take_name(c, true, key));
	} else {
		*entity = STR("");
		*key = first;
	}
	skip_space(c);
	return RC_OK;
}

static enum rc take_op(struct cursor *c, enum filter_op *out)
{
	/* Longer ones first. */
	static const enum filter_op symbols[] = { FILTER_NE, FILTER_LE, FILTER_GE, FILTER_EQ, FILTER_LT, FILTER_GT };

	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		str symbol = str_of(filter_op_names[symbols[i]]);
		if (str_starts(rest(c), symbol)) {
			c->at += symbol.len;
			skip_space(c);
			*out = symbols[i];
			return RC_OK;
		}
	}
	if (take_keyword(c, "LIKE"))
		*out = FILTER_LIKE;
	else if (take_keyword(c, "ILIKE"))
		*out = FILTER_ILIKE;
	else if (take_keyword(c, "IN"))
		*out = FILTER_IN;
	else if (take_keyword(c, "NOT"))
		*out = FILTER_NOT_IN;
	else if (take_keyword(c, "IS"))
		*out = take_keyword(c, "NOT") ? FILTER_IS_NOT_NULL : FILTER_IS_NULL;
	else
		return expected(c, "a comparison like =, <, LIKE, IN or IS NULL");
	if (*out == FILTER_NOT_IN && !take_keyword(c, "IN"))
		return expected(c, "IN behind NOT");
	if ((*out == FILTER_IS_NULL || *out == FILTER_IS_NOT_NULL) && !take_keyword(c, "NULL"))
		return expected(c, "NULL behind IS");
	return RC_OK;
}

static enum rc take_number(struct cursor *c, struct filter_term *t)
{
	const char *from = c->at;

	while (c->at < c->end && ((*c->at >= '0' && *c->at <= '9') || strchr("+-.eE", *c->at) != NULL) && *c->at != '\0')
		c->at++;
	t->text = str_n(from, (size_t)(c->at - from));
	if (!str_to_f64(t->text, &t->number) || (c->at < c->end && is_word(*c->at))) {
		c->at = from;
		return expected(c, "a number or a quoted text");
	}
	t->value = FILTER_NUMBER;
	return RC_OK;
}

static enum rc take_list(struct cursor *c, struct arena *a, struct filter_term *t)
{
	VEC(str) texts = { 0 };

	c->at++;
	do {
		skip_space(c);
		if (texts.n > 0 && c->at < c->end && *c->at == ')')
			break;  /* MLflow reads lists as Python does */
		if (texts.n == FILTER_LIST_MAX)
			return FAIL(c->e, RC_INVALID, "Invalid filter: more than %d elements in a list", FILTER_LIST_MAX);
		if (c->at >= c->end || (*c->at != '\'' && *c->at != '"'))
			return expected(c, "a quoted text in the list");
		TRY(take_quoted(c, VEC_PUSH(a, &texts)));
		if (texts.at[texts.n - 1].len == 0)
			return FAIL(c->e, RC_INVALID, "Invalid filter: a list must hold texts that are not empty");
		skip_space(c);
	} while (c->at < c->end && *c->at == ',' && c->at++ != NULL);
	if (c->at >= c->end || *c->at != ')')
		return expected(c, "',' or ')'");
	c->at++;
	t->texts = LIST_OF(texts);
	t->value = FILTER_LIST;
	return RC_OK;
}

static enum rc take_value(struct cursor *c, struct arena *a, struct filter_term *t)
{
	bool list = t->op == FILTER_IN || t->op == FILTER_NOT_IN;

	if (t->op == FILTER_IS_NULL || t->op == FILTER_IS_NOT_NULL)
		return RC_OK;
	if (c->at >= c->end)
		return expected(c, "a value");
	if (list != (*c->at == '('))
		return expected(c, list ? "a list in parentheses behind IN" : "a value");
	if (list)
		return take_list(c, a, t);
	if (*c->at != '\'' && *c->at != '"')
		return take_number(c, t);
	t->value = FILTER_TEXT;
	return take_quoted(c, &t->text);
}

static enum rc take_comparison(struct cursor *c, struct arena *a, struct filter_term *t)
{
	TRY(take_identifier(c, &t->entity, &t->key));
	TRY(take_op(c, &t->op));
	TRY(take_value(c, a, t));
	skip_space(c);
	return RC_OK;
}

enum rc filter_parse(str text, struct arena *a, struct list *out, struct err *e)
{
	const char *from = text.at != NULL ? text.at : "";
	struct cursor c = { .begin = from, .at = from, .end = from + text.len, .e = e };
	VEC(struct filter_term) terms = { 0 };

	*out = (struct list){ 0 };
	if (str_trim(text).len == 0)
		return RC_OK;
	if (!str_is_utf8(text))
		return FAIL(e, RC_INVALID, "Invalid filter: it is not UTF-8");
	skip_space(&c);
	do {
		if (terms.n == FILTER_TERMS_MAX)
			return FAIL(e, RC_INVALID, "Invalid filter: more than %d comparisons", FILTER_TERMS_MAX);
		TRY(take_comparison(&c, a, VEC_PUSH(a, &terms)));
	} while (take_keyword(&c, "AND"));
	if (c.at < c.end)
		return expected(&c, "AND");
	*out = LIST_OF(terms);
	return RC_OK;
}

enum rc filter_order_parse(str text, struct filter_order *out, struct err *e)
{
	const char *from = text.at != NULL ? text.at : "";
	struct cursor c = { .begin = from, .at = from, .end = from + text.len, .e = e };
	struct filter_order o = { 0 };

	if (!str_is_utf8(text))
		return FAIL(e, RC_INVALID, "Invalid order_by clause: it is not UTF-8");
	skip_space(&c);
	if (take_identifier(&c, &o.entity, &o.key) != RC_OK)
		return FAIL(e, RC_INVALID, "Invalid order_by clause '" STR_FMT "'. Could not be parsed.", STR_ARG(str_head(text, 200)));
	o.descending = take_keyword(&c, "DESC");
	if (!o.descending)
		(void)take_keyword(&c, "ASC");
	if (c.at < c.end)
		return FAIL(e, RC_INVALID, "Invalid order_by clause '" STR_FMT "'. Could not be parsed: expected ASC or DESC",
			    STR_ARG(str_head(text, 200)));
	*out = o;
	return RC_OK;
}

str filter_like(struct arena *a, str pattern)
{
	char *out = arena_alloc_raw(a, pattern.len * 2 + 1);
	size_t n = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.at[i] == '\\')
			out[n++] = '\\';
		out[n++] = pattern.at[i];
	}
	return str_n(out, n);
}
