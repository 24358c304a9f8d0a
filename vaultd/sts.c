// SPDX-License-Identifier: Apache-2.0
// Requests to AWS STS. Pure computation.
#include "vaultd/sts.h"

#include <sodium.h>
#include <stdio.h>

#include "vaultd/grammar.h"

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
put_head(struct head_work *w, const struct sts_request *r, struct view host, size_t body_len,
    struct text *t)
{
	char signature[64];
	struct view date = {w->date, sizeof(w->date)};
	struct sigv4_field field[] = {{VIEW("content-type"), VIEW(CONTENT_TYPE)},
	    {VIEW("host"), host}, {VIEW("x-amz-date"), date}};
	struct sigv4_request req = {.method = VIEW("POST"),
	    .path = VIEW("/"),
	    .field = field,
	    .field_count = ARRAY_LEN(field),
	    .body_sha256_hex = {w->body_hex, sizeof(w->body_hex)}};
	struct sigv4_scope scope = {.date = date,
	    .region = r->region,
	    .service = VIEW("sts"),
	    .access_key_id = r->access_key_id};
	if (sigv4_sign(&w->sig, &req, &scope, r->secret, signature) != 0)
		return -1;
	text_str(t, "POST / HTTP/1.1" CRLF "host: ");
	text_view(t, host);
	text_str(t, CRLF "content-type: " CONTENT_TYPE CRLF "x-amz-date: ");
	text_view(t, date);
	text_str(t, CRLF "accept-encoding: identity" CRLF "user-agent: " USER_AGENT CRLF
			 "connection: close" CRLF "content-length: ");
	text_uint(t, body_len);
	text_str(t, CRLF "authorization: AWS4-HMAC-SHA256 Credential=");
	text_view(t, r->access_key_id);
	text_char(t, '/');
	text_view(t, (struct view){w->date, 8});
	text_char(t, '/');
	text_view(t, r->region);
	text_str(t, "/sts/aws4_request, SignedHeaders=");
	text_view(t, w->sig.signed_headers);
	text_str(t, ", Signature=");
	text_view(t, (struct view){signature, sizeof(signature)});
	text_str(t, CRLF CRLF);
	return t->failed ? -1 : 0;
}

SENSITIVE
int
sts_session(struct head_work *w, const struct sts_request *r, struct msg_exchange *m)
{
	uint8_t digest[32];
	struct text body, hex, head;
	text_init(&body, w->path, sizeof(w->path));
	text_str(&body, "Action=GetSessionToken&DurationSeconds=");
	text_uint(&body, r->duration_s);
	text_str(&body, "&Version=2011-06-15");
	m->body = text_done(&body);
	crypto_hash_sha256(digest, (const uint8_t *)m->body.p, m->body.len);
	text_init(&hex, w->body_hex, sizeof(w->body_hex));
	text_hex(&hex, digest, sizeof(digest));
	sigv4_date(r->now_s, w->date);
	struct view host = put_host(w, r);
	text_init(&head, w->head, sizeof(w->head));
	if (put_head(w, r, host, m->body.len, &head) != 0)
		return -1;
	m->head = text_done(&head);
	return 0;
}
