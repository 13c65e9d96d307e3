/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces and mounts, tried for real: what an agent does there stays in a namespace of its own,
 * and is judged there as it is elsewhere.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"

#include "tests/attack/attack.h"

static int enter(int flags)
{
	if (geteuid() == 0)
		return unshare(flags) < 0 ? -errno : 0;
	return unshare(flags | CLONE_NEWUSER) < 0 ? -errno : 0;
}

static int bind_over(const struct world *w)
{
	int r = enter(CLONE_NEWNS);

	if (r < 0)
		return r;
	(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (mount(in(w, "secret"), in(w, "w/dir"), NULL, MS_BIND, NULL) < 0)
		return -errno;
	return print_fd(open("dir/id_rsa", O_RDONLY | O_CLOEXEC));
}

static int tmpfs_over(const struct world *w)
{
	int r = enter(CLONE_NEWNS);

	if (r < 0)
		return r;
	return outcome(mount("none", in(w, "w/dir"), "tmpfs", 0, NULL));
}

static int tree_clone(const struct world *w)
{
	int r = enter(CLONE_NEWNS);
	int fd = r < 0 ? r : (int)syscall(428, AT_FDCWD, in(w, "secret"), 1 /* OPEN_TREE_CLONE */);

	if (fd < 0)
		return r < 0 ? r : -errno;
	return print_fd(openat(fd, "id_rsa", O_RDONLY | O_CLOEXEC));
}

static int change_root(const struct world *w)
{
	int r = enter(CLONE_NEWNS);

	if (r < 0 || chroot(in(w, "secret")) < 0)
		return r < 0 ? r : -errno;
	return print_fd(open("/id_rsa", O_RDONLY | O_CLOEXEC));
}

static int user_namespace_read(const struct world *w)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	return print_fd(open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC));
}

static int user_namespace_write(const struct world *w)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	return scribble_fd(open(in(w, "out/file"), O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int child_in_namespace(const struct world *w)
{
	return in_child(user_namespace_read, w);
}

static int read_secret(const struct world *w)
{
	return print_fd(open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC));
}

static int pid_namespace(const struct world *w)
{
	int r = enter(CLONE_NEWPID);

	return r < 0 ? r : in_child(read_secret, w);
}

static int join_by_pidfd(const struct world *w)
{
	int fd = (int)syscall(SYS_pidfd_open, w->decoy, 0);

	return fd < 0 ? -errno : outcome(setns(fd, CLONE_NEWNET));
}

static int network_namespace_then_mount(const struct world *w)
{
	int r = enter(CLONE_NEWNS | CLONE_NEWNET);

	(void)w;
	return r < 0 ? r : outcome(mount("none", "dir", "sysfs", 0, NULL));
}

static int new_mount_calls(const struct world *w)
{
	int r = enter(CLONE_NEWNS);
	int fd = r < 0 ? r : (int)syscall(430, "tmpfs", 0);

	(void)w;
	return fd < 0 ? (r < 0 ? r : -errno) : 0;
}

static int overlay(const struct world *w)
{
	int r = enter(CLONE_NEWNS);
	char options[4096];

	(void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		       in(w, "secret"), in(w, "w/dir"), in(w, "w/tmp"));
	if (r < 0)
		return r;
	if (mount("none", in(w, "w/.vscode"), "overlay", 0, options) < 0)
		return -errno;
	return print_fd(open(".vscode/id_rsa", O_RDONLY | O_CLOEXEC));
}

static int remount(const struct world *w)
{
	int r = enter(CLONE_NEWNS);

	(void)w;
	return r < 0 ? r : outcome(mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL));
}

/* Namespaces and mounts are granted together by none of these policies: the first call is refused.
 */
#define LEAKS(fact, ids, attack)                                                                   \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_LEAKED, .denies = DENIES_SOME       \
	}
#define REFUSES(fact, ids, attack)                                                                 \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_TOLD, .denies = DENIES_SOME         \
	}

static const struct attack_row rows[] = {
	LEAKS("bind_mount_does_not_hide_a_secret", "T058 B4 F1 F2", bind_over),
	REFUSES("mounting_over_the_workspace_is_refused", "F1 F2", tmpfs_over),
	LEAKS("open_tree_does_not_hide_a_secret", "T060 B4 F8", tree_clone),
	LEAKS("chroot_does_not_hide_a_secret", "T062 B4 F7", change_root),
	LEAKS("user_namespace_does_not_hide_a_secret", "F1", user_namespace_read),
	{"user_namespace_does_not_let_write_outside", "F1", user_namespace_write, SHIP | PW,
	 .effect = EFFECT_CHANGED, .denies = DENIES_SOME},
	LEAKS("user_namespace_of_a_child_does_not_hide_a_secret", "F1", child_in_namespace),
	LEAKS("pid_namespace_does_not_hide_a_secret", "F5 A12", pid_namespace),
	REFUSES("network_namespace_of_another_is_not_joined", "F3 F4", join_by_pidfd),
	REFUSES("sysfs_of_a_network_namespace_is_not_mounted", "F4", network_namespace_then_mount),
	REFUSES("new_mount_calls_are_refused_in_a_namespace", "F8", new_mount_calls),
	LEAKS("overlay_does_not_hide_a_secret", "F10", overlay),
	REFUSES("remount_is_refused", "F12", remount),
};

const struct attack_group attack_group = {"spaces", rows, ARRAY_SIZE(rows), false};
