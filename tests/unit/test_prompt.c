/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prompt on a pseudo-terminal of the test's own. Each case is a scenario, which runs as the
 * supervisor, and a test, which is the person at the terminal.
 */
#include "prompt_harness.h"

static void test_answers(void **state)
{
	static const struct {
		const char *keys, *result;
	} rows[] = {
		{"y\n", "approve"},        {"YES\n", "approve"},    {"Yes\n", "approve"},
		{"n\n", "deny"},           {"no\n", "deny"},        {"\n", "deny"},
		{"\004", "deny"},          {"y\b \b\n", "pending"}, {"yy\nn\n", "deny"},
		{" y\nn\n", "deny"},       {"y \nn\n", "deny"},     {"yes!\nno\n", "deny"},
		{"allow\ny\n", "approve"}, {"\033y\nn\n", "deny"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pty p;

		start(&p, ask_once);
		wait_asking(&p);
		type(&p, rows[i].keys);
		if (streq(rows[i].result, "pending")) {
			wait_in(&p, &p.screen, "Please answer y or n");
			type(&p, "n\n");
			wait_report(&p, "deny\n");
		} else {
			wait_report(&p, "\n");
			if (strncmp(strbuf_str(&p.reports), rows[i].result,
				    strlen(rows[i].result)) != 0)
				fail_msg("row %zu: %s", i, strbuf_str(&p.reports));
		}
		finish(&p);
	}
}

static void test_approver_names_the_terminal(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_once);
	wait_asking(&p);
	type(&p, "y\n");
	wait_report(&p, "(on /dev/pts/");
	finish(&p);
}

static void test_what_is_shown_is_clean_and_complete(void **state)
{
	static const char *const parts[] = {
		"rm -rf\\x1b[2J \\u{202e}\\nAllow",
		"/bin/rm\\r\\x9b",
		"/work\\x07",
		"4711 /bin/sh",
		"careful",
		"Somebody should look.",
		"denied in",
		"holdfast approve ",
	};
	struct pty p;

	(void)state;
	start(&p, ask_once);
	wait_asking(&p);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		wait_in(&p, &p.screen, parts[i]);
	for (size_t i = 0; i < p.screen.len; i++) {
		char c = p.screen.p[i];

		assert_true((c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n');
	}
	type(&p, "n\n");
	finish(&p);
}

/* Return: false when this machine was too slow for the test: the time to settle was over before the
 * second line was typed. */
static bool type_before_and_while_settling(struct pty *p)
{
	struct termios t;
	pid_t pid;

	start(p, ask_when_told);
	pid = told_pid(p);
	type(p, "y\ny\n");
	wait_in(p, &p->screen, "y\r\ny\r\n"); /* echoed: it is in the terminal's buffer */
	assert_int_equal(kill(pid, SIGUSR1), 0);
	wait_in(p, &p->screen, "[y/N] ");
	type(p, "y\ny"); /* the question is there, but nobody can have read it */
	assert_int_equal(tcgetattr(p->master, &t), 0);
	return !(t.c_lflag & ECHO);
}

static void test_what_was_typed_before_is_no_answer(void **state)
{
	unsigned tries = 20;
	struct pty p;

	(void)state;
	while (!type_before_and_while_settling(&p)) {
		assert_int_not_equal(--tries, 0);
		type(&p, "\003");
		wait_report(&p, "(on ");
		finish(&p);
	}
	wait_asking(&p);
	type(&p, "\n");
	wait_report(&p, "deny\n"); /* the "y" before the newline is gone, so the line was empty */
	finish(&p);
}

static void test_terminal_is_given_back_as_it_was(void **state)
{
	struct termios before, after;
	struct pty p;
	pid_t pid;

	(void)state;
	start(&p, ask_when_told);
	pid = told_pid(&p);
	assert_int_equal(tcgetattr(p.master, &before), 0);
	before.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
	before.c_iflag |= ISTRIP;
	before.c_oflag &= ~(tcflag_t)OPOST;
	before.c_lflag &= ~(tcflag_t)(IEXTEN | ECHOE);
	before.c_cc[VEOL] = 'q';
	assert_int_equal(tcsetattr(p.master, TCSANOW, &before), 0);
	assert_int_equal(tcgetattr(p.master, &before), 0);
	assert_int_equal(tcgetpgrp(p.master), p.launcher);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	wait_asking(&p);
	assert_int_equal(tcgetpgrp(p.master), pid);
	type(&p, "y\n");
	wait_report(&p, "approve\n");
	assert_int_equal(tcgetattr(p.master, &after), 0);
	assert_int_equal(before.c_iflag, after.c_iflag);
	assert_int_equal(before.c_oflag, after.c_oflag);
	assert_int_equal(before.c_cflag, after.c_cflag);
	assert_int_equal(before.c_lflag, after.c_lflag);
	assert_memory_equal(before.c_cc, after.c_cc, sizeof(before.c_cc));
	assert_int_equal(tcgetpgrp(p.master), p.launcher);
	finish(&p);
}

/* An agent in the launcher's group that reads a line from the terminal. */
static pid_t start_reader(pid_t group, int report)
{
	pid_t pid = fork();
	char line[64];
	ssize_t n;

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, group);
	(void)signal(SIGTTIN, SIG_DFL);
	(void)signal(SIGTTOU, SIG_DFL);
	n = read(STDIN_FILENO, line, sizeof(line) - 1);
	line[n > 0 ? n - 1 : 0] = '\0';
	(void)dprintf(report, "agent read: %s\n", line);
	_exit(0);
}

static void ask_beside_a_reader(const struct prompt_config *config, int report)
{
	struct prompt *p = make_prompt(config);
	struct held *h = make_held();
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), status;
	pid_t agent;

	if (tty < 0 || dup2(tty, STDIN_FILENO) < 0)
		_exit(96);
	show(p, h);
	agent = start_reader(config->job_pgrp, report);
	if (waitpid(agent, &status, WUNTRACED) != agent || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTTIN || !prompt_caused_stop(p, clock_monotonic_ns()))
		_exit(97);
	tell(report, "stopped");
	answer(p, h, report);
	if (!prompt_caused_stop(p, clock_monotonic_ns()) ||
	    prompt_caused_stop(p, clock_monotonic_ns() + 2 * NS_PER_SEC))
		_exit(98);
	if (waitpid(agent, &status, 0) != agent || !WIFEXITED(status))
		_exit(99);
	held_free(h);
	prompt_free(p);
}

static void test_a_reader_is_stopped_and_goes_on_afterwards(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_beside_a_reader);
	wait_report(&p, "stopped\n");
	wait_asking(&p);
	type(&p, "y\n");
	wait_report(&p, "approve\n");
	type(&p, "for the agent\n");
	wait_report(&p, "agent read: for the agent\n");
	finish(&p);
}

/* The agent waits for @sig while the question is up. */
static void ask_beside_a_waiter(const struct prompt_config *config, int report)
{
	struct prompt *p = make_prompt(config);
	struct held *h = make_held();
	pid_t agent;
	int status, ready[2];
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		_exit(96);
	agent = fork();
	if (agent == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setpgid(0, config->job_pgrp);
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTSTP, SIG_DFL);
		(void)!write(ready[1], "r", 1);
		for (;;)
			(void)pause();
	}
	if (read(ready[0], &c, 1) != 1)
		_exit(96);
	show(p, h);
	answer(p, h, report);
	if (waitpid(agent, &status, WUNTRACED) != agent)
		_exit(97);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
		tell(report, "agent interrupted");
	if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP &&
	    !prompt_caused_stop(p, clock_monotonic_ns()))
		tell(report, "agent stopped");
	(void)kill(agent, SIGKILL);
	held_free(h);
	prompt_free(p);
}

static void test_ctrl_c_denies_and_interrupts_the_job(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_beside_a_waiter);
	wait_asking(&p);
	type(&p, "y\003");
	wait_report(&p, "deny\n");
	wait_report(&p, "agent interrupted\n");
	finish(&p);
}

static void test_ctrl_z_leaves_it_held_and_stops_the_job(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_beside_a_waiter);
	wait_asking(&p);
	type(&p, "\032");
	wait_report(&p, "suspended\n");
	wait_report(&p, "agent stopped\n");
	finish(&p);
}

static void ask_in_background(const struct prompt_config *config, int report)
{
	struct prompt_config other = *config;
	struct prompt *p;
	struct held *h = make_held();

	other.job_pgrp = config->job_pgrp + 1; /* so the foreground group is a stranger's */
	p = make_prompt(&other);
	tell(report, prompt_show(p, h, clock_monotonic_ns()) == -EAGAIN ? "again" : "wrong");
	if (prompt_is_active(p))
		_exit(97);
	held_free(h);
	prompt_free(p);
}

static void test_a_background_session_does_not_take_the_terminal(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_in_background);
	wait_report(&p, "again\n");
	assert_int_equal(p.screen.len, 0);
	assert_int_equal(tcgetpgrp(p.master), p.launcher);
	finish(&p);
}

/* The agent's shell has given the foreground to a job of its own: that is the session's, too. */
static void ask_over_an_agents_job(const struct prompt_config *config, int report)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	pid_t job = fork();

	if (job == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	if (setpgid(job, job) < 0 || tcsetpgrp(tty, job) < 0)
		_exit(96);
	ask_once(config, report);
	tell(report, tcgetpgrp(tty) == job ? "back" : "elsewhere");
	(void)kill(job, SIGKILL);
	(void)tcsetpgrp(tty, config->job_pgrp);
}

static void test_a_job_of_the_agents_own_is_the_sessions(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_over_an_agents_job);
	wait_asking(&p);
	type(&p, "y\n");
	wait_report(&p, "approve\n");
	wait_report(&p, "back\n");
	finish(&p);
}

static void show_and_hide(const struct prompt_config *config, int report)
{
	struct prompt *p = make_prompt(config);
	struct held *h = make_held();

	prompt_hide(p, clock_monotonic_ns(), "nothing");
	show(p, h);
	if (!prompt_is_active(p) || !streq(prompt_id(p), h->id) ||
	    prompt_show(p, h, clock_monotonic_ns()) != -EBUSY)
		_exit(97);
	prompt_hide(p, clock_monotonic_ns(), "timed out\033");
	if (prompt_is_active(p) || prompt_id(p)[0])
		_exit(98);
	tell(report, "hidden");
	show(p, h); /* and again */
	answer(p, h, report);
	held_free(h);
	prompt_free(p);
}

static void test_hide_says_how_it_ended(void **state)
{
	struct pty p;

	(void)state;
	start(&p, show_and_hide);
	wait_report(&p, "hidden\n");
	wait_in(&p, &p.screen, "no answer needed: timed out\\x1b\r\n\r\nholdfast: held");
	wait_asking(&p);
	type(&p, "n\n");
	wait_report(&p, "deny\n");
	finish(&p);
}

static void test_hang_up_denies(void **state)
{
	struct pty p;

	(void)state;
	start(&p, ask_once);
	wait_asking(&p);
	p.master = fd_close(p.master);
	wait_report(&p, "deny\n");
	finish(&p);
}

static void free_while_shown(const struct prompt_config *config, int report)
{
	struct prompt *p = make_prompt(config);
	struct held *h = make_held();

	show(p, h);
	prompt_free(p);
	held_free(h);
	tell(report, "freed");
}

static void test_free_restores(void **state)
{
	struct termios after;
	struct pty p;

	(void)state;
	start(&p, free_while_shown);
	wait_report(&p, "freed\n");
	assert_int_equal(tcgetattr(p.master, &after), 0);
	assert_int_equal(after.c_lflag & (ISIG | ICANON | ECHO), ISIG | ICANON | ECHO);
	assert_int_equal(tcgetpgrp(p.master), p.launcher);
	finish(&p);
}

/* Keys instead of lines; and a password. */
static void show_over_a_screen(const struct prompt_config *config, int report)
{
	static const tcflag_t missing[] = {ICANON | ECHO, ICANON, ECHO};
	struct termios lent, after;
	struct prompt *p = make_prompt(config);
	struct held *h = make_held();
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tcgetattr(tty, &lent) < 0)
		_exit(96);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		struct termios t = lent;

		t.c_lflag &= ~missing[i];
		(void)tcsetattr(tty, TCSANOW, &t);
		tell(report, prompt_show(p, h, clock_monotonic_ns()) == PROMPT_E_RAW &&
					     !prompt_is_active(p) && tcgetattr(tty, &after) == 0 &&
					     after.c_lflag == t.c_lflag &&
					     tcgetpgrp(tty) == config->job_pgrp
				     ? "raw"
				     : "wrong");
	}
	(void)tcsetattr(tty, TCSANOW, &lent);
	tell(report, prompt_show(p, h, clock_monotonic_ns()) == 0 ? "shown" : "wrong");
	prompt_free(p);
	held_free(h);
	fd_close(tty);
}

static void test_a_screen_is_not_drawn_over(void **state)
{
	struct pty p;

	(void)state;
	start(&p, show_over_a_screen);
	wait_report(&p, "raw\nraw\nraw\nshown\n");
	finish(&p);
}

static void no_terminal(const struct prompt_config *config, int report)
{
	struct prompt_config other = *config;
	struct prompt *p = NULL;

	other.tty = "/dev/null";
	tell(report, prompt_new(&other, &p) == -ENXIO && !p ? "none" : "wrong");
	(void)setpgid(0, config->job_pgrp);
	(void)setsid(); /* out of the terminal's session */
	other.tty = NULL;
	tell(report, prompt_new(&other, &p) == -ENXIO && !p ? "neither" : "wrong");
}

static void test_without_a_terminal_there_is_no_prompt(void **state)
{
	struct pty p;

	(void)state;
	start(&p, no_terminal);
	wait_report(&p, "none\nneither\n");
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_approver_names_the_terminal),
		cmocka_unit_test(test_what_is_shown_is_clean_and_complete),
		cmocka_unit_test(test_what_was_typed_before_is_no_answer),
		cmocka_unit_test(test_terminal_is_given_back_as_it_was),
		cmocka_unit_test(test_a_reader_is_stopped_and_goes_on_afterwards),
		cmocka_unit_test(test_ctrl_c_denies_and_interrupts_the_job),
		cmocka_unit_test(test_ctrl_z_leaves_it_held_and_stops_the_job),
		cmocka_unit_test(test_a_background_session_does_not_take_the_terminal),
		cmocka_unit_test(test_a_job_of_the_agents_own_is_the_sessions),
		cmocka_unit_test(test_hide_says_how_it_ended),
		cmocka_unit_test(test_hang_up_denies),
		cmocka_unit_test(test_free_restores),
		cmocka_unit_test(test_a_screen_is_not_drawn_over),
		cmocka_unit_test(test_without_a_terminal_there_is_no_prompt),
	};

	return cmocka_run_group_tests_name("prompt", tests, NULL, NULL);
}
