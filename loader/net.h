/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's connections as the kernel decides on them (bpf/net.bpf.c), loaded by
 * holdfast-loader. Main thread only.
 */
#pragma once

#include "bpf/abi.h"
#include "loader/layers.h"

struct net;

/* What the programs look addresses up in: the parts of struct layers_net's file. Borrowed. */
struct net_tables {
	const struct layers_prefix *prefixes;
	size_t n_prefixes;
	const uint8_t *port_classes; /* NET_PORTS of them */
	size_t n_port_classes;
	const uint8_t *verdicts;
	size_t n_verdicts;
};

/*
 * Has the programs loaded with @tables, for a cgroup of the session's own: what runs in it and
 * makes its sockets there is decided on, but for what the calling process does. @opens_unix:
 * connections to unix sockets are let through and told of; else they are refused. Return: 0;
 * -errno, always with words for people in @reterr_reason.
 */
int net_start(const struct net_tables *tables, bool is_audit, bool opens_unix, struct net **ret,
	      char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/* Removes the cgroup, in which nobody may be left. NULL-safe. Return: NULL. */
struct net *net_free(struct net *n);

/*
 * A child of the process that called net_start() joins the cgroup, before it is anything else but
 * PR_SET_NO_NEW_PRIVS. Async-signal-safe but for snprintf(3). Return: 0, -errno.
 */
int net_join(const struct net *n, char reterr_reason[static LAYERS_REASON_MAX]);
/* Of the session's cgroup; borrowed. */
int net_cgroup_fd(const struct net *n);
/* Where it is. Return: 0, -errno. */
int net_cgroup_path(const struct net *n, char *ret, size_t size);
/* To be watched for EPOLLIN. Borrowed. */
enum net_ring {
	NET_RING_EVENTS,
	NET_RING_REFUSED,
	_NET_RING_MAX,
};
int net_ring_fd(const struct net *n, enum net_ring which);
bool net_is_readable(const struct net *n);
/* More than half of a ring is full, or something was taken out of it already: read now. */
bool net_is_urgent(const struct net *n);
/*
 * Hands out what was refused, then what was let through, at most @max, oldest first, and keeps the
 * rings empty meanwhile. @event
 * and @name (of an AF_UNIX event: sun_path) are valid until @fn returns. Return: whether there may
 * be more.
 */
bool net_read(struct net *n, size_t max,
	      void (*fn)(const struct net_event *event, struct bytes name, void *arg), void *arg);
/* What was lost since the last time. Return: whether anything was. */
bool net_take_lost(struct net *n, struct net_lost *ret);
