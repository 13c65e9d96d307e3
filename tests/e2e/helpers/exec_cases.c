/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs in unusual company. Prints what a program sees of them; the same with and without
 * supervision.
 *
 *	exec_cases CASE DIR	DIR has true, a static program that ends at once
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;
static char program[512];
static volatile sig_atomic_t n_alarms;

static const char *below(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		exit(2);
	(void)close(fd);
}

/* How a child that was to execute @path ended: "0", "errno 8", "signal 9". */
static void tell(const char *what, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		exit(2);
	if (WIFSIGNALED(status))
		printf("%s: signal %d\n", what, WTERMSIG(status));
	else
		printf("%s: errno %d\n", what, WEXITSTATUS(status));
	(void)fflush(stdout);
}

static void try(const char *what, const char *path, char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execve(path, argv, NULL);
		_exit(errno);
	}
	tell(what, pid);
}

/* Calls that fail in the kernel, after they were allowed. */
static void case_failures(void)
{
	char *plain[] = {(char *)"x", NULL};
	static char *many[300000];
	static char word[1000];
	char *large[] = {(char *)"x", NULL, NULL};
	int fd;

	write_file("text", "no program\n", 0755);
	try("ENOEXEC", below("text"), plain);
	write_file("hidden", "#!/bin/sh\n", 0600);
	try("EACCES", below("hidden"), plain);
	write_file("empty", "", 0755);
	try("empty", below("empty"), plain);
	try("ENOENT", below("missing"), plain);
	try("directory", dir, plain);
	write_file("lost", "#!/no/such/interpreter\n", 0755);
	try("interpreter", below("lost"), plain);
	memset(word, 'a', sizeof(word) - 1);
	for (size_t i = 0; i < 299999; i++)
		many[i] = word;
	try("E2BIG", program, many);
	large[1] = malloc(200000);
	memset(large[1], 'a', 199999);
	large[1][199999] = 0;
	try("one large", program, large);
	write_file("busy", "\177ELF", 0755);
	fd = open(below("busy"), O_WRONLY | O_CLOEXEC);
	try("ETXTBSY", below("busy"), plain);
	(void)close(fd);
	try("true", program, plain);
}

/* Arguments that are many, large, empty, or none. */
static void case_arguments(void)
{
	static char *many[100001];
	static char *large[20];
	static char word[100001];
	char *none[] = {NULL}, *empty[] = {(char *)"", (char *)"", NULL};

	for (size_t i = 0; i < 100000; i++)
		many[i] = (char *)"w";
	try("100,000", program, many);
	memset(word, 'a', sizeof(word) - 1);
	for (size_t i = 0; i < 19; i++)
		large[i] = word;
	try("1.9 MB", program, large);
	try("none", program, none);
	try("empty", program, empty);
	(void)symlink(program, below("link"));
	try("link", below("link"), empty);
}

static void on_alarm(int sig)
{
	(void)sig;
	n_alarms++;
}

/* Spawns (vfork) in a process that gets a signal every half a millisecond. */
static void case_spawn(void)
{
	const struct itimerval fast = {{0, 500}, {0, 500}}, off = {{0, 0}, {0, 0}};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	char *argv[] = {(char *)"true", NULL};
	int good = 0, status;
	pid_t pid;

	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < 1000; i++) {
		if (posix_spawn(&pid, program, NULL, NULL, argv, NULL) == 0 &&
		    waitpid(pid, &status, 0) == pid && status == 0)
			good++;
	}
	(void)setitimer(ITIMER_REAL, &off, NULL);
	printf("%d spawned, signals: %d\n", good, n_alarms > 10);
}

/* A signal that is blocked stays pending; one that has a handler loses it and kills. */
static void case_pending(void)
{
	char *argv[] = {(char *)"grep", (char *)"SigPnd", (char *)"/proc/self/status", NULL};
	sigset_t set;
	pid_t pid = fork();

	if (pid == 0) {
		(void)sigemptyset(&set);
		(void)sigaddset(&set, SIGUSR1);
		(void)sigprocmask(SIG_BLOCK, &set, NULL);
		(void)syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
		(void)execv("/bin/grep", argv);
		_exit(errno);
	}
	tell("pending", pid);
}

/* Somebody stops and continues the process all the time while it executes. */
static void case_stops(void)
{
	char *argv[] = {(char *)"true", NULL};
	int good = 0, status;

	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)execve(program, argv, NULL);
			_exit(errno);
		}
		for (int k = 0; k < 8; k++) {
			(void)kill(pid, k % 2 ? SIGCONT : SIGSTOP);
			for (volatile int spin = 0; spin < i * 20; spin++)
				;
		}
		(void)kill(pid, SIGCONT);
		if (waitpid(pid, &status, 0) == pid && status == 0)
			good++;
	}
	printf("%d ended well\n", good);
}

/* A stop while the exec is under way is one for the parent, too. */
static void case_stopped(void)
{
	char *argv[] = {(char *)"true", NULL};
	int status, good = 0;

	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)execve(program, argv, NULL);
			_exit(errno);
		}
		for (volatile int spin = 0; spin < i * 3000; spin++)
			;
		(void)kill(pid, SIGSTOP);
		if (waitpid(pid, &status, WUNTRACED) != pid)
			exit(2);
		if (WIFSTOPPED(status)) {
			(void)kill(pid, SIGCONT);
			if (waitpid(pid, &status, 0) != pid)
				exit(2);
		}
		good += status == 0;
	}
	printf("%d ended well\n", good);
}

static void *execute(void *arg)
{
	char *argv[] = {(char *)"true", NULL};

	(void)arg;
	(void)execve(program, argv, NULL);
	_exit(errno);
}

/* Threads that all execute at once: one wins, the process ends well. */
static void case_threads(void)
{
	int good = 0, status;

	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;

			for (int k = 0; k < 6; k++)
				(void)pthread_create(&thread, NULL, execute, NULL);
			if (i % 2)
				(void)execute(NULL);
			(void)pause();
		}
		if (waitpid(pid, &status, 0) == pid && status == 0)
			good++;
	}
	printf("%d ended well\n", good);
}

/* Killed at any moment of its exec: nobody waits for it for ever. */
static void case_killed(void)
{
	char *argv[] = {(char *)"true", NULL};
	int ended = 0;

	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)execve(program, argv, NULL);
			_exit(errno);
		}
		for (volatile int spin = 0; spin < i * 1000; spin++)
			;
		(void)kill(pid, SIGKILL);
		ended += waitpid(pid, NULL, 0) == pid;
	}
	printf("%d ended\n", ended);
}

/* An orphan's exec, and a crowd of them: their parent is the supervisor. */
static void case_orphans(void)
{
	int ends[2], n = 0;
	char c;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (pipe(ends) < 0)
		exit(2);
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			char *argv[] = {(char *)"sh", (char *)"-c", (char *)"/bin/true; echo",
					NULL};

			if (fork())
				_exit(0);
			while (getppid() == pid)
				;
			(void)dup2(ends[1], 1);
			(void)execv("/bin/sh", argv);
			_exit(1);
		}
		(void)waitpid(pid, NULL, 0);
	}
	(void)close(ends[1]);
	while (read(ends[0], &c, 1) == 1)
		n++;
	printf("%d told\n", n);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"failures", case_failures}, {"arguments", case_arguments}, {"spawn", case_spawn},
	{"pending", case_pending},   {"stops", case_stops},         {"stopped", case_stopped},
	{"threads", case_threads},   {"killed", case_killed},       {"orphans", case_orphans},
};

int main(int argc, char *argv[])
{
	if (argc != 3)
		return 2;
	dir = argv[2];
	(void)snprintf(program, sizeof(program), "%s/true", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	return 2;
}
