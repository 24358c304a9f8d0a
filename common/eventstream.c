// SPDX-License-Identifier: Apache-2.0
// AWS event stream framing: reader, header iteration, writer, CRC-32. No I/O;
// allocates only for messages that reads cut. The order of the checks is that of
// the AWS implementations (awslabs/aws-c-event-stream), so that both refuse a
// broken stream at the same byte.
#include "common/eventstream.h"

#include <stdlib.h>
#include <string.h>

#define PRELUDE	  ((size_t)12) // total length, headers length, CRC of both
#define BUF_FIRST ((size_t)1024)
#define BUF_KEEP  ((size_t)4096)

// One nibble at a time: 64 bytes of table, fast enough for text streams.
uint32_t
eventstream_crc(uint32_t before, const char *p, size_t n)
{
	static const uint32_t table[16] = {
	    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, //
	    0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, //
	    0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,			    //
	};
	uint32_t crc = ~before;
	for (size_t i = 0; i < n; i++) {
		crc ^= (uint8_t)p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static uint64_t
get_be(const char *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static uint32_t
get32(const char *p)
{
	return (uint32_t)get_be(p, 4);
}

static void
put_be(char *p, uint64_t v, size_t n)
{
	while (n-- > 0) {
		p[n] = (char)(uint8_t)v;
		v >>= 8;
	}
}

// --- headers -----------------------------------------------------------------------

// Bytes of a value of fixed size, or -1 for those that carry a length.
static int
fixed_size(enum eventstream_type type)
{
	switch (type) {
	case EVENTSTREAM_TRUE:
	case EVENTSTREAM_FALSE:
		return 0;
	case EVENTSTREAM_INT8:
		return 1;
	case EVENTSTREAM_INT16:
		return 2;
	case EVENTSTREAM_INT32:
		return 4;
	case EVENTSTREAM_INT64:
	case EVENTSTREAM_TIMESTAMP:
		return 8;
	case EVENTSTREAM_UUID:
		return 16;
	case EVENTSTREAM_BYTES:
	case EVENTSTREAM_STRING:
		return -1;
	}
	BUG("unknown header type");
}

static void
set_value(struct eventstream_header *h, const char *p, size_t n)
{
	switch (h->type) {
	case EVENTSTREAM_TRUE:
		h->number = 1;
		break;
	case EVENTSTREAM_INT8:
		h->number = (int8_t)get_be(p, 1);
		break;
	case EVENTSTREAM_INT16:
		h->number = (int16_t)get_be(p, 2);
		break;
	case EVENTSTREAM_INT32:
		h->number = (int32_t)get_be(p, 4);
		break;
	case EVENTSTREAM_INT64:
	case EVENTSTREAM_TIMESTAMP:
		h->number = (int64_t)get_be(p, 8);
		break;
	case EVENTSTREAM_BYTES:
	case EVENTSTREAM_STRING:
	case EVENTSTREAM_UUID:
		h->bytes = (struct view){.p = p, .len = n};
		break;
	case EVENTSTREAM_FALSE:
		break;
	}
}

// Takes one header off the front of *rest. Returns NULL, or what is wrong.
static const char *
take_header(struct view *rest, struct eventstream_header *h)
{
	static const char cut[] = "header runs past the headers";
	const char *p = rest->p;
	size_t left = rest->len;
	*h = (struct eventstream_header){0};

	size_t name_len = (uint8_t)p[0];
	if (name_len == 0)
		return "header name of length zero";
	if (left < 1 + name_len + 1)
		return cut;
	h->name = (struct view){.p = p + 1, .len = name_len};
	uint8_t type = (uint8_t)p[1 + name_len];
	if (type > EVENTSTREAM_UUID)
		return "unknown header type";
	h->type = (enum eventstream_type)type;
	p += name_len + 2;
	left -= name_len + 2;

	int fixed = fixed_size(h->type);
	size_t n = fixed >= 0 ? (size_t)fixed : 0;
	if (fixed < 0) {
		if (left < 2)
			return cut;
		n = (size_t)get_be(p, 2);
		p += 2;
		left -= 2;
	}
	if (left < n)
		return cut;
	set_value(h, p, n);
	*rest = (struct view){.p = p + n, .len = left - n};
	return NULL;
}

static const char *
check_headers(struct view headers)
{
	struct view names[EVENTSTREAM_HEADER_COUNT];
	size_t count = 0;
	struct view rest = headers;
	while (rest.len > 0) {
		struct eventstream_header h;
		const char *wrong = take_header(&rest, &h);
		if (wrong != NULL)
			return wrong;
		if (count == ARRAY_LEN(names))
			return "too many headers";
		if (!mp_utf8_valid(h.name.p, h.name.len) ||
		    (h.type == EVENTSTREAM_STRING && !mp_utf8_valid(h.bytes.p, h.bytes.len)))
			return "header is not UTF-8";
		for (size_t i = 0; i < count; i++)
			if (view_eq(names[i], h.name))
				return "duplicate header";
		names[count++] = h.name;
	}
	return NULL;
}

bool
eventstream_next(struct view *rest, struct eventstream_header *h_r)
{
	if (rest->len == 0)
		return false;
	if (take_header(rest, h_r) != NULL)
		BUG("iteration over headers that were not checked");
	return true;
}

struct view
eventstream_string(const struct eventstream_message *m, const char *name)
{
	struct view rest = m->headers;
	struct eventstream_header h;
	while (eventstream_next(&rest, &h))
		if (view_eq_str(h.name, name))
			return h.type == EVENTSTREAM_STRING ? h.bytes : (struct view){0};
	return (struct view){0};
}

// --- reader ------------------------------------------------------------------------

void
eventstream_init(struct eventstream *e, size_t max)
{
	BUG_IF(max > EVENTSTREAM_MESSAGE_MAX);
	*e = (struct eventstream){.max = max == 0 ? EVENTSTREAM_MESSAGE_MAX : max};
}

void
eventstream_free(struct eventstream *e)
{
	free(e->buf);
	*e = (struct eventstream){.max = e->max};
}

bool
eventstream_clean(const struct eventstream *e)
{
	return e->error == NULL && (e->len == 0 || e->give_back);
}

static const char *
check_prelude(const struct eventstream *e, const char *p)
{
	size_t total = get32(p), headers = get32(p + 4);
	if (eventstream_crc(0, p, 8) != get32(p + 8))
		return "prelude checksum does not match";
	if (total < EVENTSTREAM_OVERHEAD)
		return "message shorter than its frame";
	if (headers > total - EVENTSTREAM_OVERHEAD)
		return "headers longer than the message";
	if (headers > EVENTSTREAM_HEADERS_MAX)
		return "headers too large";
	if (total > e->max)
		return "message too large";
	return NULL;
}

// p[0..total) is a message with a checked prelude.
static const char *
open_message(struct eventstream *e, const char *p, size_t total)
{
	if (eventstream_crc(0, p, total - 4) != get32(p + total - 4))
		return "message checksum does not match";
	size_t headers = get32(p + 4);
	e->message = (struct eventstream_message){
	    .raw = {.p = p, .len = total},
	    .headers = {.p = p + PRELUDE, .len = headers},
	    .payload = {.p = p + PRELUDE + headers, .len = total - EVENTSTREAM_OVERHEAD - headers},
	};
	return check_headers(e->message.headers);
}

static void
append(struct eventstream *e, const char *p, size_t n)
{
	if (e->cap - e->len < n) {
		size_t cap = MAX(e->cap, BUF_FIRST);
		while (cap - e->len < n)
			cap *= 2;
		e->buf = base_realloc(e->buf, cap);
		e->cap = cap;
	}
	memcpy(e->buf + e->len, p, n);
	e->len += n;
}

static void
take_back(struct eventstream *e)
{
	e->give_back = false;
	e->len = e->total = 0;
	if (e->cap > BUF_KEEP) {
		free(e->buf);
		e->buf = NULL;
		e->cap = 0;
	}
}

// Moves bytes to the buffer until it holds `want`, and says whether it does.
static bool
gather(struct eventstream *e, size_t want, const char *buf, size_t len, size_t *used)
{
	size_t n = MIN(want - e->len, len - *used);
	if (n > 0)
		append(e, buf + *used, n);
	*used += n;
	return e->len == want;
}

static enum eventstream_result
result(struct eventstream *e, const char *wrong)
{
	e->error = wrong;
	if (wrong != NULL)
		e->message = (struct eventstream_message){0};
	return wrong == NULL ? EVENTSTREAM_MESSAGE : EVENTSTREAM_FAILED;
}

enum eventstream_result
eventstream_feed(struct eventstream *e, const char *buf, size_t len, size_t *consumed_r)
{
	size_t used = 0;
	const char *wrong = NULL;
	*consumed_r = 0;
	if (e->error != NULL)
		return EVENTSTREAM_FAILED;
	if (e->give_back)
		take_back(e);

	// The common case: a whole message in the input is read in place.
	if (e->len == 0 && len >= PRELUDE) {
		wrong = check_prelude(e, buf);
		if (wrong != NULL)
			return result(e, wrong);
		e->total = get32(buf);
		if (len >= e->total) {
			*consumed_r = e->total;
			wrong = open_message(e, buf, e->total);
			e->total = 0;
			return result(e, wrong);
		}
	}
	if (e->total == 0) {
		bool ready = gather(e, PRELUDE, buf, len, &used);
		*consumed_r = used;
		if (!ready)
			return EVENTSTREAM_NEED_MORE;
		wrong = check_prelude(e, e->buf);
		if (wrong != NULL)
			return result(e, wrong);
		e->total = get32(e->buf);
	}
	bool ready = gather(e, e->total, buf, len, &used);
	*consumed_r = used;
	if (!ready)
		return EVENTSTREAM_NEED_MORE;
	e->give_back = true;
	return result(e, open_message(e, e->buf, e->total));
}

// --- writer ------------------------------------------------------------------------

static void
put(struct eventstream_out *o, const char *p, size_t n)
{
	if (o->failed || n > o->cap - o->len) {
		o->failed = true;
		return;
	}
	if (n != 0)
		memcpy(o->buf + o->len, p, n);
	o->len += n;
}

static void
put_number(struct eventstream_out *o, uint64_t v, size_t n)
{
	char tmp[8];
	put_be(tmp, v, n);
	put(o, tmp, n);
}

void
eventstream_begin(struct eventstream_out *o, char *dst, size_t cap)
{
	static const char room[PRELUDE];
	*o = (struct eventstream_out){.buf = dst, .cap = cap};
	put(o, room, sizeof(room));
}

void
eventstream_put_header(struct eventstream_out *o, const struct eventstream_header *h)
{
	int fixed = fixed_size(h->type);
	bool uuid = h->type == EVENTSTREAM_UUID;
	if (h->name.len == 0 || h->name.len > UINT8_MAX || h->bytes.len > UINT16_MAX ||
	    (uuid && h->bytes.len != 16)) {
		o->failed = true;
		return;
	}
	put_number(o, h->name.len, 1);
	put(o, h->name.p, h->name.len);
	put_number(o, h->type, 1);
	if (fixed < 0)
		put_number(o, h->bytes.len, 2);
	if (fixed < 0 || uuid)
		put(o, h->bytes.p, h->bytes.len);
	else
		put_number(o, (uint64_t)h->number, (size_t)fixed);
	if (o->len - MIN(o->len, PRELUDE) > EVENTSTREAM_HEADERS_MAX)
		o->failed = true;
}

void
eventstream_put_string(struct eventstream_out *o, const char *name, struct view value)
{
	struct eventstream_header h = {
	    .name = view_of(name), .type = EVENTSTREAM_STRING, .bytes = value};
	eventstream_put_header(o, &h);
}

size_t
eventstream_end(struct eventstream_out *o, struct view payload)
{
	size_t headers = o->len - MIN(o->len, PRELUDE);
	put(o, payload.p, payload.len);
	if (o->failed || o->len + 4 > EVENTSTREAM_MESSAGE_MAX)
		return 0;
	put_be(o->buf, o->len + 4, 4);
	put_be(o->buf + 4, headers, 4);
	put_be(o->buf + 8, eventstream_crc(0, o->buf, 8), 4);
	put_number(o, eventstream_crc(0, o->buf, o->len), 4);
	return o->failed ? 0 : o->len;
}
