/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities of a session (capabilities(7)), as sets of bits: bit n is capability n.
 */
#pragma once

#include "base/util.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/* What the calling thread may use: its permitted set. 0 also when the kernel does not tell. */
uint64_t caps_permitted(void);

/*
 * What a container usually keeps: enough to install software and to serve, too little to leave the
 * session. Without MKNOD, which makes devices; pipes and sockets need no capability.
 */
uint64_t caps_usual(void);

/*
 * Takes from the calling thread, for good and for all that it starts, every capability that is not
 * in
 * @kept: from the bounding, ambient, inheritable, permitted and effective sets. Before a filter
 * that traps capset(2) is loaded. Async-signal-safe. Return: 0, -errno.
 */
int caps_keep(uint64_t kept);
