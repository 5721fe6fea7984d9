/* blob.h -- files by content: artifacts, dataset snapshots, models.
 *
 * A blob is immutable and named by its SHA-256 (64 hex digits). It is written to a temporary file, synced,
 * and renamed into place, so a crash leaves a whole blob or none. The store is a directory (objects/ab/cdef…);
 * an S3-compatible store has the same face. Blocks; any thread but a loop.
 */
#ifndef CAIRN_IO_BLOB_H
#define CAIRN_IO_BLOB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct blobs;
#define BLOB_ID_LEN 64

enum rc blobs_open(const char *dir, struct blobs **out, struct err *e) MUST_USE;
void blobs_close(struct blobs **slot);
const char *blobs_tmp_dir(const struct blobs *b);      /* same file system: for files that blob_adopt takes */

enum rc blob_put(struct blobs *b, str data, char id_out[BLOB_ID_LEN + 1], struct err *e) MUST_USE;
/* Copies from an open file, from its position to its end. */
enum rc blob_put_fd(struct blobs *b, int fd, char id_out[BLOB_ID_LEN + 1], uint64_t *size_out, struct err *e) MUST_USE;
/* Takes a finished file over: hashed, synced, renamed (copied across file systems), the original gone. */
enum rc blob_adopt(struct blobs *b, const char *path, char id_out[BLOB_ID_LEN + 1], uint64_t *size_out, struct err *e) MUST_USE;
enum rc blob_open(struct blobs *b, str id, int *fd_out, uint64_t *size_out, struct err *e) MUST_USE;   /* RC_NOT_FOUND */
/* Whole, at most max bytes. */
enum rc blob_get(struct blobs *b, str id, size_t max, struct arena *a, str *out, struct err *e) MUST_USE;
/* A path that DuckDB or a runtime can open; valid while the blob exists. */
enum rc blob_path(struct blobs *b, str id, struct arena *a, str *out, struct err *e) MUST_USE;
/* Reads the blob again: RC_IO when its bytes no longer have its digest. */
enum rc blob_verify(struct blobs *b, str id, struct err *e) MUST_USE;
enum rc blob_delete(struct blobs *b, str id, struct err *e) MUST_USE;
enum rc blobs_usage(struct blobs *b, uint64_t *n_out, uint64_t *bytes_out, struct err *e) MUST_USE;

#endif
