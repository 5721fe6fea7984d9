/* profile.h -- the reference profile of a training set, and how far a window of values has moved from it.
 *
 * A column is cut into bins once, on the training set: a column of few distinct values by value (edges half way between
 * them), others by deciles. The share of rows in each bin and the share of missing values is the reference. The measure
 * is the population stability index over the bins and the missing share: sum (c - r) ln(c / r), empty shares taken as
 * 0.0001. By convention below 0.1 is stable and from 0.25 on drifted. Pure; any thread.
 */
#ifndef CAIRN_MODULES_OBSERVE_PROFILE_H
#define CAIRN_MODULES_OBSERVE_PROFILE_H

#include "base/record.h"

#define PROFILE_EDGES_MAX 24
#define PROFILE_BINS_MAX (PROFILE_EDGES_MAX + 2)     /* the last one in use counts missing values */
#define PROFILE_VALUES 20                            /* a column of at most so many distinct values is cut by value */
#define PSI_FLOOR 0.0001

struct profile_part {           /* of one column */
	str name;
	int64_t n, n_missing;
	double min, max, mean;
	struct list edges;      /* of double, rising */
	struct list shares;     /* of double: edges + 1 bins, then missing */
};
struct profile {
	int64_t n;
	struct list columns;    /* of struct profile_part */
};
extern const struct record profile_record, profile_part_record;

/* The bin of a value: 0 … n_edge, or n_edge + 1 for NaN. Bin i holds edge[i-1] <= x < edge[i]. */
size_t profile_bin(const double *edge, size_t n_edge, double x);
/* count: n_bin bins of a window; share: of the reference. 0 when the window is empty. */
double profile_psi(const double *share, const uint32_t *count, size_t n_bin);

enum rc profile_parse(str json, struct arena *a, struct profile *out, struct err *e) MUST_USE;
const struct profile_part *profile_column_find(const struct profile *p, str name);

#endif
