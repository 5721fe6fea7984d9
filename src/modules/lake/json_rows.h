/* json_rows.h -- the objects of a JSON file as rows of texts: one object a line (NDJSON), or one list of objects.
 *
 * Columns are the keys of all objects in order of first appearance. A text is given unescaped, a number or boolean as it
 * is written, null as absence, an object or list as its JSON. A line or element that is no object, or not valid, is given
 * with its problem. A list that ends before it should is refused as a whole. Pure; one thread at a time.
 */
#ifndef CAIRN_LAKE_JSON_ROWS_H
#define CAIRN_LAKE_JSON_ROWS_H

#include "base/json.h"
#include "base/map.h"
#include "modules/lake/csv.h"

#define JSON_COLUMNS_MAX 1000

struct json_column { str name; size_t index; bool all_texts; /* every value was a JSON string */ };

struct json_rows {
	str data, rest;
	bool is_list;
	int64_t line, n_blank;
	struct json_source list;        /* of the whole file, when it is one list */
	struct arena doc;               /* what list allocates */
	struct arena row;
	struct arena *a;                /* of the columns */
	struct map column;              /* name → struct json_column */
	size_t n_column;
	str *value;
	const char *line_at;            /* where `line` was counted to, in a list */
};

/* Reads all once to find the columns. */
enum rc json_rows_open(struct json_rows *j, str data, struct arena *a, struct err *e) MUST_USE;
void json_rows_close(struct json_rows *j);
void json_rows_rewind(struct json_rows *j);
/* *end is true behind the last. */
enum rc json_rows_next(struct json_rows *j, struct source_row *out, bool *end, struct err *e) MUST_USE;

#endif
