/* tree.c -- reading the tree, and telling what was found. */
#include "tidy.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (4l << 20)
#define RATCHET "tools/tidy/ratchet.txt"

static bool read_file(struct tree *t, str path, str *out)
{
	FILE *f = fopen(arena_printf(&t->arena, STR_FMT "/" STR_FMT, STR_ARG(t->root), STR_ARG(path)).at, "rb");

	if (f == NULL)
		return false;
	bool whole = fseek(f, 0, SEEK_END) == 0;
	long size = whole ? ftell(f) : -1;
	whole = size >= 0 && size <= FILE_MAX && fseek(f, 0, SEEK_SET) == 0;
	if (whole) {
		char *at = arena_alloc(&t->arena, (size_t)size + 1);
		whole = fread(at, 1, (size_t)size, f) == (size_t)size;
		*out = str_n(at, (size_t)size);
	}
	(void)fclose(f);        /* was only read */
	return whole;
}

static bool is_source(str name)
{
	return str_ends(name, STR(".c")) || str_ends(name, STR(".h")) || str_ends(name, STR(".cc"));
}

static bool add_file(struct tree *t, str path)
{
	struct source s = { .path = path };

	if (!read_file(t, path, &s.text)) {
		(void)fprintf(stderr, "tidy: cannot read " STR_FMT "\n", STR_ARG(path));
		return false;
	}
	source_lex(t, &s);
	*VEC_PUSH(&t->arena, &t->file) = s;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

static bool add_dir(struct tree *t, str dir, bool must_exist)
{
	VEC(str) name = { 0 };
	DIR *d = opendir(arena_printf(&t->arena, STR_FMT "/" STR_FMT, STR_ARG(t->root), STR_ARG(dir)).at);
	bool ok = true;

	if (d == NULL) {
		if (must_exist)
			(void)fprintf(stderr, "tidy: cannot open " STR_FMT "/" STR_FMT ": %s\n", STR_ARG(t->root), STR_ARG(dir), strerror(errno));
		return !must_exist;
	}
	for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
		if (entry->d_name[0] != '.')
			*VEC_PUSH(&t->arena, &name) = arena_dup(&t->arena, str_of(entry->d_name));
	}
	(void)closedir(d);      /* was only read */
	if (name.n > 0)
		qsort(name.at, name.n, sizeof(*name.at), by_name);
	for (size_t i = 0; ok && i < name.n; i++) {
		str path = arena_printf(&t->arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name.at[i]));
		if (is_source(path))
			ok = add_file(t, path);
		else if (str_find_char(name.at[i], '.') < 0)
			ok = add_dir(t, path, false);
	}
	return ok;
}

/* --- LAYERS and the ratchet ------------------------------------------------------------------------------- */

/* "NAME: word word" */
static struct words words_read(struct tree *t, str line)
{
	struct words w = { 0 };
	str part;

	if (!str_cut(&line, ':', &w.name))
		return w;
	w.name = str_trim(w.name);
	while (str_cut(&line, ' ', &part)) {
		if (str_trim(part).len > 0)
			*VEC_PUSH(&t->arena, &w.word) = str_trim(part);
	}
	return w;
}

static bool read_layers(struct tree *t)
{
	str text, line, kind;

	if (!read_file(t, STR("src/LAYERS"), &text)) {
		(void)fprintf(stderr, "tidy: cannot read src/LAYERS\n");
		return false;
	}
	while (str_cut(&text, '\n', &line)) {
		str rest = line;
		if (line.len == 0 || line.at[0] == '#' || !str_cut(&rest, ' ', &kind))
			continue;
		if (str_eq(kind, STR("layer")))
			*VEC_PUSH(&t->arena, &t->layer) = words_read(t, rest);
		else if (str_eq(kind, STR("edge")))
			*VEC_PUSH(&t->arena, &t->edge) = words_read(t, rest);
		else if (str_eq(kind, STR("wraps")))
			*VEC_PUSH(&t->arena, &t->wraps) = words_read(t, rest);
	}
	return true;
}

/* "RULE KEY SIZE" a line. */
static void read_ratchet(struct tree *t)
{
	str text, line;

	if (!read_file(t, STR(RATCHET), &text))
		return;
	while (str_cut(&text, '\n', &line)) {
		struct allowance a = { 0 };
		str size;
		int64_t n;
		if (line.len == 0 || line.at[0] == '#' || !str_cut(&line, ' ', &a.rule) || !str_cut(&line, ' ', &a.key) ||
		    !str_cut(&line, ' ', &size) || !str_to_i64(size, &n))
			continue;
		a.size = n;
		*VEC_PUSH(&t->arena, &t->ratchet) = a;
	}
}

bool tree_read(struct tree *t, const char *root)
{
	memset(t, 0, sizeof(*t));
	arena_init(&t->arena);
	t->root = arena_dup(&t->arena, str_of(root));
	if (!read_layers(t))
		return false;
	read_ratchet(t);
	return add_dir(t, STR("src"), true) && add_dir(t, STR("tools"), false) && add_dir(t, STR("tests"), false);
}

void tree_check(struct tree *t)
{
	for (size_t i = 0; i < t->file.n; i++) {
		if (!str_starts(t->file.at[i].path, STR("tests/")))
			rules_shape(t, &t->file.at[i]);
		rules_text(t, &t->file.at[i]);
		rules_layers(t, &t->file.at[i]);
	}
	rules_edges(t);
	rules_unused(t);
}

/* --- findings -------------------------------------------------------------------------------------------------- */

void report(struct tree *t, const char *rule, const struct source *s, int line, str name, long size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str text = arena_vprintf(&t->arena, fmt, ap);
	va_end(ap);
	*VEC_PUSH(&t->arena, &t->finding) = (struct finding){
		.rule = rule, .path = s->path, .text = text, .line = line, .size = size,
		.key = name.len > 0 ? arena_printf(&t->arena, STR_FMT ":" STR_FMT, STR_ARG(s->path), STR_ARG(name)) : s->path,
	};
}

void note(struct tree *t, const char *rule, const struct source *s, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str text = arena_vprintf(&t->arena, fmt, ap);
	va_end(ap);
	*VEC_PUSH(&t->arena, &t->note) = (struct finding){ .rule = rule, .path = s->path, .text = text, .line = line, .key = s->path };
}

static long found_size(const struct tree *t, str rule, str key)
{
	long sum = 0;

	for (size_t i = 0; i < t->finding.n; i++) {
		if (str_eq(str_of(t->finding.at[i].rule), rule) && str_eq(t->finding.at[i].key, key))
			sum += t->finding.at[i].size;
	}
	return sum;
}

static long allowed_size(const struct tree *t, str rule, str key)
{
	for (size_t i = 0; i < t->ratchet.n; i++) {
		if (str_eq(t->ratchet.at[i].rule, rule) && str_eq(t->ratchet.at[i].key, key))
			return t->ratchet.at[i].size;
	}
	return 0;
}

static void report_notes(struct tree *t, FILE *out, bool all)
{
	for (size_t i = 0; i < t->ratchet.n; i++) {
		const struct allowance *a = &t->ratchet.at[i];
		long found = found_size(t, a->rule, a->key);
		if (found < a->size)
			(void)fprintf(out, "note: " RATCHET ": " STR_FMT " " STR_FMT " can go from %ld to %ld: run tidy --tighten\n",
				      STR_ARG(a->rule), STR_ARG(a->key), a->size, found);
	}
	for (size_t i = 0; all && i < t->note.n; i++) {
		const struct finding *f = &t->note.at[i];
		(void)fprintf(out, STR_FMT ":%d: note: %s: " STR_FMT "\n", STR_ARG(f->path), f->line, f->rule, STR_ARG(f->text));
	}
	if (!all && t->note.n > 0)
		(void)fprintf(out, "note: %zu public functions are used nowhere: tidy --notes lists them\n", t->note.n);
}

size_t tree_report(struct tree *t, FILE *out, bool all_notes)
{
	size_t n = 0;

	for (size_t i = 0; i < t->finding.n; i++) {
		const struct finding *f = &t->finding.at[i];
		str rule = str_of(f->rule);
		long allowed = allowed_size(t, rule, f->key);
		if (found_size(t, rule, f->key) <= allowed)
			continue;
		(void)fprintf(out, STR_FMT ":%d: %s: " STR_FMT, STR_ARG(f->path), f->line, f->rule, STR_ARG(f->text));
		if (allowed > 0)
			(void)fprintf(out, " (" RATCHET " allows %ld)", allowed);
		(void)fputc('\n', out);
		n++;
	}
	report_notes(t, out, all_notes);
	return n;
}

bool tree_tighten(struct tree *t)
{
	str text, line;
	FILE *f;
	bool ok = true;

	if (!read_file(t, STR(RATCHET), &text) || (f = fopen(arena_printf(&t->arena, STR_FMT "/" RATCHET, STR_ARG(t->root)).at, "wb")) == NULL)
		return false;
	while (str_cut(&text, '\n', &line) && (text.at != NULL || line.len > 0)) {
		str rest = line, rule, key;
		if (line.len > 0 && line.at[0] != '#' && str_cut(&rest, ' ', &rule) && str_cut(&rest, ' ', &key)) {
			long found = found_size(t, rule, key), allowed = allowed_size(t, rule, key);
			if (found > 0)
				ok = fprintf(f, STR_FMT " " STR_FMT " %ld\n", STR_ARG(rule), STR_ARG(key), found < allowed ? found : allowed) > 0 && ok;
		} else {
			ok = fprintf(f, STR_FMT "\n", STR_ARG(line)) > 0 && ok;
		}
	}
	return fclose(f) == 0 && ok;
}

void tree_free(struct tree *t)
{
	arena_deinit(&t->arena);
}
