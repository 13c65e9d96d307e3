/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Landlock domain (landlock(7)) that a task of the agent put itself into, entered by threads of
 * ours as well, so that what is performed for the task is bound by it. Inside of behalf/.
 *
 * A domain is entered when the agent enters it, and never later: rules can be added to a ruleset at
 * any time. One thread, the holder, does nothing but have it; threads that it starts inherit it
 * (the kernel keeps credentials by thread). Calls are made by such threads, as many as calls are
 * under way in the domain, since any may block. A child process for each call was rejected: it
 * costs a fork and gets no signals of ours.
 */
#pragma once

#include "behalf/behalf_private.h"

/* More of the domains that live at a time fail with ENOMEM when they are entered. */
#define DOMAINS_MAX 256

struct domain {
	struct domain *next;   /* of the list of domains.c */
	struct domain *parent; /* borrowed; the rulesets that were entered before; NULL: none */
	int ruleset;           /* owned */
	unsigned n_filters;    /* seccomp filters that its first member had */
	uint64_t born_ticks;   /* clock of proc_pid_stat(5), field 22 */
	unsigned n_users;      /* calls under way, and children */
	unsigned n_missed;     /* looks at the session that found nobody in it */
	bool is_used;
	struct domain_threads *threads; /* private */
};

/*
 * Enters @ruleset (borrowed) with @flags of landlock_restrict_self(2), on top of @parent. Return:
 * 0; -errno, the kernel's for the call among them.
 */
int domain_new(const struct behalf_config *config, struct domain *parent, int ruleset,
	       uint32_t flags, struct domain **ret) _must_check_;
/* There must be no call under way in it, and no child. */
struct domain *domain_free(struct domain *d);
/*
 * @fn in a thread of the domain's, with @a's rights on and with @b's umask where @b has its own.
 * BEHALF_WAKE_SIGNAL to the caller is passed on. Return: what @fn returned; -errno: it was not
 * called.
 */
int domain_run(struct domain *d, const struct behalf *b, const struct action *a, behalf_fn *fn,
	       void *arg) _must_check_;
