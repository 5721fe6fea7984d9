/* api_versions.c -- MLflow's registry routes: model versions. */
#include <string.h>

#include "modules/registry/store.h"

#define R "registry.read"
#define W "registry.write"
#define PAGE_MAX 10000  /* MLflow allows 200,000 in one answer; more than this come in pages */

static const struct field create_fields[] = {
	FIELD(version_create, name, K_STR, F_REQUIRED, "Registered model"),
	FIELD(version_create, source, K_STR, F_REQUIRED, "URI of its files"),
	FIELD(version_create, run_id, K_STR, 0, "Run that made it"),
	FIELD(version_create, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
	FIELD(version_create, run_link, K_STR, 0, "Where the run can be seen"),
	FIELD(version_create, description, K_STR, 0, "What it is"),
	FIELD(version_create, model_id, K_STR, 0, "Logged model that it is"),
};
static const struct record create_record = MLFLOW_RECORD(version_create, create_fields, "A new version");

struct version_ref { str name, version, description, key, value, stage, path; bool archive_existing_versions; };
#define REF_FIELDS                                                                                                   \
	FIELD(version_ref, name, K_STR, F_REQUIRED, "Name of the model"),                                            \
	FIELD(version_ref, version, K_STR, F_REQUIRED, "Number of the version")
static const struct field ref_fields[] = { REF_FIELDS };
static const struct record ref_record = MLFLOW_RECORD(version_ref, ref_fields, "Which version", .name = "version_ref");
static const struct field describe_fields[] = {
	REF_FIELDS,
	FIELD(version_ref, description, K_STR, 0, "What it is"),
};
static const struct record describe_record = MLFLOW_RECORD(version_ref, describe_fields, "A description", .name = "version_description");
static const struct field stage_fields[] = {
	REF_FIELDS,
	FIELD(version_ref, stage, K_STR, F_REQUIRED, "New stage"),
	FIELD(version_ref, archive_existing_versions, K_BOOL, 0, "Archive those that are in it"),
};
static const struct record stage_record = MLFLOW_RECORD(version_ref, stage_fields, "A new stage", .name = "version_stage");
static const struct field tag_fields[] = {
	REF_FIELDS,
	FIELD(version_ref, key, K_STR, F_REQUIRED, "Name of the tag"),
	FIELD(version_ref, value, K_STR, 0, "Value of the tag", .max = 1 << 22),
};
static const struct record tag_record = MLFLOW_RECORD(version_ref, tag_fields, "A tag of a version", .name = "version_tag");
static const struct field file_fields[] = {
	REF_FIELDS,
	FIELD(version_ref, path, K_STR, F_REQUIRED, "Path of the file"),
};
static const struct record file_record = MLFLOW_RECORD(version_ref, file_fields, "Which file", .name = "version_file");

struct version_answer { struct version_row model_version; };
static const struct field answer_fields[] = {
	FIELD(version_answer, model_version, K_RECORD, 0, "The version", .sub = &version_row_record),
};
static const struct record answer_record = MLFLOW_RECORD(version_answer, answer_fields, "One version");
struct uri_answer { str artifact_uri; };
static const struct field uri_fields[] = {
	FIELD(uri_answer, artifact_uri, K_STR, 0, "Where its files are"),
};
static const struct record uri_record = MLFLOW_RECORD(uri_answer, uri_fields, "Where a version's files are");

static struct version_row *answer(void *out)
{
	return &((struct version_answer *)out)->model_version;
}

static enum rc create(struct call *c, const void *in, void *out, struct err *e)
{
	return version_create(c->module, c->arena, in, c->who, answer(out), e);
}

static enum rc read_row(struct call *c, const struct version_ref *q, struct version_row *out, struct err *e)
{
	int64_t version;

	TRY(rule_model_name("name", q->name, e));
	TRY(rule_version(q->version, &version, e));
	return version_get(c->module, c->arena, q->name, version, out, e);
}

static enum rc get(struct call *c, const void *in, void *out, struct err *e)
{
	return read_row(c, in, answer(out), e);
}

static enum rc describe(struct call *c, const void *in, void *out, struct err *e)
{
	const struct version_ref *q = in;
	int64_t version;

	TRY(rule_version(q->version, &version, e));
	return version_describe(c->module, c->arena, q->name, version, q->description, c->who, answer(out), e);
}

static enum rc transition(struct call *c, const void *in, void *out, struct err *e)
{
	const struct version_ref *q = in;
	struct stage_change change = { .name = q->name, .stage = q->stage, .archive_existing = q->archive_existing_versions };

	TRY(rule_version(q->version, &change.version, e));
	return version_stage(c->module, c->arena, &change, c->who, answer(out), e);
}

static enum rc delete(struct call *c, const void *in, void *out, struct err *e)
{
	const struct version_ref *q = in;
	int64_t version;

	(void)out;
	TRY(rule_version(q->version, &version, e));
	return version_delete(c->module, c->arena, q->name, version, c->who, e);
}

static enum rc change_tag(struct call *c, const struct version_ref *q, str value, struct err *e)
{
	const struct pair tag = { q->key, value };
	int64_t version;

	TRY(rule_version(q->version, &version, e));
	if (version == 0)
		return FAIL(e, RC_NOT_FOUND, "Model Version (name=" STR_FMT ", version=0) not found", STR_ARG(str_head(q->name, 100)));
	return model_tag(c->module, c->arena, q->name, version, &tag, e);
}

static enum rc set_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct version_ref *q = in;

	(void)out;
	return change_tag(c, q, q->value.at != NULL ? q->value : STR(""), e);
}

static enum rc delete_tag(struct call *c, const void *in, void *out, struct err *e)
{
	(void)out;
	return change_tag(c, in, STR_NONE, e);
}

static enum rc download_uri(struct call *c, const void *in, void *out, struct err *e)
{
	struct version_row row;

	TRY(read_row(c, in, &row, e));
	((struct uri_answer *)out)->artifact_uri = row.location.len > 0 ? row.location : row.v.source;
	return RC_OK;
}

static enum rc get_file(struct call *c, const void *in, void *out, struct err *e)
{
	const struct version_ref *q = in;
	struct version_row row;
	struct list files;
	str path;

	(void)out;
	TRY(read_row(c, q, &row, e));
	TRY(mlflow_artifact_path(c->arena, q->path, &path, e));
	TRY(registry_files(c->module, c->arena, &row.v, &files, e));
	for (size_t i = 0; i < files.n; i++) {
		const struct artifact *f = LIST_AT(files, const struct artifact, i);
		if (str_eq(f->path, path))
			return mlflow_reply_artifact(c, f, e);
	}
	return FAIL(e, RC_NOT_FOUND, "No such artifact: '" STR_FMT "'", STR_ARG(mlflow_truncate(path, 200)));
}

/* --- searching --------------------------------------------------------------------------------------------- */

struct versions_query { str filter; int64_t max_results; struct list order_by; str page_token; };
static const struct field query_fields[] = {
	FIELD(versions_query, filter, K_STR, 0, "Comparisons joined by AND"),
	FIELD(versions_query, max_results, K_I64, 0, "Most versions in the answer", .def = "200000"),
	FIELD(versions_query, order_by, K_STRS, 0, "Keys, each with ASC or DESC"),
	FIELD(versions_query, page_token, K_STR, 0, "From the page before"),
};
static const struct record query_record = MLFLOW_RECORD(versions_query, query_fields, "Which versions");
struct versions_page { struct list model_versions; str next_page_token; };
static const struct field page_fields[] = {
	FIELD(versions_page, model_versions, K_RECORDS, F_SKIP_EMPTY, "Versions", .sub = &version_row_record),
	FIELD(versions_page, next_page_token, K_STR, F_SKIP_EMPTY, "For the next page"),
};
static const struct record page_record = MLFLOW_RECORD(versions_page, page_fields, "Versions found");

struct reading { struct arena *a; struct registry_search search; struct registry_found found; };

static enum rc search_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;

	return store_versions_search(tx, r->a, &r->search, &r->found, e);
}

static enum rc search(struct call *c, const void *in, void *out, struct err *e)
{
	const struct versions_query *q = in;
	const struct registry *r = c->module;
	struct versions_page *page = out;
	struct reading read = { .a = c->arena, .search = { .filter = q->filter, .order_by = q->order_by,
							   .limit = q->max_results < PAGE_MAX ? q->max_results : PAGE_MAX } };

	TRY(mlflow_page_size(q->max_results, 200000, e));
	TRY(mlflow_page_offset(c->arena, q->page_token, &read.search.offset, e));
	TRY(db_read(r->db, search_tx, &read, e));
	page->model_versions = read.found.rows;
	if (read.found.more)
		page->next_page_token = mlflow_page_token(c->arena, read.search.offset + read.search.limit);
	return RC_OK;
}

#define ROUTE(m, p, perm, i, o, h, text) { m, p, perm, .in = i, .out = o, .handler = h, .doc = text, .flags = ROUTE_HIDDEN }
const struct route version_routes[VERSION_ROUTES] = {
	ROUTE(HTTP_POST, "/model-versions/create", W, &create_record, &answer_record, create, "Registers a version"),
	ROUTE(HTTP_GET, "/model-versions/get", R, &ref_record, &answer_record, get, "A version"),
	ROUTE(HTTP_PATCH, "/model-versions/update", W, &describe_record, &answer_record, describe, "Describes a version"),
	ROUTE(HTTP_POST, "/model-versions/transition-stage", W, &stage_record, &answer_record, transition, "Moves a version to a stage"),
	ROUTE(HTTP_DELETE, "/model-versions/delete", W, &ref_record, NULL, delete, "Deletes a version"),
	ROUTE(HTTP_GET, "/model-versions/search", R, &query_record, &page_record, search, "Finds versions"),
	ROUTE(HTTP_GET, "/model-versions/get-download-uri", R, &ref_record, &uri_record, download_uri, "Where a version's files are"),
	ROUTE(HTTP_POST, "/model-versions/set-tag", W, &tag_record, NULL, set_tag, "Sets a tag"),
	ROUTE(HTTP_DELETE, "/model-versions/delete-tag", W, &tag_record, NULL, delete_tag, "Deletes a tag"),
	ROUTE(HTTP_POST, "/model-versions/search", R, &query_record, &page_record, search, "Finds versions"),
};

const struct route registry_root_routes[1] = {
	{ HTTP_GET, "/model-versions/get-artifact", R, .in = &file_record, .handler = get_file, .doc = "Downloads a file of a version",
	  .flags = ROUTE_HIDDEN | ROUTE_RAW_REPLY },
};
