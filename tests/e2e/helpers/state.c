/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state FILE [ARG...]: writes to FILE all that a process inherits, to compare a supervised run with
 * a native one. Everything is gathered before FILE is opened, so that its descriptor is not seen.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void print_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (isprint((unsigned char)*s) && *s != '\\')
			fputc(*s, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*s);
	}
	fputc('\n', out);
}

static void print_descriptors(FILE *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		char link[64], target[4096];
		int fd = atoi(e->d_name);
		ssize_t n;

		if (e->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (strchr(target, '['))
			*strchr(target, '[') = '\0';
		fprintf(out, "fd %d %s flags %x fdflags %x\n", fd, target, fcntl(fd, F_GETFL),
			fcntl(fd, F_GETFD));
	}
	closedir(dir);
}

static void print_signals(FILE *out)
{
	sigset_t mask, pending;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigpending(&pending);
	for (int i = 1; i < NSIG; i++) {
		struct sigaction sa = {0};

		if (sigaction(i, NULL, &sa) < 0)
			continue;
		fprintf(out, "signal %d %s%s%s\n", i,
			sa.sa_handler == SIG_IGN   ? "ignored"
			: sa.sa_handler == SIG_DFL ? "default"
						   : "handled",
			sigismember(&mask, i) ? " blocked" : "",
			sigismember(&pending, i) ? " pending" : "");
	}
}

/* Lines of /proc/self/status that an exec hands on. */
static void print_status(FILE *out)
{
	static const char *const keys[] = {
		"Uid:",    "Gid:",    "Groups:", "CapInh:",       "CapPrm:",       "CapEff:",
		"CapBnd:", "CapAmb:", "Umask:",  "Cpus_allowed:", "Mems_allowed:", "CoreDumping:"};
	FILE *f = fopen("/proc/self/status", "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				fputs(line, out);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	char *text = NULL, *cwd = getcwd(NULL, 0);
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int fd;

	if (argc < 2 || !out)
		return 2;
	print_descriptors(out);
	for (int i = 0; i < argc; i++) {
		fprintf(out, "argv %d ", i);
		print_escaped(out, argv[i]);
	}
	for (char **e = environ; *e; e++) {
		/* The one variable that Holdfast adds. */
		if (strncmp(*e, "HOLDFAST_SPEND=", strlen("HOLDFAST_SPEND=")) == 0)
			continue;
		fputs("env ", out);
		print_escaped(out, *e);
	}
	fprintf(out, "cwd %s\n", cwd ? cwd : strerror(errno));
	for (int i = 0; i < RLIMIT_NLIMITS; i++) {
		struct rlimit limit;

		if (getrlimit(i, &limit) == 0)
			fprintf(out, "rlimit %d %llx %llx\n", i, (unsigned long long)limit.rlim_cur,
				(unsigned long long)limit.rlim_max);
	}
	print_signals(out);
	print_status(out);
	fprintf(out, "group %d session %d leader %d\n", getpgrp(), getsid(0),
		getpgrp() == getpid());
	fprintf(out, "nice %d dumpable %d personality %x\n", getpriority(PRIO_PROCESS, 0),
		prctl(PR_GET_DUMPABLE), (unsigned)personality(0xffffffff));
	fprintf(out, "foreground %d\n", tcgetpgrp(0) == getpgrp());
	fclose(out);

	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len) {
		perror(argv[1]);
		return 2;
	}
	return 0;
}
