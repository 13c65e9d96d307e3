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
