// SPDX-License-Identifier: Apache-2.0
// Tokens. Pure computation, but for libcrypto's signature.
#include "vaultd/jwt.h"

#include <sodium.h>

#include "vaultd/rsa.h"

#define JSON_CAP 3072U

void
jwt_base64url(struct text *t, const void *p, size_t len)
{
	const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	size_t need = sodium_base64_encoded_len(len, variant); // with a NUL
	if (t->failed || need > t->cap - t->len) {
		t->failed = true;
		return;
	}
	sodium_bin2base64(t->p + t->len, need, p, len, variant);
	t->len += need - 1;
}

static bool
plain(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e || v.p[i] == '"' || v.p[i] == '\\')
			return false;
	return true;
}

static void
claim(struct text *t, const char *name, struct view v)
{
	if (v.len == 0)
		return;
	text_str(t, "\"");
	text_str(t, name);
	text_str(t, "\":\"");
	text_view(t, v);
	text_str(t, "\",");
}

static void
put_header(struct text *t, struct view key_id)
{
	char json[JSON_CAP];
	struct text j;
	text_init(&j, json, sizeof(json));
	text_str(&j, "{\"alg\":\"RS256\",");
	claim(&j, "kid", key_id);
	text_str(&j, "\"typ\":\"JWT\"}");
	t->failed = t->failed || j.failed;
	jwt_base64url(t, json, j.len);
}

static void
put_claims(struct text *t, const struct jwt_claims *c)
{
	char json[JSON_CAP];
	struct text j;
	text_init(&j, json, sizeof(json));
	text_char(&j, '{');
	claim(&j, "iss", c->issuer);
	claim(&j, "sub", c->subject);
	claim(&j, "aud", c->audience);
	claim(&j, "scope", c->scope);
	claim(&j, "jti", c->id);
	text_str(&j, "\"iat\":");
	text_uint(&j, c->issued_s);
	text_str(&j, ",\"exp\":");
	text_uint(&j, c->expires_s);
	text_char(&j, '}');
	t->failed = t->failed || j.failed;
	jwt_base64url(t, json, j.len);
}

SENSITIVE
int
jwt_sign(struct text *t, const struct secret *key, struct view key_id, const struct jwt_claims *c)
{
	if (!plain(key_id) || !plain(c->issuer) || !plain(c->subject) || !plain(c->audience) ||
	    !plain(c->scope) || !plain(c->id))
		return -2;
	size_t from = t->len, len = 0;
	put_header(t, key_id);
	text_char(t, '.');
	put_claims(t, c);
	uint8_t *signature = secmem_alloc(RSA_KEY_LEN_MAX);
	int r = signature == NULL ? -1 : 0;
	if (r == 0 && !t->failed)
		r = rsa_sign(key, (struct view){t->p + from, t->len - from}, signature, &len);
	text_char(t, '.');
	jwt_base64url(t, signature, len);
	secmem_free(signature);
	return r;
}
