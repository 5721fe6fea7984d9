/* store_tables.c -- the registry's tables, and what its checks look at. */
#include "modules/registry/store.h"

const struct migration registry_migrations[REGISTRY_MIGRATIONS] = {
	{ 1,
	  "CREATE TABLE registered_models (name TEXT PRIMARY KEY, description TEXT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL);\n"
	  "CREATE TABLE model_tags (model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key));\n"
	  "CREATE TABLE model_aliases (model TEXT NOT NULL, alias TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (model, alias));\n"
	  "CREATE TABLE model_versions (model TEXT NOT NULL, version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,"
	  " description TEXT NOT NULL, stage TEXT NOT NULL, source TEXT NOT NULL, location TEXT NOT NULL, run_id TEXT NOT NULL,"
	  " run_link TEXT NOT NULL, model_id TEXT NOT NULL, PRIMARY KEY (model, version));\n"
	  "CREATE INDEX model_versions_run ON model_versions (run_id);\n"
	  "CREATE TABLE model_version_tags (model TEXT NOT NULL, version BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	  " PRIMARY KEY (model, version, key));\n"
	  "CREATE TABLE model_version_files (model TEXT NOT NULL, version BIGINT NOT NULL, path TEXT NOT NULL, blob TEXT NOT NULL,"
	  " size BIGINT NOT NULL, PRIMARY KEY (model, version, path))" },
};

static const char *const looks[LOOKS] = {
	[LOOK_FILES] =
		"SELECT f.model, f.version, f.path, f.blob, f.size FROM model_version_files f JOIN model_versions v ON v.model = f.model AND"
		" v.version = f.version WHERE v.stage <> '" STAGE_DELETED "' ORDER BY v.created DESC, f.model, f.version, f.path LIMIT 5000",
	[LOOK_ALIAS_COUNT] = "SELECT COUNT(*) FROM model_aliases",
	[LOOK_ALIASES_ADRIFT] =
		"SELECT a.model, a.alias, a.version FROM model_aliases a WHERE NOT EXISTS (SELECT 1 FROM model_versions v WHERE"
		" v.model = a.model AND v.version = a.version AND v.stage <> '" STAGE_DELETED "') LIMIT 100",
};

enum rc registry__look(struct tx *tx, struct arena *a, enum look what, struct rows *out, struct err *e)
{
	CHECK(what < LOOKS);
	return db_query(tx, a, looks[what], NO_VALS, out, e);
}
