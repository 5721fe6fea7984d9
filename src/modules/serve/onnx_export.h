/* onnx_export.h -- a forest as an ONNX model. Pure; any thread. */
#ifndef CAIRN_SERVE_ONNX_EXPORT_H
#define CAIRN_SERVE_ONNX_EXPORT_H

#include "modules/serve/forest.h"

/* One input "input" FP32[-1, n_feature], NaN where missing; one output FP32[-1, n_group]. RC_UNAVAILABLE in a build without
 * ONNX's definition. */
enum rc onnx_of_forest(const struct forest *f, str output, str doc, struct arena *a, str *out, struct err *e) MUST_USE;

#endif
