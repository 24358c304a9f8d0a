// SPDX-License-Identifier: Apache-2.0
// Throw-away certificates and TLS servers for the sealer's unit tests.
#ifndef TESTS_UNIT_TEST_SEALER_CERTS_H
#define TESTS_UNIT_TEST_SEALER_CERTS_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mp.h"

struct certs_spec {
	const char *san;      // "DNS:api.example.com", "IP:127.0.0.1", or NULL
	const char *cn;	      // subject, default "test"
	const char *eku;      // default none
	long from_s, until_s; // relative to now; both 0: one hour either way
	bool is_ca;
};

struct certs_pair {
	X509 *x;
	EVP_PKEY *key;
};

static inline void
certs_must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "certificates for the test: %s failed\n", what);
		abort();
	}
}

static inline void
certs_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	certs_must(e != NULL && X509_add_ext(x, e, -1) == 1, value);
	X509_EXTENSION_free(e);
}

// issuer NULL: self-signed.
static inline struct certs_pair
certs_make(const struct certs_spec *s, const struct certs_pair *issuer)
{
	static long serial = 1;
	struct certs_pair c = {.x = X509_new(), .key = EVP_EC_gen("P-256")};
	certs_must(c.x != NULL && c.key != NULL, "allocation");
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	bool hour = s->from_s == 0 && s->until_s == 0;
	X509_gmtime_adj(X509_getm_notBefore(c.x), hour ? -3600 : s->from_s);
	X509_gmtime_adj(X509_getm_notAfter(c.x), hour ? 3600 : s->until_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x), "CN", MBSTRING_ASC,
	    (const unsigned char *)(s->cn == NULL ? "test" : s->cn), -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(issuer == NULL ? c.x : issuer->x));
	X509_set_pubkey(c.x, c.key);
	if (s->is_ca) {
		certs_extension(c.x, NID_basic_constraints, "critical,CA:TRUE");
		certs_extension(c.x, NID_key_usage, "critical,keyCertSign");
	}
	if (s->san != NULL)
		certs_extension(c.x, NID_subject_alt_name, s->san);
	if (s->eku != NULL)
		certs_extension(c.x, NID_ext_key_usage, s->eku);
	certs_must(
	    X509_sign(c.x, issuer == NULL ? c.key : issuer->key, EVP_sha256()) > 0, "signing");
	return c;
}

static inline void
certs_free(struct certs_pair *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	*c = (struct certs_pair){NULL, NULL};
}

// PEM text into buf; returns its length.
static inline struct view
certs_pem(const struct certs_pair *c, char *buf, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	certs_must(b != NULL && PEM_write_bio_X509(b, c->x) == 1, "PEM");
	int n = BIO_read(b, buf, (int)cap);
	certs_must(n > 0, "PEM");
	BIO_free(b);
	return (struct view){.p = buf, .len = (size_t)n};
}

static inline SSL_CTX *
certs_server(const struct certs_pair *leaf, const struct certs_pair *intermediate)
{
	SSL_CTX *s = SSL_CTX_new(TLS_server_method());
	certs_must(s != NULL && SSL_CTX_use_certificate(s, leaf->x) == 1 &&
		       SSL_CTX_use_PrivateKey(s, leaf->key) == 1,
	    "server");
	if (intermediate != NULL)
		certs_must(SSL_CTX_add1_chain_cert(s, intermediate->x) == 1, "chain");
	return s;
}

#endif
