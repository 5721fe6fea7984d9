/* versions.c -- model versions. Making one resolves where its files are, pins them by digest, and links it to its run; number,
 * row, files, lineage and audit are one transaction. */
#include <string.h>

#include "base/clock.h"
#include "core/event.h"
#include "io/blob.h"
#include "modules/registry/store.h"

#define SPEC_MAX (1u << 20)

struct change {
	struct arena *a;
	str name, description, stage, run_name;
	int64_t version;
	bool archive, make_model;
	struct version_row *row;
	struct list files;
	const struct reference *ref;
	const struct principal *who;
};

static str node_id(struct arena *a, const struct model_version *v)
{
	return arena_printf(a, STR_FMT "@%lld", STR_ARG(v->name), (long long)v->version);
}

static enum rc audit(struct tx *tx, const struct change *c, const char *action, struct err *e)
{
	return event_audit(tx, c->who, action, arena_printf(c->a, "model_version:" STR_FMT, STR_ARG(node_id(c->a, &c->row->v))), STR_NONE, e);
}

/* --- making ---------------------------------------------------------------------------------------------- */

static enum rc put_lineage(struct tx *tx, const struct change *c, struct err *e)
{
	const struct model_version *v = &c->row->v;
	str id = node_id(c->a, v), label = arena_printf(c->a, STR_FMT " version %lld", STR_ARG(v->name), (long long)v->version);

	TRY(lineage_node_put(tx, LIN_MODEL, id, label, STR_NONE, e));
	if (v->run_id.len == 0)
		return RC_OK;
	TRY(lineage_node_put(tx, LIN_RUN, v->run_id, c->run_name, STR_NONE, e));
	return lineage_link(tx, LIN_RUN, v->run_id, LIN_MODEL, id, "register", e);
}

static enum rc create_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	struct model_version *v = &c->row->v;
	const struct registered_model model = { .name = v->name, .created_ms = v->created_ms, .updated_ms = v->created_ms };
	bool exists;

	TRY(store_model_exists(tx, v->name, &exists, e));
	if (!exists && c->make_model)
		TRY(store_model_add(tx, &model, e));
	TRY(store_model_touch(tx, v->name, v->created_ms, e));
	TRY(store_version_add(tx, c->row, e));
	TRY(store_version_files_add(tx, v, &c->files, e));
	TRY(put_lineage(tx, c, e));
	return audit(tx, c, "model_version.create", e);
}

/* Where the files are, and which: those in cairn's own store are pinned; others are the client's business. */
static enum rc locate(struct registry *r, struct change *c, struct err *e)
{
	struct version_row *row = c->row, other;
	str source = row->v.source;
	struct reference ref;
	struct err why = ERR_INIT;

	row->location = source;
	if (str_starts(source, STR("models:/")) && !str_starts(source, STR("models:/m-"))) {
		TRY(rule_reference(source, &ref, e));
		TRY(registry_resolve(r, c->a, source, &other.v, e));
		TRY(version_get(r, c->a, other.v.name, other.v.version, &other, e));
		row->location = other.location;
		row->v.run_id = row->v.run_id.len > 0 ? row->v.run_id : other.v.run_id;
	} else {
		str run_id = row->v.run_id;
		TRY(tracking_uri_resolve(r->tracking, c->a, source, &row->location, &run_id, e));
		if (row->v.run_id.len == 0)
			row->v.run_id = run_id;
	}
	if (str_starts(row->location, STR("mlflow-artifacts:")))
		TRY(tracking_artifacts_of_uri(r->tracking, c->a, row->location, &c->files, e));
	/* Runs of other servers are named too; only the label is missing then. */
	if (row->v.run_id.len > 0 && tracking_run_name(r->tracking, c->a, row->v.run_id, &c->run_name, &why) != RC_OK)
		c->run_name = STR("");
	return RC_OK;
}

enum rc version_create(struct registry *r, struct arena *a, const struct version_create *v, const struct principal *who,
		       struct version_row *out, struct err *e)
{
	struct change c = { .a = a, .row = out, .make_model = v->make_model, .who = who };
	int64_t now = clock_ms();

	OBJ_CHECK(r, REGISTRY_MAGIC);
	TRY(rule_model_name("name", v->name, e));
	if (v->source.len == 0)
		return mlflow_missing("source", e);
	for (size_t i = 0; i < v->tags.n; i++)
		TRY(rule_registry_tag(LIST_AT(v->tags, const struct pair, i), e));
	bool prompt = has_prompt_tag(&v->tags);
	TRY(rule_source(a, v->source, prompt, e));
	*out = (struct version_row){
		.v = { .name = v->name, .run_id = v->run_id, .source = v->source, .description = v->description, .tags = v->tags,
		       .stage = STR("None"), .created_ms = now, .updated_ms = now },
		.status = STR("READY"), .run_link = v->run_link, .model_id = v->model_id, .location = v->source,
	};
	if (!prompt)
		TRY(locate(r, &c, e));
	return db_write(r->db, create_tx, &c, e);
}

enum rc registry_version_create(struct registry *r, struct arena *a, const struct version_new *v, struct model_version *out, struct err *e)
{
	struct pair *tags = ARENA_ARRAY(a, struct pair, v->n_tag + 1);
	struct version_create make = { .name = v->name, .source = v->source, .run_id = v->run_id, .description = v->description,
				       .make_model = true };
	struct version_row row;

	for (size_t i = 0; i < v->n_tag; i++)
		tags[i] = v->tag[i];
	make.tags = (struct list){ tags, v->n_tag };
	TRY(version_create(r, a, &make, v->who != NULL ? v->who : &principal_system, &row, e));
	*out = row.v;
	return RC_OK;
}

/* --- reading ----------------------------------------------------------------------------------------------- */

static enum rc get_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	return store_version_get(tx, c->a, c->name, c->version, c->row, e);
}

enum rc version_get(struct registry *r, struct arena *a, str name, int64_t version, struct version_row *out, struct err *e)
{
	struct change c = { .a = a, .name = name, .version = version, .row = out };

	return db_read(r->db, get_tx, &c, e);
}

static enum rc resolve_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	const struct reference *ref = c->ref;
	int64_t version = ref->version;
	struct list found = { 0 };

	switch (ref->kind) {
	case REF_VERSION:
		break;
	case REF_NEWEST:
		TRY(store_newest(tx, ref->name, &version, e));
		break;
	case REF_ALIAS:
		if (str_eq_nocase(ref->word, STR("latest")))
			TRY(store_newest(tx, ref->name, &version, e));
		else
			TRY(store_alias_find(tx, ref->name, ref->word, &version, e));
		if (version == 0 && !str_to_i64(ref->word, &version))
			return FAIL(e, RC_NOT_FOUND, "model '" STR_FMT "' has no alias '" STR_FMT "'", STR_ARG(ref->name), STR_ARG(ref->word));
		break;
	case REF_STAGE:
		TRY(store_latest(tx, c->a, ref->name, &(struct list){ &c->stage, 1 }, &found, e));
		version = found.n > 0 ? LIST_AT(found, struct version_row, 0)->v.version : 0;
		break;
	}
	if (version == 0)
		return FAIL(e, RC_NOT_FOUND, "model '" STR_FMT "' has no version%s" STR_FMT, STR_ARG(ref->name), ref->word.len > 0 ? " in stage " : "",
			    STR_ARG(ref->word));
	return store_version_get(tx, c->a, ref->name, version, c->row, e);
}

enum rc registry_resolve(struct registry *r, struct arena *a, str ref, struct model_version *out, struct err *e)
{
	struct version_row row;
	struct reference parsed;
	struct change c = { .a = a, .row = &row, .ref = &parsed };

	OBJ_CHECK(r, REGISTRY_MAGIC);
	TRY(rule_reference(ref, &parsed, e));
	c.stage = parsed.word;
	TRY(db_read(r->db, resolve_tx, &c, e));
	*out = row.v;
	return RC_OK;
}

static enum rc files_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_version_get(tx, c->a, c->name, c->version, c->row, e));
	return store_version_files(tx, c->a, c->name, c->version, &c->files, e);
}

enum rc registry_files(struct registry *r, struct arena *a, const struct model_version *v, struct list *out, struct err *e)
{
	struct version_row row;
	struct change c = { .a = a, .name = v->name, .version = v->version, .row = &row };

	OBJ_CHECK(r, REGISTRY_MAGIC);
	TRY(db_read(r->db, files_tx, &c, e));
	*out = c.files;
	/* Registered before its files were uploaded: what is there now. */
	return c.files.n > 0 ? RC_OK : tracking_artifacts_of_uri(r->tracking, a, row.location, out, e);
}

/* The descriptor stands next to MLmodel: at the version's root, or one folder down when the source is the run's root. */
enum rc registry_spec(struct registry *r, struct arena *a, const struct model_version *v, struct model_spec *out, struct err *e)
{
	struct list files;
	str json;

	TRY(registry_files(r, a, v, &files, e));
	for (size_t i = 0; i < files.n; i++) {
		const struct artifact *f = LIST_AT(files, const struct artifact, i);
		if (!str_eq(f->path, STR("cairn.json")) && !str_eq(f->path, STR("model/cairn.json")))
			continue;
		TRY(blob_get(r->blobs, f->blob, SPEC_MAX, a, &json, e));
		if (record_from_json(&model_spec_record, json, a, 0, out, e) != RC_OK)
			return err_wrap(e, "cairn.json of " STR_FMT " version %lld", STR_ARG(v->name), (long long)v->version);
		return RC_OK;
	}
	return FAIL(e, RC_NOT_FOUND, STR_FMT " version %lld has no cairn.json", STR_ARG(v->name), (long long)v->version);
}

/* --- changing ---------------------------------------------------------------------------------------------- */

static enum rc describe_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_version_get(tx, c->a, c->name, c->version, c->row, e));
	TRY(store_version_describe(tx, c->name, c->version, c->description, clock_ms(), e));
	TRY(audit(tx, c, "model_version.describe", e));
	return store_version_get(tx, c->a, c->name, c->version, c->row, e);
}

enum rc version_describe(struct registry *r, struct arena *a, str name, int64_t version, str description, const struct principal *who,
			 struct version_row *out, struct err *e)
{
	struct change c = { .a = a, .name = name, .version = version, .description = description, .row = out, .who = who };

	return db_write(r->db, describe_tx, &c, e);
}

static enum rc delete_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;

	TRY(store_version_get(tx, c->a, c->name, c->version, c->row, e));
	TRY(store_version_delete(tx, c->name, c->version, clock_ms(), e));
	TRY(store_model_touch(tx, c->name, clock_ms(), e));
	return audit(tx, c, "model_version.delete", e);
}

enum rc version_delete(struct registry *r, struct arena *a, str name, int64_t version, const struct principal *who, struct err *e)
{
	struct version_row row;
	struct change c = { .a = a, .name = name, .version = version, .row = &row, .who = who };

	return db_write(r->db, delete_tx, &c, e);
}

static enum rc stage_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct change *c = ctx;
	int64_t now = clock_ms();

	TRY(store_version_get(tx, c->a, c->name, c->version, c->row, e));
	if (c->archive)
		TRY(store_stage_archive(tx, c->name, c->version, c->stage, now, e));
	TRY(store_version_stage(tx, c->name, c->version, c->stage, now, e));
	TRY(store_model_touch(tx, c->name, now, e));
	TRY(audit(tx, c, "model_version.stage", e));
	return store_version_get(tx, c->a, c->name, c->version, c->row, e);
}

enum rc version_stage(struct registry *r, struct arena *a, const struct stage_change *w, const struct principal *who,
		      struct version_row *out, struct err *e)
{
	struct change c = { .a = a, .name = w->name, .version = w->version, .archive = w->archive_existing, .row = out, .who = who };

	TRY(rule_stage(w->stage, &c.stage, e));
	if (w->archive_existing && !str_eq(c.stage, STR("Staging")) && !str_eq(c.stage, STR("Production")))
		return FAIL(e, RC_INVALID, "Model version transition cannot archive existing model versions because '" STR_FMT
			    "' is not an Active stage. Valid stages are ['Staging', 'Production']", STR_ARG(c.stage));
	return db_write(r->db, stage_tx, &c, e);
}
