/* experiments.c -- experiments: one transaction a verb, with its line in the audit log. */
#include "base/clock.h"
#include "core/event.h"
#include "modules/tracking/store.h"

struct change {
	struct tracking *t;
	struct arena *a;
	int64_t id;
	struct experiment *x;
	str name;
	const struct pair *tag;
	bool deleted;
	const struct principal *who;
};

static enum rc audit(struct tx *tx, const struct change *c, const char *action, struct err *e)
{
	return event_audit(tx, c->who, action, arena_printf(c->a, "experiment:%lld", (long long)c->id), STR_NONE, e);
}

static enum rc create_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_experiment_add(tx, c->a, c->x, c->t->artifact_root, e));
	CHECK(str_to_i64(c->x->experiment_id, &c->id));
	return audit(tx, c, "experiment.create", e);
}

static enum rc check_location(str location, struct err *e)
{
	if (str_starts(location, STR("runs:")))
		return FAIL(e, RC_INVALID, "Artifact location cannot be a runs:/ URI. Given: '" STR_FMT "'", STR_ARG(mlflow_truncate(location, 200)));
	if (str_find_char(location, '#') >= 0 || str_find_char(location, '?') >= 0)
		return FAIL(e, RC_INVALID, "'artifact_location' URL can't include fragments or params.");
	return mlflow_check_length("artifact_location", location, 2048, e);
}

enum rc experiment_create(struct tracking *t, struct arena *a, const struct experiment_create *x, const struct principal *who,
			  str *id_out, struct err *e)
{
	int64_t now = clock_ms();
	struct experiment made = { .name = x->name, .artifact_location = x->artifact_location, .created_ms = now, .updated_ms = now,
				   .tags = x->tags };
	struct change c = { .t = t, .a = a, .x = &made, .who = who };

	OBJ_CHECK(t, TRACKING_MAGIC);
	TRY(rule_experiment_name(x->name, e));
	TRY(check_location(x->artifact_location, e));
	for (size_t i = 0; i < x->tags.n; i++)
		TRY(rule_experiment_tag(LIST_AT(x->tags, const struct pair, i), e));
	TRY(db_write(t->db, create_tx, &c, e));
	*id_out = made.experiment_id;
	return RC_OK;
}

/* Experiment 0 is there from the first start. */
static enum rc default_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct rows rows;

	TRY(tracking__look(tx, c->a, LOOK_EXPERIMENT, &rows, e));
	return rows.n > 0 ? RC_OK : store_experiment_add(tx, c->a, c->x, c->t->artifact_root, e);
}

enum rc experiment_ensure_default(struct tracking *t, struct err *e)
{
	int64_t now = clock_ms();
	struct experiment made = { .name = STR("Default"), .created_ms = now, .updated_ms = now };
	struct arena a;

	arena_init(&a);
	struct change c = { .t = t, .a = &a, .x = &made };
	enum rc rc = db_write(t->db, default_tx, &c, e);
	arena_deinit(&a);
	return rc;
}

static enum rc get_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	bool found = true;

	if (c->name.at == NULL)
		return store_experiment_get(tx, c->a, c->id, VIEW_ALL, c->x, e);
	TRY(store_experiment_by_name(tx, c->a, c->name, c->x, &found, e));
	if (!found)
		return FAIL(e, RC_NOT_FOUND, "Could not find experiment with name '" STR_FMT "'", STR_ARG(mlflow_truncate(c->name, 200)));
	return RC_OK;
}

enum rc experiment_get(struct tracking *t, struct arena *a, str id, struct experiment *out, struct err *e)
{
	struct change c = { .a = a, .x = out };

	TRY(rule_experiment_id(id, &c.id, e));
	return db_read(t->db, get_tx, &c, e);
}

enum rc experiment_by_name(struct tracking *t, struct arena *a, str name, struct experiment *out, struct err *e)
{
	struct change c = { .a = a, .x = out, .name = name };

	CHECK(name.at != NULL);
	return db_read(t->db, get_tx, &c, e);
}

static enum rc stage_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct experiment x;

	TRY(store_experiment_get(tx, c->a, c->id, c->deleted ? VIEW_ACTIVE : VIEW_DELETED, &x, e));
	TRY(store_experiment_stage(tx, c->id, c->deleted, clock_ms(), e));
	return audit(tx, c, c->deleted ? "experiment.delete" : "experiment.restore", e);
}

enum rc experiment_stage(struct tracking *t, struct arena *a, str id, bool deleted, const struct principal *who, struct err *e)
{
	struct change c = { .t = t, .a = a, .deleted = deleted, .who = who };

	TRY(rule_experiment_id(id, &c.id, e));
	return db_write(t->db, stage_tx, &c, e);
}

static enum rc rename_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct experiment x;

	TRY(store_experiment_get(tx, c->a, c->id, VIEW_ALL, &x, e));
	if (!str_eq(x.lifecycle_stage, STR("active")))
		return FAIL(e, RC_GATE_FAILED, "Cannot rename a non-active experiment.");
	if (str_eq(x.name, c->name))
		return RC_OK;
	TRY(store_experiment_rename(tx, c->id, c->name, clock_ms(), e));
	return audit(tx, c, "experiment.rename", e);
}

enum rc experiment_rename(struct tracking *t, struct arena *a, str id, str name, const struct principal *who, struct err *e)
{
	struct change c = { .t = t, .a = a, .name = name, .who = who };

	TRY(rule_experiment_id(id, &c.id, e));
	TRY(rule_experiment_name(name, e));
	return db_write(t->db, rename_tx, &c, e);
}

static enum rc tag_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct experiment x;

	TRY(store_experiment_get(tx, c->a, c->id, VIEW_ALL, &x, e));
	if (!str_eq(x.lifecycle_stage, STR("active")))
		return FAIL(e, RC_INVALID, "The experiment %lld must be in the 'active' state. Current state is deleted.", (long long)c->id);
	if (c->tag->value.at == NULL)
		return store_experiment_tag_delete(tx, c->id, c->tag->key, e);
	return store_experiment_tag_set(tx, c->id, c->tag, e);
}

enum rc experiment_tag(struct tracking *t, struct arena *a, str id, const struct pair *tag, struct err *e)
{
	struct change c = { .t = t, .a = a, .tag = tag };

	TRY(rule_experiment_id(id, &c.id, e));
	if (tag->value.at != NULL)
		TRY(rule_experiment_tag(tag, e));
	return db_write(t->db, tag_tx, &c, e);
}

/* --- for other modules ----------------------------------------------------------------------------------- */

enum rc tracking_experiment(struct tracking *t, str name, struct arena *a, str *id_out, struct err *e)
{
	const struct experiment_create make = { .name = name };
	struct experiment x;
	struct err seen = ERR_INIT;

	TRY(rule_experiment_name(name, e));
	if (experiment_by_name(t, a, name, &x, &seen) != RC_OK) {
		if (seen.rc != RC_NOT_FOUND) {
			*e = seen;
			return seen.rc;
		}
		if (experiment_create(t, a, &make, &principal_system, id_out, e) != RC_CONFLICT)
			return e->rc;
		TRY(experiment_by_name(t, a, name, &x, e));     /* another made it just now */
	}
	if (!str_eq(x.lifecycle_stage, STR("active")))
		return FAIL(e, RC_CONFLICT, "experiment '" STR_FMT "' is deleted; restore it first", STR_ARG(mlflow_truncate(name, 200)));
	*id_out = x.experiment_id;
	return RC_OK;
}
