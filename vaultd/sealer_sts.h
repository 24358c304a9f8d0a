// SPDX-License-Identifier: Apache-2.0
// Reads the XML answers of AWS STS, in place. Not a general XML library, on purpose: one
// would copy temporary secrets into buffers of its own, and bring DTDs, entities and
// processing instructions that no answer of STS has. Accepted is: one optional XML
// declaration, elements, attributes (skipped), text, the five named and the numeric
// ASCII character references. Everything else is an error. Pure.
//
// Source: STS API reference, version 2011-06-15, response elements and common errors.
#ifndef VAULTD_SEALER_STS_H
#define VAULTD_SEALER_STS_H

#include "proto/msg.h"

// Fills code and message of an error answer, or access_key_id, secret, session_token and
// expires_s of a good one. References are decoded inside of xml; the views point into it.
// -1: not such an answer.
int sealer_sts_read(char *xml, size_t len, struct msg_exchanged *m) MUST_CHECK;

// "2026-11-21T20:00:00Z", fractions allowed, as Unix time; 0 if it is nothing like that.
uint64_t sealer_sts_time(struct view iso);
// Days since 1970 of a date of the Gregorian calendar, from 1970 on.
uint64_t sealer_sts_days(uint64_t year, uint64_t month, uint64_t day);

#endif
