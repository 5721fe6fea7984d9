/* checks.c -- proof that what is read online is what the datasets say, and that no training set knows the future.
 *
 * The checks look values up one key at a time with plain filters and an ORDER BY, not by the window and ASOF joins that made
 * them, so that a fault of those shows. */
#include "modules/features/features_int.h"
#include "modules/features/sql.h"

#include <string.h>

#include "base/clock.h"
#include "core/store.h"
#include "io/blob.h"
#include "io/kvstore.h"

#define SAMPLE_KEYS 40
#define SAMPLE_SETS 3
#define SPEED_KEYS 1000
#define SPEED_READS 5000
#define SPEED_P99_MS 5.0
#define AGE_LATE_S 30.0         /* the gauge is set every few seconds */

/* One view's source, opened for look-ups. */
struct lookup {
	struct features *f;
	struct arena *a;
	struct query *q;
	const struct feature_view *view;
};

/* "zone_stats@3" */
static enum rc version_of(struct features *f, str id, struct arena *a, struct dataset_version *out, struct err *e)
{
	str rest = id, name;
	int64_t number = 0;

	if (!str_cut(&rest, '@', &name) || !str_to_i64(rest, &number))
		return FAIL(e, RC_INTERNAL, "'" STR_FMT "' is no dataset version", STR_ARG(id));
	return lake_version(f->lake, a, name, number, out, e);
}

static enum rc lookup_bind(struct lookup *l, str source, struct err *e)
{
	struct dataset_version d;

	TRY(version_of(l->f, source, l->a, &d, e));
	TRY(lake_bind(l->f->lake, l->q, STR("source"), &d, e));
	return query_define(l->q, STR("usable"), features__source_sql(l->view, &d, STR("source"), l->a), false, e);
}

/* Only the rows of the keys in the sample's first columns are looked at, and many times: they are kept apart. */
static enum rc lookup_keep(struct lookup *l, const struct result *sample, struct err *e)
{
	str where = STR("false");

	for (size_t i = 0; i < sample->n; i++) {
		str one = STR("true");
		for (size_t k = 0; k < l->view->keys.n; k++) {
			one = sample->col[k].null[i] ? STR("false")
						     : arena_printf(l->a, STR_FMT " AND k%zu = " STR_FMT, STR_ARG(one), k,
								    STR_ARG(query_quote_text(l->a, sample->col[k].s[i])));
		}
		where = arena_printf(l->a, STR_FMT " OR (" STR_FMT ")", STR_ARG(where), STR_ARG(one));
	}
	return query_define(l->q, STR("looked_at"), arena_printf(l->a, "SELECT * FROM usable WHERE " STR_FMT, STR_ARG(where)), true, e);
}

/* The row of a key at a time, by the rule as it is written down. r->n is 0 or 1; columns are t and the features. */
static enum rc lookup_row(struct lookup *l, const str *key, int64_t at_us, struct result *out, struct err *e)
{
	str where = arena_printf(l->a, "epoch_us(t) <= %lld", (long long)at_us), pick = STR("t"), order = STR("t DESC, c DESC NULLS LAST");

	for (size_t i = 0; i < l->view->keys.n; i++)
		where = arena_printf(l->a, STR_FMT " AND k%zu = " STR_FMT, STR_ARG(where), i, STR_ARG(query_quote_text(l->a, key[i])));
	for (size_t i = 0; i < l->view->features.n; i++) {
		pick = arena_printf(l->a, STR_FMT ", f%zu", STR_ARG(pick), i);
		order = arena_printf(l->a, STR_FMT ", f%zu DESC NULLS LAST", STR_ARG(order), i);
	}
	return query_run(l->q, arena_printf(l->a, "SELECT " STR_FMT " FROM looked_at WHERE " STR_FMT " ORDER BY " STR_FMT " LIMIT 1", STR_ARG(pick),
					    STR_ARG(where), STR_ARG(order)), 1, l->a, out, e);
}

/* --- online equals offline ------------------------------------------------------------------------------------------ */

static bool same_online(const struct result_col *c, const struct online_value *v)
{
	if (c->null[0])
		return v->status == FEATURE_NULL;
	if (v->status != FEATURE_PRESENT)
		return false;
	switch (c->c.type) {
	case COL_BOOL: case COL_I64: case COL_TIME:
		return c->i[0] == v->integer;
	case COL_F64:
		return c->f[0] >= v->number && c->f[0] <= v->number;
	case COL_TEXT: case COL_OTHER:
		return str_eq(c->s[0], v->text);
	}
	UNREACHABLE("a column type");
}

struct skew { size_t n_key, n_value, n_wrong; str first; };

static enum rc compare_key(struct lookup *l, struct online_reader *reader, const str *key, int64_t as_of_ms, struct skew *s, struct err *e)
{
	struct online_row row;
	struct result r;

	TRY(lookup_row(l, key, as_of_ms * 1000, &r, e));
	TRY(features_read(reader, key, 1, 0, l->a, &row, e));
	s->n_key++;
	for (size_t i = 0; i < l->view->features.n; i++) {
		bool same = r.n == 0 ? row.value[i].status == FEATURE_NOT_FOUND : same_online(&r.col[1 + i], &row.value[i]);
		s->n_value++;
		if (!same && s->n_wrong++ == 0)
			s->first = arena_printf(l->a, "'" STR_FMT "' of key '" STR_FMT "'",
						STR_ARG(LIST_AT(l->view->features, struct feature, i)->name), STR_ARG(key[0]));
	}
	return RC_OK;
}

static enum rc compare_sample(struct lookup *l, struct online_reader *reader, int64_t as_of_ms, struct skew *s, struct err *e)
{
	size_t n_key = l->view->keys.n;
	str keys = STR("k0"), *key = ARENA_ARRAY(l->a, str, n_key);
	struct result sample;

	for (size_t i = 1; i < n_key; i++)
		keys = arena_printf(l->a, STR_FMT ", k%zu", STR_ARG(keys), i);
	TRY(query_run(l->q, arena_printf(l->a, "SELECT DISTINCT " STR_FMT " FROM usable ORDER BY hash(" STR_FMT "), " STR_FMT " LIMIT %d", STR_ARG(keys),
					 STR_ARG(keys), STR_ARG(keys), SAMPLE_KEYS), SAMPLE_KEYS, l->a, &sample, e));
	TRY(lookup_keep(l, &sample, e));
	for (size_t i = 0; i < sample.n; i++) {
		for (size_t k = 0; k < n_key; k++)
			key[k] = sample.col[k].s[i];
		TRY(compare_key(l, reader, key, as_of_ms, s, e));
	}
	return RC_OK;
}

static enum rc compare_view(struct lookup *l, const struct materialisation *m, struct skew *s, struct err *e)
{
	const struct feature_view *v = l->view;
	str *name = ARENA_ARRAY(l->a, str, v->features.n);
	struct online_reader *reader;

	for (size_t i = 0; i < v->features.n; i++)
		name[i] = LIST_AT(v->features, struct feature, i)->name;
	TRY(lookup_bind(l, m->source, e));
	TRY(features_reader_new(l->f, v->name, name, v->features.n, &reader, e));
	enum rc rc = compare_sample(l, reader, m->as_of_ms, s, e);
	features_reader_free(&reader);
	return rc;
}

typedef enum rc view_check(struct features *f, const struct feature_view *v, const struct materialisation *m, struct live_check *k,
			   struct err *e);

static enum rc check_view_skew(struct features *f, const struct feature_view *v, const struct materialisation *m, struct live_check *k,
			       struct err *e)
{
	struct lookup l = { .f = f, .a = live_check_arena(k), .view = v };
	struct skew s = { 0 };

	if (m->revision != v->revision) {
		live_check_note(k, STR_FMT ": its definition has changed since it was materialised", STR_ARG(v->name));
		return RC_OK;
	}
	TRY(query_open(f->core->query, &l.q, e));
	enum rc rc = compare_view(&l, m, &s, e);
	query_close(&l.q);
	TRY(rc);
	expect_true(k, s.n_wrong == 0, STR_FMT ": %zu of %zu online values of %zu keys differ from " STR_FMT "%s" STR_FMT, STR_ARG(v->name),
		    s.n_wrong, s.n_value, s.n_key, STR_ARG(m->source), s.n_wrong > 0 ? ", first " : "", STR_ARG(s.first));
	return RC_OK;
}

static enum rc each_materialised(struct features *f, struct live_check *k, view_check *fn, struct err *e)
{
	struct list views;
	size_t n = 0;

	TRY(features__views(f, live_check_arena(k), &views, e));
	for (size_t i = 0; i < views.n; i++) {
		const struct feature_view *v = LIST_AT(views, const struct feature_view, i);
		struct materialisation m;
		bool found = false;
		TRY(features__current(f, live_check_arena(k), v->name, &m, &found, e));
		if (!found)
			continue;
		TRY(fn(f, v, &m, k, e));
		n++;
	}
	if (n == 0)
		live_check_skip(k, "no feature view has been materialised");
	return RC_OK;
}

static enum rc online_equals_offline(void *module, struct live_check *k, struct err *e)
{
	return each_materialised(module, k, check_view_skew, e);
}

/* --- every key is there ------------------------------------------------------------------------------------------------ */

struct tally { int64_t n, n_bad; size_t n_feature; };

static bool count_row(void *ctx, str key, str value)
{
	struct err e = ERR_INIT;
	struct tally *t = ctx;
	struct row row;

	(void)key;
	t->n++;
	if (row_open(value, &row, &e) != RC_OK || row.n != t->n_feature)
		t->n_bad++;
	return true;
}

static enum rc check_view_complete(struct features *f, const struct feature_view *v, const struct materialisation *m, struct live_check *k,
				   struct err *e)
{
	struct arena *a = live_check_arena(k);
	struct tally t = { .n_feature = m->features.n };

	TRY(kvstore_scan(f->core->kv, features__prefix(a, v->name, m->id), count_row, &t, e));
	expect_true(k, t.n == m->n_keys && t.n_bad == 0, STR_FMT ": %lld keys in the online store, %lld materialised, %lld damaged",
		    STR_ARG(v->name), (long long)t.n, (long long)m->n_keys, (long long)t.n_bad);
	return RC_OK;
}

static enum rc online_complete(void *module, struct live_check *k, struct err *e)
{
	return each_materialised(module, k, check_view_complete, e);
}

/* --- reads are quick ----------------------------------------------------------------------------------------------------- */

struct keys { struct arena *a; size_t n_prefix; VEC(str) key; };

/* Stored keys are the join keys with their lengths (row.c); only views with one short key are taken. */
static bool take_key(void *ctx, str key, str value)
{
	struct keys *k = ctx;
	str rest = str_skip(key, k->n_prefix + 2);

	(void)value;
	*VEC_PUSH(k->a, &k->key) = arena_dup(k->a, rest);
	return k->key.n < SPEED_KEYS;
}

static enum rc time_reads(struct online_reader *r, const struct keys *k, struct hist *h, struct err *e)
{
	struct online_row row;
	struct arena a;

	for (size_t i = 0; i < SPEED_READS; i++) {
		arena_init(&a);
		uint64_t began = clock_ns();
		enum rc rc = features_read(r, &k->key.at[i % k->key.n], 1, 0, &a, &row, e);
		hist_record(h, clock_ns() - began);
		arena_deinit(&a);
		TRY(rc);
	}
	return RC_OK;
}

static enum rc check_view_speed(struct features *f, const struct feature_view *v, const struct materialisation *m, struct live_check *k,
				   struct err *e)
{
	struct arena *a = live_check_arena(k);
	str prefix = features__prefix(a, v->name, m->id), *name = ARENA_ARRAY(a, str, m->features.n);
	struct keys keys = { .a = a, .n_prefix = prefix.len };
	struct hist *h = ARENA_NEW(a, struct hist);
	struct online_reader *r;

	if (m->keys.n != 1)
		return RC_OK;
	TRY(kvstore_scan(f->core->kv, prefix, take_key, &keys, e));
	if (keys.key.n == 0)
		return RC_OK;
	for (size_t i = 0; i < m->features.n; i++)
		name[i] = LIST_AT(m->features, struct feature, i)->name;
	TRY(features_reader_new(f, v->name, name, m->features.n, &r, e));
	enum rc rc = time_reads(r, &keys, h, e);
	features_reader_free(&r);
	TRY(rc);
	live_check_note(k, STR_FMT ": %d reads of %zu features, p50 %.1f us", STR_ARG(v->name), SPEED_READS, m->features.n,
			(double)hist_quantile(h, 0.5) / 1000);
	expect_at_most(k, "99th percentile of an online read, ms", (double)hist_quantile(h, 0.99) / 1e6, SPEED_P99_MS);
	return RC_OK;
}

static enum rc online_fast(void *module, struct live_check *k, struct err *e)
{
	return each_materialised(module, k, check_view_speed, e);
}

/* --- staleness is told ------------------------------------------------------------------------------------------------------ */

struct told { str view; double age; bool found; };

static void find_age(void *ctx, const char *name, const struct metric_def *d, const str *label, double value)
{
	struct told *t = ctx;

	(void)d;
	if (strcmp(name, "cairn_feature_age_seconds") != 0 || !str_eq(label[0], t->view))
		return;
	t->age = value;
	t->found = true;
}

static enum rc check_view_age(struct features *f, const struct feature_view *v, const struct materialisation *m, struct live_check *k,
				   struct err *e)
{
	struct told t = { .view = v->name };
	double age = (double)(clock_ms() - m->as_of_ms) / 1000;

	(void)e;
	metrics_each(f->core->metrics, find_age, &t);
	expect_true(k, t.found && t.age > age - AGE_LATE_S && t.age < age + AGE_LATE_S,
		    STR_FMT ": values as of %.0f s ago, the metric that alerts watch says %.0f s", STR_ARG(v->name), age, t.age);
	return RC_OK;
}

static enum rc age_is_told(void *module, struct live_check *k, struct err *e)
{
	return each_materialised(module, k, check_view_age, e);
}

/* --- no value from the future -------------------------------------------------------------------------------------------- */

struct audit {
	struct lookup l;
	const struct training_set *set;
	struct training_request request;
	size_t n_row, n_wrong, n_future;
};

static str audit_key_column(const struct audit *x, str key)
{
	for (size_t i = 0; i < x->request.keys.n; i++) {
		const struct pair *p = LIST_AT(x->request.keys, const struct pair, i);
		if (str_eq(p->key, key))
			return p->value;
	}
	return key;
}

static bool same_cell(const struct result_col *x, size_t i, const struct result_col *y, bool y_given)
{
	if (x->null[i] || !y_given || y->null[0])
		return x->null[i] && (!y_given || y->null[0]);
	if (x->c.type != y->c.type)
		return false;
	if (x->c.type == COL_F64)
		return x->f[i] >= y->f[0] && x->f[i] <= y->f[0];
	if (x->c.type == COL_TEXT || x->c.type == COL_OTHER)
		return str_eq(x->s[i], y->s[0]);
	return x->i[i] == y->i[0];
}

/* Which features of the view the set has: their column in the sample, or -1. */
static str sample_sql(const struct audit *x, int *column, struct arena *a)
{
	const struct feature_view *v = x->l.view;
	str pick = STR("");
	int at = 2 + (int)v->keys.n;

	for (size_t i = 0; i < v->keys.n; i++)
		pick = arena_printf(a, STR_FMT "CAST(" STR_FMT " AS VARCHAR), ", STR_ARG(pick),
				    STR_ARG(query_quote_name(a, audit_key_column(x, *LIST_AT(v->keys, str, i)))));
	str time = query_quote_name(a, x->set->time_column);
	str seen = query_quote_name(a, arena_printf(a, STR_FMT "__event_time", STR_ARG(v->name)));
	pick = arena_printf(a, STR_FMT "CAST(" STR_FMT " AS TIMESTAMP), " STR_FMT, STR_ARG(pick), STR_ARG(time), STR_ARG(seen));
	for (size_t i = 0; i < v->features.n; i++) {
		str name = LIST_AT(v->features, struct feature, i)->name;
		column[i] = -1;
		for (size_t k = 0; k < x->set->inputs.n; k++) {
			const struct training_input *in = LIST_AT(x->set->inputs, struct training_input, k);
			if (!str_eq(in->name, name) || !str_eq(in->view, v->name))
				continue;
			pick = arena_printf(a, STR_FMT ", " STR_FMT, STR_ARG(pick), STR_ARG(query_quote_name(a, name)));
			column[i] = at++;
		}
	}
	str order = arena_printf(a, "hash(" STR_FMT ", " STR_FMT ")", STR_ARG(time), STR_ARG(seen));
	for (int i = 1; i <= at; i++)
		order = arena_printf(a, STR_FMT ", %d", STR_ARG(order), i);
	return arena_printf(a, "SELECT " STR_FMT " FROM \"set\" ORDER BY " STR_FMT " LIMIT %d", STR_ARG(pick), STR_ARG(order), SAMPLE_KEYS);
}

static enum rc audit_row(struct audit *x, const struct result *sample, size_t i, const int *column, struct err *e)
{
	const struct feature_view *v = x->l.view;
	size_t n_key = v->keys.n;
	str *key = ARENA_ARRAY(x->l.a, str, n_key);
	const struct result_col *at = &sample->col[n_key];
	struct result r;

	for (size_t k = 0; k < n_key; k++) {
		if (sample->col[k].null[i])
			return RC_OK;
		key[k] = sample->col[k].s[i];
	}
	TRY(lookup_row(&x->l, key, at->i[i], &r, e));
	bool given = r.n > 0 && (v->ttl_ms == 0 || at->i[i] - r.col[0].i[0] <= v->ttl_ms * 1000);
	bool same = same_cell(&sample->col[n_key + 1], i, &r.col[0], given);
	for (size_t k = 0; same && k < v->features.n; k++)
		same = column[k] < 0 || same_cell(&sample->col[column[k]], i, &r.col[1 + k], given);
	x->n_row++;
	x->n_wrong += !same;
	return RC_OK;
}

static enum rc audit_sample(struct audit *x, struct err *e)
{
	int *column = ARENA_ARRAY(x->l.a, int, x->l.view->features.n);
	struct result r;
	str path;

	TRY(blob_path(x->l.f->core->blobs, x->set->blob, x->l.a, &path, e));
	TRY(query_bind_parquet(x->l.q, STR("set"), path, e));
	str seen = query_quote_name(x->l.a, arena_printf(x->l.a, STR_FMT "__event_time", STR_ARG(x->l.view->name)));
	TRY(query_run(x->l.q, arena_printf(x->l.a, "SELECT count(*) FROM \"set\" WHERE " STR_FMT " > CAST(" STR_FMT " AS TIMESTAMP)", STR_ARG(seen),
					   STR_ARG(query_quote_name(x->l.a, x->set->time_column))), 1, x->l.a, &r, e));
	x->n_future = (size_t)r.col[0].i[0];
	TRY(query_run(x->l.q, sample_sql(x, column, x->l.a), SAMPLE_KEYS, x->l.a, &r, e));
	TRY(lookup_keep(&x->l, &r, e));
	for (size_t i = 0; i < r.n; i++)
		TRY(audit_row(x, &r, i, column, e));
	return RC_OK;
}

static enum rc audit_view(struct features *f, const struct training_set *s, str view, struct live_check *k, struct err *e)
{
	struct audit x = { .l = { .f = f, .a = live_check_arena(k) }, .set = s };
	struct feature_view v;
	str source = STR("");

	TRY(features_view(f, x.l.a, view, &v, e));
	TRY(record_from_json(&training_request_record, s->request, x.l.a, DEC_TRUSTED, &x.request, e));
	for (size_t i = 0; i < s->sources.n; i++) {
		str id = *LIST_AT(s->sources, str, i);
		if (str_starts(id, v.dataset) && id.len > v.dataset.len && id.at[v.dataset.len] == '@')
			source = id;
	}
	if (v.updated_ms > s->created_ms || source.len == 0) {
		live_check_note(k, STR_FMT ": feature view " STR_FMT " has changed since it was made", STR_ARG(s->id), STR_ARG(view));
		return RC_OK;
	}
	x.l.view = &v;
	TRY(query_open(f->core->query, &x.l.q, e));
	enum rc rc = lookup_bind(&x.l, source, e);
	if (rc == RC_OK)
		rc = audit_sample(&x, e);
	query_close(&x.l.q);
	TRY(rc);
	expect_true(k, x.n_future == 0, STR_FMT " (" STR_FMT "): %zu of %lld rows saw a value of " STR_FMT " from after their time", STR_ARG(s->name),
		    STR_ARG(s->id), x.n_future, (long long)s->n_rows, STR_ARG(view));
	expect_true(k, x.n_wrong == 0, STR_FMT " (" STR_FMT "): %zu of %zu sampled rows differ from what was known of " STR_FMT " at their time",
		    STR_ARG(s->name), STR_ARG(s->id), x.n_wrong, x.n_row, STR_ARG(view));
	return RC_OK;
}

static enum rc no_future(void *module, struct live_check *k, struct err *e)
{
	struct features *f = module;
	struct list sets;
	size_t n = 0;

	TRY(store_list1(f->core->db, live_check_arena(k), &training_set_record, "ORDER BY id DESC LIMIT ?", VALS(V_I64(SAMPLE_SETS)), &sets, e));
	for (size_t i = 0; i < sets.n; i++) {
		const struct training_set *s = LIST_AT(sets, const struct training_set, i);
		for (size_t w = 0; w < s->views.n; w++, n++)
			TRY(audit_view(f, s, *LIST_AT(s->views, str, w), k, e));
	}
	if (n == 0)
		live_check_skip(k, "no training set has features of a view");
	return RC_OK;
}

const struct check_def features_checks[] = {
	{ "features.online_equals_offline", "What is read online is what the dataset says for the same key and time", "P2.W7.pipe.4", online_equals_offline },
	{ "features.online_complete", "Every key of each materialisation is in the online store, whole", "P2.W7.pipe.4", online_complete },
	{ "features.online_fast", "A read of one key's features online takes less than 5 ms in 99 of 100 cases", "P2.W7.pipe.4", online_fast },
	{ "features.age_is_told", "How old the online values are stands in the metric that alerts watch", "P2.W7.pipe.4", age_is_told },
	{ "features.no_future", "No training set has a value that was not known at the time of its label", "P2.W7.pipe.4", no_future },
};
_Static_assert(ARRAY_LEN(features_checks) == FEATURES_CHECKS, "features_int.h says how many");
