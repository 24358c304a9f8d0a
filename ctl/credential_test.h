// SPDX-License-Identifier: Apache-2.0
// Trying a credential. May touch: the admin socket.
#ifndef CTL_CREDENTIAL_TEST_H
#define CTL_CREDENTIAL_TEST_H

#include "ctl/client.h"

// Tries what was just stored with one cheap request and prints the outcome; that it could
// not be tried is no failure. An exit status.
int credential_test_new(struct client *c, const char *name) MUST_CHECK;

#endif
