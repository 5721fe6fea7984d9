/* query_engine.c -- finding and loading DuckDB, and sharing its memory out among sessions.
 *
 * The library (70 MB) is opened with dlopen when the first session is: a cairn that only serves never pays for it.
 * Memory is shared by grants: a session gets half of what the others have left. */
#ifdef CAIRN_HAVE_DUCKDB

#include "io/query_int.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "io/fs.h"
#include "io/library.h"

#define SESSIONS_MAX 64
#define GRANT_MIN_MB 64

static const struct { const char *symbol; size_t offset; } duck_symbols[] = {
#define X(name) { "duckdb_" #name, offsetof(struct duck, name) },
	DUCK_TABLE(X)
#undef X
};

/* --- the engine ------------------------------------------------------------------------------ */

static uint32_t default_memory_mb(void)
{
	struct sysinfo si;

	if (sysinfo(&si) != 0)
		return 1024;
	uint64_t mb = (uint64_t)si.totalram * si.mem_unit / 4 >> 20;
	return mb > 4096 ? 4096 : mb < 256 ? 256 : (uint32_t)mb;
}

static uint32_t default_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 8 ? 8 : (uint32_t)n;
}

/* Scratch directories of sessions that did not live to close. */
static enum rc sweep(const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	char path[QUERY_PATH_SIZE + 256];
	const struct dirent *entry;
	enum rc rc = RC_OK;

	if (d == NULL)
		return fs_error(e, errno, "opening", dir);
	while (rc == RC_OK && (entry = readdir(d)) != NULL) {
		if (strncmp(entry->d_name, QUERY_SCRATCH_PREFIX, strlen(QUERY_SCRATCH_PREFIX)) != 0)
			continue;
		int n = snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (n > 0 && (size_t)n < sizeof(path))
			rc = fs_remove_tree(path, e);
	}
	closedir(d);
	return rc;
}

enum rc query_engine_open(const struct query_config *c, struct query_engine **out, struct err *e)
{
	char tmp_dir[QUERY_PATH_SIZE];

	CHECK(c->tmp_dir != NULL);
	TRY(fs_mkdirs(c->tmp_dir, 0700, e));
	if (realpath(c->tmp_dir, tmp_dir) == NULL)
		return fs_error(e, errno, "resolving", c->tmp_dir);
	TRY(sweep(tmp_dir, e));
	struct query_engine *g = calloc(1, sizeof(*g));
	CHECK(g != NULL);
	g->magic = QUERY_ENGINE_MAGIC;
	g->library = c->library != NULL && c->library[0] != '\0' ? strdup(c->library) : NULL;
	memcpy(g->tmp_dir, tmp_dir, sizeof(g->tmp_dir));
	g->threads = c->threads > 0 ? c->threads : default_threads();
	g->memory_mb = c->memory_mb > 0 ? c->memory_mb : default_memory_mb();
	g->spill_mb = c->spill_mb > 0 ? c->spill_mb : 16384;
	pthread_mutex_init(&g->mtx, NULL);
	*out = g;
	return RC_OK;
}

void query_engine_close(struct query_engine **slot)
{
	struct query_engine *g = *slot;

	*slot = NULL;
	if (g == NULL)
		return;
	OBJ_CHECK(g, QUERY_ENGINE_MAGIC);
	CHECK(g->n_sessions == 0);
	/* The library stays mapped: its threads' destructors may still run. */
	pthread_mutex_destroy(&g->mtx);
	free(g->library);
	g->magic = 0;
	free(g);
}

static enum rc resolve(struct query_engine *g, void *handle, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(duck_symbols); i++) {
		void *sym;
		if (library_symbol(handle, duck_symbols[i].symbol, &sym, e) != RC_OK)
			return err_wrap(e, "libduckdb.so is older than DuckDB 1.4, which cairn needs");
		memcpy((char *)&g->duck + duck_symbols[i].offset, &sym, sizeof(sym));
	}
	return RC_OK;
}

/* Under the mutex. */
static enum rc load(struct query_engine *g, struct err *e)
{
	void *handle;

	if (g->handle != NULL)
		return RC_OK;
	if (library_open(g->library, "libduckdb.so", &handle, e) != RC_OK)
		return err_wrap(e, "DuckDB is not there, so datasets, pipelines and SQL are not; `make deps` fetches libduckdb.so, or "
				   "name its folder with CAIRN_ENGINE_DIR");
	TRY(resolve(g, handle, e));
	g->handle = handle;
	return RC_OK;
}

static enum rc load_locked(struct query_engine *g, struct err *e)
{
	pthread_mutex_lock(&g->mtx);
	enum rc rc = load(g, e);
	pthread_mutex_unlock(&g->mtx);
	return rc;
}

enum rc query_engine_version(struct query_engine *g, struct arena *a, str *out, struct err *e)
{
	OBJ_CHECK(g, QUERY_ENGINE_MAGIC);
	TRY(load_locked(g, e));
	*out = arena_dup(a, str_of(g->duck.library_version()));
	return RC_OK;
}

uint32_t query_engine_sessions(struct query_engine *g)
{
	OBJ_CHECK(g, QUERY_ENGINE_MAGIC);
	pthread_mutex_lock(&g->mtx);
	uint32_t n = g->n_sessions;
	pthread_mutex_unlock(&g->mtx);
	return n;
}

/* --- shares of memory --------------------------------------------------------------------------- */

enum rc query__grant(struct query_engine *g, uint32_t *mb, struct err *e)
{
	pthread_mutex_lock(&g->mtx);
	enum rc rc = load(g, e);
	if (rc == RC_OK && g->n_sessions >= SESSIONS_MAX)
		rc = FAIL(e, RC_LIMIT, "%d SQL sessions are open, which is the limit; try again when some have ended", SESSIONS_MAX);
	if (rc == RC_OK) {
		uint32_t left = g->memory_mb > g->granted_mb ? g->memory_mb - g->granted_mb : 0;
		*mb = left / 2 > GRANT_MIN_MB ? left / 2 : GRANT_MIN_MB;
		g->granted_mb += *mb;
		g->n_sessions++;
	}
	pthread_mutex_unlock(&g->mtx);
	return rc;
}

void query__give_back(struct query_engine *g, uint32_t mb)
{
	pthread_mutex_lock(&g->mtx);
	g->granted_mb -= mb;
	bool last = --g->n_sessions == 0;
	pthread_mutex_unlock(&g->mtx);
	if (last)
		(void)malloc_trim(0);   /* says only whether there was something to return */
}

#endif
