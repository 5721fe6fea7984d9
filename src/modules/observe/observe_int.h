/* observe_int.h -- what the rooms of the observe module share. */
#ifndef CAIRN_MODULES_OBSERVE_INT_H
#define CAIRN_MODULES_OBSERVE_INT_H

#include <pthread.h>

#include "core/core.h"
#include "core/live_check.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/principal.h"
#include "core/route.h"
#include "io/db.h"
#include "modules/observe/alert.h"
#include "modules/observe/drift.h"
#include "modules/observe/observe.h"
#include "modules/observe/predlog.h"

#define OBSERVE_MAGIC 0x0b5e7e01u
#define PSI_MODERATE 0.1
#define PSI_DRIFTED 0.25

struct observe_config {
	int64_t window_rows, window_ms, min_samples;
	int64_t segment_mb, keep_log_mb;
	int64_t keep_ms, series_keep_ms;
};

struct watch {
	struct observe *o;
	struct watch *next;             /* newest first */
	struct log_watch def;           /* texts in o->arena */
	struct drift *drift;
	bool retired;
	uint64_t segment;               /* where the log knows it … */
	uint32_t number;                /* … as this */
	struct series *logged;
};

struct observe {
	unsigned magic;
	struct core *core;
	struct observe_config config;
	str log_id;
	struct metric_family *psi, *firing, *logged;

	pthread_mutex_t watch_mtx;      /* one observe_watch at a time; taken before mtx */
	pthread_mutex_t mtx;            /* guards all below */
	struct predlog *log;            /* appending only; readers need no lock */
	struct arena arena;
	struct watch *watch;
	struct drift *drift;            /* newest first */
	uint64_t segment;               /* of the log, when n_watch was counted */
	uint32_t n_watch;               /* watches that this segment knows */
	uint64_t start_seq;             /* of this process */

	pthread_mutex_t index_mtx;      /* guards the reader, its place and kept_seq */
	struct predlog_reader *reader;
	uint64_t kept_seq;              /* rows of this process before it were removed by age */

	pthread_mutex_t alert_mtx;      /* one evaluation at a time */
};

/* --- records.c --- */
extern const struct record observe_config_record;
struct drift_row { str endpoint, model, column; int64_t version; int32_t role, verdict; double psi; int64_t n, n_missing, n_reference; };
enum { ROLE_INPUT, ROLE_PREDICTION };
enum drift_verdict { DRIFT_STABLE, DRIFT_MODERATE, DRIFT_DRIFTED, DRIFT_TOO_FEW, DRIFT_NO_REFERENCE };
extern const char *const drift_verdict_names[];
extern const struct record drift_row_record;
struct label { str prediction_id; double value; int64_t at_ms; str who; };
extern const struct record label_record;
struct quality_part { int64_t at_ms, n; double mae, rmse, bias; };
struct quality { str endpoint; int64_t n_predictions, n_labels; double mae, rmse, bias, label_mean; struct list parts; };
extern const struct record quality_record, quality_part_record;
extern const struct record alert_rule_record, alert_row_record, alert_event_record;
struct series_rows { str name, labels; struct list at; struct list value; };   /* of int64_t, double */
extern const struct record series_rows_record;

/* --- store.c: SQL --- */
extern const struct migration observe_migrations[];
#define OBSERVE_MIGRATIONS 1
struct index_batch { str log; struct predlog_place place; uint64_t next_seq; const struct prediction_row *row; size_t n; };
enum rc observe__index_put(struct db *db, const struct index_batch *b, struct err *e) MUST_USE;
enum rc observe__index_place(struct db *db, str log, struct predlog_place *place, uint64_t *next_seq, struct err *e) MUST_USE;
enum rc observe__row_find(struct db *db, struct arena *a, str id, struct prediction_row *out, bool *found, struct err *e) MUST_USE;
enum rc observe__row_list(struct db *db, struct arena *a, str endpoint, int64_t limit, struct list *out, struct err *e) MUST_USE;
/* The newest n of an endpoint and model version in the log with seq <= last_seq, newest first. */
struct window_of { str log, endpoint, model; int64_t version; uint64_t last_seq; int64_t n; };
enum rc observe__row_window(struct db *db, struct arena *a, const struct window_of *w, struct list *out, struct err *e) MUST_USE;
enum rc observe__row_count(struct db *db, str log, uint64_t from_seq, struct prediction_count *out, struct err *e) MUST_USE;
/* *first_kept: the least number of the log that is left, 0 when nothing was removed or nothing is left. */
enum rc observe__rows_prune(struct db *db, str log, int64_t before_ms, uint64_t *first_kept, struct err *e) MUST_USE;
enum rc observe__labels_put(struct db *db, const struct list *labels, const struct principal *who, int64_t *n_matched, struct err *e) MUST_USE;
enum rc observe__quality(struct db *db, struct arena *a, str endpoint, int64_t since_ms, int64_t part_ms, struct quality *out,
			 struct err *e) MUST_USE;
enum rc observe__rules_put(struct db *db, const struct list *rules, const struct principal *who, struct err *e) MUST_USE;
enum rc observe__rule_delete(struct db *db, str name, const struct principal *who, struct err *e) MUST_USE;
enum rc observe__rules(struct db *db, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc observe__alert_apply(struct db *db, const struct alert_rule *r, const struct alert_measure *m, int64_t now_ms, struct err *e) MUST_USE;
enum rc observe__alerts(struct db *db, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc observe__alert_history(struct db *db, struct arena *a, str rule, int64_t limit, struct list *out, struct err *e) MUST_USE;
struct sample { str name, labels; double value; };
enum rc observe__samples_put(struct db *db, int64_t at_ms, const struct sample *s, size_t n, int64_t keep_from_ms, struct err *e) MUST_USE;
enum rc observe__samples(struct db *db, struct arena *a, str name, int64_t since_ms, struct list *out, struct err *e) MUST_USE;

/* --- the rest --- */
enum rc observe__index_now(struct observe *o, struct err *e) MUST_USE;                          /* index.c */
enum rc observe__index_timer(void *module, struct err *e);
enum rc observe__prune_timer(void *module, struct err *e);
enum rc observe__drift(struct observe *o, struct arena *a, str endpoint, struct list *out, struct err *e) MUST_USE;   /* watch.c */
enum rc observe__drift_timer(void *module, struct err *e);
enum rc observe__refill(struct observe *o, struct arena *a, struct drift *d, uint64_t last_seq, int64_t n, struct err *e) MUST_USE;
struct watch *observe__watch_find(struct observe *o, str endpoint);      /* the current one, or NULL */
enum rc observe__alerts_evaluate(struct observe *o, struct arena *a, struct err *e) MUST_USE;   /* alert.c */
enum rc observe__alert_timer(void *module, struct err *e);
enum rc observe__series_timer(void *module, struct err *e);                                      /* series.c */
extern const struct route observe_routes[];
#define OBSERVE_ROUTES 11
extern const struct check_def observe_checks[];
#define OBSERVE_CHECKS 3

#endif
