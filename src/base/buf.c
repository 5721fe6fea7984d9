#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_deinit(struct buf *b)
{
	free(b->at);
	*b = (struct buf){ .limit = b->limit };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflowed = false;
	if (b->at != NULL)
		b->at[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
	CHECK(b->limit > 0);
	if (b->overflowed || n > b->limit - b->len) {
		b->overflowed = true;
		return NULL;
	}
	size_t need = b->len + n + 1;
	if (need > b->cap) {
		size_t cap = b->cap > 0 ? b->cap * 2 : 256;
		cap = cap < need ? need : cap;
		char *grown = realloc(b->at, cap);
		if (grown == NULL)
			check_failed(__FILE__, __LINE__, "the machine is out of memory");
		b->at = grown;
		b->cap = cap;
	}
	return b->at + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	CHECK(b->len + n < b->cap);
	b->len += n;
	b->at[b->len] = '\0';
}

void buf_add(struct buf *b, str s)
{
	char *p = buf_reserve(b, s.len);

	if (p == NULL)
		return;
	if (s.len > 0)
		memcpy(p, s.at, s.len);
	buf_commit(b, s.len);
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, str_n(&c, 1));
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	CHECK(n >= 0);
	char *p = buf_reserve(b, (size_t)n);
	if (p == NULL)
		return;
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	buf_commit(b, (size_t)n);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

str buf_to_arena(const struct buf *b, struct arena *a)
{
	return arena_dup(a, buf_str(b));
}

char *buf_take(struct buf *b, size_t *len_out)
{
	char *at = b->at;

	*len_out = b->len;
	*b = (struct buf){ .limit = b->limit };
	return at;
}
