/* config.c -- one record made at start from core's keys and the modules' sections, so that one decoder reads the file. */
#include "core/config.h"

#include <string.h>

#include "io/fs.h"
#include "io/yaml.h"

#define CONFIG_FILE_MAX (1u << 20)
#define ALIGN 16u

static const struct field tasks_fields[] = {
	FIELD(config_tasks, parallel, K_I32, 0, "Tasks that run at once", .min = 1, .max = 256, .def = "4"),
};
static const struct record tasks_record = RECORD(config_tasks, tasks_fields, "Background work");
static const struct field memory_fields[] = {
	FIELD(config_memory, query_mb, K_I32, 0, "Memory for analytical queries; 0: a quarter of the machine's", .max = 1 << 20, .unit = "MiB"),
	FIELD(config_memory, online_gb, K_I32, 0, "Largest size of the online store", .min = 1, .max = 4096, .def = "64", .unit = "GiB"),
};
static const struct record memory_record = RECORD(config_memory, memory_fields, "Memory limits");

static const struct field core_config_fields[] = {
	FIELD(core_config, listen, K_STR, 0, "Address and port", .def = "127.0.0.1:7070"),
	FIELD(core_config, database, K_STR, 0, "sqlite:PATH or postgresql://…; empty: SQLite in the data directory"),
	FIELD(core_config, loops, K_I32, 0, "Event-loop threads; 0: one per core", .max = 64),
	FIELD(core_config, workers, K_I32, 0, "Threads for requests that block; 0: 32", .max = 1024),
	FIELD(core_config, tasks, K_RECORD, 0, "Background work", .sub = &tasks_record),
	FIELD(core_config, memory, K_RECORD, 0, "Memory limits", .sub = &memory_record),
};
const struct record core_config_record = RECORD(core_config, core_config_fields, "cairn.yaml");

/* Sections that the file leaves out get their defaults all the same. */
static enum rc finish_sections(const struct record *r, struct arena *a, void *obj, struct err *e)
{
	uint64_t has;

	memcpy(&has, (const char *)obj + r->has_offset, sizeof(has));
	for (size_t i = 0; i < r->n_field; i++) {
		const struct field *f = &r->field[i];
		if (f->kind == K_RECORD && !(has >> i & 1))
			TRY(record_finish(f->sub, 0, a, 0, field_slot(f, obj), e));
	}
	return RC_OK;
}

static size_t aligned(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

enum rc config_read(const char *file, bool must_exist, const struct module *const *module, size_t n_module, struct arena *a,
		    struct core_config *out, const void **section, struct err *e)
{
	size_t n_core = core_config_record.n_field, offset = aligned(sizeof(struct core_config));
	struct field *field = ARENA_ARRAY(a, struct field, n_core + n_module);
	size_t n = n_core;
	str text = STR("");

	memcpy(field, core_config_fields, sizeof(core_config_fields));
	for (size_t i = 0; i < n_module; i++) {
		if (module[i]->config == NULL)
			continue;
		field[n++] = (struct field){ .name = module[i]->name, .offset = (uint16_t)offset, .kind = K_RECORD,
					     .doc = module[i]->doc, .sub = module[i]->config };
		offset += aligned(module[i]->config->size);
		CHECK(offset < UINT16_MAX);
	}
	struct record all = { .name = "cairn.yaml", .doc = "cairn's configuration", .field = field, .n_field = (uint16_t)n,
			      .size = offset + sizeof(uint64_t), .has_offset = (int32_t)offset };
	char *obj = arena_alloc(a, all.size);
	if (file != NULL && (must_exist || fs_exists(file)))
		TRY(fs_read(file, CONFIG_FILE_MAX, a, &text, e));
	if (str_trim(text).len > 0)
		TRY(record_from_yaml(&all, text, file, a, 0, obj, e));
	else
		TRY(record_finish(&all, 0, a, 0, obj, e));
	TRY(finish_sections(&all, a, obj, e));
	memcpy(out, obj, sizeof(*out));
	for (size_t i = 0, k = n_core; i < n_module; i++)
		section[i] = module[i]->config != NULL ? obj + field[k++].offset : NULL;
	return RC_OK;
}

enum rc config_listen(str listen, struct arena *a, const char **address, uint16_t *port, struct err *e)
{
	size_t colon = listen.len;
	uint64_t n;

	while (colon > 0 && listen.at[colon - 1] != ':')
		colon--;
	str host = colon > 0 ? str_head(listen, colon - 1) : STR("127.0.0.1");
	if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		host = str_n(host.at + 1, host.len - 2);
	if (host.len == 0 || !str_to_u64(str_skip(listen, colon), &n) || n > UINT16_MAX)
		return FAIL(e, RC_INVALID, "listen: '" STR_FMT "' is not ADDRESS:PORT, as in 127.0.0.1:7070", STR_ARG(listen));
	*address = arena_cstr(a, host);
	*port = (uint16_t)n;
	return RC_OK;
}
