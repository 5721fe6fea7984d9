/* gateway_int.h -- what the rooms of the gateway share.
 *
 * gateway.c is the module's table and life; records.c its records; store.c its rows; endpoint.c applies and follows; plan.c
 * compiles; infer.c answers; oip*.c are the protocol's messages; api_*.c the routes; lineage.c the line back from a
 * prediction; checks.c the live checks.
 */
#ifndef CAIRN_MODULES_GATEWAY_INT_H
#define CAIRN_MODULES_GATEWAY_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "base/map.h"
#include "core/event.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "core/route.h"
#include "core/task.h"
#include "modules/features/features.h"
#include "modules/gateway/gateway.h"
#include "modules/gateway/limiter.h"
#include "modules/gateway/oip.h"
#include "modules/observe/observe.h"
#include "modules/registry/registry.h"
#include "modules/serve/serve.h"

#define GATEWAY_MAGIC 0x6a7e3a11u
#define ENDPOINTS_MAX 1000
#define VIEW_KEYS_MAX 16

/* --- what is stored and answered --- */
struct rate { double per_second, burst; };
enum feature_time { FEATURE_TIME_NOW, FEATURE_TIME_MATERIALISED };
struct endpoint_input { str name, datatype, source; };
struct endpoint_live { int64_t n; double p50_ms, p95_ms, p99_ms, per_second; int64_t answered, failed; };
struct endpoint {
	str name, description, model;   /* as given: "taxi-fare@champion" */
	struct rate rate;
	int64_t max_batch_rows, timeout_ms;
	struct list keys;               /* of struct pair: join key -> name of the input */
	int32_t feature_time;
	/* set by cairn */
	str model_name, runtime, state, error;
	int64_t version, revision, created_ms, updated_ms, deleted_ms;
	struct list inputs;             /* of struct endpoint_input */
	struct endpoint_live live;
};
extern const struct record endpoint_record, endpoint_definition_record;

struct plan;
/* What stays when plans change. */
struct live {
	struct limiter limiter;
	struct series *answered, *failed, *latency;
};

/* --- the module --- */
struct entry {
	str name;
	struct plan *plan;              /* NULL: it cannot be served, because: */
	struct err err;
	struct live live;
};
struct gateway {
	unsigned magic;
	struct core *core;
	struct metric_family *answered, *failed, *latency;
	pthread_mutex_t apply_mtx;      /* one change at a time; taken before mtx; guards arena, of the entries */
	struct arena arena;
	pthread_mutex_t mtx;            /* guards the table; held for a look-up or a swap */
	struct map table;               /* name -> struct entry */
	_Atomic uint64_t n_answered;    /* rows put on record and answered, or about to be */
};
/* A reference to the plan that serves now. RC_NOT_FOUND, or RC_UNAVAILABLE with the reason. */
enum rc gateway__plan_get(struct gateway *g, str name, struct plan **out, struct err *e) MUST_USE;

/* --- store.c --- */
extern const struct migration gateway_migrations[];
#define GATEWAY_MIGRATIONS 1
enum rc gateway__row_find(struct gateway *g, struct arena *a, str name, struct endpoint *out, bool *found, struct err *e) MUST_USE;   /* deleted ones too */
enum rc gateway__rows(struct gateway *g, struct arena *a, struct list *out, struct err *e) MUST_USE;
/* With its lineage and an audit line, if the stored revision is still the one before; RC_CONFLICT otherwise. */
enum rc gateway__row_put(struct gateway *g, const struct endpoint *d, const struct principal *who, const char *action, struct err *e) MUST_USE;
enum rc gateway__row_delete(struct gateway *g, str name, const struct principal *who, struct err *e) MUST_USE;
/* Everything that (kind, id) came from, added to out where it is not yet. */
enum rc gateway__trace(struct gateway *g, struct arena *a, str kind, str id, struct lineage_graph *out, struct err *e) MUST_USE;

/* --- endpoint.c --- */
enum rc gateway__apply(struct gateway *g, const struct endpoint *given, const struct principal *who, struct arena *a, struct endpoint *out, struct err *e) MUST_USE;
enum rc gateway__refresh(struct gateway *g, str name, const struct principal *who, struct arena *a, struct endpoint *out, struct err *e) MUST_USE;
enum rc gateway__delete(struct gateway *g, str name, const struct principal *who, struct err *e) MUST_USE;
enum rc gateway__show(struct gateway *g, str name, struct arena *a, struct endpoint *out, struct err *e) MUST_USE;
enum rc gateway__list(struct gateway *g, struct arena *a, struct list *out, struct err *e) MUST_USE;
/* Brings what is served in line with the stored endpoints and what their models stand for now. */
enum rc gateway__follow(struct gateway *g, struct err *e) MUST_USE;
enum rc gateway__follow_timer(void *module, struct err *e);

/* --- infer.c --- */
struct answer {
	struct tensor *out;
	size_t n_out, n_rows;
	char id[ID_TEXT_MAX];
	size_t status[4];               /* features by enum feature_status */
	size_t n_missing;               /* inputs that were not given */
	bool recorded;
};
/* start_ns: when the request came. record false: a probe that leaves no trace. */
struct ask { const struct oip_request *r; uint64_t start_ns; bool record; };
enum rc gateway__infer(struct plan *p, const struct ask *ask, struct arena *a, struct answer *out, struct err *e) MUST_USE;

/* --- lineage.c --- */
enum rc gateway__prediction_lineage(struct gateway *g, str id, struct arena *a, struct lineage_graph *out, struct err *e) MUST_USE;

extern const struct route gateway_routes[];
#define GATEWAY_ROUTES 8
extern const struct route oip_routes[];
#define OIP_ROUTES 9
void gateway__oip_error(const struct err *err, struct jw *w);
extern const struct check_def gateway_checks[];
#define GATEWAY_CHECKS 3

#endif
