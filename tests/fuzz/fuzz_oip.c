/* fuzz_oip.c -- requests of the Open Inference Protocol from arbitrary bytes. What was read is written and read again, and
 * must be the same. The first byte chooses how the body is cut. */
#include <stdint.h>
#include <string.h>

#include "modules/gateway/oip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_bits(const struct tensor *a, const struct tensor *b)
{
	for (size_t i = 0; i < a->n; i++) {
		double x, y;
		if (a->type == DT_BYTES) {
			if (!str_eq(((const str *)a->data)[i], ((const str *)b->data)[i]))
				return false;
			continue;
		}
		x = oip_number(a, i);
		y = oip_number(b, i);
		if (x != y && !(x != x && y != y))
			return false;
	}
	return true;
}

static void again(const struct oip_request *r, struct arena *a)
{
	struct buf b = BUF_INIT(64u << 20);
	struct err e = ERR_INIT;
	struct oip_request second;
	bool *binary = ARENA_ARRAY(a, bool, r->n_in);

	/* Text that came as bytes need not be UTF-8, and then has no form in JSON. */
	for (size_t i = 0; i < r->n_in; i++)
		binary[i] = r->in[i].type == DT_FP16 || r->in[i].type == DT_BYTES || i % 2 == 1;
	struct oip_message m = { .tensors_key = "inputs", .id = r->id, .param = r->param, .n_param = r->n_param, .tensor = r->in,
				 .binary = binary, .n_tensor = r->n_in };
	int64_t json_len = oip_encode(&m, &b);
	bool empty_half = false;
	for (size_t i = 0; i < r->n_in; i++)
		empty_half = empty_half || (r->in[i].type == DT_FP16 && r->in[i].n == 0);   /* written as JSON, which FP16 has not */
	if (!empty_half) {
		CHECK(oip_decode(buf_str(&b), json_len, a, &second, &e) == RC_OK);
		CHECK(second.n_in == r->n_in);
		for (size_t i = 0; i < r->n_in; i++) {
			CHECK(second.in[i].n == r->in[i].n);
			CHECK(same_bits(&second.in[i], &r->in[i]));
		}
	}
	buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tensor_spec raw = { { "input", 5 }, DT_FP32, 2, { -1, 3 } };
	struct arena a;
	struct err e = ERR_INIT;
	struct oip_request r;

	if (size == 0)
		return 0;
	str body = str_n((const char *)data + 1, size - 1);
	/* A quarter each: no header, a header at the first closing bracket's end, one by the byte, a raw body. */
	int64_t json_len = OIP_NO_HEADER;
	ptrdiff_t end = str_find(body, STR("]}"));
	if (data[0] % 4 == 1)
		json_len = end >= 0 ? (int64_t)end + 2 : (int64_t)body.len;
	else if (data[0] % 4 == 2)
		json_len = data[0];
	arena_init(&a);
	enum rc rc = data[0] % 4 == 3 ? oip_decode_raw(body, &raw, &a, &r, &e) : oip_decode(body, json_len, &a, &r, &e);
	if (rc == RC_OK)
		again(&r, &a);
	else
		CHECK(e.msg[0] != '\0');
	arena_deinit(&a);
	return 0;
}
