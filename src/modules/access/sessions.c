/* sessions.c -- a browser's way in: a link that works once becomes a cookie that no script can read. */
#include "base/clock.h"
#include "base/log.h"
#include "core/event.h"
#include "modules/access/access_int.h"

struct linking { struct access_link link; const struct principal *who; };

static enum rc insert_link(struct tx *tx, void *ctx, struct err *e)
{
	const struct linking *l = ctx;

	TRY(access__link_insert(tx, &l->link, e));
	return event_audit(tx, l->who, "login_link.create", l->who->id, STR_NONE, e);
}

enum rc access__link_make(struct access *x, const struct principal *who, struct arena *a, struct login_link *out, struct err *e)
{
	char hash[SHA256_HEX + 1];
	int64_t now = clock_ms();

	if (!str_starts(who->id, STR("user:")))
		return FAIL(e, RC_FORBIDDEN, STR_FMT " is no person: a login link is made with a person's own token", STR_ARG(who->name));
	str code = crypto_token(a, "");
	sha256_hex(code, hash);
	struct linking l = { .who = who, .link = { .hash = str_n(hash, SHA256_HEX), .user_id = who->id, .created_ms = now,
						   .expires_ms = now + x->config->login_link_ttl_ms } };
	TRY(db_write(x->core->db, insert_link, &l, e));
	*out = (struct login_link){ .path = arena_printf(a, "/login/" STR_FMT, STR_ARG(code)), .expires_ms = l.link.expires_ms };
	return RC_OK;
}

struct login { str code_hash; struct access_session session; struct arena *a; bool admitted; };

static enum rc take_link(struct tx *tx, void *ctx, struct err *e)
{
	struct login *l = ctx;
	struct access_link link;
	bool found;

	TRY(access__link_take(tx, l->a, l->code_hash, &link, &found, e));
	l->admitted = found && link.expires_ms > l->session.created_ms;
	if (!l->admitted)
		return RC_OK;   /* an expired link is gone all the same */
	l->session.user_id = link.user_id;
	TRY(access__session_insert(tx, &l->session, e));
	const struct principal who = { .id = link.user_id, .name = link.user_id };
	return event_audit(tx, &who, "session.create", link.user_id, STR_NONE, e);
}

enum rc access__login(struct access *x, str code, struct arena *a, str *secret_out, struct err *e)
{
	char code_hash[SHA256_HEX + 1], hash[SHA256_HEX + 1];
	int64_t now = clock_ms();
	str secret = crypto_token(a, "");

	sha256_hex(code, code_hash);
	sha256_hex(secret, hash);
	struct login l = { .a = a, .code_hash = str_n(code_hash, SHA256_HEX),
			   .session = { .hash = str_n(hash, SHA256_HEX), .created_ms = now, .expires_ms = now + x->config->session_ttl_ms } };
	TRY(db_write(x->core->db, take_link, &l, e));
	if (!l.admitted) {
		series_add(x->refused[REFUSED_UNKNOWN], 1);
		return FAIL(e, RC_UNAUTHENTICATED, "this login link was used or has expired; make another with `cairn console`");
	}
	TRY(access__reload(x, e));
	*secret_out = secret;
	return RC_OK;
}

struct logout { str hash; const struct principal *who; };

static enum rc end_session(struct tx *tx, void *ctx, struct err *e)
{
	const struct logout *l = ctx;

	TRY(access__session_delete(tx, l->hash, e));
	return event_audit(tx, l->who, "session.end", l->who->id, STR_NONE, e);
}

enum rc access__logout(struct access *x, str secret, const struct principal *who, struct err *e)
{
	char hash[SHA256_HEX + 1];

	sha256_hex(secret, hash);
	struct logout l = { .hash = str_n(hash, SHA256_HEX), .who = who };
	TRY(db_write(x->core->db, end_session, &l, e));
	return access__reload(x, e);
}
