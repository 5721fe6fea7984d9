/* check.h -- assertions that stay on in release builds.
 *
 * CHECK states what the code relies on; a false one is a bug of ours, never a client's input, and
 * aborts with file, line and text. Client input is validated at the edge and reported as `struct err`.
 */
#ifndef CAIRN_BASE_CHECK_H
#define CAIRN_BASE_CHECK_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))
#define UNREACHABLE(why) check_failed(__FILE__, __LINE__, "unreachable: " why)

/* Type tags for long-lived objects: first member `unsigned magic`. */
#define OBJ_CHECK(p, tag)                                                                          \
	do {                                                                                       \
		CHECK((p) != NULL);                                                                \
		CHECK((p)->magic == (tag));                                                        \
	} while (0)

#endif
