/* query_sandbox.c -- which SQL of a user runs.
 *
 * DuckDB's own locks are not a whole sandbox: `SELECT * FROM enable_logging(storage='file')` passes them and then
 * ends the process (1.5.6), query('…') builds statements at run time, and COPY may write where reading is allowed. So
 * DuckDB parses the text (json_serialize_sql: nothing but SELECT has that form), and the names its tree calls are
 * looked up here: table functions must be listed, functions with effects must not be used. */
#ifdef CAIRN_HAVE_DUCKDB

#include "io/query_int.h"

#include <string.h>

/* Functions in FROM that read nothing but their arguments. */
static const char table_functions[] = "'range','generate_series','unnest','repeat','repeat_row','json_each','json_tree'";
static const char effect_functions[] = "'write_log','pg_sleep','sleep_ms','nextval','currval','setseed','getenv',"
				       "'current_setting','getvariable','parse_duckdb_log_message'";

/* First what is wrong with the text as SQL, else the first name it may not use. */
static str check_sql(struct arena *a)
{
	return arena_printf(
		a,
		"WITH parsed AS MATERIALIZED (SELECT json_serialize_sql(CAST($1 AS VARCHAR)) AS j),"
		" node AS (SELECT t.key, t.path, json_extract_string(t.value, '$') AS v FROM parsed, json_tree(parsed.j) AS t"
		"  WHERE t.key IN ('function_name', 'table_name', 'schema_name', 'catalog_name') AND t.type = 'VARCHAR')"
		" SELECT CASE WHEN j->>'error' = 'true' THEN 'error' WHEN json_array_length(j->'statements') <> 1 THEN 'many' END AS wrong,"
		" j->>'error_message' AS message, TRY_CAST(j->>'position' AS BIGINT) AS position,"
		" (SELECT v FROM node WHERE key = 'function_name'"
		"   AND CASE WHEN path LIKE '%%.function' THEN lower(v) NOT IN (%s) ELSE lower(v) IN (%s) END LIMIT 1) AS fn,"
		" (SELECT v FROM node WHERE (key = 'table_name' AND (lower(v) LIKE 'duckdb\\_%%' ESCAPE '\\' OR lower(v) LIKE 'pragma\\_%%' ESCAPE '\\'"
		"   OR lower(v) LIKE 'sqlite\\_%%' ESCAPE '\\')) OR (key IN ('schema_name', 'catalog_name')"
		"   AND lower(v) IN ('information_schema', 'pg_catalog', 'system', 'temp')) LIMIT 1) AS tb FROM parsed",
		table_functions, effect_functions);
}

static enum rc judge(const struct result *r, str sql, struct err *e)
{
	if (r->n != 1 || r->n_col != 5)
		return FAIL(e, RC_INTERNAL, "DuckDB did not parse the SQL");
	if (!r->col[0].null[0] && str_eq(r->col[0].s[0], STR("many")))
		return FAIL(e, RC_INVALID, "exactly one SELECT is expected");
	if (!r->col[0].null[0]) {
		str message = r->col[1].null[0] ? STR("not a SELECT") : r->col[1].s[0];
		size_t line = 1, column = 1;
		if (str_starts(message, STR("Only SELECT")))
			return FAIL(e, RC_INVALID, "only SELECT is allowed here");
		if (r->col[2].null[0])
			return FAIL(e, RC_INVALID, "SQL: " STR_FMT, STR_ARG(message));
		for (size_t i = 0; i < sql.len && (int64_t)i < r->col[2].i[0]; i++) {
			column = sql.at[i] == '\n' ? 1 : column + 1;
			line += sql.at[i] == '\n';
		}
		return FAIL(e, RC_INVALID, "SQL, line %zu, column %zu: " STR_FMT, line, column, STR_ARG(message));
	}
	if (!r->col[3].null[0])
		return FAIL(e, RC_FORBIDDEN, "function '" STR_FMT "' is not available here", STR_ARG(r->col[3].s[0]));
	if (!r->col[4].null[0])
		return FAIL(e, RC_FORBIDDEN, "'" STR_FMT "' is not available here; datasets are named as they are",
			    STR_ARG(r->col[4].s[0]));
	return RC_OK;
}

enum rc query_check(struct query *q, str sql, struct err *e)
{
	struct arena a;
	duckdb_result raw;
	struct result r;

	OBJ_CHECK(q, QUERY_MAGIC);
	if (sql.len == 0 || memchr(sql.at, '\0', sql.len) != NULL || !str_is_utf8(sql))
		return FAIL(e, RC_INVALID, sql.len == 0 ? "the SQL is empty" : "the SQL is not text in UTF-8");
	arena_init(&a);
	enum rc rc = query__run_own(q, check_sql(&a), &sql, &raw, e);
	if (rc == RC_OK) {
		rc = query__read(q, &raw, 1, &a, &r, e);
		q->duck->destroy_result(&raw);
		if (rc == RC_OK)
			rc = judge(&r, sql, e);
	}
	arena_deinit(&a);
	return rc;
}

#endif
