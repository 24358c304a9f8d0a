// SPDX-License-Identifier: Apache-2.0
// The two public documents of the vault's OIDC issuer, as this worker serves them without
// asking for a key: what AWS fetches to check the vault's tokens. They stay when the vault
// goes away. Pure.
#ifndef GATEWAYD_ISSUER_DOCS_H
#define GATEWAYD_ISSUER_DOCS_H

#include "proto/issuer_doc.h"

enum issuer_doc { ISSUER_DOC_NONE, ISSUER_DOC_CONFIGURATION, ISSUER_DOC_JWKS, ISSUER_DOC_COUNT };

// Zeroed: there is no issuer.
struct issuer_docs {
	struct buf doc[ISSUER_DOC_COUNT];
	char path[256]; // of the issuer's URL, "" if it has none
};

void issuer_docs_set(struct issuer_docs *d, const struct msg_issuer_item *m);
void issuer_docs_free(struct issuer_docs *d);

// Which of them this path names: below the issuer's own path, or below none, for a proxy
// in front that took it off.
enum issuer_doc issuer_docs_find(const struct issuer_docs *d, struct view path);

// A whole answer, in a static buffer. which: not NONE.
struct view issuer_docs_answer(const struct issuer_docs *d, enum issuer_doc which, bool keep);

#endif
