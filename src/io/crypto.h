/* crypto.h -- digests, constant-time comparison and password hashes (libsodium). Any thread. */
#ifndef CAIRN_IO_CRYPTO_H
#define CAIRN_IO_CRYPTO_H

#include "base/arena.h"
#include "base/err.h"

#define SHA256_LEN 32
#define SHA256_HEX 64
struct sha256 { _Alignas(16) unsigned char opaque[112]; };
void crypto_init(void);      /* once, by main and by tests */
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
void sha256_end_hex(struct sha256 *s, char out[SHA256_HEX + 1]);
void sha256_hex(str data, char out[SHA256_HEX + 1]);
bool crypto_equal(str a, str b);                 /* time depends on the lengths only */
str crypto_token(struct arena *a, const char *prefix);   /* "cairn_…": 256 random bits, base64url */
str crypto_base64(struct arena *a, str raw);      /* with padding */
bool crypto_base64_decode(str text, struct arena *a, str *out) MUST_USE;   /* false: malformed */

#endif
