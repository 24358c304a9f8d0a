// SPDX-License-Identifier: Apache-2.0
// What every translator needs from the session: faults, dropped parameters, headers, and
// what the answer said about itself. Pure; heap only.
#include "dialect/side.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
side_fault(struct dialect_fault *f, const char *code, const char *param, const char *fmt, ...)
{
	va_list ap;
	f->code = code;
	(void)snprintf(f->param, sizeof(f->param), "%s", param);
	va_start(ap, fmt);
	(void)vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	return false;
}

// Whether param stands in the list already: one name is reported once.
static bool
listed(const struct buf *list, const char *param)
{
	size_t len = strlen(param);
	for (size_t at = 0; list->len > 0 && at + len <= list->len;) {
		const char *end = memchr(list->p + at, ',', list->len - at);
		size_t n = end == NULL ? list->len - at : (size_t)(end - (list->p + at));
		if (n == len && memcmp(list->p + at, param, len) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

// Names of parameters may be the client's own, and the list is a header.
static bool
is_plain(const char *param)
{
	size_t n = strspn(param, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_-.[]");
	return n != 0 && param[n] == '\0';
}

bool
side_drop(struct dialect *d, const char *param, struct dialect_fault *f)
{
	if (!is_plain(param))
		param = "other";
	if (d->r.strict_params)
		return side_fault(f, "unsupported_parameter", param,
		    "The model that serves this request has no equivalent of '%s'. Leave it out.",
		    param);
	if (!listed(&d->dropped, param) &&
	    d->dropped.max - d->dropped.len > strlen(param) + 1) { // the list is a header: bounded
		if (d->dropped.len != 0)
			buf_char(&d->dropped, ',');
		buf_str(&d->dropped, param);
	}
	return true;
}

void
side_header(struct dialect *d, enum header_id id, struct view value)
{
	BUG_IF(d->header_count == DIALECT_HEADERS_MAX);
	d->header[d->header_count++] = (struct msg_named){.id = (uint64_t)id, .value = value};
	buf_view(&d->header_text, value);
	// The text may have moved: the values lie in it one behind the other.
	size_t at = 0;
	for (size_t i = 0; i < d->header_count; i++) {
		d->header[i].value.p = d->header_text.p + at;
		at += d->header[i].value.len;
	}
	BUG_IF(d->header_text.failed);
}

// As much of v as fits, whole characters only, control characters as spaces. What is no text
// (payloads of exceptions may be anything) loses all that is not ASCII.
static void
keep(char *dst, size_t size, struct view v)
{
	size_t n = mp_utf8_cut(v, size - 1);
	bool text = mp_utf8_valid(v.p, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		dst[i] = c < ' ' ? ' ' : c >= 0x80 && !text ? '?' : v.p[i];
	}
	dst[n] = '\0';
}

void
side_fail(struct dialect *d, struct view type, struct view message)
{
	keep(d->failure.type, sizeof(d->failure.type), type);
	keep(d->failure.message, sizeof(d->failure.message), message);
	d->has_failure = true;
	d->end = DIALECT_FAILED;
}

void
side_fail_jv(struct dialect *d, struct jv type, struct jv message)
{
	struct buf t, m;
	buf_init(&t, SIZE_MAX);
	buf_init(&m, SIZE_MAX);
	jv_decode(type, &t);
	jv_decode(message, &m);
	side_fail(d, t.len != 0 ? buf_done(&t) : VIEW("api_error"),
	    m.len != 0 ? buf_done(&m) : VIEW("The provider reported an error without a message."));
	buf_free(&t);
	buf_free(&m);
}

void
side_stop(struct dialect *d, struct jv reason)
{
	if (!jv_is(reason, JV_STRING) ||
	    jv_copy(reason, d->stop_reason, sizeof(d->stop_reason)) != 0)
		d->stop_reason[0] = '\0';
}

bool
side_json(struct dialect *d, struct view text, struct jv *root_r)
{
	size_t at = 0;
	enum jv_fault fault = jv_check(text, &at);
	if (fault == JV_OK) {
		*root_r = jv_root(text);
		if (jv_is(*root_r, JV_OBJECT))
			return true;
	}
	side_fail(d, VIEW("invalid_response"),
	    VIEW("The provider's answer is not the JSON object that its API promises."));
	return false;
}
