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
struct xgb_data { const float *x; const float *y; size_t n_row, n_col; const char *const *name; };
struct xgb_param { const char *key; const char *value; };

enum rc xgb_available(struct err *e) MUST_USE;
enum rc xgb_version(int *major, int *minor, int *patch, struct err *e) MUST_USE;
/* on_round is called after each round with the value of the objective's metric on both sets; false stops. */
struct xgb_train {
	const struct xgb_data *train, *valid;   /* valid may be NULL */
	const struct xgb_param *param;
	size_t n_param;
	int rounds;
	bool (*on_round)(void *ctx, int round, const char *metric, double train, double valid);
	void *ctx;
};
enum rc xgb_fit(const struct xgb_train *t, struct booster **out, struct err *e) MUST_USE;
enum rc xgb_load(str model /* JSON or UBJ bytes */, struct booster **out, struct err *e) MUST_USE;
void xgb_free(struct booster **slot);
enum rc xgb_save_json(struct booster *b, struct arena *a, str *out, struct err *e) MUST_USE;
enum rc xgb_n_features(struct booster *b, size_t *out, struct err *e) MUST_USE;
/* out has n_row floats. */
enum rc xgb_predict(struct booster *b, const float *x, size_t n_row, size_t n_col, float *out, struct err *e) MUST_USE;

#endif
