/* predlog.c -- segments of the prediction log: made, appended to, recovered, pruned. */
#include "modules/observe/predlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/vec.h"
#include "io/filemap.h"
#include "io/fs.h"

static const char magic[8] = { 'C', 'A', 'I', 'R', 'N', 'P', 'L', '1' };

struct predlog {
	char *dir;
	uint64_t segment_bytes;
	int fd;                         /* of the segment being written */
	struct buf buf;                 /* the append being made */
	bool broken;                    /* a failed append could not be taken back: go on in a new segment */
	/* written by the appender, read by readers; segment is stored last */
	_Atomic uint64_t segment, committed, next_seq, other_bytes;
	_Atomic uint64_t first;         /* oldest segment kept */
};

static void segment_path(const struct predlog *l, uint64_t number, char out[4096])
{
	int n = snprintf(out, 4096, "%s/%020llu.log", l->dir, (unsigned long long)number);

	CHECK(n > 0 && n < 4096);
}

/* --- starting segments --------------------------------------------------------------------------------- */

static enum rc start_segment(struct predlog *l, uint64_t number, uint64_t seq, struct err *e)
{
	char path[4096], head[PREDLOG_HEAD];

	segment_path(l, number, path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return fs_error(e, errno, "making a segment of the prediction log", path);
	memcpy(head, magic, 8);
	memcpy(head + 8, &seq, 8);
	if (write(fd, head, sizeof(head)) != (ssize_t)sizeof(head)) {
		enum rc rc = fs_error(e, errno, "writing", path);
		close(fd);
		(void)unlink(path);   /* an empty segment would be refused at the next start anyway */
		return rc;
	}
	if (l->fd >= 0) {
		l->other_bytes += l->committed;
		close(l->fd);
	}
	l->fd = fd;
	l->broken = false;
	atomic_store(&l->committed, PREDLOG_HEAD);
	atomic_store(&l->next_seq, seq);
	atomic_store(&l->segment, number);
	return fs_sync_dir(l->dir, e);
}

/* --- recovery ------------------------------------------------------------------------------------------- */

struct segments { VEC(uint64_t) number; };

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static enum rc list_segments(const struct predlog *l, struct arena *a, struct segments *out, struct err *e)
{
	DIR *d = opendir(l->dir);

	if (d == NULL)
		return fs_error(e, errno, "reading the directory", l->dir);
	for (struct dirent *x; (x = readdir(d)) != NULL;) {
		str name = str_of(x->d_name);
		uint64_t number;
		if (name.len == 24 && str_ends(name, STR(".log")) && str_to_u64(str_head(name, 20), &number))
			*VEC_PUSH(a, &out->number) = number;
	}
	closedir(d);
	if (out->number.n > 0)
		qsort(out->number.at, out->number.n, sizeof(uint64_t), by_number);
	return RC_OK;
}

struct scan { uint64_t seq; size_t good, frames; };

/* Counts the whole frames of a segment's bytes. */
static void scan_segment(str data, struct scan *s)
{
	struct log_frame f;
	struct err e = ERR_INIT;
	struct arena a;

	arena_init(&a);
	memcpy(&s->seq, data.at + 8, 8);
	s->good = PREDLOG_HEAD;
	while (s->good < data.len && predlog_get(data, &s->good, &a, &f, &e) == RC_OK) {
		s->frames++;
		s->seq += f.kind == LOG_PREDICTION;
		arena_clear(&a);
	}
	arena_deinit(&a);
}

/* Cuts what is behind the last whole frame. *usable is false for a file without even a head. */
static enum rc recover(struct predlog *l, uint64_t number, struct scan *s, bool *usable, struct err *e)
{
	struct filemap map;
	struct stat st;
	char path[4096];

	segment_path(l, number, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		enum rc rc = fs_error(e, errno, "opening", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	enum rc rc = filemap_open(fd, (uint64_t)st.st_size, &map, e);
	if (rc == RC_OK) {
		*usable = map.data.len >= PREDLOG_HEAD && memcmp(map.data.at, magic, 8) == 0;
		if (*usable)
			scan_segment(map.data, s);
		filemap_close(&map);
	}
	if (rc == RC_OK && *usable && s->good < (size_t)st.st_size) {
		LOG(WARN, "prediction_log.torn_tail_cut", KV_I64("segment", number), KV_I64("bytes", (size_t)st.st_size - s->good));
		if (ftruncate(fd, (off_t)s->good) != 0)
			rc = fs_error(e, errno, "cutting the torn tail of", path);
	}
	close(fd);
	if (rc == RC_OK && (!*usable || s->frames == 0)) {
		/* Nothing in it: its number is used again. */
		if (unlink(path) != 0)
			rc = fs_error(e, errno, "removing", path);
	}
	return rc;
}

static enum rc open_segments(struct predlog *l, struct arena *a, struct err *e)
{
	struct segments segments = { 0 };
	uint64_t seq = 1, last = 0;

	TRY(list_segments(l, a, &segments, e));
	for (size_t i = segments.number.n; i > 0; i--) {
		struct scan s = { 0 };
		bool usable = false;
		TRY(recover(l, segments.number.at[i - 1], &s, &usable, e));
		if (usable)
			seq = s.seq;
		if (usable && s.frames > 0) {
			last = segments.number.at[i - 1];
			break;
		}
		segments.number.n = i - 1;
		if (usable)
			break;
	}
	if (last == 0 && segments.number.n > 0)
		last = segments.number.at[segments.number.n - 1];
	for (size_t i = 0; i < segments.number.n; i++) {
		struct stat st;
		char path[4096];
		segment_path(l, segments.number.at[i], path);
		l->other_bytes += stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	}
	atomic_store(&l->first, segments.number.n > 0 ? segments.number.at[0] : last + 1);
	return start_segment(l, last + 1, seq, e);
}

enum rc predlog_open(const char *dir, uint64_t segment_bytes, struct predlog **out, struct err *e)
{
	struct predlog *l = calloc(1, sizeof(*l));
	struct arena a;

	CHECK(l != NULL);
	l->fd = -1;
	l->dir = strdup(dir);
	CHECK(l->dir != NULL);
	l->segment_bytes = segment_bytes;
	l->buf = BUF_INIT(LIMIT_REPLY);
	arena_init(&a);
	enum rc rc = fs_mkdirs(dir, 0700, e);
	if (rc == RC_OK)
		rc = open_segments(l, &a, e);
	arena_deinit(&a);
	if (rc != RC_OK) {
		predlog_close(&l);
		return rc;
	}
	*out = l;
	return RC_OK;
}

void predlog_close(struct predlog **slot)
{
	struct predlog *l = *slot;

	*slot = NULL;
	if (l == NULL)
		return;
	if (l->fd >= 0) {
		(void)fdatasync(l->fd);   /* closing: the next start looks at what is there */
		close(l->fd);
	}
	buf_deinit(&l->buf);
	free(l->dir);
	free(l);
}

enum rc predlog_advance(struct predlog *l, uint64_t segment, uint64_t seq, struct err *e)
{
	uint64_t number = l->segment, next = l->next_seq;

	if (segment < number && seq <= next)
		return RC_OK;
	if (segment == number && seq <= next && l->committed > PREDLOG_HEAD)
		return RC_OK;
	return start_segment(l, (segment > number ? segment : number) + 1, seq > next ? seq : next, e);
}

uint64_t predlog_next_seq(const struct predlog *l)
{
	return l->next_seq;
}

uint64_t predlog_segment(const struct predlog *l)
{
	return l->segment;
}

uint64_t predlog_bytes(const struct predlog *l)
{
	return l->other_bytes + l->committed;
}

/* --- appending ------------------------------------------------------------------------------------------- */

enum rc predlog_begin(struct predlog *l, struct err *e)
{
	buf_clear(&l->buf);
	if (l->committed >= l->segment_bytes || l->broken)
		return start_segment(l, l->segment + 1, l->next_seq, e);
	return RC_OK;
}

struct buf *predlog_buf(struct predlog *l)
{
	return &l->buf;
}

static enum rc take_back(struct predlog *l, int why, struct err *e)
{
	if (ftruncate(l->fd, (off_t)l->committed) != 0)
		l->broken = true;
	return fs_error(e, why, "recording predictions", l->dir);
}

enum rc predlog_commit(struct predlog *l, size_t n, struct err *e)
{
	if (l->buf.overflowed)
		return FAIL(e, RC_TOO_LARGE, "the predictions of one request take more than %u bytes in the log", LIMIT_REPLY);
	ssize_t wrote = write(l->fd, l->buf.at, l->buf.len);
	if (wrote < 0)
		return take_back(l, errno, e);
	if ((size_t)wrote != l->buf.len)
		return take_back(l, ENOSPC, e);
	atomic_fetch_add(&l->next_seq, n);
	atomic_fetch_add(&l->committed, l->buf.len);
	return RC_OK;
}

enum rc predlog_prune(struct predlog *l, struct predlog_place upto, uint64_t keep_bytes, struct err *e)
{
	for (uint64_t number = l->first; number < upto.segment && number < l->segment && predlog_bytes(l) > keep_bytes; number++) {
		struct stat st;
		char path[4096];
		segment_path(l, number, path);
		if (stat(path, &st) == 0) {
			if (unlink(path) != 0)
				return fs_error(e, errno, "removing", path);
			l->other_bytes -= (uint64_t)st.st_size;
		}
		atomic_store(&l->first, number + 1);
	}
	return RC_OK;
}

/* --- reading ----------------------------------------------------------------------------------------------- */

struct predlog_reader {
	struct predlog *log;
	struct predlog_place at;
	uint64_t skip_to;               /* predictions before this offset of the first segment are not given */
	struct filemap map;
	bool mapped;
	struct arena arena;             /* of the segment's watches */
	VEC(const struct log_watch *) watch;
};

enum rc predlog_reader_open(struct predlog *l, struct predlog_place from, struct predlog_reader **out, struct err *e)
{
	struct predlog_reader *r = calloc(1, sizeof(*r));

	(void)e;
	CHECK(r != NULL);
	r->log = l;
	if (from.segment < l->first)
		from = (struct predlog_place){ l->first, PREDLOG_HEAD };
	r->at = (struct predlog_place){ from.segment, PREDLOG_HEAD };
	r->skip_to = from.offset;
	arena_init(&r->arena);
	*out = r;
	return RC_OK;
}

static void unmap(struct predlog_reader *r)
{
	if (r->mapped)
		filemap_close(&r->map);
	r->mapped = false;
}

void predlog_reader_close(struct predlog_reader **slot)
{
	struct predlog_reader *r = *slot;

	*slot = NULL;
	if (r == NULL)
		return;
	unmap(r);
	arena_deinit(&r->arena);
	free(r);
}

/* Maps what is committed of the segment at hand. *more: there are bytes behind r->at.offset. */
static enum rc map_segment(struct predlog_reader *r, bool *more, struct err *e)
{
	struct stat st;
	char path[4096];

	unmap(r);
	*more = false;
	/* Read in this order: `segment` may move on in between, and then the file itself is whole. */
	uint64_t current = r->log->segment, committed = r->log->committed;
	segment_path(r->log, r->at.segment, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return RC_OK;   /* never made, or pruned */
	if (fd < 0 || fstat(fd, &st) != 0) {
		enum rc rc = fs_error(e, errno, "opening", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	uint64_t size = (uint64_t)st.st_size;
	if (r->at.segment == current && current == r->log->segment && committed < size)
		size = committed;
	enum rc rc = filemap_open(fd, size, &r->map, e);
	close(fd);
	r->mapped = rc == RC_OK;
	*more = r->mapped && r->at.offset < r->map.data.len;
	return rc;
}

static enum rc keep_watch(struct predlog_reader *r, const struct log_watch *w)
{
	struct log_watch *kept = ARENA_NEW(&r->arena, struct log_watch);
	str *input = ARENA_ARRAY(&r->arena, str, w->n_input);

	*kept = *w;
	kept->endpoint = arena_dup(&r->arena, w->endpoint);
	kept->model = arena_dup(&r->arena, w->model);
	kept->output = arena_dup(&r->arena, w->output);
	for (size_t i = 0; i < w->n_input; i++)
		input[i] = arena_dup(&r->arena, w->input[i]);
	kept->input = input;
	*VEC_PUSH(&r->arena, &r->watch) = kept;
	return RC_OK;
}

/* To the next segment, when there is one. */
static bool step(struct predlog_reader *r)
{
	if (r->at.segment >= r->log->segment)
		return false;
	r->at = (struct predlog_place){ r->at.segment + 1, PREDLOG_HEAD };
	r->skip_to = 0;
	r->watch.n = 0;
	unmap(r);
	return true;
}

enum rc predlog_next(struct predlog_reader *r, struct arena *a, const struct log_watch **w, struct log_prediction *p, bool *got,
		     struct err *e)
{
	struct log_frame f;

	*got = false;
	for (;;) {
		bool more = r->mapped && r->at.offset < r->map.data.len;
		if (!more) {
			bool last = r->at.segment >= r->log->segment;   /* before mapping: then a full older segment is seen whole */
			TRY(map_segment(r, &more, e));
			if (!more && (last || !step(r)))
				return RC_OK;
			if (!more)
				continue;
		}
		size_t at = (size_t)r->at.offset;
		if (predlog_get(r->map.data, &at, a, &f, e) != RC_OK) {
			LOG(WARN, "prediction_log.bad_frame", KV_I64("segment", r->at.segment), KV_ERR(e));
			if (!step(r))
				return RC_OK;
			continue;
		}
		uint64_t began = r->at.offset;
		r->at.offset = at;
		if (f.kind == LOG_WATCH) {
			TRY(keep_watch(r, &f.watch));
		} else if (began >= r->skip_to && f.prediction.watch < r->watch.n) {
			*w = r->watch.at[f.prediction.watch];
			*p = f.prediction;
			p->id = arena_dup(a, p->id);
			p->request_id = arena_dup(a, p->request_id);
			p->view_ids = arena_dup(a, p->view_ids);
			*got = true;
			return RC_OK;
		}
	}
}

struct predlog_place predlog_reader_place(const struct predlog_reader *r)
{
	return r->at;
}
