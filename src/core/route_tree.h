/* route_tree.h -- which route a method and a path mean: the routes of all APIs as one tree of path segments.
 *
 * Built while cairn opens, read-only afterwards: any thread. Literal segments win over parameters, those over "{rest*}".
 */
#ifndef CAIRN_CORE_ROUTE_TREE_H
#define CAIRN_CORE_ROUTE_TREE_H

#include <stdatomic.h>

#include "core/route.h"
#include "core/task.h"

struct metric_family;
struct series;

#define ENTRY_STATUSES 8

/* A route as mounted, with what the engine keeps about it. */
struct route_entry {
	const struct api *api;
	const struct route *route;
	void *module;
	str path;                       /* prefix and path: what metrics and errors call it */
	int object;                     /* index of the parameter that names the permission's object, or -1 */
	size_t n_param;
	int param_field[ROUTE_PARAMS_MAX];      /* of route->in (or the task's request), -1: none */
	struct series *_Atomic seconds;
	/* Counters by status, found once: status 0 is a free place. */
	struct { _Atomic int status; struct series *_Atomic series; } count[ENTRY_STATUSES];
};

struct route_node;
struct route_tree {
	struct arena arena;
	struct route_node *root;
};

struct route_match {
	struct route_entry *entry;      /* NULL: none */
	str param[ROUTE_PARAMS_MAX];    /* decoded */
	size_t n_param;
	unsigned methods;               /* of the path, when only the method is wrong: 1u << enum http_method */
};

void route_tree_init(struct route_tree *t);
void route_tree_deinit(struct route_tree *t);
/* RC_CONFLICT when another route has the same method and path. */
enum rc route_tree_add(struct route_tree *t, const struct api *api, const struct route *r, void *module,
		       struct route_entry **out, struct err *e) MUST_USE;
/* raw_path as sent; parameters are decoded into the arena. HEAD finds the route of GET. */
void route_tree_match(const struct route_tree *t, enum http_method m, str raw_path, struct arena *a, struct route_match *out);

#endif
