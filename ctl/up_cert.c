// SPDX-License-Identifier: Apache-2.0
// An EC P-256 authority that signs one server certificate and is then forgotten:
// its private key is never written. May touch: the directory it is given.
#include "ctl/up_cert.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ctl/cli.h"

#define DAY	     86400L
#define LIFETIME     (365L * DAY)
#define RENEW_BEFORE (7L * DAY)

static bool
still_good(const char *path)
{
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	time_t later = time(NULL) + RENEW_BEFORE;
	bool good = x != NULL && X509_cmp_time(X509_get0_notAfter(x), &later) > 0;
	X509_free(x);
	return good;
}

static bool
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool
set_serial(X509 *x)
{
	uint64_t n;
	return RAND_bytes((unsigned char *)&n, sizeof(n)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), n >> 1) == 1;
}

// Everything but extensions and signature. issuer NULL: self-signed.
static X509 *
certificate(EVP_PKEY *key, const char *cn, X509 *issuer)
{
	X509 *x = X509_new();
	if (x == NULL)
		return NULL;
	X509_NAME *name = X509_get_subject_name(x);
	if (X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -DAY) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), LIFETIME) == NULL ||
	    X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, issuer == NULL ? name : X509_get_subject_name(issuer)) != 1 ||
	    X509_set_pubkey(x, key) != 1) {
		X509_free(x);
		return NULL;
	}
	return x;
}

static bool
write_pem(const char *dir, const char *file, mode_t mode, X509 *x, EVP_PKEY *key)
{
	char path[CLI_PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	remove(path);
	mode_t old = umask(key != NULL ? 0077 : 0022);
	FILE *f = fopen(path, "wxe");
	umask(old);
	if (f == NULL)
		return false;
	bool ok = x != NULL ? PEM_write_X509(f, x) == 1
			    : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
	ok = fclose(f) == 0 && ok;
	return ok && chmod(path, mode) == 0;
}

static const char sans[] = "DNS:" UP_CERT_OPENAI ",DNS:" UP_CERT_ANTHROPIC ",DNS:" UP_CERT_BEDROCK
			   ",DNS:localhost,IP:127.0.0.1,IP:::1";

int
up_cert_ensure(const char *dir, bool *made_r)
{
	char path[CLI_PATH_MAX];
	snprintf(path, sizeof(path), "%s/server.pem", dir);
	*made_r = false;
	if (still_good(path))
		return 0;
	*made_r = true;
	EVP_PKEY *ca_key = EVP_EC_gen("P-256");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *ca = ca_key == NULL ? NULL : certificate(ca_key, "Sallyport demo CA", NULL);
	X509 *x = key == NULL || ca == NULL ? NULL : certificate(key, "Sallyport demo", ca);
	bool ok =
	    x != NULL && extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    extend(ca, ca, NID_subject_key_identifier, "hash") &&
	    X509_sign(ca, ca_key, EVP_sha256()) > 0 &&
	    extend(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    extend(x, ca, NID_key_usage, "critical,digitalSignature") &&
	    extend(x, ca, NID_ext_key_usage, "serverAuth") &&
	    extend(x, ca, NID_subject_key_identifier, "hash") &&
	    extend(x, ca, NID_authority_key_identifier, "keyid:always") &&
	    extend(x, ca, NID_subject_alt_name, sans) && X509_sign(x, ca_key, EVP_sha256()) > 0 &&
	    write_pem(dir, "ca.pem", 0644, ca, NULL) &&
	    write_pem(dir, "server.key", 0600, NULL, key) &&
	    write_pem(dir, "server.pem", 0644, x, NULL);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	X509_free(ca);
	X509_free(x);
	if (!ok)
		cli_fail("cannot make the demo's certificate in %s", dir);
	return ok ? 0 : -1;
}
