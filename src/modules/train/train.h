/* train.h -- training jobs and hyperparameter search with the built-in trainers (XGBoost). */
#ifndef CAIRN_MODULES_TRAIN_H
#define CAIRN_MODULES_TRAIN_H

#include "core/core.h"

extern const struct module train_module;

#endif
