/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the generated filter in a small interpreter of classic BPF, over every syscall number and
 * the arguments that matter: what the kernel would be told, without loading anything.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "loader/filter.h"

#include "tests/unit/bpf_harness.h"

#define X32_BIT 0x40000000

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

static const struct filter_plan plan_all = {.trap_reads = true,
					    .trap_changes = true,
					    .trap_network = true,
					    .trap_creds = true,
					    .trap_accepts = true};
static const struct filter_plan plan_no_reads = {.trap_changes = true, .trap_network = true};

static const struct filter_plan plan_hiding = {.trap_changes = true, .trap_hiding = true};

static uint32_t ask(const struct filter_plan *plan, const struct seccomp_data *d)
{
	struct filter f;
	uint32_t verdict;

	assert_int_equal(filter_build(plan, &f), 0);
	verdict = bpf_run(f.insns, f.len, d);
	filter_fini(&f);
	return verdict;
}

static uint32_t ask_call(const struct filter_plan *plan, int nr, unsigned int arg, uint64_t value)
{
	struct seccomp_data d = {.nr = nr, .arch = NATIVE_ARCH};

	d.args[arg] = value;
	return ask(plan, &d);
}

/* What each class does for a call whose arguments are all zero. */
static bool is_trapped_with_zero_arguments(const struct trap_row *row)
{
	switch (row->class) {
	case TRAP_TOOL:
	case TRAP_OPEN:
	case TRAP_OPEN_MEMORY:
	case TRAP_CHANGE:
	case TRAP_NETWORK:
	case TRAP_ACCEPT:
	case TRAP_SOCKET: /* AF_UNSPEC is no family that policies speak of */
	case TRAP_RESTRICT:
	case TRAP_REFUSED:
	case TRAP_CREDS:
	case TRAP_PTRACE: /* PTRACE_TRACEME is 0 */
		return true;
	case TRAP_PRIORITY: /* the row of ioprio_set alone: see test_who_is_meant() */
		return row->nr == __NR_ioprio_set;
	case TRAP_SENDTO:
	case TRAP_IOCTL:
	case TRAP_SOCKOPT:
	case TRAP_PRCTL:
	case TRAP_NAMESPACE:
	case TRAP_ABSENT:
	case TRAP_PID:
	case TRAP_LIMIT:
	case TRAP_SIGNAL:
	case TRAP_SIGNAL_ABSENT:
	case TRAP_FCNTL:
	case _TRAP_CLASS_MAX:
		return false;
	}
	return false;
}

static void test_every_number_follows_the_table(void **state)
{
	struct filter f;

	(void)state;
	assert_int_equal(filter_build(&plan_all, &f), 0);
	for (int nr = 0; nr <= trap_highest_known(); nr++) {
		const struct seccomp_data d = {.nr = nr, .arch = NATIVE_ARCH};
		const struct trap_row *row = trap_find(nr);
		uint32_t want = row && is_trapped_with_zero_arguments(row) ? SECCOMP_RET_USER_NOTIF
									   : SECCOMP_RET_ALLOW;

		if (row && row->class == TRAP_ABSENT)
			want = SECCOMP_RET_ERRNO | ENOSYS;
		if (bpf_run(f.insns, f.len, &d) != want)
			fail_msg("number %d (%s): got %#x, want %#x", nr,
				 row ? row->name : "no row", bpf_run(f.insns, f.len, &d), want);
	}
	filter_fini(&f);
}

static void test_numbers_beyond_the_table_look_absent(void **state)
{
	static const int numbers[] = {471, 600, 4095, 0x3fffffff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(ask_call(&plan_all, numbers[i], 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void test_foreign_abis_are_trapped(void **state)
{
	const struct seccomp_data i386 = {.nr = 5, .arch = AUDIT_ARCH_I386};
	const struct seccomp_data i386_unknown = {.nr = 4000, .arch = AUDIT_ARCH_I386};

	(void)state;
	assert_int_equal(ask(&plan_all, &i386), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask(&plan_all, &i386_unknown), SECCOMP_RET_USER_NOTIF);
#if defined(__x86_64__)
	assert_int_equal(ask_call(&plan_all, X32_BIT | __NR_getpid, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, X32_BIT | 4000, 0, 0), SECCOMP_RET_USER_NOTIF);
	/* Minus one is what a tracer sets to skip a call: no table of any ABI has it, the kernel
	 * answers ENOSYS. */
	assert_int_equal(ask_call(&plan_all, -1, 0, 0), SECCOMP_RET_ALLOW);
#endif
}

static void test_accepts_pass_unless_they_are_counted(void **state)
{
	(void)state;
	assert_int_equal(ask_call(&plan_all, __NR_accept, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_accept4, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_no_reads, __NR_accept, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_call(&plan_no_reads, __NR_accept4, 0, 0), SECCOMP_RET_ALLOW);
}

static void test_reads_pass_when_no_rule_speaks_of_them(void **state)
{
	static const struct {
		int flags;
		bool is_trapped;
	} rows[] = {
		{O_RDONLY, false},
		{O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, false},
		{O_PATH, false},
		{O_WRONLY, true},
		{O_RDWR, true},
		{O_WRONLY | O_RDWR, true}, /* access mode 3 */
		{O_RDONLY | O_CREAT, true},
		{O_RDONLY | O_TRUNC, true},
		{O_TMPFILE | O_RDWR, true},
		{O_TMPFILE, true},
		{O_WRONLY | O_APPEND, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t want = rows[i].is_trapped ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
		uint64_t flags = (uint64_t)(uint32_t)rows[i].flags;

		assert_int_equal(ask_call(&plan_no_reads, __NR_openat, 2, flags), want);
		assert_int_equal(
			ask_call(&plan_no_reads, __NR_openat, 2, flags | UINT64_C(1) << 40), want);
		assert_int_equal(ask_call(&plan_all, __NR_openat, 2, flags),
				 SECCOMP_RET_USER_NOTIF);
#ifdef __NR_open
		assert_int_equal(ask_call(&plan_no_reads, __NR_open, 1, flags), want);
#endif
	}
	/* openat2 keeps its flags in memory: no telling apart. */
	assert_int_equal(ask_call(&plan_no_reads, 437, 0, 0), SECCOMP_RET_USER_NOTIF);
}

static void test_ints_are_compared_without_their_high_bits(void **state)
{
	static const uint64_t high = UINT64_C(1) << 32;

	(void)state;
	assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, TIOCSTI), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, high | TIOCSTI),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, TIOCGWINSZ), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_ptrace, 0, PTRACE_SEIZE), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_ptrace, 0, high | PTRACE_ATTACH),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_ptrace, 0, PTRACE_TRACEME),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_ptrace, 0, PTRACE_CONT), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_socket, 0, AF_PACKET), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_socket, 0, high | AF_PACKET),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_socket, 0, high | AF_INET),
			 SECCOMP_RET_USER_NOTIF);
}

static uint32_t ask_sockopt(uint64_t level, uint64_t option, uint64_t length)
{
	const struct seccomp_data d = {
		.nr = __NR_setsockopt, .arch = NATIVE_ARCH, .args = {3, level, option, 0, length}};

	return ask(&plan_all, &d);
}

static void test_source_routes_are_looked_at(void **state)
{
	static const uint64_t high = UINT64_C(1) << 32;

	(void)state;
	assert_int_equal(ask_sockopt(IPPROTO_IP, IP_OPTIONS, 8), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_sockopt(high | IPPROTO_IP, high | IP_OPTIONS, 8),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_sockopt(IPPROTO_IPV6, IPV6_RTHDR, 24), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_sockopt(IPPROTO_IPV6, IPV6_2292PKTOPTIONS, 64),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_sockopt(IPPROTO_IP, IP_OPTIONS, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_sockopt(IPPROTO_IP, IP_TTL, 4), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_sockopt(SOL_SOCKET, IP_OPTIONS, 4), SECCOMP_RET_ALLOW);
}

static void test_ordinary_sockets_pass_and_raw_ones_do_not(void **state)
{
	struct seccomp_data d = {.nr = __NR_socket, .arch = NATIVE_ARCH};

	(void)state;
	d.args[0] = AF_INET;
	d.args[1] = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_ALLOW);
	d.args[1] = SOCK_DGRAM;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_ALLOW);
	d.args[1] = SOCK_RAW | SOCK_CLOEXEC;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
	d.args[1] |= UINT64_C(1) << 33;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
	d.args[0] = AF_NETLINK;
	d.args[1] = SOCK_RAW;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_ALLOW);
	d.args[2] = 12; /* NETLINK_NETFILTER */
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
	d.args[0] = AF_VSOCK;
	d.args[1] = SOCK_STREAM;
	d.args[2] = 0;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
	d.args[0] = AF_INET;
	d.args[1] = SOCK_SEQPACKET; /* SCTP, also without its number */
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
	d.nr = __NR_socketpair;
	d.args[0] = AF_UNIX;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_ALLOW);
	d.args[0] = AF_TIPC;
	assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
}

static void test_only_ordinary_protocols_pass(void **state)
{
	struct seccomp_data d = {.nr = __NR_socket, .arch = NATIVE_ARCH};

	(void)state;
	for (unsigned protocol = 0; protocol < 1200; protocol++) {
		bool is_ordinary = protocol == 0 || protocol == IPPROTO_TCP ||
				   protocol == IPPROTO_UDP || protocol == 262 /* MPTCP */;

		for (unsigned type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			d.args[0] = AF_INET6;
			d.args[1] = type | SOCK_CLOEXEC;
			d.args[2] = protocol;
			assert_int_equal(ask(&plan_all, &d),
					 is_ordinary ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF);
			d.args[0] = AF_INET;
			assert_int_equal(ask(&plan_all, &d),
					 is_ordinary ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF);
			/* The decoder looks at the lower half, as the kernel does. */
			d.args[2] |= UINT64_C(1) << 40;
			assert_int_equal(ask(&plan_all, &d), SECCOMP_RET_USER_NOTIF);
		}
	}
}

static void test_sendto_is_trapped_only_with_a_destination(void **state)
{
	(void)state;
	assert_int_equal(ask_call(&plan_all, __NR_sendto, 4, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_sendto, 4, 0x7fff00001000),
			 SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask_call(&plan_all, __NR_sendto, 4, UINT64_C(1) << 40),
			 SECCOMP_RET_USER_NOTIF);
}

static void test_credentials_are_trapped_only_where_there_are_capabilities(void **state)
{
	(void)state;
	for (size_t i = 0; i < trap_table_size; i++)
		if (trap_table[i].class == TRAP_CREDS) {
			assert_int_equal(ask_call(&plan_all, trap_table[i].nr, 0, 0),
					 SECCOMP_RET_USER_NOTIF);
			assert_int_equal(ask_call(&plan_no_reads, trap_table[i].nr, 0, 0),
					 SECCOMP_RET_ALLOW);
		}
}

struct question {
	const char *what;
	int nr;
	uint64_t args[3];
	uint32_t inside; /* Landlock keeps signals inside */
	uint32_t loose;  /* it does not */
};

#define NOTIFY  SECCOMP_RET_USER_NOTIF
#define ALLOW   SECCOMP_RET_ALLOW
#define FAIL(e) (SECCOMP_RET_ERRNO | (e))
#define HIGH    (UINT64_C(7) << 32)

static void test_who_is_meant(void **state)
{
	static const struct question rows[] = {
		{"kill own group", __NR_kill, {0}, ALLOW, ALLOW},
		{"kill all", __NR_kill, {(uint64_t)-1}, ALLOW, NOTIFY},
		{"kill all, 32 bits", __NR_kill, {UINT32_MAX}, ALLOW, NOTIFY},
		{"kill with high bits", __NR_kill, {HIGH | 1}, ALLOW, NOTIFY},
		{"tkill", __NR_tkill, {7}, ALLOW, NOTIFY},
		{"tgkill", __NR_tgkill, {7, 7}, ALLOW, NOTIFY},
		{"rt_sigqueueinfo", __NR_rt_sigqueueinfo, {7}, ALLOW, NOTIFY},
		{"rt_tgsigqueueinfo", __NR_rt_tgsigqueueinfo, {7}, ALLOW, NOTIFY},
		{"pidfd_send_signal", 424, {3}, ALLOW, FAIL(ENOSYS)},
		{"F_SETOWN", __NR_fcntl, {3, F_SETOWN, 7}, ALLOW, NOTIFY},
		{"F_SETOWN of a group", __NR_fcntl, {3, F_SETOWN, (uint64_t)-7}, ALLOW, NOTIFY},
		{"F_SETOWN with high bits", __NR_fcntl, {3, HIGH | F_SETOWN, 7}, ALLOW, NOTIFY},
		{"F_SETOWN of nobody", __NR_fcntl, {3, F_SETOWN, 0}, ALLOW, ALLOW},
		{"F_SETOWN_EX", __NR_fcntl, {3, 15, 0x1000}, ALLOW, FAIL(EINVAL)},
		{"F_SETOWN_EX with high bits", __NR_fcntl, {3, HIGH | 15, 0}, ALLOW, FAIL(EINVAL)},
		{"F_SETLEASE", __NR_fcntl, {3, F_SETLEASE, F_RDLCK}, NOTIFY, NOTIFY},
		{"F_SETLEASE with high bits",
		 __NR_fcntl,
		 {3, HIGH | F_SETLEASE, 1},
		 NOTIFY,
		 NOTIFY},
		{"F_SETDELEG", __NR_fcntl, {3, TRAP_F_SETDELEG, 0x1000}, NOTIFY, NOTIFY},
		{"F_GETLEASE", __NR_fcntl, {3, F_GETLEASE, 0}, ALLOW, ALLOW},
		{"F_GETFL", __NR_fcntl, {3, F_GETFL, 7}, ALLOW, ALLOW},
		{"F_SETFL", __NR_fcntl, {3, F_SETFL, O_ASYNC}, ALLOW, ALLOW},
		{"FIOSETOWN", __NR_ioctl, {3, 0x8901, 0x1000}, ALLOW, FAIL(EPERM)},
		{"SIOCSPGRP", __NR_ioctl, {3, HIGH | 0x8902, 0x1000}, ALLOW, FAIL(EPERM)},
		{"prlimit of itself", __NR_prlimit64, {0, 7, 0x1000}, ALLOW, ALLOW},
		{"prlimit that only asks", __NR_prlimit64, {7, 7, 0}, ALLOW, ALLOW},
		{"prlimit of another", __NR_prlimit64, {7, 7, 0x1000}, NOTIFY, NOTIFY},
		{"prlimit of another, high bits",
		 __NR_prlimit64,
		 {HIGH | 7, 7, 0x1000},
		 NOTIFY,
		 NOTIFY},
		{"sched_setaffinity of itself",
		 __NR_sched_setaffinity,
		 {0, 8, 0x1000},
		 ALLOW,
		 ALLOW},
		{"sched_setaffinity of another",
		 __NR_sched_setaffinity,
		 {7, 8, 0x1000},
		 NOTIFY,
		 NOTIFY},
		{"sched_setattr of another", __NR_sched_setattr, {7}, NOTIFY, NOTIFY},
		{"sched_setscheduler of another", __NR_sched_setscheduler, {7}, NOTIFY, NOTIFY},
		{"migrate_pages of another", __NR_migrate_pages, {7}, NOTIFY, NOTIFY},
		{"move_pages of another", __NR_move_pages, {7}, NOTIFY, NOTIFY},
		{"setpriority of itself", __NR_setpriority, {0, 0, 5}, ALLOW, ALLOW},
		{"setpriority of another", __NR_setpriority, {0, 7, 5}, NOTIFY, NOTIFY},
		{"setpriority of a group", __NR_setpriority, {1, 0, 5}, NOTIFY, NOTIFY},
		{"setpriority of a user", __NR_setpriority, {2, 0, 5}, NOTIFY, NOTIFY},
		{"setpriority with high bits", __NR_setpriority, {HIGH | 2, 0, 5}, NOTIFY, NOTIFY},
		{"ioprio_set of itself", __NR_ioprio_set, {1, 0, 5}, ALLOW, ALLOW},
		{"ioprio_set of another", __NR_ioprio_set, {1, 7, 5}, NOTIFY, NOTIFY},
		{"ioprio_set of a user", __NR_ioprio_set, {3, 0, 5}, NOTIFY, NOTIFY},
		{"process_madvise", 440, {3}, NOTIFY, NOTIFY},
		{"process_mrelease", 448, {3}, NOTIFY, NOTIFY},
	};
	struct filter_plan loose = plan_all;

	(void)state;
	loose.trap_signals = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seccomp_data d = {.nr = rows[i].nr, .arch = NATIVE_ARCH};

		memcpy(d.args, rows[i].args, sizeof(rows[i].args));
		if (ask(&plan_all, &d) != rows[i].inside || ask(&loose, &d) != rows[i].loose)
			fail_msg("%s: got %#x and %#x", rows[i].what, ask(&plan_all, &d),
				 ask(&loose, &d));
	}
}

static void test_namespaces_are_trapped_by_each_flag(void **state)
{
	/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
	static const uint64_t flags[] = {0x00020000, 0x02000000, 0x04000000, 0x08000000,
					 0x10000000, 0x20000000, 0x40000000};
	const uint64_t thread = 0x3d0f00, vfork = 0x4111, forked = 0x1200011;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		assert_int_equal(ask_call(&plan_all, __NR_unshare, 0, flags[i]), NOTIFY);
		assert_int_equal(ask_call(&plan_all, __NR_unshare, 0, HIGH | flags[i]), NOTIFY);
		assert_int_equal(ask_call(&plan_all, __NR_clone, 0, flags[i] | 17), NOTIFY);
	}
	assert_int_equal(ask_call(&plan_all, __NR_unshare, 0, 0x80), NOTIFY); /* CLONE_NEWTIME */
	assert_int_equal(ask_call(&plan_all, __NR_unshare, 0, 0x600), ALLOW); /* CLONE_FILES|FS */
	assert_int_equal(ask_call(&plan_all, __NR_clone, 0, thread), ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_clone, 0, vfork), ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_clone, 0, forked), ALLOW);
	/* Its flags are in memory; every libc falls back to clone. */
	assert_int_equal(ask_call(&plan_all, 435, 0, 0x1000), FAIL(ENOSYS));
	assert_int_equal(ask_call(&plan_all, __NR_setns, 0, 3), NOTIFY);
}

static void test_every_listed_ioctl_is_trapped(void **state)
{
	(void)state;
	for (size_t i = 0; i < trap_ioctls_size; i++) {
		assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, trap_ioctls[i].request),
				 NOTIFY);
		assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, HIGH | trap_ioctls[i].request),
				 NOTIFY);
	}
	assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, TCGETS), ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, FIONREAD), ALLOW);
	assert_int_equal(ask_call(&plan_all, __NR_ioctl, 1, 0x40049409), ALLOW); /* FICLONE */
	assert_int_equal(ask_call(&plan_all, __NR_prctl, 0, 35), NOTIFY);        /* PR_SET_MM */
	assert_int_equal(ask_call(&plan_all, __NR_prctl, 0, HIGH | 35), NOTIFY);
	assert_int_equal(ask_call(&plan_all, __NR_prctl, 0, 15), ALLOW); /* PR_SET_NAME */
}

static void test_hiding_is_trapped_only_where_it_would_blind_the_supervisor(void **state)
{
	const uint64_t set_dumpable = 4; /* PR_SET_DUMPABLE, linux/prctl.h */

	(void)state;
	assert_int_equal(ask_call(&plan_hiding, __NR_prctl, 0, set_dumpable), NOTIFY);
	assert_int_equal(ask_call(&plan_hiding, __NR_prctl, 0, HIGH | set_dumpable), NOTIFY);
	assert_int_equal(ask_call(&plan_hiding, __NR_prctl, 0, 3), ALLOW); /* PR_GET_DUMPABLE */
	assert_int_equal(ask_call(&plan_all, __NR_prctl, 0, set_dumpable), ALLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_number_follows_the_table),
		cmocka_unit_test(test_numbers_beyond_the_table_look_absent),
		cmocka_unit_test(test_foreign_abis_are_trapped),
		cmocka_unit_test(test_accepts_pass_unless_they_are_counted),
		cmocka_unit_test(test_reads_pass_when_no_rule_speaks_of_them),
		cmocka_unit_test(test_hiding_is_trapped_only_where_it_would_blind_the_supervisor),
		cmocka_unit_test(test_ints_are_compared_without_their_high_bits),
		cmocka_unit_test(test_source_routes_are_looked_at),
		cmocka_unit_test(test_ordinary_sockets_pass_and_raw_ones_do_not),
		cmocka_unit_test(test_only_ordinary_protocols_pass),
		cmocka_unit_test(test_sendto_is_trapped_only_with_a_destination),
		cmocka_unit_test(test_credentials_are_trapped_only_where_there_are_capabilities),
		cmocka_unit_test(test_who_is_meant),
		cmocka_unit_test(test_namespaces_are_trapped_by_each_flag),
		cmocka_unit_test(test_every_listed_ioctl_is_trapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
