/* ingest.c -- an uploaded file becomes a version of a dataset.
 *
 * CSV and JSON are read twice from the mapped file: once to find the columns' types from all their values, once to
 * convert and hand them to a DuckDB session, where a row that does not fit goes to the table of quarantined rows with its
 * line, reason and text. Parquet is typed already; DuckDB casts it to the five types and the same rules hold.
 * Rows kept and rows quarantined add up to the rows of the file: counted here, asserted when published, and counted anew
 * from the stored file by the check lake.no_row_lost.
 *
 * Until the one transaction that publishes, nothing is visible; blobs that it would have named are then unreferenced. */
#include "modules/lake/ingest.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/blob.h"
#include "io/crypto.h"

#define REASONS_SHOWN 10

/* --- what is asked for ----------------------------------------------------------------------------------- */

bool ingest__listed(const struct list *names, str name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (str_eq_nocase(*LIST_AT(*names, const str, i), name))
			return true;
	}
	return false;
}

static enum rc check_named(const str *col, size_t n, str name, const char *what, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq_nocase(col[i], name))
			return RC_OK;
	}
	(void)FAIL(e, RC_INVALID, "%s names '" STR_FMT "', which the file does not have", what, STR_ARG(name));
	return err_field(e, "%s", what);
}

enum rc ingest__check_names(const struct ingest *g, const str *col, size_t n, struct err *e)
{
	const struct ingest_request *r = g->req;

	for (size_t i = 0; i < r->columns.n; i++)
		TRY(check_named(col, n, LIST_AT(r->columns, struct ingest_column, i)->name, "columns", e));
	for (size_t i = 0; i < r->time_columns.n; i++)
		TRY(check_named(col, n, *LIST_AT(r->time_columns, str, i), "time_columns", e));
	for (size_t i = 0; i < r->key.n; i++)
		TRY(check_named(col, n, *LIST_AT(r->key, str, i), "key", e));
	return RC_OK;
}

enum value_type ingest__type_asked(const struct ingest_request *r, str column)
{
	for (size_t i = 0; i < r->columns.n; i++) {
		const struct ingest_column *c = LIST_AT(r->columns, const struct ingest_column, i);
		if (str_eq_nocase(c->name, column))
			return (enum value_type)c->type;
	}
	return ingest__listed(&r->time_columns, column) ? TYPE_TIMESTAMP : VALUE_TYPES;
}

str ingest__key_columns(const struct ingest *g)
{
	str out = STR("");

	for (size_t i = 0; i < g->req->key.n; i++) {
		str name = query_quote_name(g->a, *LIST_AT(g->req->key, str, i));
		out = arena_printf(g->a, STR_FMT "%s" STR_FMT, STR_ARG(out), i > 0 ? ", " : "", STR_ARG(name));
	}
	return out;
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
	enum rc rc = g->format == FORMAT_PARQUET ? ingest__load_parquet(g, e) : ingest__load_text(g, e);
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
