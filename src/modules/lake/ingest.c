/* ingest.c -- an uploaded file becomes a version of a dataset.
 *
 * CSV and JSON are read twice from the mapped file: once to find the columns' types from all their values, once to
 * convert and hand them to a DuckDB session, where a row that does not fit goes to the table of quarantined rows with its
 * line, reason and text. Parquet is typed already; DuckDB casts it to the five types and the same rules hold.
 * Rows kept and rows quarantined add up to the rows of the file: counted here, asserted when published, and counted anew
 * from the stored file by the check lake.no_row_lost.
 *
 * Until the one transaction that publishes, nothing is visible; blobs that it would have named are then unreferenced. */
#include "modules/lake/lake_int.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/blob.h"
#include "io/crypto.h"
#include "io/filemap.h"

#define QUARANTINED_TEXT_MAX (64u << 10)
#define PROGRESS_ROWS 16384
#define REASONS_SHOWN 10
#define REPEATED "the key stood in an earlier row"
#define REPEATS_MAX 10000000
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

/* --- what is asked for ----------------------------------------------------------------------------------- */

static bool listed(const struct list *names, str name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (str_eq_nocase(*LIST_AT(*names, const str, i), name))
			return true;
	}
	return false;
}

static enum rc check_named(const struct ingest *g, const str *col, size_t n, str name, const char *what, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq_nocase(col[i], name))
			return RC_OK;
	}
	(void)g;
	(void)FAIL(e, RC_INVALID, "%s names '" STR_FMT "', which the file does not have", what, STR_ARG(name));
	return err_field(e, "%s", what);
}

static enum rc check_names(const struct ingest *g, const str *col, size_t n, struct err *e)
{
	const struct ingest_request *r = g->req;

	for (size_t i = 0; i < r->columns.n; i++)
		TRY(check_named(g, col, n, LIST_AT(r->columns, struct ingest_column, i)->name, "columns", e));
	for (size_t i = 0; i < r->time_columns.n; i++)
		TRY(check_named(g, col, n, *LIST_AT(r->time_columns, str, i), "time_columns", e));
	for (size_t i = 0; i < r->key.n; i++)
		TRY(check_named(g, col, n, *LIST_AT(r->key, str, i), "key", e));
	return RC_OK;
}

/* VALUE_TYPES: not said. */
static enum value_type type_asked(const struct ingest_request *r, str column)
{
	for (size_t i = 0; i < r->columns.n; i++) {
		const struct ingest_column *c = LIST_AT(r->columns, const struct ingest_column, i);
		if (str_eq_nocase(c->name, column))
			return (enum value_type)c->type;
	}
	return listed(&r->time_columns, column) ? TYPE_TIMESTAMP : VALUE_TYPES;
}

/* Everything that decides what comes out, beside the bytes of the file. */
static str spec_hash(const struct ingest_request *r, enum source_format format, struct arena *a)
{
	struct ingest_request spec = *r;
	char *hex = arena_alloc_raw(a, SHA256_HEX + 1);

	spec.name = spec.blob = spec.source_name = STR("");
	spec.format = (int32_t)format;
	sha256_hex(record_to_json(&ingest_request_record, &spec, 0, a), hex);
	return str_of(hex);
}

static char delimiter_asked(str d)
{
	return d.len == 0 ? '\0' : d.len == 1 ? d.at[0] : '\t';
}

/* --- text sources ------------------------------------------------------------------------------------------ */

static enum rc still_wanted(struct ingest *g, double from, double to, const char *doing, struct err *e)
{
	if (g->n_seen++ % PROGRESS_ROWS != 0)
		return RC_OK;
	if (work_cancelled(g->task))
		return FAIL(e, RC_CANCELLED, "cancelled");
	work_progress(g->task, from + (to - from) * source_fraction(&g->src), "%s, row %lld", doing, (long long)g->n_seen);
	return RC_OK;
}

static bool no_value(const struct ingest *g, enum value_type t, str v)
{
	if (value_is_null(t, v))
		return true;
	for (size_t i = 0; i < g->req->nulls.n; i++) {
		if (str_eq(*LIST_AT(g->req->nulls, const str, i), v))
			return true;
	}
	return false;
}

static enum rc find_types(struct ingest *g, struct err *e)
{
	struct source *s = &g->src;
	struct guess *guess = ARENA_ARRAY(g->a, struct guess, s->n_col);
	struct source_row row;
	bool end = false;

	for (size_t i = 0; s->text_only != NULL && i < s->n_col; i++)
		guess[i].text_only = s->text_only[i];
	for (;;) {
		TRY(still_wanted(g, 0.02, 0.3, "finding types", e));
		TRY(source_next(s, &row, &end, e));
		if (end)
			break;
		for (size_t i = 0; row.problem.len == 0 && i < s->n_col; i++) {
			if (!no_value(g, TYPE_VARCHAR, row.value[i]))
				guess_add(&guess[i], row.value[i]);
		}
	}
	g->type = ARENA_ARRAY(g->a, enum value_type, s->n_col);
	for (size_t i = 0; i < s->n_col; i++) {
		g->type[i] = type_asked(g->req, s->name[i]);
		if (g->type[i] == VALUE_TYPES)
			g->type[i] = guess_type(&guess[i], g->req->tolerance);
	}
	source_rewind(s);
	return RC_OK;
}

static enum rc begin_bad(struct ingest *g, struct err *e)
{
	static const struct col bad[] = {
		{ { "line", 4 }, COL_I64, { 0 } },     { { "column_name", 11 }, COL_TEXT, { 0 } },
		{ { "reason", 6 }, COL_TEXT, { 0 } },  { { "row_text", 8 }, COL_TEXT, { 0 } },
	};

	return query_append_begin(g->q, STR(BAD), bad, ARRAY_LEN(bad), &g->bad, e);
}

static enum rc begin_rows(struct ingest *g, struct err *e)
{
	struct source *s = &g->src;
	size_t extra = g->req->key.n > 0 ? 3 : 0;
	struct col *col = ARENA_ARRAY(g->a, struct col, s->n_col + extra);

	g->is_key = ARENA_ARRAY(g->a, bool, s->n_col);
	g->value = ARENA_ARRAY(g->a, struct value, s->n_col);
	for (size_t i = 0; i < s->n_col; i++) {
		col[i] = (struct col){ .name = s->name[i], .type = value_col_type(g->type[i]) };
		g->is_key[i] = listed(&g->req->key, s->name[i]);
	}
	if (extra > 0) {
		col[s->n_col] = (struct col){ .name = STR(LINE), .type = COL_I64 };
		col[s->n_col + 1] = (struct col){ .name = STR(AT), .type = COL_I64 };
		col[s->n_col + 2] = (struct col){ .name = STR(LEN), .type = COL_I64 };
	}
	return query_append_begin(g->q, STR(ROWS), col, s->n_col + extra, &g->rows, e);
}

static enum rc quarantine(struct ingest *g, int64_t line, str column, str reason, str raw, struct err *e)
{
	struct arena tmp;

	arena_init(&tmp);
	query_append_i64(g->bad, line);
	query_append_text(g->bad, column);
	query_append_text(g->bad, lake__show_bytes(&tmp, reason, 512));
	query_append_text(g->bad, lake__show_bytes(&tmp, raw, QUARANTINED_TEXT_MAX));
	arena_deinit(&tmp);
	g->n_bad++;
	return query_append_row(g->bad, e);
}

static void append_value(struct query_append *p, enum value_type t, str text, const struct value *v)
{
	switch (t) {
	case TYPE_BOOLEAN:
		query_append_bool(p, v->i != 0);
		return;
	case TYPE_BIGINT: case TYPE_TIMESTAMP:
		query_append_i64(p, v->i);
		return;
	case TYPE_DOUBLE:
		query_append_f64(p, v->f);
		return;
	case TYPE_VARCHAR:
		query_append_text(p, text);
		return;
	case VALUE_TYPES:
		break;
	}
	UNREACHABLE("a type of values");
}

static enum rc keep_row(struct ingest *g, const struct source_row *row, struct err *e)
{
	struct source *s = &g->src;

	for (size_t i = 0; i < s->n_col; i++) {
		if (no_value(g, g->type[i], row->value[i]))
			query_append_null(g->rows);
		else
			append_value(g->rows, g->type[i], row->value[i], &g->value[i]);
	}
	if (g->req->key.n > 0) {
		query_append_i64(g->rows, row->line);
		query_append_i64(g->rows, row->raw.at - g->map.data.at);
		query_append_i64(g->rows, (int64_t)row->raw.len);
	}
	return query_append_row(g->rows, e);
}

static const char *const misfit[VALUE_TYPES] = { "not a BOOLEAN", "not a BIGINT", "not a DOUBLE", "not a TIMESTAMP", "" };

static enum rc take_row(struct ingest *g, const struct source_row *row, struct err *e)
{
	struct source *s = &g->src;

	if (row->problem.len > 0)
		return quarantine(g, row->line, STR(""), row->problem, row->raw, e);
	for (size_t i = 0; i < s->n_col; i++) {
		if (no_value(g, g->type[i], row->value[i])) {
			if (g->is_key[i])
				return quarantine(g, row->line, s->name[i], STR("the key is missing"), row->raw, e);
			continue;
		}
		if (!value_read(g->type[i], row->value[i], &g->value[i]))
			return quarantine(g, row->line, s->name[i], str_of(misfit[g->type[i]]), row->raw, e);
	}
	return keep_row(g, row, e);
}

static enum rc take_rows(struct ingest *g, struct err *e)
{
	struct source_row row;
	bool end = false;

	g->n_seen = 0;
	for (;;) {
		TRY(still_wanted(g, 0.3, 0.6, "reading", e));
		TRY(source_next(&g->src, &row, &end, e));
		if (end)
			return RC_OK;
		g->n_source++;
		TRY(take_row(g, &row, e));
	}
}

/* --- keys ----------------------------------------------------------------------------------------------------- */

static str key_columns(const struct ingest *g)
{
	str out = STR("");

	for (size_t i = 0; i < g->req->key.n; i++) {
		str name = query_quote_name(g->a, *LIST_AT(g->req->key, str, i));
		out = arena_printf(g->a, STR_FMT "%s" STR_FMT, STR_ARG(out), i > 0 ? ", " : "", STR_ARG(name));
	}
	return out;
}

/* Rows whose key stood in an earlier row are quarantined too. Where a row begins in the file tells rows apart: a line can
 * hold more than one. */
static enum rc quarantine_repeats(struct ingest *g, struct err *e)
{
	struct result r;
	str key = key_columns(g);

	TRY(query_define(g->q, STR("cairn_repeats"),
			 arena_printf(g->a,
				      "SELECT " LINE ", " AT ", " LEN " FROM (SELECT *, min(" AT ") OVER (PARTITION BY " STR_FMT
				      ") AS cairn_first FROM " ROWS ") WHERE " AT " > cairn_first",
				      STR_ARG(key)),
			 true, e));
	TRY(query_run(g->q, STR("SELECT " LINE ", " AT ", " LEN " FROM cairn_repeats ORDER BY " AT), REPEATS_MAX, g->a, &r, e));
	for (size_t i = 0; i < r.n; i++) {
		str raw = str_n(g->map.data.at + r.col[1].i[i], (size_t)r.col[2].i[i]);
		TRY(quarantine(g, r.col[0].i[i], key, STR(REPEATED), raw, e));
	}
	return query_define(g->q, STR(GOOD),
			    STR("SELECT * EXCLUDE (" LINE ", " AT ", " LEN ") FROM " ROWS " WHERE " AT " NOT IN (SELECT " AT
				" FROM cairn_repeats)"),
			    false, e);
}

static enum rc define_good(struct ingest *g, struct err *e)
{
	if (g->req->key.n > 0)
		return quarantine_repeats(g, e);
	return query_define(g->q, STR(GOOD), STR("SELECT * FROM " ROWS), false, e);
}

/* --- loading ---------------------------------------------------------------------------------------------------- */

static enum rc load_open_text(struct ingest *g, struct err *e)
{
	TRY(check_names(g, g->src.name, g->src.n_col, e));
	TRY(find_types(g, e));
	TRY(begin_bad(g, e));
	TRY(begin_rows(g, e));
	TRY(take_rows(g, e));
	TRY(query_append_end(&g->rows, e));
	TRY(define_good(g, e));
	return query_append_end(&g->bad, e);
}

/* Appenders end before their session, also after an error, which is then the one that counts. */
static void end_early(struct query_append **p)
{
	struct err e = ERR_INIT;

	if (*p != NULL && query_append_end(p, &e) != RC_OK)
		LOG(DEBUG, "ingest.append", KV_ERR(&e));
}

static enum rc load_text(struct ingest *g, struct err *e)
{
	TRY(source_open(&g->src, g->map.data, g->format, delimiter_asked(g->req->delimiter), g->a, e));
	g->v.source_format = (int32_t)g->format;
	if (g->format == FORMAT_CSV)
		g->v.delimiter = arena_printf(g->a, "%c", g->src.delimiter);
	enum rc rc = load_open_text(g, e);
	end_early(&g->rows);
	end_early(&g->bad);
	source_close(&g->src);
	return rc;
}

static enum value_type type_of_parquet(const struct col *c)
{
	switch (c->type) {
	case COL_BOOL:
		return TYPE_BOOLEAN;
	case COL_I64:
		return TYPE_BIGINT;
	case COL_F64:
		return TYPE_DOUBLE;
	case COL_TIME:
		return TYPE_TIMESTAMP;
	case COL_TEXT: case COL_OTHER:
		return TYPE_VARCHAR;
	}
	UNREACHABLE("a column type");
}

/* The SELECT that casts, and the reason of the first column that does not fit as a CASE. */
static enum rc cast_parquet(struct ingest *g, const struct col *col, size_t n, struct err *e)
{
	struct buf casts = BUF_INIT(4u << 20), which = BUF_INIT(4u << 20);

	buf_add(&which, STR("CASE"));
	for (size_t i = 0; i < n; i++) {
		enum value_type asked = type_asked(g->req, col[i].name);
		const char *to = value_type_names[asked != VALUE_TYPES ? asked : type_of_parquet(&col[i])];
		str name = query_quote_name(g->a, col[i].name), text = query_quote_text(g->a, col[i].name);
		buf_addf(&casts, ", TRY_CAST(" STR_FMT " AS %s) AS " STR_FMT, STR_ARG(name), to, STR_ARG(name));
		buf_addf(&which,
			 " WHEN " STR_FMT " IS NOT NULL AND TRY_CAST(" STR_FMT " AS %s) IS NULL THEN [" STR_FMT ", 'not a %s']",
			 STR_ARG(name), STR_ARG(name), to, STR_ARG(text), to);
		if (listed(&g->req->key, col[i].name))
			buf_addf(&which, " WHEN " STR_FMT " IS NULL THEN [" STR_FMT ", 'the key is missing']", STR_ARG(name),
				 STR_ARG(text));
	}
	buf_add(&which, STR(" END"));
	enum rc rc = casts.overflowed || which.overflowed ? FAIL(e, RC_TOO_LARGE, "too many columns") : RC_OK;
	if (rc == RC_OK)
		rc = query_define(g->q, STR("cairn_judged"),
				  arena_printf(g->a,
					       "SELECT row_number() OVER () AS " LINE ", " STR_FMT
					       " AS cairn_wrong, to_json(f) AS cairn_text" STR_FMT " FROM cairn_file AS f",
					       STR_ARG(buf_str(&which)), STR_ARG(buf_str(&casts))),
				  true, e);
	buf_deinit(&casts);
	buf_deinit(&which);
	return rc;
}

static enum rc split_parquet(struct ingest *g, struct err *e)
{
	struct result r;

	TRY(query_exec(g->q,
		       STR("CREATE TABLE " BAD " AS SELECT " LINE
			   " AS line, cairn_wrong[1] AS column_name, cairn_wrong[2] AS reason,"
			   " CAST(cairn_text AS VARCHAR) AS row_text FROM cairn_judged WHERE cairn_wrong IS NOT NULL"),
		       NULL, e));
	TRY(query_define(g->q, STR(ROWS),
			 STR("SELECT * EXCLUDE (cairn_wrong, cairn_text) FROM cairn_judged WHERE cairn_wrong IS NULL"), false,
			 e));
	if (g->req->key.n > 0) {
		str key = key_columns(g), shown = query_quote_text(g->a, key);
		TRY(query_exec(
		    g->q,
		    arena_printf(
			g->a,
			"CREATE TABLE cairn_repeats AS SELECT * FROM (SELECT " LINE ", min(" LINE
			") OVER (PARTITION BY " STR_FMT ") AS cairn_first FROM " ROWS ") WHERE " LINE " > cairn_first;\n"
			"INSERT INTO " BAD " SELECT " LINE ", " STR_FMT ", '" REPEATED "',"
			" CAST(cairn_text AS VARCHAR) FROM cairn_judged WHERE " LINE " IN (SELECT " LINE " FROM cairn_repeats)",
			STR_ARG(key), STR_ARG(shown)),
		    NULL, e));
	}
	TRY(query_define(g->q, STR(GOOD),
			 arena_printf(g->a, "SELECT * EXCLUDE (" LINE ") FROM " ROWS "%s",
				      g->req->key.n > 0 ? " WHERE " LINE " NOT IN (SELECT " LINE " FROM cairn_repeats)" : ""),
			 false, e));
	TRY(query_run(g->q, STR("SELECT (SELECT count(*) FROM cairn_file), (SELECT count(*) FROM " BAD ")"), 1, g->a, &r, e));
	g->n_source = r.col[0].i[0];
	g->n_bad = r.col[1].i[0];
	return RC_OK;
}

static enum rc load_parquet(struct ingest *g, struct err *e)
{
	struct col *col;
	size_t n;
	str path;

	g->v.source_format = FORMAT_PARQUET;
	TRY(blob_path(g->lake->core->blobs, g->req->blob, g->a, &path, e));
	work_progress(g->task, 0.05, "reading Parquet");
	enum rc rc = query_bind_parquet(g->q, STR("cairn_file"), path, e);
	if (rc != RC_OK)
		return rc == RC_IO || rc == RC_INVALID ? FAIL(e, RC_INVALID, "the file is not whole Parquet") : rc;
	TRY(query_describe(g->q, STR("SELECT * FROM cairn_file"), g->a, &col, &n, e));
	str *name = ARENA_ARRAY(g->a, str, n);
	for (size_t i = 0; i < n; i++)
		name[i] = col[i].name;
	TRY(check_names(g, name, n, e));
	TRY(cast_parquet(g, col, n, e));
	return split_parquet(g, e);
}

/* --- publishing -------------------------------------------------------------------------------------------------- */

static enum rc adopt(struct ingest *g, const char *what, const char *select, str *blob, int64_t *n_rows, int64_t *size,
		     struct err *e)
{
	char *id = arena_alloc_raw(g->a, BLOB_ID_LEN + 1);
	char *path = arena_cstr(g->a, arena_printf(g->a, "%s/%s.parquet", query_scratch(g->q), what));
	uint64_t bytes = 0;

	TRY(query_to_parquet(g->q, str_of(select), str_of(path), n_rows, e));
	if (work_cancelled(g->task))
		return FAIL(e, RC_CANCELLED, "cancelled");
	TRY(blob_adopt(g->lake->core->blobs, path, id, &bytes, e));
	*blob = str_of(id);
	*size = (int64_t)bytes;
	return RC_OK;
}

static enum rc count_reasons(struct ingest *g, struct err *e)
{
	struct result r;

	if (g->n_bad == 0)
		return RC_OK;
	TRY(query_run(g->q,
		      STR("SELECT column_name, reason, count(*) FROM " BAD " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10"),
		      REASONS_SHOWN, g->a, &r, e));
	struct ingest_reason *reason = ARENA_ARRAY(g->a, struct ingest_reason, r.n);
	for (size_t i = 0; i < r.n; i++)
		reason[i] = (struct ingest_reason){ r.col[0].s[i], r.col[1].s[i], r.col[2].i[i] };
	g->reasons = (struct list){ reason, r.n };
	return RC_OK;
}

static enum rc first_problem(struct ingest *g, struct err *e)
{
	struct result r;

	TRY(query_run(g->q, STR("SELECT line, column_name, reason FROM " BAD " ORDER BY line LIMIT 1"), 1, g->a, &r, e));
	CHECK(r.n == 1);
	return FAIL(e, RC_INVALID, "none of the %lld rows fits; line %lld: " STR_FMT "%s" STR_FMT, (long long)g->n_source,
		    (long long)r.col[0].i[0], STR_ARG(r.col[1].s[0]), r.col[1].s[0].len > 0 ? ": " : "",
		    STR_ARG(r.col[2].s[0]));
}

static enum rc describe(struct ingest *g, struct err *e)
{
	struct col *col;
	size_t n;

	TRY(query_describe(g->q, STR("SELECT * FROM " GOOD), g->a, &col, &n, e));
	struct dataset_column *out = ARENA_ARRAY(g->a, struct dataset_column, n);
	for (size_t i = 0; i < n; i++)
		out[i] = (struct dataset_column){ col[i].name, col[i].sql_type };
	g->v.columns = (struct list){ out, n };
	return RC_OK;
}

static enum rc write_files(struct ingest *g, struct err *e)
{
	struct dataset_version *v = &g->v;
	int64_t size, n_bad = 0;

	if (g->n_source > 0 && g->n_bad == g->n_source)
		return first_problem(g, e);
	TRY(describe(g, e));
	work_progress(g->task, 0.65, "writing Parquet");
	TRY(adopt(g, "rows", "SELECT * FROM " GOOD, &v->blob, &v->n_rows, &v->size, e));
	if (g->n_bad > 0)
		TRY(adopt(g, "quarantine", "SELECT * FROM " BAD " ORDER BY line", &v->quarantine_blob, &n_bad, &size, e));
	TRY(count_reasons(g, e));
	v->n_quarantined = n_bad;
	v->n_source_rows = g->n_source;
	if (v->n_rows + n_bad != g->n_source || n_bad != g->n_bad)
		return FAIL(e, RC_INTERNAL, "the file has %lld rows, but %lld were stored and %lld quarantined",
			    (long long)g->n_source, (long long)v->n_rows, (long long)n_bad);
	return lake__profile(g->q, STR(GOOD), g->task, 0.75, 0.95, g->a, &v->profile, e);
}

static bool same_as(const struct ingest *g, const struct dataset_version *v)
{
	return str_eq(v->source_blob, g->req->blob) && str_eq(v->spec_hash, g->v.spec_hash);
}

/* The newest version, and whether it is what this ingest would make again. */
static enum rc read_newest(struct tx *tx, void *ctx, struct err *e)
{
	struct ingest *g = ctx;
	bool found = false;

	TRY(lake__newest(tx, g->a, g->req->name, &g->before, &found, e));
	g->same = found && same_as(g, &g->before);
	return RC_OK;
}

/* Looks once more: the same file may have been ingested by another task in the meantime. */
static enum rc publish(struct tx *tx, void *ctx, struct err *e)
{
	struct ingest *g = ctx;

	TRY(read_newest(tx, g, e));
	if (g->same)
		return RC_OK;
	TRY(lineage_node_put(tx, LIN_SOURCE, g->req->blob, g->source_name, STR_NONE, e));
	return lake__publish(tx, &g->v, g->who, g->a, e);
}

static enum rc make_version(struct ingest *g, struct err *e)
{
	TRY(query_open(g->lake->core->query, &g->q, e));
	lake__watch(g->task, g->q);
	enum rc rc = g->format == FORMAT_PARQUET ? load_parquet(g, e) : load_text(g, e);
	if (rc == RC_OK)
		rc = write_files(g, e);
	if (rc != RC_OK)
		return rc;
	work_progress(g->task, 0.96, "publishing");
	if (work_cancelled(g->task))
		return FAIL(e, RC_CANCELLED, "cancelled");
	return db_write(g->lake->core->db, publish, g, e);
}

/* --- the whole ------------------------------------------------------------------------------------------------------ */

static const struct dataset_column *column_named(const struct list *columns, str name)
{
	for (size_t i = 0; i < columns->n; i++) {
		const struct dataset_column *c = LIST_AT(*columns, const struct dataset_column, i);
		if (str_eq(c->name, name))
			return c;
	}
	return NULL;
}

/* What is different about the columns since the version before: what breaks SQL that reads them. */
static struct list schema_changes(const struct ingest *g)
{
	VEC(str) out = { 0 };

	for (size_t i = 0; i < g->before.columns.n; i++) {
		const struct dataset_column *old = LIST_AT(g->before.columns, const struct dataset_column, i);
		const struct dataset_column *now = column_named(&g->v.columns, old->name);
		if (now == NULL)
			*VEC_PUSH(g->a, &out) = arena_printf(g->a, STR_FMT ": gone", STR_ARG(old->name));
		else if (!str_eq(now->type, old->type))
			*VEC_PUSH(g->a, &out) = arena_printf(g->a, STR_FMT ": " STR_FMT " before, " STR_FMT " now", STR_ARG(old->name),
							     STR_ARG(old->type), STR_ARG(now->type));
	}
	for (size_t i = 0; g->before.columns.n > 0 && i < g->v.columns.n; i++) {
		const struct dataset_column *now = LIST_AT(g->v.columns, const struct dataset_column, i);
		if (column_named(&g->before.columns, now->name) == NULL)
			*VEC_PUSH(g->a, &out) = arena_printf(g->a, STR_FMT ": new", STR_ARG(now->name));
	}
	return (struct list)LIST_OF(out);
}

static void tell(const struct ingest *g, uint64_t since_ns, struct ingest_result *out)
{
	const struct dataset_version *v = g->same ? &g->before : &g->v;
	double s = (double)(clock_ns() - since_ns) / 1e9;

	*out = (struct ingest_result){
		.id = v->id,
		.dataset = v->dataset,
		.version = v->number,
		.unchanged = g->same,
		.n_source_rows = v->n_source_rows,
		.n_rows = v->n_rows,
		.n_quarantined = v->n_quarantined,
		.columns = v->columns,
		.reasons = g->reasons,
		.took_ms = (int64_t)(s * 1000),
		.rows_per_s = s > 0 && !g->same ? (double)(int64_t)((double)v->n_source_rows / s) : 0,
	};
	if (!g->same)
		out->schema_changes = schema_changes(g);
}

static enum rc name_source(struct ingest *g, struct err *e)
{
	struct lake_source s = { 0 };
	bool found = false;

	TRY(lake__source_find(g->lake, g->a, g->req->blob, &s, &found, e));
	g->source_name = g->req->source_name.len > 0 ? g->req->source_name : found && s.name.len > 0 ? s.name : STR("upload");
	return RC_OK;
}

static enum rc run_mapped(struct ingest *g, struct err *e)
{
	g->format =
	    g->req->format != FORMAT_AUTO ? (enum source_format)g->req->format : source_format_of(g->map.data, g->source_name);
	g->v = (struct dataset_version){
		.dataset = g->req->name,
		.source_blob = g->req->blob,
		.spec_hash = spec_hash(g->req, g->format, g->a),
		.origin = arena_printf(g->a, "ingest " STR_FMT, STR_ARG(g->source_name)),
		.origin_kind = STR(LIN_SOURCE),
		.origin_id = g->req->blob,
	};
	TRY(db_read(g->lake->core->db, read_newest, g, e));
	if (g->same)
		return RC_OK;
	enum rc rc = make_version(g, e);
	lake__unwatch(g->task);
	query_close(&g->q);
	return rc;
}

enum rc lake__ingest(struct lake *l, const struct ingest_request *r, const struct principal *who, struct task *t,
		     struct arena *a, struct ingest_result *out, struct err *e)
{
	struct ingest g = { .lake = l, .req = r, .who = who, .task = t, .a = a };
	uint64_t since_ns = clock_ns(), size;
	int fd;

	OBJ_CHECK(l, LAKE_MAGIC);
	TRY(name_source(&g, e));
	TRY(blob_open(l->core->blobs, r->blob, &fd, &size, e));
	enum rc rc = filemap_open(fd, size, &g.map, e);
	close(fd);
	if (rc != RC_OK)
		return rc;
	rc = run_mapped(&g, e);
	filemap_close(&g.map);
	if (rc != RC_OK)
		return err_wrap(e, STR_FMT, STR_ARG(g.source_name));
	tell(&g, since_ns, out);
	return RC_OK;
}

str lake__show_bytes(struct arena *a, str raw, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = raw.len > max ? max : raw.len, k = 0;

	/* A cut inside a character leaves bytes that are escaped like any that are no UTF-8. */
	if (raw.len <= max && str_is_utf8(raw) && (raw.len == 0 || memchr(raw.at, '\0', raw.len) == NULL))
		return raw;
	bool text = str_is_utf8(str_head(raw, n));
	char *out = arena_alloc_raw(a, n * 4 + 8);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)raw.at[i];
		if (c == 0 || (!text && c >= 0x80)) {
			out[k++] = '\\';
			out[k++] = 'x';
			out[k++] = hex[c >> 4];
			out[k++] = hex[c & 15];
		} else {
			out[k++] = (char)c;
		}
	}
	if (raw.len > max) {
		memcpy(out + k, "\xe2\x80\xa6", 3);
		k += 3;
	}
	return str_n(out, k);
}
