#include "io/crypto.h"

#include <sodium.h>
#include <string.h>

#include "base/id.h"

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct sha256), "the opaque state must hold libsodium's");

void crypto_init(void)
{
	CHECK(sodium_init() >= 0);
}

static crypto_hash_sha256_state *state(struct sha256 *s)
{
	void *p = s->opaque;

	return p;
}

void sha256_init(struct sha256 *s)
{
	crypto_hash_sha256_init(state(s));
}

void sha256_add(struct sha256 *s, const void *data, size_t n)
{
	crypto_hash_sha256_update(state(s), data, n);
}

void sha256_end_hex(struct sha256 *s, char out[SHA256_HEX + 1])
{
	unsigned char raw[SHA256_LEN];

	crypto_hash_sha256_final(state(s), raw);
	sodium_bin2hex(out, SHA256_HEX + 1, raw, sizeof(raw));
}

void sha256_hex(str data, char out[SHA256_HEX + 1])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, data.at != NULL ? data.at : "", data.len);
	sha256_end_hex(&s, out);
}

bool crypto_equal(str a, str b)
{
	return a.len == b.len && sodium_memcmp(a.at, b.at, a.len) == 0;
}

str crypto_token(struct arena *a, const char *prefix)
{
	unsigned char raw[32];
	char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];

	rng_fill(raw, sizeof(raw));
	sodium_bin2base64(text, sizeof(text), raw, sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return arena_printf(a, "%s%s", prefix, text);
}

str crypto_base64(struct arena *a, str raw)
{
	size_t cap = sodium_base64_ENCODED_LEN(raw.len, sodium_base64_VARIANT_ORIGINAL);
	char *out = arena_alloc_raw(a, cap);

	sodium_bin2base64(out, cap, (const unsigned char *)raw.at, raw.len, sodium_base64_VARIANT_ORIGINAL);
	return str_of(out);
}

bool crypto_base64_decode(str text, struct arena *a, str *out)
{
	unsigned char *raw = arena_alloc_raw(a, text.len + 1);
	size_t n;

	if (sodium_base642bin(raw, text.len, text.at, text.len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 &&
	    sodium_base642bin(raw, text.len, text.at, text.len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
		return false;
	*out = str_n((const char *)raw, n);
	return true;
}
