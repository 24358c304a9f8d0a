// SPDX-License-Identifier: Apache-2.0
// Reads the key file of the demo provider. May touch: that file, at start.
#include "ctl/provider_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct provider_keys {
	size_t n;
	struct provider_key *v;
};

#define WORDS_MAX 5

static char *
copy(struct view v)
{
	return base_strndup(v.p, v.len);
}

static size_t
split(struct view line, struct view words[WORDS_MAX])
{
	size_t n = 0;
	size_t i = 0;
	for (;;) {
		while (i < line.len && (line.p[i] == ' ' || line.p[i] == '\t' || line.p[i] == '\r'))
			i++;
		if (i == line.len || line.p[i] == '#')
			return n;
		if (n == WORDS_MAX)
			return WORDS_MAX + 1;
		size_t from = i;
		while (i < line.len && line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
			i++;
		words[n++] = (struct view){line.p + from, i - from};
	}
}

static bool
add(struct provider_keys *k, const struct view *w, size_t n)
{
	struct provider_key key = {0};
	if (view_eq_str(w[0], "openai") && n == 2) {
		key.kind = KEYS_OPENAI;
	} else if (view_eq_str(w[0], "anthropic") && n == 2) {
		key.kind = KEYS_ANTHROPIC;
	} else if (view_eq_str(w[0], "bedrock") && (n == 4 || n == 5)) {
		key.kind = KEYS_BEDROCK;
		key.secret = copy(w[2]);
		key.region = copy(w[3]);
		key.token = n == 5 ? copy(w[4]) : NULL;
	} else {
		return false;
	}
	key.id = copy(w[1]);
	k->v = base_realloc(k->v, (k->n + 1) * sizeof(*k->v));
	k->v[k->n++] = key;
	return true;
}

struct provider_keys *
provider_keys_parse(const char *text, const char *name)
{
	struct provider_keys *k = base_calloc(1, sizeof(*k));
	unsigned number = 0;
	while (*text != '\0') {
		struct view w[WORDS_MAX];
		size_t len = strcspn(text, "\n");
		size_t n = split((struct view){text, len}, w);
		number++;
		if (n != 0 && (n > WORDS_MAX || !add(k, w, n))) {
			log_msg(LOG_ERROR,
			    "%s:%u: want \"openai KEY\", \"anthropic KEY\" or "
			    "\"bedrock AKID SECRET REGION [TOKEN]\"",
			    name, number);
			provider_keys_free(k);
			return NULL;
		}
		text += len + (text[len] == '\n');
	}
	return k;
}

struct provider_keys *
provider_keys_load(const char *path)
{
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		log_msg(LOG_ERROR, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = NULL;
	size_t len = 0;
	size_t cap = 0;
	do {
		cap = cap == 0 ? 4096 : cap * 2;
		text = base_realloc(text, cap + 1);
		len += fread(text + len, 1, cap - len, f);
	} while (len == cap);
	text[len] = '\0';
	struct provider_keys *k = ferror(f) ? NULL : provider_keys_parse(text, path);
	fclose(f);
	free(text);
	return k;
}

void
provider_keys_free(struct provider_keys *k)
{
	for (size_t i = 0; k != NULL && i < k->n; i++) {
		free(k->v[i].id);
		free(k->v[i].secret);
		free(k->v[i].region);
		free(k->v[i].token);
	}
	if (k != NULL)
		free(k->v);
	free(k);
}

struct provider_key *
provider_keys_find(struct provider_keys *k, enum provider_keys_kind kind, struct view id)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].kind == kind && view_eq_str(id, k->v[i].id))
			return &k->v[i];
	return NULL;
}
