/* num.h -- numbers to text and back, exactly.
 *
 * Shortest text that reads back to the same value (C++17 to_chars) and correctly rounded reading
 * (from_chars, after an exact fast path). Neither allocates nor looks at the locale. Any thread.
 */
#ifndef CAIRN_BASE_NUM_H
#define CAIRN_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NUM_TEXT_MAX 32  /* bytes that any of these may write, without NUL */

size_t num_put_f64(char *out, double v);   /* finite only; "0.1", "1e+22" */
size_t num_put_f32(char *out, float v);
size_t num_put_i64(char *out, int64_t v);
size_t num_put_u64(char *out, uint64_t v);

/* Reads a JSON-style number at [at, end). Returns the bytes read, 0 when there is none or it is out of
 * range (an underflow reads as 0). */
size_t num_get_f64(const char *at, const char *end, double *out);

#ifdef __cplusplus
}
#endif
#endif
