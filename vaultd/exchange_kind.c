// SPDX-License-Identifier: Apache-2.0
// The table of exchanges. May touch: inside of a build function, one decrypted secret.
#include "vaultd/exchange_kind.h"

#include "vaultd/google.h"
#include "vaultd/head.h"
#include "vaultd/sts.h"

// Short enough to matter little when stolen, long enough to ask rarely.
#define SESSION_S 3600U

static const char *
sts_region(const struct cred *c)
{
	struct view own = cred_setting(c, SETTING_STS_REGION); // ends in a NUL
	return own.len != 0 ? own.p : c->region;
}

static bool
sts_host_of(const struct cred *c, char host[254])
{
	return sts_host(sts_region(c), host);
}

SENSITIVE
static int
build_session(struct core *core, const struct cred *c, uint64_t now_s, struct msg_exchange *m)
{
	struct secret secret, none;
	if (cred_open_secret(core->creds, c, &secret, &none) != 0)
		return -1;
	struct sts_request r = {.region = view_of(sts_region(c)),
	    .access_key_id = view_of(c->access_key_id),
	    .secret = &secret,
	    .duration_s = SESSION_S,
	    .now_s = now_s};
	int result = sts_session(core->work, &r, m);
	secret_wipe(&secret);
	secret_wipe(&none);
	return result;
}

static bool
google_host_of(const struct cred *c, char host[254])
{
	(void)c; // whatever the service account's file said
	return view_copy(VIEW(GOOGLE_TOKEN_HOST), host, 254) == 0;
}

SENSITIVE
static int
build_google(struct core *core, const struct cred *c, uint64_t now_s, struct msg_exchange *m)
{
	struct secret key, none;
	if (cred_open_secret(core->creds, c, &key, &none) != 0)
		return -1;
	struct google_account a = {.email = cred_setting(c, SETTING_CLIENT_EMAIL),
	    .key_id = cred_setting(c, SETTING_PRIVATE_KEY_ID),
	    .key = &key};
	int result = google_token_request(core->work, &a, now_s, m);
	secret_wipe(&key);
	secret_wipe(&none);
	return result;
}

static const struct exchange_kind kinds[] = {
    {AUTH_STS_SESSION, OP_STS_GET_SESSION_TOKEN, EXCHANGE_STS, "STS", sts_host_of, build_session},
    {AUTH_GOOGLE_TOKEN, OP_GOOGLE_TOKEN, EXCHANGE_GOOGLE_TOKEN, "Google", google_host_of,
	build_google},
};

const struct exchange_kind *
exchange_kind_of(uint64_t auth)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].auth == auth)
			return &kinds[i];
	return NULL;
}
