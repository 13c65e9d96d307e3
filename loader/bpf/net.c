/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs are attached without links (BPF_PROG_ATTACH): so they bind the cgroup as long as it
 * is there, also when this process has died, rather than let everything through from then on. The
 * maps of maps live as long as the programs do, and hold the tables meanwhile.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "bpf/net.skel.h"

#include "loader/cgroup.h"
#include "loader/request.h"

#include "loader/bpf/canary.h"
#include "loader/bpf/loader.h"
#include "loader/bpf/net.h"
#include "loader/bpf/slots.h"

/* include/uapi/linux/bpf.h, Linux 6.7; newer than libbpf 1.1. */
#define ATTACH_UNIX_CONNECT 49
#define ATTACH_UNIX_SENDMSG 50
#define END_ROUNDS          1000
#define END_ROUND_NS        10000000L
#define PLACES              9 /* of the programs below, and the end */

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

/* ---- the programs */

static int load(struct net_programs *p)
{
	struct place places[PLACES];
	struct net_bpf *b;
	int r;

	if (!loader_sees_all_processes())
		return loader_explain(p->reason, LOADER_HIDDEN_PROCESSES, -EOPNOTSUPP);
	words_reset();
	b = net_bpf__open();
	r = b ? 0 : -errno;
	if (r == 0) {
		list_places(b, places);
		for (size_t i = 0; places[i].program; i++)
			(void)bpf_program__set_expected_attach_type(places[i].program,
								    places[i].type);
		r = net_bpf__load(b);
	}
	if (r == 0) {
		p->bpf = b;
		return 0;
	}
	words_explain(p->reason, sizeof(p->reason), -r);
	net_bpf__destroy(b);
	return r;
}

int net_programs_load(struct net_programs *p)
{
	if (!p->is_tried)
		p->error = load(p);
	p->is_tried = true;
	return p->error;
}

/* As the programs have them. */
static const struct slot_part parts[_NET_PART_MAX] = {
	[NET_PREFIXES4] = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct net_key4), sizeof(uint32_t),
			   NET_PREFIXES_MAX, BPF_F_NO_PREALLOC},
	[NET_PREFIXES6] = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct net_key6), sizeof(uint32_t),
			   NET_PREFIXES_MAX, BPF_F_NO_PREALLOC},
	[NET_TABLE] = {BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct net_table), 1, 0},
	[NET_COUNTERS] = {BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct net_lost), 1,
			  BPF_F_MMAPABLE},
	[NET_EVENTS] = {BPF_MAP_TYPE_RINGBUF, 0, 0, NET_RING_BYTES, 0},
	[NET_REFUSED] = {BPF_MAP_TYPE_RINGBUF, 0, 0, NET_RING_BYTES, 0},
};

/* ---- slots */

static int change_slot(const struct net_programs *p, uint32_t slot, const int *maps)
{
	const int outers[_NET_PART_MAX] = {
		[NET_PREFIXES4] = bpf_map__fd(p->bpf->maps.all_prefixes4),
		[NET_PREFIXES6] = bpf_map__fd(p->bpf->maps.all_prefixes6),
		[NET_TABLE] = bpf_map__fd(p->bpf->maps.all_tables),
		[NET_COUNTERS] = bpf_map__fd(p->bpf->maps.all_counters),
		[NET_EVENTS] = bpf_map__fd(p->bpf->maps.all_events),
		[NET_REFUSED] = bpf_map__fd(p->bpf->maps.all_refused),
	};

	return slots_change(outers, _NET_PART_MAX, slot, maps);
}

int net_prepare(struct net_layers *n)
{
	int r = net_programs_load(n->programs);

	if (r == 0)
		r = slots_make(parts, _NET_PART_MAX, n->maps);
	n->place->has_maps = r == 0;
	if (r == 0)
		r = change_slot(n->programs, n->slot, n->maps);
	if (r < 0)
		slots_close(n->maps, _NET_PART_MAX);
	return r;
}

/* ---- tables */

static int add_prefix(const int maps[static _NET_PART_MAX], const struct layers_prefix *p,
		      uint32_t place)
{
	struct net_key4 key4 = {.bits = p->bits};
	struct net_key6 key6 = {.bits = p->bits};

	memcpy(key4.ip, p->ip, sizeof(key4.ip));
	memcpy(key6.ip, p->ip, sizeof(key6.ip));
	return p->is_v4 ? bpf_map_update_elem(maps[NET_PREFIXES4], &key4, &place, 0)
			: bpf_map_update_elem(maps[NET_PREFIXES6], &key6, &place, 0);
}

static int fill(const int maps[static _NET_PART_MAX], const struct layers_net *request, int tables)
{
	const size_t size = request_tables_size(request);
	_cleanup_(freep) uint8_t *file = calloc(1, MAX(size, (size_t)1));
	_cleanup_(freep) struct net_table *table = calloc(1, sizeof(*table));
	const struct layers_prefix *prefixes;
	const uint32_t zero = 0;
	int r = file && table ? loader_read_tables(tables, size, file) : -ENOMEM;

	if (r == 0)
		r = request_read_tables(request, file, size, &prefixes, table);
	for (uint32_t i = 0; r == 0 && i < request->n_prefixes; i++)
		r = add_prefix(maps, &prefixes[i], i);
	return r < 0 ? r : bpf_map_update_elem(maps[NET_TABLE], &zero, table, 0);
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

static int attempt_all(const void *argument _unused_)
{
	static const struct attempt attempts[] = {
		{AF_INET, SOCK_STREAM, false},  {AF_INET, SOCK_DGRAM, true},
		{AF_INET6, SOCK_STREAM, false}, {AF_INET6, SOCK_DGRAM, true},
		{AF_UNIX, SOCK_STREAM, false},  {AF_UNIX, SOCK_DGRAM, true},
	};
	enum canary r = CANARY_REFUSED;

	for (size_t i = 0; r == CANARY_REFUSED && i < ARRAY_SIZE(attempts); i++)
		r = attempt(&attempts[i]);
	return (int)r;
}

/* ---- */

/* The programs find @config with the cgroup, whose number the key is. */
static int set_config(const struct net_layers *n, const struct net_config *config)
{
	struct stat st;
	uint64_t key;

	if (fstat(n->cgroup, &st) < 0)
		return -errno;
	key = st.st_ino;
	return bpf_map_update_elem(bpf_map__fd(n->programs->bpf->maps.sessions), &key, config, 0);
}

static int see_canary(const struct net_layers *n, struct net_config config)
{
	int go;
	pid_t pid = canary_start(attempt_all, NULL, n->cgroup, &go);
	int r;

	if (pid < 0)
		return pid;
	config.canary = (uint32_t)pid;
	r = set_config(n, &config);
	if (canary_finish(pid, go) != CANARY_REFUSED && r == 0)
		r = -ENOTRECOVERABLE;
	return r;
}

static int attach(const struct net_layers *n)
{
	struct place places[PLACES];
	int r = 0;

	list_places(n->programs->bpf, places);
	for (size_t i = 0; r == 0 && places[i].program; i++)
		/* Others' programs, above and beside, are asked as well. */
		r = bpf_prog_attach(bpf_program__fd(places[i].program), n->cgroup, places[i].type,
				    BPF_F_ALLOW_MULTI);
	return r;
}

static int begin(struct net_layers *n, const struct peer *peer, const struct layers_net *request,
		 int tables, char reterr_reason[static LAYERS_REASON_MAX])
{
	int r;

	n->config = (struct net_config){
		.slot = n->slot,
		.is_set = 1,
		.supervisor = (uint32_t)peer->pid,
		.n_prefixes = request->n_prefixes,
		.n_port_classes = request->n_port_classes,
		.is_audit = request->is_audit,
		.opens_unix = request->opens_unix,
	};
	words_reset();
	r = fill(n->maps, request, tables);
	if (r == -EPROTO)
		return loader_explain(reterr_reason, "the tables are out of bounds", r);
	if (r < 0)
		return loader_explain_error(reterr_reason, "the tables do not fit into the maps",
					    r);
	r = attach(n);
	if (r < 0) {
		words_explain(reterr_reason, LAYERS_REASON_MAX, -r);
		return r;
	}
	r = see_canary(n, n->config);
	if (r < 0)
		return loader_explain(reterr_reason, "attached, but what it refuses went through",
				      r);
	return set_config(n, &n->config);
}

int net_start(struct net_layers *n, const struct peer *peer, const struct layers_net *request,
	      int tables, int ret_fds[static _LAYERS_NET_FD_MAX],
	      char reterr_reason[static LAYERS_REASON_MAX])
{
	int r;

	if (net_programs_load(n->programs) < 0)
		return loader_explain(reterr_reason, n->programs->reason, n->programs->error);
	r = n->maps[0] < 0 ? net_prepare(n) : 0;
	if (r < 0)
		return loader_explain_error(reterr_reason, "the session's maps cannot be made", r);
	n->cgroup = cgroup_make(peer->pid, "session", n->place->path, sizeof(n->place->path));
	if (n->cgroup < 0) {
		*n->place->path = '\0';
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "no cgroup can be made: %s",
			       n->cgroup == -ENOENT ? "cgroup v2 is not mounted"
						    : strerror(-n->cgroup));
		return n->cgroup;
	}
	r = begin(n, peer, request, tables, reterr_reason);
	if (r == 0) {
		ret_fds[LAYERS_NET_FD_EVENTS] = TAKE_FD(n->maps[NET_EVENTS]);
		ret_fds[LAYERS_NET_FD_REFUSED] = TAKE_FD(n->maps[NET_REFUSED]);
		ret_fds[LAYERS_NET_FD_COUNTERS] = TAKE_FD(n->maps[NET_COUNTERS]);
		ret_fds[LAYERS_NET_FD_CGROUP] = fcntl(n->cgroup, F_DUPFD_CLOEXEC, 0);
	}
	slots_close(n->maps, _NET_PART_MAX); /* the slot holds them */
	if (r < 0)
		net_end(n);
	return r;
}

int net_join(const struct net_layers *n, const struct peer *peer, int pidfd,
	     char reterr_reason[static LAYERS_REASON_MAX])
{
	pid_t pid;
	int r = peer_check_child(peer, pidfd, n->place->path, &pid, reterr_reason);

	if (r < 0)
		return r;
	r = cgroup_join(n->cgroup, pid);
	return r < 0 ? loader_explain(reterr_reason, strerror(-r), r) : 0;
}

bool net_clear_slot(struct net_programs *programs, uint32_t slot, struct net_place *place)
{
	if (*place->path && rmdir(place->path) < 0 && errno != ENOENT)
		return false;
	*place->path = '\0';
	if (place->has_maps)
		(void)change_slot(programs, slot, NULL);
	place->has_maps = false;
	return true;
}

void net_end(struct net_layers *n)
{
	const struct timespec round = {.tv_nsec = END_ROUND_NS};

	slots_close(n->maps, _NET_PART_MAX);
	if (n->cgroup >= 0) {
		/* Its number may become another's. */
		n->config.supervisor = 0;
		(void)set_config(n, &n->config);
	}
	for (int i = 0; i < END_ROUNDS && !net_clear_slot(n->programs, n->slot, n->place); i++)
		(void)nanosleep(&round, NULL);
	n->cgroup = fd_close(n->cgroup);
}
