// SPDX-License-Identifier: Apache-2.0
// Tool names and call ids that the target's grammar refuses: shortened with a hash, which
// the answer turns back. The map is built once from all names that the request holds, sorted
// both ways. Pure; heap only.
#include "dialect/chat_in.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES 6U
#define HASH_HEX   (2 * HASH_BYTES)
#define OUT_MAX	   128U

struct chat_name {
	char *client; // owned, client_len bytes
	size_t client_len;
	char out[OUT_MAX + 1];
};

struct chat_names {
	struct chat_name *name; // owned; sorted by client name; only those that change
	size_t count;
	const struct chat_name **back; // owned; sorted by out
};

static bool
plain(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool
fits(struct view v, size_t max, bool dots)
{
	if (v.len == 0 || v.len > max)
		return false;
	if (dots &&
	    (v.p[0] == '-' || v.p[0] == '.' || v.p[0] == ':' || (v.p[0] >= '0' && v.p[0] <= '9')))
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (!plain(v.p[i]) && !(dots && (v.p[i] == '.' || v.p[i] == ':')))
			return false;
	return true;
}

// <what can stay>_<hash>; begins with a letter or '_' always.
static void
shorten(struct view v, size_t max, char *out)
{
	unsigned char hash[crypto_generichash_BYTES];
	size_t n = 0;
	(void)crypto_generichash(hash, sizeof(hash), (const unsigned char *)v.p, v.len, NULL, 0);
	if (v.len != 0 && (v.p[0] == '-' || (v.p[0] >= '0' && v.p[0] <= '9')))
		out[n++] = '_';
	for (size_t i = 0; i < v.len && n < max - HASH_HEX - 1; i++)
		out[n++] = plain(v.p[i]) ? v.p[i] : '_';
	out[n++] = '_';
	(void)sodium_bin2hex(out + n, HASH_HEX + 1, hash, HASH_BYTES);
}

void
chat_names_call_id(struct view id, char out[65])
{
	if (fits(id, 64, false)) {
		memcpy(out, id.p, id.len);
		out[id.len] = '\0';
	} else {
		shorten(id, 64, out);
	}
}

static int
compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, MIN(a_len, b_len));
	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int
by_client(const void *a, const void *b)
{
	const struct chat_name *x = a, *y = b;
	return compare(x->client, x->client_len, y->client, y->client_len);
}

static int
by_out(const void *a, const void *b)
{
	const struct chat_name *const *x = a, *const *y = b;
	return strcmp((*x)->out, (*y)->out);
}

static void
add(struct chat_names *n, size_t *cap, struct view name, size_t max, bool dots)
{
	if (name.len == 0 || fits(name, max, dots))
		return;
	if (n->count == *cap) {
		*cap = MAX(2 * *cap, (size_t)8);
		n->name = base_realloc(n->name, *cap * sizeof(*n->name));
	}
	struct chat_name *e = &n->name[n->count++];
	e->client = base_realloc(NULL, name.len);
	memcpy(e->client, name.p, name.len); // may hold any byte
	e->client_len = name.len;
	shorten(name, max, e->out);
}

struct chat_names *
chat_names_new(const struct chat *c, size_t max, bool dots_allowed)
{
	struct chat_names *n = base_calloc(1, sizeof(*n));
	size_t cap = 0, kept = 0;
	BUG_IF(max > OUT_MAX || max < 32);
	for (size_t i = 0; i < c->tool_count; i++)
		add(n, &cap, c->tool[i].name, max, dots_allowed);
	for (size_t i = 0; i < c->part_count; i++)
		if (c->part[i].kind == CHAT_TOOL_CALL || c->part[i].kind == CHAT_TOOL_RESULT)
			add(n, &cap, c->part[i].name, max, dots_allowed);
	add(n, &cap, c->choice_tool, max, dots_allowed);
	if (n->count == 0)
		return n;
	qsort(n->name, n->count, sizeof(*n->name), by_client);
	for (size_t i = 0; i < n->count; i++) {
		if (kept != 0 && by_client(&n->name[kept - 1], &n->name[i]) == 0)
			free(n->name[i].client);
		else
			n->name[kept++] = n->name[i];
	}
	n->count = kept;
	n->back = base_calloc(kept, sizeof(*n->back));
	for (size_t i = 0; i < kept; i++)
		n->back[i] = &n->name[i];
	qsort(n->back, kept, sizeof(*n->back), by_out);
	return n;
}

void
chat_names_free(struct chat_names *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->count; i++)
		free(n->name[i].client);
	free(n->name);
	free(n->back);
	free(n);
}

struct view
chat_names_out(const struct chat_names *n, struct view client_name)
{
	size_t low = 0, high = n->count;
	while (low < high && client_name.len != 0) {
		size_t mid = low + (high - low) / 2;
		const struct chat_name *e = &n->name[mid];
		int order = compare(client_name.p, client_name.len, e->client, e->client_len);
		if (order == 0)
			return view_of(e->out);
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return client_name;
}

struct view
chat_names_back(const struct chat_names *n, struct view upstream_name)
{
	size_t low = 0, high = n->count;
	while (low < high && upstream_name.len != 0) {
		size_t mid = low + (high - low) / 2;
		const struct chat_name *e = n->back[mid];
		int order = compare(upstream_name.p, upstream_name.len, e->out, strlen(e->out));
		if (order == 0)
			return (struct view){e->client, e->client_len};
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return upstream_name;
}
