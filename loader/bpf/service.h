/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-loader for all users of a machine: docs/loader.md. A process for each client, which is
 * a copy of this one, so that one that hangs or dies is nobody else's; this one accepts, counts
 * and cleans up, and reads nothing that a client has written.
 */
#pragma once

#include "base/util.h"

#define SERVICE_SESSIONS_MAX 1024 /* NET_SLOTS_MAX */

struct service_config {
	int socket;            /* listening; borrowed */
	uint32_t max_sessions; /* connections, of all */
	uint32_t max_per_user;
	bool ends_idle; /* whoever listens for us will start another */
};

/* Until a signal says so, or it is idle. Return: 0, -errno. */
int service_run(const struct service_config *config) _must_check_;
