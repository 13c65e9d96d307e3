/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel does for a process without a call that could be decided on. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/attack/attack.h"

/* ---- core files: they are written where the process stands */

/* Return: 0 a core was dumped; -errno; -EACCES: it was not. */
static int crash_in(const char *dir, rlim_t limit)
{
	const struct rlimit core = {.rlim_cur = limit, .rlim_max = limit};
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (chdir(dir) < 0 || setrlimit(RLIMIT_CORE, &core) < 0)
			_exit(errno);
		(void)prctl(PR_SET_DUMPABLE, 1);
		abort();
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	return WCOREDUMP(status) ? 0 : -EACCES;
}

static int core_in_ssh(const struct world *w)
{
	return crash_in(in(w, "home/.ssh"), RLIM_INFINITY);
}

/* As much as there is, which may be none: asks for no more than the session began with. */
static int core_within_limit(const struct world *w)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_CORE, &now) < 0)
		return -errno;
	return crash_in(in(w, "out"), now.rlim_max);
}

static int put_core(const struct world *w)
{
	int fd = open(in(w, "out/core"), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	return scribble_fd(fd);
}

/* ---- attributes of a file that is open for reading only */

#define SET_VERSION_EXT4 0x40086604ul
#define SET_VERSION      0x40087602ul

static int set_version_by(const struct world *w, unsigned long request)
{
	int fd = open(in(w, "out/file"), O_RDONLY | O_CLOEXEC);
	long version = 4711;

	return fd < 0 ? -errno : outcome(ioctl(fd, request, &version));
}

static int set_version_ext4(const struct world *w)
{
	return set_version_by(w, SET_VERSION_EXT4);
}

static int set_version(const struct world *w)
{
	return set_version_by(w, SET_VERSION);
}

static int set_version_high(const struct world *w)
{
	return set_version_by(w, SET_VERSION_EXT4 | 1ul << 32);
}

#define VERSION(fact, attack)                                                                      \
	{                                                                                          \
		fact, "U:version D:attr", attack, SHIP, .effect = EFFECT_CHANGED,                  \
							.object = "ioctl"                          \
	}
#define CORE(fact, attack, put)                                                                    \
	{                                                                                          \
		fact, "U:core", attack, SHIP | READ_ONLY | NO_NETWORK | PW,                        \
			.effect = EFFECT_CHANGED, .denies = DENIES_ANY, .prepare = put             \
	}

static const struct attack_row rows[] = {
	CORE("core_file_is_not_written_among_secrets", core_in_ssh, NULL),
	CORE("core_file_is_not_written_outside_the_project", core_within_limit, NULL),
	CORE("core_file_does_not_replace_another", core_within_limit, put_core),
	VERSION("version_of_an_inode_is_not_set_by_a_reader", set_version_ext4),
	VERSION("version_of_an_inode_is_not_set_by_a_reader_of_another_file_system", set_version),
	VERSION("version_of_an_inode_is_not_set_with_high_bits", set_version_high),
};

const struct attack_group attack_group = {"kernel", rows, ARRAY_SIZE(rows), false, false};
