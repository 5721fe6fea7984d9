/* store_search.c -- MLflow's filters and orders as SQL over runs, experiments and logged models. Values are bound. */
#include <string.h>

#include "modules/tracking/store.h"

enum entity { ON_ATTRIBUTE, ON_METRIC, ON_PARAM, ON_TAG, ON_DATASET };

/* What a search knows: entity names, attribute names and their columns. */
struct attribute { const char *name, *column; bool number, list; };
struct entity_name { const char *name; enum entity is; };
struct vocabulary {
	const struct entity_name *entity;
	size_t n_entity;
	const struct attribute *attribute;
	size_t n_attribute;
	const char *entities;   /* for messages */
};

/* --- reading a term ------------------------------------------------------------------------------------ */

static enum rc find_entity(const struct vocabulary *v, str name, enum entity *out, struct err *e)
{
	if (name.len == 0) {
		*out = ON_ATTRIBUTE;
		return RC_OK;
	}
	for (size_t i = 0; i < v->n_entity; i++) {
		if (str_eq(name, str_of(v->entity[i].name))) {
			*out = v->entity[i].is;
			return RC_OK;
		}
	}
	return FAIL(e, RC_INVALID, "Invalid entity type '" STR_FMT "'. Valid values are [%s]", STR_ARG(str_head(name, 60)), v->entities);
}

static enum rc find_attribute(const struct vocabulary *v, str key, const struct attribute **out, struct err *e)
{
	struct buf names = BUF_INIT(300);

	for (size_t i = 0; i < v->n_attribute; i++) {
		if (str_eq(key, str_of(v->attribute[i].name))) {
			buf_deinit(&names);
			*out = &v->attribute[i];
			return RC_OK;
		}
		buf_addf(&names, "%s%s", i > 0 ? ", " : "", v->attribute[i].name);
	}
	(void)FAIL(e, RC_INVALID, "Invalid attribute key '" STR_FMT "' specified. Valid keys are '%s'", STR_ARG(str_head(key, 60)), names.at);
	buf_deinit(&names);
	return RC_INVALID;
}

static enum rc want_number(const struct filter_term *t, const char *what, struct err *e)
{
	if (t->op > FILTER_GE)
		return FAIL(e, RC_INVALID, "Invalid comparator '%s' for %s: not one of =, !=, <, <=, >, >=", filter_op_names[t->op], what);
	if (t->value != FILTER_NUMBER)
		return FAIL(e, RC_INVALID, "Expected numeric value type for %s. Found '" STR_FMT "'", what, STR_ARG(str_head(t->text, 60)));
	return RC_OK;
}

static enum rc want_text(const struct filter_term *t, const char *what, bool null, bool list, struct err *e)
{
	bool is_null = t->op == FILTER_IS_NULL || t->op == FILTER_IS_NOT_NULL, is_list = t->op == FILTER_IN || t->op == FILTER_NOT_IN;

	if (is_null && !null)
		return FAIL(e, RC_INVALID, "IS NULL / IS NOT NULL is only supported for tags and params, not for %s", what);
	if (is_list && !list)
		return FAIL(e, RC_INVALID, "Only the 'run_id' attribute supports comparison with a list of quoted string values.");
	if (t->op >= FILTER_LT && t->op <= FILTER_GE)
		return FAIL(e, RC_INVALID, "Invalid comparator '%s' for %s: not one of =, !=, LIKE, ILIKE%s%s", filter_op_names[t->op], what,
			    list ? ", IN, NOT IN" : "", null ? ", IS NULL, IS NOT NULL" : "");
	if (t->value == FILTER_NUMBER)
		return FAIL(e, RC_INVALID, "Expected a quoted string value for %s (e.g. 'my-value'). Got value " STR_FMT, what,
			    STR_ARG(str_head(t->text, 60)));
	return RC_OK;
}

/* --- terms as conditions ---------------------------------------------------------------------------------- */

/* A row of a side table: "EXISTS (SELECT 1 FROM table s WHERE s.owner = … AND s.key = ?" and, unless the term is about its
 * presence, what its value is to be. */

static void add_side(struct sql *s, const char *exists, const struct filter_term *t)
{
	bool absent = t->op == FILTER_IS_NULL;

	sql_add(s, absent ? " AND NOT " : " AND ", NO_VALS);
	sql_add(s, exists, VALS(V_STR(t->key)));
	if (t->value != FILTER_NOTHING) {
		sql_add(s, " AND ", NO_VALS);
		sql_add_term(s, "s.value", false, t);
	}
	sql_add(s, ")", NO_VALS);
}

/* NaN equals nothing and differs from everything. */
static void add_metric(struct sql *s, const char *exists, const struct filter_term *t)
{
	sql_add(s, " AND ", NO_VALS);
	sql_add(s, exists, VALS(V_STR(t->key)));
	sql_add(s, t->op == FILTER_NE ? " AND (s.is_nan = 1 OR " : " AND (s.is_nan = 0 AND ", NO_VALS);
	sql_add_term(s, "s.value", false, t);
	sql_add(s, "))", NO_VALS);
}

static enum rc add_attribute(struct sql *s, const struct vocabulary *v, const struct filter_term *t, struct err *e)
{
	const struct attribute *at;

	TRY(find_attribute(v, t->key, &at, e));
	TRY(at->number ? want_number(t, at->name, e) : want_text(t, at->name, false, at->list, e));
	sql_add(s, " AND ", NO_VALS);
	sql_add_term(s, at->column, true, t);
	return RC_OK;
}

static enum rc add_dataset(struct sql *s, const struct filter_term *t, struct err *e)
{
	static const struct { const char *key, *column; } keys[] = { { "name", "d.name" }, { "digest", "d.digest" }, { "context", "i.context" } };

	TRY(want_text(t, "dataset attributes", false, true, e));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!str_eq(t->key, str_of(keys[i].key)))
			continue;
		sql_add(s, " AND EXISTS (SELECT 1 FROM run_inputs i JOIN input_datasets d ON d.id = i.dataset WHERE i.run = r.id AND ", NO_VALS);
		sql_add_term(s, keys[i].column, false, t);
		sql_add(s, ")", NO_VALS);
		return RC_OK;
	}
	return FAIL(e, RC_INVALID, "Invalid dataset key '" STR_FMT "' specified. Valid keys are 'name, digest, context'",
		    STR_ARG(str_head(t->key, 60)));
}

static void add_experiments(struct sql *s, const char *column, const struct search *q)
{
	sql_add(s, column, NO_VALS);
	sql_add(s, " IN (", NO_VALS);
	sql_add_i64s(s, q->experiment, q->n_experiment);
	sql_add(s, ")", NO_VALS);
}

static void add_view(struct sql *s, const char *column, enum view_type view)
{
	if (view == VIEW_ALL)
		return;
	sql_add(s, " AND ", NO_VALS);
	sql_add(s, column, NO_VALS);
	sql_add(s, view == VIEW_DELETED ? " = 1" : " = 0", NO_VALS);
}

static void add_page(struct sql *s, const struct search *q)
{
	sql_add(s, " LIMIT ? OFFSET ?", VALS(V_I64(q->limit + 1), V_I64(q->offset)));
}

/* --- runs ---------------------------------------------------------------------------------------------------- */

static const struct attribute run_attributes[] = {
	{ "run_id", "r.id", false, true },           { "run_name", "r.name", false, false },   { "user_id", "r.user_id", false, false },
	{ "status", "r.status", false, false },      { "artifact_uri", "r.artifact_uri", false, false },
	{ "start_time", "r.started", true, false },  { "end_time", "r.ended", true, false },   { "created", "r.started", true, false },
	{ "Created", "r.started", true, false },     { "run name", "r.name", false, false },   { "Run name", "r.name", false, false },
	{ "Run Name", "r.name", false, false },
};
static const struct entity_name run_entities[] = {
	{ "metric", ON_METRIC },       { "metrics", ON_METRIC },     { "parameter", ON_PARAM },  { "parameters", ON_PARAM },
	{ "param", ON_PARAM },         { "params", ON_PARAM },       { "tag", ON_TAG },          { "tags", ON_TAG },
	{ "attribute", ON_ATTRIBUTE }, { "attributes", ON_ATTRIBUTE }, { "attr", ON_ATTRIBUTE }, { "run", ON_ATTRIBUTE },
	{ "dataset", ON_DATASET },     { "datasets", ON_DATASET },
};
#define VOCABULARY(ent, attr, text) \
	{ .entity = (ent), .n_entity = ARRAY_LEN(ent), .attribute = (attr), .n_attribute = ARRAY_LEN(attr), .entities = (text) }
static const struct vocabulary run_vocabulary =
	VOCABULARY(run_entities, run_attributes, "'metric', 'parameter', 'tag', 'attribute', 'dataset'");

static enum rc add_run_term(struct sql *s, const struct filter_term *t, struct err *e)
{
	enum entity on;

	TRY(find_entity(&run_vocabulary, t->entity, &on, e));
	switch (on) {
	case ON_ATTRIBUTE:
		return add_attribute(s, &run_vocabulary, t, e);
	case ON_METRIC:
		TRY(want_number(t, "metric", e));
		add_metric(s, "EXISTS (SELECT 1 FROM run_metrics s WHERE s.run = r.id AND s.key = ?", t);
		return RC_OK;
	case ON_PARAM:
		TRY(want_text(t, "parameter", true, false, e));
		add_side(s, "EXISTS (SELECT 1 FROM run_params s WHERE s.run = r.id AND s.key = ?", t);
		return RC_OK;
	case ON_TAG:
		TRY(want_text(t, "tag", true, false, e));
		add_side(s, "EXISTS (SELECT 1 FROM run_tags s WHERE s.run = r.id AND s.key = ?", t);
		return RC_OK;
	case ON_DATASET:
		return add_dataset(s, t, e);
	}
	UNREACHABLE("entity");
}

struct ordering { enum entity on; const char *column; str key; bool descending; };
#define ORDERS_MAX 10

static enum rc read_order(str text, struct ordering *o, struct err *e)
{
	const struct attribute *at;
	struct filter_order parsed;

	TRY(filter_order_parse(text, &parsed, e));
	TRY(find_entity(&run_vocabulary, parsed.entity, &o->on, e));
	o->key = parsed.key;
	o->descending = parsed.descending;
	if (o->on == ON_DATASET)
		return FAIL(e, RC_INVALID, "Invalid order_by entity type 'dataset'");
	if (o->on != ON_ATTRIBUTE)
		return RC_OK;
	TRY(find_attribute(&run_vocabulary, parsed.key, &at, e));
	o->column = at->column;
	return RC_OK;
}

static void add_order_join(struct sql *s, const struct ordering *o, size_t i)
{
	static const char *const tables[] = { [ON_METRIC] = "run_metrics", [ON_PARAM] = "run_params", [ON_TAG] = "run_tags" };

	if (o->on == ON_ATTRIBUTE)
		return;
	str join = arena_printf(s->a, " LEFT JOIN %s o%zu ON o%zu.run = r.id AND o%zu.key = ?", tables[o->on], i, i, i);
	sql_add(s, join.at, VALS(V_STR(o->key)));
}

/* Missing values come last in both directions; of metrics NaN before them. */
static void add_order_keys(struct sql *s, const struct ordering *o, size_t i)
{
	const char *way = o->descending ? "DESC" : "ASC";
	str keys;

	if (o->on == ON_ATTRIBUTE && strcmp(o->column, "r.ended") != 0)
		keys = arena_printf(s->a, "%s %s, ", o->column, way);
	else if (o->on == ON_ATTRIBUTE)
		keys = arena_printf(s->a, "CASE WHEN %s IS NULL THEN 1 ELSE 0 END, %s %s, ", o->column, o->column, way);
	else if (o->on == ON_METRIC)
		keys = arena_printf(s->a, "CASE WHEN o%zu.is_nan = 1 THEN 1 WHEN o%zu.value IS NULL THEN 2 ELSE 0 END, o%zu.value %s, ", i, i,
				    i, way);
	else
		keys = arena_printf(s->a, "CASE WHEN o%zu.value IS NULL THEN 1 ELSE 0 END, o%zu.value %s, ", i, i, way);
	sql_add(s, keys.at, NO_VALS);
}

static enum rc build_runs(struct sql *s, const struct search *q, struct err *e)
{
	struct ordering order[ORDERS_MAX] = { 0 };
	struct list terms;

	if (q->order_by.n > ORDERS_MAX)
		return FAIL(e, RC_INVALID, "Invalid order_by: more than %d clauses", ORDERS_MAX);
	TRY(filter_parse(q->filter, s->a, &terms, e));
	for (size_t i = 0; i < q->order_by.n; i++)
		TRY(read_order(*LIST_AT(q->order_by, const str, i), &order[i], e));
	sql_add(s, "SELECT " RUN_COLUMNS " FROM runs r", NO_VALS);
	for (size_t i = 0; i < q->order_by.n; i++)
		add_order_join(s, &order[i], i);
	sql_add(s, " WHERE ", NO_VALS);
	add_experiments(s, "r.experiment", q);
	add_view(s, "r.deleted", q->view);
	for (size_t i = 0; i < terms.n; i++)
		TRY(add_run_term(s, LIST_AT(terms, const struct filter_term, i), e));
	sql_add(s, " ORDER BY ", NO_VALS);
	for (size_t i = 0; i < q->order_by.n; i++)
		add_order_keys(s, &order[i], i);
	sql_add(s, "r.started DESC, r.id", NO_VALS);
	add_page(s, q);
	return RC_OK;
}

struct run_rows {
	struct arena *a;
	VEC(struct run *) runs;
};

static enum rc run_row(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct run_rows *r = ctx;
	struct run *run = ARENA_NEW(r->a, struct run);

	(void)n_col;
	(void)e;
	scan_run_info(r->a, row, &run->info);
	*VEC_PUSH(r->a, &r->runs) = run;
	return RC_OK;
}

enum rc store_runs_search(struct tx *tx, struct arena *a, const struct search *q, struct found *out, struct err *e)
{
	struct run_rows r = { .a = a };
	struct sql s;

	*out = (struct found){ .more = false };
	sql_init(&s, a);
	TRY(build_runs(&s, q, e));
	if (q->n_experiment == 0)
		return RC_OK;
	TRY(sql_each(tx, &s, run_row, &r, e));
	out->more = r.runs.n > (size_t)q->limit;
	size_t n = out->more ? (size_t)q->limit : r.runs.n;
	TRY(store_runs_fill(tx, a, r.runs.at, n, false, e));
	struct run *rows = ARENA_ARRAY(a, struct run, n + 1);
	for (size_t i = 0; i < n; i++)
		rows[i] = *r.runs.at[i];
	out->rows = (struct list){ rows, n };
	return RC_OK;
}

/* --- experiments ------------------------------------------------------------------------------------------------- */

static const struct attribute experiment_attributes[] = {
	{ "name", "x.name", false, false },
	{ "creation_time", "x.created", true, false },
	{ "last_update_time", "x.updated", true, false },
};
static const struct entity_name experiment_entities[] = {
	{ "attribute", ON_ATTRIBUTE }, { "attributes", ON_ATTRIBUTE }, { "attr", ON_ATTRIBUTE }, { "tag", ON_TAG }, { "tags", ON_TAG },
};
static const struct vocabulary experiment_vocabulary =
	VOCABULARY(experiment_entities, experiment_attributes, "'attribute', 'tag'");

static enum rc add_experiment_term(struct sql *s, const struct filter_term *t, struct err *e)
{
	enum entity on;

	TRY(find_entity(&experiment_vocabulary, t->entity, &on, e));
	if (on == ON_ATTRIBUTE)
		return add_attribute(s, &experiment_vocabulary, t, e);
	TRY(want_text(t, "tag", true, false, e));
	add_side(s, "EXISTS (SELECT 1 FROM experiment_tags s WHERE s.experiment = x.id AND s.key = ?", t);
	return RC_OK;
}

static enum rc add_experiment_order(struct sql *s, const struct list *order_by, struct err *e)
{
	static const struct { const char *key, *column; } keys[] = {
		{ "name", "x.name" }, { "experiment_id", "x.id" }, { "creation_time", "x.created" }, { "last_update_time", "x.updated" },
	};

	sql_add(s, " ORDER BY ", NO_VALS);
	for (size_t i = 0; i < order_by->n; i++) {
		struct filter_order o;
		const char *column = NULL;
		TRY(filter_order_parse(*LIST_AT(*order_by, const str, i), &o, e));
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			column = str_eq(o.key, str_of(keys[k].key)) ? keys[k].column : column;
		if (column == NULL)
			return FAIL(e, RC_INVALID, "Invalid order_by entity: '" STR_FMT "'. Valid keys are name, experiment_id, creation_time, "
				    "last_update_time", STR_ARG(str_head(o.key, 60)));
		sql_add(s, column, NO_VALS);
		sql_add(s, o.descending ? " DESC, " : " ASC, ", NO_VALS);
	}
	sql_add(s, order_by->n > 0 ? "x.id DESC" : "x.created DESC, x.id ASC", NO_VALS);
	return RC_OK;
}

/* Tags of the experiments found, in one pass. */
static enum rc fill_experiments(struct tx *tx, struct arena *a, struct experiment *x, size_t n, struct err *e)
{
	struct rows rows;
	int64_t id;

	for (size_t i = 0; i < n; i++) {
		VEC(struct pair) tags = { 0 };
		CHECK(str_to_i64(x[i].experiment_id, &id));
		TRY(db_query(tx, a, "SELECT key, value FROM experiment_tags WHERE experiment = ? ORDER BY key", VALS(V_I64(id)), &rows, e));
		for (size_t k = 0; k < rows.n; k++)
			*VEC_PUSH(a, &tags) = (struct pair){ rows_at(&rows, k, 0)->s, rows_at(&rows, k, 1)->s };
		x[i].tags = LIST_OF(tags);
	}
	return RC_OK;
}

enum rc store_experiments_search(struct tx *tx, struct arena *a, const struct search *q, struct found *out, struct err *e)
{
	struct list terms;
	struct rows rows;
	struct sql s;

	TRY(filter_parse(q->filter, a, &terms, e));
	sql_init(&s, a);
	sql_add(&s, "SELECT " EXPERIMENT_COLUMNS " FROM experiments x WHERE 1 = 1", NO_VALS);
	add_view(&s, "x.deleted", q->view);
	for (size_t i = 0; i < terms.n; i++)
		TRY(add_experiment_term(&s, LIST_AT(terms, const struct filter_term, i), e));
	TRY(add_experiment_order(&s, &q->order_by, e));
	add_page(&s, q);
	TRY(sql_query(tx, &s, &rows, e));
	out->more = rows.n > (size_t)q->limit;
	size_t n = out->more ? (size_t)q->limit : rows.n;
	struct experiment *x = ARENA_ARRAY(a, struct experiment, n + 1);
	for (size_t i = 0; i < n; i++)
		scan_experiment(a, &rows.cell[i * rows.n_col], &x[i]);
	out->rows = (struct list){ x, n };
	return fill_experiments(tx, a, x, n, e);
}

/* --- logged models ----------------------------------------------------------------------------------------------- */

static const struct attribute logged_attributes[] = {
	{ "name", "l.name", false, true },
	{ "model_id", "l.id", false, true },
	{ "model_type", "l.model_type", false, true },
	{ "source_run_id", "l.source_run", false, true },
	{ "status", "CASE l.status WHEN 1 THEN 'PENDING' WHEN 2 THEN 'READY' WHEN 3 THEN 'FAILED' ELSE 'UNSPECIFIED' END", false, true },
	{ "creation_timestamp", "l.created", true, false },
	{ "creation_time", "l.created", true, false },
	{ "creation_timestamp_ms", "l.created", true, false },
	{ "last_updated_timestamp", "l.updated", true, false },
	{ "last_updated_timestamp_ms", "l.updated", true, false },
};
static const struct entity_name logged_entities[] = {
	{ "attributes", ON_ATTRIBUTE }, { "metrics", ON_METRIC }, { "params", ON_PARAM }, { "tags", ON_TAG },
};
static const struct vocabulary logged_vocabulary =
	VOCABULARY(logged_entities, logged_attributes, "'attributes', 'metrics', 'params', 'tags'");

static enum rc add_logged_term(struct sql *s, const struct filter_term *t, struct err *e)
{
	enum entity on;

	TRY(find_entity(&logged_vocabulary, t->entity, &on, e));
	if (on == ON_ATTRIBUTE)
		return add_attribute(s, &logged_vocabulary, t, e);
	if (on == ON_METRIC) {
		TRY(want_number(t, "metric", e));
		add_metric(s, "EXISTS (SELECT 1 FROM logged_model_metrics s WHERE s.model = l.id AND s.key = ?", t);
		return RC_OK;
	}
	TRY(want_text(t, on == ON_PARAM ? "param" : "tag", false, true, e));
	add_side(s, on == ON_PARAM ? "EXISTS (SELECT 1 FROM logged_model_params s WHERE s.model = l.id AND s.key = ?"
				   : "EXISTS (SELECT 1 FROM logged_model_tags s WHERE s.model = l.id AND s.key = ?", t);
	return RC_OK;
}

static void add_logged_datasets(struct sql *s, const struct list *datasets)
{
	if (datasets->n == 0)
		return;
	sql_add(s, " AND EXISTS (SELECT 1 FROM logged_model_metrics m WHERE m.model = l.id AND (", NO_VALS);
	for (size_t i = 0; i < datasets->n; i++) {
		const struct logged_dataset *d = LIST_AT(*datasets, const struct logged_dataset, i);
		sql_add(s, i > 0 ? " OR (m.dataset_name = ?" : "(m.dataset_name = ?", VALS(V_STR(d->dataset_name)));
		if (d->dataset_digest.len > 0)
			sql_add(s, " AND m.dataset_digest = ?", VALS(V_STR(d->dataset_digest)));
		sql_add(s, ")", NO_VALS);
	}
	sql_add(s, "))", NO_VALS);
}

static void add_logged_metric_order(struct sql *s, str key, const struct logged_order *o, const char *way)
{
	sql_add(s, "(SELECT m.value FROM logged_model_metrics m WHERE m.model = l.id AND m.key = ?", VALS(V_STR(key)));
	if (o->dataset_name.len > 0)
		sql_add(s, " AND m.dataset_name = ?", VALS(V_STR(o->dataset_name)));
	if (o->dataset_digest.len > 0)
		sql_add(s, " AND m.dataset_digest = ?", VALS(V_STR(o->dataset_digest)));
	sql_add(s, " ORDER BY m.at DESC, m.step DESC LIMIT 1) ", NO_VALS);
	sql_add(s, way, NO_VALS);
	sql_add(s, " NULLS LAST, ", NO_VALS);
}

static enum rc add_logged_order(struct sql *s, const struct list *order, struct err *e)
{
	sql_add(s, " ORDER BY ", NO_VALS);
	for (size_t i = 0; i < order->n; i++) {
		const struct logged_order *o = LIST_AT(*order, const struct logged_order, i);
		const char *way = o->ascending ? "ASC" : "DESC";
		const struct attribute *at;
		if (str_starts(o->field_name, STR("metrics."))) {
			add_logged_metric_order(s, str_skip(o->field_name, strlen("metrics.")), o, way);
			continue;
		}
		if (str_find_char(o->field_name, '.') >= 0)
			return FAIL(e, RC_INVALID, "Invalid order by field name: " STR_FMT ". Only metrics are supported.",
				    STR_ARG(str_head(o->field_name, 60)));
		TRY(find_attribute(&logged_vocabulary, o->field_name, &at, e));
		str text = arena_printf(s->a, "%s %s, ", at->column, way);
		sql_add(s, text.at, NO_VALS);
	}
	sql_add(s, "l.created DESC, l.id", NO_VALS);
	return RC_OK;
}

enum rc store_logged_search(struct tx *tx, struct arena *a, const struct logged_search *q, struct found *out, struct err *e)
{
	struct list terms;
	struct rows rows;
	struct sql s;

	*out = (struct found){ .more = false };
	TRY(filter_parse(q->base.filter, a, &terms, e));
	sql_init(&s, a);
	sql_add(&s, "SELECT " LOGGED_COLUMNS " FROM logged_models l WHERE l.deleted = 0 AND ", NO_VALS);
	add_experiments(&s, "l.experiment", &q->base);
	for (size_t i = 0; i < terms.n; i++)
		TRY(add_logged_term(&s, LIST_AT(terms, const struct filter_term, i), e));
	add_logged_datasets(&s, &q->datasets);
	TRY(add_logged_order(&s, &q->order, e));
	add_page(&s, &q->base);
	TRY(sql_query(tx, &s, &rows, e));
	out->more = rows.n > (size_t)q->base.limit;
	size_t n = out->more ? (size_t)q->base.limit : rows.n;
	struct logged_model *m = ARENA_ARRAY(a, struct logged_model, n + 1);
	for (size_t i = 0; i < n; i++) {
		scan_logged(a, &rows.cell[i * rows.n_col], &m[i]);
		TRY(store_logged_fill(tx, a, &m[i], e));
	}
	out->rows = (struct list){ m, n };
	return RC_OK;
}
