/* test_serve_export.c -- XGBoost's trees read, written as ONNX, and run by both runtimes on the same rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/id.h"
#include "io/xgboost.h"
#include "modules/serve/onnx_export.h"
#include "modules/serve/runtime.h"

#define ROWS 400
#define COLS 5
#define TRIED 3000

struct fixture {
	float x[ROWS * COLS], y[ROWS];
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
	struct rng r;
	str version;

	memset(&f, 0, sizeof(f));
	arena_init(&f.a);
	if (xgboost_runtime.version(&f.a, &version, &f.e) != RC_OK || onnx_runtime.version(&f.a, &version, &f.e) != RC_OK)
		print_message("a runtime is missing: %s\n", f.e.msg);
	rng_seed(&r, 11);
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t k = 0; k < COLS; k++)   /* few distinct values, so that rows lie on thresholds; some missing */
			f.x[i * COLS + k] = rng_next(&r) % 9 == 0 ? NAN : (float)(rng_next(&r) % 20) / 7;
		float a = f.x[i * COLS], b = f.x[i * COLS + 1];
		f.y[i] = (isnan(a) ? 4 : a * a) + (isnan(b) ? -1 : b) + (float)rng_unit(&r);
	}
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_deinit(&f->a);
	return 0;
}

static str train(struct fixture *f, const struct xgb_param *p, size_t n_param, int rounds)
{
	const struct xgb_data d = { .x = f->x, .y = f->y, .n_row = ROWS, .n_col = COLS };
	const struct xgb_train t = { .train = &d, .param = p, .n_param = n_param, .rounds = rounds };
	struct booster *b;
	str json;

	OK(f, xgb_fit(&t, &b, &f->e));
	OK(f, xgb_save_json(b, &f->a, &json, &f->e));
	xgb_free(&b);
	return json;
}

static struct loaded *load(struct fixture *f, const struct runtime_ops *ops, str model)
{
	const struct runtime_source s = { .main = { STR("model"), model }, .threads = 1 };
	struct loaded *m = NULL;

	OK(f, ops->load(&s, &m, &f->e));
	return m;
}

static const float *predict(struct fixture *f, struct loaded *m, float *x, size_t n, size_t *n_out)
{
	const struct tensor in = { .name = STR("input"), .type = DT_FP32, .n_dim = 2, .dim = { (int64_t)n, COLS }, .data = x, .n = n * COLS };
	struct tensor checked, out;

	OK(f, tensors_match(m->in, m->n_in, &in, 1, &checked, &f->e));
	OK(f, m->ops->infer(m, &checked, &f->a, &out, &f->e));
	assert_int_equal(out.type, DT_FP32);
	assert_int_equal(out.n_dim, 2);
	assert_int_equal(out.dim[0], n);
	*n_out = out.n;
	return out.data;
}

/* The largest difference over rows made to try the trees, in one batch and one by one. */
static float difference(struct fixture *f, str json)
{
	struct forest trees;
	str onnx;
	float worst = 0;
	size_t n[3];

	OK(f, forest_read(json, &f->a, &trees, &f->e));
	assert_int_equal(trees.n_feature, COLS);
	OK(f, onnx_of_forest(&trees, STR("fare"), STR("test"), &f->a, &onnx, &f->e));
	struct loaded *a = load(f, &xgboost_runtime, json), *b = load(f, &onnx_runtime, onnx);
	assert_true(str_eq(b->out[0].name, STR("fare")));
	assert_int_equal(b->in[0].dim[0], -1);
	assert_int_equal(b->in[0].dim[1], COLS);
	float *x = forest_rows(&trees, TRIED, 3, &f->a);
	const float *ya = predict(f, a, x, TRIED, &n[0]), *yb = predict(f, b, x, TRIED, &n[1]);
	assert_int_equal(n[0], TRIED * trees.n_group);
	assert_int_equal(n[0], n[1]);
	for (size_t i = 0; i < n[0]; i++)
		worst = fmaxf(worst, fabsf(ya[i] - yb[i]));
	for (size_t i = 0; i < 50; i++) {
		const float *one = predict(f, b, x + i * COLS, 1, &n[2]);
		assert_int_equal(n[2], trees.n_group);
		for (size_t k = 0; k < n[2]; k++)
			worst = fmaxf(worst, fabsf(ya[i * trees.n_group + k] - one[k]));
	}
	a->ops->unload(&a);
	b->ops->unload(&b);
	return worst;
}

static void test_regression_is_equal_to_the_bit(void **state)
{
	struct fixture *f = *state;
	const struct xgb_param p[] = { { "objective", "reg:squarederror" }, { "max_depth", "7" }, { "base_score", "3.7" } };

	float worst = difference(f, train(f, p, 3, 150));
	assert_true(worst >= 0 && worst <= 0);
}

static void test_links(void **state)
{
	struct fixture *f = *state;
	const struct { const char *objective; float tolerance; } row[] = {
		{ "binary:logistic", 1e-6f }, { "binary:logitraw", 0 }, { "reg:pseudohubererror", 0 },
		{ "multi:softprob", 1e-6f }, { "count:poisson", 1e-4f },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		bool classes = strncmp(row[i].objective, "multi", 5) == 0;
		const struct xgb_param p[] = { { "objective", row[i].objective }, { "base_score", "0.3" }, { "num_class", "3" } };
		for (size_t k = 0; k < ROWS; k++)
			f->y[k] = classes ? (float)(k % 3) : f->x[k * COLS] > 1 ? 1.0f : 0.0f;
		float worst = difference(f, train(f, p, classes ? 3 : 2, 12));
		if (!(worst <= row[i].tolerance))
			fail_msg("%s differs by %g", row[i].objective, (double)worst);
	}
}

static void test_ranges_and_forests(void **state)
{
	struct fixture *f = *state;
	const struct xgb_param p[] = { { "num_parallel_tree", "4" }, { "subsample", "0.5" }, { "max_depth", "3" } };

	assert_true(difference(f, train(f, p, 3, 10)) <= 0);
	for (size_t i = 0; i < ROWS; i++)
		f->y[i] = 5;   /* nothing to learn: trees are single leaves */
	const struct xgb_param gamma[] = { { "gamma", "1000" } };
	assert_true(difference(f, train(f, gamma, 1, 3)) <= 0);
}

static str with(struct fixture *f, str json, const char *from, const char *to)
{
	ptrdiff_t at = str_find(json, str_of(from));

	assert_true(at >= 0);
	str head = str_head(json, (size_t)at), tail = str_skip(json, (size_t)at + strlen(from));
	return arena_printf(&f->a, STR_FMT "%s" STR_FMT, STR_ARG(head), to, STR_ARG(tail));
}

static void test_broken_trees_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char good[] =
		"{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[{\"id\":0,\"left_children\":[1,-1,-1],"
		"\"right_children\":[2,-1,-1],\"split_indices\":[1,0,0],\"split_conditions\":[5E-1,1E0,2E0],\"default_left\":[1,0,0],"
		"\"split_type\":[0,0,0]}]}},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\"},"
		"\"objective\":{\"name\":\"reg:squarederror\"}},\"version\":[1,7,4]}";
	static const struct { const char *from, *to, *message; } row[] = {
		{ "[1,-1,-1],\"right", "[3,-1,-1],\"right", "tree 0: node 0 has children 3 and 2 of 3 nodes" },
		{ "[1,-1,-1],\"right", "[0,-1,-1],\"right", "children 0 and 2" },
		{ "[1,-1,-1],\"right", "[2,-1,-1],\"right", "node 2 is reached twice" },
		{ "[1,-1,-1],\"right", "[1,2,-1],\"right", "children 2 and -1" },
		{ "[1,-1,-1],\"right", "[1,-1],\"right", "right_children has 3 entries for 2 nodes" },
		{ "[1,0,0],\"split_c", "[2,0,0],\"split_c", "splits by feature 2 of 2" },
		{ "[5E-1,", "[NaN,", "no finite number" },
		{ "[5E-1,", "[5E60,", "no finite number" },
		{ "[0,0,0]}]", "[1,0,0]}]", "1 nodes split by category, but categories are given for 0" },
		{ "[0,0,0]}]", "[1,0,0],\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[2],\"categories\":[1]}]",
		  "the categories of split 0 are not there" },
		{ "[0,0,0]}]", "[1,0,0],\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[1],\"categories\":[1]}]",
		  "splits by category cannot be converted" },
		{ "[0,0,0]}]", "[0,0]}]", "split_type has 2 entries" },
		{ "\"id\":0", "\"id\":1", "tree 0 has id 1" },
		{ "\"1\"},\"tree", "\"3\"},\"tree", "tells of 3 trees, but there are 1" },
		{ "[0],\"trees\"", "[1],\"trees\"", "output 1 of 1" },
		{ "[0],\"trees\"", "[],\"trees\"", "0 entries for 1 trees" },
		{ "gbtree", "gblinear", "there are gbtree and dart" },
		{ "gbtree", "dart", "of dart" },
		{ "reg:squarederror", "binary:hinge", "binary:hinge" },
		{ "\"5E-1\"", "\"half\"", "base_score" },
		{ "\"num_feature\":\"2\"", "\"num_feature\":\"0\"", "num_feature" },
	};
	struct forest trees;

	OK(f, forest_read(str_of(good), &f->a, &trees, &f->e));
	assert_int_equal(trees.n_node, 3);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(forest_read(with(f, str_of(good), row[i].from, row[i].to), &f->a, &trees, &f->e), RC_INVALID);
		/* What XGBoost could not be given is refused by forest_check too; it may be given categories and other objectives. */
		bool xgboost_may = strstr(row[i].message, "cannot be converted") != NULL || strstr(row[i].message, "binary:") != NULL || strstr(row[i].message, "of dart") != NULL ||
				   strstr(row[i].message, "base_score") != NULL;
		struct err ignored = ERR_INIT;
		assert_int_equal(forest_check(with(f, str_of(good), row[i].from, row[i].to), &ignored), xgboost_may ? RC_OK : RC_INVALID);
		if (strstr(f->e.msg, row[i].message) == NULL && strstr(f->e.field, row[i].message) == NULL)
			fail_msg("row %zu: '%s' %s is not '%s'", i, f->e.msg, f->e.field, row[i].message);
	}
}

static void test_ubjson_is_read_as_json(void **state)
{
	struct fixture *f = *state;
	const struct xgb_param p[] = { { "objective", "multi:softprob" }, { "num_class", "3" }, { "max_depth", "4" } };
	const struct xgb_data d = { .x = f->x, .y = f->y, .n_row = ROWS, .n_col = COLS };
	const struct xgb_train t = { .train = &d, .param = p, .n_param = 3, .rounds = 5 };
	struct forest a, b;
	struct booster *booster;
	str json, ubj;

	for (size_t k = 0; k < ROWS; k++)
		f->y[k] = (float)(k % 3);
	OK(f, xgb_fit(&t, &booster, &f->e));
	OK(f, xgb_save_json(booster, &f->a, &json, &f->e));
	OK(f, xgb_save_ubj(booster, &f->a, &ubj, &f->e));
	xgb_free(&booster);
	OK(f, forest_read(json, &f->a, &a, &f->e));
	OK(f, forest_read(ubj, &f->a, &b, &f->e));
	assert_int_equal(a.n_tree, 15);
	assert_int_equal(a.n_tree, b.n_tree);
	assert_int_equal(a.n_node, b.n_node);
	for (size_t i = 0; i < a.n_tree; i++) {
		const struct tree *x = &a.tree[i], *y = &b.tree[i];
		assert_int_equal(x->n, y->n);
		assert_int_equal(x->group, y->group);
		assert_memory_equal(x->left, y->left, x->n * sizeof(x->left[0]));
		assert_memory_equal(x->right, y->right, x->n * sizeof(x->right[0]));
		assert_memory_equal(x->feature, y->feature, x->n * sizeof(x->feature[0]));
		assert_memory_equal(x->value, y->value, x->n * sizeof(x->value[0]));
		assert_memory_equal(x->missing_left, y->missing_left, x->n * sizeof(x->missing_left[0]));
	}
	for (size_t i = 0; i < ubj.len; i += 1 + ubj.len / 300)   /* cut anywhere */
		assert_int_equal(forest_check(str_head(ubj, i), &f->e), RC_INVALID);
	assert_int_equal(forest_check(arena_printf(&f->a, STR_FMT "x", STR_ARG(json)), &f->e), RC_INVALID);
}

static void test_dart_is_served_not_converted(void **state)
{
	struct fixture *f = *state;
	const struct xgb_param p[] = { { "booster", "dart" }, { "rate_drop", "0.3" } };
	struct forest trees;
	str json = train(f, p, 2, 6);
	size_t n;

	OK(f, forest_check(json, &f->e));
	assert_int_equal(forest_read(json, &f->a, &trees, &f->e), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "dart"));
	struct loaded *m = load(f, &xgboost_runtime, json);
	(void)predict(f, m, f->x, 3, &n);
	assert_int_equal(n, 3);
	m->ops->unload(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_regression_is_equal_to_the_bit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ranges_and_forests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_trees_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ubjson_is_read_as_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dart_is_served_not_converted, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
