/* limiter.h -- a token bucket in one atomic word (the generic cell rate algorithm).
 *
 * What is kept is the time at which the bucket would be full again. Any thread, no lock.
 */
#ifndef CAIRN_MODULES_GATEWAY_LIMITER_H
#define CAIRN_MODULES_GATEWAY_LIMITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct limiter { _Atomic uint64_t full_ns; };

/* Takes n tokens of a bucket of `burst` that fills by per_second. False: not enough now; *wait_ns tells how long until there
 * are. More than `burst` at once are given when the bucket is full. per_second 0: no limit. */
static inline bool limiter_take(struct limiter *l, double per_second, double burst, double n, uint64_t now_ns, uint64_t *wait_ns)
{
	if (per_second <= 0)
		return true;
	double per_token = 1e9 / per_second;
	uint64_t cost = (uint64_t)(n * per_token), depth = (uint64_t)((burst > n ? burst : n) * per_token);
	uint64_t full = atomic_load_explicit(&l->full_ns, memory_order_relaxed);

	for (;;) {
		uint64_t from = full > now_ns ? full : now_ns, then = from + cost;
		if (then > now_ns + depth) {
			*wait_ns = then - now_ns - depth;
			return false;
		}
		if (atomic_compare_exchange_weak_explicit(&l->full_ns, &full, then, memory_order_relaxed, memory_order_relaxed))
			return true;
	}
}

#endif
