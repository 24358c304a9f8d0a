// SPDX-License-Identifier: Apache-2.0
// The command's end of the vault's admin socket: blocking calls, buffers in
// secret memory. May touch: that socket.
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "proto/msg.h"

struct client;

union client_reply {
	struct msg_status_reply status;
	struct msg_credential_item credential;
	struct msg_vkey_issued issued;
	struct msg_vkey_item vkey;
	struct msg_done done;
	struct msg_error error;
	struct msg_credential_tested tested;
	struct msg_issuer_item issuer;
	struct msg_catalogue_begin begin; // rows as in `row`
	union msg_any row;
	struct msg_catalogue_end end;
};

// Makes the arena for secrets of this process; false after saying why not.
bool client_secrets_ready(void) MUST_CHECK;

// Connects to the vault at path. NULL after saying why and what to try.
struct client *client_open(const char *path);
// The same for the stack that the command line names.
struct client *client_dial(void);
void client_close(struct client *c); // NULL is allowed

// Sends one request and gives the type of the first answer, decoded into *r (views
// live until the next call). 0 after saying what went wrong; a MSG_ERROR is
// printed as "what: message" and gives 0 too.
uint8_t client_call(struct client *c, uint8_t type, const void *msg, const char *what,
    union client_reply *r) MUST_CHECK;

// Sends without waiting for an answer: a part of a sequence that client_call() ends.
bool client_send(struct client *c, uint8_t type, const void *msg, const char *what) MUST_CHECK;

// For requests that the vault answers only after asking somebody else.
void client_wait_longer(struct client *c, unsigned seconds);

// The next answer to the same request (lists end with MSG_DONE).
uint8_t client_next(struct client *c, const char *what, union client_reply *r) MUST_CHECK;

// Runs fn for every item of a list request. False if the list did not end well.
bool client_each(struct client *c, uint8_t list_type, const char *what,
    void (*fn)(void *cookie, const union client_reply *r), void *cookie) MUST_CHECK;

#endif
