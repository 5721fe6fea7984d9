/* shape.c -- sizes, and variables that live as long as the program. */
#include "tidy.h"

#define FUNCTION_LINES 70
#define FILE_LINES 800
#define HEADER_LINES 150

/* True for a constant: in `const char *names`, what is constant is not the variable. */
static bool is_constant(str decl)
{
	str type = decl;

	for (size_t i = type.len; i > 0; i--) {
		if (type.at[i - 1] == '*') {
			type = str_skip(type, i);
			break;
		}
	}
	return find_word(type.at, type.len, 0, STR("const")) < type.len;
}

/* Up to the first of = and [. */
static str declarator(str head)
{
	for (size_t i = 0; i < head.len; i++) {
		if (head.at[i] == '=' || head.at[i] == '[')
			return str_trim(str_head(head, i));
	}
	return str_trim(head);
}

static str last_word(str s)
{
	size_t begin = s.len;

	while (begin > 0 && is_word_char(s.at[begin - 1]))
		begin--;
	return str_skip(s, begin);
}

static void variable(struct tree *t, const struct source *s, str head, size_t at)
{
	str decl = declarator(head), name = last_word(decl);

	if (name.len == 0 || name.len == decl.len || str_find_char(decl, '(') >= 0 || is_constant(decl))
		return;
	report(t, "mutable", s, source_line(s, at), name, 1,
	       STR_FMT " outlives its function and can change: hang it off an opened handle, or make it const", STR_ARG(name));
}

static void static_locals(struct tree *t, const struct source *s, const struct item *item)
{
	for (size_t at = item->begin + 1;; at++) {
		at = find_word(s->plain, item->end, at, STR("static"));
		if (at >= item->end)
			return;
		size_t end = at;
		while (end < item->end && s->plain[end] != ';' && s->plain[end] != '=' && s->plain[end] != '{')
			end++;
		/* A struct named on the spot: what follows its braces is beyond this reading. */
		if (s->plain[end] != '{')
			variable(t, s, str_n(s->plain + at, end - at), at);
	}
}

static bool starts_with_word(str s, str word)
{
	return find_word(s.at, s.len, 0, word) == 0;
}

/* "struct x" alone is a forward declaration, "struct x {}" a type; "route_fn get_x, put_x;" declares functions by their type. */
static bool declares_type(str decl)
{
	str rest = decl, word, first = decl;
	size_t n = 0;

	while (str_cut(&rest, ' ', &word)) {
		n += word.len > 0;
		first = n == 1 && word.len > 0 ? word : first;
	}
	bool tag = str_eq(first, STR("struct")) || str_eq(first, STR("enum")) || str_eq(first, STR("union"));
	return decl.len == 0 || decl.at[decl.len - 1] == '}' || (tag && n <= 2) ||
	       (str_ends(first, STR("_fn")) && str_find_char(decl, '*') < 0);
}

static void item(struct tree *t, const struct source *s, const struct item *i)
{
	if (i->function) {
		int line = source_line(s, i->begin), lines = source_line(s, i->end) - line + 1;
		str name = item_name(i->head);
		if (lines > FUNCTION_LINES)
			report(t, "function", s, line, name, lines, STR_FMT " has %d lines, at most %d: split it", STR_ARG(name), lines, FUNCTION_LINES);
		static_locals(t, s, i);
		return;
	}
	static const str not_a_variable[] = { { "typedef", 7 }, { "extern", 6 }, { "_Static_assert", 14 }, { "using", 5 }, { "namespace", 9 } };
	for (size_t k = 0; k < ARRAY_LEN(not_a_variable); k++) {
		if (starts_with_word(i->head, not_a_variable[k]))
			return;
	}
	if (!declares_type(declarator(i->head)))
		variable(t, s, i->head, i->begin);
}

void rules_shape(struct tree *t, const struct source *s)
{
	bool header = str_ends(s->path, STR(".h"));
	int limit = header ? HEADER_LINES : FILE_LINES;

	if (s->n_lines > limit)
		report(t, header ? "header" : "file", s, s->n_lines, STR_NONE, s->n_lines, "%d lines, at most %d: split it by subject",
		       s->n_lines, limit);
	source_items(t, s, item);
}
