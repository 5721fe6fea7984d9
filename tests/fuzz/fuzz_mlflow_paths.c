/* fuzz_mlflow_paths.c -- any bytes as an artifact path, a model's source or reference, and a page token: what is accepted is safe. */
#include <stddef.h>
#include <stdint.h>

#include "modules/registry/registry_int.h"

static void check_path(str path)
{
	str rest = path, part;

	CHECK(path.len > 0 && path.at[0] != '/' && str_is_utf8(path));
	while (str_cut(&rest, '/', &part)) {
		CHECK(part.len > 0);
		CHECK(!str_eq(part, STR("..")) && !str_eq(part, STR(".")));
	}
	CHECK(str_find_char(path, '#') < 0 && str_find_char(path, '\0') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_n((const char *)data, size), path, again;
	struct reference ref;
	struct arena a;
	struct err e = ERR_INIT;
	int64_t offset;

	arena_init(&a);
	if (mlflow_artifact_path(&a, text, &path, &e) == RC_OK) {
		check_path(path);
		if (mlflow_artifact_path(&a, path, &again, &e) == RC_OK)
			check_path(again);
	}
	if (rule_reference(text, &ref, &e) == RC_OK) {
		CHECK(ref.name.len > 0);
		CHECK(str_find_char(ref.name, '/') < 0 && str_find_char(ref.name, ':') < 0);
	}
	if (rule_source(&a, text, false, &e) == RC_OK)
		CHECK(str_find(text, STR("/../")) < 0);
	if (mlflow_page_offset(&a, text, &offset, &e) == RC_OK)
		CHECK(offset >= 0);
	arena_deinit(&a);
	return 0;
}
