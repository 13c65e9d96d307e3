/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of behalf/: a call of the harness's child is decoded, the world may change, and the
 * call is performed on what was decoded. There is no notification; whether it still waits is the
 * test's to say, by an ioctl(2) of its own.
 */
#pragma once

#include "action_harness.h"

#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "behalf/behalf.h"

static struct behalf *performer;
static int performer_proc = -1;
static bool has_gone; /* nobody waits for the call any more */

int ioctl(int fd, unsigned long request, ...)
{
	void *arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request != SECCOMP_IOCTL_NOTIF_ID_VALID)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	errno = ENOENT;
	return has_gone ? -1 : 0;
}

static int behalf_setup(void **state)
{
	struct behalf_config config = {.listener = -1};

	performer_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	config.proc = performer_proc;
	has_gone = false;
	return harness_setup(state) || behalf_new(&config, &performer);
}

static int behalf_teardown(void **state)
{
	performer = behalf_free(performer);
	performer_proc = fd_close(performer_proc);
	return harness_teardown(state);
}

/* Performs what was decoded. Return: the errno of the call; -errno of behalf_perform(). */
static int perform(struct harness *h, struct behalf_result *ret)
{
	int r;

	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.kernel_errno, 0);
	*ret = (struct behalf_result){.fd = -1};
	r = behalf_perform(performer, &h->a, ret);
	return r ? r : ret->error;
}

static _unused_ int performed(struct harness *h)
{
	struct behalf_result result;

	return perform(h, &result);
}

#define BEHALF_TEST(f) cmocka_unit_test_setup_teardown(f, behalf_setup, behalf_teardown)
