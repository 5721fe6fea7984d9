/* store_models.c -- inputs and outputs of runs, and logged models, as rows. */
#include <math.h>

#include "base/id.h"
#include "modules/tracking/store.h"

/* --- inputs --------------------------------------------------------------------------------------------- */

/* As store_fill.c reads it. */
struct stored_tags { struct list tags; };
static const struct field stored_tags_fields[] = {
	FIELD(stored_tags, tags, K_RECORDS, 0, "Tags", .sub = &pair_record),
};
static const struct record stored_tags_record = RECORD(stored_tags, stored_tags_fields, "Tags of a run's use of a dataset");

static enum rc dataset_id(struct tx *tx, struct arena *a, str experiment, const struct dataset_entity *d, str *out, struct err *e)
{
	struct rows rows;
	int64_t x;

	CHECK(str_to_i64(experiment, &x));
	TRY(db_query(tx, a, "SELECT id FROM input_datasets WHERE experiment = ? AND name = ? AND digest = ?",
		     VALS(V_I64(x), V_STR(d->name), V_STR(d->digest)), &rows, e));
	if (rows.n > 0) {
		*out = rows_at(&rows, 0, 0)->s;
		return RC_OK;
	}
	*out = id_hex(a, 16);
	return db_exec(tx,
		       "INSERT INTO input_datasets (id, experiment, name, digest, source_type, source, schema_text, profile)"
		       " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		       VALS(V_STR(*out), V_I64(x), V_STR(d->name), V_STR(d->digest), V_STR(d->source_type), V_STR(d->source),
			    V_STR(d->schema), V_STR(d->profile)),
		       NULL, e);
}

static str context_of(const struct list *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		const struct pair *p = LIST_AT(*tags, const struct pair, i);
		if (str_eq(p->key, STR("mlflow.data.context")))
			return p->value;
	}
	return STR("");
}

static enum rc add_run_model(struct tx *tx, str run_id, bool made, str model, int64_t step, struct err *e)
{
	return db_exec(tx, "INSERT INTO run_models (run, made, model, step) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		       VALS(V_STR(run_id), V_I64(made), V_STR(model), V_I64(step)), NULL, e);
}

enum rc store_inputs_add(struct tx *tx, struct arena *a, const struct run_info *r, const struct list *datasets, const struct list *models,
			 struct err *e)
{
	for (size_t i = 0; i < datasets->n; i++) {
		const struct dataset_input *d = LIST_AT(*datasets, const struct dataset_input, i);
		const struct stored_tags tags = { d->tags };
		str id;
		TRY(dataset_id(tx, a, r->experiment_id, &d->dataset, &id, e));
		TRY(db_exec(tx, "INSERT INTO run_inputs (run, dataset, context, tags) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			    VALS(V_STR(r->run_id), V_STR(id), V_STR(context_of(&d->tags)),
				 V_STR(record_to_json(&stored_tags_record, &tags, 0, a))),
			    NULL, e));
	}
	for (size_t i = 0; i < models->n; i++)
		TRY(add_run_model(tx, r->run_id, false, LIST_AT(*models, const struct model_input_ref, i)->model_id, 0, e));
	return RC_OK;
}

enum rc store_outputs_add(struct tx *tx, str run_id, const struct list *models, struct err *e)
{
	for (size_t i = 0; i < models->n; i++) {
		const struct model_output_ref *m = LIST_AT(*models, const struct model_output_ref, i);
		TRY(add_run_model(tx, run_id, true, m->model_id, m->step, e));
	}
	return RC_OK;
}

enum rc store_datasets_search(struct tx *tx, struct arena *a, const int64_t *experiment, size_t n, struct list *out, struct err *e)
{
	VEC(struct dataset_summary) found = { 0 };
	struct rows rows;
	struct sql s;

	*out = (struct list){ 0 };
	if (n == 0)
		return RC_OK;
	sql_init(&s, a);
	sql_add(&s, "SELECT DISTINCT d.experiment, d.name, d.digest, i.context FROM input_datasets d JOIN run_inputs i ON i.dataset = d.id"
		    " JOIN runs r ON r.id = i.run WHERE r.deleted = 0 AND d.experiment IN (", NO_VALS);
	sql_add_i64s(&s, experiment, n);
	sql_add(&s, ") ORDER BY d.name, d.digest LIMIT 1000", NO_VALS);
	TRY(sql_query(tx, &s, &rows, e));
	for (size_t i = 0; i < rows.n; i++)
		*VEC_PUSH(a, &found) = (struct dataset_summary){
			arena_printf(a, "%lld", (long long)rows_at(&rows, i, 0)->i), rows_at(&rows, i, 1)->s, rows_at(&rows, i, 2)->s,
			rows_at(&rows, i, 3)->s,
		};
	*out = LIST_OF(found);
	return RC_OK;
}

/* --- logged models ---------------------------------------------------------------------------------------- */

void scan_logged(struct arena *a, const struct val *row, struct logged_model *m)
{
	m->info = (struct logged_info){
		.model_id = arena_dup(a, row[0].s), .experiment_id = arena_printf(a, "%lld", (long long)row[1].i),
		.name = arena_dup(a, row[2].s), .created_ms = row[3].i, .updated_ms = row[4].i, .artifact_uri = arena_dup(a, row[5].s),
		.status = (int32_t)row[6].i, .model_type = arena_dup(a, row[7].s), .source_run_id = arena_dup(a, row[8].s),
	};
}

enum rc store_logged_pairs(struct tx *tx, str id, const struct list *pairs, bool tags, struct err *e)
{
	static const char *const texts[] = {
		"INSERT INTO logged_model_params (model, key, value) VALUES (?, ?, ?)"
		" ON CONFLICT (model, key) DO UPDATE SET value = excluded.value",
		"INSERT INTO logged_model_tags (model, key, value) VALUES (?, ?, ?)"
		" ON CONFLICT (model, key) DO UPDATE SET value = excluded.value",
	};

	for (size_t i = 0; i < pairs->n; i++) {
		const struct pair *p = LIST_AT(*pairs, const struct pair, i);
		TRY(db_exec(tx, texts[tags], VALS(V_STR(id), V_STR(p->key), V_STR(p->value)), NULL, e));
	}
	return RC_OK;
}

enum rc store_logged_add(struct tx *tx, const struct logged_model *m, struct err *e)
{
	const struct logged_info *i = &m->info;
	int64_t experiment;

	CHECK(str_to_i64(i->experiment_id, &experiment));
	TRY(db_exec(tx,
		    "INSERT INTO logged_models (id, experiment, name, created, updated, artifact_uri, status, model_type, source_run, deleted)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
		    VALS(V_STR(i->model_id), V_I64(experiment), V_STR(i->name), V_I64(i->created_ms), V_I64(i->updated_ms),
			 V_STR(i->artifact_uri), V_I64(i->status), V_STR(i->model_type), V_STR(i->source_run_id)),
		    NULL, e));
	TRY(store_logged_pairs(tx, i->model_id, &m->data.params, false, e));
	return store_logged_pairs(tx, i->model_id, &i->tags, true, e);
}

static enum rc not_found(str id, struct err *e)
{
	return FAIL(e, RC_NOT_FOUND, "Logged model with ID '" STR_FMT "' not found.", STR_ARG(mlflow_truncate(id, 100)));
}

enum rc store_logged_get(struct tx *tx, struct arena *a, str id, bool deleted_too, struct logged_model *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT " LOGGED_COLUMNS ", l.deleted FROM logged_models l WHERE l.id = ?", VALS(V_STR(id)), &rows, e));
	if (rows.n == 0 || (!deleted_too && rows_at(&rows, 0, 9)->i != 0))
		return not_found(id, e);
	*out = (struct logged_model){ 0 };
	scan_logged(a, rows.cell, out);
	return store_logged_fill(tx, a, out, e);
}

static enum rc read_pairs(struct tx *tx, struct arena *a, const char *sql, str id, struct list *out, struct err *e)
{
	VEC(struct pair) pairs = { 0 };
	struct rows rows;

	TRY(db_query(tx, a, sql, VALS(V_STR(id)), &rows, e));
	for (size_t i = 0; i < rows.n; i++)
		*VEC_PUSH(a, &pairs) = (struct pair){ rows_at(&rows, i, 0)->s, rows_at(&rows, i, 1)->s };
	*out = LIST_OF(pairs);
	return RC_OK;
}

/* The latest value of each metric on each dataset. */
static enum rc read_metrics(struct tx *tx, struct arena *a, str id, struct list *out, struct err *e)
{
	VEC(struct metric) metrics = { 0 };
	struct rows rows;

	TRY(db_query(tx, a,
		     "SELECT key, at, step, run, value, is_nan, dataset_name, dataset_digest FROM logged_model_metrics WHERE model = ?"
		     " ORDER BY key, dataset_name, dataset_digest, at, step", VALS(V_STR(id)), &rows, e));
	for (size_t i = 0; i < rows.n; i++) {
		const struct val *r = &rows.cell[i * rows.n_col];
		double value = r[4].kind == VAL_I64 ? (double)r[4].i : r[4].f;
		const struct metric m = { .key = r[0].s, .time_ms = r[1].i, .step = r[2].i, .run_id = r[3].s, .model_id = id,
					  .value = r[5].i != 0 ? (double)NAN : value, .dataset_name = r[6].s, .dataset_digest = r[7].s };
		struct metric *last = metrics.n > 0 ? &metrics.at[metrics.n - 1] : NULL;
		bool same = last != NULL && str_eq(last->key, m.key) && str_eq(last->dataset_name, m.dataset_name) &&
			    str_eq(last->dataset_digest, m.dataset_digest);
		*(same ? last : VEC_PUSH(a, &metrics)) = m;
	}
	*out = LIST_OF(metrics);
	return RC_OK;
}

enum rc store_logged_fill(struct tx *tx, struct arena *a, struct logged_model *m, struct err *e)
{
	str id = m->info.model_id;

	TRY(read_pairs(tx, a, "SELECT key, value FROM logged_model_params WHERE model = ? ORDER BY key", id, &m->data.params, e));
	TRY(read_pairs(tx, a, "SELECT key, value FROM logged_model_tags WHERE model = ? ORDER BY key", id, &m->info.tags, e));
	return read_metrics(tx, a, id, &m->data.metrics, e);
}

enum rc store_logged_status(struct tx *tx, str id, int32_t status, bool deleted, int64_t now, struct err *e)
{
	int64_t changed = 0;

	TRY(db_exec(tx, "UPDATE logged_models SET status = CASE WHEN CAST(? AS BIGINT) > 0 THEN CAST(? AS BIGINT) ELSE status END, deleted = ?,"
			" updated = ? WHERE id = ?",
		    VALS(V_I64(status), V_I64(status), V_I64(deleted), V_I64(now), V_STR(id)), &changed, e));
	return changed > 0 ? RC_OK : not_found(id, e);
}

enum rc store_logged_tag_delete(struct tx *tx, str id, str key, struct err *e)
{
	int64_t changed = 0;

	TRY(db_exec(tx, "DELETE FROM logged_model_tags WHERE model = ? AND key = ?", VALS(V_STR(id), V_STR(key)), &changed, e));
	if (changed == 0)
		return FAIL(e, RC_NOT_FOUND, "No tag with key '" STR_FMT "' found for model with ID '" STR_FMT "'.",
			    STR_ARG(mlflow_truncate(key, 100)), STR_ARG(id));
	return RC_OK;
}
