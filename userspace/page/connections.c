/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "page/connections.h"

void connections_init(struct connections *c)
{
	(void)pthread_mutex_init(&c->lock, NULL);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		c->slots[i].fd = -1;
}

struct connection *connections_add(struct connections *c, int fd)
{
	struct connection *slot = NULL;
	socklen_t len = sizeof(slot->peer);

	(void)pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX && !slot; i++)
		if (c->slots[i].fd < 0)
			slot = &c->slots[i];
	if (slot) {
		*slot = (struct connection){.fd = fd, .since_ns = clock_monotonic_ns()};
		if (getpeername(fd, (struct sockaddr *)&slot->peer, &len) < 0)
			slot->peer.ss_family = AF_UNSPEC;
		len = sizeof(slot->ours);
		if (getsockname(fd, (struct sockaddr *)&slot->ours, &len) < 0)
			slot->peer.ss_family = AF_UNSPEC;
		c->n++;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return slot;
}

void connections_remove(struct connections *c, struct connection *slot)
{
	(void)pthread_mutex_lock(&c->lock);
	slot->fd = -1;
	c->n--;
	(void)pthread_mutex_unlock(&c->lock);
}

void connections_mark(struct connections *c, struct connection *slot, bool is_answered,
		      bool is_stream)
{
	(void)pthread_mutex_lock(&c->lock);
	slot->is_answered = is_answered;
	slot->is_stream = is_stream;
	slot->since_ns = clock_monotonic_ns();
	(void)pthread_mutex_unlock(&c->lock);
}

size_t connections_count(struct connections *c)
{
	size_t n;

	(void)pthread_mutex_lock(&c->lock);
	n = c->n;
	(void)pthread_mutex_unlock(&c->lock);
	return n;
}

void connections_reap(struct connections *c)
{
	uint64_t now_ns = clock_monotonic_ns();

	(void)pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *slot = &c->slots[i];
		uint64_t limit_ns = slot->is_answered ? RESPONSE_NS : REQUEST_NS;

		/* The server closes a socket only after connections_remove(). */
		if (slot->fd >= 0 && !slot->is_stream && now_ns - slot->since_ns > limit_ns)
			(void)shutdown(slot->fd, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&c->lock);
}
