// links: dialect
// SPDX-License-Identifier: Apache-2.0
// OpenAI chat completions on Bedrock Converse: requests, whole answers, streams cut at
// every byte; the corner cases that break other gateways. And the rename of a model.
// JSON here is written with ' for ".
#include "tests/unit/dialect_fixture.h"

#include "common/eventstream.h"

#include <stdio.h>

static const char *
q(const char *text)
{
	static char ring[8][4096];
	static unsigned next;
	char *p = ring[next++ % 8];
	assert_true(strlen(text) < sizeof(ring[0]));
	strcpy(p, text);
	for (char *c = p; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return p;
}

#define CLAUDE (MODEL_CLAUDE | MODEL_ONE_SAMPLING)

static void
start(struct fixture *x, unsigned flags, enum model_thinking thinking)
{
	fixture_init(x, DIALECT_CHAT_CONVERSE, "us.anthropic.claude-x");
	x->r.model.flags = flags;
	x->r.model.thinking = thinking;
}

static void
same(struct fixture *x, const char *body, const char *wanted)
{
	fixture_request(x, q(body), q(wanted));
}

#define HI     "'messages':[{'role':'user','content':'hi'}]"
#define HI_C   "{'messages':[{'role':'user','content':[{'text':'hi'}]}]"
#define TOOL   "'tools':[{'type':'function','function':{'name':'w','parameters':{'type':'object'}}}]"
#define SPEC   "{'toolSpec':{'name':'w','inputSchema':{'json':{'type':'object'}}}}"
#define CONFIG "'toolConfig':{'tools':[" SPEC "]"

static void
test_parameters(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	x.r.model.max_output = 1000;
	same(&x, "{'model':'m'," HI "}", HI_C "}");
	same(&x,
	    "{'model':'m','messages':[{'role':'system','content':'a'},{'role':'user','content':"
	    "'hi'},{'role':'developer','content':'b'}],'max_completion_tokens':70,'temperature':"
	    "0.10,'top_k':5,'stop':['x',' ','y'],'service_tier':'flex','user':'u-1'}",
	    HI_C ",'system':[{'text':'a'},{'text':'b'}],'inferenceConfig':{'maxTokens':70,"
		 "'temperature':0.10,'stopSequences':['x','y']},'additionalModelRequestFields':{"
		 "'top_k':5},'serviceTier':{'type':'flex'},'requestMetadata':{'user':'u-1'}}");
	// 23: more than the model can say is capped.
	same(&x, "{'model':'m'," HI ",'max_tokens':5000,'service_tier':'auto'}",
	    HI_C ",'inferenceConfig':{'maxTokens':1000}}");
	// 24: above one is refused; both together are refused by some.
	same(&x, "{'model':'m'," HI ",'temperature':1.5,'top_p':0.9}",
	    HI_C ",'inferenceConfig':{'temperature':1}}");
	assert_true(view_eq_str(dialect_dropped(x.d), "top_p"));
	x.r.model.flags = CLAUDE | MODEL_NO_SAMPLING;
	same(
	    &x, "{'model':'m'," HI ",'temperature':1,'top_k':2,'seed':3,'user':'a\\nb'}", HI_C "}");
	fixture_has(&(struct buf){.p = (char *)(uintptr_t)dialect_dropped(x.d).p,
			.len = dialect_dropped(x.d).len},
	    "temperature");
	x.r.strict_params = true;
	fixture_refused(
	    &x, q("{'model':'m'," HI ",'temperature':1}"), "unsupported_parameter", "temperature");
	fixture_free(&x);
}

static void
test_turns_1_5_6_26_43(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	// Results of one round share a user message, blank texts are gone, numbers stay.
	same(&x,
	    "{'model':'m','messages':[{'role':'user','content':'a'},{'role':'assistant','content':"
	    "'','tool_calls':[{'id':'c1','type':'function','function':{'name':'w','arguments':"
	    "'{\\'n\\':12345678901234567890,\\'f\\':1.10}'}},{'id':'c2','type':'function',"
	    "'function':{'name':'w','arguments':''}}]},{'role':'tool','tool_call_id':'c1',"
	    "'content':'one'},{'role':'tool','tool_call_id':'c2','content':''},{'role':'user',"
	    "'content':[{'type':'text','text':' '},{'type':'text','text':'go'}]},{'role':'user',"
	    "'content':'on'}]," TOOL "}",
	    "{'messages':[{'role':'user','content':[{'text':'a'}]},{'role':'assistant','content':["
	    "{'toolUse':{'toolUseId':'c1','name':'w','input':{'n':12345678901234567890,'f':1.10}}},"
	    "{'toolUse':{'toolUseId':'c2','name':'w','input':{}}}]},{'role':'user','content':["
	    "{'toolResult':{'toolUseId':'c1','content':[{'text':'one'}],'status':'success'}},"
	    "{'toolResult':{'toolUseId':'c2','content':[{'text':'(empty)'}],'status':'success'}},"
	    "{'text':'go'},{'text':'on'}]}]," CONFIG "}}");
	fixture_free(&x);
}

#define ROUND                                                                                      \
	"'messages':[{'role':'user','content':'a'},{'role':'assistant','content':null,"            \
	"'tool_calls':[{'id':'c1','type':'function','function':{'name':'w','arguments':"           \
	"'{\\'c\\':1}'}}]},{'role':'tool','tool_call_id':'c1','content':'22C'}]"
#define ROUND_TEXT                                                                                 \
	"{'messages':[{'role':'user','content':[{'text':'a'}]},{'role':'assistant','content':"     \
	"[{'text':'[Called the tool w with {\\'c\\':1}]'}]},{'role':'user','content':[{'text':"    \
	"'[Result of the tool w]\\n22C'}]}]"

static void
test_history_without_tools_2_3(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	same(&x, "{'model':'m'," ROUND "}", ROUND_TEXT "}");
	same(&x, "{'model':'m'," ROUND "," TOOL ",'tool_choice':'none'}", ROUND_TEXT "}");
	fixture_free(&x);
}

static void
test_tools_27_28(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	same(&x, "{'model':'m'," HI "," TOOL ",'tool_choice':'auto'}",
	    HI_C "," CONFIG ",'toolChoice':{'auto':{}}}}");
	same(&x, "{'model':'m'," HI "," TOOL ",'tool_choice':'required'}",
	    HI_C "," CONFIG ",'toolChoice':{'any':{}}}}");
	same(&x,
	    "{'model':'m'," HI "," TOOL ",'tool_choice':{'type':'function','function':{'name':'w'}}"
					",'parallel_tool_calls':false}",
	    HI_C "," CONFIG ",'toolChoice':{'tool':{'name':'w'}}},'additionalModelRequestFields':{"
		 "'tool_choice':{'type':'tool','name':'w','disable_parallel_tool_use':true}}}");
	same(&x,
	    "{'model':'m'," HI ",'tools':[{'type':'function','function':{'name':'w','description':"
	    "'','strict':true}}]}",
	    HI_C ",'toolConfig':{'tools':[{'toolSpec':{'name':'w','inputSchema':{'json':{'type':"
		 "'object','properties':{}}}}}]}}");
	x.r.model.flags = MODEL_STRICT_TOOLS;
	same(&x,
	    "{'model':'m'," HI ",'tools':[{'type':'function','function':{'name':'w','description':"
	    "'d','strict':true}}],'parallel_tool_calls':false}",
	    HI_C ",'toolConfig':{'tools':[{'toolSpec':{'name':'w','description':'d','inputSchema':"
		 "{'json':{'type':'object','properties':{}}},'strict':true}}]}}");
	assert_true(view_eq_str(dialect_dropped(x.d), "parallel_tool_calls"));
	// A name and an id outside the grammar, and the name back in the answer.
	assert_true(fixture_open(
	    &x, q("{'model':'m','messages':[{'role':'user','content':'a'},{'role':'assistant',"
		  "'tool_calls':[{'id':'a/b','type':'function','function':{'name':'mcp.x/"
		  "y','arguments':"
		  "'{}'}}]},{'role':'tool','tool_call_id':'a/b','content':'r'}],'tools':[{'type':"
		  "'function','function':{'name':'mcp.x/y'}}]}")));
	fixture_lacks(&x.body, "mcp.x/y");
	fixture_lacks(&x.body, "a/b");
	const char *at = memmem(x.body.p, x.body.len, "\"toolSpec\":{\"name\":\"", 20);
	assert_non_null(at);
	char name[80] = {0}, body[512];
	memcpy(name, at + 20, strcspn(at + 20, "\""));
	snprintf(body, sizeof(body),
	    q("{'output':{'message':{'content':[{'toolUse':{'toolUseId':'t','name':'%s','input':{}}"
	      "}]}},'stopReason':'tool_use'}"),
	    name);
	assert_true(dialect_answer(x.d, view_of(body), &x.out));
	fixture_has(&x.out, q("'name':'mcp.x/y','arguments':'{}'"));
	fixture_free(&x);
}

static void
test_media_29_30(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
#define PART(p)	 "{'model':'m','messages':[{'role':'user','content':[" p "]}]}"
#define BLOCK(b) "{'messages':[{'role':'user','content':[" b "]}]}"
	same(&x, PART("{'type':'image_url','image_url':{'url':'data:image/jpg;base64,/9j/'}}"),
	    BLOCK("{'image':{'format':'jpeg','source':{'bytes':'/9j/'}}}"));
	same(&x, PART("{'type':'image_url','image_url':{'url':'s3://b/k.PNG'}}"),
	    BLOCK("{'image':{'format':'png','source':{'s3Location':{'uri':'s3://b/k.PNG'}}}}"));
	fixture_refused(&x, q(PART("{'type':'image_url','image_url':{'url':'https://h/a.png'}}")),
	    "invalid_value", "messages[0].content");
	assert_non_null(strstr(x.fault.message, "data:image/"));
#define FILE_PART(n)                                                                               \
	"{'type':'file','file':{'filename':'" n "','file_data':'data:application/pdf;base64,"      \
	"JVBERi0='}}"
#define DOCUMENT(n) "{'document':{'format':'pdf','name':'" n "','source':{'bytes':'JVBERi0='}}}"
	same(&x,
	    PART(FILE_PART("report.v2.pdf") "," FILE_PART("report.v2.pdf") "," FILE_PART("__.pdf")),
	    BLOCK(DOCUMENT("report-v2") "," DOCUMENT("report-v2 (2)") "," DOCUMENT(
		"document (3)") ",{'text':'See the document.'}"));
	same(&x, PART(FILE_PART("a (2).pdf") ",{'type':'text','text':'t'}"),
	    BLOCK(DOCUMENT("a (2) (1)") ",{'text':'t'}"));
	same(&x, PART("{'type':'input_audio','input_audio':{'data':'UklGRg==','format':'wav'}}"),
	    BLOCK("{'audio':{'format':'wav','source':{'bytes':'UklGRg=='}}}"));
	fixture_free(&x);
}

static void
test_thinking_24_25(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_BUDGET);
	x.r.model.max_output = 64000;
	same(&x,
	    "{'model':'m'," HI ",'reasoning_effort':'medium','max_tokens':100,'temperature':1}",
	    HI_C ",'inferenceConfig':{'maxTokens':8292},'additionalModelRequestFields':{"
		 "'thinking':{'type':'enabled','budget_tokens':8192}}}");
	assert_true(view_eq_str(dialect_dropped(x.d), "temperature"));
	// The signed thoughts go back first, as they were.
#define ASSISTANT_DETAILS                                                                          \
	"'messages':[{'role':'user','content':'a'},{'role':'assistant','reasoning_content':'x',"   \
	"'reasoning_details':[{'type':'reasoning.text','text':'why','signature':'S'},"             \
	"{'type':'reasoning.encrypted','data':'R'},"                                               \
	"{'type':'reasoning.encrypted','data':'G','format':'google-gemini-v1'}],"                  \
	"'tool_calls':[{'id':'c1','type':'function','function':{'name':'w','arguments':'{}'}}]},"  \
	"{'role':'tool','tool_call_id':'c1','content':'r'}]"
	assert_true(fixture_open(
	    &x, q("{'model':'m'," ASSISTANT_DETAILS "," TOOL ",'reasoning_effort':'low'}")));
	fixture_has(&x.body, q("[{'reasoningContent':{'reasoningText':{'text':'why','signature':"
			       "'S'}}},{'reasoningContent':{'redactedContent':'R'}},{'toolUse'"));
	fixture_has(&x.body, q("'budget_tokens':1024"));
	// Thoughts that were lost: no thinking rather than a refusal.
	assert_true(
	    fixture_open(&x, q("{'model':'m'," ROUND "," TOOL ",'reasoning_effort':'low'}")));
	fixture_lacks(&x.body, "budget_tokens");
	assert_true(view_eq_str(dialect_dropped(x.d), "reasoning_effort"));
	x.r.model.thinking = THINKING_ADAPTIVE;
	same(&x, "{'model':'m'," HI ",'reasoning_effort':'xhigh'}",
	    HI_C ",'additionalModelRequestFields':{'thinking':{'type':'adaptive'},"
		 "'output_config':{'effort':'xhigh'}}}");
	same(&x, "{'model':'m'," HI ",'reasoning_effort':'none'}",
	    HI_C ",'additionalModelRequestFields':{'thinking':{'type':'disabled'}}}");
	same(&x, "{'model':'m'," HI "," TOOL ",'tool_choice':'required','reasoning_effort':'low'}",
	    HI_C "," CONFIG ",'toolChoice':{'any':{}}},'additionalModelRequestFields':{"
		 "'output_config':{'effort':'low'}}}");
	x.r.model.thinking = THINKING_ALWAYS;
	same(&x, "{'model':'m'," HI ",'reasoning_effort':'none'}",
	    HI_C ",'additionalModelRequestFields':{'output_config':{'effort':'low'}}}");
	x.r.model.thinking = THINKING_EFFORT;
	x.r.model.flags = MODEL_NO_THINKING_OFF;
	same(&x, "{'model':'m'," HI ",'reasoning_effort':'max'}",
	    HI_C ",'additionalModelRequestFields':{'reasoning_effort':'high'}}");
	fixture_free(&x);
}

static void
test_betas_14(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	x.r.anthropic_beta = VIEW("new-1, context-1m,x");
	x.r.model.betas = VIEW("context-1m,other");
	same(&x, "{'model':'m'," HI "}",
	    HI_C ",'additionalModelRequestFields':{'anthropic_beta':['context-1m']}}");
	fixture_free(&x);
}

#define FORMAT                                                                                     \
	"'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':{'type':"      \
	"'object'}}}"

static void
test_prefill(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
#define PREFILL                                                                                    \
	"{'model':'m','messages':[{'role':'user','content':'a'},{'role':'assistant','content':"    \
	"'x  '}]}"
	same(&x, PREFILL,
	    "{'messages':[{'role':'user','content':[{'text':'a'}]},{'role':'assistant','content':"
	    "[{'text':'x'}]}]}");
	x.r.model.flags |= MODEL_NO_PREFILL;
	fixture_refused(&x, q(PREFILL), "invalid_value", "messages");
	fixture_free(&x);
}

// --- answers ------------------------------------------------------------------------------

#define COMPLETION(message, end)                                                                   \
	"{'id':'chatcmpl-req1','object':'chat.completion','created':1763700000,'model':"           \
	"'asked-model','choices':[{'index':0,'message':{'role':'assistant'," message               \
	"},'logprobs':null," end

static void
answer(struct fixture *x, const char *body, const char *wanted)
{
	buf_clear(&x->out);
	assert_true(dialect_answer(x->d, view_of(q(body)), &x->out));
	fixture_equal(&x->out, q(wanted));
}

static void
test_whole_answer_7(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	assert_true(fixture_open(&x, q("{'model':'m'," HI "}")));
	answer(&x,
	    "{'output':{'message':{'role':'assistant','content':[{'reasoningContent':"
	    "{'reasoningText':{'text':'hm','signature':'S'}}},{'reasoningContent':"
	    "{'redactedContent':'R'}},{'text':'a'},{'unknown':{}},{'text':'b'},{'toolUse':"
	    "{'toolUseId':'t1','name':'w','input':{'n':12345678901234567890}}}]}},"
	    "'stopReason':'tool_use','usage':{'inputTokens':1,'outputTokens':2,'totalTokens':3,"
	    "'cacheReadInputTokens':40,'cacheWriteInputTokens':500}}",
	    COMPLETION("'content':'ab','refusal':null,'reasoning_content':'hm',"
		       "'reasoning_details':[{'type':'reasoning.text','text':'hm','signature':'S',"
		       "'format':'anthropic-claude-v1'},{'type':'reasoning.encrypted','data':'R',"
		       "'format':'anthropic-claude-v1'}],'tool_calls':[{'id':'t1','type':"
		       "'function','function':{'name':'w','arguments':"
		       "'{\\'n\\':12345678901234567890}'}}]",
		"'finish_reason':'tool_calls','native_finish_reason':'tool_use'}],'usage':"
		"{'prompt_tokens':541,'completion_tokens':2,'total_tokens':543,"
		"'prompt_tokens_details':{'cached_tokens':40,'cache_write_tokens':500}}}"));
	assert_int_equal(dialect_usage(x.d)->cache_write, 500);
	static const struct {
		const char *from, *to;
	} reasons[] = {{"end_turn", "stop"}, {"stop_sequence", "stop"}, {"max_tokens", "length"},
	    {"model_context_window_exceeded", "length"}, {"guardrail_intervened", "content_filter"},
	    {"content_filtered", "content_filter"}, {"malformed_tool_use", "stop"}};
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		char body[256], end[128];
		assert_true(fixture_open(&x, q("{'model':'m'," HI "}")));
		snprintf(body, sizeof(body),
		    q("{'output':{'message':{'content':[{'text':'a'}]}},'stopReason':'%s'}"),
		    reasons[i].from);
		assert_true(dialect_answer(x.d, view_of(body), &x.out));
		snprintf(end, sizeof(end), q("'finish_reason':'%s','native_finish_reason':'%s'"),
		    reasons[i].to, reasons[i].from);
		fixture_has(&x.out, end);
		fixture_lacks(&x.out, "usage");
	}
	fixture_free(&x);
}

static void
test_no_output_with_status_200_11(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE, THINKING_NONE);
	static const struct {
		const char *body, *type;
	} bad[] = {
	    {"{'Output':{'__type':'com.amazon.coral.service#UnknownOperationException'},"
	     "'Version':'1.0'}",
		"UnknownOperationException"},
	    {"{'message':'no'}", "invalid_answer"},
	    {"<html>", "invalid_answer"},
	    {"{'output':{'message':{'content':null}}}", "invalid_answer"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(fixture_open(&x, q("{'model':'m'," HI "}")));
		assert_false(dialect_answer(x.d, view_of(q(bad[i].body)), &x.out));
		assert_non_null(dialect_failure(x.d));
		assert_string_equal(dialect_failure(x.d)->type, bad[i].type);
		assert_true(dialect_failure(x.d)->message[0] != '\0');
		assert_int_equal(x.out.len, 0);
	}
	fixture_free(&x);
}

static void
test_json_mode_40(void **state)
{
	(void)state;
	struct fixture x;
	start(&x, CLAUDE | MODEL_JSON_SCHEMA, THINKING_NONE);
	same(&x, "{'model':'m'," HI "," FORMAT "}",
	    HI_C ",'outputConfig':{'textFormat':{'type':'json_schema','structure':{'jsonSchema':"
		 "{'schema':'{\\'type\\':\\'object\\'}','name':'n'}}}}}");
	x.r.model.flags = CLAUDE;
	assert_true(fixture_open(&x, q("{'model':'m'," HI "," FORMAT "}")));
	fixture_has(&x.body, q("'inputSchema':{'json':{'type':'object'}}"));
	fixture_has(&x.body, q("'toolChoice':{'tool':{'name':'json'}}"));
	answer(&x,
	    "{'output':{'message':{'content':[{'toolUse':{'toolUseId':'t','name':'json','input':"
	    "{'a':1.10}}}]}},'stopReason':'tool_use','usage':{}}",
	    COMPLETION("'content':'{\\'a\\':1.10}','refusal':null",
		"'finish_reason':'stop','native_finish_reason':'tool_use'}],'usage':"
		"{'prompt_tokens':0,'completion_tokens':0,'total_tokens':0,"
		"'prompt_tokens_details':{'cached_tokens':0,'cache_write_tokens':0}}}"));
	// Beside tools of the client, one of which has the name: any, and another name.
	assert_true(fixture_open(
	    &x, q("{'model':'m'," HI ",'response_format':{'type':'json_object'},'tools':[{'type':"
		  "'function','function':{'name':'json_'}},{'type':'function','function':{'name':"
		  "'json'}}]}")));
	fixture_has(&x.body, q("'name':'json__'"));
	fixture_has(&x.body, q("'toolChoice':{'any':{}}"));
	assert_true(fixture_open(
	    &x, q("{'model':'m'," HI "," TOOL ",'tool_choice':'required'," FORMAT "}")));
	fixture_lacks(&x.body, q("'json_"));
	fixture_lacks(&x.body, q("'name':'json'"));
	fixture_free(&x);
}

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
	strcpy(keep, q(request));
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
	// No metadata: whole, without usage. Cut before the stop: open, nothing closes it.
	stream(&x, "{'model':'m'," HI ",'stream':true}", e, 3, DIALECT_COMPLETE,
	    ROLE D("'content':'a'") END("stop", "end_turn") DONE);
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
	fixture_refused(&x, q("{'a':1}"), "invalid_value", "model");
	fixture_refused(&x, q("{'model':7}"), "invalid_value", "model");
	fixture_refused(&x, q("['model']"), "invalid_value", "model");
	fixture_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_turns_1_5_6_26_43),
	    cmocka_unit_test(test_history_without_tools_2_3),
	    cmocka_unit_test(test_tools_27_28),
	    cmocka_unit_test(test_media_29_30),
	    cmocka_unit_test(test_thinking_24_25),
	    cmocka_unit_test(test_betas_14),
	    cmocka_unit_test(test_prefill),
	    cmocka_unit_test(test_whole_answer_7),
	    cmocka_unit_test(test_no_output_with_status_200_11),
	    cmocka_unit_test(test_json_mode_40),
	    cmocka_unit_test(test_stream_4_5_6),
	    cmocka_unit_test(test_stream_ends_9),
	    cmocka_unit_test(test_stream_json_mode_40),
	    cmocka_unit_test(test_rename),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
