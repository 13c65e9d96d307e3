/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/strbuf.h"

#define STRBUF_MIN_CAP 128

void strbuf_fini(struct strbuf *b)
{
	free(b->p);
	*b = STRBUF_INIT(b->max);
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->p)
		b->p[0] = '\0';
}

int strbuf_reserve(struct strbuf *b, size_t extra)
{
	size_t need, cap;
	char *p;

	if (b->error)
		return b->error;
	if (__builtin_add_overflow(b->len, extra, &need) || need > b->max)
		return b->error = -EMSGSIZE;
	if (need < b->cap)
		return 0;
	cap = MAX(b->cap * 2, (size_t)STRBUF_MIN_CAP);
	if (cap <= need)
		cap = need + 1;
	p = realloc(b->p, cap);
	if (!p)
		return b->error = -ENOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

void strbuf_add(struct strbuf *b, const void *p, size_t len)
{
	if (strbuf_reserve(b, len) < 0)
		return;
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

void strbuf_add_bytes(struct strbuf *b, struct bytes s)
{
	strbuf_add(b, s.p, s.len);
}

void strbuf_add_str(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_add_char(struct strbuf *b, char c)
{
	/* A third of the time of writing a log line was spent here, on single characters. */
	if (!b->error && b->len + 1 < b->cap && b->len < b->max) {
		b->p[b->len++] = c;
		b->p[b->len] = '\0';
		return;
	}
	strbuf_add(b, &c, 1);
}

void strbuf_add_u64(struct strbuf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	strbuf_add(b, digits + i, sizeof(digits) - i);
}

void strbuf_add_vfmt(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		b->error = -EINVAL;
		return;
	}
	if (strbuf_reserve(b, (size_t)n) < 0)
		return;
	(void)vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void strbuf_add_fmt(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_add_vfmt(b, fmt, ap);
	va_end(ap);
}

void strbuf_truncate(struct strbuf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->p[len] = '\0';
	}
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->p ? b->p : "";
}
