/* SPDX-License-Identifier: Apache-2.0 */
/* The servers of /etc/resolv.conf, read again when it changes. Any thread. */
#pragma once

#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/util.h"

#define SERVERS_MAX 3 /* MAXNS of resolv.h: more are not asked */

struct server {
	struct sockaddr_storage address;
	socklen_t len;
};

struct servers {
	const char *path; /* borrowed */
	pthread_mutex_t lock;
	struct stat seen; /* what it was read from */
	size_t n;
	struct server list[SERVERS_MAX];
};

void servers_init(struct servers *s, const char *path);
/* Return: how many, at least one: without the file, or without a line of it that can be read, it is
 * this machine, as for the C library (resolv.conf(5)). */
size_t servers_get(struct servers *s, struct server ret[static SERVERS_MAX]);
/* The servers that @text, which is NUL-terminated and changed, names. Return: how many. */
size_t servers_parse(char *text, struct server ret[static SERVERS_MAX]);
