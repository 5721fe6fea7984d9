/* read.h -- an online read over HTTP, whichever protocol asks: its entities, the views it touches, values as JSON.
 *
 * Made for one request, in its arena. Nothing here blocks: the routes run on event loops.
 */
#ifndef CAIRN_FEATURES_READ_H
#define CAIRN_FEATURES_READ_H

#include "base/json.h"
#include "base/vec.h"
#include "modules/features/features_int.h"

struct key_value { str text; bool number; };    /* a number's text is JSON as well */
struct key_column { str name; VEC(struct key_value) value; };
struct entities { VEC(struct key_column) column; size_t n_row; };

struct read_view {
	str name;
	struct online_shape shape;
	VEC(str) feature;
	VEC(enum value_kind) kind;
	const struct key_column *key[KEYS_MAX];
	struct online_row *row;
	str materialisation;
};
struct read {
	struct features *f;
	struct arena *a;
	struct entities entities;
	VEC(struct read_view) view;
	size_t n_feature;
};

/* Entities are objects with free keys, so they are taken from the tokens.
 * {"zone": ["a", "b"], …}: columns, all of one length. */
enum rc read__columns(str json, struct arena *a, struct entities *out, struct err *e) MUST_USE;
/* [{"zone": "a"}, …]: rows, all with the same keys. */
enum rc read__rows(str json, struct arena *a, struct entities *out, struct err *e) MUST_USE;
/* Reads the features for r->entities. refs: "view:feature"; ttl: values that are too old are told apart. */
enum rc read__all(struct read *r, struct list refs, bool ttl, struct err *e) MUST_USE;

extern const char *const read__status_names[];  /* by enum feature_status, as Feast names them */
/* JSON has no infinities; they are as good as missing. */
enum feature_status read__status(const struct online_value *v, enum value_kind kind);
void read__value(struct jw *w, const struct online_value *v, enum value_kind kind);

#endif
