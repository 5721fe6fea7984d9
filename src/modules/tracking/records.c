/* records.c -- MLflow's entities as tables. Unset fields are left out, as protobuf does; what is always there has no flag. */
#include "modules/tracking/tracking_int.h"

const char *const view_type_names[] = { "UNSET", "ACTIVE_ONLY", "DELETED_ONLY", "ALL", NULL };
const char *const run_status_names[] = { "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", NULL };
const char *const logged_status_names[] = { "LOGGED_MODEL_STATUS_UNSPECIFIED", "LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY",
					    "LOGGED_MODEL_UPLOAD_FAILED", NULL };

#define LONG_TEXT (1 << 24)

static const struct field pair_fields[] = {
	FIELD(pair, key, K_STR, F_REQUIRED, "Name"),
	FIELD(pair, value, K_STR, 0, "Value", .max = LONG_TEXT),
};
const struct record pair_record = MLFLOW_RECORD(pair, pair_fields, "A tag or a param");

static const struct field experiment_fields[] = {
	FIELD(experiment, experiment_id, K_STR, 0, "Id"),
	FIELD(experiment, name, K_STR, 0, "Unique name"),
	FIELD(experiment, artifact_location, K_STR, 0, "Where its runs keep artifacts"),
	FIELD(experiment, lifecycle_stage, K_STR, 0, "active or deleted"),
	FIELD(experiment, updated_ms, K_TIME, F_AS_MS, "Last change", .name = "last_update_time"),
	FIELD(experiment, created_ms, K_TIME, F_AS_MS, "When it was made", .name = "creation_time"),
	FIELD(experiment, tags, K_RECORDS, F_SKIP_EMPTY, "Tags", .sub = &pair_record),
};
const struct record experiment_record = MLFLOW_RECORD(experiment, experiment_fields, "A set of runs");

static const struct field metric_fields[] = {
	FIELD(metric, key, K_STR, F_REQUIRED, "Name"),
	FIELD(metric, value, K_F64, F_REQUIRED, "Value"),
	FIELD(metric, time_ms, K_I64, F_REQUIRED, "Unix time in ms", .name = "timestamp"),
	FIELD(metric, step, K_I64, 0, "Step"),
	FIELD(metric, model_id, K_STR, F_SKIP_EMPTY, "Logged model that it is of"),
	FIELD(metric, dataset_name, K_STR, F_SKIP_EMPTY, "Dataset that it was measured on"),
	FIELD(metric, dataset_digest, K_STR, F_SKIP_EMPTY, "Digest of the dataset"),
	FIELD(metric, run_id, K_STR, F_SKIP_EMPTY, "Run that it is of"),
};
const struct record metric_record = MLFLOW_RECORD(metric, metric_fields, "A measured value");

static const struct field run_info_fields[] = {
	FIELD(run_info, run_id, K_STR, 0, "Id"),
	FIELD(run_info, run_uuid, K_STR, 0, "The id again, for old clients"),
	FIELD(run_info, run_name, K_STR, F_SKIP_EMPTY, "Name"),
	FIELD(run_info, experiment_id, K_STR, 0, "Its experiment"),
	FIELD(run_info, user_id, K_STR, F_SKIP_EMPTY, "Who started it"),
	FIELD(run_info, status, K_STR, 0, "RUNNING, SCHEDULED, FINISHED, FAILED or KILLED"),
	FIELD(run_info, start_ms, K_TIME, F_AS_MS, "When it started", .name = "start_time"),
	FIELD(run_info, end_ms, K_TIME, F_AS_MS | F_SKIP_EMPTY, "When it ended", .name = "end_time"),
	FIELD(run_info, artifact_uri, K_STR, 0, "Where its artifacts are"),
	FIELD(run_info, lifecycle_stage, K_STR, 0, "active or deleted"),
};
const struct record run_info_record = MLFLOW_RECORD(run_info, run_info_fields, "A run's own facts");

static const struct field run_data_fields[] = {
	FIELD(run_data, metrics, K_RECORDS, F_SKIP_EMPTY, "Latest value of each metric", .sub = &metric_record),
	FIELD(run_data, params, K_RECORDS, F_SKIP_EMPTY, "Params", .sub = &pair_record),
	FIELD(run_data, tags, K_RECORDS, F_SKIP_EMPTY, "Tags", .sub = &pair_record),
};
static const struct record run_data_record = MLFLOW_RECORD(run_data, run_data_fields, "What was logged to a run");

static const struct field dataset_entity_fields[] = {
	FIELD(dataset_entity, name, K_STR, F_REQUIRED, "Name", .max = 4000),
	FIELD(dataset_entity, digest, K_STR, F_REQUIRED, "Digest", .max = 4000),
	FIELD(dataset_entity, source_type, K_STR, F_REQUIRED, "Kind of its source", .max = 4000),
	FIELD(dataset_entity, source, K_STR, F_REQUIRED, "Its source", .max = LONG_TEXT),
	FIELD(dataset_entity, schema, K_STR, F_SKIP_EMPTY, "Its schema", .max = LONG_TEXT),
	FIELD(dataset_entity, profile, K_STR, F_SKIP_EMPTY, "Its profile", .max = LONG_TEXT),
};
static const struct record dataset_entity_record = MLFLOW_RECORD(dataset_entity, dataset_entity_fields, "A dataset as a run saw it");

static const struct field dataset_input_fields[] = {
	FIELD(dataset_input, tags, K_RECORDS, F_SKIP_EMPTY, "Tags of the use", .sub = &pair_record),
	FIELD(dataset_input, dataset, K_RECORD, F_REQUIRED, "The dataset", .sub = &dataset_entity_record),
};
const struct record dataset_input_record = MLFLOW_RECORD(dataset_input, dataset_input_fields, "A dataset that a run read");

static const struct field model_input_ref_fields[] = {
	FIELD(model_input_ref, model_id, K_STR, F_REQUIRED, "Id of the logged model"),
};
const struct record model_input_ref_record = MLFLOW_RECORD(model_input_ref, model_input_ref_fields, "A model that a run read");

static const struct field model_output_ref_fields[] = {
	FIELD(model_output_ref, model_id, K_STR, F_REQUIRED, "Id of the logged model"),
	FIELD(model_output_ref, step, K_I64, 0, "Step at which it was made"),
};
const struct record model_output_ref_record = MLFLOW_RECORD(model_output_ref, model_output_ref_fields, "A model that a run made");

static const struct field run_inputs_fields[] = {
	FIELD(run_inputs, dataset_inputs, K_RECORDS, F_SKIP_EMPTY, "Datasets", .sub = &dataset_input_record),
	FIELD(run_inputs, model_inputs, K_RECORDS, F_SKIP_EMPTY, "Models", .sub = &model_input_ref_record),
};
static const struct record run_inputs_record = MLFLOW_RECORD(run_inputs, run_inputs_fields, "What a run read");

static const struct field run_outputs_fields[] = {
	FIELD(run_outputs, model_outputs, K_RECORDS, F_SKIP_EMPTY, "Models", .sub = &model_output_ref_record),
};
static const struct record run_outputs_record = MLFLOW_RECORD(run_outputs, run_outputs_fields, "What a run made");

static const struct field run_fields[] = {
	FIELD(run, info, K_RECORD, 0, "Its own facts", .sub = &run_info_record),
	FIELD(run, data, K_RECORD, 0, "What was logged", .sub = &run_data_record),
	FIELD(run, inputs, K_RECORD, 0, "What it read", .sub = &run_inputs_record),
	FIELD(run, outputs, K_RECORD, 0, "What it made", .sub = &run_outputs_record),
};
const struct record run_record = MLFLOW_RECORD(run, run_fields, "One execution");

static const struct field logged_info_fields[] = {
	FIELD(logged_info, model_id, K_STR, 0, "Id"),
	FIELD(logged_info, experiment_id, K_STR, 0, "Its experiment"),
	FIELD(logged_info, name, K_STR, 0, "Name"),
	FIELD(logged_info, created_ms, K_TIME, F_AS_MS, "When it was made", .name = "creation_timestamp_ms"),
	FIELD(logged_info, updated_ms, K_TIME, F_AS_MS, "Last change", .name = "last_updated_timestamp_ms"),
	FIELD(logged_info, artifact_uri, K_STR, 0, "Where its files are"),
	FIELD(logged_info, status, K_ENUM, F_NUMBERED, "Whether its files are all there", .names = logged_status_names),
	FIELD(logged_info, model_type, K_STR, F_SKIP_EMPTY, "Kind of model"),
	FIELD(logged_info, source_run_id, K_STR, F_SKIP_EMPTY, "Run that made it"),
	FIELD(logged_info, tags, K_RECORDS, F_SKIP_EMPTY, "Tags", .sub = &pair_record),
};
static const struct record logged_info_record = MLFLOW_RECORD(logged_info, logged_info_fields, "A logged model's own facts");

static const struct field logged_data_fields[] = {
	FIELD(logged_data, params, K_RECORDS, F_SKIP_EMPTY, "Params", .sub = &pair_record),
	FIELD(logged_data, metrics, K_RECORDS, F_SKIP_EMPTY, "Metrics", .sub = &metric_record),
};
static const struct record logged_data_record = MLFLOW_RECORD(logged_data, logged_data_fields, "What was logged to a model");

static const struct field logged_model_fields[] = {
	FIELD(logged_model, info, K_RECORD, 0, "Its own facts", .sub = &logged_info_record),
	FIELD(logged_model, data, K_RECORD, 0, "What was logged", .sub = &logged_data_record),
};
const struct record logged_model_record = MLFLOW_RECORD(logged_model, logged_model_fields, "A model as a run logged it");

static const struct field file_info_fields[] = {
	FIELD(file_info, path, K_STR, 0, "Path"),
	FIELD(file_info, is_dir, K_BOOL, 0, "A folder?"),
	FIELD(file_info, file_size, K_I64, F_SKIP_EMPTY, "Size", .unit = "bytes"),
};
const struct record file_info_record = MLFLOW_RECORD(file_info, file_info_fields, "A file or folder");
