/* id.h -- sortable identifiers and other random names.
 *
 * An id is a prefix and 26 characters of Crockford base32: 48 bits of milliseconds, then 80 random bits
 * (as in ULID), so ids of one kind sort by time of making and need no coordination. Two ids of one
 * process in one millisecond still sort in order of making. Any thread.
 */
#ifndef CAIRN_BASE_ID_H
#define CAIRN_BASE_ID_H

#include "base/arena.h"

#define ID_LEN 26
#define ID_TEXT_MAX 40   /* prefix, '_' and the id, with NUL */

str id_new(struct arena *a, const char *prefix);          /* "pr_01JD…" ; prefix "" gives no '_' */
void id_put(char out[ID_TEXT_MAX], const char *prefix);   /* NUL-terminated */
bool id_time(str id, int64_t *ms_out);                    /* the time inside; false if not an id */
str id_hex(struct arena *a, size_t n_bytes);              /* random lower-case hex: MLflow run ids (16) */
void rng_fill(void *out, size_t n);                       /* from the kernel; cannot fail */
uint64_t rng_u64(void);

/* A small, fast, seeded generator (xoshiro256**; Blackman, Vigna 2018) where runs must repeat. */
struct rng { uint64_t s[4]; };
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r);                           /* [0, 1) */

#endif
