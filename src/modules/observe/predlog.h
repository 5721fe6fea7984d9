/* predlog.h -- the prediction log: what was answered, on disk before the answer.
 *
 * Segment files DATA/predictions/NNNNNNNNNNNNNNNNNNNN.log. A segment begins with 16 bytes (magic, sequence number of its
 * first prediction), then frames: length, CRC-32C of the payload, payload. A frame is a watch (what is being recorded:
 * endpoint, model, names of the inputs) or a prediction of a watch that stands before it in the same segment, so every
 * segment can be read alone. One append is one write(2): a killed process leaves whole frames, a crashed machine at most a
 * torn tail, which predlog_open cuts. Predictions are numbered without gaps over all segments.
 *
 * Appending is under the owner's lock; readers follow the committed length and may run beside it.
 */
#ifndef CAIRN_MODULES_OBSERVE_PREDLOG_H
#define CAIRN_MODULES_OBSERVE_PREDLOG_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define PREDLOG_HEAD 16           /* bytes before the first frame */
#define PREDLOG_FRAME_MAX 65536   /* payload of one frame */
#define PREDLOG_INPUTS_MAX 1024

struct log_watch {
	int64_t revision, version;
	str endpoint, model, output;
	const str *input;
	size_t n_input;
};
struct log_prediction {
	uint32_t watch;         /* number of the watch in its segment, from 0 in order of appearance */
	uint64_t seq;
	int64_t at_ms;
	uint64_t latency_ns;
	double output;
	str id, request_id, view_ids;
	const double *input;
	size_t n_input;
};
enum log_kind { LOG_WATCH = 1, LOG_PREDICTION = 2 };
struct log_frame {
	enum log_kind kind;
	struct log_watch watch;
	struct log_prediction prediction;
};

/* --- frames: pure ------------------------------------------------------------------------------- */
void predlog_put_watch(struct buf *out, const struct log_watch *w);
void predlog_put_prediction(struct buf *out, const struct log_prediction *p);
/* Reads the frame at *at and moves behind it. RC_INVALID: what stands there is no whole frame. */
enum rc predlog_get(str data, size_t *at, struct arena *a, struct log_frame *out, struct err *e) MUST_USE;
uint32_t predlog_crc(const void *data, size_t n);

/* --- the log -------------------------------------------------------------------------------------- */
struct predlog;
struct predlog_place { uint64_t segment, offset; };

enum rc predlog_open(const char *dir, uint64_t segment_bytes, struct predlog **out, struct err *e) MUST_USE;
void predlog_close(struct predlog **slot);
/* A new segment with a number above `segment` and predictions numbered from `seq` at least: for a log that lost its tail
 * after that was told elsewhere. */
enum rc predlog_advance(struct predlog *l, uint64_t segment, uint64_t seq, struct err *e) MUST_USE;
uint64_t predlog_next_seq(const struct predlog *l);
uint64_t predlog_segment(const struct predlog *l);      /* the one being written; a new number means: watches are unknown again */
uint64_t predlog_bytes(const struct predlog *l);        /* of all segments */
/* Begins an append: starts a new segment when the current one is full. Then predlog_put_* into predlog_buf, then commit. */
enum rc predlog_begin(struct predlog *l, struct err *e) MUST_USE;
struct buf *predlog_buf(struct predlog *l);
/* One write(2). n: predictions in it. On failure the log is as before predlog_begin. */
enum rc predlog_commit(struct predlog *l, size_t n, struct err *e) MUST_USE;
/* Removes whole segments before `upto.segment`, oldest first, while more than keep_bytes are kept. */
enum rc predlog_prune(struct predlog *l, struct predlog_place upto, uint64_t keep_bytes, struct err *e) MUST_USE;

struct predlog_reader;
/* From a place that a reader told (or {0,0}: the oldest). */
enum rc predlog_reader_open(struct predlog *l, struct predlog_place from, struct predlog_reader **out, struct err *e) MUST_USE;
void predlog_reader_close(struct predlog_reader **slot);
/* The next prediction, with its watch (valid until the reader closes); *got false at the end of what is committed. */
enum rc predlog_next(struct predlog_reader *r, struct arena *a, const struct log_watch **w, struct log_prediction *p, bool *got,
		     struct err *e) MUST_USE;
struct predlog_place predlog_reader_place(const struct predlog_reader *r);

#endif
