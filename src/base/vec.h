/* vec.h -- growing arrays in an arena, for building lists of unknown length.
 *
 * A list that is done is {at, n}. `cap` is private to the macro. Growth copies inside the arena; the
 * old copy is waste until the arena dies, at most as much as the final array.
 *
 *	VEC(struct column) cols = { 0 };
 *	*VEC_PUSH(a, &cols) = (struct column){ .name = name };
 */
#ifndef CAIRN_BASE_VEC_H
#define CAIRN_BASE_VEC_H

#include "base/arena.h"

#define VEC(type) struct { type *at; size_t n, cap; }

void *vec_grow_(struct arena *a, void *at, size_t n, size_t *cap, size_t size);

/* A pointer to a new, zeroed last element. */
#define VEC_PUSH(a, v)                                                                             \
	((v)->at = vec_grow_((a), (v)->at, (v)->n, &(v)->cap, sizeof(*(v)->at)),                   \
	 &(v)->at[(v)->n++])

/* How a record holds a repeated field: the type of *at is the field's element. */
struct list {
	void *at;
	size_t n;
};
#define LIST_OF(v) ((struct list){ (v).at, (v).n })
#define LIST_AT(list, type, i) (&((type *)(list).at)[i])

#endif
