/* err.h -- one error type for everything that can fail in operation.
 *
 * Functions that can fail return `enum rc` and take a `struct err *e` last. On failure *e holds the
 * code, a message that a user can act on, the field or object concerned, and where it was raised;
 * out-parameters are untouched. `e` is never NULL. Bugs are CHECKs, absence is NULL from a `_find`.
 *
 *	if (v == NULL)
 *		return FAIL(e, RC_NOT_FOUND, "feature view '" STR_FMT "'", STR_ARG(name));
 *	TRY(store_save(tx, v, e));
 */
#ifndef CAIRN_BASE_ERR_H
#define CAIRN_BASE_ERR_H

#include "base/check.h"
#include "base/str.h"

enum rc {
#define X(name, wire, status, exit_code) RC_##name,
#include "base/errors.def"
#undef X
	RC_COUNT_
};

struct err {
	enum rc rc;
	int line;             /* where in our source; for the log, never for clients */
	const char *file;
	char field[96];       /* field or object path, "" when none: "gates[2].column" */
	char msg[512];        /* a sentence without full stop; always NUL-terminated */
};

#define ERR_INIT ((struct err){ .rc = RC_OK })

const char *rc_name(enum rc rc);        /* wire name */
int rc_http(enum rc rc);
int rc_exit(enum rc rc);
enum rc rc_of_name(str wire_name);      /* RC_INTERNAL when unknown */

void err_set(struct err *e, enum rc rc, const char *file, int line, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
/* Puts "context: " before the message; once per layer. Returns e->rc. */
enum rc err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Names the field concerned. Returns e->rc. */
enum rc err_field(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The value is `rc` itself, so that the compiler sees it is not RC_OK. */
#define FAIL(e, rc, ...) (err_set((e), (rc), __FILE__, __LINE__, __VA_ARGS__), (rc))
#define TRY(call)                                                                                  \
	do {                                                                                       \
		enum rc try_rc_ = (call);                                                          \
		if (try_rc_ != RC_OK)                                                              \
			return try_rc_;                                                            \
	} while (0)

#endif
