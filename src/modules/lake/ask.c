/* ask.c -- SELECTs of users over datasets: which datasets a text names, and rows as JSON. */
#include "modules/lake/lake_int.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "io/blob.h"

#define ASKING_MAX 12

/* --- rows as JSON ------------------------------------------------------------------------------------------- */

/* Milliseconds as everywhere; microseconds where there are any. */
static void write_time(struct jw *w, int64_t us)
{
	char text[CLOCK_TEXT_MAX + 8];
	int64_t below = us % 1000 < 0 ? us % 1000 + 1000 : us % 1000;
	size_t n = clock_put_rfc3339(text, (us - below) / 1000);

	if (below == 0) {
		jw_str(w, str_n(text, n));
		return;
	}
	n--;    /* the Z */
	int64_t fraction = (us % 1000000 + 1000000) % 1000000;
	ptrdiff_t dot = str_find_char(str_n(text, n), '.');
	n = dot >= 0 ? (size_t)dot : n;
	text[n++] = '.';
	for (int64_t scale = 100000; scale > 0; scale /= 10)
		text[n++] = (char)('0' + fraction / scale % 10);
	text[n++] = 'Z';
	jw_str(w, str_n(text, n));
}

static void write_cell(struct jw *w, const struct result_col *c, size_t row)
{
	if (c->null[row]) {
		jw_null(w);
		return;
	}
	switch (c->c.type) {
	case COL_BOOL:
		jw_bool(w, c->i[row] != 0);
		return;
	case COL_I64:
		jw_i64(w, c->i[row]);
		return;
	case COL_F64:
		jw_f64(w, c->f[row]);
		return;
	case COL_TIME:
		write_time(w, c->i[row]);
		return;
	case COL_TEXT: case COL_OTHER:
		jw_str(w, c->s[row]);
		return;
	}
	UNREACHABLE("a column type");
}

static enum rc rows_json(const struct result *r, size_t n, struct arena *a, str *out, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	jw_init(&w, &b);
	jw_array(&w);
	for (size_t row = 0; row < n && !b.overflowed; row++) {
		jw_array(&w);
		for (size_t c = 0; c < r->n_col; c++)
			write_cell(&w, &r->col[c], row);
		jw_end_array(&w);
	}
	jw_end_array(&w);
	enum rc rc =
	    b.overflowed ? FAIL(e, RC_TOO_LARGE, "the rows are more than %u MiB; ask for fewer", LIMIT_REPLY >> 20) : RC_OK;
	if (rc == RC_OK)
		*out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return rc;
}

static str bare(str sql)
{
	str s = str_trim(sql);

	while (s.len > 0 && s.at[s.len - 1] == ';')
		s = str_trim(str_head(s, s.len - 1));
	return s;
}

enum rc lake__table(struct query *q, str select, int64_t limit, struct arena *a, struct table *out, struct err *e)
{
	struct result r;
	struct col *col;
	size_t n_col;
	str sql = bare(select);

	CHECK(limit >= 0 && limit <= LIMIT_ROWS);
	TRY(query_describe(q, sql, a, &col, &n_col, e));
	/* The text was admitted as one whole SELECT just now, so in parentheses it is no more than that. */
	str limited = arena_printf(a, "SELECT * FROM (" STR_FMT "\n) LIMIT %lld", STR_ARG(sql), (long long)limit + 1);
	TRY(query_run_ours(q, limited, (size_t)limit + 1, a, &r, e));
	struct dataset_column *columns = ARENA_ARRAY(a, struct dataset_column, n_col);
	for (size_t i = 0; i < n_col; i++)
		columns[i] = (struct dataset_column){ col[i].name, col[i].sql_type };
	size_t n = r.n > (size_t)limit ? (size_t)limit : r.n;
	TRY(rows_json(&r, n, a, &out->rows, e));
	out->columns = (struct list){ columns, n_col };
	out->n_rows = (int64_t)n;
	out->more = r.n > n;
	return RC_OK;
}

/* --- datasets by name in SQL ----------------------------------------------------------------------------------- */

enum rc lake_bind(struct lake *l, struct query *q, str as, const struct dataset_version *v, struct err *e)
{
	struct arena a;
	str path;

	OBJ_CHECK(l, LAKE_MAGIC);
	arena_init(&a);
	enum rc rc = blob_path(l->core->blobs, v->blob, &a, &path, e);
	if (rc == RC_OK)
		rc = query_bind_parquet(q, as, path, e);
	arena_deinit(&a);
	if (rc != RC_OK)
		return err_wrap(e, "dataset '" STR_FMT "'", STR_ARG(v->id));
	return RC_OK;
}

enum rc lake__tables_of(struct query *q, str sql, struct arena *a, struct list *out, struct err *e)
{
	struct result r;

	/* DuckDB's own parser says which names stand where a table is expected. */
	str text = query_quote_text(a, sql);
	TRY(query_run(
	    q,
	    arena_printf(a,
			 "SELECT DISTINCT json_extract_string(t.value, '$') FROM json_tree(json_serialize_sql(CAST(" STR_FMT
			 " AS VARCHAR))) AS t WHERE t.key = 'table_name' AND t.type = 'VARCHAR' ORDER BY 1",
			 STR_ARG(text)),
	    LIMIT_LIST, a, &r, e));
	*out = (struct list){ r.n > 0 ? r.col[0].s : NULL, r.n };
	return RC_OK;
}

/* "trips" or "trips@3". False when it is no such name. */
static bool split_version(str name, str *dataset, int64_t *number)
{
	ptrdiff_t at = str_find_char(name, '@');

	*number = 0;
	*dataset = at < 0 ? name : str_head(name, (size_t)at);
	return at < 0 || (str_to_i64(str_skip(name, (size_t)at + 1), number) && *number > 0);
}

enum rc lake_bind_named(struct lake *l, struct query *q, str sql, struct arena *a, struct list *versions_out, struct err *e)
{
	VEC(struct dataset_version) versions = { 0 };
	struct dataset_version v;
	struct list names, datasets;
	int64_t number;
	str wanted;

	if (memchr(sql.at != NULL ? sql.at : "", '\0', sql.len) != NULL || !str_is_utf8(sql))
		return FAIL(e, RC_INVALID, "the SQL is not text in UTF-8");
	TRY(lake__tables_of(q, sql, a, &names, e));
	TRY(lake__datasets(l, a, &datasets, e));
	for (size_t i = 0; i < names.n; i++) {
		str name = *LIST_AT(names, const str, i);
		if (!split_version(name, &wanted, &number))
			continue;
		for (size_t k = 0; k < datasets.n; k++) {
			const struct dataset *d = LIST_AT(datasets, const struct dataset, k);
			if (!str_eq_nocase(d->name, wanted))
				continue;
			TRY(lake_version(l, a, d->name, number, &v, e));
			TRY(lake_bind(l, q, name, &v, e));
			*VEC_PUSH(a, &versions) = v;
		}
	}
	*versions_out = LIST_OF(versions);
	return RC_OK;
}

static enum rc ask(struct lake *l, struct query *q, str sql, int64_t limit, struct arena *a, struct table *out, struct err *e)
{
	struct list versions;

	TRY(query_check(q, sql, e));
	TRY(lake_bind_named(l, q, sql, a, &versions, e));
	TRY(query_sandbox(q, e));
	query_time_limit(q, (uint32_t)l->config.query_ms);
	return lake__table(q, sql, limit, a, out, e);
}

static enum rc ask_alone(struct lake *l, str sql, int64_t limit, struct arena *a, struct table *out, struct err *e)
{
	struct query *q = NULL;

	TRY(query_open(l->core->query, &q, e));
	enum rc rc = ask(l, q, sql, limit, a, out, e);
	query_close(&q);
	return rc;
}

/* Each holds a worker of the HTTP server, and a text that DuckDB plans for minutes holds it beyond every time limit: so
 * only some of the workers are theirs. */
enum rc lake__ask(struct lake *l, str sql, int64_t limit, struct arena *a, struct table *out, struct err *e)
{
	enum rc rc = RC_OK;

	if (atomic_fetch_add(&l->n_asking, 1) >= ASKING_MAX)
		rc = FAIL(e, RC_LIMIT, "%d queries run already; try again when some have ended", ASKING_MAX);
	else
		rc = ask_alone(l, sql, limit, a, out, e);
	atomic_fetch_sub(&l->n_asking, 1);
	return rc;
}
