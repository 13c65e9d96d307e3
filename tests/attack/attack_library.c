/* SPDX-License-Identifier: Apache-2.0 */
/* Code that gets into a process without an exec: it has to be read from a file first. */
#include <dlfcn.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define LIBRARY "secret/library.so"

/* A library that needs no other, and of which nothing is done when it is loaded: one of ours. */
static int put_library(const struct world *w)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT((size_t)64 << 20);
	_cleanup_(fd_closep) int fd = -1;
	Dl_info from;
	int r;

	if (!dladdr((void *)(uintptr_t)json_object, &from) || !from.dli_fname)
		return -ENOENT;
	r = io_read_file_at(AT_FDCWD, from.dli_fname, &text);
	if (r < 0)
		return r;
	fd = open(in(w, LIBRARY), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	return fd < 0 ? -errno : io_write_all(fd, text.p, text.len);
}

static int load(const struct world *w)
{
	const char *path = in(w, LIBRARY);

	if (dlopen(path, RTLD_NOW))
		return 0;
	return strstr(dlerror(), "Permission denied") ? -EACCES : -ENOEXEC;
}

static int load_by_link(const struct world *w)
{
	if (symlink(in(w, LIBRARY), in(w, "w/mine.so")) < 0)
		return -errno;
	return dlopen(in(w, "w/mine.so"), RTLD_NOW) ? 0 : -EACCES;
}

static int map_executable(const struct world *w)
{
	_cleanup_(fd_closep) int fd = open(in(w, LIBRARY), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -errno
											 : 0;
}

/* The loader goes on without what it cannot open, and says so. */
static int preload(const struct world *w)
{
	_cleanup_(strbuf_fini) struct strbuf said = STRBUF_INIT(65536);
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)setenv("LD_PRELOAD", in(w, LIBRARY), 1);
		(void)setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)execl("/usr/bin/true", "true", NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	(void)io_read_all(fds[0], &said);
	(void)close(fds[0]);
	(void)waitpid(pid, NULL, 0);
	return strstr(strbuf_str(&said), "library.so (0x") ? 0 : -EACCES;
}

/* ---- scripts: the interpreter opens them once more, by their name */

#define SCRIPT       "home/.ssh/script"
#define ROUNDS_SHARE 10 /* each of them is a few execs */

static int put_text(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	return fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
}

static int put_scripts(const struct world *w)
{
	int r = put_text(in(w, SCRIPT), "#!/bin/sh\ncat mark\n");

	r = r < 0 ? r : put_text(in(w, "w/harmless"), "#!/bin/sh\n:\n");
	return r < 0 ? r : outcome(symlink("harmless", in(w, "w/script")));
}

static int run_script(const struct world *w)
{
	return run_program((const char *const[]){in(w, SCRIPT), NULL}) == 0 ? 0 : -EACCES;
}

static void exchange_script(void *arg)
{
	const struct world *w = arg;

	for (int i = 0; i < 2; i++)
		if (symlink(i ? "harmless" : in(w, SCRIPT), in(w, "w/next")) == 0)
			(void)rename(in(w, "w/next"), in(w, "w/script"));
}

/* Judged as one script, read as another. */
static int run_other_script(const struct world *w)
{
	struct flipper f = {.flip = exchange_script, .arg = (void *)(uintptr_t)w};
	int r = flipper_start_process(&f);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < race_rounds() / ROUNDS_SHARE; i++)
		(void)run_program((const char *const[]){in(w, "w/script"), NULL});
	flipper_stop(&f);
	return -EACCES; /* what ran is seen in the output */
}

#define LOADS(fact, attack)                                                                        \
	{                                                                                          \
		fact, "T114 C7", attack, PW, .object = "library.so", .prepare = put_library        \
	}

static const struct attack_row rows[] = {
	LOADS("library_of_a_denied_directory_is_not_loaded", load),
	LOADS("library_is_not_loaded_by_another_name", load_by_link),
	LOADS("library_is_not_mapped", map_executable),
	LOADS("library_is_not_preloaded", preload),
	{"script_that_may_not_be_read_does_not_run", "C2", run_script, SHIP | PW,
	 .effect = EFFECT_RAN, .object = "script", .prepare = put_scripts, .only = EACCES},
	{"script_that_may_not_be_read_does_not_run_in_the_place_of_another", "C2 A7",
	 run_other_script, SHIP, .effect = EFFECT_RAN, .object = "script", .prepare = put_scripts,
	 .op = "read", .denies = DENIES_SOME},
};

const struct attack_group attack_group = {"library", rows, ARRAY_SIZE(rows), false, false};
