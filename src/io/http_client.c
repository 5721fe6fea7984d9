/* http_client.c -- libcurl easy handles in a pool: a handle keeps its connections, so the next call to the same host is warm. */
#include "io/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

#define POOL_MAX 256    /* as many callers keep their connections; an idle handle is some kilobytes */

struct http_client {
	pthread_mutex_t mtx;    /* guards the pool */
	CURL *idle[POOL_MAX];
	size_t n_idle;
};

enum rc http_client_open(struct http_client **out, struct err *e)
{
	struct http_client *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(c);
		return FAIL(e, RC_INTERNAL, "cannot start the HTTP client");
	}
	pthread_mutex_init(&c->mtx, NULL);
	*out = c;
	return RC_OK;
}

void http_client_close(struct http_client **slot)
{
	struct http_client *c = *slot;

	*slot = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n_idle; i++)
		curl_easy_cleanup(c->idle[i]);
	pthread_mutex_destroy(&c->mtx);
	curl_global_cleanup();
	free(c);
}

static CURL *handle_take(struct http_client *c)
{
	pthread_mutex_lock(&c->mtx);
	CURL *h = c->n_idle > 0 ? c->idle[--c->n_idle] : NULL;
	pthread_mutex_unlock(&c->mtx);
	if (h == NULL)
		h = curl_easy_init();
	CHECK(h != NULL);
	return h;
}

static void handle_give(struct http_client *c, CURL *h)
{
	curl_easy_reset(h);     /* options go, connections stay */
	pthread_mutex_lock(&c->mtx);
	bool keep = c->n_idle < POOL_MAX;
	if (keep)
		c->idle[c->n_idle++] = h;
	pthread_mutex_unlock(&c->mtx);
	if (!keep)
		curl_easy_cleanup(h);
}

struct sink {
	struct buf buf;         /* fd < 0 */
	int fd;
	uint64_t n, max;
	bool too_large;
};

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct sink *s = ctx;
	size_t len = size * n;

	s->n += len;
	if (s->n > s->max) {
		s->too_large = true;
		return 0;
	}
	if (s->fd >= 0)
		return write(s->fd, data, len) == (ssize_t)len ? len : 0;
	buf_add(&s->buf, str_n(data, len));
	return len;
}

/* A line end in a value would be another header. */
static enum rc check_headers(const struct http_call *call, struct err *e)
{
	for (size_t i = 0; i < call->n_header; i++) {
		const str part[] = { call->header[i].name, call->header[i].value };
		for (size_t k = 0; k < ARRAY_LEN(part); k++)
			for (size_t n = 0; n < part[k].len; n++)
				if ((unsigned char)part[k].at[n] < 0x20 && part[k].at[n] != '\t')
					return FAIL(e, RC_INVALID, "header '" STR_FMT "' holds a control character",
						    STR_ARG(str_head(call->header[i].name, 60)));
	}
	return RC_OK;
}

static struct curl_slist *header_list(const struct http_call *call, struct arena *a)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < call->n_header; i++) {
		str line = arena_printf(a, STR_FMT ": " STR_FMT, STR_ARG(call->header[i].name), STR_ARG(call->header[i].value));
		list = curl_slist_append(list, line.at);
	}
	return curl_slist_append(list, "Expect:");   /* no waiting for 100-continue */
}

static void set_options(CURL *h, const struct http_call *call, const char *url, struct curl_slist *headers, struct sink *s)
{
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)(call->connect_ms > 0 ? call->connect_ms : 2000));
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(call->total_ms > 0 ? call->total_ms : 60000));
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
	if (call->unix_socket != NULL)
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
	if (str_eq(str_of(call->method), STR("GET")))
		return;
	if (str_eq(str_of(call->method), STR("HEAD"))) {
		curl_easy_setopt(h, CURLOPT_NOBODY, 1L);   /* or libcurl waits for the body that is announced */
		return;
	}
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, call->method);
	if (call->body_file == NULL) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body.at != NULL ? call->body.at : "");
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	}
}

static enum rc call_failed(CURLcode code, const struct http_call *call, const struct sink *s, struct err *e)
{
	str url = str_head(call->url, 200);

	if (s->too_large)
		return FAIL(e, RC_TOO_LARGE, "the answer of " STR_FMT " has more than %llu bytes", STR_ARG(url), (unsigned long long)s->max);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return FAIL(e, RC_TIMEOUT, STR_FMT " did not answer in time", STR_ARG(url));
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
		return FAIL(e, RC_INVALID, "'" STR_FMT "' is not an http:// or https:// address", STR_ARG(url));
	return FAIL(e, RC_UPSTREAM, "cannot reach " STR_FMT ": %s", STR_ARG(url), curl_easy_strerror(code));
}

static enum rc perform(struct http_client *c, const struct http_call *call, struct sink *s, struct arena *a,
		       struct http_answer *out, struct err *e)
{
	TRY(check_headers(call, e));
	CURL *h = handle_take(c);
	struct curl_slist *headers = header_list(call, a);
	FILE *file = NULL;
	long status = 0;
	char *type = NULL;
	enum rc rc = RC_OK;

	set_options(h, call, arena_cstr(a, call->url), headers, s);
	if (call->body_file != NULL) {
		file = fopen(call->body_file, "re");
		if (file == NULL) {
			rc = FAIL(e, RC_NOT_FOUND, "cannot read %s", call->body_file);
			goto out;
		}
		(void)fseeko(file, 0, SEEK_END);
		curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(h, CURLOPT_READDATA, file);
		curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)ftello(file));
		rewind(file);
	}
	uint64_t begin = clock_ns();
	CURLcode code = curl_easy_perform(h);
	if (code != CURLE_OK) {
		rc = call_failed(code, call, s, e);
		goto out;
	}
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h, CURLINFO_CONTENT_TYPE, &type);
	*out = (struct http_answer){ .status = (int)status, .ns = clock_ns() - begin, .content_type = arena_dup(a, str_of(type)) };
	if (s->fd < 0)
		out->body = buf_to_arena(&s->buf, a);
out:
	if (file != NULL)
		fclose(file);
	curl_slist_free_all(headers);
	handle_give(c, h);
	return rc;
}

enum rc http_call(struct http_client *c, const struct http_call *call, struct arena *a, struct http_answer *out, struct err *e)
{
	size_t max = call->reply_max > 0 ? call->reply_max : LIMIT_REPLY;
	struct sink s = { .buf = BUF_INIT(max), .fd = -1, .max = max };
	enum rc rc = perform(c, call, &s, a, out, e);

	buf_deinit(&s.buf);
	return rc;
}

enum rc http_download(struct http_client *c, const struct http_call *call, int fd, struct arena *a, struct http_answer *out,
		      struct err *e)
{
	struct sink s = { .fd = fd, .max = call->reply_max > 0 ? call->reply_max : LIMIT_ARTIFACT_BODY };

	CHECK(fd >= 0);
	return perform(c, call, &s, a, out, e);
}

str http_percent_encode(struct arena *a, str in, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";
	char *text = arena_alloc_raw(a, in.len * 3 + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			     c == '.' || c == '~' || (c == '/' && keep_slash);
		if (plain) {
			text[n++] = (char)c;
			continue;
		}
		text[n++] = '%';
		text[n++] = hex[c >> 4];
		text[n++] = hex[c & 15];
	}
	text[n] = '\0';
	return str_n(text, n);
}
