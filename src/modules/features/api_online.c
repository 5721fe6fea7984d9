/* api_online.c -- reading features online by cairn's own route. It runs on the event loop: a read copies out of a memory map
 * and waits for nothing. */
#include "base/clock.h"
#include "base/limits.h"
#include "modules/features/read.h"

static str time_text(int64_t ms, struct arena *a)
{
	char text[CLOCK_TEXT_MAX];

	return arena_dup(a, str_n(text, clock_put_rfc3339(text, ms)));
}

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
			read__value(&w, &v->row[row].value[k], v->kind.at[k]);
			status[at] = str_of(read__status_names[read__status(&v->row[row].value[k], v->kind.at[k])]);
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

	TRY(read__rows(q->keys, c->arena, &r.entities, e));
	TRY(read__all(&r, q->features, q->ttl, e));
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
