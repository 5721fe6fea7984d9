/* main.c -- the cairn program: `cairn up --foreground [--data DIR] [--listen ADDRESS:PORT]`. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"

int main(int argc, char **argv)
{
	struct core_options o = { .data_dir = "cairn-data" };
	struct err e = ERR_INIT;
	struct core *c;
	sigset_t set;
	int sig;

	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--data") == 0)
			o.data_dir = argv[i + 1];
		else if (strcmp(argv[i], "--listen") == 0)
			o.listen = argv[i + 1];
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	enum rc rc = core_open(&o, &c, &e);
	if (rc == RC_OK) {
		rc = core_listen(c, &e);
		if (rc == RC_OK)
			sigwait(&set, &sig);
		core_close(&c);
	}
	if (rc != RC_OK)
		(void)fprintf(stderr, "error: %s\n", e.msg);
	return rc_exit(rc);
}
