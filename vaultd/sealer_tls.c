// SPDX-License-Identifier: Apache-2.0
// OpenSSL over a BIO of our own that reads from one byte queue and writes to
// another. May touch: its own memory; before the sandbox, the system's CA bundle.
#include "vaultd/sealer_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLS_MAGIC 0x73746c73U
#define HOST_MAX  253U

struct sealer_tls_ctx {
	SSL_CTX *ssl;
	bool is_ip; // no SNI for addresses (RFC 6066, section 3)
	char host[HOST_MAX + 1];
};

struct sealer_tls {
	unsigned magic;
	SSL *ssl;
	struct sealer_buf in;
	struct sealer_buf out;
	bool eof;
	const char *reason; // static text of OpenSSL
};

static X509_STORE *system_roots;
static BIO_METHOD *queue_bio;
// SSL_free_buffers() frees too much before 3.0.14 (CVE-2024-4741).
static bool may_free_buffers;

// Debian and most others; Red Hat's family. Only files: a directory lookup would
// open files later, from inside the sandbox.
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

// --- the BIO -------------------------------------------------------------------

static int
queue_read(BIO *b, char *p, size_t cap, size_t *n_r)
{
	struct sealer_tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	size_t n = MIN(cap, sealer_buf_len(&t->in));
	*n_r = n;
	if (n != 0) {
		memcpy(p, sealer_buf_bytes(&t->in), n);
		sealer_buf_consume(&t->in, n);
		return 1;
	}
	// Empty means "later" until the gateway reports the end of the TCP stream.
	if (!t->eof)
		BIO_set_retry_read(b);
	return 0;
}

static int
queue_write(BIO *b, const char *p, size_t len, size_t *n_r)
{
	struct sealer_tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	sealer_buf_append(&t->out, p, len);
	*n_r = len;
	return 1;
}

static long
queue_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)num, (void)ptr;
	const struct sealer_tls *t = BIO_get_data(b);
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return t->eof && sealer_buf_len(&t->in) == 0;
	default:
		return 0;
	}
}

static void
make_bio_method(void)
{
	queue_bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "byte queues");
	BUG_IF(queue_bio == NULL);
	BIO_meth_set_read_ex(queue_bio, queue_read);
	BIO_meth_set_write_ex(queue_bio, queue_write);
	BIO_meth_set_ctrl(queue_bio, queue_ctrl);
}

// --- start ---------------------------------------------------------------------

size_t
sealer_tls_prepare(void)
{
	BUG_IF(system_roots != NULL);
	// No configuration file: it could name providers and engines to load.
	uint64_t init = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
			OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT;
	if (OPENSSL_init_ssl(init, NULL) != 1)
		BUG("OpenSSL does not start");
	make_bio_method();
	may_free_buffers = OpenSSL_version_num() >= 0x300000e0UL;
	system_roots = X509_STORE_new();
	BUG_IF(system_roots == NULL);
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(bundles) && n == 0; i++) {
		if (X509_STORE_load_file(system_roots, bundles[i]) != 1)
			ERR_clear_error();
		n = (size_t)sk_X509_OBJECT_num(X509_STORE_get0_objects(system_roots));
	}
	return n;
}

// --- context -------------------------------------------------------------------

static int
add_roots(X509_STORE *store, struct view pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
	BUG_IF(b == NULL);
	int n = 0;
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; n++) {
		int ok = X509_STORE_add_cert(store, x);
		X509_free(x);
		if (ok != 1) {
			n = -1;
			break;
		}
	}
	BIO_free(b);
	// "No start line" is how the end of the text shows; anything else is a broken PEM.
	unsigned long e = ERR_peek_last_error();
	if (n > 0 && ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
		n = -1;
	ERR_clear_error();
	return n;
}

static int
own_roots(SSL_CTX *ssl, struct view pem)
{
	X509_STORE *store = X509_STORE_new();
	BUG_IF(store == NULL);
	if (add_roots(store, pem) <= 0) {
		X509_STORE_free(store);
		return -1;
	}
	// What the operator names is the anchor, even if it is an intermediate.
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_cert_store(ssl, store);
	return 0;
}

static void
set_rules(SSL_CTX *ssl)
{
	static const uint8_t alpn[] = "\x08http/1.1";
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_security_level(ssl, 2);
	// CLEANSE_PLAINTEXT: an answer may hold a key that the scanner must stop.
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	// AEAD only. CBC suites would also take OpenSSL's multi-block path, which
	// does not encrypt in place and so leaves copies of the plaintext.
	bool ok = SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
		  SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
		  SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) == 0; // 0 is success
	BUG_IF(!ok);
}

static int
bind_host(struct sealer_tls_ctx *c)
{
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(c->ssl);
	X509_VERIFY_PARAM_set_hostflags(
	    p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (X509_VERIFY_PARAM_set1_ip_asc(p, c->host) == 1) {
		c->is_ip = true;
		return 0;
	}
	ERR_clear_error();
	return X509_VERIFY_PARAM_set1_host(p, c->host, 0) == 1 ? 0 : -1;
}

struct sealer_tls_ctx *
sealer_tls_ctx_new(struct view host, struct view ca_pem, const char **why_r)
{
	BUG_IF(system_roots == NULL);
	struct sealer_tls_ctx *c = base_calloc(1, sizeof(*c));
	c->ssl = SSL_CTX_new(TLS_client_method());
	BUG_IF(c->ssl == NULL);
	set_rules(c->ssl);
	*why_r = "";
	if (host.len == 0 || view_copy(host, c->host, sizeof(c->host)) != 0 || bind_host(c) != 0)
		*why_r = "the host name cannot be used";
	else if (ca_pem.len == 0)
		SSL_CTX_set1_cert_store(c->ssl, system_roots);
	else if (own_roots(c->ssl, ca_pem) != 0)
		*why_r = "the CA certificates cannot be read";
	if (**why_r == '\0')
		return c;
	sealer_tls_ctx_free(c);
	return NULL;
}

void
sealer_tls_ctx_free(struct sealer_tls_ctx *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}

// --- session -------------------------------------------------------------------

struct sealer_tls *
sealer_tls_new(struct sealer_tls_ctx *c)
{
	struct sealer_tls *t = base_calloc(1, sizeof(*t));
	t->magic = TLS_MAGIC;
	t->reason = "";
	t->ssl = SSL_new(c->ssl);
	BIO *b = BIO_new(queue_bio);
	if (t->ssl == NULL || b == NULL)
		BUG("out of memory");
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	if (!c->is_ip && SSL_set_tlsext_host_name(t->ssl, c->host) != 1)
		BUG("SNI refused");
	SSL_set_connect_state(t->ssl);
	return t;
}

void
sealer_tls_free(struct sealer_tls *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, TLS_MAGIC);
	t->magic = 0;
	SSL_free(t->ssl);
	sealer_buf_free(&t->in);
	sealer_buf_free(&t->out);
	free(t);
}

struct sealer_buf *
sealer_tls_in(struct sealer_tls *t)
{
	return &t->in;
}

struct sealer_buf *
sealer_tls_out(struct sealer_tls *t)
{
	return &t->out;
}

void
sealer_tls_eof(struct sealer_tls *t)
{
	t->eof = true;
}

const char *
sealer_tls_reason(const struct sealer_tls *t)
{
	return t->reason;
}

static void
note_reason(struct sealer_tls *t)
{
	long verify = SSL_get_verify_result(t->ssl);
	const char *text = verify == X509_V_OK ? ERR_reason_error_string(ERR_peek_last_error())
					       : X509_verify_cert_error_string(verify);
	t->reason = text == NULL ? "TLS failure without a reason" : text;
}

static enum sealer_tls_status
failure(struct sealer_tls *t, int ret)
{
	int kind = SSL_get_error(t->ssl, ret);
	if (kind == SSL_ERROR_WANT_READ)
		return SEALER_TLS_WANT;
	if (kind == SSL_ERROR_ZERO_RETURN)
		return SEALER_TLS_CLOSED;
	unsigned long e = ERR_peek_last_error();
	bool cut = ERR_GET_LIB(e) == ERR_LIB_SSL &&
		   ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	note_reason(t);
	ERR_clear_error();
	return cut || kind == SSL_ERROR_SYSCALL ? SEALER_TLS_TRUNCATED : SEALER_TLS_FAILED;
}

enum sealer_tls_status
sealer_tls_handshake(struct sealer_tls *t)
{
	CHECK_OBJ(t, TLS_MAGIC);
	ERR_clear_error();
	int r = SSL_do_handshake(t->ssl);
	if (r != 1)
		return failure(t, r);
	// SSL_VERIFY_PEER makes a bad chain fail above; this is the second lock.
	if (SSL_get_verify_result(t->ssl) == X509_V_OK && SSL_get0_peer_certificate(t->ssl) != NULL)
		return SEALER_TLS_OK;
	note_reason(t);
	return SEALER_TLS_FAILED;
}

enum sealer_tls_status
sealer_tls_read(struct sealer_tls *t, uint8_t *p, size_t cap, size_t *n_r)
{
	CHECK_OBJ(t, TLS_MAGIC);
	ERR_clear_error();
	*n_r = 0;
	int r = SSL_read_ex(t->ssl, p, cap, n_r);
	if (r == 1)
		return SEALER_TLS_OK;
	enum sealer_tls_status s = failure(t, r);
	// RELEASE_BUFFERS leaves the read buffer behind under TLS 1.3 (seen in 3.0.22);
	// this frees it, and does nothing while part of a record waits in it.
	if (s == SEALER_TLS_WANT && may_free_buffers)
		(void)SSL_free_buffers(t->ssl);
	return s;
}

SENSITIVE enum sealer_tls_status
sealer_tls_write(struct sealer_tls *t, const uint8_t *p, size_t len)
{
	CHECK_OBJ(t, TLS_MAGIC);
	ERR_clear_error();
	if (len == 0)
		return SEALER_TLS_OK;
	size_t n = 0;
	int r = SSL_write_ex(t->ssl, p, len, &n);
	if (r == 1 && n == len)
		return SEALER_TLS_OK;
	enum sealer_tls_status s = failure(t, r);
	return s == SEALER_TLS_WANT ? SEALER_TLS_FAILED : s; // our BIO takes everything
}
