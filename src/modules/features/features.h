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
	str name;
	str entity;             /* what a key stands for: "zone" */
	struct list keys;       /* of str: join key columns, in order */
	str dataset;            /* source dataset */
	str time_column, created_column;   /* created may be empty */
	int64_t ttl_ms;         /* 0: no limit */
	struct list features;   /* of struct feature */
	int64_t created_ms, updated_ms;
	str materialised_id;    /* of the newest materialisation, or empty */
	int64_t materialised_as_of_ms, materialised_at_ms, n_keys;
};
struct feature { str name, type /* "float", "int", "string" */, doc; };
extern const struct record feature_view_record, feature_record;

struct training_set {
	str id;                 /* "ts_01…" */
	str name;
	str blob;               /* Parquet: label, time, keys, request columns, features; in that order */
	int64_t n_rows;
	str digest;             /* of the content, independent of how it was written */
	str label, time_column;
	struct list columns;    /* of str: the model's inputs, in order */
	struct list views;      /* of str: "zone_stats" */
	str request;            /* the JSON it was made from */
	int64_t split_ms;       /* rows before train, from here on validate; 0: none */
	int64_t created_ms;
};
extern const struct record training_set_record;
enum rc features_training_set(struct features *f, struct arena *a, str id_or_name, struct training_set *out, struct err *e) MUST_USE;

enum feature_status { FEATURE_PRESENT, FEATURE_NULL, FEATURE_NOT_FOUND, FEATURE_TOO_OLD };
struct online_value { double number; str text; enum feature_status status; };
struct online_row { int64_t event_ms; struct online_value *value; };   /* as many as features asked for */

enum rc features_view(struct features *f, struct arena *a, str name, struct feature_view *out, struct err *e) MUST_USE;
/* A compiled read, kept by the caller (an endpoint) for as long as the view's revision lives. */
struct online_reader;
enum rc features_reader_new(struct features *f, str view, const str *feature, size_t n, struct online_reader **out, struct err *e) MUST_USE;
void features_reader_free(struct online_reader **slot);
/* Reads n_key rows; key[i * n_join_keys + j]. Does not block: event loops may call it. now_ms: for the TTL; 0 ignores the TTL
 * (replays of the past). */
enum rc features_read(struct online_reader *r, const str *key, size_t n_key, int64_t now_ms, struct arena *a,
		      struct online_row *out, struct err *e) MUST_USE;

#endif
