/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>

#include "base/clock.h"

#include "control/ring_reader.h"

#define DELAY_NS (50 * NS_PER_MSEC)

int ring_reader_watch(struct ring_reader *r, int epoll, const int *fds, size_t n, uint32_t source)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = source};

	for (size_t i = 0; i < n; i++)
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return -errno;
	ring_reader_wake(r);
	return 0;
}

void ring_reader_wake(struct ring_reader *r)
{
	/* An event of a ring that has gone meanwhile is nobody's. */
	if (r->ops && !r->next_ns)
		r->next_ns = clock_monotonic_ns() + DELAY_NS;
}

void ring_reader_tick(struct ring_reader *r)
{
	if (!r->next_ns || (clock_monotonic_ns() < r->next_ns && !r->ops->is_urgent(r->arg)))
		return;
	r->next_ns = r->ops->drain(r->arg) ? clock_monotonic_ns() : 0;
	if (r->ops->is_readable(r->arg))
		ring_reader_wake(r);
}

uint64_t ring_reader_next(const struct ring_reader *r)
{
	return r->next_ns ? r->next_ns : UINT64_MAX;
}

void ring_reader_end(struct ring_reader *r)
{
	while (r->ops && r->ops->drain(r->arg))
		;
	*r = (struct ring_reader){};
}
