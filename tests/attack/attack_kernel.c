/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel does for a process without a call that could be decided on. */
#include <fcntl.h>
#include <sched.h>
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

/* ---- a descriptor that cannot be handed over */

#define ROUNDS_TIMES        20
#define ROUNDS_TIMES_NATIVE 200 /* each is a hundredth of the time */

struct handing {
	char path[512], allowed[512], secret[512];
};

/* Between no room for another descriptor and enough, and between two paths. */
static void exchange_limit_and_path(void *arg)
{
	struct handing *h = arg;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = 3;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	memcpy(h->path, h->allowed, sizeof(h->path));
	(void)sched_yield();
	memcpy(h->path, h->secret, sizeof(h->path));
	limit.rlim_cur = 64;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)sched_yield();
}

static int open_without_room(const struct world *w)
{
	static struct handing h;
	struct flipper f = {.flip = exchange_limit_and_path, .arg = &h};
	unsigned int rounds = race_rounds() * (w->is_native ? ROUNDS_TIMES_NATIVE : ROUNDS_TIMES);
	unsigned int n_full = 0;
	int r;

	(void)snprintf(h.allowed, sizeof(h.allowed), "%s", in(w, "w/file"));
	(void)snprintf(h.secret, sizeof(h.secret), "%s", in(w, "home/.ssh/id_rsa"));
	memcpy(h.path, h.allowed, sizeof(h.path));
	r = flipper_start_thread(&f);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < rounds; i++) {
		int fd = open(h.path, O_RDONLY | O_CLOEXEC);

		n_full += fd < 0 && errno == EMFILE;
		if (fd >= 0)
			(void)print_fd(fd);
	}
	flipper_stop(&f);
	if (n_full == 0)
		return attack_cannot("the table of descriptors was never full");
	return -EACCES; /* what was opened is seen in the output */
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
	{"open_that_cannot_be_handed_over_is_not_left_to_the_kernel", "P5 A1", open_without_room,
	 SHIP | PW, .effect = EFFECT_LEAKED, .denies = DENIES_ANY},
	VERSION("version_of_an_inode_is_not_set_by_a_reader", set_version_ext4),
	VERSION("version_of_an_inode_is_not_set_by_a_reader_of_another_file_system", set_version),
	VERSION("version_of_an_inode_is_not_set_with_high_bits", set_version_high),
};

const struct attack_group attack_group = {"kernel", rows, ARRAY_SIZE(rows), false, false};
