/* forest.c -- XGBoost's model format (1.6 to 2.x, JSON or UBJSON), through record tables, into trees that are known to be
 * sound. */
#include "modules/serve/forest.h"

#include <float.h>
#include <math.h>

#include "base/id.h"
#include "base/record.h"
#include "modules/serve/ubjson.h"

#define NODES_MAX 50e6          /* numbers in one list: far above what trains on one machine */
#define TREES_MAX 1e6
#define FEATURES_MAX 1000000
#define CATEGORIES_MAX (1 << 24)

/* --- as it is written -------------------------------------------------------------------------- */

struct tree_text {
	int64_t id;
	struct list left_children, right_children, parents, split_indices, split_conditions, default_left, split_type;
	struct list categories, categories_nodes, categories_segments, categories_sizes;
};
static const struct field tree_text_fields[] = {
	FIELD(tree_text, id, K_I64, F_REQUIRED, "Its place among the trees"),
	FIELD(tree_text, left_children, K_I64S, F_REQUIRED, "Left child by node, -1 in leaves", .max = NODES_MAX),
	FIELD(tree_text, right_children, K_I64S, F_REQUIRED, "Right child by node, -1 in leaves", .max = NODES_MAX),
	FIELD(tree_text, parents, K_I64S, 0, "Parent by node; of the root anything", .max = NODES_MAX),
	FIELD(tree_text, split_indices, K_I64S, F_REQUIRED, "Feature by node", .max = NODES_MAX),
	FIELD(tree_text, split_conditions, K_F64S, F_REQUIRED, "Threshold by node, the output in leaves", .max = NODES_MAX),
	FIELD(tree_text, default_left, K_I64S, F_REQUIRED, "1 where a missing value goes left", .max = NODES_MAX),
	FIELD(tree_text, split_type, K_I64S, 0, "1 where the split is by category", .max = NODES_MAX),
	FIELD(tree_text, categories, K_I64S, 0, "Categories of all splits", .max = NODES_MAX),
	FIELD(tree_text, categories_nodes, K_I64S, 0, "Nodes that split by category", .max = NODES_MAX),
	FIELD(tree_text, categories_segments, K_I64S, 0, "Where their categories begin", .max = NODES_MAX),
	FIELD(tree_text, categories_sizes, K_I64S, 0, "How many they are", .max = NODES_MAX),
};
static const struct record tree_text_record = RECORD(tree_text, tree_text_fields, "One tree", .open = true, .name = "tree");

struct size_text { int64_t num_trees, num_parallel_tree; };
static const struct field size_text_fields[] = {
	FIELD(size_text, num_trees, K_I64, 0, "Trees", .min = 0, .max = TREES_MAX),
	FIELD(size_text, num_parallel_tree, K_I64, 0, "Trees of one round", .min = 1, .max = TREES_MAX, .def = "1"),
};
static const struct record size_text_record = RECORD(size_text, size_text_fields, "Sizes", .open = true, .name = "sizes");

struct trees_text { struct list trees, tree_info; struct size_text size; };
static const struct field trees_text_fields[] = {
	FIELD(trees_text, size, K_RECORD, 0, "Their number", .name = "gbtree_model_param", .sub = &size_text_record),
	FIELD(trees_text, trees, K_RECORDS, 0, "The trees", .sub = &tree_text_record, .max = TREES_MAX),
	FIELD(trees_text, tree_info, K_I64S, 0, "Output group by tree", .max = TREES_MAX),
};
static const struct record trees_text_record = RECORD(trees_text, trees_text_fields, "A booster of trees", .open = true, .name = "trees");

struct gbtree_text { struct trees_text model; };
static const struct field gbtree_text_fields[] = { FIELD(gbtree_text, model, K_RECORD, F_REQUIRED, "The trees", .sub = &trees_text_record) };
static const struct record gbtree_text_record = RECORD(gbtree_text, gbtree_text_fields, "The booster within dart", .open = true, .name = "gbtree");

struct booster_text { str name; struct trees_text model; struct gbtree_text gbtree; struct list weight_drop; };
static const struct field booster_text_fields[] = {
	FIELD(booster_text, name, K_STR, F_REQUIRED, "gbtree, dart or gblinear"),
	FIELD(booster_text, model, K_RECORD, 0, "Of gbtree", .sub = &trees_text_record),
	FIELD(booster_text, gbtree, K_RECORD, 0, "Of dart", .sub = &gbtree_text_record),
	FIELD(booster_text, weight_drop, K_F64S, 0, "Weight by tree, of dart", .max = TREES_MAX),
};
static const struct record booster_text_record = RECORD(booster_text, booster_text_fields, "A booster", .open = true, .name = "booster");

struct param_text { str base_score; int64_t num_class, num_feature, num_target; };
static const struct field param_text_fields[] = {
	FIELD(param_text, base_score, K_STR, F_REQUIRED, "What the prediction is without trees"),
	FIELD(param_text, num_class, K_I64, 0, "0 for anything but classes", .min = 0, .max = 100000),
	FIELD(param_text, num_feature, K_I64, F_REQUIRED, "Columns of the matrix", .min = 1, .max = FEATURES_MAX),
	FIELD(param_text, num_target, K_I64, 0, "Outputs", .min = 0, .max = 100000, .def = "1"),
};
static const struct record param_text_record = RECORD(param_text, param_text_fields, "The learner's parameters", .open = true, .name = "param");

struct objective_text { str name; };
static const struct field objective_text_fields[] = { FIELD(objective_text, name, K_STR, F_REQUIRED, "The objective") };
static const struct record objective_text_record = RECORD(objective_text, objective_text_fields, "An objective", .open = true, .name = "objective");

struct learner_text { struct booster_text gradient_booster; struct param_text learner_model_param; struct objective_text objective; };
static const struct field learner_text_fields[] = {
	FIELD(learner_text, gradient_booster, K_RECORD, F_REQUIRED, "The trees", .sub = &booster_text_record),
	FIELD(learner_text, learner_model_param, K_RECORD, F_REQUIRED, "Its parameters", .sub = &param_text_record),
	FIELD(learner_text, objective, K_RECORD, F_REQUIRED, "What it was trained for", .sub = &objective_text_record),
};
static const struct record learner_text_record = RECORD(learner_text, learner_text_fields, "A learner", .open = true, .name = "learner");

struct model_text { struct learner_text learner; };
static const struct field model_text_fields[] = {
	FIELD(model_text, learner, K_RECORD, F_REQUIRED, "The learner", .sub = &learner_text_record),
};
static const struct record model_text_record = RECORD(model_text, model_text_fields, "An XGBoost model", .open = true, .name = "model");

/* --- objectives -------------------------------------------------------------------------------- */

enum base_form { BASE_AS_IS, BASE_LOGIT, BASE_LOG };
static const struct { const char *name; enum base_form base; enum forest_link link; } objectives[] = {
	{ "reg:squarederror", BASE_AS_IS, LINK_NONE },      { "reg:linear", BASE_AS_IS, LINK_NONE },
	{ "reg:squaredlogerror", BASE_AS_IS, LINK_NONE },   { "reg:pseudohubererror", BASE_AS_IS, LINK_NONE },
	{ "reg:absoluteerror", BASE_AS_IS, LINK_NONE },     { "reg:quantileerror", BASE_AS_IS, LINK_NONE },
	{ "rank:pairwise", BASE_AS_IS, LINK_NONE },         { "rank:ndcg", BASE_AS_IS, LINK_NONE },
	{ "rank:map", BASE_AS_IS, LINK_NONE },              { "binary:logitraw", BASE_AS_IS, LINK_NONE },
	{ "reg:logistic", BASE_LOGIT, LINK_SIGMOID },       { "binary:logistic", BASE_LOGIT, LINK_SIGMOID },
	{ "count:poisson", BASE_LOG, LINK_EXP },            { "reg:gamma", BASE_LOG, LINK_EXP },
	{ "reg:tweedie", BASE_LOG, LINK_EXP },              { "survival:cox", BASE_LOG, LINK_EXP },
	{ "multi:softprob", BASE_AS_IS, LINK_SOFTMAX },
};

static float base_margin(enum base_form form, float score)
{
	switch (form) {
	case BASE_AS_IS: return score;
	case BASE_LOGIT: return -logf(1.0f / score - 1.0f);
	case BASE_LOG: return logf(score);
	}
	UNREACHABLE("base form");
}

static void shape_read(const struct param_text *p, struct forest *f)
{
	f->n_feature = (size_t)p->num_feature;
	f->n_group = (size_t)(p->num_class > 1 ? p->num_class : p->num_target > 1 ? p->num_target : 1);
}

static enum rc objective_read(const struct learner_text *l, struct forest *f, struct err *e)
{
	const struct param_text *p = &l->learner_model_param;
	str text = p->base_score, name = l->objective.name;
	double score;

	if (str_starts(text, STR("[")) && str_ends(text, STR("]")))   /* from XGBoost 3 on */
		text = str_n(text.at + 1, text.len - 2);
	if (!str_to_f64(text, &score) || !isfinite(score))
		return FAIL(e, RC_INVALID, "base_score is '" STR_FMT "', which is no number", STR_ARG(p->base_score));
	if (p->num_target > 1 && p->num_class > 1)
		return FAIL(e, RC_INVALID, "a model with several targets of several classes cannot be converted");
	f->objective = name;
	for (size_t i = 0; i < ARRAY_LEN(objectives); i++) {
		if (!str_eq(name, str_of(objectives[i].name)))
			continue;
		f->link = objectives[i].link;
		f->base = base_margin(objectives[i].base, (float)score);
		if (!isfinite(f->base))
			return FAIL(e, RC_INVALID, "base_score %g is outside what " STR_FMT " allows", score, STR_ARG(name));
		return RC_OK;
	}
	return FAIL(e, RC_INVALID, "objective '" STR_FMT "' cannot be converted: its predictions are not known to be a sum with a link",
		    STR_ARG(str_head(name, 60)));
}

/* --- trees ------------------------------------------------------------------------------------- */

static enum rc lengths_agree(const struct tree_text *t, size_t n, struct err *e)
{
	const struct { const char *name; size_t n; } list[] = {
		{ "right_children", t->right_children.n }, { "split_indices", t->split_indices.n },
		{ "split_conditions", t->split_conditions.n }, { "default_left", t->default_left.n },
	};

	if (n == 0 || n > INT32_MAX)
		return FAIL(e, RC_INVALID, "it has %zu nodes", n);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (list[i].n != n)
			return FAIL(e, RC_INVALID, "%s has %zu entries for %zu nodes", list[i].name, list[i].n, n);
	if (t->split_type.n != 0 && t->split_type.n != n)
		return FAIL(e, RC_INVALID, "split_type has %zu entries for %zu nodes", t->split_type.n, n);
	for (size_t i = 1; i < t->parents.n; i++) {     /* XGBoost looks at them when it reads a model */
		int64_t parent = *LIST_AT(t->parents, int64_t, i);
		if (parent < 0 || (uint64_t)parent >= n)
			return FAIL(e, RC_INVALID, "node %zu has parent %lld of %zu", i, (long long)parent, n);
	}
	return RC_OK;
}

/* Every list of categories lies within all of them, and belongs to a node. */
static enum rc categories_fit(const struct tree_text *t, size_t n, struct err *e)
{
	size_t n_split = t->categories_nodes.n;
	int64_t n_all = (int64_t)t->categories.n, in_order = -1;

	if (t->categories_segments.n != n_split || t->categories_sizes.n != n_split)
		return FAIL(e, RC_INVALID, "the lists of categories have different lengths");
	for (size_t i = 0; i < n_split; i++) {
		int64_t node = *LIST_AT(t->categories_nodes, int64_t, i), from = *LIST_AT(t->categories_segments, int64_t, i);
		int64_t size = *LIST_AT(t->categories_sizes, int64_t, i);
		if (node <= in_order || (uint64_t)node >= n || from < 0 || from > n_all || size < 0 || size > n_all - from)
			return FAIL(e, RC_INVALID, "the categories of split %zu are not there", i);
		in_order = node;
	}
	for (size_t i = 0; i < t->categories.n; i++)
		if (*LIST_AT(t->categories, int64_t, i) < 0 || *LIST_AT(t->categories, int64_t, i) >= CATEGORIES_MAX)
			return FAIL(e, RC_INVALID, "category %lld is out of range", (long long)*LIST_AT(t->categories, int64_t, i));
	size_t n_by_category = 0;
	for (size_t i = 0; i < t->split_type.n; i++)
		n_by_category += *LIST_AT(t->split_type, int64_t, i) != 0;
	return n_by_category == n_split
		       ? RC_OK : FAIL(e, RC_INVALID, "%zu nodes split by category, but categories are given for %zu", n_by_category, n_split);
}

static enum rc node_read(const struct tree_text *t, size_t i, size_t n_feature, int32_t *left, int32_t *right, int32_t *feature,
			 struct err *e)
{
	int64_t l = *LIST_AT(t->left_children, int64_t, i), r = *LIST_AT(t->right_children, int64_t, i);
	int64_t n = (int64_t)t->left_children.n, at = *LIST_AT(t->split_indices, int64_t, i);

	*left = *right = -1;
	*feature = 0;
	if (!(fabs(*LIST_AT(t->split_conditions, double, i)) <= (double)FLT_MAX))
		return FAIL(e, RC_INVALID, "node %zu has no finite number for its threshold or output", i);
	if (l == -1 && r == -1)
		return RC_OK;
	if (l < 1 || l >= n || r < 1 || r >= n)
		return FAIL(e, RC_INVALID, "node %zu has children %lld and %lld of %lld nodes", i, (long long)l, (long long)r, (long long)n);
	if (at < 0 || (uint64_t)at >= n_feature)
		return FAIL(e, RC_INVALID, "node %zu splits by feature %lld of %zu", i, (long long)at, n_feature);
	*left = (int32_t)l;
	*right = (int32_t)r;
	*feature = (int32_t)at;
	return RC_OK;
}

/* No node is reached twice from the root: then a walk ends. Nodes that pruning left behind are not reached at all. */
static enum rc is_tree(const struct tree *t, struct err *e)
{
	struct arena a;
	enum rc rc = RC_OK;

	arena_init(&a);
	bool *seen = ARENA_ARRAY(&a, bool, t->n);
	int32_t *todo = ARENA_ARRAY(&a, int32_t, t->n);
	size_t n_todo = 1;
	seen[0] = true;
	while (n_todo > 0 && rc == RC_OK) {
		int32_t at = todo[--n_todo];
		const int32_t child[] = { t->left[at], t->right[at] };
		for (size_t i = 0; i < ARRAY_LEN(child) && child[0] >= 0 && rc == RC_OK; i++) {
			if (seen[child[i]])
				rc = FAIL(e, RC_INVALID, "node %d is reached twice", (int)child[i]);
			else
				todo[n_todo++] = child[i];   /* each node at most once, so there is room */
			seen[child[i]] = true;
		}
	}
	arena_deinit(&a);
	return rc;
}

static enum rc tree_read(const struct tree_text *text, size_t n_feature, struct arena *a, struct tree *out, struct err *e)
{
	size_t n = text->left_children.n;

	TRY(lengths_agree(text, n, e));
	TRY(categories_fit(text, n, e));
	int32_t *left = ARENA_ARRAY(a, int32_t, n), *right = ARENA_ARRAY(a, int32_t, n), *feature = ARENA_ARRAY(a, int32_t, n);
	float *value = ARENA_ARRAY(a, float, n);
	bool *missing_left = ARENA_ARRAY(a, bool, n);
	for (size_t i = 0; i < n; i++) {
		TRY(node_read(text, i, n_feature, &left[i], &right[i], &feature[i], e));
		value[i] = (float)*LIST_AT(text->split_conditions, double, i);
		missing_left[i] = *LIST_AT(text->default_left, int64_t, i) != 0;
	}
	*out = (struct tree){ .n = n, .left = left, .right = right, .feature = feature, .value = value, .missing_left = missing_left };
	return is_tree(out, e);
}

static enum rc trees_read(const struct trees_text *text, struct arena *a, struct forest *f, struct err *e)
{
	size_t n = text->trees.n;

	if (text->size.num_trees != (int64_t)n)
		return FAIL(e, RC_INVALID, "gbtree_model_param tells of %lld trees, but there are %zu", (long long)text->size.num_trees, n);
	if (text->tree_info.n != n)
		return FAIL(e, RC_INVALID, "tree_info has %zu entries for %zu trees", text->tree_info.n, n);
	struct tree *tree = ARENA_ARRAY(a, struct tree, n > 0 ? n : 1);
	for (size_t i = 0; i < n; i++) {
		const struct tree_text *t = LIST_AT(text->trees, struct tree_text, i);
		int64_t group = *LIST_AT(text->tree_info, int64_t, i);
		if (tree_read(t, f->n_feature, a, &tree[i], e) != RC_OK)
			return err_wrap(e, "tree %zu", i);
		if (group < 0 || (uint64_t)group >= f->n_group)
			return FAIL(e, RC_INVALID, "tree %zu adds to output %lld of %zu", i, (long long)group, f->n_group);
		if (t->id != (int64_t)i)
			return FAIL(e, RC_INVALID, "tree %zu has id %lld", i, (long long)t->id);
		tree[i].group = (size_t)group;
		f->n_node += tree[i].n;
		f->has_categories = f->has_categories || t->categories_nodes.n > 0;
	}
	f->tree = tree;
	f->n_tree = n;
	return RC_OK;
}

/* --- models ------------------------------------------------------------------------------------ */

/* As XGBoost tells the two apart: by what follows the first brace. */
static enum rc model_decode(str model, struct arena *a, struct model_text *out, struct err *e)
{
	struct ubjson_source s;
	struct token t;

	if (model.len < 2 || model.at[0] != '{')
		return FAIL(e, RC_INVALID, "this is no XGBoost model in JSON or UBJSON: those begin with '{'");
	if (model.at[1] == '"')
		return record_from_json(&model_text_record, model, a, 0, out, e);
	ubjson_source_init(&s, model, a, "model");
	TRY(record_decode(&model_text_record, &s.super, 0, out, e));
	return token_next(&s.super, &t, e);
}

static enum rc model_read(const struct model_text *m, struct arena *a, struct forest *f, struct err *e)
{
	const struct booster_text *b = &m->learner.gradient_booster;
	bool is_dart = str_eq(b->name, STR("dart"));

	if (!is_dart && !str_eq(b->name, STR("gbtree")))
		return FAIL(e, RC_INVALID, "the booster is '" STR_FMT "'; there are gbtree and dart", STR_ARG(str_head(b->name, 40)));
	shape_read(&m->learner.learner_model_param, f);
	f->is_dart = is_dart;
	TRY(trees_read(is_dart ? &b->gbtree.model : &b->model, a, f, e));
	if (is_dart && b->weight_drop.n != f->n_tree)
		return FAIL(e, RC_INVALID, "weight_drop has %zu entries for %zu trees", b->weight_drop.n, f->n_tree);
	return RC_OK;
}

enum rc forest_check(str model, struct err *e)
{
	struct forest f = { 0 };
	struct model_text m;
	struct arena a;

	arena_init(&a);
	enum rc rc = model_decode(model, &a, &m, e);
	if (rc == RC_OK)
		rc = model_read(&m, &a, &f, e);
	arena_deinit(&a);
	return rc;
}

enum rc forest_read(str model, struct arena *a, struct forest *out, struct err *e)
{
	struct forest f = { 0 };
	struct model_text m;
	struct arena text;

	arena_init(&text);
	enum rc rc = model_decode(model, &text, &m, e);
	if (rc == RC_OK)
		rc = model_read(&m, a, &f, e);
	if (rc == RC_OK && (f.is_dart || f.has_categories))
		rc = FAIL(e, RC_INVALID, "a model %s cannot be converted", f.is_dart ? "of dart, which weighs its trees," : "that splits by category");
	if (rc == RC_OK)
		rc = objective_read(&m.learner, &f, e);
	if (rc == RC_OK) {
		f.objective = arena_dup(a, f.objective);
		*out = f;
	}
	arena_deinit(&text);
	return rc;
}

/* --- rows that try it -------------------------------------------------------------------------- */

struct edges { float *value; size_t n, cap; };

float *forest_rows(const struct forest *f, size_t n, uint64_t seed, struct arena *a)
{
	struct rng r;
	struct edges *edges = ARENA_ARRAY(a, struct edges, f->n_feature);

	for (size_t i = 0; i < f->n_tree; i++)
		for (size_t k = 0; k < f->tree[i].n; k++)
			if (f->tree[i].left[k] >= 0) {
				struct edges *at = &edges[f->tree[i].feature[k]];
				at->value = vec_grow_(a, at->value, at->n, &at->cap, sizeof(*at->value));
				at->value[at->n++] = f->tree[i].value[k];
			}
	rng_seed(&r, seed);
	float *x = arena_alloc_n(a, n * f->n_feature, sizeof(*x));
	for (size_t i = 0; i < n * f->n_feature; i++) {
		const struct edges *at = &edges[i % f->n_feature];
		float edge = at->n > 0 ? at->value[rng_next(&r) % at->n] : (float)rng_unit(&r);
		switch (rng_next(&r) % 8) {
		case 0: x[i] = edge; break;
		case 1: x[i] = nextafterf(edge, -INFINITY); break;
		case 2: x[i] = nextafterf(edge, INFINITY); break;
		case 3: x[i] = NAN; break;
		default: x[i] = edge + (float)(rng_unit(&r) - 0.5) * (fabsf(edge) + 1); break;
		}
	}
	return x;
}
