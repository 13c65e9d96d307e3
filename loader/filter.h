/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter of a session, built from the table (loader/filter_rules.h) and loaded with
 * seccomp(2).
 */
#pragma once

#include <linux/filter.h>

#include "loader/trap.h"

struct filter_plan {
	bool trap_reads; /* opens that only read; else only those that write, create or truncate */
	bool trap_handles; /* opens with O_PATH, where those that read are not trapped */
	bool trap_changes; /* the path operations that change something */
	bool trap_network;
	bool trap_accepts; /* which only counts them */
	/* Connections and sends are decided on in the kernel: what could be to an IP address, by
	 * the length of the address, passes. */
	bool passes_ip;
	bool trap_signals; /* Landlock does not keep the session's signals inside */
	bool trap_creds;   /* the session has capabilities, so its tasks can change their IDs */
	bool trap_hiding;  /* what makes itself undumpable could not be read by the supervisor */
};

struct filter {
	struct sock_filter *insns; /* owned */
	unsigned short len;
};

/*
 * Foreign ABIs (i386 by int 0x80, x32) are trapped too, so that the refusal is recorded; native
 * numbers above trap_highest_known() get ENOSYS in the filter, as an old kernel would answer.
 * Return: 0, -ENOMEM; -EINVAL, -E2BIG: a programming error.
 */
int filter_build(const struct filter_plan *plan, struct filter *ret) _must_check_;
void filter_fini(struct filter *f);
struct filter_rules;
/* What filter_build() makes its program of. Return: 0, -EINVAL. */
int filter_rules_of(const struct filter_plan *plan, struct filter_rules *ret) _must_check_;

/*
 * Loads @f for the calling thread with a listener; no_new_privs must be set. Async-signal-safe, no
 * allocation: it runs in the child between clone and exec. *ret_wait_killable tells whether the
 * kernel took the flag (Linux 5.19). Return: the listener (O_CLOEXEC), -EBUSY (a filter with a
 * listener is there already), -errno.
 */
int filter_load(const struct filter *f, bool *ret_wait_killable);
