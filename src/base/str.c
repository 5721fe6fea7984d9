#include "base/str.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

str str_of(const char *c)
{
	return c != NULL ? (str){ c, strlen(c) } : STR_NONE;
}

bool str_eq(str a, str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool str_eq_nocase(str a, str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	}
	return true;
}

int str_cmp(str a, str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.at, b.at, n) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(str s, str prefix)
{
	return s.len >= prefix.len && str_eq(str_head(s, prefix.len), prefix);
}

bool str_ends(str s, str suffix)
{
	return s.len >= suffix.len && str_eq(str_skip(s, s.len - suffix.len), suffix);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s)
{
	while (s.len > 0 && is_space(s.at[0]))
		s = str_skip(s, 1);
	while (s.len > 0 && is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

str str_skip(str s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return (str){ s.at != NULL ? s.at + n : NULL, s.len - n };
}

str str_head(str s, size_t n)
{
	return (str){ s.at, n < s.len ? n : s.len };
}

ptrdiff_t str_find(str s, str what)
{
	if (what.len == 0)
		return 0;
	if (s.len < what.len)
		return -1;
	const char *hit = memmem(s.at, s.len, what.at, what.len);
	return hit != NULL ? hit - s.at : -1;
}

ptrdiff_t str_find_char(str s, char c)
{
	const char *hit = s.len > 0 ? memchr(s.at, c, s.len) : NULL;

	return hit != NULL ? hit - s.at : -1;
}

bool str_cut(str *rest, char sep, str *part_out)
{
	if (rest->at == NULL)
		return false;
	ptrdiff_t at = str_find_char(*rest, sep);
	if (at < 0) {
		*part_out = *rest;
		*rest = STR_NONE;
	} else {
		*part_out = str_head(*rest, (size_t)at);
		*rest = str_skip(*rest, (size_t)at + 1);
	}
	return true;
}

bool str_to_u64(str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.at[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

bool str_to_i64(str s, int64_t *out)
{
	bool minus = s.len > 0 && s.at[0] == '-';
	uint64_t v;

	if (!str_to_u64(minus ? str_skip(s, 1) : s, &v))
		return false;
	if (v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
		return false;
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool str_to_f64(str s, double *out)
{
	static const struct {
		str text;
		double value;
	} words[] = {
		{ { "nan", 3 },       (double)NAN       },
		{ { "inf", 3 },       (double)INFINITY  },
		{ { "+inf", 4 },      (double)INFINITY  },
		{ { "-inf", 4 },      -(double)INFINITY },
		{ { "infinity", 8 },  (double)INFINITY  },
		{ { "-infinity", 9 }, -(double)INFINITY },
	};

	if (s.len == 0)
		return false;
	size_t n = num_get_f64(s.at, s.at + s.len, out);
	if (n == s.len)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq_nocase(s, words[i].text)) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
			return 0;
		if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
			return 0;   /* overlong; surrogates */
		return 3;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		if (left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
			return 0;
		if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
			return 0;
		return 4;
	}
	return 0;
}

bool str_is_utf8(str s)
{
	if (s.at == NULL)
		return true;
	const unsigned char *p = (const unsigned char *)s.at, *end = p + s.len;

	while (p < end) {
		uint64_t eight;
		if (end - p >= 8 && (memcpy(&eight, p, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
			p += 8;
			continue;
		}
		size_t n = utf8_sequence(p, (size_t)(end - p));
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

uint64_t str_hash(str s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.at[i]) * UINT64_C(0x100000001b3);
	return h;
}

bool str_to_c(str s, char *out, size_t cap)
{
	if (s.len >= cap || str_find_char(s, '\0') >= 0)
		return false;
	if (s.len > 0)
		memcpy(out, s.at, s.len);
	out[s.len] = '\0';
	return true;
}
