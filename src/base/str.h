/* str.h -- borrowed strings.
 *
 * A `str` is a pointer and a length; it owns nothing, need not end in NUL, and lives as long as what
 * it points into. Storing one means copying it (arena_dup, strdup_of). The empty string is {"",0} or
 * {NULL,0}; both compare equal. Any thread.
 */
#ifndef CAIRN_BASE_STR_H
#define CAIRN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

typedef struct str {
	const char *at;
	size_t len;
} str;

#define STR(lit) ((str){ "" lit, sizeof(lit) - 1 })
#define STR_NONE ((str){ NULL, 0 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, ((s).at != NULL ? (s).at : "")

str str_of(const char *c);                 /* NULL gives STR_NONE */
static inline str str_n(const char *at, size_t len) { return (str){ at, len }; }

bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b);          /* ASCII */
int str_cmp(str a, str b);                 /* memcmp order, shorter first */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
str str_trim(str s);                       /* ASCII white space at both ends */
str str_skip(str s, size_t n);             /* drops the first n bytes, at most all */
str str_head(str s, size_t n);             /* keeps the first n bytes, at most all */
ptrdiff_t str_find(str s, str what);       /* byte offset or -1 */
ptrdiff_t str_find_char(str s, char c);

/* Cuts `*rest` at the first `sep`: returns what stands before it and moves *rest behind it.
 * Without a separator returns all and sets *rest to STR_NONE. Returns false when *rest is STR_NONE
 * (at == NULL) on entry, so `while (str_cut(&rest, ',', &part))` visits every part. */
bool str_cut(str *rest, char sep, str *part_out);

/* Whole-string number parsing: no spaces, no trailing bytes, range checked. False leaves *out. */
bool str_to_i64(str s, int64_t *out) MUST_USE;
bool str_to_u64(str s, uint64_t *out) MUST_USE;
bool str_to_f64(str s, double *out) MUST_USE;   /* also inf, nan in any case, as in JSON of MLflow */
bool str_is_utf8(str s);

/* FNV-1a 64; stable across versions, for hash maps and sticky choices. */
uint64_t str_hash(str s);

/* Copies to a C string of at most cap-1 bytes. False when it did not fit or holds a NUL. */
bool str_to_c(str s, char *out, size_t cap) MUST_USE;

#endif
