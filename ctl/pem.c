// SPDX-License-Identifier: Apache-2.0
// May touch: the file it is given.
#include "ctl/pem.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
holds_certificate(const char *text)
{
	BIO *b = BIO_new_mem_buf(text, -1);
	X509 *x = b == NULL ? NULL : PEM_read_bio_X509(b, NULL, NULL, NULL);
	bool found = x != NULL;
	X509_free(x);
	BIO_free(b);
	return found;
}

char *
pem_read(const char *path, char error[SPEC_ERROR_MAX])
{
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		snprintf(
		    error, SPEC_ERROR_MAX, "cannot read the CA file %s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = base_calloc(1, SPEC_CA_MAX + 2);
	size_t n = fread(text, 1, SPEC_CA_MAX + 1, f);
	fclose(f);
	if (n > SPEC_CA_MAX)
		snprintf(error, SPEC_ERROR_MAX,
		    "the CA file %s is larger than %u bytes: give only the authority that signed "
		    "this host",
		    path, SPEC_CA_MAX);
	else if (strstr(text, "PRIVATE KEY-----") != NULL)
		snprintf(error, SPEC_ERROR_MAX,
		    "the CA file %s holds a private key: give the certificate alone", path);
	else if (!holds_certificate(text))
		snprintf(error, SPEC_ERROR_MAX, "the CA file %s holds no PEM certificate", path);
	else
		return text;
	free(text);
	return NULL;
}
