/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something could not be loaded, for people: a cause that is known to make everything fail,
 * else the first line of what libbpf said. If the verifier has refused a program, all that was said
 * is kept in a file, which the sentence points to.
 */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"

#include "loader/bpf/loader.h"

/* Its directory is root's alone; /run is always there. */
#define WORDS_DIRECTORY "/run/holdfast-loader"
#define WORDS_FILE      WORDS_DIRECTORY "/verifier.log"
#define WORDS_MAX       ((size_t)1 << 20) /* bytes; the first ones */
#define BTF_PATH        "/sys/kernel/btf/vmlinux"
#define LOCKDOWN_PATH   "/sys/kernel/security/lockdown"

static char words[WORDS_MAX];
static size_t n_words;

static int _printf_(2, 0) keep(enum libbpf_print_level level, const char *format, va_list arguments)
{
	const size_t room = sizeof(words) - n_words;
	int n;

	if (level != LIBBPF_WARN)
		return 0;
	n = vsnprintf(words + n_words, room, format, arguments);
	if (n > 0)
		n_words += MIN((size_t)n, room - 1);
	return 0;
}

void words_install(void)
{
	(void)libbpf_set_print(keep);
}

void words_reset(void)
{
	n_words = 0;
	*words = '\0';
}

static bool is_locked_down(void)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(256);

	return io_read_file_at(AT_FDCWD, LOCKDOWN_PATH, &text) == 0 &&
	       strstr(strbuf_str(&text), "[confidentiality]");
}

/* The least that bpf(2) does for anybody who may use it at all. */
static bool is_bpf_refused(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	_cleanup_(fd_closep) int fd = (int)syscall(__NR_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	return fd < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS);
}

static const char *find_cause(void)
{
	if (is_bpf_refused())
		return "bpf(2) is refused to the loader, as seccomp filters of containers do";
	if (is_locked_down())
		return "the kernel is locked down for confidentiality, and lets no program read its memory";
	if (access(BTF_PATH, R_OK) < 0)
		return "the kernel does not describe its types: there is no " BTF_PATH
		       " (CONFIG_DEBUG_INFO_BTF)";
	return NULL;
}

/* As a whole or not at all: somebody may be reading it. Return: 0, -errno. */
static int write_words(void)
{
	_cleanup_(fd_closep) int directory = -1;
	_cleanup_(fd_closep) int fd = -1;
	char name[32];
	int r;

	if (mkdir(WORDS_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return -errno;
	directory = open(WORDS_DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	(void)snprintf(name, sizeof(name), ".verifier.%d", getpid());
	(void)unlinkat(directory, name, 0);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, words, n_words);
	if (r == 0 && renameat(directory, name, directory, strrchr(WORDS_FILE, '/') + 1) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(directory, name, 0);
	return r;
}

void words_explain(char *ret, size_t size, int error)
{
	static const char prefix[] = "libbpf: ";
	const char *pointer = "", *text = words;
	const char *cause = find_cause();

	if (!cause && strstr(words, "BEGIN PROG LOAD LOG") && write_words() == 0)
		pointer = "; what the verifier said is in " WORDS_FILE;
	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		text += sizeof(prefix) - 1;
	if (cause || !*text)
		(void)snprintf(ret, size, "%s", cause ? cause : strerror(error));
	else
		(void)snprintf(ret, size, "%.*s%s",
			       (int)MIN(strcspn(text, "\n"), size - 1 - strlen(pointer)), text,
			       pointer);
}
