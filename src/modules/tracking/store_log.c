/* store_log.c -- what runs log, and reading it back.
 *
 * A point is stored once: the key of metric_points is the whole point, so a batch that is sent again changes nothing.
 * run_metrics holds the latest point of each (run, key) and the number of its series. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "modules/tracking/store.h"

#define ROWS_AT_ONCE 64         /* points in one INSERT */
#define FEW_KEYS 3              /* up to here keys are looked up one by one */

/* The latest point of a series, as it is and as it will be. */
struct series_state {
	str key;
	int64_t series, at, step;
	double value;
	bool is_nan, known, changed;
};

struct logging {
	struct tracking *t;
	struct tx *tx;
	struct arena *a;
	const struct log_batch *b;
	struct map states;              /* key → series_state */
};

/* Sorts by time, so that new series append; unique in this process, and by its low bits among several. */
static int64_t new_series(struct tracking *t)
{
	int64_t id = (clock_ms() << 21) | (int64_t)(rng_u64() & 0x1fffff);

	t->last_series = id > t->last_series ? id : t->last_series + 1;
	return t->last_series;
}

static enum rc state_row(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct logging *l = ctx;
	struct series_state *s = map_find(&l->states, row[0].s);

	(void)n_col;
	(void)e;
	if (s == NULL)
		return RC_OK;
	s->series = row[1].i;
	s->at = row[2].i;
	s->step = row[3].i;
	s->value = row[4].kind == VAL_I64 ? (double)row[4].i : row[4].f;
	s->is_nan = row[5].i != 0;
	s->known = true;
	return RC_OK;
}

#define STATE_SELECT "SELECT key, series, at, step, value, is_nan FROM run_metrics WHERE run = ?"

static enum rc load_states(struct logging *l, struct err *e)
{
	for (size_t i = 0; i < l->b->n_metric; i++) {
		if (map_find(&l->states, l->b->metric[i].key) != NULL)
			continue;
		struct series_state *s = ARENA_NEW(l->a, struct series_state);
		s->key = l->b->metric[i].key;
		(void)map_put(&l->states, s->key, s);
	}
	if (l->states.n > FEW_KEYS)
		return db_each(l->tx, STATE_SELECT, VALS(V_STR(l->b->run_id)), state_row, l, e);
	for (size_t i = 0; i < l->states.n; i++)
		TRY(db_each(l->tx, STATE_SELECT " AND key = ?", VALS(V_STR(l->b->run_id), V_STR(l->states.entry[i].key)), state_row, l, e));
	return RC_OK;
}

/* A point replaces the latest when (step, time, value) is greater; NaN counts as 0, as MLflow stores it. */
static bool is_later(const struct metric *m, double value, const struct series_state *s)
{
	if (m->step != s->step)
		return m->step > s->step;
	if (m->time_ms != s->at)
		return m->time_ms > s->at;
	return value > s->value;
}

static void note_latest(struct logging *l, const struct metric *m, struct series_state *s)
{
	double value = isnan(m->value) ? 0 : m->value;

	if (s->series == 0)
		s->series = new_series(l->t);
	else if (!is_later(m, value, s))
		return;
	s->at = m->time_ms;
	s->step = m->step;
	s->value = value;
	s->is_nan = isnan(m->value);
	s->changed = true;
}

static enum rc insert_points(struct logging *l, const struct metric *m, size_t n, struct err *e)
{
	struct val v[ROWS_AT_ONCE * 5];
	struct buf sql = BUF_INIT(8192);
	size_t k = 0;

	CHECK(n <= ROWS_AT_ONCE);
	buf_add(&sql, STR("INSERT INTO metric_points (series, at, step, value, is_nan) VALUES "));
	for (size_t i = 0; i < n; i++) {
		const struct series_state *s = map_find(&l->states, m[i].key);
		bool nan = isnan(m[i].value);
		buf_add(&sql, i > 0 ? STR(", (?, ?, ?, ?, ?)") : STR("(?, ?, ?, ?, ?)"));
		v[k++] = V_I64(s->series);
		v[k++] = V_I64(m[i].time_ms);
		v[k++] = V_I64(m[i].step);
		v[k++] = V_F64(nan ? 0 : m[i].value);
		v[k++] = V_I64(nan);
	}
	buf_add(&sql, STR(" ON CONFLICT DO NOTHING"));
	CHECK(!sql.overflowed);
	enum rc rc = db_exec(l->tx, sql.at, v, k, NULL, e);
	buf_deinit(&sql);
	return rc;
}

static enum rc put_states(struct logging *l, struct err *e)
{
	for (size_t i = 0; i < l->states.n; i++) {
		const struct series_state *s = l->states.entry[i].value;
		if (!s->changed)
			continue;
		TRY(db_exec(l->tx,
			    "INSERT INTO run_metrics (run, key, series, at, step, value, is_nan) VALUES (?, ?, ?, ?, ?, ?, ?)"
			    " ON CONFLICT (run, key) DO UPDATE SET at = excluded.at, step = excluded.step, value = excluded.value,"
			    " is_nan = excluded.is_nan",
			    VALS(V_STR(l->b->run_id), V_STR(s->key), V_I64(s->series), V_I64(s->at), V_I64(s->step), V_F64(s->value),
				 V_I64(s->is_nan)),
			    NULL, e));
	}
	return RC_OK;
}

/* Metrics that name a logged model count for it too. */
static enum rc put_model_metrics(struct logging *l, struct err *e)
{
	for (size_t i = 0; i < l->b->n_metric; i++) {
		const struct metric *m = &l->b->metric[i];
		if (m->model_id.len == 0)
			continue;
		TRY(db_exec(l->tx,
			    "INSERT INTO logged_model_metrics (model, key, at, step, run, value, is_nan, dataset_name, dataset_digest)"
			    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			    VALS(V_STR(m->model_id), V_STR(m->key), V_I64(m->time_ms), V_I64(m->step), V_STR(l->b->run_id),
				 V_F64(isnan(m->value) ? 0 : m->value), V_I64(isnan(m->value)), V_STR(m->dataset_name),
				 V_STR(m->dataset_digest)),
			    NULL, e));
	}
	return RC_OK;
}

static enum rc log_metrics(struct logging *l, struct err *e)
{
	map_init(&l->states, l->a);
	TRY(load_states(l, e));
	for (size_t i = 0; i < l->b->n_metric; i++)
		note_latest(l, &l->b->metric[i], map_find(&l->states, l->b->metric[i].key));
	for (size_t i = 0; i < l->b->n_metric;) {
		size_t left = l->b->n_metric - i;
		/* Two lengths of statement, so that each is prepared once. */
		size_t n = left >= ROWS_AT_ONCE ? ROWS_AT_ONCE : left >= 8 ? 8 : 1;
		TRY(insert_points(l, l->b->metric + i, n, e));
		i += n;
	}
	TRY(put_states(l, e));
	return put_model_metrics(l, e);
}

static enum rc log_param(struct logging *l, const struct pair *p, struct err *e)
{
	int64_t changed = 0;
	struct rows rows;

	TRY(db_exec(l->tx, "INSERT INTO run_params (run, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		    VALS(V_STR(l->b->run_id), V_STR(p->key), V_STR(p->value)), &changed, e));
	if (changed > 0)
		return RC_OK;
	TRY(db_query(l->tx, l->a, "SELECT value FROM run_params WHERE run = ? AND key = ?", VALS(V_STR(l->b->run_id), V_STR(p->key)),
		     &rows, e));
	str old = rows_at(&rows, 0, 0)->s;
	if (str_eq(old, p->value))
		return RC_OK;
	return FAIL(e, RC_INVALID, "Changing param values is not allowed. Param with key='" STR_FMT "' was already logged with value='" STR_FMT
		    "' for run ID='" STR_FMT "'. Attempted logging new value '" STR_FMT "'.", STR_ARG(mlflow_truncate(p->key, 60)),
		    STR_ARG(mlflow_truncate(old, 60)), STR_ARG(l->b->run_id), STR_ARG(mlflow_truncate(p->value, 60)));
}

static enum rc log_tag(struct logging *l, const struct pair *p, struct err *e)
{
	bool is_name = str_eq(p->key, STR(RUN_NAME_TAG));

	if (is_name && p->value.len == 0)
		return RC_OK;   /* a run has a name */
	TRY(db_exec(l->tx,
		    "INSERT INTO run_tags (run, key, value) VALUES (?, ?, ?)"
		    " ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
		    VALS(V_STR(l->b->run_id), V_STR(p->key), V_STR(p->value)), NULL, e));
	if (is_name)
		return db_exec(l->tx, "UPDATE runs SET name = ? WHERE id = ?", VALS(V_STR(p->value), V_STR(l->b->run_id)), NULL, e);
	return RC_OK;
}

enum rc store_log(struct tracking *t, struct tx *tx, struct arena *a, const struct log_batch *b, struct err *e)
{
	struct logging l = { .t = t, .tx = tx, .a = a, .b = b };
	struct run_info run;

	TRY(store_run_active(tx, a, b->run_id, &run, e));
	for (size_t i = 0; i < b->n_param; i++)
		TRY(log_param(&l, &b->param[i], e));
	if (b->n_metric > 0)
		TRY(log_metrics(&l, e));
	for (size_t i = 0; i < b->n_tag; i++)
		TRY(log_tag(&l, &b->tag[i], e));
	return RC_OK;
}

/* --- history -------------------------------------------------------------------------------------------- */

struct points {
	struct arena *a;
	str key, run_id;
	VEC(struct metric) out;
};

static enum rc point_row(void *ctx, const struct val *row, size_t n_col, struct err *e)
{
	struct points *p = ctx;
	double value = row[2].kind == VAL_I64 ? (double)row[2].i : row[2].f;

	(void)n_col;
	(void)e;
	*VEC_PUSH(p->a, &p->out) = (struct metric){ .key = p->key, .run_id = p->run_id, .time_ms = row[0].i, .step = row[1].i,
						    .value = row[3].i != 0 ? (double)NAN : value };
	return RC_OK;
}

static enum rc find_series(struct tx *tx, struct arena *a, str run_id, str key, int64_t *out, struct err *e)
{
	struct rows rows;

	TRY(db_query(tx, a, "SELECT series FROM run_metrics WHERE run = ? AND key = ?", VALS(V_STR(run_id), V_STR(key)), &rows, e));
	*out = rows.n > 0 ? rows_at(&rows, 0, 0)->i : 0;
	return RC_OK;
}

enum rc store_history(struct tx *tx, struct arena *a, const struct history_read *h, struct list *out, struct err *e)
{
	struct points p = { .a = a, .key = h->key };
	int64_t series;

	*out = (struct list){ 0 };
	TRY(find_series(tx, a, h->run_id, h->key, &series, e));
	if (series == 0)
		return RC_OK;
	TRY(db_each(tx,
		    "SELECT at, step, value, is_nan FROM metric_points WHERE series = ? ORDER BY at, step, value, is_nan LIMIT ? OFFSET ?",
		    VALS(V_I64(series), V_I64(h->limit > 0 ? h->limit : INT64_MAX), V_I64(h->offset)), point_row, &p, e));
	*out = LIST_OF(p.out);
	return RC_OK;
}

enum rc store_history_sample(struct tx *tx, struct arena *a, const struct sample_read *s, struct list *out, struct err *e)
{
	struct points p = { .a = a, .key = s->key, .run_id = s->run_id };
	int64_t series, from = s->bounded ? s->from_step : INT64_MIN, to = s->bounded ? s->to_step : INT64_MAX;
	struct rows count;

	p.out.at = out->at;
	p.out.n = p.out.cap = out->n;
	TRY(find_series(tx, a, s->run_id, s->key, &series, e));
	if (series == 0)
		return RC_OK;
	TRY(db_query(tx, a, "SELECT COUNT(*) FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?",
		     VALS(V_I64(series), V_I64(from), V_I64(to)), &count, e));
	/* Of rows 0 … n-1 those are kept at which i * (max - 1) / (n - 1) grows: max of them, even, both ends among them. */
	int64_t last = rows_at(&count, 0, 0)->i - 1, parts = s->max - 1, of = last > 0 ? last : 1;
	TRY(db_each(tx,
		    "SELECT at, step, value, is_nan FROM (SELECT at, step, value, is_nan,"
		    " ROW_NUMBER() OVER (ORDER BY step, at, value, is_nan) - 1 AS i FROM metric_points"
		    " WHERE series = ? AND step BETWEEN ? AND ?) AS numbered"
		    " WHERE i = ? OR (? > 1 AND (i = 0 OR i * ? / ? <> (i - 1) * ? / ?)) ORDER BY i",
		    VALS(V_I64(series), V_I64(from), V_I64(to), V_I64(last), V_I64(s->max), V_I64(parts), V_I64(of), V_I64(parts), V_I64(of)),
		    point_row, &p, e));
	*out = LIST_OF(p.out);
	return RC_OK;
}
