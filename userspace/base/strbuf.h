/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a hard maximum, named at initialisation, so that no agent can make us
 * hold more. An append that fails (no memory, or past the maximum) sets a sticky error and changes
 * nothing; callers check once, at the end, with strbuf_error(). The content is always
 * NUL-terminated but may itself hold NULs.
 */
#pragma once

#include <stdarg.h>

#include "base/util.h"

struct strbuf {
	char *p;
	size_t len;
	size_t cap;
	size_t max;
	int error; /* 0, -ENOMEM or -EMSGSIZE; sticky */
};

#define STRBUF_INIT(maximum) ((struct strbuf){.max = (maximum)})

void strbuf_fini(struct strbuf *b);
/* Empties @b and clears its error; keeps the memory. */
void strbuf_reset(struct strbuf *b);
/* Makes room for @extra more bytes (and a NUL). Return: 0, -ENOMEM, -EMSGSIZE. */
int strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_add(struct strbuf *b, const void *p, size_t len);
void strbuf_add_bytes(struct strbuf *b, struct bytes s);
void strbuf_add_str(struct strbuf *b, const char *s);
void strbuf_add_char(struct strbuf *b, char c);
void strbuf_add_u64(struct strbuf *b, uint64_t v);
void strbuf_add_fmt(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
void strbuf_add_vfmt(struct strbuf *b, const char *fmt, va_list ap) _printf_(2, 0);
/* Shortens to @len bytes, which must not be more than there are. */
void strbuf_truncate(struct strbuf *b, size_t len);
/* The content as a string; "" when nothing was added. Borrowed: invalid once @b changes. */
const char *strbuf_str(const struct strbuf *b);

static inline int strbuf_error(const struct strbuf *b)
{
	return b->error;
}

static inline struct bytes strbuf_bytes(const struct strbuf *b)
{
	return (struct bytes){.p = b->p ? b->p : "", .len = b->len};
}
