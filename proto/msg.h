// SPDX-License-Identifier: Apache-2.0
// All messages: their numbers, their structs, and one encoder and one decoder
// that walk a field table (msg.c). A payload is a msgpack array of fixed arity,
// one element per field in the order given here; PROTOCOL.md is the same list for
// readers of other languages, and a test compares the two.
//
// Views in decoded structs point into the payload that was decoded.
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include "proto/frame.h"
#include "proto/ids.h"
#include "proto/msg_catalogue.h"

enum msg_type {
	// gateway worker <-> vault core
	MSG_HELLO = 0x10,
	MSG_WELCOME = 0x11,
	MSG_AUTHORIZE = 0x12,
	MSG_PLAN = 0x13,
	MSG_DENY = 0x14,
	MSG_USE = 0x15,
	MSG_GO = 0x16,
	MSG_SETTLE = 0x17,
	MSG_SEALER_OPEN = 0x18,
	MSG_SEALER = 0x19, // carries one descriptor, outward
	MSG_SEALER_GONE = 0x1a,
	MSG_RELAY = 0x1b, // carries one descriptor, outward: an exchange's lane
	MSG_RELAY_FAILED = 0x1c,

	// producers (vault core, gateway worker) <-> auditd
	MSG_AUDIT_HELLO = 0x20,
	MSG_APPEND = 0x21,
	MSG_ACK = 0x22,
	MSG_NACK = 0x23,

	// sallyport command <-> auditd
	MSG_AUDIT_QUERY = 0x28,
	MSG_AUDIT_RECORD = 0x29, // raw payload: the stored record bytes
	MSG_AUDIT_END = 0x2a,

	// sallyport command <-> vault core
	MSG_STATUS = 0x30,
	MSG_STATUS_REPLY = 0x31,
	MSG_CREDENTIAL_PUT = 0x32,
	MSG_CREDENTIAL_SET = 0x33,
	MSG_CREDENTIAL_LIST = 0x34,
	MSG_CREDENTIAL_ITEM = 0x35,
	MSG_VKEY_ISSUE = 0x36,
	MSG_VKEY_ISSUED = 0x37,
	MSG_VKEY_LIST = 0x38,
	MSG_VKEY_ITEM = 0x39,
	MSG_VKEY_REVOKE = 0x3a,
	MSG_DONE = 0x3b,
	MSG_ERROR = 0x3c,
	MSG_CREDENTIAL_TEST = 0x3d,
	MSG_CREDENTIAL_TESTED = 0x3e,
	MSG_ISSUER_SET = 0x68,
	MSG_ISSUER_GET = 0x69,
	MSG_ISSUER_ITEM = 0x6a,

	// the catalogue: a sequence BEGIN, rows, END; command -> core to apply one,
	// core -> command and core -> gateway to tell the present one
	MSG_CATALOGUE_GET = 0x60,
	MSG_CATALOGUE_BEGIN = 0x61,
	MSG_CATALOGUE_HOST = 0x62,
	MSG_CATALOGUE_OP = 0x63,
	MSG_CATALOGUE_MODEL = 0x64,
	MSG_CATALOGUE_PROFILE = 0x65,
	MSG_CATALOGUE_END = 0x66,

	// vault core <-> zygote
	MSG_FORK = 0x40, // carries two descriptors: control end, lane end of the sealer
	MSG_EXITED = 0x41,

	// vault core <-> sealer (control)
	MSG_SEALER_CONFIG = 0x48,
	MSG_SEALER_READY = 0x49,
	MSG_SEAL = 0x4a,
	MSG_LANE_VERIFIED = 0x4b,
	MSG_LANE_FAULT = 0x4c,
	MSG_EXCHANGE = 0x4d,
	MSG_EXCHANGED = 0x4e,

	// gateway worker <-> sealer (lanes); frame id = lane id
	MSG_LANE_OPEN = 0x50,
	MSG_LANE_READY = 0x51,
	MSG_LANE_CLOSE = 0x52,	// gateway: abandon the lane
	MSG_LANE_CLOSED = 0x53, // sealer: the lane is gone, and why
	MSG_LANE_EOF = 0x54,	// gateway: TCP ended
	MSG_CREDIT = 0x55,
	MSG_CIPHER_IN = 0x58,  // raw: bytes from the provider
	MSG_CIPHER_OUT = 0x59, // raw: bytes to the provider
	MSG_BODY = 0x5a,       // raw: request body
	MSG_PLAIN = 0x5b,      // raw: decrypted answer
};

// --- gateway <-> core --------------------------------------------------------

struct msg_hello {
	uint64_t worker; // index of the gateway worker, 0..255
	struct view version;
};

struct msg_welcome {
	struct view version;
};

// frame id = request id: strictly increasing per channel.
struct msg_authorize {
	struct view client_key; // the virtual key as presented
	uint64_t operation;
	struct view model; // "" for operations without one
	bool stream;
	struct view conversation; // "" if unknown
};

#define MSG_ATTEMPTS_MAX 4U

struct msg_named { // a value of a numbered name: header, query parameter, setting
	uint64_t id;
	struct view value;
};

struct msg_attempt {
	uint64_t credential; // opaque handle; means nothing outside this core's life
	struct view credential_id;
	uint64_t provider;
	struct view host; // where the gateway connects TCP; the sealer verifies it
	uint64_t port;
	struct view region;
	struct view model;  // upstream model id, or Azure deployment
	uint64_t operation; // what USE must ask for; differs from AUTHORIZE's when translated
	bool renews; // its key is a temporary one: after CLASS_EXPIRED the attempt may come again
};

// reach, allowed_model and served_model are for listing models: what the key may ask for,
// whatever the attempts are. Only a listing has no attempts.
struct msg_plan {
	struct view vkey_id;
	struct view workspace;
	size_t attempt_count;
	struct msg_attempt attempt[MSG_ATTEMPTS_MAX];
	uint64_t reach; // 1 << enum provider, of each that the key has a usable credential of
	size_t allowed_model_count;
	struct msg_name allowed_model[MSG_NAMES_MAX]; // of the key, "*" suffix; none: all
	// id: enum provider whose usable credentials all have lists of models; what these
	// allow together. A provider without any serves all that it has.
	size_t served_model_count;
	struct msg_named served_model[MSG_NAMES_MAX];
};

// Refusal of AUTHORIZE, USE or SEALER_OPEN, same frame id.
struct msg_deny {
	uint64_t status; // HTTP status to give
	struct view code;
	struct view message;
	uint64_t retry_after_ms; // 0: none
};

#define MSG_HEADERS_MAX 16U
#define MSG_PARAMS_MAX	4U

// frame id = that of the AUTHORIZE it belongs to; attempts go 0, 1, 2, ...
struct msg_use {
	uint64_t attempt;
	uint64_t previous_status; // HTTP status of the attempt before, 0 for the first
	uint64_t previous_class; // enum error_class of it; CLASS_EXPIRED may repeat an attempt once
	uint64_t sealer;
	uint64_t lane;
	uint64_t operation; // must equal the attempt's
	size_t header_count;
	struct msg_named header[MSG_HEADERS_MAX];
	size_t param_count;
	struct msg_named param[MSG_PARAMS_MAX];
	uint64_t body_len;
	struct view body_sha256; // 32 bytes
};

struct msg_go {
	uint64_t attempt;
	uint64_t audit_seq; // of the key.intent record
};

// What became of a use, for the core's limits; the audit record goes to auditd.
struct msg_settle {
	uint64_t audit_seq;
	uint64_t status;
	uint64_t tokens_in;
	uint64_t tokens_out;
};

struct msg_sealer_open {
	uint64_t credential;
};

struct msg_sealer {
	uint64_t credential;
	uint64_t sealer;
};

struct msg_sealer_gone {
	uint64_t sealer;
	struct view reason; // "revoked", "died", "idle"
};

// The core asks a worker to connect the descriptor that comes along (lane end of a
// sealer in exchange mode) to this host: one lane, ciphertext only.
struct msg_relay {
	uint64_t sealer;
	struct view host;
	uint64_t port;
};

struct msg_relay_failed {
	uint64_t sealer;
	struct view code; // "provider_unreachable", "provider_connect_timeout", ...
	struct view message;
};

// --- audit -------------------------------------------------------------------

struct msg_audit_hello {
	struct view log_id; // 16 bytes
	uint64_t head_seq;  // 0: only the genesis record
	struct view head;   // leaf hash of that record, 32 bytes
	uint64_t boot_no;
};

struct msg_attr_num {
	uint64_t key;
	uint64_t value;
};

struct msg_attr_text {
	uint64_t key;
	struct view value;
};

#define MSG_ATTRS_MAX 12U

// frame id: the producer's own, answered by ACK or NACK.
struct msg_append {
	uint64_t event;
	uint64_t time_ns;	// CLOCK_REALTIME at the event
	struct view request_id; // 16 bytes, UUIDv7; or empty
	uint64_t ref_seq;	// the record this one completes, 0 if none
	struct view tenant;
	struct view workspace;
	struct view user;
	struct view conversation;
	struct view key_id;
	uint64_t key_version;
	uint64_t key_use; // per-credential use counter, 0 if no key is concerned
	uint64_t result;
	struct view error_code;
	size_t num_count;
	struct msg_attr_num num[MSG_ATTRS_MAX]; // ascending keys
	size_t text_count;
	struct msg_attr_text text[MSG_ATTRS_MAX]; // ascending keys
};

struct msg_ack {
	uint64_t seq;
	struct view leaf; // 32 bytes
};

struct msg_nack {
	struct view code; // "audit_full", "audit_disk", "audit_busy"
	struct view message;
};

struct msg_audit_query {
	uint64_t from_seq; // first record wanted
	uint64_t count;	   // at most this many; 0: until the head
	bool follow;	   // keep sending new records as they are committed
};

struct msg_audit_end {
	uint64_t head_seq;
	struct view head;
};

// --- command <-> core --------------------------------------------------------

struct msg_empty {
	uint64_t reserved; // always 0: an array of arity 1
};

struct msg_status_reply {
	struct view version;
	uint64_t uptime_s;
	struct view secret_memory; // "memfd_secret" or "locked"
	bool audit_connected;
	uint64_t gateways;
	uint64_t sealers;
	uint64_t credentials;
	uint64_t vkeys;
	uint64_t uses;
	uint64_t denials;
};

#define MSG_SETTINGS_MAX    16U
#define MSG_DEPLOYMENTS_MAX 32U

struct msg_deployment { // Azure
	struct view model;
	struct view name;
};

// Create (version 0) or change (version = the current one, or 0xffffffff for any).
// In a change empty host, region, access key id, CA and secret keep what is stored; a
// new secret replaces the session token too. DONE with version 0: nothing differed.
struct msg_credential_put {
	struct view name;
	uint64_t expect_version;
	uint64_t provider;
	uint64_t auth;
	struct view host;
	uint64_t port;
	struct view region;	   // Bedrock
	struct view access_key_id; // SigV4
	struct view secret;	   // API key, AWS secret access key, or PKCS#8 DER in base64
	struct view session_token; // SigV4, optional
	struct view ca_pem;	   // own CA; empty: the system's
	struct view workspace;
	uint64_t rate_per_minute; // 0: no ceiling
	bool enabled;
	size_t model_count;
	struct msg_name model[MSG_NAMES_MAX]; // allowed models, "*" suffix allowed; none: all
	size_t operation_count;
	struct msg_name operation[MSG_NAMES_MAX]; // allowed operations; none: all of the provider
	size_t setting_count;
	struct msg_named setting[MSG_SETTINGS_MAX]; // enum setting_id, ascending
	size_t deployment_count;
	struct msg_deployment deployment[MSG_DEPLOYMENTS_MAX];
};

enum credential_action { CREDENTIAL_ENABLE = 1, CREDENTIAL_DISABLE = 2, CREDENTIAL_REMOVE = 3 };

struct msg_credential_set {
	struct view name;
	uint64_t action;
};

struct msg_credential_item {
	struct view name;
	struct view id;
	uint64_t version;
	uint64_t provider;
	uint64_t auth;
	struct view host;
	uint64_t port;
	struct view region;
	struct view access_key_id;
	struct view hint; // last four characters of the secret, "" for short ones
	struct view workspace;
	uint64_t rate_per_minute;
	bool enabled;
	bool has_session_token;
	bool has_ca;
	uint64_t uses;
	uint64_t last_used_s; // Unix time, 0: never
	size_t model_count;
	struct msg_name model[MSG_NAMES_MAX];
	size_t operation_count;
	struct msg_name operation[MSG_NAMES_MAX];
	size_t setting_count;
	struct msg_named setting[MSG_SETTINGS_MAX];
	size_t deployment_count;
	struct msg_deployment deployment[MSG_DEPLOYMENTS_MAX];
	uint64_t token_expires_s; // of the temporary credential in use, Unix time; 0: none
};

// The cheapest real call that this credential can make. model: "" lets the vault choose.
struct msg_credential_test {
	struct view name;
	struct view model;
};

struct msg_credential_tested {
	uint64_t status;   // HTTP; 0: no answer
	uint64_t class_id; // enum error_class; CLASS_NONE: it works
	struct view code;  // the provider's, or ours
	struct view message;
	struct view fix; // what to do
	struct view host;
	struct view operation;
	struct view model;
	uint64_t latency_ms;
	uint64_t skew_s;     // our clock against the provider's
	bool skew_ahead;     // ours is ahead
	struct view outcome; // "ok", "bad_key", "no_model_access", ...: vaultd/cred_verdict.h
};

struct msg_vkey_issue {
	struct view name;
	struct view workspace;
	uint64_t rate_per_minute;
	size_t credential_count;
	struct msg_name credential[MSG_NAMES_MAX]; // none: any of the workspace
	size_t model_count;
	struct msg_name model[MSG_NAMES_MAX];
};

struct msg_vkey_issued {
	struct view id;
	struct view key; // shown once; only its keyed hash is stored
};

struct msg_vkey_item {
	struct view id;
	struct view name;
	struct view workspace;
	bool revoked;
	uint64_t created_s;
	uint64_t last_used_s;
	uint64_t rate_per_minute;
	size_t credential_count;
	struct msg_name credential[MSG_NAMES_MAX];
	size_t model_count;
	struct msg_name model[MSG_NAMES_MAX];
};

struct msg_vkey_revoke {
	struct view id_or_name;
};

struct msg_done {
	uint64_t version; // of the object that was written, 0 where there is none
};

struct msg_error {
	struct view code;
	struct view message; // says what to do
};

// Our OIDC issuer. url "" keeps the present one; rotate makes a new signing key, and the
// old one stays published.
struct msg_issuer_set {
	struct view url;
	bool rotate;
};

#define MSG_ISSUER_KEYS_MAX 4U

struct msg_issuer_key {
	struct view kid;
	struct view n; // modulus, base64url
	struct view e; // exponent, base64url
	uint64_t created_s;
	uint64_t signs_from_s; // not before: AWS caches what it fetched
	uint64_t retired_s;    // 0: in use or to be used
};

struct msg_issuer_item {
	struct view url; // "": there is none
	size_t key_count;
	struct msg_issuer_key key[MSG_ISSUER_KEYS_MAX];
};

// --- core <-> zygote, sealer -------------------------------------------------

struct msg_fork {
	uint64_t sealer;
};

struct msg_exited {
	uint64_t sealer;
	uint64_t exit_code;
	uint64_t signal; // 0: exited by itself
};

struct msg_sealer_config {
	struct view host;   // SNI and certificate name
	struct view ca_pem; // empty: the system's roots
	bool exchange;	    // answers go to the core as EXCHANGED, never to the gateway
};

struct msg_span {
	uint64_t offset; // into head
	uint64_t len;
	uint64_t public_len; // leading bytes that are no secret ("sk-proj-")
};

#define MSG_SPANS_MAX 2U

// frame id = request id of the USE. The only message that carries a secret to a
// sealer; both ends hold its bytes in secret memory.
struct msg_seal {
	uint64_t lane;
	uint64_t audit_seq;
	struct view head; // the whole request head, ends in CR LF CR LF
	size_t span_count;
	struct msg_span span[MSG_SPANS_MAX]; // secrets to look for in the answer
	uint64_t body_len;
	struct view body_sha256;
};

enum exchange_format { EXCHANGE_STS = 1, EXCHANGE_GOOGLE_TOKEN = 2, EXCHANGE_PROBE = 3 };

// One request of the vault itself over the only lane of a sealer in exchange mode. Held
// in secret memory at both ends, as SEAL is.
struct msg_exchange {
	uint64_t format; // how the answer is read
	struct view head;
	size_t span_count;
	struct msg_span span[MSG_SPANS_MAX];
	struct view body;
};

// Its answer, read by the sealer: typed fields only. Holds secrets.
struct msg_exchanged {
	uint64_t status;	   // HTTP; 0: there was no whole answer
	uint64_t fault;		   // enum lane_fault when status is 0
	uint64_t server_time_s;	   // Date header as Unix time, 0: none
	struct view error_type;	   // error.type, error.status, x-amzn-errortype
	struct view code;	   // error code, "" when fine
	struct view message;	   // error text, printable ASCII
	struct view access_key_id; // STS
	struct view secret;	   // secret access key, or access token
	struct view session_token; // STS
	uint64_t expires_s;	   // STS: Unix time. Google: seconds from now
};

struct msg_lane_verified {
	uint64_t lane;
};

enum lane_fault {
	LANE_OK = 0,
	LANE_TLS_FAILED = 1,	// handshake failed, or certificate not acceptable
	LANE_LEAK = 2,		// the answer held the secret
	LANE_BODY_MISMATCH = 3, // body bytes do not hash to what USE said
	LANE_UPSTREAM_EOF = 4,	// clean TLS close
	LANE_TRUNCATED = 5,	// TCP ended without TLS close
	LANE_PROTOCOL = 6,	// gateway broke the lane protocol
	LANE_ABANDONED = 7,	// gateway closed it
};

struct msg_lane_fault {
	uint64_t lane;
	uint64_t audit_seq; // of the request in flight, 0 if none
	uint64_t fault;
	struct view detail; // OpenSSL's reason, never upstream bytes
};

// --- gateway <-> sealer ------------------------------------------------------

struct msg_lane_closed {
	uint64_t fault;
	struct view detail;
};

enum credit_kind { CREDIT_CIPHER_IN = 0, CREDIT_CIPHER_OUT = 1, CREDIT_BODY = 2, CREDIT_PLAIN = 3 };

// The receiver of a raw kind grants its sender this many bytes more. Initial
// windows are LANE_WINDOW bytes for each kind.
struct msg_credit {
	uint64_t kind;
	uint64_t bytes;
};

#define LANE_WINDOW (128U * 1024U)
// Lanes of one sealer at one time; the sealer rejects a gateway that opens more.
#define SEALER_LANES_MAX 4096U

// --- coding ------------------------------------------------------------------

// Upper bound for sizeof of any message struct above.
union msg_any {
	struct msg_use use;
	struct msg_append append;
	struct msg_credential_item credential_item;
	struct msg_credential_put credential_put;
	struct msg_vkey_item vkey_item;
	struct msg_plan plan;
	struct msg_catalogue_model catalogue_model;
	struct msg_catalogue_op catalogue_op;
	struct msg_catalogue_profile catalogue_profile;
};

// Encodes the struct of `type` into buf. Returns the length, or 0 when it does
// not fit or a field exceeds its limit (the caller decides whether that is BUG).
size_t msg_encode(uint8_t type, const void *msg, uint8_t *buf, size_t cap) MUST_CHECK;

// Decodes a payload of `type` into *msg. Returns 0, or -1 when anything is wrong:
// arity, type, limit, UTF-8, non-shortest form, left-over bytes, raw or unknown type.
int msg_decode(uint8_t type, const uint8_t *payload, size_t len, void *msg) MUST_CHECK;

bool msg_is_raw(uint8_t type);	      // payload is bytes, not msgpack
const char *msg_name(uint8_t type);   // "AUTHORIZE", or NULL if unknown
size_t msg_struct_size(uint8_t type); // 0 for raw and unknown types

#endif
