/* replay_main.c -- runs a fuzz target over the files of its corpus, so that every past finding stays a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *dir, const char *name)
{
	char path[4096];
	static uint8_t data[1 << 20];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return;
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* A copy of exactly its size, so that reading past the end is seen. */
	uint8_t *exact = malloc(n > 0 ? n : 1);
	for (size_t i = 0; i < n; i++)
		exact[i] = data[i];
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

int main(int argc, char **argv)
{
	int n = 0;
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;

	if (d == NULL) {
		fprintf(stderr, "no corpus at %s\n", argc > 1 ? argv[1] : "(none)");
		return 1;
	}
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		replay(argv[1], entry->d_name);
		n++;
	}
	closedir(d);
	printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
