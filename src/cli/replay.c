/* replay.c -- rows of a dataset sent to an endpoint as live traffic, and their labels after them.
 *
 * Open loop: request i is due at begin + i / rate whatever became of those before it, and its latency counts from when
 * it was due, so a slow server cannot hide its delays by slowing its callers down. Threads share one counter of rows and
 * one HTTP client with a kept connection each; every other thing a thread touches is its own or its row's. */
#include "cli/answer.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/id.h"
#include "base/limits.h"

#define QUERY_PAGE 10000                /* rows asked for at once */
#define LABEL_BATCH 1000
#define CONCURRENCY_MAX 256
#define STATUS_MAX 600
#define TICK_MS 20
#define LINE_TICKS 10                   /* the line is drawn anew every 0.2 s */
#define PLAIN_TICKS 100                 /* without a terminal a line every 2 s */

struct replay_arg {
	str endpoint, dataset, time_column, where, label, rate;
	int64_t from_ms, to_ms, concurrency, limit;
};
static const struct field replay_fields[] = {
	FIELD(replay_arg, endpoint, K_STR, F_KEY | F_REQUIRED, "Name of the endpoint"),
	FIELD(replay_arg, dataset, K_STR, F_REQUIRED, "Dataset whose rows are sent; its columns are named as the endpoint's inputs", .unit = "NAME"),
	FIELD(replay_arg, from_ms, K_TIME, 0, "Only rows from this time on", .name = "from"),
	FIELD(replay_arg, to_ms, K_TIME, 0, "Only rows before this time", .name = "to"),
	FIELD(replay_arg, time_column, K_STR, 0, "Column of the time; the first one of type TIMESTAMP if not given", .unit = "COLUMN"),
	FIELD(replay_arg, where, K_STR, 0, "Only rows for which this holds, as \"color = 'yellow'\"", .unit = "SQL"),
	FIELD(replay_arg, label, K_STR, 0, "Column with what really happened: sent afterwards as labels", .unit = "COLUMN"),
	FIELD(replay_arg, rate, K_STR, 0, "Requests a second, or max: as fast as answers come", .def = "200", .unit = "RPS|max"),
	FIELD(replay_arg, concurrency, K_I64, 0, "Requests under way at once, at most", .min = 1, .max = CONCURRENCY_MAX, .def = "16"),
	FIELD(replay_arg, limit, K_I64, 0, "How many rows at most", .min = 1, .max = 1e9),
};
static const struct record replay_record = RECORD(replay_arg, replay_fields, "What to replay");

struct row { const struct value *cells; double label, predicted; char id[ID_TEXT_MAX]; bool answered; };
struct input { str name, type; };
struct replay {
	struct cli *c;
	const struct replay_arg *arg;
	struct input *input;
	size_t n_input;
	struct row *row;
	size_t n_row;
	double per_s;                   /* 0: as fast as it goes */
	str url;                        /* of infer */
	struct pair_ header[2];
	size_t n_header;
	uint64_t begin_ns;
	_Atomic size_t next;            /* row that is sent next */
	_Atomic bool stop;
	_Atomic uint64_t n_ok, n_failed;
	_Atomic uint32_t status[STATUS_MAX];    /* answers by HTTP status; 0: none came */
	struct hist latency;
};

struct replay_result {
	str endpoint, prediction_id;
	int64_t rows, sent, ok, failed, labels;
	double seconds, per_s, p50_ms, p95_ms, p99_ms, max_ms, mae, rmse;
};
static const struct field result_fields[] = {
	FIELD(replay_result, endpoint, K_STR, 0, "The endpoint"),
	FIELD(replay_result, rows, K_I64, 0, "Rows found"),
	FIELD(replay_result, sent, K_I64, 0, "Requests sent"),
	FIELD(replay_result, ok, K_I64, 0, "Predictions that came back"),
	FIELD(replay_result, failed, K_I64, 0, "Requests that failed"),
	FIELD(replay_result, labels, K_I64, 0, "Labels sent"),
	FIELD(replay_result, seconds, K_F64, 0, "How long it took"),
	FIELD(replay_result, per_s, K_F64, 0, "Answers a second"),
	FIELD(replay_result, p50_ms, K_F64, 0, "Latency that half of the requests did not pass"),
	FIELD(replay_result, p95_ms, K_F64, 0, "Latency that 95 % did not pass"),
	FIELD(replay_result, p99_ms, K_F64, 0, "Latency that 99 % did not pass"),
	FIELD(replay_result, max_ms, K_F64, 0, "Greatest latency"),
	FIELD(replay_result, mae, K_F64, F_SKIP_EMPTY, "Mean absolute error against the labels"),
	FIELD(replay_result, rmse, K_F64, F_SKIP_EMPTY, "Root mean squared error against the labels"),
	FIELD(replay_result, prediction_id, K_STR, 0, "One of the predictions"),
};
static const struct record result_record = RECORD(replay_result, result_fields, "How a replay went");

/* --- what is sent ------------------------------------------------------------------------------------------------ */

static enum rc read_inputs(struct replay *r, struct err *e)
{
	struct cli *c = r->c;
	str name = http_percent_encode(c->arena, r->arg->endpoint, false);
	struct ask q = { .method = "GET", .path = arena_printf(c->arena, "/v2/models/" STR_FMT, STR_ARG(name)) };
	struct http_answer got;
	struct value *v;
	str url;

	TRY(client_ask(c, &q, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	const struct value *inputs = value_at(v, "inputs");
	if (inputs == NULL || inputs->n == 0)
		return FAIL(e, RC_UPSTREAM, "the endpoint '" STR_FMT "' tells no inputs", STR_ARG(r->arg->endpoint));
	r->input = ARENA_ARRAY(c->arena, struct input, inputs->n);
	for (const struct value *m = inputs->first; m != NULL; m = m->next)
		r->input[r->n_input++] = (struct input){ value_text(value_at(m, "name"), c->arena), value_text(value_at(m, "datatype"), c->arena) };
	TRY(client_url(c, &url, e));
	r->url = arena_printf(c->arena, STR_FMT "/v2/models/" STR_FMT "/infer", STR_ARG(url), STR_ARG(name));
	str token = client_token(c);
	r->header[r->n_header++] = (struct pair_){ STR("Content-Type"), STR("application/json") };
	if (token.len > 0)
		r->header[r->n_header++] = (struct pair_){ STR("Authorization"), arena_printf(c->arena, "Bearer " STR_FMT, STR_ARG(token)) };
	return RC_OK;
}

static enum rc time_column(struct replay *r, str *out, struct err *e)
{
	struct cli *c = r->c;
	str name = http_percent_encode(c->arena, r->arg->dataset, false);
	struct ask q = { .method = "GET", .path = arena_printf(c->arena, API_CAIRN "/datasets/" STR_FMT, STR_ARG(name)) };
	struct http_answer got;
	struct value *v;

	*out = r->arg->time_column;
	if (out->len > 0)
		return RC_OK;
	TRY(client_ask(c, &q, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	const struct value *columns = value_at(v, "version.columns");
	for (const struct value *m = columns != NULL ? columns->first : NULL; m != NULL; m = m->next) {
		*out = value_text(value_at(m, "name"), c->arena);
		if (str_starts(value_text(value_at(m, "type"), c->arena), STR("TIMESTAMP")))
			return RC_OK;
	}
	return FAIL(e, RC_INVALID, "the dataset '" STR_FMT "' has no column of type TIMESTAMP: name one with --time-column", STR_ARG(r->arg->dataset));
}

static void add_quoted(struct buf *b, str name)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] == '"')
			buf_add_char(b, '"');
		buf_add_char(b, name.at[i]);
	}
	buf_add_char(b, '"');
}

static void add_time_bound(struct buf *b, str column, const char *than, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];
	size_t n = clock_put_rfc3339(text, ms);

	buf_add(b, STR(" AND "));
	add_quoted(b, column);
	buf_addf(b, " %s TIMESTAMP '%.*s'", than, (int)(n - 1), text);   /* without the Z: a TIMESTAMP has no zone */
}

static enum rc write_sql(struct replay *r, struct buf *b, struct err *e)
{
	const struct replay_arg *q = r->arg;
	str column;

	TRY(time_column(r, &column, e));
	buf_add(b, STR("SELECT "));
	for (size_t i = 0; i < r->n_input; i++) {
		buf_add(b, i > 0 ? STR(", ") : STR(""));
		add_quoted(b, r->input[i].name);
	}
	if (q->label.len > 0) {
		buf_add(b, STR(", "));
		add_quoted(b, q->label);
	}
	buf_add(b, STR(" FROM "));
	add_quoted(b, q->dataset);
	buf_add(b, STR(" WHERE TRUE"));
	if (r->c->given & UINT64_C(1) << record_field_index(&replay_record, STR("from")))
		add_time_bound(b, column, ">=", q->from_ms);
	if (r->c->given & UINT64_C(1) << record_field_index(&replay_record, STR("to")))
		add_time_bound(b, column, "<", q->to_ms);
	if (q->where.len > 0)
		buf_addf(b, " AND (" STR_FMT ")", STR_ARG(q->where));
	buf_add(b, STR(" ORDER BY "));
	add_quoted(b, column);
	for (size_t i = 0; i < r->n_input; i++)
		buf_addf(b, ", %zu", i + 1);    /* rows of one time in the same order on every page */
	return b->overflowed ? FAIL(e, RC_TOO_LARGE, "the condition is too long") : RC_OK;
}

static enum rc read_page(struct replay *r, str sql, size_t from, int64_t want, const struct value **rows, struct err *e)
{
	struct cli *c = r->c;
	struct buf b = BUF_INIT(1u << 20);
	struct http_answer got;
	struct value *v;
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_str_key(&w, "sql", arena_printf(c->arena, STR_FMT " LIMIT %lld OFFSET %zu", STR_ARG(sql), (long long)want, from));
	jw_i64_key(&w, "limit", want);
	jw_end_object(&w);
	struct ask q = { .method = "POST", .path = STR(API_CAIRN "/query"), .body = buf_to_arena(&b, c->arena) };
	buf_deinit(&b);
	TRY(client_ask(c, &q, &got, e));
	TRY(value_parse(got.body, c->arena, &v, e));
	*rows = value_at(v, "rows");
	return *rows != NULL ? RC_OK : FAIL(e, RC_UPSTREAM, "the query gave no rows");
}

static enum rc read_rows(struct replay *r, struct err *e)
{
	struct buf b = BUF_INIT(1u << 20);
	VEC(struct row) all = { 0 };
	const struct value *page;
	enum rc rc = write_sql(r, &b, e);
	str sql = buf_to_arena(&b, r->c->arena);
	size_t most = r->arg->limit > 0 ? (size_t)r->arg->limit : SIZE_MAX;

	buf_deinit(&b);
	TRY(rc);
	do {
		size_t want = most - all.n < QUERY_PAGE ? most - all.n : QUERY_PAGE;
		TRY(read_page(r, sql, all.n, (int64_t)want, &page, e));
		for (const struct value *m = page->first; m != NULL; m = m->next) {
			struct row *row = VEC_PUSH(r->c->arena, &all);
			row->cells = m->first;
			row->label = NAN;
			const struct value *last = m->first;
			while (last != NULL && last->next != NULL)
				last = last->next;
			if (r->arg->label.len > 0)
				(void)value_number(last, &row->label);  /* no label stays NaN */
		}
	} while (page->n == QUERY_PAGE && all.n < most);
	r->row = all.at;
	r->n_row = all.n;
	return r->n_row > 0 ? RC_OK : FAIL(e, RC_NOT_FOUND, "no row of '" STR_FMT "' is in that range", STR_ARG(r->arg->dataset));
}

/* --- sending ---------------------------------------------------------------------------------------------------------- */

static void write_cell(struct jw *w, const struct input *in, const struct value *v)
{
	double number;

	jw_object(w);
	jw_str_key(w, "name", in->name);
	jw_array_key(w, STR("shape"));
	jw_i64(w, 1);
	jw_end_array(w);
	jw_str_key(w, "datatype", in->type);
	jw_array_key(w, STR("data"));
	if (str_eq(in->type, STR("BYTES")))
		jw_str(w, v->text);
	else if (v->kind == TOK_BOOL && str_eq(in->type, STR("BOOL")))
		jw_bool(w, v->flag);
	else if (v->kind == TOK_BOOL)
		jw_i64(w, v->flag);
	else
		jw_f64(w, value_number(v, &number) ? number : NAN);
	jw_end_array(w);
	jw_end_object(w);
}

/* A value that is not there is left out: the endpoint decides whether it can do without. */
static str infer_body(const struct replay *r, const struct row *row, struct buf *b)
{
	const struct value *v = row->cells;
	struct jw w;

	buf_clear(b);
	jw_init(&w, b);
	jw_object(&w);
	jw_array_key(&w, STR("inputs"));
	for (size_t i = 0; i < r->n_input && v != NULL; i++, v = v->next) {
		if (v->kind != TOK_NULL)
			write_cell(&w, &r->input[i], v);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return buf_str(b);
}

static void take_answer(struct row *row, const struct http_answer *got, struct arena *a)
{
	struct err e = ERR_INIT;
	struct value *v;

	if (value_parse(got->body, a, &v, &e) != RC_OK)
		return;
	str id = value_text(value_at(v, "parameters.prediction_id"), a);
	row->answered = value_number(value_at(v, "outputs.0.data.0"), &row->predicted) && str_to_c(id, row->id, sizeof(row->id));
}

static void send_row(struct replay *r, struct row *row, uint64_t due_ns, struct buf *b, struct arena *a)
{
	struct http_call call = { .method = "POST", .url = r->url, .header = r->header, .n_header = r->n_header, .body = infer_body(r, row, b),
				  .total_ms = 30000, .reply_max = 1u << 20 };
	struct http_answer got = { .status = 0 };
	struct err e = ERR_INIT;

	bool came = http_call(r->c->http, &call, a, &got, &e) == RC_OK;
	hist_record(&r->latency, clock_ns() - due_ns);
	atomic_fetch_add(&r->status[came && got.status < STATUS_MAX ? got.status : 0], 1);
	if (came && got.status == 200)
		take_answer(row, &got, a);
	atomic_fetch_add(row->answered ? &r->n_ok : &r->n_failed, 1);
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);        /* an early wake-up sends a little early */
}

static void *sender(void *ctx)
{
	struct replay *r = ctx;
	struct buf b = BUF_INIT(1u << 20);
	struct arena a;

	arena_init(&a);
	for (size_t i; !atomic_load(&r->stop) && (i = atomic_fetch_add(&r->next, 1)) < r->n_row;) {
		uint64_t due = r->per_s > 0 ? r->begin_ns + (uint64_t)((double)i * 1e9 / r->per_s) : 0;
		if (due > clock_ns())
			sleep_until(due);
		send_row(r, &r->row[i], due > 0 ? due : clock_ns(), &b, &a);
		arena_clear(&a);
	}
	arena_deinit(&a);
	buf_deinit(&b);
	return NULL;
}

static void show_progress(struct replay *r, size_t tick)
{
	uint64_t ok = atomic_load(&r->n_ok), failed = atomic_load(&r->n_failed);
	double s = (double)(clock_ns() - r->begin_ns) / 1e9;

	if (r->c->global.json || tick % (r->c->tty_err ? LINE_TICKS : PLAIN_TICKS) != 0)
		return;
	(void)fprintf(stderr, "%s" STR_FMT ": %llu of %zu rows, %.0f/s, p99 %.2f ms, %llu failed%s", r->c->tty_err ? "\r\033[K" : "",
		      STR_ARG(r->arg->endpoint), (unsigned long long)(ok + failed), r->n_row, s > 0 ? (double)(ok + failed) / s : 0,
		      (double)hist_quantile(&r->latency, 0.99) / 1e6, (unsigned long long)failed, r->c->tty_err ? "" : "\n");
}

/* True when Ctrl-C came. */
static bool watch_senders(struct replay *r, size_t n_rows)
{
	const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	for (size_t n = 1; atomic_load(&r->n_ok) + atomic_load(&r->n_failed) < n_rows; n++) {
		if (sigtimedwait(&set, NULL, &tick) > 0) {
			atomic_store(&r->stop, true);
			return true;
		}
		show_progress(r, n);
	}
	return false;
}

static enum rc send_all(struct replay *r, struct err *e)
{
	pthread_t thread[CONCURRENCY_MAX];
	size_t n = (size_t)r->arg->concurrency;
	sigset_t set, before;

	CHECK(n <= CONCURRENCY_MAX);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, &before);
	r->begin_ns = clock_ns();
	for (size_t i = 0; i < n; i++) {
		int num = pthread_create(&thread[i], NULL, sender, r);
		CHECK(num == 0);
	}
	bool stopped = watch_senders(r, r->n_row);
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(thread[i], NULL);
	if (r->c->tty_err && !r->c->global.json)
		(void)fprintf(stderr, "\r\033[K");
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return stopped ? FAIL(e, RC_CANCELLED, "stopped after %llu of %zu rows", (unsigned long long)atomic_load(&r->n_ok), r->n_row) : RC_OK;
}

/* --- labels and the result ------------------------------------------------------------------------------------------- */

static bool labelled(const struct row *row)
{
	return row->answered && isfinite(row->label);
}

/* Sends at most LABEL_BATCH labels of the rows from *at on; moves *at behind them. */
static enum rc send_labels(struct replay *r, size_t *at, int64_t *n_sent, struct err *e)
{
	struct buf b = BUF_INIT(LIMIT_JSON_BODY);
	struct http_answer got;
	struct jw w;
	int64_t n = 0;

	jw_init(&w, &b);
	jw_object(&w);
	jw_array_key(&w, STR("labels"));
	for (; *at < r->n_row && n < LABEL_BATCH; ++*at) {
		const struct row *row = &r->row[*at];
		if (!labelled(row))
			continue;
		jw_object(&w);
		jw_str_key(&w, "prediction_id", str_of(row->id));
		jw_f64_key(&w, "value", row->label);
		jw_end_object(&w);
		n++;
	}
	jw_end_array(&w);
	jw_end_object(&w);
	struct ask q = { .method = "POST", .path = STR(API_CAIRN "/labels"), .body = buf_to_arena(&b, r->c->arena) };
	buf_deinit(&b);
	if (n > 0)
		TRY(client_ask(r->c, &q, &got, e));
	*n_sent += n;
	return RC_OK;
}

static double quantile_ms(const struct replay *r, double q)
{
	return (double)hist_quantile(&r->latency, q) / 1e6;
}

static void fill_result(const struct replay *r, struct replay_result *out)
{
	double seconds = (double)(clock_ns() - r->begin_ns) / 1e9, abs_sum = 0, square_sum = 0;
	int64_t n = 0;

	*out = (struct replay_result){
		.endpoint = r->arg->endpoint, .rows = (int64_t)r->n_row, .ok = (int64_t)atomic_load(&r->n_ok),
		.failed = (int64_t)atomic_load(&r->n_failed), .seconds = seconds, .p50_ms = quantile_ms(r, 0.5),
		.p95_ms = quantile_ms(r, 0.95), .p99_ms = quantile_ms(r, 0.99), .max_ms = (double)atomic_load(&r->latency.max) / 1e6,
	};
	out->sent = out->ok + out->failed;
	out->per_s = seconds > 0 ? (double)out->sent / seconds : 0;
	for (size_t i = 0; i < r->n_row; i++) {
		const struct row *row = &r->row[i];
		if (row->answered)
			out->prediction_id = str_of(row->id);
		if (!labelled(row))
			continue;
		double miss = row->predicted - row->label;
		abs_sum += fabs(miss);
		square_sum += miss * miss;
		n++;
	}
	if (n > 0) {
		out->mae = abs_sum / (double)n;
		out->rmse = sqrt(square_sum / (double)n);
	}
}

static void print_failures(const struct replay *r)
{
	for (int s = 0; s < STATUS_MAX; s++) {
		uint32_t n = atomic_load(&r->status[s]);
		if (n > 0 && s == 0)
			printf("  %u requests got no answer\n", n);
		else if (n > 0 && s != 200)
			printf("  %u requests were answered %d\n", n, s);
	}
}

static void print_result(struct replay *r, const struct replay_result *x)
{
	if (r->c->global.json) {
		str json = record_to_json(&result_record, x, 0, r->c->arena);
		printf(STR_FMT "\n", STR_ARG(json));
		return;
	}
	str sent = show_count(r->c->arena, (double)x->sent), labels = show_count(r->c->arena, (double)x->labels);
	printf(STR_FMT ": " STR_FMT " requests in %.1f s, %.0f/s, %.2f %% failed, p50 %.2f ms, p95 %.2f ms, p99 %.2f ms", STR_ARG(x->endpoint),
	       STR_ARG(sent), x->seconds, x->per_s, x->sent > 0 ? 100.0 * (double)x->failed / (double)x->sent : 0, x->p50_ms, x->p95_ms, x->p99_ms);
	if (x->labels > 0)
		printf("; " STR_FMT " labels, MAE %.3f, RMSE %.3f", STR_ARG(labels), x->mae, x->rmse);
	putchar('\n');
	print_failures(r);
	if (x->prediction_id.len > 0 && r->c->tty_out)
		printf("One of them: %s lineage " STR_FMT "\n", r->c->program, STR_ARG(x->prediction_id));
}

static enum rc parse_rate(struct replay *r, struct err *e)
{
	str text = r->arg->rate;

	if (str_eq(text, STR("max")))
		return RC_OK;
	if (!str_to_f64(text, &r->per_s) || !(r->per_s > 0) || r->per_s > 1e6)
		return FAIL(e, RC_INVALID, "--rate: '" STR_FMT "' is neither a number of requests a second nor max", STR_ARG(text));
	return RC_OK;
}

static enum rc replay_run(struct cli *c, const void *in, struct err *e)
{
	struct replay *r = ARENA_NEW(c->arena, struct replay);
	struct replay_result result;
	int64_t labels = 0;

	r->c = c;
	r->arg = in;
	TRY(parse_rate(r, e));
	TRY(read_inputs(r, e));
	TRY(read_rows(r, e));
	enum rc rc = send_all(r, e);
	fill_result(r, &result);
	for (size_t at = 0; at < r->n_row && r->arg->label.len > 0;) {
		struct err label_error = ERR_INIT;
		if (send_labels(r, &at, &labels, &label_error) == RC_OK)
			continue;
		*e = label_error;
		rc = err_wrap(e, "the labels were not taken");
		break;
	}
	result.labels = labels;
	print_result(r, &result);
	if (rc == RC_OK && result.ok == 0)
		return FAIL(e, RC_UPSTREAM, "none of the requests was answered with a prediction");
	return rc;
}

static const struct command replay_commands[] = {
	{ .noun = "replay", .doc = "Sends rows of a dataset to an endpoint as live traffic", .in = &replay_record, .run = replay_run,
	  .example = "cairn replay taxi-fare --dataset trips_clean --from 2019-03-25 --label fare --rate 500" },
};
FAMILY(replay_commands, "Traffic:");
