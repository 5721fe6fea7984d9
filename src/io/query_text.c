/* query_text.c -- what of query.h needs no engine: quoting, and the answers of a cairn built without DuckDB. */
#include "io/query.h"

static str quoted(struct arena *a, str s, char quote)
{
	size_t n = 2 + s.len, k = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == quote;
	char *out = arena_alloc_raw(a, n + 1);
	out[k++] = quote;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == quote)
			out[k++] = quote;
		out[k++] = s.at[i];
	}
	out[k++] = quote;
	CHECK(k == n);
	out[n] = '\0';
	return str_n(out, n);
}

str query_quote_name(struct arena *a, str name)
{
	return quoted(a, name, '"');
}

str query_quote_text(struct arena *a, str text)
{
	return quoted(a, text, '\'');
}

#ifndef CAIRN_HAVE_DUCKDB

#include <stdlib.h>

struct query_engine {
	int unused;
};

static enum rc missing(struct err *e)
{
	return FAIL(e, RC_UNAVAILABLE, "this cairn was built without DuckDB, so datasets, pipelines and SQL are not there; "
				       "`make deps` fetches it, then build again");
}

enum rc query_engine_open(const struct query_config *c, struct query_engine **out, struct err *e)
{
	(void)c;
	struct query_engine *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return FAIL(e, RC_INTERNAL, "no memory");
	*out = g;
	return RC_OK;
}

void query_engine_close(struct query_engine **slot)
{
	free(*slot);
	*slot = NULL;
}

#define MISSING(...)                                                                                                        \
	{                                                                                                                   \
		const void *const unused[] = { __VA_ARGS__ };                                                               \
		(void)unused;                                                                                               \
		return missing(e);                                                                                          \
	}
/* A session can never be opened, so what takes one is never reached. */
#define NEVER                                                                                                               \
	{                                                                                                                   \
		UNREACHABLE("a query session without an engine");                                                          \
	}

enum rc query_engine_version(struct query_engine *g, struct arena *a, str *out, struct err *e) MISSING(g, a, out)
uint32_t query_engine_sessions(struct query_engine *g) { (void)g; return 0; }
enum rc query_open(struct query_engine *g, struct query **out, struct err *e) MISSING(g, out)

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wreturn-type"
void query_close(struct query **slot) { *slot = NULL; }
const char *query_scratch(const struct query *q) NEVER
enum rc query_bind_parquet(struct query *q, str name, str path, struct err *e) NEVER
enum rc query_define(struct query *q, str name, str select, bool keep, struct err *e) NEVER
enum rc query_sandbox(struct query *q, struct err *e) NEVER
void query_time_limit(struct query *q, uint32_t ms) NEVER
enum rc query_check(struct query *q, str sql, struct err *e) NEVER
enum rc query_run(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e) NEVER
enum rc query_run_ours(struct query *q, str sql, size_t max_rows, struct arena *a, struct result *out, struct err *e) NEVER
enum rc query_exec(struct query *q, str sql, int64_t *n_changed, struct err *e) NEVER
enum rc query_describe(struct query *q, str sql, struct arena *a, struct col **out, size_t *n_out, struct err *e) NEVER
enum rc query_to_parquet(struct query *q, str sql, str path, int64_t *n_rows, struct err *e) NEVER
void query_interrupt(struct query *q) NEVER
enum rc query_append_begin(struct query *q, str table, const struct col *col, size_t n_col, struct query_append **out,
			   struct err *e) NEVER
void query_append_i64(struct query_append *p, int64_t v) NEVER
void query_append_f64(struct query_append *p, double v) NEVER
void query_append_bool(struct query_append *p, bool v) NEVER
void query_append_text(struct query_append *p, str v) NEVER
void query_append_null(struct query_append *p) NEVER
enum rc query_append_row(struct query_append *p, struct err *e) NEVER
enum rc query_append_end(struct query_append **slot, struct err *e) NEVER

#endif
