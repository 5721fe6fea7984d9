#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int http, exit_code;
} codes[RC_COUNT_] = {
#define X(name, wire, status, exit_code) [RC_##name] = { wire, status, exit_code },
#include "base/errors.def"
#undef X
};

const char *rc_name(enum rc rc) { CHECK(rc < RC_COUNT_); return codes[rc].name; }
int rc_http(enum rc rc) { CHECK(rc < RC_COUNT_); return codes[rc].http; }
int rc_exit(enum rc rc) { CHECK(rc < RC_COUNT_); return codes[rc].exit_code; }

enum rc rc_of_name(str wire_name)
{
	for (int i = 0; i < RC_COUNT_; i++) {
		if (str_eq(wire_name, str_of(codes[i].name)))
			return (enum rc)i;
	}
	return RC_INTERNAL;
}

/* A message is cut at a whole UTF-8 character, so that it stays valid JSON text. */
static void trim_utf8(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && !str_is_utf8(str_n(s, n)))
		n--;
	s[n] = '\0';
}

void err_set(struct err *e, enum rc rc, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	CHECK(rc != RC_OK);
	e->rc = rc;
	e->file = file;
	e->line = line;
	e->field[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);   /* cut off when longer */
	va_end(ap);
	if (strlen(e->msg) == sizeof(e->msg) - 1)
		trim_utf8(e->msg);
}

enum rc err_wrap(struct err *e, const char *fmt, ...)
{
	char context[sizeof(e->msg)], old[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(old, e->msg, sizeof(old));
	size_t n = strlen(context);
	size_t room = sizeof(e->msg) - 1;
	n = n < room ? n : room;
	memcpy(e->msg, context, n);
	(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %.*s", (int)strlen(old), old);
	trim_utf8(e->msg);
	return e->rc;
}

enum rc err_field(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->field, sizeof(e->field), fmt, ap);
	va_end(ap);
	trim_utf8(e->field);
	return e->rc;
}
