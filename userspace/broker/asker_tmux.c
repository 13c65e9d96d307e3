/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/dirs.h"
#include "base/io.h"

#include "broker/asker_tmux.h"

#define ARGUMENTS_MAX 32
#define OUTPUT_MAX    ((size_t)256)

struct asker_tmux {
	const struct asker_tmux_config *config;
	char asked[ASKER_AT_ONCE][HELD_ID_SIZE]; /* "": a free place */
	int shown;                               /* a pidfd: who shows it; -1: nobody */
	pid_t popup;  /* the tmux client that has it up; 0: it is a pane */
	bool has_new; /* something was asked while it was up: it may have been about to close */
	bool is_over;
};

/* ---- what is asked */

static char (*find(struct asker_tmux *a, const char *id))[HELD_ID_SIZE]
{
	for (size_t i = 0; i < ARRAY_SIZE(a->asked); i++)
		if (streq(a->asked[i], id))
			return &a->asked[i];
	return NULL;
}

static bool is_anything_asked(const struct asker_tmux *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->asked); i++)
		if (a->asked[i][0])
			return true;
	return false;
}

/* "ask ID LEFT_MS\n{...}" or "end ID". Return: whether there is a new question. */
static bool on_packet(struct asker_tmux *a, struct bytes packet)
{
	bool is_question = bytes_has_prefix(packet, BYTES_LIT("ask "));
	char(*slot)[HELD_ID_SIZE];
	char id[HELD_ID_SIZE] = "";

	if (packet.len < strlen("ask ") + HELD_ID_SIZE - 1)
		return false;
	memcpy(id, packet.p + strlen("ask "), HELD_ID_SIZE - 1);
	if (!control_is_id(id))
		return false;
	slot = find(a, is_question ? "" : id);
	if (!slot)
		return false;
	memcpy(*slot, is_question ? id : "", is_question ? HELD_ID_SIZE : 1);
	return is_question;
}

/* ---- tmux */

/* Environment that tells `holdfast watch` where the session is: that of the tmux server may be
 * another. */
static const char *const places[] = {"XDG_RUNTIME_DIR", "HOME", "XDG_STATE_HOME", "NO_COLOR"};

struct command {
	const char *words[ARGUMENTS_MAX];
	size_t n;
	char *owned[ARRAY_SIZE(places)];
	size_t n_owned;
};

static void command_fini(struct command *c)
{
	for (size_t i = 0; i < c->n_owned; i++)
		free(c->owned[i]);
}

static void add(struct command *c, const char *word)
{
	if (c->n < ARRAY_SIZE(c->words) - 1)
		c->words[c->n++] = word;
}

/* The words after those of tmux itself: each is an argument, no shell reads them. */
static void add_watch(struct command *c, const struct asker_tmux_config *config)
{
	add(c, "env");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *value = getenv(places[i]);
		char *word = value ? str_format("%s=%s", places[i], value) : NULL;

		if (!word)
			continue;
		c->owned[c->n_owned++] = word;
		add(c, word);
	}
	add(c, config->binary);
	add(c, "watch");
	add(c, "--once");
	add(c, "--own-terminal");
	add(c, config->session);
}

/* Return: the child, -errno. */
static pid_t start(const struct command *c, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	(void)posix_spawn_file_actions_init(&actions);
	r = out < 0 ? 0 : posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	/* Its signature says that it may change the strings; POSIX says that it does not. */
	if (r == 0)
		r = posix_spawnp(&pid, c->words[0], &actions, NULL,
				 (char *const *)(uintptr_t)c->words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r ? -r : pid;
}

static bool open_popup(struct asker_tmux *a)
{
	_cleanup_(command_fini) struct command c = {};
	pid_t pid;

	add(&c, "tmux");
	add(&c, "display-popup");
	add(&c, "-E"); /* it closes when the program ends */
	add(&c, "-w");
	add(&c, "90%");
	add(&c, "-h");
	add(&c, "90%");
	add(&c, "--");
	add_watch(&c, a->config);
	pid = start(&c, -1);
	if (pid < 0)
		return false;
	a->popup = pid;
	a->shown = (int)syscall(SYS_pidfd_open, pid, 0);
	return a->shown >= 0;
}

/* Waits for tmux, which answers at once or not at all. */
static bool open_pane(struct asker_tmux *a)
{
	_cleanup_(command_fini) struct command c = {};
	_cleanup_(strbuf_fini) struct strbuf pid_text = STRBUF_INIT(OUTPUT_MAX);
	const char *pane = getenv("TMUX_PANE");
	int out[2], status, r;
	uint64_t shown;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return false;
	add(&c, "tmux");
	add(&c, "split-window");
	if (pane) {
		add(&c, "-t");
		add(&c, pane);
	}
	add(&c, "-P");
	add(&c, "-F");
	add(&c, "#{pane_pid}");
	add(&c, "--");
	add_watch(&c, a->config);
	pid = start(&c, out[1]);
	fd_close(out[1]);
	r = pid < 0 ? (int)pid : io_read_all(out[0], &pid_text);
	fd_close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || r < 0)
		return false;
	while (pid_text.len && pid_text.p[pid_text.len - 1] == '\n')
		strbuf_truncate(&pid_text, pid_text.len - 1);
	if (parse_u64(strbuf_bytes(&pid_text), INT32_MAX, &shown) < 0)
		return false;
	a->popup = 0;
	a->shown = (int)syscall(SYS_pidfd_open, (pid_t)shown, 0);
	return a->shown >= 0 || errno == ESRCH;
}

/* Nothing can be shown: the session, which sees us go, says how to answer elsewhere. */
static void show(struct asker_tmux *a)
{
	a->has_new = false;
	if (!open_popup(a) && !open_pane(a))
		a->is_over = true;
}

/*
 * Whoever showed it has gone. A popup that did not do well (there is no client to put it on, or the
 * client went, or this tmux has none) becomes a pane. What a person closed stays closed until there
 * is something new.
 */
static void on_end(struct asker_tmux *a)
{
	int status = 0;

	a->shown = fd_close(a->shown);
	if (a->popup)
		(void)waitpid(a->popup, &status, 0);
	if (!is_anything_asked(a))
		return;
	if (a->popup && status != 0 && !open_pane(a))
		a->is_over = true;
	else if (a->shown < 0 && a->has_new)
		show(a);
}

static void on_control(struct asker_tmux *a)
{
	char packet[ASKER_QUESTION_MAX];
	bool is_new = false;
	ssize_t n;

	while ((n = recv(a->config->control, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		is_new = on_packet(a, (struct bytes){packet, (size_t)n}) || is_new;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		a->is_over = true;
	else if (is_new && a->shown < 0)
		show(a);
	else
		a->has_new = a->has_new || is_new;
}

int asker_tmux_run(const struct asker_tmux_config *config)
{
	struct asker_tmux a = {.config = config, .shown = -1};

	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	while (!a.is_over) {
		struct pollfd fds[] = {{.fd = config->control, .events = POLLIN},
				       {.fd = a.shown, .events = POLLIN}};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[1].revents)
			on_end(&a);
		if (fds[0].revents)
			on_control(&a);
	}
	/* What is up closes by itself: it sees that the session has gone. */
	fd_close(a.shown);
	return 0;
}
