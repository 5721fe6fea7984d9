/* api_online.c -- reading features online: cairn's own route, and Feast's POST /get-online-features.
 *
 * Both run on the event loop: a read copies out of a memory map and waits for nothing. Entities are objects with free keys,
 * so they are taken from the tokens here; all else goes through records. */
#include "modules/features/features_int.h"

#include <math.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/num.h"

static const char *const status_names[] = {
	[FEATURE_PRESENT] = "PRESENT", [FEATURE_NULL] = "NULL_VALUE", [FEATURE_NOT_FOUND] = "NOT_FOUND", [FEATURE_TOO_OLD] = "OUTSIDE_MAX_AGE",
};

/* --- entities --------------------------------------------------------------------------------------------------- */

struct key_value { str text; bool number; };    /* a number's text is JSON as well */
struct key_column { str name; VEC(struct key_value) value; };
struct entities { VEC(struct key_column) column; size_t n_row; };

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
		text = arena_printf(a, "%.0f", v);
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

/* {"zone": ["a", "b"], …}: columns, all of one length. */
static enum rc take_columns(str json, struct arena *a, struct entities *out, struct err *e)
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

/* [{"zone": "a"}, …]: rows, all with the same keys. */
static enum rc take_rows(str json, struct arena *a, struct entities *out, struct err *e)
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

struct read_view {
	str name;
	struct online_shape shape;
	VEC(str) feature;
	VEC(enum value_kind) kind;
	const struct key_column *key[KEYS_MAX];
	struct online_row *row;
	str materialisation;
};
struct read {
	struct features *f;
	struct arena *a;
	struct entities entities;
	VEC(struct read_view) view;
	size_t n_feature;
};

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

static enum rc read_all(struct read *r, struct list refs, bool ttl, struct err *e)
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

/* JSON has no infinities; they are as good as missing. */
static enum feature_status shown_status(const struct online_value *v, enum value_kind kind)
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

static void write_value(struct jw *w, const struct online_value *v, enum value_kind kind)
{
	enum feature_status s = shown_status(v, kind);

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

static str time_text(int64_t ms, struct arena *a)
{
	char text[CLOCK_TEXT_MAX];

	return arena_dup(a, str_n(text, clock_put_rfc3339(text, ms)));
}

/* --- cairn's route --------------------------------------------------------------------------------------------------- */

struct online_request { struct list features; str keys; bool ttl; };
static const struct field online_request_fields[] = {
	FIELD(online_request, features, K_STRS, F_REQUIRED, "Features as \"view:feature\"", .max = FEATURES_MAX),
	FIELD(online_request, keys, K_JSON, F_REQUIRED, "A list of objects, one a row, with the join keys: [{\"zone\": \"Soho\"}]"),
	FIELD(online_request, ttl, K_BOOL, 0, "Values older than the view's TTL are told apart", .def = "true"),
};
const struct record features_online_request_record = RECORD(online_request, online_request_fields, "Features to read online");

struct read_row { str values; struct list statuses, event_times; };
static const struct field read_row_fields[] = {
	FIELD(read_row, values, K_JSON, 0, "A value for each feature"),
	FIELD(read_row, statuses, K_STRS, 0, "PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE for each"),
	FIELD(read_row, event_times, K_STRS, 0, "Event time of the row it came from"),
};
static const struct record read_row_record = RECORD(read_row, read_row_fields, "Features of one key");
struct online_answer { struct list features, rows, views; };
static const struct field online_answer_fields[] = {
	FIELD(online_answer, features, K_STRS, 0, "Features in the order of the values: by view"),
	FIELD(online_answer, rows, K_RECORDS, 0, "A row for each key", .sub = &read_row_record),
	FIELD(online_answer, views, K_PAIRS, 0, "The materialisation that each view was read from"),
};
const struct record features_online_answer_record = RECORD(online_answer, online_answer_fields, "Features read online");

static struct read_row answer_row(const struct read *r, size_t row)
{
	str *status = ARENA_ARRAY(r->a, str, r->n_feature), *time = ARENA_ARRAY(r->a, str, r->n_feature);
	struct buf b = BUF_INIT(LIMIT_REPLY);
	size_t at = 0;
	struct jw w;

	jw_init(&w, &b);
	jw_array(&w);
	for (size_t i = 0; i < r->view.n; i++) {
		const struct read_view *v = &r->view.at[i];
		for (size_t k = 0; k < v->feature.n; k++, at++) {
			write_value(&w, &v->row[row].value[k], v->kind.at[k]);
			status[at] = str_of(status_names[shown_status(&v->row[row].value[k], v->kind.at[k])]);
			time[at] = time_text(v->row[row].event_ms, r->a);
		}
	}
	jw_end_array(&w);
	struct read_row out = { .values = buf_to_arena(&b, r->a), .statuses = { status, at }, .event_times = { time, at } };
	buf_deinit(&b);
	return out;
}

enum rc features__post_online(struct call *c, const void *in, void *out, struct err *e)
{
	const struct online_request *q = in;
	struct read r = { .f = c->module, .a = c->arena };
	struct online_answer *answer = out;
	size_t at = 0;

	TRY(take_rows(q->keys, c->arena, &r.entities, e));
	TRY(read_all(&r, q->features, q->ttl, e));
	str *name = ARENA_ARRAY(c->arena, str, r.n_feature);
	struct pair *views = ARENA_ARRAY(c->arena, struct pair, r.view.n);
	for (size_t i = 0; i < r.view.n; i++) {
		views[i] = (struct pair){ .key = r.view.at[i].name, .value = r.view.at[i].materialisation };
		for (size_t k = 0; k < r.view.at[i].feature.n; k++)
			name[at++] = arena_printf(c->arena, STR_FMT ":" STR_FMT, STR_ARG(r.view.at[i].name), STR_ARG(r.view.at[i].feature.at[k]));
	}
	struct read_row *rows = ARENA_ARRAY(c->arena, struct read_row, r.entities.n_row);
	for (size_t i = 0; i < r.entities.n_row; i++)
		rows[i] = answer_row(&r, i);
	*answer = (struct online_answer){ .features = { name, at }, .rows = { rows, r.entities.n_row }, .views = { views, r.view.n } };
	return RC_OK;
}

/* --- Feast's route ----------------------------------------------------------------------------------------------------- */

struct feast_request { str entities; struct list features; str feature_service; bool full_feature_names, ttl; };
static const struct field feast_request_fields[] = {
	FIELD(feast_request, entities, K_JSON, F_REQUIRED, "Join keys: a list of values for each"),
	FIELD(feast_request, features, K_STRS, 0, "Features as \"view:feature\"", .max = FEATURES_MAX),
	FIELD(feast_request, feature_service, K_STR, 0, "Not known here"),
	FIELD(feast_request, full_feature_names, K_BOOL, 0, "Names of the answer begin with the view"),
	FIELD(feast_request, ttl, K_BOOL, 0, "Values older than the view's TTL are told apart", .name = "apply_ttl", .def = "true"),
};
static const struct record feast_request_record = RECORD(feast_request, feast_request_fields, "Feast's request for online features", .open = true);

/* Names as Feast's SDK raises them: it imports the class and shows the message. */
static const struct { enum rc rc; const char *class_name; } feast_classes[] = {
	{ RC_NOT_FOUND, "FeastObjectNotFoundException" }, { RC_FORBIDDEN, "FeastPermissionError" }, { RC_CONFLICT, "FeatureNameCollisionError" },
};

int feast_error_status(const struct err *err)
{
	switch (err->rc) {
	case RC_INVALID:
		return 422;
	case RC_CONFLICT:
		return 500;     /* what Feast answers to a collision of names */
	default:
		return rc_http(err->rc);
	}
}

static str feast_detail(const char *class_name, const char *message, struct arena *a)
{
	struct buf b = BUF_INIT(LIMIT_TEXT);
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_str_key(&w, "module", STR("feast.errors"));
	jw_str_key(&w, "class", str_of(class_name));
	jw_str_key(&w, "message", str_of(message));
	jw_end_object(&w);
	str text = buf_to_arena(&b, a);
	buf_deinit(&b);
	return text;
}

/* An error of Feast's own is a JSON text inside a JSON string; a bad request is FastAPI's {"detail": [...]}. */
void feast_write_error(const struct err *err, struct jw *w)
{
	for (size_t i = 0; i < ARRAY_LEN(feast_classes); i++) {
		if (feast_classes[i].rc != err->rc)
			continue;
		struct arena a;
		arena_init(&a);
		jw_str(w, feast_detail(feast_classes[i].class_name, err->msg, &a));
		arena_deinit(&a);
		return;
	}
	if (err->rc != RC_INVALID) {
		jw_str(w, str_of(err->msg));
		return;
	}
	jw_object(w);
	jw_array_key(w, STR("detail"));
	jw_object(w);
	jw_array_key(w, STR("loc"));
	jw_str(w, STR("body"));
	if (err->field[0] != '\0')
		jw_str(w, str_of(err->field));
	jw_end_array(w);
	jw_str_key(w, "msg", str_of(err->msg));
	jw_str_key(w, "type", STR("value_error"));
	jw_end_object(w);
	jw_end_array(w);
	jw_end_object(w);
}

static str feast_name(const struct read_view *v, size_t k, bool full, struct arena *a)
{
	return full ? arena_printf(a, STR_FMT "__" STR_FMT, STR_ARG(v->name), STR_ARG(v->feature.at[k])) : v->feature.at[k];
}

/* The keys that some view needs, in the order of the request. */
static bool is_needed(const struct read *r, const struct key_column *c, str *shown)
{
	for (size_t i = 0; i < r->view.n; i++) {
		for (size_t k = 0; k < r->view.at[i].shape.keys.n; k++) {
			if (r->view.at[i].key[k] == c) {
				*shown = *LIST_AT(r->view.at[i].shape.keys, str, k);
				return true;
			}
		}
	}
	return false;
}

static enum rc write_names(const struct read *r, bool full, struct jw *w, struct err *e)
{
	struct map seen;
	str name;

	map_init(&seen, r->a);
	jw_array_key(w, STR("feature_names"));
	for (size_t i = 0; i < r->entities.column.n; i++) {
		if (is_needed(r, &r->entities.column.at[i], &name))
			jw_str(w, name);
	}
	for (size_t i = 0; i < r->view.n; i++) {
		for (size_t k = 0; k < r->view.at[i].feature.n; k++) {
			name = feast_name(&r->view.at[i], k, full, r->a);
			if (map_put(&seen, name, w) != NULL)
				return FAIL(e, RC_CONFLICT, "feature '" STR_FMT "' is asked for twice; full_feature_names tells views apart", STR_ARG(name));
			jw_str(w, name);
		}
	}
	jw_end_array(w);
	return RC_OK;
}

static void write_key_column(const struct read *r, const struct key_column *c, struct jw *w)
{
	jw_object(w);
	jw_array_key(w, STR("values"));
	for (size_t i = 0; i < r->entities.n_row; i++) {
		if (c->value.at[i].number)
			jw_raw(w, c->value.at[i].text);
		else
			jw_str(w, c->value.at[i].text);
	}
	jw_end_array(w);
	jw_array_key(w, STR("statuses"));
	for (size_t i = 0; i < r->entities.n_row; i++)
		jw_str(w, str_of(status_names[FEATURE_PRESENT]));
	jw_end_array(w);
	jw_array_key(w, STR("event_timestamps"));
	for (size_t i = 0; i < r->entities.n_row; i++)
		jw_str(w, STR("1970-01-01T00:00:00Z"));
	jw_end_array(w);
	jw_end_object(w);
}

static void write_feature_column(const struct read *r, const struct read_view *v, size_t k, struct jw *w)
{
	char text[CLOCK_TEXT_MAX];

	jw_object(w);
	jw_array_key(w, STR("values"));
	for (size_t i = 0; i < r->entities.n_row; i++)
		write_value(w, &v->row[i].value[k], v->kind.at[k]);
	jw_end_array(w);
	jw_array_key(w, STR("statuses"));
	for (size_t i = 0; i < r->entities.n_row; i++)
		jw_str(w, str_of(status_names[shown_status(&v->row[i].value[k], v->kind.at[k])]));
	jw_end_array(w);
	jw_array_key(w, STR("event_timestamps"));
	for (size_t i = 0; i < r->entities.n_row; i++)
		jw_str(w, str_n(text, clock_put_rfc3339(text, v->row[i].event_ms)));
	jw_end_array(w);
	jw_end_object(w);
}

static enum rc write_answer(const struct read *r, bool full, struct jw *w, struct err *e)
{
	str name;

	jw_object(w);
	jw_object_key(w, STR("metadata"));
	TRY(write_names(r, full, w, e));
	jw_end_object(w);
	jw_array_key(w, STR("results"));
	for (size_t i = 0; i < r->entities.column.n; i++) {
		if (is_needed(r, &r->entities.column.at[i], &name))
			write_key_column(r, &r->entities.column.at[i], w);
	}
	for (size_t i = 0; i < r->view.n; i++) {
		for (size_t k = 0; k < r->view.at[i].feature.n; k++)
			write_feature_column(r, &r->view.at[i], k, w);
	}
	jw_end_array(w);
	jw_end_object(w);
	return RC_OK;
}

static enum rc post_feast(struct call *c, const void *in, void *out, struct err *e)
{
	const struct feast_request *q = in;
	struct read r = { .f = c->module, .a = c->arena };
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	(void)out;
	if (q->feature_service.len > 0)
		return FAIL(e, RC_NOT_FOUND, "feature service '" STR_FMT "' does not exist; ask for features as view:feature",
			    STR_ARG(str_head(q->feature_service, 100)));
	TRY(take_columns(q->entities, c->arena, &r.entities, e));
	TRY(read_all(&r, q->features, q->ttl, e));
	jw_init(&w, &b);
	enum rc rc = write_answer(&r, q->full_feature_names, &w, e);
	if (rc == RC_OK && b.overflowed)
		rc = FAIL(e, RC_TOO_LARGE, "the answer is larger than %u MiB; ask for fewer rows", LIMIT_REPLY >> 20);
	if (rc != RC_OK) {
		buf_deinit(&b);
		return rc;
	}
	http_reply_buf(c->http, 200, "application/json", &b);
	return RC_OK;
}

const struct route feast_routes[] = {
	{ HTTP_POST, "/get-online-features", "features.read", .in = &feast_request_record, .handler = post_feast,
	  .doc = "Feast's feature server: reads the newest features of entities", .flags = ROUTE_LOOP | ROUTE_RAW_REPLY | ROUTE_HIDDEN },
};
_Static_assert(ARRAY_LEN(feast_routes) == FEAST_ROUTES, "features_int.h says how many");
