/* store_search.c -- searches of models and versions: the filter as SQL, values bound. Prompts are models that a tag marks;
 * a search leaves them out unless its filter asks for them. */
#include "modules/registry/store.h"

struct search_key { const char *key, *column; bool number; };
struct subject {
	const char *tags;               /* "EXISTS (… AND s.key = ?" */
	const char *prompts;            /* what a prompt is */
	const struct search_key *key;
	size_t n_key;
};

static enum rc want(bool holds, const struct filter_term *t, const char *what, struct err *e)
{
	if (holds)
		return RC_OK;
	return FAIL(e, RC_INVALID, "Invalid comparator for %s '" STR_FMT "': %s", what, STR_ARG(str_head(t->key, 60)), filter_op_names[t->op]);
}

static bool text_op(enum filter_op op)
{
	return op == FILTER_EQ || op == FILTER_NE || op == FILTER_LIKE || op == FILTER_ILIKE;
}

static enum rc add_tag(struct sql *s, const struct subject *u, const struct filter_term *t, struct err *e)
{
	TRY(want(text_op(t->op) && t->value == FILTER_TEXT, t, "tag", e));
	sql_add(s, " AND ", NO_VALS);
	sql_add(s, u->tags, VALS(V_STR(t->key)));
	sql_add(s, " AND ", NO_VALS);
	sql_add_term(s, "s.value", false, t);
	sql_add(s, ")", NO_VALS);
	return RC_OK;
}

static enum rc add_attribute(struct sql *s, const struct subject *u, const struct filter_term *t, struct err *e)
{
	struct filter_term unquoted = *t;

	for (size_t i = 0; i < u->n_key; i++) {
		if (!str_eq(t->key, str_of(u->key[i].key)))
			continue;
		/* version_number > '1' is a number too. */
		if (u->key[i].number && t->value == FILTER_TEXT && str_to_f64(t->text, &unquoted.number)) {
			unquoted.value = FILTER_NUMBER;
			t = &unquoted;
		}
		bool list = t->op == FILTER_IN && str_eq(t->key, STR("run_id"));
		bool number = u->key[i].number;
		TRY(want(number ? t->op <= FILTER_GE && t->value == FILTER_NUMBER : list || (text_op(t->op) && t->value == FILTER_TEXT), t,
			 "attribute", e));
		sql_add(s, " AND ", NO_VALS);
		sql_add_term(s, u->key[i].column, number, t);
		return RC_OK;
	}
	return FAIL(e, RC_INVALID, "Invalid attribute name: " STR_FMT, STR_ARG(str_head(t->key, 60)));
}

static bool is_attribute(str entity)
{
	return entity.len == 0 || str_eq(entity, STR("attribute")) || str_eq(entity, STR("attributes")) || str_eq(entity, STR("attr"));
}

static enum rc add_terms(struct sql *s, const struct subject *u, str filter, struct err *e)
{
	bool prompts = false;
	struct list terms;

	TRY(filter_parse(filter, s->a, &terms, e));
	for (size_t i = 0; i < terms.n; i++) {
		const struct filter_term *t = LIST_AT(terms, const struct filter_term, i);
		bool tag = str_eq(t->entity, STR("tag")) || str_eq(t->entity, STR("tags"));
		if (tag && str_eq(t->key, STR(PROMPT_TAG))) {
			bool yes = str_eq(t->text, STR("true"));
			TRY(want(t->op == FILTER_EQ || t->op == FILTER_NE, t, "tag", e));
			prompts = prompts || (t->op == FILTER_EQ ? yes : !yes);
			continue;
		}
		if (!tag && !is_attribute(t->entity))
			return FAIL(e, RC_INVALID, "Invalid entity type '" STR_FMT "'. Valid values are ['attribute', 'tag']",
				    STR_ARG(str_head(t->entity, 60)));
		TRY(tag ? add_tag(s, u, t, e) : add_attribute(s, u, t, e));
	}
	sql_add(s, prompts ? " AND " : " AND NOT ", NO_VALS);
	sql_add(s, u->prompts, NO_VALS);
	return RC_OK;
}

static enum rc add_order(struct sql *s, const struct subject *u, const struct list *order_by, const char *rest, struct err *e)
{
	sql_add(s, " ORDER BY ", NO_VALS);
	for (size_t i = 0; i < order_by->n; i++) {
		struct filter_order o;
		const char *column = NULL;
		TRY(filter_order_parse(*LIST_AT(*order_by, const str, i), &o, e));
		for (size_t k = 0; k < u->n_key && is_attribute(o.entity); k++)
			column = str_eq(o.key, str_of(u->key[k].key)) ? u->key[k].column : column;
		if (column == NULL)
			return FAIL(e, RC_INVALID, "Invalid order by key '" STR_FMT "' specified.", STR_ARG(str_head(o.key, 60)));
		sql_add(s, column, NO_VALS);
		sql_add(s, o.descending ? " DESC, " : " ASC, ", NO_VALS);
	}
	sql_add(s, rest, NO_VALS);
	return RC_OK;
}

enum rc store_models_search(struct tx *tx, struct arena *a, const struct registry_search *q, struct registry_found *out, struct err *e)
{
	static const struct search_key keys[] = { { "name", "m.name", false } };
	static const struct search_key orders[] = {
		{ "name", "m.name", false }, { "timestamp", "m.updated", true }, { "last_updated_timestamp", "m.updated", true },
	};
	const struct subject filter = { .tags = "EXISTS (SELECT 1 FROM model_tags s WHERE s.model = m.name AND s.key = ?",
					.prompts = "EXISTS (SELECT 1 FROM model_tags p WHERE p.model = m.name AND p.key = '" PROMPT_TAG
						   "' AND p.value = 'true')",
					.key = keys, .n_key = ARRAY_LEN(keys) };
	const struct subject order = { .key = orders, .n_key = ARRAY_LEN(orders) };
	struct rows rows;
	struct sql s;

	sql_init(&s, a);
	sql_add(&s, "SELECT m.name, m.description, m.created, m.updated FROM registered_models m WHERE 1 = 1", NO_VALS);
	TRY(add_terms(&s, &filter, q->filter, e));
	TRY(add_order(&s, &order, &q->order_by, "m.name", e));
	sql_add(&s, " LIMIT ? OFFSET ?", VALS(V_I64(q->limit + 1), V_I64(q->offset)));
	TRY(sql_query(tx, &s, &rows, e));
	out->more = rows.n > (size_t)q->limit;
	size_t n = out->more ? (size_t)q->limit : rows.n;
	struct registered_model *m = ARENA_ARRAY(a, struct registered_model, n + 1);
	for (size_t i = 0; i < n; i++) {
		m[i] = (struct registered_model){ .name = rows_at(&rows, i, 0)->s, .description = rows_at(&rows, i, 1)->s,
						  .created_ms = rows_at(&rows, i, 2)->i, .updated_ms = rows_at(&rows, i, 3)->i };
		TRY(store_model_fill(tx, a, &m[i], e));
	}
	out->rows = (struct list){ m, n };
	return RC_OK;
}

enum rc store_versions_search(struct tx *tx, struct arena *a, const struct registry_search *q, struct registry_found *out, struct err *e)
{
	static const struct search_key keys[] = {
		{ "name", "v.model", false }, { "run_id", "v.run_id", false }, { "source_path", "v.source", false },
		{ "version_number", "v.version", true },
	};
	static const struct search_key orders[] = {
		{ "name", "v.model", false }, { "version_number", "v.version", true }, { "creation_timestamp", "v.created", true },
		{ "last_updated_timestamp", "v.updated", true },
	};
	const struct subject filter = {
		.tags = "EXISTS (SELECT 1 FROM model_version_tags s WHERE s.model = v.model AND s.version = v.version AND s.key = ?",
		.prompts = "EXISTS (SELECT 1 FROM model_version_tags p WHERE p.model = v.model AND p.key = '" PROMPT_TAG "' AND p.value = 'true')",
		.key = keys, .n_key = ARRAY_LEN(keys),
	};
	const struct subject order = { .key = orders, .n_key = ARRAY_LEN(orders) };
	struct rows rows;
	struct sql s;

	sql_init(&s, a);
	sql_add(&s, "SELECT " VERSION_COLUMNS " FROM model_versions v WHERE v.stage <> '" STAGE_DELETED "'", NO_VALS);
	TRY(add_terms(&s, &filter, q->filter, e));
	TRY(add_order(&s, &order, &q->order_by, q->order_by.n > 0 ? "v.model, v.version DESC" : "v.updated DESC, v.model, v.version DESC", e));
	sql_add(&s, " LIMIT ? OFFSET ?", VALS(V_I64(q->limit + 1), V_I64(q->offset)));
	TRY(sql_query(tx, &s, &rows, e));
	out->more = rows.n > (size_t)q->limit;
	size_t n = out->more ? (size_t)q->limit : rows.n;
	struct version_row *v = ARENA_ARRAY(a, struct version_row, n + 1);
	for (size_t i = 0; i < n; i++) {
		scan_version(&rows.cell[i * rows.n_col], &v[i]);
		TRY(store_version_fill(tx, a, &v[i], e));
	}
	out->rows = (struct list){ v, n };
	return RC_OK;
}
