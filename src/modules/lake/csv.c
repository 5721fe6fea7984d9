/* csv.c -- see csv.h. */
#include "modules/lake/csv.h"

#include <string.h>

#include "base/map.h"

#define SNIFF_RECORDS 50
#define NAME_MAX_BYTES 128

/* Line end at p: 0 (none), 1 or 2 bytes. */
static size_t line_end(const char *p, const char *end)
{
	if (p == end)
		return 0;
	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return p + 1 < end && p[1] == '\n' ? 2 : 1;
	return 0;
}

static int64_t line_ends(str s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == '\n' || (s.at[i] == '\r' && !(i + 1 < s.len && s.at[i + 1] == '\n'));
	return n;
}

int64_t csv_lines(str data)
{
	bool open_end = data.len > 0 && data.at[data.len - 1] != '\n' && data.at[data.len - 1] != '\r';

	return line_ends(data) + open_end;
}

void csv_init(struct csv *c, str data, char delimiter)
{
	if (str_starts(data, STR("\xef\xbb\xbf")))
		data = str_skip(data, 3);
	if (data.at == NULL)
		data = STR("");
	*c = (struct csv){ .at = data.at, .end = data.at + data.len, .delimiter = delimiter, .line = 1 };
	arena_init(&c->row);
	arena_init(&c->cells);
}

void csv_deinit(struct csv *c)
{
	arena_deinit(&c->row);
	arena_deinit(&c->cells);
}

/* --- one record --------------------------------------------------------------------------------- */

/* A field between quotes, from its opening one. Sets *p behind the closing one, *n_lines up by the line ends inside. */
static const char *quoted_field(struct csv *c, const char **p, int64_t *n_lines, const char *limit, str *out)
{
	const char *from = *p + 1, *q = from;
	size_t n_doubled = 0;

	for (;; q += 2, n_doubled++) {
		q = q < limit ? memchr(q, '"', (size_t)(limit - q)) : NULL;
		if (q == NULL)
			return limit == c->end ? "a quote is never closed" : "a quote is not closed within 1 MiB";
		if (q + 1 == c->end || q[1] != '"')
			break;
	}
	*n_lines += line_ends(str_n(from, (size_t)(q - from)));
	*p = q + 1;
	if (n_doubled == 0) {
		*out = str_n(from, (size_t)(q - from));
		return NULL;
	}
	char *text = arena_alloc_raw(&c->row, (size_t)(q - from) + 1);
	size_t n = 0;
	for (const char *s = from; s < q; s++) {
		text[n++] = *s;
		s += *s == '"';
	}
	*out = str_n(text, n);
	return NULL;
}

static void plain_field(const struct csv *c, const char **p, str *out)
{
	const char *q = *p;

	while (q < c->end && *q != c->delimiter && *q != '\n' && *q != '\r')
		q++;
	*out = str_n(q > *p ? *p : NULL, (size_t)(q - *p));
	*p = q;
}

/* Fields from `from` to the line end that closes the record. Returns the problem, or NULL; *p_out is at that end. */
static const char *read_fields(struct csv *c, const char *from, const char **p_out, int64_t *n_lines)
{
	const char *limit = (size_t)(c->end - from) > CSV_RECORD_MAX ? from + CSV_RECORD_MAX : c->end;
	const char *p = from, *problem = NULL;

	*n_lines = 1;
	for (;;) {
		str *value = VEC_PUSH(&c->cells, &c->value);
		if (p < c->end && *p == '"')
			problem = quoted_field(c, &p, n_lines, limit, value);
		else
			plain_field(c, &p, value);
		if (problem == NULL && p > limit)
			problem = "longer than 1 MiB";
		if (problem == NULL && p < c->end && *p != c->delimiter && line_end(p, c->end) == 0)
			problem = "text stands between a closing quote and the next separator";
		*p_out = p;
		if (problem != NULL || p == c->end || *p != c->delimiter)
			return problem;
		p++;
	}
}

static const char *first_line_end(const struct csv *c, const char *p)
{
	while (p < c->end && *p != '\n' && *p != '\r')
		p++;
	return p;
}

static str text_problem(struct csv *c, str raw, const char *problem, size_t n)
{
	if (problem != NULL)
		return str_of(problem);
	if (c->n_expected > 0 && n != c->n_expected)
		return arena_printf(&c->row, "%zu fields where the header has %zu", n, c->n_expected);
	if (raw.len > 0 && memchr(raw.at, '\0', raw.len) != NULL)
		return STR("a NUL byte");
	if (!str_is_utf8(raw))
		return STR("not UTF-8");
	return STR_NONE;
}

bool csv_next(struct csv *c, struct source_row *out)
{
	const char *from, *p;
	int64_t n_lines;
	size_t skip;

	while (c->n_expected != 1 && (skip = line_end(c->at, c->end)) > 0) {
		c->at += skip;
		c->line++;
		c->n_blank++;
	}
	if (c->at == c->end)
		return false;
	arena_clear(&c->row);
	c->value.n = 0;
	from = c->at;
	const char *problem = read_fields(c, from, &p, &n_lines);
	str what = text_problem(c, str_n(from, (size_t)(p - from)), problem, c->value.n);
	if (what.len > 0 && (n_lines > 1 || problem != NULL)) {
		p = first_line_end(c, from);
		n_lines = 1;
	}
	*out =
	    (struct source_row){ .line = c->line, .n_lines = n_lines, .raw = str_n(from, (size_t)(p - from)), .problem = what };
	if (what.len == 0) {
		out->value = c->value.at;
		out->n = c->value.n;
	}
	c->at = p + line_end(p, c->end);
	c->line += n_lines;
	return true;
}

/* --- before the rows ------------------------------------------------------------------------------ */

static size_t sniff_score(str data, char delimiter)
{
	struct source_row row;
	struct csv c;
	size_t n_header = 0, score = 0;

	csv_init(&c, data, delimiter);
	for (size_t i = 0; i < SNIFF_RECORDS && csv_next(&c, &row); i++) {
		if (i == 0)
			n_header = row.n;
		if (row.n == n_header && n_header > 1)
			score += n_header;
	}
	csv_deinit(&c);
	return score;
}

char csv_sniff(str data)
{
	static const char candidates[] = ",;\t|";
	char best = ',';
	size_t best_score = 0;

	for (size_t i = 0; candidates[i] != '\0'; i++) {
		size_t score = sniff_score(data, candidates[i]);
		if (score > best_score) {
			best = candidates[i];
			best_score = score;
		}
	}
	return best;
}

static str lower(struct arena *a, str s)
{
	char *out = arena_alloc_raw(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		out[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (char)(s.at[i] + 32) : s.at[i];
	return str_n(out, s.len);
}

enum rc csv_header(struct csv *c, struct arena *a, str **name_out, size_t *n_out, struct err *e)
{
	struct source_row row;
	struct map seen;

	if (!csv_next(c, &row))
		return FAIL(e, RC_INVALID, "the file is empty: a CSV file begins with a line of column names");
	if (row.problem.len > 0)
		return FAIL(e, RC_INVALID, "line %lld (the column names): " STR_FMT, (long long)row.line, STR_ARG(row.problem));
	str *name = ARENA_ARRAY(a, str, row.n);
	map_init(&seen, a);
	for (size_t i = 0; i < row.n; i++) {
		str s = str_trim(row.value[i]);
		name[i] = s.len > 0 ? arena_dup(a, s) : arena_printf(a, "column_%zu", i + 1);
		if (name[i].len > NAME_MAX_BYTES)
			return FAIL(e, RC_INVALID, "line %lld: the name of column %zu is longer than %d bytes",
				    (long long)row.line, i + 1, NAME_MAX_BYTES);
		if (map_put(&seen, lower(a, name[i]), &name[i]) != NULL)
			return FAIL(e, RC_INVALID, "line %lld: two columns are named '" STR_FMT "'", (long long)row.line,
				    STR_ARG(name[i]));
	}
	*name_out = name;
	*n_out = row.n;
	c->n_expected = row.n;
	return RC_OK;
}
