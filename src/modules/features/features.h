/* features.h -- entities, feature views, point-in-time training sets and online reads.
 *
 * A feature view is declared over a dataset: join keys, an event time, an optional created time, features
 * and a TTL. Offline, each label row gets the newest values with event time <= its own time and not older
 * than the TTL. Online, the newest value per key as of the materialisation is kept in the key-value store.
 */
#ifndef CAIRN_MODULES_FEATURES_H
#define CAIRN_MODULES_FEATURES_H

#include "base/record.h"
#include "core/core.h"

struct features;
extern const struct module features_module;
static inline struct features *features_of(const struct core *c) { return core_module(c, "features"); }

struct feature_view {
	str name, doc;
	str entity;             /* what a key stands for: "zone" */
	struct list keys;       /* of str: join key columns, in order */
	str dataset;            /* source dataset */
	str time_column, created_column;   /* created may be empty */
	int64_t ttl_ms;         /* 0: no limit */
	struct list features;   /* of struct feature */
	int64_t revision;       /* counts changes of the definition */
	int64_t created_ms, updated_ms;
	str materialised_id;    /* of the newest materialisation, or empty */
	int64_t materialised_as_of_ms, materialised_at_ms, n_keys;
};
struct feature { str name, type /* "float", "int", "bool", "time", "string" */, doc; };
extern const struct record feature_view_record, feature_record;

struct training_set {
	str id;                 /* "ts_01…" */
	str name;
	str blob;               /* Parquet: label, time, keys, request columns, features, event times of the views; in that order */
	int64_t n_rows, n_train, n_valid, n_left_out;   /* left out: labels without a value or a time */
	str digest;             /* of the content, independent of how it was written */
	str label, time_column;
	struct list columns;    /* of str: the model's inputs, in order */
	struct list views;      /* of str: "zone_stats" */
	struct list inputs;     /* of struct training_input: the same, with where each comes from */
	struct list sources;    /* of str: dataset versions, "trips_clean@1" */
	str request;            /* the JSON it was made from */
	int64_t split_ms;       /* rows before train, from here on validate; 0: none */
	int64_t created_ms;
};
struct training_input { str name, type /* as of features */, view /* or empty: known when asked */; };
extern const struct record training_set_record, training_input_record;
enum rc features_training_set(struct features *f, struct arena *a, str id_or_name, struct training_set *out, struct err *e) MUST_USE;
/* As trainers take it: rows without a label or a time left out, in order of time, n_train of them before the split (or the
 * older four fifths, where there is none), then n_valid held out. NaN where missing. RC_INVALID: an input is no number. */
struct training_matrix {
	float *x, *y;           /* row-major n_row x n_col; n_row */
	size_t n_train, n_valid, n_col;
	const char **name;      /* n_col */
	double y_mean;          /* of the training rows */
};
enum rc features_matrix(struct features *f, const struct training_set *ts, struct arena *a, struct training_matrix *out, struct err *e) MUST_USE;

enum feature_status { FEATURE_PRESENT, FEATURE_NULL, FEATURE_NOT_FOUND, FEATURE_TOO_OLD };
/* number holds int, bool and time (microseconds) too, integer all but float; text is for strings. Too old: the value is there. */
struct online_value { double number; int64_t integer; str text; enum feature_status status; };
struct online_row { int64_t event_ms; struct online_value *value; };   /* as many as features asked for */

enum rc features_view(struct features *f, struct arena *a, str name, struct feature_view *out, struct err *e) MUST_USE;
/* A compiled read, kept by the caller (an endpoint); it follows new materialisations by itself. Any thread may read through
 * it at the same time. RC_CONFLICT from a read when the view's join keys have changed: make a new one. */
struct online_reader;
enum rc features_reader_new(struct features *f, str view, const str *feature, size_t n, struct online_reader **out, struct err *e) MUST_USE;
void features_reader_free(struct online_reader **slot);
/* Reads n_key rows; key[i * n_join_keys + j]. Does not block: event loops may call it. now_ms: for the TTL; 0 ignores the TTL
 * (replays of the past). A key without a row has event_ms 0 and FEATURE_NOT_FOUND. */
enum rc features_read(struct online_reader *r, const str *key, size_t n_key, int64_t now_ms, struct arena *a,
		      struct online_row *out, struct err *e) MUST_USE;
/* The materialisation that reads come from now, "mt_…", or empty: for lineage. Lives as long as the features module. */
str features_reader_materialisation(const struct online_reader *r);

#endif
