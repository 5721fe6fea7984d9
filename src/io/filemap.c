/* filemap.c -- mmap with its corner: an empty file cannot be mapped. */
#include "io/filemap.h"

#include <errno.h>
#include <sys/mman.h>

#include "io/fs.h"

enum rc filemap_open(int fd, uint64_t size, struct filemap *out, struct err *e)
{
	if (size == 0) {
		out->data = STR("");
		return RC_OK;
	}
	if (size > SIZE_MAX / 2)
		return FAIL(e, RC_TOO_LARGE, "a file of %llu bytes", (unsigned long long)size);
	void *at = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return fs_error(e, errno, "mapping", "a file");
	(void)madvise(at, (size_t)size, MADV_SEQUENTIAL);   /* only a hint */
	out->data = str_n(at, (size_t)size);
	return RC_OK;
}

void filemap_close(struct filemap *m)
{
	if (m->data.len > 0)
		CHECK(munmap((void *)(uintptr_t)m->data.at, m->data.len) == 0);
	m->data = STR("");
}
