/* registry_int.h -- what the rooms of the registry share. */
#ifndef CAIRN_MODULES_REGISTRY_INT_H
#define CAIRN_MODULES_REGISTRY_INT_H

#include "core/live_check.h"
#include "core/route.h"
#include "io/sql.h"
#include "modules/registry/registry.h"
#include "modules/tracking/tracking.h"

#define REGISTRY_MAGIC 0x4e6157u
#define STAGE_DELETED "Deleted_Internal"
#define PROMPT_TAG "mlflow.prompt.is_prompt"

struct registry {
	unsigned magic;
	const struct core *core;
	struct db *db;
	struct blobs *blobs;
	struct tracking *tracking;
};

/* A version with what only MLflow's wire and the store know of it. */
struct version_row {
	struct model_version v;
	str status, run_link, model_id;
	str location;                   /* where its files are, resolved when it was made */
};
struct model_alias { str alias; int64_t version; };
struct registered_model {
	str name;
	int64_t created_ms, updated_ms;
	str description;
	struct list latest_versions;    /* struct version_row */
	struct list tags;               /* struct pair */
	struct list aliases;            /* struct model_alias */
};
extern const struct record version_row_record, model_alias_record, registered_model_record;
extern const char *const stage_names[];         /* None, Staging, Production, Archived */

/* --- rules.c: what is allowed, and how models are referred to ---------------------------------- */
enum rc rule_model_name(const char *field, str name, struct err *e) MUST_USE;
enum rc rule_version(str text, int64_t *out, struct err *e) MUST_USE;
enum rc rule_alias(str alias, struct err *e) MUST_USE;
enum rc rule_alias_new(str alias, struct err *e) MUST_USE;
enum rc rule_registry_tag(const struct pair *tag, struct err *e) MUST_USE;
enum rc rule_stage(str given, str *out, struct err *e) MUST_USE;
/* No local paths, no "..", no escapes that hide one. */
enum rc rule_source(struct arena *a, str source, bool prompt, struct err *e) MUST_USE;
bool has_prompt_tag(const struct list *tags);
enum reference_kind { REF_NEWEST, REF_VERSION, REF_ALIAS, REF_STAGE };
struct reference { str name; enum reference_kind kind; int64_t version; str word; };
enum rc rule_reference(str text, struct reference *out, struct err *e) MUST_USE;

/* --- models.c: verbs behind the routes and for other modules ------------------------------------ */
struct model_create { str name, description; struct list tags; };
enum rc model_create(struct registry *r, struct arena *a, const struct model_create *m, const struct principal *who,
		     struct registered_model *out, struct err *e) MUST_USE;
enum rc model_get(struct registry *r, struct arena *a, str name, struct registered_model *out, struct err *e) MUST_USE;
enum rc model_rename(struct registry *r, struct arena *a, str name, str new_name, const struct principal *who, struct registered_model *out,
		     struct err *e) MUST_USE;
enum rc model_describe(struct registry *r, struct arena *a, str name, str description, const struct principal *who,
		       struct registered_model *out, struct err *e) MUST_USE;
enum rc model_delete(struct registry *r, struct arena *a, str name, const struct principal *who, struct err *e) MUST_USE;
/* value.at == NULL: the tag goes, silently when it is not there. version 0: of the model. */
enum rc model_tag(struct registry *r, struct arena *a, str name, int64_t version, const struct pair *tag, struct err *e) MUST_USE;
enum rc alias_change(struct registry *r, struct arena *a, str name, str alias, int64_t version_or_0, const struct principal *who,
		     struct err *e) MUST_USE;
enum rc alias_get(struct registry *r, struct arena *a, str name, str alias, struct version_row *out, struct err *e) MUST_USE;

/* --- versions.c ------------------------------------------------------------------------------------ */
struct version_create {
	str name, source, run_id, run_link, description, model_id;
	struct list tags;
	bool make_model;                /* the model too, if there is none */
};
enum rc version_create(struct registry *r, struct arena *a, const struct version_create *c, const struct principal *who,
		       struct version_row *out, struct err *e) MUST_USE;
enum rc version_get(struct registry *r, struct arena *a, str name, int64_t version, struct version_row *out, struct err *e) MUST_USE;
enum rc version_describe(struct registry *r, struct arena *a, str name, int64_t version, str description, const struct principal *who,
			 struct version_row *out, struct err *e) MUST_USE;
enum rc version_delete(struct registry *r, struct arena *a, str name, int64_t version, const struct principal *who, struct err *e) MUST_USE;
struct stage_change { str name; int64_t version; str stage; bool archive_existing; };
enum rc version_stage(struct registry *r, struct arena *a, const struct stage_change *c, const struct principal *who,
		      struct version_row *out, struct err *e) MUST_USE;

enum { MODEL_ROUTES = 14, VERSION_ROUTES = 10, REGISTRY_CHECKS = 2, REGISTRY_MIGRATIONS = 1 };
extern const struct migration registry_migrations[REGISTRY_MIGRATIONS];
extern const struct route model_routes[MODEL_ROUTES], version_routes[VERSION_ROUTES], registry_root_routes[1];
extern const struct check_def registry_checks[REGISTRY_CHECKS];

#endif
