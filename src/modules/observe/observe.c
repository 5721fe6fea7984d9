/* observe.c -- observe as a module: its tables, and its life. */
#include "modules/observe/observe_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "core/live_check.h"
#include "core/route.h"
#include "core/task.h"
#include "io/fs.h"

static const struct metric_def psi_def = { "cairn_drift_psi", METRIC_GAUGE,
					   "Population stability index of an input or prediction against the training set", { "endpoint", "column" } };
static const struct metric_def firing_def = { "cairn_alert_firing", METRIC_GAUGE, "1 while the alert of a rule fires", { "rule" } };
static const struct metric_def logged_def = { "cairn_predictions_recorded_total", METRIC_COUNTER, "Predictions put on record", { "endpoint" } };
static const struct metric_def bytes_def = { "cairn_prediction_log_bytes", METRIC_GAUGE, "Size of the prediction log", { NULL } };

static double log_bytes(void *ctx)
{
	const struct observe *o = ctx;

	return (double)predlog_bytes(o->log);
}

/* The log has a name of its own, so that several cairns over one database do not take each other's numbers. */
static enum rc log_name(const char *dir, struct arena *a, str *out, struct err *e)
{
	char path[4096];

	int n = snprintf(path, sizeof(path), "%s/ID", dir);
	CHECK(n > 0 && n < (int)sizeof(path));
	if (!fs_exists(path))
		TRY(fs_write_atomic(path, id_new(a, "log"), 0600, e));
	TRY(fs_read(path, 64, a, out, e));
	*out = str_trim(*out);
	return RC_OK;
}

static enum rc open_log(struct observe *o, struct err *e)
{
	struct predlog_place place;
	uint64_t next_seq;
	char dir[4096];

	int n = snprintf(dir, sizeof(dir), "%s/predictions", o->core->data_dir);
	CHECK(n > 0 && n < (int)sizeof(dir));
	TRY(predlog_open(dir, (uint64_t)o->config.segment_mb << 20, &o->log, e));
	TRY(log_name(dir, &o->arena, &o->log_id, e));
	TRY(observe__index_place(o->core->db, o->log_id, &place, &next_seq, e));
	TRY(predlog_advance(o->log, place.segment, next_seq, e));
	o->start_seq = o->kept_seq = predlog_next_seq(o->log);
	return RC_OK;
}

static void observe_close(void **slot)
{
	struct observe *o = *slot;

	*slot = NULL;
	OBJ_CHECK(o, OBSERVE_MAGIC);
	predlog_reader_close(&o->reader);
	predlog_close(&o->log);
	arena_deinit(&o->arena);
	pthread_mutex_destroy(&o->watch_mtx);
	pthread_mutex_destroy(&o->mtx);
	pthread_mutex_destroy(&o->index_mtx);
	pthread_mutex_destroy(&o->alert_mtx);
	o->magic = 0;
	free(o);
}

static enum rc observe_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	struct observe *o = calloc(1, sizeof(*o));

	CHECK(o != NULL);
	o->magic = OBSERVE_MAGIC;
	o->core = c;
	o->config = *(const struct observe_config *)config;
	pthread_mutex_init(&o->watch_mtx, NULL);
	pthread_mutex_init(&o->mtx, NULL);
	pthread_mutex_init(&o->index_mtx, NULL);
	pthread_mutex_init(&o->alert_mtx, NULL);
	arena_init(&o->arena);
	o->psi = metric_register(c->metrics, &psi_def);
	o->firing = metric_register(c->metrics, &firing_def);
	o->logged = metric_register(c->metrics, &logged_def);
	enum rc rc = open_log(o, e);
	if (rc != RC_OK) {
		void *self = o;
		observe_close(&self);
		return rc;
	}
	metric_callback(metric_register(c->metrics, &bytes_def), log_bytes, o);
	*self_out = o;
	return RC_OK;
}

static const struct timer_def timers[] = {
	{ "observe.index", 500, false, observe__index_timer },
	{ "observe.drift", 5000, false, observe__drift_timer },
	{ "observe.alerts", 15000, false, observe__alert_timer },
	{ "observe.series", 10000, false, observe__series_timer },
	{ "observe.prune", 600000, false, observe__prune_timer },
};
static const struct record *const stored[] = { &prediction_row_record, &label_record, &alert_rule_record, &alert_event_record };
static const struct api apis[] = {
	{ .name = "cairn", .prefix = API_CAIRN, .route = observe_routes, .n_route = OBSERVE_ROUTES },
};

const struct module observe_module = {
	.name = "observe",
	.doc = "Predictions on record, drift, labels and alerts",
	.config = &observe_config_record,
	.migration = observe_migrations,
	.n_migration = OBSERVE_MIGRATIONS,
	.stored = stored,
	.n_stored = ARRAY_LEN(stored),
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.timer = timers,
	.n_timer = ARRAY_LEN(timers),
	.check = observe_checks,
	.n_check = OBSERVE_CHECKS,
	.open = observe_open,
	.close = observe_close,
};
