/* text.c -- names, calls and texts that do not belong where they stand. */
#include "tidy.h"

static bool in_layer(const struct source *s, const char *dir)
{
	return str_starts(s->path, str_of(dir));
}

static str base_name(str path)
{
	for (size_t i = path.len; i > 0; i--) {
		if (path.at[i - 1] == '/')
			return str_skip(path, i);
	}
	return path;
}

/* --- file names ------------------------------------------------------------------------------------------ */

static void file_name(struct tree *t, const struct source *s)
{
	static const char *const banned[] = { "util", "utils", "common", "helper", "helpers", "misc" };
	str stem = base_name(s->path);

	stem = str_head(stem, (size_t)str_find_char(stem, '.'));
	for (size_t i = 0; i < ARRAY_LEN(banned); i++) {
		if (find_word(stem.at, stem.len, 0, str_of(banned[i])) < stem.len || str_ends(stem, arena_printf(&t->arena, "_%s", banned[i])))
			report(t, "name", s, 1, STR_NONE, 1, "a file is named after what it holds, not '%s'", banned[i]);
	}
}

/* --- calls ------------------------------------------------------------------------------------------------- */

static const struct { const char *name, *cure; } banned_calls[] = {
	{ "sprintf",  "buf_addf, arena_printf or snprintf" },
	{ "vsprintf", "buf_vaddf or vsnprintf" },
	{ "strcpy",   "arena_dup or str_to_c" },
	{ "strcat",   "buf_add" },
	{ "strncpy",  "str_to_c" },
	{ "strncat",  "buf_add" },
	{ "stpcpy",   "buf_add" },
	{ "gets",     "fs_read" },
	{ "atoi",     "str_to_i64, which says when it is no number" },
	{ "atol",     "str_to_i64, which says when it is no number" },
	{ "atoll",    "str_to_i64, which says when it is no number" },
	{ "atof",     "str_to_f64, which says when it is no number" },
	{ "strtok",   "str_cut" },
	{ "strtok_r", "str_cut" },
	{ "system",   "process_run, which starts a program without a shell" },
	{ "popen",    "process_run, which starts a program without a shell" },
	{ "alloca",   "an arena" },
	{ "rand",     "rng_u64 or a seeded struct rng" },
	{ "srand",    "rng_seed" },
	{ "tmpnam",   "mkstemp below the data directory's tmp/" },
	{ "mktemp",   "mkstemp below the data directory's tmp/" },
	{ "localtime", "clock_put_rfc3339: times are UTC" },
	{ "ctime",    "clock_put_rfc3339" },
	{ "asctime",  "clock_put_rfc3339" },
};

/* Calls each place where `name` is called. `->system(` and `.system(` are members. */
static void each_call(struct tree *t, const struct source *s, const char *name,
		      void (*fn)(struct tree *, const struct source *, size_t at, const char *name, const char *cure), const char *cure)
{
	str word = str_of(name);

	for (size_t at = 0; (at = find_word(s->code, s->text.len, at, word)) < s->text.len; at++) {
		size_t after = at + word.len;
		while (after < s->text.len && s->code[after] == ' ')
			after++;
		bool member = at > 0 && (s->code[at - 1] == '.' || (at > 1 && s->code[at - 1] == '>' && s->code[at - 2] == '-'));
		if (s->code[after] == '(' && !member)
			fn(t, s, at, name, cure);
	}
}

static void banned_call(struct tree *t, const struct source *s, size_t at, const char *name, const char *cure)
{
	report(t, "call", s, source_line(s, at), STR_NONE, 1, "%s is not used here: use %s", name, cure);
}

/* One object that lives as long as a handle may come from calloc(1, …); arrays and texts may not. */
static void raw_memory(struct tree *t, const struct source *s, size_t at, const char *name, const char *cure)
{
	if (str_starts(str_n(s->code + at, s->text.len - at), STR("calloc(1, ")))
		return;
	report(t, "memory", s, source_line(s, at), STR_NONE, 1, "%s: %s", name, cure);
}

static void calls(struct tree *t, const struct source *s)
{
	static const char *const allocators[] = { "malloc", "calloc", "realloc", "strdup", "strndup" };

	for (size_t i = 0; i < ARRAY_LEN(banned_calls); i++)
		each_call(t, s, banned_calls[i].name, banned_call, banned_calls[i].cure);
	if (in_layer(s, "src/base/") || in_layer(s, "src/io/"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(allocators); i++)
		each_call(t, s, allocators[i], raw_memory, "memory comes from an arena or a buf outside base and io; a handle from calloc(1, …)");
}

/* --- texts --------------------------------------------------------------------------------------------------- */

static bool is_sql(str text)
{
	static const char *const starts[] = { "SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "CREATE INDEX ",
					      "ALTER TABLE ", "WHERE ", "ORDER BY ", " WHERE ", " ORDER BY ", " FROM " };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		if (str_starts(text, str_of(starts[i])))
			return true;
	}
	return str_starts(text, STR("UPDATE ")) && str_find(text, STR(" SET ")) > 0;
}

static str dir_of(str path)
{
	return str_head(path, path.len - base_name(path).len);
}

/* True when s, or a header in its folder, includes io/query.h: such a module speaks to DuckDB, in SQL. */
static bool queries(const struct tree *t, const struct source *s)
{
	for (size_t i = 0; i < t->file.n; i++) {
		const struct source *other = &t->file.at[i];
		bool near = other == s || (str_ends(other->path, STR(".h")) && str_eq(dir_of(other->path), dir_of(s->path)));
		if (near && str_find(other->text, STR("#include \"io/query.h\"")) >= 0)
			return true;
	}
	return false;
}

/* The rooms of a module that may speak SQL: store.c and its like, and checks.c, which looks at the rows itself, past the
 * code that it judges. Texts for DuckDB stand where it is spoken to. */
static bool may_hold_sql(const struct tree *t, const struct source *s)
{
	return !in_layer(s, "src/modules/") || str_find(base_name(s->path), STR("store")) >= 0 ||
	       str_eq(base_name(s->path), STR("checks.c")) || queries(t, s);
}

/* Migrations stand in the module's table, NAME/NAME.c: CREATE, ALTER, and the first rows. */
static bool is_migration(const struct source *s, str text)
{
	static const char *const starts[] = { "CREATE ", "ALTER ", "INSERT INTO ", "DROP ", "UPDATE " };
	str stem = str_head(base_name(s->path), base_name(s->path).len - 2), dir = dir_of(s->path);

	if (dir.len == 0 || !str_ends(str_head(dir, dir.len - 1), stem))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		if (str_starts(text, str_of(starts[i])))
			return true;
	}
	return false;
}

static void literals(struct tree *t, const struct source *s)
{
	bool sql_allowed = may_hold_sql(t, s), json_allowed = in_layer(s, "src/base/json") || !in_layer(s, "src/");

	for (size_t i = 0; i < s->literal.n; i++) {
		str text = str_n(s->text.at + s->literal.at[i].at, s->literal.at[i].len);
		int line = source_line(s, s->literal.at[i].at);
		if (!sql_allowed && is_sql(text) && !is_migration(s, text))
			report(t, "sql", s, line, STR_NONE, 1, "SQL stands in a module's store.c only");
		if (!json_allowed && str_find(text, STR("\\\":")) >= 0 && str_find_char(text, '%') >= 0)
			report(t, "json", s, line, STR_NONE, 1, "JSON is written by records or jw_ calls, not by a format");
	}
}

/* Split so that this file does not report itself. */
static const char *const leftover_words[] = { "TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK" };

static void leftovers(struct tree *t, const struct source *s)
{
	for (size_t i = 0; i < ARRAY_LEN(leftover_words); i++) {
		str word = str_of(leftover_words[i]);
		for (size_t at = 0; (at = find_word(s->text.at, s->text.len, at, word)) < s->text.len; at++) {
			bool commented = s->code[at] == ' ' && s->text.at[at] != ' ';
			if (commented)
				report(t, "leftover", s, source_line(s, at), STR_NONE, 1, STR_FMT ": do it, or say what holds now", STR_ARG(word));
		}
	}
}

void rules_text(struct tree *t, const struct source *s)
{
	file_name(t, s);
	leftovers(t, s);
	if (in_layer(s, "tests/"))
		return;
	calls(t, s);
	literals(t, s);
}
