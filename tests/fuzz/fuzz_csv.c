/* fuzz_csv.c -- any bytes as CSV: every line is in exactly one record or blank, raw texts come from the input in order, and
 * a second reading gives the same. The first byte picks the delimiter. */
#include <stddef.h>
#include <stdint.h>

#include "modules/lake/csv.h"
#include "modules/lake/typing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sums { int64_t lines, rows, values; };

static struct sums read_all(str text, char delimiter, size_t n_expected)
{
	struct sums s = { 0 };
	struct source_row r;
	struct csv c;
	const char *at = text.at;

	csv_init(&c, text, delimiter);
	c.n_expected = n_expected;
	while (csv_next(&c, &r)) {
		CHECK(r.raw.at == NULL || (r.raw.at >= at && r.raw.at + r.raw.len <= text.at + text.len));
		CHECK(r.n_lines > 0);
		CHECK(r.problem.len > 0 || n_expected == 0 || r.n == n_expected);
		if (r.raw.at != NULL)
			at = r.raw.at + r.raw.len;
		s.lines += r.n_lines;
		s.rows++;
		for (size_t i = 0; r.problem.len == 0 && i < r.n; i++) {
			struct guess g = { 0 };
			CHECK(str_is_utf8(r.value[i]));
			guess_add(&g, r.value[i]);
			struct value v;
			enum value_type t = guess_type(&g, 0);
			CHECK(value_is_null(t, r.value[i]) || g.n == 0 || value_read(t, r.value[i], &v));
			s.values++;
		}
	}
	s.lines += c.n_blank;
	csv_deinit(&c);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char delimiters[] = ",;\t|";
	str text = size > 0 ? str_n((const char *)data + 1, size - 1) : STR("");
	char delimiter = size > 0 ? delimiters[data[0] % 4] : ',';
	str body = str_starts(text, STR("\xef\xbb\xbf")) ? str_skip(text, 3) : text;

	for (size_t n = 0; n < 3; n++) {
		struct sums once = read_all(text, delimiter, n), again = read_all(text, delimiter, n);
		CHECK(once.lines == csv_lines(body));
		CHECK(once.rows == again.rows);
		CHECK(once.values == again.values);
	}
	(void)csv_sniff(text);
	return 0;
}
