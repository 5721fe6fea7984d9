/* checks.c -- what must hold of the newest search. */
#include <math.h>
#include <string.h>

#include "core/event.h"
#include "io/blob.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train_int.h"

#define MODEL_MAX (256u << 20)
#define SAME 1e-6               /* relative: the value was stored as a double, but summed from floats */

static enum rc newest(struct train *t, struct live_check *k, struct search *out, bool *any, struct err *e)
{
	struct list searches;

	TRY(train__search_list(t, live_check_arena(k), 1, &searches, e));
	*any = searches.n > 0;
	if (*any)
		*out = *LIST_AT(searches, struct search, 0);
	else
		live_check_skip(k, "nothing has been trained");
	return RC_OK;
}

static enum rc load_model(struct train *t, struct live_check *k, str run_id, struct booster **out, struct err *e)
{
	struct arena *a = live_check_arena(k);
	struct list files;
	str model = STR_NONE;

	TRY(tracking_artifacts(tracking_of(t->core), a, run_id, STR("model"), &files, e));
	for (size_t i = 0; i < files.n; i++) {
		const struct artifact *f = LIST_AT(files, struct artifact, i);
		if (!str_ends(f->path, STR("model.ubj")))
			continue;
		TRY(blob_verify(t->core->blobs, f->blob, e));
		TRY(blob_get(t->core->blobs, f->blob, MODEL_MAX, a, &model, e));
	}
	if (model.at == NULL)
		return FAIL(e, RC_NOT_FOUND, "run " STR_FMT " has no model.ubj", STR_ARG(run_id));
	return xgb_load(model, out, e);
}

enum rc train__check_best(void *module, struct live_check *k, struct err *e)
{
	struct train *t = module;
	struct arena *a = live_check_arena(k);
	struct train_request r;
	struct training_set set = { 0 };
	struct booster *b;
	struct search s;
	struct training_matrix m;
	bool any;

	TRY(newest(t, k, &s, &any, e));
	if (!any)
		return RC_OK;
	TRY(record_from_json(&train_request_record, s.request, a, DEC_TRUSTED, &r, e));
	TRY(features_training_set(features_of(t->core), a, s.training_set, &set, e));
	TRY(features_matrix(features_of(t->core), &set, a, &m, e));
	TRY(load_model(t, k, s.best_run_id, &b, e));
	float *p = arena_alloc_n(a, m.n_valid, sizeof(float));
	enum rc rc = xgb_predict(b, m.x + m.n_train * m.n_col, m.n_valid, m.n_col, p, e);
	xgb_free(&b);
	TRY(rc);
	double again = train__metric(r.objective, m.y + m.n_train, p, m.n_valid);
	live_check_note(k, "search " STR_FMT ", run " STR_FMT ", %zu held-out rows", STR_ARG(s.id), STR_ARG(s.best_run_id), m.n_valid);
	expect_true(k, fabs(again - s.value) <= SAME * fmax(1, fabs(s.value)), "%s computed anew: %.9g, logged: %.9g", s.metric.at, again,
		    s.value);
	return RC_OK;
}

struct tracing { struct arena *a; str run; struct lineage_graph graph; };

static enum rc trace(struct tx *tx, void *ctx, struct err *e)
{
	struct tracing *t = ctx;

	return lineage_trace(tx, t->a, STR(LIN_RUN), t->run, false, &t->graph, e);
}

static bool comes_from(const struct lineage_graph *g, const char *kind)
{
	for (size_t i = 0; i < g->nodes.n; i++) {
		if (str_eq(LIST_AT(g->nodes, struct lineage_node, i)->kind, str_of(kind)))
			return true;
	}
	return false;
}

enum rc train__check_lineage(void *module, struct live_check *k, struct err *e)
{
	struct train *t = module;
	size_t n_traced = 0, n_good = 0;
	struct search s;
	bool any;

	TRY(newest(t, k, &s, &any, e));
	for (size_t i = 0; any && i < s.trials.n; i++) {
		const struct trial_outcome *o = LIST_AT(s.trials, struct trial_outcome, i);
		struct tracing tr = { .a = live_check_arena(k), .run = o->run_id };
		if (o->state == TRIAL_FAILED)
			continue;
		n_good++;
		TRY(db_read(t->core->db, trace, &tr, e));
		n_traced += comes_from(&tr.graph, LIN_TRAINSET) && comes_from(&tr.graph, LIN_DATASET);
	}
	if (any)
		expect_equal(k, "trials whose run leads back to its training set and dataset", (double)n_traced, (double)n_good);
	return RC_OK;
}

enum rc train__check_baseline(void *module, struct live_check *k, struct err *e)
{
	struct search s;
	bool any;

	TRY(newest(module, k, &s, &any, e));
	if (any)
		expect_at_most(k, "the best model's value over the baseline's", s.value / s.baseline, 1);
	return RC_OK;
}
