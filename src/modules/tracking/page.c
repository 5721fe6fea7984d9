/* page.c -- page tokens: base64 of {"offset": N}, as MLflow's own. */
#include "io/crypto.h"
#include "modules/tracking/tracking_int.h"

struct page_token { int64_t offset; };
static const struct field page_token_fields[] = {
	FIELD(page_token, offset, K_I64, F_REQUIRED, "Rows before the page", .min = 1, .max = 9e15),
};
static const struct record page_token_record = RECORD(page_token, page_token_fields, "Where a page begins", .open = true);

str mlflow_page_token(struct arena *a, int64_t offset)
{
	return crypto_base64(a, record_to_json(&page_token_record, &(struct page_token){ offset }, 0, a));
}

enum rc mlflow_page_offset(struct arena *a, str token, int64_t *out, struct err *e)
{
	struct page_token t = { 0 };
	str json;

	if (token.len == 0) {
		*out = 0;
		return RC_OK;
	}
	if (!crypto_base64_decode(token, a, &json))
		return FAIL(e, RC_INVALID, "Invalid page token, could not base64-decode");
	if (record_from_json(&page_token_record, json, a, 0, &t, e) != RC_OK)
		return FAIL(e, RC_INVALID, "Invalid page token");
	*out = t.offset;
	return RC_OK;
}

enum rc mlflow_page_size(int64_t asked, int64_t max, struct err *e)
{
	if (asked < 1)
		return FAIL(e, RC_INVALID, "Invalid value %lld for parameter 'max_results' supplied. It must be a positive integer.",
			    (long long)asked);
	if (asked > max)
		return FAIL(e, RC_INVALID, "Invalid value %lld for parameter 'max_results' supplied. It must be at most %lld.",
			    (long long)asked, (long long)max);
	return RC_OK;
}
