// SPDX-License-Identifier: Apache-2.0
// Building request heads. Pure computation over secret memory of the caller.
// HTTP/1.1: RFC 9112; one space after the colon, CR LF line ends.
#include "vaultd/head.h"

#include <string.h>

#include "vaultd/cred_kind.h"
#include "proto/grammar.h"

#define CRLF	   "\r\n"
#define PAD_NAME   "x-pad: "
#define USER_AGENT "sallyport/" SALLYPORT_VERSION

// --- checks ------------------------------------------------------------------------

static bool
check_headers(const struct catalogue_op *op, const struct msg_use *use, struct deny *d)
{
	unsigned seen = 0;
	for (size_t i = 0; i < use->header_count; i++) {
		uint64_t id = use->header[i].id;
		const char *name = ids_header(id);
		if (name == NULL || (op->headers & CATALOGUE_BIT(id)) == 0)
			return deny_set(d, DENY_BAD_HEADER,
			    "The header '%s' cannot be sent with the operation '%s'.",
			    name == NULL ? "?" : name, ids_operation(op->id));
		if (seen & CATALOGUE_BIT(id))
			return deny_set(
			    d, DENY_BAD_HEADER, "The header '%s' is there twice.", name);
		seen |= CATALOGUE_BIT(id);
		if (!grammar_header_valid(use->header[i].value))
			return deny_set(d, DENY_BAD_HEADER,
			    "The value of the header '%s' is empty, too long or not printable "
			    "ASCII.",
			    name);
	}
	return true;
}

static bool
check_params(const struct catalogue_op *op, const struct msg_use *use, struct deny *d)
{
	unsigned seen = 0;
	for (size_t i = 0; i < use->param_count; i++) {
		uint64_t id = use->param[i].id;
		const char *name = ids_param(id);
		if (name == NULL || (op->params & CATALOGUE_BIT(id)) == 0)
			return deny_set(d, DENY_BAD_PARAM,
			    "The query parameter '%s' cannot be sent with the operation '%s'.",
			    name == NULL ? "?" : name, ids_operation(op->id));
		if (seen & CATALOGUE_BIT(id))
			return deny_set(
			    d, DENY_BAD_PARAM, "The query parameter '%s' is there twice.", name);
		seen |= CATALOGUE_BIT(id);
		if (!grammar_param_valid(id, use->param[i].value))
			return deny_set(d, DENY_BAD_PARAM,
			    "The value of the query parameter '%s' is not acceptable.", name);
	}
	return true;
}

bool
head_check(const struct catalogue_op *op, const struct msg_use *use, struct deny *d)
{
	if (!check_headers(op, use, d) || !check_params(op, use, d))
		return false;
	if (use->body_len > op->max_body) {
		if (op->max_body == 0)
			return deny_set(d, DENY_BODY_TOO_LARGE, "The operation '%s' has no body.",
			    ids_operation(op->id));
		return deny_set(d, DENY_BODY_TOO_LARGE,
		    "The body is longer than the %llu bytes that the provider accepts.",
		    (unsigned long long)op->max_body);
	}
	return true;
}

// --- parts -------------------------------------------------------------------------

static struct view
put_host(struct head_work *w, const struct cred *c)
{
	struct text t;
	text_init(&t, w->host, sizeof(w->host));
	text_str(&t, c->host);
	if (c->port != 443) {
		text_char(&t, ':');
		text_uint(&t, c->port);
	}
	BUG_IF(t.failed);
	return text_done(&t);
}

static void
put_param(struct text *t, const char *name, struct view value)
{
	if (t->len != 0)
		text_char(t, '&');
	text_str(t, name);
	text_char(t, '=');
	text_encoded(t, value, false);
}

// What the catalogue fixes, what the credential fixes, what the client says: the latter
// never changes the former.
static struct view
put_query(struct head_work *w, const struct head_request *r)
{
	struct text t;
	struct view version = cred_setting(r->cred, SETTING_API_VERSION);
	text_init(&t, w->query, sizeof(w->query));
	text_view(&t, r->op->query);
	if (version.len != 0)
		put_param(&t, ids_param(PARAM_API_VERSION), version);
	for (size_t i = 0; i < r->use->param_count; i++)
		if (version.len == 0 || r->use->param[i].id != PARAM_API_VERSION)
			put_param(&t, ids_param(r->use->param[i].id), r->use->param[i].value);
	BUG_IF(t.failed); // values are at most 512 characters, four of them
	return text_done(&t);
}

// The headers of the request in the order in which they are sent, but those that
// depend on the secret. The first `to_sign` of them are signed under SigV4.
struct fields {
	struct sigv4_field f[SIGV4_FIELDS_MAX];
	size_t count;
	size_t to_sign;
	struct view path;
	struct view query;
};

static void
add(struct fields *fs, const char *name, struct view value)
{
	BUG_IF(fs->count == SIGV4_FIELDS_MAX);
	fs->f[fs->count++] = (struct sigv4_field){view_of(name), value};
}

static bool
has(const struct msg_use *use, uint64_t id)
{
	for (size_t i = 0; i < use->header_count; i++)
		if (use->header[i].id == id)
			return true;
	return false;
}

static void
add_client_headers(struct fields *fs, const struct head_request *r, bool signed_ones)
{
	for (size_t i = 0; i < r->use->header_count; i++) {
		const struct msg_named *h = &r->use->header[i];
		// Accept may be rewritten by hops, as User-Agent may; the SDKs do not sign it
		// either.
		if ((h->id != HEADER_ACCEPT) == signed_ones)
			add(fs, ids_header(h->id), h->value);
	}
}

static void
collect(struct fields *fs, struct head_work *w, const struct head_request *r)
{
	struct text length;
	bool body = r->op->max_body != 0;
	add(fs, "host", put_host(w, r->cred));
	if (body && !has(r->use, HEADER_CONTENT_TYPE))
		add(fs, "content-type", VIEW("application/json"));
	if (r->op->provider == PROVIDER_ANTHROPIC && !has(r->use, HEADER_ANTHROPIC_VERSION))
		add(fs, "anthropic-version", VIEW("2023-06-01"));
	add_client_headers(fs, r, true);
	if (kind_signs(r->cred->auth)) {
		add(fs, "x-amz-date", (struct view){w->date, sizeof(w->date)});
		add(fs, "x-amz-content-sha256", (struct view){w->body_hex, sizeof(w->body_hex)});
	}
	fs->to_sign = fs->count;
	add_client_headers(fs, r, false);
	add(fs, "accept-encoding", VIEW("identity"));
	add(fs, "user-agent", VIEW(USER_AGENT));
	if (body) {
		text_init(&length, w->length, sizeof(w->length));
		text_uint(&length, r->use->body_len);
		add(fs, "content-length", text_done(&length));
	}
}

// --- secrets -----------------------------------------------------------------------

static void
put_secret(struct text *t, struct head_built *b, const struct secret *s)
{
	struct view v = {(const char *)s->p, s->len};
	b->span[b->span_count++] =
	    (struct msg_span){.offset = t->len, .len = s->len, .public_len = head_public_len(v)};
	text_view(t, v);
	text_str(t, CRLF);
}

// Writes Authorization and the token; the signed fields are fs->f[0..to_sign) and,
// if there is one, the session token.
SENSITIVE
static int
put_sigv4(struct text *t, struct head_work *w, const struct head_request *r,
    const struct fields *fs, struct head_built *b)
{
	struct sigv4_field field[SIGV4_FIELDS_MAX + 1];
	size_t n = fs->to_sign;
	char signature[64];
	memcpy(field, fs->f, n * sizeof(field[0]));
	if (r->token->len != 0)
		field[n++] = (struct sigv4_field){
		    VIEW("x-amz-security-token"), {(const char *)r->token->p, r->token->len}};
	struct sigv4_request req = {.method = r->op->method,
	    .path = fs->path,
	    .query = fs->query,
	    .field = field,
	    .field_count = n,
	    .body_sha256_hex = {w->body_hex, sizeof(w->body_hex)}};
	struct sigv4_scope scope = {.date = {w->date, sizeof(w->date)},
	    .region = view_of(r->cred->region),
	    .service = VIEW("bedrock"),
	    .access_key_id =
		r->access_key_id.len != 0 ? r->access_key_id : view_of(r->cred->access_key_id)};
	if (sigv4_sign(&w->sig, &req, &scope, r->secret, signature) != 0)
		return -1;
	if (r->token->len != 0) {
		text_str(t, "x-amz-security-token: ");
		put_secret(t, b, r->token);
	}
	text_str(t, "authorization: AWS4-HMAC-SHA256 Credential=");
	text_view(t, scope.access_key_id);
	text_char(t, '/');
	text_view(t, (struct view){w->date, 8});
	text_char(t, '/');
	text_view(t, scope.region);
	text_str(t, "/bedrock/aws4_request, SignedHeaders=");
	text_view(t, w->sig.signed_headers);
	text_str(t, ", Signature=");
	text_view(t, (struct view){signature, sizeof(signature)});
	text_str(t, CRLF);
	return 0;
}

static int
put_auth(struct text *t, struct head_work *w, const struct head_request *r, const struct fields *fs,
    struct head_built *b)
{
	const char *name = NULL;
	switch ((enum auth_scheme)r->cred->auth) {
	case AUTH_BEARER:
	case AUTH_GOOGLE_TOKEN:
	case AUTH_GOOGLE_JWT:
		name = "authorization: Bearer ";
		break;
	case AUTH_API_KEY:
		name = "x-api-key: ";
		break;
	case AUTH_GOOGLE_API_KEY:
		name = "x-goog-api-key: ";
		break;
	case AUTH_AZURE_API_KEY:
		name = "api-key: ";
		break;
	case AUTH_SIGV4:
	case AUTH_STS_SESSION:
	case AUTH_STS_ASSUME_ROLE:
	case AUTH_STS_WEB_IDENTITY:
		return put_sigv4(t, w, r, fs, b);
	}
	BUG_IF(name == NULL); // checked when the credential was stored
	text_str(t, name);
	put_secret(t, b, r->secret);
	return 0;
}

static size_t
round_up(size_t n)
{
	return (n + HEAD_BLOCK - 1) / HEAD_BLOCK * HEAD_BLOCK;
}

// What is public and what is secret are rounded up apart, so that no secret length
// below a block moves the sum across a border.
static void
put_padding(struct text *t, const struct head_built *b)
{
	size_t secret = 0;
	for (size_t i = 0; i < b->span_count; i++)
		secret += b->span[i].len;
	size_t fixed = strlen(PAD_NAME) + 2 * strlen(CRLF);
	size_t total = round_up(t->len - secret + fixed + 1) + round_up(secret);
	size_t zeros = total - t->len - fixed;
	text_str(t, PAD_NAME);
	for (size_t i = 0; i < zeros; i++)
		text_char(t, '0');
	text_str(t, CRLF CRLF);
}

// --- the head ----------------------------------------------------------------------

static void
put_fields(struct text *t, const struct head_request *r, const struct fields *fs)
{
	text_view(t, r->op->method);
	text_char(t, ' ');
	text_view(t, fs->path);
	if (fs->query.len != 0) {
		text_char(t, '?');
		text_view(t, fs->query);
	}
	text_str(t, " HTTP/1.1" CRLF);
	for (size_t i = 0; i < fs->count; i++) {
		text_view(t, fs->f[i].name);
		text_str(t, ": ");
		text_view(t, fs->f[i].value);
		text_str(t, CRLF);
	}
}

SENSITIVE
int
head_build(struct head_work *w, const struct head_request *r, struct head_built *b)
{
	struct text t, path, hex;
	struct fields fs = {0};
	*b = (struct head_built){0};
	text_init(&path, w->path, sizeof(w->path));
	struct catalogue_place place = {.model = r->model,
	    .project = cred_setting(r->cred, SETTING_PROJECT),
	    .region = view_of(r->cred->region)};
	catalogue_path(r->op, &place, &path);
	fs.path = text_done(&path);
	fs.query = put_query(w, r);
	sigv4_date(r->now_s, w->date);
	text_init(&hex, w->body_hex, sizeof(w->body_hex));
	text_hex(&hex, (const uint8_t *)r->use->body_sha256.p, r->use->body_sha256.len);
	collect(&fs, w, r);

	text_init(&t, w->head, sizeof(w->head));
	put_fields(&t, r, &fs);
	if (path.failed || put_auth(&t, w, r, &fs, b) != 0)
		return -1;
	if (t.failed)
		return -1;
	put_padding(&t, b);
	b->head = text_done(&t);
	return t.failed ? -1 : 0;
}

void
head_wipe(struct head_work *w)
{
	sodium_memzero(w, sizeof(*w));
}

// Longest first: the first that fits is taken.
size_t
head_public_len(struct view secret)
{
	static const char *const prefixes[] = {"sk-ant-admin01-", "sk-ant-api03-", "sk-ant-oat01-",
	    "bedrock-api-key-", "ya29.", "IQoJb3JpZ2luX2Vj", "FwoGZXIvYXdz", "sk-svcacct-",
	    "sk-or-v1-", "sk-admin-", "sk-proj-", "sk-ant-", "AIza", "ABSK", "gsk_", "xai-", "sk-"};
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i]);
		if (secret.len > n && memcmp(secret.p, prefixes[i], n) == 0)
			return n;
	}
	return 0;
}
