/* main.c -- the cairn program. */
#include <signal.h>
#include <stdio.h>

#include "core/core.h"

int main(int argc, char **argv)
{
	struct core_options o = { .data_dir = argc > 1 ? argv[1] : "cairn-data", .listen = argc > 2 ? argv[2] : NULL };
	struct err e = ERR_INIT;
	struct core *c;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (core_open(&o, &c, &e) != RC_OK || core_listen(c, &e) != RC_OK) {
		(void)fprintf(stderr, "error: %s\n", e.msg);
		return rc_exit(e.rc);
	}
	sigwait(&set, &sig);
	core_close(&c);
	return 0;
}
