// SPDX-License-Identifier: Apache-2.0
// The table of exchanges. May touch: inside of a build function, one decrypted secret.
#include "vaultd/exchange_kind.h"

#include "vaultd/google.h"
#include "proto/grammar.h"
#include "vaultd/head.h"
#include "vaultd/issuer.h"
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

// What AWS shows in its trail: by default the credential's own name.
static struct view
session_name(const struct cred *c, char room[80])
{
	struct view own = cred_setting(c, SETTING_SESSION_NAME);
	if (own.len != 0)
		return own;
	struct text t;
	text_init(&t, room, 80);
	text_str(&t, "sallyport-");
	text_str(&t, c->name);
	return (struct view){room, MIN(t.len, STS_SESSION_NAME_MAX)};
}

static struct sts_request
sts_fields(const struct cred *c, uint64_t now_s, char room[80])
{
	uint64_t duration = 0;
	struct view set = cred_setting(c, SETTING_DURATION);
	if (set.len == 0 || grammar_number(set, &duration) != 0)
		duration = SESSION_S;
	return (struct sts_request){.region = view_of(sts_region(c)),
	    .duration_s = duration,
	    .now_s = now_s,
	    .role_arn = cred_setting(c, SETTING_ROLE_ARN),
	    .session_name = session_name(c, room),
	    .external_id = cred_setting(c, SETTING_EXTERNAL_ID)};
}

// With the key of an IAM user.
SENSITIVE
static int
build_signed(struct core *core, const struct cred *c, uint64_t now_s, struct msg_exchange *m)
{
	char room[80];
	struct secret secret, none;
	if (cred_open_secret(core->creds, c, &secret, &none) != 0)
		return -1;
	struct sts_request r = sts_fields(c, now_s, room);
	r.access_key_id = view_of(c->access_key_id);
	r.secret = &secret;
	int result = c->auth == AUTH_STS_SESSION ? sts_session(core->work, &r, m)
						 : sts_assume_role(core->work, &r, m);
	secret_wipe(&secret);
	secret_wipe(&none);
	return result;
}

// With a token of our issuer, which is written where the signature of the others is made.
SENSITIVE
static int
build_web_identity(struct core *core, const struct cred *c, uint64_t now_s, struct msg_exchange *m)
{
	char room[80];
	struct text token;
	struct sts_request r = sts_fields(c, now_s, room);
	text_init(&token, core->work->sig.text, sizeof(core->work->sig.text));
	int result = issuer_sign(core->issuer, core->seal, cred_setting(c, SETTING_SUBJECT),
	    cred_setting(c, SETTING_AUDIENCE), now_s, &token);
	r.token = text_done(&token);
	if (result == 0)
		result = token.failed ? -2 : sts_web_identity(core->work, &r, m);
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
    {AUTH_STS_SESSION, OP_STS_GET_SESSION_TOKEN, EXCHANGE_STS, "STS", sts_host_of, build_signed},
    {AUTH_STS_ASSUME_ROLE, OP_STS_ASSUME_ROLE, EXCHANGE_STS, "STS", sts_host_of, build_signed},
    {AUTH_STS_WEB_IDENTITY, OP_STS_ASSUME_ROLE_WITH_WEB_IDENTITY, EXCHANGE_STS, "STS", sts_host_of,
	build_web_identity},
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
