/* features_int.h -- what the rooms of the feature store share.
 *
 * features.c is the module's table; records.c its records; store.c its rows in the metadata database; define.c takes and
 * checks definitions; sql.h says what is read from a view's dataset; materialise.c fills the online store and online.c reads
 * it (row.h: its bytes); training.c joins training sets; api_*.c are the routes; checks.c the live checks.
 */
#ifndef CAIRN_FEATURES_INT_H
#define CAIRN_FEATURES_INT_H

#include "base/id.h"
#include "core/event.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "core/route.h"
#include "core/task.h"
#include "modules/features/features.h"
#include "modules/features/row.h"
#include "modules/lake/lake.h"

#define NAME_MAX_LEN 64
#define KEYS_MAX 16
#define FEATURES_MAX 500
#define SET_VIEWS_MAX 32
#define READ_ROWS_MAX 10000     /* of one online read over HTTP */

struct online;
struct features {
	unsigned magic;
	struct core *core;
	struct lake *lake;
	struct online *online;          /* online.c: any thread */
	str place;                      /* id of the online store of this data directory */
	char place_text[ID_TEXT_MAX];
};
#define FEATURES_MAGIC 0x66656174u

/* --- definitions ------------------------------------------------------------------------------------------ */

/* The body of an apply: several views, or one by itself. */
struct view_document { struct list views; struct feature_view one; uint64_t has; };
struct view_change { str name, change /* "created", "changed", "unchanged" */; int64_t revision; };
struct view_changes { struct list views; };
extern const struct record view_document_record, view_changes_record;

bool features__kind_of_type(str type, enum value_kind *out), features__kind_of_sql(str sql_type, enum value_kind *out);
const struct dataset_column *features__column(const struct dataset_version *v, str name);   /* NULL when absent */
/* Views of a document, checked against their datasets, all or none. */
enum rc features__apply(struct features *f, const struct view_document *d, const struct principal *who, struct arena *a,
			struct view_changes *out, struct err *e) MUST_USE;
/* The view fits the version still; RC_CONFLICT names what is missing. */
enum rc features__fits(const struct feature_view *v, const struct dataset_version *d, struct err *e) MUST_USE;

/* --- materialisations --------------------------------------------------------------------------------------- */

enum materialisation_state { MAT_BUILDING, MAT_CURRENT, MAT_RETIRED, MAT_FAILED, MAT_CLEANED };
struct materialisation {
	str id;                 /* "mt_…" */
	str view;
	int64_t revision;
	str source;             /* dataset version: "zone_stats@3" */
	int64_t as_of_ms;
	int32_t state;
	int64_t n_keys, n_rows, n_without_key;
	int64_t started_ms, ended_ms;
	str place;              /* the online store that has the rows */
	struct list keys;       /* of str */
	struct list features;   /* of struct feature: the layout of its rows */
	int64_t took_ms;
	double keys_per_s;
};
extern const struct record materialisation_record;
struct materialise_request { str name; int64_t as_of_ms; };
extern const struct record materialise_request_record;
enum rc features__materialise(struct features *f, const struct materialise_request *r, const struct principal *who,
			      struct task *t_or_null, struct arena *a, struct materialisation *out, struct err *e) MUST_USE;
/* Deletes the keys of materialisations that failed, and of those that were replaced longer than the grace period ago. */
enum rc features__clean(struct features *f, int64_t grace_ms, struct err *e) MUST_USE;
str features__prefix(struct arena *a, str view, str materialisation);

/* --- the online side ------------------------------------------------------------------------------------------ */

struct online *features__online_new(struct features *f);
void features__online_free(struct online **slot);
/* Reads see it from here on. m may be NULL: nothing to read (any more). */
enum rc features__publish(struct features *f, const struct feature_view *v, const struct materialisation *m, struct err *e) MUST_USE;
/* Publishes a view as it is stored; all that are not as they are stored. */
enum rc features__publish_stored(struct features *f, const struct feature_view *v, struct arena *a, struct err *e) MUST_USE;
enum rc features__refresh(struct features *f, struct err *e) MUST_USE;
void features__tell_ages(struct features *f);   /* sets the gauges of how old the online values are */
/* One materialisation of a view at a time: false when one is running. */
bool features__begin(struct features *f, str view);
void features__end(struct features *f, str view);
/* What a view looks like to readers; false when there is no such view. Keys and features live as long as the module. */
struct online_shape { struct list keys; size_t n_feature; const str *feature; const enum value_kind *kind; str entity; int64_t revision; };
bool features__shape(struct features *f, str view, struct online_shape *out);

/* --- training sets ------------------------------------------------------------------------------------------------ */

struct training_request {
	str name, dataset, sql, label, time_column;
	struct list features;   /* of str: "view:feature" or "view:*" */
	struct list columns;    /* of str */
	struct list keys;       /* of struct pair: join key -> column of the labels */
	int64_t split_ms;
};
extern const struct record training_request_record, training_set_brief_record;
enum rc features__training_set(struct features *f, const struct training_request *r, const struct principal *who, struct task *t_or_null,
			       struct arena *a, struct training_set *out, struct err *e) MUST_USE;

/* --- rows in the metadata database ---------------------------------------------------------------------------------- */

#define FEATURES_MIGRATIONS 1
extern const struct migration features_migrations[FEATURES_MIGRATIONS];
enum rc features__views(struct features *f, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc features__view_find(struct tx *tx, struct arena *a, str name, struct feature_view *out, bool *found, struct err *e) MUST_USE;
enum rc features__view_put(struct tx *tx, const struct feature_view *v, const char *action, const struct principal *who, struct arena *a,
			   struct err *e) MUST_USE;
/* The one that this online store serves; each process over a database has its own store. */
enum rc features__current(struct features *f, struct arena *a, str view, struct materialisation *out, bool *found, struct err *e) MUST_USE;
enum rc features__materialisations(struct features *f, struct arena *a, str view, struct list *out, struct err *e) MUST_USE;
/* Before its first key is written, so that what a killed process left is known. */
enum rc features__materialisation_begin(struct features *f, const struct materialisation *m, struct err *e) MUST_USE;
/* From RC_OK on reads come from m; RC_CONFLICT when the definition has changed meanwhile. */
enum rc features__materialisation_switch(struct features *f, struct materialisation *m, const struct principal *who, struct arena *a,
					 struct feature_view *view_out, struct err *e) MUST_USE;
enum rc features__materialisations_retire(struct tx *tx, str view, struct err *e) MUST_USE;     /* in all online stores */
enum rc features__materialisation_state(struct features *f, str id, enum materialisation_state state, struct err *e) MUST_USE;
/* What a process that is gone was building here is failed. */
enum rc features__materialisations_orphaned(struct features *f, struct err *e) MUST_USE;
enum rc features__materialisations_to_clean(struct features *f, int64_t before_ms, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc features__training_set_put(struct features *f, const struct training_set *s,
				   const struct pair *view /* each with the dataset version it was read from */, size_t n_view,
				   const struct principal *who, struct arena *a, struct err *e) MUST_USE;
enum rc features__training_sets(struct features *f, struct arena *a, int64_t limit, struct list *out, struct err *e) MUST_USE;

/* --- the module's tables, and how long they are ---------------------------------------------------------------------- */

#define FEATURES_TASKS 2
#define FEATURES_ROUTES 10
#define FEAST_ROUTES 1
#define FEATURES_CHECKS 5
extern const struct task_def features_tasks[FEATURES_TASKS];
extern const struct route features_routes[FEATURES_ROUTES], feast_routes[FEAST_ROUTES];
extern const struct check_def features_checks[FEATURES_CHECKS];
void feast_write_error(const struct err *err, struct jw *w);
int feast_error_status(const struct err *err);
extern const struct record features_online_request_record, features_online_answer_record;
enum rc features__post_online(struct call *c, const void *in, void *out, struct err *e);

#endif
