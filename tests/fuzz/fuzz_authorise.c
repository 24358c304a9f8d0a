// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The authoriser as a whole, played by its neighbours in any order: a gateway worker, a
// zygote with its sealers, auditd, an administrator. However they are interleaved, a
// head leaves the core only
//   - for an intent that auditd has confirmed, once, under that record's number,
//   - on a lane that its sealer has verified, in a sealer of the credential's present
//     version, while the credential is enabled and the virtual key is not revoked,
//   - with that credential's secret and host in it,
// and every USE is answered exactly once. Where the catalogue in force does not have the
// operation, no key is used for it, however the plan came about.
//
// Input: a list of 4-byte commands: what, and three small numbers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "common/log.h"
#include "common/sock.h"
#include "tests/unit/catalogue_fixture.h"
#include "vaultd/admin.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/gateway.h"
#include "vaultd/head.h"
#include "vaultd/issuer.h"
#include "vaultd/exchange.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/token.h"
#include "vaultd/use_wait.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)   BUG_IF(!(cond))
#define CREDS	     2U
#define SEALERS	     4U
#define LANES	     4U
#define INTENTS	     256U
#define COMMANDS_MAX 400U

static struct core core;
static struct catalogue *catalogues[2]; // the second has no chat
static struct cred *creds[CREDS];
static struct vkey *good_key;
static char keys[3][VKEY_TEXT_LEN]; // good, revoked, of another workspace
static const char *const secrets[CREDS] = {
    "sk-proj-secret-of-number-0", "sk-proj-secret-of-number-1"};
static const char *const hosts[CREDS] = {"zero.example", "one.example"};

struct intent {
	uint64_t frame; // id of the APPEND
	char key_id[CRED_ID_SIZE];
	uint64_t version;
	uint64_t seq; // 0: not confirmed
	bool sealed;
};

struct far_sealer { // the sealer's and the gateway's ends, both ours
	struct chan *control;
	uint64_t id;
	uint64_t credential;
	uint64_t version;
	bool verified[LANES];
};

static struct {
	struct chan *gateway, *auditd, *zygote;
	uint64_t request;
	struct intent intent[INTENTS];
	size_t intents;
	struct far_sealer sealer[SEALERS];
	size_t sealers;
	uint64_t opening; // credential of the SEALER_OPEN under way
	uint64_t seq;
	size_t asked, answered, gos, seals;
} w;

// --- the world ---------------------------------------------------------------------------

static void
make_cred(size_t i)
{
	char name[8];
	snprintf(name, sizeof(name), "c%zu", i);
	struct msg_credential_put put = {.name = view_of(name),
	    .provider = PROVIDER_OPENAI,
	    .auth = AUTH_BEARER,
	    .host = view_of(hosts[i]),
	    .port = 443,
	    .secret = view_of(secrets[i]),
	    .workspace = VIEW("default"),
	    .enabled = true};
	struct cred *c = cred_prepare(core.creds, NULL, &put);
	MUST(c != NULL && cred_commit(core.creds, c) == 0);
	creds[i] = cred_by_name(core.creds, view_of(name));
}

static void
make_key(size_t i, const char *workspace)
{
	char name[8];
	snprintf(name, sizeof(name), "k%zu", i);
	struct msg_vkey_issue m = {.name = view_of(name), .workspace = view_of(workspace)};
	struct vkey *k = vkey_prepare(core.vkeys, &m, 1, keys[i]);
	MUST(vkey_commit(core.vkeys, k) == 0);
	if (i == 0)
		good_key = k;
	if (i == 1)
		MUST(vkey_revoke(core.vkeys, k) == 0);
}

static void
open_store(void)
{
	char dir[] = "/dev/shm/sallyport-fuzz-XXXXXX", tmp[] = "/tmp/sallyport-fuzz-XXXXXX";
	char path[128];
	const char *d = mkdtemp(dir) != NULL ? dir : mkdtemp(tmp);
	MUST(d != NULL);
	core.store = store_open(d, "store.mdb", NULL);
	snprintf(path, sizeof(path), "%s/store.mdb", d);
	unlink(path);
	snprintf(path, sizeof(path), "%s/store.mdb.lock", d);
	unlink(path);
	rmdir(d);
}

static struct catalogue *
one_row(void)
{
	const struct fx_op op =
	    FX_GET(OP_OPENAI_MODELS, PROVIDER_OPENAI, "/v1/models", FX_OPENAI, "");
	struct fx_buf b = {0};
	struct catalogue_error e;
	fx_begin(&b, 1);
	fx_add_op(&b, &op);
	fx_end(&b);
	struct catalogue *c = catalogue_parse((struct view){(const char *)b.p, b.len}, &e);
	MUST(c != NULL);
	free(b.p);
	return c;
}

static void
setup(void)
{
	static bool done;
	uint8_t key[SEAL_KEY_LEN] = {1};
	if (done)
		return;
	done = true;
	log_init("fuzz", (enum log_level)0);
	MUST(sodium_init() >= 0 && secmem_init(4 << 20) != SECMEM_NONE);
	open_store();
	core.seal = seal_new(key);
	core.work = secmem_alloc(sizeof(*core.work));
	MUST(core.seal != NULL && core.work != NULL);
	catalogues[0] = fx_catalogue();
	catalogues[1] = one_row();
	core.catalogue = catalogues[0];
	core.issuer = issuer_load(core.store, core.seal);
	core.creds = cred_table_new(core.store, core.seal);
	core.vkeys = vkey_table_new(core.store, core.seal);
	make_cred(0);
	make_cred(1);
	make_key(0, "default");
	make_key(1, "default");
	make_key(2, "elsewhere");
}

static void
turn(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(core.base, EVLOOP_NONBLOCK);
}

static struct chan *
far_end(int pair[2], enum role from, unsigned options)
{
	MUST(sock_pair(pair) == 0);
	return chan_new(pair[1], from, options);
}

static void
say(struct chan *c, uint8_t type, uint64_t id, const void *msg)
{
	if (c == NULL)
		return;
	MUST(chan_send(c, type, id, msg) == 0);
	(void)!chan_flush(c);
}

static void
dial_audit(void)
{
	int pair[2];
	w.auditd = far_end(pair, ROLE_CORE_AT_AUDITD, 0);
	audit_link_accept(core.audit, pair[0]);
	struct msg_audit_hello h = {.log_id = {"0123456789abcdef", 16},
	    .head_seq = ++w.seq,
	    .head = {"0123456789abcdef0123456789abcdef", 32}};
	say(w.auditd, MSG_AUDIT_HELLO, 0, &h);
}

static void
begin(void)
{
	int pair[2];
	memset(&w, 0, sizeof(w));
	core.base = event_base_new();
	core.catalogue = catalogues[0];
	core.notes = audit_note_new(&core);
	core.audit = audit_link_new(&core, true);
	core.gateways = gateway_set_new(&core);
	core.admins = admin_set_new(&core);
	w.zygote = far_end(pair, ROLE_CORE_AT_ZYGOTE, CHAN_FDS);
	core.lanes = lane_ctl_new(&core, pair[0]);
	core.exchanges = exchange_set_new(&core);
	core.tokens = token_set_new(core.seal);
	dial_audit();
	w.gateway = far_end(pair, ROLE_CORE_AT_GATEWAY, CHAN_FDS);
	gateway_accept(core.gateways, pair[0]);
	say(w.gateway, MSG_HELLO, 0, &(struct msg_hello){.version = VIEW("x")});
	for (size_t i = 0; i < CREDS; i++)
		creds[i]->enabled = true;
	good_key->revoked = false;
	turn();
}

static void
end(void)
{
	gateway_set_free(core.gateways);
	admin_set_free(core.admins);
	use_wait_free(&core);
	exchange_set_free(core.exchanges);
	token_set_free(core.tokens);
	lane_ctl_free(core.lanes);
	audit_link_free(core.audit);
	audit_note_free(core.notes);
	chan_free(w.gateway);
	chan_free(w.auditd);
	chan_free(w.zygote);
	for (size_t i = 0; i < w.sealers; i++)
		chan_free(w.sealer[i].control);
	event_base_free(core.base);
}

// --- what comes out ------------------------------------------------------------------------

static void
check_seal(struct far_sealer *s, const struct msg_seal *m)
{
	struct cred *c = cred_by_handle(core.creds, s->credential);
	struct intent *it = NULL;
	for (size_t i = 0; i < w.intents; i++)
		if (w.intent[i].seq != 0 && w.intent[i].seq == m->audit_seq)
			it = &w.intent[i];
	MUST(it != NULL && !it->sealed);
	it->sealed = true;
	MUST(m->lane < LANES && s->verified[m->lane]);
	MUST(c != NULL && c->enabled && c->version == s->version);
	MUST(!good_key->revoked); // the only one that can get a plan
	MUST(strcmp(it->key_id, c->id) == 0 && it->version == c->version);
	char host[320], bearer[96];
	snprintf(host, sizeof(host), "\r\nhost: %s\r\n", c->host);
	snprintf(bearer, sizeof(bearer), "\r\nauthorization: Bearer %s\r\n",
	    secrets[c == creds[0] ? 0 : 1]);
	MUST(memmem(m->head.p, m->head.len, host, strlen(host)) != NULL);
	MUST(memmem(m->head.p, m->head.len, bearer, strlen(bearer)) != NULL);
	MUST(core.catalogue == catalogues[0] || memcmp(m->head.p, "GET /v1/models", 14) == 0);
	w.seals++;
}

static bool
next(struct chan *c, struct frame *f)
{
	if (c == NULL)
		return false;
	for (int i = 0; i < 8; i++) {
		if (chan_next(c, f) == CHAN_OK)
			return true;
		if (chan_read(c) != CHAN_OK)
			return false;
	}
	return false;
}

static void
drain_gateway(void)
{
	struct frame f;
	while (next(w.gateway, &f)) {
		w.gos += f.type == MSG_GO;
		w.answered += f.type == MSG_PLAN || f.type == MSG_GO || f.type == MSG_DENY ||
			      f.type == MSG_SEALER;
		if (f.type == MSG_WELCOME)
			chan_set_state(w.gateway, CHANNEL_READY);
		int fd = chan_take_fd(w.gateway);
		if (fd >= 0)
			close(fd);
	}
}

static void
drain_zygote(void)
{
	struct frame f;
	struct msg_fork m;
	while (next(w.zygote, &f)) {
		MUST(chan_decode(w.zygote, &f, &m) == CHAN_OK);
		int control = chan_take_fd(w.zygote), lanes = chan_take_fd(w.zygote);
		MUST(control >= 0 && lanes >= 0);
		close(lanes);
		MUST(w.sealers < SEALERS);
		struct far_sealer *s = &w.sealer[w.sealers++];
		*s = (struct far_sealer){.id = m.sealer, .credential = w.opening};
		s->version = cred_by_handle(core.creds, w.opening)->version;
		s->control = chan_new(control, ROLE_CORE_AT_SEALER, 0);
		say(s->control, MSG_SEALER_READY, 0, &(struct msg_empty){0});
	}
}

static void
drain_sealers(void)
{
	struct frame f;
	struct msg_seal m;
	struct msg_sealer_config config;
	for (size_t i = 0; i < w.sealers; i++) {
		struct far_sealer *s = &w.sealer[i];
		while (next(s->control, &f)) {
			if (f.type == MSG_SEALER_CONFIG) {
				MUST(chan_decode(s->control, &f, &config) == CHAN_OK);
				const struct cred *c = cred_by_handle(core.creds, s->credential);
				MUST(view_eq_str(config.host, c->host));
				chan_set_state(s->control, CHANNEL_READY);
				continue;
			}
			MUST(chan_decode(s->control, &f, &m) == CHAN_OK);
			check_seal(s, &m);
		}
	}
}

static void
drain_auditd(void)
{
	struct frame f;
	struct msg_append m;
	while (next(w.auditd, &f)) {
		MUST(chan_decode(w.auditd, &f, &m) == CHAN_OK);
		if (m.event != EVENT_KEY_INTENT || w.intents == INTENTS)
			continue;
		struct intent *it = &w.intent[w.intents++];
		*it = (struct intent){.frame = f.id, .version = m.key_version};
		MUST(view_copy(m.key_id, it->key_id, sizeof(it->key_id)) == 0);
	}
}

static void
settle_world(void)
{
	turn();
	drain_zygote();
	drain_auditd();
	turn();
	drain_sealers();
	drain_gateway();
}

// --- commands ------------------------------------------------------------------------------

static void
do_authorize(const uint8_t *a)
{
	static const char *const models[] = {"gpt-4o", "", "..", "a b"};
	struct msg_authorize m = {.client_key = {keys[a[0] % 3], VKEY_TEXT_LEN},
	    .operation = a[1] % 4 == 0 ? OP_OPENAI_MODELS : OP_OPENAI_CHAT,
	    .model = view_of(models[a[2] % 4 == 3    ? 3
				    : a[2] % 8 == 2  ? 2
				    : a[2] % 16 == 1 ? 1
						     : 0])};
	if (m.operation == OP_OPENAI_MODELS)
		m.model = VIEW("");
	w.asked++;
	say(w.gateway, MSG_AUTHORIZE, ++w.request, &m);
}

static void
do_use(const uint8_t *a)
{
	static const uint8_t hash[32];
	uint64_t back = a[0] >> 6;
	if (w.request <= back || w.sealers == 0)
		return;
	const struct far_sealer *s = &w.sealer[(a[0] & 15) % w.sealers];
	struct msg_use m = {.attempt = a[2] >> 6 & 1,
	    .previous_status = a[2] >> 6 & 1 ? 503 : 0,
	    .sealer = s->id,
	    .lane = a[1] % LANES,
	    .operation = a[1] >> 4 == 15 ? OP_OPENAI_MODELS : OP_OPENAI_CHAT,
	    .header_count = 1,
	    .header = {{HEADER_ACCEPT, a[2] % 16 == 1 ? VIEW("a\nb") : VIEW("a")}},
	    .body_len = m.operation == OP_OPENAI_CHAT ? a[2] : 0,
	    .body_sha256 = {(const char *)hash, sizeof(hash)}};
	w.asked++;
	say(w.gateway, MSG_USE, w.request - back, &m);
}

static void
do_audit(const uint8_t *a)
{
	for (size_t i = 0; i < w.intents; i++) {
		struct intent *it = &w.intent[i];
		if (it->seq != 0 || it->frame == 0)
			continue;
		uint64_t frame = it->frame;
		it->frame = 0;
		if (a[0] % 4 == 0) {
			say(w.auditd, MSG_NACK, frame,
			    &(struct msg_nack){.code = VIEW("audit_full")});
		} else {
			it->seq = ++w.seq;
			struct msg_ack m = {
			    .seq = it->seq, .leaf = {"0123456789abcdef0123456789abcdef", 32}};
			say(w.auditd, MSG_ACK, frame, &m);
		}
		return;
	}
}

static void
do_audit_drop(void)
{
	chan_free(w.auditd);
	w.auditd = NULL;
	turn();
	for (size_t i = 0; i < w.intents; i++)
		w.intent[i].frame = 0;
	dial_audit();
}

static void
do_cred(const uint8_t *a)
{
	struct cred *c = creds[a[0] % CREDS];
	MUST(cred_set_enabled(core.creds, c, a[1] % 3 != 0) == 0);
	lane_ctl_credential_changed(core.lanes, cred_handle(core.creds, c));
}

static void
do_catalogue(const uint8_t *a)
{
	core.catalogue = catalogues[a[0] % 2];
	gateway_catalogue_changed(core.gateways);
}

static void
do_lane(const uint8_t *a, bool up)
{
	if (w.sealers == 0)
		return;
	struct far_sealer *s = &w.sealer[a[0] % w.sealers];
	uint64_t lane = a[1] % LANES;
	if (s->verified[lane] == up)
		return;
	s->verified[lane] = up;
	if (up)
		say(s->control, MSG_LANE_VERIFIED, 0, &(struct msg_lane_verified){lane});
	else
		say(s->control, MSG_LANE_FAULT, 0,
		    &(struct msg_lane_fault){.lane = lane, .fault = a[2] % 8U});
}

static void
do_open(const uint8_t *a)
{
	if (w.sealers == SEALERS)
		return;
	w.opening = cred_handle(core.creds, creds[a[0] % CREDS]);
	w.asked++;
	say(w.gateway, MSG_SEALER_OPEN, 1U << 30, &(struct msg_sealer_open){w.opening});
}

static void
do_exit(const uint8_t *a)
{
	if (w.sealers == 0)
		return;
	struct far_sealer *s = &w.sealer[a[0] % w.sealers];
	if (s->control == NULL)
		return;
	chan_free(s->control);
	s->control = NULL;
	say(w.zygote, MSG_EXITED, 0, &(struct msg_exited){.sealer = s->id, .signal = a[1] % 32U});
}

static void
command(const uint8_t c[4])
{
	const uint8_t *a = c + 1;
	switch (c[0] % 14) {
	case 0:
	case 1:
		do_authorize(a);
		break;
	case 2:
		do_open(a);
		break;
	case 3:
		do_lane(a, true);
		break;
	case 4:
		do_lane(a, false);
		break;
	case 5:
	case 6:
		do_use(a);
		return; // not settled: the next command may come in between
	case 7:
	case 8:
		do_audit(a);
		break;
	case 9:
		do_cred(a);
		break;
	case 10:
		do_exit(a);
		break;
	case 12:
		good_key->revoked = a[0] % 2 == 0;
		break;
	case 13:
		do_catalogue(a);
		break;
	default:
		if (a[0] % 4 == 0)
			do_audit_drop();
		else
			say(w.gateway, MSG_SETTLE, w.request,
			    &(struct msg_settle){.audit_seq = w.seq, .status = a[1]});
	}
	settle_world();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	setup();
	size_t before = secmem_used();
	begin();
	settle_world();
	for (size_t i = 0; i + 4 <= size && i < COMMANDS_MAX * 4; i += 4)
		command(data + i);
	settle_world();
	chan_free(w.auditd); // what still waits for a record is refused
	w.auditd = NULL;
	settle_world();
	MUST(w.answered == w.asked);
	MUST(w.seals == w.gos);
	end();
	MUST(secmem_used() == before); // no secret is left anywhere
	return 0;
}
