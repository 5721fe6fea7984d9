/* fuzz_json.c -- any bytes as JSON: the pull reader ends, and what it took can be written and read again. */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes what it reads, token by token. The input is known to be well formed. */
static void copy(struct json_source *s, struct jw *w)
{
	struct err e = ERR_INIT;
	uint8_t open[JSON_DEPTH_MAX];
	int depth = 0;
	struct token t;
	double number;

	for (;;) {
		CHECK(token_next(&s->super, &t, &e) == RC_OK);
		switch (t.kind) {
		case TOK_NULL: jw_null(w); break;
		case TOK_BOOL: jw_bool(w, t.flag); break;
		case TOK_NUMBER: jw_f64(w, str_to_f64(t.text, &number) ? number : 0); break;
		case TOK_STRING: CHECK(str_is_utf8(t.text)); jw_str(w, t.text); break;
		case TOK_KEY: CHECK(str_is_utf8(t.text)); jw_key(w, t.text); break;
		case TOK_OBJECT: jw_object(w); open[depth++] = '{'; break;
		case TOK_ARRAY: jw_array(w); open[depth++] = '['; break;
		case TOK_END: open[--depth] == '{' ? jw_end_object(w) : jw_end_array(w); break;
		case TOK_EOF: CHECK(depth == 0); return;
		case TOK_PLAIN: UNREACHABLE("JSON has no plain scalars");
		}
	}
}

/* Reads all tokens; only well-formedness matters. */
static bool reads(str text, struct arena *a)
{
	struct json_source s;
	struct err e = ERR_INIT;
	struct token t;

	json_source_init(&s, text, a, "fuzz");
	do {
		if (token_next(&s.super, &t, &e) != RC_OK)
			return false;
	} while (t.kind != TOK_EOF);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_n((const char *)data, size);
	struct arena a;

	arena_init(&a);
	if (reads(text, &a)) {
		struct buf b = BUF_INIT(1u << 24);
		struct json_source s;
		struct err e = ERR_INIT;
		struct token first;
		str slice;
		struct jw w;

		/* The slice of the one value is JSON itself. */
		json_source_init(&s, text, &a, "fuzz");
		CHECK(token_next(&s.super, &first, &e) == RC_OK);
		CHECK(json_slice(&s, &first, &slice, &e) == RC_OK);
		CHECK(reads(slice, &a));
		/* What our writer makes of it reads back. */
		json_source_init(&s, text, &a, "fuzz");
		jw_init(&w, &b);
		copy(&s, &w);
		CHECK(b.overflowed || reads(buf_str(&b), &a));
		buf_deinit(&b);
	}
	arena_deinit(&a);
	return 0;
}
