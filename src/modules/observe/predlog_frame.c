/* predlog_frame.c -- frames of the prediction log, to bytes and back. Little-endian, no padding.
 *
 *	frame       u32 length of payload, u32 CRC-32C of payload, payload
 *	watch       u8 1, i64 revision, i64 version, text endpoint, text model, text output, u16 n, n × text
 *	prediction  u8 2, u32 watch, u64 seq, i64 at_ms, u64 latency_ns, f64 output, text id, text request_id, text view_ids,
 *	            u16 n, n × f64
 *	text        u16 length, bytes
 */
#include "modules/observe/predlog.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they lie in memory");

/* CRC-32C (Castagnoli), reflected, four bits at a time. */
uint32_t predlog_crc(const void *data, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const unsigned char *p = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* --- out --------------------------------------------------------------------------------------------- */

static void put(struct buf *b, const void *p, size_t n)
{
	buf_add(b, str_n(p, n));
}

static void put_text(struct buf *b, str s)
{
	CHECK(s.len <= UINT16_MAX);
	uint16_t n = (uint16_t)s.len;

	put(b, &n, sizeof(n));
	buf_add(b, s);
}

static size_t frame_begin(struct buf *b, enum log_kind kind)
{
	static const char room[8];
	size_t start = b->len;

	put(b, room, sizeof(room));
	buf_add_char(b, (char)kind);
	return start;
}

static void frame_end(struct buf *b, size_t start)
{
	if (b->overflowed)
		return;
	size_t n = b->len - start - 8;
	CHECK(n <= PREDLOG_FRAME_MAX);
	uint32_t head[2] = { (uint32_t)n, predlog_crc(b->at + start + 8, n) };
	memcpy(b->at + start, head, sizeof(head));
}

void predlog_put_watch(struct buf *b, const struct log_watch *w)
{
	size_t start = frame_begin(b, LOG_WATCH);
	uint16_t n = (uint16_t)w->n_input;

	CHECK(w->n_input <= PREDLOG_INPUTS_MAX);
	put(b, &w->revision, 8);
	put(b, &w->version, 8);
	put_text(b, w->endpoint);
	put_text(b, w->model);
	put_text(b, w->output);
	put(b, &n, sizeof(n));
	for (size_t i = 0; i < w->n_input; i++)
		put_text(b, w->input[i]);
	frame_end(b, start);
}

void predlog_put_prediction(struct buf *b, const struct log_prediction *p)
{
	size_t start = frame_begin(b, LOG_PREDICTION);
	uint16_t n = (uint16_t)p->n_input;

	CHECK(p->n_input <= PREDLOG_INPUTS_MAX);
	put(b, &p->watch, 4);
	put(b, &p->seq, 8);
	put(b, &p->at_ms, 8);
	put(b, &p->latency_ns, 8);
	put(b, &p->output, 8);
	put_text(b, p->id);
	put_text(b, p->request_id);
	put_text(b, p->view_ids);
	put(b, &n, sizeof(n));
	put(b, p->input, p->n_input * sizeof(double));
	frame_end(b, start);
}

/* --- in ---------------------------------------------------------------------------------------------- */

/* A read past the end latches `bad`; what is read then is zero. */
struct cursor {
	const char *at, *end;
	bool bad;
};

static void take(struct cursor *c, void *out, size_t n)
{
	if (c->bad || (size_t)(c->end - c->at) < n) {
		c->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, c->at, n);
	c->at += n;
}

static str take_text(struct cursor *c)
{
	uint16_t n;

	take(c, &n, sizeof(n));
	if (c->bad || (size_t)(c->end - c->at) < n) {
		c->bad = true;
		return STR_NONE;
	}
	str s = str_n(c->at, n);
	c->at += n;
	return s;
}

static size_t take_count(struct cursor *c)
{
	uint16_t n;

	take(c, &n, sizeof(n));
	c->bad = c->bad || n > PREDLOG_INPUTS_MAX;
	return c->bad ? 0 : n;
}

static void take_watch(struct cursor *c, struct arena *a, struct log_watch *w)
{
	take(c, &w->revision, 8);
	take(c, &w->version, 8);
	w->endpoint = take_text(c);
	w->model = take_text(c);
	w->output = take_text(c);
	w->n_input = take_count(c);
	str *input = ARENA_ARRAY(a, str, w->n_input);
	for (size_t i = 0; i < w->n_input; i++)
		input[i] = take_text(c);
	w->input = input;
}

static void take_prediction(struct cursor *c, struct arena *a, struct log_prediction *p)
{
	take(c, &p->watch, 4);
	take(c, &p->seq, 8);
	take(c, &p->at_ms, 8);
	take(c, &p->latency_ns, 8);
	take(c, &p->output, 8);
	p->id = take_text(c);
	p->request_id = take_text(c);
	p->view_ids = take_text(c);
	p->n_input = take_count(c);
	double *input = ARENA_ARRAY(a, double, p->n_input);
	if (p->n_input > 0)
		take(c, input, p->n_input * sizeof(double));
	p->input = input;
}

static enum rc broken(size_t at, const char *what, struct err *e)
{
	return FAIL(e, RC_INVALID, "no whole frame at byte %zu: %s", at, what);
}

enum rc predlog_get(str data, size_t *at, struct arena *a, struct log_frame *out, struct err *e)
{
	CHECK(*at <= data.len);
	struct cursor c = { data.at + *at, data.at + data.len, false };
	struct log_frame f = { 0 };
	uint32_t head[2];
	uint8_t kind;

	take(&c, head, sizeof(head));
	if (c.bad)
		return broken(*at, "its head is cut", e);
	if (head[0] == 0 || head[0] > PREDLOG_FRAME_MAX)
		return broken(*at, "its length is out of range", e);
	if ((size_t)(c.end - c.at) < head[0])
		return broken(*at, "its payload is cut", e);
	if (predlog_crc(c.at, head[0]) != head[1])
		return broken(*at, "its checksum does not fit", e);
	c.end = c.at + head[0];
	take(&c, &kind, 1);
	f.kind = (enum log_kind)kind;
	if (kind == LOG_WATCH)
		take_watch(&c, a, &f.watch);
	else if (kind == LOG_PREDICTION)
		take_prediction(&c, a, &f.prediction);
	else
		return broken(*at, "its kind is unknown", e);
	if (c.bad || c.at != c.end)
		return broken(*at, "its fields do not fill its length", e);
	*out = f;
	*at += 8 + (size_t)head[0];
	return RC_OK;
}
