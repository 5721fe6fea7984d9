/* arena.h -- memory that is freed all at once.
 *
 * A request, a job or a parse owns one arena; everything it makes lives there and dies with it.
 * Blocks are chained, so pointers stay valid. Allocation never returns NULL: inputs are bounded at
 * the edge (limits.h), and a machine without memory ends the process with a message.
 * One thread at a time owns an arena.
 */
#ifndef CAIRN_BASE_ARENA_H
#define CAIRN_BASE_ARENA_H

#include <stdarg.h>

#include "base/str.h"

struct arena_block;
struct arena_cleanup;
struct arena {
	struct arena_block *block;      /* newest first */
	struct arena_cleanup *cleanup;  /* run last-in first-out by arena_deinit */
	char *free, *end;
	size_t used;                    /* bytes handed out, for metrics and tests */
};

void arena_init(struct arena *a);       /* allocates nothing yet */
void arena_deinit(struct arena *a);     /* runs the cleanups, frees everything; may be init'ed again */
void arena_clear(struct arena *a);      /* deinit, but keeps one block for reuse */

void *arena_alloc(struct arena *a, size_t size);         /* zeroed, aligned for any type */
void *arena_alloc_raw(struct arena *a, size_t size);     /* not zeroed; for buffers filled at once */
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_n((a), (n), sizeof(type)))
void *arena_alloc_n(struct arena *a, size_t n, size_t size);   /* overflow-checked, zeroed */

str arena_dup(struct arena *a, str s);                   /* copy; a NUL follows it */
char *arena_cstr(struct arena *a, str s);                /* copy, NUL-terminated */
str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* fn(obj) runs when the arena is freed: for file descriptors, reference counts, library handles. */
void arena_defer(struct arena *a, void (*fn)(void *obj), void *obj);

#endif
