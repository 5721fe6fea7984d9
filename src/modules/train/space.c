/* space.c -- the points that a search tries.
 *
 * Halton's sequence (J. H. Halton, 1960) covers the space more evenly than independent draws; each dimension is shifted
 * by an amount drawn from the seed, modulo 1 (Cranley and Patterson, 1976), so that seeds differ. */
#include <math.h>

#include "base/num.h"
#include "modules/train/train_int.h"

static const uint8_t primes[TRAIN_DIMS_MAX] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53 };

static double radical_inverse(size_t i, unsigned base)
{
	double out = 0, digit = 1.0 / base;

	for (; i > 0; i /= base, digit /= base)
		out += digit * (double)(i % base);
	return out;
}

static double at(const struct dimension *d, double u)
{
	if (d->scale == SCALE_LOG)
		return exp(log(d->min) + u * (log(d->max) - log(d->min)));
	return d->min + u * (d->max - d->min);
}

static str number_text(struct arena *a, double v)
{
	char text[NUM_TEXT_MAX];

	return arena_dup(a, str_n(text, num_put_f64(text, v)));
}

static str value_at(const struct dimension *d, double u, struct arena *a)
{
	if (d->choices.n > 0)
		return *LIST_AT(d->choices, str, (size_t)(u * (double)d->choices.n) % d->choices.n);
	if (d->whole) {
		/* Each whole number gets its equal share, the last one too. */
		double v = d->scale == SCALE_LOG ? round(at(d, u)) : floor(d->min + u * (d->max - d->min + 1));
		return arena_printf(a, "%lld", (long long)fmin(fmax(v, d->min), d->max));
	}
	/* Six digits are as good as sixteen here, and people read them. */
	double v = at(d, u), unit = pow(10, 6 - ceil(log10(fabs(v) > 0 ? fabs(v) : 1)));
	return number_text(a, round(v * unit) / unit);
}

void train__space_point(const struct train_request *r, size_t trial, struct arena *a, struct list *out)
{
	struct rng rng;
	struct pair *p = ARENA_ARRAY(a, struct pair, r->space.n);

	CHECK(r->space.n <= TRAIN_DIMS_MAX);
	rng_seed(&rng, (uint64_t)r->seed);
	for (size_t i = 0; i < r->space.n; i++) {
		const struct dimension *d = LIST_AT(r->space, struct dimension, i);
		double u = radical_inverse(trial + 1, primes[i]) + rng_unit(&rng);
		p[i] = (struct pair){ d->param, value_at(d, u - floor(u), a) };
	}
	*out = (struct list){ p, r->space.n };
}

/* Set by the trainer itself. */
static bool is_reserved(str param)
{
	static const char *const names[] = { "objective", "eval_metric", "nthread", "seed", "verbosity", "num_class", "base_score" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(param, str_of(names[i])))
			return true;
	}
	return false;
}

static enum rc dimension_check(const struct dimension *d, struct err *e)
{
	if (is_reserved(d->param))
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is set by cairn", STR_ARG(d->param));
	if (d->choices.n > 0)
		return d->min < d->max ? FAIL(e, RC_INVALID, "'" STR_FMT "' has choices and also min and max", STR_ARG(d->param)) : RC_OK;
	if (!(d->min < d->max) || !isfinite(d->min) || !isfinite(d->max))
		return FAIL(e, RC_INVALID, "'" STR_FMT "' needs choices, or a min below its max", STR_ARG(d->param));
	if (d->scale == SCALE_LOG && d->min <= 0)
		return FAIL(e, RC_INVALID, "'" STR_FMT "' cannot be on a log scale from %g on: it must be above 0", STR_ARG(d->param), d->min);
	return RC_OK;
}

static bool in_space(const struct train_request *r, size_t n, str param)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(LIST_AT(r->space, struct dimension, i)->param, param))
			return true;
	}
	return false;
}

enum rc train__space_check(const struct train_request *r, struct err *e)
{
	for (size_t i = 0; i < r->space.n; i++) {
		const struct dimension *d = LIST_AT(r->space, struct dimension, i);
		enum rc rc = dimension_check(d, e);
		if (rc == RC_OK && in_space(r, i, d->param))
			rc = FAIL(e, RC_INVALID, "'" STR_FMT "' is given twice", STR_ARG(d->param));
		if (rc != RC_OK)
			return err_field(e, "space[%zu]", i);
	}
	for (size_t i = 0; i < r->fixed.n; i++) {
		str name = LIST_AT(r->fixed, struct pair, i)->key;
		enum rc rc = is_reserved(name) ? FAIL(e, RC_INVALID, "'" STR_FMT "' is set by cairn", STR_ARG(name))
			   : in_space(r, r->space.n, name) ? FAIL(e, RC_INVALID, "'" STR_FMT "' is fixed and also in the space", STR_ARG(name))
			   : RC_OK;
		if (rc != RC_OK)
			return err_field(e, "fixed." STR_FMT, STR_ARG(str_head(name, 60)));
	}
	return RC_OK;
}
