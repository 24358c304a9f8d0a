// SPDX-License-Identifier: Apache-2.0
// Remembering the audit log. May touch: the store.
#include "vaultd/witness.h"

#include <string.h>

#include "common/log.h"

#define ID	  VIEW("audit")
#define PLAIN_MAX 96U

void
witness_load(struct witness *w, struct store *store, struct seal *seal, bool forget)
{
	*w = (struct witness){0};
	struct view v, log_id, leaf;
	uint8_t plain[PLAIN_MAX];
	struct mp_in in;
	size_t n;
	if (store_get(store, STORE_WITNESS, ID, &v) != 0)
		return;
	if (forget) {
		log_msg(LOG_WARN, "forgetting the audit log that this vault has witnessed");
		if (store_delete(store, STORE_WITNESS, ID) != 0)
			log_fatal("cannot change the store");
		return;
	}
	if (v.len < SEAL_OVERHEAD || v.len - SEAL_OVERHEAD > sizeof(plain) ||
	    seal_open(seal, SEAL_WITNESS, ID, 1, (const uint8_t *)v.p, v.len, plain) != 0)
		log_fatal("the witness record does not open: somebody changed the store");
	mp_in_init(&in, plain, v.len - SEAL_OVERHEAD);
	if (mp_get_array(&in, 3, &n) != 0 || n != 3 || mp_get_bin(&in, 16, &log_id) != 0 ||
	    log_id.len != 16 || mp_get_uint(&in, UINT64_MAX, &w->seq) != 0 ||
	    mp_get_bin(&in, 32, &leaf) != 0 || (leaf.len != 32 && leaf.len != 0) ||
	    !mp_in_done(&in))
		log_fatal("the witness record is damaged: bring back a backup of the store");
	memcpy(w->log_id, log_id.p, sizeof(w->log_id));
	w->known = true;
	w->has_leaf = leaf.len != 0;
	if (w->has_leaf)
		memcpy(w->leaf, leaf.p, sizeof(w->leaf));
}

void
witness_save(struct witness *w, struct store *store, struct seal *seal)
{
	uint8_t plain[PLAIN_MAX], sealed[PLAIN_MAX + SEAL_OVERHEAD];
	struct mp_out o;
	if (!w->dirty)
		return;
	mp_out_init(&o, plain, sizeof(plain));
	mp_put_array(&o, 3);
	mp_put_bin(&o, (struct view){(const char *)w->log_id, sizeof(w->log_id)});
	mp_put_uint(&o, w->seq);
	mp_put_bin(&o, (struct view){(const char *)w->leaf, w->has_leaf ? sizeof(w->leaf) : 0});
	BUG_IF(o.failed);
	seal_close(seal, SEAL_WITNESS, ID, 1, plain, o.len, sealed);
	struct view v = {(const char *)sealed, o.len + SEAL_OVERHEAD};
	if (store_put(store, STORE_WITNESS, ID, v) == 0)
		w->dirty = false;
}

const char *
witness_check(struct witness *w, const struct msg_audit_hello *h)
{
	if (!w->known) {
		memcpy(w->log_id, h->log_id.p, sizeof(w->log_id));
		w->known = w->dirty = true;
		return NULL;
	}
	if (memcmp(w->log_id, h->log_id.p, sizeof(w->log_id)) != 0)
		return "this is another audit log than the one that recorded the use of keys so "
		       "far";
	if (h->head_seq < w->seq)
		return "the audit log lost records that it had confirmed";
	if (w->has_leaf && h->head_seq == w->seq && memcmp(w->leaf, h->head.p, 32) != 0)
		return "the audit log's last record is not the one that it had confirmed";
	return NULL;
}

bool
witness_advance(struct witness *w, const struct msg_ack *a)
{
	if (w->has_leaf && a->seq <= w->seq)
		return false;
	w->seq = a->seq;
	memcpy(w->leaf, a->leaf.p, sizeof(w->leaf));
	w->has_leaf = w->dirty = true;
	return true;
}
