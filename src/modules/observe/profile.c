/* profile.c -- reference profiles: made from columns, read back, compared. */
#include "modules/observe/profile.h"

#include <math.h>
#include <stdlib.h>

#include "modules/observe/observe.h"

static const struct field profile_part_fields[] = {
	FIELD(profile_part, name, K_STR, F_REQUIRED, "Name of the column"),
	FIELD(profile_part, n, K_I64, 0, "Rows"),
	FIELD(profile_part, n_missing, K_I64, 0, "Rows without a value"),
	FIELD(profile_part, min, K_F64, 0, "Least value"),
	FIELD(profile_part, max, K_F64, 0, "Greatest value"),
	FIELD(profile_part, mean, K_F64, 0, "Mean value"),
	FIELD(profile_part, edges, K_F64S, 0, "Edges of the bins, rising", .max = PROFILE_EDGES_MAX),
	FIELD(profile_part, shares, K_F64S, 0, "Share of rows per bin, then of missing values", .max = PROFILE_BINS_MAX),
};
const struct record profile_part_record = RECORD(profile_part, profile_part_fields, "Distribution of a column", .open = true);

static const struct field profile_fields[] = {
	FIELD(profile, n, K_I64, 0, "Rows of the training set"),
	FIELD(profile, columns, K_RECORDS, 0, "Its columns", .sub = &profile_part_record),
};
const struct record profile_record = RECORD(profile, profile_fields, "Reference profile of a training set", .open = true);

/* --- comparing ------------------------------------------------------------------------------------------ */

size_t profile_bin(const double *edge, size_t n_edge, double x)
{
	if (isnan(x))
		return n_edge + 1;
	size_t low = 0, high = n_edge;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (x < edge[mid])
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

double profile_psi(const double *share, const uint32_t *count, size_t n_bin)
{
	double n = 0, psi = 0;

	for (size_t i = 0; i < n_bin; i++)
		n += count[i];
	if (n <= 0)
		return 0;
	for (size_t i = 0; i < n_bin; i++) {
		if (share[i] <= 0 && count[i] == 0)
			continue;
		double r = share[i] > PSI_FLOOR ? share[i] : PSI_FLOOR;
		double c = count[i] / n > PSI_FLOOR ? count[i] / n : PSI_FLOOR;
		psi += (c - r) * log(c / r);
	}
	return psi;
}

/* --- making ------------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Up to PROFILE_VALUES distinct values: half way between neighbours. Returns false when there are more. */
static bool edges_by_value(const double *v, size_t n, double *edge, size_t *n_edge)
{
	size_t k = 0;

	for (size_t i = 1; i < n; i++) {
		if (v[i] <= v[i - 1])
			continue;
		if (k + 1 >= PROFILE_VALUES)
			return false;
		double middle = v[i - 1] / 2 + v[i] / 2;
		edge[k++] = middle > v[i - 1] ? middle : v[i];
	}
	*n_edge = k;
	return true;
}

static size_t edges_by_decile(const double *v, size_t n, double *edge)
{
	size_t k = 0;

	for (size_t i = 1; i < 10; i++) {
		double x = v[i * n / 10];
		if (x > v[0] && (k == 0 || x > edge[k - 1]))
			edge[k++] = x;
	}
	return k;
}

static void fill_shares(struct profile_part *p, const double *v, size_t n, struct arena *a)
{
	size_t n_edge = p->edges.n, n_bin = n_edge + 2;
	double *share = ARENA_ARRAY(a, double, n_bin), sum = 0;

	for (size_t i = 0; i < n; i++) {
		share[profile_bin(p->edges.at, n_edge, v[i])] += 1;
		sum += v[i];
	}
	share[n_edge + 1] = (double)p->n_missing;
	for (size_t i = 0; i < n_bin; i++)
		share[i] /= p->n > 0 ? (double)p->n : 1;
	p->shares = (struct list){ share, n_bin };
	p->mean = n > 0 ? sum / (double)n : 0;
}

static void measure_column(const struct profile_column *c, struct arena *a, struct profile_part *p)
{
	struct arena scratch;
	double *edge = ARENA_ARRAY(a, double, PROFILE_EDGES_MAX);
	size_t n = 0, n_edge = 0;

	arena_init(&scratch);
	double *v = ARENA_ARRAY(&scratch, double, c->n);
	for (size_t i = 0; i < c->n; i++) {
		double x = (double)c->value[i * c->stride];
		if (isfinite(x))
			v[n++] = x;
	}
	if (n > 0) {
		qsort(v, n, sizeof(*v), by_value);
		if (!edges_by_value(v, n, edge, &n_edge))
			n_edge = edges_by_decile(v, n, edge);
	}
	*p = (struct profile_part){ .name = str_of(c->name), .n = (int64_t)c->n, .n_missing = (int64_t)(c->n - n),
				    .min = n > 0 ? v[0] : 0, .max = n > 0 ? v[n - 1] : 0, .edges = { edge, n_edge } };
	fill_shares(p, v, n, a);
	arena_deinit(&scratch);
}

str observe_reference_json(const struct profile_column *c, size_t n, struct arena *a)
{
	struct profile p = { .n = n > 0 ? (int64_t)c[0].n : 0 };
	struct profile_part *part = ARENA_ARRAY(a, struct profile_part, n);

	for (size_t i = 0; i < n; i++)
		measure_column(&c[i], a, &part[i]);
	p.columns = (struct list){ part, n };
	return record_to_json(&profile_record, &p, 0, a);
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static enum rc check_part(const struct profile_part *p, struct err *e)
{
	const double *edge = p->edges.at, *share = p->shares.at;

	if (p->shares.n != p->edges.n + 2)
		return FAIL(e, RC_INVALID, "column '" STR_FMT "' has %zu shares for %zu edges", STR_ARG(p->name), p->shares.n, p->edges.n);
	for (size_t i = 1; i < p->edges.n; i++) {
		if (!(edge[i] > edge[i - 1]))
			return FAIL(e, RC_INVALID, "the edges of column '" STR_FMT "' do not rise", STR_ARG(p->name));
	}
	for (size_t i = 0; i < p->shares.n; i++) {
		if (!(share[i] >= 0 && share[i] <= 1))
			return FAIL(e, RC_INVALID, "a share of column '" STR_FMT "' is not between 0 and 1", STR_ARG(p->name));
	}
	return RC_OK;
}

enum rc profile_parse(str json, struct arena *a, struct profile *out, struct err *e)
{
	struct profile p;

	if (record_from_json(&profile_record, json, a, 0, &p, e) != RC_OK)
		return err_wrap(e, "reference profile");
	for (size_t i = 0; i < p.columns.n; i++)
		TRY(check_part(LIST_AT(p.columns, struct profile_part, i), e));
	*out = p;
	return RC_OK;
}

const struct profile_part *profile_column_find(const struct profile *p, str name)
{
	for (size_t i = 0; i < p->columns.n; i++) {
		const struct profile_part *part = LIST_AT(p->columns, const struct profile_part, i);
		if (str_eq(part->name, name))
			return part;
	}
	return NULL;
}
