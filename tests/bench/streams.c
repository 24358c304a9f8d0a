// SPDX-License-Identifier: Apache-2.0
// Load generator for streams: opens N streamed chat requests at once, over plain
// HTTP or TLS, and measures time to the first answer byte and the age of each event,
// which the demo provider's `stamp-COUNT-MS` models put into it (CLOCK_MONOTONIC of
// the same machine). Prints one JSON object. May touch: TCP to the address given.
//
//   streams plain|tls HOST PORT BEARER COUNT MODEL SECONDS [PER-SECOND]
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CARRY 64U // longest piece of an event that may hang over a read

struct stream {
	int fd;
	SSL *ssl;
	bool sent;
	bool got;
	bool done;
	uint64_t sent_ns;
	char carry[CARRY];
	size_t carry_len;
};

struct samples {
	uint64_t *v;
	size_t n;
	size_t cap;
};

static struct samples first_byte, event_age;
static unsigned opened, finished, failed;
static SSL_CTX *ctx;
static char request[2048];
static size_t request_len;

static uint64_t
now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void
add(struct samples *s, uint64_t v)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 4096 : s->cap * 2;
		s->v = realloc(s->v, s->cap * sizeof(*s->v));
		if (s->v == NULL)
			exit(2);
	}
	s->v[s->n++] = v;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static double
percentile_us(struct samples *s, unsigned p)
{
	if (s->n == 0)
		return -1;
	qsort(s->v, s->n, sizeof(*s->v), compare);
	size_t at = s->n * p / 100;
	return (double)s->v[at < s->n ? at : s->n - 1] / 1000.0;
}

// Finds `"content":"<digits>"` stamps; a stamp cut by the read boundary is kept.
static void
scan(struct stream *s, const char *data, size_t len, uint64_t now)
{
	static char buf[CARRY + 65536];
	static const char mark[] = "\"content\":\"";
	memcpy(buf, s->carry, s->carry_len);
	memcpy(buf + s->carry_len, data, len);
	size_t n = s->carry_len + len, at = 0;
	for (;;) {
		char *hit = memmem(buf + at, n - at, mark, sizeof(mark) - 1);
		if (hit == NULL)
			break;
		char *digits = hit + sizeof(mark) - 1;
		size_t left = n - (size_t)(digits - buf);
		char *quote = memchr(digits, '"', left);
		if (quote == NULL) {
			at = (size_t)(hit - buf);
			goto keep;
		}
		uint64_t stamp = strtoull(digits, NULL, 10);
		if (stamp > 1000000000U && stamp <= now)
			add(&event_age, now - stamp);
		at = (size_t)(quote - buf);
	}
	if (n - at > sizeof(mark))
		at = n - sizeof(mark);
keep:
	s->carry_len = n - at < CARRY ? n - at : 0;
	memcpy(s->carry, buf + at, s->carry_len);
}

static ssize_t
io(struct stream *s, bool out, void *p, size_t n)
{
	if (s->ssl == NULL)
		return out ? write(s->fd, p, n) : read(s->fd, p, n);
	int r = out ? SSL_write(s->ssl, p, (int)n) : SSL_read(s->ssl, p, (int)n);
	if (r > 0)
		return r;
	int e = SSL_get_error(s->ssl, r);
	errno = EAGAIN;
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static void
end(struct stream *s, bool ok)
{
	if (s->done)
		return;
	s->done = true;
	if (ok)
		finished++;
	else
		failed++;
	SSL_free(s->ssl);
	close(s->fd);
}

static void
pump(struct stream *s)
{
	static char buf[65536];
	if (!s->sent) {
		ssize_t w = io(s, true, request, request_len);
		if (w < 0 && errno == EAGAIN)
			return;
		if (w != (ssize_t)request_len) {
			end(s, false);
			return;
		}
		s->sent = true;
		s->sent_ns = now_ns();
	}
	for (;;) {
		ssize_t r = io(s, false, buf, sizeof(buf));
		if (r < 0 && errno == EAGAIN)
			return;
		if (r <= 0) {
			end(s, false);
			return;
		}
		uint64_t now = now_ns();
		if (!s->got) {
			s->got = true;
			add(&first_byte, now - s->sent_ns);
			if (memcmp(buf, "HTTP/1.1 200", 12) != 0) {
				if (failed == 0)
					fprintf(stderr, "first refusal: %.*s\n", (int)r, buf);
				end(s, false);
				return;
			}
		}
		scan(s, buf, (size_t)r, now);
		if (memmem(buf, (size_t)r, "[DONE]", 6) != NULL) {
			end(s, true);
			return;
		}
	}
}

static bool
start(struct stream *s, const struct sockaddr_in *to, int ep)
{
	int one = 1;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
		return false;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	if (ctx != NULL) {
		s->ssl = SSL_new(ctx);
		SSL_set_fd(s->ssl, s->fd);
		SSL_set_connect_state(s->ssl);
	}
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s};
	opened++;
	return epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev) == 0;
}

int
main(int argc, char **argv)
{
	if (argc != 8 && argc != 9) {
		fprintf(stderr,
		    "usage: streams plain|tls HOST PORT BEARER COUNT MODEL SECONDS [PER-SECOND]\n");
		return 2;
	}
	struct rlimit rl = {.rlim_cur = 65536, .rlim_max = 65536};
	setrlimit(RLIMIT_NOFILE, &rl);
	if (strcmp(argv[1], "tls") == 0)
		ctx = SSL_CTX_new(TLS_client_method());
	char body[512];
	snprintf(body, sizeof(body),
	    "{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}"
	    "]}",
	    argv[6]);
	snprintf(request, sizeof(request),
	    "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    argv[4], strlen(body), body);
	request_len = strlen(request);
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10))};
	inet_pton(AF_INET, argv[2], &to.sin_addr);
	size_t count = (size_t)strtoul(argv[5], NULL, 10);
	struct stream *all = calloc(count, sizeof(*all));
	int ep = epoll_create1(0);
	uint64_t per_second = argc == 9 ? strtoul(argv[8], NULL, 10) : UINT32_MAX;
	uint64_t begun = now_ns();
	uint64_t until = now_ns() + (uint64_t)strtoul(argv[7], NULL, 10) * 1000000000U;
	struct epoll_event ev[256];
	while ((opened < count || finished + failed < opened) && now_ns() < until) {
		uint64_t due = (now_ns() - begun) * per_second / 1000000000U + 1;
		for (int i = 0; i < 8 && opened < count && opened < due; i++)
			if (!start(&all[opened], &to, ep))
				failed++;
		int n = epoll_wait(ep, ev, 256, opened < count ? 0 : 100);
		for (int i = 0; i < n; i++) {
			struct stream *s = ev[i].data.ptr;
			if (!s->done)
				pump(s);
		}
	}
	unsigned open_now = 0;
	for (size_t i = 0; i < opened; i++)
		open_now += all[i].got && !all[i].done;
	printf("{\"opened\": %u, \"open\": %u, \"finished\": %u, \"failed\": %u, \"events\": %zu, "
	       "\"first_byte_p50_us\": %.1f, \"first_byte_p99_us\": %.1f, \"event_p50_us\": %.1f, "
	       "\"event_p99_us\": %.1f}\n",
	    opened, open_now, finished, failed, event_age.n, percentile_us(&first_byte, 50),
	    percentile_us(&first_byte, 99), percentile_us(&event_age, 50),
	    percentile_us(&event_age, 99));
	return 0;
}
