/* main.c -- the cairn program: finds the command, runs it, and tells how it ended. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "io/crypto.h"

extern const struct family server_commands_family, data_commands_family, feature_commands_family, model_commands_family,
	endpoint_commands_family, replay_commands_family, watch_commands_family, proof_commands_family;

const struct family *const cli_families[] = {
	&server_commands_family,   &data_commands_family,   &feature_commands_family, &model_commands_family,
	&endpoint_commands_family, &replay_commands_family, &watch_commands_family,   &proof_commands_family,
};
const size_t n_cli_families = ARRAY_LEN(cli_families);

static enum rc run(struct cli *c, const void *in, struct err *e)
{
	const struct command *k = c->command;
	struct http_answer got;

	if (k->run != NULL)
		return k->run(c, in, e);
	TRY(client_run(c, in, &got, e));
	str answer = got.body;
	if (k->flags & CMD_TASK)
		TRY(task_follow(c, got.body, &answer, e));
	return answer_show(c, answer, e);
}

static int tell(const struct cli *c, struct err *e)
{
	/* A message may repeat what stood in data: nothing of it steers the terminal. */
	for (char *p = e->msg; *p != '\0'; p++)
		*p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
	bool named = e->field[0] == '\0' || str_find(str_of(e->msg), str_of(e->field)) >= 0;

	(void)fflush(stdout);
	(void)fprintf(stderr, "%serror:%s %s%s%s%s\n", c->tty_err ? "\033[31m" : "", c->tty_err ? "\033[0m" : "", e->msg, named ? "" : " (",
		      named ? "" : e->field, named ? "" : ")");
	return rc_exit(e->rc);
}

int main(int argc, char **argv)
{
	struct arena arena;
	struct cli c = { .arena = &arena, .program = argc > 0 ? argv[0] : "cairn", .tty_out = isatty(STDOUT_FILENO) == 1, .tty_err = isatty(STDERR_FILENO) == 1 };
	struct err e = ERR_INIT;
	str noun;
	void *in = NULL;
	int status = 0;

	arena_init(&arena);
	crypto_init();
	enum rc rc = args_parse(&c, argc, argv, &c.command, &noun, &in, &e);
	if (rc != RC_OK)
		status = tell(&c, &e);
	else if (c.global.help && c.command != NULL)
		help_command(&c, c.command);
	else if (c.global.help)
		noun.len > 0 ? help_noun(&c, noun) : help_program(&c);
	else if (run(&c, in, &e) != RC_OK)
		status = tell(&c, &e);
	if (fflush(stdout) != 0 && status == 0) {
		(void)fprintf(stderr, "error: cannot write the output\n");
		status = rc_exit(RC_IO);
	}
	http_client_close(&c.http);
	arena_deinit(&arena);
	return status;
}
