// SPDX-License-Identifier: Apache-2.0
// One answer: parses the provider's response strictly, passes on the allowed part
// of its head and its body or events, and notices when it is not complete. Small
// bodies are held until they are whole, so that a cut one becomes a clean 502.
#ifndef GATEWAYD_ANSWER_H
#define GATEWAYD_ANSWER_H

#include "common/http_parse.h"
#include "gatewayd/client.h"
#include "gatewayd/facts.h"
#include "gatewayd/stream.h"
#include "gatewayd/translate.h"

#define ANSWER_REQUEST_ID_MAX 128U

enum answer_result {
	ANSWER_MORE,
	ANSWER_COMPLETE, // everything was handed to the client
	ANSWER_FAILED,	 // failure says why; nothing or only a part was handed over
	ANSWER_HELD,	 // an error, and nothing was handed over yet
};

struct answer {
	struct worker *w;
	struct client *client;
	const struct request *request;
	enum provider provider;	  // whose answer
	struct plan *plan;	  // NULL before answer_of()
	size_t attempt;		  // of that plan
	struct translation *t;	  // the attempt's; NULL: native
	unsigned upstream_status; // 0: no head yet
	unsigned status;	  // given to the client, 0: none yet
	bool hold_errors;	  // set by the owner: errors that a further step may mend are held
	bool begun;		  // bytes of the answer went to the client
	bool any;		  // a byte came from the provider
	bool ended;		  // a whole body, told at once: its counts are complete
	bool reusable;		  // at COMPLETE: the provider keeps the connection open
	bool stream_error;	  // at COMPLETE: failure_code says what the provider's error was
	enum error_class fault;	  // the class of the provider's error, CLASS_NONE: none
	unsigned fault_status;	  // at HELD: what the next attempt's USE says of this one
	uint64_t bytes_out;	  // body bytes handed to the client
	uint64_t first_ns;	  // monotonic time of the first of them, 0 if none
	struct facts facts;
	struct failure failure;
	char failure_text[600];
	char failure_code[FACTS_WORD_MAX];
	char provider_request_id[ANSWER_REQUEST_ID_MAX];

	// Private.
	struct http_parser parser;
	struct stream *stream;
	bool chunked;	// our own framing towards the client
	bool by_close;	// the answer ends with the connection
	bool foreign;	// of another API than the client's: translated
	bool streaming; // a translated stream
	// What the client is told in place of a provider's error of another API, and when to come
	// again; 0: nothing.
	unsigned told_status;
	uint64_t told_retry_ms;
	char *held; // counted in the worker's limits
	size_t held_len, held_cap;
};

void answer_init(struct answer *a, struct worker *w, struct client *c, const struct request *r);
void answer_free(struct answer *a);

// Which attempt answers. t is borrowed.
void answer_of(struct answer *a, struct plan *p, size_t attempt, struct translation *t);

enum answer_result answer_feed(struct answer *a, const uint8_t *p, size_t len) MUST_CHECK;

// The provider's connection ended; clean: by TLS close_notify.
enum answer_result answer_eof(struct answer *a, bool clean) MUST_CHECK;

// After HELD: hand it over after all. COMPLETE or FAILED.
enum answer_result answer_resume(struct answer *a) MUST_CHECK;

// What the answer cost, in nano-USD, by all that was told so far. false: not known.
bool answer_cost(const struct answer *a, uint64_t *nano_r) MUST_CHECK;

// The word for the record after HELD or COMPLETE with an error.
const char *answer_error_code(const struct answer *a);

// A translated stream is under way and its client hears nothing: a comment, which clients skip.
// What was kept back until then goes out before it, and no further attempt may follow.
void answer_heartbeat(struct answer *a);

// Ends the client's side after a failure: a whole error response if nothing was
// sent yet, else an error event (for streams) and a cut connection.
void answer_fail(struct answer *a, const struct failure *f);

#endif
