/* record_encode.c -- structs to JSON by their tables. */
#include <math.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/record.h"

static void encode_time(const struct field *f, int64_t ms, struct jw *w)
{
	char text[CLOCK_TEXT_MAX];

	if (f->flags & F_AS_MS)
		jw_i64(w, ms);
	else if (ms == 0)
		jw_null(w);
	else
		jw_str(w, str_n(text, clock_put_rfc3339(text, ms)));
}

static void encode_i64(const struct field *f, int64_t v, struct jw *w)
{
	char text[24];

	if (!(f->flags & F_PLAIN_STR)) {
		jw_i64(w, v);
		return;
	}
	struct buf b = BUF_INIT(sizeof(text));
	buf_addf(&b, "%lld", (long long)v);
	jw_str(w, buf_str(&b));
	buf_deinit(&b);
}

static void encode_duration(int64_t ms, struct jw *w)
{
	struct arena a;

	arena_init(&a);
	jw_str(w, clock_duration_text(&a, ms));
	arena_deinit(&a);
}

static void encode_list(const struct field *f, const struct list *l, unsigned flags, struct jw *w)
{
	jw_array(w);
	for (size_t i = 0; i < l->n; i++) {
		if (f->kind == K_STRS)
			jw_str(w, *LIST_AT(*l, const str, i));
		else if (f->kind == K_F64S)
			jw_f64(w, *LIST_AT(*l, const double, i));
		else if (f->kind == K_I64S)
			jw_i64(w, *LIST_AT(*l, const int64_t, i));
		else
			record_encode(f->sub, (const char *)l->at + i * f->sub->size, flags & ~(unsigned)ENC_STORED, w);
	}
	jw_end_array(w);
}

static void encode_pairs(const struct list *l, struct jw *w)
{
	jw_object(w);
	for (size_t i = 0; i < l->n; i++) {
		const struct pair *p = LIST_AT(*l, const struct pair, i);
		jw_key(w, p->key);
		jw_str(w, p->value);
	}
	jw_end_object(w);
}

static void encode_text(const struct field *f, str s, unsigned flags, struct jw *w)
{
	if (f->kind == K_JSON) {
		if (s.len > 0)
			jw_raw(w, s);
		else
			jw_null(w);
	} else if (f->kind == K_SECRET && !(flags & ENC_SECRETS)) {
		jw_str(w, s.len > 0 ? STR("***") : STR(""));
	} else {
		jw_str(w, s);
	}
}

void field_encode(const struct field *f, const void *obj, unsigned flags, struct jw *w)
{
	const void *p = field_at(f, obj);

	switch ((enum kind)f->kind) {
	case K_BOOL:
		jw_bool(w, *(const bool *)p);
		return;
	case K_I32:
		jw_i64(w, *(const int32_t *)p);
		return;
	case K_I64:
		encode_i64(f, *(const int64_t *)p, w);
		return;
	case K_F64:
		jw_f64(w, *(const double *)p);
		return;
	case K_TIME:
		encode_time(f, *(const int64_t *)p, w);
		return;
	case K_MS:
		encode_duration(*(const int64_t *)p, w);
		return;
	case K_ENUM:
		jw_str(w, str_of(f->names[*(const int32_t *)p]));
		return;
	case K_STR: case K_SECRET: case K_JSON:
		encode_text(f, *(const str *)p, flags, w);
		return;
	case K_STRS: case K_F64S: case K_I64S: case K_RECORDS:
		encode_list(f, p, flags, w);
		return;
	case K_PAIRS:
		encode_pairs(p, w);
		return;
	case K_RECORD:
		record_encode(f->sub, p, flags & ~(unsigned)ENC_STORED, w);
		return;
	}
	UNREACHABLE("kind");
}

void record_encode_fields(const struct record *r, const void *obj, unsigned flags, struct jw *w)
{
	for (size_t i = 0; i < r->n_field; i++) {
		const struct field *f = &r->field[i];
		if ((flags & ENC_STORED) && !(f->flags & F_STORED))
			continue;
		bool set = (f->flags & (F_SKIP_EMPTY | F_NULLABLE)) == 0 || field_is_set(r, f, obj);
		if (!set && (f->flags & F_SKIP_EMPTY))
			continue;
		jw_key(w, str_of(f->name));
		if (!set)
			jw_null(w);
		else
			field_encode(f, obj, flags, w);
	}
}

void record_encode(const struct record *r, const void *obj, unsigned flags, struct jw *w)
{
	jw_object(w);
	record_encode_fields(r, obj, flags, w);
	jw_end_object(w);
}

str record_to_json(const struct record *r, const void *obj, unsigned flags, struct arena *a)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	jw_init(&w, &b);
	record_encode(r, obj, flags, &w);
	CHECK(!b.overflowed);
	str out = buf_to_arena(&b, a);
	buf_deinit(&b);
	return out;
}
