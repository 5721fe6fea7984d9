/* lake.h -- sources, datasets and pipelines: typed, profiled, versioned Parquet.
 *
 * A dataset is a name; each version of it is an immutable Parquet blob with a schema, a profile and its
 * origin. Publishing a version is one transaction: it is there whole, with its lineage, or not at all.
 * Any thread that may block.
 */
#ifndef CAIRN_MODULES_LAKE_H
#define CAIRN_MODULES_LAKE_H

#include "base/record.h"
#include "core/core.h"
#include "io/query.h"

struct lake;
extern const struct module lake_module;
static inline struct lake *lake_of(const struct core *c) { return core_module(c, "lake"); }

struct dataset_version {
	str id;                 /* "trips@3" */
	str dataset;
	int64_t number;         /* 1, 2, … */
	str blob;               /* Parquet, SHA-256 */
	int64_t size;           /* of the blob, bytes */
	int64_t n_rows;
	int64_t n_quarantined;  /* rows of the source that did not fit, kept with their reasons */
	str quarantine_blob;    /* Parquet (line, column_name, reason, row_text), or empty */
	struct list columns;    /* struct dataset_column */
	str profile;            /* JSON: per column nulls, distinct, min, max, mean, quantiles, histogram, top values */
	str origin;             /* "ingest taxis.csv" or "pipeline zone_stats run pl_…" */
	str origin_kind, origin_id;  /* lineage node it came from */
	int64_t n_source_rows;  /* rows of what it came from: n_rows + n_quarantined of an ingest */
	str source_blob;        /* of an ingest: the file as it was uploaded, else empty */
	int32_t source_format;  /* enum source_format: how it was read, so that it can be read again */
	str delimiter;
	str spec_hash;          /* of the options of the ingest, to know the same again */
	int64_t created_ms;
};
struct dataset_column { str name, type; /* DuckDB type */ };
extern const struct record dataset_version_record;

/* number 0: the newest. */
enum rc lake_version(struct lake *l, struct arena *a, str dataset, int64_t number, struct dataset_version *out,
		     struct err *e) MUST_USE;
/* Makes `as` a view over the version in q. */
enum rc lake_bind(struct lake *l, struct query *q, str as, const struct dataset_version *v, struct err *e) MUST_USE;
/* Makes a view of each dataset ("trips") and version ("trips@3") that one SELECT names, and lists their versions
 * (struct dataset_version); names of no dataset are left out. Before the sandbox. */
enum rc lake_bind_named(struct lake *l, struct query *q, str sql, struct arena *a, struct list *versions_out, struct err *e) MUST_USE;
/* "trips@3" */
str lake_version_id(struct arena *a, const struct dataset_version *v);

#endif
