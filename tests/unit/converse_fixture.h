// SPDX-License-Identifier: Apache-2.0
// For the tests of Converse: JSON written with ' for ", a session, common request parts.
#ifndef TESTS_CONVERSE_FIXTURE_H
#define TESTS_CONVERSE_FIXTURE_H

#include "tests/unit/dialect_fixture.h"

#include <stdio.h>

static inline const char *
q(const char *text)
{
	static char ring[8][4096];
	static unsigned next;
	char *p = ring[next++ % 8];
	assert_true(strlen(text) < sizeof(ring[0]));
	memcpy(p, text, strlen(text) + 1);
	for (char *c = p; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return p;
}

#define CLAUDE (MODEL_CLAUDE | MODEL_ONE_SAMPLING)

static inline void
start(struct fixture *x, unsigned flags, enum model_thinking thinking)
{
	fixture_init(x, DIALECT_CHAT_CONVERSE, "us.anthropic.claude-x");
	x->r.model.flags = flags;
	x->r.model.thinking = thinking;
}

static inline void
same(struct fixture *x, const char *body, const char *wanted)
{
	fixture_request(x, q(body), q(wanted));
}

#define HI     "'messages':[{'role':'user','content':'hi'}]"
#define HI_C   "{'messages':[{'role':'user','content':[{'text':'hi'}]}]"
#define TOOL   "'tools':[{'type':'function','function':{'name':'w','parameters':{'type':'object'}}}]"
#define SPEC   "{'toolSpec':{'name':'w','inputSchema':{'json':{'type':'object'}}}}"
#define CONFIG "'toolConfig':{'tools':[" SPEC "]"

#define FORMAT                                                                                     \
	"'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':{'type':"      \
	"'object'}}}"

#endif
