/* test_io_files.c -- files, blobs, mapped files, processes and digests, with what goes wrong on real disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/blob.h"
#include "io/crypto.h"
#include "io/filemap.h"
#include "io/fs.h"
#include "io/library.h"
#include "io/process.h"

struct fixture {
	char dir[64];
	struct arena a;
	struct err e;
	struct blobs *b;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static const char *path(struct fixture *f, const char *name)
{
	return arena_cstr(&f->a, arena_printf(&f->a, "%s/%s", f->dir, name));
}

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	crypto_init();
	strcpy(f.dir, "/tmp/cairn-files-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	arena_init(&f.a);
	OK(&f, blobs_open(path(&f, "blobs"), &f.b, &f.e));
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	blobs_close(&f->b);
	OK(f, fs_remove_tree(f->dir, &f->e));
	assert_false(fs_exists(f->dir));
	arena_deinit(&f->a);
	return 0;
}

/* --- files --------------------------------------------------------------------------------------- */

static size_t entries(const char *dir)
{
	size_t n = 0;
	DIR *d = opendir(dir);

	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d)) != NULL;)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(d);
	return n;
}

static void test_write_and_read(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	str text;

	OK(f, fs_write_atomic(path(f, "a"), STR("one\0two"), 0600, &f->e));
	OK(f, fs_read(path(f, "a"), 100, &f->a, &text, &f->e));
	assert_true(str_eq(text, STR("one\0two")));
	assert_int_equal(stat(path(f, "a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	OK(f, fs_write_atomic(path(f, "a"), STR(""), 0640, &f->e));
	OK(f, fs_read(path(f, "a"), 0, &f->a, &text, &f->e));
	assert_int_equal(text.len, 0);
	OK(f, fs_write_atomic(path(f, "a"), STR("12345"), 0600, &f->e));
	assert_int_equal(fs_read(path(f, "a"), 4, &f->a, &text, &f->e), RC_TOO_LARGE);
	assert_int_equal(fs_read(path(f, "none"), 4, &f->a, &text, &f->e), RC_NOT_FOUND);
	assert_int_equal(fs_read(f->dir, 4, &f->a, &text, &f->e), RC_IO);
	assert_int_equal(fs_write_atomic(path(f, "no/such/dir"), STR("x"), 0600, &f->e), RC_NOT_FOUND);
	assert_int_equal(fs_write_atomic(path(f, "blobs"), STR("x"), 0600, &f->e), RC_IO);   /* a directory stands there */
	assert_int_equal(entries(f->dir), 2);   /* a and blobs: no temporary file was left */
}

static void test_full_disk(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_error(&f->e, ENOSPC, "cannot write", "x"), RC_NO_SPACE);
	assert_int_equal(fs_error(&f->e, EDQUOT, "cannot write", "x"), RC_NO_SPACE);
	assert_non_null(strstr(f->e.msg, "cannot write: x: "));
	/* /dev/full takes the place of a disk without room: what is written there fails with ENOSPC. */
	int fd = open("/dev/full", O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
}

static void test_directories(void **state)
{
	struct fixture *f = *state;

	OK(f, fs_mkdirs(path(f, "x/y/z"), 0700, &f->e));
	OK(f, fs_mkdirs(path(f, "x/y/z"), 0700, &f->e));
	OK(f, fs_write_atomic(path(f, "x/y/file"), STR("x"), 0600, &f->e));
	assert_int_equal(fs_mkdirs(path(f, "x/y/file"), 0700, &f->e), RC_IO);
	assert_int_not_equal(fs_mkdirs(path(f, "x/y/file/below"), 0700, &f->e), RC_OK);
	assert_int_equal(fs_mkdirs("", 0700, &f->e), RC_INVALID);
	/* A link out of the tree is removed, what it points to is not. */
	OK(f, fs_mkdirs(path(f, "kept"), 0700, &f->e));
	OK(f, fs_write_atomic(path(f, "kept/file"), STR("x"), 0600, &f->e));
	assert_int_equal(symlink(path(f, "kept"), path(f, "x/link")), 0);
	OK(f, fs_remove_tree(path(f, "x"), &f->e));
	assert_false(fs_exists(path(f, "x")));
	assert_true(fs_exists(path(f, "kept/file")));
	OK(f, fs_remove_tree(path(f, "x"), &f->e));   /* gone already */
}

static void test_lock(void **state)
{
	struct fixture *f = *state;
	char text[64];
	int fd, second;

	OK(f, fs_lock(path(f, "lock"), &fd, &f->e));
	assert_int_equal(fs_lock(path(f, "lock"), &second, &f->e), RC_CONFLICT);
	(void)snprintf(text, sizeof(text), "process %d", (int)getpid());
	assert_non_null(strstr(f->e.msg, text));
	close(fd);
	OK(f, fs_lock(path(f, "lock"), &fd, &f->e));
	close(fd);
}

struct writer { struct fixture *f; char mark; pthread_t thread; };

static void *rewrite(void *arg)
{
	struct writer *w = arg;
	struct err e = ERR_INIT;
	char text[20000];

	memset(text, w->mark, sizeof(text));
	for (int i = 0; i < 30; i++)
		if (fs_write_atomic(path(w->f, "shared"), str_n(text, sizeof(text)), 0600, &e) != RC_OK)
			return NULL;
	return w;
}

static void test_writers_do_not_mix(void **state)
{
	struct fixture *f = *state;
	struct writer w[4];
	void *done;
	str text;

	(void)path(f, "warm");
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		struct fixture *own = arena_alloc(&f->a, sizeof(*own));   /* an arena is one thread's */
		strcpy(own->dir, f->dir);
		arena_init(&own->a);
		w[i] = (struct writer){ own, (char)('a' + i), 0 };
		assert_int_equal(pthread_create(&w[i].thread, NULL, rewrite, &w[i]), 0);
	}
	for (int round = 0; round < 50; round++) {
		if (!fs_exists(path(f, "shared")))
			continue;
		OK(f, fs_read(path(f, "shared"), 1u << 20, &f->a, &text, &f->e));
		assert_int_equal(text.len, 20000);
		for (size_t i = 1; i < text.len; i++)
			assert_int_equal(text.at[i], text.at[0]);
	}
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		pthread_join(w[i].thread, &done);
		assert_non_null(done);
		arena_deinit(&w[i].f->a);
	}
}

/* --- blobs --------------------------------------------------------------------------------------- */

static void test_blobs(void **state)
{
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct fixture *f = *state;
	char id[BLOB_ID_LEN + 1], again[BLOB_ID_LEN + 1];
	uint64_t n, bytes, size;
	str text, where;
	int fd;

	OK(f, blob_put(f->b, STR("abc"), id, &f->e));
	assert_string_equal(id, abc);
	OK(f, blob_put(f->b, STR("abc"), again, &f->e));
	OK(f, blob_put(f->b, STR(""), again, &f->e));
	OK(f, blobs_usage(f->b, &n, &bytes, &f->e));
	assert_int_equal(n, 2);
	assert_int_equal(bytes, 3);
	OK(f, blob_get(f->b, str_of(abc), 3, &f->a, &text, &f->e));
	assert_true(str_eq(text, STR("abc")));
	assert_int_equal(blob_get(f->b, str_of(abc), 2, &f->a, &text, &f->e), RC_TOO_LARGE);
	OK(f, blob_open(f->b, str_of(abc), &fd, &size, &f->e));
	assert_int_equal(size, 3);
	struct filemap map;
	OK(f, filemap_open(fd, size, &map, &f->e));
	close(fd);
	assert_true(str_eq(map.data, STR("abc")));
	filemap_close(&map);
	OK(f, blob_path(f->b, str_of(abc), &f->a, &where, &f->e));
	OK(f, blob_verify(f->b, str_of(abc), &f->e));
	/* Damage is seen. */
	assert_int_equal(chmod(where.at, 0600), 0);
	fd = open(where.at, O_WRONLY);
	assert_int_equal(write(fd, "X", 1), 1);
	close(fd);
	assert_int_equal(blob_verify(f->b, str_of(abc), &f->e), RC_IO);
	OK(f, blob_delete(f->b, str_of(abc), &f->e));
	OK(f, blob_delete(f->b, str_of(abc), &f->e));
	assert_int_equal(blob_open(f->b, str_of(abc), &fd, &size, &f->e), RC_NOT_FOUND);
	assert_int_equal(blob_get(f->b, str_of(abc), 9, &f->a, &text, &f->e), RC_NOT_FOUND);
	assert_int_equal(blob_path(f->b, str_of(abc), &f->a, &where, &f->e), RC_NOT_FOUND);
}

static void test_blob_names_cannot_lead_out(void **state)
{
	struct fixture *f = *state;
	const str bad[] = { STR(""), STR("../../../../etc/passwd"), STR("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
			    STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"),
			    STR("../816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015adx") };
	uint64_t size;
	str text;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(blob_open(f->b, bad[i], &fd, &size, &f->e), RC_INVALID);
		assert_int_equal(blob_get(f->b, bad[i], 10, &f->a, &text, &f->e), RC_INVALID);
		assert_int_equal(blob_path(f->b, bad[i], &f->a, &text, &f->e), RC_INVALID);
		assert_int_equal(blob_delete(f->b, bad[i], &f->e), RC_INVALID);
		assert_int_equal(blob_verify(f->b, bad[i], &f->e), RC_INVALID);
	}
}

static void test_blobs_from_files(void **state)
{
	struct fixture *f = *state;
	char id[BLOB_ID_LEN + 1], away[64] = "/dev/shm/cairn-blob-XXXXXX";
	uint64_t size;
	str text;

	OK(f, fs_write_atomic(path(f, "in"), STR("0123456789"), 0600, &f->e));
	int fd = open(path(f, "in"), O_RDONLY);
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	OK(f, blob_put_fd(f->b, fd, id, &size, &f->e));   /* from where it stands */
	close(fd);
	assert_int_equal(size, 6);
	OK(f, blob_get(f->b, str_of(id), 100, &f->a, &text, &f->e));
	assert_true(str_eq(text, STR("456789")));
	OK(f, blob_adopt(f->b, path(f, "in"), id, &size, &f->e));
	assert_int_equal(size, 10);
	assert_false(fs_exists(path(f, "in")));
	assert_int_equal(blob_adopt(f->b, path(f, "in"), id, &size, &f->e), RC_NOT_FOUND);
	/* From another file system, where there is one. */
	fd = mkstemp(away);
	if (fd >= 0) {
		assert_int_equal(write(fd, "from afar", 9), 9);
		close(fd);
		OK(f, blob_adopt(f->b, away, id, &size, &f->e));
		assert_false(fs_exists(away));
		OK(f, blob_get(f->b, str_of(id), 100, &f->a, &text, &f->e));
		assert_true(str_eq(text, STR("from afar")));
	}
	assert_int_equal(entries(blobs_tmp_dir(f->b)), 0);
	/* What a crash left is swept at the next start. */
	OK(f, fs_write_atomic(path(f, "blobs/tmp/left"), STR("x"), 0600, &f->e));
	blobs_close(&f->b);
	OK(f, blobs_open(path(f, "blobs"), &f->b, &f->e));
	assert_int_equal(entries(blobs_tmp_dir(f->b)), 0);
	OK(f, blob_get(f->b, str_of(id), 100, &f->a, &text, &f->e));
}

/* --- processes ------------------------------------------------------------------------------------- */

static void test_processes(void **state)
{
	struct fixture *f = *state;
	const char *const hello[] = { "/bin/sh", "-c", "echo out; echo err >&2; exec sleep 60", NULL };
	const char *const stubborn[] = { "/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done", NULL };
	const char *const none[] = { "/no/such/program", NULL };
	struct process_usage u;
	pid_t pid;
	str text;

	OK(f, process_spawn_detached(hello, path(f, "log"), &pid, &f->e));
	assert_true(process_alive(pid));
	for (int i = 0; i < 500; i++) {
		OK(f, fs_read(path(f, "log"), 1000, &f->a, &text, &f->e));
		if (text.len >= 8)
			break;
		usleep(10000);
	}
	assert_true(str_eq(text, STR("out\nerr\n")));
	assert_int_equal(getsid(pid), pid);
	OK(f, process_stop(pid, 5000, &f->e));
	assert_false(process_alive(pid));
	assert_int_equal(process_stop(pid, 10, &f->e), RC_NOT_FOUND);

	OK(f, process_spawn_detached(stubborn, path(f, "log2"), &pid, &f->e));
	for (int i = 0; i < 500; i++) {
		OK(f, fs_read(path(f, "log2"), 1000, &f->a, &text, &f->e));
		if (text.len > 0)
			break;
		usleep(10000);
	}
	OK(f, process_stop(pid, 50, &f->e));   /* SIGKILL */
	assert_false(process_alive(pid));

	assert_int_equal(process_spawn_detached(none, path(f, "log3"), &pid, &f->e), RC_NOT_FOUND);
	OK(f, process_usage_self(&u, &f->e));
	assert_true(u.rss_bytes > 1u << 20 && u.n_fds >= 3 && u.n_threads >= 1);
	OK(f, process_self_path(&f->a, &text, &f->e));
	assert_non_null(strstr(arena_cstr(&f->a, text), "test_io_files"));
}

static void test_alive_leaves_other_children_alone(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(7);
	usleep(50000);
	assert_false(process_alive(0));
	assert_false(process_alive(-1));
	assert_int_equal(waitpid(child, &status, 0), child);   /* still there to be waited for */
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* --- digests --------------------------------------------------------------------------------------- */

static void test_crypto(void **state)
{
	struct fixture *f = *state;
	char hex[SHA256_HEX + 1];
	struct sha256 s;
	str raw;

	sha256_hex(STR(""), hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_init(&s);
	sha256_add(&s, "a", 1);
	sha256_add(&s, "bc", 2);
	sha256_end_hex(&s, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(crypto_equal(STR("secret"), STR("secret")));
	assert_false(crypto_equal(STR("secret"), STR("secreT")));
	assert_false(crypto_equal(STR("secret"), STR("secre")));
	assert_true(crypto_equal(STR_NONE, STR("")));
	str a = crypto_token(&f->a, "cairn_"), b = crypto_token(&f->a, "cairn_");
	assert_int_equal(a.len, 6 + 43);
	assert_false(str_eq(a, b));
	assert_true(crypto_base64_decode(STR("AP8q"), &f->a, &raw));
	assert_true(str_eq(raw, STR("\0\xff*")));
	assert_true(crypto_base64_decode(STR("YQ"), &f->a, &raw) && str_eq(raw, STR("a")));
	assert_true(crypto_base64_decode(STR("YQ=="), &f->a, &raw) && str_eq(raw, STR("a")));
	assert_false(crypto_base64_decode(STR("YQ=a"), &f->a, &raw));
	assert_false(crypto_base64_decode(STR("!!!!"), &f->a, &raw));
}

static void test_libraries(void **state)
{
	struct fixture *f = *state;
	void *handle = NULL, *symbol;

	assert_int_equal(library_open("/no/such/library.so", "libx.so", &handle, &f->e), RC_UNAVAILABLE);
	assert_non_null(strstr(f->e.msg, "/no/such/library.so"));
	assert_int_equal(library_open(NULL, "libcairn-no-such.so", &handle, &f->e), RC_UNAVAILABLE);
	OK(f, fs_write_atomic(path(f, "libbad.so"), STR("not a library"), 0600, &f->e));
	assert_int_equal(library_open(path(f, "libbad.so"), "libbad.so", &handle, &f->e), RC_UNAVAILABLE);
	assert_null(handle);
	OK(f, library_open(NULL, "libm.so.6", &handle, &f->e));
	OK(f, library_symbol(handle, "cos", &symbol, &f->e));
	assert_int_equal(library_symbol(handle, "no_such_function", &symbol, &f->e), RC_UNAVAILABLE);
	assert_string_equal(f->e.msg, "it has no no_such_function");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_and_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_directories, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_writers_do_not_mix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_blobs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_blob_names_cannot_lead_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_blobs_from_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alive_leaves_other_children_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_crypto, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_libraries, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
