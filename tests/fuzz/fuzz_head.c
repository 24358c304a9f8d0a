// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The head builder and the checks before it, with a gateway that says anything: when a
// USE is accepted, the head that comes out has one meaning only, and the secret is in
// it exactly where the spans say.
//
// Input: u8 operation, u8 credential, u8 model length, model, then a USE payload.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/unit/catalogue_fixture.h"
#include "proto/grammar.h"
#include "vaultd/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) BUG_IF(!(cond))
#define SECRET	   "sk-proj-SECRETsecretSECRETsecret"
#define TOKEN	   "IQoJb3JpZ2luX2VjTOKENtokenTOKENtoken"

static struct catalogue *cat;
static struct head_work *work;
static struct secret secret, token, none;
static char api_version[] = "2024-10-21", project[] = "example.com:p";
static const struct cred creds[] = {
    {.provider = PROVIDER_OPENAI, .auth = AUTH_BEARER, .host = "api.openai.com", .port = 443},
    {.provider = PROVIDER_OPENAI_COMPATIBLE,
	.auth = AUTH_API_KEY,
	.host = "own.example",
	.port = 8443},
    {.provider = PROVIDER_ANTHROPIC,
	.auth = AUTH_API_KEY,
	.host = "api.anthropic.com",
	.port = 443},
    {.provider = PROVIDER_BEDROCK,
	.auth = AUTH_BEARER,
	.host = "b.example",
	.port = 443,
	.region = "us-east-1"},
    {.provider = PROVIDER_BEDROCK,
	.auth = AUTH_SIGV4,
	.host = "b.example",
	.port = 443,
	.region = "us-east-1",
	.access_key_id = "AKIDEXAMPLE"},
    {.provider = PROVIDER_GEMINI,
	.auth = AUTH_GOOGLE_API_KEY,
	.host = "generativelanguage.googleapis.com",
	.port = 443},
    {.provider = PROVIDER_AZURE, .auth = AUTH_AZURE_API_KEY, .host = "r.example", .port = 443},
    {.provider = PROVIDER_AZURE,
	.auth = AUTH_AZURE_API_KEY,
	.host = "r.example",
	.port = 443,
	.extra = {.setting = {[SETTING_API_VERSION] = api_version}}},
    {.provider = PROVIDER_VERTEX,
	.auth = AUTH_GOOGLE_TOKEN,
	.host = "v.example",
	.port = 443,
	.region = "us-central1",
	.extra = {.setting = {[SETTING_PROJECT] = project}}},
};

static void
setup(void)
{
	if (work != NULL)
		return;
	MUST(secmem_init(1 << 20) != SECMEM_NONE);
	cat = fx_catalogue();
	work = secmem_alloc(sizeof(*work));
	MUST(work != NULL && secret_set(&secret, SECRET, strlen(SECRET)) == 0);
	MUST(secret_set(&token, TOKEN, strlen(TOKEN)) == 0);
}

static bool
line_is(struct view line, const char *name)
{
	size_t n = strlen(name);
	return line.len > n + 1 && strncasecmp(line.p, name, n) == 0 && line.p[n] == ':';
}

static size_t
count_of(struct view head, const char *what)
{
	size_t n = 0;
	const char *p = head.p;
	while ((p = memmem(p, head.len - (size_t)(p - head.p), what, strlen(what))) != NULL) {
		n++;
		p++;
	}
	return n;
}

struct seen {
	size_t host, length, auth, encoding, chunked, lines;
};

static void
check_line(struct seen *s, struct view line, const struct cred *c, const struct msg_use *use)
{
	char want[64];
	s->lines++;
	for (size_t i = 0; i < line.len; i++)
		MUST(line.p[i] >= 0x20 && line.p[i] <= 0x7e);
	if (s->lines == 1)
		return;
	MUST(memchr(line.p, ':', line.len) != NULL && line.p[0] != ' ');
	if (line_is(line, "host")) {
		s->host++;
		snprintf(want, sizeof(want), c->port == 443 ? "host: %s" : "host: %s:%d", c->host,
		    (int)c->port);
		MUST(view_eq_str(line, want));
	}
	if (line_is(line, "content-length")) {
		s->length++;
		snprintf(
		    want, sizeof(want), "content-length: %llu", (unsigned long long)use->body_len);
		MUST(view_eq_str(line, want));
	}
	s->auth += line_is(line, "authorization") || line_is(line, "x-api-key") ||
		   line_is(line, "x-goog-api-key") || line_is(line, "api-key");
	s->encoding += line_is(line, "accept-encoding");
	s->chunked += line_is(line, "transfer-encoding") || line_is(line, "expect") ||
		      line_is(line, "connection") || line_is(line, "cookie");
}

static void
check_head(const struct catalogue_op *op, const struct cred *c, const struct msg_use *use,
    const struct head_built *b)
{
	struct seen s = {0};
	struct view head = b->head;
	char start[64];
	size_t fixed = 0; // of the path
	while (fixed < op->path.len && op->path.p[fixed] != '{')
		fixed++;
	MUST(head.len % HEAD_BLOCK == 0 && head.len >= HEAD_BLOCK && head.len <= HEAD_CAP);
	int n = snprintf(start, sizeof(start), "%.*s %.*s", (int)op->method.len, op->method.p,
	    (int)fixed, op->path.p);
	MUST(n > 0 && (size_t)n < sizeof(start) && memcmp(head.p, start, (size_t)n) == 0);
	// Lines end in CR LF, the only empty one is the last.
	size_t at = 0;
	for (;;) {
		const char *end = memmem(head.p + at, head.len - at, "\r\n", 2);
		MUST(end != NULL);
		struct view line = {head.p + at, (size_t)(end - head.p) - at};
		at += line.len + 2;
		if (line.len == 0)
			break;
		check_line(&s, line, c, use);
	}
	MUST(at == head.len);
	MUST(s.host == 1 && s.auth == 1 && s.encoding == 1 && s.chunked == 0);
	MUST(s.length == (op->max_body != 0));
	MUST(count_of(head, SECRET) == (c->auth == AUTH_SIGV4 ? 0 : 1));
	MUST(count_of(head, TOKEN) == (c->auth == AUTH_SIGV4 ? 1 : 0));
	MUST(b->span_count == 1);
	const char *in_span = c->auth == AUTH_SIGV4 ? TOKEN : SECRET;
	MUST(b->span[0].len == strlen(in_span));
	MUST(memcmp(head.p + b->span[0].offset, in_span, b->span[0].len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_use use;
	struct deny d = {0};
	struct head_built b;
	setup();
	if (size < 3 || (size_t)data[2] + 3 > size)
		return 0;
	if (memmem(data, size, "SECRET", 6) != NULL || memmem(data, size, "TOKEN", 5) != NULL)
		return 0; // or the client could bring the very words that are counted
	const struct cred *c = &creds[data[1] % ARRAY_LEN(creds)];
	const struct catalogue_op *op =
	    catalogue_op(cat, data[0] % (OP_LAST + 2), c->provider, cred_variant(c));
	struct view model = {(const char *)data + 3, data[2]};
	data += 3 + model.len;
	size -= 3 + model.len;
	if (op == NULL || msg_decode(MSG_USE, data, size, &use) != 0)
		return 0;
	if (catalogue_takes_model(op->id) ? !grammar_model_valid(model) : model.len != 0)
		return 0;
	if (!head_check(op, &use, &d)) {
		MUST(d.kind != DENY_NONE && d.message[0] != '\0');
		return 0;
	}
	struct head_request r = {.op = op,
	    .cred = c,
	    .model = model,
	    .use = &use,
	    .secret = &secret,
	    .token = c->auth == AUTH_SIGV4 ? &token : &none,
	    .now_s = 1768478400};
	if (head_build(work, &r, &b) == 0)
		check_head(op, c, &use, &b);
	head_wipe(work);
	return 0;
}
