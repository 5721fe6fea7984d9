/* records.c -- endpoints as they are applied, stored and answered. */
#include "modules/gateway/gateway_int.h"

static const struct field rate_fields[] = {
	FIELD(rate, per_second, K_F64, 0, "Predictions a second that the endpoint allows; 0: no limit", .min = 0, .max = 1e9),
	FIELD(rate, burst, K_F64, 0, "How many it allows at once; those of a second if not given", .min = 0, .max = 1e9),
};
static enum rc check_rate(const void *obj, struct err *e)
{
	const struct rate *r = obj;

	if (r->burst > 0 && r->per_second <= 0)
		return FAIL(e, RC_INVALID, "a burst needs per_second too");
	return RC_OK;
}
static const struct record rate_record = RECORD(rate, rate_fields, "A token bucket", .validate = check_rate);

static const struct field input_fields[] = {
	FIELD(endpoint_input, name, K_STR, 0, "Name of the tensor"),
	FIELD(endpoint_input, datatype, K_STR, 0, "FP32 for numbers of any type, BYTES for join keys"),
	FIELD(endpoint_input, source, K_STR, 0, "input of the model, or join key of these feature views"),
};
static const struct record input_record = RECORD(endpoint_input, input_fields, "What a caller gives");

static const struct field live_fields[] = {
	FIELD(endpoint_live, n, K_I64, 0, "Newest predictions that the quantiles are of"),
	FIELD(endpoint_live, p50_ms, K_F64, 0, "Latency, median", .unit = "ms"),
	FIELD(endpoint_live, p95_ms, K_F64, 0, "Latency, 95th percentile", .unit = "ms"),
	FIELD(endpoint_live, p99_ms, K_F64, 0, "Latency, 99th percentile", .unit = "ms"),
	FIELD(endpoint_live, per_second, K_F64, 0, "Predictions a second, over the last ten seconds"),
	FIELD(endpoint_live, answered, K_I64, 0, "Requests answered with predictions since the start"),
	FIELD(endpoint_live, failed, K_I64, 0, "Requests answered with an error since the start"),
};
static const struct record live_record = RECORD(endpoint_live, live_fields, "How an endpoint does", .name = "endpoint_live");

static const char *const feature_times[] = { "now", "materialised", NULL };

#define DEFINITION                                                                                                                    \
	FIELD(endpoint, name, K_STR, F_REQUIRED | F_KEY | F_STORED, "Unique name, in the path of requests", .max = 128, .format = "name"), \
	FIELD(endpoint, model, K_STR, F_REQUIRED | F_STORED, "Model: NAME@ALIAS follows the alias, NAME/VERSION stays", .max = 400),      \
	FIELD(endpoint, description, K_STR, F_STORED | F_HIDE, "What it is for", .max = 4000),                                              \
	FIELD(endpoint, max_batch_rows, K_I64, F_STORED | F_HIDE, "Rows that one request may hold", .min = 1, .max = 1000000, .def = "1024"), \
	FIELD(endpoint, timeout_ms, K_MS, F_STORED | F_HIDE, "Requests that waited longer are given up", .name = "timeout", .def = "10s"),   \
	FIELD(endpoint, rate, K_RECORD, F_STORED | F_HIDE | F_SKIP_EMPTY, "How much it allows; no limit if not given", .sub = &rate_record),  \
	FIELD(endpoint, keys, K_PAIRS, F_STORED | F_HIDE, "Name of the input for a join key, where it is not that of the key", .max = 64),  \
	FIELD(endpoint, feature_time, K_ENUM, F_STORED | F_HIDE,                                                                            \
	      "What ages of features are counted from: now, or materialised (the time their view was materialised as of, to replay the past)", \
	      .names = feature_times, .def = "now")

static const struct field endpoint_definition_fields[] = { DEFINITION };
static const struct field endpoint_fields[] = {
	DEFINITION,
	FIELD(endpoint, model_name, K_STR, F_STORED | F_OUTPUT | F_HIDE, "Registered model"),
	FIELD(endpoint, version, K_I64, F_STORED | F_OUTPUT, "Version that is served"),
	FIELD(endpoint, runtime, K_STR, F_OUTPUT, "What runs it"),
	FIELD(endpoint, revision, K_I64, F_STORED | F_OUTPUT, "Counts the changes of what is served"),
	FIELD(endpoint, state, K_STR, F_OUTPUT, "ready, or failed"),
	FIELD(endpoint, error, K_STR, F_OUTPUT | F_SKIP_EMPTY, "Why it is not ready"),
	FIELD(endpoint, inputs, K_RECORDS, F_OUTPUT | F_HIDE, "What a caller gives", .sub = &input_record),
	FIELD(endpoint, live, K_RECORD, F_OUTPUT | F_HIDE, "How it does", .sub = &live_record),
	FIELD(endpoint, created_ms, K_TIME, F_STORED | F_OUTPUT | F_HIDE, "When it was first applied", .name = "created_at"),
	FIELD(endpoint, updated_ms, K_TIME, F_STORED | F_OUTPUT, "When this revision was made", .name = "updated_at"),
	FIELD(endpoint, deleted_ms, K_TIME, F_STORED | F_OUTPUT | F_HIDE | F_SKIP_EMPTY, "When it was taken away", .name = "deleted_at"),
};
const struct record endpoint_definition_record = RECORD(endpoint, endpoint_definition_fields, "A name that clients call, and the model behind it");
const struct record endpoint_record = RECORD(endpoint, endpoint_fields, "An endpoint as it is served", .name = "endpoint_state",
					     .table = "endpoints");
