// SPDX-License-Identifier: Apache-2.0
// Packets between master and worker. May touch: that one socket pair.
#include "gatewayd/control.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX (sizeof(uint32_t) + 2 * CONTROL_PEM_MAX)

void
control_ready(int fd)
{
	// The master may be gone already: the worker then learns it by reading.
	(void)!send(fd, "R", 1, MSG_NOSIGNAL);
}

int
control_is_ready(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == 1 ? 1 : -1;
}

int
control_send(int fd, struct view certificate, struct view key)
{
	if (certificate.len > CONTROL_PEM_MAX || key.len > CONTROL_PEM_MAX)
		return -1;
	char *packet = base_calloc(1, PACKET_MAX);
	uint32_t len = (uint32_t)certificate.len;
	memcpy(packet, &len, sizeof(len));
	memcpy(packet + sizeof(len), certificate.p, certificate.len);
	memcpy(packet + sizeof(len) + len, key.p, key.len);
	size_t total = sizeof(len) + certificate.len + key.len;
	ssize_t n = send(fd, packet, total, MSG_NOSIGNAL);
	sodium_memzero(packet, total);
	free(packet);
	return n == (ssize_t)total ? 0 : -1;
}

enum control_event
control_receive(int fd, struct control_certificate *m_r)
{
	char *packet = base_calloc(1, PACKET_MAX);
	ssize_t n = recv(fd, packet, PACKET_MAX, MSG_DONTWAIT);
	uint32_t len = 0;
	if (n >= (ssize_t)sizeof(len))
		memcpy(&len, packet, sizeof(len));
	if (n < (ssize_t)sizeof(len) || len > (size_t)n - sizeof(len)) {
		bool wait = n < 0 && (errno == EAGAIN || errno == EINTR);
		free(packet);
		return wait ? CONTROL_NONE : CONTROL_CLOSED;
	}
	*m_r = (struct control_certificate){
	    .certificate = {.p = packet + sizeof(len), .len = len},
	    .key = {.p = packet + sizeof(len) + len, .len = (size_t)n - sizeof(len) - len},
	    .memory = packet,
	    .len = (size_t)n,
	};
	return CONTROL_CERTIFICATE;
}

void
control_forget(struct control_certificate *m)
{
	sodium_memzero(m->memory, m->len);
	free(m->memory);
	*m = (struct control_certificate){0};
}
