/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the table's rows the filter looks at, as rules that filter_rules.c makes a program of.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "loader/filter_rules.h"

#include "loader/filter.h"

#if defined(__x86_64__)
#define FILTER_NATIVE_ARCH AUDIT_ARCH_X86_64
#define FILTER_X32_BIT     0x40000000U
#elif defined(__aarch64__)
#define FILTER_NATIVE_ARCH AUDIT_ARCH_AARCH64
#define FILTER_X32_BIT     0 /* no such bit */
#else
#error "this architecture has no filter yet: add its AUDIT_ARCH and check loader/syscalls.def"
#endif

#define LOW32 UINT64_C(0xffffffff)

#define FILTER_IOPRIO_PROCESS 1 /* IOPRIO_WHO_PROCESS, include/uapi/linux/ioprio.h */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* include/uapi/linux/sched.h */
#endif
#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#endif

#define EQUAL(a, v) ((struct filter_cmp){.arg = (unsigned int)(a), .op = FILTER_EQ, .value = (v)})
#define NOT(a, v)   ((struct filter_cmp){.arg = (unsigned int)(a), .op = FILTER_NE, .value = (v)})
#define ABOVE(a, v) ((struct filter_cmp){.arg = (unsigned int)(a), .op = FILTER_GT, .value = (v)})
#define MASKED(a, m, v)                                                                            \
	((struct filter_cmp){                                                                      \
		.arg = (unsigned int)(a), .op = FILTER_MASKED, .mask = (m), .value = (v)})

static int filter_add(struct filter_rules *rules, uint32_t action, int nr, unsigned int n,
		      const struct filter_cmp *cmp)
{
	struct filter_rule *r = &rules->rules[rules->n];

	if (rules->n == FILTER_RULES_MAX || n > FILTER_CMPS_MAX)
		return -EINVAL;
	*r = (struct filter_rule){.nr = nr, .action = action, .n = n};
	if (n)
		memcpy(r->cmp, cmp, n * sizeof(*cmp));
	rules->n++;
	return 0;
}

static int filter_trap(struct filter_rules *rules, int nr, unsigned int n,
		       const struct filter_cmp *cmp)
{
	return filter_add(rules, SECCOMP_RET_USER_NOTIF, nr, n, cmp);
}

/* Traps @nr for each of @bits that is set in argument @arg. */
static int filter_trap_bits(struct filter_rules *rules, int nr, unsigned int arg,
			    const uint64_t *bits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct filter_cmp cmp = MASKED(arg, bits[i], bits[i]);
		int r = filter_trap(rules, nr, 1, &cmp);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Traps @nr for each value of the low 32 bits of argument @arg: the kernel looks at no more of an
 * int. */
static int filter_trap_values(struct filter_rules *rules, int nr, unsigned int arg,
			      const uint64_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct filter_cmp cmp = MASKED(arg, LOW32, values[i]);
		int r = filter_trap(rules, nr, 1, &cmp);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Opens that may change something: told apart by the flags, which are in a register, so without a
 * race. */
static int filter_open(struct filter_rules *rules, const struct trap_row *row,
		       const struct filter_plan *plan)
{
	/* O_TMPFILE holds O_DIRECTORY, which reads may set too; the bit below is what makes it a
	 * temporary file. */
	static const uint64_t change_bits[] = {
		O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE & ~O_DIRECTORY, O_PATH};

	if (plan->trap_reads)
		return filter_trap(rules, row->nr, 0, NULL);
	return filter_trap_bits(rules, row->nr, row->flags, change_bits,
				ARRAY_SIZE(change_bits) - !plan->trap_handles);
}

/* Internet sockets: all but the ordinary types and protocols are looked at. */
static int filter_inet(struct filter_rules *rules, int nr, uint64_t family)
{
	static const uint64_t odd_types[] = {SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP,
					     SOCK_PACKET};
	const struct filter_cmp odd_protocol[] = {EQUAL(0, family), NOT(2, 0), NOT(2, IPPROTO_TCP),
						  NOT(2, IPPROTO_UDP), NOT(2, IPPROTO_MPTCP)};
	int r = filter_trap(rules, nr, ARRAY_SIZE(odd_protocol), odd_protocol);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(odd_types); i++) {
		const struct filter_cmp odd_type[] = {EQUAL(0, family),
						      MASKED(1, 0xf, odd_types[i])};

		r = filter_trap(rules, nr, ARRAY_SIZE(odd_type), odd_type);
	}
	return r;
}

/*
 * socket() and socketpair(): the families that policies speak of pass, with their ordinary types
 * and protocols; all others are looked at. A value with high bits set is greater than AF_NETLINK as
 * 64 bits, so it is trapped although the kernel would cut it to 32.
 */
static int filter_socket(struct filter_rules *rules, const struct trap_row *row)
{
	struct filter_cmp above = ABOVE(0, AF_NETLINK);
	struct filter_cmp netlink[] = {EQUAL(0, AF_NETLINK), NOT(2, NETLINK_ROUTE)};
	int r = filter_trap(rules, row->nr, 1, &above);

	if (r == 0)
		r = filter_trap(rules, row->nr, ARRAY_SIZE(netlink), netlink);
	for (uint64_t family = AF_UNSPEC; r == 0 && family < AF_NETLINK; family++) {
		struct filter_cmp one = MASKED(0, LOW32, family); /* with high bits: above */

		if (family == AF_INET || family == AF_INET6)
			r = filter_inet(rules, row->nr, family);
		else if (family != AF_UNIX)
			r = filter_trap(rules, row->nr, 1, &one);
	}
	return r;
}

/* An errno that no policy can change, for calls that nobody can judge: they keep in memory what
 * counts. */
static int filter_fail(struct filter_rules *rules, int nr, int error)
{
	return filter_add(rules, SECCOMP_RET_ERRNO | (uint16_t)error, nr, 0, NULL);
}

static int filter_ioctl(struct filter_rules *rules, const struct trap_row *row,
			const struct filter_plan *plan)
{
	/* As fcntl(F_SETOWN), but with the process in memory. */
	static const uint64_t owners[] = {FIOSETOWN, SIOCSPGRP};
	int r = 0;

	for (size_t i = 0; r == 0 && i < trap_ioctls_size; i++) {
		uint64_t request = trap_ioctls[i].request;

		r = filter_trap_values(rules, row->nr, 1, &request, 1);
	}
	for (size_t i = 0; r == 0 && plan->trap_signals && i < ARRAY_SIZE(owners); i++) {
		const struct filter_cmp is_owner = MASKED(1, LOW32, owners[i]);

		r = filter_add(rules, SECCOMP_RET_ERRNO | EPERM, row->nr, 1, &is_owner);
	}
	return r;
}

static int filter_sockopt(struct filter_rules *rules, const struct trap_row *row)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < trap_sockopts_size; i++) {
		const struct filter_cmp sets[] = {
			MASKED(row->path, LOW32, trap_sockopts[i].level),
			MASKED(row->flags, LOW32, trap_sockopts[i].option),
			NOT(4, 0), /* its length */
		};

		r = filter_trap(rules, row->nr, ARRAY_SIZE(sets), sets);
	}
	return r;
}

static int filter_namespace(struct filter_rules *rules, const struct trap_row *row)
{
	static const uint64_t bits[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
	static const uint64_t time = CLONE_NEWTIME; /* clone() has its signal in these bits */
	static const uint64_t sibling = CLONE_PARENT;
	int r = filter_trap_bits(rules, row->nr, row->flags, bits, ARRAY_SIZE(bits));

	if (r == 0 && row->nr == __NR_unshare)
		r = filter_trap_bits(rules, row->nr, row->flags, &time, 1);
	else if (r == 0)
		r = filter_trap_bits(rules, row->nr, row->flags, &sibling, 1);
	return r;
}

/*
 * Any value of argument @arg but 0. High bits, which the kernel cuts off, make 0 another value
 * here: then it is looked at and let through.
 */
static int filter_nonzero(struct filter_rules *rules, const struct trap_row *row, int arg)
{
	struct filter_cmp cmp = NOT((unsigned int)arg, 0);

	return filter_trap(rules, row->nr, 1, &cmp);
}

/* Two rules: the caller itself is one kind of name, and 0. */
static int filter_priority(struct filter_rules *rules, const struct trap_row *row)
{
	const uint64_t process = row->nr == __NR_ioprio_set ? FILTER_IOPRIO_PROCESS : PRIO_PROCESS;
	struct filter_cmp other_kind = NOT(row->path, process);
	int r = filter_trap(rules, row->nr, 1, &other_kind);

	return r < 0 ? r : filter_nonzero(rules, row, row->dirfd);
}

static int filter_limit(struct filter_rules *rules, const struct trap_row *row)
{
	struct filter_cmp sets_other[] = {
		NOT(row->dirfd, 0),
		NOT(row->path, 0),
	};

	return filter_trap(rules, row->nr, ARRAY_SIZE(sets_other), sets_other);
}

static int filter_owner(struct filter_rules *rules, const struct trap_row *row)
{
	struct filter_cmp set[] = {
		MASKED(row->path, LOW32, F_SETOWN),
		NOT(row->dirfd, 0),
	};
	const struct filter_cmp set_by_memory = MASKED(row->path, LOW32, F_SETOWN_EX);
	int r = filter_trap(rules, row->nr, ARRAY_SIZE(set), set);

	if (r < 0)
		return r;
	return filter_add(rules, SECCOMP_RET_ERRNO | EINVAL, row->nr, 1, &set_by_memory);
}

/*
 * A lease makes everybody else's open of that file wait for 45 seconds, or fail, and takes no more
 * than a descriptor for reading: of a policy, say, or of the list of keys.
 */
static int filter_fcntl(struct filter_rules *rules, const struct trap_row *row,
			const struct filter_plan *plan)
{
	static const uint64_t leases[] = {F_SETLEASE, TRAP_F_SETDELEG};
	int r = filter_trap_values(rules, row->nr, row->path, leases, ARRAY_SIZE(leases));

	return r < 0 || !plan->trap_signals ? r : filter_owner(rules, row);
}

/* The kernel compares all of PR_SET_DUMPABLE's value: one with high bits is looked at, and EINVAL.
 */
static int filter_prctl(struct filter_rules *rules, const struct trap_row *row,
			const struct filter_plan *plan)
{
	static const uint64_t options[] = {PR_SET_MM, PR_SET_CHILD_SUBREAPER};
	const struct filter_cmp hides[] = {
		MASKED(0, LOW32, PR_SET_DUMPABLE),
		MASKED(1, LOW32, 0),
	};
	int r = filter_trap_values(rules, row->nr, 0, options, ARRAY_SIZE(options));

	return r < 0 || !plan->trap_hiding ? r
					   : filter_trap(rules, row->nr, ARRAY_SIZE(hides), hides);
}

/* What other processes can be done to with signals. */
static int filter_signal(struct filter_rules *rules, const struct trap_row *row)
{
	if (row->class == TRAP_SIGNAL)
		return filter_nonzero(rules, row, row->dirfd);
	return filter_fail(rules, row->nr, ENOSYS);
}

/*
 * All lengths but 0, which names nobody, and those of struct sockaddr_in and sockaddr_in6. (A unix
 * socket's address can have these lengths, too: whoever lets them pass sees to those.)
 */
static int filter_address_length(struct filter_rules *rules, const struct trap_row *row, int arg)
{
	const struct filter_cmp odd[] = {NOT(arg, 0), NOT(arg, sizeof(struct sockaddr_in)),
					 NOT(arg, sizeof(struct sockaddr_in6))};

	return filter_trap(rules, row->nr, ARRAY_SIZE(odd), odd);
}

/*
 * Calls on sockets, where the kernel decides on IP addresses by itself. Not those with a struct
 * msghdr: its control messages can hold a source route (IP_RETOPTS, IPV6_RTHDR), by which the
 * packet goes elsewhere than to the address that the programs see.
 */
static int filter_passing_ip(struct filter_rules *rules, const struct trap_row *row)
{
	const bool is_flat = row->shape == SHAPE_SOCKADDR;

	if (is_flat && (row->op == OP_CONNECT || row->op == OP_SEND))
		return filter_address_length(rules, row, row->path + 1);
	return filter_trap(rules, row->nr, 0, NULL);
}

static int filter_network(struct filter_rules *rules, const struct trap_row *row,
			  const struct filter_plan *plan)
{
	struct filter_cmp has_destination = NOT(4, 0);

	if (!plan->trap_network)
		return 0;
	if (plan->passes_ip)
		return filter_passing_ip(rules, row);
	return row->class == TRAP_SENDTO ? filter_trap(rules, row->nr, 1, &has_destination)
					 : filter_trap(rules, row->nr, 0, NULL);
}

static int filter_row(struct filter_rules *rules, const struct trap_row *row,
		      const struct filter_plan *plan)
{
	static const uint64_t ptrace_attaching[] = {PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE};

	switch (row->class) {
	case TRAP_TOOL:
	case TRAP_RESTRICT:
	case TRAP_REFUSED:
		return filter_trap(rules, row->nr, 0, NULL);
	case TRAP_OPEN:
		return plan->trap_reads || plan->trap_changes ? filter_open(rules, row, plan) : 0;
	case TRAP_OPEN_MEMORY:
		return plan->trap_reads || plan->trap_changes ? filter_trap(rules, row->nr, 0, NULL)
							      : 0;
	case TRAP_CHANGE:
		return plan->trap_changes ? filter_trap(rules, row->nr, 0, NULL) : 0;
	case TRAP_ACCEPT:
		return plan->trap_accepts ? filter_trap(rules, row->nr, 0, NULL) : 0;
	case TRAP_NETWORK:
	case TRAP_SENDTO:
		return filter_network(rules, row, plan);
	case TRAP_CREDS:
		return plan->trap_creds ? filter_trap(rules, row->nr, 0, NULL) : 0;
	case TRAP_SOCKET:
		return filter_socket(rules, row);
	case TRAP_PTRACE:
		return filter_trap_values(rules, row->nr, 0, ptrace_attaching,
					  ARRAY_SIZE(ptrace_attaching));
	case TRAP_IOCTL:
		return filter_ioctl(rules, row, plan);
	case TRAP_SOCKOPT:
		return filter_sockopt(rules, row);
	case TRAP_PRCTL:
		return filter_prctl(rules, row, plan);
	case TRAP_NAMESPACE:
		return filter_namespace(rules, row);
	case TRAP_ABSENT:
		return filter_fail(rules, row->nr, ENOSYS);
	case TRAP_PID:
		return filter_nonzero(rules, row, row->dirfd);
	case TRAP_LIMIT:
		return filter_limit(rules, row);
	case TRAP_PRIORITY:
		return filter_priority(rules, row);
	case TRAP_SIGNAL:
	case TRAP_SIGNAL_ABSENT:
		return plan->trap_signals ? filter_signal(rules, row) : 0;
	case TRAP_FCNTL:
		return filter_fcntl(rules, row, plan);
	case _TRAP_CLASS_MAX:
		break;
	}
	return -EINVAL;
}

int filter_rules_of(const struct filter_plan *plan, struct filter_rules *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < trap_table_size; i++) {
		int r = filter_row(ret, &trap_table[i], plan);

		if (r < 0)
			return r;
	}
	return 0;
}

int filter_build(const struct filter_plan *plan, struct filter *ret)
{
	/* Foreign ABIs reach the supervisor, which refuses them with a record, rather than dying
	 * without a word. */
	const struct filter_frame frame = {.arch = FILTER_NATIVE_ARCH,
					   .foreign = SECCOMP_RET_USER_NOTIF,
					   .foreign_from = FILTER_X32_BIT,
					   .highest = (uint32_t)trap_highest_known(),
					   .unknown = SECCOMP_RET_ERRNO | ENOSYS};
	_cleanup_(freep) struct filter_rules *rules = malloc(sizeof(*rules));
	_cleanup_(freep) struct sock_filter *insns = malloc(BPF_MAXINSNS * sizeof(*insns));
	int r;

	if (!rules || !insns)
		return -ENOMEM;
	r = filter_rules_of(plan, rules);
	if (r == 0)
		r = filter_compile(rules, &frame, insns);
	if (r < 0)
		return r;
	*ret = (struct filter){.insns = TAKE_PTR(insns), .len = (unsigned short)r};
	return 0;
}

void filter_fini(struct filter *f)
{
	free(f->insns);
	*f = (struct filter){};
}

int filter_load(const struct filter *f, bool *ret_wait_killable)
{
	const struct sock_fprog prog = {.len = f->len, .filter = f->insns};
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd;

	/* Without it a signal handler turns a notified open or mkdir into EINTR, which programs do
	 * not expect. */
	fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		     flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	*ret_wait_killable = fd >= 0;
	if (fd < 0 && errno == EINVAL) /* before Linux 5.19 */
		fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return fd < 0 ? -errno : (int)fd;
}
