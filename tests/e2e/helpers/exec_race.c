/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races against an exec: what is executed is exchanged between the check and the use.
 *
 *	exec_race HOW ROUNDS DIR	executes ROUNDS times; says how often what ran
 *	exec_race flip A B		exchanges two names until it is killed (for "link",
 *"script", "directory"; best outside of the session, where it is fast)
 *
 * DIR has good and evil, static programs made of this file (-DIMAGE=...): each writes one letter to
 * a descriptor that it inherits, by its first system call, which is not one that is looked at. That
 * letter is E when evil runs, or when its last argument begins with "e".
 */
#ifdef IMAGE

#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call image_main\n");
static long call3(long nr, long a, long b, long c)
{
	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return nr;
}
#define NR_WRITE 1
#define NR_EXIT  60
#else
__asm__(".globl _start\n_start: mov x0, sp\n bl image_main\n");
static long call3(long nr, long a, long b, long c)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#define NR_WRITE 64
#define NR_EXIT  93
#endif

__attribute__((used)) void image_main(long *sp)
{
	const char *arg = sp[0] > 1 ? (const char *)sp[sp[0]] : "";
	char letter[1] = {*arg == 'e' ? 'E' : IMAGE};

	(void)call3(NR_WRITE, 200, (long)letter, 1);
	for (;;)
		(void)call3(NR_EXIT, 0, 0, 0);
}

#else

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT 200
#define SPARE  201

/* In memory that other processes may share. */
struct arena {
	char path[512];
	char word[8];
	char *volatile argv[3];
	char good_word[8], evil_word[8];
	volatile unsigned long n_flips;
	volatile int is_over;
};

static struct arena *m;
static char dir[400];
static volatile char *letter; /* of m->path: the one that makes the difference */
static int fds[2];

static void flip_path(void)
{
	*letter = *letter == '0' ? '1' : '0';
}

static void flip_pointer(void)
{
	m->argv[1] = m->argv[1] == m->good_word ? m->evil_word : m->good_word;
}

static void flip_word(void)
{
	m->word[0] = m->word[0] == 'g' ? 'e' : 'g';
}

static void flip_fd(void)
{
	(void)dup2(fds[m->n_flips & 1], SPARE);
}

static void flip_nothing(void)
{
	(void)sched_yield();
}

static void (*flip)(void);

static int flip_main(void *arg)
{
	(void)arg;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!m->is_over) {
		flip();
		m->n_flips++;
	}
	return 0;
}

static void *flip_thread(void *arg)
{
	(void)flip_main(arg);
	return NULL;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, flip_thread, NULL))
		_exit(3);
}

static void start_process(void)
{
	if (fork() == 0)
		_exit(flip_main(NULL));
}

static void start_vm_process(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	if (clone(flip_main, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) < 0)
		_exit(3);
}

static void execute(void)
{
	(void)execve(m->path, (char **)(unsigned long)m->argv, NULL);
}

static void execute_fd(void)
{
	(void)syscall(SYS_execveat, SPARE, "", m->argv, NULL, AT_EMPTY_PATH);
}

static void *execute_thread(void *arg)
{
	(void)arg;
	execute();
	_exit(1);
}

/* The process has threads: one flips, and one that does not lead executes. */
static void execute_beside(void)
{
	pthread_t thread;

	start_thread();
	if (pthread_create(&thread, NULL, execute_thread, NULL))
		_exit(3);
	(void)pause();
}

static void execute_fd_beside(void)
{
	start_thread();
	execute_fd();
}

static const struct way {
	const char *name;
	void (*flip)(void);
	void (*start)(void); /* once; NULL: the child does, or somebody else */
	void (*execute)(void);
	const char *path; /* below DIR; its '?' flips */
	int is_forked;    /* not vfork(): the child does more than execute */
} ways[] = {
	{"path-thread", flip_path, start_thread, execute, "?", 0},
	{"path-process", flip_path, start_process, execute, "?", 0},
	{"path-clone-vm", flip_path, start_vm_process, execute, "?", 0},
	{"path-beside", flip_path, NULL, execute_beside, "?", 1},
	{"script", flip_path, start_thread, execute, "s?", 0},
	{"argv-pointer", flip_pointer, start_thread, execute, "0", 0},
	{"argv-string", flip_word, start_thread, execute, "0", 0},
	{"script-argv", flip_word, start_thread, execute, "s0", 0},
	{"fd", flip_fd, NULL, execute_fd_beside, "0", 1},
	{"link", flip_nothing, NULL, execute, "link", 0},
	{"directory", flip_nothing, NULL, execute, "d0/program", 0},
	{"nothing", flip_nothing, NULL, execute, "0", 0},
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	fprintf(stderr, "no such way\n");
	exit(2);
}

static void prepare(const struct way *w)
{
	char path[512];

	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		exit(2);
	(void)snprintf(m->path, sizeof(m->path), "%s/%s", dir, w->path);
	letter = strchr(m->path, '?');
	if (letter)
		*letter = '0';
	strcpy(m->word, "go");
	strcpy(m->good_word, "good");
	strcpy(m->evil_word, "evil");
	m->argv[0] = m->path;
	m->argv[1] = w->flip == flip_pointer ? m->good_word : w->flip == flip_word ? m->word : NULL;
	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/%d", dir, i);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
	(void)dup2(fds[0], SPARE);
	flip = w->flip;
}

static pid_t start_child(const struct way *w)
{
	/* The memory stays shared with the threads of this process until the child has executed. */
	pid_t pid = w->is_forked ? fork() : vfork();

	if (pid == 0) {
		w->execute();
		_exit(1);
	}
	return pid;
}

static int race(const struct way *w, long rounds)
{
	unsigned long good = 0, evil = 0, killed = 0, failed = 0;
	int ends[2], status;
	char c;

	prepare(w);
	if (pipe2(ends, O_NONBLOCK) < 0 || dup2(ends[1], REPORT) < 0)
		return 2;
	if (w->start)
		w->start();
	for (long i = 0; i < rounds; i++) {
		pid_t pid = start_child(w);

		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 2;
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		failed += WIFEXITED(status) && WEXITSTATUS(status) == 1;
		while (read(ends[0], &c, 1) == 1) {
			good += c == 'G';
			evil += c == 'E';
		}
	}
	m->is_over = 1;
	printf("good=%lu evil=%lu killed=%lu failed=%lu\n", good, evil, killed, failed);
	fprintf(stderr, "%lu flips\n", m->n_flips);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc == 4 && strcmp(argv[1], "flip") == 0)
		for (;;)
			(void)syscall(SYS_renameat2, AT_FDCWD, argv[2], AT_FDCWD, argv[3],
				      2 /* RENAME_EXCHANGE */);
	if (argc != 4)
		return 2;
	(void)snprintf(dir, sizeof(dir), "%s", argv[3]);
	return race(find_way(argv[1]), atol(argv[2]));
}

#endif
