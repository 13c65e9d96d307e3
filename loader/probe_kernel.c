/* SPDX-License-Identifier: Apache-2.0 */
/* The mechanisms besides notification that need no eBPF. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loader/landlock.h"
#include "loader/probe.h"

#define NR_IO_URING_SETUP 425 /* the same on every architecture */

/* Exit status of a child that tries what must be refused to it. */
enum {
	REFUSED = 0,
	WENT_ON = 1,
	NOT_TRIED = 2,
};

/* @outcome: the child's exit status. Return: whether it was refused what it must be. */
static bool is_refused(int outcome, const char *went_on, struct probe_result *ret)
{
	if (outcome != REFUSED)
		probe_set(ret, PROBE_BROKEN,
			  outcome == WENT_ON ? went_on : "its test could not be made", "");
	return outcome == REFUSED;
}

static const char enable_landlock[] =
	"CONFIG_SECURITY_LANDLOCK=y, and landlock in the boot parameter lsm= "
	"(cat /sys/kernel/security/lsm shows the list; keep what is in it)";

static int create_under_landlock(void *argument)
{
	const struct landlock_floor floor = {.bounds_changes = true};
	const int *abi = argument;
	int ruleset = landlock_prepare(&floor, *abi);

	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    landlock_enter(ruleset) < 0)
		return NOT_TRIED;
	if (open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) >= 0)
		return WENT_ON;
	return errno == EACCES ? REFUSED : NOT_TRIED;
}

void probe_landlock(struct probe_context *context _unused_, struct probe_result *ret)
{
	char text[PROBE_TEXT_MAX];
	int abi = landlock_abi();

	if (abi == 0)
		return probe_set(ret, PROBE_NO, "not in this kernel, or switched off",
				 enable_landlock);
	if (!is_refused(probe_in_child(create_under_landlock, &abi),
			"it let a file be made that it must refuse", ret))
		return;
	(void)snprintf(text, sizeof(text), "ABI %d%s", abi,
		       abi < LANDLOCK_PORTS_ABI ? ", without TCP ports (Linux 6.7)" : "");
	probe_set(ret, PROBE_YES, text, "");
}

static int signal_under_landlock(void *argument)
{
	const struct landlock_floor floor = {.scoped = LANDLOCK_SCOPE_SIGNALS};
	const int *abi = argument;
	int ruleset = landlock_prepare(&floor, *abi);

	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    landlock_enter(ruleset) < 0)
		return NOT_TRIED;
	if (kill(getppid(), 0) == 0)
		return WENT_ON;
	return errno == EPERM ? REFUSED : NOT_TRIED;
}

void probe_landlock_scopes(struct probe_context *context _unused_, struct probe_result *ret)
{
	int abi = landlock_abi();

	if (abi < LANDLOCK_SCOPES_ABI)
		return probe_set(ret, PROBE_NO,
				 abi ? "this kernel's Landlock is older" : "there is no Landlock",
				 abi ? "a kernel of Linux 6.12 or later" : enable_landlock);
	if (is_refused(probe_in_child(signal_under_landlock, &abi),
		       "it let a signal out that it must refuse", ret))
		probe_set(ret, PROBE_YES, "", "");
}

static _Noreturn void wait_forever(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		(void)pause();
}

void probe_ptrace(struct probe_context *context _unused_, struct probe_result *ret)
{
	char text[PROBE_TEXT_MAX] = "";
	uint64_t scope;
	pid_t pid = fork();
	long r;

	if (pid == 0)
		wait_forever();
	r = pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ? -errno : 0;
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	if (probe_read_number("/proc/sys/kernel/yama/ptrace_scope", &scope) == 0)
		(void)snprintf(text, sizeof(text), "kernel.yama.ptrace_scope=%u", (unsigned)scope);
	if (r == 0)
		return probe_set(ret, PROBE_YES, text, "");
	probe_set(ret, PROBE_NO, *text ? text : strerror((int)-r),
		  "sysctl kernel.yama.ptrace_scope=1; in a container, allow ptrace");
}

static int make_user_namespace(void *argument _unused_)
{
	return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

void probe_user_namespace(struct probe_context *context _unused_, struct probe_result *ret)
{
	static const struct {
		const char *path;
		uint64_t refuses;
		const char *enable;
	} switches[] = {
		{"/proc/sys/kernel/unprivileged_userns_clone", 0,
		 "sysctl kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1,
		 "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
		{"/proc/sys/user/max_user_namespaces", 0, "sysctl user.max_user_namespaces=10000"},
	};
	int r = probe_in_child(make_user_namespace, NULL);
	uint64_t value;

	if (r == 0)
		return probe_set(ret, PROBE_YES, "", "");
	probe_set(ret, PROBE_NO, strerror(abs(r)),
		  "CONFIG_USER_NS=y; in a container, allow unshare");
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (probe_read_number(switches[i].path, &value) == 0 &&
		    value == switches[i].refuses)
			return probe_set(ret, PROBE_NO, strerror(abs(r)), switches[i].enable);
}

static int open_marked(void *argument)
{
	const char *path = argument;

	if (open(path, O_RDONLY | O_CLOEXEC) >= 0)
		return WENT_ON;
	return errno == EPERM ? REFUSED : NOT_TRIED;
}

/* A thread of our own cannot answer for itself: the child opens, we refuse. */
static int refuse_open(int group, char *path)
{
	struct fanotify_event_metadata event;
	struct fanotify_response response = {.response = FAN_DENY};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(open_marked(path));
	}
	if (pid < 0)
		return -errno;
	if (read(group, &event, sizeof(event)) == (ssize_t)sizeof(event)) {
		response.fd = event.fd;
		if (write(group, &response, sizeof(response)) < 0)
			(void)kill(pid, SIGKILL);
		(void)fd_close(event.fd);
	} else {
		(void)kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : NOT_TRIED;
}

void probe_fanotify(struct probe_context *context _unused_, struct probe_result *ret)
{
	_cleanup_(fd_closep) int group =
		fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
	char path[] = "/tmp/holdfast-doctor-XXXXXX";
	int fd;
	int r = NOT_TRIED;

	if (group < 0)
		return probe_set(ret, errno == EPERM ? PROBE_UNKNOWN : PROBE_NO,
				 errno == EPERM ? "needs CAP_SYS_ADMIN" : strerror(errno),
				 errno == EPERM ? "sudo holdfast doctor"
						: "CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0 && fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path) == 0)
		r = refuse_open(group, path);
	if (fd >= 0) {
		(void)unlink(path);
		(void)fd_close(fd);
	}
	if (is_refused(r, "it let a file be opened that it must refuse", ret))
		probe_set(ret, PROBE_YES, "", "");
}

/* With no parameters it fails with EFAULT where it is there. */
void probe_io_uring(struct probe_context *context _unused_, struct probe_result *ret)
{
	if (syscall(NR_IO_URING_SETUP, 1U, NULL) < 0 && errno != EFAULT)
		return probe_set(ret, PROBE_NO, strerror(errno), "");
	probe_set(ret, PROBE_YES, "open on this machine; sessions refuse it unless granted", "");
}
