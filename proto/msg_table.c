// SPDX-License-Identifier: Apache-2.0
// The field tables of all messages: limits and order of every field. What is not in a
// table cannot be said. Constants only.
#include "proto/msg_table.h"

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

static const struct msg_field attempt_fields[] = {
    UINT(msg_attempt, credential, UINT64_MAX),
    STR(msg_attempt, credential_id, 64),
    UINT(msg_attempt, provider, PROVIDER_LAST),
    STR(msg_attempt, host, 253),
    UINT(msg_attempt, port, 65535),
    STR(msg_attempt, region, 32),
    STR(msg_attempt, model, 2048),
    UINT(msg_attempt, operation, OP_LAST),
    BOOL(msg_attempt, renews),
};

static const struct msg_field named_fields[] = {
    UINT(msg_named, id, UINT16_MAX),
    STR(msg_named, value, 2048),
};

static const struct msg_field attr_num_fields[] = {
    UINT(msg_attr_num, key, UINT16_MAX),
    UINT(msg_attr_num, value, UINT64_MAX),
};

static const struct msg_field attr_text_fields[] = {
    UINT(msg_attr_text, key, UINT16_MAX),
    STR(msg_attr_text, value, 300),
};

static const struct msg_field name_fields[] = {
    STR(msg_name, name, 128),
};

static const struct msg_field deployment_fields[] = {
    STR(msg_deployment, model, 128),
    STR(msg_deployment, name, 128),
};

static const struct msg_field span_fields[] = {
    UINT(msg_span, offset, 16384),
    UINT(msg_span, len, 16384),
    UINT(msg_span, public_len, 16384),
};

static const struct msg_field hello_fields[] = {
    UINT(msg_hello, worker, 255),
    STR(msg_hello, version, 64),
};

static const struct msg_field welcome_fields[] = {
    STR(msg_welcome, version, 64),
};

static const struct msg_field authorize_fields[] = {
    STR(msg_authorize, client_key, 512),
    UINT(msg_authorize, operation, OP_LAST),
    STR(msg_authorize, model, 2048),
    BOOL(msg_authorize, stream),
    STR(msg_authorize, conversation, 128),
};

static const struct msg_field plan_fields[] = {
    STR(msg_plan, vkey_id, 64),
    STR(msg_plan, workspace, 64),
    LIST(msg_plan, attempt, attempt_count, MSG_ATTEMPTS_MAX, msg_attempt, attempt_fields),
    UINT(msg_plan, reach, UINT32_MAX),
    LIST(msg_plan, allowed_model, allowed_model_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_plan, served_model, served_model_count, MSG_NAMES_MAX, msg_named, named_fields),
};

static const struct msg_field deny_fields[] = {
    UINT(msg_deny, status, 599),
    STR(msg_deny, code, 64),
    STR(msg_deny, message, 512),
    UINT(msg_deny, retry_after_ms, 86400000),
};

static const struct msg_field use_fields[] = {
    UINT(msg_use, attempt, MSG_ATTEMPTS_MAX - 1),
    UINT(msg_use, previous_status, 999),
    UINT(msg_use, previous_class, CLASS_LAST),
    UINT(msg_use, sealer, UINT64_MAX),
    UINT(msg_use, lane, UINT64_MAX),
    UINT(msg_use, operation, OP_LAST),
    LIST(msg_use, header, header_count, MSG_HEADERS_MAX, msg_named, named_fields),
    LIST(msg_use, param, param_count, MSG_PARAMS_MAX, msg_named, named_fields),
    UINT(msg_use, body_len, UINT32_MAX),
    BIN_EXACT(msg_use, body_sha256, 32),
};

static const struct msg_field go_fields[] = {
    UINT(msg_go, attempt, MSG_ATTEMPTS_MAX - 1),
    UINT(msg_go, audit_seq, UINT64_MAX),
};

static const struct msg_field settle_fields[] = {
    UINT(msg_settle, audit_seq, UINT64_MAX),
    UINT(msg_settle, status, 999),
    UINT(msg_settle, tokens_in, UINT32_MAX),
    UINT(msg_settle, tokens_out, UINT32_MAX),
};

static const struct msg_field sealer_open_fields[] = {
    UINT(msg_sealer_open, credential, UINT64_MAX),
};

static const struct msg_field sealer_fields[] = {
    UINT(msg_sealer, credential, UINT64_MAX),
    UINT(msg_sealer, sealer, UINT64_MAX),
};

static const struct msg_field sealer_gone_fields[] = {
    UINT(msg_sealer_gone, sealer, UINT64_MAX),
    STR(msg_sealer_gone, reason, 64),
};

static const struct msg_field relay_fields[] = {
    UINT(msg_relay, sealer, UINT64_MAX),
    STR(msg_relay, host, 253),
    UINT(msg_relay, port, 65535),
};

static const struct msg_field relay_failed_fields[] = {
    UINT(msg_relay_failed, sealer, UINT64_MAX),
    STR(msg_relay_failed, code, 64),
    STR(msg_relay_failed, message, 256),
};

static const struct msg_field audit_hello_fields[] = {
    BIN_EXACT(msg_audit_hello, log_id, 16),
    UINT(msg_audit_hello, head_seq, UINT64_MAX),
    BIN_EXACT(msg_audit_hello, head, 32),
    UINT(msg_audit_hello, boot_no, UINT64_MAX),
};

static const struct msg_field append_fields[] = {
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

static const struct msg_field ack_fields[] = {
    UINT(msg_ack, seq, UINT64_MAX),
    BIN_EXACT(msg_ack, leaf, 32),
};

static const struct msg_field nack_fields[] = {
    STR(msg_nack, code, 64),
    STR(msg_nack, message, 256),
};

static const struct msg_field audit_query_fields[] = {
    UINT(msg_audit_query, from_seq, UINT64_MAX),
    UINT(msg_audit_query, count, UINT64_MAX),
    BOOL(msg_audit_query, follow),
};

static const struct msg_field audit_end_fields[] = {
    UINT(msg_audit_end, head_seq, UINT64_MAX),
    BIN_EXACT(msg_audit_end, head, 32),
};

static const struct msg_field empty_fields[] = {
    UINT(msg_empty, reserved, 0),
};

static const struct msg_field status_reply_fields[] = {
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

static const struct msg_field credential_put_fields[] = {
    STR(msg_credential_put, name, 64),
    UINT(msg_credential_put, expect_version, UINT32_MAX),
    UINT(msg_credential_put, provider, PROVIDER_LAST),
    UINT(msg_credential_put, auth, AUTH_LAST),
    STR(msg_credential_put, host, 253),
    UINT(msg_credential_put, port, 65535),
    STR(msg_credential_put, region, 32),
    STR(msg_credential_put, access_key_id, 128),
    STR(msg_credential_put, secret, 8192),
    STR(msg_credential_put, session_token, 8192),
    STR(msg_credential_put, ca_pem, 32768),
    STR(msg_credential_put, workspace, 64),
    UINT(msg_credential_put, rate_per_minute, UINT32_MAX),
    BOOL(msg_credential_put, enabled),
    LIST(msg_credential_put, model, model_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_credential_put, operation, operation_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_credential_put, setting, setting_count, MSG_SETTINGS_MAX, msg_named, named_fields),
    LIST(msg_credential_put, deployment, deployment_count, MSG_DEPLOYMENTS_MAX, msg_deployment,
	deployment_fields),
};

static const struct msg_field credential_set_fields[] = {
    STR(msg_credential_set, name, 64),
    UINT(msg_credential_set, action, CREDENTIAL_REMOVE),
};

static const struct msg_field credential_item_fields[] = {
    STR(msg_credential_item, name, 64),
    STR(msg_credential_item, id, 64),
    UINT(msg_credential_item, version, UINT32_MAX),
    UINT(msg_credential_item, provider, PROVIDER_LAST),
    UINT(msg_credential_item, auth, AUTH_LAST),
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
    LIST(msg_credential_item, setting, setting_count, MSG_SETTINGS_MAX, msg_named, named_fields),
    LIST(msg_credential_item, deployment, deployment_count, MSG_DEPLOYMENTS_MAX, msg_deployment,
	deployment_fields),
    UINT(msg_credential_item, token_expires_s, UINT64_MAX),
};

static const struct msg_field credential_test_fields[] = {
    STR(msg_credential_test, name, 64),
    STR(msg_credential_test, model, 2048),
};

static const struct msg_field credential_tested_fields[] = {
    UINT(msg_credential_tested, status, 999),
    UINT(msg_credential_tested, class_id, CLASS_LAST),
    STR(msg_credential_tested, code, 128),
    STR(msg_credential_tested, message, 1024),
    STR(msg_credential_tested, fix, 1024),
    STR(msg_credential_tested, host, 253),
    STR(msg_credential_tested, operation, 64),
    STR(msg_credential_tested, model, 2048),
    UINT(msg_credential_tested, latency_ms, UINT32_MAX),
    UINT(msg_credential_tested, skew_s, UINT32_MAX),
    BOOL(msg_credential_tested, skew_ahead),
    STR(msg_credential_tested, outcome, 32),
};

static const struct msg_field vkey_issue_fields[] = {
    STR(msg_vkey_issue, name, 64),
    STR(msg_vkey_issue, workspace, 64),
    UINT(msg_vkey_issue, rate_per_minute, UINT32_MAX),
    LIST(msg_vkey_issue, credential, credential_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_vkey_issue, model, model_count, MSG_NAMES_MAX, msg_name, name_fields),
};

static const struct msg_field vkey_issued_fields[] = {
    STR(msg_vkey_issued, id, 64),
    STR(msg_vkey_issued, key, 128),
};

static const struct msg_field vkey_item_fields[] = {
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

static const struct msg_field vkey_revoke_fields[] = {
    STR(msg_vkey_revoke, id_or_name, 64),
};

static const struct msg_field done_fields[] = {
    UINT(msg_done, version, UINT32_MAX),
};

static const struct msg_field error_fields[] = {
    STR(msg_error, code, 64),
    STR(msg_error, message, 512),
};

static const struct msg_field issuer_set_fields[] = {
    STR(msg_issuer_set, url, 255),
    BOOL(msg_issuer_set, rotate),
};

static const struct msg_field issuer_key_fields[] = {
    STR(msg_issuer_key, kid, 64),
    STR(msg_issuer_key, n, 1024),
    STR(msg_issuer_key, e, 16),
    UINT(msg_issuer_key, created_s, UINT64_MAX),
    UINT(msg_issuer_key, signs_from_s, UINT64_MAX),
    UINT(msg_issuer_key, retired_s, UINT64_MAX),
};

static const struct msg_field issuer_item_fields[] = {
    STR(msg_issuer_item, url, 255),
    LIST(msg_issuer_item, key, key_count, MSG_ISSUER_KEYS_MAX, msg_issuer_key, issuer_key_fields),
};

static const struct msg_field fork_fields[] = {
    UINT(msg_fork, sealer, UINT64_MAX),
};

static const struct msg_field exited_fields[] = {
    UINT(msg_exited, sealer, UINT64_MAX),
    UINT(msg_exited, exit_code, 255),
    UINT(msg_exited, signal, 64),
};

static const struct msg_field sealer_config_fields[] = {
    STR(msg_sealer_config, host, 253),
    STR(msg_sealer_config, ca_pem, 32768),
    BOOL(msg_sealer_config, exchange),
};

static const struct msg_field exchange_fields[] = {
    UINT(msg_exchange, format, EXCHANGE_PROBE),
    BIN(msg_exchange, head, 16384),
    LIST(msg_exchange, span, span_count, MSG_SPANS_MAX, msg_span, span_fields),
    BIN(msg_exchange, body, 24576),
};

static const struct msg_field exchanged_fields[] = {
    UINT(msg_exchanged, status, 999),
    UINT(msg_exchanged, fault, LANE_ABANDONED),
    UINT(msg_exchanged, server_time_s, UINT64_MAX),
    STR(msg_exchanged, error_type, 128),
    STR(msg_exchanged, code, 128),
    STR(msg_exchanged, message, 1024),
    STR(msg_exchanged, access_key_id, 128),
    STR(msg_exchanged, secret, 8192),
    STR(msg_exchanged, session_token, 8192),
    UINT(msg_exchanged, expires_s, UINT64_MAX),
};

static const struct msg_field seal_fields[] = {
    UINT(msg_seal, lane, UINT64_MAX),
    UINT(msg_seal, audit_seq, UINT64_MAX),
    BIN(msg_seal, head, 16384),
    LIST(msg_seal, span, span_count, MSG_SPANS_MAX, msg_span, span_fields),
    UINT(msg_seal, body_len, UINT32_MAX),
    BIN_EXACT(msg_seal, body_sha256, 32),
};

static const struct msg_field lane_verified_fields[] = {
    UINT(msg_lane_verified, lane, UINT64_MAX),
};

static const struct msg_field lane_fault_fields[] = {
    UINT(msg_lane_fault, lane, UINT64_MAX),
    UINT(msg_lane_fault, audit_seq, UINT64_MAX),
    UINT(msg_lane_fault, fault, LANE_ABANDONED),
    STR(msg_lane_fault, detail, 200),
};

static const struct msg_field lane_closed_fields[] = {
    UINT(msg_lane_closed, fault, LANE_ABANDONED),
    STR(msg_lane_closed, detail, 200),
};

static const struct msg_field credit_fields[] = {
    UINT(msg_credit, kind, CREDIT_PLAIN),
    UINT(msg_credit, bytes, UINT32_MAX),
};

static const struct msg_field catalogue_get_fields[] = {
    UINT(msg_catalogue_get, version, UINT32_MAX),
};

static const struct msg_field catalogue_begin_fields[] = {
    UINT(msg_catalogue_begin, version, UINT32_MAX),
    STR(msg_catalogue_begin, source, 256),
    STR(msg_catalogue_begin, as_of, 32),
    UINT(msg_catalogue_begin, rows, 4096),
    UINT(msg_catalogue_begin, applied_s, UINT64_MAX),
    STR(msg_catalogue_begin, applied_by, 64),
};

static const struct msg_field catalogue_host_fields[] = {
    UINT(msg_catalogue_host, provider, PROVIDER_LAST),
    STR(msg_catalogue_host, location, 32),
    STR(msg_catalogue_host, host, 253),
};

static const struct msg_field catalogue_op_fields[] = {
    UINT(msg_catalogue_op, operation, OP_LAST),
    UINT(msg_catalogue_op, provider, PROVIDER_LAST),
    UINT(msg_catalogue_op, variant, 1),
    STR(msg_catalogue_op, method, 8),
    STR(msg_catalogue_op, path, 256),
    STR(msg_catalogue_op, query, 64),
    UINT(msg_catalogue_op, max_body, UINT32_MAX),
    LIST(msg_catalogue_op, allowed_header, header_count, MSG_NAMES_MAX, msg_name, name_fields),
    LIST(msg_catalogue_op, allowed_param, param_count, MSG_NAMES_MAX, msg_name, name_fields),
};

static const struct msg_field price_fields[] = {
    UINT(msg_price, kind, PRICE_LAST),
    UINT(msg_price, value, UINT32_MAX),
};

static const struct msg_field catalogue_model_fields[] = {
    UINT(msg_catalogue_model, provider, PROVIDER_LAST),
    STR(msg_catalogue_model, name, 128),
    STR(msg_catalogue_model, upstream, 256),
    UINT(msg_catalogue_model, context, UINT32_MAX),
    UINT(msg_catalogue_model, max_output, UINT32_MAX),
    UINT(msg_catalogue_model, thinking, THINKING_LAST),
    UINT(msg_catalogue_model, flags, UINT32_MAX),
    STR(msg_catalogue_model, betas, 2048),
    LIST(msg_catalogue_model, profile, profile_count, MSG_NAMES_MAX, msg_name, name_fields),
    BOOL(msg_catalogue_model, in_region),
    LIST(msg_catalogue_model, price, price_count, MSG_PRICES_MAX, msg_price, price_fields),
    STR(msg_catalogue_model, price_source, 256),
    STR(msg_catalogue_model, price_as_of, 32),
};

static const struct msg_field catalogue_profile_fields[] = {
    STR(msg_catalogue_profile, prefix, 16),
    STR(msg_catalogue_profile, model, 256),
    LIST(msg_catalogue_profile, source, source_count, MSG_REGIONS_MAX, msg_name, name_fields),
    LIST(msg_catalogue_profile, destination, destination_count, MSG_REGIONS_MAX, msg_name,
	name_fields),
};

static const struct msg_field catalogue_end_fields[] = {
    UINT(msg_catalogue_end, rows, 4096),
};

#define MSG(N, st, fl) [MSG_##N] = {#N, sizeof(struct st), ARRAY_LEN(fl), fl}
#define RAW(N)	       [MSG_##N] = {#N, 0, 0, NULL}

const struct msg_layout msg_table[256] = {
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
    MSG(RELAY, msg_relay, relay_fields),
    MSG(RELAY_FAILED, msg_relay_failed, relay_failed_fields),
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
    MSG(CREDENTIAL_TEST, msg_credential_test, credential_test_fields),
    MSG(CREDENTIAL_TESTED, msg_credential_tested, credential_tested_fields),
    MSG(FORK, msg_fork, fork_fields),
    MSG(EXITED, msg_exited, exited_fields),
    MSG(SEALER_CONFIG, msg_sealer_config, sealer_config_fields),
    MSG(SEALER_READY, msg_empty, empty_fields),
    MSG(SEAL, msg_seal, seal_fields),
    MSG(LANE_VERIFIED, msg_lane_verified, lane_verified_fields),
    MSG(LANE_FAULT, msg_lane_fault, lane_fault_fields),
    MSG(EXCHANGE, msg_exchange, exchange_fields),
    MSG(EXCHANGED, msg_exchanged, exchanged_fields),
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
    MSG(CATALOGUE_GET, msg_catalogue_get, catalogue_get_fields),
    MSG(CATALOGUE_BEGIN, msg_catalogue_begin, catalogue_begin_fields),
    MSG(CATALOGUE_HOST, msg_catalogue_host, catalogue_host_fields),
    MSG(CATALOGUE_OP, msg_catalogue_op, catalogue_op_fields),
    MSG(CATALOGUE_MODEL, msg_catalogue_model, catalogue_model_fields),
    MSG(CATALOGUE_PROFILE, msg_catalogue_profile, catalogue_profile_fields),
    MSG(CATALOGUE_END, msg_catalogue_end, catalogue_end_fields),
    MSG(ISSUER_SET, msg_issuer_set, issuer_set_fields),
    MSG(ISSUER_GET, msg_empty, empty_fields),
    MSG(ISSUER_ITEM, msg_issuer_item, issuer_item_fields),
};
