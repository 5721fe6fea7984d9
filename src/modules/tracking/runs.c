/* runs.c -- runs and what is logged to them: rules first, then one transaction. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "core/event.h"
#include "modules/tracking/store.h"

#define PARENT_TAG "mlflow.parentRunId"

struct change {
	struct tracking *t;
	struct arena *a;
	str run_id, key;
	struct run *run;
	struct run_info *info;
	const struct run_change *what;
	const struct log_batch *batch;
	const struct list *datasets, *models;
	int64_t experiment;
	bool deleted;
	const struct principal *who;
};

/* --- creating ---------------------------------------------------------------------------------------- */

static enum rc create_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct run_info *r = &c->run->info;
	struct experiment x;

	TRY(store_experiment_get(tx, c->a, c->experiment, VIEW_ALL, &x, e));
	if (!str_eq(x.lifecycle_stage, STR("active")))
		return FAIL(e, RC_INVALID, "The experiment " STR_FMT " must be in the 'active' state. Current state is deleted.",
			    STR_ARG(x.experiment_id));
	r->experiment_id = x.experiment_id;
	r->artifact_uri = artifact_join(c->a, artifact_join(c->a, x.artifact_location, r->run_id), STR("artifacts"));
	TRY(store_run_add(tx, r, e));
	TRY(store_log(c->t, tx, c->a, c->batch, e));
	return lineage_node_put(tx, LIN_RUN, r->run_id, r->run_name, STR_NONE, e);
}

/* The argument, the tag, or a name made up; the tag is always there. */
static enum rc settle_name(struct arena *a, const struct run_create *r, struct list *tags, str *name, struct err *e)
{
	VEC(struct pair) all = { 0 };
	str tag = STR_NONE;

	for (size_t i = 0; i < r->tags.n; i++) {
		const struct pair *p = LIST_AT(r->tags, const struct pair, i);
		*VEC_PUSH(a, &all) = *p;
		if (str_eq(p->key, STR(RUN_NAME_TAG)))
			tag = p->value;
	}
	if (r->run_name.len > 0 && tag.len > 0 && !str_eq(r->run_name, tag))
		return FAIL(e, RC_INVALID, "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
			    "(run_name='" STR_FMT "', mlflow.runName='" STR_FMT "').", STR_ARG(mlflow_truncate(r->run_name, 100)),
			    STR_ARG(mlflow_truncate(tag, 100)));
	*name = r->run_name.len > 0 ? r->run_name : tag.len > 0 ? tag : mlflow_random_name(a);
	*name = mlflow_truncate(*name, LIMIT_RUN_TAG_VALUE);
	if (tag.len == 0)
		*VEC_PUSH(a, &all) = (struct pair){ STR(RUN_NAME_TAG), *name };
	*tags = LIST_OF(all);
	return RC_OK;
}

static enum rc read_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_run_info(tx, c->a, c->run_id, &c->run->info, e));
	return store_runs_fill(tx, c->a, &c->run, 1, true, e);
}

enum rc run_get(struct tracking *t, struct arena *a, str run_id, struct run *out, struct err *e)
{
	struct change c = { .t = t, .a = a, .run_id = run_id, .run = out };

	OBJ_CHECK(t, TRACKING_MAGIC);
	*out = (struct run){ 0 };
	return db_read(t->db, read_tx, &c, e);
}

enum rc run_create(struct tracking *t, struct arena *a, const struct run_create *r, const struct principal *who, struct run *out,
		   struct err *e)
{
	struct change c = { .t = t, .a = a, .run = out, .who = who };
	struct run_info *i = &out->info;
	struct list tags;

	OBJ_CHECK(t, TRACKING_MAGIC);
	*out = (struct run){ 0 };
	TRY(rule_experiment_id(r->experiment_id, &c.experiment, e));
	TRY(settle_name(a, r, &tags, &i->run_name, e));
	TRY(rule_tags(tags.at, tags.n, e));
	i->run_id = i->run_uuid = r->run_id.len > 0 ? r->run_id : id_hex(a, 16);
	i->user_id = r->user_id.len > 0 ? r->user_id : who->name;
	i->status = STR("RUNNING");
	i->start_ms = r->start_ms;
	i->lifecycle_stage = STR("active");
	const struct log_batch b = { .run_id = i->run_id, .tag = tags.at, .n_tag = tags.n };
	c.batch = &b;
	TRY(db_write(t->db, create_tx, &c, e));
	out->data.tags = tags;
	return RC_OK;
}

/* --- changing ------------------------------------------------------------------------------------------ */

static enum rc update_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	const struct run_change *w = c->what;

	TRY(store_run_active(tx, c->a, w->run_id, c->info, e));
	if (w->status.len > 0)
		c->info->status = w->status;
	if (w->end_ms != 0)
		c->info->end_ms = w->end_ms;
	TRY(store_run_update(tx, c->info, e));
	if (w->run_name.len == 0)
		return RC_OK;
	c->info->run_name = w->run_name;
	const struct pair tag = { STR(RUN_NAME_TAG), w->run_name };
	return store_log(c->t, tx, c->a, &(struct log_batch){ .run_id = w->run_id, .tag = &tag, .n_tag = 1 }, e);
}

enum rc run_update(struct tracking *t, struct arena *a, const struct run_change *w, struct run_info *out, struct err *e)
{
	struct run_change what = *w;
	struct change c = { .t = t, .a = a, .info = out, .what = &what };

	if (what.status.len > 0)
		TRY(rule_status(what.status, e));
	what.run_name = mlflow_truncate(what.run_name, LIMIT_RUN_TAG_VALUE);
	return db_write(t->db, update_tx, &c, e);
}

static enum rc stage_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct run_info r;

	TRY(store_run_info(tx, c->a, c->run_id, &r, e));
	TRY(store_run_stage(tx, c->run_id, c->deleted, e));
	return event_audit(tx, c->who, c->deleted ? "run.delete" : "run.restore", arena_printf(c->a, "run:" STR_FMT, STR_ARG(c->run_id)),
			   STR_NONE, e);
}

enum rc run_stage(struct tracking *t, struct arena *a, str run_id, bool deleted, const struct principal *who, struct err *e)
{
	struct change c = { .t = t, .a = a, .run_id = run_id, .deleted = deleted, .who = who };

	return db_write(t->db, stage_tx, &c, e);
}

static enum rc log_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	return store_log(c->t, tx, c->a, c->batch, e);
}

enum rc run_log(struct tracking *t, struct arena *a, const struct log_batch *b, struct err *e)
{
	struct change c = { .t = t, .a = a, .batch = b };

	OBJ_CHECK(t, TRACKING_MAGIC);
	TRY(db_write(t->db, log_tx, &c, e));
	series_add(t->points, (double)b->n_metric);
	return RC_OK;
}

static enum rc tag_delete_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct run_info r;

	TRY(store_run_active(tx, c->a, c->run_id, &r, e));
	return store_run_tag_delete(tx, c->run_id, c->key, e);
}

enum rc run_tag_delete(struct tracking *t, struct arena *a, str run_id, str key, struct err *e)
{
	struct change c = { .t = t, .a = a, .run_id = run_id, .key = key };

	return db_write(t->db, tag_delete_tx, &c, e);
}

static enum rc inputs_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct run_info r;

	TRY(store_run_active(tx, c->a, c->run_id, &r, e));
	if (c->datasets == NULL)
		return store_outputs_add(tx, c->run_id, c->models, e);
	return store_inputs_add(tx, c->a, &r, c->datasets, c->models, e);
}

static enum rc check_dataset(const struct dataset_input *d, struct err *e)
{
	TRY(mlflow_check_length("name", d->dataset.name, 500, e));
	TRY(mlflow_check_length("digest", d->dataset.digest, 36, e));
	TRY(mlflow_check_length("source", d->dataset.source, 65535, e));
	TRY(mlflow_check_length("schema", d->dataset.schema, 1048575, e));
	TRY(mlflow_check_length("profile", d->dataset.profile, 16777215, e));
	for (size_t i = 0; i < d->tags.n; i++) {
		const struct pair *p = LIST_AT(d->tags, const struct pair, i);
		TRY(mlflow_check_length("key", p->key, 255, e));
		TRY(mlflow_check_length("value", p->value, 500, e));
	}
	return RC_OK;
}

enum rc run_inputs_add(struct tracking *t, struct arena *a, str run_id, const struct list *datasets, const struct list *models,
		       struct err *e)
{
	struct change c = { .t = t, .a = a, .run_id = run_id, .datasets = datasets, .models = models };

	for (size_t i = 0; i < datasets->n; i++)
		TRY(check_dataset(LIST_AT(*datasets, const struct dataset_input, i), e));
	return db_write(t->db, inputs_tx, &c, e);
}

enum rc run_outputs_add(struct tracking *t, struct arena *a, str run_id, const struct list *models, struct err *e)
{
	struct change c = { .t = t, .a = a, .run_id = run_id, .models = models };

	return db_write(t->db, inputs_tx, &c, e);
}

/* --- for other modules ----------------------------------------------------------------------------------- */

enum rc tracking_run_start(struct tracking *t, const struct run_start *r, struct arena *a, str *run_id_out, struct err *e)
{
	VEC(struct pair) tags = { 0 };
	struct run run;

	for (size_t i = 0; i < r->n_tag; i++)
		*VEC_PUSH(a, &tags) = r->tag[i];
	if (r->parent_run_id.len > 0)
		*VEC_PUSH(a, &tags) = (struct pair){ STR(PARENT_TAG), r->parent_run_id };
	const struct principal *who = r->who != NULL ? r->who : &principal_system;
	*VEC_PUSH(a, &tags) = (struct pair){ STR("mlflow.user"), who->name };
	const struct run_create make = { .experiment_id = r->experiment_id, .user_id = who->name, .run_name = r->name,
					 .start_ms = clock_ms(), .tags = LIST_OF(tags), .run_id = r->run_id };
	TRY(run_create(t, a, &make, who, &run, e));
	*run_id_out = run.info.run_id;
	return RC_OK;
}

/* Copies, because the rules cut what is too long; the limits of a request over the wire do not apply. */
enum rc tracking_run_log(struct tracking *t, str run_id, const struct metric_point *m, size_t n_metric, const struct pair *param,
			 size_t n_param, const struct pair *tag, size_t n_tag, struct err *e)
{
	struct arena a;

	arena_init(&a);
	struct metric *metrics = ARENA_ARRAY(&a, struct metric, n_metric + 1);
	struct pair *params = ARENA_ARRAY(&a, struct pair, n_param + 1), *tags = ARENA_ARRAY(&a, struct pair, n_tag + 1);
	for (size_t i = 0; i < n_metric; i++)
		metrics[i] = (struct metric){ .key = m[i].key, .value = m[i].value, .time_ms = m[i].time_ms, .step = m[i].step };
	if (n_param > 0)
		memcpy(params, param, n_param * sizeof(*param));
	if (n_tag > 0)
		memcpy(tags, tag, n_tag * sizeof(*tag));
	enum rc rc = rule_metrics(metrics, n_metric, e);
	if (rc == RC_OK)
		rc = rule_params(params, n_param, e);
	if (rc == RC_OK)
		rc = rule_tags(tags, n_tag, e);
	const struct log_batch b = { .run_id = run_id, .metric = metrics, .n_metric = n_metric, .param = params, .n_param = n_param,
				     .tag = tags, .n_tag = n_tag };
	if (rc == RC_OK)
		rc = run_log(t, &a, &b, e);
	arena_deinit(&a);
	return rc;
}

enum rc tracking_run_end(struct tracking *t, str run_id, enum run_status status, struct err *e)
{
	const struct run_change what = { .run_id = run_id, .status = str_of(run_status_names[status]), .end_ms = clock_ms() };
	struct run_info info;
	struct arena a;

	CHECK(status <= RUN_KILLED);
	arena_init(&a);
	enum rc rc = run_update(t, &a, &what, &info, e);
	arena_deinit(&a);
	return rc;
}

enum rc tracking_run_name(struct tracking *t, struct arena *a, str run_id, str *out, struct err *e)
{
	struct run run;

	TRY(run_get(t, a, run_id, &run, e));
	*out = run.info.run_name;
	return RC_OK;
}
