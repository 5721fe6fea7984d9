/* filemap.h -- a file's bytes, mapped read-only. For files that nobody changes any more (blobs): a file that shrinks
 * while it is mapped ends the process. Any thread. */
#ifndef CAIRN_IO_FILEMAP_H
#define CAIRN_IO_FILEMAP_H

#include "base/err.h"

struct filemap { str data; };   /* data.at is never NULL */
/* The fd may be closed afterwards. */
enum rc filemap_open(int fd, uint64_t size, struct filemap *out, struct err *e) MUST_USE;
void filemap_close(struct filemap *m);

#endif
