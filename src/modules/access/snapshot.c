/* snapshot.c -- who has which token, as an immutable map that event loops read without a lock.
 *
 * A reader announces itself in one of two counters, reads the current snapshot, copies what it found and leaves: some
 * hundred nanoseconds. A writer publishes the next snapshot, then waits until each counter was seen at zero once after
 * that; a reader that still holds the old snapshot entered before the exchange, so it stands in one of them. New readers
 * enter the other counter meanwhile, so the wait ends. All atomics are sequentially consistent, which the argument needs:
 * a reader's entry is ordered before its load of the pointer, the writer's exchange before its look at the counters. */
#include <sched.h>
#include <stdlib.h>

#include "base/map.h"
#include "modules/access/access_int.h"

struct snapshot {
	struct arena arena;
	struct map by_hash;     /* of struct identity */
	int64_t version;
};

/* --- building ------------------------------------------------------------------------------------------ */

static const struct access_user *user_find(const struct access_rows *rows, str id)
{
	for (size_t i = 0; i < rows->users.n; i++) {
		const struct access_user *u = LIST_AT(rows->users, struct access_user, i);
		if (str_eq(u->id, id))
			return u;
	}
	return NULL;
}

static void add(struct snapshot *s, str hash, struct identity who)
{
	struct identity *kept = ARENA_NEW(&s->arena, struct identity);

	*kept = who;
	map_put(&s->by_hash, hash, kept);
}

static struct principal principal_of_user(const struct access_user *u)
{
	return (struct principal){ .id = u->id, .name = u->name, .role = (enum role)u->role };
}

static void add_key(struct snapshot *s, const struct access_rows *rows, const struct access_key *k)
{
	const struct access_user *u = k->user_id.len > 0 ? user_find(rows, k->user_id) : NULL;

	if (u != NULL)
		add(s, k->hash, (struct identity){ .who = principal_of_user(u), .expires_ms = k->expires_ms });
	else if (k->user_id.len == 0)
		add(s, k->hash, (struct identity){
			.who = { .id = arena_printf(&s->arena, "key:" STR_FMT, STR_ARG(k->id)), .name = k->name,
				 .role = (enum role)k->role, .scope = k->scope },
			.expires_ms = k->expires_ms,
		});
}

static enum rc load(struct tx *tx, void *ctx, struct err *e)
{
	struct snapshot *s = ctx;
	struct access_rows rows = { 0 };

	TRY(access__load(tx, &s->arena, &rows, e));
	s->version = rows.version;
	for (size_t i = 0; i < rows.keys.n; i++)
		add_key(s, &rows, LIST_AT(rows.keys, struct access_key, i));
	for (size_t i = 0; i < rows.sessions.n; i++) {
		const struct access_session *session = LIST_AT(rows.sessions, struct access_session, i);
		const struct access_user *u = user_find(&rows, session->user_id);
		if (u != NULL)
			add(s, session->hash,
			    (struct identity){ .who = principal_of_user(u), .expires_ms = session->expires_ms, .session = true });
	}
	return RC_OK;
}

static struct snapshot *snapshot_new(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	arena_init(&s->arena);
	map_init(&s->by_hash, &s->arena);
	return s;
}

static void snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	map_deinit(&s->by_hash);
	arena_deinit(&s->arena);
	free(s);
}

/* --- publishing ---------------------------------------------------------------------------------------- */

static void wait_for_readers(struct access *x)
{
	for (int i = 0; i < 2; i++) {
		unsigned old = atomic_load(&x->epoch);
		atomic_store(&x->epoch, old ^ 1u);
		while (atomic_load(&x->reading[old]) != 0)
			(void)sched_yield();    /* cannot fail on Linux */
	}
}

/* Takes s. */
static void publish(struct access *x, struct snapshot *s)
{
	pthread_mutex_lock(&x->publishing);
	struct snapshot *old = atomic_load(&x->snapshot);
	if (old != NULL && old->version >= s->version) {
		old = s;
	} else {
		atomic_store(&x->snapshot, s);
		wait_for_readers(x);
	}
	pthread_mutex_unlock(&x->publishing);
	snapshot_free(old);
}

enum rc access__reload(struct access *x, struct err *e)
{
	struct snapshot *s = snapshot_new();

	OBJ_CHECK(x, ACCESS_MAGIC);
	if (db_read(x->core->db, load, s, e) != RC_OK) {
		snapshot_free(s);
		return e->rc;
	}
	publish(x, s);
	return RC_OK;
}

void access__snapshot_free(struct access *x)
{
	snapshot_free(atomic_exchange(&x->snapshot, NULL));
}

/* --- reading -------------------------------------------------------------------------------------------- */

static unsigned enter(struct access *x)
{
	unsigned at = atomic_load(&x->epoch);

	atomic_fetch_add(&x->reading[at], 1);
	return at;
}

bool access__identify(struct access *x, str hash, struct arena *a, struct identity *out)
{
	unsigned at = enter(x);
	const struct snapshot *s = atomic_load(&x->snapshot);
	const struct identity *found = map_find(&s->by_hash, hash);

	if (found != NULL) {
		*out = *found;
		out->who.id = arena_dup(a, found->who.id);
		out->who.name = arena_dup(a, found->who.name);
		out->who.scope = arena_dup(a, found->who.scope);
	}
	atomic_fetch_sub(&x->reading[at], 1);
	return found != NULL;
}

int64_t access__snapshot_version(struct access *x)
{
	unsigned at = enter(x);
	int64_t version = atomic_load(&x->snapshot)->version;

	atomic_fetch_sub(&x->reading[at], 1);
	return version;
}
