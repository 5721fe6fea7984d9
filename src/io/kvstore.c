/* kvstore.c -- LMDB. Read transactions are kept per thread and renewed, which costs well under a microsecond. */
#include "io/kvstore.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "io/fs.h"

struct kvstore {
	MDB_env *env;
	MDB_dbi dbi;
	pthread_key_t reader;           /* a reset MDB_txn per thread that has read */
	pthread_mutex_t writing;
	pthread_rwlock_t resizing;      /* read: any transaction; write: the map grows */
};

static enum rc lmdb_error(struct err *e, int code, const char *doing)
{
	return FAIL(e, code == ENOSPC ? RC_NO_SPACE : RC_IO, "online store: %s: %s", doing, mdb_strerror(code));
}

static void reader_end(void *txn)
{
	mdb_txn_abort(txn);
}

enum rc kvstore_open(const char *dir, uint64_t map_bytes, struct kvstore **out, struct err *e)
{
	pthread_rwlockattr_t attr;
	MDB_txn *txn = NULL;

	TRY(fs_mkdirs(dir, 0700, e));
	struct kvstore *kv = calloc(1, sizeof(*kv));
	CHECK(kv != NULL);
	int code = mdb_env_create(&kv->env);
	if (code == 0)
		code = mdb_env_set_mapsize(kv->env, map_bytes);
	if (code == 0)
		code = mdb_env_set_maxreaders(kv->env, 512);
	if (code == 0)
		code = mdb_env_open(kv->env, dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (code == 0)
		code = mdb_txn_begin(kv->env, NULL, 0, &txn);
	if (code == 0)
		code = mdb_dbi_open(txn, NULL, 0, &kv->dbi);
	if (code == 0)
		code = mdb_txn_commit(txn);
	if (code != 0) {
		mdb_env_close(kv->env);
		free(kv);
		return lmdb_error(e, code, dir);
	}
	CHECK(pthread_key_create(&kv->reader, reader_end) == 0);
	pthread_mutex_init(&kv->writing, NULL);
	/* Readers come without a pause: whoever wants to grow the map must not wait for one. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&kv->resizing, &attr);
	pthread_rwlockattr_destroy(&attr);
	*out = kv;
	return RC_OK;
}

void kvstore_close(struct kvstore **slot)
{
	struct kvstore *kv = *slot;

	*slot = NULL;
	if (kv == NULL)
		return;
	MDB_txn *mine = pthread_getspecific(kv->reader);
	if (mine != NULL)
		mdb_txn_abort(mine);
	pthread_key_delete(kv->reader);   /* readers of other threads have ended with them */
	mdb_env_close(kv->env);
	pthread_mutex_destroy(&kv->writing);
	pthread_rwlock_destroy(&kv->resizing);
	free(kv);
}

static MDB_val val_of(str s)
{
	/* LMDB's values are not const, but keys and written values are only read. */
	union { const char *in; void *out; } at = { .in = s.at };

	return (MDB_val){ .mv_size = s.len, .mv_data = at.out };
}

static int write_batch(struct kvstore *kv, const struct kv_item *item, size_t n)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(kv->env, NULL, 0, &txn);

	for (size_t i = 0; code == 0 && i < n; i++) {
		MDB_val key = val_of(item[i].key), value = val_of(item[i].value);
		if (item[i].value.at != NULL) {
			code = mdb_put(txn, kv->dbi, &key, &value, 0);
		} else {
			code = mdb_del(txn, kv->dbi, &key, NULL);
			code = code == MDB_NOTFOUND ? 0 : code;
		}
		if (code != 0)
			mdb_txn_abort(txn);
	}
	return code != 0 ? code : mdb_txn_commit(txn);
}

static int grow(struct kvstore *kv)
{
	MDB_envinfo info;

	pthread_rwlock_wrlock(&kv->resizing);
	mdb_env_info(kv->env, &info);
	int code = mdb_env_set_mapsize(kv->env, info.me_mapsize * 2);
	pthread_rwlock_unlock(&kv->resizing);
	return code;
}

enum rc kvstore_write(struct kvstore *kv, const struct kv_item *item, size_t n, struct err *e)
{
	int code;

	for (size_t i = 0; i < n; i++) {
		if (item[i].key.len == 0 || item[i].key.len > KV_KEY_MAX)
			return FAIL(e, RC_INVALID, "online store: a key must have 1 to %d bytes", KV_KEY_MAX);
	}
	pthread_mutex_lock(&kv->writing);
	do {
		pthread_rwlock_rdlock(&kv->resizing);
		code = write_batch(kv, item, n);
		pthread_rwlock_unlock(&kv->resizing);
	} while (code == MDB_MAP_FULL && grow(kv) == 0);
	pthread_mutex_unlock(&kv->writing);
	return code == 0 ? RC_OK : lmdb_error(e, code, "write");
}

static int read_begin(struct kvstore *kv, MDB_txn **out)
{
	MDB_txn *txn = pthread_getspecific(kv->reader);

	pthread_rwlock_rdlock(&kv->resizing);
	int code = txn != NULL ? mdb_txn_renew(txn) : mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
	if (code != 0) {
		pthread_rwlock_unlock(&kv->resizing);
		return code;
	}
	pthread_setspecific(kv->reader, txn);
	*out = txn;
	return 0;
}

static void read_end(struct kvstore *kv, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_rwlock_unlock(&kv->resizing);
}

enum rc kvstore_get_many(struct kvstore *kv, const str *key, size_t n, struct arena *a, str *out, struct err *e)
{
	MDB_txn *txn;
	int code = read_begin(kv, &txn);

	if (code != 0)
		return lmdb_error(e, code, "read");
	for (size_t i = 0; code == 0 && i < n; i++) {
		MDB_val k = val_of(key[i]), v;
		out[i] = STR_NONE;
		if (key[i].len == 0 || key[i].len > KV_KEY_MAX)
			continue;       /* cannot be there */
		code = mdb_get(txn, kv->dbi, &k, &v);
		if (code == 0)
			out[i] = arena_dup(a, str_n(v.mv_data, v.mv_size));
		code = code == MDB_NOTFOUND ? 0 : code;
	}
	read_end(kv, txn);
	return code == 0 ? RC_OK : lmdb_error(e, code, "read");
}

enum rc kvstore_scan(struct kvstore *kv, str prefix, bool (*fn)(void *ctx, str key, str value), void *ctx, struct err *e)
{
	MDB_cursor *cursor;
	MDB_txn *txn;
	MDB_val k = val_of(prefix), v;
	int code = read_begin(kv, &txn);

	if (code != 0)
		return lmdb_error(e, code, "scan");
	code = mdb_cursor_open(txn, kv->dbi, &cursor);
	if (code == 0) {
		code = mdb_cursor_get(cursor, &k, &v, prefix.len > 0 ? MDB_SET_RANGE : MDB_FIRST);
		while (code == 0) {
			str key = str_n(k.mv_data, k.mv_size);
			if (!str_starts(key, prefix) || !fn(ctx, key, str_n(v.mv_data, v.mv_size)))
				break;
			code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
		}
		mdb_cursor_close(cursor);
	}
	read_end(kv, txn);
	return code == 0 || code == MDB_NOTFOUND ? RC_OK : lmdb_error(e, code, "scan");
}

struct collect {
	struct arena *a;
	VEC(struct kv_item) items;
};

static bool collect_key(void *ctx, str key, str value)
{
	struct collect *c = ctx;

	(void)value;
	*VEC_PUSH(c->a, &c->items) = (struct kv_item){ .key = arena_dup(c->a, key) };
	return true;
}

enum rc kvstore_delete_prefix(struct kvstore *kv, str prefix, uint64_t *n_out, struct err *e)
{
	struct arena a;
	struct collect c = { .a = &a };

	arena_init(&a);
	enum rc rc = kvstore_scan(kv, prefix, collect_key, &c, e);
	if (rc == RC_OK && c.items.n > 0)
		rc = kvstore_write(kv, c.items.at, c.items.n, e);
	if (rc == RC_OK && n_out != NULL)
		*n_out = c.items.n;
	arena_deinit(&a);
	return rc;
}
