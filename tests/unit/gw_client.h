// SPDX-License-Identifier: Apache-2.0
// The client's side of gw_fixture.h, which includes this where its struct is known.
#ifndef TEST_GW_CLIENT_H
#define TEST_GW_CLIENT_H

static inline void
gw_connect_client(void)
{
	int fds[2];
	struct sockaddr none = {.sa_family = AF_UNIX};
	if (gw.client >= 0)
		close(gw.client);
	gw.answer_len = 0;
	assert_int_equal(sock_pair(fds), 0);
	assert_true(limits_connect(&gw.w.limits, 0));
	client_new(&gw.w, fds[0], NULL, &none, 0);
	gw.client = fds[1];
}

static inline void
gw_write(const char *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(gw.client, p + at, len - at);
		if (n > 0)
			at += (size_t)n;
		gw_turn();
	}
}

static inline void
gw_post_to(const char *path, const char *body)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	    "POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: sp-1\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    path, strlen(body));
	gw_write(head, (size_t)n);
	gw_write(body, strlen(body));
}

static inline void
gw_post(const char *body)
{
	gw_post_to("/v1/chat/completions", body);
}

// Reads until the text holds `until`, or the connection ends (then until may be NULL).
static inline const char *
gw_read(const char *until)
{
	for (int i = 0; i < 2000; i++) {
		gw_turn();
		ssize_t n = read(
		    gw.client, gw.answer + gw.answer_len, sizeof(gw.answer) - 1 - gw.answer_len);
		if (n > 0)
			gw.answer_len += (size_t)n;
		gw.answer[gw.answer_len] = '\0';
		if (until != NULL && strstr(gw.answer, until) != NULL)
			return gw.answer;
		if (n == 0) {
			if (until != NULL)
				fail_msg("closed without '%s': %s", until, gw.answer);
			return gw.answer;
		}
		if (n < 0)
			usleep(1000);
	}
	fail_msg("'%s' did not come: %s", until == NULL ? "(end)" : until, gw.answer);
	return NULL;
}

#endif
