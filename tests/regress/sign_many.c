// SPDX-License-Identifier: Apache-2.0
// The vault's signers behind a pipe, for sign_many.py: a frame on standard input is a list of
// fields (each a big-endian u32 length and bytes) behind its own u32 length; the first field
// names what is wanted. The answer has the same form. Nothing else is touched.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue_builtin.h"
#include "vaultd/catalogue.h"
#include "proto/grammar.h"
#include "vaultd/head.h"
#include "vaultd/sts.h"

#define FIELDS_MAX 64U
#define FRAME_MAX  (1U << 20)

static char frame[FRAME_MAX];
static struct view field[FIELDS_MAX];
static size_t fields;
static struct head_work *work;
static struct catalogue *catalogue;

static void
fail(const char *why)
{
	fprintf(stderr, "sign_many: %s\n", why);
	exit(2);
}

static uint32_t
number_at(const char *p)
{
	uint32_t n;
	memcpy(&n, p, 4);
	return ntohl(n);
}

// False at the end of the input.
static bool
read_frame(void)
{
	char head[4];
	size_t got = fread(head, 1, 4, stdin);
	if (got == 0 && feof(stdin))
		return false;
	size_t len = got == 4 ? number_at(head) : 0;
	if (len < 4 || len > FRAME_MAX || fread(frame, 1, len, stdin) != len)
		fail("bad frame");
	fields = 0;
	for (size_t at = 0; at < len; fields++) {
		if (fields == FIELDS_MAX || len - at < 4)
			fail("bad field");
		size_t n = number_at(frame + at);
		at += 4;
		if (n > len - at)
			fail("bad length");
		field[fields] = (struct view){frame + at, n};
		at += n;
	}
	return true;
}

static void
put_number(size_t n)
{
	uint32_t be = htonl((uint32_t)n);
	if (fwrite(&be, 4, 1, stdout) != 1)
		fail("cannot write");
}

static void
answer(struct view a, struct view b)
{
	put_number(8 + a.len + b.len);
	put_number(a.len);
	fwrite(a.p, 1, a.len, stdout);
	put_number(b.len);
	fwrite(b.p, 1, b.len, stdout);
	if (fflush(stdout) != 0)
		fail("cannot write");
}

static struct view
at(size_t i)
{
	if (i >= fields)
		fail("a field is missing");
	return field[i];
}

static uint64_t
number(size_t i)
{
	char text[24];
	if (view_copy(at(i), text, sizeof(text)) != 0)
		fail("bad number");
	return strtoull(text, NULL, 10);
}

static void
copy(size_t i, char *out, size_t size)
{
	if (view_copy(at(i), out, size) != 0)
		fail("too long");
}

static struct secret
secret_of(size_t i)
{
	struct secret s = {0};
	struct view v = at(i);
	if (v.len != 0 && secret_set(&s, v.p, v.len) != 0)
		fail("secret memory is full");
	return s;
}

// use AKID SECRET TOKEN REGION HOST PORT TIME OPERATION MODEL BODY [HEADER-ID VALUE]...
// Answers the whole head.
static void
sign_use(void)
{
	struct cred cred = {.provider = PROVIDER_BEDROCK, .auth = AUTH_SIGV4};
	struct msg_use use = {.operation = number(8), .body_len = at(10).len};
	struct secret secret = secret_of(2), token = secret_of(3);
	uint8_t digest[32];
	struct deny d = {0};
	struct head_built built;
	copy(1, cred.access_key_id, sizeof(cred.access_key_id));
	copy(4, cred.region, sizeof(cred.region));
	copy(5, cred.host, sizeof(cred.host));
	cred.port = number(6);
	crypto_hash_sha256(digest, (const uint8_t *)at(10).p, at(10).len);
	use.body_sha256 = (struct view){(const char *)digest, sizeof(digest)};
	for (size_t i = 11; i + 1 < fields && use.header_count < MSG_HEADERS_MAX; i += 2)
		use.header[use.header_count++] = (struct msg_named){number(i), at(i + 1)};
	struct head_request r = {.op = catalogue_op(catalogue, use.operation, PROVIDER_BEDROCK, 0),
	    .cred = &cred,
	    .model = at(9),
	    .use = &use,
	    .secret = &secret,
	    .token = &token,
	    .now_s = number(7)};
	if (r.op == NULL || !grammar_model_valid(r.model) || !head_check(r.op, &use, &d))
		fail(d.message);
	if (head_build(work, &r, &built) != 0)
		fail("the head does not fit");
	answer(built.head, (struct view){0});
	secret_wipe(&secret);
	secret_wipe(&token);
}

// session AKID SECRET REGION TIME DURATION, or role, the same and ARN NAME EXTERNAL-ID, or
// identity AKID SECRET REGION TIME 0 TOKEN: answers head and body.
static void
sign_sts(int (*build)(struct head_work *, const struct sts_request *, struct msg_exchange *))
{
	struct secret secret = secret_of(2);
	struct msg_exchange m = {0};
	struct sts_request r = {.region = at(3),
	    .access_key_id = at(1),
	    .secret = &secret,
	    .duration_s = number(5),
	    .now_s = number(4)};
	if (build == sts_caller_identity)
		r.session_token = at(6);
	if (build == sts_assume_role) {
		r.role_arn = at(6);
		r.session_name = at(7);
		r.external_id = at(8);
	}
	if (build(work, &r, &m) != 0)
		fail("the request does not fit");
	answer(m.head, m.body);
	secret_wipe(&secret);
}

// plain AKID SECRET REGION SERVICE TIME METHOD PATH QUERY BODY [HEADER VALUE]...
// x-amz-date is added. Answers SignedHeaders and Signature.
static void
sign_plain(void)
{
	struct sigv4_field header[SIGV4_FIELDS_MAX];
	struct secret secret = secret_of(2);
	uint8_t digest[32];
	char hex[64], signature[64], date[SIGV4_DATE_LEN];
	struct text t;
	size_t n = 0;
	crypto_hash_sha256(digest, (const uint8_t *)at(9).p, at(9).len);
	text_init(&t, hex, sizeof(hex));
	text_hex(&t, digest, sizeof(digest));
	sigv4_date(number(5), date);
	header[n++] = (struct sigv4_field){VIEW("X-Amz-Date"), {date, sizeof(date)}};
	for (size_t i = 10; i + 1 < fields && n < SIGV4_FIELDS_MAX; i += 2)
		header[n++] = (struct sigv4_field){at(i), at(i + 1)};
	struct sigv4_request r = {.method = at(6),
	    .path = at(7),
	    .query = at(8),
	    .field = header,
	    .field_count = n,
	    .body_sha256_hex = {hex, sizeof(hex)}};
	struct sigv4_scope scope = {{date, sizeof(date)}, at(3), at(4), at(1)};
	if (sigv4_sign(&work->sig, &r, &scope, &secret, signature) != 0)
		fail("the request does not fit");
	answer(work->sig.signed_headers, (struct view){signature, sizeof(signature)});
	secret_wipe(&secret);
}

int
main(void)
{
	if (sodium_init() < 0 || secmem_init(1 << 20) == SECMEM_NONE)
		fail("no secret memory");
	work = secmem_alloc(sizeof(*work));
	if (work == NULL)
		fail("no secret memory");
	struct catalogue_error e;
	catalogue = catalogue_parse(
	    (struct view){(const char *)catalogue_builtin, catalogue_builtin_len}, &e);
	if (catalogue == NULL)
		fail(e.message);
	while (read_frame()) {
		if (view_eq_str(at(0), "use"))
			sign_use();
		else if (view_eq_str(at(0), "session"))
			sign_sts(sts_session);
		else if (view_eq_str(at(0), "role"))
			sign_sts(sts_assume_role);
		else if (view_eq_str(at(0), "identity"))
			sign_sts(sts_caller_identity);
		else if (view_eq_str(at(0), "plain"))
			sign_plain();
		else
			fail("unknown request");
	}
	head_wipe(work);
	catalogue_unref(catalogue);
	return 0;
}
