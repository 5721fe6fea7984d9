/* features_fixture.h -- the feature store over a lake, without HTTP or tasks. For the unit tests of features and train. */
#ifndef CAIRN_TEST_FEATURES_FIXTURE_H
#define CAIRN_TEST_FEATURES_FIXTURE_H

#include "lake_fixture.h"

#include "base/clock.h"
#include "core/metric.h"
#include "io/kvstore.h"
#include "io/yaml.h"
#include "modules/features/features_int.h"
#include "modules/features/sql.h"

struct features_fixture {
	struct lake_fixture *l;
	struct features *features;
	const struct module *modules[8];
	void *selves[8];
};

static inline void features_open_again(struct features_fixture *f)
{
	void *self = NULL;

	OK(f->l, features_module.open(&f->l->core, NULL, &self, &f->l->e));
	f->features = self;
	f->selves[1] = self;
}

static inline int features_set_up(void **state)
{
	struct features_fixture *f = calloc(1, sizeof(*f));
	void *lake = NULL;

	assert_int_equal(lake_set_up(&lake), 0);
	f->l = lake;
	struct core *c = &f->l->core;
	c->metrics = metrics_new();
	OK(f->l, kvstore_open(arena_cstr(&f->l->a, arena_printf(&f->l->a, "%s/kv", f->l->dir)), 1u << 24, &c->kv, &f->l->e));
	OK(f->l, db_migrate(c->db, "features", features_module.migration, features_module.n_migration, &f->l->e));
	f->modules[0] = &lake_module;
	f->modules[1] = &features_module;
	f->selves[0] = f->l->lake;
	c->module = f->modules;
	c->module_self = f->selves;
	c->n_module = 2;
	features_open_again(f);
	*state = f;
	return 0;
}

static inline int features_tear_down(void **state)
{
	struct features_fixture *f = *state;
	void *self = f->features, *lake = f->l;

	features_module.close(&self);
	kvstore_close(&f->l->core.kv);
	metrics_free(&f->l->core.metrics);
	assert_int_equal(lake_tear_down(&lake), 0);
	free(f);
	return 0;
}

static inline struct features_fixture *features_fixture(void **state)
{
	struct features_fixture *f = *state;

	if (!f->l->engine)
		skip();
	return f;
}

static inline void load(struct features_fixture *f, const char *dataset, const char *csv)
{
	struct ingest_request r = { .name = str_of(dataset) };
	struct ingest_result out = { 0 };

	if (lake_ingest_with(f->l, r, str_of(csv), &out) != RC_OK)
		fail_msg("%s: %s", dataset, f->l->e.msg);
	assert_int_equal(out.n_quarantined, 0);
}

static inline enum rc apply(struct features_fixture *f, const char *yaml, struct view_changes *out)
{
	struct view_document d;

	f->l->e = ERR_INIT;
	TRY(record_from_yaml(&view_document_record, str_of(yaml), "views.yaml", &f->l->a, 0, &d, &f->l->e));
	return features__apply(f->features, &d, &principal_system, &f->l->a, out, &f->l->e);
}

static inline void applied(struct features_fixture *f, const char *yaml)
{
	struct view_changes out;

	if (apply(f, yaml, &out) != RC_OK)
		fail_msg("%s", f->l->e.msg);
}

static inline struct materialisation materialised(struct features_fixture *f, const char *view, int64_t as_of_ms)
{
	struct materialise_request r = { .name = str_of(view), .as_of_ms = as_of_ms };
	struct materialisation m = { 0 };

	OK(f->l, features__materialise(f->features, &r, &principal_system, NULL, &f->l->a, &m, &f->l->e));
	return m;
}

static inline enum rc make_set(struct features_fixture *f, const char *yaml, struct training_set *out)
{
	struct training_request *r = ARENA_NEW(&f->l->a, struct training_request);

	*out = (struct training_set){ 0 };
	f->l->e = ERR_INIT;
	TRY(record_from_yaml(&training_request_record, str_of(yaml), "set.yaml", &f->l->a, 0, r, &f->l->e));
	return features__training_set(f->features, r, &principal_system, NULL, &f->l->a, out, &f->l->e);
}

static inline struct training_set set_made(struct features_fixture *f, const char *yaml)
{
	struct training_set s;

	if (make_set(f, yaml, &s) != RC_OK)
		fail_msg("%s", f->l->e.msg);
	return s;
}

/* The set's rows, as they lie in its blob. */
static inline struct result set_rows(struct features_fixture *f, const struct training_set *s, const char *select)
{
	struct query *q = NULL;
	struct result r;
	str path;

	OK(f->l, blob_path(f->l->core.blobs, s->blob, &f->l->a, &path, &f->l->e));
	OK(f->l, query_open(f->l->core.query, &q, &f->l->e));
	OK(f->l, query_bind_parquet(q, STR("rows"), path, &f->l->e));
	OK(f->l, query_run(q, str_of(select), 1000, &f->l->a, &r, &f->l->e));
	query_close(&q);
	return r;
}

static inline struct check_outcome outcome_of(struct features_fixture *f, const struct check_def *d, void *module)
{
	struct check_outcome o = { 0 };

	check_run(&f->l->core, d, module, &f->l->a, &o);
	return o;
}

static inline int64_t time_of(const char *text)
{
	int64_t ms = 0;

	assert_true(clock_get_rfc3339(str_of(text), &ms));
	return ms;
}

#endif
