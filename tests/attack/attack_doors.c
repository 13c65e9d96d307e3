/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other doors into the kernel: rings, foreign ABIs, numbers and bits that a filter may not expect,
 * calls that are refused unless granted, and namespaces and mounts. What would harm the machine is
 * in tests/guest; here such calls have arguments with which the kernel would refuse them anyway.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/attack/attack.h"

#define HIGH(v) ((1UL << 32) | (unsigned long)(v))

/* ---- io_uring */

static int ring_setup(const struct world *w)
{
	uint32_t params[30] = {0};

	(void)w;
	return outcome(syscall(425, 8, params));
}

static int ring_setup_polled(const struct world *w)
{
	uint32_t params[30] = {0, 0, 2 /* IORING_SETUP_SQPOLL */};

	(void)w;
	return outcome(syscall(425, 8, params));
}

static int ring_setup_high(const struct world *w)
{
	uint32_t params[30] = {0};

	(void)w;
	return outcome(syscall(425, HIGH(8), params));
}

/* A ring that is there already would fail with EBADF, EOPNOTSUPP or EINVAL: not with ENOSYS. */
static int ring_enter(const struct world *w)
{
	(void)w;
	return syscall(426, 0, 0, 0, 0, NULL, 0) < 0 && errno == ENOSYS ? -ENOSYS : 0;
}

static int ring_register(const struct world *w)
{
	(void)w;
	return syscall(427, 0, 0, NULL, 0) < 0 && errno == ENOSYS ? -ENOSYS : 0;
}

/* ---- foreign ABIs */

#ifdef __x86_64__
static long int80(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	r = (int)r;
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

/* Where a 32-bit pointer reaches it. */
static char *low_memory(const char *text)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		       -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)snprintf(p, 8192, "%s", text);
	return p;
}

static int int80_open(const struct world *w)
{
	char *path = low_memory(in(w, "secret/id_rsa"));

	return path ? print_fd((int)int80(5, (long)path, O_RDONLY, 0)) : -ENOMEM;
}

static int int80_unlink(const struct world *w)
{
	char *path = low_memory(in(w, "out/file"));

	return path ? outcome(int80(10, (long)path, 0, 0)) : -ENOMEM;
}

static int int80_execve(const struct world *w)
{
	char *path = low_memory(in(w, "evil/at"));
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		uint32_t *argv = (uint32_t *)(void *)(path + 4096);

		argv[0] = (uint32_t)(uintptr_t)path;
		argv[1] = 0;
		(void)int80(11, (long)path, (long)argv, 0);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -ECANCELED;
	return -WEXITSTATUS(status);
}

/* socketcall(SYS_SOCKET, {AF_UNIX, SOCK_STREAM, 0}): the first step of a connection. */
static int int80_socketcall(const struct world *w)
{
	uint32_t *args = (uint32_t *)(void *)low_memory("");

	(void)w;
	if (!args)
		return -ENOMEM;
	args[0] = AF_UNIX;
	args[1] = SOCK_STREAM;
	args[2] = 0;
	return outcome(int80(102, 1, (long)args, 0));
}

static int int80_getpid(const struct world *w)
{
	(void)w;
	return outcome(int80(20, 0, 0, 0));
}
#define INT80_ROWS                                                                                 \
	{"int_0x80_open_is_refused", "T064 E4 C13 P12",   int80_open, SHIP | PW,                   \
	 .effect = EFFECT_LEAKED,    .flags = ROW_MAY_DIE},                                        \
		{"int_0x80_unlink_is_refused",                                                     \
		 "E4 P12",                                                                         \
		 int80_unlink,                                                                     \
		 SHIP | PW,                                                                        \
		 .effect = EFFECT_CHANGED,                                                         \
		 .flags = ROW_MAY_DIE},                                                            \
		{"int_0x80_execve_is_refused", "E4 C13 P12",        int80_execve, SHIP | PW,       \
		 .effect = EFFECT_RAN,         .flags = ROW_MAY_DIE},                              \
		{"int_0x80_socketcall_is_refused", "E4 P12", int80_socketcall, SHIP | PW,          \
		 .flags = ROW_MAY_DIE},                                                            \
		{"int_0x80_of_anything_is_refused", "E4", int80_getpid, SHIP | PW | NO_NETWORK,    \
		 .flags = ROW_MAY_DIE},
#else
#define INT80_ROWS
#endif

static int x32_open(const struct world *w)
{
	return print_fd((int)syscall(0x40000000L | 2, in(w, "secret/id_rsa"), O_RDONLY));
}

static int x32_openat(const struct world *w)
{
	return print_fd(
		(int)syscall(0x40000000L | 257, AT_FDCWD, in(w, "secret/id_rsa"), O_RDONLY));
}

/* Numbers that no kernel has, from just above the last known one to the largest. */
static int unknown_numbers(const struct world *w)
{
	static const long numbers[] = {480, 500, 547, 600, 4096, 0x3fffffff, 0x7fffffff, -1};

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (syscall(numbers[i], 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS)
			return 0;
	return -ENOSYS;
}

/* High halves of arguments that the kernel takes for 32 bits. */
static int high_dirfd(const struct world *w)
{
	return print_fd((int)syscall(SYS_openat, HIGH(0xffffff9c), in(w, "secret/id_rsa"), 0));
}

static int high_flags(const struct world *w)
{
	return outcome(
		syscall(SYS_openat, AT_FDCWD, in(w, "out/file"), HIGH(O_WRONLY | O_TRUNC), 0644));
}

static int high_mode(const struct world *w)
{
	return outcome(syscall(SYS_chmod, in(w, "out/file"), HIGH(0777)));
}

/* ---- other processes */

static int vm_transfer(const struct world *w, long nr, pid_t pid, uint64_t *value, void *remote,
		       size_t len)
{
	struct iovec local = {.iov_base = value, .iov_len = len};
	struct iovec other = {.iov_base = remote, .iov_len = len};

	(void)w;
	return outcome(syscall(nr, pid, &local, 1, &other, 1, 0));
}

static int vm_writev(const struct world *w)
{
	uint64_t value = 666;

	return vm_transfer(w, SYS_process_vm_writev, w->decoy, &value, w->page, sizeof(value));
}

static int vm_readv(const struct world *w)
{
	uint64_t text[4];
	int r = vm_transfer(w, SYS_process_vm_readv, w->decoy, text, w->page + 1, sizeof(text));

	if (r == 0)
		(void)printf("%.32s\n", (char *)text);
	return r;
}

static int proc_mem_read(const struct world *w)
{
	int fd =
		open(in(&(struct world){.top = "/proc"}, "%d/mem", w->decoy), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || lseek(fd, (off_t)(uintptr_t)(w->page + 1), SEEK_SET) < 0)
		return -errno;
	return print_fd(fd);
}

static int proc_task_mem_write(const struct world *w)
{
	uint64_t value = 666;
	int fd = open(in(&(struct world){.top = "/proc"}, "%d/task/%d/mem", w->decoy, w->decoy),
		      O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return outcome(pwrite(fd, &value, sizeof(value), (off_t)(uintptr_t)w->page));
}

static int ptrace_with(const struct world *w, long request)
{
	if (syscall(SYS_ptrace, request, w->decoy, 0, 0) < 0)
		return -errno;
	return 0;
}

static int attach(const struct world *w)
{
	return ptrace_with(w, PTRACE_ATTACH);
}

static int seize(const struct world *w)
{
	return ptrace_with(w, PTRACE_SEIZE);
}

static int attach_high(const struct world *w)
{
	return ptrace_with(w, (long)HIGH(PTRACE_ATTACH));
}

static int getfd(const struct world *w)
{
	int pidfd = (int)syscall(SYS_pidfd_open, w->decoy, 0);

	return pidfd < 0 ? -errno : outcome(syscall(438, pidfd, 1, 0));
}

static int do_kcmp(const struct world *w)
{
	return outcome(syscall(SYS_kcmp, w->decoy, w->decoy, 0, 1, 1));
}

/* A tracer may change its child's call at the filter's stop; the filter looks again after that. */
static int ptrace_rewrite(const struct world *w)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		(void)print_fd((int)syscall(SYS_open, "file", O_RDONLY));
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		return -errno;
	for (int i = 0; i < 1000; i++) {
		struct __ptrace_syscall_info info;

		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0 ||
		    WIFEXITED(status))
			break;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
		    info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_open) {
			const char *path = in(w, "secret/id_rsa");
			unsigned long at = (unsigned long)info.stack_pointer - 4096;

			for (size_t k = 0; k < strlen(path) + 1; k += sizeof(long)) {
				long word = 0;

				memcpy(&word, path + k, MIN(sizeof(word), strlen(path) + 1 - k));
				(void)ptrace(PTRACE_POKEDATA, pid, at + k, word);
			}
			(void)ptrace(PTRACE_POKEUSER, pid, 14 * sizeof(long) /* rdi */, at);
		}
	}
	/* The child prints; what it got is to be seen in the output. */
	return -EACCES;
}

static int suspend_seccomp(const struct world *w)
{
	pid_t pid = fork();
	int r;

	(void)w;
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	r = outcome(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}

/* ---- refused unless granted */

static int do_bpf(const struct world *w)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	(void)w;
	return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int do_perf(const struct world *w)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};

	(void)w;
	return outcome(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int do_add_key(const struct world *w)
{
	(void)w;
	return outcome(syscall(SYS_add_key, "user", "holdfast", "y", 1, -1 /* thread */));
}

#define REFUSED_CALLS                                                                              \
	X(do_userfaultfd, syscall(SYS_userfaultfd, 1))                                             \
	X(do_keyctl, syscall(SYS_keyctl, 0, -3, 0))                                                \
	X(do_request_key, syscall(SYS_request_key, "user", "holdfast-none", NULL, 0))              \
	X(do_init_module, syscall(SYS_init_module, NULL, 0, NULL))                                 \
	X(do_finit_module, syscall(SYS_finit_module, -1, "", 0))                                   \
	X(do_delete_module, syscall(SYS_delete_module, "no_such_module", 0))                       \
	X(do_kexec_load, syscall(SYS_kexec_load, 0, 0, NULL, ~0UL))                                \
	X(do_kexec_file_load, syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0))                    \
	X(do_iopl, syscall(SYS_iopl, 0))                                                           \
	X(do_ioperm, syscall(SYS_ioperm, 0, 1, 0))                                                 \
	X(do_modify_ldt, syscall(SYS_modify_ldt, 0, NULL, 0))                                      \
	X(do_swapon, syscall(SYS_swapon, "/proc/nonexistent", 0))                                  \
	X(do_swapoff, syscall(SYS_swapoff, "/proc/nonexistent"))                                   \
	X(do_acct, syscall(SYS_acct, "/proc/nonexistent"))                                         \
	X(do_quotactl, syscall(SYS_quotactl, 0x800001 << 8, "/proc/nonexistent", 0, NULL))         \
	X(do_settimeofday, syscall(SYS_settimeofday, NULL, NULL))                                  \
	X(do_clock_settime, syscall(SYS_clock_settime, 0, NULL))                                   \
	X(do_sethostname, syscall(SYS_sethostname, NULL, 5))                                       \
	X(do_setdomainname, syscall(SYS_setdomainname, NULL, 5))                                   \
	X(do_reboot, syscall(SYS_reboot, 0, 0, 0, NULL))                                           \
	X(do_fanotify, syscall(SYS_fanotify_init, 0, O_RDONLY))                                    \
	X(do_handle, syscall(SYS_open_by_handle_at, -1, NULL, 0))                                  \
	X(do_mount, mount("none", "/proc/nonexistent", "tmpfs", 0, NULL))                          \
	X(do_umount, umount2("/proc/nonexistent", 0))                                              \
	X(do_chroot, chroot("/proc/nonexistent"))                                                  \
	X(do_pivot_root, syscall(SYS_pivot_root, "/proc/nonexistent", "/proc/nonexistent"))        \
	X(do_setns, setns(-1, 0))                                                                  \
	X(do_fsopen, syscall(430, "tmpfs", 0))                                                     \
	X(do_fsconfig, syscall(431, -1, 0, NULL, NULL, 0))                                         \
	X(do_fsmount, syscall(432, -1, 0, 0))                                                      \
	X(do_fspick, syscall(433, AT_FDCWD, "/proc/nonexistent", 0))                               \
	X(do_open_tree_attr, syscall(467, AT_FDCWD, "/proc/nonexistent", 0, NULL, 0))              \
	X(do_move_mount,                                                                           \
	  syscall(429, AT_FDCWD, "/proc/nonexistent", AT_FDCWD, "/proc/nonexistent", 0))           \
	X(do_mount_setattr, syscall(442, AT_FDCWD, "/proc/nonexistent", 0, NULL, 0))

#define X(function, call)                                                                          \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return outcome(call);                                                              \
	}
REFUSED_CALLS
#undef X

/* ---- terminals */

static int push(const struct world *w, unsigned long request)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int tty;

	(void)w;
	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0)
		return attack_cannot("no terminal: %m");
	tty = open(ptsname(fd), O_RDWR | O_CLOEXEC);
	(void)setsid();
	(void)syscall(SYS_ioctl, tty, TIOCSCTTY, 0);
	return outcome(syscall(SYS_ioctl, tty, request, "x"));
}

static int tiocsti(const struct world *w)
{
	return push(w, TIOCSTI);
}

static int tiocsti_high(const struct world *w)
{
	return push(w, HIGH(TIOCSTI));
}

static int tioclinux(const struct world *w)
{
	return push(w, HIGH(TIOCLINUX));
}

/* ---- what works on descriptors that were judged already */

static int aio_works(const struct world *w)
{
	aio_context_t context = 0;

	(void)w;
	if (syscall(SYS_io_setup, 1, &context) < 0)
		return attack_cannot("no AIO here: %m");
	return outcome(syscall(SYS_io_destroy, context));
}

static int prctl_works(const struct world *w)
{
	(void)w;
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	return outcome(prctl(PR_SET_NAME, "renamed"));
}

#define REFUSES(fact, ids, attack, what)                                                           \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .object = what                                       \
	}
/* The call has arguments that the kernel itself refuses: its record is what counts. */
#define NAMES(fact, ids, attack, what)                                                             \
	{                                                                                          \
		fact, ids, attack, SHIP,                                                           \
			.object = what,                                                            \
			.not_native = "its arguments are such that it would do nothing"            \
	}

static const struct attack_row rows[] = {
	REFUSES("io_uring_setup_is_refused", "E1 P14 T008", ring_setup, "io_uring_setup"),
	REFUSES("io_uring_with_a_polling_thread_is_refused", "T010 E1", ring_setup_polled,
		"io_uring_setup"),
	REFUSES("io_uring_setup_with_high_bits_is_refused", "E1 E7", ring_setup_high,
		"io_uring_setup"),
	REFUSES("io_uring_enter_of_a_ring_from_elsewhere_is_refused", "E2", ring_enter,
		"io_uring_enter"),
	REFUSES("io_uring_register_is_refused", "E2", ring_register, "io_uring_register"),
	INT80_ROWS{"x32_open_is_refused", "E5 P13", x32_open, SHIP | PW,
		   .not_native = "this kernel has no x32", .object = "x32 syscall", .only = ENOSYS},
	{"x32_openat_is_refused", "E5 P13", x32_openat, SHIP | PW,
	 .not_native = "this kernel has no x32", .object = "x32 syscall", .only = ENOSYS},
	{"numbers_above_the_table_are_enosys", "E6", unknown_numbers, SHIP | PW | NO_NETWORK,
	 .not_native = "no kernel has them", .denies = DENIES_ANY},
	{"high_bits_in_dirfd_do_not_hide_a_secret", "E7", high_dirfd, SHIP | PW,
	 .effect = EFFECT_LEAKED, .object = "id_rsa"},
	{"high_bits_in_flags_do_not_hide_a_write", "E7", high_flags, SHIP | PW,
	 .effect = EFFECT_CHANGED, .object = "out/file"},
	{"high_bits_in_mode_do_not_hide_a_chmod", "E7", high_mode, SHIP | PW,
	 .effect = EFFECT_CHANGED, .object = "out/file"},
	{"process_vm_writev_outside_is_refused", "T138 E10 P19", vm_writev, SHIP | PW,
	 .effect = EFFECT_DECOY, .object = "process_vm_writev"},
	{"process_vm_readv_outside_is_refused", "E10 P19", vm_readv, SHIP | PW,
	 .effect = EFFECT_LEAKED, .object = "process_vm_readv"},
	{"memory_of_a_process_outside_is_not_read_by_proc", "E10 B19 P19", proc_mem_read,
	 SHIP | READ_ONLY | PW, .effect = EFFECT_LEAKED, .object = "/mem"},
	{"memory_of_a_process_outside_is_not_written_by_proc", "E10 B19 P19", proc_task_mem_write,
	 SHIP | PW, .effect = EFFECT_DECOY, .object = "/mem"},
	{"ptrace_attach_outside_is_refused", "E10", attach, SHIP | PW, .effect = EFFECT_TOLD,
	 .object = "ptrace"},
	{"ptrace_seize_outside_is_refused", "E10", seize, SHIP | PW, .effect = EFFECT_TOLD,
	 .object = "ptrace"},
	{"ptrace_attach_with_high_bits_is_refused", "E7 E10", attach_high, SHIP | PW,
	 .not_native = "the kernel takes all 64 bits", .object = "ptrace", .error = EIO,
	 .denies = DENIES_ANY},
	REFUSES("pidfd_getfd_outside_is_refused", "T126 E10 G7", getfd, "pidfd_getfd"),
	REFUSES("kcmp_outside_is_refused", "E10", do_kcmp, "kcmp"),
	{"tracer_cannot_change_a_call_after_it_was_judged", "T136 E8", ptrace_rewrite, SHIP | PW,
	 .effect = EFFECT_LEAKED, .object = "id_rsa"},
	{"suspending_seccomp_is_refused", "E9", suspend_seccomp, SHIP, .denies = DENIES_ANY,
	 .not_native = "the kernel refuses it to whoever has a filter; natively root may"},
	REFUSES("bpf_is_refused", "T142 E11", do_bpf, "bpf"),
	REFUSES("perf_event_open_is_refused", "T142 E11", do_perf, "perf_event_open"),
	REFUSES("add_key_is_refused", "T142 E11 C17", do_add_key, "add_key"),
	REFUSES("userfaultfd_is_refused", "T142 E11 A16", do_userfaultfd, "userfaultfd"),
	REFUSES("keyctl_is_refused", "T142 E11", do_keyctl, "keyctl"),
	REFUSES("ioperm_is_refused", "E11", do_ioperm, "ioperm"),
	REFUSES("iopl_is_refused", "T142 E11", do_iopl, "iopl"),
	REFUSES("modify_ldt_is_refused", "T142 E11", do_modify_ldt, "modify_ldt"),
	REFUSES("fanotify_is_refused", "D:notify", do_fanotify, "fanotify_init"),
	REFUSES("tiocsti_is_refused", "E14 L4 H3", tiocsti, "ioctl"),
	REFUSES("tiocsti_with_high_bits_is_refused", "T066 E14 E7", tiocsti_high, "ioctl"),
	NAMES("tioclinux_is_refused", "E14", tioclinux, "ioctl"),
	NAMES("request_key_is_refused", "E11 C17", do_request_key, "request_key"),
	NAMES("init_module_is_refused", "T142 E11", do_init_module, "init_module"),
	NAMES("finit_module_is_refused", "E11", do_finit_module, "finit_module"),
	NAMES("delete_module_is_refused", "E11", do_delete_module, "delete_module"),
	NAMES("kexec_load_is_refused", "T142 E11", do_kexec_load, "kexec_load"),
	NAMES("kexec_file_load_is_refused", "E11", do_kexec_file_load, "kexec_file_load"),
	NAMES("swapon_is_refused", "T142 T102 D:swapon", do_swapon, "swapon"),
	NAMES("swapoff_is_refused", "E11", do_swapoff, "swapoff"),
	NAMES("acct_is_refused", "T102 D:swapon", do_acct, "acct"),
	NAMES("quotactl_is_refused", "T102 D:swapon", do_quotactl, "quotactl"),
	NAMES("settimeofday_is_refused", "E11", do_settimeofday, "settimeofday"),
	NAMES("clock_settime_is_refused", "E11", do_clock_settime, "clock_settime"),
	NAMES("sethostname_is_refused", "E11", do_sethostname, "sethostname"),
	NAMES("setdomainname_is_refused", "E11", do_setdomainname, "setdomainname"),
	NAMES("reboot_is_refused", "T142 E11", do_reboot, "reboot"),
	NAMES("open_by_handle_at_of_nothing_is_refused", "D:handle", do_handle,
	      "open_by_handle_at"),
	NAMES("mount_is_refused", "T102 F2 D:mount", do_mount, "mount"),
	NAMES("umount_is_refused", "F12 D:mount", do_umount, "umount2"),
	NAMES("chroot_is_refused", "F7 D:mount", do_chroot, "chroot"),
	NAMES("pivot_root_is_refused", "F11 D:mount", do_pivot_root, "pivot_root"),
	NAMES("setns_is_refused", "F3 D:mount", do_setns, "setns"),
	NAMES("fsopen_is_refused", "F8 D:mount", do_fsopen, "fsopen"),
	NAMES("fsconfig_is_refused", "F8 D:mount", do_fsconfig, "fsconfig"),
	NAMES("fsmount_is_refused", "F8 D:mount", do_fsmount, "fsmount"),
	NAMES("fspick_is_refused", "F8 D:mount", do_fspick, "fspick"),
	NAMES("open_tree_attr_is_refused", "F8 D:mount E6", do_open_tree_attr, "open_tree_attr"),
	NAMES("move_mount_is_refused", "F8 D:mount", do_move_mount, "move_mount"),
	NAMES("mount_setattr_is_refused", "F8 D:mount", do_mount_setattr, "mount_setattr"),
	{"aio_on_open_files_works", "E3", aio_works, SHIP, .flags = ROW_ALLOWED},
	{"prctl_of_the_agents_own_works", "E15", prctl_works, SHIP, .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"doors", rows, ARRAY_SIZE(rows), false, false};
