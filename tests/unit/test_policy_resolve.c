// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// From what a client asks to operation and model upstream: provider prefixes, ARNs,
// names of the catalogue and unknown ones, translations, inference profiles and
// residency, Azure's deployments.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "tests/unit/catalogue_fixture.h"
#include "vaultd/policy_resolve.h"

static struct catalogue *cat;

static int
setup(void **state)
{
	(void)state;
	cat = fx_catalogue();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	catalogue_unref(cat);
	return 0;
}

// --- what was asked ----------------------------------------------------------------------

static void
asked(const char *model, uint64_t provider, const char *name, bool known)
{
	struct policy_asked a = policy_resolve_asked(cat, OP_OPENAI_CHAT, view_of(model), false);
	if (a.provider != provider || !view_eq_str(a.name, name) || a.known != known)
		fail_msg("'%s': provider %d, name '%.*s', %s", model, (int)a.provider,
		    (int)a.name.len, a.name.p, a.known ? "known" : "unknown");
}

static void
test_asked(void **state)
{
	(void)state;
	asked("gpt-4o", 0, "gpt-4o", true);
	asked("openai/gpt-4o", PROVIDER_OPENAI, "gpt-4o", true);
	asked("azure/my-dep", PROVIDER_AZURE, "my-dep", false);
	asked("openai-compatible/a/b", PROVIDER_OPENAI_COMPATIBLE, "a/b", false);
	asked("vertex/claude-sonnet-4-5", PROVIDER_VERTEX, "claude-sonnet-4-5", true);
	asked("gemini/gemini-2.5-flash", PROVIDER_GEMINI, "gemini-2.5-flash", true);
	asked("meta-llama/Llama-3", 0, "meta-llama/Llama-3", false);
	asked("OpenAI/gpt-4o", 0, "OpenAI/gpt-4o", false);
	asked("openai/", 0, "openai/", false);
	asked("/gpt-4o", 0, "/gpt-4o", false);
	asked("", 0, "", false);
	// Bedrock's ids, also with the prefix of a profile, of which any may come.
	asked("amazon.nova-lite-v1:0", 0, "amazon.nova-lite-v1:0", true);
	asked("us.amazon.nova-lite-v1:0", 0, "us.amazon.nova-lite-v1:0", true);
	asked("us-gov.amazon.nova-lite-v1:0", 0, "us-gov.amazon.nova-lite-v1:0", true);
	asked(
	    "bedrock/us.amazon.nova-lite-v1:0", PROVIDER_BEDROCK, "us.amazon.nova-lite-v1:0", true);
	asked("Us.amazon.nova-lite-v1:0", 0, "Us.amazon.nova-lite-v1:0", false);
	asked("us.gpt-4o", 0, "us.gpt-4o", false);
	// An ARN is Bedrock's, slashes and all.
	asked("arn:aws:bedrock:us-east-1:1:inference-profile/openai/x", PROVIDER_BEDROCK,
	    "arn:aws:bedrock:us-east-1:1:inference-profile/openai/x", false);
	asked("bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/x", PROVIDER_BEDROCK,
	    "arn:aws:bedrock:us-east-1:1:inference-profile/x", false);
}

// --- operations ----------------------------------------------------------------------------

#define CHAT   OP_OPENAI_CHAT
#define MSGS   OP_ANTHROPIC_MESSAGES
#define COUNT  OP_ANTHROPIC_COUNT_TOKENS
#define EMBED  OP_OPENAI_EMBEDDINGS
#define NOVA   "amazon.nova-lite-v1:0"
#define SONNET "anthropic.claude-sonnet-4-5-20250929-v1:0"
#define OPUS   "anthropic.claude-opus-4-1-20250805-v1:0"
#define TITAN  "amazon.titan-embed-text-v2:0"

struct row {
	uint64_t asked;
	const char *model;
	uint64_t provider;
	uint64_t operation; // upstream; 0: not of this provider
	uint64_t stream;    // the same when streamed
	const char *upstream;
};

static void
check_row(const struct row *w, bool stream)
{
	struct cred c = {.provider = w->provider, .region = "us-east-1"};
	struct policy_target t;
	struct policy_asked a = policy_resolve_asked(cat, w->asked, view_of(w->model), stream);
	enum policy_fit fit = policy_resolve(cat, &a, &c, &t);
	uint64_t want = stream ? w->stream : w->operation;
	if (want == 0 && fit == POLICY_FIT_NONE)
		return;
	if (want == 0 || fit != POLICY_FIT_GOOD || t.operation != want ||
	    t.translated != (want != w->asked) || !view_eq_str(t.model, w->upstream))
		fail_msg("%s %s at %s%s: fit %d, %s, '%.*s'", ids_operation(w->asked), w->model,
		    ids_provider(w->provider), stream ? " streamed" : "", (int)fit,
		    ids_operation(t.operation), (int)t.model.len, t.model.p);
}

static const struct row rows[] = {
    // Native, with the name that the provider uses.
    {CHAT, "gpt-4o", PROVIDER_OPENAI, CHAT, CHAT, "gpt-4o"},
    {CHAT, "gpt-4o", PROVIDER_AZURE, CHAT, CHAT, "gpt-4o"},
    {CHAT, "gpt-4o", PROVIDER_OPENAI_COMPATIBLE, CHAT, CHAT, "gpt-4o"},
    {CHAT, "gpt-4o", PROVIDER_ANTHROPIC, 0, 0, NULL},
    {CHAT, "gpt-4o", PROVIDER_BEDROCK, 0, 0, NULL},
    {CHAT, "gpt-4o", PROVIDER_GEMINI, 0, 0, NULL},
    {MSGS, "claude-sonnet-4-5", PROVIDER_ANTHROPIC, MSGS, MSGS, "claude-sonnet-4-5-20250929"},
    {MSGS, "claude-sonnet-4-5-20250929", PROVIDER_ANTHROPIC, MSGS, MSGS,
	"claude-sonnet-4-5-20250929"},
    {OP_GENERATE_CONTENT, "gemini-2.5-flash", PROVIDER_GEMINI, OP_GENERATE_CONTENT,
	OP_GENERATE_CONTENT, "gemini-2.5-flash"},
    {OP_GENERATE_CONTENT, "gemini-2.5-flash", PROVIDER_VERTEX, OP_GENERATE_CONTENT,
	OP_GENERATE_CONTENT, "gemini-2.5-flash"},
    {OP_GENERATE_CONTENT, "gemini-2.5-flash", PROVIDER_OPENAI, 0, 0, NULL},
    {OP_BEDROCK_CONVERSE, "nova-lite", PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, OP_BEDROCK_CONVERSE,
	"us." NOVA},
    // An unknown name is of those who speak the operation, and of no other.
    {CHAT, "unheard-of", PROVIDER_OPENAI, CHAT, CHAT, "unheard-of"},
    {CHAT, "unheard-of", PROVIDER_AZURE, CHAT, CHAT, "unheard-of"},
    {CHAT, "unheard-of", PROVIDER_OPENAI_COMPATIBLE, CHAT, CHAT, "unheard-of"},
    {CHAT, "unheard-of", PROVIDER_ANTHROPIC, 0, 0, NULL},
    {CHAT, "unheard-of", PROVIDER_BEDROCK, 0, 0, NULL},
    {CHAT, "unheard-of", PROVIDER_VERTEX, 0, 0, NULL},
    {MSGS, "claude-unheard-of", PROVIDER_BEDROCK, 0, 0, NULL},
    {OP_BEDROCK_CONVERSE, "unheard.of", PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, OP_BEDROCK_CONVERSE,
	"unheard.of"},
    // What another provider has is not OpenAI's, but an own server may have anything.
    {CHAT, "claude-sonnet-4-5", PROVIDER_OPENAI, 0, 0, NULL},
    {CHAT, "claude-sonnet-4-5", PROVIDER_OPENAI_COMPATIBLE, CHAT, CHAT, "claude-sonnet-4-5"},
    {CHAT, "claude-sonnet-4-5", PROVIDER_AZURE, 0, 0, NULL},
    // Chat, translated.
    {CHAT, "claude-sonnet-4-5", PROVIDER_ANTHROPIC, MSGS, MSGS, "claude-sonnet-4-5-20250929"},
    {CHAT, "claude-sonnet-4-5", PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, OP_BEDROCK_CONVERSE_STREAM,
	"us." SONNET},
    {CHAT, "nova-lite", PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, OP_BEDROCK_CONVERSE_STREAM,
	"us." NOVA},
    {CHAT, "claude-sonnet-4-5", PROVIDER_VERTEX, OP_RAW_PREDICT, OP_STREAM_RAW_PREDICT,
	"claude-sonnet-4-5@20250929"},
    {CHAT, "gemini-2.5-flash", PROVIDER_VERTEX, OP_GENERATE_CONTENT, OP_STREAM_GENERATE_CONTENT,
	"gemini-2.5-flash"},
    {CHAT, "gemini-2.5-flash", PROVIDER_GEMINI, OP_GENERATE_CONTENT, OP_STREAM_GENERATE_CONTENT,
	"gemini-2.5-flash"},
    {CHAT, "anthropic/claude-unheard-of", PROVIDER_ANTHROPIC, MSGS, MSGS, "claude-unheard-of"},
    {CHAT, "bedrock/unheard.of-v1:0", PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE,
	OP_BEDROCK_CONVERSE_STREAM, "unheard.of-v1:0"},
    {CHAT, "vertex/claude-unheard@1", PROVIDER_VERTEX, OP_RAW_PREDICT, OP_STREAM_RAW_PREDICT,
	"claude-unheard@1"},
    {CHAT, "vertex/gemini-9", PROVIDER_VERTEX, OP_GENERATE_CONTENT, OP_STREAM_GENERATE_CONTENT,
	"gemini-9"},
    {CHAT, "gemini/gemini-9", PROVIDER_GEMINI, OP_GENERATE_CONTENT, OP_STREAM_GENERATE_CONTENT,
	"gemini-9"},
    {CHAT, "gemini/gemini-2.5-flash", PROVIDER_VERTEX, 0, 0, NULL}, // another provider
    {CHAT, "titan-embed", PROVIDER_BEDROCK, 0, 0, NULL},	    // does not chat
    {CHAT, "gemini-embedding-001", PROVIDER_GEMINI, 0, 0, NULL},
    // Messages of Claude elsewhere; of nobody else.
    {MSGS, "claude-sonnet-4-5", PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, OP_BEDROCK_INVOKE_STREAM,
	"us." SONNET},
    {MSGS, "claude-sonnet-4-5", PROVIDER_VERTEX, OP_RAW_PREDICT, OP_STREAM_RAW_PREDICT,
	"claude-sonnet-4-5@20250929"},
    {MSGS, SONNET, PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, OP_BEDROCK_INVOKE_STREAM, "us." SONNET},
    {MSGS, "eu." SONNET, PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, OP_BEDROCK_INVOKE_STREAM,
	"eu." SONNET},
    {MSGS, "bedrock/us.anthropic.claude-next-v1", PROVIDER_BEDROCK, OP_BEDROCK_INVOKE,
	OP_BEDROCK_INVOKE_STREAM, "us.anthropic.claude-next-v1"},
    {MSGS, "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", PROVIDER_BEDROCK,
	OP_BEDROCK_INVOKE, OP_BEDROCK_INVOKE_STREAM,
	"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"},
    {MSGS, "nova-lite", PROVIDER_BEDROCK, 0, 0, NULL},
    {MSGS, "bedrock/unheard.of-v1:0", PROVIDER_BEDROCK, 0, 0, NULL},
    {MSGS, "gemini-2.5-flash", PROVIDER_VERTEX, 0, 0, NULL},
    {MSGS, "gemini-2.5-flash", PROVIDER_GEMINI, 0, 0, NULL},
    {MSGS, "openai/gpt-4o", PROVIDER_OPENAI, 0, 0, NULL},
    {COUNT, "claude-sonnet-4-5", PROVIDER_ANTHROPIC, COUNT, COUNT, "claude-sonnet-4-5-20250929"},
    {COUNT, "claude-sonnet-4-5", PROVIDER_BEDROCK, OP_BEDROCK_COUNT_TOKENS, OP_BEDROCK_COUNT_TOKENS,
	"us." SONNET},
    {COUNT, "claude-sonnet-4-5", PROVIDER_VERTEX, OP_RAW_PREDICT_COUNT, OP_RAW_PREDICT_COUNT,
	"claude-sonnet-4-5@20250929"},
    {COUNT, "nova-lite", PROVIDER_BEDROCK, 0, 0, NULL},
    // Embeddings.
    {EMBED, "text-embedding-3-small", PROVIDER_OPENAI, EMBED, EMBED, "text-embedding-3-small"},
    {EMBED, "titan-embed", PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, OP_BEDROCK_INVOKE, TITAN},
    {EMBED, TITAN, PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, OP_BEDROCK_INVOKE, TITAN},
    {EMBED, "gemini-embedding-001", PROVIDER_GEMINI, OP_BATCH_EMBED_CONTENTS,
	OP_BATCH_EMBED_CONTENTS, "gemini-embedding-001"},
    {EMBED, "gemini-embedding-001", PROVIDER_VERTEX, OP_PREDICT, OP_PREDICT,
	"gemini-embedding-001"},
    {EMBED, "gemini/embed-next", PROVIDER_GEMINI, OP_BATCH_EMBED_CONTENTS, OP_BATCH_EMBED_CONTENTS,
	"embed-next"},
    {EMBED, "bedrock/unheard.embed-v1", PROVIDER_BEDROCK, 0, 0, NULL}, // which body?
    {EMBED, "nova-lite", PROVIDER_BEDROCK, 0, 0, NULL},
    {EMBED, "gemini-2.5-flash", PROVIDER_GEMINI, 0, 0, NULL},
    {EMBED, "anthropic/x", PROVIDER_ANTHROPIC, 0, 0, NULL},
    // Nothing else is translated.
    {OP_OPENAI_RESPONSES, "claude-sonnet-4-5", PROVIDER_ANTHROPIC, 0, 0, NULL},
    {OP_OPENAI_RESPONSES, "gpt-4o", PROVIDER_OPENAI, OP_OPENAI_RESPONSES, OP_OPENAI_RESPONSES,
	"gpt-4o"},
    {OP_GENERATE_CONTENT, "anthropic/claude-sonnet-4-5", PROVIDER_ANTHROPIC, 0, 0, NULL},
    {OP_BEDROCK_CONVERSE, "openai/gpt-4o", PROVIDER_OPENAI, 0, 0, NULL},
    // Lists have no model.
    {OP_OPENAI_MODELS, "", PROVIDER_OPENAI, OP_OPENAI_MODELS, OP_OPENAI_MODELS, ""},
    {OP_OPENAI_MODELS, "", PROVIDER_BEDROCK, 0, 0, NULL},
    {OP_ANTHROPIC_MODELS, "", PROVIDER_ANTHROPIC, OP_ANTHROPIC_MODELS, OP_ANTHROPIC_MODELS, ""},
};

static void
test_operations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_row(&rows[i], false);
		check_row(&rows[i], true);
	}
}

// --- inference profiles --------------------------------------------------------------------

#define NO_PROFILE "no profile"

static const struct {
	const char *region;
	const char *profile; // NULL: not set
	const char *model;
	const char *upstream;
} profiles[] = {
    // auto: the geography's, else the global one, else the region itself.
    {"us-east-1", NULL, "claude-sonnet-4-5", "us." SONNET},
    {"eu-west-1", NULL, "claude-sonnet-4-5", "eu." SONNET},
    {"ap-northeast-1", "auto", "claude-sonnet-4-5", "jp." SONNET},
    {"ap-south-1", "auto", "claude-sonnet-4-5", "global." SONNET},
    {"sa-east-1", "auto", "claude-sonnet-4-5", NO_PROFILE},
    {"sa-east-1", "auto", "nova-lite", NOVA},
    {"us-east-1", "auto", "titan-embed", TITAN},
    {"eu-west-1", "auto", "claude-opus-4-1", NO_PROFILE}, // it has a profile of us only
    // A residency is kept, whatever else there is.
    {"eu-west-1", "geo", "claude-sonnet-4-5", "eu." SONNET},
    {"ap-south-1", "geo", "claude-sonnet-4-5", NO_PROFILE}, // not the global one
    {"eu-west-1", "geo", "titan-embed", TITAN},		    // stays in the region
    {"eu-west-1", "eu", "claude-sonnet-4-5", "eu." SONNET},
    {"us-east-1", "eu", "claude-sonnet-4-5", NO_PROFILE},
    {"eu-west-1", "none", "claude-sonnet-4-5", NO_PROFILE},
    {"eu-west-1", "none", "nova-lite", NOVA},
    {"us-east-1", "global", "claude-sonnet-4-5", "global." SONNET},
    {"us-east-1", "global", "nova-lite", NO_PROFILE},
    {"us-east-1", "apac", "nova-lite", NO_PROFILE},
    // Bedrock's own id: the model in the region where it can be had there.
    {"us-east-1", NULL, NOVA, NOVA},
    {"us-east-1", NULL, SONNET, "us." SONNET},
    {"us-east-1", "geo", NOVA, "us." NOVA},
    {"ap-south-1", "geo", SONNET, NO_PROFILE},
    // A prefix that the client wrote stands.
    {"us-east-1", "auto", "eu." NOVA, "eu." NOVA},
    {"us-east-1", "auto", "bedrock/global." SONNET, "global." SONNET},
};

static void
test_profiles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		struct cred c = {.provider = PROVIDER_BEDROCK};
		char setting[16];
		struct policy_target t;
		memcpy(c.region, profiles[i].region, strlen(profiles[i].region));
		if (profiles[i].profile != NULL) {
			memcpy(setting, profiles[i].profile, strlen(profiles[i].profile) + 1);
			c.extra.setting[SETTING_PROFILE] = setting;
		}
		struct policy_asked a = policy_resolve_asked(
		    cat, OP_BEDROCK_CONVERSE, view_of(profiles[i].model), false);
		enum policy_fit fit = policy_resolve(cat, &a, &c, &t);
		bool none = strcmp(profiles[i].upstream, NO_PROFILE) == 0;
		if (fit != (none ? POLICY_FIT_NO_PROFILE : POLICY_FIT_GOOD) ||
		    (!none && !view_eq_str(t.model, profiles[i].upstream)))
			fail_msg("row %zu: %s in %s: fit %d '%.*s', not '%s'", i, profiles[i].model,
			    profiles[i].region, (int)fit, (int)t.model.len, t.model.p,
			    profiles[i].upstream);
	}
}

#define ARN "arn:aws:bedrock:eu-central-1:123456789012:"

// What the client writes out must not leave the geography that the credential keeps to.
static void
test_residency(void **state)
{
	(void)state;
	static const struct {
		const char *profile, *model;
		enum policy_fit fit;
	} rows_of[] = {
	    {"geo", "global." SONNET, POLICY_FIT_NO_PROFILE},
	    {"geo", "us." SONNET, POLICY_FIT_NO_PROFILE},
	    {"geo", "eu." SONNET, POLICY_FIT_GOOD},
	    {"eu", "global." SONNET, POLICY_FIT_NO_PROFILE},
	    {"eu", "eu." SONNET, POLICY_FIT_GOOD},
	    {"none", "eu." SONNET, POLICY_FIT_NO_PROFILE},
	    {"none", "eu." NOVA, POLICY_FIT_NO_PROFILE},
	    {"none", NOVA, POLICY_FIT_GOOD},
	    {"geo", "amazon.next-v1:0", POLICY_FIT_GOOD}, // in the region
	    {"none", "amazon.next-v1:0", POLICY_FIT_GOOD},
	    {"eu", "amazon.next-v1:0", POLICY_FIT_NO_PROFILE},
	    {"geo", "eu.amazon.next-v1:0", POLICY_FIT_GOOD},
	    {"geo", "xx.amazon.next-v1:0", POLICY_FIT_NO_PROFILE}, // who knows
	    {"none", "xx.amazon.next-v1:0", POLICY_FIT_NO_PROFILE},
	    {"geo", "next", POLICY_FIT_NO_PROFILE},
	    {"auto", "xx.amazon.next-v1:0", POLICY_FIT_GOOD},
	    {"geo", ARN "inference-profile/eu." SONNET, POLICY_FIT_GOOD},
	    {"geo", ARN "inference-profile/global." SONNET, POLICY_FIT_NO_PROFILE},
	    {"none", ARN "inference-profile/eu." SONNET, POLICY_FIT_NO_PROFILE},
	    {"geo", ARN "application-inference-profile/x", POLICY_FIT_NO_PROFILE},
	    {"auto", ARN "application-inference-profile/x", POLICY_FIT_GOOD},
	    {"geo", ARN "provisioned-model/x", POLICY_FIT_GOOD},
	    {"none", ARN "imported-model/x", POLICY_FIT_GOOD},
	    // What it is stands once, right behind the account.
	    {"geo", ARN "application-inference-profile/x:inference-profile/eu." SONNET,
		POLICY_FIT_NO_PROFILE},
	    {"none", ARN "application-inference-profile/x:foundation-model/",
		POLICY_FIT_NO_PROFILE},
	    {"none", ARN "default-prompt-router/x:imported-model/x", POLICY_FIT_NO_PROFILE},
	    {"geo", "arn:aws:bedrock:eu-central-1:foundation-model/x", POLICY_FIT_NO_PROFILE},
	    {"geo", ARN "foundation-model/x:inference-profile/global.anthropic.claude",
		POLICY_FIT_NO_PROFILE},
	    {"global", "global." SONNET, POLICY_FIT_GOOD},
	    {"auto", "global." SONNET, POLICY_FIT_GOOD},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
		struct cred c = {.provider = PROVIDER_BEDROCK, .region = "eu-central-1"};
		char setting[16];
		struct policy_target t;
		memcpy(setting, rows_of[i].profile, strlen(rows_of[i].profile) + 1);
		c.extra.setting[SETTING_PROFILE] = setting;
		struct policy_asked a = policy_resolve_asked(
		    cat, OP_BEDROCK_CONVERSE, view_of(rows_of[i].model), false);
		enum policy_fit fit = policy_resolve(cat, &a, &c, &t);
		if (fit != rows_of[i].fit)
			fail_msg("profile %s, model %s: fit %d", rows_of[i].profile,
			    rows_of[i].model, (int)fit);
	}
}

static void
test_arn(void **state)
{
	(void)state;
	static const struct {
		const char *arn;
		enum policy_fit fit;
	} arns[] = {
	    {"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x",
		POLICY_FIT_GOOD},
	    {"arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/x",
		POLICY_FIT_REGION},
	    {"arn:aws:bedrock:us-east-1", POLICY_FIT_REGION},
	    {"arn:aws:bedrock::1:x/y", POLICY_FIT_REGION},
	    {"arn:", POLICY_FIT_REGION},
	    {"arn::::", POLICY_FIT_REGION},
	};
	struct cred c = {.provider = PROVIDER_BEDROCK, .region = "us-east-1"};
	struct policy_target t;
	for (size_t i = 0; i < ARRAY_LEN(arns); i++) {
		struct policy_asked a =
		    policy_resolve_asked(cat, OP_BEDROCK_CONVERSE, view_of(arns[i].arn), false);
		assert_int_equal(policy_resolve(cat, &a, &c, &t), arns[i].fit);
	}
}

// --- Azure -------------------------------------------------------------------------------

static void
azure(const struct cred *c, uint64_t operation, const char *model, const char *upstream)
{
	struct policy_target t;
	struct policy_asked a = policy_resolve_asked(cat, operation, view_of(model), false);
	enum policy_fit fit = policy_resolve(cat, &a, c, &t);
	if (upstream == NULL) {
		assert_int_equal(fit, POLICY_FIT_NONE);
		return;
	}
	assert_int_equal(fit, POLICY_FIT_GOOD);
	assert_false(t.translated);
	if (!view_eq_str(t.model, upstream))
		fail_msg("'%s' became '%.*s'", model, (int)t.model.len, t.model.p);
}

static void
test_azure(void **state)
{
	(void)state;
	char model[] = "gpt-4o", name[] = "prod-4o", claude[] = "claude-sonnet-4-5",
	     ours[] = "our-claude", version[] = "2024-10-21";
	struct cred c = {.provider = PROVIDER_AZURE,
	    .extra = {.deployment_count = 2, .deployment = {{model, name}, {claude, ours}}}};
	for (int dated = 0; dated < 2; dated++) {
		c.extra.setting[SETTING_API_VERSION] = dated ? version : NULL;
		azure(&c, CHAT, "gpt-4o", "prod-4o");
		azure(&c, CHAT, "azure/gpt-4o", "prod-4o");
		azure(&c, CHAT, "azure/prod-4o", "prod-4o");
		azure(&c, CHAT, "some-deployment", "some-deployment");
		azure(&c, CHAT, "openai/gpt-4o", NULL);
		// A deployment makes a name theirs that is others' in the catalogue.
		azure(&c, CHAT, "claude-sonnet-4-5", "our-claude");
		azure(&c, CHAT, "gemini-2.5-flash", NULL);
		azure(&c, MSGS, "claude-sonnet-4-5", NULL);
		// The dated API has no responses in the catalogue.
		azure(&c, OP_OPENAI_RESPONSES, "gpt-4o", dated ? NULL : "prod-4o");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_asked),
	    cmocka_unit_test(test_operations),
	    cmocka_unit_test(test_profiles),
	    cmocka_unit_test(test_residency),
	    cmocka_unit_test(test_arn),
	    cmocka_unit_test(test_azure),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
