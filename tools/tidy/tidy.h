/* tidy.h -- the house rules that a program can check, over a tree of sources.
 *
 * tree_read takes in src/, tools/ and tests/; the rules look at each file and report what breaks them; tree_report
 * prints `path:line: rule: what, and the cure`, but for what tools/tidy/ratchet.txt lists at that size: such a place may
 * shrink, not grow. One thread.
 */
#ifndef CAIRN_TOOLS_TIDY_H
#define CAIRN_TOOLS_TIDY_H

#include <stdio.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"

struct literal { size_t at, len; };     /* a string literal's inside, as written */

struct source {
	str path;               /* "src/io/db.c" */
	str text;
	char *code;             /* text with comments and insides of literals blanked; as long as text */
	char *plain;            /* code without preprocessor lines */
	VEC(struct literal) literal;
	int n_lines;
};

struct finding { const char *rule; str key, path, text; int line; long size; };
struct allowance { str rule, key; long size; bool used; };
struct words { str name; VEC(str) word; };      /* "layer io: base", "edge access:", "wraps x.h: src/io/x.c" */

struct tree {
	struct arena arena;
	str root;
	VEC(struct source) file;
	VEC(struct words) layer, edge, wraps;
	VEC(struct allowance) ratchet;
	VEC(struct finding) finding;
	VEC(struct finding) note;       /* worth a look, but no broken rule */
};

/* False, with a message on stderr, when the tree cannot be read. */
bool tree_read(struct tree *t, const char *root);
void tree_check(struct tree *t);
/* Prints what breaks the rules and is not allowed; returns how many. */
size_t tree_report(struct tree *t, FILE *out, bool all_notes);
/* Writes ratchet.txt anew: as it was, but never larger than what is found now. False when it cannot be written. */
bool tree_tighten(struct tree *t);
void tree_free(struct tree *t);

/* --- source.c ---------------------------------------------------------------------------------- */
void source_lex(struct tree *t, struct source *s);
int source_line(const struct source *s, size_t at);
bool is_word_char(char c);
/* The next whole word `word` in text from `from`; n when there is none. */
size_t find_word(const char *text, size_t n, size_t from, str word);
/* Visits what stands at file scope: a function with its body, or a declaration with the insides of braces taken out. */
struct item { bool function; size_t begin, end; str head; };
void source_items(struct tree *t, const struct source *s, void (*fn)(struct tree *, const struct source *, const struct item *));

/* --- rules ------------------------------------------------------------------------------------- */
/* `name` makes the ratchet's key path:name; STR_NONE: the path alone. */
void report(struct tree *t, const char *rule, const struct source *s, int line, str name, long size, const char *fmt, ...)
	PRINTF_LIKE(7, 8);
void note(struct tree *t, const char *rule, const struct source *s, int line, const char *fmt, ...) PRINTF_LIKE(5, 6);
void rules_shape(struct tree *t, const struct source *s);       /* lengths, variables */
void rules_text(struct tree *t, const struct source *s);        /* names, calls, SQL, JSON, leftovers */
void rules_layers(struct tree *t, const struct source *s);      /* includes */
void rules_edges(struct tree *t);                               /* LAYERS itself */
void rules_unused(struct tree *t);

/* The word that stands before `(` in a declaration; STR_NONE. */
str item_name(str head);

#endif
