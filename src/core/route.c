/* route.c -- the engine behind the route tables.
 *
 * On the loop, when the headers are there: find the route, the principal, the permission; refuse what may not, before a
 * byte of its body is kept. Then, where the route runs: decode, call, encode. What a request needs on the way lives in
 * its arena. The table is built while cairn opens and only read afterwards, but for the metric series, which are atomics. */
#include "core/route.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "core/metric.h"
#include "core/route_tree.h"
#include "core/task.h"
#include "io/fs.h"
#include "io/yaml.h"

#define LONGEST_STATUS 3
static const struct metric_def count_def = { "cairn_http_requests_total", METRIC_COUNTER, "HTTP requests answered",
					     { "api", "method", "route", "code" } };
static const struct metric_def seconds_def = { "cairn_http_request_seconds", METRIC_HISTOGRAM,
					       "Time from a request's headers to the end of its reply", { "api", "method", "route" } };

struct api_table {
	struct core *core;
	struct route_tree tree;
	VEC(struct route_entry *) entry;
	struct metric_family *count, *seconds;
};

/* A request on its way through the engine: http_request.user. */
struct passage {
	struct call call;
	struct principal who;
	struct route_entry *entry;
};

struct api_table *api_table_new(struct core *c)
{
	struct api_table *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	t->core = c;
	route_tree_init(&t->tree);
	t->count = metric_register(c->metrics, &count_def);
	t->seconds = metric_register(c->metrics, &seconds_def);
	return t;
}

void api_table_free(struct api_table **slot)
{
	struct api_table *t = *slot;

	*slot = NULL;
	if (t == NULL)
		return;
	route_tree_deinit(&t->tree);
	free(t);
}

static void check_route(const struct route *r)
{
	CHECK((r->permission == NULL) == ((r->flags & ROUTE_PUBLIC) != 0));     /* a route without a permission does not start */
	CHECK((r->handler == NULL) != (r->task == NULL));
	CHECK(r->task == NULL || r->in == NULL);
}

enum rc api_table_add(struct api_table *t, const struct api *api, void *module, struct err *e)
{
	for (size_t i = 0; i < api->n_route; i++) {
		check_route(&api->route[i]);
		TRY(route_tree_add(&t->tree, api, &api->route[i], module, VEC_PUSH(&t->tree.arena, &t->entry), e));
	}
	return RC_OK;
}

void api_table_each(const struct api_table *t, void (*fn)(void *ctx, const struct api *, const struct route *), void *ctx)
{
	for (size_t i = 0; i < t->entry.n; i++)
		fn(ctx, t->entry.at[i]->api, t->entry.at[i]->route);
}

/* --- errors --------------------------------------------------------------------------------------- */

static void write_error(const struct err *err, struct jw *w)
{
	jw_object(w);
	jw_object_key(w, STR("error"));
	jw_str_key(w, "code", str_of(rc_name(err->rc)));
	jw_str_key(w, "message", str_of(err->msg));
	if (err->field[0] != '\0')
		jw_str_key(w, "field", str_of(err->field));
	jw_end_object(w);
	jw_end_object(w);
}

static void log_failure(const struct call *c, const struct err *err)
{
	LOG(ERROR, "request.failed", KV_STR("method", str_of(http_method_names[c->http->method])), KV_STR("path", c->http->path),
	    KV_STR("who", c->who != NULL ? c->who->id : STR("")), KV_ERR(err), KV_STR("file", str_of(err->file)),
	    KV_I64("line", err->line));
}

void api_reply_error(struct call *c, const struct err *err)
{
	struct buf b = BUF_INIT(LIMIT_TEXT);
	struct jw w;
	int status = c->api->error_status != NULL ? c->api->error_status(err) : rc_http(err->rc);

	jw_init(&w, &b);
	(c->api->write_error != NULL ? c->api->write_error : write_error)(err, &w);
	if (err->rc == RC_LIMIT || err->rc == RC_UNAVAILABLE)
		http_reply_header(c->http, "Retry-After", STR("1"));
	if (err->rc == RC_UNAUTHENTICATED)
		http_reply_header(c->http, "WWW-Authenticate", STR("Bearer realm=\"cairn\""));
	http_reply_header(c->http, "X-Content-Type-Options", STR("nosniff"));
	if (rc_http(err->rc) == 500)
		log_failure(c, err);
	http_reply_buf(c->http, status, "application/json", &b);
}

/* No route: below our own prefix in our own form, elsewhere as text, which foreign clients take for "this server does not
 * have it". */
static void reply_no_route(struct core *core, struct http_request *q, unsigned methods)
{
	static const struct api own = { .name = "cairn", .prefix = API_CAIRN };
	struct call c = { .http = q, .arena = &q->arena, .core = core, .api = &own };
	struct err e = ERR_INIT;
	str allowed = STR("");

	if (methods == 0 && !str_starts(q->path, STR(API_CAIRN))) {
		http_reply(q, 404, "text/plain; charset=utf-8", STR("Not Found\n"));
		return;
	}
	for (int i = 0; i < HTTP_METHODS; i++) {
		if (methods >> i & 1)
			allowed = arena_printf(&q->arena, STR_FMT "%s%s", STR_ARG(allowed), allowed.len > 0 ? ", " : "", http_method_names[i]);
	}
	if (methods != 0) {
		http_reply_header(q, "Allow", allowed);
		err_set(&e, RC_METHOD, __FILE__, __LINE__, STR_FMT " takes " STR_FMT, STR_ARG(str_head(q->path, 200)), STR_ARG(allowed));
	} else {
		err_set(&e, RC_NOT_FOUND, __FILE__, __LINE__, "there is no " STR_FMT "; see " API_CAIRN "/openapi.json",
			STR_ARG(str_head(q->path, 200)));
	}
	api_reply_error(&c, &e);
}

/* --- on the loop: who may come in ------------------------------------------------------------------- */

static enum rc admit(struct passage *p, struct err *e)
{
	const struct route *r = p->entry->route;
	const struct authenticator *auth = p->call.core->auth;
	str object = p->entry->object >= 0 ? p->call.param[p->entry->object] : STR_NONE;

	p->who = principal_nobody;
	p->call.who = &p->who;
	if (r->flags & ROUTE_PUBLIC)
		return RC_OK;
	if (auth == NULL)
		return FAIL(e, RC_UNAVAILABLE, "cairn is still starting");
	TRY(auth->authenticate(auth->self, p->call.http, &p->who, e));
	if (!principal_may(&p->who, r->permission, object))
		return FAIL(e, RC_FORBIDDEN, STR_FMT " may not %s%s" STR_FMT, STR_ARG(p->who.name), r->permission,
			    object.len > 0 ? " on " : "", STR_ARG(object));
	return RC_OK;
}

static struct http_plan plan_of(const struct route *r)
{
	struct http_plan plan = { .where = r->flags & ROUTE_LOOP ? HTTP_ON_LOOP : HTTP_ON_WORKER, .body = HTTP_BODY_NONE };
	bool takes_body = r->in != NULL || r->task != NULL || (r->flags & ROUTE_RAW_BODY) != 0;   /* else it is read and dropped */

	if (r->flags & ROUTE_FILE_BODY)
		plan.body = HTTP_BODY_FILE;
	else if (takes_body)
		plan.body = HTTP_BODY_MEMORY;
	plan.body_max = r->body_max != 0 ? r->body_max : plan.body == HTTP_BODY_FILE ? LIMIT_ARTIFACT_BODY : LIMIT_JSON_BODY;
	return plan;
}

struct http_plan api_plan(void *app, struct http_request *q)
{
	struct core *core = app;
	struct route_match m;
	struct err e = ERR_INIT;

	route_tree_match(&core->apis->tree, q->method, q->raw_path, &q->arena, &m);
	if (m.entry == NULL) {
		reply_no_route(core, q, m.methods);
		return (struct http_plan){ .where = HTTP_ON_LOOP };
	}
	struct passage *p = ARENA_NEW(&q->arena, struct passage);
	p->entry = m.entry;
	p->call = (struct call){ .http = q, .arena = &q->arena, .core = core, .module = m.entry->module, .api = m.entry->api,
				 .route = m.entry->route, .n_param = m.n_param };
	memcpy(p->call.param, m.param, sizeof(m.param));
	q->user = p;
	if (admit(p, &e) != RC_OK)
		api_reply_error(&p->call, &e);
	return plan_of(m.entry->route);
}

/* --- the request record ----------------------------------------------------------------------------- */

struct parts {
	struct call *call;
	const struct record *record;
	void *obj;
	uint64_t given;
	struct err *e;
	enum rc rc;
};

static void query_part(void *ctx, str name, str value)
{
	struct parts *p = ctx;
	int i = record_field_index(p->record, name);

	if (p->rc != RC_OK)
		return;
	if (i < 0) {
		if (!p->record->open) {
			p->rc = FAIL(p->e, RC_INVALID, "unknown parameter '" STR_FMT "'", STR_ARG(str_head(name, 100)));
			(void)err_field(p->e, STR_FMT, STR_ARG(str_head(name, 90)));
		}
		return;
	}
	const struct field *f = &p->record->field[i];
	if (f->flags & F_OUTPUT) {
		p->rc = FAIL(p->e, RC_INVALID, "parameter '%s' is set by cairn and cannot be given", f->name);
		return;
	}
	p->rc = field_from_text(f, value, p->call->arena, p->obj, p->e);
	p->given |= UINT64_C(1) << i;
}

static enum rc decode_yaml(struct parts *p, str body, struct err *e)
{
	str name = http_header(p->call->http, "Cairn-Source-Name");
	struct token_source *src;
	struct token t;

	if (name.len == 0 || !str_is_utf8(name))
		name = STR("request body");
	TRY(yaml_source_new(body, p->call->arena, arena_cstr(p->call->arena, str_head(name, 200)), &src, e));
	TRY(record_decode_keys(p->record, src, 0, &p->given, p->obj, e));
	TRY(token_next(src, &t, e));
	CHECK(t.kind == TOK_EOF);
	return RC_OK;
}

static enum rc decode_json(struct parts *p, str body, struct err *e)
{
	struct json_source src;
	struct token t;

	json_source_init(&src, body, p->call->arena, "request body");
	TRY(record_decode_keys(p->record, &src.super, 0, &p->given, p->obj, e));
	TRY(token_next(&src.super, &t, e));
	CHECK(t.kind == TOK_EOF);
	return RC_OK;
}

static enum rc decode_body(struct parts *p, struct err *e)
{
	struct http_request *q = p->call->http;
	str type = http_header(q, "Content-Type");

	if (p->call->route->flags & (ROUTE_RAW_BODY | ROUTE_FILE_BODY))
		return RC_OK;
	if (p->call->api->json_only && (q->method == HTTP_POST || q->method == HTTP_PUT) && !str_starts(type, STR("application/json")))
		return FAIL(e, RC_INVALID, "Bad Request. Content-Type must be one of ['application/json']");
	if (q->body.len == 0)
		return RC_OK;
	if (str_starts(type, STR("application/yaml")) || str_starts(type, STR("application/x-yaml")))
		return decode_yaml(p, q->body, e);
	return decode_json(p, q->body, e);
}

static enum rc decode_params(struct parts *p, const struct route_entry *en, struct err *e)
{
	for (size_t i = 0; i < en->n_param; i++) {
		if (en->param_field[i] < 0)
			continue;
		TRY(field_from_text(&p->record->field[en->param_field[i]], p->call->param[i], p->call->arena, p->obj, e));
		p->given |= UINT64_C(1) << en->param_field[i];
	}
	return RC_OK;
}

/* Body, then query, then path: what names the resource wins. */
static enum rc decode_request(struct passage *p, const struct record *r, void *obj, struct err *e)
{
	struct parts parts = { .call = &p->call, .record = r, .obj = obj, .e = e };

	TRY(decode_body(&parts, e));
	http_query_each(p->call.http, query_part, &parts);
	TRY(parts.rc);
	TRY(decode_params(&parts, p->entry, e));
	return record_finish(r, parts.given, p->call.arena, 0, obj, e);
}

/* --- the call ---------------------------------------------------------------------------------------- */

static enum rc reply_record(struct call *c, const struct record *r, const void *obj, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	jw_init(&w, &b);
	if (r != NULL) {
		record_encode(r, obj, 0, &w);
	} else {
		jw_object(&w);
		jw_end_object(&w);
	}
	if (b.overflowed) {
		buf_deinit(&b);
		return FAIL(e, RC_TOO_LARGE, "the answer is longer than %u MiB; ask for less at once", LIMIT_REPLY >> 20);
	}
	http_reply_header(c->http, "X-Content-Type-Options", STR("nosniff"));
	http_reply_buf(c->http, c->status, "application/json", &b);
	return RC_OK;
}

static enum rc start_task(struct passage *p, struct err *e)
{
	struct call *c = &p->call;
	const struct task_def *d = c->route->task;
	void *in = arena_alloc(c->arena, d->request->size);
	struct task_info info = { 0 };

	TRY(decode_request(p, d->request, in, e));
	/* Core lives as long as its requests; tasks change its scheduler only. */
	TRY(task_start(c->core, d, c->who, in, &info, c->arena, e));
	c->status = 202;
	return reply_record(c, &task_record, &info, e);
}

static enum rc run_handler(struct passage *p, struct err *e)
{
	struct call *c = &p->call;
	const struct route *r = c->route;
	void *in = r->in != NULL ? arena_alloc(c->arena, r->in->size) : NULL;
	void *out = r->out != NULL ? arena_alloc(c->arena, r->out->size) : NULL;

	if (r->in != NULL)
		TRY(decode_request(p, r->in, in, e));
	TRY(r->handler(c, in, out, e));
	if (r->flags & ROUTE_RAW_REPLY) {
		CHECK(http_replied(c->http));
		return RC_OK;
	}
	return reply_record(c, r->out, out, e);
}

static enum rc refuse_body(const struct http_request *q, struct err *e)
{
	if (q->body_errno != 0)
		return fs_error(e, q->body_errno, "cannot keep", "the request's body");
	return FAIL(e, RC_TOO_LARGE, "the body is longer than the %llu bytes that this takes", (unsigned long long)q->plan.body_max);
}

void api_handle(void *app, struct http_request *q)
{
	struct passage *p = q->user;
	struct err e = ERR_INIT;

	(void)app;
	CHECK(p != NULL);
	p->call.status = p->call.route->flags & ROUTE_CREATED ? 201 : 200;
	enum rc rc = q->too_large ? refuse_body(q, &e) : p->call.route->task != NULL ? start_task(p, &e) : run_handler(p, &e);
	if (rc == RC_OK)
		return;
	CHECK(!http_replied(q));
	if (e.rc != rc)         /* said by one call, returned by another: the client gets the code at least */
		err_set(&e, rc, __FILE__, __LINE__, "the request failed");
	api_reply_error(&p->call, &e);
}

/* --- metrics ------------------------------------------------------------------------------------------ */

static struct series *count_series(struct api_table *t, struct route_entry *en, int status)
{
	char code[LONGEST_STATUS + 1] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10), 0 };
	const str labels[] = { str_of(en->api->name), str_of(http_method_names[en->route->method]), en->path, str_of(code) };

	for (size_t i = 0; i < ENTRY_STATUSES; i++) {
		int free_place = 0;
		if (atomic_load(&en->count[i].status) == status) {
			struct series *s = atomic_load(&en->count[i].series);
			return s != NULL ? s : metric_series(t->count, labels);
		}
		if (atomic_compare_exchange_strong(&en->count[i].status, &free_place, status)) {
			struct series *s = metric_series(t->count, labels);
			atomic_store(&en->count[i].series, s);
			return s;
		}
		if (free_place == status)
			return metric_series(t->count, labels);
	}
	return metric_series(t->count, labels);
}

void api_done(void *app, struct http_request *q)
{
	struct core *core = app;
	struct passage *p = q->user;

	if (p == NULL)
		return;
	struct route_entry *en = p->entry;
	struct series *seconds = atomic_load(&en->seconds);
	if (seconds == NULL) {
		const str labels[] = { str_of(en->api->name), str_of(http_method_names[en->route->method]), en->path };
		seconds = metric_series(core->apis->seconds, labels);
		atomic_store(&en->seconds, seconds);
	}
	series_observe(seconds, clock_ns() - q->start_ns);
	series_add(count_series(core->apis, en, q->status), 1);
}
