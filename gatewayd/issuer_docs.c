// SPDX-License-Identifier: Apache-2.0
// Serving the issuer's documents. Pure.
#include "gatewayd/issuer_docs.h"

#include <string.h>

#include "common/http_write.h"

#define HEAD_MAX 512U
// Much less than the day between the publication of a key and its first signature.
#define MAX_AGE "public, max-age=3600"

static const char *const paths[ISSUER_DOC_COUNT] = {
    [ISSUER_DOC_CONFIGURATION] = ISSUER_DOC_CONFIGURATION_PATH,
    [ISSUER_DOC_JWKS] = ISSUER_DOC_JWKS_PATH,
};

static void
set_path(struct issuer_docs *d, struct view url)
{
	const char *host = memmem(url.p, url.len, "://", 3);
	size_t at = host == NULL ? url.len : (size_t)(host - url.p) + 3;
	const char *slash = at >= url.len ? NULL : memchr(url.p + at, '/', url.len - at);
	struct view path = {0};
	if (slash != NULL)
		path = (struct view){slash, url.len - (size_t)(slash - url.p)};
	while (path.len != 0 && path.p[path.len - 1] == '/')
		path.len--;
	if (view_copy(path, d->path, sizeof(d->path)) != 0)
		d->path[0] = '\0';
}

void
issuer_docs_set(struct issuer_docs *d, const struct msg_issuer_item *m)
{
	issuer_docs_free(d);
	if (m->url.len == 0)
		return;
	for (int i = ISSUER_DOC_CONFIGURATION; i < ISSUER_DOC_COUNT; i++)
		buf_init(&d->doc[i], ISSUER_DOC_MAX);
	issuer_doc_configuration(m, &d->doc[ISSUER_DOC_CONFIGURATION]);
	issuer_doc_jwks(m, &d->doc[ISSUER_DOC_JWKS]);
	set_path(d, m->url);
}

void
issuer_docs_free(struct issuer_docs *d)
{
	for (int i = ISSUER_DOC_CONFIGURATION; i < ISSUER_DOC_COUNT; i++)
		buf_free(&d->doc[i]);
	*d = (struct issuer_docs){0};
}

enum issuer_doc
issuer_docs_find(const struct issuer_docs *d, struct view path)
{
	size_t own = strlen(d->path);
	struct view rest = path;
	if (own != 0 && path.len > own && memcmp(path.p, d->path, own) == 0)
		rest = (struct view){path.p + own, path.len - own};
	for (int i = ISSUER_DOC_CONFIGURATION; i < ISSUER_DOC_COUNT; i++)
		if (view_eq_str(rest, paths[i]) && d->doc[i].len != 0 && !d->doc[i].failed)
			return (enum issuer_doc)i;
	return ISSUER_DOC_NONE;
}

struct view
issuer_docs_answer(const struct issuer_docs *d, enum issuer_doc which, bool keep)
{
	static char out[ISSUER_DOC_MAX + HEAD_MAX];
	struct http_out o;
	struct view body = buf_done(&d->doc[which]);
	http_out_init(&o, out, sizeof(out));
	http_put_status(&o, 200);
	http_put_header_str(&o, "content-type", "application/json");
	http_put_header_str(&o, "cache-control", MAX_AGE);
	http_put_content_length(&o, body.len);
	if (!keep)
		http_put_header_str(&o, "connection", "close");
	http_put_end(&o);
	http_put_bytes(&o, body);
	BUG_IF(o.failed);
	return (struct view){out, o.len};
}
