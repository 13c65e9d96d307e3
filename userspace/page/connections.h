/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every open connection, with a deadline for what it is at. The server's own timeout is for
 * connections on which nothing moves; one that sends a byte every few seconds is ended here.
 */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include "page/holder.h"

#define CONNECTIONS_MAX 256
/* From this many on a peer is looked up before it is let in, so that an agent cannot take them all.
 */
#define CONNECTIONS_CROWD 48
#define REQUEST_NS        (10 * NS_PER_SEC) /* to be sent whole; also for the next one to come */
#define RESPONSE_NS       (60 * NS_PER_SEC) /* to be made and taken whole */

struct connection {
	int fd; /* the server's; -1: this slot is free */
	bool is_stream;
	bool is_answered; /* a whole request is there */
	bool is_checked;  /* holder_check() said who it is ... */
	enum holder holder;
	uint64_t since_ns;
	struct sockaddr_storage peer, ours;
};

struct connections {
	pthread_mutex_t lock;
	size_t n;
	struct connection slots[CONNECTIONS_MAX];
};

void connections_init(struct connections *c);
/* Return: the slot of the new connection @fd; NULL: there is none left. */
struct connection *connections_add(struct connections *c, int fd);
void connections_remove(struct connections *c, struct connection *slot);
/* A request began to be sent (false), or is there whole (true). */
void connections_mark(struct connections *c, struct connection *slot, bool is_answered,
		      bool is_stream);
size_t connections_count(struct connections *c);
/* Shuts down what is past its deadline; its thread then ends it. */
void connections_reap(struct connections *c);
