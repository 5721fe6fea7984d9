/* json_rows.c -- see json_rows.h. */
#include "modules/lake/json_rows.h"

#include <string.h>

static int64_t newlines(const char *from, const char *to)
{
	int64_t n = 0;

	while (from < to && (from = memchr(from, '\n', (size_t)(to - from))) != NULL) {
		n++;
		from++;
	}
	return n;
}

/* --- one object ---------------------------------------------------------------------------------- */

static enum rc value_text(struct json_source *s, const struct token *t, str *out, struct err *e)
{
	switch (t->kind) {
	case TOK_NULL:
		*out = STR_NONE;
		return RC_OK;
	case TOK_BOOL:
		*out = t->flag ? STR("true") : STR("false");
		return RC_OK;
	case TOK_NUMBER: case TOK_STRING: case TOK_PLAIN:
		*out = t->text.at != NULL ? t->text : STR("");
		return RC_OK;
	case TOK_OBJECT: case TOK_ARRAY:
		return json_slice(s, t, out, e);
	case TOK_KEY: case TOK_END: case TOK_EOF:
		break;
	}
	UNREACHABLE("a value begins with none of these");
}

/* Column of a key; made when `add`, else it is known from the first pass. */
static enum rc column_of(struct json_rows *j, str key, bool add, struct json_column **out, struct err *e)
{
	*out = map_find(&j->column, key);
	if (*out != NULL)
		return RC_OK;
	CHECK(add);
	if (key.len == 0 || key.len > 128)
		return FAIL(e, RC_INVALID, "a key of %zu bytes; a column name has 1 to 128", key.len);
	if (j->n_column >= JSON_COLUMNS_MAX)
		return FAIL(e, RC_TOO_LARGE, "more than %d different keys", JSON_COLUMNS_MAX);
	struct json_column *c = ARENA_NEW(j->a, struct json_column);
	*c = (struct json_column){ .name = arena_dup(j->a, key), .index = j->n_column++, .all_texts = true };
	map_put(&j->column, c->name, c);
	*out = c;
	return RC_OK;
}

static enum rc read_object(struct json_rows *j, str text, bool first_pass, struct err *e)
{
	struct json_source s;
	struct token t;
	struct json_column *c;
	str value;

	json_source_init(&s, text, &j->row, "the row");
	TRY(token_next(&s.super, &t, e));
	if (t.kind != TOK_OBJECT)
		return FAIL(e, RC_INVALID, "not a JSON object");
	for (;;) {
		TRY(token_next(&s.super, &t, e));
		if (t.kind == TOK_END)
			break;
		/* A row that turns out broken further on adds no column: its keys are looked at, and kept, only in a row that
		 * was read whole before. */
		TRY(column_of(j, t.text, first_pass, &c, e));
		TRY(token_next(&s.super, &t, e));
		bool text_or_null = t.kind == TOK_STRING || t.kind == TOK_NULL;
		TRY(value_text(&s, &t, &value, e));
		c->all_texts = c->all_texts && (text_or_null || !first_pass);
		if (!first_pass)
			j->value[c->index] = value;
	}
	return token_next(&s.super, &t, e);
}

static enum rc check_object(struct json_rows *j, str text, struct err *e)
{
	struct json_source s;
	struct token t;

	json_source_init(&s, text, &j->row, "the row");
	TRY(token_next(&s.super, &t, e));
	if (t.kind != TOK_OBJECT)
		return FAIL(e, RC_INVALID, "not a JSON object");
	TRY(token_skip(&s.super, &t, e));
	return token_next(&s.super, &t, e);
}

/* --- the file ------------------------------------------------------------------------------------- */

/* The text of the next line that is not blank, or of the next element of the list. */
static enum rc next_text(struct json_rows *j, struct source_row *row, bool *end, struct err *e)
{
	struct token t;

	if (j->is_list) {
		TRY(token_next(&j->list.super, &t, e));
		*end = t.kind == TOK_END;
		if (*end)
			return token_next(&j->list.super, &t, e);       /* nothing may stand behind the list */
		TRY(json_slice(&j->list, &t, &row->raw, e));
		j->line += newlines(j->line_at, t.from);
		j->line_at = t.from;
		row->line = j->line;
		row->n_lines = 1;
		return RC_OK;
	}
	for (;;) {
		str line;
		*end = j->rest.len == 0 || !str_cut(&j->rest, '\n', &line);
		if (*end)
			return RC_OK;
		row->line = j->line++;
		row->n_lines = 1;
		row->raw = line.len > 0 && line.at[line.len - 1] == '\r' ? str_head(line, line.len - 1) : line;
		if (str_trim(row->raw).len > 0)
			return RC_OK;
		j->n_blank++;
	}
}

void json_rows_rewind(struct json_rows *j)
{
	struct token t;
	struct err e = ERR_INIT;

	j->rest = j->data;
	j->line = 1;
	j->line_at = j->data.at;
	j->n_blank = 0;
	if (!j->is_list)
		return;
	arena_clear(&j->doc);
	json_source_init(&j->list, j->data, &j->doc, "the file");
	CHECK(token_next(&j->list.super, &t, &e) == RC_OK);
	CHECK(t.kind == TOK_ARRAY);
}

static enum rc find_columns(struct json_rows *j, struct err *e)
{
	struct source_row row;
	struct err bad = ERR_INIT;
	bool end = false;

	for (;;) {
		arena_clear(&j->row);
		TRY(next_text(j, &row, &end, e));
		if (end)
			return RC_OK;
		if (check_object(j, row.raw, &bad) == RC_OK && read_object(j, row.raw, true, e) != RC_OK)
			return err_wrap(e, "line %lld", (long long)row.line);
	}
}

/* By JSON's own white space: what is none of it (a form feed) makes the text no list. */
static bool begins_list(str data)
{
	size_t i = 0;

	while (i < data.len && (data.at[i] == ' ' || data.at[i] == '\t' || data.at[i] == '\n' || data.at[i] == '\r'))
		i++;
	return i < data.len && data.at[i] == '[';
}

enum rc json_rows_open(struct json_rows *j, str data, struct arena *a, struct err *e)
{
	if (str_starts(data, STR("\xef\xbb\xbf")))
		data = str_skip(data, 3);
	*j = (struct json_rows){ .data = data, .a = a, .is_list = begins_list(data) };
	arena_init(&j->doc);
	arena_init(&j->row);
	map_init(&j->column, a);
	json_rows_rewind(j);
	if (find_columns(j, e) != RC_OK) {
		json_rows_close(j);
		return e->rc;
	}
	j->value = ARENA_ARRAY(a, str, j->n_column);
	json_rows_rewind(j);
	return RC_OK;
}

void json_rows_close(struct json_rows *j)
{
	arena_deinit(&j->doc);
	arena_deinit(&j->row);
}

enum rc json_rows_next(struct json_rows *j, struct source_row *out, bool *end, struct err *e)
{
	struct err bad = ERR_INIT;

	*out = (struct source_row){ 0 };
	arena_clear(&j->row);
	TRY(next_text(j, out, end, e));
	if (*end)
		return RC_OK;
	if (j->n_column > 0)
		memset(j->value, 0, j->n_column * sizeof(j->value[0]));
	if (check_object(j, out->raw, &bad) != RC_OK || read_object(j, out->raw, false, &bad) != RC_OK) {
		out->problem = arena_dup(&j->row, str_of(bad.msg));
		return RC_OK;
	}
	out->value = j->value;
	out->n = j->n_column;
	return RC_OK;
}
