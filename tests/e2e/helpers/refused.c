/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refused NAME [PID]: makes one system call that a session refuses, and prints "OK" or the errno's
 * name. The arguments are such that the call would do no harm if it were let through.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH(v) ((1UL << 32) | (unsigned long)(v))

static pid_t other;

static long io_uring_setup(void)
{
	char params[512] = {0};

	return syscall(425, 8, params);
}

static long io_uring_enter(void)
{
	return syscall(426, -1, 0, 0, 0, NULL, 0);
}

static long bpf(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long perf_event_open(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long do_mount(void)
{
	return mount("none", "/proc/nonexistent", "tmpfs", 0, NULL);
}

static long unshare_mount(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static long do_umount(void)
{
	return umount2("/proc/nonexistent", 0);
}

static long do_chroot(void)
{
	return chroot("/proc/nonexistent");
}

static long pivot_root(void)
{
	return syscall(SYS_pivot_root, "/proc/nonexistent", "/proc/nonexistent");
}

static long do_setns(void)
{
	return setns(-1, 0);
}

static long fsopen_(void)
{
	return syscall(430, "tmpfs", 0);
}

static long open_tree_(void)
{
	return syscall(428, AT_FDCWD, "/proc/nonexistent", 1);
}

static long move_mount_(void)
{
	return syscall(429, AT_FDCWD, "/proc/nonexistent", AT_FDCWD, "/proc/nonexistent", 0);
}

static long do_open_by_handle_at(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = {.head = {.handle_bytes = 8, .handle_type = 1}};

	return open_by_handle_at(AT_FDCWD, &h.head, O_RDONLY);
}

static long pidfd_getfd_(void)
{
	int fd = (int)syscall(434, getpid(), 0);

	return syscall(438, fd, 0, 0);
}

static long keyctl(void)
{
	return syscall(SYS_keyctl, 0, -3, 0);
}

static long add_key(void)
{
	return syscall(SYS_add_key, "user", "x", "y", 1, -3);
}

static long request_key(void)
{
	return syscall(SYS_request_key, "user", "x", NULL, 0);
}

static long userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1);
}

static long raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, 1);
}

static long raw_socket_high(void)
{
	return syscall(SYS_socket, HIGH(AF_INET), HIGH(SOCK_RAW), 1);
}

static long packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long packet_socket_high(void)
{
	return syscall(SYS_socket, HIGH(AF_PACKET), SOCK_DGRAM, 0);
}

static long vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static long alg_socket(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static long ptrace_attach(void)
{
	return ptrace(PTRACE_ATTACH, other, NULL, NULL);
}

static long ptrace_seize(void)
{
	return ptrace(PTRACE_SEIZE, other, NULL, NULL);
}

static long vm_transfer(long nr)
{
	char buf[8];
	struct iovec io = {.iov_base = buf, .iov_len = sizeof(buf)};

	return syscall(nr, other, &io, 1, &io, 1, 0);
}

static long vm_readv(void)
{
	return vm_transfer(SYS_process_vm_readv);
}

static long vm_writev(void)
{
	return vm_transfer(SYS_process_vm_writev);
}

/* A tracer of its own child, as gdb and strace are. */
static long ptrace_traceme(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status)) {
		errno = ECHILD;
		return -1;
	}
	if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		return -1;
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		errno = ECHILD;
		return -1;
	}
	return 0;
}

static long int80_getpid(void)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	r = (int)r;
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return r;
#else
	errno = ENOSYS;
	return -1;
#endif
}

static long x32_getpid(void)
{
	return syscall(0x40000000L | 39);
}

static long unknown_600(void)
{
	return syscall(600);
}

static long push_character(unsigned long request)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	return syscall(SYS_ioctl, fd, request, "x");
}

static long tiocsti(void)
{
	return push_character(TIOCSTI);
}

static long tiocsti_high(void)
{
	return push_character(HIGH(TIOCSTI));
}

static long tioclinux(void)
{
	return push_character(TIOCLINUX);
}

static long do_reboot(void)
{
	return syscall(SYS_reboot, 0, 0, 0, NULL);
}

static long do_swapoff(void)
{
	return syscall(SYS_swapoff, "/proc/nonexistent");
}

static long init_module(void)
{
	return syscall(SYS_init_module, NULL, 0, NULL);
}

static long delete_module(void)
{
	return syscall(SYS_delete_module, "no_such_module", 0);
}

static long kexec_load(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, ~0UL);
}

static long do_sethostname(void)
{
	return syscall(SYS_sethostname, NULL, 5);
}

static long clock_set(void)
{
	return syscall(SYS_clock_settime, 0, NULL);
}

static const struct call {
	const char *name;
	long (*make)(void);
} calls[] = {
	{"io_uring_setup", io_uring_setup},
	{"io_uring_enter", io_uring_enter},
	{"bpf", bpf},
	{"perf_event_open", perf_event_open},
	{"mount", do_mount},
	{"unshare+mount", unshare_mount},
	{"umount2", do_umount},
	{"chroot", do_chroot},
	{"pivot_root", pivot_root},
	{"setns", do_setns},
	{"fsopen", fsopen_},
	{"open_tree", open_tree_},
	{"move_mount", move_mount_},
	{"open_by_handle_at", do_open_by_handle_at},
	{"pidfd_getfd", pidfd_getfd_},
	{"keyctl", keyctl},
	{"add_key", add_key},
	{"request_key", request_key},
	{"userfaultfd", userfaultfd},
	{"raw-socket", raw_socket},
	{"raw-socket-high", raw_socket_high},
	{"packet-socket", packet_socket},
	{"packet-socket-high", packet_socket_high},
	{"vsock", vsock},
	{"alg-socket", alg_socket},
	{"ptrace-attach", ptrace_attach},
	{"ptrace-seize", ptrace_seize},
	{"ptrace-traceme", ptrace_traceme},
	{"process_vm_readv", vm_readv},
	{"process_vm_writev", vm_writev},
	{"int80-getpid", int80_getpid},
	{"x32-getpid", x32_getpid},
	{"unknown-600", unknown_600},
	{"tiocsti", tiocsti},
	{"tiocsti-high", tiocsti_high},
	{"tioclinux", tioclinux},
	{"reboot", do_reboot},
	{"swapoff", do_swapoff},
	{"init_module", init_module},
	{"delete_module", delete_module},
	{"kexec_load", kexec_load},
	{"sethostname", do_sethostname},
	{"clock_settime", clock_set},
};

int main(int argc, char **argv)
{
	if (argc > 2)
		other = atoi(argv[2]);
	for (size_t i = 0; argc > 1 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		long r;

		if (strcmp(calls[i].name, argv[1]) != 0)
			continue;
		r = calls[i].make();
		puts(r < 0 ? strerrorname_np(errno) : "OK");
		return r < 0;
	}
	fprintf(stderr, "refused: no call '%s'\n", argc > 1 ? argv[1] : "");
	return 2;
}
