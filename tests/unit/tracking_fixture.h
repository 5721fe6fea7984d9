/* tracking_fixture.h -- a core with tracking and registry, over SQLite and, where it is installed, over PostgreSQL.
 *
 * Each test runs once per engine on an empty database: TRACKING_TESTS names a test twice. */
#ifndef CAIRN_TEST_TRACKING_FIXTURE_H
#define CAIRN_TEST_TRACKING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/event.h"
#include "core/live_check.h"
#include "core/module.h"
#include "io/blob.h"
#include "io/fs.h"
#include "modules/registry/registry.h"
#include "modules/tracking/tracking.h"

const struct module *const cairn_modules[] = { &tracking_module, &registry_module, NULL };
const size_t n_cairn_modules = 2;

struct fixture {
	char dir[64];
	struct core *core;
	struct tracking *t;
	struct registry *r;
	struct arena a;
	struct err e;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		(f)->e = ERR_INIT;                                                                                          \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)
#define REFUSED(f, code, text, call)                                                                                        \
	do {                                                                                                                \
		(f)->e = ERR_INIT;                                                                                          \
		assert_int_equal((call), (code));                                                                           \
		if (strstr((f)->e.msg, (text)) == NULL)                                                                     \
			fail_msg("%s: '%s' is not in '%s'", #call, (text), (f)->e.msg);                                     \
	} while (0)

/* The cluster of this process; "" when PostgreSQL is not installed. */
static char cluster[64];
static int n_databases;

static inline bool run_line(const char *command, char *out, size_t size)
{
	FILE *p = popen(command, "r");

	assert_non_null(p);
	bool got = fgets(out, (int)size, p) != NULL;
	out[strcspn(out, "\n")] = '\0';
	return pclose(p) == 0 && got;
}

static inline int start_cluster(void **state)
{
	char command[256], url[256];

	(void)state;
	strcpy(cluster, "/tmp/cairn-pg-XXXXXX");
	assert_non_null(mkdtemp(cluster));
	(void)snprintf(command, sizeof(command), "tests/postgres start %s", cluster);
	if (!run_line(command, url, sizeof(url))) {
		(void)rmdir(cluster);
		cluster[0] = '\0';
	}
	return 0;
}

static inline int stop_cluster(void **state)
{
	char command[256], out[8];
	struct err e = ERR_INIT;

	(void)state;
	if (cluster[0] == '\0')
		return 0;
	(void)snprintf(command, sizeof(command), "tests/postgres stop %s", cluster);
	(void)run_line(command, out, sizeof(out));
	assert_int_equal(fs_remove_tree(cluster, &e), RC_OK);
	return 0;
}

static inline int open_core(void **state, bool postgres)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char command[256], url[256], path[128];

	strcpy(f->dir, "/tmp/cairn-tracking-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	arena_init(&f->a);
	*state = f;
	if (postgres) {
		if (cluster[0] == '\0')
			return 0;
		(void)snprintf(command, sizeof(command), "tests/postgres database %s d%d", cluster, n_databases++);
		assert_true(run_line(command, url, sizeof(url)));
		(void)snprintf(path, sizeof(path), "%s/cairn.yaml", f->dir);
		OK(f, fs_write_atomic(path, arena_printf(&f->a, "database: \"%s\"\n", url), 0600, &f->e));
	}
	const struct core_options o = { .data_dir = f->dir };
	OK(f, core_open(&o, &f->core, &f->e));
	f->t = tracking_of(f->core);
	f->r = registry_of(f->core);
	return 0;
}

static inline int on_sqlite(void **state) { return open_core(state, false); }
static inline int on_postgres(void **state) { return open_core(state, true); }

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->core != NULL)
		core_close(&f->core);
	arena_deinit(&f->a);
	assert_int_equal(fs_remove_tree(f->dir, &f->e), RC_OK);
	free(f);
	return 0;
}

/* The fixture, or skips where PostgreSQL is not installed. */
static inline struct fixture *fixture(void **state)
{
	struct fixture *f = *state;

	if (f->core == NULL)
		skip();
	return f;
}

#define ON_BOTH(test)                                                                                               \
	cmocka_unit_test_setup_teardown(test, on_sqlite, tear_down), cmocka_unit_test_setup_teardown(test, on_postgres, tear_down)

/* --- shorthands --------------------------------------------------------------------------------------- */

static inline str make_run(struct fixture *f, const char *name)
{
	const struct run_start s = { .experiment_id = STR("0"), .name = str_of(name) };
	str id;

	OK(f, tracking_run_start(f->t, &s, &f->a, &id, &f->e));
	return id;
}

static inline void put_file(struct fixture *f, str run, const char *path, const char *text)
{
	char blob[BLOB_ID_LEN + 1];

	OK(f, blob_put(f->core->blobs, str_of(text), blob, &f->e));
	OK(f, tracking_artifact_add(f->t, run, str_of(path), str_of(blob), strlen(text), &f->e));
}

static inline struct check_outcome check(struct fixture *f, const char *id)
{
	struct check_outcome out = { 0 };

	for (size_t m = 0; m < n_cairn_modules; m++) {
		for (size_t i = 0; i < cairn_modules[m]->n_check; i++) {
			if (strcmp(cairn_modules[m]->check[i].id, id) == 0)
				check_run(f->core, &cairn_modules[m]->check[i], f->core->module_self[m], &f->a, &out);
		}
	}
	assert_true(out.id.len > 0);
	return out;
}

/* Writes other bytes into a blob's file. */
static inline void damage(struct fixture *f, str blob)
{
	str path;

	OK(f, blob_path(f->core->blobs, blob, &f->a, &path, &f->e));
	assert_int_equal(unlink(path.at), 0);
	FILE *file = fopen(path.at, "w");
	assert_non_null(file);
	(void)fputs("damaged", file);
	(void)fclose(file);
}

#endif
