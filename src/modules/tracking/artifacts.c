/* artifacts.c -- artifacts: rows that name blobs. A file is in the store, synced, before its row is. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/blob.h"
#include "io/http_server.h"
#include "modules/tracking/store.h"

#define SCHEME "mlflow-artifacts:"

str artifact_join(struct arena *a, str dir, str name)
{
	if (dir.len == 0)
		return name;
	if (name.len == 0)
		return dir;
	return arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(dir), str_ends(dir, STR("/")) ? "" : "/", STR_ARG(name));
}

enum rc artifact_root_path(struct arena *a, str uri, str *out, struct err *e)
{
	str path = uri;

	if (!str_starts(uri, STR(SCHEME)))
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is not kept by this server: its clients read and write it themselves",
			    STR_ARG(mlflow_truncate(uri, 200)));
	path = str_skip(path, strlen(SCHEME));
	if (str_starts(path, STR("//"))) {
		ptrdiff_t slash = str_find_char(str_skip(path, 2), '/');
		path = slash < 0 ? STR("") : str_skip(path, (size_t)slash + 2);
	}
	while (path.len > 0 && path.at[0] == '/')
		path = str_skip(path, 1);
	if (path.len == 0) {
		*out = STR("");
		return RC_OK;
	}
	return mlflow_artifact_path(a, path, out, e);
}

/* --- one transaction each ---------------------------------------------------------------------------- */

struct find {
	struct tracking *t;
	struct arena *a;
	str path, run_id, model_id;
	struct artifact_entry entry;
	struct run_info run;
	struct logged_model model;
	struct list *list;
	str blob;
	int64_t size;
};

static enum rc find_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct find *l = ctx;
	bool found;

	TRY(store_artifact_find(tx, l->a, l->path, &l->entry, &found, e));
	if (!found || l->entry.is_dir)
		return FAIL(e, RC_NOT_FOUND, "No such artifact: '" STR_FMT "'%s", STR_ARG(mlflow_truncate(l->path, 300)),
			    found ? " is a folder" : "");
	return RC_OK;
}

enum rc artifact_get(struct tracking *t, struct arena *a, str root_uri, str path, struct artifact *out, struct err *e)
{
	struct find l = { .t = t, .a = a };
	str root, below;

	TRY(artifact_root_path(a, root_uri, &root, e));
	TRY(mlflow_artifact_path(a, path, &below, e));
	l.path = artifact_join(a, root, below);
	TRY(db_read(t->db, find_tx, &l, e));
	*out = (struct artifact){ .path = l.path, .blob = l.entry.blob, .size = (uint64_t)l.entry.size };
	return RC_OK;
}

static enum rc list_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct find *l = ctx;

	return store_artifact_list(tx, l->a, l->path, l->list, e);
}

enum rc artifact_list(struct tracking *t, struct arena *a, str root_uri, str path, struct list *out, struct err *e)
{
	struct list entries;
	struct find l = { .t = t, .a = a, .list = &entries };
	str root, below = STR("");

	TRY(artifact_root_path(a, root_uri, &root, e));
	if (path.len > 0)
		TRY(mlflow_artifact_path(a, path, &below, e));
	l.path = artifact_join(a, root, below);
	TRY(db_read(t->db, list_tx, &l, e));
	struct file_info *files = ARENA_ARRAY(a, struct file_info, entries.n + 1);
	for (size_t i = 0; i < entries.n; i++) {
		const struct artifact_entry *x = LIST_AT(entries, const struct artifact_entry, i);
		files[i] = (struct file_info){ .path = artifact_join(a, below, x->name), .is_dir = x->is_dir, .file_size = x->size };
	}
	*out = (struct list){ files, entries.n };
	return RC_OK;
}

static enum rc tree_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct find *l = ctx;

	return store_artifact_tree(tx, l->a, l->path, l->list, e);
}

static enum rc tree(struct tracking *t, struct arena *a, str root, str below, struct list *out, struct err *e)
{
	struct find l = { .t = t, .a = a, .path = artifact_join(a, root, below), .list = out };

	TRY(db_read(t->db, tree_tx, &l, e));
	size_t skip = root.len > 0 ? root.len + 1 : 0;
	for (size_t i = 0; i < out->n; i++) {
		struct artifact *f = LIST_AT(*out, struct artifact, i);
		f->path = str_skip(f->path, skip);
	}
	return RC_OK;
}

static enum rc put_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct find *l = ctx;

	return store_artifact_put(tx, l->path, l->blob, l->size, clock_ms(), e);
}

enum rc artifact_put(struct tracking *t, str path, str blob, uint64_t size, struct err *e)
{
	struct find l = { .t = t, .path = path, .blob = blob, .size = (int64_t)size };

	TRY(db_write(t->db, put_tx, &l, e));
	series_add(t->artifact_bytes, (double)size);
	return RC_OK;
}

static enum rc delete_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct find *l = ctx;

	return store_artifact_delete(tx, l->a, l->path, e);
}

enum rc artifact_delete(struct tracking *t, struct arena *a, str path, struct err *e)
{
	struct find l = { .t = t, .a = a, .path = path };

	return db_write(t->db, delete_tx, &l, e);
}

/* --- by run, by URI ------------------------------------------------------------------------------------- */

static enum rc where_tx(struct tx *tx, void *ctx, struct err *e)
{
	struct find *l = ctx;

	if (l->model_id.len > 0)
		return store_logged_get(tx, l->a, l->model_id, false, &l->model, e);
	return store_run_info(tx, l->a, l->run_id, &l->run, e);
}

enum rc tracking_uri_resolve(struct tracking *t, struct arena *a, str uri, str *out, str *run_id_out, struct err *e)
{
	struct find l = { .t = t, .a = a };
	bool run = str_starts(uri, STR("runs:/")), model = str_starts(uri, STR("models:/m-"));
	str rest = str_skip(uri, run ? strlen("runs:/") : strlen("models:/")), id;

	if (!run && !model) {
		*out = uri;
		return RC_OK;
	}
	while (run && rest.len > 0 && rest.at[0] == '/')
		rest = str_skip(rest, 1);
	(void)str_cut(&rest, '/', &id);
	*(run ? &l.run_id : &l.model_id) = id;
	TRY(db_read(t->db, where_tx, &l, e));
	*out = artifact_join(a, run ? l.run.artifact_uri : l.model.info.artifact_uri, rest);
	str made_by = run ? id : l.model.info.source_run_id;
	if (run_id_out != NULL && made_by.len > 0)
		*run_id_out = made_by;
	return RC_OK;
}

enum rc tracking_artifacts_of_uri(struct tracking *t, struct arena *a, str uri, struct list *out, struct err *e)
{
	str where, root;

	OBJ_CHECK(t, TRACKING_MAGIC);
	TRY(tracking_uri_resolve(t, a, uri, &where, NULL, e));
	TRY(artifact_root_path(a, where, &root, e));
	return tree(t, a, root, STR(""), out, e);
}

enum rc tracking_artifacts(struct tracking *t, struct arena *a, str run_id, str prefix, struct list *out, struct err *e)
{
	struct find l = { .t = t, .a = a, .run_id = run_id };
	str root, below = STR("");

	OBJ_CHECK(t, TRACKING_MAGIC);
	TRY(db_read(t->db, where_tx, &l, e));
	TRY(artifact_root_path(a, l.run.artifact_uri, &root, e));
	if (prefix.len > 0)
		TRY(mlflow_artifact_path(a, prefix, &below, e));
	return tree(t, a, root, below, out, e);
}

enum rc tracking_artifact_add(struct tracking *t, str run_id, str path, str blob, uint64_t size, struct err *e)
{
	struct arena a;
	struct find l = { .t = t, .a = &a, .run_id = run_id };
	str root, below;

	OBJ_CHECK(t, TRACKING_MAGIC);
	arena_init(&a);
	enum rc rc = db_read(t->db, where_tx, &l, e);
	if (rc == RC_OK)
		rc = artifact_root_path(&a, l.run.artifact_uri, &root, e);
	if (rc == RC_OK)
		rc = mlflow_artifact_path(&a, path, &below, e);
	if (rc == RC_OK)
		rc = artifact_put(t, artifact_join(&a, root, below), blob, size, e);
	arena_deinit(&a);
	return rc;
}

/* --- bytes out --------------------------------------------------------------------------------------------- */

static const char *mime_of(str path)
{
	static const struct { const char *end, *type; } types[] = {
		{ ".json", "application/json" }, { ".txt", "text/plain" },    { ".log", "text/plain" },  { ".yaml", "text/plain" },
		{ ".yml", "text/plain" },        { "MLmodel", "text/plain" }, { ".csv", "text/csv" },    { ".html", "text/html" },
		{ ".png", "image/png" },         { ".jpg", "image/jpeg" },    { ".svg", "image/svg+xml" }, { ".pdf", "application/pdf" },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_ends(path, str_of(types[i].end)))
			return types[i].type;
	}
	return "application/octet-stream";
}

/* The last part of the path, without what would end a quoted header value. */
static str file_name(struct arena *a, str path)
{
	str name = path, rest = path, part;
	char *out;

	while (str_cut(&rest, '/', &part))
		name = part;
	out = arena_cstr(a, name);
	for (size_t i = 0; i < name.len; i++) {
		if (out[i] == '"' || out[i] == '\\' || (unsigned char)out[i] < 0x20 || (unsigned char)out[i] >= 0x7f)
			out[i] = '_';
	}
	return str_n(out, name.len);
}

enum rc mlflow_reply_artifact(struct call *c, const struct artifact *f, struct err *e)
{
	uint64_t size;
	int fd;

	TRY(blob_open(c->core->blobs, f->blob, &fd, &size, e));
	str name = file_name(c->arena, f->path);
	http_reply_header(c->http, "Content-Disposition", arena_printf(c->arena, "attachment; filename=\"" STR_FMT "\"", STR_ARG(name)));
	http_reply_header(c->http, "X-Content-Type-Options", STR("nosniff"));
	http_reply_fd(c->http, 200, mime_of(f->path), fd, 0, size);
	return RC_OK;
}
