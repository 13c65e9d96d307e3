/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With whose rights a thread walks paths and makes calls. IDs, groups and capabilities belong to a
 * thread in the kernel (credentials(7)); the C library's wrappers, which change them in all threads
 * of a process, are not used.
 *
 * What a task could do the thread can then do, and no more: nothing is ever taken on that the
 * thread's own permitted set lacks. Taken on for one call and given back: looking at another task
 * needs rights that the agent may not have.
 */
#pragma once

#include "action/act.h"
#include "base/util.h"

struct rights {
	struct act_creds own; /* the thread's */
	uint64_t permitted;
	gid_t *groups;      /* of @own */
	bool is_taken;      /* somebody else's are on */
	bool has_ids;       /* so are their file system IDs */
	bool has_groups;    /* so are their groups */
	bool is_identified; /* the effective IDs are the agent's, too */
	bool may_stay;      /* set by the owner: rights_leave_on() may leave something on */
	bool is_whole;      /* all that was wanted is on */
	uint64_t taken;     /* the capabilities that are on, then */
};

/* What the calling thread has, and every thread that begins like it. Return: 0, -errno. */
int rights_init(struct rights *o) _must_check_;
void rights_fini(struct rights *o);
/* Takes on @creds where they differ. Return: 0; -errno: the call must not be made, and
 * rights_give_back() must be. */
int rights_take(struct rights *o, const struct act_creds *creds) _must_check_;
/*
 * Of @creds that differ: whether a walk to a directory that is held without being opened (O_PATH)
 * ends the same without rights_take(), as with a root that keeps CAP_DAC_OVERRIDE: then it need not
 * be taken on, which makes credentials anew, twice. Not below
 * procfs, which asks for CAP_SYS_PTRACE on the way.
 */
bool rights_walk_alike(const struct rights *o, const struct act_creds *creds);
/*
 * After rights_take(): the effective IDs as well, which are what a unix socket shows its peer
 * (SO_PEERCRED). Not always, because what they let a thread do the file system IDs do, and the
 * agent may change the scheduling of a thread that has its effective ID. Return: 0, -errno.
 */
int rights_identify(struct rights *o, const struct act_creds *creds) _must_check_;
/* Aborts when it cannot: with less, a receiver would fail calls for no reason. */
void rights_give_back(struct rights *o);
/*
 * Instead of rights_give_back(), in a thread that makes call after call for agents: where only
 * capabilities were taken on, they stay on, until rights_take() wants others or somebody needs the
 * thread's own. Each change makes the kernel build new credentials; two of them cost more than the
 * open of a file. What stays on is less than what the thread has, never more. Nobody else's IDs
 * stay: with those even the agent's memory could not be read.
 */
void rights_leave_on(struct rights *o);
/* Lays down what stayed on in the calling thread: before anything that takes its own rights.
 * Return: whether anything was on, so that what was refused may be tried again. */
bool rights_settle(void);
