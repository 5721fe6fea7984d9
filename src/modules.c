/* modules.c -- the modules of cairn, each behind what it needs. A new capability is one line here. */
#include "core/module.h"

const struct module *const cairn_modules[] = {
	NULL,
};
const size_t n_cairn_modules = ARRAY_LEN(cairn_modules) - 1;
