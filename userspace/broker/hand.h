/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hand of the broker: a program of its own that carries questions out and answers in, linked with
 * a library that nothing else has to trust (D-Bus, HTTP). It gets one end of a pair of
 * SOCK_SEQPACKET sockets and ends when the other is closed, so that it can still take back what it
 * has shown when the broker is killed. One that dies is started again, less and less often.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

#define HAND_FD         3 /* where such a program finds its socket */
#define HAND_PACKET_MAX ((size_t)96 * 1024)

struct hand {
	const char *program; /* its name, of programs that come with ours */
	int fd;              /* -1: it does not run */
	pid_t pid;
	uint64_t started_ns, next_ns, pause_ns;
};

#define HAND_INIT(name) ((struct hand){.program = (name), .fd = -1})

/* Starts it if it does not run and may. Return: 1: it was started; 0: nothing to do; -errno. */
int hand_tend(struct hand *h, uint64_t now_ns) _must_check_;
/* When to call hand_tend() again; UINT64_MAX: it runs. */
uint64_t hand_next_ns(const struct hand *h);
/* One packet. Never waits. Return: 0; -EAGAIN: later; -ENOTCONN: it has died. */
int hand_send(struct hand *h, struct bytes packet) _must_check_;
/*
 * The next packet of the hand. Return: its length, which is not 0; -EAGAIN: there is none;
 * -ENOTCONN: it has died, and everything that was told to it is void.
 */
ssize_t hand_receive(struct hand *h, char *buffer, size_t size) _must_check_;
void hand_stop(struct hand *h);
