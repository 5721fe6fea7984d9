/* event.h -- what happened, kept for good: the audit log and the lineage graph.
 *
 * Both are written in the transaction of the change they tell of, so neither can be missing or extra.
 * Lineage is a graph of nodes (kind, id) and edges "to came from from"; kinds are the words below.
 */
#ifndef CAIRN_CORE_EVENT_H
#define CAIRN_CORE_EVENT_H

#include "base/record.h"
#include "core/principal.h"
#include "io/db.h"

/* action: "dataset.create"; object: "dataset:trips"; detail: JSON or STR_NONE */
enum rc event_audit(struct tx *tx, const struct principal *who, const char *action, str object, str detail_json,
		    struct err *e) MUST_USE;

struct audit_entry { str id; int64_t at_ms; str who, action, object, detail; };
extern const struct record audit_entry_record;
/* Newest first; object may be empty: all. */
enum rc audit_list(struct db *db, struct arena *a, str object, int64_t limit, struct list *out, struct err *e) MUST_USE;

#define LIN_SOURCE   "source"            /* id: sha256 of the file; label: its name */
#define LIN_DATASET  "dataset_version"   /* id: "trips@3" */
#define LIN_PIPELINE "pipeline_run"      /* id: run id */
#define LIN_VIEW     "feature_view"      /* id: "zone_stats@materialisation id", or "zone_stats" */
#define LIN_TRAINSET "training_set"      /* id: training set id */
#define LIN_RUN      "run"               /* id: MLflow run id */
#define LIN_MODEL    "model_version"     /* id: "taxi-fare@2" */
#define LIN_ENDPOINT "endpoint"          /* id: "taxi-fare@revision" */
#define LIN_PREDICT  "prediction"        /* id: prediction id; not stored as rows: resolved by the gateway */

struct lineage_node { str kind, id, label; int64_t at_ms; str detail; /* JSON object or empty */ };
struct lineage_edge { str from_kind, from_id, to_kind, to_id, how; };
extern const struct record lineage_node_record, lineage_edge_record;
struct lineage_graph { struct list nodes, edges; };      /* of the two structs above */
extern const struct record lineage_graph_record;

/* Upserts the node (label and detail replace when not empty). */
enum rc lineage_node_put(struct tx *tx, const char *kind, str id, str label, str detail_json, struct err *e) MUST_USE;
enum rc lineage_link(struct tx *tx, const char *from_kind, str from_id, const char *to_kind, str to_id, const char *how,
		     struct err *e) MUST_USE;
/* Everything that (kind, id) came from, the node itself first; breadth first, at most 500 nodes.
 * downstream: what came from it instead. */
enum rc lineage_trace(struct tx *tx, struct arena *a, str kind, str id, bool downstream, struct lineage_graph *out,
		      struct err *e) MUST_USE;

extern const struct migration event_migrations[];
extern const size_t n_event_migrations;

#endif
