/* http_client.h -- HTTP out (libcurl): one call that blocks, over a pool of kept connections.
 *
 * Any thread that may block. Redirects are not followed unless asked; only http and https; sizes and times
 * are bounded. A status of 400 and above is a reply, not an error: errors are that no reply came.
 */
#ifndef CAIRN_IO_HTTP_CLIENT_H
#define CAIRN_IO_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

struct http_client;
enum rc http_client_open(struct http_client **out, struct err *e) MUST_USE;
void http_client_close(struct http_client **slot);

struct http_call {
	const char *method;             /* "GET", … */
	str url;
	const struct pair_ { str name, value; } *header;
	size_t n_header;
	str body;
	const char *body_file;          /* instead of body: streamed from this file */
	const char *unix_socket;        /* connect here instead of the URL's host */
	uint32_t connect_ms, total_ms;  /* 0: 2,000 and 60,000 */
	size_t reply_max;               /* 0: LIMIT_REPLY */
};
struct http_answer {
	int status;
	str body;                       /* in the arena */
	str content_type;
	uint64_t ns;                    /* from call to last byte */
};
/* RC_UPSTREAM, RC_TIMEOUT, RC_TOO_LARGE, RC_INVALID (URL). */
enum rc http_call(struct http_client *c, const struct http_call *call, struct arena *a, struct http_answer *out,
		  struct err *e) MUST_USE;
/* The reply's body goes to fd as it comes. */
enum rc http_download(struct http_client *c, const struct http_call *call, int fd, struct arena *a,
		      struct http_answer *out, struct err *e) MUST_USE;
/* Bytes outside the unreserved set become %XX; '/' is kept when keep_slash. */
str http_percent_encode(struct arena *a, str in, bool keep_slash);

#endif
