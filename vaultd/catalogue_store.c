// SPDX-License-Identifier: Apache-2.0
// Keeping the applied catalogue. Stored value: u64 version (big-endian), sealed frames.
#include "vaultd/catalogue_store.h"

#include <stdlib.h>
#include <string.h>

#include "catalogue_builtin.h"
#include "common/log.h"

#define ID VIEW("catalogue")

static struct catalogue *
builtin(void)
{
	struct catalogue_error e;
	struct view v = {(const char *)catalogue_builtin, catalogue_builtin_len};
	struct catalogue *c = catalogue_parse_as(v, &(struct catalogue_stamp){0}, &e);
	if (c == NULL)
		log_fatal("the built-in catalogue is damaged: %s", e.message);
	return c;
}

struct catalogue *
catalogue_store_load(struct store *store, struct seal *seal, uint64_t *version_r)
{
	struct view v;
	struct catalogue_error e;
	*version_r = 0;
	if (store_get(store, STORE_CATALOGUE, ID, &v) != 0)
		return builtin();
	if (v.len < 8 + SEAL_OVERHEAD)
		log_fatal("the catalogue's record is damaged; bring back a backup");
	for (size_t i = 0; i < 8; i++)
		*version_r = *version_r << 8 | (uint8_t)v.p[i];
	size_t len = v.len - 8 - SEAL_OVERHEAD;
	uint8_t *plain = base_realloc(NULL, len + 1);
	if (seal_open(seal, SEAL_CATALOGUE, ID, *version_r, (const uint8_t *)v.p + 8, v.len - 8,
		plain) != 0)
		log_fatal("the catalogue's record does not open: somebody changed the store; bring "
			  "back a backup");
	struct catalogue *c = catalogue_parse((struct view){(const char *)plain, len}, &e);
	free(plain);
	if (c != NULL)
		return c;
	log_msg(LOG_ERROR,
	    "the applied catalogue is not acceptable to this version (%s); the built-in one is "
	    "used until another is applied: sallyport catalog apply",
	    e.message);
	return builtin();
}

int
catalogue_store_save(struct store *store, struct seal *seal, const struct catalogue *c)
{
	size_t size = 8 + c->frames.len + SEAL_OVERHEAD;
	BUG_IF(size > STORE_VALUE_MAX);
	uint8_t *value = base_realloc(NULL, size);
	for (size_t i = 0; i < 8; i++)
		value[i] = (uint8_t)(c->version >> (56 - 8 * i));
	seal_close(seal, SEAL_CATALOGUE, ID, c->version, c->frames.p, c->frames.len, value + 8);
	int r = store_put(store, STORE_CATALOGUE, ID, (struct view){(const char *)value, size});
	free(value);
	return r;
}
