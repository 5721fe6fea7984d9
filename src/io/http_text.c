/* http_text.c -- percent-decoding and query strings: the parts of HTTP's text that libmicrohttpd leaves to us. */
#include "io/http_server.h"

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_percent_decode(struct arena *a, str in, bool plus_is_space, str *out)
{
	if (str_find_char(in, '%') < 0 && (!plus_is_space || str_find_char(in, '+') < 0)) {
		*out = in;
		return str_find_char(in, '\0') < 0;
	}
	char *text = arena_alloc_raw(a, in.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < in.len; i++) {
		char c = in.at[i];
		if (c == '%') {
			int high = in.len - i > 2 ? hex_digit(in.at[i + 1]) : -1;
			int low = in.len - i > 2 ? hex_digit(in.at[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == '\0')
			return false;
		text[n++] = c;
	}
	text[n] = '\0';
	*out = str_n(text, n);
	return true;
}

/* The next "name=value" of the query, decoded; a malformed one is passed over. */
static bool next_parameter(struct arena *a, str *rest, str *name, str *value)
{
	str part;

	while (str_cut(rest, '&', &part)) {
		ptrdiff_t mark = str_find_char(part, '=');
		str raw_name = mark >= 0 ? str_head(part, (size_t)mark) : part;
		str raw_value = mark >= 0 ? str_skip(part, (size_t)mark + 1) : STR("");
		if (part.len > 0 && http_percent_decode(a, raw_name, true, name) && http_percent_decode(a, raw_value, true, value))
			return true;
	}
	return false;
}

bool http_query(struct http_request *q, str name, size_t nth, str *out)
{
	str rest = q->query, found, value;

	while (next_parameter(&q->arena, &rest, &found, &value)) {
		if (str_eq(found, name) && nth-- == 0) {
			*out = value;
			return true;
		}
	}
	return false;
}

void http_query_each(struct http_request *q, void (*fn)(void *ctx, str name, str value), void *ctx)
{
	str rest = q->query, name, value;

	while (next_parameter(&q->arena, &rest, &name, &value))
		fn(ctx, name, value);
}
