// SPDX-License-Identifier: Apache-2.0
// Plan copies and their direct-mapped cache. Pure.
#include "gatewayd/plans.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024U

struct slot {
	struct plan_key key;
	struct plan *plan;
};

struct plans {
	uint8_t hash_key[crypto_generichash_KEYBYTES];
	struct slot slot[SLOTS];
};

// at: room for the model and its end.
static int
copy_attempt(const struct msg_attempt *m, struct plan_attempt *a, char *at)
{
	a->credential = m->credential;
	a->provider = m->provider;
	a->port = (uint16_t)m->port;
	a->operation = (enum operation)m->operation;
	a->renews = m->renews;
	a->model = at;
	if (m->port == 0 || m->port > 65535 || m->host.len == 0 || m->operation == 0 ||
	    view_copy(m->model, at, m->model.len + 1) != 0)
		return -1;
	if (view_copy(m->credential_id, a->credential_id, sizeof(a->credential_id)) != 0 ||
	    view_copy(m->host, a->host, sizeof(a->host)) != 0 ||
	    view_copy(m->region, a->region, sizeof(a->region)) != 0)
		return -1;
	return 0;
}

struct plan *
plan_new(const struct msg_plan *m)
{
	struct plan *p =
	    base_calloc(1, sizeof(*p) + m->attempt_count * sizeof(struct plan_attempt));
	size_t text = 0, at = 0;
	for (size_t i = 0; i < m->attempt_count; i++)
		text += m->attempt[i].model.len + 1;
	for (size_t i = 0; i < m->allowed_model_count; i++)
		text += m->allowed_model[i].name.len + 1;
	for (size_t i = 0; i < m->served_model_count; i++)
		text += m->served_model[i].value.len + 1;
	p->refs = 1;
	p->attempt_count = m->attempt_count;
	p->reach = m->reach;
	p->allowed_count = m->allowed_model_count;
	p->served_count = m->served_model_count;
	p->text = base_calloc(1, text + 1);
	bool bad = view_copy(m->vkey_id, p->vkey_id, sizeof(p->vkey_id)) != 0 ||
		   view_copy(m->workspace, p->workspace, sizeof(p->workspace)) != 0;
	for (size_t i = 0; i < m->attempt_count; i++) {
		bad = bad || copy_attempt(&m->attempt[i], &p->attempt[i], p->text + at) != 0;
		at += m->attempt[i].model.len + 1;
	}
	for (size_t i = 0; i < m->allowed_model_count; i++) {
		struct view name = m->allowed_model[i].name;
		p->allowed[i] = p->text + at;
		bad = bad || view_copy(name, p->text + at, name.len + 1) != 0;
		at += name.len + 1;
	}
	for (size_t i = 0; i < m->served_model_count; i++) {
		struct view v = m->served_model[i].value;
		p->served[i] = (struct plan_served){m->served_model[i].id, p->text + at};
		bad = bad || view_copy(v, p->text + at, v.len + 1) != 0;
		at += v.len + 1;
	}
	if (!bad)
		return p;
	plan_unref(p);
	return NULL;
}

struct plan *
plan_ref(struct plan *p)
{
	p->refs++;
	return p;
}

void
plan_unref(struct plan *p)
{
	if (p == NULL)
		return;
	BUG_IF(p->refs == 0);
	if (--p->refs != 0)
		return;
	free(p->text);
	free(p);
}

// --- cache ---------------------------------------------------------------------

struct plans *
plans_new(void)
{
	struct plans *ps = base_calloc(1, sizeof(*ps));
	randombytes_buf(ps->hash_key, sizeof(ps->hash_key));
	return ps;
}

void
plans_clear(struct plans *ps)
{
	for (size_t i = 0; i < SLOTS; i++) {
		plan_unref(ps->slot[i].plan);
		ps->slot[i].plan = NULL;
	}
}

void
plans_free(struct plans *ps)
{
	if (ps == NULL)
		return;
	plans_clear(ps);
	sodium_memzero(ps->hash_key, sizeof(ps->hash_key));
	free(ps);
}

void
plans_key(const struct plans *ps, const struct request *r, struct plan_key *k_r)
{
	crypto_generichash_state st;
	uint64_t meta[3] = {r->client_key.len, r->model.len, (uint64_t)r->op << 1 | r->stream};
	if (crypto_generichash_init(&st, ps->hash_key, sizeof(ps->hash_key), sizeof(k_r->bytes)) !=
	    0)
		BUG("crypto_generichash_init");
	crypto_generichash_update(&st, (const uint8_t *)meta, sizeof(meta));
	crypto_generichash_update(&st, (const uint8_t *)r->client_key.p, r->client_key.len);
	crypto_generichash_update(&st, (const uint8_t *)r->model.p, r->model.len);
	crypto_generichash_final(&st, k_r->bytes, sizeof(k_r->bytes));
	sodium_memzero(&st, sizeof(st));
}

static struct slot *
slot_of(struct plans *ps, const struct plan_key *k)
{
	return &ps->slot[((size_t)k->bytes[0] | (size_t)k->bytes[1] << 8) % SLOTS];
}

struct plan *
plans_get(struct plans *ps, const struct plan_key *k)
{
	struct slot *s = slot_of(ps, k);
	return s->plan != NULL && memcmp(&s->key, k, sizeof(*k)) == 0 ? s->plan : NULL;
}

void
plans_put(struct plans *ps, const struct plan_key *k, struct plan *p)
{
	struct slot *s = slot_of(ps, k);
	plan_ref(p);
	plan_unref(s->plan);
	s->key = *k;
	s->plan = p;
}

void
plans_drop(struct plans *ps, const struct plan_key *k)
{
	struct slot *s = slot_of(ps, k);
	if (plans_get(ps, k) == NULL)
		return;
	plan_unref(s->plan);
	s->plan = NULL;
}
