/* api_datasets.c -- uploads, datasets and queries over HTTP. */
#include "modules/lake/lake_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "core/route.h"
#include "io/blob.h"

#define LIST_RECORD(var, key, of, text)                                                                              \
	static const struct field var##_fields[] = { FIELD(listing, items, K_RECORDS, 0, text, .name = key, .sub = &of) }; \
	static const struct record var##_record = RECORD(listing, var##_fields, text, .name = #var)
struct listing { struct list items; };
LIST_RECORD(dataset_listing, "datasets", dataset_record, "Datasets by name");
LIST_RECORD(version_listing, "versions", dataset_version_brief_record, "Versions, newest first");

/* --- uploads ------------------------------------------------------------------------------------------------ */

struct upload_query { str name; };
static const struct field upload_query_fields[] = {
	FIELD(upload_query, name, K_STR, 0, "Name of the file", .max = 1024),
};
static const struct record upload_query_record = RECORD(upload_query, upload_query_fields, "What is uploaded");

static enum rc put_upload(struct call *c, const void *in, void *out, struct err *e)
{
	const struct upload_query *q = in;
	struct lake_source *s = out;
	char *id = arena_alloc_raw(c->arena, BLOB_ID_LEN + 1);
	uint64_t size = 0;

	TRY(blob_put_fd(c->core->blobs, c->http->body_fd, id, &size, e));
	*s = (struct lake_source){
		.blob = str_of(id), .name = q->name, .size = (int64_t)size, .created_ms = clock_ms(), .who = c->who->id
	};
	return lake__source_put(c->module, s, c->who, e);
}

/* --- datasets ------------------------------------------------------------------------------------------------ */

struct dataset_query { str name; int64_t version, limit; };
static const struct field dataset_query_fields[] = {
	FIELD(dataset_query, name, K_STR, F_REQUIRED, "Name of the dataset"),
};
static const struct record dataset_query_record = RECORD(dataset_query, dataset_query_fields, "Which dataset");
static const struct field version_query_fields[] = {
	FIELD(dataset_query, name, K_STR, F_REQUIRED, "Name of the dataset"),
	FIELD(dataset_query, version, K_I64, 0, "Number of the version", .min = 1, .max = 1e15, .name = "number"),
};
static const struct record version_query_record =
    RECORD(dataset_query, version_query_fields, "Which version", .name = "version_query");
static const struct field rows_query_fields[] = {
	FIELD(dataset_query, name, K_STR, F_REQUIRED, "Name of the dataset"),
	FIELD(dataset_query, version, K_I64, 0, "Number of the version; the newest if not given", .min = 0, .max = 1e15),
	FIELD(dataset_query, limit, K_I64, 0, "How many rows at most", .min = 1, .max = ROWS_SHOWN_MAX, .def = "20"),
};
static const struct record rows_query_record = RECORD(dataset_query, rows_query_fields, "Which rows", .name = "rows_query");

struct dataset_detail { struct dataset dataset; struct dataset_version version; };
static const struct field dataset_detail_fields[] = {
	FIELD(dataset_detail, dataset, K_RECORD, 0, "The dataset", .sub = &dataset_record),
	FIELD(dataset_detail, version, K_RECORD, 0, "Its newest version", .sub = &dataset_version_record),
};
static const struct record dataset_detail_record =
    RECORD(dataset_detail, dataset_detail_fields, "A dataset and its newest version");

static enum rc get_datasets(struct call *c, const void *in, void *out, struct err *e)
{
	struct listing *l = out;

	(void)in;
	return lake__datasets(c->module, c->arena, &l->items, e);
}

static enum rc get_dataset(struct call *c, const void *in, void *out, struct err *e)
{
	const struct dataset_query *q = in;
	struct dataset_detail *d = out;

	TRY(lake__dataset(c->module, c->arena, q->name, &d->dataset, e));
	return lake_version(c->module, c->arena, q->name, 0, &d->version, e);
}

static enum rc get_versions(struct call *c, const void *in, void *out, struct err *e)
{
	const struct dataset_query *q = in;
	struct listing *l = out;

	return lake__versions(c->module, c->arena, q->name, &l->items, e);
}

static enum rc get_version(struct call *c, const void *in, void *out, struct err *e)
{
	const struct dataset_query *q = in;

	return lake_version(c->module, c->arena, q->name, q->version, out, e);
}

static enum rc show(struct call *c, const struct dataset_version *v, const char *select, int64_t limit, struct table *out,
		    struct err *e)
{
	struct lake *l = c->module;
	struct query *q = NULL;

	TRY(query_open(l->core->query, &q, e));
	enum rc rc = lake_bind(l, q, STR("shown"), v, e);
	if (rc == RC_OK)
		rc = lake__table(q, str_of(select), limit, c->arena, out, e);
	query_close(&q);
	return rc;
}

static enum rc get_rows(struct call *c, const void *in, void *out, struct err *e)
{
	const struct dataset_query *q = in;
	struct dataset_version v;

	TRY(lake_version(c->module, c->arena, q->name, q->version, &v, e));
	return show(c, &v, "SELECT * FROM shown", q->limit, out, e);
}

static enum rc get_quarantine(struct call *c, const void *in, void *out, struct err *e)
{
	static const struct dataset_column columns[] = {
		{ { "line", 4 }, { "BIGINT", 6 } }, { { "column_name", 11 }, { "VARCHAR", 7 } },
		{ { "reason", 6 }, { "VARCHAR", 7 } }, { { "row_text", 8 }, { "VARCHAR", 7 } },
	};
	const struct dataset_query *q = in;
	struct table *t = out;
	struct dataset_version v;

	TRY(lake_version(c->module, c->arena, q->name, q->version, &v, e));
	if (v.quarantine_blob.len == 0) {
		struct dataset_column *copy = ARENA_ARRAY(c->arena, struct dataset_column, ARRAY_LEN(columns));
		for (size_t i = 0; i < ARRAY_LEN(columns); i++)
			copy[i] = columns[i];
		*t = (struct table){ .columns = { copy, ARRAY_LEN(columns) }, .rows = STR("[]") };
		return RC_OK;
	}
	v.blob = v.quarantine_blob;
	return show(c, &v, "SELECT line, column_name, reason, row_text FROM shown ORDER BY line", q->limit, t, e);
}

/* --- queries --------------------------------------------------------------------------------------------------- */

struct query_request { str sql; int64_t limit; };
static const struct field query_request_fields[] = {
	FIELD(query_request, sql, K_STR, F_REQUIRED, "One SELECT; a dataset is a table by its name, a version of it \"name@3\" in quotes"),
	FIELD(query_request, limit, K_I64, 0, "How many rows at most", .min = 1, .max = ROWS_SHOWN_MAX, .def = "1000"),
};
static const struct record query_request_record = RECORD(query_request, query_request_fields, "A question to the datasets");

static enum rc post_query(struct call *c, const void *in, void *out, struct err *e)
{
	const struct query_request *q = in;

	return lake__ask(c->module, q->sql, q->limit, c->arena, out, e);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

const struct route lake_dataset_routes[] = {
	{ HTTP_PUT, "/uploads", "lake.write", .in = &upload_query_record, .out = &lake_source_record, .handler = put_upload,
	  .doc = "Keeps a file; its blob id is what ingest takes", .flags = ROUTE_FILE_BODY | ROUTE_CREATED },
	{ HTTP_POST, "/datasets/{name}/ingest", "lake.write", .object = "name", .task = &lake_tasks[0],
	  .doc = "Makes an uploaded file the newest version of a dataset" },
	{ HTTP_GET, "/datasets", "lake.read", .out = &dataset_listing_record, .handler = get_datasets, .doc = "Lists datasets" },
	{ HTTP_GET, "/datasets/{name}", "lake.read", .object = "name", .in = &dataset_query_record, .out = &dataset_detail_record,
	  .handler = get_dataset, .doc = "Shows a dataset and its newest version with columns and profile" },
	{ HTTP_GET, "/datasets/{name}/versions", "lake.read", .object = "name", .in = &dataset_query_record, .out = &version_listing_record,
	  .handler = get_versions, .doc = "Lists versions of a dataset" },
	{ HTTP_GET, "/datasets/{name}/versions/{number}", "lake.read", .object = "name", .in = &version_query_record,
	  .out = &dataset_version_record, .handler = get_version, .doc = "Shows a version with columns and profile" },
	{ HTTP_GET, "/datasets/{name}/rows", "lake.read", .object = "name", .in = &rows_query_record, .out = &table_record,
	  .handler = get_rows, .doc = "Shows rows of a version" },
	{ HTTP_GET, "/datasets/{name}/quarantine", "lake.read", .object = "name", .in = &rows_query_record, .out = &table_record,
	  .handler = get_quarantine, .doc = "Shows rows that did not fit, with line, column and reason" },
	{ HTTP_POST, "/query", "lake.read", .in = &query_request_record, .out = &table_record, .handler = post_query,
	  .doc = "Answers a SELECT over datasets" },
};
_Static_assert(ARRAY_LEN(lake_dataset_routes) == LAKE_DATASET_ROUTES, "lake_int.h says how many");
