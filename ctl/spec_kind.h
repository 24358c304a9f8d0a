// SPDX-License-Identifier: Apache-2.0
// Kinds of credentials as people name them: which way of authorization a provider takes,
// which settings go with it, and their grammars. Part of spec_credential(). Pure.
#ifndef CTL_SPEC_KIND_H
#define CTL_SPEC_KIND_H

#include "ctl/spec.h"

// Fills auth, region, access key id, settings and deployments of *put, whose provider is
// set. On a fault returns -1 with one sentence that says what to write instead.
int spec_kind(const struct spec_credential *s, struct msg_credential_put *put,
    char error[SPEC_ERROR_MAX]) MUST_CHECK;

#endif
