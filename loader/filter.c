/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that is loaded is
 *
 *	a prologue of ours: native numbers above the table's knowledge -> ENOSYS
 *	libseccomp's program: the table's rows -> USER_NOTIF, foreign ABIs -> USER_NOTIF, all else
 *-> ALLOW
 *
 * Classic BPF jumps are forward and relative, so putting instructions in front of a finished
 *program leaves it valid. libseccomp cannot express "number greater than"; writing the whole filter
 *by hand was rejected because its argument comparison (64-bit halves, endianness) is exactly what a
 *well-kept library should do.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"

#include "loader/filter.h"

#if defined(__x86_64__)
#define FILTER_NATIVE_ARCH AUDIT_ARCH_X86_64
#define FILTER_X32_BIT     0x40000000U
#elif defined(__aarch64__)
#define FILTER_NATIVE_ARCH AUDIT_ARCH_AARCH64
#define FILTER_X32_BIT     0xffffffffU /* no such bit: the jump below is never taken */
#else
#error "this architecture has no filter yet: add its AUDIT_ARCH and check loader/syscalls.def"
#endif

#define LOW32               UINT64_C(0xffffffff)
#define FILTER_PROLOGUE_LEN 6

#define FILTER_IOPRIO_PROCESS 1 /* IOPRIO_WHO_PROCESS, include/uapi/linux/ioprio.h */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* include/uapi/linux/sched.h */
#endif
#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#endif

static void filter_releasep(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int filter_trap(scmp_filter_ctx ctx, int nr, unsigned int n, const struct scmp_arg_cmp *cmp)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, nr, n, cmp);
}

/* Traps @nr once for each value of @bits found set in argument @arg: libseccomp has no "any of
 * these bits". */
static int filter_trap_bits(scmp_filter_ctx ctx, int nr, unsigned int arg, const uint64_t *bits,
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct scmp_arg_cmp cmp = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bits[i], bits[i]);
		int r = filter_trap(ctx, nr, 1, &cmp);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Traps @nr for each value of the low 32 bits of argument @arg: the kernel looks at no more of an
 * int. */
static int filter_trap_values(scmp_filter_ctx ctx, int nr, unsigned int arg, const uint64_t *values,
			      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct scmp_arg_cmp cmp = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, LOW32, values[i]);
		int r = filter_trap(ctx, nr, 1, &cmp);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Opens that may change something: told apart by the flags, which are in a register, so without a
 * race. */
static int filter_open(scmp_filter_ctx ctx, const struct trap_row *row,
		       const struct filter_plan *plan)
{
	/* O_TMPFILE holds O_DIRECTORY, which reads may set too; the bit below is what makes it a
	 * temporary file. */
	static const uint64_t change_bits[] = {
		O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE & ~O_DIRECTORY, O_PATH};

	if (plan->trap_reads)
		return filter_trap(ctx, row->nr, 0, NULL);
	return filter_trap_bits(ctx, row->nr, (unsigned int)row->flags, change_bits,
				ARRAY_SIZE(change_bits) - !plan->trap_handles);
}

/*
 * A rule of libseccomp compares an argument once, so "neither 0, TCP, UDP nor MPTCP" is said by the
 * bits that none of these has, and by those that they do not have together.
 */
static const struct {
	uint64_t mask, value;
} odd_protocols[] = {
	{0x008, 0x008}, {0x020, 0x020}, {0x040, 0x040}, {0x080, 0x080},
	{0x011, 0x010}, {0x014, 0x014}, {0x012, 0x012}, {0x110, 0x110},
	{0x011, 0x001}, {0x006, 0x004}, {0x006, 0x002}, {0x104, 0x100},
};
#define PROTOCOL_BITS 0x1ff

/* Internet sockets: all but the ordinary types and protocols are looked at. */
static int filter_inet(scmp_filter_ctx ctx, int nr, uint64_t family)
{
	static const uint64_t odd_types[] = {SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP,
					     SOCK_PACKET};
	struct scmp_arg_cmp cmp[] = {SCMP_CMP(0, SCMP_CMP_EQ, family, 0),
				     SCMP_CMP(2, SCMP_CMP_GT, PROTOCOL_BITS, 0)};
	int r = filter_trap(ctx, nr, ARRAY_SIZE(cmp), cmp);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(odd_protocols); i++) {
		cmp[1] = SCMP_CMP(2, SCMP_CMP_MASKED_EQ, odd_protocols[i].mask,
				  odd_protocols[i].value);
		r = filter_trap(ctx, nr, ARRAY_SIZE(cmp), cmp);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(odd_types); i++) {
		cmp[1] = SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xf, odd_types[i]);
		r = filter_trap(ctx, nr, ARRAY_SIZE(cmp), cmp);
	}
	return r;
}

/*
 * socket() and socketpair(): the families that policies speak of pass, with their ordinary types
 * and protocols; all others are looked at. A value with high bits set is greater than AF_NETLINK as
 * 64 bits, so it is trapped although the kernel would cut it to 32.
 */
static int filter_socket(scmp_filter_ctx ctx, const struct trap_row *row)
{
	struct scmp_arg_cmp above = SCMP_CMP(0, SCMP_CMP_GT, AF_NETLINK, 0);
	struct scmp_arg_cmp netlink[] = {SCMP_CMP(0, SCMP_CMP_EQ, AF_NETLINK, 0),
					 SCMP_CMP(2, SCMP_CMP_NE, NETLINK_ROUTE, 0)};
	int r = filter_trap(ctx, row->nr, 1, &above);

	if (r == 0)
		r = filter_trap(ctx, row->nr, ARRAY_SIZE(netlink), netlink);
	for (uint64_t family = AF_UNSPEC; r == 0 && family < AF_NETLINK; family++) {
		struct scmp_arg_cmp one = SCMP_CMP(0, SCMP_CMP_EQ, family, 0);

		if (family == AF_INET || family == AF_INET6)
			r = filter_inet(ctx, row->nr, family);
		else if (family != AF_UNIX)
			r = filter_trap(ctx, row->nr, 1, &one);
	}
	return r;
}

/* An errno that no policy can change, for calls that nobody can judge: they keep in memory what
 * counts. */
static int filter_fail(scmp_filter_ctx ctx, int nr, int error)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint16_t)error), nr, 0, NULL);
}

static int filter_ioctl(scmp_filter_ctx ctx, const struct trap_row *row,
			const struct filter_plan *plan)
{
	/* As fcntl(F_SETOWN), but with the process in memory. */
	static const uint64_t owners[] = {FIOSETOWN, SIOCSPGRP};
	int r = 0;

	for (size_t i = 0; r == 0 && i < trap_ioctls_size; i++) {
		uint64_t request = trap_ioctls[i].request;

		r = filter_trap_values(ctx, row->nr, 1, &request, 1);
	}
	for (size_t i = 0; r == 0 && plan->trap_signals && i < ARRAY_SIZE(owners); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), row->nr, 1,
				     SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, owners[i]));
	return r;
}

static int filter_sockopt(scmp_filter_ctx ctx, const struct trap_row *row)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < trap_sockopts_size; i++) {
		const struct scmp_arg_cmp sets[] = {
			SCMP_CMP((unsigned int)row->path, SCMP_CMP_MASKED_EQ, LOW32,
				 trap_sockopts[i].level),
			SCMP_CMP((unsigned int)row->flags, SCMP_CMP_MASKED_EQ, LOW32,
				 trap_sockopts[i].option),
			SCMP_CMP(4, SCMP_CMP_NE, 0, 0), /* its length */
		};

		r = filter_trap(ctx, row->nr, ARRAY_SIZE(sets), sets);
	}
	return r;
}

static int filter_namespace(scmp_filter_ctx ctx, const struct trap_row *row)
{
	static const uint64_t bits[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
	static const uint64_t time = CLONE_NEWTIME; /* clone() has its signal in these bits */
	static const uint64_t sibling = CLONE_PARENT;
	int r = filter_trap_bits(ctx, row->nr, (unsigned int)row->flags, bits, ARRAY_SIZE(bits));

	if (r == 0 && row->nr == __NR_unshare)
		r = filter_trap_bits(ctx, row->nr, (unsigned int)row->flags, &time, 1);
	else if (r == 0)
		r = filter_trap_bits(ctx, row->nr, (unsigned int)row->flags, &sibling, 1);
	return r;
}

/*
 * Any value of argument @arg but 0. High bits, which the kernel cuts off, make 0 another value
 * here: then it is looked at and let through.
 */
static int filter_nonzero(scmp_filter_ctx ctx, const struct trap_row *row, int arg)
{
	struct scmp_arg_cmp cmp = SCMP_CMP((unsigned int)arg, SCMP_CMP_NE, 0, 0);

	return filter_trap(ctx, row->nr, 1, &cmp);
}

/* Two rules: the caller itself is one kind of name, and 0. */
static int filter_priority(scmp_filter_ctx ctx, const struct trap_row *row)
{
	const uint64_t process = row->nr == __NR_ioprio_set ? FILTER_IOPRIO_PROCESS : PRIO_PROCESS;
	struct scmp_arg_cmp other_kind = SCMP_CMP((unsigned int)row->path, SCMP_CMP_NE, process, 0);
	int r = filter_trap(ctx, row->nr, 1, &other_kind);

	return r < 0 ? r : filter_nonzero(ctx, row, row->dirfd);
}

static int filter_limit(scmp_filter_ctx ctx, const struct trap_row *row)
{
	struct scmp_arg_cmp sets_other[] = {
		SCMP_CMP((unsigned int)row->dirfd, SCMP_CMP_NE, 0, 0),
		SCMP_CMP((unsigned int)row->path, SCMP_CMP_NE, 0, 0),
	};

	return filter_trap(ctx, row->nr, ARRAY_SIZE(sets_other), sets_other);
}

static int filter_owner(scmp_filter_ctx ctx, const struct trap_row *row)
{
	struct scmp_arg_cmp set[] = {
		SCMP_CMP((unsigned int)row->path, SCMP_CMP_MASKED_EQ, LOW32, F_SETOWN),
		SCMP_CMP((unsigned int)row->dirfd, SCMP_CMP_NE, 0, 0),
	};
	int r = filter_trap(ctx, row->nr, ARRAY_SIZE(set), set);

	if (r < 0)
		return r;
	return seccomp_rule_add(
		ctx, SCMP_ACT_ERRNO(EINVAL), row->nr, 1,
		SCMP_CMP((unsigned int)row->path, SCMP_CMP_MASKED_EQ, LOW32, F_SETOWN_EX));
}

/*
 * A lease makes everybody else's open of that file wait for 45 seconds, or fail, and takes no more
 * than a descriptor for reading: of a policy, say, or of the list of keys.
 */
static int filter_fcntl(scmp_filter_ctx ctx, const struct trap_row *row,
			const struct filter_plan *plan)
{
	static const uint64_t leases[] = {F_SETLEASE, TRAP_F_SETDELEG};
	int r = filter_trap_values(ctx, row->nr, (unsigned int)row->path, leases,
				   ARRAY_SIZE(leases));

	return r < 0 || !plan->trap_signals ? r : filter_owner(ctx, row);
}

/* The kernel compares all of PR_SET_DUMPABLE's value: one with high bits is looked at, and EINVAL.
 */
static int filter_prctl(scmp_filter_ctx ctx, const struct trap_row *row,
			const struct filter_plan *plan)
{
	static const uint64_t options[] = {PR_SET_MM, PR_SET_CHILD_SUBREAPER};
	const struct scmp_arg_cmp hides[] = {
		SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, PR_SET_DUMPABLE),
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, 0),
	};
	int r = filter_trap_values(ctx, row->nr, 0, options, ARRAY_SIZE(options));

	return r < 0 || !plan->trap_hiding ? r
					   : filter_trap(ctx, row->nr, ARRAY_SIZE(hides), hides);
}

/* What other processes can be done to with signals. */
static int filter_signal(scmp_filter_ctx ctx, const struct trap_row *row)
{
	if (row->class == TRAP_SIGNAL)
		return filter_nonzero(ctx, row, row->dirfd);
	return filter_fail(ctx, row->nr, ENOSYS);
}

/*
 * All lengths but 0, which names nobody, and those of struct sockaddr_in and sockaddr_in6: 16 and
 * 28, said by few rules on nothing but this argument: of others libseccomp 2.5 takes forever. (A
 * unix socket's address can have these lengths, too: whoever lets them pass sees to those.)
 */
static int filter_address_length(scmp_filter_ctx ctx, const struct trap_row *row, unsigned int arg)
{
	const struct scmp_arg_cmp odd[] = {
		SCMP_CMP(arg, SCMP_CMP_GT, 28, 0),
		SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0x01, 0x01),
		SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0x02, 0x02),
		SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0x0c, 0x04),
		SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0x0c, 0x08),
		SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0x1c, 0x0c),
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(odd); i++)
		r = filter_trap(ctx, row->nr, 1, &odd[i]);
	return r;
}

_Static_assert(sizeof(struct sockaddr_in) == 16 && sizeof(struct sockaddr_in6) == 28,
	       "the lengths above");

/*
 * Calls on sockets, where the kernel decides on IP addresses by itself. Not those with a struct
 * msghdr: its control messages can hold a source route (IP_RETOPTS, IPV6_RTHDR), by which the
 * packet goes elsewhere than to the address that the programs see.
 */
static int filter_passing_ip(scmp_filter_ctx ctx, const struct trap_row *row)
{
	const bool is_flat = row->shape == SHAPE_SOCKADDR;

	if (is_flat && (row->op == OP_CONNECT || row->op == OP_SEND))
		return filter_address_length(ctx, row, (unsigned int)row->path + 1);
	return filter_trap(ctx, row->nr, 0, NULL);
}

static int filter_network(scmp_filter_ctx ctx, const struct trap_row *row,
			  const struct filter_plan *plan)
{
	struct scmp_arg_cmp has_destination = SCMP_CMP(4, SCMP_CMP_NE, 0, 0);

	if (!plan->trap_network)
		return 0;
	if (plan->passes_ip)
		return filter_passing_ip(ctx, row);
	return row->class == TRAP_SENDTO ? filter_trap(ctx, row->nr, 1, &has_destination)
					 : filter_trap(ctx, row->nr, 0, NULL);
}

static int filter_row(scmp_filter_ctx ctx, const struct trap_row *row,
		      const struct filter_plan *plan)
{
	static const uint64_t ptrace_attaching[] = {PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE};

	switch (row->class) {
	case TRAP_TOOL:
	case TRAP_RESTRICT:
	case TRAP_REFUSED:
		return filter_trap(ctx, row->nr, 0, NULL);
	case TRAP_OPEN:
		return plan->trap_reads || plan->trap_changes ? filter_open(ctx, row, plan) : 0;
	case TRAP_OPEN_MEMORY:
		return plan->trap_reads || plan->trap_changes ? filter_trap(ctx, row->nr, 0, NULL)
							      : 0;
	case TRAP_CHANGE:
		return plan->trap_changes ? filter_trap(ctx, row->nr, 0, NULL) : 0;
	case TRAP_ACCEPT:
		return plan->trap_accepts ? filter_trap(ctx, row->nr, 0, NULL) : 0;
	case TRAP_NETWORK:
	case TRAP_SENDTO:
		return filter_network(ctx, row, plan);
	case TRAP_CREDS:
		return plan->trap_creds ? filter_trap(ctx, row->nr, 0, NULL) : 0;
	case TRAP_SOCKET:
		return filter_socket(ctx, row);
	case TRAP_PTRACE:
		return filter_trap_values(ctx, row->nr, 0, ptrace_attaching,
					  ARRAY_SIZE(ptrace_attaching));
	case TRAP_IOCTL:
		return filter_ioctl(ctx, row, plan);
	case TRAP_SOCKOPT:
		return filter_sockopt(ctx, row);
	case TRAP_PRCTL:
		return filter_prctl(ctx, row, plan);
	case TRAP_NAMESPACE:
		return filter_namespace(ctx, row);
	case TRAP_ABSENT:
		return filter_fail(ctx, row->nr, ENOSYS);
	case TRAP_PID:
		return filter_nonzero(ctx, row, row->dirfd);
	case TRAP_LIMIT:
		return filter_limit(ctx, row);
	case TRAP_PRIORITY:
		return filter_priority(ctx, row);
	case TRAP_SIGNAL:
	case TRAP_SIGNAL_ABSENT:
		return plan->trap_signals ? filter_signal(ctx, row) : 0;
	case TRAP_FCNTL:
		return filter_fcntl(ctx, row, plan);
	case _TRAP_CLASS_MAX:
		break;
	}
	return -EINVAL;
}

static int filter_context(const struct filter_plan *plan, scmp_filter_ctx *ret)
{
	_cleanup_(filter_releasep) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!ctx)
		return -ENOMEM;
	/* Foreign ABIs reach the supervisor, which refuses them with a record, rather than dying
	 * without a word. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_NOTIFY);
	if (r < 0)
		return r;
	/* A binary tree over the numbers instead of a chain: most calls of an agent are in no row.
	 */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		return r;
	for (size_t i = 0; i < trap_table_size; i++) {
		r = filter_row(ctx, &trap_table[i], plan);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(ctx);
	return 0;
}

/* libseccomp 2.5 exports to a descriptor only. */
static int filter_export(scmp_filter_ctx ctx, struct strbuf *out)
{
	_cleanup_(fd_closep) int fd = memfd_create("holdfast-filter", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return io_read_all(fd, out);
}

static void filter_fill_prologue(struct sock_filter out[static FILTER_PROLOGUE_LEN])
{
	const struct sock_filter prologue[FILTER_PROLOGUE_LEN] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_NATIVE_ARCH, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FILTER_X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned int)trap_highest_known(), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(out, prologue, sizeof(prologue));
}

int filter_build(const struct filter_plan *plan, struct filter *ret)
{
	struct strbuf program = STRBUF_INIT(BPF_MAXINSNS * sizeof(struct sock_filter));
	_cleanup_(filter_releasep) scmp_filter_ctx ctx = NULL;
	struct sock_filter *insns;
	size_t n;
	int r;

	r = filter_context(plan, &ctx);
	if (r == 0)
		r = filter_export(ctx, &program);
	if (r < 0) {
		strbuf_fini(&program);
		return r;
	}
	n = program.len / sizeof(*insns) + FILTER_PROLOGUE_LEN;
	insns = n <= BPF_MAXINSNS ? malloc(n * sizeof(*insns)) : NULL;
	if (!insns) {
		strbuf_fini(&program);
		return -ENOMEM;
	}
	filter_fill_prologue(insns);
	memcpy(insns + FILTER_PROLOGUE_LEN, program.p, program.len);
	strbuf_fini(&program);
	*ret = (struct filter){.insns = insns, .len = (unsigned short)n};
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
