// SPDX-License-Identifier: Apache-2.0
// Recomputes the signature of one request. Pure but for the per-day cache of the
// derived key in struct provider_key.
#include "ctl/provider_sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SIGNED_MAX 32
#define HEX_LEN	   64

struct authorization {
	struct view akid, day, region, service;
	struct view scope; // day/region/service/aws4_request
	struct view signed_headers;
	struct view signature;
	struct view names[SIGNED_MAX];
	size_t name_count;
};

static struct provider_verdict
incomplete(const char *message)
{
	return (struct provider_verdict){"IncompleteSignatureException", message, 403};
}

static struct provider_verdict
invalid(const char *message)
{
	return (struct provider_verdict){"InvalidSignatureException", message, 403};
}

// --- the Authorization header --------------------------------------------------

static struct view
take_until(struct view *v, char c)
{
	size_t n = 0;
	while (n < v->len && v->p[n] != c)
		n++;
	struct view part = {v->p, n};
	size_t step = n + (n < v->len);
	v->p += step;
	v->len -= step;
	return part;
}

static bool
take_prefix(struct view *v, const char *prefix)
{
	size_t n = strlen(prefix);
	if (v->len < n || memcmp(v->p, prefix, n) != 0)
		return false;
	v->p += n;
	v->len -= n;
	return true;
}

static struct view
trim(struct view v)
{
	while (v.len != 0 && v.p[0] == ' ')
		v = (struct view){v.p + 1, v.len - 1};
	while (v.len != 0 && v.p[v.len - 1] == ' ')
		v.len--;
	return v;
}

static bool
parse_authorization(struct view v, struct authorization *a)
{
	if (!take_prefix(&v, "AWS4-HMAC-SHA256 "))
		return false;
	while (v.len != 0) {
		struct view part = trim(take_until(&v, ','));
		if (take_prefix(&part, "Credential=")) {
			a->akid = take_until(&part, '/');
			a->scope = part;
			a->day = take_until(&part, '/');
			a->region = take_until(&part, '/');
			a->service = take_until(&part, '/');
			if (!view_eq_str(part, "aws4_request"))
				return false;
		} else if (take_prefix(&part, "SignedHeaders=")) {
			a->signed_headers = part;
			while (part.len != 0 && a->name_count < SIGNED_MAX)
				a->names[a->name_count++] = take_until(&part, ';');
			if (part.len != 0)
				return false;
		} else if (take_prefix(&part, "Signature=")) {
			a->signature = part;
		} else {
			return false;
		}
	}
	return a->akid.len != 0 && a->name_count != 0 && a->signature.len == HEX_LEN;
}

// Names in SignedHeaders are lower case, sorted, and each is in the request.
static bool
names_in_order(const struct authorization *a)
{
	for (size_t i = 1; i < a->name_count; i++) {
		struct view x = a->names[i - 1];
		struct view y = a->names[i];
		int c = memcmp(x.p, y.p, MIN(x.len, y.len));
		if (c > 0 || (c == 0 && x.len >= y.len))
			return false;
	}
	return true;
}

static bool
is_signed(const struct authorization *a, struct view name)
{
	for (size_t i = 0; i < a->name_count; i++)
		if (a->names[i].len == name.len &&
		    strncasecmp(a->names[i].p, name.p, name.len) == 0)
			return true;
	return false;
}

// --- canonical request ---------------------------------------------------------

static void
hash_view(EVP_MD_CTX *h, struct view v)
{
	EVP_DigestUpdate(h, v.p, v.len);
}

static bool
unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

static void
hash_encoded(EVP_MD_CTX *h, struct view v)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];
		char e[3] = {'%', hex[c >> 4], hex[c & 15]};
		if (unreserved(c))
			EVP_DigestUpdate(h, v.p + i, 1);
		else
			EVP_DigestUpdate(h, e, 3);
	}
}

// Wire path, normalised (empty and "." segments out, ".." resolved), then encoded
// once more: a "%3A" on the wire becomes "%253A".
static bool
hash_path(EVP_MD_CTX *h, struct view path)
{
	struct view seg[128];
	size_t n = 0;
	bool slash_end = path.len != 0 && path.p[path.len - 1] == '/';
	while (path.len != 0) {
		struct view s = take_until(&path, '/');
		if (s.len == 0 || view_eq_str(s, "."))
			continue;
		if (view_eq_str(s, "..")) {
			n -= n != 0;
			continue;
		}
		if (n == ARRAY_LEN(seg))
			return false;
		seg[n++] = s;
	}
	for (size_t i = 0; i < n; i++) {
		hash_view(h, VIEW("/"));
		hash_encoded(h, seg[i]);
	}
	if (n == 0 || slash_end)
		hash_view(h, VIEW("/"));
	return true;
}

struct pair {
	struct view name, value;
};

static int
pair_order(const void *a, const void *b)
{
	const struct pair *x = a;
	const struct pair *y = b;
	int c = memcmp(x->name.p, y->name.p, MIN(x->name.len, y->name.len));
	if (c == 0 && x->name.len != y->name.len)
		c = x->name.len < y->name.len ? -1 : 1;
	if (c == 0)
		c = memcmp(x->value.p, y->value.p, MIN(x->value.len, y->value.len));
	return c;
}

// No parameter of the catalogue needs escapes, so names and values are taken as
// they are on the wire (an escape there is already in its canonical form).
static bool
hash_query(EVP_MD_CTX *h, struct view query)
{
	struct pair pairs[32];
	size_t n = 0;
	while (query.len != 0) {
		struct view item = take_until(&query, '&');
		if (item.len == 0)
			continue;
		if (n == ARRAY_LEN(pairs))
			return false;
		pairs[n].name = take_until(&item, '=');
		pairs[n++].value = item;
	}
	qsort(pairs, n, sizeof(pairs[0]), pair_order);
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			hash_view(h, VIEW("&"));
		hash_view(h, pairs[i].name);
		hash_view(h, VIEW("="));
		hash_view(h, pairs[i].value);
	}
	return true;
}

static void
hash_value(EVP_MD_CTX *h, struct view v)
{
	v = trim(v);
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] != ' ' || v.p[i - 1] != ' ')
			EVP_DigestUpdate(h, v.p + i, 1);
}

static bool
hash_header(EVP_MD_CTX *h, const struct http_parser *http, struct view name)
{
	size_t seen = 0;
	for (size_t i = 0; i < http_header_count(http); i++) {
		struct view n;
		struct view v;
		http_header_at(http, i, &n, &v);
		if (n.len != name.len || strncasecmp(n.p, name.p, n.len) != 0)
			continue;
		if (seen++ == 0)
			hash_view(h, name);
		hash_view(h, seen == 1 ? VIEW(":") : VIEW(","));
		hash_value(h, v);
	}
	hash_view(h, VIEW("\n"));
	return seen != 0;
}

static void
to_hex(const uint8_t *p, char out[HEX_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	for (size_t i = 0; i < 32; i++) {
		out[2 * i] = hex[p[i] >> 4];
		out[2 * i + 1] = hex[p[i] & 15];
	}
	out[HEX_LEN] = '\0';
}

static bool
canonical_hash(const struct http_parser *http, const struct authorization *a, const char *body_hex,
    char out[HEX_LEN + 1])
{
	EVP_MD_CTX *h = EVP_MD_CTX_new();
	uint8_t md[32];
	bool ok = h != NULL && EVP_DigestInit_ex(h, EVP_sha256(), NULL) == 1;
	if (ok) {
		hash_view(h, http->method);
		hash_view(h, VIEW("\n"));
		ok = hash_path(h, http->path);
		hash_view(h, VIEW("\n"));
		ok = ok && hash_query(h, http->query);
		hash_view(h, VIEW("\n"));
		for (size_t i = 0; i < a->name_count; i++)
			ok = hash_header(h, http, a->names[i]) && ok;
		hash_view(h, VIEW("\n"));
		hash_view(h, a->signed_headers);
		hash_view(h, VIEW("\n"));
		hash_view(h, view_of(body_hex));
		ok = EVP_DigestFinal_ex(h, md, NULL) == 1 && ok;
	}
	EVP_MD_CTX_free(h);
	to_hex(md, out);
	return ok;
}

// --- key and signature ---------------------------------------------------------

static void
hmac(const uint8_t key[32], struct view v, uint8_t out[32])
{
	HMAC(EVP_sha256(), key, 32, (const uint8_t *)v.p, v.len, out, NULL);
}

static void
derive(struct provider_key *k, struct view day)
{
	if (view_eq_str(day, k->day))
		return;
	char first[PROVIDER_KEYS_FIELD_MAX + 8];
	int n = snprintf(first, sizeof(first), "AWS4%s", k->secret);
	uint8_t t[32];
	HMAC(EVP_sha256(), first, n, (const uint8_t *)day.p, day.len, t, NULL);
	hmac(t, view_of(k->region), t);
	hmac(t, VIEW("bedrock"), t);
	hmac(t, VIEW("aws4_request"), k->signing);
	memcpy(k->day, day.p, 8);
	k->day[8] = '\0';
}

// --- checks, in the order in which the service reports them --------------------

static struct provider_verdict
check_date(struct view date, const struct authorization *a, time_t now)
{
	char text[17];
	struct tm tm = {0};
	if (date.len != 16 || view_copy(date, text, sizeof(text)) != 0 ||
	    strptime(text, "%Y%m%dT%H%M%SZ", &tm) == NULL)
		return incomplete("Authorization header requires a valid 'X-Amz-Date'.");
	if (a->day.len != 8 || memcmp(a->day.p, text, 8) != 0)
		return invalid("Date in Credential scope does not match X-Amz-Date.");
	time_t then = timegm(&tm);
	if (then > now + PROVIDER_SIGV4_SKEW)
		return invalid("Signature not yet current.");
	if (then < now - PROVIDER_SIGV4_SKEW)
		return invalid("Signature expired.");
	return (struct provider_verdict){0};
}

static struct provider_verdict
check_signed_headers(const struct http_parser *http, const struct authorization *a)
{
	if (!names_in_order(a))
		return incomplete("SignedHeaders must be lower case and sorted.");
	if (!is_signed(a, VIEW("host")))
		return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.");
	for (size_t i = 0; i < http_header_count(http); i++) {
		struct view n;
		struct view v;
		http_header_at(http, i, &n, &v);
		if (n.len > 6 && strncasecmp(n.p, "x-amz-", 6) == 0 && !is_signed(a, n))
			return invalid("Every x-amz- header must be signed.");
	}
	return (struct provider_verdict){0};
}

static struct provider_verdict
check_scope(const struct provider_key *k, const struct authorization *a)
{
	if (!view_eq_str(a->service, "bedrock"))
		return invalid("Credential should be scoped to correct service: 'bedrock'.");
	if (!view_eq_str(a->region, k->region))
		return invalid("Credential should be scoped to a valid region.");
	return (struct provider_verdict){0};
}

static struct provider_verdict
check_token(const struct provider_key *k, const struct http_parser *http)
{
	struct view token = http_header(http, "x-amz-security-token");
	bool right = k->token == NULL ? token.p == NULL : view_eq_str(token, k->token);
	if (!right)
		return (struct provider_verdict){"UnrecognizedClientException",
		    "The security token included in the request is invalid.", 403};
	return (struct provider_verdict){0};
}

static struct provider_verdict
check_signature(struct provider_key *k, const struct http_parser *http,
    const struct authorization *a, const char *body_hex)
{
	static const char wrong[] =
	    "The request signature we calculated does not match the signature you provided. Check "
	    "your AWS Secret Access Key and signing method. Consult the service documentation for "
	    "details.";
	char canonical[HEX_LEN + 1];
	if (!canonical_hash(http, a, body_hex, canonical))
		return invalid("A signed header is not part of the request.");
	char text[512];
	struct view date = http_header(http, "x-amz-date");
	int n = snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%s", (int)date.len,
	    date.p, (int)a->scope.len, a->scope.p, canonical);
	if (n < 0 || (size_t)n >= sizeof(text))
		return invalid(wrong);
	uint8_t mac[32];
	char mac_hex[HEX_LEN + 1];
	derive(k, a->day);
	hmac(k->signing, (struct view){text, (size_t)n}, mac);
	to_hex(mac, mac_hex);
	if (CRYPTO_memcmp(mac_hex, a->signature.p, HEX_LEN) != 0)
		return invalid(wrong);
	return (struct provider_verdict){0};
}

struct provider_verdict
provider_sigv4_check(
    struct provider_keys *keys, const struct http_parser *http, struct view body, time_t now)
{
	struct authorization a = {0};
	struct view header = http_header(http, "authorization");
	if (header.p == NULL)
		return (struct provider_verdict){
		    "MissingAuthenticationTokenException", "Missing Authentication Token", 403};
	if (http_header_repeats(http, "authorization") != 1 ||
	    http_header_repeats(http, "x-amz-date") != 1 || !parse_authorization(header, &a))
		return incomplete("Authorization header must be one AWS4-HMAC-SHA256 line with "
				  "Credential, SignedHeaders and Signature, beside X-Amz-Date.");
	struct provider_key *k = provider_keys_find(keys, KEYS_BEDROCK, a.akid);
	if (k == NULL)
		return (struct provider_verdict){"UnrecognizedClientException",
		    "The security token included in the request is invalid.", 403};
	struct provider_verdict r = check_date(http_header(http, "x-amz-date"), &a, now);
	if (r.type == NULL)
		r = check_signed_headers(http, &a);
	if (r.type == NULL)
		r = check_scope(k, &a);
	if (r.type == NULL)
		r = check_token(k, http);
	if (r.type != NULL)
		return r;

	uint8_t md[32];
	char body_hex[HEX_LEN + 1];
	SHA256((const uint8_t *)body.p, body.len, md);
	to_hex(md, body_hex);
	struct view sent = http_header(http, "x-amz-content-sha256");
	if (sent.p != NULL && !view_eq_str(sent, body_hex))
		return invalid("The value of X-Amz-Content-Sha256 does not match the body.");
	return check_signature(k, http, &a, body_hex);
}
