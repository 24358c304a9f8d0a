// links: dialect
// SPDX-License-Identifier: Apache-2.0
// OpenAI chat completions on Bedrock Converse: requests and whole answers, with the
// corner cases that break other gateways.
// JSON here is written with ' for ".
#include "tests/unit/converse_fixture.h"

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
	// A budget of thoughts and words already said do not go together.
	x.r.model.thinking = THINKING_BUDGET;
	x.r.model.max_output = 64000;
	same(&x,
	    "{'model':'m','messages':[{'role':'user','content':'a'},{'role':'assistant','content':"
	    "'x'}],'reasoning_effort':'low'}",
	    "{'messages':[{'role':'user','content':[{'text':'a'}]},{'role':'assistant','content':"
	    "[{'text':'x'}]}]}");
	assert_true(view_eq_str(dialect_dropped(x.d), "reasoning_effort"));
	x.r.model.flags |= MODEL_NO_PREFILL;
	same(&x, PREFILL, "{'messages':[{'role':'user','content':[{'text':'a'}]}]}");
	assert_true(view_eq_str(dialect_dropped(x.d), "messages[1]"));
	x.r.strict_params = true;
	fixture_refused(&x, q(PREFILL), "unsupported_parameter", "messages[1]");
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
