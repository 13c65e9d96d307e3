/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of action/: a child process to be decoded. It runs functions that the test sends it
 * (they share the program, by fork) and is otherwise blocked, as a task in a notification is. A
 * page shared at the same address in both holds the arguments. Notifications are made by hand.
 */
#pragma once

#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "action/action.h"
#include "loader/trap.h"

#if defined(__x86_64__)
#define HARNESS_ARCH AUDIT_ARCH_X86_64
#else
#define HARNESS_ARCH AUDIT_ARCH_AARCH64
#endif
#define HARNESS_SHARED (64 * 1024)

typedef long (*harness_fn)(const void *arg);

struct harness {
	char dir[64]; /* the test's own directory, also in use as a path */
	char *shared; /* same address in the child */
	size_t used;
	pid_t child;
	int control;
	struct action_decoder *d;
	struct action a;
};

struct harness_order {
	harness_fn fn;
	const void *arg;
};

static void harness_child(int control)
{
	struct harness_order order;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(control, &order, sizeof(order)) == sizeof(order)) {
		long r = order.fn(order.arg);

		if (write(control, &r, sizeof(r)) != sizeof(r))
			break;
	}
	_exit(0);
}

/* Runs @fn in the child. @arg must be known to it: static, or in the shared page. */
static _unused_ long harness_run(struct harness *h, harness_fn fn, const void *arg)
{
	struct harness_order order = {.fn = fn, .arg = arg};
	long r;

	assert_int_equal(write(h->control, &order, sizeof(order)), sizeof(order));
	assert_int_equal(read(h->control, &r, sizeof(r)), sizeof(r));
	return r;
}

static void harness_spawn(struct harness *h)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h->child = fork();
	assert_true(h->child >= 0);
	if (h->child == 0) {
		(void)close(pair[0]);
		harness_child(pair[1]);
	}
	(void)close(pair[1]);
	h->control = pair[0];
}

static void harness_reap(struct harness *h)
{
	(void)close(h->control);
	assert_int_equal(waitpid(h->child, NULL, 0), h->child);
}

static int harness_setup_with(void **state, bool need_full_argv)
{
	struct action_decoder_config config = {
		.need_full_argv = need_full_argv,
		.supervisor = getpid(),
		.listener = -1,
		.has_thread = true,
	};
	struct harness *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	(void)snprintf(h->dir, sizeof(h->dir), "/tmp/hf-action-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	h->shared = mmap(NULL, HARNESS_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	assert_true(h->shared != MAP_FAILED);
	assert_int_equal(chdir(h->dir), 0);
	harness_spawn(h);
	/* The decoder's own directory must not matter. */
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(action_decoder_new(&config, &h->d), 0);
	*state = h;
	return 0;
}

static _unused_ int harness_setup(void **state)
{
	return harness_setup_with(state, false);
}

static void harness_remove_tree(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static _unused_ int harness_teardown(void **state)
{
	struct harness *h = *state;

	h->d = action_decoder_free(h->d);
	harness_reap(h);
	harness_remove_tree(h->dir);
	(void)munmap(h->shared, HARNESS_SHARED);
	free(h);
	return 0;
}

/* Bytes for the target to point at. */
static uint64_t put(struct harness *h, const void *p, size_t len)
{
	char *at;

	h->used = (h->used + 15) & ~(size_t)15;
	assert_true(h->used + len <= HARNESS_SHARED);
	at = h->shared + h->used;
	memcpy(at, p, len);
	h->used += len;
	return (uint64_t)(uintptr_t)at;
}

static _unused_ uint64_t put_str(struct harness *h, const char *s)
{
	return put(h, s, strlen(s) + 1);
}

/* A path below the test's directory, in the child's memory. */
static _printf_(2, 3) _unused_ uint64_t put_path(struct harness *h, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "%s", h->dir);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	return put_str(h, text);
}

static struct seccomp_notif harness_notif(const struct harness *h, int nr, const uint64_t args[6])
{
	struct seccomp_notif n = {
		.id = 1,
		.pid = (uint32_t)h->child,
		.data = {.nr = nr, .arch = HARNESS_ARCH},
	};

	for (size_t i = 0; i < 6; i++)
		n.data.args[i] = args[i];
	return n;
}

/* Decodes a call of the child; arguments not given are zero. */
#define decode_call(h, nr, ...) decode_call_args((h), (nr), (const uint64_t[6]){__VA_ARGS__})

static const struct action *decode_call_args(struct harness *h, int nr, const uint64_t args[6])
{
	struct seccomp_notif n = harness_notif(h, nr, args);

	memset(&h->a, 0x5a, sizeof(h->a));
	action_decode(h->d, &n, &h->a);
	h->used = 0;
	return &h->a;
}

#define assert_bytes(b, s)                                                                         \
	do {                                                                                       \
		struct bytes _b = (b);                                                             \
		assert_non_null(_b.p);                                                             \
		assert_string_equal(_b.p, (s));                                                    \
		assert_int_equal(_b.len, strlen(s));                                               \
	} while (0)

/* The object below the test's directory. */
static _printf_(2, 3) _unused_ void assert_object(const struct harness *h, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "%s", h->dir);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.kernel_errno, 0);
	assert_bytes(h->a.object, text);
}

static _unused_ void assert_kernel_errno(const struct harness *h, int e)
{
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.kernel_errno, e);
	assert_int_equal(h->a.n_steps, 0);
}

/* The steps' operations, in order; the list ends with _OP_MAX. */
#define assert_ops(h, ...)                                                                         \
	do {                                                                                       \
		const enum action_op _ops[] = {__VA_ARGS__};                                       \
		assert_int_equal((h)->a.error, ACTION_OK);                                         \
		assert_int_equal((h)->a.n_steps, ARRAY_SIZE(_ops));                                \
		for (size_t _i = 0; _i < ARRAY_SIZE(_ops); _i++)                                   \
			assert_int_equal((h)->a.steps[_i].op, _ops[_i]);                           \
	} while (0)

static _unused_ bool has_name(const struct action_step *s, const char *name, bool is_untrusted)
{
	for (size_t i = 0; i < s->n_names; i++)
		if (bytes_eq_str(s->names[i].name, name) &&
		    s->names[i].is_untrusted == is_untrusted)
			return true;
	return false;
}

static _printf_(3, 4) _unused_
	void make_file(const struct harness *h, const char *content, const char *fmt, ...)
{
	char path[4096];
	va_list ap;
	int n, fd;

	n = snprintf(path, sizeof(path), "%s", h->dir);
	va_start(ap, fmt);
	(void)vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	(void)close(fd);
}

static _unused_ void make_link(const struct harness *h, const char *text, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s%s", h->dir, name);
	assert_int_equal(symlink(text, path), 0);
}

static _unused_ void make_dir(const struct harness *h, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s%s", h->dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}
