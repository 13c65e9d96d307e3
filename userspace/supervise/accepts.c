/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "supervise/accepts.h"

#define WAITING_MAX 256
#define NAME_BYTES  (sizeof(struct sockaddr_un) + sizeof("unix:"))

struct listener {
	char name[NAME_BYTES]; /* as the object of its listen */
	size_t name_len;       /* 0: the last place, for all that have none */
	uint64_t accepted;
	uint64_t unknown; /* waits that found no place below */
};

struct accepts {
	pthread_mutex_t lock;
	size_t n;
	struct listener listeners[ACCEPTS_LISTENERS_MAX + 1];
	/* Threads that wait, or waited when they ended. */
	struct {
		pid_t tid; /* 0: free */
		size_t listener;
	} waiting[WAITING_MAX];
};

int accepts_new(struct accepts **ret)
{
	struct accepts *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	(void)pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	return 0;
}

struct accepts *accepts_free(struct accepts *c)
{
	if (c)
		(void)pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

_Static_assert(NAME_BYTES >= POLICY_HOST_SIZE, "both have room");

static struct bytes ip_name(const struct sockaddr_storage *from, char out[static POLICY_HOST_SIZE])
{
	struct policy_address a = {.has_ip = true, .is_v4 = from->ss_family == AF_INET};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memcpy(&in, from, sizeof(in));
	memcpy(&in6, from, sizeof(in6));
	a.port = ntohs(in.sin_port); /* both have it there */
	if (a.is_v4)
		memcpy(a.ip, &in.sin_addr, 4);
	else
		memcpy(a.ip, &in6.sin6_addr, 16);
	policy_address_normalise(&a, OP_LISTEN);
	policy_address_format(out, &a);
	return bytes_of(out);
}

/* Return: .p NULL, it has none that could be told. */
static struct bytes name_of(int fd, char out[static NAME_BYTES])
{
	struct sockaddr_storage from = {};
	socklen_t len = sizeof(from);
	struct sockaddr_un un;
	size_t path;

	if (getsockname(fd, (struct sockaddr *)&from, &len) < 0)
		return BYTES_NULL;
	if (from.ss_family == AF_INET || from.ss_family == AF_INET6)
		return ip_name(&from, out);
	if (from.ss_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path))
		return BYTES_NULL;
	memcpy(&un, &from, sizeof(un));
	path = MIN((size_t)len - offsetof(struct sockaddr_un, sun_path), sizeof(un.sun_path));
	if (un.sun_path[0])
		path = strnlen(un.sun_path, path);
	else
		un.sun_path[0] = '@';
	memcpy(out, "unix:", 5);
	memcpy(out + 5, un.sun_path, path);
	return (struct bytes){.p = out, .len = path + 5};
}

/* With the lock. */
static size_t place_of(struct accepts *c, struct bytes name)
{
	size_t i = 0;

	while (i < c->n && !(c->listeners[i].name_len == name.len &&
			     memcmp(c->listeners[i].name, name.p, name.len) == 0))
		i++;
	if (i == ACCEPTS_LISTENERS_MAX || !name.p)
		return ACCEPTS_LISTENERS_MAX;
	if (i == c->n) {
		memcpy(c->listeners[i].name, name.p, name.len);
		c->listeners[i].name_len = name.len;
		c->n++;
	}
	return i;
}

/* With the lock. The wait of this thread is over. */
static void end_wait(struct accepts *c, pid_t tid)
{
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (c->waiting[i].tid == tid) {
			c->listeners[c->waiting[i].listener].accepted++;
			c->waiting[i].tid = 0;
			return;
		}
}

static void begin_wait(struct accepts *c, pid_t tid, size_t listener)
{
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (!c->waiting[i].tid) {
			c->waiting[i].tid = tid;
			c->waiting[i].listener = listener;
			return;
		}
	c->listeners[listener].unknown++;
}

void accepts_note(struct accepts *c, const struct action *a)
{
	const struct act_network *net = &a->act.network;
	struct pollfd p = {.fd = net->socket, .events = POLLIN};
	char text[NAME_BYTES];
	bool is_ready = p.fd >= 0 && poll(&p, 1, 0) > 0;
	struct bytes name = p.fd >= 0 ? name_of(p.fd, text) : BYTES_NULL;
	int flags = p.fd >= 0 ? fcntl(p.fd, F_GETFL) : 0;
	int is_listening = 0;
	socklen_t len = sizeof(is_listening);
	size_t i;

	(void)pthread_mutex_lock(&c->lock);
	end_wait(c, a->tid);
	/* The others fail. */
	if (getsockopt(p.fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) == 0 && is_listening &&
	    (is_ready || !(flags & O_NONBLOCK))) {
		i = place_of(c, name);
		if (is_ready)
			c->listeners[i].accepted++;
		else
			begin_wait(c, a->tid, i);
	}
	(void)pthread_mutex_unlock(&c->lock);
}

/* With the lock. */
static void write_listener(const struct accepts *c, size_t i, struct json *j)
{
	const struct listener *l = &c->listeners[i];
	uint64_t unknown = l->unknown;

	for (size_t k = 0; k < WAITING_MAX; k++)
		unknown += c->waiting[k].tid && c->waiting[k].listener == i;
	if (!l->accepted && !unknown)
		return;
	json_begin_object(j);
	if (l->name_len)
		json_key_str(j, "address", (struct bytes){.p = l->name, .len = l->name_len});
	json_key_u64(j, "accepted", l->accepted);
	if (unknown)
		json_key_u64(j, "unknown", unknown);
	json_end_object(j);
}

void accepts_write(struct accepts *c, struct json *j)
{
	(void)pthread_mutex_lock(&c->lock);
	if (c->n || c->listeners[ACCEPTS_LISTENERS_MAX].accepted ||
	    c->listeners[ACCEPTS_LISTENERS_MAX].unknown) {
		json_key(j, "accepted");
		json_begin_array(j);
		for (size_t i = 0; i <= ACCEPTS_LISTENERS_MAX; i++)
			write_listener(c, i, j);
		json_end_array(j);
	}
	(void)pthread_mutex_unlock(&c->lock);
}
