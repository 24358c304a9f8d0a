// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Request heads: exact bytes for each kind of credential, spans that point at the
// secret, padding, what is refused before a secret is touched, and wiping.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "tests/unit/catalogue_fixture.h"
#include "vaultd/head.h"

#define SECRET "sk-proj-abcdefghijklmnop"

static struct catalogue *cat;
static struct head_work *work;
static struct secret secret, token, none;
static uint8_t body_hash[32] = {0xe3, 0xb0};
static struct cred cred;
static struct msg_use use;
static struct view access_key_id; // of a temporary secret

static int
setup(void **state)
{
	(void)state;
	assert_int_not_equal(secmem_init(1 << 20), SECMEM_NONE);
	cat = fx_catalogue();
	work = secmem_alloc(sizeof(*work));
	assert_non_null(work);
	assert_int_equal(secret_set(&secret, SECRET, strlen(SECRET)), 0);
	return secret_set(&token, "IQoJb3JpZ2luX2VjTOKENTOKEN", 26);
}

static int
each(void **state)
{
	(void)state;
	cred = (struct cred){.provider = PROVIDER_OPENAI,
	    .auth = AUTH_BEARER,
	    .host = "api.openai.com",
	    .port = 443};
	use = (struct msg_use){.body_len = 42, .body_sha256 = {(const char *)body_hash, 32}};
	access_key_id = (struct view){0};
	head_wipe(work);
	return 0;
}

static void
set_header(size_t i, uint64_t id, const char *value)
{
	use.header[i] = (struct msg_named){id, view_of(value)};
	use.header_count = MAX(use.header_count, i + 1);
}

static void
set_param(size_t i, uint64_t id, const char *value)
{
	use.param[i] = (struct msg_named){id, view_of(value)};
	use.param_count = MAX(use.param_count, i + 1);
}

static const struct catalogue_op *
op_of(uint64_t operation)
{
	return catalogue_op(cat, operation, cred.provider, cred_variant(&cred));
}

static struct head_built
build(uint64_t operation, const char *model, const struct secret *t)
{
	struct head_built b;
	struct deny d = {0};
	struct head_request r = {.op = op_of(operation),
	    .cred = &cred,
	    .model = view_of(model),
	    .use = &use,
	    .secret = &secret,
	    .token = t,
	    .access_key_id = access_key_id,
	    .now_s = 1768478400};
	assert_true(head_check(r.op, &use, &d));
	assert_int_equal(head_build(work, &r, &b), 0);
	assert_int_equal(b.head.len % HEAD_BLOCK, 0);
	assert_true(secmem_contains(b.head.p));
	assert_memory_equal(b.head.p + b.head.len - 5, "0\r\n\r\n", 5);
	return b;
}

// The head up to the padding header is exactly this.
static void
assert_head(const struct head_built *b, const char *want)
{
	const char *pad = memmem(b->head.p, b->head.len, "x-pad: 0", 8);
	assert_non_null(pad);
	struct view got = {b->head.p, (size_t)(pad - b->head.p)};
	if (!view_eq_str(got, want))
		fail_msg("got:\n%.*s\nnot:\n%s", (int)got.len, got.p, want);
}

static void
assert_span(const struct head_built *b, size_t i, const struct secret *s, size_t public_len)
{
	assert_true(i < b->span_count);
	assert_int_equal(b->span[i].len, s->len);
	assert_int_equal(b->span[i].public_len, public_len);
	assert_memory_equal(b->head.p + b->span[i].offset, s->p, s->len);
}

static void
test_bearer(void **state)
{
	(void)state;
	set_header(0, HEADER_CONTENT_TYPE, "application/json");
	set_header(1, HEADER_ACCEPT, "text/event-stream");
	struct head_built b = build(OP_OPENAI_CHAT, "gpt-4o", &none);
	assert_head(&b, "POST /v1/chat/completions HTTP/1.1\r\n"
			"host: api.openai.com\r\n"
			"content-type: application/json\r\n"
			"accept: text/event-stream\r\n"
			"accept-encoding: identity\r\n"
			"user-agent: sallyport/" SALLYPORT_VERSION "\r\n"
			"content-length: 42\r\n"
			"authorization: Bearer " SECRET "\r\n");
	assert_int_equal(b.span_count, 1);
	assert_span(&b, 0, &secret, 8);
}

static void
test_get(void **state)
{
	(void)state;
	use.body_len = 0;
	cred.port = 8443;
	struct head_built b = build(OP_OPENAI_MODEL, "a/b", &none);
	assert_head(&b, "GET /v1/models/a%2Fb HTTP/1.1\r\n"
			"host: api.openai.com:8443\r\n"
			"accept-encoding: identity\r\n"
			"user-agent: sallyport/" SALLYPORT_VERSION "\r\n"
			"authorization: Bearer " SECRET "\r\n");
}

static void
test_anthropic(void **state)
{
	(void)state;
	cred.provider = PROVIDER_ANTHROPIC;
	cred.auth = AUTH_API_KEY;
	memcpy(cred.host, "api.anthropic.com", 18);
	set_param(0, PARAM_BETA, "true");
	struct head_built b = build(OP_ANTHROPIC_MESSAGES, "claude", &none);
	assert_head(&b, "POST /v1/messages?beta=true HTTP/1.1\r\n"
			"host: api.anthropic.com\r\n"
			"content-type: application/json\r\n"
			"anthropic-version: 2023-06-01\r\n"
			"accept-encoding: identity\r\n"
			"user-agent: sallyport/" SALLYPORT_VERSION "\r\n"
			"content-length: 42\r\n"
			"x-api-key: " SECRET "\r\n");
	use.body_len = 0;
	set_param(0, PARAM_LIMIT, "20");
	set_param(1, PARAM_AFTER_ID, "a:b");
	set_header(0, HEADER_ANTHROPIC_VERSION, "2026-10-21");
	b = build(OP_ANTHROPIC_MODELS, "", &none);
	assert_head(&b, "GET /v1/models?limit=20&after_id=a%3Ab HTTP/1.1\r\n"
			"host: api.anthropic.com\r\n"
			"anthropic-version: 2026-10-21\r\n"
			"accept-encoding: identity\r\n"
			"user-agent: sallyport/" SALLYPORT_VERSION "\r\n"
			"x-api-key: " SECRET "\r\n");
}

static void
bedrock(void)
{
	cred.provider = PROVIDER_BEDROCK;
	cred.auth = AUTH_SIGV4;
	memcpy(cred.host, "bedrock-runtime.us-east-1.amazonaws.com", 40);
	memcpy(cred.region, "us-east-1", 10);
	memcpy(cred.access_key_id, "AKIDEXAMPLE", 12);
}

#define B_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define B_HASH	 "616eb59224eb795b641b4c541ad9ee8b939a1e8798f73b54fce66bb79ddbb992"

static struct head_built
build_golden(const char *model, uint64_t operation, const struct secret *t)
{
	static uint8_t hash[32];
	struct secret keep = secret;
	size_t n;
	assert_int_equal(sodium_hex2bin(hash, 32, B_HASH, 64, NULL, &n, NULL), 0);
	use.body_len = 102;
	use.body_sha256 = (struct view){(const char *)hash, 32};
	set_header(0, HEADER_CONTENT_TYPE, "application/json");
	assert_int_equal(secret_set(&secret, B_SECRET, strlen(B_SECRET)), 0);
	struct head_built b = build(operation, model, t);
	assert_null(memmem(b.head.p, b.head.len, B_SECRET, strlen(B_SECRET)));
	secret_wipe(&secret);
	secret = keep;
	return b;
}

// Vectors B1 and B3: two other implementations agree on these signatures.
static void
test_sigv4(void **state)
{
	(void)state;
	bedrock();
	struct head_built b =
	    build_golden("anthropic.claude-sonnet-4-5-20250929-v1:0", OP_BEDROCK_INVOKE, &none);
	assert_head(&b,
	    "POST /model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke HTTP/1.1\r\n"
	    "host: bedrock-runtime.us-east-1.amazonaws.com\r\n"
	    "content-type: application/json\r\n"
	    "x-amz-date: 20260115T120000Z\r\n"
	    "x-amz-content-sha256: " B_HASH "\r\n"
	    "accept-encoding: identity\r\n"
	    "user-agent: sallyport/" SALLYPORT_VERSION "\r\n"
	    "content-length: 102\r\n"
	    "authorization: AWS4-HMAC-SHA256 "
	    "Credential=AKIDEXAMPLE/20260115/us-east-1/bedrock/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, "
	    "Signature=661be32bf7a736d73cac3c8ba3ba0ca96ee65f9ea9be2b8ee0b1b7d764f3d41f\r\n");
	assert_int_equal(b.span_count, 0); // the secret itself is never sent

	struct secret golden;
	assert_int_equal(secret_set(&golden, "FwoGZXIvYXdzEXAMPLETOKEN==", 26), 0);
	b = build_golden("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/"
			 "abc123xyz",
	    OP_BEDROCK_CONVERSE, &golden);
	assert_non_null(memmem(b.head.p, b.head.len,
	    "Signature=48529882f2f888c126b56e10e5599f3247163d4adbbe474ccf55307198d8806f\r\n", 76));
	assert_span(&b, 0, &golden, 12);
	secret_wipe(&golden);
}

// A temporary key signs under its own id, and with its token.
static void
test_sigv4_temporary(void **state)
{
	(void)state;
	bedrock();
	const uint64_t kinds[] = {AUTH_STS_SESSION, AUTH_STS_ASSUME_ROLE, AUTH_STS_WEB_IDENTITY};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		cred.auth = kinds[i];
		access_key_id = VIEW("ASIATEMPORARYKEY");
		struct head_built b = build(OP_BEDROCK_INVOKE, "m", &token);
		assert_non_null(memmem(b.head.p, b.head.len,
		    "Credential=ASIATEMPORARYKEY/20260115/us-east-1/bedrock/", 55));
		assert_null(memmem(b.head.p, b.head.len, "AKIDEXAMPLE", 11));
		assert_non_null(memmem(b.head.p, b.head.len, ";x-amz-security-token,", 22));
		assert_int_equal(b.span_count, 1);
		assert_span(&b, 0, &token, 16);
	}
}

#define TAIL                                                                                       \
	"accept-encoding: identity\r\n"                                                            \
	"user-agent: sallyport/" SALLYPORT_VERSION "\r\n"

static void
test_gemini(void **state)
{
	(void)state;
	cred = (struct cred){.provider = PROVIDER_GEMINI,
	    .auth = AUTH_GOOGLE_API_KEY,
	    .host = "generativelanguage.googleapis.com",
	    .port = 443};
	struct head_built b = build(OP_STREAM_GENERATE_CONTENT, "gemini-2.5-flash", &none);
	assert_head(&b,
	    "POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1\r\n"
	    "host: generativelanguage.googleapis.com\r\n"
	    "content-type: application/json\r\n" TAIL "content-length: 42\r\n"
	    "x-goog-api-key: " SECRET "\r\n");
	assert_span(&b, 0, &secret, 8);
	use.body_len = 0;
	set_param(0, PARAM_PAGE_SIZE, "50");
	set_param(1, PARAM_PAGE_TOKEN, "a/b+c=");
	b = build(OP_GOOGLE_MODELS, "", &none);
	assert_head(&b,
	    "GET /v1beta/models?pageSize=50&pageToken=a%2Fb%2Bc%3D HTTP/1.1\r\n"
	    "host: generativelanguage.googleapis.com\r\n" TAIL "x-goog-api-key: " SECRET "\r\n");
}

static void
test_azure(void **state)
{
	(void)state;
	cred = (struct cred){.provider = PROVIDER_AZURE,
	    .auth = AUTH_AZURE_API_KEY,
	    .host = "res.openai.azure.com",
	    .port = 443};
	set_param(0, PARAM_API_VERSION, "preview"); // of the client
	struct head_built b = build(OP_OPENAI_CHAT, "dep", &none);
	assert_head(&b, "POST /openai/v1/chat/completions?api-version=preview HTTP/1.1\r\n"
			"host: res.openai.azure.com\r\n"
			"content-type: application/json\r\n" TAIL "content-length: 42\r\n"
			"api-key: " SECRET "\r\n");
	// The credential's version stands, whatever the client says; the model is in the path.
	char version[] = "2024-10-21";
	cred.extra.setting[SETTING_API_VERSION] = version;
	b = build(OP_OPENAI_CHAT, "my dep", &none);
	assert_head(&b, "POST /openai/deployments/my%20dep/chat/completions?api-version=2024-10-21 "
			"HTTP/1.1\r\n"
			"host: res.openai.azure.com\r\n"
			"content-type: application/json\r\n" TAIL "content-length: 42\r\n"
			"api-key: " SECRET "\r\n");
}

static void
test_vertex(void **state)
{
	(void)state;
	char project[] = "example.com:proj-1";
	cred = (struct cred){.provider = PROVIDER_VERTEX,
	    .host = "us-central1-aiplatform.googleapis.com",
	    .region = "us-central1",
	    .port = 443};
	cred.extra.setting[SETTING_PROJECT] = project;
	const uint64_t kinds[] = {AUTH_GOOGLE_TOKEN, AUTH_GOOGLE_JWT};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		cred.auth = kinds[i];
		struct head_built b = build(OP_RAW_PREDICT, "claude-sonnet-4-5@20250929", &none);
		assert_head(&b, "POST /v1/projects/example.com%3Aproj-1/locations/us-central1/"
				"publishers/anthropic/models/claude-sonnet-4-5@20250929:"
				"rawPredict HTTP/1.1\r\n"
				"host: us-central1-aiplatform.googleapis.com\r\n"
				"content-type: application/json\r\n" TAIL "content-length: 42\r\n"
				"authorization: Bearer " SECRET "\r\n");
		assert_span(&b, 0, &secret, 8);
	}
	// The count has one path for every model.
	struct head_built b = build(OP_RAW_PREDICT_COUNT, "claude-sonnet-4-5@20250929", &none);
	assert_non_null(memmem(b.head.p, b.head.len, "/models/count-tokens:rawPredict HTTP", 36));
}

static void
test_padding_hides_length(void **state)
{
	(void)state;
	struct secret keep = secret;
	size_t first = 0;
	char text[256];
	memset(text, 'k', sizeof(text));
	for (size_t n = 20; n <= 256; n++) {
		assert_int_equal(secret_set(&secret, text, n), 0);
		struct head_built b = build(OP_OPENAI_CHAT, "m", &none);
		first = n == 20 ? b.head.len : first;
		assert_int_equal(b.head.len, first);
		secret_wipe(&secret);
	}
	secret = keep;
}

static void
test_wipe(void **state)
{
	(void)state;
	bedrock();
	(void)build(OP_BEDROCK_INVOKE, "m", &token);
	cred.auth = AUTH_BEARER;
	(void)build(OP_BEDROCK_INVOKE, "m", &none);
	head_wipe(work);
	const uint8_t *p = (const uint8_t *)work;
	for (size_t i = 0; i < sizeof(*work); i++)
		assert_int_equal(p[i], 0);
}

static void
test_too_long(void **state)
{
	(void)state;
	static char big[2049];
	struct head_built b;
	struct deny d = {0};
	memset(big, 'v', 2048);
	const uint64_t ids[] = {HEADER_CONTENT_TYPE, HEADER_ACCEPT, HEADER_BEDROCK_ACCEPT,
	    HEADER_BEDROCK_TRACE, HEADER_BEDROCK_GUARDRAIL_ID, HEADER_BEDROCK_GUARDRAIL_VERSION,
	    HEADER_BEDROCK_LATENCY, HEADER_BEDROCK_SERVICE_TIER};
	bedrock();
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		set_header(i, ids[i], big);
	struct head_request r = {.op = op_of(OP_BEDROCK_INVOKE),
	    .cred = &cred,
	    .model = VIEW("m"),
	    .use = &use,
	    .secret = &secret,
	    .token = &none};
	assert_true(head_check(r.op, &use, &d));
	assert_int_equal(head_build(work, &r, &b), -1);
	// The longest model, all of it encoded, still fits.
	use.header_count = 0;
	memset(big, ':', 2048);
	r.model = (struct view){big, 2048};
	assert_int_equal(head_build(work, &r, &b), 0);
}

// --- refused before any secret is touched ----------------------------------------------

static void
assert_refused(uint64_t operation, enum deny_kind kind)
{
	struct deny d = {0};
	const struct catalogue_op *op = NULL;
	for (uint64_t p = 1; op == NULL && p <= PROVIDER_LAST; p++)
		op = catalogue_op(cat, operation, p, 0);
	assert_non_null(op);
	assert_false(head_check(op, &use, &d));
	assert_int_equal(d.kind, kind);
	assert_true(strlen(d.message) > 10);
	each(NULL);
}

static void
test_refusals(void **state)
{
	(void)state;
	set_header(0, HEADER_ANTHROPIC_BETA, "x");
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_HEADER);
	set_header(0, 0, "x");
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_HEADER);
	set_header(0, 33, "x"); // a shift by 33 would fall on an allowed bit
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_HEADER);
	set_header(0, UINT16_MAX, "x");
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_HEADER);
	set_header(0, HEADER_ACCEPT, "a\r\nauthorization: Bearer x");
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_HEADER);
	set_header(0, HEADER_ACCEPT, "a");
	set_header(1, HEADER_ACCEPT, "b");
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_HEADER);
	set_param(0, PARAM_BETA, "true");
	assert_refused(OP_OPENAI_CHAT, DENY_BAD_PARAM);
	set_param(0, PARAM_BETA, "true&x=y");
	assert_refused(OP_ANTHROPIC_MESSAGES, DENY_BAD_PARAM);
	set_param(0, PARAM_BETA, "true");
	set_param(1, PARAM_BETA, "true");
	assert_refused(OP_ANTHROPIC_MESSAGES, DENY_BAD_PARAM);
	set_param(0, 33, "true");
	assert_refused(OP_ANTHROPIC_MESSAGES, DENY_BAD_PARAM);
	use.body_len = 25000001;
	assert_refused(OP_BEDROCK_INVOKE, DENY_BODY_TOO_LARGE);
	use.body_len = 1;
	assert_refused(OP_OPENAI_MODELS, DENY_BODY_TOO_LARGE);
}

static void
test_public_prefixes(void **state)
{
	(void)state;
	assert_int_equal(head_public_len(VIEW("sk-abc")), 3);
	assert_int_equal(head_public_len(VIEW("sk-proj-abc")), 8);
	assert_int_equal(head_public_len(VIEW("sk-svcacct-abc")), 11);
	assert_int_equal(head_public_len(VIEW("sk-admin-abc")), 9);
	assert_int_equal(head_public_len(VIEW("sk-ant-api03-abc")), 13);
	assert_int_equal(head_public_len(VIEW("bedrock-api-key-abc")), 16);
	assert_int_equal(head_public_len(VIEW("unknown")), 0);
	assert_int_equal(head_public_len(VIEW("sk-")), 0); // never all of it
	assert_int_equal(head_public_len(VIEW("")), 0);
}

#define EACH(fn) cmocka_unit_test_setup(fn, each)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(test_bearer),
	    EACH(test_get),
	    EACH(test_anthropic),
	    EACH(test_sigv4),
	    EACH(test_sigv4_temporary),
	    EACH(test_gemini),
	    EACH(test_azure),
	    EACH(test_vertex),
	    EACH(test_padding_hides_length),
	    EACH(test_wipe),
	    EACH(test_too_long),
	    EACH(test_refusals),
	    EACH(test_public_prefixes),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
