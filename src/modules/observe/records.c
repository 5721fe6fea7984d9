/* records.c -- what observe stores and answers. */
#include "modules/observe/observe_int.h"

#include <math.h>

static const struct field observe_config_fields[] = {
	FIELD(observe_config, window_rows, K_I64, 0, "Newest predictions of an endpoint that drift is measured over", .min = 50, .max = 200000,
	      .def = "1000", .unit = "rows"),
	FIELD(observe_config, window_ms, K_MS, 0, "Predictions older than this leave the window; 0: only their number counts", .name = "window",
	      .def = "0"),
	FIELD(observe_config, min_samples, K_I64, 0, "Fewer predictions than this in the window give no verdict", .min = 10, .max = 200000,
	      .def = "200", .unit = "rows"),
	FIELD(observe_config, segment_mb, K_I64, 0, "Size of a segment of the prediction log", .min = 1, .max = 1024, .def = "16", .unit = "MiB"),
	FIELD(observe_config, keep_log_mb, K_I64, 0, "Indexed segments beyond this size are removed", .min = 1, .max = 1048576, .def = "256",
	      .unit = "MiB"),
	FIELD(observe_config, keep_ms, K_MS, 0, "How long predictions and labels are kept in the database", .name = "keep", .def = "30d"),
	FIELD(observe_config, series_keep_ms, K_MS, 0, "How long samples of metrics are kept for charts", .name = "series_keep", .def = "2h"),
};
const struct record observe_config_record = RECORD(observe_config, observe_config_fields, "Monitoring of predictions");

/* --- predictions ---------------------------------------------------------------------------------------- */

static const struct field prediction_row_fields[] = {
	FIELD(prediction_row, id, K_STR, F_STORED | F_KEY, "Id of the prediction; rows of a batch are ID.0, ID.1, …"),
	FIELD(prediction_row, endpoint, K_STR, F_STORED, "Endpoint that answered"),
	FIELD(prediction_row, revision, K_I64, F_STORED | F_HIDE, "Revision of the endpoint"),
	FIELD(prediction_row, model, K_STR, F_STORED, "Registered model"),
	FIELD(prediction_row, version, K_I64, F_STORED, "Version of the model"),
	FIELD(prediction_row, at_ms, K_TIME, F_STORED, "When it was made", .name = "at"),
	FIELD(prediction_row, inputs, K_JSON, F_STORED, "Inputs of the model by name; null where missing"),
	FIELD(prediction_row, output_name, K_STR, F_STORED | F_HIDE, "What was predicted"),
	FIELD(prediction_row, output, K_F64, F_STORED, "The prediction"),
	FIELD(prediction_row, label, K_F64, F_NULLABLE, "What came true; null until a label came"),
	FIELD(prediction_row, latency_ms, K_F64, F_STORED, "From request to record", .unit = "ms"),
	FIELD(prediction_row, request_id, K_STR, F_STORED | F_HIDE, "The client's id of the request"),
	FIELD(prediction_row, view_ids, K_STR, F_STORED | F_HIDE, "Materialisations of feature views that were read"),
	FIELD(prediction_row, log, K_STR, F_STORED | F_HIDE, "Prediction log that it stood in"),
	FIELD(prediction_row, seq, K_I64, F_STORED | F_HIDE, "Its number in that log"),
};
const struct record prediction_row_record = RECORD(prediction_row, prediction_row_fields, "A prediction as recorded",
						   .name = "prediction", .table = "predictions",
						   .has_offset = offsetof(struct prediction_row, has));

/* --- drift ------------------------------------------------------------------------------------------------- */

static const char *const role_names_[] = { "input", "prediction", NULL };
const char *const drift_verdict_names[] = { "stable", "moderate", "drifted", "too_few", "no_reference", NULL };

static const struct field drift_row_fields[] = {
	FIELD(drift_row, endpoint, K_STR, 0, "Endpoint"),
	FIELD(drift_row, column, K_STR, 0, "Input of the model, or its output"),
	FIELD(drift_row, role, K_ENUM, 0, "Whether it is an input or the prediction", .names = role_names_),
	FIELD(drift_row, psi, K_F64, 0, "Population stability index of the window against the training set"),
	FIELD(drift_row, verdict, K_ENUM, 0, "stable below 0.1, drifted from 0.25 on", .names = drift_verdict_names),
	FIELD(drift_row, n, K_I64, 0, "Predictions in the window"),
	FIELD(drift_row, n_missing, K_I64, 0, "Of those, without a value"),
	FIELD(drift_row, n_reference, K_I64, F_HIDE, "Rows of the training set"),
	FIELD(drift_row, model, K_STR, F_HIDE, "Registered model"),
	FIELD(drift_row, version, K_I64, F_HIDE, "Version of the model"),
};
const struct record drift_row_record = RECORD(drift_row, drift_row_fields, "Drift of one column at one endpoint", .name = "drift");

/* --- labels and quality --------------------------------------------------------------------------------- */

static const struct field label_fields[] = {
	FIELD(label, prediction_id, K_STR, F_REQUIRED | F_STORED | F_KEY, "Id of the prediction that came true", .max = 64),
	FIELD(label, value, K_F64, F_REQUIRED | F_STORED, "What came true"),
	FIELD(label, at_ms, K_TIME, F_STORED | F_OUTPUT, "When it was told", .name = "labelled_at"),
	FIELD(label, who, K_STR, F_STORED | F_OUTPUT, "Who told it"),
};
static enum rc check_label(const void *obj, struct err *e)
{
	const struct label *l = obj;

	if (!isfinite(l->value)) {
		(void)FAIL(e, RC_INVALID, "a label is a finite number");
		return err_field(e, "value");
	}
	return RC_OK;
}
const struct record label_record = RECORD(label, label_fields, "What came true of a prediction", .table = "prediction_labels",
					  .validate = check_label);

static const struct field quality_part_fields[] = {
	FIELD(quality_part, at_ms, K_TIME, 0, "Start of the part", .name = "at"),
	FIELD(quality_part, n, K_I64, 0, "Labelled predictions in it"),
	FIELD(quality_part, mae, K_F64, 0, "Mean absolute error"),
	FIELD(quality_part, rmse, K_F64, 0, "Root mean square error"),
	FIELD(quality_part, bias, K_F64, 0, "Mean of prediction less label"),
};
const struct record quality_part_record = RECORD(quality_part, quality_part_fields, "Errors in a part of time");
static const struct field quality_fields[] = {
	FIELD(quality, endpoint, K_STR, 0, "Endpoint"),
	FIELD(quality, n_predictions, K_I64, 0, "Predictions recorded"),
	FIELD(quality, n_labels, K_I64, 0, "Of those, with a label"),
	FIELD(quality, mae, K_F64, 0, "Mean absolute error"),
	FIELD(quality, rmse, K_F64, 0, "Root mean square error"),
	FIELD(quality, bias, K_F64, 0, "Mean of prediction less label"),
	FIELD(quality, label_mean, K_F64, 0, "Mean of the labels"),
	FIELD(quality, parts, K_RECORDS, F_HIDE, "The same by time of prediction, oldest first", .sub = &quality_part_record),
};
const struct record quality_record = RECORD(quality, quality_fields, "How well an endpoint predicted, by the labels that came");

/* --- alerts ------------------------------------------------------------------------------------------------ */

const char *const alert_op_names[] = { ">", ">=", "<", "<=", NULL };
const char *const alert_severity_names[] = { "info", "warning", "critical", NULL };
const char *const alert_state_names[] = { "ok", "pending", "firing", "resolved", NULL };
#define METRIC_DOC "drift, prediction_drift, error (mean absolute error), latency_p99 (ms), rate (per second), or a series of /metrics"

static const struct field alert_rule_fields[] = {
	FIELD(alert_rule, name, K_STR, F_REQUIRED | F_STORED | F_KEY, "Unique name", .max = 128, .format = "name"),
	FIELD(alert_rule, metric, K_STR, F_REQUIRED | F_STORED, METRIC_DOC, .max = 128),
	FIELD(alert_rule, endpoint, K_STR, F_STORED, "Endpoint concerned", .max = 128),
	FIELD(alert_rule, column, K_STR, F_STORED, "drift: this input only; without it the input that drifted most", .max = 128),
	FIELD(alert_rule, labels, K_PAIRS, F_STORED, "A series of /metrics: labels that it must have", .max = 4),
	FIELD(alert_rule, op, K_ENUM, F_STORED, "How the value is compared", .names = alert_op_names, .def = ">="),
	FIELD(alert_rule, bound, K_F64, F_REQUIRED | F_STORED, "With what it is compared"),
	FIELD(alert_rule, for_ms, K_MS, F_STORED, "How long it must hold before the alert fires", .name = "for", .def = "0"),
	FIELD(alert_rule, window_ms, K_MS, F_STORED, "error: over the predictions of the last so long", .name = "window", .def = "24h"),
	FIELD(alert_rule, min_samples, K_I64, F_STORED, "Fewer samples than this do not hold; 0: as configured", .min = 0, .max = 1e9),
	FIELD(alert_rule, severity, K_ENUM, F_STORED, "How bad it is", .names = alert_severity_names, .def = "warning"),
	FIELD(alert_rule, doc, K_STR, F_STORED, "What it means and what to do", .max = 4000),
	FIELD(alert_rule, created_ms, K_TIME, F_STORED | F_OUTPUT, "When it was first applied", .name = "created_at"),
	FIELD(alert_rule, updated_ms, K_TIME, F_STORED | F_OUTPUT, "When it was last applied", .name = "updated_at"),
};
/* Which metrics need an endpoint, and which of them take a column. */
static const struct { str metric; bool column; } endpoint_metrics[] = {
	{ { "drift", 5 },            true  },
	{ { "prediction_drift", 16 }, false },
	{ { "error", 5 },            false },
	{ { "latency_p99", 11 },     false },
	{ { "rate", 4 },             false },
};

static enum rc check_rule(const void *obj, struct err *e)
{
	const struct alert_rule *r = obj;
	bool known = false, column = false;

	for (size_t i = 0; i < ARRAY_LEN(endpoint_metrics); i++) {
		if (str_eq(r->metric, endpoint_metrics[i].metric)) {
			known = true;
			column = endpoint_metrics[i].column;
		}
	}
	if (!known && !str_starts(r->metric, STR("cairn_"))) {
		(void)FAIL(e, RC_INVALID, "'" STR_FMT "' is none of " METRIC_DOC " (cairn_…)", STR_ARG(r->metric));
		return err_field(e, "metric");
	}
	if (known && r->endpoint.len == 0) {
		(void)FAIL(e, RC_INVALID, "metric " STR_FMT " needs an endpoint", STR_ARG(r->metric));
		return err_field(e, "endpoint");
	}
	if (!isfinite(r->bound)) {
		(void)FAIL(e, RC_INVALID, "a bound is a finite number");
		return err_field(e, "bound");
	}
	if (!column && r->column.len > 0) {
		(void)FAIL(e, RC_INVALID, "a column goes with metric drift only, not with " STR_FMT, STR_ARG(r->metric));
		return err_field(e, "column");
	}
	return RC_OK;
}
const struct record alert_rule_record = RECORD(alert_rule, alert_rule_fields, "When to raise an alert", .table = "alert_rules",
					       .validate = check_rule);

static const struct field alert_row_fields[] = {
	FIELD(alert_row, rule, K_STR, 0, "Rule"),
	FIELD(alert_row, state, K_ENUM, 0, "ok, pending, firing or resolved", .names = alert_state_names),
	FIELD(alert_row, severity, K_ENUM, 0, "How bad it is", .names = alert_severity_names),
	FIELD(alert_row, metric, K_STR, 0, METRIC_DOC),
	FIELD(alert_row, endpoint, K_STR, 0, "Endpoint concerned"),
	FIELD(alert_row, column, K_STR, F_HIDE, "Input concerned"),
	FIELD(alert_row, value, K_F64, 0, "Value when last evaluated"),
	FIELD(alert_row, op, K_ENUM, F_HIDE, "How it is compared", .names = alert_op_names),
	FIELD(alert_row, bound, K_F64, 0, "With what it is compared"),
	FIELD(alert_row, for_ms, K_MS, F_HIDE, "How long it must hold before the alert fires", .name = "for"),
	FIELD(alert_row, n, K_I64, F_HIDE, "Samples behind the value"),
	FIELD(alert_row, since_ms, K_TIME, F_NULLABLE, "Since when it is in this state", .name = "since"),
	FIELD(alert_row, evaluated_ms, K_TIME, F_NULLABLE | F_HIDE, "When it was last evaluated", .name = "evaluated_at"),
	FIELD(alert_row, message, K_STR, 0, "What was seen"),
	FIELD(alert_row, doc, K_STR, F_HIDE, "What it means and what to do"),
};
const struct record alert_row_record = RECORD(alert_row, alert_row_fields, "A rule and how it stands", .name = "alert");

static const struct field alert_event_fields[] = {
	FIELD(alert_event, id, K_STR, F_STORED | F_KEY, "Id of the change"),
	FIELD(alert_event, rule, K_STR, F_STORED, "Rule"),
	FIELD(alert_event, at_ms, K_TIME, F_STORED, "When", .name = "at"),
	FIELD(alert_event, from, K_ENUM, F_STORED, "State before", .name = "from_state", .names = alert_state_names),
	FIELD(alert_event, to, K_ENUM, F_STORED, "State after", .name = "to_state", .names = alert_state_names),
	FIELD(alert_event, value, K_F64, F_STORED, "Value then"),
	FIELD(alert_event, bound, K_F64, F_STORED, "Bound then"),
	FIELD(alert_event, message, K_STR, F_STORED, "What was seen"),
};
const struct record alert_event_record = RECORD(alert_event, alert_event_fields, "A change of an alert's state", .table = "alert_history");

/* --- series ------------------------------------------------------------------------------------------------- */

static const struct field series_rows_fields[] = {
	FIELD(series_rows, name, K_STR, 0, "Name of the metric"),
	FIELD(series_rows, labels, K_STR, 0, "Its labels, as in endpoint=taxi-fare"),
	FIELD(series_rows, at, K_I64S, 0, "Times of the samples in ms, oldest first"),
	FIELD(series_rows, value, K_F64S, 0, "Values of the samples"),
};
const struct record series_rows_record = RECORD(series_rows, series_rows_fields, "Samples of one series", .name = "series");
