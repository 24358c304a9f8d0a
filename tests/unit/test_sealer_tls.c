// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// TLS rules of a sealer against servers in memory: which certificates, names,
// versions and endings are accepted, and which are refused with what words.
#include "vaultd/sealer_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_sealer_certs.h"
#include "vaultd/sealer_peer.h"

#define HOST "api.example.com"

static struct certs_pair ca;
static char ca_text[4096];
static struct view ca_pem;

static int
set_up(void **state)
{
	(void)state;
	(void)sealer_tls_prepare();
	ca = certs_make(&(struct certs_spec){.cn = "test CA", .is_ca = true}, NULL);
	ca_pem = certs_pem(&ca, ca_text, sizeof(ca_text));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_free(&ca);
	return 0;
}

// --- one handshake -------------------------------------------------------------

struct attempt {
	enum sealer_tls_status status;
	char reason[128];
};

static struct attempt
try(SSL_CTX *server, const char *host, struct view roots)
{
	const char *why;
	struct sealer_tls_ctx *c = sealer_tls_ctx_new(view_of(host), roots, &why);
	assert_non_null(c);
	struct sealer_peer *peer = sealer_peer_new(server);
	struct sealer_tls *t = sealer_tls_new(c);
	struct attempt a = {.status = sealer_peer_handshake(peer, t)};
	snprintf(a.reason, sizeof(a.reason), "%s", sealer_tls_reason(t));
	sealer_tls_free(t);
	sealer_peer_free(peer);
	sealer_tls_ctx_free(c);
	return a;
}

static struct attempt
try_leaf(struct certs_spec spec, const char *host)
{
	struct certs_pair leaf = certs_make(&spec, &ca);
	SSL_CTX *server = certs_server(&leaf, NULL);
	struct attempt a = try(server, host, ca_pem);
	SSL_CTX_free(server);
	certs_free(&leaf);
	return a;
}

static void
refused(struct attempt a, const char *words)
{
	assert_int_equal(a.status, SEALER_TLS_FAILED);
	if (strstr(a.reason, words) == NULL)
		fail_msg("reason is '%s', not '%s'", a.reason, words);
}

static void
own_ca_is_accepted(void **state)
{
	(void)state;
	assert_int_equal(
	    try_leaf((struct certs_spec){.san = "DNS:" HOST}, HOST).status, SEALER_TLS_OK);
	assert_int_equal(
	    try_leaf((struct certs_spec){.san = "DNS:" HOST, .eku = "serverAuth"}, HOST).status,
	    SEALER_TLS_OK);
}

static void
host_must_match(void **state)
{
	(void)state;
	refused(try_leaf((struct certs_spec){.san = "DNS:other.example.com"}, HOST),
	    "ostname mismatch");
	refused(try_leaf((struct certs_spec){.san = "DNS:" HOST ".evil.test"}, HOST),
	    "ostname mismatch");
	refused(try_leaf((struct certs_spec){.san = "IP:127.0.0.1"}, HOST), "ostname mismatch");
}

static void
common_name_does_not_count(void **state)
{
	(void)state;
	refused(try_leaf((struct certs_spec){.cn = HOST}, HOST), "ostname mismatch");
	refused(try_leaf((struct certs_spec){.cn = HOST, .san = "DNS:x.test"}, HOST),
	    "ostname mismatch");
}

static void
wildcards(void **state)
{
	(void)state;
	assert_int_equal(
	    try_leaf((struct certs_spec){.san = "DNS:*.example.com"}, HOST).status, SEALER_TLS_OK);
	refused(try_leaf((struct certs_spec){.san = "DNS:*.com"}, HOST), "ostname mismatch");
	refused(
	    try_leaf((struct certs_spec){.san = "DNS:ap*.example.com"}, HOST), "ostname mismatch");
	refused(try_leaf((struct certs_spec){.san = "DNS:*.example.com"}, "a.b.example.com"),
	    "ostname mismatch");
}

static void
addresses(void **state)
{
	(void)state;
	struct certs_spec spec = {.san = "IP:127.0.0.1,IP:0:0:0:0:0:0:0:1"};
	assert_int_equal(try_leaf(spec, "127.0.0.1").status, SEALER_TLS_OK);
	assert_int_equal(try_leaf(spec, "::1").status, SEALER_TLS_OK);
	refused(try_leaf(spec, "127.0.0.2"), "IP address mismatch");
	refused(try_leaf((struct certs_spec){.san = "DNS:127.0.0.1"}, "127.0.0.1"),
	    "IP address mismatch");
}

static void
validity(void **state)
{
	(void)state;
	struct certs_spec old = {.san = "DNS:" HOST, .from_s = -7200, .until_s = -3600};
	struct certs_spec young = {.san = "DNS:" HOST, .from_s = 3600, .until_s = 7200};
	refused(try_leaf(old, HOST), "expired");
	refused(try_leaf(young, HOST), "not yet valid");
}

static void
purpose(void **state)
{
	(void)state;
	refused(try_leaf((struct certs_spec){.san = "DNS:" HOST, .eku = "clientAuth"}, HOST),
	    "nsuitable certificate purpose");
}

static void
unknown_issuers(void **state)
{
	(void)state;
	struct certs_spec spec = {.san = "DNS:" HOST};
	struct certs_pair self = certs_make(&spec, NULL);
	SSL_CTX *server = certs_server(&self, NULL);
	refused(try(server, HOST, ca_pem), "self");
	refused(try(server, HOST, (struct view){0}), "self");
	// Named as its own CA it is what the operator wants.
	char text[4096];
	assert_int_equal(
	    try(server, HOST, certs_pem(&self, text, sizeof(text))).status, SEALER_TLS_OK);
	SSL_CTX_free(server);
	certs_free(&self);

	// A leaf of the test CA is nothing to the system's roots.
	struct certs_pair leaf = certs_make(&spec, &ca);
	server = certs_server(&leaf, NULL);
	refused(try(server, HOST, (struct view){0}), "unable to get local issuer certificate");
	SSL_CTX_free(server);
	certs_free(&leaf);
}

static void
intermediates(void **state)
{
	(void)state;
	struct certs_pair mid = certs_make(&(struct certs_spec){.cn = "mid", .is_ca = true}, &ca);
	struct certs_pair leaf = certs_make(&(struct certs_spec){.san = "DNS:" HOST}, &mid);
	SSL_CTX *whole = certs_server(&leaf, &mid), *bare = certs_server(&leaf, NULL);
	assert_int_equal(try(whole, HOST, ca_pem).status, SEALER_TLS_OK);
	refused(try(bare, HOST, ca_pem), "unable to get local issuer certificate");
	char text[4096];
	struct view mid_pem = certs_pem(&mid, text, sizeof(text));
	assert_int_equal(try(bare, HOST, mid_pem).status, SEALER_TLS_OK);
	SSL_CTX_free(whole);
	SSL_CTX_free(bare);
	// A leaf that plays a CA.
	struct certs_pair fake = certs_make(&(struct certs_spec){.san = "DNS:" HOST}, &leaf);
	SSL_CTX *forged = certs_server(&fake, &leaf);
	refused(try(forged, HOST, ca_pem), "");
	SSL_CTX_free(forged);
	certs_free(&fake);
	certs_free(&leaf);
	certs_free(&mid);
}

static void
versions(void **state)
{
	(void)state;
	struct certs_pair leaf = certs_make(&(struct certs_spec){.san = "DNS:" HOST}, &ca);
	static const struct {
		int version;
		const char *ciphers;
		enum sealer_tls_status want;
	} cases[] = {
	    {TLS1_3_VERSION, NULL, SEALER_TLS_OK},
	    {TLS1_2_VERSION, NULL, SEALER_TLS_OK},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", SEALER_TLS_FAILED},
	    {TLS1_1_VERSION, "ALL:@SECLEVEL=0", SEALER_TLS_FAILED},
	    {TLS1_VERSION, "ALL:@SECLEVEL=0", SEALER_TLS_FAILED},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		SSL_CTX *server = certs_server(&leaf, NULL);
		SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(server, cases[i].version);
		if (cases[i].ciphers != NULL)
			assert_int_equal(SSL_CTX_set_cipher_list(server, cases[i].ciphers), 1);
		assert_int_equal(try(server, HOST, ca_pem).status, cases[i].want);
		SSL_CTX_free(server);
	}
	certs_free(&leaf);
}

static void
configuration_that_cannot_be_used(void **state)
{
	(void)state;
	const char *why;
	static const char cut[] = "-----BEGIN CERTIFICATE-----\nMIIB\n";
	static const char junk[] = "no certificate at all";
	static const char bad[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	char twice[8192];
	size_t n = (size_t)snprintf(twice, sizeof(twice), "%.*s%s", (int)ca_pem.len, ca_pem.p, bad);
	const struct view bad_pem[] = {VIEW(cut), VIEW(junk), VIEW(bad), {.p = twice, .len = n}};
	for (size_t i = 0; i < ARRAY_LEN(bad_pem); i++) {
		assert_null(sealer_tls_ctx_new(view_of(HOST), bad_pem[i], &why));
		assert_string_equal(why, "the CA certificates cannot be read");
	}
	const struct view bad_host[] = {VIEW(""), VIEW("a\0b"), {.p = twice, .len = 300}};
	for (size_t i = 0; i < ARRAY_LEN(bad_host); i++) {
		assert_null(sealer_tls_ctx_new(bad_host[i], ca_pem, &why));
		assert_string_equal(why, "the host name cannot be used");
	}
	// Two certificates and words between them are fine.
	n = (size_t)snprintf(twice, sizeof(twice), "root:\n%.*s\nagain:\n%.*s\n", (int)ca_pem.len,
	    ca_pem.p, (int)ca_pem.len, ca_pem.p);
	struct sealer_tls_ctx *c =
	    sealer_tls_ctx_new(view_of(HOST), (struct view){.p = twice, .len = n}, &why);
	assert_non_null(c);
	sealer_tls_ctx_free(c);
}

// --- data and endings ------------------------------------------------------------

struct pair {
	struct sealer_tls_ctx *ctx;
	SSL_CTX *server;
	struct certs_pair leaf;
	struct sealer_peer *peer;
	struct sealer_tls *t;
};

static void
connect_pair(struct pair *p, int max_version)
{
	const char *why;
	p->leaf = certs_make(&(struct certs_spec){.san = "DNS:" HOST}, &ca);
	p->server = certs_server(&p->leaf, NULL);
	SSL_CTX_set_max_proto_version(p->server, max_version);
	p->ctx = sealer_tls_ctx_new(view_of(HOST), ca_pem, &why);
	assert_non_null(p->ctx);
	p->peer = sealer_peer_new(p->server);
	p->t = sealer_tls_new(p->ctx);
	assert_int_equal(sealer_peer_handshake(p->peer, p->t), SEALER_TLS_OK);
}

static void
disconnect_pair(struct pair *p)
{
	sealer_tls_free(p->t);
	sealer_peer_free(p->peer);
	sealer_tls_ctx_free(p->ctx);
	SSL_CTX_free(p->server);
	certs_free(&p->leaf);
}

static const int both_versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void
sni_and_alpn_are_sent(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(both_versions); v++) {
		struct pair p;
		connect_pair(&p, both_versions[v]);
		const char *name =
		    SSL_get_servername(sealer_peer_ssl(p.peer), TLSEXT_NAMETYPE_host_name);
		assert_non_null(name);
		assert_string_equal(name, HOST);
		disconnect_pair(&p);
	}
}

static void
data_goes_both_ways(void **state)
{
	(void)state;
	static uint8_t big[100000], got[100000];
	memset(big, 'x', sizeof(big));
	for (size_t v = 0; v < ARRAY_LEN(both_versions); v++) {
		struct pair p;
		connect_pair(&p, both_versions[v]);
		assert_int_equal(sealer_tls_write(p.t, big, sizeof(big)), SEALER_TLS_OK);
		sealer_peer_shuttle(p.peer, p.t);
		size_t n = 0, r;
		while ((r = sealer_peer_read(p.peer, got + n, sizeof(got) - n)) != 0)
			n += r;
		assert_int_equal(n, sizeof(big));
		assert_memory_equal(got, big, n);
		assert_int_equal(sealer_peer_write(p.peer, big, sizeof(big)), 0);
		sealer_peer_shuttle(p.peer, p.t);
		n = 0;
		enum sealer_tls_status s;
		while ((s = sealer_tls_read(p.t, got + n, MIN(1000, sizeof(got) - n), &r)) ==
			   SEALER_TLS_OK &&
		       n < sizeof(got))
			n += r;
		assert_int_equal(n, sizeof(big));
		disconnect_pair(&p);
	}
}

// Each byte of a record alone: buffers are freed and made again in between.
static void
record_in_single_bytes(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(both_versions); v++) {
		struct pair p;
		uint8_t got[3000], want[3000], wire[4000];
		size_t n = 0;
		memset(want, 'w', sizeof(want));
		connect_pair(&p, both_versions[v]);
		assert_int_equal(sealer_peer_write(p.peer, want, sizeof(want)), 0);
		sealer_peer_shuttle(p.peer, p.t);
		struct sealer_buf *in = sealer_tls_in(p.t);
		size_t len = sealer_buf_len(in);
		assert_true(len < sizeof(wire));
		memcpy(wire, sealer_buf_bytes(in), len);
		sealer_buf_free(in);
		for (size_t i = 0; i < len; i++) {
			assert_int_equal(n, 0);
			sealer_buf_append(in, wire + i, 1);
			enum sealer_tls_status s = sealer_tls_read(p.t, got, sizeof(got), &n);
			assert_int_equal(s, i + 1 < len ? SEALER_TLS_WANT : SEALER_TLS_OK);
		}
		assert_int_equal(n, sizeof(want));
		assert_memory_equal(got, want, n);
		disconnect_pair(&p);
	}
}

static void
clean_end(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(both_versions); v++) {
		struct pair p;
		uint8_t got[64];
		size_t n;
		connect_pair(&p, both_versions[v]);
		assert_int_equal(sealer_peer_write(p.peer, "bye", 3), 0);
		(void)SSL_shutdown(sealer_peer_ssl(p.peer));
		sealer_peer_shuttle(p.peer, p.t);
		sealer_tls_eof(p.t);
		assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_OK);
		assert_int_equal(n, 3);
		assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_CLOSED);
		disconnect_pair(&p);
	}
}

static void
end_without_close_notify(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(both_versions); v++) {
		struct pair p;
		uint8_t got[64];
		size_t n;
		connect_pair(&p, both_versions[v]);
		assert_int_equal(sealer_peer_write(p.peer, "half", 4), 0);
		sealer_peer_shuttle(p.peer, p.t);
		assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_OK);
		assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_WANT);
		sealer_tls_eof(p.t);
		assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_TRUNCATED);
		disconnect_pair(&p);
	}
}

static void
changed_record_is_refused(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(both_versions); v++) {
		struct pair p;
		uint8_t got[64];
		size_t n;
		connect_pair(&p, both_versions[v]);
		while (sealer_tls_read(p.t, got, sizeof(got), &n) == SEALER_TLS_OK)
			;
		assert_int_equal(sealer_peer_write(p.peer, "text", 4), 0);
		sealer_peer_shuttle(p.peer, p.t);
		struct sealer_buf *in = sealer_tls_in(p.t);
		in->p[in->end - 1] ^= 1;
		assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_FAILED);
		assert_string_not_equal(sealer_tls_reason(p.t), "");
		disconnect_pair(&p);
	}
}

static void
end_during_the_handshake(void **state)
{
	(void)state;
	const char *why;
	struct sealer_tls_ctx *c = sealer_tls_ctx_new(view_of(HOST), ca_pem, &why);
	assert_non_null(c);
	struct sealer_tls *t = sealer_tls_new(c);
	assert_int_equal(sealer_tls_handshake(t), SEALER_TLS_WANT);
	sealer_tls_eof(t);
	assert_int_equal(sealer_tls_handshake(t), SEALER_TLS_TRUNCATED);
	sealer_tls_free(t);
	t = sealer_tls_new(c);
	sealer_buf_append(sealer_tls_in(t), "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	assert_int_equal(sealer_tls_handshake(t), SEALER_TLS_FAILED);
	sealer_tls_free(t);
	sealer_tls_ctx_free(c);
}

static void
idle_sessions_hold_no_buffers(void **state)
{
	(void)state;
	struct pair p;
	uint8_t got[64];
	size_t n;
	connect_pair(&p, TLS1_3_VERSION);
	sealer_peer_shuttle(p.peer, p.t);
	assert_int_equal(sealer_tls_read(p.t, got, sizeof(got), &n), SEALER_TLS_WANT);
	assert_null(sealer_tls_in(p.t)->p);
	assert_null(sealer_tls_out(p.t)->p);
	disconnect_pair(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(own_ca_is_accepted),
	    cmocka_unit_test(host_must_match),
	    cmocka_unit_test(common_name_does_not_count),
	    cmocka_unit_test(wildcards),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(validity),
	    cmocka_unit_test(purpose),
	    cmocka_unit_test(unknown_issuers),
	    cmocka_unit_test(intermediates),
	    cmocka_unit_test(versions),
	    cmocka_unit_test(configuration_that_cannot_be_used),
	    cmocka_unit_test(sni_and_alpn_are_sent),
	    cmocka_unit_test(data_goes_both_ways),
	    cmocka_unit_test(record_in_single_bytes),
	    cmocka_unit_test(clean_end),
	    cmocka_unit_test(end_without_close_notify),
	    cmocka_unit_test(changed_record_is_refused),
	    cmocka_unit_test(end_during_the_handshake),
	    cmocka_unit_test(idle_sessions_hold_no_buffers),
	};
	return cmocka_run_group_tests_name("sealer_tls", tests, set_up, tear_down);
}
