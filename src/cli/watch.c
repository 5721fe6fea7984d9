/* watch.c -- drift, quality and alerts. */
#include "cli/answer.h"

struct endpoint_query { str endpoint; int64_t limit; };
static const struct field endpoint_query_fields[] = {
	FIELD(endpoint_query, endpoint, K_STR, F_KEY | F_REQUIRED, "Name of the endpoint"),
};
static const struct record endpoint_query_record = RECORD(endpoint_query, endpoint_query_fields, "Which endpoint");
static const struct field predictions_fields[] = {
	FIELD(endpoint_query, endpoint, K_STR, F_KEY | F_REQUIRED, "Name of the endpoint"),
	FIELD(endpoint_query, limit, K_I64, 0, "How many, newest first"),
};
static const struct record predictions_record = RECORD(endpoint_query, predictions_fields, "Which predictions");
struct file_arg { str file; };
static const struct field alert_file_fields[] = { FIELD(file_arg, file, K_STR, F_KEY | F_REQUIRED, "YAML file with the rules") };
static const struct record alert_file_record = RECORD(file_arg, alert_file_fields, "Rules");

static const struct column prediction_columns[] = {
	{ "id", "id", SHOW_TEXT }, { "at", "when", SHOW_TIME }, { "model", "model", SHOW_TEXT }, { "version", "version", SHOW_COUNT },
	{ "output", "output", SHOW_NUMBER }, { "label", "label", SHOW_NUMBER }, { "latency_ms", "ms", SHOW_NUMBER }, { .path = NULL },
};

static const struct column drift_columns[] = {
	{ "column", "column", SHOW_TEXT }, { "role", "role", SHOW_TEXT }, { "psi", "PSI", SHOW_NUMBER }, { "verdict", "verdict", SHOW_TEXT },
	{ "n", "predictions", SHOW_COUNT }, { "n_missing", "missing", SHOW_COUNT }, { .path = NULL },
};
static const struct column quality_columns[] = {
	{ "endpoint", "endpoint", SHOW_TEXT }, { "n_predictions", "predictions", SHOW_COUNT }, { "n_labels", "labels", SHOW_COUNT },
	{ "mae", "mean absolute error", SHOW_NUMBER }, { "rmse", "root mean square error", SHOW_NUMBER }, { "bias", "bias", SHOW_NUMBER },
	{ "label_mean", "mean label", SHOW_NUMBER }, { .path = NULL },
};
static const struct column alert_columns[] = {
	{ "rule", "rule", SHOW_TEXT }, { "state", "state", SHOW_TEXT }, { "severity", "severity", SHOW_TEXT }, { "endpoint", "endpoint", SHOW_TEXT },
	{ "value", "value", SHOW_NUMBER }, { "op", "", SHOW_TEXT }, { "bound", "bound", SHOW_NUMBER }, { "since", "since", SHOW_TIME },
	{ "message", "message", SHOW_TEXT }, { .path = NULL },
};

static const struct command watch_commands[] = {
	{ .noun = "drift", .doc = "Compares an endpoint's traffic with what its model was trained on", .in = &endpoint_query_record,
	  .method = "GET", .path = API_CAIRN "/drift", .list = "drift", .columns = drift_columns, .example = "cairn drift taxi-fare" },
	{ .noun = "quality", .doc = "Compares an endpoint's predictions with the labels that came later", .in = &endpoint_query_record,
	  .method = "GET", .path = API_CAIRN "/endpoints-quality", .list = "quality", .columns = quality_columns, .example = "cairn quality taxi-fare" },
	{ .noun = "predictions", .doc = "Lists an endpoint's predictions", .in = &predictions_record, .method = "GET",
	  .path = API_CAIRN "/predictions", .list = "predictions", .columns = prediction_columns, .example = "cairn predictions taxi-fare --limit 5" },
	{ .noun = "alerts", .verb = "apply", .doc = "Puts alert rules in place", .in = &alert_file_record, .method = "POST",
	  .path = API_CAIRN "/alert-rules", .flags = CMD_FILE, .list = "alerts", .columns = alert_columns, .example = "cairn alerts apply alerts.yaml" },
	{ .noun = "alerts", .verb = "list", .doc = "Lists alerts and their state", .method = "GET", .path = API_CAIRN "/alerts", .list = "alerts",
	  .columns = alert_columns, .example = "cairn alerts list" },
	{ .noun = "alerts", .verb = "evaluate", .doc = "Evaluates all rules now instead of at the next tick", .method = "POST",
	  .path = API_CAIRN "/alerts/evaluate", .list = "alerts", .columns = alert_columns, .example = "cairn alerts evaluate" },
};
FAMILY(watch_commands, "Watching:");
