// SPDX-License-Identifier: Apache-2.0
// Variables of the SDKs: openai-python and -node, azure in both; anthropic-sdk-python and
// -typescript; botocore (endpoint URLs of services, bearer tokens); google-genai.
#include "ctl/up_env.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENV_FILE     "demo.env"
#define CLIENTS_FILE "clients.env"
#define TEXT_MAX     4096U

struct out {
	char *p;
	size_t size, n;
};

PRINTF(2, 3)
static void
put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(o->p + o->n, o->size - o->n, fmt, ap);
	va_end(ap);
	BUG_IF(n < 0 || (size_t)n >= o->size - o->n);
	o->n += (size_t)n;
}

static uint64_t
provider_of(const struct spec_credential *real)
{
	return real == NULL ? 0 : ids_provider_of(view_of(real->provider));
}

const char *
up_env_model(const struct spec_credential *real)
{
	static char of_azure[129];
	switch (provider_of(real)) {
	case PROVIDER_ANTHROPIC:
	case PROVIDER_BEDROCK:
		return "claude-haiku-4-5";
	case PROVIDER_GEMINI:
	case PROVIDER_VERTEX:
		return "gemini-2.5-flash";
	case PROVIDER_AZURE:
		if (real->deployments.n == 0)
			return "gpt-5.4-mini";
		snprintf(of_azure, sizeof(of_azure), "%.*s",
		    (int)strcspn(real->deployments.v[0], "="), real->deployments.v[0]);
		return of_azure;
	default:
		return "gpt-5.4-mini";
	}
}

// AzureOpenAI() takes OPENAI_BASE_URL before its endpoint, so only one of them is there.
static void
put_openai(struct out *o, const char *url, bool azure)
{
	if (azure)
		put(o,
		    "# AzureOpenAI(). For OpenAI() instead: export OPENAI_BASE_URL=%s/v1, which "
		    "AzureOpenAI() would take before its endpoint\n"
		    "export AZURE_OPENAI_ENDPOINT=%s/azure "
		    "AZURE_OPENAI_API_KEY=\"$SALLYPORT_KEY\"\n"
		    "export OPENAI_API_VERSION=2024-10-21 OPENAI_API_KEY=\"$SALLYPORT_KEY\"\n",
		    url, url);
	else
		put(o,
		    "# openai\n"
		    "export OPENAI_BASE_URL=%s/v1 OPENAI_API_KEY=\"$SALLYPORT_KEY\"\n",
		    url);
}

// They send keys over TLS alone.
static void
put_aws(struct out *o, const struct up_stack *s, const struct up_urls *urls, const char *region)
{
	put(o, "# AnthropicBedrock()\nexport ANTHROPIC_BEDROCK_BASE_URL=%s\n", urls->plain);
	put(o,
	    "export AWS_REGION=%s AWS_DEFAULT_REGION=%s "
	    "AWS_BEARER_TOKEN_BEDROCK=\"$SALLYPORT_KEY\"\n",
	    region, region);
	if (urls->tls == NULL)
		put(o,
		    "# bedrock-runtime of AWS SDKs: these send keys over TLS alone, so start the "
		    "stack with --tls-listen 127.0.0.1:8443\n");
	else
		put(o,
		    "# bedrock-runtime of AWS SDKs; with these two set, they trust this stack's "
		    "authority alone\n"
		    "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=%s AWS_CA_BUNDLE='%s/tls/ca.pem'\n"
		    "export NODE_EXTRA_CA_CERTS='%s/tls/ca.pem'\n",
		    urls->tls, s->dir, s->dir);
}

// What an SDK asks where.
static void
put_clients(struct out *o, const struct up_stack *s, const struct up_urls *urls,
    const struct spec_credential *real, struct view key)
{
	uint64_t p = provider_of(real);
	bool vertex = p == PROVIDER_VERTEX;
	const char *url = urls->plain;
	put(o,
	    "# Written by `sallyport up`: . this file, then the official SDKs ask this gateway, "
	    "unchanged.\nexport SALLYPORT_URL=%s SALLYPORT_KEY=%.*s\n",
	    url, (int)key.len, key.p);
	put_openai(o, url, p == PROVIDER_AZURE);
	put(o,
	    "# anthropic\n"
	    "export ANTHROPIC_BASE_URL=%s ANTHROPIC_API_KEY=\"$SALLYPORT_KEY\"\n",
	    url);
	put_aws(o, s, urls, p == PROVIDER_BEDROCK ? real->region : "us-east-1");
	put(o,
	    "# google-genai\n"
	    "export GOOGLE_GEMINI_BASE_URL=%s%s GEMINI_API_KEY=\"$SALLYPORT_KEY\"\n",
	    url, vertex ? "/vertex" : "");
	if (vertex)
		put(o,
		    "# AnthropicVertex(access_token=$SALLYPORT_KEY)\n"
		    "export ANTHROPIC_VERTEX_BASE_URL=%s/vertex/v1 ANTHROPIC_VERTEX_PROJECT_ID=%s "
		    "CLOUD_ML_REGION=%s\n",
		    url, real->setting[SETTING_PROJECT], real->region);
}

int
up_env_write(const struct up_stack *s, const struct up_urls *urls,
    const struct spec_credential *real, struct view key)
{
	char text[TEXT_MAX], clients[TEXT_MAX];
	struct out o = {text, sizeof(text), 0}, c = {clients, sizeof(clients), 0};
	put(&o, "SALLYPORT_DIR=%s\nSALLYPORT_URL=%s\nSALLYPORT_KEY=%.*s\n", s->dir, urls->plain,
	    (int)key.len, key.p);
	if (urls->tls != NULL)
		put(&o, "SALLYPORT_TLS_URL=%s\nSALLYPORT_CA=%s/tls/ca.pem\n", urls->tls, s->dir);
	if (s->provider >= 0)
		put(&o, "SALLYPORT_DEMO_PROVIDER=127.0.0.1:%u\n", s->provider_port);
	put_clients(&c, s, urls, real, key);
	int r = up_stack_write(s, ENV_FILE, text, 0);
	if (r == 0)
		r = up_stack_write(s, CLIENTS_FILE, clients, 0);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(clients, sizeof(clients));
	return r;
}

// The key of the last start, if its file still has one.
bool
up_env_stored_key(const struct up_stack *s, char *out, size_t size)
{
	char path[CLI_PATH_MAX];
	char line[512];
	bool found = false;
	up_stack_path(s, ENV_FILE, path);
	FILE *f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "SALLYPORT_KEY=", 14) == 0 && strlen(line) > 14) {
			snprintf(out, size, "%s", line + 14);
			found = true;
		}
	}
	if (f != NULL)
		fclose(f);
	return found;
}
