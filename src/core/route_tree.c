/* route_tree.c -- a tree of path segments. */
#include "core/route_tree.h"

struct route_node {
	str literal;                            /* of a literal child */
	struct route_node *child, *next;        /* literal children */
	struct route_node *param;               /* "{name}" */
	struct route_entry *here[HTTP_METHODS];
	struct route_entry *rest[HTTP_METHODS]; /* "{name*}" */
};

void route_tree_init(struct route_tree *t)
{
	arena_init(&t->arena);
	t->root = ARENA_NEW(&t->arena, struct route_node);
}

void route_tree_deinit(struct route_tree *t)
{
	arena_deinit(&t->arena);
	t->root = NULL;
}

/* --- building ------------------------------------------------------------------------------------- */

static struct route_node *literal_child(struct route_tree *t, struct route_node *n, str segment)
{
	struct route_node **at = &n->child;

	for (; *at != NULL; at = &(*at)->next) {
		if (str_eq((*at)->literal, segment))
			return *at;
	}
	*at = ARENA_NEW(&t->arena, struct route_node);
	(*at)->literal = segment;
	return *at;
}

static bool is_param(str segment, bool *rest)
{
	*rest = segment.len > 3 && segment.at[segment.len - 2] == '*';
	return segment.len > 2 && segment.at[0] == '{' && segment.at[segment.len - 1] == '}';
}

static const struct record *in_record(const struct route *r)
{
	return r->task != NULL ? r->task->request : r->in;
}

static void add_param(struct route_entry *en, str segment, bool rest)
{
	str name = str_n(segment.at + 1, segment.len - (rest ? 3 : 2));
	const struct record *in = in_record(en->route);

	CHECK(en->n_param < ROUTE_PARAMS_MAX);
	if (en->route->object != NULL && str_eq(name, str_of(en->route->object)))
		en->object = (int)en->n_param;
	en->param_field[en->n_param++] = in != NULL ? record_field_index(in, name) : -1;
}

enum rc route_tree_add(struct route_tree *t, const struct api *api, const struct route *r, void *module,
		       struct route_entry **out, struct err *e)
{
	struct route_entry *en = ARENA_NEW(&t->arena, struct route_entry);
	str rest = STR_NONE, segment;
	struct route_node *n = t->root;
	bool is_rest = false;

	*en = (struct route_entry){ .api = api, .route = r, .module = module, .object = -1 };
	en->path = arena_printf(&t->arena, "%s%s", api->prefix, r->path);
	CHECK(en->path.len > 0 && en->path.at[0] == '/');
	rest = str_skip(en->path, 1);
	while (!is_rest && str_cut(&rest, '/', &segment)) {
		if (!is_param(segment, &is_rest)) {
			n = literal_child(t, n, segment);
			continue;
		}
		add_param(en, segment, is_rest);
		if (is_rest)
			break;
		if (n->param == NULL)
			n->param = ARENA_NEW(&t->arena, struct route_node);
		n = n->param;
	}
	CHECK(r->object == NULL || en->object >= 0);
	struct route_entry **slot = is_rest ? &n->rest[r->method] : &n->here[r->method];
	if (*slot != NULL)
		return FAIL(e, RC_CONFLICT, "two routes are %s " STR_FMT, http_method_names[r->method], STR_ARG(en->path));
	*slot = en;
	*out = en;
	return RC_OK;
}

/* --- matching ------------------------------------------------------------------------------------- */

struct matching {
	enum http_method method;
	struct arena *arena;
	struct route_match *m;
};

static bool take(struct matching *k, struct route_entry *const *slot)
{
	for (int i = 0; i < HTTP_METHODS; i++)
		k->m->methods |= slot[i] != NULL ? 1u << i : 0;
	k->m->entry = slot[k->method];
	return k->m->entry != NULL;
}

static bool push_param(struct matching *k, str raw)
{
	return k->m->n_param < ROUTE_PARAMS_MAX && http_percent_decode(k->arena, raw, false, &k->m->param[k->m->n_param]) &&
	       str_is_utf8(k->m->param[k->m->n_param]);
}

/* `rest` is what stands behind the last '/' taken; at == NULL: nothing is left. */
static bool walk(struct matching *k, const struct route_node *n, str rest)
{
	str after = rest, raw, segment;
	size_t n_param = k->m->n_param;

	if (rest.at == NULL)
		return take(k, n->here);
	if (!str_cut(&after, '/', &raw) || !http_percent_decode(k->arena, raw, false, &segment))
		return false;
	for (const struct route_node *c = n->child; c != NULL; c = c->next) {
		if (str_eq(c->literal, segment) && walk(k, c, after))
			return true;
	}
	if (n->param != NULL && segment.len > 0 && push_param(k, raw)) {
		k->m->n_param++;
		if (walk(k, n->param, after))
			return true;
		k->m->n_param = n_param;
	}
	if (rest.len > 0 && push_param(k, rest)) {
		k->m->n_param++;
		if (take(k, n->rest))
			return true;
		k->m->n_param = n_param;
	}
	return false;
}

void route_tree_match(const struct route_tree *t, enum http_method m, str raw_path, struct arena *a, struct route_match *out)
{
	struct matching k = { .method = m == HTTP_HEAD ? HTTP_GET : m, .arena = a, .m = out };

	*out = (struct route_match){ .entry = NULL };
	if (!walk(&k, t->root, str_skip(raw_path, 1)))
		out->entry = NULL;
}
