/* models.c -- registered models, their tags and aliases: one transaction a verb, with its line in the audit log. */
#include "base/clock.h"
#include "core/event.h"
#include "modules/registry/store.h"

struct change {
	struct arena *a;
	str name, new_name, description, alias;
	int64_t version;
	const struct pair *tag;
	struct registered_model *model;
	struct version_row *row;
	const struct principal *who;
};

static enum rc audit(struct tx *tx, const struct change *c, const char *action, str detail, struct err *e)
{
	return event_audit(tx, c->who, action, arena_printf(c->a, "model:" STR_FMT, STR_ARG(c->name)), detail, e);
}

/* --- models -------------------------------------------------------------------------------------------- */

static enum rc create_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_model_add(tx, c->model, e));
	return audit(tx, c, "model.create", STR_NONE, e);
}

enum rc model_create(struct registry *r, struct arena *a, const struct model_create *m, const struct principal *who,
		     struct registered_model *out, struct err *e)
{
	struct change c = { .a = a, .name = m->name, .model = out, .who = who };
	int64_t now = clock_ms();

	OBJ_CHECK(r, REGISTRY_MAGIC);
	TRY(rule_model_name("name", m->name, e));
	for (size_t i = 0; i < m->tags.n; i++)
		TRY(rule_registry_tag(LIST_AT(m->tags, const struct pair, i), e));
	*out = (struct registered_model){ .name = m->name, .description = m->description, .created_ms = now, .updated_ms = now, .tags = m->tags };
	return db_write(r->db, create_tx, &c, e);
}

static enum rc get_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	return store_model_get(tx, c->a, c->name, c->model, e);
}

enum rc model_get(struct registry *r, struct arena *a, str name, struct registered_model *out, struct err *e)
{
	struct change c = { .a = a, .name = name, .model = out };

	return db_read(r->db, get_tx, &c, e);
}

/* The line goes on under the new name. */
static enum rc rename_lineage(struct tx *tx, const struct change *c, struct err *e)
{
	struct rows rows;

	TRY(store_version_numbers(tx, c->a, c->new_name, &rows, e));
	for (size_t i = 0; i < rows.n; i++) {
		long long number = rows_at(&rows, i, 0)->i;
		str old = arena_printf(c->a, STR_FMT "@%lld", STR_ARG(c->name), number);
		str now = arena_printf(c->a, STR_FMT "@%lld", STR_ARG(c->new_name), number);
		str label = arena_printf(c->a, STR_FMT " version %lld", STR_ARG(c->new_name), number);
		TRY(lineage_node_put(tx, LIN_MODEL, now, label, STR_NONE, e));
		TRY(lineage_link(tx, LIN_MODEL, old, LIN_MODEL, now, "rename", e));
	}
	return RC_OK;
}

static enum rc rename_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_model_rename(tx, c->name, c->new_name, clock_ms(), e));
	if (!str_eq(c->name, c->new_name))
		TRY(rename_lineage(tx, c, e));
	TRY(audit(tx, c, "model.rename", STR_NONE, e));
	return store_model_get(tx, c->a, c->new_name, c->model, e);
}

enum rc model_rename(struct registry *r, struct arena *a, str name, str new_name, const struct principal *who, struct registered_model *out,
		     struct err *e)
{
	struct change c = { .a = a, .name = name, .new_name = new_name, .model = out, .who = who };

	TRY(rule_model_name("new_name", new_name, e));
	return db_write(r->db, rename_tx, &c, e);
}

static enum rc describe_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_model_describe(tx, c->name, c->description, clock_ms(), e));
	TRY(audit(tx, c, "model.describe", STR_NONE, e));
	return store_model_get(tx, c->a, c->name, c->model, e);
}

enum rc model_describe(struct registry *r, struct arena *a, str name, str description, const struct principal *who,
		       struct registered_model *out, struct err *e)
{
	struct change c = { .a = a, .name = name, .description = description, .model = out, .who = who };

	return db_write(r->db, describe_tx, &c, e);
}

static enum rc delete_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_model_delete(tx, c->name, e));
	return audit(tx, c, "model.delete", STR_NONE, e);
}

enum rc model_delete(struct registry *r, struct arena *a, str name, const struct principal *who, struct err *e)
{
	struct change c = { .a = a, .name = name, .who = who };

	return db_write(r->db, delete_tx, &c, e);
}

/* --- tags -------------------------------------------------------------------------------------------------- */

static enum rc tag_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	bool gone = c->tag->value.at == NULL;
	struct version_row v;

	if (c->version == 0) {
		TRY(store_model_touch(tx, c->name, clock_ms(), e));
		return gone ? store_model_tag_delete(tx, c->name, c->tag->key, e) : store_model_tag_set(tx, c->name, c->tag, e);
	}
	TRY(store_version_get(tx, c->a, c->name, c->version, &v, e));
	return gone ? store_version_tag_delete(tx, c->name, c->version, c->tag->key, e) : store_version_tag_set(tx, c->name, c->version, c->tag, e);
}

enum rc model_tag(struct registry *r, struct arena *a, str name, int64_t version, const struct pair *tag, struct err *e)
{
	struct change c = { .a = a, .name = name, .version = version, .tag = tag };

	TRY(rule_model_name("name", name, e));
	if (tag->value.at != NULL)
		TRY(rule_registry_tag(tag, e));
	return db_write(r->db, tag_tx, &c, e);
}

/* --- aliases ------------------------------------------------------------------------------------------------ */

static enum rc alias_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct version_row v;

	TRY(store_model_touch(tx, c->name, clock_ms(), e));
	if (c->version == 0) {
		TRY(store_alias_delete(tx, c->name, c->alias, e));
		return audit(tx, c, "model.alias_delete", STR_NONE, e);
	}
	TRY(store_version_get(tx, c->a, c->name, c->version, &v, e));
	TRY(store_alias_set(tx, c->name, c->alias, c->version, e));
	const struct model_alias now = { c->alias, c->version };
	return audit(tx, c, "model.alias_set", record_to_json(&model_alias_record, &now, 0, c->a), e);
}

enum rc alias_change(struct registry *r, struct arena *a, str name, str alias, int64_t version_or_0, const struct principal *who,
		     struct err *e)
{
	struct change c = { .a = a, .name = name, .alias = alias, .version = version_or_0, .who = who };

	TRY(rule_model_name("name", name, e));
	TRY(version_or_0 != 0 ? rule_alias_new(alias, e) : rule_alias(alias, e));
	return db_write(r->db, alias_tx, &c, e);
}

static enum rc alias_get_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	int64_t version = 0;
	bool exists;

	TRY(store_model_exists(tx, c->name, &exists, e));
	if (!exists)
		return FAIL(e, RC_NOT_FOUND, "Registered Model with name=" STR_FMT " not found", STR_ARG(c->name));
	if (str_eq_nocase(c->alias, STR("latest")))
		TRY(store_newest(tx, c->name, &version, e));
	else
		TRY(store_alias_find(tx, c->name, c->alias, &version, e));
	if (version == 0)
		return FAIL(e, RC_INVALID, "Registered model alias " STR_FMT " not found.", STR_ARG(c->alias));
	return store_version_get(tx, c->a, c->name, version, c->row, e);
}

enum rc alias_get(struct registry *r, struct arena *a, str name, str alias, struct version_row *out, struct err *e)
{
	struct change c = { .a = a, .name = name, .alias = alias, .row = out };

	TRY(rule_model_name("name", name, e));
	TRY(rule_alias(alias, e));
	return db_read(r->db, alias_get_tx, &c, e);
}

enum rc registry_alias_set(struct registry *r, str name, str alias, int64_t version, const struct principal *who, struct err *e)
{
	struct arena a;

	OBJ_CHECK(r, REGISTRY_MAGIC);
	CHECK(version > 0);
	arena_init(&a);
	enum rc rc = alias_change(r, &a, name, alias, version, who != NULL ? who : &principal_system, e);
	arena_deinit(&a);
	return rc;
}
