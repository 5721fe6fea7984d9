/* csv.h -- the records of a CSV file, none of them lost.
 *
 * RFC 4180 with what files do in practice: a byte order mark, CR, LF or CRLF, a last line without an end, fields with
 * line ends between quotes. Every line of the file ends up in exactly one record, or is blank: n_lines of all records
 * and csv.n_blank add up to csv_lines of what was read. A record that breaks the rules is given with its problem; if it
 * spans lines, only its first one is given up and reading goes on at the next, so one stray quote cannot swallow a file.
 * Pure over its input; one thread at a time.
 */
#ifndef CAIRN_LAKE_CSV_H
#define CAIRN_LAKE_CSV_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

#define CSV_RECORD_MAX (1u << 20)       /* bytes; a longer one is taken for an open quote */

struct source_row {
	int64_t line;           /* where it begins, from 1 */
	int64_t n_lines;        /* that it spans */
	str raw;                /* as it stands in the file, without its line end; any bytes */
	const str *value;       /* at == NULL: nothing there (empty without quotes) */
	size_t n;               /* values */
	str problem;            /* not empty: why this is no row; value and n are then not set */
};

struct csv {
	const char *at, *end;
	char delimiter;
	size_t n_expected;      /* fields a record must have; 0: any number */
	int64_t line;           /* of `at`, from 1 */
	int64_t n_blank;        /* blank lines skipped so far */
	struct arena row;       /* texts and problem of the row given last */
	struct arena cells;
	VEC(str) value;         /* in cells: grown once, used for every row */
};

void csv_init(struct csv *c, str data, char delimiter);
void csv_deinit(struct csv *c);
/* False at the end. What the row points to is valid until the next call. */
bool csv_next(struct csv *c, struct source_row *out);

/* Lines of a text, counted by their ends alone: for comparing with what csv_next gave. */
int64_t csv_lines(str data);
/* The one of , ; tab | that cuts the first records into most fields of one number. */
char csv_sniff(str data);
/* The first record as column names: trimmed, "column_3" where empty. RC_INVALID when two are the same but for case, or
 * one is no text. */
enum rc csv_header(struct csv *c, struct arena *a, str **name_out, size_t *n_out, struct err *e) MUST_USE;

#endif
