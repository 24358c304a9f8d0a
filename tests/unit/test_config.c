// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The configuration file: defaults, every range, and messages that name file, line
// and key.
#include "gatewayd/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BASE "vault_socket: /v\naudit_socket: /a\n"

static char error[1024];

static struct config *
parse(const char *text)
{
	error[0] = '\0';
	return config_parse("f.yaml", text, strlen(text), error, sizeof(error));
}

static void
refused(const char *text, const char *want)
{
	struct config *c = parse(text);
	if (c != NULL || strstr(error, want) == NULL)
		fail_msg("'%s' gave '%s', not '%s'", text, error, want);
}

static void
test_defaults(void **state)
{
	(void)state;
	struct config *c = parse("listen: {plain: \"127.0.0.1:8080\"}\n" BASE);
	assert_non_null(c);
	assert_string_equal(c->listen.plain, "127.0.0.1:8080");
	assert_null(c->listen.tls);
	assert_string_equal(c->vault_socket, "/v");
	assert_in_range(c->workers, 1, 4);
	assert_int_equal(c->limits.body_bytes, 32 << 20);
	assert_int_equal(c->limits.header_bytes, 64 << 10);
	assert_int_equal(c->limits.connections, 12000);
	assert_int_equal(c->limits.buffered_bytes, 256 << 20);
	assert_int_equal(c->limits.header_timeout_s, 15);
	assert_int_equal(c->limits.body_timeout_s, 60);
	assert_int_equal(c->limits.idle_timeout_s, 90);
	assert_int_equal(c->limits.upstream_connect_timeout_s, 10);
	assert_int_equal(c->limits.upstream_idle_timeout_s, 600);
	config_free(c);
}

static void
test_everything(void **state)
{
	(void)state;
	struct config *c = parse("listen:\n  plain: '[::1]:80'\n  tls:\n    address: 0.0.0.0:443\n"
				 "    certificate: /c\n    key: /k\nworkers: 3\n" BASE
				 "egress_proxy: http://proxy.example:3128\n"
				 "limits:\n  body_bytes: 2000000\n  idle_timeout_s: 7\n"
				 "resolve:\n  - host: api.example\n    address: 127.0.0.1\n"
				 "  - {host: b, address: '::1'}\n"
				 "connect_to: ['a.example:443=127.0.0.1:8443', 'b:1=c:2']\n");
	assert_non_null(c);
	assert_int_equal(c->workers, 3);
	assert_string_equal(c->listen.tls->key, "/k");
	assert_string_equal(c->proxy_host, "proxy.example");
	assert_int_equal(c->proxy_port, 3128);
	assert_int_equal(c->limits.body_bytes, 2000000);
	assert_int_equal(c->limits.idle_timeout_s, 7);
	assert_int_equal(c->resolve_count, 2);
	assert_string_equal(c->resolve[0].host, "api.example");
	char at[254];
	assert_int_equal(config_connect_to(c, "a.example", 443, at), 8443);
	assert_string_equal(at, "127.0.0.1");
	assert_int_equal(config_connect_to(c, "b", 1, at), 2);
	assert_string_equal(at, "c");
	assert_int_equal(config_connect_to(c, "a.example", 444, at), 444);
	assert_string_equal(at, "a.example");
	assert_int_equal(config_connect_to(c, "a.exampl", 443, at), 443);
	assert_string_equal(at, "a.exampl");
	config_free(c);
}

static void
test_listen(void **state)
{
	(void)state;
	static const char *const open[] = {"0.0.0.0:80", "10.0.0.1:80", "[::]:80", "*:80",
	    "localhost:80", "128.0.0.1:80", "127.0.0.1", "127.0.0.1.evil.example:80"};
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		char text[256];
		snprintf(text, sizeof(text), "listen:\n  plain: '%s'\n" BASE, open[i]);
		refused(text, "f.yaml: line 2: listen.plain");
		refused(text, "loopback");
	}
	refused("listen: {}\n" BASE, "at least one");
	refused(BASE, "listen");
	refused(
	    "listen:\n  tls: {address: '0.0.0.0:1', certificate: /c}\n" BASE, "'key' is missing");
}

static void
test_faults_have_lines(void **state)
{
	(void)state;
#define L "listen: {plain: '127.0.0.1:1'}\n"
	refused(L BASE "workrs: 2\n", "f.yaml: line 4: unknown key 'workrs'");
	refused(L BASE "limits:\n  body: 1\n", "line 5: unknown key 'body'");
	refused(L BASE "workers: many\n", "line 4: Invalid");
	refused(L BASE "workers: 65\n", "line 4: workers");
	refused(L BASE "limits:\n  connections: 2000000\n", "line 5: limits.connections must be");
	refused(L BASE "limits:\n\n  header_timeout_s: -1\n", "line 6: limits.header_timeout_s");
	refused(L BASE "limits: {buffered_bytes: 2000000}\n", "limits.buffered_bytes must be at");
	refused(L BASE "resolve:\n  - {host: a, address: b.example}\n", "numeric");
	static const char *const wrong[] = {"a:443", "a:443=b", "a=b:443", ":443=b:1", "a:443=:1",
	    "a:0=b:1", "a:1=b:65536", "a:1=b:", "a:x=b:1", "="};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char text[256];
		snprintf(text, sizeof(text), L BASE "connect_to: ['%s']\n", wrong[i]);
		refused(text, "line 4: connect_to");
	}
	refused(L "vault_socket: /v\n", "audit_socket");
	refused(L BASE "vault_socket: /w\n", "vault_socket");
	refused(L BASE "x: [\n", "f.yaml");
	refused("", "f.yaml: ");
	refused("- a\n", "f.yaml: ");
	refused(L BASE "workers: *a\n", "f.yaml");
}

static void
test_proxy(void **state)
{
	(void)state;
	static const char *const bad[] = {"proxy:3128", "https://p:1", "http://p", "http://p:0",
	    "http://p:99999", "http://:3128", "http://p:3128/path", "http://p:31x"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char text[256];
		snprintf(text, sizeof(text), L BASE "egress_proxy: %s\n", bad[i]);
		refused(text, "line 4: egress_proxy");
	}
	refused(L BASE "egress_proxy: http://u:hunter2@p:1\n", "password");
	assert_null(strstr(error, "hunter2"));
	struct config *c = parse(L BASE "egress_proxy: http://[::1]:3128/\n");
	assert_non_null(c);
	assert_string_equal(c->proxy_host, "::1");
	config_free(c);
}

static void
test_missing_file(void **state)
{
	(void)state;
	assert_null(config_load("/nonexistent/f.yaml", error, sizeof(error)));
	assert_non_null(strstr(error, "/nonexistent/f.yaml: No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_listen),
	    cmocka_unit_test(test_faults_have_lines),
	    cmocka_unit_test(test_proxy),
	    cmocka_unit_test(test_missing_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
