/* clock.c -- civil time by arithmetic (days from civil: Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static _Atomic int64_t test_ms;   /* 0: the real clock */

int64_t clock_ms(void)
{
	int64_t set = atomic_load_explicit(&test_ms, memory_order_relaxed);
	struct timespec t;

	if (set != 0)
		return set;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void clock_set_for_tests(int64_t ms_or_0)
{
	atomic_store(&test_ms, ms_or_0);
}

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int64_t *m, int64_t *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

size_t clock_put_rfc3339(char *out, int64_t ms)
{
	ms = ms < CLOCK_MS_MIN ? CLOCK_MS_MIN : ms > CLOCK_MS_MAX ? CLOCK_MS_MAX : ms;
	int64_t days = floor_div(ms, MS_DAY), rest = ms - days * MS_DAY, y, m, d;

	civil_from_days(days, &y, &m, &d);
	int n = snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, (int)m, (int)d, (int)(rest / MS_HOUR),
			 (int)(rest / MS_MINUTE % 60), (int)(rest / 1000 % 60));
	CHECK(n > 0 && n < CLOCK_TEXT_MAX - 6);
	if (rest % 1000 != 0)
		n += snprintf(out + n, (size_t)(CLOCK_TEXT_MAX - n), ".%03d", (int)(rest % 1000));
	out[n++] = 'Z';
	out[n] = '\0';
	return (size_t)n;
}

/* Reads exactly n digits. */
static bool digits(str *s, size_t n, int64_t *out)
{
	uint64_t v;

	if (s->len < n || !str_to_u64(str_head(*s, n), &v))
		return false;
	*out = (int64_t)v;
	*s = str_skip(*s, n);
	return true;
}

static bool literal(str *s, char c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static int64_t days_in_month(int64_t y, int64_t m)
{
	static const uint8_t n[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return n[m - 1] + (m == 2 && leap);
}

static bool get_fraction(str *s, int64_t *ms)
{
	int64_t scale = 100;
	size_t n = 0;

	for (; s->len > 0 && s->at[0] >= '0' && s->at[0] <= '9'; n++, scale /= 10) {
		*ms += (s->at[0] - '0') * scale;
		*s = str_skip(*s, 1);
	}
	return n > 0 && n <= 9;
}

static bool get_offset(str *s, int64_t *ms)
{
	int64_t h, m;

	if (s->len == 0)
		return true;
	if (s->len == 1 && (s->at[0] == 'Z' || s->at[0] == 'z')) {
		*s = str_skip(*s, 1);
		return true;
	}
	bool minus = s->at[0] == '-';
	if (!literal(s, minus ? '-' : '+') || !digits(s, 2, &h) || !literal(s, ':') || !digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	int64_t shift = h * MS_HOUR + m * MS_MINUTE;
	*ms += minus ? shift : -shift;
	return true;
}

bool clock_get_rfc3339(str s, int64_t *ms_out)
{
	int64_t y, mon, d, h = 0, min = 0, sec = 0, frac = 0;

	if (!digits(&s, 4, &y) || !literal(&s, '-') || !digits(&s, 2, &mon) || !literal(&s, '-') || !digits(&s, 2, &d))
		return false;
	if (y < 1 || mon < 1 || mon > 12 || d < 1 || d > days_in_month(y, mon))
		return false;
	int64_t ms = days_from_civil(y, mon, d) * MS_DAY;
	if (s.len > 0) {
		if (!literal(&s, 'T') && !literal(&s, 't') && !literal(&s, ' '))
			return false;
		if (!digits(&s, 2, &h) || !literal(&s, ':') || !digits(&s, 2, &min))
			return false;
		if (literal(&s, ':') && !digits(&s, 2, &sec))
			return false;
		if (literal(&s, '.') && !get_fraction(&s, &frac))
			return false;
		if (h > 23 || min > 59 || sec > 60 || !get_offset(&s, &ms))
			return false;
	}
	if (s.len > 0)
		return false;
	ms += h * MS_HOUR + min * MS_MINUTE + sec * 1000 + frac;
	if (ms < CLOCK_MS_MIN || ms > CLOCK_MS_MAX)
		return false;           /* pushed out by its offset */
	*ms_out = ms;
	return true;
}

static const struct {
	const char *name;
	int64_t ms;
} units[] = {                       /* largest first; "ms" before "m" is settled by reading letters whole */
	{ "w", 7 * MS_DAY }, { "d", MS_DAY }, { "h", MS_HOUR }, { "m", MS_MINUTE }, { "s", MS_SECOND }, { "ms", 1 },
};

bool clock_get_duration(str s, int64_t *ms_out)
{
	int64_t total = 0;

	if (s.len == 0)
		return false;
	while (s.len > 0) {
		size_t nd = 0, nu = 0, u = 0;
		uint64_t v;
		while (nd < s.len && s.at[nd] >= '0' && s.at[nd] <= '9')
			nd++;
		if (!str_to_u64(str_head(s, nd), &v))
			return false;
		s = str_skip(s, nd);
		while (nu < s.len && s.at[nu] >= 'a' && s.at[nu] <= 'z')
			nu++;
		while (u < ARRAY_LEN(units) && !str_eq(str_head(s, nu), str_of(units[u].name)))
			u++;
		if (u == ARRAY_LEN(units) || v > (uint64_t)(INT64_MAX / 2 / units[u].ms))
			return false;
		total += (int64_t)v * units[u].ms;
		if (total > INT64_MAX / 2)
			return false;
		s = str_skip(s, nu);
	}
	*ms_out = total;
	return true;
}

str clock_duration_text(struct arena *a, int64_t ms)
{
	str out = STR("");

	if (ms <= 0)
		return ms == 0 ? STR("0s") : arena_printf(a, "%lldms", (long long)ms);
	for (size_t i = 1; i < ARRAY_LEN(units); i++) {     /* weeks are read, not written */
		int64_t n = ms / units[i].ms;
		if (n == 0)
			continue;
		ms -= n * units[i].ms;
		out = arena_printf(a, STR_FMT "%lld%s", STR_ARG(out), (long long)n, units[i].name);
	}
	return out;
}
