/* api_gateway.c -- endpoints and predictions as cairn's own resources. */
#include "modules/gateway/gateway_int.h"

#include "base/limits.h"

struct listing { struct list items; };
#define LIST_RECORD(var, key, of, text)                                                                                     \
	static const struct field var##_fields[] = { FIELD(listing, items, K_RECORDS, 0, text, .name = key, .sub = &of) };    \
	static const struct record var##_record = RECORD(listing, var##_fields, text, .name = #var)
LIST_RECORD(endpoint_listing, "endpoints", endpoint_record, "Endpoints by name");
LIST_RECORD(prediction_listing, "predictions", prediction_row_record, "Predictions, newest first");

struct which { str name, id, endpoint; int64_t limit; };
static const struct field endpoint_which_fields[] = { FIELD(which, name, K_STR, F_REQUIRED, "Name of the endpoint") };
static const struct record endpoint_which_record = RECORD(which, endpoint_which_fields, "Which endpoint", .name = "endpoint_query");
static const struct field prediction_which_fields[] = { FIELD(which, id, K_STR, F_REQUIRED, "Id of the prediction", .max = 64) };
static const struct record prediction_which_record = RECORD(which, prediction_which_fields, "Which prediction", .name = "prediction_query");
static const struct field predictions_which_fields[] = {
	FIELD(which, endpoint, K_STR, 0, "Endpoint; all if not given", .max = 128),
	FIELD(which, limit, K_I64, 0, "How many at most", .min = 1, .max = 10000, .def = "100"),
};
static const struct record predictions_which_record = RECORD(which, predictions_which_fields, "Which predictions", .name = "predictions_query");

static enum rc post_endpoint(struct call *c, const void *in, void *out, struct err *e)
{
	return gateway__apply(c->module, in, c->who, c->arena, out, e);
}

static enum rc get_endpoints(struct call *c, const void *in, void *out, struct err *e)
{
	struct listing *l = out;

	(void)in;
	return gateway__list(c->module, c->arena, &l->items, e);
}

static enum rc get_endpoint(struct call *c, const void *in, void *out, struct err *e)
{
	const struct which *q = in;

	return gateway__show(c->module, q->name, c->arena, out, e);
}

static enum rc delete_endpoint(struct call *c, const void *in, void *out, struct err *e)
{
	const struct which *q = in;
	struct listing *l = out;

	TRY(gateway__delete(c->module, q->name, c->who, e));
	return gateway__list(c->module, c->arena, &l->items, e);
}

static enum rc post_refresh(struct call *c, const void *in, void *out, struct err *e)
{
	const struct which *q = in;

	return gateway__refresh(c->module, q->name, c->who, c->arena, out, e);
}

static enum rc get_predictions(struct call *c, const void *in, void *out, struct err *e)
{
	const struct which *q = in;
	struct listing *l = out;

	return observe_prediction_list(observe_of(c->core), c->arena, q->endpoint, q->limit, &l->items, e);
}

static enum rc get_prediction(struct call *c, const void *in, void *out, struct err *e)
{
	const struct which *q = in;

	return observe_prediction(observe_of(c->core), c->arena, q->id, out, e);
}

static enum rc get_lineage(struct call *c, const void *in, void *out, struct err *e)
{
	const struct which *q = in;

	return gateway__prediction_lineage(c->module, q->id, c->arena, out, e);
}

const struct route gateway_routes[] = {
	{ HTTP_POST, "/endpoints", "endpoint.operate", NULL, &endpoint_definition_record, &endpoint_record, post_endpoint, NULL,
	  "Makes or changes an endpoint", 0, 0 },
	{ HTTP_GET, "/endpoints", "endpoint.read", NULL, NULL, &endpoint_listing_record, get_endpoints, NULL, "Lists endpoints", 0, 0 },
	{ HTTP_GET, "/endpoints/{name}", "endpoint.read", "name", &endpoint_which_record, &endpoint_record, get_endpoint, NULL,
	  "Shows an endpoint and how it does", 0, 0 },
	{ HTTP_DELETE, "/endpoints/{name}", "endpoint.operate", "name", &endpoint_which_record, &endpoint_listing_record, delete_endpoint, NULL,
	  "Takes an endpoint away", 0, 0 },
	{ HTTP_POST, "/endpoints/{name}/refresh", "endpoint.operate", "name", &endpoint_which_record, &endpoint_record, post_refresh, NULL,
	  "Serves what the endpoint's model reference stands for now", 0, 0 },
	{ HTTP_GET, "/predictions", "observe.read", NULL, &predictions_which_record, &prediction_listing_record, get_predictions, NULL,
	  "Lists predictions on record", 0, 0 },
	{ HTTP_GET, "/predictions/{id}", "observe.read", NULL, &prediction_which_record, &prediction_row_record, get_prediction, NULL,
	  "Shows a prediction on record", 0, 0 },
	{ HTTP_GET, "/predictions/{id}/lineage", "observe.read", NULL, &prediction_which_record, &lineage_graph_record, get_lineage, NULL,
	  "What a prediction came from, back to its sources", 0, 0 },
};
_Static_assert(ARRAY_LEN(gateway_routes) == GATEWAY_ROUTES, "gateway_int.h says how many");
