/* api_models.c -- MLflow 3's logged-model routes. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "modules/tracking/store.h"

#define R "tracking.read"
#define W "tracking.write"

struct model_answer { struct logged_model model; };
static const struct field model_answer_fields[] = {
	FIELD(model_answer, model, K_RECORD, 0, "The logged model", .sub = &logged_model_record),
};
static const struct record model_answer_record = MLFLOW_RECORD(model_answer, model_answer_fields, "One logged model");

/* One transaction's arguments. */
struct change {
	struct tracking *t;
	struct arena *a;
	str id, key;
	int64_t experiment;
	struct logged_model *model;
	const struct list *pairs;
	bool tags, deleted_too;
	int32_t status;
	const struct logged_search *search;
	struct found found;
};

/* --- life ---------------------------------------------------------------------------------------------- */

struct model_create { str experiment_id, name, model_type, source_run_id; struct list params, tags; };
static const struct field model_create_fields[] = {
	FIELD(model_create, experiment_id, K_STR, F_REQUIRED, "Its experiment"),
	FIELD(model_create, name, K_STR, 0, "Name"),
	FIELD(model_create, model_type, K_STR, 0, "Kind of model"),
	FIELD(model_create, source_run_id, K_STR, 0, "Run that makes it"),
	FIELD(model_create, params, K_RECORDS, 0, "Params", .sub = &pair_record),
	FIELD(model_create, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record model_create_record = MLFLOW_RECORD(model_create, model_create_fields, "A new logged model");

static enum rc create_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct logged_info *i = &c->model->info;
	struct experiment x;

	TRY(store_experiment_get(tx, c->a, c->experiment, VIEW_ALL, &x, e));
	if (!str_eq(x.lifecycle_stage, STR("active")))
		return FAIL(e, RC_INVALID, "The experiment " STR_FMT " must be in the 'active' state. Current state is deleted.",
			    STR_ARG(x.experiment_id));
	str models = artifact_join(c->a, x.artifact_location, STR("models"));
	i->experiment_id = x.experiment_id;
	i->artifact_uri = artifact_join(c->a, artifact_join(c->a, models, i->model_id), STR("artifacts"));
	return store_logged_add(tx, c->model, e);
}

static enum rc check_model_name(str name, struct err *e)
{
	for (size_t i = 0; i < name.len; i++) {
		if (strchr("/:.%\"'", name.at[i]) != NULL)
			return FAIL(e, RC_INVALID, "Invalid model name (" STR_FMT ") provided. Model name must be a non-empty string and cannot contain "
				    "the following characters: ('/', ':', '.', '%%', '\"', \"'\")", STR_ARG(mlflow_truncate(name, 100)));
	}
	return RC_OK;
}

static enum rc create(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_create *q = in;
	struct tracking *t = c->module;
	struct logged_model *m = &((struct model_answer *)out)->model;
	struct change w = { .t = t, .a = c->arena, .model = m };
	int64_t now = clock_ms();

	TRY(rule_experiment_id(q->experiment_id, &w.experiment, e));
	TRY(check_model_name(q->name, e));
	m->info = (struct logged_info){
		.model_id = arena_printf(c->arena, "m-" STR_FMT, STR_ARG(id_hex(c->arena, 16))),
		.name = q->name.len > 0 ? q->name : mlflow_random_name(c->arena), .created_ms = now, .updated_ms = now,
		.status = LOGGED_PENDING, .model_type = q->model_type, .source_run_id = q->source_run_id, .tags = q->tags,
	};
	m->data.params = q->params;
	return db_write(t->db, create_tx, &w, e);
}

struct model_ref { str model_id; bool allow_deleted; };
static const struct field model_ref_fields[] = {
	FIELD(model_ref, model_id, K_STR, F_REQUIRED, "Id"),
	FIELD(model_ref, allow_deleted, K_BOOL, 0, "Deleted ones too"),
};
static const struct record model_ref_record = MLFLOW_RECORD(model_ref, model_ref_fields, "Which logged model");

static enum rc get_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	return store_logged_get(tx, c->a, c->id, c->deleted_too, c->model, e);
}

static enum rc get_model(struct tracking *t, struct arena *a, str id, bool deleted_too, struct logged_model *out, struct err *e)
{
	struct change r = { .t = t, .a = a, .id = id, .deleted_too = deleted_too, .model = out };

	return db_read(t->db, get_tx, &r, e);
}

static enum rc get(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;

	return get_model(c->module, c->arena, q->model_id, q->allow_deleted, &((struct model_answer *)out)->model, e);
}

struct model_finalize { str model_id; int32_t status; };
static const struct field model_finalize_fields[] = {
	FIELD(model_finalize, model_id, K_STR, F_REQUIRED, "Id"),
	FIELD(model_finalize, status, K_ENUM, F_REQUIRED | F_NUMBERED, "Whether its files are all there", .names = logged_status_names),
};
static const struct record model_finalize_record = MLFLOW_RECORD(model_finalize, model_finalize_fields, "How the upload ended");

static enum rc status_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_logged_status(tx, c->id, c->status, c->status == LOGGED_UNSPECIFIED, clock_ms(), e));
	return store_logged_get(tx, c->a, c->id, true, c->model, e);
}

static enum rc finalize(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_finalize *q = in;
	const struct tracking *t = c->module;
	struct change w = { .a = c->arena, .id = q->model_id, .status = q->status, .model = &((struct model_answer *)out)->model };

	if (q->status == LOGGED_UNSPECIFIED)
		return FAIL(e, RC_INVALID, "Invalid model status: LOGGED_MODEL_STATUS_UNSPECIFIED");
	return db_write(t->db, status_tx, &w, e);
}

static enum rc delete(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_ref *q = in;
	const struct tracking *t = c->module;
	struct logged_model m;
	struct change w = { .a = c->arena, .id = q->model_id, .status = LOGGED_UNSPECIFIED, .model = &m };

	(void)out;
	return db_write(t->db, status_tx, &w, e);
}

/* --- tags and params ---------------------------------------------------------------------------------------- */

struct model_pairs { str model_id, tag_key; struct list tags, params; };
static const struct field model_tags_fields[] = {
	FIELD(model_pairs, model_id, K_STR, F_REQUIRED, "Id"),
	FIELD(model_pairs, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record model_tags_record = MLFLOW_RECORD(model_pairs, model_tags_fields, "Tags of a logged model", .name = "model_tags");
static const struct field model_params_fields[] = {
	FIELD(model_pairs, model_id, K_STR, F_REQUIRED, "Id"),
	FIELD(model_pairs, params, K_RECORDS, 0, "Params", .sub = &pair_record),
};
static const struct record model_params_record = MLFLOW_RECORD(model_pairs, model_params_fields, "Params of a logged model", .name = "model_params");
static const struct field model_tag_fields[] = {
	FIELD(model_pairs, model_id, K_STR, F_REQUIRED, "Id"),
	FIELD(model_pairs, tag_key, K_STR, F_REQUIRED, "Name of the tag"),
};
static const struct record model_tag_record = MLFLOW_RECORD(model_pairs, model_tag_fields, "Which tag", .name = "model_tag");

static enum rc pairs_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct logged_model m;

	TRY(store_logged_get(tx, c->a, c->id, true, &m, e));
	if (c->pairs == NULL)
		return store_logged_tag_delete(tx, c->id, c->key, e);
	return store_logged_pairs(tx, c->id, c->pairs, c->tags, e);
}

static enum rc set_tags(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_pairs *q = in;
	const struct tracking *t = c->module;
	struct change w = { .a = c->arena, .id = q->model_id, .pairs = &q->tags, .tags = true };

	(void)out;
	return db_write(t->db, pairs_tx, &w, e);
}

static enum rc log_params(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_pairs *q = in;
	const struct tracking *t = c->module;
	struct change w = { .a = c->arena, .id = q->model_id, .pairs = &q->params };

	(void)out;
	return db_write(t->db, pairs_tx, &w, e);
}

static enum rc delete_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_pairs *q = in;
	const struct tracking *t = c->module;
	struct change w = { .a = c->arena, .id = q->model_id, .key = q->tag_key };

	(void)out;
	return db_write(t->db, pairs_tx, &w, e);
}

/* --- searching -------------------------------------------------------------------------------------------------- */

static const struct field logged_order_fields[] = {
	FIELD(logged_order, field_name, K_STR, F_REQUIRED, "Attribute or metrics.NAME"),
	FIELD(logged_order, ascending, K_BOOL, 0, "Least first", .def = "true"),
	FIELD(logged_order, dataset_name, K_STR, 0, "Metric on this dataset"),
	FIELD(logged_order, dataset_digest, K_STR, 0, "Digest of the dataset"),
};
static const struct record logged_order_record = MLFLOW_RECORD(logged_order, logged_order_fields, "An order of logged models");
static const struct field logged_dataset_fields[] = {
	FIELD(logged_dataset, dataset_name, K_STR, F_REQUIRED, "Name"),
	FIELD(logged_dataset, dataset_digest, K_STR, 0, "Digest"),
};
static const struct record logged_dataset_record = MLFLOW_RECORD(logged_dataset, logged_dataset_fields, "A dataset that metrics are on");
struct models_query { struct list experiment_ids; str filter; struct list datasets; int64_t max_results; struct list order_by; str page_token; };
static const struct field models_query_fields[] = {
	FIELD(models_query, experiment_ids, K_STRS, F_REQUIRED, "Experiments"),
	FIELD(models_query, filter, K_STR, 0, "Comparisons joined by AND"),
	FIELD(models_query, datasets, K_RECORDS, 0, "Datasets that metrics are on", .sub = &logged_dataset_record),
	FIELD(models_query, max_results, K_I64, 0, "Most models in the answer", .def = "50"),
	FIELD(models_query, order_by, K_RECORDS, 0, "Orders", .sub = &logged_order_record),
	FIELD(models_query, page_token, K_STR, 0, "From the page before"),
};
static const struct record models_query_record = MLFLOW_RECORD(models_query, models_query_fields, "Which logged models");
struct models_page { struct list models; str next_page_token; };
static const struct field models_page_fields[] = {
	FIELD(models_page, models, K_RECORDS, F_SKIP_EMPTY, "Logged models", .sub = &logged_model_record),
	FIELD(models_page, next_page_token, K_STR, F_SKIP_EMPTY, "For the next page"),
};
static const struct record models_page_record = MLFLOW_RECORD(models_page, models_page_fields, "Logged models found");

static enum rc search_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	return store_logged_search(tx, c->a, c->search, &c->found, e);
}

static enum rc search(struct call *c, const void *in, void *out, struct err *e)
{
	const struct models_query *q = in;
	const struct tracking *t = c->module;
	struct models_page *page = out;
	struct logged_search s = { .base = { .n_experiment = q->experiment_ids.n, .filter = q->filter,
					     .limit = q->max_results > 0 ? q->max_results : 50 },
				   .datasets = q->datasets, .order = q->order_by };
	struct change r = { .a = c->arena, .search = &s };
	int64_t *ids;

	TRY(mlflow_page_size(s.base.limit, 50000, e));
	if (q->experiment_ids.n == 0)
		return mlflow_missing("experiment_ids", e);
	TRY(rule_experiment_ids(&q->experiment_ids, c->arena, &ids, e));
	s.base.experiment = ids;
	TRY(mlflow_page_offset(c->arena, q->page_token, &s.base.offset, e));
	TRY(db_read(t->db, search_tx, &r, e));
	page->models = r.found.rows;
	if (r.found.more)
		page->next_page_token = mlflow_page_token(c->arena, s.base.offset + s.base.limit);
	return RC_OK;
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

struct model_files { str model_id, artifact_directory_path, artifact_file_path, page_token; };
static const struct field model_files_fields[] = {
	FIELD(model_files, model_id, K_STR, F_REQUIRED, "Id"),
	FIELD(model_files, artifact_directory_path, K_STR, 0, "Folder"),
	FIELD(model_files, artifact_file_path, K_STR, 0, "File"),
	FIELD(model_files, page_token, K_STR, 0, "Unused"),
};
static const struct record model_files_record = MLFLOW_RECORD(model_files, model_files_fields, "Which files");
struct files_page { str root_uri; struct list files; };
static const struct field files_page_fields[] = {
	FIELD(files_page, root_uri, K_STR, F_SKIP_EMPTY, "Where they are"),
	FIELD(files_page, files, K_RECORDS, F_SKIP_EMPTY, "Files and folders", .sub = &file_info_record),
};
static const struct record files_page_record = MLFLOW_RECORD(files_page, files_page_fields, "Files found", .name = "model_files_page");

static enum rc list_files(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_files *q = in;
	struct files_page *page = out;
	struct logged_model m;

	TRY(get_model(c->module, c->arena, q->model_id, false, &m, e));
	page->root_uri = m.info.artifact_uri;
	return artifact_list(c->module, c->arena, m.info.artifact_uri, q->artifact_directory_path, &page->files, e);
}

static enum rc get_file(struct call *c, const void *in, void *out, struct err *e)
{
	const struct model_files *q = in;
	struct logged_model m;
	struct artifact f;

	(void)out;
	if (q->artifact_file_path.len == 0)
		return mlflow_missing("artifact_file_path", e);
	TRY(get_model(c->module, c->arena, q->model_id, false, &m, e));
	TRY(artifact_get(c->module, c->arena, m.info.artifact_uri, q->artifact_file_path, &f, e));
	return mlflow_reply_artifact(c, &f, e);
}

#define ROUTE(m, p, perm, i, o, h, text) { m, p, perm, .in = i, .out = o, .handler = h, .doc = text, .flags = ROUTE_HIDDEN }
const struct route logged_model_routes[LOGGED_MODEL_ROUTES] = {
	ROUTE(HTTP_POST, "/logged-models", W, &model_create_record, &model_answer_record, create, "Makes a logged model"),
	ROUTE(HTTP_POST, "/logged-models/search", R, &models_query_record, &models_page_record, search, "Finds logged models"),
	ROUTE(HTTP_GET, "/logged-models/{model_id}", R, &model_ref_record, &model_answer_record, get, "A logged model"),
	ROUTE(HTTP_PATCH, "/logged-models/{model_id}", W, &model_finalize_record, &model_answer_record, finalize, "Ends the upload of a model"),
	ROUTE(HTTP_DELETE, "/logged-models/{model_id}", W, &model_ref_record, NULL, delete, "Deletes a logged model"),
	ROUTE(HTTP_PATCH, "/logged-models/{model_id}/tags", W, &model_tags_record, NULL, set_tags, "Sets tags"),
	ROUTE(HTTP_DELETE, "/logged-models/{model_id}/tags/{tag_key}", W, &model_tag_record, NULL, delete_tag, "Deletes a tag"),
	ROUTE(HTTP_POST, "/logged-models/{model_id}/params", W, &model_params_record, NULL, log_params, "Logs params"),
	ROUTE(HTTP_GET, "/logged-models/{model_id}/artifacts/directories", R, &model_files_record, &files_page_record, list_files,
	      "Lists a model's files"),
	{ HTTP_GET, "/logged-models/{model_id}/artifacts/files", R, .in = &model_files_record, .handler = get_file, .doc = "A file of a model",
	  .flags = ROUTE_HIDDEN | ROUTE_RAW_REPLY },
};
