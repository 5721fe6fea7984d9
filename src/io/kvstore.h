/* kvstore.h -- small values by key with reads in about a microsecond (LMDB), for online features.
 *
 * Readers never wait: kvstore_get_many copies out of a memory-mapped snapshot, from any thread, event loops too.
 * Writers are serialised; a batch is durable when kvstore_write returns (it blocks).
 */
#ifndef CAIRN_IO_KVSTORE_H
#define CAIRN_IO_KVSTORE_H

#include "base/arena.h"
#include "base/err.h"

struct kvstore;
#define KV_KEY_MAX 511
enum rc kvstore_open(const char *dir, uint64_t map_bytes, struct kvstore **out, struct err *e) MUST_USE;
void kvstore_close(struct kvstore **slot);

struct kv_item { str key, value; };     /* value.at == NULL deletes */
enum rc kvstore_write(struct kvstore *kv, const struct kv_item *item, size_t n, struct err *e) MUST_USE;
/* out[i].at is NULL where the key is absent; all n from one snapshot; values copied into the arena. */
enum rc kvstore_get_many(struct kvstore *kv, const str *key, size_t n, struct arena *a, str *out, struct err *e) MUST_USE;
/* Keys with the prefix in order, from one snapshot; fn returns false to stop. */
enum rc kvstore_scan(struct kvstore *kv, str prefix, bool (*fn)(void *ctx, str key, str value), void *ctx, struct err *e) MUST_USE;
enum rc kvstore_delete_prefix(struct kvstore *kv, str prefix, uint64_t *n_out, struct err *e) MUST_USE;

#endif
