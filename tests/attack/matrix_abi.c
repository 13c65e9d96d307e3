/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of attack_matrix.c by the entrances of other ABIs: int 0x80, by which a 64-bit program
 * makes 32-bit calls, and the numbers of x32. Both must be refused whatever the call and its
 * arguments, so no record of theirs says what they name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/attack/matrix_calls.h"

#ifdef __x86_64__

#define X32_BIT    0x40000000L
#define ARGS_MAX   6
#define PLACES     8    /* of a page each, where pointers of 32 bits reach them */
#define PLACE_SIZE 4096 /* SPOT_PATH_SIZE, too */

/* What an argument is: a number as it stands, or one of these. */
enum argument {
	ARG_FILE = 0x7f000000, /* the object's name */
	ARG_DIR,
	ARG_FRESH,
	ARG_OWN, /* a name in the workspace that nothing has yet */
	ARG_DIRFD,
	ARG_ZEROS, /* a page of them: times, structs and vectors without anything */
	ARG_WRITE, /* struct open_how: O_WRONLY */
	ARG_NAME,  /* of an attribute */
	ARG_ARGV,  /* {file, NULL} */
	ARG_SOCKET,
	ARG_FRESH_ADDRESS, /* struct sockaddr_un */
	ARG_ADDRESS_SIZE,
	ARG_BIND, /* what socketcall(2) takes for bind(2) */
};

/* Name, number by int 0x80, number of x86-64 (x32 has its bit added), flags, arguments. */
#define CALLS                                                                                      \
	X(open, 5, 2, 0, ARG_FILE, O_RDONLY)                                                       \
	X(open_write, 5, 2, 0, ARG_FILE, O_WRONLY)                                                 \
	X(creat, 8, 85, CALL_FRESH, ARG_FRESH, 0644)                                               \
	X(openat, 295, 257, CALL_DIRFD, ARG_DIRFD, ARG_FILE, O_RDWR)                               \
	X(openat2, 437, 437, CALL_DIRFD, ARG_DIRFD, ARG_FILE, ARG_WRITE, 24)                       \
	X(truncate, 92, 76, 0, ARG_FILE, 1)                                                        \
	X(truncate64, 193, 76, 0, ARG_FILE, 1, 0)                                                  \
	X(chmod, 15, 90, 0, ARG_FILE, 0700)                                                        \
	X(fchmodat, 306, 268, CALL_DIRFD, ARG_DIRFD, ARG_FILE, 0700)                               \
	X(fchmodat2, 452, 452, CALL_DIRFD, ARG_DIRFD, ARG_FILE, 0700, 0)                           \
	X(chown, 212, 92, 0, ARG_FILE, -1, -1)                                                     \
	X(lchown, 198, 94, CALL_ENTRY, ARG_FILE, -1, -1)                                           \
	X(fchownat, 298, 260, CALL_DIRFD, ARG_DIRFD, ARG_FILE, -1, -1, 0)                          \
	X(utime, 30, 132, 0, ARG_FILE, ARG_ZEROS)                                                  \
	X(utimes, 271, 235, 0, ARG_FILE, ARG_ZEROS)                                                \
	X(futimesat, 299, 261, CALL_DIRFD, ARG_DIRFD, ARG_FILE, ARG_ZEROS)                         \
	X(utimensat, 320, 280, CALL_DIRFD, ARG_DIRFD, ARG_FILE, ARG_ZEROS, 0)                      \
	X(utimensat64, 412, 280, CALL_DIRFD, ARG_DIRFD, ARG_FILE, ARG_ZEROS, 0)                    \
	X(setxattr, 226, 188, 0, ARG_FILE, ARG_NAME, ARG_ZEROS, 1, 0)                              \
	X(lsetxattr, 227, 189, CALL_ENTRY, ARG_FILE, ARG_NAME, ARG_ZEROS, 1, 0)                    \
	X(mkdir, 39, 83, CALL_ENTRY | CALL_FRESH, ARG_FRESH, 0755)                                 \
	X(mkdirat, 296, 258, CALL_DIRFD | CALL_ENTRY | CALL_FRESH, ARG_DIRFD, ARG_FRESH, 0755)     \
	X(mknod, 14, 133, CALL_ENTRY | CALL_FRESH, ARG_FRESH, 0100644, 0)                          \
	X(mknodat, 297, 259, CALL_DIRFD | CALL_ENTRY | CALL_FRESH, ARG_DIRFD, ARG_FRESH, 0010644,  \
	  0)                                                                                       \
	X(symlink, 83, 88, CALL_ENTRY | CALL_FRESH, ARG_OWN, ARG_FRESH)                            \
	X(symlinkat, 304, 266, CALL_DIRFD | CALL_ENTRY | CALL_FRESH, ARG_OWN, ARG_DIRFD,           \
	  ARG_FRESH)                                                                               \
	X(link, 9, 86, CALL_ENTRY, ARG_FILE, ARG_OWN)                                              \
	X(linkat, 303, 265, CALL_DIRFD | CALL_ENTRY, ARG_DIRFD, ARG_FILE, AT_FDCWD, ARG_OWN, 0)    \
	X(rename, 38, 82, CALL_ENTRY, ARG_FILE, ARG_OWN)                                           \
	X(renameat, 302, 264, CALL_DIRFD | CALL_ENTRY, ARG_DIRFD, ARG_FILE, AT_FDCWD, ARG_OWN)     \
	X(renameat2, 353, 316, CALL_DIRFD | CALL_ENTRY, ARG_DIRFD, ARG_FILE, AT_FDCWD, ARG_OWN, 1) \
	X(unlink, 10, 87, CALL_ENTRY, ARG_FILE)                                                    \
	X(unlinkat, 301, 263, CALL_DIRFD | CALL_ENTRY, ARG_DIRFD, ARG_FILE, 0)                     \
	X(rmdir, 40, 84, CALL_ENTRY | CALL_DIR, ARG_DIR)                                           \
	X(execve, 11, 520, 0, ARG_FILE, ARG_ARGV, ARG_ZEROS)                                       \
	X(execveat, 358, 545, CALL_DIRFD, ARG_DIRFD, ARG_FILE, ARG_ARGV, ARG_ZEROS, 0)             \
	X(bind, 361, 49, CALL_ENTRY | CALL_FRESH, ARG_SOCKET, ARG_FRESH_ADDRESS, ARG_ADDRESS_SIZE) \
	X(socketcall_bind, 102, 49, CALL_ENTRY | CALL_FRESH, 2, ARG_BIND)

#define NARGS(...) (sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static const struct abi_call {
	long by_int80, number;
	size_t n;
	int args[ARGS_MAX];
} calls_of_abis[] = {
#define X(name, int80, nr, flags, ...) {int80, nr, NARGS(__VA_ARGS__), {__VA_ARGS__}},
	CALLS
#undef X
};

/* One page after the other, of a mapping that this process makes at its first call. */
static char *low_place(void)
{
	static char *pages;
	static unsigned int next;

	if (!pages) {
		pages = mmap(NULL, (size_t)PLACES * PLACE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		if (pages == MAP_FAILED)
			_exit(ENOMEM);
	}
	return memset(pages + (size_t)(next++ % PLACES) * PLACE_SIZE, 0, PLACE_SIZE);
}

static long low_text(const char *text)
{
	char *p = low_place();

	(void)snprintf(p, PLACE_SIZE, "%s", text);
	return (long)p;
}

static long low_address(const struct spot *s)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)(void *)low_place();

	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path), "%.*s", (int)sizeof(sun->sun_path) - 1,
		       s->fresh);
	return (long)sun;
}

static long own_name(const struct spot *s)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/w/tmp/own%zu", s->top, s->number);
	return low_text(path);
}

static long argument_of(const struct spot *s, int what)
{
	uint32_t *words;

	switch (what) {
	case ARG_FILE:
		return low_text(s->file);
	case ARG_DIR:
		return low_text(s->dir);
	case ARG_FRESH:
		return low_text(s->fresh);
	case ARG_OWN:
		return own_name(s);
	case ARG_DIRFD:
		return s->dirfd;
	case ARG_ZEROS:
		return (long)low_place();
	case ARG_WRITE:
		words = (uint32_t *)(void *)low_place();
		words[0] = O_WRONLY;
		return (long)words;
	case ARG_NAME:
		return low_text("user.attacked");
	case ARG_ARGV:
		words = (uint32_t *)(void *)low_place();
		words[0] = (uint32_t)low_text(s->file);
		return (long)words;
	case ARG_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case ARG_FRESH_ADDRESS:
		return low_address(s);
	case ARG_ADDRESS_SIZE:
		return sizeof(struct sockaddr_un);
	case ARG_BIND:
		words = (uint32_t *)(void *)low_place();
		words[0] = (uint32_t)socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		words[1] = (uint32_t)low_address(s);
		words[2] = sizeof(struct sockaddr_un);
		return (long)words;
	default:
		return what;
	}
}

static int by_int80(long nr, const long args[static ARGS_MAX])
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(args[0]), "c"(args[1]), "d"(args[2]), "S"(args[3]),
			   "D"(args[4])
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static int by_x32(long nr, const long args[static ARGS_MAX])
{
	return outcome(syscall(nr | X32_BIT, args[0], args[1], args[2], args[3], args[4]));
}

/* In a child where it would replace the attack itself. */
static int enter(const struct abi_call *c, bool is_int80, const long args[static ARGS_MAX])
{
	bool is_exec = c->by_int80 == 11 || c->by_int80 == 358;
	pid_t pid = is_exec ? fork() : 0;
	int status = 0;
	int r = 0;

	if (pid == 0)
		r = is_int80 ? by_int80(c->by_int80, args) : by_x32(c->number, args);
	if (is_exec && pid == 0)
		_exit(-r);
	if (is_exec && waitpid(pid, &status, 0) < 0)
		return -errno;
	return is_exec ? -(WIFEXITED(status) ? WEXITSTATUS(status) : EINTR) : MIN(r, 0);
}

static int make(struct spot *s, bool is_int80)
{
	const struct abi_call *c = &calls_of_abis[(size_t)(s->call - matrix_abis.all) / 2];
	long args[ARGS_MAX] = {0};

	for (size_t i = 0; i < c->n; i++)
		args[i] = argument_of(s, c->args[i]);
	return enter(c, is_int80, args);
}

static int make_int80(struct spot *s)
{
	return make(s, true);
}

static int make_x32(struct spot *s)
{
	return make(s, false);
}

static const struct call abis[] = {
#define X(name, int80, nr, flags, ...)                                                             \
	{"int 0x80 " #name, make_int80, (flags) | CALL_UNTOLD},                                    \
		{"x32 " #name, make_x32, (flags) | CALL_UNTOLD},
	CALLS
#undef X
};
_Static_assert(ARRAY_SIZE(abis) == matrix_abis_SIZE, "as in the header");
const struct calls matrix_abis = {.all = abis, .fill = matrix_fill_program, .shares_process = true};

#endif
