/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "loader/features.h"

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif
/* Linux 6.6 (commit 48a1084a8b74); the distribution's headers are older. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

static bool probe_user_notif(void)
{
	unsigned int action = SECCOMP_RET_USER_NOTIF;

	return syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool probe_notif_sizes(void)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(__NR_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return false;
	return sizes.seccomp_notif <= sizeof(struct seccomp_notif) &&
	       sizes.seccomp_notif_resp <= sizeof(struct seccomp_notif_resp) &&
	       sizes.seccomp_data <= sizeof(struct seccomp_data);
}

/*
 * Asked for by loading an allow-all filter with a listener in a child that ends at once. Only a
 * process that is under a filter already can meet EBUSY, so most are spared the fork.
 */
static bool probe_listener_taken(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = {.len = 1, .filter = &allow};
	int status;
	pid_t pid;

	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return false;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0 &&
		      errno == EBUSY);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 1;
}

bool features_has_proc(void)
{
	struct statfs fs;

	return statfs("/proc/self/fd", &fs) == 0 && (unsigned long)fs.f_type == PROC_SUPER_MAGIC;
}

int features_probe(struct features *ret)
{
	struct utsname name;

	if (uname(&name) < 0)
		return -errno;
	*ret = (struct features){
		.user_notif = probe_user_notif(),
		.notif_sizes_match = probe_notif_sizes(),
		.listener_taken = probe_listener_taken(),
		.has_proc = features_has_proc(),
	};
	(void)snprintf(ret->kernel, sizeof(ret->kernel), "%s", name.release);
	return 0;
}

bool features_can_inject(int listener)
{
	/* No notification has this number: a kernel that knows the flag looks for it in vain. */
	struct seccomp_notif_addfd add = {.flags = SECCOMP_ADDFD_FLAG_SEND,
					  .srcfd = (__u32)listener};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) == 0 || errno != EINVAL;
}

bool features_set_sync_wake_up(int listener, bool on)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		     on ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0UL) == 0;
}
