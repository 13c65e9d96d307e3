/* SPDX-License-Identifier: Apache-2.0 */
/* One client of holdfast-loader, from its hello to its end. The process serves nobody else. */
#pragma once

#include "loader/bpf/lsm.h"
#include "loader/bpf/net.h"

struct connection_config {
	int socket;
	bool is_service;        /* for strangers: no probes, and no patience */
	struct net_layers *net; /* borrowed; its end is ours */
	struct lsm_layers *lsm; /* likewise */
};

/*
 * What a session has loaded goes when this returns, but for a cgroup that somebody is still in.
 * Return: 0: the client has ended the connection; -errno: it is not to be trusted with more.
 */
int connection_serve(const struct connection_config *config) _must_check_;
/* A hello that says why not, without waiting. */
void connection_refuse(int socket, int error, const char *reason);
