// SPDX-License-Identifier: Apache-2.0
// Between dialect.c and the translators: the session's common part and the table of
// functions that each pair fills in. Not for users of the library.
#ifndef DIALECT_SIDE_H
#define DIALECT_SIDE_H

#include "dialect/dialect.h"

#define DIALECT_HEADERS_MAX 4U

struct dialect {
	const struct dialect_side *side;
	struct dialect_request r;
	struct dialect_usage usage;
	struct dialect_failure failure;
	bool has_failure;
	bool has_content;
	enum dialect_end end;
	char stop_reason[48];
	struct buf dropped;
	size_t header_count;
	struct msg_named header[DIALECT_HEADERS_MAX];
	struct buf header_text; // what header values may point into
	void *state;		// of the pair; freed by side->free
};

struct dialect_side {
	// Writes the upstream body. false and *f when it cannot.
	bool (*request)(struct dialect *d, struct buf *out, struct dialect_fault *f);
	bool (*answer)(struct dialect *d, struct view body, struct buf *out);
	// Stream functions; NULL: this pair has no streams.
	void (*event)(struct dialect *d, struct view type, struct view data, bool is_error,
	    struct buf *out);				    // sets d->end
	void (*finish)(struct dialect *d, struct buf *out); // sets d->end
	void (*free)(void *state);			    // NULL: free()
};

// One for each pair; defined by the translator named in the comment.
extern const struct dialect_side dialect_side_chat_messages;   // chat_messages.c
extern const struct dialect_side dialect_side_chat_converse;   // chat_converse.c
extern const struct dialect_side dialect_side_chat_generate;   // chat_generate.c
extern const struct dialect_side dialect_side_messages_claude; // messages_claude.c
extern const struct dialect_side dialect_side_count;	       // messages_claude.c
extern const struct dialect_side dialect_side_embed;	       // embed.c
extern const struct dialect_side dialect_side_rename;	       // rename.c
extern const struct dialect_side dialect_side_version;	       // rename.c

// false, filling *f: `return side_fault(f, "invalid_value", "messages[2].content", ...)`.
bool side_fault(struct dialect_fault *f, const char *code, const char *param, const char *fmt, ...)
    PRINTF(4, 5);
// A parameter that the target lacks: noted, or refused when the request is strict
// (then false and *f).
bool side_drop(struct dialect *d, const char *param, struct dialect_fault *f) MUST_CHECK;
void side_header(struct dialect *d, enum header_id id, struct view value); // value is copied
void side_fail(struct dialect *d, struct view type, struct view message);  // error in the answer
// The same from JSON strings; others give a plain sentence.
void side_fail_jv(struct dialect *d, struct jv type, struct jv message);
void side_stop(struct dialect *d, struct jv reason); // remembers the provider's word
// Checks a piece of the provider's answer; it has to be an object. false: side_fail() done.
bool side_json(struct dialect *d, struct view text, struct jv *root_r) MUST_CHECK;

#endif
