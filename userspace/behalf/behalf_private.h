/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the performers of behalf/ share. Not for other modules.
 */
#pragma once

#include "action/rights.h"

#include "behalf/behalf.h"

struct behalf {
	struct behalf_config config;
	int self_fds; /* O_PATH of /proc/self/fd */
	/* This thread's umask and working directory are its own (CLONE_FS is undone); so with the
	 * first call that needs that. */
	bool has_own_fs;
	mode_t umask; /* the thread's now, valid with has_own_fs */
	struct rights rights;
	struct domain *domain; /* of the task whose call is performed; NULL: none */
	/* A thread of a domain's: what it has is somebody else's, who looked it up. */
	bool is_hand;
};

/* Something to be done with the agent's rights, as one of its own tasks would. */
typedef int behalf_fn(struct behalf *b, const struct action *a, void *arg);
/*
 * @fn under the rulesets that @a's task entered, with its rights on, which are not on before and
 * after. Return: what @fn returned; -errno: it was not called.
 */
int behalf_call(struct behalf *b, const struct action *a, behalf_fn *fn, void *arg) _must_check_;

/* creds.c */

/* Makes @tid's umask the thread's: for calls that create. Return: 0, -errno. */
int behalf_take_umask(struct behalf *b, pid_t tid) _must_check_;
/* A working directory and umask of the thread's own. Return: 0, -errno. */
int behalf_own_fs(struct behalf *b) _must_check_;

/* behalf.c */

/* Whether the call still waits: asked last before anything takes effect. Return: 0, -ENOENT. */
int behalf_still_waits(const struct behalf *b, const struct action *a) _must_check_;
#define BEHALF_FD_NAME_SIZE 16
/* The name of one of our descriptors below self_fds. */
const char *behalf_fd_name(int fd, char out[static BEHALF_FD_NAME_SIZE]);

/* One for each kind of act, as behalf_perform(). */
int behalf_open(struct behalf *b, const struct action *a, struct behalf_result *ret) _must_check_;
int behalf_change(struct behalf *b, const struct action *a, struct behalf_result *ret) _must_check_;
int behalf_network(struct behalf *b, const struct action *a,
		   struct behalf_result *ret) _must_check_;
/* network_meet.c: behalf_meet(). */
int network_meet(struct behalf *b, const struct action *a, struct behalf_met *ret) _must_check_;

/* tty.c */

/* Whether a device is /dev/tty, by whatever path. */
bool behalf_is_tty(const struct act_pin *pin);
/*
 * The terminal that this means to the agent. Return: an O_PATH descriptor; -errno (-ENXIO: none);
 * BEHALF_TTY_OURS: the same as ours, so that /dev/tty can be opened as it is.
 */
#define BEHALF_TTY_OURS (-1000)
int behalf_find_tty(struct behalf *b, const struct action *a, uint64_t flags) _must_check_;

/* userns.c */

/* Whether @tid lives in another user namespace than we do. */
bool behalf_is_in_userns(const struct behalf *b, pid_t tid);
/* behalf_call(), made as a member of that namespace. Return: as @fn; -EACCES when it cannot be
 * entered. */
int behalf_call_in_userns(struct behalf *b, const struct action *a, behalf_fn *fn,
			  void *arg) _must_check_;
/* The same with @root for the root and working directory, and in the agent's user namespace only if
 * that is another than ours. What @fn does to either, or to Landlock, ends with it. */
int behalf_call_in_root(struct behalf *b, const struct action *a, int root, behalf_fn *fn,
			void *arg) _must_check_;
