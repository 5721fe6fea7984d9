/* help.c -- help from the command tables. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static str flag_words(struct arena *a, const struct field *f)
{
	str flag = args_flag(a, f);

	if (f->kind == K_BOOL)
		return flag;
	str value = args_placeholder(a, f);
	return arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(flag), STR_ARG(value));
}

/* Padded by characters: a byte that continues one takes no place. */
static void print_padded(str s, size_t wide)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
	printf("  " STR_FMT "%*s ", STR_ARG(s), n < wide ? (int)(wide - n) : 0, "");
}

str help_usage(struct arena *a, const struct command *k)
{
	struct buf b = BUF_INIT(2048);
	size_t n_optional = 0;

	buf_addf(&b, "cairn %s%s%s", k->noun, k->verb != NULL ? " " : "", k->verb != NULL ? k->verb : "");
	for (size_t i = 0; k->in != NULL && i < k->in->n_field; i++) {
		const struct field *f = &k->in->field[i];
		bool must = (f->flags & F_REQUIRED) != 0;
		str text = f->flags & F_KEY ? args_placeholder(a, f) : flag_words(a, f);
		if (!(f->flags & F_KEY) && !must) {
			n_optional++;
			continue;
		}
		buf_addf(&b, must ? " " STR_FMT : " [" STR_FMT "]", STR_ARG(text));
	}
	if (n_optional > 0)
		buf_add(&b, STR(" [flags]"));
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}

static void print_field(struct arena *a, const struct field *f)
{
	str left = f->flags & F_KEY ? args_placeholder(a, f) : flag_words(a, f);

	print_padded(left, 26);
	fputs(f->doc, stdout);
	if (f->def != NULL)
		printf(" (default %s)", f->def);
	if (f->flags & F_REQUIRED && !(f->flags & F_KEY))
		printf(" (required)");
	putchar('\n');
}

static void print_fields(struct arena *a, const struct record *r, const char *title, bool keys)
{
	bool any = false;

	for (size_t i = 0; r != NULL && i < r->n_field; i++) {
		if (((r->field[i].flags & F_KEY) != 0) != keys)
			continue;
		if (!any)
			printf("\n%s\n", title);
		any = true;
		print_field(a, &r->field[i]);
	}
}

void help_command(struct cli *c, const struct command *k)
{
	str usage = help_usage(c->arena, k);

	printf("%s\n\nUsage: " STR_FMT "\n", k->doc, STR_ARG(usage));
	print_fields(c->arena, k->in, "Arguments:", true);
	print_fields(c->arena, k->in, "Flags:", false);
	print_fields(c->arena, args_globals(), "Flags of every command:", false);
	if (k->example != NULL)
		printf("\nExample:\n  %s\n", k->example);
}

static void print_command(struct arena *a, const struct command *k)
{
	str usage = help_usage(a, k);

	print_padded(str_skip(usage, strlen("cairn ")), 50);
	puts(k->doc);
}

void help_noun(struct cli *c, str noun)
{
	printf("Usage: cairn " STR_FMT " COMMAND\n\nCommands:\n", STR_ARG(noun));
	for (size_t i = 0; i < n_cli_families; i++) {
		for (size_t k = 0; k < cli_families[i]->n; k++) {
			if (str_eq(str_of(cli_families[i]->command[k].noun), noun))
				print_command(c->arena, &cli_families[i]->command[k]);
		}
	}
	printf("\ncairn " STR_FMT " COMMAND --help tells more of one.\n", STR_ARG(noun));
}

void help_program(struct cli *c)
{
	printf("cairn %s: an AI platform in one program\n\nUsage: cairn COMMAND [arguments] [flags]\n", CAIRN_VERSION);
	for (size_t i = 0; i < n_cli_families; i++) {
		printf("\n%s\n", cli_families[i]->title);
		for (size_t k = 0; k < cli_families[i]->n; k++)
			print_command(c->arena, &cli_families[i]->command[k]);
	}
	print_fields(c->arena, args_globals(), "Flags of every command:", false);
	printf("\nStart with: cairn up. cairn COMMAND --help tells more of a command.\n"
	       "Exit codes: 0 done, 1 fault, 2 wrong usage or input, 3 not allowed, 4 not found, 5 conflict, 6 a gate or check said no,\n"
	       "7 limit reached, 8 cancelled, 9 cairn or another server does not answer.\n");
}
