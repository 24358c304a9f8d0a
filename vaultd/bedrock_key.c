// SPDX-License-Identifier: Apache-2.0
// Reading short-term Bedrock API keys. May touch: secret memory.
#include "vaultd/bedrock_key.h"

#include <sodium.h>
#include <string.h>

#include "common/secmem.h"
#include "proto/grammar.h"

#define PLAIN_MAX   8192U
#define START	    "bedrock.amazonaws.com/?"
#define EXPIRES_MAX 604800U // of a presigned URL
#define LIFE_MAX    43200U  // of a key, whatever its URL says

static uint64_t
number(const char *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(p[i] - '0');
	return v;
}

// Days since 1970-01-01 of a date of the Gregorian calendar, counted from 1 March so
// that the leap day comes last.
static uint64_t
days_of(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t y = month <= 2 ? year - 1 : year;
	uint64_t m = (month + 9) % 12;
	return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

int
bedrock_key_date(struct view v, uint64_t *unix_s_r)
{
	if (v.len != 16 || v.p[8] != 'T' || v.p[15] != 'Z' ||
	    !grammar_digits_valid((struct view){v.p, 8}, 8, 8) ||
	    !grammar_digits_valid((struct view){v.p + 9, 6}, 6, 6))
		return -1;
	uint64_t year = number(v.p, 4), month = number(v.p + 4, 2), day = number(v.p + 6, 2);
	uint64_t h = number(v.p + 9, 2), m = number(v.p + 11, 2), s = number(v.p + 13, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || h > 23 || m > 59 ||
	    s > 60)
		return -1;
	*unix_s_r = days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s;
	return 0;
}

// The value of a query parameter, as it is written.
static struct view
param(struct view query, const char *name)
{
	size_t at = 0, n = strlen(name);
	while (at < query.len) {
		const char *end = memchr(query.p + at, '&', query.len - at);
		size_t len = end == NULL ? query.len - at : (size_t)(end - query.p) - at;
		struct view pair = {query.p + at, len};
		if (grammar_begins(pair, name) && len > n && pair.p[n] == '=')
			return (struct view){pair.p + n + 1, len - n - 1};
		at += len + 1;
	}
	return (struct view){0};
}

// Field 3 of AKID/date/region/bedrock/aws4_request, whose slashes may be encoded.
static struct view
region_of(struct view scope)
{
	size_t field = 0, start = 0;
	for (size_t i = 0; i <= scope.len; i++) {
		struct view rest = {scope.p + i, scope.len - i};
		size_t n = grammar_begins(rest, "%2F") || grammar_begins(rest, "%2f") ? 3
			   : grammar_begins(rest, "/") || rest.len == 0		      ? 1
										      : 0;
		if (n == 0)
			continue;
		if (field++ == 2)
			return (struct view){scope.p + start, i - start};
		start = i + n;
		i += n - 1;
	}
	return (struct view){0};
}

static int
read_url(struct view url, struct bedrock_key *k)
{
	uint64_t made, life;
	if (!grammar_begins(url, START))
		return -1;
	struct view query = {url.p + strlen(START), url.len - strlen(START)};
	struct view region = region_of(param(query, "X-Amz-Credential"));
	if (!grammar_region_valid(region) || view_copy(region, k->region, sizeof(k->region)) != 0 ||
	    bedrock_key_date(param(query, "X-Amz-Date"), &made) != 0 ||
	    grammar_number(param(query, "X-Amz-Expires"), &life) != 0 || life > EXPIRES_MAX)
		return -1;
	k->expires_s = made + MIN(life, LIFE_MAX);
	return 0;
}

int
bedrock_key_read(struct view key, struct bedrock_key *k)
{
	const size_t skip = strlen(BEDROCK_KEY_PREFIX);
	size_t n = 0;
	const char *end = NULL;
	*k = (struct bedrock_key){0};
	if (!grammar_begins(key, BEDROCK_KEY_PREFIX) || key.len - skip > PLAIN_MAX)
		return -1;
	char *plain = secmem_alloc(PLAIN_MAX);
	if (plain == NULL)
		return -2;
	int r = -1;
	const int variants[] = {sodium_base64_VARIANT_ORIGINAL,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING};
	for (size_t i = 0; i < ARRAY_LEN(variants) && r != 0; i++)
		if (sodium_base642bin((uint8_t *)plain, PLAIN_MAX, key.p + skip, key.len - skip,
			NULL, &n, &end, variants[i]) == 0 &&
		    end == key.p + key.len)
			r = read_url((struct view){plain, n}, k);
	secmem_free(plain);
	return r;
}
