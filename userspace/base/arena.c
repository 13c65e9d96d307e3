/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#define ARENA_CHUNK_BYTES ((size_t)64 * 1024)
#define ARENA_ALIGN       ((size_t)16)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	size_t used;
	_Alignas(16) char data[];
};

static void arena_free_from(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void arena_fini(struct arena *a)
{
	arena_free_from(a->first);
	*a = ARENA_INIT(a->limit);
}

void arena_reset(struct arena *a)
{
	if (!a->first)
		return;
	arena_free_from(a->first->next);
	a->first->next = NULL;
	a->first->used = 0;
	a->current = a->first;
	a->used = 0;
}

static struct arena_chunk *arena_grow(struct arena *a, size_t size)
{
	size_t data = MAX(size, ARENA_CHUNK_BYTES);
	struct arena_chunk *c;

	c = malloc(sizeof(*c) + data);
	if (!c)
		return NULL;
	c->next = NULL;
	c->size = data;
	c->used = 0;
	if (a->current)
		a->current->next = c;
	else
		a->first = c;
	a->current = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->current;
	size_t rounded;
	void *p;

	if (__builtin_add_overflow(size, ARENA_ALIGN - 1, &rounded))
		return NULL;
	rounded &= ~(ARENA_ALIGN - 1);
	if (rounded > a->limit || a->used > a->limit - rounded)
		return NULL;
	if (!c || c->size - c->used < rounded) {
		c = arena_grow(a, rounded);
		if (!c)
			return NULL;
	}
	p = c->data + c->used;
	c->used += rounded;
	a->used += rounded;
	return p;
}

struct bytes arena_copy(struct arena *a, const void *p, size_t len)
{
	char *s = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

	if (!s)
		return BYTES_NULL;
	if (len)
		memcpy(s, p, len);
	s[len] = '\0';
	return (struct bytes){.p = s, .len = len};
}

void arena_trim(struct arena *a, void *p, size_t keep)
{
	struct arena_chunk *c = a->current;
	size_t start = (size_t)((char *)p - c->data);
	size_t end = start + ((keep + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1));

	if (end < c->used) {
		a->used -= c->used - end;
		c->used = end;
	}
}
