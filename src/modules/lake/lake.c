/* lake.c -- the lake as a module: its tables of routes and tasks, and its life. */
#include "modules/lake/pipeline.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/module.h"
#include "core/task.h"
#include "io/blob.h"

/* --- tasks ---------------------------------------------------------------------------------------------------- */

static void interrupt(void *ctx)
{
	query_interrupt(ctx);
}

void lake__watch(struct task *t, struct query *q)
{
	if (t != NULL)
		task_on_cancel(t, interrupt, q);
}

void lake__unwatch(struct task *t)
{
	if (t != NULL)
		task_on_cancel(t, NULL, NULL);
}

static str ingest_title(const void *request, struct arena *a)
{
	const struct ingest_request *r = request;

	return arena_printf(a, "ingest " STR_FMT, STR_ARG(r->name));
}

static enum rc ingest_admit(void *module, const struct principal *who, const void *request, struct err *e)
{
	const struct lake *l = module;
	const struct ingest_request *r = request;
	uint64_t size;
	int fd;

	(void)who;
	if (blob_open(l->core->blobs, r->blob, &fd, &size, e) != RC_OK) {
		if (e->rc == RC_NOT_FOUND)
			(void)FAIL(e, RC_NOT_FOUND, "no file " STR_FMT " was uploaded; PUT it to " API_CAIRN "/uploads first",
				   STR_ARG(r->blob));
		return err_field(e, "blob");
	}
	close(fd);
	return RC_OK;
}

static enum rc ingest_run(void *module, struct task *t, const void *in, void *out, struct err *e)
{
	return lake__ingest(module, in, task_principal(t), t, task_arena(t), out, e);
}

static str pipeline_title(const void *request, struct arena *a)
{
	const struct pipeline_request *r = request;

	return arena_printf(a, "run pipeline " STR_FMT, STR_ARG(r->name));
}

static enum rc pipeline_admit(void *module, const struct principal *who, const void *request, struct err *e)
{
	const struct pipeline_request *r = request;
	struct pipeline_row row;
	struct pipeline p;
	struct arena a;

	(void)who;
	arena_init(&a);
	enum rc rc = lake__pipeline(module, &a, r->name, &row, &p, e);
	arena_deinit(&a);
	return rc;
}

static enum rc pipeline_task(void *module, struct task *t, const void *in, void *out, struct err *e)
{
	return lake__pipeline_run(module, in, task_principal(t), t, task_arena(t), out, e);
}

const struct task_def lake_tasks[] = {
	{ "lake.ingest", "Makes an uploaded file the newest version of a dataset", &ingest_request_record, &ingest_result_record, ingest_title,
	  ingest_admit, ingest_run },
	{ "lake.pipeline", "Runs a pipeline", &pipeline_request_record, &pipeline_result_record, pipeline_title, pipeline_admit, pipeline_task },
};
_Static_assert(ARRAY_LEN(lake_tasks) == LAKE_TASKS, "lake_int.h says how many");

/* --- the module -------------------------------------------------------------------------------------------------- */

static enum rc lake_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	struct lake *l = calloc(1, sizeof(*l));

	(void)e;
	CHECK(l != NULL);
	l->magic = LAKE_MAGIC;
	l->core = c;
	l->config = *(const struct lake_config *)config;
	*self_out = l;
	return RC_OK;
}

/* One process over a SQLite file: no run that says it runs does. Over PostgreSQL the timer finds those of dead processes. */
static enum rc lake_start(void *self, struct err *e)
{
	struct lake *l = self;

	return db_kind(l->core->db) == DB_SQLITE ? lake__runs_settle(l, true, e) : RC_OK;
}

static enum rc settle_runs(void *self, struct err *e)
{
	return lake__runs_settle(self, false, e);
}

static const struct timer_def timers[] = {
	{ .name = "lake.settle_runs", .every_ms = 15000, .leased = true, .run = settle_runs },
};

static void lake_close(void **slot)
{
	struct lake *l = *slot;

	*slot = NULL;
	OBJ_CHECK(l, LAKE_MAGIC);
	l->magic = 0;
	free(l);
}

static const struct record *const stored[] = { &dataset_record, &dataset_version_record, &lake_source_record,
					       &pipeline_row_record, &pipeline_run_record };
static const struct api apis[] = {
	{ .name = "cairn", .prefix = API_CAIRN, .route = lake_dataset_routes, .n_route = LAKE_DATASET_ROUTES },
	{ .name = "cairn", .prefix = API_CAIRN, .route = lake_pipeline_routes, .n_route = LAKE_PIPELINE_ROUTES },
};

const struct module lake_module = {
	.name = "lake",
	.doc = "Sources, datasets and pipelines",
	.config = &lake_config_record,
	.migration = lake_migrations,
	.n_migration = LAKE_MIGRATIONS,
	.stored = stored,
	.n_stored = ARRAY_LEN(stored),
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.task = lake_tasks,
	.n_task = ARRAY_LEN(lake_tasks),
	.timer = timers,
	.n_timer = ARRAY_LEN(timers),
	.check = lake_checks,
	.n_check = ARRAY_LEN(lake_checks),
	.open = lake_open,
	.start = lake_start,
	.close = lake_close,
};
