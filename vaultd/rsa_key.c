// SPDX-License-Identifier: Apache-2.0
// DER of RSA private keys. Pure computation over secret memory.
#include "vaultd/rsa_key.h"

#include <sodium.h>
#include <string.h>

#define INTEGER	 0x02
#define OCTETS	 0x04
#define SEQUENCE 0x30

// rsaEncryption, 1.2.840.113549.1.1.1, with its parameters, which are NULL.
static const uint8_t algorithm[] = {
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

// --- reading ---------------------------------------------------------------------------

// Takes one element of this tag off the front of *in. Lengths are definite and as short as
// they can be.
static int
element(struct view *in, uint8_t tag, struct view *r)
{
	const uint8_t *p = (const uint8_t *)in->p;
	size_t n = in->len, head = 2, len;
	if (n < 2 || p[0] != tag)
		return -1;
	len = p[1];
	if (len >= 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes == 0 || bytes > 2 || n < 2 + bytes)
			return -1;
		len = bytes == 1 ? p[2] : (size_t)p[2] << 8 | p[3];
		if (len < (bytes == 1 ? 0x80U : 0x100U))
			return -1;
		head += bytes;
	}
	if (len > n - head)
		return -1;
	*r = (struct view){in->p + head, len};
	*in = (struct view){in->p + head + len, n - head - len};
	return 0;
}

// A positive number, without the byte that only says so.
static int
number(struct view *in, struct view *r)
{
	if (element(in, INTEGER, r) != 0 || r->len == 0)
		return -1;
	const uint8_t *p = (const uint8_t *)r->p;
	if (p[0] == 0 && r->len > 1 && p[1] >= 0x80)
		*r = (struct view){r->p + 1, r->len - 1};
	else if (p[0] == 0 || p[0] >= 0x80)
		return -1; // zero, negative, or longer than it need be
	return 0;
}

static int
version_0(struct view *in)
{
	struct view v;
	return element(in, INTEGER, &v) == 0 && v.len == 1 && v.p[0] == 0 ? 0 : -1;
}

static size_t
bits(struct view v)
{
	size_t n = v.len * 8;
	for (unsigned top = (uint8_t)v.p[0]; top < 0x80; top <<= 1)
		n--;
	return n;
}

static bool
odd(struct view v)
{
	return (v.p[v.len - 1] & 1) != 0;
}

static bool
usable(const struct rsa_key *k)
{
	const struct view *v = k->part;
	size_t half = v[RSA_KEY_N].len / 2 + 1;
	return bits(v[RSA_KEY_N]) >= RSA_KEY_BITS_MIN && bits(v[RSA_KEY_N]) <= RSA_KEY_BITS_MAX &&
	       odd(v[RSA_KEY_N]) && odd(v[RSA_KEY_E]) && v[RSA_KEY_E].len <= 4 &&
	       bits(v[RSA_KEY_E]) >= 2 && v[RSA_KEY_D].len <= v[RSA_KEY_N].len &&
	       odd(v[RSA_KEY_P]) && odd(v[RSA_KEY_Q]) && v[RSA_KEY_P].len <= half &&
	       v[RSA_KEY_Q].len <= half && v[RSA_KEY_DP].len <= v[RSA_KEY_P].len &&
	       v[RSA_KEY_DQ].len <= v[RSA_KEY_Q].len && v[RSA_KEY_QI].len <= v[RSA_KEY_P].len;
}

int
rsa_key_read(struct view der, struct rsa_key *k)
{
	struct view outer, id, octets, inner;
	if (element(&der, SEQUENCE, &outer) != 0 || der.len != 0 || version_0(&outer) != 0 ||
	    element(&outer, SEQUENCE, &id) != 0 || id.len != sizeof(algorithm) ||
	    memcmp(id.p, algorithm, sizeof(algorithm)) != 0 ||
	    element(&outer, OCTETS, &octets) != 0 || outer.len != 0 ||
	    element(&octets, SEQUENCE, &inner) != 0 || octets.len != 0 || version_0(&inner) != 0)
		return -1;
	for (size_t i = 0; i < RSA_KEY_PARTS; i++)
		if (number(&inner, &k->part[i]) != 0)
			return -1;
	return inner.len == 0 && usable(k) ? 0 : -1;
}

// --- text ------------------------------------------------------------------------------

static struct view
trimmed(struct view v)
{
	while (v.len != 0 && (v.p[0] == ' ' || v.p[0] == '\r' || v.p[0] == '\n'))
		v = (struct view){v.p + 1, v.len - 1};
	while (v.len != 0 &&
	       (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\r' || v.p[v.len - 1] == '\n'))
		v.len--;
	return v;
}

// What stands between the lines of PEM; all of it if there are none.
static int
armoured(struct view *v)
{
	static const char begin[] = "-----BEGIN PRIVATE KEY-----";
	static const char end[] = "-----END PRIVATE KEY-----";
	const size_t b = sizeof(begin) - 1, e = sizeof(end) - 1;
	*v = trimmed(*v);
	if (v->len == 0 || v->p[0] != '-')
		return 0;
	if (v->len < b + e || memcmp(v->p, begin, b) != 0 || memcmp(v->p + v->len - e, end, e) != 0)
		return -1;
	*v = (struct view){v->p + b, v->len - b - e};
	return 0;
}

SENSITIVE
int
rsa_key_der(struct view stored, struct secret *der)
{
	struct rsa_key k;
	size_t len = 0;
	*der = (struct secret){0};
	if (rsa_key_read(stored, &k) == 0)
		return secret_set(der, stored.p, stored.len);
	struct view text = stored;
	if (armoured(&text) != 0)
		return -2;
	der->p = secmem_alloc(RSA_KEY_DER_MAX);
	if (der->p == NULL)
		return -1;
	const char *end;
	bool ok = sodium_base642bin(der->p, RSA_KEY_DER_MAX, text.p, text.len, " \r\n", &len, &end,
		      sodium_base64_VARIANT_ORIGINAL) == 0 &&
		  end == text.p + text.len;
	der->len = len;
	if (ok && rsa_key_read((struct view){(const char *)der->p, len}, &k) == 0)
		return 0;
	secret_wipe(der);
	return -2;
}

int
rsa_key_check(struct view stored)
{
	struct secret der;
	int r = rsa_key_der(stored, &der);
	secret_wipe(&der);
	return r;
}

// --- writing ---------------------------------------------------------------------------

static size_t
head_len(size_t len)
{
	return len < 0x80 ? 2 : len < 0x100 ? 3 : 4;
}

static uint8_t *
put_head(uint8_t *p, uint8_t tag, size_t len)
{
	*p++ = tag;
	if (len >= 0x100) {
		*p++ = 0x82;
		*p++ = (uint8_t)(len >> 8);
	} else if (len >= 0x80) {
		*p++ = 0x81;
	}
	*p++ = (uint8_t)len;
	return p;
}

static size_t
number_len(struct view v)
{
	return v.len + ((uint8_t)v.p[0] >= 0x80 ? 1 : 0);
}

static uint8_t *
put_number(uint8_t *p, struct view v)
{
	p = put_head(p, INTEGER, number_len(v));
	if ((uint8_t)v.p[0] >= 0x80)
		*p++ = 0;
	memcpy(p, v.p, v.len);
	return p + v.len;
}

SENSITIVE
size_t
rsa_key_write(const struct rsa_key *k, uint8_t *out, size_t cap)
{
	size_t inner = 3;
	for (size_t i = 0; i < RSA_KEY_PARTS; i++)
		inner += head_len(number_len(k->part[i])) + number_len(k->part[i]);
	size_t octets = head_len(inner) + inner;
	size_t outer = 3 + 2 + sizeof(algorithm) + head_len(octets) + octets;
	if (head_len(outer) + outer > cap || outer > 0xffff)
		return 0;
	uint8_t *p = put_head(out, SEQUENCE, outer);
	p = put_head(p, INTEGER, 1);
	*p++ = 0;
	p = put_head(p, SEQUENCE, sizeof(algorithm));
	memcpy(p, algorithm, sizeof(algorithm));
	p = put_head(p + sizeof(algorithm), OCTETS, octets);
	p = put_head(p, SEQUENCE, inner);
	p = put_head(p, INTEGER, 1);
	*p++ = 0;
	for (size_t i = 0; i < RSA_KEY_PARTS; i++)
		p = put_number(p, k->part[i]);
	return (size_t)(p - out);
}
