/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's connections, where programs in the kernel decide on them: their records go into the
 * log in batches, some time after the calls. What is refused has a ring of its own, and what finds
 * no room in either is counted.
 */
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/session_private.h"

/* What one tick takes before it lets others have their turn. */
#define NET_BATCH 512

/*
 * A socket from before the session is not of its cgroup. One that is connected is nobody's
 * business; another could be connected by the agent.
 */
static bool is_foreign_socket(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int domain = AF_UNSPEC;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_INET || domain == AF_INET6) &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0;
}

static bool has_foreign_socket(const struct session_config *c)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (is_foreign_socket(fd))
			return true;
	for (size_t i = 0; i < c->n_keep_fds; i++)
		if (is_foreign_socket(c->keep_fds[i]))
			return true;
	return false;
}

static const char *start(struct session *s)
{
	const char *why;

	if (has_foreign_socket(s->config))
		return "the command gets a socket from outside, which is not of the session's cgroup";
	why = plan_start_net(s->config->policies->stack, &s->plan_config, &s->net, s->net_reason);
	return why ? why : "";
}

static void init(struct session *s)
{
	struct plan_part *part = &s->parts[LAYER_BPF_NET];
	char path[PATH_MAX];

	if (layer_is_wished(&s->plan_config.wishes, LAYER_BPF_NET, &part->why))
		part->why = start(s);
	if (s->net && net_cgroup_path(s->net, path, sizeof(path)) == 0)
		launch_note_cgroup(path);
	part->is_there = s->net != NULL;
}

int session_plan(struct session *s)
{
	const struct session_config *c = s->config;
	char text[LAYERS_REASON_MAX + 160];
	enum kernel_layer missing;
	bool is_asked;

	s->plan_config = (struct plan_config){
		.wishes = plan_wishes(c->policies->stack, c->wishes),
		.agent = c->agent,
		.has_names = c->names != NULL,
		.guards_socket = c->ask == ASK_TMUX,
		.kept = {.paths = c->secret_paths, .n = c->n_secrets},
	};
	session_sight_init(s);
	init(s);
	session_lsm_init(s);
	s->plan = plan_of(c->policies->stack, &s->plan_config, s->parts);
	if (plan_is_possible(&s->plan, &s->plan_config.wishes, &missing))
		return 0;
	is_asked = c->wishes.forced & LAYER_BIT(missing);
	(void)snprintf(text, sizeof(text),
		       "%s %s: %s; the command was not run. `holdfast doctor` says more",
		       is_asked ? "--layers" : "a policy requires the layer", layer_name(missing),
		       s->plan.parts[missing].why);
	(void)launch_send(s->sock, LAUNCH_FAILED, RUN_EXIT_FAILED, "%s", text);
	s->has_told = true;
	return -ECANCELED;
}

static enum action_op op_of(uint8_t op)
{
	static const enum action_op ops[_NET_OP_MAX] = {
		[NET_CONNECT] = OP_CONNECT, [NET_SEND] = OP_SEND, [NET_BIND] = OP_BIND};

	return op < _NET_OP_MAX ? ops[op] : OP_CONNECT;
}

static enum policy_protocol protocol_of(const struct net_event *e)
{
	static const enum policy_protocol protocols[NET_PROTOCOLS] = {
		POLICY_PROTO_TCP, POLICY_PROTO_UDP, POLICY_PROTO_OTHER};

	if (e->family == AF_UNIX)
		return POLICY_PROTO_UNIX;
	return e->protocol < NET_PROTOCOLS ? protocols[e->protocol] : POLICY_PROTO_OTHER;
}

/* The address as the call had it. */
static size_t rebuild(const struct net_event *e, struct bytes name, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(e->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	switch (e->family) {
	case AF_INET:
		memcpy(&in.sin_addr, e->ip, sizeof(in.sin_addr));
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	case AF_INET6:
		memcpy(&in6.sin6_addr, e->ip, sizeof(in6.sin6_addr));
		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	default:
		name.len = MIN(name.len, sizeof(un.sun_path));
		memcpy(un.sun_path, name.p, name.len);
		memcpy(ret, &un, sizeof(un));
		return offsetof(struct sockaddr_un, sun_path) + name.len;
	}
}

static void record(const struct net_event *e, struct bytes name, void *arg)
{
	struct session *s = arg;
	struct sockaddr_storage address = {};
	const size_t size = rebuild(e, name, &address);
	const struct supervise_connection k = {
		.connection = {.op = op_of(e->op),
			       .protocol = protocol_of(e),
			       .sockaddr = {.p = (const char *)&address, .len = size},
			       .tid = (pid_t)e->tid,
			       .pid = (pid_t)e->pid,
			       .ppid = (pid_t)e->parent},
		.time_ns = e->time_ns,
		.exe_inode = e->exe_inode,
		.verdict = (enum verdict)MIN((unsigned)e->verdict, (unsigned)VERDICT_DENY),
	};

	supervise_record_kernel(s->supervise, &k);
}

static void add_lost(struct json *j, void *arg)
{
	const struct net_lost *lost = arg;

	json_key_u64(j, "connections_refused", lost->refused);
	json_key_u64(j, "connections_unwritten", lost->unwritten);
	json_key_u64(j, "connections_allowed", lost->allowed);
}

static bool drain(void *arg)
{
	struct session *s = arg;
	bool has_more = net_read(s->net, NET_BATCH, record, s);
	struct net_lost lost;

	if (net_take_lost(s->net, &lost))
		(void)audit_append_event(s->audit, "lost", add_lost, &lost);
	return has_more;
}

static bool is_readable(const void *arg)
{
	const struct session *s = arg;

	return net_is_readable(s->net);
}

static bool is_urgent(const void *arg)
{
	const struct session *s = arg;

	return net_is_urgent(s->net);
}

int session_net_watch(struct session *s, uint32_t source)
{
	static const struct ring_reader_ops ops = {drain, is_readable, is_urgent};
	struct ring_reader *reader = &s->readers[LAYER_BPF_NET];
	int fds[_NET_RING_MAX];

	if (!s->net)
		return 0;
	for (int i = 0; i < _NET_RING_MAX; i++)
		fds[i] = net_ring_fd(s->net, (enum net_ring)i);
	*reader = (struct ring_reader){.ops = &ops, .arg = s};
	return ring_reader_watch(reader, s->epoll, fds, ARRAY_SIZE(fds), source);
}

void session_net_end(struct session *s)
{
	ring_reader_end(&s->readers[LAYER_BPF_NET]);
	s->net = net_free(s->net);
}
