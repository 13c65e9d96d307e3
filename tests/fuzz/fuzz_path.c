/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths, flags and RESOLVE_* over a small tree of our own: what is pinned and then opened must be
 * what the kernel opens for the same call, or fail as it does. An input is
 *
 *	1 byte   flags of the open
 *	1 byte   RESOLVE_*, and where relative paths start from
 *	rest     the path: each byte a component or a slash, so that many of them lead somewhere
 *
 * Nothing is created, and no FIFO waited for.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "behalf/behalf.h"

#include "tests/fuzz/target_harness.h"

#define HOW_AT        (2 * TARGET_PAGE_SIZE)
#define KERNEL_ROUNDS 1000

static char root[128];
static char path[PATH_MAX];
static struct open_how how;
static int top = -1, start = -1;
static struct action_decoder *decoder;
static struct behalf *behalf;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "broken: %s: '%s', flags %#llo, resolve %#llx\n", what, path,
		      (unsigned long long)how.flags, (unsigned long long)how.resolve);
	abort();
}

static ssize_t read_memory(void *ctx, pid_t tid, uint64_t address, void *buf, size_t len)
{
	uint64_t at = address - MEMORY_BASE;

	(void)ctx;
	(void)tid;
	if (at < HOW_AT)
		return read_bytes((struct bytes){.p = path, .len = sizeof(path)}, at, buf, len);
	return read_bytes((struct bytes){.p = (const char *)&how, .len = sizeof(how)}, at - HOW_AT,
			  buf, len);
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static void remove_tree(void)
{
	(void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_tree(void)
{
	static const char *const links[][2] = {
		{"d", "to-d"},
		{"d/f", "to-f"},
		{"..", "d/up"},
		{"../d/e", "d/to-e"},
		{"nothing", "lost"},
		{"loop", "loop"},
		{"to-d/to-e/../f", "far"},
		{"/", "slash"},
		{"/proc/self/cwd", "magic"},
		{"to-f/", "bad"},
		{"d/e/", "to-e"},
	};

	const char *tmp = getenv("TMPDIR");

	(void)snprintf(root, sizeof(root), "%s/holdfast-fuzz-path.XXXXXX", tmp ? tmp : "/tmp");
	require(mkdtemp(root) && chdir(root) == 0, "a directory");
	require(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0 && mkdir("z", 0) == 0, "a tree");
	require(close(creat("f", 0600)) == 0 && close(creat("d/f", 0400)) == 0 &&
			close(creat("d/e/f", 0)) == 0 && mkfifo("fifo", 0600) == 0,
		"files");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		require(symlink(links[i][0], links[i][1]) == 0, "a link");
	(void)atexit(remove_tree);
}

static void prepare(void)
{
	const struct action_source source = {
		.read_memory = read_memory,
		.open_proc = open_proc,
		.read_identity = read_identity,
	};
	const struct action_decoder_config config = {.supervisor = getpid(), .listener = -1};
	struct behalf_config performer = {.listener = -1};

	make_tree();
	top = open(".", O_PATH | O_CLOEXEC);
	start = open("d", O_PATH | O_CLOEXEC);
	performer.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	require(top >= 0 && start >= 0 && performer.proc >= 0, "descriptors");
	require(action_decoder_new_source(&config, &source, &decoder) == 0, "decoder");
	require(behalf_new(&performer, &behalf) == 0, "performer");
}

static void write_path(const uint8_t *data, size_t size)
{
	static const char *const parts[] = {
		"/",     "/",     "/",    "/",  "d",    "e",    "f",    "z",
		"fifo",  "to-d",  "to-f", "up", "to-e", "lost", "loop", "far",
		"slash", "magic", "bad",  ".",  "..",   root,
	};
	size_t len = 0;

	for (size_t i = 0; i < size; i++) {
		const char *part = parts[data[i] % ARRAY_SIZE(parts)];
		size_t n = strlen(part);

		if (len + n >= sizeof(path))
			break;
		memcpy(path + len, part, n);
		len += n;
	}
	path[len] = '\0';
}

static uint64_t flags_of(uint8_t b)
{
	static const int access[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY};

	return (uint64_t)(access[b & 3] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
			  (b & 4 ? O_DIRECTORY : 0) | (b & 8 ? O_NOFOLLOW : 0) |
			  (b & 16 ? O_APPEND : 0));
}

/* Return: a descriptor, -errno. */
static int open_by_kernel(int dirfd)
{
	int fd = -1;

	/* EAGAIN: somebody on this machine renamed or mounted meanwhile (openat2(2)). */
	for (int i = 0; i < KERNEL_ROUNDS; i++) {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : fd;
}

static int open_by_us(int dirfd)
{
	struct behalf_result result = {.fd = -1};
	struct seccomp_notif n = {.id = 1, .pid = (uint32_t)getpid()};
	struct action a;

	n.data.nr = SYS_openat2;
	n.data.arch = ARCH;
	n.data.args[0] = (uint64_t)dirfd;
	n.data.args[1] = MEMORY_BASE;
	n.data.args[2] = MEMORY_BASE + HOW_AT;
	n.data.args[3] = sizeof(how);
	memset(&a, 0xa5, sizeof(a));
	action_decode(decoder, &n, &a);
	require(a.error == ACTION_OK || a.error == ACTION_UNREADABLE, "no action");
	if (a.error != ACTION_OK)
		return -EACCES; /* denied */
	if (a.kernel_errno)
		return -a.kernel_errno;
	require(a.act.kind == ACT_OPEN, "an open is performed");
	require(behalf_perform(behalf, &a, &result) == 0, "nothing changed meanwhile");
	return result.error ? -result.error : result.fd;
}

static bool is_same(int a, int b)
{
	struct stat sa, sb;

	if (a < 0 || b < 0)
		return a == b;
	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino && fcntl(a, F_GETFL) == fcntl(b, F_GETFL);
}

/* Names of links in the path, but for the one that leads to itself. */
static size_t count_links(void)
{
	static const char *const links[] = {"up", "to-", "far", "slash", "magic", "bad"};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		for (const char *p = path; (p = strstr(p, links[i])); p++)
			n++;
	return n;
}

/*
 * The directories and the last component are resolved by themselves, so each may have as many links
 * as the kernel follows in all (docs/limits.md): with 40 before it, and some behind the last.
 */
static bool has_too_many_links(int kernel)
{
	return kernel == -ELOOP && count_links() > 20;
}

/*
 * Where RESOLVE_BENEATH ends a walk at "..", the kernel begins it anew in another mode and goes on
 * counting links (follow_dotdot_rcu() in fs/namei.c; nothing resets total_link_count): of more than
 * twenty it says too many. It fails either way.
 */
static bool is_alike(int kernel, int us)
{
	return is_same(kernel, us) || has_too_many_links(kernel) ||
	       (kernel == -ELOOP && us == -EXDEV && (how.resolve & RESOLVE_BENEATH));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* libFuzzer's own directory, where it looks for more inputs. */
	_cleanup_(fd_closep) int own = open(".", O_PATH | O_CLOEXEC);
	int dirfd, kernel, us;

	if (size < 2)
		return -1;
	if (start < 0)
		prepare();
	require(fchdir(top) == 0, "the tree");
	how = (struct open_how){.flags = flags_of(data[0]), .resolve = data[1] & 31};
	dirfd = data[1] & 32 ? start : AT_FDCWD;
	write_path(data + 2, size - 2);
	kernel = open_by_kernel(dirfd);
	us = open_by_us(dirfd);
	if (!is_alike(kernel, us))
		(void)fprintf(stderr, "kernel %d, we %d\n", kernel, us);
	require(is_alike(kernel, us), "what was opened");
	(void)fd_close(kernel);
	(void)fd_close(us);
	action_decoder_release(decoder);
	require(fchdir(own) == 0, "the way back");
	return 0;
}
