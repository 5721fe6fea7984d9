/* fuzz_json_rows.c -- any bytes as JSON rows: both passes agree on columns and rows, and all values are text. */
#include <stddef.h>
#include <stdint.h>

#include "modules/lake/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct source s;
	struct source_row r;
	struct arena a;
	int64_t n = 0, again = 0;
	bool end = false;

	arena_init(&a);
	if (source_open(&s, str_n((const char *)data, size), FORMAT_JSON, '\0', &a, &e) == RC_OK) {
		for (;;) {
			CHECK(source_next(&s, &r, &end, &e) == RC_OK);
			if (end)
				break;
			n++;
			CHECK(r.problem.len > 0 || r.n == s.n_col);
			for (size_t i = 0; r.problem.len == 0 && i < r.n; i++)
				CHECK(str_is_utf8(r.value[i]));
			double done = source_fraction(&s);
			CHECK(done >= 0 && done <= 1);
		}
		CHECK(source_count(&s, &again, &e) == RC_OK);
		CHECK(n == again);
		source_close(&s);
	} else {
		CHECK(e.msg[0] != '\0');
	}
	arena_deinit(&a);
	return 0;
}
