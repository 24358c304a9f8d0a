// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Runs every case under tests/golden/<pair>/: request in and upstream body out, answer or
// stream in and the client's out, compared byte by byte. A stream goes through the gateway's
// reader as the provider sends it, SSE or event stream, cut at every byte. GOLDEN_PRINT=1 prints
// what came out (to write a case, not to judge it).
//
// A case is a text of sections, each begun by a line "== name":
//   options  words: stream strict thinking=budget|adaptive|always|gemini_budget|gemini_level
//            flags=N max_output=N upstream=NAME asked=NAME pair=FOLDER beta=TEXT
//   request  the client's body; default {"model":"m","messages":[{"role":"user","content":"q"}]}
//   body     expected upstream body: line breaks and indents are taken out
//   fault    instead of body: expected "code param"
//   headers  expected "id=value" lines     dropped  expected names
//   answer   the upstream's whole answer    out      expected for the client, as body
//   events   the upstream's stream as SSE (an event name "!x" is exception x)
//   stream   expected SSE for the client; a last line "open" or "failed TYPE" says how it ended
//   usage    expected "input cache_read cache_write output reasoning"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/sse.h"
#include "dialect/dialect.h"
#include "gatewayd/translate.h"
#include "gatewayd/worker.h"

#define CASES_MAX 512
#define TEXT_MAX  ((size_t)4 << 20)

static char paths[CASES_MAX][512];
static struct CMUnitTest tests[CASES_MAX];

static const struct {
	const char *folder;
	enum dialect_pair pair;
} folders[] = {
    {"chat_messages", DIALECT_CHAT_MESSAGES},
    {"chat_raw_predict", DIALECT_CHAT_RAW_PREDICT},
    {"chat_converse", DIALECT_CHAT_CONVERSE},
    {"chat_generate", DIALECT_CHAT_GENERATE},
    {"messages_invoke", DIALECT_MESSAGES_INVOKE},
    {"messages_raw_predict", DIALECT_MESSAGES_RAW_PREDICT},
    {"count_bedrock", DIALECT_COUNT_BEDROCK},
    {"count_raw_predict", DIALECT_COUNT_RAW_PREDICT},
    {"embed_gemini", DIALECT_EMBED_GEMINI},
    {"embed_vertex", DIALECT_EMBED_VERTEX},
    {"embed_bedrock", DIALECT_EMBED_BEDROCK},
    {"model_in_body", DIALECT_MODEL_IN_BODY},
};

// --- the case's text -----------------------------------------------------------------

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = calloc(1, TEXT_MAX);
	size_t n = fread(text, 1, TEXT_MAX - 1, f);
	assert_true(n < TEXT_MAX - 1);
	fclose(f);
	return text;
}

// The section without its last line ends, in memory of its own; NULL: none.
static char *
section(const char *text, const char *name)
{
	char mark[64];
	snprintf(mark, sizeof(mark), "== %s\n", name);
	const char *at = text;
	while ((at = strstr(at, mark)) != NULL && at != text && at[-1] != '\n')
		at++;
	if (at == NULL)
		return NULL;
	at += strlen(mark);
	const char *end = strncmp(at, "== ", 3) == 0 ? at : strstr(at, "\n== ");
	size_t n = end == NULL ? strlen(at) : (size_t)(end - at);
	while (n > 0 && at[n - 1] == '\n')
		n--;
	return strndup(at, n);
}

// Takes out line breaks and the indents behind them: JSON strings hold neither.
static void
join_lines(char *s)
{
	char *to = s;
	for (bool start = true; *s != '\0'; s++) {
		if (*s == '\n' || (start && (*s == ' ' || *s == '\t'))) {
			start = true;
			continue;
		}
		start = false;
		*to++ = *s;
	}
	*to = '\0';
}

// A word that stands alone.
static bool
has_word(const char *options, const char *name)
{
	for (const char *at = options; at != NULL && (at = strstr(at, name)) != NULL; at++)
		if ((at == options || at[-1] == ' ' || at[-1] == '\n') &&
		    strchr(" \n", at[strlen(name)]) != NULL)
			return true;
	return false;
}

static struct view
word(const char *options, const char *name)
{
	const char *at = options == NULL ? NULL : strstr(options, name);
	if (at == NULL)
		return (struct view){0};
	at += strlen(name);
	return (struct view){at, strcspn(at, " \n")};
}

static uint64_t
word_uint(const char *options, const char *name)
{
	struct view v = word(options, name);
	return v.len == 0 ? 0 : strtoull(v.p, NULL, 10);
}

struct golden {
	char *text, *options, *request;
	struct dialect_request r;
};

static void
set_up(struct golden *g, const char *path)
{
	static const char *const thinking[] = {
	    "none", "budget", "adaptive", "always", "gemini_budget", "gemini_level", "effort"};
	static const char plain[] =
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}";
	g->text = read_file(path);
	g->options = section(g->text, "options");
	g->request = section(g->text, "request");
	if (g->request == NULL)
		g->request = strdup(plain);
	const char *o = g->options;
	struct view pair = word(o, "pair="), name = word(o, "thinking="), asked = word(o, "asked="),
		    upstream = word(o, "upstream=");
	g->r = (struct dialect_request){
	    .body = view_of(g->request),
	    .now_s = 1700000000,
	    .id = "req1",
	    .stream = has_word(o, "stream"),
	    .strict_params = has_word(o, "strict"),
	    .anthropic_beta = word(o, "beta="),
	};
	g->r.model.asked = asked.len != 0 ? asked : VIEW("asked-model");
	g->r.model.upstream = upstream.len != 0 ? upstream : VIEW("upstream-model");
	g->r.model.max_output = word_uint(o, "max_output=");
	g->r.model.flags = (unsigned)word_uint(o, "flags=");
	for (size_t i = 0; i < ARRAY_LEN(thinking); i++)
		if (view_eq_str(name, thinking[i]))
			g->r.model.thinking = (enum model_thinking)i;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char in[64];
		snprintf(in, sizeof(in), "/%s/", folders[i].folder);
		if (pair.len != 0 ? view_eq_str(pair, folders[i].folder) : strstr(path, in) != NULL)
			g->r.pair = folders[i].pair;
	}
	assert_int_not_equal(g->r.pair, DIALECT_NATIVE);
	assert_int_equal(jv_check(g->r.body, NULL), JV_OK);
}

static void
tear_down(struct golden *g)
{
	free(g->text);
	free(g->options);
	free(g->request);
}

static void
same(const char *what, struct view got, const char *want)
{
	if (getenv("GOLDEN_PRINT") != NULL)
		printf("== %s\n%.*s\n", what, (int)got.len, got.p);
	else if (!view_eq_str(got, want))
		fail_msg("%s\n got: %.*s\nwant: %s", what, (int)got.len, got.p, want);
}

// --- one case --------------------------------------------------------------------------

// Bedrock sends its events in frames of its own.
static bool
framed(enum dialect_pair pair)
{
	return pair == DIALECT_CHAT_CONVERSE || pair == DIALECT_MESSAGES_INVOKE;
}

static void
put_frame(struct buf *wire, struct view name, struct view data)
{
	bool error = name.len != 0 && name.p[0] == '!';
	size_t room = data.len + 512;
	struct eventstream_out o;
	eventstream_begin(&o, buf_reserve(wire, room), room);
	eventstream_put_string(&o, ":message-type", error ? VIEW("exception") : VIEW("event"));
	eventstream_put_string(&o, error ? ":exception-type" : ":event-type",
	    error ? (struct view){name.p + 1, name.len - 1} : name);
	eventstream_put_string(&o, ":content-type", VIEW("application/json"));
	size_t n = eventstream_end(&o, data);
	assert_int_not_equal(n, 0);
	wire->len += n;
}

// What the provider sends for the events of a case.
static void
put_wire(enum dialect_pair pair, const char *events, struct buf *wire)
{
	struct sse_parser s;
	struct view in = view_of(events);
	size_t used;
	if (!framed(pair)) {
		buf_str(wire, events);
		return;
	}
	sse_init(&s, 0);
	while (sse_feed(&s, in.p, in.len, &used) == SSE_EVENT) {
		if (s.event.has_data)
			put_frame(wire, s.event.name, s.event.data);
		in = (struct view){in.p + used, in.len - used};
	}
	sse_free(&s);
}

// The whole stream in two pieces, or byte by byte; how it ended is appended as a line.
static void
run_stream(const struct golden *g, struct view wire, size_t cut, const char *want, bool print)
{
	struct worker w = {.limits = {.buffered_max = 1U << 30}};
	struct facts facts;
	struct dialect_fault f;
	struct translation *t = calloc(1, sizeof(*t));
	t->w = &w;
	buf_init(&t->body, TEXT_MAX);
	buf_init(&t->out, TEXT_MAX);
	facts_init(&facts);
	t->d = dialect_new(&g->r, &t->body, &f);
	assert_non_null(t->d);
	translate_stream(t, !framed(g->r.pair), &facts);
	for (size_t at = 0, n; at < wire.len; at += n) {
		n = cut > wire.len ? 1 : at < cut ? cut : wire.len - at;
		assert_true(translate_feed(t, (struct view){wire.p + at, n}));
	}
	enum dialect_end end = translate_finish(t);
	struct buf *out = &t->out;
	while (out->len != 0 && out->p[out->len - 1] == '\n')
		out->len--;
	if (end == DIALECT_OPEN)
		buf_str(out, out->len == 0 ? "open" : "\nopen");
	if (end == DIALECT_FAILED)
		buf_fmt(out, "%sfailed %s", out->len == 0 ? "" : "\n", dialect_failure(t->d)->type);
	if (print || getenv("GOLDEN_PRINT") == NULL)
		same("stream", buf_done(out), want);
	facts_free(&facts);
	translate_end(&t);
}

static void
check_usage(const struct dialect *d, const char *want)
{
	char got[128];
	const struct dialect_usage *u = dialect_usage(d);
	snprintf(got, sizeof(got), "%lu %lu %lu %lu %lu", u->input, u->cache_read, u->cache_write,
	    u->output, u->reasoning);
	same("usage", view_of(got), want);
}

static void
check_request(const struct golden *g, struct dialect *d, const struct buf *body,
    const struct dialect_fault *f)
{
	char *want = section(g->text, "body"), *fault = section(g->text, "fault"),
	     *dropped = section(g->text, "dropped"), *headers = section(g->text, "headers");
	char got[512] = "";
	if (fault != NULL || d == NULL) {
		snprintf(got, sizeof(got), "%s %s", f->code, f->param);
		assert_true(fault == NULL || d == NULL);
		same("fault", view_of(got), fault == NULL ? "none" : fault);
	} else {
		assert_int_equal(jv_check(buf_done(body), NULL), JV_OK);
		if (want != NULL) {
			join_lines(want);
			same("body", buf_done(body), want);
		}
		same("dropped", dialect_dropped(d), dropped == NULL ? "" : dropped);
		struct msg_named h[8];
		size_t n = dialect_headers(d, h, ARRAY_LEN(h)), at = 0;
		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%lu=%.*s",
			    i == 0 ? "" : "\n", h[i].id, (int)h[i].value.len, h[i].value.p);
		if (headers != NULL)
			same("headers", view_of(got), headers);
	}
	free(want);
	free(fault);
	free(dropped);
	free(headers);
}

static void
run_case(void **state)
{
	struct golden g = {0};
	struct buf body, out;
	struct dialect_fault f;
	set_up(&g, *state);
	buf_init(&body, TEXT_MAX);
	buf_init(&out, TEXT_MAX);
	struct dialect *d = dialect_new(&g.r, &body, &f);
	check_request(&g, d, &body, &f);
	char *answer = section(g.text, "answer"), *want = section(g.text, "out"),
	     *events = section(g.text, "events"), *stream = section(g.text, "stream"),
	     *usage = section(g.text, "usage");
	if (answer != NULL && d != NULL) {
		bool ok = dialect_answer(d, view_of(answer), &out);
		if (!ok) {
			buf_clear(&out);
			buf_fmt(&out, "failed %s", dialect_failure(d)->type);
		} else {
			assert_int_equal(jv_check(buf_done(&out), NULL), JV_OK);
		}
		if (want != NULL)
			join_lines(want);
		same("out", buf_done(&out), want == NULL ? "" : want);
		if (usage != NULL)
			check_usage(d, usage);
	}
	if (events != NULL) {
		char *full = calloc(1, strlen(events) + 3); // its last event ends, too
		snprintf(full, strlen(events) + 3, "%s\n\n", events);
		struct buf wire;
		buf_init(&wire, TEXT_MAX);
		put_wire(g.r.pair, full, &wire);
		for (size_t cut = 0; cut <= wire.len + 1; cut++)
			run_stream(
			    &g, buf_done(&wire), cut, stream == NULL ? "" : stream, cut == 0);
		buf_free(&wire);
		free(full);
	}
	dialect_free(d);
	free(answer);
	free(want);
	free(events);
	free(stream);
	free(usage);
	buf_free(&body);
	buf_free(&out);
	tear_down(&g);
}

// --- the list of cases -------------------------------------------------------------------

static int
by_path(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
main(int argc, char **argv)
{
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char folder[128];
		snprintf(folder, sizeof(folder), "tests/golden/%s", folders[i].folder);
		DIR *dir = opendir(folder);
		for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
			size_t len = strlen(e->d_name);
			if (len < 5 || strcmp(e->d_name + len - 4, ".txt") != 0 || n == CASES_MAX ||
			    (argc > 1 && strstr(e->d_name, argv[1]) == NULL))
				continue;
			snprintf(paths[n++], sizeof(paths[0]), "%s/%s", folder, e->d_name);
		}
		if (dir != NULL)
			closedir(dir);
	}
	if (n == 0) {
		fprintf(stderr, "no cases under tests/golden: run from the top of the tree\n");
		return 1;
	}
	qsort(paths, n, sizeof(paths[0]), by_path);
	for (size_t i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){
		    .name = paths[i], .test_func = run_case, .initial_state = paths[i]};
	return _cmocka_run_group_tests("golden", tests, n, NULL, NULL);
}
