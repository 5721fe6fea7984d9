/* fuzz_pipeline.c -- any bytes as a pipeline's YAML: refused with a message, or taken, and then what is stored of it is read
 * back as the same definition. */
#include <stddef.h>
#include <stdint.h>

#include "io/yaml.h"
#include "modules/lake/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct pipeline p, again;
	struct arena a;

	arena_init(&a);
	if (record_from_yaml(&pipeline_record, str_n((const char *)data, size), "p.yaml", &a, 0, &p, &e) == RC_OK) {
		str stored = record_to_json(&pipeline_record, &p, 0, &a);
		CHECK(record_from_json(&pipeline_record, stored, &a, DEC_TRUSTED, &again, &e) == RC_OK);
		CHECK(str_eq(stored, record_to_json(&pipeline_record, &again, 0, &a)));
		/* What each step reads is not known here: nothing, and everything, which is a cycle. */
		size_t *order = ARENA_ARRAY(&a, size_t, p.steps.n);
		struct list *tables = ARENA_ARRAY(&a, struct list, p.steps.n);
		CHECK(lake__order(&p, tables, order, &e) == RC_OK);
		str *names = ARENA_ARRAY(&a, str, p.steps.n);
		for (size_t i = 0; i < p.steps.n; i++)
			names[i] = LIST_AT(p.steps, const struct pipeline_step, i)->name;
		for (size_t i = 0; i < p.steps.n; i++)
			tables[i] = (struct list){ names, p.steps.n };
		CHECK(lake__order(&p, tables, order, &e) == RC_INVALID);
	} else {
		CHECK(e.msg[0] != '\0');
	}
	arena_deinit(&a);
	return 0;
}
