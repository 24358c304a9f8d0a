// SPDX-License-Identifier: Apache-2.0
// Data URLs as clients write them, brought into the one form that providers take: a lower
// case media type and base64 in the standard alphabet with padding. Sources: RFC 2397 and
// RFC 4648; white space, %-escapes, the URL alphabet and missing padding are accepted
// because browsers and SDKs produce them. Pure.
#ifndef DIALECT_DATA_URL_H
#define DIALECT_DATA_URL_H

#include "common/buf.h"

struct data_url {
	char mime[64];	  // "text/plain" when the URL names none
	struct view data; // in the URL itself when that is in form already, else in text
};

bool data_url_is(struct view url); // begins with data: in any case
// false: not a data URL, or its data is no base64. text: empty, takes what has to be written.
bool data_url_parse(struct view url, struct data_url *u, struct buf *text) MUST_CHECK;
// Bare base64 in any alphabet into the standard form; false when it is none or empty.
bool data_url_base64(struct view in, struct view *data_r, struct buf *text) MUST_CHECK;
// The media type that the first bytes of the content show, NULL when they show none: a
// wrong label is refused by providers.
const char *data_url_sniff(struct view base64);

#endif
