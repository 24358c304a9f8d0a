// SPDX-License-Identifier: Apache-2.0
// Sessions of the dialect library for attempts: what they need to know of the request and
// the model, and streams cut into events for them.
#include "gatewayd/translate.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jv.h"
#include "gatewayd/stream.h"
#include "gatewayd/worker.h"

#define BODY_MAX  (64U << 20) // no operation of the catalogue takes more
#define EVENT_MAX ((size_t)8 << 20)

#define NEWEST_VERSION "2026-10-21"

static bool
refuse(struct failure *f, unsigned status, const char *code, struct view message)
{
	*f = (struct failure){.status = status,
	    .code = code,
	    .message = message,
	    .retry_after_ms = status == 503 ? 1000 : 0,
	    .final = status == 400};
	return false;
}

// --- the request -------------------------------------------------------------------

static struct view
header_of(const struct request *r, enum header_id id)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (r->header[i].id == id)
			return r->header[i].value;
	return VIEW("");
}

struct view
translate_without_provider(struct view model)
{
	const char *slash = model.len == 0 ? NULL : memchr(model.p, '/', model.len);
	if (slash == NULL)
		return model;
	size_t n = (size_t)(slash - model.p);
	if (ids_provider_of((struct view){.p = model.p, .len = n}) == 0)
		return model;
	return (struct view){.p = slash + 1, .len = model.len - n - 1};
}

static void
take_model(struct translation *t, const struct request *r, const struct plan_attempt *a,
    struct dialect_model *m)
{
	m->asked = r->body_model.len != 0 && !r->path_model ? r->body_model : r->model;
	m->upstream = view_of(a->model);
	m->betas = VIEW("");
	if (t->w->catalogue.present == NULL)
		return;
	t->catalogue = catalog_ref(t->w->catalogue.present);
	enum provider provider = (enum provider)a->provider;
	const struct catalog_model *c = catalog_find(t->catalogue, provider, m->upstream);
	if (c == NULL)
		c = catalog_find(t->catalogue, provider, translate_without_provider(m->asked));
	if (c == NULL)
		return; // a model that the catalogue does not know: no rules
	m->max_output = c->max_output;
	m->thinking = c->thinking;
	m->flags = c->flags;
	m->betas = c->betas;
}

// False: the worker may not hold this much.
static bool
count(struct translation *t)
{
	size_t now = t->body.cap + t->out.cap;
	if (now <= t->counted)
		limits_unbuffer(&t->w->limits, t->counted - now);
	else if (!limits_buffer(&t->w->limits, now - t->counted))
		return !(t->crowded = true);
	t->counted = now;
	return true;
}

static void
take_headers(struct translation *t, const struct request *r)
{
	if (t->native_answer) {
		memcpy(t->header, r->header, r->header_count * sizeof(r->header[0]));
		t->header_count = r->header_count;
		return;
	}
	t->header[0] =
	    (struct msg_named){.id = HEADER_CONTENT_TYPE, .value = VIEW("application/json")};
	t->header_count = 1 + dialect_headers(t->d, t->header + 1, ARRAY_LEN(t->header) - 1);
}

// Thought signatures of one client are none of another's business.
static void
set_scope(struct translation *t)
{
	if (t->w->memory != NULL)
		dialect_memory_scope(t->w->memory, view_of(t->plan->vkey_id));
}

static bool
begin(struct translation *t, enum dialect_pair pair, const struct request *r,
    const struct plan_attempt *a, struct failure *f)
{
	struct dialect_request q = {.pair = pair,
	    .body = {.p = (const char *)r->body, .len = r->body_len},
	    .stream = r->stream,
	    .strict_params = r->strict_params,
	    .now_s = clock_wall_ns() / 1000000000U,
	    .id = r->id,
	    .anthropic_version = header_of(r, HEADER_ANTHROPIC_VERSION),
	    .anthropic_beta = header_of(r, HEADER_ANTHROPIC_BETA),
	    .memory = t->w->memory};
	enum jv_fault fault = jv_check(q.body, NULL);
	if (fault != JV_OK)
		return refuse(f, 400, "invalid_json", view_of(jv_fault_text(fault)));
	take_model(t, r, a, &q.model);
	set_scope(t);
	t->d = dialect_new(&q, &t->body, &t->fault);
	if (t->d == NULL)
		return refuse(f, 400, t->fault.code, view_of(t->fault.message));
	if (!count(t))
		return refuse(f, 503, "overloaded",
		    VIEW("The gateway holds as many requests as it can; retry."));
	t->body_len = t->body.len;
	t->native_answer = pair == DIALECT_MODEL_IN_BODY || pair == DIALECT_VERSION_IN_BODY;
	SHA256((const uint8_t *)t->body.p, t->body.len, t->sha256);
	take_headers(t, r);
	return true;
}

// Anthropic's SDK for Bedrock writes the newest version of its API into every body; Bedrock
// takes that with its newest models only.
static bool
needs_older_version(const struct worker *w, const struct request *r, const struct plan_attempt *a)
{
	struct view body = {.p = (const char *)r->body, .len = r->body_len};
	if ((r->op != OP_BEDROCK_INVOKE && r->op != OP_BEDROCK_INVOKE_STREAM) || body.len == 0 ||
	    memmem(body.p, body.len, NEWEST_VERSION, strlen(NEWEST_VERSION)) == NULL ||
	    jv_check(body, NULL) != JV_OK ||
	    !jv_eq(jv_get(jv_root(body), "anthropic_version"), NEWEST_VERSION))
		return false;
	const struct catalog_model *m =
	    catalog_find(w->catalogue.present, PROVIDER_BEDROCK, view_of(a->model));
	return m != NULL && (m->flags & MODEL_CLAUDE) != 0 && (m->flags & MODEL_VERSION_2026) == 0;
}

bool
translate_begin(struct translation **t, struct worker *w, const struct request *r, struct plan *p,
    size_t attempt, struct failure *f)
{
	const struct plan_attempt *a = &p->attempt[attempt];
	bool renamed = !view_eq_str(r->body_model, a->model);
	enum dialect_pair pair;
	translate_end(t);
	if (!dialect_pair_of(r->op, (enum provider)a->provider, a->operation, renamed, &pair))
		return refuse(f, 400, "unsupported_operation",
		    VIEW("The provider of this model cannot serve this kind of request."));
	if (pair == DIALECT_NATIVE && needs_older_version(w, r, a))
		pair = DIALECT_VERSION_IN_BODY;
	if (pair == DIALECT_NATIVE)
		return true;
	struct translation *n = base_calloc(1, sizeof(*n));
	n->w = w;
	n->plan = plan_ref(p);
	buf_init(&n->body, BODY_MAX);
	buf_init(&n->out, TRANSLATE_ANSWER_MAX);
	*t = n;
	return begin(n, pair, r, a, f);
}

void
translate_drop_body(struct translation *t)
{
	buf_free(&t->body);
	(void)count(t);
}

static void
end_parsing(struct translation *t)
{
	if (t->parsing && t->sse)
		sse_free(&t->in.sse);
	else if (t->parsing)
		eventstream_free(&t->in.es);
	t->parsing = false;
}

void
translate_end(struct translation **tp)
{
	struct translation *t = *tp;
	*tp = NULL;
	if (t == NULL)
		return;
	end_parsing(t);
	dialect_free(t->d);
	buf_free(&t->out);
	translate_drop_body(t);
	catalog_unref(t->catalogue);
	plan_unref(t->plan);
	free(t);
}

// --- the answer --------------------------------------------------------------------

bool
translate_answers(const struct translation *t)
{
	return t != NULL && t->d != NULL && !t->native_answer;
}

struct view
translate_dropped(const struct translation *t)
{
	return dialect_dropped(t->d);
}

bool
translate_answer(struct translation *t, struct view body)
{
	set_scope(t);
	buf_clear(&t->out);
	bool good = dialect_answer(t->d, body, &t->out);
	return count(t) && good;
}

void
translate_stream(struct translation *t, bool sse, struct facts *facts)
{
	end_parsing(t);
	t->sse = sse;
	t->facts = facts;
	t->parsing = true;
	t->end = DIALECT_OPEN;
	if (sse)
		sse_init(&t->in.sse, EVENT_MAX);
	else
		eventstream_init(&t->in.es, 0);
}

static void
on_sse(struct translation *t)
{
	const struct sse_event *e = &t->in.sse.event;
	if (!e->has_data || view_eq_str(e->data, "[DONE]"))
		return;
	(void)facts_json(t->facts, e->data);
	t->end = dialect_event(t->d, e->name, e->data, false, &t->out);
}

static void
on_message(struct translation *t)
{
	const struct eventstream_message *m = &t->in.es.message;
	struct view kind = eventstream_string(m, ":message-type");
	bool error = view_eq_str(kind, "error"), bad = error || view_eq_str(kind, "exception");
	const char *name = error ? ":error-code" : bad ? ":exception-type" : ":event-type";
	struct view what = eventstream_string(m, name);
	if (view_eq_str(what, "metadata"))
		(void)facts_json(t->facts, m->payload);
	else if (view_eq_str(what, "chunk"))
		(void)stream_chunk_facts(t->facts, m->payload);
	t->end = dialect_event(t->d, what.p == NULL ? VIEW("") : what, m->payload, bad, &t->out);
}

bool
translate_feed(struct translation *t, struct view in)
{
	set_scope(t);
	for (;;) {
		size_t used;
		if (t->sse) {
			enum sse_result r = sse_feed(&t->in.sse, in.p, in.len, &used);
			if (r != SSE_EVENT)
				return count(t) && r == SSE_NEED_MORE && !t->out.failed;
			on_sse(t);
		} else {
			enum eventstream_result r =
			    eventstream_feed(&t->in.es, in.p, in.len, &used);
			if (r != EVENTSTREAM_MESSAGE)
				return count(t) && r == EVENTSTREAM_NEED_MORE && !t->out.failed;
			on_message(t);
		}
		in.p += used;
		in.len -= used;
	}
}

bool
translate_crowded(const struct translation *t)
{
	return t->crowded;
}

enum dialect_end
translate_state(const struct translation *t)
{
	return t->end;
}

// Several servers leave out the last empty line: a whole event is accepted without it.
// false: half an event is left.
static bool
last_event(struct translation *t)
{
	if (sse_eof(&t->in.sse) != SSE_EVENT)
		return true;
	const struct sse_event *e = &t->in.sse.event;
	bool whole = e->complete || (e->has_data && jv_check(e->data, NULL) == JV_OK);
	if (whole)
		on_sse(t);
	return whole || !e->has_data;
}

enum dialect_end
translate_finish(struct translation *t)
{
	set_scope(t);
	bool clean = t->sse ? last_event(t) : eventstream_clean(&t->in.es);
	if (t->end == DIALECT_OPEN && clean)
		t->end = dialect_finish(t->d, &t->out);
	return t->end;
}
