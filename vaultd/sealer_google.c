// SPDX-License-Identifier: Apache-2.0
// Google's token answer. Pure computation over the caller's memory.
#include "vaultd/sealer_google.h"

#include "common/jv.h"

#define TOKEN_MAX 8192U

// Escapes are undone where they are; a token has none but "\/" and the like. -1: no string,
// empty, too long, or not all visible ASCII.
static int
take_token(char *json, struct jv v, struct view *r)
{
	if (!jv_is(v, JV_STRING))
		return -1;
	char *p = json + (v.text.p - json) + 1;
	size_t n = v.text.len - 2, out = 0;
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		if (c == '\\') {
			c = p[++i];
			if (c != '/' && c != '"' && c != '\\')
				return -1;
		}
		if (c < 0x21 || c > 0x7e)
			return -1;
		p[out++] = c;
	}
	*r = (struct view){p, out};
	return out == 0 || out > TOKEN_MAX ? -1 : 0;
}

static bool
is_bearer(struct jv v)
{
	return jv_eq(v, "Bearer") || jv_eq(v, "bearer");
}

int
sealer_google_read(char *json, size_t len, struct msg_exchanged *m)
{
	struct view text = {json, len};
	if (jv_check(text, NULL) != JV_OK)
		return -1;
	struct jv root = jv_root(text);
	if (!jv_is(root, JV_OBJECT) || !is_bearer(jv_get(root, "token_type")))
		return -1;
	m->expires_s = jv_u64(jv_get(root, "expires_in"), 0);
	if (m->expires_s == 0 || m->expires_s > SEALER_GOOGLE_LIFE_MAX)
		return -1;
	return take_token(json, jv_get(root, "access_token"), &m->secret);
}
