/* observe.h -- predictions on record, drift against training, delayed labels, alerts.
 *
 * The gateway hands over every prediction before it answers: the record is in the prediction log (an append-only
 * file, written before the answer, so it survives kill -9) and in the drift sketches (bounded memory). A timer
 * indexes the log into the database. Any thread; observe_prediction does one write(2) and takes one short lock.
 */
#ifndef CAIRN_MODULES_OBSERVE_H
#define CAIRN_MODULES_OBSERVE_H

#include "base/record.h"
#include "core/core.h"

struct observe;
extern const struct module observe_module;
static inline struct observe *observe_of(const struct core *c) { return core_module(c, "observe"); }

/* What is watched: one endpoint revision serving one model version. */
struct watch;
struct watch_new { str endpoint; int64_t revision; str model; int64_t version; const str *input; size_t n_input; str output;
		   str reference_json; /* the model's reference profile, or empty: no drift */ };
enum rc observe_watch(struct observe *o, const struct watch_new *n, struct watch **out, struct err *e) MUST_USE;  /* lives as long as observe */

struct prediction {
	str id;                 /* "pr_…" */
	str request_id;
	int64_t at_ms;
	const double *input;    /* n_input of the watch; NaN where missing */
	double output;
	uint64_t latency_ns;
	str view_ids;           /* materialisations the features came from, comma separated */
};
enum rc observe_predictions(struct watch *w, const struct prediction *p, size_t n, struct err *e) MUST_USE;

/* The reference profile of a training set, as stored with the model: per column bins by quantiles. */
struct profile_column { const char *name; const float *value; size_t n, stride; };
str observe_reference_json(const struct profile_column *c, size_t n, struct arena *a);

#endif
