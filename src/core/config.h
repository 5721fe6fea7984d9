/* config.h -- cairn.yaml: core's own keys and one section per module, described by records.
 *
 *	listen: 127.0.0.1:7070
 *	database: postgresql://cairn@db/cairn
 *	tasks: { parallel: 4 }
 *	gateway: { … }
 *
 * Read once, when cairn opens. Unknown keys are refused with file, line and what is allowed.
 */
#ifndef CAIRN_CORE_CONFIG_H
#define CAIRN_CORE_CONFIG_H

#include "base/record.h"
#include "core/module.h"

struct config_tasks { int32_t parallel; };
struct config_memory { int32_t query_mb, online_gb; };
struct core_config {
	str listen;
	str database;           /* empty: sqlite in the data directory */
	int32_t loops, workers;
	struct config_tasks tasks;
	struct config_memory memory;
};
extern const struct record core_config_record;

/* file may be NULL or missing: all defaults. section[i] is module i's config struct, or NULL when it has none. */
enum rc config_read(const char *file, bool must_exist, const struct module *const *module, size_t n_module, struct arena *a,
		    struct core_config *out, const void **section, struct err *e) MUST_USE;
/* "ADDR:PORT", "[::1]:PORT", "PORT". */
enum rc config_listen(str listen, struct arena *a, const char **address, uint16_t *port, struct err *e) MUST_USE;

#endif
