/* layers.c -- which file may include which, as src/LAYERS says; and public functions that nobody calls. */
#include "tidy.h"

#include <string.h>

/* Headers of C17, POSIX and Linux. Any other is a library's and needs a `wraps` line. */
static const char *const system_headers[] = {
	"assert.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "limits.h", "locale.h", "math.h", "setjmp.h", "signal.h",
	"stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h",
	"string.h", "strings.h", "tgmath.h", "threads.h", "time.h", "uchar.h", "wchar.h", "wctype.h",
	"dirent.h", "dlfcn.h", "fcntl.h", "fnmatch.h", "ftw.h", "getopt.h", "glob.h", "grp.h", "ifaddrs.h", "langinfo.h", "libgen.h",
	"netdb.h", "poll.h", "pthread.h", "pwd.h", "regex.h", "sched.h", "semaphore.h", "spawn.h", "syslog.h", "termios.h", "unistd.h",
	"execinfo.h", "malloc.h", "link.h", "immintrin.h", "charconv", "cmath", "cstdint", "cstring", "system_error",
};
static const char *const system_dirs[] = { "sys/", "linux/", "arpa/", "netinet/", "net/" };

static const struct words *words_find(const struct words *at, size_t n, str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(at[i].name, name))
			return &at[i];
	}
	return NULL;
}

static bool words_has(const struct words *w, str word)
{
	for (size_t i = 0; i < w->word.n; i++) {
		if (str_eq(w->word.at[i], word))
			return true;
	}
	return false;
}

static str first_part(str path)
{
	ptrdiff_t slash = str_find_char(path, '/');

	return slash >= 0 ? str_head(path, (size_t)slash) : path;
}

/* "modules/lake/csv.c" is of the module lake; modules.c itself of none. */
static str module_of(str path)
{
	str rest = str_skip(path, 8);

	return str_starts(path, STR("modules/")) && str_find_char(rest, '/') >= 0 ? first_part(rest) : STR_NONE;
}

static void module_include(struct tree *t, const struct source *s, str from, str header, int line)
{
	str mine = module_of(from), other = module_of(header);

	if (other.len == 0 || str_eq(mine, other))
		return;
	if (!str_eq(header, arena_printf(&t->arena, "modules/" STR_FMT "/" STR_FMT ".h", STR_ARG(other), STR_ARG(other)))) {
		report(t, "include", s, line, STR_NONE, 1, STR_FMT " is a private room of " STR_FMT ": include its " STR_FMT ".h",
		       STR_ARG(header), STR_ARG(other), STR_ARG(other));
		return;
	}
	const struct words *edge = words_find(t->edge.at, t->edge.n, mine);
	if (mine.len > 0 && (edge == NULL || !words_has(edge, other)))
		report(t, "include", s, line, STR_NONE, 1, "src/LAYERS has no edge from " STR_FMT " to " STR_FMT ": turn the dependency round, "
		       "or argue for the edge there", STR_ARG(mine), STR_ARG(other));
}

static void own_include(struct tree *t, const struct source *s, str header, int line)
{
	str from = str_skip(s->path, 4), layer = first_part(from), target = first_part(header);
	const struct words *l;

	if (str_eq(from, STR("modules.c")))
		layer = STR("modules");
	if (str_find_char(header, '/') < 0 || (l = words_find(t->layer.at, t->layer.n, layer)) == NULL) {
		report(t, "include", s, line, STR_NONE, 1, "\"" STR_FMT "\": write it from src/, in a layer that src/LAYERS names", STR_ARG(header));
		return;
	}
	if (!str_eq(target, layer) && !words_has(l, target))
		report(t, "include", s, line, STR_NONE, 1, STR_FMT " may not include " STR_FMT ": dependencies point downwards (src/LAYERS)",
		       STR_ARG(layer), STR_ARG(header));
	module_include(t, s, from, header, line);
}

static void library_include(struct tree *t, const struct source *s, str header, int line)
{
	const struct words *w = words_find(t->wraps.at, t->wraps.n, header);

	if (w != NULL && !words_has(w, s->path))
		report(t, "include", s, line, STR_NONE, 1, "<" STR_FMT "> is wrapped by " STR_FMT ": use that", STR_ARG(header),
		       STR_ARG(w->word.n > 0 ? w->word.at[0] : STR("nothing")));
	if (w != NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(system_headers); i++) {
		if (str_eq(header, str_of(system_headers[i])))
			return;
	}
	for (size_t i = 0; i < ARRAY_LEN(system_dirs); i++) {
		if (str_starts(header, str_of(system_dirs[i])))
			return;
	}
	report(t, "include", s, line, STR_NONE, 1, "<" STR_FMT "> has no `wraps` line in src/LAYERS: a library is used behind one header of ours",
	       STR_ARG(header));
}

static void include(struct tree *t, const struct source *s, str line_text, int line)
{
	str rest = str_trim(str_skip(str_trim(line_text), 1));

	if (!str_starts(rest, STR("include")))
		return;
	rest = str_trim(str_skip(rest, 7));
	ptrdiff_t end = rest.len > 1 ? str_find_char(str_skip(rest, 1), rest.at[0] == '<' ? '>' : '"') : -1;
	if (end <= 0)
		return;
	str header = str_n(rest.at + 1, (size_t)end);
	if (rest.at[0] == '<' || words_find(t->wraps.at, t->wraps.n, header) != NULL)
		library_include(t, s, header, line);
	else
		own_include(t, s, header, line);
}

void rules_layers(struct tree *t, const struct source *s)
{
	str rest = s->text, line_text;
	int line = 0;

	if (!str_starts(s->path, STR("src/")))
		return;
	while (str_cut(&rest, '\n', &line_text)) {
		size_t at = (size_t)(line_text.at - s->text.at);
		line++;
		if (line_text.len > 0 && s->code[at] == '#')
			include(t, s, line_text, line);
	}
}

/* --- LAYERS itself --------------------------------------------------------------------------------------- */

static bool reaches(const struct tree *t, str from, str to, size_t depth)
{
	const struct words *edge = words_find(t->edge.at, t->edge.n, from);

	if (edge == NULL || depth > t->edge.n)
		return false;
	for (size_t i = 0; i < edge->word.n; i++) {
		if (str_eq(edge->word.at[i], to) || reaches(t, edge->word.at[i], to, depth + 1))
			return true;
	}
	return false;
}

void rules_edges(struct tree *t)
{
	const struct source layers = { .path = STR("src/LAYERS") };

	for (size_t i = 0; i < t->edge.n; i++) {
		str name = t->edge.at[i].name;
		if (reaches(t, name, name, 0))
			report(t, "cycle", &layers, 1, name, 1, "module " STR_FMT " depends on itself through its edges", STR_ARG(name));
	}
}

/* --- public functions that nobody calls -------------------------------------------------------------------- */

struct count { long n; };

static void count_words(struct tree *t, struct map *m, const struct source *s)
{
	for (size_t i = 0; i < s->text.len; i++) {
		size_t begin = i;
		if (!is_word_char(s->code[i]) || (s->code[i] >= '0' && s->code[i] <= '9'))
			continue;
		while (i < s->text.len && is_word_char(s->code[i]))
			i++;
		str word = str_n(s->code + begin, i - begin);
		struct count *c = map_find(m, word);
		if (c == NULL) {
			c = ARENA_NEW(&t->arena, struct count);
			map_put(m, word, c);
		}
		c->n++;
	}
}

static struct map *counts_of(struct tree *t)
{
	struct map *m = ARENA_NEW(&t->arena, struct map);

	map_init(m, &t->arena);
	for (size_t i = 0; i < t->file.n; i++)
		count_words(t, m, &t->file.at[i]);
	return m;
}

struct prototypes { VEC(str) name; VEC(int) line; };

static void check_prototypes(struct tree *t, const struct source *s, struct map *counts)
{
	str rest = str_n(s->plain, s->text.len), line_text;
	int line = 0;

	/* Prototypes begin at the left margin; continuation lines do not. */
	while (str_cut(&rest, '\n', &line_text)) {
		line++;
		bool starts = line_text.len > 0 && is_word_char(line_text.at[0]) && !str_starts(line_text, STR("typedef")) &&
			      line_text.at[0] != '_' && !str_starts(line_text, STR("static"));
		str name = starts ? item_name(line_text) : STR_NONE;
		const struct count *c = name.len > 0 ? map_find(counts, name) : NULL;
		if (c != NULL && c->n <= 2)
			note(t, "unused", s, line, STR_FMT " is declared here and used nowhere: use it or remove it", STR_ARG(name));
	}
}

void rules_unused(struct tree *t)
{
	struct map *counts = counts_of(t);

	for (size_t i = 0; i < t->file.n; i++) {
		const struct source *s = &t->file.at[i];
		if (str_starts(s->path, STR("src/")) && str_ends(s->path, STR(".h")))
			check_prototypes(t, s, counts);
	}
}
