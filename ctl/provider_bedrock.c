// SPDX-License-Identifier: Apache-2.0
// Checks the signature, then answers in Bedrock's shapes. No I/O.
#include "ctl/provider_bedrock.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/eventstream.h"
#include "ctl/provider_anthropic.h"
#include "ctl/provider_json.h"
#include "ctl/provider_sigv4.h"

enum phase { START, TEXT, STOP, METADATA, END };

static void
error(struct answer *a, unsigned status, const char *type, const char *message)
{
	a->status = status;
	provider_answer_header(a, "x-amzn-errortype", "%s", type);
	evbuffer_add_printf(a->body, "{\"message\":\"%s\"}", message);
}

// --- event streams -------------------------------------------------------------------

// One message: headers, then the JSON that waits in `payload`, which is emptied.
static void
frame(struct evbuffer *out, const char *kind, const char *type, struct evbuffer *payload)
{
	size_t len = evbuffer_get_length(payload);
	size_t cap = len + 512;
	char *buf = base_calloc(1, cap);
	struct eventstream_out o;
	eventstream_begin(&o, buf, cap);
	eventstream_put_string(
	    &o, strcmp(kind, "event") == 0 ? ":event-type" : ":exception-type", view_of(type));
	eventstream_put_string(&o, ":content-type", VIEW("application/json"));
	eventstream_put_string(&o, ":message-type", view_of(kind));
	size_t n = eventstream_end(
	    &o, (struct view){len == 0 ? "" : (const char *)evbuffer_pullup(payload, -1), len});
	BUG_IF(n == 0);
	evbuffer_add(out, buf, n);
	evbuffer_drain(payload, len);
	free(buf);
}

static void
exception_frame(struct evbuffer *out, struct evbuffer *json)
{
	evbuffer_add_printf(json, "{\"message\":\"The model stream had an error.\","
				  "\"originalStatusCode\":500}");
	frame(out, "exception", "modelStreamErrorException", json);
}

static const char *
converse_text(struct answer *a, struct evbuffer *json)
{
	struct view piece;
	switch (provider_answer_piece(a, &piece)) {
	case PIECE_TEXT:
		evbuffer_add_printf(json, "{\"contentBlockIndex\":0,\"delta\":{\"text\":");
		provider_answer_string(json, piece);
		evbuffer_add_printf(json, "},\"p\":\"abcd\"}");
		return "contentBlockDelta";
	case PIECE_ERROR:
		a->phase = END;
		return NULL;
	case PIECE_END:
		break;
	}
	evbuffer_add_printf(json, "{\"contentBlockIndex\":0}");
	a->phase = a->cut ? END : STOP;
	return "contentBlockStop";
}

static void
converse_usage(struct answer *a, struct evbuffer *json)
{
	unsigned long long in = a->tokens_in;
	unsigned long long out = provider_answer_tokens_out(a);
	evbuffer_add_printf(json,
	    "\"usage\":{\"inputTokens\":%llu,\"outputTokens\":%llu,\"totalTokens\":%llu},"
	    "\"metrics\":{\"latencyMs\":1}}",
	    in, out, in + out);
}

static bool
converse_event(struct answer *a, struct evbuffer *out)
{
	if (a->phase == END)
		return false;
	struct evbuffer *json = evbuffer_new();
	const char *type = NULL;
	BUG_IF(json == NULL);
	switch ((enum phase)a->phase) {
	case START:
		evbuffer_add_printf(json, "{\"role\":\"assistant\"}");
		type = "messageStart";
		a->phase = TEXT;
		break;
	case TEXT:
		type = converse_text(a, json);
		break;
	case STOP:
		evbuffer_add_printf(json, "{\"stopReason\":\"end_turn\"}");
		type = "messageStop";
		a->phase = METADATA;
		break;
	case METADATA:
		evbuffer_add_printf(json, "{");
		converse_usage(a, json);
		type = "metadata";
		a->phase = END;
		break;
	case END:
		break;
	}
	if (type != NULL)
		frame(out, "event", type, json);
	else
		exception_frame(out, json);
	evbuffer_free(json);
	return true;
}

// Invoke carries Anthropic's own events, base64 in a chunk.
static bool
invoke_event(struct answer *a, struct evbuffer *out)
{
	struct evbuffer *json = evbuffer_new();
	const char *type;
	BUG_IF(json == NULL);
	bool more = provider_anthropic_event(a, json, &type);
	if (more && strcmp(type, "error") == 0) {
		evbuffer_drain(json, evbuffer_get_length(json));
		exception_frame(out, json);
	} else if (more && strcmp(type, "ping") != 0) { // Bedrock has no ping
		size_t len = evbuffer_get_length(json);
		unsigned char *b64 = base_calloc(1, len / 3 * 4 + 8);
		int n = EVP_EncodeBlock(b64, evbuffer_pullup(json, -1), (int)len);
		evbuffer_drain(json, len);
		evbuffer_add_printf(json, "{\"bytes\":\"%.*s\",\"p\":\"abcdef\"}", n, (char *)b64);
		free(b64);
		frame(out, "event", "chunk", json);
	}
	evbuffer_free(json);
	return more;
}

// --- whole answers ---------------------------------------------------------------------

static void
converse_whole(struct answer *a)
{
	evbuffer_add_printf(a->body, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":"
				     "[{\"text\":");
	provider_answer_text(a, a->body);
	evbuffer_add_printf(a->body, "}]}},\"stopReason\":\"end_turn\",");
	converse_usage(a, a->body);
}

static void
invoke_whole(struct answer *a)
{
	provider_anthropic_whole(a, "msg_bdrk_demo");
	provider_answer_header(
	    a, "x-amzn-bedrock-input-token-count", "%llu", (unsigned long long)a->tokens_in);
	provider_answer_header(a, "x-amzn-bedrock-output-token-count", "%llu",
	    (unsigned long long)provider_answer_tokens_out(a));
}

// --- entry -------------------------------------------------------------------------------

static void
status_error(struct answer *a)
{
	static const struct {
		unsigned status;
		const char *type, *message;
	} table[] = {
	    {400, "ValidationException", "The provided model identifier is invalid."},
	    {403, "AccessDeniedException",
		"You don't have access to the model with the specified model ID."},
	    {404, "ResourceNotFoundException", "Could not resolve the foundation model."},
	    {408, "ModelTimeoutException", "The model timed out."},
	    {424, "ModelErrorException", "The model had an error."},
	    {429, "ThrottlingException", "Too many requests, please wait before trying again."},
	    {500, "InternalServerException", "The system encountered an unexpected error."},
	    {503, "ServiceUnavailableException", "Bedrock is unable to process your request."},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == a->status) {
			error(a, a->status, table[i].type, table[i].message);
			return;
		}
	error(a, a->status, "InternalFailure", "Status asked for by the model name.");
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Percent-decodes one path segment into a new string; NULL if it is malformed.
static char *
decode(struct view v)
{
	char *out = base_calloc(1, v.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] != '%') {
			out[n++] = v.p[i];
			continue;
		}
		int hi = i + 2 < v.len ? hex_digit(v.p[i + 1]) : -1;
		int lo = i + 2 < v.len ? hex_digit(v.p[i + 2]) : -1;
		if (hi < 0 || lo < 0) {
			free(out);
			return NULL;
		}
		out[n++] = (char)(hi * 16 + lo);
		i += 2;
	}
	return out;
}

static void
post(struct answer *a, const struct provider_call *call, struct view model, struct view op)
{
	struct provider_json j;
	if (!provider_json_parse(&j, call->body)) {
		error(a, 400, "SerializationException", "The body is not a JSON object.");
		return;
	}
	bool converse = op.len >= 8 && memcmp(op.p, "converse", 8) == 0;
	// An ARN may stand for a model of any maker.
	bool anthropic = strstr(model.p, "anthropic.") != NULL || strncmp(model.p, "arn:", 4) == 0;
	provider_answer_prepare(a, call, model, provider_json_last_user(&j));
	if (provider_answer_wants_error(a))
		status_error(a);
	else if (!json_is_array(json_object_get(j.root, "messages")))
		error(a, 400, "ValidationException", "messages: Field required");
	else if (!converse && (!anthropic || json_object_get(j.root, "anthropic_version") == NULL))
		error(a, 400, "ValidationException",
		    "Invoke is for anthropic. models here, with anthropic_version in the body.");
	else if (view_eq_str(op, "converse"))
		converse_whole(a);
	else if (view_eq_str(op, "invoke"))
		invoke_whole(a);
	else {
		a->content_type = "application/vnd.amazon.eventstream";
		a->event = converse ? converse_event : invoke_event;
		if (!converse)
			provider_answer_header(
			    a, "x-amzn-bedrock-content-type", "application/json");
	}
	provider_json_free(&j);
}

struct answer *
provider_bedrock_answer(const struct provider_call *call)
{
	struct answer *a = provider_answer_new(call->serial);
	struct view rest = {call->http->path.p + 7, call->http->path.len - 7}; // "/model/"
	provider_answer_header(
	    a, "x-amzn-requestid", "demo-%016llx", (unsigned long long)call->serial);
	struct provider_verdict v =
	    provider_sigv4_check(call->keys, call->http, call->body, time(NULL));
	if (v.type != NULL) {
		error(a, v.status, v.type, v.message);
		return a;
	}
	const char *slash = memchr(rest.p, '/', rest.len);
	size_t n = slash == NULL ? rest.len : (size_t)(slash - rest.p);
	struct view op = {slash == NULL ? NULL : slash + 1, slash == NULL ? 0 : rest.len - n - 1};
	char *model = decode((struct view){rest.p, n});
	bool known = view_eq_str(op, "converse") || view_eq_str(op, "converse-stream") ||
		     view_eq_str(op, "invoke") || view_eq_str(op, "invoke-with-response-stream");
	if (!known || model == NULL || *model == '\0' || !view_eq_str(call->http->method, "POST"))
		error(a, 404, "UnknownOperationException", "Unknown operation.");
	else
		post(a, call, view_of(model), op);
	free(model);
	return a;
}
