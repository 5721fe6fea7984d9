/* row.c -- the bytes of online rows and their keys. */
#include "modules/features/row.h"

#include <math.h>
#include <string.h>

#include "io/crypto.h"

#define ROW_VERSION 1
#define HEAD 16

const char *const value_kind_names[] = { "float", "int", "bool", "time", "string", NULL };

static void put_le(char *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (char)(unsigned char)(v >> (8 * i));
}

static uint64_t get_le(const char *at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)at[i] << (8 * i);
	return v;
}

/* Where the values begin. */
static size_t slots_at(size_t n)
{
	return (HEAD + (n + 7) / 8 + 7) / 8 * 8;
}

void row_put(struct buf *b, int64_t event_us, const enum value_kind *kind, const struct row_value *v, size_t n)
{
	size_t begin = b->len, slots = slots_at(n), text = slots + 8 * n;

	CHECK(n <= ROW_VALUES_MAX);
	char *at = buf_reserve(b, text);
	if (at == NULL)
		return;         /* the limit is passed, which b remembers */
	memset(at, 0, text);
	at[0] = ROW_VERSION;
	put_le(at + 2, n, 2);
	put_le(at + 8, (uint64_t)event_us, 8);
	for (size_t i = 0; i < n; i++) {
		uint64_t bits = (uint64_t)v[i].i;
		bool null = v[i].null || (kind[i] == VALUE_FLOAT && isnan(v[i].f));
		if (null)
			at[HEAD + i / 8] = (char)(at[HEAD + i / 8] | 1 << (i % 8));
		if (kind[i] == VALUE_FLOAT)
			memcpy(&bits, &v[i].f, sizeof(bits));
		if (kind[i] == VALUE_STRING) {
			bits = (uint64_t)text | (uint64_t)v[i].s.len << 32;
			text += null ? 0 : v[i].s.len;
		}
		put_le(at + slots + 8 * i, null ? 0 : bits, 8);
	}
	buf_commit(b, slots + 8 * n);
	for (size_t i = 0; i < n; i++) {
		if (kind[i] == VALUE_STRING && !v[i].null)
			buf_add(b, v[i].s);
	}
	CHECK(b->overflowed || b->len - begin == text);
}

enum rc row_open(str bytes, struct row *out, struct err *e)
{
	if (bytes.len < HEAD || bytes.at[0] != ROW_VERSION)
		return FAIL(e, RC_IO, "an online row is damaged: %zu bytes without its head", bytes.len);
	size_t n = (size_t)get_le(bytes.at + 2, 2);
	if (n > ROW_VALUES_MAX || bytes.len < slots_at(n) + 8 * n)
		return FAIL(e, RC_IO, "an online row is damaged: %zu bytes for %zu values", bytes.len, n);
	*out = (struct row){ .bytes = bytes, .n = n, .event_us = (int64_t)get_le(bytes.at + 8, 8) };
	return RC_OK;
}

enum rc row_get(const struct row *r, size_t i, enum value_kind kind, struct row_value *out, struct err *e)
{
	CHECK(i < r->n);
	uint64_t bits = get_le(r->bytes.at + slots_at(r->n) + 8 * i, 8);
	*out = (struct row_value){ .null = (r->bytes.at[HEAD + i / 8] >> (i % 8) & 1) != 0 };
	if (out->null) {
		out->f = NAN;
		return RC_OK;
	}
	if (kind == VALUE_STRING) {
		size_t at = (size_t)(bits & UINT32_MAX), len = (size_t)(bits >> 32);
		if (at > r->bytes.len || len > r->bytes.len - at)
			return FAIL(e, RC_IO, "an online row is damaged: value %zu lies outside of it", i);
		out->s = str_n(r->bytes.at + at, len);
		return RC_OK;
	}
	if (kind == VALUE_FLOAT) {
		memcpy(&out->f, &bits, sizeof(bits));
		return RC_OK;
	}
	out->i = (int64_t)bits;
	out->f = (double)out->i;
	return RC_OK;
}

/* --- keys -------------------------------------------------------------------------------------------- */

size_t row_key(char out[ROW_KEY_MAX], str prefix, const str *key, size_t n_key)
{
	size_t need = prefix.len, at = prefix.len;
	struct sha256 s;

	CHECK(prefix.len <= ROW_PREFIX_MAX);
	for (size_t i = 0; i < n_key; i++)
		need += 2 + key[i].len;
	memcpy(out, prefix.at, prefix.len);
	if (need <= ROW_KEY_MAX) {
		for (size_t i = 0; i < n_key; i++) {
			put_le(out + at, key[i].len, 2);
			if (key[i].len > 0)
				memcpy(out + at + 2, key[i].at, key[i].len);
			at += 2 + key[i].len;
		}
		return at;
	}
	/* A length of 0xffff cannot begin a short key, so the two never meet. */
	sha256_init(&s);
	for (size_t i = 0; i < n_key; i++) {
		char len[8];
		put_le(len, key[i].len, 8);
		sha256_add(&s, len, sizeof(len));
		sha256_add(&s, key[i].at, key[i].len);
	}
	char hex[SHA256_HEX + 1];
	sha256_end_hex(&s, hex);
	put_le(out + at, 0xffff, 2);
	memcpy(out + at + 2, hex, SHA256_HEX);
	return at + 2 + SHA256_HEX;
}
