/* checks.c -- what the registry promises, looked at in rows and files as they are. */
#include "io/blob.h"
#include "modules/registry/store.h"

#define BYTES_MAX (UINT64_C(4) << 30)   /* read again in one check */

struct looking { struct arena *a; enum look what; struct rows *rows; };

static enum rc look_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct looking *l = ctx;

	return registry__look(tx, l->a, l->what, l->rows, e);
}

static enum rc look(struct registry *r, struct live_check *k, enum look what, struct rows *out, struct err *e)
{
	return db_read(r->db, look_tx, &(struct looking){ live_check_arena(k), what, out }, e);
}

static enum rc versions_are_whole(void *module, struct live_check *k, struct err *e)
{
	struct registry *r = module;
	struct rows files;
	uint64_t bytes = 0;
	size_t n = 0, damaged = 0;

	TRY(look(r, k, LOOK_FILES, &files, e));
	if (files.n == 0) {
		live_check_skip(k, "no version with files of cairn's own store is registered");
		return RC_OK;
	}
	for (; n < files.n && bytes < BYTES_MAX; n++) {
		struct err why = ERR_INIT;
		bytes += (uint64_t)rows_at(&files, n, 4)->i;
		if (blob_verify(r->blobs, rows_at(&files, n, 3)->s, &why) == RC_OK)
			continue;
		damaged++;
		live_check_note(k, STR_FMT " version %lld, " STR_FMT ": %s", STR_ARG(rows_at(&files, n, 0)->s),
				(long long)rows_at(&files, n, 1)->i, STR_ARG(rows_at(&files, n, 2)->s), why.msg);
	}
	live_check_note(k, "%zu files of registered versions read again, %llu bytes", n, (unsigned long long)bytes);
	expect_equal(k, "files of registered versions that are missing or no longer have their digest", (double)damaged, 0);
	return RC_OK;
}

static enum rc aliases_point(void *module, struct live_check *k, struct err *e)
{
	struct rows count, adrift;

	TRY(look(module, k, LOOK_ALIAS_COUNT, &count, e));
	if (rows_at(&count, 0, 0)->i == 0) {
		live_check_skip(k, "there is no alias yet");
		return RC_OK;
	}
	TRY(look(module, k, LOOK_ALIASES_ADRIFT, &adrift, e));
	live_check_note(k, "%lld aliases", (long long)rows_at(&count, 0, 0)->i);
	for (size_t i = 0; i < adrift.n && i < 5; i++)
		live_check_note(k, STR_FMT "@" STR_FMT " points to version %lld", STR_ARG(rows_at(&adrift, i, 0)->s),
				STR_ARG(rows_at(&adrift, i, 1)->s), (long long)rows_at(&adrift, i, 2)->i);
	expect_equal(k, "aliases that point to no version", (double)adrift.n, 0);
	return RC_OK;
}

const struct check_def registry_checks[REGISTRY_CHECKS] = {
	{ "registry.versions_are_whole", "Every file of a registered version is there and has its digest", "P1.W3.D1.3", versions_are_whole },
	{ "registry.aliases_point", "Every alias points to a version that exists", "P1.W3.D1.3", aliases_point },
};
