// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the leak scanner against a slow reference that sees the whole stream
// at once and holds the secret itself. Both must agree on every stream and every
// cut of it into records. Input: first byte, size of records; then literal bytes,
// except that 0xc0 and above insert pieces of the secret's forms.
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "vaultd/sealer_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY	 "Zx81QpLw93mVbT7nRk2Y4f9a"
#define TEXT_MAX 8192U

static char forms[11][128];

static void
make_forms(void)
{
	static const int variants[] = {
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
	size_t len = strlen(KEY), n = 0;
	snprintf(forms[n++], sizeof(forms[0]), "%s", KEY);
	for (size_t v = 0; v < ARRAY_LEN(variants); v++) {
		for (size_t shift = 0; shift < 3; shift++) {
			// Characters that stay the same whatever surrounds the secret.
			uint8_t a[32] = {0}, b[32];
			char ta[64], tb[64];
			memset(b, 0xff, sizeof(b));
			memcpy(a + shift, KEY, len);
			memcpy(b + shift, KEY, len);
			sodium_bin2base64(ta, sizeof(ta), a, shift + len + 2, variants[v]);
			sodium_bin2base64(tb, sizeof(tb), b, shift + len + 2, variants[v]);
			size_t from = (shift * 8 + 5) / 6, to = (shift + len) * 8 / 6;
			if (memcmp(ta + from, tb + from, to - from) != 0)
				abort();
			snprintf(forms[n++], sizeof(forms[0]), "%.*s", (int)(to - from), ta + from);
		}
	}
	static const char *const formats[] = {"%02x", "%02X", "%%%02x", "%%%02X"};
	for (size_t f = 0; f < ARRAY_LEN(formats); f++, n++)
		for (size_t i = 0; i < len; i++)
			snprintf(forms[n] + strlen(forms[n]), 4, formats[f], (uint8_t)KEY[i]);
}

static bool
reference_hit(const char *text, size_t len, size_t *first_r)
{
	size_t first = SIZE_MAX;
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		size_t w = f < 7 ? 12 : 24;
		for (size_t at = 0; at + w <= strlen(forms[f]); at++) {
			const char *p = memmem(text, len, forms[f] + at, w);
			if (p != NULL)
				first = MIN(first, (size_t)(p - text));
		}
	}
	*first_r = first;
	return first != SIZE_MAX;
}

// Length of the chunk-size line at p, CR LF on both sides included, or 0.
static size_t
size_line(const char *p, size_t n)
{
	if (n < 5 || memcmp(p, "\r\n", 2) != 0)
		return 0;
	size_t i = 2;
	while (i < n && memchr("0123456789abcdefABCDEF", p[i], 22) != NULL)
		i++;
	if (i == 2 || i == n)
		return 0;
	if (memchr("; \t", p[i], 3) != NULL)
		while (i < n && p[i] != '\r' && p[i] != '\n')
			i++;
	return i + 2 <= n && p[i] == '\r' && p[i + 1] == '\n' && i < SEALER_SCAN_LINE ? i + 2 : 0;
}

static size_t
reference_join(const char *text, size_t len, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		size_t skip = size_line(text + i, len - i);
		if (skip == 0)
			out[n++] = text[i++];
		i += skip;
	}
	return n;
}

static size_t
expand(const uint8_t *data, size_t size, char *text)
{
	size_t n = 0;
	for (size_t i = 0; i < size && n + 128 < TEXT_MAX; i++) {
		if (data[i] < 0xc0 || i + 2 >= size) {
			text[n++] = (char)data[i];
			continue;
		}
		const char *form = forms[data[i] % ARRAY_LEN(forms)];
		size_t from = data[i + 1] % strlen(form);
		size_t len = MIN(data[i + 2] % 40U, strlen(form) - from);
		memcpy(text + n, form + from, len);
		n += len;
		i += 2;
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sealer_guard *guard;
	static char text[TEXT_MAX], joined[TEXT_MAX];
	static uint8_t room[SEALER_SCAN_ROOM + TEXT_MAX];
	if (guard == NULL) {
		if (sodium_init() < 0 || secmem_init(4096) == SECMEM_NONE)
			abort();
		guard = sealer_guard_new();
		if (guard == NULL)
			abort();
		sealer_guard_learn(guard, (const uint8_t *)KEY, strlen(KEY));
		make_forms();
	}
	if (size == 0)
		return 0;
	size_t n = expand(data + 1, size - 1, text), record = data[0] == 0 ? TEXT_MAX : data[0];
	size_t first, first_joined;
	bool plain = reference_hit(text, n, &first);
	bool want = reference_hit(joined, reference_join(text, n, joined), &first_joined) || plain;

	struct sealer_scan s = {0};
	size_t passed = 0;
	bool cut = false;
	for (size_t at = 0; at < n && !cut; at += record) {
		size_t len = MIN(record, n - at);
		memcpy(room + SEALER_SCAN_ROOM, text + at, len);
		size_t pass = sealer_scan_feed(&s, guard, room + SEALER_SCAN_ROOM, len);
		passed += pass;
		cut = pass < len;
	}
	if (cut != want)
		abort();
	// Of a window in the stream itself, all but its last byte may pass at most.
	if (plain && passed > first + SEALER_SCAN_ROOM)
		abort();
	if (plain && record == TEXT_MAX && passed > first)
		abort();
	return 0;
}
