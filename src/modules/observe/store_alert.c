/* store_alert.c -- alert rules, states and history, and samples of metrics, in the metadata database. */
#include "modules/observe/observe_int.h"

#include <math.h>

#include "base/clock.h"
#include "base/id.h"
#include "core/event.h"
#include "core/store.h"

struct put_rules { const struct list *rules; const struct principal *who; struct arena a; };

static enum rc put_rule(struct tx *tx, struct put_rules *p, const struct alert_rule *given, struct err *e)
{
	struct alert_rule r = *given, former = { 0 };
	bool found = false;

	TRY(store_find(tx, &p->a, &alert_rule_record, "WHERE name = ?", VALS(V_STR(r.name)), &former, &found, e));
	r.updated_ms = clock_ms();
	r.created_ms = found ? former.created_ms : r.updated_ms;
	TRY(store_put(tx, &alert_rule_record, &r, e));
	TRY(db_exec(tx,
		    "INSERT INTO alerts (rule, state, value, n, since, evaluated_at, message) VALUES (?, 0, NULL, 0, ?, 0, ?)"
		    " ON CONFLICT (rule) DO NOTHING",
		    VALS(V_STR(r.name), V_I64(r.updated_ms), V_CSTR("not evaluated yet")), NULL, e));
	return event_audit(tx, p->who, "alert_rule.apply", arena_printf(&p->a, "alert_rule:" STR_FMT, STR_ARG(r.name)),
			   record_to_json(&alert_rule_record, &r, 0, &p->a), e);
}

static enum rc put_rules(struct tx *tx, void *ctx, struct err *e)
{
	struct put_rules *p = ctx;

	for (size_t i = 0; i < p->rules->n; i++)
		TRY(put_rule(tx, p, LIST_AT(*p->rules, const struct alert_rule, i), e));
	return RC_OK;
}

enum rc observe__rules_put(struct db *db, const struct list *rules, const struct principal *who, struct err *e)
{
	struct put_rules p = { .rules = rules, .who = who };

	arena_init(&p.a);
	enum rc rc = db_write(db, put_rules, &p, e);
	arena_deinit(&p.a);
	return rc;
}

struct delete_rule { str name; const struct principal *who; };

static enum rc delete_rule(struct tx *tx, void *ctx, struct err *e)
{
	const struct delete_rule *d = ctx;
	char object[192];

	TRY(store_delete(tx, &alert_rule_record, &(struct alert_rule){ .name = d->name }, e));
	TRY(db_exec(tx, "DELETE FROM alerts WHERE rule = ?", VALS(V_STR(d->name)), NULL, e));
	TRY(db_exec(tx, "DELETE FROM alert_history WHERE rule = ?", VALS(V_STR(d->name)), NULL, e));
	struct buf b = BUF_INIT(sizeof(object));
	buf_addf(&b, "alert_rule:" STR_FMT, STR_ARG(d->name));
	enum rc rc = event_audit(tx, d->who, "alert_rule.delete", buf_str(&b), STR_NONE, e);
	buf_deinit(&b);
	return rc;
}

enum rc observe__rule_delete(struct db *db, str name, const struct principal *who, struct err *e)
{
	struct delete_rule d = { name, who };

	return db_write(db, delete_rule, &d, e);
}

enum rc observe__rules(struct db *db, struct arena *a, struct list *out, struct err *e)
{
	return store_list1(db, a, &alert_rule_record, "ORDER BY name", NO_VALS, out, e);
}

/* --- states ------------------------------------------------------------------------------------------------ */

struct apply { const struct alert_rule *rule; const struct alert_measure *m; int64_t now_ms; struct arena a; };

static enum rc record_move(struct tx *tx, const struct apply *x, enum alert_state from, enum alert_state to, struct err *e)
{
	struct alert_event event = { .rule = x->rule->name, .at_ms = x->now_ms, .from = from, .to = to, .value = x->m->value,
				     .bound = x->rule->bound, .message = x->m->message };
	char id[ID_TEXT_MAX];
	struct arena a;

	CHECK(alert_may[from][to]);
	id_put(id, "al");
	event.id = str_of(id);
	TRY(store_insert(tx, &alert_event_record, &event, e));
	if (to != ALERT_FIRING && to != ALERT_RESOLVED)
		return RC_OK;
	arena_init(&a);
	enum rc rc = event_audit(tx, &principal_system, to == ALERT_FIRING ? "alert.firing" : "alert.resolved",
				 arena_printf(&a, "alert_rule:" STR_FMT, STR_ARG(x->rule->name)),
				 record_to_json(&alert_event_record, &event, 0, &a), e);
	arena_deinit(&a);
	return rc;
}

static enum rc apply_measure(struct tx *tx, void *ctx, struct err *e)
{
	struct apply *x = ctx;
	struct rows rows;

	TRY(db_query(tx, &x->a, "SELECT state, since FROM alerts WHERE rule = ?", VALS(V_STR(x->rule->name)), &rows, e));
	if (rows.n == 0)
		return RC_OK;   /* the rule was deleted meanwhile */
	int64_t stored = rows_at(&rows, 0, 0)->i, since = rows_at(&rows, 0, 1)->i;
	if (stored < 0 || stored > ALERT_RESOLVED)
		return FAIL(e, RC_INTERNAL, "alert '" STR_FMT "' has the unknown state %lld", STR_ARG(x->rule->name), (long long)stored);
	enum alert_state state = (enum alert_state)stored;
	bool breach = alert_breaches(x->rule, x->m);
	for (;;) {
		enum alert_state next = alert_next(state, breach, since, x->rule->for_ms, x->now_ms);
		if (next == state)
			break;
		TRY(record_move(tx, x, state, next, e));
		state = next;
		since = x->now_ms;
	}
	return db_exec(tx, "UPDATE alerts SET state = ?, value = ?, n = ?, since = ?, evaluated_at = ?, message = ? WHERE rule = ?",
		       VALS(V_I64(state), x->m->known ? V_F64(x->m->value) : V_NULL, V_I64(x->m->n), V_I64(since), V_I64(x->now_ms),
			    V_STR(x->m->message), V_STR(x->rule->name)),
		       NULL, e);
}

enum rc observe__alert_apply(struct db *db, const struct alert_rule *r, const struct alert_measure *m, int64_t now_ms, struct err *e)
{
	struct apply x = { .rule = r, .m = m, .now_ms = now_ms };

	arena_init(&x.a);
	enum rc rc = db_write(db, apply_measure, &x, e);
	arena_deinit(&x.a);
	return rc;
}

struct read_alerts { struct arena *a; struct list *out; };

static enum rc read_alerts(struct tx *tx, void *ctx, struct err *e)
{
	struct read_alerts *x = ctx;
	struct list rules;

	TRY(store_list(tx, x->a, &alert_rule_record, "ORDER BY name", NO_VALS, &rules, e));
	struct alert_row *row = ARENA_ARRAY(x->a, struct alert_row, rules.n);
	for (size_t i = 0; i < rules.n; i++) {
		const struct alert_rule *r = LIST_AT(rules, const struct alert_rule, i);
		struct rows rows;
		row[i] = (struct alert_row){ .rule = r->name, .metric = r->metric, .endpoint = r->endpoint, .column = r->column, .doc = r->doc,
					     .op = r->op, .severity = r->severity, .bound = r->bound, .for_ms = r->for_ms };
		TRY(db_query(tx, x->a, "SELECT state, value, n, since, evaluated_at, message FROM alerts WHERE rule = ?",
			     VALS(V_STR(r->name)), &rows, e));
		if (rows.n == 0)
			continue;
		int64_t state = rows_at(&rows, 0, 0)->i;
		if (state < 0 || state > ALERT_RESOLVED)
			return FAIL(e, RC_INTERNAL, "alert '" STR_FMT "' has the unknown state %lld", STR_ARG(r->name), (long long)state);
		row[i].state = (int32_t)state;
		row[i].value = rows_at(&rows, 0, 1)->kind == VAL_F64 ? rows_at(&rows, 0, 1)->f : 0;
		row[i].n = rows_at(&rows, 0, 2)->i;
		row[i].since_ms = rows_at(&rows, 0, 3)->i;
		row[i].evaluated_ms = rows_at(&rows, 0, 4)->i;
		row[i].message = rows_at(&rows, 0, 5)->s;
	}
	*x->out = (struct list){ row, rules.n };
	return RC_OK;
}

enum rc observe__alerts(struct db *db, struct arena *a, struct list *out, struct err *e)
{
	struct read_alerts x = { a, out };

	return db_read(db, read_alerts, &x, e);
}

enum rc observe__alert_history(struct db *db, struct arena *a, str rule, int64_t limit, struct list *out, struct err *e)
{
	if (rule.len == 0)
		return store_list1(db, a, &alert_event_record, "ORDER BY id DESC LIMIT ?", VALS(V_I64(limit)), out, e);
	return store_list1(db, a, &alert_event_record, "WHERE rule = ? ORDER BY id DESC LIMIT ?", VALS(V_STR(rule), V_I64(limit)), out, e);
}

/* --- samples ------------------------------------------------------------------------------------------------- */

struct put_samples { int64_t at_ms, keep_from_ms; const struct sample *s; size_t n; };

static enum rc put_samples(struct tx *tx, void *ctx, struct err *e)
{
	const struct put_samples *p = ctx;

	for (size_t i = 0; i < p->n; i++)
		TRY(db_exec(tx, "INSERT INTO series_samples (name, labels, at, value) VALUES (?, ?, ?, ?) ON CONFLICT (name, labels, at) DO NOTHING",
			    VALS(V_STR(p->s[i].name), V_STR(p->s[i].labels), V_I64(p->at_ms),
				 isfinite(p->s[i].value) ? V_F64(p->s[i].value) : V_NULL),
			    NULL, e));
	return db_exec(tx, "DELETE FROM series_samples WHERE at < ?", VALS(V_I64(p->keep_from_ms)), NULL, e);
}

enum rc observe__samples_put(struct db *db, int64_t at_ms, const struct sample *s, size_t n, int64_t keep_from_ms, struct err *e)
{
	struct put_samples p = { at_ms, keep_from_ms, s, n };

	return db_write(db, put_samples, &p, e);
}

enum rc observe__samples(struct db *db, struct arena *a, str name, int64_t since_ms, struct list *out, struct err *e)
{
	VEC(struct series_rows) series = { 0 };
	struct rows rows;

	TRY(db_query1(db, a, "SELECT labels, at, value FROM series_samples WHERE name = ? AND at >= ? AND value IS NOT NULL ORDER BY labels, at",
		      VALS(V_STR(name), V_I64(since_ms)), &rows, e));
	int64_t *at = ARENA_ARRAY(a, int64_t, rows.n);
	double *value = ARENA_ARRAY(a, double, rows.n);
	for (size_t i = 0; i < rows.n; i++) {
		str labels = rows_at(&rows, i, 0)->s;
		at[i] = rows_at(&rows, i, 1)->i;
		value[i] = rows_at(&rows, i, 2)->f;
		if (series.n == 0 || !str_eq(series.at[series.n - 1].labels, labels))
			*VEC_PUSH(a, &series) = (struct series_rows){ .name = name, .labels = labels, .at = { at + i, 0 }, .value = { value + i, 0 } };
		series.at[series.n - 1].at.n++;
		series.at[series.n - 1].value.n++;
	}
	*out = LIST_OF(series);
	return RC_OK;
}
