// SPDX-License-Identifier: Apache-2.0
// The field tables of all messages, and the two functions that walk them. There is
// no other encoder or decoder: what is not in a table cannot be said. Pure.
#include "proto/msg.h"

#include <string.h>

enum kind { K_UINT, K_BOOL, K_STR, K_BIN, K_BIN_EXACT, K_BIN_OPT, K_LIST };

struct field {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t max;	     // value, bytes, or elements
	size_t count_offset; // lists: where the number of elements is
	size_t elem_size;
	size_t elem_count;
	const struct field *elem; // scalar fields of one element
};

struct layout {
	const char *name;
	size_t size;
	size_t count;
	const struct field *fields;
};

#define SCALAR(k, st, f, lim)                                                                      \
	{                                                                                          \
		.name = #f, .kind = (k), .offset = offsetof(struct st, f), .max = (lim)            \
	}
#define UINT(st, f, lim)      SCALAR(K_UINT, st, f, lim)
#define BOOL(st, f)	      SCALAR(K_BOOL, st, f, 1)
#define STR(st, f, lim)	      SCALAR(K_STR, st, f, lim)
#define BIN(st, f, lim)	      SCALAR(K_BIN, st, f, lim)
#define BIN_EXACT(st, f, lim) SCALAR(K_BIN_EXACT, st, f, lim)
#define BIN_OPT(st, f, lim)   SCALAR(K_BIN_OPT, st, f, lim) // exactly lim bytes, or empty
#define LIST(st, f, n, lim, elem_st, elem_fl)                                                      \
	{                                                                                          \
		.name = #f, .kind = K_LIST, .offset = offsetof(struct st, f), .max = (lim),        \
		.count_offset = offsetof(struct st, n), .elem_size = sizeof(struct elem_st),       \
		.elem_count = ARRAY_LEN(elem_fl), .elem = (elem_fl)                                \
	}

static const struct field attempt_fields[] = {
    UINT(msg_attempt, credential, UINT64_MAX),
    STR(msg_attempt, credential_id, 64),
    UINT(msg_attempt, provider, PROVIDER_OPENAI_COMPATIBLE),
    STR(msg_attempt, host, 253),
    UINT(msg_attempt, port, 65535),
    STR(msg_attempt, region, 32),
    STR(msg_attempt, model, 2048),
};

static const struct field named_fields[] = {
    UINT(msg_named, id, UINT16_MAX),
    STR(msg_named, value, 2048),
};

static const struct field attr_num_fields[] = {
    UINT(msg_attr_num, key, UINT16_MAX),
    UINT(msg_attr_num, value, UINT64_MAX),
};

static const struct field attr_text_fields[] = {
    UINT(msg_attr_text, key, UINT16_MAX),
    STR(msg_attr_text, value, 300),
};

static const struct field name_fields[] = {
    STR(msg_name, name, 128),
};

static const struct field span_fields[] = {
    UINT(msg_span, offset, 16384),
    UINT(msg_span, len, 16384),
    UINT(msg_span, public_len, 16384),
};

static const struct field hello_fields[] = {
    UINT(msg_hello, worker, 255),
    STR(msg_hello, version, 64),
};

static const struct field welcome_fields[] = {
    STR(msg_welcome, version, 64),
};

static const struct field authorize_fields[] = {
    STR(msg_authorize, client_key, 512),
    UINT(msg_authorize, operation, OP_LAST),
    STR(msg_authorize, model, 2048),
    BOOL(msg_authorize, stream),
    STR(msg_authorize, conversation, 128),
};

static const struct field plan_fields[] = {
    STR(msg_plan, vkey_id, 64),
    STR(msg_plan, workspace, 64),
    LIST(msg_plan, attempt, attempt_count, MSG_ATTEMPTS_MAX, msg_attempt, attempt_fields),
};

static const struct field deny_fields[] = {
    UINT(msg_deny, status, 599),
    STR(msg_deny, code, 64),
    STR(msg_deny, message, 512),
    UINT(msg_deny, retry_after_ms, 86400000),
};

static const struct field use_fields[] = {
    UINT(msg_use, attempt, MSG_ATTEMPTS_MAX - 1),
    UINT(msg_use, previous_status, 999),
    UINT(msg_use, sealer, UINT64_MAX),
    UINT(msg_use, lane, UINT64_MAX),
    UINT(msg_use, operation, OP_LAST),
    LIST(msg_use, header, header_count, MSG_HEADERS_MAX, msg_named, named_fields),
    LIST(msg_use, param, param_count, MSG_PARAMS_MAX, msg_named, named_fields),
    UINT(msg_use, body_len, UINT32_MAX),
    BIN_EXACT(msg_use, body_sha256, 32),
};

static const struct field go_fields[] = {
    UINT(msg_go, attempt, MSG_ATTEMPTS_MAX - 1),
    UINT(msg_go, audit_seq, UINT64_MAX),
};

static const struct field settle_fields[] = {
    UINT(msg_settle, audit_seq, UINT64_MAX),
    UINT(msg_settle, status, 999),
    UINT(msg_settle, tokens_in, UINT32_MAX),
    UINT(msg_settle, tokens_out, UINT32_MAX),
};

static const struct field sealer_open_fields[] = {
    UINT(msg_sealer_open, credential, UINT64_MAX),
};

static const struct field sealer_fields[] = {
    UINT(msg_sealer, credential, UINT64_MAX),
    UINT(msg_sealer, sealer, UINT64_MAX),
};

static const struct field sealer_gone_fields[] = {
    UINT(msg_sealer_gone, sealer, UINT64_MAX),
    STR(msg_sealer_gone, reason, 64),
};

static const struct field audit_hello_fields[] = {
    BIN_EXACT(msg_audit_hello, log_id, 16),
    UINT(msg_audit_hello, head_seq, UINT64_MAX),
    BIN_EXACT(msg_audit_hello, head, 32),
    UINT(msg_audit_hello, boot_no, UINT64_MAX),
};

static const struct field append_fields[] = {
    UINT(msg_append, event, UINT16_MAX),
    UINT(msg_append, time_ns, UINT64_MAX),
    BIN_OPT(msg_append, request_id, 16),
    UINT(msg_append, ref_seq, UINT64_MAX),
    STR(msg_append, tenant, 64),
    STR(msg_append, workspace, 64),
    STR(msg_append, user, 64),
    STR(msg_append, conversation, 128),
    STR(msg_append, key_id, 64),
    UINT(msg_append, key_version, UINT32_MAX),
    UINT(msg_append, key_use, UINT64_MAX),
    UINT(msg_append, result, RESULT_FAILED),
    STR(msg_append, error_code, 64),
    LIST(msg_append, num, num_count, MSG_ATTRS_MAX, msg_attr_num, attr_num_fields),
    LIST(msg_append, text, text_count, MSG_ATTRS_MAX, msg_attr_text, attr_text_fields),
};

static const struct field ack_fields[] = {
    UINT(msg_ack, seq, UINT64_MAX),
    BIN_EXACT(msg_ack, leaf, 32),
};

static const struct field nack_fields[] = {
    STR(msg_nack, code, 64),
    STR(msg_nack, message, 256),
};

static const struct field audit_query_fields[] = {
    UINT(msg_audit_query, from_seq, UINT64_MAX),
    UINT(msg_audit_query, count, UINT64_MAX),
    BOOL(msg_audit_query, follow),
};

static const struct field audit_end_fields[] = {
    UINT(msg_audit_end, head_seq, UINT64_MAX),
    BIN_EXACT(msg_audit_end, head, 32),
};

static const struct field empty_fields[] = {
    UINT(msg_empty, reserved, 0),
};

static const struct field status_reply_fields[] = {
    STR(msg_status_reply, version, 64),
    UINT(msg_status_reply, uptime_s, UINT32_MAX),
    STR(msg_status_reply, secret_memory, 32),
    BOOL(msg_status_reply, audit_connected),
    UINT(msg_status_reply, gateways, UINT32_MAX),
    UINT(msg_status_reply, sealers, UINT32_MAX),
    UINT(msg_status_reply, credentials, UINT32_MAX),
    UINT(msg_status_reply, vkeys, UINT32_MAX),
    UINT(msg_status_reply, uses, UINT64_MAX),
    UINT(msg_status_reply, denials, UINT64_MAX),
};

static const struct field credential_put_fields[] = {
    STR(msg_credential_put, name, 64),
    UINT(msg_credential_put, expect_version, UINT32_MAX),
    UINT(msg_credential_put, provider, PROVIDER_OPENAI_COMPATIBLE),
    UINT(msg_credential_put, auth, AUTH_SIGV4),
    STR(msg_credential_put, host, 253),
    UINT(msg_credential_put, port, 65535),
    STR(msg_credential_put, region, 32),
    STR(msg_credential_put, access_key_id, 128),
    STR(msg_credential_put, secret, 4096),
    STR(msg_credential_put, session_token, 4096),
    STR(msg_credential_put, ca_pem, 32768),
    STR(msg_credential_put, workspace, 64),
    UINT(msg_credential_put, rate_per_minute, UINT32_MAX),
    BOOL(msg_credential_put, enabled),
    LIST(msg_credential_put, model, model_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_credential_put, operation, operation_count, MSG_NAMES_MAX, msg_name, name_fields),
};

static const struct field credential_set_fields[] = {
    STR(msg_credential_set, name, 64),
    UINT(msg_credential_set, action, CREDENTIAL_REMOVE),
};

static const struct field credential_item_fields[] = {
    STR(msg_credential_item, name, 64),
    STR(msg_credential_item, id, 64),
    UINT(msg_credential_item, version, UINT32_MAX),
    UINT(msg_credential_item, provider, PROVIDER_OPENAI_COMPATIBLE),
    UINT(msg_credential_item, auth, AUTH_SIGV4),
    STR(msg_credential_item, host, 253),
    UINT(msg_credential_item, port, 65535),
    STR(msg_credential_item, region, 32),
    STR(msg_credential_item, access_key_id, 128),
    STR(msg_credential_item, hint, 8),
    STR(msg_credential_item, workspace, 64),
    UINT(msg_credential_item, rate_per_minute, UINT32_MAX),
    BOOL(msg_credential_item, enabled),
    BOOL(msg_credential_item, has_session_token),
    BOOL(msg_credential_item, has_ca),
    UINT(msg_credential_item, uses, UINT64_MAX),
    UINT(msg_credential_item, last_used_s, UINT64_MAX),
    LIST(msg_credential_item, model, model_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_credential_item, operation, operation_count, MSG_NAMES_MAX, msg_name, name_fields),
};

static const struct field vkey_issue_fields[] = {
    STR(msg_vkey_issue, name, 64),
    STR(msg_vkey_issue, workspace, 64),
    UINT(msg_vkey_issue, rate_per_minute, UINT32_MAX),
    LIST(msg_vkey_issue, credential, credential_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_vkey_issue, model, model_count, MSG_NAMES_MAX, msg_name, name_fields),
};

static const struct field vkey_issued_fields[] = {
    STR(msg_vkey_issued, id, 64),
    STR(msg_vkey_issued, key, 128),
};

static const struct field vkey_item_fields[] = {
    STR(msg_vkey_item, id, 64),
    STR(msg_vkey_item, name, 64),
    STR(msg_vkey_item, workspace, 64),
    BOOL(msg_vkey_item, revoked),
    UINT(msg_vkey_item, created_s, UINT64_MAX),
    UINT(msg_vkey_item, last_used_s, UINT64_MAX),
    UINT(msg_vkey_item, rate_per_minute, UINT32_MAX),
    LIST(msg_vkey_item, credential, credential_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_vkey_item, model, model_count, MSG_NAMES_MAX, msg_name, name_fields),
};

static const struct field vkey_revoke_fields[] = {
    STR(msg_vkey_revoke, id_or_name, 64),
};

static const struct field done_fields[] = {
    UINT(msg_done, version, UINT32_MAX),
};

static const struct field error_fields[] = {
    STR(msg_error, code, 64),
    STR(msg_error, message, 512),
};

static const struct field fork_fields[] = {
    UINT(msg_fork, sealer, UINT64_MAX),
};

static const struct field exited_fields[] = {
    UINT(msg_exited, sealer, UINT64_MAX),
    UINT(msg_exited, exit_code, 255),
    UINT(msg_exited, signal, 64),
};

static const struct field sealer_config_fields[] = {
    STR(msg_sealer_config, host, 253),
    STR(msg_sealer_config, ca_pem, 32768),
};

static const struct field seal_fields[] = {
    UINT(msg_seal, lane, UINT64_MAX),
    UINT(msg_seal, audit_seq, UINT64_MAX),
    BIN(msg_seal, head, 16384),
    LIST(msg_seal, span, span_count, MSG_SPANS_MAX, msg_span, span_fields),
    UINT(msg_seal, body_len, UINT32_MAX),
    BIN_EXACT(msg_seal, body_sha256, 32),
};

static const struct field lane_verified_fields[] = {
    UINT(msg_lane_verified, lane, UINT64_MAX),
};

static const struct field lane_fault_fields[] = {
    UINT(msg_lane_fault, lane, UINT64_MAX),
    UINT(msg_lane_fault, audit_seq, UINT64_MAX),
    UINT(msg_lane_fault, fault, LANE_ABANDONED),
    STR(msg_lane_fault, detail, 200),
};

static const struct field lane_closed_fields[] = {
    UINT(msg_lane_closed, fault, LANE_ABANDONED),
    STR(msg_lane_closed, detail, 200),
};

static const struct field credit_fields[] = {
    UINT(msg_credit, kind, CREDIT_PLAIN),
    UINT(msg_credit, bytes, UINT32_MAX),
};

#define MSG(N, st, fl) [MSG_##N] = {#N, sizeof(struct st), ARRAY_LEN(fl), fl}
#define RAW(N)	       [MSG_##N] = {#N, 0, 0, NULL}

static const struct layout layouts[256] = {
    MSG(HELLO, msg_hello, hello_fields),
    MSG(WELCOME, msg_welcome, welcome_fields),
    MSG(AUTHORIZE, msg_authorize, authorize_fields),
    MSG(PLAN, msg_plan, plan_fields),
    MSG(DENY, msg_deny, deny_fields),
    MSG(USE, msg_use, use_fields),
    MSG(GO, msg_go, go_fields),
    MSG(SETTLE, msg_settle, settle_fields),
    MSG(SEALER_OPEN, msg_sealer_open, sealer_open_fields),
    MSG(SEALER, msg_sealer, sealer_fields),
    MSG(SEALER_GONE, msg_sealer_gone, sealer_gone_fields),
    MSG(AUDIT_HELLO, msg_audit_hello, audit_hello_fields),
    MSG(APPEND, msg_append, append_fields),
    MSG(ACK, msg_ack, ack_fields),
    MSG(NACK, msg_nack, nack_fields),
    MSG(AUDIT_QUERY, msg_audit_query, audit_query_fields),
    RAW(AUDIT_RECORD),
    MSG(AUDIT_END, msg_audit_end, audit_end_fields),
    MSG(STATUS, msg_empty, empty_fields),
    MSG(STATUS_REPLY, msg_status_reply, status_reply_fields),
    MSG(CREDENTIAL_PUT, msg_credential_put, credential_put_fields),
    MSG(CREDENTIAL_SET, msg_credential_set, credential_set_fields),
    MSG(CREDENTIAL_LIST, msg_empty, empty_fields),
    MSG(CREDENTIAL_ITEM, msg_credential_item, credential_item_fields),
    MSG(VKEY_ISSUE, msg_vkey_issue, vkey_issue_fields),
    MSG(VKEY_ISSUED, msg_vkey_issued, vkey_issued_fields),
    MSG(VKEY_LIST, msg_empty, empty_fields),
    MSG(VKEY_ITEM, msg_vkey_item, vkey_item_fields),
    MSG(VKEY_REVOKE, msg_vkey_revoke, vkey_revoke_fields),
    MSG(DONE, msg_done, done_fields),
    MSG(ERROR, msg_error, error_fields),
    MSG(FORK, msg_fork, fork_fields),
    MSG(EXITED, msg_exited, exited_fields),
    MSG(SEALER_CONFIG, msg_sealer_config, sealer_config_fields),
    MSG(SEALER_READY, msg_empty, empty_fields),
    MSG(SEAL, msg_seal, seal_fields),
    MSG(LANE_VERIFIED, msg_lane_verified, lane_verified_fields),
    MSG(LANE_FAULT, msg_lane_fault, lane_fault_fields),
    MSG(LANE_OPEN, msg_empty, empty_fields),
    MSG(LANE_READY, msg_empty, empty_fields),
    MSG(LANE_CLOSE, msg_empty, empty_fields),
    MSG(LANE_CLOSED, msg_lane_closed, lane_closed_fields),
    MSG(LANE_EOF, msg_empty, empty_fields),
    MSG(CREDIT, msg_credit, credit_fields),
    RAW(CIPHER_IN),
    RAW(CIPHER_OUT),
    RAW(BODY),
    RAW(PLAIN),
};

// --- walking -----------------------------------------------------------------

static void put_fields(struct mp_out *o, const struct field *f, size_t n, const uint8_t *base);
static int get_fields(struct mp_in *in, const struct field *f, size_t n, uint8_t *base);

static bool
length_ok(const struct field *f, size_t len)
{
	switch (f->kind) {
	case K_BIN_EXACT:
		return len == f->max;
	case K_BIN_OPT:
		return len == f->max || len == 0;
	default:
		return len <= f->max;
	}
}

static void
put_list(struct mp_out *o, const struct field *f, const uint8_t *base)
{
	size_t n;
	memcpy(&n, base + f->count_offset, sizeof(n));
	if (n > f->max) {
		o->failed = true;
		return;
	}
	mp_put_array(o, n);
	for (size_t i = 0; i < n; i++)
		put_fields(o, f->elem, f->elem_count, base + f->offset + i * f->elem_size);
}

static void
put_field(struct mp_out *o, const struct field *f, const uint8_t *base)
{
	const uint8_t *at = base + f->offset;
	uint64_t u;
	struct view v;
	switch (f->kind) {
	case K_LIST:
		put_list(o, f, base);
		return;
	case K_BOOL:
		mp_put_bool(o, *(const bool *)at);
		return;
	case K_UINT:
		memcpy(&u, at, sizeof(u));
		if (u > f->max)
			o->failed = true;
		mp_put_uint(o, u);
		return;
	case K_STR:
	case K_BIN:
	case K_BIN_EXACT:
	case K_BIN_OPT:
		memcpy(&v, at, sizeof(v));
		if (!length_ok(f, v.len))
			o->failed = true;
		if (f->kind == K_STR)
			mp_put_str(o, v);
		else
			mp_put_bin(o, v);
		return;
	}
}

static void
put_fields(struct mp_out *o, const struct field *f, size_t n, const uint8_t *base)
{
	mp_put_array(o, n);
	for (size_t i = 0; i < n; i++)
		put_field(o, &f[i], base);
}

static int
get_list(struct mp_in *in, const struct field *f, uint8_t *base)
{
	size_t n;
	if (mp_get_array(in, f->max, &n) != 0)
		return -1;
	memcpy(base + f->count_offset, &n, sizeof(n));
	for (size_t i = 0; i < n; i++)
		if (get_fields(in, f->elem, f->elem_count, base + f->offset + i * f->elem_size) !=
		    0)
			return -1;
	return 0;
}

static int
get_view(struct mp_in *in, const struct field *f, uint8_t *at)
{
	struct view v;
	int r = f->kind == K_STR ? mp_get_str(in, f->max, &v) : mp_get_bin(in, f->max, &v);
	if (r != 0 || !length_ok(f, v.len))
		return -1;
	memcpy(at, &v, sizeof(v));
	return 0;
}

static int
get_field(struct mp_in *in, const struct field *f, uint8_t *base)
{
	uint8_t *at = base + f->offset;
	uint64_t u;
	switch (f->kind) {
	case K_LIST:
		return get_list(in, f, base);
	case K_BOOL:
		return mp_get_bool(in, (bool *)at);
	case K_UINT:
		if (mp_get_uint(in, f->max, &u) != 0)
			return -1;
		memcpy(at, &u, sizeof(u));
		return 0;
	default:
		return get_view(in, f, at);
	}
}

static int
get_fields(struct mp_in *in, const struct field *f, size_t n, uint8_t *base)
{
	size_t arity;
	if (mp_get_array(in, n, &arity) != 0 || arity != n)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (get_field(in, &f[i], base) != 0)
			return -1;
	return 0;
}

size_t
msg_encode(uint8_t type, const void *msg, uint8_t *buf, size_t cap)
{
	const struct layout *l = &layouts[type];
	BUG_IF(l->fields == NULL);
	struct mp_out o;
	mp_out_init(&o, buf, MIN(cap, FRAME_PAYLOAD_MAX));
	put_fields(&o, l->fields, l->count, msg);
	return o.failed ? 0 : o.len;
}

int
msg_decode(uint8_t type, const uint8_t *payload, size_t len, void *msg)
{
	const struct layout *l = &layouts[type];
	if (l->fields == NULL)
		return -1;
	struct mp_in in;
	mp_in_init(&in, payload, len);
	memset(msg, 0, l->size);
	if (get_fields(&in, l->fields, l->count, msg) != 0)
		return -1;
	return mp_in_done(&in) ? 0 : -1;
}

bool
msg_is_raw(uint8_t type)
{
	return layouts[type].name != NULL && layouts[type].fields == NULL;
}

const char *
msg_name(uint8_t type)
{
	return layouts[type].name;
}

size_t
msg_struct_size(uint8_t type)
{
	return layouts[type].size;
}
