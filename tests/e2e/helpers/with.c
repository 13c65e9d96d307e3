/* SPDX-License-Identifier: Apache-2.0 */
/*
 * with [-c FD] [-i SIGNAL] [-d SIGNAL] [-b SIGNAL] [-s] [-g] [-x FD] [-n N] [-u] [-l] COMMAND...:
 * changes what COMMAND inherits, then executes it. -c closes all descriptors from FD on, -i
 * ignores, -d resets, -b blocks a signal, -s starts a session, -g a process group, -x closes one
 * descriptor, -n sets the soft limit of open descriptors, -u refuses unshare(2), as containers do,
 * -l listen(2).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuse(unsigned nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) |
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	sigset_t mask;
	int c;

	sigemptyset(&mask);
	while ((c = getopt(argc, argv, "+c:i:d:b:sgx:n:ul")) != -1) {
		switch (c) {
		case 'c':
			closefrom(atoi(optarg));
			break;
		case 'i':
			signal(atoi(optarg), SIG_IGN);
			break;
		case 'd':
			signal(atoi(optarg), SIG_DFL);
			break;
		case 'b':
			sigaddset(&mask, atoi(optarg));
			break;
		case 's':
			if (setsid() < 0)
				return 2;
			break;
		case 'g':
			if (setpgid(0, 0) < 0)
				return 2;
			break;
		case 'n':
			getrlimit(RLIMIT_NOFILE, &limit);
			limit.rlim_cur = (rlim_t)atoi(optarg);
			if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
				return 2;
			break;
		case 'u':
		case 'l':
			if (refuse(c == 'u' ? SYS_unshare : SYS_listen) < 0)
				return 2;
			break;
		case 'x':
			close(atoi(optarg));
			break;
		default:
			return 2;
		}
	}
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0 || !argv[optind])
		return 2;
	execvp(argv[optind], argv + optind);
	perror(argv[optind]);
	return 127;
}
