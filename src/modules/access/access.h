/* access.h -- users, tokens and keys; answers "who is this request". */
#ifndef CAIRN_MODULES_ACCESS_H
#define CAIRN_MODULES_ACCESS_H

#include "core/core.h"
#include "core/principal.h"
#include "io/db.h"

struct access;
extern const struct module access_module;
static inline struct access *access_of(const struct core *c) { return core_module(c, "access"); }

/* A new key limited to `scope` ("endpoint.invoke:taxi-fare"); the plain text is shown this once. */
enum rc access_key_create(struct access *x, str name, str scope, const struct principal *who, struct arena *a, str *key_out,
			  struct err *e) MUST_USE;

#endif
