// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Reading a chat request: turns, tool rounds, parts, data URLs, parameters, names.
#include "dialect/chat_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/data_url.h"

struct session {
	struct dialect d;
	struct chat c;
	struct dialect_fault f;
	bool ok;
};

// The body in exact memory, so that a read beyond it is seen by the sanitizers.
static struct session *
read_body(const char *body, bool strict)
{
	struct session *s = calloc(1, sizeof(*s));
	size_t len = strlen(body);
	char *copy = malloc(len);
	memcpy(copy, body, len);
	s->d.r.body = (struct view){copy, len};
	s->d.r.strict_params = strict;
	buf_init(&s->d.dropped, 256);
	assert_int_equal(jv_check(s->d.r.body, NULL), JV_OK);
	s->ok = chat_in_read(&s->d, &s->c, &s->f);
	return s;
}

static void
done(struct session *s)
{
	chat_in_free(&s->c);
	buf_free(&s->d.dropped);
	free((char *)(uintptr_t)s->d.r.body.p);
	free(s);
}

// The turns as one line: u or a, then the parts.
static void
show(const struct chat *c, char *out, size_t size)
{
	size_t n = 0;
	for (size_t t = 0; t < c->turn_count; t++) {
		n += (size_t)snprintf(out + n, size - n, "%s", c->turn[t].assistant ? "a[" : "u[");
		for (size_t i = c->turn[t].first; i < c->turn[t].first + c->turn[t].count; i++) {
			const struct chat_part *p = &c->part[i];
			static const char *const kind[] = {
			    "text", "data", "url", "file", "audio", "call", "result", "think"};
			struct view v = p->kind == CHAT_IMAGE_DATA || p->kind == CHAT_FILE_DATA
					    ? p->mime
					: p->kind == CHAT_IMAGE_URL ? p->url
					: p->kind == CHAT_TOOL_CALL ? p->arguments
								    : p->text;
			n += (size_t)snprintf(
			    out + n, size - n, "%s:%.*s;", kind[p->kind], (int)v.len, v.p);
		}
		n += (size_t)snprintf(out + n, size - n, "]");
		assert_true(n < size);
	}
}

static void
expect_turns(const char *messages, const char *want)
{
	char body[4096], got[4096] = "";
	snprintf(body, sizeof(body), "{\"model\":\"m\",\"messages\":[%s]}", messages);
	struct session *s = read_body(body, false);
	if (!s->ok)
		snprintf(got, sizeof(got), "%s: %s", s->f.param, s->f.code);
	else
		show(&s->c, got, sizeof(got));
	assert_string_equal(got, want);
	done(s);
}

#define CALL(id, name, args)                                                                       \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name                  \
	"\",\"arguments\":\"" args "\"}}"

static void
turns_alternate_and_begin_with_the_user(void **state)
{
	(void)state;
	expect_turns("{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}",
	    "u[text:a;text:b;]");
	expect_turns("{\"role\":\"assistant\",\"content\":\"hi\"}", "u[text:...;]a[text:hi;]");
	expect_turns("{\"role\":\"system\",\"content\":\"s\"}", "u[text:...;]");
	expect_turns("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\" \\n\"},"
		     "{\"type\":\"text\",\"text\":\"x\\ny\"}]}",
	    "u[text:x\ny;]");
	expect_turns(
	    "{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\"},"
	    "{\"role\":\"user\",\"content\":\"b\"}",
	    "u[text:a;text:b;]");
	expect_turns(
	    "{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,"
	    "\"refusal\":\"no\"}",
	    "u[text:a;]a[text:no;]");
	expect_turns(
	    "{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,"
	    "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"t\",\"signature\":"
	    "\"s\"}]}",
	    "u[text:a;]");
}

static void
results_of_a_round_stand_together_and_first(void **state)
{
	(void)state;
	expect_turns(
	    "{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"\","
	    "\"tool_calls\":[" CALL("1", "f", "{\\\"a\\\":1}") "," CALL(
		"2", "g", "") "]},"
			      "{\"role\":\"user\",\"content\":\"and\"},"
			      "{\"role\":\"tool\",\"tool_call_id\":\"2\",\"content\":\"two\"},"
			      "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":[{\"type\":"
			      "\"text\",\"text\":\"o\"},{\"type\":\"text\",\"text\":\"ne\"}]}",
	    "u[text:q;]a[call:{\"a\":1};call:{};]u[result:two;result:o\nne;text:and;]");
	expect_turns("{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"}",
	    "messages[0].tool_call_id: invalid_value");
	expect_turns("{\"role\":\"assistant\",\"tool_calls\":[" CALL("1", "f", "[]") "]}",
	    "messages[0].tool_calls[0].function.arguments: invalid_value");
	expect_turns(
	    "{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	    "{\"role\":\"function\",\"name\":\"f\",\"content\":\"r\"}",
	    "u[text:...;]a[call:{};]u[result:r;]");
}

static void
names_of_results_are_looked_up(void **state)
{
	(void)state;
	struct session *s = read_body(
	    "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[" CALL(
		"b", "second", "{}") "," CALL("a", "first",
		"{}") "]},"
		      "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"{\\\"k\\\":1}\"}]}",
	    false);
	assert_true(s->ok);
	const struct chat_part *p = &s->c.part[s->c.part_count - 1];
	assert_int_equal(p->kind, CHAT_TOOL_RESULT);
	assert_true(view_eq_str(p->name, "first"));
	assert_true(p->is_object);
	done(s);
}

static void
parts_have_their_forms(void **state)
{
	(void)state;
#define USER(part) "{\"role\":\"user\",\"content\":[" part "]}"
#define IMAGE(url) USER("{\"type\":\"image_url\",\"image_url\":{\"url\":\"" url "\"}}")
	expect_turns(IMAGE("https://x/y.png"), "u[url:https://x/y.png;]");
	// Labelled jpeg, but the bytes are those of a PNG.
	expect_turns(IMAGE("data:image/jpeg;base64,iVBORw0KGgoAAAAN"), "u[data:image/png;]");
	expect_turns(IMAGE("data:image/JPG;base64,AAAA"), "u[data:image/jpeg;]");
	expect_turns(IMAGE("data:image/png;base64,A"),
	    "messages[0].content[0].image_url.url: invalid_value");
	expect_turns(USER("{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}"),
	    "messages[0].content[0].file.file_id: invalid_value");
	expect_turns(USER("{\"type\":\"file\",\"file\":{\"file_data\":\"JVBERi0xLjQK\"}}"),
	    "u[file:application/pdf;]");
	expect_turns(USER("{\"type\":\"video\"}"), "messages[0].content[0].type: invalid_value");
	expect_turns("{\"role\":\"user\",\"content\":3}", "messages[0].content: invalid_value");
	expect_turns("{\"role\":\"nobody\",\"content\":\"\"}", "messages[0].role: invalid_value");
	expect_turns("", "messages: invalid_value");
}

static void
data_urls_are_normalised(void **state)
{
	(void)state;
	static const struct {
		const char *url, *mime, *data; // NULL: refused
	} cases[] = {
	    {"data:image/png;base64,AAAA", "image/png", "AAAA"},
	    {"DATA:Image/PNG;charset=x;BASE64,AA", "image/png", "AA=="},
	    {" data:;base64,-_-_ \n", "text/plain", "+/+/"},
	    {"data:a/b;base64,A%41%2BA", "a/b", "AA+A"},
	    {"data:a/b;base64,AA AA\nAAA", "a/b", "AAAAAAA="},
	    {"data:,a%20b", "text/plain", "YSBi"},
	    {"data:a/b;base64,A", NULL, NULL},
	    {"data:a/b;base64,", NULL, NULL},
	    {"data:a/b;base64,AA=A", NULL, NULL},
	    {"data:a/b;base64,A*AA", NULL, NULL},
	    {"data:a/b;base64", NULL, NULL},
	    {"http://x/", NULL, NULL},
	    {"", NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct data_url u;
		struct buf text;
		buf_init(&text, 1 << 20);
		bool ok = data_url_parse(view_of(cases[i].url), &u, &text);
		assert_int_equal(ok, cases[i].mime != NULL);
		if (ok) {
			assert_string_equal(u.mime, cases[i].mime);
			assert_true(view_eq_str(u.data, cases[i].data));
		}
		buf_free(&text);
	}
}

static void
expect_param(const char *members, bool strict, const char *param, const char *dropped)
{
	char body[1024];
	snprintf(body, sizeof(body), "{%s,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
	    members);
	struct session *s = read_body(body, strict);
	assert_string_equal(s->ok ? "" : s->f.param, param);
	if (s->ok)
		assert_true(view_eq_str(buf_done(&s->d.dropped), dropped));
	done(s);
}

static void
parameters_are_judged(void **state)
{
	(void)state;
	expect_param("\"n\":2", false, "n", "");
	expect_param("\"n\":1,\"store\":false,\"logit_bias\":null", true, "", "");
	expect_param(
	    "\"logit_bias\":{},\"store\":true,\"store2\":1", false, "", "logit_bias,store,store2");
	expect_param("\"logit_bias\":{}", true, "logit_bias", "");
	expect_param("\"a\\r\\nx: y\":1,\"b c\":2", false, "", "other");
	expect_param("\"max_tokens\":0", false, "max_tokens", "");
	expect_param("\"max_tokens\":-5,\"max_completion_tokens\":7", false, "", "");
	expect_param("\"temperature\":\"hot\"", false, "temperature", "");
	expect_param("\"reasoning_effort\":\"huge\"", false, "reasoning_effort", "");
	expect_param("\"response_format\":{\"type\":\"xml\"}", false, "response_format", "");
	expect_param("\"stop\":[1]", false, "stop", "");
	expect_param("\"modalities\":[\"text\"]", true, "", "");
	expect_param("\"modalities\":[\"text\",\"audio\"]", false, "", "modalities");
	expect_param("\"tools\":[{\"type\":\"web\"}]", false, "tools[0]", "");
}

#define TOOL(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"

static void
choice_and_allowed_tools(void **state)
{
	(void)state;
	struct session *s = read_body(
	    "{\"tools\":[" TOOL("a") "," TOOL("b") "," TOOL(
		"c") "],\"tool_choice\":{\"type\":\"allowed_tools\","
		     "\"allowed_tools\":{\"mode\":\"required\",\"tools\":[" TOOL("c") "," TOOL(
			 "a") "]}},\"stop\":[\" "
			      "\",\"x\"],\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
	    false);
	assert_true(s->ok);
	assert_int_equal(s->c.tool_count, 2);
	assert_true(view_eq_str(s->c.tool[0].name, "a") && view_eq_str(s->c.tool[1].name, "c"));
	assert_int_equal(s->c.choice, CHOICE_REQUIRED);
	assert_int_equal(s->c.stop_count, 1);
	done(s);
	expect_param(
	    "\"tools\":[" TOOL("a") "],\"tool_choice\":" TOOL("b"), false, "tool_choice", "");
}

static void
names_go_out_and_come_back(void **state)
{
	(void)state;
	struct session *s = read_body(
	    "{\"tools\":[" TOOL("mcp.git/read file") "," TOOL("mcp.git/read_file") "," TOOL(
		"plain_one") "],\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
	    false);
	assert_true(s->ok);
	struct chat_names *n = chat_names_new(&s->c, 64, false);
	for (size_t i = 0; i < s->c.tool_count; i++) {
		struct view out = chat_names_out(n, s->c.tool[i].name);
		assert_true(out.len <= 64);
		for (size_t j = 0; j < out.len; j++)
			assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz0123456789_", out.p[j]));
		assert_true(view_eq(chat_names_back(n, out), s->c.tool[i].name));
	}
	assert_true(view_eq_str(chat_names_out(n, VIEW("plain_one")), "plain_one"));
	assert_true(view_eq_str(chat_names_back(n, VIEW("unknown")), "unknown"));
	assert_false(
	    view_eq(chat_names_out(n, s->c.tool[0].name), chat_names_out(n, s->c.tool[1].name)));
	chat_names_free(n);
	char id[65];
	chat_names_call_id(VIEW("functions.get:0"), id);
	assert_memory_equal(id, "functions_get_0_", 16);
	chat_names_call_id(VIEW("toolu_1-A"), id);
	assert_string_equal(id, "toolu_1-A");
	done(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(turns_alternate_and_begin_with_the_user),
	    cmocka_unit_test(results_of_a_round_stand_together_and_first),
	    cmocka_unit_test(names_of_results_are_looked_up),
	    cmocka_unit_test(parts_have_their_forms),
	    cmocka_unit_test(data_urls_are_normalised),
	    cmocka_unit_test(parameters_are_judged),
	    cmocka_unit_test(choice_and_allowed_tools),
	    cmocka_unit_test(names_go_out_and_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
