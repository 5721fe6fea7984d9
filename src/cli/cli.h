/* cli.h -- commands as tables, and what one invocation of cairn is run with.
 *
 * A command is a row: its words, its arguments and flags as a record, and either the request that it is (method, path,
 * how to show the answer) or a function. Parsing, help, requests, errors and output follow from the row. Every command
 * but `up` is a client of the API that users call. One thread runs a command; all its memory is one arena.
 */
#ifndef CAIRN_CLI_CLI_H
#define CAIRN_CLI_CLI_H

#include "base/record.h"
#include "core/route.h"
#include "io/http_client.h"

struct globals { str url, token, data; bool json, help; };

struct cli {
	struct arena *arena;
	struct http_client *http;       /* opened by the first request */
	struct globals global;
	const char *program;            /* as it was called, for commands that are shown */
	const struct command *command;
	uint64_t given;                 /* bit i: field i of command->in stood on the command line */
	bool tty_out, tty_err;
};

/* A column of a table: where its value stands in an element of the answer ("dataset.n_rows"), and how to show it. */
enum show { SHOW_TEXT, SHOW_COUNT, SHOW_BYTES, SHOW_NUMBER, SHOW_TIME, SHOW_TIME_MS, SHOW_SHARE, SHOW_US, SHOW_TOOK, SHOW_N };
struct column { const char *path, *title; enum show show; };

enum command_flags {
	CMD_TASK = 1u << 0,     /* the answer is a task, which is followed to its end; `done` tells of its result */
	CMD_FILE = 1u << 1,     /* field `file` of `in` names a YAML or JSON file that is sent as it is */
	CMD_QUERY = 1u << 2,    /* fields go into the query string whatever the method */
	CMD_RAW = 1u << 3,      /* the answer is printed as it comes */
	CMD_ROWS = 1u << 4,     /* the answer is rows with their columns, as of a query */
};
struct command {
	const char *noun, *verb;        /* verb NULL: the noun alone is the command */
	const char *doc, *example;
	const struct record *in;        /* F_KEY: an argument, in order (a list takes the rest); else a flag. May be NULL */
	const char *method, *path;      /* "/api/cairn/v1/datasets/{name}": parameters from `in`, the rest is query or body */
	const char *list;               /* the answer's list that is shown as a table */
	const struct column *columns;   /* of it, or of the answer itself; ends with path NULL. NULL: all that is there */
	const char *done;               /* a line with "{path}" or "{path:count}" of the answer or the task's result */
	enum rc (*run)(struct cli *c, const void *in, struct err *e);  /* instead of all that */
	unsigned flags;
};

struct family { const struct command *command; size_t n; const char *title; };
#define FAMILY(var, text) const struct family var##_family = { var, ARRAY_LEN(var), text }
extern const struct family *const cli_families[];
extern const size_t n_cli_families;

/* --- where the data and the server are (server.c) ------------------------------------------------------- */

/* --data, else CAIRN_DATA, else ./cairn-data */
str cli_data_dir(const struct cli *c);
struct server_told { int64_t pid; str url, version; int64_t started_ms; };
/* What DATA/server.json says. *running is false when the file is missing or its process gone. */
enum rc server_told(struct cli *c, str data_dir, struct server_told *out, bool *running, struct err *e) MUST_USE;

/* --- requests (client.c) ----------------------------------------------------------------------------------- */

struct ask {
	const char *method;
	str path;               /* absolute, query included */
	str body, body_type;    /* type empty: JSON */
	str source_name;        /* names the file in errors, or empty */
	const char *body_file;  /* streamed instead of body */
	uint32_t total_ms;
};
/* --url, else CAIRN_URL, else what DATA/server.json says, else http://127.0.0.1:7070. No trailing slash. */
enum rc client_url(struct cli *c, str *out, struct err *e) MUST_USE;
/* --token, else CAIRN_TOKEN, else DATA/admin.token, else none. */
str client_token(struct cli *c);
/* An answer below 400, or its error as one of ours. */
enum rc client_ask(struct cli *c, const struct ask *q, struct http_answer *out, struct err *e) MUST_USE;
/* The request that a row of the table describes. */
enum rc client_run(struct cli *c, const void *in, struct http_answer *out, struct err *e) MUST_USE;
/* An error in the form of any API that cairn serves, from a status of 400 and above. */
enum rc client_error(struct cli *c, int status, str body, struct err *e);

/* --- tasks (follow.c) ------------------------------------------------------------------------------------------- */

/* The answer is a task: shows its progress until it ends, Ctrl-C cancels it. Fails as the task failed. */
enum rc task_follow(struct cli *c, str task_json, str *result_json, struct err *e) MUST_USE;

/* --- the engine (args.c, help.c, main.c) ------------------------------------------------------------------------ */

/* Finds the command of argv and fills its record. RC_INVALID with the nearest known word. c->global is filled also on
 * failure, as far as it was read. *command is NULL when only help was asked for; then *noun says of what. */
enum rc args_parse(struct cli *c, int argc, char **argv, const struct command **command, str *noun, void **in_out,
		   struct err *e) MUST_USE;
const struct record *args_globals(void);
str args_flag(struct arena *a, const struct field *f);          /* "--total-ms" */
str args_placeholder(struct arena *a, const struct field *f);   /* "NAME", "N", "csv|json" */
void help_program(struct cli *c);
void help_noun(struct cli *c, str noun);
void help_command(struct cli *c, const struct command *k);
str help_usage(struct arena *a, const struct command *k);       /* "cairn dataset show NAME" */

#endif
