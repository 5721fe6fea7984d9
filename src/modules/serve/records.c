/* records.c -- what serve is asked and what it answers. */
#include "modules/serve/serve_int.h"

static const struct field serve_config_fields[] = {
	FIELD(serve_config, threads, K_I32, 0, "Threads that one inference of an ONNX model may use", .min = 1, .max = 256, .def = "1"),
};
const struct record serve_config_record = RECORD(serve_config, serve_config_fields, "Model runtimes", .name = "serve");

/* --- conversion -------------------------------------------------------------------------------------- */

const char *const convert_to_names[] = { "onnx", NULL };

static const struct field convert_request_fields[] = {
	FIELD(convert_request, model, K_STR, F_REQUIRED, "Model version to convert: \"name@alias\", \"name/version\" or \"name\"", .max = 512),
	FIELD(convert_request, to, K_ENUM, 0, "What to convert it to", .names = convert_to_names, .def = "onnx"),
	FIELD(convert_request, name, K_STR, F_REQUIRED, "Registered model that gets the new version", .max = 256, .format = "name"),
	FIELD(convert_request, alias, K_STR, 0, "Alias to set on the new version", .max = 128, .format = "name"),
	FIELD(convert_request, tolerance, K_F64, 0, "Largest difference of a prediction at which the new version is still registered",
	      .min = 0, .max = 1e12, .def = "0.0001"),
};
const struct record convert_request_record = RECORD(convert_request, convert_request_fields, "A conversion of a model");

static const struct field convert_result_fields[] = {
	FIELD(convert_result, name, K_STR, F_OUTPUT, "Registered model"),
	FIELD(convert_result, version, K_I64, F_OUTPUT, "Its new version"),
	FIELD(convert_result, source, K_STR, F_OUTPUT, "Model version that was converted"),
	FIELD(convert_result, run_id, K_STR, F_OUTPUT, "Run that holds the files and measures"),
	FIELD(convert_result, objective, K_STR, F_OUTPUT, "What the model was trained for"),
	FIELD(convert_result, rows_held_out, K_I64, F_OUTPUT, "Held-out rows of the training set that were compared"),
	FIELD(convert_result, rows_generated, K_I64, F_OUTPUT, "Rows at the model's own thresholds that were compared"),
	FIELD(convert_result, max_abs_error, K_F64, F_OUTPUT, "Largest difference of a prediction from the original's"),
	FIELD(convert_result, tolerance, K_F64, F_OUTPUT, "What was allowed"),
	FIELD(convert_result, bytes_before, K_I64, F_OUTPUT, "Size of the original", .unit = "bytes"),
	FIELD(convert_result, bytes_after, K_I64, F_OUTPUT, "Size of the new model", .unit = "bytes"),
	FIELD(convert_result, us_before, K_F64, F_OUTPUT, "Median time of one row, original", .unit = "µs"),
	FIELD(convert_result, us_after, K_F64, F_OUTPUT, "Median time of one row, new", .unit = "µs"),
};
const struct record convert_result_record = RECORD(convert_result, convert_result_fields, "A converted model");

/* --- runtimes and loaded models ------------------------------------------------------------------------ */

static const struct field runtime_info_fields[] = {
	FIELD(runtime_info, name, K_STR, F_OUTPUT, "Name, as in cairn.json"),
	FIELD(runtime_info, platform, K_STR, F_OUTPUT, "What the Open Inference Protocol calls it"),
	FIELD(runtime_info, library, K_STR, F_OUTPUT, "The library behind it"),
	FIELD(runtime_info, available, K_BOOL, F_OUTPUT, "Whether it can be used"),
	FIELD(runtime_info, version, K_STR, F_OUTPUT, "Version of the library"),
	FIELD(runtime_info, least, K_STR, F_OUTPUT, "Oldest version that will do"),
	FIELD(runtime_info, n_loaded, K_I64, F_OUTPUT, "Models loaded in it", .name = "loaded"),
	FIELD(runtime_info, reason, K_STR, F_OUTPUT | F_SKIP_EMPTY, "Why it cannot be used, and what to do"),
};
const struct record runtime_info_record = RECORD(runtime_info, runtime_info_fields, "A model runtime");
static const struct field runtime_listing_fields[] = {
	FIELD(runtime_listing, runtimes, K_RECORDS, F_OUTPUT, "The runtimes", .sub = &runtime_info_record),
};
const struct record runtime_listing_record = RECORD(runtime_listing, runtime_listing_fields, "The model runtimes");

static const struct field io_info_fields[] = {
	FIELD(io_info, name, K_STR, F_OUTPUT, "Name of the tensor"),
	FIELD(io_info, type, K_STR, F_OUTPUT, "Type of its elements", .name = "datatype"),
	FIELD(io_info, shape, K_I64S, F_OUTPUT, "Sizes; -1 where any goes"),
};
static const struct record io_info_record = RECORD(io_info, io_info_fields, "A tensor");

static const struct field loaded_info_fields[] = {
	FIELD(loaded_info, model, K_STR, F_OUTPUT, "Registered model"),
	FIELD(loaded_info, version, K_I64, F_OUTPUT, "Its version"),
	FIELD(loaded_info, runtime, K_STR, F_OUTPUT, "What runs it"),
	FIELD(loaded_info, references, K_I64, F_OUTPUT, "How many hold it"),
	FIELD(loaded_info, bytes, K_I64, F_OUTPUT, "Size of its files", .unit = "bytes"),
	FIELD(loaded_info, load_ms, K_F64, F_OUTPUT, "How long loading took, with fetching, verifying and warming up", .unit = "ms"),
	FIELD(loaded_info, loaded_ms, K_TIME, F_OUTPUT, "When it was loaded", .name = "loaded_at"),
	FIELD(loaded_info, inferences, K_I64, F_OUTPUT, "Inferences since cairn started"),
	FIELD(loaded_info, failures, K_I64, F_OUTPUT, "Inferences that failed in the runtime"),
	FIELD(loaded_info, p50_us, K_F64, F_OUTPUT, "Median time of an inference", .unit = "µs"),
	FIELD(loaded_info, p95_us, K_F64, F_OUTPUT | F_HIDE, "95 % of inferences take at most", .unit = "µs"),
	FIELD(loaded_info, p99_us, K_F64, F_OUTPUT, "99 % of inferences take at most", .unit = "µs"),
	FIELD(loaded_info, warm, K_BOOL, F_OUTPUT | F_HIDE, "Whether it could be warmed up with a guessed input"),
	FIELD(loaded_info, inputs, K_RECORDS, F_OUTPUT | F_HIDE, "What it takes", .sub = &io_info_record),
	FIELD(loaded_info, outputs, K_RECORDS, F_OUTPUT | F_HIDE, "What it gives", .sub = &io_info_record),
};
const struct record loaded_info_record = RECORD(loaded_info, loaded_info_fields, "A loaded model");
static const struct field loaded_listing_fields[] = {
	FIELD(loaded_listing, loaded_models, K_RECORDS, F_OUTPUT, "The loaded models", .sub = &loaded_info_record),
};
const struct record loaded_listing_record = RECORD(loaded_listing, loaded_listing_fields, "The models that are loaded");
