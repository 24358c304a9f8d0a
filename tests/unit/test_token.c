// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Temporary credentials: when one is fetched, served, refreshed and given up; the request
// to STS byte for byte; its answers, good and bad.
#include "vaultd/token.h"

#include "tests/unit/core_fixture.h"
#include "vaultd/exchange.h"
#include "vaultd/sealer_exchange.h"
#include "vaultd/sealer_sts.h"
#include "vaultd/sts.h"

#define T0 1800000000U

static struct tokens *tokens;

static int
setup(void **state)
{
	if (fixture_setup(state) != 0)
		return -1;
	tokens = token_set_new(fixture.seal);
	return 0;
}

static int
teardown(void **state)
{
	token_set_free(tokens);
	return fixture_teardown(state);
}

static void
put(uint64_t version, uint64_t now, uint64_t life)
{
	struct token_value v = {
	    VIEW("ASIAEXAMPLE"), VIEW("temporary secret"), VIEW("session token"), now + life};
	assert_int_equal(token_put(tokens, 3, version, &v, now), 0);
}

static void
one_fetch_then_good_until_refresh_then_never_expired(void **state)
{
	(void)state;
	struct secret secret, session;
	struct view id;
	assert_int_equal(token_ask(tokens, 3, 1, T0), TOKEN_FETCH);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(token_ask(tokens, 3, 1, T0 + 1), TOKEN_COMING);
	put(1, T0 + 2, 3600);
	assert_int_equal(
	    token_ask(tokens, 3, 1, T0 + 2 + 2699), TOKEN_GOOD); // 75 % is the earliest
	assert_int_equal(token_open(tokens, 3, 1, T0 + 3, &secret, &session, &id), 0);
	assert_int_equal(secret.len, 16);
	assert_memory_equal(secret.p, "temporary secret", 16);
	assert_memory_equal(session.p, "session token", 13);
	assert_true(secmem_contains(secret.p) && view_eq_str(id, "ASIAEXAMPLE"));
	secret_wipe(&secret);
	secret_wipe(&session);
	// At 80 percent one refresh begins, and the present one serves on.
	assert_int_equal(token_ask(tokens, 3, 1, T0 + 2 + 2880), TOKEN_GOOD_REFRESH);
	assert_int_equal(token_ask(tokens, 3, 1, T0 + 2 + 2881), TOKEN_GOOD);
	token_fail(tokens, 3, 1, DENY_TOKEN_FAILED, "no", T0 + 2 + 2882);
	assert_int_equal(token_ask(tokens, 3, 1, T0 + 2 + 2883), TOKEN_GOOD); // back-off
	assert_int_equal(token_ask(tokens, 3, 1, T0 + 2 + 2885), TOKEN_GOOD_REFRESH);
	// Its end comes while the refresh runs: it is not sent any more.
	uint64_t end = T0 + 2 + 3600;
	assert_int_equal(token_open(tokens, 3, 1, end - 29, &secret, &session, &id), -1);
	assert_int_equal(token_ask(tokens, 3, 1, end), TOKEN_COMING);
	assert_int_equal(token_expires_s(tokens, 3, end), 0);
}

static void
failures_back_off_and_a_change_begins_anew(void **state)
{
	(void)state;
	struct deny d = {0};
	uint64_t now = T0, waits[] = {2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		assert_int_equal(token_ask(tokens, 3, 1, now), TOKEN_FETCH);
		token_fail(tokens, 3, 1, DENY_PROVIDER_AUTH, "refused", now);
		assert_int_equal(token_ask(tokens, 3, 1, now + waits[i] - 1), TOKEN_BROKEN);
		now += waits[i];
	}
	token_why(tokens, 3, now - 1, &d);
	assert_int_equal(d.kind, DENY_PROVIDER_AUTH);
	assert_string_equal(d.message, "refused");
	assert_int_equal(token_ask(tokens, 3, 1, now), TOKEN_FETCH);
	token_fail(tokens, 3, 1, DENY_PROVIDER_AUTH, "refused", now);
	assert_int_equal(token_ask(tokens, 3, 2, now), TOKEN_FETCH);
	// The answer of the old version comes late and counts no more.
	put(1, now, 3600);
	token_fail(tokens, 3, 1, DENY_TOKEN_FAILED, "late", now);
	assert_int_equal(token_ask(tokens, 3, 2, now), TOKEN_COMING);
	put(2, now, 3600);
	assert_int_equal(token_ask(tokens, 3, 2, now), TOKEN_GOOD);
}

// After hours ahead of time: neither is a try put off by them, nor is a refusal told that no
// message can hold, nor does what came then stay for good.
static void
a_clock_that_goes_back_holds_nothing_up(void **state)
{
	(void)state;
	const uint64_t back = 400U * 86400U;
	struct deny d = {0};
	assert_int_equal(token_ask(tokens, 3, 1, T0), TOKEN_FETCH);
	token_fail(tokens, 3, 1, DENY_PROVIDER_AUTH, "refused", T0);
	token_why(tokens, 3, T0 - back, &d);
	assert_true(d.retry_after_ms <= TOKEN_BACKOFF_MAX_S * 1000U);
	assert_int_equal(token_ask(tokens, 3, 1, T0 - back), TOKEN_FETCH);
	put(1, T0, 3600);
	assert_true(token_drop(tokens, 3, T0 - back));
}

static void
a_gateway_cannot_make_it_fetch_without_end(void **state)
{
	(void)state;
	assert_int_equal(token_ask(tokens, 3, 1, T0), TOKEN_FETCH);
	put(1, T0, 3600);
	assert_false(token_drop(tokens, 3, T0 + 29));
	assert_int_equal(token_ask(tokens, 3, 1, T0 + 29), TOKEN_GOOD);
	assert_true(token_drop(tokens, 3, T0 + 30));
	assert_int_equal(token_ask(tokens, 3, 1, T0 + 30), TOKEN_FETCH);
}

static void
clocks_are_believed_within_bounds(void **state)
{
	(void)state;
	assert_true(token_set_skew(tokens, 3, T0 + 600, T0));
	assert_int_equal(token_skew_s(tokens, 3), 600);
	assert_true(token_set_skew(tokens, 3, T0 - 600, T0));
	assert_int_equal(token_skew_s(tokens, 3), -600);
	assert_true(token_set_skew(tokens, 3, T0 + 2, T0));
	assert_int_equal(token_skew_s(tokens, 3), 0);
	assert_false(token_set_skew(tokens, 3, T0 + 901, T0));
	assert_false(token_set_skew(tokens, 3, T0 - 901, T0));
}

// The vector was computed with botocore's SigV4Auth.
static void
the_request_is_that_of_the_vector(void **state)
{
	(void)state;
	struct head_work *w = secmem_alloc(sizeof(*w));
	struct secret secret;
	assert_int_equal(secret_set(&secret, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40), 0);
	struct sts_request r = {.region = VIEW("us-east-1"),
	    .access_key_id = VIEW("AKIDEXAMPLE"),
	    .secret = &secret,
	    .duration_s = 3600,
	    .now_s = sealer_sts_days(2026, 1, 15) * 86400 + 12 * 3600};
	struct msg_exchange m = {0};
	assert_int_equal(sts_session(w, &r, &m), 0);
	assert_true(
	    view_eq_str(m.body, "Action=GetSessionToken&DurationSeconds=3600&Version=2011-06-15"));
	static const char head[] =
	    "POST / HTTP/1.1\r\nhost: sts.us-east-1.amazonaws.com\r\n"
	    "content-type: application/x-www-form-urlencoded; charset=utf-8\r\n"
	    "x-amz-date: 20260115T120000Z\r\naccept-encoding: identity\r\n"
	    "user-agent: sallyport/" SALLYPORT_VERSION
	    "\r\nconnection: close\r\ncontent-length: 62\r\n"
	    "authorization: AWS4-HMAC-SHA256 "
	    "Credential=AKIDEXAMPLE/20260115/us-east-1/sts/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date, "
	    "Signature=3b852d55acc30fca90518349414cd52c036d6bdcd034ba441a70db9d97396113\r\n\r\n";
	assert_int_equal(m.head.len, sizeof(head) - 1);
	assert_memory_equal(m.head.p, head, m.head.len);
	secret_wipe(&secret);
	secmem_free(w);
	char host[254];
	assert_true(sts_host("cn-north-1", host));
	assert_string_equal(host, "sts.cn-north-1.amazonaws.com.cn");
	assert_false(sts_host("us-east-1.evil", host));
	assert_false(sts_host("", host));
}

// No date, no signature: the token alone says who asks.
static void
a_web_identity_is_not_signed(void **state)
{
	(void)state;
	struct head_work *w = secmem_alloc(sizeof(*w));
	struct sts_request r = {.region = VIEW("eu-west-1"),
	    .duration_s = 900,
	    .now_s = 1,
	    .role_arn = VIEW("arn:aws:iam::123456789012:role/a/b"),
	    .session_name = VIEW("x=y@z"),
	    .external_id = VIEW("not sent"),
	    .token = VIEW("eyJ.e-_.s")};
	struct msg_exchange m = {0};
	assert_int_equal(sts_web_identity(w, &r, &m), 0);
	assert_true(view_eq_str(m.body,
	    "Action=AssumeRoleWithWebIdentity&DurationSeconds=900&RoleArn=arn%3Aaws%3Aiam%3A%3A"
	    "123456789012%3Arole%2Fa%2Fb&RoleSessionName=x%3Dy%40z&Version=2011-06-15&"
	    "WebIdentityToken=eyJ.e-_.s"));
	assert_true(view_eq_str(m.head,
	    "POST / HTTP/1.1\r\nhost: sts.eu-west-1.amazonaws.com\r\n"
	    "content-type: application/x-www-form-urlencoded; charset=utf-8\r\n"
	    "accept-encoding: identity\r\nuser-agent: sallyport/" SALLYPORT_VERSION
	    "\r\nconnection: close\r\ncontent-length: 181\r\n\r\n"));
	char *big = base_calloc(1, 9000);
	memset(big, 'a', 8999);
	r.token = (struct view){big, 8999};
	assert_int_equal(sts_web_identity(w, &r, &m), -1);
	free(big);
	secmem_free(w);
}

#define OK_XML                                                                                     \
	"<?xml version='1.0'?>\n<R xmlns=\"x>y\"><S><Credentials><AccessKeyId>ASIA1</AccessKeyId>" \
	"<SecretAccessKey>a&#x2f;b&amp;c</SecretAccessKey><SessionToken>t=</SessionToken>"         \
	"<Expiration>2026-11-21T20:00:00Z</Expiration></Credentials></S><M><Q/></M></R>\n"

static int
read_xml(const char *text, struct msg_exchanged *m)
{
	static char buf[4096];
	size_t n = strlen(text);
	memcpy(buf, text, n);
	*m = (struct msg_exchanged){0};
	return sealer_sts_read(buf, n, m);
}

static void
answers_are_read(void **state)
{
	(void)state;
	struct msg_exchanged m;
	assert_int_equal(read_xml(OK_XML, &m), 0);
	assert_true(view_eq_str(m.access_key_id, "ASIA1") && view_eq_str(m.secret, "a/b&c") &&
		    view_eq_str(m.session_token, "t="));
	assert_int_equal(m.expires_s, 1795291200);
	assert_int_equal(read_xml("<E><Error><Code>AccessDenied</Code><Message>no &lt;x&gt;"
				  "</Message></Error></E>",
			     &m),
	    0);
	assert_true(view_eq_str(m.code, "AccessDenied") && view_eq_str(m.message, "no <x>"));
	static const char *const bad[] = {"", "x", "<R", "<R>", "<R></S>", "<R/><R/>",
	    "<!DOCTYPE a [<!ENTITY b 'c'>]><R/>", "<R><![CDATA[x]]></R>", "<R><?pi x?></R>",
	    "<R>&bogus;</R>", "<R>&#0;</R>", "<R>&#xfffffff;</R>", "<R>text<S/></R>",
	    "<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>",
	    "<R><S><Credentials><AccessKeyId>A</AccessKeyId></Credentials></S></R>",
	    ("<R><S><Credentials><AccessKeyId>A</AccessKeyId><AccessKeyId>B</AccessKeyId>"
	     "</Credentials></S></R>")};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (read_xml(bad[i], &m) == 0)
			fail_msg("accepted: %s", bad[i]);
	for (size_t n = 0; n < strlen(OK_XML) - 1; n++) { // every truncation
		char cut[sizeof(OK_XML)];
		memcpy(cut, OK_XML, n);
		cut[n] = '\0';
		assert_int_equal(read_xml(cut, &m), -1);
	}
}

// As the reference shows them; what stands around the credentials does not count.
static void
roles_are_read(void **state)
{
	(void)state;
	static const char *const answers[] = {
	    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
	    "  <AssumeRoleResult>\n"
	    "    <SourceIdentity>ci</SourceIdentity>\n"
	    "    <AssumedRoleUser>\n"
	    "      <Arn>arn:aws:sts::123456789012:assumed-role/demo/sallyport-x</Arn>\n"
	    "      <AssumedRoleId>AROAEXAMPLE:sallyport-x</AssumedRoleId>\n"
	    "    </AssumedRoleUser>\n"
	    "    <Credentials>\n"
	    "      <SessionToken>FwoGZXIvYXdzEXAMPLE//token+with=signs==</SessionToken>\n"
	    "      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>\n"
	    "      <Expiration>2026-11-21T20:00:00Z</Expiration>\n"
	    "      <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>\n"
	    "    </Credentials>\n"
	    "    <PackedPolicySize>8</PackedPolicySize>\n"
	    "  </AssumeRoleResult>\n"
	    "  <ResponseMetadata>\n"
	    "    <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>\n"
	    "  </ResponseMetadata>\n"
	    "</AssumeRoleResponse>\n",
	    "<AssumeRoleWithWebIdentityResponse "
	    "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
	    "  <AssumeRoleWithWebIdentityResult>\n"
	    "    "
	    "<SubjectFromWebIdentityToken>scoped_principal:t/user:a&amp;b</"
	    "SubjectFromWebIdentityToken>\n"
	    "    <Audience>sts.amazonaws.com</Audience>\n"
	    "    <AssumedRoleUser>\n"
	    "      <AccessKeyId>not this one</AccessKeyId>\n"
	    "      <Arn>arn:aws:sts::123456789012:assumed-role/demo/x</Arn>\n"
	    "    </AssumedRoleUser>\n"
	    "    <Credentials>\n"
	    "      <SessionToken>FwoGZXIvYXdzEXAMPLE//token+with=signs==</SessionToken>\n"
	    "      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>\n"
	    "      <Expiration>2026-11-21T20:00:00Z</Expiration>\n"
	    "      <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>\n"
	    "    </Credentials>\n"
	    "    "
	    "<Provider>arn:aws:iam::123456789012:oidc-provider/id.example.com/sallyport</"
	    "Provider>\n"
	    "  </AssumeRoleWithWebIdentityResult>\n"
	    "  "
	    "<ResponseMetadata><RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId></"
	    "ResponseMetadata>\n"
	    "</AssumeRoleWithWebIdentityResponse>\n"};
	struct msg_exchanged m;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		assert_int_equal(read_xml(answers[i], &m), 0);
		assert_true(view_eq_str(m.access_key_id, "ASIAIOSFODNN7EXAMPLE"));
		assert_true(view_eq_str(m.secret, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"));
		assert_true(
		    view_eq_str(m.session_token, "FwoGZXIvYXdzEXAMPLE//token+with=signs=="));
		assert_int_equal(m.expires_s, 1795291200);
	}
}

static void
whole_answers_only(void **state)
{
	(void)state;
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 14:00:00 GMT\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n";
	char chunk[16];
	struct msg_exchanged m;
	struct sealer_exchange *x = sealer_exchange_new();
	assert_non_null(x);
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_STS), 0);
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_STS), -1);
	for (size_t i = 0; i < sizeof(answer) - 1; i++)
		assert_false(sealer_exchange_feed(x, (const uint8_t *)answer + i, 1));
	snprintf(chunk, sizeof(chunk), "%zx\r\n", strlen(OK_XML));
	assert_false(sealer_exchange_feed(x, (uint8_t *)chunk, strlen(chunk)));
	assert_false(sealer_exchange_feed(x, (const uint8_t *)OK_XML, strlen(OK_XML)));
	assert_false(sealer_exchange_eof(x));
	assert_true(sealer_exchange_feed(x, (const uint8_t *)"\r\n0\r\n\r\n", 7));
	sealer_exchange_result(x, &m);
	assert_int_equal(m.status, 200);
	assert_int_equal(m.server_time_s, 1795269600);
	assert_true(view_eq_str(m.secret, "a/b&c") && secmem_contains(m.secret.p));
	assert_true(exchange_answer_sound(&m));
	sealer_exchange_free(x);
	// Credentials in an error answer, and an endless one.
	x = sealer_exchange_new();
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_STS), 0);
	static const char odd[] = "HTTP/1.1 500 No\r\nconnection: close\r\n\r\n" OK_XML;
	assert_false(sealer_exchange_feed(x, (const uint8_t *)odd, sizeof(odd) - 1));
	assert_true(sealer_exchange_eof(x));
	sealer_exchange_result(x, &m);
	assert_int_equal(m.secret.len, 0);
	assert_true(view_eq_str(m.code, "bad_answer"));
	sealer_exchange_free(x);
	x = sealer_exchange_new();
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_STS), 0);
	static const uint8_t zeros[4096] = {0};
	static const char endless[] = "HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n";
	bool done = sealer_exchange_feed(x, (const uint8_t *)endless, sizeof(endless) - 1);
	for (int i = 0; i < 16 && !done; i++)
		done = sealer_exchange_feed(x, zeros, sizeof(zeros));
	assert_true(done || sealer_exchange_feed(x, zeros, 1));
	sealer_exchange_result(x, &m);
	assert_int_equal(m.status, 0);
	sealer_exchange_free(x);
}

// A sealer reads what strangers send. Should one of them take it over, then nothing that it
// says gets further than a field of the request it is for.
static void
answers_hold_nothing_but_text(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "\r\nhost: evil", "a b\n", "\x1b[2J", "\xc3\xa9"};
	struct msg_exchanged good = {.code = VIEW("Refused"), .message = VIEW("two words")}, m;
	assert_true(exchange_answer_sound(&good));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct view v = i == 0 ? (struct view){"\0", 1} : view_of(bad[i]);
		struct view *const field[] = {&m.error_type, &m.code, &m.message, &m.access_key_id,
		    &m.secret, &m.session_token};
		for (size_t k = 0; k < ARRAY_LEN(field); k++) {
			m = good;
			*field[k] = v;
			assert_false(exchange_answer_sound(&m));
		}
	}
	good.secret = VIEW("two words");
	assert_false(exchange_answer_sound(&good));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    T(one_fetch_then_good_until_refresh_then_never_expired),
	    T(failures_back_off_and_a_change_begins_anew),
	    T(a_clock_that_goes_back_holds_nothing_up),
	    T(a_gateway_cannot_make_it_fetch_without_end),
	    T(clocks_are_believed_within_bounds),
	    T(the_request_is_that_of_the_vector),
	    cmocka_unit_test(a_web_identity_is_not_signed),
	    T(answers_are_read),
	    T(roles_are_read),
	    T(whole_answers_only),
	    cmocka_unit_test(answers_hold_nothing_but_text),
	};
	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
