/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "names/splice.h"

void pipes_fini(struct pipes *p)
{
	while (p->n) {
		p->n--;
		(void)close(p->free[p->n][0]);
		(void)close(p->free[p->n][1]);
	}
}

static int pipe_take(struct pipes *p, int ret[static 2])
{
	if (p->n) {
		p->n--;
		memcpy(ret, p->free[p->n], sizeof(p->free[0]));
		return 0;
	}
	if (pipe2(ret, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	/* Past the user's share it stays as small as it is. */
	(void)fcntl(ret[0], F_SETPIPE_SZ, (int)SPLICE_CHUNK);
	return 0;
}

/* An empty one is as good as new. */
static void pipe_give(struct pipes *p, struct flow *f)
{
	if (f->pipe[0] < 0 || f->in_pipe)
		return;
	if (p->n < PIPES_MAX) {
		memcpy(p->free[p->n++], f->pipe, sizeof(f->pipe));
	} else {
		(void)close(f->pipe[0]);
		(void)close(f->pipe[1]);
	}
	f->pipe[0] = f->pipe[1] = -1;
}

void flow_fini(struct pipes *p, struct flow *f)
{
	pipe_give(p, f);
	f->pipe[0] = fd_close(f->pipe[0]);
	f->pipe[1] = fd_close(f->pipe[1]);
}

/* Return: FLOW_MORE: there is room again; FLOW_WAITS; -errno. */
static int drain(struct pipes *p, struct flow *f, int to)
{
	while (f->in_pipe) {
		ssize_t n = splice(f->pipe[0], NULL, to, NULL, f->in_pipe,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? FLOW_WAITS : -errno;
		f->in_pipe -= (size_t)n;
	}
	pipe_give(p, f);
	if (f->is_eof && !f->is_shut) {
		f->is_shut = true;
		if (shutdown(to, SHUT_WR) < 0 && errno != ENOTCONN)
			return -errno;
	}
	return FLOW_MORE;
}

/* Return: FLOW_MORE: something came, or the end; FLOW_WAITS; -errno. */
static int fill(struct pipes *p, struct flow *f, int from, size_t max)
{
	ssize_t n;
	int r = pipe_take(p, f->pipe);

	if (r < 0)
		return r;
	do
		n = splice(from, NULL, f->pipe[1], NULL, MIN(max, SPLICE_CHUNK),
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	r = n < 0 && errno != EAGAIN ? -errno : n < 0 ? FLOW_WAITS : FLOW_MORE;
	f->in_pipe = n > 0 ? (size_t)n : 0;
	f->is_eof = n == 0;
	pipe_give(p, f);
	return r;
}

int flow_run(struct pipes *p, struct flow *f, int from, int to, size_t *budget)
{
	int r = drain(p, f, to);

	while (r == FLOW_MORE && !f->is_eof && *budget) {
		r = fill(p, f, from, *budget);
		if (r != FLOW_MORE)
			break;
		*budget -= f->in_pipe;
		r = drain(p, f, to);
	}
	return r == FLOW_MORE && f->is_eof ? FLOW_ENDED : r;
}
