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

// auditd answers 0 for what an earlier record says already: only what refers to one.
static void
test_already_recorded(void **state)
{
	(void)state;
	struct seen a, b = {0};
	struct msg_append m = {.event = EVENT_KEY_INTENT_VOID, .ref_seq = 5};
	assert_int_equal(audit_link_append(core.audit, &m, on_done, &b), 0);
	ack(next(&m), 0);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.outcome, AUDIT_DURABLE);
	assert_int_equal(b.seq, 0);
	assert_true(audit_link_ready(core.audit));
	uint64_t id = append(&a);
	ack(id, 11); // the witness stands where it stood
	assert_int_equal(a.seq, 11);
	id = append(&a);
	ack(id, 0); // a key must not be used on that
	assert_int_equal(a.outcome, AUDIT_LOST);
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

// --- nothing is lost -------------------------------------------------------------------

static void
nack(uint64_t id, const char *code)
{
	struct msg_nack m = {.code = view_of(code), .message = VIEW("no")};
	say(MSG_NACK, id, &m);
}

static void
hang_up(void)
{
	chan_free(auditd);
	auditd = NULL;
	turn();
}

static void
add_void(uint64_t ref)
{
	struct note n = {.event = EVENT_KEY_INTENT_VOID,
	    .ref_seq = ref,
	    .key_id = "cred",
	    .code = "gateway_gone"};
	audit_note_add(core.notes, NOTE_VOID, &n);
}

static void
test_refused_notes_come_back(void **state)
{
	(void)state;
	struct msg_append m;
	struct note leak = {.event = EVENT_KEY_LEAK_STOPPED, .ref_seq = 7, .code = "leak"};
	struct note died = {.event = EVENT_SEALER_DIED, .code = "attack_signal", .signal = 31};
	audit_note_add(core.notes, NOTE_LEAK, &leak);
	uint64_t a = next(&m);
	audit_note_add(core.notes, NOTE_SEALER_DIED, &died);
	uint64_t b = next(&m);
	audit_note_add(core.notes, NOTE_SEALER_DIED, &died);
	uint64_t c = next(&m);
	add_void(9);
	uint64_t d = next(&m);
	assert_true(a != 0 && b != 0 && c != 0 && d != 0);
	nack(a, "audit_full");
	nack(b, "audit_full");
	nack(c, "audit_full");
	nack(d, "audit_busy");
	audit_note_tick(core.notes);
	assert_int_equal(next(&m), 0); // not in a tight circle
	usleep(1050000);
	audit_note_tick(core.notes);
	unsigned seen = 0;
	for (uint64_t id; (id = next(&m)) != 0;) {
		if (m.event == EVENT_KEY_LEAK_STOPPED && m.ref_seq == 7)
			seen |= 1;
		if (m.event == EVENT_SEALER_DIED && m.num_count == 2 && m.num[0].value == 2 &&
		    m.num[1].value == 31)
			seen |= 2;
		if (m.event == EVENT_KEY_INTENT_VOID && m.ref_seq == 9 &&
		    view_eq_str(m.key_id, "cred"))
			seen |= 4;
		ack(id, 10 + id);
	}
	assert_int_equal(seen, 7);
	usleep(1050000);
	audit_note_tick(core.notes);
	assert_int_equal(next(&m), 0); // once
}

static void
test_lost_notes_come_back(void **state)
{
	(void)state;
	struct msg_append m;
	bool seen[10] = {false};
	struct note rejected = {.event = EVENT_PEER_REJECTED, .user = "gateway", .code = "x"};
	for (uint64_t i = 0; i < 10; i++)
		add_void(100 + i);
	audit_note_add(core.notes, NOTE_PEER_REJECTED, &rejected);
	while (next(&m) != 0)
		; // auditd has them, and dies before it answers
	hang_up();
	dial(10);
	audit_note_tick(core.notes);
	unsigned voids = 0, rejects = 0;
	while (next(&m) != 0) {
		if (m.event == EVENT_PEER_REJECTED) {
			rejects++;
			continue;
		}
		assert_int_equal(m.event, EVENT_KEY_INTENT_VOID);
		assert_in_range(m.ref_seq, 100, 109);
		assert_false(seen[m.ref_seq - 100]);
		seen[m.ref_seq - 100] = true;
		assert_true(view_eq_str(m.error_code, "gateway_gone"));
		assert_int_equal(m.text_count, 1); // it may be there twice: it says so
		assert_true(view_eq_str(m.text[0].value, "gateway_gone (sent again)"));
		voids++;
	}
	assert_int_equal(voids, 10);
	assert_int_equal(rejects, 1);
}

// Each void keeps its reference, however many wait, and whatever else fails meanwhile.
static void
test_many_voids(void **state)
{
	(void)state;
	enum { MANY = 6000 };
	static bool seen[MANY];
	struct msg_append m;
	hang_up();
	for (uint64_t i = 0; i < MANY; i++)
		add_void(1000 + i);
	struct note failed = {.event = EVENT_VKEY_REVOKED, .ref_seq = 3, .code = "store_failed"};
	audit_note_add(core.notes, NOTE_ADMIN_FAILED, &failed);
	dial(10);
	unsigned voids = 0, failures = 0;
	uint64_t seq = 10;
	for (int i = 0; i < 40 && voids + failures < MANY + 1; i++) {
		audit_note_tick(core.notes);
		for (uint64_t id; (id = next(&m)) != 0;) {
			ack(id, ++seq);
			assert_int_equal(m.num_count, 0);
			if (m.event == EVENT_VKEY_REVOKED) {
				failures++;
				continue;
			}
			assert_in_range(m.ref_seq, 1000, 1000 + MANY - 1);
			assert_false(seen[m.ref_seq - 1000]);
			seen[m.ref_seq - 1000] = true;
			voids++;
		}
	}
	assert_int_equal(voids, MANY);
	assert_int_equal(failures, 1);
}

// What does not fit is still counted.
static void
test_voids_are_bounded(void **state)
{
	(void)state;
	struct msg_append m;
	uint64_t count = 0, seq = 10;
	hang_up();
	for (uint64_t i = 0; i < NOTE_REFS_MAX + 50U; i++)
		add_void(1000 + i);
	dial(10);
	for (int i = 0; i < 40; i++) {
		audit_note_tick(core.notes);
		for (uint64_t id; (id = next(&m)) != 0;) {
			ack(id, ++seq);
			count += m.num_count == 0 ? 1 : m.num[0].value;
		}
	}
	assert_int_equal(count, NOTE_REFS_MAX + 50U);
}

static void
test_refused_start_comes_back(void **state)
{
	(void)state;
	struct msg_append m;
	hang_up();
	audit_link_free(core.audit);
	core.audit = audit_link_new(&core, true);
	dial(0);
	uint64_t id = next(&m);
	assert_int_equal(m.event, EVENT_VAULT_START);
	nack(id, "audit_full");
	audit_link_tick(core.audit, false);
	id = next(&m);
	assert_int_not_equal(id, 0);
	assert_int_equal(m.event, EVENT_VAULT_START);
	ack(id, 3);
	audit_link_tick(core.audit, false);
	assert_int_equal(next(&m), 0);
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
	    EACH(test_already_recorded),
	    EACH(test_bounded),
	    EACH(test_flood),
	    EACH(test_kept_while_away),
	    EACH(test_refused_notes_come_back),
	    EACH(test_lost_notes_come_back),
	    EACH(test_many_voids),
	    EACH(test_voids_are_bounded),
	    EACH(test_refused_start_comes_back),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
