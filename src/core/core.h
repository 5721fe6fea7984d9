/* core.h -- what every module is handed when it opens: the services of one running cairn.
 *
 * Made by core_open, which opens the services, migrates, opens the modules in the order of src/modules.c
 * and starts them; all of it is read-only afterwards, so any thread may read it.
 */
#ifndef CAIRN_CORE_CORE_H
#define CAIRN_CORE_CORE_H

#include "base/arena.h"
#include "base/err.h"

struct db;
struct kvstore;
struct blobs;
struct query_engine;
struct http_client;
struct metrics;
struct scheduler;
struct authenticator;
struct api_table;
struct module;

struct core {
	const char *data_dir;           /* absolute */
	const char *instance;           /* id of this process: names leases */
	struct db *db;
	struct kvstore *kv;
	struct blobs *blobs;
	struct query_engine *query;
	struct http_client *http;
	struct metrics *metrics;
	struct scheduler *scheduler;    /* timers and tasks */
	const struct authenticator *auth;  /* set by the access module */
	struct api_table *apis;
	int64_t started_ms;
	int64_t pid;
	uint16_t port;                  /* known once listening, as is url */
	const char *url;                /* "http://127.0.0.1:7070" */
	const struct module *const *module;
	void *const *module_self;       /* same order */
	size_t n_module;
	const void *const *module_config;
};

/* The handle of an opened module. CHECKs that it is there: modules state what they need. */
void *core_module(const struct core *c, const char *name);
void *core_module_find(const struct core *c, const char *name);

struct core_options {
	const char *data_dir;
	const char *config_file;        /* NULL: data_dir/cairn.yaml if it exists */
	const char *listen;             /* overrides the file; NULL: leave */
};
enum rc core_open(const struct core_options *o, struct core **out, struct err *e) MUST_USE;
enum rc core_listen(struct core *c, struct err *e) MUST_USE;
void core_close(struct core **slot);

#endif
