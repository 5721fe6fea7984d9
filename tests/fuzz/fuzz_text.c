/* fuzz_text.c -- the small readers of text that comes from outside: numbers, times, durations, URLs' percent-encoding, ids. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/num.h"
#include "io/crypto.h"
#include "io/http_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void numbers(str s)
{
	char text[NUM_TEXT_MAX];
	int64_t i, i_again;
	double f, f_again;

	if (str_to_i64(s, &i))
		CHECK(str_to_i64(str_n(text, num_put_i64(text, i)), &i_again) && i == i_again);
	if (str_to_f64(s, &f) && isfinite(f))
		CHECK(str_to_f64(str_n(text, num_put_f64(text, f)), &f_again) && (f_again >= f && f_again <= f));
	uint64_t u, u_again;
	if (str_to_u64(s, &u))
		CHECK(str_to_u64(str_n(text, num_put_u64(text, u)), &u_again) && u == u_again);
}

static void times(str s, struct arena *a)
{
	char text[CLOCK_TEXT_MAX];
	int64_t ms, again;

	if (clock_get_rfc3339(s, &ms))
		CHECK(clock_get_rfc3339(str_n(text, clock_put_rfc3339(text, ms)), &again) && ms == again);
	if (clock_get_duration(s, &ms))
		CHECK(clock_get_duration(clock_duration_text(a, ms), &again) && ms == again);
	if (id_time(s, &ms))
		CHECK(ms >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str s = str_n((const char *)data, size), out;
	struct arena a;

	arena_init(&a);
	numbers(s);
	times(s, &a);
	if (http_percent_decode(&a, s, size % 2 == 0, &out))
		CHECK(out.len <= s.len && str_find_char(out, '\0') < 0);
	if (crypto_base64_decode(s, &a, &out))
		CHECK(out.len <= s.len);
	arena_deinit(&a);
	return 0;
}
