/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of the public keys that signed a host's logs: what makes a signature Holdfast's. A text
 * file that is only appended to, one line for each key:
 *
 *	2026-11-21T05:12:34.123456789Z session 20261121T051234-k3f9qz MCowBQYDK2VwAyEA...
 *
 * A session's key is registered before its agent runs, and the agent cannot write to the list
 * (engine/protect.c). The first key of a session counts, so a line that somebody adds later changes
 * nothing about sessions that are there. `recovery` is a key that signed what was left of a dead
 * session; `host` (session `-`) one that signed all sessions of a host, before there was a list.
 *
 * There is no lock: a line is one write(2) with O_APPEND, and an agent that may read the file could
 * hold any lock on it.
 */
#pragma once

#include "audit/pubkey.h"

#define KEYLIST_BYTES_MAX ((size_t)256 << 20)

enum keylist_role {
	KEYLIST_SESSION,
	KEYLIST_RECOVERY,
	KEYLIST_HOST,
	_KEYLIST_ROLE_MAX,
};

/* Root: /var/lib/holdfast/log.keys; others, and root with XDG_STATE_HOME: $XDG_STATE_HOME/holdfast/
 * keys/log.keys. A heap string; NULL: out of memory, or there is no home. */
char *keylist_path(void);
/* Where a host's key was before there was a list: "log.key" and "log.pub" beside the list at @path.
 * Heap strings; NULL: out of memory. */
char *keylist_old_private(const char *path);
char *keylist_old_public(const char *path);

/*
 * Opens the list at @path to register keys in it; makes it, and its directory (0700), when there is
 * none. A host's key of old becomes a line of it, and its private half is removed: whatever could
 * read it has nothing to sign with from now on. Return: 0; -EINVAL, -errno with @reterr_diag: it is
 * another user's, others can write to it, it cannot be made.
 */
int keylist_open(const char *path, int *ret_fd, struct diag *reterr_diag);
/* Appends a line; it is not brought to the disk. @session: no blanks, no control characters.
 * Return: 0, -errno. */
int keylist_register(int fd, enum keylist_role role, struct bytes session, const struct pubkey *k);

struct keylist;

/* Lines that are none register nothing. Return: 0; -ENOENT, -errno, -EINVAL with @reterr_diag: it
 * has no other lines. */
int keylist_load(const char *path, struct keylist **ret, struct diag *reterr_diag);
/* The same from memory, which may go. @name: for @reterr_diag. */
int keylist_parse(const char *name, struct bytes text, struct keylist **ret,
		  struct diag *reterr_diag);
/* Adds the key of a host, as if the list had it. Return: 0, -ENOMEM. */
int keylist_add_host(struct keylist *l, const struct pubkey *k);
/* NULL-safe. Return: NULL. */
struct keylist *keylist_free(struct keylist *l);
void keylist_freep(struct keylist **l);

enum keylist_answer {
	KEYLIST_IS_REGISTERED,
	KEYLIST_IS_FORMER,       /* a host's, and the session has none of its own */
	KEYLIST_HAS_OTHER,       /* the session has another key */
	KEYLIST_KNOWS_NO_SESSION /* nor has a host a key that fits */
};

/* May the key that a checkpoint calls @id sign the session, or with @is_recovery its recovery?
 * @ret_key is set with the first two answers; borrowed. */
enum keylist_answer keylist_ask(const struct keylist *l, struct bytes session, bool is_recovery,
				const char *id, const struct pubkey **ret_key);
