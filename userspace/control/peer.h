/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a control connection, and may it answer? The kernel says who, never
 * the peer:
 *
 * - SO_PEERCRED names the process that connected. It must be the session's user or root.
 * - It must not be in the session's process tree; if that cannot be told, it counts as being there.
 * - It must not be another session's agent: it may not have more seccomp filters than the
 * supervisor together with no_new_privs, which every agent has and no shell of a person's. If that
 * cannot be told, it is refused.
 * - It must still be alive *after* its ancestry was read, or else the pid that was looked at may be
 * another process's: a pidfd (SO_PEERPIDFD, Linux 6.5; pidfd_open() before) says so.
 * - Each message carries its sender's pid (SO_PASSCRED), which must be the one that connected. So
 * neither an agent that was handed a connection nor one that handed its own to an outsider and died
 * gets through; before Linux 6.5 this is also what closes the time between connect and accept, in
 * which a pid could be used anew.
 */
#pragma once

#include <sys/types.h>

#include "base/user.h"

#define CONTROL_APPROVER_MAX 160

/* Names of the two users that may answer, looked up once. */
struct control_users {
	uid_t owner;
	char owner_name[USER_NAME_SIZE];
	char root_name[USER_NAME_SIZE];
};

struct control_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int pidfd; /* owned; -1 when there is none: then the peer is refused */
};

enum control_peer_verdict {
	CONTROL_PEER_OK,
	CONTROL_PEER_USER,     /* another user */
	CONTROL_PEER_SESSION,  /* in the session, gone, or cannot be told */
	CONTROL_PEER_CONFINED, /* some agent: see above */
};

void control_users_init(struct control_users *u, uid_t owner);
/* Who connected @fd. What cannot be learnt makes control_peer_check() refuse. */
void control_peer_init(struct control_peer *p, int fd);
void control_peer_fini(struct control_peer *p);
/*
 * Receives one packet, as recv(2) with MSG_DONTWAIT, on a socket with SO_PASSCRED. @ret_sender: the
 * pid that the kernel put on it, 0 when there is none; a connection is used by who connected, or
 * not at all. @ret_is_whole: nothing of it was cut off, and no descriptors came with it.
 */
ssize_t control_peer_receive(int fd, void *buffer, size_t size, pid_t *ret_sender,
			     bool *ret_is_whole);
/* Looks anew at each call. */
enum control_peer_verdict control_peer_check(const struct control_peer *p,
					     const struct control_users *u, pid_t supervisor);
/*
 * The supervisor itself connects for processes of its session, and for nobody else
 * (behalf/network.c): who it was for is told by the credentials on the first packet. This makes
 * @pid, which they name, the peer; it is alive until then.
 */
void control_peer_become(struct control_peer *p, pid_t pid);
/* The other way round: it is alive, and surely in the session. */
bool control_peer_is_inside(const struct control_peer *p, pid_t supervisor);
/* Whether the peer at @fd is one of @approvers (user_is_among()), by its groups when it connected.
 */
bool control_peer_is_among(const struct control_peer *p, int fd, const char *const *approvers,
			   size_t n);
/* "alice (pid 12 on /dev/pts/3)" for the record. */
void control_peer_describe(const struct control_peer *p, const struct control_users *u, char *out,
			   size_t size);
