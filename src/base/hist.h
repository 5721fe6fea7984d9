/* hist.h -- a mergeable histogram of latencies with bounded relative error.
 *
 * Log-linear buckets as in HdrHistogram (32 sub-buckets an octave: at most 3.2 % relative error) over 1 ns
 * to about 4.6 hours; larger values count in the last bucket. Recording is one relaxed atomic add, so any
 * thread may record while another reads; a reader sees a sum that is at most a few records old.
 */
#ifndef CAIRN_BASE_HIST_H
#define CAIRN_BASE_HIST_H

#include <stdatomic.h>
#include <stdint.h>

#define HIST_BUCKETS 1280

struct hist {
	_Atomic uint64_t count;
	_Atomic uint64_t sum;     /* of the values as recorded */
	_Atomic uint64_t max;
	_Atomic uint32_t bucket[HIST_BUCKETS];
};

void hist_record(struct hist *h, uint64_t value_ns);
uint64_t hist_quantile(const struct hist *h, double q);         /* 0 ≤ q ≤ 1; 0 when empty; upper bucket edge */
uint64_t hist_count_le(const struct hist *h, uint64_t value_ns); /* for Prometheus' cumulative buckets */
void hist_merge(struct hist *into, const struct hist *from);
void hist_clear(struct hist *h);

#endif
