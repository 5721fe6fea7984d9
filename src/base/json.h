/* json.h -- JSON in and out (RFC 8259), without a tree.
 *
 * Reading is by pulled tokens, strict: UTF-8 checked, no duplicates decided here, depth and size
 * bounded, one value and nothing behind it. NaN, Infinity and -Infinity are read as numbers because
 * Python clients write them. Writing goes through typed calls into a buf; commas and escapes are the
 * writer's business, so output is always well formed. Numbers are written shortest-exact; NaN and
 * infinities as "NaN", "Infinity", "-Infinity" strings (protobuf's JSON mapping, which MLflow uses).
 */
#ifndef CAIRN_BASE_JSON_H
#define CAIRN_BASE_JSON_H

#include "base/buf.h"
#include "base/token.h"

#define JSON_DEPTH_MAX 64

struct json_source {
	struct token_source super;
	const char *at, *end, *begin;
	uint8_t stack[JSON_DEPTH_MAX];  /* '{' or '[' */
	int depth;
	uint8_t expect;                 /* private: where in the grammar we are */
};

void json_source_init(struct json_source *s, str text, struct arena *a, const char *name);
/* After a TOK_OBJECT, TOK_ARRAY or scalar `first`: skips it and gives its exact source text. */
enum rc json_slice(struct json_source *s, const struct token *first, str *out, struct err *e) MUST_USE;

struct jw {
	struct buf *out;
	bool comma;             /* a value stands before the next one */
	bool after_key;
	int depth;
	int indent;             /* 0: compact; else spaces per level */
};

void jw_init(struct jw *w, struct buf *out);
void jw_init_pretty(struct jw *w, struct buf *out);
void jw_object(struct jw *w);                   /* { as a value or array element */
void jw_object_key(struct jw *w, str key);      /* "key": { */
void jw_array(struct jw *w);
void jw_array_key(struct jw *w, str key);
void jw_end_object(struct jw *w);
void jw_end_array(struct jw *w);
void jw_key(struct jw *w, str key);             /* followed by exactly one value call */
void jw_str(struct jw *w, str v);
void jw_i64(struct jw *w, int64_t v);
void jw_u64(struct jw *w, uint64_t v);
void jw_f64(struct jw *w, double v);
void jw_f32(struct jw *w, float v);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, str json);            /* text that is JSON already, by our own hand */
/* key and value in one call */
void jw_str_key(struct jw *w, const char *key, str v);
void jw_i64_key(struct jw *w, const char *key, int64_t v);
void jw_f64_key(struct jw *w, const char *key, double v);
void jw_bool_key(struct jw *w, const char *key, bool v);

#endif
