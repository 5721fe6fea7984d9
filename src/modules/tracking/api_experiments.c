/* api_experiments.c -- MLflow's experiment routes. */
#include "modules/tracking/store.h"

#define R "tracking.read"
#define W "tracking.write"

struct experiment_ref { str experiment_id, experiment_name; };
static const struct field by_id_fields[] = {
	FIELD(experiment_ref, experiment_id, K_STR, F_REQUIRED, "Id"),
};
static const struct record by_id_record = MLFLOW_RECORD(experiment_ref, by_id_fields, "Which experiment", .name = "experiment_by_id");
static const struct field by_name_fields[] = {
	FIELD(experiment_ref, experiment_name, K_STR, F_REQUIRED, "Name"),
};
static const struct record by_name_record = MLFLOW_RECORD(experiment_ref, by_name_fields, "Which experiment", .name = "experiment_by_name");

struct experiment_answer { struct experiment experiment; };
static const struct field answer_fields[] = {
	FIELD(experiment_answer, experiment, K_RECORD, 0, "The experiment", .sub = &experiment_record),
};
static const struct record answer_record = MLFLOW_RECORD(experiment_answer, answer_fields, "One experiment");

static const struct field create_fields[] = {
	FIELD(experiment_create, name, K_STR, F_REQUIRED, "Unique name"),
	FIELD(experiment_create, artifact_location, K_STR, 0, "Where its runs keep artifacts"),
	FIELD(experiment_create, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record create_record = MLFLOW_RECORD(experiment_create, create_fields, "A new experiment");

struct experiment_made { str experiment_id; };
static const struct field made_fields[] = {
	FIELD(experiment_made, experiment_id, K_STR, 0, "Id"),
};
static const struct record made_record = MLFLOW_RECORD(experiment_made, made_fields, "The new experiment");

static enum rc create(struct call *c, const void *in, void *out, struct err *e)
{
	struct experiment_made *made = out;

	return experiment_create(c->module, c->arena, in, c->who, &made->experiment_id, e);
}

static enum rc get(struct call *c, const void *in, void *out, struct err *e)
{
	const struct experiment_ref *q = in;

	return experiment_get(c->module, c->arena, q->experiment_id, &((struct experiment_answer *)out)->experiment, e);
}

static enum rc get_by_name(struct call *c, const void *in, void *out, struct err *e)
{
	const struct experiment_ref *q = in;

	return experiment_by_name(c->module, c->arena, q->experiment_name, &((struct experiment_answer *)out)->experiment, e);
}

static enum rc delete(struct call *c, const void *in, void *out, struct err *e)
{
	(void)out;
	return experiment_stage(c->module, c->arena, ((const struct experiment_ref *)in)->experiment_id, true, c->who, e);
}

static enum rc restore(struct call *c, const void *in, void *out, struct err *e)
{
	(void)out;
	return experiment_stage(c->module, c->arena, ((const struct experiment_ref *)in)->experiment_id, false, c->who, e);
}

struct experiment_update { str experiment_id, new_name; };
static const struct field update_fields[] = {
	FIELD(experiment_update, experiment_id, K_STR, F_REQUIRED, "Id"),
	FIELD(experiment_update, new_name, K_STR, F_REQUIRED, "New name"),
};
static const struct record update_record = MLFLOW_RECORD(experiment_update, update_fields, "A new name for an experiment");

static enum rc update(struct call *c, const void *in, void *out, struct err *e)
{
	const struct experiment_update *q = in;

	(void)out;
	return experiment_rename(c->module, c->arena, q->experiment_id, q->new_name, c->who, e);
}

struct tag_change { str experiment_id, key, value; };
static const struct field tag_fields[] = {
	FIELD(tag_change, experiment_id, K_STR, F_REQUIRED, "Id"),
	FIELD(tag_change, key, K_STR, F_REQUIRED, "Name of the tag"),
	FIELD(tag_change, value, K_STR, 0, "Value of the tag", .max = 1 << 20),
};
static const struct record tag_record = MLFLOW_RECORD(tag_change, tag_fields, "A tag of an experiment", .name = "experiment_tag");

static enum rc set_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct tag_change *q = in;
	const struct pair tag = { q->key, q->value.at != NULL ? q->value : STR("") };

	(void)out;
	return experiment_tag(c->module, c->arena, q->experiment_id, &tag, e);
}

static enum rc delete_tag(struct call *c, const void *in, void *out, struct err *e)
{
	const struct tag_change *q = in;
	const struct pair tag = { q->key, STR_NONE };

	(void)out;
	return experiment_tag(c->module, c->arena, q->experiment_id, &tag, e);
}

/* --- searching ------------------------------------------------------------------------------------------ */

struct experiments_query { int64_t max_results; str page_token, filter; struct list order_by; int32_t view_type; uint64_t has; };
static const struct field query_fields[] = {
	FIELD(experiments_query, max_results, K_I64, 0, "Most experiments in the answer", .def = "1000"),
	FIELD(experiments_query, page_token, K_STR, 0, "From the page before"),
	FIELD(experiments_query, filter, K_STR, 0, "Comparisons joined by AND"),
	FIELD(experiments_query, order_by, K_STRS, 0, "Keys, each with ASC or DESC"),
	FIELD(experiments_query, view_type, K_ENUM, F_NUMBERED, "Active, deleted or all", .names = view_type_names, .def = "ACTIVE_ONLY"),
};
static const struct record query_record = MLFLOW_RECORD(experiments_query, query_fields, "Which experiments");

struct experiments_page { struct list experiments; str next_page_token; };
static const struct field page_fields[] = {
	FIELD(experiments_page, experiments, K_RECORDS, F_SKIP_EMPTY, "Experiments", .sub = &experiment_record),
	FIELD(experiments_page, next_page_token, K_STR, F_SKIP_EMPTY, "For the next page"),
};
static const struct record page_record = MLFLOW_RECORD(experiments_page, page_fields, "Experiments found");

struct searching { struct arena *a; struct search s; struct found found; };

static enum rc search_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct searching *q = ctx;

	return store_experiments_search(tx, q->a, &q->s, &q->found, e);
}

static enum rc search(struct call *c, const void *in, void *out, struct err *e)
{
	const struct experiments_query *q = in;
	const struct tracking *t = c->module;
	struct experiments_page *page = out;
	struct searching s = { .a = c->arena, .s = { .filter = q->filter, .order_by = q->order_by, .limit = q->max_results,
						     .view = q->view_type == VIEW_UNSET ? VIEW_ACTIVE : (enum view_type)q->view_type } };

	TRY(mlflow_page_size(q->max_results, 50000, e));
	TRY(mlflow_page_offset(c->arena, q->page_token, &s.s.offset, e));
	TRY(db_read(t->db, search_tx, &s, e));
	page->experiments = s.found.rows;
	if (s.found.more)
		page->next_page_token = mlflow_page_token(c->arena, s.s.offset + s.s.limit);
	return RC_OK;
}

const struct route experiment_routes[EXPERIMENT_ROUTES] = {
	{ HTTP_POST, "/experiments/create", W, .in = &create_record, .out = &made_record, .handler = create, .doc = "Makes an experiment",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_GET, "/experiments/get", R, .in = &by_id_record, .out = &answer_record, .handler = get, .doc = "An experiment by id",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_GET, "/experiments/get-by-name", R, .in = &by_name_record, .out = &answer_record, .handler = get_by_name,
	  .doc = "An experiment by name", .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/experiments/search", R, .in = &query_record, .out = &page_record, .handler = search, .doc = "Finds experiments",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_GET, "/experiments/search", R, .in = &query_record, .out = &page_record, .handler = search, .doc = "Finds experiments",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/experiments/delete", W, .in = &by_id_record, .handler = delete, .doc = "Deletes an experiment and its runs",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/experiments/restore", W, .in = &by_id_record, .handler = restore, .doc = "Restores an experiment and its runs",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/experiments/update", W, .in = &update_record, .handler = update, .doc = "Renames an experiment",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/experiments/set-experiment-tag", W, .in = &tag_record, .handler = set_tag, .doc = "Sets a tag",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/experiments/delete-experiment-tag", W, .in = &tag_record, .handler = delete_tag, .doc = "Deletes a tag",
	  .flags = ROUTE_HIDDEN },
};
