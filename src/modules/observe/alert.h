/* alert.h -- rules over measures, and the states of their alerts. */
#ifndef CAIRN_MODULES_OBSERVE_ALERT_H
#define CAIRN_MODULES_OBSERVE_ALERT_H

#include "base/vec.h"

enum alert_state { ALERT_OK, ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };
extern const char *const alert_state_names[];
enum alert_op { ALERT_GT, ALERT_GE, ALERT_LT, ALERT_LE };
extern const char *const alert_op_names[];
extern const char *const alert_severity_names[];

struct alert_rule {
	str name, metric, endpoint, column, doc;
	struct list labels;             /* of struct pair: which series of a metric */
	int32_t op, severity;
	double bound;
	int64_t for_ms, window_ms, min_samples, created_ms, updated_ms;
};
/* What a rule's metric is now. !known: too little to tell, and why; such a rule does not hold. */
struct alert_measure { double value; int64_t n; bool known; str message; };

struct alert_row {                      /* a rule and how it stands */
	str rule, metric, endpoint, column, doc, message;
	int32_t op, severity, state;
	double bound, value;
	int64_t for_ms, n, since_ms, evaluated_ms;
};
struct alert_event { str id, rule; int64_t at_ms; int32_t from, to; double value, bound; str message; };

bool alert_breaches(const struct alert_rule *r, const struct alert_measure *m);
/* The state that follows at once, or the same; called until it stays. since_ms: when `from` began. */
enum alert_state alert_next(enum alert_state from, bool breach, int64_t since_ms, int64_t for_ms, int64_t now_ms);
extern const bool alert_may[4][4];      /* [from][to] */

#endif
