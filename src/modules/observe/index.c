/* index.c -- from the prediction log into the database.
 *
 * A row's number in the log is stored with it, and how far the log was read in the same transaction, so a record is
 * indexed exactly once whatever is killed when. */
#include "modules/observe/observe_int.h"

#include <math.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#define BATCH_ROWS 2000

static str inputs_json(const struct log_watch *w, const struct log_prediction *p, struct buf *b, struct arena *a)
{
	struct jw j;

	buf_clear(b);
	jw_init(&j, b);
	jw_object(&j);
	for (size_t i = 0; i < p->n_input && i < w->n_input; i++) {
		jw_key(&j, w->input[i]);
		if (isnan(p->input[i]))
			jw_null(&j);
		else
			jw_f64(&j, p->input[i]);
	}
	jw_end_object(&j);
	return buf_to_arena(b, a);
}

typedef VEC(struct prediction_row) row_vec;

static enum rc read_batch(struct observe *o, struct arena *a, row_vec *rows, uint64_t *next_seq, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_REPLY);
	const struct log_watch *w;
	struct log_prediction p;
	enum rc rc = RC_OK;
	bool got = true;

	while (rows->n < BATCH_ROWS) {
		rc = predlog_next(o->reader, a, &w, &p, &got, e);
		if (rc != RC_OK || !got)
			break;
		*VEC_PUSH(a, rows) = (struct prediction_row){
			.id = p.id, .endpoint = w->endpoint, .revision = w->revision, .model = w->model, .version = w->version, .at_ms = p.at_ms,
			.inputs = inputs_json(w, &p, &b, a), .output_name = w->output, .output = p.output,
			.latency_ms = (double)p.latency_ns / 1e6, .request_id = p.request_id, .view_ids = p.view_ids, .log = o->log_id,
			.seq = (int64_t)p.seq,
		};
		*next_seq = p.seq + 1;
	}
	buf_deinit(&b);
	return rc;
}

static enum rc open_reader(struct observe *o, struct err *e)
{
	struct predlog_place place;
	uint64_t next_seq;

	TRY(observe__index_place(o->core->db, o->log_id, &place, &next_seq, e));
	return predlog_reader_open(o->log, place, &o->reader, e);
}

/* Until nothing is left of what was committed when it began, or a little more. */
static enum rc index_all(struct observe *o, struct err *e)
{
	uint64_t upto = predlog_next_seq(o->log), next_seq = 0;
	struct arena a;
	enum rc rc = RC_OK;

	if (o->reader == NULL)
		TRY(open_reader(o, e));
	arena_init(&a);
	for (;;) {
		row_vec rows = { 0 };
		arena_clear(&a);
		rc = read_batch(o, &a, &rows, &next_seq, e);
		if (rc != RC_OK || rows.n == 0)
			break;
		struct index_batch batch = { o->log_id, predlog_reader_place(o->reader), next_seq, rows.at, rows.n };
		rc = observe__index_put(o->core->db, &batch, e);
		if (rc != RC_OK || next_seq >= upto)
			break;
	}
	arena_deinit(&a);
	if (rc != RC_OK)
		predlog_reader_close(&o->reader);   /* read again from what the database knows */
	return rc;
}

enum rc observe__index_now(struct observe *o, struct err *e)
{
	pthread_mutex_lock(&o->index_mtx);
	enum rc rc = index_all(o, e);
	pthread_mutex_unlock(&o->index_mtx);
	return rc;
}

enum rc observe__index_timer(void *module, struct err *e)
{
	return observe__index_now(module, e);
}

static enum rc prune_rows(struct observe *o, int64_t before_ms, struct err *e)
{
	uint64_t first_kept = 0;

	pthread_mutex_lock(&o->index_mtx);
	enum rc rc = observe__rows_prune(o->core->db, o->log_id, before_ms, &first_kept, e);
	if (first_kept > o->kept_seq)
		o->kept_seq = first_kept;
	pthread_mutex_unlock(&o->index_mtx);
	return rc;
}

enum rc observe__prune_timer(void *module, struct err *e)
{
	struct observe *o = module;
	struct predlog_place place;
	uint64_t next_seq;

	TRY(observe__index_place(o->core->db, o->log_id, &place, &next_seq, e));
	pthread_mutex_lock(&o->mtx);
	enum rc rc = predlog_prune(o->log, place, (uint64_t)o->config.keep_log_mb << 20, e);
	pthread_mutex_unlock(&o->mtx);
	TRY(rc);
	return o->config.keep_ms > 0 ? prune_rows(o, clock_ms() - o->config.keep_ms, e) : RC_OK;
}

/* --- looking up ------------------------------------------------------------------------------------------------ */

enum rc observe_prediction(struct observe *o, struct arena *a, str id, struct prediction_row *out, struct err *e)
{
	bool found = false;

	TRY(observe__row_find(o->core->db, a, id, out, &found, e));
	if (!found) {
		TRY(observe__index_now(o, e));
		TRY(observe__row_find(o->core->db, a, id, out, &found, e));
	}
	if (!found)
		return FAIL(e, RC_NOT_FOUND, "prediction '" STR_FMT "' does not exist; rows of a batch are named ID.0, ID.1, …", STR_ARG(id));
	return RC_OK;
}

enum rc observe_prediction_list(struct observe *o, struct arena *a, str endpoint, int64_t limit, struct list *out, struct err *e)
{
	TRY(observe__index_now(o, e));
	return observe__row_list(o->core->db, a, endpoint, limit, out, e);
}

enum rc observe_count(struct observe *o, struct prediction_count *out, struct err *e)
{
	pthread_mutex_lock(&o->index_mtx);
	*out = (struct prediction_count){ .written = predlog_next_seq(o->log) - o->start_seq, .pruned = o->kept_seq - o->start_seq };
	enum rc rc = index_all(o, e);
	if (rc == RC_OK)
		rc = observe__row_count(o->core->db, o->log_id, o->kept_seq, out, e);
	pthread_mutex_unlock(&o->index_mtx);
	return rc;
}
