// SPDX-License-Identifier: Apache-2.0
// Status and code by class. Pure.
#include "gatewayd/provider_failure.h"

struct row {
	enum error_class class_id;
	unsigned status; // 0: the provider's, if it is one of this kind
	const char *code;
};

static const struct row rows[] = {
    {CLASS_CLIENT, 0, "invalid_request"},
    {CLASS_POLICY, 400, "content_filter"},
    {CLASS_AUTH, 502, "provider_auth_failed"},
    {CLASS_EXPIRED, 502, "provider_auth_failed"},
    {CLASS_DENIED, 502, "provider_access_denied"}, // 403 would speak of the client's own key
    {CLASS_NOT_FOUND, 404, "model_not_found"},
    {CLASS_RATE, 429, "rate_limit_exceeded"},
    {CLASS_QUOTA, 429, "insufficient_quota"},
    {CLASS_OVERLOAD, 503, "provider_overloaded"},
    {CLASS_SERVER, 0, "provider_error"},
};

// 413 and 422 say more than 400; 529 and the like are no status that clients know.
static unsigned
status_of(const struct row *r, unsigned status)
{
	if (r->status != 0)
		return r->status;
	if (r->class_id == CLASS_CLIENT)
		return status == 413 || status == 422 ? status : 400;
	return status == 500 || status == 503 || status == 504 ? status : 502;
}

void
provider_failure_of(const struct upstream_error *e, unsigned status, struct failure *f)
{
	const struct row *r = &rows[ARRAY_LEN(rows) - 1];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].class_id == e->class_id)
			r = &rows[i];
	*f = (struct failure){.status = status_of(r, status),
	    .code = r->code,
	    .message = e->message[0] != '\0'
			   ? view_of(e->message)
			   : VIEW("The provider reported an error without a message."),
	    .retry_after_ms = e->retry_after_ms,
	    .final = !errclass_client_may_retry(r->class_id)};
	// The provider's own code is what programs of its users know ("context_length_exceeded").
	if (e->code[0] != '\0' && (r->class_id == CLASS_CLIENT || r->class_id == CLASS_POLICY))
		f->code = e->code;
}
