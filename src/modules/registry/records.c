/* records.c -- the registry's things as tables: as MLflow's wire has them, and as cairn's own API does. */
#include "modules/registry/registry_int.h"

const char *const stage_names[] = { "None", "Staging", "Production", "Archived", NULL };

static const struct field model_version_fields[] = {
	FIELD(model_version, name, K_STR, 0, "Registered model"),
	FIELD(model_version, version, K_I64, 0, "Number, from 1"),
	FIELD(model_version, run_id, K_STR, F_SKIP_EMPTY, "Run that made it"),
	FIELD(model_version, source, K_STR, F_HIDE, "URI of its files"),
	FIELD(model_version, description, K_STR, F_SKIP_EMPTY, "What it is"),
	FIELD(model_version, tags, K_PAIRS, F_SKIP_EMPTY | F_HIDE, "Tags"),
	FIELD(model_version, aliases, K_STRS, 0, "Aliases that point to it"),
	FIELD(model_version, stage, K_STR, 0, "None, Staging, Production or Archived"),
	FIELD(model_version, created_ms, K_TIME, 0, "When it was made", .name = "created_at"),
	FIELD(model_version, updated_ms, K_TIME, F_HIDE, "Last change", .name = "updated_at"),
};
const struct record model_version_record = RECORD(model_version, model_version_fields, "A version of a registered model");

static const struct field version_row_fields[] = {
	FIELD(version_row, v.name, K_STR, 0, "Registered model", .name = "name"),
	FIELD(version_row, v.version, K_I64, F_PLAIN_STR, "Number, as text", .name = "version"),
	FIELD(version_row, v.created_ms, K_TIME, F_AS_MS, "When it was made", .name = "creation_timestamp"),
	FIELD(version_row, v.updated_ms, K_TIME, F_AS_MS, "Last change", .name = "last_updated_timestamp"),
	FIELD(version_row, v.stage, K_STR, 0, "Stage", .name = "current_stage"),
	FIELD(version_row, v.description, K_STR, 0, "What it is", .name = "description"),
	FIELD(version_row, v.source, K_STR, 0, "URI of its files", .name = "source"),
	FIELD(version_row, v.run_id, K_STR, 0, "Run that made it", .name = "run_id"),
	FIELD(version_row, status, K_STR, 0, "READY"),
	FIELD(version_row, run_link, K_STR, 0, "Where the run can be seen"),
	FIELD(version_row, model_id, K_STR, F_SKIP_EMPTY, "Logged model that it is"),
	FIELD(version_row, v.tags, K_RECORDS, F_SKIP_EMPTY, "Tags", .name = "tags", .sub = &pair_record),
	FIELD(version_row, v.aliases, K_STRS, F_SKIP_EMPTY, "Aliases", .name = "aliases"),
};
const struct record version_row_record = MLFLOW_RECORD(version_row, version_row_fields, "A model version", .name = "mlflow_model_version");

static const struct field model_alias_fields[] = {
	FIELD(model_alias, alias, K_STR, 0, "Alias"),
	FIELD(model_alias, version, K_I64, F_PLAIN_STR, "Version that it points to, as text"),
};
const struct record model_alias_record = MLFLOW_RECORD(model_alias, model_alias_fields, "An alias of a version");

static const struct field registered_model_fields[] = {
	FIELD(registered_model, name, K_STR, 0, "Unique name"),
	FIELD(registered_model, created_ms, K_TIME, F_AS_MS, "When it was made", .name = "creation_timestamp"),
	FIELD(registered_model, updated_ms, K_TIME, F_AS_MS, "Last change", .name = "last_updated_timestamp"),
	FIELD(registered_model, description, K_STR, F_SKIP_EMPTY, "What it is"),
	FIELD(registered_model, latest_versions, K_RECORDS, F_SKIP_EMPTY, "Highest version of each stage", .sub = &version_row_record),
	FIELD(registered_model, tags, K_RECORDS, F_SKIP_EMPTY, "Tags", .sub = &pair_record),
	FIELD(registered_model, aliases, K_RECORDS, F_SKIP_EMPTY, "Aliases", .sub = &model_alias_record),
};
const struct record registered_model_record = MLFLOW_RECORD(registered_model, registered_model_fields, "A registered model");

/* --- model/cairn.json --------------------------------------------------------------------------------- */

static const struct field model_input_fields[] = {
	FIELD(model_input, name, K_STR, F_REQUIRED, "Name of the column"),
	FIELD(model_input, type, K_STR, 0, "float, int, string or bool", .def = "float"),
	FIELD(model_input, view, K_STR, F_SKIP_EMPTY, "Feature view that it is read from; given by the caller when empty"),
};
const struct record model_input_record = RECORD(model_input, model_input_fields, "A column of a model's input", .open = true);

static const struct field model_spec_fields[] = {
	FIELD(model_spec, runtime, K_STR, F_REQUIRED, "What runs it: xgboost, onnx"),
	FIELD(model_spec, file, K_STR, F_REQUIRED, "The model's file, below the folder of this one", .format = "uri-path"),
	FIELD(model_spec, inputs, K_RECORDS, F_REQUIRED, "Columns, in the order of the feature vector", .sub = &model_input_record),
	FIELD(model_spec, output, K_STR, F_REQUIRED, "Name of what it predicts"),
	FIELD(model_spec, training_set, K_STR, F_SKIP_EMPTY, "Training set that it learnt from"),
	FIELD(model_spec, reference, K_STR, F_SKIP_EMPTY, "Profile of the training data, for drift", .format = "uri-path"),
	FIELD(model_spec, views, K_STRS, F_SKIP_EMPTY, "Feature views that it needs"),
};
const struct record model_spec_record = RECORD(model_spec, model_spec_fields, "How a model is served", .open = true);
