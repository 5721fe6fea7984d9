/* tracking.h -- experiments, runs, params, metrics and artifacts, as MLflow's clients know them. */
#ifndef CAIRN_MODULES_TRACKING_H
#define CAIRN_MODULES_TRACKING_H

#include "base/record.h"
#include "core/core.h"
#include "core/principal.h"

struct tracking;
extern const struct module tracking_module;
static inline struct tracking *tracking_of(const struct core *c) { return core_module(c, "tracking"); }

/* --- for modules that make runs themselves (train) --- */
/* Finds or makes the experiment. */
enum rc tracking_experiment(struct tracking *t, str name, struct arena *a, str *id_out, struct err *e) MUST_USE;
struct run_start { str experiment_id, name, parent_run_id; const struct pair *tag; size_t n_tag; const struct principal *who; };
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
/* All artifacts of a run below prefix ("" for all). Also for a URI "mlflow-artifacts:/…" or "runs:/…". */
enum rc tracking_artifacts(struct tracking *t, struct arena *a, str run_id, str prefix, struct list *out, struct err *e) MUST_USE;
enum rc tracking_artifacts_of_uri(struct tracking *t, struct arena *a, str uri, struct list *out, struct err *e) MUST_USE;

#endif
