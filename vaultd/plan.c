// SPDX-License-Identifier: Apache-2.0
// The ring of plans. Touches memory only.
#include "vaultd/plan.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64U

struct view
plan_model(const struct plan *p)
{
	return (struct view){p->text, p->model_len};
}

struct view
plan_conversation(const struct plan *p)
{
	return (struct view){p->text + p->model_len, p->conversation_len};
}

static struct plan_slot *
slot_at(const struct plan_table *t, size_t i)
{
	return &t->slot[(t->head + i) & (t->cap - 1)];
}

static bool
expired(const struct plan *p, uint64_t now_ns)
{
	return !p->in_flight && now_ns - p->made_ns >= PLAN_LIFE_NS;
}

static void
count_unused(struct plan_table *t, bool more)
{
	t->unused = more ? t->unused + 1 : t->unused - 1;
	if (t->unused_all != NULL)
		*t->unused_all = more ? *t->unused_all + 1 : *t->unused_all - 1;
}

static void
free_plan(struct plan_table *t, struct plan *p)
{
	if (p != NULL && !p->used)
		count_unused(t, false);
	free(p);
}

static void
pop(struct plan_table *t)
{
	free_plan(t, slot_at(t, 0)->plan);
	t->head = (t->head + 1) & (t->cap - 1);
	t->count--;
}

void
plan_expire(struct plan_table *t, uint64_t now_ns)
{
	while (t->count != 0) {
		const struct plan *p = slot_at(t, 0)->plan;
		if (p != NULL && !expired(p, now_ns))
			return;
		pop(t);
	}
}

static void
grow(struct plan_table *t)
{
	size_t cap = MAX(t->cap * 2, CAP_MIN);
	struct plan_slot *slot = base_calloc(cap, sizeof(*slot));
	for (size_t i = 0; i < t->count; i++)
		slot[i] = *slot_at(t, i);
	free(t->slot);
	t->slot = slot;
	t->cap = cap;
	t->head = 0;
}

// The oldest plan gives way, unless its USE waits for the audit.
static bool
evict(struct plan_table *t)
{
	const struct plan *oldest = slot_at(t, 0)->plan;
	if (oldest != NULL && oldest->in_flight)
		return false;
	pop(t);
	return true;
}

static bool
make_room(struct plan_table *t)
{
	if (t->count < t->cap)
		return true;
	if (t->cap == PLAN_MAX)
		return evict(t);
	grow(t);
	return true;
}

static char *
put(char *to, struct view v)
{
	if (v.len != 0)
		memcpy(to, v.p, v.len);
	return to + v.len;
}

static struct plan *
new_plan(struct view model, struct view conversation, const struct policy_choice *choice)
{
	size_t n = choice == NULL ? 0 : choice->count, size = model.len + conversation.len;
	for (size_t i = 0; i < n; i++)
		size += choice->attempt[i].model.len;
	struct plan *p = base_calloc(1, sizeof(*p) + size);
	p->model_len = model.len;
	p->conversation_len = conversation.len;
	char *at = put(put(p->text, model), conversation);
	for (size_t i = 0; i < n; i++) {
		p->attempt[i] = choice->attempt[i];
		p->attempt[i].model.p = at;
		at = put(at, choice->attempt[i].model);
	}
	p->attempt_count = n;
	return p;
}

struct plan *
plan_add(struct plan_table *t, uint64_t id, struct view model, struct view conversation,
    const struct policy_choice *choice, uint64_t now_ns)
{
	BUG_IF(t->count != 0 && slot_at(t, t->count - 1)->id >= id);
	plan_expire(t, now_ns);
	while (t->unused_all != NULL && *t->unused_all >= PLAN_ALL_MAX && t->unused >= PLAN_SHARE)
		if (!evict(t))
			return NULL;
	if (!make_room(t))
		return NULL;
	struct plan *p = new_plan(model, conversation, choice);
	p->id = id;
	p->made_ns = now_ns;
	t->count++;
	count_unused(t, true);
	*slot_at(t, t->count - 1) = (struct plan_slot){.id = id, .plan = p};
	return p;
}

static struct plan_slot *
find_slot(struct plan_table *t, uint64_t id)
{
	size_t low = 0, high = t->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct plan_slot *s = slot_at(t, mid);
		if (s->id == id)
			return s;
		if (s->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct plan *
plan_find(struct plan_table *t, uint64_t id, uint64_t now_ns)
{
	struct plan_slot *s = find_slot(t, id);
	if (s == NULL || s->plan == NULL || expired(s->plan, now_ns))
		return NULL;
	return s->plan;
}

void
plan_mark_used(struct plan_table *t, struct plan *p)
{
	if (!p->used)
		count_unused(t, false);
	p->used = true;
}

void
plan_drop(struct plan_table *t, uint64_t id)
{
	struct plan_slot *s = find_slot(t, id);
	if (s == NULL || s->plan == NULL || s->plan->in_flight)
		return;
	free_plan(t, s->plan);
	s->plan = NULL;
}

void
plan_clear(struct plan_table *t)
{
	while (t->count != 0)
		pop(t);
	free(t->slot);
	*t = (struct plan_table){.unused_all = t->unused_all};
}
