/* ingest.h -- one ingest on its way, for the files that do it: ingest.c (whole), ingest_text.c (CSV, JSON),
 * ingest_parquet.c. */
#ifndef CAIRN_LAKE_INGEST_H
#define CAIRN_LAKE_INGEST_H

#include "io/filemap.h"
#include "modules/lake/lake_int.h"

#define REPEATED "the key stood in an earlier row"
/* Tables of the session. */
#define ROWS "cairn_rows"
#define BAD "cairn_quarantine"
#define GOOD "cairn_good"
/* Columns of ROWS when a key is given: where the row stands in the file. */
#define LINE "cairn_line"
#define AT "cairn_at"
#define LEN "cairn_len"

struct ingest {
	struct lake *lake;
	const struct ingest_request *req;
	const struct principal *who;
	struct task *task;
	struct arena *a;
	struct query *q;
	struct filemap map;
	enum source_format format;
	str source_name;
	struct source src;
	enum value_type *type;          /* per column of src */
	bool *is_key;
	struct value *value;
	struct query_append *rows, *bad;
	int64_t n_source, n_bad, n_seen;
	struct dataset_version v;       /* to be */
	struct dataset_version before;  /* the newest so far */
	bool same;                      /* and it is what would be made */
	struct list reasons;            /* struct ingest_reason */
};

/* VALUE_TYPES: not said. */
enum value_type ingest__type_asked(const struct ingest_request *r, str column);
bool ingest__listed(const struct list *names, str name);
/* RC_INVALID when an option names a column that the file does not have. */
enum rc ingest__check_names(const struct ingest *g, const str *col, size_t n, struct err *e) MUST_USE;
str ingest__key_columns(const struct ingest *g);        /* quoted, joined by commas */

/* Both leave the rows that fit as GOOD and the others as BAD in the session, and count n_source and n_bad. */
enum rc ingest__load_text(struct ingest *g, struct err *e) MUST_USE;
enum rc ingest__load_parquet(struct ingest *g, struct err *e) MUST_USE;

#endif
