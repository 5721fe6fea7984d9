/* series.c -- samples of the program's own metrics, kept for a bounded time for charts. */
#include "modules/observe/observe_int.h"

#include "base/clock.h"

#define SAMPLES_MAX 2000   /* series per tick */

struct sampling { struct arena *a; VEC(struct sample) sample; };

static str labels_text(struct arena *a, const struct metric_def *d, const str *values)
{
	str out = STR("");

	for (size_t i = 0; i < METRIC_LABELS_MAX && d->label[i] != NULL; i++)
		out = arena_printf(a, STR_FMT "%s%s=" STR_FMT, STR_ARG(out), i > 0 ? "," : "", d->label[i], STR_ARG(values[i]));
	return out;
}

static void add_sample(void *ctx, const char *name, const struct metric_def *d, const str *values, double value)
{
	struct sampling *s = ctx;
	str of = str_of(name);

	/* Of the many routes' histograms one number each: the others would be most of what is kept. */
	if (str_starts(of, STR("cairn_http_request_seconds_")) && !str_ends(of, STR("_p99")))
		return;
	if (s->sample.n < SAMPLES_MAX)
		*VEC_PUSH(s->a, &s->sample) = (struct sample){ arena_dup(s->a, of), labels_text(s->a, d, values), value };
}

enum rc observe__series_timer(void *module, struct err *e)
{
	struct observe *o = module;
	int64_t now = clock_ms();
	struct arena a;
	struct sampling s = { .a = &a };

	arena_init(&a);
	metrics_each(o->core->metrics, add_sample, &s);
	enum rc rc = observe__samples_put(o->core->db, now, s.sample.at, s.sample.n, now - o->config.series_keep_ms, e);
	arena_deinit(&a);
	return rc;
}
