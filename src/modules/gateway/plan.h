/* plan.h -- an endpoint compiled: immutable but for its count of references. */
#ifndef CAIRN_MODULES_GATEWAY_PLAN_H
#define CAIRN_MODULES_GATEWAY_PLAN_H

#include "modules/gateway/gateway_int.h"

enum input_from { FROM_COLUMN, FROM_KEY };
struct plan_input {
	str name;
	enum input_from from;
	size_t index;                   /* of the column, or of the key */
};
struct plan_view {
	str name;
	struct online_reader *reader;
	size_t n_key, key[VIEW_KEYS_MAX];       /* keys of the plan */
	size_t n_feature;
	const size_t *column;
	int64_t revision, as_of_ms;
};
struct plan {
	_Atomic uint32_t refs;
	struct arena arena;
	struct gateway *g;
	struct endpoint def;
	struct live *live;
	struct served_model *model;
	struct watch *watch;
	bool by_column;                 /* the model is told apart by columns; else its tensors are passed on as they are */
	struct tensor_spec in;          /* by_column: the model's one input */
	size_t n_column, n_key, n_view, n_input;
	str *column;
	struct plan_input *input;
	struct plan_view *view;
	str output, version_text;
};
/* Resolves nothing: v is what the endpoint's reference stands for. The plan comes with one reference. */
enum rc gateway__plan_new(struct gateway *g, const struct endpoint *def, const struct model_version *v, struct plan **out, struct err *e) MUST_USE;
void gateway__plan_release(struct plan **slot);
/* Definitions of its views are what they were when it was compiled. */
bool gateway__plan_is_fresh(const struct plan *p);
str gateway__input_source(const struct plan *p, const struct plan_input *in, struct arena *a);
struct list gateway__plan_inputs(const struct plan *p, struct arena *a);        /* of struct endpoint_input */

#endif
