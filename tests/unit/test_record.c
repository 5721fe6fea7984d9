/* test_record.c -- one table, every use: JSON and YAML in, errors that name the place, JSON and schema out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/record.h"
#include "io/yaml.h"

struct gate { str kind; double min; struct list columns; };
static const struct field gate_fields[] = {
	FIELD(gate, kind, K_STR, F_REQUIRED, "Kind"),
	FIELD(gate, min, K_F64, 0, "Least", .def = "1.5"),
	FIELD(gate, columns, K_STRS, 0, "Columns"),
};
static const struct record gate_record = RECORD(gate, gate_fields, "A gate");

static const char *const mode_names[] = { "slow", "fast", NULL };
struct plan {
	str name, secret, note;
	bool on;
	int32_t small, mode;
	int64_t big, at_ms, age_ms;
	double share;
	struct gate first;
	struct list gates, tags, numbers;
	str free;
	int64_t made_ms;
};
static enum rc plan_validate(const void *obj, struct err *e)
{
	const struct plan *p = obj;

	if (p->on && p->share <= 0) {
		(void)FAIL(e, RC_INVALID, "share must be above 0 when on");
		return err_field(e, "share");
	}
	return RC_OK;
}
static const struct field plan_fields[] = {
	FIELD(plan, name, K_STR, F_REQUIRED | F_KEY, "Name", .max = 8, .format = "name"),
	FIELD(plan, secret, K_SECRET, 0, "Secret"),
	FIELD(plan, note, K_STR, F_SKIP_EMPTY, "Note"),
	FIELD(plan, on, K_BOOL, 0, "On"),
	FIELD(plan, small, K_I32, 0, "Small", .min = 1, .max = 9, .def = "3"),
	FIELD(plan, mode, K_ENUM, 0, "Mode", .names = mode_names, .def = "fast"),
	FIELD(plan, big, K_I64, 0, "Big"),
	FIELD(plan, at_ms, K_TIME, 0, "At", .name = "at"),
	FIELD(plan, age_ms, K_MS, 0, "Age", .name = "age"),
	FIELD(plan, share, K_F64, 0, "Share"),
	FIELD(plan, first, K_RECORD, F_SHORT, "First", .sub = &gate_record),
	FIELD(plan, gates, K_RECORDS, F_SHORT, "Gates", .sub = &gate_record),
	FIELD(plan, tags, K_PAIRS, 0, "Tags"),
	FIELD(plan, numbers, K_F64S, 0, "Numbers"),
	FIELD(plan, free, K_JSON, 0, "Free"),
	FIELD(plan, made_ms, K_TIME, F_OUTPUT, "Made", .name = "made_at"),
};
static const struct record plan_record = RECORD(plan, plan_fields, "A plan", .validate = plan_validate);

static const char whole[] = "name: p1\nsecret: hush\non: true\nshare: 0.25\nbig: 9007199254740993\nat: 2026-01-02T03:04:05Z\n"
			    "age: 1h30m\nfirst: rows\ngates:\n  - unique\n  - { kind: range, min: 2, columns: [a, b] }\n"
			    "tags: { team: core, n: 3 }\nnumbers: [1, 2.5]\nfree: { x: [1, two] }\n";

static void yaml_in_json_out_and_back(void **state)
{
	struct err e = ERR_INIT;
	struct arena a;
	struct plan p, q;

	(void)state;
	arena_init(&a);
	if (record_from_yaml(&plan_record, str_of(whole), "plan.yaml", &a, 0, &p, &e) != RC_OK)
		fail_msg("%s", e.msg);
	assert_true(p.on);
	assert_int_equal(p.small, 3);           /* default */
	assert_int_equal(p.mode, 1);
	assert_true(p.big == INT64_C(9007199254740993));
	assert_true(p.at_ms == INT64_C(1767323045000));
	assert_true(p.age_ms == INT64_C(5400000));
	assert_true(str_eq(p.first.kind, STR("rows")));
	assert_int_equal(p.gates.n, 2);
	assert_true(LIST_AT(p.gates, struct gate, 0)->min > 1.4);       /* a nested default, in the short form too */
	assert_int_equal(LIST_AT(p.gates, struct gate, 1)->columns.n, 2);
	assert_true(str_eq(p.free, STR("{\"x\":[1,\"two\"]}")));
	str json = record_to_json(&plan_record, &p, 0, &a);
	assert_true(str_find(json, STR("hush")) < 0);
	assert_true(str_find(json, STR("\"note\"")) < 0);
	assert_true(str_find(json, STR("\"age\":\"1h30m\"")) >= 0);
	json = record_to_json(&plan_record, &p, ENC_SECRETS, &a);
	if (record_from_json(&plan_record, json, &a, DEC_TRUSTED, &q, &e) != RC_OK)
		fail_msg("%s in " STR_FMT, e.msg, STR_ARG(json));
	assert_true(str_eq(record_to_json(&plan_record, &q, ENC_SECRETS, &a), json));
	arena_deinit(&a);
}

static void errors_name_the_place(void **state)
{
	static const struct { const char *yaml, *field, *says; } rows[] = {
		{ "name: p\nshape: 1\n", "", "plan.yaml:2:1" },
		{ "name: p\nshape: 1\n", "", "did you mean 'share'" },
		{ "small: 3\n", "name", "name" },
		{ "name: p\nsmall: 10\n", "small", "9" },
		{ "name: p\nsmall: x\n", "small", "plan.yaml:2:" },
		{ "name: p\nmode: quick\n", "mode", "slow" },
		{ "name: much-too-long\n", "name", "8" },
		{ "name: 'a b'\n", "name", "name" },
		{ "name: p\nage: soon\n", "age", "plan.yaml:2:" },
		{ "name: p\ngates: [{ kind: a }, { knd: b }]\n", "gates[1]", "did you mean 'kind'" },
		{ "name: p\ngates: [{ min: 1 }]\n", "gates[0]", "'kind' is required" },
		{ "name: p\nmade_at: 2026-01-01\n", "made_at", "set by cairn" },
		{ "name: p\nname: q\n", "name", "twice" },
		{ "name: p\non: true\n", "share", "above 0" },
		{ "- 1\n", "", "object" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		struct plan p;
		assert_int_equal(record_from_yaml(&plan_record, str_of(rows[i].yaml), "plan.yaml", &a, 0, &p, &e), RC_INVALID);
		if (strcmp(e.field, rows[i].field) != 0 || strstr(e.msg, rows[i].says) == NULL)
			fail_msg("%s: field '%s', message '%s'", rows[i].yaml, e.field, e.msg);
	}
	arena_deinit(&a);
}

static void updates_leave_the_rest(void **state)
{
	struct err e = ERR_INIT;
	struct arena a;
	struct plan p = { .small = 7, .share = 1 };

	(void)state;
	arena_init(&a);
	assert_int_equal(record_from_json(&plan_record, STR("{\"on\":true}"), &a, DEC_PARTIAL, &p, &e), RC_OK);
	assert_true(p.on);
	assert_int_equal(p.small, 7);
	arena_deinit(&a);
}

static void parts_add_up(void **state)
{
	struct err e = ERR_INIT;
	struct arena a;
	struct plan p = { 0 };
	struct json_source s;
	uint64_t given = 0;

	(void)state;
	arena_init(&a);
	json_source_init(&s, STR("{\"share\":2}"), &a, "body");
	assert_int_equal(record_decode_keys(&plan_record, &s.super, 0, &given, &p, &e), RC_OK);
	assert_int_equal(record_finish(&plan_record, given, &a, 0, &p, &e), RC_INVALID);    /* the name comes from elsewhere */
	assert_string_equal(e.field, "name");
	assert_int_equal(field_from_text(&plan_fields[0], STR("p"), &a, &p, &e), RC_OK);
	assert_int_equal(record_finish(&plan_record, given | 1, &a, 0, &p, &e), RC_OK);
	assert_int_equal(p.small, 3);
	arena_deinit(&a);
}

static void schema_tells_all(void **state)
{
	struct buf b = BUF_INIT(100000);
	struct jw w;

	(void)state;
	jw_init(&w, &b);
	record_schema(&plan_record, &w);
	str s = buf_str(&b);
	assert_true(str_find(s, STR("\"required\":[\"name\"]")) >= 0);
	assert_true(str_find(s, STR("\"enum\":[\"slow\",\"fast\"]")) >= 0);
	assert_true(str_find(s, STR("\"maximum\":9")) >= 0);
	assert_true(str_find(s, STR("\"readOnly\":true")) >= 0);
	buf_deinit(&b);
}

static void yaml_that_hides_meaning_is_refused(void **state)
{
	static const char *const rows[] = { "a: &x 1\nb: *x\n", "a: !!int 3\n", "<<: {a: 1}\n", "a: 1\n---\nb: 2\n", "a: [1\n", "\ta: 1\n" };
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		struct plan p;
		assert_int_equal(record_from_yaml(&plan_record, str_of(rows[i]), "x.yaml", &a, 0, &p, &e), RC_INVALID);
		assert_non_null(strstr(e.msg, "x.yaml:"));
	}
	arena_deinit(&a);
}

/* --- a foreign protocol's words ------------------------------------------------------------------- */

static const char *const colour_names[] = { "NONE", "RED", "BLUE", NULL };
struct foreign { int32_t colour; double x; str name; };
static void foreign_words(const struct field *f, const struct token *t, struct err *e)
{
	if (t == NULL)
		(void)FAIL(e, RC_INVALID, "Missing %s", f->name);
	else
		(void)FAIL(e, RC_INVALID, "Bad " STR_FMT " for %s", STR_ARG(t->text), f->name);
}
static const struct field foreign_fields[] = {
	FIELD(foreign, colour, K_ENUM, F_NUMBERED, "Colour", .names = colour_names),
	FIELD(foreign, x, K_F64, 0, "X"),
	FIELD(foreign, name, K_STR, F_REQUIRED, "Name"),
};
static const struct record foreign_record = RECORD(foreign, foreign_fields, "Foreign", .open = true, .reword = foreign_words);

static void foreign_protocols_keep_their_words(void **state)
{
	static const struct { const char *json, *error; int colour; } rows[] = {
		{ "{\"name\":\"a\",\"colour\":\"BLUE\"}", NULL, 2 },
		{ "{\"name\":\"a\",\"colour\":1,\"other\":[1]}", NULL, 1 },
		{ "{\"name\":\"a\",\"colour\":7}", "Bad 7 for colour", 0 },
		{ "{\"name\":\"a\",\"x\":\"y\"}", "Bad y for x", 0 },
		{ "{}", "Missing name", 0 },
		{ "{\"name\":null}", "Missing name", 0 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct foreign f;
		struct arena a;
		struct err e = ERR_INIT;
		arena_init(&a);
		enum rc rc = record_from_json(&foreign_record, str_of(rows[i].json), &a, 0, &f, &e);
		assert_int_equal(rc == RC_OK, rows[i].error == NULL);
		if (rows[i].error != NULL)
			assert_non_null(strstr(e.msg, rows[i].error));
		else
			assert_int_equal(f.colour, rows[i].colour);
		arena_deinit(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_in_json_out_and_back),
		cmocka_unit_test(errors_name_the_place),
		cmocka_unit_test(updates_leave_the_rest),
		cmocka_unit_test(parts_add_up),
		cmocka_unit_test(foreign_protocols_keep_their_words),
		cmocka_unit_test(schema_tells_all),
		cmocka_unit_test(yaml_that_hides_meaning_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
