/* checks.c -- what the registry promises, looked at in rows and files as they are. */
#include "io/blob.h"
#include "modules/registry/store.h"

#define BYTES_MAX (UINT64_C(4) << 30)   /* read again in one check */

struct looking { struct registry *r; struct arena *a; struct rows rows; const char *sql; };

static enum rc look_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct looking *l = ctx;

	return db_query(tx, l->a, l->sql, NO_VALS, &l->rows, e);
}

static enum rc versions_are_whole(void *module, struct live_check *k, struct err *e)
{
	struct looking l = {
		.r = module, .a = live_check_arena(k),
		.sql = "SELECT f.model, f.version, f.path, f.blob, f.size FROM model_version_files f JOIN model_versions v ON v.model = f.model AND"
		       " v.version = f.version WHERE v.stage <> '" STAGE_DELETED "' ORDER BY v.created DESC, f.model, f.version, f.path LIMIT 5000",
	};
	uint64_t bytes = 0;
	size_t n = 0, damaged = 0;

	TRY(db_read(l.r->db, look_tx, &l, e));
	if (l.rows.n == 0) {
		live_check_skip(k, "no version with files of cairn's own store is registered");
		return RC_OK;
	}
	for (; n < l.rows.n && bytes < BYTES_MAX; n++) {
		struct err why = ERR_INIT;
		bytes += (uint64_t)rows_at(&l.rows, n, 4)->i;
		if (blob_verify(l.r->blobs, rows_at(&l.rows, n, 3)->s, &why) == RC_OK)
			continue;
		damaged++;
		live_check_note(k, STR_FMT " version %lld, " STR_FMT ": %s", STR_ARG(rows_at(&l.rows, n, 0)->s),
				(long long)rows_at(&l.rows, n, 1)->i, STR_ARG(rows_at(&l.rows, n, 2)->s), why.msg);
	}
	live_check_note(k, "%zu files of registered versions read again, %llu bytes", n, (unsigned long long)bytes);
	expect_equal(k, "files of registered versions that are missing or no longer have their digest", (double)damaged, 0);
	return RC_OK;
}

static enum rc aliases_point(void *module, struct live_check *k, struct err *e)
{
	struct looking n = { .r = module, .a = live_check_arena(k), .sql = "SELECT COUNT(*) FROM model_aliases" };
	struct looking l = {
		.r = module, .a = n.a,
		.sql = "SELECT a.model, a.alias, a.version FROM model_aliases a WHERE NOT EXISTS (SELECT 1 FROM model_versions v WHERE"
		       " v.model = a.model AND v.version = a.version AND v.stage <> '" STAGE_DELETED "') LIMIT 100",
	};

	TRY(db_read(n.r->db, look_tx, &n, e));
	if (rows_at(&n.rows, 0, 0)->i == 0) {
		live_check_skip(k, "there is no alias yet");
		return RC_OK;
	}
	TRY(db_read(l.r->db, look_tx, &l, e));
	live_check_note(k, "%lld aliases", (long long)rows_at(&n.rows, 0, 0)->i);
	for (size_t i = 0; i < l.rows.n && i < 5; i++)
		live_check_note(k, STR_FMT "@" STR_FMT " points to version %lld", STR_ARG(rows_at(&l.rows, i, 0)->s),
				STR_ARG(rows_at(&l.rows, i, 1)->s), (long long)rows_at(&l.rows, i, 2)->i);
	expect_equal(k, "aliases that point to no version", (double)l.rows.n, 0);
	return RC_OK;
}

const struct check_def registry_checks[REGISTRY_CHECKS] = {
	{ "registry.versions_are_whole", "Every file of a registered version is there and has its digest", "P1.W3.D1.3", versions_are_whole },
	{ "registry.aliases_point", "Every alias points to a version that exists", "P1.W3.D1.3", aliases_point },
};
