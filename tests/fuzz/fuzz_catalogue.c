// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// An applied catalogue is data from outside: whatever it holds, what is accepted reads
// the same again, its rows can be put into a request head as they are, and models
// resolve in it for every provider without an invariant broken.
//
// Input: the frames of a catalogue.
#include <stdlib.h>
#include <string.h>

#include "vaultd/catalogue.h"
#include "proto/grammar.h"
#include "vaultd/policy_resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) BUG_IF(!(cond))

static void
check_op(const struct catalogue *c, const struct catalogue_op *op)
{
	char buf[4096];
	struct text t;
	struct catalogue_place place = {VIEW("a/../b c?d#e%\r\n"), VIEW("p\r\nx: y"), VIEW("r/s")};
	MUST(catalogue_known_op(op->id) && ids_provider(op->provider) != NULL);
	MUST(catalogue_op(c, op->id, op->provider, op->variant) == op);
	MUST((op->max_body == 0) == view_eq_str(op->method, "GET"));
	MUST(op->max_body != 0 || view_eq_str(op->method, "GET"));
	MUST(op->max_body <= CATALOGUE_BODY_MAX && grammar_visible(op->query));
	MUST((op->headers & 1) == 0 && op->headers < 2U << HEADER_LAST);
	text_init(&t, buf, sizeof(buf));
	catalogue_path(op, &place, &t);
	MUST(!t.failed && t.len != 0 && buf[0] == '/');
	for (size_t i = 0; i < t.len; i++)
		MUST(strchr(" ?#{}\\", buf[i]) == NULL && buf[i] > 0x20 && buf[i] < 0x7f);
	MUST(memmem(buf, t.len, "/../", 4) == NULL && memmem(buf, t.len, "//", 2) == NULL);
}

static void
check_model(const struct catalogue *c, const struct catalogue_model *m)
{
	const struct catalogue_model *u = catalogue_model_upstream(c, m->provider, m->upstream);
	MUST(catalogue_model(c, m->provider, m->name) == m);
	MUST(u != NULL && view_eq(u->upstream, m->upstream) && u->provider == m->provider);
	MUST(grammar_model_valid(m->name) && grammar_model_valid(m->upstream));
	MUST(m->profiles == 0 || m->provider == PROVIDER_BEDROCK);
}

static void
check_resolution(const struct catalogue *c, struct view model)
{
	static char geo[] = "geo", none[] = "none";
	char *const setting[] = {NULL, geo, none};
	struct policy_target t;
	for (uint64_t p = 1; p <= PROVIDER_LAST; p++) {
		struct cred cred = {.provider = p, .region = "us-east-1"};
		for (uint64_t op = 1; op <= CATALOGUE_OP_LAST; op++) {
			struct policy_asked a = policy_resolve_asked(c, op, model, (op & 1) != 0);
			cred.extra.setting[SETTING_PROFILE] = setting[(op + p) % 3];
			if (policy_resolve(c, &a, &cred, &t) != POLICY_FIT_GOOD)
				continue;
			MUST(catalogue_op(c, t.operation, p, 0) != NULL);
			MUST(t.translated == (t.operation != op));
			MUST(!catalogue_takes_model(op) || grammar_model_valid(t.model));
			if (p == PROVIDER_BEDROCK && (op + p) % 3 != 0)
				MUST(!grammar_begins(t.model, "global."));
		}
	}
}

static void
check_hosts(const struct catalogue *c)
{
	static const char *const regions[] = {
	    "", "us-east-1", "global", "us-central1", "x/y", "a.b"};
	char host[254];
	for (uint64_t p = 0; p <= PROVIDER_LAST + 1; p++)
		for (size_t i = 0; i < ARRAY_LEN(regions); i++)
			if (catalogue_host(c, p, view_of(regions[i]), host) == 0)
				MUST(grammar_host_valid(view_of(host)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view in = {(const char *)data, size};
	struct catalogue_error e = {0};
	struct catalogue *c = catalogue_parse(in, &e);
	if (c == NULL) {
		MUST(e.message[0] != '\0' && strlen(e.message) < sizeof(e.message));
		return 0;
	}
	struct catalogue *again = catalogue_parse(c->frames, &e);
	MUST(again != NULL && view_eq(again->frames, c->frames));
	catalogue_unref(again);
	again = catalogue_parse_as(c->frames, &(struct catalogue_stamp){.version = 77}, &e);
	MUST(again != NULL && again->version == 77 && again->model_count == c->model_count);
	catalogue_unref(again);
	for (size_t i = 0; i < c->op_count; i++)
		check_op(c, &c->op[i]);
	for (size_t i = 0; i < c->model_count; i++) {
		check_model(c, &c->model[i]);
		check_resolution(c, c->model[i].name);
		check_resolution(c, c->model[i].upstream);
	}
	check_resolution(c, VIEW("global.anthropic.claude-x"));
	check_resolution(c, VIEW("bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/global.x"));
	check_hosts(c);
	catalogue_unref(c);
	return 0;
}
