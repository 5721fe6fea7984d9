/* library.h -- finding and opening the engines' shared libraries: cairn builds and runs where they are missing.
 *
 * Looked for: the path configured, and nowhere else; or $CAIRN_ENGINE_DIR, beside the program, ../lib/cairn from there
 * (as installed), where the build found it, and what the system's loader knows. A library is never closed again: its
 * threads' destructors may still run. Any thread. */
#ifndef CAIRN_IO_LIBRARY_H
#define CAIRN_IO_LIBRARY_H

#include "base/err.h"

/* configured may be NULL or "". RC_UNAVAILABLE says why the last candidate did not open. */
enum rc library_open(const char *configured, const char *file, void **handle_out, struct err *e) MUST_USE;
/* RC_UNAVAILABLE names the symbol that is not there. */
enum rc library_symbol(void *handle, const char *symbol, void **out, struct err *e) MUST_USE;

#endif
