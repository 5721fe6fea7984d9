/* store.c -- models, versions, aliases and tags as rows. */
#include "modules/registry/store.h"

#define SHOWN(s) STR_ARG(mlflow_truncate((s), 100))

/* --- reading ------------------------------------------------------------------------------------------ */

void scan_version(const struct val *r, struct version_row *out)
{
	*out = (struct version_row){
		.v = { .name = r[0].s, .version = r[1].i, .created_ms = r[2].i, .updated_ms = r[3].i, .description = r[4].s, .stage = r[5].s,
		       .source = r[6].s, .run_id = r[8].s },
		.location = r[7].s, .run_link = r[9].s, .model_id = r[10].s, .status = STR("READY"),
	};
}

static enum rc read_pairs(struct tx *tx, struct arena *a, const char *sql, const struct val *v, size_t n, struct list *out, struct err *e)
{
	VEC(struct pair) pairs = { 0 };
	struct rows rows;

	TRY(db_query(tx, a, sql, v, n, &rows, e));
	for (size_t i = 0; i < rows.n; i++)
		*VEC_PUSH(a, &pairs) = (struct pair){ rows_at(&rows, i, 0)->s, rows_at(&rows, i, 1)->s };
	*out = LIST_OF(pairs);
	return RC_OK;
}

enum rc store_version_fill(struct tx *tx, struct arena *a, struct version_row *v, struct err *e)
{
	VEC(str) aliases = { 0 };
	struct rows rows;

	TRY(read_pairs(tx, a, "SELECT key, value FROM model_version_tags WHERE model = ? AND version = ? ORDER BY key",
		       VALS(V_STR(v->v.name), V_I64(v->v.version)), &v->v.tags, e));
	TRY(db_query(tx, a, "SELECT alias FROM model_aliases WHERE model = ? AND version = ? ORDER BY alias",
		     VALS(V_STR(v->v.name), V_I64(v->v.version)), &rows, e));
	for (size_t i = 0; i < rows.n; i++)
		*VEC_PUSH(a, &aliases) = rows_at(&rows, i, 0)->s;
	v->v.aliases = LIST_OF(aliases);
	return RC_OK;
}

enum rc store_latest(struct tx *tx, struct arena *a, str name, const struct list *stages, struct list *out, struct err *e)
{
	VEC(struct version_row) latest = { 0 };
	struct rows rows;
	str last = STR("");

	TRY(db_query(tx, a, "SELECT " VERSION_COLUMNS " FROM model_versions v WHERE v.model = ? AND v.stage <> '" STAGE_DELETED
			    "' ORDER BY v.stage, v.version DESC", VALS(V_STR(name)), &rows, e));
	for (size_t i = 0; i < rows.n; i++) {
		struct version_row v;
		bool wanted = stages->n == 0;
		scan_version(&rows.cell[i * rows.n_col], &v);
		for (size_t k = 0; k < stages->n; k++)
			wanted = wanted || str_eq(*LIST_AT(*stages, const str, k), v.v.stage);
		if (!wanted || str_eq(v.v.stage, last))
			continue;
		last = v.v.stage;
		TRY(store_version_fill(tx, a, &v, e));
		*VEC_PUSH(a, &latest) = v;
	}
	*out = LIST_OF(latest);
	return RC_OK;
}

enum rc store_model_exists(struct tx *tx, str name, bool *out, struct err *e)
{
	struct rows rows;
	struct arena a;

	arena_init(&a);
	enum rc rc = db_query(tx, &a, "SELECT 1 FROM registered_models WHERE name = ?", VALS(V_STR(name)), &rows, e);
	if (rc == RC_OK)
		*out = rows.n > 0;
	arena_deinit(&a);
	return rc;
}

static enum rc model_missing(str name, struct err *e)
{
	return FAIL(e, RC_NOT_FOUND, "Registered Model with name=" STR_FMT " not found", SHOWN(name));
}

enum rc store_model_fill(struct tx *tx, struct arena *a, struct registered_model *m, struct err *e)
{
	VEC(struct model_alias) aliases = { 0 };
	const struct list all = { 0 };
	struct rows rows;

	TRY(read_pairs(tx, a, "SELECT key, value FROM model_tags WHERE model = ? ORDER BY key", VALS(V_STR(m->name)), &m->tags, e));
	TRY(db_query(tx, a, "SELECT alias, version FROM model_aliases WHERE model = ? ORDER BY alias", VALS(V_STR(m->name)), &rows, e));
	for (size_t i = 0; i < rows.n; i++)
		*VEC_PUSH(a, &aliases) = (struct model_alias){ rows_at(&rows, i, 0)->s, rows_at(&rows, i, 1)->i };
	m->aliases = LIST_OF(aliases);
	return store_latest(tx, a, m->name, &all, &m->latest_versions, e);
}

enum rc store_model_get(struct tx *tx, struct arena *a, str name, struct registered_model *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT name, description, created, updated FROM registered_models WHERE name = ?", VALS(V_STR(name)), &rows, e));
	if (rows.n == 0)
		return model_missing(name, e);
	*out = (struct registered_model){ .name = rows_at(&rows, 0, 0)->s, .description = rows_at(&rows, 0, 1)->s,
					  .created_ms = rows_at(&rows, 0, 2)->i, .updated_ms = rows_at(&rows, 0, 3)->i };
	return store_model_fill(tx, a, out, e);
}

enum rc store_version_get(struct tx *tx, struct arena *a, str name, int64_t version, struct version_row *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT " VERSION_COLUMNS " FROM model_versions v WHERE v.model = ? AND v.version = ? AND v.stage <> '" STAGE_DELETED
			    "'", VALS(V_STR(name), V_I64(version)), &rows, e));
	if (rows.n == 0)
		return FAIL(e, RC_NOT_FOUND, "Model Version (name=" STR_FMT ", version=%lld) not found", SHOWN(name), (long long)version);
	scan_version(rows.cell, out);
	return store_version_fill(tx, a, out, e);
}

static enum rc read_number(struct tx *tx, const char *sql, const struct val *v, size_t n, int64_t *out, struct err *e)
{
	struct rows rows;
	struct arena a;

	arena_init(&a);
	enum rc rc = db_query(tx, &a, sql, v, n, &rows, e);
	if (rc == RC_OK)
		*out = rows.n > 0 ? rows_at(&rows, 0, 0)->i : 0;
	arena_deinit(&a);
	return rc;
}

enum rc store_version_numbers(struct tx *tx, struct arena *a, str name, struct rows *out, struct err *e)
{
	return db_query(tx, a, "SELECT version FROM model_versions WHERE model = ?", VALS(V_STR(name)), out, e);
}

enum rc store_newest(struct tx *tx, str name, int64_t *out, struct err *e)
{
	return read_number(tx, "SELECT COALESCE(MAX(version), 0) FROM model_versions WHERE model = ? AND stage <> '" STAGE_DELETED "'",
			   VALS(V_STR(name)), out, e);
}

enum rc store_alias_find(struct tx *tx, str name, str alias, int64_t *version_out, struct err *e)
{
	return read_number(tx, "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", VALS(V_STR(name), V_STR(alias)), version_out, e);
}

/* --- models --------------------------------------------------------------------------------------------- */

enum rc store_model_add(struct tx *tx, const struct registered_model *m, struct err *e)
{
	bool exists;

	TRY(store_model_exists(tx, m->name, &exists, e));
	if (exists)
		return FAIL(e, RC_CONFLICT, "Registered Model (name=" STR_FMT ") already exists.", SHOWN(m->name));
	TRY(db_exec(tx, "INSERT INTO registered_models (name, description, created, updated) VALUES (?, ?, ?, ?)",
		    VALS(V_STR(m->name), V_STR(m->description), V_I64(m->created_ms), V_I64(m->updated_ms)), NULL, e));
	for (size_t i = 0; i < m->tags.n; i++)
		TRY(store_model_tag_set(tx, m->name, LIST_AT(m->tags, const struct pair, i), e));
	return RC_OK;
}

static enum rc changed_model(struct tx *tx, const char *sql, const struct val *v, size_t n, str name, struct err *e)
{
	int64_t changed = 0;

	TRY(db_exec(tx, sql, v, n, &changed, e));
	return changed > 0 ? RC_OK : model_missing(name, e);
}

enum rc store_model_describe(struct tx *tx, str name, str description, int64_t now, struct err *e)
{
	return changed_model(tx, "UPDATE registered_models SET description = ?, updated = ? WHERE name = ?",
			     VALS(V_STR(description), V_I64(now), V_STR(name)), name, e);
}

enum rc store_model_touch(struct tx *tx, str name, int64_t now, struct err *e)
{
	return changed_model(tx, "UPDATE registered_models SET updated = ? WHERE name = ?", VALS(V_I64(now), V_STR(name)), name, e);
}

enum rc store_model_rename(struct tx *tx, str name, str new_name, int64_t now, struct err *e)
{
	static const char *const texts[] = {
		"UPDATE model_tags SET model = ? WHERE model = ?",          "UPDATE model_aliases SET model = ? WHERE model = ?",
		"UPDATE model_version_tags SET model = ? WHERE model = ?",  "UPDATE model_version_files SET model = ? WHERE model = ?",
	};
	bool exists;

	TRY(store_model_exists(tx, new_name, &exists, e));
	if (exists && !str_eq(name, new_name))
		return FAIL(e, RC_CONFLICT, "Registered Model (name=" STR_FMT ") already exists.", SHOWN(new_name));
	TRY(changed_model(tx, "UPDATE registered_models SET name = ?, updated = ? WHERE name = ?",
			  VALS(V_STR(new_name), V_I64(now), V_STR(name)), name, e));
	TRY(db_exec(tx, "UPDATE model_versions SET model = ?, updated = ? WHERE model = ?", VALS(V_STR(new_name), V_I64(now), V_STR(name)), NULL, e));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		TRY(db_exec(tx, texts[i], VALS(V_STR(new_name), V_STR(name)), NULL, e));
	return RC_OK;
}

enum rc store_model_delete(struct tx *tx, str name, struct err *e)
{
	static const char *const texts[] = {
		"DELETE FROM model_tags WHERE model = ?",         "DELETE FROM model_aliases WHERE model = ?",
		"DELETE FROM model_version_tags WHERE model = ?", "DELETE FROM model_version_files WHERE model = ?",
		"DELETE FROM model_versions WHERE model = ?",
	};

	TRY(changed_model(tx, "DELETE FROM registered_models WHERE name = ?", VALS(V_STR(name)), name, e));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		TRY(db_exec(tx, texts[i], VALS(V_STR(name)), NULL, e));
	return RC_OK;
}

enum rc store_model_tag_set(struct tx *tx, str name, const struct pair *tag, struct err *e)
{
	return db_exec(tx, "INSERT INTO model_tags (model, key, value) VALUES (?, ?, ?) ON CONFLICT (model, key) DO UPDATE SET value = excluded.value",
		       VALS(V_STR(name), V_STR(tag->key), V_STR(tag->value)), NULL, e);
}

enum rc store_model_tag_delete(struct tx *tx, str name, str key, struct err *e)
{
	return db_exec(tx, "DELETE FROM model_tags WHERE model = ? AND key = ?", VALS(V_STR(name), V_STR(key)), NULL, e);
}

enum rc store_alias_set(struct tx *tx, str name, str alias, int64_t version, struct err *e)
{
	return db_exec(tx, "INSERT INTO model_aliases (model, alias, version) VALUES (?, ?, ?)"
			   " ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version",
		       VALS(V_STR(name), V_STR(alias), V_I64(version)), NULL, e);
}

enum rc store_alias_delete(struct tx *tx, str name, str alias, struct err *e)
{
	return db_exec(tx, "DELETE FROM model_aliases WHERE model = ? AND alias = ?", VALS(V_STR(name), V_STR(alias)), NULL, e);
}

/* --- versions --------------------------------------------------------------------------------------------- */

enum rc store_version_add(struct tx *tx, struct version_row *v, struct err *e)
{
	struct model_version *m = &v->v;

	TRY(read_number(tx, "SELECT COALESCE(MAX(version), 0) + 1 FROM model_versions WHERE model = ?", VALS(V_STR(m->name)), &m->version, e));
	TRY(db_exec(tx,
		    "INSERT INTO model_versions (model, version, created, updated, description, stage, source, location, run_id, run_link, model_id)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    VALS(V_STR(m->name), V_I64(m->version), V_I64(m->created_ms), V_I64(m->updated_ms), V_STR(m->description), V_STR(m->stage),
			 V_STR(m->source), V_STR(v->location), V_STR(m->run_id), V_STR(v->run_link), V_STR(v->model_id)),
		    NULL, e));
	for (size_t i = 0; i < m->tags.n; i++)
		TRY(store_version_tag_set(tx, m->name, m->version, LIST_AT(m->tags, const struct pair, i), e));
	return RC_OK;
}

enum rc store_version_describe(struct tx *tx, str name, int64_t version, str description, int64_t now, struct err *e)
{
	return db_exec(tx, "UPDATE model_versions SET description = ?, updated = ? WHERE model = ? AND version = ?",
		       VALS(V_STR(description), V_I64(now), V_STR(name), V_I64(version)), NULL, e);
}

enum rc store_version_stage(struct tx *tx, str name, int64_t version, str stage, int64_t now, struct err *e)
{
	return db_exec(tx, "UPDATE model_versions SET stage = ?, updated = ? WHERE model = ? AND version = ?",
		       VALS(V_STR(stage), V_I64(now), V_STR(name), V_I64(version)), NULL, e);
}

enum rc store_stage_archive(struct tx *tx, str name, int64_t version, str stage, int64_t now, struct err *e)
{
	return db_exec(tx, "UPDATE model_versions SET stage = 'Archived', updated = ? WHERE model = ? AND version <> ? AND stage = ?",
		       VALS(V_I64(now), V_STR(name), V_I64(version), V_STR(stage)), NULL, e);
}

/* The row stays, so that its number is never given again; what it pointed to goes. */
enum rc store_version_delete(struct tx *tx, str name, int64_t version, int64_t now, struct err *e)
{
	static const char *const texts[] = {
		"DELETE FROM model_aliases WHERE model = ? AND version = ?",
		"DELETE FROM model_version_tags WHERE model = ? AND version = ?",
		"DELETE FROM model_version_files WHERE model = ? AND version = ?",
	};

	TRY(db_exec(tx, "UPDATE model_versions SET stage = '" STAGE_DELETED "', updated = ?, description = '', source = 'REDACTED-SOURCE-PATH',"
			" location = '', run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK' WHERE model = ? AND version = ?",
		    VALS(V_I64(now), V_STR(name), V_I64(version)), NULL, e));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		TRY(db_exec(tx, texts[i], VALS(V_STR(name), V_I64(version)), NULL, e));
	return RC_OK;
}

enum rc store_version_tag_set(struct tx *tx, str name, int64_t version, const struct pair *tag, struct err *e)
{
	return db_exec(tx, "INSERT INTO model_version_tags (model, version, key, value) VALUES (?, ?, ?, ?)"
			   " ON CONFLICT (model, version, key) DO UPDATE SET value = excluded.value",
		       VALS(V_STR(name), V_I64(version), V_STR(tag->key), V_STR(tag->value)), NULL, e);
}

enum rc store_version_tag_delete(struct tx *tx, str name, int64_t version, str key, struct err *e)
{
	return db_exec(tx, "DELETE FROM model_version_tags WHERE model = ? AND version = ? AND key = ?",
		       VALS(V_STR(name), V_I64(version), V_STR(key)), NULL, e);
}

enum rc store_version_files_add(struct tx *tx, const struct model_version *v, const struct list *files, struct err *e)
{
	for (size_t i = 0; i < files->n; i++) {
		const struct artifact *f = LIST_AT(*files, const struct artifact, i);
		TRY(db_exec(tx, "INSERT INTO model_version_files (model, version, path, blob, size) VALUES (?, ?, ?, ?, ?)",
			    VALS(V_STR(v->name), V_I64(v->version), V_STR(f->path), V_STR(f->blob), V_I64((int64_t)f->size)), NULL, e));
	}
	return RC_OK;
}

enum rc store_version_files(struct tx *tx, struct arena *a, str name, int64_t version, struct list *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT path, blob, size FROM model_version_files WHERE model = ? AND version = ? ORDER BY path",
		     VALS(V_STR(name), V_I64(version)), &rows, e));
	struct artifact *f = ARENA_ARRAY(a, struct artifact, rows.n + 1);
	for (size_t i = 0; i < rows.n; i++)
		f[i] = (struct artifact){ rows_at(&rows, i, 0)->s, rows_at(&rows, i, 1)->s, (uint64_t)rows_at(&rows, i, 2)->i };
	*out = (struct list){ f, rows.n };
	return RC_OK;
}
