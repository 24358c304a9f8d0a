// SPDX-License-Identifier: Apache-2.0
// Making and describing sockets. May touch: the file system (Unix socket paths),
// the network address space, the notify socket of the service manager.
#include "common/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BACKLOG 4096

static int
close_keep_errno(int fd)
{
	int e = errno;
	close(fd);
	errno = e;
	return -1;
}

static int
unix_address(const char *path, struct sockaddr_un *sun_r)
{
	*sun_r = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sun_r->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun_r->sun_path, path, strlen(path) + 1);
	return 0;
}

int
sock_listen_unix(const char *path, mode_t mode)
{
	struct sockaddr_un sun;
	if (unix_address(path, &sun) != 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return close_keep_errno(fd);
	return fd;
}

// Splits "host:port" or "[v6]:port"; only numeric addresses are accepted.
static struct addrinfo *
numeric_address(const char *address)
{
	char host[64];
	const char *colon = strrchr(address, ':');
	if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
		return NULL;
	size_t n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	memcpy(host, address, n);
	host[n] = '\0';
	struct addrinfo hints = {
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *ai = NULL;
	return getaddrinfo(host, colon + 1, &hints, &ai) == 0 ? ai : NULL;
}

int
sock_listen_tcp(const char *address, bool reuse_port)
{
	struct addrinfo *ai = numeric_address(address);
	if (ai == NULL) {
		errno = EINVAL;
		return -1;
	}
	int one = 1;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 &&
	    (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		(reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) ||
		bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0))
		fd = close_keep_errno(fd);
	freeaddrinfo(ai);
	return fd;
}

int
sock_connect_unix(const char *path, bool blocking)
{
	struct sockaddr_un sun;
	if (unix_address(path, &sun) != 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		return close_keep_errno(fd);
	return fd;
}

int
sock_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
}

int
sock_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
sock_peer_uid(int fd, uid_t *uid_r, pid_t *pid_r)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return -1;
	*uid_r = cred.uid;
	if (pid_r != NULL)
		*pid_r = cred.pid;
	return 0;
}

uint16_t
sock_local_port(int fd)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return 0;
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port);
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
	return 0;
}

int
sock_uid_of(const char *user, uid_t *uid_r)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(user, &end, 10);
	if (user[0] >= '0' && user[0] <= '9' && *end == '\0' && errno == 0 && n < UINT32_MAX) {
		*uid_r = (uid_t)n;
		return 0;
	}
	FILE *f = fopen("/etc/passwd", "re");
	if (f == NULL)
		return -1;
	int found = -1;
	for (struct passwd *pw; found < 0 && (pw = fgetpwent(f)) != NULL;) {
		if (strcmp(pw->pw_name, user) != 0)
			continue;
		*uid_r = pw->pw_uid;
		found = 0;
	}
	fclose(f);
	if (found < 0)
		errno = ENOENT;
	return found;
}

int
sock_activated(const char *name)
{
	char **names = NULL;
	int found = -1;
	int n = sd_listen_fds_with_names(0, &names);
	for (int i = 0; i < n; i++) {
		if (found < 0 && strcmp(names[i], name) == 0)
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	if (found >= 0 && fcntl(found, F_SETFL, fcntl(found, F_GETFL) | O_NONBLOCK) != 0)
		return -1;
	return found;
}

static int notify_fd = -1;

int
sock_notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun;
	if (path == NULL || path[0] == '\0' || unix_address(path, &sun) != 0)
		return -1;
	socklen_t len = sizeof(sun);
	if (path[0] == '@') { // abstract: a NUL byte instead, and no NUL at the end
		sun.sun_path[0] = '\0';
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, len) != 0)
		fd = close_keep_errno(fd);
	notify_fd = fd;
	return fd;
}

void
sock_notify(const char *state)
{
	// Fails only without a service manager, which is a legal way to run.
	if (notify_fd >= 0)
		(void)!write(notify_fd, state, strlen(state));
	else
		(void)sd_notify(0, state);
}
