// SPDX-License-Identifier: Apache-2.0
// Responses API: named events with sequence numbers and no [DONE]. No I/O.
#include "ctl/provider_responses.h"

#include <string.h>

enum phase { CREATED, TEXT, END };

// The object of response.created, .in_progress and .completed; the answer's text
// as a ready JSON string, or NULL while there is none.
static void
object(struct answer *a, struct evbuffer *out, const char *status, struct evbuffer *text)
{
	unsigned long long in = a->tokens_in;
	unsigned long long n = provider_answer_tokens_out(a);
	evbuffer_add_printf(out,
	    "{\"id\":\"resp_demo%llu\",\"object\":\"response\",\"created_at\":%lld,"
	    "\"status\":\"%s\",\"error\":null,\"incomplete_details\":null,\"model\":",
	    (unsigned long long)a->serial, (long long)a->created, status);
	provider_answer_string(out, view_of(a->model));
	evbuffer_add_printf(out, ",\"parallel_tool_calls\":true,\"output\":[");
	if (text != NULL) {
		evbuffer_add_printf(out,
		    "{\"id\":\"msg_demo%llu\",\"type\":\"message\",\"status\":\"completed\","
		    "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"annotations\":"
		    "[],\"text\":",
		    (unsigned long long)a->serial);
		evbuffer_add_buffer(out, text);
		evbuffer_add_printf(out, "}]}");
	}
	evbuffer_add_printf(out, "],\"tools\":[],\"tool_choice\":\"auto\",");
	if (text == NULL)
		evbuffer_add_printf(out, "\"usage\":null}");
	else
		evbuffer_add_printf(out,
		    "\"usage\":{\"input_tokens\":%llu,\"input_tokens_details\":{\"cached_tokens\":"
		    "0},\"output_tokens\":%llu,\"output_tokens_details\":{\"reasoning_tokens\":0},"
		    "\"total_tokens\":%llu}}",
		    in, n, in + n);
}

static void
begin(struct evbuffer *out, const char *type, uint64_t sequence)
{
	evbuffer_add_printf(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%llu,",
	    type, type, (unsigned long long)sequence);
}

static void
opening(struct answer *a, struct evbuffer *out)
{
	begin(out, "response.created", 0);
	evbuffer_add_printf(out, "\"response\":");
	object(a, out, "in_progress", NULL);
	evbuffer_add_printf(out, "}\n\n");
	begin(out, "response.in_progress", 1);
	evbuffer_add_printf(out, "\"response\":");
	object(a, out, "in_progress", NULL);
	evbuffer_add_printf(out, "}\n\n");
	begin(out, "response.output_item.added", 2);
	evbuffer_add_printf(out,
	    "\"output_index\":0,\"item\":{\"id\":\"msg_demo%llu\",\"type\":\"message\","
	    "\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}}\n\n",
	    (unsigned long long)a->serial);
	begin(out, "response.content_part.added", 3);
	evbuffer_add_printf(out,
	    "\"item_id\":\"msg_demo%llu\",\"output_index\":0,\"content_index\":0,\"part\":"
	    "{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\n",
	    (unsigned long long)a->serial);
}

// The whole text again, as the closing events carry it.
static struct evbuffer *
whole_text(struct answer *a)
{
	struct evbuffer *text = evbuffer_new();
	BUG_IF(text == NULL);
	if (a->text.text != NULL)
		provider_answer_string(text, (struct view){a->text.text, a->text.len});
	else
		evbuffer_add_printf(text, "\"\"");
	return text;
}

static void
closing(struct answer *a, struct evbuffer *out)
{
	uint64_t s = a->text.pieces + 4;
	struct evbuffer *text = whole_text(a);
	begin(out, "response.output_text.done", s);
	evbuffer_add_printf(out,
	    "\"item_id\":\"msg_demo%llu\",\"output_index\":0,\"content_index\":0,\"text\":",
	    (unsigned long long)a->serial);
	evbuffer_add_buffer(out, text);
	evbuffer_add_printf(out, "}\n\n");
	evbuffer_free(text);
	begin(out, "response.content_part.done", s + 1);
	evbuffer_add_printf(out,
	    "\"item_id\":\"msg_demo%llu\",\"output_index\":0,\"content_index\":0,\"part\":"
	    "{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\n",
	    (unsigned long long)a->serial);
	begin(out, "response.output_item.done", s + 2);
	evbuffer_add_printf(out,
	    "\"output_index\":0,\"item\":{\"id\":\"msg_demo%llu\",\"type\":\"message\","
	    "\"status\":\"completed\",\"role\":\"assistant\",\"content\":[]}}\n\n",
	    (unsigned long long)a->serial);
	begin(out, "response.completed", s + 3);
	evbuffer_add_printf(out, "\"response\":");
	text = whole_text(a);
	object(a, out, "completed", text);
	evbuffer_free(text);
	evbuffer_add_printf(out, "}\n\n");
}

static bool
event(struct answer *a, struct evbuffer *out)
{
	struct view piece;
	if (a->phase == CREATED) {
		opening(a, out);
		a->phase = TEXT;
		return true;
	}
	if (a->phase == END)
		return false;
	switch (provider_answer_piece(a, &piece)) {
	case PIECE_TEXT:
		begin(out, "response.output_text.delta", a->text.pieces + 3);
		evbuffer_add_printf(out,
		    "\"item_id\":\"msg_demo%llu\",\"output_index\":0,\"content_index\":0,"
		    "\"delta\":",
		    (unsigned long long)a->serial);
		provider_answer_string(out, piece);
		evbuffer_add_printf(out, "}\n\n");
		return true;
	case PIECE_ERROR:
		begin(out, "error", a->text.pieces + 4);
		evbuffer_add_printf(out, "\"code\":\"server_error\",\"message\":\"The server had "
					 "an error.\",\"param\":null}\n\n");
		break;
	case PIECE_END:
		if (!a->cut)
			closing(a, out);
		break;
	}
	a->phase = END;
	return true;
}

void
provider_responses_answer(struct answer *a, const json_t *root)
{
	if (json_is_true(json_object_get(root, "stream"))) {
		a->content_type = "text/event-stream; charset=utf-8";
		a->event = event;
		return;
	}
	struct evbuffer *text = evbuffer_new();
	BUG_IF(text == NULL);
	provider_answer_text(a, text);
	object(a, a->body, "completed", text);
	evbuffer_free(text);
}
