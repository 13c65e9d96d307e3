/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the agent's command under the filter. Called in the supervisor, once, before it has
 * threads.
 *
 * The child shares the supervisor's descriptor table (CLONE_FILES) until it has loaded the filter,
 * so the listener appears in the supervisor without SCM_RIGHTS (sendmsg is trapped: it would
 * deadlock) and without pidfd_getfd (which Yama may refuse). Then it unshares the table, closes all
 * but 0, 1, 2 and what was asked for, and executes.
 */
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "loader/filter.h"

/* A resource limit that the command gets back: the supervisor raised its own. */
struct spawn_limit {
	int resource;
	struct rlimit value;
};

struct lsm;
struct net;

struct spawn_config {
	char *path; /* resolved image; never changed, but exec(3) has it so */
	char *const *argv;
	char *const *envp;
	pid_t process_group; /* joined by the child; 0: its own */
	const int *keep_fds; /* besides 0, 1, 2 */
	size_t n_keep_fds;
	const sigset_t *signal_mask; /* restored before exec */
	const struct spawn_limit *limits;
	size_t n_limits;
	const struct filter *filter;
	int ruleset;           /* Landlock's, borrowed; -1: none */
	const struct net *net; /* whose cgroup is joined first, borrowed; NULL: none */
	const struct lsm *lsm; /* joined likewise */
	bool drops_caps;       /* all but @kept_caps */
	uint64_t kept_caps;
};

struct spawn_result {
	pid_t pid;
	int listener;    /* owned by the caller, O_CLOEXEC */
	int exec_status; /* read end: EOF when exec succeeded, else one int errno. Owned by the
			    caller. */
	bool wait_killable;
};

/*
 * Return: 0; -EBUSY (another supervisor's listener is active), -EPROTONOSUPPORT (answers take no
 * descriptors), -EINVAL/-EACCES/... from the filter;
 * -ENOLINK: net_join() or lsm_join() failed; -errno. On failure the child is gone and reaped.
 */
int spawn_agent(const struct spawn_config *config, struct spawn_result *ret) _must_check_;
