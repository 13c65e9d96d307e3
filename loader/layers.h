/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of holdfast-loader, the program that loads eBPF (loader/bpf/): `holdfast` itself is
 * not linked with libbpf. docs/loader.md says who may ask for what. Over a SOCK_SEQPACKET
 * connection, one message a packet, each a fixed structure that begins with struct layers_header;
 * both sides refuse what is of another version, type or size, and the loader then ends the
 * connection. The loader speaks first:
 *
 *                       LAYERS_HELLO    or why it will not serve this client
 *   LAYERS_PROBE    ->  LAYERS_PROBED   each mechanism loaded, attached, tried and taken away
 *   LAYERS_START    ->  LAYERS_STARTED  the client is marked as the session's, and with it what it
 *                                       starts; the answer has descriptors of the event ring and
 *                                       its counters
 *   LAYERS_SEAL     ->  LAYERS_SEALED   the command has been started: the client's mark goes
 *   LAYERS_NET      ->  LAYERS_NETTED   with a sealed file of tables (struct layers_net): verdicts
 *                                       on connections, attached to a cgroup that is made for them
 *                                       below the client's; the answer has descriptors of the
 *                                       rings, the counters and the cgroup. They bind it as long as
 *                                       it is there, also when the loader has ended
 *   LAYERS_JOIN     ->  LAYERS_JOINED   with a pidfd of a child of the client's, which is moved
 *                                       into that cgroup
 *   LAYERS_LSM      ->  LAYERS_LSMED    with a sealed file of tables (struct layers_lsm): verdicts
 *                                       on files; the answer has descriptors of the rings and the
 *                                       counters, and for root of each program's link, so that the
 *                                       verdicts outlive the loader
 *   LAYERS_LSM_JOIN ->  LAYERS_JOINED   with a pidfd of a child of the client's, which is bound by
 *                                       them from here on, and what it starts
 *
 * The client is the process that connected, as the kernel says it, whoever holds the connection. It
 * comes once, but for LSM_JOIN: START, then SEAL; NET, then JOIN; LSM, then LSM_JOIN. One that
 * failed says why and leaves nothing. What was loaded for a session goes when the connection ends.
 * PROBE is for root, by itself.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

#define LAYERS_VERSION    4
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
	LAYERS_HELLO,
	LAYERS_JOIN,
	LAYERS_JOINED,
	LAYERS_LSM,
	LAYERS_LSMED,
	LAYERS_LSM_JOIN,
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

/* Of LAYERS_HELLO, LAYERS_STARTED, LAYERS_NETTED, LAYERS_JOINED and LAYERS_LSMED. */
struct layers_started {
	struct layers_header header;
	int32_t error; /* 0, or a negative errno: nothing was done, and there are no descriptors */
	char reason[LAYERS_REASON_MAX];
};

/* Of the descriptors of a LAYERS_STARTED that is no error. */
enum layers_fd {
	LAYERS_FD_RING,     /* BPF_MAP_TYPE_RINGBUF of struct sight_event (bpf/abi.h) */
	LAYERS_FD_COUNTERS, /* array of one struct sight_lost that can be mapped */
	_LAYERS_FD_MAX,
};

/*
 * The file is a memfd that is sealed against everything (F_SEAL_SEAL, _SHRINK, _GROW, _WRITE), and
 * has, one after the other and nothing else: @n_prefixes of struct layers_prefix, the class of each
 * port (65536 bytes), and a verdict (a byte) for each operation, protocol, prefix and class of
 * ports, in this order (policy/netmap.h). A prefix's number is its place.
 */
struct layers_net {
	struct layers_header header;
	uint32_t n_prefixes;
	uint32_t n_port_classes;
	uint32_t is_audit;   /* 0 or 1: as struct net_config in bpf/abi.h */
	uint32_t opens_unix; /* likewise */
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
	LAYERS_NET_FD_COUNTERS, /* array of one struct net_lost that can be mapped */
	LAYERS_NET_FD_CGROUP,   /* for JOIN */
	_LAYERS_NET_FD_MAX,
};

/*
 * The file, sealed as above, has the class of each byte (256 bytes), the cells (two bytes each) of
 * n_states rows of n_classes + 1, and n_verdicts of four bytes, as in policy/pathmap.h.
 */
struct layers_lsm {
	struct layers_header header;
	uint32_t floor;   /* LSM_BIT()s: as struct lsm_config in bpf/abi.h */
	uint32_t decides; /* likewise */
	uint32_t records; /* likewise */
	uint32_t n_classes;
	uint32_t n_states;
	uint32_t n_verdicts;
	uint32_t is_audit; /* 0 or 1 */
	uint32_t reserved;
	struct {
		uint32_t first, n_kinds;
	} parts[4];
};

/* Of the descriptors of a LAYERS_LSMED that is no error. */
enum layers_lsm_fd {
	LAYERS_LSM_FD_EVENTS,   /* ring of struct lsm_event, each with its path: let through */
	LAYERS_LSM_FD_REFUSED,  /* likewise: refused */
	LAYERS_LSM_FD_COUNTERS, /* array of one struct lsm_lost that can be mapped */
	LAYERS_LSM_FD_LINKS,    /* for root: so many of them as there are programs */
	_LAYERS_LSM_FD_MAX = LAYERS_LSM_FD_LINKS + 28,
};

#define LAYERS_FDS_MAX 32 /* of any answer */

_Static_assert(sizeof(struct layers_started) == 16 + 4 + LAYERS_REASON_MAX, "of the protocol");
_Static_assert(sizeof(struct layers_header) == 16, "of the protocol");
_Static_assert(sizeof(struct layers_net) == 16 + 16, "of the protocol");
_Static_assert(sizeof(struct layers_prefix) == 18, "of the protocol");
_Static_assert(sizeof(struct layers_lsm) == 16 + 64, "of the protocol");
_Static_assert(_LAYERS_LSM_FD_MAX <= LAYERS_FDS_MAX, "it has room for them");
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

/* Where the service listens, unless LAYERS_SOCKET_VARIABLE names another place. */
#define LAYERS_SOCKET          "/run/holdfast-loader/loader.sock"
#define LAYERS_SOCKET_VARIABLE "HOLDFAST_LOADER_SOCKET"

/*
 * Gets us a loader. Root starts one of its own, of which @is_detached makes a grandchild whose
 * parent ends at once, for which the caller must be single-threaded: so it is no child of a
 * supervisor, whose children are the session's. Others connect to the service, which must be
 * root's; so does root where LAYERS_SOCKET_VARIABLE names it. Return: 0; -ENOENT: this build has no
 * such program, or there is no service; -errno; always with words for people in @reterr_reason.
 */
int layers_start(bool is_detached, struct layers *ret,
		 char reterr_reason[static LAYERS_REASON_MAX]);
/* Whether the service is there and would serve us. Return: as layers_start(). */
int layers_try_service(char reterr_reason[static LAYERS_REASON_MAX]);
/* Ends it, or what it does for us, and reaps a child. */
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

/* What is said in the answer of @type, all of whose @fds are closed if it is an error. Return: 0;
 * its error, with words for people in @reterr_reason; -errno. */
int layers_ask_started(const struct layers *layers, const struct layers_header *message, int fd,
		       uint32_t type, int timeout_ms, int *ret_fds, size_t n_fds,
		       char reterr_reason[static LAYERS_REASON_MAX]);

/* Asks by @type that the calling process, a child of who connected, is bound. Return: as above. */
int layers_join(const struct layers *layers, enum layers_type type, int timeout_ms,
		char reterr_reason[static LAYERS_REASON_MAX]);

/* One packet, with descriptors; for both sides. Return: 0, -errno. */
int layers_send(int socket, const struct layers_header *message, const int *fds, size_t n_fds);
/* One packet into @ret of @size bytes; what is larger is -EPROTO. Return: its size, 0 at the end,
 * -errno. @ret_fds as above. */
ssize_t layers_receive(int socket, void *ret, size_t size, int *ret_fds, size_t n_fds);
