/* checks.c -- what must hold of the models that are loaded right now. */
#include <stdlib.h>

#include "base/id.h"
#include "modules/serve/serve_int.h"

#define ROWS 512

/* --- the same input, the same output --------------------------------------------------------------- */

static enum rc warm_outputs_repeat(void *module, struct live_check *k, struct err *e)
{
	struct served_list l;
	size_t n = 0;

	serve__list(module, live_check_arena(k), &l);
	for (size_t i = 0; i < l.n; i++) {
		struct served_model *m = l.at[i];
		bool same = false;
		if (!m->warm)
			continue;
		n++;
		enum rc rc = serve__warm_again(m, live_check_arena(k), &same, e);
		expect_true(k, rc == RC_OK && same, "model " STR_FMT " version %lld in %s answers its warm-up input as it did when it was loaded%s%s",
			    STR_ARG(m->version.name), (long long)m->version.version, m->loaded->ops->name, rc == RC_OK ? "" : ": ",
			    rc == RC_OK ? "" : e->msg);
	}
	serve__list_release(&l);
	if (n == 0)
		live_check_skip(k, "no model is loaded");
	return RC_OK;
}

/* --- two runtimes, one model ------------------------------------------------------------------------- */

static str tag_of(const struct model_version *v, const char *key)
{
	for (size_t i = 0; i < v->tags.n; i++)
		if (str_eq(LIST_AT(v->tags, struct pair, i)->key, str_of(key)))
			return LIST_AT(v->tags, struct pair, i)->value;
	return STR("");
}

static float *sample_rows(struct arena *a, size_t n_col)
{
	struct rng r;
	float *x = arena_alloc_n(a, ROWS * n_col, sizeof(*x));

	rng_seed(&r, 17);
	for (size_t i = 0; i < ROWS * n_col; i++) {
		double wide = (rng_unit(&r) - 0.25) * (rng_next(&r) % 2 == 0 ? 4 : 400);
		x[i] = rng_next(&r) % 16 == 0 ? __builtin_nanf("") : (float)wide;
	}
	return x;
}

static enum rc compare_loaded(struct live_check *k, struct served_model *original, struct served_model *converted, struct err *e)
{
	struct arena *a = live_check_arena(k);
	double tolerance = 0, worst = 0;
	const struct loaded *l = converted->loaded;

	if (!str_to_f64(tag_of(&converted->version, TAG_TOLERANCE), &tolerance) || l->n_in != 1 || l->in->n_dim != 2 || l->in->dim[1] < 1)
		return FAIL(e, RC_INVALID, "model " STR_FMT " version %lld does not tell how it was converted", STR_ARG(converted->version.name),
			    (long long)converted->version.version);
	size_t n_col = (size_t)l->in->dim[1];
	TRY(serve__compare(original->loaded, converted->loaded, sample_rows(a, n_col), ROWS, n_col, &worst, e));
	str what = arena_printf(a, "largest difference of " STR_FMT " version %lld from the model it was converted from, over %d rows",
				STR_ARG(converted->version.name), (long long)converted->version.version, ROWS);
	expect_at_most(k, arena_cstr(a, what), worst, tolerance);
	return RC_OK;
}

static enum rc compare_with_source(struct serve *s, struct live_check *k, struct served_model *converted, str source, struct err *e)
{
	struct arena *a = live_check_arena(k);
	struct model_version v;
	struct served_model *original;
	ptrdiff_t at = str_find_char(source, '@');
	str ref = at < 0 ? source
			 : arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(str_head(source, (size_t)at)), STR_ARG(str_skip(source, (size_t)at + 1)));

	TRY(registry_resolve(registry_of(s->core), a, ref, &v, e));
	TRY(serve_acquire(s, &v, &original, e));
	enum rc rc = compare_loaded(k, original, converted, e);
	serve_release(&original);
	return rc;
}

static enum rc runtimes_agree(void *module, struct live_check *k, struct err *e)
{
	struct served_list l;
	size_t n = 0;
	enum rc rc = RC_OK;

	serve__list(module, live_check_arena(k), &l);
	for (size_t i = 0; i < l.n && rc == RC_OK; i++) {
		str source = tag_of(&l.at[i]->version, TAG_CONVERTED_FROM);
		if (source.len == 0)
			continue;
		n++;
		rc = compare_with_source(module, k, l.at[i], source, e);
	}
	serve__list_release(&l);
	if (n == 0)
		live_check_skip(k, "no converted model is loaded");
	return rc;
}

/* --- the libraries ------------------------------------------------------------------------------------- */

static enum rc libraries_are_new_enough(void *module, struct live_check *k, struct err *e)
{
	const struct serve *s = module;
	struct arena *a = live_check_arena(k);
	size_t n = 0;

	(void)e;
	for (size_t i = 0; i < s->n_runtime; i++) {
		const struct runtime_ops *ops = s->runtime[i];
		struct err why = ERR_INIT;
		str version;
		if (ops->version(a, &version, &why) != RC_OK) {
			live_check_note(k, "%s is not there: %s", ops->library, why.msg);
			continue;
		}
		n++;
		char *end;
		long major = strtol(arena_cstr(a, version), &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : -1;
		expect_true(k, major > ops->least[0] || (major == ops->least[0] && minor >= ops->least[1]),
			    "%s is of version " STR_FMT ", at least %d.%d", ops->library, STR_ARG(version), ops->least[0], ops->least[1]);
	}
	if (n == 0)
		live_check_skip(k, "no runtime is installed");
	return RC_OK;
}

const struct check_def serve_checks[] = {
	{ "serve.warm_outputs_repeat", "Every loaded model answers its warm-up input exactly as when it was loaded", "P1.W4.D3.2 P1.W3.D5.1",
	  warm_outputs_repeat },
	{ "serve.runtimes_agree", "A converted model predicts what its original does, within the tolerance it was registered with",
	  "P1.W4.D3.2", runtimes_agree },
	{ "serve.library_versions", "The runtimes' libraries are at least as new as what cairn was built for", "P1.W3.D5.1",
	  libraries_are_new_enough },
};
_Static_assert(ARRAY_LEN(serve_checks) == SERVE_CHECKS, "serve_int.h says how many");
