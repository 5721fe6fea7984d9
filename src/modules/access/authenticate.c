/* authenticate.c -- from a request's headers to a principal, on the event loop.
 *
 * `Authorization` wins over the cookie. A cookie is sent by browsers on their own, so a change made with one must come
 * from our own page: the browser says so itself in Sec-Fetch-Site, or in Origin where it is older. */
#include "base/clock.h"
#include "modules/access/access_int.h"

static enum rc refuse(struct access *x, enum refusal why, enum rc rc, const char *text, struct err *e)
{
	series_add(x->refused[why], 1);
	return FAIL(e, rc, "%s", text);
}

/* --- what the headers hold ------------------------------------------------------------------------------ */

static bool scheme_is(str header, str scheme, str *rest)
{
	if (header.len <= scheme.len || !str_eq_nocase(str_head(header, scheme.len), scheme) || header.at[scheme.len] != ' ')
		return false;
	*rest = str_trim(str_skip(header, scheme.len + 1));
	return true;
}

bool access__token_of(str header, struct arena *a, str *out)
{
	str rest, plain;

	if (scheme_is(header, STR("Bearer"), out))
		return out->len > 0;
	if (!scheme_is(header, STR("Basic"), &rest) || rest.len > 2 * TOKEN_TEXT_MAX || !crypto_base64_decode(rest, a, &plain))
		return false;
	ptrdiff_t colon = str_find_char(plain, ':');
	if (colon < 0)
		return false;
	*out = str_skip(plain, (size_t)colon + 1);
	return out->len > 0;
}

str access__cookie_of(str header)
{
	str rest = header, part;

	while (str_cut(&rest, ';', &part)) {
		part = str_trim(part);
		if (str_starts(part, STR(SESSION_COOKIE "=")))
			return str_skip(part, sizeof(SESSION_COOKIE "=") - 1);
	}
	return STR_NONE;
}

str access__session_cookie(const struct http_request *q)
{
	return access__cookie_of(http_header(q, "Cookie"));
}

bool access__has_authorization(const struct http_request *q)
{
	return http_header(q, "Authorization").len > 0;
}

bool access__origin_is_host(str origin, str host)
{
	ptrdiff_t at = str_find(origin, STR("://"));

	return at > 0 && host.len > 0 && str_eq_nocase(str_skip(origin, (size_t)at + 3), host);
}

bool access__same_origin(const struct http_request *q)
{
	str site = http_header(q, "Sec-Fetch-Site"), origin = http_header(q, "Origin");

	if (site.len > 0)
		return str_eq(site, STR("same-origin"));
	return access__origin_is_host(origin, http_header(q, "Host"));
}

static bool is_write(const struct http_request *q)
{
	return q->method != HTTP_GET && q->method != HTTP_HEAD && q->method != HTTP_OPTIONS;
}

/* --- who -------------------------------------------------------------------------------------------------- */

static enum rc identify(struct access *x, struct http_request *q, str secret, bool session, struct principal *out, struct err *e)
{
	char hash[SHA256_HEX + 1];
	struct identity who;

	if (secret.len > TOKEN_TEXT_MAX)
		return refuse(x, REFUSED_MALFORMED, RC_UNAUTHENTICATED, "the token is too long to be one of cairn's", e);
	sha256_hex(secret, hash);
	/* A cookie's secret is no token, nor a token a cookie. */
	if (!access__identify(x, str_n(hash, SHA256_HEX), &q->arena, &who) || who.session != session)
		return refuse(x, REFUSED_UNKNOWN, RC_UNAUTHENTICATED,
			      session ? "the login is not known or has ended; make a new link with `cairn console`"
				      : "the token is not known or was revoked", e);
	if (who.expires_ms != 0 && who.expires_ms <= clock_ms())
		return refuse(x, REFUSED_EXPIRED, RC_UNAUTHENTICATED,
			      session ? "the login has expired; make a new link with `cairn console`" : "the token has expired", e);
	*out = who.who;
	return RC_OK;
}

enum rc access__authenticate(void *self, struct http_request *q, struct principal *out, struct err *e)
{
	struct access *x = self;
	str header = http_header(q, "Authorization"), token;

	OBJ_CHECK(x, ACCESS_MAGIC);
	if (header.len > 0) {
		if (!access__token_of(header, &q->arena, &token))
			return refuse(x, REFUSED_MALFORMED, RC_UNAUTHENTICATED,
				      "Authorization must be `Bearer TOKEN`, or Basic with the token as password", e);
		return identify(x, q, token, false, out, e);
	}
	str cookie = access__session_cookie(q);
	if (cookie.len == 0)
		return refuse(x, REFUSED_NO_TOKEN, RC_UNAUTHENTICATED,
			      "a token is needed: send `Authorization: Bearer TOKEN`; the first administrator's is in admin.token of the data "
			      "directory", e);
	if (is_write(q) && !access__same_origin(q))
		return refuse(x, REFUSED_CROSS_SITE, RC_FORBIDDEN, "a change by a browser's login must come from cairn's own console", e);
	return identify(x, q, cookie, true, out, e);
}
