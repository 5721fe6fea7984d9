/* observe.h -- predictions on record, drift against training, delayed labels, alerts.
 *
 * The gateway hands over every prediction before it answers: the record is in the prediction log (an append-only
 * file, written before the answer, so it survives kill -9) and in the drift windows (bounded memory). A timer
 * indexes the log into the database. Any thread; observe_predictions does one write(2) and takes one short lock.
 */
#ifndef CAIRN_MODULES_OBSERVE_H
#define CAIRN_MODULES_OBSERVE_H

#include "base/record.h"
#include "core/core.h"

struct observe;
extern const struct module observe_module;
static inline struct observe *observe_of(const struct core *c) { return core_module(c, "observe"); }

/* What is watched: one endpoint revision serving one model version. Windows are kept per endpoint and model version, so a
 * new revision of the same version goes on where the former stood; they are refilled from the records after a restart. */
struct watch;
struct watch_new { str endpoint; int64_t revision; str model; int64_t version; const str *input; size_t n_input; str output;
		   str reference_json; /* the model's reference profile, or empty: no drift */ };
enum rc observe_watch(struct observe *o, const struct watch_new *n, struct watch **out, struct err *e) MUST_USE;  /* lives as long as observe */
void observe_retire(struct observe *o, str endpoint);   /* the endpoint is gone: its drift is no longer reported */

struct prediction {
	str id;                 /* "pr_…"; at most 64 bytes */
	str request_id;         /* the client's; kept up to 256 bytes */
	int64_t at_ms;
	const double *input;    /* n_input of the watch; NaN where missing */
	double output;
	uint64_t latency_ns;
	str view_ids;           /* materialisations the features came from, "zone_stats@mt_…", comma separated; kept up to 1,024 bytes */
};
/* All or none. When it returns RC_OK the records survive the end of the process. */
enum rc observe_predictions(struct watch *w, const struct prediction *p, size_t n, struct err *e) MUST_USE;

/* Over the window: the newest predictions, at most as many as the configuration's window_rows. */
struct watch_stats { size_t n; uint64_t p50_ns, p95_ns, p99_ns; double per_second; uint64_t total; };
void observe_watch_stats(struct watch *w, struct watch_stats *out);

/* --- records ------------------------------------------------------------------------------------ */
struct prediction_row {
	uint64_t has;
	str id, endpoint, model, request_id, output_name, inputs /* JSON object; null where missing */, view_ids;
	int64_t revision, version, at_ms;
	double output, latency_ms, label;   /* label: null until one came */
	str log;
	int64_t seq;
};
extern const struct record prediction_row_record;
/* Not yet indexed ones are found too. RC_NOT_FOUND. */
enum rc observe_prediction(struct observe *o, struct arena *a, str id, struct prediction_row *out, struct err *e) MUST_USE;
/* Newest first; endpoint may be STR_NONE for all. */
enum rc observe_prediction_list(struct observe *o, struct arena *a, str endpoint, int64_t limit, struct list *out, struct err *e) MUST_USE;

/* The record of this process's log: how many were written since the start, how many of those were removed again by age, how
 * many are indexed, and whether the indexed sequence numbers run without a gap. Indexes what waits first. */
struct prediction_count { uint64_t written, pruned, indexed, gaps, first_seq, last_seq; };
enum rc observe_count(struct observe *o, struct prediction_count *out, struct err *e) MUST_USE;

/* The reference profile of a training set, as stored with the model: per column bins by quantiles. A column named as the
 * model's output is what predictions are compared with. */
struct profile_column { const char *name; const float *value; size_t n, stride; };
str observe_reference_json(const struct profile_column *c, size_t n, struct arena *a);

#endif
