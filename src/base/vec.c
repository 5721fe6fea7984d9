#include "base/vec.h"

#include <string.h>

void *vec_grow_(struct arena *a, void *at, size_t n, size_t *cap, size_t size)
{
	if (n < *cap) {
		memset((char *)at + n * size, 0, size);
		return at;
	}
	size_t want = *cap > 0 ? *cap * 2 : 8;
	void *grown = arena_alloc_n(a, want, size);
	if (n > 0)
		memcpy(grown, at, n * size);
	*cap = want;
	return grown;
}
