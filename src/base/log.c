#include "base/log.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_least = LOG_INFO;

void log_open(int fd, enum log_level least)
{
	atomic_store(&log_fd, fd);
	atomic_store(&log_least, (int)least);
}

static bool is_secret(const char *key)
{
	static const char *const words[] = { "token", "key", "password", "secret" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(str_of(key), str_of(words[i])))
			return true;
	}
	return false;
}

static void write_value(struct jw *w, const struct kv *kv)
{
	if (is_secret(kv->key)) {
		jw_str_key(w, kv->key, STR("***"));
		return;
	}
	switch (kv->kind) {
	case KV_KIND_STR:
		jw_str_key(w, kv->key, kv->s);
		return;
	case KV_KIND_I64:
		jw_i64_key(w, kv->key, kv->i);
		return;
	case KV_KIND_F64:
		jw_f64_key(w, kv->key, kv->f);
		return;
	case KV_KIND_BOOL:
		jw_bool_key(w, kv->key, kv->i != 0);
		return;
	}
	UNREACHABLE("kv kind");
}

void log_write(enum log_level level, const char *event, const struct kv *kv, size_t n)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	struct buf b = BUF_INIT(16384);
	char at[CLOCK_TEXT_MAX];
	struct jw w;

	if ((int)level < atomic_load_explicit(&log_least, memory_order_relaxed))
		return;
	jw_init(&w, &b);
	jw_object(&w);
	jw_str_key(&w, "ts", str_n(at, clock_put_rfc3339(at, clock_ms())));
	jw_str_key(&w, "level", str_of(names[level]));
	jw_str_key(&w, "event", str_of(event));
	for (size_t i = 0; i < n; i++)
		write_value(&w, &kv[i]);
	jw_end_object(&w);
	buf_add_char(&b, '\n');
	if (!b.overflowed && write(atomic_load(&log_fd), b.at, b.len) < 0) {
		/* Nowhere left to say so. */
	}
	buf_deinit(&b);
}
