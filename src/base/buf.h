/* buf.h -- a growing byte buffer with a ceiling.
 *
 * Heap memory, owned by whoever declared it: BUF_INIT(limit) … buf_deinit. Past the limit the buffer
 * stays as it is, remembers `overflowed`, and every further add is ignored: check once at the end.
 */
#ifndef CAIRN_BASE_BUF_H
#define CAIRN_BASE_BUF_H

#include <stdarg.h>

#include "base/arena.h"
#include "base/str.h"

struct buf {
	char *at;               /* NUL-terminated after any add; may be NULL when len == 0 */
	size_t len, cap, limit;
	bool overflowed;
};

#define BUF_INIT(limit_bytes) ((struct buf){ .limit = (limit_bytes) })

void buf_deinit(struct buf *b);
void buf_clear(struct buf *b);                    /* keeps the memory */
void buf_add(struct buf *b, str s);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
char *buf_reserve(struct buf *b, size_t n);       /* room for n bytes at the end, or NULL past limit */
void buf_commit(struct buf *b, size_t n);         /* n of the reserved bytes were written */
static inline str buf_str(const struct buf *b) { return str_n(b->at, b->len); }
str buf_to_arena(const struct buf *b, struct arena *a);
char *buf_take(struct buf *b, size_t *len_out);   /* ownership of the bytes moves to the caller (free) */

#endif
