/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of holdfast-loader, the program that loads eBPF (loader/bpf/): `holdfast` itself is
 * not linked with libbpf. Over a SOCK_SEQPACKET connection, one message a packet, each a fixed
 * structure that begins with struct layers_header; both sides refuse what is of another version,
 * type or size, and the loader then ends. What it loaded lasts as long as its process, which ends
 * when the connection does.
 *
 *   LAYERS_PROBE    ->  LAYERS_PROBED   each mechanism loaded, attached, tried and taken away
 *   LAYERS_START    ->  LAYERS_STARTED  with a pidfd of the supervisor, which is marked as the
 *                                       session's, and with it what it starts; the answer has
 *                                       descriptors of the event ring and its counters
 *   LAYERS_SEAL     ->  LAYERS_SEALED   the command has been started: the supervisor's mark goes
 *   LAYERS_NET      ->  LAYERS_NETTED   with a file of tables (struct layers_net): verdicts on
 *                                       connections, attached to a cgroup that is made for them;
 *                                       the answer has descriptors of the rings, the counters and
 *                                       the cgroup. They stay when the loader ends, and go with the
 *                                       cgroup, which whoever has it last removes
 *
 * START is taken once, SEAL once after it; NET once. One that failed says why and leaves nothing.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

#define LAYERS_VERSION    2
#define LAYERS_REASON_MAX 200

enum layers_type {
	LAYERS_PROBE = 1,
	LAYERS_PROBED,
	LAYERS_START,
	LAYERS_STARTED,
	LAYERS_SEAL,
	LAYERS_SEALED,
	LAYERS_NET,
	LAYERS_NETTED,
};

/* What is probed. Numbers of the protocol: never reused. */
enum layers_probe {
	LAYERS_PROBE_RING_BUFFER,
	LAYERS_PROBE_TASK_STORAGE,
	LAYERS_PROBE_CGROUP,
	LAYERS_PROBE_TRACE,
	LAYERS_PROBE_LSM,
	_LAYERS_PROBE_MAX,
};

struct layers_header {
	uint32_t version;
	uint32_t type; /* enum layers_type */
	uint32_t size; /* of the message with this header */
	uint32_t reserved;
};

/*
 * loads: the kernel took it. works: it was seen doing what it is for (attached is not enforced);
 * for maps, which enforce nothing, the same as loads. reason: why not, NUL-terminated; libbpf's or
 * the verifier's words.
 */
struct layers_finding {
	uint8_t loads;
	uint8_t works;
	char reason[LAYERS_REASON_MAX - 2];
};

struct layers_probed {
	struct layers_header header;
	struct layers_finding findings[_LAYERS_PROBE_MAX];
};

/* Of LAYERS_STARTED and LAYERS_NETTED. */
struct layers_started {
	struct layers_header header;
	int32_t error; /* 0, or a negative errno: nothing was loaded, and there are no descriptors
			*/
	char reason[LAYERS_REASON_MAX];
};

/* Of the descriptors of a LAYERS_STARTED that is no error. */
enum layers_fd {
	LAYERS_FD_RING,     /* BPF_MAP_TYPE_RINGBUF of struct sight_event (bpf/abi.h) */
	LAYERS_FD_COUNTERS, /* array of one struct sight_lost that can be mapped */
	_LAYERS_FD_MAX,
};

/*
 * The file has, one after the other: @n_prefixes of struct layers_prefix, the class of each port
 * (65536 bytes), and a verdict (a byte) for each operation, protocol, prefix and class of ports, in
 * this order (policy/netmap.h). A prefix's number is its place.
 */
struct layers_net {
	struct layers_header header;
	uint32_t n_prefixes;
	uint32_t n_port_classes;
	uint32_t supervisor; /* process id */
	uint32_t is_audit;   /* 0 or 1: as struct net_config in bpf/abi.h */
	uint32_t opens_unix; /* likewise */
	uint32_t reserved;
};

struct layers_prefix {
	uint8_t ip[16];
	uint8_t bits;
	uint8_t is_v4;
};

/* Of the descriptors of a LAYERS_NETTED that is no error. */
enum layers_net_fd {
	LAYERS_NET_FD_EVENTS,  /* ring of struct net_event and struct net_unix_event: let through */
	LAYERS_NET_FD_REFUSED, /* likewise: refused */
	LAYERS_NET_FD_COUNTERS, /* array that can be mapped: 8 bytes, then struct net_lost */
	LAYERS_NET_FD_CGROUP,   /* for the session to be moved into */
	_LAYERS_NET_FD_MAX,
};

#define LAYERS_FDS_MAX 4 /* of any answer */

_Static_assert(sizeof(struct layers_started) == 16 + 4 + LAYERS_REASON_MAX, "of the protocol");
_Static_assert(sizeof(struct layers_header) == 16, "of the protocol");
_Static_assert(sizeof(struct layers_net) == 16 + 24, "of the protocol");
_Static_assert(sizeof(struct layers_prefix) == 18, "of the protocol");
_Static_assert(sizeof(struct layers_finding) == LAYERS_REASON_MAX, "of the protocol");
_Static_assert(sizeof(struct layers_probed) == 16 + 5 * LAYERS_REASON_MAX, "of the protocol");

struct layers {
	int fd;    /* of the connection; -1: none */
	pid_t pid; /* 0: it is not our child */
};

/*
 * Finds the program: beside our own (a build tree), else where `make install` puts it, below
 * ../libexec/holdfast. It runs with our privileges, so no variable and no PATH may name it.
 * Return: 0, -ENOENT (this build has none), -errno.
 */
int layers_find(char *ret_path, size_t size);
/*
 * Starts it: as a child, or, when it @is_detached, as a grandchild whose parent ends at once, for
 * which the caller must be single-threaded: so it is no child of a supervisor, whose children are
 * the session's. Return: 0, as layers_find(). layers_stop() ends it, and reaps a child.
 */
int layers_start(bool is_detached, struct layers *ret);
void layers_stop(struct layers *layers);
/* Sends @message, with @fd unless that is -1, and waits for an answer of @type and @size into @ret,
 * at most @timeout_ms. Return: 0, -EPROTO (not what is expected), -ETIMEDOUT, -errno. */
int layers_ask(const struct layers *layers, const struct layers_header *message, int fd,
	       uint32_t type, void *ret, size_t size, int timeout_ms);
/* The same; the answer may have up to @n_fds descriptors (O_CLOEXEC): -1 for those that it lacks.
 * They are the caller's, whatever is returned. */
int layers_ask_fds(const struct layers *layers, const struct layers_header *message, int fd,
		   uint32_t type, void *ret, size_t size, int timeout_ms, int *ret_fds,
		   size_t n_fds);

/* One packet, with descriptors; for both sides. Return: 0, -errno. */
int layers_send(int socket, const struct layers_header *message, const int *fds, size_t n_fds);
/* One packet into @ret of @size bytes; what is larger is -EPROTO. Return: its size, 0 at the end,
 * -errno. @ret_fds as above. */
ssize_t layers_receive(int socket, void *ret, size_t size, int *ret_fds, size_t n_fds);
