/* http_server.h -- HTTP/1.1 in (libmicrohttpd): N event loops, and workers for what blocks.
 *
 * A loop parses a request's headers and asks `plan` where it shall run and where its body shall go; when
 * the body is complete, `handle` runs once, on the loop or on a worker thread, and makes exactly one reply.
 * On a loop nothing may block. The request and its arena belong to the thread that runs `handle` until it
 * returns; then to the server, which frees them when the reply is sent or the client is gone.
 * Sizes and times are bounded by http_limits: over-long headers 431, bodies 413, slow clients cut off.
 */
#ifndef CAIRN_IO_HTTP_SERVER_H
#define CAIRN_IO_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_PATCH, HTTP_HEAD, HTTP_OPTIONS, HTTP_METHODS };
extern const char *const http_method_names[HTTP_METHODS + 1];

struct http_server;
struct http_conn_;       /* private */

enum http_where { HTTP_ON_LOOP, HTTP_ON_WORKER };
enum http_body { HTTP_BODY_NONE, HTTP_BODY_MEMORY, HTTP_BODY_FILE /* spooled to body_fd */ };

struct http_plan {
	enum http_where where;
	enum http_body body;
	uint64_t body_max;      /* a longer body is answered by `handle` with too_large set, unread */
	const void *route;      /* handed through */
};

struct http_request {
	enum http_method method;
	str path;               /* decoded once, NUL-free, starts with '/' */
	str raw_path;           /* as sent, without the query */
	str query;              /* as sent, behind '?' */
	str body;               /* HTTP_BODY_MEMORY */
	int body_fd;            /* HTTP_BODY_FILE: an unnamed file, read position 0; else -1 */
	uint64_t body_len;
	bool too_large;         /* the body passed body_max, or could not be spooled (body_errno), and was not kept */
	int body_errno;         /* 0, or why spooling failed */
	struct arena arena;
	struct http_plan plan;
	void *user;             /* the handler's own */
	uint64_t start_ns;      /* clock_ns() when the headers were read */
	int status;             /* of the reply, once made */
	uint64_t reply_len;
	struct http_conn_ *conn;
};

struct http_limits {
	uint32_t header_bytes;          /* per connection buffer, cleared for each request; default 16 KiB */
	uint32_t idle_ms;               /* default 60,000 */
	uint32_t connections;           /* default 4,096 */
	uint32_t queue;                 /* requests waiting for a worker; more get 503; default 1,024 */
};

struct http_server_config {
	const char *address;            /* "127.0.0.1", "0.0.0.0", "::1" */
	uint16_t port;                  /* 0: any; see http_server_port */
	uint32_t n_loops;               /* 0: one per core, at most 8 */
	uint32_t n_workers;             /* 0: 32 */
	const char *spool_dir;          /* for HTTP_BODY_FILE */
	struct http_limits limits;      /* zeros take the defaults */
	void *app;
	struct http_plan (*plan)(void *app, struct http_request *q);   /* on a loop, quick; may reply at once */
	void (*handle)(void *app, struct http_request *q);
	void (*done)(void *app, struct http_request *q);                /* reply sent or client gone; may be NULL */
};

enum rc http_server_start(const struct http_server_config *c, struct http_server **out, struct err *e) MUST_USE;
uint16_t http_server_port(const struct http_server *s);
/* Stops accepting, lets running requests end for up to grace_ms, then closes. */
void http_server_stop(struct http_server **slot, uint32_t grace_ms);
uint32_t http_server_open_connections(const struct http_server *s);

/* Header of the request, any case; STR_NONE when absent. Lives as long as the request. */
str http_header(const struct http_request *q, const char *name);
str http_client_address(const struct http_request *q);
/* One parameter of the query string, percent-decoded into the arena; false when absent. Repeats by `nth`. */
bool http_query(struct http_request *q, str name, size_t nth, str *out);
/* Visits all query parameters in order, decoded. */
void http_query_each(struct http_request *q, void (*fn)(void *ctx, str name, str value), void *ctx);
bool http_percent_decode(struct arena *a, str in, bool plus_is_space, str *out);   /* false: malformed or NUL */

/* --- the reply: headers first, then exactly one of the bodies -------------------------------- */
void http_reply_header(struct http_request *q, const char *name, str value);   /* CR and LF are refused */
void http_reply(struct http_request *q, int status, const char *content_type, str body);  /* body in the arena or static */
void http_reply_buf(struct http_request *q, int status, const char *content_type, struct buf *b); /* takes b's memory */
void http_reply_fd(struct http_request *q, int status, const char *content_type, int fd, uint64_t offset, uint64_t len); /* takes fd; sendfile */
/* Pulled from a loop or worker: next() gives the number of bytes written to out, 0 at the end, -1 to cut off. */
struct http_stream {
	ptrdiff_t (*next)(void *ctx, char *out, size_t cap);
	void (*close)(void *ctx);
	void *ctx;
};
void http_reply_stream(struct http_request *q, int status, const char *content_type, const struct http_stream *s);
bool http_replied(const struct http_request *q);

#endif
