/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals of others: what a person types there, and reads there. A process outside of the session
 * has one, as a shell in another window would.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define NAME_FILE "w/terminal" /* where the attack reads the other's name */
#define TYPED_MAX 256
#define TRIES     2000

/* ---- in the host */

static int master = -1;
static pid_t shell;

static _Noreturn void be_shell(const char *name)
{
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setsid();
	fd = open(name, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		_exit(1);
	for (;;)
		(void)pause();
}

static void end_shell(void)
{
	if (shell > 0) {
		(void)kill(shell, SIGKILL);
		(void)waitpid(shell, NULL, 0);
	}
	shell = 0;
	master = fd_close(master);
}

/* The new session is there when its leader has the terminal as its own. */
static bool has_terminal(pid_t pid)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	const char *p;
	int number = 0;

	if (io_read_file_at(AT_FDCWD, in(&(struct world){.top = "/proc"}, "%d/stat", pid), &text) <
	    0)
		return false;
	p = strrchr(strbuf_str(&text), ')');
	return p && sscanf(p + 1, " %*c %*d %*d %*d %d", &number) == 1 && number != 0;
}

/* A shell outside, in whose terminal somebody types the secret. */
static int put_shell(const struct world *w)
{
	_cleanup_(fd_closep) int secret = open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_closep) int note =
		open(in(w, NAME_FILE), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char name[64], typed[TYPED_MAX];
	ssize_t n;

	end_shell();
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0 ||
	    secret < 0 || note < 0)
		return -errno;
	n = read(secret, typed, sizeof(typed));
	shell = fork();
	if (shell == 0)
		be_shell(name);
	for (int i = 0; i < TRIES && !has_terminal(shell); i++)
		(void)usleep(1000);
	if (n <= 0 || write(master, typed, (size_t)n) != n)
		return -EIO;
	return io_write_all(note, name, strlen(name));
}

/* Whether something else than the echo of what was typed is on the terminal. */
static bool is_drawn_on(const struct world *w)
{
	char shown[TYPED_MAX * 4];
	ssize_t n = read(master, shown, sizeof(shown) - 1);

	(void)w;
	end_shell();
	shown[MAX(n, (ssize_t)0)] = '\0';
	return strstr(shown, "attacked");
}

/* ---- in the agent */

static int open_other(const struct world *w, const char *prefix, int flags)
{
	char path[128] = "";
	char name[64] = "";
	_cleanup_(fd_closep) int note = open(in(w, NAME_FILE), O_RDONLY | O_CLOEXEC);

	if (note < 0 || read(note, name, sizeof(name) - 1) <= 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s%s", prefix, name);
	return open(path, flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static int read_typed(const struct world *w)
{
	return print_fd(open_other(w, "", O_RDONLY));
}

static int read_typed_by_alias(const struct world *w)
{
	return print_fd(open_other(w, "/proc/self/root", O_RDWR));
}

static int draw(const struct world *w)
{
	return scribble_fd(open_other(w, "", O_WRONLY));
}

static int draw_reopened(const struct world *w)
{
	char name[64];
	int fd = open_other(w, "", O_PATH);

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return scribble_fd(open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC));
}

/* As Go programs and tmux do it: a terminal of the session's own, by its name. */
static int open_own(const struct world *w)
{
	int own = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];
	int status, r;
	pid_t pid;

	(void)w;
	if (own < 0 || unlockpt(own) < 0 || ptsname_r(own, name, sizeof(name)) != 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		be_shell(name);
	for (int i = 0; i < TRIES && !has_terminal(pid); i++)
		(void)usleep(1000);
	r = outcome(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return r;
}

#define OTHERS(fact, attack, what)                                                                 \
	{                                                                                          \
		fact, "U:terminal", attack, SHIP | READ_ONLY | PW, 0, what, "/dev/pts/",           \
			.prepare = put_shell, .look = is_drawn_on                                  \
	}

static const struct attack_row rows[] = {
	OTHERS("what_is_typed_elsewhere_is_not_read", read_typed, EFFECT_LEAKED),
	OTHERS("what_is_typed_elsewhere_is_not_read_by_another_name", read_typed_by_alias,
	       EFFECT_LEAKED),
	OTHERS("another_terminal_is_not_drawn_on", draw, EFFECT_HOST),
	OTHERS("another_terminal_is_not_drawn_on_by_a_path_only", draw_reopened, EFFECT_HOST),
	{"terminal_of_the_sessions_own_is_opened", "U:terminal", open_own, SHIP,
	 .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"terminal", rows, ARRAY_SIZE(rows), false, false};
