/* source.c -- see source.h. */
#include "modules/lake/source.h"

#include <string.h>

const char *const source_format_names[] = { "auto", "csv", "json", "parquet", NULL };

/* Files that are something else altogether: named, so that nobody looks for a broken line in a zip archive. */
static const struct { str magic; const char *what; } foreign[] = {
	{ { "\x1f\x8b", 2 }, "gzip-compressed: decompress it first" },
	{ { "PK\x03\x04", 4 }, "a zip archive or an Excel workbook: export the sheet as CSV" },
	{ { "\x28\xb5\x2f\xfd", 4 }, "zstd-compressed: decompress it first" },
	{ { "\xff\xfe", 2 }, "UTF-16: save it as UTF-8" },
	{ { "\xfe\xff", 2 }, "UTF-16: save it as UTF-8" },
	{ { "SQLite format 3", 15 }, "an SQLite database: export the table as CSV" },
	{ { "%PDF", 4 }, "a PDF document" },
	{ { "\x7f""ELF", 4 }, "a program" },
};

static str without_bom(str data)
{
	return str_starts(data, STR("\xef\xbb\xbf")) ? str_skip(data, 3) : data;
}

enum source_format source_format_of(str data, str file_name)
{
	static const struct { str suffix; enum source_format format; } names[] = {
		{ { ".csv", 4 }, FORMAT_CSV },       { { ".tsv", 4 }, FORMAT_CSV },       { { ".json", 5 }, FORMAT_JSON },
		{ { ".ndjson", 7 }, FORMAT_JSON },   { { ".jsonl", 6 }, FORMAT_JSON },    { { ".parquet", 8 }, FORMAT_PARQUET },
	};
	str head = str_trim(without_bom(str_head(data, 4096)));

	if (str_starts(data, STR("PAR1")))
		return FORMAT_PARQUET;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = names[i].suffix.len;
		if (file_name.len >= n && str_eq_nocase(str_skip(file_name, file_name.len - n), names[i].suffix))
			return names[i].format;
	}
	return str_starts(head, STR("{")) || str_starts(head, STR("[")) ? FORMAT_JSON : FORMAT_CSV;
}

/* --- opening ------------------------------------------------------------------------------------------ */

static enum rc refuse_foreign(str data, struct err *e)
{
	if (str_trim(without_bom(data)).len == 0)
		return FAIL(e, RC_INVALID, "the file is empty");
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		if (str_starts(data, foreign[i].magic))
			return FAIL(e, RC_INVALID, "the file is %s", foreign[i].what);
	}
	return RC_OK;
}

static enum rc open_csv(struct source *s, char delimiter, struct arena *a, struct err *e)
{
	s->delimiter = delimiter != 0 ? delimiter : csv_sniff(s->data);
	csv_init(&s->csv, s->data, s->delimiter);
	if (csv_header(&s->csv, a, &s->name, &s->n_col, e) != RC_OK) {
		csv_deinit(&s->csv);
		return e->rc;
	}
	s->rows_at = s->csv.at;
	s->rows_line = s->csv.line;
	s->rows_blank = s->csv.n_blank;
	return RC_OK;
}

static str lower(struct arena *a, str s)
{
	char *out = arena_alloc_raw(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		out[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (char)(s.at[i] + 32) : s.at[i];
	return str_n(out, s.len);
}

static enum rc name_json_columns(struct source *s, struct arena *a, struct err *e)
{
	struct map seen;

	s->n_col = s->json.n_column;
	if (s->n_col == 0)
		return FAIL(e, RC_INVALID,
			    "no line or element of the file is a JSON object with a key: rows are expected as one "
			    "object a line, or as one list of objects");
	s->name = ARENA_ARRAY(a, str, s->n_col);
	s->text_only = ARENA_ARRAY(a, bool, s->n_col);
	map_init(&seen, a);
	for (size_t i = 0; i < s->json.column.n; i++) {
		const struct json_column *c = s->json.column.entry[i].value;
		s->name[c->index] = c->name;
		s->text_only[c->index] = c->all_texts;
		if (map_put(&seen, lower(a, c->name), s->json.column.entry[i].value) != NULL)
			return FAIL(e, RC_INVALID, "two keys differ from '" STR_FMT "' in case only", STR_ARG(c->name));
	}
	return RC_OK;
}

static enum rc open_json(struct source *s, struct arena *a, struct err *e)
{
	TRY(json_rows_open(&s->json, s->data, a, e));
	if (name_json_columns(s, a, e) == RC_OK)
		return RC_OK;
	json_rows_close(&s->json);
	return e->rc;
}

enum rc source_open(struct source *s, str data, enum source_format format, char delimiter, struct arena *a, struct err *e)
{
	CHECK(format == FORMAT_CSV || format == FORMAT_JSON);
	TRY(refuse_foreign(data, e));
	*s = (struct source){ .format = format, .data = data };
	if (format == FORMAT_CSV)
		TRY(open_csv(s, delimiter, a, e));
	else
		TRY(open_json(s, a, e));
	CHECK(s->n_col > 0);
	if (s->n_col > SOURCE_COLUMNS_MAX) {
		source_close(s);
		return FAIL(e, RC_TOO_LARGE, "more than %d columns", SOURCE_COLUMNS_MAX);
	}
	return RC_OK;
}

void source_close(struct source *s)
{
	if (s->format == FORMAT_CSV)
		csv_deinit(&s->csv);
	else
		json_rows_close(&s->json);
}

/* --- rows ----------------------------------------------------------------------------------------------- */

void source_rewind(struct source *s)
{
	if (s->format == FORMAT_JSON) {
		json_rows_rewind(&s->json);
		return;
	}
	s->csv.at = s->rows_at;
	s->csv.line = s->rows_line;
	s->csv.n_blank = s->rows_blank;
}

enum rc source_next(struct source *s, struct source_row *out, bool *end, struct err *e)
{
	if (s->format == FORMAT_JSON)
		return json_rows_next(&s->json, out, end, e);
	*end = !csv_next(&s->csv, out);
	return RC_OK;
}

double source_fraction(const struct source *s)
{
	const char *at = s->format == FORMAT_CSV ? s->csv.at : s->json.is_list ? s->json.list.at : s->json.rest.at;

	if (at == NULL || s->data.len == 0)
		return 1;
	return (double)(at - s->data.at) / (double)s->data.len;
}

enum rc source_count(struct source *s, int64_t *n_out, struct err *e)
{
	struct source_row row;
	int64_t n = 0;
	bool end = false;

	source_rewind(s);
	for (;;) {
		TRY(source_next(s, &row, &end, e));
		if (end)
			break;
		n++;
	}
	*n_out = n;
	return RC_OK;
}
