/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Performs calls that were allowed, for the agent and with the agent's rights, on exactly the
 * objects that were judged. Knows nothing of policies and answers nobody: it says what came of the
 * call, supervise/ passes it on.
 *
 * One struct behalf for each thread: IDs, capabilities (credentials(7): per thread in the kernel),
 * umask and working directory (unshare(2), CLONE_FS) of the calling thread are taken on and stay
 * until the next call wants others.
 */
#pragma once

#include <signal.h>
#include <pthread.h>

#include "action/action.h"
#include "names/helper.h"
#include "names/lead.h"
#include "names/table.h"

struct behalf;

struct domains;
/* How a session's questions to the DNS get to the helper; of all threads. */
struct names_config {
	struct names_helper helper;
	pthread_mutex_t lock; /* of helper.sockets */
	struct names_table *table;
	struct lead_tickets *tickets; /* of the connections that were led to the leader */
};

struct behalf_config {
	int listener;    /* borrowed; to ask whether the call is still waiting before anything takes
			    effect */
	int proc;        /* borrowed: O_PATH of our /proc */
	bool has_thread; /* as action_decoder_config.has_thread */
	/* Borrowed: which task put itself under Landlock. */
	struct domains *domains;
	struct names_config *names; /* borrowed; NULL: questions go where they go */
};

/* What the call returned. */
struct behalf_result {
	int error;       /* errno, 0 */
	int64_t value;   /* when error is 0 and fd is -1 */
	int fd;          /* to be injected and then closed by the caller; -1: none */
	bool is_cloexec; /* of the injected descriptor */
};

/* Who listens on the unix socket that a call connects to. */
struct behalf_met {
	int fd;    /* the connection, which is the caller's; -1: there is none */
	int error; /* errno with which it failed: there is nobody; 0 */
	bool is_known;
	struct policy_listener who; /* if is_known; exe points into @exe */
	char exe[PATH_MAX];
};

/* In the thread that will use it. Return: 0, -errno. */
int behalf_new(const struct behalf_config *config, struct behalf **ret) _must_check_;
struct behalf *behalf_free(struct behalf *b);

/* Makes what blocks return; its handler does nothing, and it is not blocked in the threads. */
#define BEHALF_WAKE_SIGNAL SIGRTMAX

/*
 * Performs @a->act: an open, a change, a network call. May block for as long as the call would, in
 * a FIFO or a connect; BEHALF_WAKE_SIGNAL then makes it return with BEHALF_INTERRUPTED. Return: 0
 * and *ret, also where the call failed; -ENOENT: nobody waits any more, and nothing was done;
 * -ESTALE: what was judged is there no longer (a file appeared or went): decode and decide anew.
 */
#define BEHALF_INTERRUPTED 1
/*
 * An ACT_LINEAGE or ACT_EXEC is about to go on. Return: 0; -errno: it must not, and fails with
 * that.
 */
int behalf_note(struct behalf *b, const struct action *a) _must_check_;
int behalf_perform(struct behalf *b, const struct action *a,
		   struct behalf_result *ret) _must_check_;
/*
 * Makes the connection of @a, a connect of a unix socket that does not send datagrams, with a
 * socket that the agent does not have: nothing can be sent by it until that is put in the place of
 * the agent's (act_network.met). Blocks and returns as behalf_perform(); 0 also where there is
 * nobody.
 */
int behalf_meet(struct behalf *b, const struct action *a, struct behalf_met *ret) _must_check_;
