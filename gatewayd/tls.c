// SPDX-License-Identifier: Apache-2.0
// OpenSSL set-up for the client-facing listener. May touch: memory only.
#include "gatewayd/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls {
	SSL_CTX *ctx;
};

// ALPN (RFC 7301): HTTP/2 when the client lists it, else HTTP/1.1. A client that lists
// protocols and neither of these fails in the handshake instead of later.
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	(void)ssl, (void)arg;
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1; // never ask a terminal
}

static int
use_chain(SSL_CTX *ctx, struct view pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
	int ok = leaf != NULL && SSL_CTX_use_certificate(ctx, leaf) == 1;
	X509_free(leaf);
	for (X509 *ca; ok && (ca = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL;) {
		if (SSL_CTX_add0_chain_cert(ctx, ca) == 1)
			continue;
		X509_free(ca);
		ok = 0;
	}
	ERR_clear_error(); // the end of the file is told as an error
	BIO_free(bio);
	return ok ? 0 : -1;
}

static int
use_key(SSL_CTX *ctx, struct view pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	int ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok ? 0 : -1;
}

static void
settings(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	// TLS 1.2 with forward secrecy and AEAD only; TLS 1.3 has nothing else.
	if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
		BUG("cipher list");
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	// Resumption by tickets works across workers only with shared keys; each worker
	// keeps its own, a miss costs one full handshake.
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

struct tls *
tls_new(struct view certificate, struct view key, char *error_r, size_t error_size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL)
		BUG("SSL_CTX_new");
	settings(ctx);
	const char *what = NULL;
	if (use_chain(ctx, certificate) != 0)
		what = "the certificate file holds no usable PEM certificate";
	else if (use_key(ctx, key) != 0)
		what = "the key file holds no usable unencrypted PEM key, or it does not belong to "
		       "the certificate";
	else if (SSL_CTX_check_private_key(ctx) != 1)
		what = "the key does not belong to the certificate";
	ERR_clear_error();
	if (what != NULL) {
		snprintf(error_r, error_size, "%s", what);
		SSL_CTX_free(ctx);
		return NULL;
	}
	struct tls *t = base_calloc(1, sizeof(*t));
	t->ctx = ctx;
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

struct ssl_st *
tls_session(struct tls *t)
{
	SSL *ssl = SSL_new(t->ctx);
	if (ssl == NULL)
		BUG("SSL_new");
	return ssl;
}

// Without it OpenSSL verifies the chain even when nobody asks for the outcome, and for
// its dates the C library opens the time zone file, which no worker may.
static int
trust_all(X509_STORE_CTX *store, void *arg)
{
	(void)store, (void)arg;
	return 1;
}

int
tls_selftest(struct tls *t)
{
	SSL_CTX *cctx = SSL_CTX_new(TLS_client_method());
	if (cctx == NULL)
		BUG("out of memory");
	SSL_CTX_set_cert_verify_callback(cctx, trust_all, NULL);
	SSL *client = SSL_new(cctx), *server = tls_session(t);
	BIO *a, *b;
	if (client == NULL || BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		BUG("out of memory");
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	int done = 0;
	for (int i = 0; i < 20 && !done; i++) {
		int c = SSL_do_handshake(client), s = SSL_do_handshake(server);
		done = c == 1 && s == 1;
	}
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(cctx);
	ERR_clear_error();
	return done ? 0 : -1;
}
