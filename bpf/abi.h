/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs share with user space: fixed widths, explicit padding, native byte order, both
 * sides built together. Includes nothing but the kernel's types.
 */
#pragma once

#include <linux/types.h>

/* Processes of one session that ran: how the programs know them from all others. */
enum sight_kind {
	SIGHT_FORK, /* pid was made by parent */
	SIGHT_EXEC, /* pid runs another image: dev, inode, comm */
	SIGHT_EXIT, /* the last thread of pid ended: status as in wait(2) */
	_SIGHT_KIND_MAX,
};

struct sight_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 inode;   /* of the image: with "#!" the interpreter's */
	__u32 device;  /* the kernel's internal number: 20 bits of minor */
	__u32 kind;    /* enum sight_kind */
	__u32 pid;     /* process ids (tgid) of the initial pid namespace */
	__u32 parent;
	__u32 status;
	__u32 padding;
	char comm[16]; /* not always NUL-terminated */
};

/* Events that found no room in the ring, by kind; and children that could not be marked, whose
 * processes are not seen at all. */
struct sight_lost {
	__u64 events[_SIGHT_KIND_MAX];
	__u64 unmarked;
};

_Static_assert(sizeof(struct sight_event) == 56, "no hidden padding");
_Static_assert(sizeof(struct sight_lost) == 32, "no hidden padding");

#define SIGHT_RING_BYTES (1024 * 1024) /* a power of two, and whole pages */

/* ---- network verdicts (net.bpf.c) */

enum net_op { /* as enum netmap_op has them */
	NET_CONNECT,
	NET_SEND,
	NET_BIND,
	_NET_OP_MAX,
};

#define NET_PROTOCOLS    3 /* 0 TCP, 1 UDP, 2 others (ping) */
#define NET_PORTS        65536
#define NET_CELLS        65536 /* a power of two */
#define NET_PREFIXES_MAX 1024

/* Numbers of enum verdict, which user space asserts. */
#define NET_ALLOW 0
#define NET_FLAG  1
#define NET_ASK   2
#define NET_DENY  3

struct net_key4 {
	__u32 bits;
	__u8 ip[4];
};

struct net_key6 {
	__u32 bits;
	__u8 ip[16];
};

/*
 * One session, as the programs find it with the cgroup that they are attached to. They are loaded
 * once for many sessions; @slot is the place of this one's tables and rings in the maps of maps.
 */
struct net_config {
	__u32 slot;
	__u32 is_set;     /* 0: not yet, and everything is refused */
	__u32 supervisor; /* its process id: what it does for the session was decided on; 0: none */
	__u32 canary;     /* a process that is refused everything, to see that somebody asks us */
	__u32 n_prefixes; /* of verdicts */
	__u32 n_port_classes;
	__u32 is_audit;   /* what finds no room in the ring is let through all the same */
	__u32 opens_unix; /* connections to unix sockets are let through; else refused */
};

/* The one element of a session's array of tables. */
struct net_table {
	__u8 ports[NET_PORTS]; /* the class of each port */
	__u8 verdicts[NET_CELLS];
};

struct net_event {
	__u64 time_ns;    /* CLOCK_MONOTONIC */
	__u64 exe_inode;  /* of the process's image */
	__u32 exe_device; /* the kernel's internal number */
	__u32 pid;        /* of the initial pid namespace */
	__u32 tid;
	__u32 parent;
	__u8 op;       /* enum net_op */
	__u8 protocol; /* of NET_PROTOCOLS; of a unix socket: 0 */
	__u8 verdict;  /* NET_ALLOW, NET_FLAG; NET_ASK and NET_DENY: it was refused */
	__u8 family;   /* AF_INET, AF_INET6, AF_UNIX */
	__u16 port;    /* host order; AF_UNIX: how many bytes of the name follow */
	__u16 padding;
	__u8 ip[16]; /* network order, as the call had it; the first 4 bytes if AF_INET */
};

struct net_unix_event {
	struct net_event head;
	char name[112]; /* sun_path; the last 4 bytes are none of it */
};

/* What found no room in the rings. */
struct net_lost {
	__u64 refused;   /* refused, and not recorded for want of room */
	__u64 unwritten; /* would have been let through, and was refused for want of room */
	__u64 allowed;   /* let through under audit */
};

_Static_assert(sizeof(struct net_event) == 56, "no hidden padding");
_Static_assert(sizeof(struct net_unix_event) == 168, "no hidden padding");
_Static_assert(sizeof(struct net_lost) == 24, "no hidden padding");
_Static_assert(sizeof(struct net_config) == 32, "no hidden padding");

#define NET_SLOTS_MAX 1024 /* sessions of one loaded set of programs */

/* As SIGHT_RING_BYTES, of each of two rings: so that nothing of what was let through crowds out
 * what was refused. */
#define NET_RING_BYTES (512 * 1024)

/* ---- verdicts on files and on what only the system does (lsm.bpf.c) */

#define LSM_CELLS_MAX    (1U << 20) /* of the automatons, two bytes each */
#define LSM_VERDICTS_MAX (1U << 18) /* four bytes each */
#define LSM_PARTS        4          /* automatons that run side by side */
#define LSM_PATH_MAX     4096       /* what is longer is refused where something is */

/* Operations on files are numbered as enum action_op has them, from OP_READ on. */
enum lsm_op {
	LSM_READ,
	LSM_WRITE,
	LSM_CREATE,
	LSM_TRUNCATE,
	LSM_DELETE,
	LSM_RENAME,
	LSM_LINK,
	LSM_SYMLINK,
	LSM_MKDIR,
	LSM_MKNOD,
	LSM_CHMOD,
	LSM_CHOWN,
	LSM_XATTR,
	LSM_TIMES,
	_LSM_FILE_OP_MAX,
	/* Refused as a whole, or not: without a path. */
	LSM_BPF = _LSM_FILE_OP_MAX,
	LSM_MOUNT,
	LSM_USERNS,
	LSM_PTRACE,
	LSM_KILL,
	_LSM_OP_MAX,
};

#define LSM_BIT(op) (1U << (op))

struct lsm_part {
	__u32 first; /* the state in which a path begins */
	__u32 n_kinds;
};

#define LSM_SLOTS_MAX NET_SLOTS_MAX

/* Of a task: which session's it is. */
struct lsm_mark {
	__u32 slot;
	__u32 session; /* as in the slot's struct lsm_config; else that session is over */
};

/* One session, by its slot: the programs are loaded once for many. */
struct lsm_config {
	__u32 session;  /* a number that no other has had in this slot; 0: nobody's */
	__u32 canary;   /* a process that is refused everything, to see that somebody asks us; 0 */
	__u32 floor;    /* LSM_BIT()s: what is denied is refused; all else was asked about before */
	__u32 decides;  /* LSM_BIT()s: nobody else is asked; what would be asked about is refused */
	__u32 records;  /* LSM_BIT()s of those: what is allowed is told of as well */
	__u32 is_audit; /* what finds no room in the ring is let through all the same */
	__u32 n_classes;
	__u32 padding;
	struct lsm_part parts[LSM_PARTS];
	__u8 classes[256]; /* of bytes */
};

struct lsm_event {
	__u64 time_ns;    /* CLOCK_MONOTONIC */
	__u64 exe_inode;  /* of the process's image */
	__u32 exe_device; /* the kernel's internal number */
	__u32 pid;        /* of the initial pid namespace */
	__u32 tid;
	__u32 parent;
	__u8 op;      /* enum lsm_op */
	__u8 verdict; /* as in struct net_event */
	__u16 n_path; /* bytes of the path that follow; 0: it has none that the session can see, or
			 it is too long */
	__u32 padding;
};

struct lsm_lost {
	__u64 refused;   /* refused, and not recorded for want of room */
	__u64 unwritten; /* would have been let through, and was refused for want of room; let
			    through under audit */
};

_Static_assert(sizeof(struct lsm_event) == 40, "no hidden padding");
_Static_assert(sizeof(struct lsm_lost) == 16, "no hidden padding");

#define LSM_RING_BYTES    (1024 * 1024) /* as SIGHT_RING_BYTES */
#define LSM_REFUSED_BYTES (256 * 1024)
