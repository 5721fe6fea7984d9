/* principal.c -- the permission rule, in one place. */
#include "core/principal.h"

const char *const role_names[] = { "none", "service", "viewer", "contributor", "operator", "admin", NULL };

const struct principal principal_system = {
	.id = { "system", 6 }, .name = { "cairn", 5 }, .role = ROLE_ADMIN
};
const struct principal principal_nobody = { .id = { "nobody", 6 }, .name = { "nobody", 6 } };

/* The least role that has a verb on everything. */
static const struct {
	const char *verb;
	enum role least;
} verb_roles[] = {
	{ "read",    ROLE_VIEWER      },
	{ "write",   ROLE_CONTRIBUTOR },
	{ "invoke",  ROLE_CONTRIBUTOR },
	{ "operate", ROLE_OPERATOR    },
	{ "admin",   ROLE_ADMIN       },
};

static bool scope_allows(str scope, str permission, str object)
{
	str rest = scope, part;

	while (str_cut(&rest, ' ', &part)) {
		if (!str_starts(part, permission))
			continue;
		str tail = str_skip(part, permission.len);
		if (tail.len == 0)
			return true;
		if (tail.at[0] == ':' && object.len > 0 && str_eq(str_skip(tail, 1), object))
			return true;
	}
	return false;
}

bool principal_may(const struct principal *p, const char *permission, str object)
{
	str perm = str_of(permission);
	ptrdiff_t dot = str_find_char(perm, '.');

	CHECK(dot > 0);
	if (p->role == ROLE_SERVICE)
		return scope_allows(p->scope, perm, object);
	str verb = str_skip(perm, (size_t)dot + 1);
	for (size_t i = 0; i < ARRAY_LEN(verb_roles); i++) {
		if (str_eq(verb, str_of(verb_roles[i].verb)))
			return p->role >= verb_roles[i].least;
	}
	return false;
}
