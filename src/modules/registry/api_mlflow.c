/* api_mlflow.c -- MLflow's registry routes: registered models. Versions are in api_versions.c. */
#include "modules/registry/store.h"

#define R "registry.read"
#define W "registry.write"

struct model_ref { str name, new_name, description, key, value, alias, version; struct list stages; };
#define NAME_FIELD FIELD(model_ref, name, K_STR, F_REQUIRED, "Name of the model")

static const struct field create_fields[] = {
	FIELD(model_create, name, K_STR, F_REQUIRED, "Unique name"),
	FIELD(model_create, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
	FIELD(model_create, description, K_STR, 0, "What it is"),
};
static const struct record create_record = MLFLOW_RECORD(model_create, create_fields, "A new registered model");
static const struct field name_fields[] = { NAME_FIELD };
static const struct record name_record = MLFLOW_RECORD(model_ref, name_fields, "Which model", .name = "model_name");
static const struct field rename_fields[] = {
	NAME_FIELD,
	FIELD(model_ref, new_name, K_STR, F_REQUIRED, "New name"),
};
static const struct record rename_record = MLFLOW_RECORD(model_ref, rename_fields, "A new name", .name = "model_rename");
static const struct field describe_fields[] = {
	NAME_FIELD,
	FIELD(model_ref, description, K_STR, 0, "What it is"),
};
static const struct record describe_record = MLFLOW_RECORD(model_ref, describe_fields, "A description", .name = "model_description");
static const struct field tag_fields[] = {
	NAME_FIELD,
	FIELD(model_ref, key, K_STR, F_REQUIRED, "Name of the tag"),
	FIELD(model_ref, value, K_STR, 0, "Value of the tag", .max = 1 << 22),
};
static const struct record tag_record = MLFLOW_RECORD(model_ref, tag_fields, "A tag of a model", .name = "registered_model_tag");
static const struct field alias_fields[] = {
	NAME_FIELD,
	FIELD(model_ref, alias, K_STR, F_REQUIRED, "Alias"),
};
static const struct record alias_record = MLFLOW_RECORD(model_ref, alias_fields, "Which alias", .name = "alias_ref");
static const struct field alias_set_fields[] = {
	NAME_FIELD,
	FIELD(model_ref, alias, K_STR, F_REQUIRED, "Alias"),
	FIELD(model_ref, version, K_STR, F_REQUIRED, "Version that it is to point to"),
};
static const struct record alias_set_record = MLFLOW_RECORD(model_ref, alias_set_fields, "An alias", .name = "alias_set");
static const struct field latest_fields[] = {
	NAME_FIELD,
	FIELD(model_ref, stages, K_STRS, 0, "Stages; all when empty"),
};
static const struct record latest_record = MLFLOW_RECORD(model_ref, latest_fields, "Which stages", .name = "latest_query");

struct model_answer { struct registered_model registered_model; };
static const struct field answer_fields[] = {
	FIELD(model_answer, registered_model, K_RECORD, 0, "The model", .sub = &registered_model_record),
};
static const struct record answer_record = MLFLOW_RECORD(model_answer, answer_fields, "One registered model");
struct version_answer { struct version_row model_version; };
static const struct field version_answer_fields[] = {
	FIELD(version_answer, model_version, K_RECORD, 0, "The version", .sub = &version_row_record),
};
static const struct record version_answer_record = MLFLOW_RECORD(version_answer, version_answer_fields, "One version", .name = "alias_answer");
struct versions_answer { struct list model_versions; };
static const struct field versions_answer_fields[] = {
	FIELD(versions_answer, model_versions, K_RECORDS, F_SKIP_EMPTY, "Versions", .sub = &version_row_record),
};
static const struct record versions_answer_record = MLFLOW_RECORD(versions_answer, versions_answer_fields, "Latest versions");

static struct registered_model *answer(void *out)
{
	return &((struct model_answer *)out)->registered_model;
}

static enum rc create(struct call *c, const void *in, void *out, struct err *e)
{
	return model_create(c->module, c->arena, in, c->who, answer(out), e);
}

static enum rc get(struct call *c, const void *in, void *out, struct err *e)
{
	return model_get(c->module, c->arena, ((const struct model_ref *)in)->name, answer(out), e);
}

static enum rc rename_model(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;

	return model_rename(c->module, c->arena, q->name, q->new_name, c->who, answer(out), e);
}

static enum rc describe(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;

	return model_describe(c->module, c->arena, q->name, q->description, c->who, answer(out), e);
}

static enum rc delete(struct call *c, const void *in, void *out, struct err *e)
{
	(void)out;
	return model_delete(c->module, c->arena, ((const struct model_ref *)in)->name, c->who, e);
}

static enum rc set_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;
	const struct pair tag = { q->key, q->value.at != NULL ? q->value : STR("") };

	(void)out;
	return model_tag(c->module, c->arena, q->name, 0, &tag, e);
}

static enum rc delete_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;
	const struct pair tag = { q->key, STR_NONE };

	(void)out;
	return model_tag(c->module, c->arena, q->name, 0, &tag, e);
}

static enum rc set_alias(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;
	int64_t version;

	(void)out;
	TRY(rule_version(q->version, &version, e));
	if (version == 0)
		return FAIL(e, RC_NOT_FOUND, "Model Version (name=" STR_FMT ", version=0) not found", STR_ARG(str_head(q->name, 100)));
	return alias_change(c->module, c->arena, q->name, q->alias, version, c->who, e);
}

static enum rc delete_alias(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;

	(void)out;
	return alias_change(c->module, c->arena, q->name, q->alias, 0, c->who, e);
}

static enum rc get_alias(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;

	return alias_get(c->module, c->arena, q->name, q->alias, &((struct version_answer *)out)->model_version, e);
}

/* --- latest versions, searching ------------------------------------------------------------------------- */

struct reading { struct arena *a; str name; struct list stages, list; struct registry_search search; struct registry_found found; };

static enum rc latest_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;
	struct registered_model m;

	TRY(store_model_get(tx, r->a, r->name, &m, e));
	return store_latest(tx, r->a, r->name, &r->stages, &r->list, e);
}

static enum rc latest(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;
	const struct registry *r = c->module;
	struct reading read = { .a = c->arena, .name = q->name, .stages = q->stages };

	for (size_t i = 0; i < q->stages.n; i++)
		TRY(rule_stage(*LIST_AT(q->stages, const str, i), LIST_AT(q->stages, str, i), e));
	TRY(db_read(r->db, latest_tx, &read, e));
	((struct versions_answer *)out)->model_versions = read.list;
	return RC_OK;
}

struct models_query { str filter; int64_t max_results; struct list order_by; str page_token; };
static const struct field query_fields[] = {
	FIELD(models_query, filter, K_STR, 0, "Comparisons joined by AND"),
	FIELD(models_query, max_results, K_I64, 0, "Most models in the answer", .def = "100"),
	FIELD(models_query, order_by, K_STRS, 0, "Keys, each with ASC or DESC"),
	FIELD(models_query, page_token, K_STR, 0, "From the page before"),
};
static const struct record query_record = MLFLOW_RECORD(models_query, query_fields, "Which models");
struct models_page { struct list registered_models; str next_page_token; };
static const struct field page_fields[] = {
	FIELD(models_page, registered_models, K_RECORDS, F_SKIP_EMPTY, "Models", .sub = &registered_model_record),
	FIELD(models_page, next_page_token, K_STR, F_SKIP_EMPTY, "For the next page"),
};
static const struct record page_record = MLFLOW_RECORD(models_page, page_fields, "Models found");

static enum rc search_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct reading *r = ctx;

	return store_models_search(tx, r->a, &r->search, &r->found, e);
}

static enum rc search(struct call *c, const void *in, void *out, struct err *e)
{
	const struct models_query *q = in;
	const struct registry *r = c->module;
	struct models_page *page = out;
	struct reading read = { .a = c->arena, .search = { .filter = q->filter, .order_by = q->order_by, .limit = q->max_results } };

	TRY(mlflow_page_size(q->max_results, 1000, e));
	TRY(mlflow_page_offset(c->arena, q->page_token, &read.search.offset, e));
	TRY(db_read(r->db, search_tx, &read, e));
	page->registered_models = read.found.rows;
	if (read.found.more)
		page->next_page_token = mlflow_page_token(c->arena, read.search.offset + read.search.limit);
	return RC_OK;
}

#define ROUTE(m, p, perm, i, o, h, text) { m, p, perm, .in = i, .out = o, .handler = h, .doc = text, .flags = ROUTE_HIDDEN }
const struct route model_routes[MODEL_ROUTES] = {
	ROUTE(HTTP_POST, "/registered-models/create", W, &create_record, &answer_record, create, "Makes a registered model"),
	ROUTE(HTTP_GET, "/registered-models/get", R, &name_record, &answer_record, get, "A registered model"),
	ROUTE(HTTP_POST, "/registered-models/rename", W, &rename_record, &answer_record, rename_model, "Renames a model"),
	ROUTE(HTTP_PATCH, "/registered-models/update", W, &describe_record, &answer_record, describe, "Describes a model"),
	ROUTE(HTTP_DELETE, "/registered-models/delete", W, &name_record, NULL, delete, "Deletes a model and its versions"),
	ROUTE(HTTP_GET, "/registered-models/search", R, &query_record, &page_record, search, "Finds models"),
	ROUTE(HTTP_POST, "/registered-models/get-latest-versions", R, &latest_record, &versions_answer_record, latest,
	      "Highest version of each stage"),
	ROUTE(HTTP_GET, "/registered-models/get-latest-versions", R, &latest_record, &versions_answer_record, latest,
	      "Highest version of each stage"),
	ROUTE(HTTP_POST, "/registered-models/set-tag", W, &tag_record, NULL, set_tag, "Sets a tag"),
	ROUTE(HTTP_DELETE, "/registered-models/delete-tag", W, &tag_record, NULL, delete_tag, "Deletes a tag"),
	ROUTE(HTTP_POST, "/registered-models/alias", W, &alias_set_record, NULL, set_alias, "Points an alias to a version"),
	ROUTE(HTTP_DELETE, "/registered-models/alias", W, &alias_record, NULL, delete_alias, "Deletes an alias"),
	ROUTE(HTTP_GET, "/registered-models/alias", R, &alias_record, &version_answer_record, get_alias, "The version that an alias points to"),
	ROUTE(HTTP_POST, "/registered-models/search", R, &query_record, &page_record, search, "Finds models"),
};
