/* modules.c -- the modules of cairn, each behind what it needs. A new capability is one line here. */
#include "core/module.h"
#include "modules/access/access.h"
#include "modules/features/features.h"
#include "modules/gateway/gateway.h"
#include "modules/lake/lake.h"
#include "modules/observe/observe.h"
#include "modules/registry/registry.h"
#include "modules/serve/serve.h"
#include "modules/tracking/tracking.h"
#include "modules/train/train.h"

const struct module *const cairn_modules[] = {
	&access_module,
	&tracking_module,
	&registry_module,
	&lake_module,
	&features_module,
	&observe_module,
	&train_module,
	&serve_module,
	&gateway_module,
	NULL,
};
const size_t n_cairn_modules = ARRAY_LEN(cairn_modules) - 1;
