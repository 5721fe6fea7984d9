/* check.c -- where a broken promise ends the process. */
#include "base/check.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
	void *frame[32];

	dprintf(STDERR_FILENO, "cairn: bug: %s:%d: %s\n", file, line, what);
	backtrace_symbols_fd(frame, backtrace(frame, 32), STDERR_FILENO);
	abort();
}
