/* lake_fixture.h -- a lake with its services and nothing else: no HTTP, no tasks. For the unit tests of the module. */
#ifndef CAIRN_TEST_LAKE_FIXTURE_H
#define CAIRN_TEST_LAKE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/event.h"
#include "core/live_check.h"
#include "core/module.h"
#include "core/scheduler.h"
#include "io/blob.h"
#include "io/crypto.h"
#include "io/fs.h"
#include "modules/lake/lake_int.h"

struct lake_fixture {
	char dir[64];
	struct core core;
	struct lake *lake;
	struct arena a;
	struct err e;
	bool engine;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		(f)->e = ERR_INIT;                                                                                          \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static inline int lake_set_up(void **state)
{
	struct lake_fixture *f = calloc(1, sizeof(*f));
	static const struct lake_config config = { .query_ms = 30000, .step_ms = 60000 };
	const struct module *m = &lake_module;
	str version;
	void *self;

	crypto_init();
	strcpy(f->dir, "/tmp/cairn-lake-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	arena_init(&f->a);
	char *tmp = arena_cstr(&f->a, arena_printf(&f->a, "%s/tmp", f->dir)), *blobs = arena_cstr(&f->a, arena_printf(&f->a, "%s/blobs", f->dir));
	const struct query_config q = { .tmp_dir = tmp, .memory_mb = 512, .threads = 2 };
	f->core.data_dir = f->dir;
	f->core.instance = "test";
	OK(f, db_open(arena_printf(&f->a, "sqlite:%s/cairn.db", f->dir), &f->core.db, &f->e));
	OK(f, db_migrate(f->core.db, "event", event_migrations, n_event_migrations, &f->e));
	OK(f, db_migrate(f->core.db, "task", task_migrations, n_task_migrations, &f->e));
	OK(f, db_migrate(f->core.db, "live_check", check_migrations, n_check_migrations, &f->e));
	OK(f, db_migrate(f->core.db, "lake", m->migration, m->n_migration, &f->e));
	OK(f, blobs_open(blobs, &f->core.blobs, &f->e));
	OK(f, query_engine_open(&q, &f->core.query, &f->e));
	f->core.scheduler = scheduler_new(&f->core, 1);
	OK(f, m->open(&f->core, &config, &self, &f->e));
	f->lake = self;
	f->engine = query_engine_version(f->core.query, &f->a, &version, &f->e) == RC_OK;
	*state = f;
	return 0;
}

static inline int lake_tear_down(void **state)
{
	struct lake_fixture *f = *state;
	void *self = f->lake;

	lake_module.close(&self);
	scheduler_free(&f->core.scheduler);
	query_engine_close(&f->core.query);
	blobs_close(&f->core.blobs);
	db_close(&f->core.db);
	arena_deinit(&f->a);
	assert_int_equal(fs_remove_tree(f->dir, &f->e), RC_OK);
	free(f);
	return 0;
}

/* The fixture, or skips where the engine is not there. */
static inline struct lake_fixture *lake_fixture(void **state)
{
	struct lake_fixture *f = *state;

	if (!f->engine)
		skip();
	return f;
}

static inline str lake_upload(struct lake_fixture *f, str data)
{
	char *id = arena_alloc_raw(&f->a, BLOB_ID_LEN + 1);

	OK(f, blob_put(f->core.blobs, data, id, &f->e));
	return str_of(id);
}

static inline enum rc lake_ingest_with(struct lake_fixture *f, struct ingest_request r, str data, struct ingest_result *out)
{
	r.blob = lake_upload(f, data);
	f->e = ERR_INIT;
	return lake__ingest(f->lake, &r, &principal_system, NULL, &f->a, out, &f->e);
}

static inline struct table lake_ask(struct lake_fixture *f, const char *sql)
{
	struct table t = { 0 };

	OK(f, lake__ask(f->lake, str_of(sql), 1000, &f->a, &t, &f->e));
	return t;
}

#define assert_str_is(s, lit)                                                                                               \
	do {                                                                                                                \
		str got_ = (s);                                                                                             \
		if (!str_eq(got_, str_of(lit)))                                                                             \
			fail_msg("got '" STR_FMT "', expected '%s'", STR_ARG(got_), (lit));                                 \
	} while (0)
#define assert_has(text, part)                                                                                              \
	do {                                                                                                                \
		if (str_find(str_of(text), str_of(part)) < 0)                                                               \
			fail_msg("'%s' is not in '%s'", (part), (text));                                                    \
	} while (0)

#endif
