// SPDX-License-Identifier: Apache-2.0
// What applications need to know of a stack, as files to be read by a shell:
//
//	DIR/demo.env	SALLYPORT_URL, SALLYPORT_KEY, ...
//	DIR/clients.env	the variables that the official SDKs read, exported
//
// May touch: these files.
#ifndef CTL_UP_ENV_H
#define CTL_UP_ENV_H

#include "ctl/spec.h"
#include "ctl/up_stack.h"

struct up_urls {
	const char *plain; // "http://127.0.0.1:8080"
	const char *tls;   // or NULL
};

// real: the provider that the stack is for; NULL: the demo's, or none yet. -1 after saying
// why.
int up_env_write(const struct up_stack *s, const struct up_urls *urls,
    const struct spec_credential *real, struct view key) MUST_CHECK;

// The virtual key of the last start, if its file still has one.
bool up_env_stored_key(const struct up_stack *s, char *out, size_t size);

// A model to try it with.
const char *up_env_model(const struct spec_credential *real);

#endif
