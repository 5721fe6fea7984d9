/* roadmap.h -- the mission's items and what has been proven of them.
 *
 * Items come with the program (roadmap/roadmap.tsv), and so does what no check shows of them yet (open_parts.tsv). An
 * item's state is worked out from the last outcome of every check that names it: failing when one failed; not_built when
 * none names it, one has never run, or parts of it are open; skipped when one found nothing to observe; proven when all
 * passed and nothing is open.
 */
#ifndef CAIRN_CORE_ROADMAP_H
#define CAIRN_CORE_ROADMAP_H

#include "base/record.h"
#include "core/core.h"

enum item_state { ITEM_PROVEN, ITEM_FAILING, ITEM_ATTESTED, ITEM_SKIPPED, ITEM_NOT_BUILT };
extern const char *const item_state_names[];

struct roadmap_item {
	str id, title, phase, group, capability, check;
	int32_t state;
	int64_t checked_ms;     /* the oldest of its checks' last runs; 0: never */
	struct list checks;     /* of str: ids of the checks that name it */
	struct list evidence;   /* of str */
	str open_parts;         /* what no check shows yet; empty: the checks show it all */
};
extern const struct record roadmap_item_record;

/* All items in their order, judged by the stored outcomes. */
enum rc roadmap_list(const struct core *c, struct arena *a, struct list *out, struct err *e) MUST_USE;

#endif
