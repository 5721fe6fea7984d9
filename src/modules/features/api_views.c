/* api_views.c -- feature views, materialisations and training sets over HTTP. */
#include "modules/features/features_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "io/blob.h"

#define LIST_RECORD(var, key, of, text)                                                                              \
	static const struct field var##_fields[] = { FIELD(listing, items, K_RECORDS, 0, text, .name = key, .sub = &of) }; \
	static const struct record var##_record = RECORD(listing, var##_fields, text, .name = #var)
struct listing { struct list items; };
LIST_RECORD(feature_view_listing, "feature_views", feature_view_record, "Feature views by name");
LIST_RECORD(training_set_listing, "training_sets", training_set_brief_record, "Training sets, newest first");
LIST_RECORD(materialisation_listing, "materialisations", materialisation_record, "Materialisations of a view, newest first");

struct name_query { str name; int64_t limit; };
static const struct field name_query_fields[] = { FIELD(name_query, name, K_STR, F_REQUIRED, "Name of the view") };
static const struct record name_query_record = RECORD(name_query, name_query_fields, "Which view", .name = "view_query");
static const struct field set_query_fields[] = { FIELD(name_query, name, K_STR, F_REQUIRED, "Id or name of the training set", .name = "id") };
static const struct record set_query_record = RECORD(name_query, set_query_fields, "Which training set", .name = "training_set_query");
#define LIMIT_FIELD FIELD(name_query, limit, K_I64, 0, "How many at most", .min = 1, .max = 10000, .def = "100")
static const struct field limit_query_fields[] = { LIMIT_FIELD };
static const struct record limit_query_record = RECORD(name_query, limit_query_fields, "How many", .name = "limit_query");
static const struct field set_rows_query_fields[] = {
	FIELD(name_query, name, K_STR, F_REQUIRED, "Id or name of the training set", .name = "id"),
	LIMIT_FIELD,
};
static const struct record set_rows_query_record = RECORD(name_query, set_rows_query_fields, "Which rows", .name = "training_rows_query");

static enum rc post_views(struct call *c, const void *in, void *out, struct err *e)
{
	return features__apply(c->module, in, c->who, c->arena, out, e);
}

static enum rc get_views(struct call *c, const void *in, void *out, struct err *e)
{
	struct listing *l = out;

	(void)in;
	return features__views(c->module, c->arena, &l->items, e);
}

static enum rc get_view(struct call *c, const void *in, void *out, struct err *e)
{
	const struct name_query *q = in;

	return features_view(c->module, c->arena, q->name, out, e);
}

static enum rc get_materialisations(struct call *c, const void *in, void *out, struct err *e)
{
	const struct name_query *q = in;
	struct listing *l = out;
	struct feature_view v;

	TRY(features_view(c->module, c->arena, q->name, &v, e));
	return features__materialisations(c->module, c->arena, v.name, &l->items, e);
}

static enum rc get_training_sets(struct call *c, const void *in, void *out, struct err *e)
{
	const struct name_query *q = in;
	struct listing *l = out;

	return features__training_sets(c->module, c->arena, q->limit, &l->items, e);
}

static enum rc get_training_set(struct call *c, const void *in, void *out, struct err *e)
{
	const struct name_query *q = in;

	return features_training_set(c->module, c->arena, q->name, out, e);
}

/* --- rows of a training set ----------------------------------------------------------------------------------------- */

struct set_rows { struct list columns; str rows; int64_t n_rows; };
static const struct field set_rows_fields[] = {
	FIELD(set_rows, columns, K_STRS, 0, "Columns in order"),
	FIELD(set_rows, rows, K_JSON, 0, "A list of rows; each is a list of values in the order of the columns"),
	FIELD(set_rows, n_rows, K_I64, 0, "Rows given"),
};
static const struct record set_rows_record = RECORD(set_rows, set_rows_fields, "Rows of a training set");

static void write_cell(struct jw *w, const struct result_col *c, size_t row)
{
	char text[CLOCK_TEXT_MAX];

	if (c->null[row]) {
		jw_null(w);
		return;
	}
	switch (c->c.type) {
	case COL_BOOL:
		jw_bool(w, c->i[row] != 0);
		return;
	case COL_I64:
		jw_i64(w, c->i[row]);
		return;
	case COL_F64:
		jw_f64(w, c->f[row]);
		return;
	case COL_TIME:
		jw_str(w, str_n(text, clock_put_rfc3339(text, (c->i[row] - (c->i[row] % 1000 + 1000) % 1000) / 1000)));
		return;
	case COL_TEXT: case COL_OTHER:
		jw_str(w, c->s[row]);
		return;
	}
	UNREACHABLE("a column type");
}

static enum rc read_rows(struct query *q, str path, int64_t limit, struct arena *a, struct result *out, struct err *e)
{
	TRY(query_bind_parquet(q, STR("set"), path, e));
	return query_run(q, arena_printf(a, "SELECT * FROM \"set\" LIMIT %lld", (long long)limit), (size_t)limit, a, out, e);
}

static enum rc get_training_rows(struct call *c, const void *in, void *out, struct err *e)
{
	const struct name_query *q = in;
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct query *session = NULL;
	struct set_rows *rows = out;
	struct training_set s;
	struct result r;
	struct jw w;
	str path;

	TRY(features_training_set(c->module, c->arena, q->name, &s, e));
	TRY(blob_path(c->core->blobs, s.blob, c->arena, &path, e));
	TRY(query_open(c->core->query, &session, e));
	enum rc rc = read_rows(session, path, q->limit, c->arena, &r, e);
	query_close(&session);
	TRY(rc);
	jw_init(&w, &b);
	jw_array(&w);
	for (size_t i = 0; i < r.n; i++) {
		jw_array(&w);
		for (size_t k = 0; k < r.n_col; k++)
			write_cell(&w, &r.col[k], i);
		jw_end_array(&w);
	}
	jw_end_array(&w);
	str *name = ARENA_ARRAY(c->arena, str, r.n_col);
	for (size_t k = 0; k < r.n_col; k++)
		name[k] = r.col[k].c.name;
	rc = b.overflowed ? FAIL(e, RC_TOO_LARGE, "the rows are more than %u MiB; ask for fewer", LIMIT_REPLY >> 20) : RC_OK;
	*rows = (struct set_rows){ .columns = { name, r.n_col }, .rows = buf_to_arena(&b, c->arena), .n_rows = (int64_t)r.n };
	buf_deinit(&b);
	return rc;
}

/* --- the table --------------------------------------------------------------------------------------------------------- */

const struct route features_routes[] = {
	{ HTTP_POST, "/feature-views", "features.write", .in = &view_document_record, .out = &view_changes_record, .handler = post_views,
	  .doc = "Applies definitions of feature views, all or none" },
	{ HTTP_GET, "/feature-views", "features.read", .out = &feature_view_listing_record, .handler = get_views, .doc = "Lists feature views" },
	{ HTTP_GET, "/feature-views/{name}", "features.read", .object = "name", .in = &name_query_record, .out = &feature_view_record,
	  .handler = get_view, .doc = "Shows a feature view" },
	{ HTTP_POST, "/feature-views/{name}/materialise", "features.write", .object = "name", .task = &features_tasks[0],
	  .doc = "Brings the newest values of a view into the online store" },
	{ HTTP_GET, "/feature-views/{name}/materialisations", "features.read", .object = "name", .in = &name_query_record,
	  .out = &materialisation_listing_record, .handler = get_materialisations, .doc = "Lists materialisations of a view" },
	{ HTTP_POST, "/features/online", "features.read", .in = &features_online_request_record, .out = &features_online_answer_record,
	  .handler = features__post_online, .flags = ROUTE_LOOP, .doc = "Reads the newest features of keys" },
	{ HTTP_POST, "/training-sets", "features.write", .task = &features_tasks[1],
	  .doc = "Joins labels with features as they were known at their times" },
	{ HTTP_GET, "/training-sets", "features.read", .in = &limit_query_record, .out = &training_set_listing_record,
	  .handler = get_training_sets, .doc = "Lists training sets" },
	{ HTTP_GET, "/training-sets/{id}", "features.read", .object = "id", .in = &set_query_record, .out = &training_set_record,
	  .handler = get_training_set, .doc = "Shows a training set, by id or the newest of a name" },
	{ HTTP_GET, "/training-sets/{id}/rows", "features.read", .object = "id", .in = &set_rows_query_record, .out = &set_rows_record,
	  .handler = get_training_rows, .doc = "Shows rows of a training set" },
};
_Static_assert(ARRAY_LEN(features_routes) == FEATURES_ROUTES, "features_int.h says how many");
