/* xgboost.h -- gradient-boosted trees (XGBoost's C API), loaded when first used.
 *
 * A matrix is row-major float32, NaN where missing. A booster may predict from many threads at once
 * (in-place prediction takes no lock); training is one thread's. RC_UNAVAILABLE where the library is missing.
 */
#ifndef CAIRN_IO_XGBOOST_H
#define CAIRN_IO_XGBOOST_H

#include "base/arena.h"
#include "base/err.h"

struct booster;
struct xgb_data { const float *x; const float *y; size_t n_row, n_col; const char *const *name; /* may be NULL */ };
struct xgb_param { const char *key; const char *value; };

enum rc xgb_available(struct err *e) MUST_USE;
enum rc xgb_version(int *major, int *minor, int *patch, struct err *e) MUST_USE;
/* on_round is called after each round (from 0) with the value of the metric on both sets; false stops. The metric is the
 * objective's, or the last eval_metric given; valid is NaN without a set. A parameter that XGBoost does not know is
 * RC_INVALID. Runs on "nthread" threads, by default one per core. */
struct xgb_train {
	const struct xgb_data *train, *valid;   /* valid may be NULL */
	const struct xgb_param *param;
	size_t n_param;
	int rounds;
	bool (*on_round)(void *ctx, int round, const char *metric, double train, double valid);   /* may be NULL */
	void *ctx;
};
enum rc xgb_fit(const struct xgb_train *t, struct booster **out, struct err *e) MUST_USE;
/* Keeps the first n rounds: what early stopping found best. */
enum rc xgb_keep_rounds(struct booster *b, int n, struct err *e) MUST_USE;
/* XGBoost trusts the file's indices: a model of others must have been checked (serve's forest_check). */
enum rc xgb_load(str model /* JSON or UBJ bytes */, struct booster **out, struct err *e) MUST_USE;
void xgb_free(struct booster **slot);
enum rc xgb_save_json(struct booster *b, struct arena *a, str *out, struct err *e) MUST_USE;
enum rc xgb_save_ubj(struct booster *b, struct arena *a, str *out, struct err *e) MUST_USE;
enum rc xgb_n_features(struct booster *b, size_t *out, struct err *e) MUST_USE;
size_t xgb_n_outputs(const struct booster *b);   /* values per row: 1, or the classes of multi:softprob */
/* Names of the training matrix's columns, as saved with the model; *n_out is 0 when it has none. */
enum rc xgb_feature_names(struct booster *b, struct arena *a, str **out, size_t *n_out, struct err *e) MUST_USE;
/* out has n_row * xgb_n_outputs floats. */
enum rc xgb_predict(struct booster *b, const float *x, size_t n_row, size_t n_col, float *out, struct err *e) MUST_USE;

#endif
