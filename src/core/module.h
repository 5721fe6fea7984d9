/* module.h -- what a module is: a table that core reads.
 *
 * A module owns its tables, routes, timers, tasks and checks and names them here; src/modules.c lists the
 * modules in an order in which each stands behind what it needs. Handlers get the module's own handle.
 */
#ifndef CAIRN_CORE_MODULE_H
#define CAIRN_CORE_MODULE_H

#include "base/record.h"
#include "core/core.h"
#include "io/db.h"

struct api;
struct timer_def;
struct task_def;
struct check_def;

struct module {
	const char *name;
	const char *doc;
	const char *const *needs;               /* NULL-terminated names of modules, or NULL */
	const struct record *config;            /* its section of cairn.yaml, or NULL */
	const struct migration *migration;
	size_t n_migration;
	const struct record *const *stored;     /* records with a .table, checked against the database at start */
	size_t n_stored;
	const struct api *api;
	size_t n_api;
	const struct timer_def *timer;
	size_t n_timer;
	const struct task_def *task;
	size_t n_task;
	const struct check_def *check;
	size_t n_check;
	/* Allocates the handle; other modules' handles may be taken with core_module. No threads yet. */
	enum rc (*open)(struct core *c, const void *config, void **self_out, struct err *e);
	enum rc (*start)(void *self, struct err *e);    /* after all modules are open; may be NULL */
	void (*stop)(void *self);                       /* before any is closed; may be NULL */
	void (*close)(void **slot);
};

extern const struct module *const cairn_modules[];   /* the last one is NULL and not counted */
extern const size_t n_cairn_modules;

#endif
