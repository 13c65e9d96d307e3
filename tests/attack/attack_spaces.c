/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces and mounts, tried for real: what an agent does there stays in a namespace of its own,
 * and is judged there as it is elsewhere.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
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

/* ---- where namespaces and mounts are granted */

static int make_private(void)
{
	int r = enter(CLONE_NEWNS);

	if (r == 0)
		(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return r;
}

/* Return: 0, -errno; @from, below the world's top, is then to be seen as w/dir. */
static int as_dir(const struct world *w, const char *from)
{
	int r = make_private();

	if (r < 0)
		return r;
	return outcome(mount(in(w, "%s", from), in(w, "w/dir"), NULL, MS_BIND, NULL));
}

static int file_over_file(const struct world *w)
{
	int r = make_private();

	if (r < 0)
		return r;
	if (mount(in(w, "secret/id_rsa"), in(w, "w/file"), NULL, MS_BIND, NULL) < 0)
		return -errno;
	return print_fd(open("file", O_RDONLY | O_CLOEXEC));
}

static int root_elsewhere(const struct world *w)
{
	int r = make_private();

	if (r < 0)
		return r;
	if (mount("/", in(w, "w/dir"), NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	return print_fd(open(in(&(struct world){.top = "dir"}, "%s/secret/id_rsa", w->top),
			     O_RDONLY | O_CLOEXEC));
}

/* No namespace at all: the mount is the session's and the host's. */
static int bind_outside(const struct world *w)
{
	int r = outcome(mount(in(w, "secret"), in(w, "w/dir"), NULL, MS_BIND, NULL));

	return r < 0 ? r : print_fd(open("dir/id_rsa", O_RDONLY | O_CLOEXEC));
}

static bool unbind_outside(const struct world *w)
{
	(void)umount2(in(w, "w/dir"), MNT_DETACH);
	return false;
}

static int tree_moved(const struct world *w)
{
	int r = make_private();
	int fd = r < 0 ? r : (int)syscall(428, AT_FDCWD, in(w, "secret"), 1 /* OPEN_TREE_CLONE */);

	if (fd < 0)
		return r < 0 ? r : -errno;
	if (syscall(429, fd, "", AT_FDCWD, in(w, "w/dir"), 4 /* MOVE_MOUNT_F_EMPTY_PATH */) < 0)
		return -errno;
	return print_fd(open("dir/id_rsa", O_RDONLY | O_CLOEXEC));
}

static int mount_moved(const struct world *w)
{
	int r = as_dir(w, "secret");

	if (r == 0)
		r = outcome(mount(in(w, "w/dir"), in(w, "w/tmp"), NULL, MS_MOVE, NULL));
	return r < 0 ? r : print_fd(open("tmp/id_rsa", O_RDONLY | O_CLOEXEC));
}

static int mount_gone(const struct world *w)
{
	int r = as_dir(w, "secret");
	int fd = r < 0 ? r : open("dir", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return r < 0 ? r : -errno;
	if (umount2(in(w, "w/dir"), MNT_DETACH) < 0)
		return -errno;
	return print_fd(openat(fd, "id_rsa", O_RDONLY | O_CLOEXEC));
}

static int link_over_bind(const struct world *w)
{
	int r = as_dir(w, "secret");

	if (r == 0)
		r = outcome(symlink("dir/id_rsa", "link"));
	return r < 0 ? r : print_fd(open("link", O_RDONLY | O_CLOEXEC));
}

static int write_through_bind(const struct world *w)
{
	int r = as_dir(w, "out");

	return r < 0 ? r : scribble_fd(open("dir/file", O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int create_through_bind(const struct world *w)
{
	int r = as_dir(w, "out");

	return r < 0 ? r : scribble_fd(open("dir/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static int unlink_through_bind(const struct world *w)
{
	int r = as_dir(w, "out");

	return r < 0 ? r : outcome(unlink("dir/file"));
}

static int mkdir_through_bind(const struct world *w)
{
	int r = as_dir(w, "out");

	return r < 0 ? r : outcome(mkdir("dir/made", 0755));
}

static int chmod_through_bind(const struct world *w)
{
	int r = as_dir(w, "out");

	return r < 0 ? r : outcome(chmod("dir/file", 0777));
}

static int program_over_program(const struct world *w)
{
	int r = make_private();

	if (r < 0)
		return r;
	if (mount(in(w, "evil/at"), "/usr/bin/true", NULL, MS_BIND, NULL) < 0)
		return -errno;
	return run_program((const char *const[]){"/usr/bin/true", NULL});
}

/* Which of its files natively a process of the same user may read. */
static int proc_elsewhere(const struct world *w, const char *file, int flags)
{
	int r = make_private();

	if (r < 0)
		return r;
	if (mount("/proc", in(w, "w/dir"), NULL, MS_BIND, NULL) < 0)
		return -errno;
	return outcome(open(in(&(struct world){.top = "dir"}, "%d/%s", w->victim, file),
			    flags | O_CLOEXEC));
}

static int guard_maps(const struct world *w)
{
	return proc_elsewhere(w, "maps", O_RDONLY);
}

static int guard_memory(const struct world *w)
{
	return proc_elsewhere(w, "mem", O_RDWR);
}

static int guard_descriptors(const struct world *w)
{
	return proc_elsewhere(w, "fd", O_RDONLY | O_DIRECTORY);
}

/* Opened only: what is written there would do something to the machine. */
static int cgroup_elsewhere(const struct world *w)
{
	int r = make_private();

	if (r < 0)
		return r;
	if (mount("none", in(w, "w/dir"), "cgroup2", 0, NULL) < 0)
		return -errno;
	return outcome(open("dir/cgroup.procs", O_WRONLY | O_CLOEXEC));
}

static int log_through_bind(const struct world *w)
{
	int r = make_private();

	if (r < 0)
		return r;
	if (mount(w->top, in(w, "w/dir"), NULL, MS_BIND, NULL) < 0)
		return -errno;
	return scribble_fd(open("dir/log.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int make_log(const struct world *w)
{
	int fd = open(in(w, "log.jsonl"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : close(fd);
}

/* What a sandbox does: its own file system, and a part of the workspace under another name. */
static int sandbox_works(const struct world *w)
{
	int r = as_dir(w, "w/.vscode");
	char byte;
	int fd;

	if (r < 0)
		return r;
	r = scribble_fd(open("dir/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	if (r < 0)
		return r;
	if (mount("none", in(w, "w/tmp"), "tmpfs", 0, NULL) < 0 || mkdir("tmp/a", 0755) < 0)
		return -errno;
	r = scribble_fd(open("tmp/a/b", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	if (r < 0)
		return r;
	if (rename("tmp/a/b", "tmp/c") < 0 || chroot(in(w, "w")) < 0 || chdir("/") < 0)
		return -errno;
	fd = open("/tmp/c", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : outcome(read(fd, &byte, 1));
}

/* ---- mounts from before the session */

static int mounted_policy(const struct world *w)
{
	return outcome(mount(in(w, "policy"), in(w, "w/dir"), NULL, MS_BIND, NULL));
}

static int write_policy(const struct world *w)
{
	(void)w;
	return scribble_fd(open("dir/pw.yaml", O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int replace_policy(const struct world *w)
{
	(void)w;
	return outcome(unlink("dir/pw.yaml"));
}

static int mounted_groups(const struct world *w)
{
	return outcome(mount("none", in(w, "w/dir"), "cgroup2", 0, NULL));
}

static int open_group(const struct world *w)
{
	(void)w;
	return outcome(open("dir/cgroup.procs", O_WRONLY | O_CLOEXEC));
}

/* ---- other namespaces */

#define SPACES                                                                                     \
	X(cgroup, CLONE_NEWCGROUP)                                                                 \
	X(time, CLONE_NEWTIME)                                                                     \
	X(ipc, CLONE_NEWIPC)                                                                       \
	X(uts, CLONE_NEWUTS)

#define X(name, flag)                                                                              \
	static int space_of_##name(const struct world *w)                                          \
	{                                                                                          \
		(void)w;                                                                           \
		return geteuid() == 0 ? outcome(unshare(flag)) : enter(flag);                      \
	}
SPACES
#undef X

static int cloned_space(const struct world *w)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	(void)w;
	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int join_mounts(const struct world *w)
{
	int fd = (int)syscall(SYS_pidfd_open, w->decoy, 0);

	return fd < 0 ? -errno : outcome(setns(fd, CLONE_NEWNS));
}

static int join_mounts_by_proc(const struct world *w)
{
	int fd = open(in(&(struct world){.top = "/proc"}, "%d/ns/mnt", w->decoy),
		      O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(setns(fd, CLONE_NEWNS));
}

static int fuse_device(const struct world *w)
{
	(void)w;
	return outcome(open("/dev/fuse", O_RDWR | O_CLOEXEC));
}

static int fuse_mount(const struct world *w)
{
	int r = enter(CLONE_NEWNS);

	return r < 0 ? r
		     : outcome(mount("none", in(w, "w/dir"), "fuse", 0,
				     "fd=0,rootmode=40000,user_id=0,group_id=0"));
}

/* Namespaces and mounts are granted together by none of these policies: the first call is refused,
 * and nothing that would come after it is tried.
 */
#define LEAKS(fact, ids, attack, call)                                                             \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_LEAKED, .object = call,             \
					      .only = EPERM                                        \
	}
#define REFUSES(fact, ids, attack, call)                                                           \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_TOLD, .object = call, .only = EPERM \
	}

/* Granted: each of the calls works, and what it makes is judged by what it really is. */
#define HIDES(fact, ids, attack, effected, what)                                                   \
	{                                                                                          \
		"granted_" fact, ids, attack, PM, .effect = effected, .object = what               \
	}

static const struct attack_row rows[] = {
	LEAKS("bind_mount_does_not_hide_a_secret", "T058 B4 F1 F2", bind_over, "unshare"),
	REFUSES("mounting_over_the_workspace_is_refused", "F1 F2", tmpfs_over, "unshare"),
	LEAKS("open_tree_does_not_hide_a_secret", "T060 B4 F8", tree_clone, "unshare"),
	LEAKS("chroot_does_not_hide_a_secret", "T062 B4 F7", change_root, "unshare"),
	LEAKS("user_namespace_does_not_hide_a_secret", "F1", user_namespace_read, "unshare"),
	{"user_namespace_does_not_let_write_outside", "F1", user_namespace_write, SHIP | PW,
	 .effect = EFFECT_CHANGED, .object = "unshare", .only = EPERM},
	LEAKS("user_namespace_of_a_child_does_not_hide_a_secret", "F1", child_in_namespace,
	      "unshare"),
	LEAKS("pid_namespace_does_not_hide_a_secret", "F5 A12", pid_namespace, "unshare"),
	REFUSES("network_namespace_of_another_is_not_joined", "F3 F4", join_by_pidfd, "setns"),
	REFUSES("sysfs_of_a_network_namespace_is_not_mounted", "F4", network_namespace_then_mount,
		"unshare"),
	REFUSES("new_mount_calls_are_refused_in_a_namespace", "F8", new_mount_calls, "unshare"),
	LEAKS("overlay_does_not_hide_a_secret", "F10", overlay, "unshare"),
	REFUSES("remount_is_refused", "F12", remount, "unshare"),
	REFUSES("cgroup_namespace_is_refused", "F6", space_of_cgroup, "unshare"),
	REFUSES("time_namespace_is_refused", "F6", space_of_time, "unshare"),
	REFUSES("ipc_namespace_is_refused", "F6", space_of_ipc, "unshare"),
	REFUSES("uts_namespace_is_refused", "F6", space_of_uts, "unshare"),
	REFUSES("namespace_by_clone_is_refused", "F1", cloned_space, "clone"),
	{"mount_namespace_of_another_is_not_joined", "F3", join_mounts, SHIP | PW,
	 .flags = ROW_ROOT, .object = "setns"},
	{"mount_namespace_of_another_is_not_joined_by_proc", "F3", join_mounts_by_proc, SHIP | PW,
	 .flags = ROW_ROOT, .denies = DENIES_ANY, .error = ENOENT},
	{"device_of_fuse_is_denied", "F9", fuse_device, SHIP | READ_ONLY | PW,
	 .object = "/dev/fuse"},
	{"mounting_fuse_is_refused", "F9", fuse_mount, SHIP | PW, .object = "unshare",
	 .only = EPERM, .not_native = "it needs the device, which has a row of its own"},
	HIDES("bind_mount_does_not_hide_a_secret", "T058 B4 B5 F1 F2", bind_over, EFFECT_LEAKED,
	      "secret/id_rsa"),
	HIDES("bind_mount_of_a_file_does_not_hide_a_secret", "B4 F2", file_over_file, EFFECT_LEAKED,
	      "secret/id_rsa"),
	HIDES("bind_mount_of_the_root_does_not_hide_a_secret", "B4 F2", root_elsewhere,
	      EFFECT_LEAKED, "secret/id_rsa"),
	{"granted_bind_mount_without_a_namespace_does_not_hide_a_secret", "B4 F2", bind_outside, PM,
	 .flags = ROW_ROOT, .effect = EFFECT_LEAKED, .object = "secret/id_rsa",
	 .look = unbind_outside},
	HIDES("open_tree_does_not_hide_a_secret", "T060 B4 F8", tree_clone, EFFECT_LEAKED, NULL),
	HIDES("moved_tree_does_not_hide_a_secret", "B4 F8", tree_moved, EFFECT_LEAKED,
	      "secret/id_rsa"),
	HIDES("moved_mount_does_not_hide_a_secret", "B4 F8", mount_moved, EFFECT_LEAKED,
	      "secret/id_rsa"),
	HIDES("mount_that_is_gone_does_not_hide_a_secret", "B4 F12", mount_gone, EFFECT_LEAKED,
	      NULL),
	HIDES("link_to_a_bind_mount_does_not_hide_a_secret", "B1 B4", link_over_bind, EFFECT_LEAKED,
	      "secret/id_rsa"),
	HIDES("chroot_does_not_hide_a_secret", "T062 B4 F7", change_root, EFFECT_LEAKED,
	      "secret/id_rsa"),
	{"granted_overlay_does_not_hide_a_secret", "F10 B4", overlay, PM, .effect = EFFECT_LEAKED,
	 .flags = ROW_ROOT},
	HIDES("bind_mount_does_not_let_write", "F2", write_through_bind, EFFECT_CHANGED,
	      "out/file"),
	HIDES("bind_mount_does_not_let_create", "F2", create_through_bind, EFFECT_CHANGED,
	      "out/new"),
	HIDES("bind_mount_does_not_let_unlink", "F2", unlink_through_bind, EFFECT_CHANGED,
	      "out/file"),
	HIDES("bind_mount_does_not_let_mkdir", "F2", mkdir_through_bind, EFFECT_CHANGED,
	      "out/made"),
	HIDES("bind_mount_does_not_let_chmod", "F2", chmod_through_bind, EFFECT_CHANGED,
	      "out/file"),
	HIDES("bind_mount_does_not_hide_a_program", "C1 F2", program_over_program, EFFECT_RAN,
	      "evil/at"),
	HIDES("bind_mount_of_proc_does_not_hide_a_guards_maps", "H7 F2", guard_maps, EFFECT_TOLD,
	      "/maps"),
	HIDES("bind_mount_of_proc_does_not_hide_a_guards_memory", "H7 F2", guard_memory,
	      EFFECT_TOLD, "/mem"),
	HIDES("bind_mount_of_proc_does_not_hide_a_guards_descriptors", "H7 F2", guard_descriptors,
	      EFFECT_TOLD, "/fd"),
	{"granted_mount_of_control_groups_does_not_hide_them", "E12 F2", cgroup_elsewhere, PM,
	 .flags = ROW_ROOT, .object = "cgroup.procs"},
	{"granted_bind_mount_does_not_hide_the_log", "H16 F2", log_through_bind, PM,
	 .object = "log.jsonl", .prepare = make_log},
#define BEFORE(fact, ids, attack, effected, prepared, what)                                        \
	{                                                                                          \
		fact, ids, attack, PW, .flags = ROW_ROOT, .effect = effected, .object = what,      \
				       .prepare = prepared, .look = unbind_outside                 \
	}
	BEFORE("mount_from_before_does_not_let_write_the_policy", "B5 H12", write_policy,
	       EFFECT_CHANGED, mounted_policy, "pw.yaml"),
	BEFORE("mount_from_before_does_not_let_remove_the_policy", "B5 H12", replace_policy,
	       EFFECT_CHANGED, mounted_policy, "pw.yaml"),
	BEFORE("mount_from_before_does_not_hide_control_groups", "B5 E12", open_group, EFFECT_TOLD,
	       mounted_groups, "cgroup.procs"),
	{"granted_sandbox_works", "F1 F2 F7", sandbox_works, PM, .flags = ROW_ALLOWED | ROW_ROOT},
};

const struct attack_group attack_group = {"spaces", rows, ARRAY_SIZE(rows), false, true};
