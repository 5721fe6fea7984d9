/* test_xgboost.c -- fitting, saving, loading, and predicting from many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/id.h"
#include "io/xgboost.h"

#define ROWS 600
#define COLS 3

struct fixture {
	float x[ROWS * COLS], y[ROWS];
	struct arena a;
	struct err e;
	struct xgb_data train, valid;
	int rounds_seen;
	double first, last, last_valid;
	char metric[32];
	int stop_after;
};

static const char *const names[COLS] = { "distance", "hour", "noise" };

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static int set_up(void **state)
{
	static struct fixture f;
	struct rng r;

	memset(&f, 0, sizeof(f));
	if (xgb_available(&f.e) != RC_OK)
		skip();
	arena_init(&f.a);
	rng_seed(&r, 7);
	for (size_t i = 0; i < ROWS; i++) {
		float *row = &f.x[i * COLS];
		for (size_t j = 0; j < COLS; j++)
			row[j] = (float)rng_unit(&r);
		f.y[i] = 10 * row[0] + (row[1] > 0.5f ? 3.0f : 0.0f);
		if (i % 10 == 0) {
			row[0] = NAN;   /* missing means "far" here: the default direction has to be learnt */
			f.y[i] = 20;
		}
	}
	f.train = (struct xgb_data){ f.x, f.y, 500, COLS, names };
	f.valid = (struct xgb_data){ f.x + 500 * COLS, f.y + 500, 100, COLS, names };
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_deinit(&f->a);
	return 0;
}

static bool on_round(void *ctx, int round, const char *metric, double train, double valid)
{
	struct fixture *f = ctx;

	assert_int_equal(round, f->rounds_seen);
	if (round == 0)
		f->first = train;
	f->last = train;
	f->last_valid = valid;
	f->rounds_seen++;
	assert_true(strlen(metric) < sizeof(f->metric));
	strcpy(f->metric, metric);
	return f->stop_after == 0 || f->rounds_seen < f->stop_after;
}

static enum rc fit(struct fixture *f, const struct xgb_param *extra, size_t n_extra, int rounds, struct booster **out)
{
	struct xgb_param p[8] = { { "objective", "reg:squarederror" }, { "max_depth", "4" }, { "eta", "0.3" }, { "nthread", "2" } };

	for (size_t i = 0; i < n_extra; i++)
		p[4 + i] = extra[i];
	const struct xgb_train t = { .train = &f->train, .valid = &f->valid, .param = p, .n_param = 4 + n_extra,
				     .rounds = rounds, .on_round = on_round, .ctx = f };
	return xgb_fit(&t, out, &f->e);
}

static void test_fit_learns(void **state)
{
	struct fixture *f = *state;
	struct booster *b;
	float out[ROWS];
	size_t n;
	str *name;

	OK(f, fit(f, NULL, 0, 40, &b));
	assert_int_equal(f->rounds_seen, 40);
	assert_string_equal(f->metric, "rmse");
	assert_true(f->last < f->first / 10);
	assert_true(f->last_valid < 1.0);
	OK(f, xgb_n_features(b, &n, &f->e));
	assert_int_equal(n, COLS);
	assert_int_equal(xgb_n_outputs(b), 1);
	OK(f, xgb_predict(b, f->x, ROWS, COLS, out, &f->e));
	for (size_t i = 0; i < ROWS; i++)
		assert_true(fabsf(out[i] - f->y[i]) < 3.0f);
	assert_true(fabsf(out[0] - 20) < 0.5f);   /* a missing distance goes its own way */
	OK(f, xgb_feature_names(b, &f->a, &name, &n, &f->e));
	assert_int_equal(n, COLS);
	assert_true(str_eq(name[1], STR("hour")));
	xgb_free(&b);
	assert_null(b);
}

static void test_stops_and_keeps(void **state)
{
	struct fixture *f = *state;
	struct booster *b, *ten;
	float kept[ROWS], fresh[ROWS];

	f->stop_after = 25;
	OK(f, fit(f, NULL, 0, 100, &b));
	assert_int_equal(f->rounds_seen, 25);
	assert_int_equal(xgb_keep_rounds(b, 26, &f->e), RC_INVALID);
	OK(f, xgb_keep_rounds(b, 10, &f->e));
	f->rounds_seen = f->stop_after = 0;
	OK(f, fit(f, NULL, 0, 10, &ten));
	OK(f, xgb_predict(b, f->x, ROWS, COLS, kept, &f->e));
	OK(f, xgb_predict(ten, f->x, ROWS, COLS, fresh, &f->e));
	assert_memory_equal(kept, fresh, sizeof(kept));
	xgb_free(&b);
	xgb_free(&ten);
}

static void test_save_and_load(void **state)
{
	struct fixture *f = *state;
	struct booster *b;
	float before[ROWS], after[ROWS];
	str saved[2];

	OK(f, fit(f, NULL, 0, 20, &b));
	OK(f, xgb_save_json(b, &f->a, &saved[0], &f->e));
	OK(f, xgb_save_ubj(b, &f->a, &saved[1], &f->e));
	assert_true(saved[1].len < saved[0].len);
	OK(f, xgb_predict(b, f->x, ROWS, COLS, before, &f->e));
	for (size_t i = 0; i < 2; i++) {
		struct booster *again;
		str *name, text;
		size_t n;
		OK(f, xgb_load(saved[i], &again, &f->e));
		OK(f, xgb_predict(again, f->x, ROWS, COLS, after, &f->e));
		assert_memory_equal(before, after, sizeof(before));
		OK(f, xgb_feature_names(again, &f->a, &name, &n, &f->e));
		assert_int_equal(n, COLS);
		OK(f, xgb_save_json(again, &f->a, &text, &f->e));
		assert_true(str_find(text, STR("\"distance\"")) > 0);
		xgb_free(&again);
	}
	xgb_free(&b);
}

static void test_classes(void **state)
{
	struct fixture *f = *state;
	const struct xgb_param p[] = { { "objective", "multi:softprob" }, { "num_class", "3" } };
	struct booster *b;
	float out[2 * 3];

	for (size_t i = 0; i < ROWS; i++)
		f->y[i] = (float)(i % 3);
	OK(f, fit(f, p, 2, 3, &b));
	assert_string_equal(f->metric, "mlogloss");
	assert_int_equal(xgb_n_outputs(b), 3);
	OK(f, xgb_predict(b, f->x, 2, COLS, out, &f->e));
	assert_true(fabsf(out[0] + out[1] + out[2] - 1) < 1e-4f);
	xgb_free(&b);
}

static void test_bad_input(void **state)
{
	struct fixture *f = *state;
	struct booster *b = NULL;
	float out[1];
	const struct xgb_param misspelt = { "max_dept", "3" }, bad = { "eta", "fast" }, other = { "objective", "reg:nonsense" };

	assert_int_equal(fit(f, &misspelt, 1, 3, &b), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "max_dept"));
	assert_int_equal(fit(f, &bad, 1, 3, &b), RC_INVALID);
	assert_int_equal(fit(f, &other, 1, 3, &b), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "reg:nonsense"));
	assert_null(strstr(f->e.msg, "Stack trace"));
	f->y[3] = NAN;
	assert_int_equal(fit(f, NULL, 0, 3, &b), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "row 3 of the train set"));
	f->y[3] = 0;
	assert_null(b);
	static const char *const model[] = { "", "{}", "not a model", "{\"learner\":{}}", "{\"learner\":", "{L\x01", "{\"version\":[1,7,4]}" };
	for (size_t i = 0; i < ARRAY_LEN(model); i++)
		assert_int_equal(xgb_load(str_of(model[i]), &b, &f->e), RC_INVALID);
	f->rounds_seen = 0;
	OK(f, fit(f, NULL, 0, 3, &b));
	assert_int_equal(xgb_predict(b, f->x, 1, COLS + 1, out, &f->e), RC_INVALID);
	assert_string_equal(f->e.msg, "the model takes 3 features a row; 4 were given");
	xgb_free(&b);
}

struct reader { struct fixture *f; struct booster *b; const float *expected; size_t wrong; pthread_t thread; };

static void *read_many(void *arg)
{
	struct reader *r = arg;
	struct err e = ERR_INIT;
	float out[ROWS];

	for (size_t round = 0; round < 300; round++) {
		size_t at = (round * 37) % (ROWS - 8), n = 1 + round % 8;
		if (xgb_predict(r->b, r->f->x + at * COLS, n, COLS, out, &e) != RC_OK ||
		    memcmp(out, r->expected + at, n * sizeof(*out)) != 0)
			r->wrong++;
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture *f = *state;
	struct booster *b;
	float expected[ROWS];
	struct reader r[8];

	OK(f, fit(f, NULL, 0, 30, &b));
	OK(f, xgb_predict(b, f->x, ROWS, COLS, expected, &f->e));
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		r[i] = (struct reader){ .f = f, .b = b, .expected = expected };
		assert_int_equal(pthread_create(&r[i].thread, NULL, read_many, &r[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].wrong, 0);
	}
	xgb_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fit_learns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stops_and_keeps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_save_and_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_classes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_input, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_threads, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
