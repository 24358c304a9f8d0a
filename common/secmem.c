// SPDX-License-Identifier: Apache-2.0
// The secret arena: a first-fit list of blocks inside one protected mapping with
// a guard page on each side. May touch: its own mapping, nothing else.
#include "common/secmem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALIGN 64U // libsodium's BLAKE2b state asks for that much

// A block header stands before each block; blocks tile the arena without gaps.
struct block {
	size_t size; // payload bytes that follow this header, multiple of ALIGN
	size_t used; // 0: free
	uint8_t pad[ALIGN - 2 * sizeof(size_t)];
};

static uint8_t *arena;
static size_t arena_size;
static size_t arena_used;

static void *
map_memfd_secret(void *at, size_t size)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *p = MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0)
		p = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static void *
map_locked(void *at, size_t size)
{
	void *p =
	    mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED || mlock(p, size) != 0)
		return NULL;
	return p;
}

static void
first_block(void)
{
	struct block *b = (struct block *)(void *)arena;
	b->size = arena_size - sizeof(*b);
	b->used = 0;
	arena_used = 0;
}

enum secmem_kind
secmem_init(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size = (size + page - 1) / page * page;
	// The PROT_NONE reservation leaves one guard page on each side.
	uint8_t *room = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return SECMEM_NONE;
	enum secmem_kind kind = SECMEM_MEMFD;
	void *p = map_memfd_secret(room + page, size);
	if (p == NULL) {
		kind = SECMEM_LOCKED;
		p = map_locked(room + page, size);
	}
	if (p == NULL)
		return SECMEM_NONE;
	if (madvise(p, size, MADV_DONTDUMP) != 0 || madvise(p, size, MADV_DONTFORK) != 0)
		return SECMEM_NONE;
	arena = p;
	arena_size = size;
	first_block();
	return kind;
}

static struct block *
next_block(struct block *b)
{
	uint8_t *end = (uint8_t *)(b + 1) + b->size;
	return end < arena + arena_size ? (struct block *)(void *)end : NULL;
}

static void
merge_with_next(struct block *b)
{
	struct block *n = next_block(b);
	while (n != NULL && n->used == 0) {
		b->size += sizeof(*n) + n->size;
		n = next_block(b);
	}
}

void *
secmem_alloc(size_t len)
{
	BUG_IF(arena == NULL);
	size_t need = (MAX(len, 1) + ALIGN - 1) / ALIGN * ALIGN;
	for (struct block *b = (struct block *)(void *)arena; b != NULL; b = next_block(b)) {
		if (b->used != 0)
			continue;
		merge_with_next(b);
		if (b->size < need)
			continue;
		if (b->size >= need + sizeof(*b) + ALIGN) {
			struct block *rest = (struct block *)(void *)((uint8_t *)(b + 1) + need);
			rest->size = b->size - need - sizeof(*b);
			rest->used = 0;
			b->size = need;
		}
		b->used = 1;
		arena_used += b->size;
		memset(b + 1, 0, b->size);
		return b + 1;
	}
	return NULL;
}

void
secmem_free(void *p)
{
	if (p == NULL)
		return;
	BUG_IF(!secmem_contains(p));
	struct block *b = (struct block *)p - 1;
	BUG_IF(b->used != 1);
	sodium_memzero(p, b->size);
	b->used = 0;
	arena_used -= b->size;
}

size_t
secmem_len(const void *p)
{
	BUG_IF(!secmem_contains(p));
	return ((const struct block *)p - 1)->size;
}

size_t
secmem_used(void)
{
	return arena_used;
}

bool
secmem_contains(const void *p)
{
	const uint8_t *q = p;
	return arena != NULL && q >= arena && q < arena + arena_size;
}

int
secret_set(struct secret *s, const void *p, size_t len)
{
	s->p = secmem_alloc(len);
	if (s->p == NULL)
		return -1;
	memcpy(s->p, p, len);
	s->len = len;
	return 0;
}

void
secret_wipe(struct secret *s)
{
	secmem_free(s->p);
	s->p = NULL;
	s->len = 0;
}
