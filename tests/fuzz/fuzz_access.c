/* fuzz_access.c -- the headers that say who asks, and the scopes of keys. */
#include "modules/access/access_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_n((const char *)data, size), token, scope, again, cookie;
	struct err e = ERR_INIT;
	struct arena a;

	crypto_init();
	arena_init(&a);
	if (access__token_of(text, &a, &token))
		CHECK(token.len > 0);
	cookie = access__cookie_of(text);
	CHECK(cookie.len <= size);
	(void)access__origin_is_host(text, cookie);
	/* What is a scope stays one, word for word. */
	if (access__scope_read(text, &a, &scope, &e) == RC_OK) {
		CHECK(access__scope_read(scope, &a, &again, &e) == RC_OK);
		CHECK(str_eq(scope, again));
	} else {
		CHECK(e.rc == RC_INVALID && e.msg[0] != '\0');
	}
	arena_deinit(&a);
	return 0;
}
