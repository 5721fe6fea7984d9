/* access_int.h -- what the rooms of the access module share. */
#ifndef CAIRN_MODULES_ACCESS_INT_H
#define CAIRN_MODULES_ACCESS_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/live_check.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/route.h"
#include "io/crypto.h"
#include "modules/access/access.h"

#define ADMIN_USER "user:admin"
#define TOKEN_PREFIX "cairn_"
#define TOKEN_TEXT_MAX 200
#define SESSION_COOKIE "cairn_session"

struct access_config { int64_t session_ttl_ms, login_link_ttl_ms; };

struct access_user { str id, name; int32_t role; int64_t created_ms; };

/* A token: a person's (user_id is set, the role is the user's) or a key with a role or a scope of its own. */
struct access_key {
	str id, name, user_id;
	int32_t role;
	str scope;
	int64_t created_ms, expires_ms, revoked_ms;     /* 0: never */
	str created_by;
	str holder;             /* the admin.token that it is the hash of: "host:data directory"; else empty */
	str hash;               /* SHA-256 of the token, hex; the token itself is nowhere */
};

/* A browser's login, and the link that makes one; both known by the hash of a secret. */
struct access_session { str hash, user_id; int64_t created_ms, expires_ms; };
struct access_link { str hash, user_id; int64_t created_ms, expires_ms; };

struct key_request { str name, scope; int32_t role; int64_t expires_in_ms; };
struct key_created { str id, name; int32_t role; str scope; int64_t expires_ms; str key; };
struct login_link { str path; int64_t expires_ms; };
struct whoami { str id, name; int32_t role; str scope, via; };
struct key_list { struct list keys; };
struct name_param { str id; };

extern const struct record access_config_record, access_user_row, access_key_row, access_session_row, access_link_row;
extern const struct record key_record, key_request_record, key_created_record, login_link_record, whoami_record, key_list_record,
	name_param_record;

enum refusal { REFUSED_NO_TOKEN, REFUSED_MALFORMED, REFUSED_UNKNOWN, REFUSED_EXPIRED, REFUSED_CROSS_SITE, REFUSALS };

struct snapshot;
struct access {
	unsigned magic;
	struct core *core;
	const struct access_config *config;
	struct authenticator authenticator;
	struct series *refused[REFUSALS];
	/* Read on event loops through snapshot.c only. */
	_Atomic(struct snapshot *) snapshot;
	_Atomic unsigned epoch;
	_Atomic unsigned reading[2];
	pthread_mutex_t publishing;     /* guards: replacing snapshot and the wait for its readers */
};
#define ACCESS_MAGIC 0xacce55edu

/* --- store.c: each bumps the version that snapshots carry ------------------------------------ */
struct access_rows { int64_t version; struct list users, keys, sessions; };
enum rc access__load(struct tx *tx, struct arena *a, struct access_rows *out, struct err *e) MUST_USE;
enum rc access__version(struct db *db, struct arena *a, int64_t *out, struct err *e) MUST_USE;
enum rc access__key_insert(struct tx *tx, const struct access_key *k, struct err *e) MUST_USE;
enum rc access__key_update(struct tx *tx, const struct access_key *k, struct err *e) MUST_USE;
enum rc access__key_get(struct tx *tx, struct arena *a, str id, struct access_key *out, struct err *e) MUST_USE;
enum rc access__keys_of_holder_delete(struct tx *tx, str holder, struct err *e) MUST_USE;
enum rc access__key_delete(struct db *db, str id, struct err *e) MUST_USE;
enum rc access__key_find(struct tx *tx, struct arena *a, str id, struct access_key *out, bool *found, struct err *e) MUST_USE;
enum rc access__keys(struct db *db, struct arena *a, struct list *out, struct err *e) MUST_USE;
enum rc access__user_put(struct tx *tx, const struct access_user *u, struct err *e) MUST_USE;
enum rc access__link_insert(struct tx *tx, const struct access_link *l, struct err *e) MUST_USE;
enum rc access__link_take(struct tx *tx, struct arena *a, str hash, struct access_link *out, bool *found, struct err *e) MUST_USE;
enum rc access__session_insert(struct tx *tx, const struct access_session *s, struct err *e) MUST_USE;
enum rc access__session_delete(struct tx *tx, str hash, struct err *e) MUST_USE;
enum rc access__sweep(struct tx *tx, int64_t now_ms, struct err *e) MUST_USE;
/* Stored secrets that are not 64 hex digits, over all tables. */
enum rc access__unhashed(struct db *db, struct arena *a, int64_t *n_out, int64_t *n_all_out, struct err *e) MUST_USE;
extern const struct migration access_migrations[1];

/* --- snapshot.c: who has which token, as the event loops see it ------------------------------ */
struct identity { struct principal who; int64_t expires_ms; bool session; };
/* Reads the tables and publishes what they say, unless something newer is published already. */
enum rc access__reload(struct access *x, struct err *e) MUST_USE;
/* False when unknown. Strings of *out are copied into the arena. Never blocks. */
bool access__identify(struct access *x, str hash, struct arena *a, struct identity *out);
int64_t access__snapshot_version(struct access *x);
void access__snapshot_free(struct access *x);

/* --- authenticate.c -------------------------------------------------------------------------- */
enum rc access__authenticate(void *self, struct http_request *q, struct principal *out, struct err *e) MUST_USE;
/* Bearer's token, or the password of Basic, whatever the user name; false when it is neither. */
bool access__token_of(str header, struct arena *a, str *out);
bool access__origin_is_host(str origin, str host);
/* The session cookie's value, or STR_NONE. */
str access__cookie_of(str header);
str access__session_cookie(const struct http_request *q);
bool access__has_authorization(const struct http_request *q);
bool access__same_origin(const struct http_request *q);

/* --- keys.c, sessions.c ---------------------------------------------------------------------- */
enum rc access__admin_token(struct access *x, struct err *e) MUST_USE;
enum rc access__key_make(struct access *x, const struct key_request *r, const struct principal *who, struct arena *a,
			 struct key_created *out, struct err *e) MUST_USE;
enum rc access__key_revoke(struct access *x, str id, const struct principal *who, struct arena *a, struct access_key *out,
			   struct err *e) MUST_USE;
/* "lake.read endpoint.invoke:taxi-fare": checked, single spaces. */
enum rc access__scope_read(str text, struct arena *a, str *out, struct err *e) MUST_USE;
enum rc access__link_make(struct access *x, const struct principal *who, struct arena *a, struct login_link *out, struct err *e)
	MUST_USE;
/* Trades a link's code, once, for a session's secret. */
enum rc access__login(struct access *x, str code, struct arena *a, str *secret_out, struct err *e) MUST_USE;
enum rc access__logout(struct access *x, str secret, const struct principal *who, struct err *e) MUST_USE;

extern const struct api access_api[2];
extern const struct check_def access_checks[4];

#endif
