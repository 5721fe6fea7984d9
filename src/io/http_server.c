/* http_server.c -- libmicrohttpd with epoll loops, and a pool of workers for handlers that block.
 *
 * A request object belongs to its connection and is used again for the next request on it. It is the loop's until the
 * connection is suspended, then the worker's until it is resumed: never both. libmicrohttpd does not complete a
 * suspended connection, so the object outlives the worker's use even when the client is gone. */
#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define LOOP_STACK (512u << 10)
#define WORKER_STACK (16u << 20)        /* DuckDB plans on it, as deep as the SQL of a user goes; only what is used takes memory */
#define EXTRA_HEADERS_MAX 12
#define DRAIN_MAX (256u << 10)          /* a refused body up to this is read to its end */

const char *const http_method_names[HTTP_METHODS + 1] = { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", NULL };

enum stage { STAGE_HEADERS, STAGE_BODY, STAGE_WAITING, STAGE_REPLIED };

struct http_conn_ {
	struct http_request q;          /* first: the public part */
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct MHD_Response *response;
	struct http_conn_ *next;        /* in the workers' queue */
	enum stage stage;
	struct buf body;
	str raw_uri;                    /* in the arena: libmicrohttpd cuts its own copy at the '?' */
	struct { const char *name; str value; } extra[EXTRA_HEADERS_MAX];
	size_t n_extra;
	bool in_use;
	atomic_bool answered;           /* what the worker wrote is there: it stores (release), the loop loads (acquire) */
};

struct http_server {
	struct http_server_config c;
	struct MHD_Daemon *daemon;
	uint16_t port;
	_Atomic uint32_t n_connections, n_requests;
	atomic_bool draining;           /* requests that come from now on are refused */

	pthread_mutex_t mtx;            /* guards what follows */
	pthread_cond_t work;
	struct http_conn_ *head, **tail;
	uint32_t n_queued, n_idle, n_threads;
	bool stopping;
	pthread_t *thread;
};

static struct http_conn_ *conn_of(const struct http_request *q)
{
	return q->conn;
}

/* --- request objects ------------------------------------------------------------------------------ */

static struct http_conn_ *conn_new(struct http_server *s)
{
	struct http_conn_ *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	c->server = s;
	c->body = BUF_INIT(1);
	arena_init(&c->q.arena);
	return c;
}

/* On the loop, before it touches what a worker may have had. libmicrohttpd orders the two by a lock of its own as well. */
static void take_back(struct http_conn_ *c)
{
	(void)atomic_load_explicit(&c->answered, memory_order_acquire);
}

static void conn_reset(struct http_conn_ *c)
{
	struct arena keep = c->q.arena;

	if (c->response != NULL && c->stage != STAGE_REPLIED)
		MHD_destroy_response(c->response);     /* made for a client that did not wait for it */
	if (c->q.body_fd > 0)
		close(c->q.body_fd);
	buf_deinit(&c->body);
	arena_clear(&keep);
	c->q = (struct http_request){ .arena = keep, .body_fd = -1, .conn = c };
	c->response = NULL;
	c->stage = STAGE_HEADERS;
	c->n_extra = 0;
}

static void conn_free(struct http_conn_ *c)
{
	conn_reset(c);
	arena_deinit(&c->q.arena);
	free(c);
}

/* --- the reply ------------------------------------------------------------------------------------ */

bool http_replied(const struct http_request *q)
{
	return conn_of(q)->response != NULL;
}

void http_reply_header(struct http_request *q, const char *name, str value)
{
	struct http_conn_ *c = conn_of(q);

	CHECK(c->n_extra < EXTRA_HEADERS_MAX);
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.at[i] < 0x20)
			return;         /* would split the header; a value like this is never ours */
	}
	c->extra[c->n_extra].name = name;
	c->extra[c->n_extra++].value = arena_dup(&q->arena, value);
}

static void finish_reply(struct http_request *q, struct MHD_Response *r, int status, const char *type, uint64_t len)
{
	struct http_conn_ *c = conn_of(q);

	CHECK(c->response == NULL);
	CHECK(r != NULL);
	if (type != NULL)
		CHECK(MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES);
	for (size_t i = 0; i < c->n_extra; i++)
		CHECK(MHD_add_response_header(r, c->extra[i].name, c->extra[i].value.at) == MHD_YES);
	q->status = status;
	q->reply_len = len;
	c->response = r;
}

static void *unconst(const char *p)
{
	union { const char *in; void *out; } at = { .in = p };

	return at.out;
}

void http_reply(struct http_request *q, int status, const char *type, str body)
{
	/* The body is the arena's or static: it lives until the connection completes the request. */
	finish_reply(q, MHD_create_response_from_buffer(body.len, unconst(body.at != NULL ? body.at : ""), MHD_RESPMEM_PERSISTENT),
		     status, type, body.len);
}

void http_reply_buf(struct http_request *q, int status, const char *type, struct buf *b)
{
	size_t len;
	char *at = buf_take(b, &len);

	finish_reply(q, MHD_create_response_from_buffer(len, at, MHD_RESPMEM_MUST_FREE), status, type, len);
}

void http_reply_fd(struct http_request *q, int status, const char *type, int fd, uint64_t offset, uint64_t len)
{
	finish_reply(q, MHD_create_response_from_fd_at_offset64(len, fd, offset), status, type, len);
}

/* Belongs to the response: libmicrohttpd lets go of that after the request object was made ready for the next request. */
struct stream {
	struct http_stream s;
	int fd;                 /* the connection's */
};

static ssize_t stream_next(void *cls, uint64_t pos, char *out, size_t cap)
{
	struct stream *s = cls;

	(void)pos;
	ptrdiff_t n = s->s.next(s->s.ctx, out, cap);
	if (n >= 0)
		return n > 0 ? n : MHD_CONTENT_READER_END_OF_STREAM;
	/* With MHD_USE_TURBO it closes at the loop's next turn only, which may be a minute away; the client is told now. */
	(void)shutdown(s->fd, SHUT_RDWR);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void stream_close(void *cls)
{
	struct stream *s = cls;

	if (s->s.close != NULL)
		s->s.close(s->s.ctx);
	free(s);
}

void http_reply_stream(struct http_request *q, int status, const char *type, const struct http_stream *s)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn_of(q)->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct stream *own = calloc(1, sizeof(*own));

	CHECK(own != NULL);
	*own = (struct stream){ .s = *s, .fd = info->connect_fd };
	finish_reply(q, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, stream_next, own, stream_close), status, type, 0);
}

/* Answers of the server itself, before or instead of the handler. */
static void reply_own(struct http_request *q, enum rc rc, const char *message)
{
	struct buf b = BUF_INIT(4096);
	struct jw w;

	jw_init(&w, &b);
	jw_object(&w);
	jw_object_key(&w, STR("error"));
	jw_str_key(&w, "code", str_of(rc_name(rc)));
	jw_str_key(&w, "message", str_of(message));
	jw_end_object(&w);
	jw_end_object(&w);
	if (rc == RC_UNAVAILABLE)
		http_reply_header(q, "Retry-After", STR("1"));
	http_reply_buf(q, rc_http(rc), "application/json", &b);
}

/* --- workers --------------------------------------------------------------------------------------- */

static struct http_conn_ *work_take(struct http_server *s)
{
	pthread_mutex_lock(&s->mtx);
	s->n_idle++;
	while (s->head == NULL && !s->stopping)
		pthread_cond_wait(&s->work, &s->mtx);
	s->n_idle--;
	struct http_conn_ *c = s->head;
	if (c != NULL) {
		s->head = c->next;
		if (s->head == NULL)
			s->tail = &s->head;
		s->n_queued--;
	}
	pthread_mutex_unlock(&s->mtx);
	return c;
}

static void *worker_main(void *arg)
{
	struct http_server *s = arg;
	struct http_conn_ *c;

	while ((c = work_take(s)) != NULL) {
		s->c.handle(s->c.app, &c->q);
		CHECK(c->response != NULL);
		struct MHD_Connection *mhd = c->mhd;
		atomic_store_explicit(&c->answered, true, memory_order_release);
		MHD_resume_connection(mhd);
	}
	return NULL;
}

/* Starts one more worker when all are busy. Under the lock. */
static void worker_add(struct http_server *s)
{
	pthread_attr_t attr;

	if (s->n_idle >= s->n_queued || s->n_threads == s->c.n_workers)
		return;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	if (pthread_create(&s->thread[s->n_threads], &attr, worker_main, s) == 0)
		s->n_threads++;
	else
		CHECK(s->n_threads > 0);    /* no thread at all: nothing can be served */
	pthread_attr_destroy(&attr);
}

/* False when the queue is full. The connection is suspended before a worker can resume it. */
static bool work_put(struct http_conn_ *c)
{
	struct http_server *s = c->server;

	pthread_mutex_lock(&s->mtx);
	bool room = s->n_queued < s->c.limits.queue && !s->stopping;
	if (room) {
		MHD_suspend_connection(c->mhd);
		c->stage = STAGE_WAITING;
		c->next = NULL;
		*s->tail = c;
		s->tail = &c->next;
		s->n_queued++;
		worker_add(s);
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->mtx);
	return room;
}

/* --- the loop's side ------------------------------------------------------------------------------- */

static enum MHD_Result send_reply(struct http_conn_ *c)
{
	struct MHD_Response *r = c->response;

	CHECK(r != NULL);
	c->stage = STAGE_REPLIED;
	enum MHD_Result ok = MHD_queue_response(c->mhd, (unsigned)c->q.status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result dispatch(struct http_conn_ *c)
{
	struct http_server *s = c->server;

	c->q.body = buf_str(&c->body);
	if (c->q.plan.body == HTTP_BODY_MEMORY)
		c->q.body_len = c->body.len;
	if (c->q.plan.where == HTTP_ON_LOOP) {
		s->c.handle(s->c.app, &c->q);
		return send_reply(c);
	}
	if (work_put(c))
		return MHD_YES;
	reply_own(&c->q, RC_UNAVAILABLE, "too many requests are waiting; try again in a moment");
	return send_reply(c);
}

static bool parse_method(const char *name, enum http_method *out)
{
	for (int i = 0; i < HTTP_METHODS; i++) {
		if (strcmp(name, http_method_names[i]) == 0) {
			*out = (enum http_method)i;
			return true;
		}
	}
	return false;
}

static bool parse_target(struct http_conn_ *c)
{
	str uri = c->raw_uri;
	ptrdiff_t mark = str_find_char(uri, '?');
	struct http_request *q = &c->q;

	q->raw_path = mark >= 0 ? str_head(uri, (size_t)mark) : uri;
	q->query = mark >= 0 ? str_skip(uri, (size_t)mark + 1) : STR_NONE;
	return q->raw_path.len > 0 && q->raw_path.at[0] == '/' && q->query.len <= LIMIT_QUERY_STRING &&
	       http_percent_decode(&q->arena, q->raw_path, false, &q->path) && str_is_utf8(q->path);
}

/* The length the client announced; UINT64_MAX for chunked, 0 for none. False when the two contradict. */
static bool announced_length(struct http_conn_ *c, uint64_t *out)
{
	str chunked = http_header(&c->q, "Transfer-Encoding"), length = http_header(&c->q, "Content-Length");

	*out = 0;
	if (chunked.at != NULL && length.at != NULL)
		return false;
	if (chunked.at != NULL)
		*out = UINT64_MAX;
	else if (length.at != NULL)
		return str_to_u64(length, out);
	return true;
}

static int open_spool(const struct http_server *s)
{
	return open(s->c.spool_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* What is answered from here goes out before the body came in, and costs the connection: libmicrohttpd closes it. So
 * only a long body is refused at once; a short one is read and dropped, so that the client surely reads the answer. */
static enum MHD_Result begin(struct http_conn_ *c, const char *method)
{
	struct http_server *s = c->server;
	struct http_request *q = &c->q;
	uint64_t length;

	q->start_ns = clock_ns();
	bool known = parse_method(method, &q->method);
	if (!known || !parse_target(c) || !announced_length(c, &length)) {
		reply_own(q, known ? RC_INVALID : RC_METHOD,
			  known ? "the request line or its length headers are malformed" : "unknown HTTP method");
		return send_reply(c);
	}
	if (atomic_load(&s->draining)) {
		http_reply_header(q, "Connection", STR("close"));
		reply_own(q, RC_UNAVAILABLE, "cairn is stopping");
		return send_reply(c);
	}
	q->plan = s->c.plan(s->c.app, q);
	c->stage = STAGE_BODY;
	if (c->response != NULL)
		return length <= DRAIN_MAX ? MHD_YES : send_reply(c);
	c->body.limit = q->plan.body_max > 0 && q->plan.body_max < SIZE_MAX / 2 ? (size_t)q->plan.body_max : 1;
	if (length != UINT64_MAX && length > (q->plan.body == HTTP_BODY_NONE ? LIMIT_JSON_BODY : q->plan.body_max)) {
		q->too_large = true;
		q->plan.where = HTTP_ON_LOOP;   /* the reply goes out before the body comes in; the handler only says so */
		s->c.handle(s->c.app, q);
		return send_reply(c);
	}
	if (q->plan.body == HTTP_BODY_FILE && (q->body_fd = open_spool(s)) < 0) {
		reply_own(q, RC_IO, "cannot make a temporary file for the body");
		return send_reply(c);
	}
	return MHD_YES;
}

static void take_body(struct http_conn_ *c, const char *data, size_t n)
{
	struct http_request *q = &c->q;

	if (c->response != NULL || q->too_large || q->plan.body == HTTP_BODY_NONE)
		return;
	if (q->plan.body == HTTP_BODY_MEMORY) {
		buf_add(&c->body, str_n(data, n));
		q->too_large = c->body.overflowed;
		return;
	}
	if (q->body_len + n > q->plan.body_max) {
		q->too_large = true;
		return;
	}
	while (n > 0) {
		ssize_t done = write(q->body_fd, data, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			q->body_errno = errno;
			q->too_large = true;    /* not kept; the handler sees why */
			return;
		}
		data += done;
		n -= (size_t)done;
		q->body_len += (size_t)done;
	}
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
				  const char *data, size_t *n, void **con_cls)
{
	struct http_conn_ *c = *con_cls;

	(void)cls;
	(void)url;
	(void)version;
	take_back(c);
	switch (c->stage) {
	case STAGE_HEADERS:
		c->mhd = mhd;
		return begin(c, method);
	case STAGE_BODY:
		if (*n > 0) {
			take_body(c, data, *n);
			*n = 0;
			return MHD_YES;
		}
		if (c->response != NULL)
			return send_reply(c);
		if (c->q.body_fd >= 0 && lseek(c->q.body_fd, 0, SEEK_SET) != 0)
			c->q.too_large = true;
		return dispatch(c);
	case STAGE_WAITING:
		return send_reply(c);
	case STAGE_REPLIED:
		*n = 0;
		return MHD_YES;
	}
	UNREACHABLE("stage");
}

/* Called with the raw request target before anything else; what it returns becomes the request's context. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct http_server *s = cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_conn_ *c = info != NULL ? info->socket_context : NULL;

	CHECK(c != NULL && c->server == s);
	conn_reset(c);
	c->raw_uri = arena_dup(&c->q.arena, str_of(uri));
	c->in_use = true;
	atomic_fetch_add(&s->n_requests, 1);
	return c;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls, enum MHD_RequestTerminationCode code)
{
	struct http_server *s = cls;
	struct http_conn_ *c = *con_cls;

	(void)mhd;
	(void)code;
	if (c == NULL || !c->in_use)
		return;
	take_back(c);
	if (s->c.done != NULL && c->q.status != 0)
		s->c.done(s->c.app, &c->q);
	c->in_use = false;
	conn_reset(c);
	atomic_fetch_sub(&s->n_requests, 1);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = cls;

	(void)mhd;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = conn_new(s);
		atomic_fetch_add(&s->n_connections, 1);
	} else if (*socket_context != NULL) {
		take_back(*socket_context);
		conn_free(*socket_context);
		*socket_context = NULL;
		atomic_fetch_sub(&s->n_connections, 1);
	}
}

/* --- life cycle ------------------------------------------------------------------------------------ */

static void default_limits(struct http_server_config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->n_loops == 0)
		c->n_loops = cores < 1 ? 1 : cores > 8 ? 8 : (uint32_t)cores;
	if (c->n_workers == 0)
		c->n_workers = 32;
	if (c->limits.header_bytes == 0)
		c->limits.header_bytes = 16384;
	if (c->limits.idle_ms == 0)
		c->limits.idle_ms = 60000;
	if (c->limits.connections == 0)
		c->limits.connections = 4096;
	if (c->limits.queue == 0)
		c->limits.queue = 1024;
}

static enum rc parse_address(const struct http_server_config *c, struct sockaddr_storage *out, bool *v6, struct err *e)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(c->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(c->port) };

	memset(out, 0, sizeof(*out));
	*v6 = strchr(c->address, ':') != NULL;
	if (!*v6 && inet_pton(AF_INET, c->address, &in4.sin_addr) == 1)
		memcpy(out, &in4, sizeof(in4));
	else if (*v6 && inet_pton(AF_INET6, c->address, &in6.sin6_addr) == 1)
		memcpy(out, &in6, sizeof(in6));
	else
		return FAIL(e, RC_INVALID, "listen: '%s' is not an IP address", c->address);
	return RC_OK;
}

enum rc http_server_start(const struct http_server_config *config, struct http_server **out, struct err *e)
{
	struct sockaddr_storage address;
	bool v6;

	TRY(parse_address(config, &address, &v6, e));
	struct http_server *s = calloc(1, sizeof(*s));
	CHECK(s != NULL);
	s->c = *config;
	default_limits(&s->c);
	s->tail = &s->head;
	s->thread = calloc(s->c.n_workers, sizeof(*s->thread));
	CHECK(s->thread != NULL);
	pthread_mutex_init(&s->mtx, NULL);
	pthread_cond_init(&s->work, NULL);
	signal(SIGPIPE, SIG_IGN);
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | (v6 ? MHD_USE_IPv6 : 0);
	struct MHD_OptionItem pool[] = {
		{ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)s->c.n_loops, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	errno = 0;
	s->daemon = MHD_start_daemon(flags, config->port, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &address,
				     MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)s->c.limits.header_bytes, MHD_OPTION_CONNECTION_TIMEOUT, s->c.limits.idle_ms / 1000,
				     MHD_OPTION_CONNECTION_LIMIT, s->c.limits.connections, MHD_OPTION_THREAD_STACK_SIZE,
				     (size_t)LOOP_STACK, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     s->c.n_loops > 1 ? MHD_OPTION_ARRAY : MHD_OPTION_END, pool, MHD_OPTION_END);
	if (s->daemon == NULL) {
		int num = errno;
		http_server_stop(&s, 0);
		return FAIL(e, num == EADDRINUSE ? RC_CONFLICT : RC_IO, "cannot listen on %s:%u: %s", config->address, config->port,
			    num == EADDRINUSE ? "the address is in use by another program" : "the system refused it");
	}
	s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	*out = s;
	return RC_OK;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

uint32_t http_server_open_connections(const struct http_server *s)
{
	return atomic_load(&s->n_connections);
}

static void wait_idle(struct http_server *s, uint32_t grace_ms)
{
	const struct timespec nap = { .tv_nsec = 5000000 };

	for (uint32_t waited = 0; atomic_load(&s->n_requests) > 0 && waited < grace_ms; waited += 5)
		nanosleep(&nap, NULL);
}

void http_server_stop(struct http_server **slot, uint32_t grace_ms)
{
	struct http_server *s = *slot;

	*slot = NULL;
	if (s == NULL)
		return;
	/* Not MHD_quiesce_daemon: when a loop wakes just then, both take the listener out of the loop's epoll set, and
	 * libmicrohttpd 0.9.75 ends the process over it. */
	atomic_store(&s->draining, true);
	if (s->daemon != NULL)
		wait_idle(s, grace_ms);
	pthread_mutex_lock(&s->mtx);
	s->stopping = true;
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->mtx);
	for (uint32_t i = 0; i < s->n_threads; i++)
		pthread_join(s->thread[i], NULL);     /* each ends what it has taken, and what is queued */
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	pthread_mutex_destroy(&s->mtx);
	pthread_cond_destroy(&s->work);
	free(s->thread);
	free(s);
}

/* --- reading the request ----------------------------------------------------------------------------- */

str http_header(const struct http_request *q, const char *name)
{
	return str_of(MHD_lookup_connection_value(conn_of(q)->mhd, MHD_HEADER_KIND, name));
}

str http_client_address(const struct http_request *q)
{
	struct http_conn_ *c = conn_of(q);
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char *text = arena_alloc(&c->q.arena, INET6_ADDRSTRLEN);
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (info == NULL || info->client_addr == NULL)
		return STR("");
	memcpy(&in4, info->client_addr, sizeof(in4));
	if (in4.sin_family == AF_INET)
		return str_of(inet_ntop(AF_INET, &in4.sin_addr, text, INET6_ADDRSTRLEN));
	memcpy(&in6, info->client_addr, sizeof(in6));
	return str_of(inet_ntop(AF_INET6, &in6.sin6_addr, text, INET6_ADDRSTRLEN));
}
