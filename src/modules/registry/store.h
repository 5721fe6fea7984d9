/* store.h -- the registry's SQL. Everything takes a transaction of db_read or db_write. */
#ifndef CAIRN_MODULES_REGISTRY_STORE_H
#define CAIRN_MODULES_REGISTRY_STORE_H

#include "modules/registry/registry_int.h"

enum rc store_model_add(struct tx *tx, const struct registered_model *m, struct err *e) MUST_USE;
enum rc store_model_exists(struct tx *tx, str name, bool *out, struct err *e) MUST_USE;
/* With tags, aliases and latest versions. */
enum rc store_model_get(struct tx *tx, struct arena *a, str name, struct registered_model *out, struct err *e) MUST_USE;
enum rc store_model_describe(struct tx *tx, str name, str description, int64_t now, struct err *e) MUST_USE;
enum rc store_model_touch(struct tx *tx, str name, int64_t now, struct err *e) MUST_USE;
enum rc store_model_rename(struct tx *tx, str name, str new_name, int64_t now, struct err *e) MUST_USE;
enum rc store_model_delete(struct tx *tx, str name, struct err *e) MUST_USE;
enum rc store_model_tag_set(struct tx *tx, str name, const struct pair *tag, struct err *e) MUST_USE;
enum rc store_model_tag_delete(struct tx *tx, str name, str key, struct err *e) MUST_USE;
enum rc store_alias_set(struct tx *tx, str name, str alias, int64_t version, struct err *e) MUST_USE;
enum rc store_alias_delete(struct tx *tx, str name, str alias, struct err *e) MUST_USE;
/* 0 when there is none. */
enum rc store_alias_find(struct tx *tx, str name, str alias, int64_t *version_out, struct err *e) MUST_USE;
/* The highest version of each of the stages (of str; all when empty). */
enum rc store_latest(struct tx *tx, struct arena *a, str name, const struct list *stages, struct list *out, struct err *e) MUST_USE;
/* Numbers of all versions, deleted ones too. */
enum rc store_version_numbers(struct tx *tx, struct arena *a, str name, struct rows *out, struct err *e) MUST_USE;
/* The highest that is not deleted; 0 when there is none. */
enum rc store_newest(struct tx *tx, str name, int64_t *out, struct err *e) MUST_USE;

/* Numbers it: one more than any the model ever had. */
enum rc store_version_add(struct tx *tx, struct version_row *v, struct err *e) MUST_USE;
enum rc store_version_get(struct tx *tx, struct arena *a, str name, int64_t version, struct version_row *out, struct err *e) MUST_USE;
enum rc store_version_describe(struct tx *tx, str name, int64_t version, str description, int64_t now, struct err *e) MUST_USE;
enum rc store_version_stage(struct tx *tx, str name, int64_t version, str stage, int64_t now, struct err *e) MUST_USE;
/* All others in the stage become Archived. */
enum rc store_stage_archive(struct tx *tx, str name, int64_t version, str stage, int64_t now, struct err *e) MUST_USE;
enum rc store_version_delete(struct tx *tx, str name, int64_t version, int64_t now, struct err *e) MUST_USE;
enum rc store_version_tag_set(struct tx *tx, str name, int64_t version, const struct pair *tag, struct err *e) MUST_USE;
enum rc store_version_tag_delete(struct tx *tx, str name, int64_t version, str key, struct err *e) MUST_USE;
enum rc store_version_files_add(struct tx *tx, const struct model_version *v, const struct list *files, struct err *e) MUST_USE;
enum rc store_version_files(struct tx *tx, struct arena *a, str name, int64_t version, struct list *out, struct err *e) MUST_USE;

/* store_search.c */
struct registry_search { str filter; struct list order_by; int64_t limit, offset; };
struct registry_found { struct list rows; bool more; };
enum rc store_models_search(struct tx *tx, struct arena *a, const struct registry_search *s, struct registry_found *out, struct err *e) MUST_USE;
enum rc store_versions_search(struct tx *tx, struct arena *a, const struct registry_search *s, struct registry_found *out, struct err *e) MUST_USE;

/* store_tables.c */
enum look {
	LOOK_FILES,                     /* pinned files of versions, newest first: model, version, path, blob, size */
	LOOK_ALIAS_COUNT,
	LOOK_ALIASES_ADRIFT,            /* those that point to no version: model, alias, version */
	LOOKS,
};
enum rc registry__look(struct tx *tx, struct arena *a, enum look what, struct rows *out, struct err *e) MUST_USE;

#define VERSION_COLUMNS                                                                                              \
	"v.model, v.version, v.created, v.updated, v.description, v.stage, v.source, v.location, v.run_id, v.run_link, v.model_id"
void scan_version(const struct val *row, struct version_row *out);      /* row's strings live on */
enum rc store_version_fill(struct tx *tx, struct arena *a, struct version_row *v, struct err *e) MUST_USE;
enum rc store_model_fill(struct tx *tx, struct arena *a, struct registered_model *m, struct err *e) MUST_USE;

#endif
