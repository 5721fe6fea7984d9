/* tracking.h -- experiments, runs, params, metrics and artifacts, as MLflow's clients know them. */
#ifndef CAIRN_MODULES_TRACKING_H
#define CAIRN_MODULES_TRACKING_H

#include "base/record.h"
#include "core/core.h"
#include "core/principal.h"
#include "core/route.h"

struct tracking;
extern const struct module tracking_module;
static inline struct tracking *tracking_of(const struct core *c) { return core_module(c, "tracking"); }

/* --- for modules that make runs themselves (train) --- */
/* Finds or makes the experiment. */
enum rc tracking_experiment(struct tracking *t, str name, struct arena *a, str *id_out, struct err *e) MUST_USE;
struct run_start { str experiment_id, name, parent_run_id; const struct pair *tag; size_t n_tag; const struct principal *who;
		   str run_id /* 32 hex digits that the caller drew and noted; empty: new ones */; };
enum rc tracking_run_start(struct tracking *t, const struct run_start *r, struct arena *a, str *run_id_out, struct err *e) MUST_USE;
struct metric_point { str key; double value; int64_t time_ms, step; };
/* One durable batch. */
enum rc tracking_run_log(struct tracking *t, str run_id, const struct metric_point *m, size_t n_metric,
			 const struct pair *param, size_t n_param, const struct pair *tag, size_t n_tag, struct err *e) MUST_USE;
/* The blob exists already (blob_put); path is relative, "model/model.ubj". */
enum rc tracking_artifact_add(struct tracking *t, str run_id, str path, str blob, uint64_t size, struct err *e) MUST_USE;
enum run_status { RUN_RUNNING, RUN_SCHEDULED, RUN_FINISHED, RUN_FAILED, RUN_KILLED };
enum rc tracking_run_end(struct tracking *t, str run_id, enum run_status status, struct err *e) MUST_USE;

struct artifact { str path; str blob; uint64_t size; };
/* All artifacts of a run below prefix ("" for all); their paths are relative to the run's root. */
enum rc tracking_artifacts(struct tracking *t, struct arena *a, str run_id, str prefix, struct list *out, struct err *e) MUST_USE;
/* All artifacts below "mlflow-artifacts:/…", "runs:/RUN/path" or "models:/m-…" (a logged model); paths are relative to it. */
enum rc tracking_artifacts_of_uri(struct tracking *t, struct arena *a, str uri, struct list *out, struct err *e) MUST_USE;
/* Where the URI's files are: runs:/ and models:/m-… become the stored location, others stay. *run_id_out: the run that made
 * them, where known, else as it was. */
enum rc tracking_uri_resolve(struct tracking *t, struct arena *a, str uri, str *out, str *run_id_out, struct err *e) MUST_USE;
/* The run's name; RC_NOT_FOUND when there is no such run. */
enum rc tracking_run_name(struct tracking *t, struct arena *a, str run_id, str *out, struct err *e) MUST_USE;

/* --- MLflow's wire, shared with the registry --- */
struct mlflow_void { uint64_t has; };
extern const struct record pair_record;         /* a tag or param: struct pair as {key, value} */
void mlflow_write_error(const struct err *err, struct jw *w);
int mlflow_error_status(const struct err *err);
void mlflow_reword(const struct field *f, const struct token *t, struct err *e);
enum rc mlflow_missing(const char *name, struct err *e);     /* says so and returns RC_INVALID */
/* Records of MLflow's messages: unknown keys are ignored, errors are said as MLflow says them. */
#define MLFLOW_RECORD(type, fields, text, ...)                                                                      \
	RECORD(type, fields, text, .open = true, .reword = mlflow_reword, ##__VA_ARGS__)
/* Names of params, metrics and tags, and what they may hold; lengths are in characters. */
enum rc mlflow_check_name(const char *path, str name, struct err *e) MUST_USE;
enum rc mlflow_check_length(const char *what, str text, size_t max, struct err *e) MUST_USE;
enum rc mlflow_check_relative_name(const char *path, str name, struct err *e) MUST_USE;  /* resolves to itself as a path */
str mlflow_truncate(str text, size_t max);
/* A relative path below the artifact root, safe and normalized: decoded until stable, no "..", no "#". */
enum rc mlflow_artifact_path(struct arena *a, str path, str *out, struct err *e) MUST_USE;
str mlflow_page_token(struct arena *a, int64_t offset);
enum rc mlflow_page_offset(struct arena *a, str token, int64_t *out, struct err *e) MUST_USE;
enum rc mlflow_page_size(int64_t asked, int64_t max, struct err *e) MUST_USE;
str mlflow_random_name(struct arena *a);
/* Answers with an artifact's bytes, as an attachment. */
enum rc mlflow_reply_artifact(struct call *c, const struct artifact *f, struct err *e) MUST_USE;

#endif
