// links: dialect
// SPDX-License-Identifier: Apache-2.0
// OpenAI chat completions on Bedrock ConverseStream: the event stream cut at every byte
// gives the same chunks. And the rename of a model. JSON here is written with ' for ".
#include "tests/unit/converse_fixture.h"

#include "common/eventstream.h"

// --- streams ------------------------------------------------------------------------------

struct event {
	const char *type, *payload;
	bool exception;
};

static size_t
write_events(const struct event *e, size_t n, char *dst, size_t cap)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		struct eventstream_out o;
		eventstream_begin(&o, dst + len, cap - len);
		eventstream_put_string(
		    &o, e[i].exception ? ":exception-type" : ":event-type", view_of(e[i].type));
		eventstream_put_string(
		    &o, ":message-type", e[i].exception ? VIEW("exception") : VIEW("event"));
		size_t one = eventstream_end(&o, view_of(q(e[i].payload)));
		assert_true(one > 0);
		len += one;
	}
	return len;
}

// The bytes cut in two through the reader that the gateway uses.
static enum dialect_end
feed(struct fixture *x, const char *bytes, size_t len, size_t cut)
{
	struct eventstream s;
	eventstream_init(&s, 0);
	for (size_t at = 0; at < len;) {
		size_t used = 0, end = at < cut ? cut : len;
		enum eventstream_result r = eventstream_feed(&s, bytes + at, end - at, &used);
		assert_int_not_equal(r, EVENTSTREAM_FAILED);
		at += used;
		if (r != EVENTSTREAM_MESSAGE)
			continue;
		struct view type = eventstream_string(&s.message, ":event-type");
		bool error = type.p == NULL;
		if (error)
			type = eventstream_string(&s.message, ":exception-type");
		(void)dialect_event(x->d, type, s.message.payload, error, &x->out);
	}
	eventstream_free(&s);
	return dialect_finish(x->d, &x->out);
}

static void
stream(struct fixture *x, const char *request, const struct event *e, size_t n,
    enum dialect_end end, const char *wanted)
{
	static char bytes[16384];
	char keep[4096];
	assert_int_equal(view_copy(view_of(q(request)), keep, sizeof(keep)), 0);
	size_t len = write_events(e, n, bytes, sizeof(bytes));
	x->r.stream = true;
	for (size_t cut = 0; cut <= len; cut++) {
		assert_true(fixture_open(x, keep));
		assert_int_equal(feed(x, bytes, len, cut), end);
		// The chunks without what all of them share.
		struct buf b;
		buf_init(&b, 1U << 20);
		static const char head[] =
		    "data: {\"id\":\"chatcmpl-req1\",\"object\":\"chat.completion.chunk\","
		    "\"created\":1763700000,\"model\":\"asked-model\",\"choices\":[";
		for (size_t i = 0; i < x->out.len; i++) {
			if (x->out.len - i >= sizeof(head) - 1 &&
			    memcmp(x->out.p + i, head, sizeof(head) - 1) == 0)
				i += sizeof(head) - 2;
			else
				buf_char(&b, x->out.p[i]);
		}
		fixture_equal(&b, wanted == NULL ? "" : q(wanted));
		buf_free(&b);
	}
}

#define D(members) "{'index':0,'delta':{" members "},'logprobs':null,'finish_reason':null}]}\n\n"
#define ROLE	   D("'role':'assistant','content':'','refusal':null")
#define END(reason, native)                                                                        \
	"{'index':0,'delta':{},'logprobs':null,'finish_reason':'" reason                           \
	"','native_finish_reason':'" native "'}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define ASK  "{'model':'m'," HI "," TOOL ",'stream':true}"

static void
test_stream_4_5_6(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	static const struct event e[] = {
	    {"messageStart", "{'role':'assistant','p':'abcdef'}", false},
	    {"contentBlockDelta",
		"{'contentBlockIndex':0,'delta':{'reasoningContent':{'text':'h'}}}", false},
	    {"contentBlockDelta",
		"{'contentBlockIndex':0,'delta':{'reasoningContent':{'text':'m'}}}", false},
	    {"contentBlockDelta",
		"{'contentBlockIndex':0,'delta':{'reasoningContent':{'signature':'S'}}}", false},
	    {"contentBlockStop", "{'contentBlockIndex':0}", false},
	    {"contentBlockDelta", "{'contentBlockIndex':1,'delta':{'text':'a'},'p':'x'}", false},
	    {"someNewEvent", "{'x':1}", false},
	    {"contentBlockStop", "{'contentBlockIndex':1}", false},
	    {"contentBlockStart",
		"{'contentBlockIndex':2,'start':{'toolUse':{'toolUseId':'t1','name':'w'}}}", false},
	    {"contentBlockDelta", "{'contentBlockIndex':2,'delta':{'toolUse':{'input':'{'}}}",
		false},
	    {"contentBlockDelta", "{'contentBlockIndex':2,'delta':{'toolUse':{'input':'}'}}}",
		false},
	    {"contentBlockStop", "{'contentBlockIndex':2}", false},
	    {"contentBlockStart",
		"{'contentBlockIndex':3,'start':{'toolUse':{'toolUseId':'t2','name':'w'}}}", false},
	    {"contentBlockStop", "{'contentBlockIndex':3}", false},
	    {"messageStop", "{'stopReason':'tool_use'}", false},
	    {"metadata", "{'usage':{'inputTokens':3,'outputTokens':4,'totalTokens':7}}", false},
	};
#define CALL(k, id)                                                                                \
	D("'tool_calls':[{'index':" k ",'id':'" id "','type':'function','function':{'name':'w',"   \
	  "'arguments':''}}]")
#define ARGS(k, a) D("'tool_calls':[{'index':" k ",'function':{'arguments':'" a "'}}]")
	stream(&x, ASK, e, ARRAY_LEN(e), DIALECT_COMPLETE,
	    ROLE D("'reasoning_content':'h'") D("'reasoning_content':'m'") D(
		"'reasoning_details':[{'type':'reasoning.text','text':'hm','signature':'S','format'"
		":"
		"'anthropic-claude-v1'}]") D("'content':'a'") CALL("0", "t1") ARGS("0", "{")
		ARGS("0", "}") CALL("1", "t2") ARGS("1", "{}") END("tool_calls", "tool_use") DONE);
	assert_int_equal(dialect_usage(x.d)->input, 3);
	assert_int_equal(dialect_usage(x.d)->output, 4);
	assert_true(dialect_has_content(x.d));
	fixture_free(&x);
}

static void
test_stream_ends_9(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	static const struct event e[] = {
	    {"messageStart", "{'role':'assistant'}", false},
	    {"contentBlockDelta", "{'contentBlockIndex':0,'delta':{'text':'a'}}", false},
	    {"messageStop", "{'stopReason':'end_turn'}", false},
	};
	// No metadata: whole, without usage although asked for.
#define U(chunk) chunk ",'usage':null}\n\n"
	stream(&x, "{'model':'m'," HI ",'stream':true,'stream_options':{'include_usage':true}}", e,
	    3, DIALECT_COMPLETE,
	    U("{'index':0,'delta':{'role':'assistant','content':'','refusal':null},'logprobs':null,"
	      "'finish_reason':null}]")
		U("{'index':0,'delta':{'content':'a'},'logprobs':null,'finish_reason':null}]")
		    U("{'index':0,'delta':{},'logprobs':null,'finish_reason':'stop',"
		      "'native_finish_reason':'end_turn'}]") DONE);
	// Cut before the stop: open, nothing closes it.
	stream(&x, ASK, e, 2, DIALECT_OPEN, ROLE D("'content':'a'"));
	static const struct event error[] = {
	    {"messageStart", "{'role':'assistant'}", false},
	    {"throttlingException", "{'message':'Too many tokens'}", true},
	    {"messageStop", "{'stopReason':'end_turn'}", false},
	};
	stream(&x, ASK, error, 3, DIALECT_FAILED, ROLE);
	assert_string_equal(dialect_failure(x.d)->type, "throttlingException");
	assert_string_equal(dialect_failure(x.d)->message, "Too many tokens");
	assert_false(dialect_has_content(x.d));
	static const struct event broken[] = {
	    {"contentBlockDelta", "{'contentBlockIndex':", false}};
	stream(&x, ASK, broken, 1, DIALECT_FAILED, NULL);
	static const struct event stray[] = {{"contentBlockDelta",
	    "{'contentBlockIndex':1,'delta':{'toolUse':{'input':'{}'}}}", false}};
	stream(&x, ASK, stray, 1, DIALECT_FAILED, NULL);
	assert_true(fixture_open(&x, q(ASK)));
	(void)dialect_event(x.d, VIEW("internal"), VIEW("plain words"), true, &x.out);
	assert_string_equal(dialect_failure(x.d)->message, "plain words");
	fixture_free(&x);
}

static void
test_stream_json_mode_40(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	static const struct event e[] = {
	    {"contentBlockStart",
		"{'contentBlockIndex':0,'start':{'toolUse':{'toolUseId':'t','name':'json'}}}",
		false},
	    {"contentBlockDelta",
		"{'contentBlockIndex':0,'delta':{'toolUse':{'input':'{\\'a\\''}}}", false},
	    {"contentBlockDelta", "{'contentBlockIndex':0,'delta':{'toolUse':{'input':':1}'}}}",
		false},
	    {"contentBlockStop", "{'contentBlockIndex':0}", false},
	    {"messageStop", "{'stopReason':'tool_use'}", false},
	};
	stream(&x, "{'model':'m'," HI ",'stream':true," FORMAT "}", e, 5, DIALECT_COMPLETE,
	    ROLE D("'content':'{\\'a\\''") D("'content':':1}'") END("stop", "tool_use") DONE);
	fixture_free(&x);
}

static void
test_rename(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MODEL_IN_BODY, "gpt-\"x");
	same(&x, "{ 'a' : 1.10, 'mod\\u0065l' : 'openai/gpt' ,'m':{'model':'in'}}",
	    "{ 'a' : 1.10, 'mod\\u0065l' : 'gpt-\\\"x' ,'m':{'model':'in'}}");
	assert_false(dialect_answer(x.d, VIEW("{}"), &x.out)); // answers pass natively
	assert_int_equal(dialect_event(x.d, VIEW(""), VIEW("{}"), false, &x.out), DIALECT_OPEN);
	// The client named it in the path, and perhaps nowhere else.
	same(&x, " {'a':1}", " {'model':'gpt-\\\"x','a':1}");
	same(&x, "{}", "{'model':'gpt-\\\"x'}");
	same(&x, "{'model' : null, 'a':1}", "{'model' : 'gpt-\\\"x', 'a':1}");
	fixture_refused(&x, q("['model']"), "invalid_value", "");
	fixture_free(&x);
}

static void
test_version(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_VERSION_IN_BODY, "m");
	same(&x,
	    "{ 'anthropic\\u005fversion' : '2026-10-21','x':{'anthropic_version':1}, 'max':1.0}",
	    "{ 'anthropic\\u005fversion' : 'bedrock-2023-05-31','x':{'anthropic_version':1}, "
	    "'max':1.0}");
	fixture_refused(&x, q("{'model':'m'}"), "invalid_value", "anthropic_version");
	fixture_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stream_4_5_6),
	    cmocka_unit_test(test_stream_ends_9),
	    cmocka_unit_test(test_stream_json_mode_40),
	    cmocka_unit_test(test_rename),
	    cmocka_unit_test(test_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
