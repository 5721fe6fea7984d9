/* filter.h -- MLflow's search grammar, as a list of comparisons that must all hold.
 *
 *	filter     := "" | comparison (AND comparison)*
 *	comparison := identifier op value | identifier IS [NOT] NULL
 *	identifier := [entity "."] key          key: bare, "quoted" or `backticked`
 *	value      := 'text' | "text" | number | ( 'text' , … )
 *
 * There is no OR, no grouping and no escape inside quotes, as in MLflow. What entities, keys and operators mean is the
 * caller's business. Pure; strings of the result point into the text.
 */
#ifndef CAIRN_BASE_FILTER_H
#define CAIRN_BASE_FILTER_H

#include "base/err.h"
#include "base/vec.h"

#define FILTER_TERMS_MAX 50
#define FILTER_LIST_MAX 200

enum filter_op {
	FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE, FILTER_LIKE, FILTER_ILIKE, FILTER_IN, FILTER_NOT_IN,
	FILTER_IS_NULL, FILTER_IS_NOT_NULL, FILTER_OPS,
};
extern const char *const filter_op_names[FILTER_OPS];   /* "=", "!=", … "IS NOT NULL" */

enum filter_value { FILTER_NOTHING, FILTER_NUMBER, FILTER_TEXT, FILTER_LIST };
struct filter_term {
	str entity;             /* as written, without quotes; empty when there is none */
	str key;
	enum filter_op op;
	enum filter_value value;
	double number;          /* FILTER_NUMBER */
	str text;               /* FILTER_TEXT; FILTER_NUMBER as written */
	struct list texts;      /* FILTER_LIST: of str */
};
/* out: struct filter_term. Errors are RC_INVALID and name the column. */
enum rc filter_parse(str text, struct arena *a, struct list *out, struct err *e) MUST_USE;

/* identifier [ASC | DESC] */
struct filter_order { str entity, key; bool descending; };
enum rc filter_order_parse(str text, struct filter_order *out, struct err *e) MUST_USE;

/* A LIKE pattern of the grammar, which has no escape, for SQL's LIKE … ESCAPE '\'. */
str filter_like(struct arena *a, str pattern);

#endif
