// SPDX-License-Identifier: Apache-2.0
// A TLS server over OpenSSL's memory BIOs. May touch: its own memory.
#include "vaultd/sealer_peer.h"

#include <openssl/err.h>
#include <stdlib.h>

#define STEPS_MAX 16

struct sealer_peer {
	SSL *ssl;
	BIO *in;  // owned by ssl
	BIO *out; // owned by ssl
};

struct sealer_peer *
sealer_peer_new(SSL_CTX *ctx)
{
	struct sealer_peer *p = base_calloc(1, sizeof(*p));
	p->ssl = SSL_new(ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	if (p->ssl == NULL || p->in == NULL || p->out == NULL)
		BUG("out of memory");
	BIO_set_mem_eof_return(p->in, -1); // empty means later, not end of file
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_accept_state(p->ssl);
	return p;
}

void
sealer_peer_free(struct sealer_peer *p)
{
	if (p == NULL)
		return;
	SSL_free(p->ssl);
	free(p);
}

void
sealer_peer_shuttle(struct sealer_peer *p, struct sealer_tls *t)
{
	struct sealer_buf *out = sealer_tls_out(t);
	size_t n = sealer_buf_len(out);
	if (n != 0) {
		if (BIO_write(p->in, sealer_buf_bytes(out), (int)n) != (int)n)
			BUG("out of memory");
		sealer_buf_consume(out, n);
	}
	uint8_t chunk[4096];
	for (int r; (r = BIO_read(p->out, chunk, sizeof(chunk))) > 0;)
		sealer_buf_append(sealer_tls_in(t), chunk, (size_t)r);
}

int
sealer_peer_accept(struct sealer_peer *p)
{
	ERR_clear_error();
	int r = SSL_do_handshake(p->ssl);
	int kind = SSL_get_error(p->ssl, r);
	ERR_clear_error();
	return r == 1 || kind == SSL_ERROR_WANT_READ ? 0 : -1;
}

enum sealer_tls_status
sealer_peer_handshake(struct sealer_peer *p, struct sealer_tls *t)
{
	enum sealer_tls_status s = SEALER_TLS_WANT;
	for (int i = 0; i < STEPS_MAX && s == SEALER_TLS_WANT; i++) {
		s = sealer_tls_handshake(t);
		sealer_peer_shuttle(p, t);
		// A refusing server has queued its alert, which the client still reads.
		(void)sealer_peer_accept(p);
		sealer_peer_shuttle(p, t);
	}
	return s;
}

int
sealer_peer_write(struct sealer_peer *p, const void *buf, size_t len)
{
	size_t n = 0;
	return SSL_write_ex(p->ssl, buf, len, &n) == 1 && n == len ? 0 : -1;
}

size_t
sealer_peer_read(struct sealer_peer *p, void *buf, size_t cap)
{
	size_t n = 0;
	if (SSL_read_ex(p->ssl, buf, cap, &n) != 1)
		ERR_clear_error();
	return n;
}

SSL *
sealer_peer_ssl(struct sealer_peer *p)
{
	return p->ssl;
}
