/* query_rows.c -- rows out of DuckDB's vectors into arrays, and rows from C into its tables. */
#ifdef CAIRN_HAVE_DUCKDB

#include "io/query_int.h"

#include <stdlib.h>
#include <string.h>

/* --- reading rows ------------------------------------------------------------------------------- */

/* How a DuckDB type is read. Others are cast in SQL first (wrap). */
static const struct { duckdb_type type; enum col_type as; const char *name; bool direct; } duck_types[] = {
	{ DUCKDB_TYPE_BOOLEAN, COL_BOOL, "BOOLEAN", true },
	{ DUCKDB_TYPE_TINYINT, COL_I64, "TINYINT", true },
	{ DUCKDB_TYPE_SMALLINT, COL_I64, "SMALLINT", true },
	{ DUCKDB_TYPE_INTEGER, COL_I64, "INTEGER", true },
	{ DUCKDB_TYPE_BIGINT, COL_I64, "BIGINT", true },
	{ DUCKDB_TYPE_UTINYINT, COL_I64, "UTINYINT", true },
	{ DUCKDB_TYPE_USMALLINT, COL_I64, "USMALLINT", true },
	{ DUCKDB_TYPE_UINTEGER, COL_I64, "UINTEGER", true },
	{ DUCKDB_TYPE_FLOAT, COL_F64, "FLOAT", true },
	{ DUCKDB_TYPE_DOUBLE, COL_F64, "DOUBLE", true },
	{ DUCKDB_TYPE_VARCHAR, COL_TEXT, "VARCHAR", true },
	{ DUCKDB_TYPE_TIMESTAMP, COL_TIME, "TIMESTAMP", true },
	{ DUCKDB_TYPE_DATE, COL_TIME, "DATE", true },
	{ DUCKDB_TYPE_TIMESTAMP_TZ, COL_TIME, "TIMESTAMP WITH TIME ZONE", true },
	{ DUCKDB_TYPE_TIMESTAMP_S, COL_TIME, "TIMESTAMP_S", false },
	{ DUCKDB_TYPE_TIMESTAMP_MS, COL_TIME, "TIMESTAMP_MS", false },
	{ DUCKDB_TYPE_TIMESTAMP_NS, COL_TIME, "TIMESTAMP_NS", false },
	{ DUCKDB_TYPE_UBIGINT, COL_F64, "UBIGINT", false },
	{ DUCKDB_TYPE_HUGEINT, COL_F64, "HUGEINT", false },
	{ DUCKDB_TYPE_UHUGEINT, COL_F64, "UHUGEINT", false },
	{ DUCKDB_TYPE_DECIMAL, COL_F64, "DECIMAL", false },
	{ DUCKDB_TYPE_LIST, COL_OTHER, "LIST", false },
	{ DUCKDB_TYPE_STRUCT, COL_OTHER, "STRUCT", false },
	{ DUCKDB_TYPE_MAP, COL_OTHER, "MAP", false },
	{ DUCKDB_TYPE_SQLNULL, COL_OTHER, "NULL", false },
};
#define DUCK_TYPE_OTHER ARRAY_LEN(duck_types)

static size_t type_row(duckdb_type t)
{
	for (size_t i = 0; i < ARRAY_LEN(duck_types); i++) {
		if (duck_types[i].type == t)
			return i;
	}
	return DUCK_TYPE_OTHER;
}

bool query__type_direct(duckdb_type t)
{
	size_t i = type_row(t);

	return i != DUCK_TYPE_OTHER && duck_types[i].direct;
}

struct col query__col(duckdb_type t, str name)
{
	size_t i = type_row(t);

	if (i == DUCK_TYPE_OTHER)
		return (struct col){ .name = name, .type = COL_OTHER, .sql_type = STR("OTHER") };
	return (struct col){ .name = name, .type = duck_types[i].as, .sql_type = str_of(duck_types[i].name) };
}

static int64_t integer_at(duckdb_type t, const void *data, size_t i)
{
	switch (t) {
	case DUCKDB_TYPE_BOOLEAN: return ((const bool *)data)[i];
	case DUCKDB_TYPE_TINYINT: return ((const int8_t *)data)[i];
	case DUCKDB_TYPE_SMALLINT: return ((const int16_t *)data)[i];
	case DUCKDB_TYPE_INTEGER: return ((const int32_t *)data)[i];
	case DUCKDB_TYPE_UTINYINT: return ((const uint8_t *)data)[i];
	case DUCKDB_TYPE_USMALLINT: return ((const uint16_t *)data)[i];
	case DUCKDB_TYPE_UINTEGER: return ((const uint32_t *)data)[i];
	case DUCKDB_TYPE_DATE: return ((const int32_t *)data)[i] * INT64_C(86400000000);
	default: return ((const int64_t *)data)[i];     /* BIGINT and microseconds */
	}
}

static str text_at(const void *data, size_t i)
{
	const duckdb_string_t *s = &((const duckdb_string_t *)data)[i];
	uint32_t n = s->value.inlined.length;

	return n <= sizeof(s->value.inlined.inlined) ? str_n(s->value.inlined.inlined, n) : str_n(s->value.pointer.ptr, n);
}

/* One column of one chunk into rows [at, at + n) of the result. */
static void read_column(const struct duck *d, duckdb_vector v, duckdb_type t, struct arena *a, struct result_col *out, size_t at,
			size_t n)
{
	const void *data = d->vector_get_data(v);
	const uint64_t *valid = d->vector_get_validity(v);

	for (size_t i = 0; i < n; i++) {
		size_t row = at + i;
		if (valid != NULL && (valid[i / 64] >> (i % 64) & 1) == 0) {
			out->null[row] = 1;
			continue;
		}
		if (t == DUCKDB_TYPE_VARCHAR)
			out->s[row] = arena_dup(a, text_at(data, i));
		else if (t == DUCKDB_TYPE_DOUBLE)
			out->f[row] = ((const double *)data)[i];
		else if (t == DUCKDB_TYPE_FLOAT)
			out->f[row] = (double)((const float *)data)[i];
		else
			out->i[row] = integer_at(t, data, i);
	}
}

static void shape_result(const struct duck *d, duckdb_result *r, size_t n, struct arena *a, struct result *out)
{
	out->n = n;
	out->n_col = d->column_count(r);
	out->col = ARENA_ARRAY(a, struct result_col, out->n_col);
	for (size_t c = 0; c < out->n_col; c++) {
		struct result_col *col = &out->col[c];
		col->c = query__col(d->column_type(r, c), arena_dup(a, str_of(d->column_name(r, c))));
		col->null = arena_alloc(a, n);
		if (col->c.type == COL_TEXT)
			col->s = ARENA_ARRAY(a, str, n);
		else
			col->i = ARENA_ARRAY(a, int64_t, n);
	}
}

enum rc query__read(struct query *q, duckdb_result *r, size_t max_rows, struct arena *a, struct result *out, struct err *e)
{
	const struct duck *d = q->duck;
	VEC(duckdb_data_chunk) chunk = { 0 };
	enum rc rc = RC_OK;
	struct arena tmp;
	size_t n = 0, at = 0;

	arena_init(&tmp);
	for (duckdb_data_chunk c; n <= max_rows && (c = d->fetch_chunk(*r)) != NULL; n += d->data_chunk_get_size(c))
		*VEC_PUSH(&tmp, &chunk) = c;
	for (size_t c = 0; c < d->column_count(r) && rc == RC_OK; c++) {
		if (!query__type_direct(d->column_type(r, c)))
			rc = FAIL(e, RC_INVALID, "column '%s' has a type that only a single SELECT can return; cast it",
				  d->column_name(r, c));
	}
	if (rc == RC_OK && n > max_rows)
		rc = FAIL(e, RC_TOO_LARGE, "more than %zu rows; add a LIMIT", max_rows);
	if (rc == RC_OK)
		shape_result(d, r, n, a, out);
	for (size_t i = 0; i < chunk.n; i++) {
		size_t rows = d->data_chunk_get_size(chunk.at[i]);
		for (size_t c = 0; rc == RC_OK && c < out->n_col; c++)
			read_column(d, d->data_chunk_get_vector(chunk.at[i], c), d->column_type(r, c), a, &out->col[c], at, rows);
		at += rows;
		d->destroy_data_chunk(&chunk.at[i]);
	}
	arena_deinit(&tmp);
	return rc;
}

/* --- rows in -------------------------------------------------------------------------------------- */

struct query_append {
	unsigned magic;
	struct query *q;
	duckdb_appender appender;
	duckdb_data_chunk chunk;
	size_t n_col, col, row, rows_max;
	duckdb_vector *vector;          /* of the chunk, one a column */
	struct arena arena;
};
#define APPEND_MAGIC 0x61707064u
#define APPEND_COLS_MAX 4096

static const struct { const char *sql; duckdb_type type; } append_types[] = {
	[COL_BOOL] = { "BOOLEAN", DUCKDB_TYPE_BOOLEAN }, [COL_I64] = { "BIGINT", DUCKDB_TYPE_BIGINT },
	[COL_F64] = { "DOUBLE", DUCKDB_TYPE_DOUBLE },    [COL_TEXT] = { "VARCHAR", DUCKDB_TYPE_VARCHAR },
	[COL_TIME] = { "TIMESTAMP", DUCKDB_TYPE_TIMESTAMP },
};

static enum rc create_table(struct query *q, str table, const struct col *col, size_t n_col, struct err *e)
{
	struct buf b = BUF_INIT(QUERY_SQL_MAX);
	duckdb_result r;
	struct arena a;

	arena_init(&a);
	buf_add(&b, STR("CREATE TABLE "));
	buf_add(&b, query_quote_name(&a, table));
	for (size_t i = 0; i < n_col; i++) {
		CHECK(col[i].type < ARRAY_LEN(append_types));
		buf_add(&b, i == 0 ? STR(" (") : STR(", "));
		buf_add(&b, query_quote_name(&a, col[i].name));
		buf_addf(&b, " %s", append_types[col[i].type].sql);
	}
	buf_add(&b, STR(")"));
	enum rc rc = query__run_own(q, buf_str(&b), NULL, &r, e);
	if (rc == RC_OK)
		q->duck->destroy_result(&r);
	buf_deinit(&b);
	arena_deinit(&a);
	return rc;
}

static void make_chunk(struct query_append *p, const struct col *col)
{
	const struct duck *d = p->q->duck;
	duckdb_logical_type *type = ARENA_ARRAY(&p->arena, duckdb_logical_type, p->n_col);

	for (size_t i = 0; i < p->n_col; i++)
		type[i] = d->create_logical_type(append_types[col[i].type].type);
	p->chunk = d->create_data_chunk(type, p->n_col);
	for (size_t i = 0; i < p->n_col; i++)
		d->destroy_logical_type(&type[i]);
	CHECK(p->chunk != NULL);
}

/* After a reset the chunk may have new vectors, and all values are valid again. */
static void renew_vectors(struct query_append *p)
{
	for (size_t i = 0; i < p->n_col; i++) {
		p->vector[i] = p->q->duck->data_chunk_get_vector(p->chunk, i);
		p->q->duck->vector_ensure_validity_writable(p->vector[i]);
	}
	p->row = p->col = 0;
}

enum rc query_append_begin(struct query *q, str table, const struct col *col, size_t n_col, struct query_append **out,
			   struct err *e)
{
	OBJ_CHECK(q, QUERY_MAGIC);
	CHECK(!q->sandboxed);
	CHECK(n_col > 0);
	if (n_col > APPEND_COLS_MAX)
		return FAIL(e, RC_TOO_LARGE, "%zu columns are more than the limit of %d", n_col, APPEND_COLS_MAX);
	TRY(create_table(q, table, col, n_col, e));
	struct query_append *p = calloc(1, sizeof(*p));
	CHECK(p != NULL);
	p->magic = APPEND_MAGIC;
	p->q = q;
	p->n_col = n_col;
	p->rows_max = q->duck->vector_size();
	arena_init(&p->arena);
	p->vector = ARENA_ARRAY(&p->arena, duckdb_vector, n_col);
	if (q->duck->appender_create(q->con, NULL, arena_cstr(&p->arena, table), &p->appender) != DuckDBSuccess) {
		enum rc rc = query__fail(e, q->duck->appender_error(p->appender));
		q->duck->appender_destroy(&p->appender);
		arena_deinit(&p->arena);
		free(p);
		return rc;
	}
	make_chunk(p, col);
	renew_vectors(p);
	*out = p;
	return RC_OK;
}

void query_append_i64(struct query_append *p, int64_t v)
{
	CHECK(p->col < p->n_col);
	((int64_t *)p->q->duck->vector_get_data(p->vector[p->col++]))[p->row] = v;
}

void query_append_f64(struct query_append *p, double v)
{
	CHECK(p->col < p->n_col);
	((double *)p->q->duck->vector_get_data(p->vector[p->col++]))[p->row] = v;
}

void query_append_bool(struct query_append *p, bool v)
{
	CHECK(p->col < p->n_col);
	((bool *)p->q->duck->vector_get_data(p->vector[p->col++]))[p->row] = v;
}

void query_append_text(struct query_append *p, str v)
{
	CHECK(p->col < p->n_col);
	p->q->duck->vector_assign_string_element_len(p->vector[p->col++], p->row, v.at != NULL ? v.at : "", v.len);
}

void query_append_null(struct query_append *p)
{
	CHECK(p->col < p->n_col);
	p->q->duck->validity_set_row_invalid(p->q->duck->vector_get_validity(p->vector[p->col++]), p->row);
}

static enum rc flush(struct query_append *p, struct err *e)
{
	const struct duck *d = p->q->duck;

	d->data_chunk_set_size(p->chunk, p->row);
	if (d->append_data_chunk(p->appender, p->chunk) != DuckDBSuccess)
		return query__fail(e, d->appender_error(p->appender));
	d->data_chunk_reset(p->chunk);
	renew_vectors(p);
	if (atomic_load(&p->q->interrupted))
		return FAIL(e, RC_CANCELLED, "cancelled");
	return RC_OK;
}

enum rc query_append_row(struct query_append *p, struct err *e)
{
	OBJ_CHECK(p, APPEND_MAGIC);
	CHECK(p->col == p->n_col);
	p->col = 0;
	return ++p->row == p->rows_max ? flush(p, e) : RC_OK;
}

enum rc query_append_end(struct query_append **slot, struct err *e)
{
	struct query_append *p = *slot;
	enum rc rc = RC_OK;

	*slot = NULL;
	OBJ_CHECK(p, APPEND_MAGIC);
	if (p->row > 0)
		rc = flush(p, e);
	if (p->q->duck->appender_close(p->appender) != DuckDBSuccess && rc == RC_OK)
		rc = query__fail(e, p->q->duck->appender_error(p->appender));
	p->q->duck->appender_destroy(&p->appender);
	p->q->duck->destroy_data_chunk(&p->chunk);
	arena_deinit(&p->arena);
	p->magic = 0;
	free(p);
	return rc;
}

#endif
