/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of actions and verdicts (docs/architecture.md, "Words"). They live in policy/, the
 * lowest layer that needs them; action/ and everything to its right use them too.
 */
#pragma once

#include "base/util.h"

/* Ordered by strictness: the strictest of several is the largest. */
enum verdict {
	VERDICT_ALLOW,
	VERDICT_FLAG,
	VERDICT_ASK,
	VERDICT_DENY,
	_VERDICT_MAX,
};

enum action_kind {
	KIND_TOOL,
	KIND_PATH,
	KIND_NETWORK,
	KIND_SYSTEM, /* the syscalls that are refused unless the policy grants them */
	KIND_SPEND,  /* money that was reported as spent: `holdfast spend`; no policy is asked */
	_KIND_MAX,
};

/* What an action does. Order is kept stable: masks of these are in compiled tables and in the ring.
 */
enum action_op {
	OP_EXEC,
	OP_READ,
	OP_WRITE,
	OP_CREATE,
	OP_TRUNCATE,
	OP_DELETE,
	OP_RENAME,
	OP_LINK,
	OP_SYMLINK,
	OP_MKDIR,
	OP_MKNOD,
	OP_CHMOD,
	OP_CHOWN,
	OP_XATTR,
	OP_TIMES,
	OP_CONNECT,
	OP_SEND,
	OP_BIND,
	OP_LISTEN,
	OP_RESOLVE, /* KIND_NETWORK: a question to the DNS; the object is the name */
	OP_SYSCALL, /* KIND_SYSTEM: the object is the syscall's name */
	OP_SPEND,   /* KIND_SPEND: the object is its source; this and the one before match no rule
		     */
	_OP_MAX,
};

#define OP_BIT(op) (UINT32_C(1) << (op))
/* Every path operation that changes something. */
#define OPS_CHANGE                                                                                 \
	(OP_BIT(OP_WRITE) | OP_BIT(OP_CREATE) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_DELETE) |          \
	 OP_BIT(OP_RENAME) | OP_BIT(OP_LINK) | OP_BIT(OP_SYMLINK) | OP_BIT(OP_MKDIR) |             \
	 OP_BIT(OP_MKNOD) | OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_XATTR) |               \
	 OP_BIT(OP_TIMES))
#define OPS_PATH (OP_BIT(OP_READ) | OPS_CHANGE)
/* Calls that are trapped; a question to the DNS is none of them, and is judged by itself. */
#define OPS_NETWORK_CALLS                                                                          \
	(OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND) | OP_BIT(OP_BIND) | OP_BIT(OP_LISTEN))
#define OPS_NETWORK (OPS_NETWORK_CALLS | OP_BIT(OP_RESOLVE))

/* Groups of refused syscalls, each of which a policy may grant: `grant: [ptrace, mount]`. */
enum grant {
	GRANT_IO_URING,
	GRANT_PTRACE, /* ptrace, process_vm_*, kcmp on processes outside the session */
	GRANT_BPF,
	GRANT_PERF,
	GRANT_MOUNT,  /* mount family, chroot, pivot_root */
	GRANT_MODULE, /* kernel modules and kexec */
	GRANT_HANDLE, /* open_by_handle_at */
	GRANT_PIDFD,  /* pidfd_getfd */
	GRANT_KEYRING,
	GRANT_USERFAULTFD,
	GRANT_RAW_SOCKET, /* raw and packet sockets, and every family but unix, inet, inet6, netlink
			   */
	GRANT_FOREIGN_ABI,
	GRANT_ADMIN,      /* reboot, swap, acct, clock, host name, quota, iopl and the like */
	GRANT_TERMINAL,   /* TIOCSTI, TIOCLINUX: typing into a terminal for somebody else */
	GRANT_NAMESPACES, /* unshare, clone and setns of namespaces */
	GRANT_PROCESSES,  /* signals, limits, priorities of processes outside the session */
	_GRANT_MAX,
};

/* Layers that a policy (`require`) or a person (`--layers`) speaks of. Notification is under each
 * session. */
enum kernel_layer {
	LAYER_LANDLOCK, /* a floor under files and ports, signals kept inside */
	LAYER_BPF_NET,  /* verdicts on connections, by programs of the session's cgroup */
	LAYER_BPF_LSM,  /* verdicts on files and a floor under all else, by BPF LSM */
	LAYER_SIGHT,    /* the kernel tells of each process */
	_LAYER_MAX,
};

#define LAYER_BIT(layer) (UINT32_C(1) << (layer))
#define LAYERS_EBPF      (LAYER_BIT(LAYER_BPF_NET) | LAYER_BIT(LAYER_BPF_LSM) | LAYER_BIT(LAYER_SIGHT))

/* The lower-case words used in policies and records ("allow", "path", "create", "io_uring"); never
 * NULL. */
const char *verdict_name(enum verdict v);
const char *kind_name(enum action_kind k);
const char *op_name(enum action_op op);
const char *grant_name(enum grant g);
const char *layer_name(enum kernel_layer layer);
/* Return: 0 and the value, -ENOENT when there is no such word. */
int verdict_parse(struct bytes word, enum verdict *ret);
int kind_parse(struct bytes word, enum action_kind *ret);
int op_parse(struct bytes word, enum action_op *ret);
int grant_parse(struct bytes word, enum grant *ret);
int layer_parse(struct bytes word, enum kernel_layer *ret);
