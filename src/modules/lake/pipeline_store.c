/* pipeline_store.c -- pipelines and their runs in the metadata database. */
#include "modules/lake/pipeline.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/scheduler.h"
#include "core/store.h"

/* --- definitions --------------------------------------------------------------------------------------------------- */

struct pipeline_put {
	struct pipeline_row *row;
	const struct pipeline *p;
	const struct principal *who;
	struct arena *a;
	bool *changed;
};

static str dataset_of(const struct pipeline_output *o)
{
	return o->dataset.len > 0 ? o->dataset : o->step;
}

/* A dataset is made by one pipeline: two would take turns undoing each other. */
static enum rc refuse_shared_outputs(struct tx *tx, const struct pipeline_put *c, struct err *e)
{
	struct list rows;

	TRY(store_list(tx, c->a, &pipeline_row_record, "WHERE name <> ? ORDER BY name", VALS(V_STR(c->row->name)), &rows, e));
	for (size_t i = 0; i < rows.n; i++) {
		const struct pipeline_row *r = LIST_AT(rows, const struct pipeline_row, i);
		struct pipeline other;
		TRY(record_from_json(&pipeline_record, r->definition, c->a, DEC_TRUSTED, &other, e));
		for (size_t k = 0; k < other.outputs.n * c->p->outputs.n; k++) {
			str theirs = dataset_of(LIST_AT(other.outputs, const struct pipeline_output, k / c->p->outputs.n));
			str ours = dataset_of(LIST_AT(c->p->outputs, const struct pipeline_output, k % c->p->outputs.n));
			if (str_eq_nocase(theirs, ours))
				return FAIL(e, RC_CONFLICT, "dataset '" STR_FMT "' is made by pipeline '" STR_FMT "' already",
					    STR_ARG(ours), STR_ARG(r->name));
		}
	}
	return RC_OK;
}

static enum rc put_pipeline(struct tx *tx, void *ctx, struct err *e)
{
	struct pipeline_put *c = ctx;
	struct pipeline_row old = { 0 };
	bool found = false;

	TRY(store_find(tx, c->a, &pipeline_row_record, "WHERE name = ?", VALS(V_STR(c->row->name)), &old, &found, e));
	*c->changed = !found || !str_eq(old.digest, c->row->digest);
	c->row->revision = old.revision + *c->changed;
	c->row->updated_ms = *c->changed ? clock_ms() : old.updated_ms;
	c->row->created_ms = found ? old.created_ms : c->row->updated_ms;
	if (!*c->changed)
		return RC_OK;
	TRY(refuse_shared_outputs(tx, c, e));
	TRY(store_put(tx, &pipeline_row_record, c->row, e));
	return event_audit(tx, c->who, "pipeline.apply", arena_printf(c->a, "pipeline:" STR_FMT, STR_ARG(c->row->name)),
			   c->row->definition, e);
}

enum rc lake__pipeline_put(struct lake *l, struct pipeline_row *row, const struct pipeline *p, const struct principal *who,
			   bool *changed, struct err *e)
{
	struct arena a;

	arena_init(&a);
	enum rc rc = db_write(l->core->db, put_pipeline, &(struct pipeline_put){ row, p, who, &a, changed }, e);
	arena_deinit(&a);
	return rc;
}

enum rc lake__pipelines(struct lake *l, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(l->core->db, a, &pipeline_row_record, "ORDER BY name", NO_VALS, out, e);
}

enum rc lake__pipeline(struct lake *l, struct arena *a, str name, struct pipeline_row *row, struct pipeline *out, struct err *e)
{
	str named = arena_printf(a, "pipeline '" STR_FMT "'", STR_ARG(name));

	TRY(store_get1(l->core->db, a, &pipeline_row_record, "WHERE name = ?", VALS(V_STR(name)), named, row, e));
	return record_from_json(&pipeline_record, row->definition, a, DEC_TRUSTED, out, e);
}

/* --- runs ------------------------------------------------------------------------------------------------------------- */

struct run_begin { struct pipeline_run *r; struct arena *a; };

static enum rc begin_run(struct tx *tx, void *ctx, struct err *e)
{
	const struct run_begin *c = ctx;
	struct rows rows;

	TRY(db_query(tx, c->a, "SELECT id FROM lake_pipeline_runs WHERE pipeline = ? AND state = ?",
		     VALS(V_STR(c->r->pipeline), V_I64(PIPE_RUNNING)), &rows, e));
	if (rows.n > 0)
		return FAIL(e, RC_CONFLICT, "pipeline '" STR_FMT "' is running already: " STR_FMT, STR_ARG(c->r->pipeline),
			    STR_ARG(rows_at(&rows, 0, 0)->s));
	return store_insert(tx, &pipeline_run_record, c->r, e);
}

enum rc lake__run_begin(struct lake *l, struct pipeline_run *r, struct arena *a, struct err *e)
{
	return db_write(l->core->db, begin_run, &(struct run_begin){ r, a }, e);
}

enum rc lake__run_save(struct lake *l, const struct pipeline_run *r, struct err *e)
{
	return store_put1(l->core->db, &pipeline_run_record, r, e);
}

enum rc lake__run(struct lake *l, struct arena *a, str id, struct pipeline_run *out, struct err *e)
{
	str named = arena_printf(a, "pipeline run '" STR_FMT "'", STR_ARG(id));

	return store_get1(l->core->db, a, &pipeline_run_record, "WHERE id = ?", VALS(V_STR(id)), named, out, e);
}

enum rc lake__runs(struct lake *l, struct arena *a, str pipeline, int64_t limit, struct list *out, struct err *e)
{
	return store_list1(l->core->db, a, &pipeline_run_brief_record, "WHERE pipeline = ? ORDER BY id DESC LIMIT ?",
			   VALS(V_STR(pipeline), V_I64(limit)), out, e);
}

struct run_last { struct arena *a; str pipeline; bool succeeded; struct pipeline_run *out; bool *found; };

static enum rc last_run(struct tx *tx, void *ctx, struct err *e)
{
	const struct run_last *c = ctx;

	if (c->succeeded)
		return store_find(tx, c->a, &pipeline_run_record, "WHERE pipeline = ? AND state = ? ORDER BY id DESC LIMIT 1",
				  VALS(V_STR(c->pipeline), V_I64(PIPE_SUCCEEDED)), c->out, c->found, e);
	return store_find(tx, c->a, &pipeline_run_record, "WHERE pipeline = ? ORDER BY id DESC LIMIT 1",
			  VALS(V_STR(c->pipeline)), c->out, c->found, e);
}

enum rc lake__run_last(struct lake *l, struct arena *a, str pipeline, bool succeeded, struct pipeline_run *out, bool *found,
		       struct err *e)
{
	return db_read(l->core->db, last_run, &(struct run_last){ a, pipeline, succeeded, out, found }, e);
}

struct run_publish { struct pipeline_run *r; struct dataset_version *v; const struct principal *who; struct arena *a; };

static enum rc publish_run(struct tx *tx, void *ctx, struct err *e)
{
	const struct run_publish *c = ctx;
	struct pipeline_run *r = c->r;

	TRY(lineage_node_put(tx, LIN_PIPELINE, r->id,
			     arena_printf(c->a, STR_FMT " revision %lld", STR_ARG(r->pipeline), (long long)r->revision),
			     STR_NONE, e));
	for (size_t i = 0; i < r->inputs.n; i++)
		TRY(lineage_link(tx, LIN_DATASET, LIST_AT(r->inputs, const struct run_input, i)->id, LIN_PIPELINE, r->id,
				 "read", e));
	for (size_t i = 0; i < r->outputs.n; i++) {
		TRY(lake__publish(tx, &c->v[i], c->who, c->a, e));
		LIST_AT(r->outputs, struct run_output, i)->id = c->v[i].id;
	}
	r->state = PIPE_SUCCEEDED;
	r->ended_ms = clock_ms();
	r->message = STR("published");
	TRY(store_put(tx, &pipeline_run_record, r, e));
	return event_audit(tx, c->who, "pipeline.run", arena_printf(c->a, "pipeline:" STR_FMT, STR_ARG(r->pipeline)),
			   record_to_json(&pipeline_run_brief_record, r, 0, c->a), e);
}

enum rc lake__run_publish(struct lake *l, struct pipeline_run *r, struct dataset_version *v, const struct principal *who,
			  struct arena *a, struct err *e)
{
	return db_write(l->core->db, publish_run, &(struct run_publish){ r, v, who, a }, e);
}

/* --- runs that nobody runs ----------------------------------------------------------------------------------------------- */

static bool still_runs(struct lake *l, str task, struct arena *a)
{
	struct err e = ERR_INIT;
	struct task_info info;

	if (task_find(l->core->scheduler, a, task, &info, &e) != RC_OK)
		return e.rc != RC_NOT_FOUND;    /* if in doubt, it does */
	return info.state == TASK_QUEUED || info.state == TASK_RUNNING;
}

enum rc lake__runs_settle(struct lake *l, bool all, struct err *e)
{
	struct rows rows;
	struct arena a;
	int64_t n = 0;

	arena_init(&a);
	enum rc rc = db_query1(l->core->db, &a, "SELECT id, task FROM lake_pipeline_runs WHERE state = ?",
			       VALS(V_I64(PIPE_RUNNING)), &rows, e);
	for (size_t i = 0; rc == RC_OK && i < rows.n; i++) {
		if (!all && still_runs(l, rows_at(&rows, i, 1)->s, &a))
			continue;
		rc = db_exec1(l->core->db,
			      "UPDATE lake_pipeline_runs SET state = ?, ended_at = ?, message = ? WHERE id = ? AND state = ?",
			      VALS(V_I64(PIPE_INTERRUPTED), V_I64(clock_ms()),
				   V_CSTR("cairn stopped while this ran; nothing of it was published"), *rows_at(&rows, i, 0),
				   V_I64(PIPE_RUNNING)),
			      &n, e);
		if (rc == RC_OK && n > 0)
			LOG(WARN, "pipeline.interrupted", KV_STR("run", rows_at(&rows, i, 0)->s));
	}
	arena_deinit(&a);
	return rc;
}

enum rc lake__versions_of_failed_runs(struct lake *l, struct arena *a, int64_t *n_failed_out, struct list *out, struct err *e)
{
	struct rows n;

	TRY(db_query1(l->core->db, a, "SELECT count(*) FROM lake_pipeline_runs WHERE state NOT IN (?, ?)",
		      VALS(V_I64(PIPE_RUNNING), V_I64(PIPE_SUCCEEDED)), &n, e));
	*n_failed_out = rows_at(&n, 0, 0)->i;
	return store_list1(l->core->db, a, &dataset_version_brief_record,
			   "WHERE origin_id IN (SELECT id FROM lake_pipeline_runs WHERE state <> ?) ORDER BY dataset, number LIMIT 1000",
			   VALS(V_I64(PIPE_SUCCEEDED)), out, e);
}
