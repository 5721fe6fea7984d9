/* features.c -- the feature store as a module: its tables of routes, tasks, timers and checks, and its life. */
#include "modules/features/features_int.h"

#include <stdlib.h>
#include <string.h>

#include "core/module.h"
#include "io/kvstore.h"

#define CLEAN_EVERY_MS 15000
#define REFRESH_EVERY_MS 5000
#define CLEAN_GRACE_MS 60000    /* far longer than any read takes */

/* --- tasks ------------------------------------------------------------------------------------------------------ */

static str materialise_title(const void *request, struct arena *a)
{
	const struct materialise_request *r = request;

	return arena_printf(a, "materialise " STR_FMT, STR_ARG(r->name));
}

static enum rc materialise_admit(void *module, const struct principal *who, const void *request, struct err *e)
{
	const struct materialise_request *r = request;
	struct feature_view v;
	struct arena a;

	(void)who;
	arena_init(&a);
	enum rc rc = features_view(module, &a, r->name, &v, e);
	arena_deinit(&a);
	return rc;
}

static enum rc materialise_run(void *module, struct task *t, const void *in, void *out, struct err *e)
{
	return features__materialise(module, in, task_principal(t), t, task_arena(t), out, e);
}

static str training_title(const void *request, struct arena *a)
{
	const struct training_request *r = request;

	return arena_printf(a, "training set " STR_FMT, STR_ARG(r->name));
}

static enum rc training_run(void *module, struct task *t, const void *in, void *out, struct err *e)
{
	return features__training_set(module, in, task_principal(t), t, task_arena(t), out, e);
}

const struct task_def features_tasks[] = {
	{ "features.materialise", "Brings the newest values of a view into the online store", &materialise_request_record, &materialisation_record,
	  materialise_title, materialise_admit, materialise_run },
	{ "features.training_set", "Joins labels with features as they were known at their times", &training_request_record, &training_set_record,
	  training_title, NULL, training_run },
};
_Static_assert(ARRAY_LEN(features_tasks) == FEATURES_TASKS, "features_int.h says how many");

static enum rc clean_timer(void *module, struct err *e)
{
	return features__clean(module, CLEAN_GRACE_MS, e);
}

static enum rc refresh_timer(void *module, struct err *e)
{
	TRY(features__refresh(module, e));
	features__tell_ages(module);
	return RC_OK;
}

static const struct timer_def timers[] = {
	{ "features.clean", CLEAN_EVERY_MS, false, clean_timer },
	{ "features.refresh", REFRESH_EVERY_MS, false, refresh_timer },
};

/* --- life --------------------------------------------------------------------------------------------------------- */

/* The online store names itself, so that rows are known to be its own wherever the data directory is moved. */
static enum rc know_place(struct features *f, struct err *e)
{
	const str key = STR("feat-place");
	struct arena a;
	str value;

	arena_init(&a);
	enum rc rc = kvstore_get_many(f->core->kv, &key, 1, &a, &value, e);
	if (rc == RC_OK && (value.at == NULL || !str_to_c(value, f->place_text, sizeof(f->place_text)))) {
		id_put(f->place_text, "kv");
		const struct kv_item item = { .key = key, .value = str_of(f->place_text) };
		rc = kvstore_write(f->core->kv, &item, 1, e);
	}
	f->place = str_of(f->place_text);
	arena_deinit(&a);
	return rc;
}

static void features_close(void **slot)
{
	struct features *f = *slot;

	*slot = NULL;
	OBJ_CHECK(f, FEATURES_MAGIC);
	features__online_free(&f->online);
	f->magic = 0;
	free(f);
}

static enum rc features_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	struct features *f = calloc(1, sizeof(*f));
	void *self = f;

	(void)config;
	CHECK(f != NULL);
	f->magic = FEATURES_MAGIC;
	f->core = c;
	f->lake = lake_of(c);
	f->online = features__online_new(f);
	enum rc rc = know_place(f, e);
	if (rc == RC_OK)
		rc = features__materialisations_orphaned(f, e);
	if (rc == RC_OK)
		rc = features__refresh(f, e);
	if (rc != RC_OK)
		features_close(&self);
	*self_out = self;
	return rc;
}

static const char *const needs[] = { "lake", NULL };
static const struct record *const stored[] = { &feature_view_record, &materialisation_record, &training_set_record };
static const struct api apis[] = {
	{ .name = "cairn", .prefix = API_CAIRN, .route = features_routes, .n_route = FEATURES_ROUTES },
	{ .name = "feast", .prefix = "", .route = feast_routes, .n_route = FEAST_ROUTES, .write_error = feast_write_error,
	  .error_status = feast_error_status },
};

const struct module features_module = {
	.name = "features",
	.doc = "Feature views, online reads and training sets",
	.needs = needs,
	.migration = features_migrations,
	.n_migration = FEATURES_MIGRATIONS,
	.stored = stored,
	.n_stored = ARRAY_LEN(stored),
	.api = apis,
	.n_api = ARRAY_LEN(apis),
	.timer = timers,
	.n_timer = ARRAY_LEN(timers),
	.task = features_tasks,
	.n_task = ARRAY_LEN(features_tasks),
	.check = features_checks,
	.n_check = FEATURES_CHECKS,
	.open = features_open,
	.close = features_close,
};
