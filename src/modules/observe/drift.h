/* drift.h -- a sliding window over the predictions of one model version at one endpoint, in bounded memory.
 *
 * The newest `window` predictions (and, with window_ms, none older) are kept as the bin of each column, so the counts of
 * bins are exact and can be recomputed from the records. Not locked: the owner does.
 */
#ifndef CAIRN_MODULES_OBSERVE_DRIFT_H
#define CAIRN_MODULES_OBSERVE_DRIFT_H

#include "modules/observe/profile.h"

#define DRIFT_SECONDS 64

struct drift_column {
	str name;
	bool tracked;                   /* the reference knows it */
	const double *edge, *share;
	size_t n_edge;
	int64_t n_reference;
	uint32_t count[PROFILE_BINS_MAX];
};
struct drift {
	str endpoint, model;
	int64_t version;
	struct drift *next;
	size_t n_column;                /* the inputs, then the prediction */
	struct drift_column *column;
	size_t window, head, n;         /* ring: next slot, slots in use */
	int64_t window_ms;              /* 0: no bound by time */
	uint8_t *bin;                   /* window × n_column */
	int64_t *at_ms;
	uint64_t *latency_ns;
	uint64_t last_seq, total;
	int64_t second[DRIFT_SECONDS];  /* predictions per second of the last minute */
	uint32_t per_second[DRIFT_SECONDS];
};

struct drift_new { str endpoint, model; int64_t version; const str *input; size_t n_input; str output; size_t window; int64_t window_ms; };
/* Everything in the arena. reference may be NULL. */
struct drift *drift_new(struct arena *a, const struct drift_new *n, const struct profile *reference);
struct drift_sample { const double *input; double output; int64_t at_ms; uint64_t latency_ns, seq; };
void drift_push(struct drift *d, const struct drift_sample *s);
void drift_expire(struct drift *d, int64_t now_ms);
void drift_clear(struct drift *d);
double drift_psi(const struct drift *d, size_t column);
double drift_rate(const struct drift *d, int64_t now_ms);      /* per second, over the last ten whole seconds */

#endif
