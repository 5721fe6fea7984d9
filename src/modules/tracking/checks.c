/* checks.c -- what tracking promises, looked at in the rows and files as they are. */
#include "core/live_check.h"
#include "io/blob.h"
#include "modules/tracking/store.h"

#define BYTES_MAX (UINT64_C(4) << 30)   /* read again in one check */

struct looking { struct arena *a; enum look what; struct rows *rows; };

static enum rc look_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct looking *l = ctx;

	return tracking__look(tx, l->a, l->what, l->rows, e);
}

static enum rc look(struct tracking *t, struct live_check *k, enum look what, struct rows *out, struct err *e)
{
	return db_read(t->db, look_tx, &(struct looking){ live_check_arena(k), what, out }, e);
}

static enum rc latest_is_greatest(void *module, struct live_check *k, struct err *e)
{
	struct rows count, stale;

	TRY(look(module, k, LOOK_METRIC_COUNT, &count, e));
	if (rows_at(&count, 0, 0)->i == 0) {
		live_check_skip(k, "no metric was logged yet");
		return RC_OK;
	}
	TRY(look(module, k, LOOK_STALE_LATEST, &stale, e));
	live_check_note(k, "%lld metrics of runs; the newest 1000 looked at", (long long)rows_at(&count, 0, 0)->i);
	for (size_t i = 0; i < stale.n && i < 5; i++)
		live_check_note(k, "run " STR_FMT ", metric " STR_FMT, STR_ARG(rows_at(&stale, i, 0)->s), STR_ARG(rows_at(&stale, i, 1)->s));
	expect_equal(k, "metrics whose latest value is not the greatest (step, time, value) of their history", (double)stale.n, 0);
	return RC_OK;
}

static enum rc artifacts_are_whole(void *module, struct live_check *k, struct err *e)
{
	struct tracking *t = module;
	struct rows files;
	uint64_t bytes = 0;
	size_t n = 0, damaged = 0;

	TRY(look(t, k, LOOK_NEWEST_ARTIFACTS, &files, e));
	if (files.n == 0) {
		live_check_skip(k, "no artifact was stored yet");
		return RC_OK;
	}
	for (; n < files.n && bytes < BYTES_MAX; n++) {
		struct err why = ERR_INIT;
		bytes += (uint64_t)rows_at(&files, n, 3)->i;
		if (blob_verify(t->blobs, rows_at(&files, n, 2)->s, &why) == RC_OK)
			continue;
		damaged++;
		live_check_note(k, STR_FMT "/" STR_FMT ": %s", STR_ARG(rows_at(&files, n, 0)->s), STR_ARG(rows_at(&files, n, 1)->s), why.msg);
	}
	live_check_note(k, "%zu newest artifacts read again, %llu bytes", n, (unsigned long long)bytes);
	expect_equal(k, "artifacts that are missing or no longer have their digest", (double)damaged, 0);
	return RC_OK;
}

static enum rc nothing_is_adrift(void *module, struct live_check *k, struct err *e)
{
	struct rows runs, metrics;

	TRY(look(module, k, LOOK_RUNS_ADRIFT, &runs, e));
	TRY(look(module, k, LOOK_METRICS_ADRIFT, &metrics, e));
	expect_equal(k, "runs without their experiment", (double)runs.n, 0);
	expect_equal(k, "metrics without their run", (double)metrics.n, 0);
	return RC_OK;
}

const struct check_def tracking_checks[TRACKING_CHECKS] = {
	{ "tracking.latest_is_greatest", "The latest value of a metric is the greatest (step, time, value) of its history", "P1.W3.D1.2",
	  latest_is_greatest },
	{ "tracking.artifacts_are_whole", "Every stored artifact is there and has its digest", "P1.W3.D1.2", artifacts_are_whole },
	{ "tracking.nothing_is_adrift", "Every run has its experiment and every metric its run", "P1.W3.D1.2", nothing_is_adrift },
};
