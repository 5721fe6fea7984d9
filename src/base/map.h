/* map.h -- a hash map from string keys to pointers.
 *
 * Keys are copied; values are borrowed. Insertion order is kept for iteration. With an arena the map
 * lives and dies with it; with NULL it is on the heap and map_deinit frees it. One thread at a time
 * (or under its owner's lock).
 */
#ifndef CAIRN_BASE_MAP_H
#define CAIRN_BASE_MAP_H

#include "base/arena.h"

struct map_entry {
	str key;
	void *value;            /* NULL marks a removed entry */
	uint64_t hash;
};
struct map {
	struct arena *arena;    /* NULL: heap */
	struct map_entry *entry;
	uint32_t *slot;         /* open addressing; index + 1 into entry */
	size_t n, n_live, cap_entry, cap_slot;
};

void map_init(struct map *m, struct arena *arena_or_null);
void map_deinit(struct map *m);
void *map_find(const struct map *m, str key);                 /* NULL when absent */
void *map_put(struct map *m, str key, void *value);           /* returns the former value or NULL */
void *map_remove(struct map *m, str key);                     /* returns the value or NULL */
/* for (size_t i = 0; i < m.n; i++) if (m.entry[i].value != NULL) … visits live entries in order. */

#endif
