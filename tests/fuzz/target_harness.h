/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target for the decoders under fuzzing: its /proc directory is this process's own, and its
 * memory, which each target of the fuzzer makes of its input, begins at MEMORY_BASE. Nothing else
 * is mapped.
 */
#pragma once

#include <fcntl.h>
#include <linux/audit.h>

#include "action/decode.h"

#define MEMORY_BASE UINT64_C(0x10000)

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

static inline int read_identity(void *ctx, int dir, pid_t tid, pid_t *ret_tgid, pid_t *ret_ppid)
{
	(void)ctx;
	(void)tid;
	return target_read_status(dir, ret_tgid, ret_ppid);
}

static inline int open_proc(void *ctx, pid_t tid)
{
	int fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)ctx;
	(void)tid;
	return fd < 0 ? -errno : fd;
}

/* What a read of @len bytes at @offset of @memory gives. Return: the number of bytes; -EFAULT. */
static inline ssize_t read_bytes(struct bytes memory, uint64_t offset, void *buf, size_t len)
{
	if (offset >= memory.len)
		return -EFAULT;
	len = MIN(len, memory.len - (size_t)offset);
	memcpy(buf, memory.p + offset, len);
	return (ssize_t)len;
}
