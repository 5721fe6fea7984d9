/* fs.h -- files and directories as wholes. Blocks. */
#ifndef CAIRN_IO_FS_H
#define CAIRN_IO_FS_H

#include "base/arena.h"
#include "base/err.h"

enum rc fs_read(const char *path, size_t max, struct arena *a, str *out, struct err *e) MUST_USE;
/* Temporary file, fsync, rename, fsync of the directory: old content or new, never a mix. */
enum rc fs_write_atomic(const char *path, str data, unsigned mode, struct err *e) MUST_USE;
enum rc fs_mkdirs(const char *path, unsigned mode, struct err *e) MUST_USE;
bool fs_exists(const char *path);
enum rc fs_remove_tree(const char *path, struct err *e) MUST_USE;
/* Takes an exclusive lock on path (made if missing) until the process ends or fd is closed.
 * RC_CONFLICT names the holder's pid, which stands in the file. */
enum rc fs_lock(const char *path, int *fd_out, struct err *e) MUST_USE;
enum rc fs_sync_dir(const char *path, struct err *e) MUST_USE;
/* errno to an error: ENOENT RC_NOT_FOUND, ENOSPC and EDQUOT RC_NO_SPACE, else RC_IO; "doing: what: reason". */
enum rc fs_error(struct err *e, int errnum, const char *doing, const char *what);

#endif
