/* blob.c -- the content-addressed store over a directory: objects/ab/<62 digits>, tmp/. */
#include "io/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "io/crypto.h"
#include "io/fs.h"

#define CHUNK 262144

struct blobs {
	struct arena arena;
	const char *dir, *objects, *tmp;
};

static void sweep_tmp(const char *tmp)
{
	struct arena a;
	DIR *d = opendir(tmp);

	if (d == NULL)
		return;
	arena_init(&a);
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		if (entry->d_name[0] != '.')
			(void)unlink(arena_cstr(&a, arena_printf(&a, "%s/%s", tmp, entry->d_name)));   /* left by a crash */
	}
	closedir(d);
	arena_deinit(&a);
}

enum rc blobs_open(const char *dir, struct blobs **out, struct err *e)
{
	struct blobs *b = calloc(1, sizeof(*b));

	CHECK(b != NULL);
	arena_init(&b->arena);
	b->dir = arena_cstr(&b->arena, str_of(dir));
	b->objects = arena_cstr(&b->arena, arena_printf(&b->arena, "%s/objects", dir));
	b->tmp = arena_cstr(&b->arena, arena_printf(&b->arena, "%s/tmp", dir));
	if (fs_mkdirs(b->objects, 0700, e) != RC_OK || fs_mkdirs(b->tmp, 0700, e) != RC_OK) {
		blobs_close(&b);
		return e->rc;
	}
	sweep_tmp(b->tmp);
	*out = b;
	return RC_OK;
}

void blobs_close(struct blobs **slot)
{
	struct blobs *b = *slot;

	*slot = NULL;
	if (b == NULL)
		return;
	arena_deinit(&b->arena);
	free(b);
}

const char *blobs_tmp_dir(const struct blobs *b)
{
	return b->tmp;
}

static enum rc check_id(str id, struct err *e)
{
	for (size_t i = 0; i < id.len; i++) {
		if (!((id.at[i] >= '0' && id.at[i] <= '9') || (id.at[i] >= 'a' && id.at[i] <= 'f')))
			return FAIL(e, RC_INVALID, "not a blob id");
	}
	return id.len == BLOB_ID_LEN ? RC_OK : FAIL(e, RC_INVALID, "not a blob id");
}

static char *object_path(const struct blobs *b, str id, struct arena *a)
{
	str rest = str_skip(id, 2);

	return arena_cstr(a, arena_printf(a, "%s/%.2s/" STR_FMT, b->objects, id.at, STR_ARG(rest)));
}

static char *temp_path(const struct blobs *b, struct arena *a)
{
	char name[ID_TEXT_MAX];

	id_put(name, "b");
	return arena_cstr(a, arena_printf(a, "%s/%s", b->tmp, name));
}

/* The file at tmp is synced and becomes the object, unless that is there already. */
static enum rc put_in_place(struct blobs *b, const char *tmp, str id, struct arena *a, struct err *e)
{
	char *path = object_path(b, id, a);
	char *dir = arena_cstr(a, str_n(path, strlen(path) - (BLOB_ID_LEN - 2) - 1));

	if (fs_exists(path)) {
		(void)unlink(tmp);
		return RC_OK;
	}
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return fs_error(e, errno, "cannot make directory", dir);
	if (rename(tmp, path) != 0)
		return fs_error(e, errno, "cannot put in place", path);
	(void)chmod(path, 0400);   /* a reminder that blobs do not change; not a guard */
	TRY(fs_sync_dir(dir, e));
	return fs_sync_dir(b->objects, e);
}

static enum rc write_chunk(int fd, const char *at, size_t n, const char *path, struct err *e)
{
	while (n > 0) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fs_error(e, errno, "cannot write", path);
		at += done;
		n -= (size_t)done;
	}
	return RC_OK;
}

/* Reads `in` to its end into the digest and, when out >= 0, into out. */
static enum rc digest_copy(int in, int out, const char *path, struct arena *a, char id[BLOB_ID_LEN + 1], uint64_t *size,
			   struct err *e)
{
	char *chunk = arena_alloc_raw(a, CHUNK);
	struct sha256 s;

	*size = 0;
	sha256_init(&s);
	for (;;) {
		ssize_t n = read(in, chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fs_error(e, errno, "cannot read", path);
		if (n == 0)
			break;
		sha256_add(&s, chunk, (size_t)n);
		*size += (uint64_t)n;
		if (out >= 0)
			TRY(write_chunk(out, chunk, (size_t)n, path, e));
	}
	sha256_end_hex(&s, id);
	return RC_OK;
}

static enum rc put_stream(struct blobs *b, int in, str data, char id_out[BLOB_ID_LEN + 1], uint64_t *size_out, struct err *e)
{
	char id[BLOB_ID_LEN + 1];
	struct arena a;
	uint64_t size = data.len;
	enum rc rc;

	arena_init(&a);
	char *tmp = temp_path(b, &a);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = fs_error(e, errno, "cannot write", tmp);
		goto out;
	}
	if (in >= 0) {
		rc = digest_copy(in, fd, tmp, &a, id, &size, e);
	} else {
		sha256_hex(data, id);
		rc = write_chunk(fd, data.at, data.len, tmp, e);
	}
	if (rc == RC_OK && fsync(fd) != 0)
		rc = fs_error(e, errno, "cannot sync", tmp);
	close(fd);
	if (rc == RC_OK)
		rc = put_in_place(b, tmp, str_of(id), &a, e);
	if (rc != RC_OK) {
		(void)unlink(tmp);
		goto out;
	}
	memcpy(id_out, id, sizeof(id));
	if (size_out != NULL)
		*size_out = size;
out:
	arena_deinit(&a);
	return rc;
}

enum rc blob_put(struct blobs *b, str data, char id_out[BLOB_ID_LEN + 1], struct err *e)
{
	return put_stream(b, -1, data, id_out, NULL, e);
}

enum rc blob_put_fd(struct blobs *b, int fd, char id_out[BLOB_ID_LEN + 1], uint64_t *size_out, struct err *e)
{
	CHECK(fd >= 0);
	return put_stream(b, fd, STR_NONE, id_out, size_out, e);
}

static bool same_file_system(int fd, const char *dir)
{
	struct stat file, at;

	return fstat(fd, &file) == 0 && stat(dir, &at) == 0 && file.st_dev == at.st_dev;
}

enum rc blob_adopt(struct blobs *b, const char *path, char id_out[BLOB_ID_LEN + 1], uint64_t *size_out, struct err *e)
{
	char id[BLOB_ID_LEN + 1];
	struct arena a;
	uint64_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fs_error(e, errno, "cannot read", path);
	arena_init(&a);
	enum rc rc;
	if (same_file_system(fd, b->tmp)) {
		rc = digest_copy(fd, -1, path, &a, id, &size, e);
		if (rc == RC_OK && fsync(fd) != 0)
			rc = fs_error(e, errno, "cannot sync", path);
		if (rc == RC_OK)
			rc = put_in_place(b, path, str_of(id), &a, e);
	} else {
		rc = put_stream(b, fd, STR_NONE, id, &size, e);
		if (rc == RC_OK && unlink(path) != 0)
			rc = fs_error(e, errno, "cannot remove", path);
	}
	close(fd);
	if (rc == RC_OK) {
		memcpy(id_out, id, sizeof(id));
		if (size_out != NULL)
			*size_out = size;
	}
	arena_deinit(&a);
	return rc;
}

enum rc blob_open(struct blobs *b, str id, int *fd_out, uint64_t *size_out, struct err *e)
{
	struct arena a;
	struct stat st;

	TRY(check_id(id, e));
	arena_init(&a);
	int fd = open(object_path(b, id, &a), O_RDONLY | O_CLOEXEC);
	int num = errno;
	arena_deinit(&a);
	if (fd < 0 && num == ENOENT)
		return FAIL(e, RC_NOT_FOUND, "blob " STR_FMT " is not in the store", STR_ARG(id));
	if (fd < 0)
		return fs_error(e, num, "cannot open blob", "in the store");
	if (fstat(fd, &st) != 0) {
		close(fd);
		return fs_error(e, errno, "cannot read blob", "in the store");
	}
	*fd_out = fd;
	*size_out = (uint64_t)st.st_size;
	return RC_OK;
}

enum rc blob_get(struct blobs *b, str id, size_t max, struct arena *a, str *out, struct err *e)
{
	TRY(check_id(id, e));
	return fs_read(object_path(b, id, a), max, a, out, e);
}

enum rc blob_path(struct blobs *b, str id, struct arena *a, str *out, struct err *e)
{
	TRY(check_id(id, e));
	char *path = object_path(b, id, a);
	if (!fs_exists(path))
		return FAIL(e, RC_NOT_FOUND, "blob " STR_FMT " is not in the store", STR_ARG(id));
	*out = str_of(path);
	return RC_OK;
}

enum rc blob_verify(struct blobs *b, str id, struct err *e)
{
	char now[BLOB_ID_LEN + 1];
	struct arena a;
	uint64_t size;
	int fd;

	TRY(blob_open(b, id, &fd, &size, e));
	arena_init(&a);
	enum rc rc = digest_copy(fd, -1, "blob", &a, now, &size, e);
	close(fd);
	arena_deinit(&a);
	if (rc == RC_OK && !str_eq(str_of(now), id))
		return FAIL(e, RC_IO, "blob " STR_FMT " is damaged: its bytes now have digest %s", STR_ARG(id), now);
	return rc;
}

enum rc blob_delete(struct blobs *b, str id, struct err *e)
{
	struct arena a;

	TRY(check_id(id, e));
	arena_init(&a);
	int bad = unlink(object_path(b, id, &a)) != 0 ? errno : 0;
	arena_deinit(&a);
	return bad == 0 || bad == ENOENT ? RC_OK : fs_error(e, bad, "cannot delete blob", "in the store");
}

static void add_usage(const char *dir, struct arena *a, int depth, uint64_t *n, uint64_t *bytes)
{
	struct stat st;
	DIR *d = opendir(dir);

	if (d == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		char *path = arena_cstr(a, arena_printf(a, "%s/%s", dir, entry->d_name));
		if (depth == 0) {
			add_usage(path, a, 1, n, bytes);
		} else if (stat(path, &st) == 0) {
			(*n)++;
			*bytes += (uint64_t)st.st_size;
		}
	}
	closedir(d);
}

enum rc blobs_usage(struct blobs *b, uint64_t *n_out, uint64_t *bytes_out, struct err *e)
{
	struct arena a;

	(void)e;
	*n_out = *bytes_out = 0;
	arena_init(&a);
	add_usage(b->objects, &a, 0, n_out, bytes_out);
	arena_deinit(&a);
	return RC_OK;
}
