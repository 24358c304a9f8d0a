// SPDX-License-Identifier: Apache-2.0
// From words of a person (options, YAML) to the messages of the vault, with every
// check that can be made without it, so that a mistake is explained here and
// nothing half-right is sent. No I/O.
#ifndef CTL_SPEC_H
#define CTL_SPEC_H

#include "ctl/cli.h"
#include "proto/msg.h"

#define SPEC_ERROR_MAX	 512U
#define SPEC_SECRET_MAX	 4096U
#define SPEC_CA_MAX	 32768U
#define SPEC_ANY_VERSION 0xffffffffU

// One sentence into error; gives -1, so that a check can end with `return spec_fault(...)`.
int spec_fault(char error[SPEC_ERROR_MAX], const char *fmt, ...) PRINTF(2, 3);

// Words as given; NULL or "" where nothing was said. Borrowed.
struct spec_credential {
	const char *name;
	const char *provider;
	const char *host; // "host" or "host:port"
	const char *region;
	const char *access_key_id;
	const char *workspace;
	const char *rate; // "600/min"
	const char *ca_pem;
	const char *auth; // "sts-session"; absent: by what else is given
	const char *setting[SETTING_LAST + 1];
	struct cli_list models;
	struct cli_list operations;
	struct cli_list deployments; // "MODEL=NAME"
	bool disabled;
};

// Fills *put but for secret, session token and version; views point into s. On a
// fault returns -1 with one sentence that says what to write instead.
int spec_credential(const struct spec_credential *s, struct msg_credential_put *put,
    char error[SPEC_ERROR_MAX]) MUST_CHECK;

struct spec_vkey {
	const char *name;
	const char *workspace;
	const char *rate;
	struct cli_list credentials;
	struct cli_list models;
};

int spec_vkey(
    const struct spec_vkey *s, struct msg_vkey_issue *issue, char error[SPEC_ERROR_MAX]) MUST_CHECK;

// Checks a secret that was read: not empty, visible ASCII, not too long.
int spec_secret(struct view v, const char *what, char error[SPEC_ERROR_MAX]) MUST_CHECK;

// Names of objects: letters, digits, "-", "_", "."; 1 to 64.
bool spec_name_valid(const char *s);
// "600/min" or "600".
int spec_rate(const char *s, uint64_t *per_minute_r, char error[SPEC_ERROR_MAX]) MUST_CHECK;

bool spec_access_key_id_valid(const char *s);

// The kind of secret: an AWS secret access key, with a session token perhaps.
bool spec_is_aws_secret(uint64_t auth);

#define SPEC_TIME_MAX 24U
// "2026-12-31T00:00:00Z", a day, or Unix seconds; as Unix seconds in out.
int spec_time(const char *s, char out[SPEC_TIME_MAX], char error[SPEC_ERROR_MAX]) MUST_CHECK;

#endif
