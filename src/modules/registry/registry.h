/* registry.h -- registered models, their versions and aliases. */
#ifndef CAIRN_MODULES_REGISTRY_H
#define CAIRN_MODULES_REGISTRY_H

#include "base/record.h"
#include "core/core.h"
#include "core/principal.h"

struct registry;
extern const struct module registry_module;
static inline struct registry *registry_of(const struct core *c) { return core_module(c, "registry"); }

struct model_version {
	str name;
	int64_t version;
	str run_id, source;     /* source: URI of the artifacts */
	str description;
	struct list tags;       /* of struct pair */
	struct list aliases;    /* of str */
	str stage;
	int64_t created_ms, updated_ms;
};
extern const struct record model_version_record;
/* "models:/name/3", "models:/name@champion", "name@champion", "name/3", "name" (newest version). */
enum rc registry_resolve(struct registry *r, struct arena *a, str ref, struct model_version *out, struct err *e) MUST_USE;
/* Files of the version: struct artifact of tracking.h. */
enum rc registry_files(struct registry *r, struct arena *a, const struct model_version *v, struct list *out, struct err *e) MUST_USE;
/* Makes the model if needed and a new version of it, in one transaction with its lineage. */
struct version_new { str name, run_id, source, description; const struct pair *tag; size_t n_tag; const struct principal *who; };
enum rc registry_version_create(struct registry *r, struct arena *a, const struct version_new *v, struct model_version *out, struct err *e) MUST_USE;
enum rc registry_alias_set(struct registry *r, str name, str alias, int64_t version, const struct principal *who, struct err *e) MUST_USE;

/* The model descriptor that cairn's own trainers write as artifact "model/cairn.json" next to MLflow's
 * "model/MLmodel": what a runtime must know to serve it, and what monitoring compares against. */
struct model_input { str name; str type; str view; /* feature view it comes from, or empty: given by the caller */ };
struct model_spec {
	str runtime;            /* "xgboost", "onnx" */
	str file;               /* path of the model file below model/ */
	struct list inputs;     /* of struct model_input, in the order of the feature vector */
	str output;             /* name of the prediction: "fare" */
	str training_set;       /* id */
	str reference;          /* path of the reference profile below model/: "reference.json" */
	struct list views;      /* of str */
};
extern const struct record model_spec_record, model_input_record;
/* Reads model/cairn.json of the version; RC_NOT_FOUND when it has none. */
enum rc registry_spec(struct registry *r, struct arena *a, const struct model_version *v, struct model_spec *out, struct err *e) MUST_USE;

#endif
