/* pipeline.c -- a pipeline's definition: order of its steps, and everything that can be known wrong before it runs. */
#include "modules/lake/pipeline.h"

#include <string.h>

#include "io/crypto.h"

/* --- the order of steps ------------------------------------------------------------------------------------------ */

enum mark { UNSEEN, ON_PATH, PLACED };
struct ordering {
	const struct pipeline *p;
	const struct list *tables;
	enum mark mark[PIPELINE_STEPS_MAX];
	size_t path[PIPELINE_STEPS_MAX], n_path;
	size_t *index, n;
};

static const struct pipeline_step *step_at(const struct pipeline *p, size_t i)
{
	return LIST_AT(p->steps, const struct pipeline_step, i);
}

static bool reads(const struct list *tables, str name)
{
	for (size_t i = 0; i < tables->n; i++) {
		if (str_eq_nocase(*LIST_AT(*tables, const str, i), name))
			return true;
	}
	return false;
}

static enum rc cycle(const struct ordering *o, size_t back_to, struct err *e)
{
	struct buf b = BUF_INIT(400);
	size_t i = 0;

	while (o->path[i] != back_to)
		i++;
	for (; i < o->n_path; i++) {
		buf_add(&b, step_at(o->p, o->path[i])->name);
		buf_add(&b, STR(" reads "));
	}
	buf_add(&b, step_at(o->p, back_to)->name);
	(void)FAIL(e, RC_INVALID, "steps wait for each other: %s", b.at != NULL ? b.at : "");
	buf_deinit(&b);
	return RC_INVALID;
}

/* Depth first, in the order of the file, so that steps keep it where nothing else decides. At most as deep as there are steps. */
static enum rc place(struct ordering *o, size_t i, struct err *e)
{
	if (o->mark[i] == PLACED)
		return RC_OK;
	if (o->mark[i] == ON_PATH)
		return cycle(o, i, e);
	o->mark[i] = ON_PATH;
	o->path[o->n_path++] = i;
	for (size_t k = 0; k < o->p->steps.n; k++) {
		if (reads(&o->tables[i], step_at(o->p, k)->name))
			TRY(place(o, k, e));
	}
	o->n_path--;
	o->mark[i] = PLACED;
	o->index[o->n++] = i;
	return RC_OK;
}

enum rc lake__order(const struct pipeline *p, const struct list *tables, size_t *index, struct err *e)
{
	struct ordering o = { .p = p, .tables = tables, .index = index };

	CHECK(p->steps.n <= PIPELINE_STEPS_MAX);
	for (size_t i = 0; i < p->steps.n; i++)
		TRY(place(&o, i, e));
	CHECK(o.n == p->steps.n);
	return RC_OK;
}

enum rc lake__plan(struct query *q, const struct pipeline *p, struct arena *a, struct list **tables_out, size_t **order_out,
		   struct err *e)
{
	struct list *tables = ARENA_ARRAY(a, struct list, p->steps.n);
	size_t *order = ARENA_ARRAY(a, size_t, p->steps.n);

	for (size_t i = 0; i < p->steps.n; i++)
		TRY(lake__tables_of(q, step_at(p, i)->sql, a, &tables[i], e));
	TRY(lake__order(p, tables, order, e));
	*tables_out = tables;
	*order_out = order;
	return RC_OK;
}

/* --- errors with their place ----------------------------------------------------------------------------------------- */

/* The line of the file on which the SQL begins, found by its first line; 0 when it is not there as it is. */
static int64_t line_in_file(const struct definition_source *from, str sql)
{
	str body = str_trim(sql), first = body, text = from->text;
	int64_t line = 1;

	if (!str_cut(&body, '\n', &first))
		return 0;
	ptrdiff_t at = first.len > 0 ? str_find(text, str_trim(first)) : -1;
	for (ptrdiff_t i = 0; i < at; i++)
		line += text.at[i] == '\n';
	return at < 0 ? 0 : line;
}

/* "SQL, line 3, column 8: …" and "… (line 3)" tell a line of the SQL; 1 when the message tells none. */
static int64_t line_in_sql(const char *msg)
{
	str m = str_of(msg);
	ptrdiff_t at = str_find(m, STR("line "));
	int64_t line = 0;

	if (at < 0)
		return 1;
	for (size_t i = (size_t)at + 5; i < m.len && m.at[i] >= '0' && m.at[i] <= '9' && line < 1000000; i++)
		line = line * 10 + (m.at[i] - '0');
	return line > 0 ? line : 1;
}

static enum rc step_error(const struct definition_source *from, const struct pipeline_step *s, size_t i, struct err *e)
{
	int64_t line = line_in_file(from, s->sql);

	line = line > 0 ? line + line_in_sql(e->msg) - 1 : 0;
	(void)err_field(e, "steps[%zu].sql", i);
	(void)err_wrap(e, "step '" STR_FMT "'", STR_ARG(s->name));
	if (line > 0 && from->name.len > 0)
		(void)err_wrap(e, STR_FMT ":%lld", STR_ARG(from->name), (long long)line);
	return e->rc;
}

/* --- against the data ------------------------------------------------------------------------------------------------- */

struct checking {
	struct lake *l;
	const struct pipeline *p;
	const struct definition_source *from;
	struct arena *a;
	struct query *q;
	struct list *tables;
	size_t *order;
	bool *bound;                    /* per step: its tables and columns are known */
	VEC(str) missing;
};

static enum rc bind_inputs(struct checking *c, struct err *e)
{
	struct dataset_version v;

	for (size_t i = 0; i < c->p->inputs.n; i++) {
		str name = *LIST_AT(c->p->inputs, const str, i);
		if (lake_version(c->l, c->a, name, 0, &v, e) == RC_OK)
			TRY(lake_bind(c->l, c->q, name, &v, e));
		else if (e->rc == RC_NOT_FOUND)
			*VEC_PUSH(c->a, &c->missing) = name;
		else
			return e->rc;
	}
	return RC_OK;
}

static bool can_bind(const struct checking *c, size_t i)
{
	for (size_t k = 0; k < c->missing.n; k++) {
		if (reads(&c->tables[i], c->missing.at[k]))
			return false;
	}
	for (size_t k = 0; k < c->p->steps.n; k++) {
		if (k != i && !c->bound[k] && reads(&c->tables[i], step_at(c->p, k)->name))
			return false;
	}
	return true;
}

static enum rc check_gates(const struct list *gates, const struct col *col, size_t n, const char *where, size_t i,
			   struct err *e)
{
	for (size_t k = 0; k < gates->n; k++) {
		const struct gate *g = LIST_AT(*gates, const struct gate, k);
		if (lake__gate_fits(g, col, n, e) == RC_OK)
			continue;
		(void)err_field(e, "%s[%zu].gates[%zu]", where, i, k);
		return err_wrap(e, "%s[%zu].gates[%zu] (%s)", where, i, k, gate_kind_names[g->kind]);
	}
	return RC_OK;
}

static enum rc check_step_gates(struct checking *c, size_t i, const struct col *col, size_t n, struct err *e)
{
	TRY(check_gates(&step_at(c->p, i)->gates, col, n, "steps", i, e));
	for (size_t k = 0; k < c->p->outputs.n; k++) {
		const struct pipeline_output *o = LIST_AT(c->p->outputs, const struct pipeline_output, k);
		if (str_eq_nocase(o->step, step_at(c->p, i)->name))
			TRY(check_gates(&o->gates, col, n, "outputs", k, e));
	}
	return RC_OK;
}

static enum rc check_bound(struct checking *c, size_t i, struct err *e)
{
	const struct pipeline_step *s = step_at(c->p, i);
	struct col *col;
	size_t n;

	if (query_describe(c->q, s->sql, c->a, &col, &n, e) != RC_OK || query_define(c->q, s->name, s->sql, false, e) != RC_OK)
		return step_error(c->from, s, i, e);
	for (size_t k = 0; k < n; k++) {
		for (size_t m = 0; m < k; m++) {
			if (str_eq_nocase(col[k].name, col[m].name)) {
				(void)FAIL(e, RC_INVALID, "two columns are named '" STR_FMT "'", STR_ARG(col[k].name));
				return step_error(c->from, s, i, e);
			}
		}
	}
	TRY(check_step_gates(c, i, col, n, e));
	c->bound[i] = true;
	return RC_OK;
}

static enum rc check_with(struct checking *c, struct err *e)
{
	const struct pipeline *p = c->p;

	for (size_t i = 0; i < p->steps.n; i++) {
		if (query_check(c->q, step_at(p, i)->sql, e) != RC_OK)
			return step_error(c->from, step_at(p, i), i, e);
	}
	TRY(lake__plan(c->q, p, c->a, &c->tables, &c->order, e));
	TRY(bind_inputs(c, e));
	TRY(query_sandbox(c->q, e));
	query_time_limit(c->q, (uint32_t)c->l->config.query_ms);
	c->bound = ARENA_ARRAY(c->a, bool, p->steps.n);
	for (size_t k = 0; k < p->steps.n; k++) {
		if (can_bind(c, c->order[k]))
			TRY(check_bound(c, c->order[k], e));
	}
	return RC_OK;
}

static enum rc check(struct checking *c, struct err *e)
{
	TRY(query_open(c->l->core->query, &c->q, e));
	enum rc rc = check_with(c, e);
	query_close(&c->q);
	return rc;
}

/* --- applying ------------------------------------------------------------------------------------------------------------ */

enum rc lake__pipeline_apply(struct lake *l, const struct pipeline *p, const struct definition_source *from,
			     const struct principal *who, struct arena *a, struct apply_result *out, struct err *e)
{
	struct checking c = { .l = l, .p = p, .from = from, .a = a };
	char digest[SHA256_HEX + 1];

	OBJ_CHECK(l, LAKE_MAGIC);
	TRY(check(&c, e));
	str definition = record_to_json(&pipeline_record, p, 0, a);
	sha256_hex(definition, digest);
	struct pipeline_row row = {
		.name = p->name, .description = p->description, .definition = definition, .digest = str_of(digest)
	};
	TRY(lake__pipeline_put(l, &row, p, who, &out->changed, e));
	str *order = ARENA_ARRAY(a, str, p->steps.n);
	for (size_t i = 0; i < p->steps.n; i++)
		order[i] = step_at(p, c.order[i])->name;
	out->name = p->name;
	out->revision = row.revision;
	out->order = (struct list){ order, p->steps.n };
	out->missing_inputs = (struct list)LIST_OF(c.missing);
	return RC_OK;
}
