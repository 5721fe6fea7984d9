/* principal.h -- who asks, and what they may do. A value; lives in the request's arena. */
#ifndef CAIRN_CORE_PRINCIPAL_H
#define CAIRN_CORE_PRINCIPAL_H

#include "base/err.h"
#include "base/str.h"

enum role { ROLE_NONE, ROLE_SERVICE, ROLE_VIEWER, ROLE_CONTRIBUTOR, ROLE_OPERATOR, ROLE_ADMIN };
extern const char *const role_names[];

struct principal {
	str id;                 /* "user:admin", "key:ky_01…", "system" */
	str name;               /* for people and for MLflow's user_id */
	enum role role;
	str scope;              /* ROLE_SERVICE: what the token is for, "endpoint.invoke:taxi-fare …", space separated */
};

/* permission is "area.verb" with verb read, write, operate, admin or invoke; object may be STR_NONE.
 * viewer: *.read; contributor: also *.write and *.invoke; operator: also *.operate; admin: all;
 * service: what its scope lists, "area.verb" or "area.verb:object". */
bool principal_may(const struct principal *p, const char *permission, str object);
extern const struct principal principal_system;
extern const struct principal principal_nobody;

struct http_request;
/* Installed by the access module. Runs on an event loop: reads a snapshot, never blocks. */
struct authenticator {
	enum rc (*authenticate)(void *self, struct http_request *q, struct principal *out, struct err *e);
	void *self;
};

#endif
