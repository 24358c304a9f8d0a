// SPDX-License-Identifier: Apache-2.0
// Reading the configuration with libcyaml, filling in defaults, checking ranges.
// May touch: the one file it is given.
#include "gatewayd/config.h"

#include <arpa/inet.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1024U * 1024U)
#define MIB	 (1024U * 1024U)

// --- schema --------------------------------------------------------------------

#define OPTIONAL_STR(key, st, f)                                                                   \
	CYAML_FIELD_STRING_PTR(                                                                    \
	    key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, st, f, 1, CYAML_UNLIMITED)
#define REQUIRED_STR(key, st, f)                                                                   \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, st, f, 1, CYAML_UNLIMITED)
#define LIMIT(f) CYAML_FIELD_UINT(#f, CYAML_FLAG_OPTIONAL, struct config_limits, f)

static const cyaml_schema_field_t tls_fields[] = {
    REQUIRED_STR("address", struct config_tls, address),
    REQUIRED_STR("certificate", struct config_tls, certificate),
    REQUIRED_STR("key", struct config_tls, key),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t listen_fields[] = {
    OPTIONAL_STR("plain", struct config_listen, plain),
    CYAML_FIELD_MAPPING_PTR(
	"tls", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_listen, tls, tls_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
    LIMIT(body_bytes),
    LIMIT(header_bytes),
    LIMIT(connections),
    LIMIT(connections_per_source),
    LIMIT(buffered_bytes),
    LIMIT(header_timeout_s),
    LIMIT(body_timeout_s),
    LIMIT(idle_timeout_s),
    LIMIT(upstream_connect_timeout_s),
    LIMIT(upstream_idle_timeout_s),
    LIMIT(heartbeat_s),
    LIMIT(drain_timeout_s),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t host_fields[] = {
    REQUIRED_STR("host", struct config_host, host),
    REQUIRED_STR("address", struct config_host, address),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t host_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_host, host_fields),
};

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t top_fields[] = {
    CYAML_FIELD_MAPPING("listen", CYAML_FLAG_DEFAULT, struct config, listen, listen_fields),
    CYAML_FIELD_UINT("workers", CYAML_FLAG_OPTIONAL, struct config, workers),
    REQUIRED_STR("vault_socket", struct config, vault_socket),
    REQUIRED_STR("audit_socket", struct config, audit_socket),
    OPTIONAL_STR("egress_proxy", struct config, egress_proxy),
    CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, struct config, limits, limits_fields),
    CYAML_FIELD_SEQUENCE("resolve", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config,
	resolve, &host_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("connect_to", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config,
	connect_to, &text_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t top_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config, top_fields),
};

// --- errors --------------------------------------------------------------------

struct report {
	const char *name;
	const char *text;
	size_t len;
	char what[256]; // libcyaml's first line
	unsigned line;
	char *out;
	size_t out_size;
};

// First line that holds this key, 0 if none. Good enough to point at.
static unsigned
line_of_key(const struct report *r, const char *key)
{
	unsigned line = 1;
	size_t n = strlen(key);
	for (size_t i = 0; i < r->len; i++) {
		if (r->text[i] == '\n')
			line++;
		bool start = i == 0 || strchr(" \t\n{,-\"'", r->text[i - 1]) != NULL;
		if (start && r->len - i > n && memcmp(r->text + i, key, n) == 0 &&
		    strchr(": \"'", r->text[i + n]) != NULL)
			return line;
	}
	return 0;
}

static void
say(struct report *r, unsigned line, const char *what)
{
	if (line != 0)
		snprintf(r->out, r->out_size, "%s: line %u: %s", r->name, line, what);
	else
		snprintf(r->out, r->out_size, "%s: %s", r->name, what);
}

static int
say_key(struct report *r, const char *key, const char *what)
{
	char text[512];
	snprintf(text, sizeof(text), "%s %s", key, what);
	const char *dot = strrchr(key, '.');
	say(r, line_of_key(r, dot == NULL ? key : dot + 1), text);
	return -1;
}

// libcyaml tells its errors line by line: the fault, then a backtrace whose first
// entry has the position.
static void
on_cyaml_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	if (level < CYAML_LOG_ERROR)
		return;
	struct report *r = ctx;
	char text[256];
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	const char *at = strstr(text, "(line: ");
	if (at != NULL && r->line == 0)
		r->line = (unsigned)strtoul(at + 7, NULL, 10);
	else if (at == NULL && r->what[0] == '\0')
		snprintf(r->what, sizeof(r->what), "%s",
		    strncmp(text, "Load: ", 6) == 0 ? text + 6 : text);
}

static void
say_cyaml(struct report *r, cyaml_err_t err)
{
	static const char unexpected[] = "Unexpected key: ";
	static const char missing[] = "Missing required mapping field: ";
	char text[512];
	unsigned line = r->line;
	if (strncmp(r->what, unexpected, sizeof(unexpected) - 1) == 0) {
		const char *key = r->what + sizeof(unexpected) - 1;
		unsigned exact = line_of_key(r, key);
		line = exact != 0 ? exact : line;
		snprintf(text, sizeof(text), "unknown key '%s'", key);
	} else if (strncmp(r->what, missing, sizeof(missing) - 1) == 0) {
		snprintf(text, sizeof(text), "the key '%s' is missing here",
		    r->what + sizeof(missing) - 1);
	} else {
		snprintf(
		    text, sizeof(text), "%s", r->what[0] != '\0' ? r->what : cyaml_strerror(err));
	}
	say(r, line, text);
}

// --- checks --------------------------------------------------------------------

struct range {
	const char *key;
	size_t offset;
	uint64_t min, max, fallback; // 0 in the file means the fallback
};

#define RANGE(f, lo, hi, def)                                                                      \
	{                                                                                          \
		"limits." #f, offsetof(struct config_limits, f), (lo), (hi), (def)                 \
	}

static const struct range ranges[] = {
    RANGE(body_bytes, 1024, 1024ULL * MIB, 32ULL * MIB),
    RANGE(header_bytes, 1024, 1ULL * MIB, 64ULL * 1024),
    RANGE(connections, 1, 1000000, 12000),
    RANGE(connections_per_source, 1, 1000000, 1024),
    RANGE(buffered_bytes, 1ULL * MIB, 65536ULL * MIB, 256ULL * MIB),
    RANGE(header_timeout_s, 1, 3600, 15),
    RANGE(body_timeout_s, 1, 3600, 60),
    RANGE(idle_timeout_s, 1, 86400, 90),
    RANGE(upstream_connect_timeout_s, 1, 300, 10),
    RANGE(upstream_idle_timeout_s, 1, 86400, 600),
    RANGE(heartbeat_s, 1, 86400, 15),
    RANGE(drain_timeout_s, 1, 3600, 20),
};

static int
check_limits(struct config *c, struct report *r)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		uint64_t *v = (uint64_t *)(void *)((char *)&c->limits + ranges[i].offset);
		if (*v == 0)
			*v = ranges[i].fallback;
		if (*v >= ranges[i].min && *v <= ranges[i].max)
			continue;
		char text[128];
		snprintf(text, sizeof(text), "must be between %llu and %llu",
		    (unsigned long long)ranges[i].min, (unsigned long long)ranges[i].max);
		return say_key(r, ranges[i].key, text);
	}
	if (c->limits.buffered_bytes < c->limits.body_bytes)
		return say_key(r, "limits.buffered_bytes",
		    "must be at least limits.body_bytes, or no large request could ever be read");
	return 0;
}

static bool
numeric(const char *address)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

// "127.x.x.x:port" or "[::1]:port".
static bool
is_loopback(const char *address)
{
	if (strncmp(address, "[::1]:", 6) == 0)
		return true;
	char host[64];
	const char *colon = strrchr(address, ':');
	if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
		return false;
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	struct in_addr in;
	return inet_pton(AF_INET, host, &in) == 1 && ntohl(in.s_addr) >> 24 == 127;
}

static int
check_listen(struct config *c, struct report *r)
{
	if (c->listen.plain == NULL && c->listen.tls == NULL)
		return say_key(r, "listen", "needs at least one of 'plain' and 'tls'");
	if (c->listen.plain != NULL && !is_loopback(c->listen.plain))
		return say_key(r, "listen.plain",
		    "is plain HTTP and may only be a loopback address such as 127.0.0.1:8080; "
		    "client keys would cross the network unencrypted: use listen.tls there");
	return 0;
}

static int
check_proxy(struct config *c, struct report *r)
{
	static const char hint[] = "must look like http://proxy.example:3128";
	const char *p = c->egress_proxy;
	if (p == NULL)
		return 0;
	if (strncmp(p, "http://", 7) != 0)
		return say_key(r, "egress_proxy", hint);
	p += 7;
	if (strchr(p, '@') != NULL)
		return say_key(r, "egress_proxy",
		    "may not hold a user or password: the gateway keeps no secrets");
	size_t n = strcspn(p, "/");
	const char *colon = memrchr(p, ':', n);
	if (colon == NULL || colon == p || (p[n] == '/' && p[n + 1] != '\0'))
		return say_key(r, "egress_proxy", hint);
	char *end;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (end != p + n || port == 0 || port > 65535)
		return say_key(r, "egress_proxy", hint);
	size_t len = (size_t)(colon - p);
	if (len > 2 && p[0] == '[' && p[len - 1] == ']') {
		p++;
		len -= 2;
	}
	c->proxy_host = base_strndup(p, len);
	c->proxy_port = (uint16_t)port;
	return 0;
}

// Splits "host:port" of n bytes at its last colon. Returns the length of the host, 0
// when it is none.
static size_t
split_port(const char *s, size_t n, uint16_t *port_r)
{
	const char *colon = memrchr(s, ':', n);
	if (colon == NULL || colon == s || colon - s > 253 || colon + 1 == s + n)
		return 0;
	unsigned long port = 0;
	for (const char *p = colon + 1; p < s + n; p++) {
		if (*p < '0' || *p > '9' || port > 65535)
			return 0;
		port = port * 10 + (unsigned long)(*p - '0');
	}
	if (port == 0 || port > 65535)
		return 0;
	*port_r = (uint16_t)port;
	return (size_t)(colon - s);
}

uint16_t
config_connect_to(const struct config *c, const char *host, uint16_t port, char *at_r)
{
	for (unsigned i = 0; i < c->connect_to_count; i++) {
		const char *s = c->connect_to[i], *to = strchr(s, '=') + 1;
		uint16_t from_port, to_port;
		size_t n = split_port(s, (size_t)(to - 1 - s), &from_port);
		if (from_port != port || n != strlen(host) || memcmp(s, host, n) != 0)
			continue;
		n = split_port(to, strlen(to), &to_port);
		snprintf(at_r, 254, "%.*s", (int)n, to);
		return to_port;
	}
	snprintf(at_r, 254, "%s", host);
	return port;
}

static int
check_connect_to(struct config *c, struct report *r)
{
	for (unsigned i = 0; i < c->connect_to_count; i++) {
		const char *s = c->connect_to[i], *to = strchr(s, '=');
		uint16_t port;
		if (to == NULL || split_port(s, (size_t)(to - s), &port) == 0 ||
		    split_port(to + 1, strlen(to + 1), &port) == 0)
			return say_key(
			    r, "connect_to", "takes entries like api.openai.com:443=10.0.0.5:8443");
	}
	return 0;
}

static int
check(struct config *c, struct report *r)
{
	if (check_listen(c, r) != 0 || check_limits(c, r) != 0 || check_proxy(c, r) != 0 ||
	    check_connect_to(c, r) != 0)
		return -1;
	if (c->workers == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);
		c->workers = cores < 1 ? 1 : MIN((uint64_t)cores, 4U);
	}
	if (c->workers > CONFIG_WORKERS_MAX)
		return say_key(r, "workers", "must be between 1 and 64");
	for (unsigned i = 0; i < c->resolve_count; i++)
		if (!numeric(c->resolve[i].address))
			return say_key(r, "resolve", "takes numeric addresses only");
	return 0;
}

// --- loading -------------------------------------------------------------------

static cyaml_config_t
cyaml_settings(struct report *r)
{
	return (cyaml_config_t){
	    .log_fn = on_cyaml_log,
	    .log_ctx = r,
	    .log_level = CYAML_LOG_ERROR,
	    .mem_fn = cyaml_mem,
	    .flags = CYAML_CFG_NO_ALIAS,
	};
}

struct config *
config_parse(const char *name, const char *text, size_t len, char *error_r, size_t error_size)
{
	struct report r = {
	    .name = name, .text = text, .len = len, .out = error_r, .out_size = error_size};
	cyaml_config_t settings = cyaml_settings(&r);
	struct config *c = NULL;
	cyaml_err_t err = cyaml_load_data(
	    (const uint8_t *)text, len, &settings, &top_schema, (cyaml_data_t **)(void *)&c, NULL);
	if (err != CYAML_OK) {
		say_cyaml(&r, err);
		return NULL;
	}
	if (c == NULL) {
		say(&r, 0, "the file is empty");
		return NULL;
	}
	if (check(c, &r) != 0) {
		config_free(c);
		return NULL;
	}
	return c;
}

static ssize_t
read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size_t len = 0;
	ssize_t n;
	while (len < cap && (n = read(fd, buf + len, cap - len)) != 0) {
		if (n < 0) {
			close(fd);
			return -1;
		}
		len += (size_t)n;
	}
	close(fd);
	return (ssize_t)len;
}

struct config *
config_load(const char *path, char *error_r, size_t error_size)
{
	char *text = base_calloc(1, FILE_MAX);
	struct config *c = NULL;
	ssize_t n = read_file(path, text, FILE_MAX);
	if (n < 0)
		snprintf(error_r, error_size, "%s: %s", path, strerror(errno));
	else if (n == FILE_MAX)
		snprintf(error_r, error_size, "%s: larger than 1 MiB", path);
	else
		c = config_parse(path, text, (size_t)n, error_r, error_size);
	free(text);
	return c;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	struct report r = {0};
	cyaml_config_t settings = cyaml_settings(&r);
	free(c->proxy_host);
	c->proxy_host = NULL;
	cyaml_free(&settings, &top_schema, c, 0);
}
