// SPDX-License-Identifier: Apache-2.0
// Collecting and checking one request. Pure but for the clock and random ids.
#include "gatewayd/request.h"

#include <openssl/sha.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "gatewayd/json_scan.h"

#define REQUEST_MAGIC	 0x72657175U
#define BODY_CAP_MIN	 4096U
#define HEADER_VALUE_MAX 2048U

#define BIT(n)	(1U << (unsigned)(n))
#define H_PLAIN (BIT(HEADER_CONTENT_TYPE) | BIT(HEADER_ACCEPT))
#define H_INVOKE                                                                                   \
	(H_PLAIN | BIT(HEADER_BEDROCK_ACCEPT) | BIT(HEADER_BEDROCK_TRACE) |                        \
	    BIT(HEADER_BEDROCK_GUARDRAIL_ID) | BIT(HEADER_BEDROCK_GUARDRAIL_VERSION) |             \
	    BIT(HEADER_BEDROCK_LATENCY) | BIT(HEADER_BEDROCK_SERVICE_TIER))

void
request_format_id(const uint8_t uuid[16], char out[REQUEST_ID_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		out[n++] = digits[uuid[i] >> 4];
		out[n++] = digits[uuid[i] & 15];
	}
	out[n] = '\0';
}

// --- headers -------------------------------------------------------------------

// What this operation may pass on; the vault's catalogue has the same sets and
// refuses anything else.
static unsigned
wanted_headers(enum operation op)
{
	switch (op) {
	case OP_OPENAI_CHAT:
	case OP_OPENAI_RESPONSES:
	case OP_OPENAI_EMBEDDINGS:
	case OP_OPENAI_MODELS:
	case OP_OPENAI_MODEL:
		return H_PLAIN | BIT(HEADER_OPENAI_BETA);
	case OP_ANTHROPIC_MESSAGES:
	case OP_ANTHROPIC_COUNT_TOKENS:
	case OP_ANTHROPIC_MODELS:
		return H_PLAIN | BIT(HEADER_ANTHROPIC_VERSION) | BIT(HEADER_ANTHROPIC_BETA);
	case OP_BEDROCK_CONVERSE:
	case OP_BEDROCK_CONVERSE_STREAM:
	case OP_BEDROCK_COUNT_TOKENS:
		return H_PLAIN;
	case OP_GENERATE_CONTENT:
	case OP_STREAM_GENERATE_CONTENT:
	case OP_GOOGLE_COUNT_TOKENS:
	case OP_EMBED_CONTENT:
	case OP_BATCH_EMBED_CONTENTS:
	case OP_GOOGLE_MODELS:
	case OP_GOOGLE_MODEL:
	case OP_PREDICT:
		return H_PLAIN;
	case OP_RAW_PREDICT:
	case OP_STREAM_RAW_PREDICT:
	case OP_RAW_PREDICT_COUNT:
		return H_PLAIN | BIT(HEADER_ANTHROPIC_BETA);
	case OP_BEDROCK_INVOKE:
	case OP_BEDROCK_INVOKE_STREAM:
		return H_INVOKE;
	default:
		BUG("unknown operation");
	}
}

static bool
printable(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	return true;
}

// Joins all lines of this name with commas into out[]; -1: not passable.
static ssize_t
joined_value(const struct http_parser *head, const char *name, char *out, size_t cap)
{
	size_t len = 0;
	for (size_t i = 0, n = http_header_count(head); i < n; i++) {
		struct view key, value;
		http_header_at(head, i, &key, &value);
		if (value.len == 0 || !http_view_eq_nocase(key, name))
			continue;
		if (!printable(value) || value.len + (len != 0) > cap - len)
			return -1;
		if (len != 0)
			out[len++] = ',';
		memcpy(out + len, value.p, value.len);
		len += value.len;
	}
	return (ssize_t)len;
}

static struct view
keep_text(struct request *r, const char *p, size_t len)
{
	char *at = r->text + r->text_len;
	if (len != 0)
		memcpy(at, p, len);
	r->text_len += len;
	return (struct view){.p = at, .len = len};
}

static bool
take_headers(struct request *r, const struct http_parser *head, struct failure *f)
{
	unsigned wanted = wanted_headers(r->op);
	for (unsigned id = 1; id <= HEADER_LAST; id++) {
		if ((wanted & BIT(id)) == 0)
			continue;
		char value[HEADER_VALUE_MAX];
		ssize_t n = joined_value(head, ids_header(id), value, sizeof(value));
		if (n < 0) {
			*f = (struct failure){.status = 400,
			    .code = "invalid_header",
			    .message = VIEW("A header that is passed on to the provider is longer "
					    "than 2048 bytes or not plain ASCII."),
			    .final = true};
			return false;
		}
		if (n > 0)
			r->header[r->header_count++] =
			    (struct msg_named){.id = id, .value = keep_text(r, value, (size_t)n)};
	}
	return true;
}

// --- life ----------------------------------------------------------------------

struct request *
request_new(const struct http_parser *head, const struct route *route, struct view client_key,
    struct limits *limits, struct failure *failure_r)
{
	struct request *r = base_calloc(1, sizeof(*r));
	r->magic = REQUEST_MAGIC;
	r->op = route->op;
	r->dialect = route->dialect;
	r->stream = route->stream;
	r->native = route->provider != 0;
	r->path_model = route->model_in_path;
	r->http10 = head->minor == 0;
	r->keep_alive = head->keep_alive;
	r->strict_params =
	    http_view_eq_nocase(http_header(head, "x-sallyport-strict-params"), "true");
	r->limits = limits;
	r->started_ns = clock_mono_ns();
	clock_uuid7(r->uuid);
	request_format_id(r->uuid, r->id);

	size_t text_max = client_key.len + route->model_len + sizeof(route->param_text);
	for (size_t i = 0, n = http_header_count(head); i < n; i++) {
		struct view name, value;
		http_header_at(head, i, &name, &value);
		text_max += value.len + 1;
	}
	r->text = base_calloc(1, text_max);
	r->client_key = keep_text(r, client_key.p, client_key.len);
	// Without a model in the path this is the provider that the path named, or nothing.
	bool named = route->model_in_path || route->provider != 0;
	r->model = keep_text(r, route->model, named ? route->model_len : 0);
	for (size_t i = 0; i < route->param_count; i++)
		r->param[r->param_count++] = (struct msg_named){.id = route->param[i].id,
		    .value = keep_text(r, route->param[i].value.p, route->param[i].value.len)};
	if (!take_headers(r, head, failure_r)) {
		request_free(r);
		return NULL;
	}
	return r;
}

void
request_drop_body(struct request *r)
{
	limits_unbuffer(r->limits, r->body_cap);
	free(r->body);
	r->body = NULL;
	r->body_cap = 0;
}

void
request_free(struct request *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, REQUEST_MAGIC);
	r->magic = 0;
	request_drop_body(r);
	sodium_memzero(r->text, r->text_len); // holds the client's key
	free(r->text);
	free(r->model_text);
	free(r);
}

bool
request_body(struct request *r, struct view bytes)
{
	size_t need = r->body_len + bytes.len;
	if (need > r->body_cap) {
		size_t cap = MAX(r->body_cap, BODY_CAP_MIN);
		while (cap < need)
			cap *= 2;
		if (!limits_buffer(r->limits, cap - r->body_cap))
			return false;
		r->body = base_realloc(r->body, cap);
		r->body_cap = cap;
	}
	memcpy(r->body + r->body_len, bytes.p, bytes.len);
	r->body_len = need;
	return true;
}

// --- the complete body ---------------------------------------------------------

struct fields {
	struct request *r;
	unsigned models, streams;
	bool bad_model, bad_stream;
	struct view prefix; // "provider/", or empty
};

// Behind the provider that the path named, unless the client wrote it too.
static void
set_model(struct fields *f, struct view model)
{
	struct view prefix = f->prefix;
	if (model.len >= prefix.len && memcmp(model.p, prefix.p, prefix.len) == 0)
		prefix.len = 0;
	free(f->r->model_text);
	f->r->model_text = base_calloc(1, prefix.len + model.len + 1);
	if (prefix.len != 0)
		memcpy(f->r->model_text, prefix.p, prefix.len);
	memcpy(f->r->model_text + prefix.len, model.p, model.len);
	f->r->model = (struct view){.p = f->r->model_text, .len = prefix.len + model.len};
	f->r->body_model = (struct view){.p = f->r->model_text + prefix.len, .len = model.len};
	f->bad_model = f->bad_model || f->r->model.len > ROUTE_MODEL_MAX;
}

// Earlier answers, conversations, background runs (OpenAI Responses) and containers
// (Anthropic) are kept by one account of the provider.
static bool
names_state(enum operation op, const struct json_member *m)
{
	bool said = m->kind == SCAN_STRING && m->value.len != 0;
	if (op == OP_ANTHROPIC_MESSAGES)
		return said && (json_member_is(m, "container", NULL, NULL) ||
				   json_member_is(m, "container", "id", NULL));
	if (op != OP_OPENAI_RESPONSES)
		return false;
	if (json_member_is(m, "background", NULL, NULL))
		return m->kind == SCAN_TRUE;
	return said && (json_member_is(m, "previous_response_id", NULL, NULL) ||
			   json_member_is(m, "conversation", NULL, NULL) ||
			   json_member_is(m, "conversation", "id", NULL));
}

// Azure's clients name the deployment in the path and the model in the body.
static void
note_body_model(struct fields *f, const struct json_member *m)
{
	free(f->r->model_text);
	f->r->model_text = base_calloc(1, m->value.len + 1);
	f->r->body_model = (struct view){.p = f->r->model_text, .len = 0};
	if (m->kind != SCAN_STRING)
		return;
	if (m->value.len != 0)
		memcpy(f->r->model_text, m->value.p, m->value.len);
	f->r->body_model.len = m->value.len;
}

static void
on_member(void *cookie, const struct json_member *m)
{
	struct fields *f = cookie;
	if (json_member_is(m, "model", NULL, NULL) && f->r->path_model) {
		note_body_model(f, m);
	} else if (json_member_is(m, "model", NULL, NULL)) {
		f->models++;
		f->bad_model = f->bad_model || m->kind != SCAN_STRING || m->value.len == 0;
		for (size_t i = 0; i < m->value.len; i++)
			f->bad_model = f->bad_model || m->value.p[i] < 0x21 || m->value.p[i] > 0x7e;
		set_model(f, m->value);
	} else if (names_state(f->r->op, m)) {
		f->r->pinned = true;
	} else if (json_member_is(m, "stream", NULL, NULL)) {
		f->streams++;
		f->r->stream = m->kind == SCAN_TRUE;
		f->bad_stream =
		    m->kind != SCAN_TRUE && m->kind != SCAN_FALSE && m->kind != SCAN_NULL;
	}
}

static bool
refuse(struct failure *f, const char *code, struct view message)
{
	*f = (struct failure){.status = 400, .code = code, .message = message, .final = true};
	return false;
}

static bool
model_in_body(enum operation op)
{
	return op == OP_OPENAI_CHAT || op == OP_OPENAI_RESPONSES || op == OP_OPENAI_EMBEDDINGS ||
	       op == OP_ANTHROPIC_MESSAGES || op == OP_ANTHROPIC_COUNT_TOKENS ||
	       op == OP_RAW_PREDICT_COUNT;
}

static bool
check_json(struct request *r, struct failure *f)
{
	const char *p = (const char *)r->body;
	bool want = model_in_body(r->op);
	struct fields fields = {.r = r, .prefix = r->model};
	struct json_scan scan;
	json_scan_init(&scan, want ? on_member : NULL, &fields);
	(void)json_scan_feed(&scan, p, r->body_len);
	size_t at = 0;
	while (at < r->body_len && strchr(" \t\r\n", p[at]) != NULL && p[at] != '\0')
		at++;
	if (json_scan_end(&scan) != SCAN_DONE || p[at] != '{' || !mp_utf8_valid(p, r->body_len))
		return refuse(
		    f, "invalid_json", VIEW("The request body is not a valid JSON object."));
	if (scan.lone_surrogate)
		return refuse(f, "invalid_json",
		    VIEW("A string of the request body holds half of a surrogate pair (\\ud800 to "
			 "\\udfff alone), which is no character."));
	if (scan.long_number)
		return refuse(f, "invalid_json",
		    VIEW("A number of the request body has more than 1,024 characters."));
	if (!want)
		return true;
	// Two readers could disagree about which of two values counts.
	if (fields.models > 1 || fields.streams > 1)
		return refuse(f, "duplicate_field",
		    VIEW("'model' or 'stream' appears twice in the request body."));
	if (fields.models == 0 && !r->path_model)
		return refuse(f, "missing_model", VIEW("The request body has no 'model'."));
	if (fields.bad_model)
		return refuse(f, "invalid_model",
		    VIEW("'model' must be a string of 1 to 2048 visible ASCII characters."));
	if (fields.bad_stream)
		return refuse(f, "invalid_stream", VIEW("'stream' must be true or false."));
	return true;
}

static bool
takes_body(enum operation op)
{
	return op != OP_OPENAI_MODELS && op != OP_OPENAI_MODEL && op != OP_ANTHROPIC_MODELS &&
	       op != OP_GOOGLE_MODELS && op != OP_GOOGLE_MODEL;
}

bool
request_complete(struct request *r, struct failure *failure_r)
{
	CHECK_OBJ(r, REQUEST_MAGIC);
	if (!takes_body(r->op) && r->body_len != 0)
		return refuse(failure_r, "unexpected_body", VIEW("This request takes no body."));
	if (takes_body(r->op)) {
		if (r->body_len == 0)
			return refuse(failure_r, "missing_body",
			    VIEW("The request body is empty; a JSON object is needed."));
		if (!check_json(r, failure_r))
			return false;
	}
	if (r->op == OP_BEDROCK_CONVERSE_STREAM || r->op == OP_BEDROCK_INVOKE_STREAM ||
	    r->op == OP_STREAM_GENERATE_CONTENT || r->op == OP_STREAM_RAW_PREDICT)
		r->stream = true;
	SHA256(r->body, r->body_len, r->body_sha256);
	return true;
}
