/* api_observe.c -- drift, labels, quality, alerts and series over HTTP. */
#include "modules/observe/observe_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "core/route.h"

#define LABELS_MAX 100000
#define RULES_MAX 1000

struct listing { struct list items; };
#define LIST_RECORD(var, key, of, text)                                                                                     \
	static const struct field var##_fields[] = { FIELD(listing, items, K_RECORDS, 0, text, .name = key, .sub = &of) };    \
	static const struct record var##_record = RECORD(listing, var##_fields, text, .name = #var)
LIST_RECORD(drift_listing, "drift", drift_row_record, "Drift, a row per input and prediction of each endpoint");
LIST_RECORD(alert_listing, "alerts", alert_row_record, "Alerts by rule");
LIST_RECORD(rule_listing, "rules", alert_rule_record, "Alert rules by name");
LIST_RECORD(event_listing, "events", alert_event_record, "Changes of alerts, newest first");
LIST_RECORD(quality_listing, "quality", quality_record, "Quality of endpoints");
LIST_RECORD(series_listing, "series", series_rows_record, "Series of one name");

struct ask { str endpoint, name; int64_t limit, since_ms, part_ms; };

/* --- drift and quality --------------------------------------------------------------------------------------- */

static const struct field drift_ask_fields[] = {
	FIELD(ask, endpoint, K_STR, 0, "Endpoint; all if not given", .max = 128),
};
static const struct record drift_ask_record = RECORD(ask, drift_ask_fields, "Whose drift", .name = "drift_query");

static enum rc get_drift(struct call *c, const void *in, void *out, struct err *e)
{
	const struct ask *q = in;
	struct listing *l = out;

	TRY(observe__drift(c->module, c->arena, q->endpoint, &l->items, e));
	if (q->endpoint.len > 0 && l->items.n == 0)
		return FAIL(e, RC_NOT_FOUND, "endpoint '" STR_FMT "' is not watched", STR_ARG(q->endpoint));
	return RC_OK;
}

static const struct field quality_ask_fields[] = {
	FIELD(ask, endpoint, K_STR, F_REQUIRED, "Endpoint", .max = 128),
	FIELD(ask, since_ms, K_TIME, 0, "Predictions from then on", .name = "since"),
	FIELD(ask, part_ms, K_MS, 0, "Length of the parts of time", .name = "part", .def = "1h"),
};
static const struct record quality_ask_record = RECORD(ask, quality_ask_fields, "Whose quality", .name = "quality_query");

static enum rc get_quality(struct call *c, const void *in, void *out, struct err *e)
{
	const struct ask *q = in;
	struct listing *l = out;
	struct quality *quality = ARENA_NEW(c->arena, struct quality);

	TRY(observe__index_now(c->module, e));
	*l = (struct listing){ { quality, 1 } };
	return observe__quality(c->core->db, c->arena, q->endpoint, q->since_ms, q->part_ms, quality, e);
}

/* --- labels ---------------------------------------------------------------------------------------------------- */

struct labels_in { struct list labels; };
static const struct field labels_in_fields[] = {
	FIELD(labels_in, labels, K_RECORDS, F_REQUIRED, "What came true", .sub = &label_record, .max = LABELS_MAX),
};
static const struct record labels_in_record = RECORD(labels_in, labels_in_fields, "Labels that came later");
struct labels_out { int64_t accepted, matched, waiting; };
static const struct field labels_out_fields[] = {
	FIELD(labels_out, accepted, K_I64, 0, "Labels that were stored"),
	FIELD(labels_out, matched, K_I64, 0, "Of those, for predictions on record"),
	FIELD(labels_out, waiting, K_I64, 0, "Of those, kept for predictions that are not known yet"),
};
static const struct record labels_out_record = RECORD(labels_out, labels_out_fields, "What became of the labels");

static enum rc post_labels(struct call *c, const void *in, void *out, struct err *e)
{
	const struct labels_in *l = in;
	struct labels_out *r = out;
	int64_t matched = 0;

	TRY(observe__index_now(c->module, e));
	TRY(observe__labels_put(c->core->db, &l->labels, c->who, &matched, e));
	*r = (struct labels_out){ (int64_t)l->labels.n, matched, (int64_t)l->labels.n - matched };
	return RC_OK;
}

/* --- alerts ---------------------------------------------------------------------------------------------------- */

struct rules_in { struct list rules; };
static enum rc check_rules(const void *obj, struct err *e)
{
	const struct rules_in *r = obj;

	for (size_t i = 0; i < r->rules.n; i++) {
		for (size_t k = 0; k < i; k++) {
			str name = LIST_AT(r->rules, const struct alert_rule, i)->name;
			if (str_eq(name, LIST_AT(r->rules, const struct alert_rule, k)->name))
				return FAIL(e, RC_INVALID, "two rules are named '" STR_FMT "'", STR_ARG(name));
		}
	}
	return RC_OK;
}
static const struct field rules_in_fields[] = {
	FIELD(rules_in, rules, K_RECORDS, F_REQUIRED, "The rules", .sub = &alert_rule_record, .max = RULES_MAX),
};
static const struct record rules_in_record = RECORD(rules_in, rules_in_fields, "Alert rules to make or replace", .validate = check_rules);

static enum rc list_alerts(struct call *c, void *out, struct err *e)
{
	struct listing *l = out;

	return observe__alerts(c->core->db, c->arena, &l->items, e);
}

static enum rc post_rules(struct call *c, const void *in, void *out, struct err *e)
{
	const struct rules_in *r = in;

	TRY(observe__rules_put(c->core->db, &r->rules, c->who, e));
	return list_alerts(c, out, e);
}

static enum rc get_rules(struct call *c, const void *in, void *out, struct err *e)
{
	struct listing *l = out;

	(void)in;
	return observe__rules(c->core->db, c->arena, &l->items, e);
}

static const struct field rule_ask_fields[] = {
	FIELD(ask, name, K_STR, F_REQUIRED, "Name of the rule", .max = 128),
	FIELD(ask, limit, K_I64, 0, "How many changes at most", .min = 1, .max = 10000, .def = "100"),
};
static const struct field history_ask_fields[] = {
	FIELD(ask, name, K_STR, 0, "Name of the rule; all if not given", .max = 128, .name = "rule"),
	FIELD(ask, limit, K_I64, 0, "How many changes at most", .min = 1, .max = 10000, .def = "100"),
};
static const struct record history_ask_record = RECORD(ask, history_ask_fields, "Which changes", .name = "history_query");
static const struct record rule_ask_record = RECORD(ask, rule_ask_fields, "Which rule", .name = "rule_query");

static enum rc delete_rule(struct call *c, const void *in, void *out, struct err *e)
{
	const struct ask *q = in;
	struct observe *o = c->module;

	TRY(observe__rule_delete(c->core->db, q->name, c->who, e));
	series_set(metric_series(o->firing, &q->name), 0);
	return list_alerts(c, out, e);
}

static enum rc get_alerts(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	return list_alerts(c, out, e);
}

static enum rc post_evaluate(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	TRY(observe__alerts_evaluate(c->module, c->arena, e));
	return list_alerts(c, out, e);
}

static enum rc get_history(struct call *c, const void *in, void *out, struct err *e)
{
	const struct ask *q = in;
	struct listing *l = out;

	return observe__alert_history(c->core->db, c->arena, q->name, q->limit, &l->items, e);
}

/* --- series ------------------------------------------------------------------------------------------------------ */

static const struct field series_ask_fields[] = {
	FIELD(ask, name, K_STR, F_REQUIRED, "Name of the metric, as in cairn_drift_psi", .max = 200),
	FIELD(ask, since_ms, K_TIME, 0, "Samples from then on; RFC 3339 or milliseconds since 1970"),
};
static const struct record series_ask_record = RECORD(ask, series_ask_fields, "Which series", .name = "series_query");

static enum rc get_series(struct call *c, const void *in, void *out, struct err *e)
{
	const struct ask *q = in;
	struct listing *l = out;

	return observe__samples(c->core->db, c->arena, q->name, q->since_ms, &l->items, e);
}

const struct route observe_routes[] = {
	{ HTTP_GET, "/drift", "observe.read", NULL, &drift_ask_record, &drift_listing_record, get_drift, NULL,
	  "How far inputs and predictions have moved from the training set", 0, 0 },
	{ HTTP_GET, "/endpoints-quality", "observe.read", NULL, &quality_ask_record, &quality_listing_record, get_quality, NULL,
	  "Errors of an endpoint by the labels that came", 0, 0 },
	{ HTTP_POST, "/labels", "observe.write", NULL, &labels_in_record, &labels_out_record, post_labels, NULL,
	  "Tells what came true, by prediction id", 0, 0 },
	{ HTTP_POST, "/alert-rules", "observe.write", NULL, &rules_in_record, &alert_listing_record, post_rules, NULL,
	  "Makes or replaces alert rules", 0, 0 },
	{ HTTP_GET, "/alert-rules", "observe.read", NULL, NULL, &rule_listing_record, get_rules, NULL, "Lists alert rules", 0, 0 },
	{ HTTP_DELETE, "/alert-rules/{name}", "observe.write", NULL, &rule_ask_record, &alert_listing_record, delete_rule, NULL,
	  "Removes a rule and its alert", 0, 0 },
	{ HTTP_GET, "/alerts", "observe.read", NULL, NULL, &alert_listing_record, get_alerts, NULL, "Lists rules and how they stand", 0, 0 },
	{ HTTP_POST, "/alerts/evaluate", "observe.write", NULL, NULL, &alert_listing_record, post_evaluate, NULL, "Evaluates all rules now", 0, 0 },
	{ HTTP_GET, "/alerts/history", "observe.read", NULL, &history_ask_record, &event_listing_record, get_history, NULL,
	  "How alerts changed", 0, 0 },
	{ HTTP_GET, "/alerts/{name}/history", "observe.read", NULL, &rule_ask_record, &event_listing_record, get_history, NULL,
	  "How an alert changed", 0, 0 },
	{ HTTP_GET, "/series", "observe.read", NULL, &series_ask_record, &series_listing_record, get_series, NULL,
	  "Samples of a metric, for charts", 0, 0 },
};
_Static_assert(ARRAY_LEN(observe_routes) == OBSERVE_ROUTES, "observe_int.h says how many");
