/* clock.h -- time, and text of time.
 *
 * Wall time is int64 milliseconds since 1970 UTC; durations for measuring are nanoseconds of the
 * monotonic clock. Tests may set the wall clock. Any thread.
 */
#ifndef CAIRN_BASE_CLOCK_H
#define CAIRN_BASE_CLOCK_H

#include "base/arena.h"

#define MS_SECOND INT64_C(1000)
#define MS_MINUTE (60 * MS_SECOND)
#define MS_HOUR (60 * MS_MINUTE)
#define MS_DAY (24 * MS_HOUR)

int64_t clock_ms(void);              /* wall */
uint64_t clock_ns(void);             /* monotonic */
void clock_set_for_tests(int64_t ms_or_0);

#define CLOCK_MS_MIN INT64_C(-62135596800000)   /* 0001-01-01T00:00:00Z */
#define CLOCK_MS_MAX INT64_C(253402300799999)   /* 9999-12-31T23:59:59.999Z */
#define CLOCK_TEXT_MAX 32
/* "2026-01-02T03:04:05.678Z" (the fraction only when not 0); beyond the years 1 to 9999 the nearest end of them. */
size_t clock_put_rfc3339(char *out, int64_t ms);
/* RFC 3339 or "YYYY-MM-DD[ T]HH:MM[:SS[.fff]]" (taken as UTC), or "YYYY-MM-DD". */
bool clock_get_rfc3339(str s, int64_t *ms_out) MUST_USE;
/* "1500ms", "90s", "15m", "24h", "7d", "2w"; also several joined: "1h30m". */
bool clock_get_duration(str s, int64_t *ms_out) MUST_USE;
str clock_duration_text(struct arena *a, int64_t ms);   /* "1h30m", shortest exact */

#endif
