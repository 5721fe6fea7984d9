/* define.c -- definitions of feature views: checked against the columns of their dataset, and applied all or none. */
#include "modules/features/features_int.h"

#include <string.h>

#include "base/clock.h"

/* --- types ------------------------------------------------------------------------------------------------------ */

static const struct { const char *sql; enum value_kind kind; } sql_kinds[] = {
	{ "TINYINT", VALUE_INT }, { "SMALLINT", VALUE_INT }, { "INTEGER", VALUE_INT }, { "BIGINT", VALUE_INT },
	{ "UTINYINT", VALUE_INT }, { "USMALLINT", VALUE_INT }, { "UINTEGER", VALUE_INT }, { "UBIGINT", VALUE_FLOAT },
	{ "HUGEINT", VALUE_FLOAT }, { "UHUGEINT", VALUE_FLOAT }, { "FLOAT", VALUE_FLOAT }, { "DOUBLE", VALUE_FLOAT },
	{ "BOOLEAN", VALUE_BOOL }, { "VARCHAR", VALUE_STRING }, { "UUID", VALUE_STRING }, { "DATE", VALUE_TIME },
	{ "TIMESTAMP", VALUE_TIME }, { "TIMESTAMP WITH TIME ZONE", VALUE_TIME },
};

bool features__kind_of_sql(str type, enum value_kind *out)
{
	for (size_t i = 0; i < ARRAY_LEN(sql_kinds); i++) {
		if (str_eq(type, str_of(sql_kinds[i].sql))) {
			*out = sql_kinds[i].kind;
			return true;
		}
	}
	if (str_starts(type, STR("DECIMAL"))) {
		*out = VALUE_FLOAT;
		return true;
	}
	if (str_starts(type, STR("ENUM("))) {
		*out = VALUE_STRING;
		return true;
	}
	return false;
}

bool features__kind_of_type(str type, enum value_kind *out)
{
	for (int i = 0; value_kind_names[i] != NULL; i++) {
		if (str_eq(type, str_of(value_kind_names[i]))) {
			*out = (enum value_kind)i;
			return true;
		}
	}
	return false;
}

const struct dataset_column *features__column(const struct dataset_version *v, str name)
{
	for (size_t i = 0; i < v->columns.n; i++) {
		const struct dataset_column *c = LIST_AT(v->columns, const struct dataset_column, i);
		if (str_eq(c->name, name))
			return c;
	}
	return NULL;
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

static str column_names(const struct dataset_version *d, struct arena *a)
{
	str all = STR("");

	for (size_t i = 0; i < d->columns.n && all.len < 300; i++)
		all = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(all), i > 0 ? ", " : "",
				   STR_ARG(LIST_AT(d->columns, const struct dataset_column, i)->name));
	return all;
}

static enum rc need_column(const struct dataset_version *d, str name, const char *field, const struct dataset_column **out, struct arena *a,
			   struct err *e)
{
	const struct dataset_column *c = features__column(d, name);

	if (c == NULL) {
		(void)FAIL(e, RC_INVALID, "dataset '" STR_FMT "' has no column '" STR_FMT "'; it has " STR_FMT, STR_ARG(d->id), STR_ARG(name),
			   STR_ARG(column_names(d, a)));
		return err_field(e, "%s", field);
	}
	*out = c;
	return RC_OK;
}

static enum rc need_time(const struct dataset_version *d, str name, const char *field, struct arena *a, struct err *e)
{
	const struct dataset_column *c;
	enum value_kind kind;

	TRY(need_column(d, name, field, &c, a, e));
	if (!features__kind_of_sql(c->type, &kind) || kind != VALUE_TIME) {
		(void)FAIL(e, RC_INVALID, "column '" STR_FMT "' is " STR_FMT ", not a time", STR_ARG(name), STR_ARG(c->type));
		return err_field(e, "%s", field);
	}
	return RC_OK;
}

static enum rc check_keys(const struct feature_view *v, const struct dataset_version *d, struct arena *a, struct err *e)
{
	const struct dataset_column *c;
	enum value_kind kind;

	for (size_t i = 0; i < v->keys.n; i++) {
		str key = *LIST_AT(v->keys, const str, i);
		TRY(need_column(d, key, "keys", &c, a, e));
		if (!features__kind_of_sql(c->type, &kind) || (kind != VALUE_STRING && kind != VALUE_INT)) {
			(void)FAIL(e, RC_INVALID, "key '" STR_FMT "' is " STR_FMT "; a join key is text or a whole number", STR_ARG(key), STR_ARG(c->type));
			return err_field(e, "keys[%zu]", i);
		}
		for (size_t k = 0; k < i; k++) {
			if (str_eq(*LIST_AT(v->keys, const str, k), key)) {
				(void)FAIL(e, RC_INVALID, "key '" STR_FMT "' is given twice", STR_ARG(key));
				return err_field(e, "keys[%zu]", i);
			}
		}
	}
	return RC_OK;
}

/* Ints may be read as floats; nothing else changes its kind. */
static enum rc check_feature(struct feature_view *v, size_t i, const struct dataset_version *d, struct arena *a, struct err *e)
{
	struct feature *f = LIST_AT(v->features, struct feature, i);
	const struct dataset_column *c;
	enum value_kind is, wanted;

	TRY(need_column(d, f->name, "features", &c, a, e));
	if (!features__kind_of_sql(c->type, &is))
		return FAIL(e, RC_INVALID, "feature '" STR_FMT "' is " STR_FMT ", which cannot be a feature", STR_ARG(f->name), STR_ARG(c->type));
	if (f->type.len == 0)
		f->type = str_of(value_kind_names[is]);
	if (!features__kind_of_type(f->type, &wanted))
		return FAIL(e, RC_INVALID, "feature '" STR_FMT "': no type '" STR_FMT "'; types are float, int, bool, time, string",
			    STR_ARG(f->name), STR_ARG(f->type));
	if (wanted != is && !(wanted == VALUE_FLOAT && is == VALUE_INT))
		return FAIL(e, RC_INVALID, "feature '" STR_FMT "' is " STR_FMT " in the dataset, not " STR_FMT, STR_ARG(f->name),
			    STR_ARG(c->type), STR_ARG(f->type));
	for (size_t k = 0; k < i; k++) {
		if (str_eq(LIST_AT(v->features, struct feature, k)->name, f->name))
			return FAIL(e, RC_INVALID, "feature '" STR_FMT "' is given twice", STR_ARG(f->name));
	}
	for (size_t k = 0; k < v->keys.n; k++) {
		if (str_eq(*LIST_AT(v->keys, str, k), f->name))
			return FAIL(e, RC_INVALID, "'" STR_FMT "' is a join key and cannot be a feature too", STR_ARG(f->name));
	}
	return RC_OK;
}

static enum rc check_view(struct feature_view *v, const struct dataset_version *d, struct arena *a, struct err *e)
{
	TRY(check_keys(v, d, a, e));
	TRY(need_time(d, v->time_column, "time_column", a, e));
	if (v->created_column.len > 0)
		TRY(need_time(d, v->created_column, "created_column", a, e));
	for (size_t i = 0; i < v->features.n; i++) {
		if (check_feature(v, i, d, a, e) != RC_OK)
			return err_field(e, "features[%zu]", i);
	}
	if (v->entity.len == 0)
		v->entity = *LIST_AT(v->keys, str, 0);
	return RC_OK;
}

enum rc features__fits(const struct feature_view *v, const struct dataset_version *d, struct err *e)
{
	struct feature_view copy = *v;
	struct arena a;

	arena_init(&a);
	enum rc rc = check_view(&copy, d, &a, e);
	arena_deinit(&a);
	if (rc != RC_OK) {
		e->rc = RC_CONFLICT;
		return err_wrap(e, "feature view '" STR_FMT "' does not fit its dataset any more", STR_ARG(v->name));
	}
	return RC_OK;
}

/* --- applying -------------------------------------------------------------------------------------------------------- */

struct apply {
	struct features *f;
	const struct principal *who;
	struct arena *a;
	struct feature_view *view;      /* as stored at the end */
	struct view_change *change;
	size_t n;
};

/* What a definition says, without what cairn adds. */
static str definition_text(const struct feature_view *v, struct arena *a)
{
	struct feature_view bare = *v;

	bare.revision = bare.created_ms = bare.updated_ms = bare.materialised_as_of_ms = bare.materialised_at_ms = bare.n_keys = 0;
	bare.materialised_id = STR_NONE;
	return record_to_json(&feature_view_record, &bare, 0, a);
}

static bool same_keys(const struct feature_view *x, const struct feature_view *y)
{
	bool same = x->keys.n == y->keys.n && str_eq(x->dataset, y->dataset);

	for (size_t i = 0; same && i < x->keys.n; i++)
		same = str_eq(*LIST_AT(x->keys, str, i), *LIST_AT(y->keys, str, i));
	return same;
}

static enum rc apply_one(struct tx *tx, struct apply *c, size_t i, struct err *e)
{
	struct feature_view *v = &c->view[i], old = { 0 };
	int64_t now = clock_ms();
	bool found = false;

	TRY(features__view_find(tx, c->a, v->name, &old, &found, e));
	v->revision = old.revision + 1;
	v->created_ms = found ? old.created_ms : now;
	v->updated_ms = now;
	/* Rows by other keys or from another dataset answer nothing any more. */
	if (found && same_keys(v, &old)) {
		v->materialised_id = old.materialised_id;
		v->materialised_as_of_ms = old.materialised_as_of_ms;
		v->materialised_at_ms = old.materialised_at_ms;
		v->n_keys = old.n_keys;
	}
	const char *change = found ? "changed" : "created";
	if (found && str_eq(definition_text(v, c->a), definition_text(&old, c->a))) {
		*v = old;
		change = "unchanged";
	} else {
		TRY(features__view_put(tx, v, found ? "feature_view.change" : "feature_view.create", c->who, c->a, e));
		if (v->materialised_id.len == 0 && old.materialised_id.len > 0)
			TRY(features__materialisations_retire(tx, v->name, e));
	}
	c->change[i] = (struct view_change){ .name = v->name, .change = str_of(change), .revision = v->revision };
	return RC_OK;
}

static enum rc apply_all(struct tx *tx, void *ctx, struct err *e)
{
	struct apply *c = ctx;

	for (size_t i = 0; i < c->n; i++)
		TRY(apply_one(tx, c, i, e));
	return RC_OK;
}

/* The document's views as one list; a view given by itself is a list of one. */
static enum rc views_of(const struct view_document *d, struct arena *a, struct list *out, struct err *e)
{
	static const char *const needed[] = { "name", "keys", "dataset", "time_column", "features" };

	if (d->has == 0)
		return FAIL(e, RC_INVALID, "no feature view: give one, or several below 'views'");
	if (d->has & 1) {        /* views is its first field */
		if (d->has != 1)
			return FAIL(e, RC_INVALID, "give either 'views' or the fields of one view, not both");
		*out = d->views;
		return out->n > 0 ? RC_OK : FAIL(e, RC_INVALID, "'views' is empty");
	}
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (!(d->has >> record_field_index(&view_document_record, str_of(needed[i])) & 1)) {
			(void)FAIL(e, RC_INVALID, "%s is required", needed[i]);
			return err_field(e, "%s", needed[i]);
		}
	}
	struct feature_view *one = ARENA_NEW(a, struct feature_view);
	*one = d->one;
	*out = (struct list){ one, 1 };
	return RC_OK;
}

static enum rc check_all(struct features *f, struct list views, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < views.n; i++) {
		struct feature_view *v = LIST_AT(views, struct feature_view, i);
		struct dataset_version d;
		for (size_t k = 0; k < i; k++) {
			if (str_eq(LIST_AT(views, struct feature_view, k)->name, v->name))
				return FAIL(e, RC_INVALID, "view '" STR_FMT "' is given twice", STR_ARG(v->name));
		}
		enum rc rc = lake_version(f->lake, a, v->dataset, 0, &d, e);
		if (rc == RC_OK)
			rc = check_view(v, &d, a, e);
		if (rc != RC_OK)
			return err_wrap(e, "feature view '" STR_FMT "'", STR_ARG(v->name));
	}
	return RC_OK;
}

static enum rc publish_all(struct features *f, const struct apply *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		TRY(features__publish_stored(f, &c->view[i], c->a, e));
	return RC_OK;
}

enum rc features__apply(struct features *f, const struct view_document *d, const struct principal *who, struct arena *a,
			struct view_changes *out, struct err *e)
{
	struct list views = { 0 };

	OBJ_CHECK(f, FEATURES_MAGIC);
	TRY(views_of(d, a, &views, e));
	TRY(check_all(f, views, a, e));
	struct apply c = { .f = f, .who = who, .a = a, .view = views.at, .n = views.n,
			   .change = ARENA_ARRAY(a, struct view_change, views.n) };
	TRY(db_write(f->core->db, apply_all, &c, e));
	TRY(publish_all(f, &c, e));
	out->views = (struct list){ c.change, c.n };
	return RC_OK;
}
