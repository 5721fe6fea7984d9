/* store_artifacts.c -- the artifact tree as rows: a row per file and per folder, keyed by the folder it is in. */
#include "modules/tracking/store.h"

static void split(str path, str *dir, str *name)
{
	ptrdiff_t slash = -1;

	for (size_t i = 0; i < path.len; i++) {
		if (path.at[i] == '/')
			slash = (ptrdiff_t)i;
	}
	*dir = slash >= 0 ? str_head(path, (size_t)slash) : STR("");
	*name = str_skip(path, (size_t)(slash + 1));
}

/* Folders on the way are made; one that is a file already is refused. */
static enum rc put_folder(struct tx *tx, str path, int64_t now, struct err *e)
{
	str dir, name;
	int64_t changed = 0;

	if (path.len == 0)
		return RC_OK;
	split(path, &dir, &name);
	TRY(put_folder(tx, dir, now, e));
	TRY(db_exec(tx,
		    "INSERT INTO artifacts (dir, name, is_dir, blob, size, at) VALUES (?, ?, 1, '', 0, ?)"
		    " ON CONFLICT (dir, name) DO UPDATE SET is_dir = 1 WHERE artifacts.is_dir = 1",
		    VALS(V_STR(dir), V_STR(name), V_I64(now)), &changed, e));
	if (changed == 0)
		return FAIL(e, RC_INVALID, "Invalid path: '" STR_FMT "' is a file", STR_ARG(mlflow_truncate(path, 200)));
	return RC_OK;
}

enum rc store_artifact_put(struct tx *tx, str path, str blob, int64_t size, int64_t now, struct err *e)
{
	str dir, name;
	int64_t changed = 0;

	split(path, &dir, &name);
	TRY(put_folder(tx, dir, now, e));
	TRY(db_exec(tx,
		    "INSERT INTO artifacts (dir, name, is_dir, blob, size, at) VALUES (?, ?, 0, ?, ?, ?)"
		    " ON CONFLICT (dir, name) DO UPDATE SET blob = excluded.blob, size = excluded.size, at = excluded.at"
		    " WHERE artifacts.is_dir = 0",
		    VALS(V_STR(dir), V_STR(name), V_STR(blob), V_I64(size), V_I64(now)), &changed, e));
	if (changed == 0)
		return FAIL(e, RC_INVALID, "Invalid path: '" STR_FMT "' is a folder", STR_ARG(mlflow_truncate(path, 200)));
	return RC_OK;
}

static void scan_entry(const struct rows *rows, size_t i, struct artifact_entry *out)
{
	*out = (struct artifact_entry){ .name = rows_at(rows, i, 0)->s, .is_dir = rows_at(rows, i, 1)->i != 0,
					.blob = rows_at(rows, i, 2)->s, .size = rows_at(rows, i, 3)->i };
}

enum rc store_artifact_find(struct tx *tx, struct arena *a, str path, struct artifact_entry *out, bool *found, struct err *e)
{
	struct rows rows;
	str dir, name;

	split(path, &dir, &name);
	TRY(db_query(tx, a, "SELECT name, is_dir, blob, size FROM artifacts WHERE dir = ? AND name = ?", VALS(V_STR(dir), V_STR(name)),
		     &rows, e));
	*found = rows.n > 0;
	if (rows.n > 0)
		scan_entry(&rows, 0, out);
	return RC_OK;
}

enum rc store_artifact_list(struct tx *tx, struct arena *a, str dir, struct list *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT name, is_dir, blob, size FROM artifacts WHERE dir = ? ORDER BY name", VALS(V_STR(dir)), &rows, e));
	struct artifact_entry *entry = ARENA_ARRAY(a, struct artifact_entry, rows.n + 1);
	for (size_t i = 0; i < rows.n; i++)
		scan_entry(&rows, i, &entry[i]);
	*out = (struct list){ entry, rows.n };
	return RC_OK;
}

/* Breadth first, so that depth costs no stack. */
enum rc store_artifact_tree(struct tx *tx, struct arena *a, str dir, struct list *out, struct err *e)
{
	VEC(str) folders = { 0 };
	VEC(struct artifact) files = { 0 };

	*VEC_PUSH(a, &folders) = dir;
	for (size_t i = 0; i < folders.n; i++) {
		struct list entries;
		str here = folders.at[i];
		TRY(store_artifact_list(tx, a, here, &entries, e));
		for (size_t k = 0; k < entries.n; k++) {
			const struct artifact_entry *x = LIST_AT(entries, const struct artifact_entry, k);
			str path = artifact_join(a, here, x->name);
			if (x->is_dir)
				*VEC_PUSH(a, &folders) = path;
			else
				*VEC_PUSH(a, &files) = (struct artifact){ .path = path, .blob = x->blob, .size = (uint64_t)x->size };
		}
	}
	*out = LIST_OF(files);
	return RC_OK;
}

enum rc store_artifact_delete(struct tx *tx, struct arena *a, str path, struct err *e)
{
	VEC(str) folders = { 0 };
	struct artifact_entry entry;
	str dir, name;
	bool found;

	TRY(store_artifact_find(tx, a, path, &entry, &found, e));
	if (!found)
		return FAIL(e, RC_NOT_FOUND, "No such artifact: '" STR_FMT "'", STR_ARG(mlflow_truncate(path, 200)));
	*VEC_PUSH(a, &folders) = path;
	for (size_t i = 0; entry.is_dir && i < folders.n; i++) {
		struct list entries;
		str here = folders.at[i];
		TRY(store_artifact_list(tx, a, here, &entries, e));
		for (size_t k = 0; k < entries.n; k++) {
			const struct artifact_entry *x = LIST_AT(entries, const struct artifact_entry, k);
			if (x->is_dir)
				*VEC_PUSH(a, &folders) = artifact_join(a, here, x->name);
		}
		TRY(db_exec(tx, "DELETE FROM artifacts WHERE dir = ?", VALS(V_STR(here)), NULL, e));
	}
	split(path, &dir, &name);
	return db_exec(tx, "DELETE FROM artifacts WHERE dir = ? AND name = ?", VALS(V_STR(dir), V_STR(name)), NULL, e);
}
