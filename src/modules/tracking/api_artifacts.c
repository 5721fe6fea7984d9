/* api_artifacts.c -- artifacts over HTTP: listings, and bytes that stream to and from the blob store. */
#include <string.h>

#include "io/blob.h"
#include "io/http_server.h"
#include "modules/tracking/tracking_int.h"

#define R "tracking.read"
#define W "tracking.write"
#define MLFLOW_VERSION "3.16.0"         /* of the protocol: clients ask for it before they use newer calls */

/* --- by run -------------------------------------------------------------------------------------------- */

struct files_query { str run_id, run_uuid, path, page_token; };
static const struct field files_query_fields[] = {
	FIELD(files_query, run_id, K_STR, 0, "Id of the run"),
	FIELD(files_query, run_uuid, K_STR, 0, "Id of the run, from old clients"),
	FIELD(files_query, path, K_STR, 0, "Folder or file below the run's root"),
	FIELD(files_query, page_token, K_STR, 0, "Unused"),
};
static const struct record files_query_record = MLFLOW_RECORD(files_query, files_query_fields, "Which artifacts");

struct files_page { str root_uri; struct list files; };
static const struct field files_page_fields[] = {
	FIELD(files_page, root_uri, K_STR, F_SKIP_EMPTY, "Where they are"),
	FIELD(files_page, files, K_RECORDS, F_SKIP_EMPTY, "Files and folders", .sub = &file_info_record),
};
static const struct record files_page_record = MLFLOW_RECORD(files_page, files_page_fields, "Artifacts found");

static enum rc run_of(struct call *c, const struct files_query *q, struct run *out, struct err *e)
{
	str id = q->run_id.len > 0 ? q->run_id : q->run_uuid;

	if (id.len == 0)
		return mlflow_missing("run_id", e);
	return run_get(c->module, c->arena, id, out, e);
}

static enum rc list(struct call *c, const void *in, void *out, struct err *e)
{
	const struct files_query *q = in;
	struct files_page *page = out;
	struct run run;

	TRY(run_of(c, q, &run, e));
	page->root_uri = run.info.artifact_uri;
	return artifact_list(c->module, c->arena, run.info.artifact_uri, q->path, &page->files, e);
}

static enum rc get_of_run(struct call *c, const void *in, void *out, struct err *e)
{
	const struct files_query *q = in;
	struct artifact f;
	struct run run;

	(void)out;
	if (q->path.len == 0)
		return mlflow_missing("path", e);
	TRY(run_of(c, q, &run, e));
	TRY(artifact_get(c->module, c->arena, run.info.artifact_uri, q->path, &f, e));
	return mlflow_reply_artifact(c, &f, e);
}

/* The body, from its spool file into the blob store, then the row that names it. */
static enum rc store_body(struct call *c, str path, struct err *e)
{
	char blob[BLOB_ID_LEN + 1];
	uint64_t size;

	if (c->http->body_fd < 0)
		TRY(blob_put(c->core->blobs, STR(""), blob, e));
	else
		TRY(blob_put_fd(c->core->blobs, c->http->body_fd, blob, &size, e));
	return artifact_put(c->module, path, str_of(blob), c->http->body_fd < 0 ? 0 : size, e);
}

static enum rc upload_to_run(struct call *c, const void *in, void *out, struct err *e)
{
	const struct files_query *q = in;
	str root, below;
	struct run run;

	(void)out;
	if (q->path.len == 0)
		return mlflow_missing("path", e);
	TRY(run_of(c, q, &run, e));
	TRY(artifact_root_path(c->arena, run.info.artifact_uri, &root, e));
	TRY(mlflow_artifact_path(c->arena, q->path, &below, e));
	return store_body(c, artifact_join(c->arena, root, below), e);
}

const struct route artifact_routes[ARTIFACT_ROUTES] = {
	{ HTTP_GET, "/artifacts/list", R, .in = &files_query_record, .out = &files_page_record, .handler = list,
	  .doc = "Lists a run's artifacts", .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/upload-artifact", W, .in = &files_query_record, .handler = upload_to_run, .doc = "Uploads an artifact of a run",
	  .flags = ROUTE_HIDDEN | ROUTE_FILE_BODY },
};

/* --- the proxy ---------------------------------------------------------------------------------------------- */

struct proxy_query { str path; };
static const struct field proxy_query_fields[] = {
	FIELD(proxy_query, path, K_STR, 0, "Folder below the artifact root"),
};
static const struct record proxy_query_record = MLFLOW_RECORD(proxy_query, proxy_query_fields, "Which folder");

/* Names only, as the proxy has them; a file lists as nothing. */
static enum rc proxy_list(struct call *c, const void *in, void *out, struct err *e)
{
	struct files_page *page = out;
	str path = ((const struct proxy_query *)in)->path;

	TRY(artifact_list(c->module, c->arena, STR("mlflow-artifacts:/"), path, &page->files, e));
	for (size_t i = 0; i < page->files.n; i++) {
		struct file_info *f = LIST_AT(page->files, struct file_info, i);
		for (ptrdiff_t slash; (slash = str_find_char(f->path, '/')) >= 0;)
			f->path = str_skip(f->path, (size_t)slash + 1);
	}
	return RC_OK;
}

static enum rc proxy_get(struct call *c, const void *in, void *out, struct err *e)
{
	struct artifact f;

	(void)in;
	(void)out;
	TRY(artifact_get(c->module, c->arena, STR("mlflow-artifacts:/"), c->param[0], &f, e));
	return mlflow_reply_artifact(c, &f, e);
}

static enum rc proxy_put(struct call *c, const void *in, void *out, struct err *e)
{
	str path;

	(void)in;
	(void)out;
	TRY(mlflow_artifact_path(c->arena, c->param[0], &path, e));
	return store_body(c, path, e);
}

static enum rc proxy_delete(struct call *c, const void *in, void *out, struct err *e)
{
	str path;

	(void)in;
	(void)out;
	TRY(mlflow_artifact_path(c->arena, c->param[0], &path, e));
	return artifact_delete(c->module, c->arena, path, e);
}

/* Clients know the beginning of this message and upload in one piece. */
static enum rc no_multipart(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	(void)out;
	(void)e;
	http_reply(c->http, 501, "application/json",
		   STR("{\"error_code\":\"NOT_IMPLEMENTED\",\"message\":\"Multipart upload is not supported for the current artifact "
		       "repository; upload in one piece\"}"));
	return RC_OK;
}

const struct route proxy_routes[PROXY_ROUTES] = {
	{ HTTP_GET, "/artifacts", R, .in = &proxy_query_record, .out = &files_page_record, .handler = proxy_list,
	  .doc = "Lists a folder of the artifact store", .flags = ROUTE_HIDDEN },
	{ HTTP_GET, "/artifacts/{path*}", R, .handler = proxy_get, .doc = "Downloads an artifact", .flags = ROUTE_HIDDEN | ROUTE_RAW_REPLY },
	{ HTTP_PUT, "/artifacts/{path*}", W, .handler = proxy_put, .doc = "Uploads an artifact", .flags = ROUTE_HIDDEN | ROUTE_FILE_BODY },
	{ HTTP_DELETE, "/artifacts/{path*}", W, .handler = proxy_delete, .doc = "Deletes an artifact", .flags = ROUTE_HIDDEN },
	{ HTTP_POST, "/mpu/create/{path*}", W, .handler = no_multipart, .doc = "Says that uploads come in one piece",
	  .flags = ROUTE_HIDDEN | ROUTE_RAW_REPLY },
};

/* --- at the root ------------------------------------------------------------------------------------------------ */

static enum rc version(struct call *c, const void *in, void *out, struct err *e)
{
	(void)in;
	(void)out;
	(void)e;
	http_reply(c->http, 200, "text/plain; charset=utf-8", STR(MLFLOW_VERSION));
	return RC_OK;
}

struct server_info { str store_type; bool workspaces_enabled, multipart_uploads_enabled, multipart_downloads_enabled, trace_archival_enabled; };
static const struct field server_info_fields[] = {
	FIELD(server_info, store_type, K_STR, 0, "Kind of store"),
	FIELD(server_info, workspaces_enabled, K_BOOL, 0, "Whether there are workspaces"),
	FIELD(server_info, multipart_uploads_enabled, K_BOOL, 0, "Whether uploads may come in parts"),
	FIELD(server_info, multipart_downloads_enabled, K_BOOL, 0, "Whether downloads may go in parts"),
	FIELD(server_info, trace_archival_enabled, K_BOOL, 0, "Whether traces are archived"),
};
static const struct record server_info_record = MLFLOW_RECORD(server_info, server_info_fields, "What kind of MLflow server this is");

static enum rc server_info(struct call *c, const void *in, void *out, struct err *e)
{
	(void)c;
	(void)in;
	(void)e;
	*(struct server_info *)out = (struct server_info){ .store_type = STR("SqlStore") };
	return RC_OK;
}

const struct route root_routes[ROOT_ROUTES] = {
	{ HTTP_GET, "/version", NULL, .handler = version, .doc = "MLflow version that is spoken",
	  .flags = ROUTE_HIDDEN | ROUTE_PUBLIC | ROUTE_RAW_REPLY | ROUTE_LOOP },
	{ HTTP_GET, "/get-artifact", R, .in = &files_query_record, .handler = get_of_run, .doc = "Downloads an artifact of a run",
	  .flags = ROUTE_HIDDEN | ROUTE_RAW_REPLY },
	{ HTTP_GET, "/api/3.0/mlflow/server-info", R, .out = &server_info_record, .handler = server_info, .doc = "What kind of server this is",
	  .flags = ROUTE_HIDDEN },
	{ HTTP_GET, "/ajax-api/3.0/mlflow/server-info", R, .out = &server_info_record, .handler = server_info,
	  .doc = "What kind of server this is", .flags = ROUTE_HIDDEN },
};
