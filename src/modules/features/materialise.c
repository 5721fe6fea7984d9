/* materialise.c -- the newest values of a view, brought into the online store.
 *
 * Rows are written under a prefix of their own, batch by batch; the one transaction of the metadata database that makes
 * the materialisation current is what readers see, whole or not at all. Its row is there, as "building", before its first
 * key: what a killed process left is known at the next start, and its keys are deleted by the timer, as are those of
 * materialisations that were replaced, after a grace period for readers that are still on them. */
#include "modules/features/features_int.h"
#include "modules/features/sql.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "io/kvstore.h"

#define PAGE_ROWS 20000         /* rows held in memory and written in one durable batch */
#define BATCH_BYTES (256u << 20)

str features__prefix(struct arena *a, str view, str materialisation)
{
	return arena_printf(a, "feat/" STR_FMT "/" STR_FMT "/", STR_ARG(view), STR_ARG(materialisation));
}

struct filling {
	struct features *f;
	struct task *task;
	const struct feature_view *view;
	struct dataset_version source;
	struct materialisation *m;
	struct query *q;
	str prefix;
	enum value_kind kind[FEATURES_MAX];
};

static struct row_value value_at(const struct result_col *c, size_t row, enum value_kind kind)
{
	struct row_value v = { .null = c->null[row] != 0 };

	if (v.null)
		return v;
	if (kind == VALUE_STRING)
		v.s = c->s[row];
	else if (kind == VALUE_FLOAT)
		v.f = c->f[row];
	else
		v.i = c->i[row];
	return v;
}

/* Columns: the keys, t, c, the features. */
static enum rc write_page(struct filling *w, const struct result *r, struct arena *a, struct err *e)
{
	size_t n_key = w->view->keys.n, n_feature = w->view->features.n;
	struct kv_item *item = ARENA_ARRAY(a, struct kv_item, r->n);
	struct row_value *value = ARENA_ARRAY(a, struct row_value, n_feature);
	str *key = ARENA_ARRAY(a, str, n_key);
	struct buf b = BUF_INIT(BATCH_BYTES);
	char one[ROW_KEY_MAX];

	for (size_t i = 0; i < r->n; i++) {
		for (size_t k = 0; k < n_key; k++)
			key[k] = r->col[k].s[i];
		for (size_t k = 0; k < n_feature; k++)
			value[k] = value_at(&r->col[n_key + 2 + k], i, w->kind[k]);
		buf_clear(&b);
		row_put(&b, r->col[n_key].i[i], w->kind, value, n_feature);
		if (b.overflowed) {
			buf_deinit(&b);
			return FAIL(e, RC_TOO_LARGE, "a row of feature view '" STR_FMT "' is larger than %u MiB", STR_ARG(w->view->name), BATCH_BYTES >> 20);
		}
		item[i] = (struct kv_item){ .key = arena_dup(a, str_n(one, row_key(one, w->prefix, key, n_key))), .value = buf_to_arena(&b, a) };
	}
	buf_deinit(&b);
	return kvstore_write(w->f->core->kv, item, r->n, e);
}

static enum rc write_pages(struct filling *w, struct err *e)
{
	enum rc rc = RC_OK;

	for (int64_t at = 0; rc == RC_OK && at < w->m->n_keys; at += PAGE_ROWS) {
		struct result r;
		struct arena a;
		if (was_cancelled(w->task))
			return FAIL(e, RC_CANCELLED, "the materialisation was cancelled; the one before it is still read");
		arena_init(&a);
		rc = query_run(w->q, arena_printf(&a, "SELECT * FROM latest WHERE rowid >= %lld AND rowid < %lld", (long long)at,
						  (long long)at + PAGE_ROWS), PAGE_ROWS, &a, &r, e);
		if (rc == RC_OK)
			rc = write_page(w, &r, &a, e);
		arena_deinit(&a);
		tell_task(w->task, 0.3 + 0.65 * (double)(at + PAGE_ROWS) / (double)(w->m->n_keys + PAGE_ROWS), "%lld of %lld keys",
			      (long long)(at + PAGE_ROWS < w->m->n_keys ? at + PAGE_ROWS : w->m->n_keys), (long long)w->m->n_keys);
	}
	return rc;
}

static enum rc count_rows(struct query *q, const char *sql, int64_t *out, struct err *e)
{
	struct result r;
	struct arena a;

	arena_init(&a);
	enum rc rc = query_run(q, str_of(sql), 1, &a, &r, e);
	if (rc == RC_OK)
		*out = r.col[0].i[0];
	arena_deinit(&a);
	return rc;
}

static enum rc fill(struct filling *w, struct arena *a, struct err *e)
{
	struct materialisation *m = w->m;
	int64_t with_key = 0;

	TRY(lake_bind(w->f->lake, w->q, STR("source"), &w->source, e));
	str source = features__source_sql(w->view, &w->source, STR("source"), a);
	TRY(query_define(w->q, STR("usable"), source, false, e));
	TRY(count_rows(w->q, "SELECT count(*) FROM source", &m->n_rows, e));
	TRY(count_rows(w->q, "SELECT count(*) FROM usable", &with_key, e));
	m->n_without_key = m->n_rows - with_key;
	tell_task(w->task, 0.1, "finding the newest of %lld rows", (long long)m->n_rows);
	TRY(query_define(w->q, STR("latest"), features__latest_sql(w->view, STR("SELECT * FROM usable"), m->as_of_ms, a), true, e));
	TRY(count_rows(w->q, "SELECT count(*) FROM latest", &m->n_keys, e));
	return write_pages(w, e);
}

static enum rc fill_in_session(struct filling *w, struct arena *a, struct err *e)
{
	TRY(query_open(w->f->core->query, &w->q, e));
	features__watch(w->task, w->q);
	enum rc rc = fill(w, a, e);
	features__watch(w->task, NULL);
	query_close(&w->q);
	return rc;
}

static enum rc build(struct filling *w, const struct principal *who, struct arena *a, struct err *e)
{
	struct feature_view after = { 0 };
	struct materialisation *m = w->m;

	TRY(features__materialisation_begin(w->f, m, e));
	enum rc rc = fill_in_session(w, a, e);
	if (rc == RC_OK) {
		m->ended_ms = clock_ms();
		rc = features__materialisation_switch(w->f, m, who, a, &after, e);
	}
	if (rc != RC_OK) {
		struct err more = ERR_INIT;
		/* The row then stays "building", and the next start sees to it. */
		if (features__materialisation_state(w->f, m->id, MAT_FAILED, &more) != RC_OK)
			LOG(WARN, "features.not_failed", KV_STR("materialisation", m->id), KV_ERR(&more));
		return rc;
	}
	return features__publish(w->f, &after, m, e);
}

static enum rc prepare(struct filling *w, const struct materialise_request *r, struct feature_view *view, struct arena *a, struct err *e)
{
	struct materialisation *m = w->m;

	TRY(features_view(w->f, a, r->name, view, e));
	TRY(lake_version(w->f->lake, a, view->dataset, 0, &w->source, e));
	TRY(features__fits(view, &w->source, e));
	w->view = view;
	for (size_t i = 0; i < view->features.n; i++)
		CHECK(features__kind_of_type(LIST_AT(view->features, struct feature, i)->type, &w->kind[i]));
	*m = (struct materialisation){
		.id = id_new(a, "mt"), .view = view->name, .revision = view->revision, .source = lake_version_id(a, &w->source),
		.as_of_ms = r->as_of_ms != 0 ? r->as_of_ms : clock_ms(), .state = MAT_BUILDING, .started_ms = clock_ms(),
		.place = w->f->place, .keys = view->keys, .features = view->features,
	};
	w->prefix = features__prefix(a, m->view, m->id);
	return RC_OK;
}

enum rc features__materialise(struct features *f, const struct materialise_request *r, const struct principal *who, struct task *t,
			      struct arena *a, struct materialisation *out, struct err *e)
{
	struct filling *w = ARENA_NEW(a, struct filling);
	struct feature_view *view = ARENA_NEW(a, struct feature_view);
	uint64_t began = clock_ns();

	OBJ_CHECK(f, FEATURES_MAGIC);
	w->f = f;
	w->task = t;
	w->m = out;
	TRY(prepare(w, r, view, a, e));
	if (!features__begin(f, view->name))
		return FAIL(e, RC_CONFLICT, "feature view '" STR_FMT "' is being materialised already", STR_ARG(view->name));
	enum rc rc = build(w, who, a, e);
	features__end(f, view->name);
	TRY(rc);
	double s = (double)(clock_ns() - began) / 1e9;
	out->took_ms = (int64_t)(s * 1000);
	out->keys_per_s = s > 0 ? (double)out->n_keys / s : 0;
	LOG(INFO, "features.materialised", KV_STR("view", out->view), KV_STR("materialisation", out->id), KV_I64("keys", out->n_keys),
	    KV_I64("ms", out->took_ms));
	tell_task(t, 1, "%lld keys are read online from now on", (long long)out->n_keys);
	return RC_OK;
}

/* --- cleaning ----------------------------------------------------------------------------------------------------- */

enum rc features__clean(struct features *f, int64_t grace_ms, struct err *e)
{
	struct list old;
	struct arena a;

	arena_init(&a);
	enum rc rc = features__materialisations_to_clean(f, clock_ms() - grace_ms, &a, &old, e);
	for (size_t i = 0; rc == RC_OK && i < old.n; i++) {
		const struct materialisation *m = LIST_AT(old, const struct materialisation, i);
		uint64_t n = 0;
		rc = kvstore_delete_prefix(f->core->kv, features__prefix(&a, m->view, m->id), &n, e);
		if (rc == RC_OK)
			rc = features__materialisation_state(f, m->id, MAT_CLEANED, e);
		if (rc == RC_OK)
			LOG(INFO, "features.cleaned", KV_STR("materialisation", m->id), KV_I64("keys", n));
	}
	arena_deinit(&a);
	return rc;
}
