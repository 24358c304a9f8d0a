// SPDX-License-Identifier: Apache-2.0
// What all dialects share when they make an answer. No I/O.
#include "ctl/provider_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct answer *
provider_answer_new(uint64_t serial)
{
	struct answer *a = base_calloc(1, sizeof(*a));
	a->status = 200;
	a->content_type = "application/json";
	a->headers = evbuffer_new();
	a->body = evbuffer_new();
	a->serial = serial;
	a->created = (int64_t)time(NULL);
	BUG_IF(a->headers == NULL || a->body == NULL);
	return a;
}

void
provider_answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	evbuffer_free(a->headers);
	evbuffer_free(a->body);
	if (a->trailers != NULL)
		evbuffer_free(a->trailers);
	provider_text_free(&a->text);
	free(a->model);
	free(a);
}

void
provider_answer_header(struct answer *a, const char *name, const char *fmt, ...)
{
	evbuffer_add_printf(a->headers, "%s: ", name);
	va_list ap;
	va_start(ap, fmt);
	evbuffer_add_vprintf(a->headers, fmt, ap);
	va_end(ap);
	evbuffer_add(a->headers, "\r\n", 2);
}

// --- echo ------------------------------------------------------------------------

static void
echo_lines(
    struct evbuffer *out, const struct http_parser *http, const char *prefix, const char *line_end)
{
	for (size_t i = 0; i < http_header_count(http); i++) {
		struct view n;
		struct view v;
		http_header_at(http, i, &n, &v);
		evbuffer_add_printf(
		    out, "%s%.*s: %.*s%s", prefix, (int)n.len, n.p, (int)v.len, v.p, line_end);
	}
}

static void
echo(struct answer *a, const struct http_parser *http)
{
	struct evbuffer *text = evbuffer_new();
	BUG_IF(text == NULL);
	echo_lines(text, http, "", "\n");
	size_t len = evbuffer_get_length(text);
	struct view v = {(const char *)evbuffer_pullup(text, -1), len};
	provider_text_init(&a->text, a->how, v);
	evbuffer_free(text);
	if (a->how.kind != BEHAVE_ECHO)
		return;
	a->trailers = evbuffer_new();
	BUG_IF(a->trailers == NULL);
	echo_lines(a->headers, http, "x-echo-", "\r\n");
	echo_lines(a->trailers, http, "x-echo-trailer-", "\r\n");
}

void
provider_answer_prepare(
    struct answer *a, const struct provider_call *call, struct view model, struct view said)
{
	a->model = base_strndup(model.p == NULL ? "" : model.p, model.len);
	a->how = provider_behave_of(model);
	a->tokens_in = call->body.len / 4 + 1;
	if (a->how.kind == BEHAVE_ECHO || a->how.kind == BEHAVE_ECHO_SPLIT) {
		echo(a, call->http);
		return;
	}
	static const char you_said[] = "You said: ";
	size_t head = sizeof(you_said) - 1;
	char *text = base_calloc(1, head + said.len + 1);
	memcpy(text, you_said, head);
	if (said.len != 0)
		memcpy(text + head, said.p, said.len);
	provider_text_init(&a->text, a->how, (struct view){text, head + said.len});
	free(text);
}

// --- JSON ------------------------------------------------------------------------

// The inside of a JSON string (RFC 8259, section 7).
static void
escaped(struct evbuffer *out, struct view v)
{
	size_t from = 0;
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		if (i > from)
			evbuffer_add(out, v.p + from, i - from);
		if (c == '\n')
			evbuffer_add(out, "\\n", 2);
		else
			evbuffer_add_printf(out, "\\u%04x", c);
		from = i + 1;
	}
	if (v.len > from)
		evbuffer_add(out, v.p + from, v.len - from);
}

void
provider_answer_string(struct evbuffer *out, struct view v)
{
	evbuffer_add(out, "\"", 1);
	escaped(out, v);
	evbuffer_add(out, "\"", 1);
}

void
provider_answer_text(struct answer *a, struct evbuffer *out)
{
	struct view v;
	evbuffer_add(out, "\"", 1);
	while (provider_text_next(&a->text, &v))
		escaped(out, v);
	evbuffer_add(out, "\"", 1);
}

// --- streams ---------------------------------------------------------------------

enum piece
provider_answer_piece(struct answer *a, struct view *v_r)
{
	if (a->how.kind == BEHAVE_STREAM_ERROR && a->text.at * 2 >= a->text.len)
		return PIECE_ERROR;
	if (provider_text_next(&a->text, v_r))
		return PIECE_TEXT;
	a->cut = a->how.kind == BEHAVE_TRUNCATE_MARKER;
	return PIECE_END;
}

uint64_t
provider_answer_tokens_out(const struct answer *a)
{
	return a->text.pieces;
}

bool
provider_answer_wants_error(struct answer *a)
{
	if (a->how.kind != BEHAVE_STATUS)
		return false;
	a->status = (unsigned)a->how.n;
	if (a->status < 400)
		provider_answer_header(a, "location", "https://elsewhere.invalid/stolen");
	if (a->status == 429 || a->status == 503)
		provider_answer_header(a, "retry-after", "1");
	return true;
}
