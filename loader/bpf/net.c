/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs are attached without links (BPF_PROG_ATTACH): so they bind the cgroup as long as it
 * is there, also when this process has died, rather than let everything through from then on.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "bpf/abi.h"
#include "bpf/net.skel.h"

#include "loader/cgroup.h"

#include "loader/bpf/canary.h"
#include "loader/bpf/loader.h"
#include "loader/bpf/net.h"

/* include/uapi/linux/bpf.h, Linux 6.7; newer than libbpf 1.1. */
#define ATTACH_UNIX_CONNECT 49
#define ATTACH_UNIX_SENDMSG 50
#define INIT_PID_NAMESPACE  0xeffffffcU /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define END_ROUNDS          1000
#define END_ROUND_NS        10000000L
#define PLACES              9 /* of the programs below, and the end */

_Static_assert(sizeof(((struct net_bpf *)NULL)->bss->state) == 8 + sizeof(struct net_lost),
	       "as user space maps it");

struct place {
	struct bpf_program *program;
	enum bpf_attach_type type;
};

static void list_places(const struct net_bpf *b, struct place ret[static PLACES])
{
	const struct place places[PLACES] = {
		{b->progs.net_connect4, BPF_CGROUP_INET4_CONNECT},
		{b->progs.net_connect6, BPF_CGROUP_INET6_CONNECT},
		{b->progs.net_send4, BPF_CGROUP_UDP4_SENDMSG},
		{b->progs.net_send6, BPF_CGROUP_UDP6_SENDMSG},
		{b->progs.net_bind4, BPF_CGROUP_INET4_BIND},
		{b->progs.net_bind6, BPF_CGROUP_INET6_BIND},
		{b->progs.net_connect_unix, (enum bpf_attach_type)ATTACH_UNIX_CONNECT},
		{b->progs.net_send_unix, (enum bpf_attach_type)ATTACH_UNIX_SENDMSG},
	};

	memcpy(ret, places, sizeof(places));
}

/* ---- the tables */

static int read_whole(int fd, void *ret, size_t size, off_t at)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, (char *)ret + done, size - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		done += (size_t)n;
	}
	return 0;
}

static int add_prefix(const struct net_bpf *b, const struct layers_prefix *p, uint32_t place)
{
	struct net_key4 key4 = {.bits = p->bits};
	struct net_key6 key6 = {.bits = p->bits};

	if (p->is_v4 > 1 || p->bits > (p->is_v4 ? 32 : 128))
		return -EPROTO;
	memcpy(key4.ip, p->ip, sizeof(key4.ip));
	memcpy(key6.ip, p->ip, sizeof(key6.ip));
	return p->is_v4 ? bpf_map_update_elem(bpf_map__fd(b->maps.prefixes4), &key4, &place, 0)
			: bpf_map_update_elem(bpf_map__fd(b->maps.prefixes6), &key6, &place, 0);
}

/* A byte that is too large would be a place outside: the programs cut it, and so do we refuse it.
 */
static bool are_below(const uint8_t *bytes, size_t n, unsigned limit)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] >= limit)
			return false;
	return true;
}

static int fill(const struct net_bpf *b, const struct layers_net *request, int tables)
{
	const size_t n_cells =
		(size_t)_NET_OP_MAX * NET_PROTOCOLS * request->n_prefixes * request->n_port_classes;
	const off_t ports_at = (off_t)(request->n_prefixes * sizeof(struct layers_prefix));
	_cleanup_(freep) uint8_t *bytes = calloc(1, MAX(NET_PORTS, NET_CELLS));
	const uint32_t zero = 0;
	int r = bytes ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < request->n_prefixes; i++) {
		struct layers_prefix p;

		r = read_whole(tables, &p, sizeof(p), (off_t)(i * sizeof(p)));
		if (r == 0)
			r = add_prefix(b, &p, i);
	}
	if (r == 0)
		r = read_whole(tables, bytes, NET_PORTS, ports_at);
	if (r == 0 && !are_below(bytes, NET_PORTS, request->n_port_classes))
		r = -EPROTO;
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(b->maps.ports), &zero, bytes, 0);
	if (r == 0)
		memset(bytes, NET_DENY, NET_CELLS);
	if (r == 0)
		r = read_whole(tables, bytes, n_cells, ports_at + NET_PORTS);
	if (r == 0 && !are_below(bytes, n_cells, NET_DENY + 1))
		r = -EPROTO;
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(b->maps.verdicts), &zero, bytes, 0);
	return r;
}

static bool is_possible(const struct layers_net *q)
{
	return q->n_prefixes >= 1 && q->n_prefixes <= NET_PREFIXES_MAX && q->n_port_classes >= 1 &&
	       q->n_port_classes <= 255 && q->reserved == 0 && q->is_audit <= 1 &&
	       q->opens_unix <= 1 &&
	       (size_t)_NET_OP_MAX * NET_PROTOCOLS * q->n_prefixes * q->n_port_classes <= NET_CELLS;
}

/* ---- the canary */

struct attempt {
	int family, type;
	bool is_send;
};

/* Of a family that this machine lacks nothing can be made, and nothing has to be refused. */
static enum canary attempt(const struct attempt *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0holdfast-canary"};
	const struct sockaddr *address = a->family == AF_INET    ? (struct sockaddr *)&in
					 : a->family == AF_INET6 ? (struct sockaddr *)&in6
								 : (struct sockaddr *)&un;
	const socklen_t size = a->family == AF_INET    ? sizeof(in)
			       : a->family == AF_INET6 ? sizeof(in6)
						       : sizeof(un);
	_cleanup_(fd_closep) int fd = socket(a->family, a->type | SOCK_CLOEXEC, 0);
	ssize_t r;

	in.sin_port = in6.sin6_port = htons(9);
	if (fd < 0)
		return errno == EAFNOSUPPORT ? CANARY_REFUSED : CANARY_FAILED;
	r = a->is_send ? sendto(fd, "", 1, MSG_NOSIGNAL, address, size)
		       : connect(fd, address, size);
	return r < 0 && errno == EACCES ? CANARY_REFUSED : CANARY_WENT_ON;
}

static int attempt_all(const void *argument)
{
	static const struct attempt attempts[] = {
		{AF_INET, SOCK_STREAM, false},  {AF_INET, SOCK_DGRAM, true},
		{AF_INET6, SOCK_STREAM, false}, {AF_INET6, SOCK_DGRAM, true},
		{AF_UNIX, SOCK_STREAM, false},  {AF_UNIX, SOCK_DGRAM, true},
	};
	const int *cgroup = argument;
	enum canary r = CANARY_REFUSED;

	if (cgroup_join(*cgroup) < 0)
		return CANARY_FAILED;
	for (size_t i = 0; r == CANARY_REFUSED && i < ARRAY_SIZE(attempts); i++)
		r = attempt(&attempts[i]);
	return (int)r;
}

static int see_canary(const struct net_layers *n)
{
	int go;
	pid_t pid = canary_start(attempt_all, &n->cgroup, &go);

	if (pid < 0)
		return pid;
	n->programs->bss->state.canary = (uint32_t)pid;
	return canary_finish(pid, go) == CANARY_REFUSED ? 0 : -ENOTRECOVERABLE;
}

/* ---- */

/* The numbers of processes that programs see are those of the first namespace. */
static bool has_own_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != INIT_PID_NAMESPACE;
}

static int load(struct net_layers *n, const struct layers_net *q, int tables)
{
	struct place places[PLACES];
	struct net_bpf *b = n->programs = net_bpf__open();
	int r;

	if (!b)
		return -errno;
	b->rodata->config = (struct net_config){
		.supervisor = q->supervisor,
		.n_prefixes = q->n_prefixes,
		.n_port_classes = q->n_port_classes,
		.is_audit = q->is_audit,
		.opens_unix = q->opens_unix,
	};
	list_places(b, places);
	for (size_t i = 0; places[i].program; i++)
		(void)bpf_program__set_expected_attach_type(places[i].program, places[i].type);
	r = net_bpf__load(b);
	if (r == 0)
		r = fill(b, q, tables);
	for (size_t i = 0; r == 0 && places[i].program; i++)
		/* Others' programs, above and beside, are asked as well. */
		r = bpf_prog_attach(bpf_program__fd(places[i].program), n->cgroup, places[i].type,
				    BPF_F_ALLOW_MULTI);
	return r;
}

static int explain(char *ret, const char *words, int r)
{
	(void)snprintf(ret, LAYERS_REASON_MAX, "%s", words);
	return r;
}

int net_start(struct net_layers *n, const struct layers_net *request, int tables,
	      int ret_fds[static _LAYERS_NET_FD_MAX], char reterr_reason[static LAYERS_REASON_MAX])
{
	int r;

	if (!is_possible(request))
		return explain(reterr_reason, "the tables are out of bounds", -EPROTO);
	if (has_own_pid_namespace())
		return explain(reterr_reason, "in a PID namespace of its own", -EOPNOTSUPP);
	n->cgroup = cgroup_make("session", n->path, sizeof(n->path));
	if (n->cgroup < 0) {
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "no cgroup can be made: %s",
			       n->cgroup == -ENOENT ? "cgroup v2 is not mounted"
						    : strerror(-n->cgroup));
		return n->cgroup;
	}
	words_reset();
	r = load(n, request, tables);
	if (r < 0)
		words_explain(reterr_reason, LAYERS_REASON_MAX, -r);
	else if ((r = see_canary(n)) < 0)
		(void)explain(reterr_reason, "attached, but what it refuses went through", r);
	if (r < 0) {
		net_end(n);
		return r;
	}
	ret_fds[LAYERS_NET_FD_EVENTS] = bpf_map__fd(n->programs->maps.events);
	ret_fds[LAYERS_NET_FD_REFUSED] = bpf_map__fd(n->programs->maps.refused);
	ret_fds[LAYERS_NET_FD_COUNTERS] = bpf_map__fd(n->programs->maps.bss);
	ret_fds[LAYERS_NET_FD_CGROUP] = n->cgroup;
	return 0;
}

void net_end(struct net_layers *n)
{
	const struct timespec round = {.tv_nsec = END_ROUND_NS};

	if (n->cgroup < 0)
		return;
	for (int i = 0; i < END_ROUNDS && rmdir(n->path) < 0 && errno == EBUSY; i++)
		(void)nanosleep(&round, NULL);
	n->cgroup = fd_close(n->cgroup);
	net_bpf__destroy(n->programs);
	n->programs = NULL;
}
