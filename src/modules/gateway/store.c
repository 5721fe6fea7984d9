/* store.c -- endpoints in the metadata database, with the lineage and audit lines of their changes. */
#include "modules/gateway/gateway_int.h"

#include "base/clock.h"
#include "core/store.h"

const struct migration gateway_migrations[] = {
	{ 1,
	  "CREATE TABLE endpoints (name TEXT PRIMARY KEY, model TEXT NOT NULL, description TEXT NOT NULL, max_batch_rows BIGINT NOT NULL,"
	  " timeout BIGINT NOT NULL, rate TEXT NOT NULL, keys TEXT NOT NULL, feature_time BIGINT NOT NULL, model_name TEXT NOT NULL,"
	  " version BIGINT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,"
	  " deleted_at BIGINT NOT NULL)" },
};
_Static_assert(ARRAY_LEN(gateway_migrations) == GATEWAY_MIGRATIONS, "gateway_int.h says how many");

struct find { struct arena *a; str name; struct endpoint *out; bool found; };

static enum rc find_row(struct tx *tx, void *ctx, struct err *e)
{
	struct find *f = ctx;

	return store_find(tx, f->a, &endpoint_record, "WHERE name = ?", VALS(V_STR(f->name)), f->out, &f->found, e);
}

enum rc gateway__row_find(struct gateway *g, struct arena *a, str name, struct endpoint *out, bool *found, struct err *e)
{
	struct find f = { a, name, out, false };

	TRY(db_read(g->core->db, find_row, &f, e));
	*found = f.found;
	return RC_OK;
}

enum rc gateway__rows(struct gateway *g, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(g->core->db, a, &endpoint_record, "WHERE deleted_at = 0 ORDER BY name", NO_VALS, out, e);
}

struct put { const struct endpoint *d; const struct principal *who; const char *action; struct arena a; };

static enum rc put_lineage(struct tx *tx, struct put *p, struct err *e)
{
	const struct endpoint *d = p->d;
	str id = arena_printf(&p->a, STR_FMT "@%lld", STR_ARG(d->name), (long long)d->revision);
	str model = arena_printf(&p->a, STR_FMT "@%lld", STR_ARG(d->model_name), (long long)d->version);

	TRY(lineage_node_put(tx, LIN_ENDPOINT, id, arena_printf(&p->a, "endpoint " STR_FMT " revision %lld", STR_ARG(d->name), (long long)d->revision),
			     record_to_json(&endpoint_definition_record, d, 0, &p->a), e));
	return lineage_link(tx, LIN_MODEL, model, LIN_ENDPOINT, id, "serve", e);
}

static enum rc put_row(struct tx *tx, void *ctx, struct err *e)
{
	struct put *p = ctx;
	struct endpoint former = { 0 };
	bool found = false;

	TRY(store_find(tx, &p->a, &endpoint_record, "WHERE name = ?", VALS(V_STR(p->d->name)), &former, &found, e));
	if (former.revision != p->d->revision - 1)
		return FAIL(e, RC_CONFLICT, "endpoint '" STR_FMT "' was changed by somebody else meanwhile; try again", STR_ARG(p->d->name));
	TRY(store_put(tx, &endpoint_record, p->d, e));
	TRY(put_lineage(tx, p, e));
	return event_audit(tx, p->who, p->action, arena_printf(&p->a, "endpoint:" STR_FMT, STR_ARG(p->d->name)),
			   record_to_json(&endpoint_record, p->d, 0, &p->a), e);
}

enum rc gateway__row_put(struct gateway *g, const struct endpoint *d, const struct principal *who, const char *action, struct err *e)
{
	struct put p = { .d = d, .who = who, .action = action };

	arena_init(&p.a);
	enum rc rc = db_write(g->core->db, put_row, &p, e);
	arena_deinit(&p.a);
	return rc;
}

struct drop { str name; const struct principal *who; struct arena a; };

static enum rc drop_row(struct tx *tx, void *ctx, struct err *e)
{
	struct drop *d = ctx;
	int64_t changed = 0;

	TRY(db_exec(tx, "UPDATE endpoints SET deleted_at = ? WHERE name = ? AND deleted_at = 0", VALS(V_I64(clock_ms()), V_STR(d->name)), &changed, e));
	if (changed == 0)
		return FAIL(e, RC_NOT_FOUND, "endpoint '" STR_FMT "' does not exist", STR_ARG(d->name));
	return event_audit(tx, d->who, "endpoint.delete", arena_printf(&d->a, "endpoint:" STR_FMT, STR_ARG(d->name)), STR_NONE, e);
}

enum rc gateway__row_delete(struct gateway *g, str name, const struct principal *who, struct err *e)
{
	struct drop d = { .name = name, .who = who };

	arena_init(&d.a);
	enum rc rc = db_write(g->core->db, drop_row, &d, e);
	arena_deinit(&d.a);
	return rc;
}

/* --- lineage ------------------------------------------------------------------------------------------------------ */

struct trace { struct arena *a; str kind, id; struct lineage_graph out; };

static enum rc trace(struct tx *tx, void *ctx, struct err *e)
{
	struct trace *t = ctx;

	return lineage_trace(tx, t->a, t->kind, t->id, false, &t->out, e);
}

static bool has_node(const struct list *nodes, const struct lineage_node *n)
{
	for (size_t i = 0; i < nodes->n; i++) {
		const struct lineage_node *m = LIST_AT(*nodes, const struct lineage_node, i);
		if (str_eq(m->kind, n->kind) && str_eq(m->id, n->id))
			return true;
	}
	return false;
}

static bool has_edge(const struct list *edges, const struct lineage_edge *x)
{
	for (size_t i = 0; i < edges->n; i++) {
		const struct lineage_edge *m = LIST_AT(*edges, const struct lineage_edge, i);
		if (str_eq(m->from_kind, x->from_kind) && str_eq(m->from_id, x->from_id) && str_eq(m->to_kind, x->to_kind) && str_eq(m->to_id, x->to_id))
			return true;
	}
	return false;
}

enum rc gateway__trace(struct gateway *g, struct arena *a, str kind, str id, struct lineage_graph *out, struct err *e)
{
	struct trace t = { .a = a, .kind = kind, .id = id };

	TRY(db_read(g->core->db, trace, &t, e));
	struct lineage_node *node = ARENA_ARRAY(a, struct lineage_node, out->nodes.n + t.out.nodes.n);
	struct lineage_edge *edge = ARENA_ARRAY(a, struct lineage_edge, out->edges.n + t.out.edges.n);
	struct list nodes = { node, 0 }, edges = { edge, 0 };
	for (size_t i = 0; i < out->nodes.n; i++)
		node[nodes.n++] = *LIST_AT(out->nodes, struct lineage_node, i);
	for (size_t i = 0; i < t.out.nodes.n; i++) {
		if (!has_node(&nodes, LIST_AT(t.out.nodes, struct lineage_node, i)))
			node[nodes.n++] = *LIST_AT(t.out.nodes, struct lineage_node, i);
	}
	for (size_t i = 0; i < out->edges.n; i++)
		edge[edges.n++] = *LIST_AT(out->edges, struct lineage_edge, i);
	for (size_t i = 0; i < t.out.edges.n; i++) {
		if (!has_edge(&edges, LIST_AT(t.out.edges, struct lineage_edge, i)))
			edge[edges.n++] = *LIST_AT(t.out.edges, struct lineage_edge, i);
	}
	*out = (struct lineage_graph){ nodes, edges };
	return RC_OK;
}
