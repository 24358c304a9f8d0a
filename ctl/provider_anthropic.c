// SPDX-License-Identifier: Apache-2.0
// Checks x-api-key and anthropic-version, then answers in Anthropic's shapes. No I/O.
#include "ctl/provider_anthropic.h"

#include <string.h>

#include "ctl/provider_json.h"

enum phase { START, BLOCK, PING, TEXT, DELTA, STOP, END };

static void
error(struct answer *a, unsigned status, const char *type, const char *message)
{
	a->status = status;
	evbuffer_add_printf(a->body,
	    "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"},"
	    "\"request_id\":\"req_demo%llu\"}",
	    type, message, (unsigned long long)a->serial);
}

// --- messages ----------------------------------------------------------------------

static void
message_start(struct answer *a, struct evbuffer *out)
{
	evbuffer_add_printf(out,
	    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_demo%llu\",\"type\":\"message\","
	    "\"role\":\"assistant\",\"model\":",
	    (unsigned long long)a->serial);
	provider_answer_string(out, view_of(a->model));
	evbuffer_add_printf(out,
	    ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
	    "\"input_tokens\":%llu,\"cache_creation_input_tokens\":0,"
	    "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}",
	    (unsigned long long)a->tokens_in);
}

// One content event, or the step from the text to what follows it.
static const char *
text_event(struct answer *a, struct evbuffer *out)
{
	struct view piece;
	switch (provider_answer_piece(a, &piece)) {
	case PIECE_TEXT:
		evbuffer_add_printf(out, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
					 "{\"type\":\"text_delta\",\"text\":");
		provider_answer_string(out, piece);
		evbuffer_add_printf(out, "}}");
		return "content_block_delta";
	case PIECE_ERROR:
		evbuffer_add_printf(out, "{\"type\":\"error\",\"error\":{\"type\":"
					 "\"overloaded_error\",\"message\":\"Overloaded\"}}");
		a->phase = END;
		return "error";
	case PIECE_END:
		break;
	}
	evbuffer_add_printf(out, "{\"type\":\"content_block_stop\",\"index\":0}");
	a->phase = a->cut ? END : DELTA;
	return "content_block_stop";
}

bool
provider_anthropic_event(struct answer *a, struct evbuffer *out, const char **type_r)
{
	switch ((enum phase)a->phase) {
	case START:
		message_start(a, out);
		*type_r = "message_start";
		break;
	case BLOCK:
		evbuffer_add_printf(out, "{\"type\":\"content_block_start\",\"index\":0,"
					 "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
		*type_r = "content_block_start";
		break;
	case PING:
		evbuffer_add_printf(out, "{\"type\":\"ping\"}");
		*type_r = "ping";
		break;
	case TEXT:
		*type_r = text_event(a, out);
		return true;
	case DELTA:
		evbuffer_add_printf(out,
		    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
		    "\"stop_sequence\":null},\"usage\":{\"output_tokens\":%llu}}",
		    (unsigned long long)provider_answer_tokens_out(a));
		*type_r = "message_delta";
		break;
	case STOP:
		evbuffer_add_printf(out, "{\"type\":\"message_stop\"}");
		*type_r = "message_stop";
		break;
	case END:
		return false;
	}
	a->phase++;
	return true;
}

static bool
sse_event(struct answer *a, struct evbuffer *out)
{
	struct evbuffer *json = evbuffer_new();
	const char *type;
	BUG_IF(json == NULL);
	bool more = provider_anthropic_event(a, json, &type);
	if (more) {
		evbuffer_add_printf(out, "event: %s\ndata: ", type);
		evbuffer_add_buffer(out, json);
		evbuffer_add(out, "\n\n", 2);
	}
	evbuffer_free(json);
	return more;
}

void
provider_anthropic_whole(struct answer *a, const char *id_prefix)
{
	evbuffer_add_printf(a->body,
	    "{\"id\":\"%s%llu\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", id_prefix,
	    (unsigned long long)a->serial);
	provider_answer_string(a->body, view_of(a->model));
	evbuffer_add_printf(a->body, ",\"content\":[{\"type\":\"text\",\"text\":");
	provider_answer_text(a, a->body);
	evbuffer_add_printf(a->body,
	    "}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":"
	    "%llu,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
	    "\"output_tokens\":%llu,\"service_tier\":\"standard\"}}",
	    (unsigned long long)a->tokens_in, (unsigned long long)provider_answer_tokens_out(a));
}

// --- entry -------------------------------------------------------------------------

static void
status_error(struct answer *a)
{
	static const struct {
		unsigned status;
		const char *type, *message;
	} table[] = {
	    {400, "invalid_request_error", "Invalid request."},
	    {401, "authentication_error", "invalid x-api-key"},
	    {402, "billing_error", "Your credit balance is too low."},
	    {403, "permission_error", "Your API key does not have permission."},
	    {404, "not_found_error", "model not found"},
	    {409, "conflict_error", "Conflict"},
	    {413, "request_too_large", "Request exceeds the maximum size"},
	    {429, "rate_limit_error", "This request would exceed your rate limit."},
	    {504, "timeout_error", "Request timed out"},
	    {529, "overloaded_error", "Overloaded"},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == a->status) {
			error(a, a->status, table[i].type, table[i].message);
			return;
		}
	error(a, a->status, "api_error", "Status asked for by the model name.");
}

static void
post(struct answer *a, const struct provider_call *call, bool count_only)
{
	struct provider_json j;
	if (!provider_json_parse(&j, call->body)) {
		error(a, 400, "invalid_request_error", "The request body is not valid JSON.");
		return;
	}
	struct view model = provider_json_view(json_object_get(j.root, "model"));
	provider_answer_prepare(a, call, model, provider_json_last_user(&j));
	if (model.len == 0 || !json_is_array(json_object_get(j.root, "messages")))
		error(a, 400, "invalid_request_error", "model, messages: Field required");
	else if (provider_answer_wants_error(a))
		status_error(a);
	else if (count_only)
		evbuffer_add_printf(
		    a->body, "{\"input_tokens\":%llu}", (unsigned long long)a->tokens_in);
	else if (!json_is_integer(json_object_get(j.root, "max_tokens")))
		error(a, 400, "invalid_request_error", "max_tokens: Field required");
	else if (json_is_true(json_object_get(j.root, "stream"))) {
		a->content_type = "text/event-stream; charset=utf-8";
		a->event = sse_event;
	} else
		provider_anthropic_whole(a, "msg_demo");
	provider_json_free(&j);
}

static void
models(struct answer *a)
{
	static const char *const ids[] = {"claude-sonnet-5", "claude-haiku-4-5-20251001"};
	evbuffer_add_printf(a->body, "{\"data\":[");
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		evbuffer_add_printf(a->body,
		    "%s{\"type\":\"model\",\"id\":\"%s\",\"display_name\":\"%s\","
		    "\"created_at\":\"2025-01-01T00:00:00Z\"}",
		    i == 0 ? "" : ",", ids[i], ids[i]);
	evbuffer_add_printf(a->body, "],\"has_more\":false,\"first_id\":\"%s\",\"last_id\":\"%s\"}",
	    ids[0], ids[1]);
}

static bool
authorized(const struct provider_call *call)
{
	return http_header_repeats(call->http, "x-api-key") == 1 &&
	       provider_keys_find(
		   call->keys, KEYS_ANTHROPIC, http_header(call->http, "x-api-key")) != NULL;
}

bool
provider_anthropic_claims(const struct http_parser *http)
{
	return http_header(http, "x-api-key").p != NULL ||
	       http_header(http, "anthropic-version").p != NULL;
}

struct answer *
provider_anthropic_answer(const struct provider_call *call)
{
	struct answer *a = provider_answer_new(call->serial);
	struct view path = call->http->path;
	bool is_post = view_eq_str(call->http->method, "POST");
	provider_answer_header(a, "request-id", "req_demo%llu", (unsigned long long)call->serial);
	if (!authorized(call))
		error(a, 401, "authentication_error",
		    http_header(call->http, "x-api-key").p == NULL ? "x-api-key header is required"
								   : "invalid x-api-key");
	else if (http_header(call->http, "anthropic-version").p == NULL)
		error(a, 400, "invalid_request_error", "anthropic-version: header is required");
	else if (is_post && view_eq_str(path, "/v1/messages"))
		post(a, call, false);
	else if (is_post && view_eq_str(path, "/v1/messages/count_tokens"))
		post(a, call, true);
	else if (!is_post && view_eq_str(path, "/v1/models"))
		models(a);
	else
		error(a, 404, "not_found_error", "Not found");
	return a;
}
