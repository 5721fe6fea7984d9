/* store.c -- predictions, labels, alerts and samples in the metadata database. */
#include "modules/observe/observe_int.h"

#include <math.h>

#include "base/clock.h"
#include "base/map.h"
#include "core/store.h"

const struct migration observe_migrations[] = {
	{ 1,
	  "CREATE TABLE predictions (id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, revision BIGINT NOT NULL, model TEXT NOT NULL,"
	  " version BIGINT NOT NULL, at BIGINT NOT NULL, inputs TEXT NOT NULL, output_name TEXT NOT NULL, output DOUBLE PRECISION,"
	  " latency_ms DOUBLE PRECISION NOT NULL, request_id TEXT NOT NULL, view_ids TEXT NOT NULL, log TEXT NOT NULL, seq BIGINT NOT NULL);\n"
	  "CREATE INDEX predictions_at ON predictions (at);\n"
	  "CREATE INDEX predictions_endpoint ON predictions (endpoint, at);\n"
	  "CREATE UNIQUE INDEX predictions_seq ON predictions (log, seq);\n"
	  "CREATE TABLE prediction_logs (log TEXT PRIMARY KEY, segment BIGINT NOT NULL, place BIGINT NOT NULL, next_seq BIGINT NOT NULL);\n"
	  "CREATE TABLE prediction_labels (prediction_id TEXT PRIMARY KEY, value DOUBLE PRECISION NOT NULL, labelled_at BIGINT NOT NULL,"
	  " who TEXT NOT NULL);\n"
	  "CREATE TABLE alert_rules (name TEXT PRIMARY KEY, metric TEXT NOT NULL, endpoint TEXT NOT NULL, \"column\" TEXT NOT NULL,"
	  " labels TEXT NOT NULL, op BIGINT NOT NULL, bound DOUBLE PRECISION NOT NULL, \"for\" BIGINT NOT NULL, \"window\" BIGINT NOT NULL,"
	  " min_samples BIGINT NOT NULL, severity BIGINT NOT NULL, doc TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);\n"
	  "CREATE TABLE alerts (rule TEXT PRIMARY KEY, state BIGINT NOT NULL, value DOUBLE PRECISION, n BIGINT NOT NULL,"
	  " since BIGINT NOT NULL, evaluated_at BIGINT NOT NULL, message TEXT NOT NULL);\n"
	  "CREATE TABLE alert_history (id TEXT PRIMARY KEY, rule TEXT NOT NULL, at BIGINT NOT NULL, from_state BIGINT NOT NULL,"
	  " to_state BIGINT NOT NULL, value DOUBLE PRECISION, bound DOUBLE PRECISION NOT NULL, message TEXT NOT NULL);\n"
	  "CREATE INDEX alert_history_rule ON alert_history (rule, id);\n"
	  "CREATE TABLE series_samples (name TEXT NOT NULL, labels TEXT NOT NULL, at BIGINT NOT NULL, value DOUBLE PRECISION,"
	  " PRIMARY KEY (name, labels, at));\n"
	  "CREATE INDEX series_samples_at ON series_samples (at)" },
};
_Static_assert(ARRAY_LEN(observe_migrations) == OBSERVE_MIGRATIONS, "observe_int.h says how many");

/* --- predictions ---------------------------------------------------------------------------------------- */

static enum rc put_batch(struct tx *tx, void *ctx, struct err *e)
{
	const struct index_batch *b = ctx;

	for (size_t i = 0; i < b->n; i++) {
		const struct prediction_row *p = &b->row[i];
		TRY(db_exec(tx,
			    "INSERT INTO predictions (id, endpoint, revision, model, version, at, inputs, output_name, output, latency_ms,"
			    " request_id, view_ids, log, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
			    VALS(V_STR(p->id), V_STR(p->endpoint), V_I64(p->revision), V_STR(p->model), V_I64(p->version), V_I64(p->at_ms),
				 V_STR(p->inputs), V_STR(p->output_name), isnan(p->output) ? V_NULL : V_F64(p->output),
				 V_F64(p->latency_ms), V_STR(p->request_id), V_STR(p->view_ids), V_STR(p->log), V_I64(p->seq)),
			    NULL, e));
	}
	return db_exec(tx,
		       "INSERT INTO prediction_logs (log, segment, place, next_seq) VALUES (?, ?, ?, ?) ON CONFLICT (log) DO UPDATE SET"
		       " segment = excluded.segment, place = excluded.place, next_seq = excluded.next_seq",
		       VALS(V_STR(b->log), V_I64((int64_t)b->place.segment), V_I64((int64_t)b->place.offset), V_I64((int64_t)b->next_seq)),
		       NULL, e);
}

enum rc observe__index_put(struct db *db, const struct index_batch *b, struct err *e)
{
	struct index_batch copy = *b;

	return db_write(db, put_batch, &copy, e);
}

enum rc observe__index_place(struct db *db, str log, struct predlog_place *place, uint64_t *next_seq, struct err *e)
{
	struct rows rows;
	struct arena a;

	arena_init(&a);
	enum rc rc = db_query1(db, &a, "SELECT segment, place, next_seq FROM prediction_logs WHERE log = ?", VALS(V_STR(log)), &rows, e);
	*place = (struct predlog_place){ 0, 0 };
	*next_seq = 1;
	if (rc == RC_OK && rows.n > 0) {
		*place = (struct predlog_place){ (uint64_t)rows_at(&rows, 0, 0)->i, (uint64_t)rows_at(&rows, 0, 1)->i };
		*next_seq = (uint64_t)rows_at(&rows, 0, 2)->i;
	}
	arena_deinit(&a);
	return rc;
}

struct find_row { struct arena *a; str id; struct prediction_row *out; bool found; };

static void set_label(struct prediction_row *p, double value)
{
	p->label = value;
	p->has |= UINT64_C(1) << record_field_index(&prediction_row_record, STR("label"));
}

static enum rc find_row(struct tx *tx, void *ctx, struct err *e)
{
	struct find_row *f = ctx;
	struct rows rows;

	TRY(store_find(tx, f->a, &prediction_row_record, "WHERE id = ?", VALS(V_STR(f->id)), f->out, &f->found, e));
	TRY(db_query(tx, f->a, "SELECT value FROM prediction_labels WHERE prediction_id = ?", VALS(V_STR(f->id)), &rows, e));
	if (f->found && rows.n > 0)
		set_label(f->out, rows_at(&rows, 0, 0)->f);
	return RC_OK;
}

enum rc observe__row_find(struct db *db, struct arena *a, str id, struct prediction_row *out, bool *found, struct err *e)
{
	struct find_row f = { .a = a, .id = id, .out = out };

	TRY(db_read(db, find_row, &f, e));
	*found = f.found;
	return RC_OK;
}

struct list_rows { struct arena *a; str endpoint; int64_t limit; struct list *out; };

static enum rc list_rows(struct tx *tx, void *ctx, struct err *e)
{
	struct list_rows *l = ctx;
	struct map by_id;
	struct rows rows;

	if (l->endpoint.len > 0) {
		TRY(store_list(tx, l->a, &prediction_row_record, "WHERE endpoint = ? ORDER BY at DESC, id DESC LIMIT ?",
			       VALS(V_STR(l->endpoint), V_I64(l->limit)), l->out, e));
		TRY(db_query(tx, l->a,
			     "SELECT prediction_id, value FROM prediction_labels WHERE prediction_id IN (SELECT id FROM predictions"
			     " WHERE endpoint = ? ORDER BY at DESC, id DESC LIMIT ?)",
			     VALS(V_STR(l->endpoint), V_I64(l->limit)), &rows, e));
	} else {
		TRY(store_list(tx, l->a, &prediction_row_record, "ORDER BY at DESC, id DESC LIMIT ?", VALS(V_I64(l->limit)), l->out, e));
		TRY(db_query(tx, l->a,
			     "SELECT prediction_id, value FROM prediction_labels WHERE prediction_id IN (SELECT id FROM predictions"
			     " ORDER BY at DESC, id DESC LIMIT ?)",
			     VALS(V_I64(l->limit)), &rows, e));
	}
	map_init(&by_id, l->a);
	for (size_t i = 0; i < l->out->n; i++) {
		struct prediction_row *p = LIST_AT(*l->out, struct prediction_row, i);
		map_put(&by_id, p->id, p);
	}
	for (size_t i = 0; i < rows.n; i++) {
		struct prediction_row *p = map_find(&by_id, rows_at(&rows, i, 0)->s);
		if (p != NULL)
			set_label(p, rows_at(&rows, i, 1)->f);
	}
	return RC_OK;
}

enum rc observe__row_list(struct db *db, struct arena *a, str endpoint, int64_t limit, struct list *out, struct err *e)
{
	struct list_rows l = { .a = a, .endpoint = endpoint, .limit = limit, .out = out };

	return db_read(db, list_rows, &l, e);
}

enum rc observe__row_window(struct db *db, struct arena *a, const struct window_of *w, struct list *out, struct err *e)
{
	return store_list1(db, a, &prediction_row_record,
			   "WHERE log = ? AND endpoint = ? AND model = ? AND version = ? AND seq <= ? ORDER BY seq DESC LIMIT ?",
			   VALS(V_STR(w->log), V_STR(w->endpoint), V_STR(w->model), V_I64(w->version), V_I64((int64_t)w->last_seq),
				V_I64(w->n)),
			   out, e);
}

enum rc observe__row_count(struct db *db, str log, uint64_t from_seq, struct prediction_count *out, struct err *e)
{
	struct rows rows;
	struct arena a;

	arena_init(&a);
	enum rc rc = db_query1(db, &a, "SELECT COUNT(*), COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0) FROM predictions WHERE log = ? AND seq >= ?",
			       VALS(V_STR(log), V_I64((int64_t)from_seq)), &rows, e);
	if (rc == RC_OK) {
		out->indexed = (uint64_t)rows_at(&rows, 0, 0)->i;
		out->first_seq = (uint64_t)rows_at(&rows, 0, 1)->i;
		out->last_seq = (uint64_t)rows_at(&rows, 0, 2)->i;
		out->gaps = out->indexed > 0 ? out->last_seq - out->first_seq + 1 - out->indexed : 0;
	}
	arena_deinit(&a);
	return rc;
}

struct prune { struct arena a; str log; int64_t before_ms; uint64_t first_kept; };

static enum rc prune_rows(struct tx *tx, void *ctx, struct err *e)
{
	struct prune *p = ctx;
	struct rows rows;
	int64_t n = 0;

	TRY(db_exec(tx, "DELETE FROM prediction_labels WHERE labelled_at < ?", VALS(V_I64(p->before_ms)), NULL, e));
	TRY(db_exec(tx, "DELETE FROM predictions WHERE at < ?", VALS(V_I64(p->before_ms)), &n, e));
	TRY(db_query(tx, &p->a, "SELECT COALESCE(MIN(seq), 0) FROM predictions WHERE log = ?", VALS(V_STR(p->log)), &rows, e));
	p->first_kept = n > 0 ? (uint64_t)rows_at(&rows, 0, 0)->i : 0;
	return RC_OK;
}

enum rc observe__rows_prune(struct db *db, str log, int64_t before_ms, uint64_t *first_kept, struct err *e)
{
	struct prune p = { .log = log, .before_ms = before_ms };

	arena_init(&p.a);
	enum rc rc = db_write(db, prune_rows, &p, e);
	arena_deinit(&p.a);
	*first_kept = p.first_kept;
	return rc;
}

/* --- labels and quality ---------------------------------------------------------------------------------- */

struct put_labels { const struct list *labels; const struct principal *who; int64_t n_matched, now_ms; };

static enum rc put_labels(struct tx *tx, void *ctx, struct err *e)
{
	struct put_labels *p = ctx;
	struct arena a;
	enum rc rc = RC_OK;

	p->n_matched = 0;
	arena_init(&a);
	for (size_t i = 0; i < p->labels->n && rc == RC_OK; i++) {
		const struct label *l = LIST_AT(*p->labels, const struct label, i);
		struct rows rows;
		rc = db_exec(tx,
			     "INSERT INTO prediction_labels (prediction_id, value, labelled_at, who) VALUES (?, ?, ?, ?)"
			     " ON CONFLICT (prediction_id) DO UPDATE SET value = excluded.value, labelled_at = excluded.labelled_at,"
			     " who = excluded.who",
			     VALS(V_STR(l->prediction_id), V_F64(l->value), V_I64(p->now_ms), V_STR(p->who->id)), NULL, e);
		if (rc == RC_OK)
			rc = db_query(tx, &a, "SELECT 1 FROM predictions WHERE id = ?", VALS(V_STR(l->prediction_id)), &rows, e);
		if (rc == RC_OK)
			p->n_matched += (int64_t)rows.n;
		arena_clear(&a);
	}
	arena_deinit(&a);
	return rc;
}

enum rc observe__labels_put(struct db *db, const struct list *labels, const struct principal *who, int64_t *n_matched, struct err *e)
{
	struct put_labels p = { .labels = labels, .who = who, .now_ms = clock_ms() };

	TRY(db_write(db, put_labels, &p, e));
	*n_matched = p.n_matched;
	return RC_OK;
}

struct quality_ask { struct arena *a; str endpoint; int64_t since_ms, part_ms; struct quality *out; };

#define ERRORS "AVG(ABS(p.output - l.value)), AVG((p.output - l.value) * (p.output - l.value)), AVG(p.output - l.value)"

static double number(const struct val *v)
{
	return v->kind == VAL_F64 ? v->f : v->kind == VAL_I64 ? (double)v->i : 0;
}

static enum rc read_quality(struct tx *tx, void *ctx, struct err *e)
{
	struct quality_ask *q = ctx;
	struct quality *out = q->out;
	struct rows rows;

	TRY(db_query(tx, q->a,
		     "SELECT COUNT(*), COUNT(l.value), " ERRORS ", AVG(l.value) FROM predictions p LEFT JOIN prediction_labels l"
		     " ON l.prediction_id = p.id WHERE p.endpoint = ? AND p.at >= ?",
		     VALS(V_STR(q->endpoint), V_I64(q->since_ms)), &rows, e));
	*out = (struct quality){ .endpoint = q->endpoint, .n_predictions = rows_at(&rows, 0, 0)->i, .n_labels = rows_at(&rows, 0, 1)->i,
				 .mae = number(rows_at(&rows, 0, 2)), .rmse = sqrt(number(rows_at(&rows, 0, 3))),
				 .bias = number(rows_at(&rows, 0, 4)), .label_mean = number(rows_at(&rows, 0, 5)) };
	if (q->part_ms <= 0)
		return RC_OK;
	TRY(db_query(tx, q->a,
		     "SELECT p.at - p.at % ?, COUNT(*), " ERRORS " FROM predictions p JOIN prediction_labels l ON l.prediction_id = p.id"
		     " WHERE p.endpoint = ? AND p.at >= ? GROUP BY 1 ORDER BY 1",
		     VALS(V_I64(q->part_ms), V_STR(q->endpoint), V_I64(q->since_ms)), &rows, e));
	struct quality_part *part = ARENA_ARRAY(q->a, struct quality_part, rows.n);
	for (size_t i = 0; i < rows.n; i++)
		part[i] = (struct quality_part){ .at_ms = rows_at(&rows, i, 0)->i, .n = rows_at(&rows, i, 1)->i,
						 .mae = number(rows_at(&rows, i, 2)), .rmse = sqrt(number(rows_at(&rows, i, 3))),
						 .bias = number(rows_at(&rows, i, 4)) };
	out->parts = (struct list){ part, rows.n };
	return RC_OK;
}

enum rc observe__quality(struct db *db, struct arena *a, str endpoint, int64_t since_ms, int64_t part_ms, struct quality *out,
			 struct err *e)
{
	struct quality_ask q = { .a = a, .endpoint = endpoint, .since_ms = since_ms, .part_ms = part_ms, .out = out };

	return db_read(db, read_quality, &q, e);
}
