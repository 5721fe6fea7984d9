/* source.c -- C text taken apart as far as the rules need: comments, literals, and what stands at file scope. */
#include "tidy.h"

#include <string.h>

bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

size_t find_word(const char *text, size_t n, size_t from, str word)
{
	for (size_t i = from; i + word.len <= n; i++) {
		if (text[i] == word.at[0] && memcmp(text + i, word.at, word.len) == 0 && (i == 0 || !is_word_char(text[i - 1])) &&
		    (i + word.len == n || !is_word_char(text[i + word.len])))
			return i;
	}
	return n;
}

int source_line(const struct source *s, size_t at)
{
	int line = 1;

	for (size_t i = 0; i < at && i < s->text.len; i++)
		line += s->text.at[i] == '\n';
	return line;
}

/* --- comments and literals ---------------------------------------------------------------------------- */

static void blank(char *code, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (code[i] != '\n')
			code[i] = ' ';
	}
}

static size_t end_of_comment(str text, size_t at)
{
	bool line = text.at[at + 1] == '/';
	size_t i = at + 2;

	while (i < text.len) {
		if (line && text.at[i] == '\n')
			return i;
		if (!line && text.at[i] == '*' && i + 1 < text.len && text.at[i + 1] == '/')
			return i + 2;
		i++;
	}
	return text.len;
}

static size_t end_of_literal(str text, size_t at)
{
	char quote = text.at[at];
	size_t i = at + 1;

	while (i < text.len && text.at[i] != quote && text.at[i] != '\n')
		i += text.at[i] == '\\' && i + 1 < text.len ? 2 : 1;
	return i < text.len ? i : text.len;
}

static void blank_directives(struct source *s)
{
	for (size_t at = 0; at < s->text.len;) {
		size_t end = at, first = at;
		while (first < s->text.len && (s->code[first] == ' ' || s->code[first] == '\t'))
			first++;
		bool directive = first < s->text.len && s->code[first] == '#';
		while (end < s->text.len && (s->code[end] != '\n' || (directive && end > at && s->code[end - 1] == '\\')))
			end++;
		if (directive)
			blank(s->plain, at, end);
		at = end + 1;
	}
}

void source_lex(struct tree *t, struct source *s)
{
	str text = s->text;

	s->code = arena_cstr(&t->arena, text);
	for (size_t i = 0; i < text.len; i++) {
		s->n_lines += text.at[i] == '\n';
		if (text.at[i] == '/' && i + 1 < text.len && (text.at[i + 1] == '/' || text.at[i + 1] == '*')) {
			size_t end = end_of_comment(text, i);
			blank(s->code, i, end);
			for (size_t k = i + 1; k < end; k++)
				s->n_lines += text.at[k] == '\n';
			i = end - 1;
		} else if (text.at[i] == '"' || (text.at[i] == '\'' && (i == 0 || !is_word_char(text.at[i - 1])))) {
			size_t end = end_of_literal(text, i);
			if (text.at[i] == '"')
				*VEC_PUSH(&t->arena, &s->literal) = (struct literal){ .at = i + 1, .len = end - i - 1 };
			blank(s->code, i + 1, end);
			i = end;
		}
	}
	s->plain = arena_cstr(&t->arena, str_n(s->code, text.len));
	blank_directives(s);
}

/* --- file scope ------------------------------------------------------------------------------------------ */

struct scan {
	struct tree *t;
	const struct source *s;
	void (*fn)(struct tree *, const struct source *, const struct item *);
	size_t begin;           /* of the item being read */
	int depth;
	bool function;
};

/* The item's text up to `end`, without what stands between braces. */
static str head_of(struct scan *c, size_t end)
{
	char *out = arena_alloc(&c->t->arena, end - c->begin + 1);
	size_t n = 0;
	int depth = 0;

	for (size_t i = c->begin; i < end; i++) {
		char at = c->s->plain[i];
		depth -= at == '}';
		if (depth == 0)
			out[n++] = at == '\n' || at == '\t' ? ' ' : at;
		depth += at == '{';
	}
	return str_trim(str_n(out, n));
}

static void emit(struct scan *c, size_t end)
{
	size_t begin = c->begin;

	while (begin < end && (c->s->plain[begin] == ' ' || c->s->plain[begin] == '\n' || c->s->plain[begin] == '\t'))
		begin++;
	struct item item = { .function = c->function, .begin = begin, .end = end, .head = head_of(c, end) };
	if (item.head.len > 0)
		c->fn(c->t, c->s, &item);
	c->begin = end + 1;
	c->function = false;
}

static void open_brace(struct scan *c, size_t at)
{
	if (c->depth == 0) {
		str head = head_of(c, at);
		if (str_find_char(head, '(') < 0 && (str_starts(head, STR("extern \"")) || str_starts(head, STR("namespace")))) {
			c->begin = at + 1;      /* its inside is file scope too */
			return;
		}
		c->function = str_find_char(head, '(') >= 0 && str_find_char(head, '=') < 0;
	}
	c->depth++;
}

static void close_brace(struct scan *c, size_t at)
{
	if (c->depth == 0) {
		c->begin = at + 1;
		return;
	}
	c->depth--;
	if (c->depth == 0 && c->function)
		emit(c, at);
}

void source_items(struct tree *t, const struct source *s, void (*fn)(struct tree *, const struct source *, const struct item *))
{
	struct scan c = { .t = t, .s = s, .fn = fn };

	for (size_t i = 0; i < s->text.len; i++) {
		if (s->plain[i] == '{')
			open_brace(&c, i);
		else if (s->plain[i] == '}')
			close_brace(&c, i);
		else if (s->plain[i] == ';' && c.depth == 0)
			emit(&c, i);
	}
}

str item_name(str head)
{
	ptrdiff_t paren = str_find_char(head, '(');
	size_t end = paren > 0 ? (size_t)paren : 0;

	while (end > 0 && head.at[end - 1] == ' ')
		end--;
	size_t begin = end;
	while (begin > 0 && is_word_char(head.at[begin - 1]))
		begin--;
	return begin < end ? str_n(head.at + begin, end - begin) : STR_NONE;
}
