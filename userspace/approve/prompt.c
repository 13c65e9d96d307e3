/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <termios.h>

#include "approve/prompt.h"
#include "approve/prompt_private.h"
#include "approve/tty.h"
#include "base/escape.h"
#include "base/user.h"

#define LINE_BYTES   512 /* a longer answer is no answer */
#define AFTERMATH_NS NS_PER_SEC
#define KEY_INTERRUPT                                                                              \
	'\003' /* Ctrl-C and Ctrl-Z, which come as characters while the question is up */
#define KEY_SUSPEND    '\032'
#define APPROVER_BYTES 160
#define HOW_BYTES      512

enum state {
	STATE_IDLE,
	STATE_DRAWING, /* the text is not yet all on the terminal, which may be stopped by Ctrl-S */
	STATE_SETTLING, /* all is there; what is typed now was not meant for us */
	STATE_ASKING,
	STATE_GONE, /* the terminal hung up, for good */
};

enum event {
	EVENT_TTY,
	EVENT_TIMER,
	_EVENT_MAX,
};

struct prompt {
	int tty, epoll, timer;
	pid_t job_pgrp, supervisor;
	enum state state;
	char id[HELD_ID_SIZE];
	char approver[APPROVER_BYTES];

	struct strbuf text; /* what is still to be written, from `written` on */
	size_t written;

	/* What to give back. */
	pid_t lender; /* the foreground process group before */
	struct termios lent, ours;
	uint64_t returned_ns; /* when it was last given back; 0: never */
};

/* ---- making one */

static void make_approver(struct prompt *p)
{
	char name[USER_NAME_SIZE], tty[TTY_NAME_MAX] = "";
	unsigned dev;

	user_name(getuid(), name);
	if (ioctl(p->tty, TIOCGDEV, &dev) == 0)
		tty_name(dev, tty);
	(void)snprintf(p->approver, sizeof(p->approver), "%s (on %s)", name,
		       tty[0] ? tty : "the terminal");
}

static int watch(struct prompt *p, int op, int fd, uint32_t events, enum event data)
{
	struct epoll_event ev = {.events = events, .data.u32 = data};

	return epoll_ctl(p->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

static void prompt_freep(struct prompt **p)
{
	prompt_free(*p);
}

int prompt_new(const struct prompt_config *config, struct prompt **ret)
{
	_cleanup_(prompt_freep) struct prompt *p = calloc(1, sizeof(*p));
	const char *path = config->tty ? config->tty : "/dev/tty";
	int r;

	if (!p)
		return -ENOMEM;
	p->epoll = p->timer = -1;
	p->job_pgrp = config->job_pgrp;
	p->supervisor = config->supervisor;
	p->text = STRBUF_INIT(PROMPT_TEXT_MAX);
	/* An open file description of our own, so that O_NONBLOCK is nobody else's. */
	p->tty = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->tty < 0 || tcgetpgrp(p->tty) < 0)
		return -ENXIO; /* none, or not the one that controls us: nobody to ask */
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->epoll < 0 || p->timer < 0)
		return -errno;
	r = watch(p, EPOLL_CTL_ADD, p->timer, EPOLLIN, EVENT_TIMER);
	if (r < 0)
		return r;
	make_approver(p);
	*ret = TAKE_PTR(p);
	return 0;
}

bool prompt_is_active(const struct prompt *p)
{
	return p->state != STATE_IDLE && p->state != STATE_GONE;
}

int prompt_fd(const struct prompt *p)
{
	return p->epoll;
}

const char *prompt_id(const struct prompt *p)
{
	return p->id;
}

bool prompt_caused_stop(const struct prompt *p, uint64_t now_ns)
{
	return prompt_is_active(p) || (p->returned_ns && now_ns - p->returned_ns < AFTERMATH_NS);
}

/* ---- borrowing the terminal and giving it back */

/* True when the terminal's foreground is the session's: its launcher's group, or one that the agent
 * made. */
static bool is_ours(const struct prompt *p, pid_t group)
{
	return group == p->job_pgrp || prompt_group_is_in_session(group, p->supervisor);
}

/* Return: 0; as prompt_show(). */
static int borrow(struct prompt *p)
{
	pid_t group = tcgetpgrp(p->tty);

	if (group < 0 || tcgetattr(p->tty, &p->lent) < 0)
		return -EIO;
	if (group == getpgrp() || !is_ours(p, group))
		return -EAGAIN; /* in the background: the shell, or another job, has it */
	/*
	 * Who reads keys draws the screen as well, and takes what is typed for his own: a question
	 * would be drawn over, or answered by a key that was meant for an editor. That includes the
	 * alternate screen, which the terminal does not tell us of: its programs read keys.
	 */
	if (!(p->lent.c_lflag & ICANON) || !(p->lent.c_lflag & ECHO))
		return PROMPT_E_RAW;
	/*
	 * Lines, because only a whole line answers. No signals from the keyboard: they would reach
	 * our own group and nobody else; Ctrl-C and Ctrl-Z end a line instead, and are passed on.
	 * No echo until what was typed blindly is dropped. TCSANOW: the other forms wait for
	 * output, which Ctrl-S may have stopped.
	 */
	p->ours = p->lent;
	p->ours.c_lflag |= ICANON | ECHOE | ECHOK | IEXTEN; /* IEXTEN: for VEOL2 */
	p->ours.c_lflag &= ~(tcflag_t)(ISIG | ECHO | ECHONL);
	p->ours.c_iflag |= ICRNL | IXON;
	p->ours.c_iflag &= ~(tcflag_t)(INLCR | IGNCR | ISTRIP);
	p->ours.c_oflag |= OPOST | ONLCR;
	p->ours.c_cc[VEOL] = KEY_INTERRUPT;
	p->ours.c_cc[VEOL2] = KEY_SUSPEND;
	p->ours.c_cc[VEOF] = '\004';
	p->ours.c_cc[VLNEXT] = _POSIX_VDISABLE;
	p->lender = group;
	if (tcsetpgrp(p->tty, getpgrp()) < 0)
		return -EAGAIN;
	if (tcsetattr(p->tty, TCSANOW, &p->ours) < 0) {
		(void)tcsetpgrp(p->tty, p->lender);
		return -EIO;
	}
	return 0;
}

/*
 * Gives everything back and sends @extra_signal (0: none) to the group that had the terminal.
 *
 * Why SIGCONT: a process of the agent that read the terminal meanwhile was stopped by SIGTTIN,
 * since it was in a background group. Its shell did not see why, and nobody else would wake it. For
 * processes that were not stopped SIGCONT does nothing (unless they handle it, which they must
 * expect after fg as well). The group comes to the foreground first, so that a reader which is
 * woken does not stop again.
 *
 * When the foreground group is no longer ours, the shell took the terminal and set it as it likes:
 * then nothing is touched, and nobody woken, because the shell believes its job stopped.
 */
static void give_back(struct prompt *p, int extra_signal)
{
	struct termios now;

	if (tcgetpgrp(p->tty) != getpgrp())
		return;
	/* If somebody else changed the settings meanwhile, his are newer than those that we
	 * remember. */
	if (tcgetattr(p->tty, &now) == 0 && now.c_lflag == p->ours.c_lflag &&
	    now.c_iflag == p->ours.c_iflag)
		(void)tcsetattr(p->tty, TCSANOW, &p->lent);
	/* The group may have died; then the launcher's takes over, which lives as long as we do. */
	if (tcsetpgrp(p->tty, p->lender) < 0 && tcsetpgrp(p->tty, p->job_pgrp) == 0)
		p->lender = p->job_pgrp;
	if (extra_signal)
		(void)kill(-p->lender, extra_signal);
	if (extra_signal != SIGTSTP)
		(void)kill(-p->lender, SIGCONT);
}

/* The end of a question, whatever the reason. */
static void take_down(struct prompt *p, enum state next, int extra_signal, uint64_t now_ns)
{
	const struct itimerspec never = {};

	(void)watch(p, EPOLL_CTL_DEL, p->tty, 0, EVENT_TTY);
	(void)timerfd_settime(p->timer, 0, &never, NULL);
	give_back(p, extra_signal);
	p->state = next;
	p->id[0] = '\0';
	/* A stop that we pass on from Ctrl-Z is the person's, not ours. */
	p->returned_ns = extra_signal == SIGTSTP ? 0 : now_ns;
	strbuf_fini(&p->text);
	p->text = STRBUF_INIT(PROMPT_TEXT_MAX);
}

/* ---- drawing */

/* Short words after the answer; nothing waits for them: what the terminal does not take now is
 * lost. */
static void write_now(const struct prompt *p, const char *text)
{
	(void)!write(p->tty, text, strlen(text));
}

static void start_settling(struct prompt *p)
{
	const struct itimerspec when = {
		.it_value = {.tv_nsec = (long)PROMPT_SETTLE_NS},
	};

	p->state = STATE_SETTLING;
	(void)timerfd_settime(p->timer, 0, &when, NULL);
	(void)watch(p, EPOLL_CTL_MOD, p->tty, EPOLLHUP, EVENT_TTY);
}

/* Nobody may approve what he has not been shown: asking begins when the last byte is written.
 * Return: false on hang-up. */
static bool draw(struct prompt *p)
{
	while (p->written < p->text.len) {
		ssize_t n = write(p->tty, p->text.p + p->written, p->text.len - p->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		p->written += (size_t)n;
	}
	start_settling(p);
	return true;
}

int prompt_show(struct prompt *p, const struct held *h, uint64_t now_ns)
{
	int r;

	if (p->state == STATE_GONE)
		return -EIO;
	if (prompt_is_active(p))
		return -EBUSY;
	strbuf_reset(&p->text);
	prompt_write_text(h, now_ns, &p->text);
	if (strbuf_error(&p->text))
		return strbuf_error(&p->text);
	r = borrow(p);
	if (r != 0) {
		if (r == -EIO)
			p->state = STATE_GONE;
		return r;
	}
	/* Before the first letter appears: what was typed for something else is not for us. */
	(void)tcflush(p->tty, TCIFLUSH);
	p->written = 0;
	p->state = STATE_DRAWING;
	memcpy(p->id, h->id, sizeof(p->id));
	(void)watch(p, EPOLL_CTL_ADD, p->tty, EPOLLOUT, EVENT_TTY);
	if (!draw(p)) {
		take_down(p, STATE_GONE, 0, now_ns);
		return -EIO;
	}
	return 0;
}

/* The time to settle is over: drop what came in it and listen. */
static void start_asking(struct prompt *p)
{
	uint64_t expirations;

	(void)!read(p->timer, &expirations, sizeof(expirations));
	if (p->state != STATE_SETTLING)
		return;
	(void)tcflush(p->tty, TCIFLUSH);
	p->ours.c_lflag |= ECHO;
	(void)tcsetattr(p->tty, TCSANOW, &p->ours);
	p->state = STATE_ASKING;
	(void)watch(p, EPOLL_CTL_MOD, p->tty, EPOLLIN, EVENT_TTY);
}

/* ---- reading */

static bool is_word(const char *line, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(line, word, len) == 0;
}

static enum prompt_result finish(struct prompt *p, enum prompt_result result, const char *reason,
				 int extra_signal, uint64_t now_ns, struct prompt_answer *ret)
{
	*ret = (struct prompt_answer){.reason = bytes_of(reason),
				      .approver = bytes_of(p->approver)};
	memcpy(ret->id, p->id, sizeof(ret->id));
	take_down(p, STATE_IDLE, extra_signal, now_ns);
	return result;
}

static enum prompt_result hung_up(struct prompt *p, uint64_t now_ns, struct prompt_answer *ret)
{
	enum prompt_result result =
		finish(p, PROMPT_DENY, "The terminal was closed.", 0, now_ns, ret);

	p->state = STATE_GONE;
	return result;
}

static enum prompt_result answer_line(struct prompt *p, const char *line, size_t len,
				      uint64_t now_ns, struct prompt_answer *ret)
{
	char last = len ? line[len - 1] : '\n';

	if (last == KEY_INTERRUPT) {
		write_now(p, "\nholdfast: denied, interrupted\n");
		return finish(p, PROMPT_DENY, "Interrupted at the question.", SIGINT, now_ns, ret);
	}
	if (last == KEY_SUSPEND) {
		write_now(p, "\nholdfast: still held\n");
		return finish(p, PROMPT_SUSPENDED, NULL, SIGTSTP, now_ns, ret);
	}
	if (len == 0 || is_word(line, len, "\n") || is_word(line, len, "n\n") ||
	    is_word(line, len, "no\n")) {
		write_now(p, len ? "holdfast: denied\n" : "\nholdfast: denied\n");
		return finish(p, PROMPT_DENY, NULL, 0, now_ns, ret);
	}
	if (is_word(line, len, "y\n") || is_word(line, len, "yes\n")) {
		write_now(p, "holdfast: allowed once\n");
		return finish(p, PROMPT_APPROVE, NULL, 0, now_ns, ret);
	}
	write_now(p, "Please answer y or n. Allow this once? [y/N] ");
	return PROMPT_PENDING;
}

static enum prompt_result read_answer(struct prompt *p, uint64_t now_ns, struct prompt_answer *ret)
{
	char line[LINE_BYTES];
	ssize_t n = read(p->tty, line,
			 sizeof(line)); /* canonical: one line, or the head of a longer one */

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return PROMPT_PENDING;
	if (n < 0)
		return hung_up(p, now_ns, ret);
	/* The head of a line that is too long to be an answer. */
	if (n > 0 && line[n - 1] != '\n' && line[n - 1] != KEY_INTERRUPT &&
	    line[n - 1] != KEY_SUSPEND) {
		(void)tcflush(p->tty, TCIFLUSH);
		return answer_line(p, "?", 1, now_ns, ret);
	}
	return answer_line(p, line, (size_t)n, now_ns, ret);
}

static enum prompt_result on_tty(struct prompt *p, uint32_t events, uint64_t now_ns,
				 struct prompt_answer *ret)
{
	if (events & (EPOLLHUP | EPOLLERR))
		return hung_up(p, now_ns, ret);
	if (tcgetpgrp(p->tty) !=
	    getpgrp()) /* the shell took it: reading would fail, and is not ours to do */
		return finish(p, PROMPT_SUSPENDED, NULL, 0, now_ns, ret);
	switch (p->state) {
	case STATE_DRAWING:
		return draw(p) ? PROMPT_PENDING : hung_up(p, now_ns, ret);
	case STATE_ASKING:
		return read_answer(p, now_ns, ret);
	case STATE_IDLE:
	case STATE_SETTLING:
	case STATE_GONE:
		break;
	}
	return PROMPT_PENDING;
}

enum prompt_result prompt_dispatch(struct prompt *p, uint64_t now_ns, struct prompt_answer *ret)
{
	struct epoll_event events[_EVENT_MAX];
	int n = epoll_wait(p->epoll, events, _EVENT_MAX, 0);

	for (int i = 0; i < n; i++) {
		enum prompt_result result;

		if (events[i].data.u32 == EVENT_TIMER) {
			start_asking(p);
			continue;
		}
		if (!prompt_is_active(p))
			continue;
		result = on_tty(p, events[i].events, now_ns, ret);
		if (result != PROMPT_PENDING)
			return result;
	}
	return PROMPT_PENDING;
}

void prompt_hide(struct prompt *p, uint64_t now_ns, const char *how)
{
	_cleanup_(strbuf_fini) struct strbuf line = STRBUF_INIT(HOW_BYTES);

	if (!prompt_is_active(p))
		return;
	strbuf_add_str(&line, "\nholdfast: no answer needed: ");
	escape_terminal(&line, bytes_of(how));
	strbuf_add_char(&line, '\n');
	if (tcgetpgrp(p->tty) == getpgrp())
		write_now(p, strbuf_str(&line));
	take_down(p, STATE_IDLE, 0, now_ns);
}

struct prompt *prompt_free(struct prompt *p)
{
	if (!p)
		return NULL;
	if (prompt_is_active(p))
		take_down(p, STATE_IDLE, 0, 0);
	fd_close(p->tty);
	fd_close(p->epoll);
	fd_close(p->timer);
	strbuf_fini(&p->text);
	free(p);
	return NULL;
}
