/* map.c -- linear probing over stored hashes; removal leaves the entry dead until the next rebuild. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

void map_init(struct map *m, struct arena *arena_or_null)
{
	*m = (struct map){ .arena = arena_or_null };
}

static void *map_alloc(struct map *m, size_t n, size_t size)
{
	if (m->arena != NULL)
		return arena_alloc_n(m->arena, n, size);
	void *p = calloc(n, size);
	if (p == NULL)
		check_failed(__FILE__, __LINE__, "the machine is out of memory");
	return p;
}

static void map_release(struct map *m, void *p)
{
	if (m->arena == NULL)
		free(p);
}

static char *own(struct map *m, str key)
{
	char *p = m->arena != NULL ? arena_alloc_raw(m->arena, key.len + 1) : map_alloc(m, key.len + 1, 1);

	if (key.len > 0)
		memcpy(p, key.at, key.len);
	p[key.len] = '\0';
	return p;
}

/* The key of a heap map's entry is its own allocation. */
static void free_key(struct map *m, str key)
{
	union { const char *c; void *v; } at = { .c = key.at };

	map_release(m, at.v);
}

void map_deinit(struct map *m)
{
	if (m->arena == NULL) {
		for (size_t i = 0; i < m->n; i++)
			free_key(m, m->entry[i].key);
		free(m->entry);
		free(m->slot);
	}
	map_init(m, m->arena);
}

static uint32_t *slot_of(const struct map *m, str key, uint64_t hash)
{
	size_t mask = m->cap_slot - 1;

	for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
		if (m->slot[i] == 0)
			return &m->slot[i];
		const struct map_entry *e = &m->entry[m->slot[i] - 1];
		if (e->hash == hash && str_eq(e->key, key))
			return &m->slot[i];
	}
}

void *map_find(const struct map *m, str key)
{
	if (m->cap_slot == 0)
		return NULL;
	uint32_t at = *slot_of(m, key, str_hash(key));
	return at != 0 ? m->entry[at - 1].value : NULL;
}

/* Drops dead entries and makes room for twice the live ones. */
static void rebuild(struct map *m)
{
	size_t cap = 16;

	while (cap < (m->n_live + 1) * 2)
		cap *= 2;
	struct map_entry *entry = map_alloc(m, cap, sizeof(*entry));
	uint32_t *slot = map_alloc(m, cap * 2, sizeof(*slot));
	size_t n = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (m->entry[i].value != NULL)
			entry[n++] = m->entry[i];
		else
			free_key(m, m->entry[i].key);
	}
	map_release(m, m->entry);
	map_release(m, m->slot);
	m->entry = entry;
	m->slot = slot;
	m->n = n;
	m->cap_entry = cap;
	m->cap_slot = cap * 2;
	for (size_t i = 0; i < n; i++)
		*slot_of(m, entry[i].key, entry[i].hash) = (uint32_t)i + 1;
}

void *map_put(struct map *m, str key, void *value)
{
	CHECK(value != NULL);
	if (m->n == m->cap_entry)
		rebuild(m);
	uint64_t hash = str_hash(key);
	uint32_t *slot = slot_of(m, key, hash);
	if (*slot != 0) {
		struct map_entry *e = &m->entry[*slot - 1];
		void *old = e->value;
		e->value = value;
		m->n_live += old == NULL;
		return old;
	}
	m->entry[m->n] = (struct map_entry){ .key = { own(m, key), key.len }, .value = value, .hash = hash };
	*slot = (uint32_t)++m->n;
	m->n_live++;
	return NULL;
}

void *map_remove(struct map *m, str key)
{
	if (m->cap_slot == 0)
		return NULL;
	uint32_t at = *slot_of(m, key, str_hash(key));
	if (at == 0 || m->entry[at - 1].value == NULL)
		return NULL;
	void *old = m->entry[at - 1].value;
	m->entry[at - 1].value = NULL;
	m->n_live--;
	return old;
}
