/* process.h -- starting and ending other programs, and this one in the background. Blocks. */
#ifndef CAIRN_IO_PROCESS_H
#define CAIRN_IO_PROCESS_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/* Path of the running executable. */
enum rc process_self_path(struct arena *a, str *out, struct err *e) MUST_USE;
/* argv[0] is a path; stdout and stderr append to log_path; the child leads a new session. */
enum rc process_spawn_detached(const char *const *argv, const char *log_path, pid_t *pid_out, struct err *e) MUST_USE;
bool process_alive(pid_t pid);
/* SIGTERM, then SIGKILL after grace_ms; returns when it is gone. RC_NOT_FOUND when it was not there. */
enum rc process_stop(pid_t pid, uint32_t grace_ms, struct err *e) MUST_USE;
struct process_usage { uint64_t rss_bytes, cpu_us; uint32_t n_fds, n_threads; };
enum rc process_usage_self(struct process_usage *out, struct err *e) MUST_USE;

#endif
