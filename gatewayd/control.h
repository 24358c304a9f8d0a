// SPDX-License-Identifier: Apache-2.0
// The little that master and worker say to each other, over a SOCK_SEQPACKET pair:
// the worker one byte when it serves, the master a new certificate with its key.
// Both are the same program; still nothing is trusted beyond its lengths.
#ifndef GATEWAYD_CONTROL_H
#define GATEWAYD_CONTROL_H

#include "common/mp.h"

#define CONTROL_PEM_MAX (64U * 1024U) // of one file

struct control_certificate {
	struct view certificate, key; // into memory
	char *memory;
	size_t len;
};

enum control_event { CONTROL_NONE, CONTROL_CLOSED, CONTROL_CERTIFICATE };

// Worker side.
void control_ready(int fd);
enum control_event control_receive(int fd, struct control_certificate *m_r) MUST_CHECK;
void control_forget(struct control_certificate *m); // wipes

// Master side. -1: the worker does not take it.
int control_send(int fd, struct view certificate, struct view key) MUST_CHECK;
// 1: the worker said it is ready; 0: nothing; -1: it is gone.
int control_is_ready(int fd);

#endif
