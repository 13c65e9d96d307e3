/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to run a program that may not be run. evil/crontab is a copy of echo that the shipped
 * policies refuse by its name, evil/at a script; PW lists the programs that may run. Each attack
 * makes it print the world's mark.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define EVIL(w) in(w, "evil/crontab")

static char mark[64];

/* What the program is to print; it is in a file, so that only a program that ran prints it. */
static const char *mark_of(const struct world *w)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(64);

	if (io_read_file_at(AT_FDCWD, in(w, "w/mark"), &text) == 0)
		memcpy(mark, strbuf_str(&text), MIN(text.len + 1, sizeof(mark)));
	return mark;
}

static int run_path(const struct world *w, const char *path)
{
	return run_program((const char *const[]){path, mark_of(w), NULL});
}

static int plain(const struct world *w)
{
	return run_path(w, EVIL(w));
}

static int script(const struct world *w)
{
	return run_path(w, in(w, "evil/at"));
}

static int other_argv0(const struct world *w)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execl(EVIL(w), "ls", mark_of(w), NULL);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -ECANCELED;
	return -WEXITSTATUS(status);
}

static int slashes_and_dots(const struct world *w)
{
	return run_path(w, in(w, "w//.//../evil/./crontab"));
}

static int relative(const struct world *w)
{
	return run_path(w, "../evil/crontab");
}

static int proc_self_root(const struct world *w)
{
	return run_path(w, in(&(struct world){.top = "/proc/self/root"}, "%s", EVIL(w)));
}

static int by_symlink(const struct world *w)
{
	return symlink(EVIL(w), "ls") < 0 ? -errno : run_path(w, "./ls");
}

static int by_hard_link(const struct world *w)
{
	return link(EVIL(w), "ls") < 0 ? -errno : run_path(w, "./ls");
}

static int by_rename(const struct world *w)
{
	return rename(EVIL(w), "ls") < 0 ? -errno : run_path(w, "./ls");
}

/* A copy has another name and another inode: only a list of what may run stops it. */
static int copy_to(const struct world *w, int to)
{
	int from = open("/usr/bin/echo", O_RDONLY | O_CLOEXEC);

	(void)w;
	if (from < 0 || to < 0)
		return -errno;
	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	(void)close(from);
	return 0;
}

static int by_copy(const struct world *w)
{
	int r = copy_to(w, open("copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));

	return r < 0 ? r : run_path(w, "./copy");
}

/* ---- by descriptor */

static int exec_at(const struct world *w, int fd, const char *path, int flags)
{
	const char *const argv[] = {"ls", mark_of(w), NULL};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)syscall(SYS_execveat, fd, path, argv, environ, flags);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -ECANCELED;
	return -WEXITSTATUS(status);
}

static int execveat_path(const struct world *w)
{
	return exec_at(w, AT_FDCWD, "../evil/crontab", 0);
}

static int execveat_directory(const struct world *w)
{
	int fd = open(in(w, "evil"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : exec_at(w, fd, "crontab", 0);
}

static int execveat_empty(const struct world *w)
{
	int fd = open(EVIL(w), O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : exec_at(w, fd, "", AT_EMPTY_PATH);
}

static int exec_proc_fd(const struct world *w)
{
	int fd = open(EVIL(w), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return run_path(w, in(&(struct world){.top = "/proc/self/fd"}, "%d", fd));
}

static int memory_file(const struct world *w)
{
	int fd = (int)syscall(SYS_memfd_create, "ls", MFD_CLOEXEC);
	int r = copy_to(w, fd);

	return r < 0 ? r : fd;
}

static int memfd_empty(const struct world *w)
{
	int fd = memory_file(w);

	return fd < 0 ? fd : exec_at(w, fd, "", AT_EMPTY_PATH);
}

static int memfd_proc(const struct world *w)
{
	int fd = memory_file(w);

	return fd < 0 ? fd : run_path(w, in(&(struct world){.top = "/proc/self/fd"}, "%d", fd));
}

static int memfd_dev(const struct world *w)
{
	int fd = memory_file(w);

	return fd < 0 ? fd : run_path(w, in(&(struct world){.top = "/dev/fd"}, "%d", fd));
}

static int memfd_proc_pid(const struct world *w)
{
	int fd = memory_file(w);

	if (fd < 0)
		return fd;
	return run_path(w, in(&(struct world){.top = "/proc"}, "%d/fd/%d", getpid(), fd));
}

static int memfd_by_symlink(const struct world *w)
{
	int fd = memory_file(w);

	if (fd < 0 ||
	    symlink(in(&(struct world){.top = "/proc"}, "%d/fd/%d", getpid(), fd), "ls") < 0)
		return fd < 0 ? fd : -errno;
	return run_path(w, "./ls");
}

/* A script in memory: its interpreter may run, and reads /dev/fd/N. */
static int memfd_script(const struct world *w)
{
	int fd = (int)syscall(SYS_memfd_create, "script", 0);
	char text[128];
	int len = snprintf(text, sizeof(text), "#!/bin/sh\necho %s\n", mark_of(w));

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return -errno;
	return exec_at(w, fd, "", AT_EMPTY_PATH);
}

static int deleted(const struct world *w)
{
	int r = copy_to(w, open("copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	int fd = open("copy", O_RDONLY | O_CLOEXEC);

	if (r < 0 || fd < 0 || unlink("copy") < 0)
		return r < 0 ? r : -errno;
	return exec_at(w, fd, "", AT_EMPTY_PATH);
}

static int tmpfile_program(const struct world *w)
{
	int fd = open("dir", O_TMPFILE | O_RDWR, 0755);
	int again;
	int r = copy_to(w, fd);

	if (r < 0)
		return r;
	again = open(in(&(struct world){.top = "/proc/self/fd"}, "%d", fd), O_RDONLY | O_CLOEXEC);
	(void)close(fd);
	return again < 0 ? -errno : exec_at(w, again, "", AT_EMPTY_PATH);
}

/* ---- interpreters */

static int write_script(const char *name, const char *interpreter)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	if (fd < 0)
		return -errno;
	(void)dprintf(fd, "#!%s\n", interpreter);
	(void)close(fd);
	return 0;
}

static int script_of_evil(const struct world *w)
{
	int r = write_script("script", in(w, "evil/crontab %s", mark_of(w)));

	return r < 0 ? r : run_path(w, "./script");
}

static int script_of_script(const struct world *w)
{
	int r = write_script("inner", in(w, "evil/crontab %s", mark_of(w)));

	r = r < 0 ? r : write_script("outer", in(w, "w/inner"));
	return r < 0 ? r : run_path(w, "./outer");
}

static int dynamic_linker(const struct world *w)
{
	return run_program(
		(const char *const[]){"/lib64/ld-linux-x86-64.so.2", EVIL(w), mark_of(w), NULL});
}

static int dynamic_linker_with_options(const struct world *w)
{
	return run_program((const char *const[]){"/lib64/ld-linux-x86-64.so.2", "--argv0", "ls",
						 "--library-path", "/nowhere", EVIL(w), mark_of(w),
						 NULL});
}

/* ---- through programs that may run */

static int shell(const struct world *w, const char *command)
{
	return run_program((const char *const[]){"/usr/bin/bash", "-c", command, "bash", EVIL(w),
						 mark_of(w), NULL});
}

#define SHELLS                                                                                     \
	X(sh_c, "\"$0\" \"$@\"; \"$1\" \"$2\"")                                                    \
	X(sh_exec, "exec \"$1\" \"$2\"")                                                           \
	X(sh_background, "\"$1\" \"$2\" & wait $!")                                                \
	X(sh_pipe, "true | \"$1\" \"$2\"")                                                         \
	X(sh_process_substitution, "cat <(\"$1\" \"$2\") | grep .")                                \
	X(sh_command_substitution, "x=$(\"$1\" \"$2\") && echo \"$x\"")                            \
	X(sh_env, "env A=b \"$1\" \"$2\"")                                                         \
	X(sh_env_s, "env -S \"$1 $2\"")                                                            \
	X(sh_xargs, "echo \"$2\" | xargs \"$1\"")                                                  \
	X(sh_find, "find file -exec \"$1\" \"$2\" \\; | grep .")                                   \
	X(sh_nice, "nice timeout 5 setsid -w \"$1\" \"$2\"")                                       \
	X(sh_login, "bash -lc '\"$1\" \"$2\"' bash \"$1\" \"$2\"")                                 \
	X(sh_busybox, "busybox sh -c '\"$1\" \"$2\"' sh \"$1\" \"$2\"")                            \
	X(sh_awk, "awk -v c=\"$1 $2\" 'BEGIN { r = system(c); exit r }'")                          \
	X(sh_git, "E=$1 M=$2 git -c 'alias.x=!\"$E\" \"$M\"' x")                                   \
	X(sh_python,                                                                               \
	  "/usr/bin/python3 -c 'import os, sys; os.execv(sys.argv[1], sys.argv[1:])' \"$1\" "      \
	  "\"$2\"")                                                                                \
	X(sh_perl, "perl -e 'exec @ARGV; exit 13' \"$1\" \"$2\"")                                  \
	X(sh_tar, "tar cf - file | tar xf - --to-command=\"$1 $2\" || exit 126")

#define X(function, command)                                                                       \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		return shell(w, command);                                                          \
	}
SHELLS
#undef X

/* ---- ways to start a process */

static int by_posix_spawn(const struct world *w)
{
	const char *const argv[] = {"ls", mark_of(w), NULL};
	pid_t pid;
	int status;
	int r = posix_spawn(&pid, EVIL(w), NULL, NULL, (char *const *)(uintptr_t)argv, environ);

	if (r)
		return -r;
	return waitpid(pid, &status, 0) < 0 ? -errno : 0;
}

static void *thread_main(void *arg)
{
	const struct world *w = arg;

	(void)execl(EVIL(w), "ls", mark_of(w), NULL);
	return (void *)(uintptr_t)errno;
}

static int thread_in_child(const struct world *w)
{
	pthread_t thread;
	void *error;

	if (pthread_create(&thread, NULL, thread_main, (void *)(uintptr_t)w))
		return -EAGAIN;
	(void)pthread_join(thread, &error);
	return -(int)(uintptr_t)error;
}

static int by_other_thread(const struct world *w)
{
	return in_child(thread_in_child, w);
}

static int orphan(const struct world *w)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		if (fork() == 0) {
			(void)execl(EVIL(w), "ls", mark_of(w), NULL);
			_exit(errno);
		}
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	/* Nobody waits for the grandchild: its exec is over when ours is. */
	return run_path(w, EVIL(w));
}

/* ---- names that the shipped policies refuse, and the other side: what must work */

static int run_su(const struct world *w)
{
	(void)w;
	return run_program((const char *const[]){"/usr/bin/su", "--version", NULL});
}

static int run_systemd_run(const struct world *w)
{
	(void)w;
	return run_program((const char *const[]){"/usr/bin/systemd-run", "--version", NULL});
}

static int no_new_privileges(const struct world *w)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	uint64_t flag = 0, filters = 0;

	(void)w;
	if (io_read_file_at(AT_FDCWD, "/proc/self/status", &text) < 0 ||
	    parse_status_field(strbuf_str(&text), "NoNewPrivs", &flag) < 0 ||
	    parse_status_field(strbuf_str(&text), "Seccomp", &filters) < 0)
		return -EBADMSG;
	return flag == 1 && filters == 2 ? 0 : -EBADMSG;
}

static int long_arguments(const struct world *w)
{
	static char one[128 * 1024 - 1];
	static const char *argv[12];

	(void)w;
	memset(one, 'x', sizeof(one) - 1);
	argv[0] = "/usr/bin/true";
	for (int i = 1; i < 11; i++)
		argv[i] = one;
	return run_program(argv);
}

static int many_arguments(const struct world *w)
{
	static const char *argv[100002];

	(void)w;
	for (size_t i = 0; i < 100001; i++)
		argv[i] = i ? "a" : "/usr/bin/true";
	return run_program(argv);
}

#define RUNS(fact, ids, attack, policies, what)                                                    \
	{                                                                                          \
		fact, ids, attack, policies, .effect = EFFECT_RAN, .object = what                  \
	}
/* Through a shell: it says that it was refused by its status 126. */
#define SHELL_RUNS(fact, ids, attack, policies)                                                    \
	{                                                                                          \
		fact, ids, attack, policies, .effect = EFFECT_RAN, .object = "evil/crontab",       \
					     .op = "exec", .error = 126                            \
	}

#define EXECVE_CHECK 0x10000 /* AT_EXECVE_CHECK, Linux 6.14 */

/* Asks only whether it could be executed; what the kernel says is no secret. */
static int only_checked(const struct world *w)
{
	_cleanup_(fd_closep) int fd = open("/usr/bin/true", O_RDONLY | O_CLOEXEC);
	char *const none[] = {NULL};

	(void)w;
	if (fd < 0)
		return -errno;
	if (syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH | EXECVE_CHECK) < 0)
		return errno == EINVAL ? attack_cannot("before Linux 6.14") : -errno;
	/* And it goes on as itself, also with a program that does run. */
	return run_program((const char *const[]){"/usr/bin/true", NULL});
}

static const struct attack_row rows[] = {
	{"asking_whether_it_could_run_works", "C16", only_checked, SHIP, .flags = ROW_ALLOWED},

	RUNS("denied_program_does_not_run", "J:at C1 T034", plain, SHIP | READ_ONLY | PW, "evil/"),
	RUNS("denied_script_does_not_run", "C2", script, SHIP | READ_ONLY | PW, "evil/"),
	RUNS("argv0_does_not_hide_a_program", "C14", other_argv0, SHIP | PW, "evil/"),
	RUNS("slashes_and_dots_do_not_hide_a_program", "T028 B1", slashes_and_dots, SHIP | PW,
	     "evil/"),
	RUNS("relative_path_does_not_hide_a_program", "T028", relative, SHIP | PW, "evil/"),
	RUNS("proc_self_root_does_not_hide_a_program", "T028 B1", proc_self_root, SHIP | PW,
	     "evil/"),
	RUNS("symlink_does_not_hide_a_program", "C1", by_symlink, SHIP | PW, "evil/"),
	RUNS("hard_link_does_not_hide_a_program", "C1 B2", by_hard_link, SHIP | PW, "evil/"),
	RUNS("renamed_program_does_not_run", "C1 B3", by_rename, SHIP | PW, "evil/"),
	RUNS("copied_program_is_not_in_the_list", "T026 C1", by_copy, PW, "w/copy"),
	RUNS("execveat_does_not_hide_a_program", "C4", execveat_path, SHIP | PW, "evil/"),
	RUNS("execveat_of_a_dirfd_does_not_hide_a_program", "C4", execveat_directory, SHIP | PW,
	     "evil"),
	RUNS("execveat_with_an_empty_path_does_not_hide_a_program", "C4 P17", execveat_empty,
	     SHIP | PW, "evil/"),
	RUNS("proc_self_fd_does_not_hide_a_program", "T030 C4", exec_proc_fd, SHIP | PW, "evil/"),
	RUNS("memfd_by_execveat_does_not_run", "T030 C4 B9 P17", memfd_empty, SHIP | READ_ONLY | PW,
	     "memfd:"),
	RUNS("memfd_by_proc_self_fd_does_not_run", "T030 C4", memfd_proc, SHIP | PW, "memfd:"),
	RUNS("memfd_by_dev_fd_does_not_run", "T030 C4", memfd_dev, SHIP | PW, "memfd:"),
	RUNS("memfd_by_proc_pid_fd_does_not_run", "T030 C4", memfd_proc_pid, SHIP | PW, "memfd:"),
	RUNS("memfd_by_symlink_does_not_run", "T030 C4", memfd_by_symlink, SHIP | PW, "memfd:"),
	RUNS("script_in_a_memfd_does_not_run", "C4 C2", memfd_script, SHIP | PW, "memfd:"),
	RUNS("deleted_program_is_not_in_the_list", "C5", deleted, PW, "copy"),
	RUNS("o_tmpfile_program_is_not_in_the_list", "C5", tmpfile_program, PW, NULL),
	RUNS("interpreter_of_a_script_is_judged", "T032 C2 P34", script_of_evil, SHIP | PW, NULL),
	RUNS("interpreter_of_an_interpreter_is_judged", "T112 C2 P34", script_of_script, SHIP | PW,
	     NULL),
	RUNS("dynamic_linker_does_not_hide_a_program", "C3 P30", dynamic_linker, SHIP | PW, NULL),
	RUNS("dynamic_linker_with_options_does_not_hide_a_program", "C3 P30",
	     dynamic_linker_with_options, SHIP | PW, NULL),
	SHELL_RUNS("sh_c_does_not_hide_a_program", "C6 P30", sh_c, SHIP | PW),
	SHELL_RUNS("exec_in_a_shell_does_not_hide_a_program", "C6", sh_exec, SHIP | PW),
	SHELL_RUNS("background_does_not_hide_a_program", "C6 P30", sh_background, SHIP | PW),
	SHELL_RUNS("pipe_does_not_hide_a_program", "C6", sh_pipe, SHIP | PW),
	SHELL_RUNS("process_substitution_does_not_hide_a_program", "C6 P30",
		   sh_process_substitution, SHIP),
	SHELL_RUNS("command_substitution_does_not_hide_a_program", "C6", sh_command_substitution,
		   SHIP | PW),
	SHELL_RUNS("env_does_not_hide_a_program", "C6 P30", sh_env, SHIP | PW),
	SHELL_RUNS("env_s_does_not_hide_a_program", "C6 P30", sh_env_s, SHIP | PW),
	SHELL_RUNS("xargs_does_not_hide_a_program", "C6 P30", sh_xargs, SHIP),
	SHELL_RUNS("find_exec_does_not_hide_a_program", "C6 P30", sh_find, SHIP),
	SHELL_RUNS("nice_timeout_setsid_do_not_hide_a_program", "C6", sh_nice, SHIP),
	SHELL_RUNS("login_shell_does_not_hide_a_program", "C6 P30", sh_login, SHIP),
	SHELL_RUNS("busybox_does_not_hide_a_program", "C6 P30", sh_busybox, SHIP),
	SHELL_RUNS("awk_does_not_hide_a_program", "C6", sh_awk, SHIP),
	SHELL_RUNS("alias_of_git_does_not_hide_a_program", "C6", sh_git, SHIP),
	SHELL_RUNS("python_does_not_hide_a_program", "T034 C6", sh_python, SHIP),
	SHELL_RUNS("perl_does_not_hide_a_program", "C6", sh_perl, SHIP),
	SHELL_RUNS("tar_does_not_hide_a_program", "C6", sh_tar, SHIP),
	RUNS("posix_spawn_does_not_hide_a_program", "C11 P22", by_posix_spawn, SHIP | PW, "evil/"),
	RUNS("exec_by_another_thread_does_not_hide_a_program", "T110 C10", by_other_thread,
	     SHIP | PW, "evil/"),
	{"orphan_does_not_hide_a_program", "I4 A14", orphan, SHIP | PW, .effect = EFFECT_RAN,
	 .object = "evil/", .denies = 2},
	{"su_is_refused", "T104 C12", run_su, SHIP | READ_ONLY | PW, .object = "/su"},
	{"systemd_run_is_refused", "J:systemd-run", run_systemd_run, SHIP | READ_ONLY | PW,
	 .object = "systemd-run"},
	{"no_new_privileges_and_the_filter_are_set", "T104 C12 I6", no_new_privileges, SHIP | PW,
	 .flags = ROW_ALLOWED},
	{"arguments_of_megabytes_are_let_through", "T108 C14", long_arguments, SHIP,
	 .flags = ROW_ALLOWED},
	{"a_hundred_thousand_arguments_are_let_through", "T108 C14", many_arguments, SHIP,
	 .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"exec", rows, ARRAY_SIZE(rows), false, false};
