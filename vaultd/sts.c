// SPDX-License-Identifier: Apache-2.0
// Requests to AWS STS. Pure computation.
#include "vaultd/sts.h"

#include <sodium.h>
#include <stdio.h>

#include "proto/grammar.h"

#define VERSION	     "2011-06-15"
#define CRLF	     "\r\n"
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define USER_AGENT   "sallyport/" SALLYPORT_VERSION

bool
sts_host(const char *region, char host[254])
{
	struct view r = view_of(region);
	if (!grammar_region_valid(r))
		return false;
	bool china = r.len > 3 && r.p[0] == 'c' && r.p[1] == 'n' && r.p[2] == '-';
	snprintf(host, 254, "sts.%s.amazonaws.com%s", region, china ? ".cn" : "");
	return true;
}

static struct view
put_host(struct head_work *w, const struct sts_request *r)
{
	char region[40];
	BUG_IF(view_copy(r->region, region, sizeof(region)) != 0);
	char host[254];
	BUG_IF(!sts_host(region, host));
	struct text t;
	text_init(&t, w->host, sizeof(w->host));
	text_str(&t, host);
	return text_done(&t);
}

// Signed: content-type, host and x-amz-date, as the SDKs do; what else is sent, hops may
// change.
SENSITIVE
static int
put_signature(struct head_work *w, const struct sts_request *r, struct view host, struct text *t)
{
	char signature[64];
	struct view date = {w->date, sizeof(w->date)};
	struct sigv4_field field[] = {{VIEW("content-type"), VIEW(CONTENT_TYPE)},
	    {VIEW("host"), host}, {VIEW("x-amz-date"), date},
	    {VIEW("x-amz-security-token"), r->session_token}};
	struct sigv4_request req = {.method = VIEW("POST"),
	    .path = VIEW("/"),
	    .field = field,
	    .field_count = ARRAY_LEN(field) - (r->session_token.len == 0 ? 1 : 0),
	    .body_sha256_hex = {w->body_hex, sizeof(w->body_hex)}};
	struct sigv4_scope scope = {.date = date,
	    .region = r->region,
	    .service = VIEW("sts"),
	    .access_key_id = r->access_key_id};
	if (sigv4_sign(&w->sig, &req, &scope, r->secret, signature) != 0)
		return -1;
	if (r->session_token.len != 0) {
		text_str(t, "x-amz-security-token: ");
		text_view(t, r->session_token);
		text_str(t, CRLF);
	}
	text_str(t, "authorization: AWS4-HMAC-SHA256 Credential=");
	text_view(t, r->access_key_id);
	text_char(t, '/');
	text_view(t, (struct view){w->date, 8});
	text_char(t, '/');
	text_view(t, r->region);
	text_str(t, "/sts/aws4_request, SignedHeaders=");
	text_view(t, w->sig.signed_headers);
	text_str(t, ", Signature=");
	text_view(t, (struct view){signature, sizeof(signature)});
	text_str(t, CRLF);
	return 0;
}

static void
put_head(const struct head_work *w, struct view host, size_t body_len, bool dated, struct text *t)
{
	text_str(t, "POST / HTTP/1.1" CRLF "host: ");
	text_view(t, host);
	text_str(t, CRLF "content-type: " CONTENT_TYPE CRLF);
	if (dated) {
		text_str(t, "x-amz-date: ");
		text_view(t, (struct view){w->date, sizeof(w->date)});
		text_str(t, CRLF);
	}
	text_str(t, "accept-encoding: identity" CRLF "user-agent: " USER_AGENT CRLF
		    "connection: close" CRLF "content-length: ");
	text_uint(t, body_len);
	text_str(t, CRLF);
}

// The body is written already.
SENSITIVE
static int
finish(struct head_work *w, const struct sts_request *r, const struct text *body, bool is_signed,
    struct msg_exchange *m)
{
	uint8_t digest[32];
	struct text hex, head;
	if (body->failed)
		return -1;
	m->body = text_done(body);
	crypto_hash_sha256(digest, (const uint8_t *)m->body.p, m->body.len);
	text_init(&hex, w->body_hex, sizeof(w->body_hex));
	text_hex(&hex, digest, sizeof(digest));
	sigv4_date(r->now_s, w->date);
	struct view host = put_host(w, r);
	text_init(&head, w->head, sizeof(w->head));
	put_head(w, host, m->body.len, is_signed, &head);
	if (is_signed && put_signature(w, r, host, &head) != 0)
		return -1;
	text_str(&head, CRLF);
	m->head = text_done(&head);
	return head.failed ? -1 : 0;
}

static void
begin(struct head_work *w, const struct sts_request *r, const char *action, struct text *t)
{
	text_init(t, w->path, sizeof(w->path));
	text_str(t, "Action=");
	text_str(t, action);
	if (r->duration_s == 0)
		return;
	text_str(t, "&DurationSeconds=");
	text_uint(t, r->duration_s);
}

static void
field(struct text *t, const char *name, struct view value)
{
	if (value.len == 0)
		return;
	text_char(t, '&');
	text_str(t, name);
	text_char(t, '=');
	text_encoded(t, value, false);
}

SENSITIVE
int
sts_session(struct head_work *w, const struct sts_request *r, struct msg_exchange *m)
{
	struct text t;
	begin(w, r, "GetSessionToken", &t);
	field(&t, "Version", VIEW(VERSION));
	return finish(w, r, &t, true, m);
}

// Signed by a key, or with a token that says who asks.
SENSITIVE
static int
assume(struct head_work *w, const struct sts_request *r, const char *action, struct view external,
    struct view token, struct msg_exchange *m)
{
	struct text t;
	begin(w, r, action, &t);
	field(&t, "ExternalId", external);
	field(&t, "RoleArn", r->role_arn);
	field(&t, "RoleSessionName", r->session_name);
	field(&t, "Version", VIEW(VERSION));
	field(&t, "WebIdentityToken", token);
	return finish(w, r, &t, token.len == 0, m);
}

int
sts_assume_role(struct head_work *w, const struct sts_request *r, struct msg_exchange *m)
{
	return assume(w, r, "AssumeRole", r->external_id, (struct view){0}, m);
}

int
sts_web_identity(struct head_work *w, const struct sts_request *r, struct msg_exchange *m)
{
	BUG_IF(r->token.len == 0);
	return assume(w, r, "AssumeRoleWithWebIdentity", (struct view){0}, r->token, m);
}

SENSITIVE
int
sts_caller_identity(struct head_work *w, const struct sts_request *r, struct msg_exchange *m)
{
	struct text t;
	begin(w, r, "GetCallerIdentity", &t);
	field(&t, "Version", VIEW(VERSION));
	return finish(w, r, &t, true, m);
}
