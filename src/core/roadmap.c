/* roadmap.c -- the items of roadmap.tsv, judged by stored check outcomes and by what open_parts.tsv owns up to. */
#include "core/roadmap.h"

#include "core/live_check.h"
#include "core/module.h"

#define TSV_COLUMNS 6

extern const unsigned char roadmap_tsv[], open_parts_tsv[];
extern const size_t roadmap_tsv_len, open_parts_tsv_len;

const char *const item_state_names[] = { "proven", "failing", "attested", "skipped", "not_built", NULL };

static const struct field roadmap_item_fields[] = {
	FIELD(roadmap_item, id, K_STR, 0, "Id of the item"),
	FIELD(roadmap_item, title, K_STR, 0, "What was asked for"),
	FIELD(roadmap_item, phase, K_STR, F_HIDE, "The phase it belongs to"),
	FIELD(roadmap_item, group, K_STR, F_HIDE, "Week and day, or milestone"),
	FIELD(roadmap_item, capability, K_STR, F_HIDE, "What cairn offers for it"),
	FIELD(roadmap_item, check, K_STR, F_HIDE, "What shall prove it"),
	FIELD(roadmap_item, state, K_ENUM, 0, "What has been proven", .names = item_state_names),
	FIELD(roadmap_item, checked_ms, K_TIME, F_NULLABLE, "When its checks ran last", .name = "checked_at"),
	FIELD(roadmap_item, checks, K_STRS, F_HIDE, "The checks that name it"),
	FIELD(roadmap_item, evidence, K_STRS, F_HIDE, "What they saw"),
	FIELD(roadmap_item, open_parts, K_STR, F_HIDE | F_SKIP_EMPTY, "What no check shows of it yet"),
};
const struct record roadmap_item_record = RECORD(roadmap_item, roadmap_item_fields, "An item of the roadmap");

static bool names_item(const char *items, str id)
{
	str rest = str_of(items), part;

	while (str_cut(&rest, ' ', &part)) {
		if (str_eq(part, id))
			return true;
	}
	return false;
}

/* The worse of two states: failing before skipped before proven. */
static int32_t worse(int32_t a, int32_t b)
{
	static const int rank[] = { [ITEM_PROVEN] = 0, [ITEM_ATTESTED] = 1, [ITEM_SKIPPED] = 2, [ITEM_NOT_BUILT] = 3, [ITEM_FAILING] = 4 };

	return rank[a] >= rank[b] ? a : b;
}

static void judge(struct roadmap_item *item, const struct check_def *d, const struct list *outcomes, struct arena *a, bool *any)
{
	static const int32_t states[] = { [CHECK_PASSED] = ITEM_PROVEN, [CHECK_FAILED] = ITEM_FAILING, [CHECK_SKIPPED] = ITEM_SKIPPED };
	VEC(str) checks = { .at = item->checks.at, .n = item->checks.n, .cap = item->checks.n };
	VEC(str) evidence = { .at = item->evidence.at, .n = item->evidence.n, .cap = item->evidence.n };
	int32_t state = ITEM_NOT_BUILT;

	*VEC_PUSH(a, &checks) = str_of(d->id);
	for (size_t i = 0; i < outcomes->n; i++) {
		const struct check_outcome *o = LIST_AT(*outcomes, struct check_outcome, i);
		if (!str_eq(o->id, str_of(d->id)))
			continue;
		state = states[o->outcome];
		if (item->checked_ms == 0 || o->checked_ms < item->checked_ms)
			item->checked_ms = o->checked_ms;
		for (size_t k = 0; k < o->evidence.n; k++)
			*VEC_PUSH(a, &evidence) = *LIST_AT(o->evidence, str, k);
	}
	item->state = *any ? worse(item->state, state) : state;
	*any = true;
	item->checks = LIST_OF(checks);
	item->evidence = LIST_OF(evidence);
}

static bool next_item(str *rest, struct roadmap_item *out)
{
	str line, column[TSV_COLUMNS];

	while (str_cut(rest, '\n', &line)) {
		size_t n = 0;
		while (n < TSV_COLUMNS && str_cut(&line, '\t', &column[n]))
			n++;
		if (n < TSV_COLUMNS || str_eq(column[0], STR("id")))
			continue;
		*out = (struct roadmap_item){ .id = column[0], .phase = column[1], .group = column[2], .title = column[3],
					      .capability = column[4], .check = column[5], .state = ITEM_NOT_BUILT };
		return true;
	}
	return false;
}

static str open_parts(str id)
{
	str rest = str_n((const char *)open_parts_tsv, open_parts_tsv_len), line, key;

	while (str_cut(&rest, '\n', &line)) {
		if (str_cut(&line, '\t', &key) && str_eq(key, id))
			return line;
	}
	return STR("");
}

/* Checks that pass prove what they look at; an item with more to it is not built yet. */
static void settle(struct roadmap_item *item)
{
	item->open_parts = open_parts(item->id);
	if (item->open_parts.len > 0 && item->state != ITEM_FAILING)
		item->state = ITEM_NOT_BUILT;
}

enum rc roadmap_list(const struct core *c, struct arena *a, struct list *out, struct err *e)
{
	str rest = str_n((const char *)roadmap_tsv, roadmap_tsv_len);
	VEC(struct roadmap_item) items = { 0 };
	struct roadmap_item item;
	struct list outcomes;

	TRY(check_outcomes(c, a, &outcomes, e));
	while (next_item(&rest, &item)) {
		bool any = false;
		for (size_t m = 0; m < c->n_module; m++) {
			for (size_t i = 0; i < c->module[m]->n_check; i++) {
				if (names_item(c->module[m]->check[i].items, item.id))
					judge(&item, &c->module[m]->check[i], &outcomes, a, &any);
			}
		}
		settle(&item);
		*VEC_PUSH(a, &items) = item;
	}
	*out = LIST_OF(items);
	return RC_OK;
}
