#include "base/token.h"

enum rc token_skip(struct token_source *s, const struct token *first, struct err *e)
{
	int depth = first->kind == TOK_OBJECT || first->kind == TOK_ARRAY ? 1 : 0;
	struct token t;

	while (depth > 0) {
		TRY(token_next(s, &t, e));
		CHECK(t.kind != TOK_EOF);
		depth += (t.kind == TOK_OBJECT || t.kind == TOK_ARRAY) - (t.kind == TOK_END);
	}
	return RC_OK;
}
