/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's end of the log's sinks. Their processes tell it what they dropped; it never
 * waits for one while the agent runs.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "audit/sink.h"
#include "base/clock.h"

#include "control/session_private.h"

/* A sink that is not hanging answers in milliseconds, one that is in 200. */
#define FINISH_TIMEOUT_NS (400 * NS_PER_MSEC)
/* A sink says something every few seconds at most; more is not one of ours. */
#define MESSAGES_MAX 16

void session_sinks_init(struct session *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->sinks); i++)
		s->sinks[i] = i < s->config->n_sinks ? s->config->sinks[i] : -1;
}

int session_sinks_watch(struct session *s, uint32_t source)
{
	for (size_t i = 0; i < s->config->n_sinks; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = source};

		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->sinks[i], &ev) < 0)
			return -errno;
	}
	return 0;
}

static void lose(struct session *s, size_t sink)
{
	char note[SINK_MESSAGE_MAX];
	int n;

	n = snprintf(note, sizeof(note), "The process of the log sink '%.200s' has ended",
		     s->config->sink_names[sink]);
	session_notice(s, (struct bytes){.p = note, .len = (size_t)n});
	/* Closing would not do: the launcher has the socket as well. */
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->sinks[sink], NULL);
	s->sinks[sink] = fd_close(s->sinks[sink]);
}

/* Return: false: it is done, or has gone. */
static bool take_messages(struct session *s, size_t sink)
{
	char text[SINK_MESSAGE_MAX];

	for (int i = 0; i < MESSAGES_MAX; i++) {
		ssize_t n = recv(s->sinks[sink], text, sizeof(text), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0) {
			lose(s, sink);
			return false;
		}
		if (text[0] == SINK_DONE)
			return false;
		if (text[0] == SINK_NOTICE)
			session_notice(s, (struct bytes){.p = text + 1, .len = (size_t)n - 1});
	}
	return true;
}

void session_sinks_dispatch(struct session *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->sinks); i++)
		if (s->sinks[i] >= 0)
			(void)take_messages(s, i);
}

void session_sinks_finish(struct session *s)
{
	static const char finish = SINK_FINISH;
	uint64_t deadline_ns = clock_monotonic_ns() + FINISH_TIMEOUT_NS;

	if (s->config->n_sinks == 0 || audit_flush(s->audit) < 0)
		return;
	for (size_t i = 0; i < s->config->n_sinks; i++)
		(void)send(s->sinks[i], &finish, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (size_t i = 0; i < s->config->n_sinks; i++) {
		while (s->sinks[i] >= 0 && take_messages(s, i)) {
			struct pollfd fd = {.fd = s->sinks[i], .events = POLLIN};
			uint64_t now_ns = clock_monotonic_ns();

			if (now_ns >= deadline_ns)
				break;
			(void)poll(&fd, 1, (int)((deadline_ns - now_ns) / NS_PER_MSEC) + 1);
		}
	}
}

void session_sinks_fini(struct session *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->sinks); i++)
		s->sinks[i] = fd_close(s->sinks[i]);
}
