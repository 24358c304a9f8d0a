// SPDX-License-Identifier: Apache-2.0
// The places where SDKs put their key: four headers, and for Google's also the query,
// where it should not be (addresses end up in logs). Pure.
#include "gatewayd/auth.h"

#include <string.h>
#include <strings.h>

#define KEY_MAX 512U // limit of AUTHORIZE's field

static bool
refuse(struct failure *f, const char *code, struct view message)
{
	*f = (struct failure){.status = 401, .code = code, .message = message, .final = true};
	return false;
}

static bool
has_prefix(struct view v, const char *prefix)
{
	size_t n = strlen(prefix);
	return v.len >= n && strncasecmp(v.p, prefix, n) == 0;
}

static bool
plausible(struct view key)
{
	if (key.len == 0 || key.len > KEY_MAX)
		return false;
	for (size_t i = 0; i < key.len; i++)
		if (key.p[i] < 0x21 || key.p[i] > 0x7e)
			return false;
	return true;
}

// The credential in one header field; len 0 with p NULL when it holds none.
static struct view
credential_of(struct view name, struct view value, bool *sigv4_r)
{
	if (http_view_eq_nocase(name, "x-api-key") || http_view_eq_nocase(name, "api-key") ||
	    http_view_eq_nocase(name, "x-goog-api-key"))
		return value;
	if (!http_view_eq_nocase(name, "authorization"))
		return (struct view){0};
	if (has_prefix(value, "AWS4-HMAC-SHA256")) {
		*sigv4_r = true;
		return (struct view){0};
	}
	if (!has_prefix(value, "Bearer "))
		return (struct view){.p = value.p, .len = 0};
	value.p += 7;
	value.len -= 7;
	while (value.len > 0 && *value.p == ' ') {
		value.p++;
		value.len--;
	}
	return value;
}

// ?key=; empty when absent. Keys have no character that needs encoding.
static struct view
key_of_query(struct view query)
{
	while (query.len > 0) {
		const char *amp = memchr(query.p, '&', query.len);
		size_t n = amp == NULL ? query.len : (size_t)(amp - query.p);
		if (n > 4 && memcmp(query.p, "key=", 4) == 0)
			return (struct view){.p = query.p + 4, .len = n - 4};
		n += amp != NULL;
		query.p += n;
		query.len -= n;
	}
	return (struct view){0};
}

bool
auth_find(const struct http_parser *head, struct view *key_r, struct failure *failure_r)
{
	struct view key = {0};
	bool sigv4 = false;
	for (size_t i = 0, n = http_header_count(head); i < n; i++) {
		struct view name, value;
		http_header_at(head, i, &name, &value);
		struct view found = credential_of(name, value, &sigv4);
		if (found.p == NULL)
			continue;
		if (!plausible(found))
			return refuse(failure_r, "invalid_api_key",
			    VIEW("The key is not one of this gateway. Send a Sallyport key as "
				 "'Authorization: Bearer KEY', 'x-api-key', 'api-key' or "
				 "'x-goog-api-key'."));
		if (key.p != NULL && !view_eq(key, found))
			return refuse(failure_r, "ambiguous_api_key",
			    VIEW("Two different keys were sent in Authorization, x-api-key, "
				 "api-key or x-goog-api-key. Send exactly one."));
		key = found;
	}
	if (key.p == NULL && !sigv4) {
		key = key_of_query(head->query);
		if (key.p != NULL && !plausible(key))
			return refuse(failure_r, "invalid_api_key",
			    VIEW("The key in the query is not one of this gateway."));
	}
	if (sigv4)
		return refuse(failure_r, "sigv4_not_accepted",
		    VIEW("This gateway signs requests to AWS itself. Unset the AWS access key and "
			 "set AWS_BEARER_TOKEN_BEDROCK to a Sallyport key."));
	if (key.p == NULL)
		return refuse(failure_r, "missing_api_key",
		    VIEW("No key was sent. Send a Sallyport key as 'Authorization: Bearer KEY', "
			 "'x-api-key', 'api-key' or 'x-goog-api-key'."));
	*key_r = key;
	return true;
}
