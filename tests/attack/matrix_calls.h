/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of attack_matrix.c: whole families, each on an object whose name was made elsewhere.
 */
#pragma once

#include "tests/attack/matrix.h"

#define SPOT_PATH_SIZE 4096

/* One pair's objects under one of their names, as the working directory and descriptors of the
 * process have it. */
struct spot {
	int dirfd;                                      /* AT_FDCWD: calls without one will do */
	char file[SPOT_PATH_SIZE], dir[SPOT_PATH_SIZE]; /* these are there */
	char fresh[SPOT_PATH_SIZE];                     /* this one is not */

	size_t number;
	const char *top, *base,
		*below; /* of the world; where the objects are; that below the top */
	pid_t decoy;
	const struct call *call;
	int unshares; /* the call is made by a thread that unshared this, with another directory */
	int result;
	bool is_dir_only; /* only the name of the directory is special */
};

enum call_flag {
	CALL_DIRFD = 1 << 0,  /* takes a descriptor of a directory */
	CALL_ENTRY = 1 << 1,  /* of a link in the last place it takes the link itself */
	CALL_DIR = 1 << 2,    /* is done to the directory */
	CALL_FRESH = 1 << 6,  /* makes a new one: no object of the pair is needed */
	CALL_UNTOLD = 1 << 3, /* its record does not say on which object */
	/* The socket that it wants to reach; without either it takes datagrams. */
	CALL_STREAM = 1 << 4,
	CALL_PACKETS = 1 << 5,
};

struct call {
	const char *name;
	/* Return: 0 it was done; -errno. */
	int (*make)(struct spot *s);
	unsigned int flags; /* enum call_flag */
};

struct calls {
	const struct call *all;
	/* Writes what a pair's file has in it to @fd. Return: 0, -errno. NULL: it is no file. */
	int (*fill)(int fd, struct bytes secret);
	/* One process makes all the calls under one name, which is quicker; none of them takes it
	 * along. */
	bool shares_process;
};

/* A script that does nothing. */
int matrix_fill_program(int fd, struct bytes secret);

enum {
	matrix_reads_SIZE = 9,
	matrix_changes_SIZE = 64,
	matrix_execs_SIZE = 6,
	matrix_sockets_SIZE = 12,
	matrix_abis_SIZE = 76
};
extern const struct calls matrix_reads, matrix_changes, matrix_execs, matrix_sockets;
#ifdef __x86_64__
extern const struct calls matrix_abis;
#endif
