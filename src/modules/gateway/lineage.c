/* lineage.c -- the unbroken line from a prediction back to the bytes of its sources. */
#include "modules/gateway/gateway_int.h"

enum rc gateway__prediction_lineage(struct gateway *g, str id, struct arena *a, struct lineage_graph *out, struct err *e)
{
	struct prediction_row p = { 0 };
	struct lineage_node *node = ARENA_NEW(a, struct lineage_node);
	VEC(struct lineage_edge) edge = { 0 };
	str views, view;

	TRY(observe_prediction(observe_of(g->core), a, id, &p, e));
	str endpoint = arena_printf(a, STR_FMT "@%lld", STR_ARG(p.endpoint), (long long)p.revision);
	*node = (struct lineage_node){ .kind = STR(LIN_PREDICT), .id = p.id,
				       .label = arena_printf(a, STR_FMT " %.6g", STR_ARG(p.output_name), p.output), .at_ms = p.at_ms,
				       .detail = record_to_json(&prediction_row_record, &p, 0, a) };
	*VEC_PUSH(a, &edge) = (struct lineage_edge){ STR(LIN_ENDPOINT), endpoint, STR(LIN_PREDICT), p.id, STR("answer") };
	views = p.view_ids.len > 0 ? p.view_ids : STR_NONE;
	while (str_cut(&views, ',', &view))
		*VEC_PUSH(a, &edge) = (struct lineage_edge){ STR(LIN_VIEW), view, STR(LIN_PREDICT), p.id, STR("online read") };
	*out = (struct lineage_graph){ { node, 1 }, LIST_OF(edge) };
	for (size_t i = 0; i < edge.n; i++)
		TRY(gateway__trace(g, a, edge.at[i].from_kind, edge.at[i].from_id, out, e));
	return RC_OK;
}
