// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4. Pure computation over the caller's memory.
#include "vaultd/sigv4.h"

#include <string.h>

#include "vaultd/text.h"

#define QUERY_MAX 32U

static void
put_hash(struct text *t, struct sigv4_work *w, struct view v)
{
	crypto_hash_sha256_init(&w->sha);
	crypto_hash_sha256_update(&w->sha, (const uint8_t *)v.p, v.len);
	crypto_hash_sha256_final(&w->sha, w->digest);
	text_hex(t, w->digest, sizeof(w->digest));
}

// --- path ----------------------------------------------------------------------

static bool
segment_is(struct view s, const char *name)
{
	return view_eq_str(s, name);
}

// Drops "." and empty segments, lets ".." take one away, keeps a trailing slash.
static void
put_normalised(struct text *t, struct view path)
{
	size_t start = t->len;
	bool slash_due = true;
	size_t i = 0;
	while (i < path.len) {
		size_t end = i;
		while (end < path.len && path.p[end] != '/')
			end++;
		struct view seg = {.p = path.p + i, .len = end - i};
		i = end + 1;
		slash_due = end < path.len || segment_is(seg, ".") || segment_is(seg, "..");
		if (seg.len == 0 || segment_is(seg, "."))
			continue;
		if (segment_is(seg, "..")) {
			while (t->len > start && t->p[t->len - 1] != '/')
				t->len--;
			t->len -= t->len > start;
			continue;
		}
		text_char(t, '/');
		text_encoded(t, seg, false);
	}
	if (slash_due || t->len == start)
		text_char(t, '/');
}

static void
put_path(struct text *t, const struct sigv4_request *r)
{
	if (r->path.len == 0)
		text_char(t, '/');
	else if (r->raw_path)
		text_encoded(t, r->path, true);
	else
		put_normalised(t, r->path);
}

// --- query ---------------------------------------------------------------------

struct pair {
	struct view name;
	struct view value;
};

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

// Decodes and encodes again, which gives every name and value one form.
static struct view
put_recoded(struct text *t, struct view v)
{
	size_t start = t->len;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		if (c == '%' && i + 2 < v.len && hex_digit(v.p[i + 1]) >= 0 &&
		    hex_digit(v.p[i + 2]) >= 0) {
			c = (char)(hex_digit(v.p[i + 1]) * 16 + hex_digit(v.p[i + 2]));
			i += 2;
		}
		text_encoded(t, (struct view){.p = &c, .len = 1}, false);
	}
	return (struct view){.p = t->p + start, .len = t->len - start};
}

static int
compare_views(struct view a, struct view b)
{
	size_t n = MIN(a.len, b.len);
	int r = n == 0 ? 0 : memcmp(a.p, b.p, n);
	return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

// By encoded name, then by encoded value; "name=value" as a whole would sort wrong.
static void
sort_pairs(struct pair *pair, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct pair p = pair[i];
		size_t k = i;
		for (; k > 0; k--) {
			int c = compare_views(pair[k - 1].name, p.name);
			if (c < 0 || (c == 0 && compare_views(pair[k - 1].value, p.value) <= 0))
				break;
			pair[k] = pair[k - 1];
		}
		pair[k] = p;
	}
}

// The recoded pieces go to the far end of the buffer's free part first.
static void
put_query(struct text *t, struct view query)
{
	struct pair pair[QUERY_MAX];
	size_t n = 0;
	struct text scratch;
	size_t half = (t->cap - t->len) / 2;
	text_init(&scratch, t->p + t->len + half, t->cap - t->len - half);
	for (size_t i = 0; i < query.len;) {
		size_t end = i;
		while (end < query.len && query.p[end] != '&')
			end++;
		struct view whole = {.p = query.p + i, .len = end - i};
		i = end + 1;
		const char *eq = whole.len == 0 ? NULL : memchr(whole.p, '=', whole.len);
		size_t name_len = eq == NULL ? whole.len : (size_t)(eq - whole.p);
		struct view value = {0};
		if (eq != NULL)
			value = (struct view){.p = eq + 1, .len = whole.len - name_len - 1};
		if (n == QUERY_MAX) {
			t->failed = true;
			return;
		}
		pair[n].name = put_recoded(&scratch, (struct view){.p = whole.p, .len = name_len});
		pair[n++].value = put_recoded(&scratch, value);
	}
	sort_pairs(pair, n);
	struct text out;
	text_init(&out, t->p + t->len, half);
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			text_char(&out, '&');
		text_view(&out, pair[i].name);
		text_char(&out, '=');
		text_view(&out, pair[i].value);
	}
	t->failed |= scratch.failed || out.failed;
	t->len += out.len;
}

// --- headers -------------------------------------------------------------------

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int
compare_names(struct view a, struct view b)
{
	for (size_t i = 0; i < MIN(a.len, b.len); i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return lower(a.p[i]) < lower(b.p[i]) ? -1 : 1;
	return (a.len > b.len) - (a.len < b.len);
}

static void
put_lower(struct text *t, struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		text_char(t, lower(v.p[i]));
}

// White space at both ends goes, runs of it inside become one space.
static void
put_trimmed(struct text *t, struct view v)
{
	bool gap = false;
	size_t start = t->len;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			gap = t->len > start;
			continue;
		}
		if (gap)
			text_char(t, ' ');
		gap = false;
		text_char(t, c);
	}
}

// Stable, because values of one name keep their order of appearance.
static void
sort_fields(const struct sigv4_request *r, const struct sigv4_field **order)
{
	for (size_t i = 0; i < r->field_count; i++) {
		size_t k = i;
		for (; k > 0 && compare_names(order[k - 1]->name, r->field[i].name) > 0; k--)
			order[k] = order[k - 1];
		order[k] = &r->field[i];
	}
}

static void
put_headers(struct text *t, const struct sigv4_field **order, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool same = i > 0 && compare_names(order[i - 1]->name, order[i]->name) == 0;
		if (same) {
			text_char(t, ',');
		} else {
			if (i != 0)
				text_char(t, '\n');
			put_lower(t, order[i]->name);
			text_char(t, ':');
		}
		put_trimmed(t, order[i]->value);
	}
	text_str(t, "\n\n");
}

static struct view
put_signed_names(struct text *t, const struct sigv4_field **order, size_t n)
{
	size_t start = t->len;
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && compare_names(order[i - 1]->name, order[i]->name) == 0)
			continue;
		if (i != 0)
			text_char(t, ';');
		put_lower(t, order[i]->name);
	}
	return (struct view){.p = t->p + start, .len = t->len - start};
}

int
sigv4_canonical(struct sigv4_work *w, const struct sigv4_request *r)
{
	if (r->field_count > SIGV4_FIELDS_MAX)
		return -1;
	const struct sigv4_field *order[SIGV4_FIELDS_MAX];
	sort_fields(r, order);
	struct text t;
	text_init(&t, w->text, sizeof(w->text));
	text_view(&t, r->method);
	text_char(&t, '\n');
	put_path(&t, r);
	text_char(&t, '\n');
	put_query(&t, r->query);
	text_char(&t, '\n');
	put_headers(&t, order, r->field_count);
	w->signed_headers = put_signed_names(&t, order, r->field_count);
	text_char(&t, '\n');
	text_view(&t, r->body_sha256_hex);
	w->canonical = text_done(&t);
	return t.failed ? -1 : 0;
}

// --- string to sign, key, signature ----------------------------------------------

int
sigv4_string_to_sign(struct sigv4_work *w, const struct sigv4_scope *s)
{
	struct text t;
	text_init(&t, w->to_sign, sizeof(w->to_sign));
	text_str(&t, "AWS4-HMAC-SHA256\n");
	text_view(&t, s->date);
	text_char(&t, '\n');
	text_view(&t, (struct view){.p = s->date.p, .len = MIN(s->date.len, 8U)});
	text_char(&t, '/');
	text_view(&t, s->region);
	text_char(&t, '/');
	text_view(&t, s->service);
	text_str(&t, "/aws4_request\n");
	put_hash(&t, w, w->canonical);
	w->to_sign_len = t.len;
	return t.failed || s->date.len != SIGV4_DATE_LEN ? -1 : 0;
}

SENSITIVE
void
sigv4_step(
    struct sigv4_work *w, const uint8_t *key, size_t key_len, struct view text, uint8_t out[32])
{
	crypto_auth_hmacsha256_init(&w->hmac, key, key_len);
	crypto_auth_hmacsha256_update(&w->hmac, (const uint8_t *)text.p, text.len);
	crypto_auth_hmacsha256_final(&w->hmac, out);
}

SENSITIVE
int
sigv4_key(struct sigv4_work *w, const struct secret *secret, const struct sigv4_scope *s)
{
	if (secret->len > sizeof(w->prefixed) - 4 || s->date.len != SIGV4_DATE_LEN)
		return -1;
	memcpy(w->prefixed, "AWS4", 4);
	memcpy(w->prefixed + 4, secret->p, secret->len);
	struct view day = {.p = s->date.p, .len = 8};
	sigv4_step(w, w->prefixed, secret->len + 4, day, w->key);
	sigv4_step(w, w->key, sizeof(w->key), s->region, w->key);
	sigv4_step(w, w->key, sizeof(w->key), s->service, w->key);
	sigv4_step(w, w->key, sizeof(w->key), VIEW("aws4_request"), w->key);
	sodium_memzero(w->prefixed, secret->len + 4);
	return 0;
}

SENSITIVE
int
sigv4_sign(struct sigv4_work *w, const struct sigv4_request *r, const struct sigv4_scope *s,
    const struct secret *secret, char hex[64])
{
	if (sigv4_canonical(w, r) != 0 || sigv4_string_to_sign(w, s) != 0 ||
	    sigv4_key(w, secret, s) != 0)
		return -1;
	struct view to_sign = {.p = w->to_sign, .len = w->to_sign_len};
	sigv4_step(w, w->key, sizeof(w->key), to_sign, w->digest);
	struct text t;
	text_init(&t, hex, 64);
	text_hex(&t, w->digest, sizeof(w->digest));
	return 0;
}

// --- date ------------------------------------------------------------------------

static void
put_digits(char *out, size_t n, uint64_t v)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

// Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
// civil_from_days; years count from March, eras have 400 years (146097 days).
void
sigv4_date(uint64_t unix_seconds, char out[SIGV4_DATE_LEN])
{
	uint64_t second = unix_seconds % 86400;
	uint64_t day = unix_seconds / 86400 + 719468;
	uint64_t era = day / 146097;
	uint64_t doe = day % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;
	put_digits(out, 4, yoe + era * 400 + (month <= 2));
	put_digits(out + 4, 2, month);
	put_digits(out + 6, 2, doy - (153 * mp + 2) / 5 + 1);
	out[8] = 'T';
	put_digits(out + 9, 2, second / 3600);
	put_digits(out + 11, 2, second / 60 % 60);
	put_digits(out + 13, 2, second % 60);
	out[15] = 'Z';
}
