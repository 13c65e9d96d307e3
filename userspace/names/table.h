/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names a session has resolved to which addresses, for as long as the answers say and a while
 * longer. One table for a session; locks itself.
 */
#pragma once

#include "names/message.h"
#include "policy/policy.h"

/* Pairs of a name and an address. 10,000 of the longest names take 3.5 MB. */
#define NAMES_MAX        10000
#define NAMES_AT_ADDRESS 64 /* more names than this are not learned for one address */

struct names_table;

struct names_found {
	size_t n_asked; /* names[0] .. that were asked for */
	size_t n;       /* and behind them those that they are aliases of */
	struct bytes names[NAMES_AT_ADDRESS];
	char text[NAMES_AT_ADDRESS][DNS_NAME_SIZE];
};

int names_table_new(struct names_table **ret) _must_check_;
struct names_table *names_table_free(struct names_table *t);
/*
 * Learns the facts of one answer. Return: 0; -ENOSPC: there is no room for all of them, and some
 * were not learned: the answer must then not be passed on; -ENOMEM: likewise.
 */
int names_table_learn(struct names_table *t, const struct dns_facts *f,
		      uint64_t now_ns) _must_check_;
/* The same for what holds without being asked for, and as long as the session: the lines of a file
 * of hosts. */
int names_table_learn_fixed(struct names_table *t, const struct dns_facts *f) _must_check_;
/*
 * hosts.c: learns what /etc/hosts says, loopback aside; programs find names there without a
 * question. Once, before the agent is there, who may be able to change it. Return: 0; -errno: it
 * cannot be read, or not as a whole.
 */
int names_learn_hosts(struct names_table *t, const char *path);
/* The names of @a, none when it has no IP address. They are in @ret's own memory. Those of the file
 * of hosts are asked for where no other is, else like aliases: a rule that opens what was asked for
 * need not know what else the address is called here. */
void names_table_find(struct names_table *t, const struct policy_address *a, uint64_t now_ns,
		      struct names_found *ret);
/* Private, this machine's, or its link's: what a name of the DNS alone must not lead to. */
bool names_is_inner(const struct policy_address *a);
size_t names_table_count(struct names_table *t);

/* Who has asked from a port of the session's name space: for the records of its questions. */
#define NAMES_ASKER_EXE 256
struct names_asker {
	pid_t pid, tid, ppid;
	char exe[NAMES_ASKER_EXE]; /* "": unknown, or too long */
	/* What the question was addressed to. */
	struct policy_address server;
};
void names_table_set_asker(struct names_table *t, uint16_t port, const struct names_asker *asker);
/* Return: false, it is not known any more. */
bool names_table_get_asker(struct names_table *t, enum policy_protocol protocol, uint16_t port,
			   struct names_asker *ret);
