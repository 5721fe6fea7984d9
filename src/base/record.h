/* record.h -- describe once.
 *
 * A record table names the fields of a C struct: wire name, kind, limits, default, documentation. From
 * it come JSON and YAML decoding with errors that name the place and what is allowed, JSON encoding,
 * SQL bind and scan (core/store.h), the OpenAPI schema (core/openapi.h), `--help` and the CLI's tables.
 * Tables are `static const`; every function here is pure over its arguments; any thread.
 *
 *	struct dataset { str name; int64_t n_rows; int64_t created_ms; };
 *	static const struct field dataset_fields[] = {
 *		FIELD(dataset, name,       K_STR,  F_REQUIRED | F_KEY, "Unique name", .max = 128, .format = "name"),
 *		FIELD(dataset, n_rows,     K_I64,  F_OUTPUT, "Rows in the newest version"),
 *		FIELD(dataset, created_ms, K_TIME, F_OUTPUT, "When it was first made", .name = "created_at"),
 *	};
 *	const struct record dataset_record = RECORD(dataset, dataset_fields, "A named, versioned table");
 */
#ifndef CAIRN_BASE_RECORD_H
#define CAIRN_BASE_RECORD_H

#include "base/json.h"
#include "base/vec.h"

enum kind {
	K_BOOL,     /* bool */
	K_I32,      /* int32_t */
	K_I64,      /* int64_t; a quoted number is read too (protobuf's JSON mapping) */
	K_F64,      /* double */
	K_STR,      /* str */
	K_SECRET,   /* str; encoded as "***" except with ENC_SECRETS, never logged or stored as it is */
	K_TIME,     /* int64_t, milliseconds since 1970 UTC; on the wire RFC 3339 text
	             * "2026-01-02T03:04:05.678Z"; a number of milliseconds is read too */
	K_MS,       /* int64_t duration in ms; on the wire text "90s", "15m", "24h", "7d", or a number of ms */
	K_ENUM,     /* int32_t index into .names; on the wire its name */
	K_RECORD,   /* the struct itself, inline; .sub */
	K_RECORDS,  /* struct list of .sub structs */
	K_STRS,     /* struct list of str */
	K_F64S,     /* struct list of double */
	K_I64S,     /* struct list of int64_t */
	K_PAIRS,    /* struct list of struct pair: an object with free keys and scalar values, in order */
	K_JSON,     /* str holding any JSON value verbatim (from YAML: converted to JSON) */
};

struct pair { str key, value; };

enum field_flags {
	F_REQUIRED = 1u << 0,   /* must be present and, for text, not empty */
	F_KEY      = 1u << 1,   /* part of the primary key; frozen once stored */
	F_OUTPUT   = 1u << 2,   /* set by cairn: refused in input */
	F_STORED   = 1u << 3,   /* is a column of .table; K_RECORD(S), lists and pairs are stored as JSON text */
	F_FROZEN   = 1u << 4,   /* cannot be changed by an update */
	F_NULLABLE = 1u << 5,   /* absent is encoded as null / stored as NULL instead of the zero value */
	F_HIDE     = 1u << 6,   /* left out of CLI tables; still in JSON */
	F_AS_MS    = 1u << 7,   /* K_TIME as a bare number of milliseconds on the wire (MLflow) */
	F_SKIP_EMPTY = 1u << 8, /* left out of JSON when zero, empty or absent */
	F_PLAIN_STR  = 1u << 9, /* K_I64 encoded as a JSON string (protobuf int64) */
	F_SHORT      = 1u << 10, /* K_RECORD(S): a bare scalar is read too, as the sub-record's first field */
	F_NUMBERED   = 1u << 11, /* K_ENUM: its index is read too (protobuf's JSON mapping) */
};

struct record;
struct field {
	const char *name;       /* on the wire and as SQL column */
	uint16_t offset;
	uint8_t kind;           /* enum kind */
	uint16_t flags;
	const char *doc;        /* one sentence, no full stop */
	double min, max;        /* numbers: bounds when max > min; text and lists: length bounds, max 0 = LIMIT_TEXT */
	const char *def;        /* default as text, decoded like input; NULL: zero value */
	const char *format;     /* text: "name" ([A-Za-z0-9][A-Za-z0-9_.-]*), "url", "uri-path", "sha256", NULL any */
	const char *unit;       /* for people: "bytes", "rows/s" */
	const char *const *names;         /* K_ENUM: NULL-terminated wire names */
	const struct record *sub;         /* K_RECORD, K_RECORDS */
};

struct record {
	const char *name;       /* singular, snake_case: schema name, "a pipeline" in messages */
	const char *doc;
	const struct field *field;
	uint16_t n_field;
	size_t size;            /* sizeof the struct */
	int32_t has_offset;     /* offset of a uint64_t member `has`, or -1: bit i = field i was given */
	const char *table;      /* SQL table, or NULL */
	bool open;              /* unknown keys are ignored instead of refused (foreign protocols) */
	/* Rules over more than one field, run after decoding; may be NULL. */
	enum rc (*validate)(const void *obj, struct err *e);
	/* Says in a foreign protocol's words that a field is missing (t NULL) or that its scalar does not fit. May be NULL. */
	void (*reword)(const struct field *f, const struct token *t, struct err *e);
};

/* FIELD and RECORD give defaults that the trailing designators may override: that is their point. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define FIELD(type, member, k, fl, text, ...)                                                      \
	{ .name = #member, .offset = offsetof(struct type, member), .kind = (k), .flags = (fl),    \
	  .doc = (text), ##__VA_ARGS__ }
#define RECORD(type, fields, text, ...)                                                            \
	{ .name = #type, .doc = (text), .field = (fields), .n_field = ARRAY_LEN(fields),           \
	  .size = sizeof(struct type), .has_offset = -1, ##__VA_ARGS__ }

/* --- text in ------------------------------------------------------------------------------- */

enum decode_flags {
	DEC_PARTIAL = 1u << 0,  /* an update: required fields may be absent, defaults are not applied */
	DEC_TRUSTED = 1u << 1,  /* our own stored text: F_OUTPUT fields are read */
};
/* Reads one object into *obj (zeroed first unless DEC_PARTIAL). Strings point into the input or the
 * source's arena. Unknown keys name the allowed ones and the nearest. Errors: RC_INVALID with field
 * path ("gates[2].column"), and "NAME:LINE:COLUMN: " before the message when the source has lines. */
enum rc record_decode(const struct record *r, struct token_source *src, unsigned flags, void *obj,
		      struct err *e) MUST_USE;
/* The keys of one object only, without defaults and rules, for objects that come in parts (body, query, path): bits of
 * *given are added to, and record_finish ends it. A key whose bit is set already is "given twice". */
enum rc record_decode_keys(const struct record *r, struct token_source *src, unsigned flags, uint64_t *given, void *obj,
			   struct err *e) MUST_USE;
enum rc record_from_json(const struct record *r, str json, struct arena *a, unsigned flags, void *obj,
			 struct err *e) MUST_USE;
/* One field from text, as from a query string, a flag or a column. */
enum rc field_from_text(const struct field *f, str text, struct arena *a, void *obj, struct err *e) MUST_USE;
/* Defaults, required fields and .validate for a struct that was filled field by field;
 * `given` has a bit per field index. */
enum rc record_finish(const struct record *r, uint64_t given, struct arena *a, unsigned flags, void *obj,
		      struct err *e) MUST_USE;

/* --- text out ------------------------------------------------------------------------------- */

enum encode_flags { ENC_SECRETS = 1u << 0, ENC_STORED = 1u << 1 /* only F_STORED fields */ };
void record_encode(const struct record *r, const void *obj, unsigned flags, struct jw *w);   /* a value */
void record_encode_fields(const struct record *r, const void *obj, unsigned flags, struct jw *w);
str record_to_json(const struct record *r, const void *obj, unsigned flags, struct arena *a);
/* One field for people: times as "2026-01-02 03:04:05", sizes with unit, lists joined. */
str field_to_text(const struct field *f, const void *obj, struct arena *a);
/* Writes the value of one field (no key). */
void field_encode(const struct field *f, const void *obj, unsigned flags, struct jw *w);

/* --- tables about tables -------------------------------------------------------------------- */

const struct field *record_field_find(const struct record *r, str name);
int record_field_index(const struct record *r, str name);        /* -1 when absent */
void record_schema(const struct record *r, struct jw *w);         /* JSON Schema object (OpenAPI 3.1) */
bool field_is_set(const struct record *r, const struct field *f, const void *obj); /* by .has, else non-zero */

static inline const void *field_at(const struct field *f, const void *obj)
{
	return (const char *)obj + f->offset;
}
static inline void *field_slot(const struct field *f, void *obj)
{
	return (char *)obj + f->offset;
}

#endif
