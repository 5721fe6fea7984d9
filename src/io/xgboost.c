/* xgboost.c -- XGBoost through its C API, opened with dlopen when first used.
 *
 * A booster is configured lazily by XGBoost, without a lock; so every booster predicts once, alone, before anyone else
 * sees it, and from then on in-place prediction only reads it and keeps its results per thread. Prediction runs on the
 * caller's thread (nthread=1): the callers are many, and OpenMP's hand-over costs more than a row does. */
#include "io/xgboost.h"

#ifdef CAIRN_HAVE_XGBOOST

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "io/library.h"

#define XGB_TABLE(X)                                                                                                        \
	X(XGBoostVersion) X(XGBGetLastError) X(XGBRegisterLogCallback) X(XGDMatrixCreateFromMat) X(XGDMatrixFree)           \
	X(XGDMatrixSetFloatInfo) X(XGDMatrixSetStrFeatureInfo) X(XGBoosterCreate) X(XGBoosterFree) X(XGBoosterSetParam)     \
	X(XGBoosterUpdateOneIter) X(XGBoosterEvalOneIter) X(XGBoosterSlice) X(XGBoosterGetNumFeature)                       \
	X(XGBoosterPredictFromDense) X(XGBoosterLoadModelFromBuffer) X(XGBoosterSaveModelToBuffer)                          \
	X(XGBoosterSetStrFeatureInfo) X(XGBoosterGetStrFeatureInfo)

struct xgb {
#define X(name) __typeof__(&name) name;
	XGB_TABLE(X)
#undef X
};

static const struct { const char *symbol; size_t offset; } xgb_symbols[] = {
#define X(name) { #name, offsetof(struct xgb, name) },
	XGB_TABLE(X)
#undef X
};

struct booster {
	unsigned magic;
	const struct xgb *xgb;
	BoosterHandle handle;
	size_t n_feature, n_out;
};
#define BOOSTER_MAGIC 0x78676262u

#define FEATURES_MAX 100000     /* so that a warm-up row stays small */
#define LOG_TEXT_MAX 2048

/* --- the library ------------------------------------------------------------------------------- */

struct library {
	struct xgb xgb;
	bool loaded;
	char why[256];
};

static struct library *library(void)
{
	static struct library lib;

	return &lib;
}

static void library_load(void)
{
	struct library *lib = library();
	struct err e = ERR_INIT;
	void *handle, *sym;

	if (library_open(NULL, "libxgboost.so.0", &handle, &e) != RC_OK && library_open(NULL, "libxgboost.so", &handle, &e) != RC_OK) {
		(void)snprintf(lib->why, sizeof(lib->why), "%.250s", e.msg);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(xgb_symbols); i++) {
		if (library_symbol(handle, xgb_symbols[i].symbol, &sym, &e) != RC_OK) {
			(void)snprintf(lib->why, sizeof(lib->why), "%.150s, and cairn needs XGBoost 1.6 or newer", e.msg);
			return;
		}
		memcpy((char *)&lib->xgb + xgb_symbols[i].offset, &sym, sizeof(sym));
	}
	lib->loaded = true;
}

static enum rc xgb_get(const struct xgb **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	CHECK(pthread_once(&once, library_load) == 0);
	if (!library()->loaded)
		return FAIL(e, RC_UNAVAILABLE, "libxgboost is not usable, so XGBoost models are neither trained nor served: %s; "
			    "install it with: apt-get install libxgboost0", library()->why);
	*out = &library()->xgb;
	return RC_OK;
}

enum rc xgb_available(struct err *e)
{
	const struct xgb *x;

	return xgb_get(&x, e);
}

enum rc xgb_version(int *major, int *minor, int *patch, struct err *e)
{
	const struct xgb *x;

	TRY(xgb_get(&x, e));
	x->XGBoostVersion(major, minor, patch);
	return RC_OK;
}

/* "[16:51:40] ./src/x.cc:377: Check failed: …\nStack trace: …": what a user can act on is in the middle. */
static enum rc xgb_fail(const struct xgb *x, const char *doing, struct err *e)
{
	str text = str_of(x->XGBGetLastError());
	ptrdiff_t stack = str_find(text, STR("\nStack trace"));

	if (stack >= 0)
		text = str_head(text, (size_t)stack);
	ptrdiff_t place = str_starts(text, STR("[")) ? str_find(text, STR("] ")) : -1;
	if (place >= 0) {
		text = str_skip(text, (size_t)place + 2);
		ptrdiff_t message = str_find(text, STR(": "));
		text = str_skip(text, message >= 0 ? (size_t)message + 2 : 0);
	}
	text = str_head(str_trim(text), 320);
	return FAIL(e, RC_INVALID, "%s: XGBoost says: " STR_FMT, doing, STR_ARG(text));
}

#define XGB(x, doing, call)                                                                                                 \
	do {                                                                                                                \
		if ((x)->call != 0)                                                                                         \
			return xgb_fail((x), (doing), e);                                                                   \
	} while (0)

/* What XGBoost logs on this thread since log_watch(). */
static char *log_text(void)
{
	static _Thread_local char text[LOG_TEXT_MAX];

	return text;
}

static void log_take(const char *line)
{
	size_t have = strlen(log_text());

	(void)snprintf(log_text() + have, LOG_TEXT_MAX - have, "%s\n", line);
}

static enum rc log_watch(const struct xgb *x, struct err *e)
{
	log_text()[0] = '\0';
	XGB(x, "setting up", XGBRegisterLogCallback(log_take));
	return RC_OK;
}

/* A misspelt parameter is only logged: `Parameters: { "max_dept" } are not used.` */
static enum rc unknown_params(struct err *e)
{
	static const char head[] = "Parameters: {";
	const char *from = strstr(log_text(), head);
	const char *to = from != NULL ? strchr(from, '}') : NULL;

	if (to == NULL)
		return RC_OK;
	from += sizeof(head) - 1;
	str names = str_trim(str_n(from, (size_t)(to - from)));
	return FAIL(e, RC_INVALID, "XGBoost does not use the parameters " STR_FMT " with this objective and booster; see "
		    "https://xgboost.readthedocs.io/en/stable/parameter.html", STR_ARG(names));
}

/* --- boosters ---------------------------------------------------------------------------------- */

static enum rc booster_new(const struct xgb *x, const DMatrixHandle *data, size_t n, struct booster **out, struct err *e)
{
	BoosterHandle handle;

	XGB(x, "making a booster", XGBoosterCreate(data, n, &handle));
	struct booster *b = calloc(1, sizeof(*b));
	CHECK(b != NULL);
	*b = (struct booster){ .magic = BOOSTER_MAGIC, .xgb = x, .handle = handle, .n_out = 1 };
	*out = b;
	return RC_OK;
}

void xgb_free(struct booster **slot)
{
	struct booster *b = *slot;

	*slot = NULL;
	if (b == NULL)
		return;
	OBJ_CHECK(b, BOOSTER_MAGIC);
	(void)b->xgb->XGBoosterFree(b->handle);   /* fails only for no handle */
	b->magic = 0;
	free(b);
}

/* Gives the booster's results for n_row rows, valid until this thread's next call. */
static enum rc predict(struct booster *b, const float *x, size_t n_row, const float **out, size_t *n_out, struct err *e)
{
	static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
				     "\"strict_shape\":false,\"missing\":NaN,\"cache_id\":0}";
	char values[160];
	const bst_ulong *shape;
	bst_ulong n_dim;

	(void)snprintf(values, sizeof(values), "{\"data\":[%zu,true],\"shape\":[%zu,%zu],\"typestr\":\"<f4\",\"version\":3}",
		       (size_t)(uintptr_t)x, n_row, b->n_feature);
	XGB(b->xgb, "predicting", XGBoosterPredictFromDense(b->handle, values, config, NULL, &shape, &n_dim, out));
	*n_out = 1;
	for (bst_ulong i = 0; i < n_dim; i++)
		*n_out *= shape[i];
	return RC_OK;
}

/* After this the booster is only read. */
static enum rc settle(struct booster *b, struct err *e)
{
	bst_ulong n;
	const float *result;
	size_t n_out;

	XGB(b->xgb, "setting nthread", XGBoosterSetParam(b->handle, "nthread", "1"));
	XGB(b->xgb, "reading the model", XGBoosterGetNumFeature(b->handle, &n));
	if (n == 0 || n > FEATURES_MAX)
		return FAIL(e, RC_INVALID, "the model has %llu features; 1 to %d are possible", (unsigned long long)n, FEATURES_MAX);
	b->n_feature = n;
	float *row = calloc(n, sizeof(*row));
	CHECK(row != NULL);
	enum rc rc = predict(b, row, 1, &result, &n_out, e);
	free(row);
	if (rc == RC_OK && n_out == 0)
		rc = FAIL(e, RC_INVALID, "the model predicts nothing");
	if (rc == RC_OK)
		b->n_out = n_out;
	return rc;
}

enum rc xgb_load(str model, struct booster **out, struct err *e)
{
	const struct xgb *x;
	struct booster *b = NULL;

	TRY(xgb_get(&x, e));
	if (model.len < 4 || model.at[0] != '{')
		return FAIL(e, RC_INVALID, "this is no XGBoost model in JSON or UBJSON: those begin with '{'");
	TRY(log_watch(x, e));
	TRY(booster_new(x, NULL, 0, &b, e));
	enum rc rc = x->XGBoosterLoadModelFromBuffer(b->handle, model.at, model.len) == 0
			     ? RC_OK : xgb_fail(x, "loading the model", e);
	if (rc == RC_OK)
		rc = settle(b, e);
	if (rc != RC_OK)
		xgb_free(&b);
	else
		*out = b;
	return rc;
}

static enum rc save(struct booster *b, const char *config, struct arena *a, str *out, struct err *e)
{
	bst_ulong n;
	const char *at;

	OBJ_CHECK(b, BOOSTER_MAGIC);
	XGB(b->xgb, "saving the model", XGBoosterSaveModelToBuffer(b->handle, config, &n, &at));
	*out = arena_dup(a, str_n(at, n));
	return RC_OK;
}

enum rc xgb_save_json(struct booster *b, struct arena *a, str *out, struct err *e)
{
	return save(b, "{\"format\":\"json\"}", a, out, e);
}

enum rc xgb_save_ubj(struct booster *b, struct arena *a, str *out, struct err *e)
{
	return save(b, "{\"format\":\"ubj\"}", a, out, e);
}

enum rc xgb_n_features(struct booster *b, size_t *out, struct err *e)
{
	(void)e;
	OBJ_CHECK(b, BOOSTER_MAGIC);
	*out = b->n_feature;
	return RC_OK;
}

size_t xgb_n_outputs(const struct booster *b)
{
	OBJ_CHECK(b, BOOSTER_MAGIC);
	return b->n_out;
}

enum rc xgb_feature_names(struct booster *b, struct arena *a, str **out, size_t *n_out, struct err *e)
{
	bst_ulong n;
	const char **name;

	OBJ_CHECK(b, BOOSTER_MAGIC);
	XGB(b->xgb, "reading feature names", XGBoosterGetStrFeatureInfo(b->handle, "feature_name", &n, &name));
	str *list = ARENA_ARRAY(a, str, n);
	for (bst_ulong i = 0; i < n; i++)
		list[i] = arena_dup(a, str_of(name[i]));
	*out = list;
	*n_out = n;
	return RC_OK;
}

enum rc xgb_predict(struct booster *b, const float *x, size_t n_row, size_t n_col, float *out, struct err *e)
{
	const float *result;
	size_t n;

	OBJ_CHECK(b, BOOSTER_MAGIC);
	if (n_col != b->n_feature)
		return FAIL(e, RC_INVALID, "the model takes %zu features a row; %zu were given", b->n_feature, n_col);
	if (n_row == 0)
		return RC_OK;
	TRY(predict(b, x, n_row, &result, &n, e));
	if (n != n_row * b->n_out)
		return FAIL(e, RC_INTERNAL, "XGBoost gave %zu values for %zu rows of %zu", n, n_row, b->n_out);
	memcpy(out, result, n * sizeof(*out));
	return RC_OK;
}

/* --- training ---------------------------------------------------------------------------------- */

struct fit {
	const struct xgb *xgb;
	DMatrixHandle data[2];          /* train, valid */
	bst_ulong n_data;
	struct booster *booster;
};

/* The functions for matrices and boosters have one type; both only read the list, but do not say so. */
static enum rc names_set(const struct xgb *x, __typeof__(&XGDMatrixSetStrFeatureInfo) set, void *handle,
			 const struct xgb_data *d, struct err *e)
{
	if (d->name == NULL)
		return RC_OK;
	const char **name = calloc(d->n_col, sizeof(*name));
	CHECK(name != NULL);
	memcpy(name, d->name, d->n_col * sizeof(*name));
	int failed = set(handle, "feature_name", name, d->n_col);
	free(name);
	return failed ? xgb_fail(x, "setting feature names", e) : RC_OK;
}

static enum rc matrix_add(struct fit *f, const struct xgb_data *d, const char *what, struct err *e)
{
	if (d->n_row == 0 || d->n_col == 0)
		return FAIL(e, RC_INVALID, "the %s set has %zu rows and %zu columns", what, d->n_row, d->n_col);
	if (d->n_col > FEATURES_MAX)
		return FAIL(e, RC_INVALID, "the %s set has %zu columns; at most %d are possible", what, d->n_col, FEATURES_MAX);
	for (size_t i = 0; i < d->n_row; i++)
		if (!isfinite(d->y[i]))
			return FAIL(e, RC_INVALID, "the label of row %zu of the %s set is not a finite number", i, what);
	XGB(f->xgb, "reading the rows",
	    XGDMatrixCreateFromMat(d->x, d->n_row, d->n_col, NAN, &f->data[f->n_data]));
	f->n_data++;
	DMatrixHandle h = f->data[f->n_data - 1];
	XGB(f->xgb, "setting labels", XGDMatrixSetFloatInfo(h, "label", d->y, d->n_row));
	return names_set(f->xgb, f->xgb->XGDMatrixSetStrFeatureInfo, h, d, e);
}

/* "[7]\ttrain-rmse:1.25\tvalid-rmse:1.5": the last metric of each set. */
static bool metric_of(str text, str set, char *metric, size_t cap, double *out)
{
	str part;
	bool found = false;

	while (str_cut(&text, '\t', &part)) {
		if (!str_starts(part, set))
			continue;
		str rest = str_skip(part, set.len), name;
		ptrdiff_t colon = -1;
		for (size_t i = 0; i < rest.len; i++)
			if (rest.at[i] == ':')
				colon = (ptrdiff_t)i;
		if (colon < 0)
			continue;
		name = str_head(rest, (size_t)colon);
		found = str_to_f64(str_skip(rest, (size_t)colon + 1), out) && str_to_c(name, metric, cap);
	}
	return found;
}

static enum rc round_report(struct fit *f, const struct xgb_train *t, int round, bool *go_on, struct err *e)
{
	const char *set[] = { "train", "valid" };
	const char *text;
	char metric[64];
	double train, valid = NAN;

	*go_on = true;
	if (t->on_round == NULL)
		return RC_OK;
	XGB(f->xgb, "evaluating", XGBoosterEvalOneIter(f->booster->handle, round, f->data, set, f->n_data, &text));
	bool told = f->n_data < 2 || metric_of(str_of(text), STR("valid-"), metric, sizeof(metric), &valid);
	if (!metric_of(str_of(text), STR("train-"), metric, sizeof(metric), &train) || !told)
		return FAIL(e, RC_INTERNAL, "XGBoost's evaluation was not understood: %.200s", text);
	*go_on = t->on_round(t->ctx, round, metric, train, valid);
	return RC_OK;
}

static enum rc fit_rounds(struct fit *f, const struct xgb_train *t, struct err *e)
{
	struct booster *b = f->booster;
	bool go_on = true;

	XGB(f->xgb, "setting up", XGBoosterSetParam(b->handle, "validate_parameters", "1"));
	for (size_t i = 0; i < t->n_param; i++)
		if (f->xgb->XGBoosterSetParam(b->handle, t->param[i].key, t->param[i].value) != 0)
			return err_field((xgb_fail(f->xgb, t->param[i].key, e), e), "%s", t->param[i].key);
	for (int i = 0; i < t->rounds && go_on; i++) {
		XGB(f->xgb, "training", XGBoosterUpdateOneIter(b->handle, i, f->data[0]));
		if (i == 0)
			TRY(unknown_params(e));
		TRY(round_report(f, t, i, &go_on, e));
	}
	TRY(names_set(f->xgb, f->xgb->XGBoosterSetStrFeatureInfo, b->handle, t->train, e));
	return settle(b, e);
}

enum rc xgb_fit(const struct xgb_train *t, struct booster **out, struct err *e)
{
	struct fit f = { 0 };

	CHECK(t->train != NULL);
	TRY(xgb_get(&f.xgb, e));
	if (t->rounds < 1)
		return FAIL(e, RC_INVALID, "rounds is %d; at least 1 is needed", t->rounds);
	if (t->valid != NULL && t->valid->n_col != t->train->n_col)
		return FAIL(e, RC_INVALID, "the valid set has %zu columns, the train set %zu", t->valid->n_col, t->train->n_col);
	TRY(log_watch(f.xgb, e));
	enum rc rc = matrix_add(&f, t->train, "train", e);
	if (rc == RC_OK && t->valid != NULL)
		rc = matrix_add(&f, t->valid, "valid", e);
	if (rc == RC_OK)
		rc = booster_new(f.xgb, f.data, f.n_data, &f.booster, e);
	if (rc == RC_OK)
		rc = fit_rounds(&f, t, e);
	for (size_t i = 0; i < f.n_data; i++)
		(void)f.xgb->XGDMatrixFree(f.data[i]);   /* fails only for no handle */
	if (rc != RC_OK)
		xgb_free(&f.booster);
	else
		*out = f.booster;
	return rc;
}

enum rc xgb_keep_rounds(struct booster *b, int n, struct err *e)
{
	BoosterHandle kept;

	OBJ_CHECK(b, BOOSTER_MAGIC);
	if (n < 1)
		return FAIL(e, RC_INVALID, "at least 1 round must be kept, not %d", n);
	int failed = b->xgb->XGBoosterSlice(b->handle, 0, n, 1, &kept);
	if (failed == -2)
		return FAIL(e, RC_INVALID, "the model has fewer than %d rounds", n);
	if (failed)
		return xgb_fail(b->xgb, "keeping rounds", e);
	(void)b->xgb->XGBoosterFree(b->handle);   /* fails only for no handle */
	b->handle = kept;
	return settle(b, e);
}

#else /* built without XGBoost's header */

static enum rc missing(struct err *e)
{
	return FAIL(e, RC_UNAVAILABLE, "this cairn was built without XGBoost; install libxgboost-dev and build it again");
}

enum rc xgb_available(struct err *e) { return missing(e); }
enum rc xgb_version(int *major, int *minor, int *patch, struct err *e)
{
	(void)major, (void)minor, (void)patch;
	return missing(e);
}
enum rc xgb_fit(const struct xgb_train *t, struct booster **out, struct err *e) { (void)t, (void)out; return missing(e); }
enum rc xgb_keep_rounds(struct booster *b, int n, struct err *e) { (void)b, (void)n; return missing(e); }
enum rc xgb_load(str model, struct booster **out, struct err *e) { (void)model, (void)out; return missing(e); }
void xgb_free(struct booster **slot) { CHECK(*slot == NULL); }
enum rc xgb_save_json(struct booster *b, struct arena *a, str *out, struct err *e) { (void)b, (void)a, (void)out; return missing(e); }
enum rc xgb_save_ubj(struct booster *b, struct arena *a, str *out, struct err *e) { (void)b, (void)a, (void)out; return missing(e); }
enum rc xgb_n_features(struct booster *b, size_t *out, struct err *e) { (void)b, (void)out; return missing(e); }
size_t xgb_n_outputs(const struct booster *b) { (void)b; return 1; }
enum rc xgb_feature_names(struct booster *b, struct arena *a, str **out, size_t *n_out, struct err *e)
{
	(void)b, (void)a, (void)out, (void)n_out;
	return missing(e);
}
enum rc xgb_predict(struct booster *b, const float *x, size_t n_row, size_t n_col, float *out, struct err *e)
{
	(void)b, (void)x, (void)n_row, (void)n_col, (void)out;
	return missing(e);
}

#endif
