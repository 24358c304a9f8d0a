// SPDX-License-Identifier: Apache-2.0
// Tokens of service accounts. Pure computation.
#include "vaultd/google.h"

#include <stdio.h>

#include "vaultd/jwt.h"

#define CRLF	   "\r\n"
#define SCOPE	   "https://www.googleapis.com/auth/cloud-platform"
#define AUDIENCE   "https://" GOOGLE_TOKEN_HOST "/token"
#define GRANT	   "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
#define USER_AGENT "sallyport/" SALLYPORT_VERSION
// A second or two may pass, and clocks differ by as much.
#define BACK_S 10U

// The assertion is all base64url and dots, which a form takes as they are.
SENSITIVE
int
google_token_request(
    struct head_work *w, const struct google_account *a, uint64_t now_s, struct msg_exchange *m)
{
	struct text body, head;
	struct jwt_claims c = {.issuer = a->email,
	    .audience = VIEW(AUDIENCE),
	    .scope = VIEW(SCOPE),
	    .issued_s = now_s - BACK_S,
	    .expires_s = now_s - BACK_S + GOOGLE_ASSERTION_S};
	text_init(&body, w->path, sizeof(w->path));
	text_str(&body, GRANT);
	int r = jwt_sign(&body, a->key, a->key_id, &c);
	if (r != 0)
		return r;
	m->body = text_done(&body);
	text_init(&head, w->head, sizeof(w->head));
	text_str(&head,
	    "POST /token HTTP/1.1" CRLF "host: " GOOGLE_TOKEN_HOST CRLF
	    "content-type: application/x-www-form-urlencoded" CRLF "accept-encoding: identity" CRLF
	    "user-agent: " USER_AGENT CRLF "connection: close" CRLF "content-length: ");
	text_uint(&head, m->body.len);
	text_str(&head, CRLF CRLF);
	m->head = text_done(&head);
	return body.failed || head.failed ? -2 : 0;
}

SENSITIVE
int
google_self_signed(struct head_work *w, const struct google_account *a, const char *api_host,
    uint64_t now_s, struct view *token_r, uint64_t *expires_r)
{
	char audience[300];
	snprintf(audience, sizeof(audience), "https://%s/", api_host);
	struct jwt_claims c = {.issuer = a->email,
	    .subject = a->email,
	    .audience = view_of(audience),
	    .issued_s = now_s - GOOGLE_SELF_BACK_S,
	    .expires_s = now_s - GOOGLE_SELF_BACK_S + GOOGLE_SELF_S};
	struct text t;
	text_init(&t, w->path, sizeof(w->path));
	int r = jwt_sign(&t, a->key, a->key_id, &c);
	if (r != 0)
		return r;
	*token_r = text_done(&t);
	*expires_r = c.expires_s - GOOGLE_SELF_BACK_S;
	return t.failed ? -2 : 0;
}
