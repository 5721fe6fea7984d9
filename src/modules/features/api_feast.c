/* api_feast.c -- Feast's POST /get-online-features, as its Python SDK asks and reads it. On the event loop, as api_online.c. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "modules/features/read.h"

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
		jw_str(w, str_of(read__status_names[FEATURE_PRESENT]));
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
		read__value(w, &v->row[i].value[k], v->kind.at[k]);
	jw_end_array(w);
	jw_array_key(w, STR("statuses"));
	for (size_t i = 0; i < r->entities.n_row; i++)
		jw_str(w, str_of(read__status_names[read__status(&v->row[i].value[k], v->kind.at[k])]));
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
	TRY(read__columns(q->entities, c->arena, &r.entities, e));
	TRY(read__all(&r, q->features, q->ttl, e));
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
