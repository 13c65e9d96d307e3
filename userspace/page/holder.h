/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a TCP connection of this machine, and is it in some session? TCP has
 * no SO_PEERCRED, so it is looked up: /proc/net/tcp names the socket, /proc/PID/fd who holds it,
 * parent links whether one of these descends from a supervisor.
 *
 * Fails closed: a connection whose socket nobody is found to hold (the process has gone, or is one
 * that we may not look into) is refused. What this cannot tell apart: a program outside that
 * forwards what an agent says.
 */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include "base/util.h"

enum holder {
	HOLDER_OUTSIDE, /* a process of ours that is in no session */
	HOLDER_INSIDE,  /* a process of a session holds it: refuse */
	HOLDER_USER,    /* another user's */
	HOLDER_UNKNOWN, /* nobody was found to hold it */
	HOLDER_REMOTE,  /* another machine */
};

struct holder_who {
	pid_t pid;        /* of HOLDER_INSIDE */
	pid_t supervisor; /* of which of the sessions */
};

/*
 * A process alone, whose pid the kernel or a bus said: HOLDER_OUTSIDE or HOLDER_INSIDE. A
 * supervisor counts as inside: it connects to unix sockets for its session.
 */
enum holder holder_of_process(pid_t pid, const pid_t *supervisors, size_t n,
			      struct holder_who *ret);
/*
 * @supervisors: of all living sessions. @suspect: a process that is looked at first; 0: none. Takes
 * milliseconds, unless it was the suspect: not for a thread that others wait for.
 */
enum holder holder_check(const struct sockaddr *peer, const struct sockaddr *ours,
			 const pid_t *supervisors, size_t n, pid_t suspect, struct holder_who *ret);
