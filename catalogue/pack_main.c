// SPDX-License-Identifier: Apache-2.0
// Runs at build time only: packs the catalogue's YAML files into one C array, which the
// vault core embeds. Usage: catalogue-pack OUT.c FILE.yaml...
#include <stdio.h>

#include "ctl/catalog_file.h"

static int
write_array(const char *path, struct view v)
{
	FILE *f = fopen(path, "we");
	if (f == NULL)
		return -1;
	fprintf(f, "#include \"catalogue_builtin.h\"\n"
		   "const uint8_t catalogue_builtin[] = {");
	for (size_t i = 0; i < v.len; i++)
		fprintf(f, "%s%u,", i % 24 == 0 ? "\n" : "", (unsigned)(uint8_t)v.p[i]);
	fprintf(f, "\n};\nconst size_t catalogue_builtin_len = sizeof(catalogue_builtin);\n");
	bool failed = ferror(f) != 0;
	return fclose(f) != 0 || failed ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct catalog_text t = {.source = "built-in"};
	struct buf whole = {0};
	int code = argc < 3;
	for (int i = 2; i < argc; i++)
		code |= catalog_file_read(&t, argv[i]) != 0;
	if (code == 0)
		code = catalog_text_whole(&t, &whole) != 0 ||
		       write_array(argv[1], buf_done(&whole)) != 0;
	if (code == 0)
		fprintf(stderr, "  CAT %zu rows, %zu bytes\n", t.count, whole.len);
	buf_free(&whole);
	catalog_text_free(&t);
	return code;
}
