/* typing.c -- see typing.h. */
#include "modules/lake/typing.h"

#include "base/clock.h"

#define EXACT_MAX (INT64_C(1) << 53)    /* whole numbers up to here are doubles exactly */
#define US_SECOND INT64_C(1000000)

const char *const value_type_names[] = { "BOOLEAN", "BIGINT", "DOUBLE", "TIMESTAMP", "VARCHAR", NULL };

enum col_type value_col_type(enum value_type t)
{
	static const enum col_type of[] = { [TYPE_BOOLEAN] = COL_BOOL, [TYPE_BIGINT] = COL_I64, [TYPE_DOUBLE] = COL_F64,
					    [TYPE_TIMESTAMP] = COL_TIME, [TYPE_VARCHAR] = COL_TEXT };

	CHECK(t < VALUE_TYPES);
	return of[t];
}

enum value_type value_type_of(str name)
{
	for (int t = 0; t < VALUE_TYPES; t++) {
		if (str_eq_nocase(name, str_of(value_type_names[t])))
			return (enum value_type)t;
	}
	return VALUE_TYPES;
}

/* --- one value ------------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "007" and "-00.5" are names of something, not numbers. */
static bool leading_zero(str s)
{
	size_t sign = s.len > 0 && (s.at[0] == '-' || s.at[0] == '+');

	return s.len > sign + 1 && s.at[sign] == '0' && is_digit(s.at[sign + 1]);
}

static str without_plus(str s)
{
	return s.len > 1 && s.at[0] == '+' && is_digit(s.at[1]) ? str_skip(s, 1) : s;
}

static bool whole_form(str s)
{
	size_t i = s.len > 0 && (s.at[0] == '-' || s.at[0] == '+');

	if (i == s.len)
		return false;
	while (i < s.len && is_digit(s.at[i]))
		i++;
	return i == s.len;
}

static bool read_bigint(str s, struct value *out)
{
	return whole_form(s) && !leading_zero(s) && str_to_i64(without_plus(s), &out->i);
}

static bool number_word(str s)
{
	str t = s.len > 0 && (s.at[0] == '-' || s.at[0] == '+') ? str_skip(s, 1) : s;

	return str_eq_nocase(t, STR("nan")) || str_eq_nocase(t, STR("inf")) || str_eq_nocase(t, STR("infinity"));
}

/* ".5" and "-.5", as spreadsheets write them. */
static bool read_bare_fraction(str s, struct value *out)
{
	size_t sign = s.len > 0 && (s.at[0] == '-' || s.at[0] == '+');
	char text[48] = "0";

	if (s.len < sign + 2 || s.len > sizeof(text) - 2 || s.at[sign] != '.' || !is_digit(s.at[sign + 1]))
		return false;
	for (size_t i = sign; i < s.len; i++)
		text[1 + i - sign] = s.at[i];
	if (!str_to_f64(str_n(text, 1 + s.len - sign), &out->f))
		return false;
	out->f = s.at[0] == '-' ? -out->f : out->f;
	return true;
}

static bool read_double(str s, struct value *out)
{
	if (leading_zero(s))
		return false;
	if (whole_form(s)) {
		if (!read_bigint(s, out))
			return false;
		out->f = (double)out->i;
		return true;
	}
	return str_to_f64(without_plus(s), &out->f) || read_bare_fraction(s, out);
}

static bool read_boolean(str s, struct value *out)
{
	out->i = str_eq_nocase(s, STR("true"));
	return out->i == 1 || str_eq_nocase(s, STR("false"));
}

/* The time without its fraction goes to clock.h; the fraction is read to microseconds, what is finer must be zero. */
static bool read_timestamp(str s, struct value *out)
{
	int64_t ms, us = 0, scale = US_SECOND / 10;
	char plain[40];
	size_t n = 0, from, to;

	if (s.len < 10 || s.len > sizeof(plain) - 1 || s.at[4] != '-')
		return false;
	ptrdiff_t dot = str_find_char(s, '.');
	from = dot < 0 ? s.len : (size_t)dot;
	for (to = from + (dot >= 0); to < s.len && is_digit(s.at[to]); to++, scale /= 10) {
		if (scale == 0 && s.at[to] != '0')
			return false;
		us += scale * (s.at[to] - '0');
	}
	if (dot >= 0 && (to == from + 1 || to > from + 10))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (i < from || i >= to)
			plain[n++] = s.at[i];
	}
	if (!clock_get_rfc3339(str_n(plain, n), &ms))
		return false;
	out->i = ms * 1000 + us;
	return true;
}

bool value_read(enum value_type t, str text, struct value *out)
{
	switch (t) {
	case TYPE_BOOLEAN:
		return read_boolean(str_trim(text), out);
	case TYPE_BIGINT:
		return read_bigint(str_trim(text), out);
	case TYPE_DOUBLE:
		return read_double(str_trim(text), out);
	case TYPE_TIMESTAMP:
		return read_timestamp(str_trim(text), out);
	case TYPE_VARCHAR:
		return true;
	case VALUE_TYPES:
		break;
	}
	UNREACHABLE("a type of values");
}

bool value_is_null(enum value_type t, str text)
{
	return text.at == NULL || (t != TYPE_VARCHAR && str_trim(text).len == 0);
}

/* --- a column of them ------------------------------------------------------------------------------- */

void guess_add(struct guess *g, str text)
{
	struct value v;
	str s = str_trim(text);

	if (s.len == 0)
		return;
	g->n++;
	char c = s.at[0];
	if (is_digit(c) || c == '-' || c == '+' || c == '.') {
		if (!g->text_only && read_bigint(s, &v)) {
			g->fits[TYPE_BIGINT]++;
			g->fits[TYPE_DOUBLE]++;
			g->n_inexact += v.i > EXACT_MAX || v.i < -EXACT_MAX;
			return;
		}
		g->fits[TYPE_TIMESTAMP] += read_timestamp(s, &v);
	}
	if (!g->text_only && read_double(s, &v)) {
		g->fits[TYPE_DOUBLE]++;
		g->n_words += number_word(s);
	} else if (!g->text_only && read_boolean(s, &v)) {
		g->fits[TYPE_BOOLEAN]++;
	}
}

enum value_type guess_type(const struct guess *g, double tolerance)
{
	static const enum value_type narrow_first[] = { TYPE_BOOLEAN, TYPE_BIGINT, TYPE_DOUBLE, TYPE_TIMESTAMP };
	double misfits = (double)g->n * tolerance;

	CHECK(tolerance >= 0 && tolerance < 1);
	for (size_t i = 0; i < ARRAY_LEN(narrow_first); i++) {
		enum value_type t = narrow_first[i];
		int64_t fits = g->fits[t];
		if (t == TYPE_DOUBLE && (fits == g->n_words || g->n_inexact > 0))
			continue;
		if (fits > 0 && (double)(g->n - fits) <= misfits)
			return t;
	}
	return TYPE_VARCHAR;
}
