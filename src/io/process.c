#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/fs.h"

enum rc process_self_path(struct arena *a, str *out, struct err *e)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	if (n <= 0 || (size_t)n >= sizeof(path))
		return fs_error(e, errno, "cannot read", "/proc/self/exe");
	*out = arena_dup(a, str_n(path, (size_t)n));
	return RC_OK;
}

/* In the child: nothing but async-signal-safe calls. */
static _Noreturn void become(const char *const *argv, int log_fd, int report_fd)
{
	/* execv takes char *const[] for history's sake and changes nothing. */
	union { const char *const *in; char *const *out; } args = { .in = argv };
	int null = open("/dev/null", O_RDONLY);

	setsid();
	signal(SIGPIPE, SIG_DFL);
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log_fd, STDOUT_FILENO) >= 0 && dup2(log_fd, STDERR_FILENO) >= 0)
		execv(argv[0], args.out);
	int num = errno;
	ssize_t n = write(report_fd, &num, sizeof(num));
	_exit(n == sizeof(num) ? 127 : 126);
}

enum rc process_spawn_detached(const char *const *argv, const char *log_path, pid_t *pid_out, struct err *e)
{
	int report[2], num = 0;
	int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (log_fd < 0)
		return fs_error(e, errno, "cannot open", log_path);
	if (pipe2(report, O_CLOEXEC) != 0) {
		close(log_fd);
		return fs_error(e, errno, "cannot start", argv[0]);
	}
	pid_t pid = fork();
	if (pid == 0)
		become(argv, log_fd, report[1]);
	close(log_fd);
	close(report[1]);
	/* The pipe closes at a successful exec; otherwise it brings the reason. */
	ssize_t n = pid > 0 ? read(report[0], &num, sizeof(num)) : 0;
	close(report[0]);
	if (pid < 0)
		return fs_error(e, errno, "cannot start", argv[0]);
	if (n == sizeof(num)) {
		(void)waitpid(pid, NULL, 0);
		return fs_error(e, num, "cannot start", argv[0]);
	}
	*pid_out = pid;
	return RC_OK;
}

bool process_alive(pid_t pid)
{
	if (pid <= 0)
		return false;           /* to waitpid and kill these are groups, ours among them */
	(void)waitpid(pid, NULL, WNOHANG);   /* if it is a child of ours that ended, it is gone now */
	return kill(pid, 0) == 0 || errno == EPERM;
}

static bool gone_within(pid_t pid, uint32_t ms)
{
	const struct timespec nap = { .tv_nsec = 10000000 };

	for (uint32_t waited = 0; process_alive(pid); waited += 10) {
		if (waited >= ms)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

enum rc process_stop(pid_t pid, uint32_t grace_ms, struct err *e)
{
	if (!process_alive(pid))
		return FAIL(e, RC_NOT_FOUND, "process %d is not running", (int)pid);
	if (kill(pid, SIGTERM) != 0 && errno != ESRCH)
		return FAIL(e, RC_FORBIDDEN, "cannot stop process %d: %s", (int)pid, "not permitted");
	if (gone_within(pid, grace_ms))
		return RC_OK;
	(void)kill(pid, SIGKILL);
	if (!gone_within(pid, 5000))
		return FAIL(e, RC_TIMEOUT, "process %d does not end", (int)pid);
	return RC_OK;
}

static uint32_t count_entries(const char *dir)
{
	uint32_t n = 0;
	DIR *d = opendir(dir);

	if (d == NULL)
		return 0;
	for (struct dirent *entry; (entry = readdir(d)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

enum rc process_usage_self(struct process_usage *out, struct err *e)
{
	struct rusage ru;
	unsigned long size, resident;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return fs_error(e, errno, "cannot read", "/proc/self/statm");
	int n = fscanf(f, "%lu %lu", &size, &resident);
	fclose(f);
	if (n != 2 || getrusage(RUSAGE_SELF, &ru) != 0)
		return FAIL(e, RC_IO, "cannot read this process's usage");
	out->rss_bytes = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
	out->cpu_us = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000u +
		      (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
	out->n_fds = count_entries("/proc/self/fd");
	out->n_threads = count_entries("/proc/self/task");
	return RC_OK;
}
