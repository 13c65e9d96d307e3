/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/escape.h"
#include "base/io.h"
#include "control/socket.h"

#include "broker/broker_private.h"

#define TICK_NS        NS_PER_SEC /* for what has no deadline of its own */
#define OTHER_WAIT_NS  (5 * NS_PER_SEC)
#define OTHER_ROUND_MS 50

void broker_say(struct broker *b, const char *fmt, ...)
{
	_cleanup_(strbuf_fini) struct strbuf clean = STRBUF_INIT(4096);
	char line[PROBLEM_SIZE], *slot;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	escape_terminal(&clean, bytes_of(line));
	slot = b->problems[(b->n_problems + PROBLEMS_MAX - 1) % PROBLEMS_MAX];
	(void)snprintf(line, sizeof(line), "%s", strbuf_str(&clean));
	if (b->n_problems && streq(slot, line))
		return;
	slot = b->problems[b->n_problems++ % PROBLEMS_MAX];
	memcpy(slot, line, sizeof(line));
	if (b->options->say)
		b->options->say(b->options->arg, slot);
}

static void on_change(void *arg)
{
	((struct broker *)arg)->is_changed = true;
}

/* ---- one of each user */

/* Return: 0, and there is one that answers; else it is asked again. */
static int call_other(void)
{
	_cleanup_(strbuf_fini) struct strbuf reply = STRBUF_INIT(BROKER_REPLY_MAX + 1);

	return broker_call("hello", &reply);
}

/*
 * Return: 0: we are it; -EALREADY: another is, and knows that it is wanted; -errno with @d. One
 * that is just going has let go of its socket before its lock.
 */
static int become_the_one(struct broker *b, struct diag *d)
{
	uint64_t end_ns = clock_monotonic_ns() + OTHER_WAIT_NS;

	for (;;) {
		int lock = io_lock_at(b->dir, BROKER_LOCK, 0);

		if (lock >= 0) {
			b->lock = lock;
			return 0;
		}
		if (lock != -EBUSY) {
			(void)diag_set(d, b->dir_path, 0, 0, "cannot lock '" BROKER_LOCK "': %s",
				       strerror(-lock));
			return lock;
		}
		if (call_other() == 0)
			return -EALREADY;
		if (clock_monotonic_ns() >= end_ns) {
			(void)diag_set(d, b->dir_path, 0, 0,
				       "another process has the lock '" BROKER_LOCK
				       "' and does not answer");
			return -EBUSY;
		}
		(void)poll(NULL, 0, OTHER_ROUND_MS);
	}
}

/* A socket that a unit holds and that has no broker behind it yet gets one by being called. */
static int open_door(struct broker *b, struct diag *d)
{
	int r = door_open(b, d);

	if (r != -EADDRINUSE)
		return r;
	b->lock = fd_close(b->lock);
	return call_other() == 0 ? -EALREADY : r;
}

/* ---- its life */

static int catch_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int init(struct broker *b, const struct broker_options *options, struct diag *d)
{
	const struct roster_config roster = {
		.is_own = true, .changed = on_change, .answered = answers_done, .arg = b};
	int r;

	*b = (struct broker){.options = options,
			     .config = options->config,
			     .dir = -1,
			     .lock = -1,
			     .signals = -1,
			     .listener = -1,
			     .dir_path = dirs_runtime(),
			     .desktop = HAND_INIT("holdfast-notify"),
			     .webhook = HAND_INIT("holdfast-webhook"),
			     .links = HAND_INIT("holdfast-links"),
			     .is_changed = true,
			     .packet = STRBUF_INIT(HAND_PACKET_MAX)};
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		b->clients[i].fd = -1;
	if (!b->dir_path || sodium_init() < 0) {
		(void)diag_set(d, NULL, 0, 0,
			       "no place for the broker's socket: set HOME or "
			       "XDG_RUNTIME_DIR");
		return -ENOENT;
	}
	/* Who could trace it could answer with it, and the key of tokens is in its memory. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	randombytes_buf(b->key, sizeof(b->key));
	b->dir = control_socket_open_dir(b->dir_path, 0700, d);
	if (b->dir < 0)
		return b->dir;
	r = become_the_one(b, d);
	if (r == 0)
		r = open_door(b, d);
	if (r < 0)
		return r;
	b->signals = catch_signals();
	if (b->signals < 0)
		return b->signals;
	b->needed_ns = clock_monotonic_ns();
	return roster_new(&roster, &b->roster);
}

static void fini(struct broker *b)
{
	door_free(b);
	hand_stop(&b->desktop);
	hand_stop(&b->webhook);
	hand_stop(&b->links);
	webhook_free(b);
	board_free(b);
	roster_free(b->roster);
	strbuf_fini(&b->packet);
	sodium_memzero(b->key, sizeof(b->key));
	fd_close(b->signals);
	fd_close(b->dir);
	free(b->dir_path);
	fd_close(b->lock); /* the last: who waits for it is the broker then */
}

static uint64_t next_ns(const struct broker *b, uint64_t now_ns)
{
	uint64_t next = now_ns + TICK_NS;

	if (b->config->webhook.url)
		next = MIN(next, webhook_next_ns(b));
	return next;
}

enum source {
	SIGNALS,
	ROSTER,
	LISTENER,
	DESKTOP,
	WEBHOOK,
	LINKS,
	CLIENTS
};

static int wait_for_something(struct broker *b, struct pollfd *fds)
{
	uint64_t now_ns = clock_monotonic_ns(), next = next_ns(b, now_ns);
	int ms = next > now_ns ? (int)((next - now_ns) / NS_PER_MSEC + 1) : 0;

	fds[SIGNALS].fd = b->signals;
	fds[ROSTER].fd = roster_fd(b->roster);
	fds[LISTENER].fd = b->listener;
	fds[DESKTOP].fd = b->desktop.fd;
	fds[WEBHOOK].fd = b->webhook.fd;
	fds[LINKS].fd = b->links.fd;
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		fds[CLIENTS + i].fd = b->clients[i].fd;
	for (size_t i = 0; i < CLIENTS + DOOR_CLIENTS_MAX; i++)
		fds[i].events = POLLIN;
	return poll(fds, CLIENTS + DOOR_CLIENTS_MAX, b->is_changed ? 0 : ms);
}

static void tick(struct broker *b)
{
	uint64_t now_ns = clock_monotonic_ns();

	roster_dispatch(b->roster);
	if (roster_count(b->roster))
		b->needed_ns = now_ns;
	if (b->is_changed) {
		b->is_changed = false;
		board_update(b);
	}
	door_tick(b, now_ns);
	if (b->config->notifies)
		desktop_tick(b, now_ns);
	if (b->config->webhook.url)
		webhook_tick(b, now_ns);
	if (b->config->links.address)
		links_tick(b, now_ns);
}

/* Return: whether nobody needs it any more. */
static bool is_idle(const struct broker *b)
{
	return b->options->is_lingering && !b->is_activated &&
	       clock_monotonic_ns() - b->needed_ns >= b->config->linger_ns;
}

static void step(struct broker *b)
{
	struct pollfd fds[CLIENTS + DOOR_CLIENTS_MAX] = {};

	if (wait_for_something(b, fds) < 0)
		return; /* interrupted */
	if (fds[SIGNALS].revents)
		b->is_over = true;
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		if (fds[CLIENTS + i].revents && b->clients[i].fd >= 0)
			door_read(b, &b->clients[i]);
	if (fds[LISTENER].revents)
		door_accept(b);
	if (fds[DESKTOP].revents)
		desktop_read(b);
	if (fds[WEBHOOK].revents)
		webhook_read(b);
	if (fds[LINKS].revents)
		links_read(b);
	tick(b);
}

int broker_run(const struct broker_options *options, struct diag *reterr_diag)
{
	struct broker b;
	int r = init(&b, options, reterr_diag);

	while (r == 0 && !b.is_over) {
		step(&b);
		if (b.is_over || !is_idle(&b))
			continue;
		if (!door_close(&b))
			break;
		/* Somebody came in the last moment. */
		door_accept(&b);
		door_free(&b);
		r = door_open(&b, reterr_diag);
	}
	if (r == 0 && b.is_over && !b.is_activated)
		(void)unlinkat(b.dir, BROKER_SOCKET, 0);
	fini(&b);
	return r;
}
