/* args.c -- words into a command and its record. Flags may stand anywhere behind the program's name. */
#include "cli/cli.h"

#include <ctype.h>
#include <string.h>

#include "base/vec.h"

static const struct field global_fields[] = {
	FIELD(globals, url, K_STR, 0, "Where cairn answers; else CAIRN_URL, else the server of the data directory"),
	FIELD(globals, token, K_STR, 0, "Who asks; else CAIRN_TOKEN, else the data directory's admin.token"),
	FIELD(globals, data, K_STR, 0, "Data directory; else CAIRN_DATA, else ./cairn-data", .unit = "DIR"),
	FIELD(globals, json, K_BOOL, 0, "Print the API's answer as JSON"),
	FIELD(globals, help, K_BOOL, 0, "Tell what a command does and takes"),
};
static const struct record global_record = RECORD(globals, global_fields, "Flags of every command");

const struct record *args_globals(void)
{
	return &global_record;
}

str args_flag(struct arena *a, const struct field *f)
{
	char *text = arena_cstr(a, arena_printf(a, "--%s", f->name));

	for (char *p = text; *p != '\0'; p++)
		*p = *p == '_' ? '-' : *p;
	return str_of(text);
}

str args_placeholder(struct arena *a, const struct field *f)
{
	static const char *const words[] = {
		[K_I32] = "N", [K_I64] = "N", [K_F64] = "NUMBER", [K_TIME] = "TIME", [K_MS] = "DURATION", [K_STR] = "TEXT",
		[K_STRS] = "A,B", [K_PAIRS] = "NAME=VALUE", [K_JSON] = "JSON",
	};
	struct buf b = BUF_INIT(256);

	if (f->unit != NULL)
		return str_of(f->unit);
	if (f->kind == K_ENUM) {
		for (size_t i = 0; f->names[i] != NULL; i++)
			buf_addf(&b, "%s%s", i > 0 ? "|" : "", f->names[i]);
		str all = buf_to_arena(&b, a);
		buf_deinit(&b);
		return all;
	}
	if (!(f->flags & F_KEY))
		return str_of(f->kind < ARRAY_LEN(words) && words[f->kind] != NULL ? words[f->kind] : "VALUE");
	if (f->kind == K_PAIRS)
		return STR("NAME=VALUE…");
	char *name = arena_cstr(a, str_of(f->name));
	for (char *p = name; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return str_of(name);
}

/* --- near misses ----------------------------------------------------------------------------------------- */

static size_t slips(str a, str b)
{
	size_t row[64];

	if (a.len >= ARRAY_LEN(row) || b.len >= ARRAY_LEN(row))
		return SIZE_MAX;
	for (size_t k = 0; k <= b.len; k++)
		row[k] = k;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t k = 1; k <= b.len; k++) {
			size_t cost = corner + (a.at[i - 1] != b.at[k - 1]);
			size_t step = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
			corner = row[k];
			row[k] = cost < step ? cost : step;
		}
	}
	return row[b.len];
}

struct guess { str word, best; size_t n; };

static void guess_try(struct guess *g, str candidate)
{
	size_t n = slips(g->word, candidate);

	if (candidate.len > 0 && n < g->n) {
		g->n = n;
		g->best = candidate;
	}
}

/* "; did you mean 'show'?" or nothing. */
static str guess_text(const struct guess *g, struct arena *a)
{
	return g->best.len > 0 ? arena_printf(a, "; did you mean '" STR_FMT "'?", STR_ARG(g->best)) : STR("");
}

#define GUESS(w) ((struct guess){ .word = (w), .n = (w).len > 5 ? 4 : 3 })

/* --- the command ------------------------------------------------------------------------------------------ */

static enum rc unknown_noun(struct cli *c, str noun, struct err *e)
{
	struct guess g = GUESS(noun);

	for (size_t i = 0; i < n_cli_families; i++) {
		for (size_t k = 0; k < cli_families[i]->n; k++)
			guess_try(&g, str_of(cli_families[i]->command[k].noun));
	}
	str hint = guess_text(&g, c->arena);
	return FAIL(e, RC_INVALID, "unknown command '" STR_FMT "'" STR_FMT " (see cairn --help)", STR_ARG(noun), STR_ARG(hint));
}

static enum rc unknown_verb(struct cli *c, str noun, str verb, struct err *e)
{
	struct buf verbs = BUF_INIT(300);
	struct guess g = GUESS(verb);

	for (size_t i = 0; i < n_cli_families; i++) {
		for (size_t k = 0; k < cli_families[i]->n; k++) {
			const struct command *m = &cli_families[i]->command[k];
			if (!str_eq(str_of(m->noun), noun) || m->verb == NULL)
				continue;
			guess_try(&g, str_of(m->verb));
			buf_addf(&verbs, "%s%s", verbs.len > 0 ? ", " : "", m->verb);
		}
	}
	str hint = guess_text(&g, c->arena), all = buf_to_arena(&verbs, c->arena);
	buf_deinit(&verbs);
	if (verb.len == 0)
		return FAIL(e, RC_INVALID, "cairn " STR_FMT " needs one of: " STR_FMT, STR_ARG(noun), STR_ARG(all));
	return FAIL(e, RC_INVALID, "unknown command '" STR_FMT " " STR_FMT "'" STR_FMT "; there are: " STR_FMT, STR_ARG(noun), STR_ARG(verb),
		    STR_ARG(hint), STR_ARG(all));
}

/* The row of the words; *n_words says how many of them named it. A family with both `runs` and `runs list` takes the longer. */
static const struct command *command_find(str noun, str verb, size_t *n_words, bool *noun_known)
{
	const struct command *alone = NULL;

	*noun_known = false;
	for (size_t i = 0; i < n_cli_families; i++) {
		for (size_t k = 0; k < cli_families[i]->n; k++) {
			const struct command *m = &cli_families[i]->command[k];
			if (!str_eq(str_of(m->noun), noun))
				continue;
			*noun_known = true;
			if (m->verb == NULL)
				alone = m;
			*n_words = 2;
			if (m->verb != NULL && str_eq(str_of(m->verb), verb))
				return m;
		}
	}
	*n_words = 1;
	return alone;
}

/* --- words into fields ------------------------------------------------------------------------------------- */

struct parse {
	struct cli *c;
	int argc;
	char **argv;
	int at;
	VEC(str) word;          /* that are no flags */
	VEC(struct pair) flag;  /* name as written, value; value.at NULL: none was given with '=' */
	const struct command *command;
	void *in;
};

static const struct field *flag_find(const struct record *r, str name, struct arena *a)
{
	for (size_t i = 0; r != NULL && i < r->n_field; i++) {
		if (!(r->field[i].flags & F_KEY) && str_eq(args_flag(a, &r->field[i]), name))
			return &r->field[i];
	}
	return NULL;
}

static enum rc unknown_flag(struct parse *p, const struct command *k, str name, struct err *e)
{
	struct guess g = GUESS(name);
	const struct record *both[] = { k->in, &global_record };
	struct arena *a = p->c->arena;

	for (size_t r = 0; r < ARRAY_LEN(both); r++) {
		for (size_t i = 0; both[r] != NULL && i < both[r]->n_field; i++) {
			if (!(both[r]->field[i].flags & F_KEY))
				guess_try(&g, args_flag(a, &both[r]->field[i]));
		}
	}
	str hint = guess_text(&g, a);
	return FAIL(e, RC_INVALID, "unknown flag '" STR_FMT "'" STR_FMT " (see cairn %s%s%s --help)", STR_ARG(name), STR_ARG(hint), k->noun,
		    k->verb != NULL ? " " : "", k->verb != NULL ? k->verb : "");
}

static enum rc set_field(struct parse *p, const struct field *f, str shown, str text, void *obj, struct err *e)
{
	if (f->kind == K_PAIRS)
		return FAIL(e, RC_INTERNAL, STR_FMT " is not read from one word", STR_ARG(shown));
	if (field_from_text(f, text, p->c->arena, obj, e) != RC_OK) {
		/* "name: message" becomes "--flag: message" */
		str msg = arena_dup(p->c->arena, str_of(e->msg)), head = arena_printf(p->c->arena, "%s: ", f->name);
		while (str_starts(msg, head))
			msg = str_skip(msg, head.len);
		return FAIL(e, e->rc, STR_FMT ": " STR_FMT, STR_ARG(shown), STR_ARG(msg));
	}
	return RC_OK;
}

/* Takes the flag at argv[at]; its value may be the next word. */
static enum rc take_flag(struct parse *p, const struct command *k, struct err *e)
{
	str word = str_of(p->argv[p->at]), name = word, value = STR_NONE;
	ptrdiff_t eq = str_find_char(word, '=');
	const struct record *own = k != NULL ? k->in : NULL;
	void *obj = p->in;

	if (str_eq(word, STR("-h")))
		name = STR("--help");
	if (eq > 0) {
		name = str_head(word, (size_t)eq);
		value = str_skip(word, (size_t)eq + 1);
	}
	const struct field *f = flag_find(own, name, p->c->arena);
	if (f == NULL) {
		f = flag_find(&global_record, name, p->c->arena);
		obj = &p->c->global;
	}
	if (f == NULL && k == NULL)
		return FAIL(e, RC_INVALID, "unknown flag '" STR_FMT "' (see cairn --help)", STR_ARG(name));
	if (f == NULL)
		return unknown_flag(p, k, name, e);
	if (value.at == NULL && f->kind == K_BOOL)
		value = STR("true");
	if (value.at == NULL) {
		str want = args_placeholder(p->c->arena, f);
		if (p->at + 1 >= p->argc)
			return FAIL(e, RC_INVALID, STR_FMT " needs a value: " STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(name), STR_ARG(want));
		value = str_of(p->argv[++p->at]);
	}
	if (obj == p->in)
		p->c->given |= UINT64_C(1) << (f - own->field);
	return set_field(p, f, name, value, obj, e);
}

static enum rc take_pairs(struct parse *p, const struct field *f, size_t from, struct err *e)
{
	VEC(struct pair) pairs = { 0 };

	for (size_t i = from; i < p->word.n; i++) {
		str rest = p->word.at[i], name;
		(void)str_cut(&rest, '=', &name);
		if (rest.at == NULL || name.len == 0)
			return FAIL(e, RC_INVALID, "'" STR_FMT "' is not NAME=VALUE", STR_ARG(p->word.at[i]));
		*VEC_PUSH(p->c->arena, &pairs) = (struct pair){ name, rest };
	}
	*(struct list *)field_slot(f, p->in) = (struct list)LIST_OF(pairs);
	return RC_OK;
}

/* The words behind the command's own fill its F_KEY fields in order. */
static enum rc take_arguments(struct parse *p, size_t from, struct err *e)
{
	const struct record *r = p->command->in;
	str usage = help_usage(p->c->arena, p->command);

	for (size_t i = 0; r != NULL && i < r->n_field; i++) {
		const struct field *f = &r->field[i];
		if (!(f->flags & F_KEY))
			continue;
		if (from >= p->word.n && !(f->flags & F_REQUIRED))
			continue;
		str shown = args_placeholder(p->c->arena, f);
		if (from >= p->word.n)
			return FAIL(e, RC_INVALID, STR_FMT " is missing: " STR_FMT, STR_ARG(shown), STR_ARG(usage));
		p->c->given |= UINT64_C(1) << i;
		if (f->kind == K_PAIRS) {
			TRY(take_pairs(p, f, from, e));
			from = p->word.n;
			continue;
		}
		TRY(set_field(p, f, shown, p->word.at[from++], p->in, e));
	}
	if (from < p->word.n)
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is one word too many: " STR_FMT, STR_ARG(p->word.at[from]), STR_ARG(usage));
	return RC_OK;
}

static enum rc missing_flags(struct parse *p, struct err *e)
{
	const struct record *r = p->command->in;

	for (size_t i = 0; r != NULL && i < r->n_field; i++) {
		const struct field *f = &r->field[i];
		if ((f->flags & F_REQUIRED) && !(f->flags & F_KEY) && !(p->c->given >> i & 1)) {
			str name = args_flag(p->c->arena, f), usage = help_usage(p->c->arena, p->command);
			return FAIL(e, RC_INVALID, STR_FMT " is missing: " STR_FMT, STR_ARG(name), STR_ARG(usage));
		}
	}
	return RC_OK;
}

static bool is_flag(const char *word)
{
	return word[0] == '-' && word[1] != '\0' && !isdigit((unsigned char)word[1]) && word[1] != '.';
}

/* The first one or two words that are no flags name the command. Flags before them can only be global ones. */
static enum rc find_words(struct parse *p, str words[2], int end[2], struct err *e)
{
	size_t n = 0;

	for (p->at = 1; p->at < p->argc && n < 2; p->at++) {
		if (!is_flag(p->argv[p->at])) {
			words[n] = str_of(p->argv[p->at]);
			end[n++] = p->at + 1;
			continue;
		}
		const struct field *f = flag_find(&global_record, str_of(p->argv[p->at]), p->c->arena);
		if (n == 1 && f == NULL)
			return RC_OK;   /* a flag of a one-word command */
		TRY(take_flag(p, NULL, e));
	}
	return RC_OK;
}

static enum rc read_words(struct parse *p, int from, struct err *e)
{
	bool open = true;       /* until "--" */

	for (p->at = from; p->at < p->argc; p->at++) {
		const char *word = p->argv[p->at];
		if (open && strcmp(word, "--") == 0)
			open = false;
		else if (open && is_flag(word))
			TRY(take_flag(p, p->command, e));
		else
			*VEC_PUSH(p->c->arena, &p->word) = str_of(word);
	}
	return RC_OK;
}

enum rc args_parse(struct cli *c, int argc, char **argv, const struct command **command, str *noun, void **in_out, struct err *e)
{
	struct parse p = { .c = c, .argc = argc, .argv = argv };
	str words[2] = { STR_NONE, STR_NONE };
	int end[2] = { 1, 1 };
	size_t n_words;
	bool known;

	*command = NULL;
	*noun = STR_NONE;
	TRY(find_words(&p, words, end, e));
	bool help = str_eq(words[0], STR("help"));
	if (help && words[1].at != NULL && end[1] < argc && !is_flag(argv[end[1]])) {
		words[0] = words[1];
		words[1] = str_of(argv[end[1]]);
	} else if (help) {
		words[0] = words[1];
		words[1] = STR_NONE;
	}
	c->global.help = c->global.help || help;
	if (words[0].len == 0)
		return c->global.help ? RC_OK : FAIL(e, RC_INVALID, "a command is missing (see cairn --help)");
	p.command = command_find(words[0], words[1], &n_words, &known);
	*noun = words[0];
	if (!known)
		return unknown_noun(c, words[0], e);
	if (p.command == NULL)
		return c->global.help && words[1].len == 0 ? RC_OK : unknown_verb(c, words[0], words[1], e);
	*command = p.command;
	if (help)
		return RC_OK;
	p.in = arena_alloc(c->arena, p.command->in != NULL ? p.command->in->size : 1);
	TRY(read_words(&p, end[n_words - 1], e));
	if (c->global.help)
		return RC_OK;
	TRY(take_arguments(&p, 0, e));
	TRY(missing_flags(&p, e));
	if (p.command->in != NULL)
		TRY(record_finish(p.command->in, c->given, c->arena, 0, p.in, e));
	*in_out = p.in;
	return RC_OK;
}
