/* hist.c -- bucket arithmetic: values below 32 have a bucket each; above, each octave has 32. */
#include "base/hist.h"

#include "base/check.h"

#define SUB_BITS 5
#define SUB (1u << SUB_BITS)

static unsigned bucket_of(uint64_t v)
{
	if (v < SUB)
		return (unsigned)v;
	unsigned octave = 63u - (unsigned)__builtin_clzll(v);
	unsigned i = (octave - SUB_BITS + 1) * SUB + (unsigned)((v >> (octave - SUB_BITS)) & (SUB - 1));

	return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(unsigned i)
{
	if (i < SUB)
		return i;
	unsigned shift = i / SUB - 1;

	return ((uint64_t)(SUB + i % SUB + 1) << shift) - 1;
}

void hist_record(struct hist *h, uint64_t v)
{
	atomic_fetch_add_explicit(&h->bucket[bucket_of(v)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum, v, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
	uint64_t max = atomic_load_explicit(&h->max, memory_order_relaxed);
	while (v > max && !atomic_compare_exchange_weak_explicit(&h->max, &max, v, memory_order_relaxed, memory_order_relaxed))
		continue;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t total = 0, seen = 0;

	CHECK(q >= 0 && q <= 1);
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		total += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
	if (total == 0)
		return 0;
	uint64_t rank = (uint64_t)(q * (double)total);
	rank = rank < total ? rank : total - 1;
	uint64_t max = atomic_load_explicit(&h->max, memory_order_relaxed);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
		if (seen > rank)
			return bucket_top(i) < max ? bucket_top(i) : max;
	}
	return max;
}

uint64_t hist_count_le(const struct hist *h, uint64_t v)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BUCKETS && bucket_top(i) <= v; i++)
		n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
	return n;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		atomic_fetch_add_explicit(&into->bucket[i], atomic_load(&from->bucket[i]), memory_order_relaxed);
	atomic_fetch_add_explicit(&into->count, atomic_load(&from->count), memory_order_relaxed);
	atomic_fetch_add_explicit(&into->sum, atomic_load(&from->sum), memory_order_relaxed);
	if (atomic_load(&from->max) > atomic_load(&into->max))
		atomic_store(&into->max, atomic_load(&from->max));
}

void hist_clear(struct hist *h)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		atomic_store_explicit(&h->bucket[i], 0, memory_order_relaxed);
	atomic_store(&h->count, 0);
	atomic_store(&h->sum, 0);
	atomic_store(&h->max, 0);
}
