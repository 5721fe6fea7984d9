/* checks.c -- what the gateway proves against the running system. */
#include "modules/gateway/plan.h"

#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "io/fs.h"
#include "io/http_client.h"

#define ANSWER_WITHIN 1e-5              /* relative; float32 through text is exact, so this is slack for another machine's model */

/* --- every endpoint answers over HTTP, as it is on record ----------------------------------------------------------------- */

/* The inputs of a prediction on record, in the model's order. */
static enum rc stored_inputs(const struct plan *p, const struct prediction_row *row, float *x, struct arena *a, struct err *e)
{
	struct json_source s;
	struct token t;
	size_t column = SIZE_MAX;

	for (size_t i = 0; i < p->n_column; i++)
		x[i] = NAN;
	json_source_init(&s, row->inputs, a, "stored inputs");
	for (;;) {
		double v;
		TRY(token_next(&s.super, &t, e));
		if (t.kind == TOK_EOF)
			return RC_OK;
		if (t.kind == TOK_NUMBER && column != SIZE_MAX && str_to_f64(t.text, &v))
			x[column] = (float)v;
		column = SIZE_MAX;
		for (size_t i = 0; t.kind == TOK_KEY && i < p->n_column; i++)
			column = str_eq(p->column[i], t.text) ? i : column;
	}
}

static enum rc ask_over_http(struct gateway *g, const struct plan *p, struct tensor *in, struct arena *a, double *out, struct err *e)
{
	const struct oip_param probe = { .name = STR("cairn_probe"), .kind = OIP_FLAG, .flag = true };
	const bool binary = false;
	struct oip_message m = { .tensors_key = "inputs", .param = &probe, .n_param = 1, .tensor = in, .binary = &binary, .n_tensor = 1 };
	struct http_answer answer;
	struct oip_request got;
	struct buf b = BUF_INIT(LIMIT_REPLY);
	char path[4096];
	str token;

	(void)snprintf(path, sizeof(path), "%s/admin.token", g->core->data_dir);
	TRY(fs_read(path, 4096, a, &token, e));
	(void)oip_encode(&m, &b);
	struct pair_ header[] = { { STR("Authorization"), arena_printf(a, "Bearer " STR_FMT, STR_ARG(str_trim(token))) },
				  { STR("Content-Type"), STR("application/json") } };
	struct http_call call = { .method = "POST", .header = header, .n_header = 2, .body = buf_to_arena(&b, a), .total_ms = 10000,
				  .url = arena_printf(a, "http://127.0.0.1:%u/v2/models/" STR_FMT "/infer", g->core->port,
						      STR_ARG(http_percent_encode(a, p->def.name, false))) };
	buf_deinit(&b);
	TRY(http_call(g->core->http, &call, a, &answer, e));
	if (answer.status != 200)
		return FAIL(e, RC_UPSTREAM, "the endpoint answered %d: " STR_FMT, answer.status, STR_ARG(str_head(answer.body, 200)));
	/* An answer reads as a request does, but for the name of its tensors. */
	ptrdiff_t at = str_find(answer.body, STR("\"outputs\":"));
	if (at < 0)
		return FAIL(e, RC_UPSTREAM, "the endpoint's answer has no outputs");
	TRY(oip_decode(arena_printf(a, "{\"inputs\":" STR_FMT, STR_ARG(str_skip(answer.body, (size_t)at + 10))), OIP_NO_HEADER, a, &got, e));
	*out = got.in[0].n > 0 && got.in[0].type != DT_BYTES ? oip_number(&got.in[0], 0) : (double)NAN;
	return RC_OK;
}

static void compare(struct live_check *k, const struct plan *p, const char *with, double got, double expected)
{
	double slack = ANSWER_WITHIN * fmax(1, fabs(expected));

	expect_true(k, fabs(got - expected) <= slack, "endpoint " STR_FMT " revision %lld answers %.7g over HTTP; %s is %.7g", STR_ARG(p->def.name),
		    (long long)p->def.revision, got, with, expected);
}

/* The newest prediction of the version that is served, asked again with the inputs on record. */
static enum rc check_recorded(struct gateway *g, struct plan *p, struct tensor *in, struct live_check *k, bool *done, struct err *e)
{
	struct arena *a = live_check_arena(k);
	struct list rows;
	double got;

	TRY(observe_prediction_list(observe_of(g->core), a, p->def.name, 50, &rows, e));
	for (size_t i = 0; i < rows.n; i++) {
		const struct prediction_row *row = LIST_AT(rows, const struct prediction_row, i);
		if (row->version != p->def.version || !str_eq(row->model, p->def.model_name) || row->inputs.len < 3)
			continue;
		TRY(stored_inputs(p, row, in->data, a, e));
		TRY(ask_over_http(g, p, in, a, &got, e));
		compare(k, p, "on record", got, row->output);
		*done = true;
		return RC_OK;
	}
	return RC_OK;
}

static enum rc check_computed(struct gateway *g, struct plan *p, struct tensor *in, struct live_check *k, struct err *e)
{
	struct arena *a = live_check_arena(k);
	struct tensor out[SERVED_OUTPUTS_MAX];
	size_t n_out = ARRAY_LEN(out);
	double got;

	for (size_t i = 0; i < in->n; i++)
		((float *)in->data)[i] = 1;
	TRY(served_infer(p->model, in, 1, a, out, &n_out, e));
	TRY(ask_over_http(g, p, in, a, &got, e));
	compare(k, p, "the model's own answer", got, n_out > 0 ? oip_number(&out[0], 0) : (double)NAN);
	return RC_OK;
}

static enum rc check_endpoint(struct gateway *g, const struct endpoint *d, struct live_check *k, struct err *e)
{
	struct err err = ERR_INIT;
	struct plan *p = NULL;
	bool done = false;

	if (gateway__plan_get(g, d->name, &p, &err) != RC_OK) {
		expect_true(k, false, "endpoint " STR_FMT " is served: %s", STR_ARG(d->name), err.msg);
		return RC_OK;
	}
	struct tensor in = { .name = p->in.name, .type = DT_FP32, .n_dim = 2, .dim = { 1, (int64_t)p->n_column }, .n = p->n_column };
	in.data = ARENA_ARRAY(live_check_arena(k), float, p->n_column);
	enum rc rc = RC_OK;
	if (!p->by_column) {
		live_check_note(k, "endpoint " STR_FMT " passes tensors on; it is served by " STR_FMT, STR_ARG(d->name), STR_ARG(p->def.runtime));
	} else {
		rc = check_recorded(g, p, &in, k, &done, e);
		if (rc == RC_OK && !done)
			rc = check_computed(g, p, &in, k, e);
	}
	gateway__plan_release(&p);
	return rc;
}

static enum rc check_endpoints(void *module, struct live_check *k, struct err *e)
{
	struct gateway *g = module;
	struct list rows;

	TRY(gateway__rows(g, live_check_arena(k), &rows, e));
	if (rows.n == 0)
		live_check_skip(k, "no endpoint yet");
	for (size_t i = 0; i < rows.n; i++)
		TRY(check_endpoint(g, LIST_AT(rows, const struct endpoint, i), k, e));
	return RC_OK;
}

/* --- nothing was answered that is not on record ------------------------------------------------------------------------------ */

static enum rc check_complete(void *module, struct live_check *k, struct err *e)
{
	struct gateway *g = module;
	struct prediction_count n = { 0 };
	uint64_t before, after;

	/* Both numbers of one moment: when nothing was answered in between. */
	for (int i = 0;; i++) {
		before = atomic_load(&g->n_answered);
		TRY(observe_count(observe_of(g->core), &n, e));
		after = atomic_load(&g->n_answered);
		if (before == after || i == 20)
			break;
	}
	if (n.written == 0 && after == 0) {
		live_check_skip(k, "no prediction since the start");
		return RC_OK;
	}
	if (before == after)
		expect_equal(k, "predictions written to the log", (double)n.written, (double)after);
	else
		expect_at_least(k, "predictions written to the log, under traffic", (double)n.written, (double)before);
	expect_at_least(k, "of those, on record in the database or removed by age", (double)(n.indexed + n.pruned), (double)before);
	expect_equal(k, "gaps in their sequence numbers", (double)n.gaps, 0);
	return RC_OK;
}

/* --- the line back is unbroken ------------------------------------------------------------------------------------------------ */

static enum rc check_line(struct gateway *g, const struct prediction_row *row, struct live_check *k, struct err *e)
{
	static const char *const stations[] = { LIN_ENDPOINT, LIN_MODEL, LIN_RUN, LIN_TRAINSET, LIN_DATASET, LIN_SOURCE };
	struct lineage_graph graph;
	struct arena *a = live_check_arena(k);

	TRY(gateway__prediction_lineage(g, row->id, a, &graph, e));
	live_check_note(k, "prediction " STR_FMT ": %zu nodes, %zu edges", STR_ARG(row->id), graph.nodes.n, graph.edges.n);
	for (size_t s = 0; s < ARRAY_LEN(stations); s++) {
		const struct lineage_node *found = NULL;
		for (size_t i = 0; i < graph.nodes.n && found == NULL; i++) {
			const struct lineage_node *n = LIST_AT(graph.nodes, const struct lineage_node, i);
			if (str_eq(n->kind, str_of(stations[s])))
				found = n;
		}
		expect_true(k, found != NULL, "it leads to a %s" STR_FMT STR_FMT, stations[s], STR_ARG(found != NULL ? STR(" ") : STR("")),
			    STR_ARG(found != NULL ? str_head(found->id, 80) : STR("")));
	}
	return RC_OK;
}

static enum rc check_lineage(void *module, struct live_check *k, struct err *e)
{
	struct gateway *g = module;
	struct list endpoints, rows;
	size_t n = 0;

	TRY(gateway__rows(g, live_check_arena(k), &endpoints, e));
	for (size_t i = 0; i < endpoints.n; i++) {
		const struct endpoint *d = LIST_AT(endpoints, const struct endpoint, i);
		TRY(observe_prediction_list(observe_of(g->core), live_check_arena(k), d->name, 1, &rows, e));
		if (rows.n == 0)
			continue;
		n++;
		TRY(check_line(g, LIST_AT(rows, const struct prediction_row, 0), k, e));
	}
	if (n == 0)
		live_check_skip(k, "no prediction by an endpoint yet");
	return RC_OK;
}

const struct check_def gateway_checks[] = {
	{ "gateway.endpoints_answer", "Every endpoint answers a real inference over HTTP with the value that is on record", "P1.W3.D5.1 P1.W3.D5.2",
	  check_endpoints },
	{ "gateway.predictions_recorded", "Every prediction that was answered since the start is on record", "P1.W3.D5.5", check_complete },
	{ "gateway.lineage_unbroken", "The newest prediction of each endpoint leads back to the source's bytes", "P1.W4.D3.4", check_lineage },
};
_Static_assert(ARRAY_LEN(gateway_checks) == GATEWAY_CHECKS, "gateway_int.h says how many");
