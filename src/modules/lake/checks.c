/* checks.c -- what the lake promises, observed: no row is lost, files are what they were, outputs passed their gates.
 *
 * Nothing here trusts the numbers that an ingest or a run wrote down: source files are read again, Parquet files counted
 * again, digests computed again, and the lineage graph walked. */
#include "modules/lake/pipeline.h"

#include <unistd.h>

#include "core/live_check.h"
#include "io/blob.h"
#include "io/filemap.h"

#define VERSIONS_CHECKED 500

/* --- no row is lost --------------------------------------------------------------------------------------------------- */

static enum rc count_text(const struct dataset_version *v, str data, struct arena *a, int64_t *n, struct err *e)
{
	struct source s;

	TRY(source_open(&s, data, (enum source_format)v->source_format, v->delimiter.len > 0 ? v->delimiter.at[0] : '\0', a,
			e));
	enum rc rc = source_count(&s, n, e);
	source_close(&s);
	return rc;
}

static enum rc count_parquet(struct lake *l, str blob, struct arena *a, int64_t *n, struct err *e)
{
	struct query *q = NULL;
	struct result r;
	str path;

	TRY(blob_path(l->core->blobs, blob, a, &path, e));
	TRY(query_open(l->core->query, &q, e));
	enum rc rc = query_bind_parquet(q, STR("file"), path, e);
	if (rc == RC_OK)
		rc = query_run(q, STR("SELECT count(*) FROM file"), 1, a, &r, e);
	if (rc == RC_OK)
		*n = r.col[0].i[0];
	query_close(&q);
	return rc;
}

static enum rc count_source(struct lake *l, const struct dataset_version *v, struct arena *a, int64_t *n, struct err *e)
{
	struct filemap map;
	uint64_t size;
	int fd;

	if (v->source_format == FORMAT_PARQUET)
		return count_parquet(l, v->source_blob, a, n, e);
	TRY(blob_open(l->core->blobs, v->source_blob, &fd, &size, e));
	enum rc rc = filemap_open(fd, size, &map, e);
	close(fd);
	if (rc != RC_OK)
		return rc;
	rc = count_text(v, map.data, a, n, e);
	filemap_close(&map);
	return rc;
}

static enum rc check_rows_of(struct lake *l, struct live_check *k, const struct dataset_version *v, struct err *e)
{
	struct arena *a = live_check_arena(k);
	int64_t stored = 0, apart = 0, source = 0;

	TRY(count_parquet(l, v->blob, a, &stored, e));
	if (v->quarantine_blob.len > 0)
		TRY(count_parquet(l, v->quarantine_blob, a, &apart, e));
	if (v->source_blob.len == 0) {
		expect_true(k, stored == v->n_rows, STR_FMT ": %lld rows in its file, %lld on record", STR_ARG(v->id),
			    (long long)stored, (long long)v->n_rows);
		return RC_OK;
	}
	TRY(count_source(l, v, a, &source, e));
	expect_true(k, source == stored + apart && stored == v->n_rows && apart == v->n_quarantined,
		    STR_FMT ": %lld rows in the source = %lld stored + %lld quarantined (on record: %lld + %lld)",
		    STR_ARG(v->id), (long long)source, (long long)stored, (long long)apart, (long long)v->n_rows,
		    (long long)v->n_quarantined);
	return RC_OK;
}

static enum rc no_row_lost(void *module, struct live_check *k, struct err *e)
{
	struct list all;

	TRY(lake__all_versions(module, live_check_arena(k), true, VERSIONS_CHECKED, &all, e));
	if (all.n == 0)
		live_check_skip(k, "there is no dataset yet");
	for (size_t i = 0; i < all.n; i++) {
		const struct dataset_version *v = LIST_AT(all, const struct dataset_version, i);
		if (check_rows_of(module, k, v, e) != RC_OK)
			expect_true(k, false, STR_FMT ": %s", STR_ARG(v->id), e->msg);
	}
	return RC_OK;
}

/* --- files are what they were ------------------------------------------------------------------------------------------- */

struct verified { int64_t n, n_bad; };

static void verify(struct live_check *k, const struct dataset_version *v, str blob, const char *what, struct verified *all)
{
	struct err e = ERR_INIT;

	if (blob.len == 0)
		return;
	all->n++;
	if (blob_verify(live_check_core(k)->blobs, blob, &e) == RC_OK)
		return;
	all->n_bad++;
	live_check_note(k, STR_FMT ": %s " STR_FMT ": %s", STR_ARG(v->id), what, STR_ARG(blob), e.msg);
}

static enum rc blobs_verify(void *module, struct live_check *k, struct err *e)
{
	struct verified done = { 0 };
	struct list all;

	TRY(lake__all_versions(module, live_check_arena(k), false, VERSIONS_CHECKED, &all, e));
	if (all.n == 0) {
		live_check_skip(k, "there is no dataset yet");
		return RC_OK;
	}
	for (size_t i = 0; i < all.n; i++) {
		const struct dataset_version *v = LIST_AT(all, const struct dataset_version, i);
		verify(k, v, v->blob, "rows", &done);
		verify(k, v, v->quarantine_blob, "quarantined rows", &done);
		verify(k, v, v->source_blob, "source file", &done);
	}
	expect_true(k, done.n_bad == 0, "%lld files of %zu versions were read and hashed, %lld are not what they were",
		    (long long)done.n, all.n, (long long)done.n_bad);
	return RC_OK;
}

/* --- outputs passed their gates ------------------------------------------------------------------------------------------- */

struct trace { struct arena *a; str id; struct lineage_graph graph; };

static enum rc trace_up(struct tx *tx, void *ctx, struct err *e)
{
	struct trace *t = ctx;

	return lineage_trace(tx, t->a, STR(LIN_DATASET), t->id, false, &t->graph, e);
}

static bool has_edge(const struct lineage_graph *g, const char *from_kind, str from, const char *to_kind, str to)
{
	for (size_t i = 0; i < g->edges.n; i++) {
		const struct lineage_edge *x = LIST_AT(g->edges, const struct lineage_edge, i);
		if (str_eq(x->from_kind, str_of(from_kind)) && str_eq(x->from_id, from) &&
		    str_eq(x->to_kind, str_of(to_kind)) && str_eq(x->to_id, to))
			return true;
	}
	return false;
}

static enum rc check_lineage(struct lake *l, struct live_check *k, const struct pipeline_run *run, const struct run_output *o,
			     struct err *e)
{
	struct trace t = { .a = live_check_arena(k), .id = o->id };
	bool whole;

	TRY(db_read(l->core->db, trace_up, &t, e));
	whole = has_edge(&t.graph, LIN_PIPELINE, run->id, LIN_DATASET, o->id);
	for (size_t i = 0; i < run->inputs.n; i++) {
		const struct run_input *in = LIST_AT(run->inputs, const struct run_input, i);
		whole = whole && has_edge(&t.graph, LIN_DATASET, in->id, LIN_PIPELINE, run->id);
	}
	expect_true(k, whole, STR_FMT " came from run " STR_FMT " and that from its %zu inputs, by lineage", STR_ARG(o->id),
		    STR_ARG(run->id), run->inputs.n);
	return RC_OK;
}

static enum rc check_pipeline(struct lake *l, struct live_check *k, str name, struct err *e)
{
	struct pipeline_run run = { 0 };
	bool found = false;
	size_t passed = 0;

	TRY(lake__run_last(l, live_check_arena(k), name, false, &run, &found, e));
	if (!found) {
		live_check_note(k, STR_FMT ": never ran", STR_ARG(name));
		return RC_OK;
	}
	if (run.state == PIPE_RUNNING) {
		live_check_note(k, STR_FMT ": run " STR_FMT " is running", STR_ARG(name), STR_ARG(run.id));
		return RC_OK;
	}
	for (size_t i = 0; i < run.gates.n; i++)
		passed += LIST_AT(run.gates, const struct gate_outcome, i)->passed;
	expect_true(k, run.state == PIPE_SUCCEEDED && passed == run.gates.n,
		    STR_FMT ": last run " STR_FMT " %s, %zu of %zu gates passed%s" STR_FMT, STR_ARG(name), STR_ARG(run.id),
		    run_state_names[run.state], passed, run.gates.n, run.state == PIPE_SUCCEEDED ? "" : ": ",
		    STR_ARG(run.state == PIPE_SUCCEEDED ? STR("") : run.message));
	for (size_t i = 0; i < run.outputs.n; i++)
		TRY(check_lineage(l, k, &run, LIST_AT(run.outputs, const struct run_output, i), e));
	return RC_OK;
}

static enum rc pipelines_gated(void *module, struct live_check *k, struct err *e)
{
	struct list all;

	TRY(lake__pipelines(module, live_check_arena(k), &all, e));
	if (all.n == 0)
		live_check_skip(k, "there is no pipeline yet");
	for (size_t i = 0; i < all.n; i++)
		TRY(check_pipeline(module, k, LIST_AT(all, const struct pipeline_row, i)->name, e));
	return RC_OK;
}

/* --- what failed published nothing ---------------------------------------------------------------------------------------- */

static enum rc failures_publish_nothing(void *module, struct live_check *k, struct err *e)
{
	struct list versions;
	int64_t n_failed = 0;

	TRY(lake__versions_of_failed_runs(module, live_check_arena(k), &n_failed, &versions, e));
	if (n_failed == 0)
		live_check_skip(k, "no run has failed yet");
	for (size_t i = 0; i < versions.n; i++) {
		const struct dataset_version *v = LIST_AT(versions, const struct dataset_version, i);
		live_check_note(k, STR_FMT " came from run " STR_FMT, STR_ARG(v->id), STR_ARG(v->origin_id));
	}
	if (n_failed > 0)
		expect_true(k, versions.n == 0, "%lld runs ended at a gate or otherwise, %zu versions came from such", (long long)n_failed,
			    versions.n);
	return RC_OK;
}

/* --- gates find what they are for ------------------------------------------------------------------------------------------ */

/* One violation of each kind in a table of ten rows; `clean` is the same table without them. */
static const struct { const char *name; struct gate gate; } planted[] = {
	{ "a missing value", { .kind = GATE_NOT_NULL, .mostly = 1 } },
	{ "a value out of range", { .kind = GATE_RANGE, .column = { "n", 1 }, .min = 0, .max = 100, .mostly = 1, .has = 1u << 1 | 1u << 2 } },
	{ "an unknown word", { .kind = GATE_ACCEPTED_VALUES, .column = { "w", 1 }, .mostly = 1 } },
	{ "a repeated key", { .kind = GATE_UNIQUE, .mostly = 1 } },
	{ "a missing row", { .kind = GATE_ROW_COUNT, .min = 10, .has = 1u << 1 } },
	{ "old rows", { .kind = GATE_FRESHNESS, .column = { "t", 1 }, .max_age_ms = 86400000, .relative_to = { "2020-01-10T00:00:00Z", 20 } } },
};
#define CLEAN "SELECT range AS id, range * 10 AS n, CASE range % 2 WHEN 0 THEN 'even' ELSE 'odd' END AS w, TIMESTAMP '2020-01-01' + range * INTERVAL 1 DAY AS t FROM range(10)"
#define DIRTY "SELECT CASE id WHEN 3 THEN 4 ELSE id END AS id, CASE id WHEN 1 THEN 1000 ELSE n END AS n, CASE id WHEN 2 THEN 'prime' ELSE w END AS w,"   \
	" CASE WHEN id = 5 THEN NULL ELSE t END AS t FROM clean WHERE id < 8"

static enum rc measure_planted(struct query *q, struct live_check *k, size_t i, struct err *e)
{
	str missing[] = { STR("t") }, key[] = { STR("id") }, words[] = { STR("even"), STR("odd") };
	struct arena *a = live_check_arena(k);
	struct gate_outcome dirty, clean;
	struct gate g = planted[i].gate;

	if (g.kind == GATE_NOT_NULL)
		g.columns = (struct list){ missing, ARRAY_LEN(missing) };
	if (g.kind == GATE_UNIQUE)
		g.columns = (struct list){ key, ARRAY_LEN(key) };
	if (g.kind == GATE_ACCEPTED_VALUES)
		g.values = (struct list){ words, ARRAY_LEN(words) };
	TRY(lake__gate_measure(q, &g, STR("dirty"), a, &dirty, e));
	TRY(lake__gate_measure(q, &g, STR("clean"), a, &clean, e));
	expect_true(k, !dirty.passed && clean.passed, "%s: gate %s %s it and %s the clean table", planted[i].name,
		    gate_kind_names[g.kind], dirty.passed ? "misses" : "finds", clean.passed ? "passes" : "refuses");
	return RC_OK;
}

static enum rc measure_all_planted(struct query *q, struct live_check *k, struct err *e)
{
	TRY(query_define(q, STR("clean"), STR(CLEAN), true, e));
	TRY(query_define(q, STR("dirty"), STR(DIRTY), true, e));
	TRY(query_sandbox(q, e));
	for (size_t i = 0; i < ARRAY_LEN(planted); i++)
		TRY(measure_planted(q, k, i, e));
	return RC_OK;
}

static enum rc gates_find(void *module, struct live_check *k, struct err *e)
{
	struct lake *l = module;
	struct query *q = NULL;

	TRY(query_open(l->core->query, &q, e));
	enum rc rc = measure_all_planted(q, k, e);
	query_close(&q);
	return rc;
}

const struct check_def lake_checks[] = {
	{ "lake.no_row_lost", "Every row of every ingested file is stored or quarantined, counted anew from the files",
	  "P1.W3.D3.1 P1.W4.D3.3", no_row_lost },
	{ "lake.blobs_verify", "Every file of every dataset version still has its digest", "P1.W3.D3.3", blobs_verify },
	{ "lake.pipelines_gated", "The last run of every pipeline passed its gates, and its outputs' lineage is whole",
	  "P1.W3.D3.4 P1.W3.D3.5", pipelines_gated },
	{ "lake.failures_publish_nothing", "No dataset version came from a run that a gate or an error stopped", "P1.W3.D3.4",
	  failures_publish_nothing },
	{ "lake.gates_find", "Each kind of gate finds its planted violation and passes the clean table", "P1.W3.D3.4", gates_find },
};
_Static_assert(ARRAY_LEN(lake_checks) == LAKE_CHECKS, "lake_int.h says how many");
