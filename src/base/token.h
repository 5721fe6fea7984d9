/* token.h -- the stream of tokens that every structured input becomes.
 *
 * JSON (base/json.h), YAML (io/yaml.h) and query strings produce the same tokens, so that one decoder
 * (base/record.h) reads them all and every error can name line and column. A source is pulled; it
 * allocates unescaped strings in the arena it was given, everything else points into the input.
 */
#ifndef CAIRN_BASE_TOKEN_H
#define CAIRN_BASE_TOKEN_H

#include "base/arena.h"
#include "base/err.h"

enum token_kind {
	TOK_NULL,
	TOK_BOOL,
	TOK_NUMBER,     /* text is the number as written */
	TOK_STRING,     /* text is unescaped UTF-8 */
	TOK_PLAIN,      /* an untyped scalar (YAML plain, query string): the reader's field decides */
	TOK_OBJECT,     /* begin; followed by TOK_KEY value … TOK_END */
	TOK_ARRAY,      /* begin; followed by values … TOK_END */
	TOK_KEY,
	TOK_END,
	TOK_EOF,
};

struct token {
	enum token_kind kind;
	bool flag;              /* TOK_BOOL */
	str text;               /* TOK_KEY, TOK_STRING, TOK_NUMBER, TOK_PLAIN */
	const char *from;       /* JSON only: first byte of the token in the input, else NULL */
	uint32_t line, column;  /* from 1; 0 when the source has none */
};

/* A source of tokens. The concrete source embeds this first. */
struct token_source {
	enum rc (*next)(struct token_source *s, struct token *out, struct err *e);
	/* Fills line and column of a token of this source, where it knows them; may be NULL. */
	void (*where)(struct token_source *s, struct token *t);
	struct arena *arena;
	const char *name;       /* "request body", "pipeline.yaml": named in errors */
};

static inline enum rc token_next(struct token_source *s, struct token *out, struct err *e)
{
	return s->next(s, out, e);
}
/* Skips the rest of the value that began with `first`. */
enum rc token_skip(struct token_source *s, const struct token *first, struct err *e) MUST_USE;

#endif
