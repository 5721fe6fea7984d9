/* drift.c -- the ring of bins. */
#include "modules/observe/drift.h"

#include <string.h>

#define RATE_SECONDS 10

static void set_column(struct arena *a, struct drift_column *c, str name, const struct profile *reference)
{
	const struct profile_part *part = reference != NULL ? profile_column_find(reference, name) : NULL;

	c->name = arena_dup(a, name);
	if (part == NULL)
		return;
	double *edge = ARENA_ARRAY(a, double, part->edges.n), *share = ARENA_ARRAY(a, double, part->shares.n);
	if (part->edges.n > 0)
		memcpy(edge, part->edges.at, part->edges.n * sizeof(*edge));
	memcpy(share, part->shares.at, part->shares.n * sizeof(*share));
	c->edge = edge;
	c->share = share;
	c->n_edge = part->edges.n;
	c->n_reference = part->n;
	c->tracked = true;
}

struct drift *drift_new(struct arena *a, const struct drift_new *n, const struct profile *reference)
{
	struct drift *d = ARENA_NEW(a, struct drift);

	CHECK(n->window > 0);
	d->endpoint = arena_dup(a, n->endpoint);
	d->model = arena_dup(a, n->model);
	d->version = n->version;
	d->window = n->window;
	d->window_ms = n->window_ms;
	d->n_column = n->n_input + 1;
	d->column = ARENA_ARRAY(a, struct drift_column, d->n_column);
	for (size_t i = 0; i < n->n_input; i++)
		set_column(a, &d->column[i], n->input[i], reference);
	set_column(a, &d->column[n->n_input], n->output, reference);
	d->bin = ARENA_ARRAY(a, uint8_t, d->window * d->n_column);
	d->at_ms = ARENA_ARRAY(a, int64_t, d->window);
	d->latency_ns = ARENA_ARRAY(a, uint64_t, d->window);
	return d;
}

static void drop_oldest(struct drift *d)
{
	CHECK(d->n > 0);
	size_t slot = (d->head + d->window - d->n) % d->window;
	const uint8_t *bin = d->bin + slot * d->n_column;

	for (size_t i = 0; i < d->n_column; i++) {
		if (d->column[i].tracked) {
			CHECK(d->column[i].count[bin[i]] > 0);
			d->column[i].count[bin[i]]--;
		}
	}
	d->n--;
}

void drift_expire(struct drift *d, int64_t now_ms)
{
	while (d->window_ms > 0 && d->n > 0 && d->at_ms[(d->head + d->window - d->n) % d->window] < now_ms - d->window_ms)
		drop_oldest(d);
}

void drift_clear(struct drift *d)
{
	while (d->n > 0)
		drop_oldest(d);
}

void drift_push(struct drift *d, const struct drift_sample *s)
{
	if (d->n == d->window)
		drop_oldest(d);
	uint8_t *bin = d->bin + d->head * d->n_column;
	for (size_t i = 0; i < d->n_column; i++) {
		struct drift_column *c = &d->column[i];
		if (!c->tracked)
			continue;
		double x = i + 1 < d->n_column ? s->input[i] : s->output;
		bin[i] = (uint8_t)profile_bin(c->edge, c->n_edge, x);
		c->count[bin[i]]++;
	}
	d->at_ms[d->head] = s->at_ms;
	d->latency_ns[d->head] = s->latency_ns;
	d->head = (d->head + 1) % d->window;
	d->n++;
	d->last_seq = s->seq;
	d->total++;
	int64_t second = s->at_ms / 1000;
	size_t k = (size_t)(second & (DRIFT_SECONDS - 1));
	if (d->second[k] != second) {
		d->second[k] = second;
		d->per_second[k] = 0;
	}
	d->per_second[k]++;
}

double drift_psi(const struct drift *d, size_t column)
{
	const struct drift_column *c = &d->column[column];

	return c->tracked ? profile_psi(c->share, c->count, c->n_edge + 2) : 0;
}

double drift_rate(const struct drift *d, int64_t now_ms)
{
	int64_t now = now_ms / 1000;
	uint64_t n = 0;

	for (size_t i = 0; i < DRIFT_SECONDS; i++)
		n += d->second[i] >= now - RATE_SECONDS && d->second[i] < now ? d->per_second[i] : 0;
	return (double)n / RATE_SECONDS;
}
