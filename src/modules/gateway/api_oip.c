/* api_oip.c -- the Open Inference Protocol v2 over REST, with Triton's binary tensor extension. */
#include "modules/gateway/plan.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"

void gateway__oip_error(const struct err *err, struct jw *w)
{
	jw_object(w);
	jw_str_key(w, "error", str_of(err->msg));
	jw_end_object(w);
}

/* --- what the server and its models are ---------------------------------------------------------------------------------- */

struct server_meta { str name, version; struct list extensions; };
static const struct field server_fields[] = {
	FIELD(server_meta, name, K_STR, 0, "Name of the server"),
	FIELD(server_meta, version, K_STR, 0, "Version of the server"),
	FIELD(server_meta, extensions, K_STRS, 0, "Extensions of the protocol that it speaks"),
};
static const struct record server_record = RECORD(server_meta, server_fields, "An inference server", .name = "oip_server");

static enum rc get_server(struct call *c, const void *in, void *out, struct err *e)
{
	struct server_meta *m = out;
	str *extension = ARENA_ARRAY(c->arena, str, 2);

	(void)in;
	(void)e;
	extension[0] = STR("binary_tensor_data");
	extension[1] = STR("parameters");
	*m = (struct server_meta){ STR("cairn"), STR(CAIRN_VERSION), { extension, 2 } };
	return RC_OK;
}

struct health { bool live, ready; str name; };
static const struct field live_fields[] = { FIELD(health, live, K_BOOL, 0, "It answers") };
static const struct record live_record = RECORD(health, live_fields, "Whether the server lives", .name = "oip_live");
static const struct field ready_fields[] = { FIELD(health, ready, K_BOOL, 0, "It serves") };
static const struct record ready_record = RECORD(health, ready_fields, "Whether all models are ready", .name = "oip_ready");
static const struct field model_ready_fields[] = {
	FIELD(health, name, K_STR, 0, "Name of the model"),
	FIELD(health, ready, K_BOOL, 0, "It serves"),
};
static const struct record model_ready_record = RECORD(health, model_ready_fields, "Whether a model is ready", .name = "oip_model_ready");

static enum rc get_live(struct call *c, const void *in, void *out, struct err *e)
{
	struct health *h = out;

	(void)c;
	(void)in;
	(void)e;
	h->live = true;
	return RC_OK;
}

static enum rc get_ready(struct call *c, const void *in, void *out, struct err *e)
{
	struct gateway *g = c->module;
	struct health *h = out;
	enum rc rc = RC_OK;

	(void)in;
	pthread_mutex_lock(&g->mtx);
	for (size_t i = 0; i < g->table.n && rc == RC_OK; i++) {
		const struct entry *x = g->table.entry[i].value;
		if (x != NULL && x->plan == NULL && x->err.rc != RC_NOT_FOUND)
			rc = FAIL(e, RC_UNAVAILABLE, "model '" STR_FMT "' is not ready", STR_ARG(x->name));
	}
	pthread_mutex_unlock(&g->mtx);
	h->ready = true;
	return rc;
}

/* Whoever may ask the endpoint may know what to ask, and so may whoever may read endpoints. */
static enum rc may_know(struct call *c, str name, struct err *e)
{
	const struct authenticator *auth = c->core->auth;
	struct principal *who = ARENA_NEW(c->arena, struct principal);

	if (auth == NULL)
		return FAIL(e, RC_UNAVAILABLE, "cairn is still starting");
	TRY(auth->authenticate(auth->self, c->http, who, e));
	if (!principal_may(who, "endpoint.invoke", name) && !principal_may(who, "endpoint.read", name))
		return FAIL(e, RC_FORBIDDEN, STR_FMT " may not endpoint.invoke on " STR_FMT, STR_ARG(who->name), STR_ARG(str_head(name, 200)));
	c->who = who;
	return RC_OK;
}

/* The plan of "/v2/models/NAME[/versions/VERSION]". */
static enum rc plan_of(struct call *c, struct plan **out, struct err *e)
{
	struct plan *p;

	TRY(gateway__plan_get(c->module, c->param[0], &p, e));
	if (c->n_param > 1 && !str_eq(c->param[1], p->version_text)) {
		enum rc rc = FAIL(e, RC_NOT_FOUND, "model '" STR_FMT "' serves version " STR_FMT ", not " STR_FMT, STR_ARG(p->def.name),
				  STR_ARG(p->version_text), STR_ARG(str_head(c->param[1], 40)));
		gateway__plan_release(&p);
		return rc;
	}
	*out = p;
	return RC_OK;
}

struct tensor_meta { str name, datatype; struct list shape; };
static const struct field tensor_fields[] = {
	FIELD(tensor_meta, name, K_STR, 0, "Name of the tensor"),
	FIELD(tensor_meta, datatype, K_STR, 0, "Type of its elements"),
	FIELD(tensor_meta, shape, K_I64S, 0, "Its sizes; -1 for any"),
};
static const struct record tensor_record = RECORD(tensor_meta, tensor_fields, "A tensor", .name = "oip_tensor");
struct model_meta { str name, platform; struct list versions, inputs, outputs; };
static const struct field model_fields[] = {
	FIELD(model_meta, name, K_STR, 0, "Name of the model"),
	FIELD(model_meta, versions, K_STRS, 0, "Versions that are served"),
	FIELD(model_meta, platform, K_STR, 0, "What runs it"),
	FIELD(model_meta, inputs, K_RECORDS, 0, "Tensors in", .sub = &tensor_record),
	FIELD(model_meta, outputs, K_RECORDS, 0, "Tensors out", .sub = &tensor_record),
};
static const struct record model_record = RECORD(model_meta, model_fields, "What a model takes and gives", .name = "oip_model");

static struct tensor_meta meta_of(const struct tensor_spec *s, struct arena *a)
{
	int64_t *dim = ARENA_ARRAY(a, int64_t, s->n_dim);

	for (size_t i = 0; i < s->n_dim; i++)
		dim[i] = s->dim[i];
	return (struct tensor_meta){ arena_dup(a, s->name), str_of(dtype_names[s->type]), { dim, s->n_dim } };
}

static void describe(const struct plan *p, struct arena *a, struct model_meta *m)
{
	const struct tensor_spec *in, *out;
	VEC(struct tensor_meta) inputs = { 0 }, outputs = { 0 };
	size_t n_in, n_out;
	str *version = ARENA_NEW(a, str);

	served_io(p->model, &in, &n_in, &out, &n_out);
	*version = arena_dup(a, p->version_text);
	struct list given = p->by_column ? gateway__plan_inputs(p, a) : (struct list){ NULL, 0 };
	for (size_t i = 0; i < given.n; i++) {
		const struct endpoint_input *x = LIST_AT(given, const struct endpoint_input, i);
		int64_t *any = ARENA_NEW(a, int64_t);
		*any = -1;
		*VEC_PUSH(a, &inputs) = (struct tensor_meta){ x->name, x->datatype, { any, 1 } };
	}
	for (size_t i = 0; i < n_in && !p->by_column; i++)
		*VEC_PUSH(a, &inputs) = meta_of(&in[i], a);
	for (size_t i = 0; i < n_out; i++)
		*VEC_PUSH(a, &outputs) = meta_of(&out[i], a);
	if (p->by_column && outputs.n > 0) {
		outputs.at[0].name = arena_dup(a, p->output);
		if (out[0].n_dim == 2 && out[0].dim[1] == 1)
			outputs.at[0].shape.n = 1;
	}
	*m = (struct model_meta){ arena_dup(a, p->def.name), served_platform(p->model), { version, 1 }, LIST_OF(inputs), LIST_OF(outputs) };
}

static enum rc get_model(struct call *c, const void *in, void *out, struct err *e)
{
	struct plan *p;

	(void)in;
	TRY(may_know(c, c->param[0], e));
	TRY(plan_of(c, &p, e));
	describe(p, c->arena, out);
	gateway__plan_release(&p);
	return RC_OK;
}

static enum rc get_model_ready(struct call *c, const void *in, void *out, struct err *e)
{
	struct health *h = out;
	struct plan *p;

	(void)in;
	TRY(may_know(c, c->param[0], e));
	TRY(plan_of(c, &p, e));
	gateway__plan_release(&p);
	*h = (struct health){ .name = c->param[0], .ready = true };
	return RC_OK;
}

/* --- inference -------------------------------------------------------------------------------------------------------------- */

static enum rc json_length(struct call *c, int64_t *out, struct err *e)
{
	str given = http_header(c->http, "Inference-Header-Content-Length"), coding = http_header(c->http, "Content-Encoding");

	if (coding.len > 0 && !str_eq_nocase(coding, STR("identity")))
		return FAIL(e, RC_INVALID, "Content-Encoding " STR_FMT " is not taken; send the body as it is", STR_ARG(str_head(coding, 40)));
	*out = OIP_NO_HEADER;
	if (given.at == NULL)
		return RC_OK;
	if (!str_to_i64(str_trim(given), out) || *out < 0)
		return FAIL(e, RC_INVALID, "Inference-Header-Content-Length is '" STR_FMT "'; it must be a whole number from 0", STR_ARG(str_head(given, 40)));
	return RC_OK;
}

static enum rc decode(struct call *c, const struct plan *p, struct oip_request *out, struct err *e)
{
	const struct tensor_spec *in, *outs;
	size_t n_in, n_out;
	int64_t json_len;

	TRY(json_length(c, &json_len, e));
	if (json_len != 0)
		return oip_decode(c->http->body, json_len, c->arena, out, e);
	served_io(p->model, &in, &n_in, &outs, &n_out);
	if (n_in != 1)
		return FAIL(e, RC_INVALID, "a raw binary request needs a model of one input; '" STR_FMT "' has %zu", STR_ARG(p->def.name), n_in);
	struct tensor_spec spec = in[0];
	if (p->by_column)
		spec.dim[1] = (int64_t)p->n_column;
	return oip_decode_raw(c->http->body, &spec, c->arena, out, e);
}

static const char *const status_names[] = { [FEATURE_PRESENT] = "present", [FEATURE_NULL] = "null", [FEATURE_NOT_FOUND] = "not_found",
					    [FEATURE_TOO_OLD] = "too_old" };

static void add_params(struct call *c, const struct plan *p, const struct answer *ans, struct oip_message *m)
{
	struct oip_param *param = ARENA_ARRAY(c->arena, struct oip_param, 3);
	str status = STR("");

	if (ans->recorded)
		param[m->n_param++] = (struct oip_param){ .name = STR("prediction_id"), .kind = OIP_TEXT, .text = str_of(ans->id) };
	for (size_t i = 0; i < ARRAY_LEN(ans->status); i++) {
		if (ans->status[i] > 0)
			status = arena_printf(c->arena, STR_FMT "%s%s=%zu", STR_ARG(status), status.len > 0 ? " " : "", status_names[i], ans->status[i]);
	}
	if (p->n_view > 0)
		param[m->n_param++] = (struct oip_param){ .name = STR("feature_status"), .kind = OIP_TEXT, .text = status };
	if (ans->n_missing > 0)
		param[m->n_param++] = (struct oip_param){ .name = STR("missing_inputs"), .kind = OIP_NUMBER, .number = (double)ans->n_missing };
	m->param = param;
}

/* Those asked for, in that order. */
static enum rc pick_outputs(struct call *c, const struct oip_request *r, const struct answer *ans, struct oip_message *m, struct err *e)
{
	size_t n = r->n_out > 0 ? r->n_out : ans->n_out;
	struct tensor *tensor = ARENA_ARRAY(c->arena, struct tensor, n);
	bool *binary = ARENA_ARRAY(c->arena, bool, n);

	for (size_t i = 0; i < n; i++) {
		size_t k = i;
		for (k = r->n_out > 0 ? 0 : i; r->n_out > 0 && k < ans->n_out && !str_eq(ans->out[k].name, r->out[i].name);)
			k++;
		if (k >= ans->n_out) {
			(void)FAIL(e, RC_INVALID, "there is no output '" STR_FMT "'; the first one is " STR_FMT, STR_ARG(str_head(r->out[i].name, 90)),
				   STR_ARG(ans->n_out > 0 ? ans->out[0].name : STR("none")));
			return err_field(e, "outputs");
		}
		tensor[i] = ans->out[k];
		binary[i] = r->n_out > 0 ? r->out[i].binary : r->binary_output;
	}
	m->tensor = tensor;
	m->binary = binary;
	m->n_tensor = n;
	return RC_OK;
}

static enum rc reply(struct call *c, const struct plan *p, const struct oip_request *r, const struct answer *ans, struct err *e)
{
	struct oip_message m = { .tensors_key = "outputs", .model_name = p->def.name, .model_version = p->version_text, .id = r->id };
	struct buf b = BUF_INIT(LIMIT_REPLY);
	char text[NUM_TEXT_MAX];

	TRY(pick_outputs(c, r, ans, &m, e));
	add_params(c, p, ans, &m);
	int64_t json_len = oip_encode(&m, &b);
	if (b.overflowed) {
		buf_deinit(&b);
		return FAIL(e, RC_TOO_LARGE, "the answer is longer than %u MiB", LIMIT_REPLY >> 20);
	}
	if (ans->recorded)
		http_reply_header(c->http, "Cairn-Prediction-Id", str_of(ans->id));
	if (json_len != OIP_NO_HEADER)
		http_reply_header(c->http, "Inference-Header-Content-Length", arena_dup(c->arena, str_n(text, num_put_i64(text, json_len))));
	http_reply_buf(c->http, 200, json_len != OIP_NO_HEADER ? "application/octet-stream" : "application/json", &b);
	return RC_OK;
}

static enum rc check_outputs(const struct plan *p, const struct oip_request *r, struct err *e)
{
	const struct tensor_spec *in, *out;
	size_t n_in, n_out;

	served_io(p->model, &in, &n_in, &out, &n_out);
	for (size_t i = 0; i < r->n_out; i++) {
		bool known = p->by_column && str_eq(r->out[i].name, p->output);
		for (size_t k = p->by_column ? 1 : 0; k < n_out && !known; k++)
			known = str_eq(r->out[i].name, out[k].name);
		if (!known) {
			(void)FAIL(e, RC_INVALID, "there is no output '" STR_FMT "'; there is " STR_FMT, STR_ARG(str_head(r->out[i].name, 90)),
				   STR_ARG(p->output));
			return err_field(e, "outputs");
		}
	}
	return RC_OK;
}

static enum rc infer(struct call *c, struct plan *p, struct err *e)
{
	struct oip_request r;
	struct answer ans;

	TRY(decode(c, p, &r, e));
	TRY(check_outputs(p, &r, e));
	/* A probe answers and leaves no trace; only operators may. */
	const struct oip_param *probe = oip_param_find(&r, STR("cairn_probe"));
	bool is_probe = probe != NULL && probe->kind == OIP_FLAG && probe->flag;
	if (is_probe && !principal_may(c->who, "endpoint.operate", p->def.name))
		return FAIL(e, RC_FORBIDDEN, STR_FMT " may not ask without a record; that takes endpoint.operate", STR_ARG(c->who->name));
	struct ask ask = { .r = &r, .start_ns = c->http->start_ns, .record = !is_probe };
	TRY(gateway__infer(p, &ask, c->arena, &ans, e));
	return reply(c, p, &r, &ans, e);
}

static enum rc post_infer(struct call *c, const void *in, void *out, struct err *e)
{
	struct plan *p;

	(void)in;
	(void)out;
	TRY(plan_of(c, &p, e));
	enum rc rc = infer(c, p, e);
	if (rc == RC_OK) {
		series_add(p->live->answered, 1);
		series_observe(p->live->latency, clock_ns() - c->http->start_ns);
	} else {
		series_add(p->live->failed, 1);
	}
	gateway__plan_release(&p);
	return rc;
}

#define INFER_FLAGS (ROUTE_RAW_BODY | ROUTE_RAW_REPLY | ROUTE_HIDDEN)
#define META_FLAGS (ROUTE_PUBLIC | ROUTE_HIDDEN)
const struct route oip_routes[] = {
	{ HTTP_GET, "/v2", NULL, NULL, NULL, &server_record, get_server, NULL, "What this server is", META_FLAGS, 0 },
	{ HTTP_GET, "/v2/health/live", NULL, NULL, NULL, &live_record, get_live, NULL, "Whether it lives", META_FLAGS, 0 },
	{ HTTP_GET, "/v2/health/ready", NULL, NULL, NULL, &ready_record, get_ready, NULL, "Whether all models are ready", META_FLAGS, 0 },
	{ HTTP_GET, "/v2/models/{endpoint}", NULL, NULL, NULL, &model_record, get_model, NULL, "What a model takes and gives", META_FLAGS, 0 },
	{ HTTP_GET, "/v2/models/{endpoint}/versions/{version}", NULL, NULL, NULL, &model_record, get_model, NULL,
	  "What a version takes and gives", META_FLAGS, 0 },
	{ HTTP_GET, "/v2/models/{endpoint}/ready", NULL, NULL, NULL, &model_ready_record, get_model_ready, NULL, "Whether a model is ready",
	  META_FLAGS, 0 },
	{ HTTP_GET, "/v2/models/{endpoint}/versions/{version}/ready", NULL, NULL, NULL, &model_ready_record, get_model_ready, NULL,
	  "Whether a version is ready", META_FLAGS, 0 },
	{ HTTP_POST, "/v2/models/{endpoint}/infer", "endpoint.invoke", "endpoint", NULL, NULL, post_infer, NULL, "Predicts", INFER_FLAGS, 0 },
	{ HTTP_POST, "/v2/models/{endpoint}/versions/{version}/infer", "endpoint.invoke", "endpoint", NULL, NULL, post_infer, NULL,
	  "Predicts with a version", INFER_FLAGS, 0 },
};
_Static_assert(ARRAY_LEN(oip_routes) == OIP_ROUTES, "gateway_int.h says how many");
