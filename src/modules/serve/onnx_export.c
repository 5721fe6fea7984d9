/* onnx_export.c -- writing a forest as TreeEnsembleRegressor of ONNX's machine learning operators.
 *
 * XGBoost goes left where value < threshold, so every split is BRANCH_LT; a missing value (NaN) compares false and would
 * go right, so nodes_missing_value_tracks_true says where it goes left. XGBoost adds in float32, beginning with the base
 * score; ONNX's base_values are added last, which rounds differently: so the base score is the first tree, a single leaf,
 * and the sums are equal to the last bit. */
#include "modules/serve/onnx_export.h"

#ifdef CAIRN_HAVE_ONNX_PROTO

#include <onnx/onnx.pb-c.h>
#include <string.h>

#define OPSET_ML 3
#define OPSET 17
#define IR_VERSION 8

/* The columns that TreeEnsembleRegressor has instead of trees. */
struct columns {
	size_t n, n_leaf;
	int64_t *tree, *node, *feature, *yes, *no, *missing_yes;
	float *value;
	ProtobufCBinaryData *mode;
	int64_t *leaf_tree, *leaf_node, *leaf_target;
	float *leaf_weight;
	ProtobufCBinaryData mode_branch, mode_leaf;
};

static ProtobufCBinaryData bytes_of(struct arena *a, str s)
{
	return (ProtobufCBinaryData){ .len = s.len, .data = (uint8_t *)arena_cstr(a, s) };
}

static void columns_init(struct columns *c, size_t n, struct arena *a)
{
	int64_t **whole[] = { &c->tree, &c->node, &c->feature, &c->yes, &c->no, &c->missing_yes, &c->leaf_tree, &c->leaf_node,
			      &c->leaf_target };

	*c = (struct columns){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		*whole[i] = ARENA_ARRAY(a, int64_t, n);
	c->value = ARENA_ARRAY(a, float, n);
	c->leaf_weight = ARENA_ARRAY(a, float, n);
	c->mode = ARENA_ARRAY(a, ProtobufCBinaryData, n);
	c->mode_branch = bytes_of(a, STR("BRANCH_LT"));
	c->mode_leaf = bytes_of(a, STR("LEAF"));
}

static void add_leaf(struct columns *c, size_t tree, size_t node, size_t group, float value)
{
	c->tree[c->n] = (int64_t)tree;
	c->node[c->n] = (int64_t)node;
	c->mode[c->n++] = c->mode_leaf;
	c->leaf_tree[c->n_leaf] = (int64_t)tree;
	c->leaf_node[c->n_leaf] = (int64_t)node;
	c->leaf_target[c->n_leaf] = (int64_t)group;
	c->leaf_weight[c->n_leaf++] = value;
}

static void add_tree(struct columns *c, size_t number, const struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->left[i] < 0) {
			add_leaf(c, number, i, t->group, t->value[i]);
			continue;
		}
		c->tree[c->n] = (int64_t)number;
		c->node[c->n] = (int64_t)i;
		c->feature[c->n] = t->feature[i];
		c->value[c->n] = t->value[i];
		c->yes[c->n] = t->left[i];
		c->no[c->n] = t->right[i];
		c->missing_yes[c->n] = t->missing_left[i];
		c->mode[c->n++] = c->mode_branch;
	}
}

static void columns_fill(struct columns *c, const struct forest *f, struct arena *a)
{
	columns_init(c, f->n_node + f->n_group, a);
	for (size_t g = 0; g < f->n_group; g++)
		add_leaf(c, g, 0, g, f->base);
	for (size_t i = 0; i < f->n_tree; i++)
		add_tree(c, f->n_group + i, &f->tree[i]);
}

/* --- messages ---------------------------------------------------------------------------------- */

#define ATTRIBUTES_MAX 20
struct attributes {
	struct arena *a;
	Onnx__AttributeProto *at[ATTRIBUTES_MAX];
	size_t n;
};

static Onnx__AttributeProto *attribute(struct attributes *s, const char *name, Onnx__AttributeProto__AttributeType type)
{
	Onnx__AttributeProto *p = ARENA_NEW(s->a, Onnx__AttributeProto);

	CHECK(s->n < ATTRIBUTES_MAX);
	onnx__attribute_proto__init(p);
	p->name = arena_cstr(s->a, str_of(name));
	p->has_type = true;
	p->type = type;
	return s->at[s->n++] = p;
}

static void attribute_ints(struct attributes *s, const char *name, int64_t *v, size_t n)
{
	Onnx__AttributeProto *p = attribute(s, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

	p->ints = v;
	p->n_ints = n;
}

static void attribute_floats(struct attributes *s, const char *name, float *v, size_t n)
{
	Onnx__AttributeProto *p = attribute(s, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);

	p->floats = v;
	p->n_floats = n;
}

static void attribute_int(struct attributes *s, const char *name, int64_t v)
{
	Onnx__AttributeProto *p = attribute(s, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

	p->has_i = true;
	p->i = v;
}

static void attribute_text(struct attributes *s, const char *name, str v)
{
	Onnx__AttributeProto *p = attribute(s, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

	p->has_s = true;
	p->s = bytes_of(s->a, v);
}

static Onnx__NodeProto *node_new(struct arena *a, const char *op, const char *domain, str in, str out)
{
	Onnx__NodeProto *n = ARENA_NEW(a, Onnx__NodeProto);

	onnx__node_proto__init(n);
	n->op_type = arena_cstr(a, str_of(op));
	n->domain = arena_cstr(a, str_of(domain));
	n->n_input = n->n_output = 1;
	n->input = ARENA_NEW(a, char *);
	n->output = ARENA_NEW(a, char *);
	n->input[0] = arena_cstr(a, in);
	n->output[0] = arena_cstr(a, out);
	return n;
}

static Onnx__NodeProto *ensemble_new(const struct forest *f, struct columns *c, str out, struct arena *a)
{
	Onnx__NodeProto *n = node_new(a, "TreeEnsembleRegressor", "ai.onnx.ml", STR("input"), out);
	struct attributes *s = ARENA_NEW(a, struct attributes);

	s->a = a;
	attribute_int(s, "n_targets", (int64_t)f->n_group);
	attribute_text(s, "aggregate_function", STR("SUM"));
	attribute_text(s, "post_transform", STR("NONE"));
	attribute_ints(s, "nodes_treeids", c->tree, c->n);
	attribute_ints(s, "nodes_nodeids", c->node, c->n);
	attribute_ints(s, "nodes_featureids", c->feature, c->n);
	attribute_ints(s, "nodes_truenodeids", c->yes, c->n);
	attribute_ints(s, "nodes_falsenodeids", c->no, c->n);
	attribute_ints(s, "nodes_missing_value_tracks_true", c->missing_yes, c->n);
	attribute_floats(s, "nodes_values", c->value, c->n);
	Onnx__AttributeProto *mode = attribute(s, "nodes_modes", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
	mode->strings = c->mode;
	mode->n_strings = c->n;
	attribute_ints(s, "target_treeids", c->leaf_tree, c->n_leaf);
	attribute_ints(s, "target_nodeids", c->leaf_node, c->n_leaf);
	attribute_ints(s, "target_ids", c->leaf_target, c->n_leaf);
	attribute_floats(s, "target_weights", c->leaf_weight, c->n_leaf);
	n->attribute = s->at;
	n->n_attribute = s->n;
	return n;
}

static Onnx__ValueInfoProto *matrix_new(struct arena *a, str name, size_t columns)
{
	Onnx__ValueInfoProto *v = ARENA_NEW(a, Onnx__ValueInfoProto);
	Onnx__TypeProto *type = ARENA_NEW(a, Onnx__TypeProto);
	Onnx__TypeProto__Tensor *tensor = ARENA_NEW(a, Onnx__TypeProto__Tensor);
	Onnx__TensorShapeProto *shape = ARENA_NEW(a, Onnx__TensorShapeProto);
	Onnx__TensorShapeProto__Dimension *dim = ARENA_ARRAY(a, Onnx__TensorShapeProto__Dimension, 2);

	onnx__value_info_proto__init(v);
	onnx__type_proto__init(type);
	onnx__type_proto__tensor__init(tensor);
	onnx__tensor_shape_proto__init(shape);
	shape->n_dim = 2;
	shape->dim = ARENA_ARRAY(a, Onnx__TensorShapeProto__Dimension *, 2);
	for (size_t i = 0; i < 2; i++) {
		onnx__tensor_shape_proto__dimension__init(&dim[i]);
		shape->dim[i] = &dim[i];
	}
	dim[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
	dim[0].dim_param = arena_cstr(a, STR("N"));
	dim[1].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
	dim[1].dim_value = (int64_t)columns;
	tensor->has_elem_type = true;
	tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	tensor->shape = shape;
	type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	type->tensor_type = tensor;
	v->name = arena_cstr(a, name);
	v->type = type;
	return v;
}

static Onnx__OperatorSetIdProto *opset_new(struct arena *a, const char *domain, int64_t version)
{
	Onnx__OperatorSetIdProto *o = ARENA_NEW(a, Onnx__OperatorSetIdProto);

	onnx__operator_set_id_proto__init(o);
	o->domain = arena_cstr(a, str_of(domain));
	o->has_version = true;
	o->version = version;
	return o;
}

static str model_pack(Onnx__GraphProto *graph, str doc, struct arena *a)
{
	Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
	Onnx__OperatorSetIdProto *opset[] = { opset_new(a, "", OPSET), opset_new(a, "ai.onnx.ml", OPSET_ML) };

	m.has_ir_version = true;
	m.ir_version = IR_VERSION;
	m.producer_name = arena_cstr(a, STR("cairn"));
	m.producer_version = arena_cstr(a, STR(CAIRN_VERSION));
	m.doc_string = arena_cstr(a, doc);
	m.opset_import = opset;
	m.n_opset_import = ARRAY_LEN(opset);
	m.graph = graph;
	size_t n = onnx__model_proto__get_packed_size(&m);
	char *at = arena_alloc_raw(a, n);
	CHECK(onnx__model_proto__pack(&m, (uint8_t *)at) == n);
	return str_n(at, n);
}

enum rc onnx_of_forest(const struct forest *f, str output, str doc, struct arena *a, str *out, struct err *e)
{
	Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
	/* Nodes of their own: ONNX Runtime leaves post_transform out where there is one target. */
	static const char *const link_op[] = { [LINK_NONE] = NULL, [LINK_SIGMOID] = "Sigmoid", [LINK_EXP] = "Exp", [LINK_SOFTMAX] = "Softmax" };
	const char *op = link_op[f->link];
	Onnx__NodeProto *node[2];
	struct columns c;

	if (output.len == 0 || str_eq(output, STR("input")) || str_eq(output, STR("sum")))
		return FAIL(e, RC_INVALID, "an output cannot be called '" STR_FMT "'", STR_ARG(output));
	columns_fill(&c, f, a);
	node[graph.n_node++] = ensemble_new(f, &c, op != NULL ? STR("sum") : output, a);
	if (op != NULL)
		node[graph.n_node++] = node_new(a, op, "", STR("sum"), output);
	Onnx__ValueInfoProto *in = matrix_new(a, STR("input"), f->n_feature), *result = matrix_new(a, output, f->n_group);
	graph.name = arena_cstr(a, STR("trees"));
	graph.node = node;
	graph.n_input = graph.n_output = 1;
	graph.input = &in;
	graph.output = &result;
	*out = model_pack(&graph, doc, a);
	return RC_OK;
}

#else /* built without ONNX's definition */

enum rc onnx_of_forest(const struct forest *f, str output, str doc, struct arena *a, str *out, struct err *e)
{
	(void)f, (void)output, (void)doc, (void)a, (void)out;
	return FAIL(e, RC_UNAVAILABLE, "this cairn was built without ONNX's definition; install libonnx-dev and protobuf-c-compiler, and build "
				       "it again");
}

#endif
