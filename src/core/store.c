/* store.c -- SQL from record tables. Statement text is built per call in an arena: a few hundred bytes, and the
 * driver's statement cache knows it again by its text. */
#include "core/store.h"

#include <string.h>

#include "base/limits.h"

#define COLS_MAX 64

/* --- values --------------------------------------------------------------------------------- */

static struct val structure_value(const struct field *f, const void *obj, struct arena *a)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	struct jw w;

	jw_init(&w, &b);
	field_encode(f, obj, ENC_SECRETS, &w);
	CHECK(!b.overflowed);
	str text = buf_to_arena(&b, a);
	buf_deinit(&b);
	return V_STR(text);
}

static struct val field_value(const struct record *r, const struct field *f, const void *obj, struct arena *a)
{
	const void *p = field_at(f, obj);

	if ((f->flags & F_NULLABLE) && !field_is_set(r, f, obj))
		return V_NULL;
	switch ((enum kind)f->kind) {
	case K_BOOL:
		return V_I64(*(const bool *)p ? 1 : 0);
	case K_I32: case K_ENUM:
		return V_I64(*(const int32_t *)p);
	case K_I64: case K_TIME: case K_MS:
		return V_I64(*(const int64_t *)p);
	case K_F64:
		return V_F64(*(const double *)p);
	case K_STR: case K_SECRET: case K_JSON: {
		str s = *(const str *)p;
		return V_STR(s.at != NULL ? s : STR(""));
	}
	case K_RECORD: case K_RECORDS: case K_STRS: case K_F64S: case K_I64S: case K_PAIRS:
		return structure_value(f, obj, a);
	}
	UNREACHABLE("kind");
}

static enum rc scan_structure(const struct field *f, const struct val *v, struct arena *a, void *obj, struct err *e)
{
	/* The stored text is one value; as a one-field object it goes through the same decoder as input. */
	const struct field alone[] = { *f };
	const struct record wrap = { .name = f->name, .field = alone, .n_field = 1, .has_offset = -1 };
	str json = arena_printf(a, "{\"%s\":" STR_FMT "}", f->name, STR_ARG(v->s));

	if (record_from_json(&wrap, json, a, DEC_TRUSTED | DEC_PARTIAL, obj, e) != RC_OK)
		return err_wrap(e, "stored column %s", f->name);
	return RC_OK;
}

static enum rc scan_field(const struct field *f, const struct val *v, struct arena *a, void *obj, struct err *e)
{
	void *slot = field_slot(f, obj);

	if (v->kind == VAL_NULL)
		return RC_OK;
	switch ((enum kind)f->kind) {
	case K_BOOL:
		*(bool *)slot = v->i != 0;
		return RC_OK;
	case K_I32: case K_ENUM:
		*(int32_t *)slot = (int32_t)v->i;
		return RC_OK;
	case K_I64: case K_TIME: case K_MS:
		*(int64_t *)slot = v->kind == VAL_F64 ? (int64_t)v->f : v->i;
		return RC_OK;
	case K_F64:
		*(double *)slot = v->kind == VAL_I64 ? (double)v->i : v->f;
		return RC_OK;
	case K_STR: case K_SECRET: case K_JSON:
		*(str *)slot = v->s;
		return RC_OK;
	case K_RECORD: case K_RECORDS: case K_STRS: case K_F64S: case K_I64S: case K_PAIRS:
		if (v->s.len == 0)
			return RC_OK;
		return scan_structure(f, v, a, obj, e);
	}
	UNREACHABLE("kind");
}

/* --- statements ------------------------------------------------------------------------------ */

enum pick { PICK_ALL, PICK_KEY, PICK_REST };

static bool picked(const struct field *f, enum pick what)
{
	if (!(f->flags & F_STORED))
		return false;
	bool key = (f->flags & F_KEY) != 0;
	return what == PICK_ALL || (what == PICK_KEY) == key;
}

/* Adds "name<form>" for each picked column, joined; returns how many. */
static size_t add_columns(struct buf *b, const struct record *r, enum pick what, const char *form, const char *join)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_field; i++) {
		if (!picked(&r->field[i], what))
			continue;
		if (n++ > 0)
			buf_add(b, str_of(join));
		buf_add_char(b, '"');
		buf_add(b, str_of(r->field[i].name));
		buf_add_char(b, '"');
		buf_add(b, str_of(form));
	}
	return n;
}

static size_t add_values(const struct record *r, enum pick what, const void *obj, struct arena *a, struct val *v, size_t n)
{
	for (size_t i = 0; i < r->n_field; i++) {
		if (!picked(&r->field[i], what))
			continue;
		CHECK(n < COLS_MAX);
		v[n++] = field_value(r, &r->field[i], obj, a);
	}
	return n;
}

static enum rc run_statement(struct tx *tx, struct buf *sql, const struct val *v, size_t n, int64_t *changed, struct err *e)
{
	CHECK(!sql->overflowed);
	enum rc rc = db_exec(tx, sql->at, v, n, changed, e);

	buf_deinit(sql);
	return rc;
}

static void build_insert(struct buf *b, const struct record *r)
{
	CHECK(r->table != NULL);
	buf_addf(b, "INSERT INTO %s (", r->table);
	size_t n = add_columns(b, r, PICK_ALL, "", ", ");
	buf_add(b, STR(") VALUES ("));
	for (size_t i = 0; i < n; i++)
		buf_add(b, i == 0 ? STR("?") : STR(", ?"));
	buf_add(b, STR(")"));
}

enum rc store_insert(struct tx *tx, const struct record *r, const void *obj, struct err *e)
{
	struct buf b = BUF_INIT(65536);
	struct val v[COLS_MAX];
	struct arena a;

	arena_init(&a);
	build_insert(&b, r);
	size_t n = add_values(r, PICK_ALL, obj, &a, v, 0);
	enum rc rc = run_statement(tx, &b, v, n, NULL, e);
	arena_deinit(&a);
	return rc;
}

enum rc store_put(struct tx *tx, const struct record *r, const void *obj, struct err *e)
{
	struct buf b = BUF_INIT(65536);
	struct val v[COLS_MAX];
	struct arena a;
	size_t n_set = 0;

	arena_init(&a);
	build_insert(&b, r);
	buf_add(&b, STR(" ON CONFLICT ("));
	add_columns(&b, r, PICK_KEY, "", ", ");
	buf_add(&b, STR(") DO UPDATE SET "));
	for (size_t i = 0; i < r->n_field; i++) {
		if (picked(&r->field[i], PICK_REST))
			buf_addf(&b, "%s\"%s\" = excluded.\"%s\"", n_set++ > 0 ? ", " : "", r->field[i].name, r->field[i].name);
	}
	CHECK(n_set > 0);
	size_t n = add_values(r, PICK_ALL, obj, &a, v, 0);
	enum rc rc = run_statement(tx, &b, v, n, NULL, e);
	arena_deinit(&a);
	return rc;
}

/* UPDATE and DELETE say which row is missing by its key. */
static enum rc changed_one(const struct record *r, const void *obj, int64_t changed, struct arena *a, struct err *e)
{
	if (changed > 0)
		return RC_OK;
	for (size_t i = 0; i < r->n_field; i++) {
		if (picked(&r->field[i], PICK_KEY)) {
			str key = field_to_text(&r->field[i], obj, a);
			return FAIL(e, RC_NOT_FOUND, "%s '" STR_FMT "' does not exist", r->name, STR_ARG(key));
		}
	}
	UNREACHABLE("record without key");
}

enum rc store_update(struct tx *tx, const struct record *r, const void *obj, struct err *e)
{
	struct buf b = BUF_INIT(65536);
	struct val v[COLS_MAX];
	struct arena a;
	int64_t changed = 0;

	arena_init(&a);
	buf_addf(&b, "UPDATE %s SET ", r->table);
	add_columns(&b, r, PICK_REST, " = ?", ", ");
	buf_add(&b, STR(" WHERE "));
	add_columns(&b, r, PICK_KEY, " = ?", " AND ");
	size_t n = add_values(r, PICK_REST, obj, &a, v, 0);
	n = add_values(r, PICK_KEY, obj, &a, v, n);
	enum rc rc = run_statement(tx, &b, v, n, &changed, e);
	if (rc == RC_OK)
		rc = changed_one(r, obj, changed, &a, e);
	arena_deinit(&a);
	return rc;
}

enum rc store_delete(struct tx *tx, const struct record *r, const void *obj, struct err *e)
{
	struct buf b = BUF_INIT(65536);
	struct val v[COLS_MAX];
	struct arena a;
	int64_t changed = 0;

	arena_init(&a);
	buf_addf(&b, "DELETE FROM %s WHERE ", r->table);
	add_columns(&b, r, PICK_KEY, " = ?", " AND ");
	size_t n = add_values(r, PICK_KEY, obj, &a, v, 0);
	enum rc rc = run_statement(tx, &b, v, n, &changed, e);
	if (rc == RC_OK)
		rc = changed_one(r, obj, changed, &a, e);
	arena_deinit(&a);
	return rc;
}

/* --- reading --------------------------------------------------------------------------------- */

static enum rc select_rows(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v,
			   size_t n, struct rows *rows, struct err *e)
{
	struct buf b = BUF_INIT(65536);

	CHECK(r->table != NULL);
	buf_add(&b, STR("SELECT "));
	add_columns(&b, r, PICK_ALL, "", ", ");
	buf_addf(&b, " FROM %s %s", r->table, tail);
	CHECK(!b.overflowed);
	enum rc rc = db_query(tx, a, b.at, v, n, rows, e);
	buf_deinit(&b);
	return rc;
}

static enum rc scan_row(const struct record *r, const struct rows *rows, size_t row, struct arena *a, void *obj, struct err *e)
{
	size_t col = 0;
	uint64_t has = 0;

	memset(obj, 0, r->size);        /* a NULL column is the zero value, whatever the caller's struct held */
	for (size_t i = 0; i < r->n_field; i++) {
		if (!picked(&r->field[i], PICK_ALL))
			continue;
		const struct val *v = rows_at(rows, row, col++);
		if (v->kind != VAL_NULL)
			has |= UINT64_C(1) << i;
		TRY(scan_field(&r->field[i], v, a, obj, e));
	}
	if (r->has_offset >= 0)
		memcpy((char *)obj + r->has_offset, &has, sizeof(has));
	return RC_OK;
}

enum rc store_find(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		   void *obj_out, bool *found, struct err *e)
{
	struct rows rows;

	TRY(select_rows(tx, a, r, tail, v, n, &rows, e));
	*found = rows.n > 0;
	return rows.n > 0 ? scan_row(r, &rows, 0, a, obj_out, e) : RC_OK;
}

enum rc store_get(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		  str named, void *obj_out, struct err *e)
{
	bool found = false;

	TRY(store_find(tx, a, r, tail, v, n, obj_out, &found, e));
	if (!found)
		return FAIL(e, RC_NOT_FOUND, STR_FMT " does not exist", STR_ARG(named));
	return RC_OK;
}

enum rc store_list(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		   struct list *out, struct err *e)
{
	struct rows rows;

	TRY(select_rows(tx, a, r, tail, v, n, &rows, e));
	char *at = arena_alloc_n(a, rows.n, r->size);
	for (size_t i = 0; i < rows.n; i++)
		TRY(scan_row(r, &rows, i, a, at + i * r->size, e));
	*out = (struct list){ .at = at, .n = rows.n };
	return RC_OK;
}

/* --- outside a transaction -------------------------------------------------------------------- */

struct read_call {
	struct arena *a;
	const struct record *r;
	const char *tail;
	const struct val *v;
	size_t n;
	str named;
	void *obj;
	struct list *list;
};

static enum rc read_get(struct tx *tx, void *ctx, struct err *e)
{
	struct read_call *c = ctx;

	return store_get(tx, c->a, c->r, c->tail, c->v, c->n, c->named, c->obj, e);
}

static enum rc read_list(struct tx *tx, void *ctx, struct err *e)
{
	struct read_call *c = ctx;

	return store_list(tx, c->a, c->r, c->tail, c->v, c->n, c->list, e);
}

enum rc store_get1(struct db *db, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		   str named, void *obj_out, struct err *e)
{
	struct read_call c = { .a = a, .r = r, .tail = tail, .v = v, .n = n, .named = named, .obj = obj_out };

	return db_read(db, read_get, &c, e);
}

enum rc store_list1(struct db *db, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		    struct list *out, struct err *e)
{
	struct read_call c = { .a = a, .r = r, .tail = tail, .v = v, .n = n, .list = out };

	return db_read(db, read_list, &c, e);
}

struct write_call {
	const struct record *r;
	const void *obj;
};

static enum rc write_insert(struct tx *tx, void *ctx, struct err *e)
{
	const struct write_call *c = ctx;

	return store_insert(tx, c->r, c->obj, e);
}

static enum rc write_put(struct tx *tx, void *ctx, struct err *e)
{
	const struct write_call *c = ctx;

	return store_put(tx, c->r, c->obj, e);
}

enum rc store_insert1(struct db *db, const struct record *r, const void *obj, struct err *e)
{
	return db_write(db, write_insert, &(struct write_call){ .r = r, .obj = obj }, e);
}

enum rc store_put1(struct db *db, const struct record *r, const void *obj, struct err *e)
{
	return db_write(db, write_put, &(struct write_call){ .r = r, .obj = obj }, e);
}

enum rc store_verify(struct db *db, const struct record *r, struct err *e)
{
	struct list none;
	struct arena a;

	arena_init(&a);
	enum rc rc = store_list1(db, &a, r, "WHERE 1 = 0", NO_VALS, &none, e);
	arena_deinit(&a);
	if (rc != RC_OK)
		return err_wrap(e, "table %s does not fit its record %s", r->table, r->name);
	return RC_OK;
}
