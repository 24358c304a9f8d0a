// SPDX-License-Identifier: Apache-2.0
// Answers of exchanges. May touch: its own secret memory, the heap for the HTTP head.
#include "vaultd/sealer_exchange.h"

#include <string.h>

#include "common/secmem.h"
#include "proto/upstream_error.h"
#include "vaultd/sealer_google.h"
#include "vaultd/sealer_sts.h"

#define MESSAGE_MAX   1024U
#define NAME_TEXT_MAX 128U

enum state { IDLE, READING, WHOLE, BROKEN };

struct sealer_exchange {
	enum state state;
	uint64_t format;
	struct http_parser http;
	uint64_t date_s;
	unsigned status;
	bool data;	// a content type of the API's, not a page for people
	char type[192]; // x-amzn-errortype
	struct upstream_error error;
	size_t len;
	char body[SEALER_EXCHANGE_BODY_MAX];
};

static const struct http_limits limits = {.head_max = 16384,
    .start_line_max = 1024,
    .headers_max = 64,
    .trailer_max = 2048,
    .body_max = 64U << 20}; // of a list that a probe does not read; others: on_body()

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
	if (x->state != IDLE || format < EXCHANGE_STS || format > EXCHANGE_PROBE)
		return -1;
	x->state = READING;
	x->format = format;
	return 0;
}

bool
sealer_exchange_is_probe(const struct sealer_exchange *x)
{
	return x->format == EXCHANGE_PROBE;
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

static bool
begins(struct view v, const char *text)
{
	size_t n = strlen(text);
	return v.len >= n && memcmp(v.p, text, n) == 0;
}

static bool
success(const struct sealer_exchange *x)
{
	return x->status >= 200 && x->status < 300;
}

// A probe that succeeded is over: what its answer says is of no interest, and may be long.
static void
on_head(struct sealer_exchange *x)
{
	struct view date = http_header(&x->http, "date"),
		    content = http_header(&x->http, "content-type"),
		    type = http_header(&x->http, "x-amzn-errortype");
	x->status = x->http.status;
	x->data = begins(content, "application/json") || begins(content, "text/xml");
	if (date.p != NULL)
		x->date_s = sealer_exchange_date(date);
	if (view_copy(type, x->type, sizeof(x->type)) != 0)
		x->type[0] = '\0';
	if (x->format == EXCHANGE_PROBE && success(x))
		x->state = WHOLE;
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

// Text for people: one printable line. Names: without spaces.
static struct view
printable(struct sealer_exchange *x, struct view v, size_t max, char lowest)
{
	char *p = (char *)(uintptr_t)v.p;
	if (p < (char *)x || p >= (char *)x + sizeof(*x))
		return v; // a text of this program
	v.len = MIN(v.len, max);
	for (size_t i = 0; i < v.len; i++)
		if (p[i] < lowest || p[i] > 0x7e)
			p[i] = '?';
	return v;
}

static void
bad_answer(struct msg_exchanged *m, const char *why)
{
	*m = (struct msg_exchanged){.code = VIEW("bad_answer"), .message = view_of(why)};
}

static void
read_error(struct sealer_exchange *x, struct msg_exchanged *m)
{
	struct upstream_error *e = &x->error;
	struct view body = {x->body, x->len};
	upstream_error_read(
	    e, 0, x->status, false, view_of(x->type), body); // the core knows whose it is
	m->error_type = view_of(e->type);
	m->code = view_of(e->code);
	m->message = view_of(e->message);
	struct msg_exchanged sts = {0};
	if (begins(body, "<") && sealer_sts_read(x->body, x->len, &sts) == 0) {
		m->code = sts.code;
		m->message = sts.message;
	}
}

static void
read_sts(struct sealer_exchange *x, struct msg_exchanged *m)
{
	if (sealer_sts_read(x->body, x->len, m) != 0)
		bad_answer(m, "The answer is not the XML that STS sends.");
	else if (x->status != 200 && m->secret.len != 0)
		bad_answer(m, "Credentials came with an error status.");
}

static void
read_google(struct sealer_exchange *x, struct msg_exchanged *m)
{
	if (x->status != 200)
		read_error(x, m);
	else if (sealer_google_read(x->body, x->len, m) != 0)
		bad_answer(m, "The answer is not the JSON that Google's token endpoint sends.");
}

static void
read_probe(struct sealer_exchange *x, struct msg_exchanged *m)
{
	if (!success(x))
		read_error(x, m);
	else if (!x->data)
		bad_answer(m, "The host answers, but not as the provider's API does.");
}

void
sealer_exchange_result(struct sealer_exchange *x, struct msg_exchanged *m)
{
	*m = (struct msg_exchanged){0};
	bool whole = x->state == WHOLE;
	if (!whole) {
		bad_answer(m, "The answer is no HTTP that can be read.");
		m->fault = LANE_PROTOCOL;
	} else if (x->format == EXCHANGE_STS) {
		read_sts(x, m);
	} else if (x->format == EXCHANGE_GOOGLE_TOKEN) {
		read_google(x, m);
	} else {
		read_probe(x, m);
	}
	m->status = whole ? x->status : 0;
	m->server_time_s = x->date_s;
	m->message = printable(x, m->message, MESSAGE_MAX, 0x20);
	m->error_type = printable(x, m->error_type, NAME_TEXT_MAX, 0x21);
	m->code = printable(x, m->code, NAME_TEXT_MAX, 0x21);
}
