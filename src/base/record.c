/* record.c -- tables about tables: lookup, text of one field, schema. Decoding and encoding of whole records are in
 * record_decode.c and record_encode.c. */
#include "base/record.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"

const struct field *record_field_find(const struct record *r, str name)
{
	int i = record_field_index(r, name);

	return i >= 0 ? &r->field[i] : NULL;
}

int record_field_index(const struct record *r, str name)
{
	for (int i = 0; i < r->n_field; i++) {
		if (str_eq(name, str_of(r->field[i].name)))
			return i;
	}
	return -1;
}

static bool is_zero(const struct field *f, const void *p)
{
	switch ((enum kind)f->kind) {
	case K_BOOL:
		return !*(const bool *)p;
	case K_I32: case K_ENUM:
		return *(const int32_t *)p == 0;
	case K_I64: case K_TIME: case K_MS:
		return *(const int64_t *)p == 0;
	case K_F64:
		return *(const double *)p == 0 || isnan(*(const double *)p);
	case K_STR: case K_SECRET: case K_JSON:
		return ((const str *)p)->len == 0;
	case K_RECORDS: case K_STRS: case K_F64S: case K_I64S: case K_PAIRS:
		return ((const struct list *)p)->n == 0;
	case K_RECORD:
		return false;
	}
	UNREACHABLE("kind");
}

bool field_is_set(const struct record *r, const struct field *f, const void *obj)
{
	uint64_t has;

	if (r->has_offset >= 0) {
		memcpy(&has, (const char *)obj + r->has_offset, sizeof(has));
		if (has != 0)
			return has >> (f - r->field) & 1;
	}
	return !is_zero(f, field_at(f, obj));
}

/* --- text for people ---------------------------------------------------------------------------- */

static str joined_strs(const struct list *l, struct arena *a)
{
	str out = STR("");

	for (size_t i = 0; i < l->n; i++) {
		str s = *LIST_AT(*l, str, i);
		out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(out), i > 0 ? ", " : "", STR_ARG(s));
	}
	return out;
}

static str joined_pairs(const struct list *l, struct arena *a)
{
	str out = STR("");

	for (size_t i = 0; i < l->n; i++) {
		const struct pair *p = LIST_AT(*l, struct pair, i);
		out = arena_printf(a, STR_FMT "%s" STR_FMT "=" STR_FMT, STR_ARG(out), i > 0 ? ", " : "", STR_ARG(p->key),
				   STR_ARG(p->value));
	}
	return out;
}

static str bytes_text(int64_t n, struct arena *a)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < ARRAY_LEN(names); u++)
		v /= 1024;
	return arena_printf(a, u == 0 ? "%.0f %s" : "%.1f %s", v, names[u]);
}

static str time_text(int64_t ms, struct arena *a)
{
	char text[CLOCK_TEXT_MAX];

	if (ms == 0)
		return STR("");
	(void)clock_put_rfc3339(text, ms);
	text[10] = ' ';
	return arena_dup(a, str_n(text, 19));
}

str field_to_text(const struct field *f, const void *obj, struct arena *a)
{
	const void *p = field_at(f, obj);
	str unit = str_of(f->unit);

	switch ((enum kind)f->kind) {
	case K_BOOL:
		return *(const bool *)p ? STR("yes") : STR("no");
	case K_I32:
		return arena_printf(a, "%d", *(const int32_t *)p);
	case K_I64:
		if (str_eq(unit, STR("bytes")))
			return bytes_text(*(const int64_t *)p, a);
		return arena_printf(a, "%lld", (long long)*(const int64_t *)p);
	case K_TIME:
		return time_text(*(const int64_t *)p, a);
	case K_MS:
		return clock_duration_text(a, *(const int64_t *)p);
	case K_F64:
		return arena_printf(a, "%.6g", *(const double *)p);
	case K_ENUM:
		return str_of(f->names[*(const int32_t *)p]);
	case K_SECRET:
		return ((const str *)p)->len > 0 ? STR("***") : STR("");
	case K_STR: case K_JSON:
		return *(const str *)p;
	case K_STRS:
		return joined_strs(p, a);
	case K_PAIRS:
		return joined_pairs(p, a);
	case K_RECORDS: case K_F64S: case K_I64S:
		return arena_printf(a, "%zu", ((const struct list *)p)->n);
	case K_RECORD:
		return record_to_json(f->sub, p, 0, a);
	}
	UNREACHABLE("kind");
}

/* --- JSON Schema ---------------------------------------------------------------------------------- */

static void schema_type(const struct field *f, struct jw *w)
{
	static const struct {
		const char *type, *format, *items;
	} types[] = {
		[K_BOOL] = { "boolean", NULL, NULL },       [K_I32] = { "integer", "int32", NULL },
		[K_I64] = { "integer", "int64", NULL },     [K_F64] = { "number", "double", NULL },
		[K_STR] = { "string", NULL, NULL },         [K_SECRET] = { "string", "password", NULL },
		[K_TIME] = { "string", "date-time", NULL }, [K_MS] = { "string", "duration", NULL },
		[K_ENUM] = { "string", NULL, NULL },        [K_STRS] = { "array", NULL, "string" },
		[K_F64S] = { "array", NULL, "number" },     [K_I64S] = { "array", NULL, "integer" },
		[K_PAIRS] = { "object", NULL, NULL },       [K_RECORDS] = { "array", NULL, NULL },
		[K_RECORD] = { "object", NULL, NULL },      [K_JSON] = { NULL, NULL, NULL },
	};
	const char *type = types[f->kind].type;
	bool text_ms = f->kind == K_TIME && (f->flags & F_AS_MS);

	if (text_ms)
		type = "integer";
	if (type != NULL)
		jw_str_key(w, "type", str_of(type));
	if (types[f->kind].format != NULL && !text_ms)
		jw_str_key(w, "format", str_of(types[f->kind].format));
	if (types[f->kind].items != NULL) {
		jw_object_key(w, STR("items"));
		jw_str_key(w, "type", str_of(types[f->kind].items));
		jw_end_object(w);
	}
	if (f->kind == K_PAIRS) {
		jw_object_key(w, STR("additionalProperties"));
		jw_str_key(w, "type", STR("string"));
		jw_end_object(w);
	}
	if (f->kind == K_ENUM) {
		jw_array_key(w, STR("enum"));
		for (size_t i = 0; f->names[i] != NULL; i++)
			jw_str(w, str_of(f->names[i]));
		jw_end_array(w);
	}
}

static void schema_limits(const struct field *f, struct jw *w)
{
	bool number = f->kind == K_I32 || f->kind == K_I64 || f->kind == K_F64;
	bool list = f->kind == K_STRS || f->kind == K_RECORDS || f->kind == K_F64S || f->kind == K_I64S;

	if (number && f->max > f->min) {
		jw_f64_key(w, "minimum", f->min);
		jw_f64_key(w, "maximum", f->max);
	} else if ((f->kind == K_STR || list) && f->max > 0) {
		jw_i64_key(w, list ? "maxItems" : "maxLength", (int64_t)f->max);
	}
	if (f->def != NULL)
		jw_str_key(w, "default", str_of(f->def));
	if (f->flags & F_OUTPUT)
		jw_bool_key(w, "readOnly", true);
}

static void schema_fields(const struct record *r, struct jw *w);

static void schema_field(const struct field *f, struct jw *w)
{
	jw_object_key(w, str_of(f->name));
	if (f->kind == K_RECORD) {
		schema_fields(f->sub, w);
	} else {
		schema_type(f, w);
		schema_limits(f, w);
		if (f->kind == K_RECORDS) {
			jw_key(w, STR("items"));
			record_schema(f->sub, w);
		}
	}
	jw_str_key(w, "description", str_of(f->doc));
	jw_end_object(w);
}

static void schema_fields(const struct record *r, struct jw *w)
{
	bool any = false;

	jw_str_key(w, "type", STR("object"));
	jw_object_key(w, STR("properties"));
	for (size_t i = 0; i < r->n_field; i++)
		schema_field(&r->field[i], w);
	jw_end_object(w);
	for (size_t i = 0; i < r->n_field; i++) {
		if (!(r->field[i].flags & F_REQUIRED))
			continue;
		if (!any)
			jw_array_key(w, STR("required"));
		any = true;
		jw_str(w, str_of(r->field[i].name));
	}
	if (any)
		jw_end_array(w);
	if (!r->open)
		jw_bool_key(w, "additionalProperties", false);
}

void record_schema(const struct record *r, struct jw *w)
{
	jw_object(w);
	jw_str_key(w, "title", str_of(r->name));
	schema_fields(r, w);
	jw_end_object(w);
}
