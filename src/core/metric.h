/* metric.h -- counters, gauges and histograms, rendered as Prometheus text at /metrics.
 *
 * A family is registered once; a series is a family with label values and is found once and kept by whoever
 * records. Recording is a relaxed atomic; any thread. Series per family are bounded (1,000); past that the
 * values go to one series labelled "other".
 */
#ifndef CAIRN_CORE_METRIC_H
#define CAIRN_CORE_METRIC_H

#include "base/buf.h"
#include "base/hist.h"

struct metrics;
struct metric_family;
struct series;
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM /* of nanoseconds, shown in seconds */ };
#define METRIC_LABELS_MAX 4
struct metric_def {
	const char *name;               /* "cairn_http_requests_total", "cairn_predict_seconds" */
	enum metric_type type;
	const char *help;
	const char *label[METRIC_LABELS_MAX];   /* names, the rest NULL */
};
struct metrics *metrics_new(void);
void metrics_free(struct metrics **slot);
struct metric_family *metric_register(struct metrics *m, const struct metric_def *d);   /* same def twice: the same family */
struct series *metric_series(struct metric_family *f, const str *label_values);         /* as many as labels */
void series_add(struct series *s, double v);            /* counters: v ≥ 0; gauges: any */
void series_set(struct series *s, double v);            /* gauges */
void series_observe(struct series *s, uint64_t ns);
double series_value(const struct series *s);
const struct hist *series_hist(const struct series *s);
/* Gauges computed when scraped. */
void metric_callback(struct metric_family *f, double (*fn)(void *ctx), void *ctx);
void metrics_render(struct metrics *m, struct buf *out);
/* Visits series of all families: for the console, alert rules and stored samples. Histograms visit as
 * name_count, name_sum, name_p50, name_p95 and name_p99. */
void metrics_each(struct metrics *m, void (*fn)(void *ctx, const char *name, const struct metric_def *d,
						 const str *label_values, double value), void *ctx);

#endif
