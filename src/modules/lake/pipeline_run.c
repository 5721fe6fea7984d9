/* pipeline_run.c -- one run of a pipeline, from its inputs' newest versions to its outputs, or to the gate that stops it.
 *
 * Steps are tables of one sandboxed session, so each is computed once. After each step its row in the history is saved, so
 * a run that is killed tells how far it came; outputs become visible in the transaction that ends the run, and only there. */
#include "modules/lake/pipeline.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "io/blob.h"
#include "io/crypto.h"

struct running {
	struct lake *l;
	const struct principal *who;
	struct task *task;
	struct arena *a;
	struct query *q;
	struct pipeline p;
	struct pipeline_row row;
	struct pipeline_run run;
	size_t *order;
	VEC(struct run_step) steps;
	VEC(struct gate_outcome) gates;
	struct dataset_version *v;      /* of the outputs */
};

/* --- before it runs --------------------------------------------------------------------------------------------------- */

static enum rc find_inputs(struct running *r, struct err *e)
{
	size_t n = r->p.inputs.n;
	struct run_input *in = ARENA_ARRAY(r->a, struct run_input, n);
	struct dataset_version v;
	struct sha256 s;
	char *hex = arena_alloc_raw(r->a, SHA256_HEX + 1);

	sha256_init(&s);
	sha256_add(&s, r->row.digest.at, r->row.digest.len);
	for (size_t i = 0; i < n; i++) {
		str name = *LIST_AT(r->p.inputs, const str, i);
		if (lake_version(r->l, r->a, name, 0, &v, e) != RC_OK)
			return err_wrap(e, "input of pipeline '" STR_FMT "'", STR_ARG(r->p.name));
		in[i] = (struct run_input){ .dataset = name, .id = v.id, .blob = v.blob };
		sha256_add(&s, v.blob.at, v.blob.len);
	}
	sha256_end_hex(&s, hex);
	r->run.fingerprint = str_of(hex);
	r->run.inputs = (struct list){ in, n };
	return RC_OK;
}

/* The last success was of the same definition and inputs, and what it made is still the newest. */
static enum rc find_same(struct running *r, bool *same, struct pipeline_run *last, struct err *e)
{
	struct dataset_version v;

	*same = false;
	TRY(lake__run_last(r->l, r->a, r->p.name, true, last, same, e));
	*same = *same && str_eq(last->fingerprint, r->run.fingerprint);
	for (size_t i = 0; *same && i < last->outputs.n; i++) {
		const struct run_output *o = LIST_AT(last->outputs, const struct run_output, i);
		TRY(lake_version(r->l, r->a, o->dataset, 0, &v, e));
		*same = str_eq(v.id, o->id);
	}
	return RC_OK;
}

/* --- steps and gates -------------------------------------------------------------------------------------------------- */

static enum rc save_progress(struct running *r, struct err *e)
{
	r->run.steps = (struct list)LIST_OF(r->steps);
	r->run.gates = (struct list)LIST_OF(r->gates);
	return lake__run_save(r->l, &r->run, e);
}

static enum rc gate_failed(const struct running *r, const struct gate_outcome *o, struct err *e)
{
	const char *of = o->column.len > 0 ? " of " : "";

	if (o->n_failing > 0)
		return FAIL(e, RC_GATE_FAILED,
			    "step '" STR_FMT "': gate " STR_FMT "%s" STR_FMT
			    " failed: %lld of %lld rows do not pass (%.6g pass; needed: " STR_FMT
			    "); nothing was published, see run " STR_FMT,
			    STR_ARG(o->step), STR_ARG(o->gate), of, STR_ARG(o->column), (long long)o->n_failing,
			    (long long)o->n_checked, o->value, STR_ARG(o->bound), STR_ARG(r->run.id));
	return FAIL(e, RC_GATE_FAILED,
		    "step '" STR_FMT "': gate " STR_FMT "%s" STR_FMT " failed: measured %.15g, needed: " STR_FMT
		    "; nothing was published, see run " STR_FMT,
		    STR_ARG(o->step), STR_ARG(o->gate), of, STR_ARG(o->column), o->value, STR_ARG(o->bound),
		    STR_ARG(r->run.id));
}

/* All gates of one place are measured, so that one run tells everything that is wrong there; then the first failure counts. */
static enum rc run_gates(struct running *r, const struct list *gates, str step, const char *on, struct err *e)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < gates->n; i++) {
		const struct gate *g = LIST_AT(*gates, const struct gate, i);
		struct gate_outcome o;
		if (lake__gate_measure(r->q, g, step, r->a, &o, e) != RC_OK)
			return err_wrap(e, "step '" STR_FMT "', gate %s", STR_ARG(step), gate_kind_names[g->kind]);
		o.on = str_of(on);
		*VEC_PUSH(r->a, &r->gates) = o;
		if (!o.passed && first == SIZE_MAX)
			first = r->gates.n - 1;
	}
	if (first == SIZE_MAX)
		return RC_OK;
	return gate_failed(r, &r->gates.at[first], e);
}

static enum rc run_step(struct running *r, const struct pipeline_step *s, struct err *e)
{
	uint64_t since = clock_ns();
	struct result n;

	if (query_define(r->q, s->name, s->sql, true, e) != RC_OK)
		return err_wrap(e, "step '" STR_FMT "'", STR_ARG(s->name));
	str name = query_quote_name(r->a, s->name);
	TRY(query_run_ours(r->q, arena_printf(r->a, "SELECT count(*) FROM " STR_FMT, STR_ARG(name)), 1, r->a, &n, e));
	*VEC_PUSH(r->a, &r->steps) = (struct run_step){ .name = s->name, .n_rows = n.col[0].i[0],
							.took_ms = (int64_t)((clock_ns() - since) / 1000000) };
	TRY(run_gates(r, &s->gates, s->name, "step", e));
	return save_progress(r, e);
}

static enum rc run_steps(struct running *r, struct err *e)
{
	size_t n = r->p.steps.n;

	for (size_t i = 0; i < n; i++) {
		const struct pipeline_step *s = LIST_AT(r->p.steps, const struct pipeline_step, r->order[i]);
		if (work_cancelled(r->task))
			return FAIL(e, RC_CANCELLED, "cancelled");
		work_progress(r->task, 0.05 + 0.7 * (double)i / (double)n, "step " STR_FMT " (%zu of %zu)", STR_ARG(s->name),
			      i + 1, n);
		TRY(run_step(r, s, e));
	}
	for (size_t i = 0; i < r->p.outputs.n; i++) {
		const struct pipeline_output *o = LIST_AT(r->p.outputs, const struct pipeline_output, i);
		TRY(run_gates(r, &o->gates, o->step, "output", e));
	}
	return save_progress(r, e);
}

/* --- outputs ---------------------------------------------------------------------------------------------------------- */

static enum rc describe(struct running *r, str step, struct dataset_version *v, struct err *e)
{
	struct col *col;
	size_t n;

	TRY(query_describe(r->q, arena_printf(r->a, "SELECT * FROM " STR_FMT, STR_ARG(query_quote_name(r->a, step))), r->a,
			   &col, &n, e));
	struct dataset_column *out = ARENA_ARRAY(r->a, struct dataset_column, n);
	for (size_t i = 0; i < n; i++)
		out[i] = (struct dataset_column){ col[i].name, col[i].sql_type };
	v->columns = (struct list){ out, n };
	return RC_OK;
}

static enum rc write_output(struct running *r, size_t i, double from, double to, struct err *e)
{
	const struct pipeline_output *o = LIST_AT(r->p.outputs, const struct pipeline_output, i);
	struct run_output *out = LIST_AT(r->run.outputs, struct run_output, i);
	struct dataset_version *v = &r->v[i];
	char *path = arena_cstr(r->a, arena_printf(r->a, "%s/output_%zu.parquet", query_scratch(r->q), i));
	char *id = arena_alloc_raw(r->a, BLOB_ID_LEN + 1);
	uint64_t size = 0;

	*v = (struct dataset_version){ .dataset = o->dataset.len > 0 ? o->dataset : o->step,
				       .origin_kind = STR(LIN_PIPELINE),
				       .origin_id = r->run.id,
				       .origin = arena_printf(r->a, "pipeline " STR_FMT " run " STR_FMT, STR_ARG(r->p.name),
							      STR_ARG(r->run.id)) };
	str name = query_quote_name(r->a, o->step);
	TRY(query_to_parquet(r->q, arena_printf(r->a, "SELECT * FROM " STR_FMT, STR_ARG(name)), str_of(path), &v->n_rows, e));
	TRY(describe(r, o->step, v, e));
	TRY(lake__profile(r->q, o->step, r->task, from, to, r->a, &v->profile, e));
	TRY(blob_adopt(r->l->core->blobs, path, id, &size, e));
	v->blob = str_of(id);
	v->size = (int64_t)size;
	v->n_source_rows = v->n_rows;
	*out = (struct run_output){ .step = o->step, .dataset = v->dataset, .blob = v->blob, .n_rows = v->n_rows };
	return RC_OK;
}

static enum rc write_outputs(struct running *r, struct err *e)
{
	size_t n = r->p.outputs.n;

	r->v = ARENA_ARRAY(r->a, struct dataset_version, n);
	r->run.outputs = (struct list){ ARENA_ARRAY(r->a, struct run_output, n), n };
	for (size_t i = 0; i < n; i++) {
		if (work_cancelled(r->task))
			return FAIL(e, RC_CANCELLED, "cancelled");
		if (write_output(r, i, 0.78 + 0.17 * (double)i / (double)n, 0.78 + 0.17 * (double)(i + 1) / (double)n, e) !=
		    RC_OK)
			return err_wrap(e, "output of step '" STR_FMT "'",
					STR_ARG(LIST_AT(r->p.outputs, const struct pipeline_output, i)->step));
	}
	return RC_OK;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------- */

static enum rc run_in_session(struct running *r, struct err *e)
{
	struct list *tables;
	struct dataset_version v = { 0 };

	TRY(lake__plan(r->q, &r->p, r->a, &tables, &r->order, e));
	for (size_t i = 0; i < r->run.inputs.n; i++) {
		const struct run_input *in = LIST_AT(r->run.inputs, const struct run_input, i);
		v.blob = in->blob;
		v.id = in->id;
		TRY(lake_bind(r->l, r->q, in->dataset, &v, e));
	}
	TRY(query_sandbox(r->q, e));
	query_time_limit(r->q, (uint32_t)r->l->config.step_ms);
	TRY(run_steps(r, e));
	return write_outputs(r, e);
}

static enum rc work(struct running *r, struct err *e)
{
	TRY(query_open(r->l->core->query, &r->q, e));
	lake__watch(r->task, r->q);
	enum rc rc = run_in_session(r, e);
	lake__unwatch(r->task);
	query_close(&r->q);
	if (rc != RC_OK)
		return rc;
	if (work_cancelled(r->task))
		return FAIL(e, RC_CANCELLED, "cancelled");
	work_progress(r->task, 0.96, "publishing");
	return lake__run_publish(r->l, &r->run, r->v, r->who, r->a, e);
}

/* How a run that published nothing ended. If even that cannot be stored, lake__runs_settle finds it by its task. */
static void end_badly(struct running *r, enum rc rc, const struct err *why)
{
	struct err e = ERR_INIT;

	r->run.state = rc == RC_GATE_FAILED ? PIPE_GATE_FAILED : rc == RC_CANCELLED ? PIPE_CANCELLED : PIPE_FAILED;
	r->run.ended_ms = clock_ms();
	r->run.message = str_of(why->msg);
	r->run.outputs = (struct list){ NULL, 0 };
	if (save_progress(r, &e) != RC_OK)
		LOG(ERROR, "pipeline.not_saved", KV_STR("run", r->run.id), KV_ERR(&e));
}

static void tell(const struct pipeline_run *run, struct pipeline_result *out)
{
	out->run_id = run->id;
	out->pipeline = run->pipeline;
	out->n_gates = (int64_t)run->gates.n;
	out->outputs = run->outputs;
}

enum rc lake__pipeline_run(struct lake *l, const struct pipeline_request *req, const struct principal *who, struct task *t,
			   struct arena *a, struct pipeline_result *out, struct err *e)
{
	struct running r = { .l = l, .who = who, .task = t, .a = a };
	struct pipeline_run last = { 0 };
	bool same = false;

	OBJ_CHECK(l, LAKE_MAGIC);
	TRY(lake__pipeline(l, a, req->name, &r.row, &r.p, e));
	TRY(lake__runs_settle(l, false, e));
	TRY(find_inputs(&r, e));
	if (!req->force)
		TRY(find_same(&r, &same, &last, e));
	if (same) {
		tell(&last, out);
		out->skipped = true;
		out->reason = STR("definition and inputs are those of the last run");
		return RC_OK;
	}
	r.run.id = id_new(a, "pl");
	r.run.pipeline = r.p.name;
	r.run.revision = r.row.revision;
	r.run.started_ms = clock_ms();
	r.run.who = who->id;
	r.run.task = t != NULL ? task_id(t) : STR("");
	r.run.message = STR("running");
	TRY(lake__run_begin(l, &r.run, a, e));
	enum rc rc = work(&r, e);
	if (rc != RC_OK) {
		end_badly(&r, rc, e);
		return rc;
	}
	tell(&r.run, out);
	return RC_OK;
}
