// SPDX-License-Identifier: Apache-2.0
// Tests of credentials. May touch: exchanges, the token cache, notes; a decrypted secret
// only inside of the build functions.
#include "vaultd/cred_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/audit_note.h"
#include "vaultd/cred_probe.h"
#include "vaultd/cred_verdict.h"
#include "vaultd/exchange_kind.h"
#include "vaultd/exchange_token.h"
#include "vaultd/sts.h"

#define TEST_MAGIC 0x74657374U
#define TEXT_MAX   1000U

struct cred_test {
	unsigned magic;
	struct cred_test_who who;
	uint64_t credential;
	uint64_t version;
	struct catalogue *cat; // what probe points into
	struct cred_probe probe;
	bool waits_for_token;
	uint64_t operation; // of the present leg
	char host[254];
	uint64_t began_ns;
	int64_t skew_s; // the provider's clock minus ours, as the last answer told it
	struct cred_test *next;
};

// --- the end -------------------------------------------------------------------------

static void
forget(struct cred_test *t)
{
	struct cred_test **at = &t->who.core->tests;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	catalogue_unref(t->cat);
	t->magic = 0;
	free(t);
}

static void
note(const struct cred_test *t, const struct cred *c, const struct cred_verdict *v, unsigned status)
{
	char user[32];
	snprintf(user, sizeof(user), "uid:%u", t->who.uid);
	audit_note_add(t->who.core->notes, NOTE_TESTED,
	    &(struct note){.event = EVENT_CREDENTIAL_TESTED,
		.user = user,
		.workspace = c->workspace,
		.key_id = c->id,
		.key_version = c->version,
		.result = v->class_id == CLASS_NONE ? RESULT_OK : RESULT_FAILED,
		.code = v->class_id == CLASS_NONE ? NULL : v->outcome,
		.operation = t->operation,
		.status = status,
		.model = t->probe.model});
}

static struct view
cut(struct view v)
{
	return (struct view){v.p, MIN(v.len, TEXT_MAX)};
}

// r: of the last leg. ours: what is wrong in spite of its answer, or without one.
static void
finish(struct cred_test *t, const struct exchange_result *r, const char *ours)
{
	struct core *core = t->who.core;
	const struct cred *c = cred_by_handle(core->creds, t->credential);
	const struct msg_exchanged *m = r->answer;
	const char *name = c == NULL ? "?" : c->name;
	struct cred_facts f = {.name = name,
	    .provider = c == NULL ? 0 : c->provider,
	    .auth = c == NULL ? 0 : c->auth,
	    .region = c == NULL ? "" : c->region,
	    .host = t->host,
	    .operation = t->operation,
	    .model = t->probe.model,
	    .model_known = t->probe.known,
	    .model_asked = t->probe.asked,
	    .ours = c == NULL	   ? "credential_changed"
		    : ours != NULL ? ours
		    : m == NULL	   ? r->code
				   : NULL,
	    .skew_s = t->skew_s};
	if (m != NULL) {
		f.status = (unsigned)m->status;
		f.type = m->error_type;
		f.code = m->code;
		f.message = m->message;
	}
	struct cred_verdict v;
	cred_verdict_of(&f, &v);
	struct view code = f.code.len != 0 ? f.code : f.type;
	struct msg_credential_tested out = {.status = f.status,
	    .class_id = v.class_id,
	    .code = code.len != 0 ? code : view_of(f.ours),
	    .message = cut(m != NULL ? f.message : view_of(r->message)),
	    .fix = view_of(v.fix),
	    .host = view_of(t->host),
	    .operation = view_of(ids_operation(t->operation)),
	    .model = t->probe.model,
	    .latency_ms = (clock_mono_ns() - t->began_ns) / 1000000U,
	    .skew_s = MIN((uint64_t)(t->skew_s < 0 ? -t->skew_s : t->skew_s), UINT32_MAX),
	    .skew_ahead = t->skew_s < 0,
	    .outcome = view_of(v.outcome)};
	if (c != NULL)
		note(t, c, &v, f.status);
	log_msg(LOG_INFO, "test of the credential '%s': %s", name, v.outcome);
	t->who.done(t->who.cookie, t->who.admin, t->who.frame, &out);
	forget(t);
}

static void
take_clock(struct cred_test *t, const struct exchange_result *r)
{
	if (r->answer != NULL && r->answer->server_time_s != 0)
		t->skew_s =
		    (int64_t)r->answer->server_time_s - (int64_t)(clock_wall_ns() / 1000000000U);
}

// --- the provider ----------------------------------------------------------------------

// The secret is in plaintext only inside of this function.
SENSITIVE
static int
build_probe(void *cookie, const struct cred *c, struct msg_exchange *m)
{
	struct cred_test *t = cookie;
	CHECK_OBJ(t, TEST_MAGIC);
	struct core *core = t->who.core;
	struct secret secret, token;
	struct head_built b;
	struct deny d = {0};
	struct view access_key_id = view_of(c->access_key_id);
	if (exchange_token_needed(c) || exchange_token_signed(c)) {
		if (!exchange_token_open(core, c, &secret, &token, &access_key_id, &d))
			return d.kind == DENY_VAULT_BUSY ? -1 : -2;
	} else if (cred_open_secret(core->creds, c, &secret, &token) != 0) {
		return -1;
	}
	struct head_request r = {.op = t->probe.op,
	    .cred = c,
	    .model = t->probe.model,
	    .use = &t->probe.use,
	    .secret = &secret,
	    .token = &token,
	    .access_key_id = access_key_id,
	    .now_s = exchange_token_time(core, c)};
	int result = head_build(core->work, &r, &b);
	if (result == 0) {
		m->head = b.head;
		m->span_count = b.span_count;
		memcpy(m->span, b.span, sizeof(m->span));
		m->body = (struct view){t->probe.body, t->probe.body_len};
	}
	secret_wipe(&secret);
	secret_wipe(&token);
	return result;
}

static void
on_provider(void *cookie, const struct exchange_result *r)
{
	struct cred_test *t = cookie;
	CHECK_OBJ(t, TEST_MAGIC);
	take_clock(t, r);
	finish(t, r, NULL);
}

static void
begin_leg(struct cred_test *t, uint64_t operation, const char *host)
{
	t->operation = operation;
	t->began_ns = clock_mono_ns();
	snprintf(t->host, sizeof(t->host), "%s", host);
}

static void
start(struct cred_test *t, uint64_t port, exchange_build_fn *build, exchange_done_fn *done)
{
	struct exchange_request r = {.credential = t->credential,
	    .version = t->version,
	    .port = port,
	    .format = EXCHANGE_PROBE,
	    .operation = t->operation,
	    .model = t->probe.model,
	    .build = build,
	    .done = done,
	    .cookie = t};
	struct exchange_result why;
	memcpy(r.host, t->host, sizeof(r.host));
	if (!exchange_start(t->who.core, &r, &why))
		finish(t, &why, NULL);
}

static void
ask_provider(struct cred_test *t)
{
	const struct cred *c = cred_by_handle(t->who.core->creds, t->credential);
	struct exchange_result gone = {
	    .code = "credential_changed", .message = "The credential was changed meanwhile."};
	if (c == NULL || c->version != t->version) {
		finish(t, &gone, NULL);
		return;
	}
	begin_leg(t, t->probe.op->id, c->host);
	start(t, c->port, build_probe, on_provider);
}

// --- before it -------------------------------------------------------------------------

void
cred_test_on_token(
    struct core *core, uint64_t credential, const struct exchange_result *r, const char *wrong)
{
	struct cred_test *next;
	for (struct cred_test *t = core->tests; t != NULL; t = next) {
		next = t->next;
		if (!t->waits_for_token || t->credential != credential)
			continue;
		t->waits_for_token = false;
		take_clock(t, r);
		if (wrong == NULL && r->answer != NULL && r->answer->status == 200 &&
		    r->answer->secret.len != 0)
			ask_provider(t);
		else
			finish(t, r, wrong);
	}
}

static void
ask_token(struct cred_test *t, const struct cred *c)
{
	const struct exchange_kind *k = exchange_kind_of(c->auth);
	struct exchange_result why;
	char host[254];
	begin_leg(t, k->operation, k->host(c, host) ? host : c->host);
	t->waits_for_token = true;
	if (!exchange_token_renew(t->who.core, c, &why)) {
		t->waits_for_token = false;
		finish(t, &why, NULL);
	}
}

SENSITIVE
static int
build_identity(void *cookie, const struct cred *c, struct msg_exchange *m)
{
	struct cred_test *t = cookie;
	CHECK_OBJ(t, TEST_MAGIC);
	struct core *core = t->who.core;
	struct secret secret, session;
	if (cred_open_secret(core->creds, c, &secret, &session) != 0)
		return -1;
	struct sts_request r = {.region = view_of(c->region),
	    .access_key_id = view_of(c->access_key_id),
	    .secret = &secret,
	    .session_token = {(const char *)session.p, session.len},
	    .now_s = exchange_token_time(core, c)};
	int result = sts_caller_identity(core->work, &r, m);
	secret_wipe(&secret);
	secret_wipe(&session);
	return result;
}

static void
on_identity(void *cookie, const struct exchange_result *r)
{
	struct cred_test *t = cookie;
	CHECK_OBJ(t, TEST_MAGIC);
	take_clock(t, r);
	bool reached = r->answer != NULL && r->answer->status != 0;
	bool network = r->answer == NULL && (strcmp(r->code, "provider_unreachable") == 0 ||
						strcmp(r->code, "connection_lost") == 0 ||
						strcmp(r->code, "timeout") == 0);
	bool broken = reached && r->answer->status >= 500;
	if (network || broken || (reached && r->answer->status == 200))
		ask_provider(t);
	else
		finish(t, r, NULL);
}

// --- beginning -------------------------------------------------------------------------

static bool
check(struct core *core, const struct msg_credential_test *m, const struct cred **c_r,
    struct admin_error *e)
{
	size_t running = 0;
	for (const struct cred_test *t = core->tests; t != NULL; t = t->next)
		running++;
	const struct cred *c = cred_by_name(core->creds, m->name);
	*c_r = c;
	if (c == NULL)
		return admin_check_fail(e, "not_found",
		    "There is no credential '%.*s': sallyport credential list.",
		    (int)MIN(m->name.len, 64U), m->name.p);
	if (!c->enabled)
		return admin_check_fail(e, "credential_disabled",
		    "'%s' is disabled, so its key is not used: sallyport credential enable %s.",
		    c->name, c->name);
	if (running >= CRED_TESTS_MAX)
		return admin_check_fail(
		    e, "busy", "Other credentials are being tested: try again in a moment.");
	return true;
}

static void
first_leg(struct cred_test *t, const struct cred *c)
{
	char host[254];
	struct exchange_result no_profile = {
	    .code = "profile_needed", .message = "No inference profile fits."};
	if (t->probe.no_profile) {
		begin_leg(t, OP_BEDROCK_CONVERSE, c->host);
		finish(t, &no_profile, NULL);
	} else if (exchange_token_needed(c)) {
		ask_token(t, c);
	} else if (c->auth == AUTH_SIGV4 && sts_host(c->region, host)) {
		begin_leg(t, OP_STS_GET_CALLER_IDENTITY, host);
		start(t, 443, build_identity, on_identity);
	} else {
		ask_provider(t);
	}
}

bool
cred_test_begin(
    const struct cred_test_who *who, const struct msg_credential_test *m, struct admin_error *e)
{
	struct core *core = who->core;
	const struct cred *c;
	if (!check(core, m, &c, e))
		return false;
	struct cred_test *t = base_calloc(1, sizeof(*t));
	t->magic = TEST_MAGIC;
	t->who = *who;
	t->credential = cred_handle(core->creds, c);
	t->version = c->version;
	t->cat = catalogue_ref(core->catalogue);
	t->next = core->tests;
	core->tests = t;
	if (!cred_probe_make(&t->probe, t->cat, c, m->model, e)) {
		forget(t);
		return false;
	}
	first_leg(t, c);
	return true;
}
