/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trapped syscalls: one table (loader/syscalls.def), from which the seccomp filter, the decoder
 * and docs/syscalls.md come. This header gives it types.
 */
#pragma once

#include <sys/syscall.h>

#include "policy/vocab.h"

/* Under which plan a row is trapped. */
enum trap_class {
	TRAP_TOOL,        /* exec: always */
	TRAP_OPEN,        /* flags in a register: reads and changes are told apart by the filter */
	TRAP_OPEN_MEMORY, /* flags in memory (openat2): trapped if either is */
	TRAP_CHANGE,      /* path operations that change something */
	TRAP_NETWORK,     /* connect, bind, listen, sendmsg, sendmmsg */
	TRAP_SENDTO,      /* only with a destination address */
	TRAP_SOCKET,      /* only for families and types outside the list */
	TRAP_PTRACE,      /* only requests that attach */
	TRAP_IOCTL,       /* only TIOCSTI and TIOCLINUX */
	TRAP_REFUSED,     /* refused unless granted */
	TRAP_CREDS,       /* changes of IDs and capabilities: where the session has capabilities */
	_TRAP_CLASS_MAX,
};

/* Which decoder reads the arguments (action/). */
enum trap_shape {
	SHAPE_EXEC,     /* path, argv; dirfd and flags for execveat */
	SHAPE_OPEN,     /* dirfd, path, flags */
	SHAPE_OPENAT2,  /* dirfd, path, struct open_how, size */
	SHAPE_PATH,     /* dirfd, path, at-flags */
	SHAPE_FD,       /* fd */
	SHAPE_TWO_PATH, /* dirfd, path, dirfd2, path2, flags */
	SHAPE_SYMLINK,  /* text, dirfd2, path2 */
	SHAPE_SOCKADDR, /* fd, address, length */
	SHAPE_MSGHDR,   /* fd, msghdr */
	SHAPE_MMSGHDR,  /* fd, vector, length */
	SHAPE_LISTEN,   /* fd */
	SHAPE_SOCKET,   /* family, type, protocol */
	SHAPE_PID,      /* a process that must be in the session */
	SHAPE_NONE,     /* nothing but the number is looked at */
	SHAPE_CREDS,    /* nothing to decide: that the caller's credentials change is noted */
	_SHAPE_MAX,
};

#define TRAP_NO_ARG (-1)

struct trap_row {
	const char *name;
	int nr;
	enum trap_class class;
	enum trap_shape shape;
	enum action_op op;
	enum grant grant; /* of OP_SYSCALL, but SHAPE_CREDS; else _GRANT_MAX */
	/* Argument indices, TRAP_NO_ARG when there is none. */
	signed char dirfd, path, dirfd2, path2, flags;
	bool no_follow; /* the last component is never followed */
};

extern const struct trap_row trap_table[];
extern const size_t trap_table_size;

/* The row for a native syscall number, NULL if it is not trapped. */
const struct trap_row *trap_find(int nr);
/* The highest native syscall number this version knows; above it the filter answers ENOSYS. */
int trap_highest_known(void);
