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
	{ "output", "output", SHOW_NUMBER }, { "label", "label", SHOW_NUMBER }, { "latency_us", "took", SHOW_US }, { .path = NULL },
};

static const struct command watch_commands[] = {
	{ .noun = "drift", .doc = "Compares an endpoint's traffic with what its model was trained on", .in = &endpoint_query_record,
	  .method = "GET", .path = API_CAIRN "/drift", .example = "cairn drift taxi-fare" },
	{ .noun = "quality", .doc = "Compares an endpoint's predictions with the labels that came later", .in = &endpoint_query_record,
	  .method = "GET", .path = API_CAIRN "/endpoints-quality", .example = "cairn quality taxi-fare" },
	{ .noun = "predictions", .doc = "Lists an endpoint's predictions", .in = &predictions_record, .method = "GET",
	  .path = API_CAIRN "/predictions", .list = "predictions", .columns = prediction_columns, .example = "cairn predictions taxi-fare --limit 5" },
	{ .noun = "alerts", .verb = "apply", .doc = "Puts alert rules in place", .in = &alert_file_record, .method = "POST",
	  .path = API_CAIRN "/alert-rules", .flags = CMD_FILE, .example = "cairn alerts apply alerts.yaml" },
	{ .noun = "alerts", .verb = "list", .doc = "Lists alerts and their state", .method = "GET", .path = API_CAIRN "/alerts", .list = "alerts",
	  .example = "cairn alerts list" },
};
FAMILY(watch_commands, "Watching:");
