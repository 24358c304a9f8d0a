// SPDX-License-Identifier: Apache-2.0
// Keys in the JSON that clouds hand out: a Google service account's file, and AWS keys as
// the console, the CLI and other gateways write them. The text stays in secret memory and
// is wiped; what is no secret is copied out. Nothing in it is followed: no URL of a file
// says where a key goes. May touch: the file it is given, or standard input.
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "common/secmem.h"
#include "ctl/spec.h"

#define IMPORT_FILE_MAX 32768U

// Empty where the JSON has none.
struct import_account {
	char project[128];
	char client_email[256];
	char private_key_id[130];
	char region[33];
};

struct import_aws {
	char access_key_id[129];
	char region[33];
	char expires[SPEC_TIME_MAX]; // Unix time, of a temporary key
};

// All: path "-" is standard input; on a fault -1 with one sentence in error, and no secret
// left. The key is the DER of PKCS#8 in base64.
int import_account(const char *path, struct import_account *a, struct secret *key,
    char error[SPEC_ERROR_MAX]) MUST_CHECK;
int import_aws(const char *path, struct import_aws *a, struct secret *secret,
    struct secret *session_token, char error[SPEC_ERROR_MAX]) MUST_CHECK;

// The same from text, which is not changed.
int import_account_text(struct view text, struct import_account *a, struct secret *key,
    char error[SPEC_ERROR_MAX]) MUST_CHECK;
int import_aws_text(struct view text, struct import_aws *a, struct secret *secret,
    struct secret *session_token, char error[SPEC_ERROR_MAX]) MUST_CHECK;

#endif
