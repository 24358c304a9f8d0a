// SPDX-License-Identifier: Apache-2.0
// Record to text.
#include "ctl/audit_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/ids.h"

#define NS_PER_S UINT64_C(1000000000)

void
audit_print_hex(const void *p, size_t len, char *out)
{
	const uint8_t *b = p;
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", b[i]);
	out[2 * len] = '\0';
}

void
audit_print_time(uint64_t ns, char out[AUDIT_PRINT_TIME])
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;
	char day[24];
	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, AUDIT_PRINT_TIME, "%s.%09" PRIu64 "Z", day, ns % NS_PER_S);
}

// --- a line ------------------------------------------------------------------------

// Control characters (C0, DEL, C1) and the ones that reorder text become '?'.
static void
put_text(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		const uint8_t *p = (const uint8_t *)v.p + i;
		size_t left = v.len - i;
		if (*p < 0x20 || *p == 0x7f) {
			putchar('?');
		} else if (left >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
			putchar('?');
			i++;
		} else if (left >= 3 && p[0] == 0xe2 &&
			   ((p[1] == 0x80 && (p[2] >= 0xa8 || p[2] == 0x8e || p[2] == 0x8f)) ||
			       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9))) {
			putchar('?');
			i += 2;
		} else {
			putchar(*p);
		}
	}
}

static void
put_field(const char *name, struct view v)
{
	if (v.len == 0)
		return;
	printf("  %s=", name);
	put_text(v);
}

static void
put_attr(const struct record_attr *a)
{
	const char *name = ids_attr(a->key);
	char number[16];
	snprintf(number, sizeof(number), "attr%" PRIu64, a->key);
	if (a->is_text)
		put_field(name == NULL ? number : name, a->text);
	else if (a->key == ATTR_COST)
		printf("  cost_usd=%" PRIu64 ".%09" PRIu64, a->num / 1000000000U,
		    a->num % 1000000000U);
	else
		printf("  %s=%" PRIu64, name == NULL ? number : name, a->num);
}

void
audit_print_line(const struct record *r)
{
	char when[AUDIT_PRINT_TIME];
	audit_print_time(r->t_commit, when);
	const char *event = ids_event(r->event);
	printf("%.23sZ  #%-7" PRIu64 " %-20s %-7s %-6s", when, r->seq,
	    event == NULL ? "unknown" : event, record_producer_name(r->producer),
	    record_result_name(r->result));
	if (r->ref_seq != 0)
		printf("  of=#%" PRIu64, r->ref_seq);
	if (r->key_id.len != 0) {
		put_field("key", r->key_id);
		printf("  version=%" PRIu64 "  use=%" PRIu64, r->key_version, r->key_use);
	}
	put_field("error", r->error_code);
	put_field("workspace", r->workspace);
	put_field("user", r->user);
	for (size_t i = 0; i < r->attr_count; i++)
		put_attr(&r->attr[i]);
	if (r->flags & RECORD_LATE)
		fputs("  (late)", stdout);
	if (r->flags & RECORD_SHORTENED)
		fputs("  (shortened)", stdout);
	if (r->clock_state & CLOCK_WENT_BACK)
		fputs("  (the clock went back)", stdout);
	putchar('\n');
}

// --- JSON --------------------------------------------------------------------------

static json_t *
text(struct view v)
{
	return json_stringn(v.len == 0 ? "" : v.p, v.len);
}

static json_t *
hex(const void *p, size_t len)
{
	char out[2 * 32 + 1];
	audit_print_hex(p, len > 32 ? 32 : len, out);
	return json_string(out);
}

static json_t *
when(uint64_t ns)
{
	char out[AUDIT_PRINT_TIME];
	audit_print_time(ns, out);
	return json_string(out);
}

// JSON numbers above 2^53 lose digits in many readers: those become strings.
static json_t *
number(uint64_t v)
{
	char out[24];
	if (v <= (UINT64_C(1) << 53))
		return json_integer((json_int_t)v);
	snprintf(out, sizeof(out), "%" PRIu64, v);
	return json_string(out);
}

static json_t *
attrs(const struct record *r)
{
	json_t *o = json_object();
	for (size_t i = 0; i < r->attr_count; i++) {
		const struct record_attr *a = &r->attr[i];
		const char *name = ids_attr(a->key);
		char unnamed[16];
		snprintf(unnamed, sizeof(unnamed), "attr%" PRIu64, a->key);
		json_object_set_new(
		    o, name == NULL ? unnamed : name, a->is_text ? text(a->text) : number(a->num));
	}
	return o;
}

static json_t *
object(const struct record *r, const uint8_t leaf[32])
{
	const char *event = ids_event(r->event);
	json_t *o = json_object();
	json_object_set_new(o, "seq", number(r->seq));
	json_object_set_new(o, "time", when(r->t_event));
	json_object_set_new(o, "commit_time", when(r->t_commit));
	json_object_set_new(o, "event", json_string(event == NULL ? "unknown" : event));
	json_object_set_new(o, "event_id", number(r->event));
	json_object_set_new(o, "producer", json_string(record_producer_name(r->producer)));
	json_object_set_new(o, "peer_uid", number(r->peer_uid));
	json_object_set_new(o, "peer_pid", number(r->peer_pid));
	json_object_set_new(o, "result", json_string(record_result_name(r->result)));
	json_object_set_new(o, "error_code", text(r->error_code));
	json_object_set_new(o, "request_id", hex(r->request_id.p, r->request_id.len));
	json_object_set_new(o, "ref_seq", number(r->ref_seq));
	json_object_set_new(o, "tenant", text(r->tenant));
	json_object_set_new(o, "workspace", text(r->workspace));
	json_object_set_new(o, "user", text(r->user));
	json_object_set_new(o, "conversation", text(r->conversation));
	json_object_set_new(o, "key_id", text(r->key_id));
	json_object_set_new(o, "key_version", number(r->key_version));
	json_object_set_new(o, "key_use", number(r->key_use));
	json_object_set_new(o, "attrs", attrs(r));
	json_object_set_new(o, "late", json_boolean(r->flags & RECORD_LATE));
	json_object_set_new(o, "shortened", json_boolean(r->flags & RECORD_SHORTENED));
	json_object_set_new(
	    o, "clock_synchronized", json_boolean(r->clock_state & CLOCK_SYNCHRONIZED));
	json_object_set_new(o, "clock_went_back", json_boolean(r->clock_state & CLOCK_WENT_BACK));
	json_object_set_new(o, "boot", number(r->boot_no));
	json_object_set_new(o, "log_id", hex(r->log_id.p, r->log_id.len));
	json_object_set_new(o, "prev", hex(r->prev.p, r->prev.len));
	json_object_set_new(o, "leaf", hex(leaf, 32));
	return o;
}

void
audit_print_json(const struct record *r, const uint8_t leaf[32])
{
	json_t *o = object(r, leaf);
	char *s = json_dumps(o, JSON_COMPACT);
	puts(s == NULL ? "{}" : s);
	free(s);
	json_decref(o);
}
