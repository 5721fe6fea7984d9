/* test_io_kvstore.c -- the online store: batches, snapshots, growth past its map, many readers, prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/fs.h"
#include "io/kvstore.h"

struct fixture {
	char dir[64];
	struct kvstore *kv;
	struct arena a;
	struct err e;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	strcpy(f.dir, "/tmp/cairn-kv-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	arena_init(&f.a);
	OK(&f, kvstore_open(f.dir, 1u << 20, &f.kv, &f.e));
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kvstore_close(&f->kv);
	assert_null(f->kv);
	OK(f, fs_remove_tree(f->dir, &f->e));
	arena_deinit(&f->a);
	return 0;
}

static void test_write_read_delete(void **state)
{
	struct fixture *f = *state;
	const struct kv_item put[] = { { STR("a"), STR("1") }, { STR("b\0c"), STR("\0\xff") }, { STR("empty"), STR("") } };
	const str key[] = { STR("a"), STR("b\0c"), STR("empty"), STR("none"), STR("b"), STR("") };
	str out[ARRAY_LEN(key)];

	OK(f, kvstore_write(f->kv, put, ARRAY_LEN(put), &f->e));
	OK(f, kvstore_get_many(f->kv, key, ARRAY_LEN(key), &f->a, out, &f->e));
	assert_true(str_eq(out[0], STR("1")));
	assert_true(str_eq(out[1], STR("\0\xff")));
	assert_non_null(out[2].at);             /* there, and empty */
	assert_int_equal(out[2].len, 0);
	for (size_t i = 3; i < ARRAY_LEN(key); i++)
		assert_null(out[i].at);
	const struct kv_item change[] = { { STR("a"), STR_NONE }, { STR("none"), STR_NONE }, { STR("empty"), STR("no more") } };
	OK(f, kvstore_write(f->kv, change, ARRAY_LEN(change), &f->e));
	OK(f, kvstore_get_many(f->kv, key, 3, &f->a, out, &f->e));
	assert_null(out[0].at);
	assert_true(str_eq(out[2], STR("no more")));
	OK(f, kvstore_write(f->kv, NULL, 0, &f->e));
}

static void test_bad_keys_change_nothing(void **state)
{
	struct fixture *f = *state;
	char longest[KV_KEY_MAX + 1];
	const str key[] = { STR("first"), { longest, KV_KEY_MAX } };
	str out[2];

	memset(longest, 'k', sizeof(longest));
	const struct kv_item bad[] = { { STR("first"), STR("1") }, { { longest, KV_KEY_MAX + 1 }, STR("2") } };
	const struct kv_item none[] = { { STR("first"), STR("1") }, { STR(""), STR("2") } };
	assert_int_equal(kvstore_write(f->kv, bad, 2, &f->e), RC_INVALID);
	assert_int_equal(kvstore_write(f->kv, none, 2, &f->e), RC_INVALID);
	OK(f, kvstore_get_many(f->kv, key, 2, &f->a, out, &f->e));
	assert_null(out[0].at);
	const struct kv_item good = { { longest, KV_KEY_MAX }, STR("2") };
	OK(f, kvstore_write(f->kv, &good, 1, &f->e));
	OK(f, kvstore_get_many(f->kv, key, 2, &f->a, out, &f->e));
	assert_true(str_eq(out[1], STR("2")));
}

static void test_survives_reopening(void **state)
{
	struct fixture *f = *state;
	const struct kv_item put = { STR("k"), STR("v") };
	const str key = STR("k");
	str out;

	OK(f, kvstore_write(f->kv, &put, 1, &f->e));
	kvstore_close(&f->kv);
	OK(f, kvstore_open(f->dir, 1u << 20, &f->kv, &f->e));
	OK(f, kvstore_get_many(f->kv, &key, 1, &f->a, &out, &f->e));
	assert_true(str_eq(out, STR("v")));
	struct kvstore *other = NULL;
	assert_int_not_equal(kvstore_open("/proc/no-such-place", 1u << 20, &other, &f->e), RC_OK);
	assert_null(other);
}

static void test_grows_past_its_map(void **state)
{
	struct fixture *f = *state;
	static char big[100000];
	char name[32];

	for (int i = 0; i < 60; i++) {          /* 6 MB into a map of 1 MB */
		(void)snprintf(name, sizeof(name), "key%d", i);
		memset(big, 'a' + i % 26, sizeof(big));
		const struct kv_item put = { str_of(name), { big, sizeof(big) } };
		OK(f, kvstore_write(f->kv, &put, 1, &f->e));
	}
	for (int i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof(name), "key%d", i);
		const str key = str_of(name);
		str out;
		OK(f, kvstore_get_many(f->kv, &key, 1, &f->a, &out, &f->e));
		assert_int_equal(out.len, sizeof(big));
		assert_int_equal(out.at[99999], 'a' + i % 26);
	}
}

struct visit { char seen[200]; int stop_after; };

static bool visit_key(void *ctx, str key, str value)
{
	struct visit *v = ctx;
	size_t n = strlen(v->seen);

	(void)snprintf(v->seen + n, sizeof(v->seen) - n, STR_FMT "=" STR_FMT ";", STR_ARG(key), STR_ARG(value));
	return --v->stop_after != 0;
}

static void test_prefixes(void **state)
{
	struct fixture *f = *state;
	const struct kv_item put[] = { { STR("v:b"), STR("2") }, { STR("v:a"), STR("1") }, { STR("v"), STR("0") }, { STR("w:a"), STR("3") } };
	struct visit v = { .stop_after = -1 };
	uint64_t n = 9;

	OK(f, kvstore_scan(f->kv, STR("v:"), visit_key, &v, &f->e));
	assert_string_equal(v.seen, "");
	OK(f, kvstore_write(f->kv, put, ARRAY_LEN(put), &f->e));
	OK(f, kvstore_scan(f->kv, STR("v:"), visit_key, &v, &f->e));
	assert_string_equal(v.seen, "v:a=1;v:b=2;");
	v = (struct visit){ .stop_after = 3 };
	OK(f, kvstore_scan(f->kv, STR(""), visit_key, &v, &f->e));
	assert_string_equal(v.seen, "v=0;v:a=1;v:b=2;");
	OK(f, kvstore_delete_prefix(f->kv, STR("v:"), &n, &f->e));
	assert_int_equal(n, 2);
	OK(f, kvstore_delete_prefix(f->kv, STR("v:"), &n, &f->e));
	assert_int_equal(n, 0);
	v = (struct visit){ .stop_after = -1 };
	OK(f, kvstore_scan(f->kv, STR(""), visit_key, &v, &f->e));
	assert_string_equal(v.seen, "v=0;w:a=3;");
}

/* A batch is seen whole or not at all, while the map grows under the readers. */
struct reader { struct fixture *f; atomic_bool *stop; size_t torn, seen; pthread_t thread; };

static void *read_pairs(void *arg)
{
	struct reader *r = arg;
	const str key[] = { STR("left"), STR("right") };
	str out[2];
	struct arena a;
	struct err e = ERR_INIT;

	arena_init(&a);
	while (!atomic_load(r->stop)) {
		if (kvstore_get_many(r->f->kv, key, 2, &a, out, &e) != RC_OK || !str_eq(out[0], out[1]))
			r->torn++;
		r->seen += out[0].at != NULL;
		arena_clear(&a);
	}
	arena_deinit(&a);
	return NULL;
}

static void test_readers_see_whole_batches(void **state)
{
	struct fixture *f = *state;
	static char value[20000];
	atomic_bool stop = false;
	struct reader r[6];

	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		r[i] = (struct reader){ .f = f, .stop = &stop };
		assert_int_equal(pthread_create(&r[i].thread, NULL, read_pairs, &r[i]), 0);
	}
	for (int i = 0; i < 150; i++) {
		char name[32];
		memset(value, 'a' + i % 26, sizeof(value));
		(void)snprintf(name, sizeof(name), "filler%d", i);
		const struct kv_item put[] = { { STR("left"), { value, 100 } }, { str_of(name), { value, sizeof(value) } }, { STR("right"), { value, 100 } } };
		OK(f, kvstore_write(f->kv, put, ARRAY_LEN(put), &f->e));
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].torn, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_read_delete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_keys_change_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_survives_reopening, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_grows_past_its_map, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_prefixes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_readers_see_whole_batches, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
