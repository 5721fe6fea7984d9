/* ingest_text.c -- CSV and JSON: types from all values, then each row converted or quarantined with its reason. */
#include "modules/lake/ingest.h"

#include "base/log.h"

#define QUARANTINED_TEXT_MAX (64u << 10)
#define PROGRESS_ROWS 16384
#define REPEATS_MAX 10000000

static char delimiter_asked(str d)
{
	return d.len == 0 ? '\0' : d.len == 1 ? d.at[0] : '\t';
}

/* --- rows -------------------------------------------------------------------------------------------------- */

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
		g->type[i] = ingest__type_asked(g->req, s->name[i]);
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
		g->is_key[i] = ingest__listed(&g->req->key, s->name[i]);
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

/* Rows whose key stood in an earlier row are quarantined too. Where a row begins in the file tells rows apart: a line can
 * hold more than one. */
static enum rc quarantine_repeats(struct ingest *g, struct err *e)
{
	struct result r;
	str key = ingest__key_columns(g);

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
	TRY(ingest__check_names(g, g->src.name, g->src.n_col, e));
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

enum rc ingest__load_text(struct ingest *g, struct err *e)
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
