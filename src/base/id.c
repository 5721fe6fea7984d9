#include "base/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";   /* Crockford */

void rng_fill(void *out, size_t n)
{
	char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		CHECK(got > 0);     /* the kernel's pool is ready once the system is up */
		p += got;
		n -= (size_t)got;
	}
}

uint64_t rng_u64(void)
{
	uint64_t v;

	rng_fill(&v, sizeof(v));
	return v;
}

/* The last id of this process: a further one in the same millisecond counts up, so order is kept. */
static struct {
	pthread_mutex_t mtx;
	int64_t ms;
	uint64_t high;              /* 16 random bits */
	uint64_t low;               /* 64 */
} last = { .mtx = PTHREAD_MUTEX_INITIALIZER };

static void next_id(int64_t *ms, uint64_t *high, uint64_t *low)
{
	uint64_t random[2];

	rng_fill(random, sizeof(random));
	pthread_mutex_lock(&last.mtx);
	int64_t now = clock_ms();
	if (now > last.ms) {
		last.ms = now;
		last.high = random[0] & 0x7fff;   /* top bit free: counting up cannot overflow 80 bits */
		last.low = random[1];
	} else {
		uint64_t step = (random[0] & 0xffffff) + 1;
		last.high += last.low > UINT64_MAX - step;
		last.low += step;
	}
	*ms = last.ms;
	*high = last.high;
	*low = last.low;
	pthread_mutex_unlock(&last.mtx);
}

void id_put(char out[ID_TEXT_MAX], const char *prefix)
{
	size_t n = strlen(prefix);
	uint64_t high, low;
	int64_t ms;

	CHECK(n + 1 + ID_LEN < ID_TEXT_MAX);
	memcpy(out, prefix, n);
	if (n > 0)
		out[n++] = '_';
	next_id(&ms, &high, &low);
	for (int i = 9; i >= 0; i--, ms >>= 5)
		out[n + (size_t)i] = alphabet[ms & 31];
	unsigned __int128 r = ((unsigned __int128)high << 64) | low;
	for (int i = 25; i >= 10; i--, r >>= 5)
		out[n + (size_t)i] = alphabet[(unsigned)(r & 31)];
	out[n + ID_LEN] = '\0';
}

str id_new(struct arena *a, const char *prefix)
{
	char text[ID_TEXT_MAX];

	id_put(text, prefix);
	return arena_dup(a, str_of(text));
}

bool id_time(str id, int64_t *ms_out)
{
	ptrdiff_t at = str_find_char(id, '_');
	int64_t ms = 0;

	if (at >= 0)
		id = str_skip(id, (size_t)at + 1);
	if (id.len != ID_LEN)
		return false;
	for (size_t i = 0; i < ID_LEN; i++) {
		const char *hit = memchr(alphabet, id.at[i], 32);
		if (hit == NULL)
			return false;
		if (i < 10)
			ms = ms << 5 | (hit - alphabet);
	}
	*ms_out = ms;
	return true;
}

str id_hex(struct arena *a, size_t n_bytes)
{
	unsigned char raw[64];
	char *out = arena_alloc(a, n_bytes * 2 + 1);

	CHECK(n_bytes <= sizeof(raw));
	rng_fill(raw, n_bytes);
	for (size_t i = 0; i < n_bytes; i++) {
		out[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	return str_n(out, n_bytes * 2);
}

/* splitmix64 spreads one seed over the state (Vigna). */
void rng_seed(struct rng *r, uint64_t seed)
{
	for (size_t i = 0; i < 4; i++) {
		seed += UINT64_C(0x9e3779b97f4a7c15);
		uint64_t z = seed;
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ (z >> 31);
	}
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}
