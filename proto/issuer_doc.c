// SPDX-License-Identifier: Apache-2.0
// Writing the issuer's documents. Pure.
#include "proto/issuer_doc.h"

#include "common/jv.h"

void
issuer_doc_configuration(const struct msg_issuer_item *m, struct buf *out)
{
	struct view base = m->url;
	if (base.len != 0 && base.p[base.len - 1] == '/')
		base.len--;
	buf_char(out, '{');
	jv_put_member_text(out, "issuer", m->url);
	jv_put_name(out, "jwks_uri");
	buf_char(out, '"');
	jv_put_escaped(out, base);
	buf_str(out, ISSUER_DOC_JWKS_PATH "\"");
	buf_str(out, ",\"response_types_supported\":[\"id_token\"]"
		     ",\"subject_types_supported\":[\"public\"]"
		     ",\"id_token_signing_alg_values_supported\":[\"RS256\"]"
		     ",\"claims_supported\":[\"iss\",\"sub\",\"aud\",\"exp\",\"iat\"]}\n");
}

void
issuer_doc_jwks(const struct msg_issuer_item *m, struct buf *out)
{
	buf_str(out, "{\"keys\":[");
	for (size_t i = 0; i < m->key_count; i++) {
		const struct msg_issuer_key *k = &m->key[i];
		buf_str(out, i == 0 ? "{" : ",{");
		jv_put_member_text(out, "kty", VIEW("RSA"));
		jv_put_member_text(out, "use", VIEW("sig"));
		jv_put_member_text(out, "alg", VIEW("RS256"));
		jv_put_member_text(out, "kid", k->kid);
		jv_put_member_text(out, "n", k->n);
		jv_put_member_text(out, "e", k->e);
		buf_char(out, '}');
	}
	buf_str(out, "]}\n");
}
