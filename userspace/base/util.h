/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small helpers that every module uses: ownership (_cleanup_, TAKE_*), byte strings, arithmetic.
 * Knows nothing of Holdfast. Everything here is inline; nothing allocates.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(fn)       __attribute__((cleanup(fn)))
#define _must_check_        __attribute__((warn_unused_result))
#define _nonnull_(...)      __attribute__((nonnull(__VA_ARGS__)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_            __attribute__((unused))
/* Spares a large local variable on the decision path the clearing that -ftrivial-auto-var-init=zero
 * would add; what is marked so is filled by the next call. */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define _uninitialized_ __attribute__((uninitialized))
#else
#define _uninitialized_
#endif

/* gcc says so by itself, clang 14 only when asked. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) _min_a = (a);                                                        \
		__typeof__(b) _min_b = (b);                                                        \
		_min_a < _min_b ? _min_a : _min_b;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) _max_a = (a);                                                        \
		__typeof__(b) _max_b = (b);                                                        \
		_max_a > _max_b ? _max_a : _max_b;                                                 \
	})

/* Moves a pointer or a descriptor out of a _cleanup_ variable. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) _take_p = (p);                                                       \
		(p) = NULL;                                                                        \
		_take_p;                                                                           \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int _take_fd = (fd);                                                               \
		(fd) = -1;                                                                         \
		_take_fd;                                                                          \
	})

#define NS_PER_SEC  UINT64_C(1000000000)
#define NS_PER_MSEC UINT64_C(1000000)

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Closes @fd unless negative; keeps errno. Return: -1, so that 'fd = fd_close(fd)' reads well. */
static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
	}
	return -1;
}

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/*
 * A borrowed run of bytes. What an agent hands over is bytes, not a string: it may hold NULs,
 * newlines, escapes and bad UTF-8. The owner of the memory is named where the value is made.
 */
struct bytes {
	const char *p;
	size_t len;
};

#define BYTES_LIT(s) ((struct bytes){.p = (s), .len = sizeof(s) - 1})
#define BYTES_NULL   ((struct bytes){.p = NULL, .len = 0})

static inline struct bytes bytes_of(const char *s)
{
	return (struct bytes){.p = s, .len = s ? strlen(s) : 0};
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool bytes_eq_str(struct bytes a, const char *s)
{
	return bytes_eq(a, bytes_of(s));
}

static inline bool bytes_has_prefix(struct bytes a, struct bytes prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.p, prefix.p, prefix.len) == 0);
}

static inline bool bytes_has_suffix(struct bytes a, struct bytes suffix)
{
	return a.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(a.p + a.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* The part after the last '/', or all of it. */
static inline struct bytes bytes_base_name(struct bytes path)
{
	const char *slash = path.len ? memrchr(path.p, '/', path.len) : NULL;

	if (!slash)
		return path;
	return (struct bytes){.p = slash + 1, .len = path.len - (size_t)(slash + 1 - path.p)};
}
