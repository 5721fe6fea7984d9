/* test_filter.c -- the search grammar as tables: what is read how, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/filter.h"

/* "entity|key|op|value" of each comparison, joined with " & ". */
static str shown(const struct list *terms, struct arena *a)
{
	str out = STR("");

	for (size_t i = 0; i < terms->n; i++) {
		const struct filter_term *t = LIST_AT(*terms, const struct filter_term, i);
		str value = t->text;
		for (size_t k = 0; k < t->texts.n; k++)
			value = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(value), k > 0 ? "," : "", STR_ARG(*LIST_AT(t->texts, str, k)));
		if (t->value == FILTER_NUMBER)
			value = arena_printf(a, "%g", t->number);
		out = arena_printf(a, STR_FMT "%s" STR_FMT "|" STR_FMT "|%s|" STR_FMT, STR_ARG(out), i > 0 ? " & " : "",
				   STR_ARG(t->entity), STR_ARG(t->key), filter_op_names[t->op], STR_ARG(value));
	}
	return out;
}

static void filters_are_read(void **state)
{
	static const struct { const char *text, *tree; } rows[] = {
		{ "", "" },
		{ "   ", "" },
		{ "metrics.rmse < 1", "metrics|rmse|<|1" },
		{ "metrics.rmse<=-1.5e-3", "metrics|rmse|<=|-0.0015" },
		{ "metrics.a>=1 AND metrics.b!=2", "metrics|a|>=|1 & metrics|b|!=|2" },
		{ "metrics.a > 1 and params.b = 'x'", "metrics|a|>|1 & params|b|=|x" },
		{ "params.model = \"LogReg\"", "params|model|=|LogReg" },
		{ "params.\"a b.c\" = 'x'", "params|a b.c|=|x" },
		{ "params.`a b` LIKE '%x_'", "params|a b|LIKE|%x_" },
		{ "tags.mlflow.parentRunId = 'r'", "tags|mlflow.parentRunId|=|r" },
		{ "tags.x ilike '%A%'", "tags|x|ILIKE|%A%" },
		{ "status = 'FINISHED'", "|status|=|FINISHED" },
		{ "attributes.`Run name` = 'n'", "attributes|Run name|=|n" },
		{ "run_id IN ('a','b')", "|run_id|IN|a,b" },
		{ "run_id not in ( 'a' )", "|run_id|NOT IN|a" },
		{ "run_id IN ('a', )", "|run_id|IN|a" },
		{ "params.x IS NULL", "params|x|IS NULL|" },
		{ "params.x is not null AND tags.y IS NULL", "params|x|IS NOT NULL| & tags|y|IS NULL|" },
		{ "name = 'it''s'", "|name|=|it''s" },
		{ "name = ''", "|name|=|" },
		{ "name = 'a AND b'", "|name|=|a AND b" },
		{ "android = 1", "|android|=|1" },
		{ "metrics.in > 1", "metrics|in|>|1" },
		{ "metrics.\xc3\xa4 > 1", "metrics|\xc3\xa4|>|1" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct list terms;
		struct arena a;
		struct err e = ERR_INIT;
		arena_init(&a);
		if (filter_parse(str_of(rows[i].text), &a, &terms, &e) != RC_OK)
			fail_msg("%s: %s", rows[i].text, e.msg);
		str got = shown(&terms, &a);
		if (!str_eq(got, str_of(rows[i].tree)))
			fail_msg("%s: read as " STR_FMT, rows[i].text, STR_ARG(got));
		arena_deinit(&a);
	}
}

static void nonsense_is_refused(void **state)
{
	static const struct { const char *text, *why; } rows[] = {
		{ "metrics.a", "expected a comparison" },
		{ "metrics.a >", "expected a value" },
		{ "metrics.a > x", "a number or a quoted text" },
		{ "metrics.a > 1x", "a number or a quoted text" },
		{ "metrics.a > 1 OR metrics.b > 1", "expected AND" },
		{ "metrics.a > 1,", "expected AND" },
		{ "metrics.a > 1 AND", "an identifier" },
		{ "(metrics.a > 1)", "an identifier" },
		{ "metrics. > 1", "an identifier" },
		{ "'a' = 1", "an identifier" },
		{ "name = 'open", "a closing quote" },
		{ "name == 'x'", "a number or a quoted text" },
		{ "name <> 'x'", "a number or a quoted text" },
		{ "run_id IN 'a'", "a list in parentheses" },
		{ "run_id IN ()", "a quoted text" },
		{ "run_id IN ('a'", "',' or ')'" },
		{ "run_id IN (,)", "a quoted text" },
		{ "run_id IN ('')", "not empty" },
		{ "run_id = ('a')", "a value" },
		{ "x IS 1", "NULL behind IS" },
		{ "x NOT LIKE 'a'", "IN behind NOT" },
		{ "a = 1; b = 2", "expected AND" },
		{ "\xff = 1", "UTF-8" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct list terms;
		struct arena a;
		struct err e = ERR_INIT;
		arena_init(&a);
		assert_int_equal(filter_parse(str_of(rows[i].text), &a, &terms, &e), RC_INVALID);
		if (strstr(e.msg, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].text, e.msg);
		arena_deinit(&a);
	}
}

static void too_much_is_refused(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct list terms;
	struct arena a;
	struct err e = ERR_INIT;
	(void)state;

	arena_init(&a);
	for (int i = 0; i <= FILTER_TERMS_MAX; i++)
		buf_addf(&b, "%smetrics.a > %d", i > 0 ? " AND " : "", i);
	assert_int_equal(filter_parse(buf_str(&b), &a, &terms, &e), RC_INVALID);
	assert_non_null(strstr(e.msg, "more than 50 comparisons"));
	buf_deinit(&b);
	arena_deinit(&a);
}

static void orders_are_read(void **state)
{
	static const struct { const char *text, *entity, *key; bool descending; enum rc rc; } rows[] = {
		{ "metrics.rmse DESC", "metrics", "rmse", true, RC_OK },
		{ "metrics.`a b` asc", "metrics", "a b", false, RC_OK },
		{ "start_time", "", "start_time", false, RC_OK },
		{ "attribute.start_time desc", "attribute", "start_time", true, RC_OK },
		{ "params.\"x.y\"", "params", "x.y", false, RC_OK },
		{ "", "", "", false, RC_INVALID },
		{ "metrics.a UP", "", "", false, RC_INVALID },
		{ "metrics.a ASC DESC", "", "", false, RC_INVALID },
		{ "metrics.a, metrics.b", "", "", false, RC_INVALID },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct filter_order o = { 0 };
		struct err e = ERR_INIT;
		assert_int_equal(filter_order_parse(str_of(rows[i].text), &o, &e), rows[i].rc);
		if (rows[i].rc != RC_OK)
			continue;
		assert_true(str_eq(o.entity, str_of(rows[i].entity)) && str_eq(o.key, str_of(rows[i].key)));
		assert_int_equal(o.descending, rows[i].descending);
	}
}

static void patterns_have_no_escape(void **state)
{
	struct arena a;
	(void)state;

	arena_init(&a);
	assert_true(str_eq(filter_like(&a, STR("a%b\\_")), STR("a%b\\\\_")));
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_are_read),   cmocka_unit_test(nonsense_is_refused),     cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(orders_are_read),    cmocka_unit_test(patterns_have_no_escape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
