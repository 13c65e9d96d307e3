/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits: what the supervisor takes for itself, and what the command gets. */
#include <sys/resource.h>

#include "control/session_private.h"

/*
 * Soft limits that were meant for the command and would stop its supervisor: the log grows past
 * ulimit -f, and the listener, the sockets and what the decoder opens go past ulimit -n.
 */
static const int own_limits[] = {RLIMIT_NOFILE, RLIMIT_FSIZE};
_Static_assert(ARRAY_SIZE(own_limits) < SESSION_MAX_LIMITS, "and one for core files");

int session_limits_init(struct session *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_limits); i++) {
		struct spawn_limit *l = &s->command_limits[i];
		struct rlimit limit;

		l->resource = own_limits[i];
		if (getrlimit(own_limits[i], &l->value) < 0)
			return -errno;
		limit = (struct rlimit){.rlim_cur = l->value.rlim_max,
					.rlim_max = l->value.rlim_max};
		if (setrlimit(own_limits[i], &limit) < 0)
			return -errno;
	}
	return 0;
}

size_t session_command_limits(struct session *s)
{
	size_t n = ARRAY_SIZE(own_limits);

	if (s->plan.refuses_dumps)
		s->command_limits[n++] = (struct spawn_limit){.resource = RLIMIT_CORE};
	return n;
}
