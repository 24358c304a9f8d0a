// SPDX-License-Identifier: Apache-2.0
// Grammars, by hand: no pattern language decides about a request head. Pure.
#include "proto/grammar.h"

#include <string.h>

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
grammar_region_valid(struct view r)
{
	if (r.len < 6 || r.len > 25 || !is_lower(r.p[0]) || !is_lower(r.p[1]))
		return false;
	size_t i = 2, words = 0;
	while (i + 1 < r.len && r.p[i] == '-' && is_lower(r.p[i + 1])) {
		for (i++; i < r.len && is_lower(r.p[i]);)
			i++;
		words++;
	}
	if (words == 0 || i >= r.len || r.p[i] != '-')
		return false;
	size_t digits = r.len - i - 1;
	if (digits < 1 || digits > 2)
		return false;
	return is_digit(r.p[i + 1]) && is_digit(r.p[r.len - 1]);
}

bool
grammar_host_valid(struct view h)
{
	if (h.len == 0 || h.len > 253)
		return false;
	size_t label = 0;
	for (size_t i = 0; i < h.len; i++) {
		char c = h.p[i];
		if (c == '.') {
			if (label == 0 || h.p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_lower(c) && !is_digit(c) && (c != '-' || label == 0))
			return false;
		if (++label > 63)
			return false;
	}
	return label != 0 && h.p[h.len - 1] != '-';
}

bool
grammar_visible(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x21 || v.p[i] > 0x7e)
			return false;
	return true;
}

// A model id is one path segment on the wire ('/' is sent as %2F), but a server that
// decodes before it resolves would climb: no part between slashes may be "." or "..".
static bool
has_dot_segment(struct view m)
{
	size_t start = 0;
	for (size_t i = 0; i <= m.len; i++) {
		if (i < m.len && m.p[i] != '/')
			continue;
		struct view part = {m.p + start, i - start};
		if (view_eq_str(part, ".") || view_eq_str(part, ".."))
			return true;
		start = i + 1;
	}
	return false;
}

bool
grammar_model_valid(struct view m)
{
	return m.len >= 1 && m.len <= 2048 && grammar_visible(m) && !has_dot_segment(m);
}

bool
grammar_header_valid(struct view v)
{
	if (v.len == 0 || v.len > 2048 || v.p[0] == ' ' || v.p[v.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	return true;
}

bool
grammar_text_valid(struct view v, size_t min, size_t max, const char *more)
{
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') &&
		    (c == '\0' || strchr(more, c) == NULL))
			return false;
	}
	return v.len >= min && v.len <= max;
}

bool
grammar_digits_valid(struct view v, size_t min, size_t max)
{
	for (size_t i = 0; i < v.len; i++)
		if (!is_digit(v.p[i]))
			return false;
	return v.len >= min && v.len <= max;
}

bool
grammar_param_valid(uint64_t param, struct view v)
{
	switch (param) {
	case PARAM_BETA:
		return view_eq_str(v, "true") || view_eq_str(v, "false");
	case PARAM_LIMIT:
		return grammar_digits_valid(v, 1, 4);
	case PARAM_PAGE_SIZE:
		return grammar_digits_valid(v, 1, 4);
	case PARAM_API_VERSION: // a date, "-preview", or "preview" alone
		return grammar_text_valid(v, 1, 32, "-");
	case PARAM_PAGE_TOKEN:
		return grammar_text_valid(v, 1, 512, "_-.=+/");
	case PARAM_AFTER_ID:
	case PARAM_BEFORE_ID:
		return grammar_text_valid(v, 1, 128, "_-.:");
	default:
		return false;
	}
}

bool
grammar_location_valid(struct view l)
{
	if (view_eq_str(l, "global") || view_eq_str(l, "us") || view_eq_str(l, "eu"))
		return true;
	size_t i = 0, word = 0;
	while (i < l.len && is_lower(l.p[i]))
		i++;
	if (i == 0 || i > 20 || i >= l.len || l.p[i++] != '-')
		return false;
	for (word = i; i < l.len && is_lower(l.p[i]);)
		i++;
	return i > word && i < l.len && l.len <= 32 &&
	       grammar_digits_valid((struct view){l.p + i, l.len - i}, 1, 2);
}

bool
grammar_model_pattern_valid(struct view v)
{
	const char *star = v.len == 0 ? NULL : memchr(v.p, '*', v.len);
	return v.len != 0 && grammar_visible(v) && (star == NULL || star == v.p + v.len - 1);
}

bool
grammar_prefix_valid(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!is_lower(v.p[i]) && v.p[i] != '-')
			return false;
	return v.len >= 2 && v.len <= 8;
}

bool
grammar_name_valid(struct view v)
{
	return grammar_text_valid(v, 1, 64, "._-") && v.p[0] != '.' && v.p[0] != '_' &&
	       v.p[0] != '-';
}

bool
grammar_begins(struct view v, const char *prefix)
{
	size_t n = strlen(prefix);
	return v.len >= n && memcmp(v.p, prefix, n) == 0;
}

bool
grammar_ends(struct view v, const char *suffix)
{
	size_t n = strlen(suffix);
	return v.len >= n && memcmp(v.p + v.len - n, suffix, n) == 0;
}

int
grammar_number(struct view v, uint64_t *n_r)
{
	if (!grammar_digits_valid(v, 1, 18))
		return -1;
	*n_r = 0;
	for (size_t i = 0; i < v.len; i++)
		*n_r = *n_r * 10 + (uint64_t)(v.p[i] - '0');
	return 0;
}
