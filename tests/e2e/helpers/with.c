/* SPDX-License-Identifier: Apache-2.0 */
/*
 * with [-c FD] [-i SIGNAL] [-d SIGNAL] [-b SIGNAL] [-s] [-g] [-x FD] [-n N] COMMAND...: changes
 * what COMMAND inherits, then executes it. -c closes all descriptors from FD on, -i ignores, -d
 * resets, -b blocks a signal, -s starts a session, -g a process group, -x closes one descriptor, -n
 * sets the soft limit of open descriptors.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rlimit limit;
	sigset_t mask;
	int c;

	sigemptyset(&mask);
	while ((c = getopt(argc, argv, "+c:i:d:b:sgx:n:")) != -1) {
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
