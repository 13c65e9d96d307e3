/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which task of the session is in which Landlock domain. The kernel tells nobody, so it is followed
 * from the calls that are notified: who enters a ruleset is known, and what it forks or clones
 * later is in that domain, too. One for a session, shared by its receivers; it locks itself.
 *
 * When a domain is entered, all tasks that there are then are looked at and remembered as what they
 * are. So a task that is not remembered is younger than the last domain, and has what its parent's
 * process has; a thread what its process has. What cannot be told (an orphan whose parent is gone,
 * threads of one process in different domains) is taken to be in all of the domains that it could
 * be in: bound by more than it chose, never by less. A session without such a call pays for none of
 * this but one read of a number.
 */
#pragma once

#include "action/action.h"

struct behalf_config;
struct domain;
struct domains;

/* @command: the session's first process, a child of ours as orphans are. Return: 0, -errno. */
int domains_new(pid_t command, struct domains **ret) _must_check_;
/* When nobody makes calls any more. NULL-safe. */
struct domains *domains_free(struct domains *t);

/*
 * In which domain @a's task is; *ret is NULL for none, else domains_put() gives it back. Return: 0;
 * -errno: it cannot be told.
 */
int domains_get(struct domains *t, const struct action *a, struct domain **ret) _must_check_;
void domains_put(struct domains *t, struct domain *d);
/*
 * What @a (ACT_LINEAGE) is about to do. Return: 0: it goes on; -errno: the call fails with it.
 */
int domains_note(struct domains *t, const struct behalf_config *config,
		 const struct action *a) _must_check_;
/* The thread of @a executes, and is its process's only one then. Return: 0, -errno. */
int domains_note_exec(struct domains *t, const struct action *a) _must_check_;
