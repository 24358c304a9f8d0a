// SPDX-License-Identifier: Apache-2.0
// The four error shapes. Sources: OpenAI API reference "Error codes" and the SDKs'
// stream reader (throws on a data object with "error"); Anthropic API reference
// "Errors"; AWS restJson1 (error type in x-amzn-errortype) and event stream
// exceptions of the Bedrock runtime model; Google API design guide "Errors"
// (google.rpc.Status). Pure.
#include "gatewayd/errors.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/eventstream.h"
#include "common/http_write.h"

#define MESSAGE_MAX 600U

struct type_row {
	unsigned status;
	const char *openai;
	const char *anthropic;
	const char *bedrock;
	const char *google;
};

// The first row with the status, else the last row of its class.
static const struct type_row types[] = {
    {400, "invalid_request_error", "invalid_request_error", "ValidationException",
	"INVALID_ARGUMENT"},
    {401, "authentication_error", "authentication_error", "UnrecognizedClientException",
	"UNAUTHENTICATED"},
    {402, "insufficient_quota", "billing_error", "ServiceQuotaExceededException",
	"FAILED_PRECONDITION"},
    {403, "permission_error", "permission_error", "AccessDeniedException", "PERMISSION_DENIED"},
    {404, "not_found_error", "not_found_error", "ResourceNotFoundException", "NOT_FOUND"},
    {405, "invalid_request_error", "invalid_request_error", "ValidationException",
	"INVALID_ARGUMENT"},
    {408, "timeout_error", "timeout_error", "ModelTimeoutException", "DEADLINE_EXCEEDED"},
    {409, "conflict_error", "conflict_error", "ConflictException", "ABORTED"},
    {413, "invalid_request_error", "request_too_large", "ValidationException", "INVALID_ARGUMENT"},
    {424, "server_error", "api_error", "ModelErrorException", "FAILED_PRECONDITION"},
    {429, "rate_limit_error", "rate_limit_error", "ThrottlingException", "RESOURCE_EXHAUSTED"},
    {500, "server_error", "api_error", "InternalServerException", "INTERNAL"},
    {502, "server_error", "api_error", "InternalServerException", "INTERNAL"},
    {503, "server_error", "overloaded_error", "ServiceUnavailableException", "UNAVAILABLE"},
    {504, "timeout_error", "timeout_error", "ModelTimeoutException", "DEADLINE_EXCEEDED"},
};

static const struct type_row *
type_of(unsigned status)
{
	const struct type_row *found = &types[0];
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].status == status)
			return &types[i];
		if (types[i].status == 500 && status >= 500)
			found = &types[i];
	}
	return found;
}

static size_t
dump(json_t *o, char *out, size_t cap)
{
	if (o == NULL)
		BUG("out of memory");
	size_t n = json_dumpb(o, out, cap, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(o);
	BUG_IF(n > cap);
	return n;
}

// How much of a text is told: whole characters, and nothing behind bytes that are no text.
static size_t
told_len(struct view text)
{
	size_t n = MIN(text.len, MESSAGE_MAX);
	while (n != 0 && !mp_utf8_valid(text.p, n))
		n--;
	return n;
}

static size_t
body(enum api d, const struct failure *f, const char *request_id, char *out, size_t cap)
{
	const struct type_row *t = type_of(f->status);
	const char *p = f->message.p;
	size_t n = told_len(f->message);
	switch (d) {
	case DIALECT_OPENAI:
		return dump(json_pack("{s:{s:s%,s:s,s:n,s:s}}", "error", "message", p, n, "type",
				t->openai, "param", "code", f->code),
		    out, cap);
	case DIALECT_ANTHROPIC:
		return dump(
		    json_pack("{s:s,s:{s:s,s:s%,s:s},s:s}", "type", "error", "error", "type",
			t->anthropic, "message", p, n, "code", f->code, "request_id", request_id),
		    out, cap);
	case DIALECT_BEDROCK:
		return dump(json_pack("{s:s%}", "message", p, n), out, cap);
	case DIALECT_GOOGLE:
		return dump(json_pack("{s:{s:i,s:s%,s:s,s:[{s:s,s:s,s:s}]}}", "error", "code",
				(int)f->status, "message", p, n, "status", t->google, "details",
				"@type", "type.googleapis.com/google.rpc.ErrorInfo", "reason",
				f->code, "domain", "sallyport"),
		    out, cap);
	}
	BUG("unknown dialect");
}

size_t
errors_body(enum api d, const struct failure *f, const char *request_id, char out[ERRORS_BODY_MAX])
{
	return body(d, f, request_id, out, ERRORS_BODY_MAX);
}

static void
retry_headers(struct http_out *o, const struct failure *f)
{
	if (f->retry_after_ms != 0) {
		http_put_header_u64(o, "retry-after", (f->retry_after_ms + 999) / 1000);
		http_put_header_u64(o, "retry-after-ms", f->retry_after_ms);
	}
	if (f->final)
		http_put_header_str(o, "x-should-retry", "false");
}

unsigned
errors_status(enum api d, const struct failure *f)
{
	bool deaf = d == DIALECT_BEDROCK || d == DIALECT_GOOGLE;
	return deaf && f->final && f->status >= 500 ? 424 : f->status;
}

size_t
errors_response(enum api d, const struct failure *told, const char *request_id, bool keep_alive,
    char out[ERRORS_RESPONSE_MAX])
{
	struct failure as = *told;
	const struct failure *f = &as;
	char text[ERRORS_BODY_MAX];
	as.status = errors_status(d, told);
	size_t len = body(d, f, request_id, text, sizeof(text));
	struct http_out o;
	http_out_init(&o, out, ERRORS_RESPONSE_MAX);
	http_put_status(&o, f->status);
	http_put_header_str(&o, "content-type", "application/json");
	http_put_content_length(&o, len);
	http_put_header_str(&o, "x-sallyport-request-id", request_id);
	http_put_header_str(&o, "x-sallyport-error-code", f->code);
	if (d == DIALECT_ANTHROPIC)
		http_put_header_str(&o, "request-id", request_id);
	if (d == DIALECT_BEDROCK) {
		http_put_header_str(&o, "x-amzn-requestid", request_id);
		http_put_header_str(&o, "x-amzn-errortype", type_of(f->status)->bedrock);
	}
	retry_headers(&o, f);
	if (f->allow != NULL)
		http_put_header_str(&o, "allow", f->allow);
	if (!keep_alive)
		http_put_header_str(&o, "connection", "close");
	http_put_end(&o);
	http_put_bytes(&o, (struct view){.p = text, .len = len});
	BUG_IF(o.failed);
	return o.len;
}

static size_t
bedrock_event(const struct failure *f, const char *text, size_t len, char *out)
{
	// A stream that was throttled or timed out says so; all else is a stream error.
	const char *type = f->status == 429   ? "throttlingException"
			   : f->status == 503 ? "serviceUnavailableException"
					      : "modelStreamErrorException";
	struct eventstream_out o;
	eventstream_begin(&o, out, ERRORS_EVENT_MAX);
	eventstream_put_string(&o, ":exception-type", view_of(type));
	eventstream_put_string(&o, ":content-type", VIEW("application/json"));
	eventstream_put_string(&o, ":message-type", VIEW("exception"));
	size_t n = eventstream_end(&o, (struct view){.p = text, .len = len});
	BUG_IF(n == 0);
	return n;
}

size_t
errors_event(enum api d, bool named, const struct failure *f, const char *request_id,
    char out[ERRORS_EVENT_MAX])
{
	char text[ERRORS_BODY_MAX];
	size_t len;
	if (d == DIALECT_OPENAI && named) {
		const char *p = f->message.p;
		size_t n = told_len(f->message);
		len = dump(json_pack("{s:s,s:s,s:s%,s:n,s:{s:s%,s:s,s:n,s:s}}", "type", "error",
			       "code", f->code, "message", p, n, "param", "error", "message", p, n,
			       "type", type_of(f->status)->openai, "param", "code", f->code),
		    text, sizeof(text));
	} else {
		len = body(d, f, request_id, text, sizeof(text));
	}
	if (d == DIALECT_BEDROCK)
		return bedrock_event(f, text, len, out);
	bool name = d == DIALECT_ANTHROPIC || named;
	int n = snprintf(out, ERRORS_EVENT_MAX, "%sdata: %.*s\n\n", name ? "event: error\n" : "",
	    (int)len, text);
	BUG_IF(n < 0 || (size_t)n >= ERRORS_EVENT_MAX);
	return (size_t)n;
}
