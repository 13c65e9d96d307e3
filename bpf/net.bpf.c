/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdicts on the session's connections, from tables that user space has filled: an address's
 * longest prefix and its port's class name the cell. What is judged is the kernel's own copy of the
 * address, which nobody can change any more. The programs are attached to the session's cgroup, and
 * meet the sockets that were made there.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/masked.h"

#define AF_UNIX       1
#define AF_INET       2
#define AF_INET6      10
#define SOCK_STREAM   1
#define SOCK_DGRAM    2
#define IPPROTO_TCP   6
#define IPPROTO_UDP   17
#define IPPROTO_MPTCP 262
#define EACCES        13
#define ENOBUFS       105
#define SIZE_OF_IN    16 /* of struct sockaddr_in; such lengths pass the filter */
#define SIZE_OF_IN6   28
#define NAME_OFFSET   2   /* of sun_path */
#define NAME_MAX      108 /* its size */
#define LOOPBACK      bpf_htonl(0x7f000001)
#define REFUSE        0
#define PASS          1

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Which session it is: of the cgroup that a program is attached to, the same for all of them. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct net_config);
} sessions SEC(".maps");

struct prefixes4 {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NET_PREFIXES_MAX);
	__uint(key_size, sizeof(struct net_key4));
	__uint(value_size, sizeof(__u32));
};

struct prefixes6 {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NET_PREFIXES_MAX);
	__uint(key_size, sizeof(struct net_key6));
	__uint(value_size, sizeof(__u32));
};

/* One element: those of an array take eight bytes at least. */
struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct net_table));
};

struct counters {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct net_lost));
};

struct event_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, NET_RING_BYTES);
};

/* By slot. */
#define OF_EACH_SESSION(what, name)                                                                \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, NET_SLOTS_MAX);                                                \
		__uint(key_size, sizeof(__u32));                                                   \
		__array(values, struct what);                                                      \
	} name SEC(".maps")

OF_EACH_SESSION(prefixes4, all_prefixes4);
OF_EACH_SESSION(prefixes6, all_prefixes6);
OF_EACH_SESSION(table, all_tables);
OF_EACH_SESSION(counters, all_counters);
OF_EACH_SESSION(event_ring, all_events);
OF_EACH_SESSION(event_ring, all_refused);

struct look {
	const struct net_config *config;
	__u32 op, protocol, port; /* host order */
};

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

static __always_inline __u32 cell(const struct look *l, const __u32 *prefix)
{
	const __u32 zero = 0;
	const struct net_table *table;
	void *tables;
	__u32 at;

	tables = bpf_map_lookup_elem(&all_tables, &l->config->slot);
	if (!prefix || !tables)
		return NET_DENY;
	table = bpf_map_lookup_elem(tables, &zero);
	if (!table)
		return NET_DENY;
	at = (l->op * NET_PROTOCOLS + l->protocol) * l->config->n_prefixes + *prefix;
	at = at * l->config->n_port_classes + table->ports[MASKED(l->port, NET_PORTS - 1)];
	return table->verdicts[at & (NET_CELLS - 1)];
}

static __always_inline __u32 judge4(const struct look *l, __u32 ip)
{
	struct net_key4 key = {.bits = 32};
	void *prefixes = bpf_map_lookup_elem(&all_prefixes4, &l->config->slot);

	if (!prefixes)
		return NET_DENY;
	/* As a destination, "any" is this machine. */
	if (ip == 0 && l->op != NET_BIND)
		ip = LOOPBACK;
	__builtin_memcpy(key.ip, &ip, sizeof(ip));
	return cell(l, bpf_map_lookup_elem(prefixes, &key));
}

static __always_inline __u32 stricter(__u32 a, __u32 b)
{
	return a > b ? a : b;
}

/* The IPv4 addresses inside to which a translator or a tunnel may carry it: policy/naming.c. */
static __always_inline __u32 judge_embedded(const struct look *l, const __u32 *w)
{
	const __u32 w0 = bpf_ntohl(w[0]), w1 = bpf_ntohl(w[1]), w2 = bpf_ntohl(w[2]);
	__u32 v = NET_ALLOW;

	if (w0 == 0x0064ff9b && ((w1 == 0 && w2 == 0) || w1 >> 16 == 1))
		v = stricter(v, judge4(l, w[3]));
	if (w0 >> 16 == 0x2002)
		v = stricter(v, judge4(l, bpf_htonl(w0 << 16 | w1 >> 16)));
	if (w0 == 0x20010000) {
		v = stricter(v, judge4(l, w[1]));
		v = stricter(v, judge4(l, ~w[3]));
	}
	if ((w2 & 0xfdffffff) == 0x00005efe || (w0 == 0 && w1 == 0 && w2 == 0))
		v = stricter(v, judge4(l, w[3]));
	return v;
}

static __always_inline __u32 judge6(const struct look *l, const __u32 *w)
{
	struct net_key6 key = {.bits = 128};
	__u32 last = w[3];
	void *prefixes;
	__u32 v;

	if (w[0] == 0 && w[1] == 0 && w[2] == bpf_htonl(0xffff))
		return judge4(l, w[3]);
	if (w[0] == 0 && w[1] == 0 && w[2] == 0 && w[3] == 0 && l->op != NET_BIND)
		last = bpf_htonl(1);
	__builtin_memcpy(key.ip, w, 12);
	__builtin_memcpy(key.ip + 12, &last, 4);
	prefixes = bpf_map_lookup_elem(&all_prefixes6, &l->config->slot);
	if (!prefixes)
		return NET_DENY;
	v = cell(l, bpf_map_lookup_elem(prefixes, &key));
	if (l->op == NET_BIND || (w[0] == 0 && w[1] == 0 && w[2] == 0 && bpf_ntohl(w[3]) <= 1))
		return v;
	return stricter(v, judge_embedded(l, w));
}

/*
 * By bpf_probe_read_kernel(), all of it: of each pointer that a program follows by itself the
 * verifier searches all names of the kernel's BTF, which takes some milliseconds a program.
 */
static __always_inline void fill(struct net_event *e, __u32 op, __u32 verdict)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const __u64 id = bpf_get_current_pid_tgid();
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	e->time_ns = bpf_ktime_get_ns();
	e->pid = id >> 32;
	e->tid = (__u32)id;
	e->parent = BPF_CORE_READ(task, real_parent, tgid);
	e->op = op;
	e->verdict = verdict;
	e->exe_inode = BPF_CORE_READ(inode, i_ino);
	e->exe_device = BPF_CORE_READ(inode, i_sb, s_dev);
}

static __always_inline void count(const struct net_config *c, __u64 which)
{
	const __u32 zero = 0;
	void *counters = bpf_map_lookup_elem(&all_counters, &c->slot);
	void *lost = counters ? bpf_map_lookup_elem(counters, &zero) : 0;

	if (lost)
		__sync_fetch_and_add((__u64 *)(lost + which), 1);
}

static __always_inline int refuse(int error)
{
	bpf_set_retval(-error);
	return REFUSE;
}

/* What cannot be recorded does not happen, except under audit. */
static __always_inline int without_room(const struct net_config *c, __u32 verdict)
{
	if (verdict >= NET_ASK) {
		count(c, offsetof(struct net_lost, refused));
		return refuse(EACCES);
	}
	if (!c->is_audit) {
		count(c, offsetof(struct net_lost, unwritten));
		return refuse(ENOBUFS);
	}
	count(c, offsetof(struct net_lost, allowed));
	return PASS;
}

/* The session's ring for what was refused, or for what was let through. */
static __always_inline void *ring_of(const struct net_config *c, __u32 verdict)
{
	return verdict >= NET_ASK ? bpf_map_lookup_elem(&all_refused, &c->slot)
				  : bpf_map_lookup_elem(&all_events, &c->slot);
}

static __always_inline int answer(int result)
{
	return result == REFUSE ? refuse(EACCES) : result;
}

/* Whether what is submitted wakes the reader: when he waits for it, and again when he lags. */
static __always_inline __u64 wake_up(void *ring)
{
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > NET_RING_BYTES / 2 ? BPF_RB_FORCE_WAKEUP
									       : 0;
}

/* Return: whether this task's calls are none of our business; *ret has the answer. */
static __always_inline int is_special(const struct net_config *c, int *ret)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	*ret = c->is_set && pid == c->supervisor ? PASS : REFUSE;
	return !c->is_set || pid == c->supervisor || pid == c->canary;
}

static __always_inline int decide(struct bpf_sock_addr *ctx, __u32 op, const __u32 *w, __u32 family)
{
	const struct net_config *c = bpf_get_local_storage(&sessions, 0);
	struct look l = {.config = c, .op = op, .port = bpf_ntohs(ctx->user_port)};
	struct net_event *e;
	__u32 verdict;
	void *ring;
	int result;

	if (is_special(c, &result))
		return answer(result);
	if (ctx->type == SOCK_DGRAM && ctx->protocol == IPPROTO_UDP)
		l.protocol = 1;
	else if (ctx->type != SOCK_STREAM ||
		 (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_MPTCP))
		l.protocol = 2;
	if (l.protocol == 2 && !c->is_audit)
		return answer(REFUSE); /* such sockets are not made without a grant */
	verdict = family == AF_INET ? judge4(&l, w[0]) : judge6(&l, w);
	result = verdict >= NET_ASK ? REFUSE : PASS;
	ring = ring_of(c, verdict);
	e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : 0;
	if (!e)
		return without_room(c, verdict);
	__builtin_memset(e, 0, sizeof(*e));
	fill(e, op, verdict);
	e->protocol = l.protocol;
	e->family = family;
	e->port = l.port;
	__builtin_memcpy(e->ip, w, family == AF_INET ? 4 : 16);
	bpf_ringbuf_submit(e, wake_up(ring));
	return answer(result);
}

static __always_inline int decide4(struct bpf_sock_addr *ctx, __u32 op)
{
	const __u32 w[4] = {ctx->user_ip4};

	return decide(ctx, op, w, AF_INET);
}

static __always_inline int decide6(struct bpf_sock_addr *ctx, __u32 op)
{
	const __u32 w[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	return decide(ctx, op, w, AF_INET6);
}

SEC("cgroup/connect4")
int net_connect4(struct bpf_sock_addr *ctx)
{
	return decide4(ctx, NET_CONNECT);
}

SEC("cgroup/connect6")
int net_connect6(struct bpf_sock_addr *ctx)
{
	return decide6(ctx, NET_CONNECT);
}

SEC("cgroup/sendmsg4")
int net_send4(struct bpf_sock_addr *ctx)
{
	return decide4(ctx, NET_SEND);
}

SEC("cgroup/sendmsg6")
int net_send6(struct bpf_sock_addr *ctx)
{
	return decide6(ctx, NET_SEND);
}

SEC("cgroup/bind4")
int net_bind4(struct bpf_sock_addr *ctx)
{
	return decide4(ctx, NET_BIND);
}

SEC("cgroup/bind6")
int net_bind6(struct bpf_sock_addr *ctx)
{
	return decide6(ctx, NET_BIND);
}

static __always_inline int decide_unix(struct bpf_sock_addr *ctx, __u32 op)
{
	const struct net_config *c = bpf_get_local_storage(&sessions, 0);
	struct bpf_sock_addr_kern *kernel = bpf_cast_to_kern_ctx(ctx);
	const __u32 verdict = c->opens_unix ? NET_ALLOW : NET_DENY;
	__u32 length = BPF_CORE_READ(kernel, uaddrlen);
	void *ring = ring_of(c, verdict);
	struct net_unix_event *e;
	int result;

	if (is_special(c, &result))
		return answer(result);
	/* An address of another length was notified, and has its record. */
	if (c->opens_unix && length != SIZE_OF_IN && length != SIZE_OF_IN6)
		return PASS;
	e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : 0;
	if (!e)
		return without_room(c, verdict);
	__builtin_memset(e, 0, sizeof(*e));
	fill(&e->head, op, verdict);
	e->head.family = AF_UNIX;
	length = length > NAME_OFFSET ? length - NAME_OFFSET : 0;
	if (length > NAME_MAX)
		length = NAME_MAX;
	e->head.port = length;
	bpf_probe_read_kernel(e->name, length,
			      (const char *)BPF_CORE_READ(kernel, uaddr) + NAME_OFFSET);
	bpf_ringbuf_submit(e, wake_up(ring));
	return answer(verdict == NET_ALLOW ? PASS : REFUSE);
}

/* Their kind of attachment is newer than the libbpf that this is built with: user space says it. */
SEC("cgroup/connect4")
int net_connect_unix(struct bpf_sock_addr *ctx)
{
	return decide_unix(ctx, NET_CONNECT);
}

SEC("cgroup/connect4")
int net_send_unix(struct bpf_sock_addr *ctx)
{
	return decide_unix(ctx, NET_SEND);
}
