/* store.c -- experiments and runs as rows. */
#include "modules/tracking/store.h"

#include <stdio.h>

#include "base/clock.h"

static str stage(int64_t deleted)
{
	return deleted != 0 ? STR("deleted") : STR("active");
}

/* --- experiments ------------------------------------------------------------------------------------ */

void scan_experiment(struct arena *a, const struct val *row, struct experiment *x)
{
	*x = (struct experiment){
		.experiment_id = arena_printf(a, "%lld", (long long)row[0].i), .name = arena_dup(a, row[1].s),
		.artifact_location = arena_dup(a, row[2].s), .lifecycle_stage = stage(row[3].i), .created_ms = row[4].i,
		.updated_ms = row[5].i,
	};
}

static enum rc experiment_tags(struct tx *tx, struct arena *a, int64_t id, struct list *out, struct err *e)
{
	VEC(struct pair) tags = { 0 };
	struct rows rows;

	TRY(db_query(tx, a, "SELECT key, value FROM experiment_tags WHERE experiment = ? ORDER BY key", VALS(V_I64(id)), &rows, e));
	for (size_t i = 0; i < rows.n; i++)
		*VEC_PUSH(a, &tags) = (struct pair){ rows_at(&rows, i, 0)->s, rows_at(&rows, i, 1)->s };
	*out = LIST_OF(tags);
	return RC_OK;
}

enum rc store_experiment_get(struct tx *tx, struct arena *a, int64_t id, enum view_type view, struct experiment *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT " EXPERIMENT_COLUMNS " FROM experiments x WHERE x.id = ?", VALS(V_I64(id)), &rows, e));
	bool deleted = rows.n > 0 && rows_at(&rows, 0, 3)->i != 0;
	if (rows.n == 0 || (view == VIEW_ACTIVE && deleted) || (view == VIEW_DELETED && !deleted))
		return FAIL(e, RC_NOT_FOUND, "No Experiment with id=%lld exists", (long long)id);
	scan_experiment(a, rows.cell, out);
	return experiment_tags(tx, a, id, &out->tags, e);
}

enum rc store_experiment_by_name(struct tx *tx, struct arena *a, str name, struct experiment *out, bool *found, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT " EXPERIMENT_COLUMNS " FROM experiments x WHERE x.name = ?", VALS(V_STR(name)), &rows, e));
	*found = rows.n > 0;
	if (rows.n == 0)
		return RC_OK;
	scan_experiment(a, rows.cell, out);
	return experiment_tags(tx, a, rows_at(&rows, 0, 0)->i, &out->tags, e);
}

static enum rc name_is_free(struct tx *tx, struct arena *a, str name, struct err *e)
{
	struct experiment other;
	bool found;

	TRY(store_experiment_by_name(tx, a, name, &other, &found, e));
	if (!found)
		return RC_OK;
	bool deleted = str_eq(other.lifecycle_stage, STR("deleted"));
	return FAIL(e, RC_CONFLICT, "Experiment(name=" STR_FMT ") already exists.%s", STR_ARG(mlflow_truncate(name, 200)),
		    deleted ? " It is deleted; restore it, or choose another name." : "");
}

enum rc store_experiment_add(struct tx *tx, struct arena *a, struct experiment *x, str artifact_root, struct err *e)
{
	struct rows rows;

	TRY(name_is_free(tx, a, x->name, e));
	TRY(db_query(tx, a, "SELECT COALESCE(MAX(id), -1) + 1 FROM experiments", NO_VALS, &rows, e));
	int64_t id = rows_at(&rows, 0, 0)->i;
	x->experiment_id = arena_printf(a, "%lld", (long long)id);
	if (x->artifact_location.len == 0)
		x->artifact_location = artifact_join(a, artifact_root, x->experiment_id);
	TRY(db_exec(tx, "INSERT INTO experiments (id, name, artifact_location, deleted, created, updated) VALUES (?, ?, ?, 0, ?, ?)",
		    VALS(V_I64(id), V_STR(x->name), V_STR(x->artifact_location), V_I64(x->created_ms), V_I64(x->updated_ms)), NULL, e));
	for (size_t i = 0; i < x->tags.n; i++)
		TRY(store_experiment_tag_set(tx, id, LIST_AT(x->tags, const struct pair, i), e));
	return RC_OK;
}

enum rc store_experiment_stage(struct tx *tx, int64_t id, bool deleted, int64_t now, struct err *e)
{
	TRY(db_exec(tx, "UPDATE experiments SET deleted = ?, updated = ? WHERE id = ?",
		    VALS(V_I64(deleted), V_I64(now), V_I64(id)), NULL, e));
	return db_exec(tx, "UPDATE runs SET deleted = ? WHERE experiment = ?", VALS(V_I64(deleted), V_I64(id)), NULL, e);
}

enum rc store_experiment_rename(struct tx *tx, int64_t id, str name, int64_t now, struct err *e)
{
	struct arena a;

	arena_init(&a);
	enum rc rc = name_is_free(tx, &a, name, e);
	arena_deinit(&a);
	TRY(rc);
	return db_exec(tx, "UPDATE experiments SET name = ?, updated = ? WHERE id = ?", VALS(V_STR(name), V_I64(now), V_I64(id)), NULL, e);
}

enum rc store_experiment_tag_set(struct tx *tx, int64_t id, const struct pair *tag, struct err *e)
{
	return db_exec(tx,
		       "INSERT INTO experiment_tags (experiment, key, value) VALUES (?, ?, ?)"
		       " ON CONFLICT (experiment, key) DO UPDATE SET value = excluded.value",
		       VALS(V_I64(id), V_STR(tag->key), V_STR(tag->value)), NULL, e);
}

enum rc store_experiment_tag_delete(struct tx *tx, int64_t id, str key, struct err *e)
{
	int64_t changed = 0;

	TRY(db_exec(tx, "DELETE FROM experiment_tags WHERE experiment = ? AND key = ?", VALS(V_I64(id), V_STR(key)), &changed, e));
	if (changed == 0)
		return FAIL(e, RC_NOT_FOUND, "No tag with name: " STR_FMT " in experiment with id %lld",
			    STR_ARG(mlflow_truncate(key, 100)), (long long)id);
	return RC_OK;
}

/* --- runs --------------------------------------------------------------------------------------------- */

void scan_run_info(struct arena *a, const struct val *row, struct run_info *r)
{
	*r = (struct run_info){
		.run_id = arena_dup(a, row[0].s), .run_name = arena_dup(a, row[1].s),
		.experiment_id = arena_printf(a, "%lld", (long long)row[2].i), .user_id = arena_dup(a, row[3].s),
		.status = arena_dup(a, row[4].s), .start_ms = row[5].i, .end_ms = row[6].kind == VAL_NULL ? 0 : row[6].i,
		.artifact_uri = arena_dup(a, row[7].s), .lifecycle_stage = stage(row[8].i),
	};
	r->run_uuid = r->run_id;
}

enum rc store_run_add(struct tx *tx, const struct run_info *r, struct err *e)
{
	int64_t experiment;

	CHECK(str_to_i64(r->experiment_id, &experiment));
	return db_exec(tx,
		       "INSERT INTO runs (id, experiment, name, user_id, status, started, ended, artifact_uri, deleted)"
		       " VALUES (?, ?, ?, ?, ?, ?, NULL, ?, 0)",
		       VALS(V_STR(r->run_id), V_I64(experiment), V_STR(r->run_name), V_STR(r->user_id), V_STR(r->status),
			    V_I64(r->start_ms), V_STR(r->artifact_uri)),
		       NULL, e);
}

enum rc store_run_info(struct tx *tx, struct arena *a, str run_id, struct run_info *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT " RUN_COLUMNS " FROM runs r WHERE r.id = ?", VALS(V_STR(run_id)), &rows, e));
	if (rows.n == 0)
		return FAIL(e, RC_NOT_FOUND, "Run with id=" STR_FMT " not found", STR_ARG(mlflow_truncate(run_id, 256)));
	scan_run_info(a, rows.cell, out);
	return RC_OK;
}

enum rc store_run_active(struct tx *tx, struct arena *a, str run_id, struct run_info *out, struct err *e)
{
	TRY(store_run_info(tx, a, run_id, out, e));
	if (!str_eq(out->lifecycle_stage, STR("active")))
		return FAIL(e, RC_INVALID, "The run " STR_FMT " must be in the 'active' state. Current state is " STR_FMT ".",
			    STR_ARG(run_id), STR_ARG(out->lifecycle_stage));
	return RC_OK;
}

enum rc store_run_update(struct tx *tx, const struct run_info *r, struct err *e)
{
	TRY(db_exec(tx, "UPDATE runs SET name = ?, status = ?, ended = ? WHERE id = ?",
		    VALS(V_STR(r->run_name), V_STR(r->status), r->end_ms != 0 ? V_I64(r->end_ms) : V_NULL, V_STR(r->run_id)), NULL, e));
	return RC_OK;
}

enum rc store_run_stage(struct tx *tx, str run_id, bool deleted, struct err *e)
{
	return db_exec(tx, "UPDATE runs SET deleted = ? WHERE id = ?", VALS(V_I64(deleted), V_STR(run_id)), NULL, e);
}

enum rc store_run_tag_delete(struct tx *tx, str run_id, str key, struct err *e)
{
	int64_t changed = 0;

	TRY(db_exec(tx, "DELETE FROM run_tags WHERE run = ? AND key = ?", VALS(V_STR(run_id), V_STR(key)), &changed, e));
	if (changed == 0)
		return FAIL(e, RC_NOT_FOUND, "No tag with name: " STR_FMT " in run with id " STR_FMT, STR_ARG(mlflow_truncate(key, 100)),
			    STR_ARG(run_id));
	return RC_OK;
}
