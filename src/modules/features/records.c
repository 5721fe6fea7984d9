/* records.c -- the feature store's records: what is stored, asked for and answered. */
#include "modules/features/features_int.h"

static const struct field feature_fields[] = {
	FIELD(feature, name, K_STR, F_REQUIRED, "Column of the dataset that holds it", .max = NAME_MAX_LEN),
	FIELD(feature, type, K_STR, 0, "float, int, bool, time or string; found out if not given", .max = 16),
	FIELD(feature, doc, K_STR, F_SKIP_EMPTY, "What it means", .max = 1000),
};
const struct record feature_record = RECORD(feature, feature_fields, "A feature");

/* --- views -------------------------------------------------------------------------------------------------------- */

#define DEFINITION_FIELDS(type, at, need)                                                                             \
	FIELD(type, at name, K_STR, F_STORED | F_KEY | (need), "Unique name", .name = "name", .max = NAME_MAX_LEN, .format = "name"),    \
	FIELD(type, at doc, K_STR, F_STORED | F_HIDE | F_SKIP_EMPTY, "What it is for", .name = "doc", .max = 4000),     \
	FIELD(type, at entity, K_STR, F_STORED, "What a key stands for; the first key if not given", .name = "entity", .max = NAME_MAX_LEN, .format = "name"), \
	FIELD(type, at keys, K_STRS, F_STORED | (need), "Columns that are the key, in order", .name = "keys", .max = KEYS_MAX), \
	FIELD(type, at dataset, K_STR, F_STORED | (need), "Dataset that the features come from", .name = "dataset", .max = 128, .format = "name"), \
	FIELD(type, at time_column, K_STR, F_STORED | F_HIDE | (need), "Column with the time from which a row is valid", .name = "time_column", .max = 128), \
	FIELD(type, at created_column, K_STR, F_STORED | F_HIDE | F_SKIP_EMPTY, "Column with the time a row was made: among rows of one key and time the newest counts", .name = "created_column", .max = 128), \
	FIELD(type, at ttl_ms, K_MS, F_STORED, "How long a value stays good; 0: for ever", .name = "ttl", .min = 0, .max = 1e13), \
	FIELD(type, at features, K_RECORDS, F_STORED | F_HIDE | F_SHORT | (need), "Its features", .name = "features", .sub = &feature_record, .max = FEATURES_MAX)

static const struct field feature_view_fields[] = {
	DEFINITION_FIELDS(feature_view, , F_REQUIRED),
	FIELD(feature_view, revision, K_I64, F_STORED | F_OUTPUT, "Counts changes of the definition"),
	FIELD(feature_view, created_ms, K_TIME, F_STORED | F_OUTPUT | F_HIDE, "When it was first applied", .name = "created_at"),
	FIELD(feature_view, updated_ms, K_TIME, F_STORED | F_OUTPUT | F_HIDE, "When it was last changed", .name = "updated_at"),
	FIELD(feature_view, materialised_id, K_STR, F_STORED | F_OUTPUT | F_SKIP_EMPTY | F_HIDE, "Materialisation that is read online"),
	FIELD(feature_view, materialised_as_of_ms, K_TIME, F_STORED | F_OUTPUT | F_NULLABLE, "Time its values are as of", .name = "materialised_as_of"),
	FIELD(feature_view, materialised_at_ms, K_TIME, F_STORED | F_OUTPUT | F_NULLABLE, "When it was materialised", .name = "materialised_at"),
	FIELD(feature_view, n_keys, K_I64, F_STORED | F_OUTPUT, "Keys that can be read online"),
};
const struct record feature_view_record = RECORD(feature_view, feature_view_fields, "Features of an entity, from one dataset",
						  .table = "feature_views");

static const struct field view_document_fields[] = {
	FIELD(view_document, views, K_RECORDS, 0, "Several views; or give the fields of one", .sub = &feature_view_record, .max = 1000),
	DEFINITION_FIELDS(view_document, one., 0),
};
const struct record view_document_record = RECORD(view_document, view_document_fields, "Definitions of feature views",
						   .name = "feature_views", .has_offset = (int32_t)offsetof(struct view_document, has));

static const struct field view_change_fields[] = {
	FIELD(view_change, name, K_STR, 0, "Name of the view"),
	FIELD(view_change, change, K_STR, 0, "created, changed or unchanged"),
	FIELD(view_change, revision, K_I64, 0, "Its revision now"),
};
static const struct record view_change_record = RECORD(view_change, view_change_fields, "What an apply did to a view");
static const struct field view_changes_fields[] = {
	FIELD(view_changes, views, K_RECORDS, 0, "Each view of the document", .sub = &view_change_record),
};
const struct record view_changes_record = RECORD(view_changes, view_changes_fields, "What an apply did");

/* --- materialisations ----------------------------------------------------------------------------------------------- */

static const char *const materialisation_state_names[] = { "building", "current", "retired", "failed", "cleaned", NULL };

static const struct field materialisation_fields[] = {
	FIELD(materialisation, id, K_STR, F_STORED | F_KEY, "Id of the materialisation"),
	FIELD(materialisation, view, K_STR, F_STORED, "The view"),
	FIELD(materialisation, revision, K_I64, F_STORED | F_HIDE, "Revision of the view"),
	FIELD(materialisation, source, K_STR, F_STORED, "Version of the dataset that was read"),
	FIELD(materialisation, as_of_ms, K_TIME, F_STORED, "No row with a later event time was read", .name = "as_of"),
	FIELD(materialisation, state, K_ENUM, F_STORED, "Where it stands", .names = materialisation_state_names),
	FIELD(materialisation, n_keys, K_I64, F_STORED, "Keys written"),
	FIELD(materialisation, n_rows, K_I64, F_STORED | F_HIDE, "Rows of the source"),
	FIELD(materialisation, n_without_key, K_I64, F_STORED | F_HIDE, "Rows left out because they have no key or no event time"),
	FIELD(materialisation, started_ms, K_TIME, F_STORED | F_HIDE, "When it began", .name = "started_at"),
	FIELD(materialisation, ended_ms, K_TIME, F_STORED | F_NULLABLE, "When it was done", .name = "ended_at"),
	FIELD(materialisation, place, K_STR, F_STORED | F_HIDE, "The online store that holds it"),
	FIELD(materialisation, keys, K_STRS, F_STORED | F_HIDE, "Join keys"),
	FIELD(materialisation, features, K_RECORDS, F_STORED | F_HIDE, "Features in the order of a stored row", .sub = &feature_record),
	FIELD(materialisation, took_ms, K_MS, 0, "How long it took", .name = "took"),
	FIELD(materialisation, keys_per_s, K_F64, F_HIDE, "Keys written a second", .unit = "keys/s"),
};
const struct record materialisation_record = RECORD(materialisation, materialisation_fields, "A view's newest values as they stood at a time",
						     .table = "feature_materialisations");

static const struct field materialise_request_fields[] = {
	FIELD(materialise_request, name, K_STR, F_REQUIRED, "Name of the view", .max = NAME_MAX_LEN),
	FIELD(materialise_request, as_of_ms, K_TIME, 0, "Leave out rows with a later event time; now if not given", .name = "as_of"),
};
const struct record materialise_request_record = RECORD(materialise_request, materialise_request_fields, "What to bring into the online store");

/* --- training sets ---------------------------------------------------------------------------------------------------- */

static enum rc training_rules(const void *obj, struct err *e)
{
	const struct training_request *r = obj;

	if ((r->dataset.len == 0) == (r->sql.len == 0))
		return FAIL(e, RC_INVALID, "give either dataset or sql: where the labels come from");
	if (r->features.n + r->columns.n == 0)
		return FAIL(e, RC_INVALID, "give features, columns or both: what a model shall see");
	if (str_eq(r->label, r->time_column))
		return FAIL(e, RC_INVALID, "label and time_column are the same column");
	return RC_OK;
}

static const struct field training_request_fields[] = {
	FIELD(training_request, name, K_STR, F_REQUIRED, "Name; each set made under it has its own id", .max = NAME_MAX_LEN, .format = "name"),
	FIELD(training_request, dataset, K_STR, 0, "Dataset with a row for each label, or a version of it as \"trips@3\"", .max = 150),
	FIELD(training_request, sql, K_STR, 0, "Or a SELECT over datasets that gives them"),
	FIELD(training_request, label, K_STR, F_REQUIRED, "Column to be predicted", .max = 128),
	FIELD(training_request, time_column, K_STR, F_REQUIRED, "Column with the time at which a prediction would have been asked for", .max = 128),
	FIELD(training_request, features, K_STRS, 0, "Features as \"view:feature\", or \"view:*\"", .max = FEATURES_MAX),
	FIELD(training_request, columns, K_STRS, 0, "Columns of the labels that are known when a prediction is asked for", .max = FEATURES_MAX),
	FIELD(training_request, keys, K_PAIRS, 0, "Join keys whose column is named otherwise: key: column", .max = KEYS_MAX * SET_VIEWS_MAX),
	FIELD(training_request, split_ms, K_TIME, 0, "Rows before train, from here on validate", .name = "split"),
};
const struct record training_request_record = RECORD(training_request, training_request_fields, "A training set to make", .validate = training_rules);

static const struct field training_input_fields[] = {
	FIELD(training_input, name, K_STR, 0, "Name of the column"),
	FIELD(training_input, type, K_STR, 0, "float, int, bool, time or string"),
	FIELD(training_input, view, K_STR, F_SKIP_EMPTY, "Feature view it comes from; none: known when a prediction is asked for"),
};
const struct record training_input_record = RECORD(training_input, training_input_fields, "A column that a model sees");

#define SET_FIELDS                                                                                                    \
	FIELD(training_set, id, K_STR, F_STORED | F_KEY, "Id of the training set"),                                    \
	FIELD(training_set, name, K_STR, F_STORED, "Its name"),                                                        \
	FIELD(training_set, n_rows, K_I64, F_STORED, "Rows"),                                                          \
	FIELD(training_set, n_train, K_I64, F_STORED | F_HIDE, "Rows before the split"),                               \
	FIELD(training_set, n_valid, K_I64, F_STORED | F_HIDE, "Rows from the split on"),                              \
	FIELD(training_set, n_left_out, K_I64, F_STORED | F_HIDE, "Labels left out: without a value or a time"),       \
	FIELD(training_set, label, K_STR, F_STORED, "What is to be predicted"),                                        \
	FIELD(training_set, time_column, K_STR, F_STORED | F_HIDE, "Time of the labels"),                              \
	FIELD(training_set, split_ms, K_TIME, F_STORED | F_NULLABLE, "Rows before train, from here on validate", .name = "split"), \
	FIELD(training_set, digest, K_STR, F_STORED | F_HIDE, "Digest of the content, however it is written"),         \
	FIELD(training_set, blob, K_STR, F_STORED | F_HIDE, "Parquet file, by SHA-256"),                               \
	FIELD(training_set, views, K_STRS, F_STORED, "Feature views it has features of"),                              \
	FIELD(training_set, sources, K_STRS, F_STORED | F_HIDE, "Dataset versions it was made of"),                    \
	FIELD(training_set, created_ms, K_TIME, F_STORED, "When it was made", .name = "created_at")

static const struct field training_set_fields[] = {
	SET_FIELDS,
	FIELD(training_set, columns, K_STRS, F_STORED | F_HIDE, "What a model sees, in order"),
	FIELD(training_set, inputs, K_RECORDS, F_STORED | F_HIDE, "The same, with types and where they come from", .sub = &training_input_record),
	FIELD(training_set, request, K_JSON, F_STORED | F_HIDE, "What it was made from"),
};
const struct record training_set_record = RECORD(training_set, training_set_fields, "Labels with the features as they were known at their times",
						  .table = "training_sets");
static const struct field training_set_brief_fields[] = { SET_FIELDS };
const struct record training_set_brief_record = RECORD(training_set, training_set_brief_fields, "A training set in short",
							.name = "training_set_brief", .table = "training_sets");
