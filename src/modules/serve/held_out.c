/* held_out.c -- rows that a model was not trained on, where its training set still has them. */
#include "modules/features/features.h"
#include "modules/serve/serve_int.h"

static bool same_columns(const struct training_matrix *m, const struct model_spec *spec)
{
	if (m->n_col != spec->inputs.n)
		return false;
	for (size_t i = 0; i < m->n_col; i++) {
		if (!str_eq(str_of(m->name[i]), LIST_AT(spec->inputs, struct model_input, i)->name))
			return false;
	}
	return true;
}

enum rc serve__held_out(struct serve *s, const struct model_spec *spec, struct arena *a, float **x_out, size_t *n_out, struct err *e)
{
	struct features *features = core_module_find(s->core, "features");
	struct training_set ts = { 0 };
	struct training_matrix m;
	struct err why = ERR_INIT;

	*n_out = 0;
	if (features == NULL || spec->training_set.len == 0)
		return RC_OK;
	enum rc rc = features_training_set(features, a, spec->training_set, &ts, &why);
	if (rc == RC_OK)
		rc = features_matrix(features, &ts, a, &m, &why);
	if (rc == RC_NOT_FOUND || rc == RC_UNAVAILABLE)
		return RC_OK;   /* it was deleted since, or there is no engine to read it with */
	if (rc != RC_OK) {
		*e = why;
		return rc;
	}
	if (!same_columns(&m, spec))
		return RC_OK;   /* not what the model takes: nothing to compare on */
	*x_out = m.x + m.n_train * m.n_col;
	*n_out = m.n_valid < HELD_OUT_MAX ? m.n_valid : HELD_OUT_MAX;
	return RC_OK;
}
