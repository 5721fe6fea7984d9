/* gateway.h -- endpoints: a name that clients call, the model behind it, its features, keys and limits. */
#ifndef CAIRN_MODULES_GATEWAY_H
#define CAIRN_MODULES_GATEWAY_H

#include "core/core.h"

struct gateway;
extern const struct module gateway_module;

#endif
