/* openapi.c -- the OpenAPI 3.1 document, from the route and record tables. */
#include <string.h>

#include "base/map.h"
#include "core/route.h"
#include "core/task.h"

struct paths {
	struct arena arena;
	struct map path;        /* full path → VEC of routes, in order of appearance */
	struct map schema;      /* record name → record */
};

struct path_routes {
	str path;
	VEC(const struct route *) route;
	const struct api *api;
};

/* "{rest*}" is "{rest}" in OpenAPI. */
static str public_path(struct arena *a, const char *prefix, const char *path)
{
	struct buf b = BUF_INIT(4096);

	for (const char *at = path; *at != '\0'; at++) {
		if (*at != '*')
			buf_add_char(&b, *at);
	}
	str out = arena_printf(a, "%s" STR_FMT, prefix, STR_ARG(buf_str(&b)));
	buf_deinit(&b);
	return out;
}

static void note_record(struct paths *p, const struct record *r)
{
	if (r != NULL && map_find(&p->schema, str_of(r->name)) == NULL) {
		/* The map holds what it is given and changes nothing. */
		union { const struct record *in; void *out; } at = { .in = r };
		map_put(&p->schema, str_of(r->name), at.out);
	}
}

static void collect(void *ctx, const struct api *api, const struct route *r)
{
	struct paths *p = ctx;

	if (r->flags & ROUTE_HIDDEN)
		return;
	str path = public_path(&p->arena, api->prefix, r->path);
	struct path_routes *routes = map_find(&p->path, path);
	if (routes == NULL) {
		routes = ARENA_NEW(&p->arena, struct path_routes);
		routes->path = path;
		routes->api = api;
		map_put(&p->path, path, routes);
	}
	*VEC_PUSH(&p->arena, &routes->route) = r;
	note_record(p, r->task != NULL ? r->task->request : r->in);
	note_record(p, r->task != NULL ? &task_record : r->out);
}

static void write_reference(struct jw *w, const struct record *r)
{
	char text[160] = "#/components/schemas/";
	size_t n = strlen(text), len = strlen(r->name);

	CHECK(n + len < sizeof(text));
	memcpy(text + n, r->name, len + 1);
	jw_object_key(w, STR("schema"));
	jw_str_key(w, "$ref", str_of(text));
	jw_end_object(w);
}

static void write_content(struct jw *w, const struct record *r, const char *type)
{
	jw_object_key(w, STR("content"));
	jw_object_key(w, str_of(type));
	if (r != NULL)
		write_reference(w, r);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_parameter(struct jw *w, str name, const char *in, const struct field *f)
{
	jw_object(w);
	jw_str_key(w, "name", name);
	jw_str_key(w, "in", str_of(in));
	jw_bool_key(w, "required", in[0] == 'p' || (f != NULL && f->flags & F_REQUIRED));
	if (f != NULL)
		jw_str_key(w, "description", str_of(f->doc));
	jw_object_key(w, STR("schema"));
	jw_str_key(w, "type", STR("string"));
	jw_end_object(w);
	jw_end_object(w);
}

static bool in_path(str path, const struct field *f)
{
	char text[130];
	size_t len = strlen(f->name);

	if (len + 2 >= sizeof(text))
		return false;
	text[0] = '{';
	memcpy(text + 1, f->name, len);
	text[len + 1] = '}';
	return str_find(path, str_n(text, len + 2)) >= 0;
}

static void write_parameters(struct jw *w, str path, const struct route *r, const struct record *in)
{
	str rest = path, part;
	bool query = r->method == HTTP_GET && in != NULL;

	jw_array_key(w, STR("parameters"));
	while (str_cut(&rest, '{', &part)) {
		ptrdiff_t end = rest.at != NULL ? str_find_char(rest, '}') : -1;
		if (end < 0)
			break;
		str name = str_head(rest, (size_t)end);
		write_parameter(w, name, "path", in != NULL ? record_field_find(in, name) : NULL);
	}
	for (size_t i = 0; query && i < in->n_field; i++) {
		if (!in_path(path, &in->field[i]) && !(in->field[i].flags & F_OUTPUT))
			write_parameter(w, str_of(in->field[i].name), "query", &in->field[i]);
	}
	jw_end_array(w);
}

static void write_operation(struct jw *w, const struct path_routes *p, const struct route *r)
{
	static const char *const keys[HTTP_METHODS] = { "get", "post", "put", "delete", "patch", "head", "options" };
	const struct record *in = r->task != NULL ? r->task->request : r->in;
	const char *status = r->task != NULL ? "202" : r->flags & ROUTE_CREATED ? "201" : "200";

	jw_object_key(w, str_of(keys[r->method]));
	jw_str_key(w, "summary", str_of(r->doc));
	jw_array_key(w, STR("tags"));
	jw_str(w, str_of(p->api->name));
	jw_end_array(w);
	if (r->permission != NULL)
		jw_str_key(w, "x-permission", str_of(r->permission));
	write_parameters(w, p->path, r, in);
	if (in != NULL && r->method != HTTP_GET) {
		jw_object_key(w, STR("requestBody"));
		write_content(w, in, "application/json");
		jw_end_object(w);
	}
	jw_object_key(w, STR("responses"));
	jw_object_key(w, str_of(status));
	jw_str_key(w, "description", r->task != NULL ? STR("The task that does it") : STR("Success"));
	write_content(w, r->task != NULL ? &task_record : r->out, r->flags & ROUTE_RAW_REPLY ? "application/octet-stream" : "application/json");
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_head(struct jw *w)
{
	jw_str_key(w, "openapi", STR("3.1.0"));
	jw_object_key(w, STR("info"));
	jw_str_key(w, "title", STR("cairn"));
	jw_str_key(w, "version", STR(CAIRN_VERSION));
	jw_end_object(w);
	jw_array_key(w, STR("security"));
	jw_object(w);
	jw_array_key(w, STR("token"));
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
}

static void write_components(struct jw *w, const struct paths *p)
{
	jw_object_key(w, STR("components"));
	jw_object_key(w, STR("securitySchemes"));
	jw_object_key(w, STR("token"));
	jw_str_key(w, "type", STR("http"));
	jw_str_key(w, "scheme", STR("bearer"));
	jw_end_object(w);
	jw_end_object(w);
	jw_object_key(w, STR("schemas"));
	for (size_t i = 0; i < p->schema.n; i++) {
		jw_key(w, p->schema.entry[i].key);
		record_schema(p->schema.entry[i].value, w);
	}
	jw_end_object(w);
	jw_end_object(w);
}

void openapi_write(const struct api_table *t, struct buf *out)
{
	struct paths p;
	struct jw w;

	arena_init(&p.arena);
	map_init(&p.path, &p.arena);
	map_init(&p.schema, &p.arena);
	api_table_each(t, collect, &p);
	jw_init(&w, out);
	jw_object(&w);
	write_head(&w);
	jw_object_key(&w, STR("paths"));
	for (size_t i = 0; i < p.path.n; i++) {
		const struct path_routes *routes = p.path.entry[i].value;
		jw_object_key(&w, routes->path);
		for (size_t k = 0; k < routes->route.n; k++)
			write_operation(&w, routes, routes->route.at[k]);
		jw_end_object(&w);
	}
	jw_end_object(&w);
	write_components(&w, &p);
	jw_end_object(&w);
	arena_deinit(&p.arena);
}
