#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"

enum rc fs_error(struct err *e, int errnum, const char *doing, const char *what)
{
	char reason[128];
	const char *text = strerror_r(errnum, reason, sizeof(reason));
	enum rc rc = errnum == ENOENT ? RC_NOT_FOUND : errnum == ENOSPC || errnum == EDQUOT ? RC_NO_SPACE : RC_IO;

	return FAIL(e, rc, "%s: %s: %s", doing, what, text);
}

enum rc fs_read(const char *path, size_t max, struct arena *a, str *out, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fs_error(e, errno, "cannot read", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return FAIL(e, RC_IO, "cannot read: %s: not a regular file", path);
	}
	if ((uint64_t)st.st_size > max) {
		close(fd);
		return FAIL(e, RC_TOO_LARGE, "%s has %lld bytes, more than the %zu allowed", path, (long long)st.st_size, max);
	}
	size_t len = (size_t)st.st_size, got = 0;
	char *text = arena_alloc_raw(a, len + 1);
	while (got < len) {
		ssize_t n = read(fd, text + got, len - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int num = errno;
			close(fd);
			return fs_error(e, num, "cannot read", path);
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	text[got] = '\0';
	*out = str_n(text, got);
	return RC_OK;
}

enum rc fs_sync_dir(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fs_error(e, errno, "cannot open directory", path);
	int bad = fsync(fd) != 0 ? errno : 0;
	close(fd);
	return bad != 0 ? fs_error(e, bad, "cannot sync directory", path) : RC_OK;
}

static enum rc write_all(int fd, str data, const char *path, struct err *e)
{
	for (size_t done = 0; done < data.len;) {
		ssize_t n = write(fd, data.at + done, data.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fs_error(e, errno, "cannot write", path);
		done += (size_t)n;
	}
	return fsync(fd) == 0 ? RC_OK : fs_error(e, errno, "cannot sync", path);
}

enum rc fs_write_atomic(const char *path, str data, unsigned mode, struct err *e)
{
	struct arena a;
	char id[ID_TEXT_MAX];
	enum rc rc;

	arena_init(&a);
	id_put(id, "tmp");      /* of its own: threads may write the same file */
	char *tmp = arena_cstr(&a, arena_printf(&a, "%s.%s", path, id));
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0) {
		rc = fs_error(e, errno, "cannot write", tmp);
		goto out;
	}
	rc = write_all(fd, data, tmp, e);
	if (rc == RC_OK && fchmod(fd, mode) != 0)
		rc = fs_error(e, errno, "cannot set the mode of", tmp);
	close(fd);
	if (rc == RC_OK && rename(tmp, path) != 0)
		rc = fs_error(e, errno, "cannot put in place", path);
	if (rc != RC_OK) {
		(void)unlink(tmp);   /* best effort: the error is the news */
		goto out;
	}
	const char *slash = strrchr(path, '/');
	str dir = slash == NULL ? STR(".") : slash == path ? STR("/") : str_n(path, (size_t)(slash - path));
	rc = fs_sync_dir(arena_cstr(&a, dir), e);
out:
	arena_deinit(&a);
	return rc;
}

enum rc fs_mkdirs(const char *path, unsigned mode, struct err *e)
{
	char part[4096];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(part))
		return FAIL(e, RC_INVALID, "cannot make directory '%s': bad length", path);
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		char keep = part[i];
		part[i] = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST)
			return fs_error(e, errno, "cannot make directory", part);
		part[i] = keep;
	}
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return FAIL(e, RC_IO, "%s is not a directory", path);
	return RC_OK;
}

bool fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

enum rc fs_remove_tree(const char *path, struct err *e)
{
	struct arena a;
	enum rc rc = RC_OK;
	DIR *d = opendir(path);

	if (d == NULL)
		return errno == ENOENT ? RC_OK : fs_error(e, errno, "cannot remove", path);
	arena_init(&a);
	for (struct dirent *entry; rc == RC_OK && (entry = readdir(d)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *child = arena_cstr(&a, arena_printf(&a, "%s/%s", path, entry->d_name));
		struct stat st;
		if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
			rc = fs_remove_tree(child, e);
		else if (unlink(child) != 0 && errno != ENOENT)
			rc = fs_error(e, errno, "cannot remove", child);
	}
	closedir(d);
	if (rc == RC_OK && rmdir(path) != 0)
		rc = fs_error(e, errno, "cannot remove", path);
	arena_deinit(&a);
	return rc;
}

enum rc fs_lock(const char *path, int *fd_out, struct err *e)
{
	char pid[32] = { 0 };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fs_error(e, errno, "cannot open", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(fd, pid, sizeof(pid) - 1);
		close(fd);
		return FAIL(e, RC_CONFLICT, "another cairn (process %s) uses this data directory: %s", n > 0 ? pid : "unknown", path);
	}
	int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(fd, 0) != 0 || write(fd, pid, (size_t)n) != n) {
		int num = errno;
		close(fd);
		return fs_error(e, num, "cannot write", path);
	}
	*fd_out = fd;
	return RC_OK;
}
