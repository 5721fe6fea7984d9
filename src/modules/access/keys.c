/* keys.c -- making and revoking keys, and the first administrator's token.
 *
 * A token is 256 random bits; only its SHA-256 is kept, which needs no salt for a secret that cannot be guessed. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "core/event.h"
#include "io/fs.h"
#include "modules/access/access_int.h"

#define ADMIN_TOKEN_FILE_MAX 4096
#define TOKEN_TEXT_MIN 32

/* --- scopes --------------------------------------------------------------------------------------------- */

static bool is_verb(str s)
{
	static const char *const verbs[] = { "read", "write", "invoke", "operate", "admin" };

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (str_eq(s, str_of(verbs[i])))
			return true;
	}
	return false;
}

static bool is_area(str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((s.at[i] < 'a' || s.at[i] > 'z') && s.at[i] != '_')
			return false;
	}
	return s.len > 0;
}

static bool is_object(str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.at[i] <= ' ' || s.at[i] == 0x7f)
			return false;
	}
	return s.len > 0;
}

/* "area.verb" or "area.verb:object" into its halves. */
static enum rc scope_part(str part, str *permission, str *object, struct err *e)
{
	ptrdiff_t colon = str_find_char(part, ':');

	*permission = colon < 0 ? part : str_head(part, (size_t)colon);
	*object = colon < 0 ? STR_NONE : str_skip(part, (size_t)colon + 1);
	ptrdiff_t dot = str_find_char(*permission, '.');
	if (dot > 0 && is_area(str_head(*permission, (size_t)dot)) && is_verb(str_skip(*permission, (size_t)dot + 1)) &&
	    (colon < 0 || is_object(*object)))
		return RC_OK;
	(void)FAIL(e, RC_INVALID, "'" STR_FMT "' is no scope: write area.verb or area.verb:object, such as endpoint.invoke:taxi-fare; "
		   "verbs are read, write, invoke, operate and admin", STR_ARG(str_head(part, 100)));
	return err_field(e, "scope");
}

enum rc access__scope_read(str text, struct arena *a, str *out, struct err *e)
{
	str rest = text, part, permission, object, all = STR("");

	while (str_cut(&rest, ' ', &part)) {
		if (part.len == 0)
			continue;
		TRY(scope_part(part, &permission, &object, e));
		all = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(all), all.len > 0 ? " " : "", STR_ARG(part));
	}
	*out = all;
	return RC_OK;
}

/* A service passes on only what it has. People who may make keys are administrators. */
static enum rc may_grant(const struct principal *who, str scope, struct arena *a, struct err *e)
{
	str rest = scope, part, permission, object;

	while (str_cut(&rest, ' ', &part)) {
		if (part.len == 0)
			continue;
		TRY(scope_part(part, &permission, &object, e));
		if (!principal_may(who, arena_cstr(a, permission), object))
			return FAIL(e, RC_FORBIDDEN, STR_FMT " may not give away " STR_FMT, STR_ARG(who->name), STR_ARG(part));
	}
	return RC_OK;
}

/* --- making ---------------------------------------------------------------------------------------------- */

struct making { const struct access_key *key; const struct principal *who; str detail; };

static enum rc insert_key(struct tx *tx, void *ctx, struct err *e)
{
	const struct making *m = ctx;
	struct arena a;

	arena_init(&a);
	str object = arena_printf(&a, "key:" STR_FMT, STR_ARG(m->key->id));
	enum rc rc = access__key_insert(tx, m->key, e);
	if (rc == RC_OK)
		rc = event_audit(tx, m->who, "key.create", object, m->detail, e);
	arena_deinit(&a);
	return rc;
}

static enum rc check_request(const struct key_request *r, str scope, const struct principal *who, struct arena *a, struct err *e)
{
	bool has_role = r->role != ROLE_NONE;

	if (has_role == (scope.len > 0))
		return FAIL(e, RC_INVALID, "a key has either a scope, such as endpoint.invoke:taxi-fare, or a role");
	if (r->role == ROLE_SERVICE)
		return FAIL(e, RC_INVALID, "role: a service's key is made by giving its scope");
	if (has_role && who->role == ROLE_SERVICE)
		return FAIL(e, RC_FORBIDDEN, STR_FMT " may not give away a role", STR_ARG(who->name));
	return may_grant(who, scope, a, e);
}

enum rc access__key_make(struct access *x, const struct key_request *r, const struct principal *who, struct arena *a,
			 struct key_created *out, struct err *e)
{
	char hash[SHA256_HEX + 1];
	str scope;
	int64_t now = clock_ms();

	TRY(access__scope_read(r->scope, a, &scope, e));
	TRY(check_request(r, scope, who, a, e));
	str token = crypto_token(a, TOKEN_PREFIX);
	sha256_hex(token, hash);
	struct access_key k = {
		.id = id_new(a, "ky"), .name = r->name, .user_id = STR(""), .role = scope.len > 0 ? ROLE_SERVICE : r->role,
		.scope = scope, .created_ms = now, .expires_ms = r->expires_in_ms > 0 ? now + r->expires_in_ms : 0,
		.created_by = who->id, .holder = STR(""), .hash = str_n(hash, SHA256_HEX),
	};
	struct making m = { .key = &k, .who = who, .detail = record_to_json(&key_record, &k, 0, a) };
	TRY(db_write(x->core->db, insert_key, &m, e));
	TRY(access__reload(x, e));
	*out = (struct key_created){ .id = k.id, .name = k.name, .role = k.role, .scope = k.scope, .expires_ms = k.expires_ms,
				     .key = token };
	return RC_OK;
}

enum rc access_key_create(struct access *x, str name, str scope, const struct principal *who, struct arena *a, str *key_out,
			  struct err *e)
{
	struct key_request r = { .name = name, .scope = scope };
	struct key_created made;

	OBJ_CHECK(x, ACCESS_MAGIC);
	TRY(access__key_make(x, &r, who, a, &made, e));
	*key_out = made.key;
	return RC_OK;
}

/* --- revoking --------------------------------------------------------------------------------------------- */

struct revoking { str id; const struct principal *who; struct arena *a; struct access_key *out; };

static enum rc revoke_key(struct tx *tx, void *ctx, struct err *e)
{
	struct revoking *r = ctx;
	struct access_key k;

	TRY(access__key_get(tx, r->a, r->id, &k, e));
	if (k.holder.len > 0)
		return FAIL(e, RC_CONFLICT, "this is the token in admin.token: remove that file and start cairn again to replace it");
	if (k.revoked_ms == 0) {
		k.revoked_ms = clock_ms();
		TRY(access__key_update(tx, &k, e));
		TRY(event_audit(tx, r->who, "key.revoke", arena_printf(r->a, "key:" STR_FMT, STR_ARG(r->id)), STR_NONE, e));
	}
	*r->out = k;
	return RC_OK;
}

enum rc access__key_revoke(struct access *x, str id, const struct principal *who, struct arena *a, struct access_key *out,
			   struct err *e)
{
	struct revoking r = { .id = id, .who = who, .a = a, .out = out };

	TRY(db_write(x->core->db, revoke_key, &r, e));
	return access__reload(x, e);
}

/* --- the first administrator --------------------------------------------------------------------------------- */

struct owner_token { str hash, holder; struct arena *a; };

/* The file is what counts: its token is let in, and one that stood in this file before is not any more. */
static enum rc admit_owner(struct tx *tx, void *ctx, struct err *e)
{
	const struct owner_token *o = ctx;
	const struct access_user admin = { .id = STR(ADMIN_USER), .name = STR("admin"), .role = ROLE_ADMIN, .created_ms = clock_ms() };
	str id = arena_printf(o->a, "ky_admin_" STR_FMT, STR_ARG(str_head(o->hash, 16)));
	struct access_key known;
	bool found;

	TRY(access__key_find(tx, o->a, id, &known, &found, e));
	if (found)
		return RC_OK;
	struct access_key k = { .id = id, .name = STR("admin.token"), .user_id = admin.id, .role = ROLE_ADMIN, .scope = STR(""),
				.created_ms = admin.created_ms, .created_by = principal_system.id, .holder = o->holder, .hash = o->hash };
	TRY(access__user_put(tx, &admin, e));
	TRY(access__keys_of_holder_delete(tx, o->holder, e));
	TRY(access__key_insert(tx, &k, e));
	return event_audit(tx, &principal_system, "token.create", STR("user:admin"), STR_NONE, e);
}

static enum rc read_token(const char *path, struct arena *a, str *out, struct err *e)
{
	struct stat st;
	str text;

	TRY(fs_read(path, ADMIN_TOKEN_FILE_MAX, a, &text, e));
	*out = str_trim(text);
	if (!str_starts(*out, STR(TOKEN_PREFIX)) || out->len < TOKEN_TEXT_MIN || out->len > TOKEN_TEXT_MAX)
		return FAIL(e, RC_INVALID, "%s does not hold a token of cairn's; remove it and start again to get a new one", path);
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
		LOG(WARN, "access.token_was_readable", KV_STR("path", str_of(path)), KV_I64("mode", st.st_mode & 0777));
		if (chmod(path, 0600) != 0)
			return fs_error(e, errno, "cannot set the mode of", path);
	}
	return RC_OK;
}

enum rc access__admin_token(struct access *x, struct err *e)
{
	char hash[SHA256_HEX + 1], host[256] = "";
	struct arena a;
	str token;
	enum rc rc;

	arena_init(&a);
	const char *path = arena_printf(&a, "%s/admin.token", x->core->data_dir).at;
	if (fs_exists(path)) {
		rc = read_token(path, &a, &token, e);
	} else {
		token = crypto_token(&a, TOKEN_PREFIX);
		/* On disk before it is let in, and before anyone can ask. */
		rc = fs_write_atomic(path, arena_printf(&a, STR_FMT "\n", STR_ARG(token)), 0600, e);
		if (rc == RC_OK)
			LOG(INFO, "access.admin_token_made", KV_STR("path", str_of(path)));
	}
	if (rc == RC_OK) {
		sha256_hex(token, hash);
		(void)gethostname(host, sizeof(host) - 1);      /* only tells data directories of several machines apart */
		struct owner_token o = { .hash = str_n(hash, SHA256_HEX), .a = &a,
					 .holder = arena_printf(&a, "%s:%s", host, x->core->data_dir) };
		rc = db_write(x->core->db, admit_owner, &o, e);
	}
	arena_deinit(&a);
	return rc;
}
