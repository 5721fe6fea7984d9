/* ingest_parquet.c -- Parquet: cast to the five types by DuckDB, with the same rules for what does not fit. */
#include "modules/lake/ingest.h"

#include "io/blob.h"

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
		enum value_type asked = ingest__type_asked(g->req, col[i].name);
		const char *to = value_type_names[asked != VALUE_TYPES ? asked : type_of_parquet(&col[i])];
		str name = query_quote_name(g->a, col[i].name), text = query_quote_text(g->a, col[i].name);
		buf_addf(&casts, ", TRY_CAST(" STR_FMT " AS %s) AS " STR_FMT, STR_ARG(name), to, STR_ARG(name));
		buf_addf(&which,
			 " WHEN " STR_FMT " IS NOT NULL AND TRY_CAST(" STR_FMT " AS %s) IS NULL THEN [" STR_FMT ", 'not a %s']",
			 STR_ARG(name), STR_ARG(name), to, STR_ARG(text), to);
		if (ingest__listed(&g->req->key, col[i].name))
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
		str key = ingest__key_columns(g), shown = query_quote_text(g->a, key);
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

enum rc ingest__load_parquet(struct ingest *g, struct err *e)
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
	TRY(ingest__check_names(g, name, n, e));
	TRY(cast_parquet(g, col, n, e));
	return split_parquet(g, e);
}
