/* answer.c -- what the API answered, for people. */
#include "cli/answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"

#define CELL_MAX 72             /* characters of a cell in a table that was not asked for column by column */
#define DEPTH_SHOWN 4

/* --- the tree ------------------------------------------------------------------------------------------------ */

static enum rc parse_value(struct json_source *s, const struct token *t, struct arena *a, struct value *out, struct err *e)
{
	struct token k;

	out->kind = t->kind;
	out->text = t->text;
	out->flag = t->flag;
	if (t->kind != TOK_OBJECT && t->kind != TOK_ARRAY)
		return RC_OK;
	for (struct value **last = &out->first;; last = &(*last)->next) {
		TRY(token_next(&s->super, &k, e));
		if (k.kind == TOK_END)
			return RC_OK;
		*last = ARENA_NEW(a, struct value);
		if (t->kind == TOK_OBJECT) {
			(*last)->key = k.text;
			TRY(token_next(&s->super, &k, e));
		}
		TRY(parse_value(s, &k, a, *last, e));   /* the source bounds the depth */
		out->n++;
	}
}

enum rc value_parse(str json, struct arena *a, struct value **out, struct err *e)
{
	struct json_source s;
	struct token t;
	struct value *v = ARENA_NEW(a, struct value);

	json_source_init(&s, json, a, "the answer");
	TRY(token_next(&s.super, &t, e));
	TRY(parse_value(&s, &t, a, v, e));
	TRY(token_next(&s.super, &t, e));
	CHECK(t.kind == TOK_EOF);
	*out = v;
	return RC_OK;
}

static const struct value *child(const struct value *v, str key)
{
	uint64_t index, i = 0;

	if (v == NULL || (v->kind != TOK_OBJECT && v->kind != TOK_ARRAY))
		return NULL;
	bool by_number = v->kind == TOK_ARRAY && str_to_u64(key, &index);
	for (const struct value *m = v->first; m != NULL; m = m->next, i++) {
		if (by_number ? i == index : v->kind == TOK_OBJECT && str_eq(m->key, key))
			return m;
	}
	return NULL;
}

const struct value *value_at(const struct value *v, const char *path)
{
	str rest = str_of(path), part;

	while (v != NULL && str_cut(&rest, '.', &part))
		v = child(v, part);
	return v;
}

static void write_value(struct jw *w, const struct value *v, struct arena *a)
{
	double number;

	switch (v->kind) {
	case TOK_OBJECT:
		jw_object(w);
		for (const struct value *m = v->first; m != NULL; m = m->next) {
			jw_key(w, m->key);
			write_value(w, m, a);
		}
		jw_end_object(w);
		return;
	case TOK_ARRAY:
		jw_array(w);
		for (const struct value *m = v->first; m != NULL; m = m->next)
			write_value(w, m, a);
		jw_end_array(w);
		return;
	case TOK_BOOL:
		jw_bool(w, v->flag);
		return;
	case TOK_NUMBER:
		if (value_number(v, &number))
			jw_f64(w, number);
		else
			jw_null(w);
		return;
	case TOK_STRING: case TOK_PLAIN:
		jw_str(w, v->text);
		return;
	case TOK_NULL: case TOK_KEY: case TOK_END: case TOK_EOF:
		jw_null(w);
		return;
	}
	UNREACHABLE("token kind");
}

str value_text(const struct value *v, struct arena *a)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	if (v == NULL || v->kind == TOK_NULL)
		return STR("");
	if (v->kind == TOK_BOOL)
		return v->flag ? STR("yes") : STR("no");
	if (v->kind != TOK_OBJECT && v->kind != TOK_ARRAY)
		return v->text;
	jw_init(&w, &b);
	write_value(&w, v, a);
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}

bool value_number(const struct value *v, double *out)
{
	return v != NULL && (v->kind == TOK_NUMBER || v->kind == TOK_STRING) && str_to_f64(v->text, out);
}

/* --- values as text ----------------------------------------------------------------------------------------------- */

str show_count(struct arena *a, double n)
{
	str digits = arena_printf(a, "%.0f", fabs(n));
	struct buf b = BUF_INIT(512);

	if (n < 0)
		buf_add_char(&b, '-');
	for (size_t i = 0; i < digits.len; i++) {
		if (i > 0 && (digits.len - i) % 3 == 0)
			buf_add_char(&b, ',');
		buf_add_char(&b, digits.at[i]);
	}
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}

static str show_bytes(struct arena *a, double n)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	size_t u = 0;

	for (; n >= 1000 && u + 1 < ARRAY_LEN(units); u++)
		n /= 1000;
	return arena_printf(a, u == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[u]);
}

static str show_ms(struct arena *a, double ms)
{
	char text[CLOCK_TEXT_MAX];
	size_t n = clock_put_rfc3339(text, (int64_t)ms / 1000 * 1000);

	return n > 10 ? arena_printf(a, "%.10s %.8s", text, text + 11) : STR("-");
}

static str show_us(struct arena *a, double us)
{
	if (us < 1000)
		return arena_printf(a, "%.0f µs", us);
	return us < 1e6 ? arena_printf(a, "%.2f ms", us / 1e3) : arena_printf(a, "%.2f s", us / 1e6);
}

static str show_took(struct arena *a, int64_t ms)
{
	if (ms < 1000)
		return arena_printf(a, "%lld ms", (long long)ms);
	return ms < MS_MINUTE ? arena_printf(a, "%.1f s", (double)ms / 1000) : clock_duration_text(a, ms / 1000 * 1000);
}

/* A list of scalars as "a, b". */
static str joined(const struct value *v, struct arena *a)
{
	struct buf b = BUF_INIT(LIMIT_TEXT);

	for (const struct value *m = v->first; m != NULL; m = m->next) {
		if (m->kind == TOK_OBJECT || m->kind == TOK_ARRAY) {
			buf_deinit(&b);
			return value_text(v, a);
		}
		buf_add(&b, b.len > 0 ? STR(", ") : STR(""));
		buf_add(&b, value_text(m, a));
	}
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}

str value_shown(const struct value *v, enum show show, struct arena *a)
{
	double n;
	int64_t ms;

	if (v == NULL || v->kind == TOK_NULL)
		return STR("-");
	if (show == SHOW_TIME && clock_get_rfc3339(value_text(v, a), &ms))
		return show_ms(a, (double)ms);
	if (show == SHOW_TOOK && clock_get_duration(value_text(v, a), &ms))
		return show_took(a, ms);
	if (show == SHOW_N)
		return arena_printf(a, "%zu", v->n);
	if (show == SHOW_TEXT || show == SHOW_TIME || !value_number(v, &n)) {
		str text = v->kind == TOK_ARRAY ? joined(v, a) : value_text(v, a);
		return text.len > 0 ? text : STR("-");
	}
	switch (show) {
	case SHOW_COUNT:
		return show_count(a, n);
	case SHOW_BYTES:
		return show_bytes(a, n);
	case SHOW_NUMBER:
		return arena_printf(a, "%.5g", n);
	case SHOW_TIME_MS:
		return n > 0 ? show_ms(a, n) : STR("-");
	case SHOW_SHARE:
		return arena_printf(a, "%.1f %%", n * 100);
	case SHOW_US:
		return show_us(a, n);
	case SHOW_TOOK:
		return show_took(a, (int64_t)n);
	case SHOW_TEXT: case SHOW_TIME: case SHOW_N:
		break;
	}
	UNREACHABLE("shown above");
}

/* "outputs.*.id": that of every element, joined. */
static str shown_of_all(const struct value *v, str path, enum show show, struct arena *a)
{
	ptrdiff_t star = str_find(path, STR(".*."));
	struct buf b = BUF_INIT(LIMIT_TEXT);

	if (star < 0)
		return value_shown(value_at(v, arena_cstr(a, path)), show, a);
	const struct value *list = value_at(v, arena_cstr(a, str_head(path, (size_t)star)));
	const char *rest = arena_cstr(a, str_skip(path, (size_t)star + 3));
	for (const struct value *m = list != NULL ? list->first : NULL; m != NULL; m = m->next) {
		buf_add(&b, b.len > 0 ? STR(", ") : STR(""));
		buf_add(&b, value_shown(value_at(m, rest), show, a));
	}
	str out = b.len > 0 ? buf_to_arena(&b, a) : STR("-");
	buf_deinit(&b);
	return out;
}

static enum show show_of_name(str name)
{
	static const struct { str name; enum show show; } names[] = {
		{ { "count", 5 }, SHOW_COUNT }, { { "bytes", 5 }, SHOW_BYTES }, { { "number", 6 }, SHOW_NUMBER },
		{ { "time", 4 }, SHOW_TIME }, { { "share", 5 }, SHOW_SHARE }, { { "us", 2 }, SHOW_US },
		{ { "took", 4 }, SHOW_TOOK },   { { "n", 1 }, SHOW_N },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(names[i].name, name))
			return names[i].show;
	}
	return SHOW_TEXT;
}

static bool truthy(const struct value *v)
{
	return v != NULL && (v->flag || v->n > 0 || (v->kind != TOK_BOOL && v->text.len > 0 && !str_eq(v->text, STR("0"))));
}

str answer_line(struct cli *c, const char *template, const struct value *v)
{
	str rest = str_of(template), part, path;
	struct buf b = BUF_INIT(LIMIT_TEXT);
	bool hidden = false;

	while (str_cut(&rest, '{', &part)) {
		buf_add(&b, hidden ? STR("") : part);
		if (rest.at == NULL || !str_cut(&rest, '}', &part))
			break;
		bool test = str_starts(part, STR("?")) || str_starts(part, STR("!"));
		if (test)
			hidden = truthy(value_at(v, arena_cstr(c->arena, str_skip(part, 1)))) != (part.at[0] == '?');
		else if (str_eq(part, STR("/")))
			hidden = false;
		if (test || hidden || str_eq(part, STR("/")))
			continue;
		(void)str_cut(&part, ':', &path);
		buf_add(&b, shown_of_all(v, path, show_of_name(part), c->arena));
	}
	str out = buf_to_arena(&b, c->arena);
	buf_deinit(&b);
	return out;
}

/* --- tables --------------------------------------------------------------------------------------------------------- */

/* Characters, not bytes: what is not a UTF-8 continuation. */
static size_t width(str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
	return n;
}

static void put_cell(str text, size_t wide, bool right, bool last)
{
	size_t w = width(text), pad = wide > w ? wide - w : 0;

	if (right)
		printf("%*s", (int)pad, "");
	for (size_t i = 0; i < text.len; i++) {
		unsigned char b = (unsigned char)text.at[i];
		putchar(b < 0x20 || b == 0x7f ? ' ' : b);       /* no escapes from data to a terminal */
	}
	if (!right && !last)
		printf("%*s", (int)pad, "");
	if (!last)
		fputs("  ", stdout);
}

static void put_row(const struct grid *g, const str *cell, const size_t *wide)
{
	for (size_t i = 0; i < g->n_col; i++)
		put_cell(cell[i], wide[i], g->right[i], i + 1 == g->n_col);
}

void grid_print(const struct grid *g, bool colour)
{
	size_t wide[LIMIT_COLUMNS];
	str title[LIMIT_COLUMNS];

	CHECK(g->n_col > 0);
	CHECK(g->n_col <= LIMIT_COLUMNS);
	for (size_t i = 0; i < g->n_col; i++) {
		title[i] = str_of(g->title[i]);
		wide[i] = width(title[i]);
		for (size_t k = i; k < g->cell.n; k += g->n_col)
			wide[i] = width(g->cell.at[k]) > wide[i] ? width(g->cell.at[k]) : wide[i];
	}
	fputs(colour ? "\033[1m" : "", stdout);
	put_row(g, title, wide);
	puts(colour ? "\033[0m" : "");
	for (size_t k = 0; k < g->cell.n; k += g->n_col) {
		put_row(g, g->cell.at + k, wide);
		putchar('\n');
	}
}

static str clipped(struct arena *a, str s)
{
	size_t n = 0, i = 0;

	for (; i < s.len; i++) {
		n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
		if (n > CELL_MAX)
			return arena_printf(a, STR_FMT "…", STR_ARG(str_head(s, i)));
	}
	return s;
}

static void print_by_columns(struct cli *c, const struct value *list, const struct column *columns)
{
	const char *title[LIMIT_COLUMNS];
	bool right[LIMIT_COLUMNS];
	struct grid g = { .title = title, .right = right };

	for (; columns[g.n_col].path != NULL; g.n_col++) {
		CHECK(g.n_col < LIMIT_COLUMNS);
		enum show s = columns[g.n_col].show;
		title[g.n_col] = columns[g.n_col].title;
		right[g.n_col] = s != SHOW_TEXT && s != SHOW_TIME && s != SHOW_TIME_MS;
	}
	for (const struct value *m = list->first; m != NULL; m = m->next) {
		for (size_t i = 0; i < g.n_col; i++)
			*VEC_PUSH(c->arena, &g.cell) = clipped(c->arena, shown_of_all(m, str_of(columns[i].path), columns[i].show, c->arena));
	}
	grid_print(&g, c->tty_out);
}

/* The keys of a list's objects in order of appearance, with whether all their values are numbers. */
static size_t keys_of(struct cli *c, const struct value *list, struct column *out)
{
	size_t n = 0;

	for (const struct value *m = list->first; m != NULL; m = m->next) {
		for (const struct value *f = m->first; f != NULL; f = f->next) {
			size_t i = 0;
			while (i < n && !str_eq(str_of(out[i].title), f->key))
				i++;
			if (i == n && n + 1 < LIMIT_COLUMNS) {
				out[n++] = (struct column){ .title = arena_cstr(c->arena, f->key), .show = SHOW_NUMBER };
				out[i].path = out[i].title;
			}
			if (i < n && f->kind != TOK_NUMBER && f->kind != TOK_NULL)
				out[i].show = SHOW_TEXT;
		}
	}
	out[n].path = NULL;
	return n;
}

void answer_print_list(struct cli *c, const struct value *list, const struct column *columns)
{
	struct column found[LIMIT_COLUMNS];

	if (list == NULL || list->n == 0) {
		puts("none");
		return;
	}
	if (columns != NULL) {
		print_by_columns(c, list, columns);
		return;
	}
	if (list->first->kind == TOK_OBJECT && keys_of(c, list, found) > 0) {
		print_by_columns(c, list, found);
		return;
	}
	for (const struct value *m = list->first; m != NULL; m = m->next)
		printf(STR_FMT "\n", STR_ARG(value_text(m, c->arena)));
}

static bool is_table(const struct value *v)
{
	return v->kind == TOK_ARRAY && v->n > 0 && v->first->kind == TOK_OBJECT;
}

static bool is_time(str s)
{
	int64_t ms;

	return s.len >= 20 && s.at[s.len - 1] == 'Z' && clock_get_rfc3339(s, &ms);
}

static void print_tree(struct cli *c, const struct value *v, int indent)
{
	size_t wide = 0;

	for (const struct value *m = v->first; m != NULL; m = m->next)
		wide = width(m->key) > wide && m->kind != TOK_OBJECT && !is_table(m) ? width(m->key) : wide;
	for (const struct value *m = v->first; m != NULL; m = m->next) {
		printf("%*s", indent, "");
		if (m->kind == TOK_OBJECT && m->n > 0 && indent < DEPTH_SHOWN * 2) {
			printf(STR_FMT ":\n", STR_ARG(m->key));
			print_tree(c, m, indent + 2);
		} else if (is_table(m)) {
			printf(STR_FMT ":\n", STR_ARG(m->key));
			answer_print_list(c, m, NULL);
		} else {
			bool number = m->kind == TOK_NUMBER;
			put_cell(m->key, wide, false, false);
			str text = is_time(m->text) ? value_shown(m, SHOW_TIME, c->arena) : number ? m->text : value_shown(m, SHOW_TEXT, c->arena);
			put_cell(text, 0, false, true);
			putchar('\n');
		}
	}
}

void answer_print_object(struct cli *c, const struct value *v, const struct column *columns)
{
	size_t wide = 0;

	if (v == NULL)
		return;
	if (columns == NULL) {
		print_tree(c, v, 0);
		return;
	}
	for (size_t i = 0; columns[i].path != NULL; i++)
		wide = width(str_of(columns[i].title)) > wide ? width(str_of(columns[i].title)) : wide;
	for (size_t i = 0; columns[i].path != NULL; i++) {
		put_cell(str_of(columns[i].title), wide, false, false);
		put_cell(value_shown(value_at(v, columns[i].path), columns[i].show, c->arena), 0, false, true);
		putchar('\n');
	}
}

/* {columns:[{name}], rows:[[…]], more} */
static void print_rows(struct cli *c, const struct value *v)
{
	const struct value *columns = value_at(v, "columns"), *rows = value_at(v, "rows");
	struct grid g = { .n_col = 0 };
	const char *title[LIMIT_COLUMNS];
	bool right[LIMIT_COLUMNS];

	for (const struct value *m = columns != NULL ? columns->first : NULL; m != NULL && g.n_col < LIMIT_COLUMNS; m = m->next) {
		title[g.n_col] = arena_cstr(c->arena, value_text(value_at(m, "name"), c->arena));
		right[g.n_col++] = true;
	}
	for (const struct value *r = rows != NULL ? rows->first : NULL; r != NULL; r = r->next) {
		size_t i = 0;
		for (const struct value *m = r->first; m != NULL && i < g.n_col; m = m->next, i++) {
			right[i] = right[i] && (m->kind == TOK_NUMBER || m->kind == TOK_NULL);
			*VEC_PUSH(c->arena, &g.cell) = clipped(c->arena, m->kind == TOK_STRING ? m->text : value_shown(m, SHOW_TEXT, c->arena));
		}
	}
	if (g.n_col == 0 || g.cell.n % g.n_col != 0)
		return;
	g.title = title;
	g.right = right;
	grid_print(&g, c->tty_out);
	const struct value *more = value_at(v, "more");
	if (more != NULL && more->flag)
		puts("… and more: raise --limit");
}

static void print_text(str s)
{
	(void)fwrite(s.at, 1, s.len, stdout);   /* a full disk or closed pipe shows at the end */
	if (s.len > 0 && s.at[s.len - 1] != '\n')
		putchar('\n');
}

static void print_line(str s)
{
	put_cell(s, 0, false, true);
	putchar('\n');
}

enum rc answer_show(struct cli *c, str json, struct err *e)
{
	const struct command *k = c->command;
	struct value *v;

	if (json.len == 0)
		json = STR("{}");
	if (c->global.json || (k->flags & CMD_RAW)) {
		print_text(json);
		return RC_OK;
	}
	TRY(value_parse(json, c->arena, &v, e));
	if (k->done != NULL)
		print_line(answer_line(c, k->done, v));
	else if (k->flags & CMD_ROWS)
		print_rows(c, v);
	else if (k->list != NULL)
		answer_print_list(c, value_at(v, k->list), k->columns);
	else
		answer_print_object(c, v, k->columns);
	return RC_OK;
}
