/* gateway.h -- endpoints: a name that clients call, the model behind it, its features, keys and limits.
 *
 * Clients speak the Open Inference Protocol v2 over REST at /v2, with Triton's binary tensors. An endpoint is compiled into
 * an immutable plan (model, feature reads, order of the columns, limits); applying, refreshing and a moved alias publish a
 * new plan, and requests under way end on the one they began with.
 */
#ifndef CAIRN_MODULES_GATEWAY_H
#define CAIRN_MODULES_GATEWAY_H

#include "core/core.h"

struct gateway;
extern const struct module gateway_module;

#endif
