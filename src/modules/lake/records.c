/* records.c -- the lake's records: what is stored, asked for and answered. */
#include "modules/lake/lake_int.h"

static const struct field lake_config_fields[] = {
	FIELD(lake_config, query_ms, K_MS, 0, "How long a query of a user may run", .name = "query_time", .def = "30s"),
	FIELD(lake_config, step_ms, K_MS, 0, "How long one step of a pipeline may run", .name = "step_time", .def = "1h"),
};
static enum rc config_rules(const void *obj, struct err *e)
{
	const struct lake_config *c = obj;

	if (c->query_ms > UINT32_MAX || c->step_ms > UINT32_MAX)
		return FAIL(e, RC_INVALID, "query_time and step_time are at most 49d");
	return RC_OK;
}

const struct record lake_config_record = RECORD(lake_config, lake_config_fields, "Datasets and pipelines", .name = "lake",
						.validate = config_rules);

/* --- datasets --------------------------------------------------------------------------------------------- */

static const struct field dataset_column_fields[] = {
	FIELD(dataset_column, name, K_STR, 0, "Name of the column"),
	FIELD(dataset_column, type, K_STR, 0, "Its SQL type"),
};
const struct record dataset_column_record = RECORD(dataset_column, dataset_column_fields, "A column");

static const struct field dataset_fields[] = {
	FIELD(dataset, name, K_STR, F_STORED | F_KEY, "Name of the dataset"),
	FIELD(dataset, newest, K_I64, F_STORED, "Number of the newest version"),
	FIELD(dataset, n_rows, K_I64, F_STORED, "Rows in it"),
	FIELD(dataset, n_quarantined, K_I64, F_STORED, "Rows of its source that did not fit"),
	FIELD(dataset, n_columns, K_I64, F_STORED, "Columns in it"),
	FIELD(dataset, size, K_I64, F_STORED, "Size of its Parquet file", .unit = "bytes"),
	FIELD(dataset, origin, K_STR, F_STORED, "Where it came from"),
	FIELD(dataset, created_ms, K_TIME, F_STORED | F_HIDE, "When the first version was published", .name = "created_at"),
	FIELD(dataset, updated_ms, K_TIME, F_STORED, "When the newest version was published", .name = "updated_at"),
};
const struct record dataset_record = RECORD(dataset, dataset_fields, "A named, versioned table", .table = "lake_datasets");

#define VERSION_FIELDS                                                                                               \
	FIELD(dataset_version, id, K_STR, F_STORED, "Name and number, as in \"trips@3\""),                            \
	FIELD(dataset_version, dataset, K_STR, F_STORED | F_KEY | F_HIDE, "Name of the dataset"),                     \
	FIELD(dataset_version, number, K_I64, F_STORED | F_KEY | F_HIDE, "1, 2, …"),                                  \
	FIELD(dataset_version, n_rows, K_I64, F_STORED, "Rows in it"),                                                \
	FIELD(dataset_version, n_quarantined, K_I64, F_STORED, "Rows of the source that did not fit, kept apart"),    \
	FIELD(dataset_version, n_source_rows, K_I64, F_STORED | F_HIDE, "Rows of the source"),                        \
	FIELD(dataset_version, size, K_I64, F_STORED, "Size of the Parquet file", .unit = "bytes"),                   \
	FIELD(dataset_version, blob, K_STR, F_STORED | F_HIDE, "Parquet file, by SHA-256"),                           \
	FIELD(dataset_version, quarantine_blob, K_STR, F_STORED | F_HIDE | F_SKIP_EMPTY, "Parquet file of the rows that did not fit"), \
	FIELD(dataset_version, origin, K_STR, F_STORED, "Where it came from"),                                        \
	FIELD(dataset_version, origin_kind, K_STR, F_STORED | F_HIDE, "Lineage node it came from: its kind"),         \
	FIELD(dataset_version, origin_id, K_STR, F_STORED | F_HIDE, "Lineage node it came from: its id"),             \
	FIELD(dataset_version, source_blob, K_STR, F_STORED | F_HIDE | F_SKIP_EMPTY, "The file as it was uploaded, by SHA-256"), \
	FIELD(dataset_version, source_format, K_ENUM, F_STORED | F_HIDE, "How it was read", .names = source_format_names), \
	FIELD(dataset_version, delimiter, K_STR, F_STORED | F_HIDE | F_SKIP_EMPTY, "What separates its fields"),      \
	FIELD(dataset_version, spec_hash, K_STR, F_STORED | F_HIDE | F_SKIP_EMPTY, "Digest of the options it was made with"), \
	FIELD(dataset_version, created_ms, K_TIME, F_STORED, "When it was published", .name = "created_at")

static const struct field dataset_version_fields[] = {
	VERSION_FIELDS,
	FIELD(dataset_version, columns, K_RECORDS, F_STORED | F_HIDE, "Columns", .sub = &dataset_column_record),
	FIELD(dataset_version, profile, K_JSON, F_STORED | F_HIDE, "What is in each column"),
};
const struct record dataset_version_record =
    RECORD(dataset_version, dataset_version_fields, "A published, immutable version of a dataset", .table = "lake_versions");
static const struct field dataset_version_brief_fields[] = { VERSION_FIELDS };
const struct record dataset_version_brief_record =
    RECORD(dataset_version, dataset_version_brief_fields, "A version of a dataset in short", .name = "dataset_version_brief",
	   .table = "lake_versions");

static const struct field lake_source_fields[] = {
	FIELD(lake_source, blob, K_STR, F_STORED | F_KEY, "The file, by SHA-256"),
	FIELD(lake_source, size, K_I64, F_STORED, "Its size", .unit = "bytes"),
	FIELD(lake_source, name, K_STR, F_STORED, "Its name"),
	FIELD(lake_source, created_ms, K_TIME, F_STORED, "When it was uploaded", .name = "created_at"),
	FIELD(lake_source, who, K_STR, F_STORED | F_HIDE, "Who uploaded it"),
};
const struct record lake_source_record =
    RECORD(lake_source, lake_source_fields, "An uploaded file", .name = "upload", .table = "lake_sources");

/* --- ingest ------------------------------------------------------------------------------------------------- */

static const struct field ingest_column_fields[] = {
	FIELD(ingest_column, name, K_STR, F_REQUIRED, "Name of a column of the file", .max = DATASET_NAME_MAX),
	FIELD(ingest_column, type, K_ENUM, F_REQUIRED, "The type it shall have", .names = value_type_names),
};
static const struct record ingest_column_record = RECORD(ingest_column, ingest_column_fields, "A column whose type is given");

static enum rc ingest_rules(const void *obj, struct err *e)
{
	const struct ingest_request *r = obj;

	if (r->delimiter.len > 1 && !str_eq(r->delimiter, STR("\\t")) && !str_eq(r->delimiter, STR("tab")))
		return FAIL(e, RC_INVALID, "delimiter: one character, or \"tab\"");
	if (r->delimiter.len == 1 && (r->delimiter.at[0] == '"' || r->delimiter.at[0] == '\n' || r->delimiter.at[0] == '\r'))
		return FAIL(e, RC_INVALID, "delimiter: not a quote or a line end");
	return RC_OK;
}

static const struct field ingest_request_fields[] = {
	FIELD(ingest_request, name, K_STR, F_REQUIRED, "The dataset that gets a new version", .max = DATASET_NAME_MAX, .format = "name"),
	FIELD(ingest_request, blob, K_STR, F_REQUIRED, "The uploaded file, by SHA-256", .format = "sha256"),
	FIELD(ingest_request, source_name, K_STR, 0, "Name of the file; as it was uploaded if not given", .max = 1024),
	FIELD(ingest_request, format, K_ENUM, 0, "Format of the file", .names = source_format_names),
	FIELD(ingest_request, delimiter, K_STR, 0, "CSV: what separates fields; found out if not given", .max = 4),
	FIELD(ingest_request, columns, K_RECORDS, 0, "Types of columns that shall not be found out", .sub = &ingest_column_record, .max = 1000),
	FIELD(ingest_request, time_columns, K_STRS, 0, "Columns of type TIMESTAMP", .max = 1000),
	FIELD(ingest_request, key, K_STRS, 0, "Columns that identify a row: rows without one or with one seen before are quarantined", .max = 32),
	FIELD(ingest_request, nulls, K_STRS, 0, "Texts that stand for no value, as \"NA\"", .max = 32),
	FIELD(ingest_request, tolerance, K_F64, 0, "Share of a column's values that may not fit its type and are quarantined", .min = 0, .max = 0.5),
};
const struct record ingest_request_record =
    RECORD(ingest_request, ingest_request_fields, "An uploaded file to make a dataset version of", .validate = ingest_rules);

static const struct field ingest_reason_fields[] = {
	FIELD(ingest_reason, column, K_STR, 0, "The column, or empty: the whole row"),
	FIELD(ingest_reason, reason, K_STR, 0, "Why rows were quarantined"),
	FIELD(ingest_reason, n, K_I64, 0, "How many"),
};
static const struct record ingest_reason_record = RECORD(ingest_reason, ingest_reason_fields, "Why rows did not fit");

static const struct field ingest_result_fields[] = {
	FIELD(ingest_result, id, K_STR, 0, "The version, as in \"trips@3\""),
	FIELD(ingest_result, dataset, K_STR, F_HIDE, "Name of the dataset"),
	FIELD(ingest_result, version, K_I64, F_HIDE, "Number of the version"),
	FIELD(ingest_result, unchanged, K_BOOL, 0, "The newest version was made of the same file in the same way, so it stays"),
	FIELD(ingest_result, n_source_rows, K_I64, 0, "Rows in the file"),
	FIELD(ingest_result, n_rows, K_I64, 0, "Rows in the version"),
	FIELD(ingest_result, n_quarantined, K_I64, 0, "Rows that did not fit"),
	FIELD(ingest_result, reasons, K_RECORDS, F_HIDE, "Why they did not, most frequent first", .sub = &ingest_reason_record),
	FIELD(ingest_result, columns, K_RECORDS, F_HIDE, "Columns", .sub = &dataset_column_record),
	FIELD(ingest_result, schema_changes, K_STRS, F_HIDE, "How its columns differ from those of the version before"),
	FIELD(ingest_result, took_ms, K_MS, 0, "How long it took", .name = "took"),
	FIELD(ingest_result, rows_per_s, K_F64, 0, "Rows of the file a second", .unit = "rows/s"),
};
const struct record ingest_result_record = RECORD(ingest_result, ingest_result_fields, "What came of an ingest");

/* --- rows shown ----------------------------------------------------------------------------------------------- */

static const struct field table_fields[] = {
	FIELD(table, columns, K_RECORDS, 0, "Columns in order", .sub = &dataset_column_record),
	FIELD(table, rows, K_JSON, 0, "A list of rows; each is a list of values in the order of the columns"),
	FIELD(table, n_rows, K_I64, 0, "Rows given"),
	FIELD(table, more, K_BOOL, 0, "There are more than the limit"),
};
const struct record table_record = RECORD(table, table_fields, "Rows and their columns");
