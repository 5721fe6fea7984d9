/* event.c -- the audit log and the lineage graph, as rows of the metadata database. */
#include "core/event.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "core/store.h"

#define TRACE_MAX 500

const struct migration event_migrations[] = {
	{ 1,
	  "CREATE TABLE audit (id TEXT PRIMARY KEY, at_ms BIGINT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,"
	  " object TEXT NOT NULL, detail TEXT NOT NULL);\n"
	  "CREATE INDEX audit_object ON audit (object, id);\n"
	  "CREATE TABLE lineage_node (kind TEXT NOT NULL, id TEXT NOT NULL, label TEXT NOT NULL, at_ms BIGINT NOT NULL,"
	  " detail TEXT NOT NULL, PRIMARY KEY (kind, id));\n"
	  "CREATE TABLE lineage_edge (from_kind TEXT NOT NULL, from_id TEXT NOT NULL, to_kind TEXT NOT NULL,"
	  " to_id TEXT NOT NULL, how TEXT NOT NULL, PRIMARY KEY (to_kind, to_id, from_kind, from_id));\n"
	  "CREATE INDEX lineage_edge_from ON lineage_edge (from_kind, from_id)" },
};
const size_t n_event_migrations = ARRAY_LEN(event_migrations);

static const struct field audit_entry_fields[] = {
	FIELD(audit_entry, id, K_STR, F_STORED | F_KEY | F_HIDE, "Id of the entry"),
	FIELD(audit_entry, at_ms, K_TIME, F_STORED, "When it was done"),
	FIELD(audit_entry, who, K_STR, F_STORED, "Who did it"),
	FIELD(audit_entry, action, K_STR, F_STORED, "What was done"),
	FIELD(audit_entry, object, K_STR, F_STORED, "To what"),
	FIELD(audit_entry, detail, K_JSON, F_STORED | F_HIDE, "What is known of it"),
};
const struct record audit_entry_record =
	RECORD(audit_entry, audit_entry_fields, "A change, and who made it", .table = "audit");

static const struct field lineage_node_fields[] = {
	FIELD(lineage_node, kind, K_STR, F_STORED | F_KEY, "What it is: dataset_version, run, model_version, …"),
	FIELD(lineage_node, id, K_STR, F_STORED | F_KEY, "Its id among its kind"),
	FIELD(lineage_node, label, K_STR, F_STORED, "Its name for people"),
	FIELD(lineage_node, at_ms, K_TIME, F_STORED, "When it was made"),
	FIELD(lineage_node, detail, K_JSON, F_STORED | F_SKIP_EMPTY | F_HIDE, "What is known of it"),
};
const struct record lineage_node_record =
	RECORD(lineage_node, lineage_node_fields, "A thing on the line from source to prediction", .table = "lineage_node");

static const struct field lineage_edge_fields[] = {
	FIELD(lineage_edge, from_kind, K_STR, F_STORED | F_KEY, "Kind of what it came from"),
	FIELD(lineage_edge, from_id, K_STR, F_STORED | F_KEY, "Id of what it came from"),
	FIELD(lineage_edge, to_kind, K_STR, F_STORED | F_KEY, "Kind of what came of it"),
	FIELD(lineage_edge, to_id, K_STR, F_STORED | F_KEY, "Id of what came of it"),
	FIELD(lineage_edge, how, K_STR, F_STORED, "By which step"),
};
const struct record lineage_edge_record =
	RECORD(lineage_edge, lineage_edge_fields, "One step from source to prediction", .table = "lineage_edge");

static const struct field lineage_graph_fields[] = {
	FIELD(lineage_graph, nodes, K_RECORDS, 0, "Things, nearest first", .sub = &lineage_node_record),
	FIELD(lineage_graph, edges, K_RECORDS, 0, "Steps between them", .sub = &lineage_edge_record),
};
const struct record lineage_graph_record = RECORD(lineage_graph, lineage_graph_fields, "Part of the lineage graph");

enum rc event_audit(struct tx *tx, const struct principal *who, const char *action, str object, str detail, struct err *e)
{
	char id[ID_TEXT_MAX];

	id_put(id, "au");
	return db_exec(tx, "INSERT INTO audit (id, at_ms, who, action, object, detail) VALUES (?, ?, ?, ?, ?, ?)",
		       VALS(V_CSTR(id), V_I64(clock_ms()), V_STR(who->id), V_CSTR(action), V_STR(object),
			    V_STR(detail.len > 0 ? detail : STR("{}"))),
		       NULL, e);
}

enum rc lineage_node_put(struct tx *tx, const char *kind, str id, str label, str detail, struct err *e)
{
	return db_exec(tx,
		       "INSERT INTO lineage_node (kind, id, label, at_ms, detail) VALUES (?, ?, ?, ?, ?)"
		       " ON CONFLICT (kind, id) DO UPDATE SET"
		       " label = CASE WHEN excluded.label = '' THEN lineage_node.label ELSE excluded.label END,"
		       " detail = CASE WHEN excluded.detail = '' THEN lineage_node.detail ELSE excluded.detail END",
		       VALS(V_CSTR(kind), V_STR(id), V_STR(label.len > 0 ? label : STR("")), V_I64(clock_ms()),
			    V_STR(detail.len > 0 ? detail : STR(""))),
		       NULL, e);
}

enum rc lineage_link(struct tx *tx, const char *from_kind, str from_id, const char *to_kind, str to_id, const char *how,
		     struct err *e)
{
	return db_exec(tx,
		       "INSERT INTO lineage_edge (from_kind, from_id, to_kind, to_id, how) VALUES (?, ?, ?, ?, ?)"
		       " ON CONFLICT (to_kind, to_id, from_kind, from_id) DO UPDATE SET how = excluded.how",
		       VALS(V_CSTR(from_kind), V_STR(from_id), V_CSTR(to_kind), V_STR(to_id), V_CSTR(how)), NULL, e);
}

enum rc audit_list(struct db *db, struct arena *a, str object, int64_t limit, struct list *out, struct err *e)
{
	if (object.len > 0)
		return store_list1(db, a, &audit_entry_record, "WHERE object = ? ORDER BY id DESC LIMIT ?",
				   VALS(V_STR(object), V_I64(limit)), out, e);
	return store_list1(db, a, &audit_entry_record, "ORDER BY id DESC LIMIT ?", VALS(V_I64(limit)), out, e);
}

/* --- tracing ---------------------------------------------------------------------------------- */

struct trace {
	struct tx *tx;
	struct arena *a;
	struct map seen;                       /* "kind\x1fid" */
	VEC(struct lineage_node) node;
	VEC(struct lineage_edge) edge;
};

static enum rc trace_visit(struct trace *t, str kind, str id, struct err *e)
{
	str key = arena_printf(t->a, STR_FMT "\x1f" STR_FMT, STR_ARG(kind), STR_ARG(id));
	bool found = false;

	if (map_find(&t->seen, key) != NULL || t->node.n >= TRACE_MAX)
		return RC_OK;
	struct lineage_node *n = VEC_PUSH(t->a, &t->node);
	map_put(&t->seen, key, t);
	TRY(store_find(t->tx, t->a, &lineage_node_record, "WHERE kind = ? AND id = ?", VALS(V_STR(kind), V_STR(id)), n, &found, e));
	if (!found)
		*n = (struct lineage_node){ .kind = kind, .id = id, .label = id };
	return RC_OK;
}

enum rc lineage_trace(struct tx *tx, struct arena *a, str kind, str id, bool downstream, struct lineage_graph *out, struct err *e)
{
	struct trace t = { .tx = tx, .a = a };

	map_init(&t.seen, a);
	TRY(trace_visit(&t, arena_dup(a, kind), arena_dup(a, id), e));
	for (size_t i = 0; i < t.node.n; i++) {
		struct list edges;
		const char *tail = downstream ? "WHERE from_kind = ? AND from_id = ? ORDER BY to_kind, to_id"
					      : "WHERE to_kind = ? AND to_id = ? ORDER BY from_kind, from_id";
		TRY(store_list(tx, a, &lineage_edge_record, tail, VALS(V_STR(t.node.at[i].kind), V_STR(t.node.at[i].id)),
			       &edges, e));
		for (size_t k = 0; k < edges.n; k++) {
			const struct lineage_edge *edge = LIST_AT(edges, struct lineage_edge, k);
			*VEC_PUSH(a, &t.edge) = *edge;
			TRY(downstream ? trace_visit(&t, edge->to_kind, edge->to_id, e)
				       : trace_visit(&t, edge->from_kind, edge->from_id, e));
		}
	}
	out->nodes = LIST_OF(t.node);
	out->edges = LIST_OF(t.edge);
	return RC_OK;
}
