/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on the supervisor and the launcher, and on what they keep. Natively a process of the
 * test's own stands for them.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <linux/filter.h>

#include "base/io.h"

#include "tests/attack/attack.h"

static int proc_open(const struct world *w, const char *what, int flags)
{
	return open(in(&(struct world){.top = "/proc"}, "%d/%s", w->victim, what),
		    flags | O_CLOEXEC);
}

/* ---- memory and descriptors */

static int read_memory(const struct world *w)
{
	return outcome(proc_open(w, "mem", O_RDONLY));
}

static int write_memory(const struct world *w)
{
	return outcome(proc_open(w, "mem", O_RDWR));
}

static int attach(const struct world *w)
{
	return outcome(syscall(SYS_ptrace, PTRACE_ATTACH, w->victim, 0, 0));
}

static int seize(const struct world *w)
{
	return outcome(syscall(SYS_ptrace, PTRACE_SEIZE, w->victim, 0, 0));
}

/* The parent becomes the tracer: of the command, the supervisor. */
static int trace_me(const struct world *w)
{
	(void)w;
	return outcome(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
}

static int trace_me_high(const struct world *w)
{
	(void)w;
	/* The kernel takes the whole of it, and knows no such request. */
	return outcome(syscall(SYS_ptrace, (1UL << 32) | PTRACE_TRACEME, 0, 0, 0));
}

/* So it is with an orphan. */
static int trace_orphan(const struct world *w)
{
	pid_t parent = getpid();
	int fds[2], r = -ECANCELED;

	if (pipe(fds) < 0)
		return -errno;
	if (fork() == 0) {
		parent = getpid();
		if (fork() == 0) {
			while (getppid() == parent)
				(void)usleep(1000);
			r = trace_me(w);
			(void)!write(fds[1], &r, sizeof(r));
		}
		_exit(0);
	}
	(void)close(fds[1]);
	(void)!read(fds[0], &r, sizeof(r));
	(void)close(fds[0]);
	return r;
}

/* Its tracer is of the session: as a debugger does. */
static int trace_own_child(const struct world *w)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-trace_me(w));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int steal_listener(const struct world *w)
{
	int pidfd = (int)syscall(SYS_pidfd_open, w->victim, 0);

	if (pidfd < 0)
		return -errno;
	for (int fd = 0; fd < 64; fd++)
		if (syscall(438, pidfd, fd, 0) >= 0)
			return 0;
	return -errno;
}

/* Reading the log is a matter of the policy; /dev/null is anybody's. */
static int open_descriptors(const struct world *w)
{
	int error = EACCES;

	for (int number = 0; number < 64; number++) {
		struct stat st;
		int fd = proc_open(w, in(&(struct world){.top = "fd"}, "%d", number), O_WRONLY);

		if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode))
			return 0;
		if (fd < 0 && errno != ENOENT && errno != ENXIO && errno != EISDIR)
			error = errno;
		if (fd >= 0)
			(void)close(fd);
	}
	return -error;
}

static int read_environment(const struct world *w)
{
	return outcome(proc_open(w, "environ", O_RDONLY));
}

static int through_its_root(const struct world *w)
{
	return print_fd(proc_open(w, in(&(struct world){.top = "root"}, "%s/secret/id_rsa", w->top),
				  O_RDONLY));
}

static int take_memory_away(const struct world *w)
{
	return outcome(proc_open(w, "oom_score_adj", O_WRONLY));
}

/* ---- what it keeps */

static int change(const char *path, int how)
{
	if (how == 0)
		return scribble_fd(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
	if (how == 1)
		return outcome(truncate(path, 0));
	if (how == 2)
		return outcome(unlink(path));
	if (how == 3)
		return outcome(rename("file", path));
	if (how == 4)
		return outcome(rename(path, "taken"));
	if (how == 5)
		return outcome(link(path, "linked"));
	return outcome(chmod(path, 0666));
}

#define KEPT                                                                                       \
	X(log_append, "log.jsonl", 0)                                                              \
	X(log_truncate, "log.jsonl", 1)                                                            \
	X(log_unlink, "log.jsonl", 2)                                                              \
	X(log_rename_over, "log.jsonl", 3)                                                         \
	X(log_rename_away, "log.jsonl", 4)                                                         \
	X(log_link, "log.jsonl", 5)                                                                \
	X(log_chmod, "log.jsonl", 6)                                                               \
	X(policy_append, "policy/pw.yaml", 0)                                                      \
	X(policy_truncate, "policy/pw.yaml", 1)                                                    \
	X(policy_unlink, "policy/pw.yaml", 2)                                                      \
	X(policy_rename_over, "policy/pw.yaml", 3)                                                 \
	X(policy_rename_away, "policy/pw.yaml", 4)                                                 \
	X(policy_chmod, "policy/pw.yaml", 6)

#define X(function, path, how)                                                                     \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		return change(in(w, path), how);                                                   \
	}
KEPT
#undef X

	/* The log of a native run: something to attack. */
	static int
	make_log(const struct world *w)
{
	int fd = open(in(w, "log.jsonl"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : close(fd);
}

static int link_policy(const struct world *w)
{
	return outcome(link(in(w, "policy/pw.yaml"), in(w, "w/alias")));
}

static int append_by_link(const struct world *w)
{
	return change(in(w, "w/alias"), 0);
}

static int truncate_by_link(const struct world *w)
{
	return change(in(w, "w/alias"), 1);
}

static int chmod_by_link(const struct world *w)
{
	return change(in(w, "w/alias"), 6);
}

/* Each socket and file of Holdfast's below the runtime directory. */
static int reach_control(const struct world *w)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	_cleanup_(io_closedirp) DIR *d = opendir(in(w, "run/holdfast"));
	struct dirent *e;
	int error = EACCES;

	while (d && (e = readdir(d))) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (e->d_name[0] == '.' || fd < 0)
			continue;
		(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "../run/holdfast/%.60s",
			       e->d_name);
		/* The socket that spend is reported to is for the agent. */
		if (strstr(e->d_name, "spend"))
			continue;
		if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
			return 0;
		error = errno;
	}
	return -error;
}

/* ---- the filter itself */

static int second_listener(const struct world *w)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};

	(void)w;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			       SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

/* A filter that allows all does not keep ours from being asked. */
static int filter_above(const struct world *w)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return print_fd(open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC));
}

static int strict_is_no_way_out(const struct world *w)
{
	(void)w;
	return outcome(prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, 0, 0, 0));
}

static int daemonised(const struct world *w)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			_exit(-print_fd(open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC)));
		_exit(0);
	}
	/* What it got is to be seen in the output; ours is the same. */
	return print_fd(open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC));
}

/* ---- another session inside of this one */

static int weaker_session(const struct world *w)
{
	const char *holdfast = getenv("ATTACK_HOLDFAST");

	if (!holdfast)
		return attack_cannot("nobody says where the binary is");
	return run_program((const char *const[]){
		"/bin/sh", "-c",
		"exec \"$0\" run --policy audit-only --log \"$1/w/inner\" -- cat \"$1/secret/id_rsa\"",
		holdfast, w->top, NULL});
}

#define KEEPS(fact, ids, attack, what)                                                             \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_TOLD, .object = what,               \
					      .prepare = make_log                                  \
	}
#define GUARDS(fact, ids, attack, what)                                                            \
	{                                                                                          \
		fact, ids, attack, SHIP | PW | NO_NETWORK, .effect = EFFECT_TOLD, .object = what,  \
							   .denies = DENIES_ANY                    \
	}

static const struct attack_row rows[] = {
	GUARDS("its_memory_cannot_be_opened", "T050 H7", read_memory, "/mem"),
	GUARDS("its_memory_cannot_be_opened_for_writing", "T050 H7", write_memory, "/mem"),
	GUARDS("it_cannot_be_attached_to", "T050 H7", attach, "ptrace"),
	GUARDS("it_cannot_be_seized", "T050 H7", seize, "ptrace"),
	{"it_does_not_become_the_tracer_of_the_command", "T050 H7", trace_me,
	 SHIP | PW | NO_NETWORK, .object = "ptrace"},
	{"it_does_not_become_a_tracer_by_a_request_with_high_bits", "H7 E7", trace_me_high,
	 SHIP | PW, .object = "ptrace", .not_native = "the kernel knows no such request"},
	{"it_does_not_become_the_tracer_of_an_orphan", "T050 H7", trace_orphan,
	 SHIP | PW | NO_NETWORK, .object = "ptrace",
	 .not_native = "the tracer would be the machine's first process"},
	{"process_of_the_session_may_trace_its_child", "H7", trace_own_child, SHIP | PW,
	 .flags = ROW_ALLOWED},
	GUARDS("its_descriptors_cannot_be_taken", "H7 I5", steal_listener, "pidfd_getfd"),
	GUARDS("its_descriptors_cannot_be_opened", "H7", open_descriptors, "/fd"),
	GUARDS("its_environment_cannot_be_read", "H7 P50", read_environment, "/environ"),
	{"its_root_does_not_hide_a_secret", "H7 B19", through_its_root, SHIP | PW,
	 .effect = EFFECT_LEAKED, .denies = DENIES_ANY},
	GUARDS("its_oom_score_cannot_be_changed", "H6", take_memory_away, "oom_score_adj"),
	KEEPS("log_cannot_be_appended_to", "T052 H16", log_append, "log.jsonl"),
	KEEPS("log_cannot_be_truncated", "T052 H16", log_truncate, "log.jsonl"),
	KEEPS("log_cannot_be_removed", "T052 H16", log_unlink, "log.jsonl"),
	KEEPS("log_cannot_be_renamed_over", "T052 H16", log_rename_over, "log.jsonl"),
	KEEPS("log_cannot_be_renamed_away", "T052 H16", log_rename_away, "log.jsonl"),
	KEEPS("log_cannot_be_linked", "T052 H16", log_link, "log.jsonl"),
	KEEPS("log_cannot_be_made_writable", "T052 H16", log_chmod, "log.jsonl"),
	KEEPS("policy_cannot_be_appended_to", "T052 H12", policy_append, "pw.yaml"),
	KEEPS("policy_cannot_be_truncated", "T052 H12", policy_truncate, "pw.yaml"),
	KEEPS("policy_cannot_be_removed", "T052 H12", policy_unlink, "pw.yaml"),
	KEEPS("policy_cannot_be_renamed_over", "T052 H12", policy_rename_over, "pw.yaml"),
	KEEPS("policy_cannot_be_renamed_away", "T052 H12", policy_rename_away, "pw.yaml"),
	KEEPS("policy_cannot_be_made_writable", "T052 H12", policy_chmod, "pw.yaml"),
#define LINKED(fact, attack)                                                                       \
	{                                                                                          \
		fact, "H12 B2 T052", attack, PW, .effect = EFFECT_CHANGED, .object = "alias",      \
						 .prepare = link_policy                            \
	}
	LINKED("policy_cannot_be_appended_to_by_a_link_from_before", append_by_link),
	LINKED("policy_cannot_be_truncated_by_a_link_from_before", truncate_by_link),
	LINKED("policy_cannot_be_made_writable_by_a_link_from_before", chmod_by_link),
	{"control_socket_cannot_be_reached", "T154 H11 P47", reach_control, SHIP | PW,
	 .not_native = "there is none without Holdfast", .denies = DENIES_ANY},
	{"second_listener_is_refused", "T140 I1 P42", second_listener, SHIP | PW | NO_NETWORK,
	 .denies = DENIES_ANY, .error = EBUSY},
	{"filter_of_the_agents_own_does_not_switch_ours_off", "I2", filter_above, SHIP | PW,
	 .effect = EFFECT_LEAKED, .object = "id_rsa"},
	{"seccomp_cannot_be_switched_off", "I2", strict_is_no_way_out, SHIP, .denies = DENIES_ANY,
	 .error = EINVAL, .not_native = "the kernel has no such mode"},
	{"daemon_does_not_leave_the_filter", "I4", daemonised, SHIP | PW, .effect = EFFECT_LEAKED,
	 .object = "id_rsa", .denies = 2},
	{"session_inside_cannot_be_weaker", "H13 I1", weaker_session, SHIP,
	 .not_native = "there is no session to start one in", .denies = DENIES_ANY, .error = 125},
};

const struct attack_group attack_group = {"supervisor", rows, ARRAY_SIZE(rows), false, false};
