// SPDX-License-Identifier: Apache-2.0
// Sockets: listening, connecting, pairs, peer identity, and systemd activation.
// All descriptors are close-on-exec and non-blocking unless said otherwise.
#ifndef COMMON_SOCK_H
#define COMMON_SOCK_H

#include "common/base.h"

// Listening Unix socket at path (an old one is replaced); mode as for chmod.
int sock_listen_unix(const char *path, mode_t mode) MUST_CHECK;
// "127.0.0.1:8080", "[::1]:8080"; port 0 picks one. reuse_port for several workers.
int sock_listen_tcp(const char *address, bool reuse_port) MUST_CHECK;
int sock_connect_unix(const char *path, bool blocking) MUST_CHECK;
int sock_pair(int fds[2]) MUST_CHECK;				  // SOCK_STREAM
int sock_accept(int listener) MUST_CHECK;			  // -1 with EAGAIN when none waits
int sock_peer_uid(int fd, uid_t *uid_r, pid_t *pid_r) MUST_CHECK; // SO_PEERCRED
uint16_t sock_local_port(int fd);

// "1000", or the name of a user in /etc/passwd (that file alone: other name services
// would leave descriptors open behind the sandbox's back).
int sock_uid_of(const char *user, uid_t *uid_r) MUST_CHECK;

// Descriptor passed by systemd (or by `sallyport up`) under this name in
// LISTEN_FDNAMES, or -1. Removes nothing from the environment.
int sock_activated(const char *name);

// Connects to the notify socket now, for a process that cannot make sockets later;
// sock_notify() then only writes to it. Returns the descriptor, which stays open, or
// -1 when there is no service manager.
int sock_notify_open(void);

// sd_notify with this state, e.g. "READY=1"; does nothing without NOTIFY_SOCKET.
void sock_notify(const char *state);

#endif
