/* test_access.c -- tokens, keys, logins and the module's own checks, over HTTP on a whole cairn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/event.h"
#include "io/fs.h"
#include "io/http_client.h"
#include "modules/access/access_int.h"

struct fixture {
	char dir[64];
	struct core *c;
	struct access *x;
	struct arena a;
	struct err e;
	str token;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

static void start(struct fixture *f)
{
	const struct core_options o = { .data_dir = f->dir, .listen = "127.0.0.1:0" };
	str text;

	OK(f, core_open(&o, &f->c, &f->e));
	OK(f, core_listen(f->c, &f->e));
	f->x = access_of(f->c);
	OK(f, fs_read(arena_printf(&f->a, "%s/admin.token", f->dir).at, 4096, &f->a, &text, &f->e));
	f->token = str_trim(text);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/cairn-access-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	arena_init(&f->a);
	start(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	clock_set_for_tests(0);
	core_close(&f->c);
	arena_deinit(&f->a);
	assert_int_equal(fs_remove_tree(f->dir, &f->e), RC_OK);
	free(f);
	return 0;
}

static struct http_answer ask(struct fixture *f, const char *method, const char *path, const char *name, str value)
{
	const struct pair_ header[] = { { str_of(name), value } };
	struct http_call call = { .method = method, .url = arena_printf(&f->a, "%s%s", f->c->url, path), .header = header,
				  .n_header = value.len > 0 ? 1 : 0 };
	struct http_answer answer;

	OK(f, http_call(f->c->http, &call, &f->a, &answer, &f->e));
	return answer;
}

static int status_with(struct fixture *f, str token, const char *path)
{
	return ask(f, "GET", path, "Authorization", token.len > 0 ? arena_printf(&f->a, "Bearer " STR_FMT, STR_ARG(token)) : STR_NONE).status;
}

#define STATUS API_CAIRN "/status"
#define WHOAMI API_CAIRN "/whoami"

static struct key_created make_key(struct fixture *f, const char *scope, int64_t expires_in_ms)
{
	struct key_request r = { .name = STR("k"), .scope = str_of(scope), .expires_in_ms = expires_in_ms };
	struct key_created made;

	OK(f, access__key_make(f->x, &r, &principal_system, &f->a, &made, &f->e));
	return made;
}

/* --- tokens ------------------------------------------------------------------------------------------------ */

static void test_tokens_in_each_form(void **state)
{
	struct fixture *f = *state;
	static const struct { const char *name, *value; int status; } cases[] = {
		{ "Authorization", "",                     401 },
		{ "Authorization", "Bearer ",              401 },
		{ "Authorization", "Bearer cairn_unknown", 401 },
		{ "Authorization", "bearer",               401 },
		{ "Authorization", "Digest x",             401 },
		{ "Authorization", "Basic !!!",            401 },
		{ "Authorization", "Basic bm9jb2xvbg==",   401 },       /* "nocolon" */
		{ "Authorization", "Basic dXNlcjo=",       401 },       /* "user:" */
		{ "Cookie",        "cairn_session=",       401 },
		{ "Cookie",        "cairn_session=nonsense; other=1", 401 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int status = ask(f, "GET", STATUS, cases[i].name, str_of(cases[i].value)).status;
		if (status != cases[i].status)
			fail_msg("%s: %s gave %d", cases[i].name, cases[i].value, status);
	}
	assert_int_equal(status_with(f, f->token, STATUS), 200);
	assert_int_equal(ask(f, "GET", STATUS, "Authorization", arena_printf(&f->a, "bEARER   " STR_FMT, STR_ARG(f->token))).status, 200);
	char *long_token = arena_alloc(&f->a, 10001);
	memset(long_token, 'x', 10000);
	assert_int_equal(status_with(f, str_n(long_token, 10000), STATUS), 401);
	assert_true(series_value(f->x->refused[REFUSED_UNKNOWN]) >= 1);
	assert_true(series_value(f->x->refused[REFUSED_MALFORMED]) >= 4);
	assert_true(series_value(f->x->refused[REFUSED_NO_TOKEN]) >= 1);
}

static void test_scope_expiry_and_revocation(void **state)
{
	struct fixture *f = *state;
	struct key_created key = make_key(f, "system.read  lake.read:trips", 60000);
	struct access_key revoked;

	assert_true(str_eq(key.scope, STR("system.read lake.read:trips")));
	assert_int_equal(status_with(f, key.key, STATUS), 200);
	assert_int_equal(status_with(f, key.key, API_CAIRN "/audit"), 403);
	assert_int_equal(status_with(f, key.key, WHOAMI), 200);
	clock_set_for_tests(clock_ms() + 60001);
	assert_int_equal(status_with(f, key.key, STATUS), 401);
	assert_int_equal((int)series_value(f->x->refused[REFUSED_EXPIRED]), 1);
	clock_set_for_tests(0);
	assert_int_equal(status_with(f, key.key, STATUS), 200);
	OK(f, access__key_revoke(f->x, key.id, &principal_system, &f->a, &revoked, &f->e));
	assert_true(revoked.revoked_ms > 0);
	assert_int_equal(status_with(f, key.key, STATUS), 401);
	/* Once more is no error, and does not move the time. */
	int64_t at = revoked.revoked_ms;
	OK(f, access__key_revoke(f->x, key.id, &principal_system, &f->a, &revoked, &f->e));
	assert_int_equal(revoked.revoked_ms, at);
	assert_int_equal(access__key_revoke(f->x, STR("ky_none"), &principal_system, &f->a, &revoked, &f->e), RC_NOT_FOUND);
}

static void test_what_keys_may_not_be(void **state)
{
	struct fixture *f = *state;
	static const struct { const char *scope; int role; enum rc rc; } cases[] = {
		{ "",                0,            RC_INVALID },
		{ "lake",            0,            RC_INVALID },
		{ "lake.eat",        0,            RC_INVALID },
		{ ".read",           0,            RC_INVALID },
		{ "lake.read:",      0,            RC_INVALID },
		{ "Lake.read",       0,            RC_INVALID },
		{ "lake.read",       ROLE_VIEWER,  RC_INVALID },
		{ "",                ROLE_SERVICE, RC_INVALID },
		{ "",                ROLE_VIEWER,  RC_OK      },
	};
	const struct principal service = { .id = STR("key:s"), .name = STR("s"), .role = ROLE_SERVICE, .scope = STR("access.admin lake.read:a") };
	struct key_created made;
	struct key_request r = { .name = STR("k") };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		r.scope = str_of(cases[i].scope);
		r.role = cases[i].role;
		if (access__key_make(f->x, &r, &principal_system, &f->a, &made, &f->e) != cases[i].rc)
			fail_msg("case %zu: %s", i, f->e.msg);
	}
	/* A service gives away no more than it has. */
	static const struct { const char *scope; int role; enum rc rc; } granted[] = {
		{ "lake.read:a", 0, RC_OK }, { "lake.read:b", 0, RC_FORBIDDEN }, { "lake.read", 0, RC_FORBIDDEN }, { "", ROLE_ADMIN, RC_FORBIDDEN },
	};
	for (size_t i = 0; i < ARRAY_LEN(granted); i++) {
		r.scope = str_of(granted[i].scope);
		r.role = granted[i].role;
		if (access__key_make(f->x, &r, &service, &f->a, &made, &f->e) != granted[i].rc)
			fail_msg("granted case %zu: %s", i, f->e.msg);
	}
	struct login_link link;
	assert_int_equal(access__link_make(f->x, &service, &f->a, &link, &f->e), RC_FORBIDDEN);
}

static void test_admin_token_file(void **state)
{
	struct fixture *f = *state;
	const char *path = arena_printf(&f->a, "%s/admin.token", f->dir).at;
	str first = f->token;
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* The same after a restart; another, and only the other, once the file is gone. */
	core_close(&f->c);
	start(f);
	assert_true(str_eq(f->token, first));
	core_close(&f->c);
	assert_int_equal(unlink(path), 0);
	start(f);
	assert_false(str_eq(f->token, first));
	assert_int_equal(status_with(f, first, STATUS), 401);
	assert_int_equal(status_with(f, f->token, STATUS), 200);
	/* Nonsense in it is refused at start, with the cure. */
	core_close(&f->c);
	OK(f, fs_write_atomic(path, STR("hello\n"), 0600, &f->e));
	const struct core_options o = { .data_dir = f->dir, .listen = "127.0.0.1:0" };
	assert_int_equal(core_open(&o, &f->c, &f->e), RC_INVALID);
	assert_non_null(strstr(f->e.msg, "remove it"));
	assert_int_equal(unlink(path), 0);
	start(f);
}

/* --- logins --------------------------------------------------------------------------------------------------- */

static void test_login_link_works_once(void **state)
{
	struct fixture *f = *state;
	const struct principal admin = { .id = STR(ADMIN_USER), .name = STR("admin"), .role = ROLE_ADMIN };
	struct login_link link, late;
	str secret;

	OK(f, access__link_make(f->x, &admin, &f->a, &link, &f->e));
	str code = str_skip(link.path, 7);
	OK(f, access__login(f->x, code, &f->a, &secret, &f->e));
	str cookie = arena_printf(&f->a, "a=b; " SESSION_COOKIE "=" STR_FMT, STR_ARG(secret));
	assert_int_equal(ask(f, "GET", STATUS, "Cookie", cookie).status, 200);
	assert_int_equal(access__login(f->x, code, &f->a, &secret, &f->e), RC_UNAUTHENTICATED);
	/* The cookie's secret is no bearer token, and a token no cookie. */
	assert_int_equal(status_with(f, str_skip(cookie, 5 + sizeof(SESSION_COOKIE)), STATUS), 401);
	assert_int_equal(ask(f, "GET", STATUS, "Cookie", arena_printf(&f->a, SESSION_COOKIE "=" STR_FMT, STR_ARG(f->token))).status, 401);
	OK(f, access__link_make(f->x, &admin, &f->a, &late, &f->e));
	clock_set_for_tests(late.expires_ms + 1);
	assert_int_equal(access__login(f->x, str_skip(late.path, 7), &f->a, &secret, &f->e), RC_UNAUTHENTICATED);
	clock_set_for_tests(0);
	assert_int_equal(access__login(f->x, str_skip(late.path, 7), &f->a, &secret, &f->e), RC_UNAUTHENTICATED);
	/* The login ends by itself. */
	clock_set_for_tests(clock_ms() + f->x->config->session_ttl_ms + 1000);
	assert_int_equal(ask(f, "GET", STATUS, "Cookie", cookie).status, 401);
}

static void test_cookie_writes_need_our_own_page(void **state)
{
	struct fixture *f = *state;
	const struct principal admin = { .id = STR(ADMIN_USER), .name = STR("admin"), .role = ROLE_ADMIN };
	struct login_link link;
	struct http_answer answer;
	str secret;

	OK(f, access__link_make(f->x, &admin, &f->a, &link, &f->e));
	OK(f, access__login(f->x, str_skip(link.path, 7), &f->a, &secret, &f->e));
	str cookie = arena_printf(&f->a, SESSION_COOKIE "=" STR_FMT, STR_ARG(secret));
	const str own = str_of(f->c->url);
	const struct { const char *name; str value; int status; } cases[] = {
		{ "X-None", STR("1"), 403 },
		{ "Sec-Fetch-Site", STR("cross-site"), 403 },
		{ "Sec-Fetch-Site", STR("same-site"), 403 },
		{ "Sec-Fetch-Site", STR("none"), 403 },
		{ "Origin", STR("https://elsewhere.example"), 403 },
		{ "Origin", STR("null"), 403 },
		{ "Origin", own, 201 },
		{ "Sec-Fetch-Site", STR("same-origin"), 201 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct pair_ header[] = { { STR("Cookie"), cookie }, { str_of(cases[i].name), cases[i].value } };
		struct http_call call = { .method = "POST", .url = arena_printf(&f->a, "%s" API_CAIRN "/login-links", f->c->url),
					  .header = header, .n_header = 2 };
		OK(f, http_call(f->c->http, &call, &f->a, &answer, &f->e));
		if (answer.status != cases[i].status)
			fail_msg("%s: " STR_FMT " gave %d", cases[i].name, STR_ARG(cases[i].value), answer.status);
	}
	assert_int_equal((int)series_value(f->x->refused[REFUSED_CROSS_SITE]), 6);
}

/* --- readers and writers at once ------------------------------------------------------------------------------ */

struct reading { struct access *x; str hash; _Atomic bool stop; _Atomic long n, lost; };

static void *read_on(void *arg)
{
	struct reading *r = arg;

	while (!r->stop) {
		struct identity who;
		struct arena a;
		arena_init(&a);
		if (!access__identify(r->x, r->hash, &a, &who) || !str_eq(who.who.id, STR(ADMIN_USER)))
			r->lost++;
		r->n++;
		arena_deinit(&a);
	}
	return NULL;
}

static void test_readers_never_miss_while_keys_change(void **state)
{
	struct fixture *f = *state;
	char hash[SHA256_HEX + 1];
	pthread_t thread[3];

	sha256_hex(f->token, hash);
	struct reading r = { .x = f->x, .hash = str_n(hash, SHA256_HEX) };
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_on, &r), 0);
	for (int i = 0; i < 50; i++)
		(void)make_key(f, "lake.read", 0);
	r.stop = true;
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	assert_true(r.n > 0);
	assert_int_equal(r.lost, 0);
}

/* --- the checks, and what makes them fail ------------------------------------------------------------------------ */

static int outcome_of(struct fixture *f, const char *id)
{
	struct check_outcome out;

	for (size_t i = 0; i < ARRAY_LEN(access_checks); i++) {
		if (strcmp(access_checks[i].id, id) == 0) {
			check_run(f->c, &access_checks[i], f->x, &f->a, &out);
			return out.outcome;
		}
	}
	fail_msg("no check %s", id);
	return -1;
}

static void test_checks_pass_on_a_sound_cairn(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(access_checks); i++)
		assert_int_equal(outcome_of(f, access_checks[i].id), CHECK_PASSED);
}

static enum rc let_all_in(void *self, struct http_request *q, struct principal *out, struct err *e)
{
	(void)self;
	(void)q;
	(void)e;
	*out = principal_system;
	return RC_OK;
}

static void test_checks_fail_when_the_door_is_open(void **state)
{
	struct fixture *f = *state;
	const struct authenticator open_door = { .authenticate = let_all_in }, *kept = f->c->auth;

	f->c->auth = &open_door;
	assert_int_equal(outcome_of(f, "access.doors_shut"), CHECK_FAILED);
	assert_int_equal(outcome_of(f, "access.scope_and_revocation"), CHECK_FAILED);
	f->c->auth = kept;
	assert_int_equal(outcome_of(f, "access.doors_shut"), CHECK_PASSED);
}

static void test_checks_fail_when_the_token_is_readable_or_void(void **state)
{
	struct fixture *f = *state;
	const char *path = arena_printf(&f->a, "%s/admin.token", f->dir).at;

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(outcome_of(f, "access.admin_token"), CHECK_FAILED);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(outcome_of(f, "access.admin_token"), CHECK_PASSED);
	OK(f, fs_write_atomic(path, STR("cairn_another-token-that-nobody-knows-of\n"), 0600, &f->e));
	assert_int_equal(outcome_of(f, "access.admin_token"), CHECK_FAILED);
}

static void test_check_fails_when_a_secret_is_stored_plain(void **state)
{
	struct fixture *f = *state;

	OK(f, db_exec1(f->c->db, "UPDATE access_keys SET hash = ?", VALS(V_STR(f->token)), NULL, &f->e));
	assert_int_equal(outcome_of(f, "access.only_hashes"), CHECK_FAILED);
}

static void test_changes_are_audited(void **state)
{
	struct fixture *f = *state;
	struct key_created key = make_key(f, "lake.read", 0);
	struct access_key revoked;
	struct rows r;

	OK(f, access__key_revoke(f->x, key.id, &principal_system, &f->a, &revoked, &f->e));
	OK(f, db_query1(f->c->db, &f->a, "SELECT action, detail FROM audit WHERE object = ? ORDER BY id",
			VALS(V_STR(arena_printf(&f->a, "key:" STR_FMT, STR_ARG(key.id)))), &r, &f->e));
	assert_int_equal(r.n, 2);
	assert_true(str_eq(rows_at(&r, 0, 0)->s, STR("key.create")));
	assert_true(str_eq(rows_at(&r, 1, 0)->s, STR("key.revoke")));
	assert_true(str_find(rows_at(&r, 0, 1)->s, key.key) < 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_tokens_in_each_form),
		T(test_scope_expiry_and_revocation),
		T(test_what_keys_may_not_be),
		T(test_admin_token_file),
		T(test_login_link_works_once),
		T(test_cookie_writes_need_our_own_page),
		T(test_readers_never_miss_while_keys_change),
		T(test_checks_pass_on_a_sound_cairn),
		T(test_checks_fail_when_the_door_is_open),
		T(test_checks_fail_when_the_token_is_readable_or_void),
		T(test_check_fails_when_a_secret_is_stored_plain),
		T(test_changes_are_audited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
