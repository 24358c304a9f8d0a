// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over the files of its corpus, without a fuzzer, so that every
// `make check` replays what fuzzing once found. May touch: the files it is given.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		exit(2);
	static uint8_t buf[1 << 20];
	size_t n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	// An exact-size copy lets AddressSanitizer see one byte too far.
	uint8_t *copy = malloc(n == 0 ? 1 : n);
	if (copy == NULL)
		exit(2);
	for (size_t i = 0; i < n; i++)
		copy[i] = buf[i];
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

int
main(int argc, char **argv)
{
	unsigned count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		if (d == NULL)
			continue;
		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			if (e->d_name[0] == '.')
				continue;
			char path[1024];
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			replay(path);
			count++;
		}
		closedir(d);
	}
	printf("%u inputs replayed\n", count);
	return count == 0;
}
