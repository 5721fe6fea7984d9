/* proof.c -- live checks, the roadmap, lineage, tasks and the audit log. */
#include "cli/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "core/event.h"
#include "core/roadmap.h"

/* --- verify ------------------------------------------------------------------------------------------------------ */

struct verify_arg { struct list only; };
static const struct field verify_fields[] = {
	FIELD(verify_arg, only, K_STRS, 0, "Only these checks, by id or the beginning of one", .unit = "ID,ID"),
};
static const struct record verify_record = RECORD(verify_arg, verify_fields, "What to verify");

struct roadmap { struct list items; };
static const struct field roadmap_fields[] = { FIELD(roadmap, items, K_RECORDS, 0, "Items", .sub = &roadmap_item_record) };
static const struct record roadmap_record = RECORD(roadmap, roadmap_fields, "The roadmap", .open = true);

static enum rc roadmap_read(struct cli *c, struct roadmap *out, struct err *e)
{
	struct ask q = { .method = "GET", .path = STR(API_CAIRN "/roadmap") };
	struct http_answer got;

	TRY(client_ask(c, &q, &got, e));
	return record_from_json(&roadmap_record, got.body, c->arena, DEC_TRUSTED, out, e);
}

#define N_STATES (ITEM_NOT_BUILT + 1)
static void print_summary(const struct roadmap *r)
{
	size_t n[N_STATES] = { 0 };

	for (size_t i = 0; i < r->items.n; i++)
		n[LIST_AT(r->items, struct roadmap_item, i)->state]++;
	printf("roadmap: %zu items", r->items.n);
	for (size_t s = 0; s < N_STATES; s++)
		printf("%s %zu %s", s == 0 ? ":" : ",", n[s], item_state_names[s]);
	putchar('\n');
}

/* The check that failed says why; one that passed shows the first thing it saw. */
static str evidence_of(struct cli *c, const struct value *check)
{
	const struct value *list = value_at(check, "evidence");

	if (list == NULL || list->first == NULL)
		return STR("");
	if (!str_eq(value_text(value_at(check, "outcome"), c->arena), STR("failed")))
		return list->first->text;
	for (const struct value *m = list->first; m != NULL; m = m->next) {
		if (str_find(m->text, STR("NOT")) >= 0 || str_starts(m->text, STR("fail")))
			return m->text;
	}
	return list->first->text;
}

static void print_checks(struct cli *c, const struct value *checks)
{
	static const char *const title[] = { "check", "outcome", "what holds", "evidence" };
	static const bool right[ARRAY_LEN(title)] = { false };
	struct grid g = { .title = title, .right = right, .n_col = ARRAY_LEN(title) };

	for (const struct value *m = checks != NULL ? checks->first : NULL; m != NULL; m = m->next) {
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "id"), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "outcome"), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = value_shown(value_at(m, "title"), SHOW_TEXT, c->arena);
		*VEC_PUSH(c->arena, &g.cell) = evidence_of(c, m);
	}
	if (g.cell.n > 0)
		grid_print(&g, c->tty_out);
}

static enum rc verify_run(struct cli *c, const void *in, struct err *e)
{
	struct http_answer got;
	struct roadmap r;
	struct value *v;
	double failed = 0;
	str result;

	TRY(client_run(c, in, &got, e));
	TRY(task_follow(c, got.body, &result, e));
	TRY(value_parse(result, c->arena, &v, e));
	(void)value_number(value_at(v, "failed"), &failed);
	if (c->global.json) {
		printf(STR_FMT "\n", STR_ARG(result));
	} else {
		print_checks(c, value_at(v, "checks"));
		str line = answer_line(c, "{passed} passed, {failed} failed, {skipped} skipped", v);
		printf("\nchecks:  " STR_FMT "\n", STR_ARG(line));
		TRY(roadmap_read(c, &r, e));
		print_summary(&r);
	}
	return failed > 0 ? FAIL(e, RC_GATE_FAILED, "%.0f of the checks failed", failed) : RC_OK;
}

/* --- roadmap ------------------------------------------------------------------------------------------------------ */

struct roadmap_arg { str phase; int32_t state; bool begun; };
/* item_state_names lacks an end, which a field's names need. */
static const char *const state_names[] = { "proven", "failing", "attested", "skipped", "not_built", NULL };
static const struct field roadmap_arg_fields[] = {
	FIELD(roadmap_arg, phase, K_STR, 0, "Only items of this phase: its number, or words of its name"),
	FIELD(roadmap_arg, state, K_ENUM, 0, "Only items in this state", .names = state_names),
	FIELD(roadmap_arg, begun, K_BOOL, 0, "Only items that a live check looks at, with what is still open"),
};
static const struct record roadmap_arg_record = RECORD(roadmap_arg, roadmap_arg_fields, "Which items");

/* What scripts are promised of an item. */
static const struct field item_fields[] = {
	FIELD(roadmap_item, id, K_STR, 0, "Id of the item"),
	FIELD(roadmap_item, title, K_STR, 0, "What was asked for"),
	FIELD(roadmap_item, group, K_STR, 0, "Week and day, or milestone"),
	FIELD(roadmap_item, state, K_ENUM, 0, "What has been proven", .names = state_names),
	FIELD(roadmap_item, checked_ms, K_TIME, F_NULLABLE, "When its checks ran last", .name = "checked_at"),
	FIELD(roadmap_item, evidence, K_STRS, 0, "What they saw"),
};
static const struct record item_record = RECORD(roadmap_item, item_fields, "A roadmap item in short");

static bool wanted(struct cli *c, const struct roadmap_arg *q, const struct roadmap_item *i)
{
	str number = arena_printf(c->arena, "Phase " STR_FMT ":", STR_ARG(q->phase));
	uint64_t n;

	if (c->given & 2 && i->state != q->state)
		return false;
	if (q->begun && i->checks.n == 0)
		return false;
	if (q->phase.len == 0 || str_starts(i->phase, number))
		return true;
	return !str_to_u64(q->phase, &n) && (str_find(i->phase, q->phase) >= 0 || str_starts(i->id, q->phase));
}

static void print_items_json(struct cli *c, const struct roadmap_arg *q, const struct roadmap *r)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	jw_init(&w, &b);
	jw_array(&w);
	for (size_t i = 0; i < r->items.n; i++) {
		const struct roadmap_item *item = LIST_AT(r->items, struct roadmap_item, i);
		if (wanted(c, q, item))
			record_encode(&item_record, item, 0, &w);
	}
	jw_end_array(&w);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	buf_deinit(&b);
}

static void print_items(struct cli *c, const struct roadmap_arg *q, const struct roadmap *r)
{
	const char *const title[] = { "id", "state", "what was asked for", q->begun ? "still open" : "group" };
	static const bool right[ARRAY_LEN(title)] = { false };
	struct grid g = { .title = title, .right = right, .n_col = ARRAY_LEN(title) };

	for (size_t i = 0; i < r->items.n; i++) {
		const struct roadmap_item *item = LIST_AT(r->items, struct roadmap_item, i);
		if (!wanted(c, q, item))
			continue;
		*VEC_PUSH(c->arena, &g.cell) = item->id;
		*VEC_PUSH(c->arena, &g.cell) = str_of(item_state_names[item->state]);
		*VEC_PUSH(c->arena, &g.cell) = item->title;
		*VEC_PUSH(c->arena, &g.cell) = q->begun ? item->open_parts : item->group;
	}
	if (g.cell.n > 0)
		grid_print(&g, c->tty_out);
	putchar('\n');
	print_summary(r);
}

static enum rc roadmap_run(struct cli *c, const void *in, struct err *e)
{
	struct roadmap r;

	TRY(roadmap_read(c, &r, e));
	if (c->global.json)
		print_items_json(c, in, &r);
	else
		print_items(c, in, &r);
	return RC_OK;
}

/* --- lineage ------------------------------------------------------------------------------------------------------- */

static const char *const direction_names[] = { "up", "down", NULL };
struct lineage_arg { str id; int32_t direction; };
static const struct field lineage_fields[] = {
	FIELD(lineage_arg, id, K_STR, F_KEY | F_REQUIRED,
	      "A prediction's id, or KIND:ID with dataset, pipeline, view, training-set, run, model or endpoint"),
	FIELD(lineage_arg, direction, K_ENUM, 0, "up: what it came from; down: what came of it", .names = direction_names, .def = "up"),
};
static const struct record lineage_record = RECORD(lineage_arg, lineage_fields, "Where to start");

static const struct { const char *word, *kind, *prefix; } kinds[] = {
	{ "prediction", LIN_PREDICT, "pr_" },     { "dataset", LIN_DATASET, NULL },  { "pipeline", LIN_PIPELINE, "pl_" },
	{ "view", LIN_VIEW, NULL },               { "training-set", LIN_TRAINSET, "ts_" }, { "run", LIN_RUN, NULL },
	{ "model", LIN_MODEL, NULL },             { "endpoint", LIN_ENDPOINT, NULL }, { "source", LIN_SOURCE, NULL },
};

/* "run:8f…" by its word or kind; "pr_…" by its prefix; 32 hex digits are a run. */
static enum rc lineage_start(str text, str *kind, str *id, struct err *e)
{
	str rest = text, head;

	(void)str_cut(&rest, ':', &head);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		bool named = rest.at != NULL && (str_eq(head, str_of(kinds[i].word)) || str_eq(head, str_of(kinds[i].kind)));
		if (!named && (kinds[i].prefix == NULL || !str_starts(text, str_of(kinds[i].prefix))))
			continue;
		*kind = str_of(kinds[i].kind);
		*id = named ? rest : text;
		return RC_OK;
	}
	if (rest.at != NULL || text.len != 32)
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is no prediction; name the kind, as in dataset:trips@1, run:ID, model:taxi-fare@1, endpoint:taxi-fare@1",
			    STR_ARG(text));
	*kind = STR(LIN_RUN);
	*id = text;
	return RC_OK;
}

struct tree { struct cli *c; const struct lineage_graph *g; bool down; bool *seen; struct buf bars; };

static size_t node_index(const struct lineage_graph *g, str kind, str id)
{
	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct lineage_node *n = LIST_AT(g->nodes, struct lineage_node, i);
		if (str_eq(n->kind, kind) && str_eq(n->id, id))
			return i;
	}
	return g->nodes.n;
}

static void print_node(struct tree *t, const struct lineage_node *n, str how, bool again)
{
	struct value at = { .kind = TOK_NUMBER, .text = arena_printf(t->c->arena, "%lld", (long long)n->at_ms) };
	str when = n->at_ms > 0 ? value_shown(&at, SHOW_TIME_MS, t->c->arena) : STR("");
	bool labelled = n->label.len > 0 && !str_eq(n->label, n->id);

	printf(STR_FMT " " STR_FMT, STR_ARG(n->kind), STR_ARG(n->id));
	if (labelled)
		printf("  " STR_FMT, STR_ARG(n->label));
	if (when.len > 0)
		printf("  " STR_FMT, STR_ARG(when));
	if (how.len > 0)
		printf("  (" STR_FMT ")", STR_ARG(how));
	puts(again ? "  (shown above)" : "");
}

/* The edge k of node i in our direction: the node at its other end, or n when it is none of i's. */
static size_t edge_end(const struct tree *t, size_t i, size_t k)
{
	const struct lineage_node *n = LIST_AT(t->g->nodes, struct lineage_node, i);
	const struct lineage_edge *x = LIST_AT(t->g->edges, struct lineage_edge, k);
	str here_kind = t->down ? x->from_kind : x->to_kind, here_id = t->down ? x->from_id : x->to_id;

	if (!str_eq(here_kind, n->kind) || !str_eq(here_id, n->id))
		return t->g->nodes.n;
	return t->down ? node_index(t->g, x->to_kind, x->to_id) : node_index(t->g, x->from_kind, x->from_id);
}

static void print_branch(struct tree *t, size_t i, str how, int depth)
{
	size_t last = t->g->edges.n;
	bool again = t->seen[i];

	print_node(t, LIST_AT(t->g->nodes, struct lineage_node, i), how, again);
	if (again || depth > 60)
		return;
	t->seen[i] = true;
	for (size_t k = 0; k < t->g->edges.n; k++)
		last = edge_end(t, i, k) < t->g->nodes.n ? k : last;
	for (size_t k = 0; k < t->g->edges.n; k++) {
		size_t end = edge_end(t, i, k), before = t->bars.len;
		if (end >= t->g->nodes.n)
			continue;
		printf(STR_FMT "%s", STR_ARG(buf_str(&t->bars)), k == last ? "└─ " : "├─ ");
		buf_add(&t->bars, str_of(k == last ? "   " : "│  "));
		print_branch(t, end, LIST_AT(t->g->edges, struct lineage_edge, k)->how, depth + 1);
		t->bars.len = before;
	}
}

static enum rc lineage_run(struct cli *c, const void *in, struct err *e)
{
	const struct lineage_arg *q = in;
	struct ask ask = { .method = "GET" };
	struct lineage_graph g;
	struct http_answer got;
	struct record open = lineage_graph_record;
	str kind, id;

	TRY(lineage_start(q->id, &kind, &id, e));
	str encoded = http_percent_encode(c->arena, id, false);
	if (str_eq(kind, STR(LIN_PREDICT)))
		ask.path = arena_printf(c->arena, API_CAIRN "/predictions/" STR_FMT "/lineage", STR_ARG(encoded));
	else
		ask.path = arena_printf(c->arena, API_CAIRN "/lineage?kind=" STR_FMT "&id=" STR_FMT "&direction=%s", STR_ARG(kind), STR_ARG(encoded),
					direction_names[q->direction]);
	TRY(client_ask(c, &ask, &got, e));
	if (c->global.json)
		return answer_show(c, got.body, e);
	open.open = true;
	TRY(record_from_json(&open, got.body, c->arena, DEC_TRUSTED, &g, e));
	if (g.nodes.n == 0)
		return FAIL(e, RC_NOT_FOUND, "nothing is known of '" STR_FMT "'", STR_ARG(q->id));
	struct tree t = { .c = c, .g = &g, .down = q->direction == 1, .seen = ARENA_ARRAY(c->arena, bool, g.nodes.n), .bars = BUF_INIT(4096) };
	print_branch(&t, 0, STR(""), 0);
	buf_deinit(&t.bars);
	return RC_OK;
}

/* --- tasks and audit ---------------------------------------------------------------------------------------------------- */

struct limit_arg { int64_t limit; str object; };
static const struct field tasks_fields[] = { FIELD(limit_arg, limit, K_I64, 0, "How many, newest first") };
static const struct record tasks_record = RECORD(limit_arg, tasks_fields, "How much to list");
static const struct field audit_fields[] = {
	FIELD(limit_arg, limit, K_I64, 0, "How many, newest first"),
	FIELD(limit_arg, object, K_STR, 0, "Only entries about this object, as dataset:trips"),
};
static const struct record audit_record = RECORD(limit_arg, audit_fields, "Which entries");
struct task_arg { str id; };
static const struct field task_id_fields[] = { FIELD(task_arg, id, K_STR, F_KEY | F_REQUIRED, "Id of the task") };
static const struct record task_id_record = RECORD(task_arg, task_id_fields, "Which task");

static const struct column task_columns[] = {
	{ "id", "id", SHOW_TEXT }, { "title", "title", SHOW_TEXT }, { "state", "state", SHOW_TEXT }, { "progress", "done", SHOW_SHARE },
	{ "created_at", "created", SHOW_TIME }, { "ended_at", "ended", SHOW_TIME }, { "message", "message", SHOW_TEXT }, { .path = NULL },
};
static const struct column audit_columns[] = {
	{ "at_ms", "when", SHOW_TIME }, { "who", "who", SHOW_TEXT }, { "action", "action", SHOW_TEXT }, { "object", "object", SHOW_TEXT },
	{ .path = NULL },
};

static const struct command proof_commands[] = {
	{ .noun = "verify", .doc = "Runs the live checks and keeps what they saw", .in = &verify_record, .method = "POST",
	  .path = API_CAIRN "/verify", .run = verify_run, .example = "cairn verify" },
	{ .noun = "roadmap", .doc = "Lists the roadmap's items and what has been proven of them", .in = &roadmap_arg_record, .run = roadmap_run,
	  .example = "cairn roadmap --begun" },
	{ .noun = "lineage", .doc = "Shows what a thing came from, back to the source file", .in = &lineage_record, .run = lineage_run,
	  .example = "cairn lineage model:taxi-fare@1" },
	{ .noun = "tasks", .verb = "list", .doc = "Lists long-running work", .in = &tasks_record, .method = "GET", .path = API_CAIRN "/tasks",
	  .list = "tasks", .columns = task_columns, .example = "cairn tasks list" },
	{ .noun = "tasks", .verb = "show", .doc = "Shows a task", .in = &task_id_record, .method = "GET", .path = API_CAIRN "/tasks/{id}",
	  .example = "cairn tasks show task_01…" },
	{ .noun = "tasks", .verb = "cancel", .doc = "Asks a task to end", .in = &task_id_record, .method = "POST",
	  .path = API_CAIRN "/tasks/{id}/cancel", .done = "{title} is asked to end", .example = "cairn tasks cancel task_01…" },
	{ .noun = "audit", .doc = "Lists what was changed, by whom", .in = &audit_record, .method = "GET", .path = API_CAIRN "/audit",
	  .list = "entries", .columns = audit_columns, .example = "cairn audit --object dataset:trips" },
};
FAMILY(proof_commands, "Proof:");
