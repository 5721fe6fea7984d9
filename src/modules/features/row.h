/* row.h -- a row of online features as bytes: what a materialisation writes and a read takes apart.
 *
 *	u8 version (1), u8 zero, u16 n values, u32 zero, i64 event time in microseconds,
 *	ceil(n / 8) bytes with a bit for each value that is NULL, zeros up to a multiple of 8,
 *	8 bytes a value: a double, an i64, or u32 offset and u32 length of a text, counted from the row's begin,
 *	texts.
 *
 * All little-endian. A value is found by its index alone, so a read touches only what it was asked for. The bytes come
 * from a store on disk: row_open believes nothing. Pure; any thread.
 */
#ifndef CAIRN_FEATURES_ROW_H
#define CAIRN_FEATURES_ROW_H

#include "base/buf.h"
#include "base/err.h"

#define ROW_VALUES_MAX 2000

enum value_kind { VALUE_FLOAT, VALUE_INT, VALUE_BOOL, VALUE_TIME /* microseconds */, VALUE_STRING };
extern const char *const value_kind_names[];    /* "float", "int", "bool", "time", "string", NULL */

struct row_value {
	bool null;
	double f;
	int64_t i;      /* bool and time too */
	str s;
};

/* Appends the row to b. NaN is written as NULL. Texts together stay below 4 GiB, which b's limit sees to. */
void row_put(struct buf *b, int64_t event_us, const enum value_kind *kind, const struct row_value *v, size_t n);

struct row { str bytes; size_t n; int64_t event_us; };
enum rc row_open(str bytes, struct row *out, struct err *e) MUST_USE;
/* i < r->n. A text that lies outside the row is RC_IO. */
enum rc row_get(const struct row *r, size_t i, enum value_kind kind, struct row_value *out, struct err *e) MUST_USE;

/* The key of a row: prefix, then each join key with its length; long keys by their digest, so that they fit the store.
 * out has ROW_KEY_MAX bytes; returns how many it took. */
#define ROW_KEY_MAX 500
#define ROW_PREFIX_MAX 256
size_t row_key(char out[ROW_KEY_MAX], str prefix, const str *key, size_t n_key);

#endif
