/* route.h -- APIs as tables of routes, and the one engine that serves them.
 *
 * A route names its request and response records; the engine matches the path, authenticates, checks the
 * permission, decodes body, query and path parameters into the request struct, calls the handler, and
 * encodes what it returns, or its error in the API's own form. A handler never sees JSON. A body is JSON, or YAML where
 * Content-Type says application/yaml; Cairn-Source-Name then names the file for errors.
 * Handlers run on a worker thread and may block, unless the route says ROUTE_LOOP.
 */
#ifndef CAIRN_CORE_ROUTE_H
#define CAIRN_CORE_ROUTE_H

#include "base/record.h"
#include "core/core.h"
#include "core/principal.h"
#include "io/http_server.h"

#define ROUTE_PARAMS_MAX 6

struct route;
struct api;

struct call {
	struct http_request *http;
	struct arena *arena;            /* the request's */
	const struct core *core;
	void *module;                   /* handle of the module that owns the route */
	const struct principal *who;
	const struct api *api;
	const struct route *route;
	str param[ROUTE_PARAMS_MAX];    /* decoded path parameters in order of appearance */
	size_t n_param;
	int status;                     /* of a success; 200 (201 with ROUTE_CREATED) unless the handler sets it */
};

/* in: a zeroed-and-decoded route->in (NULL without one); out: zeroed route->out to fill (NULL without one).
 * With ROUTE_RAW_REPLY the handler makes the reply itself through http_reply* unless it returns an error. */
typedef enum rc route_fn(struct call *c, const void *in, void *out, struct err *e);

enum route_flags {
	ROUTE_LOOP      = 1u << 0,   /* handler runs on the event loop: must not block */
	ROUTE_RAW_BODY  = 1u << 1,   /* body is not decoded: c->http->body (query and path still fill `in`) */
	ROUTE_FILE_BODY = 1u << 2,   /* body is spooled: c->http->body_fd */
	ROUTE_RAW_REPLY = 1u << 3,
	ROUTE_CREATED   = 1u << 4,   /* success is 201 */
	ROUTE_HIDDEN    = 1u << 5,   /* not in the OpenAPI document (foreign protocols) */
	ROUTE_PUBLIC    = 1u << 6,   /* no token needed; permission must be NULL */
};

struct route {
	enum http_method method;
	const char *path;               /* below the API's prefix: "/datasets/{name}/versions/{number}";
	                                 * "{path*}" takes the rest, slashes too. Parameters fill fields of `in` by name */
	const char *permission;         /* "lake.read"; NULL only with ROUTE_PUBLIC */
	const char *object;             /* the path parameter that names what the permission is for, or NULL */
	const struct record *in, *out;
	route_fn *handler;
	const struct task_def *task;    /* instead of a handler: `in` is the task's request; answers 202 with the task */
	const char *doc;                /* one line */
	unsigned flags;
	uint64_t body_max;              /* 0: LIMIT_JSON_BODY, or LIMIT_ARTIFACT_BODY with ROUTE_FILE_BODY */
};

struct api {
	const char *name;               /* "cairn", "mlflow", "oip", "prometheus" */
	const char *prefix;             /* "/api/cairn/v1"; "" for the root */
	const struct route *route;
	size_t n_route;
	/* Writes the body of an error in this protocol's form. NULL: cairn's
	 * {"error":{"code":"not_found","message":"…","field":"…"}} */
	void (*write_error)(const struct err *err, struct jw *w);
	int (*error_status)(const struct err *err);     /* NULL: rc_http */
	bool json_only;                 /* POST and PUT with a request record need Content-Type: application/json */
};

#define API_CAIRN "/api/cairn/v1"

/* Engine, used by core_open and by tests. */
struct api_table *api_table_new(struct core *c);
enum rc api_table_add(struct api_table *t, const struct api *api, void *module, struct err *e) MUST_USE;
void api_table_free(struct api_table **slot);
/* For openapi.c and the CLI: visits every route. */
void api_table_each(const struct api_table *t, void (*fn)(void *ctx, const struct api *, const struct route *), void *ctx);
/* http_server_config's plan and handle; app is the core. */
struct http_plan api_plan(void *app, struct http_request *q);
void api_handle(void *app, struct http_request *q);
void api_done(void *app, struct http_request *q);

void api_reply_error(struct call *c, const struct err *e);

/* core's own routes: tasks, audit, lineage, checks, roadmap, metrics, console. */
extern const struct api system_api, root_api;
/* The OpenAPI 3.1 document of all routes that are not hidden. */
void openapi_write(const struct api_table *t, struct buf *out);

#endif
