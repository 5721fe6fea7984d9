/* main.c -- tidy [--tighten | --notes] ROOT: the house rules over a checkout; 1 when one is broken. */
#include "tidy.h"

#include <string.h>

int main(int argc, char **argv)
{
	bool tighten = argc > 1 && strcmp(argv[1], "--tighten") == 0, notes = argc > 1 && strcmp(argv[1], "--notes") == 0;
	int first = tighten || notes ? 2 : 1;
	const char *root = argc > first ? argv[first] : ".";
	struct tree t;

	if (!tree_read(&t, root))
		return 2;
	tree_check(&t);
	if (tighten && !tree_tighten(&t)) {
		(void)fprintf(stderr, "tidy: cannot write the ratchet\n");
		return 2;
	}
	size_t n = tree_report(&t, stdout, notes);
	(void)printf("%zu files, %zu broken rules\n", t.file.n, n);
	tree_free(&t);
	return n > 0 ? 1 : 0;
}
