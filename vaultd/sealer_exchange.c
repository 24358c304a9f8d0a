// SPDX-License-Identifier: Apache-2.0
// Answers of exchanges. May touch: its own secret memory, the heap for the HTTP head.
#include "vaultd/sealer_exchange.h"

#include <string.h>

#include "common/secmem.h"
#include "vaultd/sealer_sts.h"

#define MESSAGE_MAX 1024U

enum state { IDLE, READING, WHOLE, BROKEN };

struct sealer_exchange {
	enum state state;
	uint64_t format;
	struct http_parser http;
	uint64_t date_s;
	unsigned status;
	size_t len;
	char body[SEALER_EXCHANGE_BODY_MAX];
};

static const struct http_limits limits = {.head_max = 16384,
    .start_line_max = 1024,
    .headers_max = 64,
    .trailer_max = 2048,
    .body_max = SEALER_EXCHANGE_BODY_MAX};

struct sealer_exchange *
sealer_exchange_new(void)
{
	struct sealer_exchange *x = secmem_alloc(sizeof(*x));
	if (x != NULL)
		http_parser_init(&x->http, HTTP_RESPONSE, &limits);
	return x;
}

void
sealer_exchange_free(struct sealer_exchange *x)
{
	if (x == NULL)
		return;
	http_parser_free(&x->http);
	secmem_free(x);
}

int
sealer_exchange_begin(struct sealer_exchange *x, uint64_t format)
{
	if (x->state != IDLE || format != EXCHANGE_STS)
		return -1;
	x->state = READING;
	x->format = format;
	return 0;
}

// --- HTTP ----------------------------------------------------------------------------

static bool
digits(struct view v, size_t at, size_t n, uint64_t *r)
{
	*r = 0;
	for (size_t i = at; i < at + n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		*r = *r * 10 + (uint64_t)(v.p[i] - '0');
	}
	return true;
}

uint64_t
sealer_exchange_date(struct view v)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t day, year, hour, minute, second, month = 0;
	if (v.len != 29 || memcmp(v.p + 25, " GMT", 4) != 0 || v.p[19] != ':' || v.p[22] != ':' ||
	    !digits(v, 5, 2, &day) || !digits(v, 12, 4, &year) || !digits(v, 17, 2, &hour) ||
	    !digits(v, 20, 2, &minute) || !digits(v, 23, 2, &second))
		return 0;
	for (uint64_t i = 0; i < 12; i++)
		if (memcmp(v.p + 8, months + 3 * i, 3) == 0)
			month = i + 1;
	if (month == 0 || year < 1970 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
	    second > 60)
		return 0;
	return sealer_sts_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static void
on_head(struct sealer_exchange *x)
{
	struct view date = http_header(&x->http, "date");
	x->status = x->http.status;
	if (date.p != NULL)
		x->date_s = sealer_exchange_date(date);
}

static void
on_body(struct sealer_exchange *x)
{
	struct view b = x->http.body;
	if (b.len > sizeof(x->body) - x->len) {
		x->state = BROKEN;
		return;
	}
	memcpy(x->body + x->len, b.p, b.len);
	x->len += b.len;
}

bool
sealer_exchange_feed(struct sealer_exchange *x, const uint8_t *p, size_t n)
{
	while (x->state == READING) {
		size_t used;
		enum http_event e = http_parse_feed(&x->http, (const char *)p, n, &used);
		p += used;
		n -= used;
		if (e == HTTP_NEED_MORE)
			return false;
		if (e == HTTP_HEAD)
			on_head(x);
		else if (e == HTTP_BODY)
			on_body(x);
		else if (e == HTTP_END)
			x->state = WHOLE;
		else if (e == HTTP_FAILED)
			x->state = BROKEN;
	}
	return x->state == WHOLE || x->state == BROKEN;
}

bool
sealer_exchange_eof(struct sealer_exchange *x)
{
	if (x->state == READING && x->status != 0 && http_parse_eof(&x->http) == HTTP_EOF_END)
		x->state = WHOLE;
	return x->state == WHOLE;
}

// --- the result ------------------------------------------------------------------------

// Text for people: one printable line.
static struct view
printable(struct view v)
{
	char *p = (char *)(uintptr_t)v.p; // into x->body, which is ours
	v.len = MIN(v.len, MESSAGE_MAX);
	for (size_t i = 0; i < v.len; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			p[i] = '?';
	return v;
}

void
sealer_exchange_result(struct sealer_exchange *x, struct msg_exchanged *m)
{
	*m = (struct msg_exchanged){0};
	bool whole = x->state == WHOLE;
	struct msg_exchanged read = {0};
	if (whole && sealer_sts_read(x->body, x->len, &read) == 0)
		*m = read;
	else if (whole)
		*m = (struct msg_exchanged){.code = VIEW("bad_answer"),
		    .message = VIEW("The answer is not the XML that STS sends.")};
	else
		*m = (struct msg_exchanged){.fault = LANE_PROTOCOL,
		    .code = VIEW("bad_answer"),
		    .message = VIEW("The answer is no HTTP that can be read.")};
	m->status = whole ? x->status : 0;
	m->server_time_s = x->date_s;
	// Keys in an answer that is no success are nobody's.
	if (m->status != 200 && m->secret.len != 0)
		*m = (struct msg_exchanged){.status = x->status,
		    .server_time_s = x->date_s,
		    .code = VIEW("bad_answer"),
		    .message = VIEW("Credentials came with an error status.")};
	if (whole && m->message.p >= x->body && m->message.p < x->body + sizeof(x->body))
		m->message = printable(m->message);
}
