/* train.c -- training as a module: its table, its life, its routes. */
#include <stdlib.h>

#include "base/log.h"
#include "core/module.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train_int.h"

/* --- routes ---------------------------------------------------------------------------------------- */

struct search_query { str id; int64_t limit; };
static const struct field search_query_fields[] = { FIELD(search_query, id, K_STR, F_REQUIRED, "Id of the search") };
static const struct record search_query_record = RECORD(search_query, search_query_fields, "Which search");
static const struct field searches_query_fields[] = {
	FIELD(search_query, limit, K_I64, 0, "How many, newest first", .min = 1, .max = 1000, .def = "50"),
};
static const struct record searches_query_record = RECORD(search_query, searches_query_fields, "How many searches", .name = "searches_query");

struct search_listing { struct list searches; };
static const struct field search_listing_fields[] = {
	FIELD(search_listing, searches, K_RECORDS, 0, "Searches, newest first", .sub = &search_record),
};
static const struct record search_listing_record = RECORD(search_listing, search_listing_fields, "Searches, newest first");

static enum rc list_searches(struct call *c, const void *in, void *out, struct err *e)
{
	const struct search_query *q = in;
	struct search_listing *l = out;

	return train__search_list(c->module, c->arena, q->limit, &l->searches, e);
}

static enum rc get_search(struct call *c, const void *in, void *out, struct err *e)
{
	const struct search_query *q = in;

	return train__search_get(c->module, c->arena, q->id, out, e);
}

static const struct route routes[] = {
	{ .method = HTTP_POST, .path = "/train", .permission = "train.write", .task = &train_task,
	  .doc = "Searches hyperparameters; each trial is a run" },
	{ .method = HTTP_GET, .path = "/searches", .permission = "train.read", .in = &searches_query_record, .out = &search_listing_record,
	  .handler = list_searches, .doc = "Finished searches, newest first" },
	{ .method = HTTP_GET, .path = "/searches/{id}", .permission = "train.read", .in = &search_query_record, .out = &search_record,
	  .handler = get_search, .doc = "A search with its trials" },
};
static const struct api apis[] = { { .name = "train", .prefix = API_CAIRN, .route = routes, .n_route = ARRAY_LEN(routes) } };

/* --- life ------------------------------------------------------------------------------------------- */

static enum rc train_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	struct train *t = calloc(1, sizeof(*t));

	(void)config;
	(void)e;
	CHECK(t != NULL);
	t->core = c;
	*self_out = t;
	return RC_OK;
}

/* What a killed cairn left running is not. */
static enum rc train_start(void *self, struct err *e)
{
	struct train *t = self;
	struct list runs;
	struct arena a;

	arena_init(&a);
	enum rc rc = train__open_runs(t, &a, &runs, e);
	for (size_t i = 0; rc == RC_OK && i < runs.n; i++) {
		str id = *LIST_AT(runs, str, i);
		struct err gone = ERR_INIT;
		/* Not there when it was noted and nothing more, or deleted meanwhile. */
		if (tracking_run_end(tracking_of(t->core), id, RUN_FAILED, &gone) != RC_OK && gone.rc != RC_NOT_FOUND)
			LOG(WARN, "train.run_not_ended", KV_STR("run", id), KV_ERR(&gone));
		rc = train__open_run_end(t, id, e);
	}
	arena_deinit(&a);
	return rc;
}

static void train_close(void **slot)
{
	free(*slot);
	*slot = NULL;
}

static const char *const needs[] = { "tracking", "features", "observe", NULL };
static const struct record *const stored[] = { &search_record };
static const struct check_def checks[] = {
	{ "train.best_model_reproduces", "The newest search's best model, read back, gives the value that was logged", "",
	  train__check_best },
	{ "train.runs_are_traced", "Every trial of the newest search is a finished run that its training set leads to", "",
	  train__check_lineage },
	{ "train.beats_baseline", "The newest search's best model is better than predicting the mean", "", train__check_baseline },
};

const struct module train_module = {
	.name = "train", .doc = "Training jobs and hyperparameter search", .needs = needs, .migration = train_migrations, .n_migration = 1,
	.stored = stored, .n_stored = ARRAY_LEN(stored), .api = apis, .n_api = ARRAY_LEN(apis), .task = &train_task, .n_task = 1,
	.check = checks, .n_check = ARRAY_LEN(checks), .open = train_open, .start = train_start, .close = train_close,
};
