/* read.c -- online reads: entities from tokens, one read of the store for each view, values as JSON. */
#include "modules/features/read.h"

#include <math.h>

#include "base/clock.h"
#include "base/num.h"

const char *const read__status_names[] = {
	[FEATURE_PRESENT] = "PRESENT", [FEATURE_NULL] = "NULL_VALUE", [FEATURE_NOT_FOUND] = "NOT_FOUND", [FEATURE_TOO_OLD] = "OUTSIDE_MAX_AGE",
};

/* --- entities --------------------------------------------------------------------------------------------------- */

static enum rc take_key(const struct token *t, struct arena *a, struct key_value *out, struct err *e)
{
	double v = 0;

	if (t->kind == TOK_STRING) {
		*out = (struct key_value){ .text = t->text };
		return RC_OK;
	}
	if (t->kind != TOK_NUMBER || !str_to_f64(t->text, &v) || !isfinite(v))
		return FAIL(e, RC_INVALID, "a key is a string or a number");
	/* Data frames turn whole numbers to floats where a column has gaps: 1001.0 is key 1001. */
	bool whole = str_find_char(t->text, '.') < 0 && str_find_char(t->text, 'e') < 0 && str_find_char(t->text, 'E') < 0;
	str text = t->text;
	if (!whole && fabs(v) < 9007199254740992.0 && v >= floor(v) && v <= floor(v))
		text = arena_printf(a, "%.0f", v + 0.0);  /* -0.0 is 0 */
	*out = (struct key_value){ .text = text, .number = true };
	return RC_OK;
}

static struct key_column *column_of(struct entities *x, str name, struct arena *a)
{
	for (size_t i = 0; i < x->column.n; i++) {
		if (str_eq(x->column.at[i].name, name))
			return &x->column.at[i];
	}
	struct key_column *c = VEC_PUSH(a, &x->column);
	c->name = name;
	return c;
}

static enum rc check_rows(size_t n, struct err *e)
{
	return n <= READ_ROWS_MAX ? RC_OK : FAIL(e, RC_TOO_LARGE, "more than %d rows in one read", READ_ROWS_MAX);
}

static enum rc take_column(struct json_source *src, struct key_column *c, struct arena *a, struct err *e)
{
	struct token t;

	if (c->value.n > 0)
		return FAIL(e, RC_INVALID, "entities: '" STR_FMT "' is given twice", STR_ARG(str_head(c->name, 100)));
	TRY(token_next(&src->super, &t, e));
	if (t.kind != TOK_ARRAY)
		return FAIL(e, RC_INVALID, "entities: '" STR_FMT "' must be a list", STR_ARG(str_head(c->name, 100)));
	for (;;) {
		TRY(token_next(&src->super, &t, e));
		if (t.kind == TOK_END)
			return RC_OK;
		TRY(check_rows(c->value.n + 1, e));
		TRY(take_key(&t, a, VEC_PUSH(a, &c->value), e));
	}
}

/* Every column has a value for each row. */
static enum rc check_lengths(const struct entities *x, const char *where, struct err *e)
{
	for (size_t i = 0; i < x->column.n; i++) {
		if (x->column.at[i].value.n != x->n_row)
			return FAIL(e, RC_INVALID, "%s: '" STR_FMT "' must have a value for each of the %zu rows", where,
				    STR_ARG(str_head(x->column.at[i].name, 100)), x->n_row);
	}
	return RC_OK;
}

enum rc read__columns(str json, struct arena *a, struct entities *out, struct err *e)
{
	struct json_source src;
	struct token t;

	json_source_init(&src, json, a, "entities");
	TRY(token_next(&src.super, &t, e));
	if (t.kind != TOK_OBJECT)
		return FAIL(e, RC_INVALID, "entities: expected an object of lists");
	for (;;) {
		TRY(token_next(&src.super, &t, e));
		if (t.kind == TOK_END)
			break;
		TRY(take_column(&src, column_of(out, t.text, a), a, e));
	}
	out->n_row = out->column.n > 0 ? out->column.at[0].value.n : 0;
	return check_lengths(out, "entities", e);
}

static enum rc take_row_keys(struct json_source *src, struct arena *a, struct entities *out, struct err *e)
{
	struct token t;

	for (;;) {
		TRY(token_next(&src->super, &t, e));
		if (t.kind == TOK_END)
			return RC_OK;
		struct key_column *c = column_of(out, t.text, a);
		if (c->value.n != out->n_row)
			return FAIL(e, RC_INVALID, "keys[%zu]: '" STR_FMT "' must be given once for each row", out->n_row,
				    STR_ARG(str_head(c->name, 100)));
		TRY(token_next(&src->super, &t, e));
		TRY(take_key(&t, a, VEC_PUSH(a, &c->value), e));
	}
}

enum rc read__rows(str json, struct arena *a, struct entities *out, struct err *e)
{
	struct json_source src;
	struct token t;

	json_source_init(&src, json, a, "keys");
	TRY(token_next(&src.super, &t, e));
	if (t.kind != TOK_ARRAY)
		return FAIL(e, RC_INVALID, "keys: expected a list of objects");
	for (;;) {
		TRY(token_next(&src.super, &t, e));
		if (t.kind == TOK_END)
			return check_lengths(out, "keys", e);
		if (t.kind != TOK_OBJECT)
			return FAIL(e, RC_INVALID, "keys[%zu]: expected an object with the join keys", out->n_row);
		TRY(check_rows(out->n_row + 1, e));
		TRY(take_row_keys(&src, a, out, e));
		out->n_row++;
	}
}

/* --- what is read -------------------------------------------------------------------------------------------------- */

static enum rc ask_view(struct read *r, str name, struct read_view **out, struct err *e)
{
	for (size_t i = 0; i < r->view.n; i++) {
		if (str_eq(r->view.at[i].name, name)) {
			*out = &r->view.at[i];
			return RC_OK;
		}
	}
	struct read_view v = { .name = name };
	if (!features__shape(r->f, name, &v.shape))
		return FAIL(e, RC_NOT_FOUND, "feature view '" STR_FMT "' does not exist", STR_ARG(str_head(name, 100)));
	*out = VEC_PUSH(r->a, &r->view);
	**out = v;
	return RC_OK;
}

static enum rc ask(struct read *r, str ref, struct err *e)
{
	str rest = ref, name, bare, version;
	struct read_view *v;

	if (!str_cut(&rest, ':', &name) || name.len == 0 || rest.len == 0)
		return FAIL(e, RC_INVALID, "'" STR_FMT "': a feature is given as view:feature", STR_ARG(str_head(ref, 100)));
	version = name;
	(void)str_cut(&version, '@', &bare);    /* always cuts: name is not empty */
	if (version.len > 0 && !str_eq(version, STR("latest")))
		return FAIL(e, RC_NOT_FOUND, "'" STR_FMT "': only the latest version of a feature view is served", STR_ARG(str_head(ref, 100)));
	TRY(ask_view(r, bare, &v, e));
	for (size_t i = 0; i < v->shape.n_feature; i++) {
		if (!str_eq(v->shape.feature[i], rest))
			continue;
		*VEC_PUSH(r->a, &v->feature) = rest;
		*VEC_PUSH(r->a, &v->kind) = v->shape.kind[i];
		r->n_feature++;
		return RC_OK;
	}
	return FAIL(e, RC_NOT_FOUND, "feature view '" STR_FMT "' has no feature '" STR_FMT "'", STR_ARG(bare), STR_ARG(str_head(rest, 100)));
}

/* By the name of the key, or of the entity where that is the only key. */
static enum rc match_keys(struct read *r, struct read_view *v, struct err *e)
{
	for (size_t k = 0; k < v->shape.keys.n; k++) {
		str key = *LIST_AT(v->shape.keys, str, k);
		for (size_t i = 0; i < r->entities.column.n; i++) {
			const struct key_column *c = &r->entities.column.at[i];
			bool entity = v->shape.keys.n == 1 && str_eq(c->name, v->shape.entity);
			if (str_eq(c->name, key) || (entity && v->key[k] == NULL))
				v->key[k] = c;
		}
		if (v->key[k] == NULL)
			return FAIL(e, RC_INVALID, "feature view '" STR_FMT "' needs key '" STR_FMT "'", STR_ARG(v->name), STR_ARG(key));
	}
	return RC_OK;
}

static enum rc read_view(struct read *r, struct read_view *v, int64_t now_ms, struct err *e)
{
	size_t n = r->entities.n_row, n_key = v->shape.keys.n;
	struct online_reader *reader;
	str *key = arena_alloc_n(r->a, n * n_key, sizeof(str));

	TRY(match_keys(r, v, e));
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n_key; k++)
			key[i * n_key + k] = v->key[k]->value.at[i].text;
	}
	v->row = arena_alloc_n(r->a, n, sizeof(*v->row));
	TRY(features_reader_new(r->f, v->name, v->feature.at, v->feature.n, &reader, e));
	v->materialisation = features_reader_materialisation(reader);
	enum rc rc = features_read(reader, key, n, now_ms, r->a, v->row, e);
	features_reader_free(&reader);
	return rc;
}

enum rc read__all(struct read *r, struct list refs, bool ttl, struct err *e)
{
	int64_t now_ms = ttl ? clock_ms() : 0;

	if (refs.n == 0)
		return FAIL(e, RC_INVALID, "features: none are asked for");
	for (size_t i = 0; i < refs.n; i++)
		TRY(ask(r, *LIST_AT(refs, str, i), e));
	for (size_t i = 0; i < r->view.n; i++)
		TRY(read_view(r, &r->view.at[i], now_ms, e));
	return RC_OK;
}

/* --- values as JSON -------------------------------------------------------------------------------------------------- */

enum feature_status read__status(const struct online_value *v, enum value_kind kind)
{
	bool has = v->status == FEATURE_PRESENT || v->status == FEATURE_TOO_OLD;

	return has && kind == VALUE_FLOAT && !isfinite(v->number) ? FEATURE_NULL : v->status;
}

static void write_float(struct jw *w, double v)
{
	char text[NUM_TEXT_MAX + 2];
	size_t n = num_put_f64(text, v);

	/* Clients guess the type from the text: a float stays one. */
	if (str_find_char(str_n(text, n), '.') < 0 && str_find_char(str_n(text, n), 'e') < 0) {
		text[n++] = '.';
		text[n++] = '0';
	}
	jw_raw(w, str_n(text, n));
}

void read__value(struct jw *w, const struct online_value *v, enum value_kind kind)
{
	enum feature_status s = read__status(v, kind);

	if (s == FEATURE_NULL || s == FEATURE_NOT_FOUND) {
		jw_null(w);
		return;
	}
	switch (kind) {
	case VALUE_FLOAT:
		write_float(w, v->number);
		return;
	case VALUE_INT:
		jw_i64(w, v->integer);
		return;
	case VALUE_BOOL:
		jw_bool(w, v->integer != 0);
		return;
	case VALUE_TIME:        /* seconds, as Feast's UNIX_TIMESTAMP */
		jw_i64(w, (v->integer - (v->integer % 1000000 + 1000000) % 1000000) / 1000000);
		return;
	case VALUE_STRING:
		jw_str(w, v->text);
		return;
	}
	UNREACHABLE("a kind of value");
}
