/* test_base.c -- strings, buffers, arenas, maps, time, ids, histograms: what each promises at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hist.h"
#include "base/id.h"
#include "base/map.h"
#include "base/vec.h"

static void strings_parse_whole_or_not(void **state)
{
	static const struct { const char *text; bool good; int64_t value; const char *why; } rows[] = {
		{ "0", true, 0, "zero" },
		{ "-9223372036854775808", true, INT64_MIN, "the least" },
		{ "9223372036854775807", true, INT64_MAX, "the greatest" },
		{ "9223372036854775808", false, 0, "one more" },
		{ "-9223372036854775809", false, 0, "one less" },
		{ "", false, 0, "nothing" },
		{ "-", false, 0, "a sign" },
		{ " 1", false, 0, "a space before" },
		{ "1 ", false, 0, "a space behind" },
		{ "0x10", false, 0, "hexadecimal" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 77;
		bool good = str_to_i64(str_of(rows[i].text), &v);
		if (good != rows[i].good || v != (good ? rows[i].value : 77))
			fail_msg("%s", rows[i].why);
	}
}

static void cut_visits_every_part(void **state)
{
	str rest = STR("a,,b,"), part;
	char seen[16] = "";

	(void)state;
	while (str_cut(&rest, ',', &part)) {
		strncat(seen, part.at, part.len);
		strcat(seen, "|");
	}
	assert_string_equal(seen, "a||b||");
}

static void text_is_utf8_or_not(void **state)
{
	static const struct { const char *text; bool good; } rows[] = {
		{ "caf\xc3\xa9", true }, { "\xf0\x9f\x98\x80", true }, { "\xc0\xaf", false }, { "\xed\xa0\x80", false },
		{ "\xf5\x80\x80\x80", false }, { "\xc3", false }, { "\x80", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_is_utf8(str_of(rows[i].text)) == rows[i].good);
	assert_true(str_is_utf8(STR_NONE));
}

static void buffers_stop_at_their_limit(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	buf_add(&b, STR("12345"));
	buf_addf(&b, "%s", "67890");
	assert_false(b.overflowed);
	buf_add_char(&b, 'x');
	assert_true(b.overflowed);
	assert_int_equal(b.len, 10);
	buf_clear(&b);
	assert_false(b.overflowed);
	buf_add(&b, STR("again"));
	assert_string_equal(b.at, "again");
	buf_deinit(&b);
}

struct cleanup { char *log, name; };

static void note_cleanup(void *obj)
{
	const struct cleanup *c = obj;

	strncat(c->log, &c->name, 1);
}

static void arenas_run_cleanups_last_in_first_out(void **state)
{
	char log[8] = "";
	struct cleanup first = { log, '1' }, second = { log, '2' };
	struct arena a;

	(void)state;
	arena_init(&a);
	arena_defer(&a, note_cleanup, &first);
	arena_defer(&a, note_cleanup, &second);
	char *big = arena_alloc(&a, 1 << 20);
	assert_int_equal(big[(1 << 20) - 1], 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal((uintptr_t)arena_alloc(&a, 3) % _Alignof(max_align_t), 0);
	arena_deinit(&a);
	assert_string_equal(log, "21");
}

static void vectors_keep_what_was_pushed(void **state)
{
	VEC(int) v = { 0 };
	struct arena a;

	(void)state;
	arena_init(&a);
	for (int i = 0; i < 1000; i++)
		*VEC_PUSH(&a, &v) = i;
	struct list l = LIST_OF(v);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(*LIST_AT(l, int, i), i);
	arena_deinit(&a);
}

static void maps_find_what_is_left(void **state)
{
	struct map m;
	char key[32];

	(void)state;
	map_init(&m, NULL);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		assert_null(map_put(&m, str_of(key), &m));
	}
	for (int i = 0; i < 5000; i += 2) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		assert_ptr_equal(map_remove(&m, str_of(key)), &m);
	}
	assert_int_equal(m.n_live, 2500);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		assert_ptr_equal(map_find(&m, str_of(key)), i % 2 == 1 ? (void *)&m : NULL);
	}
	assert_ptr_equal(map_put(&m, STR("key-1"), &key), &m);
	assert_ptr_equal(map_find(&m, STR("key-1")), &key);
	map_deinit(&m);
}

static void times_read_as_they_are_written(void **state)
{
	static const struct { const char *text; bool good; int64_t ms; } rows[] = {
		{ "1970-01-01T00:00:00Z", true, 0 },
		{ "2019-03-23 20:21:09", true, INT64_C(1553372469000) },
		{ "2026-01-02T03:04:05.678+01:00", true, INT64_C(1767319445678) },
		{ "2024-02-29", true, INT64_C(1709164800000) },
		{ "2023-02-29", false, 0 },
		{ "2026-13-01", false, 0 },
		{ "2026-01-01T24:00:00Z", false, 0 },
		{ "0000-01-01", false, 0 },
		{ "2026-1-1", false, 0 },
	};
	char text[CLOCK_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -1;
		assert_true(clock_get_rfc3339(str_of(rows[i].text), &ms) == rows[i].good);
		if (rows[i].good && ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
	assert_int_equal(clock_put_rfc3339(text, -1), 24);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	clock_put_rfc3339(text, INT64_MAX);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void durations_read_as_they_are_written(void **state)
{
	static const struct { const char *text; bool good; int64_t ms; const char *why; } rows[] = {
		{ "2h", true, 7200000, "hours" },        { "1h30m", true, 5400000, "joined" },
		{ "250ms", true, 250, "milliseconds" },  { "1w", true, 604800000, "weeks" },
		{ "9999999999999w", false, 0, "overflow is refused, not wrapped" },
		{ "1x", false, 0, "unknown unit" },      { "h", false, 0, "no number" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 0, again;
		if (clock_get_duration(str_of(rows[i].text), &ms) != rows[i].good || ms != rows[i].ms)
			fail_msg("%s", rows[i].why);
		if (rows[i].good)
			assert_true(clock_get_duration(clock_duration_text(&a, ms), &again) && again == ms);
	}
	arena_deinit(&a);
}

static void *make_ids(void *arg)
{
	char (*ids)[ID_TEXT_MAX] = arg;

	for (int i = 0; i < 2000; i++)
		id_put(ids[i], "x");
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void ids_sort_and_differ(void **state)
{
	static char ids[8000][ID_TEXT_MAX];
	pthread_t t[4];
	int64_t ms;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, make_ids, ids + i * 2000), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++) {
		for (int k = 1; k < 2000; k++)
			assert_true(strcmp(ids[i * 2000 + k - 1], ids[i * 2000 + k]) < 0);
	}
	qsort(ids, 8000, ID_TEXT_MAX, compare_ids);
	for (int i = 1; i < 8000; i++)
		assert_true(strcmp(ids[i - 1], ids[i]) != 0);
	assert_true(id_time(str_of(ids[0]), &ms));
	assert_true(llabs(ms - clock_ms()) < 10000);
	assert_false(id_time(STR("x_nonsense"), &ms));
}

static void histograms_keep_their_error_bound(void **state)
{
	static struct hist h, other;

	(void)state;
	for (uint64_t v = 1; v <= 100000; v++)
		hist_record(&h, v * 1000);
	for (int q = 1; q < 100; q++) {
		double want = (double)q * 1e6, got = (double)hist_quantile(&h, q / 100.0);
		if (fabs(got - want) / want > 0.033)
			fail_msg("q%d: %g, not %g", q, got, want);
	}
	hist_record(&other, UINT64_MAX);
	hist_merge(&other, &h);
	assert_int_equal(other.count, 100001);
	assert_true(hist_quantile(&other, 1) >= hist_quantile(&h, 1));
	assert_true(hist_count_le(&h, 50000000) >= 49000 && hist_count_le(&h, 50000000) <= 52000);
	hist_clear(&h);
	assert_int_equal(hist_quantile(&h, 0.5), 0);
}

static void errors_carry_their_place(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(FAIL(&e, RC_NOT_FOUND, "view '%s'", "v"), RC_NOT_FOUND);
	assert_int_equal(err_wrap(&e, "reading %d", 3), RC_NOT_FOUND);
	assert_int_equal(err_field(&e, "views[%d]", 2), RC_NOT_FOUND);
	assert_string_equal(e.msg, "reading 3: view 'v'");
	assert_string_equal(e.field, "views[2]");
	assert_int_equal(rc_http(e.rc), 404);
	assert_int_equal(rc_of_name(STR("not_found")), RC_NOT_FOUND);
	assert_int_equal(rc_of_name(STR("nonsense")), RC_INTERNAL);
	char longer[2000];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	(void)FAIL(&e, RC_IO, "%s", longer);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_parse_whole_or_not), cmocka_unit_test(cut_visits_every_part),
		cmocka_unit_test(text_is_utf8_or_not), cmocka_unit_test(buffers_stop_at_their_limit),
		cmocka_unit_test(arenas_run_cleanups_last_in_first_out), cmocka_unit_test(vectors_keep_what_was_pushed),
		cmocka_unit_test(maps_find_what_is_left), cmocka_unit_test(times_read_as_they_are_written),
		cmocka_unit_test(durations_read_as_they_are_written), cmocka_unit_test(ids_sort_and_differ),
		cmocka_unit_test(histograms_keep_their_error_bound), cmocka_unit_test(errors_carry_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
