/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holdfast-loader takes from strangers, judged before anything is done with it: requests, in
 * their order; tables, which the programs in the kernel index; who may be moved into a session's
 * cgroup. Pure, so that it can be tested and fuzzed without the kernel.
 */
#pragma once

#include "bpf/abi.h"
#include "loader/layers.h"

#define REQUEST_MAX 256 /* bytes of any */

/* What a client has asked for before: LAYERS_START and so on, as bits. */
struct request_state {
	bool may_probe; /* root's own loader */
	uint32_t done;
};

/*
 * Whether a packet of @size bytes is a request that may come now; @has_fd: with a descriptor. It is
 * then noted as done. Return: 0, and *ret is its type; -EPROTO.
 */
int request_check(struct request_state *state, const void *packet, size_t size, bool has_fd,
		  enum layers_type *ret) _must_check_;

/* How long the file of tables must be, and no longer. Return: 0: the request is out of bounds. */
size_t request_tables_size(const struct layers_net *request);
/*
 * The tables as the file has them, into what the programs take: a prefix's place is what a look-up
 * yields, a class of ports and a verdict are below what the request says. Return: 0, -EPROTO.
 */
int request_read_tables(const struct layers_net *request, const uint8_t *file, size_t size,
			const struct layers_prefix **ret_prefixes,
			struct net_table *ret) _must_check_;

/* The same of LAYERS_LSM. */
size_t request_lsm_size(const struct layers_lsm *request);
/* No state, class or verdict that the programs come to is outside. @ret_cells, @ret_verdicts: where
 * in @file they are, of any alignment. Return: 0, -EPROTO. */
int request_read_lsm(const struct layers_lsm *request, const uint8_t *file, size_t size,
		     struct lsm_config *ret, const uint8_t **ret_cells,
		     const uint8_t **ret_verdicts) _must_check_;

/* A process, as /proc/PID/status has it. */
struct request_process {
	int parent;       /* of the reader's process namespace */
	uint32_t uids[4]; /* real, effective, saved, of the file system */
	bool has_no_new_privs;
};

/* Return: 0; -EPROTO: the text lacks any of it. */
int request_parse_status(const char *status, struct request_process *ret) _must_check_;
/* Whether it may be bound by what @client with the user id @uid asks for: its child, of no other
 * user, and never to be one. */
bool request_may_join(const struct request_process *process, int client, uint32_t uid);
