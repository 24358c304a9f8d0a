// SPDX-License-Identifier: Apache-2.0
// Memory for secrets: one arena per process, made by memfd_secret(2) where the
// kernel has it, else by locked, no-dump, no-fork pages. A process that can have
// neither refuses to start. struct secret is the only type that carries key
// bytes; no function of the project formats, logs or encodes one.
//
// memfd_secret facts: the pages are unmapped from the kernel's direct map, so
// /proc/PID/mem, process_vm_readv and ptrace fail even for root; the mapping is
// shared, so the arena is marked MADV_DONTFORK, and its descriptor is closed at
// once because pidfd_getfd + mmap would read it.
#ifndef COMMON_SECMEM_H
#define COMMON_SECMEM_H

#include "common/base.h"

struct secret {
	uint8_t *p; // inside the arena, or NULL
	size_t len; // bytes of content
};

enum secmem_kind { SECMEM_NONE, SECMEM_MEMFD, SECMEM_LOCKED };

// Makes the arena of this process; size is rounded up to pages. Call before the
// sandbox, once (again after a fork: a child does not inherit it). Returns which
// kind was made; SECMEM_NONE with errno set if neither works: the caller must
// then refuse to start.
enum secmem_kind secmem_init(size_t size) MUST_CHECK;

// Zeroed block of len bytes, aligned to 64, or NULL when the arena is full (a load condition:
// answer 503, never fall back to ordinary memory). The caller owns it.
void *secmem_alloc(size_t len) MUST_CHECK;

// Wipes and frees. NULL is allowed. len is remembered by the arena.
void secmem_free(void *p);

// Bytes of the block p, at least what was asked for.
size_t secmem_len(const void *p);

// Bytes in use now, and whether p lies inside the arena (for tests).
size_t secmem_used(void);
bool secmem_contains(const void *p);

// Copies len bytes into a new secret. Returns 0, or -1 when the arena is full.
int secret_set(struct secret *s, const void *p, size_t len) MUST_CHECK;

// Wipes and empties; safe on an empty secret.
void secret_wipe(struct secret *s);

#endif
