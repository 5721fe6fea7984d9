/* store_fill.c -- runs with all that was logged to them: a few statements for many runs, not a few for each. */
#include <math.h>

#include "base/map.h"
#include "modules/tracking/store.h"

#define RUNS_AT_ONCE 64         /* runs in one SELECT */

struct run_lists {
	struct run *run;
	VEC(struct metric) metrics;
	VEC(struct pair) params, tags;
	VEC(struct dataset_input) datasets;
	VEC(struct model_input_ref) inputs;
	VEC(struct model_output_ref) outputs;
};

struct filling {
	struct arena *a;
	struct map runs;        /* id → run_lists */
};

static enum rc fill_metric(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct filling *f = ctx;
	struct run_lists *r = map_find(&f->runs, row[0].s);
	double value = row[4].kind == VAL_I64 ? (double)row[4].i : row[4].f;

	(void)n_col;
	(void)e;
	*VEC_PUSH(f->a, &r->metrics) = (struct metric){ .key = arena_dup(f->a, row[1].s), .time_ms = row[2].i, .step = row[3].i,
							.value = row[5].i != 0 ? (double)NAN : value };
	return RC_OK;
}

static enum rc fill_param(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct filling *f = ctx;
	struct run_lists *r = map_find(&f->runs, row[0].s);

	(void)n_col;
	(void)e;
	*VEC_PUSH(f->a, &r->params) = (struct pair){ arena_dup(f->a, row[1].s), arena_dup(f->a, row[2].s) };
	return RC_OK;
}

static enum rc fill_tag(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct filling *f = ctx;
	struct run_lists *r = map_find(&f->runs, row[0].s);

	(void)n_col;
	(void)e;
	*VEC_PUSH(f->a, &r->tags) = (struct pair){ arena_dup(f->a, row[1].s), arena_dup(f->a, row[2].s) };
	return RC_OK;
}

/* Tags of an input are stored as the JSON of their list. */
struct input_tags { struct list tags; };
static const struct field input_tags_fields[] = {
	FIELD(input_tags, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record input_tags_record = RECORD(input_tags, input_tags_fields, "Tags of a run's use of a dataset");

static enum rc fill_dataset(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct filling *f = ctx;
	struct run_lists *r = map_find(&f->runs, row[0].s);
	struct dataset_input *d = VEC_PUSH(f->a, &r->datasets);
	struct input_tags tags;

	(void)n_col;
	TRY(record_from_json(&input_tags_record, arena_dup(f->a, row[1].s), f->a, 0, &tags, e));
	*d = (struct dataset_input){
		.tags = tags.tags,
		.dataset = { arena_dup(f->a, row[2].s), arena_dup(f->a, row[3].s), arena_dup(f->a, row[4].s), arena_dup(f->a, row[5].s),
			     arena_dup(f->a, row[6].s), arena_dup(f->a, row[7].s) },
	};
	return RC_OK;
}

static enum rc fill_model(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct filling *f = ctx;
	struct run_lists *r = map_find(&f->runs, row[0].s);
	str model = arena_dup(f->a, row[2].s);

	(void)n_col;
	(void)e;
	if (row[1].i != 0)
		*VEC_PUSH(f->a, &r->outputs) = (struct model_output_ref){ model, row[3].i };
	else
		VEC_PUSH(f->a, &r->inputs)->model_id = model;
	return RC_OK;
}

static enum rc fill_some(struct tx *tx, struct filling *f, struct run *const *run, size_t n, struct err *e)
{
	static const struct { const char *head, *tail; row_fn *fn; } parts[] = {
		{ "SELECT run, key, at, step, value, is_nan FROM run_metrics WHERE run IN (", ") ORDER BY run, key", fill_metric },
		{ "SELECT run, key, value FROM run_params WHERE run IN (", ") ORDER BY run, key", fill_param },
		{ "SELECT run, key, value FROM run_tags WHERE run IN (", ") ORDER BY run, key", fill_tag },
		{ "SELECT i.run, i.tags, d.name, d.digest, d.source_type, d.source, d.schema_text, d.profile FROM run_inputs i"
		  " JOIN input_datasets d ON d.id = i.dataset WHERE i.run IN (", ") ORDER BY i.run, d.name, d.digest", fill_dataset },
		{ "SELECT run, made, model, step FROM run_models WHERE run IN (", ") ORDER BY run, made, model, step", fill_model },
	};
	struct val ids[RUNS_AT_ONCE];
	size_t n_ids = n == 1 ? 1 : RUNS_AT_ONCE;       /* two lengths of statement; the last id fills up */

	for (size_t i = 0; i < n_ids; i++)
		ids[i] = V_STR(run[i < n ? i : n - 1]->info.run_id);
	for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
		struct sql s;
		sql_init(&s, f->a);
		sql_add(&s, parts[p].head, NO_VALS);
		sql_add_list(&s, ids, n_ids);
		sql_add(&s, parts[p].tail, NO_VALS);
		TRY(sql_each(tx, &s, parts[p].fn, f, e));
	}
	return RC_OK;
}

enum rc store_runs_fill(struct tx *tx, struct arena *a, struct run *const *run, size_t n, bool model_inputs, struct err *e)
{
	struct filling f = { .a = a };
	struct run_lists *lists = ARENA_ARRAY(a, struct run_lists, n + 1);

	map_init(&f.runs, a);
	for (size_t i = 0; i < n; i++)
		(void)map_put(&f.runs, run[i]->info.run_id, &lists[i]);
	for (size_t i = 0; i < n; i += RUNS_AT_ONCE)
		TRY(fill_some(tx, &f, run + i, n - i < RUNS_AT_ONCE ? n - i : RUNS_AT_ONCE, e));
	for (size_t i = 0; i < n; i++) {
		run[i]->data = (struct run_data){ LIST_OF(lists[i].metrics), LIST_OF(lists[i].params), LIST_OF(lists[i].tags) };
		run[i]->inputs.dataset_inputs = LIST_OF(lists[i].datasets);
		run[i]->outputs.model_outputs = LIST_OF(lists[i].outputs);
		if (model_inputs)
			run[i]->inputs.model_inputs = LIST_OF(lists[i].inputs);
	}
	return RC_OK;
}
