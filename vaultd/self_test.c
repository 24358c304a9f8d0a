// SPDX-License-Identifier: Apache-2.0
// The self-test. May touch: a scratch store beside the real one (before the filter),
// the boot counter of the real store.
#include "vaultd/self_test.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "proto/chan.h"
#include "vaultd/head.h"
#include "vaultd/rsa.h"
#include "vaultd/store.h"

#define SCRATCH_KIB 256U
#define ID	    VIEW("self-test")

static const char *scratch_dir;
static struct core scratch;

void
self_test_set_dir(const char *dir)
{
	scratch_dir = dir;
}

static void
unlink_scratch(const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
	unlink(path);
}

void
self_test_prepare(void)
{
	uint8_t key[SEAL_KEY_LEN]; // of the scratch store; protects nothing
	if (secmem_init(SCRATCH_KIB * 1024U) == SECMEM_NONE)
		log_fatal("self-test: no secret memory of its own: raise LimitMEMLOCK by %u KiB",
		    SCRATCH_KIB);
	randombytes_buf(key, sizeof(key));
	scratch.seal = seal_new(key);
	scratch.work = secmem_alloc(sizeof(*scratch.work));
	scratch.store = store_open(scratch_dir, "self-test.mdb", NULL);
	unlink_scratch("self-test.mdb");
	unlink_scratch("self-test.mdb.lock");
	if (scratch.seal == NULL || scratch.work == NULL)
		log_fatal("self-test: secret memory is too small");
}

static bool
test_record(struct core *core)
{
	static const char text[] = "sealed and opened";
	uint8_t sealed[sizeof(text) + SEAL_OVERHEAD], plain[sizeof(text)];
	struct view v;
	seal_close(core->seal, SEAL_SELF_TEST, ID, 1, text, sizeof(text), sealed);
	if (store_put(core->store, STORE_BOOT, ID,
		(struct view){(const char *)sealed, sizeof(sealed)}) != 0 ||
	    store_get(core->store, STORE_BOOT, ID, &v) != 0 || v.len != sizeof(sealed) ||
	    seal_open(core->seal, SEAL_SELF_TEST, ID, 1, (const uint8_t *)v.p, v.len, plain) != 0)
		return false;
	return memcmp(plain, text, sizeof(text)) == 0 &&
	       seal_open(core->seal, SEAL_SELF_TEST, ID, 2, sealed, sizeof(sealed), plain) != 0;
}

static bool
test_head(struct core *core)
{
	struct cred cred = {.provider = PROVIDER_OPENAI,
	    .auth = AUTH_BEARER,
	    .host = "api.openai.com",
	    .port = 443};
	uint8_t hash[32] = {0};
	struct msg_use use = {.body_len = 2, .body_sha256 = {(const char *)hash, sizeof(hash)}};
	struct secret secret, none = {0};
	struct head_built b;
	if (secret_set(&secret, "sk-self-test", 12) != 0)
		return false;
	const struct catalogue_op op = {.id = OP_OPENAI_CHAT,
	    .provider = PROVIDER_OPENAI,
	    .method = VIEW("POST"),
	    .path = VIEW("/v1/chat/completions"),
	    .max_body = 2};
	struct head_request r = {.op = &op,
	    .cred = &cred,
	    .model = VIEW("m"),
	    .use = &use,
	    .secret = &secret,
	    .token = &none,
	    .now_s = clock_wall_ns() / 1000000000U};
	bool ok = head_build(core->work, &r, &b) == 0 && b.span_count == 1 &&
		  memcmp(b.head.p + b.span[0].offset, "sk-self-test", 12) == 0;
	head_wipe(core->work);
	secret_wipe(&secret);
	return ok;
}

// The vendor's suite, case get-vanilla.
static bool
test_signature(struct core *core)
{
	struct sigv4_field field[] = {{VIEW("Host"), VIEW("example.amazonaws.com")},
	    {VIEW("X-Amz-Date"), VIEW("20150830T123600Z")}};
	struct sigv4_request r = {.method = VIEW("GET"),
	    .path = VIEW("/"),
	    .field = field,
	    .field_count = 2,
	    .body_sha256_hex =
		VIEW("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")};
	struct sigv4_scope s = {
	    VIEW("20150830T123600Z"), VIEW("us-east-1"), VIEW("service"), VIEW("AKIDEXAMPLE")};
	struct secret secret;
	char hex[64];
	if (secret_set(&secret, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40) != 0)
		return false;
	bool ok = sigv4_sign(&core->work->sig, &r, &s, &secret, hex) == 0 &&
		  memcmp(hex, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		      64) == 0;
	head_wipe(core->work);
	secret_wipe(&secret);
	return ok;
}

// What opening a sealer takes: two pairs of sockets, a descriptor sent outward.
static bool
test_descriptors(void)
{
	int pair[2];
	if (sock_pair(pair) != 0)
		return false;
	struct chan *c = chan_new(pair[0], ROLE_ZYGOTE_AT_CORE, 0);
	int spare[2];
	bool ok = c != NULL && sock_pair(spare) == 0;
	if (ok) {
		close(spare[1]);
		(void)chan_send_fds(c, MSG_FORK, 0, &(struct msg_fork){.sealer = 1}, spare, 1);
		ok = chan_flush(c) == CHAN_OK;
	}
	chan_free(c);
	close(pair[1]);
	return ok;
}

static const char *
failed_part(struct core *core)
{
	return !test_record(core)      ? "records"
	       : !test_head(core)      ? "heads"
	       : !test_signature(core) ? "signatures"
	       : !rsa_works()	       ? "RSA signatures"
	       : !test_descriptors()   ? "descriptors"
				       : NULL;
}

int
self_test_probe(void *cookie)
{
	(void)cookie;
	const char *part = failed_part(&scratch);
	if (part != NULL)
		log_msg(LOG_ERROR, "self-test of %s failed", part);
	return part == NULL ? 0 : -1;
}

void
self_test_run(struct core *core)
{
	const char *part = failed_part(core);
	if (part != NULL)
		log_fatal("self-test of %s failed", part);
}
