/* training.c -- labels joined with the features as they were known at their times.
 *
 * For a label at time T and a view: the row of its key with the greatest event time not after T, if that is not older than
 * the view's TTL (both ends count); features are NULL without one, and no label is lost or doubled. DuckDB's ASOF join finds
 * the row, over rows made unique per key and time by the rule of sql.c; the TTL is looked at afterwards, because the nearest
 * row decides. The user's SQL runs in a sandbox that holds the datasets it names.
 *
 * The event time of each view's row is kept in a last column of its own, so that anyone can see that none is in the future. */
#include "modules/features/features_int.h"
#include "modules/features/sql.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "io/blob.h"
#include "io/crypto.h"

struct set_view {
	struct feature_view view;
	struct dataset_version source;
	const str *key_column;          /* of the labels, by join key */
	VEC(size_t) picked;             /* indexes into view.features */
};

struct joining {
	struct features *f;
	struct task *task;
	struct arena *a;
	struct query *q;
	const struct training_request *r;
	struct col *label_col;          /* columns of the label source */
	size_t n_label_col;
	struct set_view *view[SET_VIEWS_MAX];
	size_t n_view;
	VEC(str) sources;
	VEC(struct training_input) inputs;
	struct map names;               /* columns of the set so far, and what each is, as text */
	str select, joins, evidence;    /* SQL */
	str time;                       /* of a label, as TIMESTAMP */
	struct training_set *set;
};

/* --- what is asked for ------------------------------------------------------------------------------------------ */

static struct set_view *view_in(struct joining *j, str name)
{
	for (size_t i = 0; i < j->n_view; i++) {
		if (str_eq(j->view[i]->view.name, name))
			return j->view[i];
	}
	return NULL;
}

static enum rc add_view(struct joining *j, str name, struct set_view **out, struct err *e)
{
	struct set_view *v = ARENA_NEW(j->a, struct set_view);

	if (j->n_view == SET_VIEWS_MAX)
		return FAIL(e, RC_INVALID, "features of more than %d views", SET_VIEWS_MAX);
	TRY(features_view(j->f, j->a, name, &v->view, e));
	TRY(lake_version(j->f->lake, j->a, v->view.dataset, 0, &v->source, e));
	TRY(features__fits(&v->view, &v->source, e));
	j->view[j->n_view++] = v;
	*out = v;
	return RC_OK;
}

static enum rc pick(struct joining *j, struct set_view *v, size_t feature, struct err *e)
{
	for (size_t i = 0; i < v->picked.n; i++) {
		if (v->picked.at[i] == feature)
			return FAIL(e, RC_INVALID, "feature '" STR_FMT "' is asked for twice",
				    STR_ARG(LIST_AT(v->view.features, struct feature, feature)->name));
	}
	*VEC_PUSH(j->a, &v->picked) = feature;
	return RC_OK;
}

static enum rc ask_feature(struct joining *j, str ref, struct err *e)
{
	str rest = ref, name;
	struct set_view *v;

	if (!str_cut(&rest, ':', &name) || name.len == 0 || rest.len == 0)
		return FAIL(e, RC_INVALID, "'" STR_FMT "': a feature is given as view:feature", STR_ARG(str_head(ref, 100)));
	v = view_in(j, name);
	if (v == NULL)
		TRY(add_view(j, name, &v, e));
	bool all = str_eq(rest, STR("*")), found = false;
	for (size_t i = 0; i < v->view.features.n; i++) {
		if (!all && !str_eq(LIST_AT(v->view.features, struct feature, i)->name, rest))
			continue;
		TRY(pick(j, v, i, e));
		found = true;
	}
	if (!found)
		return FAIL(e, RC_INVALID, "feature view '" STR_FMT "' has no feature '" STR_FMT "'", STR_ARG(name), STR_ARG(str_head(rest, 100)));
	return RC_OK;
}

static enum rc ask_features(struct joining *j, struct err *e)
{
	for (size_t i = 0; i < j->r->features.n; i++) {
		if (ask_feature(j, *LIST_AT(j->r->features, str, i), e) != RC_OK)
			return err_field(e, "features[%zu]", i);
	}
	return RC_OK;
}

/* --- where the labels come from ------------------------------------------------------------------------------------- */

static enum rc bind_labels(struct joining *j, str *sql_out, struct err *e)
{
	const struct training_request *r = j->r;
	struct list versions;
	str sql = r->sql;

	if (sql.len == 0)
		sql = arena_printf(j->a, "SELECT * FROM " STR_FMT, STR_ARG(query_quote_name(j->a, r->dataset)));
	if (query_check(j->q, sql, e) != RC_OK)
		return err_field(e, "sql");
	TRY(lake_bind_named(j->f->lake, j->q, sql, j->a, &versions, e));
	if (versions.n == 0)
		return r->dataset.len > 0 ? FAIL(e, RC_NOT_FOUND, "dataset '" STR_FMT "' does not exist", STR_ARG(r->dataset))
					  : FAIL(e, RC_INVALID, "sql: it names no dataset");
	for (size_t i = 0; i < versions.n; i++)
		*VEC_PUSH(j->a, &j->sources) = LIST_AT(versions, struct dataset_version, i)->id;
	*sql_out = sql;
	return RC_OK;
}

static str view_table(struct joining *j, size_t i)
{
	return arena_printf(j->a, "cairn_view_%zu", i);
}

static enum rc bind_views(struct joining *j, struct err *e)
{
	for (size_t i = 0; i < j->n_view; i++) {
		struct set_view *v = j->view[i];
		bool known = false;
		TRY(lake_bind(j->f->lake, j->q, arena_printf(j->a, "cairn_source_%zu", i), &v->source, e));
		for (size_t k = 0; k < j->sources.n; k++)
			known = known || str_eq(j->sources.at[k], v->source.id);
		if (!known)
			*VEC_PUSH(j->a, &j->sources) = v->source.id;
	}
	return RC_OK;
}

static const struct col *label_column(const struct joining *j, str name)
{
	for (size_t i = 0; i < j->n_label_col; i++) {
		if (str_eq(j->label_col[i].name, name))
			return &j->label_col[i];
	}
	return NULL;
}

static enum rc need_label_column(struct joining *j, str name, const struct col **out, struct err *e)
{
	str all = STR("");

	*out = label_column(j, name);
	if (*out != NULL)
		return RC_OK;
	for (size_t i = 0; i < j->n_label_col && all.len < 300; i++)
		all = arena_printf(j->a, STR_FMT "%s" STR_FMT, STR_ARG(all), i > 0 ? ", " : "", STR_ARG(j->label_col[i].name));
	return FAIL(e, RC_INVALID, "the labels have no column '" STR_FMT "'; they have " STR_FMT, STR_ARG(str_head(name, 100)), STR_ARG(all));
}

/* --- the set's columns ------------------------------------------------------------------------------------------------ */

/* A column of the labels, once, whoever asks for it. */
static enum rc add_label_column(struct joining *j, str name, const struct col **out, struct err *e)
{
	TRY(need_label_column(j, name, out, e));
	if (map_find(&j->names, name) != NULL)
		return RC_OK;
	str quoted = query_quote_name(j->a, name);
	map_put(&j->names, name, arena_cstr(j->a, STR("a column of the labels")));
	j->select = arena_printf(j->a, STR_FMT "%sl." STR_FMT, STR_ARG(j->select), j->select.len > 0 ? ", " : "", STR_ARG(quoted));
	return RC_OK;
}

static str key_column(const struct joining *j, str key)
{
	for (size_t i = 0; i < j->r->keys.n; i++) {
		const struct pair *p = LIST_AT(j->r->keys, const struct pair, i);
		if (str_eq(p->key, key))
			return p->value;
	}
	return key;
}

static enum rc add_keys(struct joining *j, struct err *e)
{
	const struct col *c;

	for (size_t i = 0; i < j->n_view; i++) {
		struct set_view *v = j->view[i];
		str *column = ARENA_ARRAY(j->a, str, v->view.keys.n);
		for (size_t k = 0; k < v->view.keys.n; k++) {
			column[k] = key_column(j, *LIST_AT(v->view.keys, str, k));
			if (add_label_column(j, column[k], &c, e) != RC_OK) {
				(void)err_wrap(e, "join key of feature view '" STR_FMT "'", STR_ARG(v->view.name));
				return err_field(e, "keys");
			}
		}
		v->key_column = column;
	}
	return RC_OK;
}

static enum rc add_input(struct joining *j, str name, enum value_kind kind, str view, struct err *e)
{
	for (size_t i = 0; i < j->inputs.n; i++) {
		if (str_eq(j->inputs.at[i].name, name))
			return FAIL(e, RC_INVALID, "column '" STR_FMT "' is asked for twice", STR_ARG(name));
	}
	*VEC_PUSH(j->a, &j->inputs) = (struct training_input){ .name = name, .type = str_of(value_kind_names[kind]), .view = view };
	return RC_OK;
}

static enum rc add_request_columns(struct joining *j, struct err *e)
{
	const struct col *c;
	enum value_kind kind;

	for (size_t i = 0; i < j->r->columns.n; i++) {
		str name = *LIST_AT(j->r->columns, str, i);
		enum rc rc = add_label_column(j, name, &c, e);
		if (rc == RC_OK && str_eq(name, j->r->label))
			rc = FAIL(e, RC_INVALID, "'" STR_FMT "' is the label and cannot be an input", STR_ARG(name));
		if (rc == RC_OK && !features__kind_of_sql(c->sql_type, &kind))
			rc = FAIL(e, RC_INVALID, "column '" STR_FMT "' is " STR_FMT ", which a model cannot see", STR_ARG(name), STR_ARG(c->sql_type));
		if (rc == RC_OK)
			rc = add_input(j, name, kind, STR_NONE, e);
		if (rc != RC_OK)
			return err_field(e, "columns[%zu]", i);
	}
	return RC_OK;
}

static enum rc add_feature_columns(struct joining *j, size_t i, struct err *e)
{
	struct set_view *v = j->view[i];
	str table = view_table(j, i);
	str good = v->view.ttl_ms == 0 ? STR("true")
				       : arena_printf(j->a, "epoch_us(" STR_FMT ") - epoch_us(" STR_FMT ".t) <= %lld", STR_ARG(j->time),
						      STR_ARG(table), (long long)v->view.ttl_ms * 1000);

	for (size_t k = 0; k < v->picked.n; k++) {
		const struct feature *f = LIST_AT(v->view.features, struct feature, v->picked.at[k]);
		enum value_kind kind = VALUE_FLOAT;
		if (map_find(&j->names, f->name) != NULL)
			return FAIL(e, RC_INVALID, "feature '" STR_FMT "' of view '" STR_FMT "' has the name of %s; rename one of them",
				    STR_ARG(f->name), STR_ARG(v->view.name), (const char *)map_find(&j->names, f->name));
		map_put(&j->names, f->name, arena_cstr(j->a, STR("another feature")));
		CHECK(features__kind_of_type(f->type, &kind));
		TRY(add_input(j, f->name, kind, v->view.name, e));
		j->select = arena_printf(j->a, STR_FMT ", CASE WHEN " STR_FMT " THEN " STR_FMT ".f%zu END AS " STR_FMT, STR_ARG(j->select),
					 STR_ARG(good), STR_ARG(table), v->picked.at[k], STR_ARG(query_quote_name(j->a, f->name)));
	}
	str seen = query_quote_name(j->a, arena_printf(j->a, STR_FMT "__event_time", STR_ARG(v->view.name)));
	j->evidence = arena_printf(j->a, STR_FMT ", CASE WHEN " STR_FMT " THEN " STR_FMT ".t END AS " STR_FMT, STR_ARG(j->evidence),
				   STR_ARG(good), STR_ARG(table), STR_ARG(seen));
	return RC_OK;
}

static void add_join(struct joining *j, size_t i)
{
	struct set_view *v = j->view[i];
	str table = view_table(j, i), on = STR("");

	for (size_t k = 0; k < v->view.keys.n; k++)
		on = arena_printf(j->a, STR_FMT "CAST(l." STR_FMT " AS VARCHAR) = " STR_FMT ".k%zu AND ", STR_ARG(on),
				  STR_ARG(query_quote_name(j->a, v->key_column[k])), STR_ARG(table), k);
	j->joins = arena_printf(j->a, STR_FMT " ASOF LEFT JOIN " STR_FMT " ON " STR_FMT STR_FMT " >= " STR_FMT ".t", STR_ARG(j->joins),
				STR_ARG(table), STR_ARG(on), STR_ARG(j->time), STR_ARG(table));
}

/* label, time, keys, request columns, features, event times */
static enum rc choose_columns(struct joining *j, struct err *e)
{
	const struct col *c;
	enum value_kind kind;

	if (add_label_column(j, j->r->label, &c, e) != RC_OK)
		return err_field(e, "label");
	if (add_label_column(j, j->r->time_column, &c, e) != RC_OK)
		return err_field(e, "time_column");
	if (!features__kind_of_sql(c->sql_type, &kind) || kind != VALUE_TIME) {
		(void)FAIL(e, RC_INVALID, "column '" STR_FMT "' is " STR_FMT ", not a time", STR_ARG(c->name), STR_ARG(c->sql_type));
		return err_field(e, "time_column");
	}
	j->time = features__time_sql(arena_printf(j->a, "l." STR_FMT, STR_ARG(query_quote_name(j->a, c->name))), c->sql_type, j->a);
	TRY(add_keys(j, e));
	TRY(add_request_columns(j, e));
	for (size_t i = 0; i < j->n_view; i++) {
		TRY(add_feature_columns(j, i, e));
		add_join(j, i);
	}
	return RC_OK;
}

/* --- joining ------------------------------------------------------------------------------------------------------------ */

static enum rc one_number(struct joining *j, str sql, int64_t *out, struct err *e)
{
	struct result r;

	TRY(query_run(j->q, sql, 1, j->a, &r, e));
	CHECK(r.n == 1);
	*out = r.col[0].null[0] ? 0 : r.col[0].i[0];
	return RC_OK;
}

static enum rc define_inputs(struct joining *j, str sql, struct err *e)
{
	if (query_describe(j->q, sql, j->a, &j->label_col, &j->n_label_col, e) != RC_OK)
		return err_field(e, "%s", j->r->sql.len > 0 ? "sql" : "dataset");
	TRY(choose_columns(j, e));
	TRY(query_define(j->q, STR("cairn_asked"), sql, true, e));
	for (size_t i = 0; i < j->n_view; i++) {
		struct set_view *v = j->view[i];
		str source = features__source_sql(&v->view, &v->source, arena_printf(j->a, "cairn_source_%zu", i), j->a);
		tell_task(j->task, 0.1 + 0.3 * (double)i / (double)j->n_view, "reading feature view " STR_FMT, STR_ARG(v->view.name));
		TRY(query_define(j->q, view_table(j, i), features__unique_sql(&v->view, source, j->a), true, e));
	}
	return RC_OK;
}

static enum rc join(struct joining *j, struct err *e)
{
	struct training_set *s = j->set;
	str label = query_quote_name(j->a, j->r->label);
	int64_t n_asked = 0, n_labels = 0;

	str labels = arena_printf(j->a, "SELECT * FROM cairn_asked l WHERE " STR_FMT " IS NOT NULL AND isfinite(" STR_FMT ")", STR_ARG(label),
				  STR_ARG(j->time));
	TRY(query_define(j->q, STR("cairn_labels"), labels, false, e));
	TRY(one_number(j, STR("SELECT count(*) FROM cairn_asked"), &n_asked, e));
	TRY(one_number(j, STR("SELECT count(*) FROM cairn_labels"), &n_labels, e));
	if (n_labels == 0)
		return FAIL(e, RC_INVALID, "no row with a label and a time among %lld", (long long)n_asked);
	tell_task(j->task, 0.5, "joining %lld labels with %zu views", (long long)n_labels, j->n_view);
	str sql = arena_printf(j->a, "SELECT " STR_FMT STR_FMT " FROM cairn_labels l" STR_FMT " ORDER BY 2, 1", STR_ARG(j->select),
			       STR_ARG(j->evidence), STR_ARG(j->joins));
	TRY(query_define(j->q, STR("cairn_set"), sql, true, e));
	TRY(one_number(j, STR("SELECT count(*) FROM cairn_set"), &s->n_rows, e));
	if (s->n_rows != n_labels)
		return FAIL(e, RC_INTERNAL, "%lld labels became %lld rows", (long long)n_labels, (long long)s->n_rows);
	s->n_left_out = n_asked - n_labels;
	s->n_train = s->n_rows;
	if (j->r->split_ms != 0)
		TRY(one_number(j, arena_printf(j->a, "SELECT count(*) FROM cairn_set l WHERE epoch_us(" STR_FMT ") < %lld", STR_ARG(j->time),
					       (long long)j->r->split_ms * 1000), &s->n_train, e));
	s->n_valid = s->n_rows - s->n_train;
	if (j->r->split_ms != 0 && (s->n_train == 0 || s->n_valid == 0)) {
		(void)FAIL(e, RC_INVALID, "the split leaves %lld rows to train and %lld to validate", (long long)s->n_train, (long long)s->n_valid);
		return err_field(e, "split");
	}
	return RC_OK;
}

enum rc features__digest(struct query *q, str table, struct arena *a, str *out, struct err *e)
{
	str row = STR("''"), shape = STR("cairn training set 1");
	char hex[SHA256_HEX + 1];
	struct result r;
	struct col *col;
	size_t n;

	TRY(query_describe(q, arena_printf(a, "SELECT * FROM " STR_FMT, STR_ARG(table)), a, &col, &n, e));
	for (size_t i = 0; i < n; i++) {
		str name = query_quote_name(a, col[i].name);
		bool text = col[i].type == COL_TEXT || col[i].type == COL_OTHER;
		shape = arena_printf(a, STR_FMT "\n" STR_FMT " " STR_FMT, STR_ARG(shape), STR_ARG(name), STR_ARG(col[i].sql_type));
		/* Texts may hold anything, so their length stands before them; other values have no comma, and NULL is nothing. */
		row = text ? arena_printf(a, STR_FMT ", length(CAST(" STR_FMT " AS VARCHAR)), ':', CAST(" STR_FMT " AS VARCHAR), ','", STR_ARG(row),
					  STR_ARG(name), STR_ARG(name))
			   : arena_printf(a, STR_FMT ", " STR_FMT ", ','", STR_ARG(row), STR_ARG(name));
	}
	/* A sum does not know the order of what was added; two halves of 64 bits cannot pass 128. */
	TRY(query_run(q, arena_printf(a, "SELECT CAST(count(*) AS VARCHAR), CAST(sum(CAST(md5_number_lower(r) AS HUGEINT)) AS VARCHAR),"
				      " CAST(sum(CAST(md5_number_upper(r) AS HUGEINT)) AS VARCHAR) FROM (SELECT concat(" STR_FMT ") AS r FROM " STR_FMT ")",
				      STR_ARG(row), STR_ARG(table)), 1, a, &r, e));
	for (size_t i = 0; i < 3; i++)
		shape = arena_printf(a, STR_FMT "\n" STR_FMT, STR_ARG(shape), STR_ARG(r.col[i].null[0] ? STR("") : r.col[i].s[0]));
	sha256_hex(shape, hex);
	*out = arena_dup(a, str_of(hex));
	return RC_OK;
}

static enum rc write_set(struct joining *j, struct err *e)
{
	str path = arena_printf(j->a, "%s/set.parquet", query_scratch(j->q));
	char *id = arena_alloc_raw(j->a, BLOB_ID_LEN + 1);
	uint64_t size;

	tell_task(j->task, 0.8, "writing %lld rows", (long long)j->set->n_rows);
	TRY(features__digest(j->q, STR("cairn_set"), j->a, &j->set->digest, e));
	TRY(query_to_parquet(j->q, STR("SELECT * FROM cairn_set"), path, NULL, e));
	TRY(blob_adopt(j->f->core->blobs, path.at, id, &size, e));
	j->set->blob = str_of(id);
	return RC_OK;
}

static enum rc join_in_session(struct joining *j, struct err *e)
{
	str sql;

	TRY(bind_labels(j, &sql, e));
	TRY(bind_views(j, e));
	TRY(query_sandbox(j->q, e));
	TRY(define_inputs(j, sql, e));
	if (was_cancelled(j->task))
		return FAIL(e, RC_CANCELLED, "the training set was cancelled");
	TRY(join(j, e));
	return write_set(j, e);
}

static enum rc store_set(struct joining *j, const struct principal *who, struct err *e)
{
	struct training_set *s = j->set;
	struct pair *view = ARENA_ARRAY(j->a, struct pair, j->n_view);
	str *name = ARENA_ARRAY(j->a, str, j->n_view), *column = ARENA_ARRAY(j->a, str, j->inputs.n);

	for (size_t i = 0; i < j->n_view; i++) {
		name[i] = j->view[i]->view.name;
		view[i] = (struct pair){ .key = name[i], .value = j->view[i]->source.id };
	}
	for (size_t i = 0; i < j->inputs.n; i++)
		column[i] = j->inputs.at[i].name;
	s->id = id_new(j->a, "ts");
	s->name = j->r->name;
	s->label = j->r->label;
	s->time_column = j->r->time_column;
	s->columns = (struct list){ column, j->inputs.n };
	s->inputs = LIST_OF(j->inputs);
	s->views = (struct list){ name, j->n_view };
	s->sources = LIST_OF(j->sources);
	s->split_ms = j->r->split_ms;
	s->created_ms = clock_ms();
	s->request = record_to_json(&training_request_record, j->r, 0, j->a);
	return features__training_set_put(j->f, s, view, j->n_view, who, j->a, e);
}

enum rc features__training_set(struct features *f, const struct training_request *r, const struct principal *who, struct task *t,
			       struct arena *a, struct training_set *out, struct err *e)
{
	struct joining *j = ARENA_NEW(a, struct joining);
	uint64_t began = clock_ns();

	OBJ_CHECK(f, FEATURES_MAGIC);
	*j = (struct joining){ .f = f, .task = t, .a = a, .r = r, .set = out };
	map_init(&j->names, a);
	TRY(ask_features(j, e));
	TRY(query_open(f->core->query, &j->q, e));
	features__watch(t, j->q);
	enum rc rc = join_in_session(j, e);
	features__watch(t, NULL);
	query_close(&j->q);
	TRY(rc);
	TRY(store_set(j, who, e));
	LOG(INFO, "features.training_set", KV_STR("id", out->id), KV_I64("rows", out->n_rows), KV_I64("ms", (clock_ns() - began) / 1000000));
	tell_task(t, 1, "%lld rows, %zu columns", (long long)out->n_rows, out->columns.n);
	return RC_OK;
}
