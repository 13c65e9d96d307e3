/* SPDX-License-Identifier: Apache-2.0 */
/* The null supervisor's filter: which calls it is notified of. */
#pragma once

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>

#ifndef __NR_openat2
#define __NR_openat2 437
#endif
#define FILTER_MAX 64

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "null-supervisor: this architecture is not known here yet"
#endif

/* From most to least: each traps what the next one traps, and more. */
enum trap_class {
	CLASS_ALL,    /* every open, exec, connect */
	CLASS_WRITES, /* opens that write, create or truncate, exec, connect */
	CLASS_EXEC,   /* exec and connect */
	_CLASS_MAX,
};

struct program {
	struct sock_filter insns[FILTER_MAX];
	unsigned short len;
};

static void emit(struct program *p, struct sock_filter insn)
{
	if (p->len >= FILTER_MAX)
		abort();
	p->insns[p->len++] = insn;
}

static void emit_trap(struct program *p, unsigned int nr)
{
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
}

/* The lower half of the argument holds the flags; both architectures are little-endian. */
static void emit_trap_if_changing(struct program *p, unsigned int nr, unsigned int arg)
{
	const unsigned int offset = (unsigned int)offsetof(struct seccomp_data, args) + 8 * arg;

	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4));
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
					     O_ACCMODE | O_CREAT | O_TRUNC, 0, 1));
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static void emit_trap_open(struct program *p, enum trap_class class, unsigned int nr,
			   unsigned int flags_arg)
{
	if (class == CLASS_ALL)
		emit_trap(p, nr);
	else
		emit_trap_if_changing(p, nr, flags_arg);
}

static inline void build_filter(enum trap_class class, struct program *p)
{
	const unsigned int arch_at = offsetof(struct seccomp_data, arch);
	const unsigned int nr_at = offsetof(struct seccomp_data, nr);

	/* Other ABIs pass: nothing here is meant to protect. */
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch_at));
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr_at));
	emit_trap(p, __NR_execve);
	emit_trap(p, __NR_execveat);
	emit_trap(p, __NR_connect);
	if (class != CLASS_EXEC) {
		emit_trap(p, __NR_openat2); /* its flags are in memory */
		emit_trap_open(p, class, __NR_openat, 2);
#ifdef __NR_open
		emit_trap_open(p, class, __NR_open, 1);
		emit_trap(p, __NR_creat);
#endif
	}
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}
