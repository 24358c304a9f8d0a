// SPDX-License-Identifier: Apache-2.0
// Fetching temporary credentials. May touch: the token cache, exchanges, notes, and inside
// of the build function one decrypted secret.
#include "vaultd/exchange_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/errclass.h"
#include "vaultd/audit_note.h"
#include "vaultd/exchange.h"
#include "vaultd/sts.h"
#include "vaultd/token.h"
#include "vaultd/use_wait.h"

#define FETCH_MAGIC 0x66657463U
// Short enough to matter little when stolen, long enough to ask rarely.
#define SESSION_S 3600U
// A refusal whose Date is this far from the time we signed with is tried once more with
// the provider's time. AWS takes 5 minutes, Google less.
#define SKEW_RETRY_S 30

struct fetch {
	unsigned magic;
	struct core *core;
	uint64_t credential;
	uint64_t version;
	uint64_t prefer;
	int64_t skew_s; // that the request was signed with
	bool again;
};

static uint64_t
now_s(void)
{
	return clock_wall_ns() / 1000000000U;
}

bool
exchange_token_needed(const struct cred *c)
{
	return c->auth == AUTH_STS_SESSION;
}

uint64_t
exchange_token_time(const struct core *core, const struct cred *c)
{
	int64_t t = (int64_t)now_s();
	return (uint64_t)(t + token_skew_s(core->tokens, cred_handle(core->creds, c)));
}

// --- the request -----------------------------------------------------------------------

SENSITIVE
static int
build(void *cookie, const struct cred *c, struct msg_exchange *m)
{
	struct fetch *f = cookie;
	CHECK_OBJ(f, FETCH_MAGIC);
	struct secret secret, none;
	if (cred_open_secret(f->core->creds, c, &secret, &none) != 0)
		return -1;
	f->skew_s = token_skew_s(f->core->tokens, f->credential);
	struct sts_request r = {.region = view_of(c->region),
	    .access_key_id = view_of(c->access_key_id),
	    .secret = &secret,
	    .duration_s = SESSION_S,
	    .now_s = exchange_token_time(f->core, c)};
	int result = sts_session(f->core->work, &r, m);
	secret_wipe(&secret);
	secret_wipe(&none);
	return result;
}

// --- the answer ------------------------------------------------------------------------

static void
note(const struct fetch *f, const struct cred *c, uint64_t event, const char *code,
    struct view reason, uint64_t expires_s)
{
	audit_note_add(f->core->notes, NOTE_TOKEN,
	    &(struct note){.event = event,
		.user = "vault",
		.workspace = c->workspace,
		.key_id = c->id,
		.key_version = c->version,
		.result = event == EVENT_TOKEN_REFRESHED ? RESULT_OK : RESULT_FAILED,
		.code = code,
		.operation = OP_STS_GET_SESSION_TOKEN,
		.expires_s = expires_s,
		.reason = reason});
}

static void
failed(const struct fetch *f, const struct cred *c, enum deny_kind kind, const char *fmt_name,
    struct view code, struct view message)
{
	char text[256];
	snprintf(text, sizeof(text), "%s for the credential '%s': %.*s%s%.*s", fmt_name, c->name,
	    (int)MIN(code.len, 60U), code.len == 0 ? "" : code.p, code.len == 0 ? "" : ": ",
	    (int)MIN(message.len, 120U), message.len == 0 ? "" : message.p);
	log_msg(LOG_WARN, "%s", text);
	token_fail(f->core->tokens, f->credential, f->version, kind, text, now_s());
	note(f, c, EVENT_TOKEN_FAILED, deny_code(kind), view_of(text), 0);
}

static bool start(struct fetch *f, const char **why_r);

// Refused, and the clocks differ from what the request was signed with: once more.
static bool
try_again(struct fetch *f, const struct msg_exchanged *m, const char **why_r)
{
	int64_t skew = token_skew_s(f->core->tokens, f->credential), off = skew - f->skew_s;
	if (f->again || m->status < 400 || m->status >= 500 ||
	    (off < SKEW_RETRY_S && off > -SKEW_RETRY_S))
		return false;
	f->again = true;
	return start(f, why_r);
}

static void
took(const struct fetch *f, const struct cred *c, const struct msg_exchanged *m)
{
	int64_t expires = (int64_t)m->expires_s - token_skew_s(f->core->tokens, f->credential);
	struct token_value v = {.access_key_id = m->access_key_id,
	    .secret = m->secret,
	    .session_token = m->session_token,
	    .expires_s = expires < 0 ? 0 : (uint64_t)expires};
	if (v.expires_s <= now_s() + TOKEN_MARGIN_S)
		failed(f, c, DENY_TOKEN_FAILED, "STS gave a session that has expired already",
		    VIEW(""), VIEW("look at this host's clock"));
	else if (token_put(f->core->tokens, f->credential, f->version, &v, now_s()) != 0)
		failed(f, c, DENY_VAULT_BUSY, "Secret memory is full", VIEW(""), VIEW(""));
	else
		note(f, c, EVENT_TOKEN_REFRESHED, NULL, VIEW(""), v.expires_s);
}

static void
refused(const struct fetch *f, const struct cred *c, const struct msg_exchanged *m)
{
	struct errclass_facts e = {.provider = PROVIDER_BEDROCK,
	    .status = (unsigned)m->status,
	    .type = m->code,
	    .message = m->message};
	enum error_class class = errclass_of(&e);
	bool auth = class == CLASS_AUTH || class == CLASS_DENIED || class == CLASS_EXPIRED;
	failed(f, c, auth ? DENY_PROVIDER_AUTH : DENY_TOKEN_FAILED, "STS gave no session", m->code,
	    m->message);
}

static void
done(void *cookie, const struct exchange_result *r)
{
	struct fetch *f = cookie;
	CHECK_OBJ(f, FETCH_MAGIC);
	struct core *core = f->core;
	const struct msg_exchanged *m = r->answer;
	const struct cred *c = cred_by_handle(core->creds, f->credential);
	bool current = c != NULL && c->version == f->version, believed = true;
	const char *why = NULL;
	if (current && m != NULL && m->server_time_s != 0)
		believed = token_set_skew(core->tokens, f->credential, m->server_time_s, now_s());
	if (current && m != NULL && try_again(f, m, &why))
		return;
	if (!current)
		token_fail(core->tokens, f->credential, f->version, DENY_TOKEN_FAILED, "", 0);
	else if (!believed)
		failed(f, c, DENY_TOKEN_FAILED, "This host's clock is off by more than 15 minutes",
		    VIEW(""), VIEW("set it right"));
	else if (m == NULL)
		failed(f, c, DENY_TOKEN_FAILED, "STS gave no answer", view_of(r->code),
		    view_of(r->message));
	else if (m->status == 200 && m->secret.len != 0)
		took(f, c, m);
	else
		refused(f, c, m);
	uint64_t credential = f->credential;
	f->magic = 0;
	free(f);
	use_wait_wake(core, credential);
}

// --- beginning -------------------------------------------------------------------------

static bool
start(struct fetch *f, const char **why_r)
{
	const struct cred *c = cred_by_handle(f->core->creds, f->credential);
	struct exchange_request r = {.credential = f->credential,
	    .version = f->version,
	    .port = 443,
	    .format = EXCHANGE_STS,
	    .operation = OP_STS_GET_SESSION_TOKEN,
	    .prefer = f->prefer,
	    .build = build,
	    .done = done,
	    .cookie = f};
	*why_r = "The credential has no region.";
	return sts_host(c->region, r.host) && exchange_start(f->core, &r, why_r);
}

static bool
fetch(struct core *core, const struct cred *c, uint64_t handle, uint64_t prefer)
{
	struct fetch *f = base_calloc(1, sizeof(*f));
	const char *why;
	*f = (struct fetch){.magic = FETCH_MAGIC,
	    .core = core,
	    .credential = handle,
	    .version = c->version,
	    .prefer = prefer};
	if (start(f, &why))
		return true;
	failed(f, c, DENY_TOKEN_FAILED, "No session could be asked for", VIEW(""), view_of(why));
	free(f);
	return false;
}

enum exchange_token_want
exchange_token_want(struct core *core, const struct cred *c, uint64_t prefer, struct deny *d)
{
	uint64_t handle = cred_handle(core->creds, c);
	switch (token_ask(core->tokens, handle, c->version, now_s())) {
	case TOKEN_GOOD:
		return EXCHANGE_TOKEN_GO;
	case TOKEN_GOOD_REFRESH:
		(void)fetch(core, c, handle, prefer); // the present one goes on serving
		return EXCHANGE_TOKEN_GO;
	case TOKEN_FETCH:
		if (fetch(core, c, handle, prefer))
			return EXCHANGE_TOKEN_WAIT;
		break;
	case TOKEN_COMING:
		return EXCHANGE_TOKEN_WAIT;
	default:
		break;
	}
	token_why(core->tokens, handle, now_s(), d);
	return EXCHANGE_TOKEN_NO;
}
