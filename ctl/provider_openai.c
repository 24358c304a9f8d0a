// SPDX-License-Identifier: Apache-2.0
// Checks the bearer key, then answers chat completions, embeddings and models, and
// hands responses to provider_responses.c. No I/O.
#include "ctl/provider_openai.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/provider_embed.h"
#include "ctl/provider_json.h"
#include "ctl/provider_responses.h"

static void
error(struct answer *a, unsigned status, const char *type, const char *code, const char *message)
{
	a->status = status;
	evbuffer_add_printf(a->body,
	    "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,", message, type);
	evbuffer_add_printf(a->body, "\"code\":%s%s%s}}", code == NULL ? "" : "\"",
	    code == NULL ? "null" : code, code == NULL ? "" : "\"");
}

// --- keys ------------------------------------------------------------------------

static bool
authorized(const struct provider_call *call)
{
	struct view v = http_header(call->http, "authorization");
	if (http_header_repeats(call->http, "authorization") != 1 || v.len < 7 ||
	    memcmp(v.p, "Bearer ", 7) != 0)
		return false;
	return provider_keys_find(call->keys, KEYS_OPENAI, (struct view){v.p + 7, v.len - 7}) !=
	       NULL;
}

static void
refuse(struct answer *a, const struct provider_call *call)
{
	if (http_header(call->http, "authorization").p == NULL)
		error(a, 401, "invalid_request_error", NULL,
		    "You didn't provide an API key. You need to provide your API key in an "
		    "Authorization header using Bearer auth.");
	else
		error(a, 401, "invalid_request_error", "invalid_api_key",
		    "Incorrect API key provided.");
}

// --- chat completions --------------------------------------------------------------

static void
chunk_head(struct answer *a, struct evbuffer *out)
{
	evbuffer_add_printf(out,
	    "data: {\"id\":\"chatcmpl-demo%llu\",\"object\":\"chat.completion.chunk\","
	    "\"created\":%lld,\"model\":",
	    (unsigned long long)a->serial, (long long)a->created);
	provider_answer_string(out, view_of(a->model));
	evbuffer_add_printf(out, ",\"service_tier\":\"default\",\"choices\":[");
}

static void
usage(struct answer *a, struct evbuffer *out)
{
	unsigned long long in = a->tokens_in;
	unsigned long long o = provider_answer_tokens_out(a);
	evbuffer_add_printf(out,
	    "\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,\"total_tokens\":%llu,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":0},"
	    "\"completion_tokens_details\":{\"reasoning_tokens\":0}}",
	    in, o, in + o);
}

static void
chat_delta(struct answer *a, struct evbuffer *out, struct view piece)
{
	chunk_head(a, out);
	evbuffer_add_printf(out, "{\"index\":0,\"delta\":{\"content\":");
	provider_answer_string(out, piece);
	evbuffer_add_printf(out, "},\"logprobs\":null,\"finish_reason\":null}]%s}\n\n",
	    a->include_usage ? ",\"usage\":null" : "");
}

// Everything behind the last delta.
static void
chat_close(struct answer *a, struct evbuffer *out)
{
	chunk_head(a, out);
	evbuffer_add_printf(out,
	    "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":"
	    "\"stop\"}]%s}\n\n",
	    a->include_usage ? ",\"usage\":null" : "");
	if (a->include_usage) {
		chunk_head(a, out);
		evbuffer_add_printf(out, "],");
		usage(a, out);
		evbuffer_add_printf(out, "}\n\n");
	}
	evbuffer_add_printf(out, "data: [DONE]\n\n");
}

static bool
chat_event(struct answer *a, struct evbuffer *out)
{
	struct view piece;
	if (a->phase == 0) {
		chunk_head(a, out);
		evbuffer_add_printf(out,
		    "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
		    "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}]%s}\n\n",
		    a->include_usage ? ",\"usage\":null" : "");
		a->phase = 1;
		return true;
	}
	if (a->phase == 2)
		return false;
	switch (provider_answer_piece(a, &piece)) {
	case PIECE_TEXT:
		chat_delta(a, out, piece);
		return true;
	case PIECE_ERROR:
		evbuffer_add_printf(out,
		    "data: {\"error\":{\"message\":\"The server had an error while processing your "
		    "request.\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n");
		break;
	case PIECE_END:
		if (!a->cut)
			chat_close(a, out);
		break;
	}
	a->phase = 2;
	return true;
}

static void
chat_whole(struct answer *a)
{
	evbuffer_add_printf(a->body,
	    "{\"id\":\"chatcmpl-demo%llu\",\"object\":\"chat.completion\",\"created\":%lld,"
	    "\"model\":",
	    (unsigned long long)a->serial, (long long)a->created);
	provider_answer_string(a->body, view_of(a->model));
	evbuffer_add_printf(
	    a->body, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
	provider_answer_text(a, a->body);
	evbuffer_add_printf(a->body, ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
				     "\"finish_reason\":\"stop\"}],");
	usage(a, a->body);
	evbuffer_add_printf(
	    a->body, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_demo\"}");
}

static void
chat(struct answer *a, const json_t *root)
{
	const json_t *options = json_object_get(root, "stream_options");
	a->include_usage = json_is_true(json_object_get(options, "include_usage"));
	if (json_is_true(json_object_get(root, "stream"))) {
		a->content_type = "text/event-stream; charset=utf-8";
		a->event = chat_event;
	} else if (options != NULL && !json_is_null(options)) {
		error(a, 400, "invalid_request_error", NULL,
		    "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
	} else {
		chat_whole(a);
	}
}

// --- models ------------------------------------------------------------------------

static const char *const models[] = {"gpt-5.4", "gpt-5.4-mini", "text-embedding-3-small"};

static void
model_item(struct evbuffer *out, struct view id)
{
	evbuffer_add_printf(out, "{\"id\":");
	provider_answer_string(out, id);
	evbuffer_add_printf(
	    out, ",\"object\":\"model\",\"created\":1735689600,\"owned_by\":\"sallyport-demo\"}");
}

static void
model_list(struct answer *a)
{
	evbuffer_add_printf(a->body, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		if (i != 0)
			evbuffer_add(a->body, ",", 1);
		model_item(a->body, view_of(models[i]));
	}
	evbuffer_add_printf(a->body, "]}");
}

// --- entry -------------------------------------------------------------------------

static void
status_error(struct answer *a)
{
	static const struct {
		unsigned status;
		const char *type, *code, *message;
	} table[] = {
	    {400, "invalid_request_error", "invalid_value", "Invalid value."},
	    {401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."},
	    {403, "invalid_request_error", "unsupported_country_region_territory",
		"Country, region, or territory not supported"},
	    {404, "invalid_request_error", "model_not_found", "The model does not exist."},
	    {429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."},
	    {500, "server_error", NULL, "The server had an error while processing your request."},
	    {503, "server_error", "server_is_overloaded", "The engine is currently overloaded."},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == a->status) {
			error(a, a->status, table[i].type, table[i].code, table[i].message);
			return;
		}
	error(a, a->status, "server_error", NULL, "Status asked for by the model name.");
}

static void
post(struct answer *a, const struct provider_call *call, struct view what)
{
	struct provider_json j;
	if (!provider_json_parse(&j, call->body)) {
		error(a, 400, "invalid_request_error", NULL,
		    "We could not parse the JSON body of your request.");
		return;
	}
	struct view model = provider_json_view(json_object_get(j.root, "model"));
	provider_answer_prepare(a, call, model, provider_json_last_user(&j));
	if (model.len == 0)
		error(a, 400, "invalid_request_error", NULL, "you must provide a model parameter");
	else if (provider_answer_wants_error(a))
		status_error(a);
	else if (view_eq_str(what, "chat/completions"))
		chat(a, j.root);
	else if (view_eq_str(what, "responses"))
		provider_responses_answer(a, j.root);
	else if (!provider_embed_answer(a, j.root))
		error(a, 400, "invalid_request_error", NULL, "'$.input' is invalid.");
	provider_json_free(&j);
}

struct answer *
provider_openai_answer(const struct provider_call *call)
{
	struct answer *a = provider_answer_new(call->serial);
	struct view path = call->http->path;
	struct view what = {path.p + 4, path.len - 4}; // behind "/v1/"
	bool get = view_eq_str(call->http->method, "GET");
	provider_answer_header(a, "x-request-id", "req_demo%llu", (unsigned long long)call->serial);
	provider_answer_header(a, "openai-version", "2020-10-01");
	if (!authorized(call))
		refuse(a, call);
	else if (get && view_eq_str(what, "models"))
		model_list(a);
	else if (get && what.len > 7 && memcmp(what.p, "models/", 7) == 0)
		model_item(a->body, (struct view){what.p + 7, what.len - 7});
	else if (view_eq_str(call->http->method, "POST") &&
		 (view_eq_str(what, "chat/completions") || view_eq_str(what, "responses") ||
		     view_eq_str(what, "embeddings")))
		post(a, call, what);
	else
		error(a, 404, "invalid_request_error", "unknown_url", "Invalid URL.");
	return a;
}
