/* SPDX-License-Identifier: Apache-2.0 */
/* Other names for what is denied, and other ways to say the same name. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define SECRET(w) in(w, "secret/id_rsa")

static int read_path(const char *path)
{
	return print_fd(open(path, O_RDONLY | O_CLOEXEC));
}

/* ---- every call that opens */

static int read_open(const struct world *w)
{
	return print_fd((int)syscall(SYS_open, SECRET(w), O_RDONLY));
}

static int read_openat(const struct world *w)
{
	return read_path(SECRET(w));
}

static int read_openat2(const struct world *w)
{
	struct open_how how = {.flags = O_RDONLY};

	return print_fd((int)syscall(SYS_openat2, AT_FDCWD, SECRET(w), &how, sizeof(how)));
}

static int write_creat(const struct world *w)
{
	return scribble_fd((int)syscall(SYS_creat, in(w, "out/file"), 0600));
}

static int reopen_o_path(const struct world *w)
{
	int fd = open(SECRET(w), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return read_path(in(&(struct world){.top = "/proc/self/fd"}, "%d", fd));
}

static int reopen_dev_fd(const struct world *w)
{
	int fd = open(SECRET(w), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return read_path(in(&(struct world){.top = "/dev/fd"}, "%d", fd));
}

static int open_in_child(const struct world *w)
{
	return in_child(read_openat, w);
}

/* ---- spellings */

static int double_slashes(const struct world *w)
{
	return read_path(in(w, "/secret//./id_rsa"));
}

static int dot_dot(const struct world *w)
{
	return read_path(in(w, "w/dir/../../secret/id_rsa"));
}

static int relative(const struct world *w)
{
	(void)w;
	return read_path("../secret/id_rsa");
}

static int relative_after_chdir(const struct world *w)
{
	if (chdir(in(w, "w/dir")) < 0)
		return -errno;
	return read_path("../../secret/id_rsa");
}

static int relative_after_chdir_out(const struct world *w)
{
	if (chdir(in(w, "secret")) < 0)
		return -errno;
	return read_path("id_rsa");
}

static int relative_to_dirfd(const struct world *w)
{
	int fd = open(in(w, "secret"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : print_fd(openat(fd, "id_rsa", O_RDONLY | O_CLOEXEC));
}

static int relative_after_fchdir(const struct world *w)
{
	int fd = open(in(w, "secret"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fchdir(fd) < 0)
		return -errno;
	return read_path("id_rsa");
}

static int proc_self_root(const struct world *w)
{
	return read_path(in(&(struct world){.top = "/proc/self/root"}, "%s", SECRET(w)));
}

static int proc_thread_self_root(const struct world *w)
{
	return read_path(in(&(struct world){.top = "/proc/thread-self/root"}, "%s", SECRET(w)));
}

static int proc_self_cwd(const struct world *w)
{
	(void)w;
	return read_path("/proc/self/cwd/../secret/id_rsa");
}

static int proc_other_root(const struct world *w)
{
	return read_path(in(&(struct world){.top = "/proc"}, "%d/root%s", w->decoy, SECRET(w)));
}

static int deleted_cwd(const struct world *w)
{
	if (mkdir(in(w, "w/gone"), 0755) < 0 || chdir(in(w, "w/gone")) < 0 ||
	    rmdir(in(w, "w/gone")) < 0)
		return -errno;
	return read_path("../../secret/id_rsa");
}

static int directory_too_deep(const struct world *w)
{
	char name[201], up[4096] = "";
	int depth = 0;

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (; depth < 30; depth++)
		if (mkdir(name, 0755) < 0 || chdir(name) < 0)
			break;
	if (depth < 10)
		return -errno;
	for (int i = 0; i <= depth; i++)
		memcpy(up + 3 * i, "../", 4);
	memcpy(up + strlen(up), "secret/id_rsa", sizeof("secret/id_rsa"));
	(void)w;
	return read_path(up);
}

/* ---- symbolic links */

static int symlink_to_file(const struct world *w)
{
	if (symlink(SECRET(w), "link") < 0)
		return -errno;
	return read_path("link");
}

static int symlink_to_directory(const struct world *w)
{
	if (symlink(in(w, "secret"), "link") < 0)
		return -errno;
	return read_path("link/id_rsa");
}

static int symlink_chain(const struct world *w)
{
	(void)w;
	if (symlink("../secret", "a") < 0 || symlink("a", "b") < 0 || symlink("b/id_rsa", "c") < 0)
		return -errno;
	return read_path("c");
}

static int symlink_to_proc(const struct world *w)
{
	if (symlink(in(&(struct world){.top = "/proc/self/root"}, "%s", SECRET(w)), "link") < 0)
		return -errno;
	return read_path("link");
}

static int create_through_dangling(const struct world *w)
{
	if (symlink(in(w, "out/new"), "link") < 0)
		return -errno;
	return scribble_fd(open("link", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

/* ---- openat2's own roots */

static int openat2_resolve(const struct world *w, const char *path, uint64_t resolve)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = resolve};
	int fd = open(w->top, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return print_fd((int)syscall(SYS_openat2, fd, path, &how, sizeof(how)));
}

static int resolve_in_root(const struct world *w)
{
	return openat2_resolve(w, "/secret/id_rsa", RESOLVE_IN_ROOT);
}

static int resolve_in_root_dot_dot(const struct world *w)
{
	return openat2_resolve(w, "../../../secret/id_rsa", RESOLVE_IN_ROOT);
}

static int resolve_beneath(const struct world *w)
{
	return openat2_resolve(w, "w/../secret/id_rsa", RESOLVE_BENEATH);
}

static int resolve_no_xdev(const struct world *w)
{
	return openat2_resolve(w, "secret/id_rsa", RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

/* ---- second names */

static int hard_link(const struct world *w)
{
	if (link(SECRET(w), "copy") < 0)
		return -errno;
	return read_path("copy");
}

static int hard_link_linkat(const struct world *w)
{
	int fd = open(in(w, "secret"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || linkat(fd, "id_rsa", AT_FDCWD, "copy", 0) < 0)
		return -errno;
	return read_path("copy");
}

static int hard_link_by_descriptor(const struct world *w)
{
	int fd = open(SECRET(w), O_PATH | O_CLOEXEC);

	if (fd < 0 || linkat(AT_FDCWD, in(&(struct world){.top = "/proc/self/fd"}, "%d", fd),
			     AT_FDCWD, "copy", AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return read_path("copy");
}

static int hard_link_empty_path(const struct world *w)
{
	int fd = open(SECRET(w), O_PATH | O_CLOEXEC);

	if (fd < 0 || linkat(fd, "", AT_FDCWD, "copy", AT_EMPTY_PATH) < 0)
		return -errno;
	return read_path("copy");
}

static int hard_link_through_symlink(const struct world *w)
{
	if (symlink(SECRET(w), "link") < 0 ||
	    linkat(AT_FDCWD, "link", AT_FDCWD, "copy", AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return read_path("copy");
}

static int rename_secret(const struct world *w)
{
	if (rename(SECRET(w), "copy") < 0)
		return -errno;
	return read_path("copy");
}

static int rename_parent(const struct world *w)
{
	if (rename(in(w, "secret"), "moved") < 0)
		return -errno;
	return read_path("moved/id_rsa");
}

static int rename_exchange(const struct world *w)
{
	if (renameat2(AT_FDCWD, "file", AT_FDCWD, SECRET(w), RENAME_EXCHANGE) < 0)
		return -errno;
	return read_path("file");
}

static int rename_workspace(const struct world *w)
{
	return outcome(rename(in(w, "w"), in(w, "out/w")));
}

static int rename_env(const struct world *w)
{
	(void)w;
	if (rename(".env", "plain") < 0)
		return -errno;
	return read_path("plain");
}

static int link_env(const struct world *w)
{
	(void)w;
	if (link(".env", "plain") < 0)
		return -errno;
	return read_path("plain");
}

static int exchange_env(const struct world *w)
{
	(void)w;
	if (renameat2(AT_FDCWD, "file", AT_FDCWD, ".env", RENAME_EXCHANGE) < 0)
		return -errno;
	return read_path("file");
}

static int read_by_handle(const struct world *w)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount;

	if (name_to_handle_at(AT_FDCWD, SECRET(w), &h.head, &mount, 0) < 0)
		return attack_cannot("the file system has no handles: %m");
	return print_fd(open_by_handle_at(AT_FDCWD, &h.head, O_RDONLY));
}

/* ---- descriptors from before the session */

#define LEAKED_FD 77

static int leak_directory(const struct world *w)
{
	int fd = open(in(w, "secret"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || dup2(fd, LEAKED_FD) < 0 || close(fd) < 0 ? -errno : 0;
}

static bool close_leaked(const struct world *w)
{
	(void)w;
	(void)close(LEAKED_FD);
	return false;
}

static int read_through_leaked(const struct world *w)
{
	(void)w;
	return print_fd(openat(LEAKED_FD, "id_rsa", O_RDONLY | O_CLOEXEC));
}

/* ---- what has to go on working */

static int name_ends_in_deleted(const struct world *w)
{
	int r = scribble_fd(open("x (deleted)", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

	(void)w;
	return r < 0 ? r : read_path("x (deleted)");
}

static int long_names(const struct world *w)
{
	char name[4200];
	static const struct {
		size_t len;
		int error;
	} rows_long[] = {{255, ENOENT}, {256, ENAMETOOLONG}};
	static const struct {
		size_t len;
		int error;
	} paths[] = {{4095, ENOENT}, {4096, ENAMETOOLONG}, {4097, ENAMETOOLONG}};

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(rows_long); i++) {
		memset(name, 'n', rows_long[i].len);
		name[rows_long[i].len] = '\0';
		if (open(name, O_RDONLY) >= 0 || errno != rows_long[i].error)
			return -EBADMSG;
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		for (size_t k = 0; k < paths[i].len; k++)
			name[k] = k % 2 ? '/' : '.';
		name[paths[i].len - 1] = 'n';
		name[paths[i].len] = '\0';
		if (open(name, O_RDONLY) >= 0 || errno != paths[i].error)
			return -EBADMSG;
	}
	return 0;
}

static int own_proc_self(const struct world *w)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	uint64_t pid = 0;

	(void)w;
	if (io_read_file_at(AT_FDCWD, "/proc/self/status", &text) < 0 ||
	    parse_status_field(strbuf_str(&text), "Pid", &pid) < 0)
		return -EACCES;
	return pid == (uint64_t)getpid() ? 0 : -EBADMSG;
}

static int own_proc_self_of_grandchild(const struct world *w)
{
	return in_child(own_proc_self, w);
}

static int deleted_cwd_is_enoent(const struct world *w)
{
	(void)w;
	if (mkdir("gone", 0755) < 0 || chdir("gone") < 0 || rmdir("../gone") < 0)
		return -errno;
	return open("x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0 && errno == ENOENT ? 0
										      : -EBADMSG;
}

#define LEAKS(fact, ids, attack)                                                                   \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_LEAKED, .object = "/secret"         \
	}
/* PW does not even give the directory that the path is relative to. */
#define LEAKS_ANY(fact, ids, attack)                                                               \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_LEAKED, .object = "/w"              \
	}
#define LEAKS_ENV(fact, ids, attack)                                                               \
	{                                                                                          \
		fact, ids, attack, SHIP, .effect = EFFECT_LEAKED, .object = "/.env"                \
	}
#define WORKS(fact, ids, attack)                                                                   \
	{                                                                                          \
		fact, ids, attack, SHIP, .flags = ROW_ALLOWED, .denies = DENIES_ANY                \
	}

static const struct attack_row rows[] = {
	{"open_of_a_secret_is_denied", "T036 P20 B1", read_open, SHIP | READ_ONLY | PW,
	 .effect = EFFECT_LEAKED, .object = "secret/id_rsa"},
	LEAKS("openat_of_a_secret_is_denied", "T036", read_openat),
	LEAKS("openat2_of_a_secret_is_denied", "T036 A5 P15", read_openat2),
	LEAKS("o_path_then_proc_self_fd_is_denied", "T036 B13", reopen_o_path),
	LEAKS("o_path_then_dev_fd_is_denied", "T036 B13", reopen_dev_fd),
	LEAKS("open_in_a_child_is_denied", "I4", open_in_child),
	{"creat_outside_is_denied", "T036 P16", write_creat, SHIP | READ_ONLY | PW,
	 .effect = EFFECT_CHANGED, .object = "out/file"},
	LEAKS("double_slashes_do_not_hide_a_secret", "B1", double_slashes),
	LEAKS("dot_dot_does_not_hide_a_secret", "B1 M10", dot_dot),
	LEAKS("relative_path_does_not_hide_a_secret", "T072 A18", relative),
	LEAKS("relative_path_after_chdir_inside_does_not_hide_a_secret", "T072 A18",
	      relative_after_chdir),
	LEAKS("relative_path_after_chdir_to_it_does_not_hide_a_secret", "T072 T074 A18",
	      relative_after_chdir_out),
	LEAKS("dirfd_does_not_hide_a_secret", "A18", relative_to_dirfd),
	LEAKS("fchdir_does_not_hide_a_secret", "A18", relative_after_fchdir),
	LEAKS("proc_self_root_does_not_hide_a_secret", "B1 A17", proc_self_root),
	LEAKS("proc_thread_self_root_does_not_hide_a_secret", "B1 A17", proc_thread_self_root),
	LEAKS("proc_self_cwd_does_not_hide_a_secret", "B1 A17", proc_self_cwd),
	LEAKS("root_of_a_process_outside_does_not_hide_a_secret", "T078 B19", proc_other_root),
	LEAKS("deleted_directory_as_cwd_does_not_hide_a_secret", "T074 B6", deleted_cwd),
	{"directory_too_deep_to_name_does_not_hide_a_secret", "B8 P1", directory_too_deep,
	 SHIP | PW, .effect = EFFECT_LEAKED, .object = "id_rsa", .op = "read", .only = EACCES},
	LEAKS("symlink_to_a_secret_is_denied", "T100 B1", symlink_to_file),
	LEAKS("symlink_to_its_directory_is_denied", "B1", symlink_to_directory),
	LEAKS("chain_of_symlinks_to_a_secret_is_denied", "B1", symlink_chain),
	LEAKS("symlink_through_proc_is_denied", "B1", symlink_to_proc),
	{"creating_through_a_dangling_symlink_is_denied", "T100", create_through_dangling,
	 SHIP | PW, .effect = EFFECT_CHANGED, .object = "out/new"},
	LEAKS_ANY("resolve_in_root_does_not_hide_a_secret", "B17", resolve_in_root),
	LEAKS_ANY("resolve_in_root_with_dot_dot_does_not_hide_a_secret", "B17",
		  resolve_in_root_dot_dot),
	LEAKS_ANY("resolve_beneath_does_not_hide_a_secret", "B17", resolve_beneath),
	LEAKS_ANY("resolve_no_xdev_does_not_hide_a_secret", "B17", resolve_no_xdev),
	LEAKS("hard_link_of_a_secret_is_denied", "T040 B2 P28", hard_link),
	LEAKS("linkat_of_a_secret_is_denied", "T040 B2", hard_link_linkat),
	LEAKS("linkat_of_proc_self_fd_is_denied", "T090 B13", hard_link_by_descriptor),
	LEAKS("linkat_with_an_empty_path_is_denied", "T090 B13", hard_link_empty_path),
	LEAKS("linkat_that_follows_a_symlink_is_denied", "T040 B2", hard_link_through_symlink),
	LEAKS("rename_of_a_secret_is_denied", "B3", rename_secret),
	LEAKS("rename_of_its_directory_is_denied", "T076 B3", rename_parent),
	LEAKS("exchange_with_a_secret_is_denied", "B3", rename_exchange),
	{"rename_of_the_workspace_itself_is_denied", "T076 B3", rename_workspace, SHIP | PW,
	 .effect = EFFECT_CHANGED, .object = "/w"},
	LEAKS_ENV("env_file_cannot_be_renamed_and_read", "B3 P27", rename_env),
	LEAKS_ENV("env_file_cannot_be_linked_and_read", "B2", link_env),
	LEAKS_ENV("env_file_cannot_be_exchanged_and_read", "B3", exchange_env),
	{"open_by_handle_at_is_refused", "B16", read_by_handle, SHIP | PW, .effect = EFFECT_LEAKED,
	 .object = "open_by_handle_at"},
	{"descriptor_from_before_the_session_is_closed", "T156 B18 I5", read_through_leaked,
	 SHIP | PW, .effect = EFFECT_LEAKED, .denies = DENIES_ANY, .error = EBADF,
	 .prepare = leak_directory, .look = close_leaked},
	WORKS("file_called_deleted_is_judged_as_itself", "T084 B6", name_ends_in_deleted),
	WORKS("longest_names_and_paths_are_as_natively", "T082", long_names),
	WORKS("proc_self_is_the_agent_not_the_supervisor", "A17", own_proc_self),
	WORKS("proc_self_of_a_grandchild_is_its_own", "A17", own_proc_self_of_grandchild),
	WORKS("deleted_directory_as_cwd_is_enoent", "T074", deleted_cwd_is_enoent),
};

const struct attack_group attack_group = {"naming", rows, ARRAY_SIZE(rows), false, false};
