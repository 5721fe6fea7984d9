/* checks.c -- what tracking promises, looked at in the rows and files as they are. */
#include "core/live_check.h"
#include "io/blob.h"
#include "modules/tracking/store.h"

#define BYTES_MAX (UINT64_C(4) << 30)   /* read again in one check */

struct looking { struct tracking *t; struct arena *a; struct rows rows; const char *sql; };

static enum rc look_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct looking *l = ctx;

	return db_query(tx, l->a, l->sql, NO_VALS, &l->rows, e);
}

/* The newest series: the stored latest point against all points. */
static enum rc latest_is_greatest(void *module, struct live_check *k, struct err *e)
{
	struct looking l = {
		.t = module, .a = live_check_arena(k),
		.sql = "SELECT m.run, m.key FROM (SELECT run, key, series, at, step, value, is_nan FROM run_metrics ORDER BY series DESC LIMIT 1000) m"
		       " WHERE NOT EXISTS (SELECT 1 FROM metric_points p WHERE p.series = m.series AND p.at = m.at AND p.step = m.step"
		       " AND p.value = m.value AND p.is_nan = m.is_nan) OR EXISTS (SELECT 1 FROM metric_points p WHERE p.series = m.series AND"
		       " (p.step > m.step OR (p.step = m.step AND p.at > m.at) OR (p.step = m.step AND p.at = m.at AND p.value > m.value)))",
	};
	struct looking n = { .t = module, .a = l.a, .sql = "SELECT COUNT(*) FROM run_metrics" };

	TRY(db_read(l.t->db, look_tx, &n, e));
	if (rows_at(&n.rows, 0, 0)->i == 0) {
		live_check_skip(k, "no metric was logged yet");
		return RC_OK;
	}
	TRY(db_read(l.t->db, look_tx, &l, e));
	live_check_note(k, "%lld metrics of runs; the newest 1000 looked at", (long long)rows_at(&n.rows, 0, 0)->i);
	for (size_t i = 0; i < l.rows.n && i < 5; i++)
		live_check_note(k, "run " STR_FMT ", metric " STR_FMT, STR_ARG(rows_at(&l.rows, i, 0)->s), STR_ARG(rows_at(&l.rows, i, 1)->s));
	expect_equal(k, "metrics whose latest value is not the greatest (step, time, value) of their history", (double)l.rows.n, 0);
	return RC_OK;
}

static enum rc artifacts_are_whole(void *module, struct live_check *k, struct err *e)
{
	struct looking l = { .t = module, .a = live_check_arena(k),
			     .sql = "SELECT dir, name, blob, size FROM artifacts WHERE is_dir = 0 ORDER BY at DESC, dir, name LIMIT 200" };
	uint64_t bytes = 0;
	size_t n = 0, damaged = 0;

	TRY(db_read(l.t->db, look_tx, &l, e));
	if (l.rows.n == 0) {
		live_check_skip(k, "no artifact was stored yet");
		return RC_OK;
	}
	for (; n < l.rows.n && bytes < BYTES_MAX; n++) {
		struct err why = ERR_INIT;
		bytes += (uint64_t)rows_at(&l.rows, n, 3)->i;
		if (blob_verify(l.t->blobs, rows_at(&l.rows, n, 2)->s, &why) == RC_OK)
			continue;
		damaged++;
		live_check_note(k, STR_FMT "/" STR_FMT ": %s", STR_ARG(rows_at(&l.rows, n, 0)->s), STR_ARG(rows_at(&l.rows, n, 1)->s), why.msg);
	}
	live_check_note(k, "%zu newest artifacts read again, %llu bytes", n, (unsigned long long)bytes);
	expect_equal(k, "artifacts that are missing or no longer have their digest", (double)damaged, 0);
	return RC_OK;
}

static enum rc nothing_hangs(void *module, struct live_check *k, struct err *e)
{
	static const struct { const char *what, *sql; } rows[] = {
		{ "runs without their experiment",
		  "SELECT r.id FROM runs r WHERE NOT EXISTS (SELECT 1 FROM experiments x WHERE x.id = r.experiment) LIMIT 100" },
		{ "metrics without their run",
		  "SELECT m.run FROM run_metrics m WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = m.run) LIMIT 100" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct looking l = { .t = module, .a = live_check_arena(k), .sql = rows[i].sql };
		TRY(db_read(l.t->db, look_tx, &l, e));
		expect_equal(k, rows[i].what, (double)l.rows.n, 0);
	}
	return RC_OK;
}

const struct check_def tracking_checks[TRACKING_CHECKS] = {
	{ "tracking.latest_is_greatest", "The latest value of a metric is the greatest (step, time, value) of its history", "P1.W3.D1.2",
	  latest_is_greatest },
	{ "tracking.artifacts_are_whole", "Every stored artifact is there and has its digest", "P1.W3.D1.2", artifacts_are_whole },
	{ "tracking.nothing_hangs", "Every run has its experiment and every metric its run", "P1.W3.D1.2", nothing_hangs },
};
