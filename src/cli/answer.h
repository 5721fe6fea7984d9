/* answer.h -- an answer of the API as a tree, and the ways to show it.
 *
 * The tree lives in the arena it was parsed into. Paths are keys joined by dots ("version.n_rows"); an array's element is
 * its number ("trials.0"). What is not there is NULL, and NULL shows as "-".
 */
#ifndef CAIRN_CLI_ANSWER_H
#define CAIRN_CLI_ANSWER_H

#include "base/token.h"
#include "cli/cli.h"

#define LIMIT_COLUMNS 256         /* of a table that is shown */

struct value {
	enum token_kind kind;   /* NULL, BOOL, NUMBER, STRING, OBJECT, ARRAY */
	str text;               /* of a scalar, as it was written */
	bool flag;
	str key;                /* among its object's members */
	struct value *first, *next;
	size_t n;               /* children */
};
enum rc value_parse(str json, struct arena *a, struct value **out, struct err *e) MUST_USE;
const struct value *value_at(const struct value *v, const char *path);  /* v may be NULL */
str value_text(const struct value *v, struct arena *a);                 /* scalars; else their JSON in short; NULL: "" */
bool value_number(const struct value *v, double *out);                  /* numbers, also as text */
str value_shown(const struct value *v, enum show show, struct arena *a);
str show_count(struct arena *a, double n);      /* "6,433" */

/* A table of n rows × n_col cells, numbers to the right. */
struct grid { const char *const *title; const bool *right; size_t n_col; VEC(str) cell; };
void grid_print(const struct grid *g, bool colour);

/* A list's elements as a table, one object as lines, by columns (ending with path NULL), or by all that there is. */
void answer_print_list(struct cli *c, const struct value *list, const struct column *columns);
void answer_print_object(struct cli *c, const struct value *v, const struct column *columns);
/* As the command's row says, or the JSON itself. */
enum rc answer_show(struct cli *c, str json, struct err *e) MUST_USE;
/* "{n_rows:count} rows in {dataset}", "{outputs.*.id}" of every element, "{?skipped}only if so{/}", "{!skipped}only if not{/}" */
str answer_line(struct cli *c, const char *template, const struct value *v);

#endif
