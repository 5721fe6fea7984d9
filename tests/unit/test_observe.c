/* test_observe.c -- the prediction log, reference profiles, PSI, windows and alert states. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "io/fs.h"
#include "modules/observe/alert.h"
#include "modules/observe/drift.h"
#include "modules/observe/observe.h"
#include "modules/observe/predlog.h"

static void near(double a, double b, double within)
{
	assert_true(fabs(a - b) <= within);
}

/* --- PSI ---------------------------------------------------------------------------------------------------- */

static void psi_is_the_published_sum(void **state)
{
	/* (0.1-0.2) ln(0.1/0.2) + (0.3-0.3) ln 1 + (0.6-0.5) ln(0.6/0.5) = 0.06931472 + 0 + 0.01823216 */
	const double share[] = { 0.2, 0.3, 0.5 };
	const uint32_t count[] = { 10, 30, 60 };

	(void)state;
	near(profile_psi(share, count, 3), 0.0875468737, 1e-9);
	/* An empty bin counts as 0.0001: (0.0001-0.5) ln(0.0001/0.5) + (1-0.5) ln(1/0.5) */
	const double half[] = { 0.5, 0.5 };
	const uint32_t one[] = { 0, 8 };
	near(profile_psi(half, one, 2), 0.4999 * log(5000) + 0.5 * log(2), 1e-9);
	const uint32_t none[] = { 0, 0 };
	near(profile_psi(half, none, 2), 0, 0);
}

static void bins_hold_what_is_between_their_edges(void **state)
{
	const double edge[] = { 1, 2, 5 };
	static const struct { double x; size_t bin; } rows[] = {
		{ -1e300, 0 }, { 0.999, 0 }, { 1, 1 }, { 1.5, 1 }, { 2, 2 }, { 4.9, 2 }, { 5, 3 }, { 1e300, 3 }, { (double)INFINITY, 3 },
		{ (double)NAN, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(profile_bin(edge, 3, rows[i].x), rows[i].bin);
	assert_int_equal(profile_bin(NULL, 0, 3), 0);
	assert_int_equal(profile_bin(NULL, 0, (double)NAN), 1);
}

static void a_profile_reads_back(void **state)
{
	float value[2000];
	struct arena a;
	struct profile p;
	struct err e = ERR_INIT;

	(void)state;
	/* columns interleaved: 0 … 999, and 0 or 1 with every tenth missing */
	for (int i = 0; i < 1000; i++) {
		value[2 * i] = (float)((i * 7) % 1000);
		value[2 * i + 1] = i % 10 == 0 ? NAN : (float)(i % 2);
	}
	const struct profile_column c[] = { { "wide", value, 1000, 2 }, { "flag", value + 1, 1000, 2 } };
	arena_init(&a);
	str json = observe_reference_json(c, 2, &a);
	assert_int_equal(profile_parse(json, &a, &p, &e), RC_OK);
	assert_int_equal(p.n, 1000);
	const struct profile_part *wide = profile_column_find(&p, STR("wide")), *flag = profile_column_find(&p, STR("flag"));
	assert_non_null(wide);
	assert_non_null(flag);
	assert_null(profile_column_find(&p, STR("none")));
	assert_int_equal(wide->edges.n, 9);
	for (size_t i = 0; i < 9; i++)
		near(*LIST_AT(wide->edges, double, i), 100.0 * (double)(i + 1), 0);
	for (size_t i = 0; i < 10; i++)
		near(*LIST_AT(wide->shares, double, i), 0.1, 1e-12);
	assert_int_equal(flag->edges.n, 1);
	near(*LIST_AT(flag->edges, double, 0), 0.5, 0);
	near(*LIST_AT(flag->shares, double, 0), 0.4, 1e-12);   /* 500 even, 100 of them missing */
	near(*LIST_AT(flag->shares, double, 1), 0.5, 1e-12);
	near(*LIST_AT(flag->shares, double, 2), 0.1, 1e-12);
	assert_int_equal(flag->n_missing, 100);
	arena_deinit(&a);
}

static void a_broken_profile_is_refused(void **state)
{
	static const struct { const char *json, *why; } rows[] = {
		{ "{\"columns\":[{\"name\":\"x\",\"edges\":[1,2],\"shares\":[1]}]}", "shares for" },
		{ "{\"columns\":[{\"name\":\"x\",\"edges\":[2,1],\"shares\":[0.5,0.5,0,0]}]}", "do not rise" },
		{ "{\"columns\":[{\"name\":\"x\",\"edges\":[1],\"shares\":[0.5,7,0]}]}", "between 0 and 1" },
		{ "{\"columns\":[{\"edges\":[]}]}", "name" },
		{ "[]", "profile" },
	};
	struct arena a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile p;
		struct err e = ERR_INIT;
		arena_init(&a);
		assert_int_equal(profile_parse(str_of(rows[i].json), &a, &p, &e), RC_INVALID);
		assert_non_null(strstr(e.msg, rows[i].why));
		arena_deinit(&a);
	}
}

/* --- windows --------------------------------------------------------------------------------------------------- */

static void a_window_forgets_what_left_it(void **state)
{
	float value[100];
	struct arena a;
	struct profile p;
	struct err e = ERR_INIT;
	const str input[] = { STR("x") };

	(void)state;
	for (int i = 0; i < 100; i++)
		value[i] = (float)(i % 4);
	const struct profile_column c[] = { { "x", value, 100, 1 } };
	arena_init(&a);
	assert_int_equal(profile_parse(observe_reference_json(c, 1, &a), &a, &p, &e), RC_OK);
	struct drift_new n = { STR("e"), STR("m"), 1, input, 1, STR("y"), 40, 0 };
	struct drift *d = drift_new(&a, &n, &p);
	assert_true(d->column[0].tracked);
	assert_false(d->column[1].tracked);
	for (int i = 0; i < 400; i++) {
		double x = i < 200 ? i % 4 : 3;
		drift_push(d, &(struct drift_sample){ &x, 1, 1000 + i, 5, (uint64_t)i });
		uint32_t sum = 0;
		for (size_t k = 0; k < d->column[0].n_edge + 2; k++)
			sum += d->column[0].count[k];
		assert_int_equal(sum, d->n);
		if (i == 199)
			near(drift_psi(d, 0), 0, 1e-12);
	}
	assert_int_equal(d->n, 40);
	assert_int_equal(d->column[0].count[3], 40);
	near(drift_psi(d, 0), 3 * (0.25 - 0.0001) * log(2500) + 0.75 * log(4), 1e-9);
	d->window_ms = 10;
	drift_expire(d, 1000 + 399 + 10);
	assert_int_equal(d->n, 1);
	drift_clear(d);
	assert_int_equal(d->column[0].count[3], 0);
	arena_deinit(&a);
}

/* --- the log ----------------------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/cairn_predlog_XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return mkdtemp(dir) == NULL;
}

static int drop_dir(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	return fs_remove_tree(dir, &e) != RC_OK;
}

static void append(struct predlog *l, uint32_t *told, uint64_t *told_in, int i)
{
	const str input[] = { STR("distance"), STR("hour") };
	const double x[] = { i / 2.0, i % 3 == 0 ? (double)NAN : i % 24 };
	struct err e = ERR_INIT;
	char id[32];

	assert_int_equal(predlog_begin(l, &e), RC_OK);
	if (*told_in != predlog_segment(l)) {
		*told_in = predlog_segment(l);
		*told = 0;
		predlog_put_watch(predlog_buf(l), &(struct log_watch){ 7, 3, STR("taxi"), STR("fare-model"), STR("fare"), input, 2 });
	}
	(void)snprintf(id, sizeof(id), "pr_%d", i);
	struct log_prediction p = { *told, predlog_next_seq(l), 1000 + i, 42, i * 1.5, str_of(id), STR(""), STR("v@1"), x, 2 };
	predlog_put_prediction(predlog_buf(l), &p);
	assert_int_equal(predlog_commit(l, 1, &e), RC_OK);
}

/* Reads everything from `from`; checks that ids follow from `first`; returns how many. */
static int read_from(struct predlog *l, struct predlog_place from, int first, struct predlog_place *end)
{
	struct predlog_reader *r;
	const struct log_watch *w;
	struct log_prediction p;
	struct err e = ERR_INIT;
	struct arena a;
	bool got;
	int n = 0;

	arena_init(&a);
	assert_int_equal(predlog_reader_open(l, from, &r, &e), RC_OK);
	for (;; n++) {
		char id[32];
		assert_int_equal(predlog_next(r, &a, &w, &p, &got, &e), RC_OK);
		if (!got)
			break;
		(void)snprintf(id, sizeof(id), "pr_%d", first + n);
		assert_true(str_eq(p.id, str_of(id)));
		assert_int_equal(p.seq, first + n + 1);
		assert_true(str_eq(w->endpoint, STR("taxi")) && w->revision == 7 && w->version == 3 && w->n_input == 2);
		assert_true(str_eq(w->input[1], STR("hour")) && str_eq(p.view_ids, STR("v@1")));
		near(p.output, (first + n) * 1.5, 0);
		assert_true(isnan(p.input[1]) == ((first + n) % 3 == 0));
	}
	if (end != NULL)
		*end = predlog_reader_place(r);
	predlog_reader_close(&r);
	arena_deinit(&a);
	return n;
}

static void records_are_read_over_segments(void **state)
{
	struct predlog *l;
	struct predlog_place half;
	struct err e = ERR_INIT;
	uint64_t told_in = 0;
	uint32_t told = 0;

	(void)state;
	assert_int_equal(predlog_open(dir, 1000, &l, &e), RC_OK);
	for (int i = 0; i < 50; i++)
		append(l, &told, &told_in, i);
	assert_true(predlog_segment(l) > 3);
	assert_int_equal(read_from(l, (struct predlog_place){ 0, 0 }, 0, &half), 50);
	for (int i = 50; i < 80; i++)
		append(l, &told, &told_in, i);
	assert_int_equal(read_from(l, half, 50, NULL), 30);
	assert_int_equal(read_from(l, (struct predlog_place){ 0, 0 }, 0, NULL), 80);
	predlog_close(&l);
	/* A second life numbers on. */
	assert_int_equal(predlog_open(dir, 1000, &l, &e), RC_OK);
	assert_int_equal(predlog_next_seq(l), 81);
	told_in = 0;
	append(l, &told, &told_in, 80);
	assert_int_equal(read_from(l, half, 50, &half), 31);
	/* Pruning never takes what was not read yet. */
	uint64_t before = predlog_bytes(l);
	assert_int_equal(predlog_prune(l, (struct predlog_place){ 1, 16 }, 0, &e), RC_OK);
	assert_int_equal(predlog_bytes(l), before);
	assert_int_equal(predlog_prune(l, half, 0, &e), RC_OK);
	assert_true(predlog_bytes(l) < before);
	/* A database that knows more than the log has: neither numbers nor segments are used twice. */
	uint64_t segment = predlog_segment(l);
	assert_int_equal(predlog_advance(l, segment + 5, 200, &e), RC_OK);
	assert_int_equal(predlog_segment(l), segment + 6);
	assert_int_equal(predlog_next_seq(l), 200);
	predlog_close(&l);
}

static void copy_prefix(const char *from, const char *to, long n)
{
	char bytes[4096];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");

	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(fread(bytes, 1, (size_t)n, in), n);
	assert_int_equal(fwrite(bytes, 1, (size_t)n, out), n);
	fclose(in);
	fclose(out);
}

/* Cut at every byte: whole records before the cut are read, the torn one is gone, and the log goes on. */
static void a_torn_tail_is_cut(void **state)
{
	struct predlog *l;
	struct err e = ERR_INIT;
	uint64_t told_in = 0;
	uint32_t told = 0;
	char path[256], saved[256];
	long ends[6];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/00000000000000000001.log", dir);
	(void)snprintf(saved, sizeof(saved), "%s/saved", dir);
	assert_int_equal(predlog_open(dir, 1 << 20, &l, &e), RC_OK);
	for (int i = 0; i < 5; i++) {
		append(l, &told, &told_in, i);
		ends[i] = (long)predlog_bytes(l);
	}
	predlog_close(&l);
	copy_prefix(path, saved, ends[4]);
	for (long cut = 0; cut <= ends[4]; cut++) {
		int whole = 0;
		while (whole < 5 && ends[whole] <= cut)
			whole++;
		for (int k = 1; k < 4; k++) {
			char other[256];
			(void)snprintf(other, sizeof(other), "%s/%020d.log", dir, k);
			(void)unlink(other);
		}
		copy_prefix(saved, path, cut);
		assert_int_equal(predlog_open(dir, 1 << 20, &l, &e), RC_OK);
		assert_int_equal(predlog_next_seq(l), whole + 1);
		assert_int_equal(read_from(l, (struct predlog_place){ 0, 0 }, 0, NULL), whole);
		told_in = 0;
		append(l, &told, &told_in, whole);
		assert_int_equal(read_from(l, (struct predlog_place){ 0, 0 }, 0, NULL), whole + 1);
		predlog_close(&l);
	}
}

/* A disk that fills up in the middle of a record: the record is refused and gone, and what follows reads on without a gap. */
static void a_full_disk_refuses_and_keeps_the_log_whole(void **state)
{
	const str input[] = { STR("distance"), STR("hour") };
	const double x[] = { 1, 2 };
	struct rlimit old, tight;
	struct predlog *l;
	struct err e = ERR_INIT;
	uint64_t told_in = 0;
	uint32_t told = 0;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(predlog_open(dir, 1 << 20, &l, &e), RC_OK);
	for (int i = 0; i < 3; i++)
		append(l, &told, &told_in, i);
	uint64_t before = predlog_bytes(l);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = before + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(predlog_begin(l, &e), RC_OK);
		struct log_prediction p = { 0, predlog_next_seq(l), 1, 1, 1, STR("pr_x"), STR(""), STR(""), x, ARRAY_LEN(input) };
		predlog_put_prediction(predlog_buf(l), &p);
		assert_int_not_equal(predlog_commit(l, 1, &e), RC_OK);
		assert_int_equal(predlog_bytes(l), before);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	append(l, &told, &told_in, 3);
	assert_int_equal(read_from(l, (struct predlog_place){ 0, 0 }, 0, NULL), 4);
	predlog_close(&l);
	assert_int_equal(predlog_open(dir, 1 << 20, &l, &e), RC_OK);
	assert_int_equal(predlog_next_seq(l), 5);
	predlog_close(&l);
}

static void a_flipped_bit_is_seen(void **state)
{
	const str input[] = { STR("a") };
	const double x[] = { 1 };
	struct buf b = BUF_INIT(4096);
	struct arena a;

	(void)state;
	assert_int_equal(predlog_crc("123456789", 9), 0xE3069283);   /* the check value of CRC-32C */
	predlog_put_watch(&b, &(struct log_watch){ 1, 2, STR("e"), STR("m"), STR("o"), input, 1 });
	predlog_put_prediction(&b, &(struct log_prediction){ .id = STR("pr_1"), .input = x, .n_input = 1 });
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		struct err e = ERR_INIT;
		struct log_frame f;
		size_t at = 0, n = 0;
		b.at[bit / 8] = (char)(b.at[bit / 8] ^ 1 << bit % 8);
		arena_init(&a);
		while (at < b.len && predlog_get(buf_str(&b), &at, &a, &f, &e) == RC_OK)
			n++;
		assert_true(n < 2);
		arena_deinit(&a);
		b.at[bit / 8] = (char)(b.at[bit / 8] ^ 1 << bit % 8);
	}
	buf_deinit(&b);
}

/* --- alerts -------------------------------------------------------------------------------------------------------- */

static void alerts_move_as_the_table_says(void **state)
{
	static const struct { enum alert_state from; bool breach; int64_t since, for_ms, now; enum alert_state to; const char *why; } rows[] = {
		{ ALERT_OK, false, 0, 100, 500, ALERT_OK, "nothing" },
		{ ALERT_OK, true, 0, 100, 500, ALERT_PENDING, "begins" },
		{ ALERT_PENDING, true, 500, 100, 599, ALERT_PENDING, "not long enough" },
		{ ALERT_PENDING, true, 500, 100, 600, ALERT_FIRING, "long enough" },
		{ ALERT_PENDING, false, 500, 100, 550, ALERT_OK, "passed by itself" },
		{ ALERT_FIRING, true, 600, 100, 900, ALERT_FIRING, "still" },
		{ ALERT_FIRING, false, 600, 100, 900, ALERT_RESOLVED, "over" },
		{ ALERT_RESOLVED, false, 900, 100, 950, ALERT_RESOLVED, "stays" },
		{ ALERT_RESOLVED, true, 900, 100, 950, ALERT_PENDING, "again" },
	};
	struct alert_rule r = { .op = ALERT_GE, .bound = 0.25 };
	struct alert_measure m = { .value = 0.25, .known = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum alert_state to = alert_next(rows[i].from, rows[i].breach, rows[i].since, rows[i].for_ms, rows[i].now);
		assert_int_equal(to, rows[i].to);
		assert_true(to == rows[i].from || alert_may[rows[i].from][to]);
	}
	assert_true(alert_breaches(&r, &m));
	r.op = ALERT_GT;
	assert_false(alert_breaches(&r, &m));
	r.op = ALERT_LE;
	assert_true(alert_breaches(&r, &m));
	r.op = ALERT_LT;
	assert_false(alert_breaches(&r, &m));
	m.known = false;
	r.op = ALERT_LE;
	assert_false(alert_breaches(&r, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(psi_is_the_published_sum),
		cmocka_unit_test(bins_hold_what_is_between_their_edges),
		cmocka_unit_test(a_profile_reads_back),
		cmocka_unit_test(a_broken_profile_is_refused),
		cmocka_unit_test(a_window_forgets_what_left_it),
		cmocka_unit_test_setup_teardown(records_are_read_over_segments, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_torn_tail_is_cut, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_full_disk_refuses_and_keeps_the_log_whole, make_dir, drop_dir),
		cmocka_unit_test(a_flipped_bit_is_seen),
		cmocka_unit_test(alerts_move_as_the_table_says),
	};
	log_open(2, LOG_ERROR);   /* hundreds of torn tails are cut here on purpose */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
