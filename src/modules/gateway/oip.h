/* oip.h -- messages of the Open Inference Protocol v2 over REST, to tensors and back.
 *
 * JSON is read by pulled tokens straight into the tensors; nothing is allocated per element, and no shape is believed before
 * the body is seen to be long enough for it. Triton's binary tensor extension is read and written: the JSON first, then the
 * tensors' bytes in the order of their mention. Pure; strings may point into the body.
 */
#ifndef CAIRN_MODULES_GATEWAY_OIP_H
#define CAIRN_MODULES_GATEWAY_OIP_H

#include "base/json.h"
#include "modules/serve/serve.h"

#define OIP_TENSORS_MAX 4096
#define OIP_PARAMS_MAX 64
#define OIP_NO_HEADER (-1)

enum oip_param_kind { OIP_TEXT, OIP_NUMBER, OIP_FLAG };
struct oip_param { str name; enum oip_param_kind kind; str text; double number; bool flag; };
struct oip_output { str name; bool binary; };

struct oip_request {
	str id;
	struct tensor *in;
	size_t n_in;
	struct oip_output *out;         /* those asked for; none: all */
	size_t n_out;
	bool binary_output;             /* for outputs that do not say themselves */
	struct oip_param *param;
	size_t n_param;
};
/* json_len: of Inference-Header-Content-Length, or OIP_NO_HEADER. RC_INVALID names the tensor and what is wrong with it. */
enum rc oip_decode(str body, int64_t json_len, struct arena *a, struct oip_request *out, struct err *e) MUST_USE;
/* A raw binary request (Inference-Header-Content-Length: 0): the whole body is the one tensor of `spec`. */
enum rc oip_decode_raw(str body, const struct tensor_spec *spec, struct arena *a, struct oip_request *out, struct err *e) MUST_USE;
const struct oip_param *oip_param_find(const struct oip_request *r, str name);

struct oip_message {
	const char *tensors_key;        /* "outputs"; "inputs" makes a request */
	str model_name, model_version, id;      /* left out when empty */
	const struct oip_param *param;
	size_t n_param;
	const struct tensor *tensor;
	const bool *binary;             /* per tensor */
	size_t n_tensor;
};
/* Returns the length of the JSON when binary tensors follow it, else OIP_NO_HEADER. */
int64_t oip_encode(const struct oip_message *m, struct buf *out);

/* Element i as a number: for every type but BYTES. */
double oip_number(const struct tensor *t, size_t i);
bool oip_is_integer(enum dtype t);
str oip_shape_text(const struct tensor *t, struct arena *a);     /* "[3,1]" */

#endif
