/* store.c -- datasets, versions and uploaded files in the metadata database. SQL of the lake's metadata stands here only;
 * SQL over the data itself is DuckDB's and stands where it is asked. */
#include "modules/lake/lake_int.h"

#include "base/clock.h"
#include "core/store.h"

const struct migration lake_migrations[] = {
	{ 1,
	  "CREATE TABLE lake_datasets (name TEXT PRIMARY KEY, newest BIGINT NOT NULL, n_rows BIGINT NOT NULL,"
	  " n_quarantined BIGINT NOT NULL, n_columns BIGINT NOT NULL, size BIGINT NOT NULL, origin TEXT NOT NULL,"
	  " created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);\n"
	  "CREATE TABLE lake_versions (id TEXT NOT NULL, dataset TEXT NOT NULL, number BIGINT NOT NULL, n_rows BIGINT NOT NULL,"
	  " n_quarantined BIGINT NOT NULL, n_source_rows BIGINT NOT NULL, size BIGINT NOT NULL, blob TEXT NOT NULL,"
	  " quarantine_blob TEXT NOT NULL, origin TEXT NOT NULL, origin_kind TEXT NOT NULL, origin_id TEXT NOT NULL,"
	  " source_blob TEXT NOT NULL, source_format BIGINT NOT NULL, delimiter TEXT NOT NULL, spec_hash TEXT NOT NULL,"
	  " created_at BIGINT NOT NULL, columns TEXT NOT NULL, profile TEXT NOT NULL, PRIMARY KEY (dataset, number));\n"
	  "CREATE INDEX lake_versions_origin ON lake_versions (origin_id);\n"
	  "CREATE TABLE lake_sources (blob TEXT PRIMARY KEY, size BIGINT NOT NULL, name TEXT NOT NULL, created_at BIGINT NOT NULL,"
	  " who TEXT NOT NULL)" },
	{ 2,
	  "CREATE TABLE lake_pipelines (name TEXT PRIMARY KEY, description TEXT NOT NULL, revision BIGINT NOT NULL,"
	  " definition TEXT NOT NULL, digest TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);\n"
	  "CREATE TABLE lake_pipeline_runs (id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, revision BIGINT NOT NULL, state BIGINT NOT NULL,"
	  " started_at BIGINT NOT NULL, ended_at BIGINT, who TEXT NOT NULL, task TEXT NOT NULL, fingerprint TEXT NOT NULL,"
	  " message TEXT NOT NULL, inputs TEXT NOT NULL, outputs TEXT NOT NULL, steps TEXT NOT NULL, gates TEXT NOT NULL);\n"
	  "CREATE INDEX lake_pipeline_runs_of ON lake_pipeline_runs (pipeline, id)" },
};
_Static_assert(ARRAY_LEN(lake_migrations) == LAKE_MIGRATIONS, "lake_int.h says how many");

/* --- publishing --------------------------------------------------------------------------------------------- */

/* DuckDB's names do not differ by case, so those of datasets may not either. */
static enum rc refuse_twin(struct tx *tx, str name, struct arena *a, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT name FROM lake_datasets WHERE lower(name) = lower(?) AND name <> ?",
		     VALS(V_STR(name), V_STR(name)), &rows, e));
	if (rows.n > 0)
		return FAIL(e, RC_CONFLICT, "dataset '" STR_FMT "' exists already; names must differ by more than case",
			    STR_ARG(rows_at(&rows, 0, 0)->s));
	return RC_OK;
}

static enum rc put_dataset(struct tx *tx, const struct dataset_version *v, struct arena *a, struct err *e)
{
	struct dataset d = { 0 };
	bool found = false;

	TRY(store_find(tx, a, &dataset_record, "WHERE name = ?", VALS(V_STR(v->dataset)), &d, &found, e));
	d = (struct dataset){ .name = v->dataset, .newest = v->number, .n_rows = v->n_rows, .n_quarantined = v->n_quarantined,
			      .n_columns = (int64_t)v->columns.n, .size = v->size, .origin = v->origin,
			      .created_ms = found ? d.created_ms : v->created_ms, .updated_ms = v->created_ms };
	return store_put(tx, &dataset_record, &d, e);
}

static str publish_detail(const struct dataset_version *v, struct arena *a)
{
	return record_to_json(&dataset_version_brief_record, v, 0, a);
}

enum rc lake__publish(struct tx *tx, struct dataset_version *v, const struct principal *who, struct arena *a, struct err *e)
{
	struct rows rows;

	CHECK(v->dataset.len > 0);
	CHECK(v->n_source_rows == v->n_rows + v->n_quarantined);
	TRY(refuse_twin(tx, v->dataset, a, e));
	TRY(db_query(tx, a, "SELECT coalesce(max(number), 0) FROM lake_versions WHERE dataset = ?", VALS(V_STR(v->dataset)),
		     &rows, e));
	v->number = rows_at(&rows, 0, 0)->i + 1;
	v->created_ms = clock_ms();
	v->id = lake_version_id(a, v);
	TRY(store_insert(tx, &dataset_version_record, v, e));
	TRY(put_dataset(tx, v, a, e));
	str detail = publish_detail(v, a);
	TRY(lineage_node_put(tx, LIN_DATASET, v->id, v->id, detail, e));
	TRY(lineage_link(tx, arena_cstr(a, v->origin_kind), v->origin_id, LIN_DATASET, v->id, arena_cstr(a, v->origin), e));
	return event_audit(tx, who, "dataset.publish", arena_printf(a, "dataset:" STR_FMT, STR_ARG(v->dataset)), detail, e);
}

/* --- reading -------------------------------------------------------------------------------------------------- */

str lake_version_id(struct arena *a, const struct dataset_version *v)
{
	return arena_printf(a, STR_FMT "@%lld", STR_ARG(v->dataset), (long long)v->number);
}

enum rc lake__newest(struct tx *tx, struct arena *a, str dataset, struct dataset_version *out, bool *found, struct err *e)
{
	return store_find(tx, a, &dataset_version_record, "WHERE dataset = ? ORDER BY number DESC LIMIT 1",
			  VALS(V_STR(dataset)), out, found, e);
}

enum rc lake_version(struct lake *l, struct arena *a, str dataset, int64_t number, struct dataset_version *out, struct err *e)
{
	struct db *db = l->core->db;
	str named;

	OBJ_CHECK(l, LAKE_MAGIC);
	*out = (struct dataset_version){ 0 };
	if (number == 0) {
		named = arena_printf(a, "dataset '" STR_FMT "'", STR_ARG(dataset));
		return store_get1(db, a, &dataset_version_record, "WHERE dataset = ? ORDER BY number DESC LIMIT 1",
				  VALS(V_STR(dataset)), named, out, e);
	}
	named = arena_printf(a, "version %lld of dataset '" STR_FMT "'", (long long)number, STR_ARG(dataset));
	return store_get1(db, a, &dataset_version_record, "WHERE dataset = ? AND number = ?",
			  VALS(V_STR(dataset), V_I64(number)), named, out, e);
}

enum rc lake__datasets(struct lake *l, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(l->core->db, a, &dataset_record, "ORDER BY name", NO_VALS, out, e);
}

enum rc lake__dataset(struct lake *l, struct arena *a, str name, struct dataset *out, struct err *e)
{
	str named = arena_printf(a, "dataset '" STR_FMT "'", STR_ARG(name));

	return store_get1(l->core->db, a, &dataset_record, "WHERE name = ?", VALS(V_STR(name)), named, out, e);
}

enum rc lake__versions(struct lake *l, struct arena *a, str name, struct list *out, struct err *e)
{
	struct dataset d;

	TRY(lake__dataset(l, a, name, &d, e));
	return store_list1(l->core->db, a, &dataset_version_brief_record, "WHERE dataset = ? ORDER BY number DESC LIMIT 1000",
			   VALS(V_STR(name)), out, e);
}

enum rc lake__all_versions(struct lake *l, struct arena *a, bool newest_only, int64_t limit, struct list *out, struct err *e)
{
	static const char *const newest =
	    "WHERE number = (SELECT d.newest FROM lake_datasets d WHERE d.name = lake_versions.dataset) ORDER BY created_at DESC LIMIT ?";

	return store_list1(l->core->db, a, &dataset_version_record,
			   newest_only ? newest : "ORDER BY created_at DESC, dataset LIMIT ?", VALS(V_I64(limit)), out, e);
}

/* --- uploaded files ------------------------------------------------------------------------------------------- */

struct source_put { const struct lake_source *s; const struct principal *who; };

static enum rc source_put(struct tx *tx, void *ctx, struct err *e)
{
	const struct source_put *c = ctx;
	struct arena a;

	arena_init(&a);
	str object = arena_printf(&a, "upload:" STR_FMT, STR_ARG(c->s->blob));
	enum rc rc = store_put(tx, &lake_source_record, c->s, e);
	if (rc == RC_OK)
		rc = event_audit(tx, c->who, "source.upload", object, record_to_json(&lake_source_record, c->s, 0, &a), e);
	arena_deinit(&a);
	return rc;
}

enum rc lake__source_put(struct lake *l, const struct lake_source *s, const struct principal *who, struct err *e)
{
	return db_write(l->core->db, source_put, &(struct source_put){ .s = s, .who = who }, e);
}

struct source_find { str blob; struct arena *a; struct lake_source *out; bool *found; };

static enum rc source_find(struct tx *tx, void *ctx, struct err *e)
{
	const struct source_find *c = ctx;

	return store_find(tx, c->a, &lake_source_record, "WHERE blob = ?", VALS(V_STR(c->blob)), c->out, c->found, e);
}

enum rc lake__source_find(struct lake *l, struct arena *a, str blob, struct lake_source *out, bool *found, struct err *e)
{
	return db_read(l->core->db, source_find, &(struct source_find){ .blob = blob, .a = a, .out = out, .found = found }, e);
}
