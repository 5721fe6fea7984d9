/* test_io_http.c -- the HTTP server over real sockets, and the client against it: limits, bodies, workers, slow and
 * vanishing clients, streams, and what a client must not be talked into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/fs.h"
#include "io/http_client.h"
#include "io/http_server.h"

#define BODY_MAX 1000

struct fixture {
	char dir[64];
	struct http_server *server;
	struct http_client *client;
	uint16_t port;
	struct arena a;
	struct err e;
	atomic_int handled, done, running, most_running, streams_closed;
	atomic_bool hold;
};

#define OK(f, call)                                                                                                         \
	do {                                                                                                                \
		(f)->e = ERR_INIT;                                                                                          \
		if ((call) != RC_OK)                                                                                        \
			fail_msg("%s: %s", #call, (f)->e.msg);                                                              \
	} while (0)

/* --- the application ------------------------------------------------------------------------------- */

static struct http_plan plan(void *app, struct http_request *q)
{
	(void)app;
	if (str_eq(q->path, STR("/refused")))
		http_reply(q, 403, "text/plain", STR("not you"));
	if (str_starts(q->path, STR("/worker")))
		return (struct http_plan){ .where = HTTP_ON_WORKER, .body = HTTP_BODY_MEMORY, .body_max = BODY_MAX };
	if (str_starts(q->path, STR("/file")))
		return (struct http_plan){ .where = HTTP_ON_WORKER, .body = HTTP_BODY_FILE, .body_max = 8u << 20 };
	if (str_starts(q->path, STR("/nobody")))
		return (struct http_plan){ .where = HTTP_ON_LOOP, .body = HTTP_BODY_NONE };
	return (struct http_plan){ .where = HTTP_ON_LOOP, .body = HTTP_BODY_MEMORY, .body_max = BODY_MAX };
}

struct counting { struct fixture *f; int left; };

static ptrdiff_t stream_next(void *ctx, char *out, size_t cap)
{
	struct counting *c = ctx;

	if (c->left == -7)
		return -1;
	if (c->left-- == 0)
		return 0;
	size_t n = cap < 1000 ? cap : 1000;
	memset(out, 's', n);
	return (ptrdiff_t)n;
}

static void stream_close(void *ctx)
{
	struct counting *c = ctx;

	atomic_fetch_add(&c->f->streams_closed, 1);
	free(c);
}

static void reply_stream(struct fixture *f, struct http_request *q)
{
	struct counting *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	*c = (struct counting){ f, str_eq(q->path, STR("/stream/broken")) ? -7 : str_eq(q->path, STR("/stream/endless")) ? 1 << 30 : 50 };
	const struct http_stream s = { stream_next, stream_close, c };
	http_reply_stream(q, 200, "text/plain", &s);
}

static void reply_file(struct http_request *q)
{
	char chunk[65536];
	uint64_t sum = 0, n_read = 0;
	ssize_t n;

	while ((n = read(q->body_fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum += (unsigned char)chunk[i];
		n_read += (uint64_t)n;
	}
	http_reply(q, 200, "text/plain", arena_printf(&q->arena, "%llu of %llu, sum %llu", (unsigned long long)n_read,
						       (unsigned long long)q->body_len, (unsigned long long)sum));
}

static void reply_echo(struct http_request *q)
{
	str value = STR("-");

	(void)http_query(q, STR("v"), 1, &value);
	http_reply_header(q, "X-Injected", STR("a\r\nX-Evil: b"));
	http_reply_header(q, "X-Fine", STR("fine"));
	http_reply(q, 200, "text/plain", arena_printf(&q->arena, "%s " STR_FMT " q=" STR_FMT " v=" STR_FMT " body=" STR_FMT " h=" STR_FMT " from=" STR_FMT,
						       http_method_names[q->method], STR_ARG(q->path), STR_ARG(q->query), STR_ARG(value), STR_ARG(q->body),
						       STR_ARG(http_header(q, "x-test")), STR_ARG(http_client_address(q))));
}

static void handle(void *app, struct http_request *q)
{
	struct fixture *f = app;
	int running = atomic_fetch_add(&f->running, 1) + 1, most = atomic_load(&f->most_running);

	while (running > most && !atomic_compare_exchange_weak(&f->most_running, &most, running))
		continue;
	atomic_fetch_add(&f->handled, 1);
	if (q->too_large)
		http_reply(q, 413, "text/plain", STR("too large"));
	else if (str_starts(q->path, STR("/stream")))
		reply_stream(f, q);
	else if (str_starts(q->path, STR("/file")))
		reply_file(q);
	else if (str_eq(q->path, STR("/fd")))
		http_reply_fd(q, 200, "application/octet-stream", open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 1, 3);
	else if (str_eq(q->path, STR("/big"))) {
		struct buf b = BUF_INIT(8u << 20);
		memset(buf_reserve(&b, 4u << 20), 'b', 4u << 20);
		buf_commit(&b, 4u << 20);
		http_reply_buf(q, 200, "text/plain", &b);
	} else {
		if (str_eq(q->path, STR("/worker/hold")))
			for (int i = 0; i < 500 && atomic_load(&f->hold); i++)
				usleep(10000);
		reply_echo(q);
	}
	atomic_fetch_sub(&f->running, 1);
}

static void done(void *app, struct http_request *q)
{
	struct fixture *f = app;

	assert_true(q->status > 0);
	atomic_fetch_add(&f->done, 1);
}

static int set_up_with(void **state, struct http_limits limits, uint32_t n_workers, uint32_t n_loops)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	strcpy(f.dir, "/tmp/cairn-http-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	arena_init(&f.a);
	const struct http_server_config c = { .address = "127.0.0.1", .n_loops = n_loops, .n_workers = n_workers, .spool_dir = f.dir,
					      .limits = limits, .app = &f, .plan = plan, .handle = handle, .done = done };
	OK(&f, http_server_start(&c, &f.server, &f.e));
	OK(&f, http_client_open(&f.client, &f.e));
	f.port = http_server_port(f.server);
	assert_true(f.port > 0);
	*state = &f;
	return 0;
}

static int set_up(void **state) { return set_up_with(state, (struct http_limits){ 0 }, 4, 2); }
static int set_up_tight(void **state)
{
	return set_up_with(state, (struct http_limits){ .header_bytes = 4096, .idle_ms = 1000, .connections = 6, .queue = 2 }, 1, 1);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_client_close(&f->client);
	http_server_stop(&f->server, 2000);
	assert_null(f->server);
	OK(f, fs_remove_tree(f->dir, &f->e));   /* no spool file was left, or it would not be empty */
	arena_deinit(&f->a);
	return 0;
}

/* --- sockets by hand --------------------------------------------------------------------------------- */

static int connect_raw(struct fixture *f)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void send_raw(int fd, str text)
{
	while (text.len > 0) {
		ssize_t n = send(fd, text.at, text.len, MSG_NOSIGNAL);
		if (n <= 0)
			return;         /* refused while we still talk: the answer tells */
		text = str_skip(text, (size_t)n);
	}
}

/* What comes until `until` stands in it, or the server closes. */
static str receive(struct fixture *f, int fd, const char *until)
{
	struct buf b = BUF_INIT(16u << 20);
	char chunk[65536];
	ssize_t n;

	while ((until == NULL || str_find(buf_str(&b), str_of(until)) < 0) && (n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf_add(&b, str_n(chunk, (size_t)n));
	str text = buf_to_arena(&b, &f->a);
	buf_deinit(&b);
	return text;
}

static str exchange(struct fixture *f, str request)
{
	int fd = connect_raw(f);

	send_raw(fd, request);
	shutdown(fd, SHUT_WR);
	str answer = receive(f, fd, NULL);
	close(fd);
	return answer;
}

static void call(struct fixture *f, const char *method, const char *path, str body, struct http_answer *out)
{
	const struct pair_ header[] = { { STR("X-Test"), STR("yes") } };
	const struct http_call c = { .method = method, .url = arena_printf(&f->a, "http://127.0.0.1:%u%s", f->port, path), .body = body,
				     .header = header, .n_header = 1 };

	OK(f, http_call(f->client, &c, &f->a, out, &f->e));
}

static void wait_for(atomic_int *what, int value)
{
	for (int i = 0; i < 500 && atomic_load(what) < value; i++)
		usleep(10000);
	assert_int_equal(atomic_load(what), value);
}

/* --- plain requests ------------------------------------------------------------------------------------ */

static void test_requests(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	call(f, "GET", "/a%20b/%C3%A9?v=1&v=2%202&x", STR(""), &a);
	assert_int_equal(a.status, 200);
	assert_true(str_eq(a.body, STR("GET /a b/\xc3\xa9 q=v=1&v=2%202&x v=2 2 body= h=yes from=127.0.0.1")));
	assert_true(str_eq(a.content_type, STR("text/plain")));
	static const char *const method[] = { "POST", "PUT", "PATCH", "DELETE" };
	for (size_t i = 0; i < ARRAY_LEN(method); i++) {
		call(f, method[i], "/worker/x", STR("some body"), &a);
		assert_true(str_starts(a.body, str_of(method[i])));
		assert_true(str_find(a.body, STR("body=some body h=yes")) > 0);
	}
	call(f, "GET", "/fd", STR(""), &a);
	assert_true(str_eq(a.body, STR("ELF")));
	call(f, "GET", "/big", STR(""), &a);
	assert_int_equal(a.body.len, 4u << 20);
	call(f, "HEAD", "/big", STR(""), &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.body.len, 0);
	wait_for(&f->done, atomic_load(&f->handled));
}

static void test_headers_cannot_be_split(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	str raw = exchange(f, STR("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
	assert_true(str_find(raw, STR("X-Fine: fine")) > 0);
	assert_true(str_find(raw, STR("X-Evil")) < 0);
	/* Nor by what the client is given to send. */
	const struct pair_ bad[] = { { STR("X-A"), STR("1\r\nX-Test: evil") } };
	const struct http_call c = { .method = "GET", .url = arena_printf(&f->a, "http://127.0.0.1:%u/", f->port), .header = bad, .n_header = 1 };
	assert_int_equal(http_call(f->client, &c, &f->a, &a, &f->e), RC_INVALID);
}

static void test_malformed_requests(void **state)
{
	struct fixture *f = *state;
	static const struct { const char *request; const char *status; } row[] = {
		{ "BREW /pot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 405" },
		{ "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 400" },
		{ "GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 400" },
		{ "GET /%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 400" },
		{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", "HTTP/1.1 400" },
		{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\nConnection: close\r\n\r\n", "HTTP/1.1 400" },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		str answer = exchange(f, str_of(row[i].request));
		if (!str_starts(answer, str_of(row[i].status)))
			fail_msg("row %zu: %.80s", i, arena_cstr(&f->a, answer));
	}
	/* Nonsense costs its own connection only. (libmicrohttpd may notice only at the idle time-out that such a client has gone.) */
	const str nonsense[] = { STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), STR("\r\n\r\n\r\n"), STR("GET") };
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		int fd = connect_raw(f);
		send_raw(fd, nonsense[i]);
		close(fd);
	}
	struct http_answer a;
	call(f, "GET", "/", STR(""), &a);
	assert_int_equal(a.status, 200);
}

/* --- limits ------------------------------------------------------------------------------------------------- */

static void test_bodies_have_a_limit(void **state)
{
	struct fixture *f = *state;
	static char body[BODY_MAX + 1];
	struct http_answer a;

	memset(body, 'x', sizeof(body));
	call(f, "POST", "/worker/x", str_n(body, BODY_MAX), &a);
	assert_int_equal(a.status, 200);
	call(f, "POST", "/worker/x", str_n(body, BODY_MAX + 1), &a);
	assert_int_equal(a.status, 413);
	call(f, "POST", "/", str_n(body, BODY_MAX + 1), &a);
	assert_int_equal(a.status, 413);
	/* Chunked bodies are of unknown length: they are cut off as they come. */
	int fd = connect_raw(f);
	send_raw(fd, STR("POST /worker/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
	for (int i = 0; i < 30; i++)
		send_raw(fd, arena_printf(&f->a, "64\r\n%.*s\r\n", 100, body));
	send_raw(fd, STR("0\r\n\r\n"));
	assert_true(str_starts(receive(f, fd, NULL), STR("HTTP/1.1 413")));
	close(fd);
	/* A body that is announced far too long is refused before it is sent. */
	fd = connect_raw(f);
	send_raw(fd, STR("POST /worker/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"));
	assert_true(str_starts(receive(f, fd, "\r\n\r\n"), STR("HTTP/1.1 413")));
	close(fd);
	/* One that plan answers for is read and dropped. */
	call(f, "POST", "/refused", str_n(body, BODY_MAX), &a);
	assert_int_equal(a.status, 403);
	call(f, "POST", "/nobody", str_n(body, BODY_MAX), &a);
	assert_int_equal(a.status, 200);
	assert_true(str_find(a.body, STR("body= h=")) > 0);
}

static void test_bodies_to_files(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	size_t n = 5u << 20;
	char *body = arena_alloc(&f->a, n);
	char *path = arena_cstr(&f->a, arena_printf(&f->a, "%s/upload", f->dir));

	memset(body, 1, n);
	call(f, "PUT", "/file/x", str_n(body, n), &a);
	assert_true(str_eq(a.body, STR("5242880 of 5242880, sum 5242880")));
	call(f, "PUT", "/file/x", STR(""), &a);
	assert_true(str_eq(a.body, STR("0 of 0, sum 0")));
	OK(f, fs_write_atomic(path, str_n(body, 1000), 0600, &f->e));
	const struct http_call c = { .method = "PUT", .url = arena_printf(&f->a, "http://127.0.0.1:%u/file/y", f->port), .body_file = path };
	OK(f, http_call(f->client, &c, &f->a, &a, &f->e));
	assert_true(str_eq(a.body, STR("1000 of 1000, sum 1000")));
	memset(body, 'x', n);
	int fd = connect_raw(f);        /* too long, chunk by chunk */
	send_raw(fd, STR("PUT /file/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
	for (int i = 0; i < 10; i++)
		send_raw(fd, arena_printf(&f->a, "100000\r\n%.*s\r\n", 1 << 20, body));
	send_raw(fd, STR("0\r\n\r\n"));
	assert_true(str_starts(receive(f, fd, NULL), STR("HTTP/1.1 413")));
	close(fd);
}

static void test_long_headers(void **state)
{
	struct fixture *f = *state;
	char *name = arena_alloc(&f->a, 8000);

	memset(name, 'h', 7999);
	str answer = exchange(f, arena_printf(&f->a, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", name));
	assert_true(answer.len == 0 || str_starts(answer, STR("HTTP/1.1 431")) || str_starts(answer, STR("HTTP/1.1 413")));
	answer = exchange(f, arena_printf(&f->a, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", name));
	assert_true(answer.len == 0 || str_starts(answer, STR("HTTP/1.1 414")) || str_starts(answer, STR("HTTP/1.1 431")));
	assert_int_equal(atomic_load(&f->handled), 0);
}

static void test_silent_clients_are_cut_off(void **state)
{
	struct fixture *f = *state;
	uint64_t from = clock_ns();
	int fd = connect_raw(f);

	send_raw(fd, STR("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"));
	assert_int_equal(receive(f, fd, NULL).len, 0);  /* closed, unanswered */
	close(fd);
	double seconds = (double)(clock_ns() - from) / 1e9;
	assert_true(seconds > 0.5 && seconds < 8);
	assert_int_equal(atomic_load(&f->handled), 0);
}

static void test_connections_have_a_limit(void **state)
{
	struct fixture *f = *state;
	int fd[12];
	struct http_answer a;

	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		fd[i] = connect_raw(f);
	usleep(200000);
	assert_true(http_server_open_connections(f->server) <= 6);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	for (int i = 0; i < 200 && http_server_open_connections(f->server) > 0; i++)
		usleep(10000);
	call(f, "GET", "/", STR(""), &a);
	assert_int_equal(a.status, 200);
}

/* One worker, a queue of two: the fourth request at once is told to come again. */
static void test_full_queue(void **state)
{
	struct fixture *f = *state;
	int fd[5], busy = 0, served = 0;

	atomic_store(&f->hold, true);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = connect_raw(f);
		send_raw(fd[i], STR("GET /worker/hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
		if (i == 0)
			wait_for(&f->running, 1);
		usleep(30000);
	}
	atomic_store(&f->hold, false);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		str answer = receive(f, fd[i], NULL);
		served += str_starts(answer, STR("HTTP/1.1 200"));
		if (str_starts(answer, STR("HTTP/1.1 503"))) {
			busy++;
			assert_true(str_find(answer, STR("Retry-After: 1")) > 0);
			assert_true(str_find(answer, STR("\"code\":\"unavailable\"")) > 0);
		}
		close(fd[i]);
	}
	assert_int_equal(served, 3);
	assert_int_equal(busy, 2);
}

/* --- workers ---------------------------------------------------------------------------------------------------- */

struct caller { struct fixture *f; int good; pthread_t thread; };

static void *call_many(void *arg)
{
	struct caller *k = arg;
	struct arena a;
	struct err e = ERR_INIT;
	struct http_answer out;

	arena_init(&a);
	for (int i = 0; i < 60; i++) {
		str body = arena_printf(&a, "caller %p round %d", arg, i);
		const struct http_call c = { .method = "POST", .url = arena_printf(&a, "http://127.0.0.1:%u/%s", k->f->port, i % 2 ? "worker/x" : "x"),
					     .body = body };
		str expected = arena_printf(&a, "body=" STR_FMT " h=", STR_ARG(body));
		k->good += http_call(k->f->client, &c, &a, &out, &e) == RC_OK && out.status == 200 && str_find(out.body, expected) > 0;
		arena_clear(&a);
	}
	arena_deinit(&a);
	return NULL;
}

static void test_answers_reach_their_askers(void **state)
{
	struct fixture *f = *state;
	struct caller k[12];

	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		k[i] = (struct caller){ .f = f };
		assert_int_equal(pthread_create(&k[i].thread, NULL, call_many, &k[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		pthread_join(k[i].thread, NULL);
		assert_int_equal(k[i].good, 60);
	}
	wait_for(&f->done, 60 * (int)ARRAY_LEN(k));
}

static void test_workers_run_side_by_side(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	int fd[4];

	atomic_store(&f->hold, true);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = connect_raw(f);
		send_raw(fd[i], STR("GET /worker/hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
	}
	wait_for(&f->running, 4);
	call(f, "GET", "/", STR(""), &a);       /* the loops are free meanwhile */
	assert_int_equal(a.status, 200);
	atomic_store(&f->hold, false);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		assert_true(str_starts(receive(f, fd[i], NULL), STR("HTTP/1.1 200")));
		close(fd[i]);
	}
	assert_true(atomic_load(&f->most_running) >= 4);
}

/* The client goes while a worker is at its request: the worker's answer goes nowhere, and nothing is used after it is freed. */
static void test_clients_that_vanish(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	atomic_store(&f->hold, true);
	for (int i = 0; i < 8; i++) {
		int fd = connect_raw(f);
		send_raw(fd, STR("POST /worker/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
		const struct linger now = { .l_onoff = 1 };
		if (i % 2)
			assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);   /* reset */
		if (i < 4)
			wait_for(&f->running, i + 1);
		close(fd);
	}
	atomic_store(&f->hold, false);
	for (int i = 0; i < 500 && atomic_load(&f->running) > 0; i++)
		usleep(10000);
	call(f, "GET", "/worker/x", STR(""), &a);
	assert_int_equal(a.status, 200);
	for (int i = 0; i < 3; i++) {           /* half a body, then gone */
		int fd = connect_raw(f);
		send_raw(fd, STR("PUT /file/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc"));
		close(fd);
	}
	call(f, "GET", "/", STR(""), &a);
	assert_int_equal(a.status, 200);
}

static void test_connections_are_kept(void **state)
{
	struct fixture *f = *state;
	int fd = connect_raw(f);

	for (int i = 0; i < 20; i++) {
		send_raw(fd, arena_printf(&f->a, "POST /%s?n=%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nb%d", i % 3 ? "x" : "worker/x", i, i % 10));
		str answer = receive(f, fd, "from=127.0.0.1");
		assert_true(str_starts(answer, STR("HTTP/1.1 200")));
		str expected = arena_printf(&f->a, "q=n=%d v=- body=b%d", i, i % 10);
		assert_true(str_find(answer, expected) > 0);
	}
	/* Several at once, answered in order. */
	send_raw(fd, STR("GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /worker/two HTTP/1.1\r\nHost: x\r\n\r\nGET /three HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
	str answer = receive(f, fd, NULL);
	ptrdiff_t one = str_find(answer, STR("GET /one")), two = str_find(answer, STR("GET /worker/two")), three = str_find(answer, STR("GET /three"));
	assert_true(one > 0 && two > one && three > two);
	close(fd);
}

/* --- streams ---------------------------------------------------------------------------------------------------------- */

static void test_streams(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	call(f, "GET", "/stream", STR(""), &a);
	assert_int_equal(a.body.len, 50000);
	call(f, "GET", "/stream", STR(""), &a);
	wait_for(&f->streams_closed, 2);
	/* One that breaks is not taken for a whole one. */
	const struct http_call c = { .method = "GET", .url = arena_printf(&f->a, "http://127.0.0.1:%u/stream/broken", f->port) };
	assert_int_equal(http_call(f->client, &c, &f->a, &a, &f->e), RC_UPSTREAM);
	wait_for(&f->streams_closed, 3);
	/* One that nobody reads any more ends. */
	int fd = connect_raw(f);
	send_raw(fd, STR("GET /stream/endless HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_true(recv(fd, (char[100]){ 0 }, 100, 0) > 0);
	close(fd);
	wait_for(&f->streams_closed, 4);
}

/* --- the client -------------------------------------------------------------------------------------------------------- */

static void test_client_errors(void **state)
{
	struct fixture *f = *state;
	struct http_answer a = { 0 };
	struct http_call c = { .method = "GET" };
	const struct { const char *url; enum rc rc; } row[] = {
		{ "ftp://127.0.0.1/x", RC_INVALID }, { "file:///etc/passwd", RC_INVALID }, { "no url at all", RC_INVALID }, { "", RC_INVALID },
		{ "http://127.0.0.1:1/", RC_UPSTREAM }, { "http://no-such-host.invalid/", RC_UPSTREAM },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		c.url = str_of(row[i].url);
		enum rc rc = http_call(f->client, &c, &f->a, &a, &f->e);
		if (rc != row[i].rc)
			fail_msg("%s: %s: %s", row[i].url, rc_name(rc), f->e.msg);
	}
	c.url = arena_printf(&f->a, "http://127.0.0.1:%u/big", f->port);
	c.reply_max = 1000;
	assert_int_equal(http_call(f->client, &c, &f->a, &a, &f->e), RC_TOO_LARGE);
	atomic_store(&f->hold, true);
	c = (struct http_call){ .method = "GET", .url = arena_printf(&f->a, "http://127.0.0.1:%u/worker/hold", f->port), .total_ms = 150 };
	assert_int_equal(http_call(f->client, &c, &f->a, &a, &f->e), RC_TIMEOUT);
	atomic_store(&f->hold, false);
	c = (struct http_call){ .method = "PUT", .url = c.url, .body_file = "/no/such/file" };
	assert_int_equal(http_call(f->client, &c, &f->a, &a, &f->e), RC_NOT_FOUND);
	/* A status is an answer. */
	call(f, "GET", "/refused", STR(""), &a);
	assert_int_equal(a.status, 403);
	assert_true(a.ns > 0);
}

static void test_download(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	str text;
	char *path = arena_cstr(&f->a, arena_printf(&f->a, "%s/download", f->dir));
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	const struct http_call c = { .method = "GET", .url = arena_printf(&f->a, "http://127.0.0.1:%u/big", f->port) };

	OK(f, http_download(f->client, &c, fd, &f->a, &a, &f->e));
	close(fd);
	assert_int_equal(a.status, 200);
	OK(f, fs_read(path, 8u << 20, &f->a, &text, &f->e));
	assert_int_equal(text.len, 4u << 20);
}

static void test_text(void **state)
{
	struct fixture *f = *state;
	str out;

	assert_true(http_percent_decode(&f->a, STR("a%2Fb+c"), true, &out) && str_eq(out, STR("a/b c")));
	assert_true(http_percent_decode(&f->a, STR("a+c"), false, &out) && str_eq(out, STR("a+c")));
	static const char *const bad[] = { "%", "%1", "%g1", "%00", "a%" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(http_percent_decode(&f->a, str_of(bad[i]), true, &out));
	assert_true(str_eq(http_percent_encode(&f->a, STR("a b/\xc3\xa9~"), true), STR("a%20b/%C3%A9~")));
	assert_true(str_eq(http_percent_encode(&f->a, STR("a/b"), false), STR("a%2Fb")));
}

struct stopper { struct fixture *f; pthread_t thread; };

static void *stop_server(void *arg)
{
	struct stopper *k = arg;

	http_server_stop(&k->f->server, 5000);
	return NULL;
}

/* What runs is ended, what comes meanwhile is told to go elsewhere. */
static void test_stopping(void **state)
{
	struct fixture *f = *state;
	struct stopper k = { .f = f };
	int idle = connect_raw(f), held = connect_raw(f);

	send_raw(idle, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	(void)receive(f, idle, "from=127.0.0.1");
	atomic_store(&f->hold, true);
	send_raw(held, STR("GET /worker/hold HTTP/1.1\r\nHost: x\r\n\r\n"));
	wait_for(&f->running, 1);
	assert_int_equal(pthread_create(&k.thread, NULL, stop_server, &k), 0);
	usleep(100000);
	send_raw(idle, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	str answer = receive(f, idle, NULL);
	assert_true(str_starts(answer, STR("HTTP/1.1 503")));
	assert_true(str_find(answer, STR("stopping")) > 0);
	atomic_store(&f->hold, false);
	assert_true(str_starts(receive(f, held, "from=127.0.0.1"), STR("HTTP/1.1 200")));
	pthread_join(k.thread, NULL);
	close(idle);
	close(held);
}

static void test_starting_and_stopping_many_times(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 60; i++) {
		const struct http_server_config c = { .address = "127.0.0.1", .n_loops = 2, .n_workers = 2, .spool_dir = f->dir, .app = f,
						      .plan = plan, .handle = handle };
		struct http_server *s;
		struct http_answer a;
		OK(f, http_server_start(&c, &s, &f->e));
		f->port = http_server_port(s);
		call(f, "GET", i % 2 ? "/" : "/worker/x", STR(""), &a);
		assert_int_equal(a.status, 200);
		http_server_stop(&s, 1000);
	}
}

static void test_addresses(void **state)
{
	struct fixture *f = *state;
	struct http_server *other = NULL;
	struct http_server_config c = { .address = "127.0.0.1", .port = f->port, .spool_dir = f->dir, .app = f, .plan = plan, .handle = handle };

	assert_int_equal(http_server_start(&c, &other, &f->e), RC_CONFLICT);
	assert_non_null(strstr(f->e.msg, "in use"));
	c.address = "localhost";
	assert_int_equal(http_server_start(&c, &other, &f->e), RC_INVALID);
	c.address = "203.0.113.77";
	c.port = 0;
	assert_int_equal(http_server_start(&c, &other, &f->e), RC_IO);
	assert_null(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TIGHT(name) cmocka_unit_test_setup_teardown(name, set_up_tight, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_requests), TEST(test_headers_cannot_be_split), TEST(test_malformed_requests), TEST(test_bodies_have_a_limit),
		TEST(test_bodies_to_files), TIGHT(test_long_headers), TIGHT(test_silent_clients_are_cut_off), TIGHT(test_connections_have_a_limit),
		TIGHT(test_full_queue), TEST(test_answers_reach_their_askers), TEST(test_workers_run_side_by_side), TEST(test_clients_that_vanish),
		TEST(test_connections_are_kept), TEST(test_streams), TEST(test_client_errors), TEST(test_download), TEST(test_text), TEST(test_addresses),
		TEST(test_stopping), TEST(test_starting_and_stopping_many_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
