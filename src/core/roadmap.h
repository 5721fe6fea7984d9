/* roadmap.h -- the mission's items and what has been proven of them.
 *
 * Items come with the program (roadmap/roadmap.tsv); their state is worked out from the last outcome of every check
 * that names them: proven when all passed, failing when one failed, skipped when one found nothing to observe, and
 * not_built when no check names the item or none has run.
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
};
extern const struct record roadmap_item_record;

struct check_outcome;
/* All items in their order, judged by the stored outcomes. */
enum rc roadmap_list(const struct core *c, struct arena *a, struct list *out, struct err *e) MUST_USE;

#endif
