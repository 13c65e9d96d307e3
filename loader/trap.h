/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trapped syscalls: one table (loader/syscalls.def), from which the seccomp filter, the decoder
 * and docs/syscalls.md come. This header gives it types.
 */
#pragma once

#include <sys/syscall.h>

#include "policy/vocab.h"

#define TRAP_F_SETDELEG 1040 /* fcntl(2), Linux 6.19: a lease, also on a directory */

/* Under which plan a row is trapped. */
enum trap_class {
	TRAP_TOOL,        /* exec: always */
	TRAP_OPEN,        /* flags in a register: reads and changes are told apart by the filter */
	TRAP_OPEN_MEMORY, /* flags in memory (openat2): trapped if either is */
	TRAP_CHANGE,      /* path operations that change something */
	TRAP_NETWORK,     /* connect, bind, listen, sendmsg, sendmmsg */
	TRAP_ACCEPT,      /* accept, accept4: never refused, only counted */
	TRAP_SENDTO,      /* only with a destination address */
	TRAP_SOCKET,      /* only for families and types outside the list */
	TRAP_PTRACE,      /* only requests that make somebody a tracer */
	TRAP_IOCTL,       /* only the requests of loader/ioctls.def */
	TRAP_SOCKOPT,     /* only the options of trap_sockopts */
	TRAP_REFUSED,     /* refused unless granted */
	TRAP_RESTRICT,    /* always: what is done on behalf is to be bound by it, too */
	TRAP_PRCTL,       /* only PR_SET_MM: it can say that a process runs another image; and
			     PR_SET_CHILD_SUBREAPER, which is noted */
	TRAP_NAMESPACE,   /* only with flags that make a namespace; and CLONE_PARENT, which is
			     noted */
	TRAP_ABSENT, /* fails with ENOSYS: it keeps its flags in memory, and programs do without */
	TRAP_PID,    /* only for another process than the caller (0) */
	TRAP_LIMIT,  /* likewise, and only what sets a limit */
	TRAP_PRIORITY,      /* likewise; groups and users of processes are others */
	TRAP_SIGNAL,        /* as TRAP_PID, unless Landlock keeps signals inside */
	TRAP_SIGNAL_ABSENT, /* fails with ENOSYS unless Landlock does: what a descriptor names may
			       change */
	TRAP_FCNTL, /* leases; and who gets a descriptor's signals, unless Landlock keeps them
		       inside */
	TRAP_CREDS, /* changes of IDs and capabilities: where the session has capabilities */
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
	SHAPE_ACCEPT,   /* likewise */
	SHAPE_SOCKET,   /* family, type, protocol */
	SHAPE_PID,      /* a process that must be in the session */
	SHAPE_NONE,     /* nothing but the number is looked at */
	SHAPE_KILL,     /* a process, a group (negative), or all (-1) */
	SHAPE_PRIORITY, /* a process, a group or a user */
	SHAPE_FCNTL,    /* a lease; or as SHAPE_KILL, of F_SETOWN */
	SHAPE_IOCTL,    /* the request says which group it belongs to */
	SHAPE_SOCKOPT,  /* level and option */
	SHAPE_RESTRICT, /* a Landlock ruleset, flags */
	SHAPE_PRCTL,    /* the first argument says what is done */
	SHAPE_CLONE,    /* the flags say what is done */
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

/* A request of ioctl(2) that is refused unless granted. */
struct trap_ioctl {
	const char *name;
	uint32_t request;
	enum grant grant;
};

extern const struct trap_ioctl trap_ioctls[];
extern const size_t trap_ioctls_size;

/*
 * An option of setsockopt(2) by which packets go another way than to the address that a connection
 * or send was judged by: source routes (net/ipv4/ip_options.c, net/ipv6/ipv6_sockglue.c; neither
 * asks for a capability). An empty value takes the route away, and is nobody's business.
 */
struct trap_sockopt {
	const char *name;
	uint32_t level, option;
};

extern const struct trap_sockopt trap_sockopts[];
extern const size_t trap_sockopts_size;

extern const struct trap_row trap_table[];
extern const size_t trap_table_size;

/* The row for a native syscall number, NULL if it is not trapped. */
const struct trap_row *trap_find(int nr);
/* The highest native syscall number this version knows; above it the filter answers ENOSYS. */
int trap_highest_known(void);
