/* forest.h -- XGBoost's trees, read from its JSON or UBJSON and checked.
 *
 * What is read is what prediction needs. A forest that was read is sound: every child and feature exists, no node is
 * reached twice, so that whoever walks or writes it out need not look. Pure; any thread. */
#ifndef CAIRN_SERVE_FOREST_H
#define CAIRN_SERVE_FOREST_H

#include "base/arena.h"
#include "base/err.h"

struct tree {
	size_t n;                       /* nodes; 0 is the root */
	const int32_t *left, *right;    /* -1: a leaf */
	const int32_t *feature;
	const float *value;             /* go left when the feature is less; a leaf's output */
	const bool *missing_left;
	size_t group;                   /* the output it adds to */
};

enum forest_link { LINK_NONE, LINK_SIGMOID, LINK_EXP, LINK_SOFTMAX };
struct forest {
	str objective;
	enum forest_link link;          /* what turns the sum into the prediction */
	size_t n_feature, n_group;
	float base;                     /* the sum begins with it */
	const struct tree *tree;
	size_t n_tree, n_node;          /* nodes of all trees */
	bool is_dart, has_categories;   /* false in what forest_read gives */
};

/* RC_INVALID says what is broken, or what is there that no other runtime could do (dropped trees, categories). */
enum rc forest_read(str model, struct arena *a, struct forest *out, struct err *e) MUST_USE;
/* Whether XGBoost can be given the model: it follows what a file says without looking, out of its memory and for ever. */
enum rc forest_check(str model, struct err *e) MUST_USE;
/* n rows of n_feature values each that try it: values at its thresholds and just beside them, missing ones, others between. */
float *forest_rows(const struct forest *f, size_t n, uint64_t seed, struct arena *a);

#endif
