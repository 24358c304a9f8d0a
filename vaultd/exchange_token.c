// SPDX-License-Identifier: Apache-2.0
// Fetching temporary credentials. May touch: the token cache, exchanges, notes, and inside
// of the build function one decrypted secret.
#include "vaultd/exchange_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/audit_note.h"
#include "vaultd/cred_test.h"
#include "vaultd/cred_verdict.h"
#include "vaultd/exchange.h"
#include "vaultd/exchange_kind.h"
#include "vaultd/google.h"
#include "vaultd/issuer.h"
#include "vaultd/token.h"
#include "vaultd/use_wait.h"

#define FETCH_MAGIC 0x66657463U
// A refusal whose Date is this far from the time we signed with is tried once more with
// the provider's time. AWS takes 5 minutes, Google less.
#define SKEW_RETRY_S 30

struct fetch {
	unsigned magic;
	struct core *core;
	const struct exchange_kind *kind;
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
	return exchange_kind_of(c->auth) != NULL;
}

bool
exchange_token_signed(const struct cred *c)
{
	return c->auth == AUTH_GOOGLE_JWT;
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
	f->skew_s = token_skew_s(f->core->tokens, f->credential);
	return f->kind->build(f->core, c, exchange_token_time(f->core, c), m);
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
		.operation = f->kind->operation,
		.expires_s = expires_s,
		.reason = reason});
}

// what: "gave no session"; the rest from code and message. The fix is for who runs this, not
// for who asked a model.
static void
failed(const struct fetch *f, const struct cred *c, enum deny_kind kind, const char *what,
    struct view code, struct view message, const char *fix)
{
	char text[256];
	snprintf(text, sizeof(text), "%s %s for the credential '%s': %.*s%s%.*s", f->kind->who,
	    what, c->name, (int)MIN(code.len, 60U), code.len == 0 ? "" : code.p,
	    code.len == 0 ? "" : ": ", (int)MIN(message.len, 120U),
	    message.len == 0 ? "" : message.p);
	log_msg(LOG_WARN, "%s%s%s", text, fix == NULL ? "" : " -> ", fix == NULL ? "" : fix);
	token_fail(f->core->tokens, f->credential, f->version, kind, text, now_s());
	note(f, c, EVENT_TOKEN_FAILED, deny_code(kind), view_of(text), 0);
}

static bool start(struct fetch *f, struct exchange_result *why_r);

// Our token took longer to arrive than it lived, by the provider's clock.
static bool
token_expired(const struct fetch *f, const struct msg_exchanged *m)
{
	return f->kind->operation == OP_STS_ASSUME_ROLE_WITH_WEB_IDENTITY &&
	       (view_eq_str(m->code, "ExpiredTokenException") ||
		   view_eq_str(m->code, "ExpiredToken"));
}

// Refused, and the clocks differ from what the request was signed with, or the token that
// it carried had expired: once more.
static bool
try_again(struct fetch *f, const struct msg_exchanged *m)
{
	struct exchange_result why;
	int64_t skew = token_skew_s(f->core->tokens, f->credential), off = skew - f->skew_s;
	if (f->again || m->status < 400 || m->status >= 500 ||
	    (off < SKEW_RETRY_S && off > -SKEW_RETRY_S && !token_expired(f, m)))
		return false;
	f->again = true;
	return start(f, &why);
}

// STS names the end by its clock, Google how long it is away.
static uint64_t
expiry(const struct fetch *f, const struct msg_exchanged *m)
{
	int64_t skew = token_skew_s(f->core->tokens, f->credential);
	if (f->kind->format == EXCHANGE_GOOGLE_TOKEN)
		return now_s() + m->expires_s;
	return (int64_t)m->expires_s < skew ? 0 : (uint64_t)((int64_t)m->expires_s - skew);
}

// NULL, or why it is of no use.
static const char *
took(const struct fetch *f, const struct cred *c, const struct msg_exchanged *m)
{
	struct token_value v = {.access_key_id = m->access_key_id,
	    .secret = m->secret,
	    .session_token = m->session_token,
	    .expires_s = expiry(f, m)};
	if (v.expires_s <= now_s() + TOKEN_MARGIN_S) {
		failed(f, c, DENY_TOKEN_FAILED, "gave a session that has expired already", VIEW(""),
		    VIEW("look at this host's clock"), NULL);
		return "clock_skew";
	}
	if (token_put(f->core->tokens, f->credential, f->version, &v, now_s()) != 0) {
		failed(f, c, DENY_VAULT_BUSY, "gave a session that has no room", VIEW(""),
		    VIEW("the vault's secret memory is full"), NULL);
		return "vault_busy";
	}
	note(f, c, EVENT_TOKEN_REFRESHED, NULL, VIEW(""), v.expires_s);
	return NULL;
}

static void
refused(const struct fetch *f, const struct cred *c, const struct msg_exchanged *m)
{
	char host[254];
	struct cred_verdict v;
	struct cred_facts facts = {.name = c->name,
	    .provider = c->provider,
	    .auth = c->auth,
	    .region = c->region,
	    .host = f->kind->host(c, host) ? host : "",
	    .operation = f->kind->operation,
	    .status = (unsigned)m->status,
	    .type = m->error_type,
	    .code = m->code,
	    .message = m->message,
	    .skew_s = token_skew_s(f->core->tokens, f->credential)};
	cred_verdict_of(&facts, &v);
	bool auth =
	    v.class_id == CLASS_AUTH || v.class_id == CLASS_DENIED || v.class_id == CLASS_EXPIRED;
	failed(f, c, auth ? DENY_PROVIDER_AUTH : DENY_TOKEN_FAILED, "gave no session", m->code,
	    m->message, v.fix);
}

// What a test of the credential is told: r, or what is wrong in spite of it.
static void
done(void *cookie, const struct exchange_result *r)
{
	struct fetch *f = cookie;
	CHECK_OBJ(f, FETCH_MAGIC);
	struct core *core = f->core;
	const struct msg_exchanged *m = r->answer;
	const struct cred *c = cred_by_handle(core->creds, f->credential);
	bool current = c != NULL && c->version == f->version, believed = true;
	const char *wrong = NULL;
	if (current && m != NULL && m->server_time_s != 0)
		believed = token_set_skew(core->tokens, f->credential, m->server_time_s, now_s());
	if (current && m != NULL && believed && try_again(f, m))
		return;
	if (!current) {
		token_fail(core->tokens, f->credential, f->version, DENY_TOKEN_FAILED, "", 0);
		wrong = "credential_changed";
	} else if (!believed) {
		failed(f, c, DENY_TOKEN_FAILED,
		    "is not asked by a clock that is off by more than "
		    "15 minutes",
		    VIEW(""), VIEW("set this host's clock right"), NULL);
		wrong = "clock_skew";
	} else if (m == NULL) {
		failed(f, c, DENY_TOKEN_FAILED, "gave no answer", view_of(r->code),
		    view_of(r->message), NULL);
	} else if (m->status == 200 && m->secret.len != 0) {
		wrong = took(f, c, m);
	} else {
		refused(f, c, m);
	}
	uint64_t credential = f->credential;
	f->magic = 0;
	free(f);
	use_wait_wake(core, credential);
	cred_test_on_token(core, credential, r, wrong);
}

// --- beginning -------------------------------------------------------------------------

static bool
start(struct fetch *f, struct exchange_result *why_r)
{
	const struct cred *c = cred_by_handle(f->core->creds, f->credential);
	struct exchange_request r = {.credential = f->credential,
	    .version = f->version,
	    .port = 443,
	    .format = f->kind->format,
	    .operation = f->kind->operation,
	    .prefer = f->prefer,
	    .build = build,
	    .done = done,
	    .cookie = f};
	*why_r = (struct exchange_result){.code = "no_issuer",
	    .message = "there is no issuer yet: sallyport issuer set https://HOST/PATH"};
	if (c->auth == AUTH_STS_WEB_IDENTITY && issuer_version(f->core->issuer) == 0)
		return false;
	*why_r = (struct exchange_result){
	    .code = "bad_region", .message = "The credential has no region."};
	return f->kind->host(c, r.host) && exchange_start(f->core, &r, why_r);
}

static bool
fetch(struct core *core, const struct cred *c, uint64_t prefer, struct exchange_result *why_r)
{
	struct fetch *f = base_calloc(1, sizeof(*f));
	*f = (struct fetch){.magic = FETCH_MAGIC,
	    .core = core,
	    .kind = exchange_kind_of(c->auth),
	    .credential = cred_handle(core->creds, c),
	    .version = c->version,
	    .prefer = prefer};
	if (start(f, why_r))
		return true;
	failed(
	    f, c, DENY_TOKEN_FAILED, "could not be asked", VIEW(""), view_of(why_r->message), NULL);
	free(f);
	return false;
}

bool
exchange_token_renew(struct core *core, const struct cred *c, struct exchange_result *why_r)
{
	return !token_renew(core->tokens, cred_handle(core->creds, c), c->version) ||
	       fetch(core, c, 0, why_r);
}

enum exchange_token_want
exchange_token_want(struct core *core, const struct cred *c, uint64_t prefer, struct deny *d)
{
	uint64_t handle = cred_handle(core->creds, c);
	struct exchange_result why;
	switch (token_ask(core->tokens, handle, c->version, now_s())) {
	case TOKEN_GOOD:
		return EXCHANGE_TOKEN_GO;
	case TOKEN_GOOD_REFRESH:
		(void)fetch(core, c, prefer, &why); // the present one goes on serving
		return EXCHANGE_TOKEN_GO;
	case TOKEN_FETCH:
		if (fetch(core, c, prefer, &why))
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

// --- using -----------------------------------------------------------------------------

// Signed when it is first needed and kept like a fetched one. No one waits: it takes a
// millisecond.
SENSITIVE
static int
sign_one(struct core *core, const struct cred *c, uint64_t handle)
{
	struct secret key, none;
	struct token_value v = {0};
	if (cred_open_secret(core->creds, c, &key, &none) != 0)
		return -1;
	struct google_account a = {.email = cred_setting(c, SETTING_CLIENT_EMAIL),
	    .key_id = cred_setting(c, SETTING_PRIVATE_KEY_ID),
	    .key = &key};
	int r = google_self_signed(
	    core->work, &a, c->host, exchange_token_time(core, c), &v.secret, &v.expires_s);
	if (r == 0)
		r = token_put(core->tokens, handle, c->version, &v, now_s());
	head_wipe(core->work);
	secret_wipe(&key);
	secret_wipe(&none);
	return r;
}

static bool
sign(struct core *core, const struct cred *c, uint64_t handle, struct deny *d)
{
	switch (token_ask(core->tokens, handle, c->version, now_s())) {
	case TOKEN_GOOD:
		return true;
	case TOKEN_BROKEN:
		token_why(core->tokens, handle, now_s(), d);
		return false;
	default:
		break;
	}
	int r = sign_one(core, c, handle);
	if (r == 0)
		return true;
	if (token_expires_s(core->tokens, handle, now_s()) != 0)
		return true; // the present one goes on serving
	char text[256];
	snprintf(text, sizeof(text), "No token could be signed for the credential '%s': %s.",
	    c->name,
	    r == -1 ? "the vault's secret memory is full"
		    : "its private key is none that can be used; add it again");
	token_fail(core->tokens, handle, c->version, r == -1 ? DENY_VAULT_BUSY : DENY_TOKEN_FAILED,
	    text, now_s());
	token_why(core->tokens, handle, now_s(), d);
	return false;
}

SENSITIVE
bool
exchange_token_open(struct core *core, const struct cred *c, struct secret *secret_r,
    struct secret *session_r, struct view *access_key_id_r, struct deny *d)
{
	uint64_t handle = cred_handle(core->creds, c);
	*secret_r = *session_r = (struct secret){0};
	if (exchange_token_signed(c) && !sign(core, c, handle, d))
		return false;
	if (token_open(core->tokens, handle, c->version, now_s(), secret_r, session_r,
		access_key_id_r) == 0)
		return true;
	return deny_set(d, DENY_VAULT_BUSY, "The vault's secret memory is full.");
}
