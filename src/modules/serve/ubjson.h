/* ubjson.h -- Universal Binary JSON (draft 12), which XGBoost writes by default, as tokens.
 *
 * Read like JSON: depth and sizes bounded, one value and nothing behind it. Numbers are given as text, valid until the next
 * token. Pure over its input; one thread at a time. */
#ifndef CAIRN_SERVE_UBJSON_H
#define CAIRN_SERVE_UBJSON_H

#include "base/num.h"
#include "base/token.h"

#define UBJSON_DEPTH_MAX 64

struct ubjson_level {
	bool is_object, counted, want_value;
	char type;              /* of every value, or 0: each has its own */
	uint64_t left;          /* when counted */
};
struct ubjson_source {
	struct token_source super;
	const char *begin, *at, *end;
	struct ubjson_level level[UBJSON_DEPTH_MAX];
	size_t depth;
	bool started;
	char number[NUM_TEXT_MAX];
};
void ubjson_source_init(struct ubjson_source *s, str data, struct arena *a, const char *name);

#endif
