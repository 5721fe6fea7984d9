/* typing.h -- which type the texts of a column have, and their values.
 *
 * Five types: BOOLEAN (true, false), BIGINT, DOUBLE, TIMESTAMP (ISO 8601, UTC where no offset is given), VARCHAR. A number
 * with leading zeros is text, because as a number it would lose them; a whole number beyond 64 bits is text, because as a
 * double it would lose digits. White space around a value is no part of it, except in text. Pure; any thread.
 */
#ifndef CAIRN_LAKE_TYPING_H
#define CAIRN_LAKE_TYPING_H

#include "io/query.h"

enum value_type { TYPE_BOOLEAN, TYPE_BIGINT, TYPE_DOUBLE, TYPE_TIMESTAMP, TYPE_VARCHAR, VALUE_TYPES };
extern const char *const value_type_names[];            /* NULL-terminated: also the names in requests */
enum col_type value_col_type(enum value_type t);
enum value_type value_type_of(str name);                /* VALUE_TYPES when it is none; any case */

struct value { int64_t i; double f; };                  /* i: BOOLEAN, BIGINT, TIMESTAMP (microseconds since 1970) */
/* Whether the text is a value of the type. VARCHAR always is. */
bool value_read(enum value_type t, str text, struct value *out) MUST_USE;
/* Nothing there: absent, or only white space where the type is not text. */
bool value_is_null(enum value_type t, str text);

/* What the values of one column seen so far could be. */
struct guess {
	int64_t n, fits[VALUE_TYPES];
	int64_t n_inexact;      /* whole numbers that a double does not hold */
	int64_t n_words;        /* nan and inf: numbers only among numbers */
	bool text_only;         /* never a number or boolean: they came quoted as strings (JSON) */
};
void guess_add(struct guess *g, str text);
/* The narrowest type that at most `tolerance` of the values do not fit; VARCHAR when there are none. */
enum value_type guess_type(const struct guess *g, double tolerance);

#endif
