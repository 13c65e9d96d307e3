/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals, limits and scheduling against those who guard a session (supervisor, keeper, launcher)
 * and against a process outside of it. Natively the process outside stands for all of them. Where
 * Landlock keeps signals inside they are not trapped, and no record tells of them.
 */
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define HIGH(v)     ((1UL << 32) | (unsigned long)(v))
#define MAX_TARGETS 4
#define SLOWER      5

static pid_t parent_of(pid_t pid)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	uint64_t parent = 0;

	if (io_read_file_at(AT_FDCWD, in(&(struct world){.top = "/proc"}, "%d/status", pid),
			    &text) < 0)
		return 0;
	(void)parse_status_field(strbuf_str(&text), "PPid", &parent);
	return (pid_t)parent;
}

/* Return: 0 if @f gets through to one of them, else -errno. */
static int at_each(const struct world *w, int (*f)(pid_t pid))
{
	pid_t targets[MAX_TARGETS] = {w->decoy};
	size_t n = 1;
	int r = -ESRCH;

	if (!w->is_native) {
		targets[n++] = w->victim;
		targets[n++] = w->launcher;
		targets[n++] = parent_of(w->launcher);
	}
	for (size_t i = 0; i < n; i++) {
		/* 0 would be the attack itself. */
		r = targets[i] > 1 ? f(targets[i]) : -ENOTRECOVERABLE;
		if (r == 0 || r == -ENOTRECOVERABLE)
			break;
	}
	return r;
}

/* ---- signals */

static int send_kill(pid_t pid)
{
	return outcome(kill(pid, SIGKILL));
}

static int send_stop(pid_t pid)
{
	return outcome(kill(pid, SIGSTOP));
}

static int send_kill_high(pid_t pid)
{
	return outcome(syscall(SYS_kill, HIGH(pid), HIGH(SIGKILL)));
}

/* The launcher is in the attack's own group, to which it may do what it may do to itself. */
static int send_to_group(pid_t pid)
{
	return getpgid(pid) == getpgrp() ? -EPERM : outcome(kill(-getpgid(pid), SIGKILL));
}

static int send_tkill(pid_t pid)
{
	return outcome(syscall(SYS_tkill, pid, SIGKILL));
}

static int send_tgkill(pid_t pid)
{
	return outcome(syscall(SYS_tgkill, pid, pid, SIGKILL));
}

static int send_queued(pid_t pid)
{
	siginfo_t info = {.si_signo = SIGKILL, .si_code = SI_QUEUE};

	return outcome(syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info));
}

static int send_queued_to_thread(pid_t pid)
{
	siginfo_t info = {.si_signo = SIGKILL, .si_code = SI_QUEUE};

	return outcome(syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGKILL, &info));
}

static int send_by_descriptor(pid_t pid)
{
	_cleanup_(fd_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : outcome(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
}

/*
 * What becomes ready makes the kernel send a signal. Where the signal is only kept from being
 * delivered, each call succeeds: the harm is what is looked for.
 */
static int ready(const int fds[static 2], int r)
{
	if (r < 0)
		r = -errno;
	else if (fcntl(fds[0], F_SETSIG, SIGKILL) < 0 || fcntl(fds[0], F_SETFL, O_ASYNC) < 0)
		r = -errno;
	else if (write(fds[1], "x", 1) == 1)
		r = -EPERM;
	(void)close(fds[0]);
	(void)close(fds[1]);
	return r;
}

static int own(pid_t pid)
{
	int fds[2];

	return pipe(fds) < 0 ? -errno : ready(fds, fcntl(fds[0], F_SETOWN, pid));
}

static int own_group(pid_t pid)
{
	int fds[2];

	if (getpgid(pid) == getpgrp())
		return -EPERM;
	return pipe(fds) < 0 ? -errno : ready(fds, fcntl(fds[0], F_SETOWN, -getpgid(pid)));
}

static int own_high(pid_t pid)
{
	int fds[2];

	if (pipe(fds) < 0)
		return -errno;
	return ready(fds, (int)syscall(SYS_fcntl, fds[0], HIGH(F_SETOWN), HIGH(pid)));
}

static int own_extended(pid_t pid)
{
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = pid};
	int fds[2];

	return pipe(fds) < 0 ? -errno : ready(fds, fcntl(fds[0], F_SETOWN_EX, &owner));
}

static int own_socket(pid_t pid, unsigned long request)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -errno;
	return ready(fds, (int)syscall(SYS_ioctl, fds[0], request, &pid));
}

static int own_fiosetown(pid_t pid)
{
	return own_socket(pid, FIOSETOWN);
}

static int own_siocspgrp(pid_t pid)
{
	return own_socket(pid, SIOCSPGRP);
}

static int own_ioctl_high(pid_t pid)
{
	return own_socket(pid, HIGH(FIOSETOWN));
}

/* ---- limits, scheduling, memory */

static int limit(pid_t pid, int which, unsigned long high)
{
	struct rlimit none = {0};

	if (prlimit(pid, (enum __rlimit_resource)which, NULL, &none) < 0)
		return -errno;
	none.rlim_cur = 0;
	return outcome(syscall(SYS_prlimit64, high | (unsigned long)pid, which, &none, NULL));
}

static int limit_files(pid_t pid)
{
	return limit(pid, RLIMIT_NOFILE, 0);
}

static int limit_file_size(pid_t pid)
{
	return limit(pid, RLIMIT_FSIZE, 0);
}

static int limit_memory(pid_t pid)
{
	return limit(pid, RLIMIT_AS, 0);
}

static int limit_time(pid_t pid)
{
	return limit(pid, RLIMIT_CPU, 0);
}

static int limit_high(pid_t pid)
{
	return limit(pid, RLIMIT_NOFILE, 1UL << 32);
}

static int renice(pid_t pid)
{
	return outcome(setpriority(PRIO_PROCESS, (id_t)pid, SLOWER));
}

static int renice_group(pid_t pid)
{
	if (getpgid(pid) == getpgrp())
		return -EPERM;
	return outcome(setpriority(PRIO_PGRP, (id_t)getpgid(pid), SLOWER));
}

static int schedule_idle(pid_t pid)
{
	return outcome(sched_setscheduler(pid, SCHED_IDLE, &(struct sched_param){0}));
}

static int schedule_attr(pid_t pid)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .policy = SCHED_IDLE};

	return outcome(syscall(SYS_sched_setattr, pid, &attr, 0));
}

static int schedule_parameters(pid_t pid)
{
	return outcome(sched_setparam(pid, &(struct sched_param){0}));
}

static int pin_to_one_cpu(pid_t pid)
{
	unsigned long first = 1;

	return outcome(syscall(SYS_sched_setaffinity, pid, sizeof(first), &first));
}

static int starve_of_disk(pid_t pid)
{
	return outcome(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid,
			       IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)));
}

static int starve_group_of_disk(pid_t pid)
{
	if (getpgid(pid) == getpgrp())
		return -EPERM;
	return outcome(syscall(SYS_ioprio_set, IOPRIO_WHO_PGRP, getpgid(pid),
			       IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)));
}

static int move_its_memory(pid_t pid)
{
	unsigned long nodes = 1;

	return outcome(syscall(SYS_migrate_pages, pid, 2, &nodes, &nodes));
}

static int move_its_pages(pid_t pid)
{
	return outcome(syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0));
}

static int advise_its_memory(pid_t pid)
{
	_cleanup_(fd_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return -errno;
	return outcome(syscall(440 /* process_madvise */, fd, NULL, 0, 20 /* MADV_COLD */, 0));
}

/* ---- what /proc lets write */

static int write_proc(pid_t pid, const char *name, const char *text)
{
	_cleanup_(fd_closep) int fd =
		open(in(&(struct world){.top = "/proc"}, "%d/%s", pid, name), O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
}

static int victim_of_oom(pid_t pid)
{
	return write_proc(pid, "oom_score_adj", "1000");
}

static int victim_of_oom_old(pid_t pid)
{
	return write_proc(pid, "oom_adj", "15");
}

static int late_timers(pid_t pid)
{
	return write_proc(pid, "timerslack_ns", "1000000000");
}

static int core_of_all(pid_t pid)
{
	return write_proc(pid, "coredump_filter", "0x7f");
}

static int forget_pages(pid_t pid)
{
	return write_proc(pid, "clear_refs", "1");
}

static int autogroup(pid_t pid)
{
	/* As it is: natively it is this test's own group, too. */
	return write_proc(pid, "autogroup", "0");
}

#define ATTACKS                                                                                    \
	X(send_kill)                                                                               \
	X(send_stop)                                                                               \
	X(send_kill_high)                                                                          \
	X(send_to_group)                                                                           \
	X(send_tkill)                                                                              \
	X(send_tgkill)                                                                             \
	X(send_queued)                                                                             \
	X(send_queued_to_thread)                                                                   \
	X(send_by_descriptor)                                                                      \
	X(own)                                                                                     \
	X(own_group)                                                                               \
	X(own_high)                                                                                \
	X(own_extended)                                                                            \
	X(own_fiosetown)                                                                           \
	X(own_siocspgrp)                                                                           \
	X(own_ioctl_high)                                                                          \
	X(limit_files)                                                                             \
	X(limit_file_size)                                                                         \
	X(limit_memory)                                                                            \
	X(limit_time)                                                                              \
	X(limit_high)                                                                              \
	X(renice)                                                                                  \
	X(renice_group)                                                                            \
	X(schedule_idle)                                                                           \
	X(schedule_attr)                                                                           \
	X(schedule_parameters)                                                                     \
	X(pin_to_one_cpu)                                                                          \
	X(starve_of_disk)                                                                          \
	X(starve_group_of_disk)                                                                    \
	X(move_its_memory)                                                                         \
	X(move_its_pages)                                                                          \
	X(advise_its_memory)                                                                       \
	X(victim_of_oom)                                                                           \
	X(victim_of_oom_old)                                                                       \
	X(late_timers)                                                                             \
	X(core_of_all)                                                                             \
	X(forget_pages)                                                                            \
	X(autogroup)

#define X(function)                                                                                \
	static int attack_##function(const struct world *w)                                        \
	{                                                                                          \
		return at_each(w, function);                                                       \
	}
ATTACKS
#undef X

/* Nobody is harmed who is not the attack's own: signal 0 and its own limits. */
static int own_is_allowed(const struct world *w)
{
	struct rlimit files;
	pid_t pid = fork();
	int r;

	(void)w;
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	r = outcome(prlimit(pid, RLIMIT_NOFILE, NULL, &files));
	r = r < 0 ? r : outcome(prlimit(pid, RLIMIT_NOFILE, &files, NULL));
	r = r < 0 ? r : renice(pid);
	r = r < 0 ? r : schedule_idle(pid);
	r = r < 0 ? r : starve_of_disk(pid);
	return r < 0 ? r : send_kill(pid);
}

#define SIGNALS(fact, ids, attack)                                                                 \
	{                                                                                          \
		"guards_and_others_are_not_" fact, ids, attack_##attack, SHIP | PW,                \
			.effect = EFFECT_DECOY, .denies = DENIES_ANY                               \
	}
#define SLOWS(fact, ids, attack, effected, what)                                                   \
	{                                                                                          \
		"guards_and_others_are_not_" fact, ids, attack_##attack, SHIP | PW,                \
			.effect = effected, .object = what, .denies = MAX_TARGETS                  \
	}
#define SLOWS_GROUP(fact, ids, attack, effected, what)                                             \
	{                                                                                          \
		"guards_and_others_are_not_" fact, ids, attack_##attack, SHIP | PW,                \
			.effect = effected, .object = what, .denies = MAX_TARGETS - 1              \
	}
/* By the policies, and by who they are: root's own limits do not keep it from these files. */
#define WRITES(fact, ids, attack)                                                                  \
	{                                                                                          \
		"guards_and_others_are_not_" fact, ids, attack_##attack, SHIP | PW,                \
			.denies = MAX_TARGETS, .object = "/proc/", .op = "write"                   \
	}

static const struct attack_row rows[] = {
	SIGNALS("killed", "T046 H1", send_kill),
	SIGNALS("stopped", "T046 H1 H15", send_stop),
	SIGNALS("killed_by_a_number_with_high_bits", "H1 E7", send_kill_high),
	SIGNALS("killed_by_their_group", "T046 H1", send_to_group),
	SIGNALS("killed_by_tkill", "T046 H1", send_tkill),
	SIGNALS("killed_by_tgkill", "T046 H1", send_tgkill),
	SIGNALS("killed_by_rt_sigqueueinfo", "T046 H1", send_queued),
	SIGNALS("killed_by_rt_tgsigqueueinfo", "T046 H1", send_queued_to_thread),
	SIGNALS("killed_by_a_descriptor", "T046 H1", send_by_descriptor),
	SIGNALS("owners_of_a_pipe", "H2", own),
	SIGNALS("owners_of_a_pipe_by_their_group", "H2", own_group),
	SIGNALS("owners_of_a_pipe_by_high_bits", "H2 E7", own_high),
	{"guards_and_others_are_not_owners_by_f_setown_ex", "H2", attack_own_extended, SHIP | PW,
	 .effect = EFFECT_DECOY, .denies = DENIES_ANY, .error = EINVAL},
	SIGNALS("owners_by_fiosetown", "H2", own_fiosetown),
	SIGNALS("owners_by_siocspgrp", "H2", own_siocspgrp),
	SIGNALS("owners_by_an_ioctl_with_high_bits", "H2 E7", own_ioctl_high),
	SLOWS("limited_in_files", "T048 H4", limit_files, EFFECT_DECOY, "prlimit64"),
	SLOWS("limited_in_size_of_files", "T048 H4", limit_file_size, EFFECT_DECOY, "prlimit64"),
	SLOWS("limited_in_memory", "T048 H4", limit_memory, EFFECT_DECOY, "prlimit64"),
	SLOWS("limited_in_time", "T048 H4", limit_time, EFFECT_DECOY, "prlimit64"),
	SLOWS("limited_by_a_number_with_high_bits", "H4 E7", limit_high, EFFECT_DECOY, "prlimit64"),
	SLOWS("made_nicer", "H5", renice, EFFECT_DECOY, "setpriority"),
	SLOWS_GROUP("made_nicer_by_their_group", "H5", renice_group, EFFECT_DECOY, "setpriority"),
	SLOWS("scheduled_as_idle", "H5", schedule_idle, EFFECT_DECOY, "sched_setscheduler"),
	SLOWS("scheduled_by_attributes", "H5", schedule_attr, EFFECT_DECOY, "sched_setattr"),
	SLOWS("given_parameters", "H5", schedule_parameters, EFFECT_TOLD, "sched_setparam"),
	SLOWS("pinned_to_a_cpu", "H5", pin_to_one_cpu, EFFECT_TOLD, "sched_setaffinity"),
	SLOWS("starved_of_the_disk", "H5", starve_of_disk, EFFECT_TOLD, "ioprio_set"),
	SLOWS_GROUP("starved_of_the_disk_by_group", "H5", starve_group_of_disk, EFFECT_TOLD,
		    "ioprio_set"),
	SLOWS("moved_to_other_memory", "H5", move_its_memory, EFFECT_TOLD, "migrate_pages"),
	SLOWS("moved_page_by_page", "H5", move_its_pages, EFFECT_TOLD, "move_pages"),
	{"guards_and_others_are_not_advised_on_their_memory", "H5 E10", attack_advise_its_memory,
	 SHIP | PW, .object = "process_madvise", .denies = DENIES_ANY},
	WRITES("offered_to_the_oom_killer", "H6", victim_of_oom),
	WRITES("offered_to_the_oom_killer_in_the_old_way", "H6", victim_of_oom_old),
	WRITES("given_late_timers", "H5", late_timers),
	WRITES("made_to_dump_all", "H7", core_of_all),
	WRITES("told_to_forget_pages", "H7", forget_pages),
	WRITES("scheduled_by_their_terminal", "H5", autogroup),
	{"processes_of_the_session_are_its_own", "H1 H4 H5", own_is_allowed, SHIP | PW,
	 .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"guards", rows, ARRAY_SIZE(rows), false, false};
