/* source.h -- a file of rows, whatever its format, as one stream of texts.
 *
 * CSV and JSON are read here; Parquet is typed already and read by the query engine. Every row of the file is given
 * exactly once, broken ones with their problem, so the number of rows given is the number of rows in the file: what an
 * ingest and the check of it later both count by. Pure over the bytes; one thread at a time.
 */
#ifndef CAIRN_LAKE_SOURCE_H
#define CAIRN_LAKE_SOURCE_H

#include "modules/lake/csv.h"
#include "modules/lake/json_rows.h"

enum source_format { FORMAT_AUTO, FORMAT_CSV, FORMAT_JSON, FORMAT_PARQUET };
extern const char *const source_format_names[];

#define SOURCE_COLUMNS_MAX 1000

/* By the bytes first, then by the name. */
enum source_format source_format_of(str data, str file_name);

struct source {
	enum source_format format;
	str data;
	char delimiter;
	str *name;              /* columns, unique but for case */
	bool *text_only;        /* JSON: every value was a string */
	size_t n_col;
	struct csv csv;
	struct json_rows json;
	const char *rows_at;    /* CSV: where the rows begin, for the rewind */
	int64_t rows_line, rows_blank;
};
/* delimiter 0: found out. The columns are in the arena; data must stay. RC_INVALID says what is wrong with the file. */
enum rc source_open(struct source *s, str data, enum source_format format, char delimiter, struct arena *a,
		    struct err *e) MUST_USE;
void source_close(struct source *s);
void source_rewind(struct source *s);
/* *end is true behind the last row. */
enum rc source_next(struct source *s, struct source_row *out, bool *end, struct err *e) MUST_USE;
double source_fraction(const struct source *s);         /* read so far, 0 to 1 */
/* Reads all rows from the beginning and counts them. */
enum rc source_count(struct source *s, int64_t *n_out, struct err *e) MUST_USE;

#endif
