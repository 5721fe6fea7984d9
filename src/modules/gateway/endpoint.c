/* endpoint.c -- endpoints applied, refreshed, followed, taken away.
 *
 * A change is compiled first: what cannot be served is refused and nothing has changed. Then the row is written with its
 * lineage, then the plan is published by one pointer under a short lock. Requests hold a reference to the plan that they
 * began with, so none fails by a change. */
#include "modules/gateway/plan.h"

#include "base/clock.h"
#include "base/log.h"

/* --- the table ------------------------------------------------------------------------------------------------------ */

static struct entry *entry_find(struct gateway *g, str name)
{
	return map_find(&g->table, name);
}

enum rc gateway__plan_get(struct gateway *g, str name, struct plan **out, struct err *e)
{
	enum rc rc = RC_OK;

	pthread_mutex_lock(&g->mtx);
	struct entry *x = entry_find(g, name);
	if (x == NULL) {
		rc = FAIL(e, RC_NOT_FOUND, "model '" STR_FMT "' does not exist; there is no endpoint of that name", STR_ARG(str_head(name, 200)));
	} else if (x->plan == NULL) {
		*e = x->err;
		e->rc = rc = x->err.rc == RC_NOT_FOUND ? RC_NOT_FOUND : RC_UNAVAILABLE;
	} else {
		atomic_fetch_add(&x->plan->refs, 1);
		*out = x->plan;
	}
	pthread_mutex_unlock(&g->mtx);
	return rc;
}

/* Under apply_mtx. An entry stays for good: its numbers go on when the name comes again. */
static struct entry *entry_get(struct gateway *g, str name)
{
	pthread_mutex_lock(&g->mtx);
	struct entry *x = entry_find(g, name);
	pthread_mutex_unlock(&g->mtx);
	if (x != NULL)
		return x;
	x = ARENA_NEW(&g->arena, struct entry);
	x->name = arena_dup(&g->arena, name);
	x->live.answered = metric_series(g->answered, &x->name);
	x->live.failed = metric_series(g->failed, &x->name);
	x->live.latency = metric_series(g->latency, &x->name);
	(void)FAIL(&x->err, RC_NOT_FOUND, "model '" STR_FMT "' does not exist", STR_ARG(str_head(name, 200)));
	pthread_mutex_lock(&g->mtx);
	map_put(&g->table, x->name, x);
	pthread_mutex_unlock(&g->mtx);
	return x;
}

/* Under apply_mtx. Takes the plan over; NULL with the reason in err. */
static void publish(struct gateway *g, str name, struct plan *plan, const struct err *err)
{
	struct entry *x = entry_get(g, name);

	pthread_mutex_lock(&g->mtx);
	struct plan *former = x->plan;
	if (plan != NULL)
		plan->live = &x->live;
	x->plan = plan;
	if (err != NULL)
		x->err = *err;
	pthread_mutex_unlock(&g->mtx);
	gateway__plan_release(&former);
}

/* The entry stays: requests under way count into it. */
static void take_away(struct gateway *g, str name)
{
	struct err gone = ERR_INIT;

	(void)FAIL(&gone, RC_NOT_FOUND, "model '" STR_FMT "' does not exist; its endpoint was taken away", STR_ARG(str_head(name, 200)));
	publish(g, name, NULL, &gone);
	observe_retire(observe_of(g->core), name);
}

/* --- showing ---------------------------------------------------------------------------------------------------------- */

static void show_live(struct plan *p, struct endpoint *out)
{
	struct watch_stats s;

	observe_watch_stats(p->watch, &s);
	out->live = (struct endpoint_live){ .n = (int64_t)s.n, .p50_ms = (double)s.p50_ns / 1e6, .p95_ms = (double)s.p95_ns / 1e6,
					    .p99_ms = (double)s.p99_ns / 1e6, .per_second = s.per_second,
					    .answered = (int64_t)series_value(p->live->answered), .failed = (int64_t)series_value(p->live->failed) };
}

/* What the stored row does not say. */
static void fill(struct gateway *g, struct arena *a, struct endpoint *d)
{
	struct err e = ERR_INIT;
	struct plan *p;

	if (gateway__plan_get(g, d->name, &p, &e) != RC_OK) {
		d->state = STR("failed");
		d->error = arena_dup(a, str_of(e.msg));
		return;
	}
	d->state = STR("ready");
	d->runtime = arena_dup(a, p->def.runtime);
	d->inputs = gateway__plan_inputs(p, a);
	show_live(p, d);
	gateway__plan_release(&p);
}

enum rc gateway__show(struct gateway *g, str name, struct arena *a, struct endpoint *out, struct err *e)
{
	struct endpoint d = { 0 };
	bool found = false;

	TRY(gateway__row_find(g, a, name, &d, &found, e));
	if (!found || d.deleted_ms != 0)
		return FAIL(e, RC_NOT_FOUND, "endpoint '" STR_FMT "' does not exist", STR_ARG(name));
	fill(g, a, &d);
	*out = d;
	return RC_OK;
}

enum rc gateway__list(struct gateway *g, struct arena *a, struct list *out, struct err *e)
{
	TRY(gateway__rows(g, a, out, e));
	for (size_t i = 0; i < out->n; i++)
		fill(g, a, LIST_AT(*out, struct endpoint, i));
	return RC_OK;
}

/* --- changing ---------------------------------------------------------------------------------------------------------- */

static bool same_definition(const struct endpoint *x, const struct endpoint *y, struct arena *a)
{
	return str_eq(record_to_json(&endpoint_definition_record, x, 0, a), record_to_json(&endpoint_definition_record, y, 0, a));
}

struct change { struct endpoint *d; struct endpoint *former; bool had; const struct principal *who; const char *action; };

/* Compiled, then stored, then published. Under apply_mtx. */
static enum rc make_revision(struct gateway *g, const struct change *c, const struct model_version *v, struct err *e)
{
	struct endpoint *d = c->d;
	struct plan *p;

	d->model_name = v->name;
	d->version = v->version;
	d->revision = c->had ? c->former->revision + 1 : 1;
	d->updated_ms = clock_ms();
	d->created_ms = c->had ? c->former->created_ms : d->updated_ms;
	d->deleted_ms = 0;
	TRY(gateway__plan_new(g, d, v, &p, e));
	enum rc rc = gateway__row_put(g, d, c->who, c->action, e);
	if (rc != RC_OK) {
		gateway__plan_release(&p);
		return rc;
	}
	publish(g, d->name, p, NULL);
	LOG(INFO, "endpoint.revision", KV_STR("name", d->name), KV_I64("revision", d->revision), KV_STR("model", d->model_name),
	    KV_I64("version", d->version));
	return RC_OK;
}

static enum rc apply(struct gateway *g, const struct endpoint *given, const struct principal *who, struct arena *a, struct err *e)
{
	struct endpoint d = *given, former = { 0 };
	struct model_version v;
	struct plan *serving = NULL;
	struct err none = ERR_INIT;
	bool found = false;

	if (d.rate.per_second > 0 && d.rate.burst < 1)
		d.rate.burst = d.rate.per_second < 1 ? 1 : d.rate.per_second;
	TRY(gateway__row_find(g, a, d.name, &former, &found, e));
	if (registry_resolve(registry_of(g->core), a, d.model, &v, e) != RC_OK)
		return err_field(e, "model");
	bool same = found && former.deleted_ms == 0 && former.version == v.version && str_eq(former.model_name, v.name) &&
		    same_definition(&former, &d, a);
	if (same && gateway__plan_get(g, d.name, &serving, &none) == RC_OK) {
		gateway__plan_release(&serving);
		return RC_OK;
	}
	struct change c = { &d, &former, found, who, "endpoint.apply" };
	return make_revision(g, &c, &v, e);
}

enum rc gateway__apply(struct gateway *g, const struct endpoint *given, const struct principal *who, struct arena *a, struct endpoint *out, struct err *e)
{
	pthread_mutex_lock(&g->apply_mtx);
	enum rc rc = apply(g, given, who, a, e);
	pthread_mutex_unlock(&g->apply_mtx);
	TRY(rc);
	return gateway__show(g, given->name, a, out, e);
}

/* The stored endpoint as it must be served now: a moved alias makes a revision, anything else a plan of the same one. */
static enum rc bring_up(struct gateway *g, const struct endpoint *row, const struct principal *who, bool anew, struct arena *a, struct err *e)
{
	struct endpoint d = *row;
	struct model_version v;
	struct plan *p = NULL;
	struct err none = ERR_INIT;

	TRY(registry_resolve(registry_of(g->core), a, d.model, &v, e));
	bool served = gateway__plan_get(g, d.name, &p, &none) == RC_OK;
	bool fits = served && p->def.revision == d.revision && gateway__plan_is_fresh(p);
	gateway__plan_release(&p);
	if (v.version != d.version || !str_eq(v.name, d.model_name)) {
		struct endpoint former = d;
		struct change c = { &d, &former, true, who, "endpoint.follow" };
		return make_revision(g, &c, &v, e);
	}
	if (fits && !anew)
		return RC_OK;
	TRY(gateway__plan_new(g, &d, &v, &p, e));
	publish(g, d.name, p, NULL);
	return RC_OK;
}

enum rc gateway__refresh(struct gateway *g, str name, const struct principal *who, struct arena *a, struct endpoint *out, struct err *e)
{
	struct endpoint d;

	pthread_mutex_lock(&g->apply_mtx);
	enum rc rc = gateway__show(g, name, a, &d, e);
	if (rc == RC_OK)
		rc = bring_up(g, &d, who, true, a, e);
	pthread_mutex_unlock(&g->apply_mtx);
	TRY(rc);
	return gateway__show(g, name, a, out, e);
}

enum rc gateway__delete(struct gateway *g, str name, const struct principal *who, struct err *e)
{
	pthread_mutex_lock(&g->apply_mtx);
	enum rc rc = gateway__row_delete(g, name, who, e);
	if (rc == RC_OK)
		take_away(g, name);
	pthread_mutex_unlock(&g->apply_mtx);
	return rc;
}

/* --- following ----------------------------------------------------------------------------------------------------------- */

static void drop_missing(struct gateway *g, const struct list *rows, struct arena *a)
{
	VEC(str) gone = { 0 };

	pthread_mutex_lock(&g->mtx);
	for (size_t i = 0; i < g->table.n; i++) {
		const struct entry *x = g->table.entry[i].value;
		bool there = x == NULL || (x->plan == NULL && x->err.rc == RC_NOT_FOUND);   /* gone already */
		for (size_t k = 0; k < rows->n && !there; k++)
			there = str_eq(LIST_AT(*rows, const struct endpoint, k)->name, g->table.entry[i].key);
		if (!there)
			*VEC_PUSH(a, &gone) = arena_dup(a, g->table.entry[i].key);
	}
	pthread_mutex_unlock(&g->mtx);
	for (size_t i = 0; i < gone.n; i++)
		take_away(g, gone.at[i]);
}

/* An endpoint that serves goes on with what it has when its successor cannot be had. */
static void follow_failed(struct gateway *g, const struct endpoint *row, const struct err *err)
{
	struct err none = ERR_INIT;
	struct plan *p = NULL;

	struct err why = *err;

	LOG(WARN, "endpoint.follow_failed", KV_STR("name", row->name), KV_ERR(err));
	why.rc = RC_UNAVAILABLE;   /* a missing model does not make the endpoint missing */
	if (gateway__plan_get(g, row->name, &p, &none) == RC_OK)
		gateway__plan_release(&p);
	else
		publish(g, row->name, NULL, &why);
}

enum rc gateway__follow(struct gateway *g, struct err *e)
{
	struct list rows;
	struct arena a;

	arena_init(&a);
	pthread_mutex_lock(&g->apply_mtx);
	enum rc rc = gateway__rows(g, &a, &rows, e);
	for (size_t i = 0; rc == RC_OK && i < rows.n; i++) {
		const struct endpoint *row = LIST_AT(rows, const struct endpoint, i);
		struct err err = ERR_INIT;
		if (bring_up(g, row, &principal_system, false, &a, &err) != RC_OK)
			follow_failed(g, row, &err);
	}
	if (rc == RC_OK)
		drop_missing(g, &rows, &a);
	pthread_mutex_unlock(&g->apply_mtx);
	arena_deinit(&a);
	return rc;
}

enum rc gateway__follow_timer(void *module, struct err *e)
{
	return gateway__follow(module, e);
}
