/* arena.c -- chained blocks that double from 4 KiB to 256 KiB; a large request gets a block of its own. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN 4096
#define BLOCK_MAX 262144

struct arena_block {
	struct arena_block *next;
	size_t size;            /* of data */
	alignas(max_align_t) char data[];
};

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*fn)(void *obj);
	void *obj;
};

static struct arena_block *block_new(size_t size)
{
	struct arena_block *b = malloc(sizeof(*b) + size);

	if (b == NULL)
		check_failed(__FILE__, __LINE__, "the machine is out of memory");
	b->size = size;
	return b;
}

void arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

static void run_cleanups(struct arena *a)
{
	while (a->cleanup != NULL) {
		struct arena_cleanup *c = a->cleanup;
		a->cleanup = c->next;
		c->fn(c->obj);
	}
}

static void free_blocks(struct arena_block *b)
{
	while (b != NULL) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
}

void arena_deinit(struct arena *a)
{
	run_cleanups(a);
	free_blocks(a->block);
	arena_init(a);
}

void arena_clear(struct arena *a)
{
	run_cleanups(a);
	struct arena_block *keep = a->block;
	if (keep == NULL || keep->size > BLOCK_MAX) {
		arena_deinit(a);
		return;
	}
	free_blocks(keep->next);
	keep->next = NULL;
	*a = (struct arena){ .block = keep, .free = keep->data, .end = keep->data + keep->size };
}

static void *alloc_slow(struct arena *a, size_t size)
{
	if (size > BLOCK_MAX / 4) {
		/* Its own block, put behind the current one, whose room stays in use. */
		struct arena_block *own = block_new(size);
		if (a->block == NULL) {
			own->next = NULL;
			a->block = own;
			a->free = a->end = own->data + size;
		} else {
			own->next = a->block->next;
			a->block->next = own;
		}
		return own->data;
	}
	size_t want = a->block != NULL ? a->block->size * 2 : BLOCK_MIN;
	want = want > BLOCK_MAX ? BLOCK_MAX : want;
	want = want < size ? size : want;
	struct arena_block *b = block_new(want);
	b->next = a->block;
	a->block = b;
	a->free = b->data + size;
	a->end = b->data + want;
	return b->data;
}

void *arena_alloc_raw(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);

	CHECK(size <= SIZE_MAX / 2);
	size = (size + align - 1) & ~(align - 1);
	a->used += size;
	if (size <= (size_t)(a->end - a->free)) {
		void *p = a->free;
		a->free += size;
		return p;
	}
	return alloc_slow(a, size);
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = arena_alloc_raw(a, size > 0 ? size : 1);

	memset(p, 0, size);
	return p;
}

void *arena_alloc_n(struct arena *a, size_t n, size_t size)
{
	CHECK(size == 0 || n <= SIZE_MAX / 4 / size);
	return arena_alloc(a, n * size);
}

str arena_dup(struct arena *a, str s)
{
	char *p = arena_alloc_raw(a, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.at, s.len);
	p[s.len] = '\0';
	return str_n(p, s.len);
}

char *arena_cstr(struct arena *a, str s)
{
	char *p = arena_alloc_raw(a, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.at, s.len);
	p[s.len] = '\0';
	return p;
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	CHECK(n >= 0);
	char *p = arena_alloc_raw(a, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	return str_n(p, (size_t)n);
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

void arena_defer(struct arena *a, void (*fn)(void *obj), void *obj)
{
	struct arena_cleanup *c = ARENA_NEW(a, struct arena_cleanup);

	*c = (struct arena_cleanup){ .next = a->cleanup, .fn = fn, .obj = obj };
	a->cleanup = c;
}
