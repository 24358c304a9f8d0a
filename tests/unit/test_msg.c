// links:
// SPDX-License-Identifier: Apache-2.0
// The message protocol: every vector of proto/vectors decodes and encodes to the
// same bytes, every truncation and every extension of one is refused, and the
// permission table is what PROTOCOL.md says. May touch: proto/vectors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/perm.h"

struct vector {
	char name[64];
	struct frame frame;
	uint8_t bytes[FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX];
	size_t len;
};

static size_t
unhex(const char *s, uint8_t *out)
{
	size_t n = 0;
	unsigned b;
	while (sscanf(s + 2 * n, "%2x", &b) == 1)
		out[n++] = (uint8_t)b;
	return n;
}

// Calls fn for each "NAME hex" line of the vector file.
static unsigned
each_vector(const char *path, void (*fn)(struct vector *))
{
	static struct vector v;
	static char line[300000];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	unsigned count = 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		char *hex = strchr(line, ' ');
		assert_non_null(hex);
		*hex++ = '\0';
		snprintf(v.name, sizeof(v.name), "%.60s", line);
		v.len = unhex(hex, v.bytes);
		fn(&v);
		count++;
	}
	fclose(f);
	return count;
}

static unsigned char seen[256];

static void
round_trip(struct vector *v)
{
	assert_int_equal(frame_read_header(v->bytes, v->len, &v->frame), FRAME_OK);
	assert_int_equal(v->frame.len, v->len - FRAME_HEADER_LEN);
	assert_non_null(msg_name(v->frame.type));
	assert_int_equal(
	    strncmp(v->name, msg_name(v->frame.type), strlen(msg_name(v->frame.type))), 0);
	seen[v->frame.type] = 1;
	if (msg_is_raw(v->frame.type))
		return;
	union msg_any m;
	const uint8_t *payload = v->bytes + FRAME_HEADER_LEN;
	assert_int_equal(msg_decode(v->frame.type, payload, v->frame.len, &m), 0);
	static uint8_t again[FRAME_PAYLOAD_MAX];
	size_t n = msg_encode(v->frame.type, &m, again, sizeof(again));
	assert_int_equal(n, v->frame.len);
	assert_memory_equal(again, payload, n);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(msg_decode(v->frame.type, payload, cut, &m), -1);
	again[n] = 0;
	assert_int_equal(msg_decode(v->frame.type, again, n + 1, &m), -1);
}

static void
test_vectors(void **state)
{
	(void)state;
	memset(seen, 0, sizeof(seen));
	assert_true(each_vector("proto/vectors/messages.hex", round_trip) > 0);
	for (unsigned t = 0; t < 256; t++)
		if (msg_name((uint8_t)t) != NULL && !seen[t])
			fail_msg("no vector for %s", msg_name((uint8_t)t));
}

static void
refused(struct vector *v)
{
	struct frame f;
	union msg_any m;
	enum frame_result r = frame_read_header(v->bytes, v->len, &f);
	if (r != FRAME_OK || f.len != v->len - FRAME_HEADER_LEN)
		return;
	if (msg_decode(f.type, v->bytes + FRAME_HEADER_LEN, f.len, &m) == 0)
		fail_msg("accepted: %s", v->name);
}

static void
test_refused(void **state)
{
	(void)state;
	assert_true(each_vector("proto/vectors/refused.hex", refused) > 10);
}

// Which types a role may send at all, written here a second time on purpose: a
// change of the table must be a change of this list too.
static void
test_permissions(void **state)
{
	(void)state;
	static const struct {
		enum role role;
		const char *types;
	} want[] = {
	    {ROLE_GATEWAY_AT_CORE, "HELLO AUTHORIZE USE SETTLE SEALER_OPEN RELAY_FAILED "},
	    {ROLE_ADMIN_AT_CORE,
		"STATUS CREDENTIAL_PUT CREDENTIAL_SET CREDENTIAL_LIST VKEY_ISSUE "
		"VKEY_LIST VKEY_REVOKE CREDENTIAL_TEST CATALOGUE_GET CATALOGUE_BEGIN "
		"CATALOGUE_HOST CATALOGUE_OP CATALOGUE_MODEL CATALOGUE_PROFILE "
		"CATALOGUE_END ISSUER_SET ISSUER_GET "},
	    {ROLE_AUDITD_AT_CORE, "AUDIT_HELLO ACK NACK "},
	    {ROLE_ZYGOTE_AT_CORE, "EXITED "},
	    {ROLE_SEALER_AT_CORE, "SEALER_READY LANE_VERIFIED LANE_FAULT EXCHANGED "},
	    {ROLE_CORE_AT_GATEWAY, "WELCOME PLAN DENY GO SEALER SEALER_GONE RELAY CATALOGUE_BEGIN "
				   "CATALOGUE_HOST CATALOGUE_OP CATALOGUE_MODEL CATALOGUE_PROFILE "
				   "CATALOGUE_END ISSUER_ITEM "},
	    {ROLE_AUDITD_AT_GATEWAY, "AUDIT_HELLO ACK NACK "},
	    {ROLE_SEALER_AT_GATEWAY, "LANE_READY LANE_CLOSED CREDIT CIPHER_OUT PLAIN "},
	    {ROLE_CORE_AT_AUDITD, "APPEND "},
	    {ROLE_GATEWAY_AT_AUDITD, "APPEND "},
	    {ROLE_ADMIN_AT_AUDITD, "AUDIT_QUERY "},
	    {ROLE_CORE_AT_ZYGOTE, "FORK "},
	    {ROLE_CORE_AT_SEALER, "SEALER_CONFIG SEAL EXCHANGE "},
	    {ROLE_GATEWAY_AT_SEALER, "LANE_OPEN LANE_CLOSE LANE_EOF CREDIT CIPHER_IN BODY "},
	    {ROLE_CORE_AT_ADMIN, "STATUS_REPLY CREDENTIAL_ITEM VKEY_ISSUED VKEY_ITEM DONE ERROR "
				 "CREDENTIAL_TESTED CATALOGUE_BEGIN CATALOGUE_HOST CATALOGUE_OP "
				 "CATALOGUE_MODEL CATALOGUE_PROFILE CATALOGUE_END ISSUER_ITEM "},
	    {ROLE_AUDITD_AT_ADMIN, "AUDIT_RECORD AUDIT_END ERROR "},
	};
	assert_int_equal(ARRAY_LEN(want), ROLE_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		char got[1024] = "";
		for (unsigned t = 0; t < 256; t++) {
			bool fresh = perm_allowed(want[i].role, CHANNEL_NEW, (uint8_t)t);
			bool ready = perm_allowed(want[i].role, CHANNEL_READY, (uint8_t)t);
			// A greeting is said once: never legal in both states.
			assert_false(fresh && ready);
			if (fresh || ready)
				snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ",
				    msg_name((uint8_t)t));
		}
		assert_string_equal(got, want[i].types);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_permissions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
