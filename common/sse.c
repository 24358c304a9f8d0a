// SPDX-License-Identifier: Apache-2.0
// Server-sent events: first the end of an event is searched with a few flags of
// state and no look-back, so that any split of the input gives the same events;
// then the complete event is read line by line. No I/O; allocates only for events
// that reads cut and for several data lines. Source: WHATWG HTML, section 9.2.
#include "common/sse.h"

#include <stdlib.h>
#include <string.h>

#define BOM	  "\xef\xbb\xbf"
#define BUF_FIRST ((size_t)512)
#define BUF_KEEP  ((size_t)4096)

void
sse_init(struct sse_parser *s, size_t max)
{
	*s = (struct sse_parser){.max = max == 0 ? SSE_EVENT_MAX : max};
}

void
sse_free(struct sse_parser *s)
{
	free(s->buf);
	free(s->joined);
	*s = (struct sse_parser){.max = s->max};
}

// --- boundaries --------------------------------------------------------------------

// A line ended; returns whether it was the empty one that ends the event.
static bool
end_line(struct sse_parser *s, bool cr_alone)
{
	bool empty = !s->line_used;
	s->line_used = false;
	s->last_cr = cr_alone;
	return empty;
}

// Takes bytes up to the end of the event into account. Returns how many of the n
// belong to it, and whether the event is complete.
//
// A CR waits for the next byte, which may be the LF that belongs to it, with one
// exception: when the line before ended in CR alone, a CR for the empty line ends
// the event at once, or a stream with such line ends would always be one event
// late. Should an LF follow even so, it opens the raw bytes of the next event.
static size_t
find_end(struct sse_parser *s, const char *p, size_t n, bool *complete_r)
{
	size_t i = 0;
	while (i < n) {
		if (s->skip_lf) {
			s->skip_lf = false;
			s->lead_lf = p[i] == '\n';
			i += s->lead_lf;
			continue;
		}
		if (s->cr) {
			s->cr = false;
			bool lf = p[i] == '\n';
			i += lf;
			if ((*complete_r = end_line(s, !lf)))
				return i;
			continue;
		}
		const char *lf = memchr(p + i, '\n', n - i);
		size_t span = lf == NULL ? n - i : (size_t)(lf - (p + i));
		const char *cr = memchr(p + i, '\r', span);
		size_t text = cr == NULL ? span : (size_t)(cr - (p + i));
		s->line_used |= text > 0;
		i += text;
		if (i == n)
			break;
		i++;
		if (cr == NULL) {
			if ((*complete_r = end_line(s, false)))
				return i;
		} else if (!s->line_used && s->last_cr) {
			s->skip_lf = *complete_r = true;
			return i;
		} else {
			s->cr = true;
		}
	}
	return n;
}

// --- fields ------------------------------------------------------------------------

static void
add_data(struct sse_parser *s, struct view value)
{
	struct view *data = &s->event.data;
	if (!s->event.has_data) {
		s->event.has_data = true;
		*data = value;
		return;
	}
	// All data and the LFs between are shorter than the raw event.
	if (data->p != s->joined || s->joined == NULL) {
		if (s->joined_cap < s->event.raw.len) {
			free(s->joined);
			s->joined = base_calloc(1, s->event.raw.len);
			s->joined_cap = s->event.raw.len;
		}
		if (data->len != 0)
			memcpy(s->joined, data->p, data->len);
		data->p = s->joined;
	}
	s->joined[data->len++] = '\n';
	if (value.len != 0)
		memcpy(s->joined + data->len, value.p, value.len);
	data->len += value.len;
}

static void
read_line(struct sse_parser *s, const char *line, size_t len)
{
	const char *colon = len == 0 ? NULL : memchr(line, ':', len);
	struct view name = {.p = line, .len = colon == NULL ? len : (size_t)(colon - line)};
	struct view value = {.p = line + len, .len = 0};
	if (colon != NULL) {
		const char *v = colon + 1;
		v += v < line + len && *v == ' ';
		value = (struct view){.p = v, .len = (size_t)(line + len - v)};
	}
	if (view_eq_str(name, "data"))
		add_data(s, value);
	else if (view_eq_str(name, "event"))
		s->event.name = value;
}

static void
read_event(struct sse_parser *s, struct view raw, bool complete)
{
	s->event = (struct sse_event){.raw = raw, .complete = complete};
	const char *p = raw.p, *end = raw.p + raw.len;
	p += s->lead_lf;
	if (!s->started && raw.len >= 3 && memcmp(p, BOM, 3) == 0)
		p += 3;
	s->started = true;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf == NULL ? end : lf;
		const char *cr = memchr(p, '\r', (size_t)(stop - p));
		if (cr != NULL)
			stop = cr;
		read_line(s, p, (size_t)(stop - p));
		p = stop < end ? stop + 1 : end;
		if (cr != NULL && p == lf)
			p++;
	}
	// The next event starts afresh; skip_lf is the only memory across.
	s->line_used = s->last_cr = s->cr = s->lead_lf = false;
}

// --- feeding -----------------------------------------------------------------------

static void
append(struct sse_parser *s, const char *p, size_t n)
{
	if (s->cap - s->len < n) {
		size_t cap = MAX(s->cap, BUF_FIRST);
		while (cap - s->len < n)
			cap *= 2;
		s->buf = base_realloc(s->buf, cap);
		s->cap = cap;
	}
	if (n != 0)
		memcpy(s->buf + s->len, p, n);
	s->len += n;
}

// The views of the event before end here. Small buffers are kept for the next cut
// event, large ones are not, as most streams are idle most of the time.
static void
take_back(struct sse_parser *s)
{
	if (s->give_back) {
		s->give_back = false;
		s->len = 0;
	}
	if (s->len == 0 && s->cap > BUF_KEEP) {
		free(s->buf);
		s->buf = NULL;
		s->cap = 0;
	}
	if (s->joined_cap > BUF_KEEP) {
		free(s->joined);
		s->joined = NULL;
		s->joined_cap = 0;
	}
}

enum sse_result
sse_feed(struct sse_parser *s, const char *buf, size_t len, size_t *consumed_r)
{
	*consumed_r = 0;
	if (s->too_large)
		return SSE_TOO_LARGE;
	take_back(s);
	bool complete = false;
	size_t n = find_end(s, buf, len, &complete);
	if (n > s->max - s->len) {
		s->too_large = true;
		return SSE_TOO_LARGE;
	}
	*consumed_r = n;
	if (complete && s->len == 0) {
		read_event(s, (struct view){.p = buf, .len = n}, true);
		return SSE_EVENT;
	}
	append(s, buf, n);
	if (!complete)
		return SSE_NEED_MORE;
	s->give_back = true;
	read_event(s, (struct view){.p = s->buf, .len = s->len}, true);
	return SSE_EVENT;
}

enum sse_result
sse_eof(struct sse_parser *s)
{
	if (s->too_large)
		return SSE_TOO_LARGE;
	take_back(s);
	if (s->len == 0)
		return SSE_NEED_MORE;
	s->give_back = true;
	read_event(s, (struct view){.p = s->buf, .len = s->len}, s->cr && !s->line_used);
	return SSE_EVENT;
}
