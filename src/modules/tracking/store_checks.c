/* store_checks.c -- what the checks look at, as statements. */
#include "modules/tracking/store.h"

static const char *const looks[LOOKS] = {
	[LOOK_EXPERIMENT] = "SELECT id FROM experiments LIMIT 1",
	[LOOK_METRIC_COUNT] = "SELECT COUNT(*) FROM run_metrics",
	[LOOK_STALE_LATEST] =
		"SELECT m.run, m.key FROM (SELECT run, key, series, at, step, value, is_nan FROM run_metrics ORDER BY series DESC LIMIT 1000) m"
		" WHERE NOT EXISTS (SELECT 1 FROM metric_points p WHERE p.series = m.series AND p.at = m.at AND p.step = m.step"
		" AND p.value = m.value AND p.is_nan = m.is_nan) OR EXISTS (SELECT 1 FROM metric_points p WHERE p.series = m.series AND"
		" (p.step > m.step OR (p.step = m.step AND p.at > m.at) OR (p.step = m.step AND p.at = m.at AND p.value > m.value)))",
	[LOOK_NEWEST_ARTIFACTS] = "SELECT dir, name, blob, size FROM artifacts WHERE is_dir = 0 ORDER BY at DESC, dir, name LIMIT 200",
	[LOOK_RUNS_ADRIFT] =
		"SELECT r.id FROM runs r WHERE NOT EXISTS (SELECT 1 FROM experiments x WHERE x.id = r.experiment) LIMIT 100",
	[LOOK_METRICS_ADRIFT] = "SELECT m.run FROM run_metrics m WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = m.run) LIMIT 100",
};

enum rc tracking__look(struct tx *tx, struct arena *a, enum look what, struct rows *out, struct err *e)
{
	CHECK(what < LOOKS);
	return db_query(tx, a, looks[what], NO_VALS, out, e);
}
