// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Records on their way to auditd, which the test plays on the other end of a
// socketpair: answers, refusals, loss, a peer that lies, folding of floods.
#include "tests/unit/core_fixture.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/sock.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"

static struct core core;
static struct chan *auditd; // our end

struct seen {
	int calls;
	enum audit_outcome outcome;
	uint64_t seq;
};

static void
on_done(void *cookie, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct seen *s = cookie;
	(void)code;
	s->calls++;
	s->outcome = o;
	s->seq = seq;
}

// Lets the core's loop do what it can.
static void
turn(void)
{
	for (int i = 0; i < 6; i++)
		event_base_loop(core.base, EVLOOP_NONBLOCK);
}

static void
say(uint8_t type, uint64_t id, const void *msg)
{
	assert_int_equal(chan_send(auditd, type, id, msg), 0);
	assert_int_equal(chan_flush(auditd), CHAN_OK);
	turn();
}

static void
dial(uint64_t head_seq)
{
	int pair[2];
	assert_int_equal(sock_pair(pair), 0);
	audit_link_accept(core.audit, pair[0]);
	auditd = chan_new(pair[1], ROLE_CORE_AT_AUDITD, 0);
	struct msg_audit_hello h = {.log_id = {"0123456789abcdef", 16},
	    .head_seq = head_seq,
	    .head = {"0123456789abcdef0123456789abcdef", 32},
	    .boot_no = 1};
	say(MSG_AUDIT_HELLO, 0, &h);
}

static void
ack(uint64_t id, uint64_t seq)
{
	struct msg_ack a = {.seq = seq, .leaf = {"0123456789abcdef0123456789abcdef", 32}};
	say(MSG_ACK, id, &a);
}

// Next record that reached auditd; its frame id, or 0 if there is none.
static uint64_t
next(struct msg_append *m)
{
	struct frame f;
	turn();
	for (int i = 0; i < 4; i++) {
		if (chan_next(auditd, &f) == CHAN_OK) {
			assert_int_equal(chan_decode(auditd, &f, m), CHAN_OK);
			return f.id;
		}
		if (chan_read(auditd) != CHAN_OK)
			break;
	}
	return 0;
}

static bool
peer_closed(void)
{
	enum chan_status s = CHAN_OK;
	for (int i = 0; i < 4 && s == CHAN_OK; i++) {
		turn();
		s = chan_read(auditd);
	}
	return s == CHAN_EOF;
}

static int
each_setup(void **state)
{
	(void)state;
	struct msg_append m;
	core = (struct core){.store = fixture.store, .seal = fixture.seal};
	core.base = event_base_new();
	core.notes = audit_note_new(&core);
	core.audit = audit_link_new(&core, true);
	dial(0);
	assert_int_equal(next(&m), 1);
	assert_int_equal(m.event, EVENT_VAULT_START);
	ack(1, 10);
	return 0;
}

static int
each_teardown(void **state)
{
	(void)state;
	audit_link_free(core.audit);
	audit_note_free(core.notes);
	chan_free(auditd);
	event_base_free(core.base);
	return 0;
}

static uint64_t
append(struct seen *s)
{
	struct msg_append m = {.event = EVENT_KEY_INTENT};
	*s = (struct seen){0};
	assert_int_equal(audit_link_append(core.audit, &m, on_done, s), 0);
	assert_true(m.time_ns != 0);
	struct msg_append got;
	uint64_t id = next(&got);
	assert_int_equal(got.event, EVENT_KEY_INTENT);
	return id;
}

static void
test_answers(void **state)
{
	(void)state;
	struct seen a, b;
	uint64_t ia = append(&a), ib = append(&b);
	assert_int_equal(ib, ia + 1);
	assert_int_equal(audit_link_pending(core.audit), 2);
	struct msg_nack nack = {.code = VIEW("audit_full"), .message = VIEW("full")};
	say(MSG_NACK, ib, &nack);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.outcome, AUDIT_REFUSED);
	assert_int_equal(a.calls, 0);
	ack(ia, 11);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.outcome, AUDIT_DURABLE);
	assert_int_equal(a.seq, 11);
	assert_int_equal(audit_link_pending(core.audit), 0);
}

static void
test_lost(void **state)
{
	(void)state;
	struct seen a;
	struct msg_append m = {.event = EVENT_KEY_INTENT};
	append(&a);
	chan_free(auditd);
	auditd = NULL;
	turn();
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.outcome, AUDIT_LOST);
	assert_false(audit_link_ready(core.audit));
	assert_int_equal(audit_link_append(core.audit, &m, on_done, &a), -1);
	dial(11);
	assert_true(audit_link_ready(core.audit));
	// vault.start is written once for a start, not for each connection.
	assert_int_equal(next(&m), 0);
	append(&a);
}

static void
test_newer_connection(void **state)
{
	(void)state;
	struct seen a;
	append(&a);
	struct chan *older = auditd;
	dial(12);
	assert_int_equal(a.outcome, AUDIT_LOST);
	assert_true(audit_link_ready(core.audit));
	chan_free(older);
	turn();
	assert_true(audit_link_ready(core.audit));
}

static void
test_liars(void **state)
{
	(void)state;
	struct seen a;
	uint64_t id = append(&a);
	ack(id, 10); // does not grow
	assert_int_equal(a.outcome, AUDIT_LOST);
	assert_true(peer_closed());
	chan_free(auditd);
	dial(20);
	id = append(&a);
	ack(id + 1, 30); // nobody asked
	assert_int_equal(a.outcome, AUDIT_LOST);
	assert_true(peer_closed());
	chan_free(auditd);
	dial(20);
	id = append(&a);
	ack(id, 21);
	ack(id, 22); // twice
	assert_int_equal(a.calls, 1);
	assert_true(peer_closed());
}

static void
test_bounded(void **state)
{
	(void)state;
	struct seen s = {0};
	struct msg_append m = {.event = EVENT_KEY_INTENT};
	for (unsigned i = 0; i < AUDIT_LINK_PENDING; i++)
		assert_int_equal(audit_link_append(core.audit, &m, on_done, &s), 0);
	assert_int_equal(audit_link_append(core.audit, &m, on_done, &s), -1);
	chan_free(auditd);
	auditd = NULL;
	audit_link_free(core.audit);
	assert_int_equal(s.calls, AUDIT_LINK_PENDING); // each exactly once
	core.audit = audit_link_new(&core, true);
}

// --- folding ---------------------------------------------------------------------------

static void
test_flood(void **state)
{
	(void)state;
	struct msg_append m;
	struct note n = {
	    .event = EVENT_CLIENT_DENIED, .result = RESULT_DENIED, .code = "invalid_key"};
	// Begin just after a second has turned, so that the burst falls into one.
	uint64_t second = clock_mono_ns() / 1000000000U;
	while (clock_mono_ns() / 1000000000U == second)
		usleep(1000);
	for (int i = 0; i < 1000; i++)
		audit_note_add(core.notes, NOTE_DENY_FIRST + (enum note_kind)DENY_INVALID_KEY, &n);
	unsigned written = 0;
	while (next(&m) != 0) {
		assert_int_equal(m.event, EVENT_CLIENT_DENIED);
		assert_true(view_eq_str(m.error_code, "invalid_key"));
		assert_int_equal(m.num_count, 0);
		written++;
	}
	assert_int_equal(written, NOTE_RATE);
	// Another kind has its own share.
	audit_note_add(core.notes, NOTE_DENY_FIRST + (enum note_kind)DENY_NO_PLAN, &n);
	assert_int_not_equal(next(&m), 0);
	audit_note_tick(core.notes);
	assert_int_equal(next(&m), 0);
	usleep(1010000);
	audit_note_tick(core.notes);
	assert_int_not_equal(next(&m), 0);
	assert_int_equal(m.num_count, 1);
	assert_int_equal(m.num[0].key, ATTR_COUNT);
	assert_int_equal(m.num[0].value, 1000 - NOTE_RATE);
	audit_note_tick(core.notes);
	assert_int_equal(next(&m), 0);
}

static void
test_kept_while_away(void **state)
{
	(void)state;
	struct msg_append m;
	char user[] = "vk_user", long_text[300];
	memset(long_text, 'x', sizeof(long_text));
	memcpy(long_text + 199, "\xc3\xa9", 2); // a character that the cut would split
	struct note n = {.event = EVENT_KEY_DENIED,
	    .user = user,
	    .code = "rate_limited",
	    .operation = OP_OPENAI_CHAT,
	    .model = {long_text, sizeof(long_text)}};
	chan_free(auditd);
	auditd = NULL;
	turn();
	for (int i = 0; i < 3; i++)
		audit_note_add(core.notes, NOTE_DENY_FIRST + (enum note_kind)DENY_RATE_LIMITED, &n);
	memset(user, '-', sizeof(user) - 1); // the caller's memory is not kept
	audit_note_tick(core.notes);
	dial(11);
	audit_note_tick(core.notes);
	assert_int_not_equal(next(&m), 0);
	assert_true(view_eq_str(m.user, "vk_user"));
	assert_int_equal(m.text_count, 2);
	assert_true(view_eq_str(m.text[0].value, "chat"));
	assert_int_equal(m.text[1].value.len, 199);
	assert_int_equal(m.num[0].value, 3);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, each_setup, each_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(test_answers),
	    EACH(test_lost),
	    EACH(test_newer_connection),
	    EACH(test_liars),
	    EACH(test_bounded),
	    EACH(test_flood),
	    EACH(test_kept_while_away),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
