#include "io/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/fs.h"

#define PATH_SIZE 4096
#define CANDIDATES_MAX 5

struct candidates {
	size_t n;
	char path[CANDIDATES_MAX][PATH_SIZE];
};

static void add(struct candidates *c, const char *dir, const char *below, const char *file)
{
	CHECK(c->n < CANDIDATES_MAX);
	int n = snprintf(c->path[c->n], PATH_SIZE, "%s%s%s%s", dir, below, dir[0] != '\0' ? "/" : "", file);
	if (n > 0 && n < PATH_SIZE)
		c->n++;
}

static void look_up(struct candidates *c, const char *file)
{
	const char *dir = getenv("CAIRN_ENGINE_DIR");
	char self[PATH_SIZE / 2];

	if (dir != NULL && dir[0] != '\0')
		add(c, dir, "", file);
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		char *slash = strrchr(self, '/');
		if (slash != NULL)
			*slash = '\0';
		add(c, self, "", file);
		add(c, self, "/../lib/cairn", file);
	}
#ifdef CAIRN_ENGINE_DIR_BUILT
	add(c, CAIRN_ENGINE_DIR_BUILT, "", file);
#endif
	add(c, "", "", file);
}

enum rc library_open(const char *configured, const char *file, void **handle_out, struct err *e)
{
	struct candidates *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	if (configured != NULL && configured[0] != '\0')
		add(c, "", "", configured);
	else
		look_up(c, file);
	void *handle = NULL;
	enum rc rc = FAIL(e, RC_UNAVAILABLE, "%s was not found", c->n > 0 ? c->path[0] : file);
	for (size_t i = 0; i < c->n && handle == NULL; i++) {
		if (strchr(c->path[i], '/') != NULL && !fs_exists(c->path[i]))
			continue;
		handle = dlopen(c->path[i], RTLD_NOW | RTLD_LOCAL);
		if (handle == NULL)
			rc = FAIL(e, RC_UNAVAILABLE, "%s", dlerror());
	}
	free(c);
	if (handle == NULL)
		return rc;
	*handle_out = handle;
	return RC_OK;
}

enum rc library_symbol(void *handle, const char *symbol, void **out, struct err *e)
{
	void *at = dlsym(handle, symbol);

	if (at == NULL)
		return FAIL(e, RC_UNAVAILABLE, "it has no %s", symbol);
	*out = at;
	return RC_OK;
}
