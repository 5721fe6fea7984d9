/* fuzz_yaml.c -- any bytes as a YAML document decoded by a record: it ends, with a value or with an error that has a place;
 * what was decoded encodes to JSON that decodes to the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"
#include "io/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct step { str name, sql; };
static const struct field step_fields[] = {
	FIELD(step, name, K_STR, F_REQUIRED, "Name", .format = "name"),
	FIELD(step, sql, K_STR, 0, "SQL", .max = 1000),
};
static const struct record step_record = RECORD(step, step_fields, "A step");

static const char *const mode_names[] = { "slow", "fast", NULL };
struct doc {
	str name, free;
	bool on;
	int32_t mode, small;
	int64_t at_ms, age_ms;
	double share;
	struct list steps, tags, pairs;
};
static const struct field doc_fields[] = {
	FIELD(doc, name, K_STR, F_REQUIRED, "Name"),           FIELD(doc, free, K_JSON, 0, "Free"),
	FIELD(doc, on, K_BOOL, 0, "On"),                       FIELD(doc, mode, K_ENUM, 0, "Mode", .names = mode_names),
	FIELD(doc, small, K_I32, 0, "Small", .min = 0, .max = 9), FIELD(doc, at_ms, K_TIME, 0, "At", .name = "at"),
	FIELD(doc, age_ms, K_MS, 0, "Age", .name = "age"),     FIELD(doc, share, K_F64, 0, "Share"),
	FIELD(doc, steps, K_RECORDS, F_SHORT, "Steps", .sub = &step_record), FIELD(doc, tags, K_STRS, 0, "Tags"),
	FIELD(doc, pairs, K_PAIRS, 0, "Pairs"),
};
static const struct record doc_record = RECORD(doc, doc_fields, "A document");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct doc d, again;
	struct arena a;

	arena_init(&a);
	if (record_from_yaml(&doc_record, str_n((const char *)data, size), "f.yaml", &a, 0, &d, &e) != RC_OK) {
		CHECK(e.rc == RC_INVALID);
		CHECK(str_is_utf8(str_of(e.msg)));
	} else {
		str json = record_to_json(&doc_record, &d, 0, &a);
		if (record_from_json(&doc_record, json, &a, 0, &again, &e) == RC_OK)
			CHECK(str_eq(json, record_to_json(&doc_record, &again, 0, &a)));
		else
			UNREACHABLE("our own JSON was refused");
	}
	arena_deinit(&a);
	return 0;
}
