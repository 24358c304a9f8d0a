// SPDX-License-Identifier: Apache-2.0
// Shapes: Google Cloud, "Create and delete service account keys"; AWS CLI reference, sts
// assume-role and get-session-token, iam create-access-key, configure export-credentials.
#include "ctl/import.h"

#include <stdio.h>
#include <string.h>

#include "common/jv.h"
#include "ctl/secret_in.h"

#define BEGIN_PKCS8 "-----BEGIN PRIVATE KEY-----"
#define END_PKCS8   "-----END PRIVATE KEY-----"
#define BEGIN_RSA   "-----BEGIN RSA PRIVATE KEY-----"

static int
check_json(struct view text, const char *what, char error[SPEC_ERROR_MAX])
{
	size_t at = 0;
	enum jv_fault f = jv_check(text, &at);
	if (f == JV_DUPLICATE)
		return spec_fault(error, "the %s has a name twice, at byte %zu", what, at + 1);
	if (f != JV_OK)
		return spec_fault(error,
		    "the %s is no JSON (at byte %zu): give the file whole, as it was made", what,
		    at + 1);
	if (!jv_is(jv_root(text), JV_OBJECT))
		return spec_fault(error, "the %s is no JSON object: { ... }", what);
	return 0;
}

// A text that is no secret; absent: "".
static int
take(struct jv v, const char *name, char *out, size_t size, char error[SPEC_ERROR_MAX])
{
	out[0] = '\0';
	if (jv_is(v, JV_NONE) || jv_is(v, JV_NULL))
		return 0;
	if (jv_copy(v, out, size) != 0)
		return spec_fault(error, "%s is no text of at most %zu characters", name, size - 1);
	return 0;
}

// A secret text: decoded straight into secret memory.
static int
take_secret(struct jv v, const char *name, struct secret *s, char error[SPEC_ERROR_MAX])
{
	size_t room = v.text.len + 1; // decoding never makes it longer
	s->len = 0;
	s->p = secmem_alloc(room);
	if (s->p == NULL)
		return spec_fault(error, "no memory for secrets. Raise the limit: ulimit -l 4096");
	if (jv_copy(v, (char *)s->p, room) != 0) {
		secret_wipe(s);
		return spec_fault(error, "%s is no text", name);
	}
	s->len = strlen((char *)s->p);
	return 0;
}

// --- Google --------------------------------------------------------------------------

// The base64 between the lines of PEM, without its line ends, in place.
static int
strip_pem(struct secret *s, char error[SPEC_ERROR_MAX])
{
	char *p = (char *)s->p, *begin = strstr(p, BEGIN_PKCS8);
	char *end = begin == NULL ? NULL : strstr(begin, END_PKCS8);
	if (strstr(p, BEGIN_RSA) != NULL)
		return spec_fault(error,
		    "private_key is in the old form (BEGIN RSA PRIVATE KEY); Google writes BEGIN "
		    "PRIVATE KEY. Download the key anew, or convert it: openssl pkcs8 -topk8 "
		    "-nocrypt");
	if (end == NULL)
		return spec_fault(
		    error, "private_key is no PEM text (" BEGIN_PKCS8 "): is the file whole?");
	size_t n = 0;
	for (char *q = begin + strlen(BEGIN_PKCS8); q < end; q++)
		if (strchr(" \t\r\n", *q) == NULL)
			p[n++] = *q;
	size_t rest = s->len - n;
	memset(p + n, 0, rest);
	s->len = n;
	for (size_t i = 0; i < n; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
			p[i]) == NULL)
			return spec_fault(error, "private_key is damaged: it is no base64");
	return n < 100 ? spec_fault(error, "private_key is damaged: it is too short") : 0;
}

static int
check_type(struct jv j, char error[SPEC_ERROR_MAX])
{
	char type[64], universe[64], uri[256];
	static const char *const uris[] = {"https://oauth2.googleapis.com/token",
	    "https://accounts.google.com/o/oauth2/token",
	    "https://www.googleapis.com/oauth2/v4/token", ""};
	if (take(jv_get(j, "type"), "type", type, sizeof(type), error) != 0 ||
	    take(jv_get(j, "universe_domain"), "universe_domain", universe, sizeof(universe),
		error) != 0 ||
	    take(jv_get(j, "token_uri"), "token_uri", uri, sizeof(uri), error) != 0)
		return -1;
	if (strcmp(type, "external_account") == 0 || strcmp(type, "authorized_user") == 0)
		return spec_fault(error,
		    "this is a file of type %s, which may name programs and servers to ask: only "
		    "the key of a service account (type service_account) is taken",
		    type);
	if (strcmp(type, "service_account") != 0)
		return spec_fault(error,
		    "type is \"%s\", not service_account: make a JSON key of a service account in "
		    "the Google Cloud console (IAM, Service Accounts, Keys)",
		    type);
	if (*universe != '\0' && strcmp(universe, "googleapis.com") != 0)
		return spec_fault(
		    error, "universe_domain is \"%s\": only googleapis.com is served", universe);
	for (size_t i = 0; i < ARRAY_LEN(uris); i++)
		if (strcmp(uri, uris[i]) == 0)
			return 0;
	return spec_fault(error,
	    "token_uri is \"%s\", which is not Google's: whoever changed it wants the key's "
	    "signature sent there. It would never be followed; take the file as Google made it",
	    uri);
}

int
import_account_text(
    struct view text, struct import_account *a, struct secret *key, char error[SPEC_ERROR_MAX])
{
	*a = (struct import_account){0};
	if (check_json(text, "service account file", error) != 0)
		return -1;
	struct jv j = jv_root(text), inner = jv_get(j, "vertex_service_account");
	if (jv_is(inner, JV_OBJECT))
		j = inner;
	if (check_type(j, error) != 0 ||
	    take(jv_get(j, "project_id"), "project_id", a->project, sizeof(a->project), error) !=
		0 ||
	    take(jv_get(j, "client_email"), "client_email", a->client_email,
		sizeof(a->client_email), error) != 0 ||
	    take(jv_get(j, "private_key_id"), "private_key_id", a->private_key_id,
		sizeof(a->private_key_id), error) != 0 ||
	    take(jv_get(j, "region"), "region", a->region, sizeof(a->region), error) != 0)
		return -1;
	const struct {
		const char *name;
		bool there;
	} needed[] = {{"project_id", *a->project != '\0'},
	    {"client_email", *a->client_email != '\0'},
	    {"private_key_id", *a->private_key_id != '\0'},
	    {"private_key", jv_is(jv_get(j, "private_key"), JV_STRING)}};
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!needed[i].there)
			return spec_fault(error,
			    "the service account file has no %s: take the whole file as Google "
			    "made it",
			    needed[i].name);
	if (take_secret(jv_get(j, "private_key"), "private_key", key, error) != 0)
		return -1;
	if (strip_pem(key, error) != 0) {
		secret_wipe(key);
		return -1;
	}
	return 0;
}

// --- AWS -----------------------------------------------------------------------------

static struct jv
first_of(struct jv j, const char *const *names)
{
	struct jv v = {0};
	for (; *names != NULL && jv_is(v, JV_NONE); names++)
		v = jv_get(j, *names);
	return v;
}

static const char *const id_names[] = {
    "AccessKeyId", "accessKeyId", "access_key_id", "aws_access_key_id", NULL};
static const char *const secret_names[] = {
    "SecretAccessKey", "secretAccessKey", "secret_access_key", "aws_secret_access_key", NULL};
static const char *const token_names[] = {
    "SessionToken", "sessionToken", "session_token", "aws_session_token", NULL};
static const char *const region_names[] = {"Region", "region", "aws_region", NULL};
static const char *const end_names[] = {"Expiration", "expiration", NULL};

// "2026-11-21T16:00:00+00:00" and "...:00.000Z" as spec_time() takes them.
static int
take_end(struct jv v, char out[SPEC_TIME_MAX], char error[SPEC_ERROR_MAX])
{
	char text[64], utc[32];
	if (take(v, "Expiration", text, sizeof(text), error) != 0)
		return -1;
	out[0] = '\0';
	if (*text == '\0')
		return 0;
	size_t n = strlen(text);
	const char *rest = n < 19 ? "" : text + 19;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
		return spec_fault(
		    error, "Expiration \"%s\" is no time such as 2026-11-21T16:00:00Z", text);
	snprintf(utc, sizeof(utc), "%.19sZ", text);
	return spec_time(utc, out, error);
}

// Where the key is: at the top, or one level down under one of the usual names.
static struct jv
find_aws(struct jv j)
{
	static const char *const inside[] = {"Credentials", "credentials", "Credential",
	    "credential", "AccessKey", "accessKey", "aws_credentials", NULL};
	if (!jv_is(first_of(j, id_names), JV_NONE) || !jv_is(first_of(j, secret_names), JV_NONE))
		return j;
	struct jv inner = first_of(j, inside);
	return jv_is(inner, JV_OBJECT) ? inner : j;
}

int
import_aws_text(struct view text, struct import_aws *a, struct secret *secret,
    struct secret *session_token, char error[SPEC_ERROR_MAX])
{
	*a = (struct import_aws){0};
	if (check_json(text, "AWS file", error) != 0)
		return -1;
	struct jv root = jv_root(text), j = find_aws(root);
	struct jv id = first_of(j, id_names), key = first_of(j, secret_names);
	struct jv token = first_of(j, token_names), region = first_of(j, region_names);
	if (jv_is(region, JV_NONE))
		region = first_of(root, region_names);
	if (!jv_is(id, JV_STRING) || !jv_is(key, JV_STRING))
		return spec_fault(error,
		    "the AWS file has no %s: it holds AccessKeyId and SecretAccessKey (also "
		    "accessKeyId or access_key_id), at the top or under Credentials or AccessKey",
		    jv_is(id, JV_STRING) ? "SecretAccessKey" : "AccessKeyId");
	if (take(id, "AccessKeyId", a->access_key_id, sizeof(a->access_key_id), error) != 0 ||
	    take(region, "region", a->region, sizeof(a->region), error) != 0 ||
	    take_end(first_of(j, end_names), a->expires, error) != 0)
		return -1;
	bool has_token = jv_is(token, JV_STRING) && !jv_blank(token);
	if (take_secret(key, "SecretAccessKey", secret, error) == 0 &&
	    spec_secret(secret_in_view(secret), "SecretAccessKey", error) == 0 &&
	    (!has_token ||
		(take_secret(token, "SessionToken", session_token, error) == 0 &&
		    spec_secret(secret_in_view(session_token), "SessionToken", error) == 0)))
		return 0;
	secret_wipe(secret);
	secret_wipe(session_token);
	return -1;
}

// --- files ---------------------------------------------------------------------------

int
import_account(
    const char *path, struct import_account *a, struct secret *key, char error[SPEC_ERROR_MAX])
{
	struct secret text = {0};
	int r = secret_in_whole(&text, path, "service account file", IMPORT_FILE_MAX, error);
	if (r == 0)
		r = import_account_text(secret_in_view(&text), a, key, error);
	secret_wipe(&text);
	return r;
}

int
import_aws(const char *path, struct import_aws *a, struct secret *secret,
    struct secret *session_token, char error[SPEC_ERROR_MAX])
{
	struct secret text = {0};
	int r = secret_in_whole(&text, path, "AWS file", IMPORT_FILE_MAX, error);
	if (r == 0)
		r = import_aws_text(secret_in_view(&text), a, secret, session_token, error);
	secret_wipe(&text);
	return r;
}
