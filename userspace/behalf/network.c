/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network calls on a duplicate of the agent's socket: the one by which the call was judged, with
 * our copy of the address. Descriptors and memory that the agent changes meanwhile change nothing.
 *
 * The duplicate shares the file status flags with the agent's descriptor, so they are left alone: a
 * socket that blocks blocks here, for as long as its own timeouts say, and one that does not gives
 * EINPROGRESS or EAGAIN, as it would there. What is made of a connection that a signal interrupts
 * is the kernel's: it goes on, and the agent's next connect waits for it.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "behalf/network_private.h"

socklen_t network_pinned_address(int object, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d", object);
	return sizeof(*ret);
}

int network_identify(struct behalf *b, const struct action *a)
{
	if (a->act.network.family != AF_UNIX)
		return 0;
	return rights_identify(&b->rights, &a->act.creds);
}

static const struct sockaddr *address_of(struct bytes b)
{
	return (const struct sockaddr *)b.p;
}

int network_connect(const struct behalf *b, const struct action *a, int fd)
{
	const struct act_network *net = &a->act.network;
	const struct act_pin *pin = &a->act.pin;
	struct sockaddr_un un;
	struct stat st;

	if (!net->is_pinned) {
		struct sockaddr_in6 led;
		struct bytes to = net->is_question || net->is_led
					  ? network_where_led(b, a, net->address, &led)
					  : net->address;

		return connect(fd, address_of(to), (socklen_t)to.len) < 0 ? -errno : 0;
	}
	if (pin->object < 0)
		return pin->error ? -pin->error : -ENOENT;
	if (pin->wants_directory && fstat(pin->object, &st) == 0 && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return connect(fd, (const struct sockaddr *)&un, network_pinned_address(pin->object, &un)) <
			       0
		       ? -errno
		       : 0;
}

static int perform_bind(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;

	if (net->is_pinned)
		return network_bind_path(b, a);
	return bind(net->socket, address_of(net->address), (socklen_t)net->address.len) < 0 ? -errno
											    : 0;
}

static bool has_no_port(const struct act_network *net)
{
	struct sockaddr_in6 address = {.sin6_port = 0}; /* the port is where sockaddr_in has it */

	memcpy(&address, net->address.p, MIN(net->address.len, sizeof(address)));
	return address.sin6_port == 0;
}

/*
 * A listen that was judged without a port takes one first, by a bind of our own: a bind that the
 * agent makes at the same time would else choose one that listen was not judged for. A socket that
 * has a port keeps it.
 */
static int perform_listen(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;

	(void)b;
	if ((net->family == AF_INET || net->family == AF_INET6) && has_no_port(net) &&
	    bind(net->socket, address_of(net->address), (socklen_t)net->address.len) < 0)
		return errno == EINVAL ? -ESTALE : -errno;
	return listen(net->socket, net->flags) < 0 ? -errno : 0;
}

/* The signal of a broken stream belongs to the thread that sends; ours has none to spare. */
static void raise_sigpipe(const struct action *a)
{
	const struct act_network *net = &a->act.network;

	if (net->type == SOCK_STREAM && !(net->flags & MSG_NOSIGNAL))
		(void)syscall(SYS_tgkill, a->pid, a->tid, SIGPIPE);
}

/*
 * Writes to the caller, who still waits: while it does its number is nobody else's. It was asked
 * right before the send; a caller that was killed since then leaves at most a number that its
 * parent has yet to reap.
 */
static int write_result(const struct action *a, uint64_t address, unsigned int value)
{
	struct iovec local = {.iov_base = &value, .iov_len = sizeof(value)};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = sizeof(value)};

	return process_vm_writev(a->tid, &local, 1, &remote, 1, 0) == sizeof(value) ? 0 : -EFAULT;
}

static ssize_t lead_and_send(struct behalf *b, const struct action *a, const struct act_message *m)
{
	const struct act_network *net = &a->act.network;
	struct act_message led = *m;
	struct sockaddr_in6 where;
	ssize_t r = 0;

	/* Only with this flag does a stream socket make a connection by it. */
	if (m->name.len && net->is_led && (net->flags & MSG_FASTOPEN))
		r = network_lead_look(b, a, m->name);
	else if (m->name.len && !net->is_led)
		r = network_lead(b, a, m->is_question);
	if (m->is_question || (m->name.len && net->is_led))
		led.name = network_where_led(b, a, m->name, &where);
	if (r == 0)
		r = network_send(b, a, &led, net->flags);
	if (m->is_question)
		network_note_asker(b, a, m->name);
	return r;
}

/* sendmmsg(2): as many as go, and an error only where not one went. */
static int64_t perform_batch(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;
	size_t n;

	for (n = 0; n < net->n_messages; n++) {
		const struct act_message *m = &net->messages[n];
		ssize_t r;

		if (n && behalf_still_waits(b, a) < 0)
			break;
		r = lead_and_send(b, a, m);
		if (r == -EPIPE)
			raise_sigpipe(a);
		if (r >= 0 && write_result(a, m->result, (unsigned int)r) < 0)
			r = -EFAULT;
		if (r < 0)
			return n ? (int64_t)n : r;
		if ((size_t)r < m->len)
			return (int64_t)n + 1;
	}
	return (int64_t)n;
}

static int64_t perform_send(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;
	ssize_t r;

	if (a->act.row->shape == SHAPE_MMSGHDR)
		return perform_batch(b, a);
	r = lead_and_send(b, a, net->messages);
	if (r == -EPIPE)
		raise_sigpipe(a);
	return r;
}

static int perform_other(struct behalf *b, const struct action *a, void *arg)
{
	const struct trap_row *row = a->act.row;
	int r = network_identify(b, a);

	(void)arg;
	if (r < 0)
		return r;
	if (row->shape == SHAPE_LISTEN)
		return perform_listen(b, a);
	if (row->op == OP_CONNECT)
		return network_connect(b, a, a->act.network.socket);
	return perform_bind(b, a);
}

static int connect_led(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;
	int r = 0;

	if (net->has_met)
		return net->met < 0 ? -net->met_error : network_replace(b, a, net->met);
	if (net->is_led)
		r = network_lead_look(b, a, net->address);
	else if (!net->is_pinned)
		r = network_lead(b, a, net->is_question);
	if (r < 0)
		return r;
	r = behalf_call(b, a, perform_other, NULL);
	if (net->is_question && !net->is_pinned)
		network_note_asker(b, a, net->address);
	return r;
}

static int64_t perform(struct behalf *b, const struct action *a)
{
	int r;

	if (a->act.row->op == OP_SEND)
		return perform_send(b, a);
	if (a->act.row->op == OP_CONNECT)
		return connect_led(b, a);
	if (a->act.row->op == OP_BIND && a->act.network.is_pinned) {
		r = behalf_take_umask(b, a->tid);
		if (r == 0)
			r = network_bind_elsewhere(b, a);
		if (r != NETWORK_BIND_HERE)
			return r;
	}
	return behalf_call(b, a, perform_other, NULL);
}

int behalf_network(struct behalf *b, const struct action *a, struct behalf_result *ret)
{
	int64_t value;

	if (behalf_still_waits(b, a) < 0)
		return -ENOENT;
	value = perform(b, a);
	if (value == -ESTALE)
		return -ESTALE;
	if (value == -EINTR)
		return BEHALF_INTERRUPTED;
	*ret = (struct behalf_result){
		.error = value < 0 ? (int)-value : 0, .value = MAX(value, (int64_t)0), .fd = -1};
	return 0;
}
