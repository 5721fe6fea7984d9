/* store.c -- rows of users, keys, sessions and links.
 *
 * Every change that an authenticator must see bumps access_version in its own transaction: a snapshot says which version
 * it was read at, so an older one never replaces a newer one, and other processes over the database notice. */
#include "core/store.h"

#include "modules/access/access_int.h"

const struct migration access_migrations[] = {
	{ 1,
	  "CREATE TABLE access_version (id BIGINT PRIMARY KEY, n BIGINT NOT NULL);\n"
	  "INSERT INTO access_version (id, n) VALUES (1, 1);\n"
	  "CREATE TABLE access_users (id TEXT PRIMARY KEY, name TEXT NOT NULL, role BIGINT NOT NULL, created_at BIGINT NOT NULL);\n"
	  "CREATE TABLE access_keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, user_id TEXT NOT NULL, role BIGINT NOT NULL,"
	  " scope TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT, created_by TEXT NOT NULL,"
	  " holder TEXT NOT NULL, hash TEXT NOT NULL UNIQUE);\n"
	  "CREATE TABLE access_sessions (hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, created_at BIGINT NOT NULL,"
	  " expires_at BIGINT NOT NULL);\n"
	  "CREATE TABLE access_links (hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, created_at BIGINT NOT NULL,"
	  " expires_at BIGINT NOT NULL)" },
};

static enum rc bump(struct tx *tx, struct err *e)
{
	return db_exec(tx, "UPDATE access_version SET n = n + 1 WHERE id = 1", NO_VALS, NULL, e);
}

#define VERSION_SQL "SELECT n FROM access_version WHERE id = 1"

static enum rc version_of(const struct rows *r, int64_t *out, struct err *e)
{
	if (r->n != 1)
		return FAIL(e, RC_INTERNAL, "access_version has %zu rows", r->n);
	*out = rows_at(r, 0, 0)->i;
	return RC_OK;
}

enum rc access__version(struct db *db, struct arena *a, int64_t *out, struct err *e)
{
	struct rows r;

	TRY(db_query1(db, a, VERSION_SQL, NO_VALS, &r, e));
	return version_of(&r, out, e);
}

enum rc access__load(struct tx *tx, struct arena *a, struct access_rows *out, struct err *e)
{
	struct rows r;

	TRY(db_query(tx, a, VERSION_SQL, NO_VALS, &r, e));
	TRY(version_of(&r, &out->version, e));
	TRY(store_list(tx, a, &access_user_row, "", NO_VALS, &out->users, e));
	TRY(store_list(tx, a, &access_key_row, "WHERE revoked_at IS NULL", NO_VALS, &out->keys, e));
	return store_list(tx, a, &access_session_row, "", NO_VALS, &out->sessions, e);
}

/* --- keys ------------------------------------------------------------------------------------------- */

enum rc access__key_insert(struct tx *tx, const struct access_key *k, struct err *e)
{
	CHECK(k->hash.len == SHA256_HEX);
	TRY(store_insert(tx, &access_key_row, k, e));
	return bump(tx, e);
}

enum rc access__key_update(struct tx *tx, const struct access_key *k, struct err *e)
{
	TRY(store_update(tx, &access_key_row, k, e));
	return bump(tx, e);
}

enum rc access__key_get(struct tx *tx, struct arena *a, str id, struct access_key *out, struct err *e)
{
	return store_get(tx, a, &access_key_row, "WHERE id = ?", VALS(V_STR(id)), id, out, e);
}

enum rc access__key_find(struct tx *tx, struct arena *a, str id, struct access_key *out, bool *found, struct err *e)
{
	return store_find(tx, a, &access_key_row, "WHERE id = ?", VALS(V_STR(id)), out, found, e);
}

enum rc access__keys_of_holder_delete(struct tx *tx, str holder, struct err *e)
{
	TRY(db_exec(tx, "DELETE FROM access_keys WHERE holder = ?", VALS(V_STR(holder)), NULL, e));
	return bump(tx, e);
}

struct deletion { str id; };
static enum rc delete_key(struct tx *tx, void *ctx, struct err *e)
{
	const struct deletion *d = ctx;

	TRY(db_exec(tx, "DELETE FROM access_keys WHERE id = ?", VALS(V_STR(d->id)), NULL, e));
	return bump(tx, e);
}

enum rc access__key_delete(struct db *db, str id, struct err *e)
{
	struct deletion d = { .id = id };

	return db_write(db, delete_key, &d, e);
}

enum rc access__keys(struct db *db, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(db, a, &access_key_row, "WHERE holder = '' ORDER BY id DESC", NO_VALS, out, e);
}

/* --- users, links, sessions ----------------------------------------------------------------------------- */

enum rc access__user_put(struct tx *tx, const struct access_user *u, struct err *e)
{
	TRY(store_put(tx, &access_user_row, u, e));
	return bump(tx, e);
}

enum rc access__link_insert(struct tx *tx, const struct access_link *l, struct err *e)
{
	return store_insert(tx, &access_link_row, l, e);
}

enum rc access__link_take(struct tx *tx, struct arena *a, str hash, struct access_link *out, bool *found, struct err *e)
{
	int64_t n;

	TRY(store_find(tx, a, &access_link_row, "WHERE hash = ?", VALS(V_STR(hash)), out, found, e));
	TRY(db_exec(tx, "DELETE FROM access_links WHERE hash = ?", VALS(V_STR(hash)), &n, e));
	*found = *found && n == 1;
	return RC_OK;
}

enum rc access__session_insert(struct tx *tx, const struct access_session *s, struct err *e)
{
	TRY(store_insert(tx, &access_session_row, s, e));
	return bump(tx, e);
}

enum rc access__session_delete(struct tx *tx, str hash, struct err *e)
{
	TRY(db_exec(tx, "DELETE FROM access_sessions WHERE hash = ?", VALS(V_STR(hash)), NULL, e));
	return bump(tx, e);
}

/* No bump: an authenticator looks at the time itself. */
enum rc access__sweep(struct tx *tx, int64_t now_ms, struct err *e)
{
	TRY(db_exec(tx, "DELETE FROM access_sessions WHERE expires_at < ?", VALS(V_I64(now_ms)), NULL, e));
	return db_exec(tx, "DELETE FROM access_links WHERE expires_at < ?", VALS(V_I64(now_ms)), NULL, e);
}

/* --- what a check looks at --------------------------------------------------------------------------------- */

enum rc access__unhashed(struct db *db, struct arena *a, int64_t *n_out, int64_t *n_all_out, struct err *e)
{
	/* Both engines: nothing is left of a hex digest when its digits are taken away. */
	static const char sql[] =
		"SELECT COUNT(*), COALESCE(SUM(CASE WHEN length(hash) = 64 AND length(rtrim(hash, '0123456789abcdef')) = 0 THEN 0 ELSE 1 END), 0)"
		" FROM (SELECT hash FROM access_keys UNION ALL SELECT hash FROM access_sessions UNION ALL SELECT hash FROM access_links) AS h";
	struct rows r;

	TRY(db_query1(db, a, sql, NO_VALS, &r, e));
	*n_all_out = rows_at(&r, 0, 0)->i;
	*n_out = rows_at(&r, 0, 1)->i;
	return RC_OK;
}
