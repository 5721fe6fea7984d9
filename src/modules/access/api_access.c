/* api_access.c -- routes of users' tokens, keys and logins. */
#include "modules/access/access_int.h"

/* Anyone with a token may ask, a service too, whatever its scope: so it authenticates here, not by a permission. */
static enum rc get_whoami(struct call *c, const void *in, void *out, struct err *e)
{
	struct access *x = c->module;
	struct whoami *w = out;
	struct principal who;

	(void)in;
	TRY(x->core->auth->authenticate(x->core->auth->self, c->http, &who, e));
	*w = (struct whoami){ .id = who.id, .name = who.name, .role = who.role, .scope = who.scope,
			      .via = access__has_authorization(c->http) ? STR("token") : STR("session") };
	return RC_OK;
}

static enum rc post_key(struct call *c, const void *in, void *out, struct err *e)
{
	return access__key_make(c->module, in, c->who, c->arena, out, e);
}

static enum rc get_keys(struct call *c, const void *in, void *out, struct err *e)
{
	struct key_list *l = out;

	(void)in;
	return access__keys(c->core->db, c->arena, &l->keys, e);
}

static enum rc delete_key(struct call *c, const void *in, void *out, struct err *e)
{
	const struct name_param *p = in;

	return access__key_revoke(c->module, p->id, c->who, c->arena, out, e);
}

static enum rc post_login_link(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	http_reply_header(c->http, "Cache-Control", STR("no-store"));
	return access__link_make(c->module, c->who, c->arena, out, e);
}

/* --- the browser's ---------------------------------------------------------------------------------------- */

static void set_cookie(struct call *c, str secret, int64_t ttl_ms)
{
	http_reply_header(c->http, "Set-Cookie", arena_printf(c->arena, SESSION_COOKIE "=" STR_FMT "; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld",
							      STR_ARG(secret), (long long)(ttl_ms / 1000)));
	http_reply_header(c->http, "Cache-Control", STR("no-store"));
	http_reply_header(c->http, "Referrer-Policy", STR("no-referrer"));
}

static enum rc get_login(struct call *c, const void *in, void *out, struct err *e)
{
	struct access *x = c->module;
	str secret;

	(void)in;
	(void)out;
	CHECK(c->n_param == 1);
	if (c->http->method == HTTP_HEAD) {     /* as programs ask that only look at a link: it stays good */
		http_reply(c->http, 200, "text/plain; charset=utf-8", STR("A login link.\n"));
		return RC_OK;
	}
	TRY(access__login(x, c->param[0], c->arena, &secret, e));
	set_cookie(c, secret, x->config->session_ttl_ms);
	http_reply_header(c->http, "Location", STR("/"));
	http_reply(c->http, 303, "text/plain; charset=utf-8", STR("Logged in.\n"));
	return RC_OK;
}

static enum rc delete_session(struct call *c, const void *in, void *out, struct err *e)
{
	struct access *x = c->module;
	str secret = access__session_cookie(c->http);
	struct principal who;

	(void)in;
	(void)out;
	if (access__has_authorization(c->http) || secret.len == 0)
		return FAIL(e, RC_INVALID, "only a browser's login can be ended here; a key is revoked by DELETE " API_CAIRN "/keys/{id}");
	TRY(x->core->auth->authenticate(x->core->auth->self, c->http, &who, e));
	TRY(access__logout(x, secret, &who, e));
	set_cookie(c, STR(""), 0);
	return RC_OK;
}

static const struct route cairn_routes[] = {
	{ .method = HTTP_GET, .path = "/whoami", .out = &whoami_record, .handler = get_whoami, .doc = "Who the token belongs to",
	  .flags = ROUTE_PUBLIC | ROUTE_LOOP },
	{ .method = HTTP_POST, .path = "/keys", .permission = "access.admin", .in = &key_request_record, .out = &key_created_record,
	  .handler = post_key, .doc = "Makes a key; its text is in this answer only", .flags = ROUTE_CREATED },
	{ .method = HTTP_GET, .path = "/keys", .permission = "access.read", .out = &key_list_record, .handler = get_keys,
	  .doc = "Keys, revoked ones too" },
	{ .method = HTTP_DELETE, .path = "/keys/{id}", .permission = "access.admin", .in = &name_param_record, .out = &key_record,
	  .handler = delete_key, .doc = "Revokes a key at once" },
	{ .method = HTTP_POST, .path = "/login-links", .permission = "access.admin", .out = &login_link_record,
	  .handler = post_login_link, .doc = "Makes a link that logs a browser in as the caller, once", .flags = ROUTE_CREATED },
	{ .method = HTTP_DELETE, .path = "/session", .handler = delete_session, .doc = "Ends the browser's login", .flags = ROUTE_PUBLIC },
};
static const struct route root_routes[] = {
	{ .method = HTTP_GET, .path = "/login/{code}", .handler = get_login, .doc = "Trades a login link for a session cookie",
	  .flags = ROUTE_PUBLIC | ROUTE_RAW_REPLY | ROUTE_HIDDEN },
};
const struct api access_api[] = {
	{ .name = "cairn", .prefix = API_CAIRN, .route = cairn_routes, .n_route = ARRAY_LEN(cairn_routes) },
	{ .name = "login", .prefix = "", .route = root_routes, .n_route = ARRAY_LEN(root_routes) },
};
