/* fuzz_predlog.c -- frames of the prediction log from arbitrary bytes: read, and what was read written again alike. */
#include <stdint.h>
#include <string.h>

#include "modules/observe/predlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A checksum cannot be guessed, so the first frame's is put right. */
static void set_checksum(struct buf *b)
{
	uint32_t head[2];

	if (b->len < 9)
		return;
	head[0] = (uint32_t)(b->len - 8);
	head[1] = predlog_crc(b->at + 8, b->len - 8);
	memcpy(b->at, head, sizeof(head));
}

static void read_all(str data, struct arena *a)
{
	size_t at = 0;

	for (;;) {
		struct buf again = BUF_INIT(1 << 20);
		struct err e = ERR_INIT;
		struct log_frame f;
		size_t from = at;
		if (at == data.len || predlog_get(data, &at, a, &f, &e) != RC_OK)
			break;
		if (f.kind == LOG_WATCH)
			predlog_put_watch(&again, &f.watch);
		else
			predlog_put_prediction(&again, &f.prediction);
		CHECK(again.len == at - from);
		CHECK(memcmp(again.at, data.at + from, again.len) == 0);
		buf_deinit(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT(1 << 20);
	struct arena a;

	if (size > 60000)
		return 0;
	arena_init(&a);
	buf_add(&b, str_n((const char *)data, size));
	read_all(buf_str(&b), &a);
	set_checksum(&b);
	read_all(buf_str(&b), &a);
	arena_deinit(&a);
	buf_deinit(&b);
	return 0;
}
