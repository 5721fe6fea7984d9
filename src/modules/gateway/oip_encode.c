/* oip_encode.c -- writing of the Open Inference Protocol's messages. */
#include "modules/gateway/oip.h"

#include <string.h>

static size_t binary_size(const struct tensor *t)
{
	if (t->type != DT_BYTES)
		return t->n * dtype_size(t->type);
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		n += 4 + ((const str *)t->data)[i].len;
	return n;
}

static void put_element(struct jw *w, const struct tensor *t, size_t i)
{
	switch (t->type) {
	case DT_BYTES:
		jw_str(w, ((const str *)t->data)[i]);
		return;
	case DT_BOOL:
		jw_bool(w, ((const uint8_t *)t->data)[i] != 0);
		return;
	case DT_UINT64:
		jw_u64(w, ((const uint64_t *)t->data)[i]);
		return;
	case DT_INT64:
		jw_i64(w, ((const int64_t *)t->data)[i]);
		return;
	case DT_FP32:
		jw_f32(w, ((const float *)t->data)[i]);
		return;
	case DT_FP64:
		jw_f64(w, ((const double *)t->data)[i]);
		return;
	case DT_FP16:
		jw_f32(w, (float)oip_number(t, i));
		return;
	case DT_UINT8: case DT_UINT16: case DT_UINT32: case DT_INT8: case DT_INT16: case DT_INT32:
		jw_i64(w, (int64_t)oip_number(t, i));
		return;
	case DT_COUNT:
		break;
	}
	UNREACHABLE("type");
}

static void put_tensor(struct jw *w, const struct tensor *t, bool binary)
{
	jw_object(w);
	jw_str_key(w, "name", t->name);
	jw_str_key(w, "datatype", str_of(dtype_names[t->type]));
	jw_array_key(w, STR("shape"));
	for (size_t i = 0; i < t->n_dim; i++)
		jw_i64(w, t->dim[i]);
	jw_end_array(w);
	if (binary) {
		jw_object_key(w, STR("parameters"));
		jw_i64_key(w, "binary_data_size", (int64_t)binary_size(t));
		jw_end_object(w);
	} else {
		jw_array_key(w, STR("data"));
		for (size_t i = 0; i < t->n; i++)
			put_element(w, t, i);
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void put_bytes(struct buf *b, const struct tensor *t)
{
	if (t->type != DT_BYTES) {
		buf_add(b, str_n(t->data, t->n * dtype_size(t->type)));
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		str s = ((const str *)t->data)[i];
		uint32_t len = (uint32_t)s.len;
		buf_add(b, str_n((const char *)&len, 4));
		buf_add(b, s);
	}
}

static void put_params(struct jw *w, const struct oip_param *p, size_t n)
{
	jw_object_key(w, STR("parameters"));
	for (size_t i = 0; i < n; i++) {
		jw_key(w, p[i].name);
		switch (p[i].kind) {
		case OIP_TEXT: jw_str(w, p[i].text); break;
		case OIP_NUMBER: jw_f64(w, p[i].number); break;
		case OIP_FLAG: jw_bool(w, p[i].flag); break;
		}
	}
	jw_end_object(w);
}

int64_t oip_encode(const struct oip_message *m, struct buf *out)
{
	size_t from = out->len, n_bytes = 0;
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	if (m->model_name.len > 0)
		jw_str_key(&w, "model_name", m->model_name);
	if (m->model_version.len > 0)
		jw_str_key(&w, "model_version", m->model_version);
	if (m->id.len > 0)
		jw_str_key(&w, "id", m->id);
	if (m->n_param > 0)
		put_params(&w, m->param, m->n_param);
	jw_array_key(&w, str_of(m->tensors_key));
	for (size_t i = 0; i < m->n_tensor; i++) {
		/* An empty tensor has no bytes, and Triton's clients then look for data in the JSON. */
		bool binary = m->binary[i] && m->tensor[i].n > 0;
		put_tensor(&w, &m->tensor[i], binary);
		n_bytes += binary ? binary_size(&m->tensor[i]) : 0;
	}
	jw_end_array(&w);
	jw_end_object(&w);
	size_t json_len = out->len - from;
	for (size_t i = 0; i < m->n_tensor; i++) {
		if (m->binary[i] && m->tensor[i].n > 0)
			put_bytes(out, &m->tensor[i]);
	}
	return n_bytes > 0 ? (int64_t)json_len : OIP_NO_HEADER;
}
