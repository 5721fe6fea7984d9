/* log.h -- structured log lines, one JSON object each, to standard error or a file.
 *
 *	LOG(INFO, "dataset.ingested", KV_STR("name", name), KV_I64("rows", n));
 *
 * One line per fact, at the layer that decides. A line is one write(2), so lines of several threads do
 * not mix. Keys named token, key, password or secret print "***". Any thread.
 */
#ifndef CAIRN_BASE_LOG_H
#define CAIRN_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct kv {
	const char *key;
	enum { KV_KIND_STR, KV_KIND_I64, KV_KIND_F64, KV_KIND_BOOL } kind;
	str s;
	int64_t i;
	double f;
};
#define KV_STR(k, v) ((struct kv){ .key = (k), .kind = KV_KIND_STR, .s = (v) })
#define KV_I64(k, v) ((struct kv){ .key = (k), .kind = KV_KIND_I64, .i = (int64_t)(v) })
#define KV_F64(k, v) ((struct kv){ .key = (k), .kind = KV_KIND_F64, .f = (v) })
#define KV_BOOL(k, v) ((struct kv){ .key = (k), .kind = KV_KIND_BOOL, .i = (v) })
#define KV_ERR(e) KV_STR("error", str_of((e)->msg)), KV_STR("code", str_of(rc_name((e)->rc)))

void log_open(int fd, enum log_level least);      /* once, by main; default: stderr, INFO */
void log_write(enum log_level level, const char *event, const struct kv *kv, size_t n);
#define LOG(level, event, ...)                                                                     \
	log_write(LOG_##level, (event), (const struct kv[]){ { .key = NULL }, ##__VA_ARGS__ } + 1, \
		  sizeof((const struct kv[]){ { .key = NULL }, ##__VA_ARGS__ }) / sizeof(struct kv) - 1)

#endif
