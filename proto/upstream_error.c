// SPDX-License-Identifier: Apache-2.0
// Reading error bodies. Sources: OpenAI "Error codes", Anthropic "Errors", AWS restJson1
// (x-amzn-errortype, __type), google.rpc.Status with ErrorInfo, QuotaFailure and
// RetryInfo, RFC 6749 (token endpoints). Pure.
#include "proto/upstream_error.h"

#include <string.h>

#include "common/jv.h"

static void
copy(struct jv v, char *dst, size_t size)
{
	if (jv_copy(v, dst, size) < 0)
		dst[0] = '\0';
}

// Text for people: cut rather than dropped, between characters.
static void
copy_text(struct jv v, char *dst, size_t size)
{
	struct buf b;
	dst[0] = '\0';
	if (!jv_is(v, JV_STRING))
		return;
	buf_init(&b, v.text.len);
	jv_decode(v, &b);
	size_t n = MIN(b.len, size - 1);
	while (n != 0 && n < b.len && ((uint8_t)b.p[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		dst[i] = (unsigned char)b.p[i] < ' ' ? ' ' : b.p[i];
	dst[n] = '\0';
	buf_free(&b);
}

// "com.amazonaws.x#ThrottlingException:http://..." names ThrottlingException.
static void
aws_type(struct view v, char *dst, size_t size)
{
	const char *hash = v.len == 0 ? NULL : memchr(v.p, '#', v.len);
	if (hash != NULL) {
		v.len -= (size_t)(hash + 1 - v.p);
		v.p = hash + 1;
	}
	const char *colon = v.len == 0 ? NULL : memchr(v.p, ':', v.len);
	if (colon != NULL)
		v.len = (size_t)(colon - v.p);
	if (view_copy(v, dst, size) != 0)
		dst[0] = '\0';
}

// "34s", "1.5s"
static uint64_t
duration_ms(struct jv v)
{
	char text[32];
	uint64_t ms = 0, unit = 1000; // what one more digit counts
	bool fraction = false;
	if (jv_copy(v, text, sizeof(text)) < 0)
		return 0;
	for (const char *p = text; *p != '\0' && *p != 's'; p++) {
		if (*p == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (*p < '0' || *p > '9' || ms > 1000000000)
			return 0;
		unit = fraction ? unit / 10 : unit;
		ms = (fraction ? ms : ms * 10) + (uint64_t)(*p - '0') * unit;
	}
	return ms;
}

// A quota of a day is told only by its id: "...PerDayPerProjectPerModel".
static void
google_quota(struct upstream_error *e, struct jv violations)
{
	struct jv_iter it = {0};
	struct jv v;
	char id[sizeof(e->code)];
	while (jv_each(violations, &it, &v)) {
		copy(jv_get(v, "quotaId"), id, sizeof(id));
		if (strstr(id, "PerDay") != NULL)
			memcpy(e->code, id, sizeof(id));
	}
}

static void
google_details(struct upstream_error *e, struct jv details)
{
	struct jv_iter it = {0};
	struct jv d;
	while (jv_each(details, &it, &d)) {
		if (e->code[0] == '\0')
			copy(jv_get(d, "reason"), e->code, sizeof(e->code));
		if (jv_is(jv_get(d, "retryDelay"), JV_STRING))
			e->retry_after_ms = duration_ms(jv_get(d, "retryDelay"));
		google_quota(e, jv_get(d, "violations"));
	}
}

// RFC 6749, section 5.2: a code and its description. Others put a sentence there.
static void
read_oauth(struct upstream_error *e, struct jv root, struct jv error)
{
	struct jv why = jv_get(root, "error_description");
	copy_text(error, e->message, sizeof(e->message));
	if (strchr(e->message, ' ') != NULL || strchr(e->message, '_') == NULL)
		return;
	copy(error, e->code, sizeof(e->code));
	copy_text(why, e->message, sizeof(e->message));
}

static void
read_body(struct upstream_error *e, struct jv root)
{
	struct jv_iter it = {0};
	struct jv first;
	if (jv_is(root, JV_ARRAY) && jv_each(root, &it, &first))
		root = first;
	struct jv error = jv_get(root, "error");
	if (jv_is(error, JV_OBJECT)) {
		copy(jv_get(error, "type"), e->type, sizeof(e->type));
		if (e->type[0] == '\0')
			copy(jv_get(error, "status"), e->type, sizeof(e->type));
		copy(jv_get(error, "code"), e->code, sizeof(e->code));
		copy_text(jv_get(error, "message"), e->message, sizeof(e->message));
		if (e->code[0] == '\0')
			copy(jv_get2(error, "innererror", "code"), e->code, sizeof(e->code));
		if (e->code[0] == '\0')
			copy(jv_get2(error, "details", "error_code"), e->code, sizeof(e->code));
		google_details(e, jv_get(error, "details"));
		return;
	}
	if (jv_is(error, JV_STRING)) {
		read_oauth(e, root, error);
		return;
	}
	copy_text(jv_get(root, "message"), e->message, sizeof(e->message));
	if (e->message[0] == '\0')
		copy_text(jv_get(root, "Message"), e->message, sizeof(e->message));
	copy(jv_get(root, "code"), e->code, sizeof(e->code));
	char type[192];
	if (e->type[0] == '\0' && jv_copy(jv_get(root, "__type"), type, sizeof(type)) >= 0)
		aws_type(view_of(type), e->type, sizeof(e->type));
}

void
upstream_error_read(struct upstream_error *e, enum provider provider, unsigned status,
    bool temporary_key, struct view errortype, struct view body)
{
	*e = (struct upstream_error){0};
	aws_type(errortype, e->type, sizeof(e->type));
	if (body.len != 0 && jv_check(body, NULL) == JV_OK)
		read_body(e, jv_root(body));
	struct errclass_facts f = {.provider = provider,
	    .status = status,
	    .type = view_of(e->type),
	    .code = view_of(e->code),
	    .message = view_of(e->message),
	    .temporary_key = temporary_key};
	e->class_id = errclass_of(&f);
}
