// SPDX-License-Identifier: Apache-2.0
// Audit notes about sealers. May touch: the notes.
#include "vaultd/lane_note.h"

#include <signal.h>

#include "common/log.h"
#include "vaultd/audit_note.h"
#include "vaultd/sealer_loop.h"

static bool
is_attack_signal(uint64_t sig)
{
	return sig == SIGSYS || sig == SIGSEGV || sig == SIGBUS || sig == SIGILL ||
	       sig == SIGABRT || sig == SIGFPE || sig == SIGTRAP;
}

static void
add(const struct lane_note_who *who, enum note_kind kind, const struct note *given)
{
	struct note n = *given;
	n.user = given->user == NULL ? "sealer" : given->user;
	n.key_id = who->credential_id;
	n.key_version = who->version;
	audit_note_add(who->core->notes, kind, &n);
}

void
lane_note_exit(const struct lane_note_who *who, const struct msg_exited *m)
{
	if (is_attack_signal(m->signal)) {
		log_msg(LOG_ERROR,
		    "sealer %llu of %s died by signal %llu: treat it as an attack on the "
		    "provider's side of the connection",
		    (unsigned long long)who->sealer, who->credential_id,
		    (unsigned long long)m->signal);
		add(who, NOTE_SEALER_DIED,
		    &(struct note){.event = EVENT_SEALER_DIED,
			.result = RESULT_FAILED,
			.code = "attack_signal",
			.signal = m->signal});
	} else if (m->exit_code == SEALER_EXIT_GATEWAY) { // the sealer's log says how
		add(who, NOTE_PEER_REJECTED,
		    &(struct note){.event = EVENT_PEER_REJECTED,
			.result = RESULT_DENIED,
			.user = "gateway",
			.code = "lane_protocol"});
	} else if (m->exit_code != 0 || m->signal != 0) {
		log_msg(LOG_WARN, "sealer %llu ended: exit code %llu, signal %llu",
		    (unsigned long long)who->sealer, (unsigned long long)m->exit_code,
		    (unsigned long long)m->signal);
	}
}

void
lane_note_fault(const struct lane_note_who *who, const struct msg_lane_fault *m)
{
	struct note n = {.ref_seq = m->audit_seq, .result = RESULT_FAILED, .reason = m->detail};
	switch (m->fault) {
	case LANE_LEAK:
		n.event = EVENT_KEY_LEAK_STOPPED;
		n.code = "leak";
		log_msg(
		    LOG_ERROR, "an answer held the secret of %s: it was cut", who->credential_id);
		add(who, NOTE_LEAK, &n);
		break;
	case LANE_TLS_FAILED:
		n.event = EVENT_UPSTREAM_UNVERIFIED;
		n.code = "tls_failed";
		add(who, NOTE_UNVERIFIED, &n);
		break;
	case LANE_BODY_MISMATCH:
	case LANE_PROTOCOL:
		n.event = EVENT_PEER_REJECTED;
		n.user = "gateway"; // it alone can cause these
		n.code = m->fault == LANE_PROTOCOL ? "lane_protocol" : "body_mismatch";
		add(who, NOTE_PEER_REJECTED, &n);
		break;
	default:
		break; // an ordinary end
	}
}

void
lane_note_rejected(const struct lane_note_who *who, bool blame_gateway, const char *reason)
{
	log_msg(LOG_ERROR, "sealer %llu broke the protocol: %s", (unsigned long long)who->sealer,
	    reason);
	add(who, NOTE_PEER_REJECTED,
	    &(struct note){.event = EVENT_PEER_REJECTED,
		.result = RESULT_DENIED,
		.user = blame_gateway ? "gateway" : "sealer",
		.code = "protocol",
		.reason = view_of(reason)});
}
