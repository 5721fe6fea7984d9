/* store.c -- views, materialisations and training sets in the metadata database. SQL of that database stands here only. */
#include "modules/features/features_int.h"

#include "base/clock.h"
#include "core/store.h"

const struct migration features_migrations[] = {
	{ 1,
	  "CREATE TABLE feature_views (name TEXT PRIMARY KEY, doc TEXT NOT NULL, entity TEXT NOT NULL, keys TEXT NOT NULL,"
	  " dataset TEXT NOT NULL, time_column TEXT NOT NULL, created_column TEXT NOT NULL, ttl BIGINT NOT NULL, features TEXT NOT NULL,"
	  " revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, materialised_id TEXT NOT NULL,"
	  " materialised_as_of BIGINT, materialised_at BIGINT, n_keys BIGINT NOT NULL);\n"
	  "CREATE TABLE feature_materialisations (id TEXT PRIMARY KEY, view TEXT NOT NULL, revision BIGINT NOT NULL, source TEXT NOT NULL,"
	  " as_of BIGINT NOT NULL, state BIGINT NOT NULL, n_keys BIGINT NOT NULL, n_rows BIGINT NOT NULL, n_without_key BIGINT NOT NULL,"
	  " started_at BIGINT NOT NULL, ended_at BIGINT, place TEXT NOT NULL, keys TEXT NOT NULL, features TEXT NOT NULL);\n"
	  "CREATE INDEX feature_materialisations_view ON feature_materialisations (view, id);\n"
	  "CREATE INDEX feature_materialisations_state ON feature_materialisations (state);\n"
	  "CREATE TABLE training_sets (id TEXT PRIMARY KEY, name TEXT NOT NULL, n_rows BIGINT NOT NULL, n_train BIGINT NOT NULL,"
	  " n_valid BIGINT NOT NULL, n_left_out BIGINT NOT NULL, label TEXT NOT NULL, time_column TEXT NOT NULL, split BIGINT,"
	  " digest TEXT NOT NULL, blob TEXT NOT NULL, views TEXT NOT NULL, sources TEXT NOT NULL, created_at BIGINT NOT NULL,"
	  " columns TEXT NOT NULL, inputs TEXT NOT NULL, request TEXT NOT NULL);\n"
	  "CREATE INDEX training_sets_name ON training_sets (name, id)" },
};
_Static_assert(ARRAY_LEN(features_migrations) == FEATURES_MIGRATIONS, "features_int.h says how many");

/* --- views ----------------------------------------------------------------------------------------------------- */

enum rc features__view_find(struct tx *tx, struct arena *a, str name, struct feature_view *out, bool *found, struct err *e)
{
	return store_find(tx, a, &feature_view_record, "WHERE name = ?", VALS(V_STR(name)), out, found, e);
}

enum rc features_view(struct features *f, struct arena *a, str name, struct feature_view *out, struct err *e)
{
	OBJ_CHECK(f, FEATURES_MAGIC);
	return store_get1(f->core->db, a, &feature_view_record, "WHERE name = ?", VALS(V_STR(name)),
			  arena_printf(a, "feature view '" STR_FMT "'", STR_ARG(str_head(name, 100))), out, e);
}

enum rc features__views(struct features *f, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(f->core->db, a, &feature_view_record, "ORDER BY name", NO_VALS, out, e);
}

enum rc features__view_put(struct tx *tx, const struct feature_view *v, const char *action, const struct principal *who, struct arena *a,
			   struct err *e)
{
	str detail = record_to_json(&feature_view_record, v, 0, a);

	CHECK(v->revision > 0);
	TRY(store_put(tx, &feature_view_record, v, e));
	TRY(lineage_node_put(tx, LIN_VIEW, v->name, v->name, detail, e));
	return event_audit(tx, who, action, arena_printf(a, "feature_view:" STR_FMT, STR_ARG(v->name)), detail, e);
}

/* --- materialisations --------------------------------------------------------------------------------------------- */

enum rc features__current(struct features *f, struct arena *a, str view, struct materialisation *out, bool *found, struct err *e)
{
	struct list all;

	TRY(store_list1(f->core->db, a, &materialisation_record, "WHERE view = ? AND state = ? AND place = ? ORDER BY id DESC LIMIT 1",
			VALS(V_STR(view), V_I64(MAT_CURRENT), V_STR(f->place)), &all, e));
	*found = all.n > 0;
	if (*found)
		*out = *LIST_AT(all, struct materialisation, 0);
	return RC_OK;
}

enum rc features__materialisations(struct features *f, struct arena *a, str view, struct list *out, struct err *e)
{
	return store_list1(f->core->db, a, &materialisation_record, "WHERE view = ? ORDER BY id DESC LIMIT 100", VALS(V_STR(view)), out, e);
}

enum rc features__materialisation_begin(struct features *f, const struct materialisation *m, struct err *e)
{
	CHECK(m->state == MAT_BUILDING);
	return store_insert1(f->core->db, &materialisation_record, m, e);
}

struct switch_call {
	struct materialisation *m;
	const struct principal *who;
	struct arena *a;
	struct feature_view *view;
};

static enum rc do_switch(struct tx *tx, void *ctx, struct err *e)
{
	struct switch_call *c = ctx;
	struct materialisation *m = c->m;
	struct arena *a = c->a;
	bool found = false;

	TRY(features__view_find(tx, a, m->view, c->view, &found, e));
	if (!found || c->view->revision != m->revision)
		return FAIL(e, RC_CONFLICT, "feature view '" STR_FMT "' was changed while it was materialised; do it again", STR_ARG(m->view));
	TRY(db_exec(tx, "UPDATE feature_materialisations SET state = ?, ended_at = ? WHERE view = ? AND state = ? AND place = ?",
		    VALS(V_I64(MAT_RETIRED), V_I64(m->ended_ms), V_STR(m->view), V_I64(MAT_CURRENT), V_STR(m->place)), NULL, e));
	m->state = MAT_CURRENT;
	TRY(store_update(tx, &materialisation_record, m, e));
	c->view->materialised_id = m->id;
	c->view->materialised_as_of_ms = m->as_of_ms;
	c->view->materialised_at_ms = m->ended_ms;
	c->view->n_keys = m->n_keys;
	TRY(features__view_put(tx, c->view, "feature_view.materialise", c->who, a, e));
	str node = arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(m->view), STR_ARG(m->id));
	TRY(lineage_node_put(tx, LIN_VIEW, node, m->view, record_to_json(&materialisation_record, m, 0, a), e));
	return lineage_link(tx, LIN_DATASET, m->source, LIN_VIEW, node, "materialise", e);
}

enum rc features__materialisation_switch(struct features *f, struct materialisation *m, const struct principal *who, struct arena *a,
					 struct feature_view *view_out, struct err *e)
{
	struct switch_call c = { .m = m, .who = who, .a = a, .view = view_out };

	return db_write(f->core->db, do_switch, &c, e);
}

enum rc features__materialisations_retire(struct tx *tx, str view, struct err *e)
{
	return db_exec(tx, "UPDATE feature_materialisations SET state = ?, ended_at = ? WHERE view = ? AND state = ?",
		       VALS(V_I64(MAT_RETIRED), V_I64(clock_ms()), V_STR(view), V_I64(MAT_CURRENT)), NULL, e);
}

enum rc features__materialisation_state(struct features *f, str id, enum materialisation_state state, struct err *e)
{
	return db_exec1(f->core->db, "UPDATE feature_materialisations SET state = ?, ended_at = coalesce(ended_at, ?) WHERE id = ?",
			VALS(V_I64(state), V_I64(clock_ms()), V_STR(id)), NULL, e);
}

enum rc features__materialisations_orphaned(struct features *f, struct err *e)
{
	return db_exec1(f->core->db, "UPDATE feature_materialisations SET state = ?, ended_at = ? WHERE state = ? AND place = ?",
			VALS(V_I64(MAT_FAILED), V_I64(clock_ms()), V_I64(MAT_BUILDING), V_STR(f->place)), NULL, e);
}

enum rc features__materialisations_to_clean(struct features *f, int64_t before_ms, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(f->core->db, a, &materialisation_record,
			   "WHERE place = ? AND (state = ? OR (state = ? AND ended_at <= ?)) ORDER BY id LIMIT 100",
			   VALS(V_STR(f->place), V_I64(MAT_FAILED), V_I64(MAT_RETIRED), V_I64(before_ms)), out, e);
}

/* --- training sets --------------------------------------------------------------------------------------------------- */

struct set_put {
	const struct training_set *s;
	const struct pair *view;        /* its views, each with the dataset version it was read from */
	size_t n_view;
	const struct principal *who;
	struct arena *a;
};

static enum rc set_put(struct tx *tx, void *ctx, struct err *e)
{
	struct set_put *c = ctx;
	const struct training_set *s = c->s;
	str detail = record_to_json(&training_set_brief_record, s, 0, c->a);

	TRY(store_insert(tx, &training_set_record, s, e));
	TRY(lineage_node_put(tx, LIN_TRAINSET, s->id, s->name, detail, e));
	for (size_t i = 0; i < s->sources.n; i++)
		TRY(lineage_link(tx, LIN_DATASET, *LIST_AT(s->sources, str, i), LIN_TRAINSET, s->id, "point-in-time join", e));
	for (size_t i = 0; i < c->n_view; i++) {
		TRY(lineage_link(tx, LIN_DATASET, c->view[i].value, LIN_VIEW, c->view[i].key, "source", e));
		TRY(lineage_link(tx, LIN_VIEW, c->view[i].key, LIN_TRAINSET, s->id, "features", e));
	}
	return event_audit(tx, c->who, "training_set.create", arena_printf(c->a, "training_set:" STR_FMT, STR_ARG(s->id)), detail, e);
}

enum rc features__training_set_put(struct features *f, const struct training_set *s, const struct pair *view, size_t n_view,
				   const struct principal *who, struct arena *a, struct err *e)
{
	struct set_put c = { .s = s, .view = view, .n_view = n_view, .who = who, .a = a };

	return db_write(f->core->db, set_put, &c, e);
}

enum rc features_training_set(struct features *f, struct arena *a, str id_or_name, struct training_set *out, struct err *e)
{
	OBJ_CHECK(f, FEATURES_MAGIC);
	return store_get1(f->core->db, a, &training_set_record, "WHERE id = ? OR name = ? ORDER BY id DESC LIMIT 1",
			  VALS(V_STR(id_or_name), V_STR(id_or_name)),
			  arena_printf(a, "training set '" STR_FMT "'", STR_ARG(str_head(id_or_name, 100))), out, e);
}

enum rc features__training_sets(struct features *f, struct arena *a, int64_t limit, struct list *out, struct err *e)
{
	return store_list1(f->core->db, a, &training_set_brief_record, "ORDER BY id DESC LIMIT ?", VALS(V_I64(limit)), out, e);
}
