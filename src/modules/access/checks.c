/* checks.c -- the door tried from outside: over HTTP on cairn's own address, and by what lies in its tables. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fs.h"
#include "io/http_client.h"
#include "modules/access/access_int.h"

/* The status of a real request; token may be STR_NONE. */
static enum rc ask(const struct core *c, struct arena *a, str path, str token, struct http_answer *out, struct err *e)
{
	const struct pair_ header[] = { { STR("Authorization"), arena_printf(a, "Bearer " STR_FMT, STR_ARG(token)) } };
	struct http_call call = { .method = "GET", .url = arena_printf(a, "%s" STR_FMT, c->url, STR_ARG(path)), .header = header,
				  .n_header = token.len > 0 ? 1 : 0, .total_ms = 10000 };

	return http_call(c->http, &call, a, out, e);
}

static enum rc read_admin_token(const struct core *c, struct arena *a, const char **path_out, str *out, struct err *e)
{
	str text;

	*path_out = arena_printf(a, "%s/admin.token", c->data_dir).at;
	TRY(fs_read(*path_out, 4096, a, &text, e));
	*out = str_trim(text);
	return RC_OK;
}

static enum rc check_admin_token(void *module, struct live_check *k, struct err *e)
{
	const struct core *c = live_check_core(k);
	struct arena *a = live_check_arena(k);
	struct http_answer answer;
	const char *path;
	struct stat st;
	str token;

	(void)module;
	TRY(read_admin_token(c, a, &path, &token, e));
	if (stat(path, &st) != 0)
		return FAIL(e, RC_IO, "cannot look at %s", path);
	expect_true(k, (st.st_mode & 0777) == 0600, "%s has mode %03o, expected 600", path, (unsigned)st.st_mode & 0777u);
	expect_true(k, st.st_uid == geteuid(), "it belongs to user %u, cairn runs as %u", (unsigned)st.st_uid, (unsigned)geteuid());
	TRY(ask(c, a, STR(API_CAIRN "/whoami"), token, &answer, e));
	expect_equal(k, "status of GET /whoami with its token", answer.status, 200);
	expect_true(k, str_find(answer.body, STR(ADMIN_USER)) >= 0, "it is " ADMIN_USER "'s");
	return RC_OK;
}

/* --- every door ---------------------------------------------------------------------------------------------- */

struct doors { struct arena *a; VEC(str) path; };

static void add_door(void *ctx, const struct api *api, const struct route *r)
{
	struct doors *d = ctx;

	if (r->method == HTTP_GET && !(r->flags & ROUTE_PUBLIC) && strchr(r->path, '{') == NULL)
		*VEC_PUSH(d->a, &d->path) = arena_printf(d->a, "%s%s", api->prefix, r->path);
}

/* How many of the doors do not answer 401 to this token. */
static enum rc count_open(struct live_check *k, const struct doors *d, str token, size_t *n_open, struct err *e)
{
	const struct core *c = live_check_core(k);
	struct http_answer answer;

	*n_open = 0;
	for (size_t i = 0; i < d->path.n; i++) {
		TRY(ask(c, d->a, d->path.at[i], token, &answer, e));
		if (answer.status == 401)
			continue;
		*n_open += 1;
		live_check_note(k, "GET " STR_FMT " answered %d", STR_ARG(d->path.at[i]), answer.status);
	}
	return RC_OK;
}

static enum rc check_doors(void *module, struct live_check *k, struct err *e)
{
	struct doors d = { .a = live_check_arena(k) };
	size_t n_open;

	(void)module;
	api_table_each(live_check_core(k)->apis, add_door, &d);
	live_check_note(k, "asked %zu protected routes without a token and with a wrong one", d.path.n);
	expect_at_least(k, "protected routes found", (double)d.path.n, 3);
	TRY(count_open(k, &d, STR_NONE, &n_open, e));
	expect_equal(k, "routes that let in a request without a token", (double)n_open, 0);
	TRY(count_open(k, &d, crypto_token(d.a, TOKEN_PREFIX), &n_open, e));
	expect_equal(k, "routes that let in a wrong token", (double)n_open, 0);
	return RC_OK;
}

/* --- secrets ---------------------------------------------------------------------------------------------------- */

static enum rc check_hashes(void *module, struct live_check *k, struct err *e)
{
	const struct core *c = live_check_core(k);
	struct arena *a = live_check_arena(k);
	int64_t n_plain, n_all;

	(void)module;
	TRY(access__unhashed(c->db, a, &n_plain, &n_all, e));
	expect_at_least(k, "stored secrets", (double)n_all, 1);
	expect_equal(k, "stored secrets that are not a SHA-256", (double)n_plain, 0);
	return RC_OK;
}

/* --- scope and revocation, with a key made for the purpose --------------------------------------------------------- */

static enum rc probe(struct access *x, struct live_check *k, const struct key_created *key, struct err *e)
{
	const struct core *c = live_check_core(k);
	struct arena *a = live_check_arena(k);
	struct access_key revoked;
	struct http_answer answer;

	TRY(ask(c, a, STR(API_CAIRN "/status"), key->key, &answer, e));
	expect_equal(k, "status within its scope", answer.status, 200);
	TRY(ask(c, a, STR(API_CAIRN "/audit"), key->key, &answer, e));
	expect_equal(k, "status outside its scope", answer.status, 403);
	TRY(access__key_revoke(x, key->id, &principal_system, a, &revoked, e));
	TRY(ask(c, a, STR(API_CAIRN "/status"), key->key, &answer, e));
	expect_equal(k, "status right after it was revoked", answer.status, 401);
	return RC_OK;
}

static enum rc check_revocation(void *module, struct live_check *k, struct err *e)
{
	struct access *x = module;
	struct key_request request = { .name = STR("probe"), .scope = STR("system.read"), .expires_in_ms = 60000 };
	struct key_created key;
	struct err dropped = ERR_INIT;

	TRY(access__key_make(x, &request, &principal_system, live_check_arena(k), &key, e));
	enum rc rc = probe(x, k, &key, e);
	if (access__key_delete(x->core->db, key.id, &dropped) != RC_OK && rc == RC_OK)
		live_check_note(k, "the probe's key stays listed: %s", dropped.msg);
	return rc;
}

const struct check_def access_checks[] = {
	{ .id = "access.admin_token", .title = "The first administrator's token is readable by its owner only, and works", .items = "",
	  .run = check_admin_token },
	{ .id = "access.doors_shut", .title = "No protected route answers without a token or with a wrong one", .items = "",
	  .run = check_doors },
	{ .id = "access.only_hashes", .title = "Tokens are stored as digests only", .items = "", .run = check_hashes },
	{ .id = "access.scope_and_revocation", .title = "A key works within its scope only, and not at all once revoked", .items = "",
	  .run = check_revocation },
};
