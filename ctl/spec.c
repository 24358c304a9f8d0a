// SPDX-License-Identifier: Apache-2.0
// Checks of credentials and virtual keys as people write them. Pure.
#include "ctl/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/spec_kind.h"

#define DEFAULT_WORKSPACE "default"
#define NAME_LEN_MAX	  64U
#define MODEL_LEN_MAX	  128U
#define HOST_LEN_MAX	  253U
#define LETTERS_DIGITS	  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define RATE_MAX	  10000000U

int
spec_fault(char error[SPEC_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(error, SPEC_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

static bool
given(const char *s)
{
	return s != NULL && *s != '\0';
}

bool
spec_name_valid(const char *s)
{
	if (!given(s) || strlen(s) > NAME_LEN_MAX || strchr("-_.", *s) != NULL)
		return false;
	return strspn(s, LETTERS_DIGITS "-_.") == strlen(s);
}

static int
check_name(const char *what, const char *s, char error[SPEC_ERROR_MAX])
{
	if (!spec_name_valid(s))
		return spec_fault(error,
		    "%s \"%s\": use 1 to %u letters, digits, '-', '_', '.', beginning with a "
		    "letter or "
		    "digit",
		    what, s == NULL ? "" : s, NAME_LEN_MAX);
	return 0;
}

int
spec_rate(const char *s, uint64_t *per_minute_r, char error[SPEC_ERROR_MAX])
{
	*per_minute_r = 0;
	if (!given(s))
		return 0;
	char *end;
	unsigned long long n = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || (*end != '\0' && strcmp(end, "/min") != 0) || n == 0 ||
	    n > RATE_MAX)
		return spec_fault(
		    error, "rate \"%s\": write a number per minute, such as 600/min", s);
	*per_minute_r = n;
	return 0;
}

// --- parts of a credential -----------------------------------------------------

static bool
host_valid(const char *p, size_t len)
{
	if (len == 0 || len > HOST_LEN_MAX || p[0] == '.' || p[0] == '-' || p[len - 1] == '.' ||
	    p[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", p[i]) == NULL ||
		    p[i] == '\0' || (p[i] == '.' && p[i + 1] == '.'))
			return false;
	return true;
}

static int
set_host(const char *s, struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	if (!given(s)) {
		put->host = VIEW("");
		put->port = 0; // the vault knows, or keeps what it has
		return 0;
	}
	put->port = 443;
	const char *colon = strrchr(s, ':');
	size_t len = colon == NULL ? strlen(s) : (size_t)(colon - s);
	if (strstr(s, "://") != NULL || strchr(s, '/') != NULL)
		return spec_fault(error,
		    "host \"%s\": write the name alone, HOST or HOST:PORT, without https:// and "
		    "path",
		    s);
	if (!host_valid(s, len))
		return spec_fault(error,
		    "host \"%s\": write a DNS name in lower case, or an address, with an optional "
		    ":PORT",
		    s);
	if (colon != NULL) {
		char *end;
		unsigned long port = strtoul(colon + 1, &end, 10);
		if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port == 0 || port > 65535)
			return spec_fault(error, "host \"%s\": the port must be 1 to 65535", s);
		put->port = port;
	}
	put->host = (struct view){s, len};
	return 0;
}

static int
set_models(const struct cli_list *l, struct msg_name *out, size_t *n_r, char error[SPEC_ERROR_MAX])
{
	for (size_t i = 0; i < l->n; i++) {
		const char *m = l->v[i];
		size_t len = strlen(m);
		const char *star = strchr(m, '*');
		if (len == 0 || len > MODEL_LEN_MAX || (star != NULL && star[1] != '\0'))
			return spec_fault(error,
			    "model \"%s\": write a model's name, or its beginning with one * at "
			    "the end, such as gpt-*",
			    m);
		out[i].name = view_of(m);
	}
	*n_r = l->n;
	return 0;
}

// Which operations a provider offers; the vault's catalogue decides in the end.
static bool
operation_of_provider(uint64_t operation, uint64_t provider)
{
	switch (provider) {
	case PROVIDER_OPENAI:
	case PROVIDER_OPENAI_COMPATIBLE:
	case PROVIDER_AZURE:
		return operation <= OP_OPENAI_MODEL;
	case PROVIDER_ANTHROPIC:
		return operation >= OP_ANTHROPIC_MESSAGES && operation <= OP_ANTHROPIC_MODELS;
	case PROVIDER_BEDROCK:
		return operation >= OP_BEDROCK_CONVERSE && operation <= OP_BEDROCK_COUNT_TOKENS;
	case PROVIDER_GEMINI:
		return operation >= OP_GENERATE_CONTENT && operation <= OP_GOOGLE_MODEL;
	default:
		return (operation >= OP_GENERATE_CONTENT && operation <= OP_EMBED_CONTENT) ||
		       (operation >= OP_PREDICT && operation <= OP_RAW_PREDICT_COUNT);
	}
}

static int
set_operations(const struct cli_list *l, struct msg_credential_put *put, const char *provider,
    char error[SPEC_ERROR_MAX])
{
	for (size_t i = 0; i < l->n; i++) {
		unsigned op = ids_operation_of(view_of(l->v[i]));
		if (op == 0 || !operation_of_provider(op, put->provider)) {
			int n = snprintf(error, SPEC_ERROR_MAX, "operation \"%s\": provider %s has",
			    l->v[i], provider);
			for (unsigned k = 1; k <= OP_LAST && n > 0 && n < 400; k++)
				if (operation_of_provider(k, put->provider))
					n += snprintf(error + n, SPEC_ERROR_MAX - (size_t)n, " %s",
					    ids_operation(k));
			return -1;
		}
		put->operation[i].name = view_of(l->v[i]);
	}
	put->operation_count = l->n;
	return 0;
}

bool
spec_access_key_id_valid(const char *s)
{
	size_t n = strlen(s);
	return n >= 16 && n <= 128 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

bool
spec_is_aws_secret(uint64_t auth)
{
	return auth == AUTH_SIGV4 || auth == AUTH_STS_SESSION || auth == AUTH_STS_ASSUME_ROLE;
}

int
spec_time(const char *s, char out[SPEC_TIME_MAX], char error[SPEC_ERROR_MAX])
{
	struct tm tm = {0};
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0') {
		tm = (struct tm){0};
		end = strptime(s, "%Y-%m-%d", &tm);
	}
	bool unix_time = *s != '\0' && strlen(s) < 12 && s[strspn(s, "0123456789")] == '\0';
	if (unix_time)
		snprintf(out, SPEC_TIME_MAX, "%s", s);
	else if (end != NULL && *end == '\0' && timegm(&tm) > 0)
		snprintf(out, SPEC_TIME_MAX, "%lld", (long long)timegm(&tm));
	else
		return spec_fault(error, "time \"%s\": write 2026-12-31T00:00:00Z", s);
	return 0;
}

int
spec_credential(
    const struct spec_credential *s, struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	*put = (struct msg_credential_put){0};
	if (check_name("credential", s->name, error) != 0)
		return -1;
	put->provider = given(s->provider) ? ids_provider_of(view_of(s->provider)) : 0;
	if (put->provider == 0)
		return spec_fault(error,
		    "provider \"%s\": write openai, anthropic, bedrock, gemini, azure, vertex or "
		    "openai-compatible",
		    given(s->provider) ? s->provider : "");
	if (put->provider == PROVIDER_OPENAI_COMPATIBLE && !given(s->host))
		return spec_fault(error, "provider openai-compatible needs a host");
	const char *workspace = given(s->workspace) ? s->workspace : DEFAULT_WORKSPACE;
	if (check_name("workspace", workspace, error) != 0 || set_host(s->host, put, error) != 0 ||
	    spec_kind(s, put, error) != 0 ||
	    set_models(&s->models, put->model, &put->model_count, error) != 0 ||
	    set_operations(&s->operations, put, s->provider, error) != 0 ||
	    spec_rate(s->rate, &put->rate_per_minute, error) != 0)
		return -1;
	if (given(s->ca_pem) && strlen(s->ca_pem) > SPEC_CA_MAX)
		return spec_fault(error, "the CA file is larger than %u bytes", SPEC_CA_MAX);
	put->name = view_of(s->name);
	put->ca_pem = view_of(s->ca_pem);
	put->workspace = view_of(workspace);
	put->enabled = !s->disabled;
	return 0;
}

int
spec_vkey(const struct spec_vkey *s, struct msg_vkey_issue *issue, char error[SPEC_ERROR_MAX])
{
	*issue = (struct msg_vkey_issue){0};
	const char *workspace = given(s->workspace) ? s->workspace : DEFAULT_WORKSPACE;
	if (check_name("virtual key", s->name, error) != 0 ||
	    check_name("workspace", workspace, error) != 0 ||
	    set_models(&s->models, issue->model, &issue->model_count, error) != 0 ||
	    spec_rate(s->rate, &issue->rate_per_minute, error) != 0)
		return -1;
	for (size_t i = 0; i < s->credentials.n; i++) {
		if (check_name("credential", s->credentials.v[i], error) != 0)
			return -1;
		issue->credential[i].name = view_of(s->credentials.v[i]);
	}
	issue->credential_count = s->credentials.n;
	issue->name = view_of(s->name);
	issue->workspace = view_of(workspace);
	return 0;
}

int
spec_secret(struct view v, const char *what, char error[SPEC_ERROR_MAX])
{
	if (v.len == 0)
		return spec_fault(error, "the %s is empty", what);
	if (v.len > SPEC_SECRET_MAX)
		return spec_fault(error, "the %s is longer than %u bytes: is it the right file?",
		    what, SPEC_SECRET_MAX);
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return spec_fault(error,
			    "the %s holds a space, a control character or a non-ASCII character at "
			    "position %zu: paste the key alone",
			    what, i + 1);
	return 0;
}
